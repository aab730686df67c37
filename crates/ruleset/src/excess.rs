//! What is permitted beyond the intent: between segments, from and to the internet, to the firewall itself.

use crate::allowed::{allowed_cubes, never_excess};
use crate::judge::{Judge, Shown};
use crate::outcome::Outcomes;
use crate::path::{Way, family_of};
use crate::program::{Program, RuleId};
use crate::rules::{Action, Hook, Kind};
use crate::trace::span_of;
use crate::witness;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use std::collections::BTreeMap;
use tillgate_estate::Role;
use tillgate_model::{
    Decision, Evidence, Family, Finding, FindingId, Proof, Protocol, Ranges, State, Subject, Text,
};
use tillgate_packetset::{Cube, Field, Marks, Node};

/// Rules reported per pair of sides before the rest is summed up: more than a person reads.
const MOST_RULES: usize = 32;

/// Ports by which firewalls are managed: SSH, Telnet, HTTP(S) and its usual alternatives, WinBox, SNMP over TCP.
const MANAGEMENT_PORTS: [u16; 9] = [22, 23, 80, 443, 4433, 8080, 8291, 8443, 10443];

/// Services that send passwords or data as they are: those PCI DSS names as insecure (4.0.1, glossary: FTP, Telnet, POP3,
/// IMAP, SNMP v1 and v2), and TFTP, the r-commands (RFC 1282), NetBIOS, SMB and VNC.
const INSECURE: [(Protocol, u16, &str); 16] = [
    (Protocol::TCP, 21, "FTP"),
    (Protocol::TCP, 23, "Telnet"),
    (Protocol::UDP, 69, "TFTP"),
    (Protocol::TCP, 110, "POP3"),
    (Protocol::UDP, 137, "NetBIOS"),
    (Protocol::UDP, 138, "NetBIOS"),
    (Protocol::TCP, 139, "NetBIOS"),
    (Protocol::TCP, 143, "IMAP"),
    (Protocol::UDP, 161, "SNMP"),
    (Protocol::UDP, 162, "SNMP"),
    (Protocol::TCP, 445, "SMB"),
    (Protocol::TCP, 512, "rexec"),
    (Protocol::TCP, 513, "rlogin"),
    (Protocol::TCP, 514, "rsh"),
    (Protocol::TCP, 5900, "VNC"),
    (Protocol::TCP, 5901, "VNC"),
];

/// A rule whose ports span more than this was not written for one of them.
const ON_PURPOSE: u128 = 1024;

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

/// What is not excess, as boxes: through the firewall, to the firewall, and what is never judged there.
struct Limits {
    forward: Vec<Cube>,
    local: Vec<Cube>,
    quiet: Vec<Cube>,
}

/// Which side, to where, by which rule.
type Key = (String, To, RuleId);

/// What was found about one pair of sides.
#[derive(Default)]
struct Excess {
    found: Vec<(Key, Finding)>,
    silent: BTreeMap<RuleId, Finding>,
    insecure: Vec<(Key, Finding)>,
}

/// What one rule permits of an answer.
struct Share<'m> {
    answer: Node,
    marks: &'m Marks,
    /// The mark of what it may permit, and of what it does.
    may: u64,
    must: u64,
}

/// Boxes in the order in which people want examples: TCP, UDP, anything.
fn plain_views() -> [Cube; 3] {
    let of = |protocol: Protocol| Cube::all().at(Field::Protocol, protocol.0 as u128).unwrap_or_default();
    [of(Protocol::TCP), of(Protocol::UDP), Cube::all()]
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
    pub fn excess(&self) -> Vec<Finding> {
        let (intent, universe) = (self.intent, &self.program.universe);
        let quiet = never_excess(&intent.topology, universe);
        let mut local = allowed_cubes(intent, universe, true);
        local.extend(quiet.iter().cloned());
        let limits = Limits { forward: allowed_cubes(intent, universe, false), local, quiet };
        // Pairs have nothing to do with each other; put together in order, the answer is always the same.
        let all: Vec<Excess> = self
            .pairs()
            .into_par_iter()
            .with_min_len(4)
            .map_init(
                || self.fork(true),
                |judge, (from, to, family)| judge.beyond(&from, to, family, &limits),
            )
            .collect();
        let mut found: BTreeMap<Key, Finding> = BTreeMap::new();
        let mut silent: BTreeMap<RuleId, Finding> = BTreeMap::new();
        let mut insecure: BTreeMap<Key, Finding> = BTreeMap::new();
        for one in all {
            for (key, finding) in one.found {
                let known = found.entry(key).or_insert_with(|| finding.clone());
                // Proved in one family or on one uplink is proved.
                if finding.proof < known.proof {
                    *known = finding;
                }
            }
            for (rule, finding) in one.silent {
                silent.entry(rule).or_insert(finding);
            }
            for (key, finding) in one.insecure {
                insecure.entry(key).or_insert(finding);
            }
        }
        // What nothing asks for is told as that; a service the estate asks for may still be an insecure one.
        insecure.retain(|key, _| !found.contains_key(key));
        found.into_values().chain(silent.into_values()).chain(insecure.into_values()).collect()
    }

    /// What a pair of sides may exchange beyond the intent, and is denied in silence.
    fn beyond(&mut self, from: &From, to: To, family: Family, limits: &Limits) -> Excess {
        let mut out = Excess::default();
        let Some(scope) = self.scope(from, to, family) else { return out };
        let sources = self.sources(from, to, family);
        let (way, except, quiet) = match to {
            To::Firewall => (Way::Local, &limits.local, limits.quiet.as_slice()),
            _ => (Way::Forward, &limits.forward, &[][..]),
        };
        for question in self.between(from, to, family, &sources) {
            self.program.fresh();
            let judged = self.within(to, family, &scope, quiet);
            let node = self.ask(way, &question, judged);
            self.logging(from, to, node, &mut out.silent);
            self.insecure(from, to, node, &mut out.insecure);
            let within = self.within(to, family, &scope, except);
            // Without translation a packet is judged as it came, and one answer serves both questions.
            let answer = match self.program.translates() {
                true => self.ask(way, &question, within),
                false => self.program.diagram.choose(within, node, Node::leaf(0)),
            };
            self.pair(from, to, answer, &mut out.found);
        }
        out
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

    /// One finding for each rule that permits something of an answer.
    fn pair(&mut self, from: &From, to: To, answer: Node, found: &mut Vec<(Key, Finding)>) {
        let mut rules: Vec<RuleId> = Vec::new();
        let mut rest = false;
        for value in self.program.diagram.values(answer).into_iter().map(Outcomes).filter(|v| v.may_accept())
        {
            match self.program.decider(value) {
                Some(rule) => rules.push(rule),
                None => rest = true,
            }
        }
        if rules.is_empty() && !rest {
            return;
        }
        rules.sort_unstable();
        rules.dedup();
        rest |= rules.len() > MOST_RULES;
        rules.truncate(MOST_RULES);
        // Bit n: rule n may permit it; bit 32 + n: it does.
        let mark = |program: &Program<'_>, value: u32| {
            let outcomes = Outcomes(value);
            let at = program.decider(outcomes).map(|rule| rules.binary_search(&rule));
            match at {
                _ if !outcomes.may_accept() => 0,
                Some(Ok(at)) => 1u64 << at | u64::from(outcomes.must_accept()) << (at + 32),
                _ => 0,
            }
        };
        let marks = self.program.diagram.marks(answer, |v| mark(&self.program, v));
        // Nothing is left of a rule that is right but for its source once the intent's flows may come from anywhere.
        let elsewhere = match from {
            From::Zone(at) if self.is_pos(*at) => {
                let cubes = allowed_cubes(self.intent, &self.program.universe, to == To::Firewall);
                let anywhere: Vec<Cube> = cubes.into_iter().map(|c| c.without(Field::Source)).collect();
                let anywhere = self.program.diagram.union(&anywhere);
                let other = self.program.diagram.choose(anywhere, Node::leaf(0), answer);
                self.program.diagram.marks(other, |v| mark(&self.program, v)).of(other)
            }
            _ => u64::MAX,
        };
        for (at, &rule) in rules.iter().enumerate() {
            let share = Share { answer, marks: &marks, may: 1 << at, must: 1 << (at + 32) };
            let Some(finding) = self.classify(from, to, rule, &share, elsewhere & share.may == 0) else {
                continue;
            };
            found.push(((self.name(from), to, rule), finding));
        }
        if !rest {
            return;
        }
        let other = |v: u32| Outcomes(v).may_accept() && mark(&self.program, v) == 0;
        if let Some((cube, value)) = self.plain_path(answer, other) {
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
            found.push(((self.name(from), to, (usize::MAX, usize::MAX)), finding));
        }
    }

    /// A path for people: TCP before UDP before anything else.
    fn plain_path(&self, node: Node, want: impl Fn(u32) -> bool + Copy) -> Option<(Cube, u32)> {
        let diagram = &self.program.diagram;
        plain_views().iter().find_map(|view| diagram.path_within(node, view, want))
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

    /// The finding for one rule by its share of an answer.
    fn classify(
        &self,
        from: &From,
        to: To,
        rule: RuleId,
        share: &Share<'_>,
        only_source: bool,
    ) -> Option<Finding> {
        let diagram = &self.program.diagram;
        let path = |within: &Cube, mark: u64| diagram.marked_path(share.answer, within, share.marks, mark);
        let ports: Ranges = MANAGEMENT_PORTS.iter().map(|p| (*p as u128, *p as u128)).collect();
        let management = Cube::all()
            .at(Field::Protocol, Protocol::TCP.0 as u128)
            .and_then(|c| c.with(Field::DestinationPort, &ports))?;
        let managed = if to == To::Firewall { path(&management, share.may) } else { None };
        let any_any = self.is_any_any(rule);
        let id = match (from, to) {
            (_, To::Zone(_)) => self.id_of_pair(from, to),
            (_, To::Firewall) if managed.is_some() => FindingId::ManagementExposed,
            (_, To::Uplinks) if any_any => FindingId::RuleAnyAny,
            _ if only_source => FindingId::SourceTooWide,
            _ => FindingId::ExcessPermit,
        };
        // Show what a person fears first: management for management, certain before possible, TCP before others.
        let views = plain_views();
        let certain = || views.iter().find_map(|view| path(view, share.must));
        let (cube, value) = managed.or_else(certain).or_else(|| path(&Cube::all(), share.may))?;
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
        rule.when.terms.is_empty() && fields.iter().all(|f| rule.when.leaves_open(*f))
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

    /// Insecure services that a rule permits by their port.
    fn insecure(&self, from: &From, to: To, node: Node, found: &mut Vec<(Key, Finding)>) {
        for (protocol, port, service) in INSECURE {
            let area = Cube::all()
                .at(Field::Protocol, protocol.0 as u128)
                .and_then(|c| c.at(Field::DestinationPort, port.into()));
            let Some(area) = area else { continue };
            // A wide rule before it does not hide the one that names the service.
            let meant = |cube: &Cube| {
                let list = cube.ranges(Field::DestinationPort).map_or(&[][..], Ranges::as_slice);
                cube.meets(&area)
                    && list.iter().any(|(lo, hi)| (*lo..=*hi).contains(&port.into()) && hi - lo < ON_PURPOSE)
            };
            let names = |(chain, index): RuleId| {
                let bound = &self.program.chains[chain];
                let at = bound.binary_search_by_key(&index, |b| b.index);
                at.is_ok_and(|at| bound[at].cubes.iter().any(meant))
            };
            let permits =
                |v: u32| Outcomes(v).must_accept() && self.program.decider(Outcomes(v)).is_some_and(names);
            let Some((cube, value)) = self.program.diagram.path_within(node, &area, permits) else {
                continue;
            };
            let Some(rule) = self.program.decider(Outcomes(value)) else { continue };
            let text = Text::new("finding-insecure-service")
                .arg("service", service)
                .arg("from", self.name(from))
                .arg("to", self.to_name(to));
            let finding = Finding::new(FindingId::InsecureService, self.subject(from, to), text);
            let shown = self.show(&cube);
            found.push(((self.name(from), to, rule), self.with_evidence(finding, &shown)));
        }
    }
}
