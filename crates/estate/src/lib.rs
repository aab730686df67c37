//! The estate: an organisation, its sites, segments, devices and exceptions, as their owner writes them down.
//!
//! Pure: files come in as names and texts; all errors of all files go out at once, each with its place.

mod assemble;
mod devices;
mod exception;
mod read;
mod shape;
mod switches;
mod types;
mod validate;

pub use read::{csv_references, json_schema, load};
pub use switches::{Plug, Plugged, Switch, SwitchPlatform, SwitchPort};
pub use types::{
    Device, DhcpServer, Egress, Estate, Exception, Firewall, Nat, Peer, Role, Segment, ServiceAt, Services,
    Site, SourceScope,
};
