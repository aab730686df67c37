//! Words of rules with one meaning each: protocols, types of control messages, flags of TCP.

use crate::names;
use std::sync::LazyLock;
use tillgate_model::{Family, Ranges};

#[rustfmt::skip]
const TYPES_V4: &[(&str, u8)] = &[
    ("echorep", 0), ("unreach", 3), ("squench", 4), ("redir", 5), ("althost", 6), ("echoreq", 8),
    ("routeradv", 9), ("routersol", 10), ("timex", 11), ("paramprob", 12), ("timereq", 13), ("timerep", 14),
    ("inforeq", 15), ("inforep", 16), ("maskreq", 17), ("maskrep", 18), ("trace", 30), ("dataconv", 31),
    ("mobredir", 32), ("ipv6-where", 33), ("ipv6-here", 34), ("mobregreq", 35), ("mobregrep", 36),
    ("skip", 39), ("photuris", 40),
];

#[rustfmt::skip]
const TYPES_V6: &[(&str, u8)] = &[
    ("unreach", 1), ("toobig", 2), ("timex", 3), ("paramprob", 4), ("echoreq", 128), ("echorep", 129),
    ("listqry", 130), ("groupqry", 130), ("listenrep", 131), ("grouprep", 131), ("listendone", 132),
    ("groupterm", 132), ("routersol", 133), ("routeradv", 134), ("neighbrsol", 135), ("neighbradv", 136),
    ("redir", 137), ("routrrenum", 138), ("wrureq", 139), ("fqdnreq", 139), ("niqry", 139), ("wrurep", 140),
    ("fqdnrep", 140), ("nirep", 140), ("mtraceresp", 200), ("mtrace", 201),
];

/// Protocols of a word, as numbers; `icmp` stands for the control messages of the family. `Err` for no protocol.
pub fn protocols(word: &str, family: Family) -> Result<Option<Ranges>, ()> {
    let word = word.to_ascii_lowercase();
    let control = if family == Family::V4 { 1 } else { 58 };
    Ok(Some(match word.as_str() {
        "" | "any" => return Ok(None),
        "tcp/udp" => Ranges::from_unsorted(vec![(6, 6), (17, 17)]),
        "icmp" => Ranges::single(control),
        "icmp6" | "icmpv6" => Ranges::single(58),
        "carp" => Ranges::single(112),
        "pfsync" => Ranges::single(240),
        "a/n" => Ranges::single(107),
        word => Ranges::single(names::protocol(word).ok_or(())?.0.into()),
    }))
}

/// Whether ports can be told with a protocol.
pub fn has_ports(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "tcp" | "udp" | "tcp/udp")
}

/// Types of control messages: names or numbers, with commas. `None` for all of them; `Err` with what is none.
pub fn types(list: &str, family: Family) -> Result<Option<Ranges>, &str> {
    let table = if family == Family::V4 { TYPES_V4 } else { TYPES_V6 };
    let mut out = Vec::new();
    for word in list.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        if word == "any" {
            return Ok(None);
        }
        let known = |table: &[(&str, u8)]| table.iter().find(|(name, _)| *name == word).map(|(_, n)| *n);
        match word.parse::<u8>().ok().or_else(|| known(table)) {
            Some(number) => out.push((number.into(), number.into())),
            // In a rule for both families a name may belong to the other.
            None if known(TYPES_V4).or(known(TYPES_V6)).is_some() => {}
            None => return Err(word),
        }
    }
    Ok(if list.trim().is_empty() { None } else { Some(Ranges::from_unsorted(out)) })
}

/// The name of a type of control messages.
pub fn type_name(family: Family, number: u8) -> Option<&'static str> {
    let table = if family == Family::V4 { TYPES_V4 } else { TYPES_V6 };
    table.iter().find(|(_, n)| *n == number).map(|(name, _)| *name)
}

/// The flags byte of TCP where these are set out of those.
pub fn flags(set: &str, of: &str) -> Ranges {
    let bits = |list: &str| {
        let bit = |word: &str| match word.trim().to_ascii_lowercase().as_str() {
            "fin" => 0x01u8,
            "syn" => 0x02,
            "rst" => 0x04,
            "psh" => 0x08,
            "ack" => 0x10,
            "urg" => 0x20,
            "ece" => 0x40,
            "cwr" => 0x80,
            _ => 0,
        };
        list.split(',').fold(0, |all, word| all | bit(word))
    };
    let (set, of) = (bits(set), bits(of));
    (0..=255u8).filter(|f| f & of == set).map(|f| (f.into(), f.into())).collect()
}

/// Flags that open a connection: SYN without ACK (pf, `flags S/SA`).
pub fn opening() -> &'static Ranges {
    static OPENING: LazyLock<Ranges> = LazyLock::new(|| flags("syn", "syn,ack"));
    &OPENING
}
