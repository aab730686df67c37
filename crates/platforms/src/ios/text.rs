//! Pieces of IOS text, built so that no data can become syntax.

use super::words;
use crate::permits::{Permit, Service, Target};
use ipnet::IpNet;
use tillgate_model::{Family, Protocol, Ranges, range_to_prefixes};

/// Text behind `remark` or `!`: one line of what the terminal takes for text. A question mark would ask for help.
pub fn remark(text: &str) -> String {
    let plain = |c: char| match c {
        '?' => '.',
        c if c.is_ascii_graphic() => c,
        ' ' => ' ',
        _ => '.',
    };
    text.chars().take(100).map(plain).collect()
}

/// A prefix as lists take it: `any`, `host A`, address and wildcard mask, or address and length.
pub fn prefix(net: &IpNet) -> String {
    match net {
        _ if net.prefix_len() == 0 => "any".into(),
        _ if net.prefix_len() == net.max_prefix_len() => {
            format!("host {}", net.addr().to_string().to_uppercase())
        }
        IpNet::V4(net) => format!("{} {}", net.network(), net.hostmask()),
        IpNet::V6(net) => net.trunc().to_string().to_uppercase(),
    }
}

/// Addresses as the prefixes that make them up; none given is `any`.
pub fn addresses(family: Family, ranges: Option<&Ranges>) -> Vec<String> {
    let Some(ranges) = ranges else { return vec!["any".into()] };
    let spans = ranges.as_slice().iter();
    spans.flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi)).map(|net| prefix(&net)).collect()
}

/// Port conditions, one per range, each with a space in front.
pub fn ports(ranges: &Ranges) -> Vec<String> {
    let one = |(lo, hi): &(u128, u128)| match lo == hi {
        true => format!(" eq {lo}"),
        false => format!(" range {lo} {hi}"),
    };
    ranges.as_slice().iter().map(one).collect()
}

/// The line that opens a list.
pub fn head(family: Family, name: &str) -> String {
    match family {
        Family::V4 => format!("ip access-list extended TG-{name}"),
        Family::V6 => format!("ipv6 access-list TG6-{name}"),
    }
}

/// The word for every protocol of a family.
pub fn every(family: Family) -> &'static str {
    if family == Family::V4 { "ip" } else { "ipv6" }
}

/// An ICMP type as lists name it.
pub fn icmp(family: Family, kind: u8) -> String {
    let name = match family {
        Family::V4 => "echo",
        Family::V6 => "echo-request",
    };
    match words::icmp(family, name) {
        Some((known, None)) if known == kind => name.to_string(),
        _ => kind.to_string(),
    }
}

/// What an entry of a list says behind `permit` or `deny`.
#[derive(Clone, Debug)]
pub struct Words {
    pub protocol: String,
    pub source: String,
    /// A port condition behind the source, with a space in front.
    from: String,
    target: String,
    /// A port condition or an ICMP type behind the destination, with a space in front.
    to: String,
}

impl Words {
    /// As the connection is opened.
    pub fn forth(&self) -> String {
        let Words { protocol, source, from, target, to } = self;
        format!("{protocol} {source}{from} {target}{to}")
    }

    /// As it is answered; `hidden`: to an address that is not the one inside.
    pub fn back(&self, hidden: bool) -> String {
        let Words { protocol, source, from, target, to } = self;
        let source = if hidden { "any" } else { source };
        match protocol.as_str() {
            "tcp" => format!("tcp {target}{to} {source}{from} established"),
            "icmp" if !to.is_empty() => format!("icmp {target} {source} echo-reply"),
            _ => format!("{protocol} {target}{to} {source}{from}"),
        }
    }

    /// The same to another destination.
    pub fn towards(&self, target: &str) -> Words {
        Words { target: target.to_string(), ..self.clone() }
    }
}

/// The word for a protocol.
fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::TCP => "tcp".into(),
        Protocol::UDP => "udp".into(),
        Protocol::ICMP | Protocol::ICMPV6 => "icmp".into(),
        other => other.0.to_string(),
    }
}

/// The entries of a permission: one for each combination of what one entry cannot say at once. Any service is what
/// routers inspect.
pub fn entries(permit: &Permit) -> Vec<Words> {
    let targets = match &permit.target {
        Target::Ranges(ranges) => addresses(permit.family, Some(ranges)),
        _ => vec!["any".into()],
    };
    // Protocol, source port, and what stands behind the destination.
    let mut services: Vec<(String, String, String)> = Vec::new();
    match &permit.service {
        Service::Any => {
            services.extend(["tcp", "udp", "icmp"].map(|p| (p.to_string(), String::new(), String::new())));
        }
        Service::Protocol(own) => services.push((protocol(*own), String::new(), String::new())),
        Service::Icmp(kind) => {
            services.push(("icmp".into(), String::new(), format!(" {}", icmp(permit.family, *kind))));
        }
        Service::Ports { protocol: own, ports: list, source_port } => {
            let from = source_port.map_or(String::new(), |port| format!(" eq {port}"));
            services.extend(ports(list).into_iter().map(|p| (protocol(*own), from.clone(), p)));
        }
    }
    let mut out = Vec::new();
    for (protocol, from, to) in services {
        for source in addresses(permit.family, permit.source.as_ref()) {
            for target in &targets {
                out.push(Words {
                    protocol: protocol.clone(),
                    source: source.clone(),
                    from: from.clone(),
                    target: target.clone(),
                    to: to.clone(),
                });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_remark_is_more_than_text() {
        assert_eq!(remark("a?b\nno ip\u{3}x ä"), "a.b.no ip.x .");
        assert_eq!(remark(&"x".repeat(500)).len(), 100);
    }
}
