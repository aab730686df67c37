//! Translation: `nat`, `nat66`, and `service nat` and `port-forward` of EdgeOS.

use super::ahead::{Forwarded, port_range, upnp};
use super::around::addresses;
use super::beside;
use super::build::{Builder, of, on};
use super::matches::{Bad, Reading, bad, doubt, missing};
use super::tree::At;
use tillgate_model::{Family, Ranges, Span, Text, parse_prefix};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Base, ChainId, Hook, Kind, Match, Note, Policy, Translation, What};

/// Most addresses that are mapped one by one; larger networks go to any address of the other.
const MAPPED: u128 = 256;
/// Most of them in a configuration.
const MAPPED_TOGETHER: u128 = 8192;

/// Builds the chains of translation.
pub fn build(builder: &mut Builder<'_, '_>) {
    let mut maker = Maker { builder, mapped: 0 };
    let root = maker.builder.root;
    maker.destination(Family::V4, &[&["nat", "destination"]]);
    maker.statics();
    maker.destination(Family::V6, &[&["nat66", "destination"]]);
    maker.source(Family::V4, &["nat", "source"]);
    maker.source(Family::V6, &["nat66", "source"]);
    for (parent, known) in
        [("nat", &["destination", "source", "static", "cgnat"][..]), ("nat66", &["destination", "source"])]
    {
        for item in root.child(parent).into_iter().flat_map(At::children) {
            if !known.contains(&item.name()) {
                beside::open(maker.builder, item);
            }
        }
    }
    if let Some(other) = root.child("nat64") {
        beside::open(maker.builder, other);
    }
}

/// Ports that lie in the target range already are kept (kernel).
fn kept(matched: Option<&Ranges>, ports: Option<(u16, u16)>) -> Option<(u16, u16)> {
    ports.filter(|(lo, hi)| {
        let target = Ranges::span((*lo).into(), (*hi).into());
        lo == hi || !matched.is_some_and(|m| m.is_subset(&target))
    })
}

struct Maker<'m, 'b, 't> {
    builder: &'m mut Builder<'b, 't>,
    mapped: u128,
}

impl<'t> Maker<'_, '_, 't> {
    fn base(&mut self, hook: Hook, family: Family, name: &str, span: Span) -> ChainId {
        let chain = self.builder.chain(format!("{family} {name}"));
        self.builder.rules.bases.push(Base {
            chain,
            hook,
            priority: if hook == Hook::Prerouting { -100 } else { 100 },
            kind: Kind::Nat,
            policy: Policy::Accept,
            policy_span: span,
            family: Some(family),
        });
        chain
    }

    /// A rule of a translation, with what is open about it told.
    fn push(&mut self, chain: ChainId, rule: At<'t>, when: Match, action: Action) {
        for text in when.doubts.clone() {
            self.builder.rules.notes.push(Note { span: rule.span(), text, bears: true });
        }
        let log = rule.on("log");
        self.builder.push(chain, rule.span(), when, action, log);
    }

    fn reading(&self, family: Family) -> Reading<'_, 't> {
        Reading { around: self.builder.around, family, marked: false }
    }

    /// The rules of a node that are in force, by number.
    fn rules(&mut self, node: At<'t>) -> Vec<At<'t>> {
        let mut out = Vec::new();
        for at in node.values("rule").filter(|at| at.name().parse::<u32>().is_err()) {
            self.builder.error(bad(at));
        }
        for (_, rule) in node.numbered("rule") {
            match rule.has("disable") {
                true => self.builder.fact(rule.span(), What::Disabled),
                false => out.push(rule),
            }
        }
        out
    }

    fn destination(&mut self, family: Family, paths: &[&[&str]]) {
        let root = self.builder.root;
        let forward = root.child("port-forward").filter(|_| family == Family::V4);
        let service = root.path(&["service", "nat"]).filter(|_| family == Family::V4);
        let nodes: Vec<At<'t>> = paths.iter().filter_map(|path| root.path(path)).collect();
        let upnp = if family == Family::V4 { upnp(root) } else { Vec::new() };
        let first = forward.or(service).or(nodes.first().copied()).or(upnp.first().map(|(at, _)| *at));
        let Some(first) = first else { return };
        let chain = self.base(Hook::Prerouting, family, "destination nat", first.place());
        for (node, input) in upnp {
            for protocol in [6, 17] {
                let mut when = Match { input: input.clone(), doubts: vec![doubt(node.name())], ..of(family) };
                when.narrow(Field::Protocol, &Ranges::single(protocol));
                self.builder.push(chain, node.place(), when, Action::Unknown, false);
            }
        }
        if let Some(forward) = forward {
            for rule in self.rules(forward) {
                if let Err(bad) = self.forwarded(chain, forward, rule) {
                    self.builder.error(bad);
                }
            }
        }
        let service = service.into_iter().map(|node| (node, true));
        let all: Vec<(At<'t>, bool)> = service.chain(nodes.into_iter().map(|node| (node, false))).collect();
        for (node, edge) in all {
            for rule in self.rules(node) {
                if edge && rule.value("type") != Some("destination") {
                    continue;
                }
                if let Err(bad) = self.to(chain, family, rule, edge) {
                    self.builder.error(bad);
                }
            }
        }
    }

    fn forwarded(&mut self, chain: ChainId, node: At<'t>, rule: At<'t>) -> Result<(), Bad> {
        let one = Forwarded::of(rule)?;
        let mut ways = vec![one.wan(node)];
        if node.on("hairpin-nat") {
            let inside: Vec<String> = node.values("lan-interface").map(|at| at.name().to_string()).collect();
            ways.push(on(&inside));
        }
        let wan = node.value("wan-interface").unwrap_or("");
        let own = self.builder.around.own_addresses(wan, Family::V4);
        for input in ways {
            let mut when = one.protocols();
            when.input = input;
            when.narrow(Field::DestinationPort, &one.original);
            match &own {
                Some(ranges) => when.narrow(Field::Destination, ranges),
                None => when.doubts.push(Text::new("not-modelled-set").arg("set", wan)),
            }
            let ports = kept(Some(&one.original), one.ports);
            let addresses = Some((Family::V4, one.target, one.target));
            let action = Action::Translate(Translation::Destination { addresses, ports, tag: 1 });
            self.push(chain, rule, when, action);
        }
        Ok(())
    }

    /// A rule that gives packets another destination.
    fn to(&mut self, chain: ChainId, family: Family, rule: At<'t>, edge: bool) -> Result<(), Bad> {
        let variants = self.reading(family).matches(rule)?;
        if rule.has("exclude") {
            variants.into_iter().for_each(|when| self.push(chain, rule, when, Action::Accept));
            return Ok(());
        }
        let word = if edge { "inside-address" } else { "translation" };
        let target = rule.child(word);
        if rule.has("load-balance") || target.is_some_and(|t| t.has("fqdn")) {
            self.builder.note(rule.span(), "load-balance", true);
            variants.into_iter().for_each(|when| self.push(chain, rule, when, Action::Unknown));
            return Ok(());
        }
        let target = target.ok_or_else(|| missing(rule))?;
        if let Some(redirect) = target.child("redirect") {
            let ports = redirect.leaf("port").map(port_range).transpose()?;
            let action = Action::Translate(Translation::Redirect { ports });
            variants.into_iter().for_each(|when| self.push(chain, rule, when, action.clone()));
            return Ok(());
        }
        let ports = target.leaf("port").map(port_range).transpose()?;
        let Some(address) = target.leaf("address") else {
            if ports.is_none() {
                return Err(missing(target));
            }
            for when in variants {
                let ports = kept(when.cube.ranges(Field::DestinationPort), ports);
                let action = Action::Translate(Translation::Destination { addresses: None, ports, tag: 1 });
                self.push(chain, rule, when, action);
            }
            return Ok(());
        };
        let matched = rule.child("destination").and_then(|d| d.leaf("address"));
        for when in variants {
            self.mapped(chain, family, rule, when, (matched, address), ports)?;
        }
        Ok(())
    }

    /// A translation to an address, to any of several, or of a network to another of the same size.
    fn mapped(
        &mut self,
        chain: ChainId,
        family: Family,
        rule: At<'t>,
        when: Match,
        (matched, address): (Option<At<'t>>, At<'t>),
        ports: Option<(u16, u16)>,
    ) -> Result<(), Bad> {
        let ranges = addresses(family, address.name()).ok_or_else(|| bad(address))?;
        let (lo, hi) = ranges.as_slice().first().copied().ok_or_else(|| bad(address))?;
        let ports = kept(when.cube.ranges(Field::DestinationPort), ports);
        let network = address.name().contains('/') && parse_prefix(address.name()).is_some();
        let from = matched.and_then(|at| addresses(family, at.name()));
        let from =
            from.and_then(|r| r.as_slice().first().copied()).filter(|(a, b)| network && b - a == hi - lo);
        let size = hi - lo;
        match from {
            Some((first, _)) if lo != hi && size < MAPPED && self.mapped + size < MAPPED_TOGETHER => {
                self.mapped += size;
                for n in 0..=size {
                    let mut when = when.clone();
                    when.narrow(Field::Destination, &Ranges::single(first + n));
                    let addresses = Some((family, lo + n, lo + n));
                    let action = Action::Translate(Translation::Destination { addresses, ports, tag: 1 });
                    self.push(chain, rule, when, action);
                }
            }
            _ => {
                let addresses = Some((family, lo, hi));
                let action = Action::Translate(Translation::Destination { addresses, ports, tag: 1 });
                self.push(chain, rule, when, action);
            }
        }
        Ok(())
    }

    /// One address for another, both ways.
    fn statics(&mut self) {
        let Some(node) = self.builder.root.path(&["nat", "static"]) else { return };
        let inward = self.base(Hook::Prerouting, Family::V4, "static nat", node.place());
        let outward = self.base(Hook::Postrouting, Family::V4, "static nat", node.place());
        for rule in self.rules(node) {
            if let Err(bad) = self.fixed(inward, outward, rule) {
                self.builder.error(bad);
            }
        }
    }

    fn fixed(&mut self, inward: ChainId, outward: ChainId, rule: At<'t>) -> Result<(), Bad> {
        let family = Family::V4;
        let matched =
            rule.child("destination").and_then(|d| d.leaf("address")).ok_or_else(|| missing(rule))?;
        let target =
            rule.child("translation").and_then(|t| t.leaf("address")).ok_or_else(|| missing(rule))?;
        let reading = self.reading(family);
        let variants = reading.matches(rule)?;
        let interfaces = rule.child("inbound-interface").map(|at| reading.interfaces(at)).transpose()?;
        for when in variants {
            self.mapped(inward, family, rule, when, (Some(matched), target), None)?;
        }
        let mut when = of(family);
        let (output, open) = interfaces.unwrap_or_default();
        when.output = output;
        when.doubts = open;
        when.narrow(Field::Source, &addresses(family, target.name()).ok_or_else(|| bad(target))?);
        self.push(outward, rule, when, Action::Translate(Translation::Source));
        Ok(())
    }

    /// Rules that give packets another source.
    fn source(&mut self, family: Family, path: &[&str]) {
        let root = self.builder.root;
        let service = root.path(&["service", "nat"]).filter(|_| family == Family::V4);
        let node = root.path(path);
        let Some(first) = service.or(node) else { return };
        let chain = self.base(Hook::Postrouting, family, "source nat", first.place());
        let all =
            service.into_iter().map(|node| (node, true)).chain(node.into_iter().map(|node| (node, false)));
        for (node, edge) in all.collect::<Vec<_>>() {
            // What is switched off was told with the destinations.
            let rules = node.numbered("rule").into_iter().map(|(_, rule)| rule);
            let rules: Vec<At<'t>> =
                if edge { rules.filter(|r| !r.has("disable")).collect() } else { self.rules(node) };
            for rule in rules {
                if edge && !matches!(rule.value("type"), Some("source" | "masquerade")) {
                    continue;
                }
                let action = match rule.has("exclude") {
                    true => Action::Accept,
                    false => Action::Translate(Translation::Source),
                };
                match self.reading(family).matches(rule) {
                    Ok(variants) => {
                        variants.into_iter().for_each(|when| self.push(chain, rule, when, action.clone()));
                    }
                    Err(bad) => self.builder.error(bad),
                }
            }
        }
    }
}
