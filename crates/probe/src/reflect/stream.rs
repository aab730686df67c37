//! The reflector's client over TCP.

use super::client::{Port, Session, known};
use super::wire::{HEAD, Head, Kind};
use crate::outcome::{Reach, Samples, reach_of};
use crate::tcp;
use crate::udp::Ranged;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Connections at once.
const TOGETHER: usize = 128;
/// For one connection: Linux sends a SYN again after 1 s and 3 s, so two losses are made up for.
const EACH: Duration = Duration::from_millis(4500);
/// After a connection was cut: a reflector that is full has places again by then.
const PAUSE: Duration = Duration::from_millis(1100);

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
    let mut tasks: JoinSet<(u16, Ended)> = JoinSet::new();
    loop {
        while tasks.len() < TOGETHER
            && Instant::now() < end
            && let Some(port) = queue.pop()
        {
            let secret = *secret;
            tasks.spawn(
                async move { (port, attempts(SocketAddr::new(server, port), &secret, local, end).await) },
            );
        }
        let Some(done) = tasks.join_next().await else { break };
        if let Ok((port, ended)) = done {
            take(&mut ports, port, ended, &mut samples, &mut own);
        }
    }
    super::sum::up(server, ports, samples, own)
}

struct Talked {
    connect: Duration,
    local: SocketAddr,
    answer: Head,
}

/// How the attempts at a port ended.
struct Ended {
    outcome: Result<Talked, Reach>,
    // Packets of which nothing came back, when it stayed silent.
    sent: u32,
}

/// Why a conversation brought no answer.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    /// Nothing came in this time, whether of a connection or of a reply.
    Silent(Duration),
    /// The connection was there, and was cut off.
    Cut,
    /// Anything else.
    Other(Reach),
}

fn take(
    ports: &mut BTreeMap<u16, Port>,
    port: u16,
    ended: Ended,
    samples: &mut Samples,
    own: &mut Option<SocketAddr>,
) {
    let Some(entry) = ports.get_mut(&port) else { return };
    entry.sent = ended.sent;
    match ended.outcome {
        Ok(talked) => {
            // Who took a second or more answered a later SYN than the first.
            (1..tcp::syns_within(talked.connect)).for_each(|_| samples.add(None));
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

/// Talks to a port; once more when the connection is cut, which a reflector does that has too many.
async fn attempts(server: SocketAddr, secret: &[u8; 32], local: Option<IpAddr>, end: Instant) -> Ended {
    let mut ended = talk(server, secret, local, end.min(Instant::now() + EACH)).await;
    if matches!(ended, Err(Failed::Cut)) && Instant::now() + PAUSE < end {
        sleep(PAUSE).await;
        ended = talk(server, secret, local, end.min(Instant::now() + EACH)).await;
    }
    let (outcome, sent) = match ended {
        Ok(talked) => (Ok(talked), 1),
        Err(Failed::Other(reach)) => (Err(reach), 1),
        // By the reflector, or by somebody on the way: that cannot be told.
        Err(Failed::Cut) => (Err(Reach::Undecided(Text::new("probe-reflect-cut"))), 1),
        Err(Failed::Silent(waited)) if waited >= tcp::TWO_SYNS => {
            (Err(Reach::Silent), tcp::syns_within(waited))
        }
        Err(Failed::Silent(_)) => (Err(Reach::Undecided(Text::new("probe-udp-not-awaited"))), 0),
    };
    Ended { outcome, sent }
}

async fn talk(
    server: SocketAddr,
    secret: &[u8; 32],
    local: Option<IpAddr>,
    until: Instant,
) -> Result<Talked, Failed> {
    // What this host cannot do says nothing about the network.
    let own =
        |error: io::Error| Failed::Other(Reach::Undecided(Text::new("probe-own-error").arg("detail", error)));
    let began = Instant::now();
    let limit = until.saturating_duration_since(began);
    let mut stream = tcp::connect(server, local, None, limit).await.map_err(|reach| match reach {
        Reach::Silent => Failed::Silent(began.elapsed()),
        other => Failed::Other(other),
    })?;
    let connect = began.elapsed();
    let local = stream.local_addr().map_err(own)?;
    let mut session = Session::new(secret).map_err(own)?;
    let mut cookie = None;
    loop {
        let (number, bytes) = session.next(server.port(), cookie, HEAD);
        let asked = Instant::now();
        let reply = match timeout_at(until, exchange(&mut stream, &bytes)).await {
            Ok(reply) => reply.map_err(|error| failed(&error))?,
            Err(_) => return Err(Failed::Silent(asked.elapsed())),
        };
        let head = session.read(&reply).filter(|head| head.number == number);
        match head {
            Some(answer) if answer.kind == Kind::Answer => return Ok(Talked { connect, local, answer }),
            Some(head) if cookie.is_none() => cookie = Some((head.ends, head.cookie)),
            _ => return Err(Failed::Other(Reach::Broken(Text::new("probe-reflect-not-ours")))),
        }
    }
}

async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<[u8; HEAD]> {
    stream.write_all(bytes).await?;
    let mut reply = [0; HEAD];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

/// On a connection that there was.
fn failed(error: &io::Error) -> Failed {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => Failed::Cut,
        _ => Failed::Other(reach_of(error)),
    }
}
