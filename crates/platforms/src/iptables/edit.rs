//! Repairs written into somebody's `iptables-save` listing.

use super::render::{addresses, flag, prefixes, services};
use crate::edit::{Desk, after_line, before_line, end_of_file, insert, permissions, remove, whole_lines};
use crate::nftables::comment;
use crate::permits::{Permit, Target, sources};
use std::fmt::Write;
use tillgate_intent::Intent;
use tillgate_model::{Family, Span};
use tillgate_ruleset::{Edit, Repair};

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    match repair {
        Repair::Remove(span) => vec![vec![remove(span)]],
        Repair::Permit { at, instead, flows, internet } => {
            let Some(spot) = Spot::of(at) else { return Vec::new() };
            let (local, forward) = permissions(desk.intent, flows, internet);
            let lines: String = local
                .iter()
                .chain(&forward)
                .map(|permit| rules(&spot.chain, permit, desk.intent, spot.marked))
                .collect();
            if lines.is_empty() {
                return Vec::new();
            }
            if *instead && spot.rule {
                return vec![vec![Edit { span: whole_lines(at), text: lines }]];
            }
            let place = if spot.rule { Some(before_line(at)) } else { spot.first_rule(at) };
            place.map(|place| vec![insert(place, lines)]).into_iter().collect()
        }
        Repair::Log(span) => {
            let Some(spot) = Spot::of(span) else { return Vec::new() };
            let log = "-j LOG --log-prefix \"denied: \"";
            if !spot.rule {
                let line = format!("-A {} {log}\n", spot.chain);
                return spot.end_of_table(span).map(|end| vec![insert(end, line)]).into_iter().collect();
            }
            let line = whole_lines(span);
            let text = line.text().trim_end();
            let Some(at) = text.rfind("-j ").or_else(|| text.rfind("--jump ")) else { return Vec::new() };
            vec![vec![insert(before_line(span), format!("{}{log}\n", text.get(..at).unwrap_or("")))]]
        }
        Repair::Close(span) => match span.text().find(" ACCEPT") {
            Some(at) => {
                let start = span.start as usize + at + 1;
                vec![vec![Edit {
                    span: Span::new(&span.file, start, start + "ACCEPT".len()),
                    text: "DROP".into(),
                }]]
            }
            None => Vec::new(),
        },
        Repair::Established(span) => {
            let Some(spot) = Spot::of(span) else { return Vec::new() };
            let line = format!("-A {} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n", spot.chain);
            let place = if spot.rule { Some(before_line(span)) } else { spot.first_rule(span) };
            place.map(|place| vec![insert(place, line)]).into_iter().collect()
        }
        Repair::Sources(segment) => forged(desk, segment),
        Repair::Masquerade => {
            let Some(any) = desk.rules.bases.first() else { return Vec::new() };
            let inside = desk.intent.topology.inside(Family::V4);
            let mut lines = String::new();
            for uplink in &desk.intent.topology.uplinks {
                for prefix in prefixes(Family::V4, &inside) {
                    let _ = writeln!(lines, "-A POSTROUTING -s {prefix} -o {uplink} -j MASQUERADE");
                }
            }
            vec![vec![into_table(&any.policy_span, "nat", "PREROUTING INPUT OUTPUT POSTROUTING", &lines)]]
        }
        Repair::SwitchOff(_) | Repair::Uninspected(_) => Vec::new(),
    }
}

/// Where a line of a listing stands.
struct Spot {
    /// Its chain.
    chain: String,
    /// Whether it is a rule, not the head of a chain.
    rule: bool,
    /// Whether lines of this file say which family they are for.
    marked: bool,
}

impl Spot {
    fn of(span: &Span) -> Option<Self> {
        let line = whole_lines(span);
        let text = line.text().trim_start();
        let marked = span.file.text.lines().any(|l| l.contains(" -4 ") || l.contains(" -6 "));
        let head = text.strip_prefix(':');
        let chain = match head {
            Some(head) => head.split_whitespace().next()?,
            None => {
                let mut words =
                    text.split_whitespace().skip_while(|w| !matches!(*w, "-A" | "-I" | "--append"));
                words.nth(1)?
            }
        };
        Some(Spot { chain: chain.to_string(), rule: head.is_none(), marked })
    }

    /// Before the first rule behind the head of a chain, whichever chain it is of: heads come first.
    fn first_rule(&self, head: &Span) -> Option<Span> {
        place_in_table(head, |line| line.starts_with('-') || line.starts_with("COMMIT"))
    }

    fn end_of_table(&self, inside: &Span) -> Option<Span> {
        place_in_table(inside, |line| line.starts_with("COMMIT"))
    }
}

/// The place before the first line behind `from` that is wanted.
fn place_in_table(from: &Span, wanted: impl Fn(&str) -> bool) -> Option<Span> {
    let mut at = after_line(from).start as usize;
    for line in from.file.text.get(at..)?.split_inclusive('\n') {
        if wanted(line.trim_start()) {
            return Some(Span::new(&from.file, at, at));
        }
        at += line.len();
    }
    None
}

/// Lines at the head of a table's rules; the table is made where the file has none.
fn into_table(any: &Span, table: &str, chains: &str, lines: &str) -> Edit {
    let text = &any.file.text;
    let mark = format!("*{table}");
    let start = text.match_indices(&mark).map(|(at, _)| at).find(|at| {
        let own = text.get(..*at).is_none_or(|t| t.is_empty() || t.ends_with('\n'));
        own && text.get(at + mark.len()..).is_some_and(|t| t.starts_with(['\n', '\r', ' ']))
    });
    let place = start.and_then(|at| {
        let head = Span::new(&any.file, at, at + mark.len());
        place_in_table(&head, |line| line.starts_with('-') || line.starts_with("COMMIT"))
    });
    match place {
        Some(place) => insert(place, lines.to_string()),
        None => {
            let heads: String = chains.split(' ').map(|c| format!(":{c} ACCEPT [0:0]\n")).collect();
            let gap = if text.ends_with('\n') { "" } else { "\n" };
            insert(end_of_file(any), format!("{gap}*{table}\n{heads}{lines}COMMIT\n"))
        }
    }
}

fn forged(desk: &Desk<'_>, segment: &str) -> Vec<Vec<Edit>> {
    let Some(any) = desk.rules.bases.iter().find(|b| b.policy_span.file.text.contains("*filter")) else {
        return Vec::new();
    };
    let text = &any.policy_span.file.text;
    let marked = text.lines().any(|l| l.contains(" -4 ") || l.contains(" -6 "));
    // A listing without marks is of one family; what the other one lets through its own listing says.
    let six = text.lines().next().is_some_and(|l| l.contains("ip6tables"));
    let mut lines = String::new();
    for (on, family, ranges, only, name) in sources(desk.intent) {
        if name != segment || (!marked && six != (family == Family::V6)) {
            continue;
        }
        let flag = if marked { format!(" {}", flag(family)) } else { String::new() };
        for interface in &on {
            if !only {
                for prefix in prefixes(family, &ranges) {
                    let _ = writeln!(
                        lines,
                        "-A PREROUTING{flag} -s {prefix} -i {interface} -j LOG --log-prefix \"forged: \""
                    );
                    let _ = writeln!(lines, "-A PREROUTING{flag} -s {prefix} -i {interface} -j DROP");
                }
                continue;
            }
            let mut others = String::new();
            let outside = ranges.complement(family.max_address());
            for condition in addresses(family, Some(&outside), true) {
                let _ = writeln!(
                    others,
                    "-A PREROUTING{flag} -i {interface}{condition} -j LOG --log-prefix \"forged: \"\n-A PREROUTING{flag} -i {interface}{condition} -j DROP"
                );
            }
            lines.push_str(&others);
        }
    }
    if lines.is_empty() {
        return Vec::new();
    }
    vec![vec![into_table(&any.policy_span, "raw", "PREROUTING OUTPUT", &lines)]]
}

/// A line for every combination of what one rule cannot say at once.
fn rules(chain: &str, permit: &Permit, intent: &Intent, marked: bool) -> String {
    let family = permit.family;
    let flag = if marked { format!(" {}", flag(family)) } else { String::new() };
    let outputs = match permit.to {
        Some(to) => Permit::interfaces(to, intent).into_iter().map(|o| format!(" -o {o}")).collect(),
        None => vec![String::new()],
    };
    let targets = match &permit.target {
        Target::Ranges(ranges) => addresses(family, Some(ranges), false),
        // Whatever leaves by an uplink is the internet.
        Target::Any | Target::Public | Target::Names(_) => vec![String::new()],
    };
    let note = comment(&permit.comment);
    let mut out = String::new();
    for input in Permit::interfaces(permit.from, intent) {
        for output in &outputs {
            for source in addresses(family, permit.source.as_ref(), true) {
                for target in &targets {
                    for service in services(family, &permit.service) {
                        let _ = writeln!(
                            out,
                            "-A {chain}{flag} -i {input}{output}{source}{target}{service} -m comment --comment \"{note}\" -j ACCEPT"
                        );
                    }
                }
            }
        }
    }
    out
}
