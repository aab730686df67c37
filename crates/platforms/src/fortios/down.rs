//! Interfaces that are switched off, and those that lie on them: nothing comes in or leaves there.

use super::config::{Block, Entry};
use std::collections::BTreeMap;
use tillgate_model::Span;
use tillgate_ruleset::{Action, InterfaceMatch, Match, Rule};

/// Most interfaces that lie on each other: a tunnel over a VLAN over an aggregate.
const DEEPEST: usize = 8;

/// What switches an interface off, itself or what it lies on.
fn place(global: &Block, entry: &Entry) -> Option<Span> {
    let mut here = Some(entry);
    for _ in 0..DEEPEST {
        let block = &here?.block;
        if block.get("status") == Some("down") {
            return block.place("status");
        }
        here = block.get("interface").and_then(|below| global.entry("system interface", below));
    }
    None
}

/// Rules that stand before all others: nothing comes in there, nor leaves where packets are routed.
pub fn rules(global: &Block, routed: bool) -> Vec<Rule> {
    let mut places: BTreeMap<Span, Vec<String>> = BTreeMap::new();
    for entry in global.table("system interface") {
        if let Some(span) = place(global, entry) {
            places.entry(span).or_default().push(entry.name.clone());
        }
    }
    let mut out = Vec::new();
    for (span, patterns) in places {
        let ports = InterfaceMatch { patterns, negate: false };
        let mut ways = vec![Match { input: vec![ports.clone()], ..Match::default() }];
        if routed {
            ways.push(Match { output: vec![ports], ..Match::default() });
        }
        // Nothing is there to be missed in a log.
        out.extend(ways.into_iter().map(|when| Rule {
            span: span.clone(),
            when,
            action: Action::Drop,
            log: true,
        }));
    }
    out
}
