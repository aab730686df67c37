//! Right-hand sides: addresses, ports, protocols, states, interfaces, ranges of them.

use super::select::Selector;
use crate::names::{protocol, service};
use tillgate_model::{Family, State, address_bits, parse_prefix, prefix_range};
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
            let Some(net) = parse_prefix(text) else {
                return is_host_name(text).then(|| Value::Word(text.to_string()));
            };
            if Family::of(net.addr()) != *family {
                return None;
            }
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
        Selector::Protocol { .. } => protocol(text).map(|p| single(p.0 as u128)),
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
            "ipv4" | "ip" | "4" | "2" => Some(single(0)),
            "ipv6" | "ip6" | "6" | "10" => Some(single(1)),
            // Other link protocols: no IP packet, except behind a VLAN tag that is still on.
            "arp" | "vlan" | "8021q" | "8021ad" | "qinq" => Some(Value::Word(text.to_string())),
            _ => number().map(|n| match n {
                0x0800 => single(0),
                0x86dd => single(1),
                _ => Value::Word(text.to_string()),
            }),
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

/// A name that is resolved when the rules are loaded; one without a dot would as well be a mistyped word.
fn is_host_name(text: &str) -> bool {
    let label =
        |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let host = text.contains('.') && text.split('.').all(label);
    text == "localhost" || host && text.contains(|c: char| c.is_ascii_alphabetic())
}

/// Bits of the kernel's connection states (include/uapi/linux/netfilter/nf_conntrack_common.h).
pub fn state_bit(state: u128) -> u32 {
    [8, 2, 4, 1, 64][state as usize % 5]
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
