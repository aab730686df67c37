//! Findings for people.

use crate::output::{Output, shown};
use anstyle::AnsiColor;
use tillgate_model::{Evidence, Finding, Proof, Severity, Summary, Text, Verdict};
use tillgate_ruleset::By;

/// Findings as text, worst first.
pub fn findings(list: &[Finding], output: &Output<'_>) -> String {
    let lang = &output.lang;
    let mut out = String::new();
    let mut told = 0;
    for (at, finding) in list.iter().enumerate() {
        if at < told {
            continue;
        }
        // Devices with the same trouble by the same line are told together.
        let same = list[at..].iter().take_while(|f| alike(f, finding)).count();
        told = at + same;
        let sure = match finding.proof {
            Proof::Possible => format!(" ({})", lang.say("word-possible")),
            _ => String::new(),
        };
        let message = shown(&lang.text(&finding.message));
        out.push_str(&format!(
            "{} {}{sure}\n",
            output.severity(finding.severity()),
            output.bold(finding.id.name())
        ));
        out.push_str(&format!("  {message}\n"));
        if same > 1 {
            let others: Vec<&str> =
                list[at + 1..told].iter().filter_map(|f| f.subject.device.as_deref()).collect();
            out.push_str(&format!("  {}  {}\n", label(output, "label-also"), shown(&others.join(", "))));
        }
        for evidence in &finding.evidence {
            match evidence {
                Evidence::Packet(packet) => out.push_str(&format!(
                    "  {}  {}\n",
                    label(output, "label-packet"),
                    shown(&packet.to_string())
                )),
                Evidence::Rule(span) => {
                    let (line, column) = span.position();
                    let place = format!("{}:{line}:{column}", shown(&span.file.name));
                    out.push_str(&format!(
                        "  {}  {place}  {}\n",
                        label(output, "label-line"),
                        output.dim(&shown(&span.one_line()))
                    ));
                }
                Evidence::Box(b) => {
                    let fields: Vec<String> = b
                        .fields
                        .iter()
                        .filter(|(name, _)| !matches!(*name, "in" | "out" | "state"))
                        .map(|(name, list)| format!("{name} {}", abridge(list)))
                        .collect();
                    if output.verbose && !fields.is_empty() {
                        out.push_str(&format!("  {}  {}\n", label(output, "label-box"), fields.join("; ")));
                    }
                }
            }
        }
        for (at, line) in finding.fix.iter().flat_map(|fix| fix.text.lines()).enumerate() {
            let label = if at == 0 { label(output, "label-fix") } else { " ".repeat(8) };
            out.push_str(&format!("  {label}  {}\n", output.change(&shown(line))));
        }
        let references: Vec<String> =
            finding.id.references().iter().map(|r| r.replace("pci-dss-4.0.1/", "")).collect();
        if !references.is_empty() {
            out.push_str(&format!("  {}  {}\n", label(output, "label-pci"), references.join(", ")));
        }
        out.push('\n');
    }
    out
}

fn alike(a: &Finding, b: &Finding) -> bool {
    std::ptr::eq(a, b)
        || (a.id == b.id
            && a.proof == b.proof
            && a.line() == b.line()
            && a.subject.requirement == b.subject.requirement
            && a.subject.segment == b.subject.segment
            && a.subject.device.is_some()
            && b.subject.device.is_some()
            && a.subject.device != b.subject.device
            && a.message.id == b.message.id)
}

fn label(output: &Output<'_>, id: &'static str) -> String {
    format!("{:<8}", output.lang.say(id))
}

/// The first few of a list, and how many there are.
pub fn abridge(list: &[String]) -> String {
    match list {
        [a, b, c, _, ..] => format!("{a}, {b}, {c}, … ({})", list.len()),
        _ => list.join(", "),
    }
}

/// How narrowly the terminals' flows are held, counted.
pub fn held(list: &[By], output: &Output<'_>) -> Option<String> {
    let count = |by: By| list.iter().filter(|b| **b == by).count();
    let text = Text::new("held-summary")
        .num("count", list.len())
        .num("port", count(By::Port))
        .num("address", count(By::Address))
        .num("name", count(By::Name))
        .num("application", count(By::Application));
    (!list.is_empty()).then(|| output.lang.text(&text))
}

/// The last line: the verdict and how many findings of each severity.
pub fn verdict(site: Option<&str>, verdict: Verdict, list: &[Finding], output: &Output<'_>) -> String {
    let (color, id) = match verdict {
        Verdict::Holds => (AnsiColor::Green, "verdict-holds"),
        Verdict::Fails => (AnsiColor::Red, "verdict-fails"),
        Verdict::Undecided => (AnsiColor::Yellow, "verdict-undecided"),
    };
    let word = output.paint(color, &output.lang.say(id));
    let counts = Summary::of(list);
    let counts: Vec<String> = Severity::ALL
        .iter()
        .filter(|s| counts.counts[**s as usize] > 0)
        .map(|s| format!("{} {}", counts.counts[*s as usize], s.name()))
        .collect();
    let counts = if counts.is_empty() { output.lang.say("no-findings") } else { counts.join(", ") };
    match site {
        Some(site) => format!("{}: {word} ({counts})", shown(site)),
        None => format!("{word} ({counts})"),
    }
}

/// A heading.
pub fn heading(output: &Output<'_>, text: &Text) -> String {
    output.bold(&output.lang.text(text))
}
