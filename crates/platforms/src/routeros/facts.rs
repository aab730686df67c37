//! What an export says beside its rules: rules switched off, lists and chains that nothing names, rules for
//! applications, unencrypted management.

use super::build::inactive;
use super::lists::family_of;
use super::script::Command;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tillgate_model::{Family, SourceFile, Span};
use tillgate_ruleset::{Fact, What};

/// Services of `/ip service` that encrypt nothing; all of them run unless the export says otherwise (IP Services).
const CLEARTEXT: [&str; 4] = ["api", "ftp", "telnet", "www"];

/// All facts of a configuration.
pub fn facts(files: &[Arc<SourceFile>], commands: &[Command]) -> Vec<Fact> {
    let mut out = rules(commands);
    out.extend(unused(commands));
    out.extend(services(files, commands));
    out.extend(snmp(commands));
    out
}

fn fact(span: &Span, what: What) -> Fact {
    Fact { span: span.clone(), what }
}

/// The facility of a section of rules.
fn facility(path: &str) -> Option<&str> {
    let (_, rest) = family_of(path)?;
    let facility = rest.strip_prefix("firewall ")?;
    matches!(facility, "filter" | "nat" | "raw" | "mangle").then_some(facility)
}

fn rules(commands: &[Command]) -> Vec<Fact> {
    let mut out = Vec::new();
    for command in commands.iter().filter(|c| c.verb == "add") {
        let Some(facility) = facility(&command.path) else { continue };
        if command.yes("disabled") {
            out.push(fact(&command.span, What::Disabled));
        }
        let passes =
            matches!(facility, "filter" | "raw") && command.get("action").unwrap_or("accept") == "accept";
        if !passes || inactive(command) {
            continue;
        }
        for key in ["layer7-protocol", "tls-host"] {
            if let Some(value) = command.get(key).filter(|v| !v.starts_with('!')) {
                out.push(fact(&command.span, What::Application(value.to_string())));
            }
        }
    }
    out
}

fn unused(commands: &[Command]) -> Vec<Fact> {
    // Scripts may name anything.
    let scripts = commands.iter().filter(|c| c.path == "system script" || c.path == "system scheduler");
    let scripts: Vec<&str> = scripts.filter_map(|c| c.get("source").or(c.get("on-event"))).collect();
    let scripted = |name: &str| scripts.iter().any(|s| s.contains(name));
    let mut out = Vec::new();
    let mut tell = |name: &str, span: &Span| {
        if !scripted(name) {
            out.push(fact(span, What::Unused(name.to_string())));
        }
    };
    let named = Named::of(commands);
    for ((family, name), span) in first(commands, |c| match family_of(&c.path) {
        Some((family, "firewall address-list")) => Some((family, c.get("list")?)),
        _ => None,
    }) {
        if !named.addresses.contains(&(family, name)) {
            tell(name, span);
        }
    }
    for (name, span) in first(commands, |c| c.get("name").filter(|_| c.path == "interface list")) {
        if !named.words.contains(name) {
            tell(name, span);
        }
    }
    let chains = first(commands, |c| {
        facility(&c.path)?;
        Some((c.path.as_str(), c.get("chain")?))
    });
    for ((path, name), span) in chains {
        if !built_in(name) && !named.chains.contains(&(path, name)) && !named.filters.contains(name) {
            tell(name, span);
        }
    }
    out
}

/// The first `add` of each thing.
fn first<'c, K: Ord>(
    commands: &'c [Command],
    key: impl Fn(&'c Command) -> Option<K>,
) -> BTreeMap<K, &'c Span> {
    let mut out = BTreeMap::new();
    for command in commands.iter().filter(|c| c.verb == "add") {
        if let Some(key) = key(command) {
            out.entry(key).or_insert(&command.span);
        }
    }
    out
}

/// Chains that packets enter by themselves: the built-in ones, and those the hotspot calls.
fn built_in(chain: &str) -> bool {
    matches!(chain, "input" | "forward" | "output" | "prerouting" | "postrouting" | "srcnat" | "dstnat")
        || ["hs-", "pre-hs-", "unused-hs-", "hotspot"].iter().any(|p| chain.starts_with(p))
}

/// What commands name.
#[derive(Default)]
struct Named<'c> {
    /// Address lists by family.
    addresses: HashSet<(Family, &'c str)>,
    /// Chains by section.
    chains: HashSet<(&'c str, &'c str)>,
    /// Chains that sessions are sent through.
    filters: HashSet<&'c str>,
    /// Words that may be an interface list.
    words: HashSet<&'c str>,
}

impl<'c> Named<'c> {
    fn of(commands: &'c [Command]) -> Self {
        let mut out = Named::default();
        for command in commands {
            for item in &command.items {
                out.item(command, item.key.as_str(), item.value.as_str());
            }
        }
        out
    }

    fn item(&mut self, command: &'c Command, key: &str, value: &'c str) {
        let family = family_of(&command.path);
        let bare = value.trim_start_matches('!');
        match key {
            "comment" | "name" | "log-prefix" => return,
            "jump-target" => {
                self.chains.insert((&command.path, bare));
            }
            "incoming-filter" | "outgoing-filter" => {
                self.filters.insert(bare);
            }
            // Filled, not asked.
            "address-list" | "address-lists" => return,
            "list" if family.is_some_and(|(_, rest)| rest == "firewall address-list") => return,
            "list" if command.path == "interface list member" => return,
            _ => {}
        }
        if key.ends_with("address-list") {
            let families = match family {
                Some((family, _)) => vec![family],
                None => Family::BOTH.to_vec(),
            };
            self.addresses.extend(families.into_iter().map(|family| (family, bare)));
            return;
        }
        self.words.extend(bare.split(','));
    }
}

fn services(files: &[Arc<SourceFile>], commands: &[Command]) -> Vec<Fact> {
    let own: Vec<&Command> = commands.iter().filter(|c| c.path == "ip service").collect();
    let mut state: BTreeMap<&str, (bool, &Span)> = BTreeMap::new();
    for command in &own {
        let on = match (command.verb.as_str(), command.get("disabled")) {
            ("enable", _) => true,
            ("disable", _) => false,
            ("set", Some(disabled)) => !matches!(disabled, "yes" | "true"),
            _ => continue,
        };
        let Some(names) = of(command) else { return Vec::new() };
        for name in CLEARTEXT.into_iter().filter(|n| names.is_empty() || names.iter().any(|m| m == n)) {
            state.insert(name, (on, &command.span));
        }
    }
    // An export leaves out what is as from the factory; a file of rules alone says nothing.
    let default = own.first().map(|c| c.span.clone()).or_else(|| whole(files, commands));
    let mut out = Vec::new();
    for name in CLEARTEXT {
        let place = match state.get(name) {
            Some((on, span)) => on.then(|| (*span).clone()),
            None => default.clone(),
        };
        let what = What::CleartextManagement(name.to_string());
        out.extend(place.map(|span| Fact { span, what }));
    }
    out
}

/// The services a command is about; none named stands for all. `None` when they are not told by name.
fn of(command: &Command) -> Option<Vec<String>> {
    let split =
        |text: &str| -> Vec<String> { text.split(',').map(|n| n.trim_matches('"').to_string()).collect() };
    if let Some(find) = command.find.as_deref() {
        let rest = find.strip_prefix("find")?.trim().trim_start_matches("where").trim();
        return match rest {
            "" => Some(Vec::new()),
            rest => rest.strip_prefix("name=").filter(|n| !n.contains([' ', '~', '!'])).map(split),
        };
    }
    let bare: Vec<String> =
        command.items.iter().filter(|i| i.value.is_empty()).flat_map(|i| split(&i.key)).collect();
    let named = bare.iter().all(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()));
    (named && !bare.is_empty()).then_some(bare)
}

/// The header of an export of the whole router.
fn whole(files: &[Arc<SourceFile>], commands: &[Command]) -> Option<Span> {
    let beside = |path: &str| {
        path.starts_with("system ")
            || path.starts_with("interface ethernet")
            || path.starts_with("interface bridge")
            || matches!(path, "ip address" | "ip dhcp-client")
    };
    commands.iter().any(|c| beside(&c.path)).then_some(())?;
    files.iter().find_map(|file| {
        let line = file.text.lines().next().filter(|l| l.starts_with('#') && l.contains(" by RouterOS "))?;
        Some(Span::new(file, 0, line.len()))
    })
}

/// SNMP 1 and 2c: any community without encryption; there is one from the factory (SNMP, Community Properties).
fn snmp(commands: &[Command]) -> Vec<Fact> {
    let (mut enabled, mut factory, mut own) = (None, true, false);
    for command in commands {
        match command.path.as_str() {
            "snmp" => match command.get("enabled") {
                Some("yes" | "true") => enabled = Some(&command.span),
                Some(_) => enabled = None,
                None => {}
            },
            "snmp community" => {
                let open = !command.yes("disabled") && command.get("security") != Some("private");
                match command.verb.as_str() {
                    "add" => own |= open,
                    "set" => factory &= open,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let span = enabled.filter(|_| factory || own);
    span.map(|span| fact(span, What::CleartextManagement("snmp".into()))).into_iter().collect()
}
