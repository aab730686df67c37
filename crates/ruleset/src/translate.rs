//! Address translation: which packets of a box are translated to what.

use crate::program::Program;
use crate::rules::{Action, ChainId, Hook, Kind, Policy, Translation};
use crate::universe::NO_INTERFACE;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tillgate_packetset::{Cube, Field, Node};

/// What a translation chain may do with a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    /// No rule decided.
    None,
    /// Back to the caller.
    Return,
    /// No translation by this base chain.
    Keep,
    /// Dropped.
    Drop,
    /// Translated.
    To(Translation),
    /// Anything.
    Unknown,
}

/// Sets of steps, numbered so that they can be leaves.
#[derive(Default)]
struct Sets {
    list: Vec<Vec<Step>>,
    index: BTreeMap<Vec<Step>, u32>,
}

impl Sets {
    fn number(&mut self, mut set: Vec<Step>) -> u32 {
        set.sort();
        set.dedup();
        if let Some(&known) = self.index.get(&set) {
            return known;
        }
        let number = self.list.len() as u32;
        self.index.insert(set.clone(), number);
        self.list.push(set);
        number
    }

    fn map(&mut self, set: u32, f: impl Fn(&Step) -> Step) -> u32 {
        let new = self.list[set as usize].iter().map(f).collect();
        self.number(new)
    }

    fn then(&mut self, a: u32, b: u32) -> u32 {
        let (first, second) = (&self.list[a as usize], &self.list[b as usize]);
        if !first.contains(&Step::None) {
            return a;
        }
        let rest = first.iter().filter(|s| **s != Step::None).chain(second).cloned().collect();
        self.number(rest)
    }
}

impl Program<'_> {
    /// Splits a box by what the translation chains of a hook may do: each guard (1 inside) with the possible
    /// steps, [`Step::None`] meaning that the packet keeps its addresses.
    pub(crate) fn translations(&mut self, hook: Hook, within: &Cube) -> Vec<(Node, Vec<Step>)> {
        let rules = self.rules;
        if rules.at(hook, Kind::Nat).next().is_none() {
            return vec![(Node::leaf(1), vec![Step::None])];
        }
        let mut view = within.clone();
        if hook == Hook::Prerouting {
            view = view.without(Field::Output);
            view = view.clone().at(Field::Output, NO_INTERFACE).unwrap_or(view);
        }
        let sets = RefCell::new(Sets::default());
        let none = sets.borrow_mut().number(vec![Step::None]);
        let mut node = Node::leaf(none);
        for base in rules.at(hook, Kind::Nat) {
            let mut one = self.nat_chain(base.chain, &view, &sets, &mut FxHashMap::default());
            let end = if base.policy == Policy::Drop { Step::Drop } else { Step::None };
            one = self.diagram.map(one, |v| {
                sets.borrow_mut().map(v, |s| match s {
                    Step::None | Step::Return => end.clone(),
                    Step::Keep => Step::None,
                    other => other.clone(),
                })
            });
            if let Some(family) = base.family {
                let Some(cube) = Cube::all().at(Field::Family, family as u128) else { continue };
                let guard = self.diagram.cube(&cube, 1, 0);
                one = self.diagram.choose(guard, one, Node::leaf(none));
            }
            node = self.diagram.zip(node, one, |a, b| sets.borrow_mut().then(a, b));
        }
        let values = self.diagram.values(node);
        let mut out = Vec::new();
        for value in values {
            let guard = self.diagram.map(node, |v| u32::from(v == value));
            out.push((guard, sets.borrow().list[value as usize].clone()));
        }
        out
    }

    fn nat_chain(
        &mut self,
        chain: ChainId,
        within: &Cube,
        sets: &RefCell<Sets>,
        memo: &mut FxHashMap<ChainId, Node>,
    ) -> Node {
        if let Some(&done) = memo.get(&chain) {
            return done;
        }
        let none = sets.borrow_mut().number(vec![Step::None]);
        let mut nodes = Vec::new();
        for at in 0..self.chains[chain].len() {
            let bound = &self.chains[chain][at];
            let clipped: Vec<Cube> = bound.cubes.iter().filter_map(|c| c.clip(within)).collect();
            if clipped.is_empty() {
                continue;
            }
            let (doubt, action) = (bound.doubt, bound.action.clone());
            let leaf = |step: Step| Node::leaf(sets.borrow_mut().number(vec![step]));
            let inside = match action {
                Action::Continue | Action::Untrack => continue,
                Action::Accept => leaf(Step::Keep),
                Action::Drop => leaf(Step::Drop),
                Action::Return => leaf(Step::Return),
                Action::Unknown => leaf(Step::Unknown),
                Action::Translate(translation) => leaf(Step::To(translation)),
                Action::Jump(to) | Action::Goto(to) => {
                    let inner = self.nat_chain(to, within, sets, memo);
                    memo.insert(to, inner);
                    let goto = matches!(action, Action::Goto(_));
                    self.diagram.map(inner, |v| {
                        sets.borrow_mut().map(v, |s| match s {
                            Step::Return if !goto => Step::None,
                            Step::None if goto => Step::Return,
                            other => other.clone(),
                        })
                    })
                }
            };
            let inside = match doubt {
                false => inside,
                true => self.diagram.map(inside, |v| {
                    let mut set = sets.borrow().list[v as usize].clone();
                    set.push(Step::None);
                    sets.borrow_mut().number(set)
                }),
            };
            let guard = self.diagram.union(&clipped);
            nodes.push(self.diagram.choose(guard, inside, Node::leaf(none)));
        }
        // In order; few rules translate, so folding from the end is enough.
        let mut node = Node::leaf(none);
        for one in nodes.into_iter().rev() {
            node = self.diagram.zip(one, node, |a, b| sets.borrow_mut().then(a, b));
        }
        node
    }
}
