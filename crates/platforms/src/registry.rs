//! The platforms by name, and which one a text is of.

use crate::{Desk, Includes, Input, LARGEST, Parsed, RenderError, Rendered};
use std::sync::Arc;
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};
use tillgate_ruleset::{Edit, Editor, Judged, Repair, RuleSet};

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
    /// Whether a device without any rule lets everything pass.
    pub is_open_without_rules: bool,
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

/// An entry: the folder's name is the platform's name.
macro_rules! platform {
    ($name:ident, $extension:literal) => {
        platform!($name, $extension, false)
    };
    ($name:ident, $extension:literal, open) => {
        platform!($name, $extension, true)
    };
    ($name:ident, $extension:literal, $open:literal) => {
        Platform {
            name: stringify!($name),
            recognise: crate::$name::recognise,
            parse: crate::$name::parse,
            render: crate::$name::render,
            edits: crate::$name::edits,
            is_open_without_rules: $open,
            extension: $extension,
            rollback: concat!("render-rollback-", stringify!($name)),
        }
    };
}

/// All platforms.
pub const PLATFORMS: &[Platform] = &[
    platform!(asa, "cfg"),
    platform!(fortios, "conf"),
    platform!(ios, "cfg", open),
    platform!(iptables, "rules"),
    platform!(nftables, "nft"),
    platform!(openwrt, "uci", open),
    platform!(opnsense, "xml"),
    platform!(pf, "conf", open),
    platform!(routeros, "rsc", open),
    platform!(vyos, "vyos", open),
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

    fn edits(&self, judged: &Judged, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
        let Judged { files, rules, .. } = judged;
        let mut out = (self.platform.edits)(&Desk { files, rules, intent: self.intent }, repair);
        out.retain(|edits| !edits.is_empty());
        out.dedup();
        // New lines end as the file's own do.
        for edit in out.iter_mut().flatten().filter(|edit| edit.span.file.text.contains("\r\n")) {
            edit.text = edit.text.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        out
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

/// What only one platform writes scores so much at least.
const SURE: u8 = 90;

/// The platform a text is most likely of; `None` when nothing speaks for any.
pub fn recognise(text: &str) -> Option<&'static Platform> {
    // Junos and PAN-OS share words with many, and end statements in braces with semicolons. Beside them only nftables
    // does, which is known for sure by its own words.
    let mut best: Option<(u8, &'static Platform)> = None;
    for platform in PLATFORMS {
        let score = (platform.recognise)(text);
        if score >= best.map_or(1, |(best, _)| best) {
            best = Some((score, platform));
        }
        if score == 100 {
            break;
        }
    }
    best.filter(|(score, _)| *score >= SURE || !has_braced_statements(text)).map(|(_, p)| p)
}

fn has_braced_statements(text: &str) -> bool {
    let ending = |end: char| text.lines().take(20_000).filter(move |line| line.trim_end().ends_with(end));
    ending(';').nth(1).is_some() && ending('{').next().is_some()
}
