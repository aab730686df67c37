//! A TLS greeting made by hand, and what a server shows before anything is encrypted (RFC 5246, RFC 8446).
//!
//! Nothing is computed: the key share is a fixed point, and the connection is dropped after the server's words.

use super::{TlsSeen, certificate};

/// What a server answered to a greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It speaks TLS and chose.
    Chosen { version: u16, cipher: u16, seen: TlsSeen },
    /// It speaks TLS and refused, with this alert.
    Alert(u8),
    /// It does not speak TLS.
    Other,
    /// More bytes may tell.
    Short,
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// Suites from good to bad, so that only a server without better ones picks from the end: forward secrecy, plain
/// RSA, triple DES, RC4, DES, export, anonymous, without encryption.
#[rustfmt::skip]
const SUITES: &[u16] = &[
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xc023, 0xc027, 0xc009, 0xc013, 0xc00a, 0xc014,
    0x0033, 0x0039, 0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0xc012, 0x0016, 0x000a, 0x0005, 0x0004,
    0x0009, 0x0003, 0x0034, 0x0018, 0x003b, 0x0002, 0x0001,
];
const FIRST_BAD: u16 = 0xc012;
const MODERN_SUITES: &[u16] = &[0x1301, 0x1302, 0x1303];

/// A greeting for TLS 1.2 and before, in which certificates come in the clear. It carries no name: devices are
/// asked by address. Shorter than 256 bytes, for old load balancers hang on longer ones.
pub(super) fn until_1_2(random: [u8; 32]) -> Vec<u8> {
    greeting(random, &[], SUITES, &[])
}

/// A greeting for TLS 1.3 alone.
pub(super) fn only_1_3(random: [u8; 32]) -> Vec<u8> {
    let mut extensions = vec![0, 43, 0, 3, 2, 3, 4];
    // One X25519 share (group 29): u = 9, the base point, a valid public key (RFC 7748 section 4.1).
    extensions.extend([0, 51, 0, 38, 0, 36, 0, 29, 0, 32, 9]);
    extensions.extend([0; 31]);
    greeting(random, &random, MODERN_SUITES, &extensions)
}

fn greeting(random: [u8; 32], session: &[u8], suites: &[u16], more: &[u8]) -> Vec<u8> {
    let mut extensions = vec![
        0, 10, 0, 10, 0, 8, 0, 29, 0, 23, 0, 24, 0, 25, // groups: X25519, P-256, P-384, P-521
        0, 11, 0, 2, 1, 0, // points as they are
        0, 13, 0, 22, 0, 20, // signatures: ECDSA, PSS, PKCS #1, the latter two down to SHA-1
        4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 2, 1, 2, 3, //
        0xff, 1, 0, 1, 0, // secure renegotiation (RFC 5746)
    ];
    extensions.extend_from_slice(more);
    let mut body = vec![3, 3];
    body.extend(random);
    body.push(session.len() as u8);
    body.extend_from_slice(session);
    body.extend(sized(&suites.iter().flat_map(|suite| suite.to_be_bytes()).collect::<Vec<_>>()));
    body.extend([1, 0]);
    body.extend(sized(&extensions));
    let mut handshake = vec![1, 0];
    handshake.extend(sized(&body));
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(sized(&handshake));
    record
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

/// Reads what came back so far. `Short` while a certificate may still come.
pub(super) fn reply(bytes: &[u8]) -> Reply {
    let mut handshake = Vec::new();
    let mut rest = bytes;
    let mut is_short = bytes.is_empty();
    while !rest.is_empty() {
        let Some((head, tail)) = rest.split_at_checked(5) else {
            is_short = true;
            break;
        };
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if head[1] != 3 || head[2] > 4 || !matches!(head[0], 20..=23) || length > (1 << 14) + 2048 {
            // Noise after a whole answer changes nothing.
            if handshake.is_empty() {
                return Reply::Other;
            }
            break;
        }
        let content = tail.get(..length).unwrap_or(tail);
        match head[0] {
            HANDSHAKE => handshake.extend_from_slice(content),
            ALERT if handshake.is_empty() => {
                return content.get(1).map_or(Reply::Short, |alert| Reply::Alert(*alert));
            }
            // An alert, or the begin of what is encrypted: nothing more will come in the clear.
            _ => break,
        }
        let Some(next) = tail.get(length..) else {
            is_short = true;
            break;
        };
        rest = next;
        is_short = rest.is_empty();
    }
    messages(&handshake, is_short)
}

fn messages(bytes: &[u8], is_short: bool) -> Reply {
    let mut chosen: Option<(u16, u16)> = None;
    let mut seen = TlsSeen::default();
    let mut rest = bytes;
    let whole = loop {
        let Some((head, tail)) = rest.split_at_checked(4) else { break false };
        let length = usize::from(head[1]) << 16 | usize::from(u16::from_be_bytes([head[2], head[3]]));
        let Some((content, next)) = tail.split_at_checked(length) else { break false };
        match (head[0], chosen) {
            (2, None) => match server_hello(content) {
                Some((version, cipher)) => {
                    chosen = Some((version, cipher));
                    if version >= 0x0304 {
                        break true;
                    }
                }
                None => return Reply::Other,
            },
            // The first certificate of the list is the server's own.
            (11, Some(_)) => {
                let size = content
                    .get(3..6)
                    .map(|b| usize::from(b[0]) << 16 | usize::from(b[1]) << 8 | usize::from(b[2]));
                if let Some(der) = size.and_then(|size| content.get(6..6 + size)) {
                    // What cannot be read is a certificate without names.
                    let _ = certificate::describe(der, &mut seen);
                }
                break true;
            }
            (14, Some(_)) => break true,
            (_, Some(_)) => {}
            _ => return Reply::Other,
        }
        rest = next;
    };
    match chosen {
        _ if !whole && is_short => Reply::Short,
        Some((version, cipher)) => {
            seen.version = Some(version_name(version));
            seen.cipher = Some(cipher);
            Reply::Chosen { version, cipher, seen }
        }
        None => Reply::Other,
    }
}

/// The version and suite of a `ServerHello`; a request to retry (RFC 8446 section 4.1.4) has them as well.
fn server_hello(bytes: &[u8]) -> Option<(u16, u16)> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let legacy = word(0)?;
    if !(0x0300..=0x0304).contains(&legacy) {
        return None;
    }
    let session = usize::from(*bytes.get(34)?);
    let cipher = word(35 + session)?;
    let mut version = legacy;
    let mut rest = bytes.get(38 + session + 2..).unwrap_or(&[]);
    while let [a, b, c, d, tail @ ..] = rest {
        let Some((content, next)) = tail.split_at_checked(usize::from(u16::from_be_bytes([*c, *d]))) else {
            break;
        };
        if (*a, *b) == (0, 43)
            && let [high, low] = content
        {
            version = u16::from_be_bytes([*high, *low]);
        }
        rest = next;
    }
    Some((version, cipher))
}

/// Whether a suite is one that nobody should choose.
pub(super) fn is_bad_suite(cipher: u16) -> bool {
    let from = SUITES.iter().position(|suite| *suite == FIRST_BAD).unwrap_or(SUITES.len());
    SUITES.iter().skip(from).any(|suite| *suite == cipher)
}

/// The version as people write it.
pub(super) fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".into(),
        0x0301..=0x0304 => format!("1.{}", version - 0x0301),
        other => format!("{other:04x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::tests::{CERTIFICATE, tls_flight};

    #[test]
    fn greetings_have_their_sizes() {
        for bytes in [until_1_2([7; 32]), only_1_3([7; 32])] {
            assert!(bytes.len() < 256, "{}", bytes.len());
            assert_eq!(usize::from(u16::from_be_bytes([bytes[3], bytes[4]])), bytes.len() - 5);
            assert_eq!(usize::from(u16::from_be_bytes([bytes[7], bytes[8]])), bytes.len() - 9);
        }
    }

    #[test]
    fn a_server_is_read_from_any_cut() {
        let flight = tls_flight(0x0303, 0xc02f, CERTIFICATE);
        let Reply::Chosen { version, cipher, seen } = reply(&flight) else { panic!("{:?}", reply(&flight)) };
        assert_eq!((version, cipher, seen.version.as_deref()), (0x0303, 0xc02f, Some("1.2")));
        assert_eq!(seen.names.len(), 2);
        let short = (0..flight.len() - 9).filter(|n| reply(&flight[..*n]) == Reply::Short).count();
        assert_eq!(short, flight.len() - 9, "everything before the last message waits for more");
    }

    #[test]
    fn refusals_and_others() {
        assert_eq!(reply(&[21, 3, 1, 0, 2, 2, 70]), Reply::Alert(70));
        assert_eq!(reply(b"HTTP/1.1 400 Bad Request\r\n"), Reply::Other);
        assert_eq!(reply(&[]), Reply::Short);
        let mut retry = vec![22, 3, 3, 0, 50, 2, 0, 0, 46, 3, 3];
        retry.extend([1; 32]);
        retry.extend([0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
        retry[4] = (retry.len() - 5) as u8;
        retry[8] = (retry.len() - 9) as u8;
        assert!(
            matches!(reply(&retry), Reply::Chosen { version: 0x0304, cipher: 0x1301, .. }),
            "{:?}",
            reply(&retry)
        );
        assert!(
            is_bad_suite(0x0005) && is_bad_suite(0x000a) && !is_bad_suite(0xc02f) && !is_bad_suite(0x1301)
        );
        assert_eq!(version_name(0x0300), "SSL 3.0");
        assert_eq!(version_name(0x0301), "1.0");
    }
}
