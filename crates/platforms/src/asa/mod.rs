//! Cisco ASA (software 8.3 to 9.x): running configurations and scripts of such commands, read and written.
//!
//! Semantics: `docs/reference/platforms/asa.md`, after Cisco's configuration guides and command reference.

mod address;
mod build;
mod config;
mod dhcp;
mod edit;
mod entry;
mod exempt;
mod grant;
mod inspect;
mod lines;
mod lists;
mod local;
mod nat;
mod read;
mod render;
mod section;
mod service;
mod sheet;
mod through;
mod translate;
mod undo;
mod words;
mod write;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use tillgate_model::Diagnostic;

/// Commands that an ASA has and a router has not, as they start a line.
const OWN: &[&str] = &[
    "access-group ",
    "asdm ",
    "clear configure ",
    "cryptochecksum:",
    "nameif ",
    "names",
    "nat (",
    "object network ",
    "object service ",
    "object-group icmp-type ",
    "object-group protocol ",
    "same-security-traffic ",
];

/// How much a text looks like the configuration of an ASA.
pub fn recognise(text: &str) -> u8 {
    registry::best_line(text, 20_000, |line| {
        let head = line.get(..line.len().min(40)).unwrap_or(line).to_ascii_lowercase();
        // `ip access-group` of a router starts with other words, and its lists have numbers or `ip` before them.
        if head.starts_with("asa version") || head.starts_with("pix version") {
            100
        } else if head.starts_with("names") && head.trim() != "names" {
            0
        } else if let Some(level) = head.strip_prefix("security-level ") {
            // Routers have policies of this name.
            if level.trim().parse::<u8>().is_ok() { 95 } else { 0 }
        } else if OWN.iter().any(|own| head.starts_with(own)) {
            95
        } else if head.starts_with("access-list ") && head.contains(" extended ") {
            90
        } else if head.starts_with("interface ") || head.starts_with("hostname ") {
            20
        } else {
            0
        }
    })
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let config = read::read(input.files);
    let mut diagnostics = Vec::new();
    let mut rules = build::build(&config, &mut diagnostics);
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}
