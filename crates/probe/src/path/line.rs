//! Datagrams of a chosen size that no router may fragment, and what comes of them.

use super::icmp::{self, Cause};
use super::mtu::Answer;
use nix::errno::Errno;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{SockRef, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// A datagram socket to a destination whose packets are never fragmented, and go out whatever size the kernel
/// believes to pass.
#[derive(Debug)]
pub struct Line {
    socket: UdpSocket,
    destination: SocketAddr,
}

impl Line {
    /// Opens it; sends nothing.
    pub fn open(destination: SocketAddr) -> io::Result<Self> {
        let socket = icmp::open(Type::DGRAM, destination)?;
        match destination {
            SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE)?,
            SocketAddr::V6(_) => sockopt::set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::PROBE)?,
        }
        socket.connect(&destination.into())?;
        Ok(Line { socket: UdpSocket::from_std(socket.into())?, destination })
    }

    /// Bytes of payload that make a packet of this size; none where the headers alone are larger.
    pub fn payload(&self, size: u16) -> Option<usize> {
        let headers = if self.destination.is_ipv4() { 20 + 8 } else { 40 + 8 };
        usize::from(size).checked_sub(headers)
    }

    /// The largest packet the interface takes, at most 65,535 bytes: the kernel says so when a larger one is to
    /// be sent. Loopback takes it, and delivers it.
    pub fn ceiling(&self) -> io::Result<u16> {
        let zeros = vec![0; self.payload(u16::MAX).unwrap_or(0)];
        Ok(match self.send(&zeros)? {
            Some(Answer::TooBig(mtu, _)) => mtu,
            _ => u16::MAX,
        })
    }

    /// Sends a datagram and waits for what comes of it: an answer that `is_answer` accepts, or the destination's
    /// word that nobody listens there, both of which say that it has arrived; a word on its size; or nothing.
    pub async fn ask(
        &self,
        datagram: &[u8],
        wait: Duration,
        is_answer: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Answer> {
        let end = Instant::now() + wait;
        if let Some(answer) = self.send(datagram)? {
            return Ok(answer);
        }
        let mut room = [0; 2048];
        loop {
            // An endless stream of something else must not keep us beyond the time.
            if Instant::now() >= end {
                return Ok(Answer::Silent);
            }
            let notice = match timeout_at(end, icmp::next_or(&self.socket, Interest::READABLE)).await {
                Ok(notice) => notice?,
                Err(_) => return Ok(Answer::Silent),
            };
            match notice {
                Some(notice) => match (notice.cause, notice.from) {
                    (Cause::TooBig(mtu), by) => return Ok(Answer::TooBig(cap(mtu), by)),
                    (Cause::PortClosed, Some(by)) if by == self.destination.ip() => {
                        return Ok(Answer::Passed);
                    }
                    _ => {}
                },
                None => match self.socket.try_recv(&mut room) {
                    Ok(size) if room.get(..size).is_some_and(&is_answer) => return Ok(Answer::Passed),
                    // Somebody else's datagram, or an error that the queue explains.
                    _ => {}
                },
            }
        }
    }

    /// `Some` where the kernel itself refuses the size.
    fn send(&self, datagram: &[u8]) -> io::Result<Option<Answer>> {
        // What was said about earlier ones is over, and its error would be reported for this one.
        while icmp::next(&self.socket)?.is_some() {}
        let _ = self.socket.take_error()?;
        match SockRef::from(&self.socket).send(datagram) {
            Ok(_) => Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::EMSGSIZE as i32) => {
                let mut mtu = 0;
                while let Some(notice) = icmp::next(&self.socket)? {
                    if let Cause::TooBig(told) = notice.cause {
                        mtu = cap(told);
                    }
                }
                Ok(Some(Answer::TooBig(mtu, None)))
            }
            // A full queue of the interface is a lost packet; a refusal of an earlier one comes too late.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What routers say passes to a destination, without anybody who answers there: full packets of zeros are sent to
/// a UDP port, and each word on their size is tried in its turn. `None` where nobody says anything, which is no
/// proof that they pass. Never for a printer's port: it might print.
pub async fn told(destination: SocketAddr, deadline: Duration) -> io::Result<Option<(u16, Option<IpAddr>)>> {
    let end = Instant::now() + deadline;
    let line = Line::open(destination)?;
    let mut size = line.ceiling()?;
    let mut word = None;
    // More than a few routers with ever smaller links are a lie.
    for _ in 0..8 {
        let zeros = vec![0; line.payload(size).unwrap_or(0)];
        let wait = end.saturating_duration_since(Instant::now()).min(deadline / 3);
        match line.ask(&zeros, wait, |_| true).await? {
            Answer::TooBig(mtu, by) if mtu < size && mtu >= 68 => {
                (size, word) = (mtu, Some((mtu, by)));
            }
            _ => break,
        }
    }
    Ok(word)
}

fn cap(mtu: u32) -> u16 {
    u16::try_from(mtu).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn asks_over_loopback() {
        let far = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let line = Line::open(far.local_addr().unwrap()).unwrap();
        tokio::spawn(async move {
            let mut room = vec![0; 65_536];
            while let Ok((size, from)) = far.recv_from(&mut room).await {
                if size > 10 {
                    let _ = far.send_to(b"noise", from).await;
                    let _ = far.send_to(b"echo", from).await;
                }
            }
        });
        let wait = Duration::from_secs(20);
        let datagram = vec![0; line.payload(9000).unwrap()];
        assert_eq!(line.ask(&datagram, wait, |bytes| bytes == b"echo").await.unwrap(), Answer::Passed);
        let brief = Duration::from_millis(50);
        assert_eq!(line.ask(b"short", brief, |_| true).await.unwrap(), Answer::Silent);
        assert!(line.ceiling().unwrap() >= 16_384);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_does_not_stretch_it() {
        let far = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let line = Line::open(far.local_addr().unwrap()).unwrap();
        let far = far.into_std().unwrap();
        far.set_nonblocking(false).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        // In a thread of its own, so that there always is something to read.
        let flood = std::thread::spawn(move || {
            let (_, from) = far.recv_from(&mut [0; 64]).unwrap();
            while !told.load(Ordering::Relaxed) {
                let _ = far.send_to(b"noise", from);
            }
        });
        let asked = async { line.ask(b"?", Duration::from_millis(100), |_| false).await.unwrap() };
        let answer = tokio::time::timeout(Duration::from_secs(20), asked).await;
        assert_eq!(answer, Ok(Answer::Silent));
        is_over.store(true, Ordering::Relaxed);
        flood.join().unwrap();
    }

    #[tokio::test]
    async fn a_closed_port_proves_arrival() {
        let unused = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let line = Line::open(unused).unwrap();
        for _ in 0..3 {
            let answer = line.ask(&[0; 1000], Duration::from_secs(20), |_| false).await.unwrap();
            assert_eq!(answer, Answer::Passed);
        }
        assert_eq!(told(unused, Duration::from_secs(20)).await.unwrap(), None);
    }
}
