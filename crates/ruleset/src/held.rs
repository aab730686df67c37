//! By what the flows of terminals are held: which rules let them through, and how narrowly those know them.

use crate::judge::Judge;
use crate::outcome::Outcomes;
use crate::path::Way;
use crate::program::{Program, RuleId};
use crate::rules::{RuleSet, Term, What};
use crate::trace::span_of;
use std::collections::BTreeMap;
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Evidence, Finding, FindingId, Span, Subject, Text};
use tillgate_packetset::{Field, Node};

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
    // Terminals with the same need are one question.
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, flow) in intent.flows.iter().enumerate() {
        let from = match flow.path {
            Path::Forward { from: Side::Zone(from), .. } => from,
            Path::Local { from: Side::Zone(from) } => from,
            _ => continue,
        };
        if intent.topology.zones[from].role == Role::Pos {
            let key = format!(
                "{:?}|{}|{:?}|{:?}|{:?}|{:?}|{:?}|{:?}",
                flow.path,
                flow.requirement,
                flow.family,
                flow.protocol,
                flow.ports,
                flow.icmp_type,
                flow.destination_needed,
                flow.names
            );
            groups.entry(key).or_default().push(at);
        }
    }
    let mut out = Vec::new();
    for group in groups.into_values() {
        let mut joined = intent.flows[group[0]].clone();
        for at in &group[1..] {
            joined.source_needed = joined.source_needed.union(&intent.flows[*at].source_needed);
        }
        // What nobody needs is asked about as it may be.
        if joined.source_needed.is_empty() {
            joined.source_needed = joined.source.clone();
        }
        if joined.destination_needed.is_empty() {
            joined.destination_needed = joined.destination.clone();
        }
        let deciders = judge.deciders(&joined);
        let by = deciders.iter().map(|rule| by(rules, &joined, *rule)).min();
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

/// How narrowly one rule knows a flow.
fn by(rules: &RuleSet, flow: &Flow, (chain, index): RuleId) -> By {
    let Some(rule) = rules.chains[chain].rules.get(index) else { return By::Port };
    let application =
        |fact: &crate::rules::Fact| fact.span == rule.span && matches!(fact.what, What::Application(_));
    if rules.facts.iter().any(application) {
        By::Application
    } else if rule.when.terms.iter().any(|t| matches!(t, Term::Names(_)))
        || rule.when.cube.ranges(Field::Name).is_some()
    {
        By::Name
    } else if flow.destination_needed.as_slice().iter().all(|(lo, hi)| hi - lo < 256) {
        // The intent itself names the hosts, and what goes beyond them is excess.
        By::Address
    } else {
        By::Port
    }
}

impl Judge<'_> {
    /// The rules that accept packets of a flow for certain, on any of its ways out; sorted.
    fn deciders(&mut self, flow: &Flow) -> Vec<RuleId> {
        let mut out = Vec::new();
        for output in self.outputs(flow) {
            let Some(question) = self.question(flow, output.as_deref()) else { continue };
            self.program.fresh();
            let node = match flow.path {
                Path::Forward { .. } => {
                    let routing = self.program.routing(flow.family);
                    self.ask(Way::Forward, &question, routing)
                }
                _ => self.ask(Way::Local, &question, Node::leaf(1)),
            };
            let values = self.program.diagram.values(node).into_iter().map(Outcomes);
            out.extend(values.filter(|v| v.must_accept()).filter_map(|v| self.program.decider(v)));
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}
