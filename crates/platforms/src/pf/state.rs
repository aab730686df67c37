//! Packets of connections that exist: those pass by their state, where there is one.
//!
//! A passage makes a state when a rule of it passes the first packet and keeps state. Where every packet is decided
//! by such a rule or blocked, all later ones have a state in both passages. Where some pass by default or without
//! state, it is asked how the packet that began the connection was passed, in either direction.

use super::build::{Builder, Tag, stateless};
use super::config::States;
use super::matches::{Asked, Reach, View};
use super::rule::Verb;
use tillgate_model::{Ranges, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, ChainId, InterfaceMatch, Match, Rule};

/// Rules beyond which how a connection began is not looked into.
const MOST: usize = 3000;

fn later() -> Match {
    let mut when = Match::default();
    when.narrow(Field::State, &Ranges::span(1, 2));
    when
}

/// Whether every connection has a state in each passage.
fn simple(builder: &Builder) -> bool {
    !stateless(&builder.items, false)
        && !stateless(&builder.items, true)
        && builder.config.states == States::Floating
}

/// The rules for such packets coming in.
pub fn coming(builder: &mut Builder, reach: Reach) -> Vec<Rule> {
    passage(builder, false, reach)
}

/// The rules for such packets going out: what came in was judged then, what the firewall sends was not.
pub fn going(builder: &mut Builder) -> Vec<Rule> {
    passage(builder, true, Reach::Beyond)
}

fn passage(builder: &mut Builder, going_out: bool, reach: Reach) -> Vec<Rule> {
    if simple(builder) {
        return vec![builder.plain(later(), Action::Accept)];
    }
    if builder.items.size > MOST {
        let mut when = later();
        when.doubts.push(Text::new("not-modelled-match").arg("what", "no state"));
        return vec![builder.plain(when, Action::Accept)];
    }
    // An error message about a connection passes by its state.
    let mut related = Match::default();
    related.narrow(Field::State, &Ranges::single(2));
    let mut list = vec![builder.plain(related, Action::Accept)];
    let mut named = later();
    let any = InterfaceMatch { patterns: vec!["*".into()], negate: false };
    if going_out {
        named.input.push(any);
        list.push(builder.plain(named, Action::Accept));
        let own = alone(builder, true);
        list.push(builder.plain(later(), Action::Goto(own)));
    } else {
        if reach != Reach::Local {
            let through = through(builder);
            named.output.push(any);
            list.push(builder.plain(named, Action::Goto(through)));
        }
        if reach != Reach::Beyond {
            let local = alone(builder, false);
            list.push(builder.plain(later(), Action::Goto(local)));
        }
    }
    list
}

/// What follows from how the first packet fared: passed with a state, without one, or blocked.
#[derive(Clone, Copy)]
struct Then {
    state: Option<ChainId>,
    stateless: ChainId,
    blocked: ChainId,
}

/// A question about one passage of the first packet.
#[derive(Clone, Copy)]
struct First {
    /// Which rules: of packets going out, or coming in.
    going_out: bool,
    /// It passed the interface by which the packet at hand leaves.
    at_output: bool,
    /// It went the other way.
    swapped: bool,
}

impl Builder {
    fn first(&mut self, first: First, then: Then) -> ChainId {
        let view = View { swapped: first.swapped, asked: Asked::First, ..View::plain(first.at_output) };
        let mut list = self.skipped(first.at_output, &Action::Goto(then.stateless));
        for place in self.items.order.clone() {
            let Some(item) = self.items.list.get(place) else { continue };
            let action = match (item.verb, item.state) {
                (Verb::Match, _) => continue,
                (Verb::Open, _) => Action::Unknown,
                (Verb::Block, _) => Action::Goto(then.blocked),
                (Verb::Pass, false) => Action::Goto(then.stateless),
                (Verb::Pass, true) => then.state.map_or(Action::Accept, Action::Goto),
            };
            self.under(place, &view, first.going_out, &action, false, &mut list);
        }
        list.push(self.plain(Match::default(), Action::Goto(then.stateless)));
        self.chain("states", list)
    }

    /// The packet itself is judged by the rules of a passage, and goes on to a chain if it passes.
    fn judged(&mut self, going_out: bool, then: ChainId) -> ChainId {
        let view = View { asked: Asked::Exact, ..View::plain(going_out) };
        let mut list = self.skipped(going_out, &Action::Goto(then));
        for place in self.items.order.clone() {
            let Some(item) = self.items.list.get(place) else { continue };
            let (action, log) = match item.verb {
                Verb::Match => continue,
                Verb::Open => (Action::Unknown, item.log),
                Verb::Block => (Action::Drop, item.log),
                Verb::Pass => (Action::Goto(then), item.log),
            };
            self.under(place, &view, going_out, &action, log, &mut list);
        }
        list.push(self.plain(Match::default(), Action::Goto(then)));
        self.chain("states", list)
    }

    /// A rule that does something else here than where it is written.
    fn under(
        &mut self,
        place: usize,
        view: &View<'_>,
        going_out: bool,
        action: &Action,
        log: bool,
        list: &mut Vec<Rule>,
    ) {
        let Some(span) = self.items.list.get(place).map(|item| item.span.clone()) else { return };
        for when in self.packets(place, view, going_out, Tag::Open) {
            let rule = Rule { span: span.clone(), when, action: action.clone(), log };
            list.push(self.aside(rule));
        }
    }

    /// What becomes of a packet whose connection cannot have begun here: a state that floats was made elsewhere.
    fn foreign(&mut self, judged: ChainId, passes: ChainId) -> ChainId {
        match self.config.states {
            States::Bound => judged,
            States::Floating => passes,
            States::Both => {
                let doubts = vec![Text::new("not-modelled-match").arg("what", "if-bound")];
                let floats = self.plain(Match { doubts, ..Match::default() }, Action::Goto(passes));
                let bound = self.plain(Match::default(), Action::Goto(judged));
                self.chain("states", vec![floats, bound])
            }
        }
    }

    /// A chain in which everything passes.
    fn passes(&mut self) -> ChainId {
        let rule = self.plain(Match::default(), Action::Accept);
        self.chain("states", vec![rule])
    }
}

/// Through the firewall.
fn through(builder: &mut Builder) -> ChainId {
    let passes = builder.passes();
    let ask_out = builder.judged(true, passes);
    let ask_in = builder.judged(false, passes);
    let both = builder.judged(false, ask_out);
    let foreign = builder.foreign(both, passes);
    let mut next = foreign;
    for swapped in [false, true] {
        // What follows from the passage that the packet at hand goes out by; then from that it comes in by.
        let outer = First { going_out: !swapped, at_output: true, swapped };
        let inner = First { going_out: swapped, at_output: false, swapped };
        let kept = builder.first(outer, Then { state: None, stateless: ask_out, blocked: next });
        let lost = builder.first(outer, Then { state: Some(ask_in), stateless: both, blocked: next });
        next = builder.first(inner, Then { state: Some(kept), stateless: lost, blocked: next });
    }
    next
}

/// To the firewall itself, or from it: one passage.
fn alone(builder: &mut Builder, going_out: bool) -> ChainId {
    let passes = builder.passes();
    let ask = builder.judged(going_out, passes);
    let foreign = builder.foreign(ask, passes);
    let forth = First { going_out, at_output: going_out, swapped: false };
    let forth = builder.first(forth, Then { state: None, stateless: ask, blocked: foreign });
    let back = First { going_out: !going_out, at_output: going_out, swapped: true };
    builder.first(back, Then { state: None, stateless: ask, blocked: forth })
}
