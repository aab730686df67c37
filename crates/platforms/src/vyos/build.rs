//! The tree to the rule-set model: rule sets, and where they are bound.
//!
//! Old releases return from a set that accepts and go on to the next place where one is bound, so that every such
//! place is a base chain of its own; what is final stands at the head of each.

use super::around::Around;
use super::matches::{Bad, Reading, bad, doubt, missing};
use super::tree::At;
use super::{ahead, beside, diverted, nat, zones};
use crate::loops::{self, Named};
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Date, Diagnostic, Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Fact, Hook, InterfaceMatch, Kind, Match, Note, Policy, Rule, RuleSet, What,
};

/// How a set ends what it accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Old releases: the set is left. Where it was jumped to, the caller goes on.
    Old { called: bool },
    /// New releases: the hook is left.
    New,
    /// Sets that mark and route: what they do not drop goes on.
    Marks,
}

/// A named rule set.
#[derive(Clone, Copy)]
pub struct Set<'t> {
    pub node: At<'t>,
    pub chain: ChainId,
    style: Style,
}

/// What is built, and from what.
pub struct Builder<'b, 't> {
    pub root: At<'t>,
    pub around: &'b Around<'t>,
    pub rules: RuleSet,
    pub diagnostics: &'b mut Vec<Diagnostic>,
    sets: BTreeMap<(Family, &'t str), Set<'t>>,
    used: BTreeSet<(Family, &'t str)>,
    /// Chains every base chain of a hook and family begins with.
    heads: BTreeMap<(Hook, Family), Vec<(ChainId, Span)>>,
}

/// Builds the rule set of a tree.
pub fn build(root: At<'_>, diagnostics: &mut Vec<Diagnostic>) -> RuleSet {
    let around = Around::of(root, diagnostics);
    let mut builder = Builder {
        root,
        around: &around,
        rules: RuleSet { platform: "vyos", ..RuleSet::default() },
        diagnostics,
        sets: BTreeMap::new(),
        used: BTreeSet::new(),
        heads: BTreeMap::new(),
    };
    builder.declare();
    builder.state_policy();
    ahead::build(&mut builder);
    builder.fill();
    builder.bindings();
    builder.hooks();
    zones::build(&mut builder);
    builder.everywhere();
    nat::build(&mut builder);
    diverted::build(&mut builder);
    beside::build(&mut builder);
    builder.end();
    let mut rules = builder.rules;
    around.named(root);
    rules.facts.extend(around.unused());
    rules
}

/// The words for a family's sets and rules.
pub fn set_word(family: Family) -> &'static str {
    if family == Family::V4 { "name" } else { "ipv6-name" }
}

/// A condition on one end's interfaces.
pub fn on(names: &[String]) -> Vec<InterfaceMatch> {
    vec![InterfaceMatch { patterns: names.to_vec(), negate: false }]
}

/// A match of everything of a family.
pub fn of(family: Family) -> Match {
    let mut when = Match::default();
    when.narrow(Field::Family, &Ranges::single(family as u128));
    when
}

impl<'t> Builder<'_, 't> {
    /// Something that is not modelled; `bears` where it could change a verdict.
    pub fn note(&mut self, span: Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.rules.notes.push(Note { span, text, bears });
    }

    /// Reports what is wrong.
    pub fn error(&mut self, (span, text): Bad) {
        self.diagnostics.push(Diagnostic::error(span, text));
    }

    /// A new chain without rules.
    pub fn chain(&mut self, name: String) -> ChainId {
        self.rules.chains.push(Chain { name, rules: Vec::new() });
        self.rules.chains.len() - 1
    }

    /// Adds a rule.
    pub fn push(&mut self, chain: ChainId, span: Span, when: Match, action: Action, log: bool) {
        self.rules.chains[chain].rules.push(Rule { span, when, action, log });
    }

    /// A base chain that accepts what its rules leave over; filters begin with what comes before every rule.
    pub fn base(&mut self, name: &str, hook: Hook, priority: i32, family: Family, span: Span) -> ChainId {
        let chain = self.chain(format!("{family} {name}"));
        self.rules.bases.push(Base {
            chain,
            hook,
            priority,
            kind: Kind::Filter,
            policy: Policy::Accept,
            policy_span: span,
            family: Some(family),
        });
        if priority >= 0 {
            for (head, span) in self.heads.get(&(hook, family)).cloned().unwrap_or_default() {
                self.push(chain, span, of(family), Action::Jump(head), false);
            }
        }
        chain
    }

    /// Lets every filter chain of a hook begin with this one. Call before they are made.
    pub fn head(&mut self, hook: Hook, family: Family, chain: ChainId, span: Span) {
        self.heads.entry((hook, family)).or_default().push((chain, span));
    }

    /// The chain of a set that something uses; an error where there is none.
    pub fn set(&mut self, family: Family, at: At<'t>) -> Option<ChainId> {
        let key = (family, at.name());
        match self.sets.get(&key) {
            Some(set) => {
                self.used.insert(key);
                Some(set.chain)
            }
            None => {
                self.error((at.place(), Text::new("unknown-object").arg("name", at.name())));
                None
            }
        }
    }

    fn declare(&mut self) {
        let Some(firewall) = self.root.child("firewall") else { return };
        for (family, modern) in [(Family::V4, "ipv4"), (Family::V6, "ipv6")] {
            let old: Vec<At<'t>> = firewall.values(set_word(family)).collect();
            let called: BTreeSet<&str> = old
                .iter()
                .flat_map(|set| set.values("rule").chain([*set]))
                .flat_map(|rule| [rule.value("jump-target"), rule.value("default-jump-target")])
                .flatten()
                .collect();
            for node in old {
                let style = Style::Old { called: called.contains(node.name()) };
                self.declare_one(family, node, style);
            }
            for node in firewall.child(modern).into_iter().flat_map(|f| f.values("name")) {
                self.declare_one(family, node, Style::New);
            }
        }
    }

    fn declare_one(&mut self, family: Family, node: At<'t>, style: Style) {
        let chain = self.chain(format!("{} {}", set_word(family), node.name()));
        self.sets.insert((family, node.name()), Set { node, chain, style });
    }

    fn state_policy(&mut self) {
        let old = self.root.path(&["firewall", "state-policy"]);
        let new = self.root.path(&["firewall", "global-options", "state-policy"]);
        let policies: Vec<At<'t>> = old.into_iter().chain(new).collect();
        let Some(first) = policies.first().copied() else { return };
        let chain = self.chain("state-policy".into());
        for at in policies.iter().flat_map(|p| p.children()) {
            let action = match at.value("action") {
                Some("accept") => Action::Accept,
                Some("drop" | "reject") => Action::Drop,
                // A state that is only logged.
                _ => Action::Continue,
            };
            let Some(state) = tillgate_model::State::parse(at.name()) else {
                self.note(at.place(), at.name(), true);
                continue;
            };
            let mut when = Match::default();
            when.narrow(Field::State, &Ranges::single(state as u128));
            self.push(chain, at.span(), when, action, at.on("log"));
        }
        for family in Family::BOTH {
            for hook in [Hook::Forward, Hook::Input, Hook::Output] {
                self.head(hook, family, chain, first.span());
            }
        }
    }

    fn fill(&mut self) {
        let sets: Vec<(Family, Set<'t>)> = self.sets.iter().map(|((f, _), set)| (*f, *set)).collect();
        for (family, set) in sets {
            self.rules_of(set.node, set.chain, family, set.style, Some("drop"));
        }
    }

    /// Fills a chain with the rules of a node and what it does by default.
    pub fn rules_of(
        &mut self,
        node: At<'t>,
        chain: ChainId,
        family: Family,
        style: Style,
        default: Option<&'static str>,
    ) {
        for item in node.children() {
            let known = matches!(
                item.name(),
                "default-action"
                    | "default-jump-target"
                    | "default-log"
                    | "description"
                    | "enable-default-log"
                    | "interface"
                    | "rule"
            );
            if !known {
                self.note(item.place(), item.name(), true);
                let when = Match { doubts: vec![doubt(item.name())], ..of(family) };
                self.push(chain, item.place(), when, Action::Unknown, false);
            }
        }
        let reading = Reading { around: self.around, family, marked: self.around.modern };
        for at in node.values("rule").filter(|at| at.name().parse::<u32>().is_err()) {
            self.error(bad(at));
        }
        let mut open = true;
        for (_, at) in node.numbered("rule") {
            match self.rule(at, reading, style) {
                Ok(rules) => {
                    open &= !rules.iter().any(takes_all);
                    self.rules.chains[chain].rules.extend(rules);
                }
                Err(bad) => self.error(bad),
            }
        }
        // What nothing gets to is no rule that somebody wrote.
        let default = node.value("default-action").or(default);
        if !open {
            return;
        }
        let action = match (default, style) {
            (Some("accept"), Style::Old { called: true }) => Action::Return,
            (Some("accept"), _) => Action::Accept,
            (Some("drop" | "reject"), _) => Action::Drop,
            (Some("jump"), _) => match node.leaf("default-jump-target") {
                Some(target) => match self.set(family, target) {
                    Some(chain) => Action::Jump(chain),
                    None => return,
                },
                None => return self.error(missing(node)),
            },
            // The end of a chain goes back to whoever called.
            (Some("return" | "continue") | None, _) => return,
            (Some(_), _) => {
                return self.error(bad(node.leaf("default-action").unwrap_or(node)));
            }
        };
        let span = node.child("default-action").map_or(node.place(), At::span);
        let log = node.on("default-log") || node.on("enable-default-log");
        self.push(chain, span, of(family), action, log);
    }

    fn rule(&mut self, at: At<'t>, reading: Reading<'_, 't>, style: Style) -> Result<Vec<Rule>, Bad> {
        let span = at.span();
        if at.has("disable") {
            self.fact(span, What::Disabled);
            return Ok(Vec::new());
        }
        let name = match at.value("action") {
            Some(name) => name,
            None if style == Style::Marks => "continue",
            None => return Err((at.place(), Text::new("vyos-no-action"))),
        };
        let action = match (name, style) {
            ("accept", Style::Old { called: true } | Style::Marks) => Action::Return,
            // What is marked or routed is done with here.
            ("continue" | "modify", Style::Marks) if at.has("set") || at.has("modify") => Action::Return,
            ("accept", _) => Action::Accept,
            ("drop" | "reject", _) => Action::Drop,
            ("return", _) => Action::Return,
            ("continue" | "offload" | "modify", _) => Action::Continue,
            ("notrack", _) => Action::Untrack,
            ("jump", _) => match at.leaf("jump-target") {
                Some(target) => match self.set(reading.family, target) {
                    Some(chain) => Action::Jump(chain),
                    None => return Ok(Vec::new()),
                },
                None => return Err(missing(at)),
            },
            ("inspect" | "queue" | "synproxy", _) => {
                self.note(span.clone(), &format!("action {name}"), true);
                Action::Unknown
            }
            _ => return Err(bad(at.leaf("action").unwrap_or(at))),
        };
        self.said(at);
        let variants = reading.matches(at)?;
        if action != Action::Continue {
            for text in variants.iter().flat_map(|w| &w.doubts) {
                self.rules.notes.push(Note { span: span.clone(), text: text.clone(), bears: true });
            }
        }
        let log = at.on("log");
        let rule =
            |when, action: &Action, log| Rule { span: span.clone(), when, action: action.clone(), log };
        let mut out: Vec<Rule> = variants.iter().map(|w| rule(w.clone(), &action, log)).collect();
        if name == "offload" {
            // Later packets of the flow may pass by everything behind this rule.
            out.extend(variants.into_iter().map(|mut when| {
                when.narrow(Field::State, &Ranges::span(1, 2));
                when.doubts.push(doubt(name));
                rule(when, &Action::Accept, false)
            }));
        }
        Ok(out)
    }

    /// What a rule says beside its match.
    fn said(&mut self, at: At<'t>) {
        if let Some(application) = at.child("application") {
            let value = application.children().flat_map(At::children).next();
            let name = value.map_or(application.name(), At::name).to_string();
            self.fact(at.span(), What::Application(name));
        }
        let last = at.child("time").and_then(|time| time.value("stopdate"));
        if let Some(date) = last.and_then(|text| text.get(..10)?.parse::<Date>().ok()) {
            self.fact(at.span(), What::Until(date));
        }
    }

    /// Says something beside the rules.
    pub fn fact(&mut self, span: Span, what: What) {
        self.rules.facts.push(Fact { span, what });
    }

    /// Where policies that nothing decides are shown.
    pub fn whole(&self) -> Span {
        let first = ["firewall", "zone-policy", "interfaces"].iter().find_map(|word| self.root.child(word));
        first.unwrap_or(self.root).place()
    }

    /// Sets bound to interfaces.
    fn bindings(&mut self) {
        let own =
            self.around.interfaces.iter().filter_map(|(name, i)| {
                Some((name.clone(), i.node.and_then(|node| node.child("firewall"))?))
            });
        // Before 1.4 was released, they stood below the firewall.
        let beside = self.root.path(&["firewall", "interface"]).into_iter().flat_map(At::children);
        let all: Vec<(String, At<'t>)> = own.chain(beside.map(|at| (at.name().to_string(), at))).collect();
        let places = [("in", Hook::Forward, 0), ("out", Hook::Forward, 1), ("local", Hook::Input, 0)];
        for family in Family::BOTH {
            for (word, hook, priority) in places {
                let bound: Vec<(&String, At<'t>)> = all
                    .iter()
                    .filter_map(|(name, at)| Some((name, at.child(word)?.leaf(set_word(family))?)))
                    .collect();
                if bound.is_empty() {
                    continue;
                }
                let span = self.whole();
                let chain = self.base(word, hook, priority, family, span);
                for (interface, at) in bound {
                    let Some(set) = self.set(family, at) else { continue };
                    let mut when = of(family);
                    let names = on(std::slice::from_ref(interface));
                    if word == "out" {
                        when.output = names
                    } else {
                        when.input = names
                    }
                    self.push(chain, at.span(), when, Action::Jump(set), false);
                }
            }
        }
    }

    /// The lists of 1.4 and later.
    fn hooks(&mut self) {
        let Some(firewall) = self.root.child("firewall") else { return };
        for (family, word) in [(Family::V4, "ipv4"), (Family::V6, "ipv6")] {
            for at in firewall.child(word).into_iter().flat_map(At::children) {
                for list in at.children().filter(|_| at.name() != "name") {
                    let (hook, priority) = match (at.name(), list.name()) {
                        ("forward", "filter") => (Hook::Forward, 0),
                        ("input", "filter") => (Hook::Input, 0),
                        ("output", "filter") => (Hook::Output, 0),
                        ("output", "raw") => (Hook::Output, -300),
                        ("prerouting", "raw") => (Hook::Prerouting, -300),
                        ("prerouting", "filter") => (Hook::Prerouting, 0),
                        _ => {
                            self.note(list.place(), at.name(), true);
                            continue;
                        }
                    };
                    let span = list.child("default-action").map_or(list.place(), At::span);
                    let name = format!("{} {}", at.name(), list.name());
                    let chain = self.base(&name, hook, priority, family, span);
                    self.rules_of(list, chain, family, Style::New, None);
                }
            }
        }
    }

    /// What comes before every rule comes also where there is none.
    fn everywhere(&mut self) {
        let places: Vec<(Hook, Family)> = self.heads.keys().copied().collect();
        for (hook, family) in places {
            let there = |b: &Base| b.hook == hook && b.family == Some(family) && b.priority >= 0;
            if !self.rules.bases.iter().any(there) {
                let span = self.whole();
                self.base("everything", hook, 0, family, span);
            }
        }
    }

    fn end(&mut self) {
        let bases: BTreeSet<ChainId> = self.rules.bases.iter().map(|b| b.chain).collect();
        let spans: BTreeMap<ChainId, Span> =
            self.rules.bases.iter().map(|b| (b.chain, b.policy_span.clone())).collect();
        let sets: BTreeMap<ChainId, Span> =
            self.sets.values().map(|set| (set.chain, set.node.place())).collect();
        let chains = self.rules.chains.iter().enumerate().filter_map(|(id, chain)| {
            let span = sets.get(&id).or(spans.get(&id))?.clone();
            Some(Named { id, name: &chain.name, span, base: bases.contains(&id) })
        });
        let mut found = Vec::new();
        loops::check(&self.rules, chains, Some(16), &mut found);
        self.diagnostics.extend(found);
        let idle: Vec<(Span, String)> = self
            .sets
            .iter()
            .filter(|(key, _)| !self.used.contains(*key))
            .map(|((_, name), set)| (set.node.span(), name.to_string()))
            .collect();
        for (span, name) in idle {
            self.fact(span, What::Unused(name));
        }
    }
}

/// Whether nothing gets past a rule.
fn takes_all(rule: &Rule) -> bool {
    let when = &rule.when;
    let all = when.input.is_empty()
        && when.output.is_empty()
        && when.terms.is_empty()
        && when.doubts.is_empty()
        && !when.never
        && when.cube.constraints().iter().all(|(field, _)| *field == Field::Family);
    all && matches!(rule.action, Action::Accept | Action::Drop | Action::Return)
}
