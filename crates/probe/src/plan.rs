//! What there is to measure from where this host stands: the flows of a site as tasks, each with its targets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_catalog::{
    Confidence, Destination, Encryption, Level, Library, Probe, Profile, Requirement, Service,
};
use tillgate_intent::{Flow, Intent, Path, Reason, Side};
use tillgate_model::{Family, Protocol, Ranges, address_bits, address_from_bits, public_ranges};

/// Somebody to ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// By a name, which a resolver turns into an address first.
    Name(String),
    /// By an address.
    Address(IpAddr),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Name(name) => f.write_str(name),
            Target::Address(address) => address.fmt(f),
        }
    }
}

/// One requirement to measure.
#[derive(Clone, Debug)]
pub struct Task {
    /// Row id, or `gateway.dns`, `exception` …
    pub requirement: String,
    /// How.
    pub kind: Probe,
    /// Over what.
    pub protocol: Protocol,
    /// Address family.
    pub family: Family,
    /// Destination ports.
    pub ports: Ranges,
    /// Whom to ask; empty where nobody publishes a host.
    pub targets: Vec<Target>,
    /// What encryption to expect.
    pub encryption: Encryption,
    /// Whether its need is disputed, or known by a source alone that nothing confirms: it never fails a site.
    pub disputed: bool,
    /// Whether payments work without it: an exception, a recommended row. It never fails a site either.
    pub optional: bool,
    /// Whether one of the targets is enough.
    pub alternatives: bool,
    /// Where its packets may go; a reflector elsewhere says nothing about it.
    pub destination: Ranges,
    /// The devices it is measured for, sorted.
    pub devices: Vec<String>,
}

impl Task {
    /// The first port.
    pub fn port(&self) -> u16 {
        self.ports.first().and_then(|p| u16::try_from(p).ok()).unwrap_or(0)
    }

    /// `443/tcp`, `10000-10100/udp`.
    pub fn service(&self) -> String {
        format!("{}/{}", tillgate_model::format_ports(&self.ports), self.protocol)
    }
}

/// Where this host stands in a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The segment, as an index into the topology's zones.
    pub zone: Option<usize>,
    /// The declared device whose address it has.
    pub device: Option<String>,
    /// Its addresses there, sorted; those of the device where it is one.
    pub addresses: Vec<IpAddr>,
}

impl Place {
    /// Where a host with these addresses stands; a declared device's address before one that is only in a segment.
    pub fn of(intent: &Intent, addresses: &[IpAddr]) -> Self {
        let device = addresses.iter().find_map(|address| {
            let (family, bits) = (Family::of(*address), address_bits(*address));
            let of_device =
                |(_, _, f, r): &&(String, usize, Family, Ranges)| *f == family && r.contains(bits);
            intent.devices.iter().find(of_device).map(|(name, ..)| name.clone())
        });
        if let Some(name) = device {
            return Self::of_device(intent, &name, addresses);
        }
        let zone_of = |a: &IpAddr| intent.topology.zone_of(Family::of(*a), address_bits(*a));
        let Some(zone) = addresses.iter().find_map(zone_of) else { return Place::default() };
        let own = addresses.iter().copied().filter(|a| zone_of(a) == Some(zone));
        Place { zone: Some(zone), device: None, addresses: sorted(own) }
    }

    /// A declared device's place, with those of the addresses that are its own.
    pub fn of_device(intent: &Intent, name: &str, addresses: &[IpAddr]) -> Self {
        let of_device = || intent.devices.iter().filter(|(n, ..)| n == name);
        let own =
            |a: &IpAddr| of_device().any(|(_, _, f, r)| *f == Family::of(*a) && r.contains(address_bits(*a)));
        let zone = of_device().next().map(|(_, zone, ..)| *zone);
        let own = addresses.iter().copied().filter(own);
        Place { zone, device: Some(name.to_string()), addresses: sorted(own) }
    }

    /// Its address of a family.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|a| Family::of(*a) == family)
    }
}

fn sorted(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut list: Vec<IpAddr> = addresses.collect();
    list.sort_unstable();
    list.dedup();
    list
}

/// The tasks of a place: of the device that stands there, or of every device of the segment.
pub fn tasks(intent: &Intent, library: &Library, place: &Place) -> Vec<Task> {
    let Some(zone) = place.zone else { return Vec::new() };
    let own = |flow: &&Flow| {
        let from = match flow.path {
            Path::Forward { from, .. } | Path::Local { from } => from == Side::Zone(zone),
            Path::Inside { zone: inside } => inside == zone,
        };
        let device = |name: &String| {
            let ranges = intent.devices.iter().filter(|(n, ..)| n == name);
            ranges.filter(|(.., family, _)| *family == flow.family).any(|(.., r)| flow.source_needed.meets(r))
        };
        from && place.device.as_ref().is_none_or(device)
    };
    let mut out: BTreeMap<String, Task> = BTreeMap::new();
    for flow in intent.flows.iter().filter(own) {
        let row = library.requirement(&flow.requirement);
        let Some(protocol) = flow.protocol else { continue };
        let kind = match row {
            Some(row) => row.probe,
            None if flow.requirement == "gateway.dns" => Probe::Dns,
            None if flow.requirement == "gateway.ntp" => Probe::Ntp,
            None if flow.requirement.starts_with("gateway.") || flow.requirement == "management" => continue,
            None => by_port(protocol, flow.ports.as_ref().and_then(Ranges::only)),
        };
        let targets = targets(flow);
        let ports = flow.ports.clone().unwrap_or_default();
        let key = format!("{}|{}|{}|{ports:?}|{targets:?}", flow.requirement, flow.family as u8, protocol);
        let task = out.entry(key).or_insert_with(|| Task {
            requirement: flow.requirement.clone(),
            kind,
            protocol,
            family: flow.family,
            ports,
            targets,
            encryption: row.map_or(Encryption::Unknown, |r| r.encryption),
            disputed: flow.disputed || row.is_some_and(is_unconfirmed),
            optional: is_optional(flow),
            alternatives: kind == Probe::Ntp,
            destination: flow.destination.clone(),
            devices: Vec::new(),
        });
        // Where the firewall answers for a segment, the segment's service is no device's own.
        task.devices.extend(flow.device.clone());
        task.devices.sort();
        task.devices.dedup();
    }
    let mut list: Vec<Task> = out.into_values().collect();
    // A terminal's own row says more than the gateway's service to its segment.
    let covered: Vec<(Probe, Protocol, Vec<Target>)> = list
        .iter()
        .filter(|t| !t.requirement.starts_with("gateway."))
        .map(|t| (t.kind, t.protocol, t.targets.clone()))
        .collect();
    list.retain(|t| {
        let same =
            |c: &(Probe, Protocol, Vec<Target>)| c.0 == t.kind && c.1 == t.protocol && c.2 == t.targets;
        !t.requirement.starts_with("gateway.") || !covered.iter().any(same)
    });
    list
}

/// The tasks of a vendor without an estate: what a terminal of his needs in any network, by the resolvers given.
pub fn of_vendor(rows: &[Requirement], resolvers: &[IpAddr], profile: Profile) -> Vec<Task> {
    let on = |row: &&Requirement| row.is_on(profile, &[], None) && row.from.is_none();
    let names = |row: &Requirement| {
        // The regions' names as well: which one applies is not known yet, and every one is published.
        let refining =
            rows.iter().filter(|r| r.refines.as_ref() == Some(&row.id) && !r.id.contains("sandbox"));
        let mut names: Vec<String> = refining.flat_map(|r| &r.names).chain(&row.names).cloned().collect();
        names.sort();
        names.dedup();
        names
    };
    let mut out = Vec::new();
    for row in rows.iter().filter(on).filter(|r| r.refines.is_none()) {
        let tillgate_catalog::Ports::Known(ports) = &row.ports else { continue };
        let targets = match row.destination {
            Destination::Service(Service::Dns) => resolvers.iter().copied().map(Target::Address).collect(),
            _ => named(&names(row)),
        };
        for protocol in &row.protocols {
            out.push(Task {
                requirement: row.id.clone(),
                kind: row.probe,
                protocol: *protocol,
                family: Family::V4,
                ports: ports.clone(),
                targets: targets.clone(),
                encryption: row.encryption,
                disputed: is_unconfirmed(row),
                optional: false,
                // Which region's names apply nobody has said yet.
                alternatives: true,
                destination: public_ranges(Family::V4),
                devices: Vec::new(),
            });
        }
    }
    out
}

/// Whether payments work without a flow. What a measuring host stands in for weighs as much as for the terminals.
fn is_optional(flow: &Flow) -> bool {
    let stands_in = flow.reasons.iter().any(|r| matches!(r, Reason::Probe { .. }));
    match stands_in {
        true => flow.level == Some(Level::Recommended),
        false => !flow.needed && !flow.disputed,
    }
}

/// How an exception is measured, which says a port and no service: by what stands at that port (IANA's registry).
fn by_port(protocol: Protocol, port: Option<u128>) -> Probe {
    match (protocol, port) {
        (Protocol::TCP, Some(443)) => Probe::Tls,
        (Protocol::TCP, Some(80)) => Probe::Http,
        (Protocol::UDP, Some(123)) => Probe::Ntp,
        (Protocol::UDP, Some(53)) => Probe::Dns,
        (_, Some(5060)) => Probe::Sip,
        (Protocol::TCP, _) => Probe::Tcp,
        _ => Probe::Udp,
    }
}

/// Low confidence: nothing but a third party says so. What follows from other facts, and the guide's undisputed rows,
/// count.
fn is_unconfirmed(row: &Requirement) -> bool {
    row.disputed.is_some() || row.confidence == Confidence::ThirdParty
}

/// At most so many addresses of one flow are asked one by one.
const MOST_ADDRESSES: u128 = 16;

fn targets(flow: &Flow) -> Vec<Target> {
    let names = named(&flow.names);
    if !names.is_empty() {
        return names;
    }
    let ranges = &flow.destination_needed;
    let count = ranges
        .as_slice()
        .iter()
        .map(|(lo, hi)| (hi - lo).saturating_add(1))
        .fold(0u128, u128::saturating_add);
    if count > MOST_ADDRESSES {
        return Vec::new();
    }
    let all = ranges.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi);
    all.map(|bits| Target::Address(address_from_bits(flow.family, bits))).collect()
}

/// Names that can be asked for: a zone (`*.`) has none of its own.
fn named(names: &[String]) -> Vec<Target> {
    names.iter().filter(|n| !n.starts_with("*.")).cloned().map(Target::Name).collect()
}

/// Resolvers beside the site's own: named by hand, or by this host's system, which terminals need not use.
pub fn resolvers(addresses: &[IpAddr], optional: bool) -> Vec<Task> {
    let task = |address: &IpAddr| Task {
        requirement: "resolver".into(),
        kind: Probe::Dns,
        protocol: Protocol::UDP,
        family: Family::of(*address),
        ports: Ranges::single(53),
        targets: vec![Target::Address(*address)],
        encryption: Encryption::None,
        disputed: false,
        optional,
        alternatives: false,
        destination: Ranges::empty(),
        devices: Vec::new(),
    };
    addresses.iter().map(task).collect()
}
