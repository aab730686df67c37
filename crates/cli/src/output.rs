//! Where results go: data to standard output, everything else to standard error.

use crate::args::{Color, Format, Global};
use crate::lang::Lang;
use crate::{Environment, Failed, Result};
use anstyle::{AnsiColor, Style};
use std::io::Write;
use tillgate_model::{Date, Diagnostic, Level, Severity, Text};

/// The streams of one run, and how to write to them.
pub struct Output<'a> {
    pub lang: Lang,
    pub format: Format,
    pub color: bool,
    pub terminal: bool,
    pub progress: bool,
    pub quiet: bool,
    pub verbose: bool,
    pub width: Option<u16>,
    pub today: Date,
    out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    failure: Option<std::io::Error>,
}

impl<'a> Output<'a> {
    pub fn new(
        global: &Global,
        environment: &Environment,
        lang: Lang,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Self {
        Output {
            lang,
            format: global.format,
            color: match global.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => environment.terminal && !environment.no_color,
            },
            terminal: environment.terminal,
            progress: environment.progress && !global.quiet,
            quiet: global.quiet,
            verbose: global.verbose,
            width: environment.width,
            today: global.now.unwrap_or(environment.today),
            out,
            err,
            failure: None,
        }
    }

    /// Writes data. The first failure is kept and told at the end.
    pub fn data(&mut self, text: &str) {
        if self.failure.is_none()
            && let Err(error) = self.out.write_all(text.as_bytes())
        {
            self.failure = Some(error);
        }
    }

    /// Writes a line of data.
    pub fn line(&mut self, text: &str) {
        self.data(text);
        self.data("\n");
    }

    /// Whether writing has failed, so that long work can stop.
    pub fn is_closed(&self) -> bool {
        self.failure.is_some()
    }

    /// Says something beside the data.
    pub fn note(&mut self, text: &Text) {
        if !self.quiet {
            let text = shown(&self.lang.text(text));
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// An error without a place, and the exit code for bad input.
    pub fn fail<T>(&mut self, text: &Text) -> Result<T> {
        let word = self.lang.say("word-error");
        let text = shown(&self.lang.text(text));
        let _ = writeln!(self.err, "{}: {text}", self.paint(AnsiColor::Red, &word));
        Err(Failed(2))
    }

    /// Prints diagnostics; fails when one is an error.
    pub fn diagnostics(&mut self, list: &[Diagnostic]) -> Result<()> {
        /// More than this at once helps nobody; the count of the rest does.
        const MOST: usize = 50;
        let errors = list.iter().any(|d| d.level == Level::Error);
        for diagnostic in list.iter().take(MOST) {
            if diagnostic.level == Level::Warning && self.quiet {
                continue;
            }
            let text = crate::present::diagnostic(diagnostic, &self.lang, self.color);
            let _ = writeln!(self.err, "{text}\n");
        }
        if list.len() > MOST {
            self.note(&Text::new("more-diagnostics").num("count", list.len() - MOST));
        }
        if errors { Err(Failed(2)) } else { Ok(()) }
    }

    pub fn finish(&mut self) -> std::io::Result<()> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    pub fn paint(&self, color: AnsiColor, text: &str) -> String {
        self.style(Style::new().fg_color(Some(color.into())).bold(), text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.style(Style::new().dimmed(), text)
    }

    pub fn bold(&self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    fn style(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// A line of a change: what goes, what comes, and where.
    pub fn change(&self, line: &str) -> String {
        match line.chars().next() {
            Some('-') => self.style(Style::new().fg_color(Some(AnsiColor::Red.into())), line),
            Some('+') => self.style(Style::new().fg_color(Some(AnsiColor::Green.into())), line),
            _ => line.to_string(),
        }
    }

    pub fn severity(&self, severity: Severity) -> String {
        let color = match severity {
            Severity::Critical | Severity::High => AnsiColor::Red,
            Severity::Medium => AnsiColor::Yellow,
            Severity::Low | Severity::Info => AnsiColor::Blue,
        };
        self.paint(color, &format!("{:<8}", severity.name().to_uppercase()))
    }
}

/// Data as it may be shown on a terminal: control characters and direction overrides become visible.
pub fn shown(text: &str) -> String {
    let bad = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(bad) {
        return text.to_string();
    }
    text.chars().map(|c| if bad(c) { format!("\\u{{{:x}}}", c as u32) } else { c.to_string() }).collect()
}
