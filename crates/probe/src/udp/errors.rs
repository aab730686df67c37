//! UDP sockets that tell who refused a datagram, and which: Linux keeps ICMP errors with their sender and the
//! destination they concern in the socket's error queue (ip(7), IP_RECVERR), also for sockets without a peer.
//! Linux only.

use crate::outcome::Reach;
use nix::errno::Errno;
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// How long a datagram may wait for room in the socket's own queue.
const QUEUED: Duration = Duration::from_millis(100);

/// Somebody on the way, or this host, would not carry a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where the datagram was meant to go.
    pub to: Option<SocketAddr>,
    /// Who says so.
    pub by: Option<IpAddr>,
    /// ICMP or ICMPv6 type; `None` when this host itself would not send.
    pub icmp: Option<(u8, u8)>,
    /// What the kernel made of it (errno).
    pub errno: i32,
}

impl Complaint {
    /// What it says about the destination; `None` when it says nothing of the kind (a packet that was too big).
    pub fn reach(&self) -> Option<Reach> {
        let is_v6 = self.to.is_some_and(|to| to.is_ipv6());
        match self.icmp {
            Some((kind, code)) if is_v6 => icmp6(kind, code, self.by),
            Some((kind, code)) => icmp4(kind, code, self.by),
            None if self.is_too_big() => None,
            None => Some(crate::outcome::reach_of(&io::Error::from_raw_os_error(self.errno))),
        }
    }

    /// Whether the datagram was larger than a link on the way, or this host's own.
    pub fn is_too_big(&self) -> bool {
        self.errno == Errno::EMSGSIZE as i32
    }
}

/// RFC 792 and RFC 1812 section 5.2.7.1.
fn icmp4(kind: u8, code: u8, by: Option<IpAddr>) -> Option<Reach> {
    match (kind, code) {
        (3, 2 | 3) => Some(Reach::Refused(by)),
        (3, 9 | 10 | 13) => Some(Reach::Prohibited(by)),
        (3, 4) => None,
        // The time to live ran out (type 11): packets go round in circles.
        (3, _) | (11, 0) => Some(Reach::Unreachable(by)),
        _ => None,
    }
}

/// RFC 4443 section 3.
fn icmp6(kind: u8, code: u8, by: Option<IpAddr>) -> Option<Reach> {
    match (kind, code) {
        (1, 4) | (4, 1) => Some(Reach::Refused(by)),
        (1, 1 | 5 | 6) => Some(Reach::Prohibited(by)),
        (1, _) | (3, 0) => Some(Reach::Unreachable(by)),
        _ => None,
    }
}

/// Opens a UDP socket without a peer for destinations of the family of `remote`, from `local` if given, with the
/// error queue on.
pub fn open(remote: IpAddr, local: Option<IpAddr>) -> io::Result<UdpSocket> {
    let any = match remote {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = std::net::UdpSocket::bind(SocketAddr::new(local.unwrap_or(any), 0))?;
    socket.set_nonblocking(true)?;
    match remote {
        IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    UdpSocket::from_std(socket)
}

/// The address this host sends from to `remote`. Nothing is sent.
pub fn source(remote: SocketAddr, local: Option<IpAddr>) -> io::Result<IpAddr> {
    let any = match remote {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = std::net::UdpSocket::bind(SocketAddr::new(local.unwrap_or(any), 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

/// Sends a datagram; a complaint about an earlier one does not stop it. Waits for room in this host's own queue only
/// for a moment: the caller's time must not go by here.
///
/// # Errors
/// What this host itself says against sending, for instance `PermissionDenied` from its own filter.
pub async fn send(
    socket: &UdpSocket,
    bytes: &[u8],
    to: SocketAddr,
    complaints: &mut Vec<Complaint>,
) -> io::Result<()> {
    // An error kept by the socket is reported by the next call, whatever that call is about: ask again once it is read.
    for _ in 0..3 {
        match soon(socket.send_to(bytes, to)).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                let before = complaints.len();
                drain(socket, complaints);
                if complaints.len() == before {
                    return Err(error);
                }
                // A complaint of this host about this very datagram is the answer.
                let own = complaints
                    .iter()
                    .skip(before)
                    .any(|c| c.icmp.is_none() && c.to.is_none_or(|of| of == to));
                if own {
                    return Err(error);
                }
            }
        }
    }
    soon(socket.send_to(bytes, to)).await
}

/// What is not sent in a moment stands in a queue of this host that is full, which says nothing of the network.
pub(crate) async fn soon(sending: impl Future<Output = io::Result<usize>>) -> io::Result<()> {
    match timeout(QUEUED, sending).await {
        Ok(sent) => sent.map(|_| ()),
        Err(_) => Err(Errno::ENOBUFS.into()),
    }
}

/// What a socket had to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A datagram: its length in the buffer, and from whom.
    Datagram(usize, SocketAddr),
    /// There are complaints now.
    Complaints,
}

/// Waits for a datagram or complaints, whichever comes first.
pub async fn hear(
    socket: &UdpSocket,
    buffer: &mut [u8],
    complaints: &mut Vec<Complaint>,
) -> io::Result<Heard> {
    loop {
        if let Some(heard) = overhear(socket, buffer, complaints)? {
            return Ok(heard);
        }
        socket.ready(Interest::READABLE | Interest::ERROR).await?;
    }
}

/// The same without waiting.
pub fn overhear(
    socket: &UdpSocket,
    buffer: &mut [u8],
    complaints: &mut Vec<Complaint>,
) -> io::Result<Option<Heard>> {
    let before = complaints.len();
    drain(socket, complaints);
    if complaints.len() > before {
        return Ok(Some(Heard::Complaints));
    }
    match socket.try_recv_from(buffer) {
        Ok((length, from)) => Ok(Some(Heard::Datagram(length, from))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // Somebody's complaint came in between; it is in the queue.
        Err(_) => {
            drain(socket, complaints);
            Ok((complaints.len() > before).then_some(Heard::Complaints))
        }
    }
}

fn drain(socket: &UdpSocket, complaints: &mut Vec<Complaint>) {
    // First past the runtime, which may not have heard of an error yet that the next call would report; then through
    // it, so that it waits for the next one. Bounded: a flood of complaints must not keep us from everything else.
    for _ in 0..256 {
        match one(socket).or_else(|_| socket.try_io(Interest::ERROR, || one(socket))) {
            Ok(complaint) => complaints.push(complaint),
            Err(_) => return,
        }
    }
}

fn one(socket: &UdpSocket) -> io::Result<Complaint> {
    let mut space = nix::cmsg_space!([u8; 64]);
    // The datagram itself comes back here; who it was meant for is in the address.
    let mut payload = [0_u8; 64];
    let mut parts = [IoSliceMut::new(&mut payload)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let to = message.address.and_then(|address| {
        let v4 = address.as_sockaddr_in().map(|a| SocketAddr::new(IpAddr::V4(a.ip()), a.port()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::new(IpAddr::V6(a.ip()), a.port())))
    });
    let mut complaint = Complaint { to, by: None, icmp: None, errno: 0 };
    for control in message.cmsgs()? {
        let (error, by) = match control {
            ControlMessageOwned::Ipv4RecvErr(error, by) => {
                let by = by.filter(|a| i32::from(a.sin_family) == nix::libc::AF_INET);
                (error, by.map(|a| IpAddr::V4(Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr)))))
            }
            ControlMessageOwned::Ipv6RecvErr(error, by) => {
                let by = by.filter(|a| i32::from(a.sin6_family) == nix::libc::AF_INET6);
                (error, by.map(|a| IpAddr::V6(Ipv6Addr::from(a.sin6_addr.s6_addr))))
            }
            _ => continue,
        };
        complaint.by = by;
        complaint.errno = i32::try_from(error.ee_errno).unwrap_or_default();
        let is_icmp = matches!(error.ee_origin, SO_EE_ORIGIN_ICMP | SO_EE_ORIGIN_ICMP6);
        complaint.icmp = is_icmp.then_some((error.ee_type, error.ee_code));
    }
    Ok(complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        let by = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(icmp4(3, 3, by), Some(Reach::Refused(by)));
        assert_eq!(icmp4(3, 13, by), Some(Reach::Prohibited(by)));
        assert_eq!(icmp4(3, 1, by), Some(Reach::Unreachable(by)));
        assert_eq!(icmp4(3, 4, by), None);
        assert_eq!(icmp6(1, 4, by), Some(Reach::Refused(by)));
        assert_eq!(icmp6(1, 1, by), Some(Reach::Prohibited(by)));
        assert_eq!(icmp6(2, 0, by), None);
    }

    #[test]
    fn what_this_host_lacks_says_nothing_of_the_network() {
        for errno in [Errno::ENOBUFS, Errno::ENETDOWN, Errno::EADDRNOTAVAIL, Errno::EINVAL] {
            let own = Complaint { to: None, by: None, icmp: None, errno: errno as i32 };
            assert!(matches!(own.reach(), Some(Reach::Undecided(_))), "{errno}");
        }
    }

    #[tokio::test]
    async fn a_full_queue_does_not_hold_us_up() {
        let sent = soon(std::future::pending()).await.expect_err("never sent");
        assert!(matches!(crate::outcome::reach_of(&sent), Reach::Undecided(_)));
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_by_its_host() {
        let host = IpAddr::V4(Ipv4Addr::new(127, 0, 5, 77));
        let socket = open(host, None).expect("a socket");
        let to = SocketAddr::new(host, 9);
        let mut complaints = Vec::new();
        send(&socket, b"x", to, &mut complaints).await.expect("sends");
        let mut buffer = [0; 64];
        let heard =
            tokio::time::timeout(Duration::from_secs(10), hear(&socket, &mut buffer, &mut complaints)).await;
        assert_eq!(heard.expect("in time").expect("hears"), Heard::Complaints);
        assert_eq!(complaints.len(), 1);
        assert_eq!(complaints[0].to, Some(to));
        assert_eq!(complaints[0].reach(), Some(Reach::Refused(Some(host))));
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_over_ipv6() {
        let host = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let Ok(socket) = open(host, Some(host)) else { return };
        let (to, mut complaints) = (SocketAddr::new(host, 9), Vec::new());
        send(&socket, b"x", to, &mut complaints).await.expect("sends");
        let mut buffer = [0; 64];
        let hear = hear(&socket, &mut buffer, &mut complaints);
        tokio::time::timeout(Duration::from_secs(10), hear).await.expect("in time").expect("hears");
        assert_eq!(complaints[0].reach(), Some(Reach::Refused(Some(host))));
    }
}
