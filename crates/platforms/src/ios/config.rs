//! What a configuration says about packets, before it becomes rules.

use super::entry::{Entry, Service};
use super::words::Ports;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
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
    /// A member was taken back, and it is not followed which.
    pub open: bool,
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
#[derive(Debug, Default)]
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
    /// About an application (`type inspect http`), or with lines that are not modelled.
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
    /// Which of them the last line named.
    pub at: usize,
    /// Where each class stands.
    places: HashMap<Option<String>, usize>,
}

impl Policy {
    /// A policy without classes.
    pub fn new(span: &Span) -> Self {
        Policy { span: span.clone(), classes: Vec::new(), at: 0, places: HashMap::new() }
    }

    /// The place of a class; `None` is class-default.
    pub fn place(&self, class: &Option<String>) -> Option<usize> {
        self.places.get(class).copied()
    }

    /// Adds a class behind the others.
    pub fn add(&mut self, class: PolicyClass) {
        self.places.insert(class.class.clone(), self.classes.len());
        self.classes.push(class);
    }

    /// Takes a class away.
    pub fn remove(&mut self, class: &Option<String>) {
        self.classes.retain(|own| own.class != *class);
        self.places = self.classes.iter().enumerate().map(|(at, own)| (own.class.clone(), at)).collect();
        self.at = self.classes.len();
    }
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
    /// Where packets are spread over servers.
    pub balanced: Option<Span>,
    /// Lines that are not modelled and may decide about any packet.
    pub open: Vec<(Span, Text)>,
    /// Groups and members gone through so far.
    spent: Cell<usize>,
    /// Every word that may refer to something, to find what nothing refers to.
    pub mentioned: HashSet<&'a str>,
}

impl Config<'_> {
    /// The list of a name, which may be of either family.
    pub fn list(&self, name: &str) -> Option<(Family, &List)> {
        Family::BOTH.into_iter().find_map(|f| Some((f, self.lists.get(&(f, name.to_string()))?)))
    }

    /// The addresses of a network group with those of its groups, and whether it may hold others; `None` when it is not
    /// defined, or holds too many.
    pub fn network(&self, name: &str) -> Option<(Vec<(u128, u128)>, bool)> {
        let groups = |name: &str| self.networks.get(name).map(|g| (g, g.groups.as_slice()));
        let (found, mut open) = within(name, groups, &self.spent)?;
        open |= found.iter().any(|g| g.open);
        let count: usize = found.iter().map(|g| g.ranges.len()).sum();
        self.spend(count).then(|| (found.iter().flat_map(|g| &g.ranges).copied().collect(), open))
    }

    /// The services of a group with those of its groups, and whether it may hold others; `None` as above. Ports of one
    /// protocol are one service.
    pub fn service(&self, name: &str) -> Option<(Vec<Service>, bool)> {
        let groups = |name: &str| self.services.get(name).map(|g| (g, g.groups.as_slice()));
        let (found, mut open) = within(name, groups, &self.spent)?;
        open |= found.iter().any(|g| g.open);
        let count: usize = found.iter().map(|g| g.services.len()).sum();
        if !self.spend(count) {
            return None;
        }
        let mut ports: BTreeMap<Option<u8>, Vec<(u128, u128)>> = BTreeMap::new();
        let mut out = Vec::new();
        for service in found.iter().flat_map(|g| &g.services) {
            match (&service.source, &service.destination) {
                (None, Some(own)) => ports.entry(service.protocol).or_default().extend(own.as_slice()),
                _ => out.push(service.clone()),
            }
        }
        out.extend(ports.into_iter().map(|(protocol, list)| Service {
            protocol,
            destination: Some(Ranges::from_unsorted(list)),
            ..Service::default()
        }));
        Some((out, open))
    }

    /// Whether so many more members may be gone through.
    fn spend(&self, count: usize) -> bool {
        let spent = self.spent.get().saturating_add(count);
        self.spent.set(spent);
        spent <= MOST_MEMBERS
    }

    /// The IPv4 address of an interface, if it is in the file.
    pub fn address_of(&self, interface: &str) -> Option<u32> {
        let interface = self.interfaces.get(interface).filter(|i| !i.open_address)?;
        interface.addresses.first().map(|(address, _)| *address)
    }
}

/// Members of all groups that lists name, with those of their groups; groups behind that are open.
const MOST_MEMBERS: usize = 2_000_000;

/// A group and all it holds, each once however often it is named; and whether one of them is not defined; `None`
/// when too many were gone through.
fn within<'g, G>(
    name: &str,
    group: impl Fn(&str) -> Option<(&'g G, &'g [String])>,
    spent: &Cell<usize>,
) -> Option<(Vec<&'g G>, bool)> {
    let (first, inner) = group(name)?;
    let (mut out, mut open) = (vec![first], false);
    let mut seen = HashSet::from([name]);
    let mut todo: Vec<&str> = inner.iter().rev().map(String::as_str).collect();
    while let Some(name) = todo.pop() {
        if !seen.insert(name) {
            continue;
        }
        spent.set(spent.get().saturating_add(1));
        match group(name) {
            _ if spent.get() > MOST_MEMBERS => return None,
            Some((found, inner)) => {
                out.push(found);
                todo.extend(inner.iter().rev().map(String::as_str));
            }
            None => open = true,
        }
    }
    Some((out, open))
}
