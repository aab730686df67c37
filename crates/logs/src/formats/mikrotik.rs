//! RouterOS firewall log: MikroTik's `log=yes` and `action=log`, IPv4, IPv6 and bridge.
//!
//! Shape after MikroTik's manual, "Log" and "Filter": `[topics] [prefix ]chain: in:a out:b, …, proto P, x->y, len n`.
//! Whether the packet passed stands nowhere but in the prefix that somebody chose.

#[cfg(test)]
mod tests;

use crate::formats::netfilter::{is_answer, prefix};
use crate::record::{Line, Record, Verdict};
use crate::text;
use memchr::{memchr, memrchr};
use std::net::IpAddr;
use tillgate_model::Protocol;

/// How far `: in:` may stand behind the header.
const WINDOW: usize = 256;

/// Whether the line is a packet in RouterOS's words or begins with RouterOS's topics.
pub fn is_mine(message: &[u8]) -> bool {
    packet(message).is_some() || topics(message).is_some()
}

/// One line.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(at) = packet(message) else {
        return if topics(message).is_some() { Line::Other } else { Line::Unread("interfaces") };
    };
    let head = topics(message).map_or(&message[..at], |end| message.get(end..at).unwrap_or_default());
    match flow(head.trim_ascii(), &message[at + 2..]) {
        Ok(record) => Line::Flow(record),
        Err(Left::Other) => Line::Other,
        Err(Left::Unread(word)) => Line::Unread(word),
    }
}

/// Where `: in:` stands, with ` out:` behind it.
fn packet(message: &[u8]) -> Option<usize> {
    let at = find(&message[..message.len().min(WINDOW)], b": in:")?;
    let rest = &message[at..];
    find(&rest[..rest.len().min(WINDOW)], b" out:").map(|_| at)
}

/// Where the words stand. The first byte of each is rare here, which beats a search that must be prepared.
#[inline]
fn find(text: &[u8], words: &[u8]) -> Option<usize> {
    let first = *words.first()?;
    let mut from = 0;
    while let Some(found) = memchr(first, &text[from..]) {
        from += found;
        if text[from..].starts_with(words) {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// Where the topics end: lower-case words with commas between, one of them a severity.
fn topics(message: &[u8]) -> Option<usize> {
    let end = memchr(b' ', &message[..message.len().min(64)])?;
    let word = &message[..end];
    let word = word.strip_suffix(b":").unwrap_or(word);
    if !word.iter().all(|b| b.is_ascii_lowercase() || matches!(b, b',' | b'-' | b'0'..=b'9')) {
        return None;
    }
    let mut parts = word.split(|b| *b == b',');
    let first = parts.next()?;
    (!first.is_empty()
        && parts.any(|part| {
            matches!(part, b"info" | b"warning" | b"error" | b"critical" | b"debug" | b"packet" | b"raw")
        }))
    .then_some(end)
}

/// Why there is no record.
enum Left {
    Other,
    Unread(&'static str),
}

fn flow<'a>(head: &'a [u8], body: &'a [u8]) -> Result<Record<'a>, Left> {
    // The last word before the colon is the chain; a chain with blanks cannot be told from a prefix.
    let said = memrchr(b' ', head).map_or(&b""[..], |at| &head[..at]).trim_ascii();
    let said = said.strip_suffix(b":").unwrap_or(said);
    let mut record = Record::new(if said.is_empty() { Verdict::None } else { prefix::words(said) });
    record.rule = (!said.is_empty()).then_some(said);
    let input = body.strip_prefix(b" ").unwrap_or(body);
    let input = input.strip_prefix(b"in:").ok_or(Left::Unread("interfaces"))?;
    let out = find(input, b" out:").ok_or(Left::Unread("interfaces"))?;
    record.input = interface(&input[..out]);
    let rest = &input[out + 5..];
    let end = match rest.first() {
        // `(unknown 0)` has a blank.
        Some(b'(') => memchr(b')', rest).map(|end| end + 1),
        _ => memchr(b',', rest),
    }
    .ok_or(Left::Unread("truncated"))?;
    // Without a state the comma is missing and `src-mac` follows a blank.
    let output = &rest[..end];
    record.output =
        interface(memchr(b' ', output).filter(|_| output[0] != b'(').map_or(output, |at| &output[..at]));
    let rest = &rest[end..];

    let Some(at) = find(rest, b"proto ") else {
        return Err(Left::Unread("protocol"));
    };
    let is_bridge = rest[..at].ends_with(b"eth-");
    let mut rest = &rest[at + 6..];
    if is_bridge {
        // Bridge filter: `eth-proto 0800, proto TCP …` or `eth-proto 0806, ARP …`.
        let comma = memchr(b',', rest).ok_or(Left::Other)?;
        if rest[..comma].ends_with(b"0806") || rest[..comma].eq_ignore_ascii_case(b"arp") {
            return Err(Left::Other);
        }
        rest = rest[comma + 1..].trim_ascii_start();
        rest = rest.strip_prefix(b"proto ").unwrap_or(rest);
    }
    let name = &rest[..rest.iter().position(|b| matches!(b, b' ' | b',')).unwrap_or(rest.len())];
    let name = if name.eq_ignore_ascii_case(b"ipsec-esp") { &b"esp"[..] } else { name };
    record.protocol =
        Some(text::protocol(name).ok_or(if is_bridge { Left::Other } else { Left::Unread("protocol") })?);
    let arrow = find(rest, b"->").ok_or(Left::Unread("addresses"))?;
    let between = memrchr(b',', &rest[..arrow]).ok_or(Left::Unread("addresses"))?;
    let detail = &rest[..between];
    let (source, port) = endpoint(rest[between + 1..arrow].trim_ascii()).ok_or(Left::Unread("source"))?;
    (record.source, record.source_port) = (Some(source), port);
    let rest = &rest[arrow + 2..];
    // A comma ends the address; at the end of a line it may have been cut short.
    let end = memchr(b',', rest).ok_or(Left::Unread("truncated"))?;
    let (destination, port) = endpoint(&rest[..end]).ok_or(Left::Unread("destination"))?;
    (record.destination, record.destination_port) = (Some(destination), port);
    if let Some(at) = find(&rest[end..], b"NAT ")
        && let Some((original, translated)) = destination_nat(&rest[end + at + 4..])
        && translated == (destination, port)
    {
        (record.destination, record.destination_port) = (Some(original.0), original.1);
    }
    if record.source_port.is_none()
        && let Some(at) = find(detail, b"(type ")
    {
        let kind = &detail[at + 6..];
        let end = kind.iter().position(|b| !b.is_ascii_digit()).unwrap_or(kind.len());
        record.is_reply = is_answer(record.protocol.unwrap_or(Protocol::ICMP), &kind[..end]);
    }
    Ok(record)
}

/// An interface's name; `(unknown 0)` and `(none)` are the router itself.
fn interface(name: &[u8]) -> Option<&[u8]> {
    let name = name.trim_ascii();
    (!name.is_empty() && !name.starts_with(b"(unknown") && name != b"(none)").then_some(name)
}

/// `a`, `a:port`, `[v6]:port` or `v6`.
fn endpoint(text: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    if let Some(inner) = text.strip_prefix(b"[") {
        let end = memchr(b']', inner)?;
        let port = match &inner[end + 1..] {
            [] => None,
            [b':', port @ ..] => Some(text::port(port)?),
            _ => return None,
        };
        return Some((text::address(&inner[..end])?, port));
    }
    match memchr(b':', text) {
        Some(colon) if memrchr(b':', text) == Some(colon) => {
            Some((text::address(&text[..colon])?, Some(text::port(&text[colon + 1..])?)))
        }
        _ => Some((text::address(text)?, None)),
    }
}

type Endpoint = (IpAddr, Option<u16>);

/// `NAT a->(b->c)`: what the sender asked for, and what it became.
fn destination_nat(text: &[u8]) -> Option<(Endpoint, Endpoint)> {
    let text = &text[find(text, b"->(")? + 3..];
    let text = &text[..memchr(b')', text)?];
    let arrow = find(text, b"->")?;
    Some((endpoint(&text[..arrow])?, endpoint(&text[arrow + 2..])?))
}
