//! The device-neutral rule set, and everything that reasons about it. Knows no platform's syntax.
//!
//! Two engines answer the same questions: [`trace`] walks one packet rule by rule; [`Program`] compiles whole
//! boxes of packets into decision diagrams. Tests hold them against each other and against the kernel.

mod allowed;
mod bind;
mod diff;
mod effect;
mod excess;
mod fix;
mod held;
mod hygiene;
mod judge;
mod outcome;
mod path;
mod program;
mod rules;
mod trace;
mod translate;
mod universe;
mod verify;
mod witness;

pub use allowed::{allowed_cubes, never_excess};
pub use diff::{Change, Difference, diff};
pub use fix::{Edit, Editor, Judged, Mending, Repair, Round, mend_all};
pub use held::{By, Held, held};
pub use outcome::Outcomes;
pub use path::Region;
pub use program::Program;
pub use rules::{
    Action, Base, Chain, ChainId, Fact, Hook, InterfaceMatch, Kind, Match, NameSet, Note, Part, Policy, Rule,
    RuleSet, Special, Term, Translation, What,
};
pub use trace::{Effect, Step, Trace, trace};
pub use universe::Universe;
pub use verify::{verify, verify_alone};
