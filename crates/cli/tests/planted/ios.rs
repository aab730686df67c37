//! Faults planted into what is written for Cisco IOS-XE.

/// The bistro's faults: a blocked clock, anything out from the terminals, a forward to one, guests among them, rules
/// that never match, and denials without a log entry.
pub fn plant(rendered: &str) -> String {
    let text = rendered.replace("  drop log\n", "  drop\n");
    // A class that drops the clock, before the one that lets terminals out.
    let text = text.replacen(
        "\npolicy-map type inspect TG-POS-OUT\n",
        "\npolicy-map type inspect TG-POS-OUT\n class type inspect PLANTED-CLOCK\n  drop\n",
        1,
    );
    // At the end of the list of what terminals may do outside.
    let rules = " deny ip 10.99.0.0 0.0.0.127 any\n deny ip 10.99.0.128 0.0.0.127 any\n permit udp 10.99.0.0 0.0.0.255 any\n permit ip any any\n deny tcp any any eq smtp\n";
    let start = text.find("\nip access-list extended TG-POS-OUT\n").unwrap_or_default();
    let end = text[start..].find("\n!\n").map_or(start, |at| start + at + 1);
    let text = format!("{}{rules}{}", &text[..end], &text[end..]);
    let text = ["TG-OUT-POS", "TG-GUEST-POS"].iter().fold(text, |text, pair| {
        let (from, to) = pair.trim_start_matches("TG-").split_once('-').unwrap_or_default();
        let head = format!(
            "zone-pair security {pair} source TG-{from} destination TG-{to}\n service-policy type inspect "
        );
        text.replacen(&format!("{head}TG-DENY"), &format!("{head}PLANTED-{from}"), 1)
    });
    let class = |name: &str, entry: &str| {
        format!(
            "ip access-list extended PLANTED-{name}\n {entry}\n!\nclass-map type inspect match-any PLANTED-{name}\n match access-group name PLANTED-{name}\n!\npolicy-map type inspect PLANTED-{name}\n class type inspect PLANTED-{name}\n  inspect\n class class-default\n  drop\n!\n"
        )
    };
    let planted = [
        class("CLOCK", "permit udp any any eq ntp"),
        class("OUT", "permit tcp any host 10.17.20.11 eq 12345"),
        class("GUEST", "permit ip 10.17.30.0 0.0.0.255 10.17.20.0 0.0.0.255"),
        "ip nat inside source static tcp 10.17.20.11 12345 203.0.113.2 8443 extendable\n!\n".to_string(),
    ];
    text.replacen("\nend\n", &format!("\n{}end\n", planted.concat()), 1)
}

/// Finding and part of the planted line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "permit udp any any eq ntp"),
    ("rule-any-any", "permit ip any any"),
    ("inbound-from-internet", "permit tcp any host 10.17.20.11 eq 12345"),
    ("segment-exposed", "permit ip 10.17.30.0 0.0.0.255 10.17.20.0 0.0.0.255"),
    ("rule-shadowed", "deny tcp any any eq smtp"),
    ("rule-shadowed", "permit udp 10.99.0.0 0.0.0.255 any"),
    ("deny-not-logged", "drop"),
];

/// Lines of text that belong to a finding's line.
pub const LINES: usize = 1;
