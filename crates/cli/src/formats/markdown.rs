//! Findings as Markdown tables, for merge requests and tickets.

use super::Report;
use crate::output::{Output, shown};
use tillgate_model::{Evidence, Finding, Proof};

pub fn begin(output: &mut Output<'_>) {
    output.line("# tillgate");
}

pub fn add(report: &Report<'_>, output: &mut Output<'_>) {
    let say = |id: &'static str| output.lang.say(id);
    let verdict = match (&report.error, report.verdict) {
        (Some(error), _) => cell(error),
        (None, Some(verdict)) => output.lang.find(&format!("verdict-{}", verdict.name())).unwrap_or_default(),
        (None, None) => String::new(),
    };
    let mut out = match report.site {
        Some(site) => format!("\n## {}: {verdict}\n", cell(site)),
        None => format!("\n## {verdict}\n"),
    };
    if !report.findings.is_empty() {
        let head = ["label-severity", "label-finding", "label-what", "label-line"].map(say);
        out.push_str(&format!("\n| {} |\n|---|---|---|---|\n", head.join(" | ")));
    }
    for finding in report.findings {
        out.push_str(&row(finding, output));
    }
    output.data(&out);
}

fn row(finding: &Finding, output: &Output<'_>) -> String {
    let unsure = match finding.proof {
        Proof::Possible => format!(" ({})", output.lang.say("word-possible")),
        _ => String::new(),
    };
    let mut what = cell(&output.lang.text(&finding.message));
    let mut lines = Vec::new();
    for evidence in &finding.evidence {
        match evidence {
            Evidence::Packet(packet) => what.push_str(&format!("<br>`{}`", code(&packet.to_string()))),
            Evidence::Rule(span) => {
                lines.push(format!(
                    "{}:{} `{}`",
                    cell(&span.file.name),
                    span.position().0,
                    code(&span.one_line())
                ));
            }
            Evidence::Box(_) => {}
        }
    }
    for line in finding.fix.iter().flat_map(|fix| fix.text.lines()) {
        what.push_str(&format!("<br>`{}`", code(line)));
    }
    format!("| {} | {}{unsure} | {what} | {} |\n", finding.severity().name(), finding.id, lines.join("<br>"))
}

/// Text in a cell: nothing in it is markup.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Text in a code span in a cell: a bar ends a cell even there, and a tick the span.
fn code(text: &str) -> String {
    shown(text).replace(['\n', '\t'], " ").replace('`', "'").replace('|', "\\|")
}
