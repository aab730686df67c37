//! `tillgate check` in a shop of namespaces with real servers: all green when all is well, then one fault at a time.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "live/shop.rs"]
mod shop;

use serde_json::Value as Json;
use shop::{DNS, Shop};

/// Findings as `(id, message)`, those that only the lab itself causes left aside.
fn found(value: &Json) -> Vec<(String, String)> {
    let list = value["findings"].as_array().unwrap();
    list.iter()
        .map(|f| (f["id"].as_str().unwrap().to_string(), f["message"].as_str().unwrap().to_string()))
        .collect()
}

/// The fault is named by these ids, each with these words, and nothing else is said to fail.
fn only(value: &Json, expected: &[(&str, &str)]) {
    let list = found(value);
    for (id, words) in expected {
        assert!(list.iter().any(|(i, m)| i == id && m.contains(words)), "no {id} with {words:?}: {list:#?}");
    }
    let stray: Vec<_> = list.iter().filter(|(id, _)| !expected.iter().any(|(e, _)| e == id)).collect();
    assert!(stray.is_empty(), "{stray:#?}");
}

const QUICK: &str = "--deadline 4s --samples 2";

#[test]
fn a_healthy_shop_is_green() {
    let shop = Shop::new();
    let (code, value) = shop.check("pos", QUICK);
    assert_eq!(code, 0, "{value:#}");
    assert!(found(&value).is_empty(), "{value:#}");
    let probes = value["probes"].as_array().unwrap();
    let passing: Vec<&str> =
        probes.iter().filter(|p| p["reach"] == "passes").filter_map(|p| p["kind"].as_str()).collect();
    for kind in ["dns", "tls", "ntp", "sip", "udp", "http", "portal", "path", "conflict"] {
        assert!(passing.contains(&kind), "{kind}: {value:#}");
    }
    assert_eq!(value["host"]["device"], "counter-1");
}
