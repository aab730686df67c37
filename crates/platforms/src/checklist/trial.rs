//! A test for each rule: a command anybody can type, and the packet it sends, checked against the rows themselves.

use super::{Action, Checklist, End, Place, Row, Zone};
use ipnet::IpNet;
use std::net::IpAddr;
use tillgate_intent::Intent;
use tillgate_model::{
    Decision, Family, Packet, Protocol, State, Text, address_bits, address_from_bits, parse_port_range,
    parse_prefix,
};
use tillgate_ruleset::{RuleSet, trace};

/// A public address that answers nobody (RFC 5737, RFC 3849); it stands for the internet in packets.
const ELSEWHERE: [&str; 2] = ["203.0.113.5", "2001:db8:ffff:ffff::5"];

/// Fills in the tests of the rules.
pub(super) fn add(intent: &Intent, rules: &RuleSet, list: &mut Checklist) {
    let trials = Trials { intent, rules };
    for row in &mut list.rows {
        if row.place == Place::Spoofing || !matches!(row.action, Action::Allow | Action::Block) {
            continue;
        }
        let (words, packet) =
            if row.action == Action::Allow { trials.allowed(row) } else { trials.denied(row) };
        row.test.words = words;
        row.test.packet = packet;
    }
}

struct Trials<'a> {
    intent: &'a Intent,
    rules: &'a RuleSet,
}

type Trial = (Text, Option<(Packet, bool)>);

impl Trials<'_> {
    fn passes(&self, packet: &Packet) -> bool {
        trace(self.rules, Some(&self.intent.topology), packet, None).decision == Decision::Permit
    }

    fn allowed(&self, row: &Row) -> Trial {
        let in_use = Text::new("checklist-test-use");
        let family = row.family.unwrap_or(Family::V4);
        let (Some(source), Some(destination)) = (&row.source, &row.destination) else {
            return (in_use, None);
        };
        let protocol = row.protocol.as_deref().and_then(Protocol::parse).unwrap_or(Protocol::TCP);
        let port =
            row.ports.as_deref().and_then(|p| parse_port_range(p.split(',').next()?)).map(|(lo, _)| lo);
        if row.source_port == Some(68) {
            let packet = self.packet(
                Protocol::UDP,
                (IpAddr::from([0, 0, 0, 0]), 68),
                (IpAddr::from([255, 255, 255, 255]), 67),
                source,
                destination,
            );
            return (
                Text::new("checklist-test-dhcp").text("from", self.place(source)),
                self.sure(packet, true),
            );
        }
        let Some(from) = self.first(source, source, family) else { return (in_use, None) };
        let to = if destination.names { None } else { self.first(destination, source, family) };
        let port = port.unwrap_or(if protocol.has_ports() { 443 } else { 0 });
        let packet = to.and_then(|to| {
            let source_port = if protocol.is_icmp() { port } else { 40000 };
            let to_port = if protocol.is_icmp() { 0 } else { port };
            self.packet(protocol, (from, source_port), (to, to_port), source, destination)
        });
        let host = match &destination.zone {
            Zone::Internet(_) if destination.names => {
                destination.data.iter().find(|n| !n.starts_with("*.")).cloned()
            }
            Zone::Internet(_) if destination.data.is_empty() => self.known(row, protocol, port),
            _ => to.map(|a| a.to_string()),
        };
        let packet = packet.and_then(|p| self.sure(Some(p), true));
        if outside(source, destination) {
            let words = Text::new("checklist-test-allow-outside").arg("protocol", protocol).arg("port", port);
            return (words, packet);
        }
        match host.and_then(|host| command(protocol, &host, port, family)) {
            Some(command) => {
                let words = Text::new("checklist-test-allow");
                (words.text("from", self.host(source, from)).arg("command", command), packet)
            }
            None => (in_use, packet),
        }
    }

    /// A name of the requirement's own, or a host that is known to answer.
    fn known(&self, row: &Row, protocol: Protocol, port: u16) -> Option<String> {
        let requirement = row.why.args.iter().find(|(name, _)| *name == "requirement");
        let requirement = requirement.and_then(|(_, arg)| match arg {
            tillgate_model::Arg::Str(text) => Some(text.as_str()),
            _ => None,
        });
        let flows = self.intent.flows.iter().filter(|f| Some(f.requirement.as_str()) == requirement);
        let name = flows.flat_map(|f| &f.names).find(|n| !n.starts_with("*.")).cloned();
        let usual = match (protocol, port) {
            (Protocol::TCP, 80 | 443) => Some("example.com".to_string()),
            (Protocol::UDP, 123) => Some("pool.ntp.org".to_string()),
            _ => None,
        };
        name.or(usual)
    }

    /// A packet that this row denies: one of a few that nobody should be able to send.
    fn denied(&self, row: &Row) -> Trial {
        let (Some(source), Some(destination)) = (&row.source, &row.destination) else {
            return (Text::new("checklist-test-log"), None);
        };
        for family in row.family.map_or(Family::BOTH.to_vec(), |f| vec![f]) {
            // Hosts at the end of a segment are no declared devices, as a rule.
            let (Some(from), Some(to)) =
                (self.last(source, family), self.target(destination, source, family))
            else {
                continue;
            };
            for port in [23, 3389, 8443, 5900] {
                let packet = self.packet(Protocol::TCP, (from, 40000), (to, port), source, destination);
                let Some(packet) = packet.filter(|p| !self.passes(p)) else { continue };
                if outside(source, destination) {
                    return (Text::new("checklist-test-forwarding"), Some((packet, false)));
                }
                let words = match command(Protocol::TCP, &to.to_string(), port, family) {
                    Some(command) => Text::new("checklist-test-block").arg("command", command),
                    None => Text::new("checklist-test-log"),
                };
                return (words.text("from", self.host(source, from)), Some((packet, false)));
            }
        }
        (Text::new("checklist-test-log"), None)
    }

    fn sure(&self, packet: Option<Packet>, passes: bool) -> Option<(Packet, bool)> {
        packet.filter(|p| self.passes(p) == passes).map(|p| (p, passes))
    }

    fn packet(
        &self,
        protocol: Protocol,
        (source, source_port): (IpAddr, u16),
        (destination, destination_port): (IpAddr, u16),
        from: &End,
        to: &End,
    ) -> Option<Packet> {
        if source.is_ipv4() != destination.is_ipv4() {
            return None;
        }
        Some(Packet {
            input: Some(self.interface(from, source)?),
            output: if to.zone == Zone::Device { None } else { Some(self.interface(to, destination)?) },
            state: State::New,
            protocol,
            source,
            destination,
            source_port,
            destination_port,
            tcp_flags: Packet::usual_flags(protocol, State::New),
        })
    }

    fn interface(&self, end: &End, address: IpAddr) -> Option<String> {
        match &end.zone {
            Zone::Internet(uplinks) => uplinks.first().cloned(),
            Zone::Segments(list) => {
                let at = self.intent.topology.zone_of(Family::of(address), address_bits(address));
                let home = at.map(|at| &self.intent.topology.zones[at].interface);
                let interface =
                    list.iter().map(|(_, i)| i).find(|i| Some(*i) == home).or(Some(&list.first()?.1));
                interface.cloned()
            }
            Zone::Device => None,
        }
    }

    /// The first address an end speaks of.
    fn first(&self, end: &End, near: &End, family: Family) -> Option<IpAddr> {
        if let Some(text) = end.data.first().filter(|_| !end.names && !end.except) {
            let text = text.split_once('-').map_or(text.as_str(), |(lo, _)| lo);
            let net = parse_prefix(text)?;
            let single = net.prefix_len() == net.max_prefix_len();
            let bits = address_bits(net.network());
            // The first host of a prefix; its network address is nobody's.
            let host = (bits + 2).min(address_bits(net.broadcast()));
            return Some(if single { net.addr() } else { address_from_bits(family, host) });
        }
        match &end.zone {
            Zone::Internet(_) => ELSEWHERE[family as usize].parse().ok(),
            Zone::Device => self.gateway(near, family),
            Zone::Segments(_) => self.last(end, family),
        }
    }

    /// An address that a packet to a place may have.
    fn target(&self, end: &End, near: &End, family: Family) -> Option<IpAddr> {
        match &end.zone {
            Zone::Internet(_) if !end.data.is_empty() => {
                // Somewhere private that is none of the site's own networks.
                let candidates = ["172.31.255.1", "192.168.255.1", "10.255.255.1", "fd00:ffff::1"];
                let parsed = candidates.iter().filter_map(|c| c.parse::<IpAddr>().ok());
                let free = |a: &IpAddr| {
                    Family::of(*a) == family
                        && self.intent.topology.zone_of(family, address_bits(*a)).is_none()
                };
                parsed.into_iter().find(free)
            }
            _ => self.first(end, near, family),
        }
    }

    /// The last host of a segment.
    fn last(&self, end: &End, family: Family) -> Option<IpAddr> {
        match &end.zone {
            Zone::Internet(_) => ELSEWHERE[family as usize].parse().ok(),
            Zone::Device => None,
            Zone::Segments(list) => list.iter().find_map(|(name, _)| {
                let zone = self.intent.topology.zones.iter().find(|z| z.name == *name)?;
                let (_, hi) = zone.ranges(family).as_slice().first().copied()?;
                Some(address_from_bits(family, hi.saturating_sub(1)))
            }),
        }
    }

    /// The device's own address where a packet comes in, or any.
    fn gateway(&self, near: &End, family: Family) -> Option<IpAddr> {
        let zones = &self.intent.topology.zones;
        let here = |name: &String| match &near.zone {
            Zone::Segments(list) => list.iter().any(|(n, _)| n == name),
            Zone::Internet(_) | Zone::Device => false,
        };
        let own = zones.iter().filter(|z| here(&z.name)).chain(zones).flat_map(|z| &z.gateways);
        own.copied().find(|g| Family::of(*g) == family)
    }

    /// Who tries it: the device of an address, or a host in its segment.
    fn host(&self, end: &End, address: IpAddr) -> Text {
        let (family, bits) = (Family::of(address), address_bits(address));
        let device = self.intent.devices.iter().find(|(_, _, f, r)| *f == family && r.contains(bits));
        match device {
            Some((name, ..)) => {
                Text::new("checklist-from-device").arg("device", name).arg("address", address)
            }
            // A lone address that no device of the estate has, such as a manager's.
            None if end.data.iter().any(|d| parse_prefix(d).is_some_and(|n| n == IpNet::from(address))) => {
                Text::new("checklist-from-address").arg("address", address)
            }
            None => self.place(end),
        }
    }

    fn place(&self, end: &End) -> Text {
        match &end.zone {
            Zone::Segments(list) => {
                let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
                Text::new("checklist-from-segment").arg("segment", names.join(", "))
            }
            Zone::Internet(_) => Text::new("checklist-from-outside"),
            Zone::Device => Text::new("checklist-device"),
        }
    }
}

/// Whether it is tried from the internet, where the shop has one address and the inside none.
fn outside(source: &End, destination: &End) -> bool {
    matches!(source.zone, Zone::Internet(_)) && !matches!(destination.zone, Zone::Internet(_))
}

/// A command that Windows, macOS or Linux have, or that is quickly had.
fn command(protocol: Protocol, host: &str, port: u16, family: Family) -> Option<String> {
    let six = if family == Family::V6 { "-6 " } else { "" };
    Some(match (protocol, port) {
        (Protocol::ICMP | Protocol::ICMPV6, _) => format!("ping {six}{host}"),
        (Protocol::TCP, _) => format!("nc -vz -w 5 {six}{host} {port}"),
        (Protocol::UDP, 53) => format!("nslookup example.com {host}"),
        (Protocol::UDP, 123) => format!("sntp {six}{host}"),
        _ => return None,
    })
}
