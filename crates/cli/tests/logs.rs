//! `tillgate logs`: a mixed stream as a collector writes it, line by line and summed up.
#![allow(clippy::unwrap_used)]

mod common;

use common::{json, tillgate};
use serde_json::Value as Json;

/// A line of each format under some collector's header, and what it says: format, verdict, source, destination, port.
const LINES: &[(&str, [&str; 4], u64)] = &[
    (
        "<4>Mar  2 10:00:01 shop7 kernel: [812.1] reject lan out: IN=br-lan OUT=eth1 SRC=10.9.1.20 DST=198.51.100.7 LEN=60 TTL=63 ID=1 DF PROTO=TCP SPT=40112 DPT=8443 SYN",
        ["netfilter", "reset", "10.9.1.20", "198.51.100.7"],
        8443,
    ),
    (
        "Mar  2 10:00:01 gw gw [WAN_LOCAL-D-2147483647] DESCR=\"deny all\" IN=eth8 OUT= SRC=203.0.113.9 DST=198.51.100.2 LEN=40 PROTO=TCP SPT=4000 DPT=23 SYN",
        ["netfilter", "deny", "203.0.113.9", "198.51.100.2"],
        23,
    ),
    (
        "<134>1 2026-03-02T10:00:01+00:00 fw filterlog 921 - - 84,,,1700000001,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7,40112,443,0,S,1,,64240,,mss",
        ["filterlog", "deny", "10.9.1.20", "198.51.100.7"],
        443,
    ),
    (
        "<164>Mar 02 2026 10:00:01 fw1 : %ASA-4-106023: Deny tcp src pos:10.9.1.20/40112 dst outside:198.51.100.7/443 by access-group \"pos_in\" [0x0, 0x0]",
        ["asa", "deny", "10.9.1.20", "198.51.100.7"],
        443,
    ),
    (
        "Mar  2 10:00:01 rt1 45: *Mar  2 10:00:00.123: %SEC-6-IPACCESSLOGP: list POS denied udp 10.9.1.20(40000) -> 198.51.100.7(123), 3 packets",
        ["ios", "deny", "10.9.1.20", "198.51.100.7"],
        123,
    ),
    (
        "<189>date=2026-03-02 time=10:00:01 devname=\"fw\" devid=\"FGT60F0000000001\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" srcip=10.9.1.20 srcport=40112 dstip=198.51.100.7 dstport=443 proto=6 action=\"deny\" policyid=7",
        ["fortigate", "deny", "10.9.1.20", "198.51.100.7"],
        443,
    ),
    (
        "<134>1772445601.342705328 MX84 flows src=10.9.1.20 dst=198.51.100.7 mac=02:AA:00:00:00:01 protocol=tcp sport=40112 dport=8443 pattern: deny all",
        ["meraki", "deny", "10.9.1.20", "198.51.100.7"],
        8443,
    ),
];

#[test]
fn a_mixed_stream_is_read_line_by_line() {
    let text: String = LINES.iter().map(|(line, ..)| format!("{line}\n")).collect();
    let done = tillgate("logs - --normalize", &format!("{text}what is this\n"));
    assert_eq!(done.code, 0, "{}", done.err);
    let lines: Vec<Json> = done.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), LINES.len() + 1, "{}", done.out);
    for ((line, [format, verdict, source, destination], port), found) in LINES.iter().zip(&lines) {
        let seen = [&found["format"], &found["verdict"], &found["source"], &found["destination"]];
        assert_eq!(seen, [format, verdict, source, destination], "{line}\n{found}");
        assert_eq!(found["destination_port"], *port, "{line}");
        assert!(found["time"].is_string(), "{line}\n{found}");
    }
    assert_eq!(lines.last().unwrap()["unread"], "format");
    // What a line does not say is not invented.
    assert_eq!(lines[0]["time"], "--03-02T10:00:01");
    assert_eq!(lines[2]["time"], "2026-03-02T10:00:01Z");
    assert_eq!(lines[4]["count"], 3);
}

#[test]
fn sums_and_bad_input() {
    let text: String = LINES.iter().map(|(line, ..)| format!("{line}\n")).collect();
    let long = format!("{text}{}\n{text}", "x".repeat(200_000));
    let done = tillgate("logs - --format json", &long);
    let sums = json(&done);
    assert_eq!((&sums["lines"], &sums["read"]), (&Json::from(15), &Json::from(14)), "{sums:#}");
    assert_eq!(sums["unread"][0]["why"], "too-long");
    let denied = sums["denied"].as_array().unwrap();
    assert_eq!(denied[0]["count"], 6, "{sums:#}");
    assert_eq!(denied[0]["service"], "123/udp");
    assert_eq!(tillgate("logs /no/such/file", "").code, 2);
    let german = tillgate("logs - --lang de", &text);
    assert!(german.out.contains("7 Zeilen: 7 gelesen"), "{}", german.out);
}
