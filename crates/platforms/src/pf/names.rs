//! Ports, TCP flags and ICMP types as pf writes them (pf.conf(5): port, flags, icmp-type; pfctl's tables of names).

use super::words::{Bad, Words};
use crate::names;
use std::sync::{Arc, LazyLock};
use tillgate_model::{Family, Ranges};

/// What a passing rule of default flags takes of TCP: SYN set, ACK not (`flags S/SA`).
pub static OPENING: LazyLock<Arc<Ranges>> = LazyLock::new(|| Arc::new(tcp_flags(0x02, 0x12)));

/// The bytes of TCP flags that are `set` where `mask` is.
pub fn tcp_flags(set: u8, mask: u8) -> Ranges {
    (0..=255u8).filter(|f| f & mask == set).map(|f| (f.into(), f.into())).collect()
}

fn number(text: &str) -> Option<Option<u16>> {
    match text.parse::<u16>() {
        Ok(port) => Some(Some(port)),
        Err(_) if text.bytes().all(|b| b.is_ascii_digit()) => None,
        Err(_) => Some(names::service(text)),
    }
}

/// Reads one port of a list with its operator; `None` for a name that is not known here.
pub fn port(words: &mut Words<'_>) -> Result<Option<Ranges>, Bad> {
    let not = words.eat("!");
    let (less, more) = (!not && words.eat("<"), !not && words.eat(">"));
    let equal = words.eat("=");
    if not && !equal {
        return Err(words.wrong());
    }
    let token = words.value()?;
    let read = |text: &str| number(text).ok_or_else(|| words.bad(token));
    let (Some(first), last) = (match token.text.split_once(':') {
        None => (read(&token.text)?, None),
        Some(("", hi)) => (Some(0), Some(read(hi)?)),
        Some((lo, "")) => (read(lo)?, Some(Some(u16::MAX))),
        Some((lo, hi)) => (read(lo)?, Some(read(hi)?)),
    }) else {
        return Ok(None);
    };
    let low = u128::from(first);
    let span = |lo: u128, hi: u128| Some(Ranges::span(lo, hi));
    if let Some(last) = last {
        let Some(last) = last else { return Ok(None) };
        return if last < first { Err(words.bad(token)) } else { Ok(span(low, last.into())) };
    }
    let outside = words.eat("<>");
    if outside || words.eat("><") {
        let token = words.value()?;
        let Some(high) = number(&token.text).ok_or_else(|| words.bad(token))? else { return Ok(None) };
        let high = u128::from(high);
        return Ok(Some(match outside {
            true => Ranges::span(low, high).complement(65535),
            false => Ranges::span(low + 1, high.saturating_sub(1)),
        }));
    }
    Ok(match (not, less, more, equal) {
        (true, ..) => Some(Ranges::single(low).complement(65535)),
        (_, true, _, true) => span(0, low),
        (_, true, ..) if low == 0 => Some(Ranges::empty()),
        (_, true, ..) => span(0, low - 1),
        (_, _, true, true) => span(low, 65535),
        (_, _, true, _) => span(low + 1, 65535),
        _ => Some(Ranges::single(low)),
    })
}

/// The number of an ICMP type.
pub fn icmp_type(family: Family, text: &str) -> Option<u8> {
    let table = if family == Family::V4 { TYPES } else { TYPES6 };
    text.parse().ok().or_else(|| table.iter().find(|(name, _)| *name == text).map(|(_, n)| *n))
}

/// The number of a code of an ICMP type.
pub fn icmp_code(family: Family, kind: u8, text: &str) -> Option<u8> {
    let table = if family == Family::V4 { CODES } else { CODES6 };
    let named = table.iter().find(|(of, name, _)| *of == kind && *name == text);
    text.parse().ok().or(named.map(|(_, _, n)| *n))
}

/// The type of the request that a type answers; the type itself if it answers none (RFC 792, RFC 4443).
pub fn requested(family: Family, kind: u8) -> u8 {
    match (family, kind) {
        (Family::V4, 0) => 8,
        (Family::V4, 14 | 16 | 18) => kind - 1,
        (Family::V6, 129) => 128,
        _ => kind,
    }
}

#[rustfmt::skip]
const TYPES: &[(&str, u8)] = &[
    ("echorep", 0), ("unreach", 3), ("squench", 4), ("redir", 5), ("althost", 6), ("echoreq", 8), ("routeradv", 9),
    ("routersol", 10), ("timex", 11), ("paramprob", 12), ("timereq", 13), ("timerep", 14), ("inforeq", 15),
    ("inforep", 16), ("maskreq", 17), ("maskrep", 18), ("trace", 30), ("dataconv", 31), ("mobredir", 32),
    ("ipv6-where", 33), ("ipv6-here", 34), ("mobregreq", 35), ("mobregrep", 36), ("skip", 39), ("photuris", 40),
];

#[rustfmt::skip]
const TYPES6: &[(&str, u8)] = &[
    ("unreach", 1), ("toobig", 2), ("timex", 3), ("paramprob", 4), ("echoreq", 128), ("echorep", 129),
    ("groupqry", 130), ("listqry", 130), ("grouprep", 131), ("listenrep", 131), ("groupterm", 132),
    ("listendone", 132), ("routersol", 133), ("routeradv", 134), ("neighbrsol", 135), ("neighbradv", 136),
    ("redir", 137), ("routrrenum", 138), ("fqdnreq", 139), ("niqry", 139), ("wrureq", 139), ("fqdnrep", 140),
    ("nirep", 140), ("wrurep", 140), ("listenrepv2", 143), ("mtraceresp", 200), ("mtrace", 201),
];

#[rustfmt::skip]
const CODES: &[(u8, &str, u8)] = &[
    (3, "net-unr", 0), (3, "host-unr", 1), (3, "proto-unr", 2), (3, "port-unr", 3), (3, "needfrag", 4),
    (3, "srcfail", 5), (3, "net-unk", 6), (3, "host-unk", 7), (3, "isolate", 8), (3, "net-prohib", 9),
    (3, "host-prohib", 10), (3, "net-tos", 11), (3, "host-tos", 12), (3, "filter-prohib", 13),
    (3, "host-preced", 14), (3, "cutoff-preced", 15), (5, "redir-net", 0), (5, "redir-host", 1),
    (5, "redir-tos-net", 2), (5, "redir-tos-host", 3), (9, "normal-adv", 0), (9, "common-adv", 16),
    (11, "transit", 0), (11, "reassemb", 1), (12, "badhead", 0), (12, "optmiss", 1), (12, "badlen", 2),
];

#[rustfmt::skip]
const CODES6: &[(u8, &str, u8)] = &[
    (1, "noroute-unr", 0), (1, "admin-unr", 1), (1, "beyond-unr", 2), (1, "addr-unr", 3), (1, "port-unr", 4),
    (3, "transit", 0), (3, "reassemb", 1), (4, "badhead", 0), (4, "nxthdr", 1), (137, "redironlink", 0),
    (137, "redirrouter", 1),
];
