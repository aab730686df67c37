//! Questions about a site: the boxes they start from, and the flows that must pass.

use crate::allowed::interfaces;
use crate::outcome::Outcomes;
use crate::path::{Way, either};
use crate::program::Program;
use crate::rules::Hook;
use crate::rules::Translation;
use crate::trace::{Trace, trace};
use crate::translate::Step;
use crate::witness;
use std::collections::BTreeMap;
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{
    Decision, Evidence, Family, Finding, FindingId, Packet, Proof, Protocol, Ranges, State, Subject, Text,
};
use tillgate_packetset::{Cube, Field, Node};

/// A rule set judged against an intent.
pub(crate) struct Judge<'a> {
    pub program: Program<'a>,
    pub intent: &'a Intent,
    pub findings: Vec<Finding>,
}

/// A failing point of a question.
pub(crate) struct Shown {
    pub packet: Packet,
    pub trace: Trace,
}

impl<'a> Judge<'a> {
    /// Another judge of the same rules, with no findings yet.
    pub fn fork(&self, attributed: bool) -> Self {
        Judge { program: self.program.fork(attributed), intent: self.intent, findings: Vec::new() }
    }

    /// The box of a flow's needed packets, leaving by one egress interface.
    pub fn question(&self, flow: &Flow, output: Option<&str>) -> Option<Cube> {
        let (topology, universe) = (&self.intent.topology, &self.program.universe);
        let (Path::Forward { from, .. } | Path::Local { from }) = flow.path else { return None };
        let mut cube = Cube::all()
            .with(Field::Input, &interfaces(from, topology, universe))?
            .at(Field::State, State::New as u128)?
            .at(Field::Family, flow.family as u128)?
            .with(Field::Source, &flow.source_needed)?
            .with(Field::Destination, &flow.destination_needed)?;
        if let Some(output) = output {
            cube = cube.at(Field::Output, universe.interface(output))?;
        }
        if let Some(protocol) = flow.protocol {
            cube = cube.at(Field::Protocol, protocol.0 as u128)?;
            if protocol.has_ports() {
                cube = cube.with(Field::SourcePort, &flow.source_ports_needed)?;
            }
            if protocol == Protocol::TCP {
                cube = cube.at(Field::TcpFlags, 0x02)?;
            }
        }
        if let Some(ports) = &flow.ports {
            cube = cube.with(Field::DestinationPort, ports)?;
        }
        if let Some(icmp) = flow.icmp_type {
            cube = cube.at(Field::SourcePort, icmp as u128)?.at(Field::DestinationPort, 0)?;
        }
        let names: Ranges = flow.names.iter().filter_map(|n| universe.name(n)).map(|n| (n, n)).collect();
        let names = if names.is_empty() { universe.all_names() } else { names };
        cube.with(Field::Name, &names)
    }

    /// Outcomes on the points of a box, 0 outside it.
    pub fn ask(&mut self, way: Way, question: &Cube, within: Node) -> Node {
        let node = self.program.way(way, question, within);
        let inside = self.program.diagram.cube(question, 1, 0);
        self.program.diagram.choose(inside, node, Node::leaf(0))
    }

    /// A packet of a box, walked.
    pub fn show(&self, cube: &Cube) -> Shown {
        let devices =
            self.intent.devices.iter().filter_map(|(_, _, family, r)| r.first().map(|a| (*family, a)));
        let gateways = Family::BOTH.into_iter().flat_map(|f| {
            let own = self.intent.topology.gateways(f);
            own.as_slice().iter().map(|(lo, _)| (f, *lo)).collect::<Vec<_>>()
        });
        let known: Vec<_> = gateways.chain(devices).collect();
        let (packet, name) = witness::packet(cube, &self.program.universe, &known);
        let trace = trace(self.program.rules, Some(&self.intent.topology), &packet, Some(&name));
        Shown { packet, trace }
    }

    /// Every needed flow must pass, on every uplink; its answers too.
    pub fn flows(&mut self) {
        let intent = self.intent;
        // Devices with the same need are one question; only a failing one is split.
        for group in alike(intent, |flow| flow.needed) {
            let group: Vec<&Flow> = group.into_iter().map(|at| &intent.flows[at]).collect();
            let joined = joined(&group);
            if self.flow_fails(&joined, false) && group.len() > 1 {
                for flow in group {
                    self.flow_fails(flow, true);
                }
            } else if group.len() == 1 {
                self.flow_fails(group[0], true);
            }
        }
    }

    pub fn outputs(&self, flow: &Flow) -> Vec<Option<String>> {
        let topology = &self.intent.topology;
        match flow.path {
            Path::Forward { to: Side::Zone(at), .. } => vec![Some(topology.zones[at].interface.clone())],
            Path::Forward { to: Side::Uplinks, .. } => topology.uplinks.iter().cloned().map(Some).collect(),
            Path::Local { .. } | Path::Inside { .. } => vec![None],
        }
    }

    /// Judges one flow on each of its ways out; with `report`, says what is wrong.
    fn flow_fails(&mut self, flow: &Flow, report: bool) -> bool {
        for output in self.outputs(flow) {
            let Some(question) = self.question(flow, output.as_deref()) else { continue };
            let node = self.answer(flow, &question);
            let finding = self.judge_flow(flow, &question, node);
            if let Some(finding) = finding {
                if report {
                    self.findings.push(finding);
                }
                return true;
            }
            let finding =
                self.untracked(flow, &question).or_else(|| self.replies(flow, &question, output.as_deref()));
            if let Some(finding) = finding {
                if report {
                    self.findings.push(finding);
                }
                return true;
            }
        }
        false
    }

    /// What becomes of the packets of a flow on one of its ways out, answered by the firewall itself where it redirects
    /// the service to its own.
    pub fn answer(&mut self, flow: &Flow, question: &Cube) -> Node {
        self.program.fresh();
        let Path::Forward { .. } = flow.path else {
            return self.ask(Way::Local, question, Node::leaf(1));
        };
        let routing = self.program.routing(flow.family);
        self.program.untranslated_only = true;
        let forwarded = self.ask(Way::Forward, question, routing);
        self.program.untranslated_only = false;
        if !self.program.translates() {
            return forwarded;
        }
        let local = question.clone().without(Field::Output);
        let redirected = self.ask(Way::Redirected, &local, Node::leaf(1));
        self.program.diagram.zip(forwarded, redirected, either)
    }

    fn judge_flow(&mut self, flow: &Flow, question: &Cube, node: Node) -> Option<Finding> {
        let diagram = &mut self.program.diagram;
        // Inside the question every point is a packet: what goes nowhere is blocked.
        const OUTSIDE: u32 = 1 << 30;
        let inside = diagram.cube(question, 1, 0);
        let node = diagram.choose(inside, node, Node::leaf(OUTSIDE));
        let blocked = |v: u32| v & OUTSIDE == 0 && !Outcomes(v).may_accept();
        let certain = |v: u32| v & OUTSIDE == 0 && Outcomes(v).must_accept();
        let unsure = |v: u32| v & OUTSIDE == 0 && !Outcomes(v).must_accept();
        if !diagram.any(node, unsure) {
            return None;
        }
        let (judged, folded) = match flow.unchecked {
            true => {
                let range = question.ranges(Field::Destination)?.clone();
                (diagram.fold(node, Field::Destination, &range, |a, b| a | b), true)
            }
            false => (node, false),
        };
        let subject = Subject {
            device: flow.device.clone(),
            requirement: Some(flow.requirement.clone()),
            segment: self.segment_of(flow),
            peer: None,
        };
        let text = |id: &'static str| {
            Text::new(id)
                .arg("source", &flow.source_text)
                .arg("service", service_text(flow))
                .arg("destination", &flow.destination_text)
        };
        let diagram = &self.program.diagram;
        if let Some((cube, _)) = diagram.paths(judged, blocked, 1).into_iter().next() {
            let all = !diagram.any(judged, |v| v & OUTSIDE == 0 && Outcomes(v).may_accept());
            let cube = if folded {
                cube.with(Field::Destination, question.ranges(Field::Destination)?)?
            } else {
                cube
            };
            let shown = self.show(&cube);
            let (id, text) = match all {
                true => (FindingId::FlowBlocked, text("finding-flow-blocked")),
                false => (FindingId::FlowPartlyBlocked, text("finding-flow-partly-blocked")),
            };
            return Some(self.with_evidence(Finding::new(id, subject, text), &shown));
        }
        // Something in doubt, or narrowed to destinations nobody can check here.
        let (cube, _) = diagram.paths(node, unsure, 1).into_iter().next()?;
        let narrowed = diagram.any(node, blocked);
        let none = !diagram.any(node, certain) && !narrowed;
        let id = if none { FindingId::FlowBlocked } else { FindingId::FlowPartlyBlocked };
        let text = if narrowed { text("finding-flow-narrowed") } else { text("finding-flow-undecided") };
        let shown = self.show(&cube);
        Some(self.with_evidence(Finding::new(id, subject, text).proof(Proof::Possible), &shown))
    }

    /// A flow exempt from tracking is never translated on its way out, and its answers are not established:
    /// whether they arrive is not known here.
    fn untracked(&mut self, flow: &Flow, question: &Cube) -> Option<Finding> {
        let raw = self.program.hook(Hook::Prerouting, question, (i32::MIN, -201));
        let inside = self.program.diagram.cube(question, 1, 0);
        let raw = self.program.diagram.choose(inside, raw, Node::leaf(0));
        let exempt = |v: u32| v != 0 && Outcomes(v).untracked().0;
        let (cube, _) = self.program.diagram.paths(raw, exempt, 1).into_iter().next()?;
        let subject = Subject {
            device: flow.device.clone(),
            requirement: Some(flow.requirement.clone()),
            segment: self.segment_of(flow),
            peer: None,
        };
        let text = Text::new("finding-reply-not-permitted")
            .arg("source", &flow.source_text)
            .arg("service", service_text(flow))
            .arg("destination", &flow.destination_text);
        let shown = self.show(&cube);
        let finding = Finding::new(FindingId::ReplyNotPermitted, subject, text).proof(Proof::Possible);
        Some(self.with_evidence(finding, &shown))
    }

    /// Answers come back: in the state established, the other way round; and the flow's own later packets pass.
    fn replies(&mut self, flow: &Flow, question: &Cube, output: Option<&str>) -> Option<Finding> {
        if flow.ports == Some(Ranges::single(67)) {
            // A DHCP answer is no reply to what connection tracking saw; the server sends it by itself.
            return None;
        }
        let flags =
            Ranges::from_unsorted([0x04, 0x10, 0x11, 0x12, 0x14, 0x18, 0x19].map(|f| (f, f)).to_vec());
        let swap = |cube: &Cube, a: Field, b: Field| {
            let (x, y) = (cube.ranges(a).cloned(), cube.ranges(b).cloned());
            let mut out = cube.clone().without(a).without(b);
            if let Some(y) = y {
                out = out.with(a, &y)?;
            }
            if let Some(x) = x {
                out = out.with(b, &x)?;
            }
            Some(out)
        };
        let mut later =
            question.clone().without(Field::State).at(Field::State, State::Established as u128)?;
        if flow.protocol == Some(Protocol::TCP) {
            later = later.without(Field::TcpFlags).with(Field::TcpFlags, &flags)?;
        }
        let mut back = swap(&later, Field::Source, Field::Destination)?;
        if flow.protocol.is_some_and(|p| p.has_ports()) {
            back = swap(&back, Field::SourcePort, Field::DestinationPort)?;
        }
        if let Some(icmp) = flow.icmp_type {
            // Echo reply: type 0 (RFC 792), 129 (RFC 4443).
            back = back.without(Field::SourcePort).at(Field::SourcePort, if icmp == 8 { 0 } else { 129 })?;
        }
        back = swap(&back.without(Field::Name), Field::Input, Field::Output)?;
        let local = output.is_none();
        let (forth, back_node) = if local {
            let forth = self.ask(Way::Local, &later, Node::leaf(1));
            let sent = self.program.hook(Hook::Output, &back, (i32::MIN, i32::MAX));
            let post = self.program.hook(Hook::Postrouting, &back, (i32::MIN, i32::MAX));
            (forth, self.program.diagram.zip(sent, post, |a, b| Outcomes(a).and(Outcomes(b)).0))
        } else {
            // Where an established packet goes is settled: the routing of its first packet.
            (self.ask(Way::Forward, &later, Node::leaf(1)), self.ask(Way::Forward, &back, Node::leaf(1)))
        };
        for (node, cube, answer) in [(forth, &later, false), (back_node, &back, true)] {
            let inside = self.program.diagram.cube(cube, 1, 0);
            let node = self.program.diagram.choose(inside, node, Node::leaf(1 << 30));
            let bad = |v: u32| v != 1 << 30 && !Outcomes(v).must_accept() && v != 0;
            let Some((path, value)) = self.program.diagram.paths(node, bad, 1).into_iter().next() else {
                continue;
            };
            let proof = if Outcomes(value).must_drop() { Proof::Proved } else { Proof::Possible };
            let shown = self.show(&path);
            let subject = Subject {
                device: flow.device.clone(),
                requirement: Some(flow.requirement.clone()),
                segment: self.segment_of(flow),
                peer: None,
            };
            let id = if answer { "finding-reply-not-permitted" } else { "finding-later-not-permitted" };
            let text = Text::new(id)
                .arg("source", &flow.source_text)
                .arg("service", service_text(flow))
                .arg("destination", &flow.destination_text);
            let finding = Finding::new(FindingId::ReplyNotPermitted, subject, text).proof(proof);
            return Some(self.with_evidence(finding, &shown));
        }
        None
    }

    /// Where the estate asks for translation, packets to the uplinks must get some.
    pub fn masquerade(&mut self) {
        let intent = self.intent;
        if !intent.masquerade {
            return;
        }
        for flow in intent.flows.iter().filter(|f| f.needed && f.family == Family::V4) {
            let Path::Forward { from: Side::Zone(at), to: Side::Uplinks } = flow.path else { continue };
            for output in &intent.topology.uplinks {
                let Some(question) = self.question(flow, Some(output)) else { continue };
                let cases = self.program.translations(Hook::Postrouting, &question);
                let inside = self.program.diagram.cube(&question, 1, 0);
                for (guard, steps) in cases {
                    let bare =
                        steps.iter().all(|s| !matches!(s, Step::To(Translation::Source) | Step::Unknown));
                    let node = self.program.diagram.zip(guard, inside, |a, b| a & b);
                    let Some((cube, _)) = self.program.diagram.paths(node, |v| v == 1, 1).into_iter().next()
                    else {
                        continue;
                    };
                    if !bare {
                        continue;
                    }
                    let subject = Subject {
                        segment: Some(intent.topology.zones[at].name.clone()),
                        ..Subject::default()
                    };
                    let known =
                        self.findings.iter().any(|f| f.id == FindingId::NatMissing && f.subject == subject);
                    if !known {
                        let text = Text::new("finding-nat-missing").arg("uplink", output);
                        let shown = self.show(&cube);
                        let finding = Finding::new(FindingId::NatMissing, subject, text);
                        self.findings.push(finding.evidence(Evidence::Packet(shown.packet)));
                    }
                }
            }
        }
    }

    pub fn segment_of(&self, flow: &Flow) -> Option<String> {
        let (Path::Forward { from, .. } | Path::Local { from }) = flow.path else { return None };
        match from {
            Side::Zone(at) => Some(self.intent.topology.zones[at].name.clone()),
            Side::Uplinks => Some("internet".into()),
        }
    }

    /// Adds the packet and the line that decided, or that stands in the way of deciding.
    pub fn with_evidence(&self, finding: Finding, shown: &Shown) -> Finding {
        let mut finding = finding.evidence(Evidence::Packet(shown.packet.clone()));
        if let Some(span) = &shown.trace.decided_by {
            finding = finding.evidence(Evidence::Rule(span.clone()));
        } else if shown.trace.decision == Decision::Unknown
            && let Some(step) = shown.trace.steps.iter().find(|s| !s.certain)
        {
            finding = finding.evidence(Evidence::Rule(step.span.clone()));
        }
        finding
    }
}

/// Flows that differ in nothing but their device, as indexes into the intent's.
pub(crate) fn alike(intent: &Intent, asked: impl Fn(&Flow) -> bool) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, flow) in intent.flows.iter().enumerate().filter(|(_, flow)| asked(flow)) {
        let key = format!(
            "{:?}|{}|{:?}|{:?}|{:?}|{:?}|{:?}|{:?}|{}",
            flow.path,
            flow.requirement,
            flow.family,
            flow.protocol,
            flow.ports,
            flow.source_ports_needed,
            flow.destination_needed,
            flow.names,
            flow.unchecked
        );
        groups.entry(key).or_default().push(at);
    }
    groups.into_values().collect()
}

/// Flows that are alike as one, from all their sources.
pub(crate) fn joined(group: &[&Flow]) -> Flow {
    let mut joined = group[0].clone();
    for flow in &group[1..] {
        joined.source_needed = joined.source_needed.union(&flow.source_needed);
    }
    joined
}

/// `443/tcp`, `echo`, `any`.
pub(crate) fn service_text(flow: &Flow) -> String {
    match (&flow.protocol, &flow.ports, flow.icmp_type) {
        (_, _, Some(8 | 128)) => "echo".into(),
        (Some(protocol), Some(ports), _) => format!("{}/{protocol}", tillgate_model::format_ports(ports)),
        (Some(protocol), None, _) => protocol.to_string(),
        _ => "any".into(),
    }
}
