//! The bistro's six faults, and a rule shadowed by two others, planted into what is written for it.

use super::without;

/// Lines that belong to a finding's first one.
pub const LINES: usize = 1;

/// Finding, and a part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "--dport 123 -j DROP"),
    ("rule-any-any", "-i eth1.20 -o eth0 -j ACCEPT"),
    ("inbound-from-internet", "--dport 8443 -j DNAT"),
    ("segment-exposed", "-i eth1.30 -o eth1.20 -j ACCEPT"),
    ("rule-shadowed", "--dport 25 -j DROP"),
    ("rule-shadowed", "-s 10.99.0.0/24 -p udp -j ACCEPT"),
    ("deny-not-logged", "-j DROP"),
];

pub fn plant(text: &str) -> String {
    let text = without(text, &["-j LOG"]);
    let first = "-A FORWARD -m conntrack --ctstate INVALID -j DROP\n";
    let text = text.replacen(first, &format!("{first}-A FORWARD -p udp -m udp --dport 123 -j DROP\n"), 1);
    let rules = "-A FORWARD -i eth1.20 -o eth0 -j ACCEPT\n-A FORWARD -4 -i eth0 -o eth1.20 -d 10.17.20.11/32 -p tcp -m tcp --dport 12345 -j ACCEPT\n-A FORWARD -i eth1.30 -o eth1.20 -j ACCEPT\n-A FORWARD -i eth1.20 -o eth0 -p tcp -m tcp --dport 25 -j DROP\n-A FORWARD -4 -s 10.99.0.0/25 -j DROP\n-A FORWARD -4 -s 10.99.0.128/25 -j DROP\n-A FORWARD -4 -s 10.99.0.0/24 -p udp -j ACCEPT\n";
    let text = text.replacen(
        "-A FORWARD -j tg-forward-deny\n",
        &format!("{rules}-A FORWARD -j tg-forward-deny\n"),
        1,
    );
    text.replacen(":PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT", ":PREROUTING ACCEPT [0:0]\n-A PREROUTING -4 -i eth0 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 10.17.20.11:12345\n:INPUT ACCEPT", 1)
}
