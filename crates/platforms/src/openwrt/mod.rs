//! OpenWrt: the UCI firewall as a file, as `uci export` and as `uci show`, read with the network's and the resolver's
//! files, and written as `/etc/config/firewall`.
//!
//! Semantics: `docs/reference/platforms/openwrt.md`, after the manual and what fw4 makes of the file.

mod build;
mod edit;
mod facts;
mod network;
mod render;
mod resolver;
mod rule;
mod section;
mod select;
mod sets;
mod translate;
mod uci;
mod values;
mod zones;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use network::Networks;
use resolver::SetNames;
use tillgate_model::{Diagnostic, Span};
use tillgate_ruleset::RuleSet;

/// How much a text looks like a UCI configuration with a firewall, or with what belongs to one.
pub fn recognise(text: &str) -> u8 {
    registry::best_line(text, 20_000, |line| {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match (first, second.trim_matches(['\'', '"'])) {
            ("package", "firewall") => 100,
            ("package", "network" | "dhcp" | "system" | "wireless") => 90,
            ("config", "defaults" | "zone" | "forwarding" | "redirect") => 95,
            ("config", "rule" | "interface" | "bridge-vlan" | "ipset" | "dnsmasq" | "nat") => 70,
            (shown, _) if shown.starts_with("firewall.") && shown.contains('=') => 95,
            (shown, _)
                if (shown.starts_with("network.") || shown.starts_with("dhcp.")) && shown.contains('=') =>
            {
                70
            }
            _ => 0,
        }
    })
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let sections = uci::read(input.files, &mut diagnostics);
    let Some(file) = input.files.first() else {
        return Parsed { rules: RuleSet::default(), diagnostics };
    };
    let begin = Span::new(file, 0, 0);
    let names = SetNames::of(&sections, input.resolvers);
    let networks = Networks::of(&sections);
    let sets = sets::sets(&sections, &networks, &names, &mut diagnostics);
    let (mut rules, used) = build::build(&sections, networks, sets, begin, &mut diagnostics);
    rules.facts.extend(facts::facts(&sections, &used));
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tillgate_model::SourceFile;
    use tillgate_ruleset::What;

    fn read(text: &str) -> Parsed {
        parse(&Input::one(&SourceFile::new("test", text)))
    }

    /// Lines and ids of what is wrong.
    fn wrong(text: &str) -> Vec<(usize, &'static str)> {
        let place = |d: &Diagnostic| (d.span.as_ref().map_or(0, |s| s.position().0), d.message.id);
        read(text).diagnostics.iter().map(place).collect()
    }

    #[test]
    fn what_the_router_would_refuse_is_an_error_at_its_line() {
        let zone = "config zone\n\toption name 'lan'\n\tlist device 'eth1'\n";
        let cases: &[(&str, &[(usize, &str)])] = &[
            ("config rule\n\toption src 'nowhere'\n", &[(5, "unknown-object")]),
            ("config rule\n\toption src 'lan\n", &[(5, "open-string")]),
            ("config rule\n\toption src_ip '10.0.0.300'\n", &[(5, "bad-value")]),
            ("config rule\n\toption dest_port 'ssh'\n", &[(5, "bad-value")]),
            ("config rule\n\toption proto 'nonsense'\n", &[(5, "bad-value")]),
            ("config rule\n\toption ipset 'none'\n", &[(5, "unknown-object")]),
            ("config rule\n\toption target 'PERMIT'\n", &[(5, "bad-value")]),
            ("config rule\n\toption enabled '2'\n", &[(5, "bad-value")]),
            ("config forwarding\n\toption src 'lan'\n", &[(4, "openwrt-missing")]),
            ("config redirect\n\toption dest 'lan'\n", &[(4, "openwrt-missing")]),
            ("config zone\n\toption name 'lan'\n", &[(5, "duplicate-name")]),
            ("config zone\n\toption name 'two words'\n", &[(5, "bad-value")]),
            ("config ipset\n\toption name 'a'\n", &[(4, "openwrt-missing")]),
            (
                "config ipset\n\toption name 'a'\n\toption match 'ip'\n\tlist entry 'x y'\n",
                &[(7, "bad-value")],
            ),
            ("config rule\n\toption name\n", &[(5, "expected-value")]),
            ("config rule\n\toption name two words\n", &[(5, "openwrt-too-much")]),
            ("konfig rule\n", &[(4, "unknown-word")]),
            ("uci set firewall.@rule[0].target='DROP'\n", &[(4, "openwrt-changes")]),
            ("firewall.@rule[7].target='DROP'\n", &[(4, "unknown-object")]),
        ];
        for (text, expected) in cases {
            let text = format!("{zone}{text}");
            assert_eq!(wrong(&text), *expected, "{text}");
        }
        assert_eq!(wrong("option name 'x'\n"), [(1, "openwrt-outside")]);
    }

    #[test]
    fn a_rule_is_shown_by_its_section_and_a_policy_by_its_line() {
        let text = "config zone\n\toption name 'lan'\n\tlist device 'eth1'\n\toption input 'DROP'\n\nconfig rule\n\toption src 'lan'\n\toption target 'ACCEPT' # all\n";
        let rules = read(text).rules;
        let chain = rules.chains.iter().find(|c| c.name == "input_lan");
        let shown: Vec<&str> = chain.iter().flat_map(|c| &c.rules).map(|r| r.span.text()).collect();
        let rule = "config rule\n\toption src 'lan'\n\toption target 'ACCEPT'";
        assert_eq!(shown, [rule, "option input 'DROP'"]);
    }

    #[test]
    fn facts_are_told_where_they_stand() {
        let text = "package firewall\nconfig ipset\n\toption name 'idle'\n\toption match 'ip'\n\tlist entry '10.0.0.1'\nconfig rule\n\toption enabled '0'\nconfig rule\n\toption stop_date '2027-03-31'\n\toption target 'DROP'\npackage uhttpd\nconfig uhttpd 'main'\n\tlist listen_http '0.0.0.0:80'\npackage snmpd\nconfig com2sec public\n\toption community 's3cret'\n";
        let parsed = read(text);
        assert!(parsed.rules.facts.iter().all(|f| !f.span.text().contains("s3cret")));
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        let found: Vec<(usize, What)> =
            parsed.rules.facts.iter().map(|f| (f.span.position().0, f.what.clone())).collect();
        let day = tillgate_model::Date::constant(2027, 3, 31);
        let expected = [
            (2, What::Unused("idle".into())),
            (6, What::Disabled),
            (8, What::Until(day)),
            (13, What::CleartextManagement("http".into())),
            (15, What::CleartextManagement("snmp".into())),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn no_error_shows_what_may_be_a_secret() {
        for line in ["\toption key s3cret words\n", "\toption key two s3cret\n", "\toption key 's3cret\n"] {
            let parsed = read(&format!("config wifi-iface\n{line}"));
            let shown = |d: &Diagnostic| d.span.as_ref().is_some_and(|s| s.text().contains("s3cret"));
            assert!(!parsed.diagnostics.is_empty(), "{line}");
            assert!(!parsed.diagnostics.iter().any(shown), "{line}: {:?}", parsed.diagnostics);
        }
    }

    #[test]
    fn a_network_that_only_wireless_serves_has_a_device_all_the_same() {
        let text = "package network\nconfig interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\nconfig interface 'guest'\n\toption proto 'static'\n\toption ipaddr '10.17.30.1/24'\npackage firewall\nconfig zone\n\toption name 'guest'\n\tlist network 'guest'\n\toption input 'ACCEPT'\n";
        let rules = read(text).rules;
        assert!(rules.notes.iter().any(|n| n.bears && n.text.id == "openwrt-device"), "{:?}", rules.notes);
    }

    #[test]
    fn devices_of_large_zones_are_not_repeated_in_every_rule() {
        let devices: String = (0..100).map(|n| format!("\tlist device 'eth{n}'\n")).collect();
        let rules = "config rule\n\toption src '*'\n\toption dest 'many'\n\toption proto 'all'\n\toption target 'ACCEPT'\n";
        let text = format!("config zone\n\toption name 'many'\n{devices}{}", rules.repeat(50));
        let rules = read(&text).rules;
        let names: usize = rules
            .chains
            .iter()
            .flat_map(|c| &c.rules)
            .flat_map(|r| &r.when.output)
            .map(|m| m.patterns.len())
            .sum();
        assert!(names < 500, "{names}");
    }
}
