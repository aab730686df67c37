//! The kernel as referee of both engines.

use std::collections::{BTreeMap, BTreeSet};
use tillgate_intent::Intent;
use tillgate_lab::{Fate, Lab, Random, packets, probes};
use tillgate_model::{Family, Packet, State};
use tillgate_ruleset::{Program, Region, RuleSet, trace};

/// Both engines against the kernel for a list of first packets; returns how many were compared.
fn compare(
    lab: &Lab,
    rules: &RuleSet,
    intent: &Intent,
    uplink: &str,
    list: &[Packet],
) -> (usize, Vec<(Packet, Packet)>) {
    let mut program = Program::new(rules, Some(intent));
    let mut regions: BTreeMap<(String, State, Family), Region> = BTreeMap::new();
    let (mut compared, mut passed) = (0, Vec::new());
    // Without ports a packet the other way round belongs to the connection that the first one opened.
    let mut sent = BTreeSet::new();
    let list: Vec<Packet> = list
        .iter()
        .filter(|p| {
            let portless = !p.protocol.has_ports() && !p.protocol.is_icmp();
            let back = portless && sent.contains(&(p.destination, p.source, p.protocol));
            if portless && !back {
                sent.insert((p.source, p.destination, p.protocol));
            }
            !back
        })
        .cloned()
        .collect();
    for batch in list.chunks(20_000) {
        let fates = lab.send(batch);
        for (packet, fate) in batch.iter().zip(fates) {
            let input = packet.input.clone().unwrap();
            let key = (input.clone(), packet.state, packet.family());
            let region = *regions
                .entry(key)
                .or_insert_with(|| program.region(&input, uplink, packet.state, packet.family()));
            let by_diagram = program.outcome(region, packet);
            let by_walk = trace(rules, Some(&intent.topology), packet, Some(""));
            let arrived = !matches!(fate, Fate::Gone);
            for (engine, outcomes) in [("diagram", by_diagram), ("walk", by_walk.outcomes)] {
                let fits = if arrived { outcomes.may_accept() } else { outcomes.may_drop() };
                assert!(
                    fits,
                    "{packet}: kernel says {fate:?}, {engine} says {outcomes:?}\n{:#?}",
                    by_walk
                        .steps
                        .iter()
                        .map(|s| format!("{} {:?}", s.span.one_line(), s.effect))
                        .collect::<Vec<_>>()
                );
            }
            // The walk knows at least as much: where the diagram is sure, so is it.
            if by_diagram.must_accept() {
                assert!(by_walk.outcomes.must_accept(), "{packet}");
            }
            compared += 1;
            // What skipped tracking has no answer that is established.
            let tracked = by_walk.steps.iter().all(|s| !s.span.text().contains("notrack"));
            if let (Fate::Forwarded(output, seen), true) = (fate, tracked) {
                let mut reply = packet.clone();
                reply.input = Some(output);
                passed.push((reply, seen));
            }
        }
    }
    (compared, passed)
}

/// Answers to what passed: the kernel calls them established, and so must the analyser.
fn compare_replies(lab: &Lab, rules: &RuleSet, intent: &Intent, passed: &[(Packet, Packet)]) -> usize {
    let mut sent = Vec::new();
    let mut judged = Vec::new();
    for (first, seen) in passed.iter().take(20_000) {
        // An echo reply must carry the number of its request, which the lab uses for itself.
        if !first.protocol.has_ports() {
            continue;
        }
        let answer = |p: &Packet| {
            let mut reply = p.clone();
            (reply.source, reply.destination) = (p.destination, p.source);
            (reply.source_port, reply.destination_port) = (p.destination_port, p.source_port);
            reply.state = State::Established;
            reply.tcp_flags = if p.tcp_flags != 0 { 0x12 } else { 0 };
            reply
        };
        // On the wire it answers what was seen outside; the filter sees the address that was there before.
        let mut wire = answer(seen);
        wire.input = first.input.clone();
        let mut inner = answer(first);
        inner.source = wire.source;
        inner.source_port = wire.source_port;
        inner.input = first.input.clone();
        inner.output = Some("?".into());
        sent.push(wire);
        judged.push(inner);
    }
    let fates = lab.send(&sent);
    for (packet, fate) in judged.iter().zip(&fates) {
        let mut packet = packet.clone();
        let family = packet.family();
        let at = intent.topology.zone_of(family, tillgate_model::address_bits(packet.destination));
        let uplink = intent.topology.uplinks.first().cloned();
        packet.output = at.map(|at| intent.topology.zones[at].interface.clone()).or(uplink);
        let walked = trace(rules, Some(&intent.topology), &packet, Some(""));
        let arrived = !matches!(fate, Fate::Gone);
        let fits = if arrived { walked.outcomes.may_accept() } else { walked.outcomes.may_drop() };
        assert!(fits, "{packet}: kernel says {fate:?}, walk says {:?}", walked.outcomes);
    }
    judged.len()
}

/// Rules against the kernel that `load` loads them into; returns how many packets were compared.
pub fn judge(rules: &RuleSet, load: &dyn Fn(&Lab), intent: &Intent, random: &mut Random) -> usize {
    let lab = Lab::new(&intent.topology, &[]);
    let mut compared = 0;
    for uplink in &intent.topology.uplinks {
        load(&lab);
        lab.route_by(uplink);
        let mut list = probes(rules, &intent.topology, uplink, random);
        compared += compare(&lab, rules, intent, uplink, &list).0;
        for family in Family::BOTH {
            lab.gate("conntrack", &["-F"], None);
            list = packets(rules, &intent.topology, uplink, family, 24_000, random);
            let (count, passed) = compare(&lab, rules, intent, uplink, &list);
            compared += count;
            compared += compare_replies(&lab, rules, intent, &passed);
        }
    }
    compared
}
