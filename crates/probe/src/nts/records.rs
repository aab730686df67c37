//! Records of the key exchange (RFC 8915 section 4).

/// What the key exchange is called in TLS.
pub const ALPN: &[u8] = b"ntske/1";

/// The label under which TLS gives out the keys.
pub const EXPORTER: &[u8] = b"EXPORTER-network-time-security";

/// The one algorithm that every server must have (RFC 8915 section 4.1.5).
pub const AEAD_AES_SIV_CMAC_256: u16 = 15;

/// Cookies that are kept; servers send eight.
const COOKIES: usize = 16;

/// The record is critical: who does not know it must not go on.
const CRITICAL: u16 = 0x8000;

const END: u16 = 0;
const PROTOCOL: u16 = 1;
const ERROR: u16 = 2;
const WARNING: u16 = 3;
const AEAD: u16 = 4;
const COOKIE: u16 = 5;
const SERVER: u16 = 6;
const NTP_PORT: u16 = 7;

/// What a server agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// NTPv4 follows.
    pub is_ntp: bool,
    /// The algorithm chosen.
    pub aead: Option<u16>,
    /// Cookies to ask the time with.
    pub cookies: Vec<Vec<u8>>,
    /// Where to ask, if elsewhere: a name or an address.
    pub server: Option<String>,
    /// The port to ask, if not 123.
    pub port: Option<u16>,
    /// Why not: 0 a critical record unknown to the server, 1 a bad request, 2 an internal error.
    pub error: Option<u16>,
    /// A warning's code.
    pub warning: Option<u16>,
}

/// Octets that are no key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A client's request: NTPv4 with AES-SIV-CMAC-256.
pub fn request() -> Vec<u8> {
    let mut octets = Vec::with_capacity(16);
    for (kind, body) in [(PROTOCOL, Some(0)), (AEAD, Some(AEAD_AES_SIV_CMAC_256)), (END, None)] {
        octets.extend_from_slice(&(kind | CRITICAL).to_be_bytes());
        octets.extend_from_slice(&if body.is_some() { 2_u16 } else { 0 }.to_be_bytes());
        octets.extend(body.into_iter().flat_map(u16::to_be_bytes));
    }
    octets
}

/// Reads a server's records as they come, each once.
#[derive(Debug, Default)]
pub struct Reader {
    agreement: Agreement,
    // Of a record that is not there as a whole.
    unread: Vec<u8>,
}

impl Reader {
    /// Takes the next octets; the agreement once the last record is there.
    pub fn take(&mut self, octets: &[u8]) -> Result<Option<Agreement>, Malformed> {
        self.unread.extend_from_slice(octets);
        let mut used = 0;
        while let Some((head, rest)) = self.unread.get(used..).and_then(|rest| rest.split_first_chunk::<4>())
        {
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let Some(body) = rest.get(..length) else { break };
            used += head.len() + length;
            if kind & !CRITICAL == END {
                let agreement = std::mem::take(&mut self.agreement);
                return if body.is_empty() { Ok(Some(agreement)) } else { Err(Malformed) };
            }
            self.agreement.add(kind, body)?;
        }
        self.unread.drain(..used);
        Ok(None)
    }
}

impl Agreement {
    fn add(&mut self, kind: u16, body: &[u8]) -> Result<(), Malformed> {
        match kind & !CRITICAL {
            // An empty list says that the server has none of what was asked for.
            PROTOCOL => self.is_ntp = words(body)?.contains(&0),
            AEAD => self.aead = words(body)?.first().copied(),
            ERROR => self.error = Some(word(body)?),
            WARNING => self.warning = Some(word(body)?),
            COOKIE if body.is_empty() => return Err(Malformed),
            COOKIE if self.cookies.len() < COOKIES => self.cookies.push(body.to_vec()),
            COOKIE => {}
            SERVER if body.is_ascii() => self.server = Some(String::from_utf8_lossy(body).into_owned()),
            SERVER => return Err(Malformed),
            NTP_PORT => self.port = Some(word(body)?),
            _ if kind & CRITICAL != 0 => return Err(Malformed),
            _ => {}
        }
        Ok(())
    }
}

fn word(body: &[u8]) -> Result<u16, Malformed> {
    body.try_into().map(u16::from_be_bytes).map_err(|_| Malformed)
}

fn words(body: &[u8]) -> Result<Vec<u16>, Malformed> {
    body.chunks(2).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<Option<Agreement>, Malformed> {
        Reader::default().take(octets)
    }

    #[test]
    fn a_request_is_three_records() {
        assert_eq!(request(), [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0]);
        let echo = read(&request()).unwrap().unwrap();
        assert_eq!((echo.is_ntp, echo.aead), (true, Some(15)));
    }

    #[test]
    fn an_agreement_may_come_in_pieces() {
        let octets = [
            &[0x80, 1, 0, 2, 0, 0, 0, 4, 0, 2, 0, 15, 0, 5, 0, 3, 7, 8, 9, 0x80, 7, 0, 2, 0x2b, 0x73][..],
            &[0x80, 6, 0, 4][..],
            b"ntp1",
            &[0x40, 0, 0, 1, 9, 0x80, 0, 0, 0][..],
        ]
        .concat();
        for cut in 0..octets.len() {
            assert_eq!(read(&octets[..cut]), Ok(None));
        }
        let mut reader = Reader::default();
        let mut last = None;
        for octet in &octets {
            assert_eq!(last, None);
            last = reader.take(&[*octet]).unwrap();
            // Nothing is read twice: what has been is gone.
            assert!(reader.unread.len() < 12);
        }
        let agreement = read(&octets).unwrap().unwrap();
        assert_eq!(last.as_ref(), Some(&agreement));
        assert_eq!(agreement.cookies, [[7, 8, 9]]);
        assert_eq!((agreement.server.as_deref(), agreement.port), (Some("ntp1"), Some(11_123)));
    }

    #[test]
    fn what_is_critical_and_unknown_ends_it() {
        assert_eq!(read(&[0xc0, 0, 0, 1, 9, 0x80, 0, 0, 0]), Err(Malformed));
        assert_eq!(read(&[0x80, 2, 0, 1, 9, 0x80, 0, 0, 0]), Err(Malformed));
    }

    #[test]
    fn no_octets_break_it() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let good = [&[0x80, 1, 0, 2, 0, 0, 0, 4, 0, 2, 0, 15, 0, 5, 0, 3, 7, 8, 9][..], &request()].concat();
        for round in 0..20_000 {
            let mut octets = good.clone();
            if round % 2 == 0 {
                octets = (0..next() % 60)
                    .map(|_| next() as u8 & if round % 4 == 0 { 0x87 } else { 0xff })
                    .collect();
            } else {
                for _ in 0..1 + next() % 3 {
                    let at = next() as usize % octets.len();
                    octets[at] = next() as u8;
                }
            }
            if let Ok(Some(agreement)) = read(&octets) {
                assert!(agreement.cookies.len() <= COOKIES);
            }
        }
    }
}
