//! Translations as rules: of destinations before routing, of sources behind it, and the check of the way back.

use super::address::Resolver;
use super::local;
use super::nat::{Nat, Operand, Range};
use tillgate_model::{Family, Ranges, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, InterfaceMatch, Match, Note, Rule, Translation};

/// Single translations a range is taken apart into; larger ranges stay a range.
const MOST_SINGLE: u128 = 512;

/// The rules of all translations.
#[derive(Default)]
pub struct Translations {
    /// Destinations, before routing.
    pub destinations: Vec<Rule>,
    /// Sources, on the way out.
    pub sources: Vec<Rule>,
    /// New packets to real addresses whose answers would be translated are dropped.
    pub reverse: Vec<Rule>,
    pub notes: Vec<Note>,
}

/// The rules of translations in the order in which they are tried.
pub fn translations(list: &[Nat<'_>], found: &mut Resolver<'_>) -> Translations {
    let mut out = Translations::default();
    for nat in list {
        if found.spend(1) {
            break;
        }
        inward(nat, found, &mut out);
        outward(nat, found, &mut out);
        let identity = nat.keeps_source();
        let (sources, back) = guards(nat);
        let action = if identity { Action::Accept } else { Action::Translate(Translation::Source) };
        out.sources.extend(sources.into_iter().map(|when| rule(nat, when, action.clone())));
        let action = if identity { Action::Return } else { Action::Drop };
        out.reverse.extend(back.into_iter().map(|when| rule(nat, when, action.clone())));
    }
    out
}

fn rule(nat: &Nat<'_>, when: Match, action: Action) -> Rule {
    Rule { span: nat.span.clone(), when, action, log: false }
}

fn on(name: Option<&str>) -> Vec<InterfaceMatch> {
    name.map(local::on).unwrap_or_default()
}

fn by_family(list: &[Range], family: Family) -> Ranges {
    list.iter().filter(|(f, ..)| *f == family).map(|(_, lo, hi)| (*lo, *hi)).collect()
}

/// Families an operand has addresses of.
fn families(nat: &Nat<'_>) -> Vec<Family> {
    let has = |operand: &Operand, family: Family| match operand {
        Operand::Any => true,
        Operand::Set(list) => list.iter().any(|(f, ..)| *f == family),
        Operand::Interface(own) => *own == family,
    };
    Family::BOTH.into_iter().filter(|f| has(&nat.real, *f) && has(&nat.mapped, *f)).collect()
}

/// Narrows an address field; nothing to do for all addresses of the family.
fn address(when: &mut Match, field: Field, operand: &Operand, family: Family) {
    if let Operand::Set(list) = operand {
        let ranges = by_family(list, family);
        if ranges != Ranges::full(family.max_address()) {
            when.narrow(field, &ranges);
        }
    }
}

fn port(when: &mut Match, field: Field, ranges: &Ranges) {
    if *ranges != Ranges::full(65535) {
        when.narrow(field, ranges);
    }
}

/// Whose sources are translated on the way out, and which new packets the other way round are dropped.
fn guards(nat: &Nat<'_>) -> (Vec<Match>, Vec<Match>) {
    let (mut sources, mut back) = (Vec::new(), Vec::new());
    for family in families(nat) {
        let mut out = Match { input: on(nat.real_side), output: on(nat.mapped_side), ..Match::default() };
        let mut reverse = Match { input: on(nat.mapped_side), output: on(nat.real_side), ..Match::default() };
        for when in [&mut out, &mut reverse] {
            when.narrow(Field::Family, &Ranges::single(family as u128));
        }
        reverse.narrow(Field::Translated, &Ranges::single(0));
        reverse.narrow(Field::State, &Ranges::single(0));
        address(&mut out, Field::Source, &nat.real, family);
        address(&mut reverse, Field::Destination, &nat.real, family);
        if let Some((_, real)) = &nat.destination {
            address(&mut out, Field::Destination, real, family);
            address(&mut reverse, Field::Source, real, family);
        }
        if let Some(ports) = nat.ports.as_ref().filter(|p| p.protocol != 0) {
            for when in [&mut out, &mut reverse] {
                when.narrow(Field::Protocol, &Ranges::single(ports.protocol.into()));
            }
            if let Some((real, _)) = &ports.source {
                port(&mut out, Field::SourcePort, real);
                port(&mut reverse, Field::DestinationPort, real);
            }
            if let Some((_, real)) = &ports.destination {
                port(&mut out, Field::DestinationPort, real);
                port(&mut reverse, Field::SourcePort, real);
            }
        }
        sources.push(out);
        back.push(reverse);
    }
    (sources, back)
}

/// From the mapped side to mapped addresses.
fn inward(nat: &Nat<'_>, found: &mut Resolver<'_>, out: &mut Translations) {
    // Everything behind one address: nothing is sent back from it but answers.
    let behind_one = nat.real == Operand::Any && nat.mapped != Operand::Any;
    if !nat.fixed || nat.unidirectional || behind_one {
        return;
    }
    let ports = nat.ports.as_ref().filter(|p| p.protocol != 0);
    let mut base = Match { input: on(nat.mapped_side), ..Match::default() };
    if let Some((_, Operand::Set(list))) = &nat.destination {
        narrow_sources(&mut base, list);
    }
    if let Some((_, ports)) = ports.and_then(|p| p.destination.as_ref()) {
        port(&mut base, Field::SourcePort, ports);
    }
    let change = ports.and_then(|p| Some((p.protocol, p.source.as_ref()?)));
    let change = change.map(|(protocol, (real, mapped))| (protocol, mapped.clone(), real.clone()));
    if change.is_none()
        && let Some(ports) = ports
    {
        base.narrow(Field::Protocol, &Ranges::single(ports.protocol.into()));
    }
    mapping(nat, &base, &nat.mapped, &nat.real, nat.mapped_side, change, found, out);
}

/// From the real side to destinations that are others behind the device.
fn outward(nat: &Nat<'_>, found: &mut Resolver<'_>, out: &mut Translations) {
    let Some((before, after)) = &nat.destination else { return };
    let ports = nat.ports.as_ref().filter(|p| p.protocol != 0);
    let mut base = Match { input: on(nat.real_side), ..Match::default() };
    if let Operand::Set(list) = &nat.real {
        narrow_sources(&mut base, list);
    }
    if let Some((real, _)) = ports.and_then(|p| p.source.as_ref()) {
        port(&mut base, Field::SourcePort, real);
    }
    let change = ports.and_then(|p| Some((p.protocol, p.destination.as_ref()?)));
    let change = change.map(|(protocol, (before, after))| (protocol, before.clone(), after.clone()));
    if change.is_none()
        && let Some(ports) = ports
    {
        base.narrow(Field::Protocol, &Ranges::single(ports.protocol.into()));
    }
    mapping(nat, &base, before, after, nat.real_side, change, found, out);
}

fn narrow_sources(base: &mut Match, list: &[Range]) {
    let mut families = list.iter().map(|(f, ..)| *f);
    // Groups of a translation are of one family.
    let Some(family) = families.next() else {
        base.never = true;
        return;
    };
    base.narrow(Field::Source, &by_family(list, family));
    base.narrow(Field::Family, &Ranges::single(family as u128));
}

/// Protocol, ports before and after.
type Change = Option<(u8, Ranges, Ranges)>;

/// Destinations `from` become `to`.
#[allow(clippy::too_many_arguments)]
fn mapping(
    nat: &Nat<'_>,
    base: &Match,
    from: &Operand,
    to: &Operand,
    side: Option<&str>,
    change: Change,
    found: &mut Resolver<'_>,
    out: &mut Translations,
) {
    let same_ports = change.as_ref().is_none_or(|(_, a, b)| a == b);
    let mut open = false;
    let own = |operand: &Operand| match operand {
        Operand::Interface(family) => {
            let list = side.and_then(|s| found.config.addresses(s, *family)).filter(|l| !l.is_empty());
            list.map(|l| l.as_slice().iter().map(|(lo, hi)| (*family, *lo, *hi)).collect())
        }
        other => other.ranges(),
    };
    let before: Vec<Range> = own(from).unwrap_or_else(|| {
        open = true;
        let Operand::Interface(family) = from else { return Vec::new() };
        vec![(*family, 0, family.max_address())]
    });
    let after = own(to).unwrap_or_default();
    if before == after && same_ports {
        for (family, lo, hi) in &before {
            let when = taking(base, *family, (*lo, *hi), change.as_ref().map(|(p, a, _)| (*p, a)));
            out.destinations.push(rule(nat, when, Action::Accept));
        }
        return;
    }
    let mixed = before.iter().any(|(f, ..)| after.iter().any(|(g, ..)| f != g));
    if mixed || after.is_empty() || matches!(to, Operand::Any) {
        for (family, lo, hi) in &before {
            let mut when = taking(base, *family, (*lo, *hi), change.as_ref().map(|(p, a, _)| (*p, a)));
            when.doubts.push(Text::new("not-modelled-statement").arg("what", "nat"));
            out.destinations.push(rule(nat, when, Action::Unknown));
        }
        let text = Text::new("not-modelled-statement").arg("what", "nat");
        out.notes.push(Note { span: nat.span.clone(), text, bears: true });
        return;
    }
    if open {
        let text = Text::new("not-modelled-match").arg("what", "interface");
        out.notes.push(Note { span: nat.span.clone(), text, bears: true });
    }
    let ports = change.as_ref().map(port_pairs).unwrap_or_default();
    let ports: Vec<_> = if ports.is_empty() { vec![None] } else { ports.into_iter().map(Some).collect() };
    for (family, old, new) in pairs(&before, &after, open) {
        if found.spend(ports.len()) {
            return;
        }
        for pair in &ports {
            let protocol = change.as_ref().map(|(p, ..)| *p);
            let asked = protocol.zip(pair.as_ref().map(|(old, _)| old));
            let mut when = taking(base, family, old, asked);
            if open {
                when.doubts.push(Text::new("not-modelled-match").arg("what", "interface"));
            }
            let to = Translation::Destination {
                addresses: Some((family, new.0, new.1)),
                ports: pair.as_ref().and_then(|(_, new)| *new),
                tag: 1,
            };
            out.destinations.push(rule(nat, when, Action::Translate(to)));
        }
    }
}

/// A rule that takes packets to some addresses, and ports where there are any.
fn taking(base: &Match, family: Family, span: (u128, u128), ports: Option<(u8, &Ranges)>) -> Match {
    let mut when = base.clone();
    when.narrow(Field::Family, &Ranges::single(family as u128));
    if span != (0, family.max_address()) {
        when.narrow(Field::Destination, &Ranges::span(span.0, span.1));
    }
    if let Some((protocol, ports)) = ports {
        when.narrow(Field::Protocol, &Ranges::single(protocol.into()));
        port(&mut when, Field::DestinationPort, ports);
    }
    when
}

/// Ports that are taken, with what they become; `None` where they stay.
fn port_pairs((_, before, after): &(u8, Ranges, Ranges)) -> Vec<(Ranges, Option<(u16, u16)>)> {
    if before == after {
        return vec![(before.clone(), None)];
    }
    match (before.as_slice(), after.as_slice()) {
        ([(a, b)], [(x, y)]) if b - a == y - x && b - a < MOST_SINGLE => {
            (0..=b - a).map(|n| (Ranges::single(a + n), Some(((x + n) as u16, (x + n) as u16)))).collect()
        }
        (_, new) => {
            let (lo, hi) = (new.first().map_or(0, |r| r.0), new.last().map_or(65535, |r| r.1));
            vec![(before.clone(), Some((lo as u16, hi as u16)))]
        }
    }
}

/// Addresses of a family, and what they become.
type Pair = (Family, (u128, u128), (u128, u128));

/// Element by element: the n-th address becomes the n-th. Many become any of those they can become.
fn pairs(before: &[Range], after: &[Range], open: bool) -> Vec<Pair> {
    let size = |list: &[Range]| {
        list.iter().fold(0u128, |n, (_, lo, hi)| n.saturating_add(hi - lo).saturating_add(1))
    };
    let (many, few) = (size(before), size(after));
    let lowest = after.iter().map(|r| r.1).min().unwrap_or(0);
    let highest = after.iter().map(|r| r.2).max().unwrap_or(0);
    let mut out = Vec::new();
    if open || few == 1 || many > MOST_SINGLE {
        out.extend(before.iter().map(|(f, lo, hi)| (*f, (*lo, *hi), (lowest, highest))));
        return out;
    }
    let singles = |list: &[Range]| -> Vec<u128> { list.iter().flat_map(|(_, lo, hi)| *lo..=*hi).collect() };
    let old: Vec<(Family, u128)> =
        before.iter().flat_map(|(f, lo, hi)| (*lo..=*hi).map(move |a| (*f, a))).collect();
    if few > MOST_SINGLE {
        // More real addresses than mapped ones: the first of them are reached.
        out.extend(old.iter().map(|(f, a)| (*f, (*a, *a), (lowest, highest))));
        return out;
    }
    let new = singles(after);
    for (at, (family, address)) in old.into_iter().enumerate() {
        if let Some(to) = new.get(at % new.len().max(1)) {
            out.push((family, (address, address), (*to, *to)));
        }
    }
    out
}
