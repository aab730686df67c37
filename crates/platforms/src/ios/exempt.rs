//! Commands without bearing on packets: `docs/reference/platforms/ios.md`, Exempt.

/// First words of commands, with whatever stands below them.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    // Device settings.
    "version", "service", "hostname", "boot-start-marker", "boot-end-marker", "boot", "license", "platform",
    "redundancy", "diagnostic", "archive", "memory", "clock", "ntp", "scheduler", "multilink", "call-home", "end",
    "exit", "quit", "building", "current", "configuration", "file", "hw-module", "card", "subscriber", "prompt",
    "default", "exception", "warm-reboot", "process", "system", "switch", "stack-mac", "stackwise-virtual", "port",
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
    "dvmrp", "helper", "http", "rtcp", "rtp", "sap", "slb", "tcp-adjust", "unicast-routing",
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
    "dfs", "channel", "world-mode", "llc", "ces", "ima", "dsl", "controller", "operating-mode", "no", "service",
    "ptp", "switch", "port-type", "loopback", "transceiver", "monitor", "medium", "media", "priority", "routing",
    "cts", "device-tracking", "epm", "enable", "fabric", "fhrp", "flow", "performance", "synchronous",
    "transmitter-delay", "virtual-template", "vtp", "weighting", "x25", "autodetect", "multilink",
    "multilink-group", "group-range", "pos", "cem", "lte", "map-group", "hssi", "ccm",
    "collect", "analysis-module", "content-engine", "passive-interface", "subscriber",
    "service-insertion", "waas", "h323-gateway", "tcp", "compress", "clns", "ipx", "appletalk", "decnet",
    "dsu", "fdl", "invert", "nrzi-encoding", "scrambling", "t1", "e1", "loop-detect", "mop",
    "media-stream", "timeslots",
];

/// Second words of `ip …` and `ipv6 …` below an interface.
#[rustfmt::skip]
const ADDRESSED_ON_INTERFACE: &[&str] = &[
    "unnumbered", "helper-address", "redirects", "unreachables", "proxy-arp", "mtu", "tcp", "ospf", "rip", "eigrp",
    "router", "pim", "igmp", "mld", "flow", "flow-cache", "route-cache", "cef", "nbar", "nhrp", "directed-broadcast",
    "mask-reply", "virtual-reassembly", "dhcp", "enable", "nd", "load-sharing", "accounting", "bandwidth-percent",
    "summary-address", "split-horizon", "authentication", "hello-interval", "hold-time", "dampening-change",
    "dampening-interval", "arp", "local-proxy-arp", "mroute-cache", "multicast", "rsvp", "rtp", "sap", "security",
    "sticky-arp", "trigger-authentication", "wccp", "vrf", "verify-header", "broadcast-address",
    "header-compression", "icmp", "irdp", "mobile", "probe", "radius", "dvmrp", "cgmp", "pgm", "host-routing", "cache",
    "ddns", "device", "options", "snooping", "tunnel", "dns", "bgp",
    "local", "traffic-export", "drp", "isis", "mfib", "ospfv3", "destination-guard",
    "neighbor", "lisp", "performance", "classless", "bootp",
];

/// Whether a command at the start of a line, with what stands below it, has no bearing on packets.
pub fn command(first: &str, second: &str) -> bool {
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match first.as_str() {
        "ip" | "ipv6" => ADDRESSED.contains(&second.as_str()),
        _ => COMMANDS.contains(&first.as_str()) || first.contains('#'),
    }
}

/// Whether a command below an interface has no bearing on packets.
pub fn on_interface(first: &str, second: &str) -> bool {
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match first.as_str() {
        "ip" | "ipv6" => ADDRESSED_ON_INTERFACE.contains(&second.as_str()),
        _ => ON_INTERFACE.contains(&first.as_str()),
    }
}
