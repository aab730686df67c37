//! Findings of one or many sites for other programs: SARIF for code review, JUnit for test reports, Markdown for people.

mod junit;
mod markdown;
mod sarif;

use crate::Result;
use crate::args::{Cli, Command, Format};
use crate::output::Output;
use tillgate_model::{Finding, Severity, Text, Verdict};

/// What is said about one site, or about a configuration by itself.
pub struct Report<'a> {
    /// The site, if there is one.
    pub site: Option<&'a str>,
    /// The verdict, and the exit code 2 for what could not be read.
    pub verdict: Option<Verdict>,
    /// What was found.
    pub findings: &'a [Finding],
    /// Why nothing could be judged.
    pub error: Option<String>,
}

/// A document that grows by one report after the other.
pub enum Document {
    /// SARIF 2.1.0 (OASIS).
    Sarif(sarif::Sarif),
    /// JUnit's XML, as CI servers read it.
    Junit(junit::Junit),
    /// Markdown.
    Markdown,
}

impl Document {
    /// The document of a format; `None` for those written elsewhere.
    pub fn of(format: Format, fail_on: Severity) -> Option<Document> {
        match format {
            Format::Sarif => Some(Document::Sarif(sarif::Sarif::default())),
            Format::Junit => Some(Document::Junit(junit::Junit::new(fail_on))),
            Format::Markdown => Some(Document::Markdown),
            Format::Text | Format::Json => None,
        }
    }

    /// What stands before the first report.
    pub fn begin(&mut self, output: &mut Output<'_>) {
        match self {
            Document::Sarif(_) => sarif::begin(output),
            Document::Junit(_) => {}
            Document::Markdown => markdown::begin(output),
        }
    }

    /// Adds a report.
    pub fn add(&mut self, report: &Report<'_>, output: &mut Output<'_>) {
        match self {
            Document::Sarif(document) => document.add(report, output),
            Document::Junit(document) => document.add(report, output),
            Document::Markdown => markdown::add(report, output),
        }
    }

    /// What stands behind the last report.
    pub fn end(self, output: &mut Output<'_>) {
        match self {
            Document::Sarif(document) => document.end(output),
            Document::Junit(document) => document.end(output),
            Document::Markdown => {}
        }
    }
}

/// Not every command has every format.
pub fn check(cli: &Cli, output: &mut Output<'_>) -> Result<()> {
    let fits = match output.format {
        Format::Text => true,
        // A checklist is for people.
        Format::Json => !matches!(&cli.command, Command::Render(r) if r.is_checklist()),
        Format::Sarif => matches!(&cli.command, Command::Verify(v) if !v.fix),
        Format::Junit => match &cli.command {
            Command::Verify(v) => !v.fix,
            Command::Check(_) | Command::Scan(_) => true,
            _ => false,
        },
        Format::Markdown => match &cli.command {
            Command::Verify(v) => !v.fix,
            Command::Render(r) => r.is_checklist(),
            Command::Check(_) | Command::Scan(_) => true,
            _ => false,
        },
    };
    if fits { Ok(()) } else { output.fail(&Text::new("format-not-here")) }
}
