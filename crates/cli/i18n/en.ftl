# English: the reference. A value that ends a sentence gets no full stop when it is the only one.

word-error = error
word-warning = warning
word-hint = hint
word-possible = possible
word-disputed = disputed
word-log = logged

## Files

cannot-create = cannot write { $name }: { $detail }
cannot-write = cannot write the result: { $detail }
config-empty = { $name } is empty
config-no-rules = { $name } holds no chain, so there is nothing to judge
config-not-recognised = { $name } looks like no firewall configuration known here; --platform says which it is
estate-folder-empty = the folder { $name } holds no estate.toml, templates/ or sites/
estate-missing = there is no estate at { $name }; `tillgate init` writes a first one, --estate points elsewhere
file-binary = { $name } is a binary file, not a text
file-not-found = there is no file { $name } beside the estate
file-not-regular = { $name } is no regular file
file-not-utf8 = { $name } is not UTF-8 text
file-too-large = the file is larger than { $megabytes } MB
file-too-large-named = { $name } is larger than { $megabytes } MB
file-unreadable = cannot read { $name }: { $detail }
include-cycle = { $name } includes itself
include-not-found = there is no file { $name } to include
include-outside = { $name } lies outside the configuration's folder, so it is not read
include-too-deep = includes are nested too deep at { $name }
include-unreadable = { $name } is no readable text file
json-no-nftables = this JSON has no "nftables" list
json-syntax = this is no valid JSON: { $detail }
more-diagnostics = … and { $count } more

## TOML documents

did-you-mean = did you mean { $word }?
duplicate-id = the id { $id } is given twice
duplicate-name = the name { $name } is given twice
first-here = the first one is here
toml-choice = { $key } cannot be { $found }
toml-choices = one of { $words }
toml-missing-key = { $key } is missing
toml-syntax = this is no valid TOML: { $detail }
toml-type = { $key } must be { $expected }, not { $found }
toml-unknown-key = unknown key { $key }
type-bool = true or false
type-date = a date such as 2027-03-31
type-integer = a whole number
type-list = a list
type-ports = a port or a range such as "5060-5061"
type-table = a table
type-text = a text in quotes

## Catalogues

catalog-from = a requirement names who opens the connection (from) if and only if its destination is the device
catalog-mac-prefix = this is no MAC address block
catalog-mac-prefix-hint = 6, 7 or 9 hex digits, for blocks of 24, 28 and 36 bits
catalog-no-source = { $id } says nowhere where it was read
catalog-ports-hint = a port, a range such as "5060-5061", a list of them, or "unknown"
catalog-row-id = the id { $id } does not begin with its catalogue
catalog-row-id-hint = { $catalog }.name
catalog-sound = { $file }: sound, { $rows } requirements
no-catalog = there is no catalogue { $id } (there are: { $known })
unknown-feature = there is no feature { $feature }
unknown-kind = there is no device kind { $kind }
unknown-kind-hint = `tillgate catalog show clover` lists the kinds
unknown-requirement = there is no requirement { $id }
unknown-protocol = this is no protocol
bad-ports = this is no port, and no range of ports

## Estates

address-outside = { $address } is no host address of the segment { $segment }
bad-address = { $text } is no address
bad-interface = "{ $name }" cannot be an interface name
bad-mac = { $text } is no hardware address
bad-mac-hint = twelve hex digits, such as d4:95:24:00:00:11
bad-prefix = { $text } is no address and no prefix
bad-prefix-hint = an address such as 10.1.10.5, or a prefix such as 10.1.10.0/28
bad-service = { $text } is neither "gateway" nor an address
bad-service-hint = "gateway" for the firewall itself, or a list of addresses
bad-site-name = a site's name becomes a file name: it may not be empty, begin with a full stop or hold a slash
bad-subnet-hint = a prefix such as 10.1.20.0/24; IPv6 goes to subnet6
bad-vlan = a VLAN number lies between 1 and 4094
csv-column = unknown column { $column }
csv-columns = columns are { $columns }
csv-syntax = this is no valid CSV: { $detail }
csv-width = this line has { $found } fields, the header has { $expected }
duplicate-address = { $address } is given to two hosts
duplicate-interface = the interface { $interface } belongs to two segments
duplicate-mac = { $mac } is given to two devices
duplicate-number = two sites have the number { $number }
duplicate-vlan = two segments have the same VLAN
estate-no-site = this estate has no site
estate-no-site-hint = a site begins with [[site]]
estate-twice = [estate] is given twice
exception-peer = { $word } is no device, no segment and no address
exception-peer-hint = a device, a segment, an address, a prefix or "internet"
exception-ports-protocol = ports need a protocol that has them
exception-syntax = this is no exception
exception-syntax-hint = PROTOCOL SOURCE -> DESTINATION[:PORTS], for instance "tcp pos -> 198.51.100.7:8443"
features-of-kind = this kind can have { $features }
gateway-needed = the segment { $segment } has no gateway, and a service is on it
gateway-needed-hint = gateway = the firewall's address in this segment
gateway-outside = the gateway { $address } is not in the segment's subnet
host-bits = { $text } has bits set beyond its length
overlapping-subnets = { $a } overlaps { $b } of the segment { $other }
port-not-editable = the port of { $id } cannot be changed on the device
pos-in-guest = the terminal { $device } stands in a guest segment
pos-in-guest-hint = terminals belong in a segment of their own, with role = "pos"
probe-until = the measuring host { $device } has no last day
probe-until-hint = until = 2027-03-31
segment-here = the segment is here
segment-on-uplink = the interface { $interface } is an uplink too
segments-of-site = this site has { $segments }
unknown-catalog = there is no catalogue { $id }
unknown-feature-of-kind = { $kind } has no feature { $feature }
unknown-segment = there is no segment { $segment }
unknown-site = there is no site { $site }
unknown-template = there is no template { $name }
unknown-variable = there is no variable { $name } here
variable-hint = vars = { "{" } { $name } = … { "}" } in the template or the site
variable-site-hint = number = … fills it

## nftables

nft-after-verdict = nothing can follow a verdict
bad-value = { $value } does not fit here
nft-base-chain = a base chain is written: type filter hook forward priority filter; policy drop;
nft-define = a definition is written: define name = value
nft-expected-dot = the key has more parts, joined by " . "
nft-expected-map = a map is expected here: {"{"} … {"}"} or @name
expected-value = a value is expected here
nft-expected-verdict = { $word } is no verdict
nft-include = an include needs a file name
jump-deep = from the chain { $chain } calls go deeper than the kernel follows (16)
jump-loop = the chain { $chain } calls itself, directly or through others
open-string = this string is not closed
nft-policy = a policy is accept or drop
nft-priority = this is no priority
nft-relative-rule = this rule's place depends on the running rule set; give the whole of it (nft list ruleset)
nft-strange-byte = the byte { $byte } does not belong in a rule set
nft-table-body = a table's body is expected here
nft-too-many-tokens = definitions make this configuration grow beyond all bounds
nft-unclosed = this is never closed; the file may be cut off
nft-undefined = ${ $name } is not defined
unknown-chain = there is no chain { $chain } in this table
nft-unknown-command = unknown command { $word }
nft-unknown-in-set = { $word } does not belong in a set
nft-unknown-in-table = { $word } does not belong in a table
unknown-set = there is no set { $set } in this table
not-modelled-match = the match "{ $what }"
not-modelled-set = the set { $set }, which something fills that is not given
not-modelled-statement = the statement "{ $what }"
not-modelled-table = the table { $family } { $name }

## Commands

ask-management = Address that may manage the firewall
ask-name = Name of the organisation
ask-pos-interface = Interface of the terminals' segment
ask-pos-subnet = Subnet of the terminals
ask-site = Name of the shop
ask-terminal = Fixed address of the first terminal
ask-wan = Uplink interface of the firewall
explain-no-port = no catalogue names the port { $topic }: nothing known here needs it
explain-unknown = { $topic } is no port, requirement, finding or PCI DSS number known here
fleet-missing = no configuration
fleet-summary = { $sites } sites: { $holds } hold, { $fails } fail, { $undecided } undecided, { $unreadable } unreadable
fleet-unreadable = the configuration cannot be read
init-assessment = PCI DSS assessment: saq-p2pe | saq-b-ip | saq-c | saq-d | saq-d-sp | roc
init-done = wrote { $name }; next: tillgate plan { $site } --estate { $name }
init-exists = { $name } exists and is left alone
init-features = what the terminal does beyond payments
init-head = The estate of a first shop: who is there, and who may talk to whom. Everything after # is a comment.
init-mac = lets DHCP keep the address fixed
init-management = who may manage the firewall
init-ntp = without it, any public time server
init-services = "gateway": on the firewall; or a list of addresses
init-wan = uplinks, as the firewall names them
no-findings = no findings
no-site = there is no site { $site } (there are: { $sites })
no-site-did-you-mean = there is no site { $site }; did you mean { $word }?
note-disputed = { $count ->
    [one] 1 row is
   *[other] { $count } rows are
 } disputed: no other source names it; `tillgate explain` says why
note-open = { $count ->
    [one] 1 row has
   *[other] { $count } rows have
 } unknown ports: an open question, never a rule
packet-syntax = { $expected } is expected here
packet-syntax-hint = tcp 10.17.20.11:40000 -> 203.0.113.5:443 in eth1 out eth0 state new
plan-exception = exception: { $reason } ({ $owner }, until { $date })
plan-names-known = Known names stand in the catalogue; several share their addresses with others.
plan-names-wide = Names on shared addresses (CDNs) make a rule by name wider than it looks.
plan-not-enforced = Inside one segment: not enforced by this firewall
plan-open = Open questions
plan-probe = measuring host, until { $date }
open-names-unknown = no names are known, so the destination cannot be narrowed
open-no-peer = the device it talks to is not declared
open-ports-unknown = nobody publishes the ports
render-all = wrote { $count } sites to { $folder }
render-interface = nftables cannot carry the interface name { $name }: at most 15 characters, no slash, no colon
render-names = { $site } asks for destinations by name; that needs services.dns = "gateway", whose resolver fills the sets
render-no-management = { $site } declares nobody who may manage the firewall; loading this would lock everybody out
render-no-uplink = { $site } declares no uplink (firewall.wan)
iptables-no-commit = the table { $table } does not end with COMMIT
iptables-no-such-rule = there is no such rule in this chain
iptables-outside = this line stands in no table; a table starts with *filter and ends with COMMIT
iptables-table = there is no table { $name }
unknown-word = { $word } is not understood
not-given = { $what } (what it means was not given, so that packets may pass or not)
render-rollback-iptables =
    Load it with a rollback that fires unless you stop it:
      iptables-save > /var/tmp/before.v4; ip6tables-save > /var/tmp/before.v6
      systemd-run --on-active=2min --unit=tillgate-rollback sh -c 'iptables-restore /var/tmp/before.v4; ip6tables-restore /var/tmp/before.v6'
      iptables-restore { $file } && ip6tables-restore { $file }
      # open a new connection to the firewall; if it works:
      systemctl stop tillgate-rollback.timer
routeros-changes = this command changes what is there in a way that is not followed; give what /export prints afterwards
routeros-no-tracking = with connection tracking off, states and translations do not work; such a router is not judged
routeros-no-chain = this rule names no chain
render-rollback-routeros =
    Load it with a way back: in a terminal of the router press Ctrl-X (safe mode), then
      /import { $file }
    open a new connection to the router; if it works, press Ctrl-X again. Without that, everything is taken back when the terminal closes.
fortios-no-end = config { $name } is not closed by end
unknown-object = there is no object { $name }
render-rollback-fortios =
    Load it with a way back: first
      config system global / set cfg-save revert / set cfg-revert-timeout 120 / end
    then paste { $file }; open a new connection to the unit; if it works:
      execute cfg save
render-cannot-express = { $platform } cannot say what { $site } asks for: { $what }
cannot-wildcard-name = a name that stands for everything below it ({ $name }); name the hosts one by one, or drop egress = "names"
cannot-management-port = management on port { $port }; administrative access knows ping, https, http, ssh, telnet
render-rollback-nftables =
    Load it with a rollback that fires unless you stop it:
      (echo flush ruleset; nft list ruleset) > /var/tmp/before.nft
      systemd-run --on-active=2min --unit=tillgate-rollback nft -f /var/tmp/before.nft
      nft -f { $file }
      # open a new connection to the firewall; if it works:
      systemctl stop tillgate-rollback.timer
render-unproved = the configuration for { $site } does not equal its intent, so it is not written; please report this
trace-deny = denied
trace-permit = permitted
trace-unknown = unknown
unknown-platform = there is no platform { $name } (there are: { $known })
verdict-fails = fails
verdict-holds = holds
verdict-undecided = undecided
change-added = added
change-changed = changed
change-removed = removed

## Tables and labels

col-catalog = catalogue
col-confidence = confidence
col-destination = destination
col-end-of-support = end of support
col-features = features
col-from = from
col-kind = kind
col-kinds = kinds
col-level = level
col-name = name
col-need = need
col-purpose = purpose
col-requirement = requirement
col-rows = rows
col-service = service
col-source = source
col-to = to
col-vendor = vendor
col-version = version
col-when = when
col-why = why
heading-commands = Commands
heading-usage = Usage
label-also = likewise
label-blocked = when blocked
label-box = packets
label-confidence = confidence
label-disputed = disputed
label-findings = findings
label-fix = fix
label-level = level
label-line = line
label-names = names
label-packet = packet
label-pci = PCI DSS
label-port = port
label-purpose = purpose
label-reason = why
label-source = source
label-when = when
need-allowed = allowed
need-needed = needed
port-editable = can be changed on the device
port-fixed = cannot be changed
source-checked = checked { $date }
diff-opened = opens ({ $count })
diff-closed = closes ({ $count })
diff-redirected = sends elsewhere ({ $count })
diff-differ = the two differ
diff-equal = equal: no packet is opened or closed (proved)
diff-equal-possible = no difference found; whether they are equal depends on what is not modelled
diff-everything = every packet
label-old = old
label-new = new

# Repairs and other formats
fix-stopped = the work allowed ended before everything was tried; apply the patch and run it again
fix-summary = { $mended } mended and proved; { $left } left
format-not-here = this command does not print that format
held-summary = how the terminals' { $count } flows are held: { $port } by port only, { $address } by address, { $name } by name, { $application } by application
label-severity = severity
label-finding = finding
label-what = what
fortios-name-taken = there is already an object { $name }
## Checklist

checklist-title = Firewall checklist: { $site }
checklist-intro = Work from top to bottom; rules count in this order, and the first that matches decides. Names of menus differ from device to device. When all is done, tillgate check { $site } measures from inside the shop whether it works.
checklist-column-number = No.
checklist-column-place = Where
checklist-column-action = What
checklist-column-source = Source
checklist-column-destination = Destination
checklist-column-family = IP version
checklist-column-protocol = Protocol
checklist-column-ports = Ports
checklist-column-log = Log
checklist-column-why = Why
checklist-column-test = Test
checklist-place-administration = Administration
checklist-place-management = Remote and local management
checklist-place-networks = Networks and VLANs
checklist-place-wifi = Wi-Fi
checklist-place-dhcp = DHCP and reservations
checklist-place-dns-time = DNS and time
checklist-place-upnp = UPnP
checklist-place-forwarding = Port forwarding
checklist-place-nat = NAT
checklist-place-inspection = TLS inspection and content filter
checklist-place-ipv6 = IPv6
checklist-place-spoofing = Anti-spoofing
checklist-place-to-device = Firewall rules: LAN to the device itself
checklist-place-between = Firewall rules: LAN to LAN
checklist-place-outward = Firewall rules: LAN to WAN
checklist-place-inward = Firewall rules: WAN to LAN and to the device
checklist-allow = Allow
checklist-block = Block
checklist-translate = Translate sources to the uplink's address
checklist-yes = yes
checklist-no = no
checklist-any = any
checklist-internet = Internet
checklist-device = the device itself
checklist-end = { $place }: { $data }
checklist-end-any = { $place }: any
checklist-end-except = { $place }: any but { $data }
checklist-ports-from = { $ports } (from source port { $from })
checklist-icmp = type { $type }
checklist-from-device = a laptop in place of { $device } ({ $address })
checklist-from-segment = another host in { $segment }
checklist-from-address = the host { $address }
checklist-from-outside = outside (a phone on mobile data)
checklist-set-backup = Save the device's settings to a file
checklist-why-backup = The way back, should a rule lock somebody out
checklist-test-backup = The file is on another computer, and the device's page for restoring it is found
checklist-set-credentials = Change the default user name and password; one account per person, a second factor where the device has it
checklist-why-credentials = Default accounts are known to everybody (PCI DSS 2.2.2, 8.3)
checklist-test-credentials = Log in with the password on the device's label: it is refused
checklist-set-firmware = Install the current firmware; let updates come outside opening hours
checklist-why-firmware = Known holes are closed within a month (PCI DSS 6.3.3)
checklist-test-firmware = The device's page reports no update
checklist-set-management = Management only from { $who }, TCP { $ports }; switch Telnet, unencrypted HTTP and SNMP v1/v2c off
checklist-why-management-only = Administration encrypted, and from known places only (PCI DSS 2.2.7)
checklist-test-management = From a host elsewhere in the shop, open the device's page: it does not answer
checklist-set-remote = Management from the internet off: web page, SSH, ping; vendor's cloud only with a second factor
checklist-set-remote-only = Management from the internet for { $who } only: no web page, SSH or ping for anybody else; vendor's cloud only with a second factor
checklist-why-remote = The device's own page is the first thing attackers look for (PCI DSS 1.3.1, 8.4)
checklist-test-remote = With a phone on mobile data, open https:// and the shop's public address: no answer
checklist-set-network = Network { $segment }: VLAN { $vlan }, subnet { $subnet }, address of the device { $gateway }; no traffic to other networks by default
checklist-why-network = Each kind of device in a network of its own
checklist-why-network-pos = Terminals are apart from everything else (PCI DSS 1.2, 1.4)
checklist-test-network = A laptop in { $segment } has an address of that subnet
checklist-set-isolation-on = If { $segment } has Wi-Fi: client isolation on
checklist-set-isolation-off = If { $segment } has Wi-Fi: client isolation off
checklist-why-isolation-on = Inside one network no firewall decides; isolation does
checklist-why-isolation-off = These talk to neighbours in the same network: { $who }
checklist-test-isolation-on = From one wireless host in { $segment }, ping another: no answer
checklist-test-isolation-off = On { $who }, use what needs the neighbour (print, pair the till): it works
checklist-set-dhcp-off = DHCP server of the device off in every network
checklist-why-dhcp-off = Another server assigns the addresses
checklist-test-dhcp-off = A laptop that asks for an address gets it from the other server (ipconfig /all)
checklist-set-no-pool = In { $segment }: no free address range; reservations only
checklist-why-no-pool = What is not declared gets no address among terminals
checklist-test-no-pool = A laptop in { $segment } gets no address
checklist-set-reservation = Reserve { $address } for { $mac } ({ $device })
checklist-set-reservation-unknown = Reserve { $address } for { $device }; its hardware address is on its label
checklist-why-reservation = The rules are for this address of { $device }
checklist-test-reservation = { $device } shows { $address } in its network settings after a restart
checklist-set-dns-here = DNS: the device answers for every network and tells hosts its own address
checklist-set-dns-at = DNS: tell hosts { $addresses }
checklist-why-dns = Without names no payment finds its way
checklist-test-dns = From a host of the network: nslookup example.com – answered by that server
checklist-set-ntp-here = Time: the device keeps its clock by NTP, answers NTP in every network and tells hosts its own address
checklist-set-ntp-at = Time: tell hosts { $addresses }
checklist-why-ntp = A wrong clock fails every encrypted connection (PCI DSS 10.6)
checklist-test-ntp = The device's clock and a terminal's are right to the second
checklist-set-names = The device must take names as destination of a rule (FQDN, domain group), with *. where a row says so, and resolve them itself
checklist-why-names = Some rows name their destination; a device that cannot do this needs egress = "internet" in the estate
checklist-test-names = The device's page shows addresses below each name
checklist-set-upnp = UPnP, NAT-PMP and PCP off
checklist-why-upnp = Any program inside could open the shop to the internet (PCI DSS 1.2.5)
checklist-test-upnp = From a host inside: upnpc -l – finds no gateway
checklist-set-forwarding = Delete every port forwarding that no exception below needs; no exposed host (DMZ host)
checklist-why-forwarding = No requirement needs a connection from the internet (PCI DSS 1.3.1)
checklist-test-forwarding = With a phone on mobile data, a port scan of the shop's public address finds nothing open
checklist-why-nat = Private addresses lead nowhere on the internet, and stay private (PCI DSS 1.4.5)
checklist-test-nat = From a host inside: a page that shows one's address shows the shop's public one
checklist-set-no-nat = Source translation off
checklist-why-no-nat = The estate says nat = "none": another device translates
checklist-test-no-nat = The next device sees the addresses of hosts
checklist-set-inspection = TLS inspection, web proxy and content filter off for { $segments }
checklist-why-inspection = Terminals refuse connections that are opened on the way, and card data must stay encrypted
checklist-test-inspection = From a laptop there, the certificate of the payment provider's page is its own
checklist-set-ipv6-off = IPv6 off in { $segments }: no address range, no router advertisements, no DHCPv6
checklist-why-ipv6-off = A network without IPv6 rules must have no IPv6
checklist-test-ipv6-off = A host there has no IPv6 address but fe80::…
checklist-set-ipv6-rules = Where the device keeps IPv6 rules on a page of their own: enter the rows of IPv6 there, with a row that blocks the rest
checklist-why-ipv6-rules = IPv6 has no translation that hides a missing rule
checklist-test-ipv6-rules = From outside, a scan of a host's IPv6 address finds nothing open
checklist-why-spoofing = Forged sources; where the device has a switch for it (anti-spoofing, reverse path), that will do (PCI DSS 1.4.3)
checklist-test-spoofing = The switch is on, or a ping with a foreign source shows up in the log as denied
checklist-why-rest = What no row above allows is denied and logged (PCI DSS 1.3, 1.4)
checklist-why-not-public = The next rows are for public addresses only
checklist-why-requirement = { $requirement }: { $who }
checklist-why-disputed = { $requirement } (its need is disputed): { $who }
checklist-why-internet = The estate lets everybody in { $who } reach the internet
checklist-why-management = Management of the device: { $who }
checklist-why-exception = Exception until { $expires }, { $owner }: { $reason } ({ $allow })
checklist-test-allow = From { $from }: { $command } – answers
checklist-test-allow-outside = From an address that the row names, outside: { $protocol } { $port } of the shop's public address answers
checklist-test-block = From { $from }: { $command } – no answer, and the device's log shows it
checklist-test-dhcp = From { $from }: ask for an address anew – a reserved device gets its own
checklist-test-use = Use what needs it: it works, and the device's log shows no denial
checklist-test-log = The device's log shows denials of this row, and nothing that a requirement needs

## Switches

bad-parking-vlan = a parking VLAN lies between 2 and 4094
bad-port-name = "{ $name }" cannot be the name of a switch's port
bad-switch-name = "{ $name }" cannot be the name of a switch: letters, digits, hyphens, full stops
device-on-two-ports = { $device } is plugged into two ports
duplicate-port = the port { $port } of { $switch } is given twice
parking-vlan-used = the parking VLAN { $vlan } belongs to a segment
port-device-and-segment = a port is for a device or for a segment, not for both
reserved-vlan = IOS reserves VLAN { $vlan }
segment-without-vlan = the segment { $segment } has no VLAN, so no port of a switch can belong to it
segment-without-vlan-hint = vlan = a number between 1 and 4094, in the segment
switch-address = { $address } is in no segment with a VLAN
unknown-device = there is no device { $device }
unknown-switch = there is no switch { $switch } at this site
cannot-interface-vyos = the interface name { $name }; VyOS rules name interfaces by kind (eth0, eth1.20, bond0, br0, wg0 …), with at most 15 characters
cannot-ports-vyos = ports of { $protocol }; rules of VyOS know ports of tcp and udp only
vyos-changes = this command changes what is there in a way that is not followed; give what `show configuration commands` prints afterwards
vyos-no-action = this rule has no action
vyos-unzoned = packets from a zone to { $interfaces }, which belong to no zone
render-rollback-vyos =
    Load it with a way back: on the firewall enter configure mode (configure), paste { $file }, then
      commit-confirm 5
    open a new connection to the firewall; if it works:
      confirm
      save
    Without confirm it restarts after five minutes with what was there before. "Nothing to delete" is no error.
cannot-names = a destination by name ({ $name }); name addresses, or drop egress = "names"
cannot-protocol = protocol { $protocol }: it follows sessions of TCP, UDP and ICMP only
render-rollback-ios =
    Load it with a way back. Once, in configuration mode: archive / path bootflash:before. Copy { $file } to bootflash:, then
      configure terminal revert timer 5
      end
      copy bootflash:{ $file } running-config
    open a new connection to the router; if it works:
      configure confirm
      write memory
    Otherwise the router goes back after five minutes by itself.
opnsense-encrypted = this backup is encrypted; make one without a password, or decrypt it first: the rules cannot be read otherwise
opnsense-not-loaded = a rule that the firewall does not load: there is no { $what } in use
opnsense-ipv6 = whether IPv6 passes: releases differ where the file says nothing (ipv6allow, disableipv6)
opnsense-no-interfaces = interfaces and addresses: this file has no such section
xml-close = this closes { $found }, but { $expected } is open
xml-cut = the file ends before its first element is closed; it may be cut off
xml-document-type = a document type is not read: no configuration has one
xml-syntax = line { $line } is no well-formed XML
render-rollback-opnsense =
    Load it with a way back. On the console of the firewall, or by SSH (8, shell):
      cp /conf/config.xml /conf/before.xml
      daemon -f -p /var/run/tillgate.pid sh -c 'sleep 300; cp /conf/before.xml /conf/config.xml; configctl filter reload'
    In the browser: System, Configuration, Backups: restore { $file } with the areas Aliases, Firewall Rules and NAT, and no other, without reboot; then
      configctl filter reload
    open a new connection to the firewall; if it works:
      kill $(cat /var/run/tillgate.pid)
    and set by hand what the head of { $file } asks for. For pfSense take pfsense.xml (Diagnostics, Backup & Restore, one area after the other); there the folder is /cf/conf, and what reloads the rules is: rm -f /tmp/config.cache; /etc/rc.filter_configure_sync
pf-unknown-macro = there is no macro { $name }; one must be defined before it is used
pf-port-without-protocol = ports need a protocol that has them: proto tcp, proto udp
pf-open-anchor = the rules of this anchor are not closed by { "}" }
pf-anchors-deep = anchors are nested deeper here than pf follows (64)
render-rollback-pf =
    Check it, and load it with a way back that runs unless you stop it:
      pfctl -nf { $file }
      (sleep 120; pfctl -f /etc/pf.conf) & echo $! > /var/run/tillgate-back
      pfctl -f { $file }
      # open a new connection to the firewall; if it works:
      kill $(cat /var/run/tillgate-back) && cp { $file } /etc/pf.conf
asa-old = software before 8.3, whose lists name translated addresses, is not read
asa-ftd = this is a list of Firepower Threat Defense, not of an ASA
asa-cannot-management-port = management on port { $port }; an ASA knows ssh on 22, telnet on 23 (not from an uplink) and one port of its HTTPS server
asa-cannot-inbound = connections from the internet ({ $what }) to addresses that are translated, on other than TCP and UDP ports below 1024
asa-cannot-pool = address reservations of the segment { $segment }: they need one pool of 256 addresses that holds all of them and not the firewall's own
render-rollback-asa =
    Load it with a way back: save the configuration (write memory), then
      reload in 10 noconfirm
      configure terminal, and paste { $file }
    open a new connection to the firewall; if it works:
      reload cancel
      write memory
cannot-ports-openwrt = ports of { $protocol }; OpenWrt's rules know ports of tcp and udp only
openwrt-changes = this command changes what is there in a way that is not followed; give what `uci export firewall` prints afterwards
openwrt-device = the network { $name }, whose device depends on the hardware
openwrt-ignored = the option { $option }, which fw4 ignores
openwrt-left-out = a section that the router leaves out, because what it says contradicts itself or was said before
openwrt-missing = this section needs the option { $option }
openwrt-no-networks = which device a network is: without /etc/config/network its name is taken for the device
openwrt-no-target = a rule without a target, which fw3 rejects by and fw4 only counts
openwrt-outside = this option stands before the first section
openwrt-ports = { $option } beside a protocol that is neither tcp nor udp: fw4 then matches every port
openwrt-too-much = this line has a word too many; a value with blanks needs quotes
render-rollback-openwrt =
    Load it with a way back:
      cp /etc/config/firewall /tmp/firewall.before
      (sleep 120; cp /tmp/firewall.before /etc/config/firewall; service firewall reload) & BACK=$!
      cp { $file } /etc/config/firewall && fw4 check && service firewall reload
      # open a new connection to the router; if it works:
      kill $BACK
    The file dhcp, if there is one, goes to the end of /etc/config/dhcp; dnsmasq.conf to /etc/dnsmasq.conf.
probe-cut-off = the connection was cut off
probe-error = { $detail }
