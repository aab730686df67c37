//! The rows read back: what a device does that has exactly these rules, first match, and denies everything else.

use super::{Action, Checklist, End, Place, Row, Zone};
use tillgate_model::{
    Family, Protocol, Ranges, SourceFile, Span, State, address_bits, parse_port_range, parse_prefix,
    prefix_range,
};
use tillgate_packetset::Field;
use tillgate_ruleset::{
    Action as Verdict, Base, Chain, Hook, InterfaceMatch, Kind, Match, NameSet, Policy, Rule, RuleSet, Term,
    Translation,
};

/// The chains, by number.
const SPOOFING: usize = 0;
const TO_DEVICE: usize = 1;
const THROUGH: usize = 2;
const NAT: usize = 3;

/// The rule set of a list, from what its cells say. Such devices keep state: answers pass by themselves.
pub fn rule_set(list: &Checklist) -> RuleSet {
    let lines: Vec<String> = list.rows.iter().map(|r| format!("{} {:?}", r.number, r.place)).collect();
    let file = SourceFile::new("checklist", format!("stateful\n{}\n", lines.join("\n")).as_str());
    let mut at = "stateful\n".len();
    let state = Span::new(&file, 0, at - 1);
    let chain = |name: &str| Chain { name: name.to_string(), rules: Vec::new() };
    let mut rules = RuleSet {
        platform: "checklist",
        chains: vec![chain("spoofing"), chain("to-device"), chain("through"), chain("nat")],
        ..RuleSet::default()
    };
    for (chain, hook, kind, policy) in [
        (SPOOFING, Hook::Prerouting, Kind::Filter, Policy::Accept),
        (TO_DEVICE, Hook::Input, Kind::Filter, Policy::Drop),
        (THROUGH, Hook::Forward, Kind::Filter, Policy::Drop),
        (NAT, Hook::Postrouting, Kind::Nat, Policy::Accept),
    ] {
        let policy_span = state.clone();
        rules.bases.push(Base { chain, hook, priority: 0, kind, policy, policy_span, family: None });
    }
    for chain in [TO_DEVICE, THROUGH] {
        for (states, action) in [
            (&[State::Established, State::Related][..], Verdict::Accept),
            (&[State::Invalid][..], Verdict::Drop),
        ] {
            let mut when = Match::default();
            let states: Ranges = states.iter().map(|s| (*s as u128, *s as u128)).collect();
            when.narrow(Field::State, &states);
            rules.chains[chain].rules.push(Rule { span: state.clone(), when, action, log: false });
        }
    }
    for (row, line) in list.rows.iter().zip(&lines) {
        let span = Span::new(&file, at, at + line.len());
        at += line.len() + 1;
        let (chain, action) = match (&row.action, row.place, row.destination.as_ref().map(|d| &d.zone)) {
            (Action::Set(_), ..) => continue,
            (Action::Translate, ..) => (NAT, Verdict::Translate(Translation::Source)),
            (Action::Block, Place::Spoofing, _) => (SPOOFING, Verdict::Drop),
            (action, _, zone) => {
                let verdict = if *action == Action::Allow { Verdict::Accept } else { Verdict::Drop };
                (if zone == Some(&Zone::Device) { TO_DEVICE } else { THROUGH }, verdict)
            }
        };
        rules.chains[chain].rules.push(Rule { span, when: matches(row), action, log: row.log });
    }
    rules.finish();
    rules
}

/// What a row matches.
fn matches(row: &Row) -> Match {
    let family = row.family;
    let mut when = Match::default();
    if let Some(family) = family {
        when.narrow(Field::Family, &Ranges::single(family as u128));
    }
    if let Some(source) = &row.source {
        when.input.extend(interfaces(source));
        addresses(source, Field::Source, family, &mut when);
    }
    if let Some(destination) = &row.destination {
        when.output.extend(interfaces(destination));
        addresses(destination, Field::Destination, family, &mut when);
    }
    let protocol = row.protocol.as_deref().map(Protocol::parse);
    match protocol {
        None => {}
        Some(Some(protocol)) => {
            when.narrow(Field::Protocol, &Ranges::single(protocol.0.into()));
            let field = if protocol.is_icmp() { Field::SourcePort } else { Field::DestinationPort };
            if let Some(text) = &row.ports {
                let ports: Option<Ranges> = text
                    .split(',')
                    .map(|p| parse_port_range(p).map(|(lo, hi)| (u128::from(lo), u128::from(hi))))
                    .collect::<Option<Vec<_>>>()
                    .map(Ranges::from_unsorted);
                when.narrow(field, &ports.unwrap_or_default());
            }
        }
        // Said, and not understood: never taken for any protocol.
        Some(None) => when.never = true,
    }
    if let Some(port) = row.source_port {
        when.narrow(Field::SourcePort, &Ranges::single(port.into()));
    }
    when
}

fn interfaces(end: &End) -> Option<InterfaceMatch> {
    let patterns = match &end.zone {
        Zone::Segments(list) => list.iter().map(|(_, interface)| interface.clone()).collect(),
        Zone::Internet(uplinks) => uplinks.clone(),
        Zone::Device => return None,
    };
    Some(InterfaceMatch { patterns, negate: false })
}

fn addresses(end: &End, field: Field, family: Option<Family>, when: &mut Match) {
    if end.data.is_empty() {
        return;
    }
    if end.names {
        let mut names = end.data.clone();
        names.sort();
        when.terms.push(Term::Names(NameSet { names }));
        return;
    }
    let read = |text: &String| match text.split_once('-') {
        Some((lo, hi)) => Some((address_bits(lo.parse().ok()?), address_bits(hi.parse().ok()?))),
        None => parse_prefix(text).map(|net| prefix_range(&net)),
    };
    let ranges: Option<Vec<(u128, u128)>> = end.data.iter().map(read).collect();
    let max = family.unwrap_or(Family::V4).max_address();
    match ranges.map(Ranges::from_unsorted) {
        Some(ranges) if end.except => when.narrow(field, &ranges.complement(max)),
        Some(ranges) => when.narrow(field, &ranges),
        None => when.never = true,
    }
}
