//! Windows Firewall's `pfirewall.log`: W3C lines whose columns the `#Fields` line names.
//! (Microsoft, "Interpreting the Windows Firewall log".)

use super::clock::of_day;
use super::flow::flow;
use super::icmp;
use crate::record::{Line, Record, Verdict};
use crate::text::{address, number, port, protocol};

/// A date, a time and one of the log's actions, or one of the four header lines.
pub fn is_mine(message: &[u8]) -> bool {
    if message.first() == Some(&b'#') {
        return message.starts_with(b"#Software: Microsoft Windows Firewall")
            || message.starts_with(b"#Version: 1.5")
            || message.starts_with(b"#Time Format:")
            || Columns::of(message).is_some();
    }
    let mut words = message[..message.len().min(64)].split(|b| *b == b' ');
    let (Some(date), Some(time), Some(action)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let is_known = verdict(action).is_some() || action.starts_with(b"INFO-EVENTS-LOST");
    is_known && date.len() == 10 && date[4] == b'-' && of_day(date, time).is_some()
}

/// Reads one line by the columns that every Windows since XP SP2 writes (later ones add `pid` behind).
pub fn read(message: &[u8]) -> Line<'_> {
    read_by(&Columns::default(), message)
}

/// Reads one line by the columns of its own file.
pub fn read_by<'a>(columns: &Columns, line: &'a [u8]) -> Line<'a> {
    if line.first() == Some(&b'#') || line.trim_ascii().is_empty() {
        return Line::Other;
    }
    let mut values: [&[u8]; 10] = [b""; 10];
    let words = line.trim_ascii_end().split(|b| *b == b' ').filter(|w| !w.is_empty());
    for (word, field) in words.zip(&columns.fields[..columns.count]) {
        if let Some(index) = field {
            values[usize::from(*index)] = word;
        }
    }
    let [date, time, action, name, source, destination, source_port, destination_port, icmp_type, info] =
        values;
    if action == b"INFO-EVENTS-LOST" {
        return number(info).map_or(Line::Unread("events lost"), Line::Missed);
    }
    let Some(verdict) = verdict(action) else { return Line::Unread("action") };
    let protocol = protocol(name);
    flow(Record {
        time: of_day(date, time),
        protocol,
        source: address(without_zone(source)),
        source_port: port(source_port),
        destination: address(without_zone(destination)),
        destination_port: port(destination_port),
        is_reply: number(icmp_type).is_some_and(|kind| icmp::answers(protocol, kind)),
        ..Record::new(verdict)
    })
}

/// Which column holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    fields: [Option<u8>; 32],
    count: usize,
}

impl Columns {
    /// Reads a `#Fields:` line. Nothing if it is not of a firewall log: other Windows services write such lines too.
    pub fn of(line: &[u8]) -> Option<Columns> {
        let names = line.strip_prefix(b"#Fields:")?.trim_ascii();
        let mut columns = Columns { fields: [None; 32], count: 0 };
        let mut found = [false; NAMES.len()];
        let words = names.split(|b| *b == b' ').filter(|w| !w.is_empty());
        for (slot, name) in columns.fields.iter_mut().zip(words) {
            columns.count += 1;
            if let Some(index) = NAMES.iter().position(|known| *known == name).filter(|i| !found[*i]) {
                found[index] = true;
                *slot = Some(index as u8);
            }
        }
        // Action, source and destination are what makes a record.
        (found[2] && found[4] && found[5]).then_some(columns)
    }
}

impl Default for Columns {
    /// date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack tcpwin icmptype icmpcode info path
    fn default() -> Self {
        let mut columns = Columns { fields: [None; 32], count: 17 };
        for index in 0..8 {
            columns.fields[index] = Some(index as u8);
        }
        columns.fields[13] = Some(8);
        columns.fields[15] = Some(9);
        columns
    }
}

const NAMES: [&[u8]; 10] = [
    b"date",
    b"time",
    b"action",
    b"protocol",
    b"src-ip",
    b"dst-ip",
    b"src-port",
    b"dst-port",
    b"icmptype",
    b"info",
];

/// `OPEN` and `CLOSE` are what XP and 2003 wrote for connections that they let through.
fn verdict(action: &[u8]) -> Option<Verdict> {
    match action {
        b"ALLOW" | b"OPEN" | b"OPEN-INBOUND" | b"CLOSE" => Some(Verdict::Permit),
        b"DROP" => Some(Verdict::Deny),
        _ => None,
    }
}

/// `fe80::1%12` names the interface behind the percent sign.
fn without_zone(text: &[u8]) -> &[u8] {
    &text[..text.iter().position(|b| *b == b'%').unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tried::{batter, told};

    const CASES: [(&str, &str); 18] = [
        (
            "2026-03-02 10:00:01 ALLOW TCP 10.9.1.20 198.51.100.7 40112 443 0 - 0 0 0 - - - SEND",
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443",
        ),
        (
            "2026-03-02 10:00:01 DROP TCP 10.9.1.21 10.9.1.20 40112 445 52 S 1 0 8192 - - - RECEIVE 4",
            "deny tcp 10.9.1.21:40112 > 10.9.1.20:445",
        ),
        (
            "2026-03-02 10:00:01 DROP UDP 10.9.1.20 198.51.100.7 123 123 76 - - - - - - - SEND\r",
            "deny udp 10.9.1.20:123 > 198.51.100.7:123",
        ),
        (
            "2026-03-02 10:00:01 ALLOW UDP 10.9.1.20 192.0.2.53 50000 53 0 - - - - - - - SEND",
            "permit udp 10.9.1.20:50000 > 192.0.2.53:53",
        ),
        (
            "2026-03-02 10:00:01 DROP ICMP 10.9.1.21 10.9.1.20 - - 60 - - - - 8 0 - RECEIVE",
            "deny icmp 10.9.1.21 > 10.9.1.20",
        ),
        (
            "2026-03-02 10:00:01 DROP ICMP 10.9.1.21 10.9.1.20 - - 60 - - - - 3 1 - RECEIVE",
            "deny icmp 10.9.1.21 > 10.9.1.20 reply",
        ),
        (
            "2026-03-02 10:00:01 ALLOW ICMP 10.9.1.20 10.9.1.21 - - 0 - - - - 0 0 - SEND",
            "permit icmp 10.9.1.20 > 10.9.1.21 reply",
        ),
        (
            "2026-03-02 10:00:01 DROP TCP 2001:db8:9::21 2001:db8:9::20 40112 445 72 S 1 0 8192 - - - RECEIVE",
            "deny tcp [2001:db8:9::21]:40112 > [2001:db8:9::20]:445",
        ),
        (
            "2026-03-02 10:00:01 ALLOW UDP fe80::1%12 ff02::1:3 50000 5355 0 - - - - - - - SEND",
            "permit udp [fe80::1]:50000 > [ff02::1:3]:5355",
        ),
        (
            "2026-03-02 10:00:01 ALLOW ICMPV6 fe80::1 ff02::2 - - 0 - - - - 133 0 - SEND",
            "permit icmpv6 fe80::1 > ff02::2",
        ),
        (
            "2026-03-02 10:00:01 DROP 2 10.9.1.1 224.0.0.1 - - 32 - - - - - - - RECEIVE",
            "deny igmp 10.9.1.1 > 224.0.0.1",
        ),
        (
            "2026-03-02 10:00:01 OPEN TCP 10.9.1.20 198.51.100.7 40112 443 - - - - - - - - -",
            "permit tcp 10.9.1.20:40112 > 198.51.100.7:443",
        ),
        (
            "2026-03-02 10:00:01 OPEN-INBOUND TCP 10.9.1.21 10.9.1.20 40112 3389 - - - - - - - - -",
            "permit tcp 10.9.1.21:40112 > 10.9.1.20:3389",
        ),
        (
            "2026-03-02 10:00:01 CLOSE UDP 10.9.1.20 192.0.2.53 1027 53 - - - - - - - - -",
            "permit udp 10.9.1.20:1027 > 192.0.2.53:53",
        ),
        ("2026-03-02 10:00:01 INFO-EVENTS-LOST - - - - - - - - - - - - 25 -", "missed 25"),
        ("2026-03-02 10:00:01 DROP TCP 10.9.1.21 - 40112 445", "unread addresses"),
        ("2026-03-02 10:00:01 DROP TCP 10.9.1.21 10.9.1.20", "deny tcp 10.9.1.21 > 10.9.1.20"),
        ("#Software: Microsoft Windows Firewall", "other"),
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
        let full = "#Fields: date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack tcpwin icmptype icmpcode info path";
        assert_eq!(of(full), Some(Columns::default()));
        assert!(is_mine(full.as_bytes()));
        let short = of("#Fields: time date pid action dst-ip src-ip dst-port src-port protocol new-column\r")
            .unwrap();
        let line = b"10:00:01 2026-03-02 77 DROP 198.51.100.7 10.9.1.20 443 40112 TCP x y z";
        assert_eq!(told(&read_by(&short, line)), "deny tcp 10.9.1.20:40112 > 198.51.100.7:443");
        assert_eq!(of("#Fields: date time s-ip cs-method cs-uri-stem c-ip sc-status"), None);
        assert_eq!(of(&format!("{full}{}", " x".repeat(99))).unwrap().count, 32);
    }

    #[test]
    fn not_mine() {
        for line in
            ["2026-03-02 10:00:01 GET /index.html", "DROP TCP", "#Fields: date time s-ip", "2 1 eni-1", ""]
        {
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
