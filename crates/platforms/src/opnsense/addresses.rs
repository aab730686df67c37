//! Sets of addresses as far as the file tells them, and the pieces a rule is taken apart into by them.

use super::draft::Place;
use super::network::Network;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use tillgate_model::{Family, Ranges, address_bits, parse_prefix, prefix_range, range_to_prefixes};

/// Ranges that a wildcard mask is taken apart into; beyond, its addresses may be meant or not.
const MOST_WILD: usize = 4096;

/// Addresses, by family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub certain: [Ranges; 2],
    /// In it or not: what only the firewall knows.
    pub maybe: [Ranges; 2],
    /// Names that are looked up.
    pub names: Vec<String>,
    /// Addresses of the firewall itself, by family: all of them, or (`false`) some that only it knows.
    pub own: [Option<bool>; 2],
}

/// Ports.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    pub certain: Ranges,
    /// Whether there may be more.
    pub maybe: bool,
}

/// One side of a rule.
#[derive(Clone, Debug)]
pub struct Side {
    pub set: Rc<Set>,
    pub negate: bool,
}

/// One piece of a side.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// `None` for all addresses of the family.
    pub ranges: Option<Ranges>,
    /// Only what these names lead to.
    pub names: Option<Vec<String>>,
    /// Only packets for the firewall itself, or (`false`) only others.
    pub local: Option<bool>,
    pub sure: bool,
}

fn full(family: Family) -> Ranges {
    Ranges::full(family.max_address())
}

/// What can be an address of a host: no group, and not the limited broadcast.
fn hosts(family: Family) -> Ranges {
    match family {
        Family::V4 => Ranges::from_unsorted(vec![(0, 0xdfff_ffff), (0xf000_0000, 0xffff_fffe)]),
        Family::V6 => Ranges::span(0, (0xff << 120) - 1),
    }
}

impl Set {
    /// Every address.
    pub fn any() -> Self {
        Set { certain: Family::BOTH.map(full), ..Set::default() }
    }

    /// Nobody knows which.
    pub fn open() -> Self {
        Set { maybe: Family::BOTH.map(full), ..Set::default() }
    }

    pub fn of(family: Family, ranges: Ranges) -> Self {
        let mut out = Set::default();
        out.certain[family as usize] = ranges;
        out
    }

    /// The subnets behind an interface or a group.
    pub fn behind(network: &Network<'_>, key: &str) -> Self {
        let members = network.members(key);
        if members.is_empty() {
            return Set::open();
        }
        let mut out = Set::default();
        for family in Family::BOTH {
            let at = family as usize;
            out.certain[at] = members.iter().flat_map(|i| i.subnets[at].as_slice().to_vec()).collect();
            if members.iter().any(|i| i.dynamic[at]) {
                out.maybe[at] = full(family);
            }
        }
        out
    }

    /// The addresses of the firewall on an interface.
    pub fn on(network: &Network<'_>, key: &str) -> Self {
        let members = network.members(key);
        let mut out = Set::default();
        for interface in &members {
            for at in 0..2 {
                out.certain[at] = out.certain[at].union(&interface.own[at]);
                out.own[at] = out.own[at].max(interface.dynamic[at].then_some(false));
            }
        }
        if members.is_empty() {
            out.own = [Some(false); 2];
        }
        out
    }

    /// All addresses of the firewall.
    pub fn myself() -> Self {
        Set { own: [Some(true); 2], ..Set::default() }
    }

    pub fn join(&mut self, other: &Set) {
        for at in 0..2 {
            self.certain[at] = self.certain[at].union(&other.certain[at]);
            self.maybe[at] = self.maybe[at].union(&other.maybe[at]);
            self.own[at] = self.own[at].max(other.own[at]);
        }
        self.names.extend(other.names.iter().cloned());
        self.names.sort();
        self.names.dedup();
    }

    /// Whether only the firewall knows all of a family.
    pub fn is_open(&self, family: Family) -> bool {
        !self.maybe[family as usize].is_empty() || self.own[family as usize] == Some(false)
    }

    pub fn is_any(&self) -> bool {
        Family::BOTH.iter().all(|f| self.certain[*f as usize] == full(*f))
    }
}

impl Side {
    pub fn any() -> Self {
        Side { set: Rc::new(Set::any()), negate: false }
    }

    pub fn of(set: Set) -> Self {
        Side { set: Rc::new(set), negate: false }
    }

    pub fn is_any(&self) -> bool {
        !self.negate && self.set.is_any()
    }

    /// As a destination, at a place of the packet's way.
    pub fn destination(&self, family: Family, place: Place) -> Vec<Piece> {
        let own = match place {
            Place::Out => None,
            Place::In | Place::Translating => self.set.own[family as usize],
        };
        self.pieces(family, own, true)
    }

    /// As a source.
    pub fn source(&self, family: Family, network: &Network<'_>) -> Vec<Piece> {
        let at = family as usize;
        if self.set.own[at].is_none() {
            return self.pieces(family, None, false);
        }
        let mut set = (*self.set).clone();
        let (own, more) = (network.known_own(family), network.has_more(family));
        if set.own[at] == Some(true) {
            set.certain[at] = set.certain[at].union(own);
        }
        if more || set.own[at] == Some(false) {
            set.maybe[at] = full(family);
        }
        Side { set: Rc::new(set), negate: self.negate }.pieces(family, None, false)
    }

    fn pieces(&self, family: Family, own: Option<bool>, by_name: bool) -> Vec<Piece> {
        let set = &self.set;
        let certain = &set.certain[family as usize];
        let maybe = set.maybe[family as usize].subtract(certain);
        let rest = certain.union(&maybe).complement(family.max_address());
        let piece = |ranges: &Ranges, sure: bool| {
            (!ranges.is_empty()).then(|| Piece {
                ranges: (*ranges != full(family)).then(|| ranges.clone()),
                sure,
                ..Piece::default()
            })
        };
        let mut out = Vec::new();
        if !self.negate {
            out.extend(piece(certain, true));
            out.extend(piece(&maybe, false));
            if !set.names.is_empty() {
                let named = piece(&rest, by_name);
                out.extend(named.map(|p| Piece { names: by_name.then(|| set.names.clone()), ..p }));
            }
            let hosts = piece(&hosts(family), true);
            out.extend(own.zip(hosts).map(|(sure, p)| Piece { local: Some(true), sure, ..p }));
            return out;
        }
        let named = !set.names.is_empty();
        for (ranges, sure) in [(&rest, !named), (&maybe, false)] {
            let Some(whole) = piece(ranges, sure) else { continue };
            match own {
                None => out.push(whole),
                // Not to the firewall: what leaves again, and groups and broadcasts, which are no address of it.
                Some(true) => {
                    out.push(Piece { local: Some(false), ..whole });
                    let groups = piece(&ranges.subtract(&hosts(family)), sure);
                    out.extend(groups.map(|p| Piece { local: Some(true), ..p }));
                }
                Some(false) => {
                    out.push(Piece { local: Some(false), ..whole.clone() });
                    out.push(Piece { local: Some(true), sure: false, ..whole });
                }
            }
        }
        out
    }
}

/// Ranges that add, and ranges that cut.
type Entries = [Vec<(u128, u128)>; 2];

/// Entries of a table: the most specific one decides (pf, TABLES).
#[derive(Default)]
pub struct Gathering {
    /// Entries by family and by how many addresses they hold, as a power of two; those that add, those that cut.
    entries: [BTreeMap<u32, Entries>; 2],
    set: Set,
    cut: Vec<Set>,
}

impl Gathering {
    fn range(&mut self, family: Family, lo: u128, hi: u128, hole: bool) {
        for net in range_to_prefixes(family, lo, hi) {
            let (lo, hi) = prefix_range(&net);
            let size = u32::from(net.max_prefix_len() - net.prefix_len());
            self.entries[family as usize].entry(size).or_default()[usize::from(hole)].push((lo, hi));
        }
    }

    /// Adds an address, a prefix, a range or a wildcard; `false` when the text is none.
    pub fn item(&mut self, text: &str, hole: bool) -> bool {
        if let Some((lo, hi)) = text.split_once('-')
            && let (Ok(lo), Ok(hi)) = (lo.parse::<IpAddr>(), hi.parse::<IpAddr>())
        {
            let family = Family::of(lo);
            let (lo, hi) = (address_bits(lo), address_bits(hi));
            if family == Family::V4 && hi > u32::MAX.into() || lo > hi {
                return false;
            }
            self.range(family, lo, hi, hole);
            return true;
        }
        if let Some((address, mask)) = text.split_once('/')
            && let (Ok(address), Ok(mask)) = (address.parse::<Ipv4Addr>(), mask.parse::<Ipv4Addr>())
        {
            match wild(address.into(), mask.into()) {
                Some(list) => list.into_iter().for_each(|(lo, hi)| self.range(Family::V4, lo, hi, hole)),
                None => self.set.maybe[0] = full(Family::V4),
            }
            return true;
        }
        match parse_prefix(text) {
            Some(net) => {
                let (lo, hi) = prefix_range(&net.trunc());
                self.range(Family::of(net.addr()), lo, hi, hole);
                true
            }
            None => false,
        }
    }

    /// Adds another set, or cuts it out.
    pub fn set(&mut self, other: &Set, hole: bool) {
        match hole {
            true => self.cut.push(other.clone()),
            false => self.set.join(other),
        }
    }

    /// Adds a name that is looked up.
    pub fn name(&mut self, text: &str) {
        self.set.names.push(text.trim_end_matches('.').to_ascii_lowercase());
    }

    /// What is in it can no longer be said.
    pub fn open(&mut self) {
        self.cut.push(Set::open());
    }

    pub fn done(mut self) -> Set {
        for family in Family::BOTH {
            let at = family as usize;
            let mut all = Ranges::empty();
            for [adds, cuts] in self.entries[at].values_mut().rev() {
                all = all.union(&Ranges::from_unsorted(std::mem::take(adds)));
                all = all.subtract(&Ranges::from_unsorted(std::mem::take(cuts)));
            }
            self.set.certain[at] = self.set.certain[at].union(&all);
            for cut in &self.cut {
                let possible = cut.certain[at].union(&cut.maybe[at]);
                let lost = self.set.certain[at].intersect(&possible);
                self.set.certain[at] = self.set.certain[at].subtract(&possible);
                self.set.maybe[at] = self.set.maybe[at].union(&lost).subtract(&cut.certain[at]);
            }
        }
        self.set.names.sort();
        self.set.names.dedup();
        self.set
    }
}

/// The addresses that agree with one in the bits a wildcard mask leaves; `None` for too many ranges.
fn wild(address: u32, mask: u32) -> Option<Vec<(u128, u128)>> {
    let low = mask.trailing_ones();
    let high = if low == 32 { 0 } else { mask >> low << low };
    if high.count_ones() > MOST_WILD.ilog2() {
        return None;
    }
    let (base, tail) = (address & !mask, if low == 32 { u32::MAX } else { (1u32 << low) - 1 });
    let mut out = Vec::new();
    let mut free = 0u32;
    loop {
        let first = base | free;
        out.push((first.into(), (first | tail).into()));
        // The next number whose bits lie in the mask.
        free = free.wrapping_sub(high) & high;
        if free == 0 {
            return Some(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> Set {
        let mut out = Gathering::default();
        for item in items {
            let (item, hole) = item.strip_prefix('!').map_or((*item, false), |rest| (rest, true));
            assert!(out.item(item, hole), "{item}");
        }
        out.done()
    }

    #[test]
    fn the_most_specific_entry_decides_whatever_the_order() {
        let all = set(&["10.17.20.9", "!10.17.20.0/24", "10.17.0.0/16"]);
        let has =
            |last: [u8; 2]| all.certain[0].contains(address_bits(IpAddr::from([10, 17, last[0], last[1]])));
        assert!(has([30, 1]) && has([20, 9]) && !has([20, 8]));
    }

    #[test]
    fn wildcards_leave_bits_free() {
        let wild = set(&["10.17.0.1/0.0.255.0"]);
        assert_eq!(wild.certain[0].as_slice().len(), 256);
        assert!(set(&["10.0.0.0/0.255.255.255"]).certain[0].as_slice().len() == 1);
        assert!(!set(&["10.0.0.1/0.255.255.0"]).maybe[0].is_empty());
    }
}
