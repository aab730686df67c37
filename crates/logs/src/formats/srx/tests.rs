//! Lines written after the vendor's manual.

use super::{is_mine, read};
use crate::formats::tried::shapes;

const LINES: &[(&str, &str)] = &[
    (
        r#"RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636.1.1.1.2.40 source-address="10.9.1.20" source-port="40112" destination-address="198.51.100.7" destination-port="443" service-name="junos-https" protocol-id="6" icmp-type="0" policy-name="default-deny" source-zone-name="pos" destination-zone-name="wan" reason="policy deny"]"#,
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=default-deny in=pos out=wan",
    ),
    (
        r#"RT_FLOW_SESSION_CREATE [junos@2636.1.1.1.2.129 protocol-id="17" destination-port="123" destination-address="2001:db8:9::7" source-port="50000" source-address="2001:db8::20" nat-source-address="2001:db8::20" policy-name="a \"b\" c" source-zone-name="pos" destination-zone-name="wan" session-id-32="7" packet-incoming-interface="ge-0/0/1.0"]"#,
        "permit udp [2001:db8::20]:50000 > [2001:db8:9::7]:123 rule=a \\\"b\\\" c in=pos out=wan",
    ),
    (
        r#"RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.40 reason="TCP FIN" source-address="10.9.1.20" source-port="40112" destination-address="198.51.100.7" destination-port="443" nat-source-address="203.0.113.2" protocol-id="6" policy-name="p" source-zone-name="pos" destination-zone-name="wan" elapsed-time="3"]"#,
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=p in=pos out=wan",
    ),
    (
        r#"RT_FLOW_SESSION_DENY_LS [junos@2636.1.1.1.2.40 logical-system-name="x" source-address="192.0.2.9" source-port="0" destination-address="10.9.1.20" destination-port="0" protocol-id="1" icmp-type="3" policy-name="d" source-zone-name="wan" destination-zone-name="pos"]"#,
        "deny icmp 192.0.2.9 > 10.9.1.20 rule=d in=wan out=pos reply",
    ),
    (
        r#"RT_FLOW - APPTRACK_SESSION_CLOSE [junos@2636.1.1.1.2.40 reason="idle Timeout" source-address="10.9.1.20" source-port="1" destination-address="198.51.100.7" destination-port="2" protocol-id="6"]"#,
        "permit tcp 10.9.1.20:1 > 198.51.100.7:2",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.9.1.20/40112->198.51.100.7/443 junos-https 6(0) deny-all(global) pos wan UNKNOWN UNKNOWN N/A(N/A) ge-0/0/0.0 UNKNOWN policy deny",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=deny-all(global) in=pos out=wan",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_DENY: session denied 2001:db8::20/50000->2001:db8:9::7/123 0x0 junos-ntp 17(0) d pos wan",
        "deny udp [2001:db8::20]:50000 > [2001:db8:9::7]:123 rule=d in=pos out=wan",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.9.1.20/8->198.51.100.7/0 0x0 icmp 1(8) d pos wan UNKNOWN",
        "deny icmp 10.9.1.20 > 198.51.100.7 rule=d in=pos out=wan",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_DENY: session denied 192.0.2.9/0->10.9.1.20/0 icmp 1(3) d wan pos",
        "deny icmp 192.0.2.9 > 10.9.1.20 rule=d in=wan out=pos reply",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_CREATE: session created 10.9.1.20/40112->198.51.100.7/443 None 203.0.113.2/1024->198.51.100.7/443 src-pos None 6 pos-out pos wan 60756 N/A(N/A) ge-0/0/1.0",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=pos-out in=pos out=wan",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_CREATE: session created 10.9.1.20/40112->198.51.100.7/443 0x0 junos-https 203.0.113.2/1024->198.51.100.7/443 0x0 source rule r1 N/A N/A 6 pos-out pos wan 4242 N/A(N/A) ge-0/0/1.0",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=pos-out in=pos out=wan",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_CLOSE: session closed idle Timeout: 10.9.1.20/50000->198.51.100.7/123 junos-ntp 203.0.113.2/1024->198.51.100.7/123 r None 17 p pos wan 7 1(76) 1(76) 60",
        "permit udp 10.9.1.20:50000 > 198.51.100.7:123 rule=p in=pos out=wan",
    ),
    (
        "RT_FLOW: APPTRACK_SESSION_CREATE: AppTrack session created 10.9.1.20/1->198.51.100.7/2 None UNKNOWN UNKNOWN 10.9.1.20/1->198.51.100.7/2 N/A N/A 6 p pos wan 9",
        "permit tcp 10.9.1.20:1 > 198.51.100.7:2 rule=p in=pos out=wan",
    ),
    (
        "RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.9.1.20/40112->198.51.100.7/443",
        "deny - 10.9.1.20:40112 > 198.51.100.7:443",
    ),
    ("RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.9.1.20/40112->198.51", "unread address"),
    (
        r#"RT_IDP - IDP_ATTACK_LOG_EVENT [junos@2636.1.1.1.2.40 epoch-time="1" source-address="192.0.2.9"]"#,
        "other",
    ),
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
