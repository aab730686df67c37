//! One rule as the firewall understands it, whoever wrote it, and what it says at each place of a packet's way.

use super::addresses::{Piece, Ports, Side};
use super::network::Network;
use super::words;
use std::rc::Rc;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, InterfaceMatch, Match, NameSet, Part, Rule, Special, Term};

/// Devices of a rule beyond this are asked for once, before a chain of all the rules that name them.
const MANY: usize = 32;

/// A point on the way of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before routing, where destinations are translated.
    Translating,
    /// In by the arriving interface. Where the packet goes is known here: a rule that asks for an address of the
    /// firewall takes exactly what does not leave again.
    In,
    /// Out by the leaving interface.
    Out,
}

/// Which interfaces a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// All.
    Any,
    /// These devices.
    These(Rc<[String]>),
    /// All but these.
    Not(Rc<[String]>),
    /// Nobody knows: the file does not say which devices its interfaces are.
    Unknown,
}

impl On {
    /// One device.
    pub fn one(device: &str) -> Self {
        On::These(Rc::from([device.to_string()]))
    }

    /// As a condition on a device, where there is one.
    pub fn condition(&self) -> Option<InterfaceMatch> {
        let (list, negate) = match self {
            On::Any | On::Unknown => return None,
            On::These(list) => (list, false),
            On::Not(list) => (list, true),
        };
        Some(InterfaceMatch { patterns: list.to_vec(), negate })
    }

    /// Whether it names too many devices to repeat them in every rule.
    pub fn is_large(&self) -> bool {
        matches!(self, On::These(list) | On::Not(list) if list.len() > MANY)
    }
}

/// Which TCP packets without a connection a rule takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flags {
    /// As the kind of rule wants it: what passes needs a lone SYN, what is blocked needs nothing.
    Default,
    /// Any, also from the middle of a connection.
    Any,
    /// These values of the flags byte.
    These(Ranges),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Draft {
    pub span: Span,
    pub pass: bool,
    /// Ends the search; without it a later match counts.
    pub quick: bool,
    pub inward: bool,
    pub outward: bool,
    pub on: On,
    pub families: Vec<Family>,
    /// Word of the protocol; empty for any.
    pub protocol: String,
    /// Types of control messages, by family.
    pub types: [Option<Ranges>; 2],
    pub source: Side,
    pub destination: Side,
    pub source_ports: Option<Ports>,
    pub destination_ports: Option<Ports>,
    pub flags: Flags,
    pub doubts: Vec<Text>,
    pub log: bool,
}

/// The source that rules out see, where it was translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// What it was.
    Own,
    /// One of these, by family.
    These([Ranges; 2]),
    /// Nobody knows.
    Unknown,
}

/// What products have to share to be one condition.
#[derive(PartialEq, Eq)]
struct Kind {
    wide: bool,
    family: Family,
    local: Option<bool>,
    names: Option<Vec<String>>,
    source: bool,
    destination: bool,
}

impl Kind {
    fn goes_with(&self, other: &Kind) -> bool {
        let family = !self.wide || self.family == other.family;
        family
            && (self.local, &self.names, self.source, self.destination)
                == (other.local, &other.names, other.source, other.destination)
    }
}

/// Whether a packet leaves again, or stays as one for the firewall itself.
pub fn leaves(yes: bool) -> InterfaceMatch {
    InterfaceMatch { patterns: vec!["*".to_string()], negate: !yes }
}

impl Draft {
    /// A rule for everything that comes in, quick.
    pub fn new(span: &Span, pass: bool) -> Self {
        Draft {
            span: span.clone(),
            pass,
            quick: true,
            inward: true,
            outward: false,
            on: On::Any,
            families: Family::BOTH.to_vec(),
            protocol: String::new(),
            types: [None, None],
            source: Side::any(),
            destination: Side::any(),
            source_ports: None,
            destination_ports: None,
            flags: Flags::Default,
            doubts: Vec::new(),
            log: false,
        }
    }

    pub fn on(mut self, device: &str) -> Self {
        self.on = On::one(device);
        self
    }

    pub fn family(mut self, family: Family) -> Self {
        self.families = vec![family];
        self
    }

    pub fn protocol(mut self, word: &str) -> Self {
        self.protocol = word.to_string();
        self
    }

    pub fn types(mut self, family: Family, list: &[u128]) -> Self {
        self.types[family as usize] = Some(list.iter().map(|t| (*t, *t)).collect());
        self
    }

    pub fn from(mut self, side: Side) -> Self {
        self.source = side;
        self
    }

    pub fn to(mut self, side: Side) -> Self {
        self.destination = side;
        self
    }

    pub fn source_port(mut self, port: u128) -> Self {
        self.source_ports = Some(Ports { certain: Ranges::single(port), maybe: false });
        self
    }

    pub fn port(mut self, port: u128) -> Self {
        self.destination_ports = Some(Ports { certain: Ranges::single(port), maybe: false });
        self
    }

    pub fn logged(mut self, log: bool) -> Self {
        self.log = log;
        self
    }

    pub fn doubt(mut self, what: &str) -> Self {
        self.doubts.push(Text::new("not-modelled-match").arg("what", what));
        self
    }

    /// Whether it may pass TCP that opens nothing.
    pub fn takes_middle(&self) -> bool {
        self.pass && self.flags != Flags::Default
    }

    /// The conditions at a place. What is equally certain is one condition, so that a line is judged as a whole.
    pub fn matches(&self, place: Place, network: &Network<'_>, seen: &Seen) -> Vec<Match> {
        let mut groups: Vec<(Kind, Vec<Cube>)> = Vec::new();
        for &family in self.families_at(seen) {
            let Some(base) = self.cube(family) else { continue };
            let known = family.unwrap_or(Family::V4);
            let sources = match (seen, place) {
                (Seen::Own, _) | (_, Place::Translating | Place::In) => self.source.source(known, network),
                (seen, Place::Out) => self.seen_as(known, seen, network),
            };
            let destinations = self.destination.destination(known, place);
            for source in &sources {
                for destination in &destinations {
                    let side = |cube: Cube, field: Field, piece: &Piece| match &piece.ranges {
                        Some(ranges) => cube.with(field, ranges),
                        None => Some(cube),
                    };
                    let cube = side(base.clone(), Field::Source, source)
                        .and_then(|cube| side(cube, Field::Destination, destination));
                    let Some(cube) = cube else { continue };
                    let kind = Kind {
                        // What passes from one to any other by any service is told as that, family by family.
                        wide: self.destination.is_any() && self.protocol.is_empty(),
                        family: known,
                        local: destination.local,
                        names: destination.names.clone(),
                        source: source.sure,
                        destination: destination.sure,
                    };
                    match groups.iter_mut().find(|(known, _)| known.goes_with(&kind)) {
                        Some((_, cubes)) => cubes.push(cube),
                        None => groups.push((kind, vec![cube])),
                    }
                }
            }
        }
        groups.into_iter().map(|(kind, cubes)| self.condition(place, kind, cubes)).collect()
    }

    fn condition(&self, place: Place, kind: Kind, cubes: Vec<Cube>) -> Match {
        let mut when = Match { doubts: self.doubts.clone(), ..Match::default() };
        let condition = self.on.condition();
        if self.on == On::Unknown {
            when.doubts.push(Text::new("not-modelled-match").arg("what", "interface"));
        }
        match place {
            Place::Out => when.output.extend(condition),
            _ => when.input.extend(condition),
        }
        match (place, kind.local) {
            (_, None) => {}
            (Place::Translating, Some(local)) => {
                when.terms.push(Term::Special(vec![Special::DestinationLocal], !local));
            }
            (_, Some(local)) => when.output.push(leaves(!local)),
        }
        when.terms.extend(kind.names.map(|names| Term::Names(NameSet { names })));
        for (sure, what) in [(kind.source, "source"), (kind.destination, "destination")] {
            if !sure {
                when.doubts.push(Text::new("not-modelled-match").arg("what", what));
            }
        }
        let ports = [&self.source_ports, &self.destination_ports];
        if ports.into_iter().flatten().any(|p| p.maybe) {
            when.doubts.push(Text::new("not-modelled-match").arg("what", "port"));
        }
        if let [only] = cubes.as_slice() {
            when.cube = only.clone();
            return when;
        }
        // What all have in common is said once.
        let shared = cubes.first().map_or(&[][..], Cube::constraints);
        for (field, ranges) in shared {
            if cubes.iter().all(|c| c.ranges(*field) == Some(ranges)) {
                when.narrow(*field, ranges);
            }
        }
        let part = |cube: Cube| Part { cube, ..Part::default() };
        when.terms.push(Term::Any { parts: cubes.into_iter().map(part).collect(), negate: false });
        when
    }

    /// The families to write out; one entry `None` where both are alike.
    fn families_at(&self, seen: &Seen) -> &'static [Option<Family>] {
        const BOTH: &[Option<Family>] = &[Some(Family::V4), Some(Family::V6)];
        const ALIKE: &[Option<Family>] = &[None];
        let plain = self.source.is_any() && self.destination.is_any();
        let control =
            !matches!(self.protocol.as_str(), "" | "tcp" | "udp" | "tcp/udp" | "esp" | "ah" | "gre");
        match self.families.as_slice() {
            [Family::V4] => &BOTH[..1],
            [Family::V6] => &BOTH[1..],
            [] => &[],
            _ if plain && !control && matches!(seen, Seen::Own) => ALIKE,
            _ => BOTH,
        }
    }

    /// What holds for all pieces of a family; `None` for what no packet of it can be.
    fn cube(&self, family: Option<Family>) -> Option<Cube> {
        let mut cube = Cube::all();
        if let Some(family) = family {
            cube = cube.at(Field::Family, family as u128)?;
        }
        if let Some(protocols) = words::protocols(&self.protocol, family.unwrap_or(Family::V4)).ok()? {
            cube = cube.with(Field::Protocol, &protocols)?;
        }
        if let Some(types) = family.and_then(|f| self.types[f as usize].as_ref()) {
            cube = cube.with(Field::SourcePort, types)?;
        }
        for (field, ports) in
            [(Field::SourcePort, &self.source_ports), (Field::DestinationPort, &self.destination_ports)]
        {
            if let Some(ports) = ports.as_ref().filter(|p| !p.maybe) {
                cube = cube.with(field, &ports.certain)?;
            }
        }
        match &self.flags {
            Flags::These(values) => cube.with(Field::TcpFlags, values),
            _ => Some(cube),
        }
    }

    /// The source as a rule out sees it behind a translation: the same for every packet, or not known.
    fn seen_as(&self, family: Family, seen: &Seen, network: &Network<'_>) -> Vec<Piece> {
        let all = |sure| vec![Piece { sure, ..Piece::default() }];
        if self.source.is_any() {
            return all(true);
        }
        let Seen::These(target) = seen else { return all(false) };
        let target = &target[family as usize];
        let full = Ranges::full(family.max_address());
        let pieces = self.source.source(family, network);
        let range = |p: &Piece| p.ranges.clone().unwrap_or_else(|| full.clone());
        let sure = pieces.iter().filter(|p| p.sure).fold(Ranges::empty(), |all, p| all.union(&range(p)));
        if target.is_subset(&sure) {
            return all(true);
        }
        match pieces.iter().any(|p| range(p).meets(target)) {
            true => all(false),
            false => Vec::new(),
        }
    }

    /// The rules at a place, all with the same action.
    pub fn rules(&self, place: Place, network: &Network<'_>, seen: &Seen, action: &Action) -> Vec<Rule> {
        let rule = |when| Rule { span: self.span.clone(), when, action: action.clone(), log: self.log };
        self.matches(place, network, seen).into_iter().map(rule).collect()
    }
}
