//! The rules of an intent, interface by interface, as elements of `filter`.

use super::render::Writer;
use super::tree::Product;
use super::write::{Area, element, flag, remark, text};
use crate::nftables::slug;
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::RenderError;
use tillgate_intent::Side;
use tillgate_model::{Family, Protocol, Ranges, Text, addresses_text};

/// Aliases have fewer than 32 characters; a number may follow.
const LONGEST_NAME: usize = 24;

/// One rule, before it is written.
#[derive(Default)]
struct Line<'l> {
    pass: bool,
    interface: &'l str,
    /// Of what leaves, for several interfaces.
    outward: bool,
    family: Option<Family>,
    protocol: String,
    /// Types of control messages, as the product writes them.
    types: String,
    source: String,
    destination: String,
    comment: &'l str,
}

impl Writer<'_> {
    /// The rules of each interface, in the order in which they are asked.
    pub fn filter(&mut self) -> Result<String, RenderError> {
        let (local, through) = (permits(self.intent, true), permits(self.intent, false));
        let mut out = Area::new(1);
        out.open("filter");
        self.answers(&mut out);
        for (key, device) in self.keys.clone() {
            self.forged(&key, &device, &mut out);
            self.neighbours(&key, &device, &mut out);
            let here = |p: &&Permit| Permit::interfaces(p.from, self.intent).contains(&device);
            let local: Vec<&Permit> = local.iter().filter(here).collect();
            let (outside, between): (Vec<&Permit>, Vec<&Permit>) =
                through.iter().filter(here).partition(|p| p.to == Some(Side::Uplinks));
            for permit in local.into_iter().chain(between) {
                self.permit(&key, &device, permit, &mut out)?;
            }
            if !outside.is_empty() {
                // No rule knows where a packet leaves: what may go to the internet must not reach anything else.
                let inner = self.inner();
                for (destination, comment) in [
                    ("<network>(self)</network>".to_string(), "to the firewall: denied and logged"),
                    (address(&inner), "between segments: denied and logged"),
                ] {
                    out.raw(&self.rule(Line { interface: &key, destination, comment, ..Line::default() }));
                }
            }
            for permit in outside {
                self.permit(&key, &device, permit, &mut out)?;
            }
            out.raw(&self.rule(Line { interface: &key, comment: "denied and logged", ..Line::default() }));
        }
        out.close("filter");
        Ok(out.text())
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
    fn answers(&mut self, out: &mut Area) {
        let topology = &self.intent.topology;
        let inside: Vec<&str> =
            self.keys.iter().skip(topology.uplinks.len()).map(|(key, _)| key.as_str()).collect();
        if self.product == Product::PfSense || inside.is_empty() {
            return;
        }
        let keys = inside.join(",");
        let own = topology.gateways(Family::V4);
        let source = match own.is_empty() {
            true => any(self.product),
            false => format!("<not>1</not>{}", self.operand(Family::V4, &own, "gateways")),
        };
        out.raw(&self.rule(Line {
            interface: &keys,
            outward: true,
            family: Some(Family::V4),
            protocol: "udp".into(),
            source: source + &element("port", "67"),
            destination: any(self.product) + &element("port", "68"),
            comment: "leases of the uplink are for the firewall: denied and logged",
            ..Line::default()
        }));
    }

    /// Neighbour discovery and multicast listeners (RFC 4861, RFC 3810), which nothing passes by itself here.
    fn neighbours(&mut self, key: &str, device: &str, out: &mut Area) {
        if self.intent.topology.inside(Family::V6).is_empty() {
            return;
        }
        let source = self.arriving(device, Family::V6).unwrap_or_default();
        let near = self.alias("network", vec!["fe80::/10".into(), "ff02::/16".into()], "link_local");
        for destination in [address(&near), "<network>(self)</network>".into()] {
            out.raw(&self.rule(Line {
                pass: true,
                interface: key,
                family: Some(Family::V6),
                protocol: "ipv6-icmp".into(),
                types: element("icmp6type", "130,131,132,133,134,135,136,143"),
                source: source.clone(),
                destination,
                comment: "neighbour discovery",
                ..Line::default()
            }));
        }
    }

    /// The sources that can come in by an interface, if something is known of them.
    fn arriving(&mut self, device: &str, family: Family) -> Option<String> {
        let mut all = sources(self.intent).into_iter();
        let (_, _, own, only, name) =
            all.find(|(on, f, ..)| *f == family && on.iter().any(|d| d == device))?;
        let wish = if only { format!("from_{}", slug(&name)) } else { "inside".to_string() };
        let operand = self.operand(family, &own, &wish);
        Some(if only { operand } else { format!("{}{operand}", flag(self.product, "not")) })
    }

    /// Sources that cannot come in here.
    fn forged(&mut self, key: &str, device: &str, out: &mut Area) {
        let not = flag(self.product, "not");
        for family in Family::BOTH {
            let Some(good) = self.arriving(device, family) else { continue };
            let source = match good.strip_prefix(not.as_str()) {
                Some(bad) => bad.to_string(),
                None => format!("{not}{good}"),
            };
            out.raw(&self.rule(Line {
                interface: key,
                family: Some(family),
                source,
                comment: "forged source: denied and logged",
                ..Line::default()
            }));
        }
    }

    fn permit(
        &mut self,
        key: &str,
        device: &str,
        permit: &Permit,
        out: &mut Area,
    ) -> Result<(), RenderError> {
        let family = permit.family;
        let wish = slug(&permit.requirement);
        let (protocol, types) = self.protocol(permit)?;
        let mut source = match &permit.source {
            Some(source) => self.operand(family, source, &wish),
            // Who has no address yet asks for one.
            None => self.arriving(device, family).unwrap_or_default(),
        };
        let mut destinations = match (&permit.target, permit.to) {
            (Target::Any, None) => self.firewall(permit),
            (Target::Any, Some(Side::Zone(at))) => {
                vec![self.operand(family, &self.intent.topology.zones[at].ranges(family), &wish)]
            }
            (Target::Any, Some(Side::Uplinks)) => vec![any(self.product)],
            (Target::Public, _) => {
                let inside = public(self.intent, family).complement(family.max_address());
                vec![format!("{}{}", flag(self.product, "not"), self.operand(family, &inside, "not_public"))]
            }
            (Target::Ranges(ranges), _) => vec![self.operand(family, ranges, &wish)],
            (Target::Names(names), _) => vec![address(&self.alias("host", names.clone(), &wish))],
        };
        if let Service::Ports { ports, source_port, .. } = &permit.service {
            let port = self.port(ports);
            destinations.iter_mut().for_each(|d| d.push_str(&element("port", &port)));
            if let Some(port) = source_port {
                let side = if source.is_empty() { any(self.product) } else { source };
                source = side + &element("port", &port.to_string());
            }
        }
        for destination in destinations {
            out.raw(&self.rule(Line {
                pass: true,
                interface: key,
                outward: false,
                family: Some(family),
                protocol: protocol.clone(),
                types: types.clone(),
                source: source.clone(),
                destination,
                comment: &permit.comment,
            }));
        }
        Ok(())
    }

    /// Addresses of the firewall for a permission to it.
    fn firewall(&mut self, permit: &Permit) -> Vec<String> {
        let topology = &self.intent.topology;
        let (lease, family) = (permit.source.is_none() && permit.family == Family::V4, permit.family);
        let own = match permit.from {
            Side::Zone(at) if lease => topology.zones[at].gateway_ranges(family),
            Side::Zone(_) => topology.gateways(family),
            Side::Uplinks => Ranges::empty(),
        };
        let mut out = vec![match own.is_empty() {
            true => "<network>(self)</network>".to_string(),
            false => self.operand(family, &own, "gateways"),
        }];
        if lease {
            // A first request goes to everybody (RFC 2131).
            out.push(address("255.255.255.255"));
        }
        out
    }

    /// The word of a protocol, and the element of its types.
    fn protocol(&self, permit: &Permit) -> Result<(String, String), RenderError> {
        Ok(match &permit.service {
            Service::Any => (String::new(), String::new()),
            Service::Protocol(protocol) | Service::Ports { protocol, .. } => match *protocol {
                Protocol::ICMPV6 => ("ipv6-icmp".into(), String::new()),
                protocol => (protocol.to_string(), String::new()),
            },
            Service::Icmp(kind) => match (permit.family, kind) {
                (Family::V4, 8) => ("icmp".into(), element("icmptype", "echoreq")),
                (Family::V6, kind) => ("ipv6-icmp".into(), element("icmp6type", &kind.to_string())),
                (Family::V4, kind) => {
                    let text = Text::new("not-modelled-match").arg("what", format!("icmptype {kind}"));
                    return Err(RenderError::CannotExpress(text));
                }
            },
        })
    }

    /// One address or prefix as it is; several as an alias.
    fn operand(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        let mut items = addresses_text(family, ranges);
        // The unspecified address alone reads like all addresses.
        for item in items.iter_mut().filter(|i| matches!(i.as_str(), "0.0.0.0" | "::")) {
            item.push_str(if family == Family::V4 { "/32" } else { "/128" });
        }
        match items.as_slice() {
            [only] if !only.contains('-') => address(only),
            _ => address(&self.alias("network", items, wish)),
        }
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

    pub fn alias(&mut self, kind: &'static str, items: Vec<String>, wish: &str) -> String {
        if let Some(known) = self.aliases.get(&(kind, items.clone())) {
            return known.clone();
        }
        let base: String = format!("tg_{wish}").chars().take(LONGEST_NAME).collect();
        let count = self.used.entry(base.clone()).or_insert(0);
        *count += 1;
        let name = if *count == 1 { base } else { format!("{base}_{count}") };
        self.aliases.insert((kind, items), name.clone());
        name
    }

    fn rule(&mut self, line: Line<'_>) -> String {
        let opnsense = self.product == Product::OPNsense;
        let mut out = Area::new(2);
        out.open("rule");
        if !opnsense {
            // pfSense tells its rules apart by numbers that look like times.
            self.rules += 1;
            out.line(&element("tracker", &(1_700_000_000 + self.rules).to_string()));
        }
        out.line(&element("type", if line.pass { "pass" } else { "block" }));
        out.line(&element("interface", line.interface));
        let family = match line.family {
            Some(Family::V4) => "inet",
            Some(Family::V6) => "inet6",
            None => "inet46",
        };
        out.line(&element("ipprotocol", family));
        if line.pass {
            out.line(&element("statetype", "keep state"));
        }
        if opnsense {
            if line.outward {
                out.line(&element("floating", "yes"));
            }
            out.line(&element("direction", if line.outward { "out" } else { "in" }));
            out.line(&element("quick", "1"));
        }
        if !line.protocol.is_empty() {
            out.line(&element("protocol", &line.protocol));
        }
        if !line.types.is_empty() {
            out.line(&line.types);
        }
        if !line.pass {
            out.line(&flag(self.product, "log"));
        }
        for (name, side) in [("source", &line.source), ("destination", &line.destination)] {
            let side = if side.is_empty() { any(self.product) } else { side.clone() };
            out.line(&format!("<{name}>{side}</{name}>"));
        }
        out.line(&format!("<descr>{}</descr>", remark(line.comment)));
        out.close("rule");
        out.text()
    }
}

pub fn any(product: Product) -> String {
    flag(product, "any")
}

fn address(text_or_name: &str) -> String {
    format!("<address>{}</address>", text(text_or_name))
}
