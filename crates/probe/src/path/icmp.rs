//! What routers and hosts say about packets of a socket: the kernel's error queue (ip(7), `IP_RECVERR`), which
//! needs no raw socket and no privilege. Linux only.

use nix::errno::Errno;
use nix::libc::{SO_EE_ORIGIN_ICMP as ICMP, SO_EE_ORIGIN_ICMP6 as ICMP6, SO_EE_ORIGIN_LOCAL as LOCAL};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UdpSocket};

/// An error message about a packet that a socket sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who says so; `None` where it is this host's own kernel.
    pub from: Option<IpAddr>,
    /// What happened to the packet.
    pub cause: Cause,
}

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It passed more routers than it was allowed to (ICMP type 11, ICMPv6 type 3).
    Expired,
    /// It is larger than this many bytes and may not be fragmented (ICMP type 3 code 4, ICMPv6 type 2); 0 where a
    /// router older than RFC 1191 does not say how many.
    TooBig(u32),
    /// It arrived, and nobody listens on the port (ICMP type 3 code 3, ICMPv6 type 1 code 4).
    PortClosed,
    /// A filter forbids it (ICMP type 3 code 9, 10 or 13; ICMPv6 type 1 code 1, 5 or 6).
    Prohibited,
    /// Any other reason, by ICMP type and code.
    Other(u8, u8),
}

/// Opens a socket that does not block and keeps what is said about its packets.
pub(super) fn open(kind: Type, destination: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(destination), kind, None)?;
    socket.set_nonblocking(true)?;
    match destination {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(socket)
}

/// Takes the oldest message off a socket's error queue; `None` where it is empty.
pub(super) fn next(socket: &impl AsRawFd) -> io::Result<Option<Notice>> {
    // The packet that the message is about comes along; its bytes are not needed.
    let mut quoted = [0u8; 64];
    let mut parts = [IoSliceMut::new(&mut quoted)];
    // Heap memory is aligned for the headers of control messages, an array of bytes need not be.
    let mut control = vec![0u8; 512];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
        Ok(message) => message,
        Err(Errno::EAGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let notice = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, offender) => {
            let from = offender.map(|a| IpAddr::V4(SockaddrIn::from(a).ip()));
            Some(notice(error.ee_origin, error.ee_type, error.ee_code, error.ee_info, from))
        }
        ControlMessageOwned::Ipv6RecvErr(error, offender) => {
            let from = offender.map(|a| IpAddr::V6(SockaddrIn6::from(a).ip()).to_canonical());
            Some(notice(error.ee_origin, error.ee_type, error.ee_code, error.ee_info, from))
        }
        _ => None,
    });
    Ok(Some(notice.unwrap_or(Notice { from: None, cause: Cause::Other(0, 0) })))
}

/// A socket that the runtime watches.
pub(super) trait Watched: AsRawFd + Sync {
    /// Waits until something of this kind may have happened.
    fn watch(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;
    /// Notes that nothing of this kind has.
    fn settle(&self, interest: Interest);
}

impl Watched for UdpSocket {
    fn watch(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        self.ready(interest)
    }

    fn settle(&self, interest: Interest) {
        let _ = self.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}

impl Watched for TcpStream {
    fn watch(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        self.ready(interest)
    }

    fn settle(&self, interest: Interest) {
        let _ = self.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}

/// Waits for the next message about a socket's packets (`Some`), or until `interest` is ready (`None`).
pub(super) async fn next_or(socket: &impl Watched, interest: Interest) -> io::Result<Option<Notice>> {
    loop {
        let ready = socket.watch(interest | Interest::ERROR).await?;
        if let Some(notice) = next(socket)? {
            return Ok(Some(notice));
        }
        if ready.is_readable() && interest.is_readable() || ready.is_writable() && interest.is_writable() {
            return Ok(None);
        }
        socket.settle(Interest::ERROR);
    }
}

fn notice(origin: u8, kind: u8, code: u8, info: u32, from: Option<IpAddr>) -> Notice {
    let cause = match (origin, kind, code) {
        // The only error of the kernel's own that carries a number is a packet larger than the interface takes.
        (LOCAL, ..) if info > 0 => Cause::TooBig(info),
        (ICMP, 11, _) | (ICMP6, 3, _) => Cause::Expired,
        (ICMP, 3, 4) | (ICMP6, 2, _) => Cause::TooBig(info),
        (ICMP, 3, 3) | (ICMP6, 1, 4) => Cause::PortClosed,
        (ICMP, 3, 9 | 10 | 13) | (ICMP6, 1, 1 | 5 | 6) => Cause::Prohibited,
        _ => Cause::Other(kind, code),
    };
    Notice { from: from.filter(|_| origin != LOCAL), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_routers_say() {
        let cause = |origin, kind, code, info| notice(origin, kind, code, info, None).cause;
        assert_eq!(cause(ICMP, 11, 0, 0), Cause::Expired);
        assert_eq!(cause(ICMP, 3, 4, 1400), Cause::TooBig(1400));
        assert_eq!(cause(ICMP6, 2, 0, 1280), Cause::TooBig(1280));
        assert_eq!(cause(ICMP, 3, 13, 0), Cause::Prohibited);
        assert_eq!(cause(ICMP, 3, 1, 0), Cause::Other(3, 1));
        let local = notice(LOCAL, 0, 0, 1500, Some("0.0.0.0".parse().unwrap()));
        assert_eq!(local, Notice { from: None, cause: Cause::TooBig(1500) });
    }

    #[tokio::test]
    async fn hears_of_a_closed_port() {
        let unused = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let destination = unused.local_addr().unwrap();
        drop(unused);
        let socket = open(Type::DGRAM, destination).unwrap();
        socket.connect(&destination.into()).unwrap();
        assert_eq!(next(&socket).unwrap(), None);
        socket.send(b"x").unwrap();
        let socket = UdpSocket::from_std(socket.into()).unwrap();
        let notice = next_or(&socket, Interest::ERROR).await.unwrap().unwrap();
        assert_eq!(notice, Notice { from: Some(destination.ip()), cause: Cause::PortClosed });
    }
}
