//! What rules refer to: groups and interfaces.

use super::tree::At;
use crate::names;
use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tillgate_model::{Diagnostic, Family, Ranges, Text, address_bits, parse_prefix, prefix_range};
use tillgate_ruleset::{Fact, What};

/// Groups of the UniFi controller that fill themselves while the gateway runs.
const FILLED: &[&str] =
    &["authorized_guests", "guest_allow_addresses", "guest_allow_dns_servers", "guest_portal_address"];

/// What a group says itself.
struct Own<'t> {
    node: At<'t>,
    ranges: Vec<(u128, u128)>,
    /// Interfaces or names of hosts.
    words: Vec<String>,
    includes: Vec<&'t str>,
    open: bool,
    used: Cell<bool>,
    /// What it stands for with all it includes, once somebody asked.
    members: OnceCell<Rc<Members>>,
}

/// What a group stands for.
#[derive(Default)]
pub struct Members {
    pub ranges: Ranges,
    /// Interfaces or names of hosts.
    pub words: Vec<String>,
    /// Others may come and go.
    pub open: bool,
}

/// An interface.
#[derive(Default)]
pub struct Interface<'t> {
    /// Where its settings stand; one under several kinds keeps the last.
    pub node: Option<At<'t>>,
    /// Its addresses, as `(family, address, first, last of its network)`.
    addresses: Vec<(Family, u128, (u128, u128))>,
    /// Addresses come by DHCP, PPP and the like.
    dynamic: bool,
    /// What switches it off, itself or what it lies on: nothing passes there.
    pub off: Option<At<'t>>,
}

/// Groups and interfaces of a configuration.
pub struct Around<'t> {
    /// Written for VyOS 1.4 and later.
    pub modern: bool,
    groups: BTreeMap<(&'t str, &'t str), Own<'t>>,
    pub interfaces: BTreeMap<String, Interface<'t>>,
    vrfs: BTreeSet<&'t str>,
}

/// `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`; `None` for what is no address of the family.
pub fn addresses(family: Family, text: &str) -> Option<Ranges> {
    let fits = |t: &str| parse_prefix(t).filter(|n| Family::of(n.addr()) == family);
    if let Some(net) = fits(text) {
        let (lo, hi) = prefix_range(&net);
        return Some(Ranges::span(lo, hi));
    }
    let (lo, hi) = text.split_once('-')?;
    let (lo, hi) = (address_bits(fits(lo)?.addr()), address_bits(fits(hi)?.addr()));
    (lo <= hi).then(|| Ranges::span(lo, hi))
}

/// `443`, `https`, `8000-8080`.
pub fn port(text: &str) -> Option<(u128, u128)> {
    let one = |t: &str| t.parse::<u16>().ok().or_else(|| names::service(t)).map(u128::from);
    if let Some(port) = one(text) {
        return Some((port, port));
    }
    let (lo, hi) = text.split_once('-')?;
    let (lo, hi) = (one(lo)?, one(hi)?);
    (lo <= hi).then_some((lo, hi))
}

impl<'t> Around<'t> {
    /// Gathers what rules refer to; members that are none are errors.
    pub fn of(root: At<'t>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let firewall = root.child("firewall");
        let modern = firewall.is_some_and(|f| {
            ["ipv4", "ipv6", "global-options", "zone", "interface"].iter().any(|word| f.has(word))
        });
        let mut around = Around {
            modern,
            groups: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            vrfs: root.path(&["vrf", "name"]).into_iter().flat_map(At::children).map(At::name).collect(),
        };
        for kind in firewall.and_then(|f| f.child("group")).into_iter().flat_map(At::children) {
            if kind.name() == "dynamic-group" {
                for kind in kind.children() {
                    let name = if kind.name() == "address-group" {
                        "dynamic-address-group"
                    } else {
                        "dynamic-ipv6-address-group"
                    };
                    kind.children().for_each(|group| around.group(name, group, diagnostics));
                }
                continue;
            }
            kind.children().for_each(|group| around.group(kind.name(), group, diagnostics));
        }
        around.circles(diagnostics);
        for kind in root.child("interfaces").into_iter().flat_map(At::children) {
            kind.children().for_each(|at| around.interface(at.name().to_string(), at));
        }
        around.rest_on_others();
        around
    }

    fn group(&mut self, kind: &'t str, node: At<'t>, diagnostics: &mut Vec<Diagnostic>) {
        let mut own = Own {
            node,
            ranges: Vec::new(),
            words: Vec::new(),
            includes: node.values("include").map(At::name).collect(),
            open: false,
            used: Cell::new(false),
            members: OnceCell::new(),
        };
        let (key, family) = match kind {
            "address-group" => ("address", Some(Family::V4)),
            "network-group" => ("network", Some(Family::V4)),
            "ipv6-address-group" => ("address", Some(Family::V6)),
            "ipv6-network-group" => ("network", Some(Family::V6)),
            "port-group" => ("port", None),
            "interface-group" => ("interface", None),
            "domain-group" => ("address", None),
            // Hardware addresses, and what only the device knows.
            _ => ("", None),
        };
        own.open = key.is_empty() || FILLED.contains(&node.name());
        for member in node.values(key) {
            let found = match (kind, family) {
                (_, Some(family)) => addresses(family, member.name()),
                ("port-group", _) => port(member.name()).map(|(lo, hi)| Ranges::span(lo, hi)),
                ("domain-group", _) => {
                    own.words.push(member.name().to_ascii_lowercase());
                    continue;
                }
                _ => {
                    own.words.push(member.name().to_string());
                    continue;
                }
            };
            match found {
                Some(ranges) => own.ranges.extend(ranges.as_slice()),
                None => diagnostics.push(Diagnostic::error(
                    member.place(),
                    Text::new("bad-value").arg("value", member.name()),
                )),
            }
        }
        self.groups.insert((kind, node.name()), own);
    }

    /// Groups that include themselves, which no device takes: what is left when everything that includes only
    /// what is done is done.
    fn circles(&self, diagnostics: &mut Vec<Diagnostic>) {
        let mut waiting: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut includers: BTreeMap<(&str, &str), Vec<(&str, &str)>> = BTreeMap::new();
        let mut done = Vec::new();
        for (&(kind, name), own) in &self.groups {
            let known: BTreeSet<&str> =
                own.includes.iter().copied().filter(|i| self.groups.contains_key(&(kind, *i))).collect();
            for missing in own.includes.iter().filter(|i| !known.contains(*i)) {
                diagnostics.push(Diagnostic::error(
                    own.node.place(),
                    Text::new("unknown-object").arg("name", missing),
                ));
            }
            for include in &known {
                includers.entry((kind, *include)).or_default().push((kind, name));
            }
            match known.len() {
                0 => done.push((kind, name)),
                count => {
                    waiting.insert((kind, name), count);
                }
            }
        }
        while let Some(group) = done.pop() {
            for includer in includers.get(&group).into_iter().flatten() {
                let Some(count) = waiting.get_mut(includer) else { continue };
                *count -= 1;
                if *count == 0 {
                    waiting.remove(includer);
                    done.push(*includer);
                }
            }
        }
        if let Some(own) = waiting.keys().next().and_then(|key| self.groups.get(key)) {
            let text = Text::new("include-cycle").arg("name", own.node.name());
            diagnostics.push(Diagnostic::error(own.node.place(), text));
        }
    }

    /// What a group stands for, with all it includes; `None` where there is none.
    pub fn members(&self, kind: &str, name: &str) -> Option<Rc<Members>> {
        let own = self.groups.get(&(kind, name))?;
        Some(Rc::clone(own.members.get_or_init(|| Rc::new(self.gathered(kind, own)))))
    }

    fn gathered(&self, kind: &str, own: &Own<'t>) -> Members {
        let mut todo = vec![own];
        let mut seen = BTreeSet::from([own.node.name()]);
        let (mut ranges, mut words, mut open) = (Vec::new(), Vec::new(), false);
        while let Some(own) = todo.pop() {
            ranges.extend(own.ranges.iter().copied());
            words.extend(own.words.iter().cloned());
            open |= own.open;
            for include in own.includes.iter().filter(|i| seen.insert(**i)) {
                todo.extend(self.groups.get(&(kind, *include)));
            }
        }
        words.sort();
        words.dedup();
        Members { ranges: Ranges::from_unsorted(ranges), words, open }
    }

    /// `ADDRv4_eth0`, `NETv4_eth0` of EdgeOS: the address of an interface, or its networks; `None` for another name.
    pub fn of_interface(&self, family: Family, name: &str) -> Option<Members> {
        let (v4, v6) = (["ADDRv4_", "NETv4_"], ["ADDRv6_", "NETv6_"]);
        let [address, network] = if family == Family::V4 { v4 } else { v6 };
        let (whole, interface) = match name.strip_prefix(address) {
            Some(interface) => (false, interface),
            None => (true, name.strip_prefix(network)?),
        };
        let known = self.interfaces.get(interface);
        let own = known.into_iter().flat_map(|i| &i.addresses).filter(|(f, ..)| *f == family);
        let ranges = own.map(|(_, one, net)| if whole { *net } else { (*one, *one) }).collect();
        let open = known.is_none_or(|i| i.dynamic || i.addresses.iter().all(|(f, ..)| *f != family));
        Some(Members { ranges: Ranges::from_unsorted(ranges), words: Vec::new(), open })
    }

    /// Marks every group that something names, whether it is read here or not, and what such groups include.
    pub fn named(&self, root: At<'_>) {
        let mut by_name: BTreeMap<&str, Vec<&Own<'t>>> = BTreeMap::new();
        for ((_, name), own) in &self.groups {
            by_name.entry(name).or_default().push(own);
        }
        let mut todo: Vec<At<'_>> = root.children().filter(|at| at.name() != "firewall").collect();
        let rules = root.child("firewall").into_iter().flat_map(At::children);
        todo.extend(rules.filter(|at| at.name() != "group"));
        while let Some(at) = todo.pop() {
            if at.name() == "group" || at.name().ends_with("-group") {
                let names = at.children().map(|value| value.name().trim_start_matches('!'));
                names.filter_map(|n| by_name.get(n)).flatten().for_each(|own| own.used.set(true));
            }
            todo.extend(at.children());
        }
        let mut todo: Vec<(&str, &Own<'t>)> = self
            .groups
            .iter()
            .filter(|(_, own)| own.used.get())
            .map(|((kind, _), own)| (*kind, own))
            .collect();
        while let Some((kind, own)) = todo.pop() {
            let included = own.includes.iter().filter_map(|name| self.groups.get(&(kind, *name)));
            todo.extend(included.filter(|i| !i.used.replace(true)).map(|i| (kind, i)));
        }
    }

    /// Facts about groups that nothing refers to.
    pub fn unused(&self) -> Vec<Fact> {
        let idle = self.groups.values().filter(|own| !own.used.get());
        let name = |own: &Own<'_>| What::Unused(own.node.name().to_string());
        idle.map(|own| Fact { span: own.node.span(), what: name(own) }).collect()
    }

    fn interface(&mut self, name: String, node: At<'t>) {
        let off = node.child("disable");
        for vif in node.values("vif") {
            self.interface_alone(format!("{name}.{}", vif.name()), vif, off);
        }
        for vif in node.values("vif-s") {
            for inner in vif.values("vif-c") {
                let off = off.or(vif.child("disable"));
                self.interface_alone(format!("{name}.{}.{}", vif.name(), inner.name()), inner, off);
            }
            self.interface_alone(format!("{name}.{}", vif.name()), vif, off);
        }
        self.interface_alone(name, node, None);
    }

    /// What lies on an interface by its name carries nothing where that is off.
    fn rest_on_others(&mut self) {
        let inner = |name: &str| ["pppoe", "peth", "macsec"].iter().any(|kind| name.starts_with(kind));
        let under = |node: At<'t>| node.value("source-interface").or(node.value("link"));
        let named = self.interfaces.iter().filter(|(name, i)| inner(name) && i.off.is_none());
        let found = named.filter_map(|(name, i)| {
            let below = self.interfaces.get(under(i.node?)?)?;
            Some((name.clone(), below.off?))
        });
        for (name, off) in found.collect::<Vec<_>>() {
            self.interfaces.entry(name).or_default().off = Some(off);
        }
    }

    fn interface_alone(&mut self, name: String, node: At<'t>, above: Option<At<'t>>) {
        let off = above.or(node.child("disable"));
        // Sessions that hang below a port; where they have a kind of their own they are tags with full names.
        for session in node.values("pppoe") {
            let entry = self.interfaces.entry(format!("pppoe{}", session.name())).or_default();
            entry.node = Some(session);
            entry.dynamic = true;
            entry.off = off.or(session.child("disable"));
        }
        let entry = self.interfaces.entry(name).or_default();
        entry.node = Some(node);
        entry.off = off;
        for address in node.values("address") {
            match parse_prefix(address.name()) {
                Some(net) => entry.addresses.push((
                    Family::of(net.addr()),
                    address_bits(net.addr()),
                    prefix_range(&net),
                )),
                None => entry.dynamic = true,
            }
        }
    }

    /// The addresses an interface surely has; `None` where others may come.
    pub fn own_addresses(&self, interface: &str, family: Family) -> Option<Ranges> {
        let known = self.interfaces.get(interface)?;
        let own: Vec<_> = known.addresses.iter().filter(|(f, ..)| *f == family).map(|a| (a.1, a.1)).collect();
        (!known.dynamic && !own.is_empty()).then(|| Ranges::from_unsorted(own))
    }

    /// Whether a name is that of a VRF.
    pub fn is_vrf(&self, name: &str) -> bool {
        self.vrfs.contains(name)
    }

    /// The interfaces of a VRF.
    pub fn in_vrf(&self, vrf: &str) -> impl Iterator<Item = &String> {
        let inside = move |i: &Interface<'_>| i.node.and_then(|n| n.value("vrf")) == Some(vrf);
        self.interfaces.iter().filter(move |(_, i)| inside(i)).map(|(name, _)| name)
    }

    /// The interfaces packets are routed through: they have an address, and something is behind them.
    pub fn routed(&self) -> impl Iterator<Item = (&String, &Interface<'t>)> {
        let inner = |name: &str| name == "lo" || name.starts_with("dum");
        let addressed = |i: &Interface<'_>| i.dynamic || !i.addresses.is_empty();
        self.interfaces.iter().filter(move |(name, i)| !inner(name) && addressed(i) && i.off.is_none())
    }

    /// The interfaces that have an address.
    pub fn with_address(&self, address: u128) -> Vec<String> {
        let has = |i: &Interface<'_>| i.addresses.iter().any(|(_, own, _)| *own == address);
        self.interfaces.iter().filter(|(_, i)| has(i)).map(|(name, _)| name.clone()).collect()
    }
}
