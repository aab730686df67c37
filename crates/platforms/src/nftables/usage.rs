//! Chains that no packet reaches, sets and maps that no rule names.

use super::declare::{Change, Range, Table};
use super::lex::{Files, Tok, Token};
use super::rule::span_of;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_ruleset::{Fact, What};

/// What rules or elements of maps name.
#[derive(Default)]
struct Names<'a> {
    chains: Vec<&'a str>,
    sets: Vec<&'a str>,
}

/// What of a table is there for nothing.
pub fn unused(files: &Files, tokens: &[Token], table: &Table) -> Vec<Fact> {
    let names = |ranges: &mut dyn Iterator<Item = Range>| named(files, tokens, ranges);
    let rules: Vec<Names<'_>> =
        table.chains.iter().map(|chain| names(&mut chain.rules.iter().copied())).collect();
    // What a map leads to is reached by whatever names the map.
    let maps: BTreeMap<&str, Names<'_>> = table
        .sets
        .iter()
        .map(|(name, set)| (name.as_str(), names(&mut set.elements.iter().map(range))))
        .collect();
    let index: BTreeMap<&str, usize> =
        table.chains.iter().enumerate().map(|(at, chain)| (chain.name.as_str(), at)).collect();
    let mut reached = BTreeSet::new();
    let based = table.chains.iter().enumerate().filter(|(_, chain)| chain.base.is_some());
    let mut todo: Vec<usize> = based.map(|(at, _)| at).collect();
    while let Some(at) = todo.pop() {
        if !reached.insert(at) {
            continue;
        }
        let through = rules[at].sets.iter().filter_map(|set| maps.get(set)).flat_map(|names| &names.chains);
        todo.extend(rules[at].chains.iter().chain(through).filter_map(|name| index.get(name)));
    }
    let referenced: BTreeSet<&str> = rules.iter().flat_map(|names| names.sets.iter().copied()).collect();
    let chains = table.chains.iter().enumerate().filter(|(at, _)| !reached.contains(at));
    let sets = table.sets.iter().filter(|(name, _)| !referenced.contains(name.as_str()));
    let heads = chains
        .map(|(_, chain)| (&chain.name, chain.head))
        .chain(sets.filter_map(|(name, set)| Some((name, set.head?))));
    let fact = |(name, head): (&String, Range)| Fact {
        span: span_of(files, tokens, head),
        what: What::Unused(name.clone()),
    };
    heads.map(fact).collect()
}

fn range(change: &Change) -> Range {
    match change {
        Change::Add(range) | Change::Delete(range) => *range,
    }
}

fn named<'a>(files: &'a Files, tokens: &[Token], ranges: &mut dyn Iterator<Item = Range>) -> Names<'a> {
    let mut out = Names::default();
    for (from, to) in ranges {
        let words = tokens.get(from..to.min(tokens.len())).unwrap_or_default();
        for pair in words.windows(2) {
            if pair[0].tok == Tok::Quoted {
                continue;
            }
            match files.text(&pair[0]) {
                "jump" | "goto" => out.chains.push(files.text(&pair[1])),
                "@" => out.sets.push(files.text(&pair[1])),
                _ => {}
            }
        }
    }
    out
}
