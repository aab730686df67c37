//! The JSON documents (design section 9): contracts, only added to.

use crate::lang::Lang;
use serde_json::{Map, Value as Json, json};
use tillgate_catalog::{Destination, Requirement};
use tillgate_intent::{Flow, Intent, Path, Reason, Side};
use tillgate_model::{
    Box_, Evidence, Family, Finding, Packet, Severity, Span, Summary, Verdict, addresses_text, format_ports,
};
use tillgate_ruleset::{Change, Difference, Effect, Held, Trace};

/// `tillgate.findings/1`
pub fn findings(site: Option<&str>, verdict: Verdict, list: &[Finding], lang: &Lang) -> Json {
    let counts = Summary::of(list);
    let summary: Map<String, Json> =
        Severity::ALL.iter().map(|s| (s.name().to_string(), json!(counts.counts[*s as usize]))).collect();
    json!({
        "schema": "tillgate.findings/1",
        "site": site,
        "verdict": verdict.name(),
        "findings": list.iter().map(|f| finding(f, lang)).collect::<Vec<_>>(),
        "summary": summary,
    })
}

fn finding(finding: &Finding, lang: &Lang) -> Json {
    let mut subject = Map::new();
    for (key, value) in [
        ("device", &finding.subject.device),
        ("requirement", &finding.subject.requirement),
        ("segment", &finding.subject.segment),
        ("peer", &finding.subject.peer),
    ] {
        if let Some(value) = value {
            subject.insert(key.into(), json!(value));
        }
    }
    json!({
        "id": finding.id.name(),
        "severity": finding.severity().name(),
        "proof": finding.proof.name(),
        "subject": subject,
        "message": lang.text(&finding.message),
        "evidence": finding.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "fix": finding.fix.iter().map(|f| json!({"platform": f.platform, "text": f.text})).collect::<Vec<_>>(),
        "acts": finding.id.acts().name(),
        "references": finding.id.references(),
    })
}

fn evidence(evidence: &Evidence) -> Json {
    match evidence {
        Evidence::Packet(p) => json!({"kind": "packet", "packet": packet(p)}),
        Evidence::Rule(span) => {
            let mut object = json!({"kind": "rule"});
            extend(&mut object, place(span));
            object
        }
        Evidence::Box(b) => json!({"kind": "box", "box": box_of(b)}),
    }
}

fn extend(object: &mut Json, more: Json) {
    if let (Some(object), Json::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// How narrowly a flow of a terminal is held, and by which lines.
pub fn held(flow: &Flow, held: &Held) -> Json {
    json!({
        "id": flow.id,
        "held": held.by.map(|by| by.name()),
        "lines": held.lines.iter().map(place).collect::<Vec<_>>(),
    })
}

/// `tillgate.diff/1`.
pub fn difference(found: &Difference) -> Json {
    let list = |list: &[Change]| -> Vec<Json> {
        let one = |change: &Change| {
            let mut out = box_of(&change.area);
            extend(
                &mut out,
                json!({
                    "packet": change.packet.to_string(),
                    "proof": change.proof.name(),
                    "old": change.old.as_ref().map(place),
                    "new": change.new.as_ref().map(place),
                }),
            );
            out
        };
        list.iter().map(one).collect()
    };
    json!({
        "schema": "tillgate.diff/1",
        "opened": list(&found.opened),
        "closed": list(&found.closed),
        "redirected": list(&found.redirected),
        "equal": found.equal,
        "proof": found.proof.name(),
    })
}

fn box_of(b: &Box_) -> Json {
    Json::Object(b.fields.iter().map(|(name, list)| (name.to_string(), json!(list))).collect())
}

/// `{"file", "line", "column", "text"}`
pub fn place(span: &Span) -> Json {
    let (line, column) = span.position();
    json!({"file": span.file.name, "line": line, "column": column, "text": span.one_line()})
}

fn packet(p: &Packet) -> Json {
    let mut out = Map::new();
    if let Some(name) = &p.input {
        out.insert("in".into(), json!(name));
    }
    if let Some(name) = &p.output {
        out.insert("out".into(), json!(name));
    }
    out.insert("state".into(), json!(p.state.name()));
    out.insert("protocol".into(), json!(p.protocol.to_string()));
    out.insert("source".into(), json!(p.source.to_string()));
    out.insert("destination".into(), json!(p.destination.to_string()));
    if p.protocol.has_ports() {
        out.insert("source_port".into(), json!(p.source_port));
        out.insert("destination_port".into(), json!(p.destination_port));
    } else if p.protocol.is_icmp() {
        out.insert("type".into(), json!(p.source_port));
        out.insert("code".into(), json!(p.destination_port));
    }
    Json::Object(out)
}

/// One entry of `tillgate.requirements/1`
pub fn requirement(row: &Requirement, lang: &Lang) -> Json {
    let localised = |text: &tillgate_catalog::Localised| text.get(lang.code).to_string();
    json!({
        "id": row.id,
        "name": localised(&row.name),
        "protocol": row.protocols_text(),
        "ports": row.ports_text(),
        "editable_port": row.editable_port,
        "level": row.level.name(),
        "profiles": row.profiles.iter().map(|p| p.name()).collect::<Vec<_>>(),
        "when": row.when,
        "regions": row.regions,
        "from": row.from.map_or("device", |c| c.name()),
        "destination": destination(row),
        "names": row.names,
        "refines": row.refines,
        "supports": row.supports,
        "encryption": row.encryption.name(),
        "probe": row.probe.name(),
        "purpose": localised(&row.purpose),
        "reason": localised(&row.reason),
        "symptom": localised(&row.symptom),
        "confidence": row.confidence.name(),
        "disputed": row.disputed.as_ref().map(localised),
        "source": row.sources.iter().map(|s| json!({
            "title": s.title, "url": s.url, "checked": s.checked.map(|d| d.to_string()),
        })).collect::<Vec<_>>(),
    })
}

/// Where a row's traffic goes, in one word.
pub fn destination(row: &Requirement) -> &'static str {
    match row.destination {
        Destination::Internet => "internet",
        Destination::Service(service) => service.name(),
        Destination::Device => "device",
        Destination::Class(class) => class.name(),
    }
}

/// One site of `tillgate.plan/1`
pub fn plan(intent: &Intent) -> Json {
    let side = |side: Side| match side {
        Side::Zone(at) => intent.topology.zones[at].name.clone(),
        Side::Uplinks => "internet".into(),
    };
    let flows = intent.flows.iter().map(|f| {
        let (kind, from, to) = match f.path {
            Path::Forward { from, to } => ("forward", side(from), side(to)),
            Path::Local { from } => ("local", side(from), "firewall".into()),
            Path::Inside { zone } => ("not-enforced", side(Side::Zone(zone)), side(Side::Zone(zone))),
        };
        json!({
            "id": f.id,
            "requirement": f.requirement,
            "device": f.device,
            "path": kind,
            "from": from,
            "to": to,
            "family": if f.family == Family::V4 { "ipv4" } else { "ipv6" },
            "source": f.source_text,
            "source_addresses": addresses_text(f.family, &f.source),
            "destination": f.destination_text,
            "destination_addresses": addresses_text(f.family, &f.destination),
            "names": f.names,
            "by_name": f.by_name,
            "protocol": f.protocol.map_or("any".to_string(), |p| p.to_string()),
            "ports": f.ports.as_ref().map(format_ports),
            "icmp_type": f.icmp_type,
            "needed": f.needed,
            "level": f.level.map(|l| l.name()),
            "disputed": f.disputed,
            "reasons": f.reasons.iter().map(reason).collect::<Vec<_>>(),
        })
    });
    json!({
        "site": intent.site,
        "flows": flows.collect::<Vec<_>>(),
        "open_questions": intent.questions.iter().map(|q| json!({
            "requirement": q.requirement, "device": q.device, "why": q.why,
        })).collect::<Vec<_>>(),
    })
}

fn reason(reason: &Reason) -> Json {
    match reason {
        Reason::Requirement { id, device, feature, supports } => {
            json!({"kind": "requirement", "id": id, "device": device, "feature": feature, "supports": supports})
        }
        Reason::Names { id } => json!({"kind": "names", "id": id}),
        Reason::Service { service, segment } => {
            json!({"kind": "service", "service": service, "segment": segment})
        }
        Reason::Management { network } => json!({"kind": "management", "network": network}),
        Reason::Exception { allow, reason, owner, expires } => {
            json!({"kind": "exception", "allow": allow, "reason": reason, "owner": owner, "expires": expires})
        }
        Reason::Probe { device, until } => json!({"kind": "probe", "device": device, "until": until}),
    }
}

/// `tillgate.trace/1`
pub fn trace(text: &str, trace: &Trace) -> Json {
    json!({
        "schema": "tillgate.trace/1",
        "packet": text,
        "verdict": trace.decision.name(),
        "decided_by": trace.decided_by.as_ref().map(place),
        "logged": trace.logged,
        "path": trace.steps.iter().map(|s| {
            let mut step = json!({"chain": s.chain, "effect": effect(&s.effect), "certain": s.certain, "log": s.log});
            extend(&mut step, place(&s.span));
            step
        }).collect::<Vec<_>>(),
    })
}

/// What a rule did, in words every filter's users know.
pub fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Accept => "accept".into(),
        Effect::Drop => "drop".into(),
        Effect::Jump(chain) => format!("jump {chain}"),
        Effect::Return => "return".into(),
        Effect::Pass => "continue".into(),
        Effect::Translate(to) => format!("translate {to}"),
        Effect::PolicyAccept => "policy accept".into(),
        Effect::PolicyDrop => "policy drop".into(),
        Effect::Unknown => "unknown".into(),
    }
}
