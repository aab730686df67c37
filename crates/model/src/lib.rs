//! The nouns everything else speaks in: addresses and ports as ranges, packets, findings, spans and texts.
//!
//! Pure: no files, sockets, clock or language in here. Texts are ids with arguments; the edge renders them.

mod finding;
mod net;
mod packet;
mod ranges;
mod span;
mod text;

pub use finding::{
    Acts, Box_, Decision, Evidence, Finding, FindingId, Fix, Proof, Severity, Subject, Summary, Verdict,
};
pub use net::{
    Family, Protocol, address_bits, address_from_bits, addresses_text, format_ports, parse_port_range,
    parse_prefix, prefix_range, public_ranges, range_to_prefixes,
};
pub use packet::{Packet, PacketError, State};
pub use ranges::Ranges;
pub use span::{Diagnostic, Level, SourceFile, Span};
pub use text::{Arg, Text};

/// A calendar date; the only notion of time the pure crates have, always passed in.
pub type Date = jiff::civil::Date;
