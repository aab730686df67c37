//! Which rules of a chain together take every packet of a box: by a witness packet where there is one, by a diagram
//! where not.

use crate::bind::Bound;
use rustc_hash::FxHashMap;
use tillgate_model::Ranges;
use tillgate_packetset::{Cube, Diagram, Field, Node, Point};

/// Work spent on rules that no packet was found for at once, in looks at other rules: some seconds. What a file of a
/// million tangled rules needs beyond it is said to be left open.
pub(super) const MOST_WORK: usize = 1 << 30;

/// Whether a rule is shadowed.
#[derive(PartialEq)]
pub(super) enum Answer {
    /// A packet gets through to it.
    Reached,
    /// By these rules together.
    Covered(Vec<usize>),
    /// Not known within the work allowed.
    Open,
}

/// The earlier rules that together take every packet of a rule, as few as possible.
pub(super) fn covered(rule: &Bound, earlier: &Earlier<'_>, random: &mut Random, work: &mut usize) -> Answer {
    let mut covers = Vec::new();
    'cubes: for cube in &rule.cubes {
        // Most rules have room to spare: a few points anywhere inside find it.
        let mut inside = Inside::of(cube);
        for _ in 0..12 {
            let Some((taken, index)) = earlier.first(inside.any(random)) else { return Answer::Reached };
            // One that holds it all is the simplest answer.
            if cube.is_subset(taken) {
                covers.push(index);
                continue 'cubes;
            }
        }
        if !spend(work, earlier.all.len()) {
            return Answer::Open;
        }
        let hull = Hull::of(cube);
        let near: Vec<(&Cube, usize)> =
            earlier.all.iter().filter(|(h, _, _)| h.meets(&hull)).map(|(_, c, index)| (*c, *index)).collect();
        if let Some((_, index)) = near.iter().find(|(c, _)| cube.is_subset(c)) {
            covers.push(*index);
            continue;
        }
        let clipped: Vec<(Cube, usize)> =
            near.iter().filter_map(|(c, index)| c.clip(cube).map(|c| (c, *index))).collect();
        if clipped.is_empty() || at_an_edge(&mut inside, &clipped, random) {
            return Answer::Reached;
        }
        match is_cover(&clipped, cube, work) {
            None => return Answer::Open,
            Some(false) => return Answer::Reached,
            Some(true) => covers.extend(smallest(clipped, cube, work)),
        }
    }
    covers.sort_unstable();
    covers.dedup();
    if covers.is_empty() { Answer::Reached } else { Answer::Covered(covers) }
}

pub(super) fn spend(work: &mut usize, cost: usize) -> bool {
    let enough = *work >= cost;
    *work = work.saturating_sub(cost);
    enough
}

/// A cover from which nothing can be left out, as far as the work allowed goes: the narrowest are dropped first, in
/// runs that become shorter until each was tried alone.
pub(super) fn smallest(mut needed: Vec<(Cube, usize)>, cube: &Cube, work: &mut usize) -> Vec<usize> {
    needed.sort_by_key(|(c, index)| (std::cmp::Reverse(c.constraints().len()), *index));
    let mut run = needed.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < needed.len() && needed.len() > 1 {
            let end = (at + run).min(needed.len());
            let rest: Vec<(Cube, usize)> = needed[..at].iter().chain(&needed[end..]).cloned().collect();
            if is_cover(&rest, cube, work) == Some(true) {
                needed = rest;
            } else {
                at = end;
            }
        }
        run /= 2;
    }
    needed.into_iter().map(|(_, index)| index).collect()
}

/// First and last value of the fields that tell rules apart best: most pairs need no closer look.
#[derive(Clone, Copy)]
pub(super) struct Hull([(u128, u128); 4]);

impl Hull {
    const FIELDS: [Field; 4] = [Field::Destination, Field::Source, Field::DestinationPort, Field::Protocol];

    pub fn of(cube: &Cube) -> Self {
        Hull(Self::FIELDS.map(|field| match cube.ranges(field).map(Ranges::as_slice) {
            Some([(lo, hi)]) => (*lo, *hi),
            Some([(lo, _), .., (_, hi)]) => (*lo, *hi),
            _ => (0, field.maximum()),
        }))
    }

    pub fn meets(&self, other: &Hull) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
    }
}

/// The rules before the one in question, found again by a packet they take.
#[derive(Default)]
pub(super) struct Earlier<'a> {
    /// In the order they were added.
    pub all: Vec<(Hull, &'a Cube, usize)>,
    by_destination: Prefixes,
    by_source: Prefixes,
}

impl<'a> Earlier<'a> {
    pub fn add(&mut self, cube: &'a Cube, index: usize) {
        let hull = Hull::of(cube);
        let at = self.all.len() as u32;
        let length = |(lo, hi): (u128, u128)| (lo ^ hi).leading_zeros();
        let (destination, source) = (hull.0[0], hull.0[1]);
        // Under the address that says more; what says nothing stands under the prefix of length 0.
        if length(source) > length(destination) {
            self.by_source.add(length(source), source.0, at);
        } else {
            self.by_destination.add(length(destination), destination.0, at);
        }
        self.all.push((hull, cube, index));
    }

    /// The last rule added that takes a point.
    pub fn latest(&self, point: &Point) -> Option<(&'a Cube, usize)> {
        let destination = self.by_destination.around(point[Field::Destination as usize]);
        let source = self.by_source.around(point[Field::Source as usize]);
        let takes = |at: &&u32| self.all[**at as usize].1.contains(point);
        let last = destination.chain(source).filter_map(|list| list.iter().rev().find(takes)).max()?;
        let (_, cube, index) = &self.all[*last as usize];
        Some((cube, *index))
    }

    /// The first rule that takes a point.
    pub fn first(&self, point: &Point) -> Option<(&'a Cube, usize)> {
        let destination = self.by_destination.around(point[Field::Destination as usize]);
        let source = self.by_source.around(point[Field::Source as usize]);
        let takes = |at: &&u32| self.all[**at as usize].1.contains(point);
        // Numbers under one prefix are in order, so that the first that takes it is enough.
        let first = destination.chain(source).filter_map(|list| list.iter().find(takes)).min()?;
        let (_, cube, index) = &self.all[*first as usize];
        Some((cube, *index))
    }
}

/// Numbers under prefixes of any length.
#[derive(Default)]
struct Prefixes {
    /// The lengths that occur, sorted.
    lengths: Vec<u32>,
    lists: FxHashMap<(u32, u128), Vec<u32>>,
}

impl Prefixes {
    fn key(length: u32, address: u128) -> (u32, u128) {
        (length, address.checked_shr(128 - length).unwrap_or(0))
    }

    fn add(&mut self, length: u32, address: u128, number: u32) {
        if let Err(at) = self.lengths.binary_search(&length) {
            self.lengths.insert(at, length);
        }
        self.lists.entry(Self::key(length, address)).or_default().push(number);
    }

    fn around(&self, address: u128) -> impl Iterator<Item = &Vec<u32>> {
        self.lengths.iter().filter_map(move |length| self.lists.get(&Self::key(*length, address)))
    }
}

/// Any spread will do, and the same every time: xorshift64.
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u128 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u128
    }
}

/// Points inside a cube.
pub(super) struct Inside {
    owns: [Ranges; Field::ALL.len()],
    point: Point,
}

impl Inside {
    pub fn of(cube: &Cube) -> Self {
        let owns = Field::ALL.map(|f| cube.ranges(f).cloned().unwrap_or_else(|| Ranges::full(f.maximum())));
        Inside { owns, point: [0; Field::ALL.len()] }
    }

    pub fn any(&mut self, random: &mut Random) -> &Point {
        for (at, own) in self.owns.iter().enumerate() {
            let list = own.as_slice();
            let (lo, hi) = list[random.next() as usize % list.len()];
            let mut wide = || random.next() << 64 | random.next();
            self.point[at] = match hi - lo {
                0 => lo,
                u128::MAX => wide(),
                span => lo + wide() % (span + 1),
            };
        }
        &self.point
    }
}

/// Tries packets that are likely to slip between the earlier rules: corners of the rule's box, and values just
/// beside the edges of what overlaps it.
pub(super) fn at_an_edge(inside: &mut Inside, clipped: &[(Cube, usize)], random: &mut Random) -> bool {
    let Inside { owns, point } = inside;
    let mut choices: Vec<(Field, Vec<u128>)> = Vec::new();
    for field in Field::ALL {
        let own = &owns[field as usize];
        let mut values = Vec::new();
        for &(lo, hi) in own.as_slice().iter().take(4) {
            values.extend([lo, hi]);
        }
        for (other, _) in clipped.iter().take(256) {
            for &(lo, hi) in other.ranges(field).map_or(&[][..], Ranges::as_slice).iter().take(4) {
                values.extend(
                    [lo.checked_sub(1), hi.checked_add(1)].into_iter().flatten().filter(|v| own.contains(*v)),
                );
            }
        }
        values.sort_unstable();
        values.dedup();
        choices.push((field, values));
    }
    for attempt in 0..200 {
        for (field, values) in &choices {
            let pick = match attempt {
                0 => 0,
                1 => values.len() - 1,
                _ => random.next() as usize % values.len(),
            };
            point[*field as usize] = values[pick];
        }
        if !clipped.iter().any(|(c, _)| c.contains(point)) {
            return true;
        }
    }
    false
}

/// Whether the cubes together hold all of `within`; `None` when that is too much work.
pub(super) fn is_cover(cubes: &[(Cube, usize)], within: &Cube, work: &mut usize) -> Option<bool> {
    // Unions of boxes grow faster than their number.
    if !spend(work, cubes.len().saturating_mul(cubes.len()).saturating_mul(16)) {
        return None;
    }
    let cubes: Vec<Cube> = cubes.iter().map(|(cube, _)| cube.clone()).collect();
    let mut diagram = Diagram::new();
    let union = diagram.union(&cubes);
    let inside = diagram.cube(within, 1, 0);
    let left = diagram.zip(inside, union, |a, b| a & (1 - b));
    Some(left == Node::leaf(0))
}
