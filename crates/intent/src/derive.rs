//! Catalogue × estate → flows.

use crate::findings;
use crate::flow::{Flow, Intent, OpenQuestion, Path, Reason, Side};
use crate::{Topology, exceptions, local};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_catalog::{Class, Destination, Level, Library, Ports, Requirement, Service};
use tillgate_estate::{Device, Egress, Nat, ServiceAt, Site, SourceScope};
use tillgate_model::{
    Date, Family, Protocol, Ranges, address_bits, address_from_bits, addresses_text, public_ranges,
};

/// Source ports a client may use: IANA's user and dynamic ranges (RFC 6335 section 6).
pub(crate) fn client_ports() -> Ranges {
    Ranges::span(1024, 65535)
}

/// The flows of a site on a day.
pub fn intent(site: &Site, library: &Library, today: Date) -> Intent {
    let mut builder = Builder {
        site,
        library,
        today,
        topology: Topology::of(site),
        flows: BTreeMap::new(),
        questions: Vec::new(),
    };
    for device in &site.devices {
        builder.device(device);
    }
    local::services(&mut builder);
    local::management(&mut builder);
    exceptions::add(&mut builder);
    builder.probes();

    let mut questions = builder.questions;
    questions.sort();
    questions.dedup();
    let flows: Vec<Flow> = builder.flows.into_values().collect();
    let topology = builder.topology;
    let devices = site.devices.iter().flat_map(|d| {
        let zone = topology.zones.iter().position(|z| z.name == d.segment);
        Family::BOTH.into_iter().filter_map(move |family| {
            let ranges = ranges(&d.addresses, family);
            zone.filter(|_| !ranges.is_empty()).map(|zone| (d.name.clone(), zone, family, ranges))
        })
    });
    Intent {
        site: site.name.clone(),
        today,
        devices: devices.collect(),
        findings: findings::findings(site, library, &flows, today),
        flows,
        questions,
        masquerade: site.firewall.nat == Nat::Masquerade,
        topology,
    }
}

/// The addresses of one family as ranges.
pub(crate) fn ranges(addresses: &[IpAddr], family: Family) -> Ranges {
    addresses
        .iter()
        .filter(|a| Family::of(**a) == family)
        .map(|a| (address_bits(*a), address_bits(*a)))
        .collect()
}

/// What flows are sorted and merged by.
type FlowKey = (Path, String, Family, Option<Protocol>, String);

pub(crate) struct Builder<'a> {
    pub site: &'a Site,
    pub library: &'a Library,
    pub today: Date,
    pub topology: Topology,
    flows: BTreeMap<FlowKey, Flow>,
    questions: Vec<OpenQuestion>,
}

/// Where a flow ends.
struct Target {
    path: Path,
    allowed: Ranges,
    needed: Ranges,
    unchecked: bool,
    text: String,
}

impl<'a> Builder<'a> {
    /// Adds a flow, or its reasons to the one that is already there.
    pub fn add(&mut self, mut flow: Flow) {
        let key = (flow.path, flow.requirement.clone(), flow.family, flow.protocol, flow.id.clone());
        match self.flows.get_mut(&key) {
            Some(known) => {
                known.reasons.append(&mut flow.reasons);
                known.reasons.sort();
                known.reasons.dedup();
                known.needed |= flow.needed;
            }
            None => {
                flow.reasons.sort();
                self.flows.insert(key, flow);
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = &'a Requirement> + use<'a> {
        let (site, library) = (self.site, self.library);
        library.catalogs().iter().filter(|c| site.catalogs.contains(&c.id)).flat_map(|c| &c.requirements)
    }

    fn on<'r>(&self, row: &'r Requirement, device: &Device) -> Option<Option<&'r String>> {
        let site = self.site;
        let on = row.applies_to.contains(&device.class)
            && row.is_on(site.profile, &device.features, site.region.as_deref());
        on.then(|| {
            let by_profile = row.is_on(site.profile, &[], site.region.as_deref());
            row.when.iter().find(|f| !by_profile && device.features.contains(f))
        })
    }

    fn device(&mut self, device: &Device) {
        if device.class == Class::Probe {
            return;
        }
        let Some(zone) = self.topology.zones.iter().position(|z| z.name == device.segment) else { return };
        let rows: Vec<(&Requirement, Option<&String>)> =
            self.rows().filter_map(|r| self.on(r, device).map(|feature| (r, feature))).collect();
        for (row, feature) in rows.iter().filter(|(r, _)| r.refines.is_none()) {
            let refining: Vec<&Requirement> =
                rows.iter().map(|(r, _)| *r).filter(|r| r.refines.as_ref() == Some(&row.id)).collect();
            let ports = match (&row.ports, device.ports.get(&row.id)) {
                (Ports::Unknown, _) => {
                    self.question(row, device, "ports-unknown");
                    continue;
                }
                (_, Some(port)) => Some(Ranges::single(*port as u128)),
                (Ports::Known(ports), None) => Some(ports.clone()),
                (Ports::Without, None) => None,
            };
            let mut names: Vec<String> =
                refining.iter().flat_map(|r| &r.names).chain(&row.names).cloned().collect();
            names.sort();
            names.dedup();
            let mut reasons = vec![Reason::Requirement {
                id: row.id.clone(),
                device: device.name.clone(),
                feature: (*feature).cloned(),
                supports: row.supports.clone(),
            }];
            reasons.extend(refining.iter().map(|r| Reason::Names { id: r.id.clone() }));
            for family in Family::BOTH {
                self.row(device, zone, row, family, &ports, &names, &reasons);
            }
        }
    }

    fn question(&mut self, row: &Requirement, device: &Device, why: &'static str) {
        self.questions.push(OpenQuestion { requirement: row.id.clone(), device: device.name.clone(), why });
    }

    #[allow(clippy::too_many_arguments)]
    fn row(
        &mut self,
        device: &Device,
        zone: usize,
        row: &Requirement,
        family: Family,
        ports: &Option<Ranges>,
        names: &[String],
        reasons: &[Reason],
    ) {
        let own = ranges(&device.addresses, family);
        let wide = self.site.source == SourceScope::Segment && row.from.is_none();
        let source =
            if wide && !own.is_empty() { self.topology.zones[zone].ranges(family) } else { own.clone() };
        if own.is_empty() {
            return;
        }
        // Each case: source zone, sources allowed and needed, their text, where it ends, the peer for the id.
        let mut cases: Vec<(Ranges, Ranges, String, Target, String)> = Vec::new();
        let source_text = describe(&device.name, family, &own);
        let mut egress = |targets: Vec<Target>| {
            for target in targets {
                cases.push((source.clone(), own.clone(), source_text.clone(), target, String::new()));
            }
        };
        match row.destination {
            Destination::Internet => {
                if self.site.egress == Egress::Names && names.is_empty() && family == Family::V4 {
                    self.question(row, device, "names-unknown");
                }
                egress(vec![self.internet(zone, family, names)]);
            }
            Destination::Service(service) => {
                let targets = self.service(zone, family, service, names);
                egress(targets);
            }
            Destination::Device => {
                let from = row.from.unwrap_or(Class::PosHost);
                let hosts: Vec<&Device> = self.site.devices.iter().filter(|d| d.class == from).collect();
                if hosts.is_empty() {
                    self.question(row, device, "no-peer");
                }
                for host in hosts {
                    let hosts_zone = self.topology.zones.iter().position(|z| z.name == host.segment);
                    let addresses = ranges(&host.addresses, family);
                    if let (Some(from), false) = (hosts_zone, addresses.is_empty()) {
                        let text = describe(&host.name, family, &addresses);
                        let target = self.peer(from, zone, &own, source_text.clone());
                        cases.push((addresses.clone(), addresses, text, target, host.name.clone()));
                    }
                }
            }
            Destination::Class(class) => {
                let peers: Vec<&Device> =
                    self.site.devices.iter().filter(|d| d.class == class && d.name != device.name).collect();
                if peers.is_empty() {
                    self.question(row, device, "no-peer");
                }
                for peer in peers {
                    let to = self.topology.zones.iter().position(|z| z.name == peer.segment);
                    let addresses = ranges(&peer.addresses, family);
                    if let (Some(to), false) = (to, addresses.is_empty()) {
                        let text = describe(&peer.name, family, &addresses);
                        let target = self.peer(zone, to, &addresses, text);
                        cases.push((
                            own.clone(),
                            own.clone(),
                            source_text.clone(),
                            target,
                            peer.name.clone(),
                        ));
                    }
                }
            }
        }
        let disputed = row.disputed.is_some();
        for (source, source_needed, source_text, target, peer) in cases {
            for protocol in &row.protocols {
                let mut id = format!("{}/{}", device.name, row.id);
                if !peer.is_empty() {
                    id = format!("{id}/{peer}");
                }
                if row.protocols.len() > 1 {
                    id = format!("{id}/{protocol}");
                }
                if family == Family::V6 {
                    id.push_str("/ipv6");
                }
                let by_name = self.site.egress == Egress::Names
                    && !names.is_empty()
                    && target.path == (Path::Forward { from: Side::Zone(zone), to: Side::Uplinks })
                    && target.unchecked;
                self.add(Flow {
                    id,
                    requirement: row.id.clone(),
                    device: Some(device.name.clone()),
                    path: target.path,
                    family,
                    protocol: Some(*protocol),
                    ports: ports.clone(),
                    icmp_type: None,
                    source: source.clone(),
                    source_needed: source_needed.clone(),
                    source_ports_needed: client_ports(),
                    destination: target.allowed.clone(),
                    destination_needed: target.needed.clone(),
                    names: names.to_vec(),
                    by_name,
                    unchecked: target.unchecked && !by_name,
                    // Recommended rows may be permitted, doubted ones too; neither may fail a site.
                    needed: row.level != Level::Recommended && !disputed,
                    level: Some(row.level),
                    disputed,
                    source_text: source_text.clone(),
                    destination_text: if by_name { names.join(", ") } else { target.text.clone() },
                    reasons: reasons.to_vec(),
                });
            }
        }
    }

    /// Any public address, by the uplinks. A row with names need only reach those, wherever they are.
    fn internet(&self, zone: usize, family: Family, names: &[String]) -> Target {
        Target {
            path: Path::Forward { from: Side::Zone(zone), to: Side::Uplinks },
            allowed: Ranges::full(family.max_address()),
            needed: public_ranges(family).subtract(&self.topology.inside(family)),
            unchecked: !names.is_empty(),
            text: "internet".into(),
        }
    }

    fn service(&self, zone: usize, family: Family, service: Service, names: &[String]) -> Vec<Target> {
        match self.site.services.at(service) {
            // Address assignment is a flow of the segment's interface, not of the device (see `local`).
            _ if service == Service::Dhcp => Vec::new(),
            None => vec![self.internet(zone, family, names)],
            Some(ServiceAt::Gateway) => {
                let gateway = self.topology.zones[zone].gateway_ranges(family);
                if gateway.is_empty() {
                    return Vec::new();
                }
                vec![Target {
                    path: Path::Local { from: Side::Zone(zone) },
                    allowed: Ranges::full(family.max_address()),
                    text: describe("gateway", family, &gateway),
                    needed: gateway,
                    unchecked: false,
                }]
            }
            Some(ServiceAt::Addresses(addresses)) => {
                let mut by_side: BTreeMap<Option<usize>, Vec<(u128, u128)>> = BTreeMap::new();
                for (lo, hi) in ranges(addresses, family).as_slice() {
                    for bits in *lo..=*hi {
                        by_side.entry(self.topology.zone_of(family, bits)).or_default().push((bits, bits));
                    }
                }
                by_side
                    .into_iter()
                    .map(|(to, list)| {
                        let list = Ranges::from_unsorted(list);
                        let text = addresses_text(family, &list).join(", ");
                        match to {
                            Some(to) => self.peer(zone, to, &list, text),
                            None => Target {
                                path: Path::Forward { from: Side::Zone(zone), to: Side::Uplinks },
                                allowed: list.clone(),
                                needed: list,
                                unchecked: false,
                                text,
                            },
                        }
                    })
                    .collect()
            }
        }
    }

    fn peer(&self, from: usize, to: usize, addresses: &Ranges, text: String) -> Target {
        let path = if from == to {
            Path::Inside { zone: from }
        } else {
            Path::Forward { from: Side::Zone(from), to: Side::Zone(to) }
        };
        Target { path, allowed: addresses.clone(), needed: addresses.clone(), unchecked: false, text }
    }

    /// A measuring host receives the flows that terminals of its segment have, until its last day.
    fn probes(&mut self) {
        for probe in self.site.devices.iter().filter(|d| d.class == Class::Probe) {
            let Some(until) = probe.until.filter(|until| *until >= self.today) else { continue };
            let Some(zone) = self.topology.zones.iter().position(|z| z.name == probe.segment) else {
                continue;
            };
            let copied: Vec<Flow> = self
                .flows
                .values()
                .filter(|f| {
                    let from = match f.path {
                        Path::Forward { from, .. } | Path::Local { from } => from,
                        Path::Inside { .. } => return false,
                    };
                    from == Side::Zone(zone)
                        && matches!(f.reasons.first(), Some(Reason::Requirement { .. }))
                        && f.device
                            .as_ref()
                            .is_some_and(|d| self.site.device(d).is_some_and(|d| d.segment == probe.segment))
                })
                .cloned()
                .collect();
            for mut flow in copied {
                let addresses = ranges(&probe.addresses, flow.family);
                let Some(device) = flow.device.take() else { continue };
                if addresses.is_empty() {
                    continue;
                }
                flow.id = flow.id.replacen(&device, &probe.name, 1);
                flow.source_text = describe(&probe.name, flow.family, &addresses);
                flow.source = addresses.clone();
                flow.source_needed = addresses;
                flow.device = Some(probe.name.clone());
                flow.needed = false;
                flow.reasons = vec![Reason::Probe { device: probe.name.clone(), until: until.to_string() }];
                self.add(flow);
            }
        }
    }
}

/// `name (10.0.0.5)`
pub(crate) fn describe(name: &str, family: Family, addresses: &Ranges) -> String {
    let list: Vec<String> = match addresses.as_slice() {
        [(lo, hi)] if lo == hi => vec![address_from_bits(family, *lo).to_string()],
        _ => addresses_text(family, addresses),
    };
    format!("{name} ({})", list.join(", "))
}
