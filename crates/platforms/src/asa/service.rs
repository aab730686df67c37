//! Protocols, ports and ICMP types: of entries, service objects and groups.

use super::address::Resolver;
use super::config::{Group, Kind, Named, Service};
use super::lines::{Bad, Line, Words};
use super::words;
use std::collections::HashMap;
use std::rc::Rc;
use tillgate_model::{Family, Ranges, Text};
use tillgate_packetset::{Cube, Field};

/// TCP, UDP and SCTP: protocols with ports.
pub const PORTED: [u8; 3] = [6, 17, 132];

/// What a service group holds: boxes; with `open`, other packets too, perhaps.
#[derive(Clone, Debug, Default)]
pub struct Services {
    pub cubes: Vec<Cube>,
    pub open: bool,
}

const PORTS: u128 = 65535;

/// The box of a protocol; ICMP belongs to one family. `None` is every protocol.
pub fn protocol(number: Option<u8>) -> Cube {
    let Some(number) = number else { return Cube::all() };
    let cube = Cube::all().at(Field::Protocol, number.into());
    let family = match number {
        1 => Some(Family::V4),
        58 => Some(Family::V6),
        _ => None,
    };
    match family {
        Some(family) => cube.and_then(|c| c.at(Field::Family, family as u128)),
        None => cube,
    }
    .unwrap_or_default()
}

/// A protocol with its ports; every port where none are given.
pub fn ported(number: u8, source: Option<&Ranges>, destination: Option<&Ranges>) -> Option<Cube> {
    let mut cube = protocol(Some(number));
    for (field, ranges) in [(Field::SourcePort, source), (Field::DestinationPort, destination)] {
        if let Some(ranges) = ranges {
            cube = cube.with(field, ranges)?;
        }
    }
    Some(cube)
}

/// An ICMP type, with a code where there is one.
pub fn icmp(v6: bool, kinds: &Ranges, code: Option<u8>) -> Option<Cube> {
    let cube = protocol(Some(if v6 { 58 } else { 1 })).with(Field::SourcePort, kinds)?;
    match code {
        Some(code) => cube.at(Field::DestinationPort, code.into()),
        None => Some(cube),
    }
}

/// `eq P`, `neq P`, `lt P`, `gt P`, `range P P`; `None` when no operator stands here.
pub fn operator(words: &mut Words<'_, '_>) -> Result<Option<Ranges>, Bad> {
    let op = words.peek().to_ascii_lowercase();
    if !matches!(op.as_str(), "eq" | "neq" | "lt" | "gt" | "range") {
        return Ok(None);
    }
    words.at += 1;
    let port = |words: &mut Words<'_, '_>| -> Result<u128, Bad> {
        let word = words.next()?;
        words::port(word).map(u128::from).ok_or_else(|| words.bad())
    };
    let first = port(words)?;
    let ranges = match op.as_str() {
        "eq" => Ranges::single(first),
        "neq" => Ranges::single(first).complement(PORTS),
        "lt" => first.checked_sub(1).map_or(Ranges::empty(), Ranges::full),
        "gt" => Ranges::span(first + 1, PORTS),
        _ => {
            let last = port(words)?;
            // The device turns the ends round.
            Ranges::span(first.min(last), first.max(last))
        }
    };
    if ranges.is_empty() { Err(words.bad()) } else { Ok(Some(ranges)) }
}

/// What stands behind `service` and `service-object`.
pub fn service(line: &Line<'_>, at: usize) -> Result<Service, Bad> {
    let mut words = Words { line, at };
    let word = words.next()?;
    let mut out = Service {
        span: line.span.clone(),
        cubes: Vec::new(),
        protocol: None,
        source: None,
        destination: None,
    };
    let numbers = match word.to_ascii_lowercase().as_str() {
        "tcp-udp" => vec![6, 17],
        _ => match words::protocol(word).ok_or_else(|| words.bad())? {
            None => {
                out.cubes.push(Cube::all());
                return ended(&words, out);
            }
            Some(number) => vec![number],
        },
    };
    out.protocol = numbers.first().copied().filter(|_| numbers.len() == 1);
    if numbers.iter().all(|n| PORTED.contains(n)) {
        if words.take("source") {
            out.source = Some(operator(&mut words)?.ok_or_else(|| words.unknown())?);
        }
        let named = words.take("destination");
        // Older software prints destination ports without the word.
        out.destination = operator(&mut words)?;
        if named && out.destination.is_none() {
            return Err(words.unknown());
        }
        let cubes = numbers.iter().filter_map(|n| ported(*n, out.source.as_ref(), out.destination.as_ref()));
        out.cubes.extend(cubes);
    } else if let [number @ (1 | 58)] = numbers.as_slice()
        && !words.done()
    {
        let v6 = *number == 58;
        let kind = words.next()?;
        let kind = words::icmp(kind, v6).ok_or_else(|| words.bad())?;
        let code = code(&mut words)?;
        out.cubes.extend(icmp(v6, &Ranges::single(kind.into()), code));
    } else {
        out.cubes.extend(numbers.iter().map(|n| protocol(Some(*n))));
    }
    ended(&words, out)
}

fn ended(words: &Words<'_, '_>, service: Service) -> Result<Service, Bad> {
    if words.done() { Ok(service) } else { Err(words.unknown()) }
}

/// An ICMP code, if one stands here.
pub fn code(words: &mut Words<'_, '_>) -> Result<Option<u8>, Bad> {
    match words.peek().parse::<u8>() {
        Ok(code) => {
            words.at += 1;
            Ok(Some(code))
        }
        Err(_) => Ok(None),
    }
}

/// Boxes that differ in their destination ports alone as one.
pub fn merged(cubes: Vec<Cube>) -> Vec<Cube> {
    if cubes.len() < 2 {
        return cubes;
    }
    // Everything but the ports, and the ports where there are any.
    type Split = (Cube, Option<Vec<(u128, u128)>>);
    let mut order: Vec<Split> = Vec::new();
    let mut places: HashMap<Cube, usize> = HashMap::new();
    for cube in cubes {
        let ports = cube.ranges(Field::DestinationPort).map(|r| r.as_slice().to_vec());
        let rest = cube.without(Field::DestinationPort);
        match places.get(&rest).and_then(|at| order.get_mut(*at)) {
            None => {
                places.insert(rest.clone(), order.len());
                order.push((rest, ports));
            }
            Some((_, known)) => match (known.as_mut(), ports) {
                (Some(known), Some(more)) => known.extend(more),
                _ => *known = None,
            },
        }
    }
    let one = |(rest, ports): Split| match ports {
        None => Some(rest),
        Some(list) => rest.with(Field::DestinationPort, &Ranges::from_unsorted(list)),
    };
    order.into_iter().filter_map(one).collect()
}

impl<'a> Resolver<'a> {
    fn unknown(&mut self, named: &Named<'a>) {
        self.errors.push((named.span.clone(), Text::new("unknown-object").arg("name", named.name)));
    }

    /// All groups under one, itself first, each once.
    fn all_groups(&mut self, named: &Named<'a>) -> Vec<&'a str> {
        let (mut out, mut todo) = (Vec::new(), vec![named.clone()]);
        let mut seen = std::collections::HashSet::new();
        while let Some(next) = todo.pop() {
            let Some(group) = self.config.groups.get(next.name) else {
                self.unknown(&next);
                continue;
            };
            if seen.insert(next.name) {
                out.push(next.name);
                todo.extend(group.groups.iter().cloned());
            }
        }
        out
    }

    /// Something of a group and all groups under it.
    fn gathered<T>(&mut self, named: &Named<'a>, take: impl Fn(&Group<'a>) -> Vec<T>) -> Vec<T> {
        let names = self.all_groups(named);
        names.iter().filter_map(|n| self.config.groups.get(n)).flat_map(take).collect()
    }

    /// The ports of a port group.
    pub fn ports(&mut self, named: &Named<'a>) -> Ranges {
        Ranges::from_unsorted(self.gathered(named, |g| g.ports.clone()))
    }

    /// The types of an ICMP group.
    pub fn types(&mut self, named: &Named<'a>, v6: bool) -> Ranges {
        let list = self.gathered(named, |g| g.types.clone());
        list.into_iter().map(|(four, six)| u128::from(if v6 { six } else { four })).map(|t| (t, t)).collect()
    }

    /// The protocols of a protocol group.
    pub fn protocols(&mut self, named: &Named<'a>) -> Vec<Option<u8>> {
        let mut list = self.gathered(named, |g| g.protocols.clone());
        list.sort_unstable();
        list.dedup();
        if list.contains(&None) { vec![None] } else { list }
    }

    /// The services of a service object or group.
    pub fn services(&mut self, named: &Named<'a>, group: bool) -> Rc<Services> {
        if !group {
            return match self.config.services.get(named.name) {
                Some(object) => Rc::new(Services { cubes: object.cubes.clone(), open: false }),
                None => {
                    self.unknown(named);
                    Rc::new(Services { cubes: Vec::new(), open: true })
                }
            };
        }
        if let Some(known) = self.services.get(named.name) {
            return Rc::clone(known);
        }
        let mut out = Services::default();
        let names = self.all_groups(named);
        for name in &names {
            let Some(group) = self.config.groups.get(name) else { continue };
            out.open |= group.kind == Kind::Open;
            out.cubes.extend(group.cubes.iter().cloned());
            let config = self.config;
            for object in &group.objects {
                match config.services.get(object.name) {
                    Some(found) => out.cubes.extend(found.cubes.iter().cloned()),
                    None => {
                        self.unknown(object);
                        out.open = true;
                    }
                }
            }
        }
        out.cubes = merged(out.cubes);
        let out = Rc::new(out);
        self.services.insert(named.name, Rc::clone(&out));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_one_protocol_become_one_box() {
        let tcp = |port| ported(6, None, Some(&Ranges::single(port))).unwrap();
        let udp = ported(17, None, Some(&Ranges::single(53))).unwrap();
        let found = merged(vec![tcp(80), udp.clone(), tcp(443)]);
        let ports = Ranges::from_unsorted(vec![(80, 80), (443, 443)]);
        assert_eq!(found, [ported(6, None, Some(&ports)).unwrap(), udp]);
    }
}
