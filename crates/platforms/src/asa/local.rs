//! What reaches the device itself: management lines, control-plane lists, ICMP lines, services of features.

use super::config::{Config, Interface, Named, Point};
use super::inspect::without_syn;
use super::lists::{Lists, Use};
use super::section::{from, tcp, udp};
use super::through::effective;
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, InterfaceMatch, Match, Rule, RuleSet};

/// Link-local addresses, which every IPv6 interface has.
fn link_local() -> Ranges {
    Ranges::span(0xfe80 << 112, (0xfec0u128 << 112) - 1)
}

/// Where one interface answers, in a family; `None` where its addresses are not all known.
fn answering(config: &Config<'_>, name: &str, family: Family) -> Option<Ranges> {
    let found = config.interface(name).filter(|i| i.bridge_group.is_none())?;
    let own = config.addresses(name, family)?;
    let bvi = found.hardware.to_ascii_uppercase().starts_with("BVI");
    match family {
        Family::V4 if own.is_empty() && bvi => None,
        Family::V4 => Some(own),
        Family::V6 => Some(own.union(&link_local())),
    }
}

/// One interface. A `*` at its end would stand for others.
pub(super) fn on(name: &str) -> Vec<InterfaceMatch> {
    vec![InterfaceMatch { patterns: vec![name.trim_end_matches('*').to_string()], negate: false }]
}

fn rule(span: &Span, when: Match, action: Action, log: bool) -> Rule {
    Rule { span: span.clone(), when, action, log }
}

/// Ports that `ssh`, `telnet`, `http`, `snmp-server` and `webvpn` lines open, and nothing else.
pub fn managed(config: &Config<'_>) -> Ranges {
    let web = config.http.unwrap_or(443);
    let portal = config.portal_port.unwrap_or(443);
    [22, 23, 161, web, portal].into_iter().map(|p| (u128::from(p), u128::from(p))).collect()
}

/// The rules for packets to the device.
pub fn local<'a>(
    config: &'a Config<'a>,
    lists: &mut Lists<'a>,
    head: &Span,
    rules: &mut RuleSet,
) -> Vec<Rule> {
    let logging = &config.logging;
    let mut out = Vec::new();
    let mut known = Match::default();
    known.narrow(Field::State, &Ranges::span(1, 2));
    known.narrow(Field::Protocol, &Ranges::from_unsorted(vec![(0, 0), (2, 57), (59, 255)]));
    out.push(rule(head, known, Action::Accept, false));
    let log = logging.writes(106_015, 6);
    out.push(rule(head, without_syn(), Action::Drop, log));
    // Fits no connection and opens none.
    let mut stray = Match::default();
    stray.narrow(Field::State, &Ranges::single(3));
    out.push(rule(head, stray, Action::Drop, log));
    let active: Vec<&Interface<'_>> = config.interfaces.iter().filter(|i| i.active().is_some()).collect();
    if config.complete() {
        let patterns = active.iter().filter_map(|i| i.active()).map(str::to_string).collect();
        let input = vec![InterfaceMatch { patterns, negate: true }];
        out.push(rule(head, Match { input, ..Match::default() }, Action::Drop, false));
    }
    management(config, &active, &mut out);
    for (interface, applied) in effective(config).iter().filter(|(_, a)| a.point == Point::ControlPlane) {
        let name = Named { name: applied.list, span: applied.span.clone() };
        if let Some(chain) = lists.chain(&name, Use::Local, rules) {
            let when = Match { input: on(interface), ..Match::default() };
            out.push(rule(&applied.span, when, Action::Jump(chain), false));
        }
    }
    icmp(config, &active, head, &mut out);
    opened(config, &mut out);
    out.push(rule(head, Match::default(), Action::Drop, logging.writes(710_005, 7)));
    out
}

/// Who may come in by `ssh`, `telnet` and `http` lines; they pass even where a control-plane list denies.
fn management(config: &Config<'_>, active: &[&Interface<'_>], out: &mut Vec<Rule>) {
    let lowest = active.iter().map(|i| i.level()).min();
    let highest = active.iter().map(|i| i.level()).max();
    for access in &config.access {
        let name = config.spelled(access.interface.name);
        let port = match access.service {
            "ssh" => 22,
            "telnet" => {
                // Telnet at the interface of the lowest level is refused outside a tunnel.
                let level = config.interface(name).map(Interface::level);
                if level.is_some() && level == lowest && lowest != highest {
                    continue;
                }
                23
            }
            _ => match config.http {
                Some(port) => port,
                None => continue,
            },
        };
        let Some(cube) = tcp(port).and_then(|c| from(c, &access.source)) else { continue };
        let mut when = Match { input: on(name), cube, ..Match::default() };
        if let Some(own) = answering(config, name, access.source.0) {
            when.narrow(Field::Destination, &own);
        }
        out.push(rule(&access.span, when, Action::Accept, false));
    }
}

fn icmp_of(family: Family) -> Match {
    let number = if family == Family::V4 { 1 } else { 58 };
    let cube = super::service::protocol(Some(number));
    Match { cube, ..Match::default() }
}

/// `icmp` lines; an interface with none answers everything.
fn icmp(config: &Config<'_>, active: &[&Interface<'_>], head: &Span, out: &mut Vec<Rule>) {
    for family in Family::BOTH {
        let message = if family == Family::V4 { 313_001 } else { 313_008 };
        let log = config.logging.writes(message, 3);
        let mut ends: BTreeMap<&str, (&Span, bool)> = BTreeMap::new();
        for line in config.icmp.iter().filter(|l| l.family == family) {
            let name = config.spelled(line.interface.name);
            let mut when = icmp_of(family);
            when.input = on(name);
            if let Some((lo, hi)) = line.source {
                when.narrow(Field::Source, &Ranges::span(lo, hi));
            }
            if let Some(kind) = line.kind {
                when.narrow(Field::SourcePort, &Ranges::single(kind.into()));
            }
            let action = if line.permit { Action::Accept } else { Action::Drop };
            out.push(rule(&line.span, when, action, log && !line.permit));
            let everything = !line.permit && line.kind.is_none() && line.source.is_none();
            ends.insert(name, (&line.span, everything));
        }
        // The last line of each interface stands for the deny behind it, where it is none itself.
        for (name, (span, _)) in ends.iter().filter(|(_, (_, everything))| !everything) {
            let mut when = icmp_of(family);
            when.input = on(name);
            out.push(rule(span, when, Action::Drop, log));
        }
        if !config.complete() {
            let open = config.named().into_iter().filter(|(name, _)| !ends.contains_key(name));
            let open: Vec<String> = open.map(|(name, _)| name.to_string()).collect();
            let mut when = icmp_of(family);
            when.input = vec![InterfaceMatch { patterns: open, negate: false }];
            out.push(rule(head, when, Action::Accept, false));
        }
        for name in active.iter().filter_map(|i| i.active()).filter(|n| !ends.contains_key(n)) {
            let mut when = icmp_of(family);
            when.input = on(name);
            if let Some(own) = answering(config, name, family) {
                let group = Ranges::span(0xff << 120, u128::MAX);
                let own = if family == Family::V6 { own.union(&group) } else { own };
                when.narrow(Field::Destination, &own);
            }
            let span = config.interface(name).map_or(head, |i| &i.span);
            out.push(rule(span, when, Action::Accept, false));
        }
    }
}

/// Services that features open.
fn opened(config: &Config<'_>, out: &mut Vec<Rule>) {
    let mut open = |span: &Span, interface: Option<&str>, cube: Cube, sure: bool| {
        let input = interface.map(|n| on(config.spelled(n))).unwrap_or_default();
        let mut when = Match { input, cube, ..Match::default() };
        if !sure {
            when.doubts.push(Text::new("not-modelled-match").arg("what", "local service"));
        }
        out.push(rule(span, when, Action::Accept, false));
    };
    for service in &config.opened {
        for cube in &service.cubes {
            let cube = match &service.source {
                Some(source) => from(cube.clone(), source),
                None => Some(cube.clone()),
            };
            if let Some(cube) = cube {
                open(&service.span, service.interface, cube, service.sure);
            }
        }
    }
    let port = config.portal_port.unwrap_or(443);
    for (interface, span) in &config.portal {
        // With a port of its own for DTLS, or one for TLS alone, it is not said where it answers by UDP.
        let dtls = config.portal_dtls.unwrap_or(443);
        let known = dtls == port;
        for (cube, sure) in [(tcp(port), true), (udp(port), known)] {
            cube.into_iter().for_each(|cube| open(span, Some(interface), cube, sure));
        }
        if !known {
            udp(dtls).into_iter().for_each(|cube| open(span, Some(interface), cube, false));
        }
    }
}
