//! Left-hand sides: what part of a packet a match looks at.

use tillgate_model::{Family, Protocol, Ranges};
use tillgate_packetset::Field;
use tillgate_ruleset::{Match, Special};

/// What a match looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Source or destination address.
    Address { family: Family, field: Field },
    /// A port; `None` for any protocol with ports (`th`).
    Port { protocol: Option<Protocol>, field: Field },
    /// Protocol; with the family it is limited to.
    Protocol { family: Option<Family> },
    /// ICMP type or code.
    Icmp { family: Family, field: Field },
    /// Ingress or egress interface.
    Interface { input: bool },
    /// Connection state.
    State,
    /// Connection status.
    Status,
    /// `meta nfproto`, `meta protocol`, `ether type`, `ip version`.
    Family,
    /// TCP flags.
    TcpFlags,
    /// Kind of link-layer address.
    PacketType,
    /// `fib daddr type`.
    FibType,
    /// `fib saddr . iif oif`: the reverse path.
    FibReverse,
    /// Everything else; its words.
    Other(String),
}

impl Selector {
    /// Adds what the selector implies by itself: `tcp dport` implies TCP.
    pub fn imply(&self, when: &mut Match) {
        let (field, ranges) = match self {
            Selector::Address { family, .. } => (Field::Family, Ranges::single(*family as u128)),
            Selector::Port { protocol: Some(p), .. } => (Field::Protocol, Ranges::single(p.0 as u128)),
            Selector::Protocol { family: Some(family) } => (Field::Family, Ranges::single(*family as u128)),
            Selector::TcpFlags => (Field::Protocol, Ranges::single(6)),
            Selector::Icmp { family, .. } => {
                when.narrow(Field::Family, &Ranges::single(*family as u128));
                let protocol = if *family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
                (Field::Protocol, Ranges::single(protocol.0 as u128))
            }
            _ => return,
        };
        when.narrow(field, &ranges);
    }

    /// The field and its largest value, for selectors that are one.
    pub fn field(&self) -> Option<(Field, u128)> {
        Some(match self {
            Selector::Address { family, field } => (*field, family.max_address()),
            Selector::Port { field, .. } => (*field, 65535),
            Selector::Icmp { field, .. } => (*field, 255),
            Selector::Protocol { .. } => (Field::Protocol, 255),
            Selector::Family => (Field::Family, 1),
            Selector::TcpFlags => (Field::TcpFlags, 255),
            Selector::State => (Field::State, 4),
            _ => return None,
        })
    }
}

/// Reads a selector at the start of `words`; how many words it took.
pub fn selector(words: &[&str]) -> Option<(Selector, usize)> {
    use Selector::*;
    let word = |i: usize| words.get(i).copied().unwrap_or("");
    let address = |family, name: &str| {
        Some(Address { family, field: if name == "saddr" { Field::Source } else { Field::Destination } })
    };
    let port = |protocol, name: &str| {
        Some(Port {
            protocol,
            field: if name == "sport" { Field::SourcePort } else { Field::DestinationPort },
        })
    };
    let icmp = |family, name: &str| match name {
        "type" => Some(Icmp { family, field: Field::SourcePort }),
        "code" => Some(Icmp { family, field: Field::DestinationPort }),
        _ => None,
    };
    let two = match (word(0), word(1)) {
        ("ip", n @ ("saddr" | "daddr")) => address(tillgate_model::Family::V4, n),
        ("ip6", n @ ("saddr" | "daddr")) => address(tillgate_model::Family::V6, n),
        ("ip", "protocol") => Some(Protocol { family: Some(tillgate_model::Family::V4) }),
        ("ip6", "nexthdr") => Some(Protocol { family: Some(tillgate_model::Family::V6) }),
        ("ip" | "ip6", "version") => Some(Family),
        ("meta", "l4proto") => Some(Protocol { family: None }),
        ("meta", "nfproto" | "protocol") | ("ether", "type") => Some(Family),
        ("meta", "iif" | "iifname") => Some(Interface { input: true }),
        ("meta", "oif" | "oifname") => Some(Interface { input: false }),
        ("meta", "pkttype") => Some(PacketType),
        ("tcp", "flags") => Some(TcpFlags),
        ("ct", "state") => Some(State),
        ("ct", "status") => Some(Status),
        ("icmp", n) => icmp(tillgate_model::Family::V4, n),
        ("icmpv6", n) => icmp(tillgate_model::Family::V6, n),
        ("th", n @ ("sport" | "dport")) => port(None, n),
        (p @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite"), n @ ("sport" | "dport")) => {
            port(tillgate_model::Protocol::parse(p), n)
        }
        _ => None,
    };
    if let Some(selector) = two {
        return Some((selector, 2));
    }
    let one = match word(0) {
        "iif" | "iifname" => Some(Interface { input: true }),
        "oif" | "oifname" => Some(Interface { input: false }),
        "pkttype" => Some(PacketType),
        "l4proto" => Some(Protocol { family: None }),
        _ => None,
    };
    if let Some(selector) = one {
        return Some((selector, 1));
    }
    let count = |n: usize| Some((Other(words[..n.min(words.len())].join(" ")), n.min(words.len())));
    match (word(0), word(1)) {
        ("fib", _) => {
            let end = words
                .iter()
                .take(12)
                .position(|w| matches!(*w, "type" | "oif" | "oifname" | "check"))
                .map(|i| i + 1)?;
            let text = words[..end].join(" ");
            let selector = match text.as_str() {
                "fib daddr type" | "fib daddr . iif type" => FibType,
                "fib saddr . iif oif" | "fib saddr . iif oifname" | "fib saddr . iif check" => FibReverse,
                _ => Other(text),
            };
            Some((selector, end))
        }
        ("ct", "original" | "reply") if word(2) == "ip" || word(2) == "ip6" => count(4),
        ("ct", "original" | "reply") => count(3),
        ("ct", "count") => count(2),
        ("tcp", "option") => count(4),
        (
            "rt" | "socket" | "osf" | "ether" | "vlan" | "arp" | "ah" | "esp" | "comp" | "igmp" | "dst"
            | "hbh" | "mh" | "frag" | "exthdr" | "ct" | "meta" | "ip" | "ip6" | "tcp" | "udp" | "sctp"
            | "dccp" | "udplite" | "th" | "ibrname" | "gre" | "geneve" | "vxlan" | "tunnel" | "xfrm"
            | "ipsec",
            "",
        ) => count(1),
        (
            "rt" | "socket" | "ether" | "vlan" | "arp" | "ah" | "esp" | "comp" | "igmp" | "dst" | "hbh"
            | "mh" | "frag" | "exthdr" | "ct" | "meta" | "ip" | "ip6" | "tcp" | "udp" | "sctp" | "dccp"
            | "udplite" | "th" | "gre" | "geneve" | "vxlan" | "ipsec",
            _,
        ) => count(2),
        ("osf", _) => count(if word(1) == "ttl" { 4 } else { 2 }),
        ("numgen" | "jhash" | "symhash", _) => {
            let end = words.iter().position(|w| *w == "mod").map_or(words.len().min(2), |i| i + 2);
            count(end)
        }
        (
            "mark" | "skuid" | "skgid" | "cpu" | "iifgroup" | "oifgroup" | "iiftype" | "oiftype" | "cgroup"
            | "rtclassid" | "nftrace" | "secpath" | "length" | "priority" | "day" | "hour" | "time"
            | "ibrname" | "obrname" | "iifkind" | "oifkind" | "sdif" | "sdifname" | "random" | "protocol"
            | "nfproto",
            _,
        ) => {
            if matches!(word(0), "protocol" | "nfproto") {
                Some((Family, 1))
            } else {
                count(1)
            }
        }
        _ => None,
    }
}

/// The special condition of a `fib … type` word.
pub fn fib_type(word: &str) -> Option<Special> {
    match word {
        "local" => Some(Special::DestinationLocal),
        "broadcast" => Some(Special::DestinationBroadcast),
        "multicast" => Some(Special::DestinationMulticast),
        _ => None,
    }
}
