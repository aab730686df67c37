//! Permissions written beside a denial, or in the place of a rule that goes.
//!
//! A rule for what comes in does not know the way out: it says so by the tag of the file's own rules going out, or
//! leaves out the site's own addresses. Whether a rule going out is needed as well, is tried.

use super::edit::{CLOSINGS, removal};
use super::place::{Draft, Sheet, Spot};
use super::render::{remark, service, word};
use crate::edit::{after_line, insert, permissions, whole_lines};
use crate::permits::{Permit, Service, Target, sources};
use std::fmt::Write;
use tillgate_intent::{Flow, Path, Side};
use tillgate_model::{Decision, Family, Packet, Ranges, Span, State, address_from_bits};
use tillgate_ruleset::{Edit, trace};

/// What is written for packets going out.
#[derive(Clone, Copy, PartialEq)]
enum Outward {
    /// Nothing: what came in is let out already.
    Nothing,
    /// A rule for each permission.
    Rules,
    /// One rule for everything.
    All,
}

/// Where permissions stand.
#[derive(Clone, Copy)]
enum Where<'a> {
    /// Beside a denial, or a rule of their own kind.
    Beside(&'a Spot),
    /// At one place, `quick` or not.
    At(&'a Span, bool),
}

/// One way to say permissions.
#[derive(Clone, Copy)]
struct Way {
    /// Whether rules for what comes in are written.
    inward: bool,
    outward: Outward,
    /// What is for the internet is not for the firewall's own addresses there.
    guarded: bool,
}

impl Way {
    /// With rules for what comes in, and those going out; the second time guarded.
    fn both(outward: Outward) -> [Way; 2] {
        [false, true].map(|guarded| Way { inward: true, outward, guarded })
    }
}

/// Takes broadcasts from the rules that let everything out.
const BROADCASTS: &str = "block out log quick inet to 255.255.255.255";

/// Rules for what goes out, and nothing else.
const GOING_OUT: Way = Way { inward: false, outward: Outward::Rules, guarded: false };

/// Permissions of flows, and of segments that may use the internet.
pub fn permit(
    sheet: &Sheet<'_>,
    at: &Span,
    instead: bool,
    flows: &[&Flow],
    internet: &[usize],
) -> Vec<Vec<Edit>> {
    // A requirement may be said by several rules, of which one is missing.
    let missing: Vec<&Flow> = flows.iter().copied().filter(|flow| instead || !passes(sheet, flow)).collect();
    let (local, forward) = permissions(sheet.desk.intent, &missing, internet);
    if local.is_empty() && forward.is_empty() {
        return Vec::new();
    }
    let grant = Grant { sheet, local, forward };
    match (sheet.at(at), instead) {
        (Some(spot), false) => grant.beside(spot),
        (Some(spot), true) => grant.replaced(spot),
        (None, true) if sheet.is_default(at) => grant.closed(),
        (None, true) => grant.after_removal(at),
        (None, false) => Vec::new(),
    }
}

/// Whether a flow's first packet passes as the file stands.
fn passes(sheet: &Sheet<'_>, flow: &Flow) -> bool {
    let intent = sheet.desk.intent;
    let (from, to) = match flow.path {
        Path::Forward { from, to } => (from, Some(to)),
        Path::Local { from } => (from, None),
        Path::Inside { .. } => return true,
    };
    let first = |side| Permit::interfaces(side, intent).into_iter().next();
    let address = |ranges: &Ranges| ranges.first().map(|bits| address_from_bits(flow.family, bits));
    let ends = (address(&flow.source_needed), address(&flow.destination_needed));
    let (Some(protocol), (Some(source), Some(destination))) = (flow.protocol, ends) else { return false };
    let port = |ranges: Option<&Ranges>| ranges.and_then(Ranges::first).and_then(|p| u16::try_from(p).ok());
    let kind = flow.icmp_type.map(u16::from);
    let packet = Packet {
        input: first(from),
        output: to.and_then(first),
        state: State::New,
        protocol,
        source,
        destination,
        source_port: kind.or(port(Some(&flow.source_ports_needed))).unwrap_or_default(),
        destination_port: port(flow.ports.as_ref()).unwrap_or_default(),
        tcp_flags: Packet::usual_flags(protocol, State::New),
    };
    let name = flow.names.first().map(String::as_str);
    trace(sheet.desk.rules, Some(&intent.topology), &packet, name).decision == Decision::Permit
}

struct Grant<'a> {
    sheet: &'a Sheet<'a>,
    local: Vec<Permit>,
    forward: Vec<Permit>,
}

impl Grant<'_> {
    /// Takes the packets from a denial.
    fn beside(&self, denial: &Spot) -> Vec<Vec<Edit>> {
        use Outward::{Nothing, Rules};
        let mut ways: Vec<Way> = Vec::new();
        match denial.raw.ways {
            (false, true) => ways.push(GOING_OUT),
            _ => ways.extend(Way::both(Nothing)),
        }
        ways.extend(Way::both(Rules));
        if denial.raw.ways == (true, true) {
            ways.push(GOING_OUT);
        }
        let mut out = Vec::new();
        if denial.raw.ways == (false, true) {
            out.extend(self.retagged());
        } else {
            out.extend(self.moved(denial));
        }
        out.extend(ways.iter().map(|way| self.draft(Where::Beside(denial), *way)));
        // Something else stands in the way: before everything.
        if let Some(first) = self.sheet.first() {
            let front = [Nothing, Rules].into_iter().flat_map(Way::both);
            out.extend(front.map(|way| self.draft(Where::At(&first, true), way)));
        }
        out
    }

    /// The rule of the file that is about just this, wherever it stands.
    fn twin(&self, permit: &Permit) -> Option<&Spot> {
        let on = Permit::interfaces(permit.from, self.sheet.desk.intent);
        let (protocol, ports) = match &permit.service {
            Service::Ports { protocol, ports, .. } => (protocol, Some(ports)),
            Service::Protocol(protocol) => (protocol, None),
            Service::Any | Service::Icmp(_) => return None,
        };
        let only = Ranges::single(protocol.0.into());
        let same = |s: &&Spot| s.raw.protocols.as_ref() == Some(&only) && s.raw.ports.as_ref() == ports;
        self.sheet.spots.iter().filter(|s| s.is_like(false, &on)).find(same)
    }

    /// Rules of the file that stand on the wrong side of a denial change the side, or the denial goes behind them.
    fn moved(&self, denial: &Spot) -> Vec<Vec<Edit>> {
        let at = &denial.raw.span;
        let (place, quick) = self.sheet.right_beside(denial);
        let mut twins: Vec<&Span> = Vec::new();
        for permit in self.local.iter().chain(&self.forward) {
            let Some(twin) = self.twin(permit) else { return Vec::new() };
            let span = &twin.raw.span;
            let wrong = if quick { span.start > at.start } else { span.start < at.start };
            if twin.list != denial.list || twin.raw.quick != quick || span.file.name != at.file.name || !wrong
            {
                return Vec::new();
            }
            if !twins.contains(&span) {
                twins.push(span);
            }
        }
        let mut out = vec![self.carried(&twins, &place)];
        if let (true, Some(last)) = (quick, twins.iter().max_by_key(|span| span.end)) {
            out.push(self.carried(&[at], &after_line(last)));
        }
        out
    }

    /// Statements stand at another place.
    fn carried(&self, statements: &[&Span], place: &Span) -> Vec<Edit> {
        let mut draft = Draft::new(self.sheet);
        for span in statements {
            let edit = self.sheet.remove(span);
            let text = edit.span.text();
            draft.write(place, &format!("{}\n", text.trim_end_matches(['\r', '\n'])));
            draft.add(edit);
        }
        draft.finish()
    }

    /// Rules that let packets in and say the wrong way out say the right one.
    fn retagged(&self) -> Option<Vec<Edit>> {
        let mut edits: Vec<Edit> = Vec::new();
        for permit in &self.forward {
            let tag = self.sheet.tag(&Permit::interfaces(permit.to?, self.sheet.desk.intent))?;
            let span = &self.twin(permit)?.raw.span;
            let tokens = self.sheet.tokens(span);
            let said = tokens.windows(2).find(|pair| pair.first().is_some_and(|t| t.text == "tag"));
            let edit = match said.and_then(|pair| pair.get(1)) {
                Some(token) => {
                    let place = Span::new(&span.file, token.start as usize, token.end as usize);
                    Edit { span: place, text: tag.to_string() }
                }
                None => {
                    let end = span.end as usize;
                    insert(Span::new(&span.file, end, end), format!(" tag {tag}"))
                }
            };
            if !edits.contains(&edit) {
                edits.push(edit);
            }
        }
        Some(edits)
    }

    /// In the place of a rule.
    fn replaced(&self, spot: &Spot) -> Vec<Vec<Edit>> {
        use Outward::{All, Nothing, Rules};
        let place = whole_lines(&spot.raw.span);
        let ways: Vec<Way> = match spot.raw.ways {
            (true, true) => [Nothing, All, Rules].into_iter().flat_map(Way::both).collect(),
            // What it lets out came in by default.
            (false, true) if self.sheet.denial(false).is_none() => return self.closed(),
            (false, true) => [GOING_OUT].into_iter().chain(Way::both(Rules)).collect(),
            _ => [Nothing, Rules].into_iter().flat_map(Way::both).collect(),
        };
        let there = Where::At(&place, spot.raw.quick);
        let mut out: Vec<Vec<Edit>> = ways.into_iter().map(|way| self.draft(there, way)).collect();
        if spot.sees(false) {
            out.extend(self.after_removal(&spot.raw.span));
        }
        out
    }

    /// With a denial of everything else.
    fn closed(&self) -> Vec<Vec<Edit>> {
        let Some(place) = self.sheet.first() else { return Vec::new() };
        let mut out = Vec::new();
        for closing in CLOSINGS {
            for way in Way::both(if closing.out { Outward::Nothing } else { Outward::Rules }) {
                let mut draft = Draft::new(self.sheet);
                draft.write(&place, closing.text);
                draft.write(&place, &self.sheet.neighbours(None));
                self.write(&mut draft, Where::At(&place, false), way);
                out.push(draft.finish());
            }
        }
        out
    }

    /// Something goes, and the permissions stand beside the denial of everything else.
    fn after_removal(&self, at: &Span) -> Vec<Vec<Edit>> {
        let (Some(edit), Some(denial)) = (removal(self.sheet, at), self.sheet.denial(false)) else {
            return Vec::new();
        };
        let one = |way| {
            let mut draft = Draft::new(self.sheet);
            draft.replaces(&edit.span);
            draft.add(edit.clone());
            self.write(&mut draft, Where::Beside(denial), way);
            draft.finish()
        };
        [Outward::Nothing, Outward::Rules].into_iter().flat_map(Way::both).map(one).collect()
    }

    fn draft(&self, place: Where<'_>, way: Way) -> Vec<Edit> {
        let mut draft = Draft::new(self.sheet);
        if let Where::At(span, _) = place
            && span.start < span.end
        {
            draft.replaces(span);
            draft.write(span, &self.sheet.neighbours_of(span));
        }
        self.write(&mut draft, place, way);
        draft.finish()
    }

    fn write(&self, draft: &mut Draft<'_>, place: Where<'_>, way: Way) {
        let intent = self.sheet.desk.intent;
        let spot = |out: bool, on: &[String]| match place {
            Where::Beside(denial) => self.sheet.beside(denial, out, on),
            Where::At(span, quick) => (span.clone(), quick),
        };
        if way.outward == Outward::All {
            let (span, quick) = spot(true, &[]);
            draft.write(&span, if quick { "pass out quick\n" } else { "pass out\n" });
        }
        let (mut local, mut through, mut guards) = (Vec::new(), Vec::new(), Vec::new());
        for permit in &self.local {
            let (span, quick) = spot(false, &Permit::interfaces(permit.from, intent));
            let rule = self.coming(draft, permit, quick, &span, way);
            local.push((span, remark(&permit.comment), rule));
        }
        for permit in self.forward.iter().filter(|_| way.inward) {
            let guarded = way.guarded && permit.to == Some(Side::Uplinks);
            let (span, quick) = match place {
                // What is for the firewall itself is said behind.
                Where::Beside(denial) if guarded => self.sheet.right_beside(denial),
                _ => spot(false, &Permit::interfaces(permit.from, intent)),
            };
            if guarded {
                let note = "not for the firewall itself".to_string();
                guards.push((span.clone(), note, self.guard(permit, quick, &span), quick));
            }
            let rule = self.coming(draft, permit, quick, &span, way);
            through.push((span, remark(&permit.comment), rule));
        }
        let asked =
            |p: &Permit| matches!(&p.service, Service::Ports { ports, .. } if *ports == Ranges::single(67));
        if let (true, true, Some(first)) = (way.guarded, self.local.iter().any(asked), self.sheet.first()) {
            // `in` rules that let clients ask for an address do not know that such packets never leave.
            if !self.sheet.spots.iter().any(|s| s.raw.span.text() == BROADCASTS) {
                draft.rule(&first, "broadcasts stay where they are", BROADCASTS);
            }
        }
        // Of quick rules the first decides, of the others the last.
        let (early, late): (Vec<_>, Vec<_>) = guards.into_iter().partition(|(.., quick)| *quick);
        let plain = |list: Vec<(Span, String, String, bool)>| list.into_iter().map(|(s, n, r, _)| (s, n, r));
        let first = matches!(place, Where::At(_, true));
        let (before, behind) = if first { (local, Vec::new()) } else { (Vec::new(), local) };
        let all = before.into_iter().chain(plain(early)).chain(through).chain(plain(late)).chain(behind);
        for (span, note, rule) in all {
            draft.rule(&span, &note, &rule);
        }
        if way.outward != Outward::Rules {
            return;
        }
        for permit in &self.forward {
            let Some(to) = permit.to else { continue };
            let (span, quick) = spot(true, &Permit::interfaces(to, intent));
            let rule = self.going(draft, permit, to, quick, &span);
            draft.rule(&span, &remark(&permit.comment), &rule);
        }
    }

    /// Denies the service of a permission at what is delivered to the firewall itself: its addresses on the uplinks
    /// as well, and groups.
    fn guard(&self, permit: &Permit, quick: bool, place: &Span) -> String {
        let (proto, _, port, icmp) = service(permit.family, &permit.service);
        let quick = if quick { " quick" } else { "" };
        let (on, family) = (self.on(permit.from, place), word(permit.family));
        let groups = match permit.family {
            Family::V4 => "224.0.0.0/4 255.255.255.255",
            Family::V6 => "ff00::/8",
        };
        format!("block in log{quick} on {on} {family}{proto} to {{ (self) {groups} }}{port}{icmp}")
    }

    fn coming(&self, draft: &mut Draft<'_>, permit: &Permit, quick: bool, place: &Span, way: Way) -> String {
        let (family, intent) = (permit.family, self.sheet.desk.intent);
        let tag =
            permit.to.map(|to| Permit::interfaces(to, intent)).filter(|_| way.outward != Outward::Rules);
        let tag = tag.and_then(|on| self.sheet.tag(&on));
        let to = match (&permit.target, permit.to) {
            (Target::Ranges(ranges), _) => draft.side(family, ranges, "targets", false, place),
            (_, None) => match &permit.service {
                // A client that has no address yet asks everybody (RFC 2131).
                Service::Ports { ports, .. } if *ports == Ranges::single(67) => {
                    "{ (self) 255.255.255.255 }".into()
                }
                _ => "(self)".into(),
            },
            // Where it may leave, the tag says.
            (_, Some(_)) if tag.is_some() && !way.guarded => "any".into(),
            (_, Some(_)) => draft.side(family, &intent.topology.inside(family), "inside", true, place),
        };
        let from = self.source(draft, permit, place);
        let tag = tag.map(|tag| format!(" tag {tag}")).unwrap_or_default();
        line("in", permit, quick, &self.on(permit.from, place), &from, &to) + &tag
    }

    fn going(&self, draft: &mut Draft<'_>, permit: &Permit, to: Side, quick: bool, place: &Span) -> String {
        let target = match &permit.target {
            Target::Ranges(ranges) => draft.side(permit.family, ranges, "targets", false, place),
            // Whatever leaves by an uplink is the internet.
            Target::Any | Target::Public | Target::Names(_) => "any".into(),
        };
        // Behind a translation the source is another; where it came from was asked when it came in.
        let from = match (to, permit.family) {
            (Side::Uplinks, Family::V4) => "any".into(),
            _ => self.source(draft, permit, place),
        };
        line("out", permit, quick, &self.on(to, place), &from, &target)
    }

    fn on(&self, side: Side, place: &Span) -> String {
        self.sheet.interfaces(&Permit::interfaces(side, self.sheet.desk.intent), place)
    }

    fn source(&self, draft: &mut Draft<'_>, permit: &Permit, place: &Span) -> String {
        let source = permit.source.clone().or_else(|| {
            // What the segment may call itself at all.
            let on = Permit::interfaces(permit.from, self.sheet.desk.intent);
            let own = sources(self.sheet.desk.intent).into_iter();
            let mut own = own.filter(|(i, family, _, only, _)| *only && *family == permit.family && *i == on);
            own.next().map(|(_, _, ranges, ..)| ranges)
        });
        match source {
            Some(source) => draft.side(permit.family, &source, "sources", false, place),
            None => "any".into(),
        }
    }
}

fn line(way: &str, permit: &Permit, quick: bool, on: &str, from: &str, to: &str) -> String {
    let (proto, source_port, port, icmp) = service(permit.family, &permit.service);
    let quick = if quick { " quick" } else { "" };
    let mut out = format!("pass {way}{quick} on {on} {}{proto}", word(permit.family));
    let _ = write!(out, " from {from}{source_port} to {to}{port}{icmp}");
    out
}
