//! Lines written after the vendor's manual.

use super::{is_mine, read};
use crate::formats::tried::shapes;

const LINES: &[(&str, &str)] = &[
    (
        r#"%ASA-4-106023: Deny tcp src pos:10.9.1.20/40112 dst outside:198.51.100.7/443 by access-group "pos_in" [0x0, 0x0]"#,
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=pos_in in=pos out=outside",
    ),
    (
        r#"fw1 : %FTD-4-106023: Deny udp src shop:pos:10.9.1.20/123(SHOP\till) dst outside:198.51.100.7/ntp(5:guests) by access-group "p" [0x1, 0x0]"#,
        "deny udp 10.9.1.20:123 > 198.51.100.7:123 rule=p in=shop:pos out=outside",
    ),
    (
        r#"%ASA-4-106023: Deny icmp src outside:198.51.100.7 dst pos:10.9.1.20 (type 3, code 1) by access-group "out_in" [0x0, 0x0]"#,
        "deny icmp 198.51.100.7 > 10.9.1.20 rule=out_in in=outside out=pos reply",
    ),
    (
        r#"%ASA-session-4-106023: Deny tcp src pos:2001:db8::20/40112 dst outside:2001:db8:9::7/443 by access-group "p6" [0x0, 0x0]"#,
        "deny tcp [2001:db8::20]:40112 > [2001:db8:9::7]:443 rule=p6 in=pos out=outside",
    ),
    (
        r#"%ASA-4-106023: Deny protocol 50 src pos:10.9.1.20 dst outside:198.51.100.7 by access-group "p" [0x0, 0x0]"#,
        "deny esp 10.9.1.20 > 198.51.100.7 rule=p in=pos out=outside",
    ),
    (
        "%PIX-2-106001: Inbound TCP connection denied from 198.51.100.7/5000 to 203.0.113.2/22 flags SYN on interface outside",
        "deny tcp 198.51.100.7:5000 > 203.0.113.2:22 in=outside",
    ),
    (
        "%ASA-2-106006: Deny inbound UDP from 198.51.100.7/53 to 10.9.1.20/40000 on interface outside.",
        "deny udp 198.51.100.7:53 > 10.9.1.20:40000 in=outside",
    ),
    (
        "%ASA-2-106007: Deny inbound UDP from 198.51.100.7/53 to 10.9.1.20/40000 due to DNS Response",
        "deny udp 198.51.100.7:53 > 10.9.1.20:40000",
    ),
    (
        "%ASA-3-106014: Deny inbound icmp src outside:198.51.100.7 dst pos:10.9.1.20 (type 8, code 0)",
        "deny icmp 198.51.100.7 > 10.9.1.20 in=outside out=pos",
    ),
    (
        "%ASA-6-106015: Deny TCP (no connection) from 10.9.1.20/40112 to 198.51.100.7/443 flags FIN ACK  on interface pos",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 in=pos",
    ),
    (
        "%FWSM-2-106016: Deny IP spoof from (10.9.1.20) to 198.51.100.7 on interface outside",
        "deny - 10.9.1.20 > 198.51.100.7 in=outside",
    ),
    (
        "%ASA-1-106021: Deny UDP reverse path check from 10.9.1.20 to 198.51.100.7 on interface guest",
        "deny udp 10.9.1.20 > 198.51.100.7 in=guest",
    ),
    (
        "%ASA-4-106100: access-list pos_in denied tcp pos/10.9.1.20(40112) -> outside/198.51.100.7(8443) hit-cnt 7 300-second interval [0xa, 0x0]",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:8443 rule=pos_in in=pos out=outside x7",
    ),
    (
        "%ASA-6-106100: access-list pos_in est-allowed udp pos/2001:db8::20(50000)(LOCAL\\till) -> outside/2001:db8:9::7(123) hit-cnt 1 first hit [0xa, 0x0]",
        "permit udp [2001:db8::20]:50000 > [2001:db8:9::7]:123 rule=pos_in in=pos out=outside",
    ),
    (
        "%ASA-6-106100: access-list o denied icmp outside/198.51.100.7(3) -> pos/10.9.1.20(1) hit-cnt 1 first hit [0xa, 0x0]",
        "deny icmp 198.51.100.7 > 10.9.1.20 rule=o in=outside out=pos reply",
    ),
    (
        "%ASA-6-106102: access-list v permitted tcp for user jo outside/192.0.2.9(4000) -> pos/10.9.1.20(22) hit-cnt 2 300-second interval [0xa, 0x0]",
        "permit tcp 192.0.2.9:4000 > 10.9.1.20:22 rule=v in=outside out=pos x2",
    ),
    (
        "%ASA-6-302013: Built outbound TCP connection 41 for outside:198.51.100.7/443 (198.51.100.7/443) to pos:10.9.1.20/40112 (203.0.113.2/1024)",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 in=pos out=outside",
    ),
    (
        "%ASA-6-302013: Built inbound TCP connection 42 for outside:192.0.2.9/5000 (192.0.2.9/5000) to dmz:10.9.2.5/8443 (203.0.113.2/443) (jo)",
        "permit tcp 192.0.2.9:5000 > 203.0.113.2:443 in=outside out=dmz",
    ),
    (
        "%ASA-6-302014: Teardown TCP connection 41 for outside:198.51.100.7/443 to pos:10.9.1.20/40112 duration 0:00:30 bytes 4920 TCP FINs",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 in=pos out=outside",
    ),
    (
        "%ASA-6-302015: Built outbound UDP connection 43 for outside:2001:db8:9::7/123 (2001:db8:9::7/123) to pos:2001:db8::20/50000 (2001:db8::20/50000)",
        "permit udp [2001:db8::20]:50000 > [2001:db8:9::7]:123 in=pos out=outside",
    ),
    (
        "%ASA-6-302016: Teardown UDP connection 44 for outside:192.0.2.9/50001(LOCAL\\a) to dmz:10.9.2.5/53 duration 0:02:01 bytes 99 (a)",
        "permit udp 192.0.2.9:50001 > 10.9.2.5:53 in=outside out=dmz",
    ),
    (
        "%ASA-6-302020: Built outbound ICMP connection for faddr 198.51.100.7/0 gaddr 203.0.113.2/7 laddr 10.9.1.20/7 type 8 code 0",
        "permit icmp 10.9.1.20 > 198.51.100.7",
    ),
    (
        "%ASA-6-302020: Built inbound ICMP connection for faddr 2001:db8:9::7/0 gaddr 2001:db8::20/0 laddr 2001:db8::20/0 type 1 code 0",
        "permit icmpv6 2001:db8:9::7 > 2001:db8::20 reply",
    ),
    (
        "%ASA-6-302021: Teardown ICMP connection for faddr 198.51.100.7/0 gaddr 203.0.113.2/7 laddr 10.9.1.20/7",
        "permit icmp 10.9.1.20 > 198.51.100.7",
    ),
    (
        "%ASA-6-305011: Built dynamic TCP translation from pos:10.9.1.20/40112 to outside:203.0.113.2/1024",
        "other",
    ),
    (
        "%ASA-3-313001: Denied ICMP type=8, code=0 from 192.0.2.9 on interface outside",
        "deny icmp 192.0.2.9 > ? in=outside",
    ),
    (
        "%ASA-4-313004: Denied ICMP type=0, from laddr 192.0.2.9 on interface outside to 10.9.1.20: no matching session",
        "deny icmp 192.0.2.9 > 10.9.1.20 in=outside reply",
    ),
    (
        "%ASA-4-313005: No matching connection for ICMP error message: icmp src outside:192.0.2.9 dst pos:10.9.1.20 (type 3, code 3) on outside interface.  Original IP payload: udp src 10.9.1.20/50000 dst 198.51.100.7/123.",
        "deny icmp 192.0.2.9 > 10.9.1.20 in=outside out=pos reply",
    ),
    (
        "%ASA-3-313008: Denied ICMPv6 type=128, code=0 from 2001:db8::9 on interface outside",
        "deny icmpv6 2001:db8::9 > ? in=outside",
    ),
    (
        "%ASA-7-710002: TCP access permitted from 10.9.1.2/4000 to mgmt:10.9.1.1/ssh",
        "permit tcp 10.9.1.2:4000 > 10.9.1.1:22 out=mgmt",
    ),
    (
        "%ASA-3-710003: TCP access denied by ACL from 192.0.2.9/4000 to outside:203.0.113.2/22",
        "deny tcp 192.0.2.9:4000 > 203.0.113.2:22 out=outside",
    ),
    (
        "%ASA-7-710005: UDP request discarded from 10.9.1.20/137 to pos:10.9.1.255/137",
        "deny udp 10.9.1.20:137 > 10.9.1.255:137 out=pos",
    ),
    (
        "%ASA-7-710006: IGMP request discarded from 10.9.1.20 to pos:224.0.0.1",
        "deny igmp 10.9.1.20 > 224.0.0.1 out=pos",
    ),
    (
        "%FTD-1-430002: EventPriority: Low, AccessControlRuleAction: Block with reset, SrcIP: 10.9.1.20, DstIP: 198.51.100.7, SrcPort: 40112, DstPort: 443, Protocol: tcp, IngressInterface: pos, EgressInterface: wan, IngressZone: P, ACPolicy: Shop, AccessControlRuleName: no cloud, UserAgent: x, SrcIP: 192.0.2.1",
        "reset tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=no cloud in=pos out=wan",
    ),
    (
        "%FTD-6-430003: AccessControlRuleAction: Allow, SrcIP: 2001:db8::20, DstIP: 2001:db8:9::7, ICMPType: 128, Protocol: icmp, IngressZone: P, EgressZone: W",
        "permit icmpv6 2001:db8::20 > 2001:db8:9::7 in=P out=W",
    ),
    (
        "%FTD-1-430001: Protocol: tcp, SrcIP: 192.0.2.9, DstIP: 10.9.1.20, SrcPort: 4000, DstPort: 80, InlineResult: Blocked, Message: x",
        "deny tcp 192.0.2.9:4000 > 10.9.1.20:80",
    ),
    (
        "%ASA-4-106023: Deny tcp src pos:till-1/40112 dst outside:198.51.100.7/443 by access-group",
        "unread address",
    ),
    ("%ASA-4-106023: Deny tcp src pos:10.9.1.20/40112 dst outsi", "unread address"),
    ("%ASA-5-111008: User 'enable_15' executed the 'write memory' command.", "other"),
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
