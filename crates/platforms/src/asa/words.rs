//! Names of ports, protocols, ICMP types and log levels as the ASA prints them.
//!
//! Source: General Operations CLI guide, Addresses, Protocols, and Ports; Command Reference, logging.

/// The number of a protocol; `Some(None)` is `ip`, all of them.
pub fn protocol(word: &str) -> Option<Option<u8>> {
    let lower = word.to_ascii_lowercase();
    let number = match lower.as_str() {
        "ip" => return Some(None),
        "icmp" => 1,
        "igmp" => 2,
        "ipinip" => 4,
        "tcp" => 6,
        "igrp" => 9,
        "udp" => 17,
        "gre" | "pptp" => 47,
        "esp" | "ipsec" => 50,
        "ah" => 51,
        "icmp6" => 58,
        "eigrp" => 88,
        "ospf" => 89,
        "nos" => 94,
        "pim" => 103,
        "pcp" => 108,
        "snp" => 109,
        "sctp" => 132,
        other => match other.parse::<u8>() {
            Ok(0) => return Some(None),
            Ok(number) => number,
            Err(_) => return None,
        },
    };
    Some(Some(number))
}

/// The port of a name or a number.
pub fn port(word: &str) -> Option<u16> {
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let lower = word.to_ascii_lowercase();
    PORTS.iter().find(|(name, _)| *name == lower).map(|(_, port)| *port)
}

/// The type of an ICMP message by name or number.
pub fn icmp(word: &str, v6: bool) -> Option<u8> {
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let lower = word.to_ascii_lowercase();
    let table = if v6 { ICMP6 } else { ICMP };
    table.iter().find(|(name, _)| *name == lower).map(|(_, kind)| *kind)
}

/// The level of a log message by name or number; 0 is the gravest.
pub fn level(word: &str) -> Option<u8> {
    let named = LEVELS.iter().position(|name| word.eq_ignore_ascii_case(name));
    named.map(|at| at as u8).or_else(|| word.parse().ok().filter(|n| *n < 8))
}

const LEVELS: [&str; 8] = [
    "emergencies",
    "alerts",
    "critical",
    "errors",
    "warnings",
    "notifications",
    "informational",
    "debugging",
];

#[rustfmt::skip]
const PORTS: &[(&str, u16)] = &[
    ("aol", 5190), ("bgp", 179), ("biff", 512), ("bootpc", 68), ("bootps", 67), ("chargen", 19), ("cifs", 3020),
    ("citrix-ica", 1494), ("cmd", 514), ("ctiqbe", 2748), ("daytime", 13), ("discard", 9), ("dnsix", 195),
    ("domain", 53), ("echo", 7), ("exec", 512), ("finger", 79), ("ftp", 21), ("ftp-data", 20), ("gopher", 70),
    ("h323", 1720), ("hostname", 101), ("http", 80), ("https", 443), ("ident", 113), ("imap4", 143), ("irc", 194),
    ("isakmp", 500), ("kerberos", 750), ("klogin", 543), ("kshell", 544), ("ldap", 389), ("ldaps", 636),
    ("login", 513), ("lotusnotes", 1352), ("lpd", 515), ("mobile-ip", 434), ("nameserver", 42),
    ("netbios-dgm", 138), ("netbios-ns", 137), ("netbios-ssn", 139), ("nfs", 2049), ("nntp", 119), ("ntp", 123),
    ("pcanywhere-data", 5631), ("pcanywhere-status", 5632), ("pim-auto-rp", 496), ("pop2", 109), ("pop3", 110),
    ("pptp", 1723), ("radius", 1645), ("radius-acct", 1646), ("rip", 520), ("rpc", 111), ("rsh", 514), ("rtsp", 554),
    ("secureid-udp", 5510), ("sip", 5060), ("smtp", 25), ("snmp", 161), ("snmptrap", 162), ("sqlnet", 1521),
    ("ssh", 22), ("sunrpc", 111), ("syslog", 514), ("tacacs", 49), ("talk", 517), ("telnet", 23), ("tftp", 69),
    ("time", 37), ("uucp", 540), ("vxlan", 4789), ("who", 513), ("whois", 43), ("www", 80), ("xdmcp", 177),
];

#[rustfmt::skip]
const ICMP: &[(&str, u8)] = &[
    ("echo-reply", 0), ("unreachable", 3), ("source-quench", 4), ("redirect", 5), ("alternate-address", 6),
    ("echo", 8), ("router-advertisement", 9), ("router-solicitation", 10), ("time-exceeded", 11),
    ("parameter-problem", 12), ("timestamp-request", 13), ("timestamp-reply", 14), ("information-request", 15),
    ("information-reply", 16), ("mask-request", 17), ("mask-reply", 18), ("traceroute", 30),
    ("conversion-error", 31), ("mobile-redirect", 32),
];

#[rustfmt::skip]
const ICMP6: &[(&str, u8)] = &[
    ("unreachable", 1), ("packet-too-big", 2), ("time-exceeded", 3), ("parameter-problem", 4), ("echo", 128),
    ("echo-reply", 129), ("membership-query", 130), ("membership-report", 131), ("membership-reduction", 132),
    ("router-solicitation", 133), ("router-advertisement", 134), ("neighbor-solicitation", 135),
    ("neighbor-advertisement", 136), ("neighbor-redirect", 137), ("router-renumbering", 138),
];

/// A protocol with first and last port.
pub type Ports = (u8, u16, u16);

/// Protocol and ports of what an inspection looks into (Firewall CLI guide, default inspections).
pub fn inspected(name: &str) -> Option<&'static [Ports]> {
    let lower = name.to_ascii_lowercase();
    INSPECTED.iter().find(|(known, _)| *known == lower).map(|(_, ports)| *ports)
}

#[rustfmt::skip]
const INSPECTED: &[(&str, &[Ports])] = &[
    ("ctiqbe", &[(6, 2748, 2748)]), ("dcerpc", &[(6, 135, 135)]), ("diameter", &[(6, 3868, 3868), (132, 3868, 3868)]),
    ("dns", &[(17, 53, 53), (6, 53, 53)]), ("esmtp", &[(6, 25, 25)]), ("ftp", &[(6, 21, 21)]),
    ("gtp", &[(17, 2123, 2123), (17, 3386, 3386)]), ("h323", &[(6, 1720, 1720), (17, 1718, 1719)]),
    ("http", &[(6, 80, 80)]), ("ils", &[(6, 389, 389)]), ("im", &[(6, 1, 65535)]), ("mgcp", &[(17, 2427, 2427), (17, 2727, 2727)]),
    ("netbios", &[(17, 137, 138)]), ("pptp", &[(6, 1723, 1723)]), ("radius-accounting", &[(17, 1646, 1646)]),
    ("rsh", &[(6, 514, 514)]), ("rtsp", &[(6, 554, 554)]), ("sip", &[(6, 5060, 5060), (17, 5060, 5060)]),
    ("skinny", &[(6, 2000, 2000)]), ("snmp", &[(17, 161, 162)]), ("sqlnet", &[(6, 1521, 1521)]),
    ("sunrpc", &[(17, 111, 111), (6, 111, 111)]), ("tftp", &[(17, 69, 69)]), ("xdmcp", &[(17, 177, 177)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_what_the_manual_says() {
        assert_eq!((port("WWW"), port("radius"), port("nothing")), (Some(80), Some(1645), None));
        assert_eq!(
            (protocol("ip"), protocol("0"), protocol("gre")),
            (Some(None), Some(None), Some(Some(47)))
        );
        assert_eq!((icmp("echo", false), icmp("echo", true), icmp("300", true)), (Some(8), Some(128), None));
        assert_eq!((level("errors"), level("7"), level("8")), (Some(3), Some(7), None));
    }
}
