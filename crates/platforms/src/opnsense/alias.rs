//! Aliases: names for addresses and ports.

use super::addresses::{self, Ports, Set};
use super::network::Network;
use super::tree::{El, Product, Tree};
use crate::names;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tillgate_model::{Family, Ranges, parse_port_range};

/// Aliases in one another beyond this are not followed.
const DEEPEST: usize = 16;

struct Alias<'d> {
    element: El<'d>,
    kind: &'d str,
    items: &'d str,
    enabled: bool,
}

/// All aliases of a configuration.
pub struct Aliases<'d> {
    pub network: Network<'d>,
    all: BTreeMap<&'d str, Alias<'d>>,
    known: RefCell<BTreeMap<&'d str, Rc<Set>>>,
    known_ports: RefCell<BTreeMap<&'d str, Option<Ports>>>,
    /// Names that something in force refers to.
    used: RefCell<BTreeSet<String>>,
}

impl<'d> Aliases<'d> {
    pub fn of(tree: &Tree<'d>, network: Network<'d>) -> Self {
        let mut all = BTreeMap::new();
        let old = tree.all("aliases/alias").into_iter().map(|e| (e, "address"));
        let new = tree.all("OPNsense/Firewall/Alias/aliases/alias").into_iter().map(|e| (e, "content"));
        for (element, key) in old.chain(new) {
            let Some(name) = element.get("name") else { continue };
            let kind = element.get("type").unwrap_or("");
            let enabled = element.get("enabled") != Some("0");
            let items = element.get(key).unwrap_or("");
            all.insert(name, Alias { element, kind, items, enabled });
        }
        Aliases {
            network,
            all,
            known: RefCell::default(),
            known_ports: RefCell::default(),
            used: RefCell::default(),
        }
    }

    /// Remembers that something in force refers to a name.
    pub fn refer(&self, name: &str) {
        if !self.used.borrow().contains(name) {
            self.used.borrow_mut().insert(name.to_string());
        }
    }

    pub fn is_used(&self, name: &str) -> bool {
        self.used.borrow().contains(name)
    }

    /// Every alias with its name.
    pub fn each(&self) -> impl Iterator<Item = (&'d str, El<'d>)> + '_ {
        self.all.iter().map(|(name, alias)| (*name, alias.element))
    }

    /// What a name stands for; `None` when there is none of it, or when it is one of ports.
    pub fn addresses(&self, name: &str) -> Option<Rc<Set>> {
        self.gather(name, 0)
    }

    fn gather(&self, name: &str, depth: usize) -> Option<Rc<Set>> {
        let (name, alias) = self.all.get_key_value(name)?;
        self.refer(name);
        if alias.kind == "port" || alias.kind == "url_ports" || alias.kind == "urltable_ports" {
            return None;
        }
        if depth > DEEPEST {
            return Some(Rc::new(Set::open()));
        }
        if let Some(known) = self.known.borrow().get(name) {
            return Some(Rc::clone(known));
        }
        // What names itself on the way adds nothing to itself.
        self.known.borrow_mut().insert(name, Rc::new(Set::default()));
        let set = Rc::new(self.read(alias, depth));
        self.known.borrow_mut().insert(name, Rc::clone(&set));
        Some(set)
    }

    fn read(&self, alias: &Alias<'d>, depth: usize) -> Set {
        if !alias.enabled {
            return Set::default();
        }
        if !matches!(alias.kind, "host" | "network" | "networkgroup") {
            let mut out = Set::open();
            let families = alias.element.get("proto").unwrap_or("");
            for (family, word) in [(Family::V4, "IPv4"), (Family::V6, "IPv6")] {
                if !families.is_empty() && !families.contains(word) {
                    out.maybe[family as usize] = Ranges::empty();
                }
            }
            return out;
        }
        let mut set = addresses::Gathering::default();
        for item in alias.items.split([' ', '\t', '\r', '\n', ',']).filter(|i| !i.is_empty()) {
            let (item, hole) = item.strip_prefix('!').map_or((item, false), |rest| (rest, true));
            if set.item(item, hole) {
                continue;
            }
            match self.gather(item, depth + 1).or_else(|| self.made(item)) {
                Some(inner) => set.set(&inner, hole),
                None if hole => set.open(),
                None => set.name(item),
            }
        }
        set.done()
    }

    /// Aliases that the firewall makes by itself.
    pub fn made(&self, name: &str) -> Option<Rc<Set>> {
        let inner = name.strip_prefix("__").and_then(|n| n.strip_suffix("_network"));
        if let Some(key) = inner.filter(|_| self.network.product == Product::OPNsense) {
            return Some(Rc::new(Set::behind(&self.network, key)));
        }
        match name {
            "bogons" | "bogonsv6" => Some(Rc::new(Set::open())),
            // Filled while the firewall runs, and empty until then.
            "virusprot" | "sshlockout" | "sshguard" | "snort2c" => Some(Rc::new(Set::default())),
            _ if name.starts_with('_') => Some(Rc::new(Set::open())),
            _ => None,
        }
    }

    /// The ports of a word: a number, a range, an alias, a service; `None` when there are none, `any` is all.
    pub fn ports(&self, word: &str) -> Option<Ports> {
        let mut out = Ports::default();
        for one in word.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let ports = self.one_port(one, 0)?;
            out.certain = out.certain.union(&ports.certain);
            out.maybe |= ports.maybe;
        }
        (!out.certain.is_empty() || out.maybe).then_some(out)
    }

    fn one_port(&self, word: &str, depth: usize) -> Option<Ports> {
        let sure = |certain| Some(Ports { certain, maybe: false });
        if word == "any" {
            return sure(Ranges::full(65535));
        }
        if let Some((lo, hi)) = word.split_once([':', '-']) {
            let bound = |text: &str, open: u16| match text {
                "any" => Some(open),
                text => text.parse().ok().or_else(|| names::service(text)),
            };
            if let (Some(lo), Some(hi)) = (bound(lo, 1), bound(hi, 65535)) {
                return sure(Ranges::span(lo.min(hi).into(), lo.max(hi).into()));
            }
        }
        if let Some((lo, hi)) = parse_port_range(word) {
            return sure(Ranges::span(lo.into(), hi.into()));
        }
        let Some((name, alias)) = self.all.get_key_value(word) else {
            return names::service(word).and_then(|port| sure(Ranges::single(port.into())));
        };
        self.refer(name);
        if depth > DEEPEST {
            return None;
        }
        if let Some(known) = self.known_ports.borrow().get(name) {
            return known.clone();
        }
        self.known_ports.borrow_mut().insert(name, None);
        let ports = match alias.kind {
            _ if !alias.enabled => None,
            "port" => {
                let items = alias.items.split([' ', '\t', '\r', '\n', ',']).filter(|i| !i.is_empty());
                let parts: Vec<Ports> = items.filter_map(|i| self.one_port(i, depth + 1)).collect();
                let all = parts.iter().flat_map(|p| p.certain.as_slice().to_vec()).collect();
                (!parts.is_empty()).then(|| Ports { certain: all, maybe: parts.iter().any(|p| p.maybe) })
            }
            "url_ports" | "urltable_ports" => Some(Ports { certain: Ranges::empty(), maybe: true }),
            _ => None,
        };
        self.known_ports.borrow_mut().insert(name, ports.clone());
        ports
    }
}
