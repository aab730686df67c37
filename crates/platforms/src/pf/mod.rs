//! pf of OpenBSD and FreeBSD: `pf.conf` and what `pfctl` lists, read and written.
//!
//! Semantics: `docs/reference/platforms/pf.md`, after pf.conf(5) of both.

mod build;
mod cond;
mod config;
mod edit;
mod file;
mod grant;
mod hosts;
mod items;
mod lex;
mod matches;
mod names;
mod place;
mod refer;
mod render;
mod rule;
mod state;
mod tags;
mod targets;
mod translate;
mod words;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use tillgate_model::{Diagnostic, Span};
use tillgate_ruleset::RuleSet;

/// Words that follow `pass` and `block` in pf and in nothing else that is read.
const FOLLOW: &[&str] = &[
    "in",
    "out",
    "quick",
    "log",
    "all",
    "on",
    "inet",
    "inet6",
    "proto",
    "from",
    "to",
    "drop",
    "return",
    "return-rst",
    "return-icmp",
    "no",
    "keep",
    "tag",
    "tagged",
];

/// How much a text looks like pf.
pub fn recognise(text: &str) -> u8 {
    registry::best_line(text, 5000, |line| {
        let line = match line.strip_prefix('@') {
            Some(rest) => {
                rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '(' || c == ')').trim_start()
            }
            None => line,
        };
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let bare = second.is_empty() || second.starts_with('#');
        match first {
            "pass" | "block" if FOLLOW.contains(&second) || second.starts_with("return-") => 95,
            "match" if matches!(second, "in" | "out" | "on" | "log" | "inet" | "proto") => 90,
            "antispoof" => 95,
            "set"
                if matches!(
                    second,
                    "skip" | "block-policy" | "loginterface" | "state-policy" | "reassemble"
                ) =>
            {
                95
            }
            "table" if second.starts_with('<') => 95,
            "nat" | "rdr" | "binat" if matches!(second, "on" | "pass" | "log") || line.contains(" -> ") => 95,
            "no" if matches!(second, "nat" | "rdr" | "binat") => 95,
            "scrub" if matches!(second, "in" | "out" | "on" | "all") => 80,
            "anchor" | "nat-anchor" | "rdr-anchor" | "binat-anchor" => 70,
            "pass" | "block" if bare => 60,
            _ => 0,
        }
    })
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let config = file::read(input, &mut diagnostics);
    let rules = match input.files.first() {
        Some(first) => {
            let end = first.text.find('\n').unwrap_or(first.text.len());
            build::build(config, Span::new(first, 0, end))
        }
        None => RuleSet { platform: "pf", ..RuleSet::default() },
    };
    let mut rules = rules;
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IncludeError, Includes, NoIncludes};
    use std::sync::Arc;
    use tillgate_model::SourceFile;

    /// Whatever is asked for is this file.
    struct Always(Arc<SourceFile>);

    impl Includes for Always {
        fn include(&self, _pattern: &str) -> Result<Vec<Arc<SourceFile>>, IncludeError> {
            Ok(vec![self.0.clone()])
        }
    }

    fn read(text: &str, includes: impl Fn(&Arc<SourceFile>) -> Box<dyn Includes>) -> Parsed {
        let file = SourceFile::new("pf.conf", text);
        let includes = includes(&file);
        parse(&Input { files: &[file], resolvers: &[], includes: includes.as_ref() })
    }

    fn grows(parsed: &Parsed) -> bool {
        parsed.diagnostics.iter().any(|d| d.message.id == "nft-too-many-tokens")
    }

    #[test]
    fn what_grows_out_of_nothing_stops() {
        let itself = "include \"pf.conf\"\n".repeat(9);
        assert!(grows(&read(&itself, |file| Box::new(Always(file.clone())))));
        let words = format!("m = \"{}\"\npass in from {{ {} }}\n", "a ".repeat(9000), "$m ".repeat(900));
        assert!(grows(&read(&words, |_| Box::new(NoIncludes))));
        let forged = format!("m = \"{}\"\n{}", "em1 ".repeat(900), "antispoof for { $m }\n".repeat(99));
        assert!(grows(&read(&forged, |_| Box::new(NoIncludes))));
    }

    #[test]
    fn rules_hold_together_no_more_than_there_is_room_for() {
        let names = |letter: char| (0..15).map(|i| format!(" {letter}{i}.example.org")).collect::<String>();
        let rule = format!("pass in from {{{} }} to {{{} }}\n", names('a'), names('b'));
        let parsed = read(&format!("block all\n{}", rule.repeat(500)), |_| Box::new(NoIncludes));
        assert!(parsed.diagnostics.is_empty());
        assert!(parsed.rules.len() < 40_000, "{}", parsed.rules.len());
        // A rule in doubt is told, however many there are.
        let told = parsed.rules.notes.iter().filter(|n| n.bears).map(|n| n.span.start);
        assert_eq!(told.collect::<std::collections::BTreeSet<_>>().len(), 500);
    }
}
