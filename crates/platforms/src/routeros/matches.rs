//! The properties of a rule that say which packets it is about.

use super::lists::{AddressList, Surroundings, addresses};
use super::script::{Command, Item};
use crate::names;
use tillgate_model::{Family, Protocol, Ranges, Span, State, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Match, NameSet, Part, Special, Term};

/// Properties that say what a rule does, or nothing about packets.
const OTHER: &[&str] = &[
    "action",
    "chain",
    "comment",
    "disabled",
    "log",
    "log-prefix",
    "jump-target",
    "reject-with",
    "address-list",
    "address-list-timeout",
    "to-addresses",
    "to-address",
    "to-ports",
    "same-not-by-dst",
    "randomise-ports",
    "hw-offload",
    "passthrough",
    "place-before",
    "copy-from",
    "dynamic",
    "invalid",
    "bytes",
    "packets",
    "numbers",
];

/// What is wrong with a rule, and where.
pub type Bad = (Span, Text);

/// The matches of a rule; several where a list is certain for some addresses and open for the rest.
pub fn matches(command: &Command, family: Family, around: &Surroundings) -> Result<Vec<Match>, Bad> {
    let mut when = Match::default();
    when.narrow(Field::Family, &Ranges::single(family as u128));
    let mut variants = vec![when];
    for item in &command.items {
        if item.value.is_empty() || OTHER.contains(&item.key.as_str()) || item.key.starts_with("new-") {
            continue;
        }
        let (negate, value) = match item.value.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, item.value.as_str()),
        };
        let one = One { item, value, negate, family, around };
        if let "src-address-list" | "dst-address-list" = item.key.as_str() {
            variants = variants.into_iter().flat_map(|when| one.address_list(when)).collect();
            continue;
        }
        for when in &mut variants {
            one.narrow(when)?;
        }
    }
    Ok(variants)
}

struct One<'a> {
    item: &'a Item,
    value: &'a str,
    negate: bool,
    family: Family,
    around: &'a Surroundings,
}

fn doubt(when: &mut Match, what: &str) {
    let text = Text::new("not-modelled-match").arg("what", what);
    if !when.doubts.contains(&text) {
        when.doubts.push(text);
    }
}

/// `80,443,8000-8080`.
pub fn ports(text: &str) -> Option<Ranges> {
    let one = |part: &str| {
        let (lo, hi) = part.split_once('-').unwrap_or((part, part));
        let (lo, hi) = (lo.parse::<u16>().ok()?, hi.parse::<u16>().ok()?);
        (lo <= hi).then_some((u128::from(lo), u128::from(hi)))
    };
    let parts: Option<Vec<_>> = text.split(',').map(one).collect();
    Some(Ranges::from_unsorted(parts?))
}

/// Names as RouterOS prints them.
fn protocol(text: &str) -> Option<Protocol> {
    match text {
        "ipv6-encap" => Some(Protocol(41)),
        "udp-lite" => Some(Protocol(136)),
        "ipsec-esp" => Some(Protocol(50)),
        "ipsec-ah" => Some(Protocol(51)),
        text => names::protocol(text),
    }
}

impl One<'_> {
    fn bad(&self) -> Bad {
        (self.item.place.clone(), Text::new("bad-value").arg("value", &self.item.value))
    }

    fn field(&self, when: &mut Match, field: Field, ranges: &Ranges, max: u128) {
        match self.negate {
            true => when.narrow(field, &ranges.complement(max)),
            false => when.narrow(field, ranges),
        }
    }

    fn narrow(&self, when: &mut Match) -> Result<(), Bad> {
        let (key, value, negate) = (self.item.key.as_str(), self.value, self.negate);
        match key {
            "src-address" | "dst-address" => {
                let ranges = addresses(self.family, value).ok_or_else(|| self.bad())?;
                let field = if key == "src-address" { Field::Source } else { Field::Destination };
                self.field(when, field, &ranges, self.family.max_address());
            }
            "protocol" => {
                let protocol = protocol(value).ok_or_else(|| self.bad())?;
                self.field(when, Field::Protocol, &Ranges::single(protocol.0.into()), 255);
            }
            "src-port" | "dst-port" => {
                let ranges = ports(value).ok_or_else(|| self.bad())?;
                let field = if key == "src-port" { Field::SourcePort } else { Field::DestinationPort };
                self.field(when, field, &ranges, 65535);
            }
            "port" => {
                let ranges = ports(value).ok_or_else(|| self.bad())?;
                let cubes = [Field::SourcePort, Field::DestinationPort].map(|f| Cube::all().with(f, &ranges));
                let parts =
                    cubes.into_iter().flatten().map(|cube| Part { cube, ..Part::default() }).collect();
                when.terms.push(Term::Any { parts, negate });
            }
            "in-interface" | "out-interface" => match self.around.named(value, negate) {
                Some(named) if key == "in-interface" => when.input.push(named),
                Some(named) => when.output.push(named),
                None => doubt(when, value),
            },
            "in-interface-list" | "out-interface-list" => match self.around.list(value, negate) {
                Some(list) if key == "in-interface-list" => when.input.push(list),
                Some(list) => when.output.push(list),
                None => doubt(when, value),
            },
            "connection-state" => {
                let states: Option<Vec<_>> =
                    value.split(',').map(|w| State::parse(w).map(|s| (s as u128, s as u128))).collect();
                let states = Ranges::from_unsorted(states.ok_or_else(|| self.bad())?);
                self.field(when, Field::State, &states, 4);
            }
            "connection-nat-state" => match value {
                "dstnat" => {
                    let any = Ranges::span(1, Field::Translated.maximum());
                    let none = Ranges::single(0);
                    when.narrow(Field::Translated, if negate { &none } else { &any });
                }
                _ => doubt(when, key),
            },
            "icmp-options" => self.icmp(when)?,
            "tcp-flags" => self.flags(when)?,
            "src-address-type" | "dst-address-type" => self.address_type(when, key == "src-address-type"),
            "ipsec-policy" if !self.around.ipsec => {
                // Nothing sets IPsec up, so no packet belongs to a policy.
                when.never |= value.ends_with(",ipsec");
            }
            // Tracking puts fragments together before any rule sees them.
            "fragment" => when.never |= value == "yes",
            _ => doubt(when, key),
        }
        Ok(())
    }

    /// `8:0`, `3:0-1`, `11`.
    fn icmp(&self, when: &mut Match) -> Result<(), Bad> {
        let (kind, code) = self.value.split_once(':').map_or((self.value, None), |(k, c)| (k, Some(c)));
        let byte = |text: &str| {
            let (lo, hi) = text.split_once('-').unwrap_or((text, text));
            let (lo, hi) = (lo.parse::<u8>().ok()?, hi.parse::<u8>().ok()?);
            (lo <= hi).then(|| Ranges::span(lo.into(), hi.into()))
        };
        let kind = byte(kind).ok_or_else(|| self.bad())?;
        let code = match code {
            None => None,
            Some(code) => Some(byte(code).ok_or_else(|| self.bad())?).filter(|c| *c != Ranges::full(255)),
        };
        let icmp = if self.family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
        let cube =
            Cube::all().at(Field::Protocol, icmp.0.into()).and_then(|c| c.with(Field::SourcePort, &kind));
        let cube = match (cube, code) {
            (Some(cube), Some(code)) => cube.with(Field::DestinationPort, &code),
            (cube, _) => cube,
        };
        if let Some(cube) = cube {
            when.terms.push(Term::Any { parts: vec![Part { cube, ..Part::default() }], negate: self.negate });
        }
        Ok(())
    }

    /// `syn,!ack`: the named ones are set, those with a mark are not, the others do not matter.
    fn flags(&self, when: &mut Match) -> Result<(), Bad> {
        let (mut mask, mut want) = (0u128, 0u128);
        for word in self.item.value.split(',') {
            let (clear, name) = word.strip_prefix('!').map_or((false, word), |n| (true, n));
            let bit = match name {
                "fin" => 1,
                "syn" => 2,
                "rst" => 4,
                "psh" => 8,
                "ack" => 16,
                "urg" => 32,
                "ece" => 64,
                "cwr" => 128,
                _ => return Err(self.bad()),
            };
            mask |= bit;
            want |= if clear { 0 } else { bit };
        }
        let ranges: Ranges = (0..=255u128).filter(|f| f & mask == want).map(|f| (f, f)).collect();
        when.narrow(Field::TcpFlags, &ranges);
        when.narrow(Field::Protocol, &Ranges::single(6));
        Ok(())
    }

    fn address_type(&self, when: &mut Match, source: bool) {
        let kinds: Vec<&str> = self.value.split(',').collect();
        let known = |k: &&str| matches!(*k, "local" | "broadcast" | "multicast" | "unicast");
        if source || !kinds.iter().all(known) {
            return doubt(when, &self.item.key);
        }
        let unicast = kinds.contains(&"unicast");
        // Unicast is what is nothing else.
        let listed: Vec<&str> = match unicast {
            true => ["local", "broadcast", "multicast"].into_iter().filter(|k| !kinds.contains(k)).collect(),
            false => kinds,
        };
        let negate = self.negate != unicast;
        let exact: Option<Vec<Ranges>> = listed.iter().map(|kind| self.own(kind)).collect();
        match exact {
            Some(list) => {
                let all = list.iter().fold(Ranges::empty(), |all, r| all.union(r));
                let max = self.family.max_address();
                when.narrow(Field::Destination, &if negate { all.complement(max) } else { all });
            }
            None => {
                let special = |kind: &str| match kind {
                    "local" => Special::DestinationLocal,
                    "broadcast" => Special::DestinationBroadcast,
                    _ => Special::DestinationMulticast,
                };
                when.terms.push(Term::Special(listed.into_iter().map(special).collect(), negate));
            }
        }
    }

    /// The destinations of a kind, where the configuration says all of them.
    fn own(&self, kind: &str) -> Option<Ranges> {
        let v4 = self.family == Family::V4;
        if kind == "multicast" {
            return Some(if v4 {
                Ranges::span(0xe000_0000, 0xefff_ffff)
            } else {
                Ranges::span(0xff << 120, u128::MAX)
            });
        }
        if self.around.more_addresses || !self.around.own.contains_key(&self.family) {
            return None;
        }
        Some(match kind {
            "local" => {
                let loopback = if v4 { Ranges::span(0x7f00_0000, 0x7fff_ffff) } else { Ranges::single(1) };
                self.around.own.get(&self.family).cloned().unwrap_or_default().union(&loopback)
            }
            _ if v4 => self.around.broadcasts.union(&Ranges::single(u32::MAX.into())),
            _ => Ranges::empty(),
        })
    }

    /// A list: certainly the addresses in it, perhaps others where it is filled while the router runs, and by name.
    fn address_list(&self, when: Match) -> Vec<Match> {
        let source = self.item.key == "src-address-list";
        let field = if source { Field::Source } else { Field::Destination };
        let max = self.family.max_address();
        let list = self.around.addresses.get(&(self.family, self.value.to_string()));
        let nobody = AddressList::default();
        let AddressList { addresses: certain, timed, names, open } = list.unwrap_or(&nobody);
        let open = *open || list.is_none() && self.around.scripted;
        let timed = timed.subtract(certain);
        let within = |ranges: &Ranges, sure: bool| {
            let mut when = when.clone();
            when.narrow(field, ranges);
            if !sure {
                when.doubts.push(Text::new("not-modelled-set").arg("set", self.value));
            }
            when
        };
        let rest = certain.union(&timed).complement(max);
        let named = !names.is_empty();
        let mut out = Vec::new();
        if self.negate {
            out.push(within(&rest, !open && !named));
        } else if !certain.is_empty() {
            out.push(within(certain, true));
        }
        if !timed.is_empty() {
            out.push(within(&timed, false));
        }
        if !self.negate && (open || source && named) {
            out.push(within(&rest, false));
        } else if !self.negate && named {
            let mut when = within(&rest, true);
            when.terms.push(Term::Names(NameSet { names: names.clone() }));
            out.push(when);
        }
        if out.is_empty() {
            // Nobody is in it.
            out.push(Match { never: true, ..Match::default() });
        }
        out
    }
}
