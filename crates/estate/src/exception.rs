//! `PROTOCOL SOURCE -> DESTINATION[:PORTS]`, the notation of exceptions.

use crate::types::{Exception, Peer, Site};
use tillgate_catalog::document::{Value, closest};
use tillgate_model::{Diagnostic, Protocol, Ranges, Span, Text, parse_port_range, parse_prefix};

/// Reads an exception; what is wrong is reported with the caret on the word that is wrong.
pub fn read(
    allow: &str,
    value: &Value,
    table: &Value,
    site: &Site,
    found: &mut Vec<Diagnostic>,
) -> Option<Exception> {
    // The caret falls on a word of the file's text; after a variable was filled in, on the whole string.
    let word_span = |word: &str| match value.span.text().find(word) {
        Some(at) if !word.is_empty() => {
            let start = value.span.start as usize + at;
            Span::new(&value.span.file, start, start + word.len())
        }
        _ => value.span.clone(),
    };
    let words: Vec<&str> = allow.split_whitespace().collect();
    let [protocol_word, source_word, "->", destination_word] = words[..] else {
        found.push(
            Diagnostic::error(value.span.clone(), Text::new("exception-syntax"))
                .hint(Text::new("exception-syntax-hint")),
        );
        return None;
    };
    let protocol = match protocol_word {
        "any" => None,
        word => match Protocol::parse(word) {
            Some(protocol) => Some(protocol),
            None => {
                found.push(Diagnostic::error(word_span(word), Text::new("unknown-protocol")));
                return None;
            }
        },
    };
    let (destination_name, ports) = split_ports(destination_word);
    let ports = match ports {
        None => None,
        Some(text) => {
            let list: Option<Vec<_>> =
                text.split(',').map(|p| parse_port_range(p).map(|(a, b)| (a as u128, b as u128))).collect();
            match list {
                Some(list) => Some(Ranges::from_unsorted(list)),
                None => {
                    found.push(Diagnostic::error(word_span(text), Text::new("bad-ports")));
                    return None;
                }
            }
        }
    };
    if ports.is_some() && protocol.is_none_or(|p| !p.has_ports()) {
        found.push(Diagnostic::error(word_span(protocol_word), Text::new("exception-ports-protocol")));
        return None;
    }
    let mut peer = |word: &str| match peer(word, site) {
        Some(peer) => Some(peer),
        None => {
            let names = site.devices.iter().map(|d| d.name.as_str());
            let names = names.chain(site.segments.iter().map(|s| s.name.as_str())).chain(["internet"]);
            let mut error = Diagnostic::error(word_span(word), Text::new("exception-peer").arg("word", word));
            error = error.hint(match closest(word, names) {
                Some(word) => Text::new("did-you-mean").arg("word", word),
                None => Text::new("exception-peer-hint"),
            });
            found.push(error);
            None
        }
    };
    let (source, destination) = (peer(source_word), peer(destination_name));
    Some(Exception {
        protocol,
        source: source?,
        destination: destination?,
        ports,
        allow: allow.to_string(),
        reason: table.text("reason").unwrap_or_default().to_string(),
        owner: table.text("owner").unwrap_or_default().to_string(),
        expires: table.date("expires")?,
        span: value.span.clone(),
    })
}

/// Splits `10.0.0.1:443`, `[2001:db8::1]:443`, `pos:443`; a bare IPv6 address has no ports.
fn split_ports(word: &str) -> (&str, Option<&str>) {
    if let Some(rest) = word.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, ports)) => (address, ports.strip_prefix(':')),
            None => (word, None),
        };
    }
    match word.rsplit_once(':') {
        Some((name, ports)) if !name.contains(':') => (name, Some(ports)),
        _ => (word, None),
    }
}

fn peer(word: &str, site: &Site) -> Option<Peer> {
    if word == "internet" {
        return Some(Peer::Internet);
    }
    if site.segment(word).is_some() {
        return Some(Peer::Segment(word.to_string()));
    }
    if site.device(word).is_some() {
        return Some(Peer::Device(word.to_string()));
    }
    parse_prefix(word.trim_start_matches('[').trim_end_matches(']')).map(|n| Peer::Net(n.trunc()))
}
