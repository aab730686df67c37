//! Files in, estate out: parse, check shapes, apply templates and variables, validate.

use crate::assemble::assemble;
use crate::shape::FILE;
use crate::types::Estate;
use crate::validate::validate;
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_catalog::Library;
use tillgate_catalog::document::{Shape, Value, check, json_schema as schema};
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// The JSON Schema of an estate file.
pub fn json_schema() -> serde_json::Value {
    schema("tillgate estate", FILE)
}

/// The CSV files that estate files ask for, as written, so that the edge can read them.
pub fn csv_references(files: &[Arc<SourceFile>]) -> Vec<String> {
    let mut out = Vec::new();
    for file in files.iter().filter(|f| !f.name.ends_with(".csv")) {
        let root = Value::parse(file, &mut Vec::new());
        out.extend(root.get("estate").and_then(|e| e.text("devices")).map(str::to_string));
        out.extend(root.list("site").iter().filter_map(|s| s.text("devices")).map(str::to_string));
    }
    out.sort();
    out.dedup();
    out
}

/// Loads an estate from its TOML files and the CSV files they ask for (a file whose name ends in `.csv`, by
/// the name as written). `None` with at least one error when it cannot be used.
pub fn load(files: &[Arc<SourceFile>], library: &Library) -> (Option<Estate>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut roots = Vec::new();
    let mut tables = BTreeMap::new();
    for file in files {
        if file.name.ends_with(".csv") {
            tables.insert(file.name.clone(), Arc::clone(file));
            continue;
        }
        let root = Value::parse(file, &mut found);
        check(&root, &Shape::Table(FILE), "", &mut found);
        roots.push(root);
    }
    let estate = assemble(&roots, &tables, library, &mut found);
    validate(&estate, library, &mut found);
    if estate.sites.is_empty()
        && found.is_empty()
        && let Some(file) = files.first()
    {
        found.push(
            Diagnostic::error(Span::new(file, 0, 0), Text::new("estate-no-site"))
                .hint(Text::new("estate-no-site-hint")),
        );
    }
    Diagnostic::sort(&mut found);
    let usable = found.iter().all(|d| d.level != tillgate_model::Level::Error);
    (usable.then_some(estate), found)
}
