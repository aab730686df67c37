//! Aliases that a file has already, by what they stand for.

use super::addresses::{Gathering, Set};
use super::alias::Aliases;
use std::collections::BTreeSet;
use std::rc::Rc;
use tillgate_model::{Ranges, parse_port_range};

/// What new aliases can be spared by, and what they cannot be called.
#[derive(Default)]
pub struct Known {
    /// Names of aliases, groups and interfaces.
    pub taken: BTreeSet<String>,
    addresses: Vec<(String, Rc<Set>)>,
    ports: Vec<(String, Ranges)>,
}

impl Known {
    pub fn of(aliases: &Aliases<'_>) -> Self {
        let network = &aliases.network;
        let mut out = Known::default();
        out.taken.extend(network.interfaces.keys().chain(network.groups.keys()).cloned());
        for (name, element) in aliases.each() {
            out.taken.insert(name.to_string());
            // A downloaded list may be another one tomorrow.
            match element.get("type") {
                Some("host" | "network") => {
                    out.addresses.extend(aliases.addresses(name).map(|set| (name.to_string(), set)));
                }
                Some("port") => {
                    let ports = aliases.ports(name).filter(|p| !p.maybe);
                    out.ports.extend(ports.map(|p| (name.to_string(), p.certain)));
                }
                _ => {}
            }
        }
        out
    }

    /// The first alias that stands for exactly these items.
    pub fn alias(&self, kind: &str, items: &[String]) -> Option<String> {
        if kind == "port" {
            let ranges = items.iter().map(|i| parse_port_range(&i.replace(':', "-")));
            let ranges: Option<Vec<(u128, u128)>> =
                ranges.map(|r| r.map(|(lo, hi)| (lo.into(), hi.into()))).collect();
            let wanted = Ranges::from_unsorted(ranges?);
            return self.ports.iter().find(|(_, ports)| *ports == wanted).map(|(name, _)| name.clone());
        }
        let mut wanted = Gathering::default();
        for item in items {
            if !wanted.item(item, false) {
                wanted.name(item);
            }
        }
        let wanted = wanted.done();
        self.addresses.iter().find(|(_, set)| **set == wanted).map(|(name, _)| name.clone())
    }
}
