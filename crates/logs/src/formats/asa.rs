//! Cisco ASA, FTD, PIX and FWSM: the number of the message decides what the line means.
//!
//! Shapes are those of Cisco's "ASA Series Syslog Messages" and, for 430001 to 430005, of
//! "Secure Firewall Threat Defense Syslog Messages", chapter "Security Event Syslog Messages".

mod event;
#[cfg(test)]
mod tests;

use super::icmp;
use crate::record::{Line, Record, Verdict};
use crate::text::{self, Words};
use memchr::memchr;
use std::net::IpAddr;
use tillgate_model::Protocol;

/// How far the mark may stand behind what a header left over.
const WINDOW: usize = 128;

/// Whether the line has one of the marks `%ASA-`, `%FTD-`, `%PIX-`, `%FWSM-`.
pub fn is_mine(message: &[u8]) -> bool {
    mark(message).is_some()
}

/// Reads a line from its mark on.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(marked) = mark(message) else { return Line::Unread("mark") };
    let Some((id, body)) = number_and_text(marked) else { return Line::Unread("message number") };
    match id {
        106_100 | 106_102 | 106_103 => access_list(body),
        302_013..=302_018 | 302_303 | 302_304 | 302_035 | 302_036 => connection(body),
        302_020 | 302_021 => ping(body),
        106_010 | 106_011 | 106_014 | 106_023 | 305_005 | 305_006 | 305_013 | 313_005 => named_ends(id, body),
        106_001 | 106_006 | 106_007 | 106_012 | 106_015..=106_017 | 106_020..=106_022 => plain_ends(id, body),
        313_001 | 313_004 | 313_008 | 419_001 | 710_001..=710_006 => plain_ends(id, body),
        430_001..=430_005 => event::read(id, body),
        // 305011 and 305012 among them: a translation is not a flow, its connection has a line of its own.
        _ => Line::Other,
    }
}

/// The line from the dash behind the product on.
fn mark(message: &[u8]) -> Option<&[u8]> {
    let window = &message[..message.len().min(WINDOW)];
    let mut from = 0;
    while let Some(at) = memchr(b'%', &window[from..]) {
        let rest = &message[from + at + 1..];
        for product in [&b"ASA-"[..], b"FTD-", b"FWSM-", b"PIX-", b"NGIPS-"] {
            if let Some(marked) = rest.strip_prefix(product) {
                return Some(marked);
            }
        }
        from += at + 1;
    }
    None
}

/// `4-106023: text`, also with the logging class or context in front: `session-6-302013: text`.
fn number_and_text(marked: &[u8]) -> Option<(u32, &[u8])> {
    let colon = memchr(b':', &marked[..marked.len().min(64)])?;
    let head = marked[..colon].trim_ascii_end();
    let id = head.len().checked_sub(6).and_then(|at| text::number(&head[at..]))?;
    let dash = head.len().checked_sub(7)?;
    (head.get(dash) == Some(&b'-')).then_some((id as u32, &marked[colon + 1..]))
}

/// One end of a flow as it is written: `interface:address/port`.
#[derive(Clone, Copy, Default)]
struct End<'a> {
    interface: Option<&'a [u8]>,
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl<'a> End<'a> {
    /// Interfaces may have colons in their names, IPv6 addresses have them anyway, and a user may follow at once.
    fn read(word: &'a [u8]) -> Self {
        let word = word.strip_prefix(b"(").unwrap_or(word);
        let end = word.iter().position(|b| matches!(b, b'(' | b')' | b',')).unwrap_or(word.len());
        let word = &word[..end];
        let (place, port) = match memchr::memrchr(b'/', word) {
            Some(at) => (&word[..at], port(&word[at + 1..])),
            None => (word, None),
        };
        let place = place.strip_suffix(b".").or(place.strip_suffix(b":")).unwrap_or(place);
        let (interface, address) = interface_and_address(place);
        End { interface, address, port }
    }
}

/// `outside:198.51.100.7`, `dmz:2:198.51.100.7`, `outside:2001:db8::7`, `2001:db8::7`.
fn interface_and_address(place: &[u8]) -> (Option<&[u8]>, Option<IpAddr>) {
    let Some(last) = memchr::memrchr(b':', place) else { return (None, text::address(place)) };
    let v4 = &place[last + 1..];
    if memchr(b'.', v4).is_some() && v4.first().is_some_and(u8::is_ascii_digit) {
        let address = text::address(v4);
        // An IPv4-mapped IPv6 address also ends like this; then no interface's name does.
        if !place.starts_with(b"::") {
            return (Some(&place[..last]), address);
        }
    }
    let first = memchr(b':', place).unwrap_or(last);
    let head = &place[..first];
    // `2001:`, `fd00:` begin an address; an interface `dad:` has no figure in it.
    let group = head.len() <= 4
        && head.iter().all(u8::is_ascii_hexdigit)
        && (head.is_empty() || head.iter().any(u8::is_ascii_digit));
    if group && let Some(address) = text::address(place) {
        return (None, Some(address));
    }
    let mut at = first;
    loop {
        if let Some(address) = text::address(&place[at + 1..]) {
            return (Some(&place[..at]), Some(address));
        }
        match memchr(b':', &place[at + 1..]) {
            Some(next) if at < 64 => at += 1 + next,
            _ => return (None, None),
        }
    }
}

/// A port by number or by one of the names that the device prints (Cisco, "TCP and UDP Ports").
fn port(bytes: &[u8]) -> Option<u16> {
    let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
    if bytes.first().is_some_and(u8::is_ascii_digit) {
        return text::port(bytes);
    }
    Some(match bytes {
        b"ftp" => 21,
        b"ssh" => 22,
        b"telnet" => 23,
        b"smtp" => 25,
        b"domain" => 53,
        b"bootps" => 67,
        b"bootpc" => 68,
        b"tftp" => 69,
        b"http" | b"www" => 80,
        b"pop3" => 110,
        b"sunrpc" => 111,
        b"ntp" => 123,
        b"netbios-ns" => 137,
        b"netbios-dgm" => 138,
        b"netbios-ssn" => 139,
        b"imap4" => 143,
        b"snmp" => 161,
        b"snmptrap" => 162,
        b"ldap" => 389,
        b"https" => 443,
        b"isakmp" => 500,
        b"syslog" => 514,
        b"ldaps" => 636,
        b"sqlnet" => 1521,
        b"radius" => 1645,
        b"radius-acct" => 1646,
        b"sip" => 5060,
        _ => return None,
    })
}

/// A flow from its two ends, or why there is none.
fn flow<'a>(mut record: Record<'a>, source: End<'a>, destination: End<'a>) -> Line<'a> {
    // `names` makes the device print names in place of addresses; they are no address to us.
    if source.address.is_none() || destination.address.is_none() {
        return Line::Unread("address");
    }
    if matches!(source.address, Some(IpAddr::V6(_))) && record.protocol == Some(Protocol::ICMP) {
        record.protocol = Some(Protocol::ICMPV6);
    }
    record.source = source.address;
    record.destination = destination.address;
    if record.protocol.is_none_or(Protocol::has_ports) {
        record.source_port = source.port;
        record.destination_port = destination.port;
    }
    record.input = record.input.or(source.interface);
    record.output = record.output.or(destination.interface);
    Line::Flow(record)
}

/// `Deny tcp src pos:a/p dst outside:b/p by access-group "name"` and its kin.
fn named_ends(id: u32, body: &[u8]) -> Line<'_> {
    let mut record = Record::new(Verdict::Deny);
    let mut words = Words(body);
    // The protocol is the word before `src`; `protocol 50` needs no care so.
    let mut before: &[u8] = b"";
    let mut found = false;
    for word in words.leading(24) {
        if word == b"src" {
            found = true;
            break;
        }
        before = word;
    }
    let Some(source) = words.next().filter(|_| found) else { return Line::Unread("source") };
    record.protocol = text::protocol(before);
    let source = End::read(source);
    let Some(destination) = words.after(b"dst") else { return Line::Unread("destination") };
    let destination = End::read(destination);
    if matches!(record.protocol, Some(Protocol::ICMP | Protocol::ICMPV6)) {
        record.is_reply = id == 313_005;
        if let Some(kind) = words.peek_after(b"(type") {
            let kind = text::number(kind.strip_suffix(b",").unwrap_or(kind)).unwrap_or(8);
            let v6 = matches!(source.address, Some(IpAddr::V6(_)));
            let family = if v6 { Protocol::ICMPV6 } else { Protocol::ICMP };
            record.is_reply |= icmp::answers(Some(family), kind);
        }
    }
    if id == 106_023 {
        record.rule = words.after(b"access-group").map(unquoted);
    }
    flow(record, source, destination)
}

fn unquoted(word: &[u8]) -> &[u8] {
    let word = word.strip_prefix(b"\"").unwrap_or(word);
    word.strip_suffix(b"\"").unwrap_or(word)
}

/// `Deny TCP (no connection) from a/p to b/p flags ACK on interface outside` and its kin.
fn plain_ends(id: u32, body: &[u8]) -> Line<'_> {
    let mut record = Record::new(match id {
        710_001 => Verdict::None,
        710_002 => Verdict::Permit,
        _ => Verdict::Deny,
    });
    let mut words = Words(body);
    let mut kind = None;
    let mut found = false;
    for word in words.leading(24) {
        if word == b"from" {
            found = true;
            break;
        }
        if let Some(number) = word.strip_prefix(b"type=") {
            kind = text::number(number.strip_suffix(b",").unwrap_or(number));
        } else if record.protocol.is_none() && word.first().is_some_and(u8::is_ascii_alphabetic) {
            record.protocol = text::protocol(word);
        }
    }
    if id == 710_006 {
        // `protocol request discarded`: the protocol comes first and may be a bare number.
        record.protocol = Words(body).next().and_then(text::protocol).or(record.protocol);
    }
    record.is_reply = kind.is_some_and(|k| icmp::answers(record.protocol, k));
    let mut source = words.next().filter(|_| found);
    if source == Some(b"laddr") {
        source = words.next();
    }
    let Some(source) = source else { return Line::Unread("source") };
    let source = End::read(source);
    let interface = words.peek_after(b"interface").map(|w| w.strip_suffix(b".").unwrap_or(w));
    record.input = interface.filter(|i| !i.is_empty());
    if matches!(id, 313_001 | 313_008) {
        // Addressed to the device itself; the line has no second address.
        record.source = source.address;
        return if record.source.is_some() { Line::Flow(record) } else { Line::Unread("address") };
    }
    let Some(destination) = words.after(b"to") else { return Line::Unread("destination") };
    flow(record, source, End::read(destination))
}

/// `access-list name denied tcp pos/a(p) -> outside/b(p) hit-cnt 1 first hit`.
fn access_list(body: &[u8]) -> Line<'_> {
    let mut words = Words(body);
    let rule = words.after(b"access-list");
    let mut record = Record::new(match words.next() {
        Some(b"permitted" | b"est-allowed") => Verdict::Permit,
        Some(b"denied") => Verdict::Deny,
        _ => return Line::Unread("verdict"),
    });
    record.rule = rule;
    record.protocol = words.next().and_then(text::protocol);
    // 106102 and 106103 put `for user name` before the ends.
    let Some(first) = words.next() else { return Line::Unread("source") };
    let first = if first == b"for" { words.find(|w| memchr(b'(', w).is_some()) } else { Some(first) };
    let Some(first) = first else { return Line::Unread("source") };
    let (source, kind) = listed_end(first);
    let Some(second) = words.after(b"->") else { return Line::Unread("destination") };
    let (destination, _) = listed_end(second);
    // For ICMP the figure behind the source is the type.
    let v6 = matches!(source.address, Some(IpAddr::V6(_)));
    record.is_reply = match record.protocol {
        Some(Protocol::ICMP) if v6 => icmp::answers(Some(Protocol::ICMPV6), kind),
        other => icmp::answers(other, kind),
    };
    record.count = words.after(b"hit-cnt").and_then(text::number).unwrap_or(1).max(1);
    flow(record, source, destination)
}

/// `interface/address(port)`; what stands in the brackets is told beside.
fn listed_end(word: &[u8]) -> (End<'_>, u64) {
    let open = memchr(b'(', word).unwrap_or(word.len());
    let inside = word.get(open + 1..).unwrap_or_default();
    let figure = &inside[..memchr(b')', inside).unwrap_or(inside.len())];
    let (interface, address) = match memchr::memrchr(b'/', &word[..open]) {
        Some(at) => (Some(&word[..at]), &word[at + 1..open]),
        None => (None, &word[..open]),
    };
    let end = End { interface, address: text::address(address), port: port(figure) };
    (end, text::number(figure).unwrap_or(u64::MAX))
}

/// `Built inbound TCP connection 7 for outside:a/p (mapped) to dmz:b/p (mapped)` and its `Teardown`.
fn connection(body: &[u8]) -> Line<'_> {
    let mut record = Record::new(Verdict::Permit);
    let mut words = Words(body);
    let built = words.next() == Some(b"Built");
    let mut outbound = None;
    let mut found = false;
    for word in words.leading(12) {
        match word {
            b"inbound" => outbound = Some(false),
            b"outbound" => outbound = Some(true),
            b"for" | b"from" => {
                found = true;
                break;
            }
            _ if record.protocol.is_none() && word.first().is_some_and(u8::is_ascii_alphabetic) => {
                record.protocol = text::protocol(word);
            }
            _ => {}
        }
    }
    let Some(first) = words.next().filter(|_| found) else { return Line::Unread("source") };
    let (first, first_mapped) = (End::read(first), mapped(&words));
    let Some(second) = words.after(b"to") else { return Line::Unread("destination") };
    let (second, second_mapped) = (End::read(second), mapped(&words));
    // A `Teardown` does not say who began; it keeps the order of its `Built`. The end with the lower
    // port is the service: clients take theirs from the upper range (RFC 6335, section 6).
    let first_is_destination = match outbound {
        Some(outbound) => outbound,
        None if built => return Line::Unread("direction"),
        None => matches!((first.port, second.port), (Some(a), Some(b)) if a < b),
    };
    let (source, mut destination, translated) =
        if first_is_destination { (second, first, first_mapped) } else { (first, second, second_mapped) };
    // The mapped address is the one that the sender wrote on the packet.
    if let Some(mapped) = translated.filter(|m| m.address.is_some()) {
        destination.address = mapped.address;
        destination.port = mapped.port.or(destination.port);
    }
    flow(record, source, destination)
}

/// `(address/port)` behind an end.
fn mapped<'a>(words: &Words<'a>) -> Option<End<'a>> {
    words.clone().next().filter(|w| w.first() == Some(&b'(')).map(End::read)
}

/// `Built outbound ICMP connection for faddr b/0 gaddr g/1 laddr a/1 type 8 code 0` and its `Teardown`.
fn ping(body: &[u8]) -> Line<'_> {
    let mut record = Record::new(Verdict::Permit);
    record.protocol = Some(Protocol::ICMP);
    let words = Words(body);
    let (Some(foreign), Some(local)) = (words.peek_after(b"faddr"), words.peek_after(b"laddr")) else {
        return Line::Unread("address");
    };
    let (foreign, local) = (End::read(foreign), End::read(local));
    let global = words.peek_after(b"gaddr").map(End::read).filter(|g| g.address.is_some());
    let outbound = match Words(body).nth(1) {
        Some(b"outbound") => true,
        Some(b"inbound") => false,
        // A `Teardown`: the asking side carries the identifier, the other has 0.
        _ => foreign.port == Some(0) && local.port != Some(0),
    };
    if let Some(kind) = words.peek_after(b"type").and_then(text::number) {
        let v6 = matches!(local.address, Some(IpAddr::V6(_)));
        record.is_reply = icmp::answers(Some(if v6 { Protocol::ICMPV6 } else { Protocol::ICMP }), kind);
    }
    if outbound { flow(record, local, foreign) } else { flow(record, foreign, global.unwrap_or(local)) }
}
