//! Lines written after the vendor's manual.

use super::{is_mine, read};
use crate::formats::tried::shapes;

const LINES: &[(&str, &str)] = &[
    (
        "1,2026/03/02 10:00:02,0012,TRAFFIC,end,2561,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,203.0.113.2,198.51.100.7,pos out,,,ssl,vsys1,pos,wan,ethernet1/2,ethernet1/1,fwd,2026/03/02 10:00:01,77,1,40112,443,1024,443,0x400053,tcp,allow,1,2",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=pos out in=pos out=wan",
    ),
    (
        "fw1 1,2026/03/02 10:00:02,0012,TRAFFIC,drop,2561,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,0.0.0.0,0.0.0.0,\"no, never\",,,not-applicable,vsys1,pos,wan,ethernet1/2,,fwd,2026/03/02 10:00:01,0,3,50000,123,0,0,0x0,udp,drop,1",
        "deny udp 10.9.1.20:50000 > 198.51.100.7:123 rule=no, never in=pos out=wan x3",
    ),
    (
        ",2026/03/02 10:00:02,0012,TRAFFIC,deny,2561,2026/03/02 10:00:01,2001:db8::20,2001:db8:9::7,::,::,d,,,x,vsys1,pos,wan,e2,e1,fwd,2026/03/02 10:00:01,0,1,40112,22,0,0,0x0,tcp,reset-both,1",
        "reset tcp [2001:db8::20]:40112 > [2001:db8:9::7]:22 rule=d in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,TRAFFIC,deny,2561,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,d,,,ping,vsys1,pos,wan,e2,e1,fwd,x,0,1,0,0,0,0,0x0,icmp,deny,1",
        "deny icmp 10.9.1.20 > 198.51.100.7 rule=d in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,TRAFFIC,deny,2561,2026/03/02 10:00:01,2001:db8::20,2001:db8:9::7,,,d,,,ping6,vsys1,,,e2,e1,fwd,x,0,1,0,0,0,0,0x0,ipv6-icmp,drop-icmp,1",
        "reset icmpv6 2001:db8::20 > 2001:db8:9::7 rule=d in=e2 out=e1",
    ),
    (
        "1,2026-03-02T10:00:02.000Z,0012,TRAFFIC,start,2561,2026-03-02T10:00:01.000Z,10.9.1.20,198.51.100.7,,,a,\"corp\\jo, x\",,ssl,vsys1,pos,wan,e2,e1,fwd,x,7,1,40112,443,0,0,0x0,tcp,allow,1",
        "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=a in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,THREAT,url,1,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,web,,,ssl,vsys1,pos,wan,e2,e1,fwd,x,7,1,40112,443,0,0,0x0,tcp,block-url,\"www.example.com/a,b\",(9999),gambling",
        "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=web in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,THREAT,vulnerability,1,2026/03/02 10:00:01,192.0.2.9,10.9.1.20,,,in,,,smb,vsys1,wan,pos,e1,e2,fwd,x,7,1,4000,445,0,0,0x0,tcp,alert,\"\",x",
        "permit tcp 192.0.2.9:4000 > 10.9.1.20:445 rule=in in=wan out=pos",
    ),
    (
        "1,2026/03/02 10:00:02,0012,THREAT,spyware,1,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,in,,,dns,vsys1,pos,wan,e1,e2,fwd,x,7,1,4000,53,0,0,0x0,udp,sinkhole,\"a\",x",
        "deny udp 10.9.1.20:4000 > 198.51.100.7:53 rule=in in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,THREAT,virus,1,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,in,,,web,vsys1,pos,wan,e1,e2,fwd,x,7,1,4000,80,0,0,0x0,tcp,reset-server,\"a\",x",
        "reset tcp 10.9.1.20:4000 > 198.51.100.7:80 rule=in in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,TRAFFIC,deny,1,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,in,,,x,vsys1,pos,wan,e1,e2,fwd,x,7,1,0,0,0,0,0x0,gre,deny,1",
        "deny gre 10.9.1.20 > 198.51.100.7 rule=in in=pos out=wan",
    ),
    (
        "1,2026/03/02 10:00:02,0012,TRAFFIC,deny,1,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,in,,,x,vsys1,pos,wan,e1,e2,fwd,x,7,1,1,2,0,0,0x0,tcp,vanish,1",
        "unread action",
    ),
    (
        "1,2026/03/02 10:00:02,0012,TRAFFIC,deny,1,2026/03/02 10:00:01,10.9.1.20,198.51.100.7,,,in,,,x,vsys1,po",
        "none - 10.9.1.20 > 198.51.100.7 rule=in in=po",
    ),
    ("1,2026/03/02 10:00:02,0012,TRAFFIC,deny,1,2026/03/02 10:00:01,10.9.1.20,198.51", "unread address"),
    (
        "1,2026/03/02 10:00:02,0012,SYSTEM,general,0,2026/03/02 10:00:01,,general,,0,0,general,informational,\"x\"",
        "other",
    ),
    ("1,2026/03/02 10:00:02,0012,CONFIG,0,0,2026/03/02 10:00:01,10.9.1.2,,set,admin,Web,Succeeded", "other"),
];

#[test]
fn its_own_clock() {
    let crate::record::Line::Flow(record) = read(LINES[0].0.as_bytes()) else { panic!("no flow") };
    let time = record.time.unwrap();
    assert_eq!((time.year, time.month, time.hour, time.second, time.offset), (Some(2026), 3, 10, 1, None));
}

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
