//! Names of ports, protocols and ICMP messages as IOS prints them.
//!
//! Source: Security Command Reference, `permit (IP)` and `access-list (IP extended)`; IPv6 Command Reference,
//! `permit (IPv6)`; Zone-Based Policy Firewall guide and Port-to-Application Mapping for applications.

use tillgate_model::{Family, Ranges};

/// TCP and UDP: protocol numbers.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;

/// The protocol of a word; `None` in the answer is every protocol.
pub fn protocol(family: Family, word: &str) -> Option<Option<u8>> {
    let lower = word.to_ascii_lowercase();
    let number = match lower.as_str() {
        "ip" if family == Family::V4 => return Some(None),
        "ipv6" if family == Family::V6 => return Some(None),
        "icmp" if family == Family::V6 => 58,
        "hbh" if family == Family::V6 => 0,
        "ahp" => 51,
        "eigrp" => 88,
        "esp" => 50,
        "gre" => 47,
        "icmp" => 1,
        "igmp" => 2,
        "igrp" => 9,
        "ipinip" => 4,
        "nos" => 94,
        "ospf" => 89,
        "pcp" => 108,
        "pim" => 103,
        "sctp" => 132,
        "tcp" => TCP,
        "udp" => UDP,
        other => match other.parse::<u8>() {
            // Number 0 is printed for ip.
            Ok(0) if family == Family::V4 => return Some(None),
            Ok(number) => number,
            Err(_) => return None,
        },
    };
    Some(Some(number))
}

/// The port of a name or a number.
pub fn port(protocol: u8, word: &str) -> Option<u16> {
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let lower = word.to_ascii_lowercase();
    let find = |table: &[(&str, u16)]| table.iter().find(|(name, _)| *name == lower).map(|(_, port)| *port);
    match protocol {
        UDP => find(UDP_PORTS),
        TCP => find(TCP_PORTS),
        _ => find(TCP_PORTS).or_else(|| find(UDP_PORTS)),
    }
}

#[rustfmt::skip]
const TCP_PORTS: &[(&str, u16)] = &[
    ("bgp", 179), ("chargen", 19), ("cmd", 514), ("daytime", 13), ("discard", 9), ("domain", 53), ("drip", 3949),
    ("echo", 7), ("exec", 512), ("finger", 79), ("ftp", 21), ("ftp-data", 20), ("gopher", 70), ("hostname", 101),
    ("ident", 113), ("irc", 194), ("klogin", 543), ("kshell", 544), ("login", 513), ("lpd", 515), ("msrpc", 135),
    ("nntp", 119), ("onep-plain", 15001), ("onep-tls", 15002), ("pim-auto-rp", 496), ("pop2", 109), ("pop3", 110),
    ("smtp", 25), ("sunrpc", 111), ("syslog", 514), ("tacacs", 49), ("tacacs-ds", 49), ("talk", 517),
    ("telnet", 23), ("time", 37), ("uucp", 540), ("whois", 43), ("www", 80),
    // Names of other Cisco systems that older releases take too.
    ("http", 80), ("https", 443), ("ssh", 22),
];

#[rustfmt::skip]
const UDP_PORTS: &[(&str, u16)] = &[
    ("biff", 512), ("bootpc", 68), ("bootps", 67), ("discard", 9), ("dnsix", 195), ("domain", 53), ("echo", 7),
    ("isakmp", 500), ("mobile-ip", 434), ("nameserver", 42), ("netbios-dgm", 138), ("netbios-ns", 137),
    ("netbios-ss", 139), ("non500-isakmp", 4500), ("ntp", 123), ("pim-auto-rp", 496), ("rip", 520),
    ("ripv6", 521), ("snmp", 161), ("snmptrap", 162), ("sunrpc", 111), ("syslog", 514), ("tacacs", 49),
    ("tacacs-ds", 49), ("talk", 517), ("tftp", 69), ("time", 37), ("who", 513), ("xdmcp", 177),
];

/// The ICMP type, and the code where the name says one.
pub fn icmp(family: Family, word: &str) -> Option<(u8, Option<u8>)> {
    let lower = word.to_ascii_lowercase();
    let table = if family == Family::V4 { ICMP } else { ICMP6 };
    table.iter().find(|(name, ..)| *name == lower).map(|(_, kind, code)| (*kind, *code))
}

#[rustfmt::skip]
const ICMP: &[(&str, u8, Option<u8>)] = &[
    ("echo", 8, None), ("echo-reply", 0, None), ("unreachable", 3, None), ("net-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)), ("protocol-unreachable", 3, Some(2)), ("port-unreachable", 3, Some(3)),
    ("packet-too-big", 3, Some(4)), ("source-route-failed", 3, Some(5)), ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)), ("host-isolated", 3, Some(8)), ("dod-net-prohibited", 3, Some(9)),
    ("dod-host-prohibited", 3, Some(10)), ("net-tos-unreachable", 3, Some(11)),
    ("host-tos-unreachable", 3, Some(12)), ("administratively-prohibited", 3, Some(13)),
    ("host-precedence-unreachable", 3, Some(14)), ("precedence-unreachable", 3, Some(15)),
    ("source-quench", 4, None), ("redirect", 5, None), ("net-redirect", 5, Some(0)), ("host-redirect", 5, Some(1)),
    ("net-tos-redirect", 5, Some(2)), ("host-tos-redirect", 5, Some(3)), ("alternate-address", 6, None),
    ("router-advertisement", 9, None), ("router-solicitation", 10, None), ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, Some(0)), ("reassembly-timeout", 11, Some(1)), ("parameter-problem", 12, None),
    ("general-parameter-problem", 12, Some(0)), ("option-missing", 12, Some(1)),
    ("no-room-for-option", 12, Some(2)), ("timestamp-request", 13, None), ("timestamp-reply", 14, None),
    ("information-request", 15, None), ("information-reply", 16, None), ("mask-request", 17, None),
    ("mask-reply", 18, None), ("traceroute", 30, None), ("conversion-error", 31, None),
    ("mobile-redirect", 32, None),
];

#[rustfmt::skip]
const ICMP6: &[(&str, u8, Option<u8>)] = &[
    ("unreachable", 1, None), ("no-route", 1, Some(0)), ("no-admin", 1, Some(1)), ("beyond-scope", 1, Some(2)),
    ("destination-unreachable", 1, Some(3)), ("port-unreachable", 1, Some(4)), ("packet-too-big", 2, None),
    ("time-exceeded", 3, None), ("hop-limit", 3, Some(0)), ("reassembly-timeout", 3, Some(1)),
    ("parameter-problem", 4, None), ("header", 4, Some(0)), ("next-header", 4, Some(1)),
    ("parameter-option", 4, Some(2)), ("echo-request", 128, None), ("echo-reply", 129, None),
    ("mld-query", 130, None), ("mld-report", 131, None), ("mld-reduction", 132, None),
    ("router-solicitation", 133, None), ("router-advertisement", 134, None), ("nd-ns", 135, None),
    ("nd-na", 136, None), ("redirect", 137, None), ("router-renumbering", 138, None), ("mldv2-report", 143, None),
];

/// A protocol with its first and last port.
pub type Ports = (u8, u16, u16);

/// The ports that port-to-application mapping gives an application.
pub fn application(name: &str) -> Option<&'static [Ports]> {
    let lower = name.to_ascii_lowercase();
    APPLICATIONS.iter().find(|(known, _)| *known == lower).map(|(_, ports)| *ports)
}

#[rustfmt::skip]
const APPLICATIONS: &[(&str, &[Ports])] = &[
    ("http", &[(6, 80, 80)]), ("https", &[(6, 443, 443)]), ("ssh", &[(6, 22, 22)]), ("telnet", &[(6, 23, 23)]),
    ("ftp", &[(6, 21, 21)]), ("tftp", &[(17, 69, 69)]), ("smtp", &[(6, 25, 25)]),
    ("dns", &[(6, 53, 53), (17, 53, 53)]), ("ntp", &[(17, 123, 123)]), ("pop3", &[(6, 110, 110)]),
    ("pop3s", &[(6, 995, 995)]), ("imap", &[(6, 143, 143)]), ("imap3", &[(6, 220, 220)]),
    ("imaps", &[(6, 993, 993)]), ("ldap", &[(6, 389, 389)]), ("ldaps", &[(6, 636, 636)]),
    ("snmp", &[(17, 161, 161)]), ("snmptrap", &[(17, 162, 162)]), ("syslog", &[(17, 514, 514)]),
    ("isakmp", &[(17, 500, 500)]), ("ipsec-msft", &[(17, 4500, 4500)]), ("radius", &[(17, 1812, 1813)]),
    ("tacacs", &[(6, 49, 49)]), ("kerberos", &[(6, 88, 88), (17, 88, 88)]), ("netbios-ns", &[(17, 137, 137)]),
    ("netbios-dgm", &[(17, 138, 138)]), ("netbios-ssn", &[(6, 139, 139)]), ("microsoft-ds", &[(6, 445, 445)]),
    ("bootps", &[(17, 67, 67)]), ("bootpc", &[(17, 68, 68)]), ("pptp", &[(6, 1723, 1723)]),
    ("l2tp", &[(17, 1701, 1701)]), ("h323", &[(6, 1720, 1720)]), ("sip", &[(6, 5060, 5060), (17, 5060, 5060)]),
    ("skinny", &[(6, 2000, 2000)]), ("rtsp", &[(6, 554, 554)]), ("sqlnet", &[(6, 1521, 1521)]),
    ("ms-sql", &[(6, 1433, 1433)]), ("mysql", &[(6, 3306, 3306)]),
    ("sunrpc", &[(6, 111, 111), (17, 111, 111)]), ("login", &[(6, 513, 513)]), ("shell", &[(6, 514, 514)]),
];

/// A condition on single TCP flags: which bits count, and which of them are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    pub bit: u8,
    pub set: bool,
}

/// The bit of a flag's name (RFC 9293 section 3.1).
pub fn flag(word: &str) -> Option<u8> {
    Some(match word.to_ascii_lowercase().as_str() {
        "fin" => 0x01,
        "syn" => 0x02,
        "rst" => 0x04,
        "psh" => 0x08,
        "ack" => 0x10,
        "urg" => 0x20,
        _ => return None,
    })
}

/// The flag bytes for which any of the conditions holds, or all of them.
pub fn flag_bytes(list: &[Flag], any: bool) -> Ranges {
    let holds = |byte: u8| {
        let mut each = list.iter().map(|f| (byte & f.bit != 0) == f.set);
        if any { each.any(|h| h) } else { each.all(|h| h) }
    };
    (0..=255u8).filter(|byte| holds(*byte)).map(|byte| (byte.into(), byte.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_what_the_manual_says() {
        assert_eq!((port(TCP, "cmd"), port(UDP, "syslog"), port(TCP, "ntp")), (Some(514), Some(514), None));
        assert_eq!(protocol(Family::V4, "0"), Some(None));
        assert_eq!(protocol(Family::V6, "icmp"), Some(Some(58)));
        assert_eq!(icmp(Family::V4, "packet-too-big"), Some((3, Some(4))));
        let established = flag_bytes(&[Flag { bit: 16, set: true }, Flag { bit: 4, set: true }], true);
        assert!(established.contains(0x12) && established.contains(4) && !established.contains(2));
    }
}
