//! What collectors put before a firewall's own words: priority, length, time, host, program (RFC 3164, RFC 5424,
//! journald's short form, bare ISO times, seconds since 1970), in any mixture that was seen in the field.

use crate::record::Time;
use crate::text::number;

/// A line without what stands before the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// When the line was written, as far as it says.
    pub time: Option<Time>,
    /// Who sent it.
    pub host: Option<&'a [u8]>,
    /// The firewall's own words; the program's name may still stand before them.
    pub message: &'a [u8],
}

/// Takes the header off. A line without one is all message.
pub fn strip(line: &[u8]) -> Head<'_> {
    let mut rest = trimmed(line);
    // Octet counting (RFC 6587 section 3.4.1).
    if let Some((count, after)) = word(rest)
        && number(count).is_some()
        && after.first() == Some(&b'<')
    {
        rest = after;
    }
    if let Some(after) = priority(rest) {
        rest = after;
    }
    if let Some(head) = structured(rest) {
        return head;
    }
    let (mut time, mut after) = match time(rest) {
        Some((time, after)) => (Some(time), after),
        None => (None, rest),
    };
    // A relay that adds its own header keeps the first sender's behind it: the inner one is nearer to the firewall.
    let mut host = None;
    for _ in 0..2 {
        if time.is_none() {
            break;
        }
        let Some((name, next)) = host_of(after) else { break };
        host = Some(name);
        after = next;
        if let Some((inner, next)) = self::time(priority(after).unwrap_or(after)) {
            (time, after) = (Some(inner), next);
            continue;
        }
        // The same host once more.
        if let Some((again, next)) = word(after)
            && again == name
        {
            after = next;
        }
        break;
    }
    // `fw1 : %ASA-…`
    if let Some(next) = after.strip_prefix(b": ") {
        after = next;
    }
    Head { time, host, message: after }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.trim_ascii()
}

/// Behind `<134>`.
fn priority(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|b| *b == b'>')?;
    number(rest.get(..end)?)?;
    Some(rest.get(end + 1..)?.trim_ascii_start())
}

/// The next word, and what is behind its blanks.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| *b == b' ')?;
    Some((text.get(..end)?, text.get(end..)?.trim_ascii_start()))
}

/// A host's name or address: not a message's first word, which ends in a colon or has an equals sign, a comma or a
/// bracket in it.
fn host_of(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = word(text)?;
    let name =
        name.strip_suffix(b":").filter(|n| rest.first() == Some(&b'%') || n.contains(&b'.')).unwrap_or(name);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    (!name.is_empty() && name.len() <= 255 && name.iter().all(plain) && name.last() != Some(&b':'))
        .then_some((name, rest))
}

/// RFC 5424: version, time, host, program, process, message id, structured data, message.
fn structured(text: &[u8]) -> Option<Head<'_>> {
    let (version, rest) = word(text)?;
    if version != b"1" {
        return None;
    }
    let (stamp, rest) = word(rest)?;
    let time = match stamp {
        b"-" => None,
        stamp => Some(iso(stamp).filter(|(_, rest)| rest.is_empty())?.0),
    };
    let (host, rest) = word(rest)?;
    let (_, rest) = word(rest)?;
    let (_, named) = word(rest)?;
    let (id, rest) = word(named)?;
    let message = structured_data(rest)?;
    // What kind of message it is, where the sender says so, is the first of its own words.
    let message = if id == b"-" { message } else { named };
    let host = (host != b"-").then_some(host);
    Some(Head { time, host, message: message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message) })
}

/// Behind `-`. Elements stay: some firewalls write everything into them.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    match text.first()? {
        b'-' => Some(text.get(1..)?.trim_ascii_start()),
        b'[' => Some(text),
        _ => None,
    }
}

/// A time at the start, and what is behind it.
fn time(text: &[u8]) -> Option<(Time, &[u8])> {
    let (time, rest) = classic(text).or_else(|| iso(text)).or_else(|| epoch(text))?;
    // Some write `Mar 02 2026 10:00:01: ` or a zone's name.
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    match rest.first() {
        None => Some((time, rest)),
        Some(b' ') => {
            let rest = rest.trim_ascii_start();
            let zone = word(rest).filter(|(zone, _)| matches!(*zone, b"UTC" | b"GMT" | b"Z"));
            match zone {
                Some((_, after)) => {
                    Some((Time { offset: Some(0), ..time }, after.strip_prefix(b": ").unwrap_or(after)))
                }
                None => Some((time, rest)),
            }
        }
        Some(_) => None,
    }
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `Mar  2 10:00:01`, with the year behind the day or behind the time, with parts of a second.
fn classic(text: &[u8]) -> Option<(Time, &[u8])> {
    let text = text.strip_prefix(b"*").or(text.strip_prefix(b".")).unwrap_or(text);
    let month = text.get(..3)?;
    let month = MONTHS.iter().position(|m| *m == month)? as i8 + 1;
    let rest = text.get(3..)?;
    if rest.first() != Some(&b' ') {
        return None;
    }
    let (day, mut rest) = word(rest.trim_ascii_start())?;
    let day = number(day).filter(|d| (1..=31).contains(d))? as i8;
    let mut year = None;
    if let Some((next, after)) = word(rest)
        && next.len() == 4
        && let Some(found) = number(next)
    {
        year = Some(found as i16);
        rest = after;
    }
    let (mut time, mut rest) = clock(rest)?;
    if year.is_none()
        && let Some((next, after)) = word(rest.trim_ascii_start())
        && next.len() == 4
        && let Some(found) = number(next).filter(|y| (1990..2100).contains(y))
    {
        year = Some(found as i16);
        // The blank before the next word stays, as without a year.
        rest = rest.get(rest.len() - after.len() - 1..)?;
    }
    (time.year, time.month, time.day) = (year, month, day);
    Some((time, rest))
}

/// `2026-03-02T10:00:01.123+01:00`, with a blank for the T, with a comma for the point.
fn iso(text: &[u8]) -> Option<(Time, &[u8])> {
    let date = text.get(..10)?;
    if date.get(4) != Some(&b'-') || date.get(7) != Some(&b'-') {
        return None;
    }
    let year = number(date.get(..4)?)? as i16;
    let month = number(date.get(5..7)?).filter(|m| (1..=12).contains(m))? as i8;
    let day = number(date.get(8..10)?).filter(|d| (1..=31).contains(d))? as i8;
    let rest = text.get(10..)?;
    if !matches!(rest.first()?, b'T' | b' ' | b't') {
        return None;
    }
    let (mut time, rest) = clock(rest.get(1..)?)?;
    (time.year, time.month, time.day) = (Some(year), month, day);
    let rest = match rest.first() {
        Some(b'Z' | b'z') => {
            time.offset = Some(0);
            rest.get(1..)?
        }
        Some(sign @ (b'+' | b'-')) => {
            let hours = number(rest.get(1..3)?)? as i16;
            let colon = usize::from(rest.get(3) == Some(&b':'));
            let minutes = rest.get(3 + colon..5 + colon).and_then(number);
            let length = if minutes.is_some() { 5 + colon } else { 3 };
            let total = hours * 60 + minutes.unwrap_or(0) as i16;
            time.offset = Some(if *sign == b'-' { -total } else { total });
            rest.get(length..)?
        }
        _ => rest,
    };
    Some((time, rest))
}

/// `10:00:01.123456`, into a time without a date.
fn clock(text: &[u8]) -> Option<(Time, &[u8])> {
    let part =
        |from: usize, most: u64| number(text.get(from..from + 2)?).filter(|n| *n <= most).map(|n| n as i8);
    if text.get(2) != Some(&b':') || text.get(5) != Some(&b':') {
        return None;
    }
    let (hour, minute, second) = (part(0, 23)?, part(3, 59)?, part(6, 60)?);
    let mut rest = text.get(8..)?;
    let mut nanosecond = 0;
    if let Some(fraction) = rest.strip_prefix(b".").or(rest.strip_prefix(b",")) {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            for at in 0..9 {
                let digit = fraction.get(at).filter(|_| at < digits).map_or(0, |b| i32::from(b - b'0'));
                nanosecond = nanosecond * 10 + digit;
            }
            rest = fraction.get(digits..)?;
        }
    }
    let time = Time { year: None, month: 1, day: 1, hour, minute, second, nanosecond, offset: None };
    Some((time, rest))
}

/// `1772445601.342705328`: seconds since 1970 (Meraki, dnsmasq's and nginx' own forms).
fn epoch(text: &[u8]) -> Option<(Time, &[u8])> {
    let end = text.iter().position(|b| *b == b' ')?;
    let stamp = text.get(..end)?;
    let point = stamp.iter().position(|b| *b == b'.').unwrap_or(stamp.len());
    let whole = stamp.get(..point)?;
    // Ten digits are the years 2001 to 2286; fewer are something else.
    if whole.len() != 10 {
        return None;
    }
    let seconds = number(whole)?;
    let fraction = stamp.get(point + 1..).unwrap_or_default();
    let mut nanosecond = 0i32;
    for at in 0..9 {
        nanosecond = nanosecond * 10 + i32::from(fraction.get(at).map_or(0, |b| b.wrapping_sub(b'0') % 10));
    }
    let (days, of_day) = ((seconds / 86_400) as i64, seconds % 86_400);
    let (year, month, day) = civil(days);
    let time = Time {
        year: Some(year),
        month,
        day,
        hour: (of_day / 3600) as i8,
        minute: (of_day / 60 % 60) as i8,
        second: (of_day % 60) as i8,
        nanosecond,
        offset: Some(0),
    };
    Some((time, text.get(end..)?))
}

/// The date of a day counted from 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i16, i8, i8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i16, month as i8, day as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> (String, String, String) {
        let head = strip(line.as_bytes());
        let time = head.time.map(|t| {
            let year = t.year.map_or("----".into(), |y| y.to_string());
            let offset = t.offset.map_or(String::new(), |o| format!("{o:+}"));
            format!(
                "{year}-{:02}-{:02} {:02}:{:02}:{:02}.{}{offset}",
                t.month, t.day, t.hour, t.minute, t.second, t.nanosecond
            )
        });
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (time.unwrap_or_default(), head.host.map(text).unwrap_or_default(), text(head.message))
    }

    #[test]
    fn headers_of_the_field_come_off() {
        for (line, time, host, message) in [
            (
                "<4>Mar  2 10:00:01 shop7 kernel: [812.1] x",
                "-----03-02 10:00:01.0",
                "shop7",
                "kernel: [812.1] x",
            ),
            ("Mar  2 10:00:01 shop7 shop7 kernel: x", "-----03-02 10:00:01.0", "shop7", "kernel: x"),
            (
                "<164>Mar 02 2026 10:00:01 fw1 : %ASA-4-106023: Deny",
                "2026-03-02 10:00:01.0",
                "fw1",
                "%ASA-4-106023: Deny",
            ),
            ("Mar 02 2026 10:00:01: %ASA-4-106023: Deny", "2026-03-02 10:00:01.0", "", "%ASA-4-106023: Deny"),
            (
                "<134>1 2026-03-02T10:00:01+01:00 fw filterlog 921 - - 84,,,17",
                "2026-03-02 10:00:01.0+60",
                "fw",
                "84,,,17",
            ),
            (
                "<14>1 2026-03-02T10:00:01.5Z fw1 RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636 a=\"b\"]",
                "2026-03-02 10:00:01.500000000+0",
                "fw1",
                "RT_FLOW_SESSION_DENY [junos@2636 a=\"b\"]",
            ),
            (
                "2026-03-02T10:00:01.123456+00:00 shop7 kernel: x",
                "2026-03-02 10:00:01.123456000+0",
                "shop7",
                "kernel: x",
            ),
            ("2026-03-02 10:00:01,250 shop7 x y", "2026-03-02 10:00:01.250000000", "shop7", "x y"),
            (
                "99 <134>1772445601.342705328 MX84 flows src=10.0.0.1",
                "2026-03-02 10:00:01.342705328+0",
                "MX84",
                "flows src=10.0.0.1",
            ),
            (
                "Mar  2 10:00:01 relay <4>Mar  2 09:59:59 shop7 kernel: x",
                "-----03-02 09:59:59.0",
                "shop7",
                "kernel: x",
            ),
            (
                "*Mar  2 10:00:01.123: %SEC-6-IPACCESSLOGP: list",
                "-----03-02 10:00:01.123000000",
                "",
                "%SEC-6-IPACCESSLOGP: list",
            ),
            ("Mar  2 10:00:01 2026 fw1 x y", "2026-03-02 10:00:01.0", "fw1", "x y"),
            ("no header at all", "", "", "no header at all"),
            ("", "", "", ""),
        ] {
            assert_eq!(seen(line), (time.into(), host.into(), message.into()), "{line}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let model =
            b"<134>1 2026-03-02T10:00:01+01:00 fw filterlog 921 - - 1772445601.34 Mar  2 10:00:01 2026 h ";
        for _ in 0..20_000 {
            let mut line = model.to_vec();
            for _ in 0..4 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let at = seed as usize % line.len();
                line[at] = (seed >> 32) as u8;
            }
            strip(&line[seed as usize % 40..]);
        }
    }
}
