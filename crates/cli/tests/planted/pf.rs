//! Faults planted into what is written for pf.

/// A denial of the clock and a port forward before everything, the rest before the rules for what passes through.
pub fn plant(rendered: &str) -> String {
    let text = rendered.replace("block in log", "block in").replace("block out log", "block out");
    let first = "block out all\n";
    let text = text.replacen(
        first,
        &format!(
            "{first}block in quick proto udp to port 123\npass in quick on eth0 inet proto tcp to port 8443 tag TG_TO_pos rdr-to 10.17.20.11 port 12345\n"
        ),
        1,
    );
    let mark = "# through the firewall\n";
    let rules = "pass in quick on eth1.20 all tag TG_TO_internet\npass in quick on eth1.30 to 10.17.20.0/24 tag TG_TO_pos\nblock in quick on eth1.20 proto tcp to port 25\nblock in quick from 10.99.0.0/25\nblock in quick from 10.99.0.128/25\npass in quick proto udp from 10.99.0.0/24\n";
    text.replacen(mark, &format!("{mark}{rules}"), 1)
}

/// Which finding is at which line.
pub const MARKS: &[(&str, &str)] = &[
    ("flow-blocked", "proto udp to port 123"),
    ("rule-any-any", "on eth1.20 all tag"),
    ("inbound-from-internet", "rdr-to 10.17.20.11"),
    ("segment-exposed", "on eth1.30 to 10.17.20.0/24"),
    ("rule-shadowed", "proto tcp to port 25"),
    ("rule-shadowed", "proto udp from 10.99.0.0/24"),
    ("deny-not-logged", "block in"),
];

/// A finding points at one line.
pub const LINES: usize = 1;
