//! Lines after the kernel's and ulogd's sources and the manuals of ufw, OpenWrt, VyOS, UniFi, Proxmox, Shorewall.

use super::*;
use crate::record::Time;

/// A line in one row: verdict, protocol, both ends, rule, interfaces, whether it is an answer.
pub(crate) fn row(line: &Line<'_>) -> String {
    let record = match line {
        Line::Flow(record) => record,
        other => return format!("{other:?}"),
    };
    let end = |address: Option<IpAddr>, port: Option<u16>| {
        let address = address.map_or("-".into(), |a| a.to_string());
        port.map_or(address.clone(), |p| format!("{address} {p}"))
    };
    let words = |bytes: Option<&[u8]>| bytes.map_or("-".into(), |b| String::from_utf8_lossy(b).into_owned());
    format!(
        "{} {} {} > {} | {} | {} > {}{}",
        record.verdict.name(),
        record.protocol.map_or("-".into(), |p| p.0.to_string()),
        end(record.source, record.source_port),
        end(record.destination, record.destination_port),
        words(record.rule),
        words(record.input),
        words(record.output),
        if record.is_reply { " | reply" } else { "" }
    )
}

/// Every line is known to be of the format and reads as expected; then 20,000 spoiled ones must not panic.
pub(crate) fn check(cases: &[(&str, &str)], is_mine: fn(&[u8]) -> bool, read: fn(&[u8]) -> Line<'_>) {
    for (line, expected) in cases {
        assert!(is_mine(line.as_bytes()), "not mine: {line}");
        assert_eq!(row(&read(line.as_bytes())), *expected, "{line}");
        for end in 0..line.len() {
            is_mine(&line.as_bytes()[..end]);
            read(&line.as_bytes()[..end]);
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for round in 0..20_000 {
        let mut bytes = cases[next(cases.len())].0.as_bytes().to_vec();
        if round % 10 == 0 {
            bytes = (0..next(300)).map(|_| u8::try_from(next(256)).unwrap()).collect();
        }
        for _ in 0..next(6) {
            let at = next(bytes.len());
            match next(4) {
                _ if bytes.is_empty() => bytes.push(b'='),
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, b"= []\",|:->("[next(11)]),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        is_mine(&bytes);
        read(&bytes);
    }
}

const TCP: &str =
    "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40112 DPT=8443 WINDOW=64240 RES=0x00 SYN URGP=0";
const FLOW: &str = "6 10.9.1.20 40112 > 198.51.100.7 8443";

/// A line with this prefix, and the verdict and rule that are read from it.
fn of_prefix(prefix: &str) -> String {
    let line = format!(
        "{prefix}IN=br-lan OUT=eth1 MAC=02:aa:02:aa:02:aa:02:bb:02:bb:02:bb:08:00 SRC=10.9.1.20 DST=198.51.100.7 {TCP}"
    );
    assert!(is_mine(line.as_bytes()), "{line}");
    let read = row(&read(line.as_bytes()));
    assert!(read.contains(FLOW) && read.ends_with("br-lan > eth1"), "{line}: {read}");
    let verdict = read.split(' ').next().unwrap();
    format!("{verdict} {}", read.split(" | ").nth(1).unwrap())
}

#[test]
fn conventions_of_prefixes() {
    for (prefix, expected) in [
        ("kernel: [812.1] reject lan out: ", "reset reject lan out"),
        ("kernel: [  812.134567] drop wan in: ", "deny drop wan in"),
        ("kernel: [  812.134567][ T1234] drop wan forward: ", "deny drop wan forward"),
        ("kernel: DROP(src wan)", "deny DROP(src wan)"),
        ("kernel: REJECT(dest block)", "reset REJECT(dest block)"),
        ("kernel: reject allow in: ", "reset reject allow in"),
        ("kernel: ACCEPT wan forward: ", "permit ACCEPT wan forward"),
        ("kernel: [1.0] [UFW BLOCK] ", "deny UFW BLOCK"),
        ("[UFW ALLOW] ", "permit UFW ALLOW"),
        ("kernel: [UFW AUDIT] ", "none UFW AUDIT"),
        ("kernel: [UFW AUDIT INVALID] ", "none UFW AUDIT INVALID"),
        ("kernel: [UFW LIMIT BLOCK] ", "deny UFW LIMIT BLOCK"),
        ("kernel: [ipv4-FWD-filter-20-D]", "deny ipv4-FWD-filter-20-D"),
        ("kernel: [ipv4-INP-filter-default-R] ", "reset ipv4-INP-filter-default-R"),
        ("kernel: [ipv6-NAM-BLOCK_IN-20-A]", "permit ipv6-NAM-BLOCK_IN-20-A"),
        ("kernel: [ipv4-FWD-filter-10-J]", "none ipv4-FWD-filter-10-J"),
        ("kernel: [LAN_OUT-2001-A]", "permit LAN_OUT-2001-A"),
        ("kernel: [WAN_LOCAL-default-D]", "deny WAN_LOCAL-default-D"),
        ("gw [WAN_LOCAL-D-2147483647] DESCR=\"[WAN_LOCAL]Block All\" ", "deny [WAN_LOCAL]Block All"),
        ("allow-gw allow-gw [WAN_IN-R-4010] DESCR=\"no IN= \"here\"\" ", "reset no IN= \"here\""),
        ("[LAN_LOCAL-RET-2147483647] DESCR=\"no rule description\" ", "permit LAN_LOCAL-RET-2147483647"),
        ("[PREROUTING-DNAT-1] DESCR=\"PortForward DNAT [web]\" ", "none PortForward DNAT [web]"),
        ("kernel: FINAL_REJECT: ", "reset FINAL_REJECT"),
        ("kernel: filter_IN_drop_REJECT: ", "reset filter_IN_drop_REJECT"),
        ("kernel: STATE_INVALID_DROP: ", "deny STATE_INVALID_DROP"),
        ("kernel: Shorewall:net2fw:DROP:", "deny Shorewall:net2fw:DROP"),
        ("ulogd[811]: Shorewall:accept2fw:REJECT:", "reset Shorewall:accept2fw:REJECT"),
        ("kernel: SFW2-INext-DROP-DEFLT ", "deny SFW2-INext-DROP-DEFLT"),
        ("kernel: SFW2-INext-ACC-TCP ", "permit SFW2-INext-ACC-TCP"),
        ("kernel: PASS-unknown: ", "deny PASS-unknown"),
        ("kernel: Firewall: *TCP_IN Blocked* ", "deny Firewall: *TCP_IN Blocked*"),
        ("kernel: IPTables-Dropped: ", "deny IPTables-Dropped"),
        ("kernel: DROP", "deny DROP"),
        ("kernel: nft not allowed: ", "none nft not allowed"),
        ("kernel: drop or accept: ", "none drop or accept"),
        ("kernel: dropbox: ", "none dropbox"),
        ("kernel: mark=7 denied: ", "deny mark=7 denied"),
        ("kernel: [812.1] ", "none -"),
        ("", "none -"),
    ] {
        assert_eq!(of_prefix(prefix), expected, "{prefix}");
    }
}

#[test]
fn lines() {
    check(
        &[
            (
                "kernel: [9.1] DROP IN=eth0 OUT= MAC=02:aa:02:aa:02:aa:02:bb:02:bb:02:bb:08:00 SRC=192.0.2.4 DST=10.0.0.1 LEN=76 TOS=0x00 PREC=0x00 TTL=64 ID=2 DF PROTO=UDP SPT=123 DPT=123 LEN=56 ",
                "deny 17 192.0.2.4 123 > 10.0.0.1 123 | DROP | eth0 > -",
            ),
            (
                "kernel: drop wan in: IN=pppoe-wan OUT= MAC= SRC=2001:0db8:0000:0000:0000:0000:0000:0001 DST=2001:0db8:0001:0000:0000:0000:0000:0009 LEN=80 TC=0 HOPLIMIT=52 FLOWLBL=390233 PROTO=TCP SPT=40112 DPT=443 WINDOW=64800 RES=0x00 SYN URGP=0",
                "deny 6 2001:db8::1 40112 > 2001:db8:1::9 443 | drop wan in | pppoe-wan > -",
            ),
            (
                "kernel: [UFW BLOCK] IN=eth0 OUT= MAC= SRC=2001:db8::1 DST=2001:db8::2 LEN=72 TC=0 HOPLIMIT=255 FLOWLBL=0 PROTO=ICMPv6 TYPE=135 CODE=0 ",
                "deny 58 2001:db8::1 > 2001:db8::2 | UFW BLOCK | eth0 > -",
            ),
            (
                "kernel: ping IN=eth0 OUT=eth1 SRC=192.0.2.4 DST=10.0.0.1 LEN=84 TOS=0x00 PREC=0x00 TTL=63 ID=7 DF PROTO=ICMP TYPE=8 CODE=0 ID=9 SEQ=1 MARK=0x2",
                "none 1 192.0.2.4 > 10.0.0.1 | ping | eth0 > eth1",
            ),
            (
                "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=88 TOS=0x00 PREC=0xC0 TTL=63 ID=7 PROTO=ICMP TYPE=3 CODE=3 [SRC=10.0.0.1 DST=198.51.100.9 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 PROTO=UDP SPT=5000 DPT=53 LEN=40 ]",
                "deny 1 192.0.2.4 > 10.0.0.1 | drop | eth0 > - | reply",
            ),
            (
                "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=7 PROTO=ESP SPI=0xabc",
                "deny 50 192.0.2.4 > 10.0.0.1 | drop | eth0 > -",
            ),
            (
                "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=224.0.0.1 LEN=32 TOS=0x00 PREC=0xC0 TTL=1 ID=0 DF OPT (94040000) PROTO=2 ",
                "deny 2 192.0.2.4 > 224.0.0.1 | drop | eth0 > -",
            ),
            (
                "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=7 FRAG:185 PROTO=UDP ",
                "deny 17 192.0.2.4 > 10.0.0.1 | drop | eth0 > -",
            ),
            (
                "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=24 TOS=0x00 PREC=0x00 TTL=63 ID=7 PROTO=TCP INCOMPLETE [4 bytes] ",
                "deny 6 192.0.2.4 > 10.0.0.1 | drop | eth0 > -",
            ),
            (
                "101 1 tap101i0-IN 20/Jun/2022:13:12:46 +0200 policy DROP: IN=fwbr101i0 OUT=fwbr101i0 PHYSIN=fwln101i0 PHYSOUT=tap101i0 MAC=02:aa:02:aa:02:aa:02:bb:02:bb:02:bb:08:00 SRC=192.0.2.4 DST=10.0.0.1 LEN=60 TOS=0x10 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=51604 DPT=22 SEQ=3 ACK=0 WINDOW=64240 SYN ",
                "deny 6 192.0.2.4 51604 > 10.0.0.1 22 | tap101i0-IN | fwbr101i0 > fwbr101i0",
            ),
            (
                "0 1 PVEFW-HOST-OUT 20/Jun/2022:13:16:23 -0130 REJECT: OUT=vmbr0 SRC=10.3.94.12 DST=10.3.94.10 LEN=60 TOS=0x10 PREC=0x00 TTL=64 ID=5 DF PROTO=TCP SPT=49566 DPT=22 SEQ=7 ACK=0 WINDOW=64240 SYN ",
                "reset 6 10.3.94.12 49566 > 10.3.94.10 22 | PVEFW-HOST-OUT | - > vmbr0",
            ),
            (
                "kernel: DROP IN=vlan2 OUT= MACSRC=02:aa:02:aa:02:aa MACDST=02:bb:02:bb:02:bb MACPROTO=0800 SRC=192.0.2.4 DST=10.0.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=1 ID=1 PROTO=TCP SPT=1 DPT=65535",
                "deny 6 192.0.2.4 1 > 10.0.0.1 65535 | DROP | vlan2 > -",
            ),
            (
                "kernel: BLOCK IN=eth0 OUT= DPT=22 SPT=7 PROTO=tcp DST=10.0.0.1 SRC=192.0.2.4 SPT=9 SRC=192.0.2.9",
                "deny 6 192.0.2.4 7 > 10.0.0.1 22 | BLOCK | eth0 > -",
            ),
            (
                "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=60 TO",
                "deny - 192.0.2.4 > 10.0.0.1 | drop | eth0 > -",
            ),
            ("kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1", "Unread(\"destination\")"),
            ("kernel: drop IN=eth0 OUT= SRC=192.0.2.4000 DST=10.0.0.1 LEN=60 ", "Unread(\"source\")"),
            (
                "kernel: IN=eth0 OUT= ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=02:aa:02:aa:02:aa IPSRC=192.0.2.4 ",
                "Other",
            ),
        ],
        is_mine,
        read,
    );
}

#[test]
fn time_of_proxmox() {
    let line = "0 3 PVEFW-HOST-IN 02/Mar/2026:10:00:01 -0130 DROP: IN=vmbr0 SRC=192.0.2.4 DST=10.0.0.1 LEN=60 PROTO=2 ";
    let Line::Flow(record) = read(line.as_bytes()) else { panic!() };
    let time = Time {
        year: Some(2026),
        month: 3,
        day: 2,
        hour: 10,
        minute: 0,
        second: 1,
        nanosecond: 0,
        offset: Some(-90),
    };
    assert_eq!(record.time, Some(time));
}

#[test]
fn both_ways_agree() {
    for protocol in [
        "TCP SPT=1 DPT=2 WINDOW=1 ",
        "UDP SPT=1 DPT=2 LEN=8 ",
        "ICMP TYPE=0 CODE=0 ID=1 SEQ=2 ",
        "2 ",
        "TCP ",
    ] {
        for address in ["192.0.2.1", "2001:db8::1", "192.0.2.256", "1.2.3", "0001.2.3.4", ""] {
            let body = format!(
                "IN=eth0 OUT=eth1 MAC=02:aa SRC={address} DST=10.0.0.1 LEN=60 TOS=0x00 PROTO={protocol}"
            );
            let (mut one, mut two) = (Record::new(Verdict::None), Record::new(Verdict::None));
            let walked = walk(body.as_bytes(), &mut two);
            if in_order(body.as_bytes(), &mut one).is_some() {
                assert_eq!(walked, Ok(true));
                assert_eq!(one, two, "{body}");
            }
        }
    }
}

#[test]
fn not_of_others() {
    for line in [
        "%ASA-4-106023: Deny tcp src pos:10.9.1.20/40112 dst outside:198.51.100.7/443 by access-group \"pos_in\"",
        "filterlog: 84,,,1700000001,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7,40112,443,0,S",
        "firewall,info drop input: in:ether1 out:(unknown 0), proto UDP, 192.0.2.1:1->10.0.0.1:2, len 65",
        "id=firewall sn=0 time=\"2026-03-02\" src=10.0.0.1:1:X0 dst=192.0.2.1:2:X1 proto=tcp/https",
        "sshd[7]: Failed password for invalid user IN= from 192.0.2.1",
        "ulogd[1]: id=\"2001\" name=\"Packet dropped\" srcip=\"10.0.0.1\" dstip=\"192.0.2.1\"",
    ] {
        assert!(!is_mine(line.as_bytes()), "{line}");
    }
}
