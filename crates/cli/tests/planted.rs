//! Faults planted into what is written for each platform: found with the planted lines, and mended by a patch.
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, json, scratch, tillgate};
use serde_json::Value as Json;

#[path = "planted/asa.rs"]
mod asa;
#[path = "planted/fortios.rs"]
mod fortios;
#[path = "planted/ios.rs"]
mod ios;
#[path = "planted/iptables.rs"]
mod iptables;
#[path = "planted/nftables.rs"]
mod nftables;
#[path = "planted/openwrt.rs"]
mod openwrt;
#[path = "planted/opnsense.rs"]
mod opnsense;
#[path = "planted/pf.rs"]
mod pf;
#[path = "planted/routeros.rs"]
mod routeros;
#[path = "planted/vyos.rs"]
mod vyos;

/// The lines of a text but those with any of these in them.
fn without(text: &str, gone: &[&str]) -> String {
    let keep = |line: &&str| !gone.iter().any(|g| line.contains(g));
    text.lines().filter(keep).map(|l| format!("{l}\n")).collect()
}

/// A unified diff of one file, applied: every line it takes away or keeps must be there.
fn apply(text: &str, patch: &str) -> String {
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

fn found_and_mended(platform: &str, plant: fn(&str) -> String, marks: &[(&str, &str)], lines: usize) {
    let bistro = example("bistro");
    let verify = format!("verify bistro --estate {bistro} --platform {platform} --config");
    let rendered = tillgate(&format!("render bistro --estate {bistro} --platform {platform}"), "");
    assert_eq!(rendered.code, 0, "{}", rendered.err);
    let text = plant(&rendered.out);
    assert_ne!(text, rendered.out);
    let done = tillgate(&format!("{verify} - --format json"), &text);
    assert_eq!(done.code, 1, "{}{}", done.out, done.err);
    let document = json(&done);
    let findings = document["findings"].as_array().unwrap();
    for (id, mark) in marks {
        let found = findings.iter().filter(|f| f["id"] == *id).any(|f| {
            let places = f["evidence"].as_array().unwrap().iter().filter(|e| e["kind"] == "rule");
            places.filter_map(|e| e["line"].as_u64()).any(|n| {
                let from = text.lines().skip(n as usize - 1).take(lines);
                mark.is_empty() || from.collect::<Vec<_>>().join(" ").contains(mark)
            })
        });
        assert!(found, "{platform}: no {id} at {mark:?}\n{}", done.out);
    }
    let clock =
        findings.iter().any(|f| f["id"] == "flow-blocked" && f["subject"]["requirement"] == "clover.time");
    assert!(clock, "{platform}: the blocked clock is found");

    // What mends it all is proved, and holds when it is read afresh.
    let folder = scratch(&format!("planted-{platform}"));
    let file = folder.join("firewall.conf");
    std::fs::write(&file, &text).unwrap();
    let fixed = tillgate(&format!("{verify} {} --fix", file.display()), "");
    assert_eq!(fixed.code, 0, "{platform}: {}\n{}", fixed.err, fixed.out);
    std::fs::write(&file, apply(&text, &fixed.out)).unwrap();
    let held = tillgate(&format!("{verify} {} --format json", file.display()), "");
    assert_eq!(held.code, 0, "{platform}: {}{}", held.out, held.err);
    let left: Vec<_> = json(&held)["findings"].as_array().unwrap().to_vec();
    // Which of two contradicting rules is meant nobody but their author knows.
    let minor = |f: &&Json| f["severity"] == "low" || f["id"] == "rule-conflicting";
    let left: Vec<_> = left.iter().filter(|f| !minor(f)).collect();
    assert!(left.is_empty(), "{platform}: {left:#?}");
    std::fs::remove_dir_all(folder).unwrap();
}

macro_rules! platforms {
    ($($name:ident)*) => {
        $(
            mod $name {
                #[test]
                fn faults_are_found_and_mended() {
                    super::found_and_mended(stringify!($name), super::super::$name::plant, super::super::$name::MARKS, super::super::$name::LINES);
                }
            }
        )*
    };
}

mod platform {
    use super::found_and_mended;

    platforms!(asa fortios ios iptables nftables openwrt opnsense pf routeros vyos);
}
