//! Permissions written into lists that somebody else has numbered.

use super::edit::{Sheet, Spot, old};
use super::numbers::{Where, numbers};
use super::page::Line;
use super::render::{Group, Writer, fresh, word};
use super::tree::At;
use crate::edit::permissions;
use crate::permits::{Permit, Target};
use std::collections::{BTreeMap, BTreeSet};
use tillgate_intent::{Flow, Side};
use tillgate_model::{Family, Ranges, Span, address_from_bits, range_to_prefixes};
use tillgate_ruleset::Edit;

/// Most addresses of a group that are compared one by one.
const COMPARED: u128 = 256;

/// A list of rules that decides what passes.
pub struct List<'t> {
    pub path: Vec<&'t str>,
    pub family: Family,
    /// For the firewall itself, or through it; a set may be used for either.
    local: Option<bool>,
    /// Pairs of zones use it: they know the interfaces.
    zoned: bool,
}

impl<'t> List<'t> {
    /// A list by its path; `None` for those that other packets meet.
    pub fn of(root: At<'_>, path: Vec<&'t str>) -> Option<Self> {
        let (family, local) = match path.as_slice() {
            ["firewall", family @ ("ipv4" | "ipv6"), list, name] => {
                let local = match (*list, *name) {
                    ("name", _) => None,
                    ("forward", "filter") => Some(false),
                    ("input", "filter") => Some(true),
                    _ => return None,
                };
                (if *family == "ipv4" { Family::V4 } else { Family::V6 }, local)
            }
            ["firewall", "name", _] => (Family::V4, None),
            ["firewall", "ipv6-name", _] => (Family::V6, None),
            _ => return None,
        };
        let name = path.last().filter(|_| local.is_none());
        let word = if family == Family::V4 { "name" } else { "ipv6-name" };
        let pairs = root.path(&["firewall", "zone"]).into_iter().flat_map(At::children);
        let zoned = name.is_some_and(|name| {
            pairs
                .flat_map(|zone| zone.values("from"))
                .any(|from| from.child("firewall").and_then(|f| f.value(word)) == Some(name))
        });
        Some(List { path, family, local, zoned })
    }
}

/// The numbers of a list's rules.
fn known(sheet: &Sheet<'_, '_>, list: &List<'_>) -> Vec<u32> {
    let rules = sheet.root.path(&list.path).map(|at| at.numbered("rule")).unwrap_or_default();
    rules.iter().map(|(number, _)| *number).collect()
}

/// New rules in a list, each as the words it says, with more lines beside them.
pub fn rules(
    sheet: &Sheet<'_, '_>,
    list: &List<'_>,
    place: Where,
    rules: &[Vec<String>],
    beside: &[Line],
) -> Vec<Vec<Edit>> {
    let known = known(sheet, list);
    let most = if sheet.edge() { 9999 } else { 999_999 };
    let mut out = Vec::new();
    for found in numbers(&known, place, rules.len() as u32, most) {
        let mut lines = beside.to_vec();
        for (number, words) in found.new.iter().zip(rules) {
            let number_word = number.to_string();
            let path: Vec<&str> = list.path.iter().copied().chain(["rule", &number_word]).collect();
            for word in words {
                let line = Line::of(&path, word);
                lines.push(match (found.moved.is_empty(), found.new.first()) {
                    (false, Some(first)) => line.near(list.path.len() + 1, first.saturating_sub(1)),
                    _ => line,
                });
            }
        }
        let gone = match place {
            Where::Instead(number) => number.to_string(),
            _ => String::new(),
        };
        let gone: Vec<&str> = match gone.as_str() {
            "" => Vec::new(),
            gone => list.path.iter().copied().chain(["rule", gone]).collect(),
        };
        let new = sheet.page.with(&lines, &gone);
        if new.is_empty() {
            continue;
        }
        let mut edits = if gone.is_empty() { Vec::new() } else { sheet.page.replaced(&gone) };
        edits.extend(new);
        edits.extend(found.moved.iter().flat_map(|(from, to)| sheet.page.renumbered(&list.path, *from, *to)));
        out.push(edits);
    }
    out
}

/// A writer that knows the groups there are.
pub fn writer<'a>(sheet: &Sheet<'a, '_>) -> Writer<'a> {
    let mut out = Writer::new(sheet.desk.intent);
    let kinds = sheet.root.path(&["firewall", "group"]).into_iter().flat_map(At::children);
    for (kind, name) in kinds.flat_map(|kind| kind.children().map(move |at| (kind.name(), at.name()))) {
        out.taken.insert(name.to_string(), 1);
        let Some(members) = sheet.around.members(kind, name).filter(|m| !m.open) else { continue };
        let few = members.ranges.as_slice().iter().all(|(lo, hi)| hi - lo < COMPARED);
        let family = if kind.starts_with("ipv6-") { Family::V6 } else { Family::V4 };
        let group = match kind {
            "address-group" | "ipv6-address-group" if few => {
                let all = members.ranges.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi);
                Group::Addresses(family, all.map(|a| address_from_bits(family, a).to_string()).collect())
            }
            "network-group" | "ipv6-network-group" => {
                Group::Networks(family, prefixes(family, &members.ranges))
            }
            "domain-group" => Group::Names(members.words.clone()),
            "interface-group" => Group::Interfaces(members.words.clone()),
            _ => continue,
        };
        out.groups.entry(group).or_insert_with(|| name.to_string());
    }
    out
}

fn prefixes(family: Family, ranges: &Ranges) -> Vec<String> {
    let all = ranges.as_slice().iter().flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi));
    all.map(|net| net.to_string()).collect()
}

/// The lines of groups that rules name and nobody had.
pub fn groups(sheet: &Sheet<'_, '_>, writer: &Writer<'_>, rules: &[Vec<String>]) -> Vec<Line> {
    let said = rules.iter().flatten().filter(|w| w.contains("group ")).filter_map(|w| w.split('\'').nth(1));
    let named: BTreeSet<&str> = said.map(|name| name.trim_start_matches('!')).collect();
    let mut out = Vec::new();
    for (group, name) in writer.groups.iter().filter(|(_, name)| named.contains(name.as_str())) {
        let (kind, member) = group.words();
        let path = ["firewall", "group", kind, name];
        if sheet.root.path(&path).is_none() {
            out.extend(group.members().iter().map(|value| Line::of(&path, &format!("{member} '{value}'"))));
        }
    }
    out
}

/// How much a rule says of where a packet goes.
#[derive(Clone, Copy)]
pub struct Manner {
    pub interfaces: bool,
    /// Only what is public is the internet.
    pub public: bool,
    pub old: bool,
}

/// Rules for permissions, as a list says them.
pub fn said(writer: &mut Writer<'_>, permits: &[Permit], manner: Manner) -> Option<Vec<Vec<String>>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    for permit in permits {
        let mut permit = permit.clone();
        let names = matches!(permit.target, Target::Names(_)) && manner.old;
        if names || (permit.target == Target::Any && permit.to == Some(Side::Uplinks)) {
            permit.target = if manner.public { Target::Public } else { Target::Any };
        }
        let mut words = writer.rule(&permit).ok()?;
        let ends = ["inbound-interface ", "outbound-interface "];
        words.retain(|w| manner.interfaces || !ends.iter().any(|end| w.starts_with(end)));
        words.sort();
        if !out.contains(&words) {
            out.push(words);
        }
    }
    Some(out)
}

/// Permissions before a rule, in its place, or before what a list does by default.
pub fn permit(
    sheet: &Sheet<'_, '_>,
    at: &Span,
    instead: bool,
    flows: &[&Flow],
    internet: &[usize],
) -> Vec<Vec<Edit>> {
    let (local, forward) = permissions(sheet.desk.intent, flows, internet);
    for spot in sheet.spots(at) {
        let (path, number) = match spot {
            Spot::Rule(list, number) => (list, Some(number)),
            Spot::List(list) => (list, None),
            Spot::Zone(zone) => return pairs(sheet, &zone, &local, &forward),
            _ => continue,
        };
        let Some(list) = List::of(sheet.root, path) else { continue };
        let both = [(true, &local), (false, &forward)];
        let fits = both.into_iter().filter(|(side, _)| list.local.is_none_or(|l| l == *side));
        let permits: Vec<Permit> =
            fits.flat_map(|(_, all)| all).filter(|p| p.family == list.family).cloned().collect();
        if permits.is_empty() {
            continue;
        }
        return in_list(sheet, &list, number, instead, &permits);
    }
    Vec::new()
}

fn in_list(
    sheet: &Sheet<'_, '_>,
    list: &List<'_>,
    number: Option<u32>,
    instead: bool,
    permits: &[Permit],
) -> Vec<Vec<Edit>> {
    let old = old(&list.path);
    let manner = |interfaces, public| Manner { interfaces, public, old };
    let manners = match (old, list.zoned) {
        // Rules of old releases know no interfaces.
        (true, _) => vec![manner(false, false), manner(false, true)],
        (false, true) => vec![manner(false, false), manner(true, false)],
        (false, false) => vec![manner(true, false)],
    };
    let place = match (number, instead) {
        (Some(number), true) => Where::Instead(number),
        (Some(number), false) => Where::Before(number),
        (None, _) => Where::End,
    };
    let (mut out, mut last) = (Vec::new(), Vec::new());
    for manner in manners {
        let mut writer = writer(sheet);
        let Some(mut new) = said(&mut writer, permits, manner) else { continue };
        let (mut edits, mut lines) = (Vec::new(), groups(sheet, &writer, &new));
        if instead && number.is_none() {
            sheet.denying(&list.path, &mut edits, &mut lines);
            if !answers(sheet, list) {
                new.insert(0, answering(old));
            }
        }
        for way in rules(sheet, list, place, &new, &lines) {
            out.push(edits.iter().cloned().chain(way).collect());
        }
        // Where nothing lets answers back, a flow needs that too.
        if !answered(sheet.root) {
            lines.extend(everywhere(old));
            for way in rules(sheet, list, place, &new, &lines) {
                last.push(edits.iter().cloned().chain(way).collect());
            }
        }
    }
    out.extend(last);
    out
}

/// The words of a rule that lets answers pass.
pub fn answering(old: bool) -> Vec<String> {
    let words = match old {
        true => ["action 'accept'", "state established 'enable'", "state related 'enable'"],
        false => ["action 'accept'", "state 'established'", "state 'related'"],
    };
    words.map(str::to_string).to_vec()
}

/// Whether answers pass before every list.
fn answered(root: At<'_>) -> bool {
    let policies = [&["firewall", "state-policy"][..], &["firewall", "global-options", "state-policy"]];
    policies
        .iter()
        .filter_map(|path| root.path(path)?.child("established"))
        .any(|at| at.value("action") == Some("accept"))
}

/// Whether answers pass before the end of a list.
fn answers(sheet: &Sheet<'_, '_>, list: &List<'_>) -> bool {
    let rules = sheet.root.path(&list.path).into_iter().flat_map(|at| at.values("rule"));
    answered(sheet.root)
        || rules.filter(|r| !r.has("disable") && r.value("action") == Some("accept")).any(|rule| {
            rule.values("state")
                .any(|at| at.name().split(',').any(|w| w == "established") && !at.has("disable"))
        })
}

/// Answers pass: by a rule of the list, or before every list.
pub fn established(sheet: &Sheet<'_, '_>, at: &Span) -> Vec<Vec<Edit>> {
    let mut out = Vec::new();
    let mut former = !sheet.around.modern;
    for spot in sheet.spots(at) {
        let (path, number) = match spot {
            Spot::Rule(list, number) => (list, Some(number)),
            Spot::List(list) => (list, None),
            _ => continue,
        };
        let Some(list) = List::of(sheet.root, path) else { continue };
        former = old(&list.path);
        let new = [answering(former)];
        // As far up as there is room.
        let known = known(sheet, &list);
        let before = |n: usize| n.checked_sub(1).and_then(|n| known.get(n)).copied().unwrap_or(0);
        let gap =
            known.iter().enumerate().find(|(n, number)| **number > before(*n) + 1).map(|(_, number)| *number);
        let places = gap.into_iter().chain(number).map(Where::Before);
        for place in places.chain([Where::Head]) {
            out.extend(rules(sheet, &list, place, &new, &[]));
        }
    }
    out.push(sheet.page.with(&everywhere(former), &[]));
    // What moves other rules comes last.
    out.sort_by_key(Vec::len);
    out
}

/// Answers pass before every list.
fn everywhere(old: bool) -> Vec<Line> {
    let mut out = Vec::new();
    for state in ["established", "related"] {
        let path: &[&str] = match old {
            true => &["firewall", "state-policy", state],
            false => &["firewall", "global-options", "state-policy", state],
        };
        out.push(Line::of(path, "action 'accept'"));
    }
    out
}

/// As much of a zone's name as fits into that of a set.
pub fn short(zone: &str) -> String {
    zone.chars().take(10).collect()
}

/// A new set: answers and these rules pass, the rest is denied and logged.
pub fn set_of(path: &[&str], rules: &[Vec<String>]) -> Vec<Line> {
    let old = old(path);
    let log = if old { "enable-default-log" } else { "default-log" };
    let mut out = vec![Line::of(path, "default-action 'drop'"), Line::of(path, log)];
    for (at, words) in std::iter::once(&answering(old)).chain(rules).enumerate() {
        let number = ((at + 1) * 10).to_string();
        let rule: Vec<&str> = path.iter().copied().chain(["rule", &number]).collect();
        out.extend(words.iter().map(|word| Line::of(&rule, word)));
    }
    out
}

/// The names of all sets.
pub fn sets(root: At<'_>) -> BTreeMap<String, usize> {
    let firewall = root.child("firewall").into_iter();
    let all = firewall.flat_map(|f| {
        let modern =
            ["ipv4", "ipv6"].into_iter().filter_map(move |w| f.child(w)).flat_map(|f| f.values("name"));
        modern.chain(f.values("name")).chain(f.values("ipv6-name"))
    });
    all.map(|set| (set.name().to_string(), 1)).collect()
}

/// Permissions to a zone from others that name no set for it: they get one.
fn pairs(sheet: &Sheet<'_, '_>, zone: &[&str], local: &[Permit], forward: &[Permit]) -> Vec<Vec<Edit>> {
    let (Some(node), Some(name)) = (sheet.root.path(zone), zone.last()) else { return Vec::new() };
    let old = old(zone);
    let inside = |zone: At<'_>, interface: &str| {
        let member = zone.child("member").into_iter();
        zone.values("interface")
            .chain(member.flat_map(|m| m.values("interface")))
            .any(|i| i.name() == interface)
    };
    let Some(zones) = zone.get(..2).and_then(|path| sheet.root.path(path)) else { return Vec::new() };
    let all = if node.has("local-zone") { local } else { forward };
    let mut by_pair: BTreeMap<(&str, Family), Vec<Permit>> = BTreeMap::new();
    for permit in all {
        let whole = |side: Side, zone: At<'_>| {
            Permit::interfaces(side, sheet.desk.intent).iter().all(|i| inside(zone, i))
        };
        if permit.to.is_some_and(|to| !whole(to, node)) {
            continue;
        }
        let Some(from) = zones.children().find(|zone| whole(permit.from, *zone)) else { continue };
        by_pair.entry((from.name(), permit.family)).or_default().push(permit.clone());
    }
    let mut taken = sets(sheet.root);
    let mut writer = writer(sheet);
    let mut lines = Vec::new();
    for ((from, family), permits) in by_pair {
        let kind = if family == Family::V4 { "name" } else { "ipv6-name" };
        let Some(new) = said(&mut writer, &permits, Manner { interfaces: false, public: false, old }) else {
            continue;
        };
        let six = if family == Family::V6 { "-6" } else { "" };
        let set = fresh(&format!("{}-{}{six}", short(from), short(name)), &mut taken);
        let path = match old {
            true => vec!["firewall", kind, &set],
            false => vec!["firewall", word(family), "name", &set],
        };
        lines.extend(groups(sheet, &writer, &new));
        lines.extend(set_of(&path, &new));
        let pair: Vec<&str> = zone.iter().copied().chain(["from", from, "firewall", kind]).collect();
        lines.push(Line::of(&pair, &format!("'{set}'")));
    }
    if lines.is_empty() {
        return Vec::new();
    }
    let with_answers: Vec<Line> = lines.iter().cloned().chain(everywhere(old)).collect();
    vec![sheet.page.with(&lines, &[]), sheet.page.with(&with_answers, &[])]
}
