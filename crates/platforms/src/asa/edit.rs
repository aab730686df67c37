//! Repairs written into somebody's ASA configuration.

use super::config::Point;
use super::grant::Grant;
use super::lines::Line;
use super::nat;
use super::sheet::{Objects, Sheet, same};
use crate::edit::{Desk, after_line, insert, on_new_line, permissions, remove};
use crate::permits::sources;
use std::collections::BTreeSet;
use std::fmt::Write;
use tillgate_intent::Intent;
use tillgate_model::{Family, Ranges, Span};
use tillgate_ruleset::{Edit, Repair, What};

/// What ends a list.
pub(super) const DENY_ALL: &str = "extended deny ip any any log\n";

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let sheet = Sheet::of(desk.files);
    let out = match repair {
        Repair::Remove(span) => removed(desk, &sheet, span),
        Repair::Permit { at, instead, flows, internet } => {
            let (local, forward) = permissions(desk.intent, flows, internet);
            // Nothing but the destination says where a packet leaves: first as lists mostly say it, then exactly.
            let way = |exact| Grant::of(desk.intent, &sheet, exact).edits(at, *instead, &local, &forward);
            let (mut out, exact) = (vec![way(false)], way(true));
            if out.first() != Some(&exact) {
                out.push(exact);
            }
            out
        }
        Repair::Log(span) => logged(&sheet, span),
        Repair::Established(_) => vec![answers(&sheet)],
        Repair::Sources(segment) => vec![forged(desk.intent, &sheet, segment)],
        Repair::Masquerade => vec![masquerade(desk.intent, &sheet)],
        Repair::SwitchOff(span) => vec![vec![remove(span)]],
        // Every end of a list denies already, and nothing looks into TLS.
        Repair::Close(_) | Repair::Uninspected(_) => Vec::new(),
    };
    out.into_iter().filter(|edits| !edits.is_empty()).collect()
}

/// Takes away what stands at a place.
fn removed(desk: &Desk<'_>, sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let unused = desk.rules.facts.iter().find_map(|fact| match &fact.what {
        What::Unused(name) if fact.span == *span => Some(name),
        _ => None,
    });
    if let Some(name) = unused {
        let list = sheet.config.lists.get(name.as_str()).filter(|list| same(&list.span, span));
        return vec![match list {
            Some(list) => list.lines.iter().map(remove).collect(),
            None => sheet.blocks(name).into_iter().map(|head| sheet.cut(head)).collect(),
        }];
    }
    if let Some((list, at)) = sheet.entry(span) {
        // Its end is no rule that stands in the way of others.
        if sheet.ends(list, at) {
            return Vec::new();
        }
        return vec![without_entry(sheet, list, at)];
    }
    if let Some(interface) = by_level(sheet, span) {
        return vec![Grant::of(desk.intent, sheet, true).closed(&interface)];
    }
    let Some(row) = sheet.row(span) else { return Vec::new() };
    let line = &sheet.rows[row];
    match line.word(0).to_ascii_lowercase().as_str() {
        "nat" if line.indent > 0 || !line.word(1).starts_with('(') || !line.is(2, "source") => {
            vec![without_object_nat(sheet, row)]
        }
        "icmp" | "ipv6" => {
            let interface = line.words.last().map_or("", |(_, word)| word);
            let family = if line.is(0, "icmp") { Family::V4 } else { Family::V6 };
            let own =
                sheet.config.icmp.iter().filter(|l| l.family == family && l.interface.name == interface);
            // Without any line the interface would answer everything.
            let denial = if line.is(0, "icmp") { "icmp" } else { "ipv6 icmp" };
            vec![match own.count() {
                1 => sheet.replace(std::slice::from_ref(span), format!("{denial} deny any {interface}\n")),
                _ => vec![remove(span)],
            }]
        }
        "interface" => {
            // Every interface answers pings until a line says otherwise.
            let own = sheet.config.interfaces.iter().find(|i| same(&i.span, span));
            let Some(name) = own.and_then(|i| i.active()) else { return Vec::new() };
            let put =
                |text: String| sheet.behind(ICMP_LINES).map(|at| vec![insert(at, text)]).unwrap_or_default();
            let (four, six) = (format!("icmp deny any {name}\n"), format!("ipv6 icmp deny any {name}\n"));
            vec![put(four.clone()), put(six.clone()), put(four + &six)]
        }
        "nat" | "ssh" | "telnet" | "http" | "dhcpd" | "dhcprelay" | "crypto" | "snmp-server" | "enable"
        | "ip" => {
            vec![vec![remove(span)]]
        }
        _ => Vec::new(),
    }
}

/// Lines that new ICMP lines stand behind.
const ICMP_LINES: &[&str] =
    &["ipv6 icmp", "icmp", "mtu", "logging", "access-list", "object-group", "interface"];

/// Takes an entry away with its remarks. A list without entries is none: where another list takes over it is
/// applied no longer, elsewhere it denies all.
pub(super) fn without_entry(sheet: &Sheet<'_>, list: &str, at: usize) -> Vec<Edit> {
    let lines = sheet.with_remarks(list, at);
    let points = sheet.points(list);
    let families = Family::BOTH.iter().all(|f| sheet.global(*f).is_some());
    if !sheet.only(list, at) || points.is_empty() && sheet.mentions(list) <= 1 {
        return lines.iter().map(remove).collect();
    }
    if families && !points.is_empty() && points.iter().all(|point| *point == Point::In) {
        let applied = sheet.config.applied.iter().filter(|a| a.list == list);
        return lines.iter().chain(applied.map(|a| &a.span)).map(remove).collect();
    }
    let denial = sheet.lines(list, DENY_ALL);
    sheet.replace(&lines, denial)
}

/// The translation of an object goes, and what only served it.
fn without_object_nat(sheet: &Sheet<'_>, row: usize) -> Vec<Edit> {
    let head = sheet.head(row);
    let name = sheet.rows[head].word(2);
    let blocks = sheet.blocks(name);
    if sheet.mentions(name) == 0 && blocks.contains(&head) {
        return blocks.into_iter().map(|block| sheet.cut(block)).collect();
    }
    if head < row && sheet.last(head) == head + 1 {
        return vec![sheet.cut(head)];
    }
    vec![remove(&sheet.rows[row].span)]
}

/// The interface whose security level stands at a place.
pub(super) fn by_level(sheet: &Sheet<'_>, span: &Span) -> Option<String> {
    let mut active = sheet.config.interfaces.iter().filter(|i| i.active().is_some());
    let found = active.find(|i| same(&i.level_span(), span))?;
    found.active().map(str::to_string)
}

/// A denial leaves a message.
fn logged(sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let mut own = Vec::new();
    if sheet.entry(span).is_some() {
        let line = Line::again(span);
        let until = |from: usize| {
            (from..line.words.len()).find(|at| line.is(*at, "time-range") || line.is(*at, "inactive"))
        };
        let end = span.end as usize;
        let start = |at: usize| line.words.get(at).map_or(end, |(start, _)| *start);
        // An address or object may have this name too; the option stands last.
        match (0..line.words.len()).rfind(|at| line.is(*at, "log") && *at > 4) {
            Some(at) => {
                let stop = until(at).map_or(end, start);
                let rest = if stop < end { "log " } else { "log" };
                own.push(Edit { span: Span::new(&span.file, start(at), stop), text: rest.into() });
            }
            None => match until(4) {
                Some(at) => own.push(insert(Span::new(&span.file, start(at), start(at)), "log ".into())),
                None => own.push(insert(Span::new(&span.file, end, end), " log".into())),
            },
        }
    } else if let Some(applied) = sheet.config.applied.iter().find(|a| same(&a.span, span)) {
        // The denial that no line says.
        let last = sheet.config.lists.get(applied.list).and_then(|list| list.lines.last());
        own.extend(
            last.map(|last| insert(after_line(last), on_new_line(last, sheet.lines(applied.list, DENY_ALL)))),
        );
    }
    let level = |level: &str| settings(sheet, level);
    let both: Vec<Edit> = own.iter().cloned().chain(level("informational")).collect();
    // What no list denies at the device itself is told at the last level.
    let mut refused = level("informational");
    if !sheet.config.logging.messages.contains_key(&710_005)
        && let Some(at) = sheet.behind(LOG_LINES)
    {
        let text = "logging message 710005 level informational\n".to_string();
        match refused.iter_mut().find(|e| same(&e.span, &at)) {
            Some(edit) => edit.text.push_str(&text),
            None => refused.push(insert(at.clone(), on_new_line(&at, text))),
        }
    }
    vec![own, level("informational"), both, refused]
}

/// Lines that new ones about the log stand behind.
const LOG_LINES: &[&str] = &["logging", "access-list", "object-group", "object", "interface"];

/// Messages are written, up to a level.
fn settings(sheet: &Sheet<'_>, level: &str) -> Vec<Edit> {
    let wanted = super::words::level(level);
    let enabled = sheet.config.logging.enabled;
    let mut text = String::new();
    if !enabled {
        text.push_str("logging enable\n");
    }
    let mut out = Vec::new();
    if sheet.config.logging.level() < wanted {
        let known = sheet.rows.iter().find(|row| row.is(0, "logging") && row.is(1, "buffered"));
        match known.filter(|row| super::words::level(row.word(2)).is_some()) {
            Some(row) => out.push(Edit { span: row.place(2), text: level.into() }),
            None => {
                let _ = writeln!(text, "logging buffered {level}");
            }
        }
    }
    if !text.is_empty()
        && let Some(at) = sheet.behind(LOG_LINES)
    {
        out.push(insert(at.clone(), on_new_line(&at, text)));
    }
    out
}

/// ICMP gets connections of its own.
fn answers(sheet: &Sheet<'_>) -> Vec<Edit> {
    let global = sheet.config.service_policies.iter().find(|(_, interface)| interface.is_none());
    let policy = global.map(|(policy, _)| policy.name);
    let opens = |row: &Line<'_>| row.is(0, "policy-map") && policy == Some(row.word(1));
    let class = sheet.rows.iter().position(opens).and_then(|head| {
        (head + 1..=sheet.last(head))
            .find(|at| sheet.rows[*at].is(0, "class") && !sheet.rows[*at].is(1, "class-default"))
    });
    if let Some(class) = class {
        let text = "  inspect icmp\n  inspect icmp error\n".to_string();
        return vec![insert(after_line(&sheet.rows[class].span), text)];
    }
    if policy.is_some() {
        return Vec::new();
    }
    let text = "class-map inspection_default\n match default-inspection-traffic\npolicy-map global_policy\n class inspection_default\n  inspect icmp\n  inspect icmp error\nservice-policy global_policy global\n";
    let end = sheet.behind(&["policy-map", "class-map"]);
    end.map(|at| vec![insert(at.clone(), on_new_line(&at, text.into()))]).unwrap_or_default()
}

/// What comes in where the way back does not lead is dropped.
fn forged(intent: &Intent, sheet: &Sheet<'_>, segment: &str) -> Vec<Edit> {
    let on: BTreeSet<String> =
        sources(intent).into_iter().filter(|s| s.4 == segment).flat_map(|(on, ..)| on).collect();
    let known = |name: &String| sheet.config.reverse_path.iter().any(|n| n.name.eq_ignore_ascii_case(name));
    let text: String = on
        .iter()
        .filter(|name| !known(name))
        .map(|name| format!("ip verify reverse-path interface {name}\n"))
        .collect();
    let kinds =
        ["ip verify reverse-path", "mtu", "logging", "access-list", "object-group", "object", "interface"];
    match sheet.behind(&kinds) {
        Some(at) if !text.is_empty() => vec![insert(at.clone(), on_new_line(&at, text))],
        _ => Vec::new(),
    }
}

/// Sources of segments are translated on the uplinks, where they are not yet.
fn masquerade(intent: &Intent, sheet: &Sheet<'_>) -> Vec<Edit> {
    let mut found = super::address::Resolver::new(&sheet.config);
    let lines: Vec<Line<'_>> = sheet.config.nat.iter().map(|n| Line::again(&n.span)).collect();
    let (known, _) = nat::all(&lines, &mut found);
    let mut objects = sheet.objects();
    let mut text = String::new();
    for zone in &intent.topology.zones {
        let own = zone.ranges(Family::V4);
        if own.is_empty() {
            continue;
        }
        for uplink in &intent.topology.uplinks {
            let side = |side: Option<&str>, name: &str| side.is_none_or(|s| s.eq_ignore_ascii_case(name));
            let covers =
                known.iter().filter(|n| !n.fixed && n.destination.is_none() && n.ports.is_none()).any(|n| {
                    let real: Ranges = n
                        .real
                        .ranges()
                        .unwrap_or_default()
                        .into_iter()
                        .filter(|r| r.0 == Family::V4)
                        .map(|(_, lo, hi)| (lo, hi))
                        .collect();
                    side(n.real_side, &zone.interface) && side(n.mapped_side, uplink) && own.is_subset(&real)
                });
            if !covers {
                let object = objects.translated(Family::V4, &own, &zone.name);
                let _ = writeln!(
                    text,
                    "nat ({},{uplink}) after-auto source dynamic {object} interface",
                    zone.interface
                );
            }
        }
    }
    let place = sheet.behind(&["nat", "access-list", "object-group", "object", "interface"]);
    let Some(at) = place.filter(|_| !text.is_empty()) else { return Vec::new() };
    with_objects(sheet, &objects, vec![insert(at.clone(), on_new_line(&at, text))])
}

/// Edits with the new objects they need, before the first of them.
pub(super) fn with_objects(sheet: &Sheet<'_>, objects: &Objects, mut edits: Vec<Edit>) -> Vec<Edit> {
    let text = objects.groups.definitions();
    let first = edits.iter().map(|e| &e.span).min_by_key(|s| s.start);
    if let Some(first) = first.filter(|_| !text.is_empty()) {
        let at = sheet.objects_before(first);
        match edits.iter_mut().find(|e| same(&e.span, &at)) {
            Some(edit) => edit.text.insert_str(0, &text),
            None => edits.push(insert(at, text)),
        }
    }
    edits
}
