//! Translation of destinations: port forwards.

use super::addresses::{Ports, Set, Side};
use super::draft::{Draft, On, Place, Seen};
use super::implied::{Settings, lockout};
use super::tree::{El, Product, Tree};
use super::user::{Absent, Reader};
use super::words;
use std::cell::Cell;
use std::rc::Rc;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Match, Rule, Translation};

/// Pieces that shifted ranges are taken apart into, so that rules about parts of them can be told; beyond, they stay
/// whole.
const MOST_PIECES: usize = 8192;

/// A port forward.
pub struct Forward {
    /// What it takes; its interface may be widened by reflection.
    draft: Draft,
    /// Leaves alone instead of translating.
    exempts: bool,
    target: Rc<Set>,
    /// First port of the target.
    port: Option<u128>,
    /// Whether that is not all that is to be known of it.
    port_open: bool,
    /// Known by this where its packets skip the filter.
    tag: u16,
    /// Interfaces inside on which it acts too, and whether what happens there is known.
    reflected: Option<(Vec<String>, bool)>,
    /// Registers a rule of its own (OPNsense, `<pass>rule`).
    registers: bool,
}

/// Values at which rules begin or end to say something else.
#[derive(Default)]
pub struct Cuts {
    ports: Vec<u128>,
    pub addresses: [Vec<u128>; 2],
    /// Pieces made so far.
    made: Cell<usize>,
}

impl Cuts {
    pub fn of(drafts: &[Draft]) -> Self {
        let mut out = Cuts::default();
        let ends = |ranges: &Ranges, list: &mut Vec<u128>| {
            list.extend(
                ranges.as_slice().iter().flat_map(|(lo, hi)| [Some(*lo), hi.checked_add(1)]).flatten(),
            );
        };
        for draft in drafts {
            if let Some(ports) = &draft.destination_ports {
                ends(&ports.certain, &mut out.ports);
            }
            for family in Family::BOTH {
                for ranges in [&draft.destination.set.certain, &draft.destination.set.maybe] {
                    ends(&ranges[family as usize], &mut out.addresses[family as usize]);
                }
            }
        }
        for list in std::iter::once(&mut out.ports).chain(&mut out.addresses) {
            list.sort_unstable();
            list.dedup();
        }
        out
    }

    /// A range in pieces inside which no rule makes a difference.
    pub fn pieces(&self, (lo, hi): (u128, u128), cuts: &[u128]) -> Vec<(u128, u128)> {
        let from = cuts.partition_point(|c| *c <= lo);
        let to = cuts.partition_point(|c| *c <= hi);
        let inner = cuts.get(from..to).unwrap_or(&[]);
        let made = self.made.get() + inner.len();
        if made > MOST_PIECES {
            return vec![(lo, hi)];
        }
        self.made.set(made);
        let starts = std::iter::once(lo).chain(inner.iter().copied());
        let ends = inner.iter().map(|c| c - 1).chain(std::iter::once(hi));
        starts.zip(ends).collect()
    }
}

/// The one range of a set in a family.
pub fn only(set: &Set, family: Family) -> Option<(u128, u128)> {
    let at = family as usize;
    match set.certain[at].as_slice() {
        [one] if set.maybe[at].is_empty() && set.names.is_empty() => Some(*one),
        _ => None,
    }
}

/// All port forwards in order.
pub fn forwards<'d>(tree: &Tree<'d>, settings: &Settings, reader: &mut Reader<'d, '_>) -> Vec<Forward> {
    let mut out = Vec::new();
    if let Some((device, ports)) = lockout(tree, reader).filter(|_| tree.product == Product::OPNsense) {
        let key = reader.aliases.network.first_inside().unwrap_or("lan");
        let all =
            Ports { certain: ports.iter().map(|p| (u128::from(*p), u128::from(*p))).collect(), maybe: false };
        let mut draft = Draft::new(&settings.start, true).on(&device).protocol("tcp");
        draft = draft.to(Side::of(Set::on(&reader.aliases.network, key)));
        draft.destination_ports = Some(all);
        let target = Rc::new(Set::default());
        out.push(Forward {
            draft,
            exempts: true,
            target,
            port: None,
            port_open: false,
            tag: 1,
            reflected: None,
            registers: false,
        });
    }
    let mut rules: Vec<El<'_>> = tree.all("nat/rule").into_iter().filter(|r| !r.on("disabled")).collect();
    if tree.product == Product::OPNsense {
        rules.sort_by_key(|r| r.get("sequence").and_then(|s| s.parse::<i64>().ok()).unwrap_or(0));
    }
    let mut tag = 1u16;
    for rule in rules {
        if let Ok(mut forward) = reader.forward(tree, rule) {
            if forward.tag > 1 {
                tag = tag.saturating_add(1);
                forward.tag = tag;
            }
            out.push(forward);
        }
    }
    out
}

impl<'d> Reader<'d, '_> {
    /// Interface, family, protocol and sides of a rule that translates.
    fn taken(&mut self, rule: El<'d>) -> Result<Draft, Absent> {
        let mut draft = Draft::new(&rule.span(), true);
        draft.on = self.interfaces(rule, rule.get("interface").unwrap_or(""), false, true)?;
        let default = if self.product == Product::PfSense { "inet" } else { "inet46" };
        draft.families = self.families(rule, rule.get("ipprotocol").unwrap_or(default))?;
        let protocol = rule.get("protocol").unwrap_or("");
        if words::protocols(protocol, Family::V4).is_err() {
            let span = rule.child("protocol").unwrap_or(rule).span();
            let text = Text::new("bad-value").arg("value", protocol);
            self.diagnostics.push(tillgate_model::Diagnostic::error(span, text));
            return Err(Absent);
        }
        draft.protocol = protocol.to_ascii_lowercase();
        let ported = words::has_ports(protocol);
        let parts = |name: &str| {
            let side = rule.child(name);
            let word = side.and_then(|s| s.get("network").or(s.get("address"))).unwrap_or("any");
            (word, side.is_some_and(|s| s.there("not")), side.and_then(|s| s.get("port")).filter(|_| ported))
        };
        let (source, destination) = (parts("source"), parts("destination"));
        draft.source = self.side(rule, source.0, source.1, &draft.families)?;
        draft.destination = self.side(rule, destination.0, destination.1, &draft.families)?;
        draft.source_ports = self.ports(rule, source.2)?;
        draft.destination_ports = self.ports(rule, destination.2)?;
        if rule.get("tagged").is_some() {
            let text = Text::new("not-modelled-match").arg("what", "tagged");
            self.note(&rule.span(), text.clone(), true);
            draft.doubts.push(text);
        }
        Ok(draft)
    }

    fn forward(&mut self, tree: &Tree<'d>, rule: El<'d>) -> Result<Forward, Absent> {
        let mut draft = self.taken(rule)?;
        draft.log = rule.on("log");
        let exempts = rule.on("nordr");
        let target = match rule.get("target") {
            _ if exempts => Rc::new(Set::default()),
            Some(word) => self.operand(word, false).ok_or_else(|| {
                let text = Text::new("opnsense-not-loaded").arg("what", word);
                self.note(&rule.span(), text, false);
                Absent
            })?,
            None => return Err(Absent),
        };
        let local = rule.get("local-port").filter(|_| words::has_ports(&draft.protocol));
        let outer = rule.child("destination").and_then(|d| d.get("port"));
        // The same alias outside and inside keeps each port.
        let inner = self.ports(rule, local.filter(|word| outer != Some(*word)))?;
        let port_open = inner.as_ref().is_some_and(|p| p.maybe);
        let port = inner.and_then(|p| p.certain.first());
        let pass = match self.product {
            Product::PfSense => rule.get("associated-rule-id") == Some("pass"),
            Product::OPNsense => {
                let new = rule.get("pass").is_some_and(|p| p != "rule" && p != "0");
                new || rule.get("associated-rule-id") == Some("pass")
            }
        };
        let tag = if pass && !exempts { 2 } else { 1 };
        let reflected = if exempts { None } else { self.reflection(tree, rule, &draft.on) };
        let registers = self.product == Product::OPNsense && rule.get("pass") == Some("rule");
        Ok(Forward { draft, exempts, target, port, port_open, tag, reflected, registers })
    }

    /// Where a forward acts inside as well.
    fn reflection(&mut self, tree: &Tree<'d>, rule: El<'d>, on: &On) -> Option<(Vec<String>, bool)> {
        let off = match self.product {
            Product::PfSense => tree.one("system/disablenatreflection").is_some(),
            Product::OPNsense => tree.text("system/disablenatreflection").is_some(),
        };
        let pure = match rule.get("natreflection") {
            Some("disable") => return None,
            Some("purenat") => true,
            Some(_) => self.product == Product::OPNsense,
            None if off || tree.one("system").is_none() => return None,
            None => {
                self.product == Product::OPNsense || tree.one("system/enablenatreflectionpurenat").is_some()
            }
        };
        let own: &[String] = if let On::These(list) = on { list } else { &[] };
        let inside = self.aliases.network.interfaces.values().filter(|i| !i.uplink.contains(&true));
        let devices: Vec<String> = inside.map(|i| i.device.clone()).filter(|d| !own.contains(d)).collect();
        if devices.is_empty() {
            return None;
        }
        if !pure {
            self.note(&rule.span(), Text::new("not-modelled-match").arg("what", "natreflection"), true);
        }
        Some((devices, pure))
    }
}

impl Forward {
    /// Where it stands, and by what its packets are known that skip the filter.
    pub fn skips(&self) -> Option<(u16, Span)> {
        (self.tag > 1).then(|| (self.tag, self.draft.span.clone()))
    }

    /// The rule that it registers behind all others.
    pub fn registered(&self) -> Option<Draft> {
        if !self.registers || self.exempts {
            return None;
        }
        let mut draft = self.draft.clone();
        draft.destination = Side { set: Rc::clone(&self.target), negate: false };
        if self.port_open {
            draft.destination_ports = Some(Ports { certain: Ranges::empty(), maybe: true });
        } else if let (Some(first), Some(ports)) = (self.port, &self.draft.destination_ports) {
            let (lo, hi) = ports.certain.as_slice().first().copied().unwrap_or((0, 0));
            draft.destination_ports =
                Some(Ports { certain: Ranges::span(first, first + (hi - lo)), maybe: ports.maybe });
        } else if let Some(first) = self.port {
            draft.destination_ports = Some(Ports { certain: Ranges::single(first), maybe: false });
        }
        Some(draft)
    }

    /// Its rules before routing.
    pub fn rules(&self, reader: &mut Reader<'_, '_>, cuts: &Cuts, out: &mut Vec<Rule>) {
        let mut places = vec![(self.draft.on.clone(), true)];
        if let Some((devices, known)) = &self.reflected {
            places.push((On::These(Rc::from(devices.as_slice())), *known));
        }
        for (on, known) in places {
            for family in self.draft.families.clone() {
                let draft = Draft { on: on.clone(), families: vec![family], ..self.draft.clone() };
                for when in draft.matches(Place::Translating, &reader.aliases.network, &Seen::Own) {
                    match known {
                        true => self.translate(when, family, reader, cuts, out),
                        false => out.push(self.rule(when, Action::Unknown)),
                    }
                }
            }
        }
    }

    fn rule(&self, when: Match, action: Action) -> Rule {
        Rule { span: self.draft.span.clone(), when, action, log: false }
    }

    fn translate(
        &self,
        when: Match,
        family: Family,
        reader: &mut Reader<'_, '_>,
        cuts: &Cuts,
        out: &mut Vec<Rule>,
    ) {
        if self.exempts {
            out.push(self.rule(when, Action::Accept));
            return;
        }
        let loopback = |(lo, _): (u128, u128)| match family {
            Family::V4 => lo >> 24 == 127,
            Family::V6 => lo == 1,
        };
        let target = match only(&self.target, family) {
            Some(range) if !loopback(range) => range,
            None if self.target.certain[family as usize].is_empty()
                && self.target.maybe[family as usize].is_empty()
                && self.target.names.is_empty()
                && self.target.own[family as usize].is_none() =>
            {
                return;
            }
            _ => {
                // One of several, the firewall's own, or what only it knows.
                let text = Text::new("not-modelled-match").arg("what", "target");
                reader.note(&self.draft.span, text, true);
                out.push(self.rule(when, Action::Unknown));
                return;
            }
        };
        let to = |ports: Option<(u128, u128)>| {
            Action::Translate(Translation::Destination {
                addresses: Some((family, target.0, target.1)),
                ports: ports.map(|(lo, hi)| (lo.min(65535) as u16, hi.min(65535) as u16)),
                tag: self.tag,
            })
        };
        if self.port_open {
            out.push(self.rule(when, Action::Unknown));
            return;
        }
        let (Some(first), Some(ports)) = (self.port, self.draft.destination_ports.as_ref()) else {
            out.push(self.rule(when, to(self.port.map(|p| (p, p)))));
            return;
        };
        for &(lo, hi) in ports.certain.as_slice() {
            let parts = match first == lo {
                true => vec![(lo, hi)],
                false => cuts.pieces((first, first + (hi - lo)), &cuts.ports),
            };
            for (a, b) in parts {
                let mut one = when.clone();
                one.narrow(Field::DestinationPort, &Ranges::span(a - first + lo, b - first + lo));
                out.push(self.rule(one, to((first != lo).then_some((a, b)))));
            }
        }
        if ports.maybe {
            // Which further ports it takes is not known, nor where they lead.
            out.push(self.rule(when, Action::Unknown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cuts;

    #[test]
    fn ranges_are_cut_where_rules_begin_and_end() {
        let cuts = Cuts::default();
        assert_eq!(cuts.pieces((10, 20), &[5, 10, 15, 21]), [(10, 14), (15, 20)]);
        assert_eq!(cuts.pieces((10, 10), &[11]), [(10, 10)]);
    }
}
