//! `nft -j list ruleset` turned into the text nft would print, which the one reader then reads.
//!
//! Lines of the text stand for the rules of the JSON, which has none worth quoting. What has no text form is
//! written as a word the reader does not know, so it ends as *not modelled*, never as nothing.

use serde_json::Value as Json;
use std::fmt::Write;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// The text of a JSON listing.
pub fn to_text(file: &Arc<SourceFile>) -> Result<Arc<SourceFile>, Box<Diagnostic>> {
    let fail = |at: usize, text: Text| Box::new(Diagnostic::error(Span::new(file, at, at), text));
    let root: Json = serde_json::from_str(&file.text).map_err(|error| {
        let line =
            file.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let at = (line + error.column().saturating_sub(1)).min(file.text.len());
        fail(at, Text::new("json-syntax").arg("detail", error))
    })?;
    let Some(list) = root.get("nftables").and_then(Json::as_array) else {
        return Err(fail(0, Text::new("json-no-nftables")));
    };
    let mut out = String::new();
    for item in list {
        // Commands wrap their object: {"add": {"rule": …}}.
        let object = match item.get("add").or_else(|| item.get("create")) {
            Some(inner) => inner,
            None => item,
        };
        let Some((kind, body)) = object.as_object().and_then(|o| o.iter().next()) else { continue };
        let text = |key: &str| body.get(key).and_then(Json::as_str).unwrap_or_default();
        let place = format!("{} {}", text("family"), text("table"));
        match kind.as_str() {
            "metainfo" | "flush" | "flowtable" | "counter" | "quota" | "limit" | "ct helper"
            | "ct timeout" | "ct expectation" | "secmark" | "synproxy" => {}
            "table" => {
                let dormant = body.get("flags").is_some_and(|f| f.to_string().contains("dormant"));
                let flags = if dormant { " flags dormant; " } else { "" };
                let _ = writeln!(out, "table {} {} {{{flags}}}", text("family"), text("name"));
            }
            "chain" => {
                let mut head = String::new();
                if let Some(hook) = body.get("hook").and_then(Json::as_str) {
                    let priority = body.get("prio").map(Json::to_string).unwrap_or("0".into());
                    let device = match body.get("dev") {
                        Some(Json::String(name)) => format!(" device \"{name}\""),
                        Some(list @ Json::Array(_)) => format!(" devices = {{ {} }}", join(list, ", ")),
                        _ => String::new(),
                    };
                    let policy = body.get("policy").and_then(Json::as_str).unwrap_or("accept");
                    head = format!(
                        "type {} hook {hook}{device} priority {priority}; policy {policy};",
                        text("type")
                    );
                }
                let _ = writeln!(out, "add chain {place} {} {{ {head} }}", text("name"));
            }
            "set" | "map" => {
                let flags = body.get("flags").map(|f| join(f, ",")).unwrap_or_default();
                let mut inner = format!("type {};", join_type(body.get("type")));
                if !flags.is_empty() {
                    let _ = write!(inner, " flags {flags};");
                }
                if body.get("timeout").is_some() {
                    inner.push_str(" timeout 1s;");
                }
                if let Some(elements) = body.get("elem").and_then(Json::as_array) {
                    let list: Vec<String> = elements.iter().map(element).collect();
                    let _ = write!(inner, " elements = {{ {} }};", list.join(", "));
                }
                let _ = writeln!(out, "add {kind} {place} {} {{ {inner} }}", text("name"));
            }
            "element" => {
                if let Some(elements) = body.get("elem").and_then(Json::as_array) {
                    let list: Vec<String> = elements.iter().map(element).collect();
                    let _ = writeln!(out, "add element {place} {} {{ {} }}", text("name"), list.join(", "));
                }
            }
            "rule" => {
                let list = body.get("expr").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
                let mut words: Vec<String> = list.iter().map(statement).collect();
                if let Some(comment) = body.get("comment").and_then(Json::as_str) {
                    words.push(format!("comment {}", quote(comment)));
                }
                let _ = writeln!(out, "add rule {place} {} {}", text("chain"), words.join(" "));
            }
            other => {
                let _ = writeln!(out, "{}", quote(other));
            }
        }
    }
    Ok(SourceFile::new(format!("{} (as text)", file.name), out))
}

fn quote(text: &str) -> String {
    format!("\"{}\"", super::text::comment(text))
}

fn join(value: &Json, with: &str) -> String {
    match value {
        Json::Array(list) => list.iter().map(|v| join(v, with)).collect::<Vec<_>>().join(with),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn join_type(value: Option<&Json>) -> String {
    value.map(|v| join(v, " . ")).unwrap_or_else(|| "ipv4_addr".into())
}

fn unknown(name: &str) -> String {
    format!("unmodelled-{}", super::text::slug(name))
}

/// An element of a set or map: a value, a pair, or a value with options.
fn element(value: &Json) -> String {
    match value {
        Json::Array(pair) if pair.len() == 2 => format!("{} : {}", element(&pair[0]), data(&pair[1])),
        Json::Object(object) if object.contains_key("elem") => {
            object["elem"].get("val").map(element).unwrap_or_default()
        }
        other => expression(other),
    }
}

/// What a map leads to: a verdict or a value.
fn data(value: &Json) -> String {
    match value.as_object().and_then(|o| o.iter().next()) {
        Some((name, body))
            if matches!(name.as_str(), "accept" | "drop" | "return" | "continue" | "jump" | "goto") =>
        {
            verdict(name, body)
        }
        _ => expression(value),
    }
}

fn verdict(name: &str, body: &Json) -> String {
    match body.get("target").and_then(Json::as_str) {
        Some(target) => format!("{name} {target}"),
        None => name.to_string(),
    }
}

fn expression(value: &Json) -> String {
    match value {
        Json::String(text) => {
            let plain =
                text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '/'));
            if text.starts_with('@') || (plain && !text.is_empty()) { text.clone() } else { quote(text) }
        }
        Json::Number(n) => n.to_string(),
        Json::Bool(b) => {
            if *b {
                "exists".into()
            } else {
                "missing".into()
            }
        }
        Json::Array(list) => list.iter().map(expression).collect::<Vec<_>>().join(","),
        Json::Object(object) => match object.iter().next() {
            Some((name, body)) => named(name, body),
            None => unknown("empty"),
        },
        Json::Null => unknown("null"),
    }
}

fn named(name: &str, body: &Json) -> String {
    let text = |key: &str| body.get(key).and_then(Json::as_str).unwrap_or_default();
    let items = || body.as_array().map_or(&[][..], Vec::as_slice);
    match name {
        "payload" if body.get("protocol").is_some() => format!("{} {}", text("protocol"), text("field")),
        "payload" => "th unmodelled-raw".into(),
        "meta" => format!("meta {}", text("key")),
        "ct" => match body.get("dir").and_then(Json::as_str) {
            Some(direction) => format!("ct {direction} {}", text("key")),
            None => format!("ct {}", text("key")),
        },
        "fib" => {
            let flags = body.get("flags").map(|f| join(f, " . ")).unwrap_or_default();
            format!("fib {flags} {}", text("result"))
        }
        "prefix" => format!(
            "{}/{}",
            body.get("addr").map(expression).unwrap_or_default(),
            body.get("len").cloned().unwrap_or_default()
        ),
        "range" => match items() {
            [lo, hi] => format!("{}-{}", expression(lo), expression(hi)),
            _ => unknown("range"),
        },
        "set" => match body {
            Json::Array(list) => format!("{{ {} }}", list.iter().map(element).collect::<Vec<_>>().join(", ")),
            other => expression(other),
        },
        "concat" => items().iter().map(expression).collect::<Vec<_>>().join(" . "),
        "elem" => body.get("val").map(expression).unwrap_or_default(),
        "map" => {
            let key = body.get("key").map(expression).unwrap_or_default();
            format!("{key} map {}", body.get("data").map(expression).unwrap_or_default())
        }
        "&" | "|" | "^" | "<<" | ">>" => match items() {
            [a, b] => {
                let wrap = |v: &Json| match expression(v) {
                    text if text.contains(" | ") => format!("({text})"),
                    text => text,
                };
                let many = items().get(1).and_then(Json::as_array).is_some();
                let right = if many {
                    format!(
                        "({})",
                        items()[1].as_array().map_or(String::new(), |l| l
                            .iter()
                            .map(expression)
                            .collect::<Vec<_>>()
                            .join(" | "))
                    )
                } else {
                    wrap(b)
                };
                format!("{} {name} {right}", wrap(a))
            }
            list => list.iter().map(expression).collect::<Vec<_>>().join(&format!(" {name} ")),
        },
        "rt" | "socket" => format!("{name} {}", text("key")),
        "exthdr" => format!("exthdr {}", text("name")),
        "tcp option" => format!("tcp option {} {}", text("name"), text("field")),
        "osf" => "osf name".into(),
        other => unknown(other),
    }
}

fn statement(value: &Json) -> String {
    let Some((name, body)) = value.as_object().and_then(|o| o.iter().next()) else {
        return value.as_str().map_or_else(|| unknown("statement"), str::to_string);
    };
    let text = |key: &str| body.get(key).and_then(Json::as_str).unwrap_or_default();
    match name.as_str() {
        "match" => {
            let left = body.get("left").map(expression).unwrap_or_default();
            let right = body.get("right").map(expression).unwrap_or_default();
            // "in" is the comparison by bits that the text form leaves out.
            let op = match text("op") {
                "in" => String::new(),
                op => format!(" {op}"),
            };
            format!("{left}{op} {right}")
        }
        "accept" | "drop" | "return" | "continue" | "jump" | "goto" => verdict(name, body),
        "vmap" => {
            let key = body.get("key").map(expression).unwrap_or_default();
            format!("{key} vmap {}", body.get("data").map(expression).unwrap_or_default())
        }
        "counter" => "counter".into(),
        "log" => match body.get("prefix").and_then(Json::as_str) {
            Some(prefix) => format!("log prefix {}", quote(prefix)),
            None => "log".into(),
        },
        "limit" => {
            let over = if body.get("inv").and_then(Json::as_bool) == Some(true) { "over " } else { "" };
            let rate = body.get("rate").cloned().unwrap_or_default();
            format!("limit rate {over}{rate}/{}", if text("per").is_empty() { "second" } else { text("per") })
        }
        "reject" => "reject".into(),
        "notrack" => "notrack".into(),
        "masquerade" => "masquerade".into(),
        "snat" => "snat to 0.0.0.0".into(),
        "dnat" | "redirect" => {
            let address = body.get("addr").map(expression);
            let port = body.get("port").map(expression);
            match (address, port) {
                (None, None) => name.clone(),
                (None, Some(port)) => format!("{name} to :{port}"),
                (Some(address), None) => format!("{name} to {address}"),
                (Some(address), Some(port)) if address.contains(':') => {
                    format!("{name} to [{address}]:{port}")
                }
                (Some(address), Some(port)) => format!("{name} to {address}:{port}"),
            }
        }
        "mangle" => {
            let key = body.get("key").map(expression).unwrap_or_default();
            format!("{key} set 0")
        }
        "set" => format!("{} @{} {{ 0 }}", text("op"), text("set").trim_start_matches('@')),
        "quota" => "quota 1 bytes".into(),
        "ct count" => "ct count 1".into(),
        "ct helper" | "ct timeout" | "ct expectation" => "counter".into(),
        "comment" => String::new(),
        "last" => "last".into(),
        other => unknown(other),
    }
}
