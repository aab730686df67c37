//! Lines written after the vendor's manual.

use super::{is_mine, read};
use crate::formats::tried::shapes;

const LINES: &[(&str, &str)] = &[
    (
        r#"CheckPoint 1234 - [action:"Drop"; flags:"400644"; ifdir:"inbound"; ifname:"eth1"; dst:"198.51.100.7"; proto:"6"; rule:"3"; rule_name:"no cloud; ever"; s_port:"40112"; service:"443"; src:"10.9.1.20"]"#,
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=no cloud; ever in=eth1",
    ),
    (
        r#"[action:"Accept"; ifdir:"outbound"; ifname:"eth0"; inzone:"Internal"; src:"2001:db8::20"; dst:"2001:db8:9::7"; proto:"17"; s_port:"50000"; service:"123"; rule:"7"]"#,
        "permit udp [2001:db8::20]:50000 > [2001:db8:9::7]:123 rule=7 in=Internal out=eth0",
    ),
    (
        r#"CheckPoint 1 - [action:"Reject"; src:"10.9.1.20"; dst:"198.51.100.7"; proto:"6"; s_port:"1"; service:"25"; xlatesrc:"203.0.113.2"]"#,
        "reset tcp 10.9.1.20:1 > 198.51.100.7:25",
    ),
    (
        r#"CheckPoint 1 - [action:"Drop"; src:"192.0.2.9"; dst:"10.9.1.20"; proto:"1"; icmp_type:"3"; icmp_code:"1"]"#,
        "deny icmp 192.0.2.9 > 10.9.1.20 reply",
    ),
    (
        r#"CheckPoint 1 - [action:"Drop"; src:"2001:db8::9"; dst:"2001:db8::20"; proto:"58"; icmp_type:"128"]"#,
        "deny icmpv6 2001:db8::9 > 2001:db8::20",
    ),
    (
        r#"CheckPoint 1 - [action:"Prevent"; product:"IPS"; src:"192.0.2.9"; dst:"10.9.1.20"; proto:"6"; s_port:"1"; service:"80"; src:"10.0.0.1"]"#,
        "deny tcp 192.0.2.9:1 > 10.9.1.20:80",
    ),
    (r#"CheckPoint 1 - [action:"Key Install"; src:"192.0.2.9"; dst:"203.0.113.2"; scheme:"IKE"]"#, "other"),
    (r#"CheckPoint 1 - [action:"Log In"; administrator:"jo"]"#, "other"),
    (
        r#"Action="accept" UUid="{0x0}" inzone="Internal" outzone="External" rule="3" src="10.9.1.20" dst="198.51.100.7" proto="6" product="VPN-1 & FireWall-1" service="443" s_port="40112""#,
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=3 in=Internal out=External",
    ),
    (
        "time=1772445601|hostname=gw|product=Firewall|action=Drop|ifdir=inbound|ifname=eth1|originsicname=CN=gw,O=mgmt|src=10.9.1.20|dst=198.51.100.7|proto=17|s_port=50000|service=123|rule_name=no time",
        "deny udp 10.9.1.20:50000 > 198.51.100.7:123 rule=no time in=eth1",
    ),
    (
        "loc=1 product=VPN-1 & FireWall-1 action=drop orig=10.9.1.1 src=10.9.1.20 dst=198.51.100.7 proto=tcp service=443 s_port=51514 rule=12 rule_name=\"Block Out\" originsicname=CN=gw,O=m ifname=eth0",
        "deny tcp 10.9.1.20:51514 > 198.51.100.7:443 rule=Block Out in=eth0",
    ),
    (
        "CEF:0|Check Point|VPN-1 & FireWall-1|Check Point|Log|https|Unknown|act=Accept deviceDirection=0 rt=1772445601000 spt=40112 dpt=443 cs2Label=Rule Name cs2=POS out ifname=eth1 inzone=Internal outzone=External proto=6 src=10.9.1.20 dst=198.51.100.7",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=POS out in=Internal out=External",
    ),
    (
        "CEF:0|Check Point|VPN-1 & FireWall-1|Check Point|Log|drop|Unknown|act=Drop src=2001:db8::20 dst=2001:db8:9::7 spt=1 dpt=2 proto=udp",
        "deny udp [2001:db8::20]:1 > [2001:db8:9::7]:2",
    ),
    (
        "LEEF:2.0|Check Point|VPN-1 & FireWall-1|1.0|Drop|cat=VPN-1 & FireWall-1\tdevTime=1772445601\tsrcPort=40112\tdstPort=443\taction=Drop\tsrc=10.9.1.20\tdst=198.51.100.7\tproto=6\trule_name=a b",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=a b",
    ),
    (
        r#"CheckPoint 1 - [action:"Drop"; src:"10.9.1.20"; dst:"198.51.100.7"; proto:"6"; s_po"#,
        "deny tcp 10.9.1.20 > 198.51.100.7",
    ),
    (r#"CheckPoint 1 - [action:"Drop"; src:"10.9.1.20"; dst:"till"; proto:"6""#, "unread address"),
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
