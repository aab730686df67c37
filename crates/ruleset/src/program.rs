//! Chains compiled to diagrams, inside one box of packets at a time.

use crate::bind::{Bound, Surroundings, bind};
use crate::outcome::{Exit, LOGGED, MOST_DECIDERS, Outcomes, UNTRACKED};
use crate::rules::{Action, Base, ChainId, Hook, Kind, Policy, RuleSet};
use crate::universe::{NO_INTERFACE, Universe};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tillgate_intent::{Intent, Topology};
use tillgate_model::{Family, Ranges, State};
use tillgate_packetset::{Cube, Diagram, Field, Node, Pick};

/// A rule by chain and position; `usize::MAX` as position is the policy of a base chain of that chain.
pub(crate) type RuleId = (ChainId, usize);

/// A rule set ready for questions about one site.
pub struct Program<'a> {
    pub(crate) rules: &'a RuleSet,
    /// Interface and name numbers.
    pub universe: Arc<Universe>,
    pub(crate) topology: Option<&'a Topology>,
    pub(crate) chains: Arc<Vec<Vec<Bound>>>,
    /// How often a chain is called; one called once is compiled inside its caller's match.
    calls: Arc<Vec<u32>>,
    pub(crate) diagram: Diagram,
    /// Asked about a flow, a packet that is sent elsewhere does not count as having arrived.
    pub(crate) untranslated_only: bool,
    /// Whether answers say which rule accepted.
    attributed: bool,
    /// The rules that accept something in the diagrams built so far; numbers start at 1.
    deciders: Vec<RuleId>,
    numbers: FxHashMap<RuleId, u32>,
}

/// Which chains only packets for the firewall itself get to.
fn delivered(rules: &RuleSet) -> Vec<bool> {
    // Bit 0: from the input hook; bit 1: from anywhere else.
    let mut reached = vec![0u8; rules.chains.len()];
    let mut todo: Vec<(ChainId, u8)> =
        rules.bases.iter().map(|b| (b.chain, if b.hook == Hook::Input { 1 } else { 2 })).collect();
    while let Some((chain, from)) = todo.pop() {
        if reached[chain] & from != 0 {
            continue;
        }
        reached[chain] |= from;
        for rule in &rules.chains[chain].rules {
            if let Action::Jump(to) | Action::Goto(to) = rule.action {
                todo.push((to, from));
            }
        }
    }
    reached.into_iter().map(|r| r == 1).collect()
}

/// The topology of no site in particular.
pub(crate) static NOWHERE: Topology = Topology { zones: Vec::new(), uplinks: Vec::new() };

const NONE: u32 = Outcomes::of(Exit::None, 0).0;

impl<'a> Program<'a> {
    /// Resolves a rule set for a site; without one, conditions that need the topology stay in doubt.
    pub fn new(rules: &'a RuleSet, intent: Option<&'a Intent>) -> Self {
        let topology = intent.map(|i| &i.topology);
        let universe = Universe::new(&[rules], topology.unwrap_or(&NOWHERE), intent);
        Self::over(rules, topology, Arc::new(universe))
    }

    /// Resolves a rule set with numbers that others share.
    pub(crate) fn over(rules: &'a RuleSet, topology: Option<&'a Topology>, universe: Arc<Universe>) -> Self {
        let mut calls = vec![0; rules.chains.len()];
        let chains: Vec<Vec<Bound>> = rules
            .chains
            .iter()
            .zip(delivered(rules))
            .map(|(chain, delivered)| {
                let around = Surroundings { universe: &universe, topology, delivered };
                let rules = chain.rules.iter().enumerate();
                rules.filter_map(|(i, rule)| bind(rule, i, around)).collect()
            })
            .collect();
        for bound in chains.iter().flatten() {
            if let Action::Jump(to) | Action::Goto(to) = bound.action {
                calls[to] += 1;
            }
        }
        Program {
            rules,
            universe,
            topology,
            chains: Arc::new(chains),
            calls: Arc::new(calls),
            diagram: Diagram::new(),
            untranslated_only: false,
            attributed: false,
            deciders: Vec::new(),
            numbers: FxHashMap::default(),
        }
    }

    /// The same rules, with no diagrams yet; `attributed`: answers say which rule accepted.
    pub(crate) fn fork(&self, attributed: bool) -> Self {
        Program {
            rules: self.rules,
            universe: Arc::clone(&self.universe),
            topology: self.topology,
            chains: Arc::clone(&self.chains),
            calls: Arc::clone(&self.calls),
            diagram: Diagram::new(),
            untranslated_only: false,
            attributed,
            deciders: Vec::new(),
            numbers: FxHashMap::default(),
        }
    }

    /// Forgets all diagrams; whoever holds a node of them must not use it any more. Questions are boxes, and
    /// each starts from nothing, so that memory does not grow with their number.
    pub(crate) fn fresh(&mut self) {
        self.diagram.clear();
        self.deciders.clear();
        self.numbers.clear();
    }

    /// The number of a rule that accepts; all beyond the largest share it.
    fn number(&mut self, rule: RuleId) -> u32 {
        if !self.attributed {
            return 0;
        }
        if let Some(&known) = self.numbers.get(&rule) {
            return known;
        }
        let number = (self.deciders.len() as u32 + 1).min(MOST_DECIDERS);
        if number < MOST_DECIDERS {
            self.deciders.push(rule);
        }
        self.numbers.insert(rule, number);
        number
    }

    /// The rule that accepts in an outcome, if one is known.
    pub(crate) fn decider(&self, outcomes: Outcomes) -> Option<RuleId> {
        self.deciders.get((outcomes.decider() as usize).checked_sub(1)?).copied()
    }

    /// Whether destinations are ever translated before routing.
    pub(crate) fn translates(&self) -> bool {
        self.rules.at(Hook::Prerouting, Kind::Nat).next().is_some()
    }

    /// What a hook's filter chains do with the packets of a box, seen before or after a priority.
    pub(crate) fn hook(&mut self, hook: Hook, within: &Cube, priorities: (i32, i32)) -> Node {
        let mut view = within.clone();
        // Egress is unknown before routing; the firewall's own packets came in nowhere.
        let absent = match hook {
            Hook::Prerouting | Hook::Input => Some(Field::Output),
            Hook::Output => Some(Field::Input),
            _ => None,
        };
        if let Some(field) = absent {
            view = view.without(field);
            if let Some(pinned) = view.clone().at(field, NO_INTERFACE) {
                view = pinned;
            }
        }
        let mut node = Node::leaf(Outcomes::of(Exit::AcceptPolicy, 0).0);
        let rules = self.rules;
        for base in rules.at(hook, Kind::Filter) {
            if base.priority < priorities.0 || base.priority > priorities.1 {
                continue;
            }
            // Before tracking (priority -200) a packet has no state; matches see it as invalid.
            let early = matches!(hook, Hook::Prerouting | Hook::Output) && base.priority < -200;
            let view = match early {
                true => match view.clone().without(Field::State).at(Field::State, State::Invalid as u128) {
                    Some(view) => view,
                    None => view.clone(),
                },
                false => view.clone(),
            };
            let one = self.base(base, &view);
            node = self.both(node, one);
        }
        node
    }

    /// Both must let a packet through; what accepts without a trace leaves the other as it is.
    pub(crate) fn both(&mut self, a: Node, b: Node) -> Node {
        const PASS: u32 = Outcomes::of(Exit::AcceptPolicy, 0).0;
        let pick = |x| if x == PASS { Pick::Right } else { Pick::Both };
        self.diagram.zip_lazy(a, b, |x, y| Outcomes(x).and(Outcomes(y)).0, pick)
    }

    fn base(&mut self, base: &Base, within: &Cube) -> Node {
        let untouched = Outcomes::of(Exit::AcceptPolicy, 0).0;
        let seen = match base.family {
            None => None,
            Some(family) => {
                let ranges = Ranges::single(family as u128);
                match within.ranges(Field::Family) {
                    Some(own) if own.is_subset(&ranges) => None,
                    Some(own) if !own.meets(&ranges) => return Node::leaf(untouched),
                    _ => Cube::all().with(Field::Family, &ranges),
                }
            }
        };
        let mut memo = FxHashMap::default();
        let node = self.chain(base.chain, within, &mut memo);
        let policy = if base.policy == Policy::Accept { Exit::AcceptPolicy } else { Exit::Drop };
        // What a hook beside the deciding one lets through by policy, nobody decided.
        let decider = match (base.policy, base.hook) {
            (Policy::Accept, Hook::Forward | Hook::Input) => self.number((base.chain, usize::MAX)),
            _ => 0,
        };
        let node = self.diagram.map(node, |v| Outcomes(v).at_policy(policy, decider).0);
        match seen {
            None => node,
            Some(cube) => {
                let guard = self.diagram.cube(&cube, 1, 0);
                self.diagram.choose(guard, node, Node::leaf(untouched))
            }
        }
    }

    fn chain(&mut self, chain: ChainId, within: &Cube, memo: &mut FxHashMap<ChainId, Node>) -> Node {
        if let Some(&done) = memo.get(&chain) {
            return done;
        }
        let shared = self.calls[chain] > 1;
        let mut nodes = Vec::new();
        for at in 0..self.chains[chain].len() {
            let bound = &self.chains[chain][at];
            let clipped: Vec<Cube> = bound.cubes.iter().filter_map(|c| c.clip(within)).collect();
            if clipped.is_empty() || (matches!(bound.action, Action::Continue) && !bound.log) {
                continue;
            }
            let everything = clipped.iter().any(|c| c.constraints().is_empty());
            let (doubt, log) = (bound.doubt, if bound.log { LOGGED } else { 0 });
            let (action, index) = (bound.action.clone(), bound.index);
            let accepts = matches!(action, Action::Accept | Action::Translate(_) | Action::Unknown);
            let decider = if accepts { self.number((chain, index)) } else { 0 };
            let inside = match action {
                Action::Accept | Action::Translate(_) => {
                    Node::leaf(Outcomes::of(Exit::AcceptRule, log).by(decider).0)
                }
                Action::Drop => Node::leaf(Outcomes::of(Exit::Drop, log).0),
                Action::Return => Node::leaf(Outcomes::of(Exit::Return, log).0),
                Action::Continue => Node::leaf(Outcomes::of(Exit::None, log).0),
                Action::Untrack => Node::leaf(Outcomes::of(Exit::None, log | UNTRACKED).0),
                Action::Unknown => Node::leaf(
                    Outcomes::of(Exit::AcceptRule, log).by(decider).0
                        | Outcomes::of(Exit::Drop, log).0
                        | Outcomes::of(Exit::None, log).0,
                ),
                Action::Jump(to) | Action::Goto(to) => {
                    // A chain called from one place is compiled inside the caller's match; a shared one once.
                    let inner = match clipped.as_slice() {
                        [only] if self.calls[to] == 1 && !shared => match only.intersect(within) {
                            Some(narrower) => self.chain(to, &narrower, &mut FxHashMap::default()),
                            None => continue,
                        },
                        _ => {
                            let node = self.chain(to, within, memo);
                            memo.insert(to, node);
                            node
                        }
                    };
                    let goto = matches!(action, Action::Goto(_));
                    self.diagram.map(inner, |v| {
                        let left = if goto { Outcomes(v).gone() } else { Outcomes(v).called() };
                        Outcomes::of(Exit::None, log).then(left).0
                    })
                }
            };
            let inside = if doubt { self.diagram.map(inside, |v| v | NONE) } else { inside };
            if everything {
                nodes.push(inside);
            } else {
                let guard = self.diagram.union(&clipped);
                nodes.push(self.diagram.choose(guard, inside, Node::leaf(NONE)));
            }
            let ends = matches!(inside.value(), Some(v) if v & (0xf << (Exit::None as u32 * 4)) == 0);
            if everything && ends {
                break;
            }
        }
        self.sequence(&nodes)
    }

    /// First match over rules, by balanced divide and conquer.
    fn sequence(&mut self, nodes: &[Node]) -> Node {
        match nodes {
            [] => Node::leaf(NONE),
            [one] => *one,
            _ => {
                let (a, b) = nodes.split_at(nodes.len() / 2);
                let (a, b) = (self.sequence(a), self.sequence(b));
                self.diagram.zip_lazy(
                    a,
                    b,
                    |x, y| Outcomes(x).then(Outcomes(y)).0,
                    |x| match x {
                        NONE => Pick::Right,
                        x if !Outcomes(x).may_go_on() => Pick::Left,
                        _ => Pick::Both,
                    },
                )
            }
        }
    }

    /// The relation between destination and egress interface, and which destinations are the firewall's own:
    /// 1 where a forwarded packet may leave so.
    pub(crate) fn routing(&mut self, family: Family) -> Node {
        let Some(topology) = self.topology else { return Node::leaf(1) };
        let mut cubes = Vec::new();
        for zone in &topology.zones {
            let ranges = zone.ranges(family).subtract(&topology.gateways(family));
            let number = self.universe.interface(&zone.interface);
            let cube =
                Cube::all().with(Field::Destination, &ranges).and_then(|c| c.at(Field::Output, number));
            cubes.extend(cube);
        }
        let outside = topology.inside(family).complement(family.max_address());
        for uplink in &topology.uplinks {
            let number = self.universe.interface(uplink);
            let cube =
                Cube::all().with(Field::Destination, &outside).and_then(|c| c.at(Field::Output, number));
            cubes.extend(cube);
        }
        self.diagram.union(&cubes)
    }

    /// The destinations that may be the firewall's own: its gateways, and whatever is in no segment (the
    /// addresses of its uplinks are not known, broadcasts and multicasts are delivered locally).
    pub(crate) fn local_destinations(&self, family: Family) -> Ranges {
        match self.topology {
            None => Ranges::full(family.max_address()),
            Some(topology) => {
                let broadcasts = topology.zones.iter().filter_map(|z| z.broadcast());
                let broadcasts: Ranges = broadcasts.map(|a| (a, a)).collect();
                // Where the firewall's address in a segment is not written down, it may be any of them.
                let known = topology.zones.iter().filter(|z| !z.gateway_ranges(family).is_empty());
                let hosts = known.fold(Ranges::empty(), |all, z| all.union(&z.ranges(family)));
                let hosts = hosts.subtract(&topology.gateways(family));
                let hosts = if family == Family::V4 { hosts.subtract(&broadcasts) } else { hosts };
                hosts.complement(family.max_address())
            }
        }
    }
}
