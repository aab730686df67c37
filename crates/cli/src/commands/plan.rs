//! `tillgate plan`: the flows of a site, each with its reasons.

use super::{json, site};
use crate::args::{Format, Global, Plan};
use crate::output::{Output, shown};
use crate::present::table;
use crate::{Environment, Result, document, load, report};
use serde_json::json;
use std::io::Read;
use tillgate_intent::{Flow, Intent, Path, Reason, Side, intent};
use tillgate_model::{Family, Text};

pub fn run(
    args: &Plan,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    let (estate, library) = load::estate(global, environment, input, output)?;
    let sites = match &args.site {
        Some(name) => vec![site(&estate, name, output)?],
        None => estate.sites.iter().collect(),
    };
    let today = output.today;
    if output.format == Format::Json {
        let list: Vec<_> = sites.iter().map(|s| document::plan(&intent(s, &library, today))).collect();
        let text = json(&json!({"schema": "tillgate.plan/1", "sites": list}));
        output.data(&text);
        return Ok(0);
    }
    for site in sites {
        let intent = intent(site, &library, today);
        let text = text(&intent, output);
        output.data(&text);
    }
    Ok(0)
}

fn text(intent: &Intent, output: &Output<'_>) -> String {
    let lang = &output.lang;
    let mut out = format!("{}\n\n", output.bold(&shown(&intent.site)));
    let header =
        ["col-from", "col-source", "col-to", "col-destination", "col-service", "col-need", "col-why"]
            .map(|h| lang.say(h));
    let side = |side: Side| match side {
        Side::Zone(at) => intent.topology.zones[at].name.clone(),
        Side::Uplinks => "internet".into(),
    };
    let mut rows = Vec::new();
    let mut inside = Vec::new();
    for flow in &intent.flows {
        let (from, to) = match flow.path {
            Path::Forward { from, to } => (side(from), side(to)),
            Path::Local { from } => (side(from), "firewall".into()),
            Path::Inside { zone } => (side(Side::Zone(zone)), side(Side::Zone(zone))),
        };
        let need = if flow.needed { "need-needed" } else { "need-allowed" };
        let doubt = if flow.disputed { format!(", {}", lang.say("word-disputed")) } else { String::new() };
        let row = vec![
            from,
            flow.source_text.clone(),
            to,
            flow.destination_text.clone(),
            service(flow),
            format!("{}{doubt}", lang.say(need)),
            why(flow, output),
        ];
        match flow.path {
            Path::Inside { .. } => inside.push(row),
            _ => rows.push(row),
        }
    }
    out.push_str(&table(output, &header, &rows));
    if !inside.is_empty() {
        out.push_str(&format!("\n{}\n", report::heading(output, &Text::new("plan-not-enforced"))));
        out.push_str(&table(output, &header, &inside));
    }
    if !intent.questions.is_empty() {
        out.push_str(&format!("\n{}\n", report::heading(output, &Text::new("plan-open"))));
        for question in &intent.questions {
            let why = lang.find(&format!("open-{}", question.why)).unwrap_or_default();
            out.push_str(&format!("  {}  {}  {why}\n", question.requirement, shown(&question.device)));
        }
    }
    if intent.flows.iter().any(|f| !f.names.is_empty() && !matches!(f.path, Path::Inside { .. })) {
        out.push_str(&format!(
            "\n{}\n",
            lang.say(if intent.flows.iter().any(|f| f.by_name) {
                "plan-names-wide"
            } else {
                "plan-names-known"
            })
        ));
    }
    if !intent.findings.is_empty() {
        out.push('\n');
        out.push_str(&report::findings(&intent.findings, output));
    }
    out.push('\n');
    out
}

fn service(flow: &Flow) -> String {
    let v6 = if flow.family == Family::V6 { " IPv6" } else { "" };
    let text = match (flow.protocol, &flow.ports, flow.icmp_type) {
        (_, _, Some(_)) => "echo".into(),
        (Some(protocol), Some(ports), _) => format!("{}/{protocol}", tillgate_model::format_ports(ports)),
        (Some(protocol), None, _) => protocol.to_string(),
        _ => "any".into(),
    };
    format!("{text}{v6}")
}

fn why(flow: &Flow, output: &Output<'_>) -> String {
    let one = |reason: &Reason| match reason {
        Reason::Requirement { id, feature: Some(feature), .. } => format!("{id} ({feature})"),
        Reason::Requirement { id, .. } | Reason::Names { id } => id.clone(),
        Reason::Service { service, .. } => format!("gateway.{service}"),
        Reason::Management { .. } => "management".into(),
        Reason::Exception { reason, owner, expires, .. } => {
            let text =
                Text::new("plan-exception").arg("reason", reason).arg("owner", owner).arg("date", expires);
            output.lang.text(&text)
        }
        Reason::Probe { until, .. } => output.lang.text(&Text::new("plan-probe").arg("date", until)),
    };
    let mut list: Vec<String> = flow.reasons.iter().map(one).collect();
    list.dedup();
    list.join(", ")
}
