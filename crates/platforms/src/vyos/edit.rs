//! Repairs written into somebody's VyOS or EdgeOS configuration.

use super::around::Around;
use super::page::{Line, Page};
use super::text;
use super::tree::At;
use super::{bind, forged, grant};
use crate::edit::Desk;
use tillgate_model::Span;
use tillgate_ruleset::{Edit, Repair, What};

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let mut found = Vec::new();
    let tree = text::read(desk.files, &mut found);
    let Some(file) = place(repair).map(|span| &span.file).or(desk.files.first()) else { return Vec::new() };
    let sheet = Sheet {
        desk,
        root: tree.root(),
        around: Around::of(tree.root(), &mut found),
        page: Page::of(tree.root(), file),
    };
    match repair {
        Repair::Remove(span) => sheet.remove(span),
        Repair::Permit { at, instead, flows, internet } => {
            grant::permit(&sheet, at, *instead, flows, internet)
        }
        Repair::Log(span) => sheet.log(span),
        Repair::Close(span) => sheet.close(span),
        Repair::Established(span) => grant::established(&sheet, span),
        Repair::Sources(segment) => forged::sources_of(&sheet, segment),
        Repair::Masquerade => forged::masquerade(&sheet),
        Repair::SwitchOff(span) => sheet.switch_off(span),
        // Connections are filtered, not opened.
        Repair::Uninspected(_) => Vec::new(),
    }
}

/// The line a repair is about.
fn place<'r>(repair: &Repair<'r>) -> Option<&'r Span> {
    match repair {
        Repair::Permit { at, .. } => Some(at),
        Repair::Remove(at)
        | Repair::Log(at)
        | Repair::Close(at)
        | Repair::Established(at)
        | Repair::SwitchOff(at)
        | Repair::Uninspected(at) => Some(at),
        Repair::Sources(_) | Repair::Masquerade => None,
    }
}

/// A configuration on the desk.
pub struct Sheet<'a, 't> {
    pub desk: &'a Desk<'a>,
    pub root: At<'t>,
    pub around: Around<'t>,
    pub page: Page<'t>,
}

/// What stands at a place, by its path.
pub enum Spot<'t> {
    /// A rule: the path of its list, and its number.
    Rule(Vec<&'t str>, u32),
    /// A set or a hook, or what it does by default.
    List(Vec<&'t str>),
    /// A zone, or what it does by default.
    Zone(Vec<&'t str>),
    /// What happens to a state before every rule.
    State(Vec<&'t str>),
    /// A group.
    Group(Vec<&'t str>),
    /// A setting beside the rules.
    Setting(Vec<&'t str>),
    /// The whole filter: nothing in it decided.
    Whole,
}

impl<'t> Spot<'t> {
    fn of(path: &[&'t str]) -> Option<Self> {
        let owner = path.strip_suffix(&["default-action"]).unwrap_or(path);
        Some(match (owner, path) {
            (_, [list @ .., "rule", number]) => Spot::Rule(list.to_vec(), number.parse().ok()?),
            (["firewall", "ipv4" | "ipv6", _, _] | ["firewall", "name" | "ipv6-name", _], _) => {
                Spot::List(owner.to_vec())
            }
            (["firewall" | "zone-policy", "zone", _], _) => Spot::Zone(owner.to_vec()),
            (_, ["firewall", "state-policy", _] | ["firewall", "global-options", "state-policy", _]) => {
                Spot::State(path.to_vec())
            }
            (_, ["firewall", "group", "dynamic-group", _, _]) => Spot::Group(path.to_vec()),
            (_, ["firewall", "group", kind, _]) if *kind != "dynamic-group" => Spot::Group(path.to_vec()),
            (
                _,
                ["service", "telnet"]
                | ["service", "snmp", "community"]
                | [.., "all-ping" | "disable-forwarding" | "ipv6-source-validation" | "source-validation"],
            ) => Spot::Setting(path.to_vec()),
            (_, ["firewall" | "interfaces"]) => Spot::Whole,
            _ => return None,
        })
    }
}

/// Sets and hooks of 1.3, EdgeOS and the releases before.
pub fn old(list: &[&str]) -> bool {
    !matches!(list, ["firewall", "ipv4" | "ipv6" | "zone" | "global-options", ..])
}

impl<'t> Sheet<'_, 't> {
    /// What stands at a span, the innermost first.
    pub fn spots(&self, span: &Span) -> Vec<Spot<'t>> {
        let mut found: Vec<Vec<&'t str>> = Vec::new();
        let mut path: Vec<&'t str> = Vec::new();
        let mut todo: Vec<(usize, At<'t>)> = self.root.children().map(|at| (0, at)).collect();
        while let Some((depth, at)) = todo.pop() {
            path.truncate(depth);
            path.push(at.name());
            if at.stands_at(span) {
                found.push(path.clone());
            }
            todo.extend(at.children().map(|child| (depth + 1, child)));
        }
        found.sort_by_key(|path| std::cmp::Reverse(path.len()));
        found.iter().filter_map(|path| Spot::of(path)).collect()
    }

    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.page.file.text.contains(word))
    }

    /// How a rule or a state says that it is logged.
    pub fn logged(&self, list: &[&str]) -> &'static str {
        if old(list) || self.says(&["log 'enable'", "log enable"]) { "log 'enable'" } else { "log" }
    }

    /// How a list says that what it denies by default is logged.
    fn default_log(&self, list: &[&str]) -> &'static str {
        let before = old(list) || self.says(&["enable-default-log"]);
        if before { "enable-default-log" } else { "default-log" }
    }

    fn remove(&self, span: &Span) -> Vec<Vec<Edit>> {
        let facts = self.desk.rules.facts.iter().filter(|f| f.span == *span);
        let unused = facts.map(|f| &f.what).any(|what| matches!(what, What::Unused(_)));
        let mut out = Vec::new();
        for spot in self.spots(span) {
            match spot {
                Spot::Group(path) | Spot::List(path) if unused => out.insert(0, self.page.without(&path)),
                Spot::Rule(list, number) => out.push(self.without_rule(&list, number)),
                Spot::List(list) => out.push(self.closed(&list)),
                Spot::State(path) | Spot::Setting(path) => out.push(self.page.without(&path)),
                Spot::Group(_) | Spot::Zone(_) | Spot::Whole => {}
            }
        }
        out
    }

    fn without_rule(&self, list: &[&str], number: u32) -> Vec<Edit> {
        let number = number.to_string();
        let path: Vec<&str> = list.iter().copied().chain(["rule", &number]).collect();
        let mut out = self.page.without(&path);
        // A set without any line is none any more, and something may need it.
        let rest = self.root.path(list).is_some_and(|at| {
            at.children().any(|c| c.name() != "rule") || at.values("rule").nth(1).is_some()
        });
        let set = matches!(list, ["firewall", "name" | "ipv6-name", _] | ["firewall", _, "name", _]);
        if set && !rest && self.page.typed() {
            out.extend(self.page.with(&[Line::of(list, "default-action 'drop'")], &path));
        }
        out
    }

    /// What a list says so that it denies by default, and logs it; nothing where it denies.
    pub fn denying(&self, list: &[&str], edits: &mut Vec<Edit>, lines: &mut Vec<Line>) {
        let Some(at) = self.root.path(list) else { return };
        let hook = !matches!(list, ["firewall", "name" | "ipv6-name", _] | [_, _, "name", _]);
        match at.value("default-action") {
            Some("accept") => {}
            None if hook => {}
            _ => return,
        }
        let path: Vec<&str> = list.iter().copied().chain(["default-action"]).collect();
        self.page.set(&path, "drop", edits, lines);
        if !at.on("default-log") && !at.on("enable-default-log") {
            lines.push(Line::of(list, self.default_log(list)));
        }
    }

    fn closed(&self, list: &[&str]) -> Vec<Edit> {
        let (mut edits, mut lines) = (Vec::new(), Vec::new());
        self.denying(list, &mut edits, &mut lines);
        edits.extend(self.page.with(&lines, &[]));
        edits
    }

    fn close(&self, span: &Span) -> Vec<Vec<Edit>> {
        // The word alone; in a file of one line it may be all there is.
        let mut out = Vec::new();
        for spot in self.spots(span) {
            match spot {
                Spot::List(list) => out.push(self.closed(&list)),
                Spot::Whole if out.is_empty() => return bind::interfaces(self),
                _ => {}
            }
        }
        out
    }

    fn log(&self, span: &Span) -> Vec<Vec<Edit>> {
        let mut out = Vec::new();
        for spot in self.spots(span) {
            let (path, word) = match spot {
                Spot::Rule(list, number) => {
                    let word = self.logged(&list);
                    let number = number.to_string();
                    let path = list.iter().map(|w| w.to_string()).chain(["rule".into(), number]);
                    (path.collect::<Vec<_>>(), word)
                }
                Spot::State(path) => (path.iter().map(|w| w.to_string()).collect(), self.logged(&path)),
                Spot::List(path) => (path.iter().map(|w| w.to_string()).collect(), self.default_log(&path)),
                // The zones of old releases log nothing.
                Spot::Zone(path) if !old(&path) => {
                    (path.iter().map(|w| w.to_string()).collect(), self.default_log(&path))
                }
                _ => continue,
            };
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let off = self.root.path(&words).and_then(|at| at.leaf("log"));
            out.push(match off.filter(|at| at.name() == "disable" && word.starts_with("log")) {
                Some(value) => vec![self.page.instead(value, "enable")],
                None => self.page.with(&[Line::of(&path, word)], &[]),
            });
        }
        out
    }

    fn switch_off(&self, span: &Span) -> Vec<Vec<Edit>> {
        let mut out = Vec::new();
        for spot in self.spots(span) {
            let Spot::Setting(path) = spot else { continue };
            // Version 3 has users, and stays.
            let alone =
                path.last() == Some(&"community") && self.root.path(&["service", "snmp", "v3"]).is_none();
            let whole = if alone { path.get(..2).unwrap_or(&path) } else { &path };
            out.push(self.page.without(whole));
        }
        out
    }
}
