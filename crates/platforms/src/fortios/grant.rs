//! Policies written into somebody's FortiOS configuration, with the objects they need.

use super::address::{self, Known};
use super::config::Block;
use super::edit::{Sheet, central_nat, indented};
use super::openings::openings;
use super::removal::removal;
use super::render::{self, Object, list, quoted};
use super::service;
use super::usage::OBJECTS;
use crate::edit::{before_line, indent, insert, permissions};
use crate::permits::{Permit, Service, Target, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_intent::{Flow, Side};
use tillgate_model::{Family, Protocol, Ranges, Span};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::Edit;

/// A number no entry of a table has.
pub fn free(block: &Block, path: &str) -> u64 {
    let taken: BTreeSet<u64> = block.table(path).iter().filter_map(|e| e.name.parse().ok()).collect();
    match taken.last() {
        Some(last) if *last >= 4_294_967_294 => (1..).find(|n| !taken.contains(n)).unwrap_or(1),
        last => last.map_or(1, |n| n + 1),
    }
}

/// Where policies are put.
#[derive(Clone, Copy)]
enum Spot {
    /// Before an entry.
    Before(usize),
    /// In the place of an entry.
    Instead(usize),
    /// Behind all others of their table.
    End,
}

/// Policies for one virtual domain, gathered before they are written.
struct Grant<'s> {
    sheet: &'s Sheet<'s>,
    domain: Option<&'s str>,
    block: &'s Block,
    /// Addresses that have an object, and names.
    known: BTreeMap<(Family, u128, u128), String>,
    named: BTreeMap<(Family, String), String>,
    used: BTreeSet<String>,
    /// New objects: table, name, statements.
    objects: Vec<(&'static str, String, Vec<String>)>,
    numbers: BTreeMap<&'static str, u64>,
    titles: BTreeSet<String>,
    /// Policies by table.
    policies: BTreeMap<&'static str, String>,
}

impl<'s> Grant<'s> {
    fn new(sheet: &'s Sheet<'s>, domain: Option<&'s str>, block: &'s Block) -> Self {
        let mut grant = Grant {
            sheet,
            domain,
            block,
            known: BTreeMap::new(),
            named: BTreeMap::new(),
            used: BTreeSet::new(),
            objects: Vec::new(),
            numbers: BTreeMap::new(),
            titles: BTreeSet::new(),
            policies: BTreeMap::new(),
        };
        for path in OBJECTS {
            grant.used.extend(block.table(path).iter().map(|e| e.name.clone()));
        }
        let tables = ["firewall policy", "firewall policy6", "firewall consolidated policy"];
        for entry in tables.iter().flat_map(|path| block.table(path)) {
            grant.titles.extend(entry.block.get("name").map(str::to_string));
        }
        let mut known = Known::default();
        for (family, path) in [(Family::V4, "firewall address"), (Family::V6, "firewall address6")] {
            for entry in block.table(path) {
                let kind = entry.block.get("type").unwrap_or("ipmask");
                let Some(found) = address::lookup(block, sheet.global(), family, &entry.name, &mut known)
                else {
                    continue;
                };
                match (kind, found.certain.as_slice(), found.names.as_slice()) {
                    ("ipmask" | "ipprefix" | "iprange", [(lo, hi)], []) if found.maybe.is_empty() => {
                        grant.known.entry((family, *lo, *hi)).or_insert_with(|| entry.name.clone());
                    }
                    ("fqdn" | "wildcard-fqdn", [], [name]) => {
                        grant.named.entry((family, name.clone())).or_insert_with(|| entry.name.clone());
                    }
                    _ => {}
                }
            }
        }
        grant
    }

    fn define(&mut self, path: &'static str, wish: String, statements: Vec<String>) -> String {
        let mut name = wish.clone();
        let mut number = 1;
        while service::predefined_name(&name) || !self.used.insert(name.clone()) {
            number += 1;
            name = format!("{wish}-{number}");
        }
        self.objects.push((path, name.clone(), statements));
        name
    }

    fn object(&mut self, family: Family, object: &Object) -> String {
        let path = if family == Family::V4 { "firewall address" } else { "firewall address6" };
        self.define(path, object.name(), object.statements(family))
    }

    /// Objects of the file where it has them for just these addresses, and else new ones.
    fn addresses(&mut self, family: Family, ranges: Option<&Ranges>) -> Vec<String> {
        let Some(ranges) = ranges else { return vec!["all".into()] };
        let mut out = Vec::new();
        for &(lo, hi) in ranges.as_slice() {
            if let Some(known) = self.known.get(&(family, lo, hi)) {
                out.push(known.clone());
                continue;
            }
            for object in Object::of(family, &Ranges::span(lo, hi)) {
                let own = match &object {
                    Object::Prefix(net) => address::span(family, net),
                    _ => None,
                };
                let key = own.and_then(|r| r.as_slice().first().copied()).unwrap_or((lo, hi));
                let key = (family, key.0, key.1);
                let name = match self.known.get(&key) {
                    Some(known) => known.clone(),
                    None => self.object(family, &object),
                };
                self.known.insert(key, name.clone());
                out.push(name);
            }
        }
        out
    }

    fn names(&mut self, family: Family, names: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for name in names {
            let key = (family, name.to_ascii_lowercase());
            let object = match self.named.get(&key) {
                Some(known) => known.clone(),
                None => self.object(family, &Object::Name(name.clone())),
            };
            self.named.insert(key, object.clone());
            out.push(object);
        }
        out
    }

    fn service(&mut self, family: Family, of: &Service) -> String {
        let Some((wish, statements)) = render::service(family, of) else { return "ALL".into() };
        if let Some((_, name, _)) = self.objects.iter().find(|(_, _, own)| *own == statements) {
            return name.clone();
        }
        let (protocol, ports) = match of {
            Service::Any => return "ALL".into(),
            Service::Protocol(protocol) => (*protocol, None),
            Service::Icmp(_) if family == Family::V4 => (Protocol::ICMP, None),
            Service::Icmp(_) => (Protocol::ICMPV6, None),
            Service::Ports { protocol, ports, .. } => (*protocol, Some(ports)),
        };
        let source = match of {
            Service::Icmp(kind) => Some(u128::from(*kind)),
            Service::Ports { source_port, .. } => source_port.map(u128::from),
            _ => None,
        };
        let base = Cube::all().at(Field::Protocol, protocol.0.into());
        let base = match source {
            Some(value) => base.and_then(|cube| cube.at(Field::SourcePort, value)),
            None => base,
        };
        match base.and_then(|base| service::exactly(self.block, &base, ports)) {
            Some(known) => known.to_string(),
            None => self.define("firewall service custom", wish, statements),
        }
    }

    fn number(&mut self, table: &'static str) -> u64 {
        let next = self.numbers.entry(table).or_insert_with(|| free(self.block, table));
        *next += 1;
        *next - 1
    }

    /// A policy's name: at most 35 characters, and its own (CLI Reference, config firewall policy).
    fn title(&mut self, wish: &str) -> String {
        let short = |limit: usize| wish.chars().take(limit).collect::<String>();
        let mut title = short(35);
        let mut number = 1;
        while !self.titles.insert(title.clone()) {
            number += 1;
            title = format!("{} {number}", short(30));
        }
        title
    }

    fn interfaces(&self, side: Side) -> Vec<String> {
        let names = Permit::interfaces(side, self.sheet.desk.intent);
        let mut out: Vec<String> = names.iter().map(|name| self.sheet.named(self.block, name)).collect();
        out.dedup();
        out
    }

    fn services(&mut self, alike: &[&Permit]) -> Vec<String> {
        let mut out: Vec<String> = alike.iter().map(|p| self.service(p.family, &p.service)).collect();
        out.dedup();
        out
    }

    /// A policy that lets permissions pass that differ in the service only.
    fn forward(&mut self, alike: &[&Permit]) {
        let [permit, ..] = alike else { return };
        let family = permit.family;
        let (table, suffix) = self.sheet.table(self.block, family == Family::V6);
        let from = self.interfaces(permit.from);
        let to = permit.to.map_or(Vec::new(), |to| self.interfaces(to));
        let source = self.addresses(family, permit.source.as_ref());
        let target = match &permit.target {
            // Whatever leaves by an uplink is the internet.
            Target::Any | Target::Public => vec!["all".into()],
            Target::Ranges(ranges) => self.addresses(family, Some(ranges)),
            Target::Names(names) => self.names(family, names),
        };
        let services = self.services(alike);
        let number = self.number(table);
        // Segments that may use the internet have that in common.
        let segment = permit.requirement == "internet";
        let title = self.title(if segment { &permit.comment } else { &permit.requirement });
        let uplink = permit.to == Some(Side::Uplinks);
        let masquerade = uplink && family == Family::V4 && self.sheet.desk.intent.masquerade;
        let nat = if masquerade && !central_nat(self.block) { "    set nat enable\n" } else { "" };
        let out = self.policies.entry(table).or_default();
        let _ = write!(
            out,
            "edit {number}\n    set name {}\n    set srcintf {}\n    set dstintf {}\n    set srcaddr{suffix} {}\n    set dstaddr{suffix} {}\n    set action accept\n    set schedule \"always\"\n    set service {}\n    set logtraffic all\n{nat}    set comments {}\nnext\n",
            quoted(&title, 35),
            list(&from),
            list(&to),
            list(&source),
            list(&target),
            list(&services),
            quoted(&permit.comment, 200)
        );
    }

    /// A policy for what reaches the unit itself: accepted from those who may, or denied to everybody.
    fn local(&mut self, alike: &[&Permit], accept: bool) {
        let [permit, ..] = alike else { return };
        let family = permit.family;
        let table = local_table(family);
        let services = self.services(alike);
        let source = self.addresses(family, permit.source.as_ref().filter(|_| accept));
        let target = match &permit.target {
            Target::Ranges(ranges) if accept => self.addresses(family, Some(ranges)),
            _ => vec!["all".into()],
        };
        for interface in self.interfaces(permit.from) {
            let number = self.number(table);
            let out = self.policies.entry(table).or_default();
            let _ = write!(
                out,
                "edit {number}\n    set intf {}\n    set srcaddr {}\n    set dstaddr {}\n    set action {}\n    set service {}\n    set schedule \"always\"\n",
                quoted(&interface, 35),
                list(&source),
                list(&target),
                if accept { "accept" } else { "deny" },
                list(&services)
            );
            if accept && self.sheet.version.is_none_or(|v| v >= (6, 4, 0)) {
                let _ = writeln!(out, "    set comments {}", quoted(&permit.comment, 200));
            }
            out.push_str("next\n");
        }
    }

    /// A policy that denies what cannot come in by some interfaces.
    fn forged(&mut self, on: &[String], family: Family, ranges: &Ranges, only: bool, segment: &str) {
        let (table, suffix) = self.sheet.table(self.block, family == Family::V6);
        let number = self.number(table);
        let source = self.addresses(family, Some(ranges));
        let title = self.title(&format!("forged {segment}"));
        let negate = match (only, suffix) {
            (false, _) => String::new(),
            (true, "4") => "    set srcaddr-negate enable\n".into(),
            (true, suffix) => format!("    set srcaddr{suffix}-negate enable\n"),
        };
        // What a virtual IP translates is denied too.
        let vips = !central_nat(self.block) && !self.block.table("firewall vip").is_empty();
        let translated = if vips && family == Family::V4 { "    set match-vip enable\n" } else { "" };
        let out = self.policies.entry(table).or_default();
        let _ = write!(
            out,
            "edit {number}\n    set name {}\n    set srcintf {}\n    set dstintf \"any\"\n    set srcaddr{suffix} {}\n{negate}    set dstaddr{suffix} \"all\"\n    set action deny\n    set schedule \"always\"\n    set service \"ALL\"\n    set logtraffic all\n{translated}    set comments {}\nnext\n",
            quoted(&title, 35),
            list(on),
            list(&source),
            quoted(&format!("{segment}: forged source"), 200)
        );
    }

    /// The edits, `spot` saying where the policies of a table are put. `None` where the file has no room for them.
    fn edits(self, spot: impl Fn(&str) -> Spot) -> Option<Vec<Edit>> {
        let layout = &self.sheet.layout;
        let mut out = Vec::new();
        let first = self.policies.keys().flat_map(|table| layout.sections(self.domain, table)).min();
        let mut tables: BTreeMap<&str, String> = BTreeMap::new();
        for (table, name, statements) in &self.objects {
            let text = tables.entry(table).or_default();
            let _ =
                writeln!(text, "edit {}\n{}next", quoted(name, 79), indented(&statements.join("\n"), "    "));
        }
        for (table, text) in &tables {
            out.push(self.sheet.add(self.domain, table, first, text)?);
        }
        for (table, text) in &self.policies {
            let (Spot::Before(at) | Spot::Instead(at)) = spot(table) else {
                out.push(self.sheet.add(self.domain, table, None, text)?);
                continue;
            };
            let head = &layout.parts[at].head;
            let text = indented(text, &indent(head));
            out.push(match spot(table) {
                Spot::Instead(_) => Edit { span: layout.whole(at), text },
                _ => insert(before_line(head), text),
            });
        }
        Some(out)
    }
}

/// Whether two permissions differ in the service only.
fn same(a: &Permit, b: &Permit) -> bool {
    (a.from, a.to, a.family, &a.source, &a.target, &a.comment)
        == (b.from, b.to, b.family, &b.source, &b.target, &b.comment)
}

fn local_table(family: Family) -> &'static str {
    if family == Family::V4 { "firewall local-in-policy" } else { "firewall local-in-policy6" }
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
    let layout = &sheet.layout;
    let part = layout.at(at);
    let table = part.map_or("", |at| layout.table(at));
    let own = part.and_then(|at| layout.domain(at));
    let mut domains: BTreeMap<Option<&str>, (Vec<&Permit>, Vec<&Permit>)> = BTreeMap::new();
    for permit in local.iter().chain(&forward) {
        let interface = Permit::interfaces(permit.from, sheet.desk.intent).into_iter().next();
        let by = interface.and_then(|name| sheet.domain_of(&name)).map(|(domain, _)| domain);
        let Some(domain) = own.map(Some).or(by) else { return Vec::new() };
        let lists = domains.entry(domain).or_default();
        if permit.to.is_some() { lists.1.push(permit) } else { lists.0.push(permit) }
    }
    let filters = table.starts_with("firewall local-in-policy");
    // What opens a service of the unit stays; who may use it is said by policies.
    let access = instead && table.starts_with("system ");
    // Access for all, and access by policies: the second only where the first does not do, or cannot be.
    let mut ways = Vec::new();
    if !local.is_empty() && !filters && !access {
        ways.push(false);
    }
    ways.push(true);
    let write = |by_policy: bool| -> Option<Vec<Edit>> {
        let mut out = Vec::new();
        let mut replaced = false;
        for (domain, (local, forward)) in &domains {
            let (_, block) = sheet.domains().into_iter().find(|(name, _)| name == domain)?;
            let mut grant = Grant::new(sheet, *domain, block);
            for alike in forward.chunk_by(|a, b| same(a, b)) {
                grant.forward(alike);
            }
            if by_policy {
                for alike in local.chunk_by(|a, b| same(a, b)) {
                    grant.local(alike, true);
                }
                if !filters {
                    for alike in local.chunk_by(|a, b| (a.from, a.family) == (b.from, b.family)) {
                        grant.local(alike, false);
                    }
                }
            }
            let here = part.filter(|at| layout.domain(*at) == *domain);
            replaced |= instead && here.is_some() && grant.policies.contains_key(table);
            out.extend(grant.edits(|own| match here.filter(|_| own == table) {
                Some(at) if instead => Spot::Instead(at),
                Some(at) => Spot::Before(at),
                None => Spot::End,
            })?);
            out.extend(openings(sheet, *domain, block, local)?);
        }
        if instead && !replaced && !access {
            out.extend(removal(sheet, part?, false));
        }
        Some(out)
    };
    if domains.is_empty() { Vec::new() } else { ways.into_iter().filter_map(write).collect() }
}

/// Denials of sources that cannot come from a segment, or from outside, in front of all policies.
pub fn forged(sheet: &Sheet<'_>, segment: &str) -> Vec<Vec<Edit>> {
    let topology = &sheet.desk.intent.topology;
    let found = sources(sheet.desk.intent).into_iter().filter(|(.., name)| name == segment);
    let found: Vec<_> = found.collect();
    let on = found.first().and_then(|(on, ..)| on.first());
    let Some((domain, block)) = on.and_then(|one| sheet.domain_of(one)) else { return Vec::new() };
    let mut grant = Grant::new(sheet, domain, block);
    for (on, family, ranges, only, name) in found {
        let mut by: Vec<String> = on.iter().map(|one| sheet.named(block, one)).collect();
        by.dedup();
        // A zone's interfaces are told apart by no policy; what forwards nothing needs no exception.
        let own = topology.zones.iter().filter(|z| by.contains(&sheet.named(block, &z.interface)));
        let own = own.fold(Ranges::empty(), |all, zone| all.union(&zone.ranges(family)));
        grant.forged(&by, family, if only { &own } else { &ranges }, only, &name);
    }
    let first = |table: &str| sheet.layout.entries(domain, table).next().map_or(Spot::End, Spot::Before);
    grant.edits(first).into_iter().collect()
}
