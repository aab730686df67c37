//! The kernel is the referee: what the analyser says of a rule set is what packets meet.
#![allow(clippy::unwrap_used)]

mod common;

use common::referee;
use common::{bistro, chain, example, read, today};
use tillgate_intent::{Intent, Path, Side, intent};
use tillgate_lab::{Fate, Lab, Random};
use tillgate_model::{Evidence, Family, Packet, Proof, SourceFile, State, address_from_bits};
use tillgate_platforms::{Input, nftables};
use tillgate_ruleset::{RuleSet, verify};

fn parse(name: &str, text: &str) -> RuleSet {
    let parsed = nftables::parse(&Input::one(&SourceFile::new(name, text)));
    assert!(parsed.diagnostics.is_empty(), "{name}: {:?}", parsed.diagnostics);
    parsed.rules
}

fn judge(name: &str, text: &str, intent: &Intent, random: &mut Random) -> usize {
    referee::judge(&parse(name, text), &|lab| lab.load(text), intent, random)
}

#[test]
fn witnesses_of_the_bistro_are_what_the_kernel_does() {
    let (estate, library) = bistro();
    let intent = intent(&estate.sites[0], &library, today());
    let text = read(&example("bistro/firewall.nft"));
    let rules = parse("firewall.nft", &text);
    let lab = Lab::new(&intent.topology, &[]);
    let mut shown = 0;
    for finding in verify(&rules, &intent) {
        for evidence in &finding.evidence {
            let Evidence::Packet(packet) = evidence else { continue };
            lab.load(&text);
            let mut packet = packet.clone();
            let allowed = !matches!(
                finding.id.name(),
                "flow-blocked" | "flow-partly-blocked" | "deny-not-logged" | "reply-not-permitted"
            );
            if packet.input.as_deref() == Some("eth0") {
                // What comes in from the internet is for the uplink's own address.
                packet.destination = "100.64.0.2".parse().unwrap();
            }
            assert_eq!(finding.proof, Proof::Proved);
            let fate = &lab.send(&[packet.clone()])[0];
            assert_eq!(!matches!(fate, Fate::Gone), allowed, "{}: {packet}: {fate:?}", finding.id);
            shown += 1;
        }
    }
    assert!(shown >= 7, "only {shown} witnesses");
}

#[test]
fn the_bistros_own_rules() {
    let (estate, library) = bistro();
    let intent = intent(&estate.sites[0], &library, today());
    let text = read(&example("bistro/firewall.nft"));
    let compared = judge("firewall.nft", &text, &intent, &mut Random::new(7));
    assert!(compared > 30_000, "only {compared} packets compared");
}

/// Rule sets nobody would write, made of everything people do write.
fn random_rules(random: &mut Random) -> String {
    let interfaces = [
        "\"eth1.20\"",
        "\"eth1.10\"",
        "\"eth1.30\"",
        "\"eth0\"",
        "\"eth1*\"",
        "{ \"eth1.10\", \"eth1.30\" }",
        "\"wg0\"",
    ];
    let v4 = [
        "10.17.20.11",
        "10.17.20.0/24",
        "10.17.20.12-10.17.20.40",
        "10.17.10.0/24",
        "{ 10.17.20.13, 10.17.30.0/25 }",
        "203.0.113.0/24",
        "198.51.100.7",
        "@hosts",
    ];
    let v6 = ["2001:db8:17:20::/64", "2001:db8:17:20::b", "2600::/12", "{ 2001:db8:ffff::5, 2a00::/16 }"];
    let ports = ["443", "80-90", "{ 22, 53, 123 }", "1024-65535", "https", "!= 443", "@services", ">= 10000"];
    let matching = |random: &mut Random, forward: bool| -> String {
        // nft refuses rules whose parts cannot be true together: one family, one protocol.
        let not = |random: &mut Random| if random.below(6) == 0 { "!= " } else { "" };
        let mut words = Vec::new();
        if random.below(3) == 0 {
            words.push(format!("iifname {}{}", not(random), random.pick(&interfaces)));
        }
        if forward && random.below(4) == 0 {
            words.push(format!("oifname {}{}", not(random), random.pick(&interfaces)));
        }
        if random.below(5) == 0 {
            words.push(format!(
                "ct state {}{}",
                not(random),
                random.pick(&["new", "established,related", "invalid", "{ new, untracked }"])
            ));
        }
        match random.below(7) {
            0 => words.push(format!("ip saddr {}{}", not(random), random.pick(&v4))),
            1 => words.push(format!("ip daddr {}{}", not(random), random.pick(&v4))),
            2 => {
                words.push(format!("ip saddr {}{}", not(random), random.pick(&v4)));
                words.push(format!("ip daddr {}{}", not(random), random.pick(&v4)));
            }
            3 => words.push(format!("ip6 daddr {}{}", not(random), random.pick(&v6))),
            4 => words.push(format!("meta nfproto {}", random.pick(&["ipv4", "ipv6"]))),
            5 => {
                words.push("ip saddr . tcp dport { 10.17.20.11 . 443, 10.17.20.0/25 . 8000-9000, 10.17.10.20 . 12345 }".to_string());
                return words.join(" ");
            }
            _ => {}
        }
        match random.below(8) {
            0 | 1 => words.push(format!("tcp dport {}", random.pick(&ports))),
            2 | 3 => words.push(format!("udp dport {}", random.pick(&ports))),
            4 => words.push(format!("meta l4proto {{ tcp, udp }} th dport {}", random.pick(&ports))),
            5 => words.push("meta l4proto { tcp, udp }".to_string()),
            6 => words.push(format!(
                "tcp flags {}",
                random.pick(&["syn", "& (syn | ack) == syn", "!= syn", "syn / syn,rst,ack"])
            )),
            _ if words.iter().all(|w| !w.contains("ip6")) && !words.iter().any(|w| w.contains("ipv6")) => {
                words.push("icmp type { echo-request, echo-reply }".to_string());
            }
            _ => {}
        }
        words.join(" ")
    };
    let chains = ["one", "two", "three"];
    let mut out = String::from(
        "table inet rnd {\n set hosts { type ipv4_addr; flags interval; elements = { 10.17.20.11, 10.17.20.64/26, 10.17.30.7-10.17.30.99 }; }\n set services { type inet_service; elements = { 443, 53, 12345 }; }\n",
    );
    let body = |random: &mut Random, level: usize, forward: bool, count: usize| -> String {
        let mut text = String::new();
        for _ in 0..count {
            let verdict = match random.below(12) {
                0..=3 => "accept".to_string(),
                4..=6 => "drop".to_string(),
                7 => "counter".to_string(),
                8 => "reject".to_string(),
                9 if level > 0 => "return".to_string(),
                _ if level < 3 => format!("{} {}", random.pick(&["jump", "jump", "goto"]), chains[level]),
                _ => "log".to_string(),
            };
            if random.below(8) == 0 {
                let next = if level < 3 { format!("jump {}", chains[level]) } else { "drop".into() };
                text.push_str(&match random.below(3) {
                    0 => format!("  iifname vmap {{ \"eth1.20\" : {next}, \"eth0\" : drop }}\n"),
                    1 => format!("  ct state vmap {{ established : accept, related : accept, invalid : {next} }}\n"),
                    _ => format!("  ip daddr . meta l4proto vmap {{ 203.0.113.0/24 . tcp : accept, 10.17.20.0/24 . udp : {next} }}\n"),
                });
            }
            text.push_str(&format!("  {} {verdict}\n", matching(random, forward)));
        }
        text
    };
    for (at, name) in chains.iter().enumerate().rev() {
        out.push_str(&format!(" chain {name} {{\n{}}}\n", body(random, at + 1, false, 3)));
    }
    let policy = *random.pick(&["accept", "drop"]);
    out.push_str(&format!(
        " chain forward {{ type filter hook forward priority filter; policy {policy};\n{}}}\n",
        body(random, 0, true, 8)
    ));
    out.push_str(&format!(
        " chain late {{ type filter hook forward priority filter + 10; policy accept;\n{}}}\n",
        body(random, 0, true, 2)
    ));
    out.push_str(&format!(
        " chain input {{ type filter hook input priority filter; policy {policy};\n{}}}\n",
        body(random, 0, false, 5)
    ));
    if random.below(2) == 0 {
        out.push_str(" chain raw { type filter hook prerouting priority raw; policy accept;\n  ip saddr 10.17.20.13 notrack\n  udp dport 123 ip saddr 10.17.30.0/24 drop\n }\n");
    }
    if random.below(2) == 0 {
        out.push_str(" chain translate { type nat hook prerouting priority dstnat; policy accept;\n  iifname \"eth0\" tcp dport { 443, 8443 } dnat ip to 10.17.20.11:12345\n  iifname \"eth1.20\" udp dport 53 redirect to :53\n  ip daddr 198.51.100.7 dnat ip to tcp dport map { 80 : 10.17.20.12, 443 : 10.17.10.20 }\n }\n");
    }
    out.push_str("}\n");
    out
}

#[test]
fn random_rules_agree() {
    let (estate, library) = bistro();
    let mut site = estate.sites[0].clone();
    // IPv6 in the terminals' segment, so that both families are routed.
    site.segments[0].subnet6 = Some("2001:db8:17:20::/64".parse().unwrap());
    site.segments[0].gateways.push("2001:db8:17:20::1".parse().unwrap());
    let intent = intent(&site, &library, today());
    let mut random = Random::new(2026);
    for round in 0..50 {
        let text = random_rules(&mut random);
        let compared = judge(&format!("random {round}"), &text, &intent, &mut random);
        assert!(compared > 20_000, "round {round}: only {compared} packets compared");
    }
}

#[test]
fn rendered_rules_do_what_the_plan_says() {
    let (bistro, library) = bistro();
    let (chain, _) = chain();
    // One of each kind: plain, with IPv6, two uplinks, an exception, the guide's table, another address plan.
    let sites = ["aachen", "augsburg", "hamburg", "koeln", "wien", "graz"].map(|n| chain.site(n).unwrap());
    let mut random = Random::new(11);
    for site in [&bistro.sites[0]].into_iter().chain(sites) {
        let intent = intent(site, &library, today());
        let rendered = nftables::render(site, &intent).unwrap_or_else(|e| panic!("{}: {e:?}", site.name));
        let compared = judge(&site.name, &rendered.text, &intent, &mut random);
        assert!(compared > 30_000, "{}: only {compared} packets compared", site.name);
        flows_pass(&rendered.text, &intent);
    }
}

/// Every flow of the plan passes the kernel; what is denied leaves a log entry.
fn flows_pass(text: &str, intent: &Intent) {
    let lab = Lab::new(&intent.topology, &[]);
    lab.load(text);
    let side = |s: Side, uplink: usize| match s {
        Side::Zone(at) => intent.topology.zones[at].interface.clone(),
        Side::Uplinks => intent.topology.uplinks[uplink].clone(),
    };
    for uplink in 0..intent.topology.uplinks.len() {
        lab.route_by(&intent.topology.uplinks[uplink]);
        lab.gate("conntrack", &["-F"], None);
        let mut list = Vec::new();
        for flow in &intent.flows {
            let (from, to) = match flow.path {
                Path::Forward { from, to } => (from, Some(to)),
                Path::Local { from } => (from, None),
                Path::Inside { .. } => continue,
            };
            if flow.by_name || from == Side::Uplinks {
                continue;
            }
            let Some(source) = flow.source_needed.as_slice().iter().map(|r| r.1).find(|a| *a > 0) else {
                continue;
            };
            let public = if flow.family == Family::V4 { "203.0.113.5" } else { "2001:db8:ffff::5" };
            let destination = match flow.destination_needed.first() {
                Some(_) if to == Some(Side::Uplinks) && flow.destination_needed.as_slice().len() > 2 => {
                    public.parse().unwrap()
                }
                Some(first) => address_from_bits(flow.family, first),
                None => continue,
            };
            let protocol = flow.protocol.unwrap_or(tillgate_model::Protocol::TCP);
            let port = flow.ports.as_ref().and_then(|p| p.first()).unwrap_or(9);
            list.push(Packet {
                input: Some(side(from, uplink)),
                output: to.map(|t| side(t, uplink)),
                state: State::New,
                protocol,
                source: address_from_bits(flow.family, source),
                destination,
                source_port: flow.icmp_type.map_or(if port == 67 { 68 } else { 40001 }, u16::from),
                destination_port: if flow.icmp_type.is_some() { 0 } else { port as u16 },
                tcp_flags: if protocol == tillgate_model::Protocol::TCP { 2 } else { 0 },
            });
        }
        assert!(list.len() >= 8, "{}: only {} flows", intent.site, list.len());
        for (packet, fate) in list.iter().zip(lab.send(&list)) {
            assert!(!matches!(fate, Fate::Gone), "{}: {packet} is gone", intent.site);
        }
    }
    // Many at once: a host's own multicast may be denied in between.
    let denied: Vec<Packet> = (0..50)
        .map(|n| {
            let text = format!("tcp 10.99.99.99:{} -> 203.0.113.5:25 in eth1.20 out eth0", 40_000 + n);
            Packet::parse(&text).unwrap()
        })
        .collect();
    let before = lab.counters().get("denied and logged").copied().unwrap_or(0);
    assert!(lab.send(&denied).iter().all(|fate| matches!(fate, Fate::Gone)));
    let after = lab.counters().get("denied and logged").copied().unwrap_or(0);
    let counted = after - before;
    assert!((50..60).contains(&counted), "denials are counted beside their log line: {counted}");
}
