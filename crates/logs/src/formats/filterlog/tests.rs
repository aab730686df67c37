//! Lines after pfSense's "Raw Filter Log Format" and OPNsense's `filterlog`.

use super::*;
use crate::formats::netfilter::tests::check;

#[test]
fn lines() {
    check(
        &[
            (
                "84,,,1700000001,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7,40112,443,0,S,1,,64240,,mss",
                "deny 6 10.9.1.20 40112 > 198.51.100.7 443 | 1700000001 | igb1 > -",
            ),
            (
                "filterlog: 53,,,1000000301,em0,match,pass,out,4,0x0,,64,7,0,none,17,udp,76,203.0.113.4,192.0.2.9,123,123,56",
                "permit 17 203.0.113.4 123 > 192.0.2.9 123 | 1000000301 | - > em0",
            ),
            (
                "filterlog[8811]: 53,,,02f4bab031b57d1e30553ce08e0ec131,re0,match,reject,in,4,0x0,,64,7,0,none,17,udp,76,10.0.0.4,192.0.2.9,5000,53,56",
                "reset 17 10.0.0.4 5000 > 192.0.2.9 53 | 02f4bab031b57d1e30553ce08e0ec131 | re0 > -",
            ),
            (
                "filterlog 69805 - [meta sequenceId=\"2633353\"] 98,,,64d253df-ef65-4b56-9df4-c03fc11b8ce4,re0,match,block,in,6,0x00,0x0ea87,51,udp,17,73,2001:db8::1,2001:db8:1::2,6881,51918,73",
                "deny 17 2001:db8::1 6881 > 2001:db8:1::2 51918 | 64d253df-ef65-4b56-9df4-c03fc11b8ce4 | re0 > -",
            ),
            (
                "filterlog 926 - - 7,,,0,vtnet0.5,match,block,in,6,0x00,0x07c63,64,TCP,6,44,2001:db8::1,2001:db8::6,65382,443,0,S,19,,0,,mss;nop",
                "deny 6 2001:db8::1 65382 > 2001:db8::6 443 | 7 | vtnet0.5 > -",
            ),
            (
                "filterlog: 5,16777216,,1000000103,igb1,match,block,in,4,0x0,,64,7,0,none,1,icmp,84,10.0.0.4,192.0.2.9,request,9,1",
                "deny 1 10.0.0.4 > 192.0.2.9 | 1000000103 | igb1 > -",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,match,pass,in,4,0x0,,64,7,0,none,1,icmp,56,10.0.0.4,192.0.2.9,unreachport,198.51.100.1,17,53",
                "permit 1 10.0.0.4 > 192.0.2.9 | 1000000103 | igb1 > - | reply",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,match,pass,in,4,0x0,,64,7,0,none,1,icmp,84,10.0.0.4,192.0.2.9,reply,9,1",
                "permit 1 10.0.0.4 > 192.0.2.9 | 1000000103 | igb1 > - | reply",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,match,pass,in,4,0x0,,64,7,0,none,1,icmp,84,10.0.0.4,192.0.2.9,datalength=64",
                "permit 1 10.0.0.4 > 192.0.2.9 | 1000000103 | igb1 > -",
            ),
            (
                "filterlog: 5,,,1000000105,igb1,match,block,in,6,0x00,0x00000,1,Options,0,36,fe80::1%igb1,ff02::16,HBH,PADN,RTALERT,0x0000,",
                "deny 0 fe80::1 > ff02::16 | 1000000105 | igb1 > -",
            ),
            (
                "filterlog: 5,,,1000000105,igb1,match,block,in,6,0x00,0x00000,255,ICMPv6,58,32,fe80::1,ff02::1,",
                "deny 58 fe80::1 > ff02::1 | 1000000105 | igb1 > -",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,match,block,in,4,0xc0,,1,0,0,none,2,igmp,32,10.0.0.1,224.0.0.1,datalength=12 ",
                "deny 2 10.0.0.1 > 224.0.0.1 | 1000000103 | igb1 > -",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,match,block,in,4,0x0,,64,7,0,none,50,esp,120,10.0.0.1,192.0.2.1",
                "deny 50 10.0.0.1 > 192.0.2.1 | 1000000103 | igb1 > -",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,match,pass,out,4,0x10,,255,7,0,DF,112,carp,56,192.0.2.2,224.0.0.18,advertise,255,1,2,1,0",
                "permit 112 192.0.2.2 > 224.0.0.18 | 1000000103 | - > igb1",
            ),
            (
                "filterlog: 5,,,1000000103,igb1,fragment,block,in,4,0x0,,64,7,185,none,17,udp,1500,10.0.0.4,192.0.2.9,999,999,1",
                "deny 17 10.0.0.4 > 192.0.2.9 | 1000000103 | igb1 > -",
            ),
            (
                "filterlog: 12,0,userrules/shop,1700000009,pppoe0,match,rdr,in,4,0x0,,64,7,0,DF,6,tcp,60,192.0.2.9,203.0.113.1,40112,443,0,S,1,,64240,,mss",
                "none 6 192.0.2.9 40112 > 203.0.113.1 443 | 1700000009 | pppoe0 > -",
            ),
            (
                "filterlog: 84,,,1700000001,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7,40112,44",
                "deny 6 10.9.1.20 40112 > 198.51.100.7 | 1700000001 | igb1 > -",
            ),
            (
                "filterlog: 84,,,1,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7",
                "Unread(\"truncated\")",
            ),
            (
                "filterlog: 84,,,1,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.2000,198.51.100.7,1,2,",
                "Unread(\"source\")",
            ),
            (
                "filterlog: 84,,,1,igb1,match,block,in,9,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7,1,2,",
                "Unread(\"version\")",
            ),
        ],
        is_mine,
        read,
    );
}

#[test]
fn not_of_others() {
    for line in [
        "1,2026/03/02 10:00:01,0123456789,TRAFFIC,drop,2560,2026/03/02 10:00:01,10.0.0.1,192.0.2.1,0.0.0.0,0.0.0.0,deny",
        "sshd[12]: Failed, 3,4,5,6,pass,in,4,5",
        "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=60 PROTO=2 ",
        "",
    ] {
        assert!(!is_mine(line.as_bytes()), "{line}");
    }
}
