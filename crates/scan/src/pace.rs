//! How fast a scan may go, so that it hurts nobody: packets per second over all and per host, and what it may occupy in the
//! connection table of a router it passes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Limits of one scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Packets per second over all hosts.
    pub scan: f64,
    /// Packets per second to one host.
    pub host: f64,
    /// What probes through a router may occupy there; `None` takes no heed.
    pub path: Option<Table>,
}

impl Pace {
    /// Gentle to old terminals, printers and a small router: 2,000 packets/s, 500/s to one host, a quarter of a table of
    /// 16,384 connections (34 silent probes/s in the long run).
    pub fn normal() -> Self {
        Pace { scan: 2_000.0, host: 500.0, path: Some(Table::default()) }
    }

    /// As fast as a wired network carries; for a network known to bear it. Takes no heed of routers.
    pub fn fast() -> Self {
        Pace { scan: 250_000.0, host: 100_000.0, path: None }
    }

    /// Packets per second to this number of hosts asked in turn.
    pub fn rate(&self, hosts: usize) -> f64 {
        self.scan.min(self.host * hosts.max(1) as f64).max(1.0)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace::normal()
    }
}

/// A router's connection table, and our share of it. A SYN that passes the router and meets silence occupies an entry until
/// Linux forgets it after 120 s (`nf_conntrack_tcp_timeout_syn_sent`); one that is answered frees it at once or soon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Table {
    /// Connections the router can hold.
    pub entries: u32,
    /// The share of them that we may occupy, 0 to 1.
    pub share: f64,
    /// How long a silent probe occupies one.
    pub hold: Duration,
}

impl Default for Table {
    fn default() -> Self {
        Table { entries: 16_384, share: 0.25, hold: Duration::from_secs(120) }
    }
}

impl Table {
    /// Entries that we may occupy at a time.
    pub fn budget(&self) -> u64 {
        ((f64::from(self.entries) * self.share) as u64).max(1)
    }

    /// Silent probes per second that the budget allows in the long run.
    pub fn rate(&self) -> f64 {
        self.budget() as f64 / self.hold.as_secs_f64().max(0.001)
    }
}

/// A token bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// An empty bucket that fills with this many tokens a second.
    pub fn new(rate: f64, now: Instant) -> Self {
        Bucket { rate: rate.max(0.001), tokens: 1.0, at: now }
    }

    /// Tokens to be had now. It never holds more than 10 ms' worth (and always one), so that a pause is not made up by a
    /// burst.
    pub fn available(&mut self, now: Instant) -> usize {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.rate;
        self.at = self.at.max(now);
        self.tokens = (self.tokens + gained).min((self.rate * 0.010).max(1.0));
        self.tokens.max(0.0) as usize
    }

    /// Takes tokens.
    pub fn spend(&mut self, tokens: usize) {
        self.tokens -= tokens as f64;
    }

    /// How long until there is one.
    pub fn wait(&self) -> Duration {
        Duration::from_secs_f64(((1.0 - self.tokens) / self.rate).clamp(0.0, 3_600.0))
    }

    /// Goes at this share of its rate from now on.
    pub fn slow_down(&mut self, share: f64) {
        self.rate = (self.rate * share).max(1.0);
        self.tokens = self.tokens.min(1.0);
    }

    /// Tokens per second.
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

/// Entries that our probes occupy in a router's table, exact to a second.
#[derive(Clone, Debug)]
pub struct Occupied {
    table: Table,
    start: Instant,
    /// Probes sent in which second, and not answered.
    sent: VecDeque<(u64, u64)>,
    held: u64,
}

impl Occupied {
    /// Nothing occupied yet.
    pub fn new(table: Table, now: Instant) -> Self {
        Occupied { table, start: now, sent: VecDeque::new(), held: 0 }
    }

    /// How many more probes fit now.
    pub fn available(&mut self, now: Instant) -> usize {
        let second = self.second(now);
        let hold = self.table.hold.as_secs() + 1;
        while let Some((sent, count)) = self.sent.front().copied().filter(|(sent, _)| sent + hold < second) {
            debug_assert!(sent < second);
            self.held = self.held.saturating_sub(count);
            self.sent.pop_front();
        }
        usize::try_from(self.table.budget().saturating_sub(self.held)).unwrap_or(usize::MAX)
    }

    /// Counts probes sent.
    pub fn spend(&mut self, probes: usize, now: Instant) {
        let (second, probes) = (self.second(now), probes as u64);
        self.held += probes;
        match self.sent.back_mut().filter(|(sent, _)| *sent == second) {
            Some((_, count)) => *count += probes,
            None => self.sent.push_back((second, probes)),
        }
    }

    /// Counts a probe answered: its entry goes.
    pub fn refund(&mut self) {
        // Answers come soon: the entry is one of the newest.
        if let Some((_, count)) = self.sent.iter_mut().rev().find(|(_, count)| *count > 0) {
            *count -= 1;
            self.held = self.held.saturating_sub(1);
        }
    }

    /// How long until entries of ours are forgotten; zero if some fit now.
    pub fn wait(&self, now: Instant) -> Duration {
        if self.held < self.table.budget() {
            return Duration::ZERO;
        }
        let oldest = self.sent.iter().find(|(_, count)| *count > 0).map_or(0, |(sent, _)| *sent);
        let end = self.start + Duration::from_secs(oldest + self.table.hold.as_secs() + 2);
        end.saturating_duration_since(now).max(Duration::from_millis(1))
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs()
    }
}

/// Round-trip time and its spread (RFC 6298 section 2).
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrip {
    smooth: Option<Duration>,
    spread: Duration,
}

impl RoundTrip {
    /// Counts an answer.
    pub fn add(&mut self, time: Duration) {
        match self.smooth {
            None => (self.smooth, self.spread) = (Some(time), time / 2),
            Some(smooth) => {
                self.spread = self.spread * 3 / 4 + smooth.abs_diff(time) / 4;
                self.smooth = Some(smooth * 7 / 8 + time / 8);
            }
        }
    }

    /// The smoothed time; `None` before the first answer.
    pub fn smooth(&self) -> Option<Duration> {
        self.smooth
    }

    /// How long an answer is worth waiting for: three times and four spreads, at least 200 ms; 1 s before the first answer.
    pub fn patience(&self) -> Duration {
        let wait = self.smooth.map_or(Duration::from_secs(1), |smooth| smooth * 3 + self.spread * 4);
        wait.clamp(Duration::from_millis(200), Duration::from_secs(3))
    }
}

/// The loss seen, from the attempts it took to be answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// Ports first answered at the first, second, … attempt.
    pub answered: Vec<u64>,
}

impl Loss {
    /// Counts an answer at this attempt, from 0.
    pub fn add(&mut self, attempt: usize) {
        if self.answered.len() <= attempt {
            self.answered.resize(attempt + 1, 0);
        }
        if let Some(count) = self.answered.get_mut(attempt) {
            *count += 1;
        }
    }

    /// Share of attempts that stay without an answer though the port would answer. Of those lost at one attempt, the next
    /// finds all but this share, so the ratio of neighbours in the sequence is the loss. 2 % are taken for granted with the
    /// weight of 12.5 answers, so that a few lucky ones do not pass for a lossless network.
    pub fn share(&self) -> f64 {
        const PRIOR: f64 = 0.02;
        const WEIGHT: f64 = 12.5;
        let later: u64 = self.answered.iter().skip(1).sum();
        let earlier: u64 = self.answered.iter().rev().skip(1).sum::<u64>().max(match self.answered.len() {
            1 => self.answered.iter().sum(),
            _ => 0,
        });
        ((later as f64 + PRIOR * WEIGHT) / (earlier as f64 + WEIGHT)).clamp(0.0, 1.0)
    }

    /// Ports that would have answered and did not in so many attempts, as expected from the loss; 0 if none is silent.
    pub fn misses(&self, attempts: u32, silent: u64) -> f64 {
        let answered = self.answered.iter().sum::<u64>().max(1) as f64;
        (answered * self.share().powi(i32::try_from(attempts).unwrap_or(i32::MAX))).min(silent as f64)
    }
}

/// The monotonic clock, read in this one place by the engines of this crate.
#[expect(
    clippy::disallowed_methods,
    reason = "an engine paces itself; its decisions take the time as an argument"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_rate() {
        let start = now();
        let mut bucket = Bucket::new(1_000.0, start);
        let mut sent = 0;
        for ms in 0..=1_000 {
            let free = bucket.available(start + Duration::from_millis(ms));
            bucket.spend(free);
            sent += free;
        }
        assert!((990..=1_002).contains(&sent), "{sent}");
        assert!(bucket.available(start + Duration::from_secs(60)) <= 10, "a pause is not made up");
        bucket.spend(10);
        assert!(bucket.wait() > Duration::ZERO && bucket.wait() < Duration::from_millis(3));
    }

    #[test]
    fn a_routers_table_keeps_its_share() {
        let start = now();
        assert_eq!(Table::default().rate() as u32, 34);
        let mut occupied = Occupied::new(Table::default(), start);
        assert_eq!(occupied.available(start), 4_096);
        occupied.spend(4_096, start);
        assert_eq!(occupied.available(start), 0);
        occupied.refund();
        assert_eq!(occupied.available(start), 1);
        occupied.spend(1, start);
        assert!(occupied.wait(start) >= Duration::from_secs(120));
        assert_eq!(occupied.available(start + Duration::from_secs(119)), 0);
        let later = start + occupied.wait(start);
        assert_eq!(occupied.available(later), 4_096);
        assert_eq!(occupied.wait(later), Duration::ZERO);
    }

    #[test]
    fn patience_follows_the_path() {
        let mut trip = RoundTrip::default();
        assert_eq!(trip.patience(), Duration::from_secs(1));
        (0..50).for_each(|_| trip.add(Duration::from_micros(100)));
        assert_eq!(trip.patience(), Duration::from_millis(200));
        (0..50).for_each(|i| trip.add(Duration::from_millis(if i % 2 == 0 { 300 } else { 100 })));
        assert!(trip.patience() > Duration::from_millis(600));
    }

    #[test]
    fn loss_is_told_from_the_attempts() {
        let lossy = Loss { answered: vec![9_604, 380, 15, 1] };
        assert!((lossy.share() - 0.0396).abs() < 0.002, "{}", lossy.share());
        assert!(lossy.misses(3, 1_000) > 1e-4);
        assert!(lossy.misses(7, 1_000) < 1e-4);
        let clean = Loss { answered: vec![1_282] };
        assert!(clean.misses(2, 252_000) < 1e-4 && clean.misses(1, 252_000) > 1e-4);
        let few = Loss { answered: vec![20] };
        assert!(few.misses(3, 65_515) < 1e-4 && few.misses(2, 65_515) > 1e-4);
        assert_eq!(clean.misses(1, 0), 0.0);
        assert!(Loss::default().misses(3, 10) < 1e-4);
    }
}
