//! Pieces of nftables text, built so that no data can become syntax.

use std::collections::BTreeSet;
use tillgate_model::{Family, Ranges, addresses_text, format_ports};

/// Words that may not be names: nft(8) keywords that have been seen to break files.
const RESERVED: &[&str] = &[
    "accept",
    "add",
    "all",
    "arp",
    "bridge",
    "burst",
    "chain",
    "comment",
    "continue",
    "counter",
    "create",
    "ct",
    "delete",
    "device",
    "dnat",
    "drop",
    "dup",
    "element",
    "established",
    "fib",
    "filter",
    "flags",
    "flow",
    "flush",
    "forward",
    "fwd",
    "goto",
    "group",
    "handle",
    "hook",
    "icmp",
    "inet",
    "input",
    "insert",
    "ip",
    "ip6",
    "jump",
    "last",
    "limit",
    "list",
    "log",
    "map",
    "mark",
    "masquerade",
    "meta",
    "meter",
    "nat",
    "netdev",
    "notrack",
    "output",
    "policy",
    "postrouting",
    "prerouting",
    "priority",
    "queue",
    "quota",
    "rate",
    "redirect",
    "random",
    "reject",
    "related",
    "return",
    "rule",
    "set",
    "snat",
    "socket",
    "table",
    "tcp",
    "time",
    "timeout",
    "tproxy",
    "type",
    "udp",
    "update",
    "vmap",
];

/// Names given out so far.
#[derive(Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// A name like the wish that was not given out yet and is no reserved word.
    pub fn fresh(&mut self, wish: &str) -> String {
        let wish: String = wish.chars().take(40).collect();
        let mut name = if RESERVED.contains(&wish.as_str()) { format!("{wish}_") } else { wish.clone() };
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{wish}_{number}");
        }
        name
    }
}

/// A word of letters, digits and `_` that starts with a letter.
pub fn slug(text: &str) -> String {
    let word: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) { word } else { format!("x{word}") }
}

/// Text for a comment or a log prefix: nft strings have no escapes, so what could end them is replaced; the
/// kernel keeps 128 bytes.
pub fn comment(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = match c {
            '"' => '\'',
            '\\' => '/',
            '$' | '@' if out.is_empty() => '_',
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '?'
            }
            c => c,
        };
        if out.len() + c.len_utf8() > 120 {
            break;
        }
        out.push(c);
    }
    out
}

/// Interface names, quoted; several in braces.
pub fn interfaces(names: &[String]) -> String {
    let list: Vec<String> = names.iter().map(|n| format!("\"{}\"", comment(n))).collect();
    if list.len() == 1 { list.concat() } else { format!("{{ {} }}", list.join(", ")) }
}

/// Addresses and prefixes, joined by commas.
pub fn elements(family: Family, ranges: &Ranges) -> String {
    addresses_text(family, ranges).join(", ")
}

/// Ports, several in braces.
pub fn ports(list: &Ranges) -> String {
    let text = format_ports(list).replace(',', ", ");
    if text.contains(',') { format!("{{ {text} }}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_comments_stay_inside_their_quotes() {
        let text = comment("x\" drop; }\n table inet evil { \\\u{202e}");
        assert!(!text.contains(['"', '\n', '\\', '\u{202e}']), "{text}");
        assert!(comment(&"ä".repeat(500)).len() <= 120);
    }

    #[test]
    fn reserved_words_never_become_names() {
        let mut names = Names::default();
        for word in RESERVED {
            assert_ne!(names.fresh(word), *word);
        }
        assert_eq!((names.fresh("a").as_str(), names.fresh("a").as_str()), ("a", "a_2"));
    }
}
