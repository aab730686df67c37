//! One packet, rule by rule. Independent of the diagrams, so that each engine can check the other.

use crate::outcome::{Exit, LOGGED, Outcomes, UNTRACKED};
use crate::program::RuleId;
use crate::rules::{
    Action, Base, ChainId, Hook, InterfaceMatch, Kind, Match, Part, Policy, RuleSet, Special, Term,
    Translation,
};
use crate::universe::interface_matches;
use tillgate_intent::Topology;
use tillgate_model::{Decision, Family, Packet, Ranges, Span, State, address_bits, address_from_bits};
use tillgate_packetset::{Cube, Field, Point};

/// What a rule did to the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Accepted it, for this base chain.
    Accept,
    /// Dropped it.
    Drop,
    /// Sent it to a chain.
    Jump(String),
    /// Sent it back.
    Return,
    /// Counted, logged or marked it, and went on.
    Pass,
    /// Translated it; the new destination, or `source`.
    Translate(String),
    /// A policy accepted it.
    PolicyAccept,
    /// A policy dropped it.
    PolicyDrop,
    /// Something not modelled.
    Unknown,
}

/// A rule the packet met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Name of the chain.
    pub chain: String,
    /// The rule, or the chain's head for a policy.
    pub span: Span,
    /// What it did.
    pub effect: Effect,
    /// Whether it is certain that the rule matched.
    pub certain: bool,
    /// Whether it wrote a log entry.
    pub log: bool,
}

/// A packet's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The verdict.
    pub decision: Decision,
    /// What may happen.
    pub outcomes: Outcomes,
    /// Rules met, in order. Where a match is uncertain both branches are followed.
    pub steps: Vec<Step>,
    /// The rule or policy that decided; for an unknown verdict, the line that stands in the way.
    pub decided_by: Option<Span>,
    /// Its place in the rule set.
    pub(crate) decider: Option<RuleId>,
    /// Whether the packet left a log entry.
    pub logged: bool,
}

/// Walks a packet through a rule set. The egress interface decides the way: without one the packet is for the
/// firewall itself. `topology` resolves reverse-path and local-address conditions; `name` is the name that led
/// to the destination, if the destination was reached by name (`Some("")`: by none).
pub fn trace(rules: &RuleSet, topology: Option<&Topology>, packet: &Packet, name: Option<&str>) -> Trace {
    let mut walker = Walker {
        rules,
        topology,
        name,
        packet: packet.clone(),
        state: packet.state,
        translated: 0,
        redirected: false,
        open: Vec::new(),
        output_unknown: false,
        steps: Vec::new(),
        decider: None,
        fallback: None,
        doubt: None,
        depth: 0,
        assumed: Vec::new(),
    };
    // Whether a connection's first packet was translated is not known of its later ones.
    if matches!(packet.state, State::Established | State::Related) {
        walker.open.push((Field::Translated, Ranges::full(Field::Translated.maximum())));
    }
    let outcomes = walker.run();
    let decision = match (outcomes.must_accept(), outcomes.must_drop()) {
        (true, _) => Decision::Permit,
        (_, true) => Decision::Deny,
        _ => Decision::Unknown,
    };
    let decider = walker.decider.or(walker.fallback);
    let decided_by = match decision {
        Decision::Unknown => walker.doubt.clone(),
        _ => decider.and_then(|id| span_of(rules, id)),
    };
    Trace {
        decision,
        outcomes,
        logged: walker.steps.iter().any(|s| s.log && s.certain),
        steps: walker.steps,
        decided_by,
        decider,
    }
}

/// The line of a rule or policy.
pub(crate) fn span_of(rules: &RuleSet, (chain, index): RuleId) -> Option<Span> {
    match rules.chains.get(chain)?.rules.get(index) {
        Some(rule) => Some(rule.span.clone()),
        None => rules.bases.iter().find(|b| b.chain == chain).map(|b| b.policy_span.clone()),
    }
}

const ANYTHING: Outcomes = Outcomes(Outcomes::of(Exit::AcceptRule, 0).0 | Outcomes::of(Exit::Drop, 0).0);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tri {
    Yes,
    No,
    Maybe,
}

impl Tri {
    fn and(self, other: Tri) -> Tri {
        match (self, other) {
            (Tri::No, _) | (_, Tri::No) => Tri::No,
            (Tri::Yes, Tri::Yes) => Tri::Yes,
            _ => Tri::Maybe,
        }
    }

    fn or(self, other: Tri) -> Tri {
        self.not().and(other.not()).not()
    }

    fn not(self) -> Tri {
        match self {
            Tri::Yes => Tri::No,
            Tri::No => Tri::Yes,
            Tri::Maybe => Tri::Maybe,
        }
    }

    fn of(yes: bool) -> Tri {
        if yes { Tri::Yes } else { Tri::No }
    }
}

/// Doubtful translations that are followed both ways; each doubles the work.
const MOST_DOUBTS: usize = 6;

#[derive(Clone)]
struct Walker<'a> {
    rules: &'a RuleSet,
    topology: Option<&'a Topology>,
    name: Option<&'a str>,
    packet: Packet,
    state: State,
    /// By which translation its destination was changed; 0 if it was not.
    translated: u16,
    /// Sent to the firewall itself.
    redirected: bool,
    /// Fields of which only a range is known since the packet was translated.
    open: Vec<(Field, Ranges)>,
    /// The packet was translated to somewhere, and nobody said by which interface it leaves.
    output_unknown: bool,
    steps: Vec<Step>,
    /// The last rule that decided.
    decider: Option<RuleId>,
    /// The last policy that decided.
    fallback: Option<RuleId>,
    doubt: Option<Span>,
    depth: usize,
    /// Rules of translation chains that may match, and whether this walk takes them to.
    assumed: Vec<(RuleId, bool)>,
}

impl Walker<'_> {
    fn run(&mut self) -> Outcomes {
        let from_itself = self.packet.input.is_none() && self.packet.output.is_some();
        let mut total = Outcomes::of(Exit::AcceptPolicy, 0);
        if from_itself {
            total = self.hook(Hook::Output, Kind::Filter, total, (i32::MIN, i32::MAX));
        } else {
            total = self.hook(Hook::Prerouting, Kind::Filter, total, (i32::MIN, -201));
            match total.untracked() {
                (true, true) => self.state = State::Untracked,
                // Whether it is tracked is itself in doubt: so is everything after.
                (true, false) => return Outcomes(total.0 | Outcomes::of(Exit::Drop, 0).0),
                _ => {}
            }
            total = self.hook(Hook::Prerouting, Kind::Filter, total, (-200, -100));
            return self.tracked(total);
        }
        self.hook(Hook::Postrouting, Kind::Filter, total, (i32::MIN, i32::MAX))
    }

    /// The way from translation on.
    fn tracked(&mut self, mut total: Outcomes) -> Outcomes {
        if self.state == State::New && total.may_accept() {
            let before = self.clone();
            match self.translate(Hook::Prerouting) {
                Translated::Outcome(outcome) => total = total.and(outcome),
                // A rule that may match: both ways are walked, as far as there are not too many of them.
                Translated::Doubt(rule) if self.assumed.len() < MOST_DOUBTS => {
                    let mut yes = before.clone();
                    yes.assumed.push((rule, true));
                    let taken = yes.tracked(total);
                    *self = before;
                    self.assumed.push((rule, false));
                    self.doubt = self.doubt.take().or_else(|| span_of(self.rules, rule));
                    let left = self.tracked(total);
                    // What is shown is the way that is no surprise, unless it hides who accepts.
                    if !left.may_accept() && taken.may_accept() {
                        yes.doubt = self.doubt.take();
                        *self = yes;
                    }
                    return taken.or(left);
                }
                // What became of it is not known, nor what the rest of the way makes of that.
                Translated::Doubt(_) | Translated::Unknown => return total.or(ANYTHING),
            }
        }
        total = self.hook(Hook::Prerouting, Kind::Filter, total, (-99, i32::MAX));
        let hook = if self.is_local() { Hook::Input } else { Hook::Forward };
        total = self.hook(hook, Kind::Filter, total, (i32::MIN, i32::MAX));
        if !self.is_local() {
            total = self.hook(Hook::Postrouting, Kind::Filter, total, (i32::MIN, i32::MAX));
        }
        total
    }

    fn is_local(&self) -> bool {
        self.packet.output.is_none() && !self.output_unknown
    }

    fn hook(&mut self, hook: Hook, kind: Kind, mut total: Outcomes, priorities: (i32, i32)) -> Outcomes {
        let rules = self.rules;
        for base in rules.at(hook, kind) {
            let in_range = base.priority >= priorities.0 && base.priority <= priorities.1;
            let family_fits = base.family.is_none_or(|f| f == self.packet.family());
            if !in_range || !family_fits || !total.may_accept() {
                continue;
            }
            let state = self.state;
            if matches!(hook, Hook::Prerouting | Hook::Output) && base.priority < -200 {
                self.state = State::Invalid;
            }
            let left = self.chain(base.chain, hook, true);
            let policy = if base.policy == Policy::Accept { Exit::AcceptPolicy } else { Exit::Drop };
            let judged = left.at_policy(policy, 0);
            if judged != left {
                self.policy(base, left);
            }
            self.state = state;
            total = total.and(judged);
        }
        total
    }

    fn policy(&mut self, base: &Base, left: Outcomes) {
        let certain = left.at_policy(Exit::None, 0).must_be_undecided();
        let drop = base.policy == Policy::Drop;
        self.steps.push(Step {
            chain: self.rules.chains[base.chain].name.clone(),
            span: base.policy_span.clone(),
            effect: if drop { Effect::PolicyDrop } else { Effect::PolicyAccept },
            certain,
            log: false,
        });
        let id = (base.chain, usize::MAX);
        if drop {
            self.decider = Some(id);
        } else {
            self.fallback = self.fallback.or(Some(id));
        }
    }

    /// What a chain does with the packet. Only one path is certain; from the first uncertain match on, both
    /// the branch taken and the one not taken are followed, and their outcomes joined.
    fn chain(&mut self, chain: ChainId, hook: Hook, certain: bool) -> Outcomes {
        // Loops are refused by readers; the bound keeps a faulty one from running forever.
        if self.depth > 64 {
            return ANYTHING;
        }
        let rules = self.rules;
        let mut sofar = Outcomes::of(Exit::None, 0);
        let mut certain = certain;
        let point = self.point();
        for (index, rule) in rules.chains[chain].rules.iter().enumerate() {
            if !sofar.may_go_on() {
                break;
            }
            let hit = self.matches(&rule.when, hook, &point);
            if hit == Tri::No {
                continue;
            }
            let sure = hit == Tri::Yes && certain;
            let log = if rule.log { LOGGED } else { 0 };
            let effect = match &rule.action {
                Action::Accept => Effect::Accept,
                Action::Drop => Effect::Drop,
                Action::Jump(to) | Action::Goto(to) => Effect::Jump(rules.chains[*to].name.clone()),
                Action::Return => Effect::Return,
                Action::Continue | Action::Untrack => Effect::Pass,
                Action::Translate(_) => Effect::Accept,
                Action::Unknown => Effect::Unknown,
            };
            self.steps.push(Step {
                chain: rules.chains[chain].name.clone(),
                span: rule.span.clone(),
                effect,
                certain: sure,
                log: rule.log,
            });
            let decides =
                matches!(rule.action, Action::Accept | Action::Drop | Action::Translate(_) | Action::Unknown);
            if decides && (sure || self.decider.is_none()) {
                self.decider = Some((chain, index));
            }
            let uncertain = hit == Tri::Maybe || rule.action == Action::Unknown;
            if uncertain && self.doubt.is_none() && !matches!(rule.action, Action::Continue) {
                self.doubt = Some(rule.span.clone());
            }
            let one = match &rule.action {
                Action::Accept | Action::Translate(_) => Outcomes::of(Exit::AcceptRule, log),
                Action::Drop => Outcomes::of(Exit::Drop, log),
                Action::Return => Outcomes::of(Exit::Return, log),
                Action::Continue => Outcomes::of(Exit::None, log),
                Action::Untrack => Outcomes::of(Exit::None, log | UNTRACKED),
                Action::Unknown => Outcomes(
                    Outcomes::of(Exit::AcceptRule, log).0
                        | Outcomes::of(Exit::Drop, log).0
                        | Outcomes::of(Exit::None, log).0,
                ),
                Action::Jump(to) | Action::Goto(to) => {
                    self.depth += 1;
                    let inner = self.chain(*to, hook, sure);
                    self.depth -= 1;
                    let left =
                        if matches!(rule.action, Action::Goto(_)) { inner.gone() } else { inner.called() };
                    Outcomes::of(Exit::None, log).then(left)
                }
            };
            let one = if hit == Tri::Maybe { Outcomes(one.0 | Outcomes::of(Exit::None, 0).0) } else { one };
            if matches!(rule.action, Action::Jump(_) | Action::Goto(_))
                || decides
                || rule.action == Action::Return
            {
                certain &= one.must_be_undecided() || !one.may_go_on();
            }
            sofar = sofar.then(one);
        }
        sofar
    }

    /// Runs the translation chains; the packet becomes what they make of it.
    fn translate(&mut self, hook: Hook) -> Translated {
        let rules = self.rules;
        for base in rules.at(hook, Kind::Nat) {
            if base.family.is_some_and(|f| f != self.packet.family()) {
                continue;
            }
            match self.nat_chain(base.chain, hook) {
                NatEnd::Keep => continue,
                NatEnd::On => {}
                NatEnd::Drop => return Translated::Outcome(Outcomes::of(Exit::Drop, 0)),
                NatEnd::Doubt(rule) => return Translated::Doubt(rule),
                NatEnd::Unknown => return Translated::Unknown,
                NatEnd::Done(translation) => {
                    self.apply(&translation);
                    break;
                }
            }
            if base.policy == Policy::Drop {
                self.decider = Some((base.chain, usize::MAX));
                return Translated::Outcome(Outcomes::of(Exit::Drop, 0));
            }
        }
        Translated::Outcome(Outcomes::of(Exit::AcceptPolicy, 0))
    }

    fn nat_chain(&mut self, chain: ChainId, hook: Hook) -> NatEnd {
        if self.depth > 64 {
            return NatEnd::Unknown;
        }
        let rules = self.rules;
        let point = self.point();
        for (index, rule) in rules.chains[chain].rules.iter().enumerate() {
            let mut hit = self.matches(&rule.when, hook, &point);
            if hit == Tri::No || matches!(rule.action, Action::Continue | Action::Untrack) {
                continue;
            }
            let sure = hit == Tri::Yes;
            if hit == Tri::Maybe && rule.action != Action::Unknown {
                match self.assumed.iter().find(|(rule, _)| *rule == (chain, index)) {
                    Some((_, true)) => hit = Tri::Yes,
                    Some((_, false)) => continue,
                    None => return NatEnd::Doubt((chain, index)),
                }
            }
            let mut step = Step {
                chain: rules.chains[chain].name.clone(),
                span: rule.span.clone(),
                effect: Effect::Pass,
                certain: sure,
                log: rule.log,
            };
            if rule.action == Action::Unknown {
                self.doubt = self.doubt.take().or(Some(rule.span.clone()));
                step.effect = Effect::Unknown;
                self.steps.push(step);
                return NatEnd::Unknown;
            }
            let end = match &rule.action {
                Action::Accept => {
                    step.effect = Effect::Return;
                    Some(NatEnd::Keep)
                }
                Action::Return => {
                    step.effect = Effect::Return;
                    Some(NatEnd::On)
                }
                Action::Drop => {
                    step.effect = Effect::Drop;
                    self.decider = Some((chain, index));
                    Some(NatEnd::Drop)
                }
                Action::Translate(t) => {
                    step.effect = Effect::Translate(translation_text(t));
                    Some(NatEnd::Done(t.clone()))
                }
                Action::Jump(to) | Action::Goto(to) => {
                    step.effect = Effect::Jump(rules.chains[*to].name.clone());
                    self.steps.push(step.clone());
                    self.depth += 1;
                    let end = self.nat_chain(*to, hook);
                    self.depth -= 1;
                    match end {
                        NatEnd::On if matches!(rule.action, Action::Jump(_)) => None,
                        other => return other,
                    }
                }
                _ => None,
            };
            if !matches!(rule.action, Action::Jump(_) | Action::Goto(_)) {
                self.steps.push(step);
            }
            if let Some(end) = end {
                return end;
            }
        }
        NatEnd::On
    }

    /// Rewrites the packet; which of several targets is chosen stays open.
    fn apply(&mut self, translation: &Translation) {
        let (range, ports) = match translation {
            Translation::Source => return,
            Translation::Destination { addresses, ports, .. } => {
                (addresses.map(|(_, lo, hi)| Ranges::span(lo, hi)), *ports)
            }
            Translation::Redirect { ports } => {
                let family = self.packet.family();
                let zone = self
                    .topology
                    .and_then(|t| t.zones.iter().find(|z| Some(&z.interface) == self.packet.input.as_ref()));
                let own = zone.map(|z| z.gateway_ranges(family)).filter(|r| !r.is_empty());
                self.packet.output = None;
                (Some(own.unwrap_or_else(|| Ranges::full(family.max_address()))), *ports)
            }
        };
        self.translated = if let Translation::Destination { tag, .. } = translation { *tag } else { 1 };
        self.redirected = matches!(translation, Translation::Redirect { .. });
        if let Some(range) = range {
            let family = self.packet.family();
            self.packet.destination = address_from_bits(family, range.first().unwrap_or(0));
            if !self.redirected {
                self.route(&range);
            }
            if range.only().is_none() {
                self.open.push((Field::Destination, range));
            }
        }
        if let Some((lo, hi)) = ports {
            self.packet.destination_port = lo;
            if lo != hi {
                self.open.push((Field::DestinationPort, Ranges::span(lo.into(), hi.into())));
            }
        }
    }

    /// Where a translated packet leaves: the topology knows, or else its notation.
    fn route(&mut self, range: &Ranges) {
        let family = self.packet.family();
        let Some(topology) = self.topology else {
            self.output_unknown = self.packet.output.is_none();
            return;
        };
        let way = |bits: u128| match topology.gateways(family).contains(bits) {
            true => Err(()),
            false => Ok(topology.zone_of(family, bits)),
        };
        let ends = range.as_slice().iter().flat_map(|(lo, hi)| [*lo, *hi]);
        let mut ways: Vec<_> = ends.map(way).collect();
        ways.dedup();
        match ways.as_slice() {
            [Err(())] => self.packet.output = None,
            [Ok(Some(at))] => self.packet.output = Some(topology.zones[*at].interface.clone()),
            [Ok(None)] => self.output_unknown = self.packet.output.is_none(),
            _ => self.output_unknown = true,
        }
    }

    /// Whether the packet lies in a cube, as far as what is open about it allows to say.
    fn inside(&self, cube: &Cube, point: &Point) -> Tri {
        if self.open.is_empty() {
            return Tri::of(cube.contains(point));
        }
        let mut result = Tri::Yes;
        for (field, ranges) in cube.constraints() {
            let open = self.open.iter().find(|(f, _)| f == field).map(|(_, open)| open);
            result = result.and(match open {
                None => Tri::of(ranges.contains(point[*field as usize])),
                Some(open) if open.is_subset(ranges) => Tri::Yes,
                Some(open) if open.meets(ranges) => Tri::Maybe,
                Some(_) => Tri::No,
            });
        }
        result
    }

    fn matches(&self, when: &Match, hook: Hook, point: &Point) -> Tri {
        // First what tells most rules apart: this is the inner loop of every walk.
        if when.never {
            return Tri::No;
        }
        let inside = self.inside(&when.cube, point);
        if inside == Tri::No {
            return Tri::No;
        }
        let open = self.output_unknown && matches!(hook, Hook::Forward | Hook::Postrouting);
        let (input, output) = self.interfaces(hook);
        let interface = |list: &[InterfaceMatch], name: Option<&str>| {
            list.iter()
                .all(|m| m.patterns.iter().any(|p| name.is_some_and(|n| interface_matches(p, n))) != m.negate)
        };
        if !interface(&when.input, input) || (!open && !interface(&when.output, output)) {
            return Tri::No;
        }
        let in_doubt = !when.doubts.is_empty() || (open && !when.output.is_empty());
        let mut result = if in_doubt { Tri::Maybe } else { inside };
        for term in &when.terms {
            let one = match term {
                Term::Any { parts, negate } => {
                    let fits = |pattern: &Option<String>, name: Option<&str>| match pattern {
                        None => true,
                        Some(pattern) => name.is_some_and(|n| interface_matches(pattern, n)),
                    };
                    let one = |p: &Part| match fits(&p.input, input) && fits(&p.output, output) {
                        true => self.inside(&p.cube, point),
                        false => Tri::No,
                    };
                    let hit = parts.iter().fold(Tri::No, |hit, p| hit.or(one(p)));
                    if *negate { hit.not() } else { hit }
                }
                Term::Special(special, negate) => {
                    let hit = special.iter().fold(Tri::No, |hit, s| hit.or(self.special(*s, input, hook)));
                    if *negate { hit.not() } else { hit }
                }
                Term::Names(set) => match self.name {
                    None => Tri::Maybe,
                    Some(name) => Tri::of(set.covers(name)),
                },
            };
            result = result.and(one);
        }
        result
    }

    fn interfaces(&self, hook: Hook) -> (Option<&str>, Option<&str>) {
        let input = self.packet.input.as_deref();
        let output = self.packet.output.as_deref();
        match hook {
            Hook::Prerouting | Hook::Input => (input, None),
            Hook::Output => (None, output),
            _ => (input, output),
        }
    }

    fn point(&self) -> Point {
        let mut point: Point = [0; Field::ALL.len()];
        point[Field::State as usize] = self.state as u128;
        point[Field::Family as usize] = self.packet.family() as u128;
        point[Field::Protocol as usize] = self.packet.protocol.0 as u128;
        point[Field::Source as usize] = address_bits(self.packet.source);
        point[Field::Destination as usize] = address_bits(self.packet.destination);
        point[Field::SourcePort as usize] = self.packet.source_port as u128;
        point[Field::DestinationPort as usize] = self.packet.destination_port as u128;
        point[Field::TcpFlags as usize] = self.packet.tcp_flags as u128;
        point[Field::Translated as usize] = self.translated.into();
        point
    }

    fn special(&self, special: Special, input: Option<&str>, hook: Hook) -> Tri {
        let family = self.packet.family();
        let (source, destination) = (address_bits(self.packet.source), address_bits(self.packet.destination));
        let open = self.open.iter().any(|(field, _)| *field == Field::Destination);
        match special {
            Special::DestinationLocal if self.redirected => return Tri::Yes,
            Special::ReversePathFails => {}
            _ if open => return Tri::Maybe,
            _ => {}
        }
        match special {
            Special::ReversePathFails => {
                let (Some(topology), Some(name)) = (self.topology, input) else { return Tri::Maybe };
                if family == Family::V6 && source >> 118 == 0xfe80 >> 6 {
                    return Tri::No;
                }
                match topology.zones.iter().find(|z| z.interface == name) {
                    Some(zone) => Tri::of(!zone.ranges(family).contains(source)),
                    None if topology.uplinks.iter().any(|u| u == name) => {
                        Tri::of(topology.inside(family).contains(source))
                    }
                    None => Tri::No,
                }
            }
            // Routing has found it local, or a broadcast or multicast.
            Special::DestinationLocal if hook == Hook::Input => {
                let other = |s| self.special(s, input, hook);
                other(Special::DestinationBroadcast).or(other(Special::DestinationMulticast)).not()
            }
            Special::DestinationLocal => match self.topology {
                Some(t) if t.gateways(family).contains(destination) => Tri::Yes,
                Some(t) if t.inside(family).contains(destination) => Tri::No,
                _ => Tri::Maybe,
            },
            Special::DestinationBroadcast => {
                let limited = destination == u32::MAX as u128;
                match self.topology {
                    _ if family == Family::V6 => Tri::No,
                    Some(t) => Tri::of(limited || t.zones.iter().any(|z| z.broadcast() == Some(destination))),
                    // Without a site the last address of any subnet may be one.
                    None if limited => Tri::Yes,
                    None if hook == Hook::Input => Tri::No,
                    None => Tri::Maybe,
                }
            }
            Special::DestinationMulticast => Tri::of(match family {
                Family::V4 => destination >> 28 == 0xe,
                Family::V6 => destination >> 120 == 0xff,
            }),
        }
    }
}

enum NatEnd {
    /// The next base chain decides.
    On,
    /// Accepted as it is by this base chain.
    Keep,
    Drop,
    Unknown,
    /// This rule may match.
    Doubt(RuleId),
    Done(Translation),
}

/// What came of all translation chains.
enum Translated {
    Outcome(Outcomes),
    Doubt(RuleId),
    Unknown,
}

fn translation_text(translation: &Translation) -> String {
    let ports = |p: &Option<(u16, u16)>| match p {
        None => String::new(),
        Some((lo, hi)) if lo == hi => format!(":{lo}"),
        Some((lo, hi)) => format!(":{lo}-{hi}"),
    };
    match translation {
        Translation::Source => "source".into(),
        Translation::Redirect { ports: p } => format!("firewall{}", ports(p)),
        Translation::Destination { addresses: None, ports: p, .. } => ports(p),
        Translation::Destination { addresses: Some((f, lo, hi)), ports: p, .. } => {
            let first = address_from_bits(*f, *lo);
            let text =
                if lo == hi { first.to_string() } else { format!("{first}-{}", address_from_bits(*f, *hi)) };
            format!("{text}{}", ports(p))
        }
    }
}
