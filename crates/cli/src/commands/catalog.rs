//! `tillgate catalog`: list, show, lint, diff.

use super::json;
use crate::args::{Catalog, CatalogAction, Format, Global};
use crate::output::{Output, shown};
use crate::present::table;
use crate::{Environment, Failed, Result, document, load};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::Read;
use tillgate_catalog::{SHIPPED, read};
use tillgate_model::{SourceFile, Text};

pub fn run(
    args: &Catalog,
    global: &Global,
    _environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    match &args.action {
        CatalogAction::List => list(global, output),
        CatalogAction::Show { id } => show(id, global, output),
        CatalogAction::Lint { files } => {
            let mut sources = Vec::new();
            for path in files {
                sources.push(load::text_file(path, input, output)?);
            }
            if files.is_empty() {
                sources.extend(SHIPPED.iter().map(|(name, text)| SourceFile::new(*name, *text)));
            }
            let mut failed = false;
            for file in sources {
                let (catalog, found) = read(&file);
                failed |= output.diagnostics(&found).is_err();
                if let Some(catalog) = catalog {
                    let text = Text::new("catalog-sound")
                        .arg("file", &file.name)
                        .num("rows", catalog.requirements.len());
                    let line = output.lang.text(&text);
                    output.line(&line);
                }
            }
            if failed { Err(Failed(2)) } else { Ok(0) }
        }
        CatalogAction::Diff { old, new } => {
            let old = load::text_file(old, input, output)?;
            let new = load::text_file(new, input, output)?;
            diff(&old, &new, output)
        }
        CatalogAction::Schema => {
            let text = json(&tillgate_catalog::json_schema());
            output.data(&text);
            Ok(0)
        }
    }
}

fn list(global: &Global, output: &mut Output<'_>) -> Result {
    let library = load::library(global.estate.as_deref(), output)?;
    if output.format == Format::Json {
        let list: Vec<Json> = library
            .catalogs()
            .iter()
            .map(|c| json!({"id": c.id, "vendor": c.vendor, "version": c.version, "requirements": c.requirements.len(), "kinds": c.kinds.len()}))
            .collect();
        let text = json(&json!({"schema": "tillgate.catalogs/1", "catalogs": list}));
        output.data(&text);
        return Ok(0);
    }
    let header =
        ["col-catalog", "col-vendor", "col-version", "col-rows", "col-kinds"].map(|h| output.lang.say(h));
    let rows: Vec<Vec<String>> = library
        .catalogs()
        .iter()
        .map(|c| {
            vec![
                c.id.clone(),
                c.vendor.clone(),
                c.version.clone(),
                c.requirements.len().to_string(),
                c.kinds.len().to_string(),
            ]
        })
        .collect();
    let text = table(output, &header, &rows);
    output.data(&text);
    Ok(0)
}

fn show(id: &str, global: &Global, output: &mut Output<'_>) -> Result {
    let library = load::library(global.estate.as_deref(), output)?;
    let Some(catalog) = library.catalog(id) else {
        let known: Vec<&str> = library.catalogs().iter().map(|c| c.id.as_str()).collect();
        return output.fail(&Text::new("no-catalog").arg("id", id).arg("known", known.join(", ")));
    };
    let lang = &output.lang;
    if output.format == Format::Json {
        let kinds: Vec<Json> = catalog
            .kinds
            .iter()
            .map(|k| json!({"id": k.id, "name": k.name, "class": k.class.name(), "features": k.features, "end_of_support": k.end_of_support.map(|d| d.to_string())}))
            .collect();
        let features: Vec<Json> = catalog
            .features
            .iter()
            .map(|f| json!({"id": f.id, "meaning": f.meaning.get(lang.code)}))
            .collect();
        let rows: Vec<Json> = catalog.requirements.iter().map(|r| document::requirement(r, lang)).collect();
        let value = json!({"schema": "tillgate.catalog/1", "id": catalog.id, "vendor": catalog.vendor, "version": catalog.version, "requirements": rows, "kinds": kinds, "features": features});
        output.data(&json(&value));
        return Ok(0);
    }
    let mut out = format!("{} {} {}\n\n", output.bold(&catalog.id), catalog.vendor, catalog.version);
    let rows: Vec<Vec<String>> = catalog
        .requirements
        .iter()
        .map(|r| {
            vec![
                r.id.clone(),
                format!("{}/{}", r.ports_text(), r.protocols_text()),
                r.level.name().into(),
                r.confidence.name().into(),
                r.name.get(lang.code).into(),
            ]
        })
        .collect();
    let header =
        ["col-requirement", "col-service", "col-level", "col-confidence", "col-name"].map(|h| lang.say(h));
    out.push_str(&table(output, &header, &rows));
    let kinds: Vec<Vec<String>> = catalog
        .kinds
        .iter()
        .map(|k| {
            vec![
                k.id.clone(),
                k.name.clone(),
                k.end_of_support.map_or(String::new(), |d| d.to_string()),
                k.features.join(", "),
            ]
        })
        .collect();
    if !kinds.is_empty() {
        let header = ["col-kind", "col-name", "col-end-of-support", "col-features"].map(|h| lang.say(h));
        out.push('\n');
        out.push_str(&table(output, &header, &kinds));
    }
    output.data(&out);
    Ok(0)
}

/// Rows added, gone and changed; exit code 1 when there are any.
fn diff(
    old: &std::sync::Arc<SourceFile>,
    new: &std::sync::Arc<SourceFile>,
    output: &mut Output<'_>,
) -> Result {
    let mut sides = Vec::new();
    for file in [old, new] {
        let (catalog, found) = read(file);
        output.diagnostics(&found)?;
        let Some(catalog) = catalog else { return Err(Failed(2)) };
        let rows: BTreeMap<String, Json> = catalog
            .requirements
            .iter()
            .map(|r| (r.id.clone(), document::requirement(r, &output.lang)))
            .collect();
        sides.push(rows);
    }
    let (before, after) = (&sides[0], &sides[1]);
    let mut changes = Vec::new();
    for (id, row) in before {
        match after.get(id) {
            None => changes.push(json!({"id": id, "change": "removed"})),
            Some(now) if now != row => {
                let fields: Vec<Json> = row
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(key, value)| now.get(key.as_str()) != Some(*value))
                    .map(|(key, value)| json!({"field": key, "old": value, "new": now.get(key.as_str())}))
                    .collect();
                changes.push(json!({"id": id, "change": "changed", "fields": fields}));
            }
            Some(_) => {}
        }
    }
    changes.extend(
        after.keys().filter(|id| !before.contains_key(*id)).map(|id| json!({"id": id, "change": "added"})),
    );
    let code = u8::from(!changes.is_empty());
    if output.format == Format::Json {
        output.data(&json(&json!({"schema": "tillgate.catalog-diff/1", "changes": changes})));
        return Ok(code);
    }
    for change in &changes {
        let text = |key: &str| change.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
        let word = output.lang.find(&format!("change-{}", text("change"))).unwrap_or_default();
        let mut line = format!("{word} {}", text("id"));
        for field in change.get("fields").and_then(Json::as_array).into_iter().flatten() {
            line.push_str(&format!(
                "\n    {}: {} -> {}",
                field["field"].as_str().unwrap_or_default(),
                field["old"],
                field["new"]
            ));
        }
        output.line(&shown(&line));
    }
    Ok(code)
}
