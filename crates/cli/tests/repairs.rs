//! What a repair may open and close: compared packet by packet, not by what is found.
#![allow(clippy::unwrap_used)]

mod common;

use common::{apply, example, json, scratch, tillgate};
use serde_json::Value as Json;

/// The bistro's own rules with other ones before what is denied, mended: what the patch opens and closes.
fn mended(name: &str, rules: &[&str]) -> (String, Json) {
    let bistro = example("bistro");
    let rendered = tillgate(&format!("render bistro --estate {bistro}"), "").out;
    let last =
        rendered.find("\t\tlimit rate 10/second burst 50 packets log prefix \"tillgate forward deny: \"");
    let rules: String = rules.iter().map(|rule| format!("\t\t{rule}\n")).collect();
    let text = format!("{}{rules}{}", &rendered[..last.unwrap()], &rendered[last.unwrap()..]);
    let folder = scratch(name);
    let (old, new) = (folder.join("old.nft"), folder.join("new.nft"));
    std::fs::write(&old, &text).unwrap();
    let fixed = tillgate(&format!("verify bistro --estate {bistro} --config {} --fix", old.display()), "");
    let after = if fixed.out.is_empty() { text.clone() } else { apply(&text, &fixed.out) };
    std::fs::write(&new, &after).unwrap();
    let diff = tillgate(&format!("diff {} {} --format json", old.display(), new.display()), "");
    let diff = json(&diff);
    std::fs::remove_dir_all(folder).unwrap();
    (after, diff)
}

fn boxes<'a>(diff: &'a Json, kind: &str) -> &'a Vec<Json> {
    diff[kind].as_array().unwrap()
}

#[test]
fn a_deny_that_somebody_needs_stays() {
    // Nothing of the site is judged between the internet and guests; the drop still says something.
    let rules = [
        "iifname \"eth0\" oifname \"eth1.30\" udp dport 161 drop",
        "iifname \"eth0\" oifname \"eth1.30\" udp dport 100-200 counter accept",
    ];
    let (after, diff) = mended("needed-deny", &rules);
    assert!(after.contains("udp dport 161 drop") || boxes(&diff, "opened").is_empty(), "{diff:#}");
    assert!(boxes(&diff, "opened").is_empty(), "{diff:#}");
}

#[test]
fn a_rule_shared_with_others_is_not_taken_from_them() {
    // The office's mail goes by the rule that is too wide for the terminals.
    let office =
        "iifname { \"eth1.10\", \"eth1.20\" } oifname \"eth1.30\" tcp dport { 25, 587, 993 } counter accept";
    let (_, diff) = mended("shared", &[office]);
    for change in boxes(&diff, "closed") {
        let from = change["box"]["in"].to_string();
        assert!(!from.contains("eth1.10"), "{change:#}");
    }
}

#[test]
fn a_wide_rule_is_not_replaced_by_a_wider_one() {
    let shared =
        "iifname { \"eth1.10\", \"eth1.20\" } oifname \"eth0\" tcp dport { 443, 5432 } counter accept";
    let (_, diff) = mended("wider", &[shared]);
    assert!(boxes(&diff, "opened").is_empty(), "{diff:#}");
}
