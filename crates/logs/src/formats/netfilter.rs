//! Netfilter's packet log: Linux kernel, ufw, OpenWrt, VyOS, EdgeOS, UniFi, Proxmox, Shorewall, ulogd.
//!
//! The kernel (`net/netfilter/nf_log_syslog.c`) and ulogd's LOGEMU write the same `KEY=value` words in the
//! same order; [`in_order`] follows it, and [`walk`] takes whatever does not. Everything that decides stands in
//! the free text before `IN=`: see [`prefix`].

pub mod prefix;
#[cfg(test)]
pub(crate) mod tests;

use super::icmp;
use crate::record::{Line, Record, Verdict};
use crate::text;
use memchr::{memchr, memmem};
use std::net::{IpAddr, Ipv4Addr};
use tillgate_model::Protocol;

/// How far behind the header `IN=` may begin: the kernel cuts prefixes at 128 bytes, UniFi's `DESCR` is longer.
const WINDOW: usize = 512;

/// Whether the line has an interface in netfilter's words and an address behind it.
pub fn is_mine(message: &[u8]) -> bool {
    mark(message).is_some_and(|at| {
        let rest = &message[at..];
        if word(rest).is_some_and(|(_, next)| next.starts_with(b"OUT=")) {
            return true;
        }
        memmem::find(&rest[..rest.len().min(WINDOW)], b"SRC=").is_some()
            || memmem::find(rest, b" ARP ").is_some()
    })
}

/// One line.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(at) = mark(message) else {
        return Line::Unread("interfaces");
    };
    let (head, body) = message.split_at(at);
    let mut record = Record::new(Verdict::None);
    if in_order(body, &mut record).is_none() {
        record = Record::new(Verdict::None);
        match walk(body, &mut record) {
            Ok(true) => {}
            Ok(false) => return Line::Other,
            Err(word) => return Line::Unread(word),
        }
    }
    let said = prefix::read(head);
    record.verdict = said.verdict;
    record.rule = said.rule;
    record.time = said.time;
    Line::Flow(record)
}

/// Where `IN=` begins, or `OUT=` where Proxmox leaves out an empty `IN=`.
///
/// A prefix without a blank at its end is glued to it (`DROPIN=eth0`), a UniFi `DESCR="…"` may contain anything.
fn mark(message: &[u8]) -> Option<usize> {
    let window = &message[..message.len().min(WINDOW)];
    let mut from = 0;
    while let Some(found) = memchr(b'=', &window[from..]) {
        let equals = from + found;
        from = equals + 1;
        let before = &window[..equals];
        if let Some(glue) = before.strip_suffix(b"IN") {
            let apart = glue.last().is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
            let followed = || {
                let rest = &message[from..];
                memchr(b' ', rest).is_some_and(|blank| rest[blank..].starts_with(b" OUT="))
            };
            if apart || (!glue.ends_with(b"PHYS") && followed()) {
                return Some(glue.len());
            }
        } else if before.ends_with(b" OUT") || before == b"OUT" {
            return Some(equals - 3);
        } else if before.ends_with(b"DESCR") && window.get(from) == Some(&b'"') {
            let rest = &window[from + 1..];
            from += 1 + memmem::find(rest, b"\" IN=").or_else(|| memchr(b'"', rest))? + 1;
        }
    }
    None
}

/// The kernel's own order; nothing where the line leaves it.
#[inline]
fn in_order<'a>(body: &'a [u8], record: &mut Record<'a>) -> Option<()> {
    let (input, mut rest) = word(body.strip_prefix(b"IN=")?)?;
    record.input = some(input);
    if let Some(after) = rest.strip_prefix(b"OUT=") {
        let (output, after) = word(after)?;
        record.output = some(output);
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(b"PHYSIN=") {
        rest = word(after)?.1;
    }
    if let Some(after) = rest.strip_prefix(b"PHYSOUT=") {
        rest = word(after)?.1;
    }
    if let Some(after) = rest.strip_prefix(b"MAC=") {
        // Fourteen bytes of Ethernet header are the rule.
        rest = if after.get(41) == Some(&b' ') { &after[42..] } else { word(after)?.1 };
    }
    let (source, after) = address(rest.strip_prefix(b"SRC=")?)?;
    let (destination, after) = address(after.strip_prefix(b"DST=")?)?;
    record.source = Some(source);
    record.destination = Some(destination);
    let mut rest = after.strip_prefix(b"LEN=")?;
    let value = loop {
        rest = &rest[memchr(b'P', rest)?..];
        match rest.strip_prefix(b"PROTO=") {
            Some(value) => break value,
            None => rest = &rest[1..],
        }
    };
    let (port_bearing, protocol, rest) = match value {
        [b'T', b'C', b'P', b' ', rest @ ..] => (true, Protocol::TCP, rest),
        [b'U', b'D', b'P', b' ', rest @ ..] => (true, Protocol::UDP, rest),
        _ => {
            let (name, rest) = word(value)?;
            (false, text::protocol(name)?, rest)
        }
    };
    record.protocol = Some(protocol);
    if port_bearing {
        let (port, rest) = port(rest.strip_prefix(b"SPT=")?)?;
        record.source_port = Some(port);
        record.destination_port = Some(self::port(rest.strip_prefix(b"DPT=")?)?.0);
        return Some(());
    }
    if let Some(value) = rest.strip_prefix(b"TYPE=") {
        let (kind, rest) = word(value)?;
        record.is_reply = is_answer(protocol, kind) || memchr(b'[', rest).is_some();
        return Some(());
    }
    None
}

/// Up to the blank, and what stands behind it.
#[inline]
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| *b == b' ')?;
    Some((&text[..end], &text[end + 1..]))
}

#[inline]
fn some(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}

/// An address and what stands behind its blank.
#[inline]
fn address(text: &[u8]) -> Option<(IpAddr, &[u8])> {
    if let Some((bits, blank)) = text.first_chunk().and_then(dotted) {
        return Some((IpAddr::V4(Ipv4Addr::from_bits(bits)), &text[blank + 1..]));
    }
    let (value, rest) = word(text)?;
    Some((text::address(value)?, rest))
}

/// Four numbers and a blank within sixteen bytes, and where the blank stands; no branch of it looks out of bounds.
#[inline]
fn dotted(text: &[u8; 16]) -> Option<(u32, usize)> {
    let digit = |at: usize| u32::from(text[at & 15].wrapping_sub(b'0'));
    let mut bits = 0;
    let mut at = 0;
    for end in *b"... " {
        let mut octet = digit(at);
        if octet > 9 {
            return None;
        }
        at += 1;
        for _ in 0..2 {
            let next = digit(at);
            if next > 9 {
                break;
            }
            octet = octet * 10 + next;
            at += 1;
        }
        if octet > 255 || at > 15 || text[at & 15] != end {
            return None;
        }
        at += 1;
        bits = bits << 8 | octet;
    }
    Some((bits, at - 1))
}

/// A port and what stands behind its blank.
#[inline]
fn port(text: &[u8]) -> Option<(u16, &[u8])> {
    let mut port = 0u32;
    for (at, byte) in text.iter().take(6).enumerate() {
        match byte {
            b'0'..=b'9' => port = port * 10 + u32::from(byte - b'0'),
            b' ' if at > 0 => return Some((u16::try_from(port).ok()?, &text[at + 1..])),
            _ => return None,
        }
    }
    None
}

/// Any order: the first of a key counts, since `LEN`, `ID` and `MARK` may come twice. False for ARP, which has no flow.
fn walk<'a>(body: &'a [u8], record: &mut Record<'a>) -> Result<bool, &'static str> {
    let mut rest = body;
    let mut kind: Option<&[u8]> = None;
    let mut inner = false;
    let mut fragment = false;
    loop {
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        let is_last = end == rest.len();
        let token = &rest[..end];
        // What stands in brackets is the packet that an ICMP error is about.
        if token.starts_with(b"[SRC=") || token.starts_with(b"[IN=") {
            inner = true;
            break;
        }
        if token == b"ARP" && record.source.is_none() {
            return Ok(false);
        }
        if let Some(equals) = memchr(b'=', token) {
            let value = &token[equals + 1..];
            let value = value.strip_suffix(b",").unwrap_or(value).trim_ascii();
            match &token[..equals] {
                b"IN" if record.input.is_none() => record.input = some(value),
                b"OUT" if record.output.is_none() => record.output = some(value),
                b"SRC" if record.source.is_none() => record.source = text::address(value),
                // An address at the very end may have been cut short: netfilter always writes more.
                b"DST" if record.destination.is_none() && !is_last => {
                    record.destination = text::address(value)
                }
                b"PROTO" | b"proto" if record.protocol.is_none() => record.protocol = text::protocol(value),
                b"SPT" if record.source_port.is_none() => record.source_port = text::port(value),
                b"DPT" if record.destination_port.is_none() => record.destination_port = text::port(value),
                b"TYPE" if kind.is_none() => kind = Some(value),
                _ => {}
            }
        } else if let Some(offset) = token.strip_prefix(b"FRAG:") {
            fragment |= offset != b"0";
        }
        if is_last {
            break;
        }
        rest = &rest[end + 1..];
    }
    if record.source.is_none() {
        return Err("source");
    }
    if record.destination.is_none() {
        return Err("destination");
    }
    if let Some(protocol) = record.protocol {
        record.is_reply = inner || kind.is_some_and(|kind| is_answer(protocol, kind));
    }
    if fragment {
        (record.source_port, record.destination_port) = (None, None);
    }
    Ok(true)
}

/// Whether an ICMP type, in decimal, answers a request or reports an error (RFC 792, RFC 4443).
pub(crate) fn is_answer(protocol: Protocol, kind: &[u8]) -> bool {
    text::number(kind).is_some_and(|kind| icmp::answers(Some(protocol), kind))
}
