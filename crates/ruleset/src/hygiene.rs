//! Rules that can never match, found exactly: by a witness packet where there is one, by a diagram where not.

use crate::bind::Bound;
use crate::program::Program;
use crate::rules::{Action, Hook, Kind, RuleSet};
use tillgate_model::{Evidence, Finding, FindingId, Ranges, Subject, Text};
use tillgate_packetset::{Cube, Diagram, Field, Node, Point};

/// Rules whose packets are all taken by earlier rules of their chain, with the smallest set that takes them.
pub fn shadowed(rules: &RuleSet, program: &Program<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    for (chain_id, bound) in program.chains.iter().enumerate() {
        let chain = &rules.chains[chain_id];
        let mut earlier: Vec<(Hull, &Cube, usize)> = Vec::new();
        let mut random = 0x9e37_79b9_7f4a_7c15u64 ^ chain_id as u64;
        for rule in bound {
            if let Some(covers) = covered(rule, &earlier, &mut random) {
                let text =
                    Text::new("finding-rule-shadowed").num("count", covers.len()).arg("chain", &chain.name);
                let mut finding = Finding::new(FindingId::RuleShadowed, Subject::default(), text)
                    .evidence(Evidence::Rule(chain.rules[rule.index].span.clone()));
                for cover in covers {
                    finding = finding.evidence(Evidence::Rule(chain.rules[cover].span.clone()));
                }
                out.push(finding);
            }
            // Only a rule that surely matches and surely ends takes packets away from later ones.
            let ends = matches!(
                rule.action,
                Action::Accept | Action::Drop | Action::Return | Action::Goto(_) | Action::Translate(_)
            );
            if ends && !rule.doubt {
                earlier.extend(rule.cubes.iter().map(|c| (Hull::of(c), c, rule.index)));
            }
        }
    }
    out
}

/// The earlier rules that together take every packet of a rule, as few as possible; `None` if one gets through.
fn covered(rule: &Bound, earlier: &[(Hull, &Cube, usize)], random: &mut u64) -> Option<Vec<usize>> {
    let mut covers = Vec::new();
    for cube in &rule.cubes {
        let hull = Hull::of(cube);
        let near: Vec<(&Cube, usize)> =
            earlier.iter().filter(|(h, _, _)| h.meets(&hull)).map(|(_, c, index)| (*c, *index)).collect();
        // One that holds it all is the simplest answer.
        if let Some((_, index)) = near.iter().find(|(c, _)| cube.is_subset(c)) {
            covers.push(*index);
            continue;
        }
        let clipped: Vec<(Cube, usize)> =
            near.iter().filter_map(|(c, index)| c.clip(cube).map(|c| (c, *index))).collect();
        if clipped.is_empty() || has_witness(cube, &clipped, random) {
            return None;
        }
        if !is_cover(&clipped.iter().map(|(c, _)| c.clone()).collect::<Vec<_>>(), cube) {
            return None;
        }
        // Drop one after the other, the narrowest first, while the rest still covers.
        let mut needed = clipped;
        needed.sort_by_key(|(c, index)| (std::cmp::Reverse(c.constraints().len()), *index));
        let mut at = 0;
        while at < needed.len() && needed.len() > 1 {
            let rest: Vec<Cube> =
                needed.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, (c, _))| c.clone()).collect();
            if is_cover(&rest, cube) {
                needed.remove(at);
            } else {
                at += 1;
            }
        }
        covers.extend(needed.into_iter().map(|(_, index)| index));
    }
    covers.sort_unstable();
    covers.dedup();
    (!covers.is_empty()).then_some(covers)
}

/// First and last value of the fields that tell rules apart best: most pairs need no closer look.
#[derive(Clone, Copy)]
struct Hull([(u128, u128); 4]);

impl Hull {
    const FIELDS: [Field; 4] = [Field::Destination, Field::Source, Field::DestinationPort, Field::Protocol];

    fn of(cube: &Cube) -> Self {
        Hull(Self::FIELDS.map(|field| match cube.ranges(field).map(Ranges::as_slice) {
            Some([(lo, hi)]) => (*lo, *hi),
            Some([(lo, _), .., (_, hi)]) => (*lo, *hi),
            _ => (0, field.maximum()),
        }))
    }

    fn meets(&self, other: &Hull) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
    }
}

/// Tries packets that are likely to slip between the earlier rules: corners of the rule's box, and values just
/// beside the edges of what overlaps it.
fn has_witness(cube: &Cube, clipped: &[(Cube, usize)], random: &mut u64) -> bool {
    // Any spread will do, and the same every time: xorshift64.
    let mut next = || {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        (*random >> 16) as u128
    };
    let owns = Field::ALL.map(|f| cube.ranges(f).cloned().unwrap_or_else(|| Ranges::full(f.maximum())));
    let mut point: Point = [0; Field::ALL.len()];
    // Most rules have room to spare: a few points anywhere inside find it.
    for _ in 0..12 {
        for (at, own) in owns.iter().enumerate() {
            let list = own.as_slice();
            let (lo, hi) = list[next() as usize % list.len()];
            point[at] =
                lo + if hi - lo < u128::MAX { (next() << 64 | next()) % (hi - lo + 1) } else { next() };
        }
        if !clipped.iter().any(|(c, _)| c.contains(&point)) {
            return true;
        }
    }
    let mut choices: Vec<(Field, Vec<u128>)> = Vec::new();
    for field in Field::ALL {
        let own = &owns[field as usize];
        let mut values = Vec::new();
        for &(lo, hi) in own.as_slice().iter().take(4) {
            values.extend([lo, hi]);
        }
        for (other, _) in clipped.iter().take(256) {
            for &(lo, hi) in other.ranges(field).map_or(&[][..], Ranges::as_slice).iter().take(4) {
                values.extend(
                    [lo.checked_sub(1), hi.checked_add(1)].into_iter().flatten().filter(|v| own.contains(*v)),
                );
            }
        }
        values.sort_unstable();
        values.dedup();
        choices.push((field, values));
    }
    for attempt in 0..200 {
        for (field, values) in &choices {
            let pick = match attempt {
                0 => 0,
                1 => values.len() - 1,
                _ => next() as usize % values.len(),
            };
            point[*field as usize] = values[pick];
        }
        if !clipped.iter().any(|(c, _)| c.contains(&point)) {
            return true;
        }
    }
    false
}

fn is_cover(cubes: &[Cube], within: &Cube) -> bool {
    let mut diagram = Diagram::new();
    let union = diagram.union(cubes);
    let inside = diagram.cube(within, 1, 0);
    let left = diagram.zip(inside, union, |a, b| a & (1 - b));
    left == Node::leaf(0)
}

/// Rules of the forward hook that accept any service to any destination for new connections.
pub fn any_any(rules: &RuleSet) -> Vec<Finding> {
    let mut out = Vec::new();
    for base in rules.at(Hook::Forward, Kind::Filter) {
        for rule in &rules.chains[base.chain].rules {
            let cube = &rule.when.cube;
            let fields = [Field::Protocol, Field::DestinationPort, Field::Destination, Field::Source];
            let new = cube.ranges(Field::State).is_none_or(|r| r.contains(0));
            let wide = rule.when.terms.is_empty() && fields.iter().all(|f| cube.ranges(*f).is_none());
            if rule.action == Action::Accept && new && wide && !rule.when.never {
                let text = Text::new("finding-rule-any-any").arg("from", "any").arg("to", "any");
                out.push(
                    Finding::new(FindingId::RuleAnyAny, Subject::default(), text)
                        .evidence(Evidence::Rule(rule.span.clone())),
                );
            }
        }
    }
    out
}
