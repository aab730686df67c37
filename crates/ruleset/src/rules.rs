//! The rule-set model: base chains at hooks, chains of rules, matches as products of ranges.
//!
//! Modelled on netfilter, whose hooks are the superset of what other platforms do: a platform without chains has
//! one base chain per hook, one without state has no state matches.

use tillgate_model::{Date, Family, Ranges, Span, Text};
use tillgate_packetset::Cube;

/// Index into [`RuleSet::chains`].
pub type ChainId = usize;

/// Where packets meet the rules (netfilter's hooks).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Before routing; no egress interface is known yet.
    Prerouting,
    /// To the firewall itself.
    Input,
    /// Through the firewall.
    Forward,
    /// From the firewall itself.
    Output,
    /// After routing.
    Postrouting,
}

/// What a base chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Judges packets.
    Filter,
    /// Translates addresses; sees the first packet of a connection only.
    Nat,
}

/// What happens to packets that no rule of a base chain decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// Goes on to the next base chain.
    Accept,
    /// Is dropped.
    Drop,
}

/// A chain attached to a hook.
#[derive(Clone, Debug)]
pub struct Base {
    /// The chain.
    pub chain: ChainId,
    /// Where.
    pub hook: Hook,
    /// Order at the hook; lower runs first (netfilter's priorities).
    pub priority: i32,
    /// Filter or translation.
    pub kind: Kind,
    /// The end of the chain.
    pub policy: Policy,
    /// The line that says so.
    pub policy_span: Span,
    /// The one family it sees, if not both.
    pub family: Option<Family>,
}

/// A list of rules.
#[derive(Clone, Debug)]
pub struct Chain {
    /// `table chain`, for people.
    pub name: String,
    /// In order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it stands.
    pub span: Span,
    /// Which packets.
    pub when: Match,
    /// What happens to them.
    pub action: Action,
    /// Whether it writes a log entry.
    pub log: bool,
}

/// Which packets: the conjunction of everything in it.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// Ingress interface.
    pub input: Vec<InterfaceMatch>,
    /// Egress interface.
    pub output: Vec<InterfaceMatch>,
    /// Ranges per field; never the interface fields, whose numbers depend on the question.
    pub cube: Cube,
    /// What is no product of ranges.
    pub terms: Vec<Term>,
    /// What is not modelled: the rule may or may not match inside the rest.
    pub doubts: Vec<Text>,
    /// No packet at all.
    pub never: bool,
}

/// Interface names; a trailing `*` is a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceMatch {
    /// Any of these.
    pub patterns: Vec<String>,
    /// All but these.
    pub negate: bool,
}

/// A condition that is no product of ranges.
#[derive(Clone, Debug)]
pub enum Term {
    /// In any of the parts; or, negated, in none.
    Any {
        /// The parts.
        parts: Vec<Part>,
        /// Whether it is negated.
        negate: bool,
    },
    /// Any of these, which depend on the site; or, negated, none of them.
    Special(Vec<Special>, bool),
    /// The destination belongs to a set that a resolver fills with these names.
    Names(NameSet),
}

/// A product with interface names.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Ingress interface.
    pub input: Option<String>,
    /// Egress interface.
    pub output: Option<String>,
    /// Everything else.
    pub cube: Cube,
}

/// A set of names: each itself, or with `*.` in front everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSet {
    /// The names, sorted.
    pub names: Vec<String>,
}

impl NameSet {
    /// The set of names and everything below them, as resolvers fill sets.
    pub fn zones(names: &[String]) -> Self {
        let both = names.iter().flat_map(|n| {
            let bare = n.trim_start_matches("*.");
            [bare.to_string(), format!("*.{bare}")]
        });
        let mut names: Vec<String> = both.collect();
        names.sort();
        names.dedup();
        NameSet { names }
    }

    /// Whether a name (or everything below one, with `*.`) is in the set.
    pub fn covers(&self, name: &str) -> bool {
        let bare = name.trim_start_matches("*.");
        self.names.iter().any(|entry| {
            let below = |zone: &str| bare.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'));
            entry == name || entry.strip_prefix("*.").is_some_and(below)
        })
    }
}

/// Conditions that need the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// The reverse path to the source does not leave by the ingress interface.
    ReversePathFails,
    /// The destination is an address of the firewall.
    DestinationLocal,
    /// The destination is a broadcast address.
    DestinationBroadcast,
    /// The destination is a multicast address.
    DestinationMulticast,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends the base chain; the packet goes on to the next one.
    Accept,
    /// Drops or rejects the packet for good.
    Drop,
    /// Continues in another chain, and comes back.
    Jump(ChainId),
    /// Continues in another chain for good.
    Goto(ChainId),
    /// Goes back to the calling chain, or to the policy.
    Return,
    /// Goes on with the next rule.
    Continue,
    /// Exempts from connection tracking, and goes on.
    Untrack,
    /// Translates addresses, and ends the chain.
    Translate(Translation),
    /// Not modelled: anything may happen.
    Unknown,
}

/// An address translation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Translation {
    /// Rewrites the destination.
    Destination {
        /// First and last new address; `None` keeps it.
        addresses: Option<(Family, u128, u128)>,
        /// First and last new port; `None` keeps it.
        ports: Option<(u16, u16)>,
        /// What later rules know it by: 1 where translations are not told apart.
        tag: u16,
    },
    /// Sends the packet to the firewall itself.
    Redirect {
        /// First and last new port; `None` keeps it.
        ports: Option<(u16, u16)>,
    },
    /// Rewrites the source, on the way out.
    Source,
}

/// Something in the configuration worth telling: not modelled, or modelled with a reservation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where.
    pub span: Span,
    /// What.
    pub text: Text,
    /// Whether it could change a verdict. `false` for what has no bearing on packets.
    pub bears: bool,
}

/// Something a configuration says beside what passes; [`crate::verify`] judges it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// Where: for what is said about a rule, exactly the span of that rule.
    pub span: Span,
    /// What.
    pub what: What,
}

/// What a [`Fact`] says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An object, list, group, set or chain of this name that nothing in force refers to.
    Unused(String),
    /// A rule that is switched off; it is not among the rules.
    Disabled,
    /// The last day the rule of this place is in force.
    Until(Date),
    /// The rule of this place breaks encrypted connections open, by the profile of this name.
    Inspects(String),
    /// The rule of this place passes only what the platform recognises as this application.
    Application(String),
    /// The firewall offers its management by this unencrypted service (`telnet`, `http`, …).
    CleartextManagement(String),
}

/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Platform name.
    pub platform: &'static str,
    /// Chains.
    pub chains: Vec<Chain>,
    /// Base chains, in the order they run at each hook.
    pub bases: Vec<Base>,
    /// What was not modelled, sorted.
    pub notes: Vec<Note>,
    /// What is said beside the rules, sorted.
    pub facts: Vec<Fact>,
}

impl Match {
    /// Adds a condition on a field.
    pub fn narrow(&mut self, field: tillgate_packetset::Field, ranges: &Ranges) {
        match std::mem::take(&mut self.cube).with(field, ranges) {
            Some(cube) => self.cube = cube,
            None => self.never = true,
        }
    }
}

impl Match {
    /// Whether nothing is said about a field; all IPv4 addresses are all there are where IPv6 has rules of its own.
    pub(crate) fn leaves_open(&self, field: tillgate_packetset::Field) -> bool {
        let whole = match field {
            tillgate_packetset::Field::Source | tillgate_packetset::Field::Destination => u32::MAX.into(),
            field => field.maximum(),
        };
        self.cube.ranges(field).is_none_or(|r| Ranges::full(whole).is_subset(r))
    }
}

impl RuleSet {
    /// The base chains of a hook and kind, in the order they run.
    pub fn at(&self, hook: Hook, kind: Kind) -> impl Iterator<Item = &Base> {
        self.bases.iter().filter(move |b| b.hook == hook && b.kind == kind)
    }

    /// Sorts base chains into running order and notes by place. Call once after building.
    pub fn finish(&mut self) {
        // Stable: base chains of one priority run in the order they were made.
        self.bases.sort_by_key(|b| (b.hook, b.priority));
        self.notes.sort();
        self.notes.dedup();
        self.facts.sort();
        self.facts.dedup();
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.chains.iter().map(|c| c.rules.len()).sum()
    }

    /// True when there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
