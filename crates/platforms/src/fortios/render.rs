//! An intent written as a FortiOS script, and proved.

use crate::permits::{Permit, Service, Target, permits, public};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_estate::{ServiceAt, Site};
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Ranges, Text, address_from_bits, range_to_prefixes};

/// Services of the unit that administrative access opens, by port.
pub const ACCESS: &[(u16, &str)] = &[(22, "ssh"), (23, "telnet"), (80, "http"), (443, "https")];

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    for port in &site.firewall.management_ports {
        if ACCESS.iter().all(|(known, _)| known != port) {
            return Err(RenderError::CannotExpress(
                Text::new("cannot-management-port").num("port", *port as usize),
            ));
        }
    }
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        // Names of interfaces hold 15 characters (CLI Reference, config system interface).
        if name.len() > 15 || name.contains(['"', '\\', '\n']) {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    let mut writer =
        Writer { site, intent, objects: BTreeMap::new(), services: BTreeMap::new(), used: BTreeSet::new() };
    let text = writer.file();
    prove(super::parse, Rendered { text, companions: Vec::new() }, intent)
}

/// An address object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Prefix(String),
    Range(String, String),
    Name(String),
}

impl Object {
    /// Objects for addresses: prefixes, and ranges where many would be needed.
    pub fn of(family: Family, ranges: &Ranges) -> Vec<Object> {
        let mut out = Vec::new();
        for &(lo, hi) in ranges.as_slice() {
            let prefixes = range_to_prefixes(family, lo, hi);
            if prefixes.len() > 4 {
                let text = |bits| address_from_bits(family, bits).to_string();
                out.push(Object::Range(text(lo), text(hi)));
                continue;
            }
            out.extend(prefixes.iter().map(|net| Object::Prefix(net.to_string())));
        }
        out
    }

    /// A name for it.
    pub fn name(&self) -> String {
        let wish = match self {
            Object::Prefix(net) => format!("tg-{net}"),
            Object::Range(lo, hi) => format!("tg-{lo}-{hi}"),
            Object::Name(name) => format!("tg-{name}"),
        };
        wish.chars().take(60).collect()
    }

    /// The statements that define it.
    pub fn statements(&self, family: Family) -> Vec<String> {
        match (self, family) {
            (Object::Prefix(net), Family::V4) => vec![format!("set subnet {net}")],
            (Object::Prefix(net), Family::V6) => vec![format!("set ip6 {net}")],
            (Object::Range(lo, hi), _) => {
                vec!["set type iprange".into(), format!("set start-ip {lo}"), format!("set end-ip {hi}")]
            }
            (Object::Name(name), _) => {
                let wild = name.starts_with("*.") && family == Family::V4;
                let key = if wild { "wildcard-fqdn" } else { "fqdn" };
                vec!["set type fqdn".into(), format!("set {key} {}", quoted(name, 255))]
            }
        }
    }
}

/// A name for a service and the statements that define it; `None` for any.
pub fn service(family: Family, service: &Service) -> Option<(String, Vec<String>)> {
    let (wish, lines) = match service {
        Service::Any => return None,
        Service::Protocol(protocol) => (
            format!("tg-ip-{}", protocol.0),
            vec!["set protocol IP".into(), format!("set protocol-number {}", protocol.0)],
        ),
        Service::Icmp(kind) => {
            let protocol = if family == Family::V4 { "ICMP" } else { "ICMP6" };
            (
                format!("tg-{}-{kind}", protocol.to_lowercase()),
                vec![format!("set protocol {protocol}"), format!("set icmptype {kind}")],
            )
        }
        Service::Ports { protocol, ports, source_port } => {
            let one = |(lo, hi): &(u128, u128)| {
                let target = if lo == hi { lo.to_string() } else { format!("{lo}-{hi}") };
                source_port.map_or(target.clone(), |s| format!("{target}:{s}"))
            };
            let text = ports.as_slice().iter().map(one).collect::<Vec<_>>().join(" ");
            (
                format!("tg-{protocol}-{}", text.replace([' ', ':'], "-")),
                vec![format!("set {protocol}-portrange {text}")],
            )
        }
    };
    Some((wish.chars().take(60).collect(), lines))
}

struct Writer<'a> {
    site: &'a Site,
    intent: &'a Intent,
    objects: BTreeMap<(Family, Object), String>,
    /// Services by the lines that define them.
    services: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

/// A value in quotes; nothing in it can end them.
pub fn quoted(text: &str, limit: usize) -> String {
    let mut out = String::from("\"");
    for c in text.chars().take(limit) {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // The unit refuses these in names and comments.
            '<' | '>' | '(' | ')' | '#' | '\'' => out.push(' '),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.push(' ');
            }
            c => out.push(c),
        }
    }
    out + "\""
}

pub fn list(names: &[String]) -> String {
    names.iter().map(|n| quoted(n, 79)).collect::<Vec<_>>().join(" ")
}

fn suffix(family: Family) -> &'static str {
    if family == Family::V4 { "" } else { "6" }
}

impl Writer<'_> {
    fn file(&mut self) -> String {
        let policies = self.policies();
        let local = self.local();
        let shown: String = self.site.name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut out = format!(
            "# tillgate: {shown}\n# Replaces all policies and local-in policies; objects whose name starts with tg- are its own.\n"
        );
        out.push_str(&self.interfaces());
        out.push_str(&self.unit_services());
        for family in Family::BOTH {
            let mut lines = String::new();
            for ((_, object), name) in self.objects.iter().filter(|((f, _), _)| *f == family) {
                let _ = writeln!(lines, "    edit {}", quoted(name, 79));
                for statement in object.statements(family) {
                    let _ = writeln!(lines, "        {statement}");
                }
                lines.push_str("    next\n");
            }
            if !lines.is_empty() {
                let _ = write!(out, "config firewall address{}\n{lines}end\n", suffix(family));
            }
        }
        if !self.services.is_empty() {
            out.push_str("config firewall service custom\n");
            let mut sorted: Vec<(&String, &String)> = self.services.iter().map(|(l, n)| (n, l)).collect();
            sorted.sort();
            for (name, lines) in sorted {
                let _ = write!(out, "    edit {}\n{lines}    next\n", quoted(name, 79));
            }
            out.push_str("end\n");
        }
        out.push_str("config log setting\n    set fwpolicy-implicit-log enable\n    set fwpolicy6-implicit-log enable\n    set local-in-deny-unicast enable\n    set local-in-deny-broadcast enable\n    set log-invalid-packet enable\nend\n");
        for six in ["", "6"] {
            let _ = write!(
                out,
                "config firewall multicast-policy{six}\n    purge\n    edit 1\n        set srcintf \"any\"\n        set dstintf \"any\"\n        set srcaddr \"all\"\n        set dstaddr \"all\"\n        set action deny\n        set logtraffic all\n    next\nend\n"
            );
        }
        out + &policies + &local
    }

    /// Administrative access: what local-in policies then limit to those who may.
    fn interfaces(&self) -> String {
        let mut access: BTreeMap<(String, Family), BTreeSet<&str>> = BTreeMap::new();
        for permit in permits(self.intent, true) {
            for name in Permit::interfaces(permit.from, self.intent) {
                let words = access.entry((name, permit.family)).or_default();
                match &permit.service {
                    Service::Icmp(8 | 128) => {
                        words.insert("ping");
                    }
                    Service::Ports { ports, .. } if permit.requirement == "management" => {
                        words.extend(
                            ACCESS.iter().filter(|(p, _)| ports.contains((*p).into())).map(|(_, w)| *w),
                        );
                    }
                    _ => {}
                }
            }
        }
        let mut out = String::from("config system interface\n");
        let zones = self.intent.topology.zones.iter().map(|z| &z.interface);
        for name in zones.chain(&self.intent.topology.uplinks) {
            let words = |family: Family| -> String {
                let set = access.get(&(name.clone(), family));
                set.map_or(String::new(), |s| s.iter().copied().collect::<Vec<_>>().join(" "))
            };
            let line = |key: &str, words: String| match words.is_empty() {
                true => format!("unset {key}"),
                false => format!("set {key} {words}"),
            };
            let _ = write!(
                out,
                "    edit {}\n        {}\n        config ipv6\n            {}\n        end\n    next\n",
                quoted(name, 15),
                line("allowaccess", words(Family::V4)),
                line("ip6-allowaccess", words(Family::V6))
            );
        }
        out + "end\n"
    }

    /// DHCP with reserved addresses, DNS and time, where the site asks the firewall for them.
    fn unit_services(&self) -> String {
        let on = |service: &Option<ServiceAt>| *service == Some(ServiceAt::Gateway);
        let services = &self.site.services;
        let zones = &self.intent.topology.zones;
        let mut out = String::new();
        if on(&services.dns) {
            out.push_str("config system dns-server\n");
            for zone in zones {
                let _ = write!(
                    out,
                    "    edit {}\n        set mode forward-only\n    next\n",
                    quoted(&zone.interface, 15)
                );
            }
            out.push_str("end\n");
        }
        if on(&services.ntp) {
            let names: Vec<String> = zones.iter().map(|z| z.interface.clone()).collect();
            let _ = write!(
                out,
                "config system ntp\n    set server-mode enable\n    set interface {}\nend\n",
                list(&names)
            );
        }
        if on(&services.dhcp) {
            out.push_str("config system dhcp server\n");
            for (number, zone) in zones.iter().enumerate() {
                let net = zone.subnets.iter().find(|n| n.addr().is_ipv4());
                let gateway = zone.gateways.iter().find(|g| g.is_ipv4());
                let (Some(net), Some(gateway)) = (net, gateway) else { continue };
                let (first, last) = tillgate_model::prefix_range(net);
                let address = |bits| address_from_bits(Family::V4, bits);
                let _ = write!(
                    out,
                    "    edit {}\n        set interface {}\n        set default-gateway {gateway}\n        set netmask {}\n        set dns-service default\n        config ip-range\n            edit 1\n                set start-ip {}\n                set end-ip {}\n            next\n        end\n",
                    number + 1,
                    quoted(&zone.interface, 15),
                    net.netmask(),
                    address(first + (last - first) / 2),
                    address(last.saturating_sub(1).max(first)),
                );
                let here = self.site.devices.iter().filter(|d| d.segment == zone.name);
                let reserved =
                    here.flat_map(|d| d.macs.iter().zip(d.addresses.iter().filter(|a| a.is_ipv4())));
                out.push_str("        config reserved-address\n");
                for (at, (mac, address)) in reserved.enumerate() {
                    let mac: Vec<String> =
                        (0..6).rev().map(|i| format!("{:02x}", mac >> (i * 8) & 0xff)).collect();
                    let _ = write!(
                        out,
                        "            edit {}\n                set ip {address}\n                set mac {}\n            next\n",
                        at + 1,
                        mac.join(":")
                    );
                }
                out.push_str("        end\n    next\n");
            }
            out.push_str("end\n");
        }
        out
    }

    fn policies(&mut self) -> String {
        let mut out = String::from("config firewall policy\n    purge\n");
        let mut number = 0;
        for permit in permits(self.intent, false) {
            number += 1;
            let family = permit.family;
            let from = Permit::interfaces(permit.from, self.intent);
            let to = permit.to.map_or(Vec::new(), |to| Permit::interfaces(to, self.intent));
            let source = self.addresses(family, permit.source.as_ref());
            let (target, negate) = match &permit.target {
                Target::Any => (vec!["all".to_string()], false),
                Target::Public => {
                    let inside = public(self.intent, family).complement(family.max_address());
                    (self.addresses(family, Some(&inside)), true)
                }
                Target::Ranges(ranges) => (self.addresses(family, Some(ranges)), false),
                Target::Names(names) => {
                    (names.iter().map(|n| self.object(family, Object::Name(n.clone()))).collect(), false)
                }
            };
            let service = self.service(family, &permit.service);
            let uplink = matches!(permit.to, Some(Side::Uplinks));
            let six = suffix(family);
            let _ = write!(
                out,
                "    edit {number}\n        set name \"tg-{number}\"\n        set srcintf {}\n        set dstintf {}\n        set srcaddr{six} {}\n        set dstaddr{six} {}\n",
                list(&from),
                list(&to),
                list(&source),
                list(&target)
            );
            if negate {
                let _ = writeln!(out, "        set dstaddr{six}-negate enable");
            }
            let _ = write!(
                out,
                "        set action accept\n        set schedule \"always\"\n        set service {}\n        set logtraffic all\n",
                quoted(&service, 79)
            );
            if uplink && family == Family::V4 && self.intent.masquerade {
                out.push_str("        set nat enable\n");
            }
            let _ = writeln!(out, "        set comments {}\n    next", quoted(&permit.comment, 200));
        }
        out + "end\n"
    }

    /// Who may speak to the unit itself; nobody else.
    fn local(&mut self) -> String {
        let mut out = String::new();
        for family in Family::BOTH {
            let _ = write!(out, "config firewall local-in-policy{}\n    purge\n", suffix(family));
            let mut number = 0;
            let mut add = |interface: &str,
                           source: &[String],
                           target: &[String],
                           service: &str,
                           accept: bool| {
                number += 1;
                let action = if accept { "        set action accept\n" } else { "        set action deny\n" };
                let _ = write!(
                    out,
                    "    edit {number}\n        set intf {}\n        set srcaddr {}\n        set dstaddr {}\n{action}        set service {}\n        set schedule \"always\"\n    next\n",
                    quoted(interface, 15),
                    list(source),
                    list(target),
                    quoted(service, 79)
                );
            };
            let all = ["all".to_string()];
            if family == Family::V6 && !self.intent.topology.inside(family).is_empty() {
                // Multicast listeners and neighbour discovery (RFC 4861, RFC 3810).
                for kind in [130, 131, 132, 133, 134, 135, 136, 143] {
                    let service = self.service(family, &Service::Icmp(kind));
                    add("any", &all, &all, &service, true);
                }
            }
            for permit in permits(self.intent, true).iter().filter(|p| p.family == family) {
                let source = self.addresses(family, permit.source.as_ref());
                let target = match &permit.target {
                    Target::Ranges(ranges) => self.addresses(family, Some(ranges)),
                    _ => all.to_vec(),
                };
                let service = self.service(family, &permit.service);
                for interface in Permit::interfaces(permit.from, self.intent) {
                    add(&interface, &source, &target, &service, true);
                }
            }
            add("any", &all, &all, "ALL", false);
            out.push_str("end\n");
        }
        out
    }

    fn fresh(&mut self, wish: String) -> String {
        let mut name = wish.clone();
        let mut number = 1;
        while !self.used.insert(name.clone()) {
            number += 1;
            name = format!("{wish}-{number}");
        }
        name
    }

    fn object(&mut self, family: Family, object: Object) -> String {
        if let Some(known) = self.objects.get(&(family, object.clone())) {
            return known.clone();
        }
        let name = self.fresh(object.name());
        self.objects.insert((family, object), name.clone());
        name
    }

    fn addresses(&mut self, family: Family, ranges: Option<&Ranges>) -> Vec<String> {
        let Some(ranges) = ranges else { return vec!["all".into()] };
        Object::of(family, ranges).into_iter().map(|object| self.object(family, object)).collect()
    }

    fn service(&mut self, family: Family, of: &Service) -> String {
        let Some((wish, statements)) = service(family, of) else { return "ALL".into() };
        let lines: String = statements.iter().map(|line| format!("        {line}\n")).collect();
        if let Some(known) = self.services.get(&lines) {
            return known.clone();
        }
        let name = self.fresh(wish);
        self.services.insert(lines, name.clone());
        name
    }
}
