//! Classes, policies and zone pairs written into somebody's configuration.

use super::config::{Asked, Deed, Item, Pair, Policy};
use super::pairs;
use super::removal::chosen;
use super::render::{inspected, is_lease};
use super::sheet::{Names, Sheet, Thing};
use super::text::{entries, remark};
use crate::permits::{Permit, Service};
use std::collections::BTreeMap;
use std::fmt::Write;
use tillgate_intent::Side;
use tillgate_model::{Family, Protocol};
use tillgate_ruleset::Edit;

/// A class and what is done with it.
pub type Part = (String, &'static str);

/// The zones between which a permission passes.
pub fn ends(sheet: &Sheet<'_>, permit: &Permit) -> Option<(String, String)> {
    let zone = |side: Side| {
        let name = Permit::interfaces(side, sheet.desk.intent).into_iter().next()?;
        sheet.config.interfaces.get(&name)?.zone.as_ref().map(|zone| zone.name.clone())
    };
    Some((zone(permit.from)?, permit.to.map_or(Some("self".to_string()), zone)?))
}

/// Ways to let permissions pass between their zones: by the lists that are there, if so, and by classes of their own,
/// before the rows at `spots`, or at the end.
pub fn zones(sheet: &Sheet<'_>, permits: &[&Permit], spots: &[usize], extend: bool) -> Vec<Vec<Edit>> {
    let mut groups: BTreeMap<(String, String), Vec<&Permit>> = BTreeMap::new();
    for permit in permits {
        let protocol = match &permit.service {
            Service::Protocol(protocol) | Service::Ports { protocol, .. } => *protocol,
            _ => Protocol::TCP,
        };
        let Some(ends) = ends(sheet, permit).filter(|_| inspected(protocol)) else {
            return pairs::joining(sheet).into_iter().collect();
        };
        groups.entry(ends).or_default().push(permit);
    }
    let mut out = Vec::new();
    let extended: Vec<Option<Vec<Edit>>> = match extend {
        true => {
            let mut names = sheet.names();
            groups.iter().map(|(ends, list)| extension(sheet, &mut names, ends, list)).collect()
        }
        false => Vec::new(),
    };
    let any = extended.iter().any(Option::is_some);
    for extended in [Some(extended).filter(|_| any), None].into_iter().filter(|way| any || way.is_none()) {
        let mut names = sheet.names();
        let mut edits = Some(Vec::new());
        for (at, (ends, list)) in groups.iter().enumerate() {
            let done = extended.as_ref().and_then(|list| list.get(at).cloned().flatten());
            let done = done.or_else(|| addition(sheet, &mut names, ends, list, spots));
            edits = edits.zip(done).map(|(all, more): (Vec<Edit>, Vec<Edit>)| [all, more].concat());
        }
        out.extend(edits);
    }
    out
}

pub fn pair_of<'s>(sheet: &'s Sheet<'_>, (from, to): &(String, String)) -> Option<(&'s String, &'s Pair)> {
    sheet.config.pairs.iter().find(|(_, pair)| pair.source == *from && pair.destination == *to)
}

/// How many pairs have a policy.
pub fn users(sheet: &Sheet<'_>, policy: &str) -> usize {
    sheet.config.pairs.values().filter(|p| p.policy.as_ref().is_some_and(|n| n.name == policy)).count()
}

/// Entries of permissions in a family, with remarks.
fn lines(permits: &[&Permit], family: Family) -> Vec<String> {
    let mut out = Vec::new();
    for permit in permits.iter().filter(|p| p.family == family) {
        let said = entries(permit).iter().map(|words| format!("permit {}", words.forth())).collect();
        add(&mut out, &permit.comment, said);
    }
    out
}

/// Entries under their remark: each once, and no remark twice in a row.
pub fn add(out: &mut Vec<String>, comment: &str, said: Vec<String>) {
    let note = format!("remark {}", remark(comment));
    let new: Vec<String> = said.into_iter().filter(|entry| !out.contains(entry)).collect();
    if new.is_empty() {
        return;
    }
    if out.iter().rfind(|line| line.starts_with("remark ")) != Some(&note) {
        out.push(note);
    }
    out.extend(new);
}

pub fn list_text(family: Family, name: &str, lines: &[String]) -> String {
    let head = match family {
        Family::V4 => format!("ip access-list extended {name}\n"),
        Family::V6 => format!("ipv6 access-list {name}\n"),
    };
    let items: String = lines.iter().map(|line| format!(" {line}\n")).collect();
    format!("{head}{items}!\n")
}

/// More entries in the lists of a class that the policy of a pair, and nothing else, inspects.
fn extension(
    sheet: &Sheet<'_>,
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
) -> Option<Vec<Edit>> {
    let config = &sheet.config;
    let policy = pair_of(sheet, ends)?.1.policy.as_ref()?;
    if users(sheet, &policy.name) > 1 || permits.iter().any(|p| p.to.is_none() && is_lease(&p.service)) {
        return None;
    }
    let everywhere = || config.policies.values().flat_map(|p| &p.classes);
    let nested = |name: &str| {
        let lines = config.classes.values().flat_map(|c| &c.lines);
        lines.into_iter().any(|line| matches!(&line.what, Asked::Class(own) if own == name))
    };
    let parts = config.policies.get(&policy.name)?.classes.iter();
    let inspects = parts.filter(|c| c.doubts.is_empty() && matches!(c.deed, Some((Deed::Inspect, _))));
    for name in inspects.filter_map(|c| c.class.as_deref()) {
        let Some(class) = config.classes.get(name).filter(|c| c.any && !c.application) else { continue };
        if everywhere().filter(|c| c.class.as_deref() == Some(name)).count() > 1 || nested(name) {
            continue;
        }
        let own = |family: Family| {
            class.lines.iter().filter(|line| !line.negate).find_map(|line| match &line.what {
                Asked::List(list) => {
                    let found = config.lists.get(&(family, list.clone())).filter(|l| !l.standard)?;
                    let alone = sheet.asking(list).len() == 1
                        && sheet.bindings(family, list).is_empty()
                        && !sheet.on_terminals(family, list)
                        && !chosen(sheet, list);
                    alone.then_some((list.as_str(), found))
                }
                _ => None,
            })
        };
        if own(Family::V4).is_none() && own(Family::V6).is_none() {
            continue;
        }
        let mut out = Vec::new();
        for family in Family::BOTH {
            let lines = lines(permits, family);
            if lines.is_empty() {
                continue;
            }
            if let Some((list, found)) = own(family) {
                // In front of what is not of the class, if anything is said not to be.
                let first = found.items.first().and_then(|(_, item)| match item {
                    Item::Entry(entry) => sheet.row(&entry.span),
                    Item::Evaluate(named) => sheet.row(&named.span),
                });
                let denies = found.entries().any(|e| !e.permit);
                out.extend(sheet.put((family, list), first.filter(|_| denies), false, &lines)?);
                continue;
            }
            let list = names.fresh(&wish(ends, permits));
            let head = *sheet.heads(Thing::Class(name)).first()?;
            out.push(sheet.before(head, list_text(family, &list, &lines)));
            let text = format!(" match access-group name {list}\n");
            out.push(sheet.behind(sheet.last(head), text));
        }
        return Some(out);
    }
    None
}

/// What a class of permissions is called.
fn wish(ends: &(String, String), permits: &[&Permit]) -> String {
    match permits {
        [first, rest @ ..] if rest.iter().all(|p| p.requirement == first.requirement) => {
            match first.requirement == "internet" {
                true => format!("{}-internet", first.who),
                false => first.requirement.clone(),
            }
        }
        _ => joined(ends),
    }
}

pub fn joined((from, to): &(String, String)) -> String {
    format!("{from}-{to}")
}

/// Lists and classes of permissions; who asks for a lease has no address yet, and is let pass without a session.
fn classes(
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
    own: Option<&str>,
) -> (String, Vec<Part>) {
    let mut text = String::new();
    let mut parts = Vec::new();
    let (leases, sessions): (Vec<&Permit>, Vec<&Permit>) =
        permits.iter().partition(|p| p.to.is_none() && is_lease(&p.service));
    for (list, deed) in [(leases, "pass"), (sessions, "inspect")] {
        if list.is_empty() {
            continue;
        }
        // Classes and lists have names of their own: that of the policy is free for them.
        let wish = wish(ends, &list);
        let name = match own.filter(|_| deed == "inspect" && wish == joined(ends)) {
            Some(own) => own.to_string(),
            None => names.fresh(&wish),
        };
        let mut asked = String::new();
        for family in Family::BOTH {
            let lines = lines(&list, family);
            if lines.is_empty() {
                continue;
            }
            // The two families share their names.
            let own = if asked.is_empty() { name.clone() } else { names.fresh(&format!("{name}-6")) };
            text.push_str(&list_text(family, &own, &lines));
            let _ = writeln!(asked, " match access-group name {own}");
        }
        let _ = write!(text, "class-map type inspect match-any {name}\n{asked}!\n");
        parts.push((name, deed));
    }
    (text, parts)
}

fn parts_text(parts: &[Part]) -> String {
    parts.iter().map(|(class, deed)| format!(" class type inspect {class}\n  {deed}\n")).collect()
}

pub fn policy_text(name: &str, parts: &[Part]) -> String {
    format!("policy-map type inspect {name}\n{} class class-default\n  drop log\n!\n", parts_text(parts))
}

/// A policy for a new pair, with everything it needs.
pub fn new_policy(
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
    first: &[Part],
) -> (String, String) {
    let name = names.fresh(&joined(ends));
    let (text, parts) = classes(names, ends, permits, Some(&name));
    let parts = [first, parts.as_slice()].concat();
    (name.clone(), text + &policy_text(&name, &parts))
}

pub fn pair_text(name: &str, (from, to): &(String, String), policy: &str) -> String {
    format!(
        "zone-pair security {name} source {from} destination {to}\n service-policy type inspect {policy}\n!\n"
    )
}

/// Classes of their own for permissions between two zones.
fn addition(
    sheet: &Sheet<'_>,
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
    spots: &[usize],
) -> Option<Vec<Edit>> {
    let Some((pair_name, pair)) = pair_of(sheet, ends) else {
        let (name, text) = new_policy(names, ends, permits, &[]);
        let text = text + &pair_text(&name, ends, &name);
        return sheet.beside(&["zone", "zone-pair"], text).map(|edit| vec![edit]);
    };
    let head = *sheet.heads(Thing::Pair(pair_name)).first()?;
    let Some(named) = &pair.policy else {
        let (name, text) = new_policy(names, ends, permits, &[]);
        let service = format!(" service-policy type inspect {name}\n");
        return Some(vec![sheet.before(head, text), sheet.behind(sheet.last(head), service)]);
    };
    let policy = sheet.config.policies.get(&named.name)?;
    let own = *sheet.heads(Thing::Policy(&named.name)).first()?;
    let (text, parts) = classes(names, ends, permits, None);
    let spot = spot(sheet, policy, own, spots);
    if users(sheet, &named.name) == 1 {
        let part = indented(sheet, policy, &parts);
        let put = match spot {
            Some(row) => sheet.before(row, part),
            None => sheet.behind(sheet.last(own), part),
        };
        return Some(vec![sheet.before(own, text), put]);
    }
    // Other pairs have the policy too: this one gets a copy.
    let name = names.fresh(&joined(ends));
    let mut copy = format!("policy-map type inspect {name}\n");
    for row in own + 1..=sheet.last(own) {
        if spot == Some(row) {
            copy.push_str(&parts_text(&parts));
        }
        if !sheet.rows[row].line.is(0, "description") {
            let _ = writeln!(copy, "{}", sheet.text(row).trim_end());
        }
    }
    if spot.is_none() {
        copy.push_str(&parts_text(&parts));
    }
    copy.push_str("!\n");
    let service = Edit { span: named.span.clone(), text: format!("service-policy type inspect {name}") };
    Some(vec![sheet.before(head, text + &copy), service])
}

/// The row in a policy before which classes are put.
fn spot(sheet: &Sheet<'_>, policy: &Policy, head: usize, spots: &[usize]) -> Option<usize> {
    let within = |row: &usize| (head..=sheet.last(head)).contains(row);
    let default = policy.classes.iter().find(|c| c.class.is_none());
    let default = default.and_then(|c| sheet.row(&c.span));
    spots.iter().copied().find(within).or(default.filter(within))
}

/// Classes of a policy, indented as the ones it has.
fn indented(sheet: &Sheet<'_>, policy: &Policy, parts: &[Part]) -> String {
    let of = |row: Option<usize>, usual: &str| row.map_or(usual.to_string(), |row| sheet.indent(row));
    let outer = of(policy.classes.first().and_then(|c| sheet.row(&c.span)), " ");
    let deed = policy.classes.iter().find_map(|c| c.deed.as_ref());
    let inner = of(deed.and_then(|(_, span)| sheet.row(span)), "  ");
    let one = |(class, deed): &Part| format!("{outer}class type inspect {class}\n{inner}{deed}\n");
    parts.iter().map(one).collect()
}
