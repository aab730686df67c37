//! Rules with everything resolved that depends on the site: interfaces as numbers, special conditions as boxes.

use crate::rules::{Action, Match, Rule, Special, Term};
use crate::universe::Universe;
use tillgate_intent::Topology;
use tillgate_model::{Family, Ranges};
use tillgate_packetset::{Cube, Diagram, Field};

/// A rule as a union of cubes.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub cubes: Vec<Cube>,
    /// Inside the cubes it may or may not match.
    pub doubt: bool,
    pub action: Action,
    pub log: bool,
    /// Position in its chain.
    pub index: usize,
}

/// What the conditions of a rule are resolved by.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub universe: &'a Universe,
    pub topology: Option<&'a Topology>,
    /// Only packets for the firewall itself get here: routing has found their destination local, or a broadcast
    /// or multicast.
    pub delivered: bool,
}

/// Resolves a rule; `None` when it can match nothing here.
pub(crate) fn bind(rule: &Rule, index: usize, around: Surroundings<'_>) -> Option<Bound> {
    let (cubes, doubt) = cubes(&rule.when, around)?;
    let doubt = doubt || !rule.when.doubts.is_empty();
    Some(Bound { cubes, doubt, action: rule.action.clone(), log: rule.log, index })
}

fn cubes(when: &Match, around: Surroundings<'_>) -> Option<(Vec<Cube>, bool)> {
    let universe = around.universe;
    if when.never {
        return None;
    }
    let mut cube = when.cube.clone();
    for condition in &when.input {
        cube = cube.with(Field::Input, &universe.matching(condition))?;
    }
    for condition in &when.output {
        cube = cube.with(Field::Output, &universe.matching(condition))?;
    }
    let mut doubt = false;
    let mut result = vec![cube];
    for term in &when.terms {
        let (list, negate) = match term {
            Term::Any { parts, negate } => {
                let one = |part: &crate::rules::Part| {
                    let mut cube = part.cube.clone();
                    for (name, field) in [(&part.input, Field::Input), (&part.output, Field::Output)] {
                        if let Some(name) = name {
                            let condition =
                                crate::rules::InterfaceMatch { patterns: vec![name.clone()], negate: false };
                            cube = cube.with(field, &universe.matching(&condition))?;
                        }
                    }
                    Some(cube)
                };
                (parts.iter().filter_map(one).collect(), *negate)
            }
            Term::Special(any, negate) => match any_special(any, around) {
                Some(list) => (list, *negate),
                None => {
                    doubt = true;
                    continue;
                }
            },
            Term::Names(set) => {
                let numbers = universe.names_in(set);
                (Cube::all().with(Field::Name, &numbers).into_iter().collect(), false)
            }
        };
        let list = if negate { complement(&list) } else { list };
        result = result.iter().flat_map(|a| list.iter().filter_map(|b| a.intersect(b))).collect();
        if result.is_empty() {
            return None;
        }
    }
    Some((result, doubt))
}

/// The points outside all cubes, as disjoint cubes.
fn complement(cubes: &[Cube]) -> Vec<Cube> {
    let mut diagram = Diagram::new();
    let union = diagram.union(cubes);
    diagram.paths(union, |v| v == 0, usize::MAX).into_iter().map(|(cube, _)| cube).collect()
}

fn any_special(any: &[Special], around: Surroundings<'_>) -> Option<Vec<Cube>> {
    let lists: Option<Vec<_>> = any.iter().map(|s| special_cubes(*s, around)).collect();
    Some(lists?.concat())
}

fn special_cubes(special: Special, around: Surroundings<'_>) -> Option<Vec<Cube>> {
    let Surroundings { universe, topology, delivered } = around;
    let family = |f: Family| Cube::all().at(Field::Family, f as u128);
    let mut out = Vec::new();
    match special {
        Special::ReversePathFails => {
            let topology = topology?;
            for f in Family::BOTH {
                let inside = topology.inside(f);
                for (number, name) in universe.interfaces() {
                    // The address 0.0.0.0 has no route back; the kernel lets it through to local delivery.
                    let good = match topology.zones.iter().find(|z| z.interface == name) {
                        Some(zone) => zone.ranges(f),
                        None if topology.uplinks.iter().any(|u| u == name) => {
                            inside.complement(f.max_address())
                        }
                        None => continue,
                    };
                    let bad = good.complement(f.max_address());
                    // Link-local sources have a route on every link (RFC 4291 section 2.5.6).
                    let bad = if f == Family::V6 {
                        bad.subtract(&Ranges::span(0xfe80 << 112, (0xfebf << 112) | (u128::MAX >> 16)))
                    } else {
                        bad
                    };
                    let cube = family(f)
                        .and_then(|c| c.at(Field::Input, number))
                        .and_then(|c| c.with(Field::Source, &bad));
                    out.extend(cube);
                }
            }
        }
        Special::DestinationLocal if delivered => {
            let other = [Special::DestinationBroadcast, Special::DestinationMulticast];
            return Some(complement(&any_special(&other, around)?));
        }
        Special::DestinationLocal => {
            // Addresses of the uplinks are not known, so outside the segments this cannot be said.
            let topology = topology?;
            for f in Family::BOTH {
                out.extend(family(f).and_then(|c| c.with(Field::Destination, &topology.gateways(f))));
            }
            return if topology.uplinks.is_empty() { Some(out) } else { None };
        }
        Special::DestinationBroadcast => {
            // The subnets of the uplinks are not known; their broadcasts are not among these. Without a site no
            // subnet is, so that only for what is delivered here anything can be said.
            let zones = match topology {
                Some(topology) => topology.zones.as_slice(),
                None if delivered => &[],
                None => return None,
            };
            let directed = zones.iter().filter_map(|z| z.broadcast());
            let ranges: Ranges = directed.chain([u32::MAX as u128]).map(|a| (a, a)).collect();
            out.extend(family(Family::V4).and_then(|c| c.with(Field::Destination, &ranges)));
        }
        Special::DestinationMulticast => {
            let (v4, v6) = (Ranges::span(0xe000_0000, 0xefff_ffff), Ranges::span(0xff << 120, u128::MAX));
            out.extend(family(Family::V4).and_then(|c| c.with(Field::Destination, &v4)));
            out.extend(family(Family::V6).and_then(|c| c.with(Field::Destination, &v6)));
        }
    }
    Some(out)
}
