//! One file per log format, and the list of them.

pub mod asa;
pub mod checkpoint;
mod clock;
pub mod filterlog;
mod flow;
pub mod fortigate;
mod icmp;
pub mod ios;
pub mod meraki;
pub mod mikrotik;
pub mod netfilter;
mod pairs;
pub mod panos;
pub mod sonicwall;
pub mod sophos;
pub mod srx;
#[cfg(test)]
mod tried;
pub mod unifi_cef;
pub mod vpcflow;
pub mod watchguard;
pub mod windows;

use crate::record::Line;

/// A format whose lines tell themselves.
pub(crate) struct Format {
    /// The word used in JSON.
    pub name: &'static str,
    /// Whether a message may be of it.
    pub is_mine: fn(&[u8]) -> bool,
    /// Reads a message.
    pub read: for<'a> fn(&'a [u8]) -> Line<'a>,
}

macro_rules! formats {
    ($($name:ident)*) => {
        /// In the order in which they are asked: those with the surest marks first.
        pub(crate) const FORMATS: &[Format] =
            &[$(Format { name: stringify!($name), is_mine: $name::is_mine, read: $name::read }),*];
    };
}

formats!(asa ios srx unifi_cef fortigate sonicwall sophos watchguard checkpoint panos meraki filterlog netfilter mikrotik);
