//! A UDP socket that tells when the kernel sent and received, and who refused what was sent. Linux only.

use super::packet::Stamp;
use crate::outcome::{Reach, reach_of};
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, SO_EE_ORIGIN_LOCAL, sock_extended_err};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, TimestampingFlag, Timestamps, recvmsg, setsockopt,
    sockopt,
};
use nix::sys::time::TimeSpec;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Octets a buffer needs: with a time of sending, the kernel gives back the packet with all its headers.
pub const BUFFER: usize = 2048;

/// The wall clock and the steady clock, read as close to each other as the scheduler lets.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The wall clock.
    pub wall: Stamp,
    /// The steady clock.
    pub steady: Instant,
}

impl Moment {
    /// Reads both clocks.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock: it is what is measured"
    )]
    pub fn now() -> Self {
        let read = || {
            let (before, wall, after) = (Instant::now(), SystemTime::now(), Instant::now());
            (after - before, Moment { wall: stamp_of(wall), steady: before })
        };
        // Whoever is put to sleep between the readings gets other chances.
        let mut best = read();
        for _ in 0..3 {
            if best.0 < Duration::from_micros(5) {
                break;
            }
            let again = read();
            if again.0 < best.0 {
                best = again;
            }
        }
        best.1
    }

    /// By how many nanoseconds the wall clock was set since `earlier`, beyond what the steady clock went on.
    pub fn step_since(&self, earlier: &Moment) -> i64 {
        let steady = self.steady.saturating_duration_since(earlier.steady).as_nanos();
        self.wall.since(earlier.wall).saturating_sub(i64::try_from(steady).unwrap_or(i64::MAX))
    }
}

/// What came to the socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A packet: its octets in the buffer, where it came from, and when by the kernel, if that tells.
    Packet { length: usize, source: SocketAddr, at: Option<Stamp> },
    /// The kernel's time of sending of the packet that the octets in the buffer end with.
    Sent { length: usize, at: Stamp },
    /// A packet could not get on: what ICMP, or this host, said to it.
    Stopped(Reach),
    /// Something of no interest.
    Other,
}

/// A socket for one server, not connected: answers from elsewhere must be seen.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    server: SocketAddr,
}

impl Socket {
    /// Opens a socket on an ephemeral port. Errors are this host's: no descriptors, no such local address.
    pub fn open(server: SocketAddr, local: Option<IpAddr>) -> io::Result<Self> {
        let local = local.unwrap_or(match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        });
        if local.is_ipv4() != server.is_ipv4() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "IPv4 and IPv6 do not mix"));
        }
        let udp = std::net::UdpSocket::bind((local, 0))?;
        udp.set_nonblocking(true)?;
        // What the kernel does not offer is done without: its absence costs precision, or the reason of a silence.
        let stamps = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE;
        let _ = setsockopt(&udp, sockopt::Timestamping, &stamps);
        let _ = match local {
            IpAddr::V4(_) => setsockopt(&udp, sockopt::Ipv4RecvErr, &true),
            IpAddr::V6(_) => setsockopt(&udp, sockopt::Ipv6RecvErr, &true),
        };
        Ok(Socket { udp: UdpSocket::from_std(udp)?, server })
    }

    /// Sends a packet to the server.
    pub async fn send(&self, octets: &[u8]) -> io::Result<()> {
        self.udp.send_to(octets, self.server).await.map(|_| ())
    }

    /// Waits for whatever comes next; `buffer` should have [`BUFFER`] octets.
    pub async fn event(&self, buffer: &mut [u8]) -> io::Result<Event> {
        let fd = self.udp.as_raw_fd();
        self.udp.async_io(Interest::READABLE | Interest::ERROR, || take(fd, buffer)).await
    }
}

/// How far a packet got by the error that sending it gave; `None` for one that says nothing of the network.
pub fn reach_of_send(error: &io::Error) -> Option<Reach> {
    Some(reach_of(error)).filter(|reach| !matches!(reach, Reach::Undecided(_)))
}

fn stamp_of(time: SystemTime) -> Stamp {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Stamp::from_unix(since.as_secs() as i64, since.subsec_nanos()),
        // Before 1970 no clock is right, whatever the fraction says.
        Err(before) => Stamp::from_unix(-(before.duration().as_secs() as i64), 0),
    }
}

/// Times of sending and errors first: they belong to packets older than what answers them.
fn take(fd: RawFd, buffer: &mut [u8]) -> io::Result<Event> {
    let mut failed = None;
    for _ in 0..2 {
        match receive(fd, buffer, MsgFlags::MSG_ERRQUEUE) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
        match receive(fd, buffer, MsgFlags::empty()) {
            // What ICMP said comes up here as well, without who said it: the error queue knows by now.
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                failed = Some(error);
            }
            other => return other,
        }
    }
    match failed {
        Some(error) => Ok(reach_of_send(&error).map_or(Event::Other, Event::Stopped)),
        None => Err(ErrorKind::WouldBlock.into()),
    }
}

fn receive(fd: RawFd, buffer: &mut [u8], flags: MsgFlags) -> io::Result<Event> {
    // Room for a time, an error and the two addresses that may stand behind it.
    let mut control = nix::cmsg_space!(Timestamps, [u8; 64], [u8; 64]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), flags)?;
    let (mut at, mut stopped) = (None, None);
    for part in message.cmsgs().into_iter().flatten() {
        match part {
            ControlMessageOwned::ScmTimestampsns(stamps) => at = stamp_of_kernel(&stamps.system),
            ControlMessageOwned::Ipv4RecvErr(error, by) => {
                let by = by.map(|by| IpAddr::V4(Ipv4Addr::from(u32::from_be(by.sin_addr.s_addr))));
                stopped = stopped.or(reach_of_icmp(&error, by));
            }
            ControlMessageOwned::Ipv6RecvErr(error, by) => {
                let by = by.map(|by| IpAddr::V6(Ipv6Addr::from(by.sin6_addr.s6_addr)));
                stopped = stopped.or(reach_of_icmp(&error, by));
            }
            _ => {}
        }
    }
    let length = message.bytes;
    if flags.contains(MsgFlags::MSG_ERRQUEUE) {
        return Ok(match (stopped, at) {
            (Some(reach), _) => Event::Stopped(reach),
            (None, Some(at)) => Event::Sent { length, at },
            (None, None) => Event::Other,
        });
    }
    let address = message.address.as_ref();
    let v4 =
        address.and_then(SockaddrStorage::as_sockaddr_in).map(|a| SocketAddr::new(a.ip().into(), a.port()));
    let v6 = || {
        address.and_then(SockaddrStorage::as_sockaddr_in6).map(|a| SocketAddr::new(a.ip().into(), a.port()))
    };
    Ok(match v4.or_else(v6) {
        Some(source) => Event::Packet { length, source, at },
        None => Event::Other,
    })
}

fn stamp_of_kernel(time: &TimeSpec) -> Option<Stamp> {
    let nanos = u32::try_from(time.tv_nsec()).ok()?;
    (time.tv_sec() != 0).then(|| Stamp::from_unix(time.tv_sec(), nanos))
}

/// What ICMP says of a packet (RFC 792, RFC 1812 section 5.2.7, RFC 4443 section 3).
fn reach_of_icmp(error: &sock_extended_err, by: Option<IpAddr>) -> Option<Reach> {
    match (error.ee_origin, error.ee_type, error.ee_code) {
        (SO_EE_ORIGIN_LOCAL, ..) => reach_of_send(&io::Error::from_raw_os_error(error.ee_errno as i32)),
        (SO_EE_ORIGIN_ICMP, 3, 9 | 10 | 13) | (SO_EE_ORIGIN_ICMP6, 1, 1 | 5 | 6) => {
            Some(Reach::Prohibited(by))
        }
        (SO_EE_ORIGIN_ICMP, 3, 2 | 3) | (SO_EE_ORIGIN_ICMP6, 1, 4) => Some(Reach::Refused(by)),
        // A router that lowers the size of packets does not stop them.
        (SO_EE_ORIGIN_ICMP, 3, 4) | (SO_EE_ORIGIN_ICMP6, 2, _) => None,
        (SO_EE_ORIGIN_ICMP, 3 | 11, _) | (SO_EE_ORIGIN_ICMP6, 1 | 3, _) => Some(Reach::Unreachable(by)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_codes_are_kept_apart() {
        let by = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let reach = |ee_origin, ee_type, ee_code| {
            let error = sock_extended_err {
                ee_errno: 0,
                ee_origin,
                ee_type,
                ee_code,
                ee_pad: 0,
                ee_info: 0,
                ee_data: 0,
            };
            reach_of_icmp(&error, by)
        };
        assert_eq!(reach(SO_EE_ORIGIN_ICMP, 3, 3), Some(Reach::Refused(by)));
        assert_eq!(reach(SO_EE_ORIGIN_ICMP, 3, 13), Some(Reach::Prohibited(by)));
        assert_eq!(reach(SO_EE_ORIGIN_ICMP, 3, 1), Some(Reach::Unreachable(by)));
        assert_eq!(reach(SO_EE_ORIGIN_ICMP, 3, 4), None);
        assert_eq!(reach(SO_EE_ORIGIN_ICMP6, 1, 4), Some(Reach::Refused(by)));
        assert_eq!(reach(SO_EE_ORIGIN_ICMP6, 1, 1), Some(Reach::Prohibited(by)));
        assert_eq!(reach(SO_EE_ORIGIN_ICMP6, 1, 0), Some(Reach::Unreachable(by)));
    }

    #[test]
    fn what_this_host_lacks_says_nothing_of_the_network() {
        use nix::errno::Errno;
        for errno in [Errno::EMFILE, Errno::ENOBUFS, Errno::EINVAL, Errno::EADDRNOTAVAIL, Errno::ENETDOWN] {
            assert_eq!(reach_of_send(&errno.into()), None, "{errno}");
        }
        assert_eq!(reach_of_send(&Errno::EPERM.into()), Some(Reach::Prohibited(None)));
    }

    #[test]
    fn a_clock_that_is_set_is_noticed() {
        let earlier = Moment::now();
        let later = Moment {
            wall: Stamp(earlier.wall.0 + (3 << 32)),
            steady: earlier.steady + Duration::from_secs(2),
        };
        assert_eq!(later.step_since(&earlier), 1_000_000_000);
    }
}
