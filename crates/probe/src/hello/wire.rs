//! ClientHello out, ServerHello or alert in, for SSL 3.0 to TLS 1.3 (RFC 6101, RFC 5246, RFC 8446).

use std::net::IpAddr;

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A ServerHello: the version spoken from here on (`supported_versions` counted) and the suite chosen.
    Hello {
        /// Version by its number on the wire; `0x0304` is TLS 1.3.
        version: u16,
        /// Suite by its number.
        suite: u16,
    },
    /// A fatal alert, or a close.
    Alert(u8),
    /// Something else.
    NotTls,
}

/// A version by its number on the wire, as people write it.
pub fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "?",
    }
}

/// An alert by its number (RFC 8446 section 6, and the registry for older ones).
pub fn alert_name(alert: u8) -> &'static str {
    match alert {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => "unknown alert",
    }
}

/// A ClientHello in one record, speaking `version` at most, or TLS 1.3 as well with `is_modern`.
///
/// SSL 3.0 goes without extensions. Nobody computes a key from this, so the random bytes are constant.
pub fn client_hello(version: u16, suites: &[u16], name: &str, is_modern: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    put16(&mut body, version);
    body.extend(
        std::iter::successors(Some(0x5au8), |byte| Some(byte.wrapping_mul(37).wrapping_add(11))).take(32),
    );
    body.push(0);
    // Renegotiation info as a suite (RFC 5746 section 3.3): without it some servers refuse the old versions.
    sized16(&mut body, |list| suites.iter().chain(&[0x00ff]).for_each(|suite| put16(list, *suite)));
    body.extend([1, 0]);
    if version > 0x0300 {
        let extensions = extensions(version, name, is_modern);
        // Load balancers of 2013 hang on a ClientHello of 256 to 511 bytes (RFC 7685 section 4): fill it up to 512.
        let size = 4 + body.len() + 2 + extensions.len();
        sized16(&mut body, |list| {
            list.extend(extensions);
            if (256..512).contains(&size) {
                put16(list, 21);
                sized16(list, |padding| {
                    padding.extend(std::iter::repeat_n(0, 512usize.saturating_sub(size + 4)))
                });
            }
        });
    }
    let mut record = vec![22];
    put16(&mut record, if version == 0x0300 { 0x0300 } else { 0x0301 });
    sized16(&mut record, |record| {
        record.push(1);
        let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        record.extend(length.iter().skip(1));
        record.extend(&body);
    });
    record
}

/// Reads what has come so far; `None` while it is not enough. Warnings before the ServerHello are passed over.
pub fn read_answer(bytes: &[u8]) -> Option<Answer> {
    let mut rest = bytes;
    let mut handshake = Vec::new();
    loop {
        // What is no TLS is known by its first bytes, however few there are.
        if rest.first().is_some_and(|kind| !matches!(kind, 21 | 22))
            || rest.get(1).is_some_and(|major| *major != 3)
        {
            return Some(Answer::NotTls);
        }
        let (header, after) = rest.split_at_checked(5)?;
        let length = usize::from(u16::from_be_bytes([*header.get(3)?, *header.get(4)?]));
        // RFC 8446 section 5.1: no plaintext record is longer, or empty here.
        if length == 0 || length > 1 << 14 {
            return Some(Answer::NotTls);
        }
        let Some((record, next)) = after.split_at_checked(length) else {
            // A part of a long record may hold the ServerHello already, before the certificates.
            if header.first() == Some(&22) {
                handshake.extend(after);
            }
            return server_hello(&handshake);
        };
        rest = next;
        if header.first() == Some(&22) {
            handshake.extend(record);
            if let Some(answer) = server_hello(&handshake) {
                return Some(answer);
            }
            continue;
        }
        match record {
            [1, alert, ..] if *alert != 0 => {}
            [1 | 2, alert, ..] => return Some(Answer::Alert(*alert)),
            _ => return Some(Answer::NotTls),
        }
    }
}

/// `None` while the message is not whole.
fn server_hello(bytes: &[u8]) -> Option<Answer> {
    let (header, after) = match bytes.first() {
        Some(2) => bytes.split_at_checked(4)?,
        Some(_) => return Some(Answer::NotTls),
        None => return None,
    };
    let length = header.iter().skip(1).fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if length > 1 << 14 {
        return Some(Answer::NotTls);
    }
    let body = after.get(..length)?;
    Some(hello_body(body).unwrap_or(Answer::NotTls))
}

fn hello_body(body: &[u8]) -> Option<Answer> {
    let legacy = take16(body, 0)?;
    let session = usize::from(*body.get(34)?);
    if session > 32 || !(0x0300..=0x0303).contains(&legacy) {
        return None;
    }
    let suite = take16(body, 35 + session)?;
    // Version, random, session, suite, compression; then extensions, if any.
    let mut extensions = body.get(40 + session..).unwrap_or_default();
    let mut version = legacy;
    while let (Some(kind), Some(length)) = (take16(extensions, 0), take16(extensions, 2)) {
        let end = 4 + usize::from(length);
        let value = extensions.get(4..end)?;
        if kind == 43 {
            version = take16(value, 0).filter(|_| value.len() == 2)?;
        }
        extensions = extensions.get(end..).unwrap_or_default();
    }
    Some(Answer::Hello { version, suite })
}

fn extensions(version: u16, name: &str, is_modern: bool) -> Vec<u8> {
    let mut list = Vec::new();
    let mut add = |kind: u16, fill: &dyn Fn(&mut Vec<u8>)| {
        put16(&mut list, kind);
        sized16(&mut list, |value| fill(value));
    };
    let name = name.trim_end_matches('.');
    // Addresses do not belong in there (RFC 6066 section 3).
    if !name.is_empty() && name.len() <= 253 && name.parse::<IpAddr>().is_err() {
        add(0, &|value| {
            sized16(value, |names| {
                names.push(0);
                sized16(names, |host| host.extend(name.as_bytes()));
            });
        });
    }
    // X25519, P-256, P-384, P-521, and the groups of RFC 7919.
    add(10, &|value| {
        sized16(value, |groups| [29, 23, 24, 25, 256, 257].iter().for_each(|group| put16(groups, *group)))
    });
    add(11, &|value| value.extend([1, 0]));
    if version >= 0x0303 {
        let schemes = [
            0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
            0x0202,
        ];
        add(13, &|value| sized16(value, |list| schemes.iter().for_each(|scheme| put16(list, *scheme))));
    }
    if is_modern {
        add(43, &|value| value.extend([4, 3, 4, 3, 3]));
        add(45, &|value| value.extend([1, 1]));
        // The base point is as good a public key as any.
        add(51, &|value| {
            sized16(value, |shares| {
                put16(shares, 29);
                sized16(shares, |share| {
                    share.push(9);
                    share.extend([0; 31]);
                });
            });
        });
    }
    list
}

fn put16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend(value.to_be_bytes());
}

/// Appends what `fill` writes, its length in two bytes before it.
fn sized16(bytes: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut value = Vec::new();
    fill(&mut value);
    put16(bytes, u16::try_from(value.len()).unwrap_or(u16::MAX));
    bytes.extend(value);
}

fn take16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}
