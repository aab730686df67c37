//! Sections to the rule-set model: base chains, zones' chains, rules and forwardings, in the order of fw4's rule set.

use super::network::Networks;
use super::section::Bad;
use super::select::Packets;
use super::sets::Sets;
use super::uci::{Package, Section};
use super::values;
use super::zones::{self, DIRECTIONS, Defaults, Zone};
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Diagnostic, Family, Ranges, Span, State, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Hook, InterfaceMatch, Kind, Match, Note, Policy, Rule, RuleSet,
};

/// Places in a zone's and in the base chains, by [`DIRECTIONS`].
pub const INPUT: usize = 0;
pub const FORWARD: usize = 1;
pub const OUTPUT: usize = 2;

/// One end of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not given.
    None,
    /// `*`
    Any,
    Zone(usize),
}

/// What is being built.
pub struct Builder<'a> {
    pub networks: Networks<'a>,
    pub sets: Sets,
    pub zones: Vec<Zone>,
    pub by_name: BTreeMap<String, usize>,
    pub rules: RuleSet,
    pub diagnostics: &'a mut Vec<Diagnostic>,
    /// Sets that rules in force use.
    pub used: BTreeSet<String>,
    defaults: Defaults,
    /// Masquerading zones to which a chain accepts.
    leaks: BTreeMap<ChainId, BTreeSet<usize>>,
    /// What is decided about packets to large zones: zone, accepted, logged.
    shared: BTreeMap<(usize, bool, bool), ChainId>,
    /// Rules of chains that only some zones have, by zone.
    pub notrack: BTreeMap<usize, Vec<Rule>>,
    pub dnat: BTreeMap<usize, Vec<Rule>>,
    /// Source translations; without a zone, those that come first.
    pub snat: BTreeMap<Option<usize>, Vec<Rule>>,
    /// By which translations packets of a zone may have been rewritten, with their lines.
    pub rewritten: BTreeMap<usize, BTreeMap<u16, Span>>,
    pub tag: u16,
}

/// Builds the rule set of the firewall's sections. `begin` is where the configuration begins.
pub fn build<'a>(
    sections: &'a [Section],
    networks: Networks<'a>,
    sets: Sets,
    begin: Span,
    diagnostics: &'a mut Vec<Diagnostic>,
) -> (RuleSet, BTreeSet<String>) {
    let own = || sections.iter().filter(|s| s.package == Package::Firewall);
    let of = |kind: &'static str| own().filter(move |s| s.kind == kind);
    let first = of("defaults").next();
    let defaults = zones::defaults(first, begin.clone(), diagnostics);
    let found = zones::zones(of("zone"), &defaults, &networks, diagnostics);
    let mut builder = Builder {
        networks,
        sets,
        zones: found.list,
        by_name: found.by_name,
        rules: RuleSet { platform: "openwrt", notes: found.notes, ..RuleSet::default() },
        diagnostics,
        used: BTreeSet::new(),
        defaults,
        leaks: BTreeMap::new(),
        shared: BTreeMap::new(),
        notrack: BTreeMap::new(),
        dnat: BTreeMap::new(),
        snat: BTreeMap::new(),
        rewritten: BTreeMap::new(),
        tag: 1,
    };
    let head = first.map_or(begin, |s| s.span.clone());
    builder.chains();
    builder.heads(&head, first, of("include"));
    for kind in ["rule", "forwarding", "redirect", "nat"] {
        for section in of(kind) {
            let done = match kind {
                "rule" => builder.rule(section),
                "forwarding" => builder.forwarding(section),
                "redirect" => builder.redirect(section),
                _ => builder.nat(section),
            };
            if let Err((option, text)) = done {
                builder.diagnostics.push(Diagnostic::error(section.place(option), text));
            }
        }
    }
    builder.ends();
    builder.translations();
    builder.beside(own());
    (builder.rules, builder.used)
}

impl Builder<'_> {
    /// The base chains, then three chains of each zone.
    fn chains(&mut self) {
        let zones: Vec<String> = self.zones.iter().map(|z| z.name.clone()).collect();
        for direction in DIRECTIONS {
            self.rules.chains.push(Chain { name: direction.into(), rules: Vec::new() });
        }
        for zone in zones {
            for direction in DIRECTIONS {
                let name = format!("{direction}_{zone}");
                self.rules.chains.push(Chain { name, rules: Vec::new() });
            }
        }
        for ((hook, chain), verdict) in
            [Hook::Input, Hook::Forward, Hook::Output].into_iter().zip(0..).zip(&self.defaults.policies)
        {
            self.rules.bases.push(Base {
                chain,
                hook,
                priority: 0,
                kind: Kind::Filter,
                policy: if verdict.accept { Policy::Accept } else { Policy::Drop },
                policy_span: verdict.span.clone(),
                family: None,
            });
        }
    }

    /// A zone's chain of a direction.
    pub fn chain(&self, zone: usize, direction: usize) -> ChainId {
        DIRECTIONS.len() * (zone + 1) + direction
    }

    pub fn push(&mut self, chain: ChainId, rule: Rule) {
        if let Some(chain) = self.rules.chains.get_mut(chain) {
            chain.rules.push(rule);
        }
    }

    /// What stands before all rules: loopback, established connections, and what may be included.
    fn heads<'s>(
        &mut self,
        span: &Span,
        defaults: Option<&Section>,
        includes: impl Iterator<Item = &'s Section>,
    ) {
        let state = |list: &[State]| {
            let mut when = Match::default();
            when.narrow(Field::State, &list.iter().map(|s| (*s as u128, *s as u128)).collect());
            when
        };
        let lo = || vec![InterfaceMatch { patterns: vec!["lo".into()], negate: false }];
        let rule =
            |span: &Span, when: Match, action: Action| Rule { span: span.clone(), when, action, log: false };
        self.push(INPUT, rule(span, Match { input: lo(), ..Match::default() }, Action::Accept));
        self.push(OUTPUT, rule(span, Match { output: lo(), ..Match::default() }, Action::Accept));
        let mut late = Vec::new();
        for section in includes {
            late.extend(self.include(section));
        }
        for chain in [INPUT, FORWARD, OUTPUT] {
            let answers = state(&[State::Established, State::Related]);
            self.push(chain, rule(span, answers, Action::Accept));
            if self.defaults.drop_invalid {
                let line = defaults.map_or(span.clone(), |s| s.line("drop_invalid"));
                self.push(chain, rule(&line, state(&[State::Invalid]), Action::Drop));
            }
            if let Some(line) = self.defaults.disable_ipv6.clone() {
                let text = Text::new("not-modelled-statement").arg("what", "disable_ipv6");
                let mut when = Match { doubts: vec![text], ..Match::default() };
                when.narrow(Field::Family, &Ranges::single(Family::V6 as u128));
                self.push(chain, rule(&line, when, Action::Accept));
            }
        }
        if let Some(span) = self.defaults.disable_ipv6.clone() {
            let text = Text::new("not-modelled-statement").arg("what", "disable_ipv6");
            self.rules.notes.push(Note { span, text, bears: true });
        }
        for (chain, span) in late {
            self.push(chain, rule(&span, Match::default(), Action::Unknown));
        }
    }

    /// What is included may do anything where it stands; gives the chains where that is after established
    /// connections.
    fn include(&mut self, section: &Section) -> Vec<(ChainId, Span)> {
        if section.text("enabled").and_then(values::boolean) == Some(false) {
            return Vec::new();
        }
        let path = section.text("path").unwrap_or("");
        let script = section.text("type").is_none_or(|t| values::choice(t, &["script"]).is_some());
        let compatible = section.text("fw4_compatible").and_then(values::boolean);
        if script && !compatible.unwrap_or(path != "/etc/firewall.user") {
            // fw4 leaves it out.
            return Vec::new();
        }
        let text = Text::new("not-modelled-statement").arg("what", format!("include {path}"));
        self.rules.notes.push(Note { span: section.span.clone(), text, bears: true });
        let own = match section.text("position").filter(|_| !script) {
            Some(p) if values::choice(p, &["chain-prepend", "chain-postpend", "chain-append"]).is_some() => {
                section.text("chain")
            }
            _ => None,
        };
        let chain = own.and_then(|name| self.rules.chains.iter().position(|c| c.name == name));
        match chain {
            Some(chain) if chain < DIRECTIONS.len() => vec![(chain, section.span.clone())],
            // Which of a zone's rules stand before it is left open.
            Some(chain) => {
                let span = section.span.clone();
                self.push(chain, Rule { span, when: Match::default(), action: Action::Unknown, log: false });
                Vec::new()
            }
            None => [INPUT, FORWARD].map(|chain| (chain, section.span.clone())).into(),
        }
    }

    /// A zone named by an option; `Err` when there is none of that name.
    pub fn end(&self, section: &Section, option: &'static str) -> Result<End, Bad> {
        match section.text(option) {
            None => Ok(End::None),
            Some("*") => Ok(End::Any),
            Some(name) => match self.by_name.get(name) {
                Some(zone) => Ok(End::Zone(*zone)),
                None => Err((option, Text::new("unknown-object").arg("name", name))),
            },
        }
    }

    fn family_of(&self, end: End) -> Option<Family> {
        match end {
            End::Zone(at) => self.zones.get(at).and_then(|z| z.family),
            _ => None,
        }
    }

    /// The families of zones that a section names.
    pub fn bind(&self, packets: &mut Packets, ends: &[End]) {
        packets.bound.extend(ends.iter().map(|end| self.family_of(*end)));
    }

    /// Adds a rule that decides about packets to a zone, or to anywhere.
    pub fn place(
        &mut self,
        chain: ChainId,
        span: &Span,
        when: Match,
        accept: bool,
        to: Option<usize>,
        mut log: bool,
    ) {
        let action = if accept { Action::Accept } else { Action::Drop };
        let rule = |when, action, log| Rule { span: span.clone(), when, action, log };
        let Some(at) = to else {
            if accept {
                self.close_leaks(chain);
            }
            return self.push(chain, rule(when, action, log));
        };
        let Some(zone) = self.zones.get(at) else { return };
        log |= !accept && zone.log;
        if accept && zone.refuses_invalid() {
            self.leaks.entry(chain).or_default().insert(at);
        }
        if zone.is_large() {
            let shared = self.shared(at, accept, log);
            return self.push(chain, rule(when, Action::Jump(shared), false));
        }
        for mut when in zone.narrow(&when, false) {
            if accept && let Some(zone) = self.zones.get(at) {
                zone.without_invalid(&mut when);
            }
            self.push(chain, rule(when, action.clone(), log));
        }
    }

    /// The chain that decides about packets to a large zone.
    fn shared(&mut self, at: usize, accept: bool, log: bool) -> ChainId {
        if let Some(known) = self.shared.get(&(at, accept, log)) {
            return *known;
        }
        let id = self.rules.chains.len();
        let mut chain = Chain { name: String::new(), rules: Vec::new() };
        if let Some(zone) = self.zones.get(at) {
            chain.name = format!("{}_to_{}", if accept { "accept" } else { "drop" }, zone.name);
            for mut when in zone.narrow(&Match::default(), false) {
                if accept {
                    zone.without_invalid(&mut when);
                }
                let action = if accept { Action::Accept } else { Action::Drop };
                chain.rules.push(Rule { span: zone.span.clone(), when, action, log });
            }
        }
        self.rules.chains.push(chain);
        self.shared.insert((at, accept, log), id);
        id
    }

    /// Before anything accepts to everywhere: invalid packets that masquerading zones may have refused already.
    fn close_leaks(&mut self, chain: ChainId) {
        for at in self.leaks.get(&chain).cloned().unwrap_or_default() {
            let Some(zone) = self.zones.get(at) else { continue };
            let (span, log) = (zone.masquerade_span.clone(), zone.log);
            for when in zone.invalid() {
                self.push(chain, Rule { span: span.clone(), when, action: Action::Drop, log });
            }
        }
        self.leaks.remove(&chain);
    }

    /// The ends of zones' chains, and the ways into them.
    fn ends(&mut self) {
        let accepts = self.defaults.policies.get(FORWARD).is_some_and(|p| p.accept);
        for at in 0..self.zones.len() {
            for (tag, span) in self.rewritten.get(&at).cloned().unwrap_or_default() {
                let mut when = Match::default();
                when.narrow(Field::Translated, &Ranges::single(tag.into()));
                for direction in [INPUT, FORWARD] {
                    let rule =
                        Rule { span: span.clone(), when: when.clone(), action: Action::Accept, log: false };
                    self.push(self.chain(at, direction), rule);
                }
            }
            let Some(zone) = self.zones.get(at) else { continue };
            let mut list = Vec::new();
            for (direction, verdict) in zone.policies.iter().enumerate() {
                let chain = self.chain(at, direction);
                let action = if verdict.accept { Action::Accept } else { Action::Drop };
                let log = !verdict.accept && zone.log;
                // Behind a rule for everything a policy has nothing left to say.
                if self.rules.chains.get(chain).and_then(|c| c.rules.last()).is_some_and(takes_all) {
                    continue;
                }
                // Only packets of the zone get into its chain; those to others go on.
                let matches = match direction {
                    FORWARD => zone.narrow(&Match::default(), false),
                    _ => vec![Match::default()],
                };
                for mut when in matches {
                    if verdict.accept && direction != INPUT {
                        zone.without_invalid(&mut when);
                    }
                    let span = verdict.span.clone();
                    list.push((chain, Rule { span, when, action: action.clone(), log }));
                }
            }
            if zone.log && !accepts {
                let rule = Rule {
                    span: zone.span.clone(),
                    when: Match::default(),
                    action: Action::Continue,
                    log: true,
                };
                list.push((self.chain(at, FORWARD), rule));
            }
            for direction in [INPUT, FORWARD, OUTPUT] {
                let action = Action::Jump(self.chain(at, direction));
                for when in zone.narrow(&Match::default(), direction != OUTPUT) {
                    list.push((
                        direction,
                        Rule { span: zone.span.clone(), when, action: action.clone(), log: false },
                    ));
                }
            }
            for (chain, rule) in list {
                self.push(chain, rule);
            }
        }
        for (direction, verdict) in self.defaults.policies.clone().into_iter().enumerate() {
            if verdict.accept {
                let chains: Vec<ChainId> =
                    (0..self.zones.len()).map(|at| self.chain(at, direction)).chain([direction]).collect();
                chains.into_iter().for_each(|chain| self.close_leaks(chain));
            }
        }
    }
}

/// Whether a rule decides about every packet that gets to it.
fn takes_all(rule: &Rule) -> bool {
    let Match { input, output, cube, terms, doubts, never } = &rule.when;
    let free = input.is_empty() && output.is_empty() && cube.constraints().is_empty();
    let decides = matches!(rule.action, Action::Accept | Action::Drop);
    free && terms.is_empty() && doubts.is_empty() && !never && decides
}
