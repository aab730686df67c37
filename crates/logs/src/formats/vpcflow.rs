//! AWS VPC flow logs: the 14 columns of version 2, or those that the file's first line names.
//! ("Amazon VPC User Guide", Flow log records.)

use super::clock::of_epoch;
use super::flow::flow;
use crate::record::{Line, Record, Verdict};
use crate::text::{address, number, port, protocol};

/// Version, account and interface (after a time stamp of CloudWatch, perhaps), or a header of known columns.
pub fn is_mine(message: &[u8]) -> bool {
    default_line(message).is_some() || Columns::of(message).is_some()
}

/// Reads one line by the default format.
pub fn read(message: &[u8]) -> Line<'_> {
    match default_line(message) {
        Some(line) => read_by(&Columns::default(), line),
        None if Columns::of(message).is_some() => Line::Other,
        None => Line::Unread("columns"),
    }
}

/// Reads one line by the columns of its own file.
pub fn read_by<'a>(columns: &Columns, line: &'a [u8]) -> Line<'a> {
    let mut values: [&[u8]; 12] = [b""; 12];
    let mut seen = 0;
    let words = line.trim_ascii().split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty());
    for (word, field) in words.zip(&columns.fields[..columns.count]) {
        seen += 1;
        if let Some(index) = field {
            values[usize::from(*index)] = word;
        }
    }
    let [
        source,
        destination,
        source_port,
        destination_port,
        name,
        packets,
        start,
        action,
        status,
        flags,
        inner_source,
        inner_destination,
    ] = values;
    match status {
        // Nothing came in the interval.
        b"NODATA" => return Line::Other,
        // Records were left out; how many is not said, so the one that is known.
        b"SKIPDATA" => return Line::Missed(1),
        _ => {}
    }
    if seen == 0 || source == b"srcaddr" || destination == b"dstaddr" {
        return Line::Other;
    }
    let verdict = match action {
        b"ACCEPT" => Verdict::Permit,
        b"REJECT" => Verdict::Deny,
        _ => Verdict::None,
    };
    flow(Record {
        time: of_epoch(start),
        protocol: protocol(name),
        source: address(source).or(address(inner_source)),
        source_port: port(source_port),
        destination: address(destination).or(address(inner_destination)),
        destination_port: port(destination_port),
        count: number(packets).unwrap_or(1),
        // SYN (2) with ACK (16): the answering half of a connection. The flags of an interval are or-ed.
        is_reply: number(flags).is_some_and(|f| f & 0b1_0010 == 0b1_0010),
        ..Record::new(verdict)
    })
}

/// Which column holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    fields: [Option<u8>; 48],
    count: usize,
}

impl Columns {
    /// Reads the first line of a file in an S3 bucket: names between blanks, `srcaddr` or `pkt-srcaddr` among them.
    pub fn of(line: &[u8]) -> Option<Columns> {
        // Cheap refusal of data lines: names begin with a letter and hold only letters, digits and dashes.
        let line = line.trim_ascii();
        if !line.first()?.is_ascii_lowercase() || line.len() > 2048 {
            return None;
        }
        let mut columns = Columns { fields: [None; 48], count: 0 };
        let mut found = [false; NAMES.len()];
        let words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty());
        for (slot, name) in columns.fields.iter_mut().zip(words) {
            if !name.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-') {
                return None;
            }
            columns.count += 1;
            if let Some(index) = NAMES.iter().position(|known| *known == name).filter(|i| !found[*i]) {
                found[index] = true;
                *slot = Some(index as u8);
            }
        }
        ((found[0] || found[10]) && (found[1] || found[11])).then_some(columns)
    }
}

impl Default for Columns {
    /// version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
    fn default() -> Self {
        let mut columns = Columns { fields: [None; 48], count: 14 };
        for (column, index) in [(3, 0), (4, 1), (5, 2), (6, 3), (7, 4), (8, 5), (10, 6), (12, 7), (13, 8)] {
            columns.fields[column] = Some(index);
        }
        columns
    }
}

const NAMES: [&[u8]; 12] = [
    b"srcaddr",
    b"dstaddr",
    b"srcport",
    b"dstport",
    b"protocol",
    b"packets",
    b"start",
    b"action",
    b"log-status",
    b"tcp-flags",
    b"pkt-srcaddr",
    b"pkt-dstaddr",
];

/// The line from its version on, if it is one of version 2: `2 123456789012 eni-0a…`.
fn default_line(message: &[u8]) -> Option<&[u8]> {
    let message = message.trim_ascii_start();
    let stamp = message[..message.len().min(40)].iter().position(|b| *b == b' ')?;
    [message, message[stamp..].trim_ascii_start()].into_iter().find(|line| {
        let mut words = line[..line.len().min(64)].split(|b| *b == b' ');
        let is_version = words.next() == Some(b"2");
        let is_account =
            words.next().is_some_and(|w| w == b"unknown" || w.len() == 12 && number(w).is_some());
        is_version && is_account && words.next().is_some_and(|w| w.starts_with(b"eni-"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tried::{batter, told};

    const CASES: [(&str, &str); 16] = [
        (
            "2 123456789012 eni-0a1 10.9.1.20 198.51.100.7 40112 443 6 20 4249 1772445601 1772445660 ACCEPT OK",
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443 x20",
        ),
        (
            "2 123456789012 eni-0a1 203.0.113.5 10.9.1.20 40112 3389 6 1 60 1772445601 1772445660 REJECT OK",
            "deny tcp 203.0.113.5:40112 > 10.9.1.20:3389",
        ),
        (
            "2 123456789012 eni-0a1 10.9.1.20 192.0.2.1 123 123 17 3 228 1772445601 1772445660 REJECT OK",
            "deny udp 10.9.1.20:123 > 192.0.2.1:123 x3",
        ),
        (
            "2 123456789012 eni-0a1 10.9.1.20 192.0.2.53 50000 53 17 1 60 1772445601 1772445660 ACCEPT OK",
            "permit udp 10.9.1.20:50000 > 192.0.2.53:53",
        ),
        (
            "2 123456789012 eni-0a1 203.0.113.5 10.9.1.20 0 0 1 4 336 1772445601 1772445660 ACCEPT OK",
            "permit icmp 203.0.113.5 > 10.9.1.20 x4",
        ),
        (
            "2 123456789012 eni-0a1 10.9.1.20 203.0.113.5 0 0 1 4 336 1772445601 1772445660 REJECT OK",
            "deny icmp 10.9.1.20 > 203.0.113.5 x4",
        ),
        (
            "2 123456789012 eni-0a1 2001:db8:9::20 2001:db8::7 40112 443 6 8 900 1772445601 1772445660 ACCEPT OK",
            "permit tcp [2001:db8:9::20]:40112 > [2001:db8::7]:443 x8",
        ),
        (
            "2 123456789012 eni-0a1 2001:db8:9::20 2001:db8::7 0 0 58 2 208 1772445601 1772445660 REJECT OK",
            "deny icmpv6 2001:db8:9::20 > 2001:db8::7 x2",
        ),
        (
            "2 123456789012 eni-0a1 10.9.1.20 203.0.113.5 0 0 50 2 208 1772445601 1772445660 REJECT OK",
            "deny esp 10.9.1.20 > 203.0.113.5 x2",
        ),
        (
            "2 unknown eni-0a1 10.9.1.20 198.51.100.7 40112 443 6 1 60 1772445601 1772445660 ACCEPT OK\r",
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443",
        ),
        (
            "2026-03-02T10:00:01.000Z 2 123456789012 eni-0a1 10.9.1.20 198.51.100.7 40112 443 6 1 60 1772445601 1772445660 REJECT OK",
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:443",
        ),
        ("2 123456789012 eni-0a1 - - - - - - - 1772445601 1772445660 - NODATA", "other"),
        ("2 123456789012 eni-0a1 - - - - - - - 1772445601 1772445660 - SKIPDATA", "missed 1"),
        ("2 123456789012 eni-0a1 10.9.1.20 198.51.100.7 40112", "none - 10.9.1.20:40112 > 198.51.100.7"),
        ("2 123456789012 eni-0a1 10.9.1.20 198.51", "unread addresses"),
        (
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
            "other",
        ),
    ];

    #[test]
    fn cases() {
        for (line, expected) in CASES {
            assert!(is_mine(line.as_bytes()), "{line}");
            assert_eq!(told(&read(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn columns() {
        let of = |line: &str| Columns::of(line.as_bytes());
        assert_eq!(of(CASES[15].0), Some(Columns::default()));
        let custom = of("vpc-id tcp-flags action pkt-srcaddr pkt-dstaddr srcport dstport protocol start flow-direction packets").unwrap();
        let line = |text: &'static str| told(&read_by(&custom, text.as_bytes()));
        assert_eq!(
            line("vpc-1 2 REJECT 10.9.1.20 198.51.100.7 40112 443 6 1772445601 egress 2"),
            "deny tcp 10.9.1.20:40112 > 198.51.100.7:443 x2"
        );
        assert_eq!(
            line("vpc-1 19 ACCEPT 198.51.100.7 10.9.1.20 443 40112 6 1772445601 ingress 2"),
            "permit tcp 198.51.100.7:443 > 10.9.1.20:40112 x2 reply"
        );
        let both = of("srcaddr dstaddr pkt-srcaddr pkt-dstaddr action").unwrap();
        assert_eq!(
            told(&read_by(&both, b"10.0.0.5 198.51.100.7 10.9.1.20 198.51.100.7 ACCEPT")),
            "permit - 10.0.0.5 > 198.51.100.7"
        );
        assert_eq!(of("some words about srcaddr and dst"), None);
        assert_eq!(of("Deny srcaddr dstaddr"), None);
    }

    #[test]
    fn time() {
        let Line::Flow(Record { time: Some(time), .. }) = read(CASES[0].0.as_bytes()) else { panic!() };
        assert_eq!(
            (time.year, time.day, time.hour, time.second, time.offset),
            (Some(2026), 2, 10, 1, Some(0))
        );
    }

    #[test]
    fn not_mine() {
        for line in ["2 3 4", "2026-03-02 10:00:01 DROP TCP 10.9.1.21 10.9.1.20 1 2", "a b c", ""] {
            assert!(!is_mine(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn hostile() {
        let lines = CASES.map(|(line, _)| line);
        batter(&lines, |line| {
            is_mine(line);
            let columns = Columns::of(line).unwrap_or_default();
            read_by(&columns, line);
            read(line);
        });
    }
}
