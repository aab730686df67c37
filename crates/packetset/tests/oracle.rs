//! The diagram against a BDD library and against plain first-match evaluation, on random rule sets.

use biodivine_lib_bdd::{Bdd, BddVariable, BddVariableSet};
use proptest::prelude::*;
use tillgate_model::Ranges;
use tillgate_packetset::{Cube, Diagram, Field, Node, Point};

/// Fields small enough to enumerate: 2 + 3 + 4 bits.
const FIELDS: [(Field, u32); 3] = [(Field::State, 2), (Field::Protocol, 3), (Field::DestinationPort, 4)];

fn ranges(bits: u32) -> impl Strategy<Value = Vec<(u128, u128)>> {
    let top = (1u128 << bits) - 1;
    prop::collection::vec((0..=top, 0..=top), 1..3)
        .prop_map(|list| list.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect())
}

type Rule = (Vec<Option<Vec<(u128, u128)>>>, bool);

fn rule() -> impl Strategy<Value = Rule> {
    let fields = FIELDS.map(|(_, bits)| prop::option::of(ranges(bits)));
    (fields, any::<bool>()).prop_map(|(fields, permit)| (fields.into_iter().collect(), permit))
}

fn cube(rule: &Rule) -> Cube {
    let mut cube = Cube::all();
    for ((field, _), list) in FIELDS.iter().zip(&rule.0) {
        if let Some(list) = list {
            cube = cube
                .with(*field, &Ranges::from_unsorted(list.clone()))
                .expect("a range of the field is not empty");
        }
    }
    cube
}

/// First match by balanced divide and conquer; 2 is "no rule matched".
fn first_match(diagram: &mut Diagram, rules: &[Rule]) -> Node {
    match rules {
        [] => Node::leaf(2),
        [one] => diagram.cube(&cube(one), u32::from(one.1), 2),
        _ => {
            let (a, b) = rules.split_at(rules.len() / 2);
            let (a, b) = (first_match(diagram, a), first_match(diagram, b));
            diagram.zip(a, b, |x, y| if x == 2 { y } else { x })
        }
    }
}

fn oracle(rules: &[Rule]) -> (BddVariableSet, Vec<BddVariable>, Bdd) {
    let total: u32 = FIELDS.iter().map(|f| f.1).sum();
    let set = BddVariableSet::new_anonymous(total as u16);
    let vars = set.variables();
    let mut permit = set.mk_false();
    for rule in rules.iter().rev() {
        let mut matched = set.mk_true();
        let mut base = 0;
        for ((_, bits), list) in FIELDS.iter().zip(&rule.0) {
            if let Some(list) = list {
                let mut field = set.mk_false();
                for value in 0..1u128 << bits {
                    if list.iter().any(|(lo, hi)| (*lo..=*hi).contains(&value)) {
                        let mut minterm = set.mk_true();
                        for b in 0..*bits {
                            let literal = set.mk_literal(vars[(base + b) as usize], value >> b & 1 == 1);
                            minterm = minterm.and(&literal);
                        }
                        field = field.or(&minterm);
                    }
                }
                matched = matched.and(&field);
            }
            base += bits;
        }
        permit = if rule.1 { permit.or(&matched) } else { permit.and_not(&matched) };
    }
    (set, vars, permit)
}

fn points() -> impl Iterator<Item = (Point, Vec<bool>)> {
    (0u128..1 << 9).map(|n| {
        let mut point: Point = [0; 12];
        let (mut rest, mut bits) = (n, Vec::new());
        for (field, width) in FIELDS {
            point[field as usize] = rest & ((1 << width) - 1);
            for b in 0..width {
                bits.push(rest >> b & 1 == 1);
            }
            rest >>= width;
        }
        (point, bits)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn first_match_equals_the_bdd(rules in prop::collection::vec(rule(), 0..24)) {
        let mut diagram = Diagram::new();
        let node = first_match(&mut diagram, &rules);
        let (_, _, bdd) = oracle(&rules);
        for (point, bits) in points() {
            let want = bdd.eval_in(&biodivine_lib_bdd::BddValuation::new(bits));
            prop_assert_eq!(diagram.eval(node, &point) == 1, want);
            let by_hand = rules.iter().find(|r| cube(r).contains(&point)).map_or(2, |r| u32::from(r.1));
            prop_assert_eq!(diagram.eval(node, &point), by_hand);
        }
    }

    #[test]
    fn equal_functions_are_equal_nodes(rules in prop::collection::vec(rule(), 0..12), at in 0usize..12) {
        // Splitting a rule in two changes nothing, so the node is the same.
        let mut split = rules.clone();
        if let Some(one) = split.get(at.min(rules.len().saturating_sub(1))).cloned() {
            split.insert(at.min(rules.len() - 1), one);
        }
        let mut diagram = Diagram::new();
        prop_assert_eq!(first_match(&mut diagram, &rules), first_match(&mut diagram, &split));
    }

    #[test]
    fn paths_are_disjoint_and_complete(rules in prop::collection::vec(rule(), 0..16)) {
        let mut diagram = Diagram::new();
        let node = first_match(&mut diagram, &rules);
        let paths = diagram.paths(node, |v| v == 1, usize::MAX);
        for (point, _) in points() {
            let hits = paths.iter().filter(|(c, _)| c.contains(&point)).count();
            prop_assert_eq!(hits, usize::from(diagram.eval(node, &point) == 1));
        }
    }

    #[test]
    fn fold_and_choose_mean_what_they_say(
        rules in prop::collection::vec(rule(), 0..12),
        other in prop::collection::vec(rule(), 0..12),
        within in ranges(4),
    ) {
        let mut diagram = Diagram::new();
        let (a, b) = (first_match(&mut diagram, &rules), first_match(&mut diagram, &other));
        let within = Ranges::from_unsorted(within);
        let folded = diagram.fold(a, Field::DestinationPort, &within, |x, y| x.max(y));
        let chosen = diagram.choose(a, b, Node::leaf(7));
        for (point, _) in points() {
            let mut most = 0;
            for port in 0..16 {
                if within.contains(port) {
                    let mut p = point;
                    p[Field::DestinationPort as usize] = port;
                    most = most.max(diagram.eval(a, &p));
                }
            }
            prop_assert_eq!(diagram.eval(folded, &point), most);
            let want = if diagram.eval(a, &point) != 0 { diagram.eval(b, &point) } else { 7 };
            prop_assert_eq!(diagram.eval(chosen, &point), want);
        }
    }

    #[test]
    fn clipping_keeps_the_points_inside(a in rule(), b in rule()) {
        let (a, b) = (cube(&a), cube(&b));
        for (point, _) in points() {
            if b.contains(&point) {
                prop_assert_eq!(a.clip(&b).is_some_and(|c| c.contains(&point)), a.contains(&point));
            }
            prop_assert_eq!(
                a.intersect(&b).is_some_and(|c| c.contains(&point)),
                a.contains(&point) && b.contains(&point)
            );
        }
    }
}
