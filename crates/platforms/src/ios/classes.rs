//! Classes of a policy map as rules: what they ask, and what becomes of the packets.

use super::compile::{Compiler, Purpose, Target, View, doubtful, rule};
use super::config::{Asked, Class, Criterion, Deed, PolicyClass};
use super::entry::{Service, Services};
use super::words;
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, ChainId, Fact, Match, Rule, What};

/// What a policy is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// Packets as they come.
    Packet,
    /// Whether the packet that opened the connection, the other way round, was inspected; if not, the chain decides.
    Session(ChainId),
    /// Packets that belong to no connection.
    Stray,
}

/// Classes in classes beyond this are not followed.
const DEEPEST: usize = 8;

/// Protocols whose sessions are inspected.
const INSPECTED: [(u128, u128); 4] = [(1, 1), (6, 6), (17, 17), (58, 58)];

/// What becomes of packets of a class.
pub fn target(deed: Deed, log: bool, ask: Ask) -> Target {
    match (ask, deed) {
        (Ask::Packet, Deed::Inspect | Deed::Pass) | (Ask::Session(_), Deed::Inspect) => Target::Accept,
        (Ask::Stray, Deed::Pass) => Target::Accept,
        (Ask::Session(next), _) => Target::Goto(next),
        (_, Deed::Drop) => Target::Drop { log },
        (Ask::Stray, Deed::Inspect) => Target::Drop { log: false },
    }
}

/// Every packet, in two parts where inspection is not sure: sessions of other protocols than TCP, UDP and ICMP.
pub fn inspectable(compiler: &mut Compiler<'_>, span: &Span, deed: Deed, ask: Ask) -> Vec<Match> {
    if deed != Deed::Inspect || ask == Ask::Stray {
        return vec![Match::default()];
    }
    let sure: Ranges = INSPECTED.into_iter().collect();
    let (mut inside, mut outside) = (Match::default(), Match::default());
    inside.narrow(Field::Protocol, &sure);
    outside.narrow(Field::Protocol, &sure.complement(255));
    outside.doubts.push(compiler.open(span, doubtful("inspect"), true));
    vec![inside, outside]
}

/// The rules of a class in a policy.
pub fn part(compiler: &mut Compiler<'_>, class: &PolicyClass, name: &str, ask: Ask, out: &mut Vec<Rule>) {
    let config = compiler.config;
    let mut doubts = Vec::new();
    for text in &class.doubts {
        doubts.push(compiler.open(&class.span, text.clone(), true));
    }
    let Some(found) = config.classes.get(name) else {
        let text = Text::new("not-modelled-match").arg("what", format!("class-map {name}"));
        let doubts = vec![compiler.open(&class.span, text, true)];
        out.push(rule(&class.span, Match { doubts, ..Match::default() }, Action::Unknown));
        return;
    };
    let target = match &class.deed {
        Some((deed, _)) if doubts.is_empty() => target(*deed, class.log, ask),
        // Limits and applications may drop what they would let through.
        Some((Deed::Drop, _)) => target(Deed::Drop, class.log, ask),
        Some(_) => Target::Unknown,
        None => {
            let text = Text::new("not-modelled-statement").arg("what", "class");
            compiler.open(&class.span, text, true);
            Target::Unknown
        }
    };
    let view = View { mirrored: matches!(ask, Ask::Session(_)), ..View::default() };
    let mut list = Vec::new();
    asked(compiler, found, view, target, 0, &mut list);
    let deed = class.deed.as_ref().map_or(Deed::Drop, |(deed, _)| *deed);
    if deed != Deed::Inspect || ask == Ask::Stray || !wide(compiler, found, &mut BTreeMap::new(), 0) {
        out.append(&mut list);
        return;
    }
    // The same conditions twice: for what is inspected, and for what may be.
    let chain = compiler.chain(name, list);
    for when in inspectable(compiler, &class.span, deed, ask) {
        out.push(rule(&class.span, when, Action::Jump(chain)));
    }
}

/// Whether a class may hold packets of protocols that are not inspected.
fn wide<'c>(
    compiler: &mut Compiler<'c>,
    class: &'c Class,
    known: &mut BTreeMap<&'c str, bool>,
    depth: usize,
) -> bool {
    let config = compiler.config;
    let mut line = |criterion: &'c Criterion| match &criterion.what {
        _ if criterion.negate => true,
        Asked::Protocol(_) => false,
        Asked::Class(name) => {
            if let Some(found) = known.get(name.as_str()) {
                return *found;
            }
            // Of a class that holds itself: no more than its other lines.
            known.insert(name, false);
            let found = depth < DEEPEST
                && config.classes.get(name).is_some_and(|c| wide(compiler, c, known, depth + 1));
            known.insert(name, found);
            found
        }
        Asked::List(name) => config.list(name).is_none_or(|(_, list)| {
            list.standard || list.entries().filter(|e| e.permit).any(|e| uninspected(compiler, &e.services))
        }),
        Asked::Open(_) => true,
    };
    match class.any {
        true => class.lines.iter().any(&mut line),
        false => class.lines.iter().all(&mut line),
    }
}

/// Whether services hold protocols that are not inspected.
fn uninspected(compiler: &mut Compiler<'_>, services: &Services) -> bool {
    let other = |service: &Service| {
        let protocol = service.protocol.map(u128::from);
        protocol.is_none_or(|p| INSPECTED.iter().all(|(known, _)| *known != p))
    };
    match services {
        Services::Plain(service) => other(service),
        Services::Group(name) => {
            let (list, open) = compiler.service(name);
            *open || list.is_empty() || list.iter().any(other)
        }
    }
}

/// What happens to the packets of a class map.
fn asked(
    compiler: &mut Compiler<'_>,
    class: &Class,
    view: View,
    target: Target,
    depth: usize,
    out: &mut Vec<Rule>,
) {
    let spent = depth > 0 && compiler.room < class.lines.len();
    if class.application || depth > DEEPEST || spent {
        let doubts = vec![compiler.open(&class.span, doubtful("class-map"), true)];
        out.push(rule(&class.span, Match { doubts, ..Match::default() }, target.action()));
        return;
    }
    if depth > 0 {
        compiler.room -= class.lines.len();
    }
    if class.any {
        for line in &class.lines {
            criterion(compiler, line, view, target, depth, out);
        }
        return;
    }
    // All of them: each leads to the next, lists last, so that what decides is an entry of a list.
    let mut lines: Vec<&Criterion> = class.lines.iter().collect();
    lines.sort_by_key(|line| match &line.what {
        Asked::Protocol(_) => 0,
        Asked::Class(_) => 1,
        Asked::Open(_) => 2,
        Asked::List(_) => 3,
    });
    let mut target = target;
    for (at, line) in lines.iter().enumerate().rev() {
        let mut list = Vec::new();
        criterion(compiler, line, view, target, depth, &mut list);
        if at == 0 {
            out.append(&mut list);
        } else {
            target = Target::Jump(compiler.chain("class", list));
        }
    }
}

/// A class that a class holds: what several ask is one chain.
fn nested(
    compiler: &mut Compiler<'_>,
    name: &str,
    class: &Class,
    view: View,
    target: Target,
    depth: usize,
) -> ChainId {
    let key = (name.to_string(), view, target);
    if let Some(known) = compiler.classes.get(&key) {
        return *known;
    }
    let mut list = Vec::new();
    asked(compiler, class, view, target, depth, &mut list);
    let chain = compiler.chain(name, list);
    compiler.classes.insert(key, chain);
    chain
}

fn criterion(
    compiler: &mut Compiler<'_>,
    line: &Criterion,
    view: View,
    target: Target,
    depth: usize,
    out: &mut Vec<Rule>,
) {
    let config = compiler.config;
    let span = &line.span;
    // Negated: what matches goes back, the rest is chosen.
    let chosen = if line.negate { Target::Return } else { target };
    let mut list = Vec::new();
    match &line.what {
        Asked::Protocol(name) => protocol(compiler, span, name, view, chosen, &mut list),
        Asked::Class(name) => match config.classes.get(name).filter(|_| !line.negate) {
            Some(inner) => {
                let chain = nested(compiler, name, inner, view, chosen, depth + 1);
                list.push(rule(span, Match::default(), Action::Jump(chain)));
            }
            None => {
                let doubts = vec![compiler.open(span, doubtful(&format!("class-map {name}")), true)];
                out.push(rule(span, Match { doubts, ..Match::default() }, target.action()));
                return;
            }
        },
        Asked::List(name) => {
            let purpose = if line.negate { Purpose::Except(target) } else { Purpose::Choose(target) };
            let family = config.list(name).map_or(Family::V4, |(family, _)| family);
            let chain = compiler.list(family, name, view, &purpose);
            match chain {
                Some(chain) => out.push(rule(span, Match::default(), Action::Jump(chain))),
                None => {
                    let doubts = vec![compiler.open(span, doubtful(&format!("access-group {name}")), true)];
                    out.push(rule(span, Match { doubts, ..Match::default() }, target.action()));
                }
            }
            return;
        }
        Asked::Open(what) => {
            let doubts = vec![compiler.open(span, doubtful(what), true)];
            list.push(rule(span, Match { doubts, ..Match::default() }, chosen.action()));
        }
    }
    if line.negate {
        list.push(rule(span, Match::default(), target.action()));
        let chain = compiler.chain("class", list);
        out.push(rule(span, Match::default(), Action::Jump(chain)));
    } else {
        out.append(&mut list);
    }
}

/// `match protocol …`: a transport, or the ports of an application.
fn protocol(
    compiler: &mut Compiler<'_>,
    span: &Span,
    name: &str,
    view: View,
    target: Target,
    out: &mut Vec<Rule>,
) {
    let log = target == Target::Drop { log: true };
    let mut add = |when: Match| {
        out.push(Rule { span: span.clone(), when, action: target.action(), log });
    };
    let lower = name.to_ascii_lowercase();
    let transport: &[u128] = match lower.as_str() {
        "tcp" => &[6],
        "udp" => &[17],
        // The same word for both families.
        "icmp" => &[1, 58],
        _ => &[],
    };
    if !transport.is_empty() {
        let mut when = Match::default();
        when.narrow(Field::Protocol, &transport.iter().map(|p| (*p, *p)).collect());
        add(when);
        return;
    }
    let field = if view.mirrored { Field::SourcePort } else { Field::DestinationPort };
    let more = compiler.config.applications.get(&lower).map_or(&[][..], Vec::as_slice);
    let known = words::application(&lower).unwrap_or(&[]);
    for (protocol, lo, hi) in known.iter().chain(more) {
        let mut when = Match::default();
        when.narrow(Field::Protocol, &Ranges::single(u128::from(*protocol)));
        when.narrow(field, &Ranges::span(u128::from(*lo), u128::from(*hi)));
        add(when);
    }
    if known.is_empty() && more.is_empty() {
        let doubts = vec![compiler.open(span, doubtful(&format!("protocol {name}")), true)];
        compiler.rules.facts.push(Fact { span: span.clone(), what: What::Application(name.to_string()) });
        out.push(rule(span, Match { doubts, ..Match::default() }, target.action()));
    }
}
