//! By what the flows of terminals are held: which rules let them through, and how narrowly those know them.

use crate::judge::{Judge, alike, joined};
use crate::outcome::Outcomes;
use crate::program::{Program, RuleId};
use crate::rules::{RuleSet, Term, What};
use crate::trace::span_of;
use std::collections::BTreeMap;
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Evidence, Finding, FindingId, Span, Subject, Text};
use tillgate_packetset::{Cube, Field};

/// How narrowly the firewall knows a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// By protocol and port only, to any destination.
    Port,
    /// By the addresses of its destination too.
    Address,
    /// By the name of its destination.
    Name,
    /// As an application that the platform recognises by what it says.
    Application,
}

impl By {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            By::Port => "port",
            By::Address => "address",
            By::Name => "name",
            By::Application => "application",
        }
    }
}

/// A flow of a terminal and the rules that let it through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Index into [`Intent::flows`].
    pub flow: usize,
    /// The least narrow of its rules; `None` where nothing lets it through for certain.
    pub by: Option<By>,
    /// Those rules, sorted.
    pub lines: Vec<Span>,
}

/// How the flows of the terminals' segments are held, in the order of the intent.
pub fn held(rules: &RuleSet, intent: &Intent) -> Vec<Held> {
    let judge = Judge { program: Program::new(rules, Some(intent)), intent, findings: Vec::new() };
    let mut judge = judge.fork(true);
    let of_terminals = |flow: &Flow| {
        let (Path::Forward { from: Side::Zone(from), .. } | Path::Local { from: Side::Zone(from) }) =
            flow.path
        else {
            return false;
        };
        intent.topology.zones[from].role == Role::Pos
    };
    let mut out = Vec::new();
    for group in alike(intent, of_terminals) {
        let flows: Vec<&Flow> = group.iter().map(|at| &intent.flows[*at]).collect();
        let mut joined = joined(&flows);
        // What nobody needs is asked about as it may be.
        if joined.source_needed.is_empty() {
            joined.source_needed = joined.source.clone();
        }
        if joined.destination_needed.is_empty() {
            joined.destination_needed = joined.destination.clone();
        }
        let deciders = judge.deciders(&joined);
        let by = deciders.iter().map(|rule| judge.by(*rule)).min();
        let mut lines: Vec<Span> = deciders.iter().filter_map(|rule| span_of(rules, *rule)).collect();
        lines.sort();
        lines.dedup();
        out.extend(group.into_iter().map(|flow| Held { flow, by, lines: lines.clone() }));
    }
    out.sort_by_key(|held| held.flow);
    out
}

/// Terminals' encrypted connections that the firewall breaks open.
pub(crate) fn inspected(rules: &RuleSet, intent: &Intent) -> Vec<Finding> {
    let profile = |span: &Span| {
        rules.facts.iter().find_map(|fact| match &fact.what {
            What::Inspects(profile) if fact.span == *span => Some(profile),
            _ => None,
        })
    };
    if !rules.facts.iter().any(|f| matches!(f.what, What::Inspects(_))) {
        return Vec::new();
    }
    let mut out: BTreeMap<(Span, Subject), Finding> = BTreeMap::new();
    for held in held(rules, intent) {
        let flow = &intent.flows[held.flow];
        for line in held.lines {
            let Some(profile) = profile(&line) else { continue };
            let subject = Subject {
                device: flow.device.clone(),
                requirement: Some(flow.requirement.clone()),
                ..Subject::default()
            };
            let text = Text::new("finding-inspection-of-pos")
                .arg("source", &flow.source_text)
                .arg("profile", profile);
            out.entry((line.clone(), subject.clone())).or_insert_with(|| {
                Finding::new(FindingId::InspectionOfPos, subject, text).evidence(Evidence::Rule(line))
            });
        }
    }
    out.into_values().collect()
}

/// Addresses of one provider, not of the internet: at most so many in one range.
const NARROW: [u128; 2] = [1 << 16, 1 << 80];

impl Judge<'_> {
    /// How narrowly one rule knows what it lets through.
    fn by(&self, (chain, index): RuleId) -> By {
        let rules = self.program.rules;
        let Some(rule) = rules.chains[chain].rules.get(index) else { return By::Port };
        let application =
            |fact: &crate::rules::Fact| fact.span == rule.span && matches!(fact.what, What::Application(_));
        if rules.facts.iter().any(application) {
            return By::Application;
        }
        if rule.when.terms.iter().any(|t| matches!(t, Term::Names(_)))
            || rule.when.cube.ranges(Field::Name).is_some()
        {
            return By::Name;
        }
        let narrow = |cube: &Cube| {
            let width = |hi: u128| NARROW[usize::from(hi > u32::MAX.into())];
            cube.ranges(Field::Destination)
                .is_some_and(|r| r.as_slice().iter().all(|(lo, hi)| hi - lo < width(*hi)))
        };
        let bound = &self.program.chains[chain];
        match bound.binary_search_by_key(&index, |b| b.index) {
            Ok(at) if bound[at].cubes.iter().all(narrow) => By::Address,
            _ => By::Port,
        }
    }

    /// The rules that accept packets of a flow for certain, on any of its ways out; sorted.
    fn deciders(&mut self, flow: &Flow) -> Vec<RuleId> {
        let mut out = Vec::new();
        for output in self.outputs(flow) {
            let Some(question) = self.question(flow, output.as_deref()) else { continue };
            let node = self.answer(flow, &question);
            let values = self.program.diagram.values(node).into_iter().map(Outcomes);
            out.extend(values.filter(|v| v.must_accept()).filter_map(|v| self.program.decider(v)));
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}
