//! Judges answers: codes, empty ones, addresses that cannot be true, names that must not exist.

use super::codec::Question;
use super::exchange::Reply;
use crate::outcome::{Fault, Reach};
use std::net::{IpAddr, Ipv4Addr};
use tillgate_model::{Family, FindingId, Ranges, Text, address_bits, public_ranges};

/// The addresses that belong to the internet.
pub(crate) struct Public {
    v4: Ranges,
    v6: Ranges,
}

impl Public {
    pub fn new() -> Self {
        Public { v4: public_ranges(Family::V4), v6: public_ranges(Family::V6) }
    }

    /// Why an address cannot be that of a public name; `None` if it can. An address in the well-known prefix of
    /// NAT64 (RFC 6052 section 2.1) is judged by what it holds.
    fn against(&self, address: IpAddr) -> Option<Text> {
        let address = match address {
            IpAddr::V6(v6) => match v6.segments() {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
                }
                _ => address.to_canonical(),
            },
            IpAddr::V4(_) => address,
        };
        let ranges = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        if ranges.contains(address_bits(address)) {
            return None;
        }
        Some(Text::new(match address {
            _ if address.is_unspecified() => "probe-address-unspecified",
            _ if address.is_loopback() => "probe-address-loopback",
            IpAddr::V4(v4) if v4.is_private() => "probe-address-private",
            IpAddr::V4(v4) if v4.is_link_local() => "probe-address-link-local",
            IpAddr::V4(v4) if (v4.octets()[0], v4.octets()[1] >> 6) == (100, 1) => "probe-address-shared",
            IpAddr::V6(v6) if v6.is_unique_local() => "probe-address-private",
            IpAddr::V6(v6) if v6.is_unicast_link_local() => "probe-address-link-local",
            _ => "probe-address-reserved",
        }))
    }
}

/// What was seen of one name.
pub(crate) struct Seen<'a> {
    pub resolver: IpAddr,
    pub name: &'a str,
    pub a: (&'a Question, &'a Result<Reply, Reach>),
    pub aaaa: (&'a Question, &'a Result<Reply, Reach>),
}

impl Seen<'_> {
    /// Addresses of both families.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let of = |(question, outcome): (&Question, &Result<Reply, Reach>)| match outcome {
            Ok(reply) => reply.message.addresses(question),
            Err(_) => Vec::new(),
        };
        let mut out = of(self.a);
        out.extend(of(self.aaaa));
        out
    }

    /// What is wrong with the answers for a name that the terminals need.
    pub fn faults(&self, public: &Public) -> Vec<Fault> {
        let addresses = self.addresses();
        let mut out: Vec<Fault> = addresses
            .iter()
            .filter_map(|address| Some((address, public.against(*address)?)))
            .map(|(address, why)| {
                fault(self.text("probe-dns-lie").arg("address", address).text("why", why), true)
            })
            .collect();
        let replies: Vec<(&str, &Reply)> = [("A", self.a.1), ("AAAA", self.aaaa.1)]
            .into_iter()
            .filter_map(|(kind, outcome)| Some((kind, outcome.as_ref().ok()?)))
            .collect();
        let is_open = |outcome: &Result<Reply, Reach>| matches!(outcome, Err(Reach::Undecided(_)));
        match replies.as_slice() {
            [] if is_open(self.a.1) => (),
            [] => out.push(fault(self.text("probe-dns-no-answer"), true)),
            [(_, first), rest @ ..] if addresses.is_empty() => {
                let code =
                    rest.iter().map(|(_, reply)| reply.message.code).fold(first.message.code, u16::max);
                // The family without an answer may hold the addresses.
                let is_sure = !rest.is_empty();
                out.push(match code {
                    0 if !first.message.recurses => fault(self.text("probe-dns-no-recursion"), is_sure),
                    0 => fault(self.text("probe-dns-empty"), is_sure),
                    code => fault(self.text("probe-dns-code").arg("code", code_name(code)), true),
                });
            }
            // RFC 4074: a code for one family hides the other from some stub resolvers.
            _ => out.extend(replies.iter().filter(|(_, reply)| reply.message.code != 0).map(
                |(kind, reply)| {
                    let text = self.text("probe-dns-code-of-kind").arg("kind", kind);
                    fault(text.arg("code", code_name(reply.message.code)), false)
                },
            )),
        }
        out
    }

    fn text(&self, id: &'static str) -> Text {
        Text::new(id).arg("resolver", self.resolver).arg("name", self.name)
    }
}

/// A fault of the resolver's.
pub(crate) fn fault(text: Text, is_sure: bool) -> Fault {
    Fault { id: FindingId::DnsFailed, text, is_sure }
}

/// The word for a code (IANA, DNS RCODEs).
pub(crate) fn code_name(code: u16) -> String {
    match code {
        0 => "NOERROR".into(),
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "NXDOMAIN".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        9 => "NOTAUTH".into(),
        16 => "BADVERS".into(),
        code => format!("RCODE {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let public = Public::new();
        for (address, why) in [
            ("0.0.0.0", "probe-address-unspecified"),
            ("127.0.0.53", "probe-address-loopback"),
            ("10.1.2.3", "probe-address-private"),
            ("100.64.3.4", "probe-address-shared"),
            ("169.254.1.1", "probe-address-link-local"),
            ("198.18.0.9", "probe-address-reserved"),
            ("::", "probe-address-unspecified"),
            ("::1", "probe-address-loopback"),
            ("fd00::1", "probe-address-private"),
            ("fe80::1", "probe-address-link-local"),
            ("::ffff:192.168.1.1", "probe-address-private"),
            ("64:ff9b::a01:203", "probe-address-private"),
        ] {
            assert_eq!(public.against(address.parse().unwrap()), Some(Text::new(why)), "{address}");
        }
        for address in ["192.0.2.1", "203.0.113.80", "2001:db8::1", "64:ff9b::808:808"] {
            assert_eq!(public.against(address.parse().unwrap()), None, "{address}");
        }
    }
}
