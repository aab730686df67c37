//! `ipset save` lines: what is in the sets that rules name (ipset(8)).

use super::lex::Line;
use super::numbers::{icmp, span};
use crate::names::{protocol, service};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_model::{
    Diagnostic, Family, Protocol, Ranges, SourceFile, Span, Text, parse_prefix, prefix_range,
};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::Part;

/// What one part of an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    /// An address, or a network where the type says so.
    Address,
    Port,
    Interface,
    /// A hardware address or a mark: nothing a packet has here.
    Other,
}

/// A part of an entry.
#[derive(Clone, Debug)]
enum Value {
    Addresses(Ranges),
    /// Protocol and the two port fields: ports, or ICMP type and code.
    Port(Protocol, Ranges, Option<Ranges>),
    Interface(String),
    Other,
}

struct Entry {
    values: Vec<Value>,
    /// An exception from wider entries.
    nomatch: bool,
}

/// A set.
#[derive(Default)]
pub struct Set {
    dimensions: Vec<Dimension>,
    family: Option<Family>,
    /// Ports of a `bitmap:port` set belong to no protocol in particular.
    bare_ports: bool,
    entries: Vec<Entry>,
    /// Bits that entries and packets are compared by, where they are fewer than all (`netmask`).
    netmask: Option<u8>,
    /// Members of a `list:set`.
    members: Option<Vec<String>>,
    /// Entries come and go by themselves.
    pub changing: bool,
    /// The line that makes it.
    head: Option<Span>,
}

/// All sets of a configuration.
#[derive(Default)]
pub struct Sets {
    pub sets: BTreeMap<String, Set>,
    /// Sets that rules fill.
    pub filled: BTreeSet<String>,
    /// Names by set, from a resolver's `ipset=` lines.
    pub names: BTreeMap<String, Vec<String>>,
}

/// What a set says about packets.
pub enum Content {
    /// One field of packets of one family.
    Field(Field, Ranges),
    /// Products.
    Parts(Vec<Part>),
    /// Addresses that a resolver looks up for these names.
    Names(Vec<String>),
    /// Something fills it that is not given.
    Open,
}

/// Whether a line is one of `ipset save`.
pub fn is_line(word: &str) -> bool {
    matches!(word, "create" | "add" | "flush" | "destroy" | "del" | "swap" | "rename")
}

impl Sets {
    /// Reads `ipset=/name[/name…]/set[,set…]` lines of a resolver (dnsmasq(8)).
    pub fn resolve(&mut self, files: &[Arc<SourceFile>]) {
        for line in files.iter().flat_map(|f| f.text.lines()) {
            let line = line.trim_start().trim_start_matches("--");
            let Some(value) = line.strip_prefix("ipset").and_then(|l| l.trim_start().strip_prefix('='))
            else {
                continue;
            };
            let mut parts: Vec<&str> = value.trim().trim_start_matches('/').split('/').collect();
            let Some(sets) = parts.pop() else { continue };
            for set in sets.split(',') {
                let names = self.names.entry(set.trim().to_string()).or_default();
                names.extend(parts.iter().map(|p| p.to_ascii_lowercase()));
                names.sort();
                names.dedup();
            }
        }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &Line, diagnostics: &mut Vec<Diagnostic>) {
        let mut fail = |at: usize, text: Text| diagnostics.push(Diagnostic::error(line.place(at), text));
        let name = line.text(1).to_string();
        match line.text(0) {
            "create" => match create(line) {
                Some(set) => {
                    self.sets.insert(name, set);
                }
                None => fail(2, Text::new("bad-value").arg("value", line.text(2))),
            },
            "add" => match self.sets.get_mut(&name) {
                None => fail(1, Text::new("unknown-set").arg("set", name)),
                Some(set) => match set.entry(line) {
                    Some(()) => {}
                    None => fail(2, Text::new("bad-value").arg("value", line.text(2))),
                },
            },
            "destroy" => {
                self.sets.remove(&name);
            }
            "flush" if name.is_empty() => self.sets.values_mut().for_each(|s| s.entries.clear()),
            "flush" => {
                if let Some(set) = self.sets.get_mut(&name) {
                    set.entries.clear();
                }
            }
            // What is taken out, renamed or exchanged is not followed: the set stays open.
            _ => {
                for at in 1..line.words.len().min(3) {
                    if let Some(set) = self.sets.get_mut(line.text(at)) {
                        set.changing = true;
                    }
                }
            }
        }
    }

    /// Sets that are not among those named, nor in a list of sets, each with the line that makes it; of families whose
    /// rules are all `given`.
    pub fn unused<'s>(
        &'s self,
        named: &BTreeSet<&str>,
        given: impl Fn(Family) -> bool,
    ) -> Vec<(&'s str, &'s Span)> {
        let members: BTreeSet<&String> =
            self.sets.values().filter_map(|s| s.members.as_ref()).flatten().collect();
        let known = |set: &Set| match set.family {
            Some(family) => given(family),
            None => Family::BOTH.into_iter().all(&given),
        };
        let unused = self
            .sets
            .iter()
            .filter(|(name, set)| known(set) && !named.contains(name.as_str()) && !members.contains(name));
        unused.filter_map(|(name, set)| Some((name.as_str(), set.head.as_ref()?))).collect()
    }

    /// What `--match-set NAME DIRECTIONS` says about packets of a family.
    pub fn content(&self, name: &str, directions: &[bool], family: Family) -> Content {
        if let Some(names) = self.names.get(name) {
            return match directions {
                [false] => Content::Names(names.clone()),
                _ => Content::Open,
            };
        }
        let mut parts = Vec::new();
        let mut single: Option<(Field, Ranges)> = None;
        if !self.gather(name, directions, family, 0, &mut parts, &mut single) {
            return Content::Open;
        }
        match single {
            Some((field, ranges)) if parts.is_empty() => Content::Field(field, ranges),
            Some((field, ranges)) => {
                parts.extend(Cube::all().with(field, &ranges).map(|cube| Part { cube, ..Part::default() }));
                Content::Parts(parts)
            }
            None if parts.is_empty() => Content::Field(Field::Destination, Ranges::empty()),
            None => Content::Parts(parts),
        }
    }

    /// Adds what a set holds; `false` when it is not known.
    fn gather(
        &self,
        name: &str,
        directions: &[bool],
        family: Family,
        depth: usize,
        parts: &mut Vec<Part>,
        single: &mut Option<(Field, Ranges)>,
    ) -> bool {
        // A list holds sets, never lists of lists; the bound keeps a faulty one from running forever.
        let Some(set) = self.sets.get(name).filter(|s| !s.changing && depth < 4) else { return false };
        if self.filled.contains(name) {
            return false;
        }
        if let Some(members) = &set.members {
            return !members.is_empty()
                && members.iter().all(|m| self.gather(m, directions, family, depth + 1, parts, single));
        }
        // A set of the other family, or with more parts than the rule names, matches nothing.
        if set.family.is_some_and(|f| f != family) || directions.len() < set.dimensions.len() {
            return true;
        }
        // A set that is declared empty waits to be filled.
        if set.entries.is_empty() {
            return false;
        }
        if set.dimensions == [Dimension::Address] {
            let field = if directions[0] { Field::Source } else { Field::Destination };
            let ranges = set.addresses();
            match single {
                None => *single = Some((field, ranges)),
                Some((_, all)) => *all = all.union(&ranges),
            }
            return true;
        }
        if set.entries.iter().any(|e| e.nomatch) || set.dimensions.contains(&Dimension::Other) {
            return false;
        }
        for entry in &set.entries {
            parts.extend(set.parts(entry, directions));
        }
        true
    }
}

fn create(line: &Line) -> Option<Set> {
    let kind = line.text(2);
    let (method, fields) = kind.split_once(':')?;
    let mut set = Set { family: Some(Family::V4), head: Some(line.span.clone()), ..Set::default() };
    if method == "list" {
        set.members = Some(Vec::new());
        set.family = None;
    } else {
        for field in fields.split(',') {
            set.dimensions.push(match field {
                "ip" | "net" => Dimension::Address,
                "port" => Dimension::Port,
                "iface" => Dimension::Interface,
                "mac" | "mark" => Dimension::Other,
                _ => return None,
            });
        }
    }
    if kind == "bitmap:port" {
        set.bare_ports = true;
        set.family = None;
    }
    if kind == "hash:mac" {
        set.family = None;
    }
    for at in 3..line.words.len() {
        match line.text(at) {
            "family" if line.text(at + 1) == "inet6" => set.family = Some(Family::V6),
            "netmask" => set.netmask = line.text(at + 1).parse().ok(),
            // Entries with a lifetime: what is in it now says nothing about later.
            "timeout" | "bitmask" => set.changing = true,
            _ => {}
        }
    }
    Some(set)
}

impl Set {
    fn entry(&mut self, line: &Line) -> Option<()> {
        let text = line.text(2);
        let (nomatch, wildcard) = (has(line, "nomatch"), has(line, "wildcard"));
        self.changing |=
            (3..line.words.len()).any(|at| line.text(at) == "timeout" && line.text(at + 1) != "0");
        if let Some(members) = &mut self.members {
            members.push(text.to_string());
            return Some(());
        }
        let words: Vec<&str> = text.split(',').collect();
        if words.len() != self.dimensions.len() {
            return None;
        }
        let family = self.family.unwrap_or(Family::V4);
        let mut values = Vec::new();
        for (dimension, word) in self.dimensions.iter().zip(words) {
            values.push(match dimension {
                Dimension::Address => match self.netmask {
                    Some(bits) => Value::Addresses(addresses(family, &format!("{word}/{bits}"))?),
                    None => Value::Addresses(addresses(family, word)?),
                },
                Dimension::Port => port(family, word)?,
                // A port of a bridge: no interface that rules see.
                Dimension::Interface if word.starts_with("physdev:") => {
                    self.changing = true;
                    Value::Other
                }
                Dimension::Interface if wildcard => Value::Interface(format!("{word}*")),
                Dimension::Interface => Value::Interface(word.to_string()),
                Dimension::Other => Value::Other,
            });
        }
        self.entries.push(Entry { values, nomatch });
        Some(())
    }

    /// The addresses of a set of one dimension. Of entries that hold an address the narrowest decides (ipset(8),
    /// nomatch).
    fn addresses(&self) -> Ranges {
        let own = |entry: &Entry| match entry.values.first() {
            Some(Value::Addresses(ranges)) => ranges.clone(),
            _ => Ranges::empty(),
        };
        if self.entries.iter().all(|e| !e.nomatch) {
            return self.entries.iter().flat_map(|e| own(e).as_slice().to_vec()).collect();
        }
        let mut sorted: Vec<(Ranges, bool)> = self.entries.iter().map(|e| (own(e), e.nomatch)).collect();
        let size = |r: &Ranges| r.as_slice().iter().fold(0u128, |n, (lo, hi)| n.saturating_add(hi - lo));
        sorted.sort_by_key(|(ranges, nomatch)| (std::cmp::Reverse(size(ranges)), *nomatch));
        sorted.iter().fold(Ranges::empty(), |all, (ranges, nomatch)| match nomatch {
            true => all.subtract(ranges),
            false => all.union(ranges),
        })
    }

    fn parts(&self, entry: &Entry, directions: &[bool]) -> Vec<Part> {
        let mut part = Part::default();
        let mut narrow = |field: Field, ranges: &Ranges| {
            match std::mem::take(&mut part.cube).with(field, ranges) {
                Some(cube) => part.cube = cube,
                None => return false,
            }
            true
        };
        let mut possible = true;
        let mut interfaces = Vec::new();
        for (value, source) in entry.values.iter().zip(directions) {
            match value {
                Value::Addresses(ranges) => {
                    possible &= narrow(if *source { Field::Source } else { Field::Destination }, ranges);
                }
                Value::Port(protocol, first, code) => {
                    let protocols = match self.bare_ports {
                        true => Ranges::from_unsorted(vec![(6, 6), (17, 17)]),
                        false => Ranges::single(protocol.0.into()),
                    };
                    possible &= narrow(Field::Protocol, &protocols);
                    match code {
                        Some(code) => {
                            possible &= narrow(Field::SourcePort, first);
                            possible &= narrow(Field::DestinationPort, code);
                        }
                        None => {
                            let field = if *source { Field::SourcePort } else { Field::DestinationPort };
                            possible &= narrow(field, first);
                        }
                    }
                }
                Value::Interface(name) => interfaces.push((name.clone(), *source)),
                Value::Other => {}
            }
        }
        for (name, source) in interfaces {
            *(if source { &mut part.input } else { &mut part.output }) = Some(name);
        }
        if possible { vec![part] } else { Vec::new() }
    }
}

fn has(line: &Line, option: &str) -> bool {
    (3..line.words.len()).any(|at| line.text(at) == option)
}

/// An address, a prefix or a range.
fn addresses(family: Family, word: &str) -> Option<Ranges> {
    if word.contains('-') {
        return span(family, word);
    }
    let net = parse_prefix(word).filter(|n| Family::of(n.addr()) == family)?;
    let (lo, hi) = prefix_range(&net.trunc());
    Some(Ranges::span(lo, hi))
}

/// `tcp:443`, `443`, `udp:1000-2000`, `icmp:echo-request`, `icmp:8/0`.
fn port(family: Family, word: &str) -> Option<Value> {
    let (name, rest) = word.split_once(':').unwrap_or(("tcp", word));
    let protocol = protocol(name)?;
    if protocol.is_icmp() {
        let (kind, code) = icmp(family, rest)?;
        return Some(Value::Port(protocol, kind, Some(code)));
    }
    let one = |text: &str| text.parse::<u16>().ok().or_else(|| service(text)).map(u128::from);
    let (lo, hi) = rest.split_once('-').unwrap_or((rest, rest));
    let (lo, hi) = (one(lo)?, one(hi)?);
    (lo <= hi).then(|| Value::Port(protocol, Ranges::span(lo, hi), None))
}
