# tillgate scan
scan-outside = this host ({ $addresses }) stands in no segment of { $site }; name what to scan with --segment
scan-unknown-segment = { $site } has no segment { $segment } (it has: { $known })
scan-undeclared = { $range } is in no segment that { $site } declares ({ $declared }), and nothing else is scanned
scan-too-large = { $count } addresses are more than a shop has ({ $most }); name a part with --segment
scan-consent = { $reason }; --yes scans without asking
scan-consent-public = { $prefixes } can be reached from the internet and may be somebody else's
scan-consent-size = { $count } addresses are many (more than { $most }), and a scan of them can disturb a small network
scan-consent-question = Scan all the same? [y/N]
scan-segment-unreached = { $segment } was not looked at: there is no route to it
scan-declared-only = { $segment } is behind a router: only devices the estate names were asked; --segment { $segment } asks every address
scan-behind-router = { $segment } is behind a router: what keeps silent there may be missing or shielded, so nothing is said to be missing
scan-kept-silent = { $segment }: { $count ->
    [one] one address kept silent on { $ports } usual ports and was not asked further
   *[other] { $count } addresses kept silent on { $ports } usual ports and were not asked further
    }; --fast asks them all
scan-contested = { $address } is used by several devices at once: { $macs }
scan-gap-undiscovered = unknown devices of { $segment } were not looked for, only those the estate names
scan-gap-neighbours = devices of { $segment } were looked for by this host's own ARP alone, which may miss some
scan-gap-services = { $count ->
    [one] one open port was not asked what it is, because time ran out
   *[other] { $count } open ports were not asked what they are, because time ran out
    }
scan-gap-local = this host could not ask { $count ->
    [one] one service
   *[other] { $count } services
    } for want of descriptors, ports or rights
scan-gap-proxy = one machine ({ $mac }) answers for { $count } addresses of { $segment }: who stands behind them cannot be told; switch off proxy ARP there
scan-gap-unknown = it does not say why
finding-scan-incomplete = the scan did not see everything: { $reason }
scan-known-already = { $name } has this scan already; nothing was added
scan-not-kept = the scan is incomplete and was not added to { $name }
scan-import-outside = { $count ->
    [one] one host of the file stands in no segment of the site and was left out
   *[other] { $count } hosts of the file stand in no segment of the site and were left out
    }
scan-import-part = whether nmap asked all of { $segment } is unknown, so nothing is said to be missing; --segment { $segment } says it did
scan-looking = looking for devices in { $segment } ({ $count } addresses)
scan-presence = looking who answers in { $segment } ({ $count } addresses)
scan-asking = asking { $ports } ports of { $count } addresses
scan-services = asking services, { $done } of { $count }
scan-devices = { $count ->
    [one] one device
   *[other] { $count } devices
    }
scan-answers-everything = answers on every port, so none of them says anything
scan-more-ports = … and { $count } more
scan-this-host = this host
scan-cleartext = passwords unencrypted
scan-since = Since { $time }: { $count ->
    [0] no change
    [one] one change
   *[other] { $count } changes
    }
scan-summary = { $ports } TCP ports asked, { $open } open; { $sent } probes in { $seconds } s ({ $engine }), expected misses { $misses }
scan-incomplete = incomplete
