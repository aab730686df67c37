//! What refers to what: tables and rules, anchors and the files loaded into them, names and the tables they fill.

use super::config::{Config, Node, States};
use super::hosts::Host;
use super::rule::{Raw, Verb};
use super::targets::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_model::SourceFile;

/// Puts what was loaded into the anchors of that name.
pub fn load(nodes: &mut [Node], mut loaded: BTreeMap<String, Vec<Node>>) {
    for node in nodes {
        if let Node::Anchor(_, name, inside @ None) = node
            && let Some(nodes) = loaded.remove(name)
        {
            *inside = Some(nodes);
        }
    }
}

/// Every rule and anchor; how deep anchors nest is bounded where they are read.
pub fn each(nodes: &[Node], see: &mut dyn FnMut(&Raw)) {
    for node in nodes {
        match node {
            Node::Rule(raw) => see(raw),
            Node::Anchor(raw, _, inside) => {
                see(raw);
                each(inside.as_deref().unwrap_or_default(), see);
            }
        }
    }
}

/// The tables a rule asks for, and those that limits on its states fill.
pub fn mentions(raw: &Raw, used: &mut BTreeSet<String>, filled: &mut BTreeSet<String>) {
    used.extend(raw.from.iter().chain(&raw.to).filter_map(Host::table).map(str::to_string));
    let targets = raw.translations.iter().flat_map(|t| &t.targets);
    used.extend(targets.filter_map(|t| match t {
        Target::Unknown(name) => Some(name.clone()),
        _ => None,
    }));
    used.extend(raw.overload.iter().cloned());
    filled.extend(raw.overload.iter().cloned());
}

/// Which states the rules make. `bound`: what the options say for rules that say nothing, and for those that say
/// nothing of states at all.
pub fn states(config: &Config, bound: (bool, bool)) -> States {
    let (mut bounds, mut floats) = (false, false);
    let mut see = |raw: &Raw| {
        if matches!(raw.verb, Verb::Pass | Verb::Open) && raw.state != Some(false) {
            let is = raw.bound.unwrap_or(bound.0 || bound.1 && raw.state.is_none());
            bounds |= is;
            floats |= !is;
        }
    };
    each(&config.nodes, &mut see);
    for nat in config.nats.iter().filter(|nat| nat.pass) {
        see(&Raw { verb: Verb::Pass, ..nat.raw.clone() });
    }
    match (bounds, floats) {
        (true, true) => States::Both,
        (true, false) => States::Bound,
        (false, false) if bound.0 => States::Bound,
        (false, _) => States::Floating,
    }
}

/// Names by table: `ipset=/name[/name…]/table[,table…]` lines, which fill tables where there is pf (dnsmasq(8)).
pub fn filled_by_resolver(files: &[Arc<SourceFile>]) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in files.iter().flat_map(|f| f.text.lines()) {
        let line = line.trim().trim_start_matches("--");
        let Some(value) = line.strip_prefix("ipset=") else { continue };
        let mut parts: Vec<&str> = value.trim_start_matches('/').split('/').collect();
        let Some(tables) = parts.pop() else { continue };
        for table in tables.split(',') {
            out.entry(table.trim().into()).or_default().extend(parts.iter().map(|p| p.to_ascii_lowercase()));
        }
    }
    out
}
