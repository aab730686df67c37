//! WatchGuard Firebox: traffic log lines.
//! ("Fireware Log Message Catalog", Traffic; help centre, "Read a Log Message".)

use super::clock::of_stamp;
use super::flow::flow;
use super::icmp;
use super::pairs::Pairs;
use crate::record::{Line, Record, Time, Verdict};
use crate::text::{address, number, port, protocol};
use memchr::{memchr, memmem, memrchr};
use tillgate_model::Protocol;

/// `msg_id="3000-0148"`: eight hexadecimal digits with a dash in the middle.
pub fn is_mine(message: &[u8]) -> bool {
    behind_id(message).is_some()
}

/// Reads one line: `msg_id="…" Allow|Deny in out [len] protocol [hl] [ttl] src dst [sport dport] … (policy)`.
pub fn read(message: &[u8]) -> Line<'_> {
    let Some(start) = behind_id(message) else { return Line::Unread("message id") };
    let mut words = Words { rest: &message[start..] };
    let Some(verdict) = words.next().and_then(verdict) else {
        // Traffic Monitor writes the id at the end: what it says stands before it.
        let before = &message[..start];
        let says = |word: &[u8]| memchr::memmem::find(before, word).is_some();
        return if says(b"Deny ") || says(b"Allow ") { Line::Unread("order") } else { Line::Other };
    };
    let mut record = Record { time: time(&message[..start]), ..Record::new(verdict) };
    let mut before: [&[u8]; 8] = [b""; 8];
    let mut count = 0;
    record.source = loop {
        let Some(word) = words.next() else { return Line::Unread("addresses") };
        match address(word) {
            Some(found) => break Some(found),
            None if count == before.len() => return Line::Unread("addresses"),
            None => before[count] = word,
        }
        count += 1;
    };
    record.destination = words.next().and_then(address);
    path(&before[..count], &mut record);
    let mut numbers = [None; 2];
    for slot in &mut numbers {
        let Some(number) = words.clone().next().and_then(port) else { break };
        *slot = Some(number);
        words.next();
    }
    // Ports come as a pair; what a line for ICMP has here is type and code, where it has them.
    if let [Some(first), Some(second)] = numbers {
        (record.source_port, record.destination_port) = (Some(first), Some(second));
    }
    let is_icmp = record.protocol.is_some_and(Protocol::is_icmp);
    let icmp_type = numbers[0].map(u64::from).or_else(|| {
        let mut pairs = Pairs::of(words.rest).filter(|_| is_icmp);
        pairs.find(|(key, _)| *key == b"type").and_then(|(_, value)| number(value))
    });
    record.is_reply = icmp_type.is_some_and(|kind| icmp::answers(record.protocol, kind));
    record.rule = policy(words.rest);
    flow(record)
}

/// Where the text behind `msg_id="3000-0148"` begins.
fn behind_id(message: &[u8]) -> Option<usize> {
    let window = &message[..message.len().min(256)];
    let at = memmem::find(window, b"msg_id=\"")? + 8;
    let id = window.get(at..at + 9)?;
    let is_id = id.iter().enumerate().all(|(i, b)| if i == 4 { *b == b'-' } else { b.is_ascii_hexdigit() });
    (is_id && window.get(at + 9) == Some(&b'"')).then_some(at + 10)
}

/// The body's own time: `(2026-03-02T10:00:01)` before the process name.
fn time(head: &[u8]) -> Option<Time> {
    let open = memchr(b'(', head)?;
    let close = memchr(b')', &head[open..])? + open;
    of_stamp(&head[open + 1..close])
}

/// The word behind the id; proxies write theirs with `Proxy` before it and sometimes a colon behind.
/// A stripped body is still let through ("Read a Log Message", Disposition).
fn verdict(word: &[u8]) -> Option<Verdict> {
    let word = word.strip_suffix(b":").unwrap_or(word);
    match word.strip_prefix(b"Proxy").unwrap_or(word) {
        b"Allow" | b"Strip" => Some(Verdict::Permit),
        b"Deny" | b"Drop" | b"Block" | b"Lock" => Some(Verdict::Deny),
        _ => None,
    }
}

/// What stands between verdict and source: two zones, then `[len] protocol [hl] [ttl]`. Read from behind,
/// because the names of zones may hold blanks: where there are not exactly two words they stay unknown.
fn path<'a>(words: &[&'a [u8]], record: &mut Record<'a>) {
    let is_number = |word: &&[u8]| number(word).is_some();
    let behind = words.iter().rev().take_while(|w| is_number(w)).count();
    let named = words.len() - behind;
    let mut zones = named;
    if let Some(found) = named.checked_sub(1).and_then(|last| protocol(words[last])) {
        record.protocol = Some(found);
        zones = named - 1;
        if zones > 0 && is_number(&words[zones - 1]) {
            zones -= 1;
        }
    } else if behind == 4 {
        // A protocol without a name is its number: length, protocol, header length, time to live.
        record.protocol = protocol(words[named + 1]);
    }
    if let [input, output] = words[..zones] {
        record.input = Some(input);
        record.output = Some(output);
    }
}

/// The last brackets of the line: `(HTTPS-proxy-00)`. Names may hold blanks.
fn policy(rest: &[u8]) -> Option<&[u8]> {
    let inside = rest.trim_ascii_end().strip_suffix(b")")?;
    let open = memrchr(b'(', inside)?;
    Some(&inside[open + 1..]).filter(|name| !name.is_empty())
}

/// Words between blanks.
#[derive(Clone)]
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        self.rest = &rest[end..];
        Some(&rest[..end]).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tried::{batter, told};

    const HEAD: &str = "FB7 80AB00000001 (2026-03-02T10:00:01) firewall: ";

    const CASES: [(&str, &str); 20] = [
        (
            r#"msg_id="3000-0148" Allow 1-Trusted 0-External 60 tcp 20 63 10.9.1.20 198.51.100.7 40112 443 offset 10 S 2982213793 win 64240 geo_dst="DEU" (HTTPS-00)"#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=HTTPS-00 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 52 tcp 20 113 203.0.113.5 198.51.100.2 51234 23 offset 8 S 12 win 32 (Unhandled External Packet-00)"#,
            "deny tcp 203.0.113.5:51234 > 198.51.100.2:23 rule=Unhandled External Packet-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0148" Deny 1-Trusted 0-External 76 udp 20 63 10.9.1.20 198.51.100.7 40112 123 (Unhandled Internal Packet-00)"#,
            "deny udp 10.9.1.20:40112 > 198.51.100.7:123 rule=Unhandled Internal Packet-00 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 84 icmp 20 64 203.0.113.5 198.51.100.2 (Ping-00)"#,
            "deny icmp 203.0.113.5 > 198.51.100.2 rule=Ping-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 84 icmp 20 64 203.0.113.5 198.51.100.2 8 0 (Ping-00)"#,
            "deny icmp 203.0.113.5 > 198.51.100.2 rule=Ping-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 84 icmp 20 64 203.0.113.5 198.51.100.2 type="3" code="1" (Unhandled External Packet-00)"#,
            "deny icmp 203.0.113.5 > 198.51.100.2 rule=Unhandled External Packet-00 in=0-External out=Firebox reply",
        ),
        (
            r#"msg_id="3000-0148" Allow 1-Trusted 0-External 80 tcp 40 63 2001:db8:9::20 2001:db8::7 40112 443 (HTTPS-00)"#,
            "permit tcp [2001:db8:9::20]:40112 > [2001:db8::7]:443 rule=HTTPS-00 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 96 udp 40 1 2001:db8::5 ff02::fb 5353 5353 (Unhandled External Packet-00)"#,
            "deny udp [2001:db8::5]:5353 > [ff02::fb]:5353 rule=Unhandled External Packet-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox icmpv6 2001:db8::5 2001:db8::6 (Ping-00)"#,
            "deny icmpv6 2001:db8::5 > 2001:db8::6 rule=Ping-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 60 esp 20 64 203.0.113.5 198.51.100.2 (IPSec-00)"#,
            "deny esp 203.0.113.5 > 198.51.100.2 rule=IPSec-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0148" Deny 0-External Firebox 60 47 20 64 203.0.113.5 198.51.100.2 (Any-00)"#,
            "deny gre 203.0.113.5 > 198.51.100.2 rule=Any-00 in=0-External out=Firebox",
        ),
        (
            r#"msg_id="3000-0151" Allow 1-Trusted 0-External tcp 10.9.1.20 198.51.100.7 40112 443 src_ip_nat="203.0.113.9" duration="4" sent_bytes="10" rcvd_bytes="20" (HTTPS-00)"#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=HTTPS-00 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="2CFF-0001" Deny 1-Trusted 0-External tcp 10.9.1.20 198.51.100.7 40112 443 msg="HTTPS Request (blocked)" proxy_act="HTTPS.1" sni="pay.example" (HTTPS-proxy-00)"#,
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=HTTPS-proxy-00 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="1AFF-0021" ProxyAllow: 1-Trusted 0-External tcp 10.9.1.20 198.51.100.7 40112 80 msg="x" (HTTP-proxy-00)"#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:80 rule=HTTP-proxy-00 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="3000-0148" Deny Guest Net 0-External 60 tcp 20 63 10.9.1.20 198.51.100.7 40112 25 (SMTP-00)"#,
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:25 rule=SMTP-00",
        ),
        (
            r#"msg_id="3000-0148" Allow 1-Trusted 0-External 60 tcp 20 63 10.9.1.20 198.51.100.7 40112 443 off"#,
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 in=1-Trusted out=0-External",
        ),
        (
            r#"msg_id="3000-0148" Allow 1-Trusted 0-External 60 tcp 20 63 10.9.1.20 198.51."#,
            "unread addresses",
        ),
        (r#"msg_id="3000-0148" Allow 1-Trusted 0-External 60 tcp"#, "unread addresses"),
        (r#"msg_id="3E00-0002" Management user admin from 10.9.1.2 logged in"#, "other"),
        (r#"msg_id="3100-0012" ARP spoofing detected from 10.9.1.2"#, "other"),
    ];

    #[test]
    fn cases() {
        for (line, expected) in CASES {
            for line in [format!("{HEAD}{line}"), format!("firewall[2103]: {line}"), line.to_string()] {
                assert!(is_mine(line.as_bytes()), "{line}");
                assert_eq!(told(&read(line.as_bytes())), expected, "{line}");
            }
        }
    }

    #[test]
    fn times() {
        let line = format!("{HEAD}{}", CASES[0].0);
        let Line::Flow(Record { time: Some(time), .. }) = read(line.as_bytes()) else { panic!("{line}") };
        assert_eq!((time.year, time.hour, time.offset), (Some(2026), 10, None));
    }

    #[test]
    fn not_mine() {
        for line in [r#"msg_id="3000" Deny"#, "1 1772445601.1 shop7 firewall src=10.0.0.1 dst=10.0.0.2", ""] {
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
