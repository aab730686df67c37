//! Questions and answers of DNS (RFC 1035) and mDNS (RFC 6762), as far as they tell who answers.

use super::{Basis, Service, printable};

const VERSION: &[&str] = &["version", "bind"];
const SERVICES: &[&str] = &["_services", "_dns-sd", "_udp", "local"];

/// Asks a name server what it is: `version.bind`, TXT, class CHAOS (RFC 4892 section 2).
pub(super) fn version_query(id: u16) -> Vec<u8> {
    query(id, VERSION, 16, 3)
}

/// Asks a device which services it announces (RFC 6763 section 9), with the answer to the asker alone.
pub(super) fn services_query(id: u16) -> Vec<u8> {
    query(id, SERVICES, 12, 0x8001)
}

fn query(id: u16, labels: &[&str], kind: u16, class: u16) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in labels {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend(kind.to_be_bytes());
    out.extend(class.to_be_bytes());
    out
}

/// What an answer to [`version_query`] says; a refusal is an answer too.
pub(super) fn version_answer(id: u16, bytes: &[u8]) -> Option<Service> {
    let text = records(id, bytes)?.into_iter().find(|r| r.kind == 16).and_then(|record| {
        let (&length, text) = record.data.split_first()?;
        printable(text.get(..usize::from(length))?)
    });
    Some(Service { version: text, ..Service::new("domain", Basis::Answer) })
}

/// What an answer to [`services_query`] says: the announced services as its version text.
pub(super) fn services_answer(id: u16, bytes: &[u8]) -> Option<Service> {
    let mut names: Vec<String> = records(id, bytes)?
        .into_iter()
        .filter(|r| r.kind == 12)
        .filter_map(|r| name(bytes, r.at))
        .map(|(name, _)| name.trim_end_matches(".local").to_string())
        .collect();
    names.sort();
    names.dedup();
    Some(Service { version: printable(names.join(", ").as_bytes()), ..Service::new("mdns", Basis::Answer) })
}

struct Record<'a> {
    kind: u16,
    /// Where its data begins in the message.
    at: usize,
    data: &'a [u8],
}

/// The records of the answer section, as far as they are whole; `None` for what is no answer with this id.
fn records(id: u16, bytes: &[u8]) -> Option<Vec<Record<'_>>> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    // The bit of an answer, and the operation code of a query.
    if bytes.len() < 12 || word(0)? != id || word(2)? & 0xf800 != 0x8000 {
        return None;
    }
    let mut at = 12;
    for _ in 0..word(4)?.min(16) {
        at = name(bytes, at)?.1 + 4;
    }
    let mut out = Vec::new();
    for _ in 0..word(6)?.min(200) {
        let Some((_, start)) = name(bytes, at) else { break };
        let (Some(kind), Some(length)) = (word(start), word(start + 8)) else { break };
        let from = start + 10;
        let Some(data) = bytes.get(from..from + usize::from(length)) else { break };
        out.push(Record { kind, at: from, data });
        at = from + usize::from(length);
    }
    Some(out)
}

/// A name and where it ends; at most 20 jumps and 255 bytes.
fn name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut end = None;
    let mut jumps = 0;
    loop {
        let length = *bytes.get(at)?;
        match length {
            0 => return Some((out, end.unwrap_or(at + 1))),
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(length))?;
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&String::from_utf8_lossy(label));
                at += 1 + usize::from(length);
            }
            0xc0..=0xff => {
                end = end.or(Some(at + 2));
                at = usize::from(length & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
                jumps += 1;
            }
            _ => return None,
        }
        if jumps > 20 || out.len() > 1024 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_refusals() {
        let query = version_query(7);
        let mut answer = query.clone();
        (answer[2], answer[3], answer[7]) = (0x84, 0, 1);
        answer.extend([0xc0, 12, 0, 16, 0, 3, 0, 0, 0, 0, 0, 7, 6]);
        answer.extend(b"9.18.1");
        assert_eq!(version_answer(7, &answer).unwrap().version.as_deref(), Some("9.18.1"));
        assert!(version_answer(8, &answer).is_none() && version_answer(7, &query).is_none());
        let mut refused = query;
        (refused[2], refused[3]) = (0x80, 5);
        assert_eq!(version_answer(7, &refused).unwrap().version, None);
    }

    #[test]
    fn announced_services() {
        let mut answer = services_query(9);
        (answer[2], answer[7]) = (0x84, 2);
        for label in ["_ipp", "_http"] {
            answer.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, label.len() as u8 + 8, label.len() as u8]);
            answer.extend(label.as_bytes());
            answer.extend(b"\x04_tcp\xc0\x23");
        }
        let seen = services_answer(9, &answer).unwrap();
        assert_eq!(seen.version.as_deref(), Some("_http._tcp, _ipp._tcp"));
    }

    #[test]
    fn a_name_that_leads_to_itself_ends() {
        assert_eq!(name(&[0xc0, 0], 0), None);
        assert_eq!(name(&[1, b'a', 0xc0, 0], 0), None);
    }
}
