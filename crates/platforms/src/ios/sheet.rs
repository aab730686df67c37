//! A configuration on the desk: its lines with the sections they stand in, what they say, and where more is put.

use super::config::{Asked, Config, Direction, Item, Named};
use super::interface;
use super::lines::Line;
use super::read::{Reader, read_each};
use crate::edit::{Desk, after_line, before_line, end_of_file, insert, remove, whole_lines};
use std::collections::BTreeSet;
use tillgate_model::{Family, Span};
use tillgate_ruleset::Edit;

/// A line, and the row that opens its section; a command opens its own.
pub struct Row<'a> {
    pub line: Line<'a>,
    pub head: usize,
}

/// A configuration on the desk.
pub struct Sheet<'a> {
    pub desk: &'a Desk<'a>,
    pub config: Config<'a>,
    pub rows: Vec<Row<'a>>,
}

/// What has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing<'a> {
    List(Family, &'a str),
    Group(&'a str),
    Class(&'a str),
    Policy(&'a str),
    Pair(&'a str),
}

/// Names that are taken.
pub struct Names(BTreeSet<String>);

impl Names {
    /// A name that nothing has yet.
    pub fn fresh(&mut self, wish: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '-' };
        let word: String = wish.chars().map(plain).take(30).collect();
        let word = word.trim_matches('-');
        // A list whose name starts with a digit is taken for a numbered one.
        let word = match word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => word.to_string(),
            false => format!("TO-{word}"),
        };
        let mut name = word.clone();
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{word}-{number}");
        }
        name
    }
}

/// The name a row defines, or adds to.
fn defines<'a>(line: &Line<'a>) -> Option<Thing<'a>> {
    let last = line.words.last().map_or("", |(_, word)| word);
    match () {
        () if line.is(0, "no") => None,
        () if line.is(0, "access-list") => Some(Thing::List(Family::V4, line.word(1))),
        () if line.starts(&["ip", "access-list"]) && line.words.len() > 3 => {
            Some(Thing::List(Family::V4, line.word(3)))
        }
        () if line.starts(&["ipv6", "access-list"]) => Some(Thing::List(Family::V6, line.word(2))),
        () if line.is(0, "object-group") => Some(Thing::Group(line.word(2))),
        () if line.starts(&["class-map", "type", "inspect"]) => Some(Thing::Class(last)),
        () if line.starts(&["policy-map", "type", "inspect"]) => Some(Thing::Policy(last)),
        () if line.starts(&["zone-pair", "security"]) => Some(Thing::Pair(line.word(2))),
        () => None,
    }
}

/// The number of an item of a list: which word, and what.
fn number(line: &Line<'_>) -> Option<(usize, u32)> {
    let behind = (1..line.words.len()).rev().find(|at| line.is(*at, "sequence")).map(|at| at + 1);
    let at = if line.is(0, "sequence") { 1 } else { 0 };
    let parse = |at: usize| line.word(at).parse().ok().map(|number| (at, number));
    parse(at).or_else(|| parse(behind?))
}

/// Whether an item of a list is a remark.
fn is_remark(line: &Line<'_>) -> bool {
    let at = match line.is(0, "access-list") {
        true => 2,
        false => usize::from(line.is(0, "sequence")),
    };
    line.is(at, "remark") || line.word(at).parse::<u32>().is_ok() && line.is(at + 1, "remark")
}

/// Numbers for new items, and from which number on those that follow must be moved how far.
fn numbers(
    taken: &BTreeSet<u32>,
    at: Option<u32>,
    instead: bool,
    count: u32,
) -> (Vec<u32>, Option<(u32, u32)>) {
    let spread =
        |from: u32, to: u32, parts: u32| (0..count).map(|n| from + (to - from) * n / parts).collect();
    match at {
        None => {
            let last = taken.last().copied().unwrap_or(0);
            ((1..=count).map(|n| last.saturating_add(n * 10)).collect(), None)
        }
        Some(at) if instead => match taken.range(at + 1..).next() {
            Some(next) if next - at >= count => (spread(at, *next, count), None),
            next => {
                let moved = next.map(|next| (*next, count * 10));
                ((0..count).map(|n| at.saturating_add(n * 10)).collect(), moved)
            }
        },
        Some(at) => {
            let last = taken.range(..at).next_back().copied().unwrap_or(0);
            if at - last > count {
                let list: Vec<u32> = (1..=count).map(|n| last + (at - last) * n / (count + 1)).collect();
                return (list, None);
            }
            ((0..count).map(|n| at.saturating_add(n * 10)).collect(), Some((at, count * 10)))
        }
    }
}

impl<'a> Sheet<'a> {
    /// Reads the files once more, with the places of everything.
    pub fn of(desk: &'a Desk<'a>) -> Sheet<'a> {
        let mut rows: Vec<Row<'a>> = Vec::new();
        let Reader { config, .. } = read_each(desk.files, &mut Vec::new(), |line, below| {
            let head = if below { rows.last().map_or(0, |row| row.head) } else { rows.len() };
            rows.push(Row { line: line.clone(), head });
        });
        Sheet { desk, config, rows }
    }

    /// The row a span starts in.
    pub fn row(&self, span: &Span) -> Option<usize> {
        let same =
            |row: &Row<'_>| row.line.span.start == span.start && row.line.span.file.name == span.file.name;
        self.rows.iter().position(same)
    }

    /// Where a row stands.
    pub fn span(&self, row: usize) -> &Span {
        &self.rows[row].line.span
    }

    /// The last row of a section.
    pub fn last(&self, head: usize) -> usize {
        let rows = self.rows.iter().enumerate().skip(head);
        rows.take_while(|(_, row)| row.head == head).last().map_or(head, |(at, _)| at)
    }

    /// A row's own text with its line break.
    pub fn text(&self, row: usize) -> &str {
        let span = whole_lines(self.span(row));
        self.rows[row].line.span.file.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The rows that define a thing, or add to it.
    pub fn heads(&self, thing: Thing<'_>) -> Vec<usize> {
        self.heads_of(|own| own == thing)
    }

    /// The rows that define one of several things, or add to it.
    pub fn heads_of(&self, wanted: impl Fn(Thing<'_>) -> bool) -> Vec<usize> {
        let own = |(at, row): &(usize, &Row<'_>)| row.head == *at && defines(&row.line).is_some_and(&wanted);
        self.rows.iter().enumerate().filter(own).map(|(at, _)| at).collect()
    }

    /// Names of everything, to find new ones.
    pub fn names(&self) -> Names {
        let config = &self.config;
        let lists = config.lists.keys().map(|(_, name)| name);
        let all = lists
            .chain(config.networks.keys())
            .chain(config.services.keys())
            .chain(config.classes.keys())
            .chain(config.policies.keys())
            .chain(config.pairs.keys())
            .chain(config.route_maps.keys())
            .map(|name| name.to_ascii_uppercase());
        Names(all.chain(config.mentioned.iter().map(|name| name.to_ascii_uppercase())).collect())
    }

    /// Takes a thing away with the separator behind it.
    pub fn without(&self, thing: Thing<'_>) -> Vec<Edit> {
        self.heads(thing).into_iter().map(|head| self.cut(head, self.last(head))).collect()
    }

    /// Takes rows away, the comments between them too; with the separator behind them where one stands before.
    pub fn cut(&self, first: usize, last: usize) -> Edit {
        let (first, last) = (whole_lines(self.span(first)), whole_lines(self.span(last)));
        let text = &first.file.text;
        let before = text.get(..first.start as usize).unwrap_or("");
        let rest = text.get(last.end as usize..).unwrap_or("");
        let separator = |line: Option<&str>| line.is_none_or(|line| line.trim() == "!");
        let behind = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let both =
            separator(before.lines().next_back()) && rest.lines().next().is_some_and(|l| l.trim() == "!");
        let end = last.end as usize + if both { behind } else { 0 };
        Edit { span: Span::new(&first.file, first.start as usize, end), text: String::new() }
    }

    /// Takes one row away.
    pub fn drop_row(&self, row: usize) -> Edit {
        remove(self.span(row))
    }

    /// Text on lines of its own before a row.
    pub fn before(&self, row: usize, text: String) -> Edit {
        insert(before_line(self.span(row)), text)
    }

    /// Text on lines of its own behind a row.
    pub fn behind(&self, row: usize, text: String) -> Edit {
        insert(after_line(self.span(row)), text)
    }

    /// White space at the start of a row.
    pub fn indent(&self, row: usize) -> String {
        crate::edit::indent(self.span(row))
    }

    /// Sections of their own behind everything else, before the `end` of an export.
    pub fn append(&self, text: String) -> Option<Edit> {
        let last = self.rows.len().checked_sub(1)?;
        if self.rows[last].line.is(0, "end") && self.rows[last].line.words.len() == 1 {
            return Some(self.before(last, text));
        }
        Some(insert(end_of_file(self.span(last)), text))
    }

    /// Sections of their own behind the last ones of a kind, their separator included; else behind everything.
    pub fn beside(&self, kinds: &[&str], text: String) -> Option<Edit> {
        let of_kind = |row: &Row<'_>| kinds.iter().any(|kind| row.line.word(0).eq_ignore_ascii_case(kind));
        let own = |(at, row): &(usize, &Row<'_>)| row.head == *at && of_kind(row);
        let Some((head, _)) = self.rows.iter().enumerate().rfind(own) else { return self.append(text) };
        let end = after_line(self.span(self.last(head)));
        let rest = end.file.text.get(end.start as usize..).unwrap_or("");
        let line = rest.lines().next().filter(|line| line.trim() == "!").map_or(0, |line| line.len() + 1);
        let at = (end.start as usize + line).min(end.file.text.len());
        Some(insert(Span::new(&end.file, at, at), text))
    }

    /// The section of an interface.
    pub fn interface(&self, name: &str) -> Option<usize> {
        let own = |(at, row): &(usize, &Row<'_>)| {
            row.head == *at && row.line.is(0, "interface") && interface::name(&row.line, 1).0 == name
        };
        self.rows.iter().enumerate().find(own).map(|(at, _)| at)
    }

    /// Settings of an interface.
    pub fn on_interface(&self, name: &str, lines: &[String]) -> Option<Edit> {
        let Some(head) = self.interface(name) else {
            let text: String = lines.iter().map(|line| format!(" {line}\n")).collect();
            return self.append(format!("interface {name}\n{text}!\n"));
        };
        let indent = self.indent(head);
        let text: String = lines.iter().map(|line| format!("{indent} {line}\n")).collect();
        let words = ["ip", "ipv6", "zone-member"];
        let near = |at: &usize| words.iter().any(|k| self.rows[*at].line.word(0).eq_ignore_ascii_case(k));
        let row = (head + 1..=self.last(head)).rfind(near).unwrap_or(head);
        Some(self.behind(row, text))
    }

    /// The list and the row of an item.
    pub fn item(&self, span: &Span) -> Option<(Family, &str, usize)> {
        let row = self.row(span)?;
        let own = |item: &Item| match item {
            Item::Entry(entry) => entry.span.start == span.start,
            Item::Evaluate(named) => named.span.start == span.start,
        };
        let same = |file: &Span| file.file.name == span.file.name;
        let mut lists = self.config.lists.iter();
        let found = lists.find(|(_, l)| same(&l.span) && l.items.iter().any(|(_, item)| own(item)));
        found.map(|((family, name), _)| (*family, name.as_str(), row))
    }

    /// The rows of a list's items and remarks.
    pub fn items(&self, family: Family, name: &str) -> Vec<usize> {
        let mut out = Vec::new();
        for head in self.heads(Thing::List(family, name)) {
            match self.rows[head].line.is(0, "access-list") {
                true => out.push(head),
                false => out.extend(head + 1..=self.last(head)),
            }
        }
        let told = |line: &Line<'_>| !line.is(0, "no") && !line.is(0, "exit") && !line.is(0, "end");
        out.retain(|at| told(&self.rows[*at].line));
        out
    }

    /// The remarks right above an item; `idle`: only where they are about nothing else.
    pub fn remarks(&self, items: &[usize], row: usize, idle: bool) -> usize {
        let Some(at) = items.iter().position(|item| *item == row) else { return row };
        let next = items.get(at + 1).is_none_or(|next| is_remark(&self.rows[*next].line));
        if idle && !next {
            return row;
        }
        let above = items.get(..at).unwrap_or_default().iter().rev();
        let mut last = row;
        for item in above.take_while(|item| is_remark(&self.rows[**item].line)) {
            if *item + 1 != last {
                break;
            }
            last = *item;
        }
        last
    }

    /// Items for a list: before the item of a row, or in its place, or behind all others.
    pub fn put(
        &self,
        (family, name): (Family, &str),
        at: Option<usize>,
        instead: bool,
        list: &[String],
    ) -> Option<Vec<Edit>> {
        let rows = self.items(family, name);
        let Some(style) = at.or(rows.last().copied()) else {
            // A list that is opened and holds nothing.
            let head = *self.heads(Thing::List(family, name)).last()?;
            let indent = self.indent(head);
            let text = list.iter().map(|item| format!("{indent} {item}\n")).collect();
            return Some(vec![self.behind(head, text)]);
        };
        let line = &self.rows[style].line;
        let first = at.map(|at| self.remarks(&rows, at, instead));
        let numbered: Vec<(usize, usize, u32)> =
            rows.iter().filter_map(|row| number(&self.rows[*row].line).map(|(w, n)| (*row, w, n))).collect();
        let of = |row: usize| numbered.iter().find(|(own, ..)| *own == row).map(|(.., n)| *n);
        let in_order = rows.is_empty() || numbered.is_empty() || line.is(0, "access-list");
        let mut out = Vec::new();
        let lines: Vec<String> = if in_order {
            let prefix = match line.is(0, "access-list") {
                true => format!("access-list {name} "),
                false => self.indent(style),
            };
            list.iter().map(|item| format!("{prefix}{item}\n")).collect()
        } else {
            // Lists of the sixth version have no number for a remark.
            let list: Vec<&String> =
                list.iter().filter(|item| family == Family::V4 || !item.starts_with("remark ")).collect();
            let place = match (at, first) {
                (Some(at), _) if instead => Some(of(at)?),
                (Some(at), first) => Some(first.and_then(of).or(of(at))?),
                _ => None,
            };
            let taken = numbered.iter().map(|(.., n)| *n).collect();
            let count = u32::try_from(list.len()).ok()?;
            let (free, moved) = numbers(&taken, place, instead, count);
            for (row, word, old) in
                numbered.iter().filter(|(.., n)| moved.is_some_and(|(from, _)| *n >= from))
            {
                let text = old.saturating_add(moved.map_or(0, |(_, by)| by)).to_string();
                out.push(Edit { span: self.rows[*row].line.place(*word), text });
            }
            let word = if family == Family::V4 { "" } else { "sequence " };
            let indent = self.indent(style);
            list.iter().zip(free).map(|(item, n)| format!("{indent}{word}{n} {item}\n")).collect()
        };
        let text = lines.concat();
        out.push(match (at, first) {
            (Some(at), Some(first)) if instead => {
                let (from, to) = (whole_lines(self.span(first)), whole_lines(self.span(at)));
                Edit { span: Span::new(&from.file, from.start as usize, to.end as usize), text }
            }
            (_, Some(first)) => self.before(first, text),
            _ => self.behind(*rows.last()?, text),
        });
        Some(out)
    }

    /// What binds a list as a filter: interfaces with their directions.
    pub fn bindings(&self, family: Family, name: &str) -> Vec<(&str, Direction)> {
        let mut out = Vec::new();
        for (interface, own) in &self.config.interfaces {
            let lists = own.lists.iter().filter(|((f, _), list)| *f == family && list.name == name);
            out.extend(lists.map(|((_, direction), _)| (interface.as_str(), *direction)));
        }
        out
    }

    /// Whether a list limits who may open a terminal.
    pub fn on_terminals(&self, family: Family, name: &str) -> bool {
        let lists = |t: &super::config::Lines| t.lists.get(&family).is_some_and(|l| l.name == name);
        self.config.terminals.iter().any(lists)
    }

    /// The list whose unwritten deny a line stands for.
    pub fn binding(&self, span: &Span) -> Option<(Family, &str)> {
        let here = |named: &&Named| named.span.start == span.start && named.span.file.name == span.file.name;
        let on = self.config.interfaces.values().flat_map(|i| &i.lists);
        let on = on.map(|((family, _), named)| (*family, named));
        let at = self.config.terminals.iter().flat_map(|t| &t.lists).map(|(family, named)| (*family, named));
        on.chain(at).find(|(_, named)| here(named)).map(|(family, named)| (family, named.name.as_str()))
    }

    /// The classes that ask a list.
    pub fn asking(&self, name: &str) -> Vec<&str> {
        let asks = |what: &Asked| matches!(what, Asked::List(own) if own == name);
        let classes = self.config.classes.iter().filter(|(_, c)| c.lines.iter().any(|l| asks(&l.what)));
        classes.map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(at: Option<u32>, instead: bool, count: u32) -> (Vec<u32>, Option<(u32, u32)>) {
        numbers(&[10, 20, 21].into(), at, instead, count)
    }

    #[test]
    fn free_numbers_are_found_or_made() {
        assert_eq!(found(None, false, 2), (vec![31, 41], None));
        assert_eq!(found(Some(20), false, 1), (vec![15], None));
        assert_eq!(found(Some(10), false, 9), ((1..=9).collect(), None));
        assert_eq!(found(Some(21), false, 1), (vec![21], Some((21, 10))));
        assert_eq!(found(Some(10), true, 2), (vec![10, 15], None));
        assert_eq!(found(Some(20), true, 2), (vec![20, 30], Some((21, 20))));
        assert_eq!(found(Some(21), true, 2), (vec![21, 31], None));
    }
}
