//! The security events 430001 to 430005 of FTD: `Key: value, Key: value`.

use super::icmp;
use crate::record::{Line, Record, Verdict};
use crate::text;
use memchr::memchr;
use tillgate_model::Protocol;

/// Reads intrusion (1), connection begin (2) and end (3), file (4) and malware (5) events.
pub fn read(id: u32, body: &[u8]) -> Line<'_> {
    let mut record = Record::new(Verdict::None);
    let (mut action, mut input_zone, mut output_zone, mut kind) = (None, None, None, None);
    let mut rest = body;
    while !rest.is_empty() {
        let end = memchr(b',', rest).unwrap_or(rest.len());
        let piece = rest[..end].trim_ascii_start();
        rest = rest.get(end + 1..).unwrap_or_default();
        let Some(colon) = memchr(b':', piece) else { continue };
        let value = piece[colon + 1..].trim_ascii();
        match &piece[..colon] {
            b"SrcIP" => first(&mut record.source, text::address(value)),
            b"DstIP" => first(&mut record.destination, text::address(value)),
            b"SrcPort" => first(&mut record.source_port, text::port(value)),
            b"DstPort" => first(&mut record.destination_port, text::port(value)),
            b"Protocol" => first(&mut record.protocol, text::protocol(value)),
            b"ICMPType" => first(&mut kind, text::number(value)),
            b"AccessControlRuleName" => first(&mut record.rule, Some(value)),
            b"IngressInterface" => first(&mut record.input, Some(value)),
            b"EgressInterface" => first(&mut record.output, Some(value)),
            b"IngressZone" => first(&mut input_zone, Some(value)),
            b"EgressZone" => first(&mut output_zone, Some(value)),
            b"AccessControlRuleAction" if matches!(id, 430_002 | 430_003) => first(&mut action, Some(value)),
            b"InlineResult" if id == 430_001 => first(&mut action, Some(value)),
            b"FileAction" if id >= 430_004 => first(&mut action, Some(value)),
            _ => {}
        }
    }
    if record.source.is_none() || record.destination.is_none() {
        return Line::Unread("address");
    }
    record.verdict = action.map_or(Verdict::None, |a| verdict(id, a));
    if record.protocol.is_some_and(|p| !p.has_ports()) {
        record.source_port = None;
        record.destination_port = None;
    }
    if record.protocol == Some(Protocol::ICMP) && record.source.is_some_and(|a| a.is_ipv6()) {
        record.protocol = Some(Protocol::ICMPV6);
    }
    record.is_reply = kind.is_some_and(|k| icmp::answers(record.protocol, k));
    record.input = record.input.or(input_zone);
    record.output = record.output.or(output_zone);
    Line::Flow(record)
}

/// A user agent or an address of a page comes later in the line and may imitate a key.
fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

/// The action's words; an intrusion that only `Would have dropped` let the packet pass.
fn verdict(id: u32, action: &[u8]) -> Verdict {
    let is = |word: &[u8]| action.len() >= word.len() && action[..word.len()].eq_ignore_ascii_case(word);
    match id {
        430_002 | 430_003 => {
            if is(b"Allow") || is(b"Trust") || is(b"Fastpath") {
                Verdict::Permit
            } else if is(b"Block with reset") || is(b"Interactive Block with reset") {
                Verdict::Reset
            } else if is(b"Block") || is(b"Interactive Block") {
                Verdict::Deny
            } else {
                Verdict::None
            }
        }
        430_001 if is(b"Block") || is(b"Drop") => Verdict::Deny,
        430_004 | 430_005 if is(b"Block") || is(b"Malware Block") => Verdict::Deny,
        _ => Verdict::None,
    }
}
