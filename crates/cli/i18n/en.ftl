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
fix-summary = { $mended } mended and proved; { $left } left
format-not-here = this command does not print that format
held-summary = how the terminals' { $count } flows are held: { $port } by port only, { $address } by address, { $name } by name, { $application } by application
label-severity = severity
label-finding = finding
label-what = what
fortios-name-taken = there is already an object { $name }
