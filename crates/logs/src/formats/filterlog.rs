//! pf's packet log as `filterlog` writes it on pfSense and OPNsense: one line of comma separated fields.
//!
//! Fields after pfSense's "Raw Filter Log Format" and OPNsense's `filterlog` source: nine of the rule, then those
//! of the IP version, then those of the protocol.

#[cfg(test)]
mod tests;

use crate::record::{Line, Record, Verdict};
use crate::text;
use memchr::memchr;
use tillgate_model::Protocol;

/// How far the first field may stand behind the header: RFC 5424 puts process and structured data before it.
const WINDOW: usize = 256;

/// Whether the line has the nine fields of the rule.
pub fn is_mine(message: &[u8]) -> bool {
    start(message).is_some_and(|at| {
        let mut fields = Fields(&message[at..]);
        fields.skip(6);
        let action = fields.next().and_then(verdict);
        let direction = fields.next();
        action.is_some()
            && matches!(direction, Some(b"in" | b"out"))
            && matches!(fields.next(), Some([b'0'..=b'9']))
    })
}

/// One line.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(at) = start(message) else {
        return Line::Unread("fields");
    };
    match fields(Fields(&message[at..])) {
        Ok(record) => Line::Flow(record),
        Err(word) => Line::Unread(word),
    }
}

/// Where the rule's number begins: digits before the first comma, a blank or nothing before them.
fn start(message: &[u8]) -> Option<usize> {
    let window = &message[..message.len().min(WINDOW)];
    let mut from = 0;
    while let Some(found) = memchr(b',', &window[from..]) {
        let comma = from + found;
        let digits = window[..comma].iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let at = comma - digits;
        if digits > 0 && digits < 11 && (at == 0 || matches!(window[at - 1], b' ' | b':' | b'\t')) {
            return Some(at);
        }
        from = comma + 1;
    }
    None
}

/// The fields not yet read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field, if a comma ends it: the last one may have been cut short.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        // Fields are a few bytes long: looking at each is faster than a vector.
        let end = self.0.iter().position(|b| *b == b',')?;
        let field = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(field)
    }

    /// The next field, also at the end of the line.
    fn last(&mut self) -> &'a [u8] {
        self.next().unwrap_or_else(|| std::mem::take(&mut self.0)).trim_ascii()
    }

    #[inline]
    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }
}

/// pf's action. `match` and the translations decide nothing about passing.
fn verdict(action: &[u8]) -> Option<Verdict> {
    Some(match action {
        b"pass" => Verdict::Permit,
        b"block" => Verdict::Deny,
        b"reject" => Verdict::Reset,
        b"match" | b"rdr" | b"nat" | b"binat" | b"nordr" | b"nonat" | b"nobinat" | b"no rdr" | b"no nat"
        | b"scrub" | b"noscrub" | b"defer" | b"synproxy drop" => Verdict::None,
        _ => return None,
    })
}

fn fields(mut fields: Fields<'_>) -> Result<Record<'_>, &'static str> {
    let number = fields.next().ok_or("fields")?;
    fields.skip(2);
    let label = fields.next().ok_or("fields")?;
    let interface = fields.next().ok_or("fields")?;
    fields.skip(1);
    let action = fields.next().ok_or("fields")?;
    let mut record = Record::new(verdict(action).ok_or("action")?);
    // Rules that nobody named carry 0 or nothing; then pf's number is all there is (`pfctl -vvsr`).
    record.rule = Some(if label.is_empty() || label == b"0" { number } else { label });
    let interface = (!interface.is_empty()).then_some(interface);
    match fields.next() {
        Some(b"in") => record.input = interface,
        Some(b"out") => record.output = interface,
        _ => return Err("direction"),
    }
    let (number, name, fragment) = match fields.next() {
        Some(b"4") => {
            fields.skip(4);
            let offset = fields.next().ok_or("truncated")?;
            fields.skip(1);
            let number = fields.next();
            (number, fields.next(), offset != b"0")
        }
        Some(b"6") => {
            fields.skip(3);
            let name = fields.next();
            (fields.next(), name, false)
        }
        _ => return Err("version"),
    };
    let (number, name) = (number.ok_or("truncated")?, name.ok_or("truncated")?);
    record.protocol = text::number(number)
        .and_then(|n| u8::try_from(n).ok())
        .map(Protocol)
        .or_else(|| text::protocol(name));
    let protocol = record.protocol.ok_or("protocol")?;
    fields.next().ok_or("truncated")?;
    record.source = Some(fields.next().and_then(address).ok_or("source")?);
    let has_more = matches!(protocol, Protocol::TCP | Protocol::UDP) && !fragment;
    let destination = if has_more { fields.next().ok_or("truncated")? } else { fields.last() };
    record.destination = Some(address(destination).ok_or("destination")?);
    if fragment {
        // A later fragment has no transport header; whatever follows is not one.
        return Ok(record);
    }
    match protocol {
        Protocol::TCP | Protocol::UDP | Protocol(132) => {
            let source = fields.next().and_then(text::port);
            let destination = fields.next().and_then(text::port);
            (record.source_port, record.destination_port) = (source, destination);
        }
        Protocol::ICMP | Protocol::ICMPV6 => record.is_reply = is_answer(fields.last()),
        _ => {}
    }
    Ok(record)
}

/// pfSense's words for ICMP types: everything but requests and discovery is about another packet.
fn is_answer(kind: &[u8]) -> bool {
    kind.starts_with(b"unreach")
        || matches!(
            kind,
            b"reply"
                | b"needfrag"
                | b"timexceed"
                | b"paramprob"
                | b"redirect"
                | b"maskreply"
                | b"tstampreply"
                | b"squench"
                | b"toobig"
        )
}

/// An address; link-local ones may carry `%igb0`.
#[inline]
fn address(field: &[u8]) -> Option<std::net::IpAddr> {
    text::address(match memchr(b'%', field) {
        Some(zone) => &field[..zone],
        None => field,
    })
}
