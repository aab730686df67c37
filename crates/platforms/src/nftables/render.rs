//! An intent written as nftables, and proved: what was written is read back and shown equal to the intent.

use super::text::{Names, comment, elements, interfaces, ports, slug};
use crate::companion::companions;
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check_linux, prove};
use std::collections::BTreeMap;
use tillgate_estate::Site;
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Ranges, addresses_text};

/// Name of the table everything is written to.
const TABLE: &str = "tillgate";

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check_linux(site, intent)?;
    let mut writer =
        Writer { site, intent, sets: BTreeMap::new(), names: BTreeMap::new(), used: Names::default() };
    let text = writer.file();
    let companions = companions(site, intent, &writer.resolver_lines());
    prove(super::parse, Rendered { text, companions }, intent)
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
        let chains: Vec<String> = [antispoof, input, forward, nat].into_iter().flatten().collect();
        let chains = chains.concat();
        out.push_str(&self.declarations(&chains));
        out.push_str(&chains);
        out.push_str("}\n");
        out
    }

    /// The sets that the chains name.
    fn declarations(&self, chains: &str) -> String {
        let mut out = String::new();
        for family in Family::BOTH {
            if !chains.contains(&format!("@{}", not_public(family))) {
                continue;
            }
            let outside = public(self.intent, family).complement(family.max_address());
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

    /// Which names fill which sets, one line per name, so that adding or dropping one is one line.
    fn resolver_lines(&self) -> Vec<String> {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((family, list), set) in &self.names {
            for name in list {
                lines.entry(name).or_default().push(format!("{}#inet#{TABLE}#{set}", digit(*family)));
            }
        }
        let line = |(name, sets): (&str, Vec<String>)| {
            format!("nftset=/{}/{}", name.trim_start_matches("*."), sets.join(","))
        };
        lines.into_iter().map(line).collect()
    }

    fn antispoof(&self) -> Option<String> {
        let mut rules = String::new();
        for (on, family, ranges, only, name) in sources(self.intent) {
            rules.push_str(&format!(
                "\t\tiifname {} {} saddr {}{{ {} }} jump forged comment \"{}: forged source\"\n",
                interfaces(&on),
                header(family),
                if only { "!= " } else { "" },
                elements(family, &ranges),
                comment(&name)
            ));
        }
        Some(format!(
            "\t# PCI DSS 1.4.3: addresses that cannot come from where they come from\n\tchain antispoof {{\n\t\ttype filter hook prerouting priority raw; policy accept;\n{rules}\t}}\n\n\tchain forged {{\n{}\t}}\n\n",
            deny("forged", "\t\t")
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
        rules.push_str(&self.permits(true));
        Some(format!(
            "\tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n{rules}{}\t}}\n\n",
            deny("input", "\t\t")
        ))
    }

    fn forward(&mut self) -> Option<String> {
        let mut rules =
            String::from("\t\tct state vmap { established : accept, related : accept, invalid : drop }\n");
        rules.push_str(&self.permits(false));
        Some(format!(
            "\tchain forward {{\n\t\ttype filter hook forward priority filter; policy drop;\n{rules}{}\t}}\n\n",
            deny("forward", "\t\t")
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

    fn permits(&mut self, local: bool) -> String {
        permits(self.intent, local).iter().map(|permit| self.rule(permit)).collect()
    }

    fn rule(&mut self, permit: &Permit) -> String {
        let family = permit.family;
        let mut words =
            vec![format!("\t\tiifname {}", interfaces(&Permit::interfaces(permit.from, self.intent)))];
        if let Some(to) = permit.to {
            words.push(format!("oifname {}", interfaces(&Permit::interfaces(to, self.intent))));
        }
        let mut family_said = false;
        if let Some(source) = &permit.source {
            let zone = match permit.from {
                Side::Zone(at) => self.intent.topology.zones[at].name.clone(),
                Side::Uplinks => "outside".into(),
            };
            let set = self.address_set(family, source, &format!("{}_devices", slug(&zone)));
            words.push(format!("{} saddr {set}", header(family)));
            family_said = true;
        }
        let destination = match &permit.target {
            Target::Any => None,
            Target::Public => Some(format!("!= @{}", not_public(family))),
            Target::Ranges(ranges) => {
                Some(self.address_set(family, ranges, &format!("{}_to", slug(&permit.requirement))))
            }
            Target::Names(names) => Some(format!("@{}", self.name_set(family, &permit.requirement, names))),
        };
        if let Some(destination) = destination {
            words.push(format!("{} daddr {destination}", header(family)));
            family_said = true;
        }
        if !family_said {
            words.push(format!("meta nfproto {}", if family == Family::V4 { "ipv4" } else { "ipv6" }));
        }
        match &permit.service {
            Service::Any => {}
            Service::Protocol(protocol) => words.push(format!("meta l4proto {}", protocol.0)),
            Service::Icmp(icmp) => {
                let name = if family == Family::V4 { "icmp" } else { "icmpv6" };
                words.push(format!("{name} type {icmp}"));
            }
            Service::Ports { protocol, ports: list, source_port } => {
                words.extend(source_port.map(|port| format!("{protocol} sport {port}")));
                words.push(format!("{protocol} dport {}", ports(list)));
            }
        }
        words.push(format!("counter accept comment \"{}\"\n", comment(&permit.comment)));
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

    fn name_set(&mut self, family: Family, requirement: &str, names: &[String]) -> String {
        let key = (family, names.to_vec());
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let name = self.used.fresh(&format!("{}_names{}", slug(requirement), digit(family)));
        self.names.insert(key, name.clone());
        name
    }
}

/// The end of a chain: denials are logged, at a bounded rate.
pub(super) fn deny(prefix: &str, indent: &str) -> String {
    format!(
        "{indent}limit rate 10/second burst 50 packets log prefix \"tillgate {prefix} deny: \"\n{indent}counter drop comment \"denied and logged\"\n"
    )
}

pub(super) fn header(family: Family) -> &'static str {
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
