//! A configuration as rules at the hooks: interface lists, what stands beside them, the router itself.

use super::compile::{Compiler, doubtful, rule};
use super::config::{Config, Direction};
use super::{bindings, local, translate, zones};
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Family, Ranges, SourceFile, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{
    Action, Base, Fact, Hook, InterfaceMatch, Kind, Match, Part, Policy, Rule, RuleSet, Special, Term, What,
};

/// Builds the rule set.
pub fn build(files: &[Arc<SourceFile>], config: &Config<'_>) -> RuleSet {
    let Some(file) = files.first() else { return RuleSet { platform: "ios", ..RuleSet::default() } };
    let start = Span::new(file, 0, file.text.lines().next().map_or(0, str::len));
    let mut compiler = Compiler::new(config);
    limits(&mut compiler, &start);
    reverse_path(&mut compiler, &start);
    bindings::build(&mut compiler, &start, Direction::In);
    translate::build(&mut compiler, &start);
    zones::build(&mut compiler);
    local::build(&mut compiler, &start);
    bindings::build(&mut compiler, &start, Direction::Out);
    unrouted(&mut compiler);
    unused(&mut compiler);
    compiler.rules
}

/// An interface as a condition.
pub fn at(name: &str) -> InterfaceMatch {
    InterfaceMatch { patterns: vec![name.to_string()], negate: false }
}

/// Packets of an interface, in a family. Output lists never see what the router itself sends.
pub fn passing(name: &str, family: Option<Family>, direction: Direction) -> Match {
    let mut when = match direction {
        Direction::In => Match { input: vec![at(name)], ..Match::default() },
        Direction::Out => Match { input: vec![at("*")], output: vec![at(name)], ..Match::default() },
    };
    if let Some(family) = family {
        when.narrow(Field::Family, &Ranges::single(family as u128));
    }
    when
}

/// Adds a base chain that lets pass what it does not decide.
pub fn base(
    compiler: &mut Compiler<'_>,
    name: &str,
    hook: Hook,
    priority: i32,
    kind: Kind,
    list: Vec<Rule>,
    span: &Span,
) {
    if list.is_empty() {
        return;
    }
    let chain = compiler.chain(name, list);
    compiler.rules.bases.push(Base {
        chain,
        hook,
        priority,
        kind,
        policy: Policy::Accept,
        policy_span: span.clone(),
        family: None,
    });
}

/// What may drop packets on interfaces and is not modelled.
fn limits(compiler: &mut Compiler<'_>, start: &Span) {
    let config = compiler.config;
    let mut lists: BTreeMap<Direction, Vec<Rule>> = BTreeMap::new();
    let both = [Direction::In, Direction::Out];
    let mut add =
        |compiler: &mut Compiler<'_>, span: &Span, text: Text, when: &dyn Fn(Direction) -> Match, bears| {
            let text = compiler.open(span, text, bears);
            for direction in both {
                let mut when = when(direction);
                when.doubts.push(text.clone());
                lists.entry(direction).or_default().push(rule(span, when, Action::Drop));
            }
        };
    let statement = |what: &str| Text::new("not-modelled-statement").arg("what", what);
    // One of them leaves everything open; the others are told.
    for (at, (span, text)) in config.open.iter().enumerate() {
        match at {
            0 => add(compiler, span, text.clone(), &|_| Match::default(), true),
            _ => drop(compiler.open(span, text.clone(), true)),
        }
    }
    for (name, interface) in &config.interfaces {
        for bound in &interface.bounds {
            let never = |direction| bound.direction.is_some_and(|own| own != direction);
            let when =
                |direction| Match { never: never(direction), ..passing(name, bound.family, direction) };
            add(compiler, &bound.span, statement(&bound.what), &when, bound.bears);
        }
        for (own, policy) in interface.policies.iter().filter(|(_, p)| config.dropping.contains(&p.name)) {
            let when = |direction| Match { never: *own != direction, ..passing(name, None, direction) };
            add(compiler, &policy.span, statement("service-policy"), &when, true);
        }
        if let Some(span) = &interface.shutdown {
            // Down when the file was written; most devices have unused ports.
            // So is what stands on such a port.
            let patterns = vec![name.clone(), format!("{name}.*")];
            let both = InterfaceMatch { patterns, negate: false };
            let when = |direction| {
                let mut when = passing(name, None, direction);
                let end = if direction == Direction::In { &mut when.input } else { &mut when.output };
                *end = vec![both.clone()];
                when
            };
            add(compiler, span, statement("shutdown"), &when, false);
        }
        // Lists on ports of a switch filter what enters its VLAN there.
        for ((family, own), list) in interface.lists.iter().filter(|_| interface.switchport) {
            let vlan = interface.vlan.map_or("Vlan*".to_string(), |number| format!("Vlan{number}"));
            let when =
                |direction| Match { never: *own != direction, ..passing(&vlan, Some(*family), direction) };
            add(compiler, &list.span, statement("access-group"), &when, true);
        }
    }
    for (span, ranges) in &config.vlan_maps {
        let named = |name: &String| {
            let number = name.strip_prefix("Vlan").and_then(|n| n.parse::<u16>().ok());
            number.is_some_and(|n| ranges.iter().any(|(lo, hi)| (*lo..=*hi).contains(&n)))
        };
        for name in config.interfaces.keys().filter(|name| named(name)) {
            add(compiler, span, statement("vlan filter"), &|direction| passing(name, None, direction), true);
        }
    }
    for (direction, list) in lists {
        let list = list.into_iter().filter(|r| !r.when.never).collect();
        let hook = if direction == Direction::In { Hook::Prerouting } else { Hook::Postrouting };
        base(compiler, "interfaces", hook, -170, Kind::Filter, list, start);
    }
}

/// `ip verify unicast …`: sources that the routes do not lead back to.
fn reverse_path(compiler: &mut Compiler<'_>, start: &Span) {
    let config = compiler.config;
    let mut list = Vec::new();
    for (name, interface) in &config.interfaces {
        for (family, check) in &interface.reverse_path {
            let mut when = passing(name, Some(*family), Direction::In);
            if *family == Family::V4 {
                // Who asks for a lease has no address yet (Security Command Reference, ip verify unicast).
                let asking = Cube::all()
                    .at(Field::Source, 0)
                    .and_then(|cube| cube.at(Field::Destination, u32::MAX.into()));
                let parts = asking.map(|cube| Part { cube, ..Part::default() }).into_iter().collect();
                when.terms.push(Term::Any { parts, negate: true });
            }
            let fails = Term::Special(vec![Special::ReversePathFails], false);
            if check.loose || check.open {
                let text = Text::new("not-modelled-statement").arg("what", "verify unicast");
                when.doubts.push(compiler.open(&check.span, text, true));
                list.push(rule(&check.span, when, Action::Drop));
                continue;
            }
            let mut forged = when.clone();
            forged.terms.push(fails);
            list.push(rule(&check.span, forged, Action::Drop));
            if !check.default {
                // What only the default route leads to is dropped too, where that leads out by this interface.
                let mut own = Ranges::empty();
                for (_, net) in interface.addresses.iter().filter(|_| *family == Family::V4) {
                    own = own.union(net);
                }
                when.narrow(Field::Source, &own.complement(family.max_address()));
                when.doubts.push(doubtful("verify unicast"));
                list.push(rule(&check.span, when, Action::Drop));
            }
        }
    }
    base(compiler, "reverse path", Hook::Prerouting, -160, Kind::Filter, list, start);
}

/// Families that the router does not forward.
fn unrouted(compiler: &mut Compiler<'_>) {
    let config = compiler.config;
    for (family, span) in &config.unrouted {
        let mut when = Match::default();
        when.narrow(Field::Family, &Ranges::single(*family as u128));
        let list = vec![rule(span, when, Action::Drop)];
        base(compiler, "routing", Hook::Forward, -10, Kind::Filter, list, span);
    }
}

/// Lists, groups, classes and policies that no other line names.
fn unused(compiler: &mut Compiler<'_>) {
    let config = compiler.config;
    let lists = config.lists.iter().map(|((_, name), list)| (name, &list.span));
    let networks = config.networks.iter().map(|(name, group)| (name, &group.span));
    let services = config.services.iter().map(|(name, group)| (name, &group.span));
    let classes = config.classes.iter().map(|(name, class)| (name, &class.span));
    let policies = config.policies.iter().map(|(name, policy)| (name, &policy.span));
    let all = lists.chain(networks).chain(services).chain(classes).chain(policies);
    for (name, span) in all.filter(|(name, _)| !config.mentioned.contains(name.as_str())) {
        compiler.rules.facts.push(Fact { span: span.clone(), what: What::Unused(name.clone()) });
    }
}
