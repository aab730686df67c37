//! What the reflector replies to a datagram: no sockets, the time passed in.

use super::wire::{Head, Keys, Kind, NOBODY, cookie, is_same};
use ring::hmac;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Seconds of a time slot; a cookie holds for this and the next.
const SLOT: u64 = 16;
/// Asks a source may send at once; 101 ports take 101.
const BURST: u32 = 8192;
/// And then in every second.
const RATE: u32 = 512;
/// Hellos that are replied to at once, and then in every second, whoever sends them.
const HELLOS: (u32, u32) = (65_536, 16_384);
/// Hellos of one share of all sessions: a recorded one that is sent again and again uses up its own share only.
const SHARE: (u32, u32) = (16_384, 1024);
/// Shares.
const SHARES: usize = 256;
/// Sources remembered at most.
const SOURCES: usize = 4096;
/// Numbers remembered at most; they are forgotten when their cookie ends.
const NUMBERS: usize = 1 << 18;

/// What was done, and what was dropped and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cookies given out.
    pub cookies: u64,
    /// Asks answered.
    pub answers: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Not of this protocol, or of a kind that is only sent by a server.
    pub foreign: u64,
    /// Made with another secret, or changed on the way.
    pub forged: u64,
    /// With a cookie that was not given to this sender.
    pub wrong_cookie: u64,
    /// With a cookie that has ended.
    pub expired: u64,
    /// A second time.
    pub replayed: u64,
    /// Too many hellos, or too many asks from one source.
    pub limited: u64,
    /// Replies that this host would not send.
    pub unsent: u64,
    /// TCP connections refused because there were too many, or cut off because they took too long.
    pub connections: u64,
}

impl Tally {
    /// Everything that got no reply.
    pub fn dropped(&self) -> u64 {
        self.foreign
            + self.forged
            + self.wrong_cookie
            + self.expired
            + self.replayed
            + self.limited
            + self.unsent
    }
}

/// The one place where it is decided who gets what.
#[derive(Debug)]
pub(super) struct Desk {
    keys: Keys,
    run: hmac::Key,
    hellos: Bucket,
    shares: Vec<Bucket>,
    // Only of those who have shown a cookie, so that forged addresses have no place here.
    sources: HashMap<IpAddr, Bucket>,
    // The same by the time of their last ask.
    oldest: BTreeSet<(u64, IpAddr)>,
    numbers: HashSet<([u8; 16], u64)>,
    ends: VecDeque<(u64, ([u8; 16], u64))>,
    pub tally: Tally,
}

impl Desk {
    /// `run` is random and of this run only.
    pub fn new(secret: &[u8; 32], run: &[u8; 32]) -> Self {
        Desk {
            keys: Keys::new(secret),
            run: hmac::Key::new(hmac::HMAC_SHA256, run),
            hellos: Bucket::new(HELLOS),
            shares: vec![Bucket::new(SHARE); SHARES],
            sources: HashMap::new(),
            oldest: BTreeSet::new(),
            numbers: HashSet::new(),
            ends: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// The reply to a datagram that came from `from` to `port` at `now`: as long as the datagram. `now` is in seconds
    /// and never goes back.
    pub fn reply(&mut self, datagram: &[u8], from: SocketAddr, port: u16, now: u64) -> Option<Vec<u8>> {
        self.tally.bytes_in += datagram.len() as u64;
        let head = match Head::read(datagram) {
            Some(head) if matches!(head.kind, Kind::Hello | Kind::Ask) => head,
            _ => {
                self.tally.foreign += 1;
                return None;
            }
        };
        let key = match head.kind {
            Kind::Hello => self.keys.hello(&head.session),
            _ => self.keys.session(&head.session, head.ends),
        };
        if !Head::is_sealed(datagram, &key) {
            self.tally.forged += 1;
            return None;
        }
        // Only who knows the secret, or has recorded somebody who does, gets as far as being counted.
        let reply = match head.kind {
            Kind::Hello => self.give_cookie(&head, from, port, now)?,
            _ => self.answer(&head, from, port, now)?,
        };
        let bytes = reply.seal(&key, datagram.len());
        self.tally.bytes_out += bytes.len() as u64;
        Some(bytes)
    }

    fn give_cookie(&mut self, head: &Head, from: SocketAddr, port: u16, now: u64) -> Option<Head> {
        // Where a hello comes from says nothing yet, so it is not counted by that.
        let share = self.shares.get_mut(usize::from(head.session[0]) % SHARES);
        if !share.is_some_and(|share| share.takes(SHARE, now)) || !self.hellos.takes(HELLOS, now) {
            self.tally.limited += 1;
            return None;
        }
        let ends = (now / SLOT).saturating_add(2).saturating_mul(SLOT);
        self.tally.cookies += 1;
        let cookie = cookie(&self.run, from, &head.session, ends);
        Some(Head { kind: Kind::Cookie, ends, cookie, seen: NOBODY, port, ..*head })
    }

    fn answer(&mut self, head: &Head, from: SocketAddr, port: u16, now: u64) -> Option<Head> {
        if !is_same(&head.cookie, &cookie(&self.run, from, &head.session, head.ends)) {
            self.tally.wrong_cookie += 1;
            return None;
        }
        if head.ends <= now {
            self.tally.expired += 1;
            return None;
        }
        while let Some((_, number)) = self.ends.front().filter(|(ends, _)| *ends <= now) {
            self.numbers.remove(number);
            self.ends.pop_front();
        }
        let number = (head.session, head.number);
        if self.numbers.contains(&number) {
            self.tally.replayed += 1;
            return None;
        }
        if self.numbers.len() >= NUMBERS || !self.is_within_limit(from.ip(), now) {
            self.tally.limited += 1;
            return None;
        }
        self.numbers.insert(number);
        self.ends.push_back((head.ends, number));
        self.tally.answers += 1;
        Some(Head { kind: Kind::Answer, cookie: [0; 16], seen: from, port, ..*head })
    }

    fn is_within_limit(&mut self, from: IpAddr, now: u64) -> bool {
        let source = customer(from);
        match self.sources.get(&source) {
            Some(known) => drop(self.oldest.remove(&(known.last, source))),
            // Whoever has asked nothing for the longest time is most like new.
            None if self.sources.len() >= SOURCES => {
                if let Some((_, quiet)) = self.oldest.pop_first() {
                    self.sources.remove(&quiet);
                }
            }
            None => {}
        }
        let bucket = self.sources.entry(source).or_insert_with(|| Bucket::new((BURST, RATE)));
        let is_within = bucket.takes((BURST, RATE), now);
        self.oldest.insert((bucket.last, source));
        is_within
    }
}

/// Who counts as one: an address, or a whole /64 of IPv6, which one customer has.
pub(super) fn customer(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) >> 64 << 64)),
        ip => ip,
    }
}

/// So many at once, and so many more in every second.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    last: u64,
}

impl Bucket {
    fn new((burst, _): (u32, u32)) -> Self {
        Bucket { left: burst, last: 0 }
    }

    /// Takes one out, if there is one.
    fn takes(&mut self, (burst, rate): (u32, u32), now: u64) -> bool {
        let gained = u64::from(rate).saturating_mul(now.saturating_sub(self.last));
        self.left = u32::try_from(gained).unwrap_or(burst).saturating_add(self.left).min(burst);
        self.last = now;
        match self.left.checked_sub(1) {
            Some(rest) => {
                self.left = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reflect::wire::HEAD;

    const SECRET: [u8; 32] = [7; 32];
    const RUN: [u8; 32] = [9; 32];
    const NOW: u64 = 1_800_000_000;

    fn from(port: u16) -> SocketAddr {
        SocketAddr::new("192.0.2.7".parse().unwrap(), port)
    }

    fn hello() -> Head {
        let session = [3; 16];
        Head { kind: Kind::Hello, session, number: 1, ends: 0, cookie: [0; 16], seen: NOBODY, port: 10_000 }
    }

    /// A desk, and an ask that it would answer.
    fn asked() -> (Desk, Head) {
        let mut desk = Desk::new(&SECRET, &RUN);
        let keys = Keys::new(&SECRET);
        let bytes = hello().seal(&keys.hello(&hello().session), HEAD);
        let reply = desk.reply(&bytes, from(5000), 10_000, NOW).expect("a cookie");
        assert!(Head::is_sealed(&reply, &keys.hello(&hello().session)));
        let cookie = Head::read(&reply).expect("reads");
        assert_eq!((cookie.kind, cookie.number), (Kind::Cookie, 1));
        assert!(cookie.ends > NOW + 15 && cookie.ends <= NOW + 32);
        (desk, Head { kind: Kind::Ask, number: 2, ..cookie })
    }

    fn seal(head: &Head) -> Vec<u8> {
        head.seal(&Keys::new(&SECRET).session(&head.session, head.ends), 200)
    }

    #[test]
    fn a_cookie_is_changed_for_an_answer_once() {
        let (mut desk, ask) = asked();
        let reply = desk.reply(&seal(&ask), from(5000), 10_000, NOW).expect("an answer");
        let answer = Head::read(&reply).expect("reads");
        assert_eq!(
            (answer.kind, answer.seen, answer.port, reply.len()),
            (Kind::Answer, from(5000), 10_000, 200)
        );
        assert_eq!(desk.reply(&seal(&ask), from(5000), 10_000, NOW), None);
        assert_eq!((desk.tally.answers, desk.tally.replayed), (1, 1));
        let next = Head { number: 3, ..ask };
        assert!(desk.reply(&seal(&next), from(5000), 10_001, NOW + 1).is_some());
    }

    #[test]
    fn cookies_are_for_one_sender_and_time() {
        let (mut desk, ask) = asked();
        assert_eq!(desk.reply(&seal(&ask), from(5001), 10_000, NOW), None);
        let mut forged = ask;
        forged.cookie[0] ^= 1;
        assert_eq!(desk.reply(&seal(&forged), from(5000), 10_000, NOW), None);
        let longer = Head { ends: ask.ends + 3600, ..ask };
        assert_eq!(desk.reply(&seal(&longer), from(5000), 10_000, NOW), None);
        assert_eq!(desk.tally.wrong_cookie, 3);
        assert_eq!(desk.reply(&seal(&ask), from(5000), 10_000, ask.ends), None);
        assert_eq!(desk.tally.expired, 1);
    }

    #[test]
    fn another_secret_gets_nothing() {
        let mut desk = Desk::new(&[1; 32], &RUN);
        let bytes = hello().seal(&Keys::new(&SECRET).hello(&hello().session), HEAD);
        assert_eq!(desk.reply(&bytes, from(5000), 10_000, NOW), None);
        assert_eq!((desk.tally.forged, desk.sources.len()), (1, 0));
    }

    #[test]
    fn a_source_is_limited_by_its_asks_and_recovers() {
        let (mut desk, ask) = asked();
        let mut asks = (100..).map(|number| seal(&Head { number, ..ask }));
        for bytes in asks.by_ref().take(BURST as usize) {
            assert!(desk.reply(&bytes, from(5000), 10_000, NOW).is_some());
        }
        let more = asks.next().expect("endless");
        assert_eq!(desk.reply(&more, from(5000), 10_000, NOW), None);
        assert_eq!(desk.tally.limited, 1);
        assert!(desk.reply(&more, from(5000), 10_000, NOW + 1).is_some());
        // A recorded ask is told before it is counted.
        assert_eq!(desk.reply(&more, from(5000), 10_000, NOW + 1), None);
        assert_eq!((desk.tally.limited, desk.tally.replayed), (1, 1));
    }

    #[test]
    fn a_recorded_hello_starves_nobody_else() {
        let (mut desk, ask) = asked();
        let keys = Keys::new(&SECRET);
        let bytes = hello().seal(&keys.hello(&hello().session), HEAD);
        for n in 0..SHARE.0 * 2 {
            let forged = SocketAddr::new(IpAddr::from((0x0A00_0000 + n).to_be_bytes()), 1);
            let _ = desk.reply(&bytes, forged, 10_000, NOW);
        }
        assert!(desk.tally.limited >= u64::from(SHARE.0));
        assert_eq!((desk.sources.len(), desk.oldest.len()), (0, 0), "forged addresses leave nothing");
        // Neither somebody else's hello nor an ask, even from an address that was forged.
        let other = Head { session: [4; 16], ..hello() };
        let bytes = other.seal(&keys.hello(&other.session), HEAD);
        assert!(desk.reply(&bytes, from(5001), 10_000, NOW).is_some());
        assert!(desk.reply(&seal(&ask), from(5000), 10_000, NOW).is_some());
    }

    #[test]
    fn the_oldest_source_makes_room() {
        let mut desk = Desk::new(&SECRET, &RUN);
        for n in 0..SOURCES as u32 + 10 {
            assert!(desk.is_within_limit(IpAddr::from((0x0A00_0000 + n).to_be_bytes()), NOW + u64::from(n)));
        }
        assert_eq!((desk.sources.len(), desk.oldest.len()), (SOURCES, SOURCES));
        assert!(!desk.sources.contains_key(&IpAddr::from([10, 0, 0, 9])));
        assert!(desk.sources.contains_key(&IpAddr::from([10, 0, 0, 10])));
        // Who asks again is no longer the oldest.
        let later = NOW + 100_000;
        assert!(desk.is_within_limit(IpAddr::from([10, 0, 0, 10]), later));
        assert!(desk.is_within_limit(IpAddr::from([192, 0, 2, 1]), later));
        assert!(desk.sources.contains_key(&IpAddr::from([10, 0, 0, 10])));
        assert!(!desk.sources.contains_key(&IpAddr::from([10, 0, 0, 11])));
    }

    #[test]
    fn numbers_are_forgotten_when_their_cookie_ends() {
        let (mut desk, ask) = asked();
        assert!(desk.reply(&seal(&ask), from(5000), 10_000, NOW).is_some());
        assert_eq!(desk.numbers.len(), 1);
        let keys = Keys::new(&SECRET);
        let bytes = hello().seal(&keys.hello(&hello().session), HEAD);
        let later = NOW + 100;
        let cookie = Head::read(&desk.reply(&bytes, from(5000), 1, later).expect("a cookie")).expect("reads");
        let ask = Head { kind: Kind::Ask, number: 9, ..cookie };
        assert!(desk.reply(&seal(&ask), from(5000), 10_000, later).is_some());
        assert_eq!((desk.numbers.len(), desk.ends.len()), (1, 1));
    }

    #[test]
    fn no_datagram_is_amplified_and_no_bytes_panic() {
        let (mut desk, ask) = asked();
        let keys = Keys::new(&SECRET);
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut replies = 0;
        for round in 0..20_000_u64 {
            let length = HEAD + next() as usize % 1400;
            let kind = [Kind::Hello, Kind::Cookie, Kind::Ask, Kind::Answer][next() as usize % 4];
            let head = Head { kind, number: round + 10, ..ask };
            let key = match kind {
                Kind::Hello | Kind::Cookie => keys.hello(&head.session),
                _ => keys.session(&head.session, head.ends),
            };
            let mut bytes = head.seal(&key, length);
            match next() % 4 {
                // As it is.
                0 | 1 => {}
                2 => {
                    let at = next() as usize % bytes.len();
                    bytes[at] ^= (next() % 255 + 1) as u8;
                }
                _ => bytes.truncate(next() as usize % bytes.len()),
            }
            // Mutants count against nobody; the limit would hide what is looked for.
            (desk.sources, desk.oldest) = Default::default();
            (desk.hellos, desk.shares) = (Bucket::new(HELLOS), vec![Bucket::new(SHARE); SHARES]);
            if let Some(reply) = desk.reply(&bytes, from(5000), 10_000, NOW) {
                assert_eq!(reply.len(), bytes.len());
                assert!(matches!(kind, Kind::Hello | Kind::Ask));
                // A reply is never replied to.
                assert_eq!(desk.reply(&reply, from(5000), 10_000, NOW), None);
                replies += 1;
            }
        }
        assert!(replies > 1000);
        assert!(desk.tally.bytes_out <= desk.tally.bytes_in);
    }
}
