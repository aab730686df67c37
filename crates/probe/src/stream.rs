//! Opens TCP connections from a given address, and tells errors of the network from our own.

use crate::outcome::{Reach, reach_of};
use crate::tcp;
use nix::errno::Errno;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tillgate_model::Text;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Opens a TCP connection, from an address of ours where one is named.
pub(crate) async fn connect(
    address: SocketAddr,
    local: Option<IpAddr>,
    until: Instant,
) -> Result<TcpStream, Reach> {
    // Refused here, where the reason can be told: the kernel only says that the argument is not valid.
    source(address, local)?;
    let stream = tcp::connect(address, local, None, until.saturating_duration_since(Instant::now())).await?;
    // Requests are one write each: waiting to fill a segment would only spoil the times.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The address to bind to before talking to `address`.
pub(crate) fn source(address: SocketAddr, local: Option<IpAddr>) -> Result<SocketAddr, Reach> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = local.unwrap_or(any);
    if local.is_ipv4() != address.is_ipv4() {
        let text = Text::new("probe-local-family").arg("local", local).arg("address", address.ip());
        return Err(Reach::Undecided(text));
    }
    Ok(SocketAddr::new(local, 0))
}

/// How far an attempt got by the error that ended it; an error of ours decides nothing.
pub(crate) fn reach(error: &io::Error) -> Reach {
    // These have no kind of their own.
    let is_exhausted = matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS)
    );
    match error.kind() {
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse | io::ErrorKind::OutOfMemory => own(error),
        _ if is_exhausted => own(error),
        _ => reach_of(error),
    }
}

/// An error of ours: nothing is known about the network.
pub(crate) fn own(error: &io::Error) -> Reach {
    Reach::Undecided(Text::new("probe-own-error").arg("detail", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_closed_port_refuses_and_a_foreign_source_is_our_error() {
        let until = Instant::now() + Duration::from_secs(10);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(connect(free, None, until).await.unwrap_err().name(), "refused");
        let foreign = Some("192.0.2.77".parse().unwrap());
        assert_eq!(connect(free, foreign, until).await.unwrap_err().name(), "undecided");
        let family = Some("::1".parse().unwrap());
        assert_eq!(connect(free, family, until).await.unwrap_err().name(), "undecided");
        assert_eq!(reach(&io::Error::from(Errno::EMFILE)).name(), "undecided");
        assert_eq!(reach(&io::Error::from(Errno::ECONNRESET)).name(), "broken");
    }
}
