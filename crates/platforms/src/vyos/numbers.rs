//! Numbers for rules in a list that somebody else has numbered.

/// Where new rules go in a list.
#[derive(Clone, Copy)]
pub enum Where {
    /// Before all others.
    Head,
    /// Before the rule of this number.
    Before(u32),
    /// The rule of this number goes.
    Instead(u32),
    /// Behind all others.
    End,
}

/// The numbers of new rules, and those that others get to make room.
pub struct Numbers {
    pub new: Vec<u32>,
    pub moved: Vec<(u32, u32)>,
}

/// Ways to number new rules, the gentlest first.
pub fn numbers(known: &[u32], place: Where, count: u32, most: u32) -> Vec<Numbers> {
    let keep = |new: Vec<u32>| Numbers { new, moved: Vec::new() };
    let (own, at) = match place {
        Where::End => (None, None),
        Where::Head => (None, known.first().copied()),
        Where::Before(number) => (None, Some(number)),
        Where::Instead(number) => (Some(number), Some(number)),
    };
    let Some(at) = at else {
        let last = known.last().copied().unwrap_or(0);
        return between(last, None, None, count, most).map(keep).into_iter().collect();
    };
    if at >= most {
        return Vec::new();
    }
    let split = known.partition_point(|n| *n < at);
    let (before, behind) = known.split_at(split);
    let behind = if own.is_some() { behind.get(1..).unwrap_or(&[]) } else { behind };
    let last = before.last().copied().unwrap_or(0);
    let next = if own.is_some() { behind.first().copied() } else { Some(at) };
    if let Some(new) = between(last, own, next, count, most) {
        return vec![keep(new)];
    }
    let mut out = Vec::new();
    // Further up there may be room; otherwise those behind move.
    let earlier = (0..before.len()).rev().find_map(|n| {
        let above = n.checked_sub(1).and_then(|n| before.get(n)).copied().unwrap_or(0);
        between(above, None, before.get(n).copied(), count, most)
    });
    out.extend(earlier.map(keep));
    let mut free = at + count;
    let mut moved = Vec::new();
    for number in behind {
        if *number >= free {
            break;
        }
        moved.push((*number, free));
        free += 1;
    }
    if free <= most {
        out.push(Numbers { new: (at..at + count).collect(), moved });
    }
    out
}

/// Numbers between two others, evenly, or in tens where nothing follows; `own` is free again.
fn between(before: u32, own: Option<u32>, next: Option<u32>, count: u32, most: u32) -> Option<Vec<u32>> {
    if before.max(own.unwrap_or(0)) >= most || count == 0 {
        return None;
    }
    let run = |first: u32, step: u32| (0..count).map(|n| first + n * step).collect::<Vec<u32>>();
    let Some(next) = next else {
        let first = own.unwrap_or(before) / 10 * 10 + 10;
        let mut tens = own.into_iter().collect::<Vec<u32>>();
        tens.extend(run(first, 10).into_iter().take(count as usize - tens.len()));
        if tens.last().is_none_or(|last| *last <= most) {
            return Some(tens);
        }
        let ones = run(before + 1, 1);
        return ones.last().is_none_or(|last| *last <= most).then_some(ones);
    };
    if next.saturating_sub(before) <= count {
        return None;
    }
    match own {
        Some(own) if next - own >= count => Some(run(own, ((next - own) / count).clamp(1, 10))),
        _ => {
            let step = (next - before) / (count + 1);
            Some(run(before + step, step))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// New numbers, and what moves.
    type Way = (Vec<u32>, Vec<(u32, u32)>);

    fn way(known: &[u32], place: Where, count: u32) -> Vec<Way> {
        numbers(known, place, count, 9999).into_iter().map(|n| (n.new, n.moved)).collect()
    }

    #[test]
    fn free_numbers_are_taken_before_others_move() {
        assert_eq!(way(&[10, 20], Where::Before(20), 1), [(vec![15], vec![])]);
        assert_eq!(way(&[10, 20], Where::Before(20), 3), [(vec![12, 14, 16], vec![])]);
        assert_eq!(way(&[10, 20], Where::End, 2), [(vec![30, 40], vec![])]);
        assert_eq!(way(&[10, 20, 30], Where::Instead(20), 2), [(vec![20, 25], vec![])]);
        assert_eq!(way(&[1, 2, 3], Where::Before(2), 1), [(vec![2], vec![(2, 3), (3, 4)])]);
        assert_eq!(way(&[10, 11, 20], Where::Before(11), 1), [(vec![5], vec![]), (vec![11], vec![(11, 12)])]);
        assert_eq!(way(&[1, 2, 9], Where::Instead(2), 3), [(vec![2, 4, 6], vec![])]);
        assert_eq!(way(&[1, 2], Where::Instead(2), 3), [(vec![2, 10, 20], vec![])]);
        assert_eq!(way(&[], Where::Head, 1), [(vec![10], vec![])]);
        assert_eq!(way(&[9999], Where::End, 1), []);
    }
}
