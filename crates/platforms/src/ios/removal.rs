//! What goes when a line of a configuration goes.

use super::config::{Asked, Chosen, Deed, Item, NatKind};
use super::sheet::{Sheet, Thing};
use crate::edit::whole_lines;
use std::collections::BTreeSet;
use tillgate_model::{Family, Span};
use tillgate_ruleset::{Edit, What};

/// Takes away what stands at a place, wholly: the rest of the text stays one that loads.
pub fn removal(sheet: &Sheet<'_>, span: &Span) -> Vec<Edit> {
    let Some(row) = sheet.row(span) else { return Vec::new() };
    let here = |other: &Span| other.start == span.start && other.file.name == span.file.name;
    let unused = |what: &What| matches!(what, What::Unused(_));
    if sheet.desk.rules.facts.iter().any(|fact| here(&fact.span) && unused(&fact.what)) {
        return unused_thing(sheet, span);
    }
    let config = &sheet.config;
    if let Some((family, name, row)) = sheet.item(span) {
        return item(sheet, family, name, row);
    }
    if config.nat.values().any(|nat| here(&nat.span)) {
        return vec![sheet.drop_row(row)];
    }
    if config.interfaces.values().flat_map(|i| i.reverse_path.values()).any(|check| here(&check.span)) {
        return vec![sheet.drop_row(row)];
    }
    for (name, class) in &config.classes {
        if class.lines.iter().any(|line| here(&line.span)) {
            if class.any && class.lines.len() > 1 {
                return vec![sheet.drop_row(row)];
            }
            return classes(sheet, vec![name]);
        }
    }
    let ends = config.policies.values().flat_map(|p| &p.classes).filter(|c| c.class.is_none());
    let opens = |deed: &(Deed, Span)| here(&deed.1) && deed.0 != Deed::Drop;
    if ends.filter_map(|c| c.deed.as_ref()).any(opens) {
        return vec![Edit { span: sheet.span(row).clone(), text: "drop log".into() }];
    }
    Vec::new()
}

/// Takes away what nothing refers to.
fn unused_thing(sheet: &Sheet<'_>, span: &Span) -> Vec<Edit> {
    let config = &sheet.config;
    let here = |other: &Span| other.start == span.start && other.file.name == span.file.name;
    let lists = config.lists.iter().map(|((family, name), l)| (Thing::List(*family, name), &l.span));
    let networks = config.networks.iter().map(|(name, g)| (Thing::Group(name), &g.span));
    let services = config.services.iter().map(|(name, g)| (Thing::Group(name), &g.span));
    let classes = config.classes.iter().map(|(name, c)| (Thing::Class(name), &c.span));
    let policies = config.policies.iter().map(|(name, p)| (Thing::Policy(name), &p.span));
    let mut all = lists.chain(networks).chain(services).chain(classes).chain(policies);
    all.find(|(_, own)| here(own)).map_or(Vec::new(), |(thing, _)| sheet.without(thing))
}

/// Takes an item out of its list. A list without entries would let everything pass, or leave a class open.
fn item(sheet: &Sheet<'_>, family: Family, name: &str, row: usize) -> Vec<Edit> {
    let config = &sheet.config;
    let Some(list) = config.lists.get(&(family, name.to_string())) else { return Vec::new() };
    let start = sheet.span(row).start;
    let entries = || list.entries().filter(|e| e.span.start != start);
    let filters = !sheet.bindings(family, name).is_empty() || sheet.on_terminals(family, name);
    let others = list.items.iter().any(|(_, i)| matches!(i, Item::Evaluate(n) if n.span.start != start));
    if filters && entries().next().is_none() && !others {
        let deny = deny_all(family, list.standard);
        return sheet.put((family, name), Some(row), true, &[deny]).unwrap_or_default();
    }
    if !filters && !others && !entries().any(|e| e.permit) && !chosen(sheet, name) {
        let asking = sheet.asking(name);
        if !asking.is_empty() {
            let mut out = sheet.without(Thing::List(family, name));
            out.extend(unasked(sheet, name, &asking));
            return out;
        }
    }
    let items = sheet.items(family, name);
    let first = sheet.remarks(&items, row, true);
    let (from, to) = (whole_lines(sheet.span(first)), whole_lines(sheet.span(row)));
    vec![Edit { span: Span::new(&from.file, from.start as usize, to.end as usize), text: String::new() }]
}

/// The deny that ends a list, said and logged.
pub fn deny_all(family: Family, standard: bool) -> String {
    match (family, standard) {
        (_, true) => "deny any log".into(),
        (Family::V4, false) => "deny ip any any log".into(),
        (Family::V6, false) => "deny ipv6 any any log".into(),
    }
}

/// Whether translations, route maps or services of the router ask a list.
pub fn chosen(sheet: &Sheet<'_>, name: &str) -> bool {
    let config = &sheet.config;
    let translates = config.nat.values().any(|nat| match &nat.kind {
        NatKind::Source { chosen: Chosen::List(own), .. } | NatKind::Rotary { list: own } => own == name,
        _ => false,
    });
    let mapped =
        config.route_maps.values().flat_map(|m| m.values()).any(|c| c.lists.iter().any(|l| l == name));
    translates || mapped
}

/// Takes the question for a list out of classes, and the classes that ask nothing else.
fn unasked<'s>(sheet: &'s Sheet<'_>, list: &str, asking: &[&'s str]) -> Vec<Edit> {
    let mut out = Vec::new();
    let mut empty = Vec::new();
    for name in asking {
        let Some(class) = sheet.config.classes.get(*name) else { continue };
        let asks = |what: &Asked| matches!(what, Asked::List(own) if own == list);
        let (gone, rest): (Vec<_>, Vec<_>) = class.lines.iter().partition(|line| asks(&line.what));
        // Where all conditions must hold, nothing is left of the class.
        if rest.is_empty() || !class.any && gone.iter().any(|line| !line.negate) {
            empty.push(*name);
            continue;
        }
        out.extend(gone.iter().filter_map(|line| Some(sheet.drop_row(sheet.row(&line.span)?))));
    }
    out.extend(classes(sheet, empty));
    out
}

/// Takes classes away, with what policies do with them, and with the classes that ask for nothing else.
fn classes<'s>(sheet: &'s Sheet<'_>, mut todo: Vec<&'s str>) -> Vec<Edit> {
    let config = &sheet.config;
    let mut gone: BTreeSet<&str> = BTreeSet::new();
    let mut lines: BTreeSet<usize> = BTreeSet::new();
    while let Some(name) = todo.pop() {
        if !gone.insert(name) {
            continue;
        }
        for (other, class) in &config.classes {
            let asks = |what: &Asked| matches!(what, Asked::Class(own) if gone.contains(own.as_str()));
            let (mine, rest): (Vec<_>, Vec<_>) = class.lines.iter().partition(|line| asks(&line.what));
            let whole = rest.is_empty() || !class.any && mine.iter().any(|line| !line.negate);
            match whole && !mine.is_empty() {
                true => todo.push(other),
                false => lines.extend(mine.iter().filter_map(|line| sheet.row(&line.span))),
            }
        }
    }
    let going = |thing: Thing<'_>| matches!(thing, Thing::Class(name) if gone.contains(name));
    let heads: BTreeSet<usize> = sheet.heads_of(going).into_iter().collect();
    let mut out: Vec<Edit> = heads.iter().map(|head| sheet.cut(*head, sheet.last(*head))).collect();
    let within = |row: &&usize| sheet.rows.get(**row).is_none_or(|r| !heads.contains(&r.head));
    out.extend(lines.iter().filter(within).map(|row| sheet.drop_row(*row)));
    for class in config.policies.values().flat_map(|policy| &policy.classes) {
        let named = class.class.as_deref().is_some_and(|name| gone.contains(name));
        let Some(first) = sheet.row(&class.span).filter(|_| named) else { continue };
        out.push(sheet.cut(first, part_end(sheet, first)));
    }
    out
}

/// The last row of what a policy does with the class of a row.
pub fn part_end(sheet: &Sheet<'_>, row: usize) -> usize {
    let end = sheet.rows.get(row).map_or(row, |r| sheet.last(r.head));
    let next = (row + 1..=end).find(|at| sheet.rows[*at].line.is(0, "class"));
    next.map_or(end, |next| next - 1)
}
