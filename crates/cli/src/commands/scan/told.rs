//! What a scan prints and writes: text, documents, the metrics file.

use super::Told;
use crate::args::{Format, Scan};
use crate::commands::{json, live};
use crate::formats::{Document, Report};
use crate::output::{Output, shown};
use crate::{Result, document, report};
use anstyle::AnsiColor;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use tillgate_model::{Severity, Summary, Text};
use tillgate_scan::baseline::{Change, Declared, What, declared_at};
use tillgate_scan::judge;
use tillgate_scan::observed::{Device, OpenPort, mac_text};
use tillgate_scan::service::{Basis, Service};

/// More ports of one device than this are counted.
const SHOWN: usize = 40;
/// Letters of what a service says of itself.
const VERSION: usize = 48;

/// Prints it in the format asked for.
pub fn tell(told: &Told<'_>, args: &Scan, output: &mut Output<'_>) {
    let site = Some(told.site.name.as_str());
    if let Some(mut document) = Document::of(output.format, args.fail_on) {
        document.begin(output);
        let report = Report { site, verdict: Some(told.verdict), findings: &told.findings, error: None };
        document.add(&report, output);
        document.end(output);
    } else if output.format == Format::Json {
        let value = whole(told, output);
        output.data(&json(&value));
    } else {
        let text = text(told, output);
        output.data(&text);
        let text = report::findings(&told.findings, output);
        output.data(&text);
        let line = report::verdict(site, told.verdict, &told.findings, output);
        output.line(&line);
    }
}

/// `tillgate.scan/1`: the fields of a baseline's line, and beside them what is made of it.
fn whole(told: &Told<'_>, output: &Output<'_>) -> Json {
    let lang = &output.lang;
    let findings = document::findings(Some(told.site.name.as_str()), told.verdict, &told.findings, lang);
    let mut value = serde_json::to_value(&told.scan).unwrap_or_default();
    let words = |list: &[Text]| -> Vec<String> { list.iter().map(|text| lang.text(text)).collect() };
    value["begun"] = live::time(told.scan.at).into();
    value["gaps"] = words(&told.gaps).into();
    value["limits"] = words(&told.notes).into();
    value["measured"] = told.measured.as_ref().map_or(Json::Null, |m| {
        json!({
            "engine": m.engine,
            "ports": m.ports,
            "seconds": (m.took.as_secs_f64() * 1000.0).round() / 1000.0,
            "sent": m.outcome.sent,
            "received": m.outcome.received,
            "dropped": m.outcome.dropped,
            "rounds": m.outcome.rounds,
            "loss": m.outcome.loss,
            "expected_misses": m.outcome.expected_misses,
            "round_trip_ms": m.outcome.round_trip.map(|t| t.as_secs_f64() * 1000.0),
        })
    });
    let changes = told.changes.as_ref();
    value["since"] = changes.map_or(Json::Null, |(at, _)| live::time(*at).into());
    value["changes"] = changes
        .into_iter()
        .flat_map(|(_, list)| list)
        .map(|change| {
            let mut one = serde_json::to_value(change).unwrap_or_default();
            one["message"] = lang.text(&change.text()).into();
            one
        })
        .collect();
    for field in ["verdict", "findings", "summary"] {
        value[field] = findings[field].clone();
    }
    value
}

fn text(told: &Told<'_>, output: &Output<'_>) -> String {
    let mut out = String::new();
    let declared = judge::declared(told.site);
    let mut segments: Vec<Option<&str>> = told.scan.segments.iter().map(|s| Some(s.name.as_str())).collect();
    segments.extend(told.scan.devices.iter().map(|d| d.segment.as_deref()).filter(Option::is_none).take(1));
    // Where this host stands comes first.
    segments.sort_by_key(|name| (*name != told.scan.from.as_deref(), name.is_none()));
    for name in segments {
        let devices: Vec<&Device> =
            told.scan.devices.iter().filter(|d| d.segment.as_deref() == name).collect();
        let prefixes = told.scan.segments.iter().filter(|s| Some(s.name.as_str()) == name);
        let prefixes: Vec<String> = prefixes.flat_map(|s| &s.prefixes).map(ToString::to_string).collect();
        let count = output.lang.text(&Text::new("scan-devices").num("count", devices.len()));
        let head = output.bold(&shown(name.unwrap_or("–")));
        let _ = writeln!(out, "{head}  {}  {count}", prefixes.join(", "));
        table(&mut out, &devices, &declared, told, output);
        out.push('\n');
    }
    changes(&mut out, told, output);
    for note in &told.notes {
        let _ = writeln!(out, "{}", output.dim(&shown(&output.lang.text(note))));
    }
    if let Some(m) = &told.measured {
        let open: usize = told.scan.devices.iter().map(|d| d.ports.len()).sum();
        let summary = Text::new("scan-summary")
            .num("devices", told.scan.devices.len())
            .num("open", open)
            .num("ports", m.ports)
            .arg("seconds", format!("{:.1}", m.took.as_secs_f64()))
            .arg("engine", m.engine)
            .arg("sent", m.outcome.sent)
            .arg("misses", misses(m.outcome.expected_misses));
        let _ = writeln!(out, "{}", output.dim(&output.lang.text(&summary)));
    }
    let word = output.lang.say("scan-incomplete");
    for gap in &told.gaps {
        let _ =
            writeln!(out, "{}: {}", output.paint(AnsiColor::Yellow, &word), shown(&output.lang.text(gap)));
    }
    out.push('\n');
    out
}

/// A line for each device, and one for each of its open ports.
fn table(out: &mut String, devices: &[&Device], declared: &[Declared], told: &Told<'_>, output: &Output<'_>) {
    let rows: Vec<[String; 4]> = devices
        .iter()
        .map(|device| {
            let address = device.addresses.iter().find(|a| a.is_ipv4()).or(device.addresses.first());
            let mut words = vec![device.vendor.clone().unwrap_or_default()];
            words.extend(device.dhcp.as_ref().and_then(|d| d.vendor_class.clone()));
            words.retain(|word| !word.is_empty());
            [
                address.map(ToString::to_string).unwrap_or_default(),
                name(device, declared, told, output),
                device.mac.map(mac_text).unwrap_or_default(),
                shown(&words.join(", ")),
            ]
        })
        .collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    for (device, [address, name, mac, who]) in devices.iter().zip(&rows) {
        let line = format!("  {address:<first$}  {name:<second$}  {mac:<third$}  {who}");
        let _ = writeln!(out, "{}", line.trim_end());
        // Every device has a link-local address; it says nothing.
        let is_told =
            |a: &&IpAddr| output.verbose || !matches!(a, IpAddr::V6(a) if a.is_unicast_link_local());
        let others = device.addresses.iter().filter(is_told).map(ToString::to_string);
        let others: Vec<String> = others.filter(|a| a != address).collect();
        if !others.is_empty() {
            let _ = writeln!(out, "      {}", output.dim(&report::abridge(&others)));
        }
        if device.answers_everything {
            let _ = writeln!(out, "      {}", output.lang.say("scan-answers-everything"));
        }
        for port in device.ports.iter().take(SHOWN) {
            let number = format!("{}/{}", port.port, port.protocol.name());
            let line = format!("      {number:<10} {}", service(port, output));
            let _ = writeln!(out, "{}", line.trim_end());
        }
        if device.ports.len() > SHOWN {
            let more = Text::new("scan-more-ports").num("count", device.ports.len() - SHOWN);
            let _ = writeln!(out, "      {}", output.lang.text(&more));
        }
    }
}

/// Its name in the estate, what else it is to the site, or the name it gives itself.
fn name(device: &Device, declared: &[Declared], told: &Told<'_>, output: &Output<'_>) -> String {
    let has = |address: &IpAddr| device.addresses.contains(address);
    let switch = || told.site.switches.iter().find(|s| s.address.as_ref().is_some_and(has));
    if let Some(known) = declared_at(declared, device) {
        return shown(&known.name);
    }
    if told.site.segments.iter().flat_map(|s| &s.gateways).any(has) {
        return "firewall".into();
    }
    if let Some(switch) = switch() {
        return shown(&switch.name);
    }
    if device.addresses.iter().any(|a| told.scan.scanner.contains(a)) {
        return output.lang.say("scan-this-host");
    }
    match device.names.first() {
        Some(name) => format!("({})", shown(name)),
        None => "?".into(),
    }
}

/// What answers: its name, in brackets where only the number of the port says so.
fn service(port: &OpenPort, output: &Output<'_>) -> String {
    let Some(service) = &port.service else { return String::new() };
    let Service { name, basis, version, tls, .. } = service;
    let mut words = vec![match basis {
        Basis::Port => format!("({})", shown(name)),
        _ => shown(name),
    }];
    if let Some(version) = version {
        let clean = shown(version);
        let short: String = clean.chars().take(VERSION).collect();
        words.push(if short.len() < clean.len() { format!("{short}…") } else { short });
    }
    if let Some(tls) = tls.as_ref().and_then(|tls| tls.version.as_ref()) {
        words.push(format!("TLS {tls}"));
    }
    if service.is_cleartext_login {
        words.push(output.paint(AnsiColor::Yellow, &output.lang.say("scan-cleartext")));
    }
    words.join("  ")
}

fn changes(out: &mut String, told: &Told<'_>, output: &Output<'_>) {
    let Some((at, list)) = &told.changes else { return };
    let since = Text::new("scan-since").arg("time", live::time(*at)).num("count", list.len());
    let _ = writeln!(out, "{}", output.bold(&output.lang.text(&since)));
    for change in list {
        let mark = match change.what {
            What::New | What::Opened { .. } | What::Reopened { .. } => "+",
            What::Missing { .. } | What::Closed { .. } => "-",
            What::Replaced { .. } | What::Misplaced { .. } | What::Flapping { .. } => "!",
        };
        let line = format!("  {mark} {}", shown(&output.lang.text(&change.text())));
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

/// `0`, `2e-5`, `1.5`, `12`.
fn misses(expected: f64) -> String {
    match expected {
        0.0 => "0".into(),
        small if small < 0.01 => format!("{small:.0e}"),
        some if some < 10.0 => format!("{some:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Writes the metrics for the node_exporter's textfile collector: beside the file first, then in its place, so that a reader
/// never sees half of it.
pub fn metrics(path: &Path, told: &Told<'_>, output: &mut Output<'_>) -> Result<()> {
    let beside = path.with_extension("prom.new");
    let written = std::fs::write(&beside, prometheus(told)).and_then(|()| std::fs::rename(&beside, path));
    written.or_else(|error| {
        output.fail(&Text::new("cannot-create").arg("name", path.display()).arg("detail", error))
    })
}

fn prometheus(told: &Told<'_>) -> String {
    let label = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let site = label(&told.site.name);
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, rows: Vec<(String, f64)>| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in rows {
            let _ = writeln!(out, "{name}{{site=\"{site}\"{labels}}} {value}");
        }
    };
    let by_segment = |count: &dyn Fn(&Device) -> usize| -> Vec<(String, f64)> {
        let of = |name: &String| -> usize {
            told.scan.devices.iter().filter(|d| d.segment.as_ref() == Some(name)).map(count).sum()
        };
        let rows = told.scan.segments.iter().map(|s| &s.name);
        rows.map(|name| (format!(",segment=\"{}\"", label(name)), of(name) as f64)).collect()
    };
    let one = |value: f64| vec![(String::new(), value)];
    gauge("tillgate_scan_devices", "Devices seen.", by_segment(&|_| 1));
    gauge("tillgate_scan_open_ports", "Open ports seen.", by_segment(&|d| d.ports.len()));
    gauge(
        "tillgate_scan_complete",
        "Whether everything asked was answered, or kept silent after every attempt.",
        one(f64::from(u8::from(told.scan.is_complete))),
    );
    if let Some(m) = &told.measured {
        let misses = m.outcome.expected_misses;
        gauge("tillgate_scan_expected_misses", "Open or closed ports taken for silent.", one(misses));
        gauge("tillgate_scan_dropped", "Answers this host's kernel dropped.", one(m.outcome.dropped as f64));
        gauge("tillgate_scan_seconds", "How long it took.", one(m.took.as_secs_f64()));
    }
    if let Some((_, list)) = &told.changes {
        gauge("tillgate_scan_changes", "Changes since the earlier scan, by kind.", kinds(list));
    }
    let counts = Severity::ALL.iter().zip(Summary::of(&told.findings).counts);
    gauge(
        "tillgate_findings",
        "Findings by severity.",
        counts.map(|(s, count)| (format!(",severity=\"{}\"", s.name()), count as f64)).collect(),
    );
    gauge("tillgate_scan_time_seconds", "When it began.", one(told.scan.at as f64));
    out
}

fn kinds(list: &[Change]) -> Vec<(String, f64)> {
    let kind = |change: &Change| match change.what {
        What::New => "new",
        What::Replaced { .. } => "replaced",
        What::Misplaced { .. } => "misplaced",
        What::Missing { .. } => "missing",
        What::Opened { .. } => "opened",
        What::Reopened { .. } => "reopened",
        What::Closed { .. } => "closed",
        What::Flapping { .. } => "flapping",
    };
    let all = ["new", "replaced", "misplaced", "missing", "opened", "reopened", "closed", "flapping"];
    let count = |name: &str| list.iter().filter(|change| kind(change) == name).count() as f64;
    all.map(|name| (format!(",kind=\"{name}\""), count(name))).into()
}
