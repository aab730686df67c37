//! What the editors of all platforms share: places in a text, and repairs as permissions.

use crate::permits::{Permit, permits};
use std::sync::Arc;
use tillgate_intent::{Flow, Intent};
use tillgate_model::{SourceFile, Span};
use tillgate_ruleset::{Edit, RuleSet};

/// What an editor works on.
pub struct Desk<'a> {
    /// The configuration's files.
    pub files: &'a [Arc<SourceFile>],
    /// The rules as they were read.
    pub rules: &'a RuleSet,
    /// What the site wants.
    pub intent: &'a Intent,
}

/// From the start of the first line a span touches to the end of the last one, its line break included.
pub(crate) fn whole_lines(span: &Span) -> Span {
    let text = &span.file.text;
    let before = text.get(..span.start as usize).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let behind = text.get(span.end as usize..).unwrap_or("");
    let end = behind.find('\n').map_or(text.len(), |at| span.end as usize + at + 1);
    Span::new(&span.file, start, end)
}

/// The place before the line a span starts on.
pub(crate) fn before_line(span: &Span) -> Span {
    let start = whole_lines(span).start as usize;
    Span::new(&span.file, start, start)
}

/// The place behind the line a span ends on.
pub(crate) fn after_line(span: &Span) -> Span {
    let end = whole_lines(span).end as usize;
    Span::new(&span.file, end, end)
}

/// The end of a span's file.
pub(crate) fn end_of_file(span: &Span) -> Span {
    let end = span.file.text.len();
    Span::new(&span.file, end, end)
}

/// The one way to put something behind everything else, on a line of its own.
pub(crate) fn append(desk: &Desk<'_>, text: String) -> Vec<Vec<Edit>> {
    let Some(file) = desk.files.first().filter(|_| !text.is_empty()) else { return Vec::new() };
    let end = file.text.len();
    let end = Span::new(file, end, end);
    vec![vec![insert(end.clone(), on_new_line(&end, text))]]
}

/// Text for a place: behind a line that the file's end cuts off, on a line of its own.
pub(crate) fn on_new_line(place: &Span, text: String) -> String {
    let before = place.file.text.get(..after_line(place).start as usize);
    let ends = before.is_none_or(|t| t.is_empty() || t.ends_with('\n'));
    if ends { text } else { format!("\n{text}") }
}

/// White space at the start of the line a span starts on.
pub(crate) fn indent(span: &Span) -> String {
    let line = whole_lines(span);
    line.text().chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
}

/// An edit that puts something where nothing was taken away.
pub(crate) fn insert(at: Span, text: String) -> Edit {
    Edit { span: at, text }
}

/// An edit that takes whole lines away.
pub(crate) fn remove(span: &Span) -> Edit {
    Edit { span: whole_lines(span), text: String::new() }
}

/// The permissions of a repair: of its flows, and of segments that may go to the internet; those to the firewall itself
/// and those through it.
pub(crate) fn permissions(
    intent: &Intent,
    flows: &[&Flow],
    internet: &[usize],
) -> (Vec<Permit>, Vec<Permit>) {
    let mut reduced = intent.clone();
    reduced.flows = flows.iter().map(|f| (*f).clone()).collect();
    for (at, zone) in reduced.topology.zones.iter_mut().enumerate() {
        zone.internet &= internet.contains(&at);
    }
    (permits(&reduced, true), permits(&reduced, false))
}
