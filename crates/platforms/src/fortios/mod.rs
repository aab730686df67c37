//! FortiGate (FortiOS 6 and 7): backups and the output of `show`, read and written.
//!
//! Semantics: `docs/reference/platforms/fortios.md`, after Fortinet's Administration Guide and CLI Reference.

mod address;
mod build;
mod config;
mod down;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tillgate_model::SourceFile;

    fn read(text: &str) -> Parsed {
        parse(&Input::one(&SourceFile::new("test", text)))
    }

    #[test]
    fn of_an_open_quote_the_mark_alone_is_shown() {
        let text =
            "config system admin\n    edit \"a\"\n        set password x\"hunter2secret\n    next\nend\n";
        let found = read(text).diagnostics;
        let open: Vec<_> = found.iter().filter(|d| d.message.id == "open-string").collect();
        assert_eq!(open.iter().filter_map(|d| Some(d.span.as_ref()?.text())).collect::<Vec<_>>(), ["\""]);
        assert!(found.iter().all(|d| d.span.as_ref().is_none_or(|s| !s.text().contains("hunter2"))));
    }

    #[test]
    fn a_line_of_a_key_outside_its_quotes_is_not_shown() {
        let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
        let text =
            format!("config vpn certificate local\nedit a\nset private-key \"\"x\n{key} y\nnext\nend\n");
        let found = read(&text).diagnostics;
        assert_eq!(found.iter().filter(|d| d.message.id == "unknown-word").count(), 1);
        let shown = |d: &Diagnostic| format!("{:?} {}", d.message, d.span.as_ref().map_or("", |s| s.text()));
        assert!(found.iter().all(|d| !shown(d).contains(&key[..9])));
    }

    #[test]
    fn what_may_be_open_on_the_unit_is_told() {
        let text = "config system interface\nedit \"port1\"\nset allowaccess speed-test\nset explicit-web-proxy enable\nnext\nend\nconfig web-proxy explicit\nset status enable\nend\n";
        let notes = read(text).rules.notes;
        assert_eq!(notes.iter().filter(|n| n.bears && n.span.position().0 == 2).count(), 2);
    }

    #[test]
    fn many_virtual_ips_are_found_by_name() {
        let (mut vips, mut policies) = (String::new(), String::new());
        for n in 0..4000 {
            let (a, b) = (n / 250, n % 250);
            vips += &format!(
                "edit \"v{n}\"\nset extip 198.18.{a}.{b}\nset mappedip 10.0.{a}.{b}\nset extintf \"wan1\"\nnext\n"
            );
            policies += &format!(
                "edit {}\nset srcintf \"wan1\"\nset dstintf \"lan\"\nset srcaddr \"all\"\nset dstaddr \"v{n}\"\nset service \"ALL\"\nset action accept\nset schedule \"always\"\nnext\n",
                n + 1
            );
        }
        let text = format!("config firewall vip\n{vips}end\nconfig firewall policy\n{policies}end\n");
        let rules = read(&text).rules;
        let translating = rules.chains.iter().find(|c| c.name == "root vip").map_or(0, |c| c.rules.len());
        assert_eq!(translating, 4000);
    }
}
