//! Repairs written into somebody's nftables file.

use super::render::{deny, header};
use super::text::{comment, elements, interfaces, ports};
use crate::edit::{Desk, after_line, append, before_line, indent, insert, permissions, remove, whole_lines};
use crate::permits::{Permit, Service, Target, sources};
use tillgate_intent::{Intent, Side};
use tillgate_model::{Family, Ranges, Span, addresses_text};
use tillgate_ruleset::{Edit, Hook, Repair};

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    // What `nft -j` prints is not edited by hand.
    if desk.files.iter().any(|file| file.text.trim_start().starts_with('{')) {
        return Vec::new();
    }
    match repair {
        Repair::Remove(span) => removal(span),
        Repair::Permit { at, instead, flows, internet } => {
            let (local, forward) = permissions(desk.intent, flows, internet);
            let tab = inner(at);
            let lines: String =
                local.iter().chain(&forward).map(|p| format!("{tab}{}\n", rule(p, desk.intent))).collect();
            if lines.is_empty() {
                return Vec::new();
            }
            let place = match (instead, is_policy(desk, at)) {
                (_, true) => insert(after_line(at), lines),
                (false, false) => insert(before_line(at), lines),
                (true, false) => Edit { span: whole_lines(at), text: lines },
            };
            vec![vec![place]]
        }
        Repair::Log(span) if is_policy(desk, span) => {
            let base = desk.rules.bases.iter().find(|b| b.policy_span == **span);
            let prefix = match base.map(|b| b.hook) {
                Some(Hook::Forward) => "forward",
                Some(Hook::Input) => "input",
                _ => "chain",
            };
            end_of_chain(span).map(|end| vec![insert(end, deny(prefix, &inner(span)))]).into_iter().collect()
        }
        Repair::Log(span) => {
            let verdict = ["drop", "reject"].into_iter().filter_map(|v| span.text().rfind(v)).max();
            let Some(at) = verdict else { return Vec::new() };
            let place = span.start as usize + at;
            vec![vec![insert(Span::new(&span.file, place, place), "log prefix \"denied: \" ".into())]]
        }
        Repair::Close(span) => match span.text().rfind("accept") {
            Some(at) => {
                let start = span.start as usize + at;
                vec![vec![Edit {
                    span: Span::new(&span.file, start, start + "accept".len()),
                    text: "drop".into(),
                }]]
            }
            None => Vec::new(),
        },
        Repair::Established(span) => {
            let line = format!("{}ct state established,related accept\n", inner(span));
            let place = if is_policy(desk, span) { after_line(span) } else { before_line(span) };
            vec![vec![insert(place, line)]]
        }
        Repair::Sources(segment) => {
            let rules: String = sources(desk.intent)
                .into_iter()
                .filter(|(.., name)| name == segment)
                .map(|(on, family, ranges, only, name)| {
                    format!(
                        "\t\tiifname {} {} saddr {}{{ {} }} log prefix \"forged: \" drop comment \"{}: forged source\"\n",
                        interfaces(&on),
                        header(family),
                        if only { "!= " } else { "" },
                        elements(family, &ranges),
                        comment(&name)
                    )
                })
                .collect();
            if rules.is_empty() {
                return Vec::new();
            }
            let chain = format!(
                "\ntable inet tillgate_sources {{\n\tchain prerouting {{\n\t\ttype filter hook prerouting priority raw; policy accept;\n{rules}\t}}\n}}\n"
            );
            append(desk, chain)
        }
        Repair::Masquerade => {
            let inside = desk.intent.topology.inside(Family::V4);
            let table = format!(
                "\ntable ip tillgate_nat {{\n\tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\toifname {} ip saddr {{ {} }} masquerade\n\t}}\n}}\n",
                interfaces(&desk.intent.topology.uplinks),
                elements(Family::V4, &inside)
            );
            append(desk, table)
        }
        Repair::SwitchOff(_) | Repair::Uninspected(_) => Vec::new(),
    }
}

fn is_policy(desk: &Desk<'_>, span: &Span) -> bool {
    desk.rules.bases.iter().any(|b| b.policy_span == *span)
}

/// The indent of the rules around a span.
fn inner(span: &Span) -> String {
    let own = indent(span);
    // A chain's head may share its line with the chain's name.
    if own.is_empty() { "\t\t".into() } else { own }
}

/// The whole lines where a statement has them to itself, and else the statement with its semicolon.
fn removal(span: &Span) -> Vec<Vec<Edit>> {
    let lines = whole_lines(span);
    let before = span.start.saturating_sub(lines.start) as usize;
    let text = lines.text();
    let behind = text.get(before + span.text().len()..).unwrap_or("").trim_start();
    let alone = text.get(..before).is_some_and(|t| t.trim().is_empty())
        && (behind.is_empty() || behind.starts_with('#') || behind.trim_end() == ";");
    if alone {
        return vec![vec![remove(span)]];
    }
    let rest = span.file.text.get(span.end as usize..).unwrap_or("");
    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let semicolon = if rest.trim_start_matches([' ', '\t']).starts_with(';') { spaces + 1 } else { 0 };
    let end = span.end as usize + semicolon;
    vec![vec![Edit { span: Span::new(&span.file, span.start as usize, end), text: String::new() }]]
}

/// The place before the brace that ends the chain of a policy.
fn end_of_chain(policy: &Span) -> Option<Span> {
    let text = policy.file.text.get(policy.end as usize..)?;
    let (mut depth, mut quoted, mut remark) = (0usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '\n' => remark = false,
            _ if remark => {}
            '"' => quoted = !quoted,
            _ if quoted => {}
            '#' => remark = true,
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                let brace = policy.end as usize + at;
                let line = before_line(&Span::new(&policy.file, brace, brace));
                // On a line of its own, or else right before it.
                let own = policy.file.text.get(line.start as usize..brace)?.trim().is_empty();
                return Some(if own { line } else { Span::new(&policy.file, brace, brace) });
            }
            _ => {}
        }
    }
    None
}

/// A permission as one rule that needs nothing else in the file.
fn rule(permit: &Permit, intent: &Intent) -> String {
    let family = permit.family;
    let list = |ranges: &Ranges| match addresses_text(family, ranges).as_slice() {
        [one] => one.clone(),
        _ => format!("{{ {} }}", elements(family, ranges)),
    };
    let mut words = vec![format!("iifname {}", interfaces(&Permit::interfaces(permit.from, intent)))];
    if let Some(to) = permit.to {
        words.push(format!("oifname {}", interfaces(&Permit::interfaces(to, intent))));
    }
    let mut said = false;
    if let Some(source) = &permit.source {
        words.push(format!("{} saddr {}", header(family), list(source)));
        said = true;
    }
    let target = match &permit.target {
        // Whatever leaves by an uplink is the internet.
        Target::Public if permit.to == Some(Side::Uplinks) => None,
        Target::Any | Target::Public | Target::Names(_) => None,
        Target::Ranges(ranges) => Some(list(ranges)),
    };
    if let Some(target) = target {
        words.push(format!("{} daddr {target}", header(family)));
        said = true;
    }
    if !said {
        words.push(format!("meta nfproto {}", if family == Family::V4 { "ipv4" } else { "ipv6" }));
    }
    match &permit.service {
        Service::Any => {}
        Service::Protocol(protocol) => words.push(format!("meta l4proto {}", protocol.0)),
        Service::Icmp(icmp) => {
            words.push(format!("{} type {icmp}", if family == Family::V4 { "icmp" } else { "icmpv6" }));
        }
        Service::Ports { protocol, ports: list, source_port } => {
            words.extend(source_port.map(|port| format!("{protocol} sport {port}")));
            words.push(format!("{protocol} dport {}", ports(list)));
        }
    }
    words.push(format!("accept comment \"{}\"", comment(&permit.comment)));
    words.join(" ")
}
