//! Inspections and other deeds of service policies: which answers belong to a connection, and what may be dropped.

use super::config::{Asked, Config, Deed, Named};
use super::lists::{Lists, Use};
use super::local::on;
use super::words;
use tillgate_model::{Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, Match, Note, Rule, RuleSet};

/// Inspections that open no other connections.
const ALONE: [&str; 6] = ["dns", "esmtp", "http", "icmp", "ipsec-pass-thru", "ip-options"];

/// Where something is inspected: one interface or all, surely or perhaps.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    pub interface: Option<&'a str>,
    pub sure: bool,
    pub span: Span,
}

/// What the policies in force do.
#[derive(Default)]
pub struct Inspections<'a> {
    pub icmp: Vec<Scope<'a>>,
    pub icmp_errors: Vec<Scope<'a>>,
    /// Protocols whose data channels are let through.
    pub helpers: Vec<Scope<'a>>,
    /// TCP may pass without a connection.
    pub bypass: bool,
    /// What may be dropped.
    pub drops: Vec<Rule>,
}

/// Follows the policies that are applied.
pub fn inspections<'a>(
    config: &'a Config<'a>,
    lists: &mut Lists<'a>,
    rules: &mut RuleSet,
) -> Inspections<'a> {
    let mut out = Inspections::default();
    for (policy, interface) in &config.service_policies {
        let interface = interface.map(|name| config.spelled(name));
        let Some(classes) = config.policies.get(policy.name) else {
            let text = Text::new("unknown-object").arg("name", policy.name);
            lists.found.errors.push((policy.span.clone(), text));
            continue;
        };
        for class in classes {
            // `class-default` is everything that is left; the other one stands on every device.
            let given = ["class-default", "inspection_default"].contains(&class.class.name);
            let asked = config.classes.get(class.class.name).map(Vec::as_slice);
            if asked.is_none() && !given {
                let text = Text::new("unknown-object").arg("name", class.class.name);
                lists.found.errors.push((class.class.span.clone(), text));
            }
            let everything = |a: &[Asked<'_>]| a.iter().all(|a| matches!(a, Asked::Everything));
            let whole = asked.map_or(given, |a| !a.is_empty() && everything(a));
            for (deed, span) in &class.deeds {
                let scope = Scope { interface, sure: whole, span: span.clone() };
                match deed {
                    Deed::Inspect(name, map) => {
                        let error = name.eq_ignore_ascii_case("icmp")
                            && map.is_some_and(|m| m.eq_ignore_ascii_case("error"));
                        if error {
                            out.icmp_errors.push(scope.clone());
                        } else if name.eq_ignore_ascii_case("icmp") {
                            out.icmp.push(scope.clone());
                        } else if !ALONE.iter().any(|a| name.eq_ignore_ascii_case(a)) {
                            out.helpers.push(scope.clone());
                        }
                        if map.is_some_and(|m| config.dropping.contains(m)) {
                            let cubes = words::inspected(name).map(boxes).unwrap_or_default();
                            may_drop(&scope, "inspect", cubes, &mut out.drops, rules);
                        }
                    }
                    Deed::MayPass => {
                        out.bypass = true;
                        note(span, "tcp-state-bypass", rules);
                    }
                    Deed::MayDrop(what) => {
                        let known = asked.unwrap_or(&[]);
                        if let [Asked::List(named)] = known {
                            selected(named, &scope, what, lists, &mut out.drops, rules);
                            continue;
                        }
                        // What is not ports alone may be anything.
                        let cubes = known.iter().map(|a| match a {
                            Asked::Cube(cube) => Some(cube.clone()),
                            _ => None,
                        });
                        let cubes = cubes.collect::<Option<Vec<Cube>>>().unwrap_or_default();
                        may_drop(&scope, what, cubes, &mut out.drops, rules);
                    }
                }
            }
        }
    }
    out
}

fn note(span: &Span, what: &str, rules: &mut RuleSet) {
    let text = Text::new("not-modelled-statement").arg("what", what);
    rules.notes.push(Note { span: span.clone(), text, bears: true });
}

fn boxes(ports: &'static [words::Ports]) -> Vec<Cube> {
    let one = |(protocol, lo, hi): &words::Ports| {
        let ports = Ranges::span((*lo).into(), (*hi).into());
        super::service::ported(*protocol, None, Some(&ports))
    };
    ports.iter().filter_map(one).collect()
}

/// Matches for what comes in by an interface or leaves by it; one for everything without an interface.
pub fn touching(interface: Option<&str>) -> Vec<Match> {
    let Some(name) = interface else { return vec![Match::default()] };
    let on = on(name);
    vec![Match { input: on.clone(), ..Match::default() }, Match { output: on, ..Match::default() }]
}

fn may_drop(scope: &Scope<'_>, what: &str, cubes: Vec<Cube>, out: &mut Vec<Rule>, rules: &mut RuleSet) {
    note(&scope.span, what, rules);
    let cubes = if cubes.is_empty() { vec![Cube::all()] } else { cubes };
    for mut when in touching(scope.interface) {
        when.doubts.push(Text::new("not-modelled-statement").arg("what", what));
        for cube in &cubes {
            let mut when = when.clone();
            for (field, ranges) in cube.constraints() {
                when.narrow(*field, ranges);
            }
            out.push(Rule { span: scope.span.clone(), when, action: Action::Drop, log: false });
        }
    }
}

fn selected<'a>(
    named: &Named<'a>,
    scope: &Scope<'a>,
    what: &str,
    lists: &mut Lists<'a>,
    out: &mut Vec<Rule>,
    rules: &mut RuleSet,
) {
    note(&scope.span, what, rules);
    if let Some(chain) = lists.chain(named, Use::MayDrop, rules) {
        for when in touching(scope.interface) {
            out.push(Rule { span: scope.span.clone(), when, action: Action::Jump(chain), log: false });
        }
    }
}

/// TCP whose first packet opens nothing: not SYN alone.
pub fn without_syn() -> Match {
    let opens = |flags: u128| flags & 0x17 == 0x02;
    let mut when = Match::default();
    when.narrow(Field::Protocol, &Ranges::single(6));
    when.narrow(Field::TcpFlags, &(0..=255u128).filter(|f| !opens(*f)).map(|f| (f, f)).collect());
    when.narrow(Field::State, &Ranges::from_unsorted(vec![(0, 0), (3, 4)]));
    when
}
