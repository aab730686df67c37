//! FortiGate (FortiOS 6 and 7): backups and the output of `show`, read and written.
//!
//! Semantics: `docs/reference/platforms/fortios.md`, after Fortinet's Administration Guide and CLI Reference.

mod address;
mod build;
mod config;
mod edit;
mod facts;
mod grant;
mod layout;
mod local;
mod multicast;
mod openings;
mod policy;
mod removal;
mod rename;
mod render;
mod sections;
mod service;
mod usage;
mod vip;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use tillgate_model::Diagnostic;

/// How much a text looks like FortiOS.
pub fn recognise(text: &str) -> u8 {
    registry::best_line(text, 20_000, |line| {
        if line.starts_with("#config-version=F") {
            100
        } else if line.starts_with("config firewall ") || line.starts_with("config system ") {
            95
        } else if line.starts_with("config ") || line.starts_with("edit ") {
            20
        } else {
            0
        }
    })
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let root = config::read(input.files, &mut diagnostics);
    let mut rules = build::build(input.files, &root, &mut diagnostics);
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}
