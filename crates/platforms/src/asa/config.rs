//! What a configuration says about packets, before it becomes rules.

use super::lines::Bad;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use tillgate_model::{Date, Diagnostic, Family, Ranges, Span, Text};
use tillgate_packetset::Cube;
use tillgate_ruleset::{Fact, Note, What};

/// A name with the place that uses it.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    pub name: &'a str,
    pub span: Span,
}

/// An interface block.
#[derive(Debug)]
pub struct Interface<'a> {
    pub span: Span,
    /// The word behind `interface`.
    pub hardware: String,
    /// `nameif`; lists and levels are bound to it.
    pub name: Option<Named<'a>>,
    pub level: Option<(u8, Span)>,
    /// Own addresses.
    pub addresses: Vec<(Family, u128)>,
    /// More addresses come by DHCP, PPPoE or autoconfiguration.
    pub open_address: bool,
    /// Down by itself, or as a part of one that is.
    pub shutdown: bool,
    pub management: bool,
    pub bridge_group: Option<&'a str>,
    pub zone: Option<&'a str>,
    /// `no forward interface`, of an ASA 5505.
    pub not_to: Option<&'a str>,
}

impl<'a> Interface<'a> {
    /// The name, of an interface that carries something.
    pub fn active(&self) -> Option<&'a str> {
        self.name.as_ref().filter(|_| !self.shutdown).map(|n| n.name)
    }

    /// The level: what is set, or the default of its name.
    pub fn level(&self) -> u8 {
        let inside = self.name.as_ref().is_some_and(|n| n.name.eq_ignore_ascii_case("inside"));
        self.level.as_ref().map_or(if inside { 100 } else { 0 }, |(level, _)| *level)
    }

    /// Where its level is said.
    pub fn level_span(&self) -> Span {
        let named = self.name.as_ref().map(|n| n.span.clone());
        self.level.as_ref().map(|(_, s)| s.clone()).or(named).unwrap_or_else(|| self.span.clone())
    }
}

/// What a network object stands for.
#[derive(Clone, Debug)]
pub enum Value {
    /// Not defined yet.
    Empty,
    Addresses(Family, u128, u128),
    /// A name it looks up, and the one family if it is not both.
    Name(String, Option<Family>),
}

/// A network object.
#[derive(Debug)]
pub struct Network {
    pub span: Span,
    pub value: Value,
}

/// A service object: what it fits, and the ports of either side for translations.
#[derive(Debug)]
pub struct Service {
    pub span: Span,
    pub cubes: Vec<Cube>,
    pub protocol: Option<u8>,
    pub source: Option<Ranges>,
    pub destination: Option<Ranges>,
}

/// What kind of members a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Network,
    /// Protocols with their ports; stands in place of the protocol.
    Service,
    /// Ports; stands behind an address.
    Ports,
    Protocol,
    Icmp,
    /// Users, security groups, domains: what only the device knows.
    Open,
}

/// A group.
#[derive(Debug)]
pub struct Group<'a> {
    pub span: Span,
    pub kind: Kind,
    pub addresses: Vec<(Family, u128, u128)>,
    pub cubes: Vec<Cube>,
    pub ports: Vec<(u128, u128)>,
    pub protocols: Vec<Option<u8>>,
    pub types: Vec<(u8, u8)>,
    pub objects: Vec<Named<'a>>,
    pub groups: Vec<Named<'a>>,
}

/// What kind of access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    Extended,
    /// `ipv6 access-list`, before 9.0.
    Six,
    /// Standard, webtype: can be bound to no interface.
    Standard,
    /// Ethertype: filters no packets of the kind that is judged.
    Ethertype,
}

impl ListKind {
    /// Whether it filters packets of the kind that is judged.
    pub fn filters(self) -> bool {
        matches!(self, ListKind::Extended | ListKind::Six)
    }
}

/// An access list: its lines as they stand, remarks among them.
#[derive(Debug)]
pub struct List {
    pub kind: ListKind,
    /// A remark does not say what kind of list it is in.
    pub remarks_alone: bool,
    /// The first line, for what is said about the whole.
    pub span: Span,
    pub lines: Vec<Span>,
}

/// Where a list is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    In,
    Out,
    /// To the device itself.
    ControlPlane,
    Global,
}

/// An `access-group`.
#[derive(Clone, Debug)]
pub struct Applied<'a> {
    pub list: &'a str,
    pub point: Point,
    /// `None` where it is global.
    pub interface: Option<Named<'a>>,
    pub span: Span,
    /// Lists of logged-in users may replace it.
    pub overridden: bool,
}

/// A `nat` line; of a network object, or of its own.
#[derive(Clone, Debug)]
pub struct NatLine<'a> {
    pub span: Span,
    pub object: Option<&'a str>,
}

/// A line that lets sources use a service of the device: ssh, telnet, http.
#[derive(Debug)]
pub struct Access<'a> {
    pub span: Span,
    pub service: &'static str,
    pub source: (Family, u128, u128),
    pub interface: Named<'a>,
}

/// An `icmp` or `ipv6 icmp` line.
#[derive(Debug)]
pub struct IcmpLine<'a> {
    pub span: Span,
    pub family: Family,
    pub permit: bool,
    pub source: Option<(u128, u128)>,
    pub kind: Option<u8>,
    pub interface: Named<'a>,
}

/// A service of the device that a feature opens.
#[derive(Debug)]
pub struct Opened<'a> {
    pub span: Span,
    /// `None` for every interface.
    pub interface: Option<&'a str>,
    pub source: Option<(Family, u128, u128)>,
    pub cubes: Vec<Cube>,
    /// Whether it surely answers there.
    pub sure: bool,
}

/// What a class asks.
#[derive(Debug)]
pub enum Asked<'a> {
    Everything,
    List(Named<'a>),
    Cube(Cube),
    /// Not followed: anything may be in it.
    Open,
}

/// What a policy does with a class.
#[derive(Debug)]
pub enum Deed<'a> {
    /// Looks into a protocol, by a map of this name.
    Inspect(&'a str, Option<&'a str>),
    /// Lets TCP pass without a connection.
    MayPass,
    /// May drop what the class holds.
    MayDrop(&'a str),
}

/// A class of a policy with its deeds and their places.
#[derive(Debug)]
pub struct PolicyClass<'a> {
    pub class: Named<'a>,
    pub deeds: Vec<(Deed<'a>, Span)>,
}

/// Settings of the log.
#[derive(Debug, Default)]
pub struct Logging {
    pub enabled: bool,
    /// The level of each destination.
    pub levels: BTreeMap<String, u8>,
    /// Messages with a level of their own; `None`: switched off.
    pub messages: BTreeMap<u32, Option<u8>>,
}

impl Logging {
    /// The largest level any destination takes.
    pub fn level(&self) -> Option<u8> {
        self.levels.values().max().copied()
    }

    /// Whether a message of this number is written somewhere.
    pub fn writes(&self, message: u32, level: u8) -> bool {
        let level = self.messages.get(&message).copied().unwrap_or(Some(level));
        self.enabled && level.zip(self.level()).is_some_and(|(of, most)| of <= most)
    }
}

/// Something that is not modelled and may decide about packets.
#[derive(Debug)]
pub struct Bound<'a> {
    pub span: Span,
    pub what: Text,
    /// Interfaces it is about; none for all.
    pub input: Option<&'a str>,
    pub source: Option<(Family, u128, u128)>,
}

/// The whole of it.
#[derive(Default)]
pub struct Config<'a> {
    pub version: Option<(u32, u32)>,
    /// A place for what no line says.
    pub head: Option<Span>,
    pub transparent: bool,
    pub interfaces: Vec<Interface<'a>>,
    /// Places of interfaces by name; names of interfaces have no case.
    by_name: HashMap<String, usize>,
    /// The same by hardware.
    by_hardware: HashMap<String, usize>,
    pub aliases: HashMap<&'a str, IpAddr>,
    /// `same-security-traffic permit` between interfaces, and out again by the same one.
    pub inter: bool,
    pub intra: bool,
    pub networks: BTreeMap<&'a str, Network>,
    pub services: BTreeMap<&'a str, Service>,
    pub groups: BTreeMap<&'a str, Group<'a>>,
    pub lists: BTreeMap<&'a str, List>,
    pub applied: Vec<Applied<'a>>,
    pub nat: Vec<NatLine<'a>>,
    /// Objects with a translation.
    pub translated: HashSet<&'a str>,
    pub access: Vec<Access<'a>>,
    pub http: Option<u16>,
    pub icmp: Vec<IcmpLine<'a>>,
    pub opened: Vec<Opened<'a>>,
    /// Interfaces with a web portal, and its port.
    pub portal: Vec<(&'a str, Span)>,
    pub portal_port: Option<u16>,
    /// Its port for DTLS, where that is another one.
    pub portal_dtls: Option<u16>,
    pub logging: Logging,
    /// Time ranges, with the last day of those that end for good.
    pub times: BTreeMap<&'a str, Option<Date>>,
    pub classes: BTreeMap<&'a str, Vec<Asked<'a>>>,
    pub policies: BTreeMap<&'a str, Vec<PolicyClass<'a>>>,
    /// Inspection maps that drop what they match.
    pub dropping: HashSet<&'a str>,
    pub service_policies: Vec<(Named<'a>, Option<&'a str>)>,
    /// `aaa … match`: list, interface.
    pub logins: Vec<(Named<'a>, &'a str)>,
    /// Lists of crypto maps by map, and the interfaces maps are bound to.
    pub crypto: Vec<(&'a str, Named<'a>)>,
    pub crypto_interfaces: BTreeMap<&'a str, Vec<&'a str>>,
    /// Maps with an entry that is a dynamic map: map, dynamic map.
    pub crypto_dynamic: Vec<(&'a str, Named<'a>)>,
    /// The entries of dynamic maps, by map and number, with the list of those that have one.
    pub dynamic_entries: BTreeMap<&'a str, BTreeMap<&'a str, Option<Named<'a>>>>,
    /// `ip verify reverse-path`.
    pub reverse_path: Vec<Named<'a>>,
    pub bounds: Vec<Bound<'a>>,
    /// Lines compared to take some back.
    pub compared: usize,
    /// Every word that may refer to something, to find what nothing refers to.
    pub mentioned: HashSet<&'a str>,
    pub notes: Vec<Note>,
    pub facts: Vec<Fact>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Config<'a> {
    /// Whether IPv6 has lists of its own (before 9.0), and `any` is IPv4.
    pub fn old(&self) -> bool {
        self.version.is_some_and(|v| v < (9, 0))
    }

    /// Whether interfaces are described at all; without, this is a part of a configuration.
    pub fn complete(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// The interface of a name.
    pub fn interface(&self, name: &str) -> Option<&Interface<'a>> {
        self.interfaces.get(*self.by_name.get(&name.to_ascii_lowercase())?)
    }

    /// The interface behind a hardware name.
    pub fn hardware(&self, name: &str) -> Option<&Interface<'a>> {
        self.interfaces.get(*self.by_hardware.get(&hardware_key(name))?)
    }

    /// The place of an interface by its hardware name; a new one if none has that name yet.
    pub fn reopened(&mut self, hardware: &str, span: Span) -> usize {
        let next = self.interfaces.len();
        let at = *self.by_hardware.entry(hardware_key(hardware)).or_insert(next);
        if at == next {
            self.interfaces.push(Interface {
                span,
                hardware: hardware.to_string(),
                name: None,
                level: None,
                addresses: Vec::new(),
                open_address: false,
                shutdown: false,
                management: false,
                bridge_group: None,
                zone: None,
                not_to: None,
            });
        }
        at
    }

    /// Forgets all that was said; what was wrong in it stays wrong.
    pub fn clear(&mut self) {
        let old = std::mem::take(self);
        self.version = old.version;
        self.head = old.head;
        self.transparent = old.transparent;
        self.diagnostics = old.diagnostics;
    }

    /// Notes the places of names, and what is down with its parent; once, when everything is read.
    pub fn index(&mut self) {
        let down = |i: &&Interface<'_>| i.shutdown;
        let down: HashSet<String> =
            self.interfaces.iter().filter(down).map(|i| hardware_key(&i.hardware)).collect();
        for (at, interface) in self.interfaces.iter_mut().enumerate() {
            let key = hardware_key(&interface.hardware);
            interface.shutdown |= key.split_once('.').is_some_and(|(parent, _)| down.contains(parent));
            if let Some(name) = &interface.name {
                self.by_name.entry(name.name.to_ascii_lowercase()).or_insert(at);
            }
        }
    }

    /// The addresses of an interface; `None` where they are not all in the file.
    pub fn addresses(&self, name: &str, family: Family) -> Option<Ranges> {
        let found = self.interface(name).filter(|i| !i.open_address)?;
        let own = found.addresses.iter().filter(|(f, _)| *f == family);
        Some(own.map(|(_, a)| (*a, *a)).collect())
    }

    /// A name as its interface spells it; as it is where no interface is described.
    pub fn spelled<'n>(&'n self, name: &'n str) -> &'n str {
        self.interface(name).and_then(|i| i.name.as_ref()).map_or(name, |n| n.name)
    }

    /// The interfaces a part of a configuration knows: those its lines name.
    pub fn named(&self) -> BTreeMap<&str, &Span> {
        let applied = self.applied.iter().filter_map(|a| a.interface.as_ref().map(|i| (i.name, &a.span)));
        let access = self.access.iter().map(|a| (a.interface.name, &a.span));
        let opened = self.opened.iter().filter_map(|o| o.interface.map(|i| (i, &o.span)));
        access.chain(opened).chain(applied).collect()
    }

    /// Names of interfaces that lines refer to and no interface of a complete file has.
    pub fn strangers(&self) -> Vec<Bad> {
        if !self.complete() {
            return Vec::new();
        }
        let applied = self.applied.iter().filter_map(|a| a.interface.as_ref());
        let access = self.access.iter().map(|a| &a.interface);
        let icmp = self.icmp.iter().map(|i| &i.interface);
        let strange = applied.chain(access).chain(icmp).filter(|n| self.interface(n.name).is_none());
        strange.map(|n| (n.span.clone(), Text::new("unknown-object").arg("name", n.name))).collect()
    }

    /// Lists bound to interfaces that no such list can be bound to.
    pub fn misapplied(&self) -> Vec<Bad> {
        let standard =
            |a: &&Applied<'_>| self.lists.get(a.list).is_some_and(|l| l.kind == ListKind::Standard);
        let bad = |a: &Applied<'_>| (a.span.clone(), Text::new("bad-value").arg("value", a.list));
        self.applied.iter().filter(standard).map(bad).collect()
    }

    /// Takes back what was said beside the rules about a line.
    pub fn forget(&mut self, span: &Span) {
        let at = |other: &Span| other.start == span.start && other.file.name == span.file.name;
        self.facts.retain(|f| !at(&f.span));
        self.notes.retain(|n| !at(&n.span));
        self.bounds.retain(|b| !at(&b.span));
    }

    /// Reports something wrong.
    pub fn error(&mut self, (span, text): Bad) {
        self.diagnostics.push(Diagnostic::error(span, text));
    }

    /// Tells of something that is not modelled.
    pub fn note(&mut self, span: &Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.notes.push(Note { span: span.clone(), text, bears });
    }

    /// Something that is not modelled and may decide about any packet.
    pub fn bound_by(&mut self, span: &Span, what: &str, input: Option<&'a str>) {
        self.note(span, what, true);
        let what = Text::new("not-modelled-statement").arg("what", what);
        self.bounds.push(Bound { span: span.clone(), what, input, source: None });
    }

    /// Says something beside the rules.
    pub fn fact(&mut self, span: &Span, what: What) {
        self.facts.push(Fact { span: span.clone(), what });
    }
}

/// Kinds of interfaces, whose names may be typed shortened.
const HARDWARE: &[&str] = &[
    "gigabitethernet",
    "ethernet",
    "tengigabitethernet",
    "fastethernet",
    "management",
    "port-channel",
    "redundant",
    "vlan",
    "bvi",
    "tunnel",
    "loopback",
    "vni",
    "internal-data",
    "twentyfivegige",
    "fortygigabitethernet",
    "hundredgige",
];

/// A hardware name without case and blanks, its kind spelled out.
fn hardware_key(name: &str) -> String {
    let name: String = name.to_ascii_lowercase().split_ascii_whitespace().collect();
    let digits = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (kind, place) = name.split_at(digits);
    let full = HARDWARE.iter().find(|full| !kind.is_empty() && full.starts_with(kind));
    format!("{}{place}", full.unwrap_or(&kind))
}
