//! Repairs written into somebody's firewall file.

use super::render::{Section as Written, forged, genuine, service, word};
use super::uci::{self, Package, Section};
use super::values::{boolean, choice};
use crate::edit::{Desk, after_line, end_of_file, insert, permissions, whole_lines};
use crate::nftables::comment;
use crate::permits::{Permit, Service, Target, sources};
use std::collections::BTreeSet;
use tillgate_intent::{Flow, Side};
use tillgate_model::{Span, addresses_text};
use tillgate_ruleset::{Action, Edit, Match, Repair};

/// The three directions of a policy.
const POLICIES: [&str; 3] = ["input", "forward", "output"];

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let sheet = Sheet { desk, sections: uci::read(desk.files, &mut Vec::new()) };
    match repair {
        Repair::Remove(span) | Repair::Close(span) => sheet.remove(span),
        Repair::Permit { at, instead, flows, internet } => sheet.permit(at, *instead, flows, internet),
        Repair::Log(span) => sheet.log(span),
        Repair::Sources(segment) => sheet.sources(segment),
        Repair::Masquerade => sheet.masquerade(),
        Repair::SwitchOff(span) => sheet.switch_off(span),
        // Answers always pass before any rule, and connections are filtered, not opened.
        Repair::Established(_) | Repair::Uninspected(_) => Vec::new(),
    }
}

/// A configuration on the desk.
struct Sheet<'a> {
    desk: &'a Desk<'a>,
    sections: Vec<Section>,
}

impl Sheet<'_> {
    fn firewall(&self, kind: &'static str) -> impl DoubleEndedIterator<Item = &Section> {
        self.sections.iter().filter(move |s| s.package == Package::Firewall && s.kind == kind)
    }

    /// The section a place lies in.
    fn at(&self, span: &Span) -> Option<&Section> {
        let holds = |s: &&Section| {
            s.span.file.name == span.file.name && s.span.start <= span.start && span.end <= s.span.end
        };
        self.sections.iter().find(holds)
    }

    /// A section goes, or a policy that accepts becomes one that does not.
    fn remove(&self, span: &Span) -> Vec<Vec<Edit>> {
        let Some(section) = self.at(span) else { return Vec::new() };
        if section.package == Package::Firewall && matches!(section.kind.as_str(), "zone" | "defaults") {
            return self.closed(section, span);
        }
        let mut edits = vec![gone(section)];
        if section.package == Package::Firewall && section.kind == "ipset" {
            // What the resolver would fill.
            let name = section.text("name").or(section.name.as_deref());
            let fills = |s: &&Section| s.package == Package::Dhcp && s.kind == "ipset";
            let only = |s: &&Section| s.words("name").iter().all(|own| Some(*own) == name);
            edits.extend(self.sections.iter().filter(fills).filter(only).map(gone));
        }
        vec![edits]
    }

    fn closed(&self, section: &Section, span: &Span) -> Vec<Vec<Edit>> {
        let deny = self.deny();
        let accepts = |name: &str| section.text(name).is_some_and(|t| choice(t, &["accept"]).is_some());
        if *span == section.span {
            // The defaults' word, but meant of this zone.
            let open = POLICIES.into_iter().filter(|name| !section.has(name) && *name != "output");
            return open.map(|name| vec![set(section, name, deny)]).collect();
        }
        let own = POLICIES.into_iter().filter(|name| section.line(name) == *span && accepts(name));
        own.map(|name| vec![set(section, name, deny)]).collect()
    }

    /// The word the file denies with.
    fn deny(&self) -> &'static str {
        let all = self.firewall("defaults").chain(self.firewall("zone"));
        let rejects = |s: &Section| {
            POLICIES.iter().any(|p| s.text(p).is_some_and(|t| choice(t, &["reject"]).is_some()))
        };
        if all.into_iter().any(rejects) { "REJECT" } else { "DROP" }
    }

    fn log(&self, span: &Span) -> Vec<Vec<Edit>> {
        let Some(section) = self.at(span).filter(|s| s.package == Package::Firewall) else {
            return Vec::new();
        };
        let logs = |s: &&Section| s.text("log").and_then(|t| t.parse().ok()).is_some_and(|n: u32| n & 1 == 1);
        match section.kind.as_str() {
            "rule" | "zone" => vec![vec![set(section, "log", "1")]],
            // Zones log what gets to the defaults' policies.
            "defaults" => {
                let zones = self.firewall("zone").filter(|zone| !logs(zone));
                vec![zones.map(|zone| set(zone, "log", "1")).collect()]
            }
            _ => Vec::new(),
        }
    }

    fn masquerade(&self) -> Vec<Vec<Edit>> {
        let names = self.zones(&self.desk.intent.topology.uplinks);
        let zones = self.firewall("zone").filter(|z| z.text("name").is_some_and(|n| names.contains(&n)));
        let plain = zones.filter(|z| z.text("masq").and_then(boolean) != Some(true));
        vec![plain.map(|zone| set(zone, "masq", "1")).collect()]
    }

    fn switch_off(&self, span: &Span) -> Vec<Vec<Edit>> {
        let Some(section) = self.at(span) else { return Vec::new() };
        match section.kind.as_str() {
            "uhttpd" => {
                let moved = vec![set(section, "redirect_https", "1")];
                let lines = whole_lines(span);
                let plain = |line: &str| line.split_whitespace().nth(1) == Some("listen_http");
                let closed = lines.text().lines().all(plain);
                let closed = closed.then(|| vec![Edit { span: lines.clone(), text: String::new() }]);
                // Without an encrypted side there is nowhere to send anybody.
                let moved = section.has("listen_https").then_some(moved);
                moved.into_iter().chain(closed).collect()
            }
            "com2sec" => vec![vec![gone(section)]],
            _ => Vec::new(),
        }
    }

    /// Drops in front of all other rules.
    fn sources(&self, segment: &str) -> Vec<Vec<Edit>> {
        let topology = &self.desk.intent.topology;
        let all = || topology.zones.iter().map(|z| &z.interface).chain(&topology.uplinks);
        let mut text = String::new();
        for (on, family, ranges, only, name) in sources(self.desk.intent) {
            if name != segment {
                continue;
            }
            for zone in self.zones(&on) {
                let has = |interface: &&String| self.zones(std::slice::from_ref(*interface)).contains(&zone);
                let shared = all().filter(has).any(|i| !on.contains(i));
                if !shared {
                    text.push_str(&forged(zone, None, family, &ranges, only, &name));
                    continue;
                }
                for interface in on.iter().filter(has) {
                    text.push_str(&forged(zone, Some(interface), family, &ranges, only, &name));
                }
            }
        }
        let first = self.firewall("rule").next();
        let edit = match first {
            Some(first) => self.before(first, &text),
            None => self.last(&text),
        };
        vec![edit.into_iter().collect()]
    }

    fn permit(&self, at: &Span, instead: bool, flows: &[&Flow], internet: &[usize]) -> Vec<Vec<Edit>> {
        let (local, through) = permissions(self.desk.intent, flows, internet);
        let permits: Vec<Permit> = local.into_iter().chain(through).collect();
        let section = self.at(at).filter(|s| s.package == Package::Firewall);
        let here = section.filter(|s| matches!(s.kind.as_str(), "rule" | "forwarding" | "redirect" | "nat"));
        let mut out: Vec<Vec<Edit>> = Vec::new();
        for form in [Form::Forwarding, Form::Zone, Form::Everywhere] {
            if form == Form::Forwarding && internet.is_empty() {
                continue;
            }
            let text: Option<String> = permits.iter().map(|permit| self.granted(permit, form)).collect();
            let Some(text) = text.filter(|t| !t.is_empty()) else { continue };
            // Sections that are the same for both families.
            let text = distinct(&text);
            match (here, section) {
                (Some(section), _) if instead => {
                    let Some(mut new) = self.before(section, &text) else { continue };
                    let old = gone(section);
                    new.span = old.span;
                    out.push(vec![new]);
                }
                (Some(section), _) if section.kind == "rule" => {
                    out.push(self.before(section, &text).into_iter().collect());
                }
                (None, Some(section)) if instead => {
                    for mut closed in self.closed(section, at) {
                        closed.extend(self.last(&text));
                        out.push(closed);
                    }
                }
                _ => out.push(self.last(&text).into_iter().collect()),
            }
        }
        out.dedup();
        out
    }

    /// The names of the zones that interfaces belong to.
    fn zones(&self, interfaces: &[String]) -> Vec<&str> {
        let mut out = Vec::new();
        let chain = self.desk.rules.chains.first();
        for interface in interfaces {
            let ways = chain.iter().flat_map(|c| &c.rules).filter(|r| of_interface(&r.when, interface));
            let zone = ways.filter_map(|r| match r.action {
                Action::Jump(chain) => self.desk.rules.chains.get(chain)?.name.strip_prefix("input_"),
                _ => None,
            });
            out.extend(zone.take(1).filter(|zone| !out.contains(zone)).collect::<Vec<_>>());
        }
        out
    }

    /// Sections that permit this; `None` where it cannot be said.
    fn granted(&self, permit: &Permit, form: Form) -> Option<String> {
        let intent = self.desk.intent;
        let inputs = Permit::interfaces(permit.from, intent);
        let outputs = permit.to.map(|to| self.zones(&Permit::interfaces(to, intent)));
        let outputs = match &outputs {
            Some(zones) => zones.iter().map(|zone| Some(*zone)).collect(),
            None => vec![None],
        };
        let all = permit.service == Service::Any && permit.to == Some(Side::Uplinks);
        let mut out = String::new();
        for from in self.zones(&inputs) {
            for to in &outputs {
                if let (Form::Forwarding, true, Some(to)) = (form, all, to) {
                    out.push_str(&Written::new("forwarding").option("src", from).option("dest", to).0);
                    continue;
                }
                let name = comment(&permit.comment);
                let mut rule = Written::new("rule").option("name", name);
                rule = match form {
                    Form::Everywhere => {
                        let [input] = inputs.as_slice() else { return None };
                        rule.option("src", "*").option("device", input)
                    }
                    _ => rule.option("src", from),
                };
                if let Some(to) = to {
                    rule = rule.option("dest", to);
                }
                let rule = service(rule.option("family", word(permit.family)), &permit.service).ok()?;
                let rule = rule.list(
                    "src_ip",
                    match &permit.source {
                        Some(source) => addresses_text(permit.family, source),
                        None => genuine(intent, permit.from, permit.family),
                    },
                );
                let rule = match &permit.target {
                    Target::Ranges(ranges) => rule.list("dest_ip", addresses_text(permit.family, ranges)),
                    // Whatever leaves by an uplink is the internet.
                    Target::Any | Target::Public | Target::Names(_) => rule,
                };
                out.push_str(&rule.option("target", "ACCEPT").0);
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// Sections in front of another one and the comments above it.
    fn before(&self, section: &Section, text: &str) -> Option<Edit> {
        if text.is_empty() {
            return None;
        }
        let start = top(section);
        let at = Span::new(&section.span.file, start, start);
        let text = match shows(section) {
            true => self.shown(text),
            false => format!("{}\n", text.trim_start()),
        };
        Some(insert(at, text))
    }

    /// Sections behind the last rule, or where the first would be.
    fn last(&self, text: &str) -> Option<Edit> {
        let kinds = ["rule", "ipset", "zone", "defaults"];
        let last = kinds.into_iter().find_map(|kind| self.firewall(kind).next_back())?;
        if text.is_empty() {
            return None;
        }
        let text = if shows(last) { self.shown(text) } else { text.to_string() };
        let place = after_line(&last.span);
        let open = place == end_of_file(&last.span) && !last.span.file.text.ends_with('\n');
        Some(insert(place, if open { format!("\n{text}") } else { text }))
    }

    /// Sections as `uci show` prints them, with names that are free.
    fn shown(&self, text: &str) -> String {
        let taken: BTreeSet<&str> = self.sections.iter().filter_map(|s| s.name.as_deref()).collect();
        let mut free = (1u32..).map(|n| format!("tg_{n}")).filter(|name| !taken.contains(name.as_str()));
        let (mut out, mut own, mut list) = (String::new(), String::new(), String::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            let mut words = line.trim_start().splitn(3, ' ');
            let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let value = words.next().unwrap_or("");
            if word == "list" && list == name {
                out.push_str(&format!(" {value}"));
                continue;
            }
            if !out.is_empty() {
                out.push('\n');
            }
            list = if word == "list" { name.to_string() } else { String::new() };
            if word == "config" {
                own = free.next().unwrap_or_default();
                out.push_str(&format!("firewall.{own}={name}"));
            } else {
                out.push_str(&format!("firewall.{own}.{name}={value}"));
            }
        }
        out.push('\n');
        out
    }
}

/// How a permission is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As a rule from its zone, the internet as a forwarding.
    Forwarding,
    /// As a rule from its zone.
    Zone,
    /// As a rule that comes before those of all zones.
    Everywhere,
}

/// Whether packets of an interface meet this.
fn of_interface(when: &Match, interface: &str) -> bool {
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => interface.starts_with(start),
        None => pattern == interface,
    };
    when.input.iter().all(|m| m.patterns.iter().any(fits) != m.negate)
}

/// Whether a section stands as `uci show` prints it.
fn shows(section: &Section) -> bool {
    section.span.text().starts_with("firewall.")
}

/// Sections without those that were there already.
fn distinct(text: &str) -> String {
    let mut known = BTreeSet::new();
    let sections = text.split("\n\n").map(|s| s.trim_matches('\n'));
    sections.filter(|s| known.insert(*s)).map(|s| format!("\n{s}\n")).collect()
}

/// Where a section begins, with the comments right above it.
fn top(section: &Section) -> usize {
    let text = &section.span.file.text;
    let mut start = whole_lines(&section.span).start as usize;
    while let Some(before) = text.get(..start).and_then(|t| t.strip_suffix('\n')) {
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        if line == 0 || !before.get(line..).is_some_and(|l| l.trim_start().starts_with('#')) {
            break;
        }
        start = line;
    }
    start
}

/// A section goes, with the comments right above it and the empty line below.
fn gone(section: &Section) -> Edit {
    let lines = whole_lines(&section.span);
    let text = &section.span.file.text;
    let mut end = lines.end as usize;
    let rest = text.get(end..).unwrap_or("");
    end += if rest.starts_with('\n') { 1 } else { 2 * usize::from(rest.starts_with("\r\n")) };
    Edit { span: Span::new(&section.span.file, top(section), end), text: String::new() }
}

/// An option gets another value.
fn set(section: &Section, name: &str, value: &str) -> Edit {
    if section.has(name) {
        return Edit { span: section.place(name), text: format!("'{value}'") };
    }
    let (file, end) = (&section.span.file, section.span.end as usize);
    let text = match section.span.text().split_once('=') {
        Some((key, _)) if shows(section) => format!("\n{key}.{name}='{value}'"),
        _ => format!("\n\toption {name} '{value}'"),
    };
    insert(Span::new(file, end, end), text)
}
