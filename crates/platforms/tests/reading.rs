//! Configurations people have, and what the platform does with packets: cases an admin can read.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use tillgate_model::{Decision, Packet, SourceFile};
use tillgate_platforms::{Input, nftables, platform};
use tillgate_ruleset::trace;

/// The cases of a platform: at least forty configurations, written from the vendor's manual.
fn cases(name: &str) {
    let platform = platform(name).unwrap();
    let path = format!("{}/tests/{name}/reading.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let (mut cases, mut packets, mut wrong) = (0, 0, Vec::new());
    for case in text.split("=TITLE=").skip(1) {
        let (title, rest) = case.split_once("=CONFIG=").expect("a case has a configuration");
        let (config, list) = rest.split_once("=PACKETS=").expect("a case has packets");
        let title = title.trim();
        let file = SourceFile::new(title, config.trim_start_matches('\n'));
        let parsed = platform.parse(&Input::one(&file));
        if !parsed.diagnostics.is_empty() {
            wrong.push(format!(
                "{title}: {:?}",
                parsed
                    .diagnostics
                    .iter()
                    .map(|d| (d.span.as_ref().map(|s| s.one_line()), &d.message))
                    .collect::<Vec<_>>()
            ));
        }
        for line in list.lines().filter(|l| !l.trim().is_empty()) {
            let (want, packet) = line.split_once(' ').expect("verdict and packet");
            let packet = Packet::parse(packet.trim()).unwrap_or_else(|e| panic!("{title}: {line}: {e:?}"));
            let found = trace(&parsed.rules, None, &packet, None);
            // `permit?`: the device permits it, and the reader knows only a bound.
            let (want, bound) = want.strip_suffix('?').map_or((want, false), |want| (want, true));
            if found.decision.name() != want && !(bound && found.decision == Decision::Unknown) {
                let steps: Vec<String> =
                    found.steps.iter().map(|s| format!("{} {:?}", s.span.one_line(), s.effect)).collect();
                wrong.push(format!(
                    "{title}\n  {want}: {packet}\n  found {}: {steps:#?}",
                    found.decision.name()
                ));
            }
            packets += 1;
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{} of {packets}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 40 && packets >= 120, "{cases} cases, {packets} packets");
}

#[test]
fn nftables_cases() {
    cases("nftables");
}

#[test]
fn asa_cases() {
    cases("asa");
}

#[test]
fn fortios_cases() {
    cases("fortios");
}

#[test]
fn ios_cases() {
    cases("ios");
}

#[test]
fn iptables_cases() {
    cases("iptables");
}

#[test]
fn openwrt_cases() {
    cases("openwrt");
}

#[test]
fn opnsense_cases() {
    cases("opnsense");
}

#[test]
fn pf_cases() {
    cases("pf");
}

#[test]
fn routeros_cases() {
    cases("routeros");
}

#[test]
fn vyos_cases() {
    cases("vyos");
}

#[test]
fn json_is_read_like_text() {
    // As `nft -j list ruleset` prints it.
    let json = r#"{"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "t", "handle": 1}},
        {"chain": {"family": "inet", "table": "t", "name": "forward", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "t", "name": "web", "handle": 2}},
        {"set": {"family": "inet", "name": "hosts", "table": "t", "type": "ipv4_addr", "handle": 3, "flags": ["interval"],
                 "elem": [{"prefix": {"addr": "10.0.0.0", "len": 24}}, {"range": ["10.0.1.1", "10.0.1.9"]}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "forward", "handle": 4, "comment": "x", "expr": [
            {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "forward", "handle": 5, "expr": [
            {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@hosts"}},
            {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [80, 443]}}},
            {"counter": {"packets": 0, "bytes": 0}}, {"jump": {"target": "web"}}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "web", "handle": 6, "expr": [
            {"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": "lan"}}, {"accept": null}]}}
    ]}"#;
    let parsed = nftables::parse(&Input::one(&SourceFile::new("fw.json", json)));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let want = BTreeMap::from([
        ("tcp 10.0.0.1:40000 -> 203.0.113.5:443 in lan out wan", Decision::Permit),
        ("tcp 10.0.1.9:40000 -> 203.0.113.5:80 in lan out wan", Decision::Permit),
        ("tcp 10.0.1.10:40000 -> 203.0.113.5:80 in lan out wan", Decision::Deny),
        ("tcp 10.0.0.1:40000 -> 203.0.113.5:81 in lan out wan state established", Decision::Permit),
        ("tcp 10.0.0.1:40000 -> 203.0.113.5:443 in dmz out lan", Decision::Deny),
    ]);
    for (packet, decision) in want {
        let packet = Packet::parse(packet).unwrap();
        assert_eq!(trace(&parsed.rules, None, &packet, None).decision, decision, "{packet}");
    }
}

#[test]
fn bad_input_is_an_error_with_a_place_and_no_panic() {
    let cases = [
        (
            "table inet t { chain c { type filter hook forward priority 0; tcp dport 443 accept",
            "nft-unclosed",
        ),
        ("table inet t { chain c { tcp dport 70000 accept\n} }", "bad-value"),
        ("table inet t { chain c { ip saddr 10.0.0.300 accept\n} }", "bad-value"),
        ("table inet t { chain c { jump nowhere\n} }", "unknown-chain"),
        ("table inet t { chain c { ip saddr @nowhere accept\n} }", "unknown-set"),
        ("table inet t { chain c { ip saddr $nowhere accept\n} }", "nft-undefined"),
        ("table inet t { chain a { jump b\n} chain b { jump a\n} }", "jump-loop"),
        ("table inet t { chain c { type filter hook sideways priority 0; } }", "nft-base-chain"),
        ("table inet t { chain c { type filter hook forward priority soon; } }", "nft-priority"),
        ("table inet t { frobnicate }", "nft-unknown-in-table"),
        ("frobnicate all\n", "nft-unknown-command"),
        ("include \"other.nft\"\n", "include-not-found"),
        ("table inet t { chain c { log prefix \"open accept\n} }", "open-string"),
        ("{\"nftables\": [", "json-syntax"),
        ("{\"other\": []}", "json-no-nftables"),
        ("table inet t { chain c { accept drop\n} }", "nft-after-verdict"),
        ("table inet t { chain c { \u{1} accept\n} }", "nft-strange-byte"),
    ];
    for (text, want) in cases {
        let parsed = nftables::parse(&Input::one(&SourceFile::new("bad.nft", text)));
        let ids: Vec<&str> = parsed.diagnostics.iter().map(|d| d.message.id).collect();
        assert!(ids.contains(&want), "{text}: {ids:?}");
        assert!(parsed.diagnostics.iter().all(|d| d.span.is_some()), "{text}");
    }
    // Found by fuzzing: files that end in the middle of a command.
    for text in [
        "add rule",
        "add element",
        "add element inet t s {",
        "table",
        "table inet",
        "add chain inet t",
        "define",
        "include",
        "delete rule inet t",
        "table inet t { set s {",
    ] {
        nftables::parse(&Input::one(&SourceFile::new("cut.nft", text)));
    }
}

#[test]
fn bad_input_on_every_platform_is_an_error_with_a_place() {
    let table =
        |rules: &str| format!("*filter\n:FORWARD ACCEPT [0:0]\n:a - [0:0]\n:b - [0:0]\n{rules}COMMIT\n");
    let filter = |rules: &str| format!("/ip firewall filter\n{rules}");
    let policy = |lines: &str| format!("config firewall policy\n edit 1\n{lines}  next\nend\n");
    let cases = [
        ("iptables", table("-A FORWARD -p tcp -m tcp --dport 70000 -j ACCEPT\n"), "bad-value"),
        ("iptables", table("-A FORWARD -s 10.0.0.300 -j ACCEPT\n"), "bad-value"),
        ("iptables", table("-A FORWARD -j nowhere\n"), "unknown-chain"),
        ("iptables", table("-A nowhere -j ACCEPT\n"), "unknown-chain"),
        ("iptables", table("-A FORWARD -m comment --comment \"open -j ACCEPT\n"), "open-string"),
        ("iptables", table("-A FORWARD -p\n"), "expected-value"),
        ("iptables", table("-A FORWARD frobnicate\n"), "unknown-word"),
        ("iptables", table("-A a -j b\n-A b -j a\n"), "jump-loop"),
        ("iptables", table("-D FORWARD -p tcp\n"), "iptables-no-such-rule"),
        ("iptables", "*filter\n:FORWARD DROP [0:0]\n".into(), "iptables-no-commit"),
        ("iptables", "*mystery\nCOMMIT\n".into(), "iptables-table"),
        ("iptables", "COMMIT\n".into(), "iptables-outside"),
        ("iptables", "create x hash:strange\n".into(), "bad-value"),
        ("iptables", "add x 10.0.0.1\n".into(), "unknown-set"),
        ("routeros", filter("add chain=forward protocol=tcp dst-port=https\n"), "bad-value"),
        ("routeros", filter("add chain=forward src-address=10.0.0.300\n"), "bad-value"),
        ("routeros", filter("add action=drop\n"), "routeros-no-chain"),
        ("routeros", filter("set 0 disabled=yes\n"), "routeros-changes"),
        ("routeros", filter(":log info message\n"), "unknown-word"),
        ("routeros", filter("add chain=forward in-interface=$lan\n"), "bad-value"),
        ("routeros", "/ip firewall filter {\n".into(), "nft-unclosed"),
        ("iptables", table("-A FORWARD --jump=DROP\n"), "unknown-word"),
        ("iptables", "*filter\n:FORWARD DROP [0:0]\n*nat\nCOMMIT\n".into(), "iptables-no-commit"),
        ("routeros", filter("add chain=forward comment=\"open\n"), "open-string"),
        ("routeros", filter("add chain=forward action=jump\n"), "expected-value"),
        (
            "routeros",
            filter("add chain=forward action=jump jump-target=a\nadd chain=a action=jump jump-target=a\n"),
            "jump-loop",
        ),
        ("fortios", "config firewall policy\n edit 1\n  set action accept\n".into(), "fortios-no-end"),
        (
            "fortios",
            policy(
                "  set srcintf \"any\"\n  set dstintf \"any\"\n  set srcaddr \"nobody\"\n  set dstaddr \"all\"\n  set service \"ALL\"\n",
            ),
            "unknown-object",
        ),
        ("fortios", policy("  frobnicate the thing\n"), "unknown-word"),
        ("fortios", policy("  set\n"), "expected-value"),
        ("fortios", "config firewall policy\n edit 1\n set name \"open\n".into(), "open-string"),
        ("opnsense", "---- BEGIN config.xml ----\nVersion: 1\n".into(), "opnsense-encrypted"),
        ("opnsense", "<opnsense><filter></nat></opnsense>".into(), "xml-close"),
        ("opnsense", "<opnsense><filter>".into(), "xml-cut"),
        ("opnsense", "<opnsense><filter a=b/></opnsense>".into(), "xml-syntax"),
        ("opnsense", "<!DOCTYPE pfsense []><pfsense/>".into(), "xml-document-type"),
        (
            "opnsense",
            "<opnsense><filter><rule><protocol>nonsense</protocol></rule></filter></opnsense>".into(),
            "bad-value",
        ),
        (
            "opnsense",
            "<opnsense><filter><rule><type>permit</type></rule></filter></opnsense>".into(),
            "bad-value",
        ),
        ("openwrt", "config rule\n\toption src_ip '10.0.0.300'\n".into(), "bad-value"),
        ("openwrt", "config rule\n\toption src 'nowhere'\n".into(), "unknown-object"),
        ("openwrt", "config rule\n\toption name 'open\n".into(), "open-string"),
        ("openwrt", "config rule\n\toption name\n".into(), "expected-value"),
        ("openwrt", "config rule\n\toption name two words\n".into(), "openwrt-too-much"),
        ("openwrt", "konfig rule\n".into(), "unknown-word"),
        ("openwrt", "option name 'x'\n".into(), "openwrt-outside"),
        ("openwrt", "config ipset\n\toption name 'a'\n".into(), "openwrt-missing"),
        ("pf", "pass in from 10.0.0.300\n".into(), "bad-value"),
        ("pf", "pass in proto tcp to port 70000\n".into(), "bad-value"),
        ("pf", "pass in frobnicate\n".into(), "unknown-word"),
        ("pf", "pass in proto\n".into(), "expected-value"),
        ("pf", "pass in to port 22\n".into(), "pf-port-without-protocol"),
        ("pf", "pass in on $lan\n".into(), "pf-unknown-macro"),
        ("pf", "pass in label \"open\n".into(), "open-string"),
        ("pf", "anchor in {\n pass\n".into(), "pf-open-anchor"),
        ("pf", "pass proto tcp flags S/X\n".into(), "bad-value"),
    ];
    for (name, text, want) in cases {
        let file = SourceFile::new("bad", text.as_str());
        let parsed = platform(name).unwrap().parse(&Input::one(&file));
        let ids: Vec<&str> = parsed.diagnostics.iter().map(|d| d.message.id).collect();
        assert!(ids.contains(&want), "{name}: {text}: {ids:?}");
        assert!(parsed.diagnostics.iter().all(|d| d.span.is_some()), "{text}");
    }
}

#[test]
fn what_only_looks_like_a_platform_is_not_taken_for_it() {
    let junos = "interfaces {\n    ge-0/0/0 {\n        unit 0 {\n            family inet {\n                address 203.0.113.2/24;\n            }\n        }\n    }\n}\nfirewall {\n    family inet {\n        filter in {\n            term all {\n                then accept;\n            }\n        }\n    }\n}\n";
    let panos = "config {\n  devices {\n    localhost.localdomain {\n      network {\n        interface {\n          ethernet {\n            ethernet1/1 {\n              layer3 {\n                mtu 1500;\n              }\n            }\n          }\n        }\n      }\n      vsys {\n        vsys1 {\n          rulebase {\n            nat {\n              rules;\n            }\n          }\n        }\n      }\n    }\n  }\n}\n";
    for text in [junos, panos, "buy milk\n"] {
        assert!(tillgate_platforms::recognise(text).is_none(), "{text}");
    }
}

#[test]
fn definitions_that_multiply_themselves_stop() {
    let mut text = String::from("define a0 = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }\n");
    for i in 1..30 {
        text.push_str(&format!("define a{i} = {{ $a{0}, $a{0}, $a{0}, $a{0}, $a{0}, $a{0} }}\n", i - 1));
    }
    let parsed = nftables::parse(&Input::one(&SourceFile::new("bomb.nft", text)));
    assert!(parsed.diagnostics.iter().any(|d| d.message.id == "nft-too-many-tokens"));
}

#[test]
fn unknown_statements_are_told_and_leave_the_answer_open() {
    let text = "table inet t { chain c { type filter hook forward priority 0; policy drop;\n tcp dport 443 frobnicate 7\n tcp dport 443 accept\n} }";
    let parsed = nftables::parse(&Input::one(&SourceFile::new("new.nft", text)));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    assert_eq!(parsed.rules.notes.len(), 1);
    let packet = Packet::parse("tcp 10.0.0.1:40000 -> 203.0.113.5:443 in lan out wan").unwrap();
    assert_eq!(trace(&parsed.rules, None, &packet, None).decision, Decision::Unknown);
    let packet = Packet::parse("tcp 10.0.0.1:40000 -> 203.0.113.5:80 in lan out wan").unwrap();
    assert_eq!(trace(&parsed.rules, None, &packet, None).decision, Decision::Deny);
}
