//! Faults planted into what is written for each platform: found with the planted lines, and mended by a patch.
#![allow(clippy::unwrap_used)]

mod common;

use common::{apply, example, json, scratch, tillgate};
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
    // Nothing passes that does not in what was written, and nothing is lost of it.
    let sound = folder.join("rendered.conf");
    std::fs::write(&sound, &rendered.out).unwrap();
    let same = tillgate(
        &format!(
            "diff {} {} --site bistro --estate {bistro} --platform {platform} --platform {platform} --format json",
            sound.display(),
            file.display()
        ),
        "",
    );
    // The deny of the clock stays for whom the site's plan says nothing of it.
    for kind in ["opened", "closed", "redirected"] {
        for change in json(&same)[kind].as_array().unwrap() {
            let has = |field: &str, value: &str| {
                change[field].as_array().is_some_and(|list| list.iter().any(|v| v == value))
            };
            let of_terminals = has("in", "eth1.20") && has("out", "eth0");
            let clock = change["destination_port"] == serde_json::json!(["123"]);
            assert!(
                !has("state", "new") || clock && of_terminals == (kind == "opened"),
                "{platform} {kind}: {change:#}"
            );
        }
    }
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
