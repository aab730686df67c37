//! FortiGate lines, written after the "FortiOS Log Message Reference".

use super::*;
use crate::formats::tried::{batter, told};

const HEAD: &str = r#"date=2026-03-02 time=10:00:01 devname="shop7" devid="FG100FTK00000001" eventtime=1772445601000000000 tz="+0100" logid="0000000013" "#;

const CASES: [(&str, &str); 24] = [
    (
        r#"type="traffic" subtype="forward" level="notice" vd="root" srcip=10.9.1.20 srcport=40112 srcintf="pos" srcintfrole="lan" dstip=198.51.100.7 dstport=443 dstintf="wan1" sessionid=1 proto=6 action="close" policyid=5 policytype="policy" service="HTTPS" trandisp="snat" transip=203.0.113.9 transport=40112"#,
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 in=pos out=wan1",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40112 srcintf="pos" dstip=198.51.100.7 dstport=123 dstintf="wan1" proto=17 action="deny" policyid=0 policytype="policy" service="NTP" crscore=30 craction=131072"#,
        "deny udp 10.9.1.20:40112 > 198.51.100.7:123 rule=0 in=pos out=wan1",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40112 dstip=198.51.100.7 dstport=443 proto=6 action="close" policyid=5 service="HTTPS" utmaction="block" countweb=1"#,
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40112 dstip=198.51.100.7 dstport=443 proto=6 action="server-rst" policyid=5 utmaction="reset" countips=1"#,
        "reset tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40112 dstip=198.51.100.7 dstport=443 proto=6 action="client-rst" policyid=5 utmaction="allow" countapp=1"#,
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=2001:db8:9::20 srcport=40112 srcintf="pos" dstip=2001:db8:ffff::7 dstport=8443 dstintf="wan1" proto=6 action="timeout" policyid=6"#,
        "permit tcp [2001:db8:9::20]:40112 > [2001:db8:ffff::7]:8443 rule=6 in=pos out=wan1",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=2001:db8:9::20 srcport=546 dstip=2001:db8::547 dstport=547 proto=17 action="deny" policyid=0"#,
        "deny udp [2001:db8:9::20]:546 > [2001:db8::547]:547 rule=0",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 identifier=7 srcintf="pos" dstip=198.51.100.7 dstintf="wan1" proto=1 action="accept" policyid=5 service="PING""#,
        "permit icmp 10.9.1.20 > 198.51.100.7 rule=5 in=pos out=wan1",
    ),
    (
        r#"type="traffic" subtype="local" srcip=203.0.113.5 srcport=771 dstip=198.51.100.7 dstport=0 proto=1 action="deny" policyid=0 service="icmp/3/3""#,
        "deny icmp 203.0.113.5 > 198.51.100.7 rule=0 reply",
    ),
    (
        r#"type="traffic" subtype="local" srcip=2001:db8::1 dstip=2001:db8::2 proto=58 action="deny" policyid=0 service="icmp6/135/0""#,
        "deny icmpv6 2001:db8::1 > 2001:db8::2 rule=0",
    ),
    (
        r#"type="traffic" subtype="local" srcip=203.0.113.5 srcport=0 srcintf="wan1" dstip=198.51.100.7 dstport=0 dstintf="root" proto=50 action="deny" policyid=0"#,
        "deny esp 203.0.113.5 > 198.51.100.7 rule=0 in=wan1 out=root",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40000 dstip=192.0.2.53 dstport=53 proto=17 action="dns" policyid=5 utmaction="passthrough""#,
        "permit udp 10.9.1.20:40000 > 192.0.2.53:53 rule=5",
    ),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40000 dstip=192.0.2.53 dstport=443 proto=6 action="ip-conn" policyid=5"#,
        "permit tcp 10.9.1.20:40000 > 192.0.2.53:443 rule=5",
    ),
    (
        r#"type="utm" subtype="webfilter" eventtype="ftgd_blk" level="warning" policyid=5 sessionid=9 srcip=10.9.1.20 srcport=40112 srcintf="pos" dstip=198.51.100.7 dstport=443 dstintf="wan1" proto=6 service="HTTPS" hostname="pay.example" action="blocked" url="https://pay.example/?a=\"&srcip=1.1.1.1" msg="URL belongs to a denied category in policy""#,
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 in=pos out=wan1",
    ),
    (
        r#"type="utm" subtype="app-ctrl" eventtype="signature" srcip=10.9.1.20 dstip=198.51.100.7 srcport=40112 dstport=443 proto=6 action="pass" policyid=5 app="Clover""#,
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5",
    ),
    (
        r#"type="utm" subtype="ips" srcip=203.0.113.5 dstip=10.9.1.20 srcport=40112 dstport=80 proto=6 action="reset" policyid=9 attack="X.Y""#,
        "reset tcp 203.0.113.5:40112 > 10.9.1.20:80 rule=9",
    ),
    (
        r#"type="utm" subtype="virus" srcip=10.9.1.20 dstip=198.51.100.7 srcport=1 dstport=80 proto=6 action="analytics" policyid=5"#,
        "none tcp 10.9.1.20:1 > 198.51.100.7:80 rule=5",
    ),
    (
        r#"type="utm" subtype="anomaly" srcip=203.0.113.5 dstip=198.51.100.7 srcport=1 dstport=80 proto=6 action="clear_session" count=12"#,
        "deny tcp 203.0.113.5:1 > 198.51.100.7:80",
    ),
    (
        r#"type="anomaly" subtype="anomaly" srcip=203.0.113.5 dstip=198.51.100.7 proto=6 srcport=1 dstport=80 action="clear_session" count=12"#,
        "deny tcp 203.0.113.5:1 > 198.51.100.7:80 x12",
    ),
    (
        r#"type="event" subtype="system" level="information" logdesc="Admin login successful" srcip=10.9.1.2 dstip=10.9.1.1 action="login" status="success""#,
        "other",
    ),
    (r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40112 srcintf="p"#, "unread addresses"),
    (
        r#"type="traffic" subtype="forward" srcip=10.9.1.20 srcport=40112 dstip=198.51.100.7 dstport=443 proto=6 acti"#,
        "none tcp 10.9.1.20:40112 > 198.51.100.7:443",
    ),
    (
        r#"type="traffic" subtype="forward" action="deny" srcip=10.9.1.20 dstip=198.51.100.7 proto=6 srcip=10.0.0.1 dstport=25 dstport=26"#,
        "deny tcp 10.9.1.20 > 198.51.100.7:25",
    ),
    (r#"subtype="forward" srcip=10.9.1.20 dstip=198.51.100.7"#, "unread type"),
];

#[test]
fn cases() {
    for (line, expected) in CASES {
        let line = format!("{HEAD}{line}");
        assert!(is_mine(line.as_bytes()), "{line}");
        assert_eq!(told(&read(line.as_bytes())), expected, "{line}");
    }
}

#[test]
fn other_forms() {
    let csv = HEAD.replace(' ', ",").replace('"', "")
        + "type=traffic,subtype=forward,srcip=10.9.1.20,srcport=1,dstip=192.0.2.1,dstport=2,proto=17,action=deny";
    assert!(is_mine(csv.as_bytes()));
    assert_eq!(told(&read(csv.as_bytes())), "deny udp 10.9.1.20:1 > 192.0.2.1:2");
    let old = "date=2013-03-02 time=10:00:01 devname=shop7 device_id=FG1 devid=FG1 type=traffic subtype=other status=deny src=10.9.1.20 src_port=1 dst=192.0.2.1 dst_port=2 proto=6 policyid=3";
    assert!(is_mine(old.as_bytes()));
    assert_eq!(told(&read(old.as_bytes())), "deny tcp 10.9.1.20:1 > 192.0.2.1:2 rule=3");
    let cef = "CEF:0|Fortinet|Fortigate|v7.2.0|00013|traffic:forward close|3|deviceExternalId=FG1 FTNTFGTlogid=0000000013 cat=traffic:forward FTNTFGTsubtype=forward src=10.9.1.20 spt=40112 deviceInboundInterface=shop floor dst=198.51.100.7 dpt=443 deviceOutboundInterface=wan1 proto=6 act=close FTNTFGTpolicyid=5 app=HTTPS";
    assert!(is_mine(cef.as_bytes()));
    assert_eq!(
        told(&read(cef.as_bytes())),
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 in=shop floor out=wan1"
    );
    let blocked = format!("{cef} FTNTFGTutmaction=block");
    assert_eq!(
        told(&read(blocked.as_bytes())),
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 in=shop floor out=wan1"
    );
    let utm = "CEF:0|Fortinet|Fortigate|v7.2.0|28704|utm:app-ctrl app-ctrl-all block|4|cat=utm:app-ctrl src=2001:db8::1 spt=1 dst=2001:db8::2 dpt=2 proto=17 act=block";
    assert_eq!(told(&read(utm.as_bytes())), "deny udp [2001:db8::1]:1 > [2001:db8::2]:2");
}

#[test]
fn time() {
    let line = format!("{HEAD}{}", CASES[0].0);
    let Line::Flow(Record { time: Some(time), .. }) = read(line.as_bytes()) else { panic!("{line}") };
    assert_eq!((time.year, time.month, time.hour, time.offset), (Some(2026), 3, 10, Some(60)));
}

#[test]
fn not_mine() {
    for line in [
        r#"id=firewall sn=1 time="2026-03-02 10:00:01" fw=192.0.2.1 pri=6 c=64 m=36 msg="x" src=10.0.0.1:1:X0 dst=10.0.0.2:2:X1"#,
        r#"device="SFW" date=2026-03-02 time=10:00:01 device_name="XG" device_id=1 log_id=010101600001 log_type="Firewall" log_subtype="Allowed" src_ip=10.0.0.1"#,
        "kernel: IN=eth0 OUT=eth1 SRC=10.0.0.1 DST=10.0.0.2 PROTO=TCP SPT=1 DPT=2",
        "",
    ] {
        assert!(!is_mine(line.as_bytes()), "{line}");
    }
}

#[test]
fn hostile() {
    let lines: Vec<String> = CASES.iter().map(|(l, _)| format!("{HEAD}{l}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    batter(&lines, |line| {
        is_mine(line);
        read(line);
    });
}
