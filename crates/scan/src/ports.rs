//! What a port scan found, by either engine, and what it could not see.

use crate::packet::Mac;
use std::net::IpAddr;
use std::time::Duration;
use tillgate_model::Text;

/// What a port answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// It accepts connections.
    Open,
    /// The host refused the connection (RST).
    Closed,
    /// Nothing came back.
    Filtered,
    /// Somebody refused on the way, by ICMP or by this host's own error.
    Refused(Refusal),
}

/// A refusal that is not the port's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// What it says.
    pub why: Why,
    /// Who said so; `None` where the system does not tell.
    pub by: Option<IpAddr>,
}

/// Reasons of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Port or protocol unreachable.
    Port,
    /// A filter said so (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
    Prohibited,
    /// Host unreachable.
    Host,
    /// Network unreachable, or no route.
    Network,
    /// The packet went in circles or too far.
    TimeExceeded,
    /// Another error message.
    Other,
}

impl Why {
    /// By type and code of ICMP (version 4 of the protocol).
    pub fn of_icmp(kind: u8, code: u8) -> Self {
        match (kind, code) {
            (3, 2 | 3) => Why::Port,
            (3, 9 | 10 | 13) => Why::Prohibited,
            (3, 1 | 7 | 8 | 12) => Why::Host,
            (3, 0 | 5 | 6 | 11) => Why::Network,
            (11, _) => Why::TimeExceeded,
            _ => Why::Other,
        }
    }

    /// By type and code of ICMPv6.
    pub fn of_icmpv6(kind: u8, code: u8) -> Self {
        match (kind, code) {
            (1, 4) => Why::Port,
            (1, 1 | 5 | 6) => Why::Prohibited,
            (1, 3) => Why::Host,
            (1, 0 | 2) => Why::Network,
            (3, _) => Why::TimeExceeded,
            _ => Why::Other,
        }
    }

    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Why::Port => "port-unreachable",
            Why::Prohibited => "prohibited",
            Why::Host => "host-unreachable",
            Why::Network => "network-unreachable",
            Why::TimeExceeded => "time-exceeded",
            Why::Other => "other",
        }
    }
}

/// An open or refused port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Whose port.
    pub host: IpAddr,
    /// TCP port.
    pub port: u16,
    /// Open or refused; closed and silent ports are only counted.
    pub state: Port,
    /// From the SYN to its answer.
    pub time: Option<Duration>,
    /// Which attempt was answered, from 1.
    pub tries: u8,
    /// Whether a whole connection could be made afterwards; `None` if that was not tried.
    pub confirmed: Option<bool>,
}

/// How a host was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Frames of our own.
    Raw,
    /// The system's connect().
    Connect,
    /// Not at all: nobody answered to the address on the segment (ARP, neighbour discovery).
    Absent,
}

/// A host's ports as counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub address: IpAddr,
    /// Its address on the wire, on the same segment only.
    pub mac: Option<Mac>,
    /// How it was scanned.
    pub engine: Engine,
    /// Random high ports were all "open": a SYN proxy or a tarpit answers for it, and none of its ports is listed.
    pub answers_everything: bool,
    /// Open ports.
    pub open: u32,
    /// Closed ports.
    pub closed: u32,
    /// Ports refused by ICMP.
    pub refused: u32,
    /// Silent ports.
    pub silent: u32,
}

/// The result of a port scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Every host asked, in the order of the addresses.
    pub hosts: Vec<Host>,
    /// Open and refused ports, by host and port.
    pub ports: Vec<Scanned>,
    /// Whether silence may be taken for silence: no time limit hit, no answer dropped unseen, expected misses below the limit.
    pub is_complete: bool,
    /// Why not.
    pub gaps: Vec<Text>,
    /// Answers dropped by this host's kernel. Their ports were asked again, or the scan is incomplete.
    pub dropped: u64,
    /// Open or closed ports taken for silent ones, as expected from the loss seen.
    pub expected_misses: f64,
    /// Share of attempts lost, as estimated from ports that answered at a later attempt; 0 to 1.
    pub loss: f64,
    /// The most attempts made at a port.
    pub rounds: u8,
    /// SYNs sent (connections begun).
    pub sent: u64,
    /// Answers received that belong to this scan.
    pub received: u64,
    /// Smoothed round-trip time.
    pub round_trip: Option<Duration>,
    /// How long it took.
    pub time: Duration,
}

impl Outcome {
    /// A scan of nothing.
    pub fn empty() -> Self {
        Outcome {
            hosts: Vec::new(),
            ports: Vec::new(),
            is_complete: true,
            gaps: Vec::new(),
            dropped: 0,
            expected_misses: 0.0,
            loss: 0.0,
            rounds: 0,
            sent: 0,
            received: 0,
            round_trip: None,
            time: Duration::ZERO,
        }
    }

    /// Marks the scan incomplete.
    pub fn gap(&mut self, why: Text) {
        self.is_complete = false;
        if !self.gaps.contains(&why) {
            self.gaps.push(why);
        }
    }

    /// Adds a scan of other hosts. Round trip and loss are those of the worse part.
    pub fn merge(&mut self, other: Outcome) {
        self.hosts.extend(other.hosts);
        self.ports.extend(other.ports);
        self.is_complete &= other.is_complete;
        for gap in other.gaps {
            self.gap(gap);
        }
        self.dropped += other.dropped;
        self.expected_misses += other.expected_misses;
        self.loss = self.loss.max(other.loss);
        self.rounds = self.rounds.max(other.rounds);
        self.sent += other.sent;
        self.received += other.received;
        self.round_trip = self.round_trip.max(other.round_trip);
        self.time += other.time;
    }

    /// Puts hosts and ports in order.
    pub fn sort(&mut self) {
        self.hosts.sort_by_key(|host| host.address);
        self.ports.sort_by_key(|port| (port.host, port.port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_scans_are_as_complete_as_the_worse_one() {
        let mut all = Outcome::empty();
        let mut part = Outcome { sent: 5, loss: 0.1, ..Outcome::empty() };
        part.gap(Text::new("scan-gap-deadline"));
        part.gap(Text::new("scan-gap-deadline"));
        all.merge(part);
        assert_eq!((all.is_complete, all.gaps.len(), all.sent, all.loss), (false, 1, 5, 0.1));
        assert_eq!(Why::of_icmp(3, 13), Why::Prohibited);
        assert_eq!(Why::of_icmpv6(1, 4).name(), "port-unreachable");
    }
}
