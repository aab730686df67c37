//! An intent written as `/etc/config/firewall` for fw4, and proved.

use crate::companion::companions;
use crate::nftables::{Names, comment, slug};
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check_linux, prove};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_estate::Site;
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Protocol, Ranges, Text, addresses_text, format_ports, range_to_prefixes};

/// Neighbour discovery and multicast listeners (RFC 4861, RFC 3810), by number: older releases know few of the names.
const DISCOVERY: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

/// Characters a zone's name may have, so that it fits where logs and chains show it.
const ZONE_NAME: usize = 11;

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check_linux(site, intent)?;
    let topology = &intent.topology;
    for name in topology.zones.iter().map(|z| &z.interface).chain(&topology.uplinks) {
        // Zones read these as wildcards and negation.
        if name.contains(['+', '*', '!']) || name.chars().any(char::is_whitespace) {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    for name in intent.flows.iter().filter(|f| f.by_name).flat_map(|f| &f.names) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !name.trim_start_matches("*.").chars().all(plain) {
            return Err(RenderError::CannotExpress(Text::new("bad-value").arg("value", name)));
        }
    }
    let mut used = Names::default();
    let wan = used.fresh("wan");
    let zones = topology.zones.iter();
    let zones =
        zones.map(|z| used.fresh(&slug(&z.name).chars().take(ZONE_NAME).collect::<String>())).collect();
    let mut writer = Writer { intent, zones, wan, sets: BTreeMap::new(), used: Names::default() };
    let text = writer.file(&site.name)?;
    let mut beside = companions(site, intent, &[]);
    beside.extend(writer.names(&site.name).map(|text| ("dhcp".to_string(), text)));
    beside.sort();
    prove(super::parse, Rendered { text, companions: beside }, intent)
}

/// What a set holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    /// What is not the public internet.
    NotPublic,
    /// What the resolver finds for these names.
    Names(Vec<String>),
}

struct Writer<'a> {
    intent: &'a Intent,
    /// Zones by the place of their segment.
    zones: Vec<String>,
    /// The zone of the uplinks.
    wan: String,
    /// Sets by content.
    sets: BTreeMap<(Content, Family), String>,
    used: Names,
}

/// A section being written.
pub(super) struct Section(pub(super) String);

impl Section {
    pub(super) fn new(kind: &str) -> Self {
        Section(format!("\nconfig {kind}\n"))
    }

    pub(super) fn option(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let _ = writeln!(self.0, "\toption {name} '{}'", quoted(&value.to_string()));
        self
    }

    pub(super) fn list(mut self, name: &str, values: impl IntoIterator<Item = String>) -> Self {
        for value in values {
            let _ = writeln!(self.0, "\tlist {name} '{}'", quoted(&value));
        }
        self
    }
}

/// A text for single quotes, which know no escape: the quotes are left for each of its own.
fn quoted(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).collect::<String>().replace('\'', "'\\''")
}

pub(super) fn word(family: Family) -> &'static str {
    if family == Family::V4 { "ipv4" } else { "ipv6" }
}

fn digit(family: Family) -> char {
    if family == Family::V4 { '4' } else { '6' }
}

impl Writer<'_> {
    fn file(&mut self, site: &str) -> Result<String, RenderError> {
        let (mut local, mut through) = (String::new(), String::new());
        for permit in permits(self.intent, true) {
            local.push_str(&self.permit(&permit)?);
        }
        for permit in permits(self.intent, false) {
            through.push_str(&self.permit(&permit)?);
        }
        let mut out = format!("# tillgate: {}\n", comment(site));
        out.push_str(
            "# /etc/config/firewall for OpenWrt 22.03 and later (fw4); it replaces the whole file.\n",
        );
        let defaults = Section::new("defaults")
            .option("input", "DROP")
            .option("output", "ACCEPT")
            .option("forward", "DROP")
            .option("drop_invalid", 1)
            .option("synflood_protect", 1)
            // No connections that others announce but what an answer needs.
            .option("auto_helper", 0);
        out.push_str(&defaults.0);
        self.zones(&mut out);
        self.sets(&mut out);
        out.push_str("\n# PCI DSS 1.4.3: addresses that cannot come from where they come from\n");
        self.forged(&mut out);
        out.push_str("\n# for the firewall itself\n");
        self.discovery(&mut out);
        out.push_str(&local);
        out.push_str("\n# through the firewall\n");
        out.push_str(&through);
        Ok(out)
    }

    fn zones(&self, out: &mut String) {
        let zone = |name: &str, devices: Vec<String>| {
            Section::new("zone")
                .option("name", name)
                .list("device", devices)
                .option("input", "DROP")
                .option("output", "ACCEPT")
                .option("forward", "DROP")
                .option("log", 1)
                .option("log_limit", "10/second")
        };
        for (at, name) in self.zones.iter().enumerate() {
            let segment = self.intent.topology.zones.get(at);
            let devices = segment.map(|z| z.interface.clone()).into_iter().collect();
            out.push_str(&zone(name, devices).0);
        }
        let mut wan = zone(&self.wan, self.intent.topology.uplinks.clone()).option("mtu_fix", 1);
        let inside = self.intent.topology.inside(Family::V4);
        if self.intent.masquerade && !inside.is_empty() {
            wan = wan.option("masq", 1).list("masq_src", addresses_text(Family::V4, &inside));
        }
        out.push_str(&wan.0);
    }

    /// The sets that rules name, which came before them.
    fn sets(&self, out: &mut String) {
        for ((content, family), name) in &self.sets {
            let section = Section::new("ipset").option("name", name);
            let section = match content {
                Content::NotPublic => {
                    let outside = public(self.intent, *family).complement(family.max_address());
                    let prefixes = outside.as_slice().iter();
                    let prefixes = prefixes.flat_map(|(lo, hi)| range_to_prefixes(*family, *lo, *hi));
                    section
                        .option("comment", "private, shared, reserved and our own")
                        .option("family", word(*family))
                        .list("match", ["dest_net".to_string()])
                        .list("entry", prefixes.map(|net| net.to_string()))
                }
                Content::Names(names) => section
                    .option("comment", comment(&format!("filled by dnsmasq: {}", names.join(" "))))
                    .option("family", word(*family))
                    .list("match", ["dest_ip".to_string()]),
            };
            out.push_str(&section.0);
        }
    }

    /// What cannot come from where it comes from, on its way to the firewall and through it.
    fn forged(&self, out: &mut String) {
        for (on, family, ranges, only, name) in sources(self.intent) {
            let zones = self.intent.topology.zones.iter().zip(&self.zones);
            let own = zones.clone().find(|(z, _)| on.first() == Some(&z.interface)).map(|(_, own)| own);
            let zone = if on == self.intent.topology.uplinks { &self.wan } else { own.unwrap_or(&self.wan) };
            out.push_str(&forged(zone, None, family, &ranges, only, &name));
        }
    }

    /// What IPv6 cannot do without.
    fn discovery(&self, out: &mut String) {
        if self.intent.topology.inside(Family::V6).is_empty() {
            return;
        }
        for from in (0..self.zones.len()).map(Side::Zone).chain([Side::Uplinks]) {
            let rule = Section::new("rule")
                .option("name", "neighbour discovery")
                .option("src", self.side(from))
                .option("family", "ipv6")
                .option("proto", "icmp")
                .list("icmp_type", DISCOVERY.iter().map(u8::to_string))
                .list("src_ip", genuine(self.intent, from, Family::V6))
                .option("target", "ACCEPT");
            out.push_str(&rule.0);
        }
        let rule = Section::new("rule")
            .option("name", "DHCPv6 answers to the firewall")
            .option("src", &self.wan)
            .option("family", "ipv6")
            .option("proto", "udp")
            .list("src_ip", ["fe80::/10".to_string()])
            .option("src_port", 547)
            .option("dest_port", 546)
            .option("target", "ACCEPT");
        out.push_str(&rule.0);
    }

    fn side(&self, side: Side) -> &str {
        match side {
            Side::Zone(at) => self.zones.get(at).map_or("", String::as_str),
            Side::Uplinks => &self.wan,
        }
    }

    fn permit(&mut self, permit: &Permit) -> Result<String, RenderError> {
        let family = permit.family;
        let mut rule = Section::new("rule")
            .option("name", comment(&permit.comment))
            .option("src", self.side(permit.from));
        if let Some(to) = permit.to {
            rule = rule.option("dest", self.side(to));
        }
        rule = rule.option("family", word(family));
        rule = service(rule, &permit.service)?;
        rule = match &permit.source {
            Some(source) => rule.list("src_ip", addresses_text(family, source)),
            None => rule.list("src_ip", genuine(self.intent, permit.from, family)),
        };
        rule = match &permit.target {
            Target::Any => rule,
            Target::Public => {
                rule.option("ipset", format!("!{}", self.set(Content::NotPublic, family, "not_public")))
            }
            Target::Ranges(ranges) => rule.list("dest_ip", addresses_text(family, ranges)),
            Target::Names(names) => {
                let wish = format!("{}_names", slug(&permit.requirement));
                rule.option("ipset", self.set(Content::Names(names.clone()), family, &wish))
            }
        };
        Ok(rule.option("target", "ACCEPT").0)
    }

    /// The set of a content; the digit at its end tells the resolver its family.
    fn set(&mut self, content: Content, family: Family, wish: &str) -> String {
        if let Some(known) = self.sets.get(&(content.clone(), family)) {
            return known.clone();
        }
        let count = self.sets.keys().filter(|(c, f)| *f == family && kind(c) == kind(&content)).count();
        let wish: String = wish.chars().take(30).collect();
        let wish = if count == 0 { wish } else { format!("{wish}_{}_", count + 1) };
        let name = self.used.fresh(&format!("{wish}{}", digit(family)));
        self.sets.insert((content, family), name.clone());
        name
    }

    /// What `/etc/config/dhcp` must hold for the sets that the resolver fills. Each name stands in one section with
    /// all its sets, also those of names above it: dnsmasq takes the section with the longest name alone.
    fn names(&self, site: &str) -> Option<String> {
        let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((content, _), set) in &self.sets {
            let Content::Names(names) = content else { continue };
            for name in names {
                by_name.entry(name.trim_start_matches("*.")).or_default().insert(set);
            }
        }
        let mut sections: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for (name, own) in &by_name {
            let mut all = own.clone();
            let above = name.match_indices('.').filter_map(|(at, _)| by_name.get(name.get(at + 1..)?));
            above.for_each(|sets| all.extend(sets));
            sections.entry(all).or_default().push(name);
        }
        if sections.is_empty() {
            return None;
        }
        let mut out = format!("# tillgate: {}\n", comment(site));
        out.push_str(
            "# Belongs at the end of /etc/config/dhcp; needs the package dnsmasq-full (2.87 or later).\n",
        );
        for (sets, names) in sections {
            let section = Section::new("ipset")
                .list("name", sets.into_iter().map(str::to_string))
                .list("domain", names.into_iter().map(str::to_string))
                .option("table", "fw4")
                .option("table_family", "inet");
            out.push_str(&section.0);
        }
        Some(out)
    }
}

/// Rules that drop what cannot come from where it comes from: sources beside these, or (not `only`) these. `device` is
/// given where the zone has others too.
pub(super) fn forged(
    zone: &str,
    device: Option<&str>,
    family: Family,
    ranges: &Ranges,
    only: bool,
    name: &str,
) -> String {
    let mark = if only { "!" } else { "" };
    let addresses = addresses_text(family, ranges);
    let mut out = String::new();
    // Untracked, such packets are no answers, which fw4 accepts before any rule.
    for (dest, target) in [(false, "NOTRACK"), (false, "DROP"), (true, "DROP")] {
        let mut rule = Section::new("rule")
            .option("name", comment(&format!("{name}: forged source")))
            .option("src", zone);
        if let Some(device) = device {
            rule = rule.option("device", device);
        }
        if dest {
            rule = rule.option("dest", "*");
        }
        let rule = rule
            .option("family", word(family))
            .option("proto", "all")
            .list("src_ip", addresses.iter().map(|a| format!("{mark}{a}")))
            .option("target", target);
        out.push_str(&rule.0);
    }
    out
}

/// The sources that are not forged, where a rule names none: rules then contradict each other nowhere.
pub(super) fn genuine(intent: &Intent, from: Side, family: Family) -> Vec<String> {
    let interfaces = Permit::interfaces(from, intent);
    let mut own = sources(intent).into_iter().filter(|(on, f, ..)| *on == interfaces && *f == family);
    own.next().map_or(Vec::new(), |(_, _, ranges, only, _)| {
        let mark = if only { "" } else { "!" };
        addresses_text(family, &ranges).iter().map(|a| format!("{mark}{a}")).collect()
    })
}

/// A rule with its service.
pub(super) fn service(rule: Section, service: &Service) -> Result<Section, RenderError> {
    Ok(match service {
        Service::Any => rule.option("proto", "all"),
        Service::Protocol(protocol) => rule.option("proto", protocol.0),
        Service::Icmp(kind) => rule.option("proto", "icmp").list("icmp_type", [kind.to_string()]),
        Service::Ports { protocol, ports, source_port } => {
            // With any other protocol fw4 leaves ports out, and would permit all of them.
            if ![Protocol::TCP, Protocol::UDP].contains(protocol) {
                let text = Text::new("cannot-ports-openwrt").arg("protocol", protocol);
                return Err(RenderError::CannotExpress(text));
            }
            let rule = rule.option("proto", protocol);
            let rule = match source_port {
                Some(port) => rule.option("src_port", port),
                None => rule,
            };
            rule.option("dest_port", format_ports(ports).replace(',', " "))
        }
    })
}

fn kind(content: &Content) -> bool {
    *content == Content::NotPublic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_inside_their_quotes() {
        let hostile = "x' \n\toption target 'ACCEPT\u{1b}[2J # \\";
        let text = Section::new("rule").option("name", comment(hostile)).0;
        assert_eq!(text.lines().count(), 3, "{text}");
        let file = tillgate_model::SourceFile::new("test", text.as_str());
        let read = super::super::uci::read(&[file], &mut Vec::new());
        assert_eq!(read.first().map(|s| s.options().count()), Some(1));
        assert!(read.first().and_then(|s| s.text("name")).is_some_and(|n| n.contains("option target")));
    }
}
