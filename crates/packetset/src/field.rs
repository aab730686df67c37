//! The dimensions of packet space, in the order of the diagram's levels.

/// One field of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// Ingress interface, as an index into a universe of interface names; 0 is "none".
    Input,
    /// Egress interface, likewise.
    Output,
    /// Connection state, numbered as in `model::State`.
    State,
    /// 0 for IPv4, 1 for IPv6.
    Family,
    /// IP protocol number.
    Protocol,
    /// Destination address; IPv4 uses the low 32 bits.
    Destination,
    /// Source address, likewise.
    Source,
    /// Source port, or ICMP type.
    SourcePort,
    /// Destination port, or ICMP code.
    DestinationPort,
    /// TCP flags byte.
    TcpFlags,
    /// Which named set of destinations the address belongs to; 0 is "none known".
    Name,
    /// 0, or which translation of the destination took place (1 where nobody tells them apart).
    Translated,
}

impl Field {
    /// All fields in level order.
    pub const ALL: [Field; 12] = [
        Field::Input,
        Field::Output,
        Field::State,
        Field::Family,
        Field::Protocol,
        Field::Destination,
        Field::Source,
        Field::SourcePort,
        Field::DestinationPort,
        Field::TcpFlags,
        Field::Name,
        Field::Translated,
    ];

    /// The largest value.
    pub const fn maximum(self) -> u128 {
        match self {
            Field::Input | Field::Output | Field::Name | Field::Translated => 0xffff,
            Field::State => 4,
            Field::Family => 1,
            Field::Protocol | Field::TcpFlags => 255,
            Field::Destination | Field::Source => u128::MAX,
            Field::SourcePort | Field::DestinationPort => 65535,
        }
    }
}
