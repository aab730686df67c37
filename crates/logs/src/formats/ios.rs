//! Cisco IOS, IOS-XE and IOS-XR: lines of access lists and of the zone firewall.
//!
//! Shapes are those of Cisco's "System Message Guide", facilities SEC, IPV6 and FW, and of
//! "ACL Syslog Correlation" for the tag at the end.

#[cfg(test)]
mod tests;

use super::icmp;
use crate::record::{Line, Record, Verdict};
use crate::text::{self, Words};
use memchr::memchr;
use std::net::IpAddr;
use tillgate_model::Protocol;

/// How far the mark may stand behind what a header left over: IOS puts its own counter and clock first.
const WINDOW: usize = 160;

/// Whether the line has a mark `%FACILITY-6-MNEMONIC` of an access list or of the zone firewall.
pub fn is_mine(message: &[u8]) -> bool {
    mark(message).is_some()
}

/// Reads a line from its mark on.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some((mnemonic, body)) = mark(message) else { return Line::Unread("mark") };
    match mnemonic {
        b"DROP_PKT" => dropped(body),
        b"SESS_AUDIT_TRAIL" | b"SESS_AUDIT_TRAIL_START" => session(body),
        b"IPACCESSLOGRL" | b"ACCESSLOGRL" => missed(body),
        _ if is_access_list(mnemonic) => access_list(body),
        _ => Line::Other,
    }
}

fn is_access_list(mnemonic: &[u8]) -> bool {
    mnemonic.strip_prefix(b"IP").unwrap_or(mnemonic).starts_with(b"ACCESSLOG")
}

/// The mnemonic and the text of the last mark in the window: IOS-XE wraps one mark into another.
fn mark(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let window = &message[..message.len().min(WINDOW)];
    let mut from = 0;
    while let Some(at) = memchr(b'%', &window[from..]) {
        from += at + 1;
        let rest = &message[from..];
        let Some(colon) = memchr(b':', &rest[..rest.len().min(64)]) else { continue };
        let head = rest[..colon].trim_ascii_end();
        let Some(dash) = memchr::memrchr(b'-', head) else { continue };
        let (facility, mnemonic) = (&head[..dash], &head[dash + 1..]);
        let facility = &facility[..memchr::memrchr(b'-', facility).unwrap_or(0)];
        if is_access_list(mnemonic) || facility == b"FW" {
            return Some((mnemonic, &rest[colon + 1..]));
        }
    }
    None
}

/// `access-list logging rate-limited or missed 5 packets`.
fn missed(body: &[u8]) -> Line<'_> {
    match Words(body).take(24).find_map(text::number) {
        Some(packets) => Line::Missed(packets),
        None => Line::Unread("count"),
    }
}

/// `list X denied tcp a(p) (interface mac) -> b(p), 3 packets`; standard lists have no destination.
fn access_list(body: &[u8]) -> Line<'_> {
    let mut words = Words(body);
    // IOS-XE names the forwarding engine before, IOS-XR says `access-list`.
    if !words.by_ref().take(8).any(|w| w == b"list" || w == b"access-list") {
        return Line::Unread("list");
    }
    let rule = words.next();
    let mut verdict = words.next();
    if verdict.is_some_and(|w| w.first() == Some(&b'(')) {
        // IOS-XR: the entry's number in brackets.
        verdict = words.next();
    }
    let mut record = Record::new(match verdict {
        Some(b"permitted" | b"permit") => Verdict::Permit,
        Some(b"denied" | b"deny") => Verdict::Deny,
        _ => return Line::Unread("verdict"),
    });
    record.rule = rule;
    let Some(word) = words.next() else { return Line::Unread("protocol") };
    let (source, source_port) = end(word);
    if source.is_some() {
        // IPACCESSLOGS: a standard list looks at the source alone.
        record.source = source;
        record.count = packets(&mut words);
        return Line::Flow(record);
    }
    record.protocol = protocol(word);
    let Some((source, source_port)) = words.next().map(end).or(Some((source, source_port))) else {
        return Line::Unread("source");
    };
    let mut destination = None;
    while let Some(word) = words.next() {
        if word == b"->" {
            destination = words.next();
            break;
        }
        if record.input.is_none()
            && let Some(interface) = word.strip_prefix(b"(")
        {
            let interface = interface.strip_suffix(b")").unwrap_or(interface);
            record.input = Some(interface).filter(|i| !i.is_empty() && memchr(b'/', i) != Some(0));
        }
    }
    let Some(destination) = destination else { return Line::Unread("destination") };
    let (destination, destination_port) = end(destination);
    if source.is_none() || destination.is_none() {
        return Line::Unread("address");
    }
    record.source = source;
    record.destination = destination;
    if matches!(destination, Some(IpAddr::V6(_))) && record.protocol == Some(Protocol::ICMP) {
        record.protocol = Some(Protocol::ICMPV6);
    }
    if record.protocol.is_some_and(Protocol::has_ports) {
        record.source_port = source_port;
        record.destination_port = destination_port;
    }
    // IPACCESSLOGDP: `(type/code)` behind the destination.
    if matches!(record.protocol, Some(Protocol::ICMP | Protocol::ICMPV6))
        && let Some(kind) = words.clone().next().and_then(|w| w.strip_prefix(b"("))
    {
        let kind = &kind[..memchr(b'/', kind).unwrap_or(0)];
        record.is_reply = text::number(kind).is_some_and(|k| icmp::answers(record.protocol, k));
    }
    record.count = packets(&mut words);
    Line::Flow(record)
}

/// The figure before `packet` or `packets`; 1 where the line was cut before it.
fn packets(words: &mut Words<'_>) -> u64 {
    let mut last = 1;
    for word in words.take(12) {
        if word.starts_with(b"packet") {
            return last;
        }
        last = text::number(word).unwrap_or(1);
    }
    1
}

/// `198.51.100.7(443)`, `2001:db8::7(443),`, `198.51.100.7,`.
fn end(word: &[u8]) -> (Option<IpAddr>, Option<u16>) {
    let word = word.strip_suffix(b",").unwrap_or(word);
    match memchr(b'(', word) {
        Some(open) => {
            let inside = word[open + 1..].strip_suffix(b")").unwrap_or_default();
            (text::address(&word[..open]), text::port(inside))
        }
        None => (text::address(word), None),
    }
}

/// The zone firewall names the inspected application; these run over one transport alone.
fn protocol(word: &[u8]) -> Option<Protocol> {
    text::protocol(word).or(match word {
        b"http" | b"https" | b"ftp" | b"smtp" | b"ssh" | b"telnet" | b"imap" | b"pop3" => Some(Protocol::TCP),
        b"ntp" | b"tftp" | b"snmp" | b"bootps" | b"bootpc" => Some(Protocol::UDP),
        b"ipinip" => Some(Protocol(4)),
        b"eigrp" => Some(Protocol(88)),
        _ => None,
    })
}

/// `a:p`, `[2001:db8::7]:p`, `(a:p)`, or an address alone.
fn socket(word: &[u8]) -> (Option<IpAddr>, Option<u16>) {
    let word = word.strip_prefix(b"(").unwrap_or(word);
    let word = &word[..word.iter().position(|b| matches!(b, b'(' | b')' | b',')).unwrap_or(word.len())];
    if let Some(v6) = word.strip_prefix(b"[") {
        let Some(close) = memchr(b']', v6) else { return (None, None) };
        return (text::address(&v6[..close]), v6[close + 1..].strip_prefix(b":").and_then(text::port));
    }
    let Some(colon) = memchr::memrchr(b':', word) else { return (text::address(word), None) };
    match text::address(&word[..colon]) {
        Some(address @ IpAddr::V4(_)) => (Some(address), text::port(&word[colon + 1..])),
        // Without brackets nobody can say where an IPv6 address ends and the port begins.
        _ => (text::address(word), None),
    }
}

/// `Dropping tcp session a:p b:p on zone-pair X class Y due to …`; IOS-XE: `pkt from G2 a:p => b:p(zones)`.
fn dropped(body: &[u8]) -> Line<'_> {
    let mut words = Words(body);
    if !words.by_ref().take(16).any(|w| w == b"Dropping") {
        return Line::Unread("packet");
    }
    let mut record = Record::new(Verdict::Deny);
    record.protocol = words.next().and_then(protocol);
    let mut ends = [(None, None); 2];
    let mut known = 0;
    let mut before: &[u8] = b"";
    while known < 2 {
        let Some(word) = words.next() else { break };
        let (address, port) = socket(word);
        if address.is_some() {
            ends[known] = (address, port);
            known += 1;
        } else if before == b"from" {
            record.input = Some(word);
        }
        before = word;
    }
    if known < 2 {
        return Line::Unread("address");
    }
    let tail = words.0;
    if let Some(at) = memchr::memmem::find(tail, b"zone-pair ") {
        let pair = &tail[at + 10..];
        record.rule = Some(&pair[..memchr::memmem::find(pair, b" due to").unwrap_or(pair.len())]);
    }
    between(record, ends[0], ends[1])
}

/// `Start tcp session: initiator (a:p) … -- responder (b:p) …`.
fn session(body: &[u8]) -> Line<'_> {
    let mut words = Words(body);
    let mut record = Record::new(Verdict::Permit);
    let mut begun = false;
    let (mut initiator, mut responder) = ((None, None), (None, None));
    while let Some(word) = words.next() {
        if !begun && (word.ends_with(b"Start") || word.ends_with(b"Stop")) {
            begun = true;
            record.protocol = words.next().and_then(protocol);
        } else if word == b"initiator" {
            initiator = words.next().map(socket).unwrap_or_default();
        } else if word == b"responder" {
            responder = words.next().map(socket).unwrap_or_default();
            break;
        }
    }
    between(record, initiator, responder)
}

fn between<'a>(
    mut record: Record<'a>,
    source: (Option<IpAddr>, Option<u16>),
    destination: (Option<IpAddr>, Option<u16>),
) -> Line<'a> {
    if source.0.is_none() || destination.0.is_none() {
        return Line::Unread("address");
    }
    record.source = source.0;
    record.destination = destination.0;
    if matches!(source.0, Some(IpAddr::V6(_))) && record.protocol == Some(Protocol::ICMP) {
        record.protocol = Some(Protocol::ICMPV6);
    }
    // Type and code stand where the ports are.
    if record.protocol.is_none_or(Protocol::has_ports) {
        record.source_port = source.1;
        record.destination_port = destination.1;
    }
    Line::Flow(record)
}
