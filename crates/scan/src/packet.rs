//! Frames of a scan as bytes: Ethernet, ARP, IPv4, IPv6, TCP SYN, neighbour discovery, echo. Built and read without any
//! socket; nothing built here has a payload, and reading never panics on any bytes.

pub use crate::mac::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;
/// The longest SYN frame built here.
pub const SYN_MAX: usize = ETHERNET + 40 + 24;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// One connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syn {
    /// Whose frame it is.
    pub from: Mac,
    /// The next hop.
    pub to: Mac,
    /// Our address.
    pub source: IpAddr,
    /// The address asked; of the same family as ours.
    pub destination: IpAddr,
    /// Our port.
    pub source_port: u16,
    /// The port asked.
    pub port: u16,
    /// Initial sequence number; carries the cookie.
    pub sequence: u32,
}

impl Syn {
    /// Writes the frame to the buffer's start and gives its length; 0 for two families in one packet.
    pub fn write(&self, frame: &mut [u8; SYN_MAX]) -> usize {
        // Maximum segment size 1460 as every Ethernet station says; some middleboxes drop a SYN without options.
        const TCP_LEN: usize = 24;
        let mut tcp = [0u8; TCP_LEN];
        tcp[0..2].copy_from_slice(&self.source_port.to_be_bytes());
        tcp[2..4].copy_from_slice(&self.port.to_be_bytes());
        tcp[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        tcp[12] = 6 << 4;
        tcp[13] = 0x02;
        tcp[14..16].copy_from_slice(&64_240u16.to_be_bytes());
        tcp[20..24].copy_from_slice(&[2, 4, 0x05, 0xb4]);
        let sum = transport_sum(self.source, self.destination, TCP, &tcp);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let head = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame[ETHERNET..ETHERNET + 20].copy_from_slice(&ipv4(
                    source,
                    destination,
                    TCP,
                    TCP_LEN as u16,
                ));
                20
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame[ETHERNET..ETHERNET + 40].copy_from_slice(&ipv6(
                    source,
                    destination,
                    TCP,
                    TCP_LEN as u16,
                    64,
                ));
                40
            }
            _ => return 0,
        };
        let kind = if head == 20 { IPV4 } else { IPV6 };
        frame[..ETHERNET].copy_from_slice(&ethernet(self.from, self.to, kind));
        frame[ETHERNET + head..ETHERNET + head + TCP_LEN].copy_from_slice(&tcp);
        ETHERNET + head + TCP_LEN
    }
}

/// What an answer says about the port asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// SYN-ACK.
    Open,
    /// RST.
    Closed,
    /// An ICMP or ICMPv6 error quoting our SYN: its type, code and sender.
    Error {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// Who sent it.
        by: IpAddr,
    },
}

/// An answer to one of our SYNs, as far as its bytes say; whether we asked is for the cookie to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The address asked.
    pub host: IpAddr,
    /// The port asked.
    pub port: u16,
    /// Our port.
    pub our_port: u16,
    /// The sequence number of our SYN.
    pub sequence: u32,
    /// What it says.
    pub said: Said,
}

/// Reads an answer to a SYN from a frame; `None` for anything else.
pub fn answer(frame: &[u8]) -> Option<Answer> {
    let ip = Ip::read(frame)?;
    match ip.protocol {
        TCP => {
            let (port, our_port) = (u16_at(ip.body, 0)?, u16_at(ip.body, 2)?);
            let acknowledged = u32_at(ip.body, 8)?;
            let flags = *ip.body.get(13)?;
            let said = match flags {
                // An RST that acknowledges nothing cannot be told from a forged one.
                _ if flags & 0x10 == 0 => return None,
                _ if flags & 0x04 != 0 => Said::Closed,
                _ if flags & 0x02 != 0 => Said::Open,
                _ => return None,
            };
            Some(Answer { host: ip.source, port, our_port, sequence: acknowledged.wrapping_sub(1), said })
        }
        ICMP | ICMPV6 => {
            let (kind, code) = (*ip.body.first()?, *ip.body.get(1)?);
            let is_error = match ip.protocol {
                ICMP => matches!(kind, 3 | 11 | 12),
                _ => (1..=4).contains(&kind),
            };
            let quoted = Ip::read_packet(ip.body.get(8..)?, ip.protocol == ICMPV6).filter(|_| is_error)?;
            if quoted.protocol != TCP {
                return None;
            }
            Some(Answer {
                host: quoted.destination,
                port: u16_at(quoted.body, 2)?,
                our_port: u16_at(quoted.body, 0)?,
                sequence: u32_at(quoted.body, 4)?,
                said: Said::Error { kind, code, by: ip.source },
            })
        }
        _ => None,
    }
}

/// A neighbour's word about itself, or a datagram worth reading, as heard on a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// This station uses this address: ARP of either kind (RFC 826), a neighbour advertisement or solicitation (RFC 4861),
    /// an echo reply. The address is missing in an ARP probe (RFC 5227) and in duplicate address detection.
    Station {
        /// Its address on the wire.
        mac: Mac,
        /// Its address.
        address: Option<IpAddr>,
        /// Whether it was sent to us or answers what we asked.
        is_answer: bool,
    },
    /// A UDP datagram.
    Datagram {
        /// Who put it on the wire.
        mac: Mac,
        /// From where.
        source: IpAddr,
        /// From which port.
        source_port: u16,
        /// To which port.
        port: u16,
        /// What it carries.
        payload: &'a [u8],
    },
}

/// Reads what discovery listens for from a frame.
pub fn heard(frame: &[u8]) -> Option<Heard<'_>> {
    let mac = Mac(frame.get(6..12)?.try_into().ok()?);
    if u16_at(frame, 12)? == ARP {
        let arp = frame.get(ETHERNET..ETHERNET + 28)?;
        // Ethernet, IPv4, and the lengths that go with them.
        if arp.get(..6)? != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        let sender = Mac(arp.get(8..14)?.try_into().ok()?);
        let address = Ipv4Addr::from(u32_at(arp, 14)?);
        let address = Some(IpAddr::V4(address)).filter(|_| !address.is_unspecified());
        return Some(Heard::Station { mac: sender, address, is_answer: u16_at(arp, 6)? == 2 })
            .filter(|_| !sender.is_group() && sender != Mac::default());
    }
    let ip = Ip::read(frame)?;
    match ip.protocol {
        UDP => {
            let length = usize::from(u16_at(ip.body, 4)?).checked_sub(8)?;
            let payload = ip.body.get(8..)?;
            Some(Heard::Datagram {
                mac,
                source: ip.source,
                source_port: u16_at(ip.body, 0)?,
                port: u16_at(ip.body, 2)?,
                payload: payload.get(..length).unwrap_or(payload),
            })
        }
        ICMPV6 => {
            let kind = *ip.body.first()?;
            // RFC 4861 section 7.1: such a message that passed a router is not a neighbour's.
            if matches!(kind, 135 | 136) && ip.hops != 255 {
                return None;
            }
            let target = || Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.body.get(8..24)?).ok()?));
            let address = match kind {
                136 => Some(IpAddr::V6(target()?)),
                129 | 135 => Some(ip.source).filter(|source| !source.is_unspecified()),
                _ => return None,
            };
            Some(Heard::Station { mac, address, is_answer: kind != 135 }).filter(|_| !mac.is_group())
        }
        _ => None,
    }
}

/// An ARP request: who has this address?
pub fn arp_request(from: Mac, source: Ipv4Addr, asked: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(from, Mac::BROADCAST, ARP).to_vec();
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(from.0);
    frame.extend(source.octets());
    frame.extend([0; 6]);
    frame.extend(asked.octets());
    frame
}

/// A neighbour solicitation to the solicited-node group of the address (RFC 4861 section 4.3).
pub fn neighbour_solicitation(from: Mac, source: Ipv6Addr, asked: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = asked.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let mut body = vec![135, 0, 0, 0, 0, 0, 0, 0];
    body.extend(asked.octets());
    body.extend([1, 1]);
    body.extend(from.0);
    icmpv6(from, Mac::of_group(group), source, group, 255, body)
}

/// An echo request without data to all nodes of the link (RFC 4443 section 4.1).
pub fn echo_all_nodes(from: Mac, source: Ipv6Addr, id: u16) -> Vec<u8> {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut body = vec![128, 0, 0, 0];
    body.extend(id.to_be_bytes());
    body.extend([0, 1]);
    icmpv6(from, Mac::of_group(group), source, group, 255, body)
}

/// The Internet checksum (RFC 1071) of these bytes; 0 over a message that holds its own right sum.
pub fn checksum(bytes: &[u8]) -> u16 {
    fold(partial(bytes))
}

/// The transport checksum over its pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1).
pub fn transport_sum(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let ends = match (source, destination) {
        (IpAddr::V4(a), IpAddr::V4(b)) => partial(&a.octets()) + partial(&b.octets()),
        (IpAddr::V6(a), IpAddr::V6(b)) => partial(&a.octets()) + partial(&b.octets()),
        _ => 0,
    };
    fold(ends + u64::from(protocol) + segment.len() as u64 + partial(segment))
}

/// An IP packet taken apart.
struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    hops: u8,
    body: &'a [u8],
}

impl<'a> Ip<'a> {
    fn read(frame: &'a [u8]) -> Option<Self> {
        match u16_at(frame, 12)? {
            IPV4 => Ip::read_packet(frame.get(ETHERNET..)?, false),
            IPV6 => Ip::read_packet(frame.get(ETHERNET..)?, true),
            _ => None,
        }
    }

    /// Extension headers of IPv6 are not walked: what answers a SYN of ours has none.
    fn read_packet(packet: &'a [u8], is_v6: bool) -> Option<Self> {
        if *packet.first()? >> 4 != if is_v6 { 6 } else { 4 } {
            return None;
        }
        if is_v6 {
            let address =
                |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
            let length = usize::from(u16_at(packet, 4)?);
            let body = packet.get(40..)?;
            return Some(Ip {
                source: address(8)?.into(),
                destination: address(24)?.into(),
                protocol: *packet.get(6)?,
                hops: *packet.get(7)?,
                body: body.get(..length).unwrap_or(body),
            });
        }
        let head = usize::from(*packet.first()? & 0xf) * 4;
        // Only a first fragment has ports.
        if head < 20 || u16_at(packet, 6)? & 0x1fff != 0 {
            return None;
        }
        // Ethernet pads short frames; the packet's own length says where it ends. A quoted one may be cut.
        let length = usize::from(u16_at(packet, 2)?);
        let body = packet.get(head..)?;
        Some(Ip {
            source: Ipv4Addr::from(u32_at(packet, 12)?).into(),
            destination: Ipv4Addr::from(u32_at(packet, 16)?).into(),
            protocol: *packet.get(9)?,
            hops: *packet.get(8)?,
            body: packet.get(head..length).unwrap_or(body),
        })
    }
}

fn ethernet(from: Mac, to: Mac, kind: u16) -> [u8; ETHERNET] {
    let mut head = [0; ETHERNET];
    head[..6].copy_from_slice(&to.0);
    head[6..12].copy_from_slice(&from.0);
    head[12..].copy_from_slice(&kind.to_be_bytes());
    head
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, body: u16) -> [u8; 20] {
    let mut head = [0u8; 20];
    head[0] = 0x45;
    head[2..4].copy_from_slice(&(20 + body).to_be_bytes());
    // Don't fragment, so an id of 0 is in order (RFC 6864).
    head[6] = 0x40;
    head[8] = 64;
    head[9] = protocol;
    head[12..16].copy_from_slice(&source.octets());
    head[16..].copy_from_slice(&destination.octets());
    let sum = checksum(&head);
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    head
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, body: u16, hops: u8) -> [u8; 40] {
    let mut head = [0u8; 40];
    head[0] = 0x60;
    head[4..6].copy_from_slice(&body.to_be_bytes());
    head[6] = protocol;
    head[7] = hops;
    head[8..24].copy_from_slice(&source.octets());
    head[24..].copy_from_slice(&destination.octets());
    head
}

fn icmpv6(
    from: Mac,
    to: Mac,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hops: u8,
    mut body: Vec<u8>,
) -> Vec<u8> {
    let sum = transport_sum(source.into(), destination.into(), ICMPV6, &body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = ethernet(from, to, IPV6).to_vec();
    frame.extend(ipv6(source, destination, ICMPV6, body.len() as u16, hops));
    frame.extend(body);
    frame
}

fn partial(bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let sum: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    sum + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Two bytes at an offset, in network order.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// Four bytes at an offset, in network order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([0x00, 0x1b, 0x21, 0, 0, 2]);

    fn syn(source: &str, destination: &str) -> Vec<u8> {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        let syn = Syn { from: A, to: B, source, destination, source_port: 61_001, port: 443, sequence: 7 };
        let mut frame = [0; SYN_MAX];
        let length = syn.write(&mut frame);
        frame[..length].to_vec()
    }

    /// A TCP answer to it with these flags.
    fn reply(flags: u8) -> Vec<u8> {
        let mut frame = syn("192.0.2.9", "192.0.2.1");
        frame[34..38].copy_from_slice(&[0x01, 0xbb, 0xee, 0x49]);
        frame[42..46].copy_from_slice(&8u32.to_be_bytes());
        frame[47] = flags;
        frame
    }

    /// An ICMP error that quotes the first bytes of a SYN of ours.
    fn error(kind: u8, code: u8) -> Vec<u8> {
        let asked = syn("192.0.2.1", "198.51.100.9");
        let mut frame = ethernet(B, A, IPV4).to_vec();
        frame.extend(ipv4("192.0.2.254".parse().unwrap(), "192.0.2.1".parse().unwrap(), ICMP, 36));
        frame.extend([kind, code, 0, 0, 0, 0, 0, 0]);
        frame.extend(&asked[14..42]);
        frame
    }

    #[test]
    fn frames_carry_right_sums() {
        let frame = syn("192.0.2.1", "192.0.2.9");
        assert_eq!(frame.len(), 58);
        assert_eq!(checksum(&frame[14..34]), 0);
        assert_eq!(
            transport_sum("192.0.2.1".parse().unwrap(), "192.0.2.9".parse().unwrap(), TCP, &frame[34..]),
            0
        );
        let frame = syn("2001:db8::1", "2001:db8::9");
        assert_eq!(frame.len(), 78);
        assert_eq!(
            transport_sum("2001:db8::1".parse().unwrap(), "2001:db8::9".parse().unwrap(), TCP, &frame[54..]),
            0
        );
        let asked: Ipv6Addr = "2001:db8::12:3456".parse().unwrap();
        let frame = neighbour_solicitation(A, "fe80::1".parse().unwrap(), asked);
        let group: Ipv6Addr = "ff02::1:ff12:3456".parse().unwrap();
        assert_eq!(frame[..6], Mac::of_group(group).0);
        assert_eq!(transport_sum("fe80::1".parse().unwrap(), group.into(), ICMPV6, &frame[54..]), 0);
        // The worked example of RFC 1071 section 3.
        assert_eq!(!checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        assert_eq!(checksum(&[1, 2, 3]), checksum(&[1, 2, 3, 0]));
    }

    #[test]
    fn answers_are_read() {
        let read = answer(&reply(0x12)).unwrap();
        assert_eq!((read.port, read.our_port, read.sequence), (443, 61_001, 7));
        assert_eq!(read.said, Said::Open);
        assert_eq!(answer(&reply(0x14)).unwrap().said, Said::Closed);
        assert_eq!(answer(&reply(0x04)), None, "a reset that acknowledges nothing");
        assert_eq!(answer(&reply(0x10)), None);
        let read = answer(&error(3, 13)).unwrap();
        assert_eq!(read.host, "198.51.100.9".parse::<IpAddr>().unwrap());
        assert_eq!((read.port, read.our_port, read.sequence), (443, 61_001, 7));
        assert_eq!(read.said, Said::Error { kind: 3, code: 13, by: "192.0.2.254".parse().unwrap() });
        assert_eq!(answer(&error(8, 0)), None, "an echo request is no error");
    }

    #[test]
    fn neighbours_are_heard() {
        let mut frame = arp_request(B, "192.0.2.9".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let station = |is_answer| Heard::Station { mac: B, address: "192.0.2.9".parse().ok(), is_answer };
        assert_eq!(heard(&frame), Some(station(false)));
        frame[21] = 2;
        assert_eq!(heard(&frame), Some(station(true)));
        frame[28..32].fill(0);
        assert_eq!(heard(&frame), Some(Heard::Station { mac: B, address: None, is_answer: true }));
        let mut frame = neighbour_solicitation(B, "fe80::9".parse().unwrap(), "fe80::1".parse().unwrap());
        let address = "fe80::9".parse().ok();
        assert_eq!(heard(&frame), Some(Heard::Station { mac: B, address, is_answer: false }));
        frame[21] = 64;
        assert_eq!(heard(&frame), None, "it passed a router");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let seeds = [
            reply(0x12),
            error(3, 1),
            syn("2001:db8::1", "2001:db8::9"),
            arp_request(A, "192.0.2.9".parse().unwrap(), "192.0.2.1".parse().unwrap()),
            neighbour_solicitation(B, "fe80::9".parse().unwrap(), "fe80::1".parse().unwrap()),
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        for round in 0..20_000 {
            let mut bytes = seeds[round % seeds.len()].clone();
            bytes.truncate(random() % (bytes.len() + 1));
            for _ in 0..random() % 8 {
                let length = bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(random() % length) {
                    *byte = random() as u8;
                }
            }
            let _ = (answer(&bytes), heard(&bytes));
        }
    }
}
