//! Pieces that every format has: numbers, addresses, protocols, words between quotes.

use memchr::memchr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tillgate_model::Protocol;

/// A number without sign; nothing where there is another byte or it does not fit.
pub fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes.iter().try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

/// A port.
pub fn port(bytes: &[u8]) -> Option<u16> {
    number(bytes).and_then(|n| u16::try_from(n).ok())
}

/// An address of either family, without brackets, zone or port.
pub fn address(bytes: &[u8]) -> Option<IpAddr> {
    ipv4(bytes).map(IpAddr::V4).or_else(|| {
        let text = std::str::from_utf8(bytes).ok().filter(|t| t.contains(':'))?;
        text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    })
}

/// Four decimal numbers; leading zeros are taken, as some devices pad.
fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = bytes.split(|b| *b == b'.');
    for octet in &mut octets {
        let part = parts.next().filter(|p| p.len() <= 3)?;
        *octet = number(part).and_then(|n| u8::try_from(n).ok())?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// A protocol by number or by one of the names that logs use.
pub fn protocol(bytes: &[u8]) -> Option<Protocol> {
    if let Some(n) = number(bytes) {
        return u8::try_from(n).ok().map(Protocol);
    }
    let names: [(&[u8], u8); 14] = [
        (b"tcp", 6),
        (b"udp", 17),
        (b"icmp", 1),
        (b"icmpv6", 58),
        (b"icmp6", 58),
        (b"ipv6-icmp", 58),
        (b"esp", 50),
        (b"ah", 51),
        (b"gre", 47),
        (b"igmp", 2),
        (b"sctp", 132),
        (b"ospf", 89),
        (b"pim", 103),
        (b"udplite", 136),
    ];
    names.iter().find(|(name, _)| bytes.eq_ignore_ascii_case(name)).map(|(_, n)| Protocol(*n))
}

/// The words of a text, without the blanks.
#[derive(Clone)]
pub struct Words<'a>(pub &'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|b| *b != b' ')?;
        let rest = &self.0[start..];
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}

impl<'a> Words<'a> {
    /// The word behind the one looked for; a line has no more than some dozens.
    pub fn after(&mut self, word: &[u8]) -> Option<&'a [u8]> {
        self.leading(48).find(|w| *w == word)?;
        self.next()
    }

    /// As `after`, but nothing is taken where the word is not found.
    pub fn peek_after(&self, word: &[u8]) -> Option<&'a [u8]> {
        self.clone().after(word)
    }

    /// At most so many of the next words.
    pub fn leading(&mut self, most: usize) -> std::iter::Take<&mut Self> {
        self.by_ref().take(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        assert_eq!(number(b"0443"), Some(443));
        assert_eq!(number(b"4a"), None);
        assert_eq!(port(b"65536"), None);
        assert_eq!(address(b"010.17.020.011"), "10.17.20.11".parse().ok());
        assert_eq!(address(b"2001:db8::1"), "2001:db8::1".parse().ok());
        assert_eq!(address(b"10.1.2"), None);
        assert_eq!(protocol(b"TCP"), Some(Protocol::TCP));
        assert_eq!(protocol(b"58"), Some(Protocol::ICMPV6));
    }
}
