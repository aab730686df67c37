//! Permissions written beside a denial, or in the place of a rule that goes.
//!
//! A rule for what comes in does not know the way out: it says so by the tag of the file's own rules going out, or
//! leaves out the site's own addresses. Whether a rule going out is needed as well, is tried.

use super::edit::{Closing, removal};
use super::place::{Draft, Sheet, Spot};
use super::render::{remark, service, word};
use crate::edit::{permissions, whole_lines};
use crate::permits::{Permit, Service, Target};
use std::fmt::Write;
use tillgate_intent::{Flow, Side};
use tillgate_model::{Family, Ranges, Span};
use tillgate_ruleset::Edit;

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
    /// At one place.
    At(&'a Span, bool),
}

/// Permissions of flows, and of segments that may use the internet.
pub fn permit(
    sheet: &Sheet<'_>,
    at: &Span,
    instead: bool,
    flows: &[&Flow],
    internet: &[usize],
) -> Vec<Vec<Edit>> {
    let (local, forward) = permissions(sheet.desk.intent, flows, internet);
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

struct Grant<'a> {
    sheet: &'a Sheet<'a>,
    local: Vec<Permit>,
    forward: Vec<Permit>,
}

impl Grant<'_> {
    /// Takes the packets from a denial.
    fn beside(&self, denial: &Spot) -> Vec<Vec<Edit>> {
        use Outward::{Nothing, Rules};
        let ways: &[(bool, Outward)] = match denial.raw.ways {
            (true, false) => &[(true, Nothing), (true, Rules)],
            (false, true) => &[(false, Rules), (true, Rules)],
            _ => &[(true, Nothing), (true, Rules), (false, Rules)],
        };
        let mut out: Vec<Vec<Edit>> = ways
            .iter()
            .map(|(inward, outward)| self.draft(Where::Beside(denial), *inward, *outward))
            .collect();
        // Something else stands in the way: before everything.
        if let Some(first) = self.sheet.first() {
            out.push(self.draft(Where::At(&first, true), true, Nothing));
            out.push(self.draft(Where::At(&first, true), true, Rules));
        }
        out
    }

    /// In the place of a rule.
    fn replaced(&self, spot: &Spot) -> Vec<Vec<Edit>> {
        use Outward::{All, Nothing, Rules};
        let place = whole_lines(&spot.raw.span);
        let there = Where::At(&place, spot.raw.quick);
        match spot.raw.ways {
            (true, true) => vec![self.draft(there, true, All), self.draft(there, true, Rules)],
            // What it lets out came in by default.
            (false, true) if self.sheet.denial(false).is_none() => self.closed(),
            (false, true) => vec![self.draft(there, false, Rules), self.draft(there, true, Rules)],
            _ => vec![self.draft(there, true, Nothing), self.draft(there, true, Rules)],
        }
    }

    /// With a denial of everything else.
    fn closed(&self) -> Vec<Vec<Edit>> {
        let Some(place) = self.sheet.first() else { return Vec::new() };
        let one = |closing: &Closing| {
            let mut draft = Draft::new(self.sheet);
            draft.write(&place, closing.text);
            let outward = if closing.out { Outward::Nothing } else { Outward::Rules };
            self.write(&mut draft, Where::At(&place, false), true, outward);
            draft.finish()
        };
        super::edit::CLOSINGS.iter().map(one).collect()
    }

    /// What is no filter rule goes, and the permissions stand beside the denial of everything else.
    fn after_removal(&self, at: &Span) -> Vec<Vec<Edit>> {
        let (Some(edit), Some(denial)) = (removal(self.sheet, at), self.sheet.denial(false)) else {
            return Vec::new();
        };
        let one = |outward| {
            let mut draft = Draft::new(self.sheet);
            draft.add(edit.clone());
            self.write(&mut draft, Where::Beside(denial), true, outward);
            draft.finish()
        };
        vec![one(Outward::Nothing), one(Outward::Rules)]
    }

    fn draft(&self, place: Where<'_>, inward: bool, outward: Outward) -> Vec<Edit> {
        let mut draft = Draft::new(self.sheet);
        self.write(&mut draft, place, inward, outward);
        draft.finish()
    }

    fn write(&self, draft: &mut Draft<'_>, place: Where<'_>, inward: bool, outward: Outward) {
        let mut known: Option<(Span, String)> = None;
        let mut put = |draft: &mut Draft<'_>, span: Span, permit: &Permit, rule: String| {
            // Rules of one permission stand together under one comment.
            let head = format!("# {}\n", remark(&permit.comment));
            match &known {
                Some((s, h)) if *s == span && *h == head => draft.write(&span, &format!("{rule}\n")),
                _ => draft.write(&span, &format!("{head}{rule}\n")),
            }
            known = Some((span, head));
        };
        let spot = |out: bool, on: &[String]| match place {
            Where::Beside(denial) => self.sheet.beside(denial, out, on),
            Where::At(span, quick) => (span.clone(), quick),
        };
        let intent = self.sheet.desk.intent;
        if outward == Outward::All {
            let (span, quick) = spot(true, &[]);
            draft.write(&span, if quick { "pass out quick\n" } else { "pass out\n" });
        }
        for permit in self.local.iter().chain(&self.forward).filter(|p| inward || p.to.is_none()) {
            let (span, quick) = spot(false, &Permit::interfaces(permit.from, intent));
            let rule = self.coming(draft, permit, quick, &span, outward != Outward::Rules);
            put(draft, span, permit, rule);
        }
        if outward != Outward::Rules {
            return;
        }
        for permit in &self.forward {
            let Some(to) = permit.to else { continue };
            let (span, quick) = spot(true, &Permit::interfaces(to, intent));
            let rule = self.going(draft, permit, to, quick, &span);
            put(draft, span, permit, rule);
        }
    }

    fn coming(
        &self,
        draft: &mut Draft<'_>,
        permit: &Permit,
        quick: bool,
        place: &Span,
        tagged: bool,
    ) -> String {
        let (family, intent) = (permit.family, self.sheet.desk.intent);
        let tag = permit.to.map(|to| Permit::interfaces(to, intent)).filter(|_| tagged);
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
            (_, Some(_)) if tag.is_some() => "any".into(),
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
        match &permit.source {
            None => "any".into(),
            Some(source) => draft.side(permit.family, source, "sources", false, place),
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
