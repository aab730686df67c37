//! The console's syntax: sections, commands, `key=value` items, continued lines.

use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// One `key=value`, `key` or `!key` of a command.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: String,
    /// Empty where there is none.
    pub value: String,
    pub place: Span,
}

/// One command.
#[derive(Clone, Debug)]
pub struct Command {
    /// The section, words joined by blanks: `ip firewall filter`.
    pub path: String,
    /// `add`, `set`, `remove` …
    pub verb: String,
    pub items: Vec<Item>,
    /// What stands in brackets: `find default-name=ether1`.
    pub find: Option<String>,
    pub span: Span,
    /// The comment line in front of it, where the router says what it thinks of the rule.
    pub remark: Option<String>,
}

impl Command {
    /// The value of an item; `None` when it is not there, or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.items.iter().rev().find(|i| i.key == key).map(|i| i.value.as_str()).filter(|v| !v.is_empty())
    }

    /// Whether an item says yes.
    pub fn yes(&self, key: &str) -> bool {
        matches!(self.get(key), Some("yes" | "true"))
    }

    /// The place of an item.
    pub fn place(&self, key: &str) -> Span {
        self.items.iter().rev().find(|i| i.key == key).map_or(self.span.clone(), |i| i.place.clone())
    }
}

#[derive(Clone, Debug)]
struct Word {
    text: String,
    /// Where the key ends, for `key=value`.
    equals: Option<usize>,
    bracket: bool,
    start: usize,
    end: usize,
}

const VERBS: &[&str] = &[
    "add", "set", "remove", "print", "export", "enable", "disable", "move", "unset", "edit", "comment",
    "reset", "find",
];

/// All commands of a file.
pub fn commands(file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Command> {
    let mut reader = Reader { file, text: &file.text, at: 0, remark: None, section: None, strange: 0 };
    let mut path: Vec<String> = Vec::new();
    let mut outer: Vec<Vec<String>> = Vec::new();
    let mut out = Vec::new();
    while let Some(words) = reader.line(diagnostics) {
        let remark = reader.remark.take();
        if let Some(section) = reader.section.take() {
            path = section.split(['/', ' ']).filter(|w| !w.is_empty()).map(str::to_string).collect();
        }
        let all = words;
        let mut words = all.as_slice();
        if let [first, ..] = words
            && first.text == "}"
            && !first.bracket
        {
            match outer.pop() {
                Some(above) => path = above,
                None => {
                    let span = Span::new(file, first.start, first.end);
                    diagnostics.push(Diagnostic::error(span, Text::new("unknown-word").arg("word", "}")));
                }
            }
            continue;
        }
        let mut here = path.clone();
        if let Some(first) = words.first()
            && first.text.starts_with('/')
        {
            here.clear();
        }
        // The words of the section, up to a verb.
        while let Some(word) = words.first() {
            if word.equals.is_some()
                || word.bracket
                || VERBS.contains(&word.text.as_str())
                || word.text == "{"
            {
                break;
            }
            for part in word.text.split('/').filter(|p| !p.is_empty()) {
                match part {
                    ".." => {
                        here.pop();
                    }
                    part => here.push(part.to_string()),
                }
            }
            words = &words[1..];
        }
        let Some(verb) = words.first() else {
            let (first, last) = (&all[0], &all[all.len() - 1]);
            if first.text.starts_with('/') || first.text == ".." {
                path = here;
            } else {
                // A line of a script, which may do anything.
                let span = Span::new(file, first.start, last.end);
                let text = Text::new("unknown-word").arg("word", &first.text);
                diagnostics.push(Diagnostic::error(span, text));
            }
            continue;
        };
        if verb.text == "{" && outer.len() > 32 {
            let span = Span::new(file, verb.start, verb.end);
            diagnostics.push(Diagnostic::error(span, Text::new("include-too-deep").arg("name", "{")));
            return out;
        }
        if verb.text == "{" {
            outer.push(std::mem::replace(&mut path, here));
            continue;
        }
        if verb.equals.is_some() || verb.bracket {
            let span = Span::new(file, verb.start, verb.end);
            diagnostics.push(Diagnostic::error(span, Text::new("unknown-word").arg("word", &verb.text)));
            continue;
        }
        let (start, end) = (verb.start, words.last().map_or(verb.end, |w| w.end));
        let mut command = Command {
            path: here.join(" "),
            verb: verb.text.clone(),
            items: Vec::new(),
            find: None,
            span: Span::new(file, start, end),
            remark,
        };
        for word in &words[1..] {
            if word.bracket {
                command.find = Some(word.text.clone());
                continue;
            }
            let place = Span::new(file, word.start, word.end);
            let (key, value) = match word.equals {
                Some(at) => (word.text[..at].to_string(), word.text[at..].to_string()),
                None => (word.text.clone(), String::new()),
            };
            // What `print verbose` names with a mark in front is not set.
            if !key.starts_with('!') {
                command.items.push(Item { key, value, place });
            }
        }
        // A section given with the command stays, as on the console.
        if path.is_empty() || reader.absolute(start) {
            path = here;
        }
        out.push(command);
    }
    if !outer.is_empty() {
        let end = file.text.len();
        diagnostics.push(Diagnostic::error(Span::new(file, end, end), Text::new("nft-unclosed")));
    }
    out
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    text: &'a str,
    at: usize,
    remark: Option<String>,
    /// The section a prompt names.
    section: Option<String>,
    strange: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Whether the line of an offset starts with a section.
    fn absolute(&self, at: usize) -> bool {
        let start = self.text[..at].rfind('\n').map_or(0, |n| n + 1);
        self.text[start..].trim_start().starts_with('/')
    }

    /// Moves past `\` and the end of a line, and the blanks the next one starts with.
    fn continuation(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let skip = if rest.starts_with("\\\r\n") {
            3
        } else if rest.starts_with("\\\n") {
            2
        } else {
            return false;
        };
        self.at += skip;
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        true
    }

    /// The words of the next command; `None` at the end.
    fn line(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Word>> {
        let mut words: Vec<Word> = Vec::new();
        loop {
            if self.continuation() {
                continue;
            }
            match self.peek() {
                None => return if words.is_empty() { None } else { Some(words) },
                Some('\n' | ';') => {
                    self.next();
                    if !words.is_empty() {
                        return Some(words);
                    }
                }
                Some(c) if c.is_whitespace() || c == '\u{feff}' => {
                    self.next();
                }
                Some('#') if words.is_empty() => {
                    let end = self.text[self.at..].find('\n').map_or(self.text.len(), |n| self.at + n);
                    self.remark = Some(self.text[self.at + 1..end].trim().to_string());
                    self.at = end;
                }
                // A prompt in copied text.
                Some('[') if words.is_empty() => {
                    let end = self.text[self.at..].find('\n').map_or(self.text.len(), |n| self.at + n);
                    let line = &self.text[self.at..end];
                    let (name, prompt) = (line.find(']'), line.find('>'));
                    match (name, prompt) {
                        (Some(name), Some(prompt)) if name < prompt => {
                            let section = line[name + 1..prompt].trim();
                            if !section.is_empty() {
                                self.section = Some(section.to_string());
                            }
                            self.at += prompt + 1;
                        }
                        _ => {
                            let span = Span::new(self.file, self.at, end);
                            let text = Text::new("unknown-word").arg("word", "[");
                            diagnostics.push(Diagnostic::error(span, text));
                            self.at = end;
                        }
                    }
                }
                Some(c @ ('{' | '}')) => {
                    let start = self.at;
                    self.next();
                    let brace =
                        Word { text: c.to_string(), equals: None, bracket: false, start, end: self.at };
                    if c == '{' {
                        words.push(brace);
                        return Some(words);
                    }
                    if words.is_empty() {
                        return Some(vec![brace]);
                    }
                    self.at = start;
                    return Some(words);
                }
                Some('[') => {
                    let start = self.at;
                    let end = self.text[start..].find(']').map_or(self.text.len(), |n| start + n + 1);
                    let inner = self.text[start..end].trim_matches(['[', ']']).trim().to_string();
                    self.at = end;
                    words.push(Word { text: inner, equals: None, bracket: true, start, end });
                }
                Some(_) => {
                    let word = self.word(diagnostics);
                    words.push(word);
                }
            }
        }
    }

    fn word(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Word {
        let start = self.at;
        let mut text = String::new();
        let mut equals = None;
        let mut quoted = false;
        while let Some(c) = self.peek() {
            if self.continuation() {
                continue;
            }
            if quoted {
                match c {
                    '"' => {
                        quoted = false;
                        self.next();
                    }
                    '\\' => {
                        self.next();
                        self.escape(&mut text);
                    }
                    c => {
                        text.push(c);
                        self.next();
                    }
                }
                continue;
            }
            match c {
                '"' => {
                    quoted = true;
                    self.next();
                }
                '=' if equals.is_none() => {
                    self.next();
                    equals = Some(text.len());
                }
                c if c.is_whitespace() || matches!(c, ';' | '[' | ']' | '{' | '}') => {
                    // `key=[…]` belongs together.
                    if c == '[' && equals == Some(text.len()) {
                        let end = self.text[self.at..].find(']').map_or(self.text.len(), |n| self.at + n + 1);
                        text.push_str(&self.text[self.at..end]);
                        self.at = end;
                    } else if c == ']' {
                        self.next();
                    }
                    break;
                }
                '\\' => {
                    self.next();
                    self.escape(&mut text);
                }
                c => {
                    text.push(c);
                    self.next();
                }
            }
        }
        if quoted {
            self.strange += 1;
            if self.strange <= 5 {
                let span = Span::new(self.file, start, self.at);
                diagnostics.push(Diagnostic::error(span, Text::new("open-string")));
            }
        }
        Word { text, equals, bracket: false, start, end: self.at }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, text: &mut String) {
        match self.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('_') => text.push(' '),
            Some('a' | 'b' | 'f' | 'v') => {}
            Some(high @ ('0'..='9' | 'A'..='F')) => match self.peek() {
                Some(low @ ('0'..='9' | 'A'..='F')) => {
                    self.next();
                    // Bytes of the box's code page: only what is ASCII is a letter for sure.
                    let byte = u8::from_str_radix(&format!("{high}{low}"), 16).unwrap_or(b'?');
                    text.push(if byte.is_ascii() { byte as char } else { '\u{fffd}' });
                }
                _ => text.push(high),
            },
            Some(c) => text.push(c),
            None => {}
        }
    }
}
