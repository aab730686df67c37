//! The interval decision diagram: hash-consed multi-way nodes with sorted interval edges.

use crate::{Cube, Field, Point};
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};
use tillgate_model::Ranges;

/// A function from points to leaf values. Equal ids of one [`Diagram`] are equal functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(u32);

const LEAF: u32 = 1 << 31;

impl Node {
    /// The constant function.
    pub const fn leaf(value: u32) -> Node {
        Node(value | LEAF)
    }

    /// The value, if the function is constant.
    pub const fn value(self) -> Option<u32> {
        if self.0 & LEAF != 0 { Some(self.0 & !LEAF) } else { None }
    }
}

/// Upper bound of an interval, and where it leads. The lower bound is one past the previous edge's.
type Edge = (u128, Node);

#[derive(Clone, Copy)]
struct Inner {
    field: Field,
    first: u32,
    count: u32,
}

/// What [`Diagram::zip_lazy`] may take where its left side is constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The left side.
    Left,
    /// The right side.
    Right,
    /// Neither as it is.
    Both,
}

/// The store of nodes. Leaf values are below 2^31.
#[derive(Default)]
pub struct Diagram {
    inner: Vec<Inner>,
    edges: Vec<Edge>,
    unique: HashTable<u32>,
}

impl Diagram {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all nodes, and keeps the room they had unless it is more than most diagrams need.
    pub fn clear(&mut self) {
        if self.inner.len() > 1 << 14 {
            *self = Self::default();
        }
        self.inner.clear();
        self.edges.clear();
        self.unique.clear();
    }

    /// Number of inner nodes built so far: the measure of memory.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// True when no inner node was built.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    fn edges(&self, inner: Inner) -> &[Edge] {
        &self.edges[inner.first as usize..(inner.first + inner.count) as usize]
    }

    fn level(&self, node: Node) -> usize {
        match node.value() {
            Some(_) => Field::ALL.len(),
            None => self.inner[node.0 as usize].field as usize,
        }
    }

    /// A node from sorted edges that cover the field's domain; joins neighbours that lead to the same place.
    fn node(&mut self, field: Field, list: &mut Vec<Edge>) -> Node {
        list.dedup_by(|next, kept| {
            let same = next.1 == kept.1;
            if same {
                kept.0 = next.0;
            }
            same
        });
        if let [(_, only)] = list.as_slice() {
            return *only;
        }
        let hash = |field: Field, edges: &[Edge]| {
            let mut hasher = FxHasher::default();
            (field as u8).hash(&mut hasher);
            for (hi, node) in edges {
                hasher.write_u64(*hi as u64);
                hasher.write_u64((*hi >> 64) as u64);
                hasher.write_u32(node.0);
            }
            hasher.finish()
        };
        let key = hash(field, list);
        let found = self.unique.find(key, |&at| {
            let inner = self.inner[at as usize];
            inner.field == field && self.edges(inner) == list.as_slice()
        });
        if let Some(&at) = found {
            return Node(at);
        }
        let at = self.inner.len() as u32;
        assert!(at < LEAF, "a diagram holds at most 2^31 nodes");
        self.inner.push(Inner { field, first: self.edges.len() as u32, count: list.len() as u32 });
        self.edges.extend_from_slice(list);
        let (inner, edges) = (&self.inner, &self.edges);
        self.unique.insert_unique(key, at, |&other| {
            let i = inner[other as usize];
            hash(i.field, &edges[i.first as usize..(i.first + i.count) as usize])
        });
        Node(at)
    }

    /// `inside` on the points of the cube, `outside` elsewhere.
    pub fn cube(&mut self, cube: &Cube, inside: u32, outside: u32) -> Node {
        let mut node = Node::leaf(inside);
        let outside = Node::leaf(outside);
        let mut list = Vec::new();
        for (field, ranges) in cube.constraints().iter().rev() {
            list.clear();
            let mut next = 0u128;
            for &(lo, hi) in ranges.as_slice() {
                if lo > next {
                    list.push((lo - 1, outside));
                }
                list.push((hi, node));
                next = hi.saturating_add(1);
            }
            if ranges.as_slice().last().is_some_and(|r| r.1 < field.maximum()) {
                list.push((field.maximum(), outside));
            }
            node = self.node(*field, &mut list);
        }
        node
    }

    /// 1 on the points of any of the cubes, 0 elsewhere; balanced.
    pub fn union(&mut self, cubes: &[Cube]) -> Node {
        match cubes {
            [] => Node::leaf(0),
            [one] => self.cube(one, 1, 0),
            _ => {
                let (a, b) = cubes.split_at(cubes.len() / 2);
                let (a, b) = (self.union(a), self.union(b));
                self.zip(a, b, |x, y| x | y)
            }
        }
    }

    /// The function `point -> op(a(point), b(point))`.
    pub fn zip(&mut self, a: Node, b: Node, op: impl Fn(u32, u32) -> u32 + Copy) -> Node {
        self.zip_lazy(a, b, op, |_| Pick::Both)
    }

    /// [`Diagram::zip`] that need not look at both sides everywhere: where `a` is a constant, `pick` may say that
    /// the result is one of the sides as it is. It must agree with `op`.
    pub fn zip_lazy(
        &mut self,
        a: Node,
        b: Node,
        op: impl Fn(u32, u32) -> u32 + Copy,
        pick: impl Fn(u32) -> Pick + Copy,
    ) -> Node {
        self.zip_lazy_cached(a, b, op, pick, &mut FxHashMap::default())
    }

    fn zip_lazy_cached(
        &mut self,
        a: Node,
        b: Node,
        op: impl Fn(u32, u32) -> u32 + Copy,
        pick: impl Fn(u32) -> Pick + Copy,
        cache: &mut FxHashMap<(Node, Node), Node>,
    ) -> Node {
        if let Some(x) = a.value() {
            match (pick(x), b.value()) {
                (Pick::Left, _) => return a,
                (Pick::Right, _) => return b,
                (Pick::Both, Some(y)) => return Node::leaf(op(x, y)),
                (Pick::Both, None) => {}
            }
        }
        if let Some(&done) = cache.get(&(a, b)) {
            return done;
        }
        let level = self.level(a).min(self.level(b));
        let field = Field::ALL[level];
        let sides = [a, b].map(|n| (self.level(n) == level).then(|| self.inner[n.0 as usize]));
        let (mut at, mut list) = ([0usize; 2], Vec::with_capacity(8));
        loop {
            let step = |i: usize, node: Node| {
                sides[i].map_or((field.maximum(), node), |inner| self.edges(inner)[at[i]])
            };
            let (x, y) = (step(0, a), step(1, b));
            let hi = x.0.min(y.0);
            let child = self.zip_lazy_cached(x.1, y.1, op, pick, cache);
            list.push((hi, child));
            if hi == field.maximum() {
                break;
            }
            at[0] += usize::from(x.0 == hi);
            at[1] += usize::from(y.0 == hi);
        }
        let node = self.node(field, &mut list);
        cache.insert((a, b), node);
        node
    }

    /// The function `point -> op(a(point))`.
    pub fn map(&mut self, a: Node, op: impl Fn(u32) -> u32 + Copy) -> Node {
        self.zip(a, Node::leaf(0), |x, _| op(x))
    }

    /// `yes` where `guard` is not 0, `no` elsewhere.
    pub fn choose(&mut self, guard: Node, yes: Node, no: Node) -> Node {
        self.choose_cached(guard, yes, no, &mut FxHashMap::default())
    }

    fn choose_cached(
        &mut self,
        guard: Node,
        yes: Node,
        no: Node,
        cache: &mut FxHashMap<(Node, Node, Node), Node>,
    ) -> Node {
        if let Some(value) = guard.value() {
            return if value != 0 { yes } else { no };
        }
        if yes == no {
            return yes;
        }
        if let Some(&done) = cache.get(&(guard, yes, no)) {
            return done;
        }
        let level = [guard, yes, no].map(|n| self.level(n)).into_iter().min().unwrap_or(Field::ALL.len());
        let field = Field::ALL[level];
        let sides = [guard, yes, no].map(|n| (self.level(n) == level).then(|| self.inner[n.0 as usize]));
        let (mut at, mut list) = ([0usize; 3], Vec::with_capacity(8));
        loop {
            let step = |i: usize, node: Node| {
                sides[i].map_or((field.maximum(), node), |inner| self.edges(inner)[at[i]])
            };
            let (g, y, n) = (step(0, guard), step(1, yes), step(2, no));
            let hi = g.0.min(y.0).min(n.0);
            let child = self.choose_cached(g.1, y.1, n.1, cache);
            list.push((hi, child));
            if hi == field.maximum() {
                break;
            }
            for (i, edge) in [g, y, n].into_iter().enumerate() {
                at[i] += usize::from(edge.0 == hi);
            }
        }
        let node = self.node(field, &mut list);
        cache.insert((guard, yes, no), node);
        node
    }

    /// The function with a field fixed to a value; it no longer depends on that field.
    pub fn fix(&mut self, a: Node, field: Field, value: u128) -> Node {
        self.fold(a, field, &Ranges::single(value), |x, _| x)
    }

    /// Combines the function over all values of a field within `ranges` (not empty); the result no longer
    /// depends on that field. `op` must be associative, commutative and idempotent.
    pub fn fold(
        &mut self,
        a: Node,
        field: Field,
        ranges: &Ranges,
        op: impl Fn(u32, u32) -> u32 + Copy,
    ) -> Node {
        self.fold_cached(a, field, ranges, op, &mut FxHashMap::default())
    }

    fn fold_cached(
        &mut self,
        a: Node,
        field: Field,
        ranges: &Ranges,
        op: impl Fn(u32, u32) -> u32 + Copy,
        cache: &mut FxHashMap<Node, Node>,
    ) -> Node {
        if self.level(a) > field as usize {
            return a;
        }
        if let Some(&done) = cache.get(&a) {
            return done;
        }
        let inner = self.inner[a.0 as usize];
        let list: Vec<Edge> = self.edges(inner).to_vec();
        let node = if inner.field == field {
            let mut next = 0u128;
            let mut result: Option<Node> = None;
            for (hi, child) in list {
                if ranges.meets_span(next, hi) {
                    result = Some(match result {
                        None => child,
                        Some(sofar) => self.zip(sofar, child, op),
                    });
                }
                next = hi.saturating_add(1);
            }
            result.unwrap_or(a)
        } else {
            let mut out: Vec<Edge> =
                list.into_iter().map(|(hi, c)| (hi, self.fold_cached(c, field, ranges, op, cache))).collect();
            self.node(inner.field, &mut out)
        };
        cache.insert(a, node);
        node
    }

    /// The value at a point.
    pub fn eval(&self, mut node: Node, point: &Point) -> u32 {
        loop {
            if let Some(value) = node.value() {
                return value;
            }
            let inner = self.inner[node.0 as usize];
            let edges = self.edges(inner);
            node = edges[edges.partition_point(|e| e.0 < point[inner.field as usize])].1;
        }
    }

    /// The values the function takes, sorted.
    pub fn values(&self, node: Node) -> Vec<u32> {
        let (mut seen, mut todo, mut out) = (FxHashMap::default(), vec![node], Vec::new());
        while let Some(node) = todo.pop() {
            if seen.insert(node, ()).is_some() {
                continue;
            }
            match node.value() {
                Some(value) => out.push(value),
                None => todo.extend(self.edges(self.inner[node.0 as usize]).iter().map(|e| e.1)),
            }
        }
        out.sort_unstable();
        out
    }

    /// Whether some point has a value that satisfies `want`.
    pub fn any(&self, node: Node, want: impl Fn(u32) -> bool) -> bool {
        Search::new(self, &Cube::all(), want, |_| true).reaches(node)
    }

    /// Up to `limit` disjoint cubes whose points all have one value that satisfies `want`, with that value,
    /// in a fixed order. Each is one path through the diagram.
    pub fn paths(&self, node: Node, want: impl Fn(u32) -> bool, limit: usize) -> Vec<(Cube, u32)> {
        let mut out = Vec::new();
        Search::new(self, &Cube::all(), want, |_| true).walk(node, limit, &Cube::all(), &mut out);
        out
    }

    /// One path within a cube to a value that satisfies `want`.
    pub fn path_within(&self, node: Node, within: &Cube, want: impl Fn(u32) -> bool) -> Option<(Cube, u32)> {
        let mut out = Vec::new();
        Search::new(self, within, want, |_| true).walk(node, 1, &Cube::all(), &mut out);
        out.pop()
    }

    /// For every node from here on, the union of the marks of the leaves it leads to.
    pub fn marks(&self, node: Node, mark: impl Fn(u32) -> u64) -> Marks {
        let mut marks = FxHashMap::default();
        self.mark(node, &mark, &mut marks);
        Marks(marks)
    }

    fn mark(&self, node: Node, mark: &impl Fn(u32) -> u64, marks: &mut FxHashMap<Node, u64>) -> u64 {
        if let Some(&known) = marks.get(&node) {
            return known;
        }
        let union = match node.value() {
            Some(value) => mark(value),
            None => self
                .edges(self.inner[node.0 as usize])
                .iter()
                .fold(0, |union, edge| union | self.mark(edge.1, mark, marks)),
        };
        marks.insert(node, union);
        union
    }

    /// One path within a cube to a leaf with a mark, if there is any; its points all have the value beside it.
    pub fn marked_path(&self, node: Node, within: &Cube, marks: &Marks, mark: u64) -> Option<(Cube, u32)> {
        let leads = |node: Node| marks.of(node) & mark != 0;
        let mut out = Vec::new();
        Search::new(self, within, |v| leads(Node::leaf(v)), leads).walk(node, 1, &Cube::all(), &mut out);
        out.pop()
    }
}

/// What the leaves below a diagram's nodes are marked with.
pub struct Marks(FxHashMap<Node, u64>);

impl Marks {
    /// The marks of all leaves below a node.
    pub fn of(&self, node: Node) -> u64 {
        self.0.get(&node).copied().unwrap_or(0)
    }
}

/// A search for leaves within a cube, never below nodes that the guide rules out.
struct Search<'a, W, G> {
    diagram: &'a Diagram,
    within: &'a Cube,
    want: W,
    guide: G,
    /// Whether a node leads to what is wanted; a cube narrows each field by itself, so this depends on nothing else.
    live: FxHashMap<Node, bool>,
}

impl<'a, W: Fn(u32) -> bool, G: Fn(Node) -> bool> Search<'a, W, G> {
    fn new(diagram: &'a Diagram, within: &'a Cube, want: W, guide: G) -> Self {
        Search { diagram, within, want, guide, live: FxHashMap::default() }
    }

    fn reaches(&mut self, node: Node) -> bool {
        if let Some(value) = node.value() {
            return (self.want)(value);
        }
        if !(self.guide)(node) {
            return false;
        }
        if let Some(&known) = self.live.get(&node) {
            return known;
        }
        let (diagram, inner) = (self.diagram, self.diagram.inner[node.0 as usize]);
        let limit = self.within.ranges(inner.field);
        let mut next = 0u128;
        let mut found = false;
        for &(hi, child) in diagram.edges(inner) {
            let open = limit.is_none_or(|ranges| ranges.meets_span(next, hi));
            if open && self.reaches(child) {
                found = true;
                break;
            }
            next = hi.saturating_add(1);
        }
        self.live.insert(node, found);
        found
    }

    fn walk(&mut self, node: Node, limit: usize, sofar: &Cube, out: &mut Vec<(Cube, u32)>) {
        if out.len() >= limit || !self.reaches(node) {
            return;
        }
        if let Some(value) = node.value() {
            // Fields that no node on the path looks at are still limited by the cube.
            out.extend(sofar.intersect(self.within).map(|cube| (cube, value)));
            return;
        }
        let inner = self.diagram.inner[node.0 as usize];
        // Edges to the same child are one range set, so that a path is as wide as it can be.
        let mut children: Vec<(Node, Vec<(u128, u128)>)> = Vec::new();
        let mut places: FxHashMap<Node, usize> = FxHashMap::default();
        let mut next = 0u128;
        for &(hi, child) in self.diagram.edges(inner) {
            let range = (next, hi);
            next = hi.saturating_add(1);
            if !self.reaches(child) {
                continue;
            }
            let at = *places.entry(child).or_insert(children.len());
            match children.get_mut(at) {
                Some((_, list)) => list.push(range),
                None => children.push((child, vec![range])),
            }
        }
        let limits = self.within.ranges(inner.field);
        for (child, list) in children {
            let mut ranges = Ranges::from_unsorted(list);
            if let Some(limits) = limits {
                ranges = ranges.intersect(limits);
            }
            if let Some(narrowed) = sofar.clone().with(inner.field, &ranges) {
                self.walk(child, limit, &narrowed, out);
            }
        }
    }
}
