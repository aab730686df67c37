//! nftables: `nft list ruleset`, `.nft` files and `nft -j list ruleset` read; `.nft` files written.
//!
//! Grammar and semantics: nft(8) of nftables 1.0 and 1.1; the kernel is the referee (`tests/lab`).

mod companion;
mod declare;
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
mod values;

pub use render::{RenderError, Rendered, render};

use crate::{Includes, Parsed};
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};
use tillgate_ruleset::RuleSet;

/// The largest configuration that is read, in bytes.
pub const LARGEST: usize = 64 << 20;

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

/// Reads a configuration. `resolvers` are resolver files given beside it (dnsmasq), which say which names fill
/// which sets.
pub fn parse(file: &Arc<SourceFile>, resolvers: &[Arc<SourceFile>], includes: &dyn Includes) -> Parsed {
    if file.text.len() > LARGEST {
        let text = Text::new("file-too-large").num("megabytes", LARGEST >> 20);
        let error = Diagnostic::error(Span::new(file, 0, 0), text);
        return Parsed { rules: RuleSet::default(), diagnostics: vec![error] };
    }
    let mut diagnostics = Vec::new();
    let converted = match file.text.trim_start().starts_with('{') {
        true => match json::to_text(file) {
            Ok(converted) => Some(converted),
            Err(error) => {
                return Parsed { rules: RuleSet::default(), diagnostics: vec![*error] };
            }
        },
        false => None,
    };
    let file = converted.as_ref().unwrap_or(file);
    let (files, tokens) = expand::expand(file, includes, &mut diagnostics);
    let declared = declare::declare(&files, &tokens, &mut diagnostics);
    let names = resolver::names(resolvers);
    let mut rules = rule::build(&files, &tokens, &declared, &names, &mut diagnostics);
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}
