//! Translation of whole addresses and blocks in both directions: one-to-one, prefix translation.

use super::addresses::{Set, Side};
use super::draft::{Draft, Place, Seen};
use super::nat::{Cuts, only};
use super::tree::{El, Tree};
use super::user::Reader;
use tillgate_model::{Family, Ranges, Text};
use tillgate_ruleset::{Action, Rule, Translation};

/// A translation of a whole address or block, in both directions.
pub struct Block {
    /// What it takes; its source is the remote side.
    pub draft: Draft,
    /// `None` where the file does not tell which addresses.
    pub ends: Option<Ends>,
    pub exempts: bool,
    /// Only packets that leave.
    outward_only: bool,
}

/// First and last address, outside and inside.
#[derive(Clone, Copy)]
pub struct Ends {
    pub family: Family,
    pub outer: (u128, u128),
    pub inner: (u128, u128),
}

/// One-to-one and prefix translations in order.
pub fn blocks<'d>(tree: &Tree<'d>, reader: &mut Reader<'d, '_>) -> Vec<Block> {
    let mut out = Vec::new();
    for rule in tree.all("nat/onetoone").into_iter().filter(|r| !r.on("disabled")) {
        let word = |side: &str| {
            let side = rule.child(side);
            let word = side.and_then(|s| s.get("network").or(s.get("address"))).unwrap_or("any");
            (word, side.is_some_and(|s| s.there("not")))
        };
        let (inner, remote) = (word("source"), word("destination"));
        out.extend(reader.block(rule, inner.0, remote, rule.get("external"), rule.on("nobinat")));
    }
    let new = |path: &str| {
        let mut list: Vec<El<'_>> =
            tree.all(path).into_iter().filter(|r| r.get("enabled") != Some("0")).collect();
        list.sort_by_key(|r| r.get("sequence").and_then(|s| s.parse::<i64>().ok()).unwrap_or(0));
        list
    };
    for rule in new("OPNsense/Firewall/Filter/onetoone/rule") {
        let remote = (rule.get("destination_net").unwrap_or("any"), rule.on("destination_not"));
        let inner = rule.get("source_net").unwrap_or("");
        out.extend(reader.block(rule, inner, remote, rule.get("external"), false));
    }
    for rule in tree.all("nat/npt").into_iter().filter(|r| !r.on("disabled")) {
        let word = |side: &str| rule.child(side).and_then(|s| s.get("address"));
        let inner = word("source").unwrap_or("");
        out.extend(reader.block(rule, inner, ("any", false), word("destination"), false));
    }
    for rule in new("OPNsense/Firewall/Filter/npt/rule") {
        let inner = rule.get("source_net").unwrap_or("");
        out.extend(reader.block(rule, inner, ("any", false), rule.get("destination_net"), false));
    }
    out
}

/// The ends of a translation; `None` unless what is inside is one block, and what is outside has room for it.
fn ends(inner: &Set, outer: &Set) -> Option<Ends> {
    let fits = |f: &Family| only(inner, *f).zip(only(outer, *f)).map(|(i, o)| (*f, i, o));
    let (family, inner, outer) = Family::BOTH.iter().find_map(fits)?;
    let host = inner.1.checked_sub(inner.0)?;
    // The block outside has the mask of the one inside.
    let block = host & host.wrapping_add(1) == 0 && inner.0 & host == 0;
    let outer = (outer.0 & !host, outer.0 | host);
    (block && outer.1 <= family.max_address()).then_some(Ends { family, outer, inner })
}

impl<'d> Reader<'d, '_> {
    fn block(
        &mut self,
        rule: El<'d>,
        inner: &str,
        remote: (&str, bool),
        external: Option<&str>,
        exempts: bool,
    ) -> Option<Block> {
        let mut draft = Draft::new(&rule.span(), true);
        draft.on = self.interfaces(rule, rule.get("interface").unwrap_or(""), false, true).ok()?;
        draft.source = self.side(rule, remote.0, remote.1, &draft.families).ok()?;
        let sets = self.operand(inner, false).zip(external.and_then(|e| self.operand(e, false)));
        let ends = sets.and_then(|(inner, outer)| ends(&inner, &outer));
        match &ends {
            Some(ends) => draft.families = vec![ends.family],
            None => {
                let text = Text::new("not-modelled-statement").arg("what", rule.name());
                self.note(&rule.span(), text, true);
            }
        }
        Some(Block { draft, ends, exempts, outward_only: rule.get("type") == Some("nat") })
    }
}

impl Block {
    /// Its rules before routing.
    pub fn rules(&self, reader: &Reader<'_, '_>, cuts: &Cuts, out: &mut Vec<Rule>) {
        if self.outward_only {
            return;
        }
        let rule = |when, action| Rule { span: self.draft.span.clone(), when, action, log: false };
        let matches = |draft: Draft| draft.matches(Place::Translating, &reader.aliases.network, &Seen::Own);
        let Some(Ends { family, outer, inner }) = self.ends else {
            out.extend(matches(self.draft.clone()).into_iter().map(|when| rule(when, Action::Unknown)));
            return;
        };
        for (lo, hi) in cuts.pieces(inner, &cuts.addresses[family as usize]) {
            let within = Ranges::span(lo - inner.0 + outer.0, hi - inner.0 + outer.0);
            for when in matches(self.draft.clone().to(Side::of(Set::of(family, within)))) {
                let target =
                    Translation::Destination { addresses: Some((family, lo, hi)), ports: None, tag: 1 };
                let action = if self.exempts { Action::Accept } else { Action::Translate(target) };
                out.push(rule(when, action));
            }
        }
    }
}
