//! `tillgate verify`: what a configuration really permits, against a site, all sites, or by itself.

use super::{json, patch, site};
use crate::args::{Format, Global, Verify};
use crate::formats::{Document, Report};
use crate::output::Output;
use crate::{Environment, Result, document, load, report};
use std::io::Read;
use tillgate_intent::{Flow, Intent, intent};
use tillgate_model::{Finding, Text, Verdict};
use tillgate_platforms::Hand;
use tillgate_ruleset::{self as ruleset, Held, Judged};

pub fn run(
    args: &Verify,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    if args.all {
        let (estate, library) = load::estate(global, environment, input, output)?;
        return super::fleet::run(args, &estate, &library, output);
    }
    let Some(name) = &args.site else {
        let (_, rules) = configuration(args, input, output)?;
        let findings = ruleset::verify_alone(&rules, Some(output.today));
        return Ok(tell(None, &findings, Vec::new(), args, output));
    };
    let (estate, library) = load::estate(global, environment, input, output)?;
    let site = site(&estate, name, output)?;
    let (config, rules) = configuration(args, input, output)?;
    let intent = intent(site, &library, output.today);
    let includes = config.includes();
    let hand = Hand {
        platform: config.platform,
        intent: &intent,
        resolvers: &config.resolvers,
        includes: &includes,
    };
    let findings = ruleset::verify(&rules, &intent);
    let mut judged = Judged { files: config.main.clone(), rules, findings };
    if args.fix {
        return fix(&judged, &intent, &hand, args, output);
    }
    mend_each(&mut judged, &intent, &hand);
    let held = match output.format {
        Format::Text | Format::Json => ruleset::held(&judged.rules, &intent),
        _ => Vec::new(),
    };
    let flows = held.into_iter().map(|h| (&intent.flows[h.flow], h)).collect();
    Ok(tell(Some(name), &judged.findings, flows, args, output))
}

/// A flow and how it is held.
type Flows<'a> = Vec<(&'a Flow, Held)>;

/// Prints what was found, in whatever form.
fn tell(
    site: Option<&str>,
    findings: &[Finding],
    flows: Flows<'_>,
    args: &Verify,
    output: &mut Output<'_>,
) -> u8 {
    let verdict = Verdict::of(findings, args.fail_on);
    if let Some(mut document) = Document::of(output.format, args.fail_on) {
        document.begin(output);
        document.add(&Report { site, verdict: Some(verdict), findings, error: None }, output);
        document.end(output);
    } else if output.format == Format::Json {
        let mut value = document::findings(site, verdict, findings, &output.lang);
        if site.is_some() {
            value["flows"] = flows.iter().map(|(flow, held)| document::held(flow, held)).collect();
        }
        output.data(&json(&value));
    } else {
        let text = report::findings(findings, output);
        output.data(&text);
        if let Some(line) = report::held(&flows.iter().filter_map(|(_, h)| h.by).collect::<Vec<_>>(), output)
        {
            output.line(&line);
        }
        let line = report::verdict(site, verdict, findings, output);
        output.line(&line);
    }
    verdict.exit_code()
}

/// Rules read again while fixes are looked for unasked: what a shop's file takes is not felt.
const UNASKED: usize = 4000;
/// A file of more rules is judged at once, and mended with `--fix`.
const MOST_UNASKED: usize = 300;
/// Proposals tried with `--fix`.
const ASKED: usize = 10_000;

/// Gives each finding the smallest change that mends it, as far as the work allowed goes. The changes belong together:
/// one may mend several findings.
fn mend_each(judged: &mut Judged, intent: &Intent, hand: &Hand<'_>) {
    if judged.rules.len() > MOST_UNASKED {
        return;
    }
    let tries = UNASKED / judged.rules.len().max(40);
    let mending = ruleset::mend_all(judged, intent, hand, tries);
    for finding in &mut judged.findings {
        let fix = mending.of(finding).map(|round| patch::fix(hand.platform.name, round));
        finding.fix.extend(fix);
    }
}

/// Mends everything that can be, and writes the patch; the exit code is that of the corrected configuration.
fn fix(judged: &Judged, intent: &Intent, hand: &Hand<'_>, args: &Verify, output: &mut Output<'_>) -> Result {
    let mending = ruleset::mend_all(judged, intent, hand, ASKED);
    let mended = judged.findings.iter().filter(|f| mending.of(f).is_some()).count();
    let ruleset::Mending { after, is_complete, .. } = mending;
    let patch = patch::patch(&judged.files, &after.files);
    let verdict = Verdict::of(&after.findings, args.fail_on);
    match &args.patch_to {
        Some(path) => super::render::write(path, &patch, output)?,
        None if output.format == Format::Json => {
            let before = Verdict::of(&judged.findings, args.fail_on);
            let mut value = document::findings(Some(&intent.site), before, &judged.findings, &output.lang);
            value["patch"] = patch.into();
            value["after"] = document::findings(Some(&intent.site), verdict, &after.findings, &output.lang);
            output.data(&json(&value));
            return Ok(verdict.exit_code());
        }
        None if output.terminal => output.data(&crate::output::shown(&patch)),
        None => output.data(&patch),
    }
    let rest = report::findings(&after.findings, output);
    let line = report::verdict(Some(&intent.site), verdict, &after.findings, output);
    output.note(&Text::new("fix-summary").num("mended", mended).num("left", after.findings.len()));
    if !is_complete {
        output.note(&Text::new("fix-stopped"));
    }
    if !output.quiet {
        let _ = writeln!(output.err, "{rest}{line}");
    }
    Ok(verdict.exit_code())
}

fn configuration(
    args: &Verify,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result<(load::Config, ruleset::RuleSet)> {
    let config = match load::config(&args.config, args.platform.as_deref(), input) {
        Ok(config) => config,
        Err(problem) => return output.fail(&problem),
    };
    match load::rules(&config, args.site.is_some()) {
        Ok(rules) => Ok((config, rules)),
        Err(load::Unread::Diagnostics(list)) => {
            output.diagnostics(&list)?;
            Err(crate::Failed(2))
        }
        Err(load::Unread::Problem(problem)) => output.fail(&problem),
    }
}
