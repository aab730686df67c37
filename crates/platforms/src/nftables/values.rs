//! Right-hand sides: addresses, ports, protocols, states, interfaces, ranges of them.

use super::select::Selector;
use tillgate_model::{Family, Protocol, State, address_bits, parse_prefix, prefix_range};
use tillgate_packetset::Field;

/// One value of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A range of the selector's field.
    Range(u128, u128),
    /// An interface pattern.
    Interface(String),
    /// A word, for selectors that are no field.
    Word(String),
    /// Anything (`*`).
    Any,
}

/// Reads one value (one word or quoted string).
pub fn value(selector: &Selector, text: &str) -> Option<Value> {
    if text == "*" && !matches!(selector, Selector::Interface { .. }) {
        return Some(Value::Any);
    }
    let number = || -> Option<u128> {
        match text.strip_prefix("0x") {
            Some(hex) => u128::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    };
    let single = |n: u128| Value::Range(n, n);
    match selector {
        Selector::Address { family, .. } => {
            let net = parse_prefix(text).filter(|n| Family::of(n.addr()) == *family)?;
            // A prefix with host bits is masked by the kernel.
            let (lo, hi) = prefix_range(&net.trunc());
            if !text.contains('/') {
                let bits = address_bits(net.addr());
                return Some(single(bits));
            }
            Some(Value::Range(lo, hi))
        }
        Selector::Port { .. } => {
            let port = number().or_else(|| service(text).map(u128::from))?;
            (port <= 65535).then(|| single(port))
        }
        Selector::Protocol { .. } => Protocol::parse(text).map(|p| single(p.0 as u128)),
        Selector::Icmp { family, field } => {
            let n = match field {
                Field::SourcePort => number().or_else(|| icmp_type(*family, text)),
                _ => number().or_else(|| icmp_code(*family, text)),
            }?;
            (n <= 255).then(|| single(n))
        }
        Selector::Interface { .. } => Some(Value::Interface(text.to_string())),
        Selector::State => State::parse(text).map(|s| single(s as u128)),
        Selector::Family => match text {
            "ipv4" | "ip" | "4" | "2" | "0x0800" => Some(single(0)),
            "ipv6" | "ip6" | "6" | "10" | "0x86dd" => Some(single(1)),
            _ => None,
        },
        Selector::TcpFlags => match text {
            "fin" => Some(1),
            "syn" => Some(2),
            "rst" => Some(4),
            "psh" => Some(8),
            "ack" => Some(16),
            "urg" => Some(32),
            "ecn" => Some(64),
            "cwr" => Some(128),
            _ => number().filter(|n| *n <= 255),
        }
        .map(single),
        Selector::Status
        | Selector::PacketType
        | Selector::FibType
        | Selector::FibReverse
        | Selector::Other(_) => Some(Value::Word(text.to_string())),
    }
}

/// Bits of the kernel's connection states (include/uapi/linux/netfilter/nf_conntrack_common.h).
pub fn state_bit(state: u128) -> u32 {
    [8, 2, 4, 1, 64][state as usize % 5]
}

/// Well-known service names as /etc/services has them.
fn service(name: &str) -> Option<u16> {
    const SERVICES: &[(&str, u16)] = &[
        ("ftp-data", 20),
        ("ftp", 21),
        ("ssh", 22),
        ("telnet", 23),
        ("smtp", 25),
        ("time", 37),
        ("whois", 43),
        ("tacacs", 49),
        ("domain", 53),
        ("bootps", 67),
        ("bootpc", 68),
        ("tftp", 69),
        ("gopher", 70),
        ("finger", 79),
        ("http", 80),
        ("kerberos", 88),
        ("pop3", 110),
        ("sunrpc", 111),
        ("auth", 113),
        ("nntp", 119),
        ("ntp", 123),
        ("epmap", 135),
        ("netbios-ns", 137),
        ("netbios-dgm", 138),
        ("netbios-ssn", 139),
        ("imap2", 143),
        ("imap", 143),
        ("snmp", 161),
        ("snmp-trap", 162),
        ("snmptrap", 162),
        ("bgp", 179),
        ("irc", 194),
        ("ldap", 389),
        ("https", 443),
        ("microsoft-ds", 445),
        ("kpasswd", 464),
        ("submissions", 465),
        ("isakmp", 500),
        ("syslog", 514),
        ("printer", 515),
        ("route", 520),
        ("dhcpv6-client", 546),
        ("dhcpv6-server", 547),
        ("rtsp", 554),
        ("submission", 587),
        ("ipp", 631),
        ("ldaps", 636),
        ("domain-s", 853),
        ("rsync", 873),
        ("ftps-data", 989),
        ("ftps", 990),
        ("telnets", 992),
        ("imaps", 993),
        ("pop3s", 995),
        ("socks", 1080),
        ("openvpn", 1194),
        ("ms-sql-s", 1433),
        ("ms-sql-m", 1434),
        ("datametrics", 1645),
        ("radius", 1812),
        ("radius-acct", 1813),
        ("nfs", 2049),
        ("mysql", 3306),
        ("ms-wbt-server", 3389),
        ("nut", 3493),
        ("ipsec-nat-t", 4500),
        ("iax", 4569),
        ("radmin-port", 4899),
        ("sip", 5060),
        ("sip-tls", 5061),
        ("xmpp-client", 5222),
        ("xmpp-server", 5269),
        ("mdns", 5353),
        ("postgresql", 5432),
        ("amqps", 5671),
        ("amqp", 5672),
        ("x11", 6000),
        ("redis", 6379),
        ("ircs-u", 6697),
        ("http-alt", 8080),
        ("puppet", 8140),
        ("zabbix-agent", 10050),
        ("zabbix-trapper", 10051),
    ];
    SERVICES.iter().find(|(n, _)| *n == name).map(|(_, p)| *p)
}

fn icmp_type(family: Family, name: &str) -> Option<u128> {
    const V4: &[(&str, u128)] = &[
        ("echo-reply", 0),
        ("destination-unreachable", 3),
        ("source-quench", 4),
        ("redirect", 5),
        ("echo-request", 8),
        ("router-advertisement", 9),
        ("router-solicitation", 10),
        ("time-exceeded", 11),
        ("parameter-problem", 12),
        ("timestamp-request", 13),
        ("timestamp-reply", 14),
        ("info-request", 15),
        ("info-reply", 16),
        ("address-mask-request", 17),
        ("address-mask-reply", 18),
    ];
    const V6: &[(&str, u128)] = &[
        ("destination-unreachable", 1),
        ("packet-too-big", 2),
        ("time-exceeded", 3),
        ("parameter-problem", 4),
        ("echo-request", 128),
        ("echo-reply", 129),
        ("mld-listener-query", 130),
        ("mld-listener-report", 131),
        ("mld-listener-done", 132),
        ("mld-listener-reduction", 132),
        ("nd-router-solicit", 133),
        ("nd-router-advert", 134),
        ("nd-neighbor-solicit", 135),
        ("nd-neighbor-advert", 136),
        ("nd-redirect", 137),
        ("router-renumbering", 138),
        ("ind-neighbor-solicit", 141),
        ("ind-neighbor-advert", 142),
        ("mld2-listener-report", 143),
    ];
    let list = if family == Family::V4 { V4 } else { V6 };
    list.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
}

fn icmp_code(family: Family, name: &str) -> Option<u128> {
    let list: &[(&str, u128)] = match family {
        Family::V4 => &[
            ("net-unreachable", 0),
            ("host-unreachable", 1),
            ("prot-unreachable", 2),
            ("port-unreachable", 3),
            ("frag-needed", 4),
            ("net-prohibited", 9),
            ("host-prohibited", 10),
            ("admin-prohibited", 13),
        ],
        Family::V6 => &[
            ("no-route", 0),
            ("admin-prohibited", 1),
            ("addr-unreachable", 3),
            ("port-unreachable", 4),
            ("policy-fail", 5),
            ("reject-route", 6),
        ],
    };
    list.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
}
