//! Sets of addresses and ports: `config ipset` of the firewall, and how rules use them.
//!
//! openwrt.org, "Firewall configuration", IP sets; `parse_ipset` and `map_setmatch` of firewall4.

use super::network::Networks;
use super::resolver::SetNames;
use super::select::{any_of, doubt};
use super::uci::{Package, Section};
use super::values::{self, Subnet};
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, Family, Ranges, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Match, NameSet, Term};

/// Most boxes of a set of several columns; more are not looked into.
const MOST_BOXES: usize = 1024;

/// A column of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Address,
    Port,
    Mac,
}

#[derive(Clone, Debug)]
enum Content {
    /// One column.
    Values(Ranges),
    /// Several.
    Boxes(Vec<Vec<(u128, u128)>>),
    /// What a resolver finds for these names.
    Names(Vec<String>),
    /// Something fills it.
    Open,
}

/// A set.
#[derive(Debug)]
pub struct Set {
    name: String,
    family: Option<Family>,
    /// Each column with whether it is the source's.
    columns: Vec<(Column, bool)>,
    content: Content,
}

/// All sets by name.
pub type Sets = BTreeMap<String, Arc<Set>>;

/// Reads the sets that are in force.
pub fn sets(
    sections: &[Section],
    networks: &Networks<'_>,
    names: &SetNames,
    diagnostics: &mut Vec<Diagnostic>,
) -> Sets {
    let mut out = Sets::new();
    let own = |s: &&Section| s.package == Package::Firewall && s.kind == "ipset" && !s.has("domain");
    for section in sections.iter().filter(own) {
        if section.text("enabled").and_then(values::boolean) == Some(false) {
            continue;
        }
        match set(section, networks, names) {
            // The first one of a name counts.
            Ok(set) => {
                out.entry(set.name.clone()).or_insert(Arc::new(set));
            }
            Err((option, value)) => {
                let text = match value {
                    Some(value) => Text::new("bad-value").arg("value", value),
                    None => Text::new("openwrt-missing").arg("option", option),
                };
                diagnostics.push(Diagnostic::error(section.place(option), text));
            }
        }
    }
    out
}

fn set(
    section: &Section,
    networks: &Networks<'_>,
    names: &SetNames,
) -> Result<Set, (&'static str, Option<String>)> {
    let bad = |option: &'static str, value: &str| (option, Some(value.to_string()));
    let name = section.text("name").or(section.name.as_deref()).ok_or(("name", None))?.to_string();
    let family = match section.text("family") {
        None => Some(Family::V4),
        Some(text) => values::family(text).ok_or_else(|| bad("family", text))?,
    };
    let mut columns = Vec::new();
    for word in section.words("match") {
        let (source, kind) = match word.split_once('_') {
            Some(("src", kind)) => (true, kind),
            Some(("dst" | "dest", kind)) => (false, kind),
            _ => (true, word),
        };
        let column = match values::choice(kind, &["ip", "port", "mac", "net"]) {
            Some("ip" | "net") => Column::Address,
            Some("port") => Column::Port,
            Some(_) => Column::Mac,
            None => return Err(bad("match", word)),
        };
        columns.push((column, source));
    }
    if columns.is_empty() {
        return Err(("match", None));
    }
    let by_address = columns.iter().any(|(c, _)| *c == Column::Address);
    if by_address && family.is_none() {
        return Err(bad("family", section.text("family").unwrap_or("")));
    }
    let mut rows = Vec::new();
    for entry in section.elements("entry") {
        let cells: Vec<&str> = entry.split_whitespace().collect();
        let cell = |((column, _), text): (&(Column, bool), &&str)| match column {
            Column::Address => match values::subnet(text) {
                Some(Subnet::Range(f, lo, hi)) if Some(f) == family => Some((lo, hi)),
                Some(_) => None,
                None => {
                    let known = networks.addresses(text)?;
                    let ranges = super::network::of_family(&known.subnets, family?);
                    ranges.as_slice().first().copied()
                }
            },
            Column::Port => values::ports(text).map(|(lo, hi)| (lo.into(), hi.into())),
            Column::Mac => Some((0, 0)),
        };
        let row: Option<Vec<_>> = columns.iter().zip(&cells).map(cell).collect();
        match row.filter(|_| cells.len() == columns.len()) {
            Some(row) => rows.push(row),
            None => return Err(bad("entry", entry)),
        }
    }
    let filled = ["loadfile", "external"].iter().any(|o| section.has(o))
        || section.text("timeout").is_some_and(|t| !t.starts_with('-'))
        || columns.iter().any(|(c, _)| *c == Column::Mac);
    let content = match names.names(&name) {
        Some(names) if rows.is_empty() && !filled && columns.len() == 1 && by_address => {
            Content::Names(names)
        }
        Some(_) => Content::Open,
        None if filled || rows.is_empty() => Content::Open,
        None if columns.len() == 1 => Content::Values(rows.into_iter().flatten().collect()),
        None if rows.len() > MOST_BOXES => Content::Open,
        None => Content::Boxes(rows),
    };
    let content = if names.whole(&name) { content } else { Content::Open };
    let family = family.filter(|_| by_address || section.has("family"));
    Ok(Set { name, family, columns, content })
}

/// How a rule uses a set.
#[derive(Clone, Debug)]
pub struct Use {
    set: Arc<Set>,
    negate: bool,
    /// Per column, whether it is the source's.
    sources: Vec<bool>,
    /// The family the set binds its rule to.
    pub family: Option<Family>,
}

impl Use {
    /// Reads `[!]name [direction…]`; `Err` is the name of a set that does not exist.
    pub fn of<'t>(text: &'t str, sets: &Sets) -> Result<Self, &'t str> {
        let (negate, text) = values::negation(text);
        let mut words = text.split([' ', '\t', ',']).filter(|w| !w.is_empty());
        let name = words.next().unwrap_or("");
        let set = Arc::clone(sets.get(name).ok_or(name)?);
        let mut sources: Vec<bool> = set.columns.iter().map(|(_, source)| *source).collect();
        for (source, word) in sources.iter_mut().zip(words) {
            match word {
                "src" => *source = true,
                "dst" | "dest" => *source = false,
                _ => {}
            }
        }
        Ok(Use { family: set.family, set, negate, sources })
    }

    /// The set's name.
    pub fn name(&self) -> &str {
        &self.set.name
    }

    /// Whether it looks at ports.
    pub fn by_port(&self) -> bool {
        self.set.columns.iter().any(|(column, _)| *column == Column::Port)
    }

    /// Narrows a match; `with_ports` when its protocol has ports.
    pub fn narrow(&self, when: &mut Match, with_ports: bool) {
        let columns = || self.set.columns.iter().map(|(column, _)| *column).zip(self.sources.iter().copied());
        let field = |(column, source): (Column, bool)| match (column, source) {
            (Column::Port, true) => Field::SourcePort,
            (Column::Port, false) => Field::DestinationPort,
            (_, true) => Field::Source,
            (_, false) => Field::Destination,
        };
        if !with_ports && self.by_port() {
            return when.doubts.push(doubt("ipset"));
        }
        match (&self.set.content, columns().next()) {
            (Content::Values(ranges), Some(one)) => {
                let most =
                    if one.0 == Column::Port { 65535 } else { self.family.map_or(0, Family::max_address) };
                let ranges = if self.negate { ranges.complement(most) } else { ranges.clone() };
                when.narrow(field(one), &ranges);
            }
            (Content::Boxes(rows), _) => {
                let cube = |row: &Vec<(u128, u128)>| {
                    let each = columns().map(field).zip(row);
                    each.into_iter().try_fold(Cube::all(), |cube, (field, (lo, hi))| {
                        cube.with(field, &Ranges::span(*lo, *hi))
                    })
                };
                when.terms.push(any_of(rows.iter().filter_map(cube).collect(), self.negate));
            }
            (Content::Names(names), Some((_, false))) if !self.negate => {
                when.terms.push(Term::Names(NameSet::zones(names)));
            }
            _ => when.doubts.push(Text::new("not-modelled-set").arg("set", &self.set.name)),
        }
    }
}
