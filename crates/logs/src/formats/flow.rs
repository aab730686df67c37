//! What every vendor's record must satisfy before it counts as a flow.

use crate::record::{Line, Record};

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
