//! What a certificate says of whom it is for (RFC 5280), read without judging it.

use super::der::{element, elements, tagged};
use super::{TlsSeen, printable};
use std::net::IpAddr;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 29, 17];
/// More names than anybody would read.
const NAMES: usize = 50;

/// Fills in what a certificate in DER says; leaves `seen` as it is when it cannot be read.
pub(super) fn describe(der: &[u8], seen: &mut TlsSeen) -> Option<()> {
    let (certificate, _) = tagged(SEQUENCE, der)?;
    let (body, _) = tagged(SEQUENCE, certificate)?;
    // [0] version is absent in version 1; then serial number and algorithm.
    let rest = tagged(0xa0, body).map_or(body, |(_, rest)| rest);
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (issuer, rest) = tagged(SEQUENCE, rest)?;
    let (validity, rest) = tagged(SEQUENCE, rest)?;
    let (subject, rest) = tagged(SEQUENCE, rest)?;
    let (_, _, rest) = element(rest)?;
    let mut names: Vec<String> = alternative_names(rest).unwrap_or_default();
    if names.is_empty() {
        names.extend(attribute(subject, COMMON_NAME));
    }
    seen.names = names;
    seen.issuer = attribute(issuer, ORGANISATION).or_else(|| attribute(issuer, COMMON_NAME));
    seen.not_after = elements(validity).nth(1).and_then(|(tag, content)| seconds(tag, content));
    seen.is_self_issued = issuer == subject;
    Some(())
}

/// The last value of an attribute in a distinguished name; the most specific stands last.
fn attribute(name: &[u8], kind: &[u8]) -> Option<String> {
    let sets = elements(name).filter(|(tag, _)| *tag == SET);
    let pairs = sets.flat_map(|(_, set)| elements(set)).filter(|(tag, _)| *tag == SEQUENCE);
    let value = |(_, pair)| {
        let mut parts = elements(pair);
        (parts.next()?.1 == kind).then_some(())?;
        let (tag, content) = parts.next()?;
        match tag {
            // BMPString, the only one that is not ASCII or UTF-8 or near enough.
            0x1e => {
                let units: Vec<u16> =
                    content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
                printable(String::from_utf16_lossy(&units).as_bytes())
            }
            _ => printable(content),
        }
    };
    pairs.filter_map(value).last()
}

/// DNS names and addresses among the alternative names.
fn alternative_names(after_key: &[u8]) -> Option<Vec<String>> {
    let (_, wrapped) = elements(after_key).find(|(tag, _)| *tag == 0xa3)?;
    let (list, _) = tagged(SEQUENCE, wrapped)?;
    let extension =
        elements(list).find(|(_, one)| elements(one).next().is_some_and(|e| e.1 == ALTERNATIVE_NAMES))?;
    let (_, octets) = elements(extension.1).find(|(tag, _)| *tag == 0x04)?;
    let (names, _) = tagged(SEQUENCE, octets)?;
    let mut out: Vec<String> = elements(names)
        .filter_map(|(tag, content)| match tag {
            0x82 => printable(content),
            0x87 => address(content).map(|a| a.to_string()),
            _ => None,
        })
        .take(NAMES)
        .collect();
    out.sort();
    out.dedup();
    Some(out)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// `UTCTime` or `GeneralizedTime` (RFC 5280 section 4.1.2.5) as seconds since 1970.
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let (year_digits, text) = match tag {
        0x17 => (2, text),
        0x18 => (4, text),
        _ => return None,
    };
    let text = std::str::from_utf8(text.strip_suffix(b"Z")?).ok()?;
    if text.len() != year_digits + 10 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |at: usize, digits: usize| text.get(at..at + digits)?.parse::<i64>().ok();
    let year = match (year_digits, number(0, year_digits)?) {
        (2, year @ 0..50) => year + 2000,
        (2, year) => year + 1900,
        (_, year) => year,
    };
    let part = |index: usize| number(year_digits + index * 2, 2);
    let (month, day) = (part(0)?, part(1)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days(year, month, day) * 86_400 + part(2)? * 3600 + part(3)? * 60 + part(4)?)
}

/// Days since 1970 of a date of the Gregorian calendar; the year is counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::tests::CERTIFICATE;

    #[test]
    fn a_certificate_says_whom_it_is_for() {
        let mut seen = TlsSeen::default();
        describe(CERTIFICATE, &mut seen).unwrap();
        assert_eq!(seen.names, ["10.17.20.11", "counter-1.example"]);
        assert_eq!(seen.issuer.as_deref(), Some("Test Authority"));
        assert!(seen.is_self_issued);
        assert_eq!(seen.not_after, Some(1_893_456_000), "2030-01-01");
        assert!(describe(&CERTIFICATE[..100], &mut seen).is_none());
    }

    #[test]
    fn times() {
        assert_eq!(seconds(0x17, b"700101000000Z"), Some(0));
        assert_eq!(seconds(0x18, b"20240229235959Z"), Some(1_709_251_199));
        assert_eq!(seconds(0x17, b"491231235959Z"), Some(2_524_607_999));
        for text in [&b"7001010000Z"[..], b"701301000000Z", b"+00101000000Z", b"", b"Z"] {
            assert_eq!(seconds(0x17, text), None);
        }
    }
}
