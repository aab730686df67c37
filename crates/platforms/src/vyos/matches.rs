//! What a rule says of the packets it is about.

use super::around::{Around, Members, addresses, port};
use super::icmp;
use super::tree::At;
use crate::names;
use std::rc::Rc;
use tillgate_model::{Family, Protocol, Ranges, Span, State, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{InterfaceMatch, Match, NameSet, Term};

/// What is wrong with a rule, and where.
pub type Bad = (Span, Text);

/// What a rule does, or says for people.
const OTHER: &[&str] = &[
    "action",
    "add-address-to-group",
    "description",
    "disable",
    "exclude",
    "inside-address",
    "jump-target",
    "log",
    "log-level",
    "log-options",
    "offload-target",
    "outside-address",
    "queue",
    "queue-options",
    "set",
    "synproxy",
    "translation",
    "type",
    "modify",
];

/// Most free bits of an address mask that are spelled out: each doubles the addresses to name.
const FREE_BITS: u32 = 8;

/// Most matches a rule is taken apart into.
const VARIANTS: usize = 16;

/// Where a rule stands.
#[derive(Clone, Copy)]
pub struct Reading<'a, 't> {
    pub around: &'a Around<'t>,
    pub family: Family,
    /// Every item of a list of ports carries its own mark of negation (VyOS 1.4 and later, but not its NAT).
    pub marked: bool,
}

/// A condition that is not modelled.
pub fn doubt(what: &str) -> Text {
    Text::new("not-modelled-match").arg("what", what)
}

/// A value that does not fit.
pub fn bad(at: At<'_>) -> Bad {
    (at.place(), Text::new("bad-value").arg("value", at.name()))
}

/// Something that needs a value, or more below it.
pub fn missing(at: At<'_>) -> Bad {
    (at.place(), Text::new("expected-value"))
}

/// A value and whether `!` stands before it.
fn negated(text: &str) -> (bool, &str) {
    text.strip_prefix('!').map_or((false, text), |rest| (true, rest))
}

fn signed(ranges: &Ranges, negate: bool, max: u128) -> Ranges {
    if negate { ranges.complement(max) } else { ranges.clone() }
}

impl<'t> Reading<'_, 't> {
    /// The matches of a rule; several where a group is certain for some addresses and open for the rest.
    pub fn matches(self, rule: At<'t>) -> Result<Vec<Match>, Bad> {
        let mut when = Match::default();
        when.narrow(Field::Family, &Ranges::single(self.family as u128));
        let mut all = vec![when];
        let mut ported = None;
        for item in rule.children() {
            match item.name() {
                key if OTHER.contains(&key) => {}
                "protocol" => self.protocol(rule, &mut all)?,
                "source" => {
                    let fields = (Field::Source, Field::SourcePort);
                    ported = self.side(item, fields, &mut all)?.or(ported);
                }
                "destination" => {
                    let fields = (Field::Destination, Field::DestinationPort);
                    ported = self.side(item, fields, &mut all)?.or(ported);
                }
                "state" => self.states(item, &mut all)?,
                key @ ("icmp" | "icmpv6") => {
                    let v4 = key == "icmp";
                    for when in &mut all {
                        icmp::narrow(item, v4, when).map_err(bad)?;
                    }
                }
                "tcp" => self.tcp(item, &mut all)?,
                "inbound-interface" => {
                    let (conditions, open) = self.interfaces(item)?;
                    all.iter_mut().for_each(|w| w.input.extend(conditions.iter().cloned()));
                    all.iter_mut().for_each(|w| w.doubts.extend(open.iter().cloned()));
                }
                "outbound-interface" => {
                    let (conditions, open) = self.interfaces(item)?;
                    all.iter_mut().for_each(|w| w.output.extend(conditions.iter().cloned()));
                    all.iter_mut().for_each(|w| w.doubts.extend(open.iter().cloned()));
                }
                "connection-status" if item.value("nat") == Some("destination") => {
                    let any = Ranges::span(1, Field::Translated.maximum());
                    all.iter_mut().for_each(|w| w.narrow(Field::Translated, &any));
                }
                other => all.iter_mut().for_each(|w| w.doubts.push(doubt(other))),
            }
        }
        let protocol = rule.value("protocol").unwrap_or("all");
        match ported {
            Some(at) if !matches!(protocol, "tcp" | "udp" | "tcp_udp" | "6" | "17") => {
                Err((at, Text::new("exception-ports-protocol")))
            }
            _ => Ok(all),
        }
    }

    fn protocol(self, rule: At<'t>, all: &mut [Match]) -> Result<(), Bad> {
        let Some(at) = rule.leaf("protocol") else { return Ok(()) };
        let (negate, name) = negated(at.name());
        let ranges = match name {
            "all" => Ranges::full(255),
            "tcp_udp" => [(6, 6), (17, 17)].into_iter().collect(),
            name => Ranges::single(names::protocol(name).ok_or_else(|| bad(at))?.0.into()),
        };
        // "ip" is any protocol.
        if ranges != Ranges::single(0) {
            let ranges = signed(&ranges, negate, 255);
            all.iter_mut().for_each(|w| w.narrow(Field::Protocol, &ranges));
        }
        Ok(())
    }

    /// One end; says where ports are named, if they are.
    fn side(
        self,
        side: At<'t>,
        (field, port_field): (Field, Field),
        all: &mut Vec<Match>,
    ) -> Result<Option<Span>, Bad> {
        let mut ported = None;
        let max = self.family.max_address();
        for item in side.children() {
            match item.name() {
                "address" | "prefix" => {
                    let Some(at) = side.leaf(item.name()) else { continue };
                    let (negate, text) = negated(at.name());
                    let mask = side.leaf("address-mask");
                    let (ranges, sure) = self.masked(at, text, mask)?;
                    for when in all.iter_mut() {
                        if sure || !negate {
                            when.narrow(field, &signed(&ranges, negate, max));
                        }
                        when.doubts.extend((!sure).then(|| doubt("address-mask")));
                    }
                }
                "address-mask" if side.has("address") => {}
                "fqdn" => {
                    let Some(at) = side.leaf("fqdn") else { continue };
                    let (negate, name) = negated(at.name());
                    self.named(&[name.to_ascii_lowercase()], negate, field, "fqdn", all);
                }
                "port" => {
                    let Some(at) = side.leaf("port") else { continue };
                    let ranges = self.ports(at.name()).ok_or_else(|| bad(at))?;
                    all.iter_mut().for_each(|w| w.narrow(port_field, &ranges));
                    ported = Some(at.place());
                }
                "group" => {
                    for (kind, at) in item.children().flat_map(|k| k.children().map(move |v| (k.name(), v))) {
                        let found = self.group(kind, at, (field, port_field), all)?;
                        ported = found.or(ported);
                    }
                }
                other => all.iter_mut().for_each(|w| w.doubts.push(doubt(other))),
            }
        }
        Ok(ported)
    }

    /// `80`, `https`, `8000-8080`, several of them, with `!` before all or before each.
    fn ports(self, text: &str) -> Option<Ranges> {
        if !self.marked {
            let (negate, list) = negated(text);
            let list: Option<Vec<_>> = list.split(',').map(|p| port(p.trim())).collect();
            return Some(signed(&Ranges::from_unsorted(list?), negate, 65535));
        }
        let (mut within, mut without) = (Vec::new(), Vec::new());
        for item in text.split(',') {
            let (negate, item) = negated(item.trim());
            if negate { &mut without } else { &mut within }.push(port(item)?);
        }
        let without = Ranges::from_unsorted(without).complement(65535);
        Some(if within.is_empty() { without } else { Ranges::from_unsorted(within).intersect(&without) })
    }

    /// The addresses of a value under a mask; where they are too many to name, a network they all lie in, and `false`.
    fn masked(self, at: At<'t>, text: &str, mask: Option<At<'t>>) -> Result<(Ranges, bool), Bad> {
        let ranges = addresses(self.family, text).ok_or_else(|| bad(at))?;
        let Some(mask) = mask else { return Ok((ranges, true)) };
        let bits = addresses(self.family, mask.name()).and_then(|r| r.only()).ok_or_else(|| bad(mask))?;
        let max = self.family.max_address();
        let Some(value) = ranges.only() else { return Ok((Ranges::full(max), false)) };
        if value & !bits != 0 {
            return Ok((Ranges::empty(), true));
        }
        // Below the last bit that is looked at every value lies side by side.
        let tail = if bits == 0 { max } else { (1 << bits.trailing_zeros()) - 1 };
        let free = max & !bits & !tail;
        if free.count_ones() > FREE_BITS {
            let below = u128::MAX >> free.leading_zeros();
            return Ok((Ranges::span(value & !below, value | below), false));
        }
        let mut list = Vec::new();
        let mut one = 0u128;
        loop {
            list.push((value | one, value | one | tail));
            // The next number that only has bits of `free`.
            one = one.wrapping_sub(free) & free;
            if one == 0 {
                return Ok((Ranges::from_unsorted(list), true));
            }
        }
    }

    /// Hosts by name, as the firewall looks them up.
    fn named(self, names: &[String], negate: bool, field: Field, what: &str, all: &mut [Match]) {
        for when in all {
            if negate || field == Field::Source {
                when.doubts.push(doubt(what));
            } else {
                when.terms.push(Term::Names(NameSet { names: names.to_vec() }));
            }
        }
    }

    fn group(
        self,
        kind: &str,
        at: At<'t>,
        (field, port_field): (Field, Field),
        all: &mut Vec<Match>,
    ) -> Result<Option<Span>, Bad> {
        let (negate, name) = negated(at.name());
        let v6 = self.family == Family::V6;
        // In rules for IPv6 the words stand for the groups of IPv6.
        let kind = match kind {
            "address-group" if v6 => "ipv6-address-group",
            "network-group" if v6 => "ipv6-network-group",
            "dynamic-address-group" if v6 => "dynamic-ipv6-address-group",
            kind => kind,
        };
        let found = self.around.members(kind, name);
        let found = found.or_else(|| self.around.of_interface(self.family, name).map(Rc::new));
        let found = found.ok_or_else(|| (at.place(), Text::new("unknown-object").arg("name", name)))?;
        let Members { ranges, words, open } = found.as_ref();
        match kind {
            "port-group" => {
                let ranges = signed(ranges, negate, 65535);
                all.iter_mut().for_each(|w| w.narrow(port_field, &ranges));
                return Ok(Some(at.place()));
            }
            "domain-group" => self.named(words, negate, field, name, all),
            "address-group" | "network-group" | "ipv6-address-group" | "ipv6-network-group" => {
                let max = self.family.max_address();
                let text = Text::new("not-modelled-set").arg("set", name);
                let within = |ranges: &Ranges, sure: bool| {
                    let mut list = all.clone();
                    for when in &mut list {
                        when.narrow(field, ranges);
                        when.doubts.extend((!sure).then(|| text.clone()));
                    }
                    list
                };
                let rest = ranges.complement(max);
                // Members are certain; who else comes and goes is not.
                *all = match (negate, open) {
                    (true, open) => within(&rest, !open),
                    (false, false) => within(ranges, true),
                    (false, true) if ranges.is_empty() => within(&rest, false),
                    // Each such group doubles what there is; beyond, nothing of them is certain.
                    (false, true) if all.len() >= VARIANTS => within(&Ranges::full(max), false),
                    (false, true) => [within(ranges, true), within(&rest, false)].concat(),
                };
            }
            _ => {
                let text = Text::new("not-modelled-set").arg("set", name);
                all.iter_mut().for_each(|w| w.doubts.push(text.clone()));
            }
        }
        Ok(None)
    }

    fn states(self, item: At<'t>, all: &mut [Match]) -> Result<(), Bad> {
        let mut states = Vec::new();
        let mut said = false;
        for at in item.children() {
            // States that are switched off are as if they were not written.
            if at.has("disable") {
                continue;
            }
            said = true;
            for word in at.name().split(',') {
                let state = State::parse(word.trim()).ok_or_else(|| bad(at))?;
                states.push((state as u128, state as u128));
            }
        }
        if said {
            let states = Ranges::from_unsorted(states);
            all.iter_mut().for_each(|w| w.narrow(Field::State, &states));
        }
        Ok(())
    }

    fn tcp(self, item: At<'t>, all: &mut [Match]) -> Result<(), Bad> {
        let (mut mask, mut want) = (0u128, 0u128);
        for other in item.children().filter(|c| c.name() != "flags") {
            all.iter_mut().for_each(|w| w.doubts.push(doubt(other.name())));
        }
        for at in item.values("flags") {
            let clear = at.name() == "not";
            let words: Vec<At<'t>> = if clear { at.children().collect() } else { vec![at] };
            for word in words {
                for name in word.name().split(',') {
                    let (marked, name) = negated(name.trim());
                    let bits = match name.to_ascii_lowercase().as_str() {
                        "fin" => 1,
                        "syn" => 2,
                        "rst" => 4,
                        "psh" => 8,
                        "ack" => 16,
                        "urg" => 32,
                        "ecn" | "ece" => 64,
                        "cwr" => 128,
                        "all" => 63,
                        _ => return Err(bad(word)),
                    };
                    mask |= bits;
                    want |= if clear || marked { 0 } else { bits };
                }
            }
        }
        if mask != 0 {
            let flags: Ranges = (0..=255u128).filter(|f| f & mask == want).map(|f| (f, f)).collect();
            for when in all {
                when.narrow(Field::Protocol, &Ranges::single(Protocol::TCP.0.into()));
                when.narrow(Field::TcpFlags, &flags);
            }
        }
        Ok(())
    }

    /// `eth0`, `name eth0`, `group G`: conditions, and what is open about them.
    pub fn interfaces(self, item: At<'t>) -> Result<(Vec<InterfaceMatch>, Vec<Text>), Bad> {
        let (mut conditions, mut open) = (Vec::new(), Vec::new());
        let mut one = |at: At<'t>| {
            let (negate, list) = negated(at.name());
            let names = list.split(',').map(str::trim);
            if list == "any" {
                return;
            }
            open.extend(names.clone().filter(|n| self.around.is_vrf(n)).map(doubt));
            // Old releases mark an open end with a plus.
            let pattern = |n: &str| n.strip_suffix('+').map_or(n.to_string(), |n| format!("{n}*"));
            conditions.push(InterfaceMatch { patterns: names.map(pattern).collect(), negate });
        };
        let mut groups = Vec::new();
        for at in item.children() {
            match at.name() {
                "name" | "interface-name" => at.children().for_each(&mut one),
                "group" | "interface-group" => groups.extend(at.children()),
                _ => one(at),
            }
        }
        for at in groups {
            let (negate, name) = negated(at.name());
            let Some(members) = self.around.members("interface-group", name) else {
                return Err((at.place(), Text::new("unknown-object").arg("name", name)));
            };
            conditions.push(InterfaceMatch { patterns: members.words.clone(), negate });
        }
        // A name that may be that of a VRF says less than it seems.
        if !open.is_empty() {
            conditions.clear();
        }
        Ok((conditions, open))
    }
}
