//! The intent of a site: catalogue × estate → flows, each with every reason that led to it.
//!
//! Pure: the date is an argument. What is judged and what "needed" and "allowed" mean is design section 6.

mod derive;
mod exceptions;
mod findings;
mod flow;
mod local;
mod topology;

pub use derive::intent;
pub use flow::{Flow, Intent, OpenQuestion, Path, Reason, Side};
pub use topology::{Topology, Zone};
