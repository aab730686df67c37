//! Chains that call themselves, and calls that go too deep: no platform loads them.

use std::collections::BTreeMap;
use tillgate_model::{Diagnostic, Span, Text};
use tillgate_ruleset::{Action, ChainId, RuleSet};

/// A chain with its name and place.
pub(crate) struct Named<'a> {
    pub id: ChainId,
    pub name: &'a str,
    pub span: Span,
    /// Whether packets start in it.
    pub base: bool,
}

/// Calls beyond this are not followed; the deepest any reader allows is far less.
const DEEPEST: usize = 64;

/// Reports the first chain that calls itself, or that calls deeper than `limit`.
pub(crate) fn check<'a>(
    rules: &RuleSet,
    chains: impl Iterator<Item = Named<'a>>,
    limit: Option<usize>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    // Longest way down from each chain; `None` while it is being walked.
    let mut depth: BTreeMap<ChainId, Option<usize>> = BTreeMap::new();
    for chain in chains {
        let error = match walk(chain.id, rules, &mut depth, 0) {
            Err(()) => "jump-loop",
            Ok(deep) if chain.base && deep >= limit.unwrap_or(DEEPEST) => "jump-deep",
            Ok(_) => continue,
        };
        diagnostics.push(Diagnostic::error(chain.span, Text::new(error).arg("chain", chain.name)));
        return;
    }
}

fn walk(
    id: ChainId,
    rules: &RuleSet,
    depth: &mut BTreeMap<ChainId, Option<usize>>,
    level: usize,
) -> Result<usize, ()> {
    match depth.get(&id) {
        Some(None) => return Err(()),
        Some(Some(known)) => return Ok(*known),
        None => {}
    }
    // Deeper than anybody follows; the caller reports it.
    if level > DEEPEST + 2 {
        return Ok(DEEPEST + 2);
    }
    depth.insert(id, None);
    let mut longest = 0;
    for rule in &rules.chains[id].rules {
        if let Action::Jump(to) | Action::Goto(to) = rule.action {
            longest = longest.max(1 + walk(to, rules, depth, level + 1)?);
        }
    }
    depth.insert(id, Some(longest));
    Ok(longest)
}
