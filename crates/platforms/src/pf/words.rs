//! A statement read from left to right.

use super::lex::{Kind, Statement, Token};
use std::sync::Arc;
use tillgate_model::{SourceFile, Span, Text};

/// What is wrong with a statement, and where.
pub type Bad = (Span, Text);

/// Reads one item of a list.
type Reads<'a, W, T> = dyn FnMut(&mut W, &mut Vec<T>) -> Result<(), Bad> + 'a;

/// The rest of a statement.
#[derive(Clone)]
pub struct Words<'a> {
    file: &'a Arc<SourceFile>,
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Words<'a> {
    /// The whole statement.
    pub fn of(file: &'a Arc<SourceFile>, statement: &'a Statement) -> Self {
        Words { file, tokens: &statement.tokens, at: 0 }
    }

    /// The next token.
    pub fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    /// The text of the next word or sign; strings are no syntax.
    pub fn word(&self) -> &'a str {
        self.syntax(0)
    }

    /// The text of a word or sign further on.
    pub fn syntax(&self, ahead: usize) -> &'a str {
        match self.tokens.get(self.at + ahead) {
            Some(t) if matches!(t.kind, Kind::Word | Kind::Sign) => &t.text,
            _ => "",
        }
    }

    /// Whether nothing is left.
    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Whether the next token is the last one.
    pub fn last(&self) -> bool {
        self.at + 1 == self.tokens.len()
    }

    /// Goes past the next token.
    pub fn skip(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Goes past a word or sign if it comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let here = !self.done() && self.word() == text;
        self.at += usize::from(here);
        here
    }

    /// Goes past a word or sign that must come next.
    pub fn expect(&mut self, text: &str) -> Result<(), Bad> {
        if self.eat(text) { Ok(()) } else { Err(self.wrong()) }
    }

    /// A word or a string.
    pub fn value(&mut self) -> Result<&'a Token, Bad> {
        match self.peek() {
            Some(token) if matches!(token.kind, Kind::Word | Kind::Quoted) => {
                self.at += 1;
                Ok(token)
            }
            _ => Err(self.wrong()),
        }
    }

    /// Goes past everything in the brackets that come next.
    pub fn skip_brackets(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.skip() {
            if token.kind == Kind::Sign {
                match token.text.as_str() {
                    "(" | "{" => depth += 1,
                    ")" | "}" => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Goes past a value: a word, a string, or brackets and what is in them.
    pub fn skip_value(&mut self) {
        match self.word() {
            "(" | "{" => self.skip_brackets(),
            _ => {
                self.skip();
            }
        }
    }

    /// Every item of a list in braces, or the one item that stands there; commas may be left out.
    pub fn list<T>(&mut self, one: &mut Reads<'_, Self, T>) -> Result<Vec<T>, Bad> {
        let mut out = Vec::new();
        if !self.eat("{") {
            one(self, &mut out)?;
            return Ok(out);
        }
        let mut depth = 1usize;
        while depth > 0 {
            match self.word() {
                "{" => {
                    depth += 1;
                    self.at += 1;
                }
                "}" => {
                    depth -= 1;
                    self.at += 1;
                }
                "," => self.at += 1,
                _ if self.done() => return Err(self.wrong()),
                _ => one(self, &mut out)?,
            }
        }
        Ok(out)
    }

    /// The place of a token.
    pub fn place(&self, token: &Token) -> Span {
        Span::new(self.file, token.start as usize, token.end as usize)
    }

    /// That the next token does not belong here.
    pub fn wrong(&self) -> Bad {
        match self.peek() {
            Some(token) if token.kind == Kind::Missing => {
                (self.place(token), Text::new("pf-unknown-macro").arg("name", &token.text))
            }
            Some(token) => (self.place(token), Text::new("unknown-word").arg("word", &token.text)),
            None => {
                let last = self.tokens.last().map_or((0, 0), |t| (t.start, t.end));
                let span = Span::new(self.file, last.0 as usize, last.1 as usize);
                (span, Text::new("expected-value"))
            }
        }
    }

    /// That a token's value does not fit.
    pub fn bad(&self, token: &Token) -> Bad {
        (self.place(token), Text::new("bad-value").arg("value", &token.text))
    }
}
