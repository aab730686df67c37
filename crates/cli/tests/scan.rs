//! `tillgate scan` in a segment of namespaces with real servers: clean when all is well, then one thing at a time.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "scan/lab.rs"]
mod lab;

use lab::{ESTATE, Lab};
use serde_json::Value as Json;

/// Findings as `id message`.
fn found(value: &Json) -> Vec<String> {
    let list = value["findings"].as_array().unwrap();
    list.iter().map(|f| format!("{} {}", f["id"].as_str().unwrap(), f["message"].as_str().unwrap())).collect()
}

/// These and no others.
fn only(value: &Json, expected: &[(&str, &str)]) {
    let list = found(value);
    for (id, words) in expected {
        assert!(list.iter().any(|f| f.starts_with(id) && f.contains(words)), "no {id} {words:?}: {list:#?}");
    }
    assert_eq!(list.len(), expected.len(), "{list:#?}");
}

/// Changes as `kind message`.
fn changes(value: &Json) -> Vec<String> {
    let list = value["changes"].as_array().unwrap();
    list.iter()
        .map(|c| format!("{} {}", c["what"]["kind"].as_str().unwrap(), c["message"].as_str().unwrap()))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_healthy_segment_holds_and_its_printer_prints_nothing() {
    let lab = Lab::new();
    let baseline = lab.path("baseline.jsonl").display().to_string();
    let metrics = lab.path("scan.prom").display().to_string();
    let arguments = format!("--format json --udp --baseline {baseline} --metrics {metrics}");
    let done = lab.run("scan", &arguments);
    let value: Json = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{value:#} {}", text(&done.stderr));
    only(&value, &[]);
    assert_eq!(value["schema"], "tillgate.scan/1");
    assert_eq!((&value["from"], &value["is_complete"]), (&"pos".into(), &true.into()));
    assert_eq!(value["measured"]["engine"], "raw");
    let devices = value["devices"].as_array().unwrap();
    let ports = |address: &str| -> Vec<(u64, String)> {
        let device = devices.iter().find(|d| d["addresses"][0] == address).unwrap();
        let list = device["ports"].as_array().unwrap();
        list.iter()
            .map(|p| (p["port"].as_u64().unwrap(), p["service"]["name"].as_str().unwrap_or("").to_string()))
            .collect()
    };
    assert_eq!(ports("10.17.20.1"), [(53, "domain".into()), (53, "domain".into())], "TCP and UDP");
    assert_eq!(ports("10.17.20.11")[0].0, 12345);
    assert_eq!(ports("10.17.20.40"), [(9100, "pdl-datastream".into())]);
    assert!(ports("10.17.20.12").is_empty() && ports("10.17.10.20").is_empty());
    assert!(!lab.path("printed").exists(), "nothing was sent to the printer");
    // The office lies behind the firewall: what was not asked there is told.
    assert!(value["limits"][0].as_str().unwrap().contains("office"), "{value:#}");
    let metrics = std::fs::read_to_string(metrics).unwrap();
    assert!(metrics.contains("tillgate_scan_devices{site=\"shop\",segment=\"pos\"} 4"), "{metrics}");
    assert!(metrics.contains("tillgate_scan_complete{site=\"shop\"} 1"), "{metrics}");
    let line = std::fs::read_to_string(&baseline).unwrap();
    assert_eq!(line.lines().count(), 1);

    // The second time nothing has changed, and people read it.
    let done = lab.run("scan", &format!("--baseline {baseline}"));
    let out = text(&done.stdout);
    assert!(out.contains("no change") && out.contains("shop: holds"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 160), "{out}");
    let done = lab.run("scan", "--fast --lang de --format markdown");
    assert!(text(&done.stdout).contains("shop"), "{}", text(&done.stderr));
    assert!(!lab.path("printed").exists());
}

#[test]
fn strangers_the_misplaced_and_the_missing_are_named() {
    let mut lab = Lab::new();
    lab.host("odd", "10.17.20.99", "00:1b:21:00:00:99");
    lab.wait("odd", "ip link show eth0", "state UP");
    lab.server("web", "odd", "10.17.20.99", 8080, &["silent"]);
    let (code, value) = lab.scan("");
    assert_eq!(code, 1);
    only(&value, &[("device-unknown", "10.17.20.99 (00:1b:21:00:00:99")]);
    assert!(found(&value)[0].contains("tcp/8080"), "{value:#}");
    lab.on("odd", "ip link set eth0 down");

    lab.on("c2", "ip addr del 10.17.20.12/24 dev eth0");
    lab.on("c2", "ip addr add 10.17.20.112/24 dev eth0");
    let (code, value) = lab.scan("");
    assert_eq!(code, 1);
    only(&value, &[("device-misplaced", "counter-2 stands in pos at 10.17.20.112")]);

    lab.on("c2", "ip link set eth0 down");
    let (code, value) = lab.scan("");
    assert_eq!(code, 0, "a device may be switched off");
    only(&value, &[("device-missing", "counter-2 was not seen in pos")]);

    // German, to a person.
    let done = lab.run("scan", "--fast --lang de");
    let out = text(&done.stdout);
    assert!(out.contains("counter-2 wurde in pos nicht gesehen"), "{out}");
    assert!(out.contains("liegt hinter einem Router") && out.contains("zu erwartende"), "{out}");
}

#[test]
fn ports_are_judged_and_held_against_the_baseline() {
    let mut lab = Lab::new();
    let arguments = format!("--baseline {}", lab.path("baseline.jsonl").display());
    let scan = |lab: &Lab| {
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        lab.scan(&arguments)
    };
    assert_eq!(scan(&lab).0, 0);
    lab.server("telnet", "c2", "10.17.20.12", 23, &["telnet"]);
    let (code, value) = scan(&lab);
    assert_eq!(code, 1);
    only(&value, &[("port-open-unexpected", "counter-2 (10.17.20.12) offers tcp/23 telnet")]);
    assert!(found(&value)[0].contains("takes passwords unencrypted"), "{value:#}");
    assert_eq!(changes(&value), ["opened counter-2 (10.17.20.12): tcp/23 is open and was not"]);
    let packet = &value["findings"][0]["evidence"][0]["packet"];
    assert_eq!((&packet["source"], &packet["destination"]), (&"10.17.20.66".into(), &"10.17.20.12".into()));

    lab.stop("telnet");
    let (code, value) = scan(&lab);
    assert_eq!(
        (code, changes(&value)),
        (0, vec!["closed counter-2 (10.17.20.12): tcp/23 is no longer open".into()])
    );

    // A second device of another make takes the printer's place and does the same.
    lab.stop("printer");
    lab.on("pr", "ip link set eth0 address 00:11:62:00:99:99");
    lab.on("pr", "ip route replace default via 10.17.20.1");
    lab.server("printer", "pr", "10.17.20.40", 9100, &["silent"]);
    let (code, value) = scan(&lab);
    assert_eq!(code, 1);
    only(
        &value,
        &[
            ("device-unknown", "of kitchen-printer stands another device"),
            ("device-missing", "kitchen-printer was not seen"),
        ],
    );
    assert!(changes(&value).iter().any(|c| c.starts_with("replaced kitchen-printer")), "{value:#}");

    lab.server("telnet", "c2", "10.17.20.12", 23, &["telnet"]);
    let (_, value) = scan(&lab);
    assert!(changes(&value)[0].contains("tcp/23"), "{value:#}");
    assert!(["reopened", "flapping"].contains(&value["changes"][0]["what"]["kind"].as_str().unwrap()));
    let lines = std::fs::read_to_string(lab.path("baseline.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 5);
    let (_, value) = lab.scan("--ports 1-100 --no-services");
    only(
        &value,
        &[
            ("device-unknown", "kitchen-printer"),
            ("device-missing", "kitchen-printer"),
            ("port-open-unexpected", "offers tcp/23 telnet, which nothing asks for"),
        ],
    );
}

#[test]
fn a_host_that_answers_everything_says_nothing() {
    let mut lab = Lab::new();
    lab.server("trap", "c2", "0.0.0.0", 7, &["silent"]);
    lab.nft(
        "c2",
        "table ip trap { chain in { type nat hook prerouting priority -100; policy accept;\ntcp dport 1-65535 redirect to :7\n}\n}\n",
    );
    let (code, value) = lab.scan("");
    assert_eq!(code, 3, "{value:#}");
    only(&value, &[("port-open-unexpected", "answers on every port")]);
    let device =
        value["devices"].as_array().unwrap().iter().find(|d| d["answers_everything"] == true).unwrap();
    assert_eq!(
        (&device["addresses"][0], device["ports"].as_array().unwrap().len()),
        (&"10.17.20.12".into(), 0)
    );
}

#[test]
fn what_is_not_declared_or_not_agreed_is_not_scanned() {
    let mut lab = Lab::new();
    let refused = |lab: &Lab, space: &str, arguments: &str, words: &str| {
        let done = lab.run(space, arguments);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{arguments}: {said} {}", text(&done.stdout));
        assert!(said.contains(words), "{arguments}: {said}");
    };
    refused(&lab, "scan", "--segment 192.0.2.0/24", "192.0.2.0/24 is in no segment that shop declares");
    refused(&lab, "scan", "--segment 10.17.0.0/16", "in no segment");
    refused(&lab, "scan", "--segment cellar", "shop has no segment cellar (it has: pos, office)");
    lab.space("away");
    refused(&lab, "away", "", "has no address that others can reach");
    lab.host("far", "192.168.77.7", "00:1b:21:00:00:77");
    lab.wait("scan", "ip link show eth0", "state UP");
    refused(&lab, "far", "", "stands in no segment of shop; name what to scan with --segment");

    let wide = ESTATE
        .replace("10.17.10.0/24", "10.18.0.0/17")
        .replace("10.17.10.1\"", "10.18.0.1\"")
        .replace("10.17.10.20", "10.18.0.20");
    std::fs::write(lab.path("estate.toml"), &wide).unwrap();
    refused(&lab, "scan", "--segment office", "more than 4096");
    let (code, value) = lab.scan("--segment 10.18.0.16/29 --ports 22");
    assert_eq!(
        (code, value["segments"][0]["is_complete"].as_bool()),
        (0, Some(false)),
        "a part of it is fine"
    );
    std::fs::write(lab.path("estate.toml"), wide.replace("10.18.0.", "9.18.0.")).unwrap();
    refused(&lab, "scan", "--segment 9.18.0.16/28", "9.18.0.16/28 can be reached from the internet");
}

#[test]
fn a_segment_behind_the_router_is_asked_gently_and_silence_there_is_no_sign() {
    let lab = Lab::new();
    let done = lab.run("scan", "--format json --segment office --ports 20-30,80");
    let value: Json = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{value:#}");
    let devices = value["devices"].as_array().unwrap();
    let addresses: Vec<&str> = devices.iter().map(|d| d["addresses"][0].as_str().unwrap()).collect();
    assert_eq!(addresses, ["10.17.10.1", "10.17.10.20"], "{value:#}");
    assert!(devices.iter().all(|d| d["mac"].is_null() && d["segment"] == "office"));
    assert_eq!((&value["segments"][0]["is_complete"], &value["is_complete"]), (&false.into(), &true.into()));
    let limits = value["limits"].to_string();
    assert!(
        limits.contains("kept silent on 8 usual ports") && limits.contains("missing or shielded"),
        "{limits}"
    );
}

#[test]
fn without_rights_or_in_time_it_says_what_it_could_not_see() {
    let mut lab = Lab::new();
    lab.server("telnet", "c2", "10.17.20.12", 23, &["telnet"]);
    // Where nobody may read the build's folder, a copy.
    let program = lab.path("tillgate").display().to_string();
    std::fs::copy(env!("CARGO_BIN_EXE_tillgate"), &program).unwrap();
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", &program];
    let done = lab.run_by("scan", &nobody, "--format json --fast");
    let value: Json =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e} {}", text(&done.stderr)));
    assert!(text(&done.stderr).contains("CAP_NET_RAW"), "{}", text(&done.stderr));
    assert_eq!(done.status.code(), Some(1), "{value:#}");
    only(
        &value,
        &[
            ("port-open-unexpected", "counter-2 (10.17.20.12) offers tcp/23 telnet"),
            ("scan-incomplete", "unknown devices of pos were not looked for"),
        ],
    );
    assert_eq!((&value["measured"]["engine"], &value["is_complete"]), (&"connect".into(), &false.into()));
    let devices = value["devices"].as_array().unwrap();
    let firewall = devices.iter().find(|d| d["addresses"][0] == "10.17.20.1").unwrap();
    assert_eq!(firewall["mac"], "00:0d:b9:00:17:01", "as the kernel learned it");
    let done = lab.run_by("scan", &nobody, "--engine raw");
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("CAP_NET_RAW"));

    lab.stop("telnet");
    let (code, value) = lab.scan("--engine connect --segment pos");
    assert_eq!((code, value["devices"].as_array().unwrap().len()), (0, 4), "{value:#}");
    assert!(value["limits"].to_string().contains("own ARP alone"));

    // Time runs out: undecided, and not kept.
    let baseline = lab.path("baseline.jsonl");
    let done = lab.run(
        "scan",
        &format!("--format json --deadline 4s --ports 1-65535 --baseline {}", baseline.display()),
    );
    let value: Json = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(3), "{value:#}");
    only(&value, &[("scan-incomplete", "the time limit of 4 s")]);
    assert!(value["measured"]["expected_misses"].as_f64().unwrap() > 1.0);
    assert!(!baseline.exists() && text(&done.stderr).contains("was not added"));
}

#[test]
fn what_nmap_saw_is_judged_likewise() {
    let folder = common::scratch("scan-import");
    let estate = folder.join("estate.toml");
    std::fs::write(&estate, ESTATE).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scan/nmap.xml");
    let line = |more: &str| format!("scan shop --estate {} --import {file} {more}", estate.display());
    let done = common::tillgate(&line("--format json"), "");
    let value = common::json(&done);
    assert_eq!(done.code, 1, "{value:#}");
    only(
        &value,
        &[
            ("port-open-unexpected", "counter-2 (10.17.20.12) offers tcp/445"),
            ("device-unknown", "10.17.20.77 (00:1b:21:00:00:77, Intel Corporate)"),
            ("insecure-service", "CVE-2017-0143"),
        ],
    );
    assert!(value["limits"].to_string().contains("one host of the file stands in no segment"), "{value:#}");
    assert!(value["measured"].is_null());
    // Who says that all of the segment was asked may be told who is missing.
    let done = common::tillgate(&line("--segment pos --format json"), "");
    let list = found(&common::json(&done));
    assert!(list.iter().any(|f| f.contains("kitchen-printer was not seen in pos")), "{list:#?}");
    let done = common::tillgate(&line("--lang de"), "");
    assert!(
        done.out.contains("ist laut smb-vuln-ms17-010") || done.out.contains("smb-vuln-ms17-010"),
        "{}",
        done.out
    );
    // Cut off in the middle.
    let cut = folder.join("cut.xml");
    let whole = std::fs::read_to_string(file).unwrap();
    std::fs::write(&cut, &whole[..900]).unwrap();
    let done =
        common::tillgate(&format!("scan shop --estate {} --import {}", estate.display(), cut.display()), "");
    assert_eq!(done.code, 2);
    assert!(done.err.contains("ends in the middle") && done.err.contains("cut.xml"), "{}", done.err);
    std::fs::remove_dir_all(folder).unwrap();
}
