//! An intent written as pf.conf, and proved.
//!
//! What comes in is decided where it comes in, and gets a tag that says where it may go out: `in` rules do not know
//! the way out, `out` rules not the way in. The default denial tags everything that comes in, so that only what the
//! firewall sends itself has no tag.

use crate::companion::companions;
use crate::nftables::{Names, slug};
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::BTreeMap;
use std::fmt::Write;
use tillgate_estate::{ServiceAt, Site};
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Protocol, Ranges, range_to_prefixes};

/// The tag of what came in and may go nowhere.
const ARRIVED: &str = "TG_IN";

/// What IPv6 cannot do without; listeners answer with a router alert.
pub(super) const NEIGHBOURS: &str =
    "pass in quick inet6 proto icmp6 icmp6-type { 130 131 132 133 134 135 136 143 } allow-opts";

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        // IFNAMSIZ; and a name without a number at its end is one of a group of interfaces.
        let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if name.len() > 15 || !word || !starts || !name.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    let by_name = intent.flows.iter().any(|f| f.by_name);
    if by_name && site.services.dns != Some(ServiceAt::Gateway) {
        return Err(RenderError::NamesNeedResolver);
    }
    let mut writer = Writer {
        intent,
        tables: BTreeMap::new(),
        names: BTreeMap::new(),
        used: Names::default(),
        tags: BTreeMap::new(),
        tag_names: Names::default(),
    };
    let text = writer.file(&site.name);
    let companions = companions(site, intent, &writer.resolver_lines());
    prove(super::parse, Rendered { text, companions }, intent)
}

struct Writer<'a> {
    intent: &'a Intent,
    /// Tables by content.
    tables: BTreeMap<(Family, Ranges), String>,
    /// Tables that the resolver fills, by their names.
    names: BTreeMap<(Family, Vec<String>), String>,
    used: Names,
    /// Tags by the side that packets with them may leave to.
    tags: BTreeMap<Way, String>,
    tag_names: Names,
}

/// Where packets with a tag may leave: a segment by its number, or the uplinks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Zone(usize),
    Uplinks,
}

impl Way {
    fn of(side: Side) -> Way {
        match side {
            Side::Zone(at) => Way::Zone(at),
            Side::Uplinks => Way::Uplinks,
        }
    }

    fn side(self) -> Side {
        match self {
            Way::Zone(at) => Side::Zone(at),
            Way::Uplinks => Side::Uplinks,
        }
    }
}

pub(super) fn word(family: Family) -> &'static str {
    if family == Family::V4 { "inet" } else { "inet6" }
}

/// Text for a comment: nothing in it ends the line, or joins it with the next.
pub(super) fn remark(text: &str) -> String {
    let plain = |c: char| match c {
        '\\' => '/',
        c if c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            '?'
        }
        c => c,
    };
    text.chars().take(200).map(plain).collect()
}

/// One as it is, several in braces.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [one] => one.clone(),
        items => format!("{{ {} }}", items.join(" ")),
    }
}

/// Addresses as prefixes; tables take no ranges.
pub(super) fn prefixes(family: Family, ranges: &Ranges) -> Vec<String> {
    let nets = ranges.as_slice().iter().flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi));
    nets.map(|net| match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    })
    .collect()
}

fn ports(ranges: &Ranges) -> String {
    let one = |(lo, hi): &(u128, u128)| if lo == hi { lo.to_string() } else { format!("{lo}:{hi}") };
    list(&ranges.as_slice().iter().map(one).collect::<Vec<_>>())
}

/// What says the service: protocol, source port, destination port, type of ICMP, each with a space in front.
pub(super) fn service(family: Family, service: &Service) -> (String, String, String, String) {
    let (mut source_port, mut port, mut icmp) = (String::new(), String::new(), String::new());
    let proto = match service {
        Service::Any => String::new(),
        Service::Protocol(protocol) => format!(" proto {}", protocol.0),
        Service::Icmp(kind) => {
            let (name, key) =
                if family == Family::V4 { ("icmp", "icmp-type") } else { ("icmp6", "icmp6-type") };
            icmp = format!(" {key} {kind}");
            format!(" proto {name}")
        }
        Service::Ports { protocol, ports: list, source_port: from } => {
            port = format!(" port {}", ports(list));
            source_port = from.map(|p| format!(" port {p}")).unwrap_or_default();
            match *protocol {
                Protocol::TCP => " proto tcp".to_string(),
                Protocol::UDP => " proto udp".to_string(),
                other => format!(" proto {}", other.0),
            }
        }
    };
    (proto, source_port, port, icmp)
}

impl Writer<'_> {
    fn file(&mut self, site: &str) -> String {
        let translation = self.translation();
        let forged = self.forged();
        let local = self.coming(true);
        let through = self.coming(false);
        let mut out = format!("# tillgate: {}\n", remark(site));
        out.push_str("# pf.conf for OpenBSD. FreeBSD takes it as well");
        out.push_str(match translation.is_empty() {
            true => ".\n",
            false => "; up to FreeBSD 14 with the nat lines in place of the match lines.\n",
        });
        out.push_str(
            "# Replaces the whole rule set. States of the old one live on until pfctl -F states.\n\n",
        );
        out.push_str("set block-policy drop\nset skip on lo\n\n");
        out.push_str(&self.tables());
        out.push_str(&translation);
        let _ = writeln!(
            out,
            "# What no rule below passes is denied and logged. What came in is tagged; where it may go out, another tag says.\nblock in log all tag {ARRIVED}\nblock out log all\n"
        );
        let _ =
            writeln!(out, "# PCI DSS 1.4.3: addresses that cannot come from where they come from\n{forged}");
        if !self.intent.topology.inside(Family::V6).is_empty() {
            out.push_str(&self.neighbours());
        }
        let _ = writeln!(
            out,
            "# to the firewall itself\n{local}# nothing else is for it: the rules below mean what lies beyond\nblock in log quick to {}\n\n# through the firewall\n{through}",
            list(&self.own())
        );
        out + &self.leaving()
    }

    fn tables(&self) -> String {
        let mut out = String::new();
        for ((family, ranges), name) in &self.tables {
            let entries = prefixes(*family, ranges);
            let _ = write!(out, "table <{name}> const {{");
            // Lines that people can read, and that do not grow beyond what pfctl takes.
            for (at, entry) in entries.iter().enumerate() {
                out.push_str(if at % 8 == 7 { " \\\n\t" } else { " " });
                out.push_str(entry);
            }
            out.push_str(" }\n");
        }
        for ((_, names), table) in &self.names {
            let _ = writeln!(out, "# filled by the resolver: {}", remark(&names.join(" ")));
            let _ = writeln!(out, "table <{table}> persist");
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    fn translation(&mut self) -> String {
        let inside = self.intent.topology.inside(Family::V4);
        if !self.intent.masquerade || inside.is_empty() {
            return String::new();
        }
        let from = self.side(Family::V4, &inside, "inside");
        let mut out = String::from("# the address of the uplink stands for those inside\n");
        for uplink in &self.intent.topology.uplinks {
            let _ = writeln!(
                out,
                "# FreeBSD up to 14: nat on {uplink} inet from {from} to any -> ({uplink})\nmatch out on {uplink} inet from {from} nat-to ({uplink})"
            );
        }
        out + "\n"
    }

    fn forged(&mut self) -> String {
        let mut out = String::new();
        for (on, family, own, only, name) in sources(self.intent) {
            let from = self.side(family, &own, &format!("from_{}", slug(&name)));
            let _ = writeln!(
                out,
                "block in log quick on {} {} from {}{from}",
                list(&on),
                word(family),
                if only { "! " } else { "" },
            );
        }
        out
    }

    /// What is delivered to the firewall: its own addresses, groups, and everybody in a segment.
    fn own(&self) -> Vec<String> {
        let directed = self.intent.topology.zones.iter().filter_map(|zone| zone.broadcast());
        let all: Ranges = directed
            .map(|a| (a, a))
            .chain([(0xe000_0000, 0xefff_ffff), (0xffff_ffff, 0xffff_ffff)])
            .collect();
        let mut out = vec!["(self)".to_string()];
        out.extend(prefixes(Family::V4, &all));
        out.push("ff00::/8".into());
        out
    }

    fn neighbours(&self) -> String {
        let mut out =
            format!("# neighbour discovery and multicast listeners (RFC 4861, RFC 3810)\n{NEIGHBOURS}\n");
        for uplink in &self.intent.topology.uplinks {
            let _ = writeln!(
                out,
                "# DHCPv6 answers to the firewall\npass in quick on {uplink} inet6 proto udp from fe80::/10 port 547 to any port 546"
            );
        }
        out + "\n"
    }

    fn coming(&mut self, local: bool) -> String {
        let mut out = String::new();
        for permit in permits(self.intent, local) {
            let rule = self.rule(&permit);
            let _ = writeln!(out, "# {}\n{rule}", remark(&permit.comment));
        }
        out
    }

    fn leaving(&self) -> String {
        let mut out = String::from("# out, by tag\n");
        for (way, tag) in &self.tags {
            let to = list(&Permit::interfaces(way.side(), self.intent));
            let _ = writeln!(out, "pass out quick on {to} tagged {tag}");
        }
        for tag in std::iter::once(ARRIVED).chain(self.tags.values().map(String::as_str)) {
            let _ = writeln!(out, "block out log quick tagged {tag}");
        }
        out + "# what the firewall sends itself\npass out quick\n"
    }

    fn rule(&mut self, permit: &Permit) -> String {
        let family = permit.family;
        let on = list(&Permit::interfaces(permit.from, self.intent));
        let mut words = format!("pass in quick on {on} {}", word(family));
        let (proto, source_port, port, icmp) = service(family, &permit.service);
        words.push_str(&proto);
        let from = match &permit.source {
            // What a segment may call itself at all: the same table as against forged sources.
            None => match permit.from {
                Side::Zone(at) => self.may_come_from(at, family),
                Side::Uplinks => "any".to_string(),
            },
            Some(source) => {
                let zone = match permit.from {
                    Side::Zone(at) => self.intent.topology.zones.get(at).map_or("", |z| z.name.as_str()),
                    Side::Uplinks => "outside",
                };
                self.side(family, source, &slug(zone))
            }
        };
        let to = match &permit.target {
            // What is for the firewall says so; anything else of the kind goes on to the rules for what lies beyond.
            Target::Any if permit.to.is_none() => match &permit.service {
                // A client that has no address yet asks everybody (RFC 2131).
                Service::Ports { ports, .. } if *ports == Ranges::single(67) => {
                    "{ (self) 255.255.255.255 }".into()
                }
                _ => "(self)".to_string(),
            },
            Target::Any => "any".to_string(),
            Target::Public => {
                let inside = public(self.intent, family).complement(family.max_address());
                format!("! {}", self.side(family, &inside, "not_public"))
            }
            Target::Ranges(ranges) => self.side(family, ranges, &format!("to_{}", slug(&permit.requirement))),
            Target::Names(names) => format!("<{}>", self.named(family, names, &permit.requirement)),
        };
        let tag = permit.to.map(|side| format!(" tag {}", self.tag(side))).unwrap_or_default();
        format!("{words} from {from}{source_port} to {to}{port}{icmp}{tag}")
    }

    fn may_come_from(&mut self, zone: usize, family: Family) -> String {
        let Some(zone) = self.intent.topology.zones.get(zone) else { return "any".to_string() };
        let known = sources(self.intent);
        match known.iter().find(|(on, of, _, only, _)| *only && *of == family && on.contains(&zone.interface))
        {
            Some((_, _, own, _, name)) => self.side(family, own, &format!("from_{}", slug(name))),
            None => "any".to_string(),
        }
    }

    fn tag(&mut self, side: Side) -> String {
        let way = Way::of(side);
        if let Some(known) = self.tags.get(&way) {
            return known.clone();
        }
        let name = match side {
            Side::Zone(at) => self.intent.topology.zones.get(at).map_or("", |z| z.name.as_str()),
            Side::Uplinks => "internet",
        };
        let tag = self.tag_names.fresh(&format!("TG_TO_{}", slug(name)));
        self.tags.insert(way, tag.clone());
        tag
    }

    /// One address or prefix as it is; several as a table, shared by content.
    fn side(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        if let [only] = prefixes(family, ranges).as_slice() {
            return only.clone();
        }
        let key = (family, ranges.clone());
        if let Some(known) = self.tables.get(&key) {
            return format!("<{known}>");
        }
        let name = self.fresh(family, wish);
        self.tables.insert(key, name.clone());
        format!("<{name}>")
    }

    fn named(&mut self, family: Family, names: &[String], requirement: &str) -> String {
        let key = (family, names.to_vec());
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let name = self.fresh(family, &format!("names_{}", slug(requirement)));
        self.names.insert(key, name.clone());
        name
    }

    /// The name of a table: 31 bytes at most (`PF_TABLE_NAME_SIZE`).
    fn fresh(&mut self, family: Family, wish: &str) -> String {
        let wish: String = wish.chars().take(22).collect();
        self.used.fresh(&format!("tg_{wish}{}", if family == Family::V4 { '4' } else { '6' }))
    }

    /// Which names fill which tables, one line per name, so that adding or dropping one is one line.
    fn resolver_lines(&self) -> Vec<String> {
        let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ((_, list), table) in &self.names {
            for name in list {
                lines.entry(name).or_default().push(table);
            }
        }
        let line = |(name, tables): (&str, Vec<&str>)| {
            format!("ipset=/{}/{}", name.trim_start_matches("*."), tables.join(","))
        };
        lines.into_iter().map(line).collect()
    }
}
