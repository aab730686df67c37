//! The tree of a configuration: `config … edit … set … next … end`.

use super::rename;
use std::collections::HashMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// How deep sections may stand in each other; real ones stay below ten.
const DEEPEST: usize = 40;

/// More letters than the first word of any statement has.
const LONGEST: usize = 20;

/// One `set`.
#[derive(Clone, Debug)]
pub struct Setting {
    pub key: String,
    pub values: Vec<String>,
    pub span: Span,
}

/// One `edit`.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub block: Block,
    pub span: Span,
}

/// What stands between `config` or `edit` and its end.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The line that opens it, for sections.
    pub start: Option<Span>,
    pub settings: Vec<Setting>,
    pub entries: Vec<Entry>,
    /// Where entries stand, by name.
    index: HashMap<String, usize>,
    /// The highest number an entry has for a name.
    highest: u64,
    pub children: Vec<(String, Block)>,
}

impl Block {
    /// A section in it.
    pub fn child(&self, path: &str) -> Option<&Block> {
        self.children.iter().find(|(p, _)| p == path).map(|(_, b)| b)
    }

    /// The entries of a section in it.
    pub fn table(&self, path: &str) -> &[Entry] {
        self.child(path).map_or(&[], |b| b.entries.as_slice())
    }

    /// An entry of a section in it.
    pub fn entry(&self, path: &str, name: &str) -> Option<&Entry> {
        let block = self.child(path)?;
        block.entries.get(*block.index.get(name)?)
    }

    /// The virtual domains with their names: `root` is the whole unit where it is not split.
    pub fn domains(&self) -> Vec<(&str, &Block)> {
        let listed = self.table("vdom").iter().filter(|e| !e.block.children.is_empty());
        let split: Vec<(&str, &Block)> = listed.map(|e| (e.name.as_str(), &e.block)).collect();
        if split.is_empty() { vec![("root", self)] } else { split }
    }

    /// After entries came, went or moved.
    fn reindex(&mut self) {
        let names = self.entries.iter().enumerate();
        self.index = names.map(|(at, entry)| (entry.name.clone(), at)).collect();
        self.highest = self.entries.iter().filter_map(|e| e.name.parse().ok()).max().unwrap_or(0);
    }

    /// The values of a setting; empty when it is not there.
    pub fn values(&self, key: &str) -> &[String] {
        self.settings.iter().find(|s| s.key == key).map_or(&[], |s| s.values.as_slice())
    }

    /// The first value of a setting.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values(key).first().map(String::as_str)
    }

    /// Whether a setting is `enable`.
    pub fn on(&self, key: &str) -> bool {
        self.get(key) == Some("enable")
    }

    /// Where a setting stands.
    pub fn place(&self, key: &str) -> Option<Span> {
        self.settings.iter().find(|s| s.key == key).map(|s| s.span.clone())
    }

    fn child_mut(&mut self, path: &str, span: &Span) -> &mut Block {
        let at = match self.children.iter().position(|(p, _)| p == path) {
            Some(at) => at,
            None => {
                let section = Block { start: Some(span.clone()), ..Block::default() };
                self.children.push((path.to_string(), section));
                self.children.len() - 1
            }
        };
        &mut self.children[at].1
    }

    fn entry_mut(&mut self, name: &str, span: &Span) -> &mut Entry {
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => {
                self.highest = self.highest.max(name.parse().unwrap_or(0));
                let entry = Entry { name: name.to_string(), block: Block::default(), span: span.clone() };
                self.entries.push(entry);
                self.index.insert(name.to_string(), self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        &mut self.entries[at]
    }
}

/// A word of a statement, without its quotes, and where it stands with them.
pub struct Word {
    pub text: String,
    pub start: usize,
    pub end: usize,
}

/// How a block ended.
#[derive(PartialEq)]
enum Closed {
    Next,
    End,
    File,
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    at: usize,
    diagnostics: &'a mut Vec<Diagnostic>,
    strange: usize,
    /// Objects of the section being read that got another name: old and new, in order.
    renamed: Vec<(String, String)>,
}

/// Reads all files into one tree.
pub fn read(files: &[Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Block {
    let mut root = Block::default();
    for file in files {
        let mut reader = Reader { file, at: 0, diagnostics, strange: 0, renamed: Vec::new() };
        // An `end` too many closes nothing.
        while reader.block(&mut root, false, 0) != Closed::File {}
    }
    root
}

/// The statements of a file, without prompts and what a pager leaves.
pub fn statements(file: &Arc<SourceFile>) -> Vec<Vec<Word>> {
    let mut diagnostics = Vec::new();
    let mut reader = Reader { file, at: 0, diagnostics: &mut diagnostics, strange: 0, renamed: Vec::new() };
    let next = || reader.statement().map(typed);
    std::iter::from_fn(next).filter(|words| !words.is_empty()).collect()
}

/// What a pager leaves, and a prompt in copied text: the rest of the line is the statement.
fn typed(mut words: Vec<Word>) -> Vec<Word> {
    while words.first().is_some_and(|w| w.text.starts_with("--")) {
        words.remove(0);
    }
    let prompt = |w: &Word| matches!(w.text.as_str(), "#" | "$");
    if let Some(at) = words.iter().take(3).position(prompt) {
        words.drain(..=at);
    }
    words
}

impl Reader<'_> {
    fn error(&mut self, start: usize, end: usize, text: Text) {
        self.strange += 1;
        if self.strange <= 20 {
            self.diagnostics.push(Diagnostic::error(Span::new(self.file, start, end), text));
        }
    }

    /// The words of the next statement; quoted values may span lines.
    fn statement(&mut self) -> Option<Vec<Word>> {
        let text = &self.file.text;
        let mut words: Vec<Word> = Vec::new();
        loop {
            let rest = &text[self.at..];
            let Some(c) = rest.chars().next() else {
                return if words.is_empty() { None } else { Some(words) };
            };
            if c == '\n' {
                self.at += 1;
                if !words.is_empty() {
                    return Some(words);
                }
                continue;
            }
            if c.is_whitespace() || c == '\u{feff}' {
                self.at += c.len_utf8();
                continue;
            }
            if c == '#' && words.is_empty() {
                self.at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            let start = self.at;
            let mut word = String::new();
            let mut quote: Option<char> = None;
            let mut opened = start;
            let mut chars = rest.char_indices();
            let mut end = text.len();
            while let Some((offset, c)) = chars.next() {
                match (quote, c) {
                    (None, c) if c.is_whitespace() => {
                        end = start + offset;
                        break;
                    }
                    (None, '"' | '\'') => {
                        quote = Some(c);
                        opened = start + offset;
                    }
                    (Some(q), c) if q == c => quote = None,
                    (Some('"') | None, '\\') => {
                        if let Some((_, next)) = chars.next() {
                            word.push(next);
                        }
                    }
                    (_, c) => word.push(c),
                }
            }
            self.at = end;
            if quote.is_some() {
                // The mark alone: what follows may be a password.
                self.error(opened, opened + 1, Text::new("open-string"));
            }
            words.push(Word { text: word, start, end });
        }
    }

    fn block(&mut self, block: &mut Block, in_edit: bool, depth: usize) -> Closed {
        while let Some(words) = self.statement().map(typed) {
            if words.is_empty() {
                continue;
            }
            let (first, last) = (&words[0], &words[words.len() - 1]);
            let (start, end) = (first.start, last.end);
            let span = Span::new(self.file, start, end);
            let rest: Vec<String> = words[1..].iter().map(|w| w.text.clone()).collect();
            match first.text.as_str() {
                "config" | "edit" if depth > DEEPEST => {
                    self.error(start, end, Text::new("include-too-deep").arg("name", &first.text));
                    return Closed::File;
                }
                "config" => {
                    let path = rest.join(" ");
                    if self.block(block.child_mut(&path, &span), false, depth + 1) == Closed::File {
                        self.error(start, end, Text::new("fortios-no-end").arg("name", path));
                        return Closed::File;
                    }
                    // What named the object before names it still.
                    rename::follow(block, &path, &std::mem::take(&mut self.renamed));
                }
                "edit" => {
                    let Some(name) = rest.first() else {
                        self.error(start, end, Text::new("expected-value"));
                        continue;
                    };
                    // 0 is a new entry under the next number (Administration Guide, CLI basics).
                    let name = match name.as_str() {
                        "0" => block.highest.saturating_add(1).to_string(),
                        name => name.to_string(),
                    };
                    let entry = block.entry_mut(&name, &span);
                    match self.block(&mut entry.block, true, depth + 1) {
                        Closed::Next => {}
                        other => return other,
                    }
                    // The whole entry is what a person wants to see of it; its first line is where it starts.
                }
                "next" if in_edit => return Closed::Next,
                "end" | "abort" => return Closed::End,
                "set" | "append" => {
                    let Some((key, values)) = rest.split_first() else {
                        self.error(start, end, Text::new("expected-value"));
                        continue;
                    };
                    let known = block.settings.iter().position(|s| s.key == *key);
                    let mut values = values.to_vec();
                    if let (Some(at), "append") = (known, first.text.as_str()) {
                        let mut all = std::mem::take(&mut block.settings[at].values);
                        all.append(&mut values);
                        values = all;
                    }
                    let setting = Setting { key: key.clone(), values, span };
                    match known {
                        Some(at) => block.settings[at] = setting,
                        None => block.settings.push(setting),
                    }
                }
                "unset" => block.settings.retain(|s| Some(&s.key) != rest.first()),
                "delete" => {
                    block.entries.retain(|e| Some(&e.name) != rest.first());
                    block.reindex();
                }
                "purge" => {
                    block.entries.clear();
                    block.reindex();
                }
                "rename" => {
                    let [old, _, new] = rest.as_slice() else {
                        self.error(start, end, Text::new("expected-value"));
                        continue;
                    };
                    match (block.index.get(old).copied(), block.index.contains_key(new)) {
                        (None, _) => self.error(start, end, Text::new("unknown-object").arg("name", old)),
                        (_, true) => self.error(start, end, Text::new("fortios-name-taken").arg("name", new)),
                        (Some(at), false) => {
                            block.entries[at].name.clone_from(new);
                            block.index.remove(old);
                            block.index.insert(new.clone(), at);
                            self.renamed.push((old.clone(), new.clone()));
                        }
                    }
                }
                "clone" => {
                    if let [old, _, new] = rest.as_slice()
                        && let Some(entry) = block.entries.iter().find(|e| e.name == *old).cloned()
                    {
                        block.entries.push(Entry { name: new.clone(), span, ..entry });
                    }
                    block.reindex();
                }
                "move" => {
                    if let [name, place, other] = rest.as_slice()
                        && let Some(from) = block.entries.iter().position(|e| e.name == *name)
                    {
                        let entry = block.entries.remove(from);
                        let to = block.entries.iter().position(|e| e.name == *other).unwrap_or(from);
                        let to = to + usize::from(place == "after");
                        block.entries.insert(to.min(block.entries.len()), entry);
                    }
                    block.reindex();
                }
                // Words of a session that set nothing.
                "next" | "show" | "exit" | "get" => {}
                word => {
                    // Where quotes do not pair, it may be a line of a key.
                    let shown = if word.len() > LONGEST { "…" } else { word };
                    let end = if word.len() > LONGEST { start } else { first.end };
                    self.error(start, end, Text::new("unknown-word").arg("word", shown));
                }
            }
        }
        Closed::File
    }
}
