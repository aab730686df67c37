//! Values of options: booleans, words, ports, addresses, protocols, ICMP types.
//!
//! As firewall4's `fw4.uc` takes them (`parse_bool`, `parse_enum`, `parse_port`, `parse_subnet`, …).

use crate::names;
use std::net::IpAddr;
use tillgate_model::{Date, Family, Protocol, address_bits};

/// A boolean.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "on" | "true" | "yes" => Some(true),
        "0" | "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// The first of the words that begins with a text, in any case.
pub fn choice(text: &str, words: &[&'static str]) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    words.iter().find(|w| !lower.is_empty() && w.starts_with(&lower)).copied()
}

/// A family; `Some(None)` is both.
pub fn family(text: &str) -> Option<Option<Family>> {
    match text {
        "any" | "all" | "*" => Some(None),
        text if text == "inet" || text.contains('4') => Some(Some(Family::V4)),
        text if text.contains('6') => Some(Some(Family::V6)),
        _ => None,
    }
}

/// Takes the mark of negation off.
pub fn negation(text: &str) -> (bool, &str) {
    match text.trim().strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, text.trim()),
    }
}

/// First and last of `80`, `80-90` or `80:90`.
pub fn ports(text: &str) -> Option<(u16, u16)> {
    let (lo, hi) = text.split_once(['-', ':']).unwrap_or((text, text));
    let number = |t: &str| t.parse::<u16>().ok().filter(|_| t.bytes().all(|b| b.is_ascii_digit()));
    let (lo, hi) = (number(lo)?, number(hi)?);
    (lo <= hi).then_some((lo, hi))
}

/// What an address may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subnet {
    /// First and last.
    Range(Family, u128, u128),
    /// What a mask leaves that is no prefix.
    Masked(Family),
}

/// Reads an address, `a-b`, `a/length` or `a/mask`.
pub fn subnet(text: &str) -> Option<Subnet> {
    if let Some((address, mask)) = text.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let family = Family::of(address);
        let width: u32 = if family == Family::V4 { 32 } else { 128 };
        let length = match mask.parse::<IpAddr>() {
            Ok(mask) if Family::of(mask) != family => return None,
            Ok(mask) => {
                let ones = (address_bits(mask) << (128 - width)).leading_ones().min(width);
                let back = prefix(family, address_bits(mask), ones);
                if back != Some((address_bits(mask), address_bits(mask) | hosts(width - ones))) {
                    return Some(Subnet::Masked(family));
                }
                ones
            }
            Err(_) => match mask.parse::<i32>().ok()? {
                negative if negative < 0 => {
                    return (negative.unsigned_abs() <= width).then_some(Subnet::Masked(family));
                }
                length => length.unsigned_abs(),
            },
        };
        let (lo, hi) = prefix(family, address_bits(address), length)?;
        return Some(Subnet::Range(family, lo, hi));
    }
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let (lo, hi): (IpAddr, IpAddr) = (lo.parse().ok()?, hi.parse().ok()?);
    let range = (address_bits(lo), address_bits(hi));
    let fits = Family::of(lo) == Family::of(hi) && range.0 <= range.1;
    fits.then_some(Subnet::Range(Family::of(lo), range.0, range.1))
}

/// First and last address of a prefix.
pub fn prefix(family: Family, address: u128, length: u32) -> Option<(u128, u128)> {
    let width = if family == Family::V4 { 32 } else { 128 };
    let rest = hosts(width.max(length) - length);
    (length <= width).then_some((address & !rest, address | rest))
}

/// So many ones.
fn hosts(bits: u32) -> u128 {
    u128::MAX.checked_shr(128 - bits.min(128)).unwrap_or(0)
}

/// Protocols of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocols {
    /// All of them.
    pub any: bool,
    /// TCP and UDP, as far as they are named.
    pub with_ports: Vec<Protocol>,
    /// ICMP of the rule's family.
    pub icmp: bool,
    /// ICMPv6 by its own name.
    pub icmp6: bool,
    /// All others.
    pub others: Vec<Protocol>,
    /// One is negated.
    pub negated: bool,
}

impl Protocols {
    /// TCP and UDP, which are meant when none is given.
    pub fn usual() -> Self {
        Protocols { with_ports: vec![Protocol::TCP, Protocol::UDP], ..Protocols::default() }
    }

    /// Adds a word; `None` when it is no protocol.
    pub fn add(&mut self, word: &str) -> Option<()> {
        let (negate, word) = negation(word);
        self.negated |= negate;
        match word.to_ascii_lowercase().as_str() {
            "all" | "any" | "*" => self.any = true,
            "1" | "icmp" => self.icmp = true,
            "58" | "icmpv6" | "ipv6-icmp" => self.icmp6 = true,
            "tcpudp" => self.with_ports.extend([Protocol::TCP, Protocol::UDP]),
            other => match names::protocol(other)? {
                one @ (Protocol::TCP | Protocol::UDP) => self.with_ports.push(one),
                Protocol::ICMPV6 => self.icmp6 = true,
                one => self.others.push(one),
            },
        }
        Some(())
    }

    /// Whether ports mean anything with every one of them.
    pub fn all_with_ports(&self) -> bool {
        !self.any && !self.icmp && !self.icmp6 && self.others.is_empty()
    }
}

/// An ICMP type, with its first and last code.
pub type Icmp = (u8, u8, u8);

/// What an ICMP word means in each family; the family it is bound to, if it is bound to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpWord {
    /// In ICMP.
    pub v4: Option<Icmp>,
    /// In ICMPv6.
    pub v6: Option<Icmp>,
}

/// Reads an ICMP name, `8` or `8/0`.
pub fn icmp(text: &str) -> Option<IcmpWord> {
    let find = |list: &[(&str, Icmp)]| list.iter().find(|(n, _)| *n == text).map(|(_, icmp)| *icmp);
    let named = IcmpWord { v4: find(ICMP), v6: find(ICMPV6) };
    if named.v4.is_some() || named.v6.is_some() {
        return Some(named);
    }
    let one = match text.split_once('/') {
        Some((kind, code)) => {
            let code = code.parse().ok()?;
            (kind.parse().ok()?, code, code)
        }
        None => (text.parse().ok()?, 0, 255),
    };
    Some(IcmpWord { v4: Some(one), v6: Some(one) })
}

/// The day of `2027-03-31` or `2027-03-31T12:00:00`.
pub fn day(text: &str) -> Option<Date> {
    text.split('T').next()?.parse().ok()
}

// Names that fw4 and fw3 know.
#[rustfmt::skip]
const ICMP: &[(&str, Icmp)] = &[
    ("any", (255, 0, 255)), ("echo-reply", (0, 0, 255)), ("pong", (0, 0, 255)),
    ("destination-unreachable", (3, 0, 255)), ("network-unreachable", (3, 0, 0)),
    ("host-unreachable", (3, 1, 1)), ("protocol-unreachable", (3, 2, 2)), ("port-unreachable", (3, 3, 3)),
    ("fragmentation-needed", (3, 4, 4)), ("source-route-failed", (3, 5, 5)), ("network-unknown", (3, 6, 6)),
    ("host-unknown", (3, 7, 7)), ("network-prohibited", (3, 9, 9)), ("host-prohibited", (3, 10, 10)),
    ("TOS-network-unreachable", (3, 11, 11)), ("TOS-host-unreachable", (3, 12, 12)),
    ("communication-prohibited", (3, 13, 13)), ("host-precedence-violation", (3, 14, 14)),
    ("precedence-cutoff", (3, 15, 15)), ("source-quench", (4, 0, 255)), ("redirect", (5, 0, 255)),
    ("network-redirect", (5, 0, 0)), ("host-redirect", (5, 1, 1)), ("TOS-network-redirect", (5, 2, 2)),
    ("TOS-host-redirect", (5, 3, 3)), ("echo-request", (8, 0, 255)), ("ping", (8, 0, 255)),
    ("router-advertisement", (9, 0, 255)), ("router-solicitation", (10, 0, 255)),
    ("time-exceeded", (11, 0, 255)), ("ttl-exceeded", (11, 0, 255)), ("ttl-zero-during-transit", (11, 0, 0)),
    ("ttl-zero-during-reassembly", (11, 1, 1)), ("parameter-problem", (12, 0, 255)),
    ("ip-header-bad", (12, 0, 0)), ("required-option-missing", (12, 1, 1)),
    ("timestamp-request", (13, 0, 255)), ("timestamp-reply", (14, 0, 255)),
    ("address-mask-request", (17, 0, 255)), ("address-mask-reply", (18, 0, 255)),
];

#[rustfmt::skip]
const ICMPV6: &[(&str, Icmp)] = &[
    ("destination-unreachable", (1, 0, 255)), ("no-route", (1, 0, 0)), ("communication-prohibited", (1, 1, 1)),
    ("address-unreachable", (1, 3, 3)), ("port-unreachable", (1, 4, 4)), ("packet-too-big", (2, 0, 255)),
    ("time-exceeded", (3, 0, 255)), ("ttl-exceeded", (3, 0, 255)), ("ttl-zero-during-transit", (3, 0, 0)),
    ("ttl-zero-during-reassembly", (3, 1, 1)), ("parameter-problem", (4, 0, 255)), ("bad-header", (4, 0, 0)),
    ("unknown-header-type", (4, 1, 1)), ("unknown-option", (4, 2, 2)), ("echo-request", (128, 0, 255)),
    ("ping", (128, 0, 255)), ("echo-reply", (129, 0, 255)), ("pong", (129, 0, 255)),
    ("multicast-listener-query", (130, 0, 255)), ("multicast-listener-report", (131, 0, 255)),
    ("multicast-listener-done", (132, 0, 255)), ("router-solicitation", (133, 0, 255)),
    ("router-advertisement", (134, 0, 255)), ("neighbour-solicitation", (135, 0, 255)),
    ("neighbor-solicitation", (135, 0, 255)), ("neighbour-advertisement", (136, 0, 255)),
    ("neighbor-advertisement", (136, 0, 255)), ("redirect", (137, 0, 255)),
    ("router-renumbering", (138, 0, 255)), ("node-info-query", (139, 0, 255)),
    ("node-info-response", (140, 0, 255)), ("v2-multicast-listener-report", (143, 0, 255)),
    ("mobile-prefix-solicitation", (146, 0, 255)), ("mobile-prefix-advertisement", (147, 0, 255)),
    ("multicast-router-advertisement", (151, 0, 255)), ("multicast-router-solicitation", (152, 0, 255)),
    ("multicast-router-termination", (153, 0, 255)), ("rpl-control-message", (155, 0, 255)),
    ("extended-echo-request", (160, 0, 255)), ("extended-echo-reply", (161, 0, 255)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_notation() {
        let range = |a: u128, b: u128| Some(Subnet::Range(Family::V4, a, b));
        assert_eq!(subnet("10.0.0.7/24"), range(0x0a00_0000, 0x0a00_00ff));
        assert_eq!(subnet("10.0.0.7/255.255.255.0"), range(0x0a00_0000, 0x0a00_00ff));
        assert_eq!(subnet("10.0.0.7-10.0.0.9"), range(0x0a00_0007, 0x0a00_0009));
        assert_eq!(subnet("0.0.0.0/0"), range(0, 0xffff_ffff));
        assert_eq!(subnet("::/0"), Some(Subnet::Range(Family::V6, 0, u128::MAX)));
        assert_eq!(subnet("::5/-64"), Some(Subnet::Masked(Family::V6)));
        assert_eq!(subnet("::5/::ffff:ffff:ffff:ffff"), Some(Subnet::Masked(Family::V6)));
        for bad in ["10.0.0.1/33", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "10.0.0.1/::1", "lan", ""] {
            assert_eq!(subnet(bad), None, "{bad}");
        }
    }

    #[test]
    fn words_may_be_cut_short() {
        assert_eq!(choice("Acc", &["accept", "reject", "drop"]), Some("accept"));
        assert_eq!(choice("", &["accept"]), None);
        assert_eq!((boolean("yes"), boolean("2")), (Some(true), None));
        assert_eq!((ports("8000:8010"), ports("22-21"), ports("+1")), (Some((8000, 8010)), None, None));
        assert_eq!(family("IPv6"), Some(Some(Family::V6)));
    }
}
