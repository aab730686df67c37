//! Rules that contradict earlier ones for a part of their packets: which of the two was meant depends on their order.

use super::cover::{Hull, MOST_WORK, spend};
use super::{MOST_LINES, settles};
use crate::bind::Bound;
use crate::rules::{Action, RuleSet};
use tillgate_model::{Evidence, Finding, FindingId, Ranges, State, Subject, Text};
use tillgate_packetset::{Cube, Field};

/// A rule that accepts or drops, as compared with others.
struct Judged<'a> {
    rule: &'a Bound,
    /// Its new connections; what is established has been decided before.
    cubes: Vec<(Hull, Cube)>,
}

/// Pairs of opposite rules that overlap, where neither holds the other: an exception before the rule it is made from
/// is no contradiction. One finding for each later rule.
pub(super) fn conflicting(rules: &RuleSet, chains: &[Vec<Bound>]) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut work = MOST_WORK / 4;
    for (chain_id, bound) in chains.iter().enumerate() {
        let chain = &rules.chains[chain_id];
        // Accepting and dropping ones apart: only opposite ones are compared.
        let mut earlier: [Vec<Judged<'_>>; 2] = [Vec::new(), Vec::new()];
        for rule in bound {
            let opposite = match rule.action {
                Action::Accept => 1,
                Action::Drop => 0,
                _ => continue,
            };
            // What the platform implies stands at the place of a policy; nobody wrote it.
            let implied = rules.bases.iter().any(|b| b.policy_span == chain.rules[rule.index].span);
            if !settles(rule) || implied {
                continue;
            }
            let new = Ranges::single(State::New as u128);
            let cubes: Vec<(Hull, Cube)> = rule
                .cubes
                .iter()
                .filter_map(|c| c.clone().with(Field::State, &new))
                .map(|c| (Hull::of(&c), c))
                .collect();
            let one = Judged { rule, cubes };
            if !spend(&mut work, earlier[opposite].len()) {
                break;
            }
            let against: Vec<&Judged<'_>> =
                earlier[opposite].iter().filter(|other| contradict(&one, other)).take(MOST_LINES).collect();
            if !against.is_empty() {
                let text = Text::new("finding-rule-conflicting")
                    .num("count", against.len())
                    .arg("chain", &chain.name);
                let mut finding = Finding::new(FindingId::RuleConflicting, Subject::default(), text)
                    .evidence(Evidence::Rule(chain.rules[rule.index].span.clone()));
                for other in against {
                    finding = finding.evidence(Evidence::Rule(chain.rules[other.rule.index].span.clone()));
                }
                out.push(finding);
            }
            earlier[1 - opposite].push(one);
        }
    }
    out
}

fn contradict(a: &Judged<'_>, b: &Judged<'_>) -> bool {
    let meet = a.cubes.iter().any(|(h, c)| b.cubes.iter().any(|(g, d)| h.meets(g) && c.meets(d)));
    let holds = |outer: &Judged<'_>, inner: &Judged<'_>| {
        inner.cubes.iter().all(|(_, c)| outer.cubes.iter().any(|(_, d)| c.is_subset(d)))
    };
    meet && !holds(a, b) && !holds(b, a)
}
