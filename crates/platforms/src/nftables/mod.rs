//! nftables: `nft list ruleset`, `.nft` files and `nft -j list ruleset` read; `.nft` files written.
//!
//! Grammar and semantics: nft(8) of nftables 1.0 and 1.1; the kernel is the referee (`tests/lab`).

mod declare;
mod edit;
mod expand;
mod json;
mod lex;
mod matches;
mod render;
mod resolver;
mod rule;
mod select;
mod statement;
mod text;
mod usage;
mod values;

pub use edit::edits;
pub use render::render;
pub(crate) use text::{Names, comment, slug};

use crate::{Input, Parsed};
use std::sync::Arc;
use tillgate_model::Diagnostic;
use tillgate_ruleset::RuleSet;

/// How much a text looks like nftables.
pub fn recognise(text: &str) -> u8 {
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') && text.contains("\"nftables\"") {
        return 100;
    }
    if text.lines().next().is_some_and(|l| l.starts_with("#!") && l.contains("nft")) {
        return 100;
    }
    let families = ["inet", "ip", "ip6", "arp", "bridge", "netdev"];
    let mut score = 0;
    for line in text.lines().take(5000) {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or("");
        let second = words.next().unwrap_or("");
        let here = match first {
            "table" if families.contains(&second) || line.trim_end().ends_with('{') => 90,
            "flush" if second == "ruleset" => 90,
            "add" | "create" if second == "table" => 90,
            "type" if second == "filter" || second == "nat" => 60,
            "define" | "include" => 20,
            _ => 0,
        };
        score = score.max(here);
        if score >= 90 {
            break;
        }
    }
    score
}

/// Reads a configuration; JSON listings are turned into text first.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let mut files = Vec::new();
    for file in input.files {
        match file.text.trim_start().starts_with('{') {
            true => match json::to_text(file) {
                Ok(converted) => files.push(converted),
                Err(error) => return Parsed { rules: RuleSet::default(), diagnostics: vec![*error] },
            },
            false => files.push(Arc::clone(file)),
        }
    }
    let (files, tokens) = expand::expand(&files, input.includes, &mut diagnostics);
    let declared = declare::declare(&files, &tokens, &mut diagnostics);
    let names = resolver::names(input.resolvers);
    let mut rules = rule::build(&files, &tokens, &declared, &names, &mut diagnostics);
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}
