//! Products of ranges, held sparsely: a field that is not named is unconstrained.

use crate::Field;
use tillgate_model::Ranges;

/// A concrete point: one value per field, in level order.
pub type Point = [u128; Field::ALL.len()];

/// A product of ranges. Never holds an empty or a full range: an impossible product is no `Cube`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cube(Vec<(Field, Ranges)>);

impl Cube {
    /// Every point.
    pub fn all() -> Self {
        Cube(Vec::new())
    }

    /// The constraints, in level order.
    pub fn constraints(&self) -> &[(Field, Ranges)] {
        &self.0
    }

    /// The ranges of a field, `None` when it is unconstrained.
    pub fn ranges(&self, field: Field) -> Option<&Ranges> {
        self.0.iter().find(|(f, _)| *f == field).map(|(_, r)| r)
    }

    /// Narrows a field; `None` when nothing is left.
    pub fn with(mut self, field: Field, ranges: &Ranges) -> Option<Self> {
        match self.0.binary_search_by_key(&field, |(f, _)| *f) {
            Ok(at) => {
                let narrowed = self.0[at].1.intersect(ranges);
                if narrowed.is_empty() {
                    return None;
                }
                self.0[at].1 = narrowed;
            }
            Err(at) => {
                let narrowed = ranges.intersect(&Ranges::full(field.maximum()));
                if narrowed.is_empty() {
                    return None;
                }
                if narrowed.as_slice() != [(0, field.maximum())] {
                    self.0.insert(at, (field, narrowed));
                }
            }
        }
        Some(self)
    }

    /// Narrows a field to one value.
    pub fn at(self, field: Field, value: u128) -> Option<Self> {
        self.with(field, &Ranges::single(value))
    }

    /// Drops the constraint on a field.
    pub fn without(mut self, field: Field) -> Self {
        self.0.retain(|(f, _)| *f != field);
        self
    }

    /// The points in both cubes.
    pub fn intersect(&self, other: &Cube) -> Option<Cube> {
        if !self.meets(other) {
            return None;
        }
        let mut out = Vec::with_capacity(self.0.len().max(other.0.len()));
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let take = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(x), Some(y)) => x.0.cmp(&y.0),
            };
            match take {
                std::cmp::Ordering::Less => out.extend(a.next().cloned()),
                std::cmp::Ordering::Greater => out.extend(b.next().cloned()),
                std::cmp::Ordering::Equal => {
                    if let (Some(x), Some(y)) = (a.next(), b.next()) {
                        out.push((x.0, x.1.intersect(&y.1)));
                    }
                }
            }
        }
        Some(Cube(out))
    }

    /// Whether the cubes share a point.
    pub fn meets(&self, other: &Cube) -> bool {
        let mut b = other.0.iter().peekable();
        for (field, ranges) in &self.0 {
            while b.peek().is_some_and(|(f, _)| f < field) {
                b.next();
            }
            if let Some((f, other)) = b.peek()
                && f == field
                && !ranges.meets(other)
            {
                return false;
            }
        }
        true
    }

    /// Whether every point of `self` is in `other`.
    pub fn is_subset(&self, other: &Cube) -> bool {
        other.0.iter().all(|(field, ranges)| match self.ranges(*field) {
            Some(own) => own.is_subset(ranges),
            None => false,
        })
    }

    /// `self` restricted to `within`, without the constraints that `within` already implies.
    /// Questions are boxes: this is what makes a rule small inside one.
    pub fn clip(&self, within: &Cube) -> Option<Cube> {
        if !self.meets(within) {
            return None;
        }
        let mut out = Vec::with_capacity(self.0.len());
        for (field, ranges) in &self.0 {
            match within.ranges(*field) {
                Some(limit) if limit.is_subset(ranges) => {}
                Some(limit) => out.push((*field, ranges.intersect(limit))),
                None => out.push((*field, ranges.clone())),
            }
        }
        Some(Cube(out))
    }

    /// Whether a point lies in the cube.
    pub fn contains(&self, point: &Point) -> bool {
        self.0.iter().all(|(field, ranges)| ranges.contains(point[*field as usize]))
    }
}
