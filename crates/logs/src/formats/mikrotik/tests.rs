//! Lines after MikroTik's manual, RouterOS 6 and 7.

use super::*;
use crate::formats::netfilter::tests::check;

#[test]
fn lines() {
    check(
        &[
            (
                "firewall,info drop-in input: in:ether1-WAN out:(unknown 0), connection-state:new src-mac 02:aa:02:aa:02:aa, proto UDP, 192.0.2.4:44355->203.0.113.1:53, len 65",
                "deny 17 192.0.2.4 44355 > 203.0.113.1 53 | drop-in | ether1-WAN > -",
            ),
            (
                "firewall,info input: in:WAN out:(unknown 0), connection-state:new proto TCP (SYN), 192.0.2.4:56282->192.0.2.2:36228, len 52",
                "none 6 192.0.2.4 56282 > 192.0.2.2 36228 | - | WAN > -",
            ),
            (
                "firewall,info REJECT: forward: in:bridge out:<pppoe-1>, src-mac 02:aa:02:aa:02:aa, proto TCP (SYN,ACK), 10.0.0.4:1->192.0.2.2:2, len 52",
                "reset 6 10.0.0.4 1 > 192.0.2.2 2 | REJECT | bridge > <pppoe-1>",
            ),
            (
                "firewall,info ACCEPT guests to web forward: in:bridge out:ether1, connection-state:established,snat proto TCP (ACK), 10.0.0.4:1->192.0.2.2:2, NAT (10.0.0.4:1->203.0.113.1:1)->192.0.2.2:2, len 52",
                "permit 6 10.0.0.4 1 > 192.0.2.2 2 | ACCEPT guests to web | bridge > ether1",
            ),
            (
                "forward: in:ether1 out:bridge, connection-state:new,dnat proto TCP (SYN), 192.0.2.4:1->10.0.0.4:443, NAT 192.0.2.4:1->(203.0.113.1:8443->10.0.0.4:443), len 52",
                "none 6 192.0.2.4 1 > 203.0.113.1 8443 | - | ether1 > bridge",
            ),
            (
                "firewall,info drop6 input: in:WAN out:(unknown 0), connection-state:new src-mac 02:aa:02:aa:02:aa, proto TCP (SYN), [2001:db8::1]:40384->[2001:db8::2]:20461, len 24",
                "deny 6 2001:db8::1 40384 > 2001:db8::2 20461 | drop6 | WAN > -",
            ),
            (
                "firewall,info forward: in:WAN out:LAN, proto ICMPv6 (type 1, code 4), 2001:db8::1->2001:db8::2, len 112",
                "none 58 2001:db8::1 > 2001:db8::2 | - | WAN > LAN | reply",
            ),
            (
                "firewall,info forward: in:WAN out:LAN, proto ICMP (type 8, code 0), 192.0.2.4->10.0.0.4, len 84",
                "none 1 192.0.2.4 > 10.0.0.4 | - | WAN > LAN",
            ),
            (
                "firewall,info forward: in:WAN out:LAN, proto ICMP (type 3, code 3), 192.0.2.4->10.0.0.4, len 84",
                "none 1 192.0.2.4 > 10.0.0.4 | - | WAN > LAN | reply",
            ),
            (
                "firewall,info output: in:(unknown 0) out:ether1, proto 47, 192.0.2.4->198.51.100.4, len 84, prio 0->6",
                "none 47 192.0.2.4 > 198.51.100.4 | - | - > ether1",
            ),
            (
                "firewall,info output: in:(none) out:ether1, proto IPSEC-ESP, 192.0.2.4->198.51.100.4, len 84",
                "none 50 192.0.2.4 > 198.51.100.4 | - | - > ether1",
            ),
            (
                "firewall,info [a->b] proto x, blocked: customer: in:ether2 out:ether1, connection-mark:voip connection-state:new proto UDP, 10.0.0.4:1->192.0.2.2:2, len 5",
                "deny 17 10.0.0.4 1 > 192.0.2.2 2 | [a->b] proto x, blocked | ether2 > ether1",
            ),
            (
                "firewall,info drop bridge-in: in:ether2 out:ether3, src-mac 02:aa:02:aa:02:aa, dst-mac 02:bb:02:bb:02:bb, eth-proto 0800, UDP, 10.0.0.4:1->192.0.2.2:2, len 5",
                "deny 17 10.0.0.4 1 > 192.0.2.2 2 | drop | ether2 > ether3",
            ),
            (
                "firewall,info input: in:ether2 out:(unknown 0), src-mac 02:aa:02:aa:02:aa, dst-mac ff:ff:ff:ff:ff:ff, eth-proto 0806, ARP, 10.0.0.4->10.0.0.5, len 5",
                "Other",
            ),
            ("system,error,critical login failure for user admin from 10.0.0.35 via winbox", "Other"),
            ("dhcp,info dhcp1 assigned 10.0.0.7 to 02:AA:02:AA:02:AA", "Other"),
            (
                "firewall,info input: in:WAN out:(unknown 0), proto UDP, 192.0.2.4:1->10.0.0.1:53",
                "Unread(\"truncated\")",
            ),
            (
                "firewall,info input: in:WAN out:(unknown 0), proto UDP, 192.0.2.4:99999->10.0.0.1:53, len 4",
                "Unread(\"source\")",
            ),
        ],
        is_mine,
        read,
    );
}

#[test]
fn not_of_others() {
    for line in [
        "kernel: drop IN=eth0 OUT= SRC=192.0.2.4 DST=10.0.0.1 LEN=60 PROTO=2 ",
        "%ASA-6-302013: Built inbound TCP connection 1 for outside:192.0.2.1/1 to inside:10.0.0.1/2",
        "filterlog: 84,,,1,igb1,match,block,in,4,0x0,,64,7,0,DF,6,tcp,60,10.9.1.20,198.51.100.7,1,2,",
        "",
    ] {
        assert!(!is_mine(line.as_bytes()), "{line}");
    }
}
