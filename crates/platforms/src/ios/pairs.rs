//! Zone pairs for what no pair, or one that others share, decides about.

use super::config::{Deed, Policy};
use super::sheet::{Names, Sheet, Thing};
use super::wiring::{Part, ends, joined, list_text, new_policy, pair_of, pair_text, policy_text, users};
use crate::edit::permissions;
use crate::permits::Permit;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tillgate_intent::Flow;
use tillgate_model::Family;
use tillgate_ruleset::Edit;

/// The interfaces of the site by their zones.
fn members(sheet: &Sheet<'_>) -> BTreeMap<String, Vec<String>> {
    let topology = &sheet.desk.intent.topology;
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in topology.zones.iter().map(|z| &z.interface).chain(&topology.uplinks) {
        let zone = sheet.config.interfaces.get(name).and_then(|i| i.zone.as_ref());
        if let Some(zone) = zone {
            out.entry(zone.name.clone()).or_default().push(name.clone());
        }
    }
    out
}

/// The one interface of the site, or its uplinks, that are in no zone join the one zone that has no members.
pub fn joining(sheet: &Sheet<'_>) -> Option<Vec<Edit>> {
    let topology = &sheet.desk.intent.topology;
    let config = &sheet.config;
    let zoned = |name: &str| config.interfaces.get(name).and_then(|i| i.zone.as_ref()).is_some();
    let taken = |zone: &str| {
        config.interfaces.values().any(|i| i.zone.as_ref().is_some_and(|named| named.name == zone))
    };
    let mut free = config.zones.keys().filter(|zone| !taken(zone));
    let (zone, None) = (free.next()?, free.next()) else { return None };
    let segments = topology.zones.iter().map(|z| std::slice::from_ref(&z.interface));
    let sides = segments.chain([topology.uplinks.as_slice()]);
    let mut outside = sides.filter(|side| side.iter().any(|name| !zoned(name)));
    let (side, None) = (outside.next()?, outside.next()) else { return None };
    let line = [format!("zone-member security {zone}")];
    let bare = side.iter().filter(|name| !zoned(name));
    Some(bare.filter_map(|name| sheet.on_interface(name, &line)).collect())
}

/// Everything the site asks for.
pub fn everything(sheet: &Sheet<'_>) -> Vec<Permit> {
    let intent = sheet.desk.intent;
    let flows: Vec<&Flow> = intent.flows.iter().collect();
    let internet: Vec<usize> = (0..intent.topology.zones.len()).collect();
    let (local, forward) = permissions(intent, &flows, &internet);
    [local, forward].concat()
}

/// The permissions between two zones.
fn between<'p>(sheet: &Sheet<'_>, all: &'p [Permit], wanted: &(String, String)) -> Vec<&'p Permit> {
    all.iter().filter(|permit| ends(sheet, permit).as_ref() == Some(wanted)).collect()
}

/// For each pair that shares a policy with one of these classes: a policy of its own, with what is asked for.
pub fn parted(sheet: &Sheet<'_>, classes: &[&str]) -> Vec<Vec<Edit>> {
    let all = everything(sheet);
    let config = &sheet.config;
    let holds = |policy: &Policy| {
        policy.classes.iter().any(|c| c.class.as_deref().is_some_and(|name| classes.contains(&name)))
    };
    let mut out = Vec::new();
    for (pair_name, pair) in &config.pairs {
        let Some(named) = &pair.policy else { continue };
        let shared = users(sheet, &named.name) > 1 && config.policies.get(&named.name).is_some_and(holds);
        let Some(head) = sheet.heads(Thing::Pair(pair_name)).first().copied().filter(|_| shared) else {
            continue;
        };
        let ends = (pair.source.clone(), pair.destination.clone());
        let mut names = sheet.names();
        let needed = between(sheet, &all, &ends);
        let (policy, text) = match needed.is_empty() {
            true => deny_policy(sheet, &mut names),
            false => new_policy(&mut names, &ends, &needed, &[]),
        };
        let mut edits =
            vec![Edit { span: named.span.clone(), text: format!("service-policy type inspect {policy}") }];
        if !text.is_empty() {
            edits.push(sheet.before(head, text));
        }
        out.push(edits);
    }
    out
}

/// Pairs for what no pair closes: to the router itself; or else inside zones. `only`: of this zone.
pub fn closed(sheet: &Sheet<'_>, only: Option<&str>) -> Vec<Vec<Edit>> {
    let all = everything(sheet);
    let topology = &sheet.desk.intent.topology;
    let (mut itself, mut within) = (String::new(), String::new());
    let mut names = sheet.names();
    let mut router = None;
    let mut members = members(sheet);
    members.retain(|zone, _| only.is_none_or(|only| only == zone));
    for zone in members.keys() {
        let ends = (zone.clone(), "self".to_string());
        if pair_of(sheet, &ends).is_some() {
            continue;
        }
        // Answers to the router come back only to sessions that are inspected on their way out.
        let out = ("self".to_string(), zone.clone());
        let sends = pair_of(sheet, &out).is_none();
        let (lease, leaser, policy) = router.get_or_insert_with(|| {
            let (text, first, lease, policy) = router_policy(sheet, &mut names);
            itself.push_str(&text);
            (first, lease, policy)
        });
        let outside = |name: &String| topology.uplinks.contains(name);
        let leased = members.get(zone).is_some_and(|list| list.iter().any(outside));
        let first: Vec<Part> = lease.iter().filter(|(name, _)| leased || name != leaser).cloned().collect();
        let (name, text) = new_policy(&mut names, &ends, &between(sheet, &all, &ends), &first);
        itself.push_str(&text);
        itself.push_str(&pair_text(&name, &ends, &name));
        if sends {
            itself.push_str(&pair_text(&names.fresh(&format!("self-{zone}")), &out, policy));
        }
    }
    let mut names = sheet.names();
    for (zone, list) in &members {
        let ends = (zone.clone(), zone.clone());
        if list.len() > 1 && pair_of(sheet, &ends).is_none() {
            let (name, text) = new_policy(&mut names, &ends, &between(sheet, &all, &ends), &[]);
            within.push_str(&text);
            within.push_str(&pair_text(&name, &ends, &name));
        }
    }
    let texts = [itself, within].into_iter().filter(|text| !text.is_empty());
    texts.filter_map(|text| Some(vec![sheet.beside(&["zone", "zone-pair"], text)?])).collect()
}

/// What the router itself may open, which is everything; the classes that let its lease and its neighbours in, and
/// which of them is about the lease.
fn router_policy(sheet: &Sheet<'_>, names: &mut Names) -> (String, Vec<Part>, String, String) {
    let class =
        |name: &str| format!("class-map type inspect match-any {name}\n match access-group name {name}\n!\n");
    let lease = names.fresh("LEASE");
    let entry = ["permit udp any eq bootps any eq bootpc".to_string()];
    let mut text = list_text(Family::V4, &lease, &entry) + &class(&lease);
    let mut first = vec![(lease.clone(), "pass")];
    if !sheet.desk.intent.topology.inside(Family::V6).is_empty() {
        // Neighbour discovery and multicast listeners (RFC 4861, RFC 3810).
        let kinds = [130, 131, 132, 133, 134, 135, 136, 143];
        let entries: Vec<String> = kinds.iter().map(|k| format!("permit icmp any any {k}")).collect();
        let name = names.fresh("NEIGHBOURS");
        text = text + &list_text(Family::V6, &name, &entries) + &class(&name);
        first.push((name, "pass"));
    }
    let router = names.fresh("ROUTER");
    let _ = write!(
        text,
        "class-map type inspect match-any {router}\n match protocol tcp\n match protocol udp\n match protocol icmp\n!\npolicy-map type inspect {router}\n class type inspect {lease}\n  pass\n class type inspect {router}\n  inspect\n class class-default\n  pass\n!\n"
    );
    (text, first, lease, router)
}

/// A pair with a policy that drops and logs, for what is dropped because there is none.
pub fn denied_pair(sheet: &Sheet<'_>, ends: &(String, String)) -> Option<Vec<Edit>> {
    if pair_of(sheet, ends).is_some() {
        return None;
    }
    let mut names = sheet.names();
    let (policy, text) = deny_policy(sheet, &mut names);
    let name = names.fresh(&joined(ends));
    sheet.beside(&["zone", "zone-pair"], text + &pair_text(&name, ends, &policy)).map(|edit| vec![edit])
}

/// Pairs with a policy that drops and logs, for what is dropped because a zone has none; `from`: the zone.
pub fn denied(sheet: &Sheet<'_>, from: &str) -> Option<Vec<Edit>> {
    let mut names = sheet.names();
    let (policy, mut text) = deny_policy(sheet, &mut names);
    let mut any = false;
    let zones = sheet.config.interfaces.values().filter_map(|i| i.zone.as_ref());
    let zones: BTreeSet<&str> = zones.map(|zone| zone.name.as_str()).collect();
    for to in zones.into_iter().filter(|to| *to != from) {
        let ends = (from.to_string(), to.to_string());
        if pair_of(sheet, &ends).is_none() {
            any = true;
            text.push_str(&pair_text(&names.fresh(&format!("{from}-{to}")), &ends, &policy));
        }
    }
    sheet.beside(&["zone", "zone-pair"], text).filter(|_| any).map(|edit| vec![edit])
}

/// A policy that drops and logs everything: one that is there, or the text of a new one.
pub fn deny_policy(sheet: &Sheet<'_>, names: &mut Names) -> (String, String) {
    let only = |policy: &Policy| match policy.classes.as_slice() {
        [one] => one.class.is_none() && one.log && matches!(one.deed, Some((Deed::Drop, _))),
        _ => false,
    };
    match sheet.config.policies.iter().find(|(_, policy)| only(policy)) {
        Some((name, _)) => (name.clone(), String::new()),
        None => {
            let name = names.fresh("DENY");
            let text = policy_text(&name, &[]);
            (name, text)
        }
    }
}
