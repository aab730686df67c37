//! One policy on every platform: what is written holds, and is the same by `diff` in every pair, apart from what a
//! platform is documented not to express (docs/reference/platforms).
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, json, scratch, tillgate};
use rayon::prelude::*;
use serde_json::Value as Json;
use tillgate_platforms::PLATFORMS;

/// Sites that are compared: the plainest, one with IPv6, one with an exception, one by name, one with two uplinks.
const COMPARED: [&str; 5] = ["aachen", "hamburg", "koeln", "muenchen", "wien"];

/// Where a platform refuses a site instead of writing less than it asks for.
const REFUSED: &[(&str, &str)] = &[("ios", "muenchen")];

/// Whether a protocol, or a range of protocol numbers, has TCP, UDP or ICMP in it.
fn followed(protocols: &str) -> bool {
    let (lo, hi) = protocols.split_once('-').unwrap_or((protocols, protocols));
    match (lo.parse::<u8>(), hi.parse::<u8>()) {
        (Ok(lo), Ok(hi)) => [1, 6, 17, 58].iter().any(|p| (lo..=hi).contains(p)),
        _ => ["tcp", "udp", "icmp", "icmpv6"].contains(&protocols),
    }
}

/// What a platform is documented to do differently from the others.
fn documented(platform: &str, area: &Json) -> bool {
    let is = |key: &str, list: &[&str]| area[key] == serde_json::json!(list);
    let all = |key: &str, fits: fn(&str) -> bool| {
        area[key].as_array().is_some_and(|l| !l.is_empty() && l.iter().all(|a| a.as_str().is_some_and(fits)))
    };
    // No loopback interface to accept from.
    let loopback = is("in", &["lo"]);
    // A resolver fills sets with what is below a name too; an object by name is that name.
    let below = all("name", |a| a.starts_with("*."));
    let multicast = all("destination", |a| a.starts_with("224.") || a.starts_with("ff00:"));
    // Interfaces the estate knows nothing about: `*` is any that neither side names.
    let outside = all("in", |i| i == "lo" || i == "*");
    let not_new = all("state", |s| s != "new");
    match platform {
        "ios" => {
            // Interfaces in no zone are not filtered, and what passes without inspection is not asked for its state.
            outside
                || not_new
                // The router's own lease: answers to it are seen by the zone policy.
                || is("source_port", &["67"])
                // Sessions are followed for TCP, UDP and ICMP only.
                || all("protocol", |p| !followed(p))
        }
        "routeros" => loopback || below,
        "vyos" => below,
        "fortios" => {
            loopback
                || below
                // A session opens with SYN or a request, and multicast has a table of its own.
                || area.get("tcp_flags").is_some()
                || area.get("type").is_some()
                || multicast
                // Forged sources are dropped by the routing table, which is not in the file.
                || is("state", &["established", "related"])
                || is("source_port", &["68"])
                || is("source_port", &["547"])
        }
        _ => false,
    }
}

#[test]
fn every_platform_says_the_same() {
    let folder = scratch("platforms");
    let chain = example("chain");
    let names: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
    let sites: Vec<String> = {
        let plan = tillgate(&format!("plan --all --estate {chain} --format json"), "");
        json(&plan)["sites"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["site"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(sites.len(), 25);
    let refused = |platform: &str, site: &str| REFUSED.contains(&(platform, site));
    names.par_iter().for_each(|name| {
        for site in &sites {
            let place = folder.join(name).join(site);
            let done = tillgate(
                &format!("render {site} --estate {chain} --platform {name} -o {}", place.display()),
                "",
            );
            if refused(name, site) {
                assert_eq!(done.code, 2, "{name}: {site} is said to be refused");
                assert!(!done.err.is_empty() && !place.exists(), "{name}: {}", done.err);
                continue;
            }
            assert_eq!(done.code, 0, "{name}: {site}: {}", done.err);
            let done = tillgate(
                &format!("verify {site} --estate {chain} --config {} --format json", place.display()),
                "",
            );
            assert_eq!(done.code, 0, "{name}: {site}: {}{}", done.out, done.err);
        }
    });
    let pairs: Vec<(&str, &str, &str)> = names
        .iter()
        .enumerate()
        .flat_map(|(at, one)| names[at + 1..].iter().map(move |other| (*one, *other)))
        .flat_map(|(one, other)| COMPARED.iter().map(move |site| (one, other, *site)))
        .filter(|(one, other, site)| !refused(one, site) && !refused(other, site))
        .collect();
    let wrong: Vec<String> = pairs
        .par_iter()
        .filter_map(|(one, other, site)| {
            let place = |name: &str| folder.join(name).join(site).display().to_string();
            let done = tillgate(&format!("diff {} {} --format json", place(one), place(other)), "");
            let found = json(&done);
            let mut differing = ["opened", "closed", "redirected"]
                .into_iter()
                .flat_map(|list| found[list].as_array().unwrap().iter().map(move |area| (list, area)))
                .filter(|(_, area)| !documented(one, area) && !documented(other, area))
                .peekable();
            differing.peek()?;
            let list: Vec<String> = differing.map(|(list, area)| format!("  {list} {area}")).collect();
            Some(format!("{site}: {one} and {other}\n{}", list.join("\n")))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} pairs differ\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
    std::fs::remove_dir_all(folder).unwrap();
}
