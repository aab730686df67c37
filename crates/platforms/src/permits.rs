//! An intent as an ordered list of permissions, before any platform's syntax.

use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Family, Protocol, Ranges, public_ranges};

/// One permission: everything a rule of any platform says.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    /// Where it comes from.
    pub from: Side,
    /// Where it goes; `None` for the firewall itself.
    pub to: Option<Side>,
    /// Address family.
    pub family: Family,
    /// Sources; `None` for any.
    pub source: Option<Ranges>,
    /// Destinations.
    pub target: Target,
    /// Service.
    pub service: Service,
    /// Name of the requirement, for sets and objects.
    pub requirement: String,
    /// For people: requirement and who it is for.
    pub comment: String,
    /// Who it is for: devices, or whoever else opens the connection.
    pub who: String,
}

/// Where a permission leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Anywhere.
    Any,
    /// The public internet: everything but private, shared, reserved and our own addresses.
    Public,
    /// These addresses.
    Ranges(Ranges),
    /// These names, as a resolver or the firewall itself looks them up.
    Names(Vec<String>),
}

/// What a permission is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Any protocol.
    Any,
    /// A whole protocol.
    Protocol(Protocol),
    /// Destination ports, from any source port or from one.
    Ports { protocol: Protocol, ports: Ranges, source_port: Option<u16> },
    /// An ICMP type.
    Icmp(u8),
}

impl Permit {
    fn of(intent: &Intent, flow: &Flow, who: &[&Flow]) -> Option<Permit> {
        let (from, to) = match flow.path {
            Path::Forward { from, to } => (from, Some(to)),
            Path::Local { from } => (from, None),
            Path::Inside { .. } => return None,
        };
        let full = Ranges::full(flow.family.max_address());
        let target = if flow.by_name {
            Target::Names(flow.names.clone())
        } else if flow.destination_needed == public(intent, flow.family)
            || (flow.destination == full && to.is_some())
        {
            Target::Public
        } else if flow.destination != full {
            Target::Ranges(flow.destination.clone())
        } else if flow.requirement != "management"
            && flow.ports != Some(Ranges::single(67))
            && !flow.destination_needed.is_empty()
        {
            Target::Ranges(flow.destination_needed.clone())
        } else {
            Target::Any
        };
        let service = match (flow.protocol, &flow.ports, flow.icmp_type) {
            (Some(_), _, Some(icmp)) => Service::Icmp(icmp),
            (Some(protocol), Some(ports), _) => Service::Ports {
                protocol,
                ports: ports.clone(),
                // A DHCP client asks from its own port (RFC 2131).
                source_port: (flow.source_ports_needed == Ranges::single(68)).then_some(68),
            },
            (Some(protocol), None, _) => Service::Protocol(protocol),
            (None, ..) => Service::Any,
        };
        let mut names: Vec<&str> = who.iter().filter_map(|f| f.device.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        let doubt = if flow.disputed { ", disputed" } else { "" };
        let who = if names.is_empty() { flow.source_text.clone() } else { names.join(" ") };
        Some(Permit {
            from,
            to,
            family: flow.family,
            source: (flow.source != full).then(|| flow.source.clone()),
            target,
            service,
            requirement: flow.requirement.clone(),
            comment: format!("{}{doubt}: {who}", flow.requirement),
            who,
        })
    }

    /// Interface names of a side.
    pub fn interfaces(side: Side, intent: &Intent) -> Vec<String> {
        match side {
            Side::Zone(at) => vec![intent.topology.zones[at].interface.clone()],
            Side::Uplinks => intent.topology.uplinks.clone(),
        }
    }
}

/// The public internet as seen from a site: what is in no segment of it.
pub(crate) fn public(intent: &Intent, family: Family) -> Ranges {
    public_ranges(family).subtract(&intent.topology.inside(family))
}

/// What may pass, one entry for all devices with the same need: `local` to the firewall itself, otherwise through it.
pub(crate) fn permits(intent: &Intent, local: bool) -> Vec<Permit> {
    let mut groups: Vec<(Flow, Vec<&Flow>)> = Vec::new();
    for flow in &intent.flows {
        if matches!(flow.path, Path::Inside { .. }) || matches!(flow.path, Path::Local { .. }) != local {
            continue;
        }
        let same = |other: &Flow| {
            (other.path, other.family, other.protocol, &other.ports, other.icmp_type, &other.requirement)
                == (flow.path, flow.family, flow.protocol, &flow.ports, flow.icmp_type, &flow.requirement)
                && other.destination == flow.destination
                && other.destination_needed == flow.destination_needed
                && other.names == flow.names
        };
        match groups.iter_mut().find(|(known, _)| same(known)) {
            Some((known, list)) => {
                known.source = known.source.union(&flow.source);
                list.push(flow);
            }
            None => groups.push((flow.clone(), vec![flow])),
        }
    }
    let mut out: Vec<Permit> =
        groups.iter().filter_map(|(flow, list)| Permit::of(intent, flow, list)).collect();
    if local {
        return out;
    }
    // Segments whose people may use the internet.
    for (at, zone) in intent.topology.zones.iter().enumerate() {
        if !zone.internet || zone.role == Role::Pos {
            continue;
        }
        for family in Family::BOTH {
            let own = zone.ranges(family);
            if own.is_empty() {
                continue;
            }
            out.push(Permit {
                from: Side::Zone(at),
                to: Some(Side::Uplinks),
                family,
                source: Some(own),
                target: Target::Any,
                service: Service::Any,
                requirement: "internet".into(),
                comment: format!("{}: internet", zone.name),
                who: zone.name.clone(),
            });
        }
    }
    out
}

/// Addresses that cannot come in where they come in, as `(interface, family, addresses, allowed)`: with `allowed` the
/// only sources an interface may have, without it the sources it may not have (PCI DSS 1.4.3).
pub(crate) fn sources(intent: &Intent) -> Vec<(Vec<String>, Family, Ranges, bool, String)> {
    let topology = &intent.topology;
    let mut out = Vec::new();
    for zone in &topology.zones {
        for family in Family::BOTH {
            let own = zone.ranges(family);
            if own.is_empty() {
                continue;
            }
            let extra = match family {
                // A host that has no address yet asks for one from 0.0.0.0 (RFC 2131).
                Family::V4 => Ranges::single(0),
                // Link-local and unspecified sources stay on the link.
                Family::V6 => Ranges::span(0xfe80 << 112, (0xfec0u128 << 112) - 1).union(&Ranges::single(0)),
            };
            out.push((vec![zone.interface.clone()], family, own.union(&extra), true, zone.name.clone()));
        }
    }
    for family in Family::BOTH {
        let inside = topology.inside(family);
        if !inside.is_empty() {
            out.push((topology.uplinks.clone(), family, inside, false, "internet".into()));
        }
    }
    out
}
