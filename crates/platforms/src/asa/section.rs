//! Blocks: interfaces, objects, groups, classes, policies, time ranges.

use super::address::{host, network, number};
use super::config::*;
use super::exempt;
use super::lines::{Bad, Line, Words};
use super::read::{Block, mention};
use super::service::{self, operator};
use super::{undo, words};
use std::net::IpAddr;
use tillgate_model::{Date, Family, Ranges, Span, Text, address_bits, parse_prefix};
use tillgate_packetset::{Cube, Field};

/// The box of a UDP port.
pub fn udp(port: u16) -> Option<Cube> {
    service::ported(17, None, Some(&Ranges::single(port.into())))
}

/// The box of a TCP port.
pub fn tcp(port: u16) -> Option<Cube> {
    service::ported(6, None, Some(&Ranges::single(port.into())))
}

/// The box of a protocol.
pub fn protocol(number: u8) -> Option<Cube> {
    Some(service::protocol(Some(number)))
}

/// Opens a block; `None` when the line opens none.
pub fn open<'a>(config: &mut Config<'a>, line: &Line<'a>, first: &str, second: &str) -> Option<Block<'a>> {
    let span = line.span.clone();
    let name = line.word(2);
    Some(match (first, second) {
        ("interface", _) => {
            // `interface GigabitEthernet 0/1` is typed in two words.
            let words = line.stretch(1, line.words.len().saturating_sub(1).min(2));
            let text = line.span.file.text.as_str();
            let hardware = text.get(words.start as usize..words.end as usize).unwrap_or(line.word(1));
            Block::Interface(config.reopened(hardware, span))
        }
        ("object", "network") => {
            config.networks.entry(name).or_insert(Network { span, value: Value::Empty });
            Block::Network(name)
        }
        ("object", "service") => {
            let new = Service { span, cubes: Vec::new(), protocol: None, source: None, destination: None };
            config.services.entry(name).or_insert(new);
            Block::Service(name)
        }
        ("object", "network-service") => {
            group(config, name, Kind::Open, span);
            Block::Exempt
        }
        ("object-group", _) => {
            let kind = match second {
                "network" => Kind::Network,
                "service" if line.word(3).is_empty() => Kind::Service,
                "service" => Kind::Ports,
                "protocol" => Kind::Protocol,
                "icmp-type" => Kind::Icmp,
                "user" | "security" | "network-service" => Kind::Open,
                _ => {
                    config.error((line.place(1), Text::new("unknown-word").arg("word", line.word(1))));
                    return Some(Block::Exempt);
                }
            };
            group(config, name, kind, span);
            if let Some(group) = config.groups.get_mut(name).filter(|_| kind == Kind::Ports) {
                group.protocols = match line.word(3).to_ascii_lowercase().as_str() {
                    "tcp-udp" => vec![Some(6), Some(17)],
                    word => words::protocol(word).into_iter().collect(),
                };
            }
            Block::Group(name)
        }
        ("time-range", _) => {
            config.times.entry(line.word(1)).or_insert(None);
            Block::Time(line.word(1))
        }
        // Of the types, one may be a class of a policy; what it holds is not followed.
        ("class-map", "type") => {
            let name = line.words.last().map_or("", |(_, word)| *word);
            if line.is(2, "management") {
                config.classes.entry(name).or_default().push(Asked::Open);
            }
            Block::Exempt
        }
        ("class-map", _) => {
            let name = if matches!(second, "match-any" | "match-all") { name } else { line.word(1) };
            config.classes.entry(name).or_default();
            Block::Class(name)
        }
        ("policy-map", "type") => Block::Map(line.word(4)),
        ("policy-map", _) => {
            config.policies.entry(line.word(1)).or_default();
            Block::Policy(line.word(1))
        }
        ("webvpn", _) => Block::Portal,
        ("router", _) => {
            let cubes = match second {
                "ospf" => protocol(89),
                "eigrp" => protocol(88),
                "rip" => udp(520),
                "bgp" => tcp(179),
                _ => None,
            };
            // Which networks speak it, and with whom, is not followed.
            config.note(&span, "router", true);
            let cubes = cubes.into_iter().collect();
            config.opened.push(Opened { span, interface: None, source: None, cubes, sure: false });
            mention(config, line, 2);
            Block::Exempt
        }
        // VXLAN, at an interface that is named below.
        ("nve", _) => {
            let cubes = udp(4789).into_iter().collect();
            config.note(&span, "nve", true);
            config.opened.push(Opened { span, interface: None, source: None, cubes, sure: false });
            Block::Exempt
        }
        _ => return None,
    })
}

fn group<'a>(config: &mut Config<'a>, name: &'a str, kind: Kind, span: Span) {
    config.groups.entry(name).or_insert_with(|| empty(kind, span));
}

fn empty<'a>(kind: Kind, span: Span) -> Group<'a> {
    Group {
        span,
        kind,
        addresses: Vec::new(),
        cubes: Vec::new(),
        ports: Vec::new(),
        protocols: Vec::new(),
        types: Vec::new(),
        objects: Vec::new(),
        groups: Vec::new(),
    }
}

/// A line of a block; `None` when it is none of this block.
pub fn inner<'a>(config: &mut Config<'a>, block: Block<'a>, line: &Line<'a>) -> Option<Result<(), Bad>> {
    let first = line.word(0).to_ascii_lowercase();
    if first == "description" {
        return Some(Ok(()));
    }
    if first == "no" {
        return undo::inner(config, block, line);
    }
    match block {
        Block::None => None,
        Block::Exempt => {
            mention(config, line, 0);
            (line.indent > 0).then_some(Ok(()))
        }
        Block::Interface(at) => interface(config, at, line, &first),
        Block::Network(name) => network_object(config, name, line, &first),
        Block::Service(name) => {
            if first != "service" {
                return None;
            }
            let found = service::service(line, 1);
            Some(found.map(|found| {
                if let Some(object) = config.services.get_mut(name) {
                    *object = Service { span: object.span.clone(), ..found };
                }
            }))
        }
        Block::Group(name) => member(config, name, line, &first),
        Block::Time(name) => {
            if first == "absolute"
                && let Some(until) = (1..line.words.len()).find(|at| line.is(*at, "end"))
            {
                config.times.insert(name, date(line, until + 2));
            }
            matches!(first.as_str(), "absolute" | "periodic").then_some(Ok(()))
        }
        Block::Class(name) => {
            if first != "match" {
                return None;
            }
            mention(config, line, 1);
            let asked = asked(line);
            config.classes.entry(name).or_default().push(asked);
            Some(Ok(()))
        }
        Block::Policy(name) => policy(config, name, line, &first),
        Block::Map(name) => {
            mention(config, line, 1);
            let acts =
                |at: usize| ["drop", "drop-connection", "reset", "mask"].iter().any(|word| line.is(at, word));
            if (0..line.words.len()).any(acts) {
                config.dropping.insert(name);
            }
            (line.indent > 0).then_some(Ok(()))
        }
        Block::Portal => match first.as_str() {
            "enable" => {
                config.portal.push((line.word(1), line.span.clone()));
                Some(Ok(()))
            }
            "port" => {
                config.portal_port = line.word(1).parse().ok();
                Some(Ok(()))
            }
            "dtls" if line.is(1, "port") => {
                config.portal_dtls = line.word(2).parse().ok();
                Some(Ok(()))
            }
            _ => (line.indent > 0).then_some(Ok(())),
        },
    }
}

/// `31 December 2026`, from a word on.
fn date(line: &Line<'_>, at: usize) -> Option<Date> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = line.word(at + 1).to_ascii_lowercase();
    let month = MONTHS.iter().position(|m| month.starts_with(m))? as i8 + 1;
    Date::new(line.word(at + 2).parse().ok()?, month, line.word(at).parse().ok()?).ok()
}

fn interface<'a>(
    config: &mut Config<'a>,
    at: usize,
    line: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    let address = match (first, line.word(1)) {
        ("ip" | "ipv6", word) if word.eq_ignore_ascii_case("address") => number(config, line.word(2)),
        _ => None,
    };
    let own = config.interfaces.get_mut(at)?;
    match (first, line.word(1).to_ascii_lowercase().as_str()) {
        ("nameif", name) if name.is_empty() || name.ends_with('*') => {
            return Some(Err((line.place(1), Text::new("bad-value").arg("value", line.word(1)))));
        }
        ("nameif", _) => own.name = Some(Named { name: line.word(1), span: line.span.clone() }),
        ("security-level", level) => match level.parse::<u8>().ok().filter(|l| *l <= 100) {
            Some(level) => own.level = Some((level, line.span.clone())),
            None => return Some(Err((line.place(1), Text::new("bad-value").arg("value", line.word(1))))),
        },
        ("ip", "address") => match address {
            Some(address @ IpAddr::V4(_)) => own.addresses.push((Family::V4, address_bits(address))),
            _ => own.open_address = true,
        },
        ("ipv6", "address") => {
            let net = parse_prefix(line.word(2)).filter(|n| n.addr().is_ipv6());
            match net.filter(|_| !(3..line.words.len()).any(|at| line.is(at, "eui-64"))) {
                Some(net) => own.addresses.push((Family::V6, address_bits(net.addr()))),
                None => own.open_address = true,
            }
        }
        ("ip" | "ipv6", _) => {}
        ("shutdown", _) => own.shutdown = true,
        ("management-only", _) => own.management = true,
        ("bridge-group", _) => own.bridge_group = Some(line.word(1)),
        ("zone-member", _) => own.zone = Some(line.word(1)),
        _ if exempt::on_interface(first) => {}
        // At the start of a line it may be a command of its own.
        _ if line.indent == 0 => return None,
        _ => config.bound_by(&line.stretch(0, 0), line.word(0), None),
    }
    Some(Ok(()))
}

fn network_object<'a>(
    config: &mut Config<'a>,
    name: &'a str,
    line: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    let mut words = Words { line, at: 1 };
    let value = match first {
        "host" => host(config, &mut words).map(|(f, a)| Value::Addresses(f, a, a)),
        "subnet" => network(config, &mut words).and_then(|(f, ranges)| match ranges.as_slice() {
            [(lo, hi)] => Ok(Value::Addresses(f, *lo, *hi)),
            _ => Err(words.bad()),
        }),
        "range" => host(config, &mut words).and_then(|(f, lo)| {
            let (last, hi) = host(config, &mut words)?;
            if f == last && lo <= hi { Ok(Value::Addresses(f, lo, hi)) } else { Err(words.bad()) }
        }),
        "fqdn" => {
            let family = match line.word(1).to_ascii_lowercase().as_str() {
                "v4" => Some(Family::V4),
                "v6" => Some(Family::V6),
                _ => None,
            };
            words.at += usize::from(family.is_some());
            words.next().map(|name| Value::Name(name.to_ascii_lowercase(), family))
        }
        "nat" => {
            mention(config, line, 1);
            config.mentioned.insert(name);
            // A second line replaces the first: an object has one translation.
            if !config.translated.insert(name) {
                config.nat.retain(|n| n.object != Some(name));
            }
            config.nat.push(NatLine { span: line.span.clone(), object: Some(name) });
            return Some(Ok(()));
        }
        _ => return None,
    };
    Some(value.map(|value| {
        if let Some(object) = config.networks.get_mut(name) {
            object.value = value;
        }
    }))
}

fn member<'a>(
    config: &mut Config<'a>,
    name: &'a str,
    line: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    mention(config, line, 1);
    let kind = config.groups.get(name)?.kind;
    if kind == Kind::Open {
        return Some(Ok(()));
    }
    let new = match members(config, kind, line, first) {
        Ok(new) => new?,
        Err(bad) => return Some(Err(bad)),
    };
    if let Some(group) = config.groups.get_mut(name) {
        group.addresses.extend(new.addresses);
        group.cubes.extend(new.cubes);
        group.ports.extend(new.ports);
        group.protocols.extend(new.protocols);
        group.types.extend(new.types);
        group.objects.extend(new.objects);
        group.groups.extend(new.groups);
    }
    Some(Ok(()))
}

/// What one line adds to a group of a kind; `None` when it may be a command of its own.
pub fn members<'a>(
    config: &Config<'a>,
    kind: Kind,
    line: &Line<'a>,
    first: &str,
) -> Result<Option<Group<'a>>, Bad> {
    let mut out = empty(kind, line.span.clone());
    let mut words = Words { line, at: 1 };
    let object = |at: usize| Named { name: line.word(at), span: line.place(at) };
    match (kind, first) {
        (_, "group-object") => out.groups.push(object(1)),
        (Kind::Network, "network-object") if line.is(1, "object") => out.objects.push(object(2)),
        (Kind::Network, "network-object") if line.is(1, "host") => {
            words.at += 1;
            let (family, address) = host(config, &mut words)?;
            out.addresses.push((family, address, address));
        }
        (Kind::Network, "network-object") => {
            let (family, ranges) = network(config, &mut words)?;
            out.addresses.extend(ranges.as_slice().iter().map(|(lo, hi)| (family, *lo, *hi)));
        }
        (Kind::Service, "service-object") if line.is(1, "object") => out.objects.push(object(2)),
        (Kind::Service, "service-object") => out.cubes = service::service(line, 1)?.cubes,
        (Kind::Ports, "port-object") => {
            let ranges = operator(&mut words)?.ok_or_else(|| words.unknown())?;
            out.ports.extend_from_slice(ranges.as_slice());
        }
        (Kind::Protocol, "protocol-object") => {
            let word = words.next()?;
            out.protocols.push(words::protocol(word).ok_or_else(|| words.bad())?);
        }
        (Kind::Icmp, "icmp-object") => {
            let word = words.next()?;
            let (four, six) = (words::icmp(word, false), words::icmp(word, true));
            let either = four.or(six).ok_or_else(|| words.bad())?;
            out.types.push((four.unwrap_or(either), six.unwrap_or(either)));
        }
        _ if line.indent == 0 => return Ok(None),
        _ => return Err((line.place(0), Text::new("unknown-word").arg("word", line.word(0)))),
    }
    Ok(Some(out))
}

fn asked<'a>(line: &Line<'a>) -> Asked<'a> {
    match line.word(1).to_ascii_lowercase().as_str() {
        "any" | "default-inspection-traffic" => Asked::Everything,
        "access-list" => Asked::List(Named { name: line.word(2), span: line.place(2) }),
        "port" => {
            let mut words = Words { line, at: 3 };
            let number = words::protocol(line.word(2)).flatten().filter(|n| service::PORTED.contains(n));
            let ports = operator(&mut words).ok().flatten();
            match number.zip(ports).and_then(|(n, ports)| service::ported(n, None, Some(&ports))) {
                Some(cube) => Asked::Cube(cube),
                None => Asked::Open,
            }
        }
        _ => Asked::Open,
    }
}

fn policy<'a>(
    config: &mut Config<'a>,
    name: &'a str,
    line: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    mention(config, line, 1);
    let classes = config.policies.entry(name).or_default();
    let deed = match first {
        "class" => {
            let class = Named { name: line.word(1), span: line.place(1) };
            classes.push(PolicyClass { class, deeds: Vec::new() });
            return Some(Ok(()));
        }
        // Sends the traffic elsewhere to be judged.
        "inspect" if line.is(1, "scansafe") => Deed::MayDrop("scansafe"),
        "inspect" => Deed::Inspect(line.word(1), line.words.get(2).map(|(_, word)| *word)),
        "set" if line.is(1, "connection") => {
            let limits = ["conn-max", "embryonic-conn-max", "per-client-max", "per-client-embryonic-max"];
            let limited = |at: usize| limits.iter().any(|l| line.is(at, l)) && line.word(at + 1) != "0";
            match (2..line.words.len()).any(limited) {
                true => Deed::MayDrop("set connection"),
                false if line.is(3, "tcp-state-bypass") => Deed::MayPass,
                false => return Some(Ok(())),
            }
        }
        "police" | "ips" | "sfr" | "cxsc" | "csc" => Deed::MayDrop(line.word(0)),
        _ => return (line.indent > 0).then_some(Ok(())),
    };
    if let Some(class) = classes.last_mut() {
        class.deeds.push((deed, line.span.clone()));
    }
    Some(Ok(()))
}

/// `fixup protocol X`, the old spelling of an inspection everywhere.
pub fn fixup<'a>(config: &mut Config<'a>, line: &Line<'a>) {
    const NAME: &str = "fixup";
    let policy = Named { name: NAME, span: line.span.clone() };
    let deeds = vec![(Deed::Inspect(line.word(2), None), line.span.clone())];
    config.classes.entry(NAME).or_insert_with(|| vec![Asked::Everything]);
    config.policies.entry(NAME).or_default().push(PolicyClass { class: policy.clone(), deeds });
    if !config.service_policies.iter().any(|(p, _)| p.name == NAME) {
        config.service_policies.push((policy, None));
    }
}

/// Narrows a box by an address range of a family.
pub fn from(cube: Cube, source: &(Family, u128, u128)) -> Option<Cube> {
    cube.at(Field::Family, source.0 as u128)?.with(Field::Source, &Ranges::span(source.1, source.2))
}
