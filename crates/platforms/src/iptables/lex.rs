//! Lines to words. Quotes are those of `iptables-save`: double, with `\"` and `\\` inside.

use std::sync::Arc;
use tillgate_model::{SourceFile, Span};

/// A word with its place.
#[derive(Clone, Debug)]
pub struct Word {
    pub text: String,
    /// Data, whatever it looks like.
    pub quoted: bool,
    pub start: usize,
    pub end: usize,
}

/// A line of words, and where it stands.
#[derive(Clone, Debug)]
pub struct Line {
    pub file: Arc<SourceFile>,
    pub words: Vec<Word>,
    pub span: Span,
}

impl Line {
    /// The place of the word at an index; of the whole line behind its end.
    pub fn place(&self, at: usize) -> Span {
        match self.words.get(at) {
            Some(word) => Span::new(&self.file, word.start, word.end),
            None => self.span.clone(),
        }
    }

    /// The word at an index as a keyword: quoted words are none.
    pub fn keyword(&self, at: usize) -> &str {
        self.words
            .get(at)
            .filter(|w| !w.quoted)
            .map_or(if at < self.words.len() { "\"" } else { "" }, |w| &w.text)
    }

    /// The text of the word at an index, empty behind the end.
    pub fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |w| w.text.as_str())
    }
}

/// Splits the line from `start` to `end` of a file; `Err` holds the place of a quote that is never closed.
pub fn line(file: &Arc<SourceFile>, start: usize, end: usize) -> Result<Line, Span> {
    let text = &file.text[start..end];
    // `ipset save` knows no escapes.
    let escapes = !text.trim_start().starts_with("add ");
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some(&(at, c)) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
            continue;
        }
        let mut word = String::new();
        let (mut quote, mut quoted) = (None, false);
        let mut stop = text.len();
        while let Some(&(here, c)) = chars.peek() {
            match (quote, c) {
                (None, c) if c.is_whitespace() => {
                    stop = here;
                    break;
                }
                (None, '"') => (quote, quoted) = (Some(c), true),
                (Some(q), c) if q == c => quote = None,
                (_, '\\') if escapes => {
                    chars.next();
                    if let Some(&(_, next)) = chars.peek() {
                        word.push(next);
                    }
                }
                (_, c) => word.push(c),
            }
            chars.next();
        }
        if quote.is_some() {
            return Err(Span::new(file, start + at, start + stop));
        }
        words.push(Word { text: word, quoted, start: start + at, end: start + stop });
    }
    Ok(Line { file: Arc::clone(file), words, span: Span::new(file, start, end) })
}
