//! An intent written as commands for a configuration terminal, and proved.

use super::write::{Groups, host_name, masked, quoted_remark};
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_estate::{ServiceAt, Site};
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Protocol, Ranges, Text};

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    let mut names = BTreeSet::new();
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
        // Names of interfaces hold 48 characters and have no case (Command Reference, nameif).
        let new = names.insert(name.to_ascii_lowercase());
        if name.len() > 48 || !name.chars().all(fits) || name.eq_ignore_ascii_case("any") || !new {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    // An object looks up one name, none of those below it (Firewall CLI guide, Network Objects).
    for name in intent.flows.iter().filter(|f| f.by_name).flat_map(|f| &f.names) {
        let text = match name.starts_with("*.") {
            true => Text::new("cannot-wildcard-name").arg("name", name),
            false if !host_name(name) => Text::new("bad-value").arg("value", name),
            false => continue,
        };
        return Err(RenderError::CannotExpress(text));
    }
    let mut writer = Writer { site, intent, groups: Groups::default(), lists: BTreeMap::new() };
    let text = writer.file()?;
    prove(super::parse, Rendered { text, companions: Vec::new() }, intent)
}

/// Places in a list: what is named by addresses, then what is named by names, and what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Named,
    NotInside,
    ByName,
    Last,
}

/// Clients connect from this port and those above it.
const FIRST_CLIENT_PORT: u128 = 1024;

struct Writer<'a> {
    site: &'a Site,
    intent: &'a Intent,
    groups: Groups,
    /// Lines of the lists by name, with their places.
    lists: BTreeMap<String, Vec<(Place, String)>>,
}

pub(super) fn any(family: Family) -> &'static str {
    if family == Family::V4 { "any4" } else { "any6" }
}

fn inbound(interface: &str) -> String {
    format!("tg-in-{interface}")
}

fn local(interface: &str) -> String {
    format!("tg-box-{interface}")
}

/// Every address that is no segment's.
pub(super) fn outside(intent: &Intent, family: Family) -> Ranges {
    intent.topology.inside(family).complement(family.max_address())
}

/// The sources that a side can have.
pub(super) fn possible(intent: &Intent, side: Side, family: Family) -> Ranges {
    match side {
        Side::Uplinks => outside(intent, family),
        Side::Zone(at) => {
            let zone = intent.topology.zones.get(at);
            let known = sources(intent).into_iter().find(|(on, of, _, allowed, _)| {
                *allowed && *of == family && zone.is_some_and(|z| on.contains(&z.interface))
            });
            known.map_or_else(|| Ranges::full(family.max_address()), |(_, _, ranges, _, _)| ranges)
        }
    }
}

/// A remark and the entries under it, as they stand behind the name of a list.
pub(super) fn entry(groups: &mut Groups, permit: &Permit, source: &str, target: &str) -> String {
    let mut out = format!("remark {}\n", quoted_remark(&permit.comment));
    match &permit.service {
        Service::Any => {
            let _ = writeln!(out, "extended permit ip {source} {target}");
        }
        Service::Protocol(protocol) => {
            let _ = writeln!(out, "extended permit {} {source} {target}", protocol.0);
        }
        Service::Icmp(kind) => {
            let name = if permit.family == Family::V4 { "icmp" } else { "icmp6" };
            let _ = writeln!(out, "extended permit {name} {source} {target} {kind}");
        }
        Service::Ports { protocol, ports, source_port } => {
            let name = match *protocol {
                Protocol::TCP => "tcp".to_string(),
                Protocol::UDP => "udp".to_string(),
                other => other.0.to_string(),
            };
            let from = source_port.map_or(String::new(), |p| format!(" eq {p}"));
            let ports = groups.ports(&name, ports, &permit.requirement);
            let _ = writeln!(out, "extended permit {name} {source}{from} {target} {ports}");
        }
    }
    out
}

impl Writer<'_> {
    fn interfaces(&self) -> Vec<String> {
        let zones = self.intent.topology.zones.iter().map(|z| z.interface.clone());
        let mut out: Vec<String> = zones.chain(self.intent.topology.uplinks.iter().cloned()).collect();
        let mut seen = BTreeSet::new();
        out.retain(|n| seen.insert(n.clone()));
        out
    }

    fn file(&mut self) -> Result<String, RenderError> {
        for permit in permits(self.intent, false) {
            self.forward(&permit);
        }
        for permit in permits(self.intent, true).iter().filter(|p| p.requirement != "management") {
            self.permit_local(permit);
        }
        self.neighbours();
        let nat = self.nat()?;
        let management = self.management()?;
        let dhcp = super::dhcp::server(self.site, self.intent)?;
        let mut out = self.head();
        for interface in self.interfaces() {
            let _ = writeln!(out, "clear configure access-list {}", inbound(&interface));
            let _ = writeln!(out, "clear configure access-list {}", local(&interface));
        }
        out.push_str("clear configure nat\n");
        out.push_str(&self.groups.text());
        for (name, lines) in &mut self.lists {
            lines.sort_by_key(|(place, _)| *place);
            for (_, line) in lines {
                for part in line.lines() {
                    let _ = writeln!(out, "access-list {name} {part}");
                }
            }
        }
        for interface in self.interfaces() {
            if self.lists.contains_key(&inbound(&interface)) {
                let _ = writeln!(out, "access-group {} in interface {interface}", inbound(&interface));
            }
            let list = local(&interface);
            let _ = writeln!(out, "access-group {list} in interface {interface} control-plane");
        }
        out.push_str("logging enable\nlogging buffered informational\n");
        out.push_str(&nat);
        out.push_str(&management);
        out.push_str(&dhcp);
        out.push_str(&super::dhcp::lookup(self.site, self.intent));
        out.push_str(
            "class-map inspection_default\n match default-inspection-traffic\npolicy-map global_policy\n class inspection_default\n  inspect icmp\n  inspect icmp error\nservice-policy global_policy global\n",
        );
        Ok(out)
    }

    /// What the file is for, and what closes everything while it is read.
    fn head(&self) -> String {
        let shown = quoted_remark(&self.site.name);
        let mut out = format!(
            "! tillgate: {shown}\n! For ASA software 9.0 and later (address reservations: 9.13), read in configuration mode.\n! Replaces all access groups, all nat lines of their own, and who may use ssh, telnet and http. Objects and lists\n! whose names start with tg- are its own. Interfaces bear these names:\n"
        );
        for zone in &self.intent.topology.zones {
            let vlan = self.site.segment(&zone.name).and_then(|s| s.vlan);
            let vlan = vlan.map_or(String::new(), |v| format!(" (vlan {v})"));
            let _ = writeln!(out, "!   nameif {} is {}{vlan}", zone.interface, quoted_remark(&zone.name));
        }
        for uplink in &self.intent.topology.uplinks {
            let _ = writeln!(out, "!   nameif {uplink} is an uplink");
        }
        let services = &self.site.services;
        for (what, asked) in [("names", &services.dns), ("the time", &services.ntp)] {
            if *asked == Some(ServiceAt::Gateway) {
                let _ = writeln!(
                    out,
                    "! The estate asks the firewall for {what}: the lists let that through, but an ASA does not answer it."
                );
            }
        }
        out.push_str(
            "access-list tg-global remark denied and logged\naccess-list tg-global extended deny ip any any log\nclear configure access-group\naccess-group tg-global global\nsame-security-traffic permit inter-interface\nno same-security-traffic permit intra-interface\n",
        );
        out
    }

    fn push(&mut self, list: String, place: Place, line: String) {
        self.lists.entry(list).or_default().push((place, line));
    }

    /// Permits through the firewall. A list knows where packets come in; where they leave follows from the
    /// destination, so that every destination says which side it is on.
    fn forward(&mut self, permit: &Permit) {
        let family = permit.family;
        let possible = possible(self.intent, permit.from, family);
        let source = permit.source.as_ref().map_or(possible.clone(), |own| own.intersect(&possible));
        let source = self.groups.addresses(family, &source, &permit.requirement);
        let outside = outside(self.intent, family);
        let (place, target) = match &permit.target {
            Target::Any => (Place::Named, self.groups.addresses(family, &outside, "outside")),
            Target::Public => {
                let public = public(self.intent, family);
                (Place::Named, self.groups.addresses(family, &public, "internet"))
            }
            Target::Ranges(ranges) => {
                (Place::Named, self.groups.addresses(family, ranges, &permit.requirement))
            }
            Target::Names(names) => (Place::ByName, self.groups.names(family, names, &permit.requirement)),
        };
        let entry = entry(&mut self.groups, permit, &source, &target);
        for interface in Permit::interfaces(permit.from, self.intent) {
            let list = inbound(&interface);
            if place == Place::ByName {
                // Nobody knows here where a name leads.
                let inside = self.intent.topology.inside(family);
                let group = self.groups.addresses(family, &inside, "inside");
                let line =
                    format!("remark no segment by name\nextended deny ip {} {group} log\n", any(family));
                let known = self.lists.get(&list).is_some_and(|l| l.iter().any(|(_, l)| *l == line));
                if !known && !inside.is_empty() {
                    self.push(list.clone(), Place::NotInside, line);
                }
            }
            self.push(list, place, entry.clone());
        }
    }

    /// What may reach the device beside its management.
    fn permit_local(&mut self, permit: &Permit) {
        let family = permit.family;
        // Who has no address yet asks from the addresses that can come in there.
        let source = permit.source.clone().unwrap_or_else(|| possible(self.intent, permit.from, family));
        let source = self.groups.addresses(family, &source, &permit.requirement);
        let target = match &permit.target {
            Target::Ranges(ranges) => self.groups.addresses(family, ranges, &permit.requirement),
            _ => any(family).to_string(),
        };
        let entry = entry(&mut self.groups, permit, &source, &target);
        for interface in Permit::interfaces(permit.from, self.intent) {
            self.push(local(&interface), Place::Named, entry.clone());
        }
    }

    /// Neighbour discovery, answers to the device as a DHCP client, and the denial at the end.
    fn neighbours(&mut self) {
        let six = !self.intent.topology.inside(Family::V6).is_empty();
        for name in self.interfaces() {
            let list = local(&name);
            let zone = self.intent.topology.zones.iter().position(|z| z.interface == name);
            let side = zone.map_or(Side::Uplinks, Side::Zone);
            if six {
                let source = possible(self.intent, side, Family::V6);
                let source = self.groups.addresses(Family::V6, &source, "neighbours");
                // Multicast listeners and neighbour discovery (RFC 4861, RFC 3810).
                let mut lines = String::from("remark neighbour discovery\n");
                for kind in [130, 131, 132, 133, 134, 135, 136, 143] {
                    let _ = writeln!(lines, "extended permit icmp6 {source} any6 {kind}");
                }
                self.push(list.clone(), Place::Named, lines);
            }
            if side == Side::Uplinks {
                let outside = outside(self.intent, Family::V4);
                let source = self.groups.addresses(Family::V4, &outside, "outside");
                let mut lines = String::from("remark leases of the uplink\n");
                let _ = writeln!(lines, "extended permit udp {source} eq 67 any4 eq 68");
                if six {
                    lines.push_str("extended permit udp fe80::/10 eq 547 any6 eq 546\n");
                }
                self.push(list.clone(), Place::Named, lines);
            }
            let last = "remark denied and logged\nextended deny ip any any log\n".to_string();
            self.push(list, Place::Last, last);
        }
    }

    /// Who may manage the device, by the lines that open its services.
    fn management(&self) -> Result<String, RenderError> {
        let mut out = String::from("clear configure ssh\nclear configure telnet\nclear configure http\n");
        let refused = |port: u16| {
            let text = Text::new("asa-cannot-management-port").num("port", port.into());
            Err(RenderError::CannotExpress(text))
        };
        let ports = &self.site.firewall.management_ports;
        let web: Vec<u16> = ports.iter().copied().filter(|p| !matches!(p, 22 | 23)).collect();
        if let [_, second, ..] = web.as_slice() {
            return refused(*second);
        }
        if let [port] = web.as_slice() {
            if *port == 80 {
                return refused(80);
            }
            let port = if *port == 443 { String::new() } else { format!(" {port}") };
            let _ = writeln!(out, "http server enable{port}");
        }
        let mut lines = BTreeSet::new();
        for permit in permits(self.intent, true).iter().filter(|p| p.requirement == "management") {
            let source = permit.source.clone();
            let source = source.unwrap_or_else(|| Ranges::full(permit.family.max_address()));
            for port in ports {
                let word = match port {
                    22 => "ssh",
                    // Refused at the interface of the lowest level (Command Reference, telnet).
                    23 if permit.from == Side::Uplinks => return refused(23),
                    23 => "telnet",
                    _ => "http",
                };
                for interface in Permit::interfaces(permit.from, self.intent) {
                    for network in masked(permit.family, &source) {
                        lines.insert(format!("{word} {network} {interface}"));
                    }
                }
            }
        }
        for line in lines {
            let _ = writeln!(out, "{line}");
        }
        Ok(out)
    }

    /// Translation on the uplinks; what comes in from there to real addresses is exempt from it.
    fn nat(&mut self) -> Result<String, RenderError> {
        let mut out = String::new();
        if !self.intent.masquerade {
            return Ok(out);
        }
        let uplinks = self.intent.topology.uplinks.clone();
        for permit in permits(self.intent, false) {
            let (Side::Uplinks, Some(Side::Zone(at)), Family::V4) = (permit.from, permit.to, permit.family)
            else {
                continue;
            };
            let refused = || {
                let text = Text::new("asa-cannot-inbound").arg("what", &permit.requirement);
                Err(RenderError::CannotExpress(text))
            };
            let (Target::Ranges(target), Service::Ports { protocol, ports, .. }) =
                (&permit.target, &permit.service)
            else {
                return refused();
            };
            let protocol = match *protocol {
                Protocol::TCP => "tcp",
                Protocol::UDP => "udp",
                _ => return refused(),
            };
            let Some(zone) = self.intent.topology.zones.get(at) else { return refused() };
            let object = self.groups.translated(Family::V4, target, &permit.requirement);
            // What answers from a port that clients use would leave untranslated when it opens a connection itself.
            if ports.as_slice().iter().any(|(_, hi)| *hi >= FIRST_CLIENT_PORT) {
                return refused();
            }
            for &(lo, hi) in ports.as_slice() {
                let service = self.groups.source_ports(protocol, lo, hi);
                for uplink in &uplinks {
                    let _ = writeln!(
                        out,
                        "nat ({},{uplink}) source static {object} {object} service {service} {service}",
                        zone.interface
                    );
                }
            }
        }
        for zone in &self.intent.topology.zones {
            let own = zone.ranges(Family::V4);
            if own.is_empty() {
                continue;
            }
            let object = self.groups.translated(Family::V4, &own, &zone.name);
            for uplink in &uplinks {
                let _ = writeln!(
                    out,
                    "nat ({},{uplink}) after-auto source dynamic {object} interface",
                    zone.interface
                );
            }
        }
        Ok(out)
    }
}
