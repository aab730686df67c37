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
    /// Accepted by a rule that was set aside (already reported).
    AcceptMarked = 2,
    /// Dropped.
    Drop = 3,
    /// No rule decided.
    None = 4,
    /// Returned to the caller.
    Return = 5,
}

const EXITS: [Exit; 6] =
    [Exit::AcceptPolicy, Exit::AcceptRule, Exit::AcceptMarked, Exit::Drop, Exit::None, Exit::Return];

/// A log entry was written on the way.
pub(crate) const LOGGED: u32 = 1;
/// Connection tracking was switched off on the way.
pub(crate) const UNTRACKED: u32 = 2;

/// A set of outcomes; each is an exit with what stuck to the packet on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcomes(pub u32);

impl Outcomes {
    pub(crate) const fn of(exit: Exit, sticky: u32) -> Self {
        Outcomes(1 << (exit as u32 * 4 + sticky))
    }

    fn each(self) -> impl Iterator<Item = (Exit, u32)> {
        (0..24).filter(move |b| self.0 >> b & 1 == 1).map(|b| (EXITS[(b / 4) as usize], b % 4))
    }

    fn has(self, exit: Exit) -> bool {
        self.0 >> (exit as u32 * 4) & 0xf != 0
    }

    /// Some outcome accepts.
    pub fn may_accept(self) -> bool {
        self.has(Exit::AcceptPolicy) || self.has(Exit::AcceptRule) || self.has(Exit::AcceptMarked)
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

    /// Some outcome accepts by a rule or policy that was not set aside.
    pub(crate) fn may_accept_unmarked(self) -> bool {
        self.has(Exit::AcceptPolicy) || self.has(Exit::AcceptRule)
    }

    /// Every drop is silent, and there is one.
    pub(crate) fn drops_silently(self) -> bool {
        self.must_drop() && self.each().all(|(_, sticky)| sticky & LOGGED == 0)
    }

    /// Some outcome leaves the packet to the next rule.
    pub(crate) fn may_go_on(self) -> bool {
        self.has(Exit::None)
    }

    /// Every outcome leaves it to the next rule.
    pub(crate) fn must_be_undecided(self) -> bool {
        self.each().all(|(exit, _)| exit == Exit::None)
    }

    pub(crate) fn untracked(self) -> (bool, bool) {
        let any = self.each().any(|(_, sticky)| sticky & UNTRACKED != 0);
        let all = self.each().all(|(_, sticky)| sticky & UNTRACKED != 0);
        (any, all && any)
    }

    /// First `self`, then, where nothing was decided, `next`.
    pub(crate) fn then(self, next: Outcomes) -> Outcomes {
        let mut out = 0;
        for (exit, sticky) in self.each() {
            match exit {
                Exit::None => next.each().for_each(|(e, s)| out |= Self::of(e, s | sticky).0),
                _ => out |= Self::of(exit, sticky).0,
            }
        }
        Outcomes(out)
    }

    /// The outcome at the end of a called chain, as the caller sees it.
    pub(crate) fn called(self) -> Outcomes {
        self.replace(|e| if e == Exit::Return { Exit::None } else { e })
    }

    /// The outcome after going to a chain for good: its end is a return from the chain that left.
    pub(crate) fn gone(self) -> Outcomes {
        self.replace(|e| if e == Exit::None { Exit::Return } else { e })
    }

    /// The outcome at the end of a base chain.
    pub(crate) fn at_policy(self, policy: Exit) -> Outcomes {
        self.replace(|e| if matches!(e, Exit::None | Exit::Return) { policy } else { e })
    }

    fn replace(self, f: impl Fn(Exit) -> Exit) -> Outcomes {
        Outcomes(self.each().fold(0, |out, (e, s)| out | Self::of(f(e), s).0))
    }

    /// Both base chains must accept; an accepting rule outweighs an accepting policy. 0 stays 0.
    pub(crate) fn and(self, next: Outcomes) -> Outcomes {
        if next.0 == 0 {
            return next;
        }
        let mut out = 0;
        for (exit, sticky) in self.each() {
            match exit {
                Exit::Drop => out |= Self::of(exit, sticky).0,
                _ => {
                    for (e, s) in next.each() {
                        let e = if e == Exit::AcceptPolicy { exit } else { e };
                        out |= Self::of(e, s | sticky).0;
                    }
                }
            }
        }
        Outcomes(out)
    }
}
