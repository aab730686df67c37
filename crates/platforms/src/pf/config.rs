//! What the files of a configuration say, before lists are multiplied out.

use super::hosts::Table;
use super::lex::Macros;
use super::rule::Raw;
use std::collections::BTreeMap;
use tillgate_model::Span;
use tillgate_ruleset::{Fact, Note};

/// A rule, or an anchor with the rules in it.
#[derive(Debug)]
pub enum Node {
    /// A rule.
    Rule(Raw),
    /// The conditions of an anchor, and what is in it; `None` where nothing says what that is.
    Anchor(Raw, String, Option<Vec<Node>>),
}

/// A translation rule of its own (`nat`, `rdr`, `binat`).
#[derive(Debug)]
pub struct Nat {
    /// Its conditions, and where it leads.
    pub raw: Raw,
    /// `no`: such packets stay as they are.
    pub no: bool,
    /// `pass`: the filter rules of this passage are not asked.
    pub pass: bool,
}

/// Where a state serves packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum States {
    /// On every interface.
    #[default]
    Floating,
    /// On the interface it was made on only (`if-bound`).
    Bound,
    /// Some rules make the ones, some the others.
    Both,
}

/// Everything the files say.
#[derive(Debug, Default)]
pub struct Config {
    /// Filter rules.
    pub nodes: Vec<Node>,
    /// Translation rules.
    pub nats: Vec<Nat>,
    /// Tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Interfaces that are not looked at, with the line that says so.
    pub skip: Vec<(String, bool, Span)>,
    /// Which packets states serve.
    pub states: States,
    /// Macros as they stand at the end.
    pub macros: Macros,
    /// What was not modelled.
    pub notes: Vec<Note>,
    /// What is said beside the rules.
    pub facts: Vec<Fact>,
}
