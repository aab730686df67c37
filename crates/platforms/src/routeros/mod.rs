//! MikroTik RouterOS 6 and 7: what `/export` prints and scripts of such lines, read and written.
//!
//! Semantics: `docs/reference/platforms/routeros.md`, after MikroTik's manual.

mod build;
mod edit;
mod facts;
mod lists;
mod matches;
mod nat;
mod render;
mod script;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use tillgate_model::Diagnostic;

/// How much a text looks like RouterOS.
pub fn recognise(text: &str) -> u8 {
    registry::best_line(text, 5000, |line| {
        if line.starts_with('#') && line.contains(" by RouterOS ") {
            100
        } else if line.starts_with("/ip firewall")
            || line.starts_with("/ipv6 firewall")
            || line.starts_with("/ip/firewall")
        {
            95
        } else if line.starts_with("/interface ")
            || line.starts_with("/ip address")
            || line.starts_with("/system identity")
        {
            60
        } else {
            0
        }
    })
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let commands: Vec<_> =
        input.files.iter().flat_map(|file| script::commands(file, &mut diagnostics)).collect();
    let mut rules = build::build(&commands, &mut diagnostics);
    rules.facts = facts::facts(input.files, &commands);
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}
