//! A configuration on the desk: its lines and blocks, lists with their places, names that are taken, where more is put.

use super::address::Resolver;
use super::config::{Config, Kind, ListKind, Named, Point, Value};
use super::lines::{Line, each};
use super::read;
use super::through::effective;
use super::write::{Groups, masked};
use crate::edit::{after_line, before_line, end_of_file, remove, whole_lines};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_model::{Family, Ranges, SourceFile, Span};
use tillgate_ruleset::Edit;

/// Words of blocks that were typed without a blank before them.
const MEMBERS: [&str; 10] = [
    "description",
    "fqdn",
    "group-object",
    "host",
    "icmp-object",
    "network-object",
    "port-object",
    "protocol-object",
    "service-object",
    "subnet",
];

/// A configuration on the desk.
pub struct Sheet<'a> {
    pub config: Config<'a>,
    pub rows: Vec<Line<'a>>,
}

/// Objects and groups that entries name: those that are there, and new ones.
pub struct Objects {
    pub groups: Groups,
    /// What is there, as entries name it.
    known: BTreeMap<(usize, Vec<(u128, u128)>), String>,
    looked_up: BTreeMap<(String, usize), String>,
}

/// Whether two spans start at one place.
pub fn same(a: &Span, b: &Span) -> bool {
    a.start == b.start && a.file.name == b.file.name
}

/// Whether a line of a list is a remark.
fn is_remark(span: &Span) -> bool {
    let line = Line::again(span);
    let at = if line.is(2, "line") { 4 } else { 2 };
    line.is(at, "remark") || line.is(0, "ipv6") && line.is(3, "remark")
}

impl<'a> Sheet<'a> {
    /// Reads the files once more, with the places of everything.
    pub fn of(files: &'a [Arc<SourceFile>]) -> Sheet<'a> {
        let mut rows = Vec::new();
        for file in files {
            each(file, |line| rows.push(line));
        }
        Sheet { config: read::read(files), rows }
    }

    /// The row at a place.
    pub fn row(&self, span: &Span) -> Option<usize> {
        self.rows.iter().position(|row| same(&row.span, span))
    }

    /// The last row of a block.
    pub fn last(&self, head: usize) -> usize {
        let within = |row: &Line<'_>| row.indent > 0 || MEMBERS.iter().any(|word| row.is(0, word));
        head + self.rows.iter().skip(head + 1).take_while(|row| within(row)).count()
    }

    /// The row that opens the block of another one.
    pub fn head(&self, row: usize) -> usize {
        (0..row).rfind(|at| self.rows[*at].indent == 0 && self.last(*at) >= row).unwrap_or(row)
    }

    /// Takes a block away.
    pub fn cut(&self, head: usize) -> Edit {
        let (first, last) =
            (whole_lines(&self.rows[head].span), whole_lines(&self.rows[self.last(head)].span));
        Edit { span: Span::new(&first.file, first.start as usize, last.end as usize), text: String::new() }
    }

    /// The rows that open blocks of an object or group.
    pub fn blocks(&self, name: &str) -> Vec<usize> {
        let own = |row: &Line<'_>| {
            (row.is(0, "object") || row.is(0, "object-group")) && row.word(2) == name && row.indent == 0
        };
        self.rows.iter().enumerate().filter(|(_, row)| own(row)).map(|(at, _)| at).collect()
    }

    /// How often a word stands somewhere, but where it is defined, or taken back by a script.
    pub fn mentions(&self, name: &str) -> usize {
        let uses = self.rows.iter().filter(|row| {
            let own = row.is(0, "object") || row.is(0, "object-group") || row.is(0, "no");
            !(own && row.indent == 0) && row.words.iter().skip(1).any(|(_, word)| *word == name)
        });
        uses.count()
    }

    /// The list an entry stands in, and its place among the lines there.
    pub fn entry(&self, span: &Span) -> Option<(&'a str, usize)> {
        let place = |lines: &[Span]| lines.iter().position(|line| same(line, span) && !is_remark(line));
        self.config.lists.iter().find_map(|(name, list)| Some((*name, place(&list.lines)?)))
    }

    /// Where a list is applied.
    pub fn points(&self, list: &str) -> Vec<Point> {
        self.config.applied.iter().filter(|a| a.list == list).map(|a| a.point).collect()
    }

    /// The list in force that an interface has for a family.
    pub fn list(&self, interface: &str, point: Point, family: Family) -> Option<&'a str> {
        let applied =
            effective(&self.config).into_iter().filter(|(name, a)| *name == interface && a.point == point);
        let mut names = applied.map(|(_, a)| a.list).filter(|list| self.sees(list, family));
        let name = names.next()?;
        self.config.lists.get_key_value(name).map(|(name, _)| *name)
    }

    /// The list for all interfaces.
    pub fn global(&self, family: Family) -> Option<&'a str> {
        let mut applied = self.config.applied.iter().rev().filter(|a| a.point == Point::Global);
        let name = applied.find(|a| self.sees(a.list, family))?.list;
        self.config.lists.get_key_value(name).map(|(name, _)| *name)
    }

    fn sees(&self, list: &str, family: Family) -> bool {
        let six = self.config.lists.get(list).is_some_and(|l| l.kind == ListKind::Six);
        match family {
            Family::V4 => !six,
            Family::V6 => six || !self.config.old(),
        }
    }

    /// The remarks above an entry that are about nothing else, and the entry.
    pub fn with_remarks(&self, list: &str, at: usize) -> Vec<Span> {
        let Some(lines) = self.config.lists.get(list).map(|l| &l.lines) else { return Vec::new() };
        let alone = lines.get(at + 1).is_none_or(is_remark);
        let above = lines.iter().take(at).rev().take_while(|line| alone && is_remark(line)).count();
        lines.iter().skip(at - above.min(at)).take(above + 1).cloned().collect()
    }

    /// Where new lines stand that come before an entry: above its remarks.
    pub fn before(&self, list: &str, at: usize) -> Option<Span> {
        let lines = &self.config.lists.get(list)?.lines;
        let above = lines.iter().take(at).rev().take_while(|line| is_remark(line)).count();
        Some(before_line(lines.get(at.checked_sub(above)?)?))
    }

    /// Whether a list has no other entries than one.
    pub fn only(&self, list: &str, at: usize) -> bool {
        let lines = self.config.lists.get(list).map(|l| l.lines.as_slice()).unwrap_or_default();
        lines.iter().enumerate().all(|(other, line)| other == at || is_remark(line))
    }

    /// Whether an entry is the denial of everything that ends its list; what it denies would be denied without it,
    /// or pass.
    pub fn ends(&self, list: &str, at: usize) -> bool {
        let lines = self.config.lists.get(list).map(|l| l.lines.as_slice()).unwrap_or_default();
        let everything = |span: &Span| {
            let line = Line::again(span);
            let at = (0..line.words.len()).find(|at| line.is(*at, "deny")).unwrap_or(0);
            let any = |at: usize| ["any", "any4", "any6"].iter().any(|word| line.is(at, word));
            let off = line.words.last().is_some_and(|(_, word)| word.eq_ignore_ascii_case("inactive"));
            at > 0 && line.is(at + 1, "ip") && any(at + 2) && any(at + 3) && !off && !is_remark(span)
        };
        let alone = !lines.iter().take(at).any(everything);
        alone && lines.get(at).is_some_and(everything) && lines.iter().skip(at + 1).all(is_remark)
    }

    /// What of a permission's lines a list does not say yet before an entry.
    pub fn missing(&self, list: &str, until: Option<usize>, bodies: &str) -> String {
        let lines = self.config.lists.get(list).map(|l| l.lines.as_slice()).unwrap_or_default();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let known: BTreeSet<String> =
            lines.iter().take(until.unwrap_or(lines.len())).map(|line| words(line.text())).collect();
        let mut out = String::new();
        let mut remark = "";
        for body in bodies.lines() {
            if body.starts_with("remark ") {
                remark = body;
            } else if !known.contains(&words(&self.lines(list, body))) {
                out.push_str(&format!("{remark}\n{body}\n"));
            }
        }
        out
    }

    /// The lines of a list as they are written behind its name.
    pub fn lines(&self, list: &str, bodies: &str) -> String {
        let six = self.config.lists.get(list).is_some_and(|l| l.kind == ListKind::Six);
        bodies.lines().map(|body| self.list_line(list, body, six)).collect()
    }

    fn list_line(&self, list: &str, body: &str, six: bool) -> String {
        let body = if self.config.old() {
            body.replace(" any4", " any").replace(" any6", " any")
        } else {
            body.into()
        };
        match six {
            true => format!("ipv6 access-list {list} {}\n", body.strip_prefix("extended ").unwrap_or(&body)),
            false => format!("access-list {list} {body}\n"),
        }
    }

    /// Behind the last block or line that starts with one of these words, in this order of preference.
    pub fn behind(&self, kinds: &[&str]) -> Option<Span> {
        let starts = |row: &Line<'_>, kind: &str| {
            row.indent == 0 && kind.split(' ').enumerate().all(|(at, word)| row.is(at, word))
        };
        for kind in kinds {
            if let Some(row) = self.rows.iter().rposition(|row| starts(row, kind)) {
                return Some(after_line(&self.rows[self.last(row)].span));
            }
        }
        self.rows.last().map(|row| end_of_file(&row.span))
    }

    /// Where new objects stand: behind those that come before a place, or before the first list.
    pub fn objects_before(&self, place: &Span) -> Span {
        let before = self
            .rows
            .iter()
            .take_while(|row| row.span.file.name != place.file.name || row.span.start < place.start);
        let count = before.count();
        let object = |row: &Line<'_>| row.indent == 0 && (row.is(0, "object") || row.is(0, "object-group"));
        if let Some(head) = self.rows.iter().take(count).rposition(object) {
            return after_line(&self.rows[self.last(head)].span);
        }
        let list =
            |row: &&Line<'_>| row.is(0, "access-list") || row.is(0, "ipv6") && row.is(1, "access-list");
        self.rows.iter().take(count).find(list).map_or_else(|| place.clone(), |row| before_line(&row.span))
    }

    /// Takes lines away, and puts text where the first of them stood.
    pub fn replace(&self, lines: &[Span], text: String) -> Vec<Edit> {
        let mut out: Vec<Edit> = lines.iter().map(remove).collect();
        if let Some(first) = out.first_mut() {
            first.text = text;
        }
        out
    }

    /// Names of lists, objects and groups, and whatever else is named.
    pub fn taken(&self) -> BTreeSet<String> {
        let config = &self.config;
        let lists = config.lists.keys().chain(config.networks.keys()).chain(config.services.keys());
        // A script may take names back before it defines them.
        let back = self.rows.iter().filter(|row| row.is(0, "no") || row.is(0, "clear"));
        let back = back.flat_map(|row| row.words.iter().map(|(_, word)| word));
        let names = lists.chain(config.groups.keys()).chain(config.mentioned.iter()).chain(back);
        names.map(|name| name.to_string()).collect()
    }

    /// Objects and groups, by what they stand for.
    pub fn objects(&self) -> Objects {
        let mut out = Objects {
            groups: Groups::beside(self.taken()),
            known: BTreeMap::new(),
            looked_up: BTreeMap::new(),
        };
        let mut found = Resolver::new(&self.config);
        let objects = self.config.networks.iter().map(|(name, object)| (*name, &object.span, false));
        let groups = self.config.groups.iter().filter(|(_, g)| g.kind == Kind::Network);
        let groups = groups.map(|(name, group)| (*name, &group.span, true));
        for (name, span, group) in objects.chain(groups) {
            if let Some(Value::Name(text, of)) =
                self.config.networks.get(name).filter(|_| !group).map(|n| &n.value)
            {
                for family in Family::BOTH.into_iter().filter(|f| of.is_none_or(|only| only == *f)) {
                    out.looked_up.entry((text.clone(), family as usize)).or_insert_with(|| name.to_string());
                }
                continue;
            }
            let own = found.addresses(&Named { name, span: span.clone() }, group);
            let open = own.maybe.iter().any(|r| !r.is_empty()) || own.names.iter().any(|n| !n.is_empty());
            for family in Family::BOTH {
                let (this, other) = (&own.certain[family as usize], &own.certain[1 - family as usize]);
                if !open && !this.is_empty() && other.is_empty() {
                    let word = if group { "object-group" } else { "object" };
                    let key = (family as usize, this.as_slice().to_vec());
                    out.known.entry(key).or_insert_with(|| format!("{word} {name}"));
                }
            }
        }
        out
    }
}

impl Objects {
    /// Addresses of an entry: as they are, by what is there for just these, or by something new.
    pub fn addresses(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        let known = self.known.get(&(family as usize, ranges.as_slice().to_vec()));
        match known.filter(|_| masked(family, ranges).len() > 1) {
            Some(known) => known.clone(),
            None => self.groups.addresses(family, ranges, wish),
        }
    }

    /// Names that the device looks up.
    pub fn names(&mut self, family: Family, names: &[String], wish: &str) -> String {
        if let [one] = names
            && let Some(known) = self.looked_up.get(&(one.to_ascii_lowercase(), family as usize))
        {
            return format!("object {known}");
        }
        self.groups.names(family, names, wish)
    }

    /// An object or group for a translation.
    pub fn translated(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        let known = self.known.get(&(family as usize, ranges.as_slice().to_vec()));
        match known.and_then(|known| known.split_once(' ')) {
            Some((_, name)) => name.to_string(),
            None => self.groups.translated(family, ranges, wish),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_remarks_and_what_is_said_already() {
        let text = "access-list A remark web\naccess-list A extended permit tcp any any eq www\naccess-list A remark end\naccess-list A extended deny ip any any log\naccess-list B permit udp any any\naccess-list B deny ip any any inactive\n";
        let files = [SourceFile::new("t", text)];
        let sheet = Sheet::of(&files);
        assert!(sheet.ends("A", 3) && !sheet.ends("A", 1) && !sheet.ends("B", 1));
        let shown: Vec<String> = sheet.with_remarks("A", 1).iter().map(Span::one_line).collect();
        assert_eq!(shown, ["access-list A remark web", "access-list A extended permit tcp any any eq www"]);
        let wanted = "remark web\nextended permit tcp any any eq www\nremark time\nextended permit udp any any eq 123\n";
        assert_eq!(sheet.missing("A", Some(3), wanted), "remark time\nextended permit udp any any eq 123\n");
        assert_eq!(sheet.row(&sheet.rows[4].span), Some(4));
    }
}
