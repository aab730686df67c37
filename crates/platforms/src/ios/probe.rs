//! What stands in the way of a permission, found by a packet of it.

use super::sheet::Sheet;
use crate::permits::{Permit, Service, Target};
use tillgate_intent::{Intent, Side};
use tillgate_model::{
    Decision, Family, Packet, Protocol, Ranges, Span, State, address_from_bits, prefix_range,
    range_to_prefixes,
};
use tillgate_ruleset::{Kind, trace};

/// A permission as those that one entry says.
pub fn split(permit: &Permit) -> Vec<Permit> {
    let blocks = |ranges: &Ranges| -> Vec<Ranges> {
        let spans = ranges.as_slice().iter();
        let nets = spans.flat_map(|(lo, hi)| range_to_prefixes(permit.family, *lo, *hi));
        nets.map(|net| prefix_range(&net)).map(|(lo, hi)| Ranges::span(lo, hi)).collect()
    };
    let sources = permit.source.as_ref().map_or(vec![None], |r| blocks(r).into_iter().map(Some).collect());
    let targets = match &permit.target {
        Target::Ranges(ranges) => blocks(ranges).into_iter().map(Target::Ranges).collect(),
        other => vec![other.clone()],
    };
    let services = match &permit.service {
        Service::Ports { protocol, ports, source_port } => {
            let each = ports.as_slice().iter().map(|(lo, hi)| Ranges::span(*lo, *hi));
            let of = |ports| Service::Ports { protocol: *protocol, ports, source_port: *source_port };
            each.map(of).collect()
        }
        other => vec![other.clone()],
    };
    let mut out = Vec::new();
    for service in &services {
        for source in &sources {
            for target in &targets {
                let (source, target, service) = (source.clone(), target.clone(), service.clone());
                out.push(Permit { source, target, service, ..permit.clone() });
            }
        }
    }
    out
}

/// What holds a packet of each permission, at any hook.
pub fn in_the_way<'p>(sheet: &Sheet<'_>, all: &[&'p Permit], back: bool) -> Vec<(Span, Vec<&'p Permit>)> {
    let intent = sheet.desk.intent;
    let mut rules = sheet.desk.rules.clone();
    let mut bases = std::mem::take(&mut rules.bases);
    bases.retain(|base| base.kind == Kind::Filter);
    let mut out: Vec<(Span, Vec<&Permit>)> = Vec::new();
    for base in bases {
        rules.bases = vec![base];
        for permit in all {
            let Some(mut packet) = packet(intent, permit) else { continue };
            if back {
                if packet.output.is_none() {
                    continue;
                }
                packet = answer(packet);
            }
            let found = trace(&rules, Some(&intent.topology), &packet, None);
            let Some(span) = found.decided_by.filter(|_| found.decision == Decision::Deny) else { continue };
            match out.iter_mut().find(|(own, _)| own.start == span.start && own.file.name == span.file.name) {
                Some((_, list)) if list.iter().any(|known| std::ptr::eq(*known, *permit)) => {}
                Some((_, list)) => list.push(permit),
                None => out.push((span, vec![permit])),
            }
        }
    }
    out
}

/// A packet of a permission.
fn packet(intent: &Intent, permit: &Permit) -> Option<Packet> {
    let family = permit.family;
    let outside = if family == Family::V4 { "203.0.113.5" } else { "2001:db8:ffff::5" };
    let zone = match permit.from {
        Side::Zone(at) => intent.topology.zones.get(at),
        Side::Uplinks => None,
    };
    let first = |ranges: Option<&Ranges>| {
        let bits = ranges.and_then(Ranges::first);
        bits.map(|bits| address_from_bits(family, bits))
    };
    let own = zone.map(|zone| zone.ranges(family).subtract(&zone.gateway_ranges(family)));
    let source = first(permit.source.as_ref().or(own.as_ref())).or(outside.parse().ok())?;
    let destination = match (&permit.target, permit.to) {
        (Target::Ranges(ranges), _) => first(Some(ranges))?,
        (_, None) => zone.map(|z| z.gateway_ranges(family)).as_ref().and_then(|r| first(Some(r)))?,
        _ => outside.parse().ok()?,
    };
    let (protocol, source_port, destination_port) = match &permit.service {
        Service::Any => (Protocol::TCP, 40000, 443),
        Service::Protocol(protocol) => (*protocol, 40000, 40001),
        Service::Icmp(kind) if family == Family::V4 => (Protocol::ICMP, u16::from(*kind), 0),
        Service::Icmp(kind) => (Protocol::ICMPV6, u16::from(*kind), 0),
        Service::Ports { protocol, ports, source_port } => {
            (*protocol, source_port.unwrap_or(40000), ports.first().and_then(|p| u16::try_from(p).ok())?)
        }
    };
    let interface = |side: Side| Permit::interfaces(side, intent).into_iter().next();
    Some(Packet {
        input: interface(permit.from),
        output: permit.to.and_then(interface),
        state: State::New,
        protocol,
        source,
        destination,
        source_port,
        destination_port,
        tcp_flags: Packet::usual_flags(protocol, State::New),
    })
}

/// What answers a packet.
fn answer(packet: Packet) -> Packet {
    let (source_port, destination_port) = match packet.protocol {
        Protocol::ICMP => (0, 0),
        Protocol::ICMPV6 => (129, 0),
        _ => (packet.destination_port, packet.source_port),
    };
    Packet {
        input: packet.output,
        output: packet.input,
        state: State::Established,
        source: packet.destination,
        destination: packet.source,
        source_port,
        destination_port,
        tcp_flags: Packet::usual_flags(packet.protocol, State::Established),
        ..packet
    }
}
