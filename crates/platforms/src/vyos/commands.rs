//! The commands of a file, and beside which of them a new one goes.

use super::page::order;
use super::text::Statement;
use std::cmp::Ordering;
use std::ops::Range;

/// The commands of a file.
pub struct Commands {
    /// In the order of the file.
    pub list: Vec<Statement>,
    /// The same by their paths: what begins alike lies side by side.
    sorted: Vec<usize>,
}

/// The last command that stands before a new one, and the first of those that share most of its path.
type Neighbours<'c> = (Option<&'c Statement>, Option<&'c Statement>);

/// Looks for the places of new commands, as if some others were not there.
pub struct Finder<'c> {
    commands: &'c Commands,
    gone: Range<usize>,
    /// What was found last, for every path that begins with these words.
    last: Option<(Vec<String>, Neighbours<'c>)>,
}

/// Whether a command begins with these words.
pub fn starts(statement: &Statement, path: &[&str]) -> bool {
    statement.path.len() >= path.len() && statement.path.iter().zip(path).all(|(a, b)| a.text == **b)
}

fn words(statement: &Statement) -> impl Iterator<Item = &str> {
    statement.path.iter().map(|word| word.text.as_str())
}

impl Commands {
    /// The commands in the order of their file.
    pub fn of(list: Vec<Statement>) -> Self {
        let mut sorted: Vec<usize> = (0..list.len()).collect();
        sorted.sort_by(|a, b| words(&list[*a]).cmp(words(&list[*b])));
        Commands { list, sorted }
    }

    /// Where new commands go; those that begin with `gone` are not there any more.
    pub fn finder<'c>(&'c self, gone: &[&str]) -> Finder<'c> {
        let gone = if gone.is_empty() { 0..0 } else { self.below(gone) };
        Finder { commands: self, gone, last: None }
    }

    fn at(&self, place: usize) -> Option<&Statement> {
        self.list.get(*self.sorted.get(place)?)
    }

    /// Those that begin with a path.
    fn below(&self, path: &[&str]) -> Range<usize> {
        let head = |at: &usize| words(&self.list[*at]).take(path.len()).cmp(path.iter().copied());
        let start = self.sorted.partition_point(|at| head(at) == Ordering::Less);
        start..self.sorted.partition_point(|at| head(at) != Ordering::Greater)
    }
}

impl<'c> Finder<'c> {
    /// The neighbours of a new command; `None` where it is said already.
    pub fn neighbours(&mut self, place: &[String]) -> Option<Neighbours<'c>> {
        let commands = self.commands;
        let path: Vec<&str> = place.iter().map(String::as_str).collect();
        // What shares most with it lies right before or behind it.
        let less = |at: &usize| words(&commands.list[*at]).cmp(path.iter().copied()) == Ordering::Less;
        let behind = commands.sorted.partition_point(less);
        let inside = |at: usize| self.gone.contains(&at);
        let left = behind.checked_sub(1);
        let left = left.and_then(|at| if inside(at) { self.gone.start.checked_sub(1) } else { Some(at) });
        let right = if inside(behind) { self.gone.end } else { behind };
        let beside = [left, Some(right)].into_iter().flatten().filter_map(|at| commands.at(at));
        let alike = |s: &Statement| words(s).zip(&path).take_while(|(a, b)| a == *b).count();
        let shared = beside.map(alike).max().unwrap_or(0);
        let (Some(wanted), Some(key)) = (path.get(shared), place.get(..=shared)) else { return None };
        if let Some((_, found)) = self.last.as_ref().filter(|(known, _)| known == key) {
            return Some(*found);
        }
        let (mut first, mut after): (Option<usize>, Option<usize>) = (None, None);
        for at in commands.below(path.get(..shared).unwrap_or(&[])).filter(|at| !inside(*at)) {
            let Some(&number) = commands.sorted.get(at) else { continue };
            first = Some(first.map_or(number, |first| first.min(number)));
            let next = words(&commands.list[number]).nth(shared).unwrap_or("");
            if order(next, wanted) != Ordering::Greater {
                after = after.max(Some(number));
            }
        }
        let statement = |at: Option<usize>| at.and_then(|at| commands.list.get(at));
        let found = (statement(after), statement(first));
        self.last = Some((key.to_vec(), found));
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::statements;
    use super::*;
    use tillgate_model::SourceFile;

    /// The same by looking at every command.
    fn one_by_one<'c>(list: &'c [Statement], place: &[String], gone: &[&str]) -> Option<Neighbours<'c>> {
        let kept = || list.iter().filter(|s| gone.is_empty() || !starts(s, gone));
        let alike = |s: &Statement| words(s).zip(place).take_while(|(a, b)| a == b).count();
        let shared = kept().map(alike).max().unwrap_or(0);
        let wanted = place.get(shared)?;
        let near: Vec<&Statement> = kept().filter(|s| alike(s) == shared).collect();
        let before = |s: &&&Statement| {
            let next = words(s).nth(shared).unwrap_or("");
            order(next, wanted) != Ordering::Greater
        };
        Some((near.iter().rfind(before).copied(), near.first().copied()))
    }

    #[test]
    fn neighbours_are_those_that_a_look_at_every_command_finds() {
        let mut seed = 7u32;
        let mut next = |most: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % most
        };
        let path = |next: &mut dyn FnMut(u32) -> u32| -> Vec<String> {
            let all = ["a", "b", "2", "10", "9+", "c"];
            (0..=next(4)).map(|_| all[next(6) as usize].to_string()).collect()
        };
        for _ in 0..2000 {
            let lines: Vec<String> =
                (0..next(9)).map(|_| format!("set {}", path(&mut next).join(" "))).collect();
            let file = SourceFile::new("test", format!("set x\n{}", lines.join("\n")).as_str());
            let commands = Commands::of(statements(&file).unwrap_or_default());
            let gone = if next(2) == 0 { Vec::new() } else { path(&mut next) };
            let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
            let mut finder = commands.finder(&gone);
            for _ in 0..4 {
                let place = path(&mut next);
                let whole = |found: Option<Neighbours<'_>>| {
                    found.map(|(after, first)| (after.map(|s| s.whole), first.map(|s| s.whole)))
                };
                let expected = whole(one_by_one(&commands.list, &place, &gone));
                assert_eq!(whole(finder.neighbours(&place)), expected, "{} {place:?} {gone:?}", file.text);
            }
        }
    }
}
