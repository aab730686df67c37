//! The commands of a configuration carried out: which tables, chains, rules, sets and maps there are at the end.

use super::expand::end_of_statement;
use super::lex::{Files, Tok, Token};
use std::collections::BTreeMap;
use tillgate_model::{Diagnostic, Text};

/// A range of tokens.
pub type Range = (usize, usize);

/// A table.
#[derive(Default)]
pub struct Table {
    pub family: String,
    pub name: String,
    pub chains: Vec<Chain>,
    pub sets: BTreeMap<String, Set>,
    pub dormant: bool,
}

/// A chain.
pub struct Chain {
    pub name: String,
    pub base: Option<Base>,
    /// The policy statement, wherever it stands and however often the chain is declared: drop or not, and where.
    policy: Option<(bool, Range)>,
    pub rules: Vec<Range>,
    pub head: Range,
}

/// The head of a base chain.
#[derive(Clone)]
pub struct Base {
    pub kind: String,
    pub hook: String,
    pub priority: i32,
    pub devices: Vec<String>,
    pub drop: bool,
    /// The statement that gives the policy, or the type where there is none.
    pub policy: Range,
}

/// A set or a map.
#[derive(Default)]
pub struct Set {
    pub dynamic: bool,
    pub elements: Vec<Change>,
    /// Where it is declared; elements may be added to one that is not.
    pub head: Option<Range>,
}

/// What was done to the elements of a set.
#[derive(Clone, Copy)]
pub enum Change {
    Add(Range),
    Delete(Range),
}

const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];

/// Carries out all commands.
pub fn declare(files: &Files, tokens: &[Token], diagnostics: &mut Vec<Diagnostic>) -> Vec<Table> {
    let mut reader = Reader { files, tokens, at: 0, tables: Vec::new(), diagnostics };
    reader.commands();
    reader.tables
}

struct Reader<'a> {
    files: &'a Files,
    tokens: &'a [Token],
    at: usize,
    tables: Vec<Table>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |t| self.files.text(t))
    }

    fn peek(&self) -> &'a str {
        self.text(self.at)
    }

    fn next(&mut self) -> &'a str {
        let text = self.peek();
        self.at += 1;
        text
    }

    fn skip_separators(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            if token.tok == Tok::Newline || (token.tok == Tok::Sign && self.peek() == ";") {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    fn end(&self) -> usize {
        end_of_statement(self.files, self.tokens, self.at)
    }

    fn error(&mut self, range: Range, text: Text) {
        let (a, b) = (range.0.min(self.tokens.len()), range.1.min(self.tokens.len()));
        let tokens = match &self.tokens[a..b.max(a)] {
            [] => &self.tokens[self.tokens.len().saturating_sub(1)..],
            some => some,
        };
        if !tokens.is_empty() {
            self.diagnostics.push(Diagnostic::error(self.files.span(tokens), text));
        }
    }

    fn commands(&mut self) {
        loop {
            self.skip_separators();
            if self.at >= self.tokens.len() {
                return;
            }
            let start = self.at;
            let word = self.peek();
            match word {
                "table" => {
                    self.at += 1;
                    self.table(start);
                }
                "add" | "create" | "insert" | "delete" | "destroy" | "flush" | "replace" | "reset" => {
                    self.at += 1;
                    self.command(word, start);
                }
                "chain" | "rule" | "set" | "map" | "element" | "flowtable" | "counter" | "quota"
                | "limit" | "ct" => {
                    self.command("add", start);
                }
                // Reading commands change nothing.
                "list" | "export" | "monitor" | "describe" => self.at = self.end(),
                _ => {
                    let end = self.end().max(start + 1);
                    self.error((start, end), Text::new("nft-unknown-command").arg("word", word));
                    self.at = end;
                }
            }
        }
    }

    fn family(&mut self) -> String {
        let word = self.peek();
        if FAMILIES.contains(&word) {
            self.at += 1;
            return word.to_string();
        }
        "ip".into()
    }

    fn table_index(&mut self, family: &str, name: &str) -> usize {
        if let Some(at) = self.tables.iter().position(|t| t.family == family && t.name == name) {
            return at;
        }
        self.tables.push(Table { family: family.into(), name: name.into(), ..Table::default() });
        self.tables.len() - 1
    }

    fn table(&mut self, start: usize) {
        let family = self.family();
        let name = self.next().to_string();
        let table = self.table_index(&family, &name);
        if self.peek() == "{" {
            self.at += 1;
            self.table_body(table, start);
        } else if self.tokens.get(self.at).is_some_and(|t| t.tok != Tok::Newline) && self.peek() != ";" {
            let at = self.at;
            self.error((start, at + 1), Text::new("nft-table-body"));
            self.at = self.end();
        }
    }

    fn table_body(&mut self, table: usize, start: usize) {
        loop {
            self.skip_separators();
            let word = self.peek();
            let here = self.at;
            match word {
                "}" => {
                    self.at += 1;
                    return;
                }
                "" if self.at >= self.tokens.len() => {
                    return self.error((start, start + 3), Text::new("nft-unclosed"));
                }
                "chain" => {
                    self.at += 1;
                    self.chain(table, here);
                }
                "set" | "map" => {
                    self.at += 1;
                    self.set(table, here);
                }
                "flowtable" | "counter" | "quota" | "limit" | "secmark" | "synproxy" | "ct" => {
                    self.at = self.end();
                }
                "flags" => {
                    let end = self.end();
                    let dormant = (self.at..end).any(|i| self.text(i) == "dormant");
                    self.tables[table].dormant |= dormant;
                    self.at = end;
                }
                "comment" | "elements" => self.at = self.end(),
                _ => {
                    let end = self.end().max(self.at + 1);
                    self.error((here, end), Text::new("nft-unknown-in-table").arg("word", word));
                    self.at = end;
                }
            }
        }
    }

    fn chain_index(&mut self, table: usize, name: &str, head: Range) -> usize {
        let chains = &mut self.tables[table].chains;
        if let Some(at) = chains.iter().position(|c| c.name == name) {
            return at;
        }
        chains.push(Chain { name: name.into(), base: None, policy: None, rules: Vec::new(), head });
        chains.len() - 1
    }

    fn chain(&mut self, table: usize, start: usize) {
        let name = self.next().to_string();
        let chain = self.chain_index(table, &name, (start, self.at));
        if self.peek() != "{" {
            return;
        }
        self.at += 1;
        loop {
            self.skip_separators();
            if self.at >= self.tokens.len() {
                return self.error((start, start + 2), Text::new("nft-unclosed"));
            }
            let end = self.end();
            match self.peek() {
                "}" => {
                    self.at += 1;
                    return;
                }
                "type" => self.base(table, chain, end),
                "policy" => self.policy(table, chain, end),
                "comment" | "flags" | "devices" | "device" => {
                    if matches!(self.peek(), "devices" | "device") {
                        let devices = self.devices(self.at, end);
                        if let Some(base) = &mut self.tables[table].chains[chain].base {
                            base.devices.extend(devices);
                        }
                    }
                }
                _ => {
                    // A stray brace or the like would not move on by itself.
                    let range = (self.at, end.max(self.at + 1));
                    self.tables[table].chains[chain].rules.push(range);
                    self.at = range.1;
                    continue;
                }
            }
            self.at = end;
        }
    }

    fn devices(&self, from: usize, end: usize) -> Vec<String> {
        let words = (from..end).filter(|i| self.tokens[*i].tok != Tok::Sign).map(|i| self.text(i));
        words.filter(|w| !matches!(*w, "device" | "devices" | "\n")).map(str::to_string).collect()
    }

    fn base(&mut self, table: usize, chain: usize, end: usize) {
        let start = self.at;
        let words: Vec<&str> = (start..end).map(|i| self.text(i)).collect();
        let after = |key: &str| words.iter().position(|w| *w == key).map(|i| i + 1);
        let hook_at = after("hook");
        let (Some(kind), Some(hook)) = (words.get(1), hook_at.and_then(|i| words.get(i))) else {
            return self.error((start, end), Text::new("nft-base-chain"));
        };
        let devices = match (after("device"), after("devices")) {
            (Some(i), _) | (_, Some(i)) => {
                let stop = after("priority").map_or(end, |p| start + p - 1);
                self.devices(start + i, stop)
            }
            _ => Vec::new(),
        };
        let family = self.tables[table].family.clone();
        let priority = match after("priority") {
            Some(i) => priority(&words[i..].concat(), &family),
            None => None,
        };
        let Some(priority) = priority else {
            return self.error((start, end), Text::new("nft-priority"));
        };
        const HOOKS: [&str; 7] =
            ["ingress", "egress", "prerouting", "input", "forward", "output", "postrouting"];
        if !HOOKS.contains(hook) || !["filter", "nat", "route"].contains(kind) {
            return self.error((start, end), Text::new("nft-base-chain"));
        }
        let known = self.tables[table].chains[chain].policy;
        self.tables[table].chains[chain].base = Some(Base {
            kind: kind.to_string(),
            hook: hook.to_string(),
            priority,
            devices,
            drop: known.is_some_and(|(drop, _)| drop),
            policy: known.map_or((start, end), |(_, range)| range),
        });
    }

    fn policy(&mut self, table: usize, chain: usize, end: usize) {
        let (start, word) = (self.at, self.text(self.at + 1));
        if !matches!(word, "accept" | "drop") {
            return self.error((start, end), Text::new("nft-policy"));
        }
        let chain = &mut self.tables[table].chains[chain];
        chain.policy = Some((word == "drop", (start, end)));
        if let Some(base) = &mut chain.base {
            base.drop = word == "drop";
            base.policy = (start, end);
        }
    }

    fn set(&mut self, table: usize, head: usize) {
        let start = self.at;
        let name = self.next().to_string();
        let head = (head, self.at);
        if self.peek() != "{" {
            self.at = self.end();
            return;
        }
        self.at += 1;
        let mut set = Set::default();
        loop {
            self.skip_separators();
            if self.at >= self.tokens.len() {
                self.error((start, start + 1), Text::new("nft-unclosed"));
                break;
            }
            let end = self.end();
            match self.peek() {
                "}" => {
                    self.at += 1;
                    break;
                }
                "flags" => {
                    set.dynamic |= (self.at..end).any(|i| matches!(self.text(i), "dynamic" | "timeout"));
                }
                "timeout" => set.dynamic = true,
                "elements" => {
                    // elements = { … }
                    let inner = (self.at + 3, end.saturating_sub(1));
                    if self.text(self.at + 2) == "{" && inner.0 <= inner.1 {
                        set.elements.push(Change::Add(inner));
                    }
                }
                "type" | "typeof" | "size" | "gc-interval" | "policy" | "auto-merge" | "comment"
                | "counter" | "handle" | "quota" | "limit" | "ct" | "last" => {}
                word => self.error((self.at, end), Text::new("nft-unknown-in-set").arg("word", word)),
            }
            self.at = end.max(self.at + 1);
        }
        let known = self.tables[table].sets.entry(name).or_default();
        known.dynamic |= set.dynamic;
        known.elements.extend(set.elements);
        known.head.get_or_insert(head);
    }

    fn command(&mut self, verb: &str, start: usize) {
        let object = self.next();
        if verb == "flush" && object == "ruleset" {
            let family = self.peek();
            match FAMILIES.contains(&family) {
                true => self.tables.retain(|t| t.family != family),
                false => self.tables.clear(),
            }
            self.at = self.end();
            return;
        }
        match (verb, object) {
            ("add" | "create", "table") => return self.table(start),
            ("delete" | "destroy", "table") => {
                let (family, name) = (self.family(), self.next());
                self.tables.retain(|t| t.family != family || t.name != name);
                self.at = self.end();
                return;
            }
            ("flush", "table") => {
                let (family, name) = (self.family(), self.next());
                let table = self.table_index(&family, name);
                self.tables[table].chains.iter_mut().for_each(|c| c.rules.clear());
                self.at = self.end();
                return;
            }
            _ => {}
        }
        let family = self.family();
        let name = self.next().to_string();
        let table = self.table_index(&family, &name);
        match (verb, object) {
            ("add" | "create", "chain") => self.chain(table, start),
            ("add" | "create", "set" | "map") => self.set(table, start),
            ("flush", "chain") => {
                let chain = self.next().to_string();
                let chain = self.chain_index(table, &chain, (start, self.at));
                self.tables[table].chains[chain].rules.clear();
            }
            ("delete" | "destroy", "chain") => {
                let chain = self.next();
                self.tables[table].chains.retain(|c| c.name != chain);
            }
            ("add" | "create" | "insert", "rule") => {
                let chain = self.next().to_string();
                let chain = self.chain_index(table, &chain, (start, self.at));
                let known = self.tables[table].chains[chain].rules.len();
                let index = match self.peek() {
                    "index" => self.text(self.at + 1).parse::<usize>().ok().filter(|n| *n < known),
                    _ => None,
                };
                if index.is_some() {
                    self.at += 2;
                } else if matches!(self.peek(), "position" | "handle" | "index") {
                    // Relative to a place only the running kernel knows.
                    let end = self.end();
                    self.error((start, end), Text::new("nft-relative-rule"));
                    self.at = end;
                    return;
                }
                let range = (self.at, self.end());
                let rules = &mut self.tables[table].chains[chain].rules;
                // `add … index n` stands behind rule n, `insert … index n` before it; rules count from 0.
                match (verb, index) {
                    ("insert", n) => rules.insert(n.unwrap_or(0), range),
                    (_, Some(n)) => rules.insert(n + 1, range),
                    (_, None) => rules.push(range),
                }
                self.at = range.1;
            }
            ("add" | "create" | "delete" | "destroy", "element") => {
                let set = self.next().to_string();
                let end = self.end();
                if self.peek() == "{" {
                    let inner = (self.at + 1, end.saturating_sub(1));
                    let change = match verb {
                        "add" | "create" => Change::Add(inner),
                        _ => Change::Delete(inner),
                    };
                    self.tables[table].sets.entry(set).or_default().elements.push(change);
                }
                self.at = end;
            }
            ("delete" | "destroy", "set" | "map") => {
                let set = self.next();
                self.tables[table].sets.remove(set);
            }
            ("flush", "set" | "map") => {
                let set = self.next();
                if let Some(set) = self.tables[table].sets.get_mut(set) {
                    set.elements.clear();
                }
            }
            (
                "add" | "create" | "reset",
                "counter" | "quota" | "limit" | "ct" | "flowtable" | "secmark" | "synproxy",
            )
            | ("reset", _)
            | ("delete" | "destroy", "counter" | "quota" | "limit" | "ct" | "flowtable") => {
                self.at = self.end();
            }
            _ => {
                let end = self.end();
                self.error(
                    (start, end),
                    Text::new("nft-unknown-command").arg("word", format!("{verb} {object}")),
                );
                self.at = end;
            }
        }
        self.at = self.end().max(self.at);
    }
}

/// `filter`, `-150`, `srcnat + 10` (nft(8), "Standard priority names").
fn priority(text: &str, family: &str) -> Option<i32> {
    let text = text.split(';').next().unwrap_or("").replace(['\n', ' '], "");
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let cut = text.find(['+', '-']).unwrap_or(text.len());
    let bridge = family == "bridge";
    let base = match &text[..cut] {
        "raw" => -300,
        "mangle" => -150,
        "dstnat" => {
            if bridge {
                -300
            } else {
                -100
            }
        }
        "filter" => {
            if bridge {
                -200
            } else {
                0
            }
        }
        "security" => 50,
        "out" if bridge => 100,
        "srcnat" => {
            if bridge {
                300
            } else {
                100
            }
        }
        _ => return None,
    };
    let offset: i32 = match &text[cut..] {
        "" => 0,
        rest => rest.parse().ok()?,
    };
    Some(base + offset)
}
