//! Asks open ports what they are, some at a time, and UDP ports whether they answer.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tillgate_scan::observed::{Device, OpenPort, PortSpan, Transport};
use tillgate_scan::ports::{Outcome, Port};
use tillgate_scan::service::{Identified, Service, identify_tcp, identify_udp, is_printing};
use tokio::task::JoinSet;

/// Services asked at a time over all devices.
const AT_A_TIME: usize = 32;
/// Time for one TCP service: a greeting, then a question or two.
const EACH: Duration = Duration::from_secs(6);
/// Time for one UDP port: three datagrams.
const DATAGRAM: Duration = Duration::from_secs(3);

/// What came of it.
#[derive(Default)]
pub struct Asked {
    /// UDP ports that were asked of every device.
    pub spans: Vec<PortSpan>,
    /// Why something was not asked.
    pub gaps: Vec<Text>,
}

/// What to ask.
pub struct Questions<'a> {
    /// Whether services are asked at all.
    pub is_wanted: bool,
    /// UDP ports.
    pub datagrams: &'a [u16],
    /// Time for all of them.
    pub left: Duration,
    /// When the scan began.
    pub at: i64,
}

/// A question under way.
type Ended = (Transport, SocketAddr, Identified);

/// Fills in the ports of devices: every open TCP port, with its service if services are wanted, and UDP ports that answer.
pub async fn ask(
    devices: &mut [Device],
    outcome: &Outcome,
    questions: &Questions<'_>,
    may: impl Fn(IpAddr) -> bool,
    tick: impl Fn(usize, usize),
) -> Asked {
    let Questions { is_wanted, datagrams, left, at } = *questions;
    let mut place: HashMap<IpAddr, usize> = HashMap::new();
    for (index, device) in devices.iter().enumerate() {
        place.extend(device.addresses.iter().map(|a| (*a, index)));
    }
    let mut todo: Vec<(Transport, SocketAddr)> = Vec::new();
    for open in outcome.ports.iter().filter(|p| p.state == Port::Open) {
        let Some(device) = place.get(&open.host).and_then(|index| devices.get_mut(*index)) else { continue };
        device.ports.push(OpenPort { protocol: Transport::Tcp, port: open.port, service: None, first: at });
        if is_wanted {
            todo.push((Transport::Tcp, SocketAddr::new(open.host, open.port)));
        }
    }
    let hosts = devices.iter().filter(|d| !d.answers_everything).flat_map(|d| &d.addresses);
    let hosts: Vec<IpAddr> = hosts.copied().filter(|a| may(*a)).collect();
    // Port by port, so that neighbours in the list are different devices.
    for port in datagrams.iter().filter(|port| !is_printing(**port)) {
        todo.extend(hosts.iter().map(|host| (Transport::Udp, SocketAddr::new(*host, *port))));
    }
    todo.sort_by_key(|(_, at)| at.port());
    todo.reverse();

    let seed = RandomState::new().hash_one("services");
    let all = todo.len();
    let deadline = tokio::time::Instant::now() + left;
    let mut under_way: JoinSet<Ended> = JoinSet::new();
    let (mut asked, mut udp, mut local) = (Asked::default(), HashSet::new(), 0);
    let mut unasked = 0;
    loop {
        while under_way.len() < AT_A_TIME {
            let Some((transport, to)) = todo.pop() else { break };
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                unasked += 1;
                continue;
            }
            under_way.spawn(async move {
                let answer = match transport {
                    Transport::Tcp => identify_tcp(to, EACH.min(left), seed).await,
                    Transport::Udp => identify_udp(to, DATAGRAM.min(left), seed).await,
                };
                (transport, to, answer)
            });
        }
        let Some(ended) = under_way.join_next().await else { break };
        tick(all - todo.len() - under_way.len(), all);
        let Ok((transport, to, answer)) = ended else {
            unasked += 1;
            continue;
        };
        if transport == Transport::Udp && !matches!(answer, Identified::NotAsked(_) | Identified::Local(_)) {
            udp.insert(to.port());
        }
        local += usize::from(matches!(answer, Identified::Local(_)));
        let Some(device) = place.get(&to.ip()).and_then(|index| devices.get_mut(*index)) else { continue };
        take(device, transport, to.port(), answer, at);
    }
    asked.spans.extend(udp.into_iter().map(|port| PortSpan {
        protocol: Transport::Udp,
        first: port,
        last: port,
    }));
    if unasked > 0 {
        asked.gaps.push(Text::new("scan-gap-services").num("count", unasked));
    }
    if local > 0 {
        asked.gaps.push(Text::new("scan-gap-local").num("count", local));
    }
    asked
}

fn take(device: &mut Device, transport: Transport, port: u16, answer: Identified, at: i64) {
    let known = device.ports.iter_mut().find(|p| p.protocol == transport && p.port == port);
    match (transport, answer, known) {
        (Transport::Tcp, Identified::Open(service) | Identified::NotAsked(service), Some(open))
            if open.service.as_ref().is_none_or(|before| knows_more(&service, before)) =>
        {
            open.service = Some(service);
        }
        (Transport::Udp, Identified::Open(service), None) => {
            device.ports.push(OpenPort { protocol: transport, port, service: Some(service), first: at });
        }
        _ => {}
    }
}

fn knows_more(new: &Service, before: &Service) -> bool {
    new.basis < before.basis
}
