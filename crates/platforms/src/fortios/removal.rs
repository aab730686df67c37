//! What goes from somebody's configuration, and what must go with it.

use super::edit::{Sheet, without};
use super::facts::RULES;
use super::render::list;
use super::usage::OBJECTS;
use crate::edit::remove;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::Span;
use tillgate_ruleset::Edit;

/// Entries that may go without anything else: services of the unit, and filters in front of policies.
const ALONE: &[&str] = &[
    "firewall acl",
    "firewall acl6",
    "firewall interface-policy",
    "firewall interface-policy6",
    "system dhcp server",
    "system dhcp6 server",
    "system dns-server",
];

/// Ways to take away what stands at a place.
pub fn removals(sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let layout = &sheet.layout;
    let Some(at) = layout.at(span) else {
        // A service of the unit that one setting opens, and a copy of an entry.
        let opens = layout
            .saying(span)
            .is_some_and(|(_, s)| matches!(s.key.as_str(), "server-mode" | "source-interface"));
        let copy = span.text().starts_with("clone ");
        return if opens || copy { vec![vec![remove(span)]] } else { Vec::new() };
    };
    match layout.table(at) {
        "system interface" => access(sheet, at),
        "system zone" => {
            let within = layout.parts[at].said("intrazone");
            within.map(|said| vec![remove(&said.span)]).into_iter().collect()
        }
        table if RULES.contains(&table) || OBJECTS.contains(&table) || ALONE.contains(&table) => {
            vec![removal(sheet, at, true)]
        }
        // Tunnels, administrators and the like are more than what they let in.
        _ => Vec::new(),
    }
}

/// Single words of administrative access, then all of them: which of them a packet came in by nothing here says.
fn access(sheet: &Sheet<'_>, interface: usize) -> Vec<Vec<Edit>> {
    let said = sheet.access(interface);
    let words: BTreeSet<&str> = said.iter().flat_map(|(_, s)| &s.values).map(String::as_str).collect();
    let less = |gone: &[&str]| -> Vec<Edit> {
        let touched = said.iter().filter(|(_, s)| s.values.iter().any(|w| gone.contains(&w.as_str())));
        touched.map(|(_, s)| without(s, gone)).collect()
    };
    let mut out: Vec<Vec<Edit>> = words.iter().map(|word| less(&[*word])).collect();
    if words.len() > 1 {
        out.push(less(&words.into_iter().collect::<Vec<_>>()));
    }
    out
}

/// An entry goes, with what names a virtual IP and nothing else; sections that get empty go too if they may.
pub fn removal(sheet: &Sheet<'_>, at: usize, sections: bool) -> Vec<Edit> {
    let layout = &sheet.layout;
    let parts = &layout.parts;
    let mut gone = BTreeSet::from([at]);
    let mut todo = vec![at];
    // What is left of lists that named what goes.
    let mut lists: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    while let Some(at) = todo.pop() {
        // Of other objects only those go that nothing names.
        if !layout.table(at).starts_with("firewall vip") {
            continue;
        }
        for (other, part) in parts.iter().enumerate().filter(|(_, p)| p.entry) {
            let table = layout.table(other);
            let group = table.starts_with("firewall vipgrp");
            if layout.domain(other) != layout.domain(at) || !(group || RULES.contains(&table)) {
                continue;
            }
            let names = |key: &str| if group { key == "member" } else { key.starts_with("dstaddr") };
            for said in part.settings.iter().filter(|s| names(&s.key) && s.values.contains(&parts[at].name)) {
                let rest = lists.entry((other, &said.key)).or_insert_with(|| said.values.clone());
                rest.retain(|name| *name != parts[at].name);
                if rest.is_empty() && gone.insert(other) {
                    todo.push(other);
                }
            }
        }
    }
    let mut out = Vec::new();
    let mut emptied = BTreeSet::new();
    for at in &gone {
        let section = parts[*at].parent.filter(|_| sections);
        let empty = section.filter(|s| {
            let count = layout.within(*s).filter(|at| gone.contains(at)).count();
            parts[*s].others == count && parts[*s].settings.is_empty()
        });
        match empty {
            Some(section) if emptied.insert(section) => {
                out.push(Edit { span: layout.whole(section), text: String::new() });
            }
            Some(_) => {}
            None => out.push(Edit { span: layout.whole(*at), text: String::new() }),
        }
    }
    for ((at, key), rest) in lists.iter().filter(|((at, _), _)| !gone.contains(at)) {
        let said = parts[*at].said(key);
        out.extend(
            said.map(|said| Edit { span: said.span.clone(), text: format!("set {key} {}", list(rest)) }),
        );
    }
    out
}
