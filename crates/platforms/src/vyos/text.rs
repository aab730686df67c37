//! Both ways to write a configuration: `set` lines, and blocks in braces.

use super::tree::{ROOT, Tree, Word};
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// Reads all files into one tree.
pub fn read<'f>(files: &'f [Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Tree<'f> {
    let mut tree = Tree::new(files);
    for (number, file) in files.iter().enumerate() {
        let mut reader = Reader { file, number, text: &file.text, at: 0, diagnostics, torn: false };
        if typed(&file.text) { reader.lines(&mut tree) } else { reader.blocks(&mut tree) }
    }
    tree
}

/// Whether a text consists of commands: its first line that says something of the configuration is one.
fn typed(text: &str) -> bool {
    for line in text.lines() {
        let line = without_prompt(line.trim().trim_start_matches('\u{feff}')).0;
        let mut words = line.split_whitespace();
        match words.next() {
            None => {}
            Some(word) if word.starts_with(['#', '/', '*']) || word.starts_with("[edit") => {}
            Some("set" | "delete" | "comment") => return words.next_back() != Some("{"),
            Some(word) if words.next_back() != Some("{") => {
                if CHANGES.contains(&word) {
                    return true;
                }
                if !COMMANDS.contains(&word) {
                    return false;
                }
            }
            Some(_) => return false,
        }
    }
    false
}

/// What one types that says nothing of the configuration, or is read here.
const COMMANDS: &[&str] = &[
    "set",
    "delete",
    "comment",
    "edit",
    "up",
    "top",
    "exit",
    "configure",
    "conf",
    "commit",
    "commit-confirm",
    "confirm",
    "save",
    "show",
    "run",
    "compare",
    "source",
    "quit",
    "sudo",
];

/// What changes the configuration in ways that are not followed.
const CHANGES: &[&str] = &["rename", "copy", "load", "merge", "rollback", "discard", "protect", "unprotect"];

/// A line without `vyos@shop:~$` or `vyos@shop#` in front, and how much that was.
pub fn without_prompt(line: &str) -> (&str, usize) {
    let Some(end) = line.find(char::is_whitespace) else { return (line, 0) };
    let word = &line[..end];
    if word.contains('@') && word.ends_with(['$', '#']) {
        let rest = line[end..].trim_start();
        return (rest, line.len() - rest.len());
    }
    (line, 0)
}

/// How many words the level of a session has at most; the longest paths there are have half of it.
const DEEPEST: usize = 40;

/// More letters than any command has.
const LONGEST: usize = 20;

/// Goes to another level of the configuration; `false` for what does not.
fn walk(verb: &str, rest: &[Word], level: &mut Vec<Word>) -> bool {
    match verb {
        "edit" if level.len() + rest.len() > DEEPEST => return false,
        "edit" => level.extend_from_slice(rest),
        "up" => {
            level.pop();
        }
        "top" | "exit" => level.clear(),
        _ => return false,
    }
    true
}

/// A `set` command.
pub struct Statement {
    /// The words behind `set`, with those of the level it was typed at in front.
    pub path: Vec<Word>,
    /// How many of them are the level's.
    pub level: usize,
    /// The command, in bytes.
    pub whole: (usize, usize),
}

/// The `set` commands of a file; `None` where it is written in braces.
pub fn statements(file: &Arc<SourceFile>) -> Option<Vec<Statement>> {
    if !typed(&file.text) {
        return None;
    }
    let mut found = Vec::new();
    let mut reader =
        Reader { file, number: 0, text: &file.text, at: 0, diagnostics: &mut found, torn: false };
    let mut level: Vec<Word> = Vec::new();
    let mut out = Vec::new();
    while let Some((words, whole)) = reader.next_command(&mut level) {
        let Some((verb, rest)) = words.split_first() else { continue };
        if verb.text == "set" {
            let path = level.iter().chain(rest).cloned().collect();
            out.push(Statement { path, level: level.len(), whole });
        } else {
            walk(&verb.text, rest, &mut level);
        }
    }
    Some(out)
}

/// A block that is open.
struct Open {
    node: u32,
    /// The nodes that were made for it.
    made: Vec<u32>,
    /// Behind its brace.
    start: usize,
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    number: usize,
    text: &'a str,
    at: usize,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// A quote has no end.
    torn: bool,
}

/// Whether a line is one of these commands.
fn is_command(line: &str, verbs: &[&str]) -> bool {
    let line = without_prompt(line).0;
    verbs.iter().any(|verb| line.strip_prefix(verb).is_some_and(|rest| rest.starts_with([' ', '\t'])))
}

impl Reader<'_> {
    fn error(&mut self, start: usize, end: usize, text: Text) {
        self.diagnostics.push(Diagnostic::error(Span::new(self.file, start, end), text));
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    fn line_end(&self) -> usize {
        self.text[self.at..].find('\n').map_or(self.text.len(), |n| self.at + n)
    }

    /// Commands, one a line.
    fn lines(&mut self, tree: &mut Tree<'_>) {
        let mut level: Vec<Word> = Vec::new();
        while let Some((words, whole)) = self.next_command(&mut level) {
            self.command(tree, &mut level, &words, whole);
        }
    }

    /// The words of the next command, and where it stands. `level` follows what a session shows of itself.
    fn next_command(&mut self, level: &mut Vec<Word>) -> Option<(Vec<Word>, (usize, usize))> {
        while self.at < self.text.len() {
            let end = self.line_end();
            let line = &self.text[self.at..end];
            let indent = line.len() - line.trim_start_matches(['\u{feff}', ' ', '\t', '\r']).len();
            let (rest, prompt) = without_prompt(line[indent..].trim_end());
            let start = self.at + indent + prompt;
            if rest.is_empty() || rest.starts_with(['#', '/', '*']) {
                self.at = end + 1;
                continue;
            }
            if let Some(path) = rest.strip_prefix("[edit") {
                let words = path.trim_end_matches(']').split_whitespace();
                *level = words.take(DEEPEST).map(|w| Word { text: w.to_string(), start, end }).collect();
                self.at = end + 1;
                continue;
            }
            self.at = start;
            let words = self.typed_words();
            let end = words.last().map_or(self.at, |w| w.end);
            self.at = self.line_end() + 1;
            // The rest of what was quoted is no command, and may be a key.
            while std::mem::take(&mut self.torn) && self.at < self.text.len() {
                let end = self.line_end();
                if !is_command(self.text[self.at..end].trim_start(), &["set", "delete", "edit"]) {
                    self.at = end + 1;
                    self.torn = true;
                }
            }
            return Some((words, (start, end)));
        }
        None
    }

    fn command(&mut self, tree: &mut Tree<'_>, level: &mut Vec<Word>, words: &[Word], whole: (usize, usize)) {
        let Some((verb, rest)) = words.split_first() else { return };
        match verb.text.as_str() {
            "set" if rest.is_empty() => self.error(whole.0, whole.1, Text::new("expected-value")),
            "set" => {
                tree.statement();
                let mut here = ROOT;
                for word in level.iter().chain(rest) {
                    here = tree.add(here, self.number, word, whole).0;
                }
            }
            "delete" => tree.remove(level.iter().chain(rest).map(|w| w.text.as_str())),
            verb if walk(verb, rest, level) => {}
            "edit" => {
                self.error(whole.0, whole.1, Text::new("include-too-deep").arg("name", &verb.text));
            }
            verb if CHANGES.contains(&verb) => self.error(whole.0, whole.1, Text::new("vyos-changes")),
            verb if COMMANDS.contains(&verb) => {}
            // Where quotes do not pair, it may be a line of a key.
            word if word.len() > LONGEST => {
                self.error(verb.start, verb.start, Text::new("unknown-word").arg("word", "…"));
            }
            word => self.error(verb.start, verb.end, Text::new("unknown-word").arg("word", word)),
        }
    }

    /// The words of a command, quoted as in a shell; a quote may go over the end of its line.
    fn typed_words(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        loop {
            while let Some(c) = self.peek().filter(|c| c.is_whitespace() && *c != '\n') {
                self.skip(c);
            }
            if matches!(self.peek(), None | Some('\n')) {
                return words;
            }
            let start = self.at;
            let mut text = String::new();
            while let Some(c) = self.peek() {
                match c {
                    c if c.is_whitespace() => break,
                    '\'' | '"' => self.quoted(c, &mut text),
                    '\\' => {
                        self.skip(c);
                        match self.peek() {
                            Some(c) if c != '\n' => {
                                text.push(c);
                                self.skip(c);
                            }
                            _ => {}
                        }
                    }
                    c => {
                        text.push(c);
                        self.skip(c);
                    }
                }
            }
            words.push(Word { text, start, end: self.at });
        }
    }

    /// Blocks in braces.
    fn blocks(&mut self, tree: &mut Tree<'_>) {
        let mut open: Vec<Open> = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        loop {
            let here = open.last().map_or(ROOT, |open| open.node);
            match self.peek() {
                None | Some('\n') => {
                    if let ([first, ..], [.., last]) = (words.as_slice(), words.as_slice()) {
                        let whole = (first.start, last.end);
                        self.leaf(tree, here, &words, whole);
                        words.clear();
                    }
                    if self.peek().is_none() {
                        break;
                    }
                    self.at += 1;
                    // Marks of changes that are not yet in force; a line taken away is none.
                    match self.peek() {
                        Some('+' | '>') => self.at += 1,
                        Some('-') => self.at = self.line_end(),
                        _ => {}
                    }
                }
                Some(c) if c.is_whitespace() || c == '\u{feff}' => self.skip(c),
                Some('/') if words.is_empty() && self.text[self.at..].starts_with("/*") => {
                    let end = self.text[self.at..].find("*/").map_or(self.text.len(), |n| self.at + n + 2);
                    self.at = end;
                }
                Some('/') if words.is_empty() && self.text[self.at..].starts_with("//") => {
                    self.at = self.line_end();
                }
                Some('#') if words.is_empty() => self.at = self.line_end(),
                Some('[') if words.is_empty() && self.text[self.at..].starts_with("[edit") => {
                    self.at = self.line_end();
                }
                Some(_) => match self.word() {
                    (word, false) if word.text == "{" => {
                        self.open(tree, here, &words, &word, &mut open);
                        words.clear();
                    }
                    (word, false) if word.text == "}" => {
                        if let Some(first) = words.first() {
                            let whole = (first.start, word.start);
                            self.leaf(tree, here, &words, whole);
                            words.clear();
                        }
                        match open.pop() {
                            Some(open) => {
                                open.made.iter().for_each(|id| tree.close(*id, word.end));
                                tree.block(open.node, open.start, word.start);
                            }
                            None => {
                                let text = Text::new("unknown-word").arg("word", "}");
                                self.error(word.start, word.end, text);
                            }
                        }
                    }
                    // A prompt and the command that showed the rest.
                    (word, false)
                        if words.is_empty() && word.text.contains('@') && word.text.ends_with(['$', '#']) =>
                    {
                        self.at = self.line_end();
                    }
                    (word, _) => words.push(word),
                },
            }
        }
        if !open.is_empty() {
            let end = self.text.len();
            self.error(end, end, Text::new("nft-unclosed"));
        }
    }

    fn leaf(&mut self, tree: &mut Tree<'_>, parent: u32, words: &[Word], whole: (usize, usize)) {
        tree.statement();
        let mut here = parent;
        for word in words {
            here = tree.add(here, self.number, word, whole).0;
        }
    }

    fn open(&mut self, tree: &mut Tree<'_>, parent: u32, words: &[Word], brace: &Word, open: &mut Vec<Open>) {
        let Some(first) = words.first() else {
            let text = Text::new("unknown-word").arg("word", "{");
            self.error(brace.start, brace.end, text);
            open.push(Open { node: parent, made: Vec::new(), start: brace.end });
            return;
        };
        tree.statement();
        let mut here = parent;
        let mut made = Vec::new();
        for word in words {
            let (id, new) = tree.add(here, self.number, word, (first.start, brace.end));
            made.extend(new.then_some(id));
            here = id;
        }
        open.push(Open { node: here, made, start: brace.end });
    }

    /// A word of a block, and whether it stood in quotes.
    fn word(&mut self) -> (Word, bool) {
        let start = self.at;
        let mut text = String::new();
        if self.peek() == Some('"') {
            self.quoted('"', &mut text);
            return (Word { text, start, end: self.at }, true);
        }
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace()) {
            text.push(c);
            self.skip(c);
        }
        (Word { text, start, end: self.at }, false)
    }

    /// Adds what stands in quotes; without an end it is what the line holds.
    fn quoted(&mut self, quote: char, text: &mut String) {
        let (start, before) = (self.at, text.len());
        self.skip(quote);
        let inner = self.at;
        while let Some(c) = self.peek() {
            self.skip(c);
            match c {
                c if c == quote => return,
                // The next command: nobody writes one into a value.
                '\n' if is_command(&self.text[self.at..self.line_end()], &["set"]) => break,
                '\\' if quote == '"' => match self.peek() {
                    Some(c @ ('"' | '\\')) => {
                        text.push(c);
                        self.skip(c);
                    }
                    _ => text.push('\\'),
                },
                c => text.push(c),
            }
        }
        self.at = inner;
        let end = self.line_end();
        text.truncate(before);
        text.push_str(self.text[inner..end].trim_end());
        self.at = end;
        self.torn = true;
        // The mark alone: what follows may be a password.
        self.error(start, inner, Text::new("open-string"));
    }
}
