//! Virtual IPs: destinations that are translated before routing and policy.

use super::address::span;
use super::config::{Block, Entry};
use super::service;
use std::collections::HashMap;
use tillgate_model::{Family, Protocol, Ranges, Span};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::Translation;

/// Single translations a range of a VIP is taken apart into; larger ranges stay a range.
const MOST_SINGLE: u128 = 512;

/// One translation of a VIP: what it takes, and what that becomes.
pub struct Step {
    pub when: Cube,
    pub to: Translation,
}

/// A virtual IP.
pub struct Vip {
    pub name: String,
    pub span: Span,
    pub family: Family,
    /// The interface it serves; `None` for any.
    pub interface: Option<String>,
    /// Sources and interfaces it is limited to.
    pub sources: Vec<Ranges>,
    pub inputs: Vec<String>,
    pub steps: Vec<Step>,
    /// What its packets are known by afterwards.
    pub tag: u16,
    /// What it leads to is not known.
    pub open: bool,
}

/// The virtual IPs of a virtual domain that are in force.
#[derive(Default)]
pub struct Vips {
    /// In the order in which they are tried.
    pub list: Vec<Vip>,
    /// Where they stand in it.
    named: HashMap<(Family, String), Vec<usize>>,
}

fn width(ranges: &Ranges) -> u128 {
    ranges.as_slice().iter().fold(0, |n, (lo, hi)| n.saturating_add(hi - lo).saturating_add(1))
}

fn first(ranges: &Ranges) -> (u128, u128) {
    ranges.as_slice().first().copied().unwrap_or((0, 0))
}

fn join(list: &[Ranges]) -> Ranges {
    list.iter().fold(Ranges::empty(), |all, r| all.union(r))
}

impl Vips {
    /// All virtual IPs of a virtual domain.
    pub fn of(vdom: &Block) -> Self {
        let tables = [("firewall vip", Family::V4), ("firewall vip6", Family::V6)];
        let entries = tables.iter().flat_map(|(path, family)| vdom.table(path).iter().map(|e| (e, *family)));
        let active = entries.filter(|(e, _)| e.block.get("status") != Some("disable"));
        // Policies name VIPs, so translations carry which one it was.
        let list: Vec<Vip> = active
            .enumerate()
            .map(|(at, (entry, family))| vip(vdom, entry, family, (at as u16).saturating_add(1)))
            .collect();
        let mut named: HashMap<(Family, String), Vec<usize>> = HashMap::new();
        for (at, vip) in list.iter().enumerate() {
            named.entry((vip.family, vip.name.clone())).or_default().push(at);
        }
        Vips { list, named }
    }

    /// The VIPs a name stands for: itself, or the members of its group.
    pub fn named(&self, vdom: &Block, family: Family, name: &str) -> Option<Vec<&Vip>> {
        let members = members(vdom, family, name);
        let at = members.iter().filter_map(|m| self.named.get(&(family, m.to_string())));
        let mut found: Vec<usize> = at.flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        let found: Vec<&Vip> = found.iter().filter_map(|at| self.list.get(*at)).collect();
        (!found.is_empty()).then_some(found)
    }
}

/// A name, or the members of the group of VIPs it names.
pub fn members<'a>(vdom: &'a Block, family: Family, name: &'a str) -> Vec<&'a str> {
    let groups = if family == Family::V4 { "firewall vipgrp" } else { "firewall vipgrp6" };
    match vdom.entry(groups, name) {
        Some(group) => group.block.values("member").iter().map(String::as_str).collect(),
        None => vec![name],
    }
}

fn vip(vdom: &Block, entry: &Entry, family: Family, tag: u16) -> Vip {
    let block = &entry.block;
    let kind = block.get("type").unwrap_or("static-nat");
    let mut out = Vip {
        name: entry.name.clone(),
        span: entry.span.clone(),
        family,
        interface: block.get("extintf").filter(|i| *i != "any").map(str::to_string),
        sources: block.values("src-filter").iter().filter_map(|s| span(family, s)).collect(),
        inputs: block.values("srcintf-filter").to_vec(),
        steps: Vec::new(),
        tag,
        open: !matches!(kind, "static-nat" | "load-balance" | "server-load-balance"),
    };
    let full = Ranges::full(family.max_address());
    let outer = match block.get("extip") {
        None => None,
        Some("0.0.0.0" | "::") => Some(full.clone()),
        Some(text) => span(family, text),
    };
    let parts: Vec<Ranges> = block.values("mappedip").iter().filter_map(|m| span(family, m)).collect();
    let mut inner = join(&parts);
    let servers = block.table("realservers").iter().filter(|e| e.block.get("status") != Some("disable"));
    let servers: Vec<&Entry> = servers.collect();
    if kind == "server-load-balance" {
        let list: Vec<Ranges> =
            servers.iter().filter_map(|e| e.block.get("ip").and_then(|i| span(family, i))).collect();
        inner = join(&list);
    }
    let (Some(outer), false) = (outer, inner.is_empty()) else {
        out.open = true;
        return out;
    };
    let forwards =
        block.on("portforward") || kind == "server-load-balance" && block.get("server-type") != Some("ip");
    let protocol = match (block.get("protocol"), block.get("server-type")) {
        (Some("udp"), _) | (_, Some("udp")) => Protocol::UDP,
        (Some("sctp"), _) => Protocol(132),
        (Some("icmp"), _) => Protocol::ICMP,
        _ => Protocol::TCP,
    };
    let external = block.get("extport").and_then(service::ports).unwrap_or_else(|| Ranges::full(65535));
    let server_port =
        servers.iter().find_map(|e| e.block.get("port").filter(|p| *p != "0").and_then(service::ports));
    // Servers that listen on different ports: which one is chosen is not known.
    let mut ports: Vec<&str> = servers.iter().map(|e| e.block.get("port").unwrap_or("0")).collect();
    ports.dedup();
    out.open |= ports.len() > 1;
    let target = match kind {
        "server-load-balance" => server_port.unwrap_or_else(|| external.clone()),
        _ => block.get("mappedport").and_then(service::ports).unwrap_or_else(|| external.clone()),
    };
    let base = Cube::all().at(Field::Family, family as u128);
    let Some(base) = base else { return out };
    let of = |field: Field, ranges: &Ranges, cube: &Cube| cube.clone().with(field, ranges);
    // Addresses: the n-th outer becomes the n-th inner; balancers pick any.
    let single = kind == "static-nat" && width(&outer) == width(&inner) && width(&outer) <= MOST_SINGLE;
    let pairs: Vec<(Ranges, (u128, u128))> = match single {
        true => {
            let (from, to) = (first(&outer).0, first(&inner).0);
            (0..width(&outer)).map(|n| (Ranges::single(from + n), (to + n, to + n))).collect()
        }
        false => vec![(outer, (inner.first().unwrap_or(0), inner.as_slice().last().map_or(0, |r| r.1)))],
    };
    // Services limit what is translated.
    let services = block.values("service").iter();
    let limits = services.flat_map(|name| service::lookup(vdom, name).map_or(Vec::new(), |s| s.cubes));
    let limits: Vec<Cube> = limits.collect();
    for (outer, (lo, hi)) in pairs {
        let Some(cube) = of(Field::Destination, &outer, &base) else { continue };
        if !limits.is_empty() && !forwards {
            for limit in &limits {
                let to = Translation::Destination { addresses: Some((family, lo, hi)), ports: None, tag };
                out.steps.extend(cube.intersect(limit).map(|when| Step { when, to: to.clone() }));
            }
            continue;
        }
        let addresses = Some((family, lo, hi));
        if !forwards {
            out.steps.push(Step { when: cube, to: Translation::Destination { addresses, ports: None, tag } });
            continue;
        }
        let Some(cube) = of(Field::Protocol, &Ranges::single(protocol.0.into()), &cube) else { continue };
        let step = |external: &Ranges, ports| {
            let when = of(Field::DestinationPort, external, &cube);
            when.map(|when| Step { when, to: Translation::Destination { addresses, ports, tag } })
        };
        let ((a, b), (x, y)) = (first(&external), first(&target));
        if external == target {
            out.steps.extend(step(&external, None));
        } else if b - a == y - x && b - a < MOST_SINGLE {
            for n in 0..=(b - a) {
                let port = (x + n) as u16;
                out.steps.extend(step(&Ranges::single(a + n), Some((port, port))));
            }
        } else {
            out.steps.extend(step(&external, Some((x as u16, y as u16))));
        }
    }
    out
}
