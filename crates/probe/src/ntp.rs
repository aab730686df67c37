//! Asks a time server as a client does (RFC 5905, SNTP: mode 3, version 4) and says by how much the clocks differ.

mod compare;
pub(crate) mod packet;
pub(crate) mod socket;
mod tally;
#[cfg(test)]
mod tests;

pub use compare::judge;

use crate::outcome::Report;
use packet::Stamp;
use socket::{BUFFER, Moment, Socket};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tally::Tally;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a server may take for an answer, at least.
const PATIENCE: Duration = Duration::from_secs(1);

/// No wait is longer: points in time must not run out of their range.
const LONGEST: Duration = Duration::from_secs(86_400);

/// After so many questions without any answer no more are asked.
const SILENT_ROUNDS: u32 = 4;

/// After so many packets that answer nothing asked here, no more are read.
const STRAYS: u32 = 10_000;

/// What to ask.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The server, usually on port 123.
    pub server: SocketAddr,
    /// Questions to ask. The one with the shortest way decides.
    pub samples: u32,
    /// Time between two questions. Public servers want 2 s (RFC 5905: iburst); less may earn the kiss code RATE.
    pub interval: Duration,
    /// Time for everything.
    pub deadline: Duration,
    /// The address to ask from.
    pub local: Option<IpAddr>,
}

impl Ask {
    /// Eight questions, 2 s apart, within 20 s.
    pub fn new(server: SocketAddr) -> Self {
        Ask {
            server,
            samples: 8,
            interval: Duration::from_secs(2),
            deadline: Duration::from_secs(20),
            local: None,
        }
    }
}

/// By how much a server's clock differs from this host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Who was asked.
    pub server: SocketAddr,
    /// How texts call the server: its address, unless the caller knows a name.
    pub name: String,
    /// The server's time less this host's, in nanoseconds: positive if this host is behind.
    pub nanos: i64,
    /// How far `nanos` can be wrong whatever the way does: half the round trip, and the server's precision.
    pub bound: Duration,
    /// How far the server itself says it can be from true time: its root distance.
    pub root: Duration,
    /// The round trip of the sample that decided.
    pub delay: Duration,
    /// Spread of the other samples' offsets round the one that decided (RFC 5905 section 10: the peer jitter).
    pub jitter: Duration,
}

impl Offset {
    /// How far this host can be from true time beyond `nanos`, if the server is honest.
    pub fn limit(&self) -> Duration {
        self.bound.saturating_add(self.root)
    }
}

/// Asks a time server. Ends within the deadline whatever it does.
///
/// Faults: `ntp-unreachable` if there is no usable time (no answer, a kiss code, not synchronised, …), and then no
/// offset. Never `clock-off`: whose clock is wrong is judged over several servers by [`judge`].
///
/// Details: `offset_us`, `bound_us`, `limit_us`, `delay_us`, `jitter_us`, `usable`, `stamps` (`kernel` or `process`),
/// `version`, `stratum`, `leap`, `reference`, `precision_us`, `root_delay_us`, `root_dispersion_us`,
/// `root_distance_us`; `kiss`, `strays`, `repeated`, `clock_stepped`, `impossible` (answers whose server was busy for
/// longer than the whole round trip took), where they were seen.
pub async fn check(ask: &Ask) -> (Report, Option<Offset>) {
    let mut tally = Tally::new(ask.server);
    // The tally stays when time runs out: what was answered by then counts.
    let _ = timeout(ask.deadline, run(ask, &mut tally)).await;
    tally.ended(Moment::now());
    tally.report()
}

async fn run(ask: &Ask, tally: &mut Tally) {
    let socket = match Socket::open(ask.server, ask.local) {
        Ok(socket) => socket,
        Err(error) => return tally.not_sent(&error),
    };
    let mut buffer = vec![0; BUFFER];
    for round in 1..=ask.samples.max(1) {
        let Some(cookie) = random_stamp() else {
            return tally.not_sent(&std::io::Error::other("no random numbers"));
        };
        let start = Instant::now();
        let interval = ask.interval.min(LONGEST);
        let (next, patience) = (start + interval, start + interval.max(PATIENCE));
        tally.asked(cookie, Moment::now());
        if let Err(error) = socket.send(&packet::question(cookie)).await {
            tally.not_sent(&error);
        }
        loop {
            let until = if !tally.is_answered() {
                patience
            } else if round < ask.samples {
                next
            } else {
                break;
            };
            // Read even when the time is over, so that a flood of packets cannot stretch it.
            if Instant::now() >= until {
                break;
            }
            match timeout_at(until, socket.event(&mut buffer)).await {
                Ok(Ok(event)) => tally.seen(event, &buffer, Moment::now()),
                Ok(Err(error)) => return tally.not_sent(&error),
                Err(_) => break,
            }
            if tally.is_over() {
                return;
            }
        }
        if round >= SILENT_ROUNDS && !tally.has_answer() {
            return;
        }
    }
}

/// A time stamp nobody can guess and that does not tell this host's time; `None` if there are no random numbers.
pub(crate) fn random_stamp() -> Option<Stamp> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).ok()?;
    // Zero would read as "not known".
    Some(Stamp(u64::from_be_bytes(octets).max(1)))
}
