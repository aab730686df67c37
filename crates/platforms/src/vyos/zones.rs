//! Zones: pairs of them, what stays within one, and the firewall itself.

use super::beside;
use super::build::{Builder, of, on, set_word};
use super::matches::doubt;
use super::tree::At;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Family, Text};
use tillgate_ruleset::{Action, ChainId, Hook, Match, Note};

struct Zone<'t> {
    node: At<'t>,
    interfaces: Vec<String>,
    /// The firewall itself.
    local: bool,
}

/// Builds the chains of all zones, behind those of interfaces and hooks.
pub fn build(builder: &mut Builder<'_, '_>) {
    let old = builder.root.path(&["zone-policy", "zone"]);
    let new = builder.root.path(&["firewall", "zone"]);
    let nodes = old.into_iter().chain(new).flat_map(At::children);
    let mut zones: BTreeMap<&str, Zone<'_>> = BTreeMap::new();
    for node in nodes {
        let mut interfaces: Vec<String> = Vec::new();
        let vrf = |name: &str| builder.around.in_vrf(name).cloned().collect::<Vec<_>>();
        let member = node.child("member");
        for at in node.values("interface").chain(member.into_iter().flat_map(|m| m.values("interface"))) {
            if builder.around.is_vrf(at.name()) {
                interfaces.extend(vrf(at.name()));
            }
            interfaces.push(at.name().to_string());
        }
        for at in member.into_iter().flat_map(|m| m.values("vrf")) {
            interfaces.extend(vrf(at.name()));
        }
        zones.insert(node.name(), Zone { node, interfaces, local: node.has("local-zone") });
    }
    if zones.is_empty() {
        return;
    }
    for zone in zones.values() {
        unknown(builder, zone.node);
        let froms: Vec<At<'_>> = zone.node.values("from").collect();
        for from in froms.into_iter().filter(|from| !zones.contains_key(from.name())) {
            builder.error((from.place(), Text::new("unknown-object").arg("name", from.name())));
        }
    }
    for family in Family::BOTH {
        forward(builder, &zones, family);
        local(builder, &zones, family);
    }
    open(builder, &zones);
}

fn unknown(builder: &mut Builder<'_, '_>, node: At<'_>) {
    for item in node.children() {
        let known = matches!(
            item.name(),
            "default-action"
                | "default-firewall"
                | "default-log"
                | "description"
                | "enable-default-log"
                | "from"
                | "interface"
                | "intra-zone-filtering"
                | "local-zone"
                | "member"
        );
        if !known {
            beside::open(builder, item);
        }
    }
}

/// Calls a set for what comes in by some interfaces; what comes back from it has passed.
fn through<'t>(builder: &mut Builder<'_, 't>, chain: ChainId, when: &Match, at: At<'t>, family: Family) {
    let Some(set) = builder.set(family, at) else { return };
    builder.push(chain, at.span(), when.clone(), Action::Jump(set), false);
    builder.push(chain, at.span(), when.clone(), Action::Return, false);
}

/// The set a zone names for another's packets.
fn pair<'t>(from: At<'t>, family: Family) -> Option<At<'t>> {
    from.child("firewall")?.leaf(set_word(family))
}

fn coming(family: Family, interfaces: &[String]) -> Match {
    Match { input: on(interfaces), ..of(family) }
}

fn leaving(family: Family, interfaces: &[String]) -> Match {
    Match { output: on(interfaces), ..of(family) }
}

/// What no pair decides.
fn default<'t>(builder: &mut Builder<'_, 't>, chain: ChainId, node: At<'t>, family: Family) {
    if let Some(at) = node.child("default-firewall").and_then(|d| d.leaf(set_word(family))) {
        let when = Match { doubts: vec![doubt("default-firewall")], ..of(family) };
        let text = doubt("default-firewall");
        builder.rules.notes.push(Note { span: at.span(), text, bears: true });
        through(builder, chain, &when, at, family);
    }
    let span = node.child("default-action").map_or(node.place(), At::span);
    let log = node.on("default-log") || node.on("enable-default-log");
    builder.push(chain, span, of(family), Action::Drop, log);
}

fn forward<'t>(builder: &mut Builder<'_, 't>, zones: &BTreeMap<&str, Zone<'t>>, family: Family) {
    let span = builder.whole();
    let base = builder.base("zones", Hook::Forward, 2, family, span);
    for zone in zones.values().filter(|z| !z.local) {
        let chain = builder.chain(format!("{family} zone {}", zone.node.name()));
        let when = leaving(family, &zone.interfaces);
        builder.push(base, zone.node.place(), when, Action::Jump(chain), false);
        within(builder, chain, zone, family);
        for from in zone.node.values("from") {
            let Some(other) = zones.get(from.name()).filter(|other| !other.local) else { continue };
            let Some(at) = pair(from, family) else { continue };
            through(builder, chain, &coming(family, &other.interfaces), at, family);
        }
        default(builder, chain, zone.node, family);
    }
}

/// What stays within a zone.
fn within<'t>(builder: &mut Builder<'_, 't>, chain: ChainId, zone: &Zone<'t>, family: Family) {
    let when = coming(family, &zone.interfaces);
    let Some(node) = zone.node.child("intra-zone-filtering") else {
        return builder.push(chain, zone.node.place(), when, Action::Return, false);
    };
    match (node.value("action"), pair(node, family)) {
        (Some("drop" | "reject"), _) => {
            // Apart, so that nobody takes it for one more of the pairs that the default drops.
            let inner = builder.chain(format!("{family} within {}", zone.node.name()));
            builder.push(inner, node.span(), of(family), Action::Drop, false);
            builder.push(chain, node.span(), when, Action::Jump(inner), false);
        }
        (None, Some(at)) => through(builder, chain, &when, at, family),
        _ => builder.push(chain, node.span(), when, Action::Return, false),
    }
}

/// To and from the firewall itself.
fn local<'t>(builder: &mut Builder<'_, 't>, zones: &BTreeMap<&str, Zone<'t>>, family: Family) {
    for zone in zones.values().filter(|z| z.local) {
        let loopback = ["lo".to_string()];
        let to = builder.base("zone local", Hook::Input, 2, family, zone.node.place());
        builder.push(to, zone.node.place(), coming(family, &loopback), Action::Return, false);
        for from in zone.node.values("from") {
            let Some(other) = zones.get(from.name()) else { continue };
            let Some(at) = pair(from, family) else { continue };
            through(builder, to, &coming(family, &other.interfaces), at, family);
        }
        default(builder, to, zone.node, family);
        let from = builder.base("zone local", Hook::Output, 2, family, zone.node.place());
        builder.push(from, zone.node.place(), leaving(family, &loopback), Action::Return, false);
        for other in zones.values() {
            let of_local = other.node.path(&["from", zone.node.name()]);
            let Some(at) = of_local.and_then(|from| pair(from, family)) else { continue };
            through(builder, from, &leaving(family, &other.interfaces), at, family);
        }
        default(builder, from, zone.node, family);
    }
}

/// From a zone to an interface in none: the manual says no, the chains that are made of it let it pass.
fn open(builder: &mut Builder<'_, '_>, zones: &BTreeMap<&str, Zone<'_>>) {
    let zoned: Vec<String> = zones.values().flat_map(|z| z.interfaces.iter().cloned()).collect();
    let inside: BTreeSet<&String> = zoned.iter().collect();
    let mut outside = Vec::new();
    let mut span = None;
    for (name, interface) in builder.around.routed().filter(|(name, _)| !inside.contains(name)) {
        outside.push(name.clone());
        span = span.or(interface.node.map(At::place));
    }
    let Some(span) = span else { return };
    let text = Text::new("vyos-unzoned").arg("interfaces", outside.join(", "));
    builder.rules.notes.push(Note { span: span.clone(), text: text.clone(), bears: true });
    for family in Family::BOTH {
        let base = builder.base("no zone", Hook::Forward, 2, family, span.clone());
        let mut when = leaving(family, &outside);
        when.input = on(&zoned);
        when.doubts.push(text.clone());
        builder.push(base, span.clone(), when, Action::Drop, false);
    }
}
