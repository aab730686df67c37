//! Extension fields of an authenticated packet (RFC 8915 section 5, RFC 7822), sealed with AES-SIV (RFC 5297).

use crate::ntp::packet::{self, Packet, Stamp};
use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;

const UNIQUE_ID: u16 = 0x0104;
const COOKIE: u16 = 0x0204;
const AUTHENTICATOR: u16 = 0x0404;

/// The keys of both directions.
#[derive(Clone)]
pub struct Keys {
    pub to_server: [u8; 32],
    pub to_client: [u8; 32],
}

/// What is wrong with an answer to the question asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The kiss code NTSN: the server does not know its own cookie.
    Nak,
    /// It carries no authenticator, or not our id.
    Plain,
    /// Its authenticator does not fit its contents.
    Forged,
}

/// A sealed question; `None` if a cookie is too long for a field, or sealing fails.
pub fn question(
    stamp: Stamp,
    id: &[u8; 32],
    cookie: &[u8],
    nonce: &[u8; 16],
    keys: &Keys,
) -> Option<Vec<u8>> {
    let mut octets = packet::question(stamp).to_vec();
    field(&mut octets, UNIQUE_ID, id)?;
    field(&mut octets, COOKIE, cookie)?;
    seal(&mut octets, nonce, &[], &keys.to_server)?;
    Some(octets)
}

/// Checks an answer to a question with this id; the number of new cookies it brings.
pub fn verify(octets: &[u8], header: &Packet, id: &[u8; 32], keys: &Keys) -> Result<usize, Flaw> {
    let mut is_ours = false;
    for (kind, start, body) in (Fields { octets, at: packet::LENGTH }) {
        match kind {
            UNIQUE_ID => is_ours = body == id,
            AUTHENTICATOR if is_ours => {
                let inner = octets.get(..start).and_then(|sealed| open(sealed, body, &keys.to_client));
                let inner = inner.ok_or(Flaw::Forged)?;
                let fields = Fields { octets: &inner, at: 0 };
                return Ok(fields.filter(|(kind, _, body)| *kind == COOKIE && !body.is_empty()).count());
            }
            _ => {}
        }
    }
    // A NAK is not sealed: the server has no keys. Our id shows that it saw the question.
    let is_nak = is_ours && header.stratum == 0 && &header.reference == b"NTSN";
    Err(if is_nak { Flaw::Nak } else { Flaw::Plain })
}

/// Kind, place and body of fields, up to the first that does not fit.
pub struct Fields<'a> {
    pub octets: &'a [u8],
    pub at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u16, usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = self.octets.get(start..)?;
        let (head, _) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let body = rest.get(4..length).filter(|_| length.is_multiple_of(4))?;
        self.at = start + length;
        Some((u16::from_be_bytes([head[0], head[1]]), start, body))
    }
}

/// Adds a field, padded to whole words.
pub fn field(octets: &mut Vec<u8>, kind: u16, body: &[u8]) -> Option<()> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = u16::try_from(4 + body.len() + padding).ok()?;
    octets.extend_from_slice(&kind.to_be_bytes());
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(body);
    octets.resize(octets.len() + padding, 0);
    Some(())
}

/// Adds the authenticator over everything so far, with `inner` sealed inside.
pub fn seal(octets: &mut Vec<u8>, nonce: &[u8; 16], inner: &[u8], key: &[u8; 32]) -> Option<()> {
    let sealed = Aes128Siv::new(&(*key).into()).encrypt([octets.as_slice(), nonce.as_slice()], inner).ok()?;
    let mut body = Vec::with_capacity(20 + sealed.len());
    body.extend_from_slice(&16_u16.to_be_bytes());
    body.extend_from_slice(&u16::try_from(sealed.len()).ok()?.to_be_bytes());
    body.extend_from_slice(nonce);
    body.extend_from_slice(&sealed);
    field(octets, AUTHENTICATOR, &body)
}

/// What an authenticator holds inside, if it fits `sealed`, the packet before it.
pub fn open(sealed: &[u8], body: &[u8], key: &[u8; 32]) -> Option<Vec<u8>> {
    let (head, rest) = body.split_first_chunk::<4>()?;
    let nonce_length = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let nonce = rest.get(..nonce_length).filter(|nonce| !nonce.is_empty())?;
    let cipher = rest.get(nonce_length.next_multiple_of(4)..)?.get(..length)?;
    Aes128Siv::new(&(*key).into()).decrypt([sealed, nonce], cipher).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { to_server: [1; 32], to_client: [2; 32] }
    }

    fn answer(id: &[u8; 32]) -> Vec<u8> {
        let mut octets = packet::question(Stamp(5)).to_vec();
        octets[0] = 0x24;
        field(&mut octets, UNIQUE_ID, id).unwrap();
        let mut inner = Vec::new();
        field(&mut inner, COOKIE, &[9; 100]).unwrap();
        seal(&mut octets, &[3; 16], &inner, &keys().to_client).unwrap();
        octets
    }

    fn judged(octets: &[u8]) -> Result<usize, Flaw> {
        verify(octets, &packet::read(octets).unwrap(), &[7; 32], &keys())
    }

    #[test]
    fn a_question_opens_with_its_key() {
        let octets = question(Stamp(5), &[7; 32], &[8; 98], &[3; 16], &keys()).unwrap();
        let all: Vec<_> = Fields { octets: &octets, at: packet::LENGTH }.collect();
        assert_eq!(
            all.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(),
            [UNIQUE_ID, COOKIE, AUTHENTICATOR]
        );
        let (_, start, body) = all[2];
        assert_eq!(open(&octets[..start], body, &keys().to_server), Some(Vec::new()));
        assert_eq!(open(&octets[..start], body, &keys().to_client), None);
    }

    #[test]
    fn only_what_is_sealed_for_us_counts() {
        assert_eq!(judged(&answer(&[7; 32])), Ok(1));
        assert_eq!(judged(&answer(&[6; 32])), Err(Flaw::Plain));
        let mut touched = answer(&[7; 32]);
        touched[33] ^= 1;
        assert_eq!(judged(&touched), Err(Flaw::Forged));
        assert_eq!(judged(&touched[..48]), Err(Flaw::Plain));
        let mut nak = touched[..84].to_vec();
        nak[1] = 0;
        nak[12..16].copy_from_slice(b"NTSN");
        assert_eq!(judged(&nak), Err(Flaw::Nak));
    }

    #[test]
    fn no_octets_break_it() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let good = answer(&[7; 32]);
        for _ in 0..20_000 {
            let mut octets = good.clone();
            for _ in 0..1 + next() % 3 {
                let at = next() as usize % octets.len();
                octets[at] = octets[at].wrapping_add(1 + (next() % 255) as u8);
            }
            octets.truncate(packet::LENGTH.max(next() as usize % (2 * octets.len())));
            if octets != good {
                assert!(judged(&octets).is_err());
            }
        }
    }
}
