//! The bistro's six faults, and a rule shadowed by two others, planted into what is written for it.

/// Lines that belong to a finding's first one: the beginning of a section.
pub const LINES: usize = 3;

/// Finding, and a part of the planted block.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "option name 'no clock'"),
    ("rule-any-any", "option name 'anything'"),
    ("inbound-from-internet", "option src_dport '8443'"),
    ("segment-exposed", "option name 'guests to terminals'"),
    ("rule-shadowed", "option name 'no mail'"),
    ("rule-shadowed", "option name 'old lab'"),
    ("deny-not-logged", "option forward 'DROP'"),
];

/// A section: its type, then an option and its value by turns.
fn section(kind: &str, options: &[(&str, &str)]) -> String {
    let options: String =
        options.iter().map(|(name, value)| format!("\toption {name} '{value}'\n")).collect();
    format!("config {kind}\n{options}\n")
}

pub fn plant(text: &str) -> String {
    let text: String = text
        .lines()
        .filter(|line| !line.contains("option log '1'"))
        .map(|line| format!("{line}\n"))
        .collect();
    let clock = section(
        "rule",
        &[
            ("name", "no clock"),
            ("src", "pos"),
            ("dest", "wan"),
            ("proto", "udp"),
            ("dest_port", "123"),
            ("target", "DROP"),
        ],
    );
    let rules: String = [
        section(
            "rule",
            &[("name", "anything"), ("src", "pos"), ("dest", "wan"), ("proto", "all"), ("target", "ACCEPT")],
        ),
        section(
            "redirect",
            &[
                ("src", "wan"),
                ("src_dport", "8443"),
                ("dest", "pos"),
                ("dest_ip", "10.17.20.11"),
                ("dest_port", "12345"),
                ("proto", "tcp"),
                ("target", "DNAT"),
                ("reflection", "0"),
            ],
        ),
        section(
            "rule",
            &[
                ("name", "guests to terminals"),
                ("src", "guest"),
                ("dest", "pos"),
                ("proto", "all"),
                ("target", "ACCEPT"),
            ],
        ),
        section(
            "rule",
            &[
                ("name", "no mail"),
                ("src", "pos"),
                ("dest", "wan"),
                ("proto", "tcp"),
                ("dest_port", "25"),
                ("target", "REJECT"),
            ],
        ),
        section(
            "rule",
            &[("src", "*"), ("dest", "*"), ("src_ip", "10.99.0.0/25"), ("proto", "all"), ("target", "DROP")],
        ),
        section(
            "rule",
            &[
                ("src", "*"),
                ("dest", "*"),
                ("src_ip", "10.99.0.128/25"),
                ("proto", "all"),
                ("target", "DROP"),
            ],
        ),
        section(
            "rule",
            &[
                ("name", "old lab"),
                ("src", "*"),
                ("dest", "*"),
                ("src_ip", "10.99.0.0/24"),
                ("proto", "udp"),
                ("target", "ACCEPT"),
            ],
        ),
    ]
    .concat();
    let first = "# through the firewall\n\n";
    format!("{}\n{rules}", text.replacen(first, &format!("{first}{clock}"), 1))
}
