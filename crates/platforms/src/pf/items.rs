//! Rules with their lists multiplied out, anchors put in their place, and the order in which they decide.

use super::cond::{Cond, Held, all, conds};
use super::config::{Config, Node};
use super::hosts::{Alternative, Host, More};
use super::names::OPENING;
use super::rule::{Raw, Verb};
use super::targets::{Rewrite, Target, Translate};
use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Ranges, Span, Text};
use tillgate_ruleset::{InterfaceMatch, Note};

/// A rule in its place.
#[derive(Clone, Debug)]
pub struct Item {
    /// The statement.
    pub span: Span,
    /// What it does.
    pub verb: Verb,
    /// Whether it sees packets coming in, and going out.
    pub ways: (bool, bool),
    /// Writes a log entry.
    pub log: bool,
    /// Whether a packet it passes makes a state.
    pub state: bool,
    /// It matches when one of these holds.
    pub conds: Vec<Cond>,
    /// The flags a TCP packet may have; `None` for any.
    pub flags: Option<Arc<Ranges>>,
    /// What it writes on the packet.
    pub tag: Option<String>,
    /// What the packet must (`true`: must not) have been tagged with.
    pub tagged: Option<(String, bool)>,
    /// What it rewrites.
    pub translations: Vec<Translate>,
    /// It is about sources that cannot come from where they come from (`antispoof`).
    pub forged: bool,
}

/// All rules with the order in which they decide.
#[derive(Debug, Default)]
pub struct Items {
    /// In the order of the file.
    pub list: Vec<Item>,
    /// The first of these that matches decides: what is `quick` first, the rest from the end.
    pub order: Vec<usize>,
    /// How many of the order are quick.
    pub quick: usize,
    /// The first rule that tags what comes in, and the first that tags what goes out.
    pub first_tag: (Option<usize>, Option<usize>),
    /// How many rules without lists would hold as much.
    pub size: usize,
}

/// What holds for all rules of an anchor.
struct Around<'a> {
    conds: &'a [Cond],
    ways: (bool, bool),
    flags: Option<Arc<Ranges>>,
    tagged: Option<(String, bool)>,
}

/// Multiplies out the rules of a configuration; what is not modelled is noted.
pub struct Making<'a> {
    config: &'a Config,
    notes: &'a mut Vec<Note>,
    held: Held,
    list: Vec<Item>,
}

impl<'a> Making<'a> {
    /// Nothing yet.
    pub fn new(config: &'a Config, notes: &'a mut Vec<Note>) -> Self {
        Making { config, notes, held: Held::default(), list: Vec::new() }
    }

    /// All rules of the filter.
    pub fn items(&mut self, nodes: Vec<Node>) -> Items {
        let everything = [Cond::default()];
        let around = Around { conds: &everything, ways: (true, true), flags: None, tagged: None };
        let (mut order, late) = self.walk(nodes, &around);
        let quick = order.len();
        order.extend(late.into_iter().rev());
        let list = std::mem::take(&mut self.list);
        let first = |going_out| list.iter().position(|item| item.tag.is_some() && item.sees(going_out));
        let first_tag = (first(false), first(true));
        let size = list.iter().map(Item::size).sum();
        Items { list, order, quick, first_tag, size }
    }

    /// The rules of a list: which are quick, in order, and which are not, in the order of the file.
    fn walk(&mut self, nodes: Vec<Node>, around: &Around<'_>) -> (Vec<usize>, Vec<usize>) {
        let (mut quick, mut late) = (Vec::new(), Vec::new());
        for node in nodes {
            match node {
                Node::Rule(raw) => {
                    let item = self.item(&raw, around);
                    // What acts without deciding, or may decide anything, does so where it stands.
                    let here = raw.quick || matches!(item.verb, Verb::Match | Verb::Open);
                    for item in halves(item, &raw.from) {
                        if here {
                            quick.push(self.list.len())
                        } else {
                            late.push(self.list.len())
                        }
                        self.list.push(item);
                    }
                }
                Node::Anchor(mut open, name, None) => {
                    let text = Text::new("not-modelled-statement").arg("what", format!("anchor {name}"));
                    open.doubts.push(text);
                    quick.push(self.list.len());
                    let item = self.item(&open, around);
                    self.list.push(item);
                }
                Node::Anchor(raw, _, Some(inside)) => {
                    let own = conds(&raw, self.config, &mut self.held);
                    let conds = all(around.conds, own, &raw, &mut self.held);
                    let around = Around {
                        conds: &conds,
                        ways: (around.ways.0 && raw.ways.0, around.ways.1 && raw.ways.1),
                        flags: narrower(&around.flags, &raw.flags),
                        tagged: raw.tagged.clone().or_else(|| around.tagged.clone()),
                    };
                    let (q, mut n) = self.walk(inside, &around);
                    quick.extend(q);
                    if raw.quick {
                        // What matched inside ends the search.
                        n.reverse();
                        quick.extend(n);
                    } else {
                        late.extend(n);
                    }
                }
            }
        }
        (quick, late)
    }

    /// A translation rule of its own, set apart for each passage it sees.
    pub fn single(&mut self, raw: &Raw) -> Vec<Item> {
        let everything = [Cond::default()];
        let around = Around { conds: &everything, ways: (true, true), flags: None, tagged: None };
        halves(self.item(raw, &around), &raw.from)
    }

    fn item(&mut self, raw: &Raw, around: &Around<'_>) -> Item {
        let own = conds(raw, self.config, &mut self.held);
        let mut conds = match around.conds {
            [only] if only.is_everything() => own,
            outer => all(outer, own, raw, &mut self.held),
        };
        let mut tagged = raw.tagged.clone();
        if let (Some(outer), Some(_)) = (&around.tagged, &tagged) {
            let text = Text::new("not-modelled-match").arg("what", format!("tagged {}", outer.0));
            conds.iter_mut().for_each(|c| c.doubts.push(text.clone()));
        }
        tagged = tagged.or_else(|| around.tagged.clone());
        let acts = raw.verb != Verb::Match || raw.tag.is_some() || !raw.translations.is_empty();
        if acts {
            let mut seen: BTreeMap<&Text, ()> = BTreeMap::new();
            for text in conds.iter().flat_map(|c| &c.doubts) {
                if seen.insert(text, ()).is_none() {
                    self.notes.push(Note { span: raw.span.clone(), text: text.clone(), bears: true });
                }
            }
        }
        let state = raw.verb == Verb::Pass && raw.state != Some(false);
        // What is said of an anchor's flags takes nothing from what its rules take by default.
        let own = raw.flags.clone().or_else(|| state.then(|| OPENING.clone()));
        let flags = narrower(&around.flags, &own);
        Item {
            span: raw.span.clone(),
            verb: raw.verb,
            ways: (around.ways.0 && raw.ways.0, around.ways.1 && raw.ways.1),
            log: raw.log,
            state,
            conds,
            flags: flags.filter(|f| f.as_slice() != [(0, 255)]),
            tag: raw.tag.clone(),
            tagged,
            translations: raw.translations.clone(),
            forged: raw.forged,
        }
    }
}

/// `binat` is two rules: one rewrites the source going out, the other the destination coming in.
fn halves(item: Item, inside: &[Host]) -> Vec<Item> {
    let Some(translate) = item.translations.iter().find(|t| t.what == Rewrite::Binat).cloned() else {
        return vec![item];
    };
    let mut out = Vec::new();
    if item.ways.1 {
        let nat = Translate { what: Rewrite::Nat, ..translate.clone() };
        out.push(Item { ways: (false, true), translations: vec![nat], ..item.clone() });
    }
    if item.ways.0 {
        let outside: Vec<Alternative> = translate
            .targets
            .iter()
            .map(|target| match target {
                Target::Addresses(family, lo, hi) => {
                    let mut ranges = [Ranges::empty(), Ranges::empty()];
                    if let Some(own) = ranges.get_mut(*family as usize) {
                        *own = Ranges::span(*lo, *hi);
                    }
                    Alternative { ranges, ..Alternative::default() }
                }
                Target::Unknown(name) => Alternative {
                    any: true,
                    more: More::Own(false),
                    doubt: Some(Text::new("not-modelled-match").arg("what", name)),
                    ..Alternative::default()
                },
            })
            .collect();
        let targets = inside.iter().filter_map(|host| match host {
            Host::Addresses(family, ranges, false) => {
                let (lo, hi) = ranges.as_slice().first()?;
                Some(Target::Addresses(*family, *lo, *hi))
            }
            _ => Some(Target::Unknown(String::new())),
        });
        let rdr =
            Translate { what: Rewrite::Rdr, targets: targets.collect(), ports: None, static_port: true };
        let mut item = Item { ways: (true, false), translations: vec![rdr], ..item };
        for cond in &mut item.conds {
            cond.from = std::mem::take(&mut cond.to);
            cond.to.clone_from(&outside);
            cond.doubts.extend(outside.iter().filter_map(|a| a.doubt.clone()));
            std::mem::swap(&mut cond.source_ports, &mut cond.ports);
        }
        out.push(item);
    }
    out
}

/// What both allow; `None` allows everything.
fn narrower(a: &Option<Arc<Ranges>>, b: &Option<Arc<Ranges>>) -> Option<Arc<Ranges>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Arc::new(a.intersect(b))),
        (a, b) => a.clone().or_else(|| b.clone()),
    }
}

impl Item {
    /// How many rules without lists would hold as much.
    fn size(&self) -> usize {
        (self.conds.iter().map(Cond::size).sum::<usize>() / 64).max(1)
    }

    /// Whether the TCP packets it takes can all begin a connection.
    pub fn opens_only(&self) -> bool {
        self.flags.as_ref().is_some_and(|f| Arc::ptr_eq(f, &OPENING) || f.is_subset(&OPENING))
    }

    /// Whether it sees packets of a passage.
    pub fn sees(&self, going_out: bool) -> bool {
        if going_out { self.ways.1 } else { self.ways.0 }
    }

    /// Whether it may or may not match.
    pub fn is_doubtful(&self) -> bool {
        self.conds.iter().any(|c| !c.doubts.is_empty())
    }

    /// Whether it is about the firewall's talk with itself only.
    pub fn is_loopback(&self) -> bool {
        let own = |m: &InterfaceMatch| !m.negate && m.patterns.iter().all(|p| p.starts_with("lo"));
        !self.conds.is_empty() && self.conds.iter().all(|c| c.on.iter().any(own))
    }

    /// Whether it passes whatever comes by its interfaces.
    pub fn is_wide(&self) -> bool {
        let wide =
            |c: &Cond| c.protocols.is_none() && c.from.is_empty() && c.to.is_empty() && c.icmp.is_none();
        self.verb == Verb::Pass && self.conds.iter().all(wide)
    }

    /// Whether it asks for addresses of the firewall as destinations.
    pub fn asks_own(&self) -> bool {
        self.conds.iter().flat_map(|c| &c.to).any(|a| matches!(a.more, More::Own(_)))
    }

    /// Whether it decides about every packet.
    pub fn is_everything(&self) -> bool {
        let decides = matches!(self.verb, Verb::Pass | Verb::Block);
        decides && self.tagged.is_none() && self.flags.is_none() && self.conds.iter().any(Cond::is_everything)
    }

    /// How it rewrites packets coming in (`false`) or going out.
    pub fn rewrites(&self, going_out: bool) -> Option<&Translate> {
        let fits = |t: &&Translate| match t.what {
            Rewrite::Rdr => !going_out,
            Rewrite::Nat => going_out,
            Rewrite::Binat => true,
        };
        self.translations.iter().find(fits)
    }
}
