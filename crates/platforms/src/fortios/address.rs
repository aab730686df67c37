//! Address objects and groups.

use super::config::Block;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
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

    /// Everything that is in any of them.
    pub fn union(all: &[Rc<Addresses>]) -> Self {
        let gather = |ranges: fn(&Addresses) -> &Ranges| {
            Ranges::from_unsorted(all.iter().flat_map(|one| ranges(one).as_slice()).copied().collect())
        };
        let mut names: Vec<String> = all.iter().flat_map(|one| one.names.iter().cloned()).collect();
        names.sort();
        names.dedup();
        Addresses { certain: gather(|one| &one.certain), maybe: gather(|one| &one.maybe), names }
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

/// What the names of a virtual domain were found to stand for.
#[derive(Default)]
pub struct Known(HashMap<(Family, String), Option<Rc<Addresses>>>);

/// The addresses of an object or group of a virtual domain; `None` when there is none of the name.
pub fn lookup(
    vdom: &Block,
    interfaces: &Block,
    family: Family,
    name: &str,
    known: &mut Known,
) -> Option<Rc<Addresses>> {
    Search { vdom, interfaces, family, known }.name(name, 0)
}

struct Search<'a> {
    vdom: &'a Block,
    interfaces: &'a Block,
    family: Family,
    known: &'a mut Known,
}

impl Search<'_> {
    fn name(&mut self, name: &str, depth: usize) -> Option<Rc<Addresses>> {
        let key = (self.family, name.to_string());
        if let Some(found) = self.known.0.get(&key) {
            return found.clone();
        }
        let groups = if self.family == Family::V4 { "firewall addrgrp" } else { "firewall addrgrp6" };
        let Some(group) = self.vdom.entry(groups, name) else {
            let found = single(self.vdom, self.interfaces, self.family, name).map(Rc::new);
            self.known.0.insert(key, found.clone());
            return found;
        };
        // Groups do not hold themselves; in a faulty file they may, or may lie too deep.
        let open = Rc::new(Addresses::open(self.family));
        if depth > 16 {
            return Some(open);
        }
        self.known.0.insert(key.clone(), Some(open));
        let block = &group.block;
        let mut all = self.members(block.values("member"), depth);
        if block.on("exclude") {
            let other = self.members(block.values("exclude-member"), depth);
            all = all.without(&other, self.family);
        }
        let found = Some(Rc::new(all));
        self.known.0.insert(key, found.clone());
        found
    }

    fn members(&mut self, names: &[String], depth: usize) -> Addresses {
        let family = self.family;
        let mut one = |name: &String| {
            let found = self.name(name, depth + 1);
            found.unwrap_or_else(|| Rc::new(Addresses::open(family)))
        };
        let all: Vec<Rc<Addresses>> = names.iter().map(&mut one).collect();
        Addresses::union(&all)
    }
}

/// What a name stands for that is no group.
fn single(vdom: &Block, interfaces: &Block, family: Family, name: &str) -> Option<Addresses> {
    let objects = if family == Family::V4 { "firewall address" } else { "firewall address6" };
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
