//! Lines of a configuration as words: comments left out, banners stepped over.

use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// One line: its words with their places, and how far it is indented.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    pub words: Vec<(usize, &'a str)>,
    pub indent: usize,
    pub span: Span,
}

impl<'a> Line<'a> {
    /// A word; empty behind the last one.
    pub fn word(&self, at: usize) -> &'a str {
        self.words.get(at).map_or("", |(_, word)| word)
    }

    /// Whether a word is this keyword.
    pub fn is(&self, at: usize, keyword: &str) -> bool {
        is(self.word(at), keyword)
    }

    /// Whether the line starts with these keywords.
    pub fn starts(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(at, keyword)| self.is(at, keyword))
    }

    /// The words behind the first `count`.
    pub fn after(&self, count: usize) -> &[(usize, &'a str)] {
        self.words.get(count..).unwrap_or(&[])
    }

    /// Where a word stands; the whole line behind the last one.
    pub fn place(&self, at: usize) -> Span {
        match self.words.get(at) {
            Some((start, word)) => Span::new(&self.span.file, *start, start + word.len()),
            None => self.span.clone(),
        }
    }
}

/// Whether a word is a keyword. Keywords have no case, and people cut them short when they type.
pub fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
        || word.len() >= 3
            && word.len() < keyword.len()
            && keyword.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Hands every line that says something to `take`, in order.
pub fn each<'a>(
    file: &'a Arc<SourceFile>,
    diagnostics: &mut Vec<Diagnostic>,
    mut take: impl FnMut(Line<'a>, &mut Vec<Diagnostic>),
) {
    let text = file.text.as_str();
    // Editors put a byte order mark in front.
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    while at < text.len() {
        let rest = text.get(at..).unwrap_or("");
        let length = rest.find('\n').map_or(rest.len(), |n| n + 1);
        let line = rest.get(..length).unwrap_or("");
        let start = at;
        at += length;
        let body = line.trim_end();
        let inner = body.trim_start();
        if inner.is_empty() || inner.starts_with('!') {
            continue;
        }
        let indent = body.len() - inner.len();
        let span = Span::new(file, start + indent, start + body.len());
        let mut words = Vec::with_capacity(8);
        let mut from = start + indent;
        for piece in inner.split(|c: char| c.is_ascii_whitespace()) {
            if !piece.is_empty() {
                words.push((from, piece));
            }
            from += piece.len() + 1;
        }
        let line = Line { words, indent, span };
        if let Some(head) = text_follows(&line) {
            match closing(text, &line, head, start + body.len()) {
                Some(end) => at = end,
                None => diagnostics.push(Diagnostic::error(line.span.clone(), Text::new("open-string"))),
            }
        }
        take(line, diagnostics);
    }
}

/// After which word of a line a text of several lines may start, between two delimiters.
fn text_follows(line: &Line<'_>) -> Option<usize> {
    let last = line.words.len().checked_sub(1)?;
    let head = line.word(0).to_ascii_lowercase();
    match head.as_str() {
        "banner" if last >= 1 => {
            let kinds = ["motd", "login", "exec", "incoming", "prompt-timeout", "slip-ppp"];
            Some(if kinds.iter().any(|k| line.is(1, k)) { 2 } else { 1 })
        }
        // Texts beside the banners are exported between ^C and ^C.
        "aaa" | "menu" | "refuse-message" | "vacant-message" => {
            (1..=last).find(|at| line.word(*at).starts_with("^C"))
        }
        _ => None,
    }
}

/// Where the line behind the closing delimiter starts; `None` when it never closes.
fn closing(text: &str, line: &Line<'_>, head: usize, end: usize) -> Option<usize> {
    let (start, word) = *line.words.get(head)?;
    let delimiter = if word.starts_with("^C") { "^C" } else { word.get(..word.chars().next()?.len_utf8())? };
    let from = start + delimiter.len();
    let found = from + text.get(from..)?.find(delimiter)?;
    let rest = text.get(found.max(end)..)?;
    Some(found.max(end) + rest.find('\n').map_or(rest.len(), |n| n + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(text: &str) -> Vec<String> {
        let file = SourceFile::new("t", text);
        let mut out = Vec::new();
        let mut diagnostics = Vec::new();
        each(&file, &mut diagnostics, |line, _| out.push(line.word(0).to_string()));
        out.extend(diagnostics.iter().map(|d| d.message.id.to_string()));
        out
    }

    #[test]
    fn banners_are_stepped_over_and_must_close() {
        assert_eq!(heads("banner motd ^Cone\ninterface x\n^C\nend\n"), ["banner", "end"]);
        assert_eq!(heads("banner login #a# b\nend"), ["banner", "end"]);
        assert_eq!(heads("banner motd ^Cone\nend"), ["banner", "end", "open-string"]);
        assert_eq!(heads("a\n! b\n  c d\n"), ["a", "c"]);
    }

    #[test]
    fn keywords_have_no_case_and_may_be_cut_short() {
        assert!(is("Interface", "interface") && is("int", "interface") && is("any", "any"));
        assert!(!is("in", "interface") && !is("interfaces", "interface") && !is("é", "eq"));
    }
}
