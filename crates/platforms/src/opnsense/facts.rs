//! What a configuration says beside its rules: what is switched off, what nothing refers to, unencrypted management.

use super::alias::Aliases;
use super::sections;
use super::tree::{El, Tree};
use std::collections::BTreeSet;
use tillgate_ruleset::{Fact, What};

/// Lists of rules that can be switched off by `disabled`, and by `enabled`.
const OLD: &[&str] = &["filter/rule", "nat/rule", "nat/onetoone", "nat/npt", "nat/outbound/rule"];
const NEW: &[&str] = &[
    "OPNsense/Firewall/Filter/rules/rule",
    "OPNsense/Firewall/Filter/snatrules/rule",
    "OPNsense/Firewall/Filter/onetoone/rule",
    "OPNsense/Firewall/Filter/npt/rule",
];
/// Sections whose words are names that have been followed already.
const FOLLOWED: &[&str] = &["filter", "nat", "aliases", "schedules", "ifgroups", "interfaces", "Firewall"];

/// All facts, once every rule has been read.
pub fn facts<'d>(tree: &Tree<'d>, aliases: &Aliases<'d>) -> Vec<Fact> {
    let mut out = Vec::new();
    let old = OLD.iter().flat_map(|path| tree.all(path)).filter(|r| r.on("disabled"));
    let new = NEW.iter().flat_map(|path| tree.all(path)).filter(|r| r.get("enabled") == Some("0"));
    out.extend(old.chain(new).map(|r| Fact { span: r.span(), what: What::Disabled }));
    for (element, service) in sections::cleartext(tree) {
        // A community is a password: its section is shown by its first tag alone.
        let span = if service == "snmp" { element.head() } else { element.span() };
        out.push(Fact { span, what: What::CleartextManagement(service.to_string()) });
    }
    let elsewhere = elsewhere(tree);
    let unused = |name: &str| !aliases.is_used(name) && !elsewhere.contains(name);
    let mut objects: Vec<(&str, El<'_>)> = aliases.each().collect();
    objects.extend(tree.all("schedules/schedule").into_iter().filter_map(|s| s.get("name").map(|n| (n, s))));
    objects.extend(
        tree.all("ifgroups/ifgroupentry").into_iter().filter_map(|g| g.get("ifname").map(|n| (n, g))),
    );
    for (name, element) in objects {
        if unused(name) {
            out.push(Fact { span: element.span(), what: What::Unused(name.to_string()) });
        }
    }
    out
}

/// Words of all other sections: services name aliases and interfaces too.
fn elsewhere<'d>(tree: &Tree<'d>) -> BTreeSet<&'d str> {
    let mut out = BTreeSet::new();
    let mut add = |section: El<'d>| {
        for element in section.descendants() {
            let text = element.text();
            // Certificates and the like are no names.
            if !text.is_empty() && text.len() < 200 {
                out.extend(text.split([',', ' ', '\n']).filter(|w| !w.is_empty()));
            }
        }
    };
    for section in tree.roots.iter().flat_map(El::children).filter(|s| !FOLLOWED.contains(&s.name())) {
        match section.name() {
            "OPNsense" => section.children().filter(|s| !FOLLOWED.contains(&s.name())).for_each(&mut add),
            _ => add(section),
        }
    }
    out
}
