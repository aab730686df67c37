//! Address objects and groups.

use super::config::Block;
use std::net::IpAddr;
use tillgate_model::{Family, Ranges, address_bits, parse_prefix, prefix_range};

/// Which addresses an object stands for.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    pub certain: Ranges,
    /// In it or not: what only the unit knows.
    pub maybe: Ranges,
    /// Names it looks up.
    pub names: Vec<String>,
}

/// One piece of a side of a policy.
pub struct Piece {
    pub ranges: Ranges,
    pub sure: bool,
    /// Only what these names lead to.
    pub names: Option<Vec<String>>,
}

impl Addresses {
    fn of(ranges: Ranges) -> Self {
        Addresses { certain: ranges, ..Addresses::default() }
    }

    fn open(family: Family) -> Self {
        Addresses { maybe: Ranges::full(family.max_address()), ..Addresses::default() }
    }

    pub fn join(&mut self, other: Addresses) {
        self.certain = self.certain.union(&other.certain);
        self.maybe = self.maybe.union(&other.maybe);
        self.names.extend(other.names);
        self.names.sort();
        self.names.dedup();
    }

    /// All that may be in it.
    fn possible(&self, family: Family) -> Ranges {
        match self.names.is_empty() {
            true => self.certain.union(&self.maybe),
            false => Ranges::full(family.max_address()),
        }
    }

    fn without(self, other: &Addresses, family: Family) -> Self {
        let possible = self.possible(family);
        let certain = self.certain.subtract(&other.possible(family));
        Addresses { maybe: possible.subtract(&other.certain).subtract(&certain), certain, names: Vec::new() }
    }

    pub fn negated(self, family: Family) -> Self {
        let all = Addresses::of(Ranges::full(family.max_address()));
        all.without(&self, family)
    }

    /// The pieces of which each is certain, open or by name.
    pub fn pieces(&self, family: Family) -> Vec<Piece> {
        let maybe = self.maybe.subtract(&self.certain);
        let rest = self.certain.union(&maybe).complement(family.max_address());
        let mut out = Vec::new();
        if !self.certain.is_empty() {
            out.push(Piece { ranges: self.certain.clone(), sure: true, names: None });
        }
        if !maybe.is_empty() {
            out.push(Piece { ranges: maybe, sure: false, names: None });
        }
        if !self.names.is_empty() && !rest.is_empty() {
            out.push(Piece { ranges: rest, sure: true, names: Some(self.names.clone()) });
        }
        out
    }
}

fn bits(family: Family, text: &str) -> Option<u128> {
    text.parse::<IpAddr>().ok().filter(|a| Family::of(*a) == family).map(address_bits)
}

/// `A M`, `A/L`; `None` when it is none.
pub fn subnet(family: Family, values: &[String]) -> Option<Ranges> {
    match values {
        [one] => {
            let net = parse_prefix(one).filter(|n| Family::of(n.addr()) == family)?;
            let (lo, hi) = prefix_range(&net.trunc());
            Some(Ranges::span(lo, hi))
        }
        [address, mask] => masked(family, bits(family, address)?, bits(family, mask)?),
        _ => None,
    }
}

/// Addresses that agree with one where a mask has bits, if that is a range.
fn masked(family: Family, address: u128, mask: u128) -> Option<Ranges> {
    let host = family.max_address() & !mask;
    let contiguous = host & host.wrapping_add(1) == 0;
    contiguous.then(|| Ranges::span(address & mask, (address & mask) | host))
}

/// `A-B`, `A`, `A/L`.
pub fn span(family: Family, text: &str) -> Option<Ranges> {
    if let Some((lo, hi)) = text.split_once('-') {
        let (lo, hi) = (bits(family, lo)?, bits(family, hi)?);
        return (lo <= hi).then(|| Ranges::span(lo, hi));
    }
    subnet(family, &[text.to_string()])
}

/// The addresses of an object or group of a virtual domain; `None` when there is none of the name.
pub fn lookup(
    vdom: &Block,
    interfaces: &Block,
    family: Family,
    name: &str,
    depth: usize,
) -> Option<Addresses> {
    // Groups do not hold themselves; the bound keeps a faulty file from running forever.
    if depth > 16 {
        return Some(Addresses::open(family));
    }
    let (objects, groups) = match family {
        Family::V4 => ("firewall address", "firewall addrgrp"),
        Family::V6 => ("firewall address6", "firewall addrgrp6"),
    };
    if let Some(group) = vdom.entry(groups, name) {
        let gather = |key: &str| {
            let mut all = Addresses::default();
            for member in group.block.values(key) {
                all.join(
                    lookup(vdom, interfaces, family, member, depth + 1)
                        .unwrap_or_else(|| Addresses::open(family)),
                );
            }
            all
        };
        let all = gather("member");
        return Some(if group.block.on("exclude") {
            all.without(&gather("exclude-member"), family)
        } else {
            all
        });
    }
    if let Some(entry) = vdom.entry(objects, name) {
        return Some(object(&entry.block, interfaces, family, name));
    }
    let full = Ranges::full(family.max_address());
    Some(match name {
        "all" => Addresses::of(full),
        "none" => Addresses::of(Ranges::single(0)),
        "SSLVPN_TUNNEL_ADDR1" if family == Family::V4 => {
            Addresses::of(span(family, "10.212.134.200-10.212.134.210")?)
        }
        "SSLVPN_TUNNEL_IPv6_ADDR1" if family == Family::V6 => Addresses::of(span(family, "fdff:ffff::/120")?),
        "FABRIC_DEVICE" | "FIREWALL_AUTH_PORTAL_ADDRESS" => Addresses::open(family),
        _ => return None,
    })
}

fn object(block: &Block, interfaces: &Block, family: Family, name: &str) -> Addresses {
    let open = Addresses::open(family);
    let kind = block.get("type").unwrap_or("ipmask");
    let found = match kind {
        "ipmask" | "ipprefix" | "interface-subnet" | "template" => {
            let key = if family == Family::V4 { "subnet" } else { "ip6" };
            let values = block.values(key);
            let device = block.get("interface").filter(|_| kind == "interface-subnet" && values.is_empty());
            match (values, device) {
                (_, Some(device)) => {
                    let port = interfaces.entry("system interface", device);
                    port.and_then(|e| subnet(family, e.block.values("ip")))
                }
                ([], None) if matches!(name, "FABRIC_DEVICE" | "FIREWALL_AUTH_PORTAL_ADDRESS") => None,
                ([], None) if kind == "template" => None,
                // Nothing is printed of 0.0.0.0 0.0.0.0.
                ([], None) => Some(Ranges::full(family.max_address())),
                (values, None) => subnet(family, values),
            }
        }
        "iprange" => {
            let (lo, hi) = (block.get("start-ip"), block.get("end-ip"));
            lo.zip(hi).and_then(|(lo, hi)| span(family, &format!("{lo}-{hi}")))
        }
        "wildcard" => match block.values("wildcard") {
            [address, mask] => {
                bits(family, address).zip(bits(family, mask)).and_then(|(a, m)| masked(family, a, m))
            }
            _ => None,
        },
        "fqdn" | "wildcard-fqdn" => {
            let name = block.get("fqdn").or(block.get("wildcard-fqdn"));
            return match name {
                Some(name) => Addresses { names: vec![name.to_ascii_lowercase()], ..Addresses::default() },
                None => open,
            };
        }
        _ => None,
    };
    found.map_or(open, Addresses::of)
}
