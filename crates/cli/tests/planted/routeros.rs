//! The bistro's six faults, and a rule shadowed by two others, planted into what is written for it.

use super::without;

/// Lines that belong to a finding's first one.
pub const LINES: usize = 1;

/// Finding, and a part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "dst-port=123 protocol=udp"),
    ("rule-any-any", "chain=forward in-interface=eth1.20 out-interface=eth0"),
    ("inbound-from-internet", "dst-port=8443"),
    ("segment-exposed", "in-interface=eth1.30 out-interface=eth1.20"),
    ("rule-shadowed", "dst-port=25"),
    ("rule-shadowed", "protocol=udp src-address=10.99.0.0/24"),
    ("deny-not-logged", "action=drop"),
];

pub fn plant(text: &str) -> String {
    let text = without(text, &["action=log"]).replace(" log=yes log-prefix=\"tillgate forged\"", "");
    let first = "add action=drop chain=forward connection-state=invalid\n";
    let text =
        text.replacen(first, &format!("{first}add action=drop chain=forward dst-port=123 protocol=udp\n"), 1);
    let rules = "add action=accept chain=forward in-interface=eth1.20 out-interface=eth0\nadd action=accept chain=forward dst-address=10.17.20.11 dst-port=12345 in-interface=eth0 out-interface=eth1.20 protocol=tcp\nadd action=accept chain=forward in-interface=eth1.30 out-interface=eth1.20\nadd action=drop chain=forward dst-port=25 in-interface=eth1.20 out-interface=eth0 protocol=tcp\nadd action=drop chain=forward src-address=10.99.0.0/25\nadd action=drop chain=forward src-address=10.99.0.128/25\nadd action=accept chain=forward protocol=udp src-address=10.99.0.0/24\n";
    let last = "add action=drop chain=forward comment=\"denied and logged\"\n";
    let text = text.replacen(last, &format!("{rules}{last}"), 1);
    text + "/ip firewall nat\nadd action=dst-nat chain=dstnat dst-port=8443 in-interface=eth0 protocol=tcp to-addresses=10.17.20.11 to-ports=12345\n"
}
