//! Repairs written into somebody's pf.conf.

use super::grant;
use super::place::{Draft, Sheet, Spot};
use super::render::word;
use super::rule::Verb;
use crate::edit::{Desk, after_line, insert};
use crate::nftables::slug;
use crate::permits::sources;
use tillgate_model::{Family, Span};
use tillgate_ruleset::{Edit, Repair};

/// A denial of what no rule decides, and what it leaves open on purpose.
pub struct Closing {
    /// The lines.
    pub text: &'static str,
    /// What came in may go out.
    pub out: bool,
}

/// Ways to deny what no rule decides, smallest first.
pub const CLOSINGS: &[Closing] = &[
    Closing { text: "block in log all\n", out: true },
    Closing { text: "block log all\npass out\n", out: true },
    Closing { text: "block log all\n", out: false },
];

/// Rules that are changed one by one before all of them are.
const MOST_TRIED: usize = 16;

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let Some(sheet) = Sheet::of(desk) else { return Vec::new() };
    match repair {
        Repair::Remove(span) => removals(&sheet, span),
        Repair::Permit { at, instead, flows, internet } => {
            grant::permit(&sheet, at, *instead, flows, internet)
        }
        Repair::Log(span) => logged(&sheet, span),
        Repair::Close(_) => closings(&sheet, CLOSINGS),
        Repair::Established(_) => with_states(&sheet),
        Repair::Sources(segment) => forged(&sheet, segment),
        Repair::Masquerade => masquerade(&sheet),
        // pf offers no services and opens no connections.
        Repair::SwitchOff(_) | Repair::Uninspected(_) => Vec::new(),
    }
}

/// The statement of a place goes.
pub fn removal(sheet: &Sheet<'_>, span: &Span) -> Option<Edit> {
    let config = &sheet.config;
    let mut list = config.skip.iter().filter(|(.., at)| at == span).peekable();
    if list.peek().is_some() {
        let topology = &sheet.desk.intent.topology;
        let site = |name: &str| {
            topology.uplinks.iter().chain(topology.zones.iter().map(|z| &z.interface)).any(|i| i == name)
        };
        let kept: Vec<String> = list
            .filter(|(name, ..)| !site(name))
            .map(|(name, negate, _)| if *negate { format!("! {name}") } else { name.clone() })
            .collect();
        // Loopback stays as it is: the firewall talks to itself.
        return Some(match kept.as_slice() {
            [] => sheet.remove(span),
            kept => Edit { span: span.clone(), text: format!("set skip on {}", super::render::list(kept)) },
        });
    }
    let known = sheet.at(span).is_some()
        || config.nats.iter().any(|nat| nat.raw.span == *span)
        || sheet.desk.rules.facts.iter().any(|fact| fact.span == *span);
    known.then(|| Edit { text: sheet.neighbours_of(span), ..sheet.remove(span) })
}

fn removals(sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let spot = sheet.at(span);
    // A rule that only lets out what came in by default is not what opens the firewall.
    if spot.is_some_and(|s| s.raw.verb == Verb::Pass && !s.sees(false)) && sheet.denial(false).is_none() {
        return closings(sheet, CLOSINGS.get(..1).unwrap_or_default());
    }
    let mut out: Vec<Vec<Edit>> = removal(sheet, span).map(|edit| vec![edit]).into_iter().collect();
    if sheet.is_default(span) {
        out.extend(closings(sheet, CLOSINGS));
    }
    out
}

/// What no rule decides is denied; rules that pass something still do, wherever they stand.
fn closings(sheet: &Sheet<'_>, list: &[Closing]) -> Vec<Vec<Edit>> {
    let Some(first) = sheet.first() else { return Vec::new() };
    let one = |closing: &Closing| {
        let mut draft = Draft::new(sheet);
        draft.write(&first, closing.text);
        draft.write(&first, &sheet.neighbours(None));
        draft.finish()
    };
    list.iter().map(one).collect()
}

/// A denial is logged. Where it is already, another passage denies the same packets in silence.
fn logged(sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let silent = |spot: &&Spot| spot.raw.verb == Verb::Block && !spot.raw.log;
    match sheet.at(span) {
        Some(spot) if silent(&spot) => log(sheet, span).map(|edit| vec![edit]).into_iter().collect(),
        Some(_) => {
            let others = sheet.spots.iter().filter(silent).filter(|spot| spot.sees(true));
            each_and_all(others.filter_map(|spot| log(sheet, &spot.raw.span)).collect())
        }
        None => Vec::new(),
    }
}

/// `log` behind the action and the direction (pf.conf(5), GRAMMAR).
fn log(sheet: &Sheet<'_>, span: &Span) -> Option<Edit> {
    let tokens = sheet.tokens(span);
    let mut words = tokens.iter();
    let mut last = words.next().filter(|t| matches!(t.text.as_str(), "block" | "antispoof"))?;
    let mut depth = 0usize;
    for token in words {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            "drop" | "return" | "return-rst" | "return-icmp" | "return-icmp6" | "in" | "out" => {}
            _ => break,
        }
        last = token;
    }
    let end = last.end as usize;
    Some(insert(Span::new(&span.file, end, end), " log".into()))
}

/// One after the other, and all of them together.
fn each_and_all(edits: Vec<Edit>) -> Vec<Vec<Edit>> {
    let mut out: Vec<Vec<Edit>> = edits.iter().take(MOST_TRIED).map(|edit| vec![edit.clone()]).collect();
    if edits.len() > 1 {
        out.push(edits);
    }
    out
}

/// Answers pass by the states of what was passed: rules that make none make one, and what passes by default passes by a
/// rule.
fn with_states(sheet: &Sheet<'_>) -> Vec<Vec<Edit>> {
    let without = sheet.spots.iter().filter(|s| s.raw.verb == Verb::Pass && s.raw.state == Some(false));
    let mut out = each_and_all(without.filter_map(|spot| keeping(sheet, &spot.raw.span)).collect());
    let open = [false, true].map(|way| sheet.denial(way).is_none());
    for (text, wanted) in [("pass out\n", open[1]), ("pass in\n", open[0]), ("pass\n", open[0] && open[1])] {
        if let (true, Some(first)) = (wanted, sheet.first()) {
            let mut draft = Draft::new(sheet);
            draft.write(&first, text);
            out.push(draft.finish());
        }
    }
    out
}

/// Takes `no state` out of a rule.
fn keeping(sheet: &Sheet<'_>, span: &Span) -> Option<Edit> {
    let tokens = sheet.tokens(span);
    let at =
        tokens.windows(2).position(|pair| matches!(pair, [a, b] if a.text == "no" && b.text == "state"))?;
    let (before, state) = (tokens.get(at.checked_sub(1)?)?, tokens.get(at + 1)?);
    Some(Edit { span: Span::new(&span.file, before.end as usize, state.end as usize), text: String::new() })
}

/// Before all other rules: who claims to be somebody else is told at once.
fn forged(sheet: &Sheet<'_>, segment: &str) -> Vec<Vec<Edit>> {
    let Some(first) = sheet.first() else { return Vec::new() };
    let mut draft = Draft::new(sheet);
    let mut lines = String::new();
    for (on, family, ranges, only, name) in sources(sheet.desk.intent) {
        if name != segment {
            continue;
        }
        let from = draft.side(family, &ranges, &format!("from_{}", slug(&name)), only, &first);
        let on = sheet.interfaces(&on, &first);
        lines.push_str(&format!("block in log quick on {on} {} from {from}\n", word(family)));
    }
    if lines.is_empty() {
        return Vec::new();
    }
    draft.write(&first, &format!("# {}: forged sources\n{lines}", super::render::remark(segment)));
    vec![draft.finish()]
}

/// A rule of its own for FreeBSD's `nat`, where the file has such; else `match`, before the rules or behind those that
/// ask for the old source.
fn masquerade(sheet: &Sheet<'_>) -> Vec<Vec<Edit>> {
    let topology = &sheet.desk.intent.topology;
    let inside = topology.inside(Family::V4);
    let (Some(first), Some(last)) = (sheet.first(), sheet.last()) else { return Vec::new() };
    let scrubs = first.file.text.lines().any(|line| line.trim_start().starts_with("scrub "));
    let nat = sheet.config.nats.last().map(|nat| after_line(&nat.raw.span));
    let apart = nat.is_some() || scrubs;
    let places = match (apart, nat) {
        (true, nat) => vec![nat.unwrap_or(first)],
        (false, _) => vec![first, last],
    };
    let one = |place: Span| {
        let mut draft = Draft::new(sheet);
        let from = draft.side(Family::V4, &inside, "inside", false, &place);
        for uplink in &topology.uplinks {
            let on = sheet.said(uplink, &place);
            draft.write(
                &place,
                &match apart {
                    true => format!("nat on {on} inet from {from} to any -> ({on})\n"),
                    false => format!("match out on {on} inet from {from} nat-to ({on})\n"),
                },
            );
        }
        draft.finish()
    };
    places.into_iter().map(one).collect()
}
