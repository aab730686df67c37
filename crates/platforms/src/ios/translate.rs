//! Address translation as rules.

use super::bindings::choose;
use super::build::base;
use super::compile::{Compiler, Purpose, Seen, Target, View, doubtful, rule};
use super::config::{Config, Global, NatKind, NatSide};
use tillgate_model::{Family, Ranges, Span};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Hook, InterfaceMatch, Kind, Match, Special, Term, Translation};

/// Addresses of networks that are translated one by one; of larger ones only the whole range is known.
const MOST_ADDRESSES: u32 = 4096;

/// The interfaces of a side.
pub fn on(config: &Config<'_>, side: NatSide) -> Vec<String> {
    config.interfaces.iter().filter(|(_, i)| i.nat == Some(side)).map(|(name, _)| name.clone()).collect()
}

/// What lists see in place of an inside address.
pub fn seen(config: &Config<'_>, to: &Global) -> Seen {
    let known = match to {
        Global::Addresses(first, last) => Some((*first, *last)),
        Global::Interface(name) => config.address_of(name).map(|address| (address, address)),
        Global::Pool(name) => config.pools.get(name).copied(),
    };
    known.map_or(Seen::Unknown, |(first, last)| Seen::Global(first, last))
}

/// Translation of what comes in by the outside interfaces, and of what leaves by them.
pub fn build(compiler: &mut Compiler<'_>, start: &Span) {
    let config = compiler.config;
    let (inside, outside) = (on(config, NatSide::Inside), on(config, NatSide::Outside));
    let (mut open, mut arriving, mut leaving) = (Vec::new(), Vec::new(), Vec::new());
    let mut room = MOST_ADDRESSES;
    for nat in config.nat.values() {
        match &nat.kind {
            NatKind::Static { ports, local, size, to, open } => {
                let mut when = Match::default();
                if let Some((protocol, _, global)) = ports {
                    when.narrow(Field::Protocol, &Ranges::single((*protocol).into()));
                    when.narrow(Field::DestinationPort, &Ranges::single((*global).into()));
                }
                if *open {
                    when.doubts.push(doubtful("ip nat"));
                }
                let port = ports.map(|(_, port, _)| (port, port));
                let mut add = |when: Match, first: u32, last: u32| {
                    let addresses = Some((Family::V4, first.into(), last.into()));
                    let to = Translation::Destination { addresses, ports: port, tag: 1 };
                    arriving.push(rule(&nat.span, when, Action::Translate(to)));
                };
                let end = local.saturating_add(size.saturating_sub(1));
                match seen(config, to) {
                    // A network keeps the host's part of the address.
                    Seen::Global(first, _) if *size > 1 && *size <= room => {
                        room -= size;
                        for offset in 0..*size {
                            let (global, local) =
                                (first.saturating_add(offset), local.saturating_add(offset));
                            let mut when = when.clone();
                            when.narrow(Field::Destination, &Ranges::single(global.into()));
                            add(when, local, local);
                        }
                    }
                    Seen::Global(first, last) => {
                        when.narrow(Field::Destination, &Ranges::span(first.into(), last.into()));
                        add(when, *local, end);
                    }
                    // The address of an interface, whatever it is.
                    _ => {
                        when.terms.push(Term::Special(vec![Special::DestinationLocal], false));
                        add(when, *local, end);
                    }
                }
            }
            NatKind::Source { chosen, .. } => {
                leaving.extend(choose(compiler, nat, chosen, false, Target::Source));
            }
            NatKind::Rotary { list } => {
                let purpose = Purpose::Choose(Target::Unknown);
                if let Some(chain) = compiler.list(Family::V4, list, View::default(), &purpose) {
                    arriving.push(rule(&nat.span, Match::default(), Action::Jump(chain)));
                }
            }
            NatKind::Open => open.push(nat.span.clone()),
        }
    }
    let family = |mut when: Match| {
        when.narrow(Field::Family, &Ranges::single(Family::V4 as u128));
        when
    };
    let names = |patterns: Vec<String>| InterfaceMatch { patterns, negate: false };
    // In front of all: the first that is not modelled leaves everything behind it open.
    let mut first = Vec::new();
    if let Some(span) = &config.balanced {
        first.push(rule(span, family(Match::default()), Action::Unknown));
    }
    if let Some(span) = open.first() {
        let either = [outside.clone(), on(config, NatSide::Both)].concat();
        let when = family(Match { input: vec![names(either)], ..Match::default() });
        first.push(rule(span, when, Action::Unknown));
    }
    if !arriving.is_empty() && !outside.is_empty() {
        let chain = compiler.chain("ip nat outside", arriving);
        let when = family(Match { input: vec![names(outside.clone())], ..Match::default() });
        first.push(rule(start, when, Action::Jump(chain)));
    }
    let mut last = Vec::new();
    if !leaving.is_empty() && !inside.is_empty() && !outside.is_empty() {
        let chain = compiler.chain("ip nat inside", leaving);
        let (input, output) = (vec![names(inside)], vec![names(outside)]);
        let when = family(Match { input, output, ..Match::default() });
        last.push(rule(start, when, Action::Jump(chain)));
    }
    base(compiler, "ip nat", Hook::Prerouting, -100, Kind::Nat, first, start);
    base(compiler, "ip nat", Hook::Postrouting, 100, Kind::Nat, last, start);
}
