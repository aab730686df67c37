//! The way to a destination: how large a packet may be, who translates addresses on it, whether IPv6 works.

mod hole;
mod hops;
mod icmp;
mod ipv6;
mod line;
mod mtu;
mod nat;

pub use hole::{Exchange, Segments, black_hole, segments};
pub use hops::{Via, hops};
pub use icmp::{Cause, Notice};
pub use ipv6::ipv6;
pub use line::{Line, told};
pub use mtu::{Answer, Found, Search, floor, search};
pub use nat::{Nat, nat};
