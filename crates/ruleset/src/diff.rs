//! What a change opens and closes: two rule sets compared packet by packet, as boxes with the lines responsible.

use crate::outcome::Outcomes;
use crate::path::{Way, either};
use crate::program::{NOWHERE, Program, RuleId};
use crate::rules::{Hook, RuleSet, Translation};
use crate::trace::trace;
use crate::translate::Step;
use crate::universe::{NO_INTERFACE, Universe};
use crate::witness;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_intent::{Intent, Topology};
use tillgate_model::{Box_, Family, Packet, Proof, Protocol, Ranges, Span, State};
use tillgate_packetset::{Cube, Field, Node};

/// Boxes gathered of one question before the rest is only said to be there.
const MOST_BOXES: usize = 1 << 16;

/// How two rule sets differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What the new one lets through and the old one does not.
    pub opened: Vec<Change>,
    /// What the old one lets through and the new one does not.
    pub closed: Vec<Change>,
    /// What both let through, to another place or another port.
    pub redirected: Vec<Change>,
    /// Whether nothing differs.
    pub equal: bool,
    /// Proved where every rule that matters is modelled; the differences are then all there are.
    pub proof: Proof,
    pub(crate) universe: Arc<Universe>,
}

impl Difference {
    /// The change a packet is part of, of `opened`, `closed` or `redirected`.
    pub fn change<'c>(&self, list: &'c [Change], packet: &Packet) -> Option<&'c Change> {
        let point = self.universe.point(packet);
        list.iter().find(|change| change.cube.contains(&point))
    }
}

/// A box of packets that fare differently.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which packets.
    pub area: Box_,
    pub(crate) cube: Cube,
    /// One of them.
    pub packet: Packet,
    /// Whether they certainly fare differently.
    pub proof: Proof,
    /// The line of the old rule set that decides the packet.
    pub old: Option<Span>,
    /// The line of the new one.
    pub new: Option<Span>,
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Through,
    To,
    From,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Opened = 1,
    Closed = 2,
    Redirected = 3,
}

/// What boxes are gathered by: the accepting rule keeps apart what different lines are responsible for.
type Group = (Kind, Asked, Proof, Option<RuleId>);

/// Compares two rule sets. With a topology only packets that its routes allow are compared.
pub fn diff(old: &RuleSet, new: &RuleSet, topology: Option<&Topology>) -> Difference {
    differences(old, new, topology, None)
}

/// The same, with the names of an intent among those that are told apart.
pub(crate) fn differences(
    old: &RuleSet,
    new: &RuleSet,
    topology: Option<&Topology>,
    intent: Option<&Intent>,
) -> Difference {
    let universe = Arc::new(Universe::new(&[old, new], topology.unwrap_or(&NOWHERE), intent));
    let old_plain = Program::over(old, topology, Arc::clone(&universe));
    let new_plain = Program::over(new, topology, Arc::clone(&universe));
    let mut comparison = Comparison {
        named: [old_plain.fork(true), new_plain.fork(true)],
        plain: [old_plain, new_plain],
        universe,
        topology,
        groups: BTreeMap::new(),
        doubt: false,
    };
    for family in Family::BOTH {
        for state in State::ALL {
            for asked in [Asked::Through, Asked::To, Asked::From] {
                comparison.compare(family, state, asked);
            }
        }
        comparison.translations(family);
    }
    comparison.finish(old, new)
}

struct Comparison<'a> {
    /// Old and new, for answers without the rules that gave them, which are far smaller …
    plain: [Program<'a>; 2],
    /// … and with them, where the two differ.
    named: [Program<'a>; 2],
    universe: Arc<Universe>,
    topology: Option<&'a Topology>,
    groups: BTreeMap<Group, Vec<Cube>>,
    /// Something was met that may be one thing or the other.
    doubt: bool,
}

impl Comparison<'_> {
    fn question(&self, family: Family, state: State, asked: Asked) -> Option<Cube> {
        let all = self.universe.all_interfaces();
        let none = Ranges::single(NO_INTERFACE);
        let (input, output) = match asked {
            Asked::Through => (&all, &all),
            Asked::To => (&all, &none),
            Asked::From => (&none, &all),
        };
        let addresses = Ranges::full(family.max_address());
        Cube::all()
            .at(Field::State, state as u128)?
            .at(Field::Family, family as u128)?
            .with(Field::Source, &addresses)?
            .with(Field::Destination, &addresses)?
            .with(Field::Input, input)?
            .with(Field::Output, output)
    }

    fn ask(program: &mut Program<'_>, question: &Cube, family: Family, asked: Asked) -> Node {
        let node = match asked {
            Asked::Through => {
                let routing = program.routing(family);
                let forwarded = program.way(Way::Forward, question, routing);
                if !program.translates() {
                    forwarded
                } else {
                    // On its way through it may be kept by the firewall itself.
                    let arriving = question.clone().without(Field::Output);
                    let kept = program.way(Way::Redirected, &arriving, Node::leaf(1));
                    program.diagram.zip(forwarded, kept, either)
                }
            }
            Asked::To => {
                let arriving = question.clone().without(Field::Output);
                let local = program.way(Way::Local, &arriving, Node::leaf(1));
                if !program.translates() || question.ranges(Field::State) != Some(&Ranges::single(0)) {
                    local
                } else {
                    // Sent on to somebody behind the firewall, by whatever interface.
                    let all = program.universe.all_interfaces();
                    let onward = arriving.clone().with(Field::Output, &all);
                    let onward = onward.map_or(Node::leaf(0), |q| {
                        let routing = program.routing(family);
                        let node = program.way(Way::Forward, &q, routing);
                        program.diagram.fold(node, Field::Output, &all, either)
                    });
                    let cases = program.translations(Hook::Prerouting, &arriving);
                    let sent =
                        |s: &Step| matches!(s, Step::To(Translation::Destination { .. }) | Step::Unknown);
                    let guards = cases.iter().filter(|(_, steps)| steps.iter().any(sent));
                    let guard =
                        guards.fold(Node::leaf(0), |all, (g, _)| program.diagram.zip(all, *g, |x, y| x | y));
                    let onward = program.diagram.choose(guard, onward, Node::leaf(0));
                    program.diagram.zip(local, onward, either)
                }
            }
            Asked::From => {
                let sent = program.hook(Hook::Output, question, (i32::MIN, i32::MAX));
                let post = program.hook(Hook::Postrouting, question, (i32::MIN, i32::MAX));
                program.both(sent, post)
            }
        };
        let inside = program.diagram.cube(question, 1, 0);
        program.diagram.choose(inside, node, Node::leaf(0))
    }

    /// Both answers in the diagram of the new one, so that they can be held against each other.
    fn both(programs: &mut [Program<'_>; 2], question: &Cube, family: Family, asked: Asked) -> [Node; 2] {
        let [old, new] = programs;
        old.fresh();
        new.fresh();
        let a = Self::ask(old, question, family, asked);
        std::mem::swap(&mut old.diagram, &mut new.diagram);
        [a, Self::ask(new, question, family, asked)]
    }

    /// Where two answers differ, by the leaves of [`difference`]; nothing but packets.
    fn differing(program: &mut Program<'_>, [a, b]: [Node; 2], family: Family) -> Node {
        let node = program.diagram.zip(a, b, |x, y| difference(Outcomes(x), Outcomes(y)));
        let valid = program.diagram.union(&valid(family));
        program.diagram.choose(valid, node, Node::leaf(0))
    }

    fn compare(&mut self, family: Family, state: State, asked: Asked) {
        let Some(question) = self.question(family, state, asked) else { return };
        let answers = Self::both(&mut self.plain, &question, family, asked);
        let new = &mut self.plain[1];
        let open = |v: u32| Outcomes(v).may_accept() && Outcomes(v).may_drop();
        self.doubt |= answers.iter().any(|node| new.diagram.any(*node, open));
        let node = Self::differing(new, answers, family);
        let Some(hull) = hull(new.diagram.paths(node, |v| v != 0, MOST_BOXES)) else { return };
        // Once more inside the smallest box around what differs, now with the rules.
        let Some(question) = question.intersect(&hull) else { return };
        let answers = Self::both(&mut self.named, &question, family, asked);
        let node = Self::differing(&mut self.named[1], answers, family);
        let [old, new] = &self.named;
        for (cube, value) in new.diagram.paths(node, |v| v != 0, MOST_BOXES) {
            let proof = if value & 4 == 0 { Proof::Proved } else { Proof::Possible };
            let (kind, program) = if value & 3 == 1 { (Kind::Opened, new) } else { (Kind::Closed, old) };
            let decider = program.decider(Outcomes(0).by(value >> 3));
            self.groups.entry((kind, asked, proof, decider)).or_default().push(tidy(cube, family));
        }
    }

    /// Where both translate first packets, and differently.
    fn translations(&mut self, family: Family) {
        if self.plain.iter().all(|p| !p.translates()) {
            return;
        }
        let (Some(through), Some(to)) =
            (self.question(family, State::New, Asked::Through), self.question(family, State::New, Asked::To))
        else {
            return;
        };
        // What arrives has no way out yet.
        let arriving = to.clone().without(Field::Output);
        let all = self.universe.all_interfaces();
        let accepted = |program: &mut Program<'_>| {
            let forwarded = Self::ask(program, &through, family, Asked::Through);
            let forwarded = program.diagram.fold(forwarded, Field::Output, &all, either);
            let local = Self::ask(program, &to, family, Asked::To);
            let local = program.diagram.fix(local, Field::Output, NO_INTERFACE);
            program.diagram.zip(forwarded, local, |x, y| u32::from(Outcomes(either(x, y)).may_accept()))
        };
        let [old, new] = &mut self.plain;
        old.fresh();
        new.fresh();
        let a = old.translations(Hook::Prerouting, &arriving);
        let accepted_a = accepted(old);
        std::mem::swap(&mut old.diagram, &mut new.diagram);
        let b = new.translations(Hook::Prerouting, &arriving);
        let accepted_b = accepted(new);
        let diagram = &mut new.diagram;
        let inside = diagram.cube(&arriving, 1, 0);
        let valid = valid(family);
        let valid = diagram.union(&valid);
        let inside = [valid, accepted_a, accepted_b]
            .into_iter()
            .fold(inside, |all, n| diagram.zip(all, n, |x, y| x & y));
        for (guard_a, steps_a) in &a {
            for (guard_b, steps_b) in &b {
                // What translations are known by says nothing of where they lead.
                let places = |steps: &[Step]| -> Vec<Step> {
                    let place = |step: &Step| match step {
                        Step::To(Translation::Destination { addresses, ports, .. }) => {
                            Step::To(Translation::Destination {
                                addresses: *addresses,
                                ports: *ports,
                                tag: 0,
                            })
                        }
                        step => step.clone(),
                    };
                    steps.iter().map(place).collect()
                };
                if places(steps_a) == places(steps_b) {
                    // The same choices, which each may make differently.
                    self.doubt |= steps_a.len() > 1 || steps_a.contains(&Step::Unknown);
                    continue;
                }
                let both = diagram.zip(*guard_a, *guard_b, |x, y| x & y);
                let both = diagram.zip(both, inside, |x, y| x & y);
                let sure = [steps_a, steps_b].iter().all(|s| s.len() == 1 && s[0] != Step::Unknown);
                let proof = if sure { Proof::Proved } else { Proof::Possible };
                for (cube, _) in diagram.paths(both, |v| v == 1, MOST_BOXES) {
                    let group = (Kind::Redirected, Asked::To, proof, None);
                    self.groups.entry(group).or_default().push(tidy(cube, family));
                }
            }
        }
    }

    fn finish(self, old: &RuleSet, new: &RuleSet) -> Difference {
        let mut out = Difference {
            opened: Vec::new(),
            closed: Vec::new(),
            redirected: Vec::new(),
            equal: self.groups.is_empty(),
            proof: if self.doubt { Proof::Possible } else { Proof::Proved },
            universe: Arc::clone(&self.universe),
        };
        for ((kind, _, proof, _), cubes) in self.groups {
            for cube in merged(cubes) {
                let (packet, name) = witness::packet(&cube, &self.universe, &[]);
                let walk = |rules: &RuleSet| trace(rules, self.topology, &packet, Some(&name)).decided_by;
                let change = Change {
                    area: witness::display(&cube, &self.universe),
                    old: walk(old),
                    new: walk(new),
                    packet: packet.clone(),
                    proof,
                    cube,
                };
                match kind {
                    Kind::Opened => out.opened.push(change),
                    Kind::Closed => out.closed.push(change),
                    Kind::Redirected => out.redirected.push(change),
                }
            }
        }
        for list in [&mut out.opened, &mut out.closed, &mut out.redirected] {
            list.sort_by(|a, b| {
                let place =
                    |c: &Change| c.new.as_ref().or(c.old.as_ref()).map(|s| (s.file.name.clone(), s.start));
                (place(a), a.packet.to_string()).cmp(&(place(b), b.packet.to_string()))
            });
        }
        out
    }
}

/// The smallest box around some boxes.
fn hull(list: Vec<(Cube, u32)>) -> Option<Cube> {
    let mut list = list.into_iter().map(|(cube, _)| cube);
    let mut hull = list.next()?;
    for cube in list {
        for field in Field::ALL {
            let Some(known) = hull.ranges(field) else { continue };
            let joined = cube.ranges(field).map(|own| known.union(own));
            hull = hull.without(field);
            if let Some(joined) = joined {
                hull = hull.with(field, &joined)?;
            }
        }
    }
    Some(hull)
}

/// 0 where both do the same; else opened (1) or closed (2), 4 where that is not certain, and above who accepts.
fn difference(a: Outcomes, b: Outcomes) -> u32 {
    let fixed = |o: Outcomes| !(o.may_accept() && o.may_drop());
    let unsure = if fixed(a) && fixed(b) { 0 } else { 4 };
    if b.may_accept() && !a.may_accept() || b.must_accept() && !a.must_accept() {
        1 | unsure | b.decider() << 3
    } else if a.may_accept() && !b.may_accept() || a.must_accept() && !b.must_accept() {
        2 | unsure | a.decider() << 3
    } else {
        0
    }
}

fn protocols(with: impl Fn(Protocol) -> bool) -> Ranges {
    (0..=255u8).filter(|p| with(Protocol(*p))).map(|p| (p.into(), p.into())).collect()
}

/// The points that are packets: ports where there are ports, one byte each for ICMP's type and code, flags for TCP.
fn valid(family: Family) -> Vec<Cube> {
    let icmp = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
    let of = |ranges: &Ranges| Cube::all().with(Field::Protocol, ranges);
    let none = |cube: Option<Cube>| cube.and_then(|c| c.at(Field::TcpFlags, 0));
    let byte = Ranges::full(255);
    let ported = protocols(|p| p.has_ports() && p != Protocol::TCP);
    let bare = protocols(|p| !p.has_ports() && p != icmp);
    [
        of(&Ranges::single(6)),
        none(of(&ported)),
        none(of(&Ranges::single(icmp.0.into())))
            .and_then(|c| c.with(Field::SourcePort, &byte))
            .and_then(|c| c.with(Field::DestinationPort, &byte)),
        none(of(&bare))
            .and_then(|c| c.at(Field::SourcePort, 0))
            .and_then(|c| c.at(Field::DestinationPort, 0)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A box without what being a packet says by itself.
fn tidy(cube: Cube, family: Family) -> Cube {
    let mut cube = cube;
    for field in [Field::Source, Field::Destination] {
        if cube.ranges(field) == Some(&Ranges::full(family.max_address())) {
            cube = cube.without(field);
        }
    }
    let all = Ranges::full(255);
    let of = cube.ranges(Field::Protocol).unwrap_or(&all).clone();
    let only = |with: &dyn Fn(Protocol) -> bool| {
        of.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi).all(|p| with(Protocol(p as u8)))
    };
    if only(&|p| p != Protocol::TCP) {
        cube = cube.without(Field::TcpFlags);
    }
    let whole = if only(&|p| p.is_icmp()) {
        Some(all.clone())
    } else if only(&|p| !p.has_ports()) {
        Some(Ranges::single(0))
    } else {
        None
    };
    for field in [Field::SourcePort, Field::DestinationPort] {
        if whole.is_some() && cube.ranges(field) == whole.as_ref() {
            cube = cube.without(field);
        }
    }
    cube
}

/// The same points in fewer boxes: boxes that differ in one field only become one, until none do.
fn merged(mut cubes: Vec<Cube>) -> Vec<Cube> {
    loop {
        let before = cubes.len();
        for field in Field::ALL {
            let mut groups: FxHashMap<Cube, Option<Ranges>> = FxHashMap::default();
            let mut order: Vec<Cube> = Vec::new();
            for cube in cubes {
                let own = cube.ranges(field).cloned();
                let rest = cube.without(field);
                match groups.get_mut(&rest) {
                    None => {
                        order.push(rest.clone());
                        groups.insert(rest, own);
                    }
                    // Without a constraint it holds everything.
                    Some(known) => {
                        *known = match (known.take(), own) {
                            (Some(a), Some(b)) => Some(a.union(&b)),
                            _ => None,
                        }
                    }
                }
            }
            cubes = order
                .into_iter()
                .filter_map(|rest| match groups.remove(&rest).flatten() {
                    Some(ranges) => rest.with(field, &ranges),
                    None => Some(rest),
                })
                .collect();
        }
        if cubes.len() == before {
            return cubes;
        }
    }
}
