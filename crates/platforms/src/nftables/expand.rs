//! Includes followed, definitions filled in: what remains is one list of tokens.

use super::lex::{Files, Tok, Token, lex};
use crate::{IncludeError, Includes};
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Text};

/// Tokens a configuration may grow to; definitions that multiply themselves stop here.
const MOST_TOKENS: usize = 40_000_000;
/// Depth of includes; nft's own limit.
const MOST_INCLUDES: usize = 16;

/// Expands files into the tokens of the whole configuration.
pub fn expand(
    files: &[Arc<SourceFile>],
    includes: &dyn Includes,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Files, Vec<Token>) {
    let mut expander = Expander {
        includes,
        files: Files::default(),
        defined: BTreeMap::new(),
        out: Vec::new(),
        stack: Vec::new(),
        full: false,
        diagnostics,
    };
    for file in files {
        expander.whole(file);
    }
    (expander.files, expander.out)
}

struct Expander<'a> {
    includes: &'a dyn Includes,
    files: Files,
    defined: BTreeMap<String, Vec<Token>>,
    out: Vec<Token>,
    stack: Vec<String>,
    full: bool,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Expander<'_> {
    /// A file, with the end of a line after it.
    fn whole(&mut self, file: &Arc<SourceFile>) {
        let index = self.files.0.len() as u16;
        self.file(file);
        let end = file.text.len();
        self.out.push(Token::new(Tok::Newline, index, end, end));
    }

    fn file(&mut self, file: &Arc<SourceFile>) {
        let index = self.files.0.len() as u16;
        self.files.0.push(Arc::clone(file));
        self.stack.push(file.name.clone());
        let tokens = lex(index, file, self.diagnostics);
        let mut at = 0;
        let mut fresh = true;
        while at < tokens.len() && !self.full {
            let token = tokens[at];
            let text = self.files.text(&token);
            if fresh
                && token.tok == Tok::Word
                && matches!(text, "define" | "redefine" | "undefine" | "include")
            {
                let end = end_of_statement(&self.files, &tokens, at);
                match text {
                    "include" => self.include(&tokens[at..end]),
                    word => {
                        let undefine = word == "undefine";
                        self.define(&tokens[at..end], undefine);
                    }
                }
                at = end;
                continue;
            }
            at += self.push(&tokens, at);
            fresh = token.tok == Tok::Newline || matches!(self.files.text(&token), ";" | "{");
        }
        self.stack.pop();
    }

    /// Copies one token, or what a `$name` stands for; returns how many tokens were used.
    fn push(&mut self, tokens: &[Token], at: usize) -> usize {
        let token = tokens[at];
        if token.tok == Tok::Sign && self.files.text(&token) == "$" {
            let Some(name) = tokens.get(at + 1) else { return 1 };
            match self.defined.get(self.files.text(name)) {
                Some(value) => {
                    let place = (token.file, token.start, name.end);
                    self.out.extend(value.iter().map(|t| Token { place, ..*t }));
                }
                None => {
                    let text = Text::new("nft-undefined").arg("name", self.files.text(name));
                    let span = self.files.span(&tokens[at..at + 2]);
                    self.diagnostics.push(Diagnostic::error(span, text));
                    // Something stands in its place, so that one mistake is one message.
                    self.out.push(*name);
                }
            }
            self.check_size();
            return 2;
        }
        self.out.push(token);
        1
    }

    fn check_size(&mut self) {
        if self.out.len() > MOST_TOKENS && !self.full {
            self.full = true;
            let span = self.files.span(&self.out[..1]);
            self.diagnostics.push(Diagnostic::error(span, Text::new("nft-too-many-tokens")));
        }
    }

    fn define(&mut self, statement: &[Token], undefine: bool) {
        let Some(name) = statement.get(1).map(|t| self.files.text(t).to_string()) else { return };
        if undefine {
            self.defined.remove(&name);
            return;
        }
        if statement.get(2).is_none_or(|t| self.files.text(t) != "=") {
            let span = self.files.span(statement);
            self.diagnostics.push(Diagnostic::error(span, Text::new("nft-define")));
            return;
        }
        let kept = std::mem::take(&mut self.out);
        let mut at = 3;
        while at < statement.len() && !self.full {
            at += self.push(statement, at);
        }
        let value = std::mem::replace(&mut self.out, kept);
        if value.len() > MOST_TOKENS / 8 && !self.full {
            self.full = true;
            self.diagnostics
                .push(Diagnostic::error(self.files.span(statement), Text::new("nft-too-many-tokens")));
        }
        self.defined.insert(name, value);
    }

    fn include(&mut self, statement: &[Token]) {
        let span = self.files.span(statement);
        let fail = |id: &'static str, name: &str, diagnostics: &mut Vec<Diagnostic>| {
            diagnostics.push(Diagnostic::error(span.clone(), Text::new(id).arg("name", name)));
        };
        let Some(pattern) = statement.get(1).map(|t| self.files.text(t).to_string()) else {
            return fail("nft-include", "", self.diagnostics);
        };
        if self.stack.len() >= MOST_INCLUDES || self.files.0.len() >= 4096 {
            return fail("include-too-deep", &pattern, self.diagnostics);
        }
        match self.includes.include(&pattern) {
            Ok(files) => {
                for file in files {
                    if self.stack.contains(&file.name) {
                        fail("include-cycle", &file.name, self.diagnostics);
                    } else {
                        self.whole(&file);
                    }
                }
            }
            Err(IncludeError::NotFound) => fail("include-not-found", &pattern, self.diagnostics),
            Err(IncludeError::Outside) => fail("include-outside", &pattern, self.diagnostics),
            Err(IncludeError::Unreadable) => fail("include-unreadable", &pattern, self.diagnostics),
        }
    }
}

/// The end of the statement that starts at `at`: a newline or `;` outside braces and parentheses.
pub fn end_of_statement(files: &Files, tokens: &[Token], at: usize) -> usize {
    // A reader may stand past the end of a file that was cut off.
    let at = at.min(tokens.len());
    let mut depth = 0usize;
    for (offset, token) in tokens[at..].iter().enumerate() {
        match (token.tok, files.text(token)) {
            (Tok::Newline, _) | (Tok::Sign, ";") if depth == 0 => return at + offset,
            (Tok::Sign, "{" | "(") => depth += 1,
            (Tok::Sign, "}" | ")") if depth == 0 => return at + offset,
            (Tok::Sign, "}" | ")") => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}
