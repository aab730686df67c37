//! The interfaces and names a question can tell apart.

use crate::rules::{InterfaceMatch, NameSet, RuleSet, Term};
use std::collections::BTreeSet;
use tillgate_intent::{Intent, Topology};
use tillgate_model::{Packet, Ranges, address_bits};
use tillgate_packetset::{Field, Point};

/// Number of "no interface": egress before routing, ingress of the firewall's own packets.
pub(crate) const NO_INTERFACE: u128 = 0;

/// Numbers for interface names and destination names.
///
/// Exact although interface wildcards are infinite: each wildcard prefix adds one name that stands for all
/// others with that prefix, and one more stands for every name nobody mentions.
#[derive(Clone, Debug)]
pub struct Universe {
    interfaces: Vec<String>,
    known: usize,
    names: Vec<String>,
}

impl Universe {
    /// The universe of rule sets and a topology.
    pub fn new(rules: &[&RuleSet], topology: &Topology, intent: Option<&Intent>) -> Self {
        let mut interfaces: BTreeSet<&str> = topology.uplinks.iter().map(String::as_str).collect();
        interfaces.extend(topology.zones.iter().map(|z| z.interface.as_str()));
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for rule in rules.iter().flat_map(|r| &r.chains).flat_map(|c| &c.rules) {
            for m in rule.when.input.iter().chain(&rule.when.output) {
                interfaces.extend(m.patterns.iter().map(String::as_str));
            }
            for term in &rule.when.terms {
                match term {
                    Term::Any { parts, .. } => {
                        interfaces.extend(
                            parts.iter().flat_map(|p| [&p.input, &p.output]).flatten().map(|s| s.as_str()),
                        );
                    }
                    Term::Names(set) => names.extend(set.names.iter().map(String::as_str)),
                    Term::Special(..) => {}
                }
            }
        }
        if let Some(intent) = intent {
            names.extend(intent.flows.iter().flat_map(|f| &f.names).map(String::as_str));
        }
        let interfaces: Vec<String> = interfaces.into_iter().map(str::to_string).collect();
        Universe {
            known: interfaces.len(),
            interfaces,
            names: names.into_iter().map(str::to_string).collect(),
        }
    }

    /// The number of an interface name; an unknown name is like any other with the longest prefix that fits it, or
    /// like any other that nobody mentions.
    pub fn interface(&self, name: &str) -> u128 {
        match self.interfaces.binary_search_by(|i| i.as_str().cmp(name)) {
            Ok(at) => at as u128 + 1,
            Err(_) => {
                let fits = |i: &String| i.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix));
                let wild = self.interfaces.iter().enumerate().filter(|(_, i)| fits(i));
                wild.max_by_key(|(_, i)| i.len()).map_or(self.other(), |(at, _)| at as u128 + 1)
            }
        }
    }

    /// The number that stands for every interface nobody mentions.
    pub fn other(&self) -> u128 {
        self.known as u128 + 1
    }

    /// The numbers of every interface that exists.
    pub(crate) fn all_interfaces(&self) -> Ranges {
        Ranges::span(1, self.other())
    }

    /// A packet as a point.
    pub(crate) fn point(&self, packet: &Packet) -> Point {
        let mut point: Point = [0; Field::ALL.len()];
        let number = |name: &Option<String>| name.as_ref().map_or(NO_INTERFACE, |n| self.interface(n));
        point[Field::Input as usize] = number(&packet.input);
        point[Field::Output as usize] = number(&packet.output);
        point[Field::State as usize] = packet.state as u128;
        point[Field::Family as usize] = packet.family() as u128;
        point[Field::Protocol as usize] = packet.protocol.0.into();
        point[Field::Source as usize] = address_bits(packet.source);
        point[Field::Destination as usize] = address_bits(packet.destination);
        point[Field::SourcePort as usize] = packet.source_port.into();
        point[Field::DestinationPort as usize] = packet.destination_port.into();
        point[Field::TcpFlags as usize] = packet.tcp_flags.into();
        point
    }

    /// The name of a number.
    pub fn interface_name(&self, number: u128) -> Option<&str> {
        self.interfaces.get((number as usize).checked_sub(1)?).map(String::as_str)
    }

    /// Every interface that exists: all but "none".
    pub fn interfaces(&self) -> impl Iterator<Item = (u128, &str)> {
        self.interfaces.iter().enumerate().map(|(i, n)| (i as u128 + 1, n.as_str()))
    }

    /// The numbers a match covers. A packet without the interface in question fits only negated matches.
    pub fn matching(&self, condition: &InterfaceMatch) -> Ranges {
        let hit = |name: &str| condition.patterns.iter().any(|p| interface_matches(p, name));
        let ranges: Ranges = self.interfaces().filter(|(_, n)| hit(n)).map(|(i, _)| (i, i)).collect();
        // A lone "*" fits every name, mentioned or not.
        let ranges = if condition.patterns.iter().any(|p| p == "*") {
            ranges.union(&Ranges::single(self.other()))
        } else {
            ranges
        };
        if condition.negate { ranges.complement(self.other()) } else { ranges }
    }

    /// The number of a destination name; 0 is an address that no known name leads to.
    pub fn name(&self, name: &str) -> Option<u128> {
        self.names.binary_search_by(|n| n.as_str().cmp(name)).ok().map(|at| at as u128 + 1)
    }

    /// The name of a number.
    pub fn name_text(&self, number: u128) -> Option<&str> {
        self.names.get((number as usize).checked_sub(1)?).map(String::as_str)
    }

    /// The numbers of the names that a set covers.
    pub fn names_in(&self, set: &NameSet) -> Ranges {
        let names = self.names.iter().enumerate().filter(|(_, n)| set.covers(n));
        names.map(|(i, _)| (i as u128 + 1, i as u128 + 1)).collect()
    }

    /// All name numbers, 0 included.
    pub fn all_names(&self) -> Ranges {
        Ranges::full(self.names.len() as u128)
    }
}

/// Whether an interface pattern fits a name.
pub(crate) fn interface_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}
