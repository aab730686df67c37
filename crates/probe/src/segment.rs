//! The segmentation test: from where this host stands, what must not pass is tried, and every answer is kept.

use crate::outcome::Reach;
use crate::plan::Place;
use crate::tcp::{self, Connect};
use crate::udp::{self, Range};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{
    Family, Finding, FindingId, Proof, Protocol, Subject, Text, address_bits, address_from_bits,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Why something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A port beside one that is permitted.
    Boundary,
    /// A port by which devices and firewalls are managed.
    Management,
    /// A port that terminals and printers listen on.
    Terminal,
    /// A service that segments offer each other by mistake.
    Common,
}

impl Why {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Why::Boundary => "boundary",
            Why::Management => "management",
            Why::Terminal => "terminal",
            Why::Common => "common",
        }
    }
}

/// One thing to try.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// Segment, `firewall`, or the device's name.
    pub to: String,
    /// Its address.
    pub address: IpAddr,
    /// Over what.
    pub protocol: Protocol,
    /// Which port.
    pub port: u16,
    /// Why.
    pub why: Why,
}

/// An attempt and what came of it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What was tried.
    pub attempt: Attempt,
    /// How far it got.
    pub reach: Reach,
}

/// Ports by which devices and firewalls are managed.
const MANAGEMENT: [u16; 8] = [22, 23, 80, 443, 3389, 5900, 8080, 8443];
/// Ports that terminals, printers and their helpers listen on.
const TERMINAL: [u16; 3] = [9100, 12345, 12346];
/// What office machines offer.
const COMMON: [u16; 4] = [21, 135, 139, 445];
/// Datagrams that something answers where it is open.
const DATAGRAMS: [u16; 3] = [53, 123, 161];

/// What must not pass from a place, by the intent: towards the terminals' segments, what the intent does not ask for;
/// from a terminals' segment, towards every other; to the firewall, its management. Sorted.
pub fn attempts(intent: &Intent, place: &Place) -> Vec<Attempt> {
    let Some(from) = place.zone else { return Vec::new() };
    let zones = &intent.topology.zones;
    let is_pos = |at: usize| zones[at].role == Role::Pos;
    let mut targets: BTreeSet<(String, usize, IpAddr)> = BTreeSet::new();
    for (name, zone, family, ranges) in &intent.devices {
        if *zone != from && (is_pos(from) || is_pos(*zone)) {
            let all = ranges.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi);
            targets.extend(all.map(|bits| (name.clone(), *zone, address_from_bits(*family, bits))));
        }
    }
    let mut out = BTreeSet::new();
    let mut add = |to: &str, address: IpAddr, protocol: Protocol, port: u16, why: Why, path: Path| {
        if !is_allowed(intent, place, path, address, protocol, port) {
            out.insert(Attempt { to: to.to_string(), address, protocol, port, why });
        }
    };
    for (name, zone, address) in &targets {
        let path = Path::Forward { from: Side::Zone(from), to: Side::Zone(*zone) };
        let known = [(&TERMINAL[..], Why::Terminal), (&MANAGEMENT, Why::Management), (&COMMON, Why::Common)];
        for (ports, why) in known {
            ports.iter().for_each(|port| add(name, *address, Protocol::TCP, *port, why, path));
        }
        DATAGRAMS.iter().for_each(|port| add(name, *address, Protocol::UDP, *port, Why::Common, path));
        for flow in intent.flows.iter().filter(|f| f.path == path && goes_to(f, *address)) {
            let (Some(protocol), Some(ports)) = (flow.protocol, &flow.ports) else { continue };
            for &(lo, hi) in ports.as_slice() {
                let beside = [lo.checked_sub(1), hi.checked_add(1)].into_iter().flatten();
                let beside = beside.filter_map(|p| u16::try_from(p).ok()).filter(|p| *p != 0);
                beside.for_each(|port| add(name, *address, protocol, port, Why::Boundary, path));
            }
        }
    }
    // The firewall: at its own address here, and at those in the terminals' segments.
    let local = Path::Local { from: Side::Zone(from) };
    let gateways = zones.iter().enumerate().filter(|(at, _)| *at == from || is_pos(*at));
    for address in gateways.flat_map(|(_, zone)| &zone.gateways) {
        MANAGEMENT.iter().for_each(|p| add("firewall", *address, Protocol::TCP, *p, Why::Management, local));
    }
    out.into_iter().collect()
}

fn goes_to(flow: &Flow, address: IpAddr) -> bool {
    flow.family == Family::of(address) && flow.destination.contains(address_bits(address))
}

/// Whether the intent lets this host do it.
fn is_allowed(
    intent: &Intent,
    place: &Place,
    path: Path,
    address: IpAddr,
    protocol: Protocol,
    port: u16,
) -> bool {
    intent.flows.iter().any(|flow| {
        let source = place.address.is_none_or(|own| flow.source.contains(address_bits(own)));
        flow.path == path
            && goes_to(flow, address)
            && source
            && flow.protocol.is_none_or(|p| p == protocol)
            && flow.ports.as_ref().is_none_or(|ports| ports.contains(port.into()))
    })
}

/// Attempts under way at the same time.
const MOST_AT_ONCE: usize = 64;

/// Tries everything, from an address of this host; each within the deadline. In the order of the attempts.
pub async fn run(attempts: &[Attempt], local: Option<IpAddr>, deadline: Duration) -> Vec<Tried> {
    let gate = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut set = JoinSet::new();
    for (at, attempt) in attempts.iter().cloned().enumerate() {
        let gate = Arc::clone(&gate);
        set.spawn(async move {
            let _permit = gate.acquire().await;
            let local = local.filter(|l| l.is_ipv4() == attempt.address.is_ipv4());
            let reach = match attempt.protocol {
                Protocol::TCP => {
                    let address = SocketAddr::new(attempt.address, attempt.port);
                    let connect = Connect { address, samples: 1, deadline, local, device: None };
                    tcp::check(&connect).await.reach
                }
                _ => {
                    let ports = vec![attempt.port];
                    let range = Range {
                        server: attempt.address,
                        ports,
                        payload: question(attempt.port),
                        deadline,
                        local,
                    };
                    let answered = udp::check(&range).await.ports.into_iter().next();
                    answered.map_or(Reach::Silent, |(_, reach)| reach)
                }
            };
            (at, Tried { attempt, reach })
        });
    }
    let mut out = BTreeMap::new();
    while let Some(joined) = set.join_next().await {
        if let Ok((at, tried)) = joined {
            out.insert(at, tried);
        }
    }
    out.into_values().collect()
}

/// What makes a service on this port answer: a DNS question for the root's name servers (RFC 1035), an NTP request
/// (RFC 5905), an SNMP read of the system's description by the community everybody tries (RFC 1901).
fn question(port: u16) -> Vec<u8> {
    match port {
        53 => vec![0x74, 0x67, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1],
        123 => std::iter::once(0x23).chain([0; 47]).collect(),
        161 => {
            let mut out = vec![0x30, 0x29, 0x02, 0x01, 0x01, 0x04, 0x06];
            out.extend(b"public");
            out.extend([0xa0, 0x1c, 0x02, 0x04, 0, 0, 0, 1, 0x02, 0x01, 0, 0x02, 0x01, 0, 0x30, 0x0e]);
            out.extend([0x30, 0x0c, 0x06, 0x08, 0x2b, 6, 1, 2, 1, 1, 1, 0, 0x05, 0x00]);
            out
        }
        _ => Vec::new(),
    }
}

/// The findings: what answered must not have been reached; a refusal may be the target's or the firewall's own.
pub fn judge(intent: &Intent, place: &Place, tried: &[Tried]) -> Vec<Finding> {
    let Some(from) = place.zone.and_then(|at| intent.topology.zones.get(at)) else { return Vec::new() };
    let mut reached: BTreeMap<(String, IpAddr, bool), Vec<String>> = BTreeMap::new();
    for Tried { attempt, reach } in tried {
        let sure = match reach {
            Reach::Passes | Reach::Broken(_) => true,
            Reach::Refused(by) if by.is_none_or(|by| by == attempt.address) => false,
            _ => continue,
        };
        let key = (attempt.to.clone(), attempt.address, sure);
        reached.entry(key).or_default().push(format!("{}/{}", attempt.port, attempt.protocol));
    }
    let finding = |((to, address, sure), ports): ((String, IpAddr, bool), Vec<String>)| {
        let id = if sure { "segment-reached" } else { "segment-refusals" };
        let text = Text::new(id)
            .arg("from", &from.name)
            .arg("to", &to)
            .arg("address", address)
            .arg("ports", ports.join(", "));
        let subject = Subject { segment: Some(from.name.clone()), peer: Some(to), ..Subject::default() };
        let proof = if sure { Proof::Observed } else { Proof::Possible };
        Finding::new(FindingId::SegmentReachable, subject, text).proof(proof)
    };
    let mut out: Vec<Finding> = reached.into_iter().map(finding).collect();
    Finding::sort(&mut out);
    out
}
