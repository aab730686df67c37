//! Every text exists in both languages, says the same things, and renders.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tillgate_cli::{LANGUAGES, Lang};
use tillgate_model::{FindingId, Text};

/// Messages of a language: id → the variables it uses.
fn messages(code: &str) -> BTreeMap<String, BTreeSet<String>> {
    let files = LANGUAGES.iter().find(|(c, _)| *c == code).unwrap().1;
    let mut out = BTreeMap::new();
    for file in files {
        let parsed = fluent_bundle::FluentResource::try_new(file.to_string());
        assert!(parsed.is_ok(), "{code}: {:?}", parsed.err().map(|e| e.1));
        let mut id = String::new();
        for line in file.lines().filter(|l| !l.starts_with('#')) {
            if !line.starts_with(' ') && !line.is_empty() {
                id = line.split(" =").next().unwrap().to_string();
                assert!(out.insert(id.clone(), BTreeSet::new()).is_none(), "{code}: {id} twice");
            }
            for piece in line.split('$').skip(1) {
                let name: String =
                    piece.chars().take_while(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect();
                if !name.is_empty() {
                    out.get_mut(&id).unwrap().insert(name);
                }
            }
        }
    }
    out
}

/// Ids and arguments as the sources use them: `Text::new("id").arg("name", …)`.
fn used() -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut todo = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(
                std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(|p| !p.ends_with("tests")),
            );
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for start in ["Text::new(\"", "say(\""] {
                for piece in text.split(start).skip(1) {
                    out.entry(piece.split('"').next().unwrap().to_string()).or_default();
                }
            }
        }
    }
    out
}

#[test]
fn both_languages_have_the_same_messages_with_the_same_variables() {
    let (en, de) = (messages("en"), messages("de"));
    for (id, variables) in &en {
        assert_eq!(Some(variables), de.get(id), "{id}");
    }
    // German alone has help texts: English has them in the command line's definition.
    for id in de.keys().filter(|id| !en.contains_key(*id)) {
        assert!(id.starts_with("cmd-") || id.starts_with("arg-"), "{id} is German only");
    }
}

#[test]
fn every_text_the_program_uses_exists_and_renders() {
    let en = messages("en");
    for id in used().keys() {
        assert!(en.contains_key(id), "{id} has no text");
    }
    for id in FindingId::ALL {
        assert!(en.contains_key(&format!("explain-{}", id.name())), "explain-{} has no text", id.name());
        for reference in id.references() {
            let number = reference.trim_start_matches("pci-dss-4.0.1/").replace('.', "-");
            assert!(en.contains_key(&format!("pci-{number}")), "pci-{number} has no text");
        }
    }
    for (code, _) in LANGUAGES {
        let lang = Lang::new(code);
        for (id, variables) in messages(code) {
            let id: &'static str = id.leak();
            let mut text = Text::new(id);
            for name in variables {
                text = if name == "count" { text.num("count", 2) } else { text.arg(name.leak(), "VALUE") };
            }
            let rendered = lang.text(&text);
            assert!(!rendered.is_empty() && rendered != id, "{code}: {id}: {rendered}");
            assert!(!rendered.contains("{$") && !rendered.contains('\u{2068}'), "{code}: {id}: {rendered}");
        }
    }
}

#[test]
fn every_command_and_argument_has_a_german_help_text() {
    let de = messages("de");
    let mut todo = vec![tillgate_cli::command()];
    while let Some(command) = todo.pop() {
        if command.get_name() != "help" {
            assert!(de.contains_key(&format!("cmd-{}", command.get_name())), "cmd-{}", command.get_name());
        }
        for argument in command.get_arguments() {
            let id = argument.get_id().to_string().replace('_', "-");
            assert!(id == "help" || id == "version" || de.contains_key(&format!("arg-{id}")), "arg-{id}");
        }
        todo.extend(command.get_subcommands().cloned());
    }
}
