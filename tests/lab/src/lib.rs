//! A network of namespaces in which the kernel judges rule sets.
//!
//! One namespace is the firewall, with the interfaces, addresses and routes an intent's topology names; one more
//! stands behind each interface. Frames go in raw at one side and are looked for at all others; what is for the
//! firewall itself is counted by a table of its own, behind every other. Needs root (namespaces, raw sockets).

mod frame;
mod network;
mod random;

pub use frame::{Frame, parse};
pub use network::{Fate, Lab};
pub use random::{Random, packets, probes};
