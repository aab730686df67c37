//! The routers on the way, by packets that may pass only so many of them.

use super::icmp::{self, Cause};
use socket2::{SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// What the probes look like to a firewall on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Empty datagrams.
    Udp,
    /// Openings of a connection: pass where a shop's firewall lets only 443/tcp out.
    Tcp,
}

/// The routers on the way to a destination, nearest first: `None` for one that says nothing. The list ends with
/// the destination, where it answers, with the router that refuses, or with the last one that said anything;
/// it has at most `most` entries (up to 32). All are asked at once, each thrice within the deadline.
///
/// Errors are this host's own: no route, no file descriptors.
pub async fn hops(
    destination: SocketAddr,
    via: Via,
    most: u8,
    deadline: Duration,
) -> io::Result<Vec<Option<IpAddr>>> {
    let most = most.min(32);
    let mut tasks = JoinSet::new();
    let mut handles = Vec::new();
    for limit in 1..=most {
        let socket = open(destination, via, limit)?;
        handles.push(tasks.spawn(async move {
            let answer = match via {
                Via::Udp => timeout(deadline, by_datagram(socket, deadline / 3)).await,
                Via::Tcp => timeout(deadline, by_connection(socket)).await,
            };
            (usize::from(limit) - 1, answer.unwrap_or(Ok(None)))
        }));
    }
    let mut answers = vec![None; most.into()];
    while let Some(done) = tasks.join_next().await {
        let (at, answer) = match done {
            Ok(done) => done,
            Err(error) if error.is_cancelled() => continue,
            Err(error) => return Err(io::Error::other(error)),
        };
        let answer = answer?;
        if matches!(answer, Some(Voice::End(_) | Voice::Arrived)) {
            // Nobody farther out has anything to add, and routers say only so many errors per second.
            handles.iter().skip(at + 1).for_each(AbortHandle::abort);
        }
        if let Some(slot) = answers.get_mut(at) {
            *slot = answer;
        }
    }
    Ok(way(&answers, destination.ip()))
}

/// Who spoke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// A router on the way.
    Router(IpAddr),
    /// Whoever stopped the packet for another reason than its age.
    End(IpAddr),
    /// The destination answered as itself.
    Arrived,
}

fn way(answers: &[Option<Voice>], destination: IpAddr) -> Vec<Option<IpAddr>> {
    let mut hops: Vec<Option<IpAddr>> = Vec::new();
    for answer in answers {
        match answer {
            None => hops.push(None),
            Some(Voice::Router(address)) => hops.push(Some(*address)),
            Some(Voice::End(address)) => {
                // A router that refuses what it would pass on has already named itself one hop before.
                if hops.last() != Some(&Some(*address)) {
                    hops.push(Some(*address));
                }
                break;
            }
            Some(Voice::Arrived) => {
                hops.push(Some(destination));
                break;
            }
        }
    }
    while hops.last() == Some(&None) {
        hops.pop();
    }
    hops
}

fn open(destination: SocketAddr, via: Via, limit: u8) -> io::Result<Socket> {
    let kind = match via {
        Via::Udp => Type::DGRAM,
        Via::Tcp => Type::STREAM,
    };
    let socket = icmp::open(kind, destination)?;
    match destination {
        SocketAddr::V4(_) => socket.set_ttl_v4(limit.into())?,
        SocketAddr::V6(_) => socket.set_unicast_hops_v6(limit.into())?,
    }
    match socket.connect(&destination.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
        // A refusal on the spot (loopback) is read off the socket like a later one.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) => return Err(error),
    }
    Ok(socket)
}

async fn by_datagram(socket: Socket, pause: Duration) -> io::Result<Option<Voice>> {
    let socket = UdpSocket::from_std(socket.into())?;
    loop {
        // The error of the one before is reported here once more; the queue says what it was.
        let _ = SockRef::from(&socket).send(&[]);
        match timeout(pause, icmp::next_or(&socket, Interest::READABLE)).await {
            Ok(Ok(Some(notice))) => {
                if let Some(voice) = voice(notice) {
                    return Ok(Some(voice));
                }
            }
            Ok(Ok(None)) => return Ok(Some(Voice::Arrived)),
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
    }
}

/// The kernel repeats the opening by itself, after one second and two more.
async fn by_connection(socket: Socket) -> io::Result<Option<Voice>> {
    let stream = TcpStream::from_std(socket.into())?;
    let notice = icmp::next_or(&stream, Interest::WRITABLE).await?;
    if let Some(notice) = notice {
        return Ok(voice(notice));
    }
    let is_there = match stream.take_error()? {
        Some(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        // Connected; or refused on the spot, which the opening was told already.
        None => true,
    };
    Ok(is_there.then_some(Voice::Arrived))
}

fn voice(notice: icmp::Notice) -> Option<Voice> {
    let from = notice.from?;
    Some(if notice.cause == Cause::Expired { Voice::Router(from) } else { Voice::End(from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_way_ends_where_packets_end() {
        let (near, far, end) = (ip("192.168.1.1"), ip("10.0.0.1"), ip("203.0.113.9"));
        let arrived = [Some(Voice::Router(near)), None, Some(Voice::Arrived), Some(Voice::Arrived)];
        assert_eq!(way(&arrived, end), [Some(near), None, Some(end)]);
        let refused = [Some(Voice::Router(near)), Some(Voice::End(near)), Some(Voice::End(near))];
        assert_eq!(way(&refused, end), [Some(near)]);
        let silent = [Some(Voice::Router(near)), Some(Voice::Router(far)), None, None];
        assert_eq!(way(&silent, end), [Some(near), Some(far)]);
        assert_eq!(way(&[None, None], end), []);
    }

    #[tokio::test]
    async fn loopback_is_one_hop() {
        let wait = Duration::from_secs(20);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        assert_eq!(hops(open, Via::Tcp, 3, wait).await.unwrap(), [Some(open.ip())]);
        drop(listener);
        assert_eq!(hops(open, Via::Tcp, 3, wait).await.unwrap(), [Some(open.ip())], "refused is arrived");
        let unused = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(hops(unused, Via::Udp, 3, wait).await.unwrap(), [Some(unused.ip())]);
    }

    #[tokio::test]
    async fn silence_ends_with_the_deadline() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let started = tokio::time::Instant::now();
        let none = hops(silent.local_addr().unwrap(), Via::Udp, 4, Duration::from_millis(150)).await.unwrap();
        assert_eq!(none, []);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
