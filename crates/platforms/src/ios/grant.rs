//! Permissions written into somebody's lists and zone policies, and what makes their answers come back.

use super::config::{Deed, Direction, NatSide};
use super::entry::Address;
use super::probe::{in_the_way, split};
use super::removal::{chosen, removal};
use super::sheet::{Names, Sheet};
use super::text::{Words, addresses, entries};
use super::{pairs, wiring};
use crate::edit::permissions;
use crate::permits::{Permit, Target};
use tillgate_intent::{Flow, Side};
use tillgate_model::{Family, Span};
use tillgate_ruleset::Edit;

/// What a line that stands in the way belongs to.
enum Place<'s> {
    /// A list that filters: an entry of it, or its end.
    List(Family, &'s str, Option<usize>),
    /// An entry of a list that classes ask.
    Asked(Family, &'s str, usize),
    /// A policy, a pair, or what no pair says.
    Zones,
    /// A family that is not forwarded.
    Unrouted(Family),
}

fn place<'s>(sheet: &'s Sheet<'_>, span: &Span) -> Option<Place<'s>> {
    let same = |other: &Span| other.start == span.start && other.file.name == span.file.name;
    if let Some((family, _)) = sheet.config.unrouted.iter().find(|(_, own)| same(own)) {
        return Some(Place::Unrouted(*family));
    }
    if let Some((family, name, row)) = sheet.item(span) {
        let filters = !sheet.bindings(family, name).is_empty() || sheet.on_terminals(family, name);
        return match (filters, sheet.asking(name).is_empty()) {
            (true, _) => Some(Place::List(family, name, Some(row))),
            (false, false) => Some(Place::Asked(family, name, row)),
            _ => None,
        };
    }
    if let Some((family, name)) = sheet.binding(span) {
        return Some(Place::List(family, name, None));
    }
    let row = sheet.row(span)?;
    let head = &sheet.rows[sheet.rows[row].head].line;
    let zones = ["policy-map", "class-map", "zone-pair", "zone"];
    let zones = zones.iter().any(|kind| head.is(0, kind)) || sheet.rows[row].line.is(0, "zone-member");
    zones.then_some(Place::Zones)
}

/// Which entries a permission becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept<'s> {
    /// As the connection is opened.
    Plain,
    /// Remembered under a name.
    Reflected(&'s str),
    /// With what is inside denied before what goes to the internet.
    Fenced,
    /// As it is answered; to translated addresses, if so.
    Answered(bool),
}

/// Ways to let flows pass at a place.
pub fn permit(
    sheet: &Sheet<'_>,
    at: &Span,
    instead: bool,
    flows: &[&Flow],
    internet: &[usize],
) -> Vec<Vec<Edit>> {
    let (local, forward) = permissions(sheet.desk.intent, flows, internet);
    let all: Vec<&Permit> = local.iter().chain(&forward).collect();
    if all.is_empty() {
        return Vec::new();
    }
    if instead {
        return replace(sheet, at, &all);
    }
    // What passes already is not said again.
    let parts: Vec<Permit> = all.iter().flat_map(|permit| split(permit)).collect();
    let parts: Vec<&Permit> = parts.iter().collect();
    let forth = in_the_way(sheet, &parts, false);
    let same = |(span, _): &&(Span, Vec<&Permit>)| span.start == at.start && span.file.name == at.file.name;
    let here = [(at.clone(), forth.iter().find(same).map_or(all.clone(), |(_, list)| list.clone()))];
    let mut out = everywhere(sheet, &here, &[]);
    if forth.len() > 1 {
        out.extend(everywhere(sheet, &forth, &[]));
    }
    // What zones let pass by a session is no matter of lists.
    let mut back = in_the_way(sheet, &parts, true);
    back.retain(|(span, _)| matches!(place(sheet, span), Some(Place::List(..))));
    if !back.is_empty() {
        let forth = if forth.is_empty() { here.as_slice() } else { forth.as_slice() };
        out.extend(everywhere(sheet, forth, &back));
    }
    out
}

/// Ways to let permissions pass at several places at once, and their answers at others.
fn everywhere(
    sheet: &Sheet<'_>,
    forth: &[(Span, Vec<&Permit>)],
    back: &[(Span, Vec<&Permit>)],
) -> Vec<Vec<Edit>> {
    let mut parts: Vec<Vec<Vec<Edit>>> = Vec::new();
    let mut zones: Vec<&Permit> = Vec::new();
    for (span, list) in forth {
        parts.push(match place(sheet, span) {
            Some(Place::List(family, name, row)) => {
                let mut kinds: Vec<Kept<'_>> =
                    reflected(sheet, family, name).map(Kept::Reflected).into_iter().collect();
                kinds.extend([Kept::Plain, Kept::Fenced]);
                let ways: Vec<Vec<String>> =
                    kinds.into_iter().filter_map(|kept| items(sheet, (family, name), list, kept)).collect();
                // A denial of nothing but them is turned round.
                let narrow = row.filter(|row| narrow(sheet, family, name, *row));
                let turned = narrow.zip(ways.first()).map(|(row, items)| (Some(row), true, items));
                let added = ways.iter().map(|items| (row, false, items)).chain(turned);
                added
                    .filter_map(|(row, instead, items)| sheet.put((family, name), row, instead, items))
                    .collect()
            }
            Some(Place::Asked(family, name, row)) => asked(sheet, (family, name), row, list),
            Some(Place::Zones) => {
                zones.extend(list);
                continue;
            }
            Some(Place::Unrouted(family)) => routed(sheet, family, span),
            None => return Vec::new(),
        });
    }
    if !zones.is_empty() {
        parts.push(wiring::zones(sheet, &zones, &[], true));
    }
    for (span, list) in back {
        let Some(Place::List(family, name, row)) = place(sheet, span) else { return Vec::new() };
        let kept = Kept::Answered(hidden(sheet, family, name));
        let put =
            items(sheet, (family, name), list, kept).and_then(|i| sheet.put((family, name), row, false, &i));
        parts.push(put.into_iter().collect());
    }
    zip(parts)
}

/// Whether an entry of a list is about some sources only.
fn narrow(sheet: &Sheet<'_>, family: Family, name: &str, row: usize) -> bool {
    let list = sheet.config.lists.get(&(family, name.to_string()));
    let mut entries = list.into_iter().flat_map(|list| list.entries());
    let own = entries.find(|entry| entry.span.start == sheet.span(row).start);
    own.is_some_and(|entry| !matches!(entry.source, Address::Any))
}

/// Entries for the answers that a line of a list holds back.
pub fn answers(sheet: &Sheet<'_>, (family, name): (Family, &str), span: &Span) -> Option<Vec<String>> {
    let parts: Vec<Permit> = pairs::everything(sheet).iter().flat_map(split).collect();
    let parts: Vec<&Permit> = parts.iter().collect();
    let held = in_the_way(sheet, &parts, true);
    let same = |(own, _): &&(Span, Vec<&Permit>)| own.start == span.start && own.file.name == span.file.name;
    let (_, list) = held.iter().find(same)?;
    items(sheet, (family, name), list, Kept::Answered(hidden(sheet, family, name)))
}

/// One way of each part at a time; a part with fewer ways stays at its last.
fn zip(parts: Vec<Vec<Vec<Edit>>>) -> Vec<Vec<Edit>> {
    if parts.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let most = parts.iter().map(Vec::len).max().unwrap_or(0);
    let one = |at: usize| parts.iter().filter_map(|p| p.get(at).or(p.last())).flatten().cloned().collect();
    (0..most).map(one).collect()
}

/// The name under which a list remembers sessions.
fn reflected<'s>(sheet: &'s Sheet<'_>, family: Family, name: &str) -> Option<&'s str> {
    let list = sheet.config.lists.get(&(family, name.to_string()))?;
    list.entries().find_map(|entry| entry.reflect.as_deref())
}

/// Whether a list sees outside addresses as destinations.
fn hidden(sheet: &Sheet<'_>, family: Family, name: &str) -> bool {
    let bindings = sheet.bindings(family, name);
    family == Family::V4
        && bindings.iter().any(|(interface, direction)| {
            let outside =
                sheet.config.interfaces.get(*interface).is_some_and(|i| i.nat == Some(NatSide::Outside));
            outside && *direction == Direction::In
        })
}

/// Entries of permissions for a list, with remarks; `None` where they are none, or nothing else than the plain ones.
fn items(
    sheet: &Sheet<'_>,
    (family, name): (Family, &str),
    permits: &[&Permit],
    kept: Kept<'_>,
) -> Option<Vec<String>> {
    let list = sheet.config.lists.get(&(family, name.to_string()))?;
    let terminal = sheet.on_terminals(family, name);
    let inward = sheet.bindings(family, name).iter().any(|(_, direction)| *direction == Direction::In);
    let inside = addresses(family, Some(&sheet.desk.intent.topology.inside(family)));
    let mut out: Vec<String> = Vec::new();
    let mut fenced = false;
    for permit in permits.iter().filter(|p| p.family == family) {
        let comment = match kept {
            Kept::Answered(_) => format!("answers of {}", permit.comment),
            _ => permit.comment.clone(),
        };
        let internet = permit.to == Some(Side::Uplinks) && !matches!(permit.target, Target::Ranges(_));
        let words = entries(permit);
        let fence = kept == Kept::Fenced && inward && internet && !list.standard;
        let nets = if fence { inside.as_slice() } else { &[] };
        fenced |= !nets.is_empty();
        let mut said: Vec<String> = Vec::new();
        for entry in &words {
            said.extend(nets.iter().map(|net| format!("deny {} log", entry.towards(net).forth())));
        }
        let one = |entry: Words| match kept {
            _ if list.standard => format!("permit {}", entry.source),
            Kept::Answered(hidden) => format!("permit {}", entry.back(hidden)),
            Kept::Reflected(name) => format!("permit {} reflect {name}", entry.forth()),
            _ if terminal => format!("permit {}", entry.towards("any").forth()),
            _ => format!("permit {}", entry.forth()),
        };
        said.extend(words.into_iter().map(one));
        said.dedup();
        wiring::add(&mut out, &comment, said);
    }
    (!out.is_empty() && (kept != Kept::Fenced || fenced)).then_some(out)
}

/// Past a class that drops: not part of it, or let through before it.
fn asked(
    sheet: &Sheet<'_>,
    (family, name): (Family, &str),
    row: usize,
    permits: &[&Permit],
) -> Vec<Vec<Edit>> {
    let asking = sheet.asking(name);
    let parts = sheet.config.policies.values().flat_map(|policy| &policy.classes);
    let drops = parts.filter(|c| {
        c.class.as_deref().is_some_and(|own| asking.contains(&own)) && matches!(c.deed, Some((Deed::Drop, _)))
    });
    let spots: Vec<usize> = drops.filter_map(|class| sheet.row(&class.span)).collect();
    let mut out = Vec::new();
    if !spots.is_empty() {
        let exempt = items(sheet, (family, name), permits, Kept::Plain).map(|list| {
            list.into_iter().map(|item| match item.strip_prefix("permit ") {
                Some(rest) => format!("deny {rest}"),
                None => item.replacen("remark ", "remark not of this class: ", 1),
            })
        });
        let put = exempt.and_then(|list| {
            let list: Vec<String> = list.collect();
            sheet.put((family, name), Some(row), false, &list)
        });
        out.extend(put);
    }
    out.extend(wiring::zones(sheet, permits, &spots, spots.is_empty()));
    out
}

/// A family that is forwarded.
fn routed(sheet: &Sheet<'_>, family: Family, span: &Span) -> Vec<Vec<Edit>> {
    if family == Family::V4 {
        return vec![vec![Edit { span: span.clone(), text: "ip routing".into() }]];
    }
    let first = sheet.rows.iter().position(|row| row.line.is(0, "interface"));
    let text = "ipv6 unicast-routing\n!\n".to_string();
    let edit = first.map(|row| sheet.before(row, text.clone())).or_else(|| sheet.append(text));
    edit.map(|edit| vec![edit]).into_iter().collect()
}

/// What flows need, in the place of a line that permits more.
fn replace(sheet: &Sheet<'_>, at: &Span, permits: &[&Permit]) -> Vec<Vec<Edit>> {
    match place(sheet, at) {
        Some(Place::List(family, name, Some(row))) => {
            let intent = sheet.desk.intent;
            let flows: Vec<&Flow> = intent.flows.iter().collect();
            let internet: Vec<usize> = (0..intent.topology.zones.len()).collect();
            // Whose answers the line let pass too.
            let (_, all) = permissions(intent, &flows, &internet);
            let bindings = sheet.bindings(family, name);
            let returns = |permit: &&Permit| {
                bindings.iter().any(|(interface, direction)| {
                    let side = if *direction == Direction::In { permit.to } else { Some(permit.from) };
                    side.is_some_and(|s| Permit::interfaces(s, intent).iter().any(|i| i == interface))
                })
            };
            let returning: Vec<&Permit> = all.iter().filter(returns).collect();
            let back = items(sheet, (family, name), &returning, Kept::Answered(hidden(sheet, family, name)));
            let mut out = Vec::new();
            for kept in [Kept::Plain, Kept::Fenced] {
                let Some(list) = items(sheet, (family, name), permits, kept) else { continue };
                out.extend(sheet.put((family, name), Some(row), true, &list));
                if let Some(back) = &back {
                    let both = [back.as_slice(), &list].concat();
                    out.extend(sheet.put((family, name), Some(row), true, &both));
                }
            }
            out
        }
        Some(Place::Asked(family, name, row)) => {
            let list = items(sheet, (family, name), permits, Kept::Plain);
            let mut out: Vec<Vec<Edit>> =
                list.and_then(|list| sheet.put((family, name), Some(row), true, &list)).into_iter().collect();
            if !chosen(sheet, name) {
                out.extend(beside(sheet, at, permits));
            }
            out
        }
        Some(Place::Zones) => beside(sheet, at, permits),
        _ => Vec::new(),
    }
}

/// A line goes, and classes of their own let pass what is needed.
fn beside(sheet: &Sheet<'_>, at: &Span, permits: &[&Permit]) -> Vec<Vec<Edit>> {
    let gone = removal(sheet, at);
    if gone.is_empty() {
        return Vec::new();
    }
    let ways = wiring::zones(sheet, permits, &[], false).into_iter();
    ways.map(|way| gone.iter().cloned().chain(way).collect()).collect()
}

/// A list with what a side may do, what answers others, and nothing else.
pub fn whole_list(
    sheet: &Sheet<'_>,
    names: &mut Names,
    at: usize,
    family: Family,
) -> Option<(String, String)> {
    let intent = sheet.desk.intent;
    let zone = intent.topology.zones.get(at)?;
    let flows: Vec<&Flow> = intent.flows.iter().collect();
    let internet: Vec<usize> = (0..intent.topology.zones.len()).collect();
    let (local, forward) = permissions(intent, &flows, &internet);
    let of = |permit: &&Permit| permit.family == family;
    let outside = |p: &&Permit| p.to == Some(Side::Uplinks) && !matches!(p.target, Target::Ranges(_));
    let from: Vec<&Permit> =
        local.iter().chain(&forward).filter(of).filter(|p| p.from == Side::Zone(at)).collect();
    let name = names.fresh(&format!("FROM-{}", zone.name));
    let (every, head) = match family {
        Family::V4 => ("ip", format!("ip access-list extended {name}\n")),
        Family::V6 => ("ipv6", format!("ipv6 access-list {name}\n")),
    };
    let mut lines: Vec<String> = Vec::new();
    let forth = |permit: &Permit| entries(permit).iter().map(|w| format!("permit {}", w.forth())).collect();
    for permit in from.iter().filter(|p| !outside(p)) {
        wiring::add(&mut lines, &permit.comment, forth(permit));
    }
    for permit in forward.iter().filter(of).filter(|p| p.to == Some(Side::Zone(at))) {
        let back = entries(permit).iter().map(|w| format!("permit {}", w.back(false))).collect();
        wiring::add(&mut lines, &format!("answers of {}", permit.comment), back);
    }
    if from.iter().any(outside) {
        let inside = addresses(family, Some(&intent.topology.inside(family)));
        let fence = inside.iter().map(|net| format!("deny {every} any {net} log")).collect();
        wiring::add(&mut lines, "what is inside is not the internet", fence);
    }
    for permit in from.iter().filter(|p| outside(p)) {
        wiring::add(&mut lines, &permit.comment, forth(permit));
    }
    lines.push(format!("deny {every} any any log"));
    let text: String = lines.iter().map(|line| format!(" {line}\n")).collect();
    Some((name, format!("{head}{text}!\n")))
}
