//! VyOS 1.2 to 1.5, EdgeOS and UniFi gateways: `set` commands and configurations in braces, read and written.
//!
//! Semantics: `docs/reference/platforms/vyos.md`, after the manuals of VyOS and EdgeOS.

mod ahead;
mod around;
mod beside;
mod bind;
mod build;
mod commands;
mod diverted;
mod edit;
mod forged;
mod grant;
mod icmp;
mod matches;
mod nat;
mod numbers;
mod page;
mod render;
mod text;
mod tree;
mod zones;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use tillgate_model::Diagnostic;

/// How much a text looks like VyOS or one of its relatives.
pub fn recognise(text: &str) -> u8 {
    let whole = ["vyos-config-version:", "vyatta-config-version:"];
    if text.lines().rev().take(12).any(|line| whole.iter().any(|word| line.contains(word))) {
        return 100;
    }
    registry::best_line(text, 20_000, |line| {
        let line = text::without_prompt(line).0;
        let has = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
        if has(SURE) {
            95
        } else if has(LIKELY) {
            80
        } else if has(&["firewall {", "interfaces {", "nat {", "set nat "]) && !line.contains(';') {
            30
        } else {
            0
        }
    })
}

/// Lines that nobody else writes.
const SURE: &[&str] = &[
    "edit firewall ipv4 ",
    "edit firewall ipv6 ",
    "edit firewall name ",
    "set firewall ipv4 ",
    "set firewall ipv6 ",
    "set firewall ipv6-name ",
    "set firewall name ",
    "set firewall group ",
    "set firewall global-options ",
    "set firewall state-policy ",
    "set firewall zone ",
    "set interfaces ethernet eth",
    "set zone-policy zone ",
    "set nat source rule ",
    "set nat destination rule ",
    "set port-forward ",
    "set service nat rule ",
    "zone-policy {",
    "port-forward {",
];

/// Lines that few write.
const LIKELY: &[&str] = &[
    "set interfaces bonding bond",
    "set interfaces loopback lo",
    "set interfaces switch switch",
    "set service ssh port ",
    "bonding bond",
    "default-action ",
    "ethernet eth",
    "ipv6-name ",
    "loopback lo {",
    "switch switch",
];

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let tree = text::read(input.files, &mut diagnostics);
    let mut rules = build::build(tree.root(), &mut diagnostics);
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
    fn what_a_device_would_refuse_is_an_error_at_its_line() {
        let cases: &[(&str, &[(usize, &str)])] = &[
            ("set firewall ipv4 name A rule 1 protocol 'tcp'", &[(1, "vyos-no-action")]),
            ("set firewall ipv4 name A rule x action 'drop'", &[(1, "bad-value")]),
            (
                "set firewall name A rule 1 action 'drop'\nset firewall name A rule 1 source address '10.0.0.300'",
                &[(2, "bad-value")],
            ),
            (
                "set firewall name A rule 1 action 'drop'\nset firewall name A rule 1 source port '80'",
                &[(2, "exception-ports-protocol")],
            ),
            (
                "set firewall name A rule 1 action 'drop'\nset firewall name A rule 1 source group address-group 'G'",
                &[(2, "unknown-object")],
            ),
            ("set interfaces ethernet eth0 firewall in name 'A'", &[(1, "unknown-object")]),
            ("set firewall group port-group P include 'P'", &[(1, "include-cycle")]),
            (
                "set firewall ipv4 name A rule 1 action 'jump'\nset firewall ipv4 name A rule 1 jump-target 'A'",
                &[(1, "jump-loop")],
            ),
            ("set system host-name 'x'\nrename firewall name A to name B", &[(2, "vyos-changes")]),
            ("set system host-name 'x\nset system name-server '10.0.0.1'", &[(1, "open-string")]),
            ("firewall {\n    name A {\n", &[(3, "nft-unclosed")]),
            ("firewall {\n}\n}\n", &[(3, "unknown-word")]),
        ];
        for (text, expected) in cases {
            assert_eq!(wrong(text), *expected, "{text}");
        }
    }

    #[test]
    fn blanks_of_any_kind_part_words() {
        let text = "set firewall name\u{c}A rule 1 action\u{b}'drop'\u{85}\nset interfaces ethernet eth0 firewall in name A";
        assert!(wrong(text).is_empty());
        assert_eq!(read(text).rules.len(), 2, "the rule and the binding");
    }

    #[test]
    fn behind_an_open_quote_nothing_is_read_before_the_next_command() {
        let text = "set pki certificate x private key 'MIIEkeyone\nAbCdSECRETline\nvyos@shop# set system host-name 'x'\nset nat y z";
        let read = read(text);
        let shown: Vec<&str> =
            read.diagnostics.iter().filter_map(|d| d.span.as_ref()).map(|span| span.text()).collect();
        assert_eq!(shown, ["'"]);
        let said = |text: &tillgate_model::Text| format!("{text:?}");
        assert!(!read.diagnostics.iter().any(|d| said(&d.message).contains("SECRET")));
        assert!(read.rules.notes.iter().any(|n| said(&n.text).contains("\"y\"")), "what follows is read");
    }

    #[test]
    fn a_session_goes_no_deeper_than_paths_do() {
        let text = "edit a\n".repeat(50) + "set b c";
        assert_eq!(wrong(&text).len(), 10);
    }

    #[test]
    fn open_groups_do_not_multiply() {
        let mut text = String::from("set firewall name A rule 1 action 'drop'\n");
        for n in 0..40 {
            text += &format!("set interfaces ethernet eth{n} address '10.0.{n}.1/24'\n");
            text += &format!("set interfaces ethernet eth{n} address 'dhcp'\n");
            text += &format!("set firewall name A rule 1 source group address-group 'NETv4_eth{n}'\n");
        }
        assert!(read(&text).rules.len() < 40);
    }

    #[test]
    fn what_takes_packets_elsewhere_is_told() {
        let text = "set firewall ipv4 forward filter default-action 'accept'\nset service webproxy listen-address 10.0.0.1\nset service webproxy listen-address 10.0.1.1 disable-transparent\nset high-availability virtual-server V address '203.0.113.9'\nset container name web port http source '8080'\n";
        let notes = read(text).rules.notes;
        let lines: Vec<usize> = notes.iter().filter(|n| n.bears).map(|n| n.span.position().0).collect();
        assert_eq!(lines, [2, 4, 5]);
    }

    #[test]
    fn a_rule_is_shown_by_all_its_lines_and_nothing_else() {
        let text = "set firewall ipv4 forward filter rule 10 action 'drop'\nset firewall ipv4 forward filter rule 10 protocol 'tcp'\nset firewall ipv4 forward filter rule 20 action 'accept'\n";
        let rules = read(text).rules;
        let shown: Vec<&str> = rules.chains[0].rules.iter().map(|r| r.span.text()).collect();
        assert_eq!(shown.len(), 2);
        assert!(shown[0].ends_with("protocol 'tcp'") && shown[0].lines().count() == 2);
        assert_eq!(shown[1], "set firewall ipv4 forward filter rule 20 action 'accept'");
        let text = "firewall {\n    ipv4 {\n        forward {\n            filter {\n                rule 10 {\n                    action drop\n                }\n            }\n        }\n    }\n}\n";
        let rules = read(text).rules;
        assert!(rules.chains[0].rules[0].span.text().starts_with("rule 10 {"));
        assert!(rules.chains[0].rules[0].span.text().ends_with('}'));
    }

    #[test]
    fn facts_name_no_secret() {
        let text = "set firewall name IDLE default-action 'drop'\nset firewall name A rule 1 action 'accept'\nset firewall name A rule 1 time stopdate '2027-03-31'\nset firewall name A rule 2 action 'drop'\nset firewall name A rule 2 disable\nset firewall group port-group OLD port '80'\nset interfaces ethernet eth0 firewall in name 'A'\nset service telnet port '23'\nset service snmp community s3cret authorization 'ro'\n";
        let found = read(text).rules.facts;
        let has =
            |line: usize, what: &What| found.iter().any(|f| f.span.position().0 == line && f.what == *what);
        assert!(has(1, &What::Unused("IDLE".into())) && has(6, &What::Unused("OLD".into())));
        assert!(has(2, &What::Until(tillgate_model::Date::constant(2027, 3, 31))));
        assert!(has(4, &What::Disabled));
        assert!(has(8, &What::CleartextManagement("telnet".into())));
        assert!(has(9, &What::CleartextManagement("snmp".into())));
        assert!(found.iter().all(|f| !f.span.text().contains("s3cret")));
    }
}
