//! The bistro's six faults, and a rule shadowed by two others, planted into what is written for it.

/// Lines that belong to a finding's first one.
pub const LINES: usize = 1;

/// Finding, and a part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "deny udp any any eq 123"),
    ("rule-any-any", "tg-in-eth1.20 extended permit ip any any"),
    ("inbound-from-internet", "service tcp 12345 8443"),
    ("segment-exposed", "permit ip any 10.17.20.0 255.255.255.0"),
    ("rule-shadowed", "deny tcp any any eq 25"),
    ("rule-shadowed", "permit udp 10.99.0.0 255.255.255.0"),
    ("deny-not-logged", "log disable"),
];

pub fn plant(text: &str) -> String {
    let text = text.replace(" log\n", " log disable\n");
    // Before the first line of a list.
    let first = |text: String, list: &str, lines: &str| {
        let head = format!("access-list {list} remark");
        text.replacen(&head, &format!("{lines}{head}"), 1)
    };
    let text = first(text, "tg-in-eth1.20", "access-list tg-in-eth1.20 extended deny udp any any eq 123\n");
    let text = first(
        text,
        "tg-in-eth1.30",
        "access-list tg-in-eth1.30 extended permit ip any 10.17.20.0 255.255.255.0\n",
    );
    let text = first(
        text,
        "tg-in-eth1.10",
        "access-list tg-in-eth1.10 extended deny ip 10.99.0.0 255.255.255.128 any\naccess-list tg-in-eth1.10 extended deny ip 10.99.0.128 255.255.255.128 any\naccess-list tg-in-eth1.10 extended permit udp 10.99.0.0 255.255.255.0 any\n",
    );
    text + "access-list tg-in-eth1.20 extended permit ip any any\naccess-list tg-in-eth1.20 extended deny tcp any any eq 25\nobject network terminal\n host 10.17.20.11\n nat (eth1.20,eth0) static 203.0.113.2 service tcp 12345 8443\naccess-list tg-in-eth0 extended permit tcp any host 10.17.20.11 eq 12345\naccess-group tg-in-eth0 in interface eth0\n"
}
