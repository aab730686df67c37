//! TOML documents with places: one description of a file's shape checks it, and makes its JSON Schema.
//!
//! All errors of a file are collected, each with its span; nothing stops at the first.

use jiff::civil::Date;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};
use toml::de::{DeTable, DeValue};

/// What a value must look like.
pub enum Shape {
    /// A string.
    Text,
    /// A string, or one string per language under `en` and `de`.
    Localised,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// A number or a string that stands for ports.
    Ports,
    /// `true` or `false`.
    Bool,
    /// A calendar date.
    Date,
    /// A list of one shape.
    List(&'static Shape),
    /// One value, or a list of them.
    OneOrMany(&'static Shape),
    /// A table with known keys.
    Table(&'static [Key]),
    /// A table with free keys.
    Map(&'static Shape),
}

/// A key of a table.
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, for the schema.
    pub doc: &'static str,
}

/// An optional key.
pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: false, doc }
}

/// A required key.
pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: true, doc }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Value {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of values.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A floating-point number; nothing here takes one.
    Float,
    /// A truth value.
    Bool(bool),
    /// A date; `None` for a time or an impossible date.
    Date(Option<Date>),
    /// A list.
    List(Vec<Value>),
    /// A table: key, place of the key, value.
    Table(Vec<(String, Span, Value)>),
}

impl Value {
    /// Reads a TOML text. What the parser could not recover is reported.
    pub fn parse(file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Value {
        let (table, errors) = DeTable::parse_recoverable(&file.text);
        for error in errors {
            let range = error.span().unwrap_or(0..0);
            let span = Span::new(file, range.start, range.end);
            diagnostics
                .push(Diagnostic::error(span, Text::new("toml-syntax").arg("detail", error.message())));
        }
        let range = table.span();
        Value {
            span: Span::new(file, range.start, range.end),
            kind: Kind::Table(convert_table(file, table.get_ref())),
        }
    }

    /// The value under a key of a table.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|(name, _, _)| name == key).map(|(_, _, value)| value)
    }

    /// The entries of a table; none for anything else.
    pub fn entries(&self) -> &[(String, Span, Value)] {
        match &self.kind {
            Kind::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; a single value is a list of itself.
    pub fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The items of the list under a key.
    pub fn list(&self, key: &str) -> &[Value] {
        self.get(key).map_or(&[], Value::items)
    }

    /// The string.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The string under a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_text)
    }

    /// The strings of a list, or the one string, under a key.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.list(key).iter().filter_map(|v| v.as_text().map(str::to_string)).collect()
    }

    /// The number under a key.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key)?.kind {
            Kind::Integer(n) => Some(n),
            _ => None,
        }
    }

    /// The truth value under a key.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The date under a key.
    pub fn date(&self, key: &str) -> Option<Date> {
        match self.get(key)?.kind {
            Kind::Date(date) => date,
            _ => None,
        }
    }

    /// The place of a key's value, or of the whole table when the key is missing.
    pub fn place(&self, key: &str) -> Span {
        self.get(key).map_or_else(|| self.span.clone(), |v| v.span.clone())
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "string",
            Kind::Integer(_) => "integer",
            Kind::Float => "float",
            Kind::Bool(_) => "boolean",
            Kind::Date(_) => "date",
            Kind::List(_) => "array",
            Kind::Table(_) => "table",
        }
    }
}

fn convert_table(file: &Arc<SourceFile>, table: &DeTable<'_>) -> Vec<(String, Span, Value)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let at = key.span();
            (key.get_ref().to_string(), Span::new(file, at.start, at.end), convert(file, value))
        })
        .collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}

fn convert(file: &Arc<SourceFile>, value: &toml::Spanned<DeValue<'_>>) -> Value {
    let range = value.span();
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or(Kind::Float, Kind::Integer),
        DeValue::Float(_) => Kind::Float,
        DeValue::Boolean(b) => Kind::Bool(*b),
        DeValue::Datetime(d) => Kind::Date(
            d.date
                .filter(|_| d.time.is_none())
                .and_then(|date| Date::new(date.year as i16, date.month as i8, date.day as i8).ok()),
        ),
        DeValue::Array(items) => Kind::List(items.iter().map(|i| convert(file, i)).collect()),
        DeValue::Table(inner) => Kind::Table(convert_table(file, inner)),
    };
    Value { span: Span::new(file, range.start, range.end), kind }
}

/// Checks a value against a shape and reports every difference. `name` is the key it stands under.
pub fn check(value: &Value, shape: &Shape, name: &str, diagnostics: &mut Vec<Diagnostic>) {
    let wrong = |expected: &'static str| {
        Diagnostic::error(
            value.span.clone(),
            Text::new("toml-type")
                .arg("key", name)
                .arg("found", value.type_name())
                .text("expected", Text::new(expected)),
        )
    };
    match (shape, &value.kind) {
        (Shape::Text, Kind::Text(_))
        | (Shape::Integer, Kind::Integer(_))
        | (Shape::Bool, Kind::Bool(_))
        | (Shape::Date, Kind::Date(Some(_)))
        | (Shape::Localised, Kind::Text(_))
        | (Shape::Ports, Kind::Text(_) | Kind::Integer(_)) => {}
        (Shape::Choice(words), Kind::Text(text)) => {
            if !words.contains(&text.as_str()) {
                let mut error = Diagnostic::error(
                    value.span.clone(),
                    Text::new("toml-choice").arg("key", name).arg("found", text),
                );
                error = error.hint(match closest(text, words.iter().copied()) {
                    Some(word) => Text::new("did-you-mean").arg("word", word),
                    None => Text::new("toml-choices").arg("words", words.join(", ")),
                });
                diagnostics.push(error);
            }
        }
        (Shape::Localised, Kind::Table(entries)) => {
            for (key, span, inner) in entries {
                if key != "en" && key != "de" {
                    diagnostics
                        .push(Diagnostic::error(span.clone(), Text::new("toml-unknown-key").arg("key", key)));
                }
                check(inner, &Shape::Text, key, diagnostics);
            }
            if value.get("en").is_none() {
                diagnostics.push(Diagnostic::error(
                    value.span.clone(),
                    Text::new("toml-missing-key").arg("key", "en"),
                ));
            }
        }
        (Shape::List(inner), Kind::List(items)) | (Shape::OneOrMany(inner), Kind::List(items)) => {
            items.iter().for_each(|item| check(item, inner, name, diagnostics));
        }
        (Shape::OneOrMany(inner), _) => check(value, inner, name, diagnostics),
        (Shape::Map(inner), Kind::Table(entries)) => {
            entries.iter().for_each(|(key, _, item)| check(item, inner, key, diagnostics));
        }
        (Shape::Table(keys), Kind::Table(entries)) => {
            for (key, span, inner) in entries {
                match keys.iter().find(|k| k.name == key) {
                    Some(known) => check(inner, &known.shape, key, diagnostics),
                    None => {
                        let mut error =
                            Diagnostic::error(span.clone(), Text::new("toml-unknown-key").arg("key", key));
                        if let Some(word) = closest(key, keys.iter().map(|k| k.name)) {
                            error = error.hint(Text::new("did-you-mean").arg("word", word));
                        }
                        diagnostics.push(error);
                    }
                }
            }
            for key in keys.iter().filter(|k| k.required && value.get(k.name).is_none()) {
                diagnostics.push(Diagnostic::error(
                    value.span.clone(),
                    Text::new("toml-missing-key").arg("key", key.name),
                ));
            }
        }
        (Shape::Text | Shape::Localised, _) => diagnostics.push(wrong("type-text")),
        (Shape::Choice(_), _) => diagnostics.push(wrong("type-text")),
        (Shape::Integer, _) => diagnostics.push(wrong("type-integer")),
        (Shape::Ports, _) => diagnostics.push(wrong("type-ports")),
        (Shape::Bool, _) => diagnostics.push(wrong("type-bool")),
        (Shape::Date, _) => diagnostics.push(wrong("type-date")),
        (Shape::List(_), _) => diagnostics.push(wrong("type-list")),
        (Shape::Table(_) | Shape::Map(_), _) => diagnostics.push(wrong("type-table")),
    }
}

/// The known word nearest to what was typed, if it is near enough to be a slip.
pub fn closest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|word| (distance(typed, word), word))
        .filter(|(d, word)| *d <= 1 + word.len().min(typed.len()) / 4)
        .min()
        .map(|(_, word)| word)
}

/// Edit distance with transpositions of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let best = (rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
                if swap { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

/// The JSON Schema (draft 2020-12) of a file with these top-level keys.
pub fn json_schema(title: &str, keys: &[Key]) -> Json {
    let mut schema = schema_of_table(keys);
    let object = schema.as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut root = serde_json::Map::new();
    root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".into(), json!(title));
    root.extend(object);
    Json::Object(root)
}

fn schema_of_table(keys: &[Key]) -> Json {
    let mut properties = serde_json::Map::new();
    for key in keys {
        let mut schema = schema_of(&key.shape);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), json!(key.doc));
        }
        properties.insert(key.name.into(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|k| k.required).map(|k| k.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn schema_of(shape: &Shape) -> Json {
    match shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Localised => json!({"anyOf": [{"type": "string"}, {
            "type": "object",
            "properties": {"en": {"type": "string"}, "de": {"type": "string"}},
            "required": ["en"],
            "additionalProperties": false
        }]}),
        Shape::Choice(words) => json!({"type": "string", "enum": words}),
        Shape::Integer => json!({"type": "integer"}),
        Shape::Ports => json!({"type": ["string", "integer"]}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Date => json!({"type": "string", "format": "date"}),
        Shape::List(inner) => json!({"type": "array", "items": schema_of(inner)}),
        Shape::OneOrMany(inner) => {
            json!({"anyOf": [schema_of(inner), {"type": "array", "items": schema_of(inner)}]})
        }
        Shape::Table(keys) => schema_of_table(keys),
        Shape::Map(inner) => json!({"type": "object", "additionalProperties": schema_of(inner)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_errors_of_a_file_at_once() {
        const KEYS: &[Key] = &[
            required("name", Shape::Text, ""),
            optional("level", Shape::Choice(&["high", "low"]), ""),
            optional("until", Shape::Date, ""),
            optional("ports", Shape::OneOrMany(&Shape::Ports), ""),
        ];
        let file = SourceFile::new(
            "a.toml",
            "nmae = 1\nlevel = \"hihg\"\nuntil = 5\nports = [1, true]\nbroken = \n",
        );
        let mut found = Vec::new();
        let value = Value::parse(&file, &mut found);
        check(&value, &Shape::Table(KEYS), "", &mut found);
        Diagnostic::sort(&mut found);
        let ids: Vec<_> = found.iter().map(|d| d.message.id).collect();
        assert!(ids.contains(&"toml-syntax"), "{ids:?}");
        for id in ["toml-unknown-key", "toml-choice", "toml-missing-key"] {
            assert_eq!(
                ids.iter().filter(|i| **i == id).count(),
                if id == "toml-unknown-key" { 2 } else { 1 },
                "{ids:?}"
            );
        }
        assert_eq!(ids.iter().filter(|i| **i == "toml-type").count(), 2, "{ids:?}");
    }

    #[test]
    fn slips_are_recognised() {
        assert_eq!(closest("segmnet", ["segment", "site"].into_iter()), Some("segment"));
        assert_eq!(closest("xyz", ["segment", "site"].into_iter()), None);
    }
}
