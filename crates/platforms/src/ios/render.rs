//! An intent written as IOS-XE configuration with a zone-based firewall, and proved.

use super::leases;
use super::text::{addresses, entries, every, head, remark};
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_estate::Site;
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Protocol, Ranges, Text, prefix_range};

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | ':' | '-' | '_');
        if name.len() > 64 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain)
        {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    let all = [permits(intent, false), permits(intent, true)].concat();
    for permit in &all {
        expressible(permit).map_err(RenderError::CannotExpress)?;
    }
    let writer = Writer { site, intent, names: zone_names(intent) };
    let text = writer.file(&all);
    prove(super::parse, Rendered { text, companions: Vec::new() }, intent)
}

/// What the platform has no words for.
fn expressible(permit: &Permit) -> Result<(), Text> {
    if let Target::Names(names) = &permit.target {
        // Groups of names exist in late releases, matched by what the router overhears of DNS; how lists of a class
        // refer to them is not in the guides this is built on.
        return Err(Text::new("cannot-names").arg("name", names.first().map_or("", String::as_str)));
    }
    let other = |what: &str| Err(Text::new("cannot-protocol").arg("protocol", what));
    match &permit.service {
        Service::Any if permit.requirement != "internet" => other("any"),
        Service::Protocol(protocol) if !inspected(*protocol) => other(&protocol.0.to_string()),
        Service::Ports { protocol, .. } if !inspected(*protocol) => other(&protocol.0.to_string()),
        _ => Ok(()),
    }
}

/// Whether sessions of a protocol are inspected.
pub fn inspected(protocol: Protocol) -> bool {
    [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6].contains(&protocol)
}

/// A word of capitals and digits for every segment, each its own.
fn zone_names(intent: &Intent) -> Vec<String> {
    let mut used: BTreeSet<String> = ["SELF", "OUT", "DENY", "VTY", "NAT"].map(String::from).into();
    let fresh = |name: &str| {
        let word: String = name.chars().filter(char::is_ascii_alphanumeric).take(14).collect();
        let word = if word.is_empty() { "X".to_string() } else { word.to_ascii_uppercase() };
        let numbered = (1..).map(|n: usize| if n == 1 { word.clone() } else { format!("{word}_{n}") });
        numbered.into_iter().find(|name| used.insert(name.clone())).unwrap_or(word)
    };
    intent.topology.zones.iter().map(|zone| &zone.name).map(|n| n.as_str()).map(fresh).collect()
}

struct Writer<'a> {
    site: &'a Site,
    intent: &'a Intent,
    names: Vec<String>,
}

/// The parts of the file, each in the order the router must get them.
#[derive(Default)]
struct Parts {
    /// Names of zone pairs, policies, classes and lists, to be removed before they are written anew.
    pairs: Vec<String>,
    policies: Vec<String>,
    classes: Vec<String>,
    lists: Vec<String>,
    list_text: String,
    class_text: String,
    policy_text: String,
    pair_text: String,
}

impl Parts {
    fn list(&mut self, head: String, entries: &str) {
        let _ = write!(self.list_text, "{head}\n{entries}!\n");
        self.lists.push(head);
    }

    fn class(&mut self, name: &str, lists: &[String]) {
        let _ = writeln!(self.class_text, "class-map type inspect match-any TG-{name}");
        for list in lists {
            let _ = writeln!(self.class_text, " match access-group name {list}");
        }
        self.class_text.push_str("!\n");
        self.classes.push(name.to_string());
    }

    /// A policy of classes with their deeds, and what becomes of the rest.
    fn policy(&mut self, name: &str, classes: &[(String, &str)], rest: &str) {
        let _ = writeln!(self.policy_text, "policy-map type inspect TG-{name}");
        for (class, deed) in classes {
            let _ = write!(self.policy_text, " class type inspect TG-{class}\n  {deed}\n");
        }
        let _ = write!(self.policy_text, " class class-default\n  {rest}\n!\n");
        self.policies.push(name.to_string());
    }

    fn pair(&mut self, from: &str, to: &str, policy: &str) {
        let zone = |name: &str| if name == "SELF" { "self".to_string() } else { format!("TG-{name}") };
        let _ = write!(
            self.pair_text,
            "zone-pair security TG-{from}-{to} source {} destination {}\n service-policy type inspect TG-{policy}\n!\n",
            zone(from),
            zone(to)
        );
        self.pairs.push(format!("{from}-{to}"));
    }
}

impl Writer<'_> {
    fn file(&self, all: &[Permit]) -> String {
        let mut parts = Parts::default();
        let zones: Vec<&str> = self.names.iter().map(String::as_str).chain(["OUT"]).collect();
        parts.policy("DENY", &[], "drop log");
        let six = !self.intent.topology.inside(Family::V6).is_empty();
        self.neighbours(&mut parts, six);
        for from in &zones {
            for to in zones.iter().copied().chain(["SELF"]) {
                self.between(&mut parts, all, from, to, six);
            }
        }
        self.itself(&mut parts, &zones);
        let forged = self.forged(&mut parts);
        let nat = self.nat(&mut parts);
        let terminals = self.terminals(&mut parts);
        let mut out = format!(
            "! tillgate: {}\n! Replaces the zone pairs, policies, classes and lists whose name starts with TG; enter it in configuration mode.\n! What is not there yet cannot be removed: the router says so, and goes on.\n",
            remark(&self.site.name)
        );
        for name in &parts.pairs {
            let _ = writeln!(out, "no zone-pair security TG-{name}");
        }
        for name in &parts.policies {
            let _ = writeln!(out, "no policy-map type inspect TG-{name}");
        }
        for name in &parts.classes {
            let _ = writeln!(out, "no class-map type inspect match-any TG-{name}");
        }
        for head in &parts.lists {
            let _ = writeln!(out, "no {head}");
        }
        out.push_str("!\n");
        out.push_str(&parts.list_text);
        out.push_str(&parts.class_text);
        out.push_str(&parts.policy_text);
        for zone in &zones {
            let _ = writeln!(out, "zone security TG-{zone}");
        }
        out.push_str("!\n");
        out.push_str(&parts.pair_text);
        out.push_str(&self.interfaces(&zones, &forged));
        out + &nat + &terminals + &leases::services(self.site, self.intent, &self.names) + "end\n"
    }

    /// Whether a permission is from one zone to another.
    fn is_between(&self, permit: &Permit, from: &str, to: &str) -> bool {
        let name = |side: Option<Side>| match side {
            Some(Side::Zone(at)) => self.names.get(at).map_or("", String::as_str),
            Some(Side::Uplinks) => "OUT",
            None => "SELF",
        };
        name(Some(permit.from)) == from && name(permit.to) == to
    }

    /// What keeps the router's own neighbours and lease: no sessions, and so passed without inspection.
    fn neighbours(&self, parts: &mut Parts, six: bool) {
        // DHCP answers to the router come from an address that it never asked (RFC 2131).
        parts.list(head(Family::V4, "LEASE"), " permit udp any eq bootps any eq bootpc\n");
        let mut lists = vec!["TG-LEASE".to_string()];
        if six {
            // Neighbour discovery and multicast listeners (RFC 4861, RFC 3810).
            let kinds = [130, 131, 132, 133, 134, 135, 136, 143];
            let entries: String = kinds.iter().map(|k| format!(" permit icmp any any {k}\n")).collect();
            parts.list(head(Family::V6, "NEIGHBOURS"), &entries);
            parts.class("NEIGHBOURS", &["TG6-NEIGHBOURS".to_string()]);
            parts.list(head(Family::V6, "LEASE"), " permit udp FE80::/10 eq 547 any eq 546\n");
            lists.push("TG6-LEASE".to_string());
        }
        parts.class("LEASE", &lists);
    }

    /// One zone pair with what may pass it; everything else is dropped and logged.
    fn between(&self, parts: &mut Parts, all: &[Permit], from: &str, to: &str, six: bool) {
        let pair = format!("{from}-{to}");
        let mut classes: Vec<(String, &str)> = Vec::new();
        if to == "SELF" {
            if six {
                classes.push(("NEIGHBOURS".into(), "pass"));
            }
            if from == "OUT" {
                classes.push(("LEASE".into(), "pass"));
            }
        }
        let here: Vec<&Permit> = all.iter().filter(|p| self.is_between(p, from, to)).collect();
        // Who asks for a lease has no address yet: no session either.
        let (leases, sessions): (Vec<&Permit>, Vec<&Permit>) =
            here.into_iter().partition(|p| to == "SELF" && is_lease(&p.service));
        for (list, name, deed) in
            [(leases, format!("{pair}-DHCP"), "pass"), (sessions, pair.clone(), "inspect")]
        {
            let mut names = Vec::new();
            for family in Family::BOTH {
                let entries = self.entries(family, &list);
                if !entries.is_empty() {
                    parts.list(head(family, &name), &entries);
                    names.push(format!("{}-{name}", if family == Family::V4 { "TG" } else { "TG6" }));
                }
            }
            if !names.is_empty() {
                parts.class(&name, &names);
                classes.push((name, deed));
            }
        }
        if classes.is_empty() {
            parts.pair(from, to, "DENY");
        } else {
            parts.policy(&pair, &classes, "drop log");
            parts.pair(from, to, &pair);
        }
    }

    /// The entries of permissions in a family. In a list of a class, deny only says that the class does not match:
    /// what is not the internet stands before the entries that end there.
    fn entries(&self, family: Family, list: &[&Permit]) -> String {
        let mut out = String::new();
        let mut last = String::new();
        let public_last = |p: &&&Permit| p.target == Target::Public;
        let list: Vec<&&Permit> = list.iter().filter(|p| p.family == family).collect();
        let (internet, first): (Vec<&&Permit>, Vec<&&Permit>) = list.into_iter().partition(public_last);
        for permit in first {
            self.permit(permit, &mut last, &mut out);
        }
        if internet.is_empty() {
            return out;
        }
        out.push_str(" remark what is not the internet: private, shared, reserved and own addresses\n");
        let inside = public(self.intent, family).complement(family.max_address());
        for net in addresses(family, Some(&inside)) {
            let _ = writeln!(out, " deny {} any {net}", every(family));
        }
        for permit in internet {
            self.permit(permit, &mut last, &mut out);
        }
        out
    }

    fn permit(&self, permit: &Permit, last: &mut String, out: &mut String) {
        let comment = remark(&permit.comment);
        if comment != *last {
            let _ = writeln!(out, " remark {comment}");
            *last = comment;
        }
        for entry in entries(permit) {
            let _ = writeln!(out, " permit {}", entry.forth());
        }
    }

    /// What the router itself may open: everything, with the answers.
    fn itself(&self, parts: &mut Parts, zones: &[&str]) {
        parts.list(head(Family::V4, "OFFER"), " permit udp any eq bootps any eq bootpc\n");
        parts.class("OFFER", &["TG-OFFER".to_string()]);
        parts.class_text.push_str(
            "class-map type inspect match-any TG-ROUTER\n match protocol tcp\n match protocol udp\n match protocol icmp\n!\n",
        );
        parts.classes.push("ROUTER".into());
        parts.policy("ROUTER", &[("OFFER".into(), "pass"), ("ROUTER".into(), "inspect")], "pass");
        for zone in zones {
            parts.pair("SELF", zone, "ROUTER");
        }
    }

    /// Lists against forged sources, by interface and family (PCI DSS 1.4.3).
    fn forged(&self, parts: &mut Parts) -> BTreeMap<(String, Family), String> {
        let mut out = BTreeMap::new();
        for (on, family, ranges, only, name) in sources(self.intent) {
            let zone = self.intent.topology.zones.iter().position(|z| on == [z.interface.clone()]);
            let word = zone.and_then(|at| self.names.get(at)).map_or("OUT", String::as_str);
            let mut entries = format!(" remark forged sources: {}\n", remark(&name));
            for net in addresses(family, Some(&ranges)) {
                let _ = match only {
                    true => writeln!(entries, " permit {} {net} any", every(family)),
                    false => writeln!(entries, " deny {} {net} any log", every(family)),
                };
            }
            let _ = match only {
                true => writeln!(entries, " deny {} any any log", every(family)),
                false => writeln!(entries, " permit {} any any", every(family)),
            };
            let head = head(family, &format!("FROM-{word}"));
            let name = head.rsplit(' ').next().unwrap_or_default().to_string();
            parts.list(head, &entries);
            out.extend(on.into_iter().map(|interface| ((interface, family), name.clone())));
        }
        out
    }

    fn interfaces(&self, zones: &[&str], forged: &BTreeMap<(String, Family), String>) -> String {
        let mut out = String::new();
        let translated = self.translated();
        let inside = self.intent.topology.zones.iter().map(|z| &z.interface).zip(zones);
        let outside = self.intent.topology.uplinks.iter().map(|u| (u, &"OUT"));
        for (name, zone) in inside.chain(outside) {
            let _ = write!(out, "interface {name}\n zone-member security TG-{zone}\n");
            if translated {
                out.push_str(if *zone == "OUT" { " ip nat outside\n" } else { " ip nat inside\n" });
            }
            if let Some(list) = forged.get(&(name.clone(), Family::V4)) {
                let _ = writeln!(out, " ip access-group {list} in");
            }
            if let Some(list) = forged.get(&(name.clone(), Family::V6)) {
                let _ = writeln!(out, " ipv6 traffic-filter {list} in");
            }
            out.push_str("!\n");
        }
        out
    }

    fn translated(&self) -> bool {
        self.intent.masquerade && !self.intent.topology.inside(Family::V4).is_empty()
    }

    /// Translation to the address of the uplink; of several uplinks, of the one a packet leaves by.
    fn nat(&self, parts: &mut Parts) -> String {
        if !self.translated() {
            return String::new();
        }
        let inside = self.intent.topology.inside(Family::V4);
        let nets = addresses(Family::V4, Some(&inside));
        let entries: String = nets.iter().map(|net| format!(" permit {net}\n")).collect();
        parts.list("ip access-list standard TG-NAT".into(), &entries);
        match self.intent.topology.uplinks.as_slice() {
            [uplink] => format!("ip nat inside source list TG-NAT interface {uplink} overload\n!\n"),
            several => {
                let one = |(at, uplink): (usize, &String)| {
                    format!(
                        "route-map TG-NAT-{0} permit 10\n match ip address TG-NAT\n match interface {uplink}\n!\nip nat inside source route-map TG-NAT-{0} interface {uplink} overload\n!\n",
                        at + 1
                    )
                };
                several.iter().enumerate().map(one).collect()
            }
        }
    }

    /// Terminals of the router only for those who may manage it, by whatever interface they come.
    fn terminals(&self, parts: &mut Parts) -> String {
        let mut ranges: BTreeMap<Family, Ranges> = BTreeMap::new();
        for net in &self.site.firewall.management {
            let (lo, hi) = prefix_range(net);
            let own = ranges.entry(Family::of(net.addr())).or_default();
            *own = own.union(&Ranges::span(lo, hi));
        }
        for family in Family::BOTH {
            let mut entries = String::new();
            for net in ranges.get(&family).map_or(Vec::new(), |r| addresses(family, Some(r))) {
                let _ = match family {
                    Family::V4 => writeln!(entries, " permit {net}"),
                    Family::V6 => writeln!(entries, " permit ipv6 {net} any"),
                };
            }
            let head = match family {
                Family::V4 => "ip access-list standard TG-VTY".to_string(),
                Family::V6 => head(family, "VTY"),
            };
            entries.push_str(if family == Family::V4 {
                " deny any log\n"
            } else {
                " deny ipv6 any any log\n"
            });
            parts.list(head, &entries);
        }
        "line vty 0 15\n access-class TG-VTY in\n ipv6 access-class TG6-VTY in\n transport input ssh\n!\n"
            .into()
    }
}

/// A client that asks for a lease.
pub fn is_lease(service: &Service) -> bool {
    matches!(service, Service::Ports { protocol, ports, .. } if *protocol == Protocol::UDP && *ports == Ranges::single(67))
}
