//! The command line as a user meets it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{environment, example, json, scratch, tillgate};
use serde_json::Value as Json;
use tillgate_cli::run;
use tillgate_platforms::PLATFORMS;

#[test]
fn the_bistros_six_faults_and_no_other() {
    let bistro = example("bistro");
    let done = tillgate(
        &format!("verify bistro --estate {bistro} --config {bistro}/firewall.nft --format json"),
        "",
    );
    assert_eq!(done.code, 1, "{}", done.err);
    let document = json(&done);
    assert_eq!((&document["schema"], &document["verdict"]), (&"tillgate.findings/1".into(), &"fails".into()));
    let mut found: Vec<(String, u64)> = Vec::new();
    for finding in document["findings"].as_array().unwrap() {
        let evidence = finding["evidence"].as_array().unwrap();
        let line = evidence.iter().find(|e| e["kind"] == "rule").expect("a line")["line"].as_u64().unwrap();
        let id = finding["id"].as_str().unwrap().to_string();
        assert_eq!(finding["proof"], "proved");
        assert!(
            id == "rule-shadowed" || evidence.iter().any(|e| e["kind"] == "packet"),
            "{id} has no packet"
        );
        if !found.contains(&(id.clone(), line)) {
            found.push((id, line));
        }
    }
    let text = std::fs::read_to_string(format!("{bistro}/firewall.nft")).unwrap();
    let line = |part: &str| text.lines().position(|l| l.contains(part)).unwrap() as u64 + 1;
    let want = [
        ("flow-blocked", line("udp dport 123 log")),
        ("inbound-from-internet", line("ct status dnat accept")),
        ("rule-any-any", line("until the installer comes back")),
        ("segment-exposed", line("oifname != $OFFICE accept")),
        ("deny-not-logged", line("hook forward")),
        ("rule-shadowed", line("\"payments\"")),
    ];
    let mut want: Vec<(String, u64)> = want.map(|(id, line)| (id.to_string(), line)).to_vec();
    want.sort();
    found.sort();
    assert_eq!(found, want);
    let again = tillgate(
        &format!("verify bistro --estate {bistro} --config {bistro}/firewall.nft --format json"),
        "",
    );
    assert_eq!(again.out, done.out, "same input, same bytes");
}

#[test]
fn what_is_rendered_holds() {
    for (estate, site) in [("bistro", "bistro"), ("chain", "aachen"), ("chain", "hamburg"), ("chain", "wien")]
    {
        let estate = example(estate);
        let rendered = tillgate(&format!("render {site} --estate {estate}"), "");
        assert_eq!(rendered.code, 0, "{}", rendered.err);
        assert!(rendered.err.contains("rollback"), "how to load it is told: {}", rendered.err);
        let verified = tillgate(&format!("verify {site} --estate {estate} --config -"), &rendered.out);
        assert_eq!(verified.code, 0, "{}", verified.out);
    }
}

#[test]
fn a_fleet_is_rendered_and_verified_from_a_folder() {
    let folder = scratch("fleet");
    let chain = example("chain");
    let done = tillgate(&format!("render --all --estate {chain} -o {}", folder.display()), "");
    assert_eq!(done.code, 0, "{}", done.err);
    let munich = std::fs::read_to_string(folder.join("muenchen/dnsmasq.conf")).unwrap();
    assert!(munich.contains("nftset=/api.eu.clover.com/4#inet#tillgate#"), "{munich}");
    let done =
        tillgate(&format!("verify --all --estate {chain} --config {} --format json", folder.display()), "");
    assert_eq!(done.code, 0, "{}", done.out);
    assert_eq!(json(&done)["summary"]["holds"], 25);
    // Without the resolver's file nothing says that the sets are filled.
    std::fs::remove_file(folder.join("muenchen/dnsmasq.conf")).unwrap();
    let done = tillgate(
        &format!("verify muenchen --estate {chain} --config {}", folder.join("muenchen").display()),
        "",
    );
    assert_eq!(done.code, 3, "{}", done.out);
    // One site's file is broken: the others are still judged.
    std::fs::write(folder.join("kiel/kiel.nft"), "table inet t {").unwrap();
    let done =
        tillgate(&format!("verify --all --estate {chain} --config {} --format json", folder.display()), "");
    assert_eq!((done.code, json(&done)["summary"]["unreadable"].as_u64()), (2, Some(1)));
    std::fs::remove_dir_all(folder).unwrap();
}

/// What a platform is documented not to say (docs/reference/platforms).
fn documented(platforms: [&str; 2], area: &Json) -> bool {
    let is = |key: &str, list: &[&str]| area[key] == serde_json::json!(list);
    // RouterOS 6 and FortiOS have no loopback interface to accept from.
    if is("in", &["lo"]) {
        return platforms.iter().any(|p| ["routeros", "fortios"].contains(p));
    }
    // Resolvers fill sets with what is below a name too.
    let below = |a: &Json| a.as_str().is_some_and(|a| a.starts_with("*."));
    if area["name"].as_array().is_some_and(|l| l.iter().all(below)) {
        return platforms.iter().any(|p| ["routeros", "fortios", "vyos"].contains(p));
    }
    let multicast = |a: &Json| a.as_str().is_some_and(|a| a.starts_with("224.") || a.starts_with("ff00:"));
    platforms.contains(&"fortios")
        && (
            // A session opens with SYN or a request, and multicast has a table of its own.
            area.get("tcp_flags").is_some()
                || area.get("type").is_some()
                || area["destination"].as_array().is_some_and(|l| l.iter().all(multicast))
                // Forged sources are dropped by the routing table, which is not in the file.
                || is("state", &["established", "related"])
                || is("source_port", &["68"])
                || is("source_port", &["547"])
        )
}

#[test]
fn every_platform_says_the_same() {
    let folder = scratch("platforms");
    let chain = example("chain");
    let names: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
    for name in &names {
        let place = folder.join(name);
        let done =
            tillgate(&format!("render --all --estate {chain} --platform {name} -o {}", place.display()), "");
        assert_eq!(done.code, 0, "{name}: {}", done.err);
        let done = tillgate(
            &format!("verify --all --estate {chain} --config {} --format json", place.display()),
            "",
        );
        assert_eq!(
            (done.code, json(&done)["summary"]["holds"].as_u64()),
            (0, Some(25)),
            "{name}: {}",
            done.out
        );
    }
    for site in ["aachen", "hamburg", "koeln", "muenchen", "wien"] {
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                let place = |name: &str| folder.join(name).join(site).display().to_string();
                let done = tillgate(&format!("diff {} {} --format json", place(one), place(other)), "");
                let found = json(&done);
                let differing = ["opened", "closed", "redirected"]
                    .into_iter()
                    .flat_map(|list| found[list].as_array().unwrap())
                    .filter(|area| !documented([*one, *other], area));
                let differing: Vec<_> = differing.collect();
                assert!(differing.is_empty(), "{site}: {one} and {other}: {differing:#?}");
                let linux = |name: &str| ["iptables", "nftables"].contains(&name);
                assert!(done.code == 0 || !linux(one) || !linux(other), "{site}: {one} and {other}");
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_change_is_told_as_packets_with_both_lines() {
    let folder = scratch("diff");
    std::fs::create_dir_all(&folder).unwrap();
    let (old, new) = (folder.join("old.nft"), folder.join("new.rules"));
    std::fs::write(
        &old,
        "table ip t {\n chain f {\n  type filter hook forward priority 0; policy drop;\n  tcp dport 443 accept\n  udp dport 123 accept\n }\n}\ntable ip6 t {\n}\n",
    )
    .unwrap();
    std::fs::write(
        &new,
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -p tcp -m multiport --dports 443,8443 -j ACCEPT\nCOMMIT\n# Generated by ip6tables-save\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
    )
    .unwrap();
    let command = format!("diff {} {}", old.display(), new.display());
    let done = tillgate(&format!("{command} --format json"), "");
    let found = json(&done);
    assert_eq!(
        (done.code, found["equal"].as_bool(), found["proof"].as_str()),
        (1, Some(false), Some("proved"))
    );
    assert_eq!(found["opened"].as_array().unwrap().len(), 1, "{}", done.out);
    assert_eq!(found["opened"][0]["destination_port"], serde_json::json!(["8443"]));
    assert_eq!(found["opened"][0]["new"]["line"], 5);
    assert_eq!(found["opened"][0]["old"]["line"], 3);
    assert_eq!(found["closed"].as_array().unwrap().len(), 1, "{}", done.out);
    assert_eq!(found["closed"][0]["destination_port"], serde_json::json!(["123"]));
    assert_eq!(found["closed"][0]["old"]["line"], 5);
    let text = tillgate(&command, "");
    assert!(text.out.contains("opens (1)") && text.out.contains("the two differ"), "{}", text.out);
    let same = tillgate(&format!("diff {0} {0} --lang de", old.display()), "");
    assert_eq!(same.code, 0, "{}", same.out);
    assert!(same.out.contains("gleich"), "{}", same.out);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn requirements_of_the_guide_and_of_the_minimum() {
    let done = tillgate("requirements --vendor clover --profile guide --format json", "");
    let rows = json(&done)["requirements"].as_array().unwrap().clone();
    for (ports, protocol, level) in [
        ("443", "tcp", "essential"),
        ("80", "tcp", "recommended"),
        ("123", "udp", "essential"),
        ("5060-5061", "tcp/udp", "conditional"),
        ("10000-10100", "udp", "essential"),
    ] {
        let fits = |r: &&Json| r["ports"] == ports && r["protocol"] == protocol && r["refines"].is_null();
        let row = rows.iter().find(fits).unwrap_or_else(|| panic!("no row {ports}/{protocol}"));
        assert_eq!((&row["level"], &row["confidence"]), (&level.into(), &"guide".into()), "{row}");
    }
    let done = tillgate("requirements --vendor clover --profile minimal --format json", "");
    let rows = json(&done)["requirements"].as_array().unwrap().clone();
    let ports: Vec<&str> =
        rows.iter().filter(|r| r["refines"].is_null()).map(|r| r["ports"].as_str().unwrap()).collect();
    assert_eq!(ports, ["443", "123", "53", "67"]);
    let done = tillgate("requirements --vendor clvoer", "");
    assert_eq!(done.code, 2);
}

#[test]
fn explain_123_in_both_languages() {
    let english = tillgate("explain 123", "");
    assert!(
        english.out.contains("blocked (NTP)") || english.out.contains("123 (NTP) is blocked"),
        "{}",
        english.out
    );
    assert!(english.out.contains("https://squareup.com"), "sources are named: {}", english.out);
    let german = tillgate("explain udp/123 --lang de", "");
    assert!(
        german.out.contains("blockiert") && german.out.contains("Zahlungen schlagen fehl"),
        "{}",
        german.out
    );
    assert_eq!((english.code, german.code), (0, 0));
    for topic in ["flow-blocked", "1.2.5", "clover.sip", "443"] {
        assert_eq!(tillgate(&format!("explain {topic}"), "").code, 0, "{topic}");
    }
    assert_eq!(tillgate("explain nonsense", "").code, 2);
}

#[test]
fn plan_names_every_reason() {
    let done = tillgate(&format!("plan bistro --estate {} --format json", example("bistro")), "");
    let site = json(&done)["sites"][0].clone();
    let flows = site["flows"].as_array().unwrap();
    let flow = |id: &str| flows.iter().find(|f| f["id"] == id).unwrap_or_else(|| panic!("no flow {id}"));
    assert_eq!(flow("counter-1/clover.pay-display-local/till-pc")["source_addresses"][0], "10.17.10.20");
    assert_eq!(flow("counter-1/clover.printer/kitchen-printer")["path"], "not-enforced");
    let reasons = flow("counter-1/clover.https")["reasons"].as_array().unwrap();
    assert!(
        reasons.iter().any(|r| r["id"] == "clover.https")
            && reasons.iter().any(|r| r["id"] == "clover.cloud-eu")
    );
    let text = tillgate(&format!("plan bistro --estate {} --lang de", example("bistro")), "");
    assert!(text.out.contains("von dieser Firewall nicht durchgesetzt"), "{}", text.out);
}

#[test]
fn trace_one_packet_and_many() {
    let bistro = example("bistro");
    let config = format!("--config {bistro}/firewall.nft");
    let arguments: Vec<std::ffi::OsString> = [
        "tillgate",
        "trace",
        "udp 10.17.20.11:40000 -> 203.0.113.5:123 in eth1.20 out eth0",
        "--format",
        "json",
    ]
    .into_iter()
    .chain(config.split(' '))
    .map(Into::into)
    .collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(arguments, &environment(), &mut std::io::empty(), &mut out, &mut err);
    let document: Json = serde_json::from_slice(&out).unwrap();
    assert_eq!((code, &document["verdict"]), (0, &"deny".into()));
    assert!(document["decided_by"]["text"].as_str().unwrap().contains("udp dport 123"), "{document}");
    assert!(document["path"].as_array().unwrap().len() >= 2);

    let folder = scratch("trace");
    let packets = folder.join("packets.txt");
    std::fs::write(&packets, "# two\ntcp 10.17.20.11:40000 -> 203.0.113.5:443 in eth1.20 out eth0\n\ntcp 198.51.100.7:40000 -> 192.0.2.1:8443 in eth0 out eth1.20\n").unwrap();
    let done = tillgate(
        &format!(
            "trace --packets {} {config} --site bistro --estate {bistro} --format json",
            packets.display()
        ),
        "",
    );
    let lines: Vec<Json> = done.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|l| l["verdict"].as_str().unwrap()).collect::<Vec<_>>(),
        ["permit", "permit"]
    );
    assert!(
        lines[1]["path"].as_array().unwrap().iter().any(|s| s["effect"] == "translate 10.17.20.11:12345")
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn ten_errors_of_an_estate_at_once() {
    let folder = scratch("errors");
    let text = r#"
[estate]
name = "x"
asessment = "saq-b-ip"
[[site]]
name = "a"
number = 1
catalogs = ["cloverr"]
profile = "minimum"
[site.firewall]
wan = ["eth0"]
management = ["10.1.10.500"]
[[site.segment]]
name = "pos"
role = "pos"
interface = "eth1"
subnet = "10.1.20.0/24"
gateway = "10.1.21.1"
[[site.segment]]
name = "guest"
role = "guest"
interface = "eth2"
subnet = "10.1.20.128/25"
[[site.device]]
name = "t1"
kind = "clover/min"
segment = "pos"
address = "10.1.30.5"
mac = "d4:95:24:00:00:01"
[[site.device]]
name = "t2"
kind = "clover/mini"
segment = "guest"
address = "10.1.20.130"
mac = "d4:95:24:00:00:01"
features = ["voise"]
[[site]]
name = "b"
number = 1
"#;
    std::fs::write(folder.join("estate.toml"), text).unwrap();
    let done = tillgate(&format!("plan a --estate {}", folder.display()), "");
    assert_eq!(done.code, 2);
    for part in [
        "unknown key asessment",
        "cannot be minimum",
        "no catalogue cloverr",
        "10.1.10.500",
        "10.1.21.1",
        "overlaps",
        "no device kind clover/min",
        "10.1.30.5 is no host address",
        "guest segment",
        "given to two devices",
        "no feature voise",
        "two sites have the number 1",
    ] {
        assert!(done.err.contains(part), "{part} is missing in\n{}", done.err);
    }
    // Like a compiler's: file and line, the text, a caret, a hint.
    assert!(
        done.err.contains("estate.toml:4:1")
            && done.err.contains("^^^")
            && done.err.contains("did you mean assessment?"),
        "{}",
        done.err
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn bad_configurations_are_clear_errors() {
    let folder = scratch("bad");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let cycle = write("cycle.nft", b"table inet t { }\ninclude \"cycle.nft\"\n");
    let outside =
        write("outside.nft", b"table inet t { }\ninclude \"/etc/passwd\"\ninclude \"../secret.nft\"\n");
    for (path, part) in [
        (write("empty.nft", b""), "is empty"),
        (write("binary.nft", b"\x7fELF\0\0\0"), "binary"),
        (write("latin.nft", b"table inet t { # \xe4\n}"), "UTF-8"),
        (
            write(
                "cut.nft",
                b"table inet t {\n chain c {\n type filter hook forward priority 0; tcp dport 443",
            ),
            "cut off",
        ),
        (write("loop.nft", b"table inet t { chain a { jump b\n}\nchain b { jump a\n}\n}"), "calls itself"),
        (write("notes.txt", b"buy milk\n"), "no firewall configuration"),
        (cycle, "includes itself"),
        (outside, "outside the configuration's folder"),
        (folder.join("missing.nft").display().to_string(), "cannot read"),
    ] {
        let done = tillgate(&format!("verify --config {path}"), "");
        assert_eq!(done.code, 2, "{path}: {}", done.out);
        assert!(done.err.contains(part), "{path}: {}", done.err);
        assert!(!done.err.contains("root:"), "no file outside is quoted: {}", done.err);
    }
    let odd = write("odd.nft", b"");
    let bistro = example("bistro");
    // A line nobody knows, first in the way of everything: the answer stays open.
    let rendered = tillgate(&format!("render bistro --estate {bistro}"), "").out;
    std::fs::write(
        &odd,
        rendered.replacen(
            "\t\tiifname \"eth1.20\" oifname",
            "\t\tfrobnicate\n\t\tiifname \"eth1.20\" oifname",
            1,
        ),
    )
    .unwrap();
    let done = tillgate(&format!("verify bistro --estate {bistro} --config {odd}"), "");
    assert_eq!(done.code, 3, "{}", done.out);
    assert!(done.out.contains("frobnicate"), "{}", done.out);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn render_refuses_to_lock_out_and_to_invent() {
    let folder = scratch("refuse");
    let bistro = std::fs::read_to_string(example("bistro/estate.toml")).unwrap();
    std::fs::write(folder.join("estate.toml"), bistro.replace("management = [\"10.17.10.5\"]", "")).unwrap();
    let done = tillgate(&format!("render bistro --estate {}", folder.display()), "");
    assert_eq!(done.code, 2);
    assert!(done.out.is_empty() && done.err.contains("lock everybody out"), "{}", done.err);
    std::fs::write(
        folder.join("estate.toml"),
        bistro
            .replace("profile = \"declared\"", "profile = \"declared\"\negress = \"names\"")
            .replace("dns = \"gateway\"", "dns = \"192.0.2.53\""),
    )
    .unwrap();
    let done = tillgate(&format!("render bistro --estate {}", folder.display()), "");
    assert!(done.code == 2 && done.err.contains("services.dns"), "{}", done.err);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn init_writes_an_estate_that_renders() {
    let folder = scratch("init");
    let done = tillgate(&format!("init {}", folder.display()), "");
    assert_eq!(done.code, 0, "{}", done.err);
    let again = tillgate(&format!("init {}", folder.display()), "");
    assert_eq!(again.code, 2, "an estate is never overwritten");
    let rendered = tillgate(&format!("render shop --estate {}", folder.display()), "");
    assert_eq!(rendered.code, 0, "{}", rendered.err);
    let wrong = scratch("init2");
    let done = tillgate(&format!("init {} --pos-subnet 10.1.20.5/24", wrong.display()), "");
    assert!(
        done.code == 2 && done.err.contains("10.1.20.0/24") && !wrong.join("estate.toml").exists(),
        "{}",
        done.err
    );
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::remove_dir_all(wrong).unwrap();
}

#[test]
fn expired_exceptions_become_excess() {
    let chain = example("chain");
    let rendered = tillgate(&format!("render koeln --estate {chain} --now 2026-12-01"), "");
    let verify = |now: &str| {
        tillgate(
            &format!("verify koeln --estate {chain} --config - --now {now} --format json"),
            &rendered.out,
        )
    };
    assert_eq!(verify("2027-03-31").code, 0);
    let late = verify("2027-04-01");
    let ids: Vec<String> = json(&late)["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["id"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(late.code, 1);
    assert!(ids.contains(&"exception-expired".into()) && ids.contains(&"excess-permit".into()), "{ids:?}");
}

#[test]
fn what_breaks_the_plan_in_roundabout_ways_does_not_hold() {
    let bistro = example("bistro");
    let rendered = tillgate(&format!("render bistro --estate {bistro}"), "").out;
    let forward = "type filter hook forward priority filter; policy drop;\n";
    let table = |chain: &str| format!("{rendered}table inet more {{\n{chain}\n}}\n");
    let cases = [
        // IPv6 from a segment that has none.
        (
            rendered.replacen(
                forward,
                &format!("{forward}\t\tiifname \"eth1.20\" oifname \"eth0\" meta nfproto ipv6 accept\n"),
                1,
            ),
            1,
        ),
        // Payments sent to somebody else.
        (
            table(
                "chain p { type nat hook prerouting priority dstnat; iifname \"eth1.20\" tcp dport 443 dnat ip to 203.0.113.66:443\n}",
            ),
            1,
        ),
        // Payments exempt from tracking: never translated, and answers are not established.
        (table("chain r { type filter hook prerouting priority raw; tcp dport 443 notrack\n}"), 3),
    ];
    for (config, code) in cases {
        let done = tillgate(&format!("verify bistro --estate {bistro} --config -"), &config);
        assert_eq!(done.code, code, "{}", done.out);
    }
}

#[test]
fn a_segment_without_a_gateway_still_renders() {
    // The firewall's address in the office is not written down; whoever manages it sits there.
    let folder = scratch("no-gateway");
    let bistro = std::fs::read_to_string(example("bistro/estate.toml")).unwrap();
    std::fs::write(folder.join("estate.toml"), bistro.replace("gateway = \"10.17.10.1\"\n", "")).unwrap();
    let estate = folder.display().to_string();
    let rendered = tillgate(&format!("render bistro --estate {estate}"), "");
    assert_eq!(rendered.code, 0, "{}", rendered.err);
    let verified = tillgate(&format!("verify bistro --estate {estate} --config -"), &rendered.out);
    assert_eq!(verified.code, 0, "{}", verified.out);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn errors_of_use_exit_with_2_and_help_with_0() {
    assert_eq!(tillgate("frobnicate", "").code, 2);
    assert_eq!(tillgate("verify", "").code, 2);
    let help = tillgate("--help --lang de", "");
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Befehle") && help.out.contains("beweist"), "{}", help.out);
    let done = tillgate(&format!("plan bistor --estate {}", example("bistro")), "");
    assert!(done.code == 2 && done.err.contains("did you mean bistro?"), "{}", done.err);
    assert_eq!(tillgate("catalog lint", "").code, 0);
    assert_eq!(tillgate("catalog list", "").code, 0);
    assert_eq!(tillgate("catalog show square --format json", "").code, 0);
}
