//! Palo Alto Networks PAN-OS: traffic and threat logs as comma-separated fields.
//!
//! Positions are those of the "PAN-OS Administrator's Guide", "Syslog Field Descriptions": they were
//! only ever added to at the end, so that PAN-OS 6 and 11 agree in all that is read here.

#[cfg(test)]
mod tests;

use crate::record::{Line, Record, Time, Verdict};
use crate::text;
use memchr::memchr;
use tillgate_model::Protocol;

/// How far the type may stand from the line's beginning.
const WINDOW: usize = 192;

/// Kinds of logs the firewall writes.
const KINDS: [&[u8]; 14] = [
    b"TRAFFIC",
    b"THREAT",
    b"SYSTEM",
    b"CONFIG",
    b"USERID",
    b"HIPMATCH",
    b"HIP-MATCH",
    b"GLOBALPROTECT",
    b"DECRYPTION",
    b"AUTHENTICATION",
    b"CORRELATION",
    b"TUNNEL",
    b"SCTP",
    b"GTP",
];

/// Whether the line has `,date,serial,KIND,` of PAN-OS near its beginning.
pub fn is_mine(message: &[u8]) -> bool {
    kind(message).is_some()
}

/// Reads a line from its kind on.
pub fn read(message: &[u8]) -> Line<'_> {
    match kind(message) {
        Some((b"TRAFFIC" | b"THREAT", rest)) => flow(rest),
        Some(_) => Line::Other,
        None => Line::Unread("kind"),
    }
}

/// The kind, and what comes behind its comma.
fn kind(message: &[u8]) -> Option<(&'static [u8], &[u8])> {
    let window = &message[..message.len().min(WINDOW)];
    let mut from = 0;
    while let Some(at) = memchr(b',', &window[from..]) {
        from += at + 1;
        // The time of receipt: `2026/03/02 10:00:01`, or ISO 8601 from a log forwarder.
        let date = &window[from..];
        if date.len() < 20 || !date[..4].iter().all(u8::is_ascii_digit) || !matches!(date[4], b'/' | b'-') {
            continue;
        }
        let serial = &date[memchr(b',', date)? + 1..];
        let start = from + (date.len() - serial.len()) + memchr(b',', serial)? + 1;
        let rest = &message[start..];
        let end = memchr(b',', &rest[..rest.len().min(20)])?;
        let kind = KINDS.iter().find(|k| **k == &rest[..end])?;
        return Some((kind, &rest[end + 1..]));
    }
    None
}

/// The fields of a line; a field in quotes may have commas and doubled quotes.
struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        if rest.first() == Some(&b'"') {
            let mut at = 1;
            while let Some(quote) = memchr(b'"', &rest[at..]) {
                at += quote + 1;
                match rest.get(at) {
                    Some(b'"') => at += 1,
                    Some(b',') | None => {
                        self.0 = rest.get(at + 1..);
                        return Some(&rest[1..at - 1]);
                    }
                    // A lone quote inside: devices do not always double them.
                    Some(_) => {}
                }
            }
        }
        let end = memchr(b',', rest).unwrap_or(rest.len());
        self.0 = rest.get(end + 1..);
        Some(&rest[..end])
    }
}

/// Traffic and threat logs agree up to the action.
fn flow(rest: &[u8]) -> Line<'_> {
    let mut record = Record::new(Verdict::None);
    let mut fields = Fields(Some(rest));
    let (mut input, mut output) = (None, None);
    let mut acted = false;
    for (index, field) in (4..=30).zip(fields.by_ref()) {
        match index {
            6 => record.time = time(field),
            7 => record.source = text::address(field),
            8 => record.destination = text::address(field),
            11 => record.rule = filled(field),
            16 => record.input = filled(field),
            17 => record.output = filled(field),
            18 => input = filled(field),
            19 => output = filled(field),
            // "Repeat Count": sessions alike within five seconds.
            23 => record.count = text::number(field).unwrap_or(1).max(1),
            24 => record.source_port = text::port(field),
            25 => record.destination_port = text::port(field),
            29 => record.protocol = protocol(field),
            30 => {
                record.verdict = verdict(field);
                acted = true;
            }
            _ => {}
        }
    }
    if record.source.is_none() || record.destination.is_none() {
        return Line::Unread("address");
    }
    if acted && record.verdict == Verdict::None {
        return Line::Unread("action");
    }
    if !record.protocol.is_none_or(Protocol::has_ports) {
        record.source_port = None;
        record.destination_port = None;
    }
    record.input = record.input.or(input);
    record.output = record.output.or(output);
    Line::Flow(record)
}

fn filled(field: &[u8]) -> Option<&[u8]> {
    Some(field).filter(|f| !f.is_empty())
}

fn protocol(field: &[u8]) -> Option<Protocol> {
    text::protocol(field).or(match field {
        b"hopopt" => Some(Protocol(0)),
        b"ipip" | b"ipv4" => Some(Protocol(4)),
        b"ipv6" => Some(Protocol(41)),
        b"eigrp" => Some(Protocol(88)),
        b"vrrp" => Some(Protocol(112)),
        b"l2tp" => Some(Protocol(115)),
        _ => None,
    })
}

/// The actions of traffic and threat logs; `alert` and `continue` let the session go on.
fn verdict(action: &[u8]) -> Verdict {
    match action {
        b"allow" | b"alert" | b"continue" | b"override" | b"wildfire-upload-success" | b"forward" => {
            Verdict::Permit
        }
        b"reset-client" | b"reset-server" | b"reset-both" | b"reset client" | b"reset server"
        | b"reset both" => Verdict::Reset,
        // The session was dropped and an unreachable message sent to the host.
        b"drop-icmp" | b"drop ICMP" => Verdict::Reset,
        b"deny" | b"drop" | b"drop-all-packets" | b"drop-packet" | b"random-drop" | b"sinkhole" => {
            Verdict::Deny
        }
        b"override-lockout" => Verdict::Deny,
        _ if action.starts_with(b"block") => Verdict::Deny,
        _ => Verdict::None,
    }
}

/// `2026/03/02 10:00:01` in the firewall's own zone, or ISO 8601 in UTC.
fn time(field: &[u8]) -> Option<Time> {
    let part = |from: usize, to: usize| field.get(from..to).and_then(text::number);
    let within = |from, to, low, high| part(from, to).filter(|n| (low..=high).contains(n)).map(|n| n as i8);
    Some(Time {
        year: Some(part(0, 4)? as i16),
        month: within(5, 7, 1, 12)?,
        day: within(8, 10, 1, 31)?,
        hour: within(11, 13, 0, 23)?,
        minute: within(14, 16, 0, 59)?,
        second: within(17, 19, 0, 60)?,
        nanosecond: 0,
        offset: field.ends_with(b"Z").then_some(0),
    })
}
