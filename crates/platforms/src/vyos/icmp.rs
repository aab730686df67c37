//! Types and codes of ICMP by number and by name.
//!
//! Names: those of iptables for old releases (some with a code), those of nftables for new ones.

use super::tree::At;
use tillgate_model::{Protocol, Ranges};
use tillgate_packetset::Field;
use tillgate_ruleset::Match;

/// Narrows a match by what stands below `icmp` or `icmpv6`; the value that is none is what is wrong.
pub fn narrow<'t>(item: At<'t>, v4: bool, when: &mut Match) -> Result<(), At<'t>> {
    let protocol = if v4 { Protocol::ICMP } else { Protocol::ICMPV6 };
    when.narrow(Field::Protocol, &Ranges::single(protocol.0.into()));
    for key in ["type", "type-name"] {
        let Some(at) = item.leaf(key) else { continue };
        let (kind, code) = parse(at.name(), v4).ok_or(at)?;
        if let Some(kind) = kind {
            when.narrow(Field::SourcePort, &Ranges::single(kind.into()));
        }
        if let Some(code) = code {
            when.narrow(Field::DestinationPort, &Ranges::single(code.into()));
        }
    }
    if let Some(at) = item.leaf("code") {
        let code: u8 = at.name().parse().map_err(|_| at)?;
        when.narrow(Field::DestinationPort, &Ranges::single(code.into()));
    }
    for other in item.children().filter(|c| !matches!(c.name(), "type" | "type-name" | "code")) {
        when.doubts.push(super::matches::doubt(other.name()));
    }
    Ok(())
}

/// `8`, `3/1`, `echo-request`: type and code, each `None` for any.
fn parse(text: &str, v4: bool) -> Option<(Option<u8>, Option<u8>)> {
    if text == "any" {
        return Some((None, None));
    }
    if let Some((kind, code)) = text.split_once('/') {
        return Some((Some(kind.parse().ok()?), Some(code.parse().ok()?)));
    }
    if let Ok(kind) = text.parse() {
        return Some((Some(kind), None));
    }
    let table = if v4 { V4 } else { V6 };
    let (_, kind, code) = table.iter().find(|(name, ..)| name.eq_ignore_ascii_case(text))?;
    Some((Some(*kind), *code))
}

#[rustfmt::skip]
const V4: &[(&str, u8, Option<u8>)] = &[
    ("echo-reply", 0, None), ("pong", 0, None),
    ("destination-unreachable", 3, None), ("network-unreachable", 3, Some(0)), ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)), ("port-unreachable", 3, Some(3)), ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)), ("network-unknown", 3, Some(6)), ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)), ("host-prohibited", 3, Some(10)), ("tos-network-unreachable", 3, Some(11)),
    ("tos-host-unreachable", 3, Some(12)), ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)), ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None), ("redirect", 5, None), ("network-redirect", 5, Some(0)), ("host-redirect", 5, Some(1)),
    ("tos-network-redirect", 5, Some(2)), ("tos-host-redirect", 5, Some(3)),
    ("echo-request", 8, None), ("ping", 8, None), ("router-advertisement", 9, None), ("router-solicitation", 10, None),
    ("time-exceeded", 11, None), ("ttl-exceeded", 11, None), ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)), ("parameter-problem", 12, None), ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)), ("timestamp-request", 13, None), ("timestamp-reply", 14, None),
    ("info-request", 15, None), ("info-reply", 16, None), ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

#[rustfmt::skip]
const V6: &[(&str, u8, Option<u8>)] = &[
    ("destination-unreachable", 1, None), ("no-route", 1, Some(0)), ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)), ("address-unreachable", 1, Some(3)), ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)), ("reject-route", 1, Some(6)), ("packet-too-big", 2, None),
    ("time-exceeded", 3, None), ("ttl-exceeded", 3, None), ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)), ("parameter-problem", 4, None), ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)), ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None), ("ping", 128, None), ("echo-reply", 129, None), ("pong", 129, None),
    ("mld-listener-query", 130, None), ("mld-listener-report", 131, None), ("mld-listener-done", 132, None),
    ("mld-listener-reduction", 132, None), ("nd-router-solicit", 133, None), ("router-solicitation", 133, None),
    ("nd-router-advert", 134, None), ("router-advertisement", 134, None), ("nd-neighbor-solicit", 135, None),
    ("neighbor-solicitation", 135, None), ("neighbour-solicitation", 135, None), ("nd-neighbor-advert", 136, None),
    ("neighbor-advertisement", 136, None), ("neighbour-advertisement", 136, None), ("nd-redirect", 137, None),
    ("redirect", 137, None), ("router-renumbering", 138, None), ("ind-neighbor-solicit", 141, None),
    ("ind-neighbor-advert", 142, None), ("mld2-listener-report", 143, None),
];
