//! The bistro's six faults, and a rule shadowed by two others, planted into what is written for it.

/// Lines that belong to a finding's first one.
pub const LINES: usize = 12;

/// Finding, and a part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "planted-100"),
    ("rule-any-any", "planted-101"),
    ("inbound-from-internet", "planted-102"),
    ("segment-exposed", "planted-103"),
    ("rule-shadowed", "planted-104"),
    ("rule-shadowed", "planted-107"),
    ("deny-not-logged", ""),
];

pub fn plant(text: &str) -> String {
    let text = text.replace("fwpolicy-implicit-log enable", "fwpolicy-implicit-log disable");
    let policy = |number: u32,
                  from: &str,
                  to: &str,
                  source: &str,
                  target: &str,
                  service: &str,
                  action: &str| {
        format!(
            "    edit {number}\n        set name \"planted-{number}\"\n        set srcintf \"{from}\"\n        set dstintf \"{to}\"\n        set srcaddr \"{source}\"\n        set dstaddr \"{target}\"\n        set action {action}\n        set schedule \"always\"\n        set service \"{service}\"\n    next\n"
        )
    };
    let first = "config firewall policy\n    purge\n";
    let text = text.replacen(
        first,
        &format!("{first}{}", policy(100, "any", "any", "all", "all", "NTP", "deny")),
        1,
    );
    let rules = [
        policy(101, "eth1.20", "eth0", "all", "all", "ALL", "accept"),
        policy(102, "eth0", "eth1.20", "all", "terminal", "ALL", "accept"),
        policy(103, "eth1.30", "eth1.20", "all", "all", "ALL", "accept"),
        // A denial may take what a VIP has translated, which the policy before it does not.
        policy(104, "eth1.20", "eth0", "all", "all", "SMTP", "deny\n        set match-vip disable"),
        policy(105, "any", "any", "half-1", "all", "ALL", "deny"),
        policy(106, "any", "any", "half-2", "all", "ALL", "deny"),
        policy(107, "any", "any", "both", "all", "ALL_UDP", "accept"),
    ];
    format!(
        "config firewall address\n    edit \"half-1\"\n        set subnet 10.99.0.0 255.255.255.128\n    next\n    edit \"half-2\"\n        set subnet 10.99.0.128 255.255.255.128\n    next\n    edit \"both\"\n        set subnet 10.99.0.0 255.255.255.0\n    next\nend\nconfig firewall vip\n    edit \"terminal\"\n        set extip 203.0.113.2\n        set mappedip \"10.17.20.11\"\n        set extintf \"eth0\"\n        set portforward enable\n        set extport 8443\n        set mappedport 12345\n    next\nend\n{text}config firewall policy\n{}end\n",
        rules.concat()
    )
}
