//! Translation of sources on the way out, and the rules out, which see what became of them.

use super::addresses::{Set, Side};
use super::blocks::Block;
use super::draft::{Draft, On, Place, Seen};
use super::tree::{El, Product, Tree};
use super::user::Reader;
use super::words;
use tillgate_model::{Family, Ranges, Span};
use tillgate_ruleset::{Action, Match, Rule, Translation};

/// One translation, or an exemption from all that follow.
pub struct Entry {
    pub span: Span,
    pub matches: Vec<Match>,
    /// The source afterwards.
    pub seen: Seen,
}

impl Entry {
    /// Its rules in the chain that translates.
    pub fn rules(&self) -> impl Iterator<Item = Rule> + '_ {
        let action = match self.seen {
            Seen::Own => Action::Accept,
            _ => Action::Translate(Translation::Source),
        };
        self.with(action)
    }

    /// Its matches with another action.
    pub fn with(&self, action: Action) -> impl Iterator<Item = Rule> + '_ {
        let rule = move |when: &Match| Rule {
            span: self.span.clone(),
            when: when.clone(),
            action: action.clone(),
            log: false,
        };
        self.matches.iter().map(rule)
    }
}

/// All of them in order: one-to-one, new rules, rules by hand, automatic ones.
pub fn entries<'d>(tree: &Tree<'d>, blocks: &[Block], reader: &mut Reader<'d, '_>) -> Vec<Entry> {
    let mut out = Vec::new();
    for block in blocks {
        let mut draft = block.draft.clone();
        draft.destination = draft.source.clone();
        draft.source = Side::any();
        let mut seen = Seen::Unknown;
        if let Some(ends) = block.ends {
            draft.source = Side::of(Set::of(ends.family, Ranges::span(ends.inner.0, ends.inner.1)));
            let mut target = [Ranges::empty(), Ranges::empty()];
            target[ends.family as usize] = Ranges::span(ends.outer.0, ends.outer.1);
            seen = if block.exempts { Seen::Own } else { Seen::These(target) };
        }
        out.push(entry(&draft, seen, reader));
    }
    let mut new: Vec<El<'_>> = tree.all("OPNsense/Firewall/Filter/snatrules/rule");
    new.retain(|r| r.get("enabled") != Some("0"));
    new.sort_by_key(|r| r.get("sequence").and_then(|s| s.parse::<i64>().ok()).unwrap_or(0));
    out.extend(new.into_iter().filter_map(|rule| reader.new_source(rule)));
    let mode = tree.text("nat/outbound/mode").unwrap_or("automatic");
    if matches!(mode, "advanced" | "hybrid") {
        let rules = tree.all("nat/outbound/rule").into_iter().filter(|r| !r.on("disabled"));
        out.extend(rules.filter_map(|rule| reader.old_source(rule)).collect::<Vec<_>>());
    }
    if matches!(mode, "automatic" | "hybrid") {
        let place = tree.one("nat/outbound").map(|e| e.head()).or_else(|| tree.start());
        if let Some(place) = place {
            out.extend(reader.automatic(tree, &place));
        }
    }
    out
}

fn entry(draft: &Draft, seen: Seen, reader: &Reader<'_, '_>) -> Entry {
    let matches = draft.matches(Place::Out, &reader.aliases.network, &Seen::Own);
    Entry { span: draft.span.clone(), matches, seen }
}

impl<'d> Reader<'d, '_> {
    fn new_source(&mut self, rule: El<'d>) -> Option<Entry> {
        let side = |net: &str| rule.get(net).unwrap_or("any");
        let source = (side("source_net"), rule.on("source_not"), rule.get("source_port"));
        let destination = (side("destination_net"), rule.on("destination_not"), rule.get("destination_port"));
        self.source_rule(rule, source, destination)
    }

    fn old_source(&mut self, rule: El<'d>) -> Option<Entry> {
        let side = |name: &str, port: &str| {
            let side = rule.child(name);
            let word = side.and_then(|s| s.get("network").or(s.get("address"))).unwrap_or("any");
            (word, side.is_some_and(|s| s.there("not")), rule.get(port))
        };
        self.source_rule(rule, side("source", "sourceport"), side("destination", "dstport"))
    }

    fn source_rule(
        &mut self,
        rule: El<'d>,
        source: (&str, bool, Option<&str>),
        destination: (&str, bool, Option<&str>),
    ) -> Option<Entry> {
        let mut draft = Draft::new(&rule.span(), true);
        let interface = rule.get("interface").unwrap_or("");
        draft.on = self.interfaces(rule, interface, rule.on("interfacenot"), true).ok()?;
        let inet = rule.get("ipprotocol").filter(|f| !f.is_empty()).unwrap_or("inet");
        draft.families = self.families(rule, inet).ok()?;
        draft.protocol = rule.get("protocol").unwrap_or("").to_ascii_lowercase();
        words::protocols(&draft.protocol, Family::V4).ok()?;
        draft.source = self.side(rule, source.0, source.1, &draft.families).ok()?;
        draft.destination = self.side(rule, destination.0, destination.1, &draft.families).ok()?;
        if words::has_ports(&draft.protocol) {
            draft.source_ports = self.ports(rule, source.2).ok()?;
            draft.destination_ports = self.ports(rule, destination.2).ok()?;
        }
        let seen = match rule.get("target") {
            _ if rule.on("nonat") => Seen::Own,
            None => self.seen_on(interface),
            Some(word) => {
                let word = if word == "other-subnet" { rule.get("targetip").unwrap_or("") } else { word };
                match self.operand(word, false) {
                    Some(set) if set.names.is_empty() && !Family::BOTH.iter().any(|f| set.is_open(*f)) => {
                        Seen::These(set.certain.clone())
                    }
                    _ => Seen::Unknown,
                }
            }
        };
        Some(entry(&draft, seen, self))
    }

    /// The address of an interface, where the file tells it.
    fn seen_on(&self, key: &str) -> Seen {
        match self.aliases.network.interfaces.get(key) {
            Some(interface) if !interface.dynamic[0] && !interface.own[0].is_empty() => {
                Seen::These(interface.own.clone())
            }
            _ => Seen::Unknown,
        }
    }

    /// What the firewall does by itself: inner sources become the address of an interface with a gateway.
    fn automatic(&mut self, tree: &Tree<'d>, place: &Span) -> Vec<Entry> {
        let network = &self.aliases.network;
        let inner = network.interfaces.values().filter(|i| !i.uplink[0]);
        let mut sources = Set::default();
        for interface in inner {
            sources.certain[0] = sources.certain[0].union(&interface.subnets[0]);
            if interface.dynamic[0] {
                sources.maybe[0] = Ranges::full(Family::V4.max_address());
            }
        }
        for route in tree.all("staticroutes/route").into_iter().filter(|r| !r.on("disabled")) {
            if let Some(set) = route.get("network").and_then(|n| self.operand(n, false)) {
                sources.join(&set);
            }
        }
        let sources = Side::of(sources);
        let mut out = Vec::new();
        for (key, interface) in &network.interfaces {
            let tunnel = self.product == Product::OPNsense && interface.device.starts_with("ovpn");
            if !interface.uplink[0] || tunnel {
                continue;
            }
            let mut draft = Draft::new(place, true).family(Family::V4).from(sources.clone());
            draft.on = On::one(&interface.device);
            out.push(entry(&draft, self.seen_on(key), self));
        }
        out
    }
}
