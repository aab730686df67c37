//! The platforms by name, and which one a text is of.

use crate::{
    Desk, Includes, Input, LARGEST, Parsed, RenderError, Rendered, fortios, iptables, nftables, routeros,
};
use std::sync::Arc;
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};
use tillgate_ruleset::{Edit, Editor, Repair, RuleSet};

type Edits = fn(&Desk<'_>, &Repair<'_>) -> Vec<Vec<Edit>>;

/// A firewall platform.
pub struct Platform {
    /// Name on the command line and in the estate.
    pub name: &'static str,
    /// How sure a text is of this platform, 0 to 100, from its first lines.
    pub recognise: fn(&str) -> u8,
    /// Reads a configuration.
    parse: fn(&Input<'_>) -> Parsed,
    /// Writes the configuration of a site, and refuses what it cannot prove.
    pub render: fn(&Site, &Intent) -> Result<Rendered, RenderError>,
    /// Ways to write a repair into a configuration of somebody, smallest first.
    edits: Edits,
    /// How files are called that it reads.
    pub extension: &'static str,
    /// The text that says how to load it with a way back.
    pub rollback: &'static str,
}

impl Platform {
    /// Reads a configuration; one that is too large is refused.
    pub fn parse(&self, input: &Input<'_>) -> Parsed {
        match input.files.iter().find(|f| f.text.len() > LARGEST) {
            None => (self.parse)(input),
            Some(file) => {
                let text = Text::new("file-too-large").num("megabytes", LARGEST >> 20);
                let error = Diagnostic::error(Span::new(file, 0, 0), text);
                Parsed { rules: RuleSet::default(), diagnostics: vec![error] }
            }
        }
    }
}

/// Repairs that are written by `render` alone.
fn none(_: &Desk<'_>, _: &Repair<'_>) -> Vec<Vec<Edit>> {
    Vec::new()
}

/// All platforms.
pub const PLATFORMS: &[Platform] = &[
    Platform {
        name: "fortios",
        recognise: fortios::recognise,
        parse: fortios::parse,
        render: fortios::render,
        edits: none,
        extension: "conf",
        rollback: "render-rollback-fortios",
    },
    Platform {
        name: "iptables",
        recognise: iptables::recognise,
        parse: iptables::parse,
        render: iptables::render,
        edits: iptables::edits,
        extension: "rules",
        rollback: "render-rollback-iptables",
    },
    Platform {
        name: "nftables",
        recognise: nftables::recognise,
        parse: nftables::parse,
        render: nftables::render,
        edits: nftables::edits,
        extension: "nft",
        rollback: "render-rollback-nftables",
    },
    Platform {
        name: "routeros",
        recognise: routeros::recognise,
        parse: routeros::parse,
        render: routeros::render,
        edits: routeros::edits,
        extension: "rsc",
        rollback: "render-rollback-routeros",
    },
];

/// An editor of one configuration of a site.
pub struct Hand<'a> {
    /// Whose words it writes.
    pub platform: &'a Platform,
    /// What the site wants.
    pub intent: &'a Intent,
    /// Resolver files beside the configuration.
    pub resolvers: &'a [Arc<SourceFile>],
    /// Files it asks for.
    pub includes: &'a dyn Includes,
}

impl Editor for Hand<'_> {
    fn read(&self, files: &[Arc<SourceFile>]) -> Option<RuleSet> {
        let parsed =
            self.platform.parse(&Input { files, resolvers: self.resolvers, includes: self.includes });
        parsed.diagnostics.is_empty().then_some(parsed.rules)
    }

    fn edits(&self, rules: &RuleSet, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
        (self.platform.edits)(&Desk { rules, intent: self.intent }, repair)
    }
}

/// The platform of a name.
pub fn platform(name: &str) -> Option<&'static Platform> {
    PLATFORMS.iter().find(|p| p.name == name)
}

/// The highest score of the first `limit` lines, each without its indent; 95 and more decide at once.
pub(crate) fn best_line(text: &str, limit: usize, score: impl Fn(&str) -> u8) -> u8 {
    let mut best = 0;
    for line in text.lines().take(limit) {
        best = best.max(score(line.trim_start()));
        if best >= 95 {
            break;
        }
    }
    best
}

/// The platform a text is most likely of; `None` when nothing speaks for any.
pub fn recognise(text: &str) -> Option<&'static Platform> {
    let scored = PLATFORMS.iter().map(|p| ((p.recognise)(text), p));
    scored.filter(|(score, _)| *score > 0).max_by_key(|(score, _)| *score).map(|(_, p)| p)
}
