//! Objects and groups of a written configuration, and words that nothing can break out of.

use crate::nftables::slug;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_model::{Family, Ranges, address_from_bits, range_to_prefixes};

/// Characters of a remark (Command Reference, access-list remark).
const REMARK: usize = 100;

/// Text for a remark or a comment: one line, printable ASCII; `?` would ask the device for help.
pub fn quoted_remark(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && c != '?' || c == ' ' { c } else { '_' };
    let out: String = text.chars().take(REMARK).map(plain).collect();
    let out = out.trim();
    if out.is_empty() { "-".to_string() } else { out.to_string() }
}

/// Networks that a range is written as; one of more is written by its ends.
const MOST_NETWORKS: usize = 4;

/// Whether a text is a name that an object can look up.
pub fn host_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=255).contains(&text.len()) && text.chars().all(fits)
}

/// Networks as `A M` and `P/len`.
pub fn masked(family: Family, ranges: &Ranges) -> Vec<String> {
    let prefixes = ranges.as_slice().iter().flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi));
    let one = |net: ipnet::IpNet| match family {
        Family::V4 => format!("{} {}", net.network(), net.netmask()),
        Family::V6 => net.trunc().to_string(),
    };
    prefixes.map(one).collect()
}

/// The objects and groups that lists refer to, by what is in them.
#[derive(Default)]
pub struct Groups {
    /// Blocks by their lines: name, and the word `object-group …` or `object …` that opens them.
    blocks: BTreeMap<(String, Vec<String>), String>,
    /// In the order in which they were asked for: one may refer to those before it.
    order: Vec<(String, Vec<String>)>,
    used: BTreeMap<String, usize>,
    /// Names that something else has.
    taken: BTreeSet<String>,
}

impl Groups {
    /// Beside what has these names.
    pub fn beside(taken: BTreeSet<String>) -> Self {
        Groups { taken, ..Groups::default() }
    }

    /// Every block, groups emptied first so that none keeps what it held before.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for key in self.order.iter().rev() {
            if let (Some(name), true) = (self.blocks.get(key), key.0.starts_with("object-group")) {
                let kind = key.0.split(' ').nth(1).unwrap_or("");
                let _ = writeln!(out, "no object-group {kind} {name}");
            }
        }
        out + &self.definitions()
    }

    /// Every block.
    pub fn definitions(&self) -> String {
        let mut out = String::new();
        for key in &self.order {
            let Some(name) = self.blocks.get(key) else { continue };
            let (kind, rest) = opening(&key.0);
            let _ = writeln!(out, "{kind} {name}{rest}");
            for line in &key.1 {
                let _ = writeln!(out, " {line}");
            }
        }
        out
    }

    /// Names are of what they are for; one in use gets a number.
    fn block(&mut self, kind: &str, lines: Vec<String>, wish: &str) -> String {
        let key = (kind.to_string(), lines);
        if let Some(known) = self.blocks.get(&key) {
            return known.clone();
        }
        let wish: String = slug(wish).chars().take(40).map(|c| if c == '_' { '-' } else { c }).collect();
        let base = format!("tg-{wish}");
        let count = self.used.entry(base.clone()).or_insert(0);
        let name = loop {
            *count += 1;
            let name = if *count == 1 { base.clone() } else { format!("{base}-{count}") };
            if !self.taken.contains(&name) {
                break name;
            }
        };
        self.blocks.insert(key.clone(), name.clone());
        self.order.push(key);
        name
    }

    /// Addresses of an entry: any, one host or network as it is, several as a group. Ranges that are many networks
    /// are objects.
    pub fn addresses(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        if *ranges == Ranges::full(family.max_address()) {
            return if family == Family::V4 { "any4" } else { "any6" }.to_string();
        }
        let host = |text: &str| {
            let single = text.strip_suffix(" 255.255.255.255").or_else(|| text.strip_suffix("/128"));
            single.map_or(text.to_string(), |address| format!("host {address}"))
        };
        let mut list = Vec::new();
        for &(lo, hi) in ranges.as_slice() {
            let networks = masked(family, &Ranges::span(lo, hi));
            if networks.len() <= MOST_NETWORKS {
                list.extend(networks.iter().map(|n| host(n)));
                continue;
            }
            let (lo, hi) = (address_from_bits(family, lo), address_from_bits(family, hi));
            let object =
                self.block("object network", vec![format!("range {lo} {hi}")], &format!("{wish}-range"));
            list.push(format!("object {object}"));
        }
        if let [one] = list.as_slice() {
            return one.clone();
        }
        let lines = list.iter().map(|l| format!("network-object {l}")).collect();
        format!("object-group {}", self.block("object-group network", lines, wish))
    }

    /// Names that the device looks up.
    pub fn names(&mut self, family: Family, names: &[String], wish: &str) -> String {
        let word = if family == Family::V4 { "v4" } else { "v6" };
        let objects: Vec<String> = names
            .iter()
            .map(|name| self.block("object network", vec![format!("fqdn {word} {name}")], name))
            .collect();
        if let [one] = objects.as_slice() {
            return format!("object {one}");
        }
        let lines = objects.iter().map(|o| format!("network-object object {o}")).collect();
        format!("object-group {}", self.block("object-group network", lines, wish))
    }

    /// Ports behind an address: one or a range as it is, several as a group.
    pub fn ports(&mut self, protocol: &str, ports: &Ranges, wish: &str) -> String {
        let one =
            |(lo, hi): &(u128, u128)| if lo == hi { format!("eq {lo}") } else { format!("range {lo} {hi}") };
        if let [only] = ports.as_slice() {
            return one(only);
        }
        let lines = ports.as_slice().iter().map(|p| format!("port-object {}", one(p))).collect();
        let wish = format!("{wish}-ports");
        format!("object-group {}", self.block(&format!("object-group service _ {protocol}"), lines, &wish))
    }

    /// An object or group that a translation takes.
    pub fn translated(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        let list = masked(family, ranges);
        if let [one] = list.as_slice() {
            let value = match one.strip_suffix(" 255.255.255.255") {
                Some(address) => format!("host {address}"),
                None => format!("subnet {one}"),
            };
            return self.block("object network", vec![value], &format!("{wish}-net"));
        }
        let lines = list.iter().map(|l| format!("network-object {l}")).collect();
        self.block("object-group network", lines, &format!("{wish}-net"))
    }

    /// A service object of source ports, for translations.
    pub fn source_ports(&mut self, protocol: &str, lo: u128, hi: u128) -> String {
        let ports = if lo == hi { format!("eq {lo}") } else { format!("range {lo} {hi}") };
        let wish = format!("{protocol}-{lo}");
        self.block("object service", vec![format!("service {protocol} source {ports}")], &wish)
    }
}

/// What stands before a block's name, and behind it.
fn opening(kind: &str) -> (&str, String) {
    match kind.split_once(" _ ") {
        Some((before, after)) => (before, format!(" {after}")),
        None => (kind, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_hold_nothing_that_acts() {
        assert_eq!(quoted_remark("a?\nexit"), "a__exit");
        assert_eq!(quoted_remark("\u{202e}"), "_");
        assert_eq!(quoted_remark("  "), "-");
    }
}
