//! Commands without bearing on packets: `docs/reference/platforms/ios.md`, Exempt.

use super::lines::is;

/// First words of commands, with whatever stands below them.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    // Device settings.
    "version", "service", "hostname", "boot-start-marker", "boot-end-marker", "boot", "license", "platform",
    "redundancy", "diagnostic", "archive", "memory", "clock", "ntp", "scheduler", "multilink", "call-home", "end",
    "exit", "quit", "building", "current", "configuration", "file", "hw-module", "card", "subscriber", "prompt",
    "exception", "warm-reboot", "process", "system", "switch", "stack-mac", "stackwise-virtual", "port",
    "transceiver", "power", "sdm", "errdisable", "parser", "macro", "configure", "enable", "terminal", "mmi",
    "facility-alarm", "environment", "module", "slot", "downward-compatible-config", "buffers", "hold-queue",
    "nmsp", "coap", "wsma", "netconf", "netconf-yang", "netconf-ssh", "restconf", "telemetry", "guestshell", "iox",
    "app-hosting", "onep", "profile", "frame-relay", "fabric", "fhrp", "lisp", "virtual-service", "alias",
    "transport-map", "upgrade", "write", "show", "setup", "location", "crashdump", "isdn",
    "network-clock", "network-clock-select", "network-clock-participate", "cts", "sampler", "ethernet",
    "mls", "ptp", "l2", "l2vpn", "l3vpn", "template", "device-tracking", "access-session",
    "device-sensor", "device-classifier", "epm", "identity", "authentication", "service-template", "autonomic",
    "performance", "nbar", "avc", "et-analytics", "wireless", "ap", "airtime-fairness", "capwap", "trapflags",
    // Who logs in.
    "username", "aaa", "tacacs", "tacacs-server", "radius", "radius-server", "key", "privilege", "password",
    "security", "login", "secret", "kerberos", "eap", "dot1x", "mab", "ldap", "banner",
    // Keys, tunnels.
    "crypto", "vpdn", "vpdn-group", "pseudowire-class", "ppp", "pppoe", "bba-group", "virtual-profile", "tunnel",
    "mpls", "nhrp",
    // Routes.
    "router", "routing", "bfd", "bfd-template", "track", "segment-routing",
    // Layer 2 and first-hop redundancy.
    "spanning-tree", "vtp", "switchport", "lldp", "cdp", "udld", "channel-group", "standby", "vrrp", "glbp",
    "lacp", "port-channel", "rep", "link", "sflow", "storm-control", "dot1q", "l2protocol",
    // Monitoring.
    "logging", "flow", "monitor", "event", "menu", "rmon", "snmp",
    // Quality of service, telephony, consoles.
    "dial-peer", "voice", "voice-card", "voice-port", "ephone", "ephone-dn", "telephony-service", "controller",
    "dialer", "dialer-list", "chat-script", "modem", "gateway", "sip-ua", "sccp", "dspfarm", "translation-rule",
    "num-exp", "mgcp", "call", "application", "fax", "dsp", "ccm-manager", "credentials",
    "map-class", "rsvp", "auto", "table-map", "gw-accounting", "trunk", "gatekeeper", "video",
    "ssl", "webvpn", "dynamic-template",
];

/// Second words of `ip …` and `ipv6 …`.
#[rustfmt::skip]
const ADDRESSED: &[&str] = &[
    "route", "prefix-list", "as-path", "community-list", "extcommunity-list", "large-community-list",
    "dhcp", "domain", "domain-name", "domain-lookup", "domain-list", "name-server", "host", "cef", "ssh", "ftp",
    "tftp", "scp", "rcmd", "finger", "bootp", "sla", "forward-protocol", "subnet-zero", "classless", "local",
    "flow-export", "flow-cache", "flow-top-talkers", "flow", "multicast-routing", "multicast", "pim", "igmp", "mld",
    "msdp", "mroute", "rsvp", "source-interface", "telnet", "tacacs", "radius", "icmp", "tcp", "gratuitous-arps",
    "arp", "accounting-threshold", "accounting-list", "accounting-transits", "bgp-community", "default-gateway",
    "default-network", "dns", "vrf", "wccp", "nbar", "ospf", "rip", "eigrp", "router", "neighbor", "nd",
    "virtual-reassembly", "reflexive-list", "device", "snooping", "options", "explicit-path", "extcommunity",
    "hop-limit", "general-prefix", "pool", "mobile", "mfib", "cache", "urlfilter", "identd", "kerberos", "alias",
    "broadcast-address", "drp", "echo", "gdp", "host-routing", "load-sharing", "netmask-format", "redirects",
    "routing", "sdee", "spd", "traffic-export", "tunnel", "unreachables", "verify-header", "address-pool",
    "dvmrp", "helper", "rtcp", "rtp", "sap", "tcp-adjust",
    "source-route", "source-guard", "destination-guard", "performance",
    "security", "nhrp", "ipv6",
];

/// First words below an interface.
#[rustfmt::skip]
const ON_INTERFACE: &[&str] = &[
    "description", "mtu", "bandwidth", "delay", "duplex", "speed", "negotiation", "media-type", "encapsulation",
    "load-interval", "keepalive", "carrier-delay", "logging", "arp", "half-duplex", "full-duplex", "mac-address", "mka", "network-clock", "macsec", "mdix",
    "hold-queue", "tx-ring-limit", "queue-set", "srr-queue", "priority-queue", "mls", "auto", "trust", "wrr-queue",
    "rcv-queue", "cdp", "lldp", "udld", "spanning-tree", "channel-group", "channel-protocol", "lacp", "pagp",
    "storm-control", "power", "standby", "vrrp", "glbp", "bfd", "isis", "ospf", "ospfv3", "eigrp", "mpls",
    "tunnel", "ppp", "pppoe", "pppoe-client", "dialer", "dialer-group", "async", "peer", "clock", "framing",
    "linecode", "cablelength", "serial", "isdn", "frame-relay", "atm", "pvc", "protocol", "dot1x", "authentication",
    "mab", "access-session", "voice-port", "macro", "vrf", "vpdn", "traffic-shape", "fair-queue", "random-detect",
    "max-reserved-bandwidth", "custom-queue-list", "crypto-engine", "flowcontrol", "hold-time", "member",
    "dampening", "fec", "transmit-interface", "backup", "down-when-looped", "exit", "exit-address-family", "end",
    "xconnect", "l2transport", "l2protocol-tunnel", "link", "location", "rmon", "shape", "tx-queue", "qos", "vlan",
    "private-vlan", "physical-layer", "platform", "squelch", "stackwise-virtual",
    "ethernet", "rep", "lisp", "nhrp", "otv", "overlay", "nve", "source-interface", "host-reachability", "ntp",
    "cellular", "pulse-time", "session", "modem", "wlan", "ssid", "station-role", "antenna", "beacon",
    "dfs", "channel", "world-mode", "llc", "ces", "ima", "dsl", "controller", "operating-mode", "service",
    "ptp", "switch", "port-type", "loopback", "transceiver", "monitor", "medium", "media", "priority", "routing",
    "cts", "device-tracking", "epm", "enable", "fabric", "fhrp", "flow", "performance", "synchronous",
    "transmitter-delay", "virtual-template", "vtp", "weighting", "x25", "autodetect", "multilink",
    "multilink-group", "group-range", "pos", "cem", "lte", "map-group", "hssi", "ccm",
    "collect", "analysis-module", "content-engine", "passive-interface", "subscriber",
    "service-insertion", "waas", "h323-gateway", "tcp", "compress", "clns", "ipx", "appletalk", "decnet",
    "dsu", "fdl", "invert", "nrzi-encoding", "scrambling", "t1", "e1", "loop-detect", "mop",
    "media-stream", "timeslots", "snmp", "bgp-policy", "autostate",
];

/// Second words of `ip …` and `ipv6 …` below an interface.
#[rustfmt::skip]
const ADDRESSED_ON_INTERFACE: &[&str] = &[
    "unnumbered", "helper-address", "redirects", "unreachables", "proxy-arp", "mtu", "tcp", "ospf", "rip", "eigrp",
    "router", "pim", "igmp", "mld", "flow", "flow-cache", "route-cache", "cef", "nbar", "nhrp", "directed-broadcast",
    "mask-reply", "virtual-reassembly", "dhcp", "enable", "nd", "load-sharing", "accounting", "bandwidth-percent",
    "summary-address", "split-horizon", "authentication", "hello-interval", "hold-time", "dampening-change",
    "dampening-interval", "arp", "local-proxy-arp", "mroute-cache", "multicast", "rsvp", "rtp", "sap",
    "sticky-arp", "trigger-authentication", "vrf", "verify-header", "broadcast-address",
    "header-compression", "icmp", "irdp", "mobile", "probe", "radius", "dvmrp", "cgmp", "pgm", "host-routing", "cache",
    "ddns", "device", "options", "snooping", "tunnel", "dns", "bgp",
    "local", "traffic-export", "drp", "isis", "mfib", "ospfv3", "destination-guard",
    "neighbor", "lisp", "performance", "classless", "bootp", "flowspec",
];

/// Whether a command at the start of a line, with what stands below it, has no bearing on packets.
pub fn command(first: &str, second: &str) -> bool {
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match first.as_str() {
        "ip" | "ipv6" => among(ADDRESSED, &second),
        _ => among(COMMANDS, &first) || first.contains('#'),
    }
}

/// First words of commands that nothing stands below.
#[rustfmt::skip]
const ALONE: &[&str] = &[
    "version", "service", "hostname", "boot-start-marker", "boot-end-marker", "boot", "license", "clock", "ntp",
    "scheduler", "end", "exit", "quit", "building", "current", "configuration", "enable", "username", "logging",
    "privilege", "snmp", "snmp-server", "banner", "alias", "prompt", "multilink", "vtp", "errdisable", "sdm",
    "tacacs-server", "radius-server", "show", "write", "terminal", "hold-queue", "buffers", "mmi", "downward-compatible-config",
];

/// Second words of `ip …` and `ipv6 …` that nothing stands below.
#[rustfmt::skip]
const ADDRESSED_ALONE: &[&str] = &[
    "route", "prefix-list", "as-path", "community-list", "domain-name", "domain-lookup", "domain-list", "name-server",
    "host", "cef", "ftp", "tftp", "forward-protocol", "subnet-zero", "classless", "multicast-routing",
    "default-gateway", "default-network", "source-route", "inspect", "bootp", "finger", "routing",
];

/// Whether nothing stands below a command without bearing.
pub fn alone(first: &str, second: &str) -> bool {
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match first.as_str() {
        "ip" | "ipv6" => ADDRESSED_ALONE.contains(&second.as_str()),
        _ => ALONE.contains(&first.as_str()) || first.contains('#'),
    }
}

/// Whether a command below an interface has no bearing on packets.
pub fn on_interface(first: &str, second: &str) -> bool {
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match first.as_str() {
        "ip" | "ipv6" => among(ADDRESSED_ON_INTERFACE, &second),
        _ => among(ON_INTERFACE, &first),
    }
}

/// Whether a list has a word, which may be cut short; not before a hyphen, as `network` is no `network-clock`.
fn among(list: &[&str], word: &str) -> bool {
    let cut =
        |keyword: &str| is(word, keyword) && !keyword.get(word.len()..).is_some_and(|r| r.starts_with('-'));
    list.contains(&word) || list.iter().any(|keyword| cut(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_word() {
        let text = include_str!("../../../../docs/reference/platforms/ios.md");
        let exempt = text.split("## Exempt").nth(1).unwrap_or("");
        let row = |title: &str| exempt.lines().find(|l| l.starts_with(title)).unwrap_or("").to_string();
        for (title, words) in [
            ("| first word of a command ", COMMANDS),
            ("| second word behind `ip`, `ipv6` |", ADDRESSED),
            ("| first word below an interface ", ON_INTERFACE),
            ("| second word behind `ip`, `ipv6` below", ADDRESSED_ON_INTERFACE),
            ("| of the first words", ALONE),
            ("| of the second words", ADDRESSED_ALONE),
        ] {
            let row = row(title);
            let told: Vec<&str> = row.split('`').collect();
            let missing: Vec<_> = words.iter().filter(|word| !told.contains(word)).collect();
            assert!(missing.is_empty(), "{title}: {missing:?}");
        }
    }

    #[test]
    fn words_that_are_read_are_not_exempt() {
        for (first, second) in [("ip", "http"), ("ip", "slb"), ("ip", "nat"), ("no", ""), ("default", "")] {
            assert!(!command(first, second), "{first} {second}");
        }
        assert!(command("host", "") && !command("network", "") && command("ip", "dom"));
        assert!(!on_interface("no", "") && !on_interface("ip", "wccp") && !on_interface("ip", "security"));
    }
}
