//! Faults planted into what is written for VyOS.

/// Finding and part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "forward filter rule 35 "),
    ("rule-any-any", "forward filter rule 901 "),
    ("inbound-from-internet", "nat destination rule 10 "),
    ("segment-exposed", "forward filter rule 903 "),
    ("rule-shadowed", "forward filter rule 904 "),
    ("rule-shadowed", "forward filter rule 907 "),
    ("deny-not-logged", "forward filter default-action 'drop'"),
];

/// A rule is shown by its first line, which names its number.
pub const LINES: usize = 1;

/// The bistro's file with the faults in it.
pub fn plant(rendered: &str) -> String {
    let keep = |line: &&str| !line.ends_with(" log") && !line.ends_with(" default-log");
    let mut out: String = rendered.lines().filter(keep).map(|l| format!("{l}\n")).collect();
    let rules: &[(u32, &[&str])] = &[
        (35, &["action 'drop'", "destination port '123'", "protocol 'udp'"]),
        (901, &["action 'accept'", "inbound-interface name 'eth1.20'", "outbound-interface name 'eth0'"]),
        (
            902,
            &[
                "action 'accept'",
                "destination address '10.17.20.11'",
                "destination port '12345'",
                "inbound-interface name 'eth0'",
                "outbound-interface name 'eth1.20'",
                "protocol 'tcp'",
            ],
        ),
        (903, &["action 'accept'", "inbound-interface name 'eth1.30'", "outbound-interface name 'eth1.20'"]),
        (
            904,
            &[
                "action 'drop'",
                "destination port '25'",
                "inbound-interface name 'eth1.20'",
                "outbound-interface name 'eth0'",
                "protocol 'tcp'",
            ],
        ),
        (905, &["action 'drop'", "source address '10.99.0.0/25'"]),
        (906, &["action 'drop'", "source address '10.99.0.128/25'"]),
        (907, &["action 'accept'", "protocol 'udp'", "source address '10.99.0.0/24'"]),
    ];
    for (number, words) in rules {
        for word in *words {
            out.push_str(&format!("set firewall ipv4 forward filter rule {number} {word}\n"));
        }
    }
    for word in [
        "destination port '8443'",
        "inbound-interface name 'eth0'",
        "protocol 'tcp'",
        "translation address '10.17.20.11'",
        "translation port '12345'",
    ] {
        out.push_str(&format!("set nat destination rule 10 {word}\n"));
    }
    out
}
