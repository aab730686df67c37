//! The segmentation test: from where this host stands, what must not pass is tried, and every answer is kept.

use crate::outcome::Reach;
use crate::plan::Place;
use crate::tcp::{self, Connect};
use crate::udp::{self, Range};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side, Zone};
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
    /// A way out that terminals do not need.
    Egress,
}

impl Why {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Why::Boundary => "boundary",
            Why::Management => "management",
            Why::Terminal => "terminal",
            Why::Common => "common",
            Why::Egress => "egress",
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

/// What devices with a web page or a mail client ask for, and a stolen terminal would.
const EGRESS: [u16; 6] = [22, 25, 80, 3389, 8080, 8443];
/// Addresses of a segment that are tried although nobody declared them: the first two hosts and one from its middle.
const SAMPLES: usize = 3;

/// What must not pass from a place, by the intent: towards the terminals' segments, what the intent does not ask for;
/// from a terminals' segment, towards every other and to hosts of the internet; to the firewall, its management. Only
/// in the families this host has an address of. Sorted.
pub fn attempts(intent: &Intent, place: &Place, outside: &[IpAddr]) -> Vec<Attempt> {
    let Some(from) = place.zone else { return Vec::new() };
    let zones = &intent.topology.zones;
    let is_pos = |at: usize| zones[at].role == Role::Pos;
    let mut tries = Tries { intent, place, out: BTreeMap::new() };
    for (at, zone) in zones.iter().enumerate().filter(|(at, _)| *at != from && (is_pos(from) || is_pos(*at)))
    {
        let path = Path::Forward { from: Side::Zone(from), to: Side::Zone(at) };
        let declared = intent.devices.iter().filter(|(_, zone, ..)| *zone == at);
        let declared = declared.flat_map(|(name, _, family, ranges)| {
            let all = ranges.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi).take(64);
            all.map(|bits| (name.clone(), address_from_bits(*family, bits)))
        });
        let undeclared = samples(zone).into_iter().map(|address| (zone.name.clone(), address));
        for (to, address) in declared.chain(undeclared) {
            let known =
                [(&TERMINAL[..], Why::Terminal), (&MANAGEMENT, Why::Management), (&COMMON, Why::Common)];
            for (ports, why) in known {
                ports.iter().for_each(|port| tries.add(&to, address, Protocol::TCP, *port, why, path));
            }
            DATAGRAMS.iter().for_each(|p| tries.add(&to, address, Protocol::UDP, *p, Why::Common, path));
            tries.beside(&to, address, path);
        }
    }
    // The firewall: at all its addresses inside.
    let local = Path::Local { from: Side::Zone(from) };
    for address in zones.iter().flat_map(|zone| &zone.gateways) {
        let management = MANAGEMENT.iter().map(|port| (Protocol::TCP, *port));
        let datagrams = [(Protocol::UDP, 161), (Protocol::UDP, 53)];
        for (protocol, port) in management.chain(datagrams) {
            tries.add("firewall", *address, protocol, port, Why::Management, local);
        }
    }
    if is_pos(from) {
        let path = Path::Forward { from: Side::Zone(from), to: Side::Uplinks };
        for address in outside {
            EGRESS.iter().for_each(|p| tries.add("internet", *address, Protocol::TCP, *p, Why::Egress, path));
        }
    }
    let attempt = |((to, address, protocol, port), why)| Attempt { to, address, protocol, port, why };
    tries.out.into_iter().map(attempt).collect()
}

/// Addresses of a segment where a device may stand that nobody declared.
fn samples(zone: &Zone) -> Vec<IpAddr> {
    let of = |net: &IpNet| {
        let hosts = net.hosts().filter(|a| !zone.gateways.contains(a));
        let first: Vec<IpAddr> = hosts.take(SAMPLES - 1).collect();
        let (lo, hi) = (address_bits(net.network()), address_bits(net.broadcast()));
        let middle = address_from_bits(Family::of(net.addr()), lo + (hi - lo) / 2);
        first.into_iter().chain([middle])
    };
    zone.subnets.iter().flat_map(of).collect()
}

struct Tries<'a> {
    intent: &'a Intent,
    place: &'a Place,
    /// By target, address, protocol and port: the first reason to try it.
    out: BTreeMap<(String, IpAddr, Protocol, u16), Why>,
}

impl Tries<'_> {
    /// Adds an attempt, unless the intent lets this host do it.
    fn add(&mut self, to: &str, address: IpAddr, protocol: Protocol, port: u16, why: Why, path: Path) {
        let Some(own) = self.place.address(Family::of(address)) else { return };
        let allowed = self.intent.flows.iter().any(|flow| {
            flow.path == path
                && goes_to(flow, address)
                && flow.source.contains(address_bits(own))
                && flow.protocol.is_none_or(|p| p == protocol)
                && flow.ports.as_ref().is_none_or(|ports| ports.contains(port.into()))
        });
        if !allowed {
            self.out.entry((to.to_string(), address, protocol, port)).or_insert(why);
        }
    }

    /// Ports beside those that are permitted on the way to an address.
    fn beside(&mut self, to: &str, address: IpAddr, path: Path) {
        let intent = self.intent;
        for flow in intent.flows.iter().filter(|f| f.path == path && goes_to(f, address)) {
            let (Some(protocol), Some(ports)) = (flow.protocol, &flow.ports) else { continue };
            for &(lo, hi) in ports.as_slice() {
                let beside = [lo.checked_sub(1), hi.checked_add(1)].into_iter().flatten();
                let beside = beside.filter_map(|p| u16::try_from(p).ok()).filter(|p| *p != 0);
                beside.for_each(|port| self.add(to, address, protocol, port, Why::Boundary, path));
            }
        }
    }
}

fn goes_to(flow: &Flow, address: IpAddr) -> bool {
    flow.family == Family::of(address) && flow.destination.contains(address_bits(address))
}

/// Attempts under way at the same time.
const MOST_AT_ONCE: usize = 64;

/// Tries everything from this host's place, each within the deadline. In the order of the attempts.
pub async fn run(attempts: &[Attempt], place: &Place, deadline: Duration) -> Vec<Tried> {
    let gate = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut set = JoinSet::new();
    for (at, attempt) in attempts.iter().cloned().enumerate() {
        let gate = Arc::clone(&gate);
        let local = place.address(Family::of(attempt.address));
        set.spawn(async move {
            let _permit = gate.acquire().await;
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
pub(crate) fn question(port: u16) -> Vec<u8> {
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

/// What an answer says about the firewall between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passed {
    /// The target itself answered: the packet got there.
    Yes,
    /// A refusal that the target or the firewall may have sent, or a router that looked for the target.
    Perhaps,
    /// Nothing says that it got there; a target that is switched off looks the same.
    No,
    /// It was not tried: an error of this host.
    Untried,
}

/// Reads an answer.
pub fn passed(tried: &Tried) -> Passed {
    let Tried { attempt, reach } = tried;
    let firewall = attempt.to == "firewall";
    match reach {
        Reach::Passes => Passed::Yes,
        // Bytes came back, if not the right ones.
        Reach::Broken(_) => {
            if attempt.protocol == Protocol::TCP {
                Passed::Yes
            } else {
                Passed::Perhaps
            }
        }
        Reach::Undecided(_) => Passed::Untried,
        Reach::Silent => Passed::No,
        // What the firewall does not offer it may refuse.
        Reach::Refused(_) | Reach::Prohibited(_) | Reach::Unreachable(_) if firewall => Passed::No,
        // A filter on the way speaks with its own address; the target with its own.
        _ if reach.by() == Some(attempt.address) => Passed::Yes,
        Reach::Refused(None) => Passed::Perhaps,
        // Whoever says that the host is away has looked for it, behind the filter.
        Reach::Unreachable(Some(_)) => Passed::Perhaps,
        Reach::Refused(Some(_)) | Reach::Prohibited(_) | Reach::Unreachable(None) => Passed::No,
    }
}

/// The findings: what answered must not have been reached.
pub fn judge(intent: &Intent, place: &Place, tried: &[Tried]) -> Vec<Finding> {
    let Some(from) = place.zone.and_then(|at| intent.topology.zones.get(at)) else { return Vec::new() };
    let mut groups: BTreeMap<(String, IpAddr, Passed), Vec<String>> = BTreeMap::new();
    for one in tried {
        let passed = passed(one);
        if passed != Passed::No {
            let Attempt { to, address, port, protocol, .. } = &one.attempt;
            groups.entry((to.clone(), *address, passed)).or_default().push(format!("{port}/{protocol}"));
        }
    }
    let finding = |((to, address, passed), ports): ((String, IpAddr, Passed), Vec<String>)| {
        let id = match passed {
            Passed::Yes => "segment-reached",
            Passed::Untried => "segment-untried",
            _ => "segment-refusals",
        };
        let text = Text::new(id)
            .arg("from", &from.name)
            .arg("to", &to)
            .arg("address", address)
            .arg("ports", ports.join(", "));
        let subject = Subject { segment: Some(from.name.clone()), peer: Some(to), ..Subject::default() };
        let proof = if passed == Passed::Yes { Proof::Observed } else { Proof::Possible };
        Finding::new(FindingId::SegmentReachable, subject, text).proof(proof)
    };
    let mut out: Vec<Finding> = groups.into_iter().map(finding).collect();
    // Evidence of nothing is no evidence.
    if tried.is_empty() {
        let subject = Subject { segment: Some(from.name.clone()), ..Subject::default() };
        let text = Text::new("segment-nothing-tried").arg("from", &from.name);
        out.push(Finding::new(FindingId::SegmentReachable, subject, text).proof(Proof::Possible));
    }
    Finding::sort(&mut out);
    out
}
