//! What passes through the device: connections, levels, lists inbound and outbound.

use super::build::{doubt, filter};
use super::config::{Applied, Config, Interface, ListKind, Named, Point};
use super::inspect::{Inspections, Scope, inspections, touching, without_syn};
use super::lists::{Lists, Use};
use super::local::on;
use super::section::from;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Family, Ranges, Span};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, ChainId, InterfaceMatch, Match, Note, Part, Rule, RuleSet, Term};

/// The rules of the inbound check and, where there are outbound lists, of what leaves.
pub fn through<'a>(
    config: &'a Config<'a>,
    lists: &mut Lists<'a>,
    back: Option<ChainId>,
    head: &Span,
    rules: &mut RuleSet,
) -> (Vec<Rule>, Vec<Rule>) {
    let policies = inspections(config, lists, rules);
    let connections = connections(&policies, head, config);
    let mut list = connections.clone();
    absent(config, head, &mut list);
    bounds(config, lists, head, rules, &mut list);
    list.extend(policies.drops.iter().cloned());
    hairpins(config, &mut list);
    list.extend(back.map(|chain| rule(head, Match::default(), Action::Jump(chain))));

    let applied = effective(config);
    let mut closed: BTreeMap<Option<Family>, BTreeSet<&str>> = BTreeMap::new();
    let mut ends = Vec::new();
    for (interface, applied) in applied.iter().filter(|(_, a)| a.point == Point::In) {
        let Some(chain) = filter(lists, applied.list, &applied.span, rules) else { continue };
        let family = family_of(config, applied);
        let when = Match { input: on(interface), ..of(family) };
        list.push(rule(&applied.span, when.clone(), Action::Jump(chain)));
        ends.push(rule(&applied.span, when, Action::Drop));
        closed.entry(family).or_default().insert(interface);
    }
    let mut global = Vec::new();
    for applied in config.applied.iter().filter(|a| a.point == Point::Global) {
        if let Some(chain) = filter(lists, applied.list, &applied.span, rules) {
            let when = of(family_of(config, applied));
            // A later line replaces an earlier one.
            global = vec![
                rule(&applied.span, when.clone(), Action::Jump(chain)),
                rule(&applied.span, when, Action::Drop),
            ];
        }
    }
    // Before 9.0 a global list is of one family, and the other goes by its levels.
    let partly = global.iter().any(|r| !r.when.cube.constraints().is_empty());
    list.extend(global.iter().cloned());
    if global.is_empty() || partly {
        list.extend(ends);
        levels(config, &closed, head, &mut list, rules);
    }

    let mut out = Vec::new();
    for (interface, applied) in applied.iter().filter(|(_, a)| a.point == Point::Out) {
        let Some(chain) = filter(lists, applied.list, &applied.span, rules) else { continue };
        let when = Match { output: on(interface), ..of(family_of(config, applied)) };
        out.push(rule(&applied.span, when.clone(), Action::Jump(chain)));
        out.push(rule(&applied.span, when, Action::Drop));
    }
    if !out.is_empty() {
        let passing = connections.into_iter().filter(|r| r.action == Action::Accept);
        out = passing.chain(out).collect();
    }
    (list, out)
}

fn rule(span: &Span, when: Match, action: Action) -> Rule {
    Rule { span: span.clone(), when, action, log: false }
}

fn of(family: Option<Family>) -> Match {
    let mut when = Match::default();
    if let Some(family) = family {
        when.narrow(Field::Family, &Ranges::single(family as u128));
    }
    when
}

fn any_of(patterns: Vec<String>, negate: bool) -> Vec<InterfaceMatch> {
    vec![InterfaceMatch { patterns, negate }]
}

/// The one family a list sees, before 9.0.
fn family_of(config: &Config<'_>, applied: &Applied<'_>) -> Option<Family> {
    let six = config.lists.get(applied.list).is_some_and(|l| l.kind == ListKind::Six);
    match (six, config.old()) {
        (true, _) => Some(Family::V6),
        (false, true) => Some(Family::V4),
        _ => None,
    }
}

/// The lists in force: one for each interface, direction and family, the last one said.
pub(super) fn effective<'a>(config: &'a Config<'a>) -> Vec<(&'a str, &'a Applied<'a>)> {
    let mut last: BTreeMap<(&str, Point, Option<Family>), &Applied<'_>> = BTreeMap::new();
    for applied in &config.applied {
        let Some(interface) = &applied.interface else { continue };
        let other = config.lists.get(applied.list).is_some_and(|l| !l.kind.filters());
        if !other {
            let key = (config.spelled(interface.name), applied.point, family_of(config, applied));
            last.insert(key, applied);
        }
    }
    last.into_iter().map(|((name, ..), applied)| (name, applied)).collect()
}

/// What belongs to a connection passes; TCP that belongs to none and opens none does not.
fn connections(policies: &Inspections<'_>, head: &Span, config: &Config<'_>) -> Vec<Rule> {
    let mut out = Vec::new();
    let ported = Ranges::from_unsorted(vec![(6, 6), (17, 17), (132, 132)]);
    let icmp = Ranges::from_unsorted(vec![(1, 1), (58, 58)]);
    let mut accept = |scope: Option<&Scope<'_>>, state: u128, protocols: &Ranges, sure: bool| {
        for mut when in touching(scope.and_then(|s| s.interface)) {
            when.narrow(Field::State, &Ranges::single(state));
            when.narrow(Field::Protocol, protocols);
            if !sure || scope.is_some_and(|s| !s.sure) {
                when.doubts.push(doubt("inspect"));
            }
            out.push(rule(scope.map_or(head, |s| &s.span), when, Action::Accept));
        }
    };
    accept(None, 1, &ported, true);
    for scope in first_sure(&policies.helpers) {
        accept(Some(scope), 2, &ported, true);
    }
    for scope in &policies.icmp {
        accept(Some(scope), 1, &icmp, true);
    }
    for scope in &policies.icmp_errors {
        accept(Some(scope), 2, &icmp, true);
    }
    // Whether errors about a connection pass without `inspect icmp error` the manual does not say.
    for scope in policies.icmp.iter().filter(|_| policies.icmp_errors.is_empty()) {
        accept(Some(scope), 2, &icmp, false);
    }
    let mut when = without_syn();
    let log = config.logging.writes(106_015, 6);
    if policies.bypass {
        when.doubts.push(doubt("tcp-state-bypass"));
    }
    out.push(Rule { span: head.clone(), when, action: Action::Drop, log });
    // Nothing but ICMP and TCP can fit no connection: the first packet of the others makes one.
    let mut stray = Match::default();
    stray.narrow(Field::State, &Ranges::single(3));
    if policies.icmp.is_empty() {
        stray.narrow(Field::Protocol, &icmp.complement(255));
    }
    out.push(Rule { span: head.clone(), when: stray, action: Action::Drop, log });
    out
}

/// One inspection that is sure everywhere stands for all.
fn first_sure<'s, 'a>(scopes: &'s [Scope<'a>]) -> Vec<&'s Scope<'a>> {
    match scopes.iter().find(|s| s.sure && s.interface.is_none()) {
        Some(scope) => vec![scope],
        None => scopes.iter().collect(),
    }
}

/// Interfaces that carry nothing through: without a name, down, for management alone.
fn absent(config: &Config<'_>, head: &Span, list: &mut Vec<Rule>) {
    if !config.complete() {
        return;
    }
    let carrying = config.interfaces.iter().filter(|i| !i.management);
    let names: Vec<String> = carrying.filter_map(Interface::active).map(str::to_string).collect();
    let input = Match { input: any_of(names.clone(), true), ..Match::default() };
    let output = Match { output: any_of(names, true), ..Match::default() };
    list.push(rule(head, input, Action::Drop));
    list.push(rule(head, output, Action::Drop));
    for interface in &config.interfaces {
        let barred =
            interface.not_to.and_then(|hardware| config.hardware(hardware).and_then(Interface::active));
        if let (Some(name), Some(barred)) = (interface.active(), barred) {
            let when = Match { input: on(name), output: on(barred), ..Match::default() };
            list.push(rule(&interface.span, when, Action::Drop));
        }
    }
}

/// What is not modelled and may decide.
fn bounds<'a>(
    config: &'a Config<'a>,
    lists: &mut Lists<'a>,
    head: &Span,
    rules: &mut RuleSet,
    list: &mut Vec<Rule>,
) {
    for bound in &config.bounds {
        let mut when = Match { doubts: vec![bound.what.clone()], ..Match::default() };
        when.input = bound.input.map(on).unwrap_or_default();
        if let Some(source) = &bound.source {
            match from(Cube::all(), source) {
                Some(cube) => when.cube = cube,
                None => continue,
            }
        }
        list.push(rule(&bound.span, when, Action::Unknown));
    }
    let mut tell = |span: &Span, what: &str| {
        rules.notes.push(Note { span: span.clone(), text: doubt(what), bears: true });
    };
    let mut jumps: Vec<(&Named<'a>, &'a str, Use)> = Vec::new();
    for (named, interface) in &config.logins {
        tell(&named.span, "aaa match");
        jumps.push((named, interface, Use::MayDrop));
    }
    for (map, named) in &config.crypto {
        for interface in config.crypto_interfaces.get(map).into_iter().flatten() {
            tell(&named.span, "crypto map");
            jumps.push((named, interface, Use::Tunnel));
        }
    }
    // Whoever proves to be a peer says what its tunnel holds, unless every entry of the map has a list.
    for (map, dynamic) in &config.crypto_dynamic {
        let interfaces = config.crypto_interfaces.get(map).map_or(&[][..], Vec::as_slice);
        if interfaces.is_empty() {
            continue;
        }
        tell(&dynamic.span, "crypto map");
        let entries = config.dynamic_entries.get(dynamic.name);
        let listed: Option<Vec<&Named<'a>>> =
            entries.and_then(|all| all.values().map(Option::as_ref).collect());
        for interface in interfaces {
            match &listed {
                Some(all) => jumps.extend(all.iter().map(|named| (*named, *interface, Use::Tunnel))),
                None => {
                    let (input, doubts) = (on(config.spelled(interface)), vec![doubt("crypto map")]);
                    let when = Match { input, doubts, ..Match::default() };
                    list.push(rule(&dynamic.span, when, Action::Unknown));
                }
            }
        }
    }
    for applied in config.applied.iter().filter(|a| a.overridden && !config.logins.is_empty()) {
        tell(&applied.span, "per-user-override");
        let input = applied.interface.as_ref().map(|n| on(config.spelled(n.name))).unwrap_or_default();
        let when = Match { input, doubts: vec![doubt("per-user-override")], ..Match::default() };
        list.push(rule(&applied.span, when, Action::Unknown));
    }
    // Members of a traffic zone count as one interface.
    let mut together: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for interface in &config.interfaces {
        if let (Some(name), Some(zone)) = (interface.active(), interface.zone) {
            together.entry(("zone-member", zone)).or_default().push(name.to_string());
        }
    }
    for ((what, _), names) in together.into_iter().filter(|(_, names)| names.len() > 1) {
        tell(head, what);
        let (input, output) = (any_of(names.clone(), false), any_of(names, false));
        let when = Match { input, output, doubts: vec![doubt(what)], ..Match::default() };
        list.push(rule(head, when, Action::Unknown));
    }
    bridges(config, head, list, &mut tell);
    for (named, interface, how) in jumps {
        if let Some(chain) = lists.chain(named, how, rules) {
            let when = Match { input: on(config.spelled(interface)), ..Match::default() };
            list.push(rule(&named.span, when, Action::Jump(chain)));
        }
    }
}

/// Between bridge groups nothing passes in transparent mode; in routed mode a list at the bridge's own interface
/// counts beside those of its members.
fn bridges(config: &Config<'_>, head: &Span, list: &mut Vec<Rule>, tell: &mut dyn FnMut(&Span, &str)) {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for interface in &config.interfaces {
        if let (Some(name), Some(group)) = (interface.active(), interface.bridge_group) {
            groups.entry(group).or_default().push(name.to_string());
        }
    }
    let alone = groups.len() == 1;
    for (group, names) in groups {
        if config.transparent {
            if alone {
                continue;
            }
            let (input, output) = (any_of(names.clone(), false), any_of(names, true));
            list.push(rule(head, Match { input, output, ..Match::default() }, Action::Drop));
            continue;
        }
        let bvi = config.hardware(&format!("BVI{group}")).and_then(Interface::active);
        let Some(bvi) = bvi else { continue };
        let its = |a: &&Applied<'_>| {
            let named = a.interface.as_ref().is_some_and(|n| config.spelled(n.name) == bvi);
            named && matches!(a.point, Point::In | Point::Out)
        };
        for applied in config.applied.iter().filter(its) {
            tell(&applied.span, "access-group");
            let mut when = Match { doubts: vec![doubt("access-group")], ..Match::default() };
            let side = any_of(names.clone(), false);
            match applied.point {
                Point::In => when.input = side,
                _ => when.output = side,
            }
            list.push(rule(&applied.span, when, Action::Unknown));
        }
    }
}

/// Between interfaces of one level, and out again by the same interface.
fn hairpins(config: &Config<'_>, list: &mut Vec<Rule>) {
    let mut levels: BTreeMap<u8, Vec<&Interface<'_>>> = BTreeMap::new();
    for interface in config.interfaces.iter().filter(|i| i.active().is_some() && !i.management) {
        levels.entry(interface.level()).or_default().push(interface);
    }
    for group in levels.values() {
        let Some(span) = group.first().map(|i| i.level_span()) else { continue };
        let names: Vec<String> = group.iter().filter_map(|i| i.active()).map(str::to_string).collect();
        let mut when = Match {
            input: any_of(names.clone(), false),
            output: any_of(names.clone(), false),
            ..Match::default()
        };
        let same =
            |name: &String| Part { input: Some(name.clone()), output: Some(name.clone()), cube: Cube::all() };
        match (config.inter, config.intra) {
            (true, true) => {}
            (false, false) => list.push(rule(&span, when, Action::Drop)),
            (false, true) if names.len() > 1 => {
                when.terms.push(Term::Any { parts: names.iter().map(same).collect(), negate: true });
                list.push(rule(&span, when, Action::Drop));
            }
            (false, true) => {}
            (true, false) => {
                for name in &names {
                    let when = Match { input: on(name), output: on(name), ..Match::default() };
                    list.push(rule(&span, when, Action::Drop));
                }
            }
        }
    }
    if config.complete() || config.intra {
        return;
    }
    for (name, span) in config.named() {
        let when = Match { input: on(name), output: on(name), ..Match::default() };
        list.push(rule(span, when, Action::Drop));
    }
}

/// Interfaces whose levels are told one by one; more of them are told level by level.
const FEW: usize = 64;

/// From higher to lower levels, for interfaces without a list; in a part of a configuration nobody knows the levels.
fn levels(
    config: &Config<'_>,
    closed: &BTreeMap<Option<Family>, BTreeSet<&str>>,
    head: &Span,
    list: &mut Vec<Rule>,
    rules: &mut RuleSet,
) {
    if !config.complete() {
        rules.notes.push(Note { span: head.clone(), text: doubt("security-level"), bears: true });
        let doubts = vec![doubt("security-level")];
        list.push(rule(head, Match { doubts, ..Match::default() }, Action::Unknown));
        return;
    }
    let log = config.logging.writes(106_001, 2);
    let listed = |name: &str| {
        let by = |family: Option<Family>| closed.get(&family).is_some_and(|names| names.contains(name));
        by(None) || by(Some(Family::V4)) && by(Some(Family::V6))
    };
    let carrying = config.interfaces.iter().filter(|i| i.active().is_some() && !i.management);
    let active: Vec<&Interface<'_>> = carrying.collect();
    let open: Vec<&Interface<'_>> =
        active.iter().filter(|i| i.active().is_some_and(|n| !listed(n))).copied().collect();
    let mut groups: BTreeMap<(u8, usize), Vec<&Interface<'_>>> = BTreeMap::new();
    for (at, interface) in open.iter().enumerate() {
        let alone = if open.len() > FEW { 0 } else { at };
        groups.entry((interface.level(), alone)).or_default().push(interface);
    }
    for ((level, _), group) in groups {
        let Some(span) = group.first().map(|i| i.level_span()) else { continue };
        let input: Vec<String> = group.iter().filter_map(|i| i.active()).map(str::to_string).collect();
        // Of several together, what the rules before have let through.
        let own = |i: &Interface<'_>| match input.as_slice() {
            [only] if i.active() == Some(only.as_str()) => config.intra,
            [_] => config.inter,
            _ => config.inter || config.intra,
        };
        let reached = active.iter().filter(|i| i.level() < level || i.level() == level && own(i));
        let output: Vec<String> = reached.filter_map(|i| i.active()).map(str::to_string).collect();
        let when = Match { input: any_of(input, false), ..Match::default() };
        if !output.is_empty() {
            let permitted = Match { output: any_of(output, false), ..when.clone() };
            list.push(rule(&span, permitted, Action::Accept));
        }
        list.push(Rule { span, when, action: Action::Drop, log });
    }
}
