//! Lines after Ubiquiti's "UniFi System Logs & SIEM Integration", 9.x and 10.x.

use super::*;
use crate::formats::netfilter::tests::check;

#[test]
fn lines() {
    check(
        &[
            (
                "CEF:0|Ubiquiti|UniFi Network|9.4.19|201|Threat Detected and Blocked|7|proto=TCP src=10.0.0.100 spt=52331 dst=192.0.2.3 dpt=443 UNIFIcategory=Security UNIFIhost=Till 7 UNIFIipsSignature=ET DROP listed group 1 UNIFIutcTime=2026-03-02T10:00:01.915Z msg=An attempt was blocked.",
                "deny 6 10.0.0.100 52331 > 192.0.2.3 443 | ET DROP listed group 1 | - > -",
            ),
            (
                "0|Ubiquiti|UniFi Network|10.0.140|203|Blocked by Firewall|4|UNIFIcategory=Security UNIFIhost=Till gw proto=UDP spt=5353 dpt=123 act=blocked app=NTP UNIFIpolicyName=Block tills to web UNIFIpolicyType=Firewall deviceInboundInterface=Shop floor UNIFIsrcZone=Internal UNIFIdstZone=External src=10.0.0.9 dst=198.51.100.3 msg=x",
                "deny 17 10.0.0.9 5353 > 198.51.100.3 123 | Block tills to web | Shop floor > External",
            ),
            (
                "CEF: 0|Ubiquiti|UniFi Network|10.6.101|204|Allowed by Firewall|3|proto=TCP src=2001:db8::9 dst=2001:db8:1::1 spt=1 dpt=2 act=allowed UNIFIpolicyName=Web",
                "permit 6 2001:db8::9 1 > 2001:db8:1::1 2 | Web | - > -",
            ),
            (
                "gw CEF:0|Ubiquiti|UniFi Network|9.3.4|201|Threat Detected|7|msg=Text with a\\=b and more proto=ICMP src=192.0.2.9 dst=10.0.0.1 UNIFIrisk=low",
                "none 1 192.0.2.9 > 10.0.0.1 | - | - > -",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|201|Threat Detected|7|proto=TCP src=192.0.2.9 src=192.0.2.10 dst=10.0.0.1 spt=4 dpt=80 act=detected deviceOutboundInterface=Default UNIFIpolicyName=IPS",
                "none 6 192.0.2.9 4 > 10.0.0.1 80 | IPS | - > Default",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|203|Blocked by Firewall|4|proto=TCP spt=4 dpt=80 act=Blocked src=10.0.0.5 UNIFIdstDeviceIp=10.0.0.1 UNIFIdstDeviceName=Shop gw",
                "deny 6 10.0.0.5 4 > 10.0.0.1 80 | - | - > -",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|201|Threat Detected and Blocked|7|proto=TCP src=192.0.2.9 spt=4 dpt=80 act=blocked UNIFIdstClientAlias=NAS shop",
                "deny 6 192.0.2.9 4 > - 80 | - | - > -",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|203|Blocked by Firewall|4|proto=TCP src=192.0.2.9 dst=10.0.0. dpt=80 act=blocked",
                "Unread(\"destination\")",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|203|Blocked by Firewall|4|proto=TCP dpt=80 act=blocked",
                "Unread(\"addresses\")",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|201|Threat Detected and Blocked|7|proto=TCP src=shop dst=10.0.0.1 dpt=80 act=blocked",
                "Unread(\"source\")",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|203|Blocked by Firewall|4|proto=GRE src=192.0.2.9 dst=10.0.0.1 act=blocked UNIFIpolicyName=A=B c",
                "deny 47 192.0.2.9 > 10.0.0.1 | A=B c | - > -",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|10.0.1|203|Blocked by Firewall|4|src=192.0.2.9 dst=10.0.0.1 spt=7 dpt=65536 proto=UDP act=blocked UNIFIpolicyName=P",
                "deny 17 192.0.2.9 7 > 10.0.0.1 | P | - > -",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|9.4.19|544|Admin Accessed UniFi Network|1|UNIFIcategory=System UNIFIaccessMethod=web UNIFIadmin=Shop Admin src=10.0.0.222 msg=Shop Admin used the web. Source IP: 10.0.0.222",
                "Other",
            ),
            (
                "CEF:0|Ubiquiti|UniFi Network|9.4.19|400|WiFi Client Connected|1|UNIFIcategory=Monitoring UNIFIclientIp=10.0.0.7 msg=Till connected",
                "Other",
            ),
            ("CEF:0|Ubiquiti|UniFi OS|4.3|1|Backup|1|msg=Backup made", "Other"),
            ("CEF:0|Ubiquiti|UniFi Network|9.4.19|400|", "Unread(\"truncated\")"),
            ("CEF:0|Ubiquiti|UniFi Network|9.4.19|400|Empty|1|", "Other"),
        ],
        is_mine,
        read,
    );
}

#[test]
fn time_in_utc() {
    let time = time(b"2026-03-02T10:00:01.915Z").unwrap();
    assert_eq!((time.year, time.month, time.day, time.hour), (Some(2026), 3, 2, 10));
    assert_eq!((time.second, time.nanosecond, time.offset), (1, 915_000_000, Some(0)));
    assert_eq!(super::time(b"2026-13-02T10:00:01Z"), None);
}

#[test]
fn not_of_others() {
    for line in [&b"CEF:0|Fortinet|Fortigate|7|1|traffic|3|src=10.0.0.1 dst=192.0.2.1"[..], b"", b"0|Ubiquit"]
    {
        assert!(!is_mine(line));
    }
}
