//! Going out: which tag a packet got coming in, which source translation gives it, and the rules that then apply.

use super::build::{Builder, MOST_COPIES, Tag, leaves_nothing, stateless};
use super::items::Item;
use super::matches::{Asked, Reach, View};
use super::rule::Verb;
use super::state;
use super::targets::Target;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::Ranges;
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, ChainId, InterfaceMatch, Match, Rule};

/// How often rules that tag and rules that end the search without a tag may take turns; each turn is a chain in a
/// chain.
const MOST_TURNS: usize = 24;

/// A source translation as rules behind it see it.
struct Source {
    /// Who is translated.
    packets: Vec<Match>,
    /// Rules from this place on see the new source.
    from: usize,
    /// The new source; `None` where the packet stays as it is.
    target: Option<Target>,
    /// The source port stays.
    fixed: bool,
    /// The filter is not asked.
    pass: bool,
}

/// Builds the chain of what goes out.
pub fn outgoing(builder: &mut Builder) -> ChainId {
    let mut list = builder.skipped(true, &Action::Accept);
    list.extend(state::going(builder));
    let names: BTreeSet<String> = builder
        .items
        .list
        .iter()
        .filter(|item| item.sees(true))
        .filter_map(|item| item.tagged.as_ref().map(|(name, _)| name.clone()))
        .collect();
    let copies = (names.len() + 1).saturating_mul(builder.items.size);
    if names.is_empty() || copies > MOST_COPIES || turns(builder) > MOST_TURNS {
        let rules = passage(builder, Tag::Open, false);
        list.extend(rules);
        return builder.chain("out", list);
    }
    // One list for each tag that rules ask for, and one for all others and for none.
    let mut by_tag: BTreeMap<Option<String>, ChainId> = BTreeMap::new();
    for name in names.into_iter().map(Some).chain([None]) {
        let rules = passage(builder, Tag::Known(name.as_deref()), true);
        let chain = builder.chain("out", rules);
        by_tag.insert(name, chain);
    }
    let chosen = choice(builder, &by_tag);
    list.extend(chosen);
    builder.chain("out", list)
}

/// How often rules that tag and let the search go on are followed by one that ends it without a tag.
fn turns(builder: &Builder) -> usize {
    let quick: BTreeSet<usize> = builder.items.order.iter().take(builder.items.quick).copied().collect();
    let (mut turns, mut open) = (0, false);
    for (place, item) in builder.items.list.iter().enumerate().filter(|(_, item)| item.sees(false)) {
        let ends = item.verb != Verb::Match && quick.contains(&place);
        match (&item.tag, ends) {
            (Some(_), false) => open = true,
            (None, true) if open => {
                turns += 1;
                open = false;
            }
            _ => {}
        }
    }
    turns
}

/// The rules of the passage for packets whose tag is known or not.
fn passage(builder: &mut Builder, tag: Tag<'_>, copied: bool) -> Vec<Rule> {
    let order = builder.items.order.clone();
    let view = View::plain(true);
    let stray = View { asked: Asked::Stray, ..view };
    let odd = builder.decisions(&order, &stray, tag, copied);
    let mut list = builder.strays("out", odd);
    let looks = |place: &usize| {
        builder.items.list.get(*place).is_some_and(|item| {
            item.sees(true)
                && item.verb != Verb::Match
                && item
                    .conds
                    .iter()
                    .any(|c| !c.from.is_empty() || c.source_ports.is_some() || !c.doubts.is_empty())
        })
    };
    let looked = order.iter().any(looks);
    let sources = sources(builder, tag);
    let plain = decided(builder, &order, &view, tag, copied);
    if !sources.iter().any(|s| s.pass || looked && s.target.is_some()) {
        list.extend(plain);
        return list;
    }
    let too_many = sources.len().saturating_mul(builder.items.size) > MOST_COPIES;
    let mut plain = plain;
    if !copied && !leaves_nothing(&plain) {
        plain.push(builder.plain(Match::default(), Action::Accept));
    }
    let rest = builder.chain("out", plain);
    let mut known: Vec<(usize, Option<Target>, bool, ChainId)> = Vec::new();
    for source in &sources {
        let unknown = Target::Unknown(String::new());
        let target = if too_many { Some(&unknown) } else { source.target.as_ref() };
        let chain = match target {
            _ if source.pass => None,
            None => Some(rest),
            Some(target) => {
                // Where no rule stands between them, two translations to one target are seen alike.
                let from = next_decision(builder, source.from);
                let (from, fixed) = if too_many { (0, false) } else { (from, source.fixed) };
                let same = known.iter().find(|k| k.0 == from && k.1.as_ref() == Some(target) && k.2 == fixed);
                match same {
                    Some((.., chain)) => Some(*chain),
                    None => {
                        let view = View { source: Some((from, target, !fixed)), ..view };
                        let rules = decided(builder, &order, &view, tag, true);
                        let chain = builder.chain("out", rules);
                        known.push((from, Some(target.clone()), fixed, chain));
                        Some(chain)
                    }
                }
            }
        };
        let action = chain.map_or(Action::Accept, Action::Goto);
        for when in &source.packets {
            let rule = builder.plain(when.clone(), action.clone());
            list.push(builder.aside(rule));
        }
    }
    list.push(builder.plain(Match::default(), Action::Goto(rest)));
    list
}

/// The rules that decide; what none does passes, and a list that is one of several does not leave it open.
fn decided(builder: &mut Builder, order: &[usize], view: &View<'_>, tag: Tag<'_>, copied: bool) -> Vec<Rule> {
    let mut list = builder.decisions(order, view, tag, copied);
    if copied {
        list.push(builder.plain(Match::default(), Action::Accept));
    }
    list
}

/// The first place from one on at which a rule decides.
fn next_decision(builder: &Builder, from: usize) -> usize {
    let list = &builder.items.list;
    let decides = |place: &usize| list.get(*place).is_some_and(|i| i.verb != Verb::Match && i.sees(true));
    (from..list.len()).find(decides).unwrap_or(list.len())
}

/// The translations of the source in the order in which they take packets.
fn sources(builder: &Builder, tag: Tag<'_>) -> Vec<Source> {
    let first = View { asked: Asked::First, ..View::plain(true) };
    let mut out = Vec::new();
    for (at, (item, no, pass)) in builder.nats.iter().enumerate() {
        if !item.sees(true) {
            continue;
        }
        let translate = item.rewrites(true).filter(|_| !no);
        let target = match item.verb {
            Verb::Open => Some(Target::Unknown(String::new())),
            _ => translate.map(|t| Builder::target(&t.targets)),
        };
        out.push(Source {
            packets: builder.of_nat(at, &first),
            from: 0,
            target,
            fixed: translate.is_some_and(|t| t.static_port),
            pass: *pass,
        });
    }
    for (place, item) in builder.items.list.iter().enumerate() {
        let (Verb::Match, Some(translate)) = (item.verb, item.rewrites(true)) else { continue };
        out.push(Source {
            packets: builder.packets(place, &first, true, tag),
            from: place,
            target: Some(Builder::target(&translate.targets)),
            fixed: translate.static_port,
            pass: false,
        });
    }
    out
}

/// Sends each packet to the list of its tag: of the rules that matched it coming in, up to the one that ended the
/// search, the last that tags has set it.
fn choice(builder: &mut Builder, by_tag: &BTreeMap<Option<String>, ChainId>) -> Vec<Rule> {
    let none = by_tag.get(&None).copied().unwrap_or_default();
    let of = |tag: &Option<String>| by_tag.get(tag).copied().unwrap_or(none);
    // Where nothing that can begin no connection comes in, such packets need no tag either.
    let begins = |item: &Item| item.flags.is_none() || item.opens_only();
    let asked = match !stateless(&builder.items, false) && builder.items.list.iter().all(begins) {
        true => Asked::Opening,
        false => Asked::Exact,
    };
    let exact = View { asked, reach: Reach::Beyond, ..View::plain(false) };
    // What translation set, if no rule of the filter sets another.
    let mut base: Vec<Rule> = Vec::new();
    let marks: Vec<(String, Vec<u16>)> = builder.marks.tags().map(|(n, m)| (n.clone(), m.clone())).collect();
    for (name, marks) in marks {
        let mut when = Match::default();
        let marks = marks.iter().map(|mark| (u128::from(*mark), u128::from(*mark))).collect();
        when.narrow(Field::Translated, &marks);
        base.push(builder.plain(when, Action::Goto(of(&Some(name)))));
    }
    base.push(builder.plain(Match::default(), Action::Goto(none)));
    let mut before: ChainId = builder.chain("tags", base);

    let mut quick: Vec<bool> = vec![false; builder.items.list.len()];
    for place in builder.items.order.iter().take(builder.items.quick) {
        if let Some(q) = quick.get_mut(*place) {
            *q = builder.items.list.get(*place).is_some_and(|item| item.verb != Verb::Match);
        }
    }
    let mut list: Vec<Rule> = Vec::new();
    // Rules that tag and do not end the search, since the last chain was made of them; from the last to the first.
    let mut open: Vec<Rule> = Vec::new();
    for (place, quick) in quick.into_iter().enumerate() {
        let Some(item) = builder.items.list.get(place) else { continue };
        let (span, tag, verb) = (item.span.clone(), item.tag.clone(), item.verb);
        if !item.sees(false) || verb == Verb::Block && tag.is_none() || !quick && tag.is_none() {
            continue;
        }
        let packets = tagging(builder, place, &exact);
        let to = match (&tag, quick) {
            (Some(_), _) => of(&tag),
            (None, _) => {
                if !open.is_empty() {
                    open.push(builder.plain(Match::default(), Action::Goto(before)));
                    before = builder.chain("tags", std::mem::take(&mut open));
                }
                before
            }
        };
        let rule = |when| Rule {
            span: span.clone(),
            when: Builder::received(when),
            action: Action::Goto(to),
            log: false,
        };
        let whole = !packets.is_empty() && packets.iter().all(everything);
        let rules: Vec<Rule> = packets.into_iter().map(rule).map(|rule| builder.aside(rule)).collect();
        if quick {
            list.extend(rules);
        } else {
            // Evaluated last to first; what matches everything hides what stands before it.
            if whole {
                open.clear();
                before = to;
            } else {
                open.splice(0..0, rules);
            }
        }
    }
    for rule in open {
        list.push(rule);
    }
    let mut inside = builder.plain(Match::default(), Action::Goto(before));
    inside.when.input.push(InterfaceMatch { patterns: vec!["*".into()], negate: false });
    list.push(inside);
    list.push(builder.plain(Match::default(), Action::Goto(none)));
    list
}

/// Whether a rule takes every packet that came in.
fn everything(when: &Match) -> bool {
    let all = |m: &InterfaceMatch| !m.negate && m.patterns.iter().any(|p| p == "*");
    when.input.iter().all(all)
        && when.output.is_empty()
        && when.cube.constraints().is_empty()
        && when.terms.is_empty()
        && when.doubts.is_empty()
}

/// The packets of a rule coming in as they are going out: one that translated them knows them by its mark.
fn tagging(builder: &Builder, place: usize, exact: &View<'_>) -> Vec<Match> {
    match builder.marks.of_item(place) {
        Some(mark) => {
            let mut when = Match::default();
            when.narrow(Field::Translated, &Ranges::single(mark.into()));
            vec![when]
        }
        None => builder.packets(place, exact, false, Tag::Open),
    }
}
