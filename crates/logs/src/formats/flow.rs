//! What every vendor's record must satisfy before it counts as a flow.

use crate::record::{Line, Record};
use tillgate_model::Protocol;

/// A flow where both ends are known, else unread. Devices write ICMP types, zeros or identifiers
/// into the port fields of protocols without ports: those are taken off.
pub fn flow(mut record: Record<'_>) -> Line<'_> {
    if record.source.is_none() || record.destination.is_none() {
        return Line::Unread("addresses");
    }
    if record.protocol.is_some_and(|p| !p.has_ports()) {
        record.source_port = None;
        record.destination_port = None;
    }
    Line::Flow(record)
}

/// Whether an ICMP type answers something or reports an error about another packet (RFC 792, RFC 4443):
/// unreachable, quench, redirect, exceeded, parameter problem and the answers to echo, time stamp and mask.
pub fn is_answer(protocol: Option<Protocol>, icmp_type: u64) -> bool {
    match protocol {
        Some(Protocol::ICMP) => matches!(icmp_type, 0 | 3 | 4 | 5 | 11 | 12 | 14 | 18),
        Some(Protocol::ICMPV6) => matches!(icmp_type, 1..=4 | 129),
        _ => false,
    }
}
