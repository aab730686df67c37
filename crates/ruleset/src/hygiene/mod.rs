//! Rules that should be tidied up: shadowed, redundant, contradicting and never matching ones, found exactly; and
//! what a configuration says beside its rules.

mod conflicting;
mod cover;
mod facts;
mod redundant;
mod shadowed;

pub(crate) use facts::any_any;

use crate::bind::Bound;
use crate::rules::{Action, RuleSet};
use facts::facts;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Date, Evidence, Finding, FindingId, Proof, Span, Subject, Text};

/// Lines named beside the one a finding is about: more than a person compares.
const MOST_LINES: usize = 8;

/// What is untidy in the rules themselves.
pub(crate) struct Untidy {
    shadowed: Vec<Finding>,
    /// Redundant and contradicting rules.
    minor: Vec<Finding>,
}

impl Untidy {
    /// Looks through every chain.
    pub fn of(rules: &RuleSet, chains: &[Vec<Bound>]) -> Self {
        let minor = || {
            let (mut list, more) = rayon::join(
                || redundant::redundant(rules, chains),
                || conflicting::conflicting(rules, chains),
            );
            list.extend(more);
            list
        };
        let (shadowed, minor) = rayon::join(|| shadowed::shadowed(rules, chains), minor);
        Untidy { shadowed, minor }
    }

    /// Adds to the findings about what passes what is untidy, minor things only of lines that nothing else is said
    /// about; and what the configuration says beside its rules.
    pub fn beside(self, mut told: Vec<Finding>, rules: &RuleSet, today: Option<Date>) -> Vec<Finding> {
        told.extend(self.shadowed);
        let mut named: Vec<Span> = told.iter().flat_map(lines).cloned().collect();
        named.sort();
        let known = |span: &Span| named.binary_search(span).is_ok();
        for mut finding in self.minor {
            if finding.line().is_some_and(known) {
                continue;
            }
            // The line itself stands first, then those it is compared with.
            let mut at = 0;
            finding.evidence.retain(|e| {
                at += 1;
                at == 1 || !matches!(e, Evidence::Rule(span) if known(span))
            });
            if finding.evidence.len() > 1 || finding.proof == Proof::Possible {
                told.push(finding);
            }
        }
        told.extend(never(rules));
        told.extend(facts(rules, today));
        told
    }
}

fn lines(finding: &Finding) -> impl Iterator<Item = &Span> {
    finding.evidence.iter().filter_map(|e| match e {
        Evidence::Rule(span) => Some(span),
        _ => None,
    })
}

/// Rules whose own conditions exclude each other.
fn never(rules: &RuleSet) -> Vec<Finding> {
    let all = rules.chains.iter().flat_map(|c| c.rules.iter().map(move |rule| (c, rule)));
    // A line may stand for several rules; only where none of them matches anything, the line does not.
    let mut list: Vec<(&Span, bool, &str)> =
        all.map(|(chain, rule)| (&rule.span, rule.when.never, chain.name.as_str())).collect();
    list.sort();
    let groups = list.chunk_by(|a, b| a.0 == b.0).filter(|group| group.iter().all(|(_, never, _)| *never));
    let finding = |group: &[(&Span, bool, &str)]| {
        let text = Text::new("finding-rule-never").arg("chain", group[0].2);
        Finding::new(FindingId::RuleRedundant, Subject::default(), text)
            .evidence(Evidence::Rule(group[0].0.clone()))
    };
    groups.map(finding).collect()
}

/// Lines of a chain and what stands in for them. A line may stand for several rules: only where others stand in for
/// each of them, it says nothing.
struct Lines<'a> {
    rules: &'a RuleSet,
    told: BTreeMap<(usize, &'a Span), Option<BTreeSet<&'a Span>>>,
}

impl<'a> Lines<'a> {
    fn of(rules: &'a RuleSet) -> Self {
        Lines { rules, told: BTreeMap::new() }
    }

    /// Adds a rule: the lines that stand in for it, or `None` where none do.
    fn add(&mut self, chain: usize, index: usize, covers: Option<BTreeSet<&'a Span>>) {
        let line = &self.rules.chains[chain].rules[index].span;
        let all = self.told.entry((chain, line)).or_insert_with(|| Some(BTreeSet::new()));
        *all = all.take().zip(covers).map(|(mut all, more)| {
            all.extend(more);
            all
        });
    }

    /// The lines that others stand in for, their chain and those others.
    fn all(self) -> impl Iterator<Item = (&'a Span, &'a str, BTreeSet<&'a Span>)> {
        self.told.into_iter().filter_map(|((chain, line), covers)| {
            let mut covers = covers?;
            covers.remove(line);
            (!covers.is_empty()).then(|| (line, self.rules.chains[chain].name.as_str(), covers))
        })
    }
}

/// Whether a rule surely matches inside its cubes and surely ends the chain.
fn settles(rule: &Bound) -> bool {
    let ends = matches!(
        rule.action,
        Action::Accept | Action::Drop | Action::Return | Action::Goto(_) | Action::Translate(_)
    );
    ends && !rule.doubt
}
