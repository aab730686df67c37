//! The tree to the rule-set model.
//!
//! pf takes the first quick rule that fits, or else the last that fits at all: so each chain holds the quick rules in
//! their order, then the others backwards, then the default. What comes in is asked in one chain, whether it is for
//! the firewall or goes through it.

use super::alias::Aliases;
use super::draft::{Draft, On, Place, Seen, leaves};
use super::implied::{self, Settings, Six};
use super::nat::{self, Cuts};
use super::network::Network;
use super::outbound::{self, Entry};
use super::tree::{Product, Tree};
use super::user::{self, Reader};
use super::{blocks, facts, sections, services, tunnels};
use std::collections::BTreeSet;
use tillgate_model::{Diagnostic, Family, Protocol, Ranges, Span, State, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Hook, Kind, Match, Note, Part, Policy, Rule, RuleSet, Term,
};

/// Sources after translation that are told apart; with more, rules out that ask for a source may match or not.
const MOST_SEEN: usize = 16;

/// Builds the rule set of a configuration.
pub fn build(tree: &Tree<'_>, diagnostics: &mut Vec<Diagnostic>) -> RuleSet {
    let mut rules = RuleSet { platform: "opnsense", ..RuleSet::default() };
    let Some(start) = tree.start() else { return rules };
    let off = match tree.product {
        Product::PfSense => tree.one("system/disablefilter"),
        Product::OPNsense => tree.one("system/disablefilter").filter(|e| e.text() != "0"),
    };
    if let Some(off) = off {
        for hook in [Hook::Input, Hook::Forward] {
            rules.chains.push(Chain { name: "disablefilter".into(), rules: Vec::new() });
            let chain = rules.chains.len() - 1;
            rules.bases.push(base(chain, hook, Kind::Filter, 0, Policy::Accept, &off.span()));
        }
        return rules;
    }
    let aliases = Aliases::of(tree, Network::of(tree));
    let mut reader = Reader {
        aliases: &aliases,
        product: tree.product,
        schedules: tree
            .all("schedules/schedule")
            .iter()
            .filter_map(|s| s.get("name"))
            .collect::<BTreeSet<_>>(),
        skip_down: tree.one("system/skip_rules_gw_down").is_some_and(|e| e.text() != "0"),
        notes: Vec::new(),
        diagnostics,
    };
    if !aliases.network.known {
        reader.note(&start, Text::new("opnsense-no-interfaces"), true);
    }
    let settings = Settings::of(tree, &start);
    let mut list = implied::before(tree, &settings, &mut reader);
    list.extend(user::rules(tree, &mut reader));
    let leaving = list.iter().any(|d| d.outward);
    list.extend(tunnels::behind(tree, &settings, leaving, &mut reader));
    let forwards = nat::forwards(tree, &settings, &mut reader);
    list.extend(forwards.iter().filter_map(|f| f.registered()));
    if settings.six == Six::Blocked {
        // What else is said of IPv6 is as if it were not there.
        list.iter_mut().skip(1).for_each(|d| d.families.retain(|f| *f == Family::V4));
    }
    let blocks = blocks::blocks(tree, &mut reader);
    let cuts = Cuts::of(&list);
    let entries = outbound::entries(tree, &blocks, &mut reader);
    let mut builder = Builder { rules: &mut rules, aliases: &aliases, settings: &settings, list: &list };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    services::before_forwards(tree, &mut reader, &mut first);
    forwards.iter().for_each(|f| f.rules(&mut reader, &cuts, &mut first));
    services::behind_forwards(tree, &mut reader, &mut first);
    blocks.iter().for_each(|b| b.rules(&reader, &cuts, &mut second));
    for (name, rules, priority) in [("nat rdr", first, -100), ("nat binat", second, -99)] {
        builder.translating(name, rules, Hook::Prerouting, priority);
    }
    let skips: Vec<(u16, Span)> = forwards.iter().filter_map(|f| f.skips()).collect();
    builder.inward(&skips);
    builder.outward(&entries);
    let sources = entries.iter().flat_map(Entry::rules).collect();
    builder.translating("nat outbound", sources, Hook::Postrouting, 100);
    let mut notes = reader.notes;
    notes.extend(sections::unread(tree));
    rules.notes = notes;
    rules.facts = facts::facts(tree, &aliases);
    rules
}

fn base(chain: ChainId, hook: Hook, kind: Kind, priority: i32, policy: Policy, span: &Span) -> Base {
    Base { chain, hook, priority, kind, policy, policy_span: span.clone(), family: None }
}

/// Packets of known connections.
fn known() -> Match {
    let mut when = Match::default();
    when.narrow(Field::State, &Ranges::span(State::Established as u128, State::Related as u128));
    when
}

/// TCP that opens nothing and belongs to nothing.
fn middle() -> Match {
    let mut when = Match::default();
    when.narrow(Field::Protocol, &Ranges::single(Protocol::TCP.0.into()));
    when.narrow(Field::TcpFlags, &super::words::opening().complement(255));
    when
}

/// What no router sends on: the limited broadcast, and what belongs to one link (RFC 1812 section 5.3.5.1, RFC 4291
/// section 2.5.6 and 2.7).
fn stays() -> Match {
    let six = vec![(0xfe80 << 112, (0xfec0u128 << 112) - 1), (0xff02 << 112, (0xff03u128 << 112) - 1)];
    let lists = [(Family::V4, vec![(u32::MAX.into(), u32::MAX.into())]), (Family::V6, six)];
    let part = |(family, list)| {
        let cube = Cube::all().at(Field::Family, family as u128);
        let cube = cube.and_then(|c| c.with(Field::Destination, &Ranges::from_unsorted(list)));
        cube.map(|cube| Part { cube, ..Part::default() })
    };
    let parts = lists.into_iter().filter_map(part).collect();
    Match { output: vec![leaves(true)], terms: vec![Term::Any { parts, negate: false }], ..Match::default() }
}

struct Builder<'a, 'd> {
    rules: &'a mut RuleSet,
    aliases: &'a Aliases<'d>,
    settings: &'a Settings,
    list: &'a [Draft],
}

impl Builder<'_, '_> {
    fn chain(&mut self, name: &str, rules: Vec<Rule>) -> ChainId {
        self.rules.chains.push(Chain { name: name.to_string(), rules });
        self.rules.chains.len() - 1
    }

    fn rule(&self, when: Match, action: Action) -> Rule {
        Rule { span: self.settings.start.clone(), when, action, log: false }
    }

    fn denial(&self, when: Match) -> Rule {
        let Settings { default_place, log_default, .. } = self.settings;
        Rule { span: default_place.clone(), when, action: Action::Drop, log: *log_default }
    }

    fn translating(&mut self, name: &str, rules: Vec<Rule>, hook: Hook, priority: i32) {
        if rules.is_empty() {
            return;
        }
        let chain = self.chain(name, rules);
        let span = self.settings.start.clone();
        self.rules.bases.push(base(chain, hook, Kind::Nat, priority, Policy::Accept, &span));
    }

    /// Rules of a direction in the order in which the first that fits decides.
    fn ordered(
        &mut self,
        place: Place,
        seen: &Seen,
        accept: &Action,
        keep: impl Fn(&&Draft) -> bool,
    ) -> Vec<Rule> {
        let fits = |d: &&Draft| if place == Place::Out { d.outward } else { d.inward };
        let (list, network) = (self.list, &self.aliases.network);
        let quick = list.iter().filter(|d| d.quick);
        let last = list.iter().filter(|d| !d.quick).rev();
        let mut out = Vec::new();
        // Rules in a row that name the same many devices, without them.
        let mut shared: Option<(&Draft, Vec<Rule>)> = None;
        for draft in quick.chain(last).filter(fits).filter(&keep) {
            let action = if draft.pass { accept } else { &Action::Drop };
            let apart = place == Place::In && draft.on.is_large();
            if let Some((first, _)) = &shared
                && (!apart || first.on != draft.on)
            {
                out.extend(shared.take().map(|(first, rules)| self.with_devices(first, rules)));
            }
            let rules = match apart {
                true => Draft { on: On::Any, ..draft.clone() }.rules(place, network, seen, action),
                false => draft.rules(place, network, seen, action),
            };
            if rules.is_empty() && place == Place::In {
                out.extend(self.nowhere(draft));
            }
            match apart {
                true => shared.get_or_insert((draft, Vec::new())).1.extend(rules),
                false => out.extend(rules),
            }
        }
        out.extend(shared.map(|(first, rules)| self.with_devices(first, rules)));
        out
    }

    /// Asks for the devices of a draft once, before rules that all name them.
    fn with_devices(&mut self, draft: &Draft, rules: Vec<Rule>) -> Rule {
        let chain = self.chain("filter in, group", rules);
        let when = Match { input: draft.on.condition().into_iter().collect(), ..Match::default() };
        Rule { span: draft.span.clone(), when, action: Action::Jump(chain), log: false }
    }

    /// A line that takes no packet anywhere still stands among the rules.
    fn nowhere(&self, draft: &Draft) -> Option<Rule> {
        let leaving = || draft.matches(Place::Out, &self.aliases.network, &Seen::Own);
        let when = Match { never: true, ..Match::default() };
        let rule = Rule { span: draft.span.clone(), when, action: Action::Drop, log: false };
        (!draft.outward || leaving().is_empty()).then_some(rule)
    }

    /// Rules in, asked of what is for the firewall and of what goes through it.
    fn inward(&mut self, skips: &[(u16, Span)]) {
        let name = "filter in";
        let mut rules = vec![self.rule(known(), Action::Accept)];
        for (tag, span) in skips {
            let mut when = Match::default();
            when.narrow(Field::Translated, &Ranges::single((*tag).into()));
            rules.push(Rule { span: span.clone(), when, action: Action::Accept, log: false });
        }
        rules.push(self.denial(stays()));
        let special = self.list.iter().any(|d| d.inward && d.takes_middle());
        let rest = self.middle(Place::In, &Seen::Own, &Action::Accept, special, name);
        rules.push(rest);
        rules.extend(self.ordered(Place::In, &Seen::Own, &Action::Accept, |_| true));
        rules.push(self.denial(Match::default()));
        let chain = self.chain(name, rules);
        let span = self.settings.default_place.clone();
        for hook in [Hook::Input, Hook::Forward] {
            self.rules.bases.push(base(chain, hook, Kind::Filter, 0, Policy::Drop, &span));
        }
    }

    /// What happens to TCP from the middle of nothing: only rules that say so pass it.
    fn middle(&mut self, place: Place, seen: &Seen, accept: &Action, special: bool, name: &str) -> Rule {
        if !special {
            return self.denial(middle());
        }
        let mut rules = self.ordered(place, seen, accept, |d| !d.pass || d.takes_middle());
        rules.push(self.denial(Match::default()));
        let chain = self.chain(&format!("{name}, without connection"), rules);
        self.rule(middle(), Action::Goto(chain))
    }

    /// Rules out, behind translation; without one everything may leave that came in.
    fn outward(&mut self, entries: &[Entry]) {
        let special = self.list.iter().any(Draft::takes_middle);
        if !special && !self.list.iter().any(|d| d.outward) {
            return;
        }
        // Who let a packet in is who let it through, so passing here is going on.
        let mut rules = vec![self.rule(known(), Action::Return)];
        let by_source = self.list.iter().any(|d| d.outward && !d.source.is_any());
        if by_source {
            let mut variants: Vec<(Seen, ChainId)> = Vec::new();
            for entry in entries {
                let seen = if variants.len() < MOST_SEEN { entry.seen.clone() } else { Seen::Unknown };
                let chain = match variants.iter().find(|(known, _)| *known == seen) {
                    Some((_, chain)) => *chain,
                    None => {
                        let list = self.leaving(&seen, special);
                        let chain = self.chain("filter out, translated", list);
                        variants.push((seen, chain));
                        chain
                    }
                };
                rules.extend(entry.with(Action::Goto(chain)));
            }
        }
        rules.extend(self.leaving(&Seen::Own, special));
        let chain = self.chain("filter out", rules);
        let span = self.settings.start.clone();
        self.rules.bases.push(base(chain, Hook::Postrouting, Kind::Filter, 0, Policy::Accept, &span));
    }

    fn leaving(&mut self, seen: &Seen, special: bool) -> Vec<Rule> {
        let rest = self.middle(Place::Out, seen, &Action::Return, special, "filter out");
        let mut rules = vec![rest];
        rules.extend(self.ordered(Place::Out, seen, &Action::Return, |_| true));
        rules
    }
}

/// A remark on a place that changes no verdict.
pub fn remark(span: Span, what: &str) -> Note {
    Note { span, text: Text::new("not-modelled-statement").arg("what", what), bears: false }
}
