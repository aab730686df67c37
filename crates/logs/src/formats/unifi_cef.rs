//! UniFi Network's activity log in CEF (Network 9 and newer): threats and firewall policies that hit.
//!
//! Shape after Ubiquiti's help article "UniFi System Logs & SIEM Integration". Keys come in an order that differs
//! between 9.x and 10.x, values contain blanks, the leading `CEF:` gets lost where a relay cuts a tag off.

#[cfg(test)]
mod tests;

use crate::formats::netfilter::prefix;
use crate::record::{Line, Record, Time, Verdict};
use crate::text;
use memchr::{memchr, memmem, memrchr};
use std::net::IpAddr;

/// How far `0|Ubiquiti|` may stand behind the header.
const WINDOW: usize = 256;

/// Whether the line is CEF of this vendor.
pub fn is_mine(message: &[u8]) -> bool {
    vendor(message).is_some()
}

/// What stands behind `0|Ubiquiti|`.
fn vendor(message: &[u8]) -> Option<&[u8]> {
    let window = &message[..message.len().min(WINDOW)];
    let mut from = 0;
    while let Some(found) = memchr(b'|', &window[from..]) {
        from += found + 1;
        if window[..from].ends_with(b"0|")
            && let Some(rest) = message[from..].strip_prefix(b"Ubiquiti|")
        {
            return Some(rest);
        }
    }
    None
}

/// One line.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(mut rest) = vendor(message) else {
        return Line::Unread("header");
    };
    // Behind the vendor: product, version, id, name, severity, then the extension.
    let mut name: &[u8] = b"";
    for field in 0..5 {
        let Some(bar) = memchr(b'|', rest) else {
            return Line::Unread("truncated");
        };
        if field == 3 {
            name = &rest[..bar];
        }
        rest = &rest[bar + 1..];
    }
    extension(rest, name)
}

fn extension<'a>(text: &'a [u8], name: &'a [u8]) -> Line<'a> {
    let mut record = Record::new(Verdict::None);
    let mut seen = Seen::default();
    for (key, value) in Pairs::new(text) {
        match key {
            b"src" => {
                first(&mut record.source, text::address(value));
                seen.unread_source |= record.source.is_none();
            }
            b"dst" => {
                first(&mut record.destination, text::address(value));
                seen.unread_destination |= record.destination.is_none();
            }
            b"spt" => first(&mut record.source_port, text::port(value)),
            b"dpt" => first(&mut record.destination_port, text::port(value)),
            b"proto" => first(&mut record.protocol, text::protocol(value)),
            b"act" => first(&mut seen.action, Some(value)),
            b"deviceInboundInterface" => first(&mut record.input, some(value)),
            b"deviceOutboundInterface" => first(&mut record.output, some(value)),
            b"UNIFIsrcZone" => first(&mut seen.source_zone, some(value)),
            b"UNIFIdstZone" => first(&mut seen.destination_zone, some(value)),
            b"UNIFIpolicyName" => first(&mut record.rule, some(value)),
            b"UNIFIipsSignature" => first(&mut seen.signature, some(value)),
            b"UNIFIsrcClientIp" | b"UNIFIsrcDeviceIp" => first(&mut seen.source, text::address(value)),
            b"UNIFIdstClientIp" | b"UNIFIdstDeviceIp" => first(&mut seen.destination, text::address(value)),
            b"UNIFIutcTime" => first(&mut record.time, time(value)),
            _ => {}
        }
    }
    // Log-ins, devices and links name at most who did it.
    let is_traffic =
        record.protocol.is_some() || record.destination_port.is_some() || seen.signature.is_some();
    if !is_traffic && (record.source.is_none() || record.destination.is_none()) {
        return Line::Other;
    }
    // A device that the console knows by name may have no address in the line; an address that is none is unread.
    if record.source.is_none() && seen.unread_source {
        return Line::Unread("source");
    }
    if record.destination.is_none() && seen.unread_destination {
        return Line::Unread("destination");
    }
    record.source = record.source.or(seen.source);
    record.destination = record.destination.or(seen.destination);
    if record.source.is_none() && record.destination.is_none() {
        return Line::Unread("addresses");
    }
    record.input = record.input.or(seen.source_zone);
    record.output = record.output.or(seen.destination_zone);
    record.rule = record.rule.or(seen.signature);
    // 9.x has no `act` in threats: the event's own name says it. A threat merely detected was not decided upon.
    record.verdict = prefix::words(seen.action.unwrap_or(name));
    Line::Flow(record)
}

#[derive(Default)]
struct Seen<'a> {
    action: Option<&'a [u8]>,
    signature: Option<&'a [u8]>,
    source_zone: Option<&'a [u8]>,
    destination_zone: Option<&'a [u8]>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    unread_source: bool,
    unread_destination: bool,
}

fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn some(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}

/// `key=value` pairs whose values contain blanks: the next key begins behind the last blank before its `=`.
struct Pairs<'a> {
    key: Option<&'a [u8]>,
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    fn new(text: &'a [u8]) -> Self {
        match memchr(b'=', text) {
            Some(equals) => Pairs { key: Some(text[..equals].trim_ascii()), rest: &text[equals + 1..] },
            None => Pairs { key: None, rest: text },
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.key.take()?;
        // The message is written for people, by whoever caused it; nothing behind it in it is a key.
        if key == b"msg" {
            self.rest = skip_message(self.rest);
            self.key = memchr(b'=', self.rest).map(|equals| {
                let key = self.rest[..equals].trim_ascii();
                self.rest = &self.rest[equals + 1..];
                key
            });
            return Some((key, b""));
        }
        let mut from = 0;
        while let Some(found) = memchr(b'=', &self.rest[from..]) {
            let equals = from + found;
            from = equals + 1;
            let before = &self.rest[..equals];
            let Some(blank) = memrchr(b' ', before) else { continue };
            let next = &before[blank + 1..];
            if !next.is_empty() && next.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
            {
                let value = before[..blank].trim_ascii();
                self.key = Some(next);
                self.rest = &self.rest[from..];
                return Some((key, value));
            }
        }
        let value = std::mem::take(&mut self.rest).trim_ascii();
        Some((key, value))
    }
}

/// Behind `msg=`: up to the next key that only UniFi writes, or one of the keys of an address.
fn skip_message(text: &[u8]) -> &[u8] {
    let keys: [&[u8]; 7] = [b" UNIFI", b" src=", b" dst=", b" spt=", b" dpt=", b" proto=", b" act="];
    let next = keys.iter().filter_map(|key| memmem::find(text, key)).min();
    next.map_or(&[], |at| &text[at + 1..])
}

/// `2026-03-02T10:00:01.915Z`.
fn time(text: &[u8]) -> Option<Time> {
    let (text, last) = (text.get(..19)?, text.strip_suffix(b"Z")?);
    let at = |from: usize, to: usize| text::number(&text[from..to]).and_then(|n| i16::try_from(n).ok());
    let two = |from: usize, up_to: i16| {
        at(from, from + 2).filter(|n| *n <= up_to).and_then(|n| i8::try_from(n).ok())
    };
    let nanosecond = match last.get(19..).unwrap_or_default() {
        [b'.', digits @ ..] if digits.len() <= 9 => {
            let scale = 10u64.pow(9 - u32::try_from(digits.len()).ok()?);
            i32::try_from(text::number(digits)? * scale).ok()?
        }
        _ => 0,
    };
    Some(Time {
        year: Some(at(0, 4)?),
        month: two(5, 12).filter(|m| *m > 0)?,
        day: two(8, 31).filter(|d| *d > 0)?,
        hour: two(11, 23)?,
        minute: two(14, 59)?,
        second: two(17, 60)?,
        nanosecond,
        offset: Some(0),
    })
}
