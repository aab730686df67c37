//! Files to rules in their order: macros, tables, options, anchors, included files (pf.conf(5)).

use super::config::{Config, Nat, Node};
use super::hosts::{Host, Table, host};
use super::lex::{Kind, Lexer, Macro, Macros, Statement};
use super::refer::{each, filled_by_resolver, load, mentions, states};
use super::rule::{Raw, Verb, antispoof, interface};
use super::targets::Rewrite;
use super::words::{Bad, Words};
use crate::{Input, LARGEST};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};
use tillgate_ruleset::{Fact, NameSet, Note, What};

/// Anchors inside anchors (`PF_ANCHOR_STACK_MAX`).
const DEEPEST: usize = 64;
/// Files that include files.
const DEEPEST_INCLUDE: usize = 16;
/// What a file that is asked for counts at least, in bytes.
const LEAST_INCLUDED: usize = 1 << 14;
/// Rules that lists of `antispoof` may make together.
const MOST_FORGED: usize = 1 << 14;
/// What a macro may hold: no line that people write is longer.
const LONGEST_MACRO: usize = 1 << 16;

/// Options without bearing on what passes: `docs/reference/platforms/pf.md`, Exempt.
const EXEMPT: &[&str] = &[
    "timeout",
    "limit",
    "optimization",
    "ruleset-optimization",
    "loginterface",
    "debug",
    "hostid",
    "fingerprints",
    "syncookies",
    "keepcounters",
    "fail-policy",
    "reassemble",
    "require-order",
    "block-policy",
];

/// A table before its addresses are put together.
struct Declared {
    span: Span,
    hosts: Vec<Host>,
    persist: bool,
    open: bool,
}

struct Reader<'a> {
    input: &'a Input<'a>,
    diagnostics: &'a mut Vec<Diagnostic>,
    config: Config,
    macros: Macros,
    declared: BTreeMap<String, Declared>,
    /// Anchors that are open, the outermost first.
    open: Vec<(Raw, String, Vec<Node>)>,
    /// Anchors that are open beyond the depth that is allowed.
    surplus: usize,
    /// What `load anchor` puts into anchors.
    loaded: BTreeMap<String, Vec<Node>>,
    /// Inside a part of `pfctl -s all` that holds no rules.
    aside: bool,
    /// A file was not given: what it defines is not known.
    incomplete: bool,
    /// States are bound to their interface: by the policy, and by the defaults of rules that say nothing of states.
    bound: (bool, bool),
    /// Bytes of files that others asked for.
    included: usize,
    /// Rules that `antispoof` makes of the second and later interfaces of its lists.
    forged: usize,
}

/// Reads all files as one configuration.
pub fn read(input: &Input<'_>, diagnostics: &mut Vec<Diagnostic>) -> Config {
    let mut reader = Reader {
        input,
        diagnostics,
        config: Config::default(),
        macros: Macros::default(),
        declared: BTreeMap::new(),
        open: Vec::new(),
        surplus: 0,
        loaded: BTreeMap::new(),
        aside: false,
        incomplete: false,
        bound: (false, false),
        included: 0,
        forged: 0,
    };
    for file in input.files {
        reader.file(file, 0);
    }
    reader.finish()
}

impl Reader<'_> {
    fn note(&mut self, span: &Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.config.notes.push(Note { span: span.clone(), text, bears });
    }

    fn file(&mut self, file: &Arc<SourceFile>, level: usize) {
        let depth = self.open.len();
        let mut lexer = Lexer::new(file);
        while let Some(statement) = lexer.next(&mut self.macros, self.diagnostics) {
            if let Err((span, text)) = self.statement(file, &statement, level) {
                // A macro of a file that is not given: what it holds is not known, nor what the line does.
                if self.incomplete && text.id == "pf-unknown-macro" {
                    self.note(&statement.span, "include", true);
                    let raw = Raw::new(statement.span.clone(), Verb::Open);
                    self.put(Node::Rule(raw));
                } else {
                    self.diagnostics.push(Diagnostic::error(span, text));
                    if statement.opens && self.open.len() < DEEPEST {
                        let raw = Raw::new(statement.span.clone(), Verb::Match);
                        self.open.push((raw, String::new(), Vec::new()));
                    } else if statement.opens {
                        self.surplus += 1;
                    }
                }
            }
        }
        while self.open.len() > depth {
            if let Some((raw, ..)) = self.open.last() {
                self.diagnostics.push(Diagnostic::error(raw.span.clone(), Text::new("pf-open-anchor")));
            }
            self.close();
        }
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            Some((_, _, nodes)) => nodes.push(node),
            None => self.config.nodes.push(node),
        }
    }

    /// The innermost anchor ends; `false` where none is open.
    fn close(&mut self) -> bool {
        let Some((raw, name, nodes)) = self.open.pop() else { return false };
        self.put(Node::Anchor(raw, name, Some(nodes)));
        true
    }

    fn statement(&mut self, file: &Arc<SourceFile>, statement: &Statement, level: usize) -> Result<(), Bad> {
        let mut words = Words::of(file, statement);
        // Numbers in front of the rules of a verbose listing: `@3`, `@3(1700000000)`.
        if words.eat("@") {
            words.value()?;
            if words.word() == "(" {
                words.skip_brackets();
            }
        }
        let first = words.word();
        // Headings of `pfctl -s all`.
        if words.syntax(1) == "RULES:"
            || first.len() > 4 && first.ends_with(':') && first == first.to_uppercase()
        {
            self.aside = words.syntax(1) != "RULES:";
            return Ok(());
        }
        if self.aside {
            return Ok(());
        }
        if words.syntax(1) == "=" && words.peek().is_some_and(|t| t.kind == Kind::Word) {
            return self.define(&mut words, &statement.span);
        }
        match first {
            "pass" | "block" | "match" => self.filter(words, &statement.span),
            "nat" | "rdr" | "binat" => self.translation(words, &statement.span, false),
            "no" if matches!(words.syntax(1), "nat" | "rdr" | "binat") => {
                words.skip();
                self.translation(words, &statement.span, true)
            }
            "anchor" | "nat-anchor" | "rdr-anchor" | "binat-anchor" => self.anchor(words, statement),
            "}" if self.surplus > 0 => {
                self.surplus -= 1;
                Ok(())
            }
            "}" => match self.close() {
                true => Ok(()),
                false => Err(words.wrong()),
            },
            "antispoof" => {
                let rules = antispoof(words, &statement.span)?;
                self.forged += rules.len().saturating_sub(2);
                if self.forged > MOST_FORGED {
                    return Err((statement.span.clone(), Text::new("nft-too-many-tokens")));
                }
                rules.into_iter().for_each(|rule| self.put(Node::Rule(rule)));
                Ok(())
            }
            "table" => self.table(words, &statement.span),
            "set" => self.option(words, &statement.span),
            "include" => {
                words.skip();
                let path = words.value()?.text.clone();
                self.include(&path, &statement.span, level);
                Ok(())
            }
            "load" => {
                words.skip();
                words.expect("anchor")?;
                let name = words.value()?.text.clone();
                words.expect("from")?;
                let path = words.value()?.text.clone();
                let before = std::mem::take(&mut self.config.nodes);
                let open = std::mem::take(&mut self.open);
                let found = self.include(&path, &statement.span, level);
                let nodes = std::mem::replace(&mut self.config.nodes, before);
                self.open = open;
                if found {
                    self.loaded.entry(name).or_default().extend(nodes);
                }
                Ok(())
            }
            "ether" => {
                self.note(&statement.span, "ether", false);
                Ok(())
            }
            "scrub" | "scrub-anchor" | "dummynet" | "dummynet-anchor" | "altq" | "queue" | "state"
            | "source" | "[" | "No" | "ALTQ" => Ok(()),
            "no" if words.syntax(1) == "scrub" => Ok(()),
            _ => Err(words.wrong()),
        }
    }

    fn define(&mut self, words: &mut Words<'_>, span: &Span) -> Result<(), Bad> {
        let name = words.value()?;
        words.skip();
        let mut value = String::new();
        while let Some(token) = words.peek() {
            if token.kind == Kind::Missing {
                return Err(words.wrong());
            }
            if value.len() + token.text.len() > LONGEST_MACRO {
                return Err(words.bad(name));
            }
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(&token.text);
            words.skip();
        }
        let used = self.macros.named.get(&name.text).is_some_and(|m| m.used);
        self.macros.named.insert(name.text.clone(), Macro { value, span: span.clone(), used });
        Ok(())
    }

    fn filter(&mut self, mut words: Words<'_>, span: &Span) -> Result<(), Bad> {
        let verb = match words.skip().map(|t| t.text.as_str()) {
            Some("pass") => Verb::Pass,
            Some("block") => Verb::Block,
            _ => Verb::Match,
        };
        if verb == Verb::Block {
            match words.word() {
                "drop" | "return" => {
                    words.skip();
                }
                "return-rst" | "return-icmp" | "return-icmp6" => {
                    words.skip();
                    if words.word() == "(" {
                        words.skip_brackets();
                    }
                }
                _ => {}
            }
        }
        let mut raw = Raw::new(span.clone(), verb);
        raw.read(&mut words, None)?;
        self.put(Node::Rule(raw));
        Ok(())
    }

    fn translation(&mut self, mut words: Words<'_>, span: &Span, no: bool) -> Result<(), Bad> {
        let what = match words.skip().map(|t| t.text.as_str()) {
            Some("nat") => Rewrite::Nat,
            Some("rdr") => Rewrite::Rdr,
            _ => Rewrite::Binat,
        };
        let pass = words.eat("pass");
        let mut raw = Raw::new(span.clone(), Verb::Match);
        raw.ways = (what != Rewrite::Nat, what != Rewrite::Rdr);
        let ways = raw.ways;
        raw.read(&mut words, Some(what))?;
        raw.ways = ways;
        if !no && raw.translations.is_empty() {
            return Err(words.wrong());
        }
        self.config.nats.push(Nat { raw, no, pass });
        Ok(())
    }

    fn anchor(&mut self, mut words: Words<'_>, statement: &Statement) -> Result<(), Bad> {
        let kind = words.word();
        words.skip();
        let mut name = String::new();
        let keyword = ["in", "out", "quick", "on", "all", "inet", "inet6", "proto", "from", "to", "{", "log"];
        let named = words.peek().is_some_and(|t| t.kind == Kind::Quoted);
        if named || !words.done() && !keyword.contains(&words.word()) {
            name = words.value()?.text.clone();
            // `ftp-proxy/*` without quotes
            while words.eat("/") {
                let part = words.skip().map(|t| t.text.clone()).unwrap_or_default();
                name = format!("{name}/{part}");
            }
        }
        let mut raw = Raw::new(statement.span.clone(), Verb::Match);
        if statement.opens {
            if self.open.len() >= DEEPEST {
                return Err((statement.span.clone(), Text::new("pf-anchors-deep")));
            }
            let mut inside = words.clone();
            // The brace that opens it is the last word.
            while !(inside.word() == "{" && inside.last()) {
                raw.part(&mut inside)?;
            }
            self.open.push((raw, name, Vec::new()));
            return Ok(());
        }
        raw.read(&mut words, None)?;
        match kind {
            "anchor" => {
                raw.verb = Verb::Open;
                self.put(Node::Anchor(raw, name, None));
            }
            _ => {
                self.note(&statement.span, kind, true);
                raw.verb = Verb::Open;
                self.config.nats.push(Nat { raw, no: false, pass: false });
            }
        }
        Ok(())
    }

    fn table(&mut self, mut words: Words<'_>, span: &Span) -> Result<(), Bad> {
        words.skip();
        words.expect("<")?;
        let name = words.value()?.text.clone();
        words.expect(">")?;
        let (mut hosts, mut persist, mut open, mut content) = (Vec::new(), false, false, false);
        while !words.done() {
            match words.word() {
                "persist" => {
                    persist = true;
                    words.skip();
                }
                "const" | "counters" => {
                    words.skip();
                }
                "timeout" => {
                    words.skip();
                    words.skip_value();
                }
                "file" => {
                    words.skip();
                    content = true;
                    let path = words.value()?.text.clone();
                    match self.input.includes.include(&path) {
                        Ok(files) => {
                            for file in &files {
                                if self.admits(file, span) {
                                    self.entries(file, &mut hosts);
                                }
                            }
                        }
                        Err(_) => {
                            open = true;
                            let text = Text::new("not-modelled-set").arg("set", &name);
                            self.config.notes.push(Note { span: span.clone(), text, bears: true });
                        }
                    }
                }
                "{" => {
                    content = true;
                    hosts.extend(words.list(&mut host)?);
                }
                _ => return Err(words.wrong()),
            }
        }
        open |= persist && !content;
        self.declared.insert(name, Declared { span: span.clone(), hosts, persist, open });
        Ok(())
    }

    /// The entries of a table's file: one or more to a line, comments behind `#` or `;`.
    fn entries(&mut self, file: &Arc<SourceFile>, hosts: &mut Vec<Host>) {
        let mut lexer = Lexer::new(file);
        let mut none = Macros::default();
        while let Some(statement) = lexer.next(&mut none, self.diagnostics) {
            let mut words = Words::of(file, &statement);
            while !words.done() && words.word() != ";" {
                if words.eat(",") {
                    continue;
                }
                if let Err((span, text)) = host(&mut words, hosts) {
                    self.diagnostics.push(Diagnostic::error(span, text));
                    break;
                }
            }
        }
    }

    fn option(&mut self, mut words: Words<'_>, span: &Span) -> Result<(), Bad> {
        words.skip();
        match words.word() {
            "skip" => {
                words.skip();
                words.expect("on")?;
                for (name, negate) in words.list(&mut interface)? {
                    self.config.skip.push((name, negate, span.clone()));
                }
            }
            "state-policy" => {
                words.skip();
                self.bound.0 = words.eat("if-bound");
            }
            "state-defaults" => {
                while let Some(token) = words.skip() {
                    self.bound.1 |= token.text == "if-bound";
                }
            }
            word if EXEMPT.contains(&word) => {}
            word => self.note(span, &format!("set {word}"), true),
        }
        Ok(())
    }

    /// Whether a file that another asks for may be read: files that ask for each other grow out of nothing.
    fn admits(&mut self, file: &SourceFile, span: &Span) -> bool {
        self.included = self.included.saturating_add(file.text.len() + LEAST_INCLUDED);
        let fits = self.included <= LARGEST;
        if !fits {
            self.diagnostics.push(Diagnostic::error(span.clone(), Text::new("nft-too-many-tokens")));
        }
        fits
    }

    /// Reads a file that another asks for; `false` where it cannot be had.
    fn include(&mut self, path: &str, span: &Span, level: usize) -> bool {
        if level >= DEEPEST_INCLUDE {
            let text = Text::new("include-too-deep").arg("name", path);
            self.diagnostics.push(Diagnostic::error(span.clone(), text));
            return false;
        }
        match self.input.includes.include(path) {
            Ok(files) => {
                for file in &files {
                    if self.admits(file, span) {
                        self.file(file, level + 1);
                    }
                }
                true
            }
            Err(_) => {
                self.incomplete = true;
                self.note(span, "include", true);
                self.put(Node::Rule(Raw::new(span.clone(), Verb::Open)));
                false
            }
        }
    }

    fn finish(mut self) -> Config {
        let mut used = BTreeSet::new();
        let mut filled = BTreeSet::new();
        let loaded = std::mem::take(&mut self.loaded);
        let mut nodes = std::mem::take(&mut self.config.nodes);
        load(&mut nodes, loaded);
        each(&nodes, &mut |raw| mentions(raw, &mut used, &mut filled));
        self.config.nats.iter().for_each(|nat| mentions(&nat.raw, &mut used, &mut filled));
        self.config.nodes = nodes;
        self.config.states = states(&self.config, self.bound);
        let resolved = filled_by_resolver(self.input.resolvers);
        for (name, declared) in self.declared {
            if !used.contains(&name) && !declared.persist && !self.incomplete {
                self.config
                    .facts
                    .push(Fact { span: declared.span.clone(), what: What::Unused(name.clone()) });
            }
            let mut table = Table::of(&declared.hosts);
            table.open |= declared.open || filled.contains(&name);
            table.span = Some(declared.span);
            if let (true, Some(names)) = (declared.hosts.is_empty(), resolved.get(&name)) {
                table.names = Some(NameSet::zones(names));
            }
            self.config.tables.insert(name, table);
        }
        let unused = self.macros.named.iter().filter(|(_, m)| !m.used && !self.incomplete);
        let fact =
            |(name, m): (&String, &Macro)| Fact { span: m.span.clone(), what: What::Unused(name.clone()) };
        self.config.facts.extend(unused.map(fact));
        self.config.macros = self.macros;
        self.config
    }
}
