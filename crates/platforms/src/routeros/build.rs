//! Sections to the rule-set model.

use super::lists::{Surroundings, family_of};
use super::matches::{Bad, matches};
use super::nat;
use super::script::Command;
use crate::loops::{self, Named};
use std::collections::BTreeMap;
use tillgate_model::{Diagnostic, Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Base, Chain, Hook, Kind, Match, Note, Policy, Rule, RuleSet, Special, Term};

/// Sections without bearing on what passes: `docs/reference/platforms/routeros.md`, Exempt.
const EXEMPT: &[&str] = &[
    "interface",
    "ip pool",
    "ip dhcp-server",
    "ip dhcp-client",
    "ip dhcp-relay",
    "ip dns",
    "ip neighbor",
    "ip arp",
    "ip route",
    "ip service",
    "ip ssh",
    "ip proxy",
    "ip smb",
    "ip traffic-flow",
    "ip address",
    "ip ipsec",
    "ip tftp",
    "ip firewall service-port",
    "ip firewall layer7-protocol",
    "ip firewall address-list",
    "ip firewall mangle",
    "ip vrf",
    "ip nat-pmp",
    "ip media",
    "ip socks",
    "ip accounting",
    "ip cloud",
    "ip kid-control",
    "ipv6 firewall address-list",
    "ipv6 firewall mangle",
    "ipv6 address",
    "ipv6 nd",
    "ipv6 dhcp-client",
    "ipv6 dhcp-server",
    "ipv6 pool",
    "ipv6 route",
    "ipv6 neighbor",
    "routing",
    "mpls",
    "queue",
    "user",
    "ppp",
    "radius",
    "certificate",
    "system",
    "port",
    "console",
    "disk",
    "file",
    "snmp",
    "tool",
    "caps-man",
    "dude",
    "zerotier",
    "container",
    "iot",
    "lora",
    "special-login",
    "partitions",
    "log",
    "password",
    "task",
    "app",
];

struct Builder<'a> {
    around: &'a Surroundings,
    rules: RuleSet,
    diagnostics: &'a mut Vec<Diagnostic>,
}

/// Builds the rule set of all commands.
pub fn build(commands: &[Command], diagnostics: &mut Vec<Diagnostic>) -> RuleSet {
    let around = Surroundings::of(commands);
    let mut builder = Builder {
        around: &around,
        rules: RuleSet { platform: "routeros", ..RuleSet::default() },
        diagnostics,
    };
    for family in Family::BOTH {
        for facility in ["raw", "nat", "filter"] {
            let path = format!("{} firewall {facility}", if family == Family::V4 { "ip" } else { "ipv6" });
            let mut list: Vec<&Command> = Vec::new();
            for command in commands.iter().filter(|c| c.path == path) {
                builder.place(&mut list, command);
            }
            builder.facility(family, facility, &list);
        }
    }
    for command in commands {
        builder.beside(command);
    }
    builder.rules
}

/// Whether the router says, or its name shows, that a rule is not in force.
pub fn inactive(command: &Command) -> bool {
    let remark = command.remark.as_deref().unwrap_or("");
    let gone = |key: &str| command.get(key).is_some_and(|v| v.trim_start_matches('!').starts_with('*'));
    command.yes("disabled")
        || remark == "no interface"
        || remark.starts_with("in/out-interface matcher not possible when interface")
        || gone("in-interface")
        || gone("out-interface")
        || gone("in-interface-list")
        || gone("out-interface-list")
        || command.get("comment") == Some("special dummy rule to show fasttrack counters")
}

impl Builder<'_> {
    fn note(&mut self, span: &Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.rules.notes.push(Note { span: span.clone(), text, bears });
    }

    /// Puts a command of a rule section where it belongs among its rules.
    fn place<'c>(&mut self, list: &mut Vec<&'c Command>, command: &'c Command) {
        match command.verb.as_str() {
            "add" => match command.get("place-before").and_then(|n| n.parse::<usize>().ok()) {
                Some(before) if before <= list.len() => list.insert(before, command),
                _ if command.get("place-before").is_some() || command.get("copy-from").is_some() => {
                    self.changes(command);
                }
                _ => list.push(command),
            },
            // `remove [find]`, `remove [find dynamic=no]`: everything that was there.
            "remove"
                if command
                    .find
                    .as_deref()
                    .is_some_and(|f| matches!(f, "find" | "find dynamic=no" | "find !dynamic")) =>
            {
                list.clear();
            }
            "print" | "export" | "find" | "comment" => {}
            _ => self.changes(command),
        }
    }

    /// A command that changes what is there in a way that is not followed.
    fn changes(&mut self, command: &Command) {
        self.diagnostics.push(Diagnostic::error(command.span.clone(), Text::new("routeros-changes")));
    }

    fn facility(&mut self, family: Family, facility: &str, list: &[&Command]) {
        let list: Vec<&&Command> = list.iter().filter(|c| !inactive(c)).collect();
        let prefix = if family == Family::V4 { "" } else { "ipv6 " };
        // Chains exist because rules are in them or jump to them.
        let mut chains: BTreeMap<String, usize> = BTreeMap::new();
        let mut heads: Vec<(String, Span)> = Vec::new();
        for command in &list {
            for key in ["chain", "jump-target"] {
                let Some(name) = command.get(key) else { continue };
                if !chains.contains_key(name) {
                    chains.insert(name.to_string(), self.rules.chains.len());
                    self.rules
                        .chains
                        .push(Chain { name: format!("{prefix}{facility} {name}"), rules: Vec::new() });
                    heads.push((name.to_string(), command.span.clone()));
                }
            }
        }
        for command in list {
            let Some(&chain) = command.get("chain").and_then(|name| chains.get(name)) else {
                self.diagnostics
                    .push(Diagnostic::error(command.span.clone(), Text::new("routeros-no-chain")));
                continue;
            };
            match self.rule(command, family, facility, &chains) {
                Ok(rules) => self.rules.chains[chain].rules.extend(rules),
                Err((span, text)) => self.diagnostics.push(Diagnostic::error(span, text)),
            }
        }
        for (name, span) in &heads {
            let hook = match (facility, name.as_str()) {
                ("raw", "prerouting") => (Hook::Prerouting, -300),
                ("raw", "output") => (Hook::Output, -300),
                ("filter", "input") => (Hook::Input, 0),
                ("filter", "forward") => (Hook::Forward, 0),
                ("filter", "output") => (Hook::Output, 0),
                ("nat", "dstnat") => (Hook::Prerouting, -100),
                ("nat", "srcnat") => (Hook::Postrouting, 100),
                _ => continue,
            };
            self.rules.bases.push(Base {
                chain: chains[name],
                hook: hook.0,
                priority: hook.1,
                kind: if facility == "nat" { Kind::Nat } else { Kind::Filter },
                policy: Policy::Accept,
                policy_span: span.clone(),
                family: Some(family),
            });
        }
        let bases: Vec<usize> = self.rules.bases.iter().map(|b| b.chain).collect();
        let named = heads.iter().map(|(name, span)| Named {
            id: chains[name],
            name,
            span: span.clone(),
            base: bases.contains(&chains[name]),
        });
        loops::check(&self.rules, named, None, self.diagnostics);
    }

    fn rule(
        &mut self,
        command: &Command,
        family: Family,
        facility: &str,
        chains: &BTreeMap<String, usize>,
    ) -> Result<Vec<Rule>, Bad> {
        let name = command.get("action").unwrap_or("accept");
        let translating = if facility == "nat" { nat::action(command, family, name)? } else { None };
        let action = match (translating, name) {
            (Some(action), _) => action,
            (None, "accept") => Action::Accept,
            (None, "drop" | "reject" | "tarpit") => Action::Drop,
            (None, "return") => Action::Return,
            (None, "notrack") => Action::Untrack,
            (
                None,
                "log"
                | "passthrough"
                | "add-src-to-address-list"
                | "add-dst-to-address-list"
                | "fasttrack-connection",
            ) => Action::Continue,
            (None, "jump") => match command.get("jump-target").and_then(|t| chains.get(t)) {
                Some(&id) => Action::Jump(id),
                None => return Err((command.span.clone(), Text::new("expected-value"))),
            },
            (None, _) => {
                self.note(&command.span, &format!("action={name}"), true);
                Action::Unknown
            }
        };
        if action == Action::Unknown && facility == "nat" {
            self.note(&command.span, &format!("action={name}"), true);
        }
        let log = name == "log" || command.yes("log");
        // Values that only a running script has.
        if let Some(item) =
            command.items.iter().find(|i| i.key != "comment" && i.value.starts_with(['$', '[']))
        {
            return Err((item.place.clone(), Text::new("bad-value").arg("value", &item.value)));
        }
        let variants = matches(command, family, self.around)?;
        if action != Action::Continue {
            for text in variants.iter().flat_map(|w| &w.doubts) {
                self.rules.notes.push(Note { span: command.span.clone(), text: text.clone(), bears: true });
            }
        }
        let rule = |when| Rule { span: command.span.clone(), when, action: action.clone(), log };
        let mut out: Vec<Rule> = variants.iter().cloned().map(rule).collect();
        if name == "fasttrack-connection" {
            // Later packets may pass by everything behind this rule.
            out.extend(variants.into_iter().map(|mut when| {
                when.narrow(Field::State, &Ranges::span(1, 2));
                when.doubts.push(Text::new("not-modelled-match").arg("what", name));
                Rule { span: command.span.clone(), when, action: Action::Accept, log: false }
            }));
        }
        Ok(out)
    }

    /// A base chain of one rule, beside the sections of the firewall.
    fn extra(&mut self, span: &Span, hook: Hook, priority: i32, family: Option<Family>, when: Match) {
        let chain = self.rules.chains.len();
        let rule = Rule { span: span.clone(), when, action: Action::Drop, log: false };
        self.rules.chains.push(Chain { name: "settings".into(), rules: vec![rule] });
        self.rules.bases.push(Base {
            chain,
            hook,
            priority,
            kind: Kind::Filter,
            policy: Policy::Accept,
            policy_span: span.clone(),
            family,
        });
    }

    /// Anything may be dropped, or changed, by what this command sets up.
    fn open(&mut self, span: &Span, what: &str, family: Option<Family>) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.rules.notes.push(Note { span: span.clone(), text: text.clone(), bears: true });
        let mut when = Match { doubts: vec![text], ..Match::default() };
        if let Some(family) = family {
            when.narrow(Field::Family, &Ranges::single(family as u128));
        }
        self.extra(span, Hook::Prerouting, -90_000, family, when);
    }

    /// What decides about packets outside the rules of the firewall.
    fn beside(&mut self, command: &Command) {
        if command.yes("disabled") {
            return;
        }
        let (path, span) = (command.path.as_str(), &command.span);
        match (path, command.verb.as_str()) {
            ("ip settings", _) => {
                if command.get("ip-forward") == Some("no") {
                    self.extra(span, Hook::Forward, -1, Some(Family::V4), Match::default());
                }
                if command.get("rp-filter") == Some("strict") {
                    let terms = vec![Term::Special(vec![Special::ReversePathFails], false)];
                    let when = Match { terms, ..Match::default() };
                    self.extra(span, Hook::Prerouting, -250, Some(Family::V4), when);
                }
            }
            ("ipv6 settings", _) => {
                let off = command.yes("disable-ipv6");
                if off || command.get("forward") == Some("no") {
                    self.extra(span, Hook::Forward, -1, Some(Family::V6), Match::default());
                }
                if off {
                    self.extra(span, Hook::Input, -1, Some(Family::V6), Match::default());
                }
            }
            ("ip firewall connection tracking", _) if command.get("enabled") == Some("no") => {
                self.diagnostics.push(Diagnostic::error(span.clone(), Text::new("routeros-no-tracking")));
            }
            (
                "ip firewall address-list" | "ipv6 firewall address-list",
                "set" | "remove" | "disable" | "enable",
            ) if command.find.as_deref() != Some("find list~\"^tg-\"") => {
                self.changes(command);
            }
            ("interface list member", verb) | ("interface list", verb)
                if verb != "add" && !(path == "interface list" && verb == "set") =>
            {
                self.changes(command);
            }
            ("ip kid-control" | "interface ethernet switch rule", "add") => self.open(span, path, None),
            ("routing rule" | "ip route rule", "add")
                if command.get("action").is_some_and(|a| a != "lookup") =>
            {
                self.open(span, path, None);
            }
            ("ppp profile", _)
                if command.get("incoming-filter").or(command.get("outgoing-filter")).is_some() =>
            {
                self.open(span, path, None);
            }
            ("interface bridge filter" | "interface bridge nat", "add") => self.open(span, path, None),
            ("interface bridge settings", _) if command.yes("use-ip-firewall") => {
                self.note(span, "use-ip-firewall", false)
            }
            ("ip hotspot", "add") => self.open(span, path, Some(Family::V4)),
            ("ip upnp", _) if command.yes("enabled") => self.open_forwards(span, path),
            ("ip nat-pmp", _) if command.yes("enabled") => self.open_forwards(span, path),
            ("ip firewall mangle" | "ipv6 firewall mangle", "add")
                if command.get("action") == Some("drop") =>
            {
                self.open(span, "action=drop", None);
            }
            ("ip firewall filter" | "ip firewall nat" | "ip firewall raw", _)
            | ("ipv6 firewall filter" | "ipv6 firewall nat" | "ipv6 firewall raw", _) => {}
            _ => {
                let exempt = EXEMPT
                    .iter()
                    .any(|e| path == *e || path.strip_prefix(e).is_some_and(|r| r.starts_with(' ')));
                let known = exempt
                    || path.is_empty()
                    || family_of(path).is_some_and(|(_, r)| r.starts_with("firewall "));
                if !known {
                    self.note(span, path, false);
                }
            }
        }
    }

    /// Devices inside may ask the router for port forwards.
    fn open_forwards(&mut self, span: &Span, what: &str) {
        self.note(span, what, true);
        let text = Text::new("not-modelled-statement").arg("what", what);
        let chain = self.rules.chains.len();
        let mut when = Match { doubts: vec![text], ..Match::default() };
        when.narrow(Field::Family, &Ranges::single(0));
        let rule = Rule { span: span.clone(), when, action: Action::Unknown, log: false };
        self.rules.chains.push(Chain { name: what.into(), rules: vec![rule] });
        self.rules.bases.push(Base {
            chain,
            hook: Hook::Prerouting,
            priority: -99,
            kind: Kind::Nat,
            policy: Policy::Accept,
            policy_span: span.clone(),
            family: Some(Family::V4),
        });
    }
}
