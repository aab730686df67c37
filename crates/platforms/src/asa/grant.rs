//! Permissions written into somebody's lists, or into lists of their own.

use super::config::{ListKind, Point};
use super::edit::{DENY_ALL, by_level, with_objects, without_entry};
use super::lines::Line;
use super::render::{any, entry, outside, possible};
use super::sheet::{Objects, Sheet, same};
use super::write::masked;
use crate::edit::{after_line, before_line, insert, on_new_line, remove};
use crate::permits::{Permit, Service, Target, public};
use std::collections::{BTreeMap, BTreeSet};
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Protocol, Ranges, Span, address_from_bits};
use tillgate_ruleset::Edit;

/// Permissions on their way into lists.
pub struct Grant<'g, 'a> {
    intent: &'g Intent,
    sheet: &'g Sheet<'a>,
    objects: Objects,
    /// Whether destinations on the internet are written out.
    exact: bool,
}

impl<'g, 'a> Grant<'g, 'a> {
    /// Over what was read; `exact` writes destinations on the internet out.
    pub fn of(intent: &'g Intent, sheet: &'g Sheet<'a>, exact: bool) -> Self {
        Grant { intent, sheet, objects: sheet.objects(), exact }
    }

    /// Permissions at a place.
    pub fn edits(mut self, at: &Span, instead: bool, local: &[Permit], forward: &[Permit]) -> Vec<Edit> {
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
            let body = self.local(permit);
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
            let until = here.filter(|(name, _)| *name == list).map(|(_, place)| place);
            let missing = self.sheet.missing(list, until, &bodies);
            if missing.is_empty() {
                continue;
            }
            let text = self.sheet.lines(list, &missing);
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
        // Lines of the device's own services, of which one goes.
        let own = Line::again(at);
        let service = ["ssh", "telnet", "http", "icmp", "ipv6"].iter().any(|word| own.is(0, word));
        if instead && service && here.is_none() && !lines.is_empty() {
            out.push(remove(at));
        }
        for line in lines {
            let word = line.split(' ').next().unwrap_or("");
            // The first line that fits decides about ICMP.
            let clear = format!("clear configure {word}");
            let place = match own.is(0, word) {
                true => Some(before_line(at)),
                false => self.sheet.behind(&[
                    word,
                    "clear configure http",
                    &clear,
                    "access-group",
                    "access-list",
                    "interface",
                ]),
            };
            let line = format!("{line}\n");
            if let Some(place) = place {
                match out.iter_mut().find(|e| same(&e.span, &place) && e.span.start == e.span.end) {
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
        // In the list for all interfaces, whoever forges a source would pass too.
        own.or_else(|| self.sheet.global(permit.family).filter(|_| !self.exact))
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
    fn local(&mut self, permit: &Permit) -> String {
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
    pub fn closed(self, interface: &str) -> Vec<Edit> {
        self.fresh(interface, "")
    }

    fn fresh(&self, interface: &str, bodies: &str) -> Vec<Edit> {
        let taken = self.sheet.taken();
        let wish = format!("{interface}_access_in");
        let numbered = (2..1000).map(|n| format!("{wish}_{n}"));
        let Some(name) = std::iter::once(wish.clone()).chain(numbered).find(|n| !taken.contains(n)) else {
            return Vec::new();
        };
        // What it does not decide goes on to the list for all interfaces.
        let global = Family::BOTH.iter().all(|family| self.sheet.global(*family).is_some());
        let end = if global && !bodies.is_empty() { "" } else { DENY_ALL };
        let mut text = self.sheet.lines(&name, bodies) + &self.sheet.lines(&name, end);
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
