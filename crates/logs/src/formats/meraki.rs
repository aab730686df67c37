//! Cisco Meraki MX and MR: flows, firewall, VPN and layer 7 firewall, flow starts.
//! (Meraki documentation, "Syslog Event Types and Log Samples".)

use super::clock::of_epoch;
use super::flow::flow;
use super::icmp;
use super::pairs::Pairs;
use crate::record::{Line, Record, Time, Verdict};
use crate::text::{address, number, port, protocol};
use memchr::{memchr, memmem};

/// An epoch with a fraction, a device's name and one of the event types; or an event type and `src=`.
pub fn is_mine(message: &[u8]) -> bool {
    head(message).is_some()
}

/// Reads one line.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(Head { time, kind, body }) = head(message) else { return Line::Unread("type") };
    if !is_flow(kind) {
        return Line::Other;
    }
    // The pattern comes last and is free text: `pattern: deny (dst 192.0.2.0/24 && port=25)`.
    let (fields, pattern) = match memmem::find(body, b"pattern:") {
        Some(at) => (&body[..at], body[at + 8..].trim_ascii()),
        None => (body, &b""[..]),
    };
    let mut said: [&[u8]; 8] = [b""; 8];
    for (key, value) in Pairs::of(fields) {
        let index = match key {
            b"src" => 0,
            b"dst" => 1,
            b"protocol" => 2,
            b"sport" => 3,
            b"dport" => 4,
            b"type" => 5,
            b"decision" | b"action" => 6,
            _ => continue,
        };
        if said[index].is_empty() {
            said[index] = value;
        }
    }
    let [source, destination, name, source_port, destination_port, icmp_type, decision, _] = said;
    // Security events write `tcp/ip`.
    let protocol = protocol(name.split(|b| *b == b'/').next().unwrap_or(name));
    let word = fields.trim_ascii_start();
    let word = &word[..memchr(b' ', word).unwrap_or(word.len())];
    flow(Record {
        time,
        protocol,
        source: address(source),
        source_port: port(source_port),
        destination: address(destination),
        destination_port: port(destination_port),
        rule: Some(pattern).filter(|p| !p.is_empty()),
        is_reply: number(icmp_type).is_some_and(|kind| icmp::answers(protocol, kind)),
        ..Record::new(verdict(word, pattern, decision))
    })
}

struct Head<'a> {
    time: Option<Time>,
    kind: &'a [u8],
    body: &'a [u8],
}

/// Finds the event type among the first words: the syslog version, the epoch and the name before it may
/// have been taken off with the header.
fn head(message: &[u8]) -> Option<Head<'_>> {
    let window = &message[..message.len().min(256)];
    let mut time = None;
    let mut at = 0;
    for _ in 0..8 {
        at += window[at..].iter().take_while(|b| **b == b' ').count();
        let end = memchr(b' ', &window[at..]).map(|i| at + i)?;
        let word = &window[at..end];
        if time.is_none() && is_epoch(word) {
            time = of_epoch(word);
        } else if is_flow(word) && (time.is_some() || has_source(&message[end..]))
            || is_event(word) && time.is_some()
        {
            return Some(Head { time, kind: word, body: &message[end..] });
        }
        at = end;
    }
    None
}

/// `1772445601.123456789`.
fn is_epoch(word: &[u8]) -> bool {
    word.len() >= 12 && word[10] == b'.' && word[..10].iter().chain(&word[11..]).all(u8::is_ascii_digit)
}

/// Whether `src=` comes first, or right after `allow` or `deny`.
fn has_source(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"allow ").or(rest.strip_prefix(b"deny ")).unwrap_or(rest);
    rest.starts_with(b"src=")
}

/// MX 18.101 split `flows` into `firewall`, `cellular_firewall`, `vpn_firewall` and
/// `bridge_anyconnect_client_vpn_firewall`.
fn is_flow(kind: &[u8]) -> bool {
    matches!(kind, b"flows" | b"ip_flow_start" | b"ip_flow_end")
        || kind == b"firewall"
        || kind.ends_with(b"_firewall")
}

fn is_event(kind: &[u8]) -> bool {
    [
        &b"events"[..],
        b"urls",
        b"ids-alerts",
        b"security_event",
        b"airmarshal_events",
        b"security_filtering_file_scanned",
    ]
    .contains(&kind)
}

/// A word before the fields (access points), else the pattern, else the decision. In the pattern of inbound
/// flows a number stands for the action, and it is the other way round than one would think: 1 is a denial,
/// 0 a permission. A flow that starts says nothing about a rule.
fn verdict(word: &[u8], pattern: &[u8], decision: &[u8]) -> Verdict {
    let of_pattern = &pattern[..memchr(b' ', pattern).unwrap_or(pattern.len())];
    match (word, of_pattern, decision) {
        (b"deny", _, _) => Verdict::Deny,
        (b"allow", _, _) => Verdict::Permit,
        (_, b"1" | b"deny", _) => Verdict::Deny,
        (_, b"0" | b"allow", _) => Verdict::Permit,
        (_, b"", b"blocked" | b"block" | b"deny" | b"denied") => Verdict::Deny,
        (_, b"", b"allowed" | b"allow") => Verdict::Permit,
        _ => Verdict::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tried::{batter, told};

    const CASES: [(&str, &str); 22] = [
        (
            "1 1772445601.123456789 shop7 flows src=10.9.1.20 dst=198.51.100.7 mac=02:AA:00:00:00:01 protocol=tcp sport=40112 dport=443 pattern: allow all",
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=allow all",
        ),
        (
            "1 1772445601.123456789 shop7 flows src=203.0.113.5 dst=198.51.100.2 protocol=udp sport=13943 dport=16329 pattern: 1 all",
            "deny udp 203.0.113.5:13943 > 198.51.100.2:16329 rule=1 all",
        ),
        (
            "1772445601.123456789 shop7 flows src=203.0.113.5 dst=198.51.100.2 protocol=tcp sport=13943 dport=8443 pattern: 0 (dst 198.51.100.2)",
            "permit tcp 203.0.113.5:13943 > 198.51.100.2:8443 rule=0 (dst 198.51.100.2)",
        ),
        (
            "1772445601.123 shop7 firewall src=10.9.1.20 dst=198.51.100.7 mac=02:AA:00:00:00:01 protocol=udp sport=40112 dport=123 pattern: deny (dst 198.51.100.0/24 && port=123)",
            "deny udp 10.9.1.20:40112 > 198.51.100.7:123 rule=deny (dst 198.51.100.0/24 && port=123)",
        ),
        (
            "1 1772445601.123 shop7 firewall src=203.0.113.5 dst=198.51.100.2 protocol=tcp sport=1 dport=23 pattern: 1 all",
            "deny tcp 203.0.113.5:1 > 198.51.100.2:23 rule=1 all",
        ),
        (
            "1 1772445601.123 shop7 vpn_firewall src=10.9.1.20 dst=10.8.0.5 protocol=tcp sport=1 dport=445 pattern: deny all",
            "deny tcp 10.9.1.20:1 > 10.8.0.5:445 rule=deny all",
        ),
        (
            "1 1772445601.123 shop7 cellular_firewall src=10.9.1.20 dst=198.51.100.7 protocol=tcp sport=1 dport=443 pattern: allow all",
            "permit tcp 10.9.1.20:1 > 198.51.100.7:443 rule=allow all",
        ),
        (
            "1 1772445601.123 shop7 bridge_anyconnect_client_vpn_firewall src=10.9.1.20 dst=198.51.100.7 protocol=tcp sport=1 dport=443 pattern: deny all",
            "deny tcp 10.9.1.20:1 > 198.51.100.7:443 rule=deny all",
        ),
        (
            "1 1772445601.123 shop7 l7_firewall src=10.9.1.20 dst=198.51.100.7 protocol=tcp sport=40112 dport=443 decision=blocked",
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:443",
        ),
        (
            "1 1772445601.123 shop7 ip_flow_start src=10.9.1.20 dst=198.51.100.7 protocol=tcp sport=40112 dport=443 translated_src_ip=203.0.113.9 translated_port=40112",
            "none tcp 10.9.1.20:40112 > 198.51.100.7:443",
        ),
        (
            "1 1772445601.123 ap3 flows deny src=10.9.1.20 dst=198.51.100.7 mac=02:AA:00:00:00:01 protocol=tcp sport=40112 dport=80",
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:80",
        ),
        (
            "1 1772445601.123 ap3 flows allow src=10.9.1.20 dst=198.51.100.7 mac=02:AA:00:00:00:01 protocol=tcp sport=40112 dport=80",
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:80",
        ),
        (
            "1 1772445601.123 shop7 flows src=2001:db8:9::20 dst=2001:db8::7 mac=02:AA:00:00:00:01 protocol=tcp sport=40112 dport=443 pattern: allow all",
            "permit tcp [2001:db8:9::20]:40112 > [2001:db8::7]:443 rule=allow all",
        ),
        (
            "1 1772445601.123 shop7 flows src=2001:db8:9::20 dst=2001:db8::7 protocol=icmp6 type=128 pattern: allow all",
            "permit icmpv6 2001:db8:9::20 > 2001:db8::7 rule=allow all",
        ),
        (
            "1 1772445601.123 shop7 flows src=203.0.113.5 dst=198.51.100.2 protocol=icmp type=8 pattern: 1 all",
            "deny icmp 203.0.113.5 > 198.51.100.2 rule=1 all",
        ),
        (
            "1 1772445601.123 shop7 flows src=203.0.113.5 dst=198.51.100.2 protocol=icmp type=3 pattern: 0 all",
            "permit icmp 203.0.113.5 > 198.51.100.2 rule=0 all reply",
        ),
        (
            "flows src=203.0.113.5 dst=198.51.100.2 protocol=47 pattern: 1 all",
            "deny gre 203.0.113.5 > 198.51.100.2 rule=1 all",
        ),
        ("shop7 firewall dport=1 src=203.0.113.5 dst=198.51.100.2", "unclaimed"),
        (
            "1 1772445601.123 shop7 events type=vpn_connectivity_change vpn_type='site-to-site' peer_contact='203.0.113.5:51856' connectivity='true'",
            "other",
        ),
        (
            "1 1772445601.123 shop7 urls src=10.9.1.20:1 dst=198.51.100.7:443 mac=02:AA:00:00:00:01 request: GET https://pay.example/",
            "other",
        ),
        (
            "1 1772445601.123 shop7 security_event ids_alerted signature=1:2:3 priority=1 protocol=tcp/ip src=198.51.100.7:80 dst=10.9.1.20:53023 message: x",
            "other",
        ),
        ("1 1772445601.123 shop7 flows src=10.9.1.20 dst=198.51.", "unread addresses"),
    ];

    #[test]
    fn cases() {
        for (line, expected) in CASES {
            assert_eq!(is_mine(line.as_bytes()), expected != "unclaimed", "{line}");
            if expected != "unclaimed" {
                assert_eq!(told(&read(line.as_bytes())), expected, "{line}");
            }
        }
    }

    #[test]
    fn time() {
        let Line::Flow(Record { time: Some(time), .. }) = read(CASES[0].0.as_bytes()) else { panic!() };
        assert_eq!((time.day, time.hour, time.nanosecond, time.offset), (2, 10, 123_456_789, Some(0)));
    }

    #[test]
    fn not_mine() {
        for line in [
            "firewall: msg_id=\"3000-0148\" Deny a b 60 tcp 20 63 10.0.0.1 10.0.0.2 1 2",
            "kernel: reject IN=eth0 SRC=10.0.0.1",
            "flows are nice src=1",
            "",
        ] {
            assert!(!is_mine(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn hostile() {
        let lines = CASES.map(|(line, _)| line);
        batter(&lines, |line| {
            is_mine(line);
            read(line);
        });
    }
}
