//! Findings for other programs, fleets of collected configurations, and what is untidy in a rule set.
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, json, scratch, tillgate};
use serde_json::Value as Json;

fn findings(text: &str, more: &str) -> Vec<(String, u64, String)> {
    let done = tillgate(&format!("verify --config - --format json {more}"), text);
    let mut out: Vec<(String, u64, String)> = Vec::new();
    for finding in json(&done)["findings"].as_array().unwrap() {
        let rule = finding["evidence"].as_array().unwrap().iter().find(|e| e["kind"] == "rule").unwrap();
        let message = finding["message"].as_str().unwrap().to_string();
        out.push((finding["id"].as_str().unwrap().to_string(), rule["line"].as_u64().unwrap(), message));
    }
    out
}

fn has(list: &[(String, u64, String)], id: &str, line: u64) -> bool {
    list.iter().any(|(i, l, _)| i == id && *l == line)
}

#[test]
fn untidy_rules_are_found_exactly() {
    let chain = |rules: &str| {
        format!(
            "table inet t {{ chain c {{ type filter hook forward priority 0; policy drop;\n{rules}}}\n}}\n"
        )
    };
    // Two later rules together do the same; one of them alone does not.
    let list = findings(
        &chain(
            "ip saddr 10.0.0.0/24 tcp dport 443 accept\nip saddr 10.0.0.0/25 tcp dport 1-1000 accept\nip saddr 10.0.0.128/25 tcp dport 400-500 accept\n",
        ),
        "",
    );
    assert!(has(&list, "rule-redundant", 2), "{list:?}");
    assert!(list.iter().all(|(id, line, _)| id != "rule-redundant" || *line == 2), "{list:?}");
    // A deny between them makes it needed.
    let list = findings(
        &chain(
            "ip saddr 10.0.0.0/24 tcp dport 443 accept\nip saddr 10.0.0.7 drop\nip saddr 10.0.0.0/16 tcp dport 443 accept\n",
        ),
        "",
    );
    assert!(!list.iter().any(|(id, ..)| id == "rule-redundant"), "{list:?}");
    // Neither is an exception of the other.
    let list = findings(&chain("ip saddr 10.0.0.0/24 drop\ntcp dport 443 accept\n"), "");
    assert!(has(&list, "rule-conflicting", 3), "{list:?}");
    // An exception before the rule it is made from is none.
    let list = findings(&chain("ip saddr 10.0.0.7 tcp dport 443 drop\ntcp dport 443 accept\n"), "");
    assert!(!list.iter().any(|(id, ..)| id == "rule-conflicting"), "{list:?}");
    // A line that stands for several rules is untidy only as a whole.
    let part = "tcp dport 443 accept\nmeta l4proto tcp tcp dport vmap { 443 : accept, 80 : accept }\n";
    let list = findings(&chain(part), "");
    assert!(!has(&list, "rule-shadowed", 3), "{list:?}");
    let whole = "tcp dport 1-500 accept\nmeta l4proto tcp tcp dport vmap { 443 : accept, 80 : accept }\n";
    let list = findings(&chain(whole), "");
    assert!(has(&list, "rule-shadowed", 3), "{list:?}");
    // No packet is both.
    let list =
        findings(&chain("ip saddr 10.0.0.0/24 ip saddr 10.0.1.0/24 accept\ntcp dport 443 accept\n"), "");
    assert!(has(&list, "rule-redundant", 2), "{list:?}");
}

#[test]
fn a_rule_past_its_date_is_told_by_the_date_asked_for() {
    let table = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p tcp -m tcp --dport 443 -m time --datestop 2026-06-30T00:00:00 -j ACCEPT\nCOMMIT\n";
    let before = findings(table, "--now 2026-06-01");
    assert!(!before.iter().any(|(id, ..)| id == "rule-expired"), "{before:?}");
    let after = findings(table, "--now 2026-07-02");
    assert!(has(&after, "rule-expired", 3), "{after:?}");
}

#[test]
fn an_insecure_service_the_estate_asks_for_is_told() {
    let folder = scratch("insecure");
    let bistro = std::fs::read_to_string(example("bistro/estate.toml")).unwrap();
    let exception = "\n[[site.exception]]\nallow = \"tcp pos -> 198.51.100.7:23\"\nreason = \"old gateway\"\nowner = \"it@bistro.example\"\nexpires = 2027-03-31\n";
    std::fs::write(folder.join("estate.toml"), format!("{bistro}{exception}")).unwrap();
    let estate = folder.display().to_string();
    let rendered = tillgate(&format!("render bistro --estate {estate}"), "");
    assert_eq!(rendered.code, 0, "{}", rendered.err);
    let done = tillgate(&format!("verify bistro --estate {estate} --config - --format json"), &rendered.out);
    let found = json(&done);
    let found = found["findings"].as_array().unwrap();
    assert!(
        found
            .iter()
            .any(|f| f["id"] == "insecure-service" && f["message"].as_str().unwrap().contains("Telnet")),
        "{found:#?}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sarif_has_what_code_review_reads() {
    let bistro = example("bistro");
    let done = tillgate(
        &format!("verify bistro --estate {bistro} --config {bistro}/firewall.nft --format sarif"),
        "",
    );
    assert_eq!(done.code, 1, "{}", done.err);
    let document = json(&done);
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let (from, to) = (region["startColumn"].as_u64().unwrap(), region["endColumn"].as_u64().unwrap());
        assert!(region["startLine"].as_u64().unwrap() >= 1 && to > from, "{result}");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
    }
    let ids: Vec<&str> =
        run["results"].as_array().unwrap().iter().map(|r| r["ruleId"].as_str().unwrap()).collect();
    assert!(ids.contains(&"flow-blocked") && ids.contains(&"rule-shadowed"), "{ids:?}");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn collected_configurations_are_found_as_backup_tools_leave_them() {
    let folder = scratch("collected");
    let chain = example("chain");
    let done = tillgate(&format!("render --all --estate {chain} -o {}/rendered", folder.display()), "");
    assert_eq!(done.code, 0, "{}", done.err);
    // One file a node in a folder a group, with a version control's folder beside them; one node is broken.
    let configs = folder.join("collected/shops/configs");
    std::fs::create_dir_all(&configs).unwrap();
    std::fs::create_dir_all(folder.join("collected/.git")).unwrap();
    std::fs::write(folder.join("collected/.git/kiel"), "not a configuration").unwrap();
    for entry in std::fs::read_dir(folder.join("rendered")).unwrap() {
        let site = entry.unwrap().file_name().into_string().unwrap();
        // By name the sets count as filled only with the resolver's file beside them.
        if site != "muenchen" {
            std::fs::copy(folder.join(format!("rendered/{site}/{site}.nft")), configs.join(&site)).unwrap();
        }
    }
    std::fs::copy(folder.join("rendered/muenchen/muenchen.nft"), configs.join("muenchen")).unwrap();
    std::fs::write(configs.join("kiel"), "table inet t {").unwrap();
    let verify = format!("verify --all --estate {chain} --config {}/collected --format", folder.display());
    let done = tillgate(&format!("{verify} json"), "");
    assert_eq!(done.code, 2, "{}", done.err);
    let summary = json(&done)["summary"].clone();
    assert_eq!(
        (&summary["holds"], &summary["unreadable"], &summary["undecided"]),
        (&23.into(), &1.into(), &1.into())
    );
    let junit = tillgate(&format!("{verify} junit"), "");
    assert_eq!(junit.out.matches("<testsuite ").count(), 25, "{}", junit.out);
    assert!(
        junit.out.contains("<testsuite name=\"kiel\" tests=\"1\" failures=\"0\" errors=\"1\""),
        "{}",
        junit.out
    );
    let sarif = json(&tillgate(&format!("{verify} sarif"), ""));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let markdown = tillgate(&format!("{verify} markdown --lang de"), "");
    assert!(
        markdown.out.contains("## kiel:") && markdown.out.contains("## aachen: hält"),
        "{}",
        markdown.out
    );
    assert_eq!(tillgate("catalog list --format sarif", "").code, 2);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn how_flows_are_held_is_told() {
    let chain = example("chain");
    let folder = scratch("held");
    let held = |site: &str| -> Vec<(String, Json)> {
        let place = folder.join(site);
        let done = tillgate(&format!("render {site} --estate {chain} -o {}", place.display()), "");
        assert_eq!(done.code, 0, "{}", done.err);
        let done = tillgate(
            &format!("verify {site} --estate {chain} --config {} --format json", place.display()),
            "",
        );
        let flows = json(&done)["flows"].as_array().unwrap().clone();
        flows.iter().map(|f| (f["id"].as_str().unwrap().to_string(), f["held"].clone())).collect()
    };
    let port = held("aachen");
    assert!(port.iter().any(|(id, by)| id.ends_with("clover.https") && by == "port"), "{port:?}");
    let named = held("muenchen");
    assert!(named.iter().any(|(_, by)| by == "name"), "{named:?}");
    assert!(named.iter().all(|(_, by)| !by.is_null()), "{named:?}");
    std::fs::remove_dir_all(folder).unwrap();
}
