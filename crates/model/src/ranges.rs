//! Sorted, disjoint, inclusive integer ranges: the one shape for addresses, ports, protocols and interfaces.

use smallvec::{SmallVec, smallvec};

/// A set of `u128` values held as sorted, disjoint, non-adjacent inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ranges(SmallVec<[(u128, u128); 1]>);

impl Ranges {
    /// The empty set.
    pub fn empty() -> Self {
        Ranges(SmallVec::new())
    }

    /// All values from 0 to `max`.
    pub fn full(max: u128) -> Self {
        Ranges(smallvec![(0, max)])
    }

    /// One value.
    pub fn single(value: u128) -> Self {
        Ranges(smallvec![(value, value)])
    }

    /// All values from `lo` to `hi`, both included; empty when `lo > hi`.
    pub fn span(lo: u128, hi: u128) -> Self {
        if lo > hi { Self::empty() } else { Ranges(smallvec![(lo, hi)]) }
    }

    /// The union of ranges in any order, overlapping or not.
    pub fn from_unsorted(mut list: Vec<(u128, u128)>) -> Self {
        list.retain(|(lo, hi)| lo <= hi);
        list.sort_unstable();
        let mut out: SmallVec<[(u128, u128); 1]> = SmallVec::new();
        for (lo, hi) in list {
            match out.last_mut() {
                Some(last) if last.1 == u128::MAX || lo <= last.1 + 1 => last.1 = last.1.max(hi),
                _ => out.push((lo, hi)),
            }
        }
        Ranges(out)
    }

    /// The ranges, sorted.
    pub fn as_slice(&self) -> &[(u128, u128)] {
        &self.0
    }

    /// True when nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest value.
    pub fn last(&self) -> Option<u128> {
        self.as_slice().last().map(|(_, hi)| *hi)
    }

    /// The smallest value.
    pub fn first(&self) -> Option<u128> {
        self.0.first().map(|r| r.0)
    }

    /// The only value, if there is exactly one.
    pub fn only(&self) -> Option<u128> {
        match self.0.as_slice() {
            [(lo, hi)] if lo == hi => Some(*lo),
            _ => None,
        }
    }

    /// Whether `value` is in the set.
    pub fn contains(&self, value: u128) -> bool {
        let at = self.0.partition_point(|r| r.1 < value);
        self.0.get(at).is_some_and(|r| r.0 <= value)
    }

    /// The values in both sets.
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut i, mut j) = (0, 0);
        let mut out = SmallVec::new();
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (lo, hi) = (a.0.max(b.0), a.1.min(b.1));
            if lo <= hi {
                out.push((lo, hi));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        Ranges(out)
    }

    /// Whether the sets share a value; cheaper than building the intersection.
    pub fn meets(&self, other: &Self) -> bool {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            if a.0.max(b.0) <= a.1.min(b.1) {
                return true;
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        false
    }

    /// Whether a value from `lo` to `hi` is in the set.
    pub fn meets_span(&self, lo: u128, hi: u128) -> bool {
        let at = self.0.partition_point(|r| r.1 < lo);
        self.0.get(at).is_some_and(|r| r.0 <= hi)
    }

    /// The values in either set.
    pub fn union(&self, other: &Self) -> Self {
        Self::from_unsorted(self.0.iter().chain(&other.0).copied().collect())
    }

    /// The values from 0 to `max` that are not in the set.
    pub fn complement(&self, max: u128) -> Self {
        let mut out = SmallVec::new();
        let mut next = 0u128;
        for &(lo, hi) in &self.0 {
            if lo > max {
                break;
            }
            if lo > next {
                out.push((next, lo - 1));
            }
            if hi >= max {
                return Ranges(out);
            }
            next = hi + 1;
        }
        out.push((next, max));
        Ranges(out)
    }

    /// The values of `self` that are not in `other`.
    pub fn subtract(&self, other: &Self) -> Self {
        match self.0.last() {
            None => Self::empty(),
            Some(last) => self.intersect(&other.complement(last.1)),
        }
    }

    /// Whether every value of `self` is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|&(lo, hi)| {
            let at = other.0.partition_point(|r| r.1 < lo);
            other.0.get(at).is_some_and(|r| r.0 <= lo && hi <= r.1)
        })
    }
}

impl FromIterator<(u128, u128)> for Ranges {
    fn from_iter<T: IntoIterator<Item = (u128, u128)>>(iter: T) -> Self {
        Self::from_unsorted(iter.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_ranges_join_even_at_the_end_of_the_domain() {
        let r = Ranges::from_unsorted(vec![(5, 9), (0, 4), (u128::MAX, u128::MAX), (10, u128::MAX - 1)]);
        assert_eq!(r.as_slice(), &[(0, u128::MAX)]);
        assert!(r.complement(u128::MAX).is_empty());
    }

    #[test]
    fn set_laws_on_small_sets() {
        // Every pair of subsets of 0..=5, against plain membership.
        let sets: Vec<Ranges> = (0u32..64)
            .map(|m| (0..6).filter(|b| m >> b & 1 == 1).map(|b| (b as u128, b as u128)).collect())
            .collect();
        for a in &sets {
            for b in &sets {
                for v in 0..6 {
                    assert_eq!(a.intersect(b).contains(v), a.contains(v) && b.contains(v));
                    assert_eq!(a.union(b).contains(v), a.contains(v) || b.contains(v));
                    assert_eq!(a.subtract(b).contains(v), a.contains(v) && !b.contains(v));
                    assert_eq!(a.complement(5).contains(v), !a.contains(v));
                }
                assert_eq!(a.is_subset(b), (0..6).all(|v| !a.contains(v) || b.contains(v)));
                assert_eq!(a.meets(b), (0..6).any(|v| a.contains(v) && b.contains(v)));
            }
        }
    }
}
