//! FortiGate: traffic and UTM logs, key=value and CEF ("FortiOS Log Message Reference").

use super::clock::{of_day, zone};
use super::flow::flow;
use super::icmp;
use super::pairs::{Cef, Pairs};
use crate::record::{Line, Record, Verdict};
use crate::text::{address, number, port, protocol};

/// `logid=` or `devid=` together with `subtype=` among the first pairs, or a Fortinet CEF header.
pub fn is_mine(message: &[u8]) -> bool {
    if is_cef(message) {
        return true;
    }
    let (mut device, mut kind) = (false, false);
    for (key, _) in Pairs::of(&message[..message.len().min(1024)]).take(20) {
        device |= key == b"logid" || key == b"devid" || key == b"log_id" && kind;
        kind |= key == b"subtype";
        if device && kind {
            return true;
        }
    }
    false
}

/// Reads one line.
pub fn read(message: &[u8]) -> Line<'_> {
    let mut said = Said::default();
    if let Some(cef) = Cef::of(message).filter(|_| is_cef(message)) {
        // "traffic:forward close": category and subtype stand in the header's name as well.
        said.kind = &cef.name[..cef.name.iter().position(|b| *b == b':').unwrap_or(0)];
        for (key, value) in cef.pairs() {
            let key = key.strip_prefix(b"FTNTFGT").unwrap_or(key);
            said.take(plain(key), value);
        }
    } else {
        for (key, value) in Pairs::of(message) {
            said.take(key, value);
        }
    }
    said.judge()
}

fn is_cef(message: &[u8]) -> bool {
    Cef::of(&message[..message.len().min(256)])
        .is_some_and(|cef| cef.vendor == b"Fortinet" && cef.product.starts_with(b"Forti"))
}

/// CEF's names for the fields ("FortiOS Log Message Reference", CEF support).
fn plain(key: &[u8]) -> &[u8] {
    match key {
        b"src" => b"srcip",
        b"spt" => b"srcport",
        b"dst" => b"dstip",
        b"dpt" => b"dstport",
        b"act" => b"action",
        b"app" => b"service",
        b"deviceInboundInterface" => b"srcintf",
        b"deviceOutboundInterface" => b"dstintf",
        other => other,
    }
}

/// The fields that matter; the first of each name counts.
#[derive(Default)]
struct Said<'a> {
    kind: &'a [u8],
    date: &'a [u8],
    time: &'a [u8],
    zone: &'a [u8],
    source: &'a [u8],
    source_port: &'a [u8],
    destination: &'a [u8],
    destination_port: &'a [u8],
    protocol: &'a [u8],
    action: &'a [u8],
    status: &'a [u8],
    inspection: &'a [u8],
    policy: &'a [u8],
    input: &'a [u8],
    output: &'a [u8],
    service: &'a [u8],
    count: &'a [u8],
}

impl<'a> Said<'a> {
    #[inline]
    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        let field = match key {
            b"type" => &mut self.kind,
            b"date" => &mut self.date,
            b"time" => &mut self.time,
            b"tz" => &mut self.zone,
            // FortiOS before 5.0 wrote `src`, `src_port`, `status`.
            b"srcip" | b"src" => &mut self.source,
            b"srcport" | b"src_port" => &mut self.source_port,
            b"dstip" | b"dst" => &mut self.destination,
            b"dstport" | b"dst_port" => &mut self.destination_port,
            b"proto" => &mut self.protocol,
            b"action" => &mut self.action,
            b"status" => &mut self.status,
            b"utmaction" => &mut self.inspection,
            b"policyid" => &mut self.policy,
            b"srcintf" | b"src_int" => &mut self.input,
            b"dstintf" | b"dst_int" => &mut self.output,
            b"service" => &mut self.service,
            b"count" => &mut self.count,
            _ => return,
        };
        if field.is_empty() {
            *field = value;
        }
    }

    fn judge(self) -> Line<'a> {
        let is_traffic = self.kind == b"traffic";
        let action = if self.action.is_empty() { self.status } else { self.action };
        let verdict = match self.kind {
            b"traffic" if action.is_empty() => Verdict::None,
            b"traffic" => traffic(action, self.inspection),
            // Before 5.2 each inspection was a type of its own.
            b"utm" | b"anomaly" | b"ips" | b"virus" | b"webfilter" | b"app-ctrl" | b"dlp" | b"dns"
            | b"ssl" => inspection(action),
            b"" => return Line::Unread("type"),
            _ => return Line::Other,
        };
        if !is_traffic && self.source.is_empty() && self.destination.is_empty() {
            return Line::Other;
        }
        let protocol = protocol(self.protocol);
        flow(Record {
            time: of_day(self.date, self.time).map(|t| crate::record::Time { offset: zone(self.zone), ..t }),
            protocol,
            source: address(self.source),
            source_port: port(self.source_port),
            destination: address(self.destination),
            destination_port: port(self.destination_port),
            rule: some(self.policy),
            input: some(self.input),
            output: some(self.output),
            // Only an anomaly's count stands for packets of the flow itself.
            count: if self.kind == b"anomaly" {
                number(self.count).filter(|n| *n > 0).unwrap_or(1)
            } else {
                1
            },
            is_reply: icmp_type(self.service).is_some_and(|kind| icmp::answers(protocol, kind)),
            ..Record::new(verdict)
        })
    }
}

/// What is not `deny` was let through by the policy and tells how the session ended. But what inspection
/// blocked afterwards never reached its end: `utmaction` outranks `action` (field "utmaction").
fn traffic(action: &[u8], utmaction: &[u8]) -> Verdict {
    match inspection(utmaction) {
        blocked @ (Verdict::Deny | Verdict::Reset) => blocked,
        _ => match action {
            b"deny" | b"denied" | b"blocked" | b"block" | b"drop" | b"dropped" | b"violation" => {
                Verdict::Deny
            }
            b"accept" | b"accepted" | b"start" | b"close" | b"timeout" | b"client-rst" | b"server-rst"
            | b"dns" | b"ip-conn" | b"pass" | b"passthrough" | b"allow" | b"allowed" | b"permit" => {
                Verdict::Permit
            }
            _ => Verdict::None,
        },
    }
}

/// The words of the inspections' `action` fields.
fn inspection(action: &[u8]) -> Verdict {
    match action {
        b"block"
        | b"blocked"
        | b"deny"
        | b"denied"
        | b"drop"
        | b"dropped"
        | b"drop_session"
        | b"clear_session"
        | b"quarantine"
        | b"quarantine-ip"
        | b"quarantine-interface"
        | b"quarantine-port"
        | b"ban"
        | b"ban-ip"
        | b"block-page" => Verdict::Deny,
        b"reset" | b"reset_client" | b"reset_server" | b"reset-client" | b"reset-server" => Verdict::Reset,
        b"pass" | b"passthrough" | b"pass_session" | b"allow" | b"allowed" | b"monitored" | b"monitor"
        | b"detected" | b"exempt" | b"log-only" | b"permit" | b"accept" => Verdict::Permit,
        _ => Verdict::None,
    }
}

/// ICMP without a service object is written `icmp/3/1`: type and code.
fn icmp_type(service: &[u8]) -> Option<u64> {
    let mut parts = service.split(|b| *b == b'/');
    let name = parts.next()?;
    if name.len() < 4 || !name[..4].eq_ignore_ascii_case(b"icmp") {
        return None;
    }
    number(parts.next()?)
}

fn some(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests;
