//! Repairs written into somebody's ASA configuration.

use super::config::{ListKind, Point};
use super::lines::Line;
use super::nat;
use super::render::{any, entry, outside, possible};
use super::sheet::{Objects, Sheet, files, same};
use super::write::masked;
use crate::edit::{Desk, after_line, insert, permissions, remove, whole_lines};
use crate::permits::{Permit, Service, Target, public, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Protocol, Ranges, Span, address_from_bits};
use tillgate_ruleset::{Edit, Repair, What};

/// What ends a list.
const DENY_ALL: &str = "extended deny ip any any log\n";

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let files = files(desk);
    let sheet = Sheet::of(&files);
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
            vec![
                put(format!("icmp deny any echo {name}\nicmp permit any {name}\n")),
                put(format!("icmp permit any unreachable {name}\nicmp deny any {name}\n")),
            ]
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
fn without_entry(sheet: &Sheet<'_>, list: &str, at: usize) -> Vec<Edit> {
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
fn by_level(sheet: &Sheet<'_>, span: &Span) -> Option<String> {
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
    vec![own, level("informational"), both, level("debugging")]
}

/// Messages are written, up to a level.
fn settings(sheet: &Sheet<'_>, level: &str) -> Vec<Edit> {
    let wanted = super::words::level(level);
    let enabled = sheet.config.logging.enabled;
    let mut text = String::new();
    if !enabled {
        text.push_str("logging enable\n");
    }
    let mut out = Vec::new();
    if sheet.config.logging.level < wanted {
        let known = sheet.rows.iter().find(|row| row.is(0, "logging") && row.is(1, "buffered"));
        match known.filter(|row| super::words::level(row.word(2)).is_some()) {
            Some(row) => out.push(Edit { span: row.place(2), text: level.into() }),
            None => {
                let _ = writeln!(text, "logging buffered {level}");
            }
        }
    }
    if !text.is_empty()
        && let Some(at) = sheet.behind(&["logging", "access-list", "object-group", "object", "interface"])
    {
        out.push(insert(at.clone(), on_new_line(&at, text)));
    }
    out
}

/// Text behind a line: at the end of a file that ends within one, on a line of its own.
fn on_new_line(place: &Span, text: String) -> String {
    let ends = place
        .file
        .text
        .get(..after_line(place).start as usize)
        .is_none_or(|t| t.is_empty() || t.ends_with('\n'));
    if ends { text } else { format!("\n{text}") }
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
fn with_objects(sheet: &Sheet<'_>, objects: &Objects, mut edits: Vec<Edit>) -> Vec<Edit> {
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

/// Permissions on their way into lists.
struct Grant<'g, 'a> {
    intent: &'g Intent,
    sheet: &'g Sheet<'a>,
    objects: Objects,
    /// Whether destinations on the internet are written out.
    exact: bool,
}

impl<'g, 'a> Grant<'g, 'a> {
    fn of(intent: &'g Intent, sheet: &'g Sheet<'a>, exact: bool) -> Self {
        Grant { intent, sheet, objects: sheet.objects(), exact }
    }

    /// Permissions at a place.
    fn edits(mut self, at: &Span, instead: bool, local: &[Permit], forward: &[Permit]) -> Vec<Edit> {
        let here = self.sheet.entry(at);
        let mut lists: BTreeMap<&'a str, String> = BTreeMap::new();
        let mut fresh: BTreeMap<String, String> = BTreeMap::new();
        let mut lines: BTreeSet<String> = BTreeSet::new();
        if let Some(interface) = by_level(self.sheet, at).filter(|_| instead) {
            fresh.entry(interface).or_default();
        }
        for permit in forward {
            let body = self.through(permit);
            for interface in Permit::interfaces(permit.from, self.intent) {
                match self.list(here.map(|(list, _)| list), &interface, permit) {
                    Some(list) => add(lists.entry(list).or_default(), &body),
                    None => add(fresh.entry(interface).or_default(), &body),
                }
            }
        }
        for permit in local {
            if permit.requirement == "management" {
                lines.extend(self.management(permit));
                continue;
            }
            let body = self.to_device(permit);
            for interface in Permit::interfaces(permit.from, self.intent) {
                match self.sheet.list(&interface, Point::ControlPlane, permit.family) {
                    Some(list) => add(lists.entry(list).or_default(), &body),
                    None => lines.extend(icmp_lines(permit, &interface)),
                }
            }
        }
        if lists.is_empty() && fresh.is_empty() && lines.is_empty() {
            return Vec::new();
        }
        let mut out = Vec::new();
        let mut replaced = false;
        for (list, bodies) in lists {
            let text = self.sheet.lines(list, &bodies);
            match here.filter(|(name, _)| *name == list) {
                Some((_, place)) if instead => {
                    out.extend(self.sheet.replace(&self.sheet.with_remarks(list, place), text));
                    replaced = true;
                }
                Some((_, place)) => out.extend(self.sheet.before(list, place).map(|at| insert(at, text))),
                None => {
                    let last = self.sheet.config.lists.get(list).and_then(|l| l.lines.last());
                    out.extend(last.map(|last| insert(after_line(last), on_new_line(last, text))));
                }
            }
        }
        if let Some((list, place)) = here.filter(|_| instead && !replaced) {
            out.extend(without_entry(self.sheet, list, place));
        }
        for (interface, bodies) in &fresh {
            out.extend(self.fresh(interface, bodies));
        }
        for line in lines {
            let word = line.split(' ').next().unwrap_or("");
            // The first line that fits decides about ICMP.
            let place = match at.text().starts_with(word) && word == "icmp" {
                true => Some(crate::edit::before_line(at)),
                false => self.sheet.behind(&[word, "access-group", "access-list", "interface"]),
            };
            let line = format!("{line}\n");
            if let Some(place) = place {
                match out.iter_mut().find(|e| same(&e.span, &place)) {
                    Some(edit) => edit.text.push_str(&line),
                    None => out.push(insert(place.clone(), on_new_line(&place, line))),
                }
            }
        }
        with_objects(self.sheet, &self.objects, out)
    }

    /// The list that decides about a permission: the one of the place if it sees it, else that of its interface.
    fn list(&self, here: Option<&'a str>, interface: &str, permit: &Permit) -> Option<&'a str> {
        let own = self.sheet.list(interface, Point::In, permit.family);
        if let (Some(here), Some(to)) = (here, permit.to) {
            let leaves = Permit::interfaces(to, self.intent);
            let out = |name: &String| self.sheet.list(name, Point::Out, permit.family) == Some(here);
            if own != Some(here) && leaves.iter().any(out) {
                return Some(here);
            }
        }
        own.or_else(|| self.sheet.global(permit.family))
    }

    /// The entries of a permission through the device, behind the name of a list.
    fn through(&mut self, permit: &Permit) -> String {
        let family = permit.family;
        let source = match (&permit.source, permit.from) {
            (Some(own), _) => self.objects.addresses(family, own, &permit.requirement),
            (None, Side::Uplinks) if !self.exact => any(family).to_string(),
            (None, side) => {
                let own = possible(self.intent, side, family);
                self.objects.addresses(family, &own, &permit.requirement)
            }
        };
        let target = match &permit.target {
            Target::Ranges(ranges) => self.objects.addresses(family, ranges, &permit.requirement),
            Target::Names(names) => self.objects.names(family, names, &permit.requirement),
            Target::Any | Target::Public if !self.exact => any(family).to_string(),
            Target::Any => self.objects.addresses(family, &outside(self.intent, family), "outside"),
            Target::Public => self.objects.addresses(family, &public(self.intent, family), "internet"),
        };
        entry(&mut self.objects.groups, permit, &source, &target)
    }

    /// The entries of a permission to the device.
    fn to_device(&mut self, permit: &Permit) -> String {
        let family = permit.family;
        let source = permit.source.clone().unwrap_or_else(|| possible(self.intent, permit.from, family));
        let source = self.objects.addresses(family, &source, &permit.requirement);
        let target = match &permit.target {
            Target::Ranges(ranges) => self.objects.addresses(family, ranges, &permit.requirement),
            _ => any(family).to_string(),
        };
        entry(&mut self.objects.groups, permit, &source, &target)
    }

    /// The lines that let people manage the device.
    fn management(&self, permit: &Permit) -> Vec<String> {
        let Service::Ports { protocol: Protocol::TCP, ports, .. } = &permit.service else {
            return Vec::new();
        };
        let source = permit.source.clone().unwrap_or_else(|| Ranges::full(permit.family.max_address()));
        let mut out = Vec::new();
        for port in ports.as_slice().iter().flat_map(|(lo, hi)| (*lo..=*hi).take(16)) {
            let word = match port {
                22 => "ssh",
                23 => "telnet",
                _ => "http",
            };
            if word == "http" && self.sheet.config.http.is_none() {
                let port = if port == 443 { String::new() } else { format!(" {port}") };
                out.push(format!("http server enable{port}"));
            }
            for interface in Permit::interfaces(permit.from, self.intent) {
                let networks = masked(permit.family, &source);
                out.extend(networks.iter().map(|network| format!("{word} {network} {interface}")));
            }
        }
        out
    }

    /// A list of its own for an interface that had none and now denies everything.
    fn closed(self, interface: &str) -> Vec<Edit> {
        self.fresh(interface, "")
    }

    fn fresh(&self, interface: &str, bodies: &str) -> Vec<Edit> {
        let taken = self.sheet.taken();
        let wish = format!("{interface}_access_in");
        let numbered = (2..1000).map(|n| format!("{wish}_{n}"));
        let Some(name) = std::iter::once(wish.clone()).chain(numbered).find(|n| !taken.contains(n)) else {
            return Vec::new();
        };
        let mut text = self.sheet.lines(&name, bodies) + &self.sheet.lines(&name, DENY_ALL);
        let six = self.sheet.config.lists.values().any(|l| l.kind == ListKind::Six);
        // Before 9.0 a list is of one family; the other one keeps going by its levels.
        if self.sheet.config.old() && six {
            return Vec::new();
        }
        let group = format!("access-group {name} in interface {interface}\n");
        let place = self.sheet.behind(&["access-list", "object-group", "object", "interface"]);
        let applied =
            self.sheet.behind(&["access-group", "nat", "access-list", "object-group", "object", "interface"]);
        let (Some(place), Some(applied)) = (place, applied) else { return Vec::new() };
        if applied.start <= place.start {
            text.push_str(&group);
            return vec![insert(place.clone(), on_new_line(&place, text))];
        }
        vec![
            insert(place.clone(), on_new_line(&place, text)),
            insert(applied.clone(), on_new_line(&applied, group)),
        ]
    }
}

/// Entries are said once.
fn add(bodies: &mut String, body: &str) {
    if !bodies.contains(body) {
        bodies.push_str(body);
    }
}

/// A permission of ICMP to the device, where no list is in its way.
fn icmp_lines(permit: &Permit, interface: &str) -> Vec<String> {
    let Service::Icmp(kind) = permit.service else { return Vec::new() };
    let family = permit.family;
    let source = permit.source.clone().unwrap_or_else(|| Ranges::full(family.max_address()));
    let word = if family == Family::V4 { "icmp" } else { "ipv6 icmp" };
    let one = |(lo, hi): &(u128, u128)| match lo == hi {
        true => vec![format!("host {}", address_from_bits(family, *lo))],
        false => masked(family, &Ranges::span(*lo, *hi)),
    };
    let sources = source.as_slice().iter().flat_map(one);
    sources.map(|source| format!("{word} permit {source} {kind} {interface}")).collect()
}
