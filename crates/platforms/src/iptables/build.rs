//! Files to tables, tables to the rule-set model.

use super::ipset::{self, Sets};
use super::lex::{Line, line};
use super::rule::{Context, rule};
use crate::Input;
use crate::loops::{self, Named};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_model::{Diagnostic, Family, Ranges, SourceFile, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Base, Chain, Fact, Hook, Kind, Match, Note, Policy, Rule, RuleSet, What};

/// A chain as declared.
struct Declared {
    name: String,
    /// Drop or accept, for the chains that are there from the start.
    policy: Policy,
    head: Span,
    /// Lines, and where in them the rule starts.
    rules: Vec<(Line, usize)>,
}

/// A table of one section.
struct Table {
    name: String,
    chains: Vec<Declared>,
}

impl Table {
    fn chain(&mut self, name: &str) -> Option<&mut Declared> {
        self.chains.iter_mut().find(|c| c.name == name)
    }
}

/// Tables by family and name; one that is given again replaces the first, as loading it would.
type Tables = BTreeMap<(Family, String), Arc<Table>>;

struct Reader<'a> {
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Where a listing says that it is not all there is.
    warnings: Vec<(Span, Family)>,
    sets: Sets,
    tables: Tables,
    current: Option<Table>,
    /// The table was not named, and ends with the file.
    bare: bool,
    /// Only the filter's rules were given of something.
    partly: bool,
}

/// Builds the rule set of all files.
pub fn build(input: &Input<'_>, diagnostics: &mut Vec<Diagnostic>) -> RuleSet {
    let mut reader = Reader {
        diagnostics,
        warnings: Vec::new(),
        sets: Sets::default(),
        tables: Tables::new(),
        current: None,
        bare: false,
        partly: false,
    };
    for file in input.files {
        reader.file(file);
    }
    reader.sets.resolve(input.resolvers);
    let Reader { tables, mut sets, warnings, partly, .. } = reader;
    let all = || tables.values().flat_map(|t| &t.chains).flat_map(|c| &c.rules);
    for (line, from) in all() {
        // `-j SET --add-set NAME …`: what is in it then is anybody's guess.
        for at in *from..line.words.len() {
            if matches!(line.text(at), "--add-set" | "--del-set" | "--map-set") {
                sets.filled.insert(line.text(at + 1).to_string());
            }
        }
    }
    let mut rules = RuleSet { platform: "iptables", ..RuleSet::default() };
    for ((family, _), table) in &tables {
        add(*family, table, &sets, &mut rules, diagnostics);
    }
    rules.facts.extend(unused(&tables, &sets, &rules, partly));
    for (span, family) in warnings {
        let what = span.text().trim_start_matches('#').trim().to_string();
        may_drop(family, &span, Text::new("not-given").arg("what", what), &mut rules);
    }
    for family in Family::BOTH {
        let Some(file) = input.files.first() else { continue };
        if !tables.is_empty() && tables.keys().all(|(f, _)| *f != family) {
            // A listing of one family says nothing about the other.
            let span = Span::new(file, 0, file.text.lines().next().map_or(0, str::len));
            let program = if family == Family::V4 { "iptables-save" } else { "ip6tables-save" };
            may_drop(family, &span, Text::new("not-given").arg("what", program), &mut rules);
        }
    }
    rules
}

/// The families of a run of lines without a header that names the program.
fn families(text: &str) -> &'static [Family] {
    let words = || text.lines().flat_map(str::split_whitespace);
    // Not what comments and prefixes say: quotes would stand around it, or an option before it.
    let flagged = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let flag = |w: &str| matches!(w, "-4" | "-6" | "--ipv4" | "--ipv6");
        (0..words.len()).any(|i| flag(words[i]) && (i == 0 || !words[i - 1].starts_with("--")))
    };
    if text.lines().any(flagged) {
        return &Family::BOTH;
    }
    let six = |w: &str| {
        let address = w.split('/').next().unwrap_or(w);
        matches!(w, "ipv6-icmp" | "icmpv6" | "--icmpv6-type")
            || w.starts_with("icmp6-")
            || w.contains(':') && address.parse::<std::net::Ipv6Addr>().is_ok()
    };
    if words().any(six) { &[Family::V6] } else { &[Family::V4] }
}

impl Reader<'_> {
    fn error(&mut self, span: Span, text: Text) {
        self.diagnostics.push(Diagnostic::error(span, text));
    }

    fn file(&mut self, file: &Arc<SourceFile>) {
        // A header line names the program for everything up to the next one.
        let mut families = families(&file.text);
        let mut start = 0;
        let mut strange = 0;
        for text in file.text.split_inclusive('\n') {
            let (from, end) = (start, start + text.trim_end().len());
            start += text.len();
            let trimmed = text.trim();
            if trimmed.is_empty() {
                continue;
            }
            if trimmed.starts_with('#') {
                let header = trimmed.contains("Generated by ");
                if header && trimmed.contains("ip6tables") {
                    families = &[Family::V6];
                } else if header && trimmed.contains("iptables") {
                    families = &[Family::V4];
                } else if trimmed.contains("is incompatible, use 'nft' tool")
                    || trimmed.contains("tables-legacy tables present")
                {
                    let span = Span::new(file, from, end);
                    self.warnings.extend(families.iter().map(|f| (span.clone(), *f)));
                }
                continue;
            }
            // A binary file would fill the screen.
            if strange > 20 {
                continue;
            }
            let before = self.diagnostics.len();
            match line(file, from, end.max(from)) {
                Ok(line) => self.line(line, families),
                Err(span) => self.error(span, Text::new("open-string")),
            }
            strange += usize::from(self.diagnostics.len() > before);
        }
        if let Some(table) = self.current.take() {
            if std::mem::take(&mut self.bare) {
                self.partly = true;
                let table = Arc::new(table);
                for family in families {
                    self.tables.insert((*family, table.name.clone()), Arc::clone(&table));
                }
                return;
            }
            let span = Span::new(file, file.text.len(), file.text.len());
            self.error(span, Text::new("iptables-no-commit").arg("table", table.name));
        }
    }

    fn line(&mut self, line: Line, families: &[Family]) {
        let first = line.text(0).to_string();
        if let Some(name) = first.strip_prefix('*') {
            if !["filter", "nat", "mangle", "raw", "security"].contains(&name) {
                return self.error(line.place(0), Text::new("iptables-table").arg("name", name));
            }
            if let Some(open) = &self.current {
                let text = Text::new("iptables-no-commit").arg("table", &open.name);
                self.error(line.place(0), text);
            }
            self.current = Some(Table { name: name.into(), chains: Vec::new() });
            return;
        }
        if first == "COMMIT" {
            let Some(table) = self.current.take() else {
                return self.error(line.place(0), Text::new("iptables-outside"));
            };
            let table = Arc::new(table);
            for family in families {
                self.tables.insert((*family, table.name.clone()), Arc::clone(&table));
            }
            return;
        }
        if (self.current.is_none() || self.bare) && ipset::is_line(&first) {
            return self.sets.line(&line, self.diagnostics);
        }
        // `iptables -S` prints the filter's rules alone.
        if self.current.is_none() && (first.starts_with('-') || first.starts_with('[')) {
            self.current = Some(Table { name: "filter".into(), chains: Vec::new() });
            self.bare = true;
        }
        let span = line.place(0);
        let result = match &mut self.current {
            None => Err((span, Text::new("iptables-outside"))),
            Some(table) => command(table, line),
        };
        if let Err((span, text)) = result {
            self.error(span, text);
        }
    }
}

/// One line inside a table.
fn command(table: &mut Table, line: Line) -> Result<(), (Span, Text)> {
    // Counters stand before the rule: `[12:3456] -A FORWARD …`.
    let mut at = usize::from(line.text(0).starts_with('['));
    // `-4 -A …`: the family may stand first.
    while matches!(line.text(at), "-4" | "-6" | "--ipv4" | "--ipv6") {
        at += 1;
    }
    let word = line.text(at).to_string();
    let name = |line: &Line| match line.text(at + 1) {
        "" => Err((line.span.clone(), Text::new("expected-value"))),
        name => Ok(name.to_string()),
    };
    if let Some(chain) = word.strip_prefix(':') {
        let policy = policy(line.text(at + 1))
            .ok_or_else(|| (line.place(at + 1), Text::new("bad-value").arg("value", line.text(at + 1))))?;
        let (chain, head) = (chain.to_string(), line.span.clone());
        match table.chain(&chain) {
            Some(known) => (known.policy, known.head) = (policy, head),
            None => table.chains.push(Declared { name: chain, policy, head, rules: Vec::new() }),
        }
        return Ok(());
    }
    match word.as_str() {
        "-N" | "--new-chain" => {
            let (name, head) = (name(&line)?, line.span.clone());
            table.chains.push(Declared { name, policy: Policy::Accept, head, rules: Vec::new() });
        }
        "-P" | "--policy" => {
            let name = name(&line)?;
            let policy = policy(line.text(at + 2)).ok_or_else(|| {
                (line.place(at + 2), Text::new("bad-value").arg("value", line.text(at + 2)))
            })?;
            let head = line.span.clone();
            match table.chain(&name) {
                Some(known) => (known.policy, known.head) = (policy, head),
                None => table.chains.push(Declared { name, policy, head, rules: Vec::new() }),
            }
        }
        "-F" | "--flush" => {
            let only = line.text(at + 1).to_string();
            let chains = table.chains.iter_mut().filter(|c| only.is_empty() || c.name == only);
            chains.for_each(|c| c.rules.clear());
        }
        "-X" | "--delete-chain" => {
            let only = line.text(at + 1).to_string();
            table.chains.retain(|c| hook(&c.name).is_some() || !(only.is_empty() || c.name == only));
        }
        "-Z" | "--zero" => {}
        "-A" | "--append" | "-I" | "--insert" => {
            let name = name(&line)?;
            let insert = matches!(word.as_str(), "-I" | "--insert");
            let number = if insert { line.text(at + 2).parse::<usize>().ok() } else { None };
            if table.chain(&name).is_none() && hook(&name).is_some() {
                let head = line.span.clone();
                table.chains.push(Declared {
                    name: name.clone(),
                    policy: Policy::Accept,
                    head,
                    rules: Vec::new(),
                });
            }
            let place = line.place(at + 1);
            let Some(chain) = table.chain(&name) else {
                return Err((place, Text::new("unknown-chain").arg("chain", name)));
            };
            let from = at + 2 + usize::from(number.is_some());
            match insert {
                true => {
                    let to = number.unwrap_or(1).saturating_sub(1).min(chain.rules.len());
                    chain.rules.insert(to, (line, from));
                }
                false => chain.rules.push((line, from)),
            }
        }
        "-D" | "--delete" | "-R" | "--replace" => {
            let name = name(&line)?;
            let place = line.place(at + 1);
            let Some(chain) = table.chain(&name) else {
                return Err((place, Text::new("unknown-chain").arg("chain", name)));
            };
            let words = |line: &Line, from: usize| -> Vec<String> {
                line.words[from.min(line.words.len())..].iter().map(|w| w.text.clone()).collect()
            };
            let number = line.text(at + 2).parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let known = match number {
                Some(number) => Some(number).filter(|n| *n < chain.rules.len()),
                None => {
                    let gone = words(&line, at + 2);
                    chain.rules.iter().position(|(known, from)| words(known, *from) == gone)
                }
            };
            match (known, matches!(word.as_str(), "-D" | "--delete")) {
                (Some(known), true) => {
                    chain.rules.remove(known);
                }
                (Some(known), false) => chain.rules[known] = (line, at + 3),
                (None, _) => return Err((place, Text::new("iptables-no-such-rule"))),
            }
        }
        _ => return Err((line.place(at), Text::new("unknown-word").arg("word", word))),
    }
    Ok(())
}

fn policy(word: &str) -> Option<Policy> {
    match word {
        "ACCEPT" | "-" => Some(Policy::Accept),
        "DROP" => Some(Policy::Drop),
        _ => None,
    }
}

fn hook(chain: &str) -> Option<Hook> {
    Some(match chain {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    })
}

/// Where a table stands at its hooks (include/uapi/linux/netfilter_ipv4.h).
fn priority(table: &str, hook: Hook) -> i32 {
    match (table, hook) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", Hook::Prerouting | Hook::Output) => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    }
}

fn add(family: Family, table: &Table, sets: &Sets, rules: &mut RuleSet, diagnostics: &mut Vec<Diagnostic>) {
    let first = rules.chains.len();
    let shown = if family == Family::V4 { table.name.clone() } else { format!("{}6", table.name) };
    let chains: BTreeMap<String, usize> =
        table.chains.iter().enumerate().map(|(i, c)| (c.name.clone(), first + i)).collect();
    let context = Context { family, chains: &chains, sets };
    for (offset, declared) in table.chains.iter().enumerate() {
        let list = declared
            .rules
            .iter()
            .filter_map(|(line, from)| rule(&context, line, *from, rules, diagnostics))
            .collect();
        rules.chains.push(Chain { name: format!("{shown} {}", declared.name), rules: list });
        let Some(hook) = hook(&declared.name) else { continue };
        rules.bases.push(Base {
            chain: first + offset,
            hook,
            priority: priority(&table.name, hook),
            kind: if table.name == "nat" { Kind::Nat } else { Kind::Filter },
            policy: declared.policy,
            policy_span: declared.head.clone(),
            family: Some(family),
        });
    }
    let named = table.chains.iter().enumerate().map(|(i, c)| Named {
        id: first + i,
        name: &c.name,
        span: c.head.clone(),
        base: hook(&c.name).is_some(),
    });
    loops::check(rules, named, None, diagnostics);
}

/// Chains that no packet reaches in any family, and sets that nothing names.
fn unused(tables: &Tables, sets: &Sets, rules: &RuleSet, partly: bool) -> Vec<Fact> {
    // Chains stand in the rule set in the order in which the tables were added.
    let all = tables.values().flat_map(|t| t.chains.iter());
    let mut reached: BTreeSet<usize> = BTreeSet::new();
    let mut todo: Vec<usize> = rules.bases.iter().map(|b| b.chain).collect();
    while let Some(chain) = todo.pop() {
        if reached.insert(chain) {
            let called = rules.chains[chain].rules.iter().filter_map(|r| match r.action {
                Action::Jump(to) | Action::Goto(to) => Some(to),
                _ => None,
            });
            todo.extend(called);
        }
    }
    // A section may be for both families, and its chains are needed if one of them uses them.
    let mut chains: BTreeMap<&Span, (&str, bool)> = BTreeMap::new();
    for (at, declared) in all.enumerate() {
        chains.entry(&declared.head).or_insert((&declared.name, false)).1 |= reached.contains(&at);
    }
    let fact = |name: &str, span: &Span| Fact { span: span.clone(), what: What::Unused(name.to_string()) };
    let mut out: Vec<Fact> =
        chains.iter().filter(|(_, (_, used))| !used).map(|(span, (name, _))| fact(name, span)).collect();
    if !partly {
        let lines = tables.values().flat_map(|t| &t.chains).flat_map(|c| &c.rules);
        let words = lines.flat_map(|(line, from)| line.words.iter().skip(*from).map(|w| w.text.as_str()));
        let named: BTreeSet<&str> = words.filter(|w| sets.sets.contains_key(*w)).collect();
        let given = |family: Family| tables.keys().any(|(f, _)| *f == family);
        out.extend(sets.unused(&named, given).into_iter().map(|(name, span)| fact(name, span)));
    }
    out
}

/// What is not given may drop any packet of a family at any hook.
fn may_drop(family: Family, span: &Span, text: Text, rules: &mut RuleSet) {
    rules.notes.push(Note { span: span.clone(), text: text.clone(), bears: true });
    for hook in [Hook::Input, Hook::Forward] {
        let mut when = Match { doubts: vec![text.clone()], ..Match::default() };
        when.narrow(Field::Family, &Ranges::single(family as u128));
        let chain = rules.chains.len();
        let rule = Rule { span: span.clone(), when, action: Action::Drop, log: true };
        rules.chains.push(Chain { name: "?".into(), rules: vec![rule] });
        rules.bases.push(Base {
            chain,
            hook,
            priority: 0,
            kind: Kind::Filter,
            policy: Policy::Accept,
            policy_span: span.clone(),
            family: Some(family),
        });
    }
}
