//! What devices say about themselves unasked: DHCP requests (RFC 2131, RFC 2132) and multicast DNS (RFC 6762). Reading never
//! panics on any bytes, and never follows a compressed name for ever.

use crate::packet::{Mac, u16_at, u32_at};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a DHCP client asked for: the same devices ask the same things in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dhcp {
    /// Whose request.
    pub mac: Mac,
    /// Options asked for, in their order (option 55).
    pub parameters: Vec<u8>,
    /// Vendor class (option 60).
    pub vendor_class: Option<String>,
    /// Host name (option 12).
    pub host_name: Option<String>,
    /// The address it wants or has (option 50, or ciaddr).
    pub address: Option<Ipv4Addr>,
}

/// Reads a client's message (to port 67).
pub fn dhcp(bytes: &[u8]) -> Option<Dhcp> {
    // op 1 (request), Ethernet, 6 bytes of address; magic cookie behind 236 bytes.
    if bytes.get(..3)? != [1, 1, 6] || u32_at(bytes, 236)? != 0x6382_5363 {
        return None;
    }
    let mut client = Dhcp { mac: Mac(bytes.get(28..34)?.try_into().ok()?), ..Dhcp::default() };
    let used = Ipv4Addr::from(u32_at(bytes, 12)?);
    client.address = Some(used).filter(|address| !address.is_unspecified());
    let mut rest = bytes.get(240..)?;
    while let Some((&code, after)) = rest.split_first() {
        if code == 255 {
            break;
        }
        if code == 0 {
            rest = after;
            continue;
        }
        let length = usize::from(*after.first()?);
        let Some(value) = after.get(1..1 + length) else { break };
        match code {
            12 => client.host_name = text(value),
            50 => client.address = value.try_into().ok().map(<[u8; 4]>::into).or(client.address),
            55 => client.parameters = value.to_vec(),
            60 => client.vendor_class = text(value),
            _ => {}
        }
        rest = after.get(1 + length..).unwrap_or_default();
    }
    Some(client)
}

/// What an mDNS response holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Host names with their addresses (A and AAAA records), without `.local`.
    pub hosts: Vec<(String, IpAddr)>,
    /// Services offered: the owner names of SRV records, such as `Front desk._ipp._tcp.local`.
    pub services: Vec<String>,
}

/// Reads an mDNS message; empty for a question.
pub fn mdns(bytes: &[u8]) -> Option<Names> {
    let mut names = Names::default();
    if u16_at(bytes, 2)? & 0x8000 == 0 {
        return Some(names);
    }
    let questions = u16_at(bytes, 4)?;
    let records = (0..3).map(|section| u16_at(bytes, 6 + 2 * section).unwrap_or(0));
    // More than fits in a frame is a lie.
    let records = records.map(usize::from).sum::<usize>().min(200);
    let mut at = 12;
    for _ in 0..questions.min(200) {
        at = name(bytes, at)?.1 + 4;
    }
    for _ in 0..records {
        let Some((owner, after)) = name(bytes, at) else { break };
        let (Some(kind), Some(length)) = (u16_at(bytes, after), u16_at(bytes, after + 8)) else { break };
        let Some(data) = bytes.get(after + 10..after + 10 + usize::from(length)) else { break };
        let host = || owner.strip_suffix(".local").unwrap_or(&owner).to_owned();
        match (kind, data.len()) {
            (1, 4) => names
                .hosts
                .extend(<[u8; 4]>::try_from(data).ok().map(|octets| (host(), Ipv4Addr::from(octets).into()))),
            (28, 16) => names.hosts.extend(
                <[u8; 16]>::try_from(data).ok().map(|octets| (host(), Ipv6Addr::from(octets).into())),
            ),
            (33, _) => names.services.push(owner),
            _ => {}
        }
        at = after + 10 + usize::from(length);
    }
    Some(names)
}

/// A name at an offset, and where what follows it begins. Pointers lead backwards only (RFC 1035 section 4.1.4).
fn name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut labels, mut end, mut lowest) = (String::new(), None, at);
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length {
            0 => return Some((labels, end.unwrap_or(at + 1))),
            1..=63 => {
                let label = String::from_utf8_lossy(bytes.get(at + 1..at + 1 + length)?);
                if !labels.is_empty() {
                    labels.push('.');
                }
                labels.push_str(&label);
                if labels.len() > 1_024 {
                    return None;
                }
                at += 1 + length;
            }
            192.. => {
                let to = usize::from(u16_at(bytes, at)? & 0x3fff);
                end = end.or(Some(at + 2));
                if to >= lowest {
                    return None;
                }
                (at, lowest) = (to, to);
            }
            _ => return None,
        }
    }
}

fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut bytes = vec![0; 236];
        bytes[..3].copy_from_slice(&[1, 1, 6]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 3, 55, 4, 1, 3, 6, 15]);
        bytes.extend([60, 7]);
        bytes.extend(b"MSFT 5\0");
        bytes.extend([12, 5]);
        bytes.extend(b"till1");
        bytes.extend([50, 4, 192, 0, 2, 7, 255]);
        bytes
    }

    fn response() -> Vec<u8> {
        let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
        bytes.extend(b"\x07printer\x05local\0");
        bytes.extend([0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 8]);
        bytes.extend(b"\x05Front\x04_ipp\x04_tcp\xc0\x14");
        bytes.extend([0, 33, 0x80, 1, 0, 0, 0, 120, 0, 8, 0, 0, 0, 0, 0x02, 0x77, 0xc0, 12]);
        bytes
    }

    #[test]
    fn a_dhcp_request_is_a_fingerprint() {
        let client = dhcp(&request()).unwrap();
        assert_eq!(client.parameters, [1, 3, 6, 15]);
        assert_eq!(client.vendor_class.as_deref(), Some("MSFT 5"));
        assert_eq!(client.host_name.as_deref(), Some("till1"));
        assert_eq!(client.address, Some(Ipv4Addr::new(192, 0, 2, 7)));
        assert_eq!(client.mac.to_string(), "02:00:00:00:00:07");
        assert_eq!(dhcp(&[2; 300]), None);
    }

    #[test]
    fn mdns_names_are_read() {
        let names = mdns(&response()).unwrap();
        assert_eq!(names.hosts, [("printer".to_owned(), "192.0.2.8".parse().unwrap())]);
        assert_eq!(names.services, ["Front._ipp._tcp.local"]);
        let mut looped = response();
        looped[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(mdns(&looped).unwrap(), Names::default());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        for round in 0..20_000 {
            let mut bytes = if round % 2 == 0 { request() } else { response() };
            bytes.truncate(random() % (bytes.len() + 1));
            for _ in 0..random() % 6 {
                let length = bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(random() % length) {
                    *byte = random() as u8;
                }
            }
            let _ = (dhcp(&bytes), mdns(&bytes));
        }
    }
}
