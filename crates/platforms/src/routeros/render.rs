//! An intent written as a script for `/import`, and proved.

use crate::nftables::slug;
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::BTreeMap;
use std::fmt::Write;
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Family, Protocol, Ranges, Text, addresses_text, format_ports};

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    // Names in address lists are looked up; none stands for what is below it.
    let wild = intent.flows.iter().filter(|f| f.by_name).flat_map(|f| &f.names).find(|n| n.starts_with("*."));
    if let Some(name) = wild {
        return Err(RenderError::CannotExpress(Text::new("cannot-wildcard-name").arg("name", name)));
    }
    let mut writer = Writer { intent, lists: BTreeMap::new(), used: BTreeMap::new() };
    let text = writer.file(&site.name);
    prove(super::parse, Rendered { text, companions: Vec::new() }, intent)
}

/// What an address list holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Members {
    Addresses(Vec<(u128, u128)>),
    Names(Vec<String>),
}

struct Writer<'a> {
    intent: &'a Intent,
    lists: BTreeMap<(Family, Members), String>,
    used: BTreeMap<String, usize>,
}

fn path(family: Family) -> &'static str {
    if family == Family::V4 { "/ip" } else { "/ipv6" }
}

/// A value in quotes; nothing in it can end them or start a command.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().take(200) {
        match c {
            '"' | '\\' | '$' | '?' => {
                out.push('\\');
                out.push(c);
            }
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

/// A value, in quotes where it needs them.
pub(super) fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | ',');
    if !text.is_empty() && text.chars().all(plain) { text.to_string() } else { quoted(text) }
}

fn ranges(list: &[(u128, u128)]) -> Ranges {
    list.iter().copied().collect()
}

impl Writer<'_> {
    fn file(&mut self, site: &str) -> String {
        let mut sections = String::new();
        for family in Family::BOTH {
            sections.push_str(&self.raw(family));
            sections.push_str(&self.filter(family));
        }
        sections.push_str(&self.nat());
        let shown: String = site.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut out = format!(
            "# tillgate: {shown}\n# Replaces every rule of the filter, raw and nat; address lists whose name starts with tg- are its own.\n"
        );
        for family in Family::BOTH {
            let _ = writeln!(out, "{} firewall address-list", path(family));
            out.push_str("remove [find list~\"^tg-\"]\n");
            for ((_, members), name) in self.lists.iter().filter(|((f, _), _)| *f == family) {
                let entries = match members {
                    Members::Addresses(list) => addresses_text(family, &ranges(list)),
                    Members::Names(names) => names.clone(),
                };
                for entry in entries {
                    let _ = writeln!(out, "add address={} list={name}", value(&entry));
                }
            }
        }
        out + &sections
    }

    fn raw(&mut self, family: Family) -> String {
        let mut out = format!("{} firewall raw\nremove [find dynamic=no]\n", path(family));
        for (on, of, own, only, name) in sources(self.intent) {
            if of != family {
                continue;
            }
            let list = self.list(
                family,
                Members::Addresses(own.as_slice().to_vec()),
                &format!("from-{}", slug(&name)),
            );
            for interface in on {
                let _ = writeln!(
                    out,
                    "add action=drop chain=prerouting comment={} in-interface={} log=yes log-prefix=\"tillgate forged\" src-address-list={}{list}",
                    quoted(&format!("{name}: forged source")),
                    value(&interface),
                    if only { "!" } else { "" },
                );
            }
        }
        out
    }

    fn filter(&mut self, family: Family) -> String {
        let mut out = format!("{} firewall filter\nremove [find dynamic=no]\n", path(family));
        for chain in ["input", "forward"] {
            let _ = writeln!(out, "add action=accept chain={chain} connection-state=established,related");
            let _ = writeln!(out, "add action=drop chain={chain} connection-state=invalid");
        }
        if family == Family::V6 && !self.intent.topology.inside(family).is_empty() {
            // Multicast listeners and neighbour discovery (RFC 4861, RFC 3810).
            for kind in [130, 131, 132, 133, 134, 135, 136, 143] {
                let _ =
                    writeln!(out, "add action=accept chain=input icmp-options={kind}:0-255 protocol=icmpv6");
            }
            for uplink in &self.intent.topology.uplinks {
                let _ = writeln!(
                    out,
                    "add action=accept chain=input comment=\"DHCPv6 answers to the router\" dst-port=546 in-interface={} protocol=udp src-address=fe80::/10 src-port=547",
                    value(uplink)
                );
            }
        }
        for (chain, local) in [("input", true), ("forward", false)] {
            for permit in permits(self.intent, local).iter().filter(|p| p.family == family) {
                self.rules(chain, permit, &mut out);
            }
            let _ = writeln!(
                out,
                "add action=log chain={chain} limit=10,50:packet log-prefix=\"tillgate {chain} deny\""
            );
            let _ = writeln!(out, "add action=drop chain={chain} comment=\"denied and logged\"");
        }
        out
    }

    fn nat(&mut self) -> String {
        let mut out = String::from("/ip firewall nat\nremove [find dynamic=no]\n");
        let inside = self.intent.topology.inside(Family::V4);
        if self.intent.masquerade && !inside.is_empty() {
            let list = self.list(Family::V4, Members::Addresses(inside.as_slice().to_vec()), "inside");
            for uplink in &self.intent.topology.uplinks {
                let _ = writeln!(
                    out,
                    "add action=masquerade chain=srcnat out-interface={} src-address-list={list}",
                    value(uplink)
                );
            }
        }
        out
    }

    /// A line for every pair of interfaces.
    fn rules(&mut self, chain: &str, permit: &Permit, out: &mut String) {
        let family = permit.family;
        let mut words = Vec::new();
        match &permit.service {
            Service::Any => {}
            Service::Protocol(protocol) => words.push(format!("protocol={}", protocol.0)),
            Service::Icmp(icmp) => {
                let name = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
                words.push(format!("icmp-options={icmp}:0-255 protocol={name}"));
            }
            Service::Ports { protocol, ports, source_port } => {
                words.push(format!("dst-port={} protocol={protocol}", format_ports(ports)));
                words.extend(source_port.map(|port| format!("src-port={port}")));
            }
        }
        if let Some(source) = &permit.source {
            words.push(self.side(family, "src", source, &slug(&permit.requirement)));
        }
        match &permit.target {
            Target::Any => {}
            Target::Public => {
                let inside = public(self.intent, family).complement(family.max_address());
                let list = self.list(family, Members::Addresses(inside.as_slice().to_vec()), "not-public");
                words.push(format!("dst-address-list=!{list}"));
            }
            Target::Ranges(ranges) => {
                words.push(self.side(family, "dst", ranges, &slug(&permit.requirement)))
            }
            Target::Names(names) => {
                let list = self.list(family, Members::Names(names.clone()), &slug(&permit.requirement));
                words.push(format!("dst-address-list={list}"));
            }
        }
        let outputs = match permit.to {
            Some(to) => Permit::interfaces(to, self.intent)
                .iter()
                .map(|o| format!(" out-interface={}", value(o)))
                .collect(),
            None => vec![String::new()],
        };
        for input in Permit::interfaces(permit.from, self.intent) {
            for output in &outputs {
                let _ = writeln!(
                    out,
                    "add action=accept chain={chain} comment={} in-interface={}{output} {}",
                    quoted(&permit.comment),
                    value(&input),
                    words.join(" ")
                );
            }
        }
    }

    /// One address or prefix as it is; several as a list.
    fn side(&mut self, family: Family, side: &str, ranges: &Ranges, wish: &str) -> String {
        let texts = addresses_text(family, ranges);
        if let [only] = texts.as_slice() {
            return format!("{side}-address={only}");
        }
        let list = self.list(family, Members::Addresses(ranges.as_slice().to_vec()), wish);
        format!("{side}-address-list={list}")
    }

    fn list(&mut self, family: Family, members: Members, wish: &str) -> String {
        if let Some(known) = self.lists.get(&(family, members.clone())) {
            return known.clone();
        }
        let wish: String = wish.chars().take(40).map(|c| if c == '_' { '-' } else { c }).collect();
        let base = format!("tg-{wish}");
        let count = self.used.entry(base.clone()).or_insert(0);
        *count += 1;
        let name = if *count == 1 { base } else { format!("{base}-{count}") };
        self.lists.insert((family, members), name.clone());
        name
    }
}
