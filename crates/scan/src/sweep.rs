//! The decisions of a SYN scan without its sockets: which probe is next, what an answer means, when it has been asked often
//! enough.

use crate::pace::{Loss, RoundTrip};
use crate::packet::{Answer, Said};
use crate::ports::{Engine, Host, Port, Refusal, Scanned, Why};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// Source ports that a scan uses: one for each attempt, so that an answer says which one it answers, and the last for decoys.
pub const OUR_PORTS: u16 = 16;
/// The most attempts at a port.
pub const ROUNDS_MAX: u8 = 12;

/// Unit of the time in a sequence number; 14 bits of it go round in 1.6 s.
const TICK: Duration = Duration::from_micros(100);
const TICKS: u32 = 1 << 14;
/// Open ports of a host from which on it is suspected to answer everything.
const SUSPECT: u32 = 24;
/// Random high ports asked of a suspect.
const DECOYS: usize = 8;
/// Attempts at a decoy.
const DECOY_ROUNDS: u8 = 4;

// What is known of a (port, host) pair, in a byte.
const SILENT: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;
const LEFT: u8 = 3;
/// From here on: the number of a refusal.
const REFUSED: u8 = 4;

/// A SYN to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which host, by its place in the list given.
    pub host: usize,
    /// Port asked.
    pub port: u16,
    /// Our port.
    pub our_port: u16,
    /// Initial sequence number.
    pub sequence: u32,
}

/// A scan of some ports of some hosts.
pub struct Sweep {
    hosts: Vec<IpAddr>,
    ports: Vec<u16>,
    /// Where a host stands in the list.
    places: HashMap<IpAddr, u32>,
    /// Where a port stands in the list; `u16::MAX` for those not asked.
    port_places: Vec<u16>,
    /// One byte for each pair, all hosts of the first port first: consecutive probes go to different hosts.
    state: Vec<u8>,
    key: RandomState,
    base: u16,
    round: u8,
    cursor: usize,
    silent: u64,
    /// Rounds in which no answer was dropped.
    clean: u32,
    loss: Loss,
    trip: RoundTrip,
    found: Vec<Scanned>,
    refusals: Vec<Refusal>,
    open: Vec<u32>,
    suspects: HashMap<u32, Suspect>,
    decoys: VecDeque<(u32, u8)>,
}

/// A host with many open ports, and what its decoys answered.
struct Suspect {
    ports: [u16; DECOYS],
    open: u8,
    tries: u8,
    answers_everything: bool,
    is_cleared: bool,
}

impl Sweep {
    /// A scan of these ports (no port twice) of these hosts (none twice, in the order in which they are to be asked). The key
    /// makes the cookies; `base` is the first of our source ports.
    pub fn new(hosts: Vec<IpAddr>, ports: Vec<u16>, base: u16, key: RandomState) -> Self {
        let mut port_places = vec![u16::MAX; 65_536];
        for (place, port) in ports.iter().enumerate() {
            if let Some(slot) = port_places.get_mut(usize::from(*port)) {
                *slot = place as u16;
            }
        }
        let pairs = hosts.len() * ports.len();
        Sweep {
            places: hosts.iter().zip(0..).map(|(host, place)| (*host, place)).collect(),
            port_places,
            state: vec![SILENT; pairs],
            key,
            base,
            round: 0,
            cursor: 0,
            silent: pairs as u64,
            clean: 0,
            loss: Loss::default(),
            trip: RoundTrip::default(),
            found: Vec::new(),
            refusals: Vec::new(),
            open: vec![0; hosts.len()],
            suspects: HashMap::new(),
            decoys: VecDeque::new(),
            hosts,
            ports,
        }
    }

    /// The next SYN of this round; `None` when all have been sent. `since` is the time since the scan began.
    pub fn next(&mut self, since: Duration) -> Option<Probe> {
        if let Some((host, decoy)) = self.decoys.pop_front() {
            let port = *self.suspects.get(&host)?.ports.get(usize::from(decoy))?;
            return Some(self.probe(host as usize, port, self.base + OUR_PORTS - 1, since));
        }
        let ahead = self.state.get(self.cursor..)?.iter().position(|state| *state == SILENT);
        let Some(ahead) = ahead else {
            self.cursor = self.state.len();
            return None;
        };
        let place = self.cursor + ahead;
        self.cursor = place + 1;
        let (host, port) = (place % self.hosts.len(), *self.ports.get(place / self.hosts.len())?);
        Some(self.probe(host, port, self.base + u16::from(self.round), since))
    }

    /// Takes an answer; whether it is one to a SYN of this scan. One more of the same kind changes nothing.
    pub fn on(&mut self, answer: &Answer, since: Duration) -> bool {
        let attempt = answer.our_port.wrapping_sub(self.base);
        let place = self.places.get(&answer.host).copied();
        let (Some(host), true) = (place, attempt < OUR_PORTS) else { return false };
        if answer.sequence / TICKS != self.cookie(answer.host, answer.port, answer.our_port) {
            return false;
        }
        let ago = ticks(since).wrapping_sub(answer.sequence) % TICKS;
        let time = TICK * ago;
        if attempt == OUR_PORTS - 1 {
            self.on_decoy(host, answer);
            return true;
        }
        let Some(port) = self.port_places.get(usize::from(answer.port)).filter(|place| **place != u16::MAX)
        else {
            return false;
        };
        let pair = usize::from(*port) * self.hosts.len() + host as usize;
        let Some(state) = self.state.get(pair).copied() else { return false };
        let is_news = match answer.said {
            Said::Open => state == SILENT || state >= REFUSED,
            _ => state == SILENT,
        };
        if !is_news {
            return true;
        }
        let (code, seen) = match answer.said {
            Said::Closed => (CLOSED, None),
            Said::Open => (OPEN, Some(Port::Open)),
            Said::Error { kind, code, by } => {
                let why = if by.is_ipv4() { Why::of_icmp(kind, code) } else { Why::of_icmpv6(kind, code) };
                let refusal = Refusal { why, by: Some(by) };
                (self.refusal(refusal), Some(Port::Refused(refusal)))
            }
        };
        if let Some(slot) = self.state.get_mut(pair) {
            *slot = code;
        }
        if state == SILENT {
            self.silent -= 1;
        } else {
            self.found.retain(|found| (found.host, found.port) != (answer.host, answer.port));
        }
        // A host that gets no acknowledgement repeats its SYN-ACK after 1 s (RFC 6298): such an answer comes late, counts for
        // the round in which it was heard, and tells no round trip.
        let is_prompt = attempt == u16::from(self.round) && time < Duration::from_secs(1);
        // Routers limit their ICMP errors, so those tell nothing about loss.
        if code < REFUSED {
            self.loss.add(usize::from(self.round));
            if is_prompt {
                self.trip.add(time);
            }
        }
        if let Some(state) = seen {
            let (host, port) = (answer.host, answer.port);
            let time = is_prompt.then_some(time);
            self.found.push(Scanned { host, port, state, time, tries: attempt as u8 + 1, confirmed: None });
        }
        if code == OPEN {
            self.on_open(host);
        }
        true
    }

    /// Ends a round: every SYN was sent and waited for. `is_clean` if no answer was dropped meanwhile. Whether another round
    /// is needed before silence counts as silence.
    pub fn next_round(&mut self, is_clean: bool, limit: f64, rounds: u8) -> bool {
        self.clean += u32::from(is_clean);
        self.cursor = 0;
        for (host, suspect) in &mut self.suspects {
            if suspect.is_cleared || suspect.answers_everything {
                continue;
            }
            suspect.tries += 1;
            if suspect.tries < DECOY_ROUNDS {
                let missing = (0..DECOYS as u8).filter(|decoy| suspect.open & (1 << decoy) == 0);
                self.decoys.extend(missing.map(|decoy| (*host, decoy)));
            } else {
                suspect.is_cleared = true;
            }
        }
        let is_due = self.silent > 0 && (!is_clean || self.misses() > limit || self.clean == 0);
        if is_due && self.round + 1 < rounds.min(ROUNDS_MAX) {
            self.round += 1;
            return true;
        }
        // Nothing but decoys is left.
        self.cursor = self.state.len();
        !self.decoys.is_empty()
    }

    /// Ports expected to be missed, by the rounds whose answers all came through.
    pub fn misses(&self) -> f64 {
        match self.silent {
            0 => 0.0,
            silent if self.clean == 0 => silent as f64,
            silent => self.loss.misses(self.clean, silent),
        }
    }

    /// Whether every pair has an answer and no decoy is under way.
    pub fn is_answered(&self) -> bool {
        let is_asking = |suspect: &Suspect| !suspect.is_cleared && !suspect.answers_everything;
        self.silent == 0 && !self.suspects.values().any(is_asking)
    }

    /// Whether decoys wait to be sent, whatever the round has sent already.
    pub fn has_decoys(&self) -> bool {
        !self.decoys.is_empty()
    }

    /// Attempts so far.
    pub fn rounds(&self) -> u8 {
        self.round + 1
    }

    /// The loss seen.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Round trips seen.
    pub fn round_trip(&self) -> &RoundTrip {
        &self.trip
    }

    /// What was found: hosts with their counts, and open and refused ports.
    pub fn finish(self) -> (Vec<Host>, Vec<Scanned>) {
        let mut hosts: Vec<Host> = (self.hosts.iter())
            .zip(0..)
            .map(|(address, place)| Host {
                address: *address,
                mac: None,
                engine: Engine::Raw,
                answers_everything: self
                    .suspects
                    .get(&place)
                    .is_some_and(|suspect| suspect.answers_everything),
                open: 0,
                closed: 0,
                refused: 0,
                silent: 0,
            })
            .collect();
        for row in self.state.chunks(self.hosts.len().max(1)) {
            for (state, host) in row.iter().zip(&mut hosts) {
                match *state {
                    SILENT | LEFT => host.silent += 1,
                    OPEN => host.open += 1,
                    CLOSED => host.closed += 1,
                    _ => host.refused += 1,
                }
            }
        }
        let mut found = self.found;
        found.retain(|port| {
            let place = self.places.get(&port.host);
            !place
                .and_then(|place| self.suspects.get(place))
                .is_some_and(|suspect| suspect.answers_everything)
        });
        found.shrink_to_fit();
        (hosts, found)
    }

    fn probe(&self, host: usize, port: u16, our_port: u16, since: Duration) -> Probe {
        let address = self.hosts.get(host).copied().unwrap_or(IpAddr::from([0; 4]));
        let sequence = self.cookie(address, port, our_port) * TICKS + ticks(since) % TICKS;
        Probe { host, port, our_port, sequence }
    }

    /// 18 bits that only who saw our SYN can know: keyed SipHash of addresses and ports.
    fn cookie(&self, host: IpAddr, port: u16, our_port: u16) -> u32 {
        (self.key.hash_one((host, port, our_port)) as u32) / TICKS
    }

    /// The byte of a refusal. Beyond 250 kinds and senders the last one stands for all the others.
    fn refusal(&mut self, refusal: Refusal) -> u8 {
        let place = self.refusals.iter().position(|known| *known == refusal).unwrap_or_else(|| {
            if self.refusals.len() < 251 {
                self.refusals.push(refusal);
            }
            self.refusals.len() - 1
        });
        REFUSED.saturating_add(place as u8)
    }

    fn on_open(&mut self, host: u32) {
        let Some(open) = self.open.get_mut(host as usize) else { return };
        *open += 1;
        if *open != SUSPECT || self.suspects.contains_key(&host) {
            return;
        }
        let mut ports = [0; DECOYS];
        for (port, n) in ports.iter_mut().zip(0u64..) {
            // Dynamic ports (RFC 6335), a different one in each eighth.
            let random = self.key.hash_one((host, n)) % (16_384 / DECOYS as u64);
            *port = (49_152 + n * (16_384 / DECOYS as u64) + random) as u16;
        }
        self.suspects
            .insert(host, Suspect { ports, open: 0, tries: 0, answers_everything: false, is_cleared: false });
        self.decoys.extend((0..DECOYS as u8).map(|decoy| (host, decoy)));
    }

    fn on_decoy(&mut self, host: u32, answer: &Answer) {
        let Some(suspect) = self.suspects.get_mut(&host) else { return };
        match answer.said {
            Said::Open => {
                let decoy = suspect.ports.iter().position(|port| *port == answer.port);
                suspect.open |= decoy.map_or(0, |decoy| 1 << decoy);
            }
            _ => suspect.is_cleared = true,
        }
        if suspect.open != u8::MAX || suspect.answers_everything || suspect.is_cleared {
            return;
        }
        suspect.answers_everything = true;
        // Nothing it says has a meaning: spare it the rest.
        let width = self.hosts.len();
        for state in self.state.iter_mut().skip(host as usize).step_by(width) {
            if *state == SILENT {
                *state = LEFT;
                self.silent -= 1;
            }
        }
    }
}

fn ticks(since: Duration) -> u32 {
    (since.as_micros() / TICK.as_micros()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn sweep(hosts: u8, ports: u16) -> Sweep {
        let hosts = (1..=hosts).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        Sweep::new(hosts, (1..=ports).collect(), 61_000, RandomState::new())
    }

    fn answer(sweep: &Sweep, probe: Probe, said: Said) -> Answer {
        let Probe { host, port, our_port, sequence } = probe;
        Answer { host: sweep.hosts[host], port, our_port, sequence, said }
    }

    #[test]
    fn it_asks_different_hosts_in_turn_and_only_silent_pairs_again() {
        let mut sweep = sweep(3, 100);
        let first: Vec<Probe> = std::iter::from_fn(|| sweep.next(START)).collect();
        assert_eq!(first.len(), 300);
        assert_eq!(first[..4].iter().map(|probe| probe.host).collect::<Vec<_>>(), [0, 1, 2, 0]);
        for probe in &first[..297] {
            let answer = answer(&sweep, *probe, if probe.port < 3 { Said::Open } else { Said::Closed });
            assert!(sweep.on(&answer, Duration::from_millis(5)));
            assert!(sweep.on(&answer, Duration::from_millis(5)), "again");
        }
        assert!(sweep.next_round(true, 1e-4, 8));
        let second: Vec<Probe> = std::iter::from_fn(|| sweep.next(START)).collect();
        assert_eq!(second.len(), 3);
        assert_eq!(second[0].our_port, 61_001);
        assert!(sweep.on(&answer(&sweep, second[0], Said::Open), START));
        assert!(sweep.misses() > 0.0);
        let (hosts, found) = sweep.finish();
        assert_eq!((hosts[1].open, hosts[1].closed, hosts[1].silent), (2, 97, 1));
        assert_eq!(found.len(), 7);
        assert_eq!(found[0].time, Some(Duration::from_millis(5)));
        assert_eq!((found[0].tries, found[6].tries), (1, 2));
    }

    #[test]
    fn answers_to_questions_of_others_count_for_nothing() {
        let mut sweep = sweep(2, 10);
        let probe = sweep.next(START).unwrap();
        let right = answer(&sweep, probe, Said::Open);
        assert!(!sweep.on(&Answer { sequence: right.sequence ^ 1 << 20, ..right }, START));
        assert!(!sweep.on(&Answer { port: 99, ..right }, START));
        assert!(!sweep.on(&Answer { our_port: 443, ..right }, START));
        assert!(!sweep.on(&Answer { host: "203.0.113.1".parse().unwrap(), ..right }, START));
        assert!(sweep.on(&right, START));
    }

    #[test]
    fn a_round_with_dropped_answers_does_not_count() {
        let mut sweep = sweep(1, 1_000);
        while let Some(probe) = sweep.next(START) {
            if probe.port % 2 == 0 {
                let answer = answer(&sweep, probe, Said::Closed);
                sweep.on(&answer, START);
            }
        }
        assert!(sweep.next_round(false, 1e-4, 8));
        assert_eq!(sweep.misses(), 500.0, "nothing can be said yet");
        let mut rounds = 1;
        loop {
            while sweep.next(START).is_some() {}
            if !sweep.next_round(true, 1e-4, 8) {
                break;
            }
            rounds += 1;
        }
        assert!(rounds >= 2 && sweep.misses() < 1e-4, "{rounds} {}", sweep.misses());
    }

    #[test]
    fn refusals_are_kept_with_their_sender_and_an_open_port_overrules_them() {
        let mut sweep = sweep(2, 10);
        let by = IpAddr::from([192, 0, 2, 254]);
        let probe = sweep.next(START).unwrap();
        let refused = answer(&sweep, probe, Said::Error { kind: 3, code: 13, by });
        assert!(sweep.on(&refused, START));
        assert_eq!(sweep.found[0].state, Port::Refused(Refusal { why: Why::Prohibited, by: Some(by) }));
        let open = answer(&sweep, probe, Said::Open);
        assert!(sweep.on(&open, START));
        let (hosts, found) = sweep.finish();
        assert_eq!((hosts[0].open, hosts[0].refused, found.len()), (1, 0, 1));
    }

    #[test]
    fn a_host_that_answers_everything_is_marked_and_spared() {
        let mut sweep = sweep(2, 5_000);
        let mut sent = 0;
        while let Some(probe) = sweep.next(START) {
            sent += 1;
            let said = if probe.host == 0 || probe.port <= 30 { Said::Open } else { Said::Closed };
            let answer = answer(&sweep, probe, said);
            sweep.on(&answer, START);
        }
        assert!(sweep.is_answered());
        assert!(sent < 5_100, "{sent}");
        let (hosts, found) = sweep.finish();
        assert!(hosts[0].answers_everything && !hosts[1].answers_everything);
        assert_eq!(found.len(), 30, "and the one with many real ones keeps them");
    }
}
