//! Does a configuration do what the site needs, and nothing more?

use crate::hygiene;
use crate::judge::Judge;
use crate::program::Program;
use crate::rules::RuleSet;
use tillgate_intent::Intent;
use tillgate_model::{Evidence, Finding, FindingId, Proof, Subject, Text};

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
    let (excess, (needed, shadowed)) = rayon::join(
        || judge.excess(),
        || rayon::join(needed, || hygiene::shadowed(rules, &judge.program.chains)),
    );
    let mut findings = intent.findings.clone();
    findings.extend(needed.into_iter().chain(excess).chain(shadowed));
    findings.extend(notes(rules));
    Finding::sort(&mut findings);
    findings.dedup();
    findings
}

/// What can be judged without an intent.
pub fn verify_alone(rules: &RuleSet) -> Vec<Finding> {
    let program = Program::new(rules, None);
    let mut findings = hygiene::shadowed(rules, &program.chains);
    findings.extend(hygiene::any_any(rules));
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
