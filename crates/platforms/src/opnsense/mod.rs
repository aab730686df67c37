//! OPNsense and pfSense: `config.xml`, whole or in parts, read and written.
//!
//! Semantics: `docs/reference/platforms/opnsense.md`, after the manuals of both products and pf.conf(5).

mod addresses;
mod alias;
mod build;
mod draft;
mod edit;
mod facts;
mod form;
mod grant;
mod implied;
mod known;
mod lines;
mod nat;
mod network;
mod outbound;
mod place;
mod render;
mod sections;
mod tree;
mod user;
mod words;
mod write;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed};
use tillgate_model::{Diagnostic, Span, Text};
use tillgate_ruleset::RuleSet;

/// First line of a backup that was encrypted when it was made.
const ENCRYPTED: &str = "---- BEGIN config.xml ----";

/// How much a text looks like a `config.xml`, or a section of one.
pub fn recognise(text: &str) -> u8 {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with(ENCRYPTED) {
        return 100;
    }
    match tree::root_name(text) {
        Some("opnsense" | "pfsense") => 100,
        Some(name) if tree::PARTS.contains(&name) => 60,
        _ => 0,
    }
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let mut documents = Vec::new();
    for file in input.files {
        if file.text.trim_start().starts_with(ENCRYPTED) {
            let head = Span::new(file, 0, file.text.lines().next().map_or(0, str::len));
            diagnostics.push(Diagnostic::error(head, Text::new("opnsense-encrypted")));
            continue;
        }
        match tree::document(file) {
            Ok(document) => documents.push((file, document)),
            Err(error) => diagnostics.push(*error),
        }
    }
    let mut rules = RuleSet { platform: "opnsense", ..RuleSet::default() };
    if diagnostics.is_empty()
        && let Some(tree) = tree::Tree::of(&documents, &mut diagnostics)
    {
        rules = build::build(&tree, &mut diagnostics);
    }
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}
