//! A configuration on the desk: its rules with their places, and where new ones stand.

use super::config::{Config, Node};
use super::file;
use super::lex::{Lexer, Token};
use super::render::{NEIGHBOURS, list, prefixes};
use super::rule::{Raw, Verb};
use crate::edit::{Desk, after_line, before_line, end_of_file, insert, whole_lines};
use crate::nftables::Names;
use crate::{Input, NoIncludes};
use std::fmt::Write;
use tillgate_model::{Family, Ranges, Span};
use tillgate_ruleset::Edit;

/// Prefixes that a rule holds as a list; more of them are a table.
const MOST_LISTED: usize = 6;

/// A filter rule, or an anchor, and which list it stands in: 0 outside all anchors.
pub struct Spot {
    pub raw: Raw,
    pub list: usize,
}

/// The text as it is edited.
pub struct Sheet<'a> {
    pub desk: &'a Desk<'a>,
    /// In the order of the file.
    pub spots: Vec<Spot>,
    /// Everything else that is said.
    pub config: Config,
}

impl Spot {
    /// Whether it sees a passage.
    pub fn sees(&self, out: bool) -> bool {
        if out { self.raw.ways.1 } else { self.raw.ways.0 }
    }

    /// Whether it has no conditions.
    fn is_bare(&self) -> bool {
        let raw = &self.raw;
        let ends = raw.from.is_empty() && raw.to.is_empty();
        ends && raw.on.is_empty() && raw.family.is_none() && raw.protocols.is_none() && raw.tagged.is_none()
    }

    /// Whether it passes packets of one passage by one of these interfaces.
    pub fn is_like(&self, out: bool, interfaces: &[String]) -> bool {
        let on = |(name, negate): &(String, bool)| !negate && interfaces.contains(name);
        self.raw.verb == Verb::Pass && self.raw.ways == (!out, out) && self.raw.on.iter().any(on)
    }
}

impl<'a> Sheet<'a> {
    /// Reads the files again; `None` for listings with numbers, which nobody loads.
    pub fn of(desk: &'a Desk<'a>) -> Option<Self> {
        let first = desk.files.first()?;
        if first.text.lines().any(|line| line.starts_with('@')) {
            return None;
        }
        let input = Input { files: desk.files, resolvers: &[], includes: &NoIncludes };
        let mut config = file::read(&input, &mut Vec::new());
        let mut spots = Vec::new();
        let mut lists = 0;
        flat(std::mem::take(&mut config.nodes), 0, &mut lists, &mut spots);
        Some(Sheet { desk, spots, config })
    }

    /// The rule of a place.
    pub fn at(&self, span: &Span) -> Option<&Spot> {
        self.spots.iter().find(|spot| spot.raw.span == *span)
    }

    /// Whether a place stands for what no rule decides.
    pub fn is_default(&self, span: &Span) -> bool {
        self.desk.rules.bases.iter().any(|b| b.policy_span == *span)
    }

    /// The rule that denies what no other rule of a passage decides.
    pub fn denial(&self, out: bool) -> Option<&Spot> {
        let denies = |s: &&Spot| {
            s.list == 0 && s.raw.verb == Verb::Block && !s.raw.quick && s.is_bare() && s.sees(out)
        };
        self.spots.iter().rev().find(denies)
    }

    /// The words of the statement at a place.
    pub fn tokens(&self, span: &Span) -> Vec<Token> {
        let mut macros = self.config.macros.clone();
        let mut lexer = Lexer::behind(&span.file, span.start as usize);
        lexer.next(&mut macros, &mut Vec::new()).map(|s| s.tokens).unwrap_or_default()
    }

    /// Before all filter rules.
    pub fn first(&self) -> Option<Span> {
        let start = &self.desk.rules.bases.first()?.policy_span;
        let here = self.spots.iter().find(|s| s.raw.span.file.name == start.file.name);
        Some(here.map_or_else(|| end_of_file(start), |spot| above(&spot.raw.span)))
    }

    /// Behind all filter rules.
    pub fn last(&self) -> Option<Span> {
        self.desk.rules.bases.first().map(|base| end_of_file(&base.policy_span))
    }

    /// Where a permission of a passage takes packets from a denial, and whether it is `quick` there.
    pub fn beside(&self, denial: &Spot, out: bool, interfaces: &[String]) -> (Span, bool) {
        let at = &denial.raw.span;
        if denial.sees(out) && denial.raw.quick {
            return (above(at), true);
        }
        let near = |s: &&Spot| s.list == denial.list && s.raw.span.file.name == at.file.name;
        // What no quick rule and no later one decides, any later one may; one of its kind is the best neighbour.
        let mut alike = self.spots.iter().rev().filter(near).filter(|s| s.is_like(out, interfaces));
        let alike = alike.find(|s| !denial.sees(out) || s.raw.span.start > at.start);
        if let Some(spot) = alike {
            return (after_line(&spot.raw.span), spot.raw.quick);
        }
        let group = self.spots.iter().filter(near).find(|s| s.raw.ways == (!out, out));
        match group {
            Some(spot) if !denial.sees(out) => (above(&spot.raw.span), true),
            _ => (after_line(at), denial.raw.quick),
        }
    }

    /// Right where a denial takes packets, and whether a permission is `quick` there.
    pub fn right_beside(&self, denial: &Spot) -> (Span, bool) {
        let at = &denial.raw.span;
        if denial.raw.quick { (above(at), true) } else { (after_line(at), false) }
    }

    /// What IPv6 cannot do without, where no rule but the one at a place passes it; else nothing.
    pub fn neighbours(&self, but: Option<&Span>) -> String {
        let passes = |spot: &Spot| {
            let raw = &spot.raw;
            let there = but.is_some_and(|b| {
                b.file.name == raw.span.file.name && b.start <= raw.span.start && raw.span.end <= b.end
            });
            let takes = match &raw.protocols {
                Some(protocols) => {
                    protocols.contains(58)
                        && (raw.icmp.is_empty() || raw.icmp.iter().any(|(kind, _)| *kind == 135))
                }
                None => raw.from.is_empty() && raw.to.is_empty(),
            };
            raw.verb == Verb::Pass && spot.sees(false) && raw.family != Some(Family::V4) && takes && !there
        };
        if self.desk.intent.topology.inside(Family::V6).is_empty() || self.spots.iter().any(passes) {
            return String::new();
        }
        // `out` rules do not know that routers never forward it.
        format!(
            "# neighbour discovery and multicast listeners stay on their link\n{NEIGHBOURS} tag TG_LINK\nblock out log quick tagged TG_LINK\n"
        )
    }

    /// The same, where the rule at a place passes it and goes.
    pub fn neighbours_of(&self, place: &Span) -> String {
        if self.neighbours(None).is_empty() { self.neighbours(Some(place)) } else { String::new() }
    }

    /// The tag that lets packets out by these interfaces.
    pub fn tag(&self, interfaces: &[String]) -> Option<&str> {
        let lets = |spot: &&Spot| {
            let on = |name: &String| spot.raw.on.contains(&(name.clone(), false));
            let plain = spot.raw.protocols.is_none() && spot.raw.to.is_empty();
            spot.raw.verb == Verb::Pass && spot.sees(true) && plain && interfaces.iter().all(on)
        };
        let tagged = self.spots.iter().filter(lets).filter_map(|spot| spot.raw.tagged.as_ref());
        tagged.filter(|(_, negate)| !negate).map(|(name, _)| name.as_str()).next()
    }

    /// A word as the file writes it at a place: by a macro that stands for it, if there is one.
    pub fn said(&self, text: &str, place: &Span) -> String {
        let named = self.config.macros.named.iter().find(|(_, m)| {
            m.value == text && m.span.file.name == place.file.name && m.span.end <= place.start
        });
        named.map_or_else(|| text.to_string(), |(name, _)| format!("${name}"))
    }

    /// Interfaces of a rule at a place.
    pub fn interfaces(&self, names: &[String], place: &Span) -> String {
        list(&names.iter().map(|name| self.said(name, place)).collect::<Vec<_>>())
    }

    /// A statement goes; a comment above it that says which requirement it was for goes with it.
    pub fn remove(&self, span: &Span) -> Edit {
        let place = whole_lines(span);
        let start = place.start as usize;
        let line = start.checked_sub(1).map(|at| whole_lines(&Span::new(&span.file, at, at)));
        let intent = self.desk.intent;
        let ours = |line: &Span| {
            let of = line.text().strip_prefix("# ").and_then(|t| t.split([':', ',']).next());
            let requirements = intent.flows.iter().map(|f| &f.requirement);
            of.is_some_and(|of| {
                requirements.chain(intent.topology.zones.iter().map(|z| &z.name)).any(|n| n == of)
            })
        };
        // More rules of the same requirement may follow.
        let behind =
            span.file.text.get(place.end as usize..).unwrap_or("").lines().next().unwrap_or("").trim();
        let alone = behind.is_empty() || behind.starts_with('#');
        let start = line.filter(|line| alone && ours(line)).map_or(start, |line| line.start as usize);
        Edit { span: Span::new(&span.file, start, place.end as usize), text: String::new() }
    }
}

/// How deep anchors nest is bounded where they are read.
fn flat(nodes: Vec<Node>, list: usize, lists: &mut usize, out: &mut Vec<Spot>) {
    for node in nodes {
        match node {
            Node::Rule(raw) => out.push(Spot { raw, list }),
            Node::Anchor(raw, _, inside) => {
                out.push(Spot { raw, list });
                *lists += 1;
                let own = *lists;
                flat(inside.unwrap_or_default(), own, lists, out);
            }
        }
    }
}

/// The place before a statement and the comments right above it.
fn above(span: &Span) -> Span {
    let mut place = before_line(span);
    while let Some(at) = (place.start as usize).checked_sub(1) {
        let line = whole_lines(&Span::new(&span.file, at, at));
        if !line.text().trim_start().starts_with('#') {
            break;
        }
        place = before_line(&line);
    }
    place
}

/// A change that grows: what is written where, and the tables that it needs.
pub struct Draft<'a> {
    sheet: &'a Sheet<'a>,
    names: Names,
    tables: Vec<(Family, Ranges, String)>,
    edits: Vec<Edit>,
    /// Where something goes: what stands elsewhere need not be said again.
    gone: Option<Span>,
}

impl<'a> Draft<'a> {
    /// Nothing yet.
    pub fn new(sheet: &'a Sheet<'a>) -> Self {
        let mut names = Names::default();
        for name in sheet.config.tables.keys() {
            names.fresh(name);
        }
        Draft { sheet, names, tables: Vec::new(), edits: Vec::new(), gone: None }
    }

    /// Adds text at a place, behind what was added there before.
    pub fn write(&mut self, place: &Span, text: &str) {
        match self.edits.iter_mut().find(|edit| edit.span == *place) {
            Some(edit) => edit.text.push_str(text),
            None => self.edits.push(insert(place.clone(), text.to_string())),
        }
    }

    /// What stands at a place goes.
    pub fn replaces(&mut self, place: &Span) {
        self.gone = Some(place.clone());
    }

    /// Whether a rule stands in the file already, and stays.
    fn stays(&self, rule: &str) -> bool {
        let Some(gone) = &self.gone else { return false };
        let there = |span: &Span| {
            gone.file.name == span.file.name && gone.start <= span.start && span.end <= gone.end
        };
        self.sheet.spots.iter().map(|s| &s.raw.span).any(|span| span.text() == rule && !there(span))
    }

    /// Adds a rule under what it is for; rules of one permission stand together.
    pub fn rule(&mut self, place: &Span, note: &str, rule: &str) {
        let same = |edit: &&mut Edit| edit.span == *place;
        if self.stays(rule) {
            return;
        }
        let head = format!("# {note}\n");
        let last = |text: &str| text.lines().rfind(|l| l.starts_with('#')) == Some(head.trim_end());
        match self.edits.iter_mut().find(same) {
            Some(edit) if edit.text.lines().any(|l| l == rule) => {}
            Some(edit) if last(&edit.text) => edit.text.push_str(&format!("{rule}\n")),
            Some(edit) => edit.text.push_str(&format!("{head}{rule}\n")),
            None => self.edits.push(insert(place.clone(), format!("{head}{rule}\n"))),
        }
    }

    /// Adds an edit.
    pub fn add(&mut self, edit: Edit) {
        self.edits.push(edit);
    }

    /// Addresses for one end of a rule: as they are, as a list, or as a table that holds just them. Only a table can
    /// be denied as a whole.
    pub fn side(
        &mut self,
        family: Family,
        ranges: &Ranges,
        wish: &str,
        denied: bool,
        place: &Span,
    ) -> String {
        let not = if denied { "! " } else { "" };
        let items = prefixes(family, ranges);
        if let [only] = items.as_slice() {
            return format!("{not}{}", self.sheet.said(only, place));
        }
        let holds = |table: &super::hosts::Table| {
            !table.open && table.names.is_none() && table.ranges.get(family as usize) == Some(ranges)
        };
        let known = self.sheet.config.tables.iter().find(|(_, table)| holds(table)).map(|(name, _)| name);
        let new = self.tables.iter().find(|(f, r, _)| *f == family && r == ranges).map(|(.., name)| name);
        if let Some(name) = known.or(new) {
            return format!("{not}<{name}>");
        }
        if !denied && items.len() <= MOST_LISTED {
            return list(&items);
        }
        let wish: String = wish.chars().take(24).collect();
        let name = self.names.fresh(&format!("{wish}{}", if family == Family::V4 { "" } else { "6" }));
        self.tables.push((family, ranges.clone(), name.clone()));
        format!("{not}<{name}>")
    }

    /// All edits: tables first, behind those there are.
    pub fn finish(mut self) -> Vec<Edit> {
        let mut lines = String::new();
        for (family, ranges, name) in &self.tables {
            let _ = writeln!(lines, "table <{name}> const {}", braces(&prefixes(*family, ranges)));
        }
        if !lines.is_empty() {
            let start = self.sheet.desk.rules.bases.first().map(|b| b.policy_span.file.name.clone());
            let declared = self.sheet.config.tables.values().filter_map(|table| table.span.as_ref());
            let last = declared.filter(|s| Some(&s.file.name) == start.as_ref()).max_by_key(|s| s.end);
            let nat = self.sheet.config.nats.first().map(|nat| &nat.raw.span);
            let place = match (last, nat) {
                (Some(span), _) => Some(after_line(span)),
                (None, Some(nat)) => Some(above(nat)),
                (None, None) => self.sheet.first(),
            };
            if let Some(place) = place {
                match self.edits.iter_mut().find(|edit| edit.span == place) {
                    Some(edit) => edit.text.insert_str(0, &lines),
                    None => self.edits.insert(0, insert(place, lines)),
                }
            }
        }
        for edit in &mut self.edits {
            let before = edit.span.file.text.get(..edit.span.start as usize).unwrap_or("");
            // The last line of a file may not end.
            if !edit.text.is_empty()
                && edit.text.ends_with('\n')
                && !before.is_empty()
                && !before.ends_with('\n')
            {
                edit.text.insert(0, '\n');
            }
        }
        self.edits
    }
}

fn braces(items: &[String]) -> String {
    format!("{{ {} }}", items.join(" "))
}
