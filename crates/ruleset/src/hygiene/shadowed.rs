//! Rules that can never match, because earlier ones take all their packets.

use super::cover::{Answer, Earlier, MOST_WORK, Random, covered};
use super::{Lines, settles};
use crate::bind::Bound;
use crate::rules::RuleSet;
use tillgate_model::{Evidence, Finding, FindingId, Proof, Subject, Text};

/// Rules whose packets are all taken by earlier rules of their chain, with the smallest set that takes them.
pub(super) fn shadowed(rules: &RuleSet, chains: &[Vec<Bound>]) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut lines = Lines::of(rules);
    let mut work = MOST_WORK;
    for (chain_id, bound) in chains.iter().enumerate() {
        let chain = &rules.chains[chain_id];
        let mut earlier = Earlier::default();
        let mut random = Random(0x9e37_79b9_7f4a_7c15u64 ^ chain_id as u64);
        let mut open: Vec<usize> = Vec::new();
        for rule in bound {
            let answer = covered(rule, &earlier, &mut random, &mut work);
            if answer == Answer::Open {
                open.push(rule.index);
            }
            let covers = match answer {
                Answer::Covered(covers) => Some(covers.into_iter().map(|at| &chain.rules[at].span).collect()),
                _ => None,
            };
            lines.add(chain_id, rule.index, covers);
            // Only a rule that surely matches and surely ends takes packets away from later ones.
            if settles(rule) {
                rule.cubes.iter().for_each(|c| earlier.add(c, rule.index));
            }
        }
        if let Some(first) = open.first() {
            let text = Text::new("finding-shadowing-open").num("count", open.len()).arg("chain", &chain.name);
            out.push(
                Finding::new(FindingId::RuleShadowed, Subject::default(), text)
                    .proof(Proof::Possible)
                    .evidence(Evidence::Rule(chain.rules[*first].span.clone())),
            );
        }
    }
    for (line, chain, covers) in lines.all() {
        let text = Text::new("finding-rule-shadowed").num("count", covers.len()).arg("chain", chain);
        let finding = Finding::new(FindingId::RuleShadowed, Subject::default(), text)
            .evidence(Evidence::Rule(line.clone()));
        out.push(covers.into_iter().fold(finding, |f, span| f.evidence(Evidence::Rule(span.clone()))));
    }
    out
}
