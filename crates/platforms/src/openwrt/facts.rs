//! What a configuration says beside its rules: sets that no rule names, management without encryption.

use super::uci::{Package, Section};
use super::values::boolean;
use std::collections::BTreeSet;
use tillgate_ruleset::{Fact, What};

/// Facts of all sections; `used` are the sets that rules in force name.
pub fn facts(sections: &[Section], used: &BTreeSet<String>) -> Vec<Fact> {
    let mut out = Vec::new();
    for section in sections {
        let off = section.text("enabled").and_then(boolean) == Some(false);
        let what = match (section.package, section.kind.as_str()) {
            (Package::Firewall, "ipset") if !off && !section.has("domain") => {
                let name = section.text("name").or(section.name.as_deref());
                name.filter(|n| !used.contains(*n)).map(|n| What::Unused(n.to_string()))
            }
            // The web interface, unless it sends everybody on to its encrypted side.
            (Package::Other, "uhttpd") => {
                let moved = section.text("redirect_https").and_then(boolean) == Some(true);
                (section.has("listen_http") && !moved).then(|| What::CleartextManagement("http".into()))
            }
            // Communities of SNMP v1 and v2c.
            (Package::Other, "com2sec") => Some(What::CleartextManagement("snmp".into())),
            _ => None,
        };
        if let Some(what) = what {
            let span = match section.kind.as_str() {
                "uhttpd" => section.line("listen_http"),
                // The section holds the community, which is a password.
                "com2sec" => section.head.clone(),
                _ => section.span.clone(),
            };
            out.push(Fact { span, what });
        }
    }
    out
}
