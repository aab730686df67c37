//! Reads the ICMP errors that the kernel keeps for a socket (`IP_RECVERR`, Linux only): who refused it, and how.

use crate::outcome::Reach;
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sock_extended_err};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

/// What an ICMP error says about the way (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3); `None` for
/// one that says nothing about it, such as "packet too big".
pub(crate) fn reach(is_v6: bool, kind: u8, code: u8, by: Option<IpAddr>) -> Option<Reach> {
    match (is_v6, kind, code) {
        (false, 3, 2 | 3) | (true, 1, 4) => Some(Reach::Refused(by)),
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => Some(Reach::Prohibited(by)),
        (false, 3, 4) | (true, 2, _) => None,
        (false, 3 | 11, _) | (true, 1 | 3, _) => Some(Reach::Unreachable(by)),
        _ => None,
    }
}

/// Asks the kernel to report ICMP errors on a datagram socket, connected or not.
pub(crate) fn listen(socket: &impl AsFd, is_v6: bool) -> io::Result<()> {
    match is_v6 {
        true => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
        false => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
    }
    Ok(())
}

/// The last error that says something about the way, and empties the queue.
pub(crate) fn reported(socket: &impl AsFd) -> Option<Reach> {
    let mut last = None;
    // The queue is bounded by the receive buffer; this bounds the work besides.
    for _ in 0..256 {
        match next(socket) {
            Ok(found) => last = found.or(last),
            Err(_) => break,
        }
    }
    last
}

fn next(socket: &impl AsFd) -> nix::Result<Option<Reach>> {
    let mut control = [0u8; 512];
    let mut quoted = [0u8; 64];
    let mut parts = [IoSliceMut::new(&mut quoted)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let fd = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), flags)?;
    let mut found = None;
    for control in message.cmsgs()? {
        let seen = match control {
            ControlMessageOwned::Ipv4RecvErr(error, by) => {
                judge(&error, by.map(|by| IpAddr::V4(Ipv4Addr::from(u32::from_be(by.sin_addr.s_addr)))))
            }
            ControlMessageOwned::Ipv6RecvErr(error, by) => {
                judge(&error, by.map(|by| IpAddr::V6(Ipv6Addr::from(by.sin6_addr.s6_addr))))
            }
            _ => None,
        };
        found = seen.or(found);
    }
    Ok(found)
}

fn judge(error: &sock_extended_err, by: Option<IpAddr>) -> Option<Reach> {
    let by = by.filter(|by| !by.is_unspecified());
    match error.ee_origin {
        SO_EE_ORIGIN_ICMP => reach(false, error.ee_type, error.ee_code, by),
        SO_EE_ORIGIN_ICMP6 => reach(true, error.ee_type, error.ee_code, by),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kept_apart() {
        let by = Some("192.0.2.1".parse().unwrap());
        assert_eq!(reach(false, 3, 3, by), Some(Reach::Refused(by)));
        assert_eq!(reach(false, 3, 13, by), Some(Reach::Prohibited(by)));
        assert_eq!(reach(false, 3, 1, by), Some(Reach::Unreachable(by)));
        assert_eq!(reach(false, 3, 4, by), None);
        assert_eq!(reach(true, 1, 4, by), Some(Reach::Refused(by)));
        assert_eq!(reach(true, 1, 1, by), Some(Reach::Prohibited(by)));
        assert_eq!(reach(true, 1, 3, by), Some(Reach::Unreachable(by)));
        assert_eq!(reach(true, 2, 0, by), None);
    }
}
