//! Ethernet frames from packets and back. The IPv4 identification and the IPv6 flow label carry a number by
//! which a packet is recognised after it was translated.

use std::net::IpAddr;
use tillgate_model::{Packet, Protocol};

/// What is read from a captured frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Hardware source.
    pub from: [u8; 6],
    /// The packet's number.
    pub number: u32,
    /// Addresses, protocol and ports.
    pub packet: Packet,
}

fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    let mut odd: Option<u8> = None;
    for byte in parts.iter().flat_map(|p| p.iter()) {
        match odd.take() {
            None => odd = Some(*byte),
            Some(high) => sum += u32::from(u16::from_be_bytes([high, *byte])),
        }
    }
    if let Some(high) = odd {
        sum += u32::from(u16::from_be_bytes([high, 0]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

/// The frame of a packet; `number` is below 65,536 (it must fit the IPv4 identification).
pub fn build(packet: &Packet, number: u32, from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
    let mut payload = Vec::new();
    let (sport, dport) = (packet.source_port.to_be_bytes(), packet.destination_port.to_be_bytes());
    let sum_at = match packet.protocol {
        Protocol::TCP => {
            payload.extend([sport, dport].concat());
            // Sequence 1; the acknowledgement of a reply covers the SYN that was sent with sequence 1.
            payload.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, packet.tcp_flags, 0xff, 0xff, 0, 0, 0, 0]);
            Some(16)
        }
        Protocol::UDP => {
            payload.extend([sport, dport].concat());
            payload.extend([0, 12, 0, 0, 1, 2, 3, 4]);
            Some(6)
        }
        Protocol::ICMP | Protocol::ICMPV6 => {
            let id = (number as u16).to_be_bytes();
            payload.extend([
                packet.source_port as u8,
                packet.destination_port as u8,
                0,
                0,
                id[0],
                id[1],
                0,
                1,
            ]);
            Some(2)
        }
        _ => {
            payload.extend([0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
            None
        }
    };
    let (source, destination) = (octets(packet.source), octets(packet.destination));
    if let Some(at) = sum_at {
        let length = (payload.len() as u32).to_be_bytes();
        let pseudo = [0, 0, 0, packet.protocol.0];
        let sum = match packet.protocol {
            Protocol::ICMP => checksum(&[&payload]),
            _ => checksum(&[&source, &destination, &length, &pseudo, &payload]),
        };
        let sum = if sum == 0 && packet.protocol == Protocol::UDP { 0xffff } else { sum };
        payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let mut out = [to, from].concat();
    if packet.source.is_ipv4() {
        out.extend([0x08, 0x00]);
        let total = (20 + payload.len()) as u16;
        let id = (number as u16).to_be_bytes();
        let mut header =
            vec![0x45, 0, (total >> 8) as u8, total as u8, id[0], id[1], 0, 0, 64, packet.protocol.0, 0, 0];
        header.extend(&source);
        header.extend(&destination);
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        out.extend(header);
    } else {
        out.extend([0x86, 0xdd]);
        out.extend([0x60, (number >> 16) as u8 & 0xf, (number >> 8) as u8, number as u8]);
        out.extend((payload.len() as u16).to_be_bytes());
        out.extend([packet.protocol.0, 64]);
        out.extend(&source);
        out.extend(&destination);
    }
    out.extend(payload);
    out
}

/// Reads a frame; `None` for what is no IP packet, and for ICMP errors (they answer, they were not sent).
pub fn parse(bytes: &[u8]) -> Option<Frame> {
    let from: [u8; 6] = bytes.get(6..12)?.try_into().ok()?;
    let kind = u16::from_be_bytes(bytes.get(12..14)?.try_into().ok()?);
    let ip = bytes.get(14..)?;
    let (source, destination, protocol, number, rest): (IpAddr, IpAddr, u8, u32, &[u8]) = match kind {
        0x0800 => {
            let header = usize::from(ip.first()? & 0xf) * 4;
            let source: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
            let destination: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
            let id = u16::from_be_bytes(ip.get(4..6)?.try_into().ok()?);
            (source.into(), destination.into(), *ip.get(9)?, u32::from(id), ip.get(header..)?)
        }
        0x86dd => {
            let source: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
            let destination: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
            let label = u32::from_be_bytes(ip.get(0..4)?.try_into().ok()?) & 0xfffff;
            (source.into(), destination.into(), *ip.get(6)?, label, ip.get(40..)?)
        }
        _ => return None,
    };
    let protocol = Protocol(protocol);
    let word = |at: usize| rest.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
    let (source_port, destination_port) = match protocol {
        Protocol::ICMP if matches!(rest.first()?, 3 | 4 | 5 | 11 | 12) => return None,
        Protocol::ICMPV6 if *rest.first()? < 128 => return None,
        p if p.is_icmp() => (u16::from(*rest.first()?), u16::from(*rest.get(1)?)),
        p if p.has_ports() => (word(0), word(2)),
        _ => (0, 0),
    };
    let tcp_flags = if protocol == Protocol::TCP { *rest.get(13)? } else { 0 };
    let packet = Packet {
        input: None,
        output: None,
        state: tillgate_model::State::New,
        protocol,
        source,
        destination,
        source_port,
        destination_port,
        tcp_flags,
    };
    Some(Frame { from, number, packet })
}
