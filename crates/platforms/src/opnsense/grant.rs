//! Permissions written beside a denial, or in the place of a rule that goes.
//!
//! No rule in knows where a packet leaves: what may go to the internet is said with any destination, and where that
//! is too much, behind denials of the firewall's own addresses and of the segments.

use super::edit::{drops, links, six};
use super::implied::{Settings, Six};
use super::lines::Outside;
use super::place::{Draft, NEW_RULES, OLD_RULES, Sheet, Spot};
use crate::edit::permissions;
use crate::permits::{Permit, Target};
use tillgate_intent::{Flow, Side};
use tillgate_model::{Family, Span};
use tillgate_ruleset::Edit;

/// One way to say permissions.
#[derive(Clone, Copy)]
struct Way {
    /// Rules for what comes in.
    inward: bool,
    /// Rules for what leaves.
    outward: bool,
    outside: Outside,
}

const GOING_OUT: Way = Way { inward: false, outward: true, outside: Outside::Plain };
const DENIALS: Way = Way { inward: true, outward: false, outside: Outside::Denials };

/// Permissions of flows, and of segments that may use the internet.
pub fn permit(
    sheet: &Sheet<'_, '_>,
    at: &Span,
    instead: bool,
    flows: &[&Flow],
    internet: &[usize],
) -> Vec<Vec<Edit>> {
    let (local, through) = permissions(sheet.desk.intent, flows, internet);
    if local.is_empty() && through.is_empty() {
        return Vec::new();
    }
    let grant = Grant { sheet, local, through };
    let rule = sheet.tree.at(at).filter(|e| matches!(e.path().as_str(), OLD_RULES | NEW_RULES));
    match rule {
        Some(rule) => {
            let beside: Vec<Edit> = if instead { links(sheet, rule) } else { Vec::new() };
            let spot = sheet.beside(rule, instead);
            let ways = grant.ways(rule.get("direction").unwrap_or("in"));
            let mut out: Vec<Vec<Edit>> = Vec::new();
            if instead && !internet.is_empty() {
                // What is too much is denied before it, and it may stay.
                out.push(grant.draft(&sheet.beside(rule, false), DENIALS, &[]));
            }
            out.extend(ways.iter().map(|way| grant.draft(&spot, *way, &beside)));
            out
        }
        None if instead => {
            let ways = grant.ways("in");
            let all = drops(sheet, at)
                .into_iter()
                .flat_map(|gone| ways.iter().map(move |way| (gone.clone(), *way)).collect::<Vec<_>>());
            all.map(|(gone, way)| grant.draft(&sheet.end(), way, &gone)).collect()
        }
        None if sheet.is_default(at) => {
            let beside = grant.six_on();
            grant.ways("in").into_iter().map(|way| grant.draft(&sheet.end(), way, &beside)).collect()
        }
        None => Vec::new(),
    }
}

struct Grant<'s, 'a, 'd> {
    sheet: &'s Sheet<'a, 'd>,
    local: Vec<Permit>,
    through: Vec<Permit>,
}

impl Grant<'_, '_, '_> {
    /// Ways past a rule of a direction, smallest first.
    fn ways(&self, direction: &str) -> Vec<Way> {
        let wide =
            |p: &Permit| p.to == Some(Side::Uplinks) && matches!(p.target, Target::Any | Target::Public);
        let outside = match self.through.iter().any(wide) {
            true => &[Outside::Plain, Outside::Guarded][..],
            false => &[Outside::Plain],
        };
        let inward =
            |outward| outside.iter().map(move |outside| Way { inward: true, outward, outside: *outside });
        match direction {
            "out" => std::iter::once(GOING_OUT).chain(inward(true)).collect(),
            "any" => inward(false).chain(inward(true)).chain([GOING_OUT]).collect(),
            _ => inward(false).collect(),
        }
    }

    /// A blocked IPv6 is let in, where it is needed.
    fn six_on(&self) -> Vec<Edit> {
        let blocked = self
            .sheet
            .tree
            .start()
            .is_some_and(|start| Settings::of(self.sheet.tree, &start).six == Six::Blocked);
        let needed = self.local.iter().chain(&self.through).any(|p| p.family == Family::V6);
        if blocked && needed { six(self.sheet, true) } else { Vec::new() }
    }

    /// Empty where the platform or the file has no words for it.
    fn draft(&self, spot: &Spot<'_>, way: Way, beside: &[Edit]) -> Vec<Edit> {
        let mut draft = Draft::new(self.sheet);
        let intent = self.sheet.desk.intent;
        let (mut lines, keys) = (Vec::new(), draft.writer.keys.clone());
        let mut sides = self.local.iter().chain(&self.through).flat_map(|p| [Some(p.from), p.to]).flatten();
        let known = |side| {
            let devices = Permit::interfaces(side, intent);
            devices.iter().all(|device| keys.iter().any(|(_, d)| d == device))
        };
        if !sides.all(known) {
            return Vec::new();
        }
        for (key, device) in &keys {
            let on = (key.as_str(), device.as_str());
            let inward = !way.inward
                || draft.writer.permits(on, &self.local, &self.through, way.outside, &mut lines).is_ok();
            if !inward {
                return Vec::new();
            }
        }
        for permit in self.through.iter().filter(|_| way.outward) {
            let Some(to) = permit.to else { continue };
            for device in Permit::interfaces(to, intent) {
                let Some((key, _)) = keys.iter().find(|(_, d)| *d == device) else { continue };
                if draft.writer.leaving(key, to, permit, &mut lines).is_err() {
                    return Vec::new();
                }
            }
        }
        if lines.is_empty() {
            return Vec::new();
        }
        draft.rules(spot, lines);
        draft.add(beside.iter().cloned());
        draft.finish()
    }
}
