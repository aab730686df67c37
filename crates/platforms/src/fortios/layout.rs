//! Where sections and entries of a configuration stand, from their first line to their last.

use super::config::{self, Word};
use crate::edit::{after_line, before_line, indent};
use std::sync::Arc;
use tillgate_model::{SourceFile, Span};

/// A `config` or an `edit` with all it holds.
pub struct Part {
    /// Path of a section, name of an entry.
    pub name: String,
    pub entry: bool,
    /// The statement that opens it.
    pub head: Span,
    /// The place before the line that closes it.
    pub close: Span,
    /// The place behind it.
    pub end: Span,
    pub parent: Option<usize>,
    /// What is set in it, in its final state.
    pub settings: Vec<Said>,
    /// Statements of its own that are no settings: sections and entries in it, `purge`, `move` and the like.
    pub others: usize,
}

/// A setting, with the statement that said it last.
pub struct Said {
    pub key: String,
    pub values: Vec<String>,
    pub span: Span,
}

/// The parts of some files in their order.
pub struct Layout {
    pub parts: Vec<Part>,
    /// Names of the files, and the first part of each.
    files: Vec<(String, usize)>,
}

impl Part {
    pub fn said(&self, key: &str) -> Option<&Said> {
        self.settings.iter().find(|s| s.key == key)
    }

    /// The white space before what stands in it.
    pub fn inner(&self) -> String {
        indent(&self.head) + "    "
    }
}

impl Layout {
    pub fn of(files: &[Arc<SourceFile>]) -> Self {
        let mut layout = Layout { parts: Vec::new(), files: Vec::new() };
        for file in files {
            layout.files.push((file.name.clone(), layout.parts.len()));
            layout.read(file);
        }
        layout
    }

    fn read(&mut self, file: &Arc<SourceFile>) {
        let mut open: Vec<usize> = Vec::new();
        for words in config::statements(file) {
            let [first, rest @ ..] = words.as_slice() else { continue };
            let end = rest.last().unwrap_or(first).end;
            let span = Span::new(file, first.start, end);
            let verb = first.text.as_str();
            match verb {
                "config" | "edit" => {
                    self.count(&open);
                    let name = match verb {
                        "config" => rest.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" "),
                        _ => rest.first().map_or(String::new(), |w| w.text.clone()),
                    };
                    let part = Part {
                        name,
                        entry: verb == "edit",
                        close: after_line(&span),
                        end: after_line(&span),
                        head: span,
                        parent: open.last().copied(),
                        settings: Vec::new(),
                        others: 0,
                    };
                    open.push(self.parts.len());
                    self.parts.push(part);
                }
                "next" => {
                    if open.last().is_some_and(|at| self.parts[*at].entry) {
                        self.close(&mut open, &span, true);
                    }
                }
                "end" | "abort" => {
                    // An entry that is open ends with its section, before this line.
                    if open.last().is_some_and(|at| self.parts[*at].entry) {
                        self.close(&mut open, &span, false);
                    }
                    self.close(&mut open, &span, true);
                }
                "set" | "append" | "unset" => self.say(&open, verb, rest, span),
                _ => self.count(&open),
            }
        }
        let end = Span::new(file, file.text.len(), file.text.len());
        while !open.is_empty() {
            self.close(&mut open, &end, false);
        }
    }

    fn count(&mut self, open: &[usize]) {
        if let Some(at) = open.last() {
            self.parts[*at].others += 1;
        }
    }

    fn close(&mut self, open: &mut Vec<usize>, by: &Span, own: bool) {
        let Some(part) = open.pop().map(|at| &mut self.parts[at]) else { return };
        part.close = before_line(by);
        part.end = if own { after_line(by) } else { before_line(by) };
    }

    fn say(&mut self, open: &[usize], verb: &str, rest: &[Word], span: Span) {
        let (Some(at), [key, values @ ..]) = (open.last(), rest) else { return };
        let settings = &mut self.parts[*at].settings;
        let known = settings.iter().position(|s| s.key == key.text);
        let mut old = known.map(|at| settings.remove(at).values).unwrap_or_default();
        if verb == "unset" {
            return;
        }
        if verb == "set" {
            old.clear();
        }
        old.extend(values.iter().map(|w| w.text.clone()));
        settings.push(Said { key: key.text.clone(), values: old, span });
    }

    /// The part that a statement opens.
    pub fn at(&self, head: &Span) -> Option<usize> {
        let file = self.files.iter().position(|(name, _)| *name == head.file.name)?;
        let first = self.files[file].1;
        let end = self.files.get(file + 1).map_or(self.parts.len(), |(_, first)| *first);
        // They stand in the order of their first lines.
        let at = self.parts[first..end].binary_search_by_key(&head.start, |p| p.head.start).ok()?;
        Some(first + at)
    }

    /// The part in which a setting is said, and the setting.
    pub fn saying(&self, span: &Span) -> Option<(usize, &Said)> {
        let parts = self.parts.iter().enumerate();
        parts.into_iter().find_map(|(at, p)| Some((at, p.settings.iter().find(|s| s.span == *span)?)))
    }

    /// The path of the section an entry stands in; empty for what stands in none.
    pub fn table(&self, at: usize) -> &str {
        self.parts[at].parent.map_or("", |parent| self.parts[parent].name.as_str())
    }

    /// The virtual domain a part is of: `None` where the unit has one only, and for what is of the whole unit.
    pub fn domain(&self, at: usize) -> Option<&str> {
        let mut at = at;
        while let Some(parent) = self.parts[at].parent {
            if self.parts[at].entry && self.parts[parent].name == "vdom" {
                return Some(&self.parts[at].name);
            }
            at = parent;
        }
        None
    }

    /// Sections of a virtual domain by their path, in order.
    pub fn sections<'l>(
        &'l self,
        domain: Option<&'l str>,
        path: &'l str,
    ) -> impl Iterator<Item = usize> + 'l {
        let named = move |at: &usize| !self.parts[*at].entry && self.parts[*at].name == path;
        (0..self.parts.len()).filter(named).filter(move |at| self.domain(*at) == domain)
    }

    /// What stands right in a section or entry.
    pub fn within(&self, parent: usize) -> impl Iterator<Item = usize> + '_ {
        let behind = parent + 1..self.parts.len();
        let inside = move |at: &usize| {
            let (own, part) = (&self.parts[parent], &self.parts[*at]);
            part.head.start < own.end.end && part.head.file.name == own.head.file.name
        };
        behind.take_while(inside).filter(move |at| self.parts[*at].parent == Some(parent))
    }

    /// Entries of a table of a virtual domain, in order.
    pub fn entries<'l>(&'l self, domain: Option<&'l str>, path: &'l str) -> impl Iterator<Item = usize> + 'l {
        self.sections(domain, path)
            .flat_map(|section| self.within(section))
            .filter(|at| self.parts[*at].entry)
    }

    /// From the first line of a part to its last.
    pub fn whole(&self, at: usize) -> Span {
        let part = &self.parts[at];
        Span::new(&part.head.file, before_line(&part.head).start as usize, part.end.end as usize)
    }
}
