//! Lines of a configuration as words with places; comments and what terminals leave in captured text left out.

use std::sync::Arc;
use tillgate_model::{SourceFile, Span, Text};

/// A place and what is wrong there.
pub type Bad = (Span, Text);

/// One line: its words with their places, and how far it is indented.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    pub words: Vec<(usize, &'a str)>,
    pub indent: usize,
    pub span: Span,
}

impl<'a> Line<'a> {
    /// The words of a stretch of a file.
    pub fn of(file: &'a Arc<SourceFile>, start: usize, end: usize) -> Self {
        let text = file.text.get(start..end).unwrap_or("");
        let body = text.trim_end();
        let inner = body.trim_start();
        let indent = body.len() - inner.len();
        let mut words = Vec::with_capacity(12);
        let mut from = start + indent;
        for piece in inner.split(|c: char| c.is_ascii_whitespace()) {
            if !piece.is_empty() {
                words.push((from, piece));
            }
            from += piece.len() + 1;
        }
        Line { words, indent, span: Span::new(file, start + indent, start + body.len()) }
    }

    /// The words of a line that was read before.
    pub fn again(span: &'a Span) -> Self {
        Line::of(&span.file, span.start as usize, span.end as usize)
    }

    /// The line from a word on.
    pub fn rest(&self, from: usize) -> Line<'a> {
        let words = self.words.get(from..).unwrap_or(&[]).to_vec();
        let start = words.first().map_or(self.span.end as usize, |(start, _)| *start);
        let span = Span::new(&self.span.file, start, self.span.end as usize);
        Line { words, indent: self.indent, span }
    }

    /// A word; empty behind the last one.
    pub fn word(&self, at: usize) -> &'a str {
        self.words.get(at).map_or("", |(_, word)| word)
    }

    /// Whether a word is this keyword; keywords have no case.
    pub fn is(&self, at: usize, keyword: &str) -> bool {
        self.word(at).eq_ignore_ascii_case(keyword)
    }

    /// Where a word stands; the whole line behind the last one.
    pub fn place(&self, at: usize) -> Span {
        match self.words.get(at) {
            Some((start, word)) => Span::new(&self.span.file, *start, start + word.len()),
            None => self.span.clone(),
        }
    }

    /// Where several words stand.
    pub fn stretch(&self, from: usize, to: usize) -> Span {
        match (self.words.get(from), self.words.get(to.max(from))) {
            (Some((start, _)), Some((last, word))) => Span::new(&self.span.file, *start, last + word.len()),
            _ => self.place(from),
        }
    }
}

/// Hands every line that says something to `take`, in order. What the whole file is indented by says nothing.
pub fn each<'a>(file: &'a Arc<SourceFile>, mut take: impl FnMut(Line<'a>)) {
    let indent = |(start, end): (usize, usize)| {
        let text = file.text.get(start..end).unwrap_or("");
        text.len() - text.trim_start().len()
    };
    let least = stretches(file).map(indent).min().unwrap_or(0);
    for (start, end) in stretches(file) {
        let mut line = Line::of(file, start, end);
        line.indent -= least.min(line.indent);
        take(line);
    }
}

/// Where the lines that say something stand.
fn stretches(file: &Arc<SourceFile>) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    file.text.split_inclusive('\n').filter_map(move |raw| {
        let (mut start, end) = (at, at + raw.len());
        at = end;
        // A pager's prompt is wiped out by a carriage return and blanks.
        let body = raw.trim_end();
        if body.contains("<--- More --->")
            && let Some(wiped) = body.rfind(['\r', '>'])
        {
            start += wiped + 1;
        }
        let text = file.text.get(start..end).unwrap_or("").trim();
        (!text.is_empty() && !text.starts_with(['!', ':'])).then_some((start, end))
    })
}

/// A way through the words of a line.
pub struct Words<'l, 'a> {
    pub line: &'l Line<'a>,
    pub at: usize,
}

impl<'a> Words<'_, 'a> {
    /// The next word; empty behind the last one.
    pub fn peek(&self) -> &'a str {
        self.line.word(self.at)
    }

    /// Whether no word is left.
    pub fn done(&self) -> bool {
        self.at >= self.line.words.len()
    }

    /// Steps over a keyword if it stands here.
    pub fn take(&mut self, keyword: &str) -> bool {
        let found = self.line.is(self.at, keyword);
        self.at += usize::from(found);
        found
    }

    /// The next word, which must be there.
    pub fn next(&mut self) -> Result<&'a str, Bad> {
        if self.done() {
            return Err((self.line.span.clone(), Text::new("expected-value")));
        }
        self.at += 1;
        Ok(self.line.word(self.at - 1))
    }

    /// The last word taken does not fit.
    pub fn bad(&self) -> Bad {
        let at = self.at.saturating_sub(1);
        (self.line.place(at), Text::new("bad-value").arg("value", self.line.word(at)))
    }

    /// The next word is none that belongs here.
    pub fn unknown(&self) -> Bad {
        match self.done() {
            true => (self.line.span.clone(), Text::new("expected-value")),
            false => (self.line.place(self.at), Text::new("unknown-word").arg("word", self.peek())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_pagers_are_stepped_over() {
        let text = ": Saved\n!\nnames\r\n<--- More --->\r              \r interface x\n\n a  b\n";
        let file = SourceFile::new("t", text);
        let mut seen = Vec::new();
        each(&file, |line| seen.push((line.indent, line.span.one_line())));
        let want = [(0, "names"), (1, "interface x"), (1, "a b")].map(|(n, t)| (n, t.to_string()));
        assert_eq!(seen, want);

        let file = SourceFile::new("t", "  names\n  interface x\n   nameif y\n");
        let mut indents = Vec::new();
        each(&file, |line| indents.push(line.indent));
        assert_eq!(indents, [0, 0, 1]);
    }
}
