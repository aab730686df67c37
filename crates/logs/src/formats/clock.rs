//! Dates and times as log bodies write them: `2026-03-02 10:00:01 +0200`, or seconds since 1970.

use crate::record::Time;
use crate::text::number;

/// A date (`2026-03-02`, any one separator) and a time of day (`10:00:01`, `10:00:01.25`).
pub fn of_day(date: &[u8], time: &[u8]) -> Option<Time> {
    let (year, month, day) = (date.get(..4)?, date.get(5..7)?, date.get(8..10)?);
    let (hour, minute, second) = (time.get(..2)?, time.get(3..5)?, time.get(6..8)?);
    if date.len() != 10 || time[2] != b':' || time[5] != b':' {
        return None;
    }
    Some(Time {
        year: number(year).and_then(|n| i16::try_from(n).ok()).filter(|n| *n > 0)?.into(),
        month: within(month, 1, 12)?,
        day: within(day, 1, 31)?,
        hour: within(hour, 0, 23)?,
        minute: within(minute, 0, 59)?,
        second: within(second, 0, 60)?,
        nanosecond: time.get(8..).filter(|f| f.first() == Some(&b'.')).map_or(0, |f| fraction(&f[1..])),
        offset: None,
    })
}

/// `2026-03-02T10:00:01.5+02:00`: a date, one byte, a time, and the zone where it is there.
pub fn of_stamp(stamp: &[u8]) -> Option<Time> {
    let time = of_day(stamp.get(..10)?, stamp.get(11..)?)?;
    let rest = &stamp[19..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    Some(Time { offset: zone(rest[digits..].trim_ascii()), ..time })
}

/// Minutes east of UTC from `+0200`, `-03:30`, `Z`, `UTC` or `GMT`.
/// Other abbreviations say nothing sure: `IST` is three zones.
pub fn zone(zone: &[u8]) -> Option<i16> {
    if [&b"Z"[..], b"UTC", b"GMT"].contains(&zone) {
        return Some(0);
    }
    let sign = match zone.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let minutes = match zone.len() {
        3 => &b"00"[..],
        5 => &zone[3..],
        6 if zone[3] == b':' => &zone[4..],
        _ => return None,
    };
    Some(sign * (i16::from(within(&zone[1..3], 0, 14)?) * 60 + i16::from(within(minutes, 0, 59)?)))
}

/// Seconds since 1970, perhaps with parts behind a point: `1772445601.25`.
pub fn of_epoch(text: &[u8]) -> Option<Time> {
    let whole = text.iter().position(|b| *b == b'.').unwrap_or(text.len());
    // The year 9999 ends at 253402300799; a larger number is in other units.
    let seconds = number(&text[..whole]).filter(|n| *n < 253_402_300_800)?;
    let (day, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil from days, after Howard Hinnant's "chrono-compatible low-level date algorithms".
    let days = day + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    Some(Time {
        year: Some(year as i16),
        month: month as i8,
        day: (of_year - (153 * shifted + 2) / 5 + 1) as i8,
        hour: (rest / 3_600) as i8,
        minute: (rest / 60 % 60) as i8,
        second: (rest % 60) as i8,
        nanosecond: text.get(whole + 1..).map_or(0, fraction),
        offset: Some(0),
    })
}

fn within(digits: &[u8], low: i8, high: i8) -> Option<i8> {
    number(digits).and_then(|n| i8::try_from(n).ok()).filter(|n| (low..=high).contains(n))
}

/// Nanoseconds from the digits behind the point; what is finer is cut.
fn fraction(digits: &[u8]) -> i32 {
    let mut unit = 100_000_000;
    digits.iter().take(9).take_while(|b| b.is_ascii_digit()).fold(0, |sum, digit| {
        let part = i32::from(digit - b'0') * unit;
        unit /= 10;
        sum + part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(time: Option<Time>) -> (i16, i8, i8, i8, i8, i8, i32, Option<i16>) {
        let t = time.unwrap();
        (t.year.unwrap(), t.month, t.day, t.hour, t.minute, t.second, t.nanosecond, t.offset)
    }

    #[test]
    fn times() {
        assert_eq!(tuple(of_epoch(b"1772445601.25")), (2026, 3, 2, 10, 0, 1, 250_000_000, Some(0)));
        assert_eq!(tuple(of_epoch(b"951782400")), (2000, 2, 29, 0, 0, 0, 0, Some(0)));
        assert_eq!(tuple(of_day(b"2026-03-02", b"10:00:01")), (2026, 3, 2, 10, 0, 1, 0, None));
        assert_eq!(
            tuple(of_stamp(b"2026-03-02T10:00:01.5+02:00")),
            (2026, 3, 2, 10, 0, 1, 500_000_000, Some(120))
        );
        assert_eq!(tuple(of_stamp(b"2026-03-02 10:00:01 UTC")), (2026, 3, 2, 10, 0, 1, 0, Some(0)));
        assert_eq!(zone(b"-0330"), Some(-210));
        assert_eq!(zone(b"CEST"), None);
        assert_eq!(of_day(b"2026-13-02", b"10:00:01"), None);
        assert_eq!(of_epoch(b"99999999999999"), None);
    }
}
