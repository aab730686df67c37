//! Which packets a section selects: families, protocols, addresses, ports, ICMP types, sets.
//!
//! As `fw4.uc` makes rules of them: one rule without a family where nothing binds it, else one for each family.

use super::network::{Networks, of_family};
use super::sets::Use;
use super::values::{self, IcmpWord, Protocols, Subnet};
use tillgate_model::{Family, Protocol, Ranges, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Match, Part, Term};

/// Source or destination addresses of a section.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    sides: [Option<Side>; 2],
    /// A network whose addresses are not known, as it was named.
    open: Option<String>,
    /// In the order they were given: what a translation takes first.
    first: [Option<(u128, u128)>; 2],
}

#[derive(Clone, Debug, Default)]
struct Side {
    /// Any of these; nothing means all.
    plain: Ranges,
    /// None of these.
    negated: Ranges,
    /// Beside them, what a mask leaves that is no prefix: plain and negated.
    masked: (bool, bool),
}

impl Addresses {
    /// Reads a list; `Err` is the word that is none.
    pub fn of<'w>(words: &[&'w str], networks: &Networks<'_>) -> Result<Self, &'w str> {
        let mut out = Addresses::default();
        for word in words {
            let (negate, text) = values::negation(word);
            match values::subnet(text) {
                Some(Subnet::Range(family, lo, hi)) => {
                    out.add(family, negate, &Ranges::span(lo, hi));
                    if let Some(first) = out.first.get_mut(family as usize) {
                        first.get_or_insert((lo, hi));
                    }
                }
                Some(Subnet::Masked(family)) => {
                    if let Some(side) = out.side_mut(family) {
                        if negate { side.masked.1 = true } else { side.masked.0 = true }
                    }
                }
                None => {
                    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                    let named = !text.is_empty() && text.chars().all(name);
                    let known = networks.addresses(text).filter(|_| named).ok_or(*word)?;
                    for family in Family::BOTH {
                        let subnets = of_family(&known.subnets, family);
                        if let Some(lowest) = subnets.first() {
                            out.add(family, negate, &subnets);
                            if let Some(first) = out.first.get_mut(family as usize) {
                                first.get_or_insert((lowest, lowest));
                            }
                        }
                    }
                    if known.open.contains(&true) {
                        out.open = Some(text.to_string());
                    }
                }
            }
        }
        Ok(out)
    }

    /// Exactly these.
    pub fn exactly(family: Family, ranges: &Ranges) -> Self {
        let mut out = Addresses::default();
        out.add(family, false, ranges);
        out
    }

    fn side_mut(&mut self, family: Family) -> Option<&mut Side> {
        self.sides.get_mut(family as usize).map(|s| s.get_or_insert_default())
    }

    fn add(&mut self, family: Family, negate: bool, ranges: &Ranges) {
        if let Some(side) = self.side_mut(family) {
            let list = if negate { &mut side.negated } else { &mut side.plain };
            *list = list.union(ranges);
        }
    }

    /// Whether something is said about a family.
    pub fn has(&self, family: Family) -> bool {
        self.sides.get(family as usize).is_some_and(Option::is_some)
    }

    /// The one family it binds a section to.
    pub fn family(&self) -> Option<Family> {
        match (self.has(Family::V4), self.has(Family::V6), &self.open) {
            (true, false, None) => Some(Family::V4),
            (false, true, None) => Some(Family::V6),
            _ => None,
        }
    }

    /// First and last of the first address of a family.
    pub fn first(&self, family: Family) -> Option<(u128, u128)> {
        *self.first.get(family as usize)?
    }

    /// The addresses of a family that it names without a mark.
    pub fn plain(&self, family: Family) -> Ranges {
        self.sides.get(family as usize).and_then(Option::as_ref).map_or(Ranges::empty(), |s| s.plain.clone())
    }

    /// Whether a network is among them whose addresses are not known.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Narrows a match of one family.
    pub fn narrow(&self, when: &mut Match, family: Family, field: Field) {
        if let Some(name) = &self.open {
            when.doubts.push(doubt(name));
            return;
        }
        let Some(side) = self.sides.get(family as usize).and_then(Option::as_ref) else { return };
        if side.masked.0 || side.masked.1 {
            when.doubts.push(doubt("mask"));
        }
        if !side.plain.is_empty() && !side.masked.0 {
            when.narrow(field, &side.plain);
        }
        if !side.negated.is_empty() {
            when.narrow(field, &side.negated.complement(family.max_address()));
        }
    }
}

/// A match that may hold or not.
pub fn doubt(what: &str) -> Text {
    Text::new("not-modelled-match").arg("what", what)
}

/// Which packets a section selects.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    /// `family`, if given; `Some(None)` is both.
    pub family: Option<Option<Family>>,
    /// Families that what it names is bound to.
    pub bound: Vec<Option<Family>>,
    pub protocols: Protocols,
    pub source: Addresses,
    pub destination: Addresses,
    pub source_ports: Option<Ranges>,
    pub destination_ports: Option<Ranges>,
    pub icmp: Vec<IcmpWord>,
    pub set: Option<Use>,
    /// A condition on a field that both families' headers have at different places.
    pub by_header: bool,
    pub doubts: Vec<Text>,
}

/// What a section names is of different families; the router leaves it out.
pub struct Contradiction;

impl Packets {
    /// The one family the section is bound to, beginning with one that is known.
    fn infer(&self, start: Option<Family>) -> Result<Option<Family>, Contradiction> {
        let own = [self.set.as_ref().and_then(|s| s.family), self.source.family(), self.destination.family()];
        let mut found = start;
        for family in own.into_iter().chain(self.bound.iter().copied()).flatten() {
            match found {
                Some(known) if known != family => return Err(Contradiction),
                _ => found = Some(family),
            }
        }
        Ok(found)
    }

    /// The families of the rules it makes; `None` among them is a rule for both.
    fn families(
        &self,
        start: Option<Family>,
        types: [bool; 2],
    ) -> Result<Vec<Option<Family>>, Contradiction> {
        let found = self.infer(start)?;
        if found.is_some() {
            return Ok(vec![found]);
        }
        let specific = |family: Family| {
            self.source.has(family)
                || self.destination.has(family)
                || types.get(family as usize) == Some(&true)
                || self.by_header
        };
        Ok(match (specific(Family::V4), specific(Family::V6), self.family) {
            (true, false, None) => vec![Some(Family::V4)],
            (false, true, None) => vec![Some(Family::V6)],
            (false, false, _) => vec![None],
            _ => vec![Some(Family::V4), Some(Family::V6)],
        })
    }

    /// The products it stands for. `usual` is the family of a section that is bound to none and says none.
    pub fn matches(&self, usual: Option<Family>) -> Result<Vec<Match>, Contradiction> {
        let mut out = Vec::new();
        let given = match self.family {
            Some(family) => family,
            None if self.infer(None)?.is_none()
                && !Family::BOTH.iter().any(|f| self.source.has(*f) || self.destination.has(*f)) =>
            {
                usual
            }
            None => None,
        };
        let protocols = &self.protocols;
        if protocols.any || protocols.negated {
            for family in self.families(given, [false; 2])? {
                out.extend(self.finish(family, Match::default(), false));
            }
            return Ok(out);
        }
        if !protocols.with_ports.is_empty() {
            for family in self.families(given, [false; 2])? {
                let mut when = of_protocols(&protocols.with_ports);
                for (field, ports) in [
                    (Field::SourcePort, &self.source_ports),
                    (Field::DestinationPort, &self.destination_ports),
                ] {
                    if let Some(ports) = ports {
                        when.narrow(field, ports);
                    }
                }
                out.extend(self.finish(family, when, true));
            }
        }
        if !protocols.others.is_empty() {
            for family in self.families(given, [false; 2])? {
                out.extend(self.finish(family, of_protocols(&protocols.others), false));
            }
        }
        if protocols.icmp {
            let types = [self.icmp.iter().any(|w| w.v4.is_some()), self.icmp.iter().any(|w| w.v6.is_some())];
            for family in self.families(given, types)? {
                self.icmp(family, &mut out);
            }
        }
        if protocols.icmp6 {
            // It is IPv6 whatever the rule says of its family; where it cannot be, this protocol alone is left out.
            let families = self.families(Some(Family::V6), [false; 2]).unwrap_or_default();
            families.into_iter().for_each(|family| self.icmp(family, &mut out));
        }
        Ok(out)
    }

    fn icmp(&self, family: Option<Family>, out: &mut Vec<Match>) {
        let Some(family) = family else {
            out.extend(self.finish(None, of_protocols(&[Protocol::ICMP, Protocol::ICMPV6]), false));
            return;
        };
        let words = self.icmp.iter().filter_map(|w| if family == Family::V4 { w.v4 } else { w.v6 });
        let (whole, coded): (Vec<_>, Vec<_>) = words.partition(|(_, lo, hi)| (*lo, *hi) == (0, 255));
        let protocol = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
        let mut add = |types: Ranges, codes: Option<Ranges>| {
            let mut when = of_protocols(&[protocol]);
            if !types.is_empty() {
                when.narrow(Field::SourcePort, &types);
            }
            if let Some(codes) = codes {
                when.narrow(Field::DestinationPort, &codes);
            }
            out.extend(self.finish(Some(family), when, false));
        };
        let number = |kind: u8| (u128::from(kind), u128::from(kind));
        // No type at all is every type.
        if !whole.is_empty() || coded.is_empty() {
            add(whole.iter().map(|(kind, ..)| number(*kind)).collect(), None);
        }
        let mut kinds: Vec<u8> = coded.iter().map(|(kind, ..)| *kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let codes = coded.iter().filter(|(k, ..)| *k == kind);
            let codes = codes.map(|(_, lo, hi)| (u128::from(*lo), u128::from(*hi))).collect();
            add([number(kind)].into_iter().collect(), Some(codes));
        }
    }

    /// Adds family, addresses, set and doubts; `with_ports` when the protocol has ports.
    fn finish(&self, family: Option<Family>, mut when: Match, with_ports: bool) -> Option<Match> {
        if let Some(family) = family {
            when.narrow(Field::Family, &Ranges::single(family as u128));
            self.source.narrow(&mut when, family, Field::Source);
            self.destination.narrow(&mut when, family, Field::Destination);
        } else if self.source.is_open() || self.destination.is_open() {
            when.doubts.push(doubt("network"));
        }
        if let Some(set) = &self.set {
            set.narrow(&mut when, with_ports);
        }
        if self.protocols.negated {
            when.doubts.push(doubt("proto"));
        }
        when.doubts.extend(self.doubts.iter().cloned());
        Some(when)
    }
}

fn of_protocols(list: &[Protocol]) -> Match {
    let mut when = Match::default();
    when.narrow(Field::Protocol, &list.iter().map(|p| (p.0.into(), p.0.into())).collect());
    when
}

/// A condition that holds in any of some boxes.
pub fn any_of(cubes: Vec<Cube>, negate: bool) -> Term {
    let parts = cubes.into_iter().map(|cube| Part { cube, ..Part::default() }).collect();
    Term::Any { parts, negate }
}
