//! Declared tables to the rule-set model: chains get numbers, rules are read one by one.

use super::declare::{Base, Table};
use super::lex::{Files, Token};
use super::resolver::SetNames;
use super::select::Selector;
use super::usage;
use super::values::Value;
use crate::loops::{self, Named};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tillgate_model::{Diagnostic, Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset as model;
use tillgate_ruleset::{Action, Hook, InterfaceMatch, Kind, Match, Note, Policy, Rule, RuleSet};

/// Depth of calls the kernel follows (NFT_JUMP_STACK_SIZE).
const DEEPEST: usize = 16;

/// Elements of a set as read for one list of selectors: values, and the tokens of what they map to.
pub type Elements = Rc<Vec<(Vec<Value>, (usize, usize))>>;

/// What a rule needs to know of its surroundings.
pub struct Context<'a> {
    pub files: &'a Files,
    pub tokens: &'a [Token],
    pub table: &'a Table,
    pub chains: BTreeMap<&'a str, usize>,
    /// The number of the table's first chain without a name.
    pub first_anonymous: usize,
    pub names: &'a SetNames,
    /// Sets that rules fill while packets pass.
    pub updated: BTreeSet<String>,
    pub cache: RefCell<BTreeMap<(String, String), Elements>>,
}

/// What came of reading a rule, beside the rules themselves.
#[derive(Default)]
pub struct Findings {
    pub notes: Vec<Note>,
    pub diagnostics: Vec<Diagnostic>,
    /// The rules of chains without a name, numbered from [`Context::first_anonymous`].
    pub anonymous: Vec<Vec<Rule>>,
}

/// Builds the rule set of all tables.
pub fn build(
    files: &Files,
    tokens: &[Token],
    tables: &[Table],
    names: &SetNames,
    diagnostics: &mut Vec<Diagnostic>,
) -> RuleSet {
    let mut rules = RuleSet { platform: "nftables", ..RuleSet::default() };
    let mut found = Findings::default();
    for table in tables {
        rules.facts.extend(usage::unused(files, tokens, table));
        let first = rules.chains.len();
        match table.family.as_str() {
            "ip" | "ip6" | "inet" | "netdev" => {}
            "arp" => {
                // Address resolution, not packets: nothing here permits or denies a flow.
                if let Some(chain) = table.chains.first() {
                    let span = span_of(files, tokens, chain.head);
                    let text =
                        Text::new("not-modelled-table").arg("family", &table.family).arg("name", &table.name);
                    found.notes.push(Note { span, text, bears: false });
                }
                continue;
            }
            _ => {
                bridge(files, tokens, table, &mut rules, &mut found);
                continue;
            }
        }
        for chain in &table.chains {
            rules
                .chains
                .push(model::Chain { name: format!("{} {}", table.name, chain.name), rules: Vec::new() });
        }
        let mut context = Context {
            files,
            tokens,
            table,
            chains: table.chains.iter().enumerate().map(|(i, c)| (c.name.as_str(), first + i)).collect(),
            first_anonymous: rules.chains.len(),
            names,
            updated: BTreeSet::new(),
            cache: RefCell::default(),
        };
        context.updated = updated_sets(&context);
        for (offset, chain) in table.chains.iter().enumerate() {
            let id = first + offset;
            for range in &chain.rules {
                let list = super::statement::rule(&context, *range, &mut found);
                rules.chains[id].rules.extend(list);
            }
            // A dormant table is there, and its hooks are not.
            if let Some(base) = chain.base.as_ref().filter(|_| !table.dormant) {
                attach(&context, id, base, &mut rules);
            }
        }
        for list in std::mem::take(&mut found.anonymous) {
            rules.chains.push(model::Chain { name: format!("{} {{}}", table.name), rules: list });
        }
        let named = table.chains.iter().enumerate().map(|(i, c)| Named {
            id: first + i,
            name: &c.name,
            span: span_of(files, tokens, c.head),
            base: c.base.is_some(),
        });
        loops::check(&rules, named, Some(DEEPEST), &mut found.diagnostics);
    }
    rules.notes = found.notes;
    diagnostics.extend(found.diagnostics);
    rules
}

pub fn span_of(files: &Files, tokens: &[Token], (from, to): (usize, usize)) -> Span {
    let to = to.min(tokens.len());
    files.span(&tokens[from.min(to)..to])
}

/// Sets that some rule adds to: `add @x {…}`, `update @x {…}`.
fn updated_sets(context: &Context<'_>) -> BTreeSet<String> {
    let text = |i: usize| context.tokens.get(i).map_or("", |t| context.files.text(t));
    let mut out = BTreeSet::new();
    for (from, to) in context.table.chains.iter().flat_map(|c| &c.rules) {
        for at in *from..*to {
            if text(at) == "@" && matches!(text(at.wrapping_sub(1)), "add" | "update" | "delete" | "set") {
                out.insert(text(at + 1).to_string());
            }
        }
    }
    out
}

fn attach(context: &Context<'_>, chain: usize, base: &Base, rules: &mut RuleSet) {
    let family = match context.table.family.as_str() {
        "ip" => Some(Family::V4),
        "ip6" => Some(Family::V6),
        _ => None,
    };
    let span = span_of(context.files, context.tokens, base.policy);
    let mut policy = if base.drop { Policy::Drop } else { Policy::Accept };
    let (hook, priority) = match base.hook.as_str() {
        "prerouting" => (Hook::Prerouting, base.priority),
        "input" => (Hook::Input, base.priority),
        "forward" => (Hook::Forward, base.priority),
        "output" => (Hook::Output, base.priority),
        "postrouting" => (Hook::Postrouting, base.priority),
        // On the device itself, before and after everything else.
        hook => {
            let devices = InterfaceMatch { patterns: base.devices.clone(), negate: false };
            let ingress = hook == "ingress";
            let limit = |when: &mut Match| match ingress {
                true => when.input.push(devices.clone()),
                false => when.output.push(devices.clone()),
            };
            rules.chains[chain].rules.iter_mut().for_each(|r| limit(&mut r.when));
            if policy == Policy::Drop {
                let mut when = Match::default();
                limit(&mut when);
                rules.chains[chain].rules.push(Rule {
                    span: span.clone(),
                    when,
                    action: Action::Drop,
                    log: false,
                });
                policy = Policy::Accept;
            }
            match ingress {
                true => (Hook::Prerouting, -100_000 + base.priority.clamp(-1000, 1000)),
                false => (Hook::Postrouting, 100_000 + base.priority.clamp(-1000, 1000)),
            }
        }
    };
    let kind = if base.kind == "nat" { Kind::Nat } else { Kind::Filter };
    rules.bases.push(model::Base { chain, hook, priority, kind, policy, policy_span: span, family });
}

/// Bridge tables see frames before the packets are routed: where they drop, anything may be dropped.
fn bridge(files: &Files, tokens: &[Token], table: &Table, rules: &mut RuleSet, found: &mut Findings) {
    let word = |i: usize| tokens.get(i).map_or("", |t| files.text(t));
    for chain in table.chains.iter().filter(|_| !table.dormant) {
        let drops =
            |(from, to): (usize, usize)| (from..to).any(|i| matches!(word(i), "drop" | "reject" | "queue"));
        let lines = chain.rules.iter().copied().filter(|r| drops(*r));
        let policy = chain.base.as_ref().filter(|b| b.drop).map(|b| b.policy);
        for range in lines.chain(policy) {
            let span = span_of(files, tokens, range);
            let text = Text::new("not-modelled-table").arg("family", &table.family).arg("name", &table.name);
            found.notes.push(Note { span: span.clone(), text: text.clone(), bears: true });
            let when = Match { doubts: vec![text], ..Match::default() };
            let id = rules.chains.len();
            let rule = Rule { span: span.clone(), when, action: Action::Drop, log: false };
            rules
                .chains
                .push(model::Chain { name: format!("{} {}", table.name, chain.name), rules: vec![rule] });
            rules.bases.push(model::Base {
                chain: id,
                hook: Hook::Prerouting,
                priority: -90_000,
                kind: Kind::Filter,
                policy: Policy::Accept,
                policy_span: span,
                family: None,
            });
        }
    }
}

/// Narrows a match to the family of its table.
pub fn family_of_table(table: &Table, when: &mut Match) {
    let family = match table.family.as_str() {
        "ip" => Family::V4,
        "ip6" => Family::V6,
        _ => return,
    };
    when.narrow(Field::Family, &Ranges::single(family as u128));
}

/// A key for the cache of sets.
pub fn cache_key(set: &str, selectors: &[Selector]) -> (String, String) {
    (set.to_string(), format!("{selectors:?}"))
}
