//! Whole ways through the firewall: prerouting, translation, routing, the deciding hook, postrouting.
//!
//! A question is a box of packets as they arrive; the answer maps each of its points to [`Outcomes`], 0 where
//! the point is no packet of the question (it would leave elsewhere). Translated packets are followed: the
//! filter is asked about what they become, and the answer is carried back to what they were.

use crate::outcome::{Exit, Outcomes};
use crate::program::Program;
use crate::rules::{Hook, Translation};
use crate::translate::Step;
use tillgate_model::{Family, Packet, Ranges, State};
use tillgate_packetset::{Cube, Field, Node};

/// Priority of destination translation (netfilter's `dstnat`).
const DSTNAT: i32 = -100;
/// Priority of connection tracking.
const TRACK: i32 = -200;

/// Which way is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the firewall.
    Forward,
    /// To the firewall itself.
    Local,
    /// To the firewall itself, but only what was redirected there.
    Redirected,
}

/// Leaf operation: what either side may do.
pub(crate) fn either(a: u32, b: u32) -> u32 {
    Outcomes(a).or(Outcomes(b)).0
}

const ANYTHING: u32 = Outcomes::of(Exit::AcceptRule, 0).0 | Outcomes::of(Exit::Drop, 0).0;

impl Program<'_> {
    /// Outcomes for the packets of a box. `within` is 1 on the points of interest *after* translation; it must
    /// say where packets may go ([`Program::routing`]). The box must fix state and family.
    pub(crate) fn way(&mut self, way: Way, question: &Cube, within: Node) -> Node {
        let raw = self.hook(Hook::Prerouting, question, (i32::MIN, TRACK - 1));
        let early = self.hook(Hook::Prerouting, question, (TRACK, DSTNAT));
        let pre = self.both(raw, early);
        if !self.translates() {
            // Dropped before routing, all of it: the rest of the way need not be known.
            let inside = self.diagram.cube(question, 1, 0);
            let dropped = self.diagram.choose(inside, pre, Node::leaf(0));
            if !self.diagram.any(dropped, |v| v != 0 && !Outcomes(v).must_drop()) {
                return self.diagram.choose(within, dropped, Node::leaf(0));
            }
        }
        let mut rest = self.after_tracking(way, question, within);
        let values = self.diagram.values(raw);
        if values.iter().any(|v| Outcomes(*v).untracked().0) {
            // What skipped tracking is judged as untracked, and never translated.
            let other = question.clone().without(Field::State).at(Field::State, State::Untracked as u128);
            if let Some(other) = other {
                let untracked = self.after_tracking(way, &other, within);
                let (may, must) = (
                    self.diagram.map(raw, |v| u32::from(Outcomes(v).untracked().0)),
                    self.diagram.map(raw, |v| u32::from(Outcomes(v).untracked().1)),
                );
                let both = self.diagram.zip(rest, untracked, either);
                let part = self.diagram.choose(may, both, rest);
                rest = self.diagram.choose(must, untracked, part);
            }
        }
        self.both(pre, rest)
    }

    fn after_tracking(&mut self, way: Way, question: &Cube, within: Node) -> Node {
        let new = question.ranges(Field::State) == Some(&Ranges::single(State::New as u128));
        let cases = match new {
            true => self.translations(Hook::Prerouting, question),
            false => vec![(Node::leaf(1), vec![Step::None])],
        };
        let mut result = Node::leaf(0);
        for (guard, steps) in cases {
            let mut possible = Node::leaf(0);
            for step in steps {
                let one = match step {
                    Step::To(Translation::Destination { .. }) if self.untranslated_only => Node::leaf(0),
                    Step::To(translation) => self.translated(way, question, within, &translation),
                    Step::Drop => Node::leaf(Outcomes::of(Exit::Drop, 0).0),
                    Step::Unknown => Node::leaf(ANYTHING),
                    Step::None | Step::Return | Step::Keep => self.plain(way, question, within),
                };
                possible = self.diagram.zip(possible, one, either);
            }
            result = self.diagram.choose(guard, possible, result);
        }
        result
    }

    fn plain(&mut self, way: Way, question: &Cube, within: Node) -> Node {
        if way == Way::Redirected {
            return Node::leaf(0);
        }
        // Whether a connection's first packet was translated is not known of its later ones.
        let later = question
            .ranges(Field::State)
            .is_some_and(|r| r.is_subset(&Ranges::span(State::Established as u128, State::Related as u128)));
        let view = if later { Some(question.clone()) } else { question.clone().at(Field::Translated, 0) };
        let Some(mut view) = view else { return Node::leaf(0) };
        // Only destinations that go this way: rules about all others need not be looked at.
        let going = match way {
            Way::Forward => self.forwarded_destinations(question),
            _ => self.local_destinations(family_of(question)),
        };
        match view.with(Field::Destination, &going) {
            Some(narrowed) => view = narrowed,
            None => return Node::leaf(0),
        }
        let mut node = self.filters(way, &view);
        if later {
            let all = Ranges::full(Field::Translated.maximum());
            node = self.diagram.fold(node, Field::Translated, &all, either);
        }
        let node = self.diagram.choose(within, node, Node::leaf(0));
        // Destinations outside the narrowed view are no packets of this way.
        match view.ranges(Field::Destination).and_then(|r| Cube::all().with(Field::Destination, r)) {
            Some(cube) => {
                let inside = self.diagram.cube(&cube, 1, 0);
                self.diagram.choose(inside, node, Node::leaf(0))
            }
            // The view fixes `Translated`, so nothing in the answer depends on it.
            None => node,
        }
    }

    /// The destinations behind the egress interfaces of a question.
    fn forwarded_destinations(&self, question: &Cube) -> Ranges {
        let family = family_of(question);
        let (Some(topology), Some(outputs)) = (self.topology, question.ranges(Field::Output)) else {
            return Ranges::full(family.max_address());
        };
        let leaves = |name: &String| outputs.contains(self.universe.interface(name));
        let zones = topology.zones.iter().filter(|z| leaves(&z.interface));
        let inside = zones.fold(Ranges::empty(), |all, z| all.union(&z.ranges(family)));
        let inside = inside.subtract(&topology.gateways(family));
        match topology.uplinks.iter().any(leaves) {
            true => inside.union(&topology.inside(family).complement(family.max_address())),
            false => inside,
        }
    }

    /// The filter's answer about what packets become, as a function of what they were.
    fn translated(&mut self, way: Way, question: &Cube, within: Node, translation: &Translation) -> Node {
        let family = family_of(question);
        let tag = if let Translation::Destination { tag, .. } = translation { u128::from(*tag) } else { 1 };
        let (addresses, ports) = match translation {
            Translation::Source => return self.plain(way, question, within),
            Translation::Redirect { ports } => {
                if way == Way::Forward {
                    return Node::leaf(0);
                }
                // The kernel uses the first address of the ingress interface.
                let own = match (self.topology, question.ranges(Field::Input).and_then(Ranges::only)) {
                    (Some(topology), Some(number)) => topology
                        .zones
                        .iter()
                        .find(|z| self.universe.interface(&z.interface) == number)
                        .map(|z| z.gateway_ranges(family)),
                    _ => None,
                };
                let own = own.filter(|r| !r.is_empty()).unwrap_or_else(|| self.local_destinations(family));
                (own, *ports)
            }
            Translation::Destination { addresses, ports, .. } => {
                let target = match addresses {
                    Some((f, _, _)) if *f != family => return Node::leaf(0),
                    Some((_, lo, hi)) => Ranges::span(*lo, *hi),
                    None => question
                        .ranges(Field::Destination)
                        .cloned()
                        .unwrap_or_else(|| Ranges::full(family.max_address())),
                };
                let local = self.topology.map(|t| t.gateways(family)).unwrap_or_default();
                let target = match way {
                    Way::Forward => target.subtract(&local),
                    _ => target.intersect(&local),
                };
                if target.is_empty() {
                    return Node::leaf(0);
                }
                if addresses.is_none() {
                    return self.ports_only(way, question, within, *ports, tag);
                }
                (target, *ports)
            }
        };
        let view = question.clone().without(Field::Destination).with(Field::Destination, &addresses);
        let view = view.and_then(|c| c.at(Field::Translated, tag));
        let (Some(view), port_range) = (view, ports.map(|(lo, hi)| Ranges::span(lo as u128, hi as u128)))
        else {
            return Node::leaf(0);
        };
        let view = match &port_range {
            None => Some(view),
            Some(range) => view.without(Field::DestinationPort).with(Field::DestinationPort, range),
        };
        let Some(view) = view else { return Node::leaf(0) };
        let node = self.filters(way, &view);
        let node = self.diagram.choose(within, node, Node::leaf(0));
        let node = self.diagram.fold(node, Field::Destination, &addresses, either);
        match port_range {
            None => node,
            Some(range) => self.diagram.fold(node, Field::DestinationPort, &range, either),
        }
    }

    /// A translation that keeps the address and changes the port.
    fn ports_only(
        &mut self,
        way: Way,
        question: &Cube,
        within: Node,
        ports: Option<(u16, u16)>,
        tag: u128,
    ) -> Node {
        let Some(mut view) = question.clone().at(Field::Translated, tag) else { return Node::leaf(0) };
        let range = ports.map(|(lo, hi)| Ranges::span(lo as u128, hi as u128));
        if let Some(range) = &range {
            match view.without(Field::DestinationPort).with(Field::DestinationPort, range) {
                Some(narrowed) => view = narrowed,
                None => return Node::leaf(0),
            }
        }
        let node = self.filters(way, &view);
        let node = self.diagram.choose(within, node, Node::leaf(0));
        match range {
            None => node,
            Some(range) => self.diagram.fold(node, Field::DestinationPort, &range, either),
        }
    }

    fn filters(&mut self, way: Way, view: &Cube) -> Node {
        let late = self.hook(Hook::Prerouting, view, (DSTNAT + 1, i32::MAX));
        let hook = if way == Way::Forward { Hook::Forward } else { Hook::Input };
        let main = self.hook(hook, view, (i32::MIN, i32::MAX));
        let node = self.both(late, main);
        if way != Way::Forward {
            return node;
        }
        let post = self.hook(Hook::Postrouting, view, (i32::MIN, i32::MAX));
        self.both(post, node)
    }
}

/// The verdicts on everything that comes in by one interface in one state and family.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    forward: Node,
    redirected: Node,
    local: Node,
}

impl Program<'_> {
    /// Compiles the verdicts of a region; `uplink` is where traffic to the internet leaves.
    pub fn region(&mut self, input: &str, uplink: &str, state: State, family: Family) -> Region {
        let number = self.universe.interface(input);
        let outputs = self.topology.into_iter().flat_map(|t| t.zones.iter().map(|z| z.interface.as_str()));
        let outputs: Ranges =
            outputs.chain([uplink]).map(|o| self.universe.interface(o)).map(|n| (n, n)).collect();
        let question = Cube::all()
            .at(Field::Input, number)
            .and_then(|c| c.at(Field::State, state as u128))
            .and_then(|c| c.at(Field::Family, family as u128))
            .and_then(|c| c.with(Field::Output, &outputs));
        let Some(question) = question else {
            return Region { forward: Node::leaf(0), redirected: Node::leaf(0), local: Node::leaf(0) };
        };
        let routing = self.routing(family);
        let forward = self.way(Way::Forward, &question, routing);
        let forward = self.diagram.fold(forward, Field::Output, &outputs, either);
        let inside = question.without(Field::Output);
        let redirected = self.way(Way::Redirected, &inside, Node::leaf(1));
        let local = self.way(Way::Local, &inside, Node::leaf(1));
        Region { forward, redirected, local }
    }

    /// What a region says of one of its packets.
    pub fn outcome(&self, region: Region, packet: &Packet) -> Outcomes {
        let point = self.universe.point(packet);
        let order = match packet.output {
            Some(_) => [region.forward, region.redirected],
            None => [region.local, region.forward],
        };
        let values = order.map(|node| self.diagram.eval(node, &point));
        Outcomes(if values[0] != 0 { values[0] } else { values[1] })
    }
}

/// The family a question is about; questions fix it.
pub(crate) fn family_of(question: &Cube) -> Family {
    match question.ranges(Field::Family).and_then(Ranges::only) {
        Some(1) => Family::V6,
        _ => Family::V4,
    }
}
