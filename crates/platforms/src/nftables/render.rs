//! An intent written as nftables, and proved: what was written is read back and shown equal to the intent.

use super::text::{Names, comment, elements, interfaces, ports, slug};
use crate::NoIncludes;
use std::collections::BTreeMap;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Family, Finding, FindingId, Ranges, SourceFile, addresses_text, public_ranges};
use tillgate_ruleset::verify;

/// A configuration and what belongs beside it.
#[derive(Debug)]
pub struct Rendered {
    /// The firewall's file.
    pub text: String,
    /// Companions: file name and text.
    pub companions: Vec<(String, String)>,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum RenderError {
    /// No address may manage the firewall: loading the file would lock everybody out.
    NoManagement,
    /// The estate names no uplink.
    NoUplink,
    /// A name the platform cannot carry.
    InterfaceName(String),
    /// Destinations by name need the resolver on the firewall, which fills their sets.
    NamesNeedResolver,
    /// What was written does not equal the intent; a fault of this program.
    Unproved(Vec<Finding>),
}

/// Name of the table everything is written to.
pub const TABLE: &str = "tillgate";

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    if site.firewall.management.is_empty() {
        return Err(RenderError::NoManagement);
    }
    if intent.topology.uplinks.is_empty() {
        return Err(RenderError::NoUplink);
    }
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        // IFNAMSIZ, and what the kernel allows in a name (dev_valid_name).
        if name.len() > 15 || name.contains(['/', ':']) || name.starts_with('.') {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    let by_name = intent.flows.iter().any(|f| f.by_name);
    if by_name && site.services.dns != Some(ServiceAt::Gateway) {
        return Err(RenderError::NamesNeedResolver);
    }
    let mut writer =
        Writer { site, intent, sets: BTreeMap::new(), names: BTreeMap::new(), used: Names::default() };
    let text = writer.file();
    let companions = super::companion::companions(site, intent, &writer.names);
    prove(&text, &companions, intent)?;
    Ok(Rendered { text, companions })
}

/// Reads the text back: every flow passes, needed or only allowed, and nothing else does.
fn prove(text: &str, companions: &[(String, String)], intent: &Intent) -> Result<(), RenderError> {
    let resolvers: Vec<_> = companions.iter().map(|(n, t)| SourceFile::new(n.as_str(), t.as_str())).collect();
    let parsed = super::parse(&SourceFile::new("rendered", text), &resolvers, &NoIncludes);
    let mut strict = intent.clone();
    strict.findings.clear();
    for flow in &mut strict.flows {
        flow.needed = true;
        flow.unchecked &= flow.requirement == "management";
    }
    let mut findings = verify(&parsed.rules, &strict);
    findings.retain(|f| f.id != FindingId::RuleShadowed);
    if findings.is_empty() && parsed.diagnostics.is_empty() {
        Ok(())
    } else {
        Err(RenderError::Unproved(findings))
    }
}

struct Writer<'a> {
    site: &'a Site,
    intent: &'a Intent,
    /// Address sets by content.
    sets: BTreeMap<(Family, Ranges), String>,
    /// Sets that the resolver fills: `(family, names)` → set.
    names: BTreeMap<(Family, Vec<String>), String>,
    used: Names,
}

impl Writer<'_> {
    fn file(&mut self) -> String {
        let antispoof = self.antispoof();
        let input = self.input();
        let forward = self.forward();
        let nat = self.nat();
        let mut out = String::from("#!/usr/sbin/nft -f\n");
        out.push_str(&format!("# tillgate: {}\n", comment(&self.site.name)));
        out.push_str("# Only this table is replaced; the rest of the rule set stays as it is.\n");
        out.push_str(&format!(
            "add table inet {TABLE}\ndelete table inet {TABLE}\n\ntable inet {TABLE} {{\n"
        ));
        out.push_str(&self.declarations());
        for chain in [antispoof, input, forward, nat].into_iter().flatten() {
            out.push_str(&chain);
        }
        out.push_str("}\n");
        out
    }

    fn declarations(&self) -> String {
        let mut out = String::new();
        for family in Family::BOTH {
            if !self.has_family(family) {
                continue;
            }
            let outside = self.public(family).complement(family.max_address());
            out.push_str(&format!(
                "\t# what is not the public internet: private, shared, reserved and our own\n\tset {} {{\n\t\ttype {}\n\t\tflags interval\n\t\telements = {{ {} }}\n\t}}\n\n",
                not_public(family),
                set_type(family),
                elements(family, &outside)
            ));
        }
        for ((family, ranges), name) in &self.sets {
            let interval = ranges.as_slice().iter().any(|(a, b)| a != b);
            let flags = if interval { "\t\tflags interval\n" } else { "" };
            out.push_str(&format!(
                "\tset {name} {{\n\t\ttype {}\n{flags}\t\telements = {{ {} }}\n\t}}\n\n",
                set_type(*family),
                elements(*family, ranges)
            ));
        }
        for ((family, names), set) in &self.names {
            out.push_str(&format!(
                "\t# filled by the resolver: {}\n\tset {set} {{\n\t\ttype {}\n\t}}\n\n",
                comment(&names.join(" ")),
                set_type(*family)
            ));
        }
        out
    }

    fn has_family(&self, family: Family) -> bool {
        !self.intent.topology.inside(family).is_empty()
    }

    fn public(&self, family: Family) -> Ranges {
        public_ranges(family).subtract(&self.intent.topology.inside(family))
    }

    fn antispoof(&self) -> Option<String> {
        let topology = &self.intent.topology;
        let mut rules = String::new();
        for zone in &topology.zones {
            let on = interfaces(std::slice::from_ref(&zone.interface));
            for family in Family::BOTH {
                let own = zone.ranges(family);
                let extra = match family {
                    // A host that has no address yet asks for one from 0.0.0.0 (RFC 2131).
                    Family::V4 => Ranges::single(0),
                    // Link-local and unspecified sources stay on the link.
                    Family::V6 => {
                        Ranges::span(0xfe80 << 112, (0xfec0u128 << 112) - 1).union(&Ranges::single(0))
                    }
                };
                if own.is_empty() {
                    continue;
                }
                rules.push_str(&format!(
                    "\t\tiifname {on} {} saddr != {{ {} }} jump forged comment \"{}: forged source\"\n",
                    header(family),
                    elements(family, &own.union(&extra)),
                    comment(&zone.name)
                ));
            }
        }
        let uplinks = interfaces(&topology.uplinks);
        for family in Family::BOTH {
            let inside = topology.inside(family);
            if !inside.is_empty() {
                rules.push_str(&format!(
                    "\t\tiifname {uplinks} {} saddr {{ {} }} jump forged comment \"internet: forged source\"\n",
                    header(family),
                    elements(family, &inside)
                ));
            }
        }
        Some(format!(
            "\t# PCI DSS 1.4.3: addresses that cannot come from where they come from\n\tchain antispoof {{\n\t\ttype filter hook prerouting priority raw; policy accept;\n{rules}\t}}\n\n\tchain forged {{\n{}\t}}\n\n",
            deny("forged")
        ))
    }

    fn input(&mut self) -> Option<String> {
        let mut rules =
            String::from("\t\tct state vmap { established : accept, related : accept, invalid : drop }\n");
        rules.push_str("\t\tiifname \"lo\" accept\n");
        if self.has_family(Family::V6) {
            rules.push_str("\t\ticmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept comment \"neighbour discovery\"\n");
            rules.push_str(&format!(
                "\t\tiifname {} ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment \"DHCPv6 answers to the firewall\"\n",
                interfaces(&self.intent.topology.uplinks)
            ));
        }
        rules.push_str(&self.flows(true));
        Some(format!(
            "\tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n{rules}{}\t}}\n\n",
            deny("input")
        ))
    }

    fn forward(&mut self) -> Option<String> {
        let mut rules =
            String::from("\t\tct state vmap { established : accept, related : accept, invalid : drop }\n");
        rules.push_str(&self.flows(false));
        let uplinks = interfaces(&self.intent.topology.uplinks);
        for zone in self.intent.topology.zones.iter().filter(|z| z.internet && z.role != Role::Pos) {
            for family in Family::BOTH {
                let own = zone.ranges(family);
                if own.is_empty() {
                    continue;
                }
                rules.push_str(&format!(
                    "\t\tiifname {} oifname {uplinks} {} saddr {} counter accept comment \"{}: internet\"\n",
                    interfaces(std::slice::from_ref(&zone.interface)),
                    header(family),
                    addresses(family, &own),
                    comment(&zone.name)
                ));
            }
        }
        Some(format!(
            "\tchain forward {{\n\t\ttype filter hook forward priority filter; policy drop;\n{rules}{}\t}}\n\n",
            deny("forward")
        ))
    }

    fn nat(&self) -> Option<String> {
        let inside = self.intent.topology.inside(Family::V4);
        if !self.intent.masquerade || inside.is_empty() {
            return None;
        }
        Some(format!(
            "\tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\toifname {} ip saddr {} masquerade\n\t}}\n",
            interfaces(&self.intent.topology.uplinks),
            addresses(Family::V4, &inside)
        ))
    }

    /// One rule for all devices with the same need.
    fn flows(&mut self, local: bool) -> String {
        let intent = self.intent;
        let mut groups: Vec<(Flow, Vec<&Flow>)> = Vec::new();
        for flow in &intent.flows {
            match flow.path {
                Path::Inside { .. } => continue,
                path if matches!(path, Path::Local { .. }) != local => continue,
                _ => {}
            }
            let same = |other: &Flow| {
                (other.path, other.family, other.protocol, &other.ports, other.icmp_type, &other.requirement)
                    == (flow.path, flow.family, flow.protocol, &flow.ports, flow.icmp_type, &flow.requirement)
                    && other.destination == flow.destination
                    && other.destination_needed == flow.destination_needed
                    && other.names == flow.names
            };
            match groups.iter_mut().find(|(known, _)| same(known)) {
                Some((known, list)) => {
                    known.source = known.source.union(&flow.source);
                    list.push(flow);
                }
                None => groups.push((flow.clone(), vec![flow])),
            }
        }
        groups.into_iter().map(|(flow, list)| self.rule(&flow, &list)).collect()
    }

    fn rule(&mut self, flow: &Flow, all: &[&Flow]) -> String {
        let (family, topology) = (flow.family, &self.intent.topology);
        let side = |side: Side| match side {
            Side::Zone(at) => vec![topology.zones[at].interface.clone()],
            Side::Uplinks => topology.uplinks.clone(),
        };
        let mut words = vec!["\t\tiifname".to_string()];
        match flow.path {
            Path::Forward { from, to } => {
                words.push(interfaces(&side(from)));
                words.push("oifname".into());
                words.push(interfaces(&side(to)));
            }
            Path::Local { from } => words.push(interfaces(&side(from))),
            Path::Inside { .. } => return String::new(),
        }
        let full = Ranges::full(family.max_address());
        let mut family_said = false;
        if flow.source != full {
            let zone = match flow.path {
                Path::Forward { from: Side::Zone(at), .. } | Path::Local { from: Side::Zone(at) } => {
                    &topology.zones[at].name
                }
                _ => "outside",
            };
            let wish = format!("{}_devices", slug(zone));
            let set = self.address_set(family, &flow.source, &wish);
            words.push(format!("{} saddr {set}", header(family)));
            family_said = true;
        }
        let public = self.public(family);
        let destination = if flow.by_name {
            Some(format!("@{}", self.name_set(family, flow)))
        } else if flow.destination_needed == public
            || (flow.destination == full && matches!(flow.path, Path::Forward { .. }))
        {
            Some(format!("!= @{}", not_public(family)))
        } else if flow.destination != full {
            let wish = format!("{}_to", slug(&flow.requirement));
            Some(self.address_set(family, &flow.destination, &wish))
        } else if flow.requirement != "management"
            && flow.ports != Some(Ranges::single(67))
            && !flow.destination_needed.is_empty()
        {
            Some(addresses(family, &flow.destination_needed))
        } else {
            None
        };
        if let Some(destination) = destination {
            words.push(format!("{} daddr {destination}", header(family)));
            family_said = true;
        }
        if !family_said {
            words.push(format!("meta nfproto {}", if family == Family::V4 { "ipv4" } else { "ipv6" }));
        }
        match (flow.protocol, &flow.ports, flow.icmp_type) {
            (Some(_), _, Some(icmp)) => {
                let name = if family == Family::V4 { "icmp" } else { "icmpv6" };
                words.push(format!("{name} type {icmp}"));
            }
            (Some(protocol), Some(list), _) => {
                if flow.source_ports_needed == Ranges::single(68) {
                    words.push(format!("{protocol} sport 68"));
                }
                words.push(format!("{protocol} dport {}", ports(list)));
            }
            (Some(protocol), None, _) => words.push(format!("meta l4proto {}", protocol.0)),
            _ => {}
        }
        let mut who: Vec<&str> = all.iter().filter_map(|f| f.device.as_deref()).collect();
        who.sort_unstable();
        who.dedup();
        let doubt = if flow.disputed { ", disputed" } else { "" };
        let who = if who.is_empty() { flow.source_text.clone() } else { who.join(" ") };
        words.push(format!(
            "counter accept comment \"{}\"\n",
            comment(&format!("{}{doubt}: {who}", flow.requirement))
        ));
        words.join(" ")
    }

    /// One address as it is; several as a named set, shared by content.
    fn address_set(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        if addresses_text(family, ranges).len() == 1 {
            return addresses(family, ranges);
        }
        let key = (family, ranges.clone());
        if let Some(known) = self.sets.get(&key) {
            return format!("@{known}");
        }
        let name = self.used.fresh(&format!("{wish}{}", digit(family)));
        self.sets.insert(key, name.clone());
        format!("@{name}")
    }

    fn name_set(&mut self, family: Family, flow: &Flow) -> String {
        let key = (family, flow.names.clone());
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let name = self.used.fresh(&format!("{}_names{}", slug(&flow.requirement), digit(family)));
        self.names.insert(key, name.clone());
        name
    }
}

fn deny(prefix: &str) -> String {
    format!(
        "\t\tlimit rate 10/second burst 50 packets log prefix \"tillgate {prefix} deny: \"\n\t\tcounter drop comment \"denied and logged\"\n"
    )
}

fn header(family: Family) -> &'static str {
    if family == Family::V4 { "ip" } else { "ip6" }
}

fn digit(family: Family) -> char {
    if family == Family::V4 { '4' } else { '6' }
}

fn set_type(family: Family) -> &'static str {
    if family == Family::V4 { "ipv4_addr" } else { "ipv6_addr" }
}

fn not_public(family: Family) -> String {
    format!("not_public{}", digit(family))
}

fn addresses(family: Family, ranges: &Ranges) -> String {
    let list = elements(family, ranges);
    if list.contains(',') || list.contains('-') { format!("{{ {list} }}") } else { list }
}
