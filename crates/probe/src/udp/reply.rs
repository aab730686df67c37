//! Whether a datagram answers the question that was asked, for services whose answers name their question.

/// Whether a datagram from a port may be the answer to a question. DNS, NTP and SNMP (ports 53, 123, 161) answer with
/// the id or time stamp of the question; of other services, and of a question that is none of theirs, nothing can be
/// told apart.
pub(super) fn is_of(port: u16, question: &[u8], datagram: &[u8]) -> bool {
    let (asked, answered) = match port {
        53 => (dns(question, false), dns(datagram, true)),
        123 => (ntp(question, 3, 40), ntp(datagram, 4, 24)),
        161 => (snmp(question), snmp(datagram)),
        _ => return true,
    };
    asked.is_none() || asked == answered
}

/// The id of a message (RFC 1035 section 4.1.1).
fn dns(message: &[u8], is_response: bool) -> Option<u64> {
    let header: &[u8; 12] = message.first_chunk()?;
    let is_it = (header[2] & 0x80 != 0) == is_response;
    is_it.then(|| u64::from(u16::from_be_bytes([header[0], header[1]])))
}

/// A client's transmit time stamp comes back as the origin of the answer (RFC 5905 section 7.3).
fn ntp(packet: &[u8], mode: u8, at: usize) -> Option<u64> {
    let header: &[u8; 48] = packet.first_chunk()?;
    let stamp = header.get(at..)?.first_chunk()?;
    (header[0] & 7 == mode).then(|| u64::from_be_bytes(*stamp))
}

/// The request id (RFC 3416 section 3), or the message id of version 3 (RFC 3412 section 6).
fn snmp(message: &[u8]) -> Option<u64> {
    let (0x30, message, _) = element(message)? else { return None };
    let (2, version, rest) = element(message)? else { return None };
    let inner = if version == [3] {
        let (0x30, global, _) = element(rest)? else { return None };
        global
    } else {
        let (4, _, rest) = element(rest)? else { return None };
        // A PDU of any kind: context-specific and constructed.
        let (0xA0..=0xA8, pdu, _) = element(rest)? else { return None };
        pdu
    };
    let (2, id, _) = element(inner)? else { return None };
    let is_short = !id.is_empty() && id.len() <= 4;
    is_short.then(|| id.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
}

/// The first element of BER (X.690): its tag, its content, and what follows.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of version 2c, with its community, kind and request id.
    fn message(kind: u8, id: [u8; 2]) -> Vec<u8> {
        let mut bytes = vec![0x30, 23, 2, 1, 1, 4, 6];
        bytes.extend(b"public");
        bytes.extend([kind, 0x81, 11, 2, 2, id[0], id[1], 2, 1, 0, 2, 1, 0, 0x30, 0]);
        bytes[1] = (bytes.len() - 2) as u8;
        bytes
    }

    #[test]
    fn only_the_answer_to_our_question_counts() {
        let query = [7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let mut response = query;
        response[2] = 0x81;
        assert!(is_of(53, &query, &response));
        assert!(!is_of(53, &query, &query), "an echo is no answer");
        response[0] = 9;
        assert!(!is_of(53, &query, &response));
        let mut question = [0; 48];
        question[0] = 0x23;
        question[40..].fill(5);
        let mut answer = [0; 48];
        answer[0] = 0x24;
        answer[24..32].fill(5);
        assert!(is_of(123, &question, &answer));
        answer[31] = 4;
        assert!(!is_of(123, &question, &answer));
        assert!(is_of(161, &message(0xA0, [1, 2]), &message(0xA2, [1, 2])));
        assert!(!is_of(161, &message(0xA0, [1, 2]), &message(0xA2, [1, 3])));
        assert!(!is_of(161, &message(0xA0, [1, 2]), b"anything"));
        // Version 3: the id stands in the header.
        let third = |id| [0x30, 10, 2, 1, 3, 0x30, 5, 2, 1, id, 2, 0];
        assert!(is_of(161, &third(7), &third(7)) && !is_of(161, &third(7), &third(8)));
        assert!(is_of(5060, b"?", b"!") && is_of(53, b"?", b"!"));
    }

    #[test]
    fn no_bytes_panic() {
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let valid = message(0xA0, [1, 2]);
        for round in 0..20_000 {
            let mut bytes = valid.clone();
            match round % 3 {
                0 => bytes = (0..next() % 60).map(|_| next() as u8).collect(),
                1 => bytes.truncate(next() as usize % 30),
                _ => {
                    let at = next() as usize % bytes.len();
                    bytes[at] = next() as u8;
                }
            }
            for port in [53, 123, 161] {
                let _ = (is_of(port, &valid, &bytes), is_of(port, &bytes, &valid));
            }
        }
    }
}
