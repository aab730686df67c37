//! Text to statements of words: comments, continued lines, strings and macros (pf.conf(5), DESCRIPTION, MACROS).

use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Letters, digits and what may stand between them.
    Word,
    /// In quotes.
    Quoted,
    /// Punctuation.
    Sign,
    /// A macro that nothing defines; the text is its name.
    Missing,
}

/// A token with its place: what a macro holds stands where the macro is used.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Without quotes.
    pub text: String,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A statement: up to the end of its line, lists included.
#[derive(Debug)]
pub struct Statement {
    /// Its tokens; never empty.
    pub tokens: Vec<Token>,
    /// From the first to the last of them.
    pub span: Span,
    /// An anchor whose rules follow up to a line with `}`.
    pub opens: bool,
}

/// What a macro holds.
#[derive(Clone, Debug)]
pub struct Macro {
    /// The text that stands for it.
    pub value: String,
    /// Where it is defined.
    pub span: Span,
    /// Whether anything uses it.
    pub used: bool,
}

/// Macros by name.
#[derive(Clone, Debug, Default)]
pub struct Macros {
    /// What each holds.
    pub named: BTreeMap<String, Macro>,
    /// What all uses so far stand for, in words.
    expanded: usize,
}

/// Words that all uses of macros may stand for together; beyond them a file grows out of nothing.
const MOST_EXPANDED: usize = 1 << 19;

/// Splits a file into statements.
pub struct Lexer<'a> {
    file: &'a Arc<SourceFile>,
    at: usize,
}

/// One step through a text.
enum Step {
    End,
    Line,
    Token(Kind, String),
    Macro(String),
    Open,
}

/// Whether a byte may stand inside a word (pfctl's `allowed_in_string`).
fn inside(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || b >= 0x80
        || (b.is_ascii_punctuation() && !b"(){}<>!=/#,\"'".contains(&b) && b != b'\\')
}

/// The length of a backslash with the end of its line, if one is here.
fn continued(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b'\\', b'\n', ..] => Some(2),
        [b'\\', b'\r', b'\n', ..] => Some(3),
        _ => None,
    }
}

fn step(text: &str, at: &mut usize) -> Step {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(*at) {
            None => return Step::End,
            Some(b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c') => *at += 1,
            Some(b'\\') => *at += continued(bytes, *at).unwrap_or(1),
            Some(b'#') => {
                while let Some(b) = bytes.get(*at) {
                    if *b == b'\n' {
                        break;
                    }
                    *at += continued(bytes, *at).unwrap_or(1);
                }
            }
            Some(b'\n') => {
                *at += 1;
                return Step::Line;
            }
            Some(quote @ (b'"' | b'\'')) => return quoted(text, at, *quote),
            Some(b'$') => {
                let start = *at + 1;
                let length = bytes.get(start..).unwrap_or_default().iter();
                let length = length.take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                *at = start + length;
                return Step::Macro(text.get(start..*at).unwrap_or_default().to_string());
            }
            Some(&b) if b.is_ascii_alphanumeric() || b == b':' || b == b'_' || b >= 0x80 => {
                let start = *at;
                let rest = bytes.get(start..).unwrap_or_default();
                *at += rest.iter().take_while(|b| inside(**b)).count().max(1);
                return Step::Token(Kind::Word, text.get(start..*at).unwrap_or_default().to_string());
            }
            Some(&b) => {
                let two = matches!(
                    (b, bytes.get(*at + 1)),
                    (b'-', Some(b'>')) | (b'<', Some(b'>')) | (b'>', Some(b'<'))
                );
                let start = *at;
                *at += if two { 2 } else { 1 };
                return Step::Token(Kind::Sign, text.get(start..*at).unwrap_or_default().to_string());
            }
        }
    }
}

fn quoted(text: &str, at: &mut usize, quote: u8) -> Step {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    *at += 1;
    while let Some(&b) = bytes.get(*at) {
        if b == quote {
            *at += 1;
            return Step::Token(Kind::Quoted, String::from_utf8_lossy(&out).into_owned());
        }
        match continued(bytes, *at) {
            Some(length) => *at += length,
            None if b == b'\\' && bytes.get(*at + 1) == Some(&quote) => {
                out.push(quote);
                *at += 2;
            }
            None => {
                if b != b'\n' {
                    out.push(b);
                }
                *at += 1;
            }
        }
    }
    Step::Open
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of a file.
    pub fn new(file: &'a Arc<SourceFile>) -> Self {
        Lexer { file, at: 0 }
    }

    /// Starts at a place in it, where a statement begins.
    pub fn behind(file: &'a Arc<SourceFile>, at: usize) -> Self {
        Lexer { file, at }
    }

    fn place(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at)
    }

    /// The next statement; `None` at the end.
    pub fn next(&mut self, macros: &mut Macros, diagnostics: &mut Vec<Diagnostic>) -> Option<Statement> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut depth = 0usize;
        let mut opens = false;
        loop {
            let before = self.at;
            let step = step(&self.file.text, &mut self.at);
            let end = self.at as u32;
            match step {
                Step::End => break,
                Step::Line if depth == 0 && !tokens.is_empty() => break,
                Step::Line => {}
                Step::Open => {
                    let start = self.file.text.get(before..).and_then(|t| t.find(['"', '\'']));
                    let start = before + start.unwrap_or(0);
                    let span = Span::new(self.file, start, (start + 1).min(self.file.text.len()));
                    diagnostics.push(Diagnostic::error(span, Text::new("open-string")));
                }
                Step::Macro(name) => {
                    let start = (self.at - name.len()).saturating_sub(1);
                    self.expand(&name, start, macros, &mut tokens, &mut depth, diagnostics);
                }
                Step::Token(kind, text) => {
                    let length = self.at - before;
                    let shown = self.file.text.get(before..self.at).unwrap_or_default();
                    let skipped = length - shown.trim_start_matches([' ', '\t', '\r', '\\', '\n']).len();
                    let start = (before + skipped) as u32;
                    let sign = kind == Kind::Sign;
                    tokens.push(Token { kind, text, start, end });
                    let last = tokens.last().map_or("", |t| t.text.as_str());
                    match last {
                        "{" if sign && depth == 0 && anchor(&tokens) && self.rest_is_empty() => {
                            opens = true;
                            break;
                        }
                        "{" | "(" if sign => depth += 1,
                        "}" if sign && tokens.len() == 1 => break,
                        "}" | ")" if sign => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
            }
        }
        let (first, last) = (tokens.first()?, tokens.last()?);
        let span = Span::new(self.file, first.start as usize, last.end as usize);
        Some(Statement { span, tokens, opens })
    }

    /// Whether nothing but a comment follows on the line.
    fn rest_is_empty(&self) -> bool {
        let mut at = self.at;
        matches!(step(&self.file.text, &mut at), Step::Line | Step::End)
    }

    fn expand(
        &mut self,
        name: &str,
        start: usize,
        macros: &mut Macros,
        tokens: &mut Vec<Token>,
        depth: &mut usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let (from, to) = (start as u32, self.at as u32);
        let Macros { named, expanded } = macros;
        let Some(found) = named.get_mut(name) else {
            tokens.push(Token { kind: Kind::Missing, text: name.to_string(), start: from, end: to });
            return;
        };
        found.used = true;
        let mut at = 0;
        loop {
            // What a macro holds is not expanded again.
            let (kind, text) = match step(&found.value, &mut at) {
                Step::End | Step::Open => break,
                Step::Line => continue,
                Step::Token(kind, text) => (kind, text),
                Step::Macro(name) => (Kind::Missing, name),
            };
            match text.as_str() {
                "{" | "(" if kind == Kind::Sign => *depth += 1,
                "}" | ")" if kind == Kind::Sign => *depth = depth.saturating_sub(1),
                _ => {}
            }
            *expanded += 1;
            if *expanded > MOST_EXPANDED {
                diagnostics.push(Diagnostic::error(self.place(start), Text::new("nft-too-many-tokens")));
                return;
            }
            tokens.push(Token { kind, text, start: from, end: to });
        }
        // `$if:network`: the last word goes on behind the macro.
        let rest = self.file.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|b| inside(*b)).count();
        if let (Some(more), Some(last)) = (rest.get(..length), tokens.last_mut())
            && length > 0
            && last.kind == Kind::Word
            && last.start == from
        {
            last.text.push_str(more);
            self.at += length;
            last.end = self.at as u32;
        }
    }
}

/// Whether a statement is an anchor, as files write it or as listings do (`@2 anchor …`).
fn anchor(tokens: &[Token]) -> bool {
    let skip = if tokens.first().is_some_and(|t| t.text == "@") { 2 } else { 0 };
    tokens.get(skip).is_some_and(|t| t.kind == Kind::Word && t.text == "anchor")
}
