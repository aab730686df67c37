//! Repairs written into somebody's RouterOS export.

use super::render::{quoted, value};
use crate::edit::{
    Desk, after_line, append, before_line, insert, on_new_line, permissions, remove, whole_lines,
};
use crate::nftables::slug;
use crate::permits::{Permit, Service, Target, sources};
use std::fmt::Write;
use tillgate_intent::Intent;
use tillgate_model::{Family, Protocol, Span, addresses_text, format_ports};
use tillgate_ruleset::{Edit, Repair, What};

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    match repair {
        Repair::Remove(span) => vec![vec![remove(span)]],
        Repair::Permit { at, instead, flows, internet } => {
            let (local, forward) = permissions(desk.intent, flows, internet);
            let Some(family) = family_at(desk, at) else { return Vec::new() };
            let of = |chain: &str, list: &[Permit]| -> String {
                list.iter().filter(|p| p.family == family).map(|p| rules(chain, p, desk.intent)).collect()
            };
            let lines = of("input", &local) + &of("forward", &forward);
            if lines.is_empty() {
                return Vec::new();
            }
            vec![vec![match instead {
                true => Edit { span: whole_lines(at), text: lines },
                false => insert(before_line(at), lines),
            }]]
        }
        Repair::Log(span) => {
            let end = Span::new(&span.file, span.end as usize, span.end as usize);
            vec![vec![insert(end, " log=yes log-prefix=denied".into())]]
        }
        Repair::Close(span) => {
            let base = desk.rules.bases.iter().find(|b| b.policy_span == **span);
            let chain = base.and_then(|b| desk.rules.chains.get(b.chain));
            let last = chain.and_then(|c| c.rules.iter().map(|r| &r.span).max_by_key(|s| s.end));
            let (Some(chain), Some(last)) = (chain, last) else { return Vec::new() };
            let name = chain.name.rsplit(' ').next().unwrap_or("forward");
            let line = format!(
                "add action=drop chain={name} comment=\"denied and logged\" log=yes log-prefix=denied\n"
            );
            vec![vec![insert(after_line(last), on_new_line(last, line))]]
        }
        Repair::Established(span) => {
            let chain = desk.rules.chains.iter().find(|c| c.rules.iter().any(|r| r.span == **span));
            let Some(name) = chain.and_then(|c| c.name.rsplit(' ').next()) else { return Vec::new() };
            let line = format!("add action=accept chain={name} connection-state=established,related\n");
            vec![vec![insert(before_line(span), line)]]
        }
        Repair::Sources(segment) => append(desk, forged(desk.intent, segment)),
        Repair::Masquerade => {
            let mut out = String::from("/ip firewall nat\n");
            for uplink in &desk.intent.topology.uplinks {
                let _ = writeln!(out, "add action=masquerade chain=srcnat out-interface={}", value(uplink));
            }
            append(desk, out)
        }
        Repair::SwitchOff(span) => {
            let services =
                desk.rules.facts.iter().filter(|f| f.span == **span).filter_map(|f| match &f.what {
                    What::CleartextManagement(service) => Some(service),
                    _ => None,
                });
            let lines: String = services
                .map(|service| match service.starts_with("snmp") {
                    true => "/snmp\nset enabled=no\n".to_string(),
                    false => format!(
                        "/ip service\nset {} disabled=yes\n",
                        value(if service == "http" { "www" } else { service })
                    ),
                })
                .collect();
            append(desk, lines)
        }
        Repair::Uninspected(_) => Vec::new(),
    }
}

/// The family of the rules a line stands among.
fn family_at(desk: &Desk<'_>, at: &Span) -> Option<Family> {
    let chain = desk.rules.chains.iter().find(|c| c.rules.iter().any(|r| r.span == *at))?;
    Some(if chain.name.starts_with("ipv6 ") { Family::V6 } else { Family::V4 })
}

fn forged(intent: &Intent, segment: &str) -> String {
    let mut out = String::new();
    for (on, family, ranges, only, name) in sources(intent) {
        if name != segment {
            continue;
        }
        let path = if family == Family::V4 { "/ip" } else { "/ipv6" };
        let list = format!("sources-of-{}", slug(&name).replace('_', "-"));
        let _ = writeln!(out, "{path} firewall address-list");
        for entry in addresses_text(family, &ranges) {
            let _ = writeln!(out, "add address={} list={list}", value(&entry));
        }
        let _ = writeln!(out, "{path} firewall raw");
        for interface in &on {
            let _ = writeln!(
                out,
                "add action=drop chain=prerouting comment={} in-interface={} log=yes log-prefix=forged src-address-list={}{list}",
                quoted(&format!("{name}: forged source")),
                value(interface),
                if only { "!" } else { "" }
            );
        }
    }
    out
}

/// A line for every combination of what one rule cannot say at once; no lists are needed.
fn rules(chain: &str, permit: &Permit, intent: &Intent) -> String {
    let family = permit.family;
    let outputs = match permit.to {
        Some(to) => {
            let list = Permit::interfaces(to, intent);
            list.iter().map(|o| format!(" out-interface={}", value(o))).collect()
        }
        None => vec![String::new()],
    };
    let service = match &permit.service {
        Service::Any => String::new(),
        Service::Protocol(protocol) => format!(" protocol={}", protocol.0),
        Service::Icmp(icmp) => {
            let name = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
            format!(" icmp-options={icmp}:0-255 protocol={name}")
        }
        Service::Ports { protocol, ports, source_port } => {
            let from = source_port.map_or(String::new(), |port| format!(" src-port={port}"));
            format!(" dst-port={} protocol={protocol}{from}", format_ports(ports))
        }
    };
    let side = |word: &str, ranges: Option<&tillgate_model::Ranges>| match ranges {
        Some(ranges) => addresses_text(family, ranges).iter().map(|a| format!(" {word}={a}")).collect(),
        None => vec![String::new()],
    };
    let targets = match &permit.target {
        Target::Ranges(ranges) => side("dst-address", Some(ranges)),
        // Whatever leaves by an uplink is the internet.
        Target::Any | Target::Public | Target::Names(_) => vec![String::new()],
    };
    let note = quoted(&permit.comment);
    let mut out = String::new();
    for input in Permit::interfaces(permit.from, intent) {
        for output in &outputs {
            for source in side("src-address", permit.source.as_ref()) {
                for target in &targets {
                    let _ = writeln!(
                        out,
                        "add action=accept chain={chain} comment={note} in-interface={}{output}{service}{source}{target}",
                        value(&input)
                    );
                }
            }
        }
    }
    out
}
