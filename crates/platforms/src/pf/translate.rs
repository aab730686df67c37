//! Translation: `rdr`, `nat`, `binat` in rules of their own, `rdr-to` and `nat-to` on rules of the filter.
//!
//! By the mark a translated packet carries later rules tell which rule translated it: one that passed it as well, a
//! `match` with the rules behind it, or one that made the firewall itself the destination.

use super::build::{Builder, MOST_COPIES, Tag};
use super::matches::{Asked, View};
use super::rule::Verb;
use super::targets::{Target, Translate};
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, ChainId, Hook, Kind, Match, Note, Rule, Translation};

/// The mark of packets sent to the firewall itself (the model knows one only).
const REDIRECTED: u16 = 1;
/// The mark of packets that the filter judges by their new destination like any other.
const JUDGED: u16 = 2;
/// Marks end here; where rules beyond lead is not followed.
const LAST: u16 = 60_000;
/// Ports of a moved range that are told apart.
const MOST_MOVED: u128 = 1024;
/// Targets of one rule that are told apart.
const MOST_TARGETS: usize = 6;

/// Which translation is whose.
#[derive(Debug, Default)]
pub struct Marks {
    next: u16,
    /// Marks of packets that their rule passed as well, with that rule's line and whether it logs.
    passed: Vec<(u16, Span, bool)>,
    /// By place among the items.
    items: BTreeMap<usize, u16>,
    /// Marks by the tag their rule sets.
    tags: BTreeMap<String, Vec<u16>>,
    /// Packets are sent to the firewall itself by rules that pass them, and by rules that do not.
    redirected: (Option<Span>, Option<Span>),
    /// `match` rules with the rules behind them: the place of the last of a run, and their marks, one for each of
    /// what the rules before them say (pass, block, nothing).
    behind: Vec<(usize, [u16; 3], Span)>,
    /// How many rules there are more than one for each match: for targets and ports that are told apart.
    more: usize,
}

impl Marks {
    fn fresh(&mut self) -> u16 {
        self.next = (self.next.max(JUDGED) + 1).min(LAST);
        self.next
    }

    /// The marks of packets whose translation set this tag.
    pub fn tagged(&self, name: &str) -> Ranges {
        let list = self.tags.get(name).into_iter().flatten();
        list.map(|mark| (u128::from(*mark), u128::from(*mark))).collect()
    }

    /// The mark of packets that the rule at a place translated and passed.
    pub fn of_item(&self, place: usize) -> Option<u16> {
        self.items.get(&place).copied()
    }

    /// Every tag that translation rules set.
    pub fn tags(&self) -> impl Iterator<Item = (&String, &Vec<u16>)> {
        self.tags.iter()
    }
}

/// Targets with neighbours put together.
pub fn joined(targets: &[Target]) -> Vec<Target> {
    let mut out: Vec<Target> = Vec::new();
    for family in Family::BOTH {
        let of = |t: &Target| match t {
            Target::Addresses(f, lo, hi) if *f == family => Some((*lo, *hi)),
            _ => None,
        };
        let ranges: Ranges = targets.iter().filter_map(of).collect();
        out.extend(ranges.as_slice().iter().map(|(lo, hi)| Target::Addresses(family, *lo, *hi)));
    }
    out.extend(targets.iter().filter(|t| matches!(t, Target::Unknown(_))).cloned());
    out
}

/// One way a translation may go: the family it is for, the destination port it is for, and what is done.
type Step = (Option<Family>, Option<u16>, Action);

/// A destination port, if only one is meant, and the first and last it becomes.
type Moved = (Option<u16>, Option<(u16, u16)>);

fn loopback(family: Family, address: u128) -> bool {
    match family {
        Family::V4 => address >> 24 == 127,
        Family::V6 => address == 1,
    }
}

fn steps(translate: &Translate, mark: u16, when: &Match) -> Vec<Step> {
    let targets = joined(&translate.targets);
    if targets.len() > MOST_TARGETS || mark >= LAST {
        return vec![(None, None, Action::Unknown)];
    }
    let matched = when.cube.ranges(Field::DestinationPort).map(Ranges::as_slice);
    let ports: Vec<Moved> = match (translate.ports, matched) {
        (None, _) => vec![(None, None)],
        (Some((lo, _, true)), Some([(first, last)])) if last - first < MOST_MOVED => (*first..=*last)
            .map(|port| {
                let new = u16::try_from(u128::from(lo) + port - first).unwrap_or(u16::MAX);
                (u16::try_from(port).ok(), Some((new, new)))
            })
            .collect(),
        (Some((lo, _, true)), matched) => {
            let width = match matched {
                Some([(first, last)]) => last - first,
                _ => 65535,
            };
            let last = u16::try_from(u128::from(lo) + width).unwrap_or(u16::MAX);
            vec![(None, Some((lo, last)))]
        }
        (Some((lo, hi, false)), _) => vec![(None, Some((lo, hi)))],
    };
    let mut out = Vec::new();
    for (port, new) in &ports {
        for target in &targets {
            out.push(match target {
                Target::Unknown(_) => (None, *port, Action::Unknown),
                Target::Addresses(family, lo, _) if loopback(*family, *lo) => {
                    (Some(*family), *port, Action::Translate(Translation::Redirect { ports: *new }))
                }
                Target::Addresses(family, lo, hi) => {
                    let addresses = Some((*family, *lo, *hi));
                    let to = Translation::Destination { addresses, ports: *new, tag: mark };
                    (Some(*family), *port, Action::Translate(to))
                }
            });
        }
    }
    out
}

/// The rules of a translation.
fn rules(marks: &mut Marks, span: &Span, translate: &Translate, mark: u16, list: Vec<Match>) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::new();
    for when in list {
        let mut steps = steps(translate, mark, &when);
        if marks.more + steps.len() > MOST_COPIES {
            steps = vec![(None, None, Action::Unknown)];
        }
        marks.more += steps.len().saturating_sub(1);
        for (at, (family, port, action)) in steps.iter().enumerate() {
            let mut when = when.clone();
            if let Some(family) = family {
                when.narrow(Field::Family, &Ranges::single(*family as u128));
            }
            if let Some(port) = port {
                when.narrow(Field::DestinationPort, &Ranges::single((*port).into()));
            }
            // Any of several targets: each but the last may be the one.
            if steps.get(at + 1).is_some_and(|(f, p, _)| f == family && p == port) {
                when.doubts.push(Text::new("not-modelled-match").arg("what", "round-robin"));
            }
            if !when.never {
                out.push(Rule { span: span.clone(), when, action: action.clone(), log: false });
            }
        }
    }
    out
}

fn redirects(list: &[Rule]) -> bool {
    list.iter().any(|rule| matches!(rule.action, Action::Translate(Translation::Redirect { .. })))
}

/// Builds the chain of what is translated coming in.
pub fn inbound(builder: &mut Builder) {
    let exact = View { asked: Asked::First, ..View::plain(false) };
    let mut list = Vec::new();
    for at in 0..builder.nats.len() {
        let Some((item, no, pass)) = builder.nats.get(at).cloned() else { continue };
        if !item.sees(false) {
            continue;
        }
        let packets = builder.of_nat(at, &exact);
        let simple = |action: Action| {
            let rule = |when| Rule { span: item.span.clone(), when, action: action.clone(), log: false };
            packets.iter().cloned().map(rule).collect::<Vec<_>>()
        };
        match (no, item.verb, item.rewrites(false)) {
            (true, ..) => list.extend(simple(Action::Accept)),
            (_, _, Some(translate)) => {
                let mark = if pass || item.tag.is_some() { builder.marks.fresh() } else { JUDGED };
                let rules = rules(&mut builder.marks, &item.span, translate, mark, packets);
                if let Some(tag) = &item.tag {
                    builder.marks.tags.entry(tag.clone()).or_default().push(mark);
                }
                known(builder, &rules, mark, &item.span, pass.then_some(item.log));
                list.extend(rules);
            }
            (_, Verb::Open, _) => list.extend(simple(Action::Unknown)),
            _ => {}
        }
    }
    list.extend(runs(builder));
    list.extend(passing(builder));
    if !list.is_empty() {
        let chain = builder.chain("rdr", list);
        builder.base(chain, Hook::Prerouting, -100, Kind::Nat);
    }
}

/// Keeps what later rules must know of a translation; `passed`: its rule passes the packet as well, and logs or not.
fn known(builder: &mut Builder, rules: &[Rule], mark: u16, span: &Span, passed: Option<bool>) {
    let marks = &mut builder.marks;
    if redirects(rules) {
        let side = if passed.is_some() { &mut marks.redirected.0 } else { &mut marks.redirected.1 };
        side.get_or_insert(span.clone());
    }
    if let Some(log) = passed {
        marks.passed.push((mark, span.clone(), log));
    }
}

/// `match … rdr-to`, run by run: what the rules before a run say is kept in the mark, for those behind may say nothing.
/// A jump for each run: a packet that none of its rules matches comes back and meets the next.
fn runs(builder: &mut Builder) -> Vec<Rule> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut joined = false;
    for (place, item) in builder.items.list.iter().enumerate() {
        match item.verb {
            Verb::Match if item.rewrites(false).is_some() => match runs.last_mut() {
                Some(run) if joined => run.push(place),
                _ => runs.push(vec![place]),
            },
            Verb::Match => continue,
            _ => {}
        }
        joined = item.verb == Verb::Match;
    }
    let exact = View { asked: Asked::First, ..View::plain(false) };
    if runs.len().saturating_mul(builder.items.size) > MOST_COPIES {
        let Some(item) = runs.first().and_then(|r| r.first()).and_then(|at| builder.items.list.get(*at))
        else {
            return Vec::new();
        };
        let (span, text) = (item.span.clone(), Text::new("not-modelled-statement").arg("what", "rdr-to"));
        builder.rules.notes.push(Note { span: span.clone(), text, bears: true });
        return vec![Rule { span, when: Match::default(), action: Action::Unknown, log: false }];
    }
    let mut out = Vec::new();
    for run in runs {
        let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
        let Some(span) = builder.items.list.get(first).map(|i| i.span.clone()) else { continue };
        let marks = [0; 3].map(|_| builder.marks.fresh());
        let mut by: [ChainId; 3] = [0; 3];
        for (mark, chain) in marks.into_iter().zip(&mut by) {
            let mut list = Vec::new();
            for &place in &run {
                let Some(item) = builder.items.list.get(place).cloned() else { continue };
                let Some(translate) = item.rewrites(false) else { continue };
                let packets = builder.packets(place, &exact, false, Tag::Open);
                let rules = rules(&mut builder.marks, &item.span, translate, mark, packets);
                known(builder, &rules, mark, &item.span, None);
                list.extend(rules);
            }
            *chain = builder.chain("rdr", list);
        }
        let [passed, blocked, undecided] = by;
        let (order, quick) = (builder.items.order.clone(), builder.items.quick);
        let mut list = Vec::new();
        for (at, &place) in order.iter().enumerate().filter(|(_, place)| **place < first) {
            let Some(item) = builder.items.list.get(place) else { continue };
            let (verb, span) = (item.verb, item.span.clone());
            let action = match verb {
                Verb::Match => continue,
                Verb::Open => Action::Unknown,
                // The search ended before the run: nothing is translated.
                _ if at < quick => Action::Accept,
                Verb::Pass => Action::Goto(passed),
                Verb::Block => Action::Goto(blocked),
            };
            for when in builder.packets(place, &exact, false, Tag::Open) {
                let rule = Rule { span: span.clone(), when, action: action.clone(), log: false };
                list.push(builder.aside(rule));
            }
        }
        list.push(builder.plain(Match::default(), Action::Goto(undecided)));
        let chain = builder.chain("rdr", list);
        out.push(builder.plain(Match::default(), Action::Jump(chain)));
        builder.marks.behind.push((last, marks, span));
    }
    out
}

/// `pass … rdr-to`: it translates where it is the rule that decides.
fn passing(builder: &mut Builder) -> Vec<Rule> {
    let translates = |place: &usize| {
        builder.items.list.get(*place).is_some_and(|i| i.verb == Verb::Pass && i.rewrites(false).is_some())
    };
    let Some(end) = builder.items.order.iter().rposition(translates) else { return Vec::new() };
    let order: Vec<usize> = builder.items.order.iter().take(end + 1).copied().collect();
    let exact = View { asked: Asked::First, ..View::plain(false) };
    let mut list = Vec::new();
    for place in order {
        let Some(item) = builder.items.list.get(place).cloned() else { continue };
        let packets = builder.packets(place, &exact, false, Tag::Open);
        match (item.verb, item.rewrites(false)) {
            (Verb::Pass, Some(translate)) => {
                let mark = builder.marks.fresh();
                let rules = rules(&mut builder.marks, &item.span, translate, mark, packets);
                known(builder, &rules, mark, &item.span, Some(item.log));
                builder.marks.items.insert(place, mark);
                list.extend(rules);
            }
            (Verb::Match, _) => {}
            (verb, _) => {
                // Passed or blocked as it is.
                let action = if verb == Verb::Open { Action::Unknown } else { Action::Accept };
                let rule = |when| Rule { span: item.span.clone(), when, action: action.clone(), log: false };
                let rules: Vec<Rule> = packets.into_iter().map(rule).collect();
                list.extend(rules.into_iter().map(|rule| builder.aside(rule)));
            }
        }
    }
    list
}

fn marked(mark: Ranges) -> Match {
    let mut when = Match::default();
    when.narrow(Field::Translated, &mark);
    when
}

/// The rules coming in for packets that were translated.
pub fn passed(builder: &mut Builder, view: View<'_>) -> Vec<Rule> {
    let mut list = Vec::new();
    for (mark, span, log) in builder.marks.passed.clone() {
        let when = marked(Ranges::single(mark.into()));
        list.push(builder.aside(Rule { span, when, action: Action::Accept, log }));
    }
    let order = builder.items.order.clone();
    let to_itself = marked(Ranges::single(REDIRECTED.into()));
    if let (Some(span), other) = builder.marks.redirected.clone() {
        let mut when = to_itself.clone();
        if other.is_some() {
            when.doubts.push(Text::new("not-modelled-match").arg("what", "rdr"));
        }
        list.push(builder.aside(Rule { span, when, action: Action::Accept, log: false }));
    }
    if builder.marks.redirected.1.is_some() {
        for (family, own) in [(Family::V4, 0x7f00_0001), (Family::V6, 1)] {
            let loopback = Target::Addresses(family, own, own);
            let view = View { destination: Some(&loopback), ..view };
            let copy = builder.decisions(&order, &view, Tag::Open, true);
            let chain = builder.chain("in", copy);
            let mut when = to_itself.clone();
            when.narrow(Field::Family, &Ranges::single(family as u128));
            list.push(builder.plain(when, Action::Goto(chain)));
        }
    }
    for (last, [pass, block, none], span) in builder.marks.behind.clone().into_iter().rev() {
        let behind: Vec<usize> = order.iter().copied().filter(|place| *place > last).collect();
        let copy = builder.decisions(&behind, &view, Tag::Open, true);
        let chain = builder.chain("in", copy);
        let any = [pass, block, none].map(|mark| (u128::from(mark), u128::from(mark)));
        list.push(builder.plain(marked(Ranges::from_unsorted(any.into())), Action::Jump(chain)));
        for (mark, action) in [(pass, Action::Accept), (block, Action::Drop), (none, Action::Accept)] {
            let when = marked(Ranges::single(mark.into()));
            list.push(builder.aside(Rule { span: span.clone(), when, action, log: false }));
        }
    }
    list
}

/// Builds the chain of what is translated going out: only that something is, and where.
pub fn outbound(builder: &mut Builder) {
    let exact = View { asked: Asked::First, ..View::plain(true) };
    let mut list = Vec::new();
    for at in 0..builder.nats.len() {
        let Some((item, no, _)) = builder.nats.get(at).cloned() else { continue };
        let action = match (no, item.verb) {
            (true, _) => Action::Accept,
            (_, Verb::Open) => Action::Unknown,
            _ => Action::Translate(Translation::Source),
        };
        if item.sees(true) {
            let rule = |when| Rule { span: item.span.clone(), when, action: action.clone(), log: false };
            list.extend(builder.of_nat(at, &exact).into_iter().map(rule));
        }
    }
    if builder.items.list.iter().any(|item| item.rewrites(true).is_some()) {
        for place in builder.items.order.clone() {
            let Some(item) = builder.items.list.get(place) else { continue };
            let action = match (item.verb, item.rewrites(true)) {
                (Verb::Open, _) => Action::Unknown,
                (_, Some(_)) => Action::Translate(Translation::Source),
                (Verb::Match, None) => continue,
                _ => Action::Accept,
            };
            let span = item.span.clone();
            let rule = |when| Rule { span: span.clone(), when, action: action.clone(), log: false };
            let rules: Vec<Rule> =
                builder.packets(place, &exact, true, Tag::Open).into_iter().map(rule).collect();
            list.extend(rules.into_iter().map(|rule| builder.aside(rule)));
        }
    }
    if !list.is_empty() {
        let chain = builder.chain("nat", list);
        builder.base(chain, Hook::Postrouting, 100, Kind::Nat);
    }
}
