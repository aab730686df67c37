//! What can happen to a packet, as a set: the leaves of every diagram of the analyser.
//!
//! A rule that only *may* match leaves both outcomes possible, so one diagram holds both bounds: a packet is
//! permitted for certain when every outcome accepts it, and possibly when one does. The set 0 marks points
//! that are no packet of the question.

/// How a packet leaves a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Accepted by a policy.
    AcceptPolicy = 0,
    /// Accepted by a rule.
    AcceptRule = 1,
    /// Dropped.
    Drop = 2,
    /// No rule decided.
    None = 3,
    /// Returned to the caller.
    Return = 4,
}

/// A log entry was written on the way.
pub(crate) const LOGGED: u32 = 1;
/// Connection tracking was switched off on the way.
pub(crate) const UNTRACKED: u32 = 2;

/// Bits of the outcomes: four for each exit, one for each combination of what sticks to a packet.
const ALL: u32 = (1 << 20) - 1;
/// The combinations of all exits with a log entry.
const WITH_LOG: u32 = 0xa_aaaa;
/// The combinations of all exits with tracking switched off.
const WITH_UNTRACKED: u32 = 0xc_cccc;
/// Above the outcomes stands who accepted: a number that [`crate::program::Program`] gives to rules.
const DECIDER: u32 = 20;
/// The largest number of a decider; what no number was left for.
pub(crate) const MOST_DECIDERS: u32 = 0x3ff;

/// A set of outcomes; each is an exit with what stuck to the packet on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcomes(pub u32);

impl Outcomes {
    pub(crate) const fn of(exit: Exit, sticky: u32) -> Self {
        Outcomes(1 << (exit as u32 * 4 + sticky))
    }

    /// The same outcomes, accepted by this decider (0: not said).
    pub(crate) const fn by(self, decider: u32) -> Self {
        Outcomes(self.0 & ALL | decider << DECIDER)
    }

    /// Who accepts, 0 when that is not known.
    pub(crate) const fn decider(self) -> u32 {
        self.0 >> DECIDER & MOST_DECIDERS
    }

    const fn exits(self, exit: Exit) -> u32 {
        self.0 >> (exit as u32 * 4) & 0xf
    }

    const fn has(self, exit: Exit) -> bool {
        self.exits(exit) != 0
    }

    /// Some outcome accepts.
    pub fn may_accept(self) -> bool {
        self.has(Exit::AcceptPolicy) || self.has(Exit::AcceptRule)
    }

    /// Some outcome drops.
    pub fn may_drop(self) -> bool {
        self.has(Exit::Drop)
    }

    /// Every outcome accepts, and there is one.
    pub fn must_accept(self) -> bool {
        self.may_accept() && !self.may_drop()
    }

    /// Every outcome drops, and there is one.
    pub fn must_drop(self) -> bool {
        self.may_drop() && !self.may_accept()
    }

    /// Every drop is silent, and there is one.
    pub(crate) fn drops_silently(self) -> bool {
        self.must_drop() && self.0 & WITH_LOG == 0
    }

    /// Some outcome leaves the packet to the next rule.
    pub(crate) fn may_go_on(self) -> bool {
        self.has(Exit::None)
    }

    /// Every outcome leaves it to the next rule.
    pub(crate) fn must_be_undecided(self) -> bool {
        self.0 & ALL & !(0xf << (Exit::None as u32 * 4)) == 0
    }

    pub(crate) fn untracked(self) -> (bool, bool) {
        let any = self.0 & WITH_UNTRACKED != 0;
        (any, any && self.0 & ALL & !WITH_UNTRACKED == 0)
    }

    /// The same exits with what stuck before; `sticky` combines [`LOGGED`] and [`UNTRACKED`].
    fn after(self, sticky: u32) -> u32 {
        let mut bits = self.0 & ALL;
        if sticky & LOGGED != 0 {
            bits = (bits & !WITH_LOG) << 1 | bits & WITH_LOG;
        }
        if sticky & UNTRACKED != 0 {
            bits = (bits & !WITH_UNTRACKED) << 2 | bits & WITH_UNTRACKED;
        }
        bits
    }

    /// `self` where it left something open in these ways, each bit a combination of what sticks; then `next`.
    fn onto(stickies: u32, next: Outcomes) -> u32 {
        (0..4).filter(|s| stickies >> s & 1 == 1).fold(0, |out, s| out | next.after(s))
    }

    /// Outcomes with their decider; none where nothing accepts.
    fn decided(bits: u32, decider: u32) -> Outcomes {
        let out = Outcomes(bits);
        if out.may_accept() { out.by(decider) } else { out }
    }

    /// Who accepts when either may: whoever does so for certain, else the first.
    fn first_or_sure(self, next: Outcomes) -> u32 {
        match (self.decider(), next.decider()) {
            (a, b) if b != 0 && (a == 0 || next.must_accept()) => b,
            (a, _) => a,
        }
    }

    /// First `self`, then, where nothing was decided, `next`.
    pub(crate) fn then(self, next: Outcomes) -> Outcomes {
        if !self.may_go_on() {
            return self;
        }
        let bits = self.0 & ALL & !(0xf << (Exit::None as u32 * 4));
        let bits = bits | Self::onto(self.exits(Exit::None), next);
        Self::decided(bits, self.first_or_sure(next))
    }

    /// What either may do.
    pub(crate) fn or(self, other: Outcomes) -> Outcomes {
        // The larger of two deciders: any choice will do that does not depend on the order.
        Outcomes((self.0 | other.0) & ALL).by(self.decider().max(other.decider()))
    }

    /// The outcome at the end of a called chain, as the caller sees it.
    pub(crate) fn called(self) -> Outcomes {
        self.moved(Exit::Return, Exit::None)
    }

    /// The outcome after going to a chain for good: its end is a return from the chain that left.
    pub(crate) fn gone(self) -> Outcomes {
        self.moved(Exit::None, Exit::Return)
    }

    /// The outcome at the end of a base chain whose policy has this decider.
    pub(crate) fn at_policy(self, policy: Exit, decider: u32) -> Outcomes {
        let open = self.has(Exit::None) || self.has(Exit::Return);
        let out = self.moved(Exit::None, policy).moved(Exit::Return, policy);
        // A policy is certain where rules only may have accepted.
        let by_policy = open && policy == Exit::AcceptPolicy && decider != 0;
        if by_policy { out.by(decider) } else { out }
    }

    fn moved(self, from: Exit, to: Exit) -> Outcomes {
        let open = self.exits(from);
        Outcomes(self.0 & !(0xf << (from as u32 * 4)) | open << (to as u32 * 4))
    }

    /// Both base chains must accept; an accepting rule outweighs an accepting policy. 0 stays 0.
    pub(crate) fn and(self, next: Outcomes) -> Outcomes {
        if next.0 == 0 {
            return next;
        }
        let drops = self.0 & (0xf << (Exit::Drop as u32 * 4));
        let (by_policy, by_rule) = (self.exits(Exit::AcceptPolicy), self.exits(Exit::AcceptRule));
        // What a rule accepted here stays accepted by a rule.
        let as_rule = next.moved(Exit::AcceptPolicy, Exit::AcceptRule);
        let bits = drops | Self::onto(by_policy, next) | Self::onto(by_rule, as_rule);
        let here =
            self.decider() != 0 && (next.decider() == 0 || by_rule != 0 && !next.has(Exit::AcceptRule));
        Self::decided(bits, if here { self.decider() } else { next.decider() })
    }
}
