//! Conditions of rules as matches of the model, seen from one passage of a packet.

use super::cond::Cond;
use super::hosts::{Alternative, More};
use super::items::Item;
use super::names::{OPENING, requested};
use super::targets::Target;
use std::sync::Arc;
use tillgate_model::{Family, Ranges, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Match, Special, Term};

/// Which TCP packets are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What may begin a connection: other protocols, and TCP with SYN and without ACK.
    Opening,
    /// What can begin none: other TCP, and what fits no connection.
    Stray,
    /// Every packet, as it is.
    Exact,
    /// The packet that began the connection this one belongs to.
    First,
}

/// Where packets are known to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere.
    Open,
    /// To the firewall itself.
    Local,
    /// Through it or out of it: not to its own addresses.
    Beyond,
}

/// From where rules are looked at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The interface of the passage is the egress.
    pub going_out: bool,
    /// The rule is asked about the other direction: source and destination change places.
    pub swapped: bool,
    /// Which packets.
    pub asked: Asked,
    /// Where they go.
    pub reach: Reach,
    /// The rules from this place on see another source, and whether its port may be another.
    pub source: Option<(usize, &'a Target, bool)>,
    /// They see another destination.
    pub destination: Option<&'a Target>,
}

impl View<'_> {
    /// Packets as they are, that may begin a connection.
    pub fn plain(going_out: bool) -> Self {
        let reach = if going_out { Reach::Beyond } else { Reach::Open };
        View { going_out, swapped: false, asked: Asked::Opening, reach, source: None, destination: None }
    }
}

/// Whether an address that is now another fits.
enum Fits {
    Yes,
    No,
    Maybe,
}

fn fits(alternative: &Alternative, target: &Target, family: Family) -> Fits {
    if alternative.any && alternative.more == More::Nothing && alternative.symbol.is_none() {
        return if alternative.doubt.is_some() { Fits::Maybe } else { Fits::Yes };
    }
    let ranges = alternative.ranges.get(family as usize);
    match target {
        Target::Unknown(name) if alternative.symbol.as_ref() == Some(name) => Fits::Yes,
        Target::Addresses(of, lo, hi) if *of == family && !alternative.any => {
            let new = Ranges::span(*lo, *hi);
            match ranges {
                Some(ranges) if new.is_subset(ranges) => Fits::Yes,
                Some(ranges) if ranges.meets(&new) => Fits::Maybe,
                _ => Fits::No,
            }
        }
        Target::Unknown(_) if !alternative.any && ranges.is_none_or(Ranges::is_empty) => Fits::No,
        _ => Fits::Maybe,
    }
}

/// A doubt that is only about the address: it goes where the address is known to be another.
fn settled(when: &mut Match, alternative: &Alternative) {
    if let Some(doubt) = &alternative.doubt {
        when.doubts.retain(|d| d != doubt);
    }
}

fn doubt(when: &mut Match, what: &str) {
    let text = Text::new("not-modelled-match").arg("what", what);
    if !when.doubts.contains(&text) {
        when.doubts.push(text);
    }
}

/// The packets of a rule, in a view. `place`: where the rule stands in its list.
pub fn matches(item: &Item, place: usize, view: &View<'_>) -> Vec<Match> {
    let mut out = Vec::new();
    for cond in &item.conds {
        let addressed = |list: &[Alternative]| list.iter().any(|a| !a.any);
        let by_family = addressed(&cond.from)
            || addressed(&cond.to)
            || cond.icmp.is_some()
            || view.source.is_some() && !cond.from.is_empty()
            || view.destination.is_some() && !cond.to.is_empty();
        match (cond.family, by_family) {
            (None, false) => one(item, place, cond, None, view, &mut out),
            (family, _) => {
                for f in Family::BOTH.into_iter().filter(|f| family.is_none_or(|g| g == *f)) {
                    one(item, place, cond, Some(f), view, &mut out);
                }
            }
        }
    }
    out
}

fn one(
    item: &Item,
    place: usize,
    cond: &Cond,
    family: Option<Family>,
    view: &View<'_>,
    out: &mut Vec<Match>,
) {
    let mut when = Match { doubts: cond.doubts.clone(), ..Match::default() };
    let (here, there) = match view.going_out {
        true => (&mut when.output, &mut when.input),
        false => (&mut when.input, &mut when.output),
    };
    here.extend(cond.on.iter().cloned());
    if view.going_out || view.swapped {
        there.extend(cond.received.iter().cloned());
    } else if !cond.received.is_empty() {
        // Coming in, it was received where it is.
        here.extend(cond.received.iter().cloned());
    }
    if let Some(family) = family {
        when.narrow(Field::Family, &Ranges::single(family as u128));
    }
    if let Some(protocols) = &cond.protocols {
        when.narrow(Field::Protocol, protocols);
    }
    let (source, destination) = match view.swapped {
        true => (Field::Destination, Field::Source),
        false => (Field::Source, Field::Destination),
    };
    let new_source = view.source.filter(|(from, ..)| place >= *from).map(|(_, target, _)| target);
    address(&mut when, &cond.from, source, family, new_source, view);
    address(&mut when, &cond.to, destination, family, view.destination, view);
    if let Some((types, code)) = &cond.icmp {
        let types = match (view.swapped, family) {
            (true, Some(family)) => {
                let answers = (0..=255u8)
                    .filter(|t| types.contains(requested(family, *t).into()) && requested(family, *t) != *t);
                answers.map(|t| (u128::from(t), u128::from(t))).collect()
            }
            _ => types.clone(),
        };
        when.narrow(Field::SourcePort, &types);
        if let Some(code) = code {
            when.narrow(Field::DestinationPort, &Ranges::single((*code).into()));
        }
    }
    let (from_port, to_port) = match view.swapped {
        true => (Field::DestinationPort, Field::SourcePort),
        false => (Field::SourcePort, Field::DestinationPort),
    };
    if let Some(ports) = &cond.source_ports {
        match view.source {
            Some((from, _, true)) if place >= from => doubt(&mut when, "port"),
            _ => when.narrow(from_port, ports),
        }
    }
    if let Some(ports) = &cond.ports {
        when.narrow(to_port, ports);
    }
    if !when.never {
        flags(item, when, view.asked, out);
    }
}

fn address(
    when: &mut Match,
    list: &[Alternative],
    field: Field,
    family: Option<Family>,
    new: Option<&Target>,
    view: &View<'_>,
) {
    for alternative in list {
        if let (Some(new), Some(family)) = (new, family) {
            match fits(alternative, new, family) {
                Fits::Yes => settled(when, alternative),
                Fits::No => when.never = true,
                Fits::Maybe => doubt(when, "nat"),
            }
            continue;
        }
        if let (false, Some(family)) = (alternative.any, family) {
            match alternative.ranges.get(family as usize) {
                Some(ranges) => when.narrow(field, ranges),
                None => when.never = true,
            }
        }
        match &alternative.more {
            More::Nothing => {}
            // The model asks about source and destination of the packet at hand only.
            _ if view.swapped => doubt(when, "from"),
            More::Own(negate) => own(when, alternative, *negate, view.reach),
            More::ReversePath(negate) => {
                when.terms.push(Term::Special(vec![Special::ReversePathFails], *negate));
            }
            More::Names(names) => when.terms.push(Term::Names(names.clone())),
        }
    }
}

/// The destination belongs to the firewall, or (`negate`) does not.
fn own(when: &mut Match, alternative: &Alternative, negate: bool, reach: Reach) {
    match (reach, negate) {
        (Reach::Beyond, true) => settled(when, alternative),
        (Reach::Beyond, false) => when.never = true,
        // One interface has only some of the firewall's addresses.
        _ if negate && alternative.doubt.is_some() => {}
        _ => when.terms.push(Term::Special(vec![Special::DestinationLocal], negate)),
    }
}

/// Narrows by TCP flags: those of the rule, within those asked about.
fn flags(item: &Item, when: Match, asked: Asked, out: &mut Vec<Match>) {
    let tcp = |mut when: Match, flags: &Ranges| {
        when.narrow(Field::Protocol, &Ranges::single(6));
        when.narrow(Field::TcpFlags, flags);
        when
    };
    let other = |mut when: Match| {
        when.narrow(Field::Protocol, &Ranges::single(6).complement(255));
        when
    };
    let mut add = |when: Match| {
        if !when.never {
            out.push(when);
        }
    };
    let Some(own) = &item.flags else {
        add(when);
        return;
    };
    match asked {
        Asked::Opening if Arc::ptr_eq(own, &OPENING) || OPENING.is_subset(own) => add(when),
        Asked::Opening => {
            add(other(when.clone()));
            add(tcp(when, &own.intersect(&OPENING)));
        }
        Asked::Stray => {
            // A packet that fits no connection begins none, unless the rule takes any flags.
            if !item.state {
                add(other(when.clone()));
            }
            let odd = if item.state { own.subtract(&OPENING) } else { Ranges::clone(own) };
            if !odd.is_empty() {
                add(tcp(when, &odd));
            }
        }
        Asked::Exact => {
            add(other(when.clone()));
            add(tcp(when, own));
        }
        Asked::First if own.contains(2) => add(when),
        Asked::First => add(other(when)),
    }
}
