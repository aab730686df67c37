//! Does a configuration do what the site needs, and nothing more?

use crate::held;
use crate::hygiene::{Untidy, any_any};
use crate::judge::Judge;
use crate::program::Program;
use crate::rules::RuleSet;
use tillgate_intent::Intent;
use tillgate_model::{Date, Evidence, Finding, FindingId, Proof, Subject, Text};

/// Every finding of a rule set against an intent, sorted: flows, answers, excess, boundary, logging, hygiene,
/// and the estate's own.
pub fn verify(rules: &RuleSet, intent: &Intent) -> Vec<Finding> {
    let judge = Judge { program: Program::new(rules, Some(intent)), intent, findings: Vec::new() };
    let needed = || {
        let mut judge = judge.fork(false);
        judge.flows();
        judge.masquerade();
        judge.spoofing();
        judge.findings
    };
    let (excess, (needed, untidy)) =
        rayon::join(|| judge.excess(), || rayon::join(needed, || Untidy::of(rules, &judge.program.chains)));
    let told = needed.into_iter().chain(excess).collect();
    let mut findings = intent.findings.clone();
    findings.extend(untidy.beside(told, rules, Some(intent.today)));
    findings.extend(held::inspected(rules, intent));
    findings.extend(notes(rules));
    Finding::sort(&mut findings);
    findings.dedup();
    findings
}

/// What can be judged without an intent; without a date, not what has ended.
pub fn verify_alone(rules: &RuleSet, today: Option<Date>) -> Vec<Finding> {
    let program = Program::new(rules, None);
    let untidy = Untidy::of(rules, &program.chains);
    let mut findings = untidy.beside(any_any(rules), rules, today);
    findings.extend(notes(rules));
    Finding::sort(&mut findings);
    findings.dedup();
    findings
}

fn notes(rules: &RuleSet) -> Vec<Finding> {
    let finding = |note: &crate::rules::Note| {
        let text = Text::new("finding-not-modelled").text("what", note.text.clone());
        let proof = if note.bears { Proof::Possible } else { Proof::Proved };
        Finding::new(FindingId::NotModelled, Subject::default(), text)
            .proof(proof)
            .evidence(Evidence::Rule(note.span.clone()))
    };
    rules.notes.iter().map(finding).collect()
}
