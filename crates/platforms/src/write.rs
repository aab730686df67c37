//! What every renderer shares: what it gives, why it refuses, and the proof of what it wrote.

use crate::{Input, NoIncludes, Parsed};
use tillgate_estate::{ServiceAt, Site};
use tillgate_intent::Intent;
use tillgate_model::{Finding, FindingId, SourceFile, Text};
use tillgate_ruleset::{RuleSet, verify};

/// A configuration and what belongs beside it.
#[derive(Debug)]
pub struct Rendered {
    /// The firewall's file.
    pub text: String,
    /// Companions: file name and text.
    pub companions: Vec<(String, String)>,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum RenderError {
    /// No address may manage the firewall: loading the file would lock everybody out.
    NoManagement,
    /// The estate names no uplink.
    NoUplink,
    /// A name the platform cannot carry.
    InterfaceName(String),
    /// Destinations by name need the resolver on the firewall, which fills their sets.
    NamesNeedResolver,
    /// The platform has no words for something the intent asks for.
    CannotExpress(Text),
    /// What was written does not equal the intent; a fault of this program.
    Unproved(Vec<Finding>),
}

/// What every platform needs to know before it writes.
pub(crate) fn check(site: &Site, intent: &Intent) -> Result<(), RenderError> {
    if site.firewall.management.is_empty() {
        return Err(RenderError::NoManagement);
    }
    if intent.topology.uplinks.is_empty() {
        return Err(RenderError::NoUplink);
    }
    Ok(())
}

/// What Linux needs beside that: names the kernel takes, and a resolver that fills sets by name.
pub(crate) fn check_linux(site: &Site, intent: &Intent) -> Result<(), RenderError> {
    check(site, intent)?;
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        // IFNAMSIZ, and what the kernel allows in a name (dev_valid_name).
        if name.len() > 15 || name.contains(['/', ':']) || name.starts_with('.') {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    let by_name = intent.flows.iter().any(|f| f.by_name);
    if by_name && site.services.dns != Some(ServiceAt::Gateway) {
        return Err(RenderError::NamesNeedResolver);
    }
    Ok(())
}

/// Reads a text back: every flow passes, needed or only allowed, and nothing else does.
pub(crate) fn prove(
    parse: fn(&Input<'_>) -> Parsed,
    rendered: Rendered,
    intent: &Intent,
) -> Result<Rendered, RenderError> {
    let source = |(n, t): &(String, String)| SourceFile::new(n.as_str(), t.as_str());
    let resolvers: Vec<_> = rendered.companions.iter().map(source).collect();
    let files = [SourceFile::new("rendered", rendered.text.as_str())];
    let parsed = parse(&Input { files: &files, resolvers: &resolvers, includes: &NoIncludes });
    let findings = shortcomings(&parsed.rules, intent);
    if findings.is_empty() && parsed.diagnostics.is_empty() {
        Ok(rendered)
    } else {
        Err(RenderError::Unproved(findings))
    }
}

/// In what a rule set differs from the intent with every flow needed.
pub(crate) fn shortcomings(rules: &RuleSet, intent: &Intent) -> Vec<Finding> {
    let mut strict = intent.clone();
    strict.findings.clear();
    for flow in &mut strict.flows {
        flow.needed = true;
        flow.unchecked &= flow.requirement == "management";
    }
    let mut findings = verify(rules, &strict);
    let untidy = [
        FindingId::RuleShadowed,
        FindingId::RuleRedundant,
        FindingId::RuleConflicting,
        FindingId::ObjectUnused,
        // The estate asks for it.
        FindingId::InsecureService,
    ];
    findings.retain(|f| !untidy.contains(&f.id));
    findings
}
