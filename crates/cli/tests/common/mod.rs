//! The command line as tests call it.
#![allow(clippy::unwrap_used, dead_code)]

use serde_json::Value as Json;
use std::path::PathBuf;
use tillgate_cli::{Environment, run};

pub fn environment() -> Environment {
    Environment {
        lang: "en_GB.UTF-8".into(),
        estate: None,
        no_color: true,
        terminal: false,
        interactive: false,
        progress: false,
        width: None,
        today: "2026-11-23".parse().unwrap(),
        clock: || 1_795_000_000,
    }
}

pub struct Done {
    pub code: u8,
    pub out: String,
    pub err: String,
}

pub fn tillgate(arguments: &str, input: &str) -> Done {
    let arguments = std::iter::once("tillgate").chain(arguments.split_whitespace()).map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(arguments, &environment(), &mut input.as_bytes(), &mut out, &mut err);
    Done { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

pub fn example(path: &str) -> String {
    format!("{}/../../examples/{path}", env!("CARGO_MANIFEST_DIR"))
}

pub fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tillgate-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

pub fn json(done: &Done) -> Json {
    serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {} {}", done.out, done.err))
}

/// A unified diff of one file, applied: every line it takes away or keeps must be there.
pub fn apply(text: &str, patch: &str) -> String {
    let old: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut out, mut at) = (String::new(), 0);
    for line in patch.split_inclusive('\n').skip(2) {
        if let Some(head) = line.strip_prefix("@@ -") {
            let first: usize = head.split([',', ' ']).next().unwrap().parse().unwrap();
            let empty = head.split(' ').next().unwrap().ends_with(",0");
            let upto = if empty { first } else { first - 1 };
            out.extend(old[at..upto].iter().copied());
            at = upto;
        } else if let Some(new) = line.strip_prefix('+') {
            out.push_str(new);
        } else {
            assert_eq!(old[at], &line[1..], "the patch fits");
            out.push_str(if line.starts_with(' ') { old[at] } else { "" });
            at += 1;
        }
    }
    out.extend(old[at..].iter().copied());
    out
}
