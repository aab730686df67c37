//! What is permitted beyond the intent: between segments, from and to the internet, to the firewall itself.

use crate::allowed::{allowed_cubes, never_excess};
use crate::judge::{Judge, Shown};
use crate::outcome::Outcomes;
use crate::path::{Way, family_of};
use crate::program::RuleId;
use crate::rules::{Action, Hook, Kind};
use crate::trace::span_of;
use crate::witness;
use std::collections::BTreeMap;
use tillgate_estate::Role;
use tillgate_model::{
    Decision, Evidence, Family, Finding, FindingId, Proof, Protocol, Ranges, State, Subject, Text,
};
use tillgate_packetset::{Cube, Field, Node};

/// Rules reported per pair of sides before the rest is summed up: more than a person reads.
const MOST_RULES: usize = 32;

/// Ports by which firewalls are managed: SSH, Telnet, HTTP(S) and its usual alternatives, WinBox, SNMP over TCP.
const MANAGEMENT_PORTS: [u16; 9] = [22, 23, 80, 443, 4433, 8080, 8291, 8443, 10443];

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum From {
    Zone(usize),
    Uplink(String),
    /// An interface the configuration names and the estate does not know.
    Foreign(String),
}

/// Where packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Zone(usize),
    Uplinks,
    Firewall,
}

/// Sources that no router forwards: unspecified, loopback, multicast, and IPv6's link-local addresses
/// (RFC 1812 section 5.3.7, RFC 4291 section 2.5.6). The kernel drops them before any forward chain.
fn never_forwarded(family: Family) -> Ranges {
    match family {
        Family::V4 => Ranges::from_unsorted(vec![
            (0, 0x00ff_ffff),
            (0x7f00_0000, 0x7fff_ffff),
            (0xe000_0000, 0xefff_ffff),
            (0xffff_ffff, 0xffff_ffff),
        ]),
        Family::V6 => Ranges::from_unsorted(vec![
            (0, 1),
            (0xfe80 << 112, (0xfec0u128 << 112) - 1),
            (0xff << 120, u128::MAX),
        ]),
    }
}

/// A question with its answer.
struct Asked<'q> {
    way: Way,
    question: &'q Cube,
    within: Node,
    node: Node,
}

impl Judge<'_> {
    fn sides(&self) -> Vec<From> {
        let topology = &self.intent.topology;
        let mut out: Vec<From> = (0..topology.zones.len()).map(From::Zone).collect();
        out.extend(topology.uplinks.iter().cloned().map(From::Uplink));
        let known = |name: &str| {
            name == "lo"
                || topology.uplinks.iter().any(|u| u == name)
                || topology.zones.iter().any(|z| z.interface == name)
        };
        // A wildcard stands for names that do not exist here unless nothing else has its prefix.
        let names = self.program.universe.interfaces().map(|(_, n)| n.to_string());
        out.extend(names.filter(|n| !known(n) && !n.ends_with('*')).map(From::Foreign));
        out
    }

    fn name(&self, from: &From) -> String {
        match from {
            From::Zone(at) => self.intent.topology.zones[*at].name.clone(),
            From::Uplink(_) => "internet".into(),
            From::Foreign(name) => name.clone(),
        }
    }

    fn interface(&self, from: &From) -> u128 {
        let name = match from {
            From::Zone(at) => &self.intent.topology.zones[*at].interface,
            From::Uplink(name) | From::Foreign(name) => name,
        };
        self.program.universe.interface(name)
    }

    /// Sources that belong on a side, and that can go that way.
    fn sources(&self, from: &From, to: To, family: Family) -> Ranges {
        let topology = &self.intent.topology;
        let unrouted = if to == To::Firewall { Ranges::empty() } else { never_forwarded(family) };
        let own = match from {
            // Without a subnet of the family nothing of it may leave the segment, whatever it calls itself.
            From::Zone(at) if topology.zones[*at].ranges(family).is_empty() && to != To::Firewall => {
                topology.inside(family).complement(family.max_address())
            }
            From::Zone(at) => topology.zones[*at].ranges(family).subtract(&topology.gateways(family)),
            From::Uplink(_) => topology.inside(family).complement(family.max_address()),
            From::Foreign(_) => Ranges::full(family.max_address()),
        };
        own.subtract(&unrouted)
    }

    fn is_pos(&self, at: usize) -> bool {
        self.intent.topology.zones[at].role == Role::Pos
    }

    fn devices_in(&self, zone: usize, family: Family) -> Ranges {
        let here = self.intent.devices.iter().filter(|(_, z, f, _)| *z == zone && *f == family);
        here.fold(Ranges::empty(), |all, (_, _, _, ranges)| all.union(ranges))
    }

    /// What is judged between two sides (design section 6, scope), as boxes of translated packets.
    /// `None` when nothing is.
    fn scope(&self, from: &From, to: To, family: Family) -> Option<Vec<Cube>> {
        let device_source = |at: usize| Cube::all().with(Field::Source, &self.devices_in(at, family));
        let device_target = |at: usize| Cube::all().with(Field::Destination, &self.devices_in(at, family));
        match (from, to) {
            (From::Zone(a), To::Zone(b)) if *a == b => None,
            (From::Zone(a), _) if self.is_pos(*a) => Some(vec![Cube::all()]),
            (_, To::Zone(b)) if self.is_pos(b) => Some(vec![Cube::all()]),
            (_, To::Firewall) => Some(vec![Cube::all()]),
            (From::Zone(a), To::Zone(b)) => {
                Some(device_source(*a).into_iter().chain(device_target(b)).collect())
            }
            (From::Zone(a), To::Uplinks) if self.intent.topology.zones[*a].internet => None,
            (From::Zone(a), To::Uplinks) => device_source(*a).map(|c| vec![c]),
            (_, To::Zone(b)) => device_target(b).map(|c| vec![c]),
            (_, To::Uplinks) => None,
        }
    }

    fn between(&self, from: &From, to: To, family: Family, sources: &Ranges) -> Vec<Cube> {
        let topology = &self.intent.topology;
        let universe = &self.program.universe;
        let base = Cube::all()
            .at(Field::Input, self.interface(from))
            .and_then(|c| c.at(Field::State, State::New as u128))
            .and_then(|c| c.at(Field::Family, family as u128))
            .and_then(|c| c.with(Field::Source, sources))
            .and_then(|c| c.with(Field::Destination, &Ranges::full(family.max_address())))
            .and_then(|c| c.with(Field::Name, &universe.all_names()));
        let Some(base) = base else { return Vec::new() };
        match to {
            To::Firewall => vec![base],
            To::Zone(at) => base
                .at(Field::Output, universe.interface(&topology.zones[at].interface))
                .into_iter()
                .collect(),
            To::Uplinks => topology
                .uplinks
                .iter()
                .filter_map(|u| base.clone().at(Field::Output, universe.interface(u)))
                .collect(),
        }
    }

    /// 1 on the translated packets that are judged: routed so, in scope, well formed, and not in `except`.
    fn within(&mut self, to: To, family: Family, scope: &[Cube], except: &[Cube]) -> Node {
        let routing = match to {
            To::Firewall => Node::leaf(1),
            _ => self.program.routing(family),
        };
        let diagram = &mut self.program.diagram;
        let scope = diagram.union(scope);
        let mut node = diagram.zip(routing, scope, |a, b| a & b);
        // ICMP type and code are one byte each.
        let wide = Ranges::span(256, 65535);
        let icmp = Ranges::from_unsorted(vec![(1, 1), (58, 58)]);
        for field in [Field::SourcePort, Field::DestinationPort] {
            if let Some(cube) = Cube::all().with(Field::Protocol, &icmp).and_then(|c| c.with(field, &wide)) {
                let odd = diagram.cube(&cube, 0, 1);
                node = diagram.zip(node, odd, |a, b| a & b);
            }
        }
        let except = diagram.union(except);
        diagram.zip(node, except, |a, b| a & (1 - b))
    }

    /// Everything permitted beyond the intent, one finding per rule and pair of sides; and what is denied in
    /// silence, one finding per line that denies.
    pub fn excess(&mut self) {
        let forward = allowed_cubes(self.intent, &self.program.universe, false);
        let quiet = never_excess(&self.intent.topology, &self.program.universe);
        let mut local = allowed_cubes(self.intent, &self.program.universe, true);
        local.extend(quiet.iter().cloned());
        let mut found: BTreeMap<(String, To, RuleId), Finding> = BTreeMap::new();
        let mut silent: BTreeMap<RuleId, Finding> = BTreeMap::new();
        for (from, to, family) in self.pairs() {
            let Some(scope) = self.scope(&from, to, family) else { continue };
            let sources = self.sources(&from, to, family);
            let except = if to == To::Firewall { &local } else { &forward };
            let way = if to == To::Firewall { Way::Local } else { Way::Forward };
            for question in self.between(&from, to, family, &sources) {
                self.program.fresh();
                let judged = self.within(to, family, &scope, if to == To::Firewall { &quiet } else { &[] });
                let node = self.ask(way, &question, judged);
                self.logging(&from, to, node, &mut silent);
                let within = self.within(to, family, &scope, except);
                // Without translation a packet is judged as it came, and one answer serves both questions.
                let start = match self.program.translates() {
                    true => self.ask(way, &question, within),
                    false => self.program.diagram.choose(within, node, Node::leaf(0)),
                };
                self.pair(&from, to, &question, within, start, &mut found);
            }
        }
        self.findings.extend(found.into_values());
        self.findings.extend(silent.into_values());
    }

    /// Every pair of sides that packets of a family can go between.
    fn pairs(&self) -> Vec<(From, To, Family)> {
        let zones = &self.intent.topology.zones;
        let targets: Vec<To> = (0..zones.len()).map(To::Zone).chain([To::Uplinks, To::Firewall]).collect();
        let mut out = Vec::new();
        for from in self.sides() {
            for &to in &targets {
                for family in Family::BOTH {
                    // Nothing is routed to a segment without a subnet of the family.
                    let nowhere = matches!(to, To::Zone(at) if zones[at].ranges(family).is_empty());
                    if !nowhere {
                        out.push((from.clone(), to, family));
                    }
                }
            }
        }
        out
    }

    fn pair(
        &mut self,
        from: &From,
        to: To,
        question: &Cube,
        within: Node,
        start: Node,
        found: &mut BTreeMap<(String, To, RuleId), Finding>,
    ) {
        let way = if to == To::Firewall { Way::Local } else { Way::Forward };
        // Each with a packet that shows it.
        let mut rules: BTreeMap<RuleId, (Cube, u32)> = BTreeMap::new();
        let mut more = None;
        let unmarked = |v: u32| Outcomes(v).may_accept_unmarked();
        let mut node = start;
        // Each round finds rules that permit something no round before has accounted for.
        while self.program.diagram.any(node, unmarked) {
            let before = rules.len();
            let mut rest = node;
            while rules.len() < MOST_RULES {
                let paths = self.program.diagram.paths(rest, unmarked, 24);
                if paths.is_empty() {
                    break;
                }
                let mut taken = Vec::new();
                for (cube, value) in paths {
                    match self.show(&cube).trace.decider {
                        // Its whole box goes at once; what an earlier rule in it decides turns up in the next round.
                        Some(rule) => {
                            if rules.insert(rule, (cube.clone(), value)).is_none() {
                                taken.extend(self.boxes(rule, &cube));
                            }
                        }
                        None => more = more.or(Some((cube.clone(), value))),
                    }
                    taken.push(cube);
                }
                let taken = self.program.diagram.union(&taken);
                rest = self.program.diagram.choose(taken, Node::leaf(0), rest);
            }
            if rules.len() == before || rules.len() >= MOST_RULES {
                more = more.or(self.plain_path(node, unmarked));
                break;
            }
            self.program.marked.extend(rules.keys().copied());
            node = self.ask(way, question, within);
        }
        self.program.marked.clear();
        for (rule, witness) in rules {
            let finding =
                self.classify(from, to, rule, witness, &Asked { way, question, within, node: start });
            if let Some(finding) = finding {
                let key = (self.name(from), to, rule);
                let known = found.entry(key).or_insert_with(|| finding.clone());
                // Proved in one family or on one uplink is proved.
                if finding.proof < known.proof {
                    *known = finding;
                }
            }
        }
        if let Some((cube, value)) = more {
            let proof = if Outcomes(value).must_accept() { Proof::Proved } else { Proof::Possible };
            let shown = self.show(&cube);
            // Without any chain at the hook nothing decides, and everything passes.
            let unfiltered = shown.trace.decider.is_none();
            let id = if unfiltered { "finding-unfiltered" } else { "finding-excess-more" };
            let text = Text::new(id).arg("from", self.name(from)).arg("to", self.to_name(to));
            let id = match to {
                To::Firewall if unfiltered => FindingId::ManagementExposed,
                _ => self.id_of_pair(from, to),
            };
            let finding = Finding::new(id, self.subject(from, to), text).proof(proof);
            let finding = self.with_evidence(finding, &shown);
            found.entry((self.name(from), to, (usize::MAX, usize::MAX))).or_insert(finding);
        }
    }

    /// The boxes that hold everything a rule can decide; `whole` where they are not to be had.
    fn boxes(&self, (chain, index): RuleId, whole: &Cube) -> Vec<Cube> {
        let bound = self.program.chains[chain].iter().find(|b| b.index == index);
        match bound {
            Some(bound) if !self.program.translates() => {
                // What the rule sees as "no interface" and "before tracking" is not what the question calls so.
                let seen = |c: &Cube| {
                    c.clone()
                        .without(Field::State)
                        .without(Field::Translated)
                        .without(Field::Output)
                        .without(Field::Input)
                };
                bound.cubes.iter().map(seen).collect()
            }
            _ => vec![whole.clone()],
        }
    }

    /// A path for people: TCP before UDP before anything else.
    fn plain_path(&mut self, node: Node, want: impl Fn(u32) -> bool + Copy) -> Option<(Cube, u32)> {
        for protocol in [Some(Protocol::TCP), Some(Protocol::UDP), None] {
            let cube = match protocol {
                Some(p) => Cube::all().at(Field::Protocol, p.0 as u128)?,
                None => Cube::all(),
            };
            let inside = self.program.diagram.cube(&cube, 1, 0);
            let part = self.program.diagram.choose(inside, node, Node::leaf(0));
            if let Some(found) = self.program.diagram.paths(part, |v| v != 0 && want(v), 1).into_iter().next()
            {
                return Some(found);
            }
        }
        None
    }

    fn to_name(&self, to: To) -> String {
        match to {
            To::Zone(at) => self.intent.topology.zones[at].name.clone(),
            To::Uplinks => "internet".into(),
            To::Firewall => "firewall".into(),
        }
    }

    fn subject(&self, from: &From, to: To) -> Subject {
        Subject { segment: Some(self.name(from)), peer: Some(self.to_name(to)), ..Subject::default() }
    }

    fn id_of_pair(&self, from: &From, to: To) -> FindingId {
        match (from, to) {
            (From::Uplink(_), To::Zone(_)) => FindingId::InboundFromInternet,
            (_, To::Zone(_)) => FindingId::SegmentExposed,
            _ => FindingId::ExcessPermit,
        }
    }

    /// A box of a region that a rule decides a packet of, if one of a few tries hits it.
    fn tried(&self, rule: RuleId, region: Node, want: fn(u32) -> bool) -> Option<(Cube, u32)> {
        let paths = self.program.diagram.paths(region, want, 8);
        paths.into_iter().find(|(cube, _)| self.show(cube).trace.decider == Some(rule))
    }

    /// A box that a rule certainly decides some packet of, within a region of an answer: by trying packets,
    /// and exactly where trying finds none.
    fn decided(
        &mut self,
        rule: RuleId,
        asked: &Asked<'_>,
        region: Node,
        want: fn(u32) -> bool,
    ) -> Option<(Cube, u32)> {
        if !self.program.diagram.any(region, want) {
            return None;
        }
        if let Some(found) = self.tried(rule, region, want) {
            return Some(found);
        }
        // Everything the rule decides carries its mark, in its own box, which is the smaller question.
        let mut share = Node::leaf(0);
        self.program.marked.insert(rule);
        for part in self.boxes(rule, asked.question) {
            if let Some(narrow) = asked.question.intersect(&part) {
                let node = self.ask(asked.way, &narrow, asked.within);
                share = self.program.diagram.zip(share, node, |a, b| a | b);
            }
        }
        self.program.marked.clear();
        let marked = |v: u32| v >> 8 & 0xf != 0;
        let share = self.program.diagram.map(share, |v| u32::from(marked(v)));
        let exact = self.program.diagram.choose(share, region, Node::leaf(0));
        self.program.diagram.paths(exact, want, 1).into_iter().next()
    }

    /// The finding for one rule that permits some of the packets of an answer.
    fn classify(
        &mut self,
        from: &From,
        to: To,
        rule: RuleId,
        witness: (Cube, u32),
        asked: &Asked<'_>,
    ) -> Option<Finding> {
        let own = self.boxes(rule, asked.question);
        let own = self.program.diagram.union(&own);
        let held = self.program.diagram.choose(own, asked.node, Node::leaf(0));
        let narrowed = |judge: &mut Self, cube: Option<Cube>| {
            let Some(cube) = cube else { return Node::leaf(0) };
            let inside = judge.program.diagram.cube(&cube, 1, 0);
            judge.program.diagram.choose(inside, held, Node::leaf(0))
        };
        let may: fn(u32) -> bool = |v| v != 0 && Outcomes(v).may_accept();
        let must: fn(u32) -> bool = |v| v != 0 && Outcomes(v).must_accept();
        let tcp = Cube::all().at(Field::Protocol, Protocol::TCP.0 as u128);
        let udp = Cube::all().at(Field::Protocol, Protocol::UDP.0 as u128);
        let ports: Ranges = MANAGEMENT_PORTS.iter().map(|p| (*p as u128, *p as u128)).collect();
        let managing = narrowed(self, tcp.clone().and_then(|c| c.with(Field::DestinationPort, &ports)));
        let managed = if to == To::Firewall { self.decided(rule, asked, managing, may) } else { None };
        // Right but for its source: nothing is left once the intent's flows may come from anywhere.
        let pos = matches!(from, From::Zone(at) if self.is_pos(*at));
        let only_source = pos && {
            let cubes = allowed_cubes(self.intent, &self.program.universe, to == To::Firewall);
            let anywhere: Vec<Cube> = cubes.into_iter().map(|c| c.without(Field::Source)).collect();
            let anywhere = self.program.diagram.union(&anywhere);
            let other = self.program.diagram.choose(anywhere, Node::leaf(0), held);
            self.decided(rule, asked, other, may).is_none()
        };
        let any_any = self.is_any_any(rule);
        let id = match (from, to) {
            (_, To::Zone(_)) => self.id_of_pair(from, to),
            (_, To::Firewall) if managed.is_some() => FindingId::ManagementExposed,
            (_, To::Uplinks) if any_any => FindingId::RuleAnyAny,
            _ if pos && only_source => FindingId::SourceTooWide,
            _ => FindingId::ExcessPermit,
        };
        // Show what a person fears first: management for management, certain before possible, TCP before others.
        let (tcp, udp) = (narrowed(self, tcp), narrowed(self, udp));
        let certain = [tcp, udp, held].into_iter().find_map(|view| self.tried(rule, view, must));
        let (cube, value) = managed.or(certain).unwrap_or(witness);
        let proof = if Outcomes(value).must_accept() { Proof::Proved } else { Proof::Possible };
        let shown = self.show(&cube);
        let message = match id {
            FindingId::InboundFromInternet => "finding-inbound-from-internet",
            FindingId::ManagementExposed => "finding-management-exposed",
            FindingId::SegmentExposed => "finding-segment-exposed",
            FindingId::RuleAnyAny => "finding-rule-any-any",
            FindingId::SourceTooWide => "finding-source-too-wide",
            _ => "finding-excess-permit",
        };
        let text = Text::new(message).arg("from", self.name(from)).arg("to", self.to_name(to));
        let mut finding = Finding::new(id, self.subject(from, to), text)
            .proof(proof)
            .evidence(Evidence::Packet(shown.packet));
        let translated =
            shown.trace.steps.iter().find(|s| matches!(s.effect, crate::trace::Effect::Translate(_)));
        if let Some(span) = span_of(self.program.rules, rule) {
            finding = finding.evidence(Evidence::Rule(span));
        }
        if let Some(step) = translated {
            finding = finding.evidence(Evidence::Rule(step.span.clone()));
        }
        if proof == Proof::Possible
            && let Some(step) = shown.trace.steps.iter().find(|s| !s.certain)
            && Some(&step.span) != finding.line()
        {
            finding = finding.evidence(Evidence::Rule(step.span.clone()));
        }
        Some(finding.evidence(Evidence::Box(witness::display(&cube, &self.program.universe))))
    }

    /// A rule without service and destination, or a policy.
    fn is_any_any(&self, (chain, index): RuleId) -> bool {
        let Some(rule) = self.program.rules.chains[chain].rules.get(index) else { return true };
        let fields = [Field::Protocol, Field::DestinationPort, Field::Destination];
        rule.when.terms.is_empty() && fields.iter().all(|f| rule.when.cube.ranges(*f).is_none())
    }

    /// Forged sources must not pass: foreign addresses from a terminal segment, the terminals' from elsewhere.
    pub fn spoofing(&mut self) {
        let zones = self.intent.topology.zones.len();
        for from in self.sides() {
            if matches!(from, From::Foreign(_)) {
                continue;
            }
            let mut shown = None;
            for family in Family::BOTH {
                let own = self.sources(&from, To::Firewall, family);
                let gateways = self.intent.topology.gateways(family);
                let unrouted = never_forwarded(family);
                let forged = own.union(&unrouted).union(&gateways).complement(family.max_address());
                let pos = (0..zones).filter(|z| self.is_pos(*z));
                let terminals = pos
                    .fold(Ranges::empty(), |all, z| all.union(&self.intent.topology.zones[z].ranges(family)));
                for to in (0..zones).map(To::Zone).chain([To::Uplinks]) {
                    let forged = match (&from, to) {
                        (From::Zone(a), To::Zone(b)) if *a == b => continue,
                        (From::Uplink(_), To::Uplinks) => continue,
                        (From::Zone(a), _) if self.is_pos(*a) => forged.clone(),
                        (_, To::Zone(b)) if self.is_pos(b) => forged.clone(),
                        _ => forged.intersect(&terminals),
                    };
                    if matches!(to, To::Zone(b) if self.intent.topology.zones[b].ranges(family).is_empty()) {
                        continue;
                    }
                    for question in self.between(&from, to, family, &forged) {
                        if shown.as_ref().is_some_and(|(p, _)| *p == Proof::Proved) {
                            break;
                        }
                        if let Some(witness) = self.accepted_witness(&question, to) {
                            shown = Some((Proof::Proved, witness));
                            break;
                        }
                        self.program.fresh();
                        let within = self.within(to, family, &[Cube::all()], &[]);
                        let node = self.ask(Way::Forward, &question, within);
                        let diagram = &self.program.diagram;
                        let sure = diagram.paths(node, |v| Outcomes(v).must_accept(), 1).into_iter().next();
                        let path = sure.or_else(|| {
                            diagram.paths(node, |v| Outcomes(v).may_accept(), 1).into_iter().next()
                        });
                        if let Some((cube, value)) = path {
                            let proof =
                                if Outcomes(value).must_accept() { Proof::Proved } else { Proof::Possible };
                            let better = shown.as_ref().is_none_or(|(p, _)| proof < *p);
                            if better {
                                shown = Some((proof, self.show(&cube)));
                            }
                        }
                    }
                }
            }
            if let Some((proof, shown)) = shown {
                let text = Text::new("finding-anti-spoofing-missing").arg("from", self.name(&from));
                let subject = Subject { segment: Some(self.name(&from)), ..Subject::default() };
                let finding = Finding::new(FindingId::AntiSpoofingMissing, subject, text).proof(proof);
                let finding = self.with_evidence(finding, &shown);
                self.findings.push(finding);
            }
        }
    }

    /// A packet of a box that certainly passes, if one is found without building anything: one try per rule
    /// that accepts something in the box, as the rule sees it.
    fn accepted_witness(&self, question: &Cube, to: To) -> Option<Shown> {
        let topology = &self.intent.topology;
        let destination = match to {
            To::Zone(at) => {
                let family = family_of(question);
                topology.zones[at].ranges(family).subtract(&topology.gateways(family))
            }
            _ => topology.inside(family_of(question)).complement(family_of(question).max_address()),
        };
        let question = question.clone().with(Field::Destination, &destination)?.at(Field::Translated, 0)?;
        let forward = self.program.rules.at(Hook::Forward, Kind::Filter);
        let accepting =
            forward.flat_map(|b| &self.program.chains[b.chain]).filter(|r| r.action == Action::Accept);
        let boxes = accepting.flat_map(|r| &r.cubes).filter_map(|c| c.intersect(&question));
        boxes.take(64).map(|cube| self.show(&cube)).find(|shown| shown.trace.decision == Decision::Permit)
    }

    /// Denied packets in scope leave a trace in a log; one finding per line that denies in silence.
    fn logging(&mut self, from: &From, to: To, node: Node, lines: &mut BTreeMap<RuleId, Finding>) {
        for (cube, _) in self.program.diagram.paths(node, |v| Outcomes(v).drops_silently(), 16) {
            let shown = self.show(&cube);
            let Some(rule) = shown.trace.decider else { continue };
            if lines.contains_key(&rule) {
                continue;
            }
            let text =
                Text::new("finding-deny-not-logged").arg("from", self.name(from)).arg("to", self.to_name(to));
            let finding = Finding::new(FindingId::DenyNotLogged, self.subject(from, to), text);
            lines.insert(rule, self.with_evidence(finding, &shown));
        }
    }
}
