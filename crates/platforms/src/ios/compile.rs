//! Access lists as chains: as filters, as choosers, and as seen from the other end of a connection.

use super::config::{Config, Item, List, Named};
use super::entry::{Address, Entry, Service, Services};
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Chain, ChainId, Fact, Match, Note, Rule, RuleSet, Translation, What};

/// What a list sees in place of an address that was translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// The address itself.
    #[default]
    Plain,
    /// One of these outside addresses.
    Global(u32, u32),
    /// An outside address that is not in the file.
    Unknown,
}

/// How a list looks at packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// Asked about the packet that opened the connection this one answers.
    pub mirrored: bool,
    pub source: Seen,
    pub destination: Seen,
}

/// What happens to chosen packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Accept,
    Drop { log: bool },
    Return,
    Unknown,
    Source,
    Goto(ChainId),
    Jump(ChainId),
}

impl Target {
    /// The action of a rule.
    pub fn action(self) -> Action {
        match self {
            Target::Accept => Action::Accept,
            Target::Drop { .. } => Action::Drop,
            Target::Return => Action::Return,
            Target::Unknown => Action::Unknown,
            Target::Source => Action::Translate(Translation::Source),
            Target::Goto(chain) => Action::Goto(chain),
            Target::Jump(chain) => Action::Jump(chain),
        }
    }

    fn logs(self) -> bool {
        self == Target::Drop { log: true }
    }
}

/// What a list is used for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Permit accepts, deny drops.
    Filter,
    /// Permit chooses, deny does not.
    Choose(Target),
    /// What is not permitted is chosen.
    Except(Target),
    /// The entries that remember sessions under this name choose, all others do not.
    Reflected(String, Target),
}

/// Builds chains of a configuration.
pub struct Compiler<'c> {
    pub config: &'c Config<'c>,
    pub rules: RuleSet,
    lists: BTreeMap<(Family, String, View, Purpose), ChainId>,
    networks: BTreeMap<String, Option<(Ranges, bool)>>,
    services: BTreeMap<String, (Vec<Service>, bool)>,
    /// Rules that entries with groups of services may still become.
    spread: usize,
    /// Classes that classes hold, as chains.
    pub classes: BTreeMap<(String, View, Target), ChainId>,
    /// Lines of classes in classes that may still be followed.
    pub room: usize,
    /// Lists on interfaces by what they remember sessions under.
    reflecting: BTreeMap<(Family, String), BTreeSet<String>>,
}

/// A rule at a place.
pub fn rule(span: &Span, when: Match, action: Action) -> Rule {
    Rule { span: span.clone(), when, action, log: false }
}

/// A doubt about a condition.
pub fn doubtful(what: &str) -> Text {
    Text::new("not-modelled-match").arg("what", what)
}

impl<'c> Compiler<'c> {
    /// Starts with nothing.
    pub fn new(config: &'c Config<'c>) -> Self {
        let rules = RuleSet { platform: "ios", ..RuleSet::default() };
        let mut reflecting: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        let bound = config.interfaces.values().flat_map(|i| &i.lists);
        let bound: BTreeSet<(Family, &String)> =
            bound.map(|((family, _), list)| (*family, &list.name)).collect();
        for (family, name) in bound {
            let entries = config.lists.get(&(family, name.clone())).into_iter().flat_map(|l| l.entries());
            for reflect in entries.filter_map(|e| e.reflect.clone()) {
                reflecting.entry((family, reflect)).or_default().insert(name.clone());
            }
        }
        let lines: usize = config.classes.values().map(|c| c.lines.len()).sum();
        let room = 1_000 + 100 * (lines + config.pairs.len());
        let (lists, networks, services) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (classes, spread) = (BTreeMap::new(), 500_000);
        Compiler { config, rules, lists, networks, services, spread, classes, room, reflecting }
    }

    /// Adds a chain.
    pub fn chain(&mut self, name: impl Into<String>, rules: Vec<Rule>) -> ChainId {
        self.rules.chains.push(Chain { name: name.into(), rules });
        self.rules.chains.len() - 1
    }

    /// The services of a group, and whether it may hold others; none when that is not known.
    pub fn service(&mut self, name: &str) -> &(Vec<Service>, bool) {
        let config = self.config;
        self.services.entry(name.to_string()).or_insert_with(|| config.service(name).unwrap_or_default())
    }

    /// Says that something is not modelled, and gives the doubt for the rule.
    pub fn open(&mut self, span: &Span, text: Text, bears: bool) -> Text {
        self.rules.notes.push(Note { span: span.clone(), text: text.clone(), bears });
        text
    }

    /// The chain of a list; `None` when it is not defined or has no entry, and so decides nothing.
    pub fn list(&mut self, family: Family, name: &str, view: View, purpose: &Purpose) -> Option<ChainId> {
        let config = self.config;
        let list = config.lists.get(&(family, name.to_string())).filter(|l| !l.items.is_empty())?;
        let key = (family, name.to_string(), view, purpose.clone());
        if let Some(&known) = self.lists.get(&key) {
            return Some(known);
        }
        let mut out = Vec::with_capacity(list.items.len());
        for (_, item) in &list.items {
            match item {
                Item::Entry(entry) => self.entry(family, name, entry, view, purpose, &mut out),
                Item::Evaluate(named) => {
                    // Nothing is remembered about the packet that opened the connection.
                    if !view.mirrored {
                        self.evaluate(family, named, view, purpose, &mut out);
                    }
                }
            }
        }
        if let Purpose::Except(target) = purpose {
            out.push(rule(&list.span, Match::default(), target.action()));
        }
        let chain = self.chain(name, out);
        self.lists.insert(key, chain);
        Some(chain)
    }

    fn entry(
        &mut self,
        family: Family,
        name: &str,
        entry: &Entry,
        view: View,
        purpose: &Purpose,
        out: &mut Vec<Rule>,
    ) {
        let target = match (purpose, entry.permit) {
            (Purpose::Filter, true) => Target::Accept,
            (Purpose::Filter, false) => Target::Drop { log: false },
            (Purpose::Choose(target), true) | (Purpose::Except(target), false) => *target,
            (Purpose::Choose(_), false) | (Purpose::Except(_), true) => Target::Return,
            (Purpose::Reflected(wanted, target), permit) => {
                if permit && entry.reflect.as_ref() == Some(wanted) { *target } else { Target::Return }
            }
        };
        let (matches, wider) = self.matches(family, entry, view);
        for mut when in matches {
            // Later fragments are no packets here; nor is what cannot be an answer.
            if when.never && (entry.fragments || view != View::default()) {
                continue;
            }
            // What a list only chooses, it does not log.
            let log = entry.log && *purpose == Purpose::Filter || target.logs();
            let mut rule =
                Rule { span: entry.span.clone(), when: Match::default(), action: target.action(), log };
            if wider && matches!(target, Target::Accept | Target::Drop { .. }) {
                // An entry seen as wider than it is written must not be taken for one that shadows others: what
                // ends the chain stands behind a jump.
                let leaf = self.chain(name, vec![rule.clone()]);
                rule.action = Action::Jump(leaf);
                rule.log = false;
            } else if wider {
                // Nothing is exempt from tracking here: all states but that one are all there are.
                when.narrow(Field::State, &Ranges::span(0, 3));
            }
            rule.when = when;
            out.push(rule);
        }
    }

    /// The answers to what lists in force remember under a name.
    fn evaluate(
        &mut self,
        family: Family,
        named: &Named,
        view: View,
        purpose: &Purpose,
        out: &mut Vec<Rule>,
    ) {
        let target = match purpose {
            Purpose::Filter => Some(Target::Accept),
            Purpose::Choose(Target::Return) | Purpose::Except(_) | Purpose::Reflected(..) => None,
            Purpose::Choose(target) => Some(*target),
        };
        let mut when = Match::default();
        when.narrow(Field::State, &Ranges::single(1));
        let lists = self.reflecting.get(&(family, named.name.clone())).cloned().unwrap_or_default();
        let (Some(target), false) = (target, lists.is_empty()) else {
            let doubt = self.open(&named.span, doubtful(&format!("evaluate {}", named.name)), true);
            when.doubts.push(doubt);
            out.push(rule(&named.span, when, target.unwrap_or(Target::Return).action()));
            return;
        };
        let mirrored = View { mirrored: !view.mirrored, source: view.destination, destination: view.source };
        let purpose = Purpose::Reflected(named.name.clone(), target);
        for list in lists {
            if let Some(inner) = self.list(family, &list, mirrored, &purpose) {
                out.push(rule(&named.span, when.clone(), Action::Jump(inner)));
            }
        }
    }

    /// The packets of an entry, one product per service; and whether the view makes them more than it says.
    fn matches(&mut self, family: Family, entry: &Entry, view: View) -> (Vec<Match>, bool) {
        let mut base = Match { never: entry.fragments, ..Match::default() };
        base.narrow(Field::Family, &Ranges::single(family as u128));
        for text in &entry.doubts {
            let text = self.open(&entry.span, text.clone(), true);
            base.doubts.push(text);
        }
        if let Some(name) = &entry.times {
            let text = self.open(&entry.span, doubtful(&format!("time-range {name}")), true);
            base.doubts.push(text);
            if let Some(Some(date)) = self.config.times.get(name) {
                self.rules.facts.push(Fact { span: entry.span.clone(), what: What::Until(*date) });
            }
        }
        let (source, destination) = match view.mirrored {
            false => (Field::Source, Field::Destination),
            true => (Field::Destination, Field::Source),
        };
        let ends =
            [(source, &entry.source, view.source), (destination, &entry.destination, view.destination)];
        let mut wider = view.mirrored && entry.flags.is_some();
        for (field, address, seen) in ends {
            wider |= seen != Seen::Plain && !matches!(address, Address::Any);
            self.address(family, &entry.span, address, seen, field, &mut base);
        }
        if let Some(flags) = &entry.flags {
            match view.mirrored {
                false => base.narrow(Field::TcpFlags, flags),
                // The packet that opened the connection carried SYN alone.
                true => base.never |= !flags.contains(0x02),
            }
        }
        let (services, open) = match &entry.services {
            Services::Plain(service) => (vec![service.clone()], None),
            Services::Group(name) => {
                let (list, open) = self.service(name);
                let (list, open) = (list.clone(), *open || list.is_empty());
                let spent = self.spread < list.len();
                self.spread = self.spread.saturating_sub(list.len());
                let (list, open) = if spent { (Vec::new(), true) } else { (list, open) };
                (list, open.then(|| doubtful(&format!("object-group {name}"))))
            }
        };
        let known = services.iter().map(|service| service_match(&base, family, service, view));
        let mut out: Vec<Match> = known.collect();
        if let Some(text) = open {
            base.doubts.push(self.open(&entry.span, text, true));
            out.push(base);
        }
        (out, wider)
    }

    fn address(
        &mut self,
        family: Family,
        span: &Span,
        address: &Address,
        seen: Seen,
        field: Field,
        when: &mut Match,
    ) {
        let ranges = match address {
            Address::Any => return,
            Address::Ranges(ranges) => ranges.clone(),
            Address::Open(what) => {
                let text = self.open(span, doubtful(what), true);
                when.doubts.push(text);
                return;
            }
            Address::Group(name) => {
                let config = self.config;
                let resolve = || {
                    let (list, open) = config.network(name)?;
                    Some((Ranges::from_unsorted(list), open))
                };
                let known = self.networks.entry(name.clone()).or_insert_with(resolve).clone();
                match known {
                    Some((ranges, false)) if !ranges.is_empty() => ranges,
                    // Empty, not defined, or with members that are not modelled.
                    _ => {
                        let text = self.open(span, doubtful(&format!("object-group {name}")), true);
                        when.doubts.push(text);
                        return;
                    }
                }
            }
        };
        match seen {
            Seen::Plain => when.narrow(field, &ranges.intersect(&Ranges::full(family.max_address()))),
            Seen::Unknown => when.doubts.push(doubtful("ip nat")),
            Seen::Global(lo, hi) => {
                let outside = Ranges::span(lo.into(), hi.into());
                if !ranges.meets(&outside) {
                    when.never = true;
                } else if !outside.is_subset(&ranges) {
                    when.doubts.push(doubtful("ip nat"));
                }
            }
        }
    }
}

fn service_match(base: &Match, family: Family, service: &Service, view: View) -> Match {
    let mut when = base.clone();
    let Some(protocol) = service.protocol else { return when };
    when.narrow(Field::Protocol, &Ranges::single(protocol.into()));
    let icmp = protocol == if family == Family::V4 { 1 } else { 58 };
    let (first, second) = match view.mirrored && !icmp {
        false => (Field::SourcePort, Field::DestinationPort),
        true => (Field::DestinationPort, Field::SourcePort),
    };
    if let Some(ports) = &service.source {
        match (icmp && view.mirrored, ports.only()) {
            (true, Some(kind)) => match answer(kind) {
                Some(reply) => when.narrow(first, &Ranges::single(reply)),
                None => when.never = true,
            },
            _ => when.narrow(first, ports),
        }
    }
    if let Some(ports) = &service.destination {
        when.narrow(second, ports);
    }
    when
}

/// The ICMP type that answers a request (RFC 792, RFC 4443).
fn answer(kind: u128) -> Option<u128> {
    Some(match kind {
        8 => 0,
        13 => 14,
        15 => 16,
        17 => 18,
        128 => 129,
        _ => return None,
    })
}

/// Whether a list says anything about the field that a translation changes.
pub fn tells(list: &List, field: Field) -> bool {
    list.entries().any(|e| {
        let address = if field == Field::Source { &e.source } else { &e.destination };
        !matches!(address, Address::Any)
    }) || list.items.iter().any(|(_, item)| matches!(item, Item::Evaluate(_)))
}
