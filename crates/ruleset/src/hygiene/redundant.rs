//! Rules without which nothing would change, because later ones do the same with all their packets.

use super::cover::{Earlier, Hull, Inside, MOST_WORK, Random, at_an_edge, spend};
use super::{Lines, MOST_LINES, settles};
use crate::bind::Bound;
use crate::rules::{Action, RuleSet};
use std::collections::BTreeSet;
use tillgate_model::{Evidence, Finding, FindingId, Ranges, Span, Subject, Text};
use tillgate_packetset::{Cube, Diagram, Field, Node};

/// A rule that more later ones overlap is left aside: that nobody needs it would take longer to show than all else.
const MOST_NEAR: usize = 256;

/// Accepting and dropping rules whose packets later rules of the same chain treat alike. What the end of a chain
/// does is left aside: a deny that is written out before a default deny is there on purpose.
pub(super) fn redundant(rules: &RuleSet, chains: &[Vec<Bound>]) -> Vec<Finding> {
    let mut lines = Lines::of(rules);
    let mut work = MOST_WORK;
    for (chain_id, bound) in chains.iter().enumerate() {
        let chain = &rules.chains[chain_id];
        let mut later = Earlier::default();
        let mut random = Random(0x517c_c1b7_2722_0a95u64 ^ chain_id as u64);
        // From the end: what was added last stands nearest behind the rule in question.
        for (at, rule) in bound.iter().enumerate().rev() {
            let covers = same(rule, bound, &later, &mut random, &mut work);
            let spans = covers.map(|c| c.into_iter().map(|at| &chain.rules[bound[at].index].span).collect());
            lines.add(chain_id, rule.index, spans);
            if !matches!(rule.action, Action::Continue) || rule.log {
                rule.cubes.iter().for_each(|c| later.add(c, at));
            }
        }
    }
    let finding = |(line, chain, covers): (&Span, &str, BTreeSet<&Span>)| {
        let text = Text::new("finding-rule-redundant").num("count", covers.len()).arg("chain", chain);
        let finding = Finding::new(FindingId::RuleRedundant, Subject::default(), text)
            .evidence(Evidence::Rule(line.clone()));
        let named = covers.into_iter().take(MOST_LINES);
        named.fold(finding, |f, span| f.evidence(Evidence::Rule(span.clone())))
    };
    lines.all().map(finding).collect()
}

/// The later rules that together do the same, by their place among the bound ones; `None` where they do not.
fn same(
    rule: &Bound,
    bound: &[Bound],
    later: &Earlier<'_>,
    random: &mut Random,
    work: &mut usize,
) -> Option<Vec<usize>> {
    if !matches!(rule.action, Action::Accept | Action::Drop) || rule.doubt {
        return None;
    }
    let alike = |at: usize| {
        let other = &bound[at];
        let catch_all = || other.cubes.iter().any(says_nothing);
        other.action == rule.action
            && settles(other)
            && other.log == rule.log
            && !(rule.action == Action::Drop && catch_all())
    };
    let mut covers = Vec::new();
    'cubes: for cube in &rule.cubes {
        let mut inside = Inside::of(cube);
        for _ in 0..12 {
            let (_, at) = later.latest(inside.any(random))?;
            if !alike(at) {
                return None;
            }
        }
        if !spend(work, later.all.len()) {
            return None;
        }
        let hull = Hull::of(cube);
        let near = later.all.iter().rev().filter(|(h, _, _)| h.meets(&hull));
        let near: Vec<(Cube, usize)> =
            near.filter_map(|(_, c, at)| c.clip(cube).map(|c| (c, *at))).take(MOST_NEAR + 1).collect();
        if near.len() > MOST_NEAR {
            return None;
        }
        // The nearest that meets it and holds it all is the simplest answer.
        if let Some((first, at)) = near.first()
            && first.constraints().is_empty()
        {
            if !alike(*at) {
                return None;
            }
            covers.push(*at);
            continue 'cubes;
        }
        // A packet that another rule takes first, or none takes, says it sooner than a diagram.
        for (c, at) in near.iter().filter(|(_, at)| !alike(*at)).take(64) {
            let Some(part) = c.intersect(cube) else { continue };
            let mut inside = Inside::of(&part);
            for _ in 0..2 {
                let point = inside.any(random);
                let first = near.iter().find(|(other, _)| other.contains(point));
                if first.is_some_and(|(_, first)| first == at || !alike(*first)) {
                    return None;
                }
            }
        }
        if at_an_edge(&mut inside, &near, random) {
            return None;
        }
        if !spend(work, near.len().saturating_mul(near.len()).saturating_mul(16)) {
            return None;
        }
        let mut diagram = Diagram::new();
        let mut node = Node::leaf(0);
        for (c, at) in near.iter().rev() {
            let guard = diagram.cube(c, 1, 0);
            node = diagram.choose(guard, Node::leaf(if alike(*at) { 1 } else { 2 }), node);
        }
        let within = diagram.cube(cube, 1, 0);
        let node = diagram.choose(within, node, Node::leaf(1));
        if node != Node::leaf(1) {
            return None;
        }
        covers.extend(near.iter().map(|(_, at)| *at).filter(|at| alike(*at)));
    }
    covers.sort_unstable();
    covers.dedup();
    Some(covers)
}

/// Whether a box is a default in all but name: any service from anywhere to anywhere.
fn says_nothing(cube: &Cube) -> bool {
    let open = |field: Field| match (cube.ranges(field), field) {
        (None, _) => true,
        // All of IPv4 is all there is to say about it.
        (Some(ranges), Field::Source | Field::Destination) => Ranges::full(u32::MAX.into()).is_subset(ranges),
        (Some(_), _) => false,
    };
    [Field::Protocol, Field::Source, Field::Destination, Field::SourcePort, Field::DestinationPort]
        .into_iter()
        .all(open)
}
