//! Flows to the firewall itself: its services, and its management.

use crate::derive::{Builder, client_ports, describe, ranges};
use crate::flow::{Flow, Path, Reason, Side};
use tillgate_catalog::{Class, Destination, Level, Ports, Service};
use tillgate_estate::{Role, ServiceAt};
use tillgate_model::{Family, Protocol, Ranges, prefix_range};

fn local(requirement: &str, segment: &str, family: Family, from: Side) -> Flow {
    Flow {
        id: format!("{segment}/{requirement}{}", if family == Family::V6 { "/ipv6" } else { "" }),
        requirement: requirement.to_string(),
        device: None,
        path: Path::Local { from },
        family,
        protocol: None,
        ports: None,
        icmp_type: None,
        source: Ranges::full(family.max_address()),
        source_needed: Ranges::empty(),
        source_ports_needed: client_ports(),
        destination: Ranges::full(family.max_address()),
        destination_needed: Ranges::empty(),
        names: Vec::new(),
        by_name: false,
        unchecked: false,
        needed: false,
        level: None,
        disputed: false,
        source_text: segment.to_string(),
        destination_text: "firewall".into(),
        reasons: Vec::new(),
    }
}

/// What the firewall offers to its segments: DHCP by interface; names, time and echo by subnet.
pub fn services(builder: &mut Builder<'_>) {
    let services = &builder.site.services;
    let on = |service| services.at(service) == Some(&ServiceAt::Gateway);
    let mut flows = Vec::new();
    for (at, zone) in builder.topology.zones.iter().enumerate() {
        let from = Side::Zone(at);
        for family in Family::BOTH {
            let (subnet, gateway) = (zone.ranges(family), zone.gateway_ranges(family));
            if subnet.is_empty() {
                continue;
            }
            let base = |name: &str, service: &'static str| Flow {
                reasons: vec![Reason::Service { service, segment: zone.name.clone() }],
                source: subnet.clone(),
                source_text: describe(&zone.name, family, &subnet),
                destination_needed: gateway.clone(),
                ..local(name, &zone.name, family, from)
            };
            // Terminals ask by requirement (`derive`); other segments because the firewall offers it.
            for (service, name, port, protocols) in [
                (Service::Dns, "gateway.dns", 53, &[Protocol::UDP, Protocol::TCP][..]),
                (Service::Ntp, "gateway.ntp", 123, &[Protocol::UDP][..]),
            ] {
                if on(service) && zone.role != Role::Pos {
                    for protocol in protocols {
                        let mut flow = base(name, service.name());
                        flow.id = format!("{}/{protocol}", flow.id);
                        flow.protocol = Some(*protocol);
                        flow.ports = Some(Ranges::single(port));
                        flows.push(flow);
                    }
                }
            }
            if services.any_on_gateway() {
                let mut flow = base("gateway.echo", "echo");
                let v4 = family == Family::V4;
                flow.protocol = Some(if v4 { Protocol::ICMP } else { Protocol::ICMPV6 });
                flow.icmp_type = Some(if v4 { 8 } else { 128 });
                flows.push(flow);
            }
        }
        if !on(Service::Dhcp) || zone.ranges(Family::V4).is_empty() {
            continue;
        }
        // RFC 2131 section 4.1: from port 68 to 67; first from 0.0.0.0 to the limited broadcast, renewals
        // from the address to the server.
        let mut flow = local("gateway.dhcp", &zone.name, Family::V4, from);
        let mut reasons = vec![Reason::Service { service: "dhcp", segment: zone.name.clone() }];
        let here: Vec<_> = builder.site.devices.iter().filter(|d| d.segment == zone.name).collect();
        for device in here.iter().filter(|d| d.class == Class::Terminal) {
            for row in builder.library.catalogs().iter().filter(|c| builder.site.catalogs.contains(&c.id)) {
                let row = row.requirements.iter().find(|r| {
                    r.destination == Destination::Service(Service::Dhcp)
                        && matches!(r.ports, Ports::Known(_))
                        && r.is_on(builder.site.profile, &device.features, builder.site.region.as_deref())
                });
                if let Some(row) = row {
                    flow.requirement = row.id.clone();
                    flow.id = format!("{}/{}", zone.name, row.id);
                    flow.level = Some(Level::Essential);
                    flow.needed = true;
                    reasons.push(Reason::Requirement {
                        id: row.id.clone(),
                        device: device.name.clone(),
                        feature: None,
                        supports: row.supports.clone(),
                    });
                }
            }
        }
        let known = here.iter().flat_map(|d| ranges(&d.addresses, Family::V4).as_slice().to_vec());
        flow.reasons = reasons;
        flow.protocol = Some(Protocol::UDP);
        flow.ports = Some(Ranges::single(67));
        flow.source_needed = known.chain([(0, 0)]).collect();
        flow.source_ports_needed = Ranges::single(68);
        flow.destination_needed = zone.gateway_ranges(Family::V4).union(&Ranges::single(u32::MAX as u128));
        flow.source_text = zone.name.clone();
        flow.destination_text = "firewall (255.255.255.255)".into();
        flows.push(flow);
    }
    flows.into_iter().for_each(|f| builder.add(f));
}

/// Who may manage the firewall, from wherever their addresses are.
pub fn management(builder: &mut Builder<'_>) {
    let ports: Ranges =
        builder.site.firewall.management_ports.iter().map(|p| (*p as u128, *p as u128)).collect();
    let mut flows = Vec::new();
    for net in &builder.site.firewall.management {
        let family = Family::of(net.addr());
        let (lo, hi) = prefix_range(net);
        let mut rest = Ranges::span(lo, hi);
        let mut add = |from: Side, name: &str, sources: Ranges, gateway: Ranges, unchecked: bool| {
            let mut flow = local("management", name, family, from);
            flow.id = format!("{name}/management/{net}");
            flow.protocol = Some(Protocol::TCP);
            flow.ports = Some(ports.clone());
            flow.source = sources.clone();
            flow.source_needed = sources;
            flow.destination_needed = gateway;
            flow.unchecked = unchecked;
            flow.needed = true;
            flow.source_text = net.to_string();
            flow.reasons = vec![Reason::Management { network: net.to_string() }];
            flows.push(flow);
        };
        for (at, zone) in builder.topology.zones.iter().enumerate() {
            let here = rest.intersect(&zone.ranges(family));
            if !here.is_empty() {
                rest = rest.subtract(&here);
                let sources = here.subtract(&zone.gateway_ranges(family));
                let gateway = zone.gateway_ranges(family);
                if gateway.is_empty() {
                    // Without a known gateway any address of the firewall would do.
                    add(Side::Zone(at), &zone.name, sources, zone.ranges(family), true);
                } else {
                    add(Side::Zone(at), &zone.name, sources, gateway, false);
                }
            }
        }
        if !rest.is_empty() && !builder.topology.uplinks.is_empty() {
            let outside = builder.topology.inside(family).complement(family.max_address());
            add(Side::Uplinks, "internet", rest, outside, true);
        }
    }
    flows.into_iter().for_each(|f| builder.add(f));
}
