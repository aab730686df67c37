//! One concrete packet, and the notation it is written in:
//! `tcp 10.0.0.1:40000 -> [2001:db8::1]:443 in eth1 out eth0 state new`.

use crate::{Family, Protocol};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Connection tracking state of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Opens a connection.
    New = 0,
    /// Belongs to a connection that has seen both directions.
    Established = 1,
    /// Opens a connection that an existing one announced, or reports an error about one.
    Related = 2,
    /// Fits no connection.
    Invalid = 3,
    /// Exempt from tracking.
    Untracked = 4,
}

impl State {
    /// All states, by number.
    pub const ALL: [State; 5] =
        [State::New, State::Established, State::Related, State::Invalid, State::Untracked];

    /// Reads the name used by packet filters.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == text.to_ascii_lowercase())
    }

    /// The name used by packet filters.
    pub fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Established => "established",
            State::Related => "related",
            State::Invalid => "invalid",
            State::Untracked => "untracked",
        }
    }
}

/// A packet as a firewall sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Packet {
    /// Ingress interface.
    pub input: Option<String>,
    /// Egress interface; `None` for a packet to the firewall itself.
    pub output: Option<String>,
    /// Connection state.
    pub state: State,
    /// IP protocol.
    pub protocol: Protocol,
    /// Source address.
    pub source: IpAddr,
    /// Destination address, before any translation.
    pub destination: IpAddr,
    /// Source port, or the ICMP type.
    pub source_port: u16,
    /// Destination port, or the ICMP code.
    pub destination_port: u16,
    /// TCP flags byte (RFC 9293 section 3.1); SYN for a new connection.
    pub tcp_flags: u8,
}

/// Why a packet could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketError {
    /// Byte offset in the notation.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl Packet {
    /// Address family.
    pub fn family(&self) -> Family {
        Family::of(self.destination)
    }

    /// The flags a packet of this state usually carries.
    pub fn usual_flags(protocol: Protocol, state: State) -> u8 {
        match (protocol, state) {
            (Protocol::TCP, State::New) => 0x02,
            (Protocol::TCP, _) => 0x10,
            _ => 0,
        }
    }

    /// Reads the notation.
    pub fn parse(text: &str) -> Result<Packet, PacketError> {
        let mut words = Vec::new();
        let mut at = 0;
        for part in text.split(char::is_whitespace) {
            if !part.is_empty() {
                words.push((at, part));
            }
            at += part.len() + text[at + part.len()..].chars().next().map_or(0, char::len_utf8);
        }
        let end = text.len();
        let mut words = words.into_iter();
        let mut next = |expected: &'static str| words.next().ok_or(PacketError { at: end, expected });
        let fail = |at: usize, expected: &'static str| PacketError { at, expected };

        let (at, word) = next("a protocol")?;
        let protocol = Protocol::parse(word).ok_or(fail(at, "a protocol"))?;
        let (at, word) = next("a source address")?;
        let (source, source_port) = endpoint(word).ok_or(fail(at, "a source address, with a port"))?;
        let (at, word) = next("'->'")?;
        if word != "->" {
            return Err(fail(at, "'->'"));
        }
        let (at, word) = next("a destination address")?;
        let (destination, destination_port) =
            endpoint(word).ok_or(fail(at, "a destination address, with a port"))?;
        if source.is_ipv4() != destination.is_ipv4() {
            return Err(fail(at, "a destination of the same family as the source"));
        }
        let mut packet = Packet {
            input: None,
            output: None,
            state: State::New,
            protocol,
            source,
            destination,
            source_port: source_port.unwrap_or(0),
            destination_port: destination_port.unwrap_or(0),
            tcp_flags: 0,
        };
        let mut flags = None;
        while let Ok((at, key)) = next("") {
            let expected = match key {
                "in" | "out" => "an interface name",
                "state" => "a connection state",
                "type" | "code" => "a number from 0 to 255",
                "flags" => "TCP flags as a number",
                _ => return Err(fail(at, "in, out, state, type, code or flags")),
            };
            let (at, value) = next(expected)?;
            let parsed = match value.strip_prefix("0x") {
                Some(hex) => u16::from_str_radix(hex, 16).ok(),
                None => value.parse().ok(),
            };
            let number = |max: u16| parsed.filter(|v| *v <= max).ok_or(fail(at, expected));
            match key {
                "in" => packet.input = Some(value.to_string()),
                "out" => packet.output = Some(value.to_string()),
                "state" => packet.state = State::parse(value).ok_or(fail(at, expected))?,
                "type" => packet.source_port = number(255)?,
                "code" => packet.destination_port = number(255)?,
                _ => flags = Some(number(255)? as u8),
            }
        }
        packet.tcp_flags = flags.unwrap_or_else(|| Self::usual_flags(protocol, packet.state));
        Ok(packet)
    }
}

fn endpoint(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, None));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return inner.parse().ok().map(|a| (a, None));
    }
    text.parse::<SocketAddr>().ok().map(|s| (s.ip(), Some(s.port())))
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |address: IpAddr, port: u16| match self.protocol.has_ports() {
            true => SocketAddr::new(address, port).to_string(),
            false => address.to_string(),
        };
        write!(
            f,
            "{} {} -> {}",
            self.protocol,
            end(self.source, self.source_port),
            end(self.destination, self.destination_port)
        )?;
        if self.protocol.is_icmp() {
            write!(f, " type {} code {}", self.source_port, self.destination_port)?;
        }
        if let Some(name) = &self.input {
            write!(f, " in {name}")?;
        }
        if let Some(name) = &self.output {
            write!(f, " out {name}")?;
        }
        if self.protocol == Protocol::TCP && self.tcp_flags != Self::usual_flags(self.protocol, self.state) {
            write!(f, " flags {}", self.tcp_flags)?;
        }
        write!(f, " state {}", self.state.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_round_trips() {
        for text in [
            "tcp 10.17.20.11:40000 -> 203.0.113.5:443 in eth1 out eth0 state new",
            "udp [2001:db8::1]:40000 -> [2001:db8::2]:123 in eth1 state established",
            "icmp 10.0.0.1 -> 10.0.0.2 type 8 code 0 in eth1 out eth0 state new",
            "gre 10.0.0.1 -> 10.0.0.2 out eth0 state related",
        ] {
            assert_eq!(Packet::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_say_where() {
        for (text, at) in [
            ("", 0),
            ("tpc 1.2.3.4 -> 1.2.3.5", 0),
            ("tcp 1.2.3.4:1 1.2.3.5:2", 14),
            ("tcp 1.2.3.4:1 -> 1.2.3.5:99999", 17),
            ("tcp 1.2.3.4:1 -> [::1]:5", 17),
            ("tcp 1.2.3.4:1 -> 1.2.3.5:2 via eth0", 27),
            ("icmp 1.2.3.4 -> 1.2.3.5 type 300", 29),
        ] {
            assert_eq!(Packet::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
