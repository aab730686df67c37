//! TCP: whether a connection comes about, who refuses it, and how long it takes. Never sends a byte of its own.
//! Linux only: who refused is read from its error queue.

use crate::outcome::{Detail, Reach, Report, Samples};
use nix::errno::Errno;
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;
use tillgate_model::Text;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Below this no silence is believed: Linux sends its second SYN after 1 s (RFC 6298 section 2.1), and that one's
/// answer needs its time too. With a single SYN, 2 % loss each way would look like 4 % closed ports.
pub const TWO_SYNS: Duration = Duration::from_millis(1300);

/// A TCP port to try.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Where.
    pub address: SocketAddr,
    /// Connections to make, one after the other; 0 counts as 1.
    pub samples: u32,
    /// For the whole probe. Below [`TWO_SYNS`] it cannot tell silence from a lost packet.
    pub deadline: Duration,
    /// Address to come from.
    pub local: Option<IpAddr>,
    /// Interface to leave by (`SO_BINDTODEVICE`).
    pub device: Option<String>,
}

/// Connects and closes again, `samples` times.
///
/// A refusal of any kind ends the probe; silence does not, as long as there is time for another attempt. Details:
/// `connect_us` (median), `mss_bytes` (`TCP_MAXSEG`: what a segment to this peer holds, options such as timestamps
/// already taken off), `slow_attempts` (took a second or more, so that a SYN or its answer was lost), `icmp`
/// (`type/code` of what refused it), `syns_sent` (silence: at least this many), `neighbour_silent` (nobody has
/// the address on this segment).
pub async fn check(probe: &Connect) -> Report {
    let end = Instant::now() + probe.deadline;
    let mut report = Report::of(Reach::Undecided(Text::new("probe-tcp-no-time")));
    let attempts = probe.samples.max(1);
    for done in 0..attempts {
        let begin = Instant::now();
        let left = end.saturating_duration_since(begin);
        if left.is_zero() {
            break;
        }
        let share = (left / (attempts - done)).max(TWO_SYNS);
        let attempt =
            attempt(probe.address, probe.local, probe.device.as_deref(), begin + share.min(left)).await;
        let took = begin.elapsed();
        let reach = match attempt.end {
            Ok(stream) => {
                if let Ok(mss) = SockRef::from(&stream).tcp_mss() {
                    report.number("mss_bytes", f64::from(mss));
                }
                report.samples.add(Some(took));
                report.reach = Reach::Passes;
                continue;
            }
            Err(reach) => reach,
        };
        if reach == Reach::Silent {
            if took >= TWO_SYNS {
                report.samples.add(None);
                report.number("syns_sent", f64::from(syns_within(took)));
            }
            if report.reach != Reach::Passes && report.reach != Reach::Silent {
                report.reach = silence(took);
            }
            continue;
        }
        report.samples.add(None);
        report.details.remove("syns_sent");
        if let Some((kind, code)) = attempt.icmp {
            report.word("icmp", format!("{kind}/{code}"));
        }
        if attempt.is_neighbour_silent {
            report.details.insert("neighbour_silent", Detail::Flag(true));
        }
        if report.reach != Reach::Passes {
            report.reach = reach;
        }
        break;
    }
    add_times(&mut report);
    report
}

/// Connects once, within `limit`. The building block of every probe over TCP.
///
/// # Errors
/// How far it got instead. An error of ours (no descriptor left, no such interface) is `Undecided`, and so is
/// silence for less than [`TWO_SYNS`].
pub async fn connect(
    address: SocketAddr,
    local: Option<IpAddr>,
    device: Option<&str>,
    limit: Duration,
) -> Result<TcpStream, Reach> {
    let begin = Instant::now();
    attempt(address, local, device, begin + limit).await.end.map_err(|reach| match reach {
        Reach::Silent => silence(begin.elapsed()),
        other => other,
    })
}

/// SYNs that went out within this time, at the least: at 0, 1, 3, 7, 15 … s, and a little late (newer kernels send
/// more).
pub fn syns_within(time: Duration) -> u32 {
    let late = Duration::from_millis(100);
    u64::BITS - (time.saturating_sub(late).as_secs() + 1).leading_zeros()
}

struct Attempt {
    end: Result<TcpStream, Reach>,
    icmp: Option<(u8, u8)>,
    is_neighbour_silent: bool,
}

impl Attempt {
    fn of(end: Result<TcpStream, Reach>) -> Self {
        Attempt { end, icmp: None, is_neighbour_silent: false }
    }
}

async fn attempt(
    address: SocketAddr,
    local: Option<IpAddr>,
    device: Option<&str>,
    until: Instant,
) -> Attempt {
    let stream = match opened(address, local, device) {
        Ok(stream) => stream,
        Err(reach) => return Attempt::of(Err(reach)),
    };
    match timeout_at(until, stream.writable()).await {
        Err(_) => return Attempt::of(Err(Reach::Silent)),
        Ok(Err(error)) => return Attempt::of(Err(own_error(&error))),
        Ok(Ok(())) => {}
    }
    match stream.take_error() {
        Ok(None) => {}
        Ok(Some(error)) => return refusal(&stream, &error),
        Err(error) => return Attempt::of(Err(own_error(&error))),
    }
    // On its own host a connection can meet itself: simultaneous open with the port it came from.
    if address.ip().is_loopback() && stream.local_addr().is_ok_and(|own| own == address) {
        return Attempt::of(Err(Reach::Refused(None)));
    }
    Attempt::of(Ok(stream))
}

/// A socket whose SYN is on its way.
fn opened(address: SocketAddr, local: Option<IpAddr>, device: Option<&str>) -> Result<TcpStream, Reach> {
    let made = || -> io::Result<Socket> {
        let socket =
            Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        // The error queue names the router that refused; a SYN meets ICMP errors at once only since Linux 5.9.
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
        }
        if let Some(device) = device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if let Some(local) = local {
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        Ok(socket)
    };
    let socket = made().map_err(|error| own_error(&error))?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {}
        Err(error) => return Err(reach_of_connect(&error)),
    }
    TcpStream::from_std(socket.into()).map_err(|error| own_error(&error))
}

/// Who refused, from the socket's error queue where the kernel put the ICMP message (ip(7), `IP_RECVERR`).
fn refusal(stream: &TcpStream, error: &io::Error) -> Attempt {
    let mut attempt = Attempt::of(Err(reach_of_connect(error)));
    let Some((kind, code, by)) = queued(stream) else { return attempt };
    let is_v4 = stream.local_addr().is_ok_and(|own| own.is_ipv4());
    // A failed neighbour lookup comes as a message from ourselves.
    let is_own = stream.local_addr().is_ok_and(|own| Some(own.ip()) == by);
    attempt.icmp = Some((kind, code));
    attempt.is_neighbour_silent = is_own
        && matches!((is_v4, kind, code), (true, 3, 1) | (false, 1, 3))
        && !by.is_some_and(|ip| ip.is_loopback());
    let by = by.filter(|_| !is_own);
    attempt.end = Err(match (is_v4, kind, code) {
        (true, 3, 9 | 10 | 13) | (false, 1, 1 | 5 | 6) => Reach::Prohibited(by),
        (true, 3, 2 | 3) | (false, 1, 4) => Reach::Refused(by),
        (true, 3, _) | (false, 1, _) => Reach::Unreachable(by),
        _ => return attempt,
    });
    attempt
}

fn queued(stream: &TcpStream) -> Option<(u8, u8, Option<IpAddr>)> {
    let mut space = nix::cmsg_space!([u8; 128]);
    let mut bytes = [0; 128];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags).ok()?;
    // Other origins are not from the network.
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, by) if error.ee_origin == SO_EE_ORIGIN_ICMP => {
            let by = by.map(|by| IpAddr::V4(Ipv4Addr::from(by.sin_addr.s_addr.to_ne_bytes())));
            Some((error.ee_type, error.ee_code, by.filter(|ip| !ip.is_unspecified())))
        }
        ControlMessageOwned::Ipv6RecvErr(error, by) if error.ee_origin == SO_EE_ORIGIN_ICMP6 => {
            let by = by.map(|by| IpAddr::V6(Ipv6Addr::from(by.sin6_addr.s6_addr)));
            Some((error.ee_type, error.ee_code, by.filter(|ip| !ip.is_unspecified())))
        }
        _ => None,
    })
}

fn reach_of_connect(error: &io::Error) -> Reach {
    match error.kind() {
        // Both are the network's: a reset, possibly by a filter on the way.
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Reach::Refused(None),
        ErrorKind::TimedOut => Reach::Silent,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Reach::Unreachable(None),
        // A route of kind "prohibit", ICMPv6 code 1, or a filter of this host (EPERM).
        ErrorKind::PermissionDenied => Reach::Prohibited(None),
        _ => own_error(error),
    }
}

fn own_error(error: &io::Error) -> Reach {
    Reach::Undecided(Text::new("probe-tcp-own-error").arg("detail", error))
}

fn silence(took: Duration) -> Reach {
    if took >= TWO_SYNS {
        return Reach::Silent;
    }
    let text = Text::new("probe-tcp-one-syn");
    Reach::Undecided(text.num("ms", usize::try_from(took.as_millis()).unwrap_or(usize::MAX)))
}

fn add_times(report: &mut Report) {
    let Samples { times, .. } = &report.samples;
    let slow = times.iter().filter(|time| **time >= Duration::from_secs(1)).count();
    if let Some(median) = report.samples.quantile(0.5) {
        report.number("connect_us", median.as_secs_f64() * 1e6);
        if slow > 0 {
            report.number("slow_attempts", slow as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn probe(address: SocketAddr) -> Connect {
        Connect { address, samples: 3, deadline: Duration::from_secs(20), local: None, device: None }
    }

    #[tokio::test]
    async fn a_listener_is_reached_and_hears_nothing() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(host).await else { continue };
            let address = listener.local_addr().unwrap();
            let report = check(&probe(address)).await;
            assert_eq!(report.reach, Reach::Passes);
            assert_eq!((report.samples.sent, report.samples.times.len()), (3, 3));
            assert!(matches!(report.details.get("mss_bytes"), Some(Detail::Number(mss)) if *mss > 500.0));
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let heard = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await;
                assert_eq!(heard.ok(), Some(0), "a plain close, no byte, no reset");
            }
        }
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let report = check(&probe(address)).await;
        assert_eq!(report.reach, Reach::Refused(None));
        assert_eq!(report.samples.sent, 1);
        assert_eq!(
            connect(address, None, None, Duration::from_secs(20)).await.unwrap_err(),
            Reach::Refused(None)
        );
    }

    /// A listener with a full queue drops further SYNs: silence without a firewall.
    async fn silent() -> (Socket, Vec<TcpStream>, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = connect(address, None, None, Duration::from_millis(300)).await {
            held.push(stream);
        }
        (socket, held, address)
    }

    #[tokio::test]
    async fn silence_needs_two_syns() {
        let (_listener, _held, address) = silent().await;
        let begin = Instant::now();
        let report = check(&Connect { samples: 2, deadline: Duration::from_secs(4), ..probe(address) }).await;
        assert_eq!(report.reach, Reach::Silent);
        assert_eq!(report.samples.sent, 2);
        assert!(matches!(report.details.get("syns_sent"), Some(Detail::Number(syns)) if *syns >= 2.0));
        assert!(begin.elapsed() < Duration::from_secs(15));
        let report = check(&Connect { deadline: Duration::from_millis(200), ..probe(address) }).await;
        assert!(matches!(&report.reach, Reach::Undecided(text) if text.id == "probe-tcp-one-syn"));
        assert_eq!(report.samples.sent, 0);
    }

    #[tokio::test]
    async fn errors_of_ours_are_not_the_networks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let foreign = Connect { local: Some(IpAddr::from([192, 0, 2, 77])), ..probe(address) };
        assert!(matches!(check(&foreign).await.reach, Reach::Undecided(_)));
        let nowhere = Connect { device: Some("no-such-if0".into()), ..probe(address) };
        assert!(matches!(check(&nowhere).await.reach, Reach::Undecided(_)));
        let late = Connect { deadline: Duration::ZERO, ..probe(address) };
        assert!(matches!(check(&late).await.reach, Reach::Undecided(_)));
    }

    #[test]
    fn syns_by_time() {
        let counts = [0, 900, 1100, 3000, 3100, 7100].map(|ms| syns_within(Duration::from_millis(ms)));
        assert_eq!(counts, [1, 1, 2, 2, 3, 4]);
    }
}
