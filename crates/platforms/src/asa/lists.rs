//! Access lists as chains, for what they are applied to.

use super::address::Resolver;
use super::config::{List, ListKind, Named};
use super::entry::{Entry, Reading, entry};
use super::lines::Line;
use std::collections::{HashMap, HashSet};
use tillgate_model::{Family, Ranges, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, Chain, ChainId, Fact, Match, Note, Rule, RuleSet, Term, What};

/// What a list is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Traffic through the device.
    Filter,
    /// Traffic to the device itself: no deny at its end, and a permit alone opens no service.
    Local,
    /// Selects what may be dropped by something else.
    MayDrop,
    /// Selects what is encrypted; the other way round it may come out of a tunnel.
    Tunnel,
}

/// Ports a line names on purpose: a permit for more than these says nothing about one service.
const FEW_PORTS: u128 = 16;

/// The lists of a configuration, made to chains when they are asked for.
pub struct Lists<'a> {
    pub found: Resolver<'a>,
    /// Ports of the device's own services that lines of their own open.
    pub managed: Ranges,
    chains: HashMap<(&'a str, Use), ChainId>,
    /// Lists with a chain.
    applied: HashSet<&'a str>,
}

impl<'a> Lists<'a> {
    /// Over what was read.
    pub fn new(found: Resolver<'a>, managed: Ranges) -> Self {
        Lists { found, managed, chains: HashMap::new(), applied: HashSet::new() }
    }

    /// The chain of a list; `None` where there is none that filters packets.
    pub fn chain(&mut self, named: &Named<'a>, how: Use, rules: &mut RuleSet) -> Option<ChainId> {
        if let Some(known) = self.chains.get(&(named.name, how)) {
            return Some(*known);
        }
        let config = self.found.config;
        let Some((name, list)) = config.lists.get_key_value(named.name) else {
            let text = Text::new("unknown-object").arg("name", named.name);
            self.found.errors.push((named.span.clone(), text));
            return None;
        };
        if !list.kind.filters() {
            return None;
        }
        let told = matches!(how, Use::Filter | Use::Local);
        let mut chain = Chain { name: named.name.to_string(), rules: Vec::with_capacity(list.lines.len()) };
        for entry in self.entries(list) {
            if entry.inactive {
                if told {
                    rules.facts.push(Fact { span: entry.span, what: What::Disabled });
                }
                continue;
            }
            if told {
                if let Some(date) = entry.until {
                    rules.facts.push(Fact { span: entry.span.clone(), what: What::Until(date) });
                }
                if let Some(doubt) = entry.matches.iter().find_map(|m| m.doubts.first()) {
                    rules.notes.push(Note { span: entry.span.clone(), text: doubt.clone(), bears: true });
                }
            }
            self.add(entry, how, &mut chain.rules);
        }
        rules.chains.push(chain);
        let id = rules.chains.len() - 1;
        self.chains.insert((*name, how), id);
        self.applied.insert(*name);
        Some(id)
    }

    /// Reads a list that is applied to nothing, for what is wrong in it.
    pub fn check(&mut self, name: &str) {
        let config = self.found.config;
        let applied = self.applied.contains(name);
        if let Some(list) = config.lists.get(name).filter(|l| !applied && l.kind.filters()) {
            self.entries(list);
        }
    }

    fn entries(&mut self, list: &'a List) -> Vec<Entry> {
        let old = self.found.config.old();
        let family = match list.kind {
            ListKind::Six => Some(Family::V6),
            _ if old => Some(Family::V4),
            _ => None,
        };
        let mut out = Vec::with_capacity(list.lines.len());
        for span in &list.lines {
            let line = Line::again(span);
            let mut at = if list.kind == ListKind::Six { 3 } else { 2 };
            at += if line.is(at, "line") { 2 } else { 0 };
            if line.is(at, "remark") {
                continue;
            }
            at += usize::from(line.is(at, "extended"));
            match entry(&line, Reading { family, at }, &mut self.found) {
                Ok(entry) => {
                    let ranges = |m: &Match| {
                        let of = m.cube.constraints().iter().map(|(_, r)| r.as_slice().len());
                        of.sum::<usize>() + m.terms.len()
                    };
                    if self.found.spend(entry.matches.iter().map(ranges).sum()) {
                        if self.found.spent < usize::MAX {
                            self.found.spent = usize::MAX;
                            self.found.errors.push((entry.span, Text::new("nft-too-many-tokens")));
                        }
                        break;
                    }
                    out.push(entry);
                }
                Err(bad) => self.found.errors.push(bad),
            }
        }
        out
    }

    fn add(&self, entry: Entry, how: Use, out: &mut Vec<Rule>) {
        let few = |ports: &Ranges| {
            let size = ports.as_slice().iter().map(|(lo, hi)| hi - lo + 1).sum::<u128>();
            size <= FEW_PORTS && !ports.meets(&self.managed)
        };
        let action = match (how, entry.permit) {
            (Use::Filter, true) => Action::Accept,
            (Use::Filter | Use::Local, false) => Action::Drop,
            // What listens at a port is not all in a configuration; where a line opens it, that line decides.
            (Use::Local, true) if entry.ports.as_ref().is_some_and(few) => Action::Accept,
            (Use::Local, true) | (Use::MayDrop | Use::Tunnel, false) => Action::Return,
            (Use::MayDrop, true) => Action::Drop,
            (Use::Tunnel, true) => Action::Unknown,
        };
        let log = entry.log && told(how);
        for mut when in entry.matches {
            if how == Use::Tunnel {
                when = turned(when);
            }
            if how == Use::MayDrop && entry.permit {
                when.doubts.push(Text::new("not-modelled-statement").arg("what", "class"));
            }
            out.push(Rule { span: entry.span.clone(), when, action: action.clone(), log });
        }
    }
}

fn told(how: Use) -> bool {
    matches!(how, Use::Filter | Use::Local)
}

/// The packets the other way round.
fn turned(when: Match) -> Match {
    let cube = |cube: &Cube| {
        let mut out = Cube::all();
        for (field, ranges) in cube.constraints() {
            let field = match field {
                Field::Source => Field::Destination,
                Field::Destination => Field::Source,
                Field::SourcePort if !is_icmp(cube) => Field::DestinationPort,
                Field::DestinationPort if !is_icmp(cube) => Field::SourcePort,
                other => *other,
            };
            out = out.with(field, ranges).unwrap_or_default();
        }
        out
    };
    let terms = when.terms.iter().filter_map(|term| match term {
        Term::Any { parts, negate } => {
            let turned = parts.iter().map(|p| tillgate_ruleset::Part { cube: cube(&p.cube), ..p.clone() });
            Some(Term::Any { parts: turned.collect(), negate: *negate })
        }
        // Sources by name are not followed.
        _ => None,
    });
    Match { cube: cube(&when.cube), terms: terms.collect(), ..when.clone() }
}

fn is_icmp(cube: &Cube) -> bool {
    let icmp = Ranges::from_unsorted(vec![(1, 1), (58, 58)]);
    cube.ranges(Field::Protocol).is_some_and(|r| r.is_subset(&icmp))
}
