//! One packet or connection as a firewall wrote it down.

use std::net::IpAddr;
use tillgate_model::Protocol;

/// What the firewall did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Let it through.
    Permit,
    /// Dropped it.
    Deny,
    /// Refused it with an answer (TCP reset, ICMP).
    Reset,
    /// The line does not say.
    None,
}

impl Verdict {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Permit => "permit",
            Verdict::Deny => "deny",
            Verdict::Reset => "reset",
            Verdict::None => "none",
        }
    }
}

/// When it was, as far as the line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The year, where the line has one (RFC 3164 has none).
    pub year: Option<i16>,
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31.
    pub day: i8,
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
    /// 0 to 60: leap seconds are written.
    pub second: i8,
    /// Parts of a second.
    pub nanosecond: i32,
    /// Minutes east of UTC, where the line says.
    pub offset: Option<i16>,
}

/// What one line says. Texts are slices of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, from the line's own body; the header's stands beside it.
    pub time: Option<Time>,
    /// What was done with it.
    pub verdict: Verdict,
    /// Protocol, where the line names one.
    pub protocol: Option<Protocol>,
    /// Where it came from.
    pub source: Option<IpAddr>,
    /// Source port; none for protocols without ports.
    pub source_port: Option<u16>,
    /// Where it went, before any translation that the line tells.
    pub destination: Option<IpAddr>,
    /// Destination port.
    pub destination_port: Option<u16>,
    /// The rule that decided, in the firewall's own words: a number, a name, a prefix.
    pub rule: Option<&'a [u8]>,
    /// Interface or zone it came in by.
    pub input: Option<&'a [u8]>,
    /// Interface or zone it went out by.
    pub output: Option<&'a [u8]>,
    /// Packets or connections that the line stands for; 1 for most formats.
    pub count: u64,
    /// Whether it is an answer or an error about another packet, which must not be counted as a flow of its own.
    pub is_reply: bool,
}

impl Record<'_> {
    /// A record that says nothing yet.
    pub fn new(verdict: Verdict) -> Self {
        Record {
            time: None,
            verdict,
            protocol: None,
            source: None,
            source_port: None,
            destination: None,
            destination_port: None,
            rule: None,
            input: None,
            output: None,
            count: 1,
            is_reply: false,
        }
    }
}

/// What a format makes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A packet or a connection.
    Flow(Record<'a>),
    /// A line of this format that carries no flow: a log-in, a heartbeat, a link that went up.
    Other,
    /// The firewall says itself that it left out so many lines.
    Missed(u64),
    /// Looks like this format and cannot be read; why, in a word for counting.
    Unread(&'static str),
}
