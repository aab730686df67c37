//! Where something stands in a file, and what is wrong there.

use crate::Text;
use std::sync::Arc;

/// A file that was read: its name as given, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name to show.
    pub name: String,
    /// The whole text.
    pub text: String,
    lines: Vec<u32>,
}

impl SourceFile {
    /// Keeps a text with the offsets of its lines.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        Arc::new(SourceFile { name: name.into(), text, lines })
    }

    /// Line and column (both from 1, columns in characters) of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start as usize <= offset).max(1);
        let start = self.lines[line - 1] as usize;
        let upto = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        (line, upto.chars().count() + 1)
    }

    /// The text of a line (from 1), without its end.
    pub fn line(&self, line: usize) -> &str {
        let start = self.lines.get(line.wrapping_sub(1)).map_or(self.text.len(), |&s| s as usize);
        self.text[start..].lines().next().unwrap_or("")
    }
}

/// A stretch of a file, in bytes.
#[derive(Clone, Debug)]
pub struct Span {
    /// The file.
    pub file: Arc<SourceFile>,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span of `file`.
    pub fn new(file: &Arc<SourceFile>, start: usize, end: usize) -> Self {
        Span { file: Arc::clone(file), start: start as u32, end: end as u32 }
    }

    /// Line and column of the first byte, both from 1.
    pub fn position(&self) -> (usize, usize) {
        self.file.position(self.start as usize)
    }

    /// The text it covers.
    pub fn text(&self) -> &str {
        self.file.text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// The text it covers on one line: white space folded, cut at 200 characters.
    pub fn one_line(&self) -> String {
        let mut out = self.text().split_whitespace().collect::<Vec<_>>().join(" ");
        if out.chars().count() > 200 {
            out = out.chars().take(199).collect();
            out.push('…');
        }
        out
    }

    fn key(&self) -> (&str, u32, u32) {
        (&self.file.name, self.start, self.end)
    }
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Span {}
impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Span {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
impl std::hash::Hash for Span {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// The file can be used; somebody should look.
    Warning,
}

/// Something wrong in a file: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Level,
    /// What is wrong.
    pub message: Text,
    /// Where; `None` for a file that could not be read at all.
    pub span: Option<Span>,
    /// A second place that belongs to it, with its label.
    pub related: Vec<(Span, Text)>,
    /// What to do about it.
    pub hint: Option<Text>,
}

impl Diagnostic {
    /// An error at a span.
    pub fn error(span: Span, message: Text) -> Self {
        Diagnostic { level: Level::Error, message, span: Some(span), related: Vec::new(), hint: None }
    }

    /// A warning at a span.
    pub fn warning(span: Span, message: Text) -> Self {
        Diagnostic { level: Level::Warning, ..Self::error(span, message) }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Adds a second place.
    pub fn related(mut self, span: Span, label: Text) -> Self {
        self.related.push((span, label));
        self
    }

    /// Sorts diagnostics by place and drops repetitions.
    pub fn sort(list: &mut Vec<Diagnostic>) {
        list.sort_by(|a, b| (&a.span, a.level, &a.message).cmp(&(&b.span, b.level, &b.message)));
        list.dedup();
    }
}
