//! Classes, policies and zone pairs written into somebody's configuration.

use super::config::{Asked, Deed, Item, Pair, Policy};
use super::removal::chosen;
use super::render::{inspected, is_lease};
use super::sheet::{Names, Sheet, Thing};
use super::text::{entries, remark};
use crate::edit::permissions;
use crate::permits::{Permit, Service};
use std::collections::BTreeMap;
use std::fmt::Write;
use tillgate_intent::{Flow, Side};
use tillgate_model::{Family, Protocol};
use tillgate_ruleset::Edit;

/// A class and what is done with it.
type Part = (String, &'static str);

/// The zones between which a permission passes.
fn ends(sheet: &Sheet<'_>, permit: &Permit) -> Option<(String, String)> {
    let zone = |side: Side| {
        let name = Permit::interfaces(side, sheet.desk.intent).into_iter().next()?;
        sheet.config.interfaces.get(&name)?.zone.as_ref().map(|zone| zone.name.clone())
    };
    Some((zone(permit.from)?, permit.to.map_or(Some("self".to_string()), zone)?))
}

/// Ways to let permissions pass between their zones: by the lists that are there, if so, and by classes of their own,
/// before the rows at `spots`, or at the end.
pub fn zones(sheet: &Sheet<'_>, permits: &[&Permit], spots: &[usize], extend: bool) -> Vec<Vec<Edit>> {
    let mut groups: BTreeMap<(String, String), Vec<&Permit>> = BTreeMap::new();
    for permit in permits {
        let protocol = match &permit.service {
            Service::Protocol(protocol) | Service::Ports { protocol, .. } => *protocol,
            _ => Protocol::TCP,
        };
        let Some(ends) = ends(sheet, permit).filter(|_| inspected(protocol)) else { return Vec::new() };
        groups.entry(ends).or_default().push(permit);
    }
    let mut out = Vec::new();
    let extended: Vec<Option<Vec<Edit>>> = match extend {
        true => {
            let mut names = sheet.names();
            groups.iter().map(|(ends, list)| extension(sheet, &mut names, ends, list)).collect()
        }
        false => Vec::new(),
    };
    let any = extended.iter().any(Option::is_some);
    for extended in [Some(extended).filter(|_| any), None].into_iter().filter(|way| any || way.is_none()) {
        let mut names = sheet.names();
        let mut edits = Some(Vec::new());
        for (at, (ends, list)) in groups.iter().enumerate() {
            let done = extended.as_ref().and_then(|list| list.get(at).cloned().flatten());
            let done = done.or_else(|| addition(sheet, &mut names, ends, list, spots));
            edits = edits.zip(done).map(|(all, more): (Vec<Edit>, Vec<Edit>)| [all, more].concat());
        }
        out.extend(edits);
    }
    out
}

fn pair_of<'s>(sheet: &'s Sheet<'_>, (from, to): &(String, String)) -> Option<(&'s String, &'s Pair)> {
    sheet.config.pairs.iter().find(|(_, pair)| pair.source == *from && pair.destination == *to)
}

/// How many pairs have a policy.
fn users(sheet: &Sheet<'_>, policy: &str) -> usize {
    sheet.config.pairs.values().filter(|p| p.policy.as_ref().is_some_and(|n| n.name == policy)).count()
}

/// Entries of permissions in a family, with remarks.
fn lines(permits: &[&Permit], family: Family) -> Vec<String> {
    let mut out = Vec::new();
    let mut last = "";
    for permit in permits.iter().filter(|p| p.family == family) {
        if permit.comment != last {
            out.push(format!("remark {}", remark(&permit.comment)));
            last = &permit.comment;
        }
        out.extend(entries(permit).iter().map(|words| format!("permit {}", words.forth())));
    }
    out
}

fn list_text(family: Family, name: &str, lines: &[String]) -> String {
    let head = match family {
        Family::V4 => format!("ip access-list extended {name}\n"),
        Family::V6 => format!("ipv6 access-list {name}\n"),
    };
    let items: String = lines.iter().map(|line| format!(" {line}\n")).collect();
    format!("{head}{items}!\n")
}

/// More entries in the lists of a class that the policy of a pair, and nothing else, inspects.
fn extension(
    sheet: &Sheet<'_>,
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
) -> Option<Vec<Edit>> {
    let config = &sheet.config;
    let policy = pair_of(sheet, ends)?.1.policy.as_ref()?;
    if users(sheet, &policy.name) > 1 || permits.iter().any(|p| p.to.is_none() && is_lease(&p.service)) {
        return None;
    }
    let everywhere = || config.policies.values().flat_map(|p| &p.classes);
    let nested = |name: &str| {
        let lines = config.classes.values().flat_map(|c| &c.lines);
        lines.into_iter().any(|line| matches!(&line.what, Asked::Class(own) if own == name))
    };
    let parts = config.policies.get(&policy.name)?.classes.iter();
    let inspects = parts.filter(|c| c.doubts.is_empty() && matches!(c.deed, Some((Deed::Inspect, _))));
    for name in inspects.filter_map(|c| c.class.as_deref()) {
        let Some(class) = config.classes.get(name).filter(|c| c.any && !c.application) else { continue };
        if everywhere().filter(|c| c.class.as_deref() == Some(name)).count() > 1 || nested(name) {
            continue;
        }
        let own = |family: Family| {
            class.lines.iter().filter(|line| !line.negate).find_map(|line| match &line.what {
                Asked::List(list) => {
                    let found = config.lists.get(&(family, list.clone())).filter(|l| !l.standard)?;
                    let alone = sheet.asking(list).len() == 1
                        && sheet.bindings(family, list).is_empty()
                        && !sheet.on_terminals(family, list)
                        && !chosen(sheet, list);
                    alone.then_some((list.as_str(), found))
                }
                _ => None,
            })
        };
        if own(Family::V4).is_none() && own(Family::V6).is_none() {
            continue;
        }
        let mut out = Vec::new();
        for family in Family::BOTH {
            let lines = lines(permits, family);
            if lines.is_empty() {
                continue;
            }
            if let Some((list, found)) = own(family) {
                // In front of what is not of the class, if anything is said not to be.
                let first = found.items.first().and_then(|(_, item)| match item {
                    Item::Entry(entry) => sheet.row(&entry.span),
                    Item::Evaluate(named) => sheet.row(&named.span),
                });
                let denies = found.entries().any(|e| !e.permit);
                out.extend(sheet.put((family, list), first.filter(|_| denies), false, &lines)?);
                continue;
            }
            let list = names.fresh(&wish(ends, permits));
            let head = *sheet.heads(Thing::Class(name)).first()?;
            out.push(sheet.before(head, list_text(family, &list, &lines)));
            let text = format!(" match access-group name {list}\n");
            out.push(sheet.behind(sheet.last(head), text));
        }
        return Some(out);
    }
    None
}

/// What a class of permissions is called.
fn wish(ends: &(String, String), permits: &[&Permit]) -> String {
    match permits {
        [first, rest @ ..] if rest.iter().all(|p| p.requirement == first.requirement) => {
            match first.requirement == "internet" {
                true => format!("{}-internet", first.who),
                false => first.requirement.clone(),
            }
        }
        _ => joined(ends),
    }
}

fn joined((from, to): &(String, String)) -> String {
    format!("{from}-{to}")
}

/// Lists and classes of permissions; who asks for a lease has no address yet, and is let pass without a session.
fn classes(
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
    own: Option<&str>,
) -> (String, Vec<Part>) {
    let mut text = String::new();
    let mut parts = Vec::new();
    let (leases, sessions): (Vec<&Permit>, Vec<&Permit>) =
        permits.iter().partition(|p| p.to.is_none() && is_lease(&p.service));
    for (list, deed) in [(leases, "pass"), (sessions, "inspect")] {
        if list.is_empty() {
            continue;
        }
        // Classes and lists have names of their own: that of the policy is free for them.
        let wish = wish(ends, &list);
        let name = match own.filter(|_| deed == "inspect" && wish == joined(ends)) {
            Some(own) => own.to_string(),
            None => names.fresh(&wish),
        };
        let mut asked = String::new();
        for family in Family::BOTH {
            let lines = lines(&list, family);
            if lines.is_empty() {
                continue;
            }
            // The two families share their names.
            let own = if asked.is_empty() { name.clone() } else { names.fresh(&format!("{name}-6")) };
            text.push_str(&list_text(family, &own, &lines));
            let _ = writeln!(asked, " match access-group name {own}");
        }
        let _ = write!(text, "class-map type inspect match-any {name}\n{asked}!\n");
        parts.push((name, deed));
    }
    (text, parts)
}

fn parts_text(parts: &[Part]) -> String {
    parts.iter().map(|(class, deed)| format!(" class type inspect {class}\n  {deed}\n")).collect()
}

fn policy_text(name: &str, parts: &[Part]) -> String {
    format!("policy-map type inspect {name}\n{} class class-default\n  drop log\n!\n", parts_text(parts))
}

/// A policy for a new pair, with everything it needs.
fn new_policy(
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
    first: &[Part],
) -> (String, String) {
    let name = names.fresh(&joined(ends));
    let (text, parts) = classes(names, ends, permits, Some(&name));
    let parts = [first, parts.as_slice()].concat();
    (name.clone(), text + &policy_text(&name, &parts))
}

fn pair_text(name: &str, (from, to): &(String, String), policy: &str) -> String {
    format!(
        "zone-pair security {name} source {from} destination {to}\n service-policy type inspect {policy}\n!\n"
    )
}

/// Classes of their own for permissions between two zones.
fn addition(
    sheet: &Sheet<'_>,
    names: &mut Names,
    ends: &(String, String),
    permits: &[&Permit],
    spots: &[usize],
) -> Option<Vec<Edit>> {
    let Some((pair_name, pair)) = pair_of(sheet, ends) else {
        let (name, text) = new_policy(names, ends, permits, &[]);
        let text = text + &pair_text(&name, ends, &name);
        return sheet.beside(&["zone", "zone-pair"], text).map(|edit| vec![edit]);
    };
    let head = *sheet.heads(Thing::Pair(pair_name)).first()?;
    let Some(named) = &pair.policy else {
        let (name, text) = new_policy(names, ends, permits, &[]);
        let service = format!(" service-policy type inspect {name}\n");
        return Some(vec![sheet.before(head, text), sheet.behind(sheet.last(head), service)]);
    };
    let policy = sheet.config.policies.get(&named.name)?;
    let own = *sheet.heads(Thing::Policy(&named.name)).first()?;
    let (text, parts) = classes(names, ends, permits, None);
    let spot = spot(sheet, policy, own, spots);
    if users(sheet, &named.name) == 1 {
        let part = indented(sheet, policy, &parts);
        let put = match spot {
            Some(row) => sheet.before(row, part),
            None => sheet.behind(sheet.last(own), part),
        };
        return Some(vec![sheet.before(own, text), put]);
    }
    // Other pairs have the policy too: this one gets a copy.
    let name = names.fresh(&joined(ends));
    let mut copy = format!("policy-map type inspect {name}\n");
    for row in own + 1..=sheet.last(own) {
        if spot == Some(row) {
            copy.push_str(&parts_text(&parts));
        }
        if !sheet.rows[row].line.is(0, "description") {
            let _ = writeln!(copy, "{}", sheet.text(row).trim_end());
        }
    }
    if spot.is_none() {
        copy.push_str(&parts_text(&parts));
    }
    copy.push_str("!\n");
    let service = Edit { span: named.span.clone(), text: format!("service-policy type inspect {name}") };
    Some(vec![sheet.before(head, text + &copy), service])
}

/// The row in a policy before which classes are put.
fn spot(sheet: &Sheet<'_>, policy: &Policy, head: usize, spots: &[usize]) -> Option<usize> {
    let within = |row: &usize| (head..=sheet.last(head)).contains(row);
    let default = policy.classes.iter().find(|c| c.class.is_none());
    let default = default.and_then(|c| sheet.row(&c.span));
    spots.iter().copied().find(within).or(default.filter(within))
}

/// Classes of a policy, indented as the ones it has.
fn indented(sheet: &Sheet<'_>, policy: &Policy, parts: &[Part]) -> String {
    let of = |row: Option<usize>, usual: &str| row.map_or(usual.to_string(), |row| sheet.indent(row));
    let outer = of(policy.classes.first().and_then(|c| sheet.row(&c.span)), " ");
    let deed = policy.classes.iter().find_map(|c| c.deed.as_ref());
    let inner = of(deed.and_then(|(_, span)| sheet.row(span)), "  ");
    let one = |(class, deed): &Part| format!("{outer}class type inspect {class}\n{inner}{deed}\n");
    parts.iter().map(one).collect()
}

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

/// Everything the site asks for.
fn everything(sheet: &Sheet<'_>) -> Vec<Permit> {
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
    let zones: std::collections::BTreeSet<&str> = zones.map(|zone| zone.name.as_str()).collect();
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
