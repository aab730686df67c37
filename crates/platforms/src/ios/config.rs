//! What a configuration says about packets, before it becomes rules.

use super::entry::{Entry, Service};
use super::words::Ports;
use std::collections::{BTreeMap, HashSet};
use tillgate_model::{Date, Family, Ranges, Span, Text};

/// Which way through an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    In,
    Out,
}

/// A name with the place that uses it.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub span: Span,
}

/// An access list.
#[derive(Debug)]
pub struct List {
    /// Its first line.
    pub span: Span,
    pub standard: bool,
    /// By sequence number, once the file is read.
    pub items: Vec<(u32, Item)>,
    /// The largest number so far.
    last: u32,
}

/// What stands in an access list.
#[derive(Debug)]
pub enum Item {
    Entry(Box<Entry>),
    /// The mirrored packets of what a reflexive list of this name remembers.
    Evaluate(Named),
}

impl List {
    /// An empty list.
    pub fn new(span: &Span, standard: bool) -> Self {
        List { span: span.clone(), standard, items: Vec::new(), last: 0 }
    }

    /// Adds an item under its number; without one it goes to the end.
    pub fn add(&mut self, sequence: Option<u32>, item: Item) {
        let number = sequence.unwrap_or(self.last.saturating_add(10));
        self.last = self.last.max(number);
        self.items.push((number, item));
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.items.iter().filter_map(|(_, item)| match item {
            Item::Entry(entry) => Some(&**entry),
            Item::Evaluate(_) => None,
        })
    }
}

/// A group of addresses.
#[derive(Debug)]
pub struct Networks {
    pub span: Span,
    pub ranges: Vec<(u128, u128)>,
    pub groups: Vec<String>,
    /// Holds members that are not modelled, such as names.
    pub open: bool,
}

/// A group of services.
#[derive(Debug)]
pub struct ServiceGroup {
    pub span: Span,
    pub services: Vec<Service>,
    pub groups: Vec<String>,
}

/// Reverse-path check of an interface.
#[derive(Clone, Debug)]
pub struct ReversePath {
    pub span: Span,
    /// Any route to the source will do.
    pub loose: bool,
    /// A default route counts as a route.
    pub default: bool,
    /// A list lets some of it through, or the check is otherwise not followed.
    pub open: bool,
}

/// Which side of address translation an interface is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatSide {
    Inside,
    Outside,
    /// `ip nat enable`.
    Both,
}

/// Something on an interface that may drop packets.
#[derive(Clone, Debug)]
pub struct Bound {
    pub span: Span,
    pub what: String,
    /// The one direction it is about.
    pub direction: Option<Direction>,
    pub family: Option<Family>,
    /// Worth a note: not for what everybody has, such as a port that is down.
    pub bears: bool,
}

/// An interface.
#[derive(Debug)]
pub struct Interface {
    /// Own IPv4 addresses, each with its subnet.
    pub addresses: Vec<(u32, Ranges)>,
    /// More addresses come by DHCP, PPP or from elsewhere.
    pub open_address: bool,
    pub lists: BTreeMap<(Family, Direction), Named>,
    pub zone: Option<Named>,
    pub nat: Option<NatSide>,
    pub inspect: BTreeMap<Direction, Named>,
    pub reverse_path: BTreeMap<Family, ReversePath>,
    pub bounds: Vec<Bound>,
    pub policies: Vec<(Direction, Named)>,
    pub shutdown: Option<Span>,
    /// A port of a switch, and its VLAN.
    pub switchport: bool,
    pub vlan: Option<u16>,
}

/// What a class map asks.
#[derive(Debug)]
pub struct Criterion {
    pub span: Span,
    pub negate: bool,
    pub what: Asked,
}

/// A condition of a class map.
#[derive(Debug)]
pub enum Asked {
    List(String),
    Protocol(String),
    Class(String),
    Open(String),
}

/// A class map for inspection.
#[derive(Debug)]
pub struct Class {
    pub span: Span,
    /// One of its lines is enough.
    pub any: bool,
    /// About an application (`type inspect http`), which is not modelled.
    pub application: bool,
    pub lines: Vec<Criterion>,
}

/// What a policy does with a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Inspect,
    Pass,
    Drop,
}

/// A class in a policy map.
#[derive(Debug)]
pub struct PolicyClass {
    pub span: Span,
    /// `None`: class-default.
    pub class: Option<String>,
    pub deed: Option<(Deed, Span)>,
    pub log: bool,
    pub doubts: Vec<Text>,
}

/// A policy map for inspection.
#[derive(Debug)]
pub struct Policy {
    pub span: Span,
    pub classes: Vec<PolicyClass>,
}

/// A zone pair.
#[derive(Debug)]
pub struct Pair {
    pub span: Span,
    pub source: String,
    pub destination: String,
    pub policy: Option<Named>,
}

/// Which packets a translation is about.
#[derive(Clone, Debug)]
pub enum Chosen {
    List(String),
    RouteMap(String),
}

/// An outside address.
#[derive(Clone, Debug)]
pub enum Global {
    /// First and last address.
    Addresses(u32, u32),
    /// The address of this interface.
    Interface(String),
    Pool(String),
}

/// A translation of inside addresses.
#[derive(Debug)]
pub struct Nat {
    pub span: Span,
    pub kind: NatKind,
}

/// How addresses are translated.
#[derive(Debug)]
pub enum NatKind {
    /// Outgoing sessions only.
    Source { chosen: Chosen, to: Global },
    /// Both ways; `size` addresses from `local` on.
    Static { ports: Option<Ports>, local: u32, size: u32, to: Global, open: bool },
    /// New packets to what a list chooses go to one of a pool.
    Rotary { list: String },
    /// Not modelled: anything that comes in by the outside interfaces may be translated.
    Open,
}

/// A clause of a route map.
#[derive(Debug)]
pub struct Clause {
    pub permit: bool,
    pub lists: Vec<String>,
    pub interfaces: Vec<String>,
    pub open: bool,
}

/// A range of terminal lines.
#[derive(Debug)]
pub struct Lines {
    pub lists: BTreeMap<Family, Named>,
}

/// A list that limits who may use a service of the router: protocol, first and last port.
#[derive(Debug)]
pub struct Limited {
    pub span: Span,
    pub family: Family,
    pub protocol: u8,
    pub ports: Vec<u16>,
    pub what: String,
}

/// The whole of it.
#[derive(Default)]
pub struct Config<'a> {
    pub interfaces: BTreeMap<String, Interface>,
    pub lists: BTreeMap<(Family, String), List>,
    pub networks: BTreeMap<String, Networks>,
    pub services: BTreeMap<String, ServiceGroup>,
    pub classes: BTreeMap<String, Class>,
    pub policies: BTreeMap<String, Policy>,
    /// Policy maps of quality of service that may drop packets.
    pub dropping: HashSet<String>,
    pub zones: BTreeMap<String, Span>,
    pub pairs: BTreeMap<String, Pair>,
    /// In file order.
    pub nat: BTreeMap<usize, Nat>,
    pub pools: BTreeMap<String, (u32, u32)>,
    pub route_maps: BTreeMap<String, BTreeMap<u32, Clause>>,
    /// `ip port-map`: ports beside those every system has.
    pub applications: BTreeMap<String, Vec<Ports>>,
    /// `ip inspect name`: protocols of each name.
    pub inspections: BTreeMap<String, Vec<Named>>,
    pub terminals: Vec<Lines>,
    pub limited: Vec<Limited>,
    /// Time ranges, with the last day of those that end for good.
    pub times: BTreeMap<String, Option<Date>>,
    /// VLANs whose packets an access map may drop.
    pub vlan_maps: Vec<(Span, Vec<(u16, u16)>)>,
    /// The control plane's policy.
    pub control_plane: Option<Named>,
    /// Where it is said that a family is not forwarded.
    pub unrouted: BTreeMap<Family, Span>,
    /// Lines that are not modelled and may decide about any packet.
    pub open: Vec<(Span, Text)>,
    /// Every word that may refer to something, to find what nothing refers to.
    pub mentioned: HashSet<&'a str>,
}

impl Config<'_> {
    /// The list of a name, which may be of either family.
    pub fn list(&self, name: &str) -> Option<(Family, &List)> {
        Family::BOTH.into_iter().find_map(|f| Some((f, self.lists.get(&(f, name.to_string()))?)))
    }

    /// The addresses of a network group, and whether it may hold others.
    pub fn network(&self, name: &str, depth: usize) -> Option<(Vec<(u128, u128)>, bool)> {
        // Groups do not hold themselves; the bound keeps a faulty file from running forever.
        let group = self.networks.get(name).filter(|_| depth < 16)?;
        let (mut out, mut open) = (group.ranges.clone(), group.open);
        for inner in &group.groups {
            match self.network(inner, depth + 1) {
                Some((more, also)) => {
                    out.extend(more);
                    open |= also;
                }
                None => open = true,
            }
            if out.len() > MOST_MEMBERS {
                return None;
            }
        }
        Some((out, open))
    }

    /// The services of a group, and whether it may hold others.
    pub fn service(&self, name: &str, depth: usize) -> Option<(Vec<Service>, bool)> {
        let group = self.services.get(name).filter(|_| depth < 16)?;
        let (mut out, mut open) = (group.services.clone(), false);
        for inner in &group.groups {
            match self.service(inner, depth + 1) {
                Some((more, also)) => {
                    out.extend(more);
                    open |= also;
                }
                None => open = true,
            }
            if out.len() > MOST_MEMBERS {
                return None;
            }
        }
        Some((out, open))
    }

    /// The IPv4 address of an interface, if it is in the file.
    pub fn address_of(&self, interface: &str) -> Option<u32> {
        let interface = self.interfaces.get(interface).filter(|i| !i.open_address)?;
        interface.addresses.first().map(|(address, _)| *address)
    }
}

/// Members of a group with those of its groups; groups that hold each other many times over grow without end.
const MOST_MEMBERS: usize = 100_000;
