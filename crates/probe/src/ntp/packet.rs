//! The NTP packet (RFC 5905 section 7.3) and its time stamps (section 6).

use std::time::Duration;

/// Octets of the header; extension fields and a digest may follow.
pub const LENGTH: usize = 48;

/// Seconds from NTP's epoch (1900) to Unix' (1970).
const UNIX: i64 = 2_208_988_800;

/// 2025-01-01 in NTP seconds. A server that tells an earlier time is wrong: this code did not exist then.
const FLOOR: u32 = 3_944_678_400;

/// A point in time: seconds since 1900 in the upper half, their 2^-32 parts in the lower, modulo 2^32 seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp(pub u64);

impl Stamp {
    /// From seconds and nanoseconds since 1970.
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        // The era is lost on purpose: differences are taken modulo 2^32 seconds.
        let whole = seconds.wrapping_add(UNIX) as u32;
        let part = (u64::from(nanos.min(999_999_999)) << 32) / 1_000_000_000;
        Stamp(u64::from(whole) << 32 | part)
    }

    /// The time since `earlier` in nanoseconds; negative if it is later. Right within 68 years (RFC 5905 section 6).
    pub fn since(self, earlier: Stamp) -> i64 {
        nanos(self.0.wrapping_sub(earlier.0) as i64)
    }

    /// Whether it is all zeros, which means "not known".
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The year, if it lies in the past of this code (1957 to 2024).
    pub fn old_year(self) -> Option<i64> {
        let seconds = (self.0 >> 32) as u32;
        let mut behind = i64::from(FLOOR.wrapping_sub(seconds) as i32);
        let mut year = 2025;
        while behind > 0 {
            year -= 1;
            behind -= 86_400 * if year % 4 == 0 { 366 } else { 365 };
        }
        (year < 2025).then_some(year)
    }
}

/// Units of 2^-32 s as nanoseconds, rounded to nearest.
fn nanos(units: i64) -> i64 {
    ((i128::from(units) * 1_000_000_000 + (1 << 31)) >> 32) as i64
}

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Leap indicator: 0 to 2 as announced, 3 for a clock that is not synchronised.
    pub leap: u8,
    /// Protocol version.
    pub version: u8,
    /// 3 for a client, 4 for a server.
    pub mode: u8,
    /// Distance from a reference clock in servers; 0 means a kiss code, 16 not synchronised.
    pub stratum: u8,
    /// Poll interval as a power of two of seconds.
    pub poll: i8,
    /// Precision of the server's clock as a power of two of seconds.
    pub precision: i8,
    /// Round trip to the reference clock.
    pub root_delay: Duration,
    /// Dispersion against the reference clock.
    pub root_dispersion: Duration,
    /// Reference id, or the kiss code.
    pub reference: [u8; 4],
    /// When the server's clock was last set.
    pub set: Stamp,
    /// The transmit time stamp of the question.
    pub origin: Stamp,
    /// When the server received the question.
    pub received: Stamp,
    /// When it sent the answer.
    pub sent: Stamp,
}

impl Packet {
    /// The server's own distance from true time: half its root delay and its root dispersion.
    pub fn root_distance(&self) -> Duration {
        self.root_delay / 2 + self.root_dispersion
    }

    /// The precision as a time, at most a second.
    pub fn resolution(&self) -> Duration {
        Duration::from_secs_f64(2f64.powi(i32::from(self.precision.clamp(-31, 0))))
    }
}

/// A client's question (mode 3, version 4): nothing but a random time stamp (draft-ietf-ntp-data-minimization).
pub fn question(cookie: Stamp) -> [u8; LENGTH] {
    let mut octets = [0; LENGTH];
    octets[0] = 4 << 3 | 3;
    octets[3] = 0x20;
    octets[40..].copy_from_slice(&cookie.0.to_be_bytes());
    octets
}

/// Reads a header; `None` if the packet is shorter than one.
pub fn read(octets: &[u8]) -> Option<Packet> {
    let header: &[u8; LENGTH] = octets.first_chunk()?;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let stamp = |at: usize| Stamp(u64::from(word(at)) << 32 | u64::from(word(at + 4)));
    Some(Packet {
        leap: header[0] >> 6,
        version: header[0] >> 3 & 7,
        mode: header[0] & 7,
        stratum: header[1],
        poll: header[2] as i8,
        precision: header[3] as i8,
        root_delay: short(word(4)),
        root_dispersion: short(word(8)),
        reference: word(12).to_be_bytes(),
        set: stamp(16),
        origin: stamp(24),
        received: stamp(32),
        sent: stamp(40),
    })
}

/// The short format: seconds and their 2^-16 parts.
fn short(word: u32) -> Duration {
    Duration::from_nanos((u64::from(word) * 1_000_000_000) >> 16)
}

/// Why an answer's time cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A kiss-o'-death packet with its code (RFC 5905 section 7.4).
    Kiss([u8; 4]),
    /// The server says that its clock is not synchronised.
    Unsynchronised,
    /// A stratum above 15.
    Stratum(u8),
    /// A receive or transmit time stamp of zero.
    NoTime,
    /// The answer was sent before the question came, or before the clock was set.
    Backwards,
    /// The server's distance from true time is 16 s or more.
    Distant(Duration),
    /// The time lies before this code was written.
    Old(i64),
}

/// Whether an answer's time can be used (RFC 5905, packet sanity tests and `fit`).
pub fn judge(packet: &Packet) -> Result<(), Unusable> {
    // Before leap 3: kiss-o'-death packets carry that as well.
    if packet.stratum == 0 && packet.reference.iter().all(u8::is_ascii_graphic) {
        return Err(Unusable::Kiss(packet.reference));
    }
    if packet.leap == 3 || packet.stratum == 0 || packet.stratum == 16 {
        return Err(Unusable::Unsynchronised);
    }
    if packet.stratum > 16 {
        return Err(Unusable::Stratum(packet.stratum));
    }
    if packet.received.is_zero() || packet.sent.is_zero() {
        return Err(Unusable::NoTime);
    }
    if let Some(year) = packet.sent.old_year() {
        return Err(Unusable::Old(year));
    }
    // A second's grace for the time of setting, which some servers round up.
    let is_set_later = !packet.set.is_zero() && packet.set.since(packet.sent) > 1_000_000_000;
    if packet.sent.since(packet.received) < 0 || is_set_later {
        return Err(Unusable::Backwards);
    }
    match packet.root_distance() {
        distance if distance >= Duration::from_secs(16) => Err(Unusable::Distant(distance)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_know_their_distance_across_eras() {
        let before = Stamp::from_unix(2_085_978_495, 500_000_000);
        let after = Stamp::from_unix(2_085_978_496, 250_000_000);
        assert_eq!(after.0 >> 32, 0);
        assert_eq!(after.since(before), 750_000_000);
        assert_eq!(before.since(after), -750_000_000);
        // A host that came up without a clock.
        let epoch = Stamp::from_unix(0, 0);
        assert_eq!(Stamp::from_unix(1_790_000_000, 0).since(epoch), 1_790_000_000_000_000_000);
    }

    #[test]
    fn years_before_this_code_are_old() {
        assert_eq!(Stamp::from_unix(1_735_689_600, 0).old_year(), None);
        assert_eq!(Stamp::from_unix(1_735_689_599, 0).old_year(), Some(2024));
        assert_eq!(Stamp::from_unix(1_150_000_000, 0).old_year(), Some(2006));
        assert_eq!(Stamp::from_unix(0, 0).old_year(), Some(1970));
        assert_eq!(Stamp::from_unix(2_200_000_000, 0).old_year(), None);
    }

    #[test]
    fn the_question_says_nothing_but_its_cookie() {
        let octets = question(Stamp(0x0102_0304_0506_0708));
        assert_eq!(octets[0], 0x23);
        assert_eq!(octets.iter().filter(|octet| **octet != 0).count(), 10);
        let packet = read(&octets).unwrap();
        assert_eq!((packet.mode, packet.version, packet.sent), (3, 4, Stamp(0x0102_0304_0506_0708)));
    }

    #[test]
    fn short_format_is_in_seconds() {
        assert_eq!(short(0x0001_8000), Duration::from_millis(1500));
        assert_eq!(short(u32::MAX).as_secs(), 65_535);
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
        let mut good = question(Stamp(7));
        good[..4].copy_from_slice(&[0x24, 2, 6, 0xe9]);
        good[32..40].copy_from_slice(&Stamp::from_unix(1_790_000_000, 0).0.to_be_bytes());
        good[40..].copy_from_slice(&Stamp::from_unix(1_790_000_000, 9).0.to_be_bytes());
        assert_eq!(judge(&read(&good).unwrap()), Ok(()));
        let mut usable = 0;
        for round in 0..20_000 {
            let octets: Vec<u8> = if round % 2 == 0 {
                (0..next() % 90).map(|_| next() as u8).collect()
            } else {
                let mut octets = good.to_vec();
                for _ in 0..1 + next() % 4 {
                    let at = next() as usize % octets.len();
                    octets[at] = next() as u8;
                }
                octets.truncate(next() as usize % 96);
                octets
            };
            let Some(packet) = read(&octets) else {
                assert!(octets.len() < LENGTH);
                continue;
            };
            usable += u32::from(judge(&packet).is_ok());
            assert!(packet.resolution() <= Duration::from_secs(1));
            let _ = (packet.root_distance(), packet.sent.since(packet.set), packet.set.old_year());
        }
        assert!(usable > 0);
    }
}
