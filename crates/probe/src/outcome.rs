//! What a probe saw: how far it got, how long it took, what was wrong, and the figures behind that.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tillgate_model::{FindingId, Text};

/// How far an attempt got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The far end answered as its service does.
    Passes,
    /// Somebody refused it: a TCP reset, or an ICMP port or protocol unreachable; by whom, where that is known.
    Refused(Option<IpAddr>),
    /// A filter said so: ICMP type 3 code 9, 10 or 13 (RFC 1812), ICMPv6 type 1 code 1, 5 or 6 (RFC 4443).
    Prohibited(Option<IpAddr>),
    /// There is no way there: no route, or a host or network unreachable.
    Unreachable(Option<IpAddr>),
    /// Nothing came back in time.
    Silent,
    /// Somebody answered, and not as the service does; what they did instead.
    Broken(Text),
    /// It cannot be told from here; why not.
    Undecided(Text),
}

impl Reach {
    /// The word used in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Reach::Passes => "passes",
            Reach::Refused(_) => "refused",
            Reach::Prohibited(_) => "prohibited",
            Reach::Unreachable(_) => "unreachable",
            Reach::Silent => "silent",
            Reach::Broken(_) => "broken",
            Reach::Undecided(_) => "undecided",
        }
    }

    /// Who answered instead of the far end.
    pub fn by(&self) -> Option<IpAddr> {
        match self {
            Reach::Refused(by) | Reach::Prohibited(by) | Reach::Unreachable(by) => *by,
            _ => None,
        }
    }
}

/// Round trips of several attempts of one probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Attempts made.
    pub sent: u32,
    /// What the answered ones took, in the order in which they were made.
    pub times: Vec<Duration>,
}

impl Samples {
    /// Counts an attempt; `None` for one without an answer.
    pub fn add(&mut self, time: Option<Duration>) {
        self.sent += 1;
        self.times.extend(time);
    }

    /// Unanswered attempts as a share of all, 0 to 1.
    pub fn loss(&self) -> f64 {
        match self.sent {
            0 => 0.0,
            sent => 1.0 - self.times.len() as f64 / f64::from(sent),
        }
    }

    /// The time that this share of the answers (0 to 1) did not exceed, by the nearest rank.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
    }

    /// Mean difference of one answer's time from the one before (RFC 3550 calls its smoothed form jitter).
    pub fn jitter(&self) -> Option<Duration> {
        let steps = self.times.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
        let count = u32::try_from(self.times.len()).ok()?.checked_sub(1).filter(|n| *n > 0)?;
        Some(steps.sum::<Duration>() / count)
    }
}

/// A figure or a word behind a verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Data, shown as it is (escaped by whoever prints it).
    Text(String),
    /// A number, in the unit its key names (`offset_us`, `mtu_bytes`).
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Several words.
    List(Vec<String>),
}

/// Something wrong that a probe saw, whatever else works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which judgement it is.
    pub id: FindingId,
    /// In words.
    pub text: Text,
    /// Whether another reading of what was seen is possible.
    pub is_sure: bool,
}

/// The result of one probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How far it got.
    pub reach: Reach,
    /// Round trips.
    pub samples: Samples,
    /// What was wrong.
    pub faults: Vec<Fault>,
    /// Figures and words by key, `snake_case` with the unit at the end.
    pub details: BTreeMap<&'static str, Detail>,
}

impl Report {
    /// A report that says nothing but how far it got.
    pub fn of(reach: Reach) -> Self {
        Report { reach, samples: Samples::default(), faults: Vec::new(), details: BTreeMap::new() }
    }

    /// Adds a fault nobody can read otherwise.
    pub fn fault(&mut self, id: FindingId, text: Text) {
        self.faults.push(Fault { id, text, is_sure: true });
    }

    /// Adds a word.
    pub fn word(&mut self, key: &'static str, value: impl ToString) {
        self.details.insert(key, Detail::Text(value.to_string()));
    }

    /// Adds a number.
    pub fn number(&mut self, key: &'static str, value: f64) {
        self.details.insert(key, Detail::Number(value));
    }
}

/// How far an attempt got by the error that ended it.
pub fn reach_of(error: &std::io::Error) -> Reach {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Reach::Refused(None),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Reach::Silent,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Reach::Unreachable(None),
        // What Linux makes of an administratively prohibited destination (EACCES), and of its own filter (EPERM).
        ErrorKind::PermissionDenied => Reach::Prohibited(None),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof => {
            Reach::Broken(Text::new("probe-cut-off"))
        }
        // No descriptors, no such address of ours, a full queue: nothing of it is the network's.
        _ => Reach::Undecided(Text::new("probe-own-error").arg("detail", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_say_loss_and_distribution() {
        let mut samples = Samples::default();
        for ms in [Some(10), None, Some(30), Some(20)] {
            samples.add(ms.map(Duration::from_millis));
        }
        assert_eq!(samples.loss(), 0.25);
        assert_eq!(samples.quantile(0.5), Some(Duration::from_millis(20)));
        assert_eq!(samples.quantile(0.95), Some(Duration::from_millis(30)));
        assert_eq!(samples.jitter(), Some(Duration::from_millis(15)));
        assert_eq!(Samples::default().quantile(0.5), None);
    }
}
