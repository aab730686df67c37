//! Addresses as lists, objects and groups write them, and what names stand for.

use super::config::{Config, Kind, Named, Value};
use super::lines::{Bad, Words};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use tillgate_model::{Family, Ranges, Text, address_bits, parse_prefix, prefix_range};

/// Groups within groups beyond this are not followed; no device has so many.
const DEEPEST: usize = 32;

/// Members of all groups together, with those of their groups: beyond, a file was made to fill memory.
const MOST_MEMBERS: usize = 4_000_000;

/// A mask with holes stands for this many ranges at most.
const MOST_RANGES: u32 = 8;

/// Which addresses something stands for, by family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub certain: [Ranges; 2],
    /// In it or not: what only the device knows.
    pub maybe: [Ranges; 2],
    /// Names it looks up.
    pub names: [Vec<String>; 2],
}

/// One piece of a side of a rule.
pub struct Piece<'p> {
    /// `None` for every address of the family.
    pub ranges: Option<Ranges>,
    pub sure: bool,
    /// Only what these names lead to.
    pub names: &'p [String],
}

impl Addresses {
    /// Every address of one family, or of both.
    pub fn any(family: Option<Family>) -> Self {
        let mut out = Addresses::default();
        for f in Family::BOTH.into_iter().filter(|f| family.is_none_or(|only| only == *f)) {
            out.certain[f as usize] = Ranges::full(f.max_address());
        }
        out
    }

    /// Addresses nobody knows here, of one family or of both.
    pub fn open(family: Option<Family>) -> Self {
        Addresses { maybe: Addresses::any(family).certain, ..Addresses::default() }
    }

    /// A set of addresses.
    pub fn of(family: Family, ranges: Ranges) -> Self {
        let mut out = Addresses::default();
        out.certain[family as usize] = ranges;
        out
    }

    /// Whether it is every address of both families.
    pub fn whole(&self) -> bool {
        Family::BOTH.iter().all(|f| self.certain[*f as usize] == Ranges::full(f.max_address()))
    }

    fn join(&mut self, other: &Addresses) {
        for at in 0..2 {
            self.maybe[at] = self.maybe[at].union(&other.maybe[at]);
            self.names[at].extend(other.names[at].iter().cloned());
            self.names[at].sort();
            self.names[at].dedup();
        }
    }

    /// The pieces of a family, of which each is certain, open or by name.
    pub fn pieces(&self, family: Family) -> Vec<Piece<'_>> {
        let at = family as usize;
        let full = Ranges::full(family.max_address());
        let mut out = Vec::new();
        let mut piece = |ranges: Ranges, sure: bool, names| {
            let ranges = (ranges != full).then_some(ranges);
            out.push(Piece { ranges, sure, names });
        };
        let (certain, names) = (&self.certain[at], &self.names[at]);
        if !certain.is_empty() {
            piece(certain.clone(), true, &[]);
        }
        if *certain == full {
            return out;
        }
        let maybe = self.maybe[at].subtract(certain);
        if !maybe.is_empty() {
            piece(maybe, false, &[]);
        }
        if !names.is_empty() {
            piece(full.clone(), true, names);
        }
        out
    }

    /// First and last addresses in order of family.
    pub fn spans(&self) -> Vec<(Family, u128, u128)> {
        let of = |f: Family| self.certain[f as usize].as_slice().iter().map(move |(lo, hi)| (f, *lo, *hi));
        Family::BOTH.into_iter().flat_map(of).collect()
    }
}

/// The address of a number or of a `name` line.
pub fn number(config: &Config<'_>, word: &str) -> Option<IpAddr> {
    word.parse().ok().or_else(|| config.aliases.get(word).copied())
}

/// The addresses of an address and a network mask; `None` when they do not fit together.
fn masked(address: u32, mask: u32) -> Option<Ranges> {
    if address & !mask != 0 {
        return None;
    }
    // What lies below the last set bit is one range; free bits above it are the same range many times over.
    let low = mask.trailing_zeros();
    let free: Vec<u32> = (low..32).filter(|bit| mask >> bit & 1 == 0).collect();
    if low == 32 {
        return Some(Ranges::full(u32::MAX.into()));
    }
    if free.len() as u32 > MOST_RANGES {
        return None;
    }
    let size = (1u128 << low) - 1;
    let one = |pattern: u32| {
        let set = free.iter().enumerate().filter(|(at, _)| pattern >> at & 1 == 1);
        let first = set.fold(address, |all, (_, bit)| all | 1 << bit);
        (u128::from(first), u128::from(first) + size)
    };
    Some((0..1u32 << free.len()).map(one).collect())
}

/// `A M` or `P/len`, of which the first word may be a name.
pub fn network(config: &Config<'_>, words: &mut Words<'_, '_>) -> Result<(Family, Ranges), Bad> {
    let word = words.next()?;
    if word.contains('/') {
        let (address, length) = word.split_once('/').unwrap_or((word, ""));
        let text = number(config, address).map(|a| format!("{a}/{length}"));
        let net = text.and_then(|t| parse_prefix(&t)).filter(|n| n.trunc() == *n);
        let net = net.ok_or_else(|| words.bad())?;
        let (lo, hi) = prefix_range(&net);
        return Ok((Family::of(net.addr()), Ranges::span(lo, hi)));
    }
    // `0 0` is typed for everything.
    let address = match number(config, if word == "0" { "0.0.0.0" } else { word }) {
        Some(IpAddr::V4(address)) => u32::from(address),
        Some(IpAddr::V6(_)) => return Err(words.bad()),
        None => return Err((words.line.place(words.at - 1), Text::new("unknown-object").arg("name", word))),
    };
    let mask = words.next()?;
    let mask = match if mask == "0" { "0.0.0.0" } else { mask }.parse::<std::net::Ipv4Addr>() {
        Ok(mask) => u32::from(mask),
        Err(_) => return Err(words.bad()),
    };
    masked(address, mask).map(|ranges| (Family::V4, ranges)).ok_or_else(|| words.bad())
}

/// The address behind `host`.
pub fn host(config: &Config<'_>, words: &mut Words<'_, '_>) -> Result<(Family, u128), Bad> {
    let word = words.next()?;
    match number(config, word) {
        Some(address) => Ok((Family::of(address), address_bits(address))),
        None => Err((words.line.place(words.at - 1), Text::new("unknown-object").arg("name", word))),
    }
}

/// Looks up what names stand for; remembers it.
pub struct Resolver<'a> {
    pub config: &'a Config<'a>,
    known: HashMap<&'a str, Rc<Addresses>>,
    pub(super) services: HashMap<&'a str, Rc<super::service::Services>>,
    /// Members put together so far.
    pub spent: usize,
    pub errors: Vec<Bad>,
}

impl<'a> Resolver<'a> {
    /// Over a configuration that was read to its end.
    pub fn new(config: &'a Config<'a>) -> Self {
        let (known, services) = (HashMap::new(), HashMap::new());
        Resolver { config, known, services, spent: 0, errors: Vec::new() }
    }

    /// Whether the groups have outgrown all bounds.
    pub fn spend(&mut self, members: usize) -> bool {
        self.spent = self.spent.saturating_add(members);
        self.spent > MOST_MEMBERS
    }

    /// The addresses of a network object or group.
    pub fn addresses(&mut self, named: &Named<'a>, group: bool) -> Rc<Addresses> {
        let found = if group { self.group(named.name, 0) } else { self.object(named.name) };
        found.unwrap_or_else(|| {
            self.errors.push((named.span.clone(), Text::new("unknown-object").arg("name", named.name)));
            Rc::new(Addresses::open(None))
        })
    }

    fn object(&mut self, name: &str) -> Option<Rc<Addresses>> {
        let object = self.config.networks.get(name)?;
        let mut out = Addresses::default();
        match &object.value {
            Value::Empty => {}
            Value::Addresses(family, lo, hi) => out = Addresses::of(*family, Ranges::span(*lo, *hi)),
            Value::Name(name, family) => {
                for f in Family::BOTH.into_iter().filter(|f| family.is_none_or(|only| only == *f)) {
                    out.names[f as usize].push(name.clone());
                }
            }
        }
        Some(Rc::new(out))
    }

    fn group(&mut self, name: &'a str, depth: usize) -> Option<Rc<Addresses>> {
        if let Some(known) = self.known.get(name) {
            return Some(Rc::clone(known));
        }
        let group = self.config.groups.get(name)?;
        if group.kind == Kind::Open || depth > DEEPEST {
            return Some(Rc::new(Addresses::open(None)));
        }
        // A group that holds itself adds nothing to itself.
        self.known.insert(name, Rc::default());
        let mut lists: [Vec<(u128, u128)>; 2] = Default::default();
        for (family, lo, hi) in &group.addresses {
            lists[*family as usize].push((*lo, *hi));
        }
        let mut all = Addresses::default();
        let objects = group.objects.iter().map(|n| (n, false));
        for (named, inner) in objects.chain(group.groups.iter().map(|n| (n, true))) {
            let found = if inner { self.group(named.name, depth + 1) } else { self.object(named.name) };
            match found {
                Some(one) => {
                    for (at, list) in lists.iter_mut().enumerate() {
                        list.extend_from_slice(one.certain[at].as_slice());
                    }
                    all.join(&one);
                    if self.spend(one.certain[0].as_slice().len() + one.certain[1].as_slice().len()) {
                        break;
                    }
                }
                None => {
                    let text = Text::new("unknown-object").arg("name", named.name);
                    self.errors.push((named.span.clone(), text));
                    all.join(&Addresses::open(None));
                }
            }
        }
        all.certain = lists.map(Ranges::from_unsorted);
        let all = Rc::new(all);
        self.known.insert(name, Rc::clone(&all));
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_with_holes_are_the_same_range_many_times() {
        let at = |text: &str| u32::from(text.parse::<std::net::Ipv4Addr>().unwrap());
        let found = masked(at("128.168.0.0"), at("191.255.255.128")).unwrap();
        let first = u128::from(at("128.168.0.0"));
        let second = u128::from(at("192.168.0.0"));
        assert_eq!(found.as_slice(), [(first, first + 127), (second, second + 127)]);
        assert_eq!(masked(1, at("255.255.255.0")), None);
        assert_eq!(masked(0, 0), Some(Ranges::full(u32::MAX.into())));
        assert_eq!(masked(0, 0x5555_5555), None);
    }
}
