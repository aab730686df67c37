//! Lists on interfaces: what opens them for answers, and what they see of translated packets.

use super::build::{at, base, passing};
use super::compile::{Compiler, Purpose, Seen, Target, View, doubtful, rule, tells};
use super::config::{Chosen, Direction, Named, Nat, NatKind, NatSide};
use super::{translate, words};
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, ChainId, Hook, InterfaceMatch, Kind, Match, Rule};

/// Entries of lists that are looked at once more for translated packets.
const MOST_TRANSLATED: usize = 10_000;

/// The lists on interfaces, with what opens them for answers and what they see of translated packets.
pub fn build(compiler: &mut Compiler<'_>, start: &Span, direction: Direction) {
    let config = compiler.config;
    let mut list = Vec::new();
    let elsewhere = inspected_elsewhere(compiler, direction);
    let mut room = MOST_TRANSLATED;
    for (name, interface) in &config.interfaces {
        for ((family, _), binding) in interface.lists.iter().filter(|((_, d), _)| *d == direction) {
            let when = passing(name, Some(*family), direction);
            let Some(chain) = compiler.list(*family, &binding.name, View::default(), &Purpose::Filter) else {
                // Not defined, or without entries: everything passes.
                let what = format!("access-group {}", binding.name);
                compiler.open(&binding.span, Text::new("not-modelled-statement").arg("what", what), false);
                continue;
            };
            if *family == Family::V4 {
                inspected(compiler, name, &when, direction, &mut list);
                list.extend(elsewhere.map(|chain| rule(&binding.span, later(&when), Action::Jump(chain))));
                if interface.nat == Some(NatSide::Outside) {
                    translated(compiler, binding, &when, direction, &mut room, &mut list);
                }
            }
            list.push(rule(&binding.span, when.clone(), Action::Jump(chain)));
            if *family == Family::V6 {
                // Neighbour discovery is permitted before the deny that no line says.
                let mut neighbours = when.clone();
                neighbours.narrow(Field::Protocol, &Ranges::single(58));
                neighbours.narrow(Field::SourcePort, &Ranges::span(135, 136));
                list.push(rule(&binding.span, neighbours, Action::Accept));
            }
            list.push(rule(&binding.span, when, Action::Drop));
        }
    }
    let (hook, priority) = match direction {
        Direction::In => (Hook::Prerouting, -150),
        Direction::Out => (Hook::Postrouting, 0),
    };
    base(compiler, "access-group", hook, priority, Kind::Filter, list, start);
}

/// `ip inspect`: answers to sessions are let through where they come in by the interface the session went out by, and
/// where they go out by the one it came in by.
fn inspected(
    compiler: &mut Compiler<'_>,
    name: &str,
    when: &Match,
    direction: Direction,
    out: &mut Vec<Rule>,
) {
    let config = compiler.config;
    let Some(interface) = config.interfaces.get(name) else { return };
    let session = if direction == Direction::In { Direction::Out } else { Direction::In };
    if let Some(inspection) = interface.inspect.get(&session) {
        let guard = interface.lists.get(&(Family::V4, session));
        sessions(compiler, guard, inspection, &later(when), out);
    }
}

/// Answers that any list lets through: by a list of incoming packets, to sessions that came in by another interface; by
/// one of outgoing packets, to sessions that went out by another.
fn inspected_elsewhere(compiler: &mut Compiler<'_>, direction: Direction) -> Option<ChainId> {
    let config = compiler.config;
    let mut list = Vec::new();
    for (name, interface) in &config.interfaces {
        let Some(inspection) = interface.inspect.get(&direction) else { continue };
        let mut answer = Match::default();
        if direction == Direction::Out {
            answer.input.push(at(name));
            sessions(compiler, None, inspection, &answer, &mut list);
            continue;
        }
        // Where the answer leaves is not known before routing: its destination says it.
        let nets = interface.addresses.iter().fold(Ranges::empty(), |all, (_, net)| all.union(net));
        if nets.is_empty() {
            answer.doubts.push(compiler.open(&inspection.span, doubtful("ip inspect"), true));
        } else {
            answer.narrow(Field::Destination, &nets);
        }
        let guard = interface.lists.get(&(Family::V4, direction));
        sessions(compiler, guard, inspection, &answer, &mut list);
    }
    if list.is_empty() { None } else { Some(compiler.chain("ip inspect", list)) }
}

/// Accepts the answers to inspected sessions; what never passed the list in their way opened none.
fn sessions(
    compiler: &mut Compiler<'_>,
    guard: Option<&Named>,
    inspection: &Named,
    answer: &Match,
    out: &mut Vec<Rule>,
) {
    let config = compiler.config;
    let view = View { mirrored: true, ..View::default() };
    let guard =
        guard.and_then(|l| compiler.list(Family::V4, &l.name, view, &Purpose::Choose(Target::Accept)));
    let action = guard.map_or(Action::Accept, Action::Jump);
    for protocol in config.inspections.get(&inspection.name).map_or(&[][..], Vec::as_slice) {
        for part in answered(compiler, protocol, answer) {
            out.push(rule(&inspection.span, part, action.clone()));
        }
    }
}

/// The answers of an inspected protocol.
fn answered(compiler: &mut Compiler<'_>, protocol: &Named, answer: &Match) -> Vec<Match> {
    let of = |number: u8, ports: Option<(u16, u16)>| {
        let mut when = answer.clone();
        when.narrow(Field::Protocol, &Ranges::single(number.into()));
        if let Some((lo, hi)) = ports {
            when.narrow(Field::SourcePort, &Ranges::span(lo.into(), hi.into()));
        }
        when
    };
    match protocol.name.as_str() {
        "tcp" => vec![of(6, None)],
        "udp" => vec![of(17, None)],
        "icmp" => vec![of(1, None)],
        // Fragments are put together, not let through.
        "fragment" => Vec::new(),
        name => match words::application(name) {
            Some(ports) => ports.iter().map(|(number, lo, hi)| of(*number, Some((*lo, *hi)))).collect(),
            None => {
                let mut when = answer.clone();
                when.doubts.push(compiler.open(
                    &protocol.span,
                    doubtful(&format!("ip inspect {name}")),
                    true,
                ));
                vec![when]
            }
        },
    }
}

/// A list on the outside sees outside addresses: of sources on the way out, of destinations of answers.
fn translated(
    compiler: &mut Compiler<'_>,
    binding: &Named,
    when: &Match,
    direction: Direction,
    room: &mut usize,
    out: &mut Vec<Rule>,
) {
    let config = compiler.config;
    let field = if direction == Direction::Out { Field::Source } else { Field::Destination };
    let list = config.lists.get(&(Family::V4, binding.name.clone()));
    let Some(list) = list.filter(|list| tells(list, field)) else { return };
    let inside: Vec<String> = translate::on(config, NatSide::Inside);
    if inside.is_empty() || config.nat.is_empty() {
        return;
    }
    let view = |seen: Seen| match direction {
        Direction::Out => View { source: seen, ..View::default() },
        Direction::In => View { destination: seen, ..View::default() },
    };
    let mut rules = Vec::new();
    for nat in config.nat.values() {
        let (NatKind::Source { to, .. } | NatKind::Static { to, .. }) = &nat.kind else { continue };
        // Every outside address is a view of its own; beyond what is worth it, none is told apart.
        let Some(rest) = room.checked_sub(list.items.len()) else {
            if let Some(judged) = seen_by(compiler, binding, view(Seen::Unknown)) {
                let doubts = vec![compiler.open(&binding.span, doubtful("ip nat"), true)];
                rules.push(rule(&binding.span, Match { doubts, ..Match::default() }, Action::Goto(judged)));
            }
            break;
        };
        *room = rest;
        let Some(judged) = seen_by(compiler, binding, view(translate::seen(config, to))) else { continue };
        match &nat.kind {
            NatKind::Source { chosen, .. } => {
                rules.extend(choose(compiler, nat, chosen, direction == Direction::In, Target::Goto(judged)));
            }
            NatKind::Static { ports, local, size, open, .. } => {
                let mut when = Match::default();
                let last = local.saturating_add(size.saturating_sub(1));
                when.narrow(field, &Ranges::span((*local).into(), last.into()));
                if let Some((protocol, port, global)) = ports {
                    let port_field =
                        if field == Field::Source { Field::SourcePort } else { Field::DestinationPort };
                    when.narrow(Field::Protocol, &Ranges::single((*protocol).into()));
                    when.narrow(port_field, &Ranges::single((*port).into()));
                    if port != global {
                        when.doubts.push(doubtful("ip nat"));
                    }
                }
                if *open {
                    when.doubts.push(doubtful("ip nat"));
                }
                rules.push(rule(&nat.span, when, Action::Goto(judged)));
            }
            _ => {}
        }
    }
    let chain = compiler.chain(format!("{} translated", binding.name), rules);
    let when = match direction {
        Direction::In => later(when),
        Direction::Out => {
            let from = InterfaceMatch { patterns: inside, negate: false };
            Match { input: vec![from], ..when.clone() }
        }
    };
    out.push(rule(&binding.span, when, Action::Jump(chain)));
}

/// What a list makes of packets with outside addresses, its unwritten deny included.
fn seen_by(compiler: &mut Compiler<'_>, binding: &Named, view: View) -> Option<ChainId> {
    let chain = compiler.list(Family::V4, &binding.name, view, &Purpose::Filter)?;
    let list = vec![
        rule(&binding.span, Match::default(), Action::Jump(chain)),
        rule(&binding.span, Match::default(), Action::Drop),
    ];
    Some(compiler.chain(format!("{} translated", binding.name), list))
}

/// Rules that lead what a translation chooses to a target; mirrored, what answers it.
pub fn choose(
    compiler: &mut Compiler<'_>,
    nat: &Nat,
    chosen: &Chosen,
    mirrored: bool,
    target: Target,
) -> Vec<Rule> {
    let config = compiler.config;
    let view = View { mirrored, ..View::default() };
    let one = |compiler: &mut Compiler<'_>, name: &str, target: Target, when: Match, out: &mut Vec<Rule>| {
        match compiler.list(Family::V4, name, view, &Purpose::Choose(target)) {
            Some(chain) => out.push(rule(&nat.span, when, Action::Jump(chain))),
            None => {
                let mut when = when;
                when.doubts.push(compiler.open(&nat.span, doubtful(&format!("list {name}")), true));
                out.push(rule(&nat.span, when, target.action()));
            }
        }
    };
    let mut out = Vec::new();
    match chosen {
        Chosen::List(name) => one(compiler, name, target, Match::default(), &mut out),
        Chosen::RouteMap(name) => {
            let Some(map) = config.route_maps.get(name) else {
                let doubts = vec![compiler.open(&nat.span, doubtful(&format!("route-map {name}")), true)];
                return vec![rule(&nat.span, Match { doubts, ..Match::default() }, target.action())];
            };
            let mut list = Vec::new();
            let mut denied = false;
            for clause in map.values() {
                // What such a clause takes away from those behind it is not followed.
                if !clause.permit {
                    denied = true;
                    continue;
                }
                let mut when = Match::default();
                if !clause.interfaces.is_empty() {
                    let names = InterfaceMatch { patterns: clause.interfaces.clone(), negate: false };
                    if mirrored { when.input.push(names) } else { when.output.push(names) }
                }
                if clause.open || denied {
                    when.doubts.push(compiler.open(&nat.span, doubtful(&format!("route-map {name}")), true));
                }
                if clause.lists.is_empty() {
                    list.push(rule(&nat.span, when.clone(), target.action()));
                }
                for name in &clause.lists {
                    one(compiler, name, target, when.clone(), &mut list);
                }
            }
            let chain = compiler.chain(format!("route-map {name}"), list);
            out.push(rule(&nat.span, Match::default(), Action::Jump(chain)));
        }
    }
    out
}

fn later(when: &Match) -> Match {
    let mut later = when.clone();
    later.narrow(Field::State, &Ranges::span(1, 2));
    later
}
