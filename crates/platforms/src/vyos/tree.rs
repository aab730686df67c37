//! The configuration as the tree of words it is, whichever way it was written.
//!
//! Names, tags and values are nodes alike: `action drop` is the node `action` with the child `drop`. Which of them is
//! what only the reader of a section knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{SourceFile, Span};

/// A word with its place in the file, in bytes.
#[derive(Clone)]
pub struct Word {
    pub text: String,
    pub start: usize,
    pub end: usize,
}

/// The tree of all files.
pub struct Tree<'f> {
    files: &'f [Arc<SourceFile>],
    nodes: Vec<Node>,
    statements: u32,
}

struct Node {
    name: Arc<str>,
    children: BTreeMap<Arc<str>, u32>,
    file: u32,
    /// The word itself, where it stands first.
    place: (u32, u32),
    /// The first unbroken run of statements about it.
    run: (u32, u32),
    /// The last statement of that run.
    last: u32,
    /// The last statement that names it.
    stamp: u32,
    /// What stands between the braces of its last block, if it has one.
    inside: (u32, u32),
}

/// The node above all others.
pub const ROOT: u32 = 0;

impl<'f> Tree<'f> {
    /// An empty tree over these files.
    pub fn new(files: &'f [Arc<SourceFile>]) -> Self {
        let root = Node {
            name: Arc::from(""),
            children: BTreeMap::new(),
            file: 0,
            place: (0, 0),
            run: (0, 0),
            last: 0,
            stamp: 0,
            inside: (0, 0),
        };
        Tree { files, nodes: vec![root], statements: 0 }
    }

    /// The root as a place to read from.
    pub fn root(&self) -> At<'_> {
        At { tree: self, id: ROOT }
    }

    /// The next statement begins.
    pub fn statement(&mut self) {
        self.statements += 1;
    }

    /// The child of a node with this name, made where there is none; `whole` is the statement that names it. Also
    /// says whether it was made.
    pub fn add(&mut self, parent: u32, file: usize, word: &Word, whole: (usize, usize)) -> (u32, bool) {
        let now = self.statements;
        let whole = (whole.0 as u32, whole.1 as u32);
        if let Some(&known) = self.nodes[parent as usize].children.get(word.text.as_str()) {
            let node = &mut self.nodes[known as usize];
            if node.last + 1 >= now && node.file == file as u32 {
                node.run.1 = whole.1.max(node.run.1);
                node.last = now;
            }
            node.stamp = now;
            return (known, false);
        }
        let id = self.nodes.len() as u32;
        let name: Arc<str> = Arc::from(word.text.as_str());
        self.nodes.push(Node {
            name: Arc::clone(&name),
            children: BTreeMap::new(),
            file: file as u32,
            place: (word.start as u32, word.end as u32),
            run: whole,
            last: now,
            stamp: now,
            inside: (0, 0),
        });
        self.nodes[parent as usize].children.insert(name, id);
        (id, true)
    }

    /// A node that was made with its block reaches to the end of it.
    pub fn close(&mut self, id: u32, end: usize) {
        self.nodes[id as usize].run.1 = end as u32;
        self.nodes[id as usize].last = self.statements;
    }

    /// The block of a node: what stands between these places.
    pub fn block(&mut self, id: u32, start: usize, end: usize) {
        self.nodes[id as usize].inside = (start as u32, end as u32);
    }

    /// Takes away what a path names, and everything below.
    pub fn remove<'w>(&mut self, path: impl Iterator<Item = &'w str>) {
        let mut way = vec![ROOT];
        let mut name = None;
        for word in path {
            let Some(&here) = way.last() else { return };
            let Some(&next) = self.nodes[here as usize].children.get(word) else { return };
            way.push(next);
            name = Some(word);
        }
        if let (Some(name), [.., parent, _]) = (name, way.as_slice()) {
            self.nodes[*parent as usize].children.remove(name);
        }
    }
}

/// A node of a tree.
#[derive(Clone, Copy)]
pub struct At<'t> {
    tree: &'t Tree<'t>,
    id: u32,
}

impl<'t> At<'t> {
    fn node(self) -> &'t Node {
        &self.tree.nodes[self.id as usize]
    }

    /// Its word.
    pub fn name(self) -> &'t str {
        &self.node().name
    }

    /// Everything below it, sorted by name.
    pub fn children(self) -> impl Iterator<Item = At<'t>> {
        self.node().children.values().map(move |&id| At { tree: self.tree, id })
    }

    /// The child of this name.
    pub fn child(self, name: &str) -> Option<At<'t>> {
        self.node().children.get(name).map(|&id| At { tree: self.tree, id })
    }

    /// What a path of names leads to.
    pub fn path(self, names: &[&str]) -> Option<At<'t>> {
        names.iter().try_fold(self, |at, name| at.child(name))
    }

    /// Whether there is a child of this name.
    pub fn has(self, name: &str) -> bool {
        self.node().children.contains_key(name)
    }

    /// The value of a leaf that has one; given several times, the last counts.
    pub fn leaf(self, name: &str) -> Option<At<'t>> {
        self.child(name)?.children().max_by_key(|at| at.node().stamp)
    }

    /// The value of a leaf as text.
    pub fn value(self, name: &str) -> Option<&'t str> {
        self.leaf(name).map(At::name)
    }

    /// All values of a leaf.
    pub fn values(self, name: &str) -> impl Iterator<Item = At<'t>> {
        self.child(name).into_iter().flat_map(At::children)
    }

    /// What is numbered below it, by number.
    pub fn numbered(self, name: &str) -> Vec<(u32, At<'t>)> {
        let mut list: Vec<(u32, At<'t>)> =
            self.values(name).filter_map(|at| Some((at.name().parse().ok()?, at))).collect();
        list.sort_by_key(|(number, _)| *number);
        list
    }

    /// Whether a switch is on: `log`, `log enable`.
    pub fn on(self, name: &str) -> bool {
        self.has(name) && !matches!(self.value(name), Some("disable" | "false"))
    }

    /// The statements about it.
    pub fn span(self) -> Span {
        let (start, end) = self.node().run;
        self.within(start, end)
    }

    /// The word alone.
    pub fn place(self) -> Span {
        let (start, end) = self.node().place;
        self.within(start, end)
    }

    /// What stands between its braces.
    pub fn inside(self) -> Option<Span> {
        let (start, end) = self.node().inside;
        (start > 0).then(|| self.within(start, end))
    }

    /// Whether a span is that of its statements, or of its word alone.
    pub fn stands_at(self, span: &Span) -> bool {
        let node = self.node();
        let place = (span.start, span.end);
        (place == node.run || place == node.place)
            && self.tree.files.get(node.file as usize).is_some_and(|file| file.name == span.file.name)
    }

    fn within(self, start: u32, end: u32) -> Span {
        match self.tree.files.get(self.node().file as usize) {
            Some(file) => Span::new(file, start as usize, end as usize),
            // Without files there is nothing but the root, which nobody shows.
            None => Span::new(&SourceFile::new("", ""), 0, 0),
        }
    }
}
