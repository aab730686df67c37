//! The tree to the rule-set model.

use super::config::Block;
use super::policy::{Context, FOUR, Found, Keys, PLAIN, SIX, interfaces, members, opening};
use super::vip::{self, Vip, Vips};
use super::{down, facts, local, multicast, sections};
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;
use tillgate_model::{Diagnostic, Family, Ranges, SourceFile, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Hook, InterfaceMatch, Kind, Match, Note, Policy, Rule, RuleSet, Term,
    Translation,
};

/// Builds the rule set of a configuration.
pub fn build(files: &[Arc<SourceFile>], root: &Block, diagnostics: &mut Vec<Diagnostic>) -> RuleSet {
    let mut rules = RuleSet { platform: "fortios", ..RuleSet::default() };
    let Some(file) = files.first() else { return rules };
    let start = Span::new(file, 0, file.text.lines().next().map_or(0, str::len));
    let global = root.child("global").unwrap_or(root);
    let vdoms = root.domains();
    let mut builder = Builder {
        rules: &mut rules,
        found: Found::default(),
        global,
        sources: Vec::new(),
        start,
        version: version(&file.text),
    };
    let many = vdoms.len() > 1;
    let mut parts = Vec::new();
    for (name, vdom) in &vdoms {
        // With several domains each sees what comes in by its own interfaces.
        let own = many.then(|| {
            let ports = global.table("system interface").iter();
            let own = ports.filter(|e| e.block.get("vdom").unwrap_or("root") == *name);
            InterfaceMatch { patterns: own.map(|e| e.name.clone()).collect(), negate: false }
        });
        let (translating, forward) = builder.domain(name, vdom, own.as_ref());
        parts.push((own, translating, forward));
    }
    builder.join(parts);
    builder.unit(&vdoms);
    builder.beside(&vdoms);
    let Found { notes, diagnostics: errors } = builder.found;
    rules.notes.extend(notes);
    diagnostics.extend(errors);
    rules
}

/// Major, minor and patch of the header line.
pub fn version(text: &str) -> Option<(u32, u32, u32)> {
    let line = text.lines().next().filter(|l| l.starts_with("#config-version="))?;
    let mut words = line.split('-').find(|w| w.contains('.'))?.split('.').map(|n| n.parse().ok());
    Some((words.next()??, words.next()??, words.next().flatten().unwrap_or(0)))
}

struct Builder<'a> {
    rules: &'a mut RuleSet,
    found: Found,
    global: &'a Block,
    /// Source translations, in the order of the policies.
    sources: Vec<Rule>,
    /// A place for what no line says.
    start: Span,
    version: Option<(u32, u32, u32)>,
}

fn rule(span: &Span, when: Match, action: Action) -> Rule {
    Rule { span: span.clone(), when, action, log: false }
}

fn states(list: &[u128]) -> Match {
    let mut when = Match::default();
    when.narrow(Field::State, &list.iter().map(|s| (*s, *s)).collect());
    when
}

impl Builder<'_> {
    fn chain(&mut self, name: String, rules: Vec<Rule>) -> ChainId {
        self.rules.chains.push(Chain { name, rules });
        self.rules.chains.len() - 1
    }

    fn note(&mut self, span: &Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.found.notes.push(Note { span: span.clone(), text, bears });
    }

    /// The chains of a virtual domain: translation and policies.
    fn domain(&mut self, name: &str, vdom: &Block, own: Option<&InterfaceMatch>) -> (ChainId, ChainId) {
        let settings = vdom.child("system settings");
        let set = |key: &str| settings.is_some_and(|s| s.on(key));
        let vips = Vips::of(vdom);
        let central_nat =
            set("central-nat") || settings.and_then(|s| s.get("ngfw-mode")) == Some("policy-based");
        let context = Context {
            vdom,
            global: self.global,
            vips: &vips,
            known: RefCell::default(),
            central_nat,
            match_vip: self.version.map(|v| v >= (7, 2, 4)),
            without_syn: set("tcp-session-without-syn"),
            second_table: settings.and_then(|s| s.get("ngfw-mode")) == Some("policy-based"),
        };
        let translating = self.translations(name, &context);
        let log = vdom.child("log setting").or(self.global.child("log setting"));
        let invalid = log.is_some_and(|l| l.on("log-invalid-packet"));
        // In a chain of their own: no policy contradicts what nobody wrote.
        let sessions = self.sessions(&context, set("asymroute"), invalid);
        let sessions = self.chain(format!("{name} sessions"), sessions);
        let mut list = vec![rule(&self.start, Match::default(), Action::Jump(sessions))];
        let groups = multicast::rules(vdom, self.global, settings);
        for rule in &groups {
            let told = rule.when.doubts.iter();
            let note = |text: &Text| Note { span: rule.span.clone(), text: text.clone(), bears: true };
            self.found.notes.extend(told.map(note));
        }
        // What no multicast policy takes is denied as what no policy takes: at the end of everything.
        let groups = self.chain(format!("{name} multicast"), groups);
        list.extend(multicast::every().map(|when| rule(&self.start, when, Action::Goto(groups))));
        for path in ["firewall DoS-policy", "firewall DoS-policy6"] {
            for entry in vdom.table(path) {
                self.note(&entry.span, "DoS-policy", false);
            }
        }
        // What may take packets before everything else.
        let mut front = Vec::new();
        for path in [
            "firewall acl",
            "firewall acl6",
            "firewall interface-policy",
            "firewall interface-policy6",
            "firewall hyperscale-policy",
        ] {
            for entry in vdom.table(path).iter().filter(|e| e.block.get("status") != Some("disable")) {
                self.note(&entry.span, path, true);
                let doubts = vec![Text::new("not-modelled-statement").arg("what", path)];
                front.push(rule(&entry.span, Match { doubts, ..Match::default() }, Action::Drop));
            }
        }
        for section in sections::unread(vdom).iter().filter(|s| s.filters()) {
            let doubts = vec![Text::new("not-modelled-statement").arg("what", section.path)];
            let mut when = Match { doubts, ..Match::default() };
            if let Some(family) = section.family() {
                when.narrow(Field::Family, &Ranges::single(family as u128));
            }
            front.push(rule(section.span, when, Action::Unknown));
        }
        list.splice(0..0, front.into_iter().rev());
        let consolidated = settings.is_some_and(|s| s.on("consolidated-firewall-mode"));
        let tables: &[(&str, &[(Family, Keys)])] = match consolidated {
            true => &[("firewall consolidated policy", &[(Family::V4, FOUR), (Family::V6, SIX)])],
            false => &[
                ("firewall policy", &[(Family::V4, PLAIN), (Family::V6, SIX)]),
                ("firewall policy6", &[(Family::V6, PLAIN)]),
            ],
        };
        for (table, families) in tables {
            for entry in vdom.table(table) {
                for (family, keys) in *families {
                    // A side that is missing means no packet of that family.
                    let feature =
                        if *family == Family::V4 { "internet-service" } else { "internet-service6" };
                    let source = !entry.block.values(keys.source).is_empty()
                        || entry.block.on(&format!("{feature}-src"));
                    let destination =
                        !entry.block.values(keys.destination).is_empty() || entry.block.on(feature);
                    if source && destination {
                        let rules = context.rules(entry, *family, *keys, &mut self.found);
                        // Source translation belongs to the policy that accepts.
                        if entry.block.on("nat") && !context.central_nat {
                            let accepts = rules.iter().filter(|r| r.action == Action::Accept);
                            self.sources.extend(accepts.map(|r| {
                                let mut when = r.when.clone();
                                when.doubts.clear();
                                when.cube = when.cube.without(Field::Translated);
                                rule(&entry.span, when, Action::Translate(Translation::Source))
                            }));
                        }
                        list.extend(rules);
                    }
                }
            }
        }
        for entry in vdom.table("firewall central-snat-map").iter().filter(|_| context.central_nat) {
            if entry.block.get("status") == Some("disable") || entry.block.get("nat") == Some("disable") {
                continue;
            }
            let mut when = Match::default();
            when.input.extend(interfaces(vdom, entry.block.values("srcintf")));
            when.output.extend(interfaces(vdom, entry.block.values("dstintf")));
            self.sources.push(rule(&entry.span, when, Action::Translate(Translation::Source)));
        }
        for zone in vdom.table("system zone").iter().filter(|e| e.block.get("intrazone") == Some("allow")) {
            let ports = InterfaceMatch { patterns: members(vdom, &zone.name), negate: false };
            let mut when = Match::default();
            when.input.push(ports.clone());
            when.output.push(ports);
            when.terms.push(opening());
            list.push(rule(&zone.span, when, Action::Accept));
        }
        // The implicit deny; what a domain cannot reach by its own interfaces is not its own.
        let logged = log.is_some_and(|l| l.on("fwpolicy-implicit-log"));
        let place = log.and_then(|l| l.place("fwpolicy-implicit-log")).unwrap_or_else(|| self.start.clone());
        let when = Match { input: own.cloned().into_iter().collect(), ..Match::default() };
        list.push(Rule { span: place, when, action: Action::Drop, log: logged });
        let forward = self.chain(format!("{name} policy"), list);
        (translating, forward)
    }

    /// VIPs that act: named by a policy in force, or all with central NAT.
    fn translations(&mut self, name: &str, context: &Context<'_>) -> ChainId {
        let vdom = context.vdom;
        let tables = ["firewall policy", "firewall policy6", "firewall consolidated policy"];
        let policies = tables.iter().flat_map(|t| vdom.table(t));
        let active = policies.filter(|e| e.block.get("status") != Some("disable"));
        let keys = ["dstaddr", "dstaddr4", "dstaddr6"];
        let names: HashSet<&str> =
            active.flat_map(|e| keys.iter().flat_map(|k| e.block.values(k)).map(String::as_str)).collect();
        let both = names.iter().flat_map(|name| Family::BOTH.map(|family| (family, *name)));
        let used: HashSet<(Family, &str)> = both
            .flat_map(|(family, name)| vip::members(vdom, family, name).into_iter().map(move |m| (family, m)))
            .collect();
        let acts = |v: &&Vip| context.central_nat || used.contains(&(v.family, v.name.as_str()));
        let mut list = Vec::new();
        for vip in context.vips.list.iter().filter(acts) {
            let mut base = Match::default();
            if let Some(interface) = &vip.interface {
                base.input.extend(interfaces(vdom, std::slice::from_ref(interface)));
            }
            if !vip.inputs.is_empty() {
                base.input.extend(interfaces(vdom, &vip.inputs));
            }
            if !vip.sources.is_empty() {
                let all = vip.sources.iter().fold(Ranges::empty(), |all, r| all.union(r));
                base.narrow(Field::Source, &all);
            }
            if vip.open {
                base.doubts.push(Text::new("not-modelled-statement").arg("what", "vip"));
                base.narrow(Field::Family, &Ranges::single(vip.family as u128));
                self.note(&vip.span, &format!("vip {}", vip.name), true);
                list.push(rule(&vip.span, base, Action::Unknown));
                continue;
            }
            for step in &vip.steps {
                let mut when = base.clone();
                for (field, ranges) in step.when.constraints() {
                    when.narrow(*field, ranges);
                }
                list.push(rule(&vip.span, when, Action::Translate(step.to.clone())));
            }
        }
        self.chain(format!("{name} vip"), list)
    }

    /// What is of a session passes; TCP without SYN and answers to nothing have none, and open none.
    fn sessions(&self, context: &Context<'_>, asymmetric: bool, log: bool) -> Vec<Rule> {
        let mut list = vec![
            rule(&self.start, states(&[1, 2]), Action::Accept),
            rule(&self.start, states(&[3]), Action::Drop),
        ];
        let action = if asymmetric { Action::Accept } else { Action::Drop };
        let rule = |span: &Span, when, action| Rule { span: span.clone(), when, action, log };
        if !context.without_syn || asymmetric {
            let mut when = Match::default();
            if let Term::Any { parts, .. } = opening() {
                when.terms.push(Term::Any { parts, negate: true });
            }
            list.push(rule(&self.start, when, action.clone()));
        }
        // Echo replies and errors answer something (RFC 792, RFC 4443).
        let v4: Ranges = [(0, 0), (3, 5), (11, 12), (14, 14), (16, 16), (18, 18)].into_iter().collect();
        let v6: Ranges = [(1, 4), (129, 129)].into_iter().collect();
        for (protocol, types) in [(1u128, v4), (58, v6)] {
            let cube =
                Cube::all().at(Field::Protocol, protocol).and_then(|c| c.with(Field::SourcePort, &types));
            if let Some(cube) = cube {
                list.push(rule(&self.start, Match { cube, ..Match::default() }, action.clone()));
            }
        }
        list
    }

    /// One chain per hook, in front of those of the virtual domains.
    fn join(&mut self, parts: Vec<(Option<InterfaceMatch>, ChainId, ChainId)>) {
        let jump = |builder: &Self, own: &Option<InterfaceMatch>, to: ChainId| {
            let when = Match { input: own.clone().into_iter().collect(), ..Match::default() };
            rule(&builder.start, when, Action::Jump(to))
        };
        let translating = parts.iter().map(|(own, nat, _)| jump(self, own, *nat)).collect();
        let mut forward = down::rules(self.global, true);
        forward.extend(parts.iter().map(|(own, _, policy)| jump(self, own, *policy)));
        let nat = self.chain("vip".into(), translating);
        let policy = self.chain("policy".into(), forward);
        let sources = std::mem::take(&mut self.sources);
        let source = self.chain("source".into(), sources);
        for (chain, hook, kind, priority, end) in [
            (nat, Hook::Prerouting, Kind::Nat, -100, Policy::Accept),
            (policy, Hook::Forward, Kind::Filter, 0, Policy::Drop),
            (source, Hook::Postrouting, Kind::Nat, 100, Policy::Accept),
        ] {
            let span = self.start.clone();
            self.rules.bases.push(Base {
                chain,
                hook,
                priority,
                kind,
                policy: end,
                policy_span: span,
                family: None,
            });
        }
    }

    /// Sections that are not read, and what is said beside the rules.
    fn beside(&mut self, vdoms: &[(&str, &Block)]) {
        let whole = std::iter::once(self.global);
        let blocks = whole.chain(vdoms.iter().map(|(_, b)| *b).filter(|b| !std::ptr::eq(*b, self.global)));
        for section in blocks.flat_map(sections::unread) {
            let text = Text::new("not-modelled-statement").arg("what", section.path);
            self.found.notes.push(Note { span: section.span.clone(), text, bears: true });
        }
        self.rules.facts = facts::facts(self.global, vdoms);
    }

    /// The unit itself.
    fn unit(&mut self, vdoms: &[(&str, &Block)]) {
        let log =
            self.global.child("log setting").or(vdoms.first().and_then(|(_, b)| b.child("log setting")));
        let logged = log.is_some_and(|l| l.on("local-in-deny-unicast"));
        let openings = local::openings(self.global, vdoms, &mut self.found.notes);
        // What a local-in policy accepts still needs a service that is open there; whether another listens is not known.
        let services = self.chain("local services".into(), openings);
        let served = rule(&self.start, Match::default(), Action::Jump(services));
        let mut accepted = vec![served.clone()];
        let text = Text::new("not-modelled-match").arg("what", "local-in-policy");
        let when = Match { doubts: vec![text], ..Match::default() };
        accepted.push(rule(&self.start, when, Action::Accept));
        accepted.push(rule(&self.start, Match::default(), Action::Drop));
        if let Some(last) = accepted.last_mut() {
            last.log = logged;
        }
        let accepted = self.chain("local-in accepted".into(), accepted);
        let mut list = down::rules(self.global, false);
        list.push(rule(&self.start, states(&[1, 2]), Action::Accept));
        list.push(rule(&self.start, states(&[3]), Action::Drop));
        for (name, vdom) in vdoms {
            let context = Context {
                vdom,
                global: self.global,
                vips: &Vips::default(),
                known: RefCell::default(),
                central_nat: true,
                match_vip: Some(true),
                without_syn: false,
                second_table: false,
            };
            let own = (vdoms.len() > 1).then(|| {
                let ports = self.global.table("system interface").iter();
                let own = ports.filter(|e| e.block.get("vdom").unwrap_or("root") == *name);
                InterfaceMatch { patterns: own.map(|e| e.name.clone()).collect(), negate: false }
            });
            for (table, family) in
                [("firewall local-in-policy", Family::V4), ("firewall local-in-policy6", Family::V6)]
            {
                for entry in vdom.table(table).iter().filter(|e| !e.block.on("ha-mgmt-intf-only")) {
                    for mut one in context.rules(entry, family, PLAIN, &mut self.found) {
                        one.when.input.extend(interfaces(vdom, entry.block.values("intf")));
                        one.when.input.extend(own.clone());
                        match one.action {
                            Action::Accept => one.action = Action::Goto(accepted),
                            _ => one.log |= logged,
                        }
                        list.push(one);
                    }
                }
            }
        }
        list.push(served);
        let place = log.and_then(|l| l.place("local-in-deny-unicast")).unwrap_or_else(|| self.start.clone());
        list.push(Rule { span: place.clone(), when: Match::default(), action: Action::Drop, log: logged });
        let chain = self.chain("local-in".into(), list);
        self.rules.bases.push(Base {
            chain,
            hook: Hook::Input,
            priority: 0,
            kind: Kind::Filter,
            policy: Policy::Drop,
            policy_span: place,
            family: None,
        });
    }
}
