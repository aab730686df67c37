//! JUnit's XML as CI servers read it: a suite for each site, a case for each kind of finding that can fail one.

use super::Report;
use crate::output::{Output, shown};
use std::fmt::Write;
use tillgate_model::{Evidence, Finding, FindingId, Proof, Severity, Verdict};

/// The suites so far: their numbers stand at the head of the document.
pub struct Junit {
    fail_on: Severity,
    suites: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Junit {
    pub fn new(fail_on: Severity) -> Self {
        Junit { fail_on, suites: String::new(), tests: 0, failures: 0, errors: 0, skipped: 0 }
    }

    pub fn add(&mut self, report: &Report<'_>, output: &mut Output<'_>) {
        let site = escape(report.site.unwrap_or("configuration"));
        if let Some(error) = &report.error {
            let _ = write!(
                self.suites,
                "  <testsuite name=\"{site}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    <testcase classname=\"{site}\" name=\"configuration\">\n      <error message=\"{}\"/>\n    </testcase>\n  </testsuite>\n",
                escape(error)
            );
            self.tests += 1;
            self.errors += 1;
            return;
        }
        let (mut cases, mut tests, mut failures, mut skipped) = (String::new(), 0, 0, 0);
        for id in FindingId::ALL.iter().filter(|id| id.severity() <= self.fail_on) {
            let found: Vec<&Finding> = report.findings.iter().filter(|f| f.id == *id).collect();
            tests += 1;
            let _ = write!(cases, "    <testcase classname=\"{site}\" name=\"{id}\"");
            let Some(first) = found.iter().find(|f| f.proof != Proof::Possible).or(found.first()) else {
                cases.push_str("/>\n");
                continue;
            };
            let list: String = found.iter().map(|f| describe(f, output)).collect();
            let message = escape(&output.lang.text(&first.message));
            if Verdict::of(&[(*first).clone()], self.fail_on) == Verdict::Fails {
                failures += 1;
                let _ = write!(
                    cases,
                    ">\n      <failure message=\"{message}\" type=\"{}\">{}</failure>\n    </testcase>\n",
                    id.severity().name(),
                    escape(&list)
                );
            } else {
                // Undecided is neither passed nor failed.
                skipped += 1;
                let _ = write!(
                    cases,
                    ">\n      <skipped message=\"{message}\"/>\n      <system-out>{}</system-out>\n    </testcase>\n",
                    escape(&list)
                );
            }
        }
        let _ = write!(
            self.suites,
            "  <testsuite name=\"{site}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n"
        );
        self.tests += tests;
        self.failures += failures;
        self.skipped += skipped;
    }

    pub fn end(self, output: &mut Output<'_>) {
        output.data(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tillgate\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}</testsuites>\n",
            self.tests, self.failures, self.errors, self.skipped, self.suites
        ));
    }
}

fn describe(finding: &Finding, output: &Output<'_>) -> String {
    let mut out = format!("{}\n", output.lang.text(&finding.message));
    for evidence in &finding.evidence {
        match evidence {
            Evidence::Packet(packet) => out.push_str(&format!("  {packet}\n")),
            Evidence::Rule(span) => {
                out.push_str(&format!("  {}:{}  {}\n", span.file.name, span.position().0, span.one_line()));
            }
            Evidence::Box(_) => {}
        }
    }
    for fix in &finding.fix {
        for line in fix.text.lines() {
            out.push_str(&format!("  {line}\n"));
        }
    }
    out
}

/// XML text and attributes; characters XML 1.0 does not have become visible.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
