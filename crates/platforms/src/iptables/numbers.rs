//! Values of options as ranges: addresses, ports, ICMP types, flags.

use crate::names::service;
use std::net::IpAddr;
use tillgate_model::{Family, Ranges, address_bits, parse_prefix, prefix_range};

/// What an address says.
pub enum Address {
    /// These.
    Ranges(Ranges),
    /// A name that is looked up when the rules are loaded, or a mask that is no prefix.
    Open,
}

/// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `2001:db8::/32`, or several, joined by commas. `None` when it is no address of
/// the family.
pub fn addresses(family: Family, text: &str) -> Option<Address> {
    let mut all = Vec::new();
    for one in text.split(',') {
        let (address, mask) = one.split_once('/').map_or((one, None), |(a, m)| (a, Some(m)));
        let Ok(address) = address.parse::<IpAddr>() else {
            let name = address.contains(|c: char| c.is_ascii_alphabetic())
                && address.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            return name.then_some(Address::Open);
        };
        if Family::of(address) != family {
            return None;
        }
        let (max, bits) = (family.max_address(), address_bits(address));
        let mask = match mask {
            None => max,
            Some(mask) => match (mask.parse::<u32>(), mask.parse::<IpAddr>()) {
                (Ok(_), _) => {
                    let net = parse_prefix(one)?;
                    all.push(prefix_range(&net.trunc()));
                    continue;
                }
                (_, Ok(mask)) if Family::of(mask) == family => address_bits(mask),
                _ => return None,
            },
        };
        let host = max & !mask;
        if host & (host.wrapping_add(1)) & max != 0 {
            return Some(Address::Open);
        }
        all.push((bits & mask, (bits & mask) | host));
    }
    Some(Address::Ranges(Ranges::from_unsorted(all)))
}

/// `10.0.0.1-10.0.0.9`, or one address.
pub fn span(family: Family, text: &str) -> Option<Ranges> {
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let bits = |t: &str| t.parse::<IpAddr>().ok().filter(|a| Family::of(*a) == family).map(address_bits);
    let (lo, hi) = (bits(lo)?, bits(hi)?);
    (lo <= hi).then(|| Ranges::span(lo, hi))
}

fn port(text: &str) -> Option<u128> {
    text.parse::<u16>().ok().or_else(|| service(text)).map(u128::from)
}

/// `443`, `1024:65535`, `:1023`, `1024:`, `https`.
pub fn ports(text: &str) -> Option<Ranges> {
    let (lo, hi) = match text.split_once(':') {
        None => {
            let one = port(text)?;
            (one, one)
        }
        Some((lo, hi)) => {
            let lo = if lo.is_empty() { 0 } else { port(lo)? };
            (lo, if hi.is_empty() { 65535 } else { port(hi)? })
        }
    };
    (lo <= hi).then(|| Ranges::span(lo, hi))
}

/// `80,443,8000:8080`.
pub fn port_list(text: &str) -> Option<Ranges> {
    let parts: Option<Vec<Ranges>> = text.split(',').map(ports).collect();
    Some(parts?.iter().fold(Ranges::empty(), |all, p| all.union(p)))
}

/// Types and codes of `--icmp-type` and `--icmpv6-type`, by number (`3/4`), by name, or any.
pub fn icmp(family: Family, text: &str) -> Option<(Ranges, Ranges)> {
    let any = Ranges::full(255);
    if text == "any" || family == Family::V4 && text == "255" {
        return Some((any.clone(), any));
    }
    let one = |n: u8| Ranges::single(n.into());
    let (kind, code) = text.split_once('/').map_or((text, None), |(k, c)| (k, Some(c)));
    if let Ok(kind) = kind.parse::<u8>() {
        let code = match code {
            None => any,
            Some(code) => one(code.parse().ok()?),
        };
        return Some((one(kind), code));
    }
    let list = if family == Family::V4 { ICMP } else { ICMPV6 };
    let (_, kind, code) = list.iter().find(|(name, ..)| *name == text)?;
    Some((one(*kind), code.map_or(any, one)))
}

// Names of types and codes as iptables-extensions(8) has them: IANA's ICMP and ICMPv6 parameters.
const ICMP: &[(&str, u8, Option<u8>)] = &[
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)),
    ("TOS-network-unreachable", 3, Some(11)),
    ("TOS-host-unreachable", 3, Some(12)),
    ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)),
    ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("network-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("TOS-network-redirect", 5, Some(2)),
    ("TOS-host-redirect", 5, Some(3)),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

const ICMPV6: &[(&str, u8, Option<u8>)] = &[
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)),
    ("reject-route", 1, Some(6)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)),
    ("parameter-problem", 4, None),
    ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)),
    ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("pong", 129, None),
    ("mld-listener-query", 130, None),
    ("mld-listener-report", 131, None),
    ("mld-listener-done", 132, None),
    ("mld-listener-reduction", 132, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None),
    ("redirect", 137, None),
];

/// `SYN,ACK`, `ALL`, `NONE`.
pub fn tcp_flags(text: &str) -> Option<u128> {
    text.split(',').try_fold(0, |all, flag| {
        let bits = match flag.to_ascii_uppercase().as_str() {
            "FIN" => 0x01,
            "SYN" => 0x02,
            "RST" => 0x04,
            "PSH" => 0x08,
            "ACK" => 0x10,
            "URG" => 0x20,
            "ALL" => 0x3f,
            "NONE" => 0,
            number => match number.strip_prefix("0X") {
                Some(hex) => u128::from_str_radix(hex, 16).ok()?,
                None => return None,
            },
        };
        Some(all | bits)
    })
}
