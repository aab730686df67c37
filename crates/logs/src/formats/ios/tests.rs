//! Lines written after the vendor's manual.

use super::{is_mine, read};
use crate::formats::tried::shapes;

const LINES: &[(&str, &str)] = &[
    (
        "%SEC-6-IPACCESSLOGP: list POS-IN denied tcp 10.9.1.20(40112) -> 198.51.100.7(443), 1 packet",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=POS-IN",
    ),
    (
        "75: *Mar  2 10:00:01.123: %SEC-6-IPACCESSLOGP: list 101 denied udp 10.9.1.20(123) (GigabitEthernet0/1 0200.5e00.0001) -> 198.51.100.7(123), 12 packets  [0x1a2b]",
        "deny udp 10.9.1.20:123 > 198.51.100.7:123 rule=101 in=GigabitEthernet0/1 x12",
    ),
    (
        "%SEC-6-IPACCESSLOGDP: list 101 permitted icmp 10.9.1.20 -> 198.51.100.7 (8/0), 3 packets",
        "permit icmp 10.9.1.20 > 198.51.100.7 rule=101 x3",
    ),
    (
        "%SEC-6-IPACCESSLOGDP: list 101 denied icmp 198.51.100.7 (Gi0/0 ) -> 10.9.1.20 (3/1), 1 packet",
        "deny icmp 198.51.100.7 > 10.9.1.20 rule=101 in=Gi0/0 reply",
    ),
    (
        "%SEC-6-IPACCESSLOGNP: list 101 denied 50 10.9.1.20 -> 198.51.100.7, 1 packet",
        "deny esp 10.9.1.20 > 198.51.100.7 rule=101",
    ),
    (
        "%SEC-6-IPACCESSLOGRP: list 101 denied igmp 10.9.1.20 -> 224.0.0.1, 4 packets",
        "deny igmp 10.9.1.20 > 224.0.0.1 rule=101 x4",
    ),
    (
        "%SEC-6-IPACCESSLOGSP: list 101 denied igmp 10.9.1.20 -> 224.0.0.1 (17), 2 packets",
        "deny igmp 10.9.1.20 > 224.0.0.1 rule=101 x2",
    ),
    ("%SEC-6-IPACCESSLOGS: list 10 denied 192.0.2.9 5 packets", "deny - 192.0.2.9 > ? rule=10 x5"),
    ("%SEC-6-IPACCESSLOGRL: access-list logging rate-limited or missed 18 packets", "missed 18"),
    (
        "%IPV6_ACL-6-ACCESSLOGP: list V6/10 permitted tcp 2001:db8::20(60892) -> 2001:db8:9::7(22), 1 packet",
        "permit tcp [2001:db8::20]:60892 > [2001:db8:9::7]:22 rule=V6/10",
    ),
    (
        "%IPV6-6-ACCESSLOGDP: list V6/20 denied icmpv6 2001:db8::20 -> 2001:db8:9::7 (129/0), 2 packets",
        "deny icmpv6 2001:db8::20 > 2001:db8:9::7 rule=V6/20 x2 reply",
    ),
    (
        "%IPV6-6-ACCESSLOGNP: list V6/30 denied 47 2001:db8::20 -> 2001:db8:9::7, 1 packet",
        "deny gre 2001:db8::20 > 2001:db8:9::7 rule=V6/30",
    ),
    (
        "%FMANFP-6-IPACCESSLOGP: R0/0: fman_fp_image:  list 101 denied tcp 10.9.1.20(1) -> 198.51.100.7(2), 1 packet",
        "deny tcp 10.9.1.20:1 > 198.51.100.7:2 rule=101",
    ),
    (
        "ipv4_acl_mgr[200]: %ACL-IPV4_ACL-6-IPACCESSLOGP : access-list edge (10) deny tcp 10.9.1.20(1) -> 198.51.100.7(2), 1 packet",
        "deny tcp 10.9.1.20:1 > 198.51.100.7:2 rule=edge",
    ),
    (
        "%FW-6-DROP_PKT: Dropping tcp session 10.9.1.20:40112 198.51.100.7:443 on zone-pair pos-wan class class-default due to  DROP action found in policy-map with ip ident 9",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=pos-wan class class-default",
    ),
    (
        "%FW-6-DROP_PKT: Dropping icmp session 10.9.1.20 198.51.100.7 on zone-pair p class c due to DROP",
        "deny icmp 10.9.1.20 > 198.51.100.7 rule=p class c",
    ),
    (
        "%IOSXE-6-PLATFORM: R0/0: cpp_cp: QFP:0.0 Thread:001 TS:0001 %FW-6-DROP_PKT: Dropping udp pkt from GigabitEthernet2 10.9.1.20:50000 => 198.51.100.7:123(target:class)-(pos-wan:class-default) due to Policy drop:classify result with ip ident 1",
        "deny udp 10.9.1.20:50000 > 198.51.100.7:123 in=GigabitEthernet2",
    ),
    (
        "%FW-6-DROP_PKT: Dropping tcp session [2001:db8::20]:40112 [2001:db8:9::7]:443 on zone-pair p class c due to x",
        "deny tcp [2001:db8::20]:40112 > [2001:db8:9::7]:443 rule=p class c",
    ),
    (
        "%FW-6-SESS_AUDIT_TRAIL_START: (target:class)-(pos-wan:web):Start tcp session: initiator (10.9.1.20:40112) -- responder (198.51.100.7:443)",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443",
    ),
    (
        "%FW-6-SESS_AUDIT_TRAIL: Stop icmp session: initiator (10.9.1.20:8) sent 360 bytes -- responder (198.51.100.7:0) sent 360 bytes",
        "permit icmp 10.9.1.20 > 198.51.100.7",
    ),
    (
        "%SEC-6-IPACCESSLOGP: list 101 denied tcp 10.9.1.20(40112) -> 198.51.100.7(443)",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=101",
    ),
    ("%SEC-6-IPACCESSLOGP: list 101 denied tcp 10.9.1.20(40112) ->", "unread destination"),
    ("%FW-4-ALERT_ON: getting aggressive, count (501/500) current 1-min rate: 1", "other"),
];

#[test]
fn every_shape_and_any_bytes() {
    shapes(LINES, is_mine, read);
}

#[test]
fn not_mine() {
    for line in [
        "kernel: [1.2] DROP IN=eth0 OUT=eth1 SRC=10.9.1.20 DST=198.51.100.7 PROTO=TCP SPT=1 DPT=2",
        "date=2026-03-02 time=10:00:01 logid=\"0000000013\" type=\"traffic\" srcip=10.9.1.20 dstip=198.51.100.7",
        "%LINK-3-UPDOWN: Interface Gi0/1, changed state to up",
        "CEF:0|Ubiquiti|UniFi Network|9.1|1|x|5|src=10.9.1.20 dst=198.51.100.7",
        "",
    ] {
        assert!(!is_mine(line.as_bytes()), "{line}");
    }
}
