//! What decides about packets beside the rule sets, what has no bearing on them, and what is told of the rest.

use super::build::{Builder, Style, of, on};
use super::matches::{Reading, doubt};
use super::tree::At;
use std::collections::BTreeMap;
use tillgate_model::{Family, Protocol, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Base, Hook, Kind, Match, Note, Policy, Special, Term, What};

/// Sections without bearing on what passes, or read elsewhere: `docs/reference/platforms/vyos.md`, Exempt.
const EXEMPT: &[&str] = &[
    "cluster",
    "container",
    "custom-attribute",
    "firewall",
    "high-availability",
    "interfaces",
    "load-balance",
    "load-balancing",
    "nat",
    "nat64",
    "nat66",
    "pki",
    "policy",
    "port-forward",
    "protocols",
    "qos",
    "service",
    "system",
    "traffic-control",
    "traffic-policy",
    "vpn",
    "vrf",
    "zone-policy",
    // What the UniFi controller notes for itself.
    "unifi",
];

/// The same below `firewall`.
const EXEMPT_FIREWALL: &[&str] = &[
    "all-ping",
    "bridge",
    "broadcast-ping",
    "config-trap",
    "conntrack-expect-table-size",
    "conntrack-hash-size",
    "conntrack-table-size",
    "conntrack-tcp-loose",
    "flowtable",
    "global-options",
    "group",
    "interface",
    "ip-src-route",
    "ipv4",
    "ipv6",
    "ipv6-modify",
    "ipv6-name",
    "ipv6-receive-redirects",
    "ipv6-src-route",
    "log-martians",
    "modify",
    "mss-clamp",
    "mss-clamp6",
    "name",
    "options",
    "receive-redirects",
    "resolver-cache",
    "resolver-interval",
    "send-redirects",
    "source-validation",
    "state-policy",
    "syn-cookies",
    "twa-hazards-protection",
    "zone",
];

/// The same below `firewall global-options`.
const EXEMPT_OPTIONS: &[&str] = &[
    "all-ping",
    "apply-to-bridged-traffic",
    "broadcast-ping",
    "directed-broadcast",
    "ip-src-route",
    "ipv6-receive-redirects",
    "ipv6-source-validation",
    "ipv6-src-route",
    "log-martians",
    "receive-redirects",
    "resolver-cache",
    "resolver-interval",
    "send-redirects",
    "source-validation",
    "state-policy",
    "syn-cookies",
    "timeout",
    "twa-hazards-protection",
];

/// Reads everything beside rule sets and translation.
pub fn build(builder: &mut Builder<'_, '_>) {
    let root = builder.root;
    let firewall = root.child("firewall");
    let options = firewall.and_then(|f| f.child("global-options"));
    for (node, exempt) in [(Some(root), EXEMPT), (firewall, EXEMPT_FIREWALL), (options, EXEMPT_OPTIONS)] {
        for item in node.into_iter().flat_map(At::children).filter(|i| !exempt.contains(&i.name())) {
            open(builder, item);
        }
    }
    for node in [firewall, options].into_iter().flatten() {
        settings(builder, node);
    }
    off(builder);
    interfaces(builder);
    forwarding(builder);
    marks(builder);
    bridge(builder);
    untracked(builder);
    let service = root.child("service");
    for word in ["telnet", "snmp"] {
        let Some(node) = service.and_then(|s| s.child(word)) else { continue };
        // Version 3 has users; communities travel in clear text.
        let at = if word == "telnet" { Some(node) } else { node.child("community") };
        if let Some(at) = at.filter(|_| !node.has("disable")) {
            builder.fact(at.place(), What::CleartextManagement(word.to_string()));
        }
    }
}

/// What is not known here: it may drop anything.
pub fn open(builder: &mut Builder<'_, '_>, at: At<'_>) {
    let text = Text::new("not-modelled-statement").arg("what", at.name());
    builder.rules.notes.push(Note { span: at.place(), text: text.clone(), bears: true });
    let when = Match { doubts: vec![text], ..Match::default() };
    one(builder, at.place(), (Hook::Prerouting, -90_000, None), when, Action::Drop);
}

/// What is exempt from connection tracking.
fn untracked(builder: &mut Builder<'_, '_>) {
    let Some(ignore) = builder.root.path(&["system", "conntrack", "ignore"]) else { return };
    for (word, family) in [("ipv4", Family::V4), ("ipv6", Family::V6)] {
        // Before 1.4 there was one list, for IPv4.
        let lists = ignore.child(word).into_iter().chain((family == Family::V4).then_some(ignore));
        let rules: Vec<At<'_>> = lists.flat_map(|at| at.numbered("rule")).map(|(_, rule)| rule).collect();
        if rules.is_empty() {
            continue;
        }
        let chain = builder.chain(format!("conntrack ignore {word}"));
        for rule in rules.into_iter().filter(|rule| !rule.has("disable")) {
            let reading = Reading { around: builder.around, family, marked: false };
            match reading.matches(rule) {
                Ok(list) => {
                    for when in list {
                        for text in when.doubts.clone() {
                            builder.rules.notes.push(Note { span: rule.span(), text, bears: true });
                        }
                        builder.push(chain, rule.span(), when, Action::Untrack, false);
                    }
                }
                Err(bad) => builder.error(bad),
            }
        }
        builder.rules.bases.push(Base {
            chain,
            hook: Hook::Prerouting,
            priority: -300,
            kind: Kind::Filter,
            policy: Policy::Accept,
            policy_span: ignore.place(),
            family: Some(family),
        });
    }
}

/// A base chain of one rule.
fn one(
    builder: &mut Builder<'_, '_>,
    span: Span,
    (hook, priority, family): (Hook, i32, Option<Family>),
    when: Match,
    action: Action,
) {
    let chain = builder.chain("settings".into());
    builder.push(chain, span.clone(), when, action, false);
    let kind = Kind::Filter;
    let policy = Policy::Accept;
    builder.rules.bases.push(Base { chain, hook, priority, kind, policy, policy_span: span, family });
}

fn settings(builder: &mut Builder<'_, '_>, node: At<'_>) {
    if node.value("all-ping") == Some("disable") {
        // The kernel does not answer, whatever the filter says.
        let at = node.child("all-ping").unwrap_or(node);
        let mut when = of(Family::V4);
        when.narrow(Field::Protocol, &Ranges::single(Protocol::ICMP.0.into()));
        when.narrow(Field::SourcePort, &Ranges::single(8));
        one(builder, at.span(), (Hook::Input, 1000, Some(Family::V4)), when, Action::Drop);
    }
    for (word, family) in [("source-validation", Family::V4), ("ipv6-source-validation", Family::V6)] {
        if let Some(at) = node.child(word) {
            validation(builder, at, family, node.value(word).unwrap_or(""), None);
        }
    }
    if let Some(at) = node.child("apply-to-bridged-traffic") {
        builder.note(at.place(), at.name(), false);
    }
}

/// Sources that the way back does not lead to: by the interface they came in by (strict), or by any (loose).
fn validation(
    builder: &mut Builder<'_, '_>,
    at: At<'_>,
    family: Family,
    mode: &str,
    interface: Option<&String>,
) {
    let mut when = of(family);
    when.input = interface.map(|name| on(std::slice::from_ref(name))).unwrap_or_default();
    when.terms.push(Term::Special(vec![Special::ReversePathFails], false));
    if family == Family::V4 {
        // A host without an address asks for one from 0.0.0.0: the kernel's rp_filter and nft's fib let that pass.
        when.narrow(Field::Source, &Ranges::single(0).complement(family.max_address()));
    }
    match mode {
        "strict" => {}
        // With a way to everywhere, nothing is dropped.
        "loose" => when.doubts.push(doubt("source-validation loose")),
        _ => return,
    }
    one(builder, at.span(), (Hook::Prerouting, -250, Some(family)), when, Action::Drop);
}

fn interfaces(builder: &mut Builder<'_, '_>) {
    let around = builder.around;
    for (name, interface) in &around.interfaces {
        let Some(node) = interface.node else { continue };
        for (word, family) in [("ip", Family::V4), ("ipv6", Family::V6)] {
            let Some(settings) = node.child(word) else { continue };
            if let Some(at) = settings.child("source-validation") {
                let mode = settings.value("source-validation").unwrap_or("");
                validation(builder, at, family, mode, Some(name));
            }
            if let Some(at) = settings.child("disable-forwarding") {
                let when = Match { input: on(std::slice::from_ref(name)), ..of(family) };
                one(builder, at.span(), (Hook::Forward, -1, Some(family)), when, Action::Drop);
            }
        }
    }
}

/// Interfaces that are switched off: nothing comes in or leaves there.
fn off(builder: &mut Builder<'_, '_>) {
    let around = builder.around;
    let mut places: BTreeMap<Span, Vec<String>> = BTreeMap::new();
    for (name, interface) in &around.interfaces {
        if let Some(at) = interface.off {
            places.entry(at.span()).or_default().push(name.clone());
        }
    }
    let Some((first, _)) = places.first_key_value().map(|(span, names)| (span.clone(), names)) else {
        return;
    };
    for (hook, priority) in [(Hook::Prerouting, -90_001), (Hook::Forward, -2), (Hook::Output, -1000)] {
        let chain = builder.chain("interfaces that are off".into());
        for (span, names) in &places {
            let when = match hook {
                Hook::Prerouting => Match { input: on(names), ..Match::default() },
                _ => Match { output: on(names), ..Match::default() },
            };
            // Nothing is there to be missed in a log.
            builder.push(chain, span.clone(), when, Action::Drop, true);
        }
        let (kind, policy, policy_span) = (Kind::Filter, Policy::Accept, first.clone());
        builder.rules.bases.push(Base { chain, hook, priority, kind, policy, policy_span, family: None });
    }
}

fn forwarding(builder: &mut Builder<'_, '_>) {
    for (word, family) in [("ip", Family::V4), ("ipv6", Family::V6)] {
        if let Some(at) = builder.root.path(&["system", word, "disable-forwarding"]) {
            one(builder, at.span(), (Hook::Forward, -1, Some(family)), of(family), Action::Drop);
        }
    }
}

/// Sets that mark and route, which may drop before the filter: `firewall modify`, `policy route`.
fn marks(builder: &mut Builder<'_, '_>) {
    let around = builder.around;
    let kinds = [
        (Family::V4, ["firewall", "modify"], ["firewall", "in", "modify"]),
        (Family::V6, ["firewall", "ipv6-modify"], ["firewall", "in", "ipv6-modify"]),
        (Family::V4, ["policy", "route"], ["policy", "route", ""]),
        (Family::V6, ["policy", "route6"], ["policy", "route6", ""]),
        (Family::V6, ["policy", "ipv6-route"], ["policy", "ipv6-route", ""]),
    ];
    for (family, place, [first, second, third]) in kinds {
        let mut bound: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, interface) in &around.interfaces {
            let set = interface.node.and_then(|n| n.child(first)).and_then(|at| match third {
                "" => at.value(second),
                third => at.child(second)?.value(third),
            });
            if let Some(set) = set {
                bound.entry(set).or_default().push(name.clone());
            }
        }
        for node in builder.root.path(&place).into_iter().flat_map(At::children) {
            let drops = node.values("rule").any(|r| matches!(r.value("action"), Some("drop" | "reject")));
            let mut names = bound.remove(node.name()).unwrap_or_default();
            names.extend(node.values("interface").map(|at| at.name().to_string()));
            if !drops || names.is_empty() {
                continue;
            }
            let chain = builder.chain(format!("{} {}", place[1], node.name()));
            builder.rules_of(node, chain, family, Style::Marks, None);
            let base = builder.base(place[1], Hook::Prerouting, -150, family, node.place());
            let when = Match { input: on(&names), ..of(family) };
            builder.push(base, node.place(), when, Action::Jump(chain), false);
        }
    }
}

/// Lists of the bridge that see frames to the router itself.
fn bridge(builder: &mut Builder<'_, '_>) {
    let Some(bridge) = builder.root.path(&["firewall", "bridge"]) else { return };
    for (word, hook, priority) in [("input", Hook::Input, -1), ("prerouting", Hook::Prerouting, -90_000)] {
        let Some(list) = bridge.path(&[word, "filter"]) else { continue };
        let drops = |at: At<'_>, key: &str| matches!(at.value(key), Some("drop" | "reject" | "jump"));
        if !drops(list, "default-action") && !list.values("rule").any(|r| drops(r, "action")) {
            continue;
        }
        let text = Text::new("not-modelled-statement").arg("what", format!("bridge {word}"));
        builder.rules.notes.push(Note { span: list.place(), text: text.clone(), bears: true });
        let when = Match { input: on(&["br*".to_string()]), doubts: vec![text], ..Match::default() };
        one(builder, list.place(), (hook, priority, None), when, Action::Drop);
    }
}
