//! Devices, from tables of the estate or from a CSV file.

use crate::assemble::{Variables, fill};
use crate::switches::Plug;
use crate::types::Device;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use tillgate_catalog::document::{Kind, Value, closest};
use tillgate_catalog::{Class, Library};
use tillgate_model::{Date, Diagnostic, SourceFile, Span, Text};

/// A piece of text and where it stands.
#[derive(Clone)]
pub struct Cell {
    pub text: String,
    pub span: Span,
}

/// A device as written, whatever file it was written in.
#[derive(Clone)]
pub struct Row {
    pub site: Option<Cell>,
    name: Option<Cell>,
    kind: Option<Cell>,
    segment: Option<Cell>,
    addresses: Vec<Cell>,
    macs: Vec<Cell>,
    features: Vec<Cell>,
    ports: Vec<(Cell, i64)>,
    until: Option<Date>,
    switch: Option<Cell>,
    port: Option<Cell>,
    pub span: Span,
}

/// A `[[site.device]]` table.
pub fn row(table: &Value) -> Row {
    let cell = |v: &Value| v.as_text().map(|t| Cell { text: t.to_string(), span: v.span.clone() });
    let one = |key: &str| table.get(key).and_then(cell);
    let many = |key: &str| table.list(key).iter().filter_map(cell).collect::<Vec<_>>();
    let ports = table.get("ports").map_or(&[][..], Value::entries).iter();
    Row {
        site: None,
        name: one("name"),
        kind: one("kind"),
        segment: one("segment"),
        addresses: [many("address"), many("address6")].concat(),
        macs: many("mac"),
        features: many("features"),
        ports: ports
            .filter_map(|(id, span, value)| match value.kind {
                Kind::Integer(n) => Some((Cell { text: id.clone(), span: span.clone() }, n)),
                _ => None,
            })
            .collect(),
        until: table.date("until"),
        switch: one("switch"),
        port: one("port"),
        span: table.span.clone(),
    }
}

const COLUMNS: [&str; 10] =
    ["site", "name", "kind", "segment", "address", "address6", "mac", "features", "switch", "port"];

/// The rows of the CSV file that `value` names. Columns by header: `name`, `kind`, `segment`, and any of
/// `site`, `address`, `address6`, `mac`, `features`, `switch`, `port`; several values in one cell are separated by spaces or `;`.
pub fn table(
    value: &Value,
    tables: &BTreeMap<String, Arc<SourceFile>>,
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<Row>> {
    let name = value.as_text()?;
    let Some(file) = tables.get(name) else {
        found.push(Diagnostic::error(value.span.clone(), Text::new("file-not-found").arg("name", name)));
        return None;
    };
    let delimiter = if file.line(1).contains(';') && !file.line(1).contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(file.text.as_bytes());
    let mut header: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let at = error.position().map_or(0, |p| p.byte() as usize);
                let text = Text::new("csv-syntax").arg("detail", error);
                found.push(Diagnostic::error(Span::new(file, at, at), text));
                return Some(rows);
            }
        };
        let start = record.position().map_or(0, |p| p.byte() as usize);
        // The reader counts an empty line before a record into it.
        let start =
            start + file.text[start..].len() - file.text[start..].trim_start_matches(['\r', '\n']).len();
        let line_end = file.text[start..].find('\n').map_or(file.text.len(), |n| start + n);
        let mut at = start;
        let cells: Vec<Cell> = record
            .iter()
            .map(|field| {
                // Quoted fields may differ from the text; the caret then falls on the line.
                let place = file.text[at..line_end.max(at)].find(field).map(|n| at + n);
                let span = match place {
                    Some(p) if !field.is_empty() => {
                        at = p + field.len();
                        Span::new(file, p, p + field.len())
                    }
                    _ => Span::new(file, start, line_end),
                };
                Cell { text: field.trim().to_string(), span }
            })
            .collect();
        let span = Span::new(file, start, line_end);
        let Some(header) = &header else {
            let names: Vec<String> =
                cells.iter().map(|c| c.text.trim_start_matches('\u{feff}').to_ascii_lowercase()).collect();
            for (cell, name) in cells.iter().zip(&names).filter(|(_, n)| !COLUMNS.contains(&n.as_str())) {
                let mut error =
                    Diagnostic::error(cell.span.clone(), Text::new("csv-column").arg("column", &cell.text));
                error = error.hint(match closest(name, COLUMNS.into_iter()) {
                    Some(word) => Text::new("did-you-mean").arg("word", word),
                    None => Text::new("csv-columns").arg("columns", COLUMNS.join(", ")),
                });
                found.push(error);
            }
            header = Some(names);
            continue;
        };
        if cells.len() != header.len() {
            let text = Text::new("csv-width").num("found", cells.len()).num("expected", header.len());
            found.push(Diagnostic::error(span.clone(), text));
            continue;
        }
        let one = |column: &str| {
            let at = header.iter().position(|h| h == column)?;
            cells.get(at).filter(|c| !c.text.is_empty()).cloned()
        };
        let many = |column: &str| {
            one(column).map_or(Vec::new(), |cell| {
                let parts = cell.text.split([' ', ';', '|']).filter(|p| !p.is_empty());
                parts.map(|p| Cell { text: p.to_string(), span: cell.span.clone() }).collect()
            })
        };
        rows.push(Row {
            site: one("site"),
            name: one("name"),
            kind: one("kind"),
            segment: one("segment"),
            addresses: [many("address"), many("address6")].concat(),
            macs: many("mac"),
            features: many("features"),
            ports: Vec::new(),
            until: None,
            switch: one("switch"),
            port: one("port"),
            span,
        });
    }
    Some(rows)
}

/// A device from its row; what is missing or unknown is reported.
pub fn device(
    row: &Row,
    variables: &Variables,
    library: &Library,
    found: &mut Vec<Diagnostic>,
) -> Option<Device> {
    for (key, cell) in [("name", &row.name), ("kind", &row.kind), ("segment", &row.segment)] {
        // A table's missing key was reported when its shape was checked.
        if cell.is_none() && row.span.file.name.ends_with(".csv") {
            found.push(Diagnostic::error(row.span.clone(), Text::new("toml-missing-key").arg("key", key)));
        }
    }
    let (name, kind_cell, segment) = (row.name.as_ref()?, row.kind.as_ref()?, row.segment.as_ref()?);
    let kind = library.kind(&kind_cell.text);
    if kind.is_none() {
        let mut error =
            Diagnostic::error(kind_cell.span.clone(), Text::new("unknown-kind").arg("kind", &kind_cell.text));
        error = error.hint(match closest(&kind_cell.text, library.kinds().map(|k| k.id.as_str())) {
            Some(word) => Text::new("did-you-mean").arg("word", word),
            None => Text::new("unknown-kind-hint"),
        });
        found.push(error);
    }
    let mut addresses = Vec::new();
    for cell in &row.addresses {
        let text = fill(&cell.text, &cell.span, variables, found);
        match text.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) if text.is_empty() => {}
            Err(_) => {
                found.push(Diagnostic::error(cell.span.clone(), Text::new("bad-address").arg("text", &text)))
            }
        }
    }
    let mut macs = Vec::new();
    for cell in &row.macs {
        match mac(&cell.text) {
            Some(bits) => macs.push(bits),
            None => found.push(
                Diagnostic::error(cell.span.clone(), Text::new("bad-mac").arg("text", &cell.text))
                    .hint(Text::new("bad-mac-hint")),
            ),
        }
    }
    let mut features = Vec::new();
    for cell in &row.features {
        if let Some(kind) = kind
            && !kind.features.contains(&cell.text)
        {
            let text = Text::new("unknown-feature-of-kind").arg("feature", &cell.text).arg("kind", &kind.id);
            let mut error = Diagnostic::error(cell.span.clone(), text);
            error = error.hint(match closest(&cell.text, kind.features.iter().map(String::as_str)) {
                Some(word) => Text::new("did-you-mean").arg("word", word),
                None => Text::new("features-of-kind").arg("features", kind.features.join(", ")),
            });
            found.push(error);
        }
        features.push(cell.text.clone());
    }
    let mut ports = BTreeMap::new();
    for (id, port) in &row.ports {
        let row = library.requirement(&id.text);
        if row.is_none_or(|r| !r.editable_port) {
            found
                .push(Diagnostic::error(id.span.clone(), Text::new("port-not-editable").arg("id", &id.text)));
        }
        match u16::try_from(*port) {
            Ok(port) if port > 0 => {
                ports.insert(id.text.clone(), port);
            }
            _ => found.push(Diagnostic::error(id.span.clone(), Text::new("bad-ports"))),
        }
    }
    let plug = match (&row.switch, &row.port) {
        (None, None) => None,
        (Some(switch), Some(port)) => {
            let filled = |cell: &Cell, found: &mut Vec<Diagnostic>| {
                fill(&cell.text, &cell.span, variables, found).into_owned()
            };
            let (switch, name) = (filled(switch, found), filled(port, found));
            Some(Plug { switch, port: name, span: port.span.clone() })
        }
        (Some(cell), None) | (None, Some(cell)) => {
            let key = if row.switch.is_some() { "port" } else { "switch" };
            found.push(Diagnostic::error(cell.span.clone(), Text::new("toml-missing-key").arg("key", key)));
            None
        }
    };
    Some(Device {
        name: name.text.clone(),
        kind: kind_cell.text.clone(),
        class: kind.map_or(Class::Terminal, |k| k.class),
        segment: segment.text.clone(),
        addresses,
        macs,
        features,
        ports,
        until: row.until,
        plug,
        span: name.span.clone(),
    })
}

/// 48 bits from the usual notations: `aa:bb:cc:dd:ee:ff`, `aa-bb-…`, `aabb.ccdd.eeff`, twelve digits.
fn mac(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    (digits.len() == 12).then(|| u64::from_str_radix(&digits, 16).ok()).flatten()
}
