//! The reflector's client over TCP.

use super::client::{Port, Session, known};
use super::wire::{HEAD, Head, Kind};
use crate::outcome::{Reach, Samples, reach_of};
use crate::udp::Ranged;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Connections at once.
const TOGETHER: usize = 128;
/// For one connection: Linux sends a SYN again after 1 s and 3 s, so two losses are made up for.
const EACH: Duration = Duration::from_millis(4500);

/// Asks the reflector at `server` on each port over TCP, and says in sum what passes. The times are those of the
/// connections.
pub async fn range_tcp(
    server: IpAddr,
    ports: &[u16],
    secret: &[u8; 32],
    deadline: Duration,
    local: Option<IpAddr>,
) -> Ranged {
    let end = Instant::now() + deadline;
    let mut ports = known(ports);
    let mut queue: Vec<u16> =
        ports.iter().filter(|(_, port)| port.reach.is_none()).map(|(port, _)| *port).collect();
    queue.reverse();
    let mut samples = Samples::default();
    let mut own = None;
    let mut tasks: JoinSet<(u16, Result<Talked, Reach>)> = JoinSet::new();
    loop {
        while tasks.len() < TOGETHER
            && Instant::now() < end
            && let Some(port) = queue.pop()
        {
            let (secret, until) = (*secret, end.min(Instant::now() + EACH));
            tasks.spawn(async move {
                let whole = talk(SocketAddr::new(server, port), &secret, local);
                // Whether the connection or the reply failed to come, nothing came.
                (port, timeout_at(until, whole).await.unwrap_or(Err(Reach::Silent)))
            });
        }
        let Some(done) = tasks.join_next().await else { break };
        if let Ok((port, outcome)) = done {
            take(&mut ports, port, outcome, &mut samples, &mut own);
        }
    }
    super::sum::up(server, ports, samples, own, 3)
}

struct Talked {
    connect: Duration,
    local: SocketAddr,
    answer: Head,
}

fn take(
    ports: &mut BTreeMap<u16, Port>,
    port: u16,
    outcome: Result<Talked, Reach>,
    samples: &mut Samples,
    own: &mut Option<SocketAddr>,
) {
    let Some(entry) = ports.get_mut(&port) else { return };
    entry.sent += 1;
    match outcome {
        Ok(talked) => {
            samples.add(Some(talked.connect));
            // Every connection has a port of its own: what is compared is whether each was kept.
            let is_kept = talked.answer.seen == talked.local;
            if own.is_none() || !is_kept {
                *own = Some(talked.local);
            }
            entry.answer = Some(talked.answer);
        }
        Err(Reach::Silent) => {}
        Err(reach) => entry.reach = Some(reach),
    }
}

async fn talk(server: SocketAddr, secret: &[u8; 32], local: Option<IpAddr>) -> Result<Talked, Reach> {
    // What this host cannot do says nothing about the network.
    let own = |error: io::Error| Reach::Undecided(Text::new("probe-own-error").arg("detail", error));
    let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(own)?;
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0)).map_err(own)?;
    }
    let began = Instant::now();
    let mut stream = socket.connect(server).await.map_err(|error| reach_of(&error))?;
    let connect = began.elapsed();
    let local = stream.local_addr().map_err(own)?;
    let mut session = Session::new(secret).map_err(own)?;
    let mut cookie = None;
    loop {
        let (number, bytes) = session.next(server.port(), cookie, HEAD);
        stream.write_all(&bytes).await.map_err(|error| reach_of(&error))?;
        let mut reply = [0; HEAD];
        stream.read_exact(&mut reply).await.map_err(|error| reach_of(&error))?;
        let head = session.read(&reply).filter(|head| head.number == number);
        match head {
            Some(answer) if answer.kind == Kind::Answer => return Ok(Talked { connect, local, answer }),
            Some(head) if cookie.is_none() => cookie = Some((head.ends, head.cookie)),
            _ => return Err(Reach::Broken(Text::new("probe-reflect-not-ours"))),
        }
    }
}
