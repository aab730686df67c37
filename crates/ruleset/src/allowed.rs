//! The intent as boxes: what may pass, on which way.

use crate::rules::NameSet;
use crate::universe::Universe;
use tillgate_intent::{Flow, Intent, Path, Side, Topology};
use tillgate_model::{Family, Protocol, Ranges};
use tillgate_packetset::{Cube, Field};

/// The interface numbers of a side.
pub(crate) fn interfaces(side: Side, topology: &Topology, universe: &Universe) -> Ranges {
    match side {
        Side::Zone(at) => Ranges::single(universe.interface(&topology.zones[at].interface)),
        Side::Uplinks => topology.uplinks.iter().map(|u| universe.interface(u)).map(|n| (n, n)).collect(),
    }
}

/// The box of everything a flow may be, without state and source ports. `None` for flows no firewall decides.
pub(crate) fn allowed(flow: &Flow, topology: &Topology, universe: &Universe) -> Option<Cube> {
    let (from, to) = match flow.path {
        Path::Forward { from, to } => (from, Some(to)),
        Path::Local { from } => (from, None),
        Path::Inside { .. } => return None,
    };
    let mut cube = Cube::all()
        .with(Field::Input, &interfaces(from, topology, universe))?
        .at(Field::Family, flow.family as u128)?
        .with(Field::Source, &flow.source)?
        .with(Field::Destination, &flow.destination)?;
    if let Some(to) = to {
        cube = cube.with(Field::Output, &interfaces(to, topology, universe))?;
    }
    // Whoever may manage the firewall may do so by any protocol; which are needed is said beside it.
    if flow.requirement == "management" {
        return Some(cube);
    }
    if let Some(protocol) = flow.protocol {
        cube = cube.at(Field::Protocol, protocol.0 as u128)?;
    }
    if let Some(ports) = &flow.ports {
        cube = cube.with(Field::DestinationPort, ports)?;
    }
    if let Some(icmp) = flow.icmp_type {
        cube = cube.at(Field::SourcePort, icmp as u128)?;
    }
    if flow.by_name {
        // Whoever owns a name owns what is below it; resolvers fill sets with both.
        let names = universe.names_in(&NameSet::zones(&flow.names));
        cube = cube.with(Field::Name, &names)?;
    }
    Some(cube)
}

/// Everything the intent allows on a way (`local` or through the firewall), as boxes.
pub fn allowed_cubes(intent: &Intent, universe: &Universe, local: bool) -> Vec<Cube> {
    let fits = |f: &&Flow| matches!(f.path, Path::Local { .. }) == local;
    intent.flows.iter().filter(fits).filter_map(|f| allowed(f, &intent.topology, universe)).collect()
}

/// What is never an excess on the way to the firewall itself: neighbour discovery, and the firewall's own
/// upstream traffic (design section 6).
pub fn never_excess(topology: &Topology, universe: &Universe) -> Vec<Cube> {
    let protocol = |p: Protocol| Cube::all().at(Field::Protocol, p.0 as u128);
    let mut out = Vec::new();
    // Neighbour discovery and multicast listener reports (RFC 4861, RFC 3810).
    let types = Ranges::from_unsorted(vec![(130, 137), (143, 143)]);
    out.extend(
        protocol(Protocol::ICMPV6)
            .and_then(|c| c.at(Field::Family, Family::V6 as u128))
            .and_then(|c| c.with(Field::SourcePort, &types)),
    );
    // IGMP membership (RFC 3376).
    out.extend(protocol(Protocol(2)).and_then(|c| c.at(Field::Family, Family::V4 as u128)));
    // Leases of the uplinks: DHCP and DHCPv6 answers.
    let uplinks = interfaces(Side::Uplinks, topology, universe);
    for (family, source, destination) in [(Family::V4, 67, 68), (Family::V6, 547, 546)] {
        out.extend(
            protocol(Protocol::UDP)
                .and_then(|c| c.at(Field::Family, family as u128))
                .and_then(|c| c.with(Field::Input, &uplinks))
                .and_then(|c| c.at(Field::SourcePort, source))
                .and_then(|c| c.at(Field::DestinationPort, destination)),
        );
    }
    out
}
