//! Datagrams of the reflector's protocol as bytes.

use ring::hmac;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Bytes of the head; no datagram is shorter.
pub(super) const HEAD: usize = 128;
const MAC: std::ops::Range<usize> = 96..128;

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hello = 1,
    Cookie = 2,
    Ask = 3,
    Answer = 4,
}

/// The head without its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub kind: Kind,
    pub session: [u8; 16],
    pub number: u64,
    pub ends: u64,
    pub cookie: [u8; 16],
    pub seen: SocketAddr,
    pub port: u16,
}

/// No address seen.
pub(super) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

impl Head {
    /// The bytes of a datagram of a length (128 at least), with its code.
    pub fn seal(&self, key: &hmac::Key, length: usize) -> Vec<u8> {
        let length = length.clamp(HEAD, usize::from(u16::MAX));
        let mut head = Vec::with_capacity(length);
        head.extend_from_slice(b"TGRF");
        head.extend_from_slice(&[1, self.kind as u8]);
        head.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        head.extend_from_slice(&self.session);
        head.extend_from_slice(&self.number.to_be_bytes());
        head.extend_from_slice(&self.ends.to_be_bytes());
        head.extend_from_slice(&self.cookie);
        head.extend_from_slice(&octets(self.seen.ip()));
        head.extend_from_slice(&self.seen.port().to_be_bytes());
        head.extend_from_slice(&self.port.to_be_bytes());
        head.resize(MAC.start, 0);
        let padding = vec![0; length - HEAD];
        let mut code = hmac::Context::with_key(key);
        code.update(&head);
        code.update(&padding);
        head.extend_from_slice(code.sign().as_ref());
        head.extend_from_slice(&padding);
        head
    }

    /// Reads a head; its code is not checked yet.
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let length = u16::from_be_bytes([head[6], head[7]]);
        if !head.starts_with(b"TGRF\x01") || usize::from(length) != bytes.len() {
            return None;
        }
        let kind = match head[5] {
            1 => Kind::Hello,
            2 => Kind::Cookie,
            3 => Kind::Ask,
            4 => Kind::Answer,
            _ => return None,
        };
        let seen = IpAddr::V6(Ipv6Addr::from(taken::<16>(head, 56))).to_canonical();
        Some(Head {
            kind,
            session: taken(head, 8),
            number: u64::from_be_bytes(taken(head, 24)),
            ends: u64::from_be_bytes(taken(head, 32)),
            cookie: taken(head, 40),
            seen: SocketAddr::new(seen, u16::from_be_bytes(taken(head, 72))),
            port: u16::from_be_bytes(taken(head, 74)),
        })
    }

    /// Whether the code of a datagram is right. Takes the same time wherever it is wrong.
    pub fn is_sealed(bytes: &[u8], key: &hmac::Key) -> bool {
        let (Some(before), Some(code), Some(after)) =
            (bytes.get(..MAC.start), bytes.get(MAC), bytes.get(MAC.end..))
        else {
            return false;
        };
        let mut whole = Vec::with_capacity(bytes.len());
        whole.extend_from_slice(before);
        whole.extend_from_slice(after);
        hmac::verify(key, &whole, code).is_ok()
    }
}

fn taken<const N: usize>(head: &[u8; HEAD], at: usize) -> [u8; N] {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The keys that come from the secret.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    secret: hmac::Key,
}

impl Keys {
    pub fn new(secret: &[u8; 32]) -> Self {
        Keys { secret: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Of hello and cookie.
    pub fn hello(&self, session: &[u8; 16]) -> hmac::Key {
        self.derive(b"tillgate-reflect/1 hello", session, &[])
    }

    /// Of ask and answer.
    pub fn session(&self, session: &[u8; 16], ends: u64) -> hmac::Key {
        self.derive(b"tillgate-reflect/1 session", session, &ends.to_be_bytes())
    }

    fn derive(&self, label: &[u8], session: &[u8; 16], more: &[u8]) -> hmac::Key {
        let mut code = hmac::Context::with_key(&self.secret);
        code.update(label);
        code.update(session);
        code.update(more);
        hmac::Key::new(hmac::HMAC_SHA256, code.sign().as_ref())
    }
}

/// The cookie for whoever sends from an address.
pub(super) fn cookie(key: &hmac::Key, from: SocketAddr, session: &[u8; 16], ends: u64) -> [u8; 16] {
    let mut code = hmac::Context::with_key(key);
    code.update(&octets(from.ip()));
    code.update(&from.port().to_be_bytes());
    code.update(session);
    code.update(&ends.to_be_bytes());
    code.sign().as_ref().first_chunk().copied().unwrap_or([0; 16])
}

/// Whether two cookies are the same, in the same time wherever they differ.
pub(super) fn is_same(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
