//! Any one change to a rendered file is found exactly when it breaks *needed ⊆ permitted ⊆ allowed*.
//!
//! What a mutant really permits is what the kernel lets through; needed and allowed are read off the flows one by
//! one. The analyser has no part in the expectation.
#![allow(clippy::unwrap_used)]

mod common;

use common::{bistro, chain, today};
use std::collections::BTreeSet;
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent, Path, Side, intent};
use tillgate_lab::{Fate, Lab, Random, probes};
use tillgate_model::{Family, FindingId, Packet, Protocol, SourceFile, State, address_bits};
use tillgate_platforms::{Input, nftables};
use tillgate_ruleset::{RuleSet, verify};

fn side_of<'a>(intent: &'a Intent, interface: &str) -> Option<(Side, &'a str)> {
    let zone = intent.topology.zones.iter().position(|z| z.interface == interface);
    match zone {
        Some(at) => Some((Side::Zone(at), &intent.topology.zones[at].name)),
        None => intent.topology.uplinks.iter().any(|u| u == interface).then_some((Side::Uplinks, "internet")),
    }
}

fn on_path(flow: &Flow, packet: &Packet, intent: &Intent) -> bool {
    let side = |name: &Option<String>| name.as_ref().and_then(|n| side_of(intent, n)).map(|(s, _)| s);
    let path = match flow.path {
        Path::Forward { from, to } => side(&packet.input) == Some(from) && side(&packet.output) == Some(to),
        Path::Local { from } => side(&packet.input) == Some(from) && packet.output.is_none(),
        Path::Inside { .. } => false,
    };
    path && flow.family == packet.family()
}

fn service(flow: &Flow, packet: &Packet) -> bool {
    flow.protocol.is_none_or(|p| p == packet.protocol)
        && flow.ports.as_ref().is_none_or(|p| p.contains(packet.destination_port.into()))
        && flow.icmp_type.is_none_or(|t| u16::from(t) == packet.source_port)
}

fn needed(flow: &Flow, packet: &Packet, intent: &Intent) -> bool {
    flow.needed
        && on_path(flow, packet, intent)
        && service(flow, packet)
        && flow.source_needed.contains(address_bits(packet.source))
        && flow.destination_needed.contains(address_bits(packet.destination))
        && (!packet.protocol.has_ports() || flow.source_ports_needed.contains(packet.source_port.into()))
}

fn allowed(flow: &Flow, packet: &Packet, intent: &Intent) -> bool {
    on_path(flow, packet, intent)
        && (service(flow, packet) || flow.requirement == "management")
        && flow.source.contains(address_bits(packet.source))
        && flow.destination.contains(address_bits(packet.destination))
}

/// Packets to or from terminals and declared devices, and to the firewall; with sources that belong there.
fn in_scope(packet: &Packet, intent: &Intent) -> bool {
    let (family, source, destination) =
        (packet.family(), address_bits(packet.source), address_bits(packet.destination));
    let Some((from, _)) = packet.input.as_ref().and_then(|n| side_of(intent, n)) else { return false };
    let zones = &intent.topology.zones;
    let belongs = match from {
        Side::Zone(at) => zones[at].ranges(family).contains(source),
        Side::Uplinks => !intent.topology.inside(family).contains(source),
    };
    let to = packet.output.as_ref().and_then(|n| side_of(intent, n)).map(|(s, _)| s);
    let declared = |zone: usize, address: u128| {
        intent.devices.iter().any(|(_, z, f, r)| *z == zone && *f == family && r.contains(address))
    };
    let pos = |side: Side| matches!(side, Side::Zone(at) if zones[at].role == Role::Pos);
    let judged = match (from, to) {
        (_, None) => true,
        (a, Some(b)) if pos(a) || pos(b) => true,
        (Side::Zone(a), Some(Side::Zone(b))) => declared(a, source) || declared(b, destination),
        (Side::Zone(a), Some(Side::Uplinks)) => !zones[a].internet && declared(a, source),
        (Side::Uplinks, Some(Side::Zone(b))) => declared(b, destination),
        (Side::Uplinks, Some(Side::Uplinks)) => false,
    };
    let lease = if family == Family::V4 { (67, 68) } else { (547, 546) };
    let upstream = from == Side::Uplinks
        && packet.protocol == Protocol::UDP
        && (packet.source_port, packet.destination_port) == lease;
    belongs && judged && !upstream && packet.state == State::New
}

/// Packets of every flow and just beside it: first and last of each of its ranges, and one step further.
fn corners(intent: &Intent) -> Vec<Packet> {
    let mut out = Vec::new();
    for flow in &intent.flows {
        let (from, to) = match flow.path {
            Path::Forward { from, to } => (from, Some(to)),
            Path::Local { from } => (from, None),
            Path::Inside { .. } => continue,
        };
        let interface = |side: Side| match side {
            Side::Zone(at) => intent.topology.zones[at].interface.clone(),
            Side::Uplinks => intent.topology.uplinks[0].clone(),
        };
        let ends = |r: &tillgate_model::Ranges| {
            let list = r.as_slice();
            let picked = if list.len() > 4 {
                vec![list[0], list[list.len() / 2], list[list.len() - 1]]
            } else {
                list.to_vec()
            };
            picked.into_iter().flat_map(|(a, b)| [a, b]).collect::<BTreeSet<u128>>()
        };
        let beside = |values: BTreeSet<u128>| -> BTreeSet<u128> {
            values.iter().flat_map(|v| [v.saturating_sub(1), *v, v.saturating_add(1)]).collect()
        };
        let public = if flow.family == Family::V4 { "203.0.113.5" } else { "2001:db8:ffff::5" };
        let public = address_bits(public.parse().unwrap());
        let mut destinations = ends(&flow.destination_needed);
        if to == Some(Side::Uplinks) && flow.destination_needed.contains(public) {
            destinations.insert(public);
        }
        let ports = flow.ports.as_ref().map_or([9].into(), |p| beside(ends(p)));
        let source_ports =
            if flow.icmp_type.is_some() { [8, 128].into() } else { ends(&flow.source_ports_needed) };
        for source in beside(ends(&flow.source_needed)) {
            for destination in &destinations {
                for port in &ports {
                    for source_port in &source_ports {
                        let address = |bits| tillgate_model::address_from_bits(flow.family, bits);
                        let protocol = flow.protocol.unwrap_or(Protocol::TCP);
                        let icmp = protocol.is_icmp();
                        if icmp && (*source_port == 8) != (flow.family == Family::V4) {
                            continue;
                        }
                        out.push(Packet {
                            input: Some(interface(from)),
                            output: to.map(interface),
                            state: State::New,
                            protocol,
                            source: address(source),
                            destination: address(*destination),
                            source_port: *source_port as u16,
                            destination_port: if icmp { 0 } else { *port as u16 },
                            tcp_flags: if protocol == Protocol::TCP { 2 } else { 0 },
                        });
                    }
                }
            }
        }
    }
    // Neighbours on every link have addresses of their own there (IPv6).
    for zone in &intent.topology.zones {
        for gateway in &zone.gateways {
            let inputs = intent.topology.zones.iter().map(|z| &z.interface).chain(&intent.topology.uplinks);
            for input in inputs {
                for (source_port, port) in [
                    (547, 546),
                    (547, 547),
                    (547, 545),
                    (547, 8080),
                    (547, 22),
                    (40000, 546),
                    (40000, 40),
                    (546, 547),
                    (68, 67),
                ] {
                    for protocol in [Protocol::UDP, Protocol::TCP] {
                        let sources = if gateway.is_ipv6() {
                            ["fe80::99", "2001:db8:ffff::9"]
                        } else {
                            ["203.0.113.9", "198.51.100.9"]
                        };
                        for source in sources {
                            out.push(Packet {
                                input: Some(input.clone()),
                                output: None,
                                state: State::New,
                                protocol,
                                source: source.parse().unwrap(),
                                destination: *gateway,
                                source_port,
                                destination_port: port,
                                tcp_flags: if protocol == Protocol::TCP { 2 } else { 0 },
                            });
                        }
                    }
                }
            }
        }
    }
    // The kernel drops what claims to come from the firewall itself, or from the network's own address.
    let own = |f: Family, a: u128| {
        intent.topology.gateways(f).contains(a)
            || intent
                .topology
                .zones
                .iter()
                .any(|z| z.ranges(f).first() == Some(a) || z.broadcast() == Some(a))
    };
    out.retain(|p| !own(p.family(), address_bits(p.source)));
    // Nobody is 0.x.x.x, and only who has no address yet asks everybody from 0.0.0.0.
    out.retain(|p| {
        let zero = p.family() == Family::V4 && address_bits(p.source) >> 24 == 0;
        !zero || (address_bits(p.source) == 0 && p.destination.to_string() == "255.255.255.255")
    });
    let reserved = |p: &Packet| p.destination.to_string().starts_with("100.64.");
    out.retain(|p| !reserved(p) && (p.source_port > 0 || p.protocol.is_icmp()));
    out
}

/// Whether the kernel shows that the rules break the intent.
fn broken(lab: &Lab, list: &[Packet], intent: &Intent) -> Option<String> {
    let fates = lab.send(list);
    let mut replies = Vec::new();
    for (packet, fate) in list.iter().zip(fates) {
        let passed = !matches!(fate, Fate::Gone);
        let wanted = intent.flows.iter().any(|f| needed(f, packet, intent));
        if wanted && !passed {
            return Some(format!("needed and gone: {packet}"));
        }
        if passed && in_scope(packet, intent) && !intent.flows.iter().any(|f| allowed(f, packet, intent)) {
            return Some(format!("passed and not allowed: {packet}"));
        }
        if let (Fate::Forwarded(output, seen), true, true) = (fate, wanted, packet.protocol.has_ports()) {
            let mut reply = seen.clone();
            (reply.source, reply.destination) = (seen.destination, seen.source);
            (reply.source_port, reply.destination_port) = (seen.destination_port, seen.source_port);
            reply.tcp_flags = if seen.tcp_flags != 0 { 0x12 } else { 0 };
            reply.input = Some(output);
            replies.push(reply);
        }
    }
    // The firewall's resolver answers, so a second question belongs to an established connection.
    let asked: Vec<Packet> = list
        .iter()
        .filter(|p| p.protocol == Protocol::UDP && p.destination_port == 53 && p.output.is_none())
        .filter(|p| intent.flows.iter().any(|f| needed(f, p, intent)))
        .cloned()
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let again = lab.send(&asked);
    if let Some((packet, _)) = asked.iter().zip(again).find(|(_, f)| matches!(f, Fate::Gone)) {
        return Some(format!("later packet gone: {packet}"));
    }
    let fates = lab.send(&replies);
    replies.iter().zip(fates).find(|(_, f)| matches!(f, Fate::Gone)).map(|(p, _)| format!("answer gone: {p}"))
}

/// The clauses of a rule line that a mutation may drop.
fn without(line: &str, key: &str, words: usize) -> Option<String> {
    let at = line.find(key)?;
    let rest = &line[at + key.len()..];
    let mut skip = 0;
    let mut parts = rest.trim_start().split(' ');
    let lead = rest.len() - rest.trim_start().len();
    for _ in 0..words {
        let part = parts.next()?;
        skip += part.len() + 1;
        if part == "{" {
            for inner in parts.by_ref() {
                skip += inner.len() + 1;
                if inner == "}" {
                    break;
                }
            }
        }
        if part == "!=" {
            skip += parts.next()?.len() + 1;
        }
    }
    Some(format!("{}{}", &line[..at], rest.get(lead + skip..)?))
}

fn mutants(text: &str, random: &mut Random) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let rules: Vec<usize> = (0..lines.len())
        .filter(|i| {
            lines[*i].starts_with("\t\t")
                && [" accept", " drop", "vmap", "jump", "masquerade"].iter().any(|w| lines[*i].contains(w))
        })
        .filter(|i| !lines[*i].contains("policy"))
        .collect();
    let mut out = BTreeSet::new();
    let mut add = |what: &str, line: usize, new: Option<String>| {
        let mut copy: Vec<String> = lines.iter().map(|l| l.to_string()).collect();
        match new {
            Some(new) if new != lines[line] => copy[line] = new,
            Some(_) => return,
            None => {
                copy.remove(line);
            }
        }
        out.insert((copy.join("\n") + "\n", format!("{what}: {}", lines[line].trim())));
    };
    for &at in &rules {
        let line = lines[at];
        add("delete", at, None);
        for key in [
            "ip saddr",
            "ip6 saddr",
            "ip daddr",
            "ip6 daddr",
            "iifname",
            "oifname",
            "tcp dport",
            "udp dport",
            "udp sport",
        ] {
            if let Some(new) = without(line, key, 1) {
                add("drop a clause", at, Some(new));
            }
        }
        if let Some((before, after)) = line.split_once(" dport ")
            && let Some(port) = after.split([' ', '-']).next().and_then(|p| p.parse::<u32>().ok())
            && after.starts_with(&format!("{port} "))
        {
            let rest = &after[port.to_string().len()..];
            for new in [
                format!("{port}-{}", port + 1),
                format!("{}-{port}", port - 1),
                "1-65535".into(),
                (port + 1).to_string(),
                format!("{{ {port}, 8080 }}"),
            ] {
                add("port", at, Some(format!("{before} dport {new}{rest}")));
            }
        }
        for (old, new) in [
            ("@pos_devices4 ", "10.0.0.0/8 "),
            ("/24 ", "/16 "),
            (".11 ", ".11-10.255.255.255 "),
            ("tcp dport", "udp dport"),
            ("udp dport", "tcp dport"),
            (" accept", " drop"),
            (" drop", " accept"),
            ("!= @not_public4", "!= 10.0.0.0/8"),
            ("established : accept", "established : drop"),
        ] {
            if line.contains(old) {
                add("replace", at, Some(line.replacen(old, new, 1)));
            }
        }
    }
    let mut swapped = out.clone();
    for _ in 0..120 {
        let (a, b) = (*random.pick(&rules), *random.pick(&rules));
        if a != b {
            let mut copy = lines.clone();
            copy.swap(a, b);
            swapped
                .insert((copy.join("\n") + "\n", format!("swap: {} | {}", lines[a].trim(), lines[b].trim())));
        }
    }
    swapped.into_iter().collect()
}

/// Findings that say the intent is broken; hygiene and logging are other matters.
fn says_broken(rules: &RuleSet, intent: &Intent) -> Option<String> {
    let findings = verify(rules, intent);
    let broken = findings.iter().find(|f| {
        matches!(
            f.id,
            FindingId::FlowBlocked
                | FindingId::FlowPartlyBlocked
                | FindingId::ReplyNotPermitted
                | FindingId::InboundFromInternet
                | FindingId::ManagementExposed
                | FindingId::SegmentExposed
                | FindingId::RuleAnyAny
                | FindingId::SourceTooWide
                | FindingId::ExcessPermit
        )
    });
    broken.map(|f| format!("{}: {:?}", f.id, f.evidence.first()))
}

#[test]
fn every_breaking_change_is_found_and_no_other() {
    let (bistro, library) = bistro();
    let (chain, _) = chain();
    let mut random = Random::new(500);
    let (mut judged, mut breaking) = (0, 0);
    for site in [chain.site("koeln").unwrap(), chain.site("augsburg").unwrap(), &bistro.sites[0]] {
        let intent = intent(site, &library, today());
        let text = nftables::render(site, &intent).unwrap().text;
        let parse = |text: &str| nftables::parse(&Input::one(&SourceFile::new("mutant", text)));
        let original = parse(&text).rules;
        let mut lab = Lab::new(&intent.topology, &[]);
        lab.echo(53);
        let uplink = intent.topology.uplinks[0].clone();
        lab.load(&text);
        let mut list = probes(&original, &intent.topology, &uplink, &mut random);
        list.extend(corners(&intent));
        assert_eq!(broken(&lab, &list, &intent), None, "{} as rendered", site.name);
        let mut all = mutants(&text, &mut random);
        // A third of each site's, spread evenly, is enough and keeps the run short.
        let step = (all.len() / 172).max(1);
        all = all.into_iter().step_by(step).collect();
        for (mutant, what) in all {
            if !lab.accepts(&mutant) {
                continue;
            }
            let parsed = parse(&mutant);
            assert!(parsed.diagnostics.is_empty(), "{what}: {:?}", parsed.diagnostics);
            lab.load(&mutant);
            let mut probing = probes(&parsed.rules, &intent.topology, &uplink, &mut random);
            probing.append(&mut list.clone());
            let truth = broken(&lab, &probing, &intent);
            let said = says_broken(&parsed.rules, &intent);
            assert_eq!(
                said.is_some(),
                truth.is_some(),
                "{}: {what}: kernel: {truth:?}, analyser: {said:?}",
                site.name
            );
            judged += 1;
            breaking += usize::from(truth.is_some());
        }
    }
    assert!(judged >= 500, "only {judged} mutants");
    assert!(breaking >= 200 && judged - breaking >= 20, "{breaking} of {judged} break");
}
