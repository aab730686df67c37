//! `tillgate verify --all`: every site of the estate, from a folder of collected configurations.

use crate::args::{Format, Verify};
use crate::formats::{Document, Report};
use crate::output::Output;
use crate::{Result, document, load, report};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use tillgate_catalog::Library;
use tillgate_estate::{Estate, Site};
use tillgate_intent::intent;
use tillgate_model::{Date, Diagnostic, Finding, Severity, Text, Verdict};
use tillgate_ruleset as ruleset;

/// What became of one site of a fleet.
enum Judged {
    Findings(Verdict, Vec<Finding>),
    /// The configuration could not be read.
    Unreadable(Vec<Diagnostic>),
    Problem(Text),
}

/// Sites judged at once; what bounds the memory of a fleet.
const BATCH: usize = 64;

/// Judges every site.
pub fn run(args: &Verify, estate: &Estate, library: &Library, output: &mut Output<'_>) -> Result {
    let bar = match output.progress {
        true => ProgressBar::new(estate.sites.len() as u64),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} {eta}") {
        bar.set_style(style);
    }
    // One listing of each folder serves every site.
    let listings: Vec<Listing> = args.config.iter().map(|f| Listing::of(f)).collect();
    let mut tally = [0usize; 4];
    let mut worst = 0;
    let mut document = Document::of(output.format, args.fail_on);
    if let Some(document) = &mut document {
        document.begin(output);
    } else if output.format == Format::Json {
        output.data("{\n\"schema\": \"tillgate.fleet/1\",\n\"sites\": [");
    }
    let mut first = true;
    for batch in estate.sites.chunks(BATCH) {
        let today = output.today;
        let judged: Vec<(&Site, Judged)> = batch
            .par_iter()
            .map(|site| {
                let result = judge(args, site, library, today, &listings);
                bar.inc(1);
                (site, result)
            })
            .collect();
        for (site, judged) in judged {
            let code = one(site, judged, &mut first, document.as_mut(), output);
            tally[code as usize] += 1;
            // Bad input outweighs everything, a failure outweighs a doubt.
            worst = [2, 1, 3, 0].into_iter().find(|c| *c == worst || *c == code).unwrap_or(0);
        }
        if output.is_closed() {
            break;
        }
    }
    bar.finish_and_clear();
    if let Some(document) = document {
        document.end(output);
    } else if output.format == Format::Json {
        output.data("\n],\n");
        let summary = serde_json::json!({"holds": tally[0], "fails": tally[1], "unreadable": tally[2], "undecided": tally[3]});
        output.data(&format!("\"summary\": {summary}\n}}\n"));
    } else {
        let text = Text::new("fleet-summary")
            .num("sites", estate.sites.len())
            .num("holds", tally[0])
            .num("fails", tally[1])
            .num("undecided", tally[3])
            .num("unreadable", tally[2]);
        let line = output.lang.text(&text);
        output.line(&line);
    }
    Ok(worst)
}

/// Prints one site of a fleet; its exit code.
fn one(
    site: &Site,
    judged: Judged,
    first: &mut bool,
    document: Option<&mut Document>,
    output: &mut Output<'_>,
) -> u8 {
    if let Some(document) = document {
        return into(document, site, judged, output);
    }
    let comma = if std::mem::take(first) { "\n" } else { ",\n" };
    match judged {
        Judged::Findings(verdict, findings) => {
            match output.format {
                Format::Json => {
                    let value = document::findings(Some(&site.name), verdict, &findings, &output.lang);
                    output.data(&format!("{comma}{value}"));
                }
                _ => {
                    // A fleet's report is a line a site; what holds needs no more, what does not is told in full.
                    let worth: Vec<Finding> =
                        findings.iter().filter(|f| f.severity() <= Severity::Medium).cloned().collect();
                    let line = report::verdict(Some(&site.name), verdict, &findings, output);
                    output.line(&line);
                    if verdict != Verdict::Holds || output.verbose {
                        let text = report::findings(&worth, output);
                        output.data(&text);
                    }
                }
            }
            verdict.exit_code()
        }
        Judged::Unreadable(diagnostics) => {
            let _ = output.diagnostics(&diagnostics);
            unreadable(site, Text::new("fleet-unreadable"), comma, output)
        }
        Judged::Problem(text) => unreadable(site, text, comma, output),
    }
}

/// Adds one site to a document; its exit code.
fn into(document: &mut Document, site: &Site, judged: Judged, output: &mut Output<'_>) -> u8 {
    let site = Some(site.name.as_str());
    let error = match judged {
        Judged::Findings(verdict, findings) => {
            let report = Report { site, verdict: Some(verdict), findings: &findings, error: None };
            document.add(&report, output);
            return verdict.exit_code();
        }
        Judged::Problem(text) => output.lang.text(&text),
        Judged::Unreadable(diagnostics) => {
            let _ = output.diagnostics(&diagnostics);
            let first = diagnostics.first().map(|d| output.lang.text(&d.message));
            first.unwrap_or_else(|| output.lang.say("fleet-unreadable"))
        }
    };
    document.add(&Report { site, verdict: None, findings: &[], error: Some(error) }, output);
    2
}

fn unreadable(site: &Site, text: Text, comma: &str, output: &mut Output<'_>) -> u8 {
    let text = output.lang.text(&text);
    match output.format {
        Format::Json => {
            let value = serde_json::json!({"schema": "tillgate.findings/1", "site": site.name, "verdict": "undecided", "error": text, "findings": []});
            output.data(&format!("{comma}{value}"));
        }
        _ => {
            let line = format!("{}: {text}", crate::output::shown(&site.name));
            output.line(&line);
        }
    }
    2
}

fn judge(args: &Verify, site: &Site, library: &Library, today: Date, listings: &[Listing]) -> Judged {
    let paths: Vec<PathBuf> = listings.iter().flat_map(|l| l.of_site(&site.name)).collect();
    if paths.is_empty() {
        return Judged::Problem(Text::new("fleet-missing"));
    }
    let config = match load::config(&paths, args.platform.as_deref(), &mut std::io::empty()) {
        Ok(config) => config,
        Err(problem) => return Judged::Problem(problem),
    };
    let rules = match load::rules(&config, true) {
        Ok(rules) => rules,
        Err(load::Unread::Diagnostics(list)) => return Judged::Unreadable(list),
        Err(load::Unread::Problem(problem)) => return Judged::Problem(problem),
    };
    let findings = ruleset::verify(&rules, &intent(site, library, today));
    Judged::Findings(Verdict::of(&findings, args.fail_on), findings)
}

/// How deep configurations are looked for: a group's folder, and a folder in it (RANCID's `GROUP/configs/NODE`).
const DEEPEST: usize = 3;

/// The entries of a folder by name, to find `SITE`, `SITE.*` and `SITE/` in, at the top or in the folders of groups, as
/// Oxidized and RANCID leave them.
struct Listing {
    /// Name and path, sorted.
    entries: Vec<(String, PathBuf)>,
}

impl Listing {
    fn of(folder: &Path) -> Self {
        let mut entries = Vec::new();
        let mut todo = vec![(folder.to_path_buf(), 0)];
        while let Some((folder, depth)) = todo.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                // Version control and editors leave hidden entries.
                if name.starts_with('.') {
                    continue;
                }
                let path = entry.path();
                if depth < DEEPEST && entry.file_type().is_ok_and(|t| t.is_dir()) {
                    todo.push((path.clone(), depth + 1));
                }
                entries.push((name, path));
            }
        }
        entries.sort();
        Listing { entries }
    }

    /// The files of a site; those nearest to the top where there are several.
    fn of_site(&self, site: &str) -> Vec<PathBuf> {
        let start = self.entries.partition_point(|(n, _)| n.as_str() < site);
        let same = self.entries[start..].iter().take_while(|(n, _)| n.starts_with(site));
        let fits = |(name, _): &&(String, PathBuf)| {
            name.len() == site.len()
                || name[site.len()..].starts_with('.') && !name[site.len() + 1..].contains('.')
        };
        let found: Vec<&PathBuf> = same.filter(fits).map(|(_, path)| path).collect();
        let depth = |path: &&PathBuf| path.components().count();
        let top = found.iter().map(depth).min();
        found.into_iter().filter(|path| Some(depth(path)) == top).cloned().collect()
    }
}
