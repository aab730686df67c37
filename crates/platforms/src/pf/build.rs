//! Items to the rule-set model: one passage coming in, one going out, and what is translated before either.
//!
//! Coming in stands at the hooks `Input` and `Forward`, going out at `Postrouting`. A list that the last match
//! decides is turned into one that the first match decides: quick rules in order, then the rest from the end.

use super::cond::interfaces;
use super::config::{Config, Nat};
use super::items::{Item, Items, Making};
use super::matches::{Asked, Reach, View, matches};
use super::names::OPENING;
use super::rule::Verb;
use super::targets::Target;
use super::{state, tags, translate};
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Hook, InterfaceMatch, Kind, Match, Part, Policy, Rule, RuleSet, Term,
};

/// Rules that all copies of a list may have together; beyond that what they are copied for is a doubt.
pub const MOST_COPIES: usize = 200_000;

/// Neighbours among which one is looked for that differs in ranges only.
const NEAR: usize = 32;

/// Rules beyond which none gets a chain of its own for the sake of what is said about tidiness.
const MOST_WITHIN: usize = 5000;

/// The model as far as it is built.
pub struct Builder {
    /// The model.
    pub rules: RuleSet,
    /// All rules.
    pub items: Items,
    /// Translation rules of their own, each with its rule set apart for coming in and going out.
    pub nats: Vec<(Item, bool, bool)>,
    /// What the files say beside.
    pub config: Config,
    /// Where what nobody wrote stands: the beginning of the file.
    pub start: Span,
    /// Packets to the firewall and through it are judged apart.
    pub apart: bool,
    /// Which translation of the destination which rule is: by place among the items, or among the `nats`.
    pub marks: translate::Marks,
}

/// What is known of the tag of packets.
#[derive(Clone, Copy, Debug)]
pub enum Tag<'a> {
    /// Nothing.
    Open,
    /// It is this one, or none.
    Known(Option<&'a str>),
}

/// Builds the rule set.
pub fn build(mut config: Config, start: Span) -> RuleSet {
    let mut notes = std::mem::take(&mut config.notes);
    let nodes = std::mem::take(&mut config.nodes);
    let mut making = Making::new(&config, &mut notes);
    let items = making.items(nodes);
    let mut nats = Vec::new();
    for Nat { raw, no, pass, .. } in &config.nats {
        nats.extend(making.single(raw).into_iter().map(|item| (item, *no, *pass)));
    }
    let facts = std::mem::take(&mut config.facts);
    let rules = RuleSet { platform: "pf", notes, facts, ..RuleSet::default() };
    let apart = items.list.iter().any(|item| item.sees(false) && item.asks_own());
    let marks = translate::Marks::default();
    let mut builder = Builder { rules, items, nats, config, start, apart, marks };
    translate::inbound(&mut builder);
    let through = incoming(&mut builder, if apart { Reach::Beyond } else { Reach::Open });
    let local = if apart { incoming(&mut builder, Reach::Local) } else { through };
    let going = tags::outgoing(&mut builder);
    builder.base(local, Hook::Input, 0, Kind::Filter);
    builder.base(through, Hook::Forward, 0, Kind::Filter);
    builder.base(going, Hook::Postrouting, 0, Kind::Filter);
    translate::outbound(&mut builder);
    builder.rules
}

/// What comes in; where rules name the firewall's own addresses, for packets to them and through it apart.
fn incoming(builder: &mut Builder, reach: Reach) -> ChainId {
    let order = builder.items.order.clone();
    let mut list = builder.skipped(false, &Action::Accept);
    list.extend(state::coming(builder, reach));
    let view = View { reach, ..View::plain(false) };
    let odd = builder.decisions(&order, &View { asked: Asked::Stray, ..view }, Tag::Open, false);
    list.extend(builder.strays("in", odd));
    list.extend(translate::passed(builder, view));
    list.extend(builder.decisions(&order, &view, Tag::Open, false));
    builder.chain("in", list)
}

/// Several matches as one where they differ in ranges only, so that a rule is one rule.
pub fn merged(list: Vec<Match>) -> Vec<Match> {
    let mut out: Vec<(Match, Vec<Cube>)> = Vec::new();
    for when in list {
        let same = |known: &Match| {
            when.terms.is_empty()
                && known.terms.is_empty()
                && known.input == when.input
                && known.output == when.output
                && known.doubts == when.doubts
        };
        match out.iter_mut().rev().take(NEAR).find(|(known, _)| same(known)) {
            Some((known, cubes)) => {
                if cubes.is_empty() {
                    cubes.push(std::mem::take(&mut known.cube));
                }
                cubes.push(when.cube);
            }
            None => {
                out.push((when, Vec::new()));
            }
        }
    }
    let one = |(mut when, cubes): (Match, Vec<Cube>)| {
        if cubes.is_empty() {
            // A copy holds no more than it needs; there is one for every rule.
            when.cube = when.cube.clone();
        } else {
            let parts = cubes.into_iter().map(|cube| Part { cube, ..Part::default() }).collect();
            when.terms.push(Term::Any { parts, negate: false });
        }
        when
    };
    out.into_iter().map(one).collect()
}

impl Builder {
    /// Adds a chain.
    pub fn chain(&mut self, name: &str, rules: Vec<Rule>) -> ChainId {
        self.rules.chains.push(Chain { name: name.into(), rules });
        self.rules.chains.len() - 1
    }

    /// Attaches a chain to a hook; what no rule decides is passed.
    pub fn base(&mut self, chain: ChainId, hook: Hook, priority: i32, kind: Kind) {
        let policy_span = self.start.clone();
        let base = Base { chain, hook, priority, kind, policy: Policy::Accept, policy_span, family: None };
        self.rules.bases.push(base);
    }

    /// A rule that nobody wrote.
    pub fn plain(&self, when: Match, action: Action) -> Rule {
        Rule { span: self.start.clone(), when, action, log: false }
    }

    /// Rules for the interfaces that are not looked at.
    pub fn skipped(&mut self, going_out: bool, action: &Action) -> Vec<Rule> {
        let mut out = Vec::new();
        for (name, negate, span) in &self.config.skip {
            for (list, doubt) in interfaces(&[(name.clone(), *negate)]) {
                let mut when = Match { doubts: doubt.into_iter().collect(), ..Match::default() };
                if going_out {
                    when.output = list
                } else {
                    when.input = list
                }
                out.push((
                    name.starts_with("lo"),
                    Rule { span: span.clone(), when, action: action.clone(), log: false },
                ));
            }
        }
        // Nobody means by it that loopback may do anything.
        out.into_iter().map(|(loopback, rule)| if loopback { self.aside(rule) } else { rule }).collect()
    }

    /// Sends packets that can begin no connection to a list of their own.
    pub fn strays(&mut self, name: &str, list: Vec<Rule>) -> Vec<Rule> {
        let chain = self.chain(name, list);
        let mut invalid = Match::default();
        invalid.narrow(Field::State, &Ranges::single(3));
        let mut odd = Match::default();
        odd.narrow(Field::Protocol, &Ranges::single(6));
        odd.narrow(Field::TcpFlags, &OPENING.complement(255));
        [invalid, odd].map(|when| self.plain(when, Action::Goto(chain))).into()
    }

    /// What is known of `tagged` in a rule at a place of its list: `None` where it never holds, with the translations
    /// that set the tag, or with a doubt.
    fn tagged(
        &self,
        item: &Item,
        place: usize,
        going_out: bool,
        tag: Tag<'_>,
    ) -> Option<(Option<Ranges>, bool)> {
        let Some((name, negate)) = &item.tagged else { return Some((None, false)) };
        let first = if going_out { self.items.first_tag.1 } else { self.items.first_tag.0 };
        if first.is_some_and(|first| first < place) {
            return Some((None, true));
        }
        match tag {
            Tag::Known(known) => ((known == Some(name.as_str())) != *negate).then_some((None, false)),
            Tag::Open if going_out => Some((None, true)),
            Tag::Open => {
                // Coming in, translation rules are the only ones that can have set it.
                let by = self.marks.tagged(name);
                let by = if *negate { by.complement(Field::Translated.maximum()) } else { by };
                (!by.is_empty()).then_some((Some(by), false))
            }
        }
    }

    /// The packets of an item.
    pub fn packets(&self, place: usize, view: &View<'_>, going_out: bool, tag: Tag<'_>) -> Vec<Match> {
        let Some(item) = self.items.list.get(place) else { return Vec::new() };
        if !item.sees(going_out) {
            return Vec::new();
        }
        let Some((by, doubt)) = self.tagged(item, place, going_out, tag) else { return Vec::new() };
        let mut list = matches(item, place, view);
        for when in &mut list {
            if let Some(by) = &by {
                when.narrow(Field::Translated, by);
            }
            if doubt && let Some((name, _)) = &item.tagged {
                when.doubts.push(Text::new("not-modelled-match").arg("what", format!("tagged {name}")));
            }
        }
        list.retain(|when| !when.never);
        merged(list)
    }

    /// The rules of a passage in the order in which they decide. `copied`: the list stands elsewhere as well, for
    /// other packets, so that nothing follows from what is covered in it.
    pub fn decisions(&mut self, order: &[usize], view: &View<'_>, tag: Tag<'_>, copied: bool) -> Vec<Rule> {
        let mut out = Vec::new();
        // Families of which everything is decided: what is behind and has no direction stands for the other one.
        let mut decided = [false; 2];
        for &place in order {
            let Some(item) = self.items.list.get(place) else { continue };
            if decided == [true; 2] && item.ways == (true, true) {
                continue;
            }
            let begins_only = item.state && item.opens_only();
            let action = match item.verb {
                Verb::Pass if view.asked == Asked::Stray && begins_only => continue,
                Verb::Pass => Action::Accept,
                Verb::Block => Action::Drop,
                Verb::Open => Action::Unknown,
                Verb::Match if item.log => Action::Continue,
                Verb::Match => continue,
            };
            let (span, log) = (item.span.clone(), item.log);
            // A rule without a direction stands among what goes out as well; what takes packets to the firewall only
            // says nothing of those that go through; forged sources contradict no rule about good ones.
            let copied = copied
                || item.ways == (true, true) && (view.going_out || !item.is_wide())
                || item.is_loopback()
                || view.reach == Reach::Local && item.asks_own()
                || item.forged;
            // A tag is more than a verdict, and where packets to the firewall and through it are judged apart one list
            // says nothing of the other.
            let more = item.tag.is_some() || item.is_doubtful() || self.apart && !item.is_wide();
            let more = more && self.items.size <= MOST_WITHIN;
            for when in self.packets(place, view, view.going_out, tag) {
                let settles = !copied && matches!(action, Action::Accept | Action::Drop);
                for (family, decided) in Family::BOTH.into_iter().zip(&mut decided) {
                    *decided |= settles && all_of(&when, family);
                }
                let rule = Rule { span: span.clone(), when, action: action.clone(), log };
                out.push(match (copied, more) {
                    (true, _) => self.aside(rule),
                    (false, true) => self.within(rule),
                    (false, false) => rule,
                });
            }
        }
        out
    }

    /// A rule that decides in a chain of its own: it takes packets away from the rules behind it, but another that
    /// decides alike does not stand for it. For rules that do more than pass and block.
    fn within(&mut self, rule: Rule) -> Rule {
        if !matches!(rule.action, Action::Accept | Action::Drop) {
            return rule;
        }
        let (span, when) = (rule.span.clone(), rule.when.clone());
        let mut inside = rule;
        inside.when.doubts.clear();
        let mut list = vec![inside.clone()];
        // What is in doubt where it goes in would be in doubt again.
        if !Family::BOTH.iter().all(|family| all_of(&inside.when, *family)) {
            list.push(Rule { when: Match::default(), ..inside });
        }
        let chain = self.chain("copy", list);
        Rule { span, when, action: Action::Goto(chain), log: false }
    }

    /// A rule that is reached by a jump: a jump takes no packets away from the rules behind it. For rules that stand
    /// in several lists: what is covered in one of them need not be in another. A chain it goes to must decide.
    pub fn aside(&mut self, rule: Rule) -> Rule {
        if matches!(rule.action, Action::Continue | Action::Jump(_)) {
            return rule;
        }
        let (span, when) = (rule.span.clone(), rule.when.clone());
        // Asked again it would be in doubt again.
        let mut inside = rule;
        inside.when.doubts.clear();
        let chain = self.chain("copy", vec![inside]);
        Rule { span, when, action: Action::Jump(chain), log: false }
    }

    /// The conditions of a rule that only packets from elsewhere can meet.
    pub fn received(mut when: Match) -> Match {
        if when.input.is_empty() {
            when.input.push(InterfaceMatch { patterns: vec!["*".into()], negate: false });
        }
        when
    }

    /// The one address range a translation leads to, or what stands for it.
    pub fn target(targets: &[Target]) -> Target {
        let joined = translate::joined(targets);
        match joined.as_slice() {
            [one] => one.clone(),
            _ => Target::Unknown(String::new()),
        }
    }

    /// The conditions of a translation rule that says nothing about packets but its own.
    pub fn of_nat(&self, at: usize, view: &View<'_>) -> Vec<Match> {
        let Some((item, ..)) = self.nats.get(at) else { return Vec::new() };
        let mut list = matches(item, 0, view);
        if let Some((name, _)) = &item.tagged {
            let text = Text::new("not-modelled-match").arg("what", format!("tagged {name}"));
            list.iter_mut().for_each(|when| when.doubts.push(text.clone()));
        }
        merged(list)
    }
}

/// Whether rules of a list each decide all packets of a family, for both families.
pub fn leaves_nothing(list: &[Rule]) -> bool {
    let settles = |rule: &&Rule| matches!(rule.action, Action::Accept | Action::Drop | Action::Goto(_));
    Family::BOTH.iter().all(|family| list.iter().filter(settles).any(|rule| all_of(&rule.when, *family)))
}

/// Whether every packet of a family fits for certain.
fn all_of(when: &Match, family: Family) -> bool {
    let whole = match when.cube.constraints() {
        [] => true,
        [(Field::Family, families)] => families.contains(family as u128),
        _ => false,
    };
    whole
        && when.input.is_empty()
        && when.output.is_empty()
        && when.terms.is_empty()
        && when.doubts.is_empty()
}

/// Whether a rule of this passage passes packets without making a state, or none decides about some.
pub fn stateless(items: &Items, going_out: bool) -> bool {
    let mut here = items.list.iter().filter(|item| item.sees(going_out));
    let everything = here.clone().any(Item::is_everything);
    !everything || here.any(|item| item.verb == Verb::Pass && !item.state)
}
