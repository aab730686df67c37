//! SARIF 2.1.0 (OASIS standard, section numbers in brackets): one run, a result for each finding.

use super::Report;
use crate::output::Output;
use serde_json::{Value as Json, json};
use tillgate_model::{Evidence, Finding, FindingId, Proof, Severity, Span, Text};

/// What the end of the document needs.
#[derive(Default)]
pub struct Sarif {
    results: usize,
    notifications: Vec<Json>,
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// What code review sorts by: 0 to 10, as CVSS does.
fn rank(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.0",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}

/// The tool with all its rules.
pub fn begin(output: &mut Output<'_>) {
    let explain = |id: FindingId| output.lang.find(&format!("explain-{}", id.name())).unwrap_or_default();
    let rules: Vec<Json> = FindingId::ALL
        .iter()
        .map(|id| {
            json!({
                "id": id.name(),
                "shortDescription": {"text": id.name().replace('-', " ")},
                "fullDescription": {"text": explain(*id)},
                "defaultConfiguration": {"level": level(id.severity())},
                "properties": {"security-severity": rank(id.severity()), "tags": id.references()},
            })
        })
        .collect();
    let tool = json!({"driver": {"name": "tillgate", "version": env!("CARGO_PKG_VERSION"), "rules": rules}});
    output.data(&format!(
        "{{\n\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n\"version\": \"2.1.0\",\n\"runs\": [{{\n\"tool\": {tool},\n\"columnKind\": \"unicodeCodePoints\",\n\"results\": ["
    ));
}

impl Sarif {
    pub fn add(&mut self, report: &Report<'_>, output: &mut Output<'_>) {
        if let Some(error) = &report.error {
            let site = report.site.unwrap_or_default();
            self.notifications.push(json!({
                "level": "error", "message": {"text": format!("{site}: {error}")}, "properties": {"site": site},
            }));
        }
        for finding in report.findings {
            let comma = if self.results == 0 { "\n" } else { ",\n" };
            self.results += 1;
            let value = result(finding, report.site, output);
            output.data(&format!("{comma}{value}"));
        }
    }

    pub fn end(self, output: &mut Output<'_>) {
        let invocation = json!({
            "executionSuccessful": self.notifications.is_empty(),
            "toolExecutionNotifications": self.notifications,
        });
        output.data(&format!("\n],\n\"invocations\": [{invocation}]\n}}]\n}}\n"));
    }
}

fn result(finding: &Finding, site: Option<&str>, output: &Output<'_>) -> Json {
    let text = output.lang.text(&finding.message);
    let mut spans = finding.evidence.iter().filter_map(|e| match e {
        Evidence::Rule(span) => Some(span),
        _ => None,
    });
    let packets: Vec<String> = finding
        .evidence
        .iter()
        .filter_map(|e| match e {
            Evidence::Packet(packet) => Some(packet.to_string()),
            _ => None,
        })
        .collect();
    let message = match packets.first() {
        Some(packet) => format!("{text} ({packet})"),
        None => text,
    };
    let subject = &finding.subject;
    // What stays the same when lines move: the judgement, its subject and the line's own words.
    let line = finding.line().map(Span::one_line).unwrap_or_default();
    let print = format!("{}|{}|{subject:?}|{line}", finding.id, site.unwrap_or_default());
    let first: Vec<Json> = spans.next().map(location).into_iter().collect();
    let others: Vec<Json> = spans.map(location).collect();
    let mut out = json!({
        "ruleId": finding.id.name(),
        "ruleIndex": FindingId::ALL.iter().position(|id| *id == finding.id),
        "level": level(finding.severity()),
        "kind": if finding.proof == Proof::Possible { "review" } else { "fail" },
        "message": {"text": message},
        "locations": first,
        "partialFingerprints": {"tillgate/v1": format!("{:016x}", fnv(print.as_bytes()))},
        "properties": {"site": site, "proof": finding.proof.name(), "packets": packets},
    });
    // A result that is no failure has no level (3.27.10).
    if finding.proof == Proof::Possible {
        out["level"] = json!("none");
    }
    if !others.is_empty() {
        out["relatedLocations"] = json!(others);
    }
    if let Some(fix) = finding.fix.first() {
        out["properties"]["fix"] = json!(fix.text);
        out["message"]["text"] =
            json!(format!("{message}\n{}:\n{}", output.lang.text(&Text::new("label-fix")), fix.text));
    }
    out
}

/// A physical location (3.29); a relative name is a relative reference, its path characters escaped (RFC 3986).
fn location(span: &Span) -> Json {
    let (line, column) = span.position();
    let (end_line, end_column) = span.file.position(span.end as usize);
    let mut uri = String::new();
    for byte in span.file.name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte as char)
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    let uri = if uri.starts_with('/') { format!("file://{uri}") } else { uri };
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri},
        "region": {
            "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column,
            "snippet": {"text": span.one_line()},
        },
    }})
}

/// FNV-1a, 64 bits: the same for ever, on every machine.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
