//! Juniper SRX: sessions created, closed and denied, structured or as plain text.
//!
//! Shapes are those of Juniper's "System Log Explorer", RT_FLOW_SESSION_* and APPTRACK_SESSION_*.

#[cfg(test)]
mod tests;

use super::icmp;
use crate::record::{Line, Record, Verdict};
use crate::text::{self, Words};
use memchr::{memchr, memmem};
use std::net::IpAddr;
use tillgate_model::Protocol;

/// How far the event's name may stand from the line's beginning.
const WINDOW: usize = 160;

/// Whether the line names an event of the flow module, or any of Junos' real-time ones.
pub fn is_mine(message: &[u8]) -> bool {
    let window = &message[..message.len().min(WINDOW)];
    event(window).is_some() || memmem::find(window, b"[junos@2636").is_some()
}

/// Reads a line of either shape.
pub fn read(message: &[u8]) -> Line<'_> {
    let window = &message[..message.len().min(WINDOW)];
    let Some((name, at)) = event(window) else {
        return if other(window) { Line::Other } else { Line::Unread("event") };
    };
    let verdict = if starts(name, b"RT_FLOW_SESSION_DENY") {
        Verdict::Deny
    } else if starts(name, b"RT_FLOW_SESSION_C") || starts(name, b"APPTRACK_SESSION_") {
        Verdict::Permit
    } else {
        return Line::Other;
    };
    let rest = &message[at..];
    match memchr(b'[', &rest[..rest.len().min(32)]) {
        Some(open) if rest[open..].starts_with(b"[junos@") => structured(&rest[open..], verdict),
        _ => plain(rest, verdict),
    }
}

/// The event's name and where it ends.
fn event(window: &[u8]) -> Option<(&[u8], usize)> {
    let mut from = 0;
    while let Some(at) = memchr(b'_', &window[from..]) {
        let at = from + at;
        let start = window[..at].iter().rposition(|b| !b.is_ascii_uppercase()).map_or(0, |p| p + 1);
        let length =
            window[start..].iter().position(|b| !b.is_ascii_uppercase() && *b != b'_' && !b.is_ascii_digit());
        let end = start + length.unwrap_or(window.len() - start);
        let name = &window[start..end];
        if starts(name, b"RT_FLOW_") || starts(name, b"APPTRACK_") {
            return Some((name, end));
        }
        from = end.max(at + 1);
    }
    None
}

/// Real-time events that are not sessions: screens, intrusions, content filters.
fn other(window: &[u8]) -> bool {
    memmem::find(window, b"RT_").is_some() || memmem::find(window, b"_LOG").is_some()
}

fn starts(name: &[u8], with: &[u8]) -> bool {
    name.starts_with(with)
}

/// `[junos@2636.1.1.1.2.40 source-address="a" source-port="p" …]`.
fn structured(data: &[u8], verdict: Verdict) -> Line<'_> {
    let mut record = Record::new(verdict);
    let mut interface = None;
    let mut kind = None;
    let mut rest = &data[memchr(b' ', data).unwrap_or(data.len())..];
    while let Some(equals) = memchr(b'=', rest) {
        let key = rest[..equals].trim_ascii_start();
        let Some(quoted) = rest[equals + 1..].strip_prefix(b"\"") else {
            rest = &rest[equals + 1..];
            continue;
        };
        let mut end = memchr(b'"', quoted).unwrap_or(quoted.len());
        // RFC 5424, section 6.3.3: a quote inside is escaped.
        while end > 0 && end < quoted.len() && quoted[end - 1] == b'\\' {
            end += 1 + memchr(b'"', &quoted[end + 1..]).unwrap_or(quoted.len() - end - 1);
        }
        let value = &quoted[..end];
        rest = quoted.get(end + 1..).unwrap_or_default();
        match key {
            b"source-address" => first(&mut record.source, text::address(value)),
            b"destination-address" => first(&mut record.destination, text::address(value)),
            b"source-port" => first(&mut record.source_port, text::port(value)),
            b"destination-port" => first(&mut record.destination_port, text::port(value)),
            b"protocol-id" => first(&mut record.protocol, text::protocol(value)),
            b"icmp-type" => first(&mut kind, text::number(value)),
            b"policy-name" => first(&mut record.rule, Some(value)),
            b"source-zone-name" => first(&mut record.input, Some(value)),
            b"destination-zone-name" => first(&mut record.output, Some(value)),
            b"packet-incoming-interface" => first(&mut interface, Some(value)),
            _ => {}
        }
        if rest.first() == Some(&b']') {
            break;
        }
    }
    record.input = record.input.or(interface);
    // Only a denied packet is told with its type; elsewhere the field is 0 for want of a value.
    finish(record, kind.filter(|k| *k != 0 || verdict == Verdict::Deny))
}

fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn finish<'a>(mut record: Record<'a>, kind: Option<u64>) -> Line<'a> {
    if record.source.is_none() || record.destination.is_none() {
        return Line::Unread("address");
    }
    record.is_reply = kind.is_some_and(|k| icmp::answers(record.protocol, k));
    if !record.protocol.is_none_or(Protocol::has_ports) {
        record.source_port = None;
        record.destination_port = None;
    }
    Line::Flow(record)
}

/// `session created a/p->b/p service a/p->b/p rule rule 6 policy zone zone …`.
fn plain(text: &[u8], verdict: Verdict) -> Line<'_> {
    let mut words = Words(text);
    // A reason of several words stands before the addresses of a closed session.
    let Some(pair) = words.by_ref().take(16).find(|w| memmem::find(w, b"->").is_some()) else {
        return Line::Unread("address");
    };
    let Some(arrow) = memmem::find(pair, b"->") else { return Line::Unread("address") };
    let mut record = Record::new(verdict);
    (record.source, record.source_port) = end(&pair[..arrow]);
    (record.destination, record.destination_port) = end(&pair[arrow + 2..]);
    // Tags, names of services and of rules for translation come and go with the release;
    // the protocol is the first bare figure, `6` or `17(0)`.
    let mut kind = None;
    for word in words.by_ref().take(24) {
        let open = memchr(b'(', word).unwrap_or(word.len());
        let number = text::number(&word[..open]).filter(|n| *n < 256);
        if let Some(number) = number
            && (open == word.len() || word.ends_with(b")"))
        {
            record.protocol = Some(Protocol(number as u8));
            kind = word.get(open + 1..).and_then(|w| w.strip_suffix(b")")).and_then(text::number);
            record.rule = words.next();
            record.input = words.next();
            record.output = words.next();
            break;
        }
    }
    finish(record, kind)
}

/// `a/p` of either family.
fn end(word: &[u8]) -> (Option<IpAddr>, Option<u16>) {
    match memchr::memrchr(b'/', word) {
        Some(slash) => (text::address(&word[..slash]), text::port(&word[slash + 1..])),
        None => (text::address(word), None),
    }
}
