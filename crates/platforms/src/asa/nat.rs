//! Address translation: `nat` lines of objects and of their own, in the order in which the device tries them.

use super::address::{Resolver, number};
use super::config::{Kind, Named};
use super::lines::{Bad, Line, Words};
use super::words;
use tillgate_model::{Family, Ranges, Span, Text, address_bits};
use tillgate_ruleset::{Fact, What};

/// First and last address of a family.
pub type Range = (Family, u128, u128);

/// One side of a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    Any,
    Set(Vec<Range>),
    /// The address of the interface; of this family.
    Interface(Family),
}

impl Operand {
    /// The addresses; every one of both families for `any`.
    pub fn ranges(&self) -> Option<Vec<Range>> {
        match self {
            Operand::Any => Some(Family::BOTH.map(|f| (f, 0, f.max_address())).to_vec()),
            Operand::Set(list) => Some(list.clone()),
            Operand::Interface(_) => None,
        }
    }
}

/// A service of a translation: protocol, and the ports of either side before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    pub protocol: u8,
    pub source: Option<(Ranges, Ranges)>,
    pub destination: Option<(Ranges, Ranges)>,
}

/// A translation.
#[derive(Clone, Debug)]
pub struct Nat<'a> {
    pub span: Span,
    /// Where the real addresses are, and where the mapped ones; `None` is any interface.
    pub real_side: Option<&'a str>,
    pub mapped_side: Option<&'a str>,
    /// Works from the mapped side too.
    pub fixed: bool,
    pub unidirectional: bool,
    pub real: Operand,
    pub mapped: Operand,
    /// The destination before and after, as the real side sends.
    pub destination: Option<(Operand, Operand)>,
    pub ports: Option<Ports>,
}

impl Nat<'_> {
    /// Nothing about the source changes.
    pub fn keeps_source(&self) -> bool {
        let same = |p: &Ports| p.source.as_ref().is_none_or(|(a, b)| a == b);
        self.fixed && self.real == self.mapped && self.ports.as_ref().is_none_or(same)
    }
}

/// All translations in order: lines of their own, those of objects, and what comes `after-auto`.
pub fn all<'a>(lines: &[Line<'a>], found: &mut Resolver<'a>) -> (Vec<Nat<'a>>, Vec<Fact>) {
    let config = found.config;
    let (mut first, mut objects, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut facts = Vec::new();
    for (entry, line) in config.nat.iter().zip(lines) {
        let mut reader = Reader { words: Words { line, at: 1 }, found };
        let read = match entry.object {
            Some(name) => reader.object(name).map(|nat| objects.push((key(&nat, name), nat))),
            None => reader.twice().map(|read| match read {
                Some((nat, place, after)) => {
                    let list = if after { &mut last } else { &mut first };
                    let at = place.and_then(|p| p.checked_sub(1)).unwrap_or(usize::MAX).min(list.len());
                    list.insert(at, nat);
                }
                None => facts.push(Fact { span: entry.span.clone(), what: What::Disabled }),
            }),
        };
        if let Err(bad) = read {
            found.errors.push(bad);
        }
    }
    objects.sort_by_key(|(key, _)| *key);
    first.extend(objects.into_iter().map(|(_, nat)| nat));
    first.extend(last);
    (first, facts)
}

/// Static before dynamic, few real addresses before many, low before high, then by name (NAT Rule Order).
fn key<'a>(nat: &Nat<'_>, name: &'a str) -> (bool, u128, u128, &'a str) {
    let list = nat.real.ranges().unwrap_or_default();
    let size = list.iter().fold(0u128, |n, (_, lo, hi)| n.saturating_add(hi - lo).saturating_add(1));
    (!nat.fixed, size, list.first().map_or(0, |r| r.1), name)
}

struct Reader<'r, 'l, 'a> {
    words: Words<'l, 'a>,
    found: &'r mut Resolver<'a>,
}

impl<'a> Reader<'_, '_, 'a> {
    /// `(REAL,MAPPED)`; without it any to any.
    fn sides(&mut self) -> Result<[Option<&'a str>; 2], Bad> {
        if !self.words.peek().starts_with('(') {
            return Ok([None, None]);
        }
        let mut names = Vec::new();
        loop {
            let word = self.words.next()?;
            names.extend(word.split(['(', ',', ')']).filter(|n| !n.is_empty()));
            if word.ends_with(')') {
                break;
            }
        }
        let place = self.words.line.place(1);
        let [real, mapped] = names.as_slice() else { return Err(self.words.bad()) };
        let config = self.found.config;
        let of = |name: &&'a str| -> Result<Option<&'a str>, Bad> {
            if name.eq_ignore_ascii_case("any") {
                return Ok(None);
            }
            match config.interface(name).and_then(|i| i.name.as_ref()) {
                Some(found) => Ok(Some(found.name)),
                None if config.complete() => {
                    Err((place.clone(), Text::new("unknown-object").arg("name", *name)))
                }
                None => Ok(Some(*name)),
            }
        };
        Ok([of(real)?, of(mapped)?])
    }

    /// Addresses by object, group or number.
    fn operand(&mut self) -> Result<Operand, Bad> {
        let word = self.words.next()?;
        if word.eq_ignore_ascii_case("any") {
            return Ok(Operand::Any);
        }
        if word.eq_ignore_ascii_case("interface") {
            let six = self.words.take("ipv6");
            return Ok(Operand::Interface(if six { Family::V6 } else { Family::V4 }));
        }
        let span = self.words.line.place(self.words.at - 1);
        let config = self.found.config;
        let named = Named { name: word, span };
        let group = config.groups.get(word).is_some_and(|g| g.kind == Kind::Network);
        if group || config.networks.contains_key(word) {
            return Ok(Operand::Set(self.found.addresses(&named, group).spans()));
        }
        match number(config, word) {
            Some(address) => {
                let bits = address_bits(address);
                Ok(Operand::Set(vec![(Family::of(address), bits, bits)]))
            }
            None => Err((named.span, Text::new("unknown-object").arg("name", word))),
        }
    }

    /// What sources become: an operand, or a pool.
    fn pool(&mut self) -> Result<Operand, Bad> {
        self.words.take("pat-pool");
        self.operand()
    }

    fn object(&mut self, name: &'a str) -> Result<Nat<'a>, Bad> {
        let [real_side, mapped_side] = self.sides()?;
        let kind = self.words.next()?;
        let fixed = kind.eq_ignore_ascii_case("static");
        if !fixed && !kind.eq_ignore_ascii_case("dynamic") {
            return Err(self.words.bad());
        }
        let named = Named { name, span: self.words.line.span.clone() };
        let real = Operand::Set(self.found.addresses(&named, false).spans());
        let mapped = self.pool()?;
        let mut ports = None;
        if fixed && self.words.take("service") {
            let protocol = self.words.next()?;
            let protocol = words::protocol(protocol).flatten().ok_or_else(|| self.words.bad())?;
            let mut port = || -> Result<Ranges, Bad> {
                let word = self.words.next()?;
                words::port(word).map(|p| Ranges::single(p.into())).ok_or_else(|| self.words.bad())
            };
            ports = Some(Ports { protocol, source: Some((port()?, port()?)), destination: None });
        }
        let span = self.words.line.span.clone();
        let (unidirectional, destination) = (false, None);
        Ok(Nat { span, real_side, mapped_side, fixed, unidirectional, real, mapped, destination, ports })
    }

    /// A line of its own, where in its section it goes, and whether that is the last one; `None` when it is
    /// switched off.
    fn twice(&mut self) -> Result<Option<(Nat<'a>, Option<usize>, bool)>, Bad> {
        let [real_side, mapped_side] = self.sides()?;
        let after = self.words.take("after-auto");
        let place = self.words.peek().parse().ok();
        self.words.at += usize::from(place.is_some());
        if !self.words.take("source") {
            return Err(self.words.unknown());
        }
        let kind = self.words.next()?;
        let fixed = kind.eq_ignore_ascii_case("static");
        if !fixed && !kind.eq_ignore_ascii_case("dynamic") {
            return Err(self.words.bad());
        }
        let (real, mapped) = (self.operand()?, self.pool()?);
        let span = self.words.line.span.clone();
        let mut nat = Nat {
            span,
            real_side,
            mapped_side,
            fixed,
            unidirectional: false,
            real,
            mapped,
            destination: None,
            ports: None,
        };
        while !self.words.done() {
            if self.words.take("description") {
                break;
            } else if self.words.take("destination") {
                if !self.words.take("static") {
                    return Err(self.words.unknown());
                }
                nat.destination = Some((self.operand()?, self.operand()?));
            } else if self.words.take("service") {
                nat.ports = Some(self.service()?);
            } else if self.words.take("unidirectional") {
                nat.unidirectional = true;
            } else if self.words.take("inactive") {
                return Ok(None);
            } else {
                // Pools, proxy ARP, DNS rewriting, routing: nothing about who is translated.
                self.words.at += 1;
            }
        }
        Ok(Some((nat, place, after)))
    }

    /// `service REAL MAPPED`, of service objects.
    fn service(&mut self) -> Result<Ports, Bad> {
        let config = self.found.config;
        if self.words.line.is(self.words.at, "any") {
            self.words.at += 2;
            return Ok(Ports { protocol: 0, source: None, destination: None });
        }
        let mut object = || -> Result<_, Bad> {
            let name = self.words.next()?;
            config.services.get(name).ok_or_else(|| {
                let span = self.words.line.place(self.words.at - 1);
                (span, Text::new("unknown-object").arg("name", name))
            })
        };
        let (real, mapped) = (object()?, object()?);
        let protocol = real.protocol.filter(|p| mapped.protocol == Some(*p));
        let protocol = protocol.ok_or_else(|| self.words.bad())?;
        Ok(Ports {
            protocol,
            source: real.source.clone().zip(mapped.source.clone()),
            destination: real.destination.clone().zip(mapped.destination.clone()),
        })
    }
}
