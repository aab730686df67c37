//! What the tests of the formats share: a line's meaning in one short form, and hostile variations.

use crate::record::Line;
use std::fmt::Write;

/// `deny tcp 10.9.1.20:40112 > 198.51.100.7:443 rule=5 in=lan out=wan x2 reply`, or the other outcomes.
pub fn told(line: &Line<'_>) -> String {
    let record = match line {
        Line::Flow(record) => record,
        Line::Other => return "other".into(),
        Line::Missed(n) => return format!("missed {n}"),
        Line::Unread(why) => return format!("unread {why}"),
    };
    let mut text = record.verdict.name().to_string();
    match record.protocol {
        Some(protocol) => write!(text, " {protocol}").unwrap(),
        None => text.push_str(" -"),
    }
    for (mark, address, port) in
        [("", record.source, record.source_port), (" >", record.destination, record.destination_port)]
    {
        match (address, port) {
            (Some(a), Some(p)) => write!(text, "{mark} {}", std::net::SocketAddr::new(a, p)).unwrap(),
            (Some(a), None) => write!(text, "{mark} {a}").unwrap(),
            (None, _) => write!(text, "{mark} ?").unwrap(),
        }
    }
    for (name, value) in [("rule", record.rule), ("in", record.input), ("out", record.output)] {
        if let Some(value) = value {
            write!(text, " {name}={}", String::from_utf8_lossy(value)).unwrap();
        }
    }
    if record.count != 1 {
        write!(text, " x{}", record.count).unwrap();
    }
    if record.is_reply {
        text.push_str(" reply");
    }
    text
}

/// Calls `read` on 20,000 lines: the given ones with bytes changed, cut, doubled, and noise.
pub fn batter(lines: &[&str], read: impl Fn(&[u8])) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for round in 0..20_000 {
        let mut line = lines[random(lines.len())].as_bytes().to_vec();
        if round % 10 == 0 {
            line = (0..random(300)).map(|_| random(256) as u8).collect();
        }
        for _ in 0..random(6) {
            let at = random(line.len());
            match random(5) {
                0 => line.truncate(at),
                1 if at < line.len() => line[at] = b" =\"\\|,:;-\0\xff().%#"[random(16)],
                2 if at < line.len() => line[at] = random(256) as u8,
                3 if at < line.len() => {
                    line.remove(at);
                }
                _ => {
                    let piece = line[at..].to_vec();
                    line.extend_from_slice(&piece);
                }
            }
        }
        read(&line);
    }
}

/// Lines and what each says, in the form of [`told`]: every one is the format's own and read so, and no change of them
/// makes the reader panic.
pub fn shapes(lines: &[(&str, &str)], is_mine: fn(&[u8]) -> bool, read: for<'a> fn(&'a [u8]) -> Line<'a>) {
    for (line, meaning) in lines {
        assert!(is_mine(line.as_bytes()), "{line}");
        assert_eq!(told(&read(line.as_bytes())), *meaning, "{line}");
    }
    let lines: Vec<&str> = lines.iter().map(|(line, _)| *line).collect();
    batter(&lines, |line| {
        is_mine(line);
        read(line);
    });
}
