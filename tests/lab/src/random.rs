//! Packets worth sending: at every edge of every rule, and at random. Always the same for the same seed.

use std::collections::HashSet;
use tillgate_intent::Topology;
use tillgate_model::{Family, Packet, Protocol, Ranges, State, address_bits, address_from_bits};
use tillgate_packetset::Field;
use tillgate_ruleset::{RuleSet, Term};

/// xorshift64.
pub struct Random(u64);

impl Random {
    /// A generator; the seed is not 0.
    pub fn new(seed: u64) -> Self {
        Random(seed | 1)
    }

    /// One step; the number it leads to.
    pub fn step(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.step() >> 11) as usize % n.max(1)
    }

    /// One of a list.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The values that occur in a rule set, with their neighbours, per field.
struct Edges {
    addresses: [Vec<u128>; 2],
    ports: Vec<u16>,
    protocols: Vec<u8>,
}

fn edges(rules: &RuleSet, topology: &Topology) -> Edges {
    let mut addresses = [Vec::new(), Vec::new()];
    let mut ports = vec![22, 53, 67, 80, 123, 443];
    let mut protocols = vec![1, 6, 6, 6, 17, 17, 50, 58];
    let mut add = |field: Field, ranges: &Ranges| {
        for &(lo, hi) in ranges.as_slice() {
            let values = [lo.saturating_sub(1), lo, hi, hi.saturating_add(1)];
            match field {
                Field::Source | Field::Destination => {
                    addresses[0].extend(values.iter().copied().filter(|v| *v <= u32::MAX as u128));
                    addresses[1].extend(values.iter().copied().filter(|v| *v > u32::MAX as u128));
                }
                Field::SourcePort | Field::DestinationPort => ports.extend(values.iter().map(|v| *v as u16)),
                Field::Protocol if lo == hi => protocols.push(lo as u8),
                _ => {}
            }
        }
    };
    for rule in rules.chains.iter().flat_map(|c| &c.rules) {
        for (field, ranges) in rule.when.cube.constraints() {
            add(*field, ranges);
        }
        for term in &rule.when.terms {
            if let Term::Any { parts, .. } = term {
                for part in parts {
                    part.cube.constraints().iter().for_each(|(f, r)| add(*f, r));
                }
            }
        }
    }
    for (index, family) in Family::BOTH.into_iter().enumerate() {
        for zone in &topology.zones {
            addresses[index].extend(zone.gateway_ranges(family).first());
            for &(lo, hi) in zone.ranges(family).as_slice() {
                addresses[index].extend([lo + 2, lo + 11, lo + 12, lo + 20, lo + 40, hi - 1]);
            }
        }
        let public: &[&str] = match family {
            Family::V4 => &["192.0.2.123", "198.51.100.7", "203.0.113.5", "8.8.8.8"],
            Family::V6 => &["2001:db8:ffff::5", "2606:4700::1111", "2a00::1"],
        };
        addresses[index].extend(public.iter().filter_map(|a| a.parse().ok().map(address_bits)));
        addresses[index].retain(|a| is_routable(family, *a, topology));
        addresses[index].sort_unstable();
        addresses[index].dedup();
    }
    ports.sort_unstable();
    ports.dedup();
    ports.retain(|p| *p > 0);
    Edges { addresses, ports, protocols }
}

/// Addresses the kernel drops or delivers by itself are no question for a filter.
fn is_routable(family: Family, address: u128, topology: &Topology) -> bool {
    let broadcast = topology
        .zones
        .iter()
        .any(|z| z.broadcast() == Some(address) || z.ranges(family).first() == Some(address));
    match family {
        Family::V4 => {
            let first = address >> 24;
            first != 0
                && first != 127
                && first < 224
                && !broadcast
                && address >> 8 != 0x0064_4000
                && address >> 16 != 0x6440
        }
        Family::V6 => {
            address >> 125 == 1 && !topology.zones.iter().any(|z| z.ranges(family).first() == Some(address))
        }
    }
}

/// Where a packet to an address leaves; `None` for the firewall itself.
fn output(topology: &Topology, family: Family, destination: u128, uplink: &str) -> Option<String> {
    if topology.gateways(family).contains(destination) {
        return None;
    }
    match topology.zone_of(family, destination) {
        Some(at) => Some(topology.zones[at].interface.clone()),
        None => Some(uplink.to_string()),
    }
}

/// The state connection tracking gives to a first packet (nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c).
fn first_state(protocol: Protocol, kind: u16) -> State {
    match protocol {
        Protocol::ICMP if !matches!(kind, 8 | 13 | 15 | 17) => State::Invalid,
        Protocol::ICMPV6 if matches!(kind, 130..=137 | 143) => State::Untracked,
        Protocol::ICMPV6 if kind != 128 && kind != 139 => State::Invalid,
        _ => State::New,
    }
}

fn complete(mut packet: Packet, topology: &Topology, uplink: &str) -> Option<Packet> {
    let family = packet.family();
    packet.output = output(topology, family, address_bits(packet.destination), uplink);
    let own = topology.gateways(family).contains(address_bits(packet.source));
    let hairpin = packet.output.is_some() && packet.output == packet.input;
    if packet.protocol.is_icmp() {
        // A filter sees the family's own control messages only.
        packet.protocol = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
        let known: &[u16] = if family == Family::V4 { &[8, 0, 13] } else { &[128, 129] };
        if !known.contains(&packet.source_port) {
            packet.source_port = known[0];
        }
        packet.destination_port = 0;
    } else if !packet.protocol.has_ports() {
        packet.source_port = 0;
        packet.destination_port = 0;
    }
    packet.state = first_state(packet.protocol, packet.source_port);
    packet.tcp_flags = if packet.protocol == Protocol::TCP { 0x02 } else { 0 };
    (!own && !hairpin).then_some(packet)
}

/// Interfaces packets may come in by.
fn inputs(topology: &Topology) -> Vec<String> {
    topology.zones.iter().map(|z| z.interface.clone()).chain(topology.uplinks.iter().cloned()).collect()
}

fn distinct(packets: Vec<Packet>) -> Vec<Packet> {
    // Connection tracking must see each as the first of its kind, whichever way round.
    let mut seen = HashSet::new();
    packets
        .into_iter()
        .filter(|p| {
            let (a, b) = ((p.source, p.source_port), (p.destination, p.destination_port));
            // Without ports only one sender fits behind an uplink's address per destination.
            let key = match (p.protocol.has_ports(), p.protocol.is_icmp()) {
                (true, _) => (p.protocol, a.min(b), a.max(b)),
                (_, true) => (p.protocol, (p.source, 0), (p.destination, 0)),
                _ => (p.protocol, (p.destination, 0), (p.destination, 0)),
            };
            seen.insert(key)
        })
        .collect()
}

/// Random packets around the values of a rule set.
pub fn packets(
    rules: &RuleSet,
    topology: &Topology,
    uplink: &str,
    family: Family,
    count: usize,
    random: &mut Random,
) -> Vec<Packet> {
    let edges = edges(rules, topology);
    let (addresses, inputs) = (&edges.addresses[family as usize], inputs(topology));
    let mut out = Vec::new();
    for _ in 0..count {
        let input = random.pick(&inputs).clone();
        let zone = topology.zones.iter().find(|z| z.interface == input);
        let own = zone.map(|z| z.ranges(family)).filter(|r| !r.is_empty());
        // Mostly a source that belongs there, sometimes any.
        let source = match own {
            Some(own) if random.below(5) > 0 => {
                let (lo, hi) = own.as_slice()[0];
                let listed: Vec<u128> = addresses.iter().copied().filter(|a| own.contains(*a)).collect();
                if random.below(3) > 0 && !listed.is_empty() {
                    *random.pick(&listed)
                } else {
                    lo + 2 + (random.step() as u128) % (hi - lo - 2).min(1 << 40)
                }
            }
            _ => *random.pick(addresses),
        };
        let destination = if random.below(4) > 0 {
            *random.pick(addresses)
        } else {
            *random.pick(addresses) ^ (random.step() as u128 & 0xff)
        };
        if !is_routable(family, source, topology) || !is_routable(family, destination, topology) {
            continue;
        }
        let port = |random: &mut Random| {
            if random.below(3) > 0 { *random.pick(&edges.ports) } else { random.step() as u16 | 1 }
        };
        let protocol = Protocol(*random.pick(&edges.protocols));
        let packet = Packet {
            input: Some(input),
            output: None,
            state: State::New,
            protocol,
            source: address_from_bits(family, source),
            destination: address_from_bits(family, destination),
            source_port: if random.below(8) == 0 {
                port(random)
            } else {
                1024 + (random.step() % 64000) as u16
            },
            destination_port: port(random),
            tcp_flags: 0,
        };
        out.extend(complete(packet, topology, uplink));
    }
    distinct(out)
}

/// Packets at the edges of every rule: inside it, and one step outside in each field.
pub fn probes(rules: &RuleSet, topology: &Topology, uplink: &str, random: &mut Random) -> Vec<Packet> {
    let inputs = inputs(topology);
    let mut out = Vec::new();
    for rule in rules.chains.iter().flat_map(|c| &c.rules) {
        for family in Family::BOTH {
            let full = |field: Field| {
                Ranges::full(if matches!(field, Field::Source | Field::Destination) {
                    family.max_address()
                } else {
                    field.maximum()
                })
            };
            let ranges = |field: Field| rule.when.cube.ranges(field).cloned().unwrap_or_else(|| full(field));
            if !ranges(Field::Family).contains(family as u128) {
                continue;
            }
            let edges = edges(&RuleSet::default(), topology);
            let inside = |field: Field, list: &[u128], random: &mut Random| {
                let fits: Vec<u128> = list.iter().copied().filter(|v| ranges(field).contains(*v)).collect();
                if fits.is_empty() { ranges(field).first().unwrap_or(0) } else { *random.pick(&fits) }
            };
            let addresses = &edges.addresses[family as usize];
            for (input, belongs) in inputs.iter().flat_map(|i| [(i, true), (i, false)]) {
                let zone = topology.zones.iter().find(|z| z.interface == *input);
                let there = zone
                    .map_or(topology.inside(family).complement(family.max_address()), |z| z.ranges(family));
                let sources: Vec<u128> =
                    addresses.iter().copied().filter(|a| !belongs || there.contains(*a)).collect();
                let base = [
                    (Field::Source, inside(Field::Source, &sources, random)),
                    (Field::Destination, inside(Field::Destination, addresses, random)),
                    (Field::Protocol, inside(Field::Protocol, &[6, 17], random)),
                    (Field::SourcePort, {
                        let client = 1024 + random.below(60000) as u128;
                        inside(Field::SourcePort, &[client], random)
                    }),
                    (Field::DestinationPort, inside(Field::DestinationPort, &[443, 53], random)),
                ];
                let mut variants = vec![base];
                if belongs {
                    // Towards hosts of every segment: where nobody meant a rule to lead.
                    let inside = topology.inside(family);
                    let hosts = addresses
                        .iter()
                        .filter(|a| inside.contains(**a) && ranges(Field::Destination).contains(**a));
                    variants.extend(hosts.map(|host| {
                        let mut variant = base;
                        variant[1].1 = *host;
                        variant
                    }));
                }
                // Towards the firewall itself, by the address it has there or anywhere.
                let own = topology.gateways(family);
                let fits: Vec<u128> = own
                    .as_slice()
                    .iter()
                    .map(|r| r.0)
                    .filter(|a| ranges(Field::Destination).contains(*a))
                    .collect();
                if !fits.is_empty() {
                    let mut local = base;
                    local[1].1 = *random.pick(&fits);
                    variants.push(local);
                    let edges = ranges(Field::DestinationPort)
                        .as_slice()
                        .iter()
                        .take(4)
                        .flat_map(|(a, b)| [a.saturating_sub(1), *a, *b, *b + 1])
                        .collect::<Vec<_>>();
                    for port in
                        edges.into_iter().chain([1, 22, 68, 8080, 50000]).filter(|p| (1..65536).contains(p))
                    {
                        local[4].1 = port;
                        variants.push(local);
                    }
                }
                for (at, (field, _)) in base.iter().enumerate() {
                    for &(lo, hi) in ranges(*field).as_slice().iter().take(4) {
                        for value in [lo.saturating_sub(1), lo, hi, hi.saturating_add(1)] {
                            let mut variant = base;
                            variant[at].1 = value.min(full(*field).as_slice()[0].1);
                            variants.push(variant);
                        }
                    }
                }
                for [source, destination, protocol, source_port, destination_port] in variants {
                    if !is_routable(family, source.1, topology)
                        || !is_routable(family, destination.1, topology)
                    {
                        continue;
                    }
                    if ![1, 6, 17, 50, 58].contains(&protocol.1) {
                        continue;
                    }
                    let packet = Packet {
                        input: Some(input.clone()),
                        output: None,
                        state: State::New,
                        protocol: Protocol(protocol.1 as u8),
                        source: address_from_bits(family, source.1),
                        destination: address_from_bits(family, destination.1),
                        source_port: source_port.1 as u16,
                        destination_port: destination_port.1 as u16,
                        tcp_flags: 0,
                    };
                    out.extend(complete(packet, topology, uplink));
                }
            }
        }
    }
    distinct(out)
}
