//! The bistro's six faults, and a rule shadowed by two others, planted into what is written for it.

use super::without;

/// Lines that belong to a finding's first one.
pub const LINES: usize = 1;

/// Finding, and a part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "udp dport 123 drop"),
    ("rule-any-any", "iifname \"eth1.20\" oifname \"eth0\" accept"),
    ("inbound-from-internet", "dport 8443"),
    ("segment-exposed", "iifname \"eth1.30\" oifname \"eth1.20\" accept"),
    ("rule-shadowed", "tcp dport 25 drop"),
    ("rule-shadowed", "ip saddr 10.99.0.0/24 udp"),
    ("deny-not-logged", "drop"),
];

pub fn plant(text: &str) -> String {
    let text = without(text, &["log prefix"]);
    let head = "type filter hook forward priority filter; policy drop;\n";
    let text = text.replacen(head, &format!("{head}\t\tudp dport 123 drop\n"), 1);
    let rules = "\t\tiifname \"eth1.20\" oifname \"eth0\" accept\n\t\tiifname \"eth0\" oifname \"eth1.20\" ip daddr 10.17.20.11 tcp dport 12345 accept\n\t\tiifname \"eth1.30\" oifname \"eth1.20\" accept\n\t\tiifname \"eth1.20\" oifname \"eth0\" tcp dport 25 drop\n\t\tip saddr 10.99.0.0/25 drop\n\t\tip saddr 10.99.0.128/25 drop\n\t\tip saddr 10.99.0.0/24 udp dport 1-65535 accept\n";
    let last = "\t\tcounter drop comment \"denied and logged\"\n\t}\n\n\tchain postrouting";
    let text = text.replacen(last, &format!("{rules}{last}"), 1);
    format!(
        "{text}table ip forwards {{\n\tchain prerouting {{\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\tiifname \"eth0\" tcp dport 8443 dnat to 10.17.20.11:12345\n\t}}\n}}\n"
    )
}
