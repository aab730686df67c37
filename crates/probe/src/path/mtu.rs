//! The largest packet that passes to a destination, exact even where nobody says what is too large (RFC 8899).

use crate::outcome::{Reach, Report};
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::time::timeout;

/// What came of a packet of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It arrived.
    Passed,
    /// Nothing came back.
    Silent,
    /// Somebody says that this many bytes pass: a router, or `None` for this host's kernel.
    TooBig(u16, Option<IpAddr>),
}

impl From<bool> for Answer {
    fn from(has_passed: bool) -> Self {
        if has_passed { Answer::Passed } else { Answer::Silent }
    }
}

/// The smallest size worth a probe, in bytes of the whole packet: what every host takes (RFC 791, RFC 8200).
pub fn floor(destination: IpAddr) -> u16 {
    if destination.is_ipv4() { 576 } else { 1280 }
}

/// The search itself, without packets or clock. Ask for [`Search::size`], probe it, say what came of it.
///
/// It looks as high as it can afford to and still be exact within ten probes (more bits than ten where the range
/// has more than 1,023 sizes), so that a clean path costs few. The size above the result is probed twice more in
/// the end: a lost packet must not count as a limit.
#[derive(Clone, Debug)]
pub struct Search {
    /// Smallest size of interest.
    floor: u16,
    /// Largest size of interest.
    ceiling: u16,
    /// Largest size that passed; one below the floor for none.
    passed: u16,
    /// Largest size that may still pass.
    high: u16,
    /// Probes left in which the result can be exact.
    left: u32,
    told: Option<(u16, Option<IpAddr>)>,
    confirmed: u32,
    losses: u32,
    probes: u32,
}

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Largest size that passed, in bytes of the whole packet; `None` where none did.
    pub mtu: Option<u16>,
    /// Largest size that was asked about.
    pub ceiling: u16,
    /// The last word of a router on what passes, and whose it was.
    pub told: Option<(u16, Option<IpAddr>)>,
    /// Probes it took.
    pub probes: u32,
    /// Whether the next larger size is known not to pass; otherwise `mtu` is only at least what passes.
    pub is_exact: bool,
}

impl Search {
    /// A search from a smallest to a largest size, both included, neither known to pass.
    pub fn new(floor: u16, ceiling: u16) -> Self {
        let floor = floor.clamp(1, ceiling.max(1));
        Search::above(floor - 1, floor, ceiling.max(1))
    }

    /// A search above a size that is known to pass.
    pub fn from_passed(passed: u16, ceiling: u16) -> Self {
        Search::above(passed, passed, ceiling.max(passed))
    }

    /// The size to probe next, in bytes of the whole packet; `None` when the search is over.
    pub fn size(&self) -> Option<u16> {
        if self.passed < self.high {
            let is_told = self.told.is_some_and(|(told, _)| told == self.high);
            let step = 1u32 << self.left.saturating_sub(1).min(16);
            let step = u16::try_from(step).unwrap_or(u16::MAX);
            return Some(if is_told { self.high } else { self.high.min(self.passed.saturating_add(step)) });
        }
        let is_known = self.high == self.bound() || self.confirmed >= CONFIRMATIONS || self.losses > LOSSES;
        (!is_known).then(|| self.high + 1)
    }

    /// Takes what came of the size last asked for.
    pub fn answer(&mut self, size: u16, answer: Answer) {
        self.probes += 1;
        self.left = self.left.saturating_sub(1);
        match answer {
            Answer::Passed => {
                self.passed = self.passed.max(size);
                if size > self.high {
                    // A smaller one had been lost, not dropped for its size: all above is open again.
                    self.losses += 1;
                    self.confirmed = 0;
                    self.high = if self.losses > LOSSES { size } else { self.bound() };
                    self.left = BUDGET;
                }
            }
            // A word on a size that has passed, or on a larger one than was sent, is stale or forged (RFC 8899, 4.6.2).
            Answer::TooBig(mtu, by) if (self.passed.max(self.floor)..size).contains(&mtu) => {
                self.told = Some((mtu, by));
                self.high = self.high.min(mtu);
            }
            Answer::Silent | Answer::TooBig(..) if size > self.high => self.confirmed += 1,
            Answer::Silent | Answer::TooBig(..) => {
                self.confirmed = 0;
                self.high = size.saturating_sub(1).max(self.passed);
            }
        }
        self.left = self.left.max(bits(self.passed, self.high));
    }

    /// The result as far as it is known.
    pub fn found(&self) -> Found {
        Found {
            mtu: (self.passed >= self.floor).then_some(self.passed),
            ceiling: self.ceiling,
            told: self.told,
            probes: self.probes,
            is_exact: self.size().is_none() && self.losses <= LOSSES,
        }
    }

    fn above(passed: u16, floor: u16, ceiling: u16) -> Self {
        let left = BUDGET.max(bits(passed, ceiling));
        let (told, confirmed, losses, probes) = (None, 0, 0, 0);
        Search { floor, ceiling, passed, high: ceiling, left, told, confirmed, losses, probes }
    }

    /// What need not be probed beyond.
    fn bound(&self) -> u16 {
        self.told.map_or(self.ceiling, |(told, _)| told.min(self.ceiling))
    }
}

/// Searches with an echo: a function that sends a packet of so many bytes (IP header included) that may not be
/// fragmented and says what came of it, within a time of its own. An error is this host's and ends the search;
/// the deadline ends it with what is known by then.
pub async fn search<F, E>(mut search: Search, deadline: Duration, mut echo: F) -> io::Result<Found>
where
    F: FnMut(u16) -> E,
    E: Future<Output = io::Result<Answer>>,
{
    let run = async {
        while let Some(size) = search.size() {
            let answer = echo(size).await?;
            search.answer(size, answer);
        }
        Ok::<_, io::Error>(())
    };
    if let Ok(ended) = timeout(deadline, run).await {
        ended?;
    }
    Ok(search.found())
}

impl Found {
    /// Whether packets that this host may send vanish without a word.
    pub fn is_black_hole(&self) -> bool {
        let bound = self.told.map_or(self.ceiling, |(told, _)| told);
        self.is_exact && self.mtu.is_some_and(|mtu| mtu < bound)
    }

    /// As a report on the way to a destination.
    pub fn report(&self, destination: IpAddr) -> Report {
        let mut report = Report::of(if self.mtu.is_some() { Reach::Passes } else { Reach::Silent });
        if let (Some(mtu), true) = (self.mtu, self.is_black_hole()) {
            report.fault(FindingId::PathMtu, hole_text(mtu, self.ceiling, destination));
        }
        if let Some(mtu) = self.mtu {
            report.number(if self.is_exact { "mtu_bytes" } else { "mtu_at_least_bytes" }, mtu.into());
        }
        report.number("interface_mtu_bytes", self.ceiling.into());
        report.number("mtu_probes", self.probes.into());
        if let Some((told, by)) = self.told {
            report.number("mtu_told_bytes", told.into());
            report.word("mtu_told_by", by.map_or("kernel".to_owned(), |by| by.to_string()));
        }
        report
    }
}

/// The fault's words: the size that passes, the one this host sends, towards whom.
pub(super) fn hole_text(passes: u16, sends: u16, destination: IpAddr) -> Text {
    Text::new("probe-mtu-hole").arg("passes", passes).arg("sends", sends).arg("destination", destination)
}

/// Probes in which a result between 576 and 1,500 is exact.
const BUDGET: u32 = 10;
/// How often the size above the result is probed once more.
const CONFIRMATIONS: u32 = 2;
/// How often a size may turn out to have been lost by chance before the path is too lossy to tell.
const LOSSES: u32 = 3;

/// Yes-or-no questions that tell the results from `passed` to `high` apart.
fn bits(passed: u16, high: u16) -> u32 {
    u32::from(high.saturating_sub(passed)).checked_ilog2().map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a search against a path that takes `mtu` bytes, with a word on it or without.
    fn run(mut search: Search, mtu: u16, word: Option<u16>) -> Found {
        while let Some(size) = search.size() {
            assert!(search.probes < 60, "{mtu}: no end");
            let answer = match word {
                Some(word) if size > mtu => Answer::TooBig(word, None),
                _ => Answer::from(size <= mtu),
            };
            search.answer(size, answer);
        }
        search.found()
    }

    #[test]
    fn exact_for_every_mtu_of_ethernet_in_ten_probes() {
        let mut most = 0;
        for mtu in 576..=1500 {
            let found = run(Search::new(576, 1500), mtu, None);
            assert_eq!((found.mtu, found.is_exact), (Some(mtu), true));
            assert_eq!(found.is_black_hole(), mtu < 1500);
            // Two more confirm that the next larger one was not lost by chance.
            most = most.max(found.probes - if mtu < 1500 { CONFIRMATIONS } else { 0 });
        }
        assert_eq!(most, 10);
        assert_eq!(run(Search::new(576, 1500), 1500, None).probes, 4);
        assert_eq!(
            run(Search::new(1280, 1500), 1500, None).probes,
            1,
            "IPv6 can afford to look at the top first"
        );
    }

    #[test]
    fn exact_for_every_mtu_of_jumbo_frames() {
        for mtu in 576..=9000 {
            let found = run(Search::new(576, 9000), mtu, None);
            assert_eq!((found.mtu, found.is_exact), (Some(mtu), true));
            assert!(found.probes <= 14 + CONFIRMATIONS, "{mtu}: {}", found.probes);
        }
        for mtu in 1280..=9000 {
            assert_eq!(run(Search::new(1280, 9000), mtu, None).mtu, Some(mtu));
        }
    }

    #[test]
    fn takes_a_router_at_its_word() {
        for mtu in 576..1500 {
            let found = run(Search::new(576, 1500), mtu, Some(mtu));
            assert_eq!((found.mtu, found.told, found.is_exact), (Some(mtu), Some((mtu, None)), true));
            assert!(!found.is_black_hole());
            assert!(found.probes <= 5, "{mtu}: {}", found.probes);
        }
    }

    #[test]
    fn finds_the_hole_behind_a_router_that_speaks() {
        // A router says 1492; behind it somebody silent takes 1400.
        let mut search = Search::new(576, 1500);
        while let Some(size) = search.size() {
            let answer = if size > 1492 { Answer::TooBig(1492, None) } else { Answer::from(size <= 1400) };
            search.answer(size, answer);
        }
        let found = search.found();
        assert_eq!(found.mtu, Some(1400));
        assert!(found.is_black_hole());
    }

    #[test]
    fn forged_words_change_nothing() {
        for word in [0, 68, 575, u16::MAX] {
            let found = run(Search::new(576, 1500), 1400, Some(word));
            assert_eq!(found.mtu, Some(1400));
            assert_eq!(found.told, None);
        }
    }

    #[test]
    fn losses_do_not_count_as_limits() {
        let mut wrong = 0;
        for seed in 1..=200u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut search = Search::new(576, 1500);
            while let Some(size) = search.size() {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // One in twenty is lost.
                search.answer(size, Answer::from(size <= 1400 && state % 20 != 0));
            }
            let found = search.found();
            if found.is_exact && found.mtu != Some(1400) {
                wrong += 1;
            }
        }
        assert!(wrong <= 2, "{wrong} of 200");
    }

    #[test]
    fn odd_bounds_end() {
        for (floor, ceiling) in [(0, 0), (1, 1), (576, 68), (1, u16::MAX), (u16::MAX, u16::MAX)] {
            for mtu in [0, 1, 68, 1000, u16::MAX] {
                run(Search::new(floor, ceiling), mtu, None);
            }
        }
        assert_eq!(run(Search::new(576, 1500), 0, None).mtu, None);
        assert_eq!(run(Search::from_passed(1400, 1300), 1500, None).mtu, Some(1400));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_leaves_what_is_known() {
        let echo = |size| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(Answer::from(size <= 1400))
        };
        let found = search(Search::new(576, 1500), Duration::from_millis(250), echo).await.unwrap();
        assert_eq!((found.mtu, found.is_exact, found.is_black_hole()), (Some(1343), false, false));
        let report = found.report("192.0.2.1".parse().unwrap());
        assert!(report.faults.is_empty() && report.details.contains_key("mtu_at_least_bytes"));
        let found = search(Search::new(576, 1500), Duration::from_secs(60), echo).await.unwrap();
        assert_eq!(found.report("192.0.2.1".parse().unwrap()).faults[0].id, FindingId::PathMtu);
    }
}
