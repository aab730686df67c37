//! Which ICMP messages speak about another packet, as every format must know.

use tillgate_model::Protocol;

/// Whether an ICMP type is an answer or an error: RFC 792, RFC 1256 and RFC 4443 number them.
pub fn answers(protocol: Option<Protocol>, kind: u64) -> bool {
    match protocol {
        Some(Protocol::ICMP) => matches!(kind, 0 | 3 | 4 | 5 | 11 | 12 | 14 | 16 | 18),
        Some(Protocol::ICMPV6) => matches!(kind, 1..=4 | 129),
        _ => false,
    }
}
