//! What a change of a configuration does to packets, held against what the site wants.

use crate::allowed::{allowed, interfaces};
use crate::diff::{Difference, differences};
use crate::rules::RuleSet;
use crate::universe::{NO_INTERFACE, Universe};
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Family, Protocol, Ranges, State};
use tillgate_packetset::{Cube, Diagram, Field, Node};

/// What a change may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Every packet fares as before.
    Same,
    /// It only closes, and only what the site is judged by; nothing that is allowed.
    Less,
    /// It closes what comes from where it cannot come from.
    Forged,
    /// It opens answers of connections that are known.
    Answers,
    /// It opens what the intent allows, and closes nothing.
    Towards,
}

/// The difference a change makes.
pub(crate) struct Effect<'a> {
    difference: Difference,
    intent: &'a Intent,
}

/// What an interface is for the site.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Zone(usize),
    Uplink,
    /// One the estate does not know.
    Other,
}

impl<'a> Effect<'a> {
    /// Compares two rule sets packet by packet.
    pub fn of(old: &RuleSet, new: &RuleSet, intent: &'a Intent) -> Self {
        Effect { difference: differences(old, new, Some(&intent.topology), Some(intent)), intent }
    }

    /// Whether it does what it may and nothing else.
    pub fn fits(&self, aim: Aim) -> bool {
        let Difference { opened, closed, redirected, equal, .. } = &self.difference;
        let only = |opens: bool| redirected.is_empty() && if opens { closed } else { opened }.is_empty();
        match aim {
            Aim::Same => *equal,
            Aim::Less => {
                only(false) && closed.iter().all(|c| self.is_judged(&c.cube)) && self.unneeded().is_empty()
            }
            Aim::Forged => only(false) && closed.iter().all(|c| self.is_forged(&c.cube)),
            Aim::Answers => {
                let known = known();
                let answer = |c: &Cube| c.ranges(Field::State).is_some_and(|r| r.is_subset(&known));
                only(true) && opened.iter().all(|c| answer(&c.cube))
            }
            Aim::Towards => only(true) && self.is_wanted(),
        }
    }

    /// Segments whose way to the internet it closes, as indexes into the topology's zones.
    pub fn offline(&self) -> Vec<usize> {
        let zones = &self.intent.topology.zones;
        let lost = |at: &usize| {
            zones[*at].internet
                && zones[*at].role != Role::Pos
                && Family::BOTH.iter().any(|family| {
                    let way = self.internet(*at, *family);
                    way.is_some_and(|way| self.difference.closed.iter().any(|c| c.cube.meets(&way)))
                })
        };
        (0..zones.len()).filter(lost).collect()
    }

    /// Flows that may pass and need not, and that it closes.
    pub fn unneeded(&self) -> Vec<&'a Flow> {
        let topology = &self.intent.topology;
        let closed = |flow: &&Flow| {
            let mut flow = (*flow).clone();
            if !flow.destination_needed.is_empty() {
                flow.destination = flow.destination_needed.clone();
            }
            let cube = allowed(&flow, topology, self.universe());
            let cube = cube.and_then(|c| c.at(Field::State, State::New as u128));
            // What is for the firewall itself goes out by no interface.
            let cube = match flow.path {
                Path::Local { .. } => cube.and_then(|c| c.at(Field::Output, NO_INTERFACE)),
                _ => cube,
            };
            cube.is_some_and(|cube| self.difference.closed.iter().any(|c| c.cube.meets(&cube)))
        };
        self.intent.flows.iter().filter(|f| !f.needed).filter(closed).collect()
    }

    fn universe(&self) -> &Universe {
        &self.difference.universe
    }

    fn place(&self, number: u128) -> Place {
        let (topology, universe) = (&self.intent.topology, self.universe());
        let zone = topology.zones.iter().position(|z| universe.interface(&z.interface) == number);
        match zone {
            Some(at) => Place::Zone(at),
            None if topology.uplinks.iter().any(|u| universe.interface(u) == number) => Place::Uplink,
            None => Place::Other,
        }
    }

    /// The interfaces of a box; none for the side on which the firewall itself stands.
    fn places(&self, cube: &Cube, field: Field) -> Vec<Place> {
        let all = self.universe().all_interfaces();
        let own = cube.ranges(field).unwrap_or(&all);
        let numbers = all.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi);
        numbers.filter(|n| own.contains(*n)).map(|n| self.place(n)).collect()
    }

    /// Whether everything in a box is what the site is judged by (design section 6, scope), or stays in one segment.
    fn is_judged(&self, cube: &Cube) -> bool {
        let (from, to) = (self.places(cube, Field::Input), self.places(cube, Field::Output));
        let zones = &self.intent.topology.zones;
        let pos = |place: Place| matches!(place, Place::Zone(at) if zones[at].role == Role::Pos);
        let device = |place: Place, field: Field| {
            let here = self.intent.devices.iter().filter(|(_, zone, ..)| Place::Zone(*zone) == place);
            let devices = here.fold(Ranges::empty(), |all, (_, _, _, ranges)| all.union(ranges));
            cube.ranges(field).is_some_and(|r| r.is_subset(&devices))
        };
        let judged = |from: Place, to: Place| {
            !matches!(from, Place::Zone(_))
                || from == to
                || pos(from)
                || pos(to)
                || device(from, Field::Source)
                || device(to, Field::Destination)
        };
        // The firewall's own packets are not judged; all that is for it is.
        !from.is_empty() && from.iter().all(|from| to.iter().all(|to| judged(*from, *to)))
    }

    fn is_forged(&self, cube: &Cube) -> bool {
        let topology = &self.intent.topology;
        let family = match cube.ranges(Field::Family).and_then(Ranges::only) {
            Some(1) => Family::V6,
            _ => Family::V4,
        };
        let full = Ranges::full(family.max_address());
        let source = cube.ranges(Field::Source).unwrap_or(&full);
        let from = self.places(cube, Field::Input);
        !from.is_empty()
            && from.into_iter().all(|place| match place {
                Place::Zone(at) => {
                    let own = topology.zones[at].ranges(family);
                    // Nothing but its gateways' addresses is the firewall's own.
                    source.intersect(&own).is_subset(&topology.gateways(family))
                }
                Place::Uplink => source.is_subset(&topology.inside(family)),
                Place::Other => true,
            })
    }

    /// The way of a segment to the internet.
    fn internet(&self, at: usize, family: Family) -> Option<Cube> {
        let topology = &self.intent.topology;
        Cube::all()
            .with(Field::Input, &interfaces(Side::Zone(at), topology, self.universe()))?
            .with(Field::Output, &interfaces(Side::Uplinks, topology, self.universe()))?
            .at(Field::Family, family as u128)?
            .with(Field::Source, &topology.zones[at].ranges(family))
    }

    /// Whether everything opened is allowed.
    fn is_wanted(&self) -> bool {
        let topology = &self.intent.topology;
        let flow = |flow: &Flow| {
            let cube = allowed(flow, topology, self.universe())?;
            match flow.path {
                Path::Local { .. } => cube.at(Field::Output, NO_INTERFACE),
                _ => Some(cube),
            }
        };
        let mut wanted: Vec<Cube> = self.intent.flows.iter().filter_map(flow).collect();
        let online = (0..topology.zones.len())
            .filter(|at| topology.zones[*at].internet && topology.zones[*at].role != Role::Pos);
        wanted.extend(online.flat_map(|at| Family::BOTH.map(|family| self.internet(at, family))).flatten());
        // Where connections are kept by the rule that let them begin, their answers come with it.
        let answers: Vec<Cube> = wanted.iter().filter_map(answer).collect();
        let mut diagram = Diagram::new();
        let (wanted, answers) = (diagram.union(&wanted), diagram.union(&answers));
        let known = known();
        self.difference.opened.iter().all(|change| {
            // Later packets of what may begin may pass as well.
            let opened = diagram.cube(&change.cube.clone().without(Field::State), 1, 0);
            let left = diagram.zip(opened, wanted, |a, b| a & (1 - b));
            let answer = change.cube.ranges(Field::State).is_some_and(|r| r.is_subset(&known));
            left == Node::leaf(0) || answer && diagram.zip(left, answers, |a, b| a & (1 - b)) == Node::leaf(0)
        })
    }
}

/// The states of packets of a connection that began before.
fn known() -> Ranges {
    Ranges::span(State::Established as u128, State::Related as u128)
}

/// The other way of a connection, whatever its state; messages that have no ports answer by any type.
fn answer(cube: &Cube) -> Option<Cube> {
    let ways = [
        (Field::Input, Field::Output),
        (Field::Source, Field::Destination),
        (Field::SourcePort, Field::DestinationPort),
    ];
    let kept = [Field::Family, Field::Protocol].map(|f| (f, f));
    let only = cube.ranges(Field::Protocol).and_then(Ranges::only);
    let ports = only.is_some_and(|p| !Protocol(p as u8).is_icmp());
    let ways = &ways[..if ports { 3 } else { 2 }];
    let turned = ways.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
    turned.chain(kept).try_fold(Cube::all(), |out, (from, to)| match cube.ranges(from) {
        Some(ranges) => out.with(to, ranges),
        None => Some(out),
    })
}
