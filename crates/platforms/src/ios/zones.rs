//! Zones: pairs, policies and classes as chains.

use super::classes::{Ask, inspectable, part, target};
use super::compile::{Compiler, Target, doubtful, rule};
use super::config::{Deed, Named, Policy};
use std::collections::BTreeMap;
use tillgate_model::{Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Base, ChainId, Hook, InterfaceMatch, Kind, Match, Rule};

/// The zones of the configuration, with what members they have.
struct Zones<'c> {
    members: BTreeMap<&'c str, Vec<String>>,
    /// Where each zone is named first.
    spans: BTreeMap<&'c str, Span>,
    all: Vec<String>,
    policies: BTreeMap<(String, Ask), ChainId>,
}

fn states(list: &[u128]) -> Match {
    let mut when = Match::default();
    when.narrow(Field::State, &list.iter().map(|s| (*s, *s)).collect());
    when
}

fn names(patterns: &[String]) -> InterfaceMatch {
    InterfaceMatch { patterns: patterns.to_vec(), negate: false }
}

/// Adds what zones decide at the hooks.
pub fn build(compiler: &mut Compiler<'_>) {
    let config = compiler.config;
    let mut zones = Zones {
        members: BTreeMap::new(),
        spans: BTreeMap::new(),
        all: Vec::new(),
        policies: BTreeMap::new(),
    };
    for (name, interface) in &config.interfaces {
        let Some(zone) = &interface.zone else { continue };
        zones.members.entry(&zone.name).or_default().push(name.clone());
        zones.spans.entry(&zone.name).or_insert_with(|| zone.span.clone());
        zones.all.push(name.clone());
    }
    for (name, span) in &config.zones {
        zones.spans.insert(name, span.clone());
    }
    if zones.all.is_empty() {
        return;
    }
    if let Some(span) = config.zones.get("default") {
        compiler.open(span, Text::new("not-modelled-statement").arg("what", "zone security default"), true);
    }
    // Pairs by their two zones; a second pair for the same two is refused by the router.
    let mut pairs: BTreeMap<(&str, &str), (&Span, Option<&Named>)> = BTreeMap::new();
    for pair in config.pairs.values() {
        let key = (pair.source.as_str(), pair.destination.as_str());
        pairs.entry(key).or_insert((&pair.span, pair.policy.as_ref()));
    }
    let mut chains: BTreeMap<(&str, &str), ChainId> = BTreeMap::new();
    for (&(from, to), &(span, policy)) in &pairs {
        let back = pairs.get(&(to, from)).and_then(|(_, policy)| *policy);
        let chain = zones.pair(compiler, (from, to), span, policy, back);
        chains.insert((from, to), chain);
    }
    // What answers a session that only the other direction's pair inspects.
    let answers: Vec<(&str, &str)> =
        pairs.keys().map(|(from, to)| (*to, *from)).filter(|key| !pairs.contains_key(key)).collect();
    for (from, to) in answers {
        // To and from the router itself only a pair of its own closes.
        if from == "self" || to == "self" {
            continue;
        }
        let Some(&(span, back)) = pairs.get(&(to, from)) else { continue };
        let name = format!("{from} to {to}");
        let end = compiler.chain(name.clone(), vec![rule(span, Match::default(), Action::Drop)]);
        let mut list = zones.answers(compiler, span, None, back, end);
        list.push(rule(span, Match::default(), Action::Goto(end)));
        let chain = compiler.chain(name, list);
        chains.insert((from, to), chain);
    }
    zones.forward(compiler, &chains);
    zones.router(compiler, &chains);
}

impl<'c> Zones<'c> {
    fn base(compiler: &mut Compiler<'_>, chain: ChainId, hook: Hook, span: &Span) {
        compiler.rules.bases.push(Base {
            chain,
            hook,
            priority: 0,
            kind: Kind::Filter,
            policy: tillgate_ruleset::Policy::Accept,
            policy_span: span.clone(),
            family: None,
        });
    }

    fn place(&self) -> Option<Span> {
        self.spans.values().next().cloned()
    }

    /// Between interfaces: one chain per zone that packets come from.
    fn forward(&self, compiler: &mut Compiler<'_>, chains: &BTreeMap<(&str, &str), ChainId>) {
        let Some(place) = self.place() else { return };
        let mut list = Vec::new();
        for (zone, members) in &self.members {
            let span = self.spans.get(zone).unwrap_or(&place);
            let mut inner = Vec::new();
            let pairs = chains.range((*zone, "")..).take_while(|((from, _), _)| from == zone);
            for ((_, to), chain) in pairs {
                let Some(targets) = self.members.get(to) else { continue };
                let when = Match { output: vec![names(targets)], ..Match::default() };
                inner.push(rule(span, when, Action::Goto(*chain)));
            }
            if !chains.contains_key(&(zone, zone)) {
                let when = Match { output: vec![names(members)], ..Match::default() };
                inner.push(rule(span, when, Action::Accept));
            }
            inner.push(rule(span, Match::default(), Action::Drop));
            let chain = compiler.chain(format!("zone {zone}"), inner);
            let when = Match { input: vec![names(members)], ..Match::default() };
            list.push(rule(span, when, Action::Goto(chain)));
        }
        // From an interface without zone nothing gets to one with a zone.
        let when = Match { output: vec![names(&self.all)], ..Match::default() };
        let doubts = match compiler.config.zones.get("default") {
            Some(_) => vec![doubtful("zone security default")],
            None => Vec::new(),
        };
        list.push(rule(&place, Match { doubts, ..when }, Action::Drop));
        let chain = compiler.chain("zones", list);
        Self::base(compiler, chain, Hook::Forward, &place);
    }

    /// To and from the router itself.
    fn router(&self, compiler: &mut Compiler<'_>, chains: &BTreeMap<(&str, &str), ChainId>) {
        let Some(place) = self.place() else { return };
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for (zone, members) in &self.members {
            let span = self.spans.get(zone).unwrap_or(&place);
            if let Some(chain) = chains.get(&(*zone, "self")) {
                let when = Match { input: vec![names(members)], ..Match::default() };
                to.push(rule(span, when, Action::Goto(*chain)));
            }
            if let Some(chain) = chains.get(&("self", *zone)) {
                let when = Match { output: vec![names(members)], ..Match::default() };
                from.push(rule(span, when, Action::Goto(*chain)));
            }
        }
        for (list, hook, name) in
            [(to, Hook::Input, "zones to self"), (from, Hook::Output, "zones from self")]
        {
            if !list.is_empty() {
                let chain = compiler.chain(name, list);
                Self::base(compiler, chain, hook, &place);
            }
        }
    }

    /// The chain of a pair: answers first, then its own policy.
    fn pair(
        &mut self,
        compiler: &mut Compiler<'_>,
        ends: (&str, &str),
        span: &Span,
        policy: Option<&Named>,
        back: Option<&Named>,
    ) -> ChainId {
        let config = compiler.config;
        let name = format!("{} to {}", ends.0, ends.1);
        let itself = ends.0 == "self" || ends.1 == "self";
        let statement = |what: &str| Text::new("not-modelled-statement").arg("what", what);
        let mut stray = None;
        let own = match policy.map(|named| (named, config.policies.get(&named.name))) {
            Some((named, Some(found))) => {
                // What the router sends itself is taken for a session of its own.
                if ends.0 != "self" {
                    let passes = found.classes.iter().any(|c| matches!(c.deed, Some((Deed::Pass, _))));
                    stray = Some(match passes {
                        true => Action::Goto(self.policy(compiler, &named.name, found, Ask::Stray)),
                        false => Action::Drop,
                    });
                }
                self.policy(compiler, &named.name, found, Ask::Packet)
            }
            other => {
                let mut when = Match::default();
                let place = match other {
                    Some((named, _)) => {
                        let text = statement(&format!("policy-map {}", named.name));
                        when.doubts.push(compiler.open(&named.span, text, true));
                        &named.span
                    }
                    // With the router on one side, what a pair without policy does is not certain.
                    None if itself => {
                        when.doubts.push(compiler.open(span, statement("zone-pair"), true));
                        span
                    }
                    None => span,
                };
                compiler.chain(name.clone(), vec![rule(place, when, Action::Drop)])
            }
        };
        let mut list = self.answers(compiler, span, policy, back, own);
        list.extend(stray.map(|action| rule(span, states(&[3]), action)));
        list.push(rule(span, Match::default(), Action::Goto(own)));
        compiler.chain(name, list)
    }

    /// Packets that answer what the other direction inspects, and errors about sessions of either. What answers
    /// nothing goes on to the chain `next`.
    fn answers(
        &mut self,
        compiler: &mut Compiler<'_>,
        span: &Span,
        policy: Option<&Named>,
        back: Option<&Named>,
        next: ChainId,
    ) -> Vec<Rule> {
        let config = compiler.config;
        let inspects = |named: &Named| {
            let policy = config.policies.get(&named.name);
            let classes = policy.map_or(&[][..], |p| p.classes.as_slice());
            classes.iter().any(|c| matches!(c.deed, Some((Deed::Inspect, _))))
        };
        let mut list = Vec::new();
        if policy.into_iter().chain(back).any(&inspects) {
            list.push(rule(span, states(&[2]), Action::Accept));
        }
        if let Some(back) = back.filter(|named| inspects(named))
            && let Some(found) = config.policies.get(&back.name)
        {
            let chain = self.policy(compiler, &back.name, found, Ask::Session(next));
            list.push(rule(span, states(&[1]), Action::Goto(chain)));
        }
        list
    }

    fn policy(&mut self, compiler: &mut Compiler<'_>, name: &str, policy: &Policy, ask: Ask) -> ChainId {
        let key = (name.to_string(), ask);
        if let Some(&known) = self.policies.get(&key) {
            return known;
        }
        let mut list = Vec::new();
        let mut default = None;
        for class in &policy.classes {
            match &class.class {
                Some(named) => part(compiler, class, named, ask, &mut list),
                None => default = Some(class),
            }
        }
        let span = default.map_or(&policy.span, |c| c.deed.as_ref().map_or(&c.span, |(_, span)| span));
        let deed = default.and_then(|c| c.deed.as_ref()).map_or(Deed::Drop, |(deed, _)| *deed);
        let log = default.is_some_and(|c| c.log);
        let mut target = target(deed, log, ask);
        if deed == Deed::Pass && target == Target::Accept {
            // To pass is not to inspect, though both let packets through: what is inspected is not redundant before it.
            let pass = rule(span, Match::default(), Action::Accept);
            target = Target::Jump(compiler.chain(name, vec![pass]));
        }
        for when in inspectable(compiler, span, deed, ask) {
            list.push(Rule {
                span: span.clone(),
                when,
                action: target.action(),
                log: log && deed == Deed::Drop,
            });
        }
        // Other protocols that class-default would inspect, if it does not.
        if deed == Deed::Inspect {
            match ask {
                Ask::Packet => list.push(rule(span, Match::default(), Action::Drop)),
                Ask::Session(next) => list.push(rule(span, Match::default(), Action::Goto(next))),
                Ask::Stray => {}
            }
        }
        let chain = compiler.chain(name, list);
        self.policies.insert(key, chain);
        chain
    }
}
