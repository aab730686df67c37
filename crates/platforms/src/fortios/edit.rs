//! Repairs written into somebody's FortiOS configuration.

use super::config::{self, Block};
use super::facts::RULES;
use super::layout::{Layout, Said};
use super::policy::members;
use super::render::list;
use super::{build, grant, removal};
use crate::edit::{Desk, before_line, end_of_file, indent, insert, on_new_line, whole_lines};
use tillgate_model::Span;
use tillgate_ruleset::{Edit, Repair};

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let sheet = Sheet {
        desk,
        layout: Layout::of(desk.files),
        root: config::read(desk.files, &mut Vec::new()),
        version: desk.files.first().and_then(|file| build::version(&file.text)),
    };
    let mut out = match repair {
        Repair::Remove(span) => removal::removals(&sheet, span),
        Repair::Permit { at, instead, flows, internet } => {
            grant::permit(&sheet, at, *instead, flows, internet)
        }
        Repair::Log(span) => sheet.log(span),
        Repair::Close(_) => sheet.symmetric(),
        Repair::Sources(segment) => grant::forged(&sheet, segment),
        Repair::SwitchOff(span) => sheet.switch_off(span),
        Repair::Masquerade => sheet.masquerade(),
        Repair::Uninspected(span) => sheet.uninspected(span).into_iter().collect(),
        // Answers always pass by their session.
        Repair::Established(_) => Vec::new(),
    };
    for edits in &mut out {
        // What is said already stays as it is.
        edits.retain(|edit| edit.span.text() != edit.text);
    }
    out
}

/// A configuration on the desk: what it says, and where.
pub struct Sheet<'a> {
    pub desk: &'a Desk<'a>,
    pub layout: Layout,
    pub root: Block,
    pub version: Option<(u32, u32, u32)>,
}

/// Something in a section or an entry: a statement that is changed, or a new one at the end.
pub fn setting(layout: &Layout, part: usize, key: &str, value: &str) -> Edit {
    let part = &layout.parts[part];
    match part.said(key) {
        Some(said) => Edit { span: said.span.clone(), text: format!("set {key} {value}") },
        None => insert(part.close.clone(), format!("{}set {key} {value}\n", part.inner())),
    }
}

/// Words of a setting without some of them.
pub fn without(said: &Said, gone: &[&str]) -> Edit {
    let key = &said.key;
    let rest: Vec<&str> =
        said.values.iter().map(String::as_str).filter(|word| !gone.contains(word)).collect();
    let text = if rest.is_empty() { format!("unset {key}") } else { format!("set {key} {}", rest.join(" ")) };
    Edit { span: said.span.clone(), text }
}

impl<'a> Sheet<'a> {
    pub fn global(&self) -> &Block {
        self.root.child("global").unwrap_or(&self.root)
    }

    /// The virtual domains: as the layout knows them, and what they say.
    pub fn domains(&self) -> Vec<(Option<&str>, &Block)> {
        let split = |block: &Block| !std::ptr::eq(block, &self.root);
        self.root.domains().into_iter().map(|(name, block)| (split(block).then_some(name), block)).collect()
    }

    /// The virtual domain of an interface.
    pub fn domain_of(&self, interface: &str) -> Option<(Option<&str>, &Block)> {
        let entry = self.global().entry("system interface", interface);
        let own = entry.and_then(|e| e.block.get("vdom")).unwrap_or("root");
        self.domains().into_iter().find(|(name, _)| name.is_none_or(|name| name == own))
    }

    /// The tables that hold policies for a family, and what keys of its addresses end with.
    pub fn table(&self, block: &Block, six: bool) -> (&'static str, &'static str) {
        let consolidated = block.child("system settings").is_some_and(|s| s.on("consolidated-firewall-mode"));
        let old = match self.version {
            Some(version) => version < (6, 4, 0),
            None => block.child("firewall policy6").is_some(),
        };
        match (six, consolidated) {
            (_, true) => ("firewall consolidated policy", if six { "6" } else { "4" }),
            (true, false) if old => ("firewall policy6", ""),
            (six, false) => ("firewall policy", if six { "6" } else { "" }),
        }
    }

    /// Text at the end of a section of a virtual domain, indented by its lines' own; a new section where there is none,
    /// before the part at `before`, or at the end.
    pub fn add(&self, domain: Option<&str>, path: &str, before: Option<usize>, text: &str) -> Option<Edit> {
        if let Some(section) = self.layout.sections(domain, path).last() {
            let part = &self.layout.parts[section];
            return Some(insert(part.close.clone(), indented(text, &part.inner())));
        }
        let section =
            |tab: &str| format!("{tab}config {path}\n{}{tab}end\n", indented(text, &format!("{tab}    ")));
        if let Some(part) = before.map(|at| &self.layout.parts[at]) {
            return Some(insert(before_line(&part.head), section(&indent(&part.head))));
        }
        let parts = &self.layout.parts;
        let owner = (0..parts.len()).rfind(|at| {
            parts[*at].entry && self.layout.table(*at) == "vdom" && Some(parts[*at].name.as_str()) == domain
        });
        match owner {
            Some(at) => Some(insert(parts[at].close.clone(), section(&indent(&parts[at].head)))),
            None => {
                let any = &parts.last()?.head;
                let end = end_of_file(any);
                let text = on_new_line(&end, section(""));
                Some(insert(end, text))
            }
        }
    }

    /// Settings of a section there is one of.
    pub fn set_in(&self, domain: Option<&str>, path: &str, values: &[(&str, &str)]) -> Vec<Edit> {
        match self.layout.sections(domain, path).last() {
            Some(at) => values.iter().map(|(key, value)| setting(&self.layout, at, key, value)).collect(),
            None => {
                let text: String = values.iter().map(|(key, value)| format!("set {key} {value}\n")).collect();
                let first = self.layout.sections(domain, "firewall policy").next();
                self.add(domain, path, first, &text).into_iter().collect()
            }
        }
    }

    /// How policies name an interface: by its zone, where it is in one.
    pub fn named(&self, block: &Block, interface: &str) -> String {
        let zones = block.table("system zone").iter().map(|e| e.name.clone());
        let wan = ["system sdwan", "system virtual-wan-link"].into_iter().flat_map(|path| {
            let members = block.child(path).map_or(&[][..], |b| b.table("members"));
            members.iter().map(|e| e.block.get("zone").unwrap_or("virtual-wan-link").to_string())
        });
        let holds = |zone: &String| members(block, zone).iter().any(|name| name == interface);
        zones.chain(wan).find(holds).unwrap_or_else(|| interface.to_string())
    }

    fn log(&self, span: &Span) -> Vec<Vec<Edit>> {
        let local = [("local-in-deny-unicast", "enable"), ("local-in-deny-broadcast", "enable")];
        let policies = [("fwpolicy-implicit-log", "enable"), ("fwpolicy6-implicit-log", "enable")];
        let everywhere = |values: &[(&str, &str)]| -> Vec<Edit> {
            let domains = self.domains().into_iter();
            domains.flat_map(|(domain, _)| self.set_in(domain, "log setting", values)).collect()
        };
        if let Some(at) = self.layout.at(span) {
            let table = self.layout.table(at);
            if table.starts_with("firewall local-in-policy") {
                return vec![everywhere(&local)];
            }
            return match RULES.contains(&table) {
                true => vec![vec![setting(&self.layout, at, "logtraffic", self.logged(table))]],
                false => Vec::new(),
            };
        }
        // Denials no entry stands for: which of them this is the settings do not say.
        let (policies, local) = (everywhere(&policies), everywhere(&local));
        let invalid = everywhere(&[("log-invalid-packet", "enable")]);
        let mut out = vec![policies, local, invalid];
        let multicast =
            ["firewall multicast-policy", "firewall multicast-policy6"].map(|t| self.multicast(t));
        out.extend(multicast.iter().cloned());
        out.push(multicast.concat());
        out
    }

    /// Multicast that no policy takes is denied in silence, unless by a policy of its own.
    fn multicast(&self, path: &str) -> Vec<Edit> {
        let mut out = Vec::new();
        for (domain, block) in self.domains() {
            let text = format!(
                "edit {}\n    set srcintf \"any\"\n    set dstintf \"any\"\n    set srcaddr \"all\"\n    set dstaddr \"all\"\n    set action deny\n    set logtraffic {}\nnext\n",
                grant::free(block, path),
                self.logged(path)
            );
            out.extend(self.add(domain, path, None, &text));
        }
        out
    }

    /// The word that logs all sessions: up to 7.2 multicast policies only know whether (CLI Reference, config firewall
    /// multicast-policy).
    fn logged(&self, table: &str) -> &'static str {
        let old = table.starts_with("firewall multicast") && self.version.is_some_and(|v| v < (7, 4, 0));
        if old { "enable" } else { "all" }
    }

    /// Forwarding without a session is the one default accept there is.
    fn symmetric(&self) -> Vec<Vec<Edit>> {
        let sections = self
            .domains()
            .into_iter()
            .flat_map(|(d, _)| self.layout.sections(d, "system settings").collect::<Vec<_>>());
        let said = sections.flat_map(|at| &self.layout.parts[at].settings);
        let open = said.filter(|s| s.key.starts_with("asymroute") && s.values == ["enable"]);
        let close = |s: &Said| Edit { span: s.span.clone(), text: format!("set {} disable", s.key) };
        vec![open.map(close).collect()]
    }

    fn switch_off(&self, span: &Span) -> Vec<Vec<Edit>> {
        if let Some((_, said)) = self.layout.saying(span) {
            return vec![vec![without(said, &["http", "telnet"])]];
        }
        match self.layout.at(span) {
            Some(at) if self.layout.table(at) == "system snmp community" => {
                vec![vec![setting(&self.layout, at, "status", "disable")]]
            }
            _ => Vec::new(),
        }
    }

    /// `nat` in the policies that lead to an uplink: in those that name one, else in those for any interface too.
    fn masquerade(&self) -> Vec<Vec<Edit>> {
        let topology = &self.desk.intent.topology;
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        for (domain, block) in self.domains() {
            if central_nat(block) {
                let uplinks: Vec<String> = topology.uplinks.iter().map(|u| self.named(block, u)).collect();
                let number = grant::free(block, "firewall central-snat-map");
                let text = format!(
                    "edit {number}\n    set srcintf \"any\"\n    set dstintf {}\n    set orig-addr \"all\"\n    set dst-addr \"all\"\n    set nat enable\nnext\n",
                    list(&uplinks)
                );
                narrow.extend(self.add(domain, "firewall central-snat-map", None, &text));
                continue;
            }
            let (table, suffix) = self.table(block, false);
            for entry in block.table(table) {
                let policy = &entry.block;
                let leads = |to: &[String]| {
                    to.iter().flat_map(|n| members(block, n)).any(|name| topology.uplinks.contains(&name))
                };
                let to = policy.values("dstintf");
                if policy.get("action") != Some("accept")
                    || policy.on("nat")
                    || policy.values(&format!("srcaddr{suffix}")).is_empty()
                    || leads(policy.values("srcintf"))
                {
                    continue;
                }
                let Some(at) = self.layout.at(&entry.span) else { continue };
                let edit = setting(&self.layout, at, "nat", "enable");
                if leads(to) {
                    narrow.push(edit);
                } else if to.iter().any(|name| name == "any") {
                    wide.push(edit);
                }
            }
        }
        wide.extend(narrow.iter().cloned());
        vec![narrow, wide]
    }

    fn uninspected(&self, span: &Span) -> Option<Vec<Edit>> {
        let at = self.layout.at(span)?;
        let none = "\"no-inspection\"";
        let part = &self.layout.parts[at];
        let grouped = part.said("profile-type").filter(|s| s.values == ["group"]);
        let Some((kind, named)) = grouped.zip(part.said("profile-group")) else {
            return Some(vec![setting(&self.layout, at, "ssl-ssh-profile", none)]);
        };
        // The profiles of the group, all but this one.
        let name = named.values.first()?;
        let domain = self.layout.domain(at);
        let group = self.layout.entries(domain, "firewall profile-group");
        let group = group.map(|at| &self.layout.parts[at]).find(|p| p.name == *name)?;
        let tab = part.inner();
        let mut lines = String::new();
        for said in group.settings.iter().filter(|s| s.key != "ssl-ssh-profile") {
            lines.push_str(&format!("{tab}set {} {}\n", said.key, list(&said.values)));
        }
        lines.push_str(&format!("{tab}set ssl-ssh-profile {none}\n"));
        Some(vec![
            Edit { span: whole_lines(&kind.span), text: String::new() },
            Edit { span: whole_lines(&named.span), text: lines },
        ])
    }

    /// Words of administrative access on an interface: v4, then v6.
    pub fn access(&self, interface: usize) -> Vec<(usize, &Said)> {
        let second = self
            .layout
            .within(interface)
            .filter(|at| matches!(self.layout.parts[*at].name.as_str(), "ipv6" | "secondaryip"));
        let deeper = second.flat_map(|at| std::iter::once(at).chain(self.layout.within(at)));
        let parts = std::iter::once(interface).chain(deeper);
        let said = |at: usize| {
            let part = &self.layout.parts[at];
            part.said("allowaccess").or_else(|| part.said("ip6-allowaccess")).map(|said| (at, said))
        };
        parts.filter_map(said).collect()
    }
}

/// Whether source translation is a table of its own.
pub fn central_nat(block: &Block) -> bool {
    let settings = block.child("system settings");
    settings.is_some_and(|s| s.on("central-nat") || s.get("ngfw-mode") == Some("policy-based"))
}

/// Lines behind more white space.
pub fn indented(text: &str, tab: &str) -> String {
    text.lines().map(|line| format!("{tab}{line}\n")).collect()
}
