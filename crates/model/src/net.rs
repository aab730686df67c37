//! Address families, protocols, prefixes and ports as numbers and as text.

use crate::Ranges;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Internet protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// Both families, in order.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The largest address as a number.
    pub const fn max_address(self) -> u128 {
        match self {
            Family::V4 => u32::MAX as u128,
            Family::V6 => u128::MAX,
        }
    }

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// An IP protocol number (IANA "Assigned Internet Protocol Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4
    pub const ICMP: Protocol = Protocol(1);
    /// TCP
    pub const TCP: Protocol = Protocol(6);
    /// UDP
    pub const UDP: Protocol = Protocol(17);
    /// ICMPv6
    pub const ICMPV6: Protocol = Protocol(58);

    const NAMES: [(u8, &'static str); 15] = [
        (1, "icmp"),
        (2, "igmp"),
        (4, "ipip"),
        (6, "tcp"),
        (17, "udp"),
        (33, "dccp"),
        (41, "ipv6"),
        (47, "gre"),
        (50, "esp"),
        (51, "ah"),
        (58, "icmpv6"),
        (89, "ospf"),
        (112, "vrrp"),
        (132, "sctp"),
        (136, "udplite"),
    ];

    /// Reads a name or a number.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if let Some((n, _)) = Self::NAMES.iter().find(|(_, name)| *name == lower) {
            return Some(Protocol(*n));
        }
        match lower.as_str() {
            "ipv6-icmp" | "icmp6" => Some(Self::ICMPV6),
            "ip-encap" | "ipencap" => Some(Protocol(4)),
            _ => lower.parse().ok().map(Protocol),
        }
    }

    /// Whether the protocol has source and destination ports in its first four bytes.
    pub fn has_ports(self) -> bool {
        matches!(self.0, 6 | 17 | 33 | 132 | 136)
    }

    /// Whether the two port fields carry ICMP type and code instead.
    pub fn is_icmp(self) -> bool {
        self == Self::ICMP || self == Self::ICMPV6
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(n, _)| *n == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// An address as a number; IPv4 addresses are `0 ..= 2^32-1`.
pub fn address_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u32::from(a) as u128,
        IpAddr::V6(a) => u128::from(a),
    }
}

/// The address of a number; IPv4 takes the low 32 bits.
pub fn address_from_bits(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(bits as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(bits)),
    }
}

/// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address as a prefix. Host bits may be set; they are kept.
pub fn parse_prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// First and last address of a prefix, as numbers.
pub fn prefix_range(net: &IpNet) -> (u128, u128) {
    (address_bits(net.network()), address_bits(net.broadcast()))
}

/// The fewest prefixes that make up an address range.
pub fn range_to_prefixes(family: Family, lo: u128, hi: u128) -> Vec<IpNet> {
    match (address_from_bits(family, lo), address_from_bits(family, hi)) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            ipnet::Ipv4Subnets::new(a, b, 0).map(|n: Ipv4Net| IpNet::V4(n)).collect()
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            ipnet::Ipv6Subnets::new(a, b, 0).map(|n: Ipv6Net| IpNet::V6(n)).collect()
        }
        _ => Vec::new(),
    }
}

/// Address ranges as prefixes, single addresses without a length: `["10.0.0.5", "10.1.0.0/16"]`.
/// A range that would take more than four prefixes is written `a-b`.
pub fn addresses_text(family: Family, ranges: &Ranges) -> Vec<String> {
    let mut out = Vec::new();
    for &(lo, hi) in ranges.as_slice() {
        let prefixes = range_to_prefixes(family, lo, hi.min(family.max_address()));
        if prefixes.len() > 4 {
            out.push(format!("{}-{}", address_from_bits(family, lo), address_from_bits(family, hi)));
            continue;
        }
        for net in prefixes {
            let single = net.prefix_len() == net.max_prefix_len();
            out.push(if single { net.addr().to_string() } else { net.to_string() });
        }
    }
    out
}

/// Reads `443` or `5060-5061`.
pub fn parse_port_range(text: &str) -> Option<(u16, u16)> {
    let (lo, hi) = text.split_once(['-', '–']).unwrap_or((text, text));
    let (lo, hi) = (lo.trim().parse().ok()?, hi.trim().parse().ok()?);
    (lo <= hi).then_some((lo, hi))
}

/// Ports as text: `443`, `5060-5061`, joined by commas.
pub fn format_ports(ports: &Ranges) -> String {
    let list: Vec<String> = ports
        .as_slice()
        .iter()
        .map(|(lo, hi)| if lo == hi { lo.to_string() } else { format!("{lo}-{hi}") })
        .collect();
    list.join(",")
}

/// The public addresses of a family: outside private, shared, loopback, link-local, multicast and reserved
/// space (IANA special-purpose registries). Documentation ranges count as public, so that examples work.
pub fn public_ranges(family: Family) -> Ranges {
    let special: &[&str] = match family {
        Family::V4 => &[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "224.0.0.0/3",
        ],
        // Everything but global unicast 2000::/3.
        Family::V6 => &["::/3", "4000::/2", "8000::/1"],
    };
    let taken: Ranges = special.iter().filter_map(|p| parse_prefix(p)).map(|n| prefix_range(&n)).collect();
    taken.complement(family.max_address())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_space_ends_where_the_registries_say() {
        let v4 = public_ranges(Family::V4);
        for (address, public) in [
            ("9.255.255.255", true),
            ("10.0.0.0", false),
            ("100.63.255.255", true),
            ("100.64.0.1", false),
            ("192.0.2.1", true),
            ("203.0.113.9", true),
            ("198.19.255.255", false),
            ("223.255.255.255", true),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(v4.contains(address_bits(address.parse().unwrap())), public, "{address}");
        }
        let v6 = public_ranges(Family::V6);
        for (address, public) in
            [("2001:db8::1", true), ("fe80::1", false), ("fd00::1", false), ("::1", false)]
        {
            assert_eq!(v6.contains(address_bits(address.parse().unwrap())), public, "{address}");
        }
    }

    #[test]
    fn ports_read_and_write() {
        assert_eq!(parse_port_range("5060-5061"), Some((5060, 5061)));
        assert_eq!(parse_port_range("70000"), None);
        assert_eq!(parse_port_range("9-8"), None);
        assert_eq!(format_ports(&Ranges::from_unsorted(vec![(443, 443), (8000, 8010)])), "443,8000-8010");
    }
}
