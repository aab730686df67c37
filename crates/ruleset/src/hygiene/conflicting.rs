//! Rules that contradict earlier ones for a part of their packets: which of the two was meant depends on their order.

use super::cover::{MOST_WORK, spend};
use super::{MOST_LINES, settles};
use crate::bind::Bound;
use crate::rules::{Action, RuleSet};
use tillgate_model::{Evidence, Finding, FindingId, Proof, Ranges, Span, State, Subject, Text};
use tillgate_packetset::{Cube, Field};

/// A rule that accepts or drops, as compared with others.
struct Judged<'a> {
    rule: &'a Bound,
    /// Its new connections; what is established has been decided before.
    cubes: Vec<Cube>,
}

/// First and last value of the fields that tell rules apart best, as ranks among all values of the chain: most pairs
/// need no closer look, and ranks make that look short.
#[derive(Clone, Copy)]
struct Outline([(u32, u32); FIELDS.len()]);

const FIELDS: [Field; 5] =
    [Field::Destination, Field::Source, Field::DestinationPort, Field::Input, Field::Protocol];

impl Outline {
    fn meets(&self, other: &Outline) -> bool {
        // Without branches, so that several fields are compared at once.
        self.0.iter().zip(&other.0).fold(true, |all, (a, b)| all & (a.0 <= b.1) & (b.0 <= a.1))
    }
}

/// The values at which the ranges of a field begin or end, sorted.
fn values(judged: &[Judged<'_>], field: Field) -> Vec<u128> {
    let all = judged.iter().flat_map(|j| &j.cubes).filter_map(|c| c.ranges(field));
    let mut out: Vec<u128> = all.flat_map(|r| [r.first(), r.last()]).flatten().collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn outline(rule: &Judged<'_>, ranks: &[Vec<u128>]) -> Outline {
    let mut out = [(u32::MAX, 0); FIELDS.len()];
    for cube in &rule.cubes {
        for ((field, values), (lo, hi)) in FIELDS.iter().zip(ranks).zip(&mut out) {
            let rank = |value: Option<u128>| value.map_or(0, |v| values.partition_point(|x| *x < v) as u32);
            match cube.ranges(*field) {
                Some(ranges) => {
                    *lo = (*lo).min(rank(ranges.first()));
                    *hi = (*hi).max(rank(ranges.last()));
                }
                None => (*lo, *hi) = (0, u32::MAX),
            }
        }
    }
    Outline(out)
}

/// Pairs of opposite rules that overlap, where neither holds the other: an exception before the rule it is made from
/// is no contradiction. One finding for each later rule.
pub(super) fn conflicting(rules: &RuleSet, chains: &[Vec<Bound>]) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut work = MOST_WORK / 4;
    let new = Ranges::single(State::New as u128);
    for (chain_id, bound) in chains.iter().enumerate() {
        let chain = &rules.chains[chain_id];
        // What the platform implies stands at the place of a policy; nobody wrote it.
        let implied: Vec<&Span> =
            rules.bases.iter().filter(|b| b.chain == chain_id).map(|b| &b.policy_span).collect();
        let judged: Vec<Judged<'_>> = bound
            .iter()
            .filter(|rule| matches!(rule.action, Action::Accept | Action::Drop) && settles(rule))
            .filter(|rule| !implied.contains(&&chain.rules[rule.index].span))
            .map(|rule| {
                let cubes = rule.cubes.iter().filter_map(|c| c.clone().with(Field::State, &new)).collect();
                Judged { rule, cubes }
            })
            .collect();
        let ranks = FIELDS.map(|field| values(&judged, field));
        // Accepting and dropping ones apart: only opposite ones are compared.
        let mut earlier: [Vec<(Outline, usize)>; 2] = [Vec::new(), Vec::new()];
        for (at, one) in judged.iter().enumerate() {
            let accepts = usize::from(one.rule.action == Action::Accept);
            let outline = outline(one, &ranks);
            let opposite = &earlier[1 - accepts];
            let span = |judged: &Judged<'_>| chain.rules[judged.rule.index].span.clone();
            if !spend(&mut work, opposite.len()) {
                let text = Text::new("finding-conflicts-open")
                    .num("count", judged.len() - at)
                    .arg("chain", &chain.name);
                out.push(
                    Finding::new(FindingId::RuleConflicting, Subject::default(), text)
                        .proof(Proof::Possible)
                        .evidence(Evidence::Rule(span(one))),
                );
                break;
            }
            let against: Vec<&Judged<'_>> = opposite
                .iter()
                .filter(|(other, _)| outline.meets(other))
                .map(|(_, other)| &judged[*other])
                .filter(|other| contradict(one, other))
                .take(MOST_LINES)
                .collect();
            if !against.is_empty() {
                let text = Text::new("finding-rule-conflicting")
                    .num("count", against.len())
                    .arg("chain", &chain.name);
                let mut finding = Finding::new(FindingId::RuleConflicting, Subject::default(), text)
                    .evidence(Evidence::Rule(span(one)));
                for other in against {
                    finding = finding.evidence(Evidence::Rule(span(other)));
                }
                out.push(finding);
            }
            earlier[accepts].push((outline, at));
        }
    }
    out
}

fn contradict(a: &Judged<'_>, b: &Judged<'_>) -> bool {
    let meet = a.cubes.iter().any(|c| b.cubes.iter().any(|d| c.meets(d)));
    let holds = |outer: &Judged<'_>, inner: &Judged<'_>| {
        inner.cubes.iter().all(|c| outer.cubes.iter().any(|d| c.is_subset(d)))
    };
    meet && !holds(a, b) && !holds(b, a)
}
