//! A catalogue file read and linted: every row must say where it comes from and how sure it is.

use crate::document::{Key, Shape, Value, check, json_schema as schema, optional, required};
use crate::types::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, Protocol, Ranges, SourceFile, Span, Text, parse_port_range};

const SOURCE: &[Key] = &[
    required("title", Shape::Text, "Title of the page or document."),
    required("url", Shape::Text, "Its address, or a stable reference."),
    required("checked", Shape::Date, "When it was last checked."),
];

const REQUIREMENT: &[Key] = &[
    required("id", Shape::Text, "Catalogue id, a full stop, and a name."),
    required("name", Shape::Localised, "Short name."),
    required("protocol", Shape::OneOrMany(&Shape::Text), "Transport protocol, or several."),
    optional("ports", Shape::OneOrMany(&Shape::Ports), "Ports and ranges, or \"unknown\"."),
    optional("editable-port", Shape::Bool, "Whether the device lets the port be changed."),
    required("level", Shape::Choice(Level::WORDS), "How necessary it is."),
    optional(
        "profiles",
        Shape::List(&Shape::Choice(Profile::WORDS)),
        "Profiles it belongs to without a feature.",
    ),
    optional("when", Shape::OneOrMany(&Shape::Text), "Features that turn it on; any one is enough."),
    optional("regions", Shape::OneOrMany(&Shape::Text), "Regions it applies to; all when missing."),
    optional(
        "applies-to",
        Shape::OneOrMany(&Shape::Choice(Class::WORDS)),
        "Classes of devices; terminal when missing.",
    ),
    optional("from", Shape::Choice(Class::WORDS), "Who opens the connection, when it is not the device."),
    required(
        "destination",
        Shape::Choice(&[
            "internet",
            "dns",
            "ntp",
            "dhcp",
            "device",
            "printer",
            "pos-host",
            "kitchen-display",
        ]),
        "Where the traffic goes.",
    ),
    optional("names", Shape::OneOrMany(&Shape::Text), "Names known for the destination."),
    optional("refines", Shape::Text, "The row whose destination these names narrow."),
    optional("supports", Shape::OneOrMany(&Shape::Text), "Rows that cannot work without this one."),
    required("encryption", Shape::Choice(Encryption::WORDS), "What encryption to expect."),
    required("probe", Shape::Choice(Probe::WORDS), "How it can be measured."),
    required("purpose", Shape::Localised, "What it is for."),
    optional("reason", Shape::Localised, "Why it is needed, at more length."),
    required("symptom", Shape::Localised, "What people see when it is blocked."),
    required("source", Shape::OneOrMany(&Shape::Table(SOURCE)), "Where it was read."),
    required("confidence", Shape::Choice(Confidence::WORDS), "How sure the statement is."),
    optional("disputed", Shape::Localised, "Why it is doubted."),
];

const KIND: &[Key] = &[
    required("id", Shape::Text, "Word used in the estate."),
    required("name", Shape::Text, "Name for people."),
    required("class", Shape::Choice(Class::WORDS), "Role on the network."),
    optional("features", Shape::List(&Shape::Text), "Features the kind can have."),
    optional("end-of-support", Shape::Date, "End of the vendor's support."),
    optional("source", Shape::Text, "Where that was read."),
];

const FEATURE: &[Key] = &[
    required("id", Shape::Text, "Word used in the estate."),
    required("meaning", Shape::Localised, "What it means."),
];

const MAC: &[Key] = &[
    required("prefix", Shape::OneOrMany(&Shape::Text), "24, 28 or 36 leading bits, as hex digits."),
    required("vendor", Shape::Text, "To whom the block is assigned."),
];

const CATALOG: &[Key] = &[
    required("id", Shape::Text, "Word used in the estate."),
    required("vendor", Shape::Text, "Name of the vendor."),
    required("version", Shape::Text, "Version of the file."),
];

/// The shape of a catalogue file.
pub const CATALOG_KEYS: &[Key] = &[
    required("catalog", Shape::Table(CATALOG), "What this file is."),
    optional("requirement", Shape::List(&Shape::Table(REQUIREMENT)), "What devices need."),
    optional("kind", Shape::List(&Shape::Table(KIND)), "Kinds of devices."),
    optional("feature", Shape::List(&Shape::Table(FEATURE)), "What turns conditional requirements on."),
    optional("mac", Shape::List(&Shape::Table(MAC)), "MAC address blocks."),
];

/// The JSON Schema of a catalogue file.
pub fn json_schema() -> serde_json::Value {
    schema("tillgate catalogue", CATALOG_KEYS)
}

/// Reads and lints one catalogue. `None` with at least one error when it cannot be used.
pub fn read(file: &Arc<SourceFile>) -> (Option<Catalog>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let root = Value::parse(file, &mut found);
    check(&root, &Shape::Table(CATALOG_KEYS), "", &mut found);
    let catalog = found.is_empty().then(|| build(&root, &mut found)).flatten();
    Diagnostic::sort(&mut found);
    (catalog.filter(|_| found.is_empty()), found)
}

fn build(root: &Value, found: &mut Vec<Diagnostic>) -> Option<Catalog> {
    let head = root.get("catalog")?;
    let id = head.text("id")?.to_string();
    let mut catalog = Catalog {
        vendor: head.text("vendor")?.to_string(),
        version: head.text("version")?.to_string(),
        requirements: root
            .list("requirement")
            .iter()
            .filter_map(|row| requirement(row, &id, found))
            .collect(),
        kinds: root.list("kind").iter().filter_map(kind).collect(),
        features: root.list("feature").iter().filter_map(feature).collect(),
        mac_prefixes: Vec::new(),
        id,
    };
    for row in root.list("mac") {
        for prefix in row.list("prefix") {
            match prefix.as_text().and_then(mac_prefix) {
                Some((bits, length)) => {
                    let vendor = row.text("vendor").unwrap_or_default().to_string();
                    catalog.mac_prefixes.push(MacPrefix { bits, length, vendor });
                }
                None => found.push(
                    Diagnostic::error(prefix.span.clone(), Text::new("catalog-mac-prefix"))
                        .hint(Text::new("catalog-mac-prefix-hint")),
                ),
            }
        }
    }
    lint(&catalog, root, found);
    Some(catalog)
}

fn requirement(row: &Value, catalog: &str, found: &mut Vec<Diagnostic>) -> Option<Requirement> {
    let id = row.text("id")?.to_string();
    if id.strip_prefix(catalog).is_none_or(|rest| !rest.starts_with('.') || rest.len() < 2) {
        found.push(
            Diagnostic::error(row.place("id"), Text::new("catalog-row-id").arg("id", &id))
                .hint(Text::new("catalog-row-id-hint").arg("catalog", catalog)),
        );
    }
    let mut protocols = Vec::new();
    for value in row.list("protocol") {
        match value.as_text().and_then(Protocol::parse) {
            Some(protocol) => protocols.push(protocol),
            None => found.push(Diagnostic::error(value.span.clone(), Text::new("unknown-protocol"))),
        }
    }
    let ports = ports(row, &protocols, found);
    let destination = match row.text("destination")? {
        "internet" => Destination::Internet,
        "device" => Destination::Device,
        word => Service::parse(word)
            .map(Destination::Service)
            .or_else(|| Class::parse(word).map(Destination::Class))?,
    };
    let from = row.text("from").and_then(Class::parse);
    if (destination == Destination::Device) != from.is_some() {
        found.push(Diagnostic::error(row.place("destination"), Text::new("catalog-from")));
    }
    let sources: Vec<Source> = row
        .list("source")
        .iter()
        .map(|s| Source {
            title: s.text("title").unwrap_or_default().to_string(),
            url: s.text("url").unwrap_or_default().to_string(),
            checked: s.date("checked"),
            span: s.place("checked"),
        })
        .collect();
    if sources.is_empty() {
        found.push(Diagnostic::error(row.place("source"), Text::new("catalog-no-source").arg("id", &id)));
    }
    let applies_to: Vec<Class> = row.texts("applies-to").iter().filter_map(|w| Class::parse(w)).collect();
    Some(Requirement {
        name: localised(row.get("name")),
        protocols,
        ports,
        editable_port: row.flag("editable-port").unwrap_or(false),
        level: row.text("level").and_then(Level::parse)?,
        profiles: row.texts("profiles").iter().filter_map(|w| Profile::parse(w)).collect(),
        when: row.texts("when"),
        regions: row.texts("regions"),
        applies_to: if applies_to.is_empty() { vec![Class::Terminal] } else { applies_to },
        from,
        destination,
        names: row.texts("names"),
        refines: row.text("refines").map(str::to_string),
        supports: row.texts("supports"),
        encryption: row.text("encryption").and_then(Encryption::parse)?,
        probe: row.text("probe").and_then(Probe::parse)?,
        purpose: localised(row.get("purpose")),
        reason: localised(row.get("reason")),
        symptom: localised(row.get("symptom")),
        sources,
        confidence: row.text("confidence").and_then(Confidence::parse)?,
        disputed: row.get("disputed").map(|v| localised(Some(v))),
        span: row.span.clone(),
        id,
    })
}

fn ports(row: &Value, protocols: &[Protocol], found: &mut Vec<Diagnostic>) -> Ports {
    let Some(value) = row.get("ports") else {
        if protocols.iter().any(|p| p.has_ports()) {
            found.push(
                Diagnostic::error(row.span.clone(), Text::new("toml-missing-key").arg("key", "ports"))
                    .hint(Text::new("catalog-ports-hint")),
            );
        }
        return Ports::Without;
    };
    if value.as_text() == Some("unknown") {
        return Ports::Unknown;
    }
    let mut list = Vec::new();
    for item in value.items() {
        let range = match &item.kind {
            crate::document::Kind::Integer(n) => u16::try_from(*n).ok().map(|p| (p, p)),
            crate::document::Kind::Text(text) => parse_port_range(text),
            _ => None,
        };
        match range {
            Some((lo, hi)) => list.push((lo as u128, hi as u128)),
            None => found.push(
                Diagnostic::error(item.span.clone(), Text::new("bad-ports"))
                    .hint(Text::new("catalog-ports-hint")),
            ),
        }
    }
    Ports::Known(Ranges::from_unsorted(list))
}

fn kind(row: &Value) -> Option<DeviceKind> {
    Some(DeviceKind {
        id: row.text("id")?.to_string(),
        name: row.text("name")?.to_string(),
        class: row.text("class").and_then(Class::parse)?,
        features: row.texts("features"),
        end_of_support: row.date("end-of-support"),
        source: row.text("source").map(str::to_string),
        span: row.span.clone(),
    })
}

fn feature(row: &Value) -> Option<Feature> {
    Some(Feature {
        id: row.text("id")?.to_string(),
        meaning: localised(row.get("meaning")),
        span: row.span.clone(),
    })
}

fn localised(value: Option<&Value>) -> Localised {
    let Some(value) = value else { return Localised::default() };
    let en = value.as_text().or_else(|| value.text("en")).unwrap_or_default().to_string();
    let de = value.text("de").map_or_else(|| en.clone(), str::to_string);
    Localised { en, de }
}

/// Hex digits of a prefix, separators allowed: 6, 7 or 9 digits.
fn mac_prefix(text: &str) -> Option<(u64, u8)> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let length = match digits.len() {
        6 => 24,
        7 => 28,
        9 => 36,
        _ => return None,
    };
    let bits = u64::from_str_radix(&digits, 16).ok()?;
    Some((bits << (48 - length), length))
}

/// What one row cannot know of the others: duplicate ids, and names that lead nowhere.
fn lint(catalog: &Catalog, root: &Value, found: &mut Vec<Diagnostic>) {
    let rows = || root.list("requirement").iter();
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for row in rows().chain(root.list("kind")).chain(root.list("feature")) {
        let Some(id) = row.text("id") else { continue };
        let place = row.place("id");
        match seen.get(id) {
            Some(first) => found.push(
                Diagnostic::error(place, Text::new("duplicate-id").arg("id", id))
                    .related(first.clone(), Text::new("first-here")),
            ),
            None => {
                seen.insert(id, place);
            }
        }
    }
    for row in rows() {
        for key in ["refines", "supports"] {
            for value in row.list(key) {
                let known = value.as_text().is_some_and(|t| catalog.requirements.iter().any(|r| r.id == t));
                if !known {
                    found.push(Diagnostic::error(
                        value.span.clone(),
                        Text::new("unknown-requirement").arg("id", value.as_text().unwrap_or_default()),
                    ));
                }
            }
        }
        for value in row.list("when") {
            let known = value.as_text().is_some_and(|t| catalog.features.iter().any(|f| f.id == t));
            if !known {
                found.push(Diagnostic::error(
                    value.span.clone(),
                    Text::new("unknown-feature").arg("feature", value.as_text().unwrap_or_default()),
                ));
            }
        }
    }
}
