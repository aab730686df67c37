//! Check Point: the log exporter's syslog (`[key:"value"; …]`), generic, Splunk, LEEF and CEF shapes.
//!
//! Names of the fields are those of Check Point's sk144192 ("Log fields"), of the log exporter's
//! sk122323, and of its mappings for CEF and LEEF.

#[cfg(test)]
mod tests;

use super::{clock, icmp};
use crate::record::{Line, Record, Verdict};
use crate::text;
use memchr::{memchr, memchr2, memmem};
use tillgate_model::Protocol;

/// Marks stand near the beginning.
const WINDOW: usize = 192;
/// Fields that only Check Point writes may stand anywhere in a line without a header.
const FAR: usize = 2_048;

/// Whether the line names the vendor near its beginning, or has fields that only this vendor writes.
pub fn is_mine(message: &[u8]) -> bool {
    let window = &message[..message.len().min(WINDOW)];
    if let Some(at) = header(window) {
        return window[at..].starts_with(b"Check Point|");
    }
    if memmem::find(window, b"CheckPoint ").is_some() || coloned(window).is_some() {
        return true;
    }
    let far = &message[..message.len().min(FAR)];
    let key = message.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(0);
    message.get(key) == Some(&b'=')
        && [&b"originsicname="[..], b"loguid=", b"VPN-1 & FireWall-1", b" s_port=", b"|s_port="]
            .iter()
            .any(|mark| memmem::find(far, mark).is_some())
}

/// Where the vendor's name begins behind `CEF:0|` or `LEEF:2.0|`.
fn header(window: &[u8]) -> Option<usize> {
    let at = memmem::find(window, b"CEF:").or_else(|| memmem::find(window, b"LEEF:"))?;
    Some(at + memchr(b'|', &window[at..])? + 1)
}

/// Where the first key begins behind the `[` of `[action:"Accept"; …`.
fn coloned(window: &[u8]) -> Option<usize> {
    let open = memchr(b'[', window)? + 1;
    let key = window[open..].iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_')?;
    (key > 0 && window[open + key..].starts_with(b":\"")).then_some(open)
}

/// Reads a line of any of the shapes.
pub fn read(message: &[u8]) -> Line<'_> {
    let window = &message[..message.len().min(WINDOW)];
    let mut found = Found::default();
    if let Some(at) = coloned(window) {
        let mut rest = &message[at..];
        while let Some((key, value, next)) = quoted(rest) {
            found.take(key, value);
            rest = next;
        }
    } else {
        found.short_names = header(window).is_some();
        let mut pairs = Pairs(message);
        for (key, value) in pairs.by_ref() {
            found.take(key, value);
        }
    }
    found.line()
}

/// `key:"value"; ` and what follows.
fn quoted(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let colon = memchr(b':', rest)?;
    let key = rest[..colon].trim_ascii_start();
    let value = rest[colon + 1..].strip_prefix(b"\"")?;
    let (value, next) = closed(value);
    Some((key, value, next.strip_prefix(b";").unwrap_or(next)))
}

/// Up to the first quote without a backslash before it.
fn closed(value: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\\', &value[at..]) {
        at += found;
        if value[at] == b'"' {
            return (&value[..at], &value[at + 1..]);
        }
        at = (at + 2).min(value.len());
    }
    (value, b"")
}

/// `key=value` with blanks, tabs or `|` between; bare values may have blanks themselves.
struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.0;
        let equals = memchr(b'=', line)?;
        let start = line[..equals].iter().rposition(|b| separates(*b)).map_or(0, |p| p + 1);
        let key = &line[start..equals];
        let rest = &line[equals + 1..];
        if let Some(value) = rest.strip_prefix(b"\"") {
            let (value, next) = closed(value);
            self.0 = next;
            return Some((key, value));
        }
        // The value ends before the blank in front of the next key.
        let mut from = 0;
        let end = loop {
            let Some(at) = memchr2(b'=', b'|', &rest[from..]).map(|at| from + at) else { break rest.len() };
            if rest[at] == b'|' {
                break at;
            }
            let key =
                rest[..at].iter().rposition(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'.'));
            match key {
                Some(before) if separates(rest[before]) && before + 1 < at => break before,
                _ => from = at + 1,
            }
        };
        self.0 = &rest[end..];
        Some((key, rest[..end].trim_ascii()))
    }
}

fn separates(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'|' | b';' | b'[')
}

/// What was found; of two fields with one name the first counts.
struct Found<'a> {
    record: Record<'a>,
    action: Option<&'a [u8]>,
    rule_name: Option<&'a [u8]>,
    interface: Option<&'a [u8]>,
    outgoing: bool,
    kind: Option<u64>,
    /// CEF and LEEF have names of their own for ports.
    short_names: bool,
    custom: Option<&'a [u8]>,
    custom_is_rule: bool,
}

impl Default for Found<'_> {
    fn default() -> Self {
        Found {
            record: Record::new(Verdict::None),
            action: None,
            rule_name: None,
            interface: None,
            outgoing: false,
            kind: None,
            short_names: false,
            custom: None,
            custom_is_rule: false,
        }
    }
}

impl<'a> Found<'a> {
    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        let record = &mut self.record;
        match key {
            b"src" => first(&mut record.source, text::address(value)),
            b"dst" => first(&mut record.destination, text::address(value)),
            b"s_port" => first(&mut record.source_port, text::port(value)),
            b"service" => first(&mut record.destination_port, text::port(value)),
            b"spt" | b"srcPort" if self.short_names => first(&mut record.source_port, text::port(value)),
            b"dpt" | b"dstPort" if self.short_names => first(&mut record.destination_port, text::port(value)),
            b"proto" => first(&mut record.protocol, text::protocol(value)),
            b"action" | b"Action" => first(&mut self.action, Some(value)),
            b"act" if self.short_names => first(&mut self.action, Some(value)),
            b"rule_name" => first(&mut self.rule_name, Some(value).filter(|v| !v.is_empty())),
            b"rule" => first(&mut record.rule, Some(value).filter(|v| !v.is_empty())),
            b"cs2" if self.short_names => first(&mut self.custom, Some(value)),
            b"cs2Label" => self.custom_is_rule |= value == b"Rule Name",
            b"inzone" => first(&mut record.input, Some(value)),
            b"outzone" => first(&mut record.output, Some(value)),
            b"ifname" => first(&mut self.interface, Some(value)),
            b"ifdir" => self.outgoing |= value == b"outbound",
            b"icmp_type" | b"ICMP Type" => first(&mut self.kind, text::number(value)),
            b"time" => first(&mut record.time, clock::of_epoch(value)),
            _ => {}
        }
    }

    fn line(self) -> Line<'a> {
        let mut record = self.record;
        let verdict = self.action.map(verdict);
        if record.source.is_none() || record.destination.is_none() {
            // Log-ins, updates and the like have an action too, but no two addresses.
            let traffic = matches!(verdict, Some(Some(Verdict::Permit | Verdict::Deny | Verdict::Reset)));
            return if traffic { Line::Unread("address") } else { Line::Other };
        }
        record.verdict = match verdict {
            Some(Some(verdict)) => verdict,
            // A key exchange between gateways has addresses and is no flow.
            Some(None) => return Line::Other,
            None => Verdict::None,
        };
        record.rule = self.rule_name.or(self.custom.filter(|_| self.custom_is_rule)).or(record.rule);
        if self.outgoing {
            record.output = record.output.or(self.interface);
        } else {
            record.input = record.input.or(self.interface);
        }
        if record.protocol == Some(Protocol::ICMP) && record.source.is_some_and(|a| a.is_ipv6()) {
            record.protocol = Some(Protocol::ICMPV6);
        }
        if !record.protocol.is_none_or(Protocol::has_ports) {
            record.source_port = None;
            record.destination_port = None;
        }
        record.is_reply = self.kind.is_some_and(|k| icmp::answers(record.protocol, k));
        Line::Flow(record)
    }
}

fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

/// The actions of the access and threat blades; nothing for what is not about traffic.
fn verdict(action: &[u8]) -> Option<Verdict> {
    let is = |words: &[&[u8]]| words.iter().any(|w| action.eq_ignore_ascii_case(w));
    if is(&[b"accept", b"allow", b"encrypt", b"decrypt", b"bypass", b"detect", b"inspect", b"monitor"]) {
        Some(Verdict::Permit)
    } else if is(&[b"drop", b"block", b"prevent", b"quarantine", b"deny"]) {
        Some(Verdict::Deny)
    } else if is(&[b"reject"]) {
        Some(Verdict::Reset)
    } else if is(&[b"redirect", b"ask user", b"inform user", b"http alert"]) {
        Some(Verdict::None)
    } else {
        None
    }
}
