//! `tillgate explain`: a port, a requirement, a finding, a PCI DSS number, each with sources.

use super::json;
use crate::args::{Explain, Format};
use crate::output::{Output, shown};
use crate::{Result, document, load};
use serde_json::json;
use tillgate_catalog::{Library, Ports, Requirement};
use tillgate_model::{FindingId, Protocol, Text};

pub fn run(args: &Explain, output: &mut Output<'_>) -> Result {
    let library = load::library(None, output)?;
    let topic = args.topic.trim();
    let rows = requirements(topic, &library);
    if !rows.is_empty() {
        return explain_rows(topic, &rows, output);
    }
    if let Some(id) = FindingId::ALL.iter().find(|id| id.name() == topic) {
        return explain_finding(*id, output);
    }
    let number = topic
        .trim_start_matches("pci-dss-4.0.1/")
        .trim_start_matches("pci-dss")
        .trim_start_matches("PCI DSS")
        .trim();
    if let Some(text) = output.lang.find(&format!("pci-{}", number.replace('.', "-"))) {
        return explain_pci(number, &text, output);
    }
    let is_port = port(topic).is_some();
    output.fail(&Text::new(if is_port { "explain-no-port" } else { "explain-unknown" }).arg("topic", topic))
}

/// `443`, `udp/123`, `123/udp`.
fn port(topic: &str) -> Option<(Option<Protocol>, u16)> {
    if let Ok(port) = topic.parse() {
        return Some((None, port));
    }
    let (a, b) = topic.split_once(['/', ' '])?;
    let (protocol, port) = match a.parse::<u16>() {
        Ok(port) => (b, port),
        Err(_) => (a, b.parse().ok()?),
    };
    Some((Some(Protocol::parse(protocol)?), port))
}

fn requirements<'l>(topic: &str, library: &'l Library) -> Vec<&'l Requirement> {
    let all = library.catalogs().iter().flat_map(|c| &c.requirements);
    match port(topic) {
        Some((protocol, port)) => {
            let has = |r: &&Requirement| matches!(&r.ports, Ports::Known(p) if p.contains(port as u128));
            all.filter(has).filter(|r| protocol.is_none_or(|p| r.protocols.contains(&p))).collect()
        }
        None => all.filter(|r| r.id == topic).collect(),
    }
}

fn explain_rows(topic: &str, rows: &[&Requirement], output: &mut Output<'_>) -> Result {
    if output.format == Format::Json {
        let list: Vec<_> = rows.iter().map(|r| document::requirement(r, &output.lang)).collect();
        let text = json(&json!({"schema": "tillgate.explanation/1", "topic": topic, "requirements": list}));
        output.data(&text);
        return Ok(0);
    }
    let mut out = String::new();
    // General questions about a port first: may it be changed, what if it is closed.
    if let Some((_, port)) = port(topic)
        && let Some(text) = output.lang.find(&format!("port-{port}"))
    {
        out.push_str(&format!("{text}\n\n"));
    }
    for row in rows {
        let lang = &output.lang;
        let say = |id: &'static str| lang.say(id);
        let ports = match row.ports {
            Ports::Without => row.protocols_text(),
            _ => format!("{}/{}", row.ports_text(), row.protocols_text()),
        };
        out.push_str(&format!("{}  {ports}  {}\n", output.bold(&row.id), shown(row.name.get(lang.code))));
        let mut field = |label: &'static str, text: &str| {
            if !text.is_empty() {
                out.push_str(&format!("  {}: {}\n", say(label), shown(text)));
            }
        };
        field("label-purpose", row.purpose.get(lang.code));
        field("label-reason", row.reason.get(lang.code));
        field("label-blocked", row.symptom.get(lang.code));
        field("label-level", row.level.name());
        field("label-when", &row.when.join(", "));
        field("label-names", &row.names.join(", "));
        let editable = if row.editable_port { say("port-editable") } else { say("port-fixed") };
        field("label-port", &editable);
        field(
            "label-confidence",
            &format!(
                "{}: {}",
                row.confidence.name(),
                lang.find(&format!("confidence-{}", row.confidence.name())).unwrap_or_default()
            ),
        );
        if let Some(doubt) = &row.disputed {
            field("label-disputed", doubt.get(lang.code));
        }
        for source in &row.sources {
            let checked = source.checked.map_or(String::new(), |d| d.to_string());
            let when = lang.text(&Text::new("source-checked").arg("date", checked));
            field("label-source", &format!("{} <{}>, {when}", source.title, source.url));
        }
        out.push('\n');
    }
    output.data(&out);
    Ok(0)
}

fn explain_finding(id: FindingId, output: &mut Output<'_>) -> Result {
    let text = output.lang.find(&format!("explain-{}", id.name())).unwrap_or_default();
    if output.format == Format::Json {
        let value = json!({
            "schema": "tillgate.explanation/1", "topic": id.name(), "text": text,
            "severity": id.severity().name(), "acts": id.acts().name(), "references": id.references(),
        });
        output.data(&json(&value));
        return Ok(0);
    }
    let severity = output.severity(id.severity());
    let mut out = format!("{severity} {}\n{text}\n", output.bold(id.name()));
    for reference in id.references() {
        let number = reference.trim_start_matches("pci-dss-4.0.1/");
        let meaning = output.lang.find(&format!("pci-{}", number.replace('.', "-"))).unwrap_or_default();
        out.push_str(&format!("PCI DSS 4.0.1, {number}: {meaning}\n"));
    }
    output.data(&out);
    Ok(0)
}

fn explain_pci(number: &str, text: &str, output: &mut Output<'_>) -> Result {
    let reference = format!("pci-dss-4.0.1/{number}");
    let findings: Vec<&str> = FindingId::ALL
        .iter()
        .filter(|id| id.references().contains(&reference.as_str()))
        .map(|id| id.name())
        .collect();
    if output.format == Format::Json {
        let value = json!({"schema": "tillgate.explanation/1", "topic": reference, "text": text, "findings": findings});
        output.data(&json(&value));
        return Ok(0);
    }
    let mut out = format!("{}\n{text}\n", output.bold(&format!("PCI DSS 4.0.1, {number}")));
    if !findings.is_empty() {
        out.push_str(&format!("{}: {}\n", output.lang.say("label-findings"), findings.join(", ")));
    }
    output.data(&out);
    Ok(0)
}
