//! The SYN engine: asks ports of many hosts by frames of its own, keeps one byte for each, and says what it could not see.
//! Nothing is ever sent but SYNs without payload; the kernel, which knows nothing of the connection, resets what comes back.
#![cfg(target_os = "linux")]

use crate::connect;
use crate::discover::{self, Effort};
use crate::filter;
use crate::link::{Error, Interface, Route, Routing, Wire};
use crate::pace::{Bucket, Occupied, Pace, now};
use crate::packet::{self, Mac, SYN_MAX, Syn};
use crate::ports::{Engine, Host, Outcome};
use crate::sweep::{OUR_PORTS, Sweep};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tillgate_model::Text;

/// How to scan.
#[derive(Clone, Debug)]
pub struct Options {
    /// How fast.
    pub pace: Pace,
    /// How hard to look for hosts of the segment before their ports are asked.
    pub effort: Effort,
    /// Attempts at a port at most, up to 12.
    pub rounds: u8,
    /// Expected misses with which a scan counts as complete.
    pub misses: f64,
    /// Longest time for the whole scan.
    pub deadline: Duration,
    /// Whether to make a whole connection to every open port found, without payload, and close it.
    pub confirm: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            pace: Pace::normal(),
            effort: Effort::Normal,
            rounds: 8,
            misses: 1e-4,
            deadline: Duration::from_secs(3_600),
            confirm: false,
        }
    }
}

/// Frames made ready at a time.
const SEND: usize = 64;

/// Scans TCP ports of hosts. Addresses of this host, and those behind an interface without Ethernet frames, go to the connect
/// engine. Blocks; call it from a thread of its own. Needs CAP_NET_RAW.
pub fn scan(targets: &[IpAddr], ports: &[u16], options: &Options) -> Result<Outcome, Error> {
    let start = now();
    let end = start + options.deadline;
    let mut targets = targets.to_vec();
    targets.sort_unstable();
    targets.dedup();
    let mut ports = ports.to_vec();
    let mut seen = vec![false; 65_536];
    // Port 0 cannot be connected to.
    ports.retain(|port| *port != 0 && !std::mem::replace(&mut seen[usize::from(*port)], true));

    let interfaces = Interface::all()?;
    let routing = Routing::open()?;
    let (mut groups, mut plain) = (BTreeMap::<_, Vec<IpAddr>>::new(), Vec::new());
    let mut outcome = Outcome::empty();
    for target in targets {
        match routing.route(target) {
            Ok(Route { interface, gateway, source: Some(source), is_local: false })
                if interfaces.iter().any(|known| known.index == interface && known.is_ethernet)
                    && source.is_ipv4() == target.is_ipv4() =>
            {
                groups.entry((interface, gateway, source)).or_default().push(target);
            }
            Ok(_) => plain.push(target),
            Err(Error::NoRoute(_)) => {
                outcome.hosts.push(absent(target, ports.len()));
                outcome.gap(Text::new("scan-no-route").arg("address", target));
            }
            Err(error) => return Err(error),
        }
    }
    for ((index, gateway, source), hosts) in groups {
        let Some(interface) = interfaces.iter().find(|known| known.index == index) else { continue };
        let way = Way { interface, gateway, source, routing: &routing };
        outcome.merge(way.scan(hosts, &ports, options, end)?);
    }
    if !plain.is_empty() {
        let options = connect::Options {
            // These are this host's own addresses, or beyond a tunnel whose router is unknown.
            pace: options.pace,
            deadline: end.saturating_duration_since(now()),
            misses: options.misses,
            ..connect::Options::default()
        };
        outcome.merge(connect::scan_blocking(&plain, &ports, &options).map_err(Error::System)?);
    }
    if options.confirm {
        confirm(&mut outcome, end)?;
    }
    outcome.sort();
    outcome.time = now().saturating_duration_since(start);
    Ok(outcome)
}

/// Hosts behind the same next hop, or on the same segment.
struct Way<'a> {
    interface: &'a Interface,
    gateway: Option<IpAddr>,
    source: IpAddr,
    routing: &'a Routing,
}

impl Way<'_> {
    fn scan(
        &self,
        hosts: Vec<IpAddr>,
        ports: &[u16],
        options: &Options,
        end: Instant,
    ) -> Result<Outcome, Error> {
        let hops = match self.gateway {
            Some(gateway) => vec![gateway],
            None => hosts.clone(),
        };
        let mut macs = self.routing.neighbours(self.interface.index)?;
        macs.retain(|address, _| hops.contains(address));
        let unknown: Vec<_> = hops.iter().filter(|hop| !macs.contains_key(hop)).copied().collect();
        let asked = discover::resolve(self.interface, self.source, &unknown, options.effort)?;
        macs.extend(asked.macs);

        let mut outcome = Outcome::empty();
        outcome.dropped = asked.dropped;
        if asked.is_doubtful {
            outcome.gap(Text::new("scan-gap-dropped").num("frames", asked.dropped as usize));
        }
        let (mut reached, mut next): (Vec<IpAddr>, Vec<Mac>) = (Vec::new(), Vec::new());
        for host in hosts {
            match macs.get(&self.gateway.unwrap_or(host)) {
                Some(mac) => {
                    reached.push(host);
                    next.push(*mac);
                }
                None => outcome.hosts.push(absent(host, ports.len())),
            }
        }
        if let (Some(gateway), true) = (self.gateway, reached.is_empty()) {
            outcome.gap(Text::new("scan-gap-gateway").arg("address", gateway));
        }
        if !reached.is_empty() && !ports.is_empty() {
            outcome.merge(self.sweep(reached, next, ports, options, end)?);
        }
        if self.gateway.is_none() {
            for host in &mut outcome.hosts {
                host.mac = macs.get(&host.address).copied();
            }
        }
        Ok(outcome)
    }

    fn sweep(
        &self,
        mut hosts: Vec<IpAddr>,
        macs: Vec<Mac>,
        ports: &[u16],
        options: &Options,
        end: Instant,
    ) -> Result<Outcome, Error> {
        let key = RandomState::new();
        let base = source_ports(&key);
        let next_hop: HashMap<IpAddr, Mac> = hosts.iter().copied().zip(macs).collect();
        // An order of its own for every scan: neighbouring addresses are often the same machine.
        hosts.sort_by_cached_key(|host| key.hash_one(host));
        let hops: Vec<(IpAddr, Mac)> =
            hosts.iter().map(|host| (*host, next_hop.get(host).copied().unwrap_or(Mac::BROADCAST))).collect();
        let (kind, filter) = match self.source {
            IpAddr::V4(_) => (packet::IPV4, filter::v4(base)),
            IpAddr::V6(_) => (packet::IPV6, filter::v6(base)),
        };
        let mut wire = Wire::open(self.interface, kind, &filter, filter::ANSWER)?;
        let start = now();
        let mut run = Run {
            from: (self.interface.mac, self.source),
            bucket: Bucket::new(options.pace.rate(hosts.len()), start),
            path: options
                .pace
                .path
                .filter(|_| self.gateway.is_some())
                .map(|table| Occupied::new(table, start)),
            sweep: Sweep::new(hosts, ports.to_vec(), base, key),
            hops,
            start,
            end,
            sent: 0,
            received: 0,
        };
        let mut outcome = Outcome::empty();
        let (is_late, lost_last) = loop {
            let is_late = !run.round(&mut wire)?;
            let drops = wire.read_drops()?;
            if drops > 0 {
                run.bucket.slow_down(0.5);
            }
            let goes_on = run.sweep.next_round(drops == 0 && !is_late, options.misses, options.rounds);
            if is_late || !goes_on {
                break (is_late, drops > 0);
            }
        };
        if is_late {
            outcome.gap(Text::new("scan-gap-deadline").num("seconds", options.deadline.as_secs() as usize));
        }
        if lost_last && !run.sweep.is_answered() {
            outcome.gap(Text::new("scan-gap-dropped").num("frames", wire.dropped() as usize));
        }
        outcome.expected_misses = run.sweep.misses();
        if outcome.expected_misses > options.misses && outcome.is_complete {
            let misses = format!("{:.1e}", outcome.expected_misses);
            outcome.gap(
                Text::new("scan-gap-loss").arg("misses", misses).num("rounds", run.sweep.rounds().into()),
            );
        }
        outcome.dropped = wire.dropped();
        outcome.loss = run.sweep.loss().share();
        outcome.rounds = run.sweep.rounds();
        outcome.round_trip = run.sweep.round_trip().smooth();
        (outcome.sent, outcome.received) = (run.sent, run.received);
        (outcome.hosts, outcome.ports) = run.sweep.finish();
        Ok(outcome)
    }
}

/// A sweep under way.
struct Run {
    from: (Mac, IpAddr),
    hops: Vec<(IpAddr, Mac)>,
    bucket: Bucket,
    path: Option<Occupied>,
    sweep: Sweep,
    start: Instant,
    end: Instant,
    sent: u64,
    received: u64,
}

impl Run {
    /// Sends a round's SYNs and waits for their answers; false if time ran out.
    fn round(&mut self, wire: &mut Wire) -> Result<bool, Error> {
        let mut ready: Vec<([u8; SYN_MAX], usize)> = Vec::with_capacity(SEND);
        let mut is_sending = true;
        let mut last = now();
        loop {
            let now = now();
            if now >= self.end {
                return Ok(false);
            }
            // All there is, but not so long that sending starves.
            for _ in 0..4 {
                if self.receive(wire, now)? < crate::link::BATCH {
                    break;
                }
            }
            if self.sweep.is_answered() {
                return Ok(true);
            }
            if is_sending || self.sweep.has_decoys() {
                let since = now.saturating_duration_since(self.start);
                let path = self.path.as_mut().map_or(usize::MAX, |path| path.available(now));
                let room = self.bucket.available(now).min(path).min(SEND);
                while ready.len() < room {
                    let Some(probe) = self.sweep.next(since) else {
                        is_sending = false;
                        break;
                    };
                    ready.extend(self.frame(&probe));
                }
            }
            if !ready.is_empty() {
                let sent = wire.send(&ready)?;
                ready.drain(..sent);
                self.sent += sent as u64;
                self.bucket.spend(sent);
                if let Some(path) = &mut self.path {
                    path.spend(sent, now);
                }
                last = now;
                if sent == 0 {
                    wire.wait(Duration::from_millis(1))?;
                }
                continue;
            }
            let wait = match (is_sending, &self.path) {
                (true, Some(path)) => self.bucket.wait().max(path.wait(now)),
                (true, None) => self.bucket.wait(),
                (false, _) => (last + self.sweep.round_trip().patience()).saturating_duration_since(now),
            };
            if wait.is_zero() && !is_sending {
                return Ok(true);
            }
            wire.wait(wait.min(self.end.saturating_duration_since(now)))?;
        }
    }

    fn receive(&mut self, wire: &mut Wire, now: Instant) -> Result<usize, Error> {
        let since = now.saturating_duration_since(self.start);
        wire.receive(|frame| {
            let Some(answer) = packet::answer(frame) else { return };
            if self.sweep.on(&answer, since) {
                self.received += 1;
                if let Some(path) = &mut self.path {
                    path.refund();
                }
            }
        })
    }

    fn frame(&self, probe: &crate::sweep::Probe) -> Option<([u8; SYN_MAX], usize)> {
        let (destination, to) = *self.hops.get(probe.host)?;
        let syn = Syn {
            from: self.from.0,
            to,
            source: self.from.1,
            destination,
            source_port: probe.our_port,
            port: probe.port,
            sequence: probe.sequence,
        };
        let mut frame = [0; SYN_MAX];
        let length = syn.write(&mut frame);
        Some((frame, length))
    }
}

fn absent(address: IpAddr, ports: usize) -> Host {
    let silent = ports as u32;
    let engine = Engine::Absent;
    Host { address, mac: None, engine, answers_everything: false, open: 0, closed: 0, refused: 0, silent }
}

fn confirm(outcome: &mut Outcome, end: Instant) -> Result<(), Error> {
    let open = |port: &&mut crate::ports::Scanned| port.state == crate::ports::Port::Open;
    let asked: Vec<SocketAddr> =
        outcome.ports.iter_mut().filter(open).map(|port| SocketAddr::new(port.host, port.port)).collect();
    let left = end.saturating_duration_since(now());
    let confirmed = connect::confirm_blocking(&asked, left).map_err(Error::System)?;
    for (port, is_open) in outcome.ports.iter_mut().filter(open).zip(confirmed) {
        port.confirmed = is_open;
    }
    Ok(())
}

/// The first of our source ports: at random, outside the range from which the kernel takes its own, so that it has no socket
/// there and resets what comes back.
fn source_ports(key: &RandomState) -> u16 {
    let taken = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = taken.split_whitespace().filter_map(|bound| bound.parse::<u16>().ok());
    let (low, high) = (bounds.next().unwrap_or(32_768), bounds.next().unwrap_or(60_999));
    let free = match () {
        () if u16::MAX - high > 4 * OUR_PORTS => high + 1..u16::MAX - OUR_PORTS,
        () if low > 10_000 + 4 * OUR_PORTS => 10_000..low - OUR_PORTS,
        () => 61_000..u16::MAX - OUR_PORTS,
    };
    let random = key.hash_one("source ports") % u64::from(free.end - free.start);
    free.start + random as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::ROOM;
    use crate::ports::{Port, Why};
    use crate::veth::Pair;

    fn fast() -> Options {
        Options {
            pace: Pace::fast(),
            effort: Effort::Quick,
            deadline: Duration::from_secs(60),
            ..Options::default()
        }
    }

    fn hosts(net: [u8; 3], count: u8) -> Vec<IpAddr> {
        (1..=count).map(|n| IpAddr::from([net[0], net[1], net[2], n])).collect()
    }

    #[test]
    fn ports_of_a_segment_are_found_whole() {
        let Some(pair) = Pair::new() else { return };
        let open = pair.listen(&["10.99.0.3:443", "10.99.0.3:9100", "10.99.0.7:22", "[fd99::3]:443"]);
        let outcome = pair.within(|| {
            let mut asked = hosts([10, 99, 0], 20);
            asked.extend(["fd99::3".parse::<IpAddr>().unwrap(), "fd99::77".parse().unwrap()]);
            let ports: Vec<u16> = (1..=500).chain([9_100]).collect();
            scan(&asked, &ports, &Options { confirm: true, ..fast() }).unwrap()
        });
        let found: Vec<SocketAddr> =
            outcome.ports.iter().map(|port| SocketAddr::new(port.host, port.port)).collect();
        assert_eq!(found, open);
        assert!(outcome.ports.iter().all(|port| port.confirmed == Some(true) && port.time.is_some()));
        assert!(outcome.is_complete && outcome.expected_misses < 1e-4, "{outcome:?}");
        let host = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            outcome.hosts.iter().find(move |host| host.address == address).unwrap()
        };
        assert_eq!((host("10.99.0.3").open, host("10.99.0.3").closed), (2, 499));
        assert_eq!(host("10.99.0.3").mac, Some(pair.far_mac()));
        // The address of this end is scanned by connect(); nobody has the last ones.
        assert_eq!((host("10.99.0.1").engine, host("10.99.0.1").closed), (Engine::Connect, 501));
        assert_eq!((host("10.99.0.16").engine, host("10.99.0.16").silent), (Engine::Absent, 501));
        assert_eq!(host("fd99::77").engine, Engine::Absent);
        assert_eq!(pair.payload_bytes(), 0, "nothing was ever written to a port");
    }

    #[test]
    fn hosts_behind_a_router_are_refused_by_it() {
        let Some(pair) = Pair::new() else { return };
        pair.far("ip route add prohibit 198.51.100.0/24");
        let outcome = pair.within(|| {
            crate::veth::run("ip route add 198.51.100.0/24 via 10.99.0.2");
            scan(&hosts([198, 51, 100], 2), &[80], &fast()).unwrap()
        });
        for port in &outcome.ports {
            let Port::Refused(refusal) = port.state else { panic!("{port:?}") };
            assert_eq!((refusal.why, refusal.by), (Why::Prohibited, "10.99.0.2".parse().ok()));
        }
        assert_eq!(outcome.ports.len(), 2);
        assert_eq!(outcome.hosts[0].mac, None, "the router's is not the host's");
    }

    #[test]
    fn dropped_answers_are_asked_again_or_told() {
        let Some(pair) = Pair::new() else { return };
        pair.listen(&["10.99.0.3:443"]);
        let ports: Vec<u16> = (1..=20_000).collect();
        let outcome = pair.within(move || {
            ROOM.set(Some(2_304));
            scan(&hosts([10, 99, 0], 9)[2..], &ports, &Options { rounds: 3, ..fast() }).unwrap()
        });
        assert!(outcome.dropped > 0, "{outcome:?}");
        let silent: u32 = outcome.hosts.iter().map(|host| host.silent).sum();
        assert!(silent == 0 || !outcome.is_complete, "{outcome:?}");
    }

    #[test]
    fn a_deadline_is_told() {
        let Some(pair) = Pair::new() else { return };
        let outcome = pair.within(|| {
            let ports: Vec<u16> = (1..=60_000).collect();
            let options =
                Options { deadline: Duration::from_millis(600), effort: Effort::Quick, ..Options::default() };
            scan(&hosts([10, 99, 0], 5)[2..], &ports, &options).unwrap()
        });
        assert!(!outcome.is_complete && outcome.time < Duration::from_secs(30));
        assert!(outcome.gaps.iter().any(|gap| gap.id == "scan-gap-deadline"), "{outcome:?}");
    }
}
