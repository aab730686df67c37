//! The rules of an intent, interface by interface.

use super::form::{End, Line, MYSELF};
use super::render::Writer;
use super::tree::Product;
use super::words;
use super::write::element;
use crate::nftables::slug;
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::RenderError;
use tillgate_intent::Side;
use tillgate_model::{Family, Protocol, Ranges, Text, addresses_text};

/// Aliases have fewer than 32 characters; a number may follow.
const LONGEST_NAME: usize = 24;

/// How it is said that something may go to the internet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// By a rule that passes it.
    Plain,
    /// Behind denials of everything else.
    Guarded,
    /// By these denials alone: what passes it is there already.
    Denials,
}

impl Writer<'_> {
    /// The rules of each interface, in the order in which they are asked.
    pub fn filter(&mut self) -> Result<Vec<Line>, RenderError> {
        let (local, through) = (permits(self.intent, true), permits(self.intent, false));
        let mut out = Vec::new();
        self.answers(&mut out);
        for (key, device) in self.keys.clone() {
            self.forged(&key, &device, &mut out);
            self.neighbours(&key, &device, &mut out);
            self.permits((&key, &device), &local, &through, Outside::Guarded, &mut out)?;
            out.push(Line { interface: key, comment: "denied and logged".into(), ..Line::default() });
        }
        Ok(out)
    }

    /// What passes in by an interface.
    pub fn permits(
        &mut self,
        on: (&str, &str),
        local: &[Permit],
        through: &[Permit],
        outside: Outside,
        out: &mut Vec<Line>,
    ) -> Result<(), RenderError> {
        let here = |p: &&Permit| Permit::interfaces(p.from, self.intent).iter().any(|d| d == on.1);
        let local: Vec<&Permit> = local.iter().filter(here).collect();
        let (leaving, between): (Vec<&Permit>, Vec<&Permit>) =
            through.iter().filter(here).partition(|p| p.to == Some(Side::Uplinks));
        for permit in local.into_iter().chain(between) {
            self.permit(on, permit, out)?;
        }
        if outside != Outside::Plain && !leaving.is_empty() {
            // No rule knows where a packet leaves.
            let inner = self.inner();
            for (word, comment) in [
                (MYSELF, "to the firewall: denied and logged"),
                (inner.as_str(), "between segments: denied and logged"),
            ] {
                out.push(Line {
                    interface: on.0.into(),
                    destination: End::of(word),
                    comment: comment.into(),
                    ..Line::default()
                });
            }
        }
        let passing = leaving.into_iter().filter(|_| outside != Outside::Denials);
        passing.into_iter().try_for_each(|permit| self.permit(on, permit, out))
    }

    /// Segments, groups and broadcasts.
    fn inner(&mut self) -> String {
        let mut items: Vec<String> = Family::BOTH
            .into_iter()
            .flat_map(|family| addresses_text(family, &self.intent.topology.inside(family)))
            .collect();
        items.extend(["224.0.0.0/4", "255.255.255.255", "ff00::/8"].map(str::to_string));
        self.alias("network", items, "inner")
    }

    /// Where an uplink gets its address by DHCP, OPNsense passes such answers to anywhere.
    pub fn answers(&mut self, out: &mut Vec<Line>) {
        let topology = &self.intent.topology;
        let inside = self.keys.iter().filter(|(_, device)| !topology.uplinks.contains(device));
        let inside: Vec<&str> = inside.map(|(key, _)| key.as_str()).collect();
        if self.product == Product::PfSense || inside.is_empty() {
            return;
        }
        let interface = inside.join(",");
        let own = topology.gateways(Family::V4);
        let source = match own.is_empty() {
            true => End::default(),
            false => End { not: true, ..self.operand(Family::V4, &own, "gateways") },
        };
        out.push(Line {
            interface,
            outward: true,
            family: Some(Family::V4),
            protocol: "udp".into(),
            source: End { port: "67".into(), ..source },
            destination: End { port: "68".into(), ..End::default() },
            comment: "leases of the uplink are for the firewall: denied and logged".into(),
            ..Line::default()
        });
    }

    /// Neighbour discovery and multicast listeners (RFC 4861, RFC 3810), which nothing passes by itself here.
    fn neighbours(&mut self, key: &str, device: &str, out: &mut Vec<Line>) {
        if self.intent.topology.inside(Family::V6).is_empty() {
            return;
        }
        let source = self.arriving(device, Family::V6).unwrap_or_default();
        let near = self.alias("network", vec!["fe80::/10".into(), "ff02::/16".into()], "link_local");
        for word in [near.as_str(), MYSELF] {
            out.push(Line {
                pass: true,
                interface: key.into(),
                family: Some(Family::V6),
                protocol: "ipv6-icmp".into(),
                types: element("icmp6type", "130,131,132,133,134,135,136,143"),
                source: source.clone(),
                destination: End::of(word),
                comment: "neighbour discovery".into(),
                ..Line::default()
            });
        }
    }

    /// The sources that can come in by an interface, if something is known of them.
    fn arriving(&mut self, device: &str, family: Family) -> Option<End> {
        let mut all = sources(self.intent).into_iter();
        let (_, _, own, only, name) =
            all.find(|(on, f, ..)| *f == family && on.iter().any(|d| d == device))?;
        let wish = if only { format!("from_{}", slug(&name)) } else { "inside".to_string() };
        Some(End { not: !only, ..self.operand(family, &own, &wish) })
    }

    /// Sources that cannot come in here.
    pub fn forged(&mut self, key: &str, device: &str, out: &mut Vec<Line>) {
        for family in Family::BOTH {
            let Some(good) = self.arriving(device, family) else { continue };
            out.push(Line {
                interface: key.into(),
                family: Some(family),
                source: End { not: !good.not, ..good },
                comment: "forged source: denied and logged".into(),
                ..Line::default()
            });
        }
    }

    fn permit(
        &mut self,
        (key, device): (&str, &str),
        permit: &Permit,
        out: &mut Vec<Line>,
    ) -> Result<(), RenderError> {
        let source = match &permit.source {
            Some(source) => self.operand(permit.family, source, &slug(&permit.requirement)),
            // Who has no address yet asks for one.
            None => self.arriving(device, permit.family).unwrap_or_default(),
        };
        self.passing(key, permit, source, false, out)
    }

    /// What passes out of an interface behind those that let it in: a translated source is another one.
    pub fn leaving(
        &mut self,
        key: &str,
        to: Side,
        permit: &Permit,
        out: &mut Vec<Line>,
    ) -> Result<(), RenderError> {
        let translated = to == Side::Uplinks && permit.family == Family::V4 && self.intent.masquerade;
        let source = match &permit.source {
            Some(source) if !translated => self.operand(permit.family, source, &slug(&permit.requirement)),
            _ => End::default(),
        };
        self.passing(key, permit, source, true, out)
    }

    fn passing(
        &mut self,
        key: &str,
        permit: &Permit,
        mut source: End,
        outward: bool,
        out: &mut Vec<Line>,
    ) -> Result<(), RenderError> {
        let family = permit.family;
        let wish = slug(&permit.requirement);
        let (protocol, types) = self.protocol(permit)?;
        let mut destinations = match (&permit.target, permit.to) {
            (Target::Any, None) => self.firewall(permit),
            (Target::Any, Some(Side::Zone(at))) => {
                vec![self.operand(family, &self.intent.topology.zones[at].ranges(family), &wish)]
            }
            (Target::Any, Some(Side::Uplinks)) => vec![End::default()],
            (Target::Public, _) => {
                let inside = public(self.intent, family).complement(family.max_address());
                vec![End { not: true, ..self.operand(family, &inside, "not_public") }]
            }
            (Target::Ranges(ranges), _) => vec![self.operand(family, ranges, &wish)],
            (Target::Names(names), _) => vec![End::of(self.alias("host", names.clone(), &wish))],
        };
        if let Service::Ports { ports, source_port, .. } = &permit.service {
            let port = self.port(ports);
            destinations.iter_mut().for_each(|d| d.port.clone_from(&port));
            source.port = source_port.map_or(String::new(), |port| port.to_string());
        }
        out.extend(destinations.into_iter().map(|destination| Line {
            pass: true,
            interface: key.into(),
            inverted: false,
            outward,
            family: Some(family),
            protocol: protocol.clone(),
            types: types.clone(),
            source: source.clone(),
            destination,
            comment: permit.comment.clone(),
        }));
        Ok(())
    }

    /// Addresses of the firewall for a permission to it.
    fn firewall(&mut self, permit: &Permit) -> Vec<End> {
        let topology = &self.intent.topology;
        let (lease, family) = (permit.source.is_none() && permit.family == Family::V4, permit.family);
        let own = match permit.from {
            Side::Zone(at) if lease => topology.zones[at].gateway_ranges(family),
            Side::Zone(_) => topology.gateways(family),
            Side::Uplinks => Ranges::empty(),
        };
        let mut out = vec![match own.is_empty() {
            true => End::of(MYSELF),
            false => self.operand(family, &own, "gateways"),
        }];
        if lease {
            // A first request goes to everybody (RFC 2131).
            out.push(End::of("255.255.255.255"));
        }
        out
    }

    /// The word of a protocol, and the element of its types.
    fn protocol(&self, permit: &Permit) -> Result<(String, String), RenderError> {
        let pfsense = self.product == Product::PfSense;
        // pfSense has one word for both families.
        let six = if pfsense { "icmp" } else { "ipv6-icmp" };
        Ok(match &permit.service {
            Service::Any => (String::new(), String::new()),
            Service::Protocol(protocol) | Service::Ports { protocol, .. } => match *protocol {
                Protocol::ICMPV6 => (six.into(), String::new()),
                protocol => (protocol.to_string(), String::new()),
            },
            Service::Icmp(kind) if permit.family == Family::V6 && !pfsense => {
                (six.into(), element("icmp6type", &kind.to_string()))
            }
            Service::Icmp(kind) => {
                let Some(name) = words::type_name(permit.family, *kind) else {
                    let text = Text::new("not-modelled-match").arg("what", format!("icmptype {kind}"));
                    return Err(RenderError::CannotExpress(text));
                };
                ("icmp".into(), element("icmptype", name))
            }
        })
    }

    /// One address or prefix as it is; several as an alias.
    fn operand(&mut self, family: Family, ranges: &Ranges, wish: &str) -> End {
        let mut items = addresses_text(family, ranges);
        // The unspecified address alone reads like all addresses.
        for item in items.iter_mut().filter(|i| matches!(i.as_str(), "0.0.0.0" | "::")) {
            item.push_str(if family == Family::V4 { "/32" } else { "/128" });
        }
        End::of(match items.as_slice() {
            [only] if !only.contains('-') => only.clone(),
            _ => self.alias("network", items, wish),
        })
    }

    fn port(&mut self, ports: &Ranges) -> String {
        let text = |separator: char| -> Vec<String> {
            let one = |(lo, hi): &(u128, u128)| {
                if lo == hi { lo.to_string() } else { format!("{lo}{separator}{hi}") }
            };
            ports.as_slice().iter().map(one).collect()
        };
        match text('-').as_slice() {
            [only] => only.clone(),
            _ => self.alias("port", text(':'), "ports"),
        }
    }

    /// The name of an alias with these items: one that there is, or a new one.
    pub fn alias(&mut self, kind: &'static str, items: Vec<String>, wish: &str) -> String {
        if let Some(known) = self.known.alias(kind, &items) {
            return known;
        }
        if let Some(known) = self.aliases.get(&(kind, items.clone())) {
            return known.clone();
        }
        let base: String = format!("tg_{wish}").chars().take(LONGEST_NAME).collect();
        let count = self.used.entry(base.clone()).or_insert(0);
        let name = loop {
            *count += 1;
            let name = if *count == 1 { base.clone() } else { format!("{base}_{count}") };
            if !self.known.taken.contains(&name) {
                break name;
            }
        };
        self.aliases.insert((kind, items), name.clone());
        name
    }
}
