//! Commands without bearing on packets: `docs/reference/platforms/asa.md`, Exempt.

/// First words of commands, with whatever stands below them.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    // The device, its files and its display.
    "hostname", "domain-name", "enable", "passwd", "username", "banner", "boot", "clock", "prompt", "terminal", "pager",
    "asdm", "cryptochecksum", "configure", "end", "exit", "quit", "hw-module", "license", "service-module", "console",
    "checkheaps", "crashinfo", "ftp", "mode", "no-op", "write", "xml", "smart-tunnel", "privilege", "password-policy",
    "password", "key", "quota", "coredump", "process", "memory", "environment", "fips", "auto-update", "tftp-server",
    "dns-group", "dns", "dns-guard", "service", "profile", "reload", "jumbo-frame", "pre-login-banner", "lacp", "chassis", "object-group-search",
    "asp", "app-agent", "client-update", "max-failed-attempts", "resource", "user-identity", "user-statistics", "names",
    "snort", "import", "http-map", "sw-module", "management-access", "forward-reference", "unit", "serial", "monitor",
    "netconf", "rest-api", "crypto-accelerator", "restconf", "platform", "saml", "dap", "usb-port", "aws", "azure", "umbrella-global",
    "switch-fabric", "thread", "tcp", "udp", "ha-proxy", "loopback", "critical", "internal", "flow-offload", "path-monitor",
    // Time, logs, watching.
    "ntp", "call-home", "smtp-server", "smtps", "flow-export", "sla", "track", "event", "snmp", "snmp-map", "capture", "debug",
    // Timers, neighbours, redundancy.
    "timeout", "arp", "mtu", "ipv6-neighbor", "failover", "monitor-interface", "cluster", "cluster-member", "interface-policy", "mac-address",
    "mac-address-table", "mac-learn", "mac-list", "fragment", "zone", "zonelabs", "port-channel", "bfd", "bfd-template",
    // Routing: the egress is told with the packet.
    "route", "router-id", "route-map", "prefix-list", "policy-list", "as-path", "community-list", "extcommunity-list",
    "multicast-routing", "mroute", "pim", "igmp", "policy-route", "distribute-list", "key-chain", "extcommunity", "address-family",
    // Tunnels, identities, keys.
    "tunnel-group", "tunnel-group-map", "group-policy", "isakmp", "ssl", "vpn", "vpn-addr-assign", "vpn-sessiondb", "vpn-tunnel-protocol", "l2tp",
    "vpnsetup", "ldap", "anyconnect", "anyconnect-custom", "anyconnect-custom-attr", "anyconnect-custom-data", "dynamic-access-policy-record", "dynamic-access-policy-config", "csd",
    "sso-server", "port-forward", "vpdn", "ca", "certificate", "trustpoint", "eap", "load-balancing", "cts", "kcd-server", "url-list", "nac-policy", "hpm", "hostscan", "keypair",
    "aaa-server", "wccp", "phone-proxy", "tls-proxy", "ctl-file", "ctl-provider", "uc-ime", "media-termination", "mus", "scansafe",
    "dhcp-client", "dhcp", "ddns", "url-server", "url-cache", "url-block", "cxsc", "ips", "csc", "sfr", "regex", "tcp-map",
    "tcp-options", "command-alias", "xlate", "shun", "floodguard", "pdm", "gtp-map", "ftp-map", "sip-map", "queue-limit", "priority-queue", "service-type", "name-server", "dot1x", "ppp", "eigrp", "access-list-alert",
    // Contexts; each has a configuration of its own.
    "context", "admin-context", "class", "allocate-interface", "config-url", "limit-resource", "mac",
];

/// Second words of commands of which others bear on packets.
#[rustfmt::skip]
const SECOND: &[(&str, &[&str])] = &[
    ("ip", &["local", "http", "name-server", "dhcp", "ssh"]),
    ("ipv6", &["route", "router", "dhcprelay", "dhcp", "neighbor", "nd", "unicast-routing", "local", "enforce-eui64", "enable", "address", "prefix-list"]),
    ("crypto", &["ipsec", "map", "ca", "key", "dynamic-map", "isakmp", "ikev1", "ikev2", "engine", "large-cert-acceleration", "vpn", "am-disable"]),
    ("aaa", &["accounting", "local", "mac-exempt", "proxy-limit", "secure-http-client", "server"]),
    ("icmp", &["unreachable"]),
    ("threat-detection", &["basic-threat", "statistics", "rate", "service"]),
    ("dynamic-filter", &["updater-client", "use-database", "enable", "blacklist", "whitelist", "ambiguous-is-black"]),
    ("dhcpd", &["address", "dns", "wins", "lease", "ping_timeout", "domain", "auto_config", "update", "option", "reserve-address", "hide-domain"]),
    ("dhcprelay", &["server", "setroute", "timeout", "information"]),
    ("sysopt", &["connection", "noproxyarp", "radius", "traffic", "np", "uauth"]),
    ("snmp-server", &["location", "contact", "community", "enable", "group", "user", "listen-port", "user-list", "engineid"]),
];

/// First words below an interface.
#[rustfmt::skip]
const ON_INTERFACE: &[&str] = &[
    "description", "vlan", "speed", "duplex", "channel-group", "lacp", "port-channel", "member-interface", "media-type",
    "flowcontrol", "mac-address", "mtu", "switchport", "delay", "hello-interval", "dhcp", "ospf", "eigrp", "rip", "pim", "igmp",
    "authentication", "split-horizon", "pppoe", "ddns", "summary-address", "policy-route", "tunnel", "vtep-nve", "segment-id", "mcast-group", "cts", "propagate", "hold-time",
    "dhcprelay", "bfd", "isis", "nve-only", "nve", "source-interface", "power", "fec", "negotiation", "mode", "exit", "multicast", "security-group", "trunk", "cluster", "failover",
    "secondary", "vxlan", "peer", "path-monitoring", "speed-setting", "site-id", "allowed", "bridge", "proxy", "internal-port", "internal-segment-id", "external-port", "external-segment-id", "redundant", "zone-id", "lldp", "loopback",
];

fn listed(table: &[&str], word: &str) -> bool {
    table.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a command at the start of a line, with what stands below it, has no bearing on packets.
pub fn command(first: &str, second: &str) -> bool {
    match SECOND.iter().find(|(known, _)| first.eq_ignore_ascii_case(known)) {
        Some((_, table)) => listed(table, second),
        // `Cryptochecksum:…` is one word with its value.
        None => listed(COMMANDS, first.split(':').next().unwrap_or(first)),
    }
}

/// Whether a line that stands below a block is a command of its own all the same: the device looks for what a block
/// does not know among its commands, whatever the indent.
pub fn stands_alone(first: &str, second: &str) -> bool {
    const ALONE: &[&str] =
        &["access-list", "access-group", "nat", "same-security-traffic", "object", "object-group"];
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match first.as_str() {
        "ssh" | "telnet" | "http" => second == "redirect" || second.starts_with(|c: char| c.is_ascii_digit()),
        "icmp" => matches!(second.as_str(), "permit" | "deny"),
        "ip" => second == "verify",
        "ipv6" => matches!(second.as_str(), "access-list" | "icmp"),
        "service-policy" => !second.is_empty(),
        "clear" => second == "configure",
        _ => listed(ALONE, &first),
    }
}

/// Whether a command below an interface has no bearing on packets.
pub fn on_interface(first: &str) -> bool {
    listed(ON_INTERFACE, first)
}
