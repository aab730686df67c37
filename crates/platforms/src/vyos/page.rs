//! A configuration's text while it is changed: what goes and what comes, as commands or in braces.

use super::commands::{Commands, starts};
use super::text::{self, Statement};
use super::tree::At;
use crate::edit::{after_line, indent, insert, on_new_line, whole_lines};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{SourceFile, Span};
use tillgate_ruleset::Edit;

/// Words that the next one belongs to where a block opens: `rule 10 {`.
#[rustfmt::skip]
const TAGS: &[&str] = &[
    "address-group", "domain-group", "from", "interface-group", "ipv6-address-group", "ipv6-name",
    "ipv6-network-group", "name", "network-group", "rule", "zone",
];

/// A file, and what all files say together.
pub struct Page<'t> {
    pub root: At<'t>,
    pub file: Arc<SourceFile>,
    /// Its commands, unless it is written in braces.
    commands: Option<Commands>,
    /// Whether it puts values in quotes that need none.
    quotes: bool,
}

/// Something to come: the words of its path. A value at the end stands in single quotes, names are bare.
#[derive(Clone)]
pub struct Line {
    words: Vec<String>,
    /// A word that it stands by as if it had another number.
    near: Option<(usize, u32)>,
}

impl Line {
    /// `rest` as a command says it, below a path: `destination port '443'`.
    pub fn of<S: AsRef<str>>(path: &[S], rest: &str) -> Self {
        let (bare, value) = rest.split_at(rest.find('\'').unwrap_or(rest.len()));
        let words = path.iter().map(|w| w.as_ref().to_string());
        let rest = bare.split_whitespace().map(str::to_string);
        let value = (!value.is_empty()).then(|| value.to_string());
        Line { words: words.chain(rest).chain(value).collect(), near: None }
    }

    /// Stands right behind where the word at a place of the path would stand if it were this number.
    pub fn near(self, place: usize, number: u32) -> Self {
        Line { near: Some((place, number)), ..self }
    }

    /// The words that say where it stands.
    fn place(&self) -> Vec<String> {
        let mut out: Vec<String> = self.words.iter().map(|w| bare(w).to_string()).collect();
        if let Some((at, number)) = self.near
            && let Some(word) = out.get_mut(at)
        {
            *word = format!("{number}{BEHIND}");
        }
        out
    }
}

fn bare(word: &str) -> &str {
    word.strip_prefix('\'').and_then(|w| w.strip_suffix('\'')).unwrap_or(word)
}

/// Marks a place between a number and the next one.
const BEHIND: &str = "+";

/// The order a device prints words in: numbers by size.
pub fn order(a: &str, b: &str) -> Ordering {
    let number = |word: &str| match word.strip_suffix(BEHIND) {
        Some(word) => word.parse::<u32>().ok().map(|n| (n, true)),
        None => word.parse().ok().map(|n| (n, false)),
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// What stands in a block: `rule 10 {…}`, `default-action drop`.
struct Item<'t> {
    words: Vec<&'t str>,
    span: Span,
}

/// Everything directly in a block, as far as it stands in a file.
fn items<'t>(block: At<'t>, file: &SourceFile) -> Vec<Item<'t>> {
    let mut out = Vec::new();
    for child in block.children() {
        let alone = child.inside().is_some() || child.children().next().is_none();
        if alone {
            out.push(Item { words: vec![child.name()], span: child.span() });
        } else {
            let inner = child.children();
            out.extend(inner.map(|at| Item { words: vec![child.name(), at.name()], span: at.span() }));
        }
    }
    out.retain(|item| item.span.file.name == file.name);
    out
}

/// Where something goes into a block: the place, and how deep in its path the block is.
struct Gap {
    at: Span,
    depth: usize,
    indent: String,
    /// The block stands on one line.
    narrow: bool,
}

/// A gap, and what goes into it.
type Filled<'l> = (Gap, Vec<&'l [String]>);

impl<'t> Page<'t> {
    /// A file of a configuration.
    pub fn of(root: At<'t>, file: &Arc<SourceFile>) -> Self {
        let commands = text::statements(file);
        let quotes = match &commands {
            // Values with blanks are quoted everywhere.
            Some(commands) => {
                let end = |s: &&Statement| file.text.get(..s.whole.1).is_some_and(|t| t.ends_with('\''));
                commands.iter().filter(end).count() * 2 >= commands.len()
            }
            None => file.text.contains("action \""),
        };
        Page { root, file: Arc::clone(file), commands: commands.map(Commands::of), quotes }
    }

    /// Whether it consists of commands.
    pub fn typed(&self) -> bool {
        self.commands.is_some()
    }

    /// Takes away what a path names, and what would be left empty by that.
    pub fn without(&self, path: &[&str]) -> Vec<Edit> {
        self.taken_out(path, true)
    }

    /// Takes away what a path names, where something else comes in its place.
    pub fn replaced(&self, path: &[&str]) -> Vec<Edit> {
        self.taken_out(path, false)
    }

    fn taken_out(&self, path: &[&str], around: bool) -> Vec<Edit> {
        let Some(commands) = &self.commands else {
            return self.without_block(path, around).into_iter().collect();
        };
        let mut out: Vec<Edit> = Vec::new();
        for statement in commands.list.iter().filter(|s| starts(s, path)) {
            let span = whole_lines(&Span::new(&self.file, statement.whole.0, statement.whole.1));
            match out.last_mut().filter(|edit| edit.span.end == span.start) {
                Some(edit) => edit.span.end = span.end,
                None => out.push(Edit { span, text: String::new() }),
            }
        }
        out
    }

    fn without_block(&self, path: &[&str], around: bool) -> Option<Edit> {
        let mut way = vec![self.root];
        for word in path {
            way.push(way.last()?.child(word)?);
        }
        let mut gone = way.pop()?;
        while let Some(parent) = way.pop().filter(|_| around) {
            let sets = |at: &At<'_>| matches!(at.name(), "name" | "ipv6-name");
            // Something may still need a set that says nothing.
            if parent.children().nth(1).is_some() || way.is_empty() || way.last().is_some_and(sets) {
                break;
            }
            gone = parent;
        }
        let span = gone.span();
        Some(Edit { span: lines_of(&span), text: String::new() })
    }

    /// Puts another word in the place of one.
    pub fn instead(&self, at: At<'_>, value: &str) -> Edit {
        let span = at.place();
        let quote = span.text().chars().next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.map_or(String::new(), String::from);
        Edit { span, text: format!("{quote}{value}{quote}") }
    }

    /// A setting with this value, whatever it was.
    pub fn set(&self, path: &[&str], value: &str, edits: &mut Vec<Edit>, lines: &mut Vec<Line>) {
        match self.root.path(path).and_then(|at| at.children().next()) {
            Some(old) if old.name() == value => {}
            Some(old) => edits.push(self.instead(old, value)),
            None => lines.push(Line::of(path, &format!("'{value}'"))),
        }
    }

    /// Gives a rule another number.
    pub fn renumbered(&self, list: &[&str], from: u32, to: u32) -> Vec<Edit> {
        let (from, to) = (from.to_string(), to.to_string());
        let path: Vec<&str> = list.iter().copied().chain(["rule", &from]).collect();
        let word =
            |start: usize, end: usize| Edit { span: Span::new(&self.file, start, end), text: to.clone() };
        match &self.commands {
            Some(commands) => {
                let named = commands.list.iter().filter(|s| starts(s, &path) && s.level < path.len());
                named.filter_map(|s| s.path.get(path.len() - 1)).map(|w| word(w.start, w.end)).collect()
            }
            None => {
                let place = self.root.path(&path).map(At::place);
                place.map(|span| word(span.start as usize, span.end as usize)).into_iter().collect()
            }
        }
    }

    /// Adds lines where a device would print them, as if what `gone` names were not there any more. What is said
    /// already is not said again.
    pub fn with(&self, lines: &[Line], gone: &[&str]) -> Vec<Edit> {
        match &self.commands {
            Some(commands) => self.with_commands(commands, lines, gone),
            None => self.with_blocks(lines, gone),
        }
    }

    fn with_commands(&self, commands: &Commands, lines: &[Line], gone: &[&str]) -> Vec<Edit> {
        let mut texts: BTreeMap<usize, String> = BTreeMap::new();
        let mut finder = commands.finder(gone);
        for line in lines {
            let Some((after, first)) = finder.neighbours(&line.place()) else { continue };
            let span = |s: &Statement| Span::new(&self.file, s.whole.0, s.whole.1);
            let (at, beside) = match (after, first) {
                (Some(s), _) => (after_line(&span(s)).start, Some(s)),
                (None, Some(s)) => (whole_lines(&span(s)).start, Some(s)),
                (None, None) => (self.file.text.len() as u32, None),
            };
            let level = beside.map_or(&[][..], |s| s.path.get(..s.level).unwrap_or(&[]));
            // At another level it cannot be said.
            if level.len() >= line.words.len() || level.iter().zip(&line.words).any(|(a, b)| a.text != *b) {
                return Vec::new();
            }
            let front = beside.map_or(String::new(), |s| indent(&span(s)));
            let words: Vec<String> =
                line.words.iter().skip(level.len()).map(|w| self.command_word(w)).collect();
            let out = texts.entry(at as usize).or_default();
            *out += &format!("{front}set {}\n", words.join(" "));
        }
        let add = |(at, new): (usize, String)| self.insert(Span::new(&self.file, at, at), new);
        texts.into_iter().map(add).collect()
    }

    /// New lines; the last line of a file may lack its end.
    fn insert(&self, at: Span, new: String) -> Edit {
        let last = at.end as usize == self.file.text.len();
        let new = if last { on_new_line(&at, new) } else { new };
        insert(at, new)
    }

    /// A value without quotes where the file does without.
    fn command_word(&self, word: &str) -> String {
        let simple = |c: char| c.is_ascii_alphanumeric() || "._:/,-+".contains(c);
        let value = bare(word);
        if self.quotes || value.is_empty() || !value.chars().all(simple) {
            return word.to_string();
        }
        value.to_string()
    }

    fn with_blocks(&self, lines: &[Line], gone: &[&str]) -> Vec<Edit> {
        let mut groups: BTreeMap<(u32, usize), Filled<'_>> = BTreeMap::new();
        for line in lines {
            let Some(gap) = self.gap(&line.place(), gone) else { continue };
            let rest = line.words.get(gap.depth..).unwrap_or(&[]);
            groups.entry((gap.at.start, gap.depth)).or_insert_with(|| (gap, Vec::new())).1.push(rest);
        }
        let unit = self.unit();
        let mut out: Vec<Edit> = Vec::new();
        // What lies deeper in the text's blocks ends first.
        for (gap, lines) in groups.into_values().rev() {
            let inner = if gap.depth == 0 { String::new() } else { format!("{}{unit}", gap.indent) };
            let mut text = String::new();
            self.blocks(&lines, &inner, unit, &mut text);
            if gap.narrow {
                text = format!("\n{text}{}", gap.indent);
            }
            match out.iter_mut().find(|edit| edit.span == gap.at) {
                Some(edit) => edit.text += &text,
                None => out.push(self.insert(gap.at, text)),
            }
        }
        out
    }

    /// The white space of one level.
    fn unit(&self) -> &'static str {
        let inner = self.file.text.lines().find(|line| line.starts_with([' ', '\t']));
        match inner {
            Some(line) if line.starts_with('\t') => "\t",
            Some(line) if line.starts_with("  ") && !line.starts_with("   ") => "  ",
            _ => "    ",
        }
    }

    /// Where what has this path goes; `None` where it is there already.
    fn gap(&self, place: &[String], gone: &[&str]) -> Option<Gap> {
        let (mut at, mut block, mut depth) = (self.root, self.root, 0);
        let mut whole = true;
        for (count, word) in place.iter().enumerate() {
            let missing = !gone.is_empty() && count + 1 == gone.len() && {
                let same = place.iter().zip(gone).all(|(a, b)| a == b);
                same && place.len() >= gone.len()
            };
            let Some(child) = at.child(word).filter(|_| !missing) else {
                whole = false;
                break;
            };
            at = child;
            if child.inside().is_some_and(|span| span.file.name == self.file.name) {
                (block, depth) = (child, count + 1);
            }
        }
        if whole {
            return None;
        }
        let wanted = place.get(depth..).unwrap_or(&[]);
        let before = |item: &Item<'_>| {
            let pairs = item.words.iter().zip(wanted);
            pairs.map(|(a, b)| order(a, b)).find(|o| o.is_ne()) != Some(Ordering::Greater)
        };
        let own = items(block, &self.file);
        let last = own.iter().filter(|item| before(item)).max_by_key(|item| item.span.end);
        let inside = block.inside();
        let narrow = inside.as_ref().is_some_and(|span| !span.text().contains('\n'));
        let indent = inside.as_ref().map_or(String::new(), indent);
        let at = match (last, inside) {
            (_, Some(span)) if narrow => Span::new(&self.file, span.end as usize, span.end as usize),
            (Some(item), _) => after_line(&item.span),
            (None, Some(span)) => {
                after_line(&Span::new(&self.file, span.start as usize, span.start as usize))
            }
            (None, None) => Span::new(&self.file, 0, 0),
        };
        Some(Gap { at, depth, indent, narrow })
    }

    /// Writes lines as blocks; those that belong together follow each other.
    fn blocks(&self, lines: &[&[String]], indent: &str, unit: &str, out: &mut String) {
        let mut rest = lines;
        while let Some(first) = rest.first() {
            let tag = first.first().is_some_and(|word| TAGS.contains(&word.as_str()));
            let value = first.get(1).is_some_and(|word| word.starts_with('\''));
            let head = if first.len() <= 2 && value || tag && !value { 2 } else { 1 };
            let words: Vec<String> = first.iter().take(head).map(|w| self.block_word(w)).collect();
            if first.len() <= head {
                *out += &format!("{indent}{}\n", words.join(" "));
                rest = rest.get(1..).unwrap_or(&[]);
                continue;
            }
            let same =
                rest.iter().take_while(|l| l.len() > head && l.get(..head) == first.get(..head)).count();
            let (own, others) = rest.split_at(same.max(1));
            let tails: Vec<&[String]> = own.iter().filter_map(|line| line.get(head..)).collect();
            *out += &format!("{indent}{} {{\n", words.join(" "));
            self.blocks(&tails, &format!("{indent}{unit}"), unit, out);
            *out += &format!("{indent}}}\n");
            rest = others;
        }
    }

    fn block_word(&self, word: &str) -> String {
        let value = bare(word);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:/,!-+".contains(c);
        let open = value.is_empty() || !value.chars().all(plain) || value.starts_with('/');
        if (self.quotes && value.len() != word.len()) || open {
            return format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        }
        value.to_string()
    }
}

/// A span with its whole lines where nothing else stands on them but marks of changes.
fn lines_of(span: &Span) -> Span {
    let lines = whole_lines(span);
    let text = &span.file.text;
    let before = text.get(lines.start as usize..span.start as usize).unwrap_or("");
    let behind = text.get(span.end as usize..lines.end as usize).unwrap_or("");
    let alone = before.trim_start_matches(['+', '>']).trim().is_empty() && behind.trim().is_empty();
    if alone { lines } else { span.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text after lines came, or after a path went.
    fn changed(text: &str, lines: &[Line], gone: &[&str]) -> String {
        let file = SourceFile::new("test", text);
        let files = [Arc::clone(&file)];
        let tree = text::read(&files, &mut Vec::new());
        let page = Page::of(tree.root(), &file);
        let mut edits = page.with(lines, &[]);
        if !gone.is_empty() {
            edits.extend(page.without(gone));
        }
        edits.sort_by_key(|edit| edit.span.start);
        let mut out = text.to_string();
        for edit in edits.iter().rev() {
            out.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
        }
        out
    }

    const LIST: &[&str] = &["firewall", "name", "A", "rule", "9"];

    #[test]
    fn commands_stand_where_a_device_prints_them() {
        let text = "set firewall name A rule 10 action drop\nset firewall name A rule 2 action drop\nset system host-name x";
        let new = [Line::of(LIST, "action 'accept'"), Line::of(LIST, "description 'a b'")];
        assert_eq!(
            changed(text, &new, &["firewall", "name", "A", "rule", "10"]),
            "set firewall name A rule 2 action drop\nset firewall name A rule 9 action accept\nset firewall name A rule 9 description 'a b'\nset system host-name x"
        );
        let level = "edit firewall name A\nset rule 2 action 'drop'\ntop\n";
        assert!(
            changed(level, &new, &[])
                .starts_with("edit firewall name A\nset rule 2 action 'drop'\nset rule 9 action 'accept'\n")
        );
        let other = [Line::of(&["nat"], "source")];
        assert_eq!(changed(level, &other, &[]), level, "another level cannot say it");
    }

    #[test]
    fn blocks_stand_where_a_device_prints_them() {
        let text = "firewall {\n  name A {\n    default-action drop\n    rule 2 {\n      action drop\n    }\n    rule 10 {\n      action drop\n    }\n  }\n}\n";
        let new = [Line::of(LIST, "action 'accept'"), Line::of(LIST, "state established 'enable'")];
        assert_eq!(
            changed(text, &new, &["firewall", "name", "A", "rule", "10"]),
            "firewall {\n  name A {\n    default-action drop\n    rule 2 {\n      action drop\n    }\n    rule 9 {\n      action accept\n      state {\n        established enable\n      }\n    }\n  }\n}\n"
        );
        // A block that would be left empty goes too.
        let text = "service {\n    telnet {\n        port 23\n    }\n}\nsystem {\n}\n";
        assert_eq!(changed(text, &[], &["service", "telnet"]), "system {\n}\n");
    }
}
