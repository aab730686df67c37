//! A packet out of a box: the one a person would have thought of.

use crate::universe::{NO_INTERFACE, Universe};
use tillgate_model::{
    Box_, Family, Packet, Protocol, Ranges, State, address_bits, address_from_bits, addresses_text,
    format_ports,
};
use tillgate_packetset::{Cube, Field};

/// A packet of a box, and the name of its destination if it is reached by one (`""`: by none). Addresses are
/// taken from `known` where the box holds any of them.
pub(crate) fn packet(cube: &Cube, universe: &Universe, known: &[(Family, u128)]) -> (Packet, String) {
    let full = |field: Field| Ranges::full(field.maximum());
    let ranges = |field: Field| cube.ranges(field).cloned().unwrap_or_else(|| full(field));
    let pick = |field: Field, wishes: &[u128]| {
        let ranges = ranges(field);
        wishes.iter().copied().find(|w| ranges.contains(*w)).or(ranges.first()).unwrap_or(0)
    };
    let family = if pick(Field::Family, &[0]) == 0 { Family::V4 } else { Family::V6 };
    let protocol = Protocol(pick(Field::Protocol, &[6, 17, 1, 58]) as u8);
    let state = State::ALL[pick(Field::State, &[0]) as usize];
    // Documentation addresses (RFC 5737, RFC 3849): for the internet's side nobody's real host is named.
    let public = |field: Field| match (family, field) {
        (Family::V4, Field::Source) => ["198.51.100.7", "192.0.2.1", "203.0.113.5"],
        (Family::V4, _) => ["203.0.113.5", "198.51.100.7", "192.0.2.1"],
        (Family::V6, Field::Source) => ["2001:db8:fffe::7", "2001:db8:fffd::1", "2001:db8:ffff::5"],
        (Family::V6, _) => ["2001:db8:ffff::5", "2001:db8:fffe::7", "2001:db8:fffd::1"],
    };
    let address = |field: Field| {
        let within = ranges(field).intersect(&Ranges::full(family.max_address()));
        let device = known.iter().find(|(f, a)| *f == family && within.contains(*a)).map(|(_, a)| *a);
        let public = public(field)
            .iter()
            .filter_map(|a| a.parse().ok().map(address_bits))
            .find(|a| within.contains(*a));
        // Otherwise a host in the middle of the widest range: its first address may name the network.
        let wide = within.as_slice().iter().max_by_key(|(lo, hi)| hi - lo);
        let host = wide.map(|(lo, hi)| lo + ((hi - lo) / 2).min(98));
        // To the firewall itself its own address is the plain choice, elsewhere one that could be anybody's.
        let wish = if cube.ranges(Field::Output).is_none() { device.or(public) } else { public.or(device) };
        address_from_bits(family, wish.or(host).unwrap_or(0))
    };
    let (ports, icmp) = (protocol.has_ports(), protocol.is_icmp());
    let number = |field: Field, wishes: &[u128]| if ports || icmp { pick(field, wishes) as u16 } else { 0 };
    let interface = |field: Field| {
        let ranges = ranges(field);
        universe
            .interfaces()
            .find(|(n, _)| ranges.contains(*n))
            .map(|(_, name)| name.trim_end_matches('*').to_string())
            // One that nobody names stands for all of those.
            .or_else(|| {
                (cube.ranges(field).is_some() && ranges.contains(universe.other())).then(|| "other".into())
            })
    };
    let usual = Packet::usual_flags(protocol, state) as u128;
    let packet = Packet {
        input: interface(Field::Input),
        // A question that names no way out is about the firewall itself.
        output: cube.ranges(Field::Output).and_then(|_| interface(Field::Output)),
        state,
        protocol,
        source: address(Field::Source),
        destination: address(Field::Destination),
        source_port: number(Field::SourcePort, if icmp { &[8, 128] } else { &[40000] }),
        destination_port: number(Field::DestinationPort, if icmp { &[0] } else { &[443, 22, 80, 53] }),
        tcp_flags: if protocol == Protocol::TCP { pick(Field::TcpFlags, &[usual]) as u8 } else { 0 },
    };
    let name = universe.name_text(pick(Field::Name, &[0])).unwrap_or_default().to_string();
    (packet, name)
}

/// A box for people: only the fields that are constrained, in reading order.
pub(crate) fn display(cube: &Cube, universe: &Universe) -> Box_ {
    let family = match cube.ranges(Field::Family).and_then(Ranges::only) {
        Some(1) => Family::V6,
        _ => Family::V4,
    };
    let protocol = cube.ranges(Field::Protocol).and_then(Ranges::only);
    let icmp = protocol.is_some_and(|p| Protocol(p as u8).is_icmp());
    let addressed = [Field::Source, Field::Destination].iter().any(|f| cube.ranges(*f).is_some());
    let mut fields = Vec::new();
    for field in Field::ALL {
        let Some(ranges) = cube.ranges(field) else { continue };
        // Addresses say their family themselves.
        if field == Field::Family && !addressed {
            fields.push(("family", vec![family.to_string()]));
        }
        let numbers = || {
            ranges
                .as_slice()
                .iter()
                .map(|(lo, hi)| if lo == hi { lo.to_string() } else { format!("{lo}-{hi}") })
                .collect::<Vec<_>>()
        };
        let entry = match field {
            Field::Input | Field::Output => {
                if universe.all_interfaces().is_subset(ranges) || ranges.only() == Some(NO_INTERFACE) {
                    continue;
                }
                let named = universe.interfaces().filter(|(n, _)| ranges.contains(*n));
                // `*` stands for every interface that nobody names.
                let rest = ranges.contains(universe.other()).then(|| "*".to_string());
                let list = named.map(|(_, n)| n.to_string()).chain(rest).collect();
                (if field == Field::Input { "in" } else { "out" }, list)
            }
            Field::State => (
                "state",
                State::ALL
                    .iter()
                    .filter(|s| ranges.contains(**s as u128))
                    .map(|s| s.name().to_string())
                    .collect(),
            ),
            Field::Protocol => (
                "protocol",
                ranges
                    .as_slice()
                    .iter()
                    .map(
                        |(lo, hi)| {
                            if lo == hi { Protocol(*lo as u8).to_string() } else { format!("{lo}-{hi}") }
                        },
                    )
                    .collect(),
            ),
            Field::Source | Field::Destination => {
                let within = ranges.intersect(&Ranges::full(family.max_address()));
                if within.as_slice() == [(0, family.max_address())] {
                    continue;
                }
                (
                    if field == Field::Source { "source" } else { "destination" },
                    addresses_text(family, &within),
                )
            }
            Field::SourcePort => (if icmp { "type" } else { "source_port" }, vec![format_ports(ranges)]),
            Field::DestinationPort => {
                let list = format_ports(ranges).split(',').map(str::to_string).collect();
                (if icmp { "code" } else { "destination_port" }, list)
            }
            Field::TcpFlags => ("tcp_flags", numbers()),
            Field::Name => {
                if universe.all_names().is_subset(ranges) {
                    continue;
                }
                let named = (1..).map_while(|n| universe.name_text(n).map(|name| (n, name)));
                let list: Vec<String> =
                    named.filter(|(n, _)| ranges.contains(*n)).map(|(_, name)| name.to_string()).collect();
                if list.is_empty() {
                    continue;
                }
                ("name", list)
            }
            Field::Family | Field::Translated => continue,
        };
        fields.push(entry);
    }
    Box_ { fields }
}
