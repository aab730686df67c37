//! Exceptions as flows: allowed, never needed, and gone on the day after their last.

use crate::derive::{Builder, client_ports, ranges};
use crate::flow::{Flow, Path, Reason, Side};
use tillgate_estate::Peer;
use tillgate_model::{Family, Ranges, prefix_range, public_ranges};

/// Adds the exceptions that are still valid.
pub fn add(builder: &mut Builder<'_>) {
    let mut flows = Vec::new();
    for (number, exception) in builder.site.exceptions.iter().enumerate() {
        if exception.expires < builder.today {
            continue;
        }
        for family in Family::BOTH {
            for (from, source) in ends(builder, &exception.source, family) {
                for (to, destination) in ends(builder, &exception.destination, family) {
                    let gateways = builder.topology.gateways(family);
                    let path = match (from, to) {
                        _ if destination.is_subset(&gateways) => Path::Local { from },
                        (Side::Zone(a), Side::Zone(b)) if a == b => Path::Inside { zone: a },
                        (Side::Uplinks, Side::Uplinks) => continue,
                        (from, to) => Path::Forward { from, to },
                    };
                    let side = |side: Side| match side {
                        Side::Zone(at) => builder.topology.zones[at].name.clone(),
                        Side::Uplinks => "internet".to_string(),
                    };
                    let v6 = if family == Family::V6 { "/ipv6" } else { "" };
                    flows.push(Flow {
                        id: format!("exception/{}/{}-{}{v6}", number + 1, side(from), side(to)),
                        requirement: "exception".into(),
                        device: None,
                        path,
                        family,
                        protocol: exception.protocol,
                        ports: exception.ports.clone(),
                        icmp_type: None,
                        source: source.clone(),
                        // The firewall's own addresses in a segment are neither end of what it forwards.
                        source_needed: source.subtract(&gateways),
                        source_ports_needed: client_ports(),
                        destination: destination.clone(),
                        destination_needed: match path {
                            Path::Local { .. } => destination.clone(),
                            _ => destination.subtract(&gateways),
                        },
                        names: Vec::new(),
                        by_name: false,
                        unchecked: false,
                        needed: false,
                        level: None,
                        disputed: false,
                        source_text: text(&exception.source),
                        destination_text: text(&exception.destination),
                        reasons: vec![Reason::Exception {
                            allow: exception.allow.clone(),
                            reason: exception.reason.clone(),
                            owner: exception.owner.clone(),
                            expires: exception.expires.to_string(),
                        }],
                    });
                }
            }
        }
    }
    flows.into_iter().for_each(|f| builder.add(f));
}

fn text(peer: &Peer) -> String {
    match peer {
        Peer::Device(name) | Peer::Segment(name) => name.clone(),
        Peer::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
        Peer::Net(net) => net.to_string(),
        Peer::Internet => "internet".into(),
    }
}

/// The sides a peer stands on, with its addresses there.
fn ends(builder: &Builder<'_>, peer: &Peer, family: Family) -> Vec<(Side, Ranges)> {
    let topology = &builder.topology;
    let zone = |name: &str| topology.zones.iter().position(|z| z.name == name);
    let mut out = match peer {
        Peer::Device(name) => match builder.site.device(name) {
            Some(device) => zone(&device.segment)
                .map(|at| (Side::Zone(at), ranges(&device.addresses, family)))
                .into_iter()
                .collect(),
            None => Vec::new(),
        },
        Peer::Segment(name) => {
            zone(name).map(|at| (Side::Zone(at), topology.zones[at].ranges(family))).into_iter().collect()
        }
        Peer::Internet => {
            vec![(Side::Uplinks, public_ranges(family).subtract(&topology.inside(family)))]
        }
        Peer::Net(net) if Family::of(net.addr()) == family => {
            let (lo, hi) = prefix_range(net);
            let mut rest = Ranges::span(lo, hi);
            let mut out = Vec::new();
            for (at, zone) in topology.zones.iter().enumerate() {
                let here = rest.intersect(&zone.ranges(family));
                rest = rest.subtract(&here);
                out.push((Side::Zone(at), here));
            }
            out.push((Side::Uplinks, rest));
            out
        }
        Peer::Net(_) => Vec::new(),
    };
    out.retain(|(_, ranges)| !ranges.is_empty());
    out
}
