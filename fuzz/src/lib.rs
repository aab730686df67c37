//! What every target of a platform does with a text.

use tillgate_model::{Packet, SourceFile};
use tillgate_platforms::{Input, NoIncludes, platform};

/// Any text is rules, errors, or both; whatever was read can be traced, judged and compared with itself.
pub fn read(name: &str, text: &str) {
    let parsed = platform(name).unwrap().parse(&Input {
        files: &[SourceFile::new("fuzz", text)],
        resolvers: &[SourceFile::new("r", text)],
        includes: &NoIncludes,
    });
    for diagnostic in &parsed.diagnostics {
        if let Some(span) = &diagnostic.span {
            span.position();
            span.one_line();
        }
    }
    // A configuration with errors is never judged.
    if parsed.diagnostics.is_empty() {
        for packet in [
            "tcp 10.0.0.1:40000 -> 203.0.113.5:443 in eth1 out eth0",
            "udp [2001:db8::1]:40000 -> [2001:db8::2]:53 in eth1",
        ] {
            let packet = Packet::parse(packet).unwrap();
            tillgate_ruleset::trace(&parsed.rules, None, &packet, None);
        }
        tillgate_ruleset::verify_alone(&parsed.rules, None);
        if parsed.rules.len() < 40 {
            let found = tillgate_ruleset::diff(&parsed.rules, &parsed.rules, None);
            assert!(found.equal, "a rule set equals itself");
        }
    }
}
