//! A configuration to the rule-set model.

use super::address::Resolver;
use super::config::{Config, Kind as Members, Named};
use super::lines::Line;
use super::lists::{Lists, Use};
use super::local::{local, managed, on};
use super::through::through;
use super::{nat, translate};
use tillgate_model::{Diagnostic, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Fact, Hook, Kind, Match, Policy, Rule, RuleSet, Special, Term, What,
};

/// Where the check of the way back stands: before any translation.
const REVERSE_PATH: i32 = -150;
/// Where destinations are translated.
const DESTINATIONS: i32 = -100;
/// Where sources are.
const SOURCES: i32 = 100;

/// Builds the rule set; errors go to `diagnostics`.
pub fn build(config: &Config<'_>, diagnostics: &mut Vec<Diagnostic>) -> RuleSet {
    let mut rules = RuleSet { platform: "asa", ..RuleSet::default() };
    let Some(head) = config.head.clone() else { return rules };
    rules.notes.extend(config.notes.iter().cloned());
    rules.facts.extend(config.facts.iter().cloned());
    let mut lists = Lists::new(Resolver::new(config), managed(config));
    lists.found.errors.extend(config.strangers());
    lists.found.errors.extend(config.misapplied());

    let lines: Vec<Line<'_>> = config.nat.iter().map(|n| Line::again(&n.span)).collect();
    let (translations, disabled) = nat::all(&lines, &mut lists.found);
    let translated = translate::translations(&translations, &mut lists.found);
    rules.notes.extend(translated.notes);
    rules.facts.extend(disabled);
    for (hook, priority, list, name) in [
        (Hook::Prerouting, DESTINATIONS, translated.destinations, "nat"),
        (Hook::Postrouting, SOURCES, translated.sources, "nat source"),
    ] {
        if !list.is_empty() {
            let chain = add(&mut rules, name, list);
            base(&mut rules, chain, hook, priority, Kind::Nat, Policy::Accept, &head);
        }
    }
    if !config.reverse_path.is_empty() {
        let log = config.logging.writes(106_021, 1);
        let list = config.reverse_path.iter().map(|named| reverse_path(config, named, log)).collect();
        let chain = add(&mut rules, "reverse-path", list);
        base(&mut rules, chain, Hook::Prerouting, REVERSE_PATH, Kind::Filter, Policy::Accept, &head);
    }
    let back = (!translated.reverse.is_empty()).then(|| {
        let log = config.logging.writes(305_013, 5);
        let list = translated.reverse.into_iter().map(|rule| denied_apart(rule, log, &mut rules)).collect();
        add(&mut rules, "nat reverse check", list)
    });
    let (inbound, outbound) = through(config, &mut lists, back, &head, &mut rules);
    let chain = add(&mut rules, "inbound", inbound);
    base(&mut rules, chain, Hook::Forward, 0, Kind::Filter, Policy::Drop, &head);
    if !outbound.is_empty() {
        let chain = add(&mut rules, "outbound", outbound);
        base(&mut rules, chain, Hook::Forward, 10, Kind::Filter, Policy::Accept, &head);
    }
    let to_device = local(config, &mut lists, &head, &mut rules);
    let chain = add(&mut rules, "to the device", to_device);
    base(&mut rules, chain, Hook::Input, 0, Kind::Filter, Policy::Drop, &head);
    for name in config.lists.keys() {
        lists.check(name);
    }
    let groups: Vec<Named<'_>> =
        config.groups.iter().map(|(name, group)| Named { name, span: group.span.clone() }).collect();
    for group in &groups {
        // For what is wrong in groups nothing uses.
        match config.groups.get(group.name).map(|g| g.kind) {
            Some(Members::Network) => drop(lists.found.addresses(group, true)),
            Some(_) => drop(lists.found.services(group, true)),
            None => {}
        }
    }
    rules.facts.extend(unused(config));
    let errors = std::mem::take(&mut lists.found.errors);
    diagnostics.extend(errors.into_iter().map(|(span, text)| Diagnostic::error(span, text)));
    diagnostics.extend(config.diagnostics.iter().cloned());
    // What is another system's configuration is wrong in every line.
    let other = |d: &Diagnostic| matches!(d.message.id, "asa-old" | "asa-ftd");
    if diagnostics.iter().any(other) {
        diagnostics.retain(other);
        diagnostics.truncate(1);
    }
    rules
}

fn add(rules: &mut RuleSet, name: &str, list: Vec<Rule>) -> ChainId {
    rules.chains.push(Chain { name: name.to_string(), rules: list });
    rules.chains.len() - 1
}

fn base(
    rules: &mut RuleSet,
    chain: ChainId,
    hook: Hook,
    priority: i32,
    kind: Kind,
    policy: Policy,
    head: &Span,
) {
    let policy_span = head.clone();
    rules.bases.push(Base { chain, hook, priority, kind, policy, policy_span, family: None });
}

/// A denial in a chain of its own: translations that deny the same packets the other way round are still not
/// redundant.
fn denied_apart(rule: Rule, log: bool, rules: &mut RuleSet) -> Rule {
    if rule.action != Action::Drop {
        return rule;
    }
    let last = Rule { span: rule.span.clone(), when: Match::default(), action: Action::Drop, log };
    let chain = add(rules, "nat reverse deny", vec![last]);
    Rule { action: Action::Goto(chain), ..rule }
}

/// Packets whose way back does not lead to where they came from. A host without an address yet is let through to
/// the DHCP server.
fn reverse_path(config: &Config<'_>, named: &Named<'_>, log: bool) -> Rule {
    let mut when = Match { input: on(config.spelled(named.name)), ..Match::default() };
    when.narrow(Field::Source, &Ranges::span(1, u128::MAX));
    when.terms.push(Term::Special(vec![Special::ReversePathFails], false));
    Rule { span: named.span.clone(), when, action: Action::Drop, log }
}

/// Objects, groups and lists that no line refers to.
fn unused(config: &Config<'_>) -> Vec<Fact> {
    let networks = config.networks.iter().map(|(name, n)| (*name, &n.span));
    let services = config.services.iter().map(|(name, s)| (*name, &s.span));
    let groups = config.groups.iter().map(|(name, g)| (*name, &g.span));
    let lists = config.lists.iter().map(|(name, l)| (*name, &l.span));
    let all = networks.chain(services).chain(groups).chain(lists);
    let unused = all.filter(|(name, _)| !config.mentioned.contains(name));
    unused.map(|(name, span)| Fact { span: span.clone(), what: What::Unused(name.to_string()) }).collect()
}

/// A doubt about something that is not modelled.
pub(super) fn doubt(what: &str) -> Text {
    Text::new("not-modelled-statement").arg("what", what)
}

/// The chain of a list for its traffic through the device.
pub(super) fn filter<'a>(
    lists: &mut Lists<'a>,
    name: &'a str,
    span: &Span,
    rules: &mut RuleSet,
) -> Option<ChainId> {
    lists.chain(&Named { name, span: span.clone() }, Use::Filter, rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tillgate_model::{Date, SourceFile};

    #[test]
    fn what_is_said_beside_the_rules_and_no_secret() {
        let text = "ASA Version 9.16(4)\ninterface Vlan1\n nameif inside\n security-level 100\nobject network used\n host 10.1.1.1\nobject network idle\n host 10.1.1.2\nobject-group service IDLE tcp\n port-object eq www\ntime-range project\n absolute end 18:00 31 December 2024\naccess-list L extended permit tcp object used any eq ssh inactive\naccess-list L extended permit tcp object used any eq www time-range project\naccess-list OLD extended deny ip any any\naccess-group L in interface inside\ntelnet 10.1.1.0 255.255.255.0 inside\nsnmp-server host inside 10.1.1.1 community s3cret version 2c\nsnmp-server host inside 10.1.1.2 version 3 monitor\nmystery s3cret\n";
        let file = SourceFile::new("t", text);
        let config = super::super::read::read(std::slice::from_ref(&file));
        let mut diagnostics = Vec::new();
        let rules = build(&config, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let has = |what: What| rules.facts.iter().any(|f| f.what == what);
        for name in ["idle", "IDLE", "OLD"] {
            assert!(has(What::Unused(name.to_string())), "{name}");
        }
        assert!(!has(What::Unused("used".into())) && !has(What::Unused("L".into())));
        assert!(has(What::Disabled) && has(What::Until(Date::constant(2024, 12, 31))));
        assert!(has(What::CleartextManagement("telnet".into())));
        let snmp = rules.facts.iter().filter(|f| f.what == What::CleartextManagement("snmp".into()));
        assert_eq!(snmp.count(), 1);
        let shown = rules.notes.iter().map(|n| &n.span).chain(rules.facts.iter().map(|f| &f.span));
        let rules = rules.chains.iter().flat_map(|c| &c.rules).map(|r| &r.span);
        for span in shown.chain(rules) {
            assert!(!span.text().contains("s3cret"), "{}", span.text());
        }
    }

    #[test]
    fn what_the_device_refuses_is_an_error() {
        let refused = [
            "access-list A extended deny ip any any\naccess-list A standard permit 10.0.0.0 255.0.0.0\n",
            "access-list A standard permit 10.0.0.0 255.0.0.0\naccess-group A in interface inside\n",
            "object-group service WEB tcp\n port-object eq 443\naccess-list A permit udp any any object-group WEB\n",
            "object-group service WEB tcp\n port-object eq 443\naccess-list A permit udp any object-group WEB any\n",
            "access-list A permit icmp any eq 80 any\n",
            "policy-map P\n class missing\n  inspect icmp\nservice-policy P global\n",
            "ssh office 255.255.255.0 inside\n",
            "no access-group A in\n",
        ];
        for text in refused {
            let head = "ASA Version 9.16(4)\ninterface Vlan1\n nameif inside\n security-level 100\n";
            let file = SourceFile::new("t", format!("{head}{text}"));
            let config = super::super::read::read(std::slice::from_ref(&file));
            let mut diagnostics = Vec::new();
            build(&config, &mut diagnostics);
            assert_eq!(diagnostics.len(), 1, "{text}: {diagnostics:?}");
        }
    }
}
