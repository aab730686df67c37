//! Somebody's file, and what can be put into it or taken away.

use super::alias::Aliases;
use super::form::{AliasForm, Form, Identity, Line};
use super::known::Known;
use super::network::Network;
use super::render::{FIRST_TRACKER, Writer};
use super::tree::{El, Product, Tree};
use super::write::{Area, UNIT};
use crate::edit::{Desk, after_line, before_line, indent, insert, remove, whole_lines};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tillgate_model::Span;
use tillgate_ruleset::{Edit, Hook};

/// Rules that the user writes: the older kind, and the newer one of OPNsense.
pub const OLD_RULES: &str = "filter/rule";
pub const NEW_RULES: &str = "OPNsense/Firewall/Filter/rules/rule";

/// The highest number of a rule of the newer kind (opnsense/core, `Filter.xml`).
const MOST_SEQUENCE: i64 = 999_999;

/// A configuration to be changed.
pub struct Sheet<'a, 'd> {
    pub desk: &'a Desk<'a>,
    pub tree: &'a Tree<'d>,
    pub network: Network<'d>,
    known: Rc<Known>,
    unit: String,
    /// Whether the file tells its elements apart.
    uuids: bool,
}

/// Where rules are put.
pub struct Spot<'d> {
    /// Before this rule, or at the end.
    at: Option<El<'d>>,
    /// In its place.
    instead: bool,
    /// Rules of the older kind are asked before those of interfaces.
    floating: bool,
}

impl Spot<'_> {
    /// Whether it is behind all rules.
    pub fn is_end(&self) -> bool {
        self.at.is_none()
    }
}

impl<'a, 'd> Sheet<'a, 'd> {
    pub fn of(desk: &'a Desk<'a>, tree: &'a Tree<'d>) -> Self {
        let known = Rc::new(Known::of(&Aliases::of(tree, Network::of(tree))));
        let first = tree.roots.first().and_then(|root| root.children().next());
        let unit = first.map(|e| indent(&e.span())).filter(|i| !i.is_empty());
        let uuids = tree.roots.iter().any(|root| root.span().text().contains(" uuid=\""));
        let unit = unit.unwrap_or_else(|| UNIT.to_string());
        Sheet { desk, tree, network: Network::of(tree), known, unit, uuids }
    }

    /// Whether what no rule decides is decided at a place.
    pub fn is_default(&self, at: &Span) -> bool {
        self.desk.rules.bases.iter().any(|b| b.hook == Hook::Input && b.policy_span == *at)
    }

    /// The key of a device.
    pub fn key(&self, device: &str) -> Option<&str> {
        self.network.interfaces.iter().find(|(_, i)| i.device == device).map(|(key, _)| key.as_str())
    }

    /// Devices of the site that have a key, uplinks first.
    fn keys(&self) -> Vec<(String, String)> {
        let topology = &self.desk.intent.topology;
        let devices = topology.uplinks.iter().chain(topology.zones.iter().map(|z| &z.interface));
        devices.filter_map(|d| self.key(d).map(|key| (key.to_string(), d.clone()))).collect()
    }

    /// An element goes, and its lines where nothing else stands on them.
    pub fn remove(&self, element: El<'_>) -> Edit {
        let span = element.span();
        match alone(&span) {
            true => remove(&span),
            false => Edit { span, text: String::new() },
        }
    }

    /// White space in front of what stands inside an element.
    fn inside(&self, element: El<'_>) -> String {
        indent(&element.span()) + &self.unit
    }

    /// Lines at the end of an element.
    pub fn append(&self, element: El<'_>, lines: &str) -> Edit {
        let span = element.span();
        let (text, own) = (span.text(), indent(&span));
        if let Some(open) = text.strip_suffix("/>") {
            let text = format!("{}>\n{lines}{own}</{}>", open.trim_end(), element.name());
            return Edit { span, text };
        }
        let close = span.start as usize + text.rfind("</").unwrap_or(text.len());
        let close = Span::new(&span.file, close, close);
        match indent(&close).len() == (close.start - before_line(&close).start) as usize {
            true => insert(before_line(&close), lines.to_string()),
            false => insert(close, format!("\n{lines}{own}")),
        }
    }

    /// One line more at the end of an element.
    pub fn append_line(&self, element: El<'_>, line: &str) -> Edit {
        self.append(element, &format!("{}{line}\n", self.inside(element)))
    }

    /// One line more before an element.
    pub fn before(&self, element: El<'_>, line: &str) -> Edit {
        let margin = indent(&element.span());
        self.beside_element(element, false, format!("{margin}{line}\n"))
    }

    /// Elements at the end of a section, which is made where there is none. `None` where the file has no place for it.
    pub fn put(&self, path: &str, write: impl FnOnce(&mut Area)) -> Option<Edit> {
        let names: Vec<&str> = path.split('/').collect();
        let there = |count: &usize| self.tree.one(&names.get(..*count)?.join("/"));
        let (parent, made) = match (1..=names.len()).rev().find_map(|n| there(&n).map(|e| (e, n))) {
            Some((parent, count)) => (parent, names.get(count..)?),
            None => {
                let whole = |root: &&El<'_>| matches!(root.name(), "opnsense" | "pfsense");
                (*self.tree.roots.iter().find(whole)?, names.as_slice())
            }
        };
        let mut out = Area::beside(&self.inside(parent), &self.unit);
        made.iter().for_each(|name| out.open(name));
        write(&mut out);
        made.iter().rev().for_each(|name| out.close(name));
        Some(self.append(parent, &out.text()))
    }

    /// An element of a section gets this form, or is added.
    pub fn set(&self, path: &str, name: &str, form: &str) -> Option<Edit> {
        match self.tree.one(path).and_then(|e| e.child(name)) {
            Some(old) => Some(Edit { span: old.span(), text: form.to_string() }),
            None => self.put(path, |out| out.line(form)),
        }
    }

    /// The place before a rule, or its own.
    pub fn beside(&self, rule: El<'d>, instead: bool) -> Spot<'d> {
        let group = self.network.is_group(rule.get("interface").unwrap_or(""));
        let floating = rule.path() == OLD_RULES && (rule.there("floating") || group);
        Spot { at: Some(rule), instead, floating }
    }

    /// The place before all rules of the older kind.
    pub fn first(&self) -> Spot<'d> {
        Spot { at: self.tree.one(OLD_RULES), instead: false, floating: true }
    }

    /// The place before all rules of an interface.
    pub fn first_on(&self, key: &str) -> Spot<'d> {
        let here = |r: &El<'_>| r.get("interface") == Some(key) && !r.on("interfacenot");
        let new = self.tree.all(NEW_RULES).into_iter().filter(here).min_by_key(sequence);
        let old = || self.tree.all(OLD_RULES).into_iter().find(|r| here(r) && !r.there("floating"));
        let Some(rule) = new.or_else(old) else { return self.end() };
        self.beside(rule, false)
    }

    /// The place behind all rules.
    pub fn end(&self) -> Spot<'d> {
        Spot { at: None, instead: false, floating: false }
    }

    /// Lines before an element, or in its place.
    fn beside_element(&self, element: El<'_>, instead: bool, lines: String) -> Edit {
        let span = element.span();
        match (instead, alone(&span)) {
            (true, true) => Edit { span: whole_lines(&span), text: lines },
            (true, false) => Edit { span, text: lines },
            (false, true) => insert(before_line(&span), lines),
            (false, false) => insert(Span::new(&span.file, span.start as usize, span.start as usize), lines),
        }
    }
}

/// Where a rule of the newer kind stands.
fn sequence(rule: &El<'_>) -> i64 {
    rule.get("sequence").and_then(|s| s.parse().ok()).unwrap_or(0)
}

/// Whether an element has its lines to itself.
fn alone(span: &Span) -> bool {
    let lines = whole_lines(span);
    let before = span.file.text.get(lines.start as usize..span.start as usize);
    let behind = span.file.text.get(span.end as usize..lines.end as usize);
    [before, behind].into_iter().flatten().all(|text| text.trim().is_empty())
}

/// A change while it is written.
pub struct Draft<'s, 'a, 'd> {
    sheet: &'s Sheet<'a, 'd>,
    pub writer: Writer<'a>,
    edits: Vec<Edit>,
    /// The file has no place for something.
    failed: bool,
    trackers: BTreeSet<u32>,
    uuids: BTreeSet<String>,
}

impl<'s, 'a, 'd> Draft<'s, 'a, 'd> {
    pub fn new(sheet: &'s Sheet<'a, 'd>) -> Self {
        let known = Rc::clone(&sheet.known);
        let writer = Writer::with(sheet.desk.intent, sheet.tree.product, sheet.keys(), known);
        let rules = sheet.tree.all(OLD_RULES);
        let trackers = rules.iter().filter_map(|r| r.get("tracker")?.parse().ok()).collect();
        Draft { sheet, writer, edits: Vec::new(), failed: false, trackers, uuids: BTreeSet::new() }
    }

    pub fn add(&mut self, edits: impl IntoIterator<Item = Edit>) {
        self.edits.extend(edits);
    }

    /// Writes rules in the form of those at a place.
    pub fn rules(&mut self, spot: &Spot<'_>, mut lines: Vec<Line>) {
        let sheet = self.sheet;
        let all = sheet.tree.all(NEW_RULES);
        let new = match spot.at {
            Some(rule) => rule.path() == NEW_RULES,
            None => !all.is_empty() && sheet.tree.one(OLD_RULES).is_none(),
        };
        if let Some(rule) = spot.at.filter(|_| new) {
            like(rule, sheet, &mut lines);
        }
        let (product, floating) = (sheet.tree.product, spot.floating);
        let form = |base: &str| Form { product, new, floating, base: base.into(), unit: sheet.unit.clone() };
        let numbers = Numbers::of(&all, spot.at, lines.len() as i64);
        let mut write = |form: Form| -> String {
            let mut out = String::new();
            for (line, place) in lines.iter().zip(0..) {
                let tracker = (product == Product::PfSense).then(|| self.tracker());
                let mut identity = Identity { tracker, uuid: None, sequence: numbers.at(place) };
                if new || product == Product::OPNsense && sheet.uuids {
                    identity.uuid = Some(self.uuid(&form.rule(line, &identity)));
                }
                out.push_str(&form.rule(line, &identity));
            }
            out
        };
        let edit = match spot.at {
            Some(rule) => {
                let text = write(form(&indent(&rule.span())));
                Some(sheet.beside_element(rule, spot.instead, text))
            }
            None => {
                let path = if new { NEW_RULES } else { OLD_RULES };
                match sheet.tree.all(path).last().map(|rule| rule.span()).filter(alone) {
                    Some(last) => Some(insert(after_line(&last), write(form(&indent(&last))))),
                    None => {
                        let section = path.strip_suffix("/rule").unwrap_or(path);
                        sheet.put(section, |out| {
                            let text = write(form(&out.margin()));
                            out.raw(&text);
                        })
                    }
                }
            }
        };
        match edit {
            Some(edit) => self.edits.push(edit),
            None => self.failed = true,
        }
    }

    /// The whole change with the aliases it needs; empty where something has no place.
    pub fn finish(mut self) -> Vec<Edit> {
        let aliases: BTreeMap<String, (&str, Vec<String>)> = self
            .writer
            .aliases
            .iter()
            .map(|((kind, items), name)| (name.clone(), (*kind, items.clone())))
            .collect();
        if self.failed || aliases.is_empty() || self.edits.is_empty() {
            return if self.failed { Vec::new() } else { self.edits };
        }
        let sheet = self.sheet;
        let own = "OPNsense/Firewall/Alias/aliases";
        let old = sheet.tree.product == Product::PfSense
            || sheet.tree.one(own).is_none() && sheet.tree.one("aliases").is_some();
        let place = sheet.put(if old { "aliases" } else { own }, |out| {
            for (name, (kind, items)) in &aliases {
                let uuid = (!old && sheet.uuids).then(|| self.uuid(name));
                AliasForm { new: !old, uuid: uuid.as_deref() }.write(out, name, kind, items);
            }
        });
        match place {
            Some(edit) => self.edits.push(edit),
            None => self.edits.clear(),
        }
        self.edits
    }

    fn tracker(&mut self) -> u32 {
        let free = (FIRST_TRACKER..).find(|n| !self.trackers.contains(n)).unwrap_or(FIRST_TRACKER);
        self.trackers.insert(free);
        free
    }

    /// An identity that no element has: the same for the same element of the same file.
    fn uuid(&mut self, element: &str) -> String {
        for salt in 0u32.. {
            let uuid = uuid(element, salt);
            let there = |root: &El<'_>| root.span().text().contains(&uuid);
            if !self.sheet.tree.roots.iter().any(there) && self.uuids.insert(uuid.clone()) {
                return uuid;
            }
        }
        String::new()
    }
}

/// Rules of the newer kind are asked with those of their interfaces: what is to precede one with several interfaces has
/// the same.
fn like(rule: El<'_>, sheet: &Sheet<'_, '_>, lines: &mut Vec<Line>) {
    let interface = rule.get("interface").unwrap_or("");
    let inverted = rule.on("interfacenot");
    if !(interface.is_empty() || interface.contains(',') || inverted || sheet.network.is_group(interface)) {
        return;
    }
    let mut kept: Vec<Line> = Vec::new();
    for mut line in lines.drain(..) {
        line.interface = interface.to_string();
        line.inverted = inverted;
        if !kept.contains(&line) {
            kept.push(line);
        }
    }
    *lines = kept;
}

/// Numbers of new rules of the newer kind.
struct Numbers {
    first: i64,
    /// Each has one of its own: without room all have that of the rule they stand before, where the file's order counts.
    own: bool,
}

impl Numbers {
    /// So many right before a rule, or behind all.
    fn of(all: &[El<'_>], at: Option<El<'_>>, count: i64) -> Self {
        let numbers = all.iter().map(sequence);
        let Some(next) = at.map(|rule| sequence(&rule)) else {
            let last = numbers.max().unwrap_or(0);
            let own = last + count <= MOST_SEQUENCE;
            return Numbers { first: if own { last + 1 } else { last }, own };
        };
        let before = numbers.filter(|n| *n < next).max().unwrap_or(0);
        let alone = all.iter().filter(|r| sequence(r) == next).count() < 2;
        let own = alone && next - before > count;
        Numbers { first: if own { next - count } else { next }, own }
    }

    fn at(&self, place: i64) -> i64 {
        if self.own { self.first + place } else { self.first }
    }
}

/// In the form of a random one (RFC 9562), made of what it stands for.
fn uuid(element: &str, salt: u32) -> String {
    // FNV-1a, with one offset for each half.
    let hash = |offset: u64| {
        let bytes = element.bytes().chain(salt.to_be_bytes());
        bytes.fold(offset, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let bits = (u128::from(hash(0xcbf2_9ce4_8422_2325)) << 64) | u128::from(hash(0x6c62_272e_07bb_0142));
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xffff,
        bits >> 48 & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn an_identity_has_the_form_of_a_random_one() {
        let one = uuid("<rule>", 0);
        assert_eq!((one.len(), one.get(14..15)), (36, Some("4")));
        assert!(one.get(19..20).is_some_and(|c| "89ab".contains(c)));
        assert_ne!(one, uuid("<rule>", 1));
    }
}
