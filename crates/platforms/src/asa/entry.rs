//! Entries of access lists: the packets each stands for.

use super::address::{Addresses, Resolver, host, network};
use super::config::{Kind, Named};
use super::lines::{Bad, Line, Words};
use super::service::{self, PORTED, icmp, merged, ported, protocol};
use super::words;
use tillgate_model::{Date, Family, Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Match, NameSet, Part, Term};

/// An entry.
#[derive(Debug)]
pub struct Entry {
    pub span: Span,
    pub permit: bool,
    pub log: bool,
    /// Which packets, as parts of which each is a product.
    pub matches: Vec<Match>,
    /// Destination ports, where it says them, of TCP or UDP.
    pub ports: Option<Ranges>,
    /// `inactive`: it is not there.
    pub inactive: bool,
    pub until: Option<Date>,
}

/// What kind of list the entry is in.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The one family of all its addresses, before 9.0.
    pub family: Option<Family>,
    /// The first word behind `permit` and `deny` is at this one or later.
    pub at: usize,
}

/// What stands in the place of the protocol.
enum Asked<'a> {
    Protocols(Vec<Option<u8>>),
    Services(Named<'a>, bool),
}

/// Reads an entry; `reading.at` is the word `permit` or `deny`.
pub fn entry<'a>(line: &Line<'a>, reading: Reading, found: &mut Resolver<'a>) -> Result<Entry, Bad> {
    let mut words = Words { line, at: reading.at };
    let permit = match words.next()?.to_ascii_lowercase().as_str() {
        "permit" => true,
        "deny" => false,
        _ => return Err(words.bad()),
    };
    let mut doubts = Vec::new();
    let asked = asked(&mut words, found, reading.family)?;
    identity(&mut words, &mut doubts)?;
    let source = side(&mut words, found, reading.family)?;
    let source_ports = match &asked {
        Asked::Protocols(protocols) => ports(&mut words, found, protocols, &mut doubts)?,
        // Services have ports of their own.
        Asked::Services(..) => None,
    };
    identity(&mut words, &mut doubts)?;
    let destination = side(&mut words, found, reading.family)?;
    let (services, said) = services(&mut words, found, asked, source_ports, &mut doubts)?;
    let mut out = Entry {
        span: line.span.clone(),
        permit,
        log: !permit && found.config.logging.writes(106_023, 4),
        matches: Vec::new(),
        ports: said,
        inactive: false,
        until: None,
    };
    options(&mut words, found, &mut out, &mut doubts)?;
    out.matches = combined(&source, &destination, &services, &doubts, reading.family);
    Ok(out)
}

fn doubt(what: &str) -> Text {
    Text::new("not-modelled-match").arg("what", what)
}

/// A name and its place; the last word taken.
fn named<'a>(words: &mut Words<'_, 'a>) -> Result<Named<'a>, Bad> {
    let name = words.next()?;
    Ok(Named { name, span: words.line.place(words.at - 1) })
}

fn asked<'a>(
    words: &mut Words<'_, 'a>,
    found: &mut Resolver<'a>,
    family: Option<Family>,
) -> Result<Asked<'a>, Bad> {
    if words.take("object") {
        return Ok(Asked::Services(named(words)?, false));
    }
    if words.take("object-group") {
        let group = named(words)?;
        let kind = found.config.groups.get(group.name).map(|g| g.kind);
        return Ok(match kind {
            Some(Kind::Protocol) => Asked::Protocols(found.protocols(&group)),
            Some(Kind::Service | Kind::Open) => Asked::Services(group, true),
            _ => return Err((group.span, Text::new("unknown-object").arg("name", group.name))),
        });
    }
    let word = words.next()?;
    // In the lists IPv6 had of its own, `icmp6` and `ip` are of that family.
    let number = words::protocol(word).ok_or_else(|| words.bad())?;
    let number = if number == Some(1) && family == Some(Family::V6) { Some(58) } else { number };
    Ok(Asked::Protocols(vec![number]))
}

/// Users and security groups, whose addresses only the device knows.
fn identity(words: &mut Words<'_, '_>, doubts: &mut Vec<Text>) -> Result<(), Bad> {
    loop {
        let kind = words.peek().to_ascii_lowercase();
        match kind.as_str() {
            "user" | "user-group" | "object-group-user" | "object-group-security" => words.at += 1,
            "security-group" => words.at += 2,
            _ => return Ok(()),
        }
        doubts.push(doubt(&kind));
        // Names with blanks stand in quotes.
        let first = words.next()?;
        if first.contains('"') && first.matches('"').count() == 1 {
            while !words.next()?.ends_with('"') {}
        }
    }
}

/// Source or destination.
fn side<'a>(
    words: &mut Words<'_, 'a>,
    found: &mut Resolver<'a>,
    family: Option<Family>,
) -> Result<Addresses, Bad> {
    let word = words.peek().to_ascii_lowercase();
    let out = match word.as_str() {
        "any" => Addresses::any(family),
        "any4" => Addresses::any(Some(Family::V4)),
        "any6" => Addresses::any(Some(Family::V6)),
        "host" => {
            words.at += 1;
            let (family, address) = host(found.config, words)?;
            return Ok(Addresses::of(family, Ranges::single(address)));
        }
        "object" | "object-group" => {
            words.at += 1;
            let named = named(words)?;
            return Ok((*found.addresses(&named, word == "object-group")).clone());
        }
        "object-group-network-service" => {
            words.at += 2;
            return Ok(Addresses::open(family));
        }
        "interface" => {
            words.at += 1;
            let interface = words.next()?;
            let own = found.config.addresses(interface, Family::V4);
            return Ok(match own.filter(|o| !o.is_empty()) {
                Some(own) => Addresses::of(Family::V4, own),
                None => Addresses::open(Some(Family::V4)),
            });
        }
        "" => return Err(words.unknown()),
        _ => {
            let (family, ranges) = network(found.config, words)?;
            return Ok(Addresses::of(family, ranges));
        }
    };
    words.at += 1;
    Ok(out)
}

/// Ports behind an address: an operator, or a group that is one of ports.
fn ports<'a>(
    words: &mut Words<'_, 'a>,
    found: &mut Resolver<'a>,
    protocols: &[Option<u8>],
    doubts: &mut Vec<Text>,
) -> Result<Option<Ranges>, Bad> {
    if words.line.is(words.at, "object-group") {
        let name = words.line.word(words.at + 1);
        let group = found.config.groups.get(name).filter(|g| g.kind == Kind::Ports);
        let Some(of) = group.map(|g| g.protocols.clone()) else { return Ok(None) };
        words.at += 1;
        let group = named(words)?;
        // Its ports are those of the protocols it was made for; the device refuses others.
        if !protocols.iter().any(|p| of.contains(p)) {
            return Err(words.bad());
        }
        if !protocols.iter().all(|p| of.contains(p)) {
            doubts.push(doubt("object-group"));
        }
        return Ok(Some(found.ports(&group)));
    }
    service::operator(words)
}

/// The boxes of protocol, ports and ICMP types; and the destination ports, where they are said.
fn services<'a>(
    words: &mut Words<'_, 'a>,
    found: &mut Resolver<'a>,
    asked: Asked<'a>,
    source: Option<Ranges>,
    doubts: &mut Vec<Text>,
) -> Result<(Vec<Cube>, Option<Ranges>), Bad> {
    let protocols = match asked {
        Asked::Services(named, group) => {
            let services = found.services(&named, group);
            if services.open {
                doubts.push(doubt(named.name));
                if services.cubes.is_empty() {
                    return Ok((vec![Cube::all()], None));
                }
            }
            let ports = services.cubes.iter().map(|c| c.ranges(Field::DestinationPort).cloned());
            let ports: Option<Vec<Ranges>> = ports.collect();
            let ports = ports.map(|l| l.iter().fold(Ranges::empty(), |all, r| all.union(r)));
            return Ok((services.cubes.clone(), ports));
        }
        Asked::Protocols(protocols) => protocols,
    };
    let is_icmp = matches!(protocols[..], [Some(1 | 58)]);
    if is_icmp && source.is_some() {
        return Err(words.bad());
    }
    if is_icmp {
        let v6 = protocols.contains(&Some(58));
        if words.take("object-group") {
            let group = named(words)?;
            let kinds = found.types(&group, v6);
            return Ok((icmp(v6, &kinds, None).into_iter().collect(), None));
        }
        if let Some(kind) = words::icmp(words.peek(), v6) {
            words.at += 1;
            let code = service::code(words)?;
            let cube = icmp(v6, &Ranges::single(kind.into()), code);
            return Ok((cube.into_iter().collect(), None));
        }
        return Ok((protocols.iter().map(|p| protocol(*p)).collect(), None));
    }
    let destination = ports(words, found, &protocols, doubts)?;
    let with_ports = source.is_some() || destination.is_some();
    let cube = |number: &Option<u8>| match number {
        Some(number) if PORTED.contains(number) => ported(*number, source.as_ref(), destination.as_ref()),
        // The device refuses ports with any other protocol; of a group these simply do not fit.
        _ if with_ports => None,
        number => Some(protocol(*number)),
    };
    let cubes: Vec<Cube> = protocols.iter().filter_map(cube).collect();
    if cubes.is_empty() {
        return Err(words.bad());
    }
    Ok((cubes, destination))
}

/// What stands behind the addresses: logging, times, `inactive`.
fn options<'a>(
    words: &mut Words<'_, 'a>,
    found: &mut Resolver<'a>,
    out: &mut Entry,
    doubts: &mut Vec<Text>,
) -> Result<(), Bad> {
    let logging = &found.config.logging;
    while !words.done() {
        if words.take("log") {
            let mut level = 6;
            if words.take("disable") {
                out.log = false;
                continue;
            }
            if words.take("default") {
                out.log = !out.permit && logging.writes(106_023, 4);
                continue;
            }
            if let Some(said) = words::level(words.peek()) {
                words.at += 1;
                level = said;
            }
            if words.take("interval") && words.next()?.parse::<u32>().is_err() {
                return Err(words.bad());
            }
            out.log = logging.writes(106_100, level);
        } else if words.take("inactive") {
            out.inactive = true;
        } else if words.take("time-range") {
            let name = named(words)?;
            match found.config.times.get(name.name) {
                Some(until) => out.until = *until,
                None => return Err((name.span, Text::new("unknown-object").arg("name", name.name))),
            }
            doubts.push(doubt("time-range"));
        } else {
            return Err(words.unknown());
        }
    }
    Ok(())
}

/// Addresses and services as matches, one for each combination of pieces.
fn combined(
    source: &Addresses,
    destination: &Addresses,
    services: &[Cube],
    doubts: &[Text],
    family: Option<Family>,
) -> Vec<Match> {
    let services = merged(services.to_vec());
    let mut out = Vec::new();
    let mut add = |mut when: Match| {
        when.doubts.extend_from_slice(doubts);
        match services.as_slice() {
            [] => when.never = true,
            [one] => {
                for (field, ranges) in one.constraints() {
                    when.narrow(*field, ranges);
                }
            }
            many => {
                let parts = many.iter().map(|cube| Part { cube: cube.clone(), ..Part::default() });
                when.terms.push(Term::Any { parts: parts.collect(), negate: false });
            }
        }
        out.push(when);
    };
    if source.whole() && destination.whole() && family.is_none() {
        add(Match::default());
        return out;
    }
    for family in Family::BOTH {
        for from in source.pieces(family) {
            for to in destination.pieces(family) {
                let mut when = Match::default();
                when.narrow(Field::Family, &Ranges::single(family as u128));
                for (field, piece) in [(Field::Source, &from), (Field::Destination, &to)] {
                    if let Some(ranges) = &piece.ranges {
                        when.narrow(field, ranges);
                    }
                    if !piece.sure {
                        when.doubts.push(doubt(if field == Field::Source {
                            "source"
                        } else {
                            "destination"
                        }));
                    }
                }
                if !from.names.is_empty() {
                    when.doubts.push(doubt("fqdn"));
                }
                if !to.names.is_empty() {
                    when.terms.push(Term::Names(NameSet { names: to.names.to_vec() }));
                }
                add(when);
            }
        }
    }
    // Addresses of different families never meet.
    if out.is_empty() {
        out.push(Match { never: true, ..Match::default() });
    }
    out
}
