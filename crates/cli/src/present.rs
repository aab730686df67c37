//! Diagnostics like a compiler's, and tables.

use crate::lang::Lang;
use crate::output::{Output, shown};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};
use comfy_table::{ContentArrangement, Table, presets};
use tillgate_model::{Diagnostic, Level, Span};

/// A diagnostic with file, line, text, caret and hint.
pub fn diagnostic(diagnostic: &Diagnostic, lang: &Lang, color: bool) -> String {
    let (level, word) = match diagnostic.level {
        Level::Error => (Title::ERROR, lang.say("word-error")),
        Level::Warning => (Title::WARNING, lang.say("word-warning")),
    };
    let title = shown(&lang.text(&diagnostic.message));
    let hint = diagnostic.hint.as_ref().map(|h| shown(&lang.text(h)));
    let hint_word = lang.say("word-hint");
    let labels: Vec<String> = diagnostic.related.iter().map(|(_, t)| shown(&lang.text(t))).collect();
    let level = level.with_name(word.as_str());
    let mut group =
        level.primary_title(title.as_str()).elements(Vec::<annotate_snippets::Message<'_>>::new());
    // The window around each place: whole files may be large, and the renderer looks at all of it.
    let main = diagnostic.span.as_ref().map(Window::new);
    let others: Vec<Window> = diagnostic.related.iter().map(|(s, _)| Window::new(s)).collect();
    if let Some(window) = &main {
        group = group.element(window.snippet(AnnotationKind::Primary, None));
    }
    for (window, label) in others.iter().zip(&labels) {
        group = group.element(window.snippet(AnnotationKind::Context, Some(label)));
    }
    let mut report = vec![group];
    if let Some(hint) = &hint {
        report.push(Group::with_title(
            Title::HELP.with_name(hint_word.as_str()).secondary_title(hint.as_str()),
        ));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&report)
}

/// The lines a span stands on, with the span's place in them.
struct Window {
    name: String,
    first_line: usize,
    text: String,
    start: usize,
    end: usize,
}

impl Window {
    fn new(span: &Span) -> Self {
        let file = &span.file.text;
        let (start, end) = ((span.start as usize).min(file.len()), (span.end as usize).min(file.len()));
        let line_start = file[..start].rfind('\n').map_or(0, |n| n + 1);
        // One line is enough to find the place; a longer statement is cut at its line's end.
        let line_end = file[start..].find('\n').map_or(file.len(), |n| start + n);
        // A line may be a megabyte; the caret then stands in a piece of it.
        let from = floor(file, line_start.max(start.saturating_sub(200)));
        let to = floor(file, line_end.min(start + 400));
        let clean = |text: &str| -> String {
            text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
        };
        let before = clean(&file[from..start]);
        let inside = clean(&file[start..end.clamp(start, to)]);
        let after = clean(&file[end.clamp(start, to)..to]);
        let begin = before.len();
        Window {
            name: shown(&span.file.name),
            first_line: span.file.position(start).0,
            start: begin,
            end: begin + inside.len(),
            text: format!("{before}{inside}{after}"),
        }
    }

    fn snippet<'a>(
        &'a self,
        kind: AnnotationKind,
        label: Option<&'a String>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut annotation = kind.span(self.start..self.end);
        if let Some(label) = label {
            annotation = annotation.label(label.as_str());
        }
        Snippet::source(self.text.as_str())
            .line_start(self.first_line)
            .path(self.name.as_str())
            .annotation(annotation)
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A table: with frames that fit the terminal, or plain columns in a pipe.
pub fn table(output: &Output<'_>, header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    if output.terminal {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(output.width.unwrap_or(100));
    } else {
        table.load_style(presets::NOTHING);
    }
    // No styling here: the table measures its cells as they are.
    table.set_header(header);
    for row in rows {
        table.add_row(row.iter().map(|c| shown(c)));
    }
    // Without frames the first column starts at the margin.
    let text = table.to_string();
    let lines: Vec<&str> = match output.terminal {
        true => text.lines().collect(),
        false => text.lines().map(|l| l.strip_prefix(' ').unwrap_or(l).trim_end()).collect(),
    };
    lines.join("\n") + "\n"
}
