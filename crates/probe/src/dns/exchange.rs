//! Asks one question of one resolver, over UDP and over TCP.

use super::codec::{self, Message, Question};
use crate::outcome::Reach;
use crate::{icmp, stream};
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Where to, from where and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub resolver: SocketAddr,
    pub local: Option<IpAddr>,
    pub until: Instant,
}

/// A reply to the question asked.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub message: Message,
    /// From the datagram it replies to (TCP: from the connection being open).
    pub time: Duration,
    /// Datagrams before that one, without a reply.
    pub lost: u32,
    /// Whether the letter case of the question came back as asked.
    pub case_kept: bool,
}

/// What came in besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Odd {
    /// Replies from another address or port than the one asked.
    pub foreign: BTreeSet<SocketAddr>,
    /// Datagrams that are no DNS reply.
    pub garbage: u32,
    /// Replies with another id, or to another question.
    pub mismatched: u32,
}

impl Odd {
    /// Adds what another exchange saw.
    pub fn merge(&mut self, other: Odd) {
        self.foreign.extend(other.foreign);
        self.garbage = self.garbage.saturating_add(other.garbage);
        self.mismatched = self.mismatched.saturating_add(other.mismatched);
    }

    /// How far it got if nothing else came.
    fn reach(&self) -> Option<Reach> {
        if self.mismatched > 0 {
            Some(Reach::Broken(Text::new("probe-dns-mismatched")))
        } else if self.garbage > 0 {
            Some(Reach::Broken(Text::new("probe-dns-garbage")))
        } else {
            let from = self.foreign.first()?;
            Some(Reach::Broken(Text::new("probe-dns-foreign").arg("from", from)))
        }
    }
}

/// Waits after each datagram of a question; the first two as short as a stub resolver may, the last long enough for
/// one that has to ask around (glibc waits 5 s).
const WAITS: [Duration; 3] =
    [Duration::from_millis(1000), Duration::from_millis(2000), Duration::from_millis(4000)];
/// Senders of replies from elsewhere that are remembered.
const FOREIGN: usize = 16;
/// Messages over one TCP connection that may be somebody else's answer.
const STRAY: u32 = 4;

/// Asks over UDP on a socket of its own. Sends up to three datagrams, the last without EDNS, because there are boxes
/// that drop what they do not know. The socket is not connected, so that replies from elsewhere are seen.
pub(crate) async fn udp(link: Link, question: &Question, odd: &mut Odd) -> Result<Reply, Reach> {
    let socket = open(link).await?;
    let mut sent: Vec<(u16, Instant)> = Vec::new();
    let mut wake = Instant::now();
    let mut said = None;
    let mut noise = Odd::default();
    // Larger replies than offered are cut by the socket and fail to parse.
    let mut buffer = vec![0; 4096];
    let outcome = loop {
        let now = Instant::now();
        if now >= link.until {
            break None;
        }
        if now >= wake {
            let Some(wait) = WAITS.get(sent.len()) else { break None };
            let id = random()?;
            let query = codec::query(id, question, sent.len() + 1 < WAITS.len());
            sent.push((id, now));
            wake = (now + *wait).min(link.until);
            // A full queue of the interface blocks, and must not outlast the deadline.
            let Ok(result) = timeout_at(link.until, socket.send_to(&query, link.resolver)).await else {
                break None;
            };
            if let Err(error) = result {
                // A pending ICMP error of the datagram before comes out here, too.
                said = icmp::reported(&socket).or_else(|| Some(stream::reach(&error)));
                wake = now;
                continue;
            }
        }
        match timeout_at(wake, socket.recv_from(&mut buffer)).await {
            Err(_) => (),
            Ok(Err(error)) => {
                if let Some(found) = error_of(&socket, &error) {
                    said = Some(found);
                    wake = now;
                }
            }
            Ok(Ok((length, from))) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                if let Some(reply) = sort(bytes, from, link.resolver, question, &sent, &mut noise) {
                    break Some(reply);
                }
            }
        }
    };
    let reach = noise.reach();
    odd.merge(noise);
    // A reply that is none says more than an ICMP error, and both more than silence.
    outcome.ok_or_else(|| reach.or(said).unwrap_or(Reach::Silent))
}

/// Asks over a TCP connection of its own (RFC 7766).
pub(crate) async fn tcp(link: Link, question: &Question) -> Result<Reply, Reach> {
    let link = Link { until: link.until.min(Instant::now() + WAITS.iter().sum::<Duration>()), ..link };
    let mut stream = stream::connect(link.resolver, link.local, link.until).await?;
    let id = random()?;
    let query = codec::query(id, question, true);
    let mut framed = u16::try_from(query.len()).unwrap_or_default().to_be_bytes().to_vec();
    framed.extend(query);
    let start = Instant::now();
    let mut read = 0;
    let exchange = async {
        stream.write_all(&framed).await?;
        for _ in 0..STRAY {
            let message = framed_message(&mut stream, &mut read).await?;
            let Some(message) = codec::parse(&message) else {
                return Ok(Err(Reach::Broken(Text::new("probe-dns-garbage"))));
            };
            if let (true, Some(case_kept)) = (message.id == id, message.replies_to(question)) {
                return Ok(Ok(Reply { message, time: start.elapsed(), lost: 0, case_kept }));
            }
        }
        Ok(Err(Reach::Broken(Text::new("probe-dns-mismatched"))))
    };
    match timeout_at(link.until, exchange).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Err(stream::reach(&error)),
        Err(_) if read > 0 => Err(Reach::Broken(Text::new("probe-unfinished").num("bytes", read))),
        Err(_) => Err(Reach::Silent),
    }
}

/// Asks over UDP, and over TCP if the answer did not fit; then the reach of TCP counts. Says whether it did not fit.
pub(crate) async fn resolve(link: Link, question: &Question, odd: &mut Odd) -> (bool, Result<Reply, Reach>) {
    match udp(link, question, odd).await {
        Ok(reply) if reply.message.is_truncated => (true, tcp(link, question).await),
        other => (false, other),
    }
}

/// Random bits for ids, letter case and labels.
pub(crate) fn bits() -> Result<u64, Reach> {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(u64::from_ne_bytes(bytes)),
        Err(error) => Err(Reach::Undecided(Text::new("probe-own-error").arg("detail", error))),
    }
}

fn random() -> Result<u16, Reach> {
    bits().map(|bits| (bits >> 48) as u16)
}

async fn open(link: Link) -> Result<UdpSocket, Reach> {
    let source = stream::source(link.resolver, link.local)?;
    let socket = UdpSocket::bind(source).await.map_err(|error| stream::own(&error))?;
    icmp::listen(&socket, link.resolver.is_ipv6()).map_err(|error| stream::own(&error))?;
    Ok(socket)
}

/// What an error on receiving says; `None` for one that says nothing about the way.
fn error_of(socket: &UdpSocket, error: &io::Error) -> Option<Reach> {
    let found = icmp::reported(socket);
    match error.raw_os_error().map(Errno::from_raw) {
        // An ICMP error about size. Its queue entry must go all the same.
        Some(Errno::EMSGSIZE) => found,
        _ => found.or_else(|| Some(stream::reach(error))),
    }
}

/// Whether a datagram is the reply.
fn sort(
    bytes: &[u8],
    from: SocketAddr,
    resolver: SocketAddr,
    question: &Question,
    sent: &[(u16, Instant)],
    odd: &mut Odd,
) -> Option<Reply> {
    // Scope and flow label of IPv6 are no part of who it is.
    let is_resolver = (from.ip(), from.port()) == (resolver.ip(), resolver.port());
    let Some(message) = codec::parse(bytes) else {
        odd.garbage = odd.garbage.saturating_add(u32::from(is_resolver));
        return None;
    };
    let position = sent.iter().position(|(id, _)| *id == message.id);
    let (Some(position), Some(case_kept)) = (position, message.replies_to(question)) else {
        odd.mismatched = odd.mismatched.saturating_add(u32::from(is_resolver));
        return None;
    };
    if !is_resolver {
        if odd.foreign.len() < FOREIGN {
            odd.foreign.insert(from);
        }
        return None;
    }
    let (_, start) = sent.get(position)?;
    let lost = u32::try_from(position).unwrap_or_default();
    Some(Reply { message, time: start.elapsed(), lost, case_kept })
}

/// A message with its length before it; counts the bytes read.
async fn framed_message(stream: &mut (impl AsyncReadExt + Unpin), read: &mut usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    fill(stream, &mut length, read).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    fill(stream, &mut message, read).await?;
    Ok(message)
}

async fn fill(
    stream: &mut (impl AsyncReadExt + Unpin),
    mut into: &mut [u8],
    read: &mut usize,
) -> io::Result<()> {
    while !into.is_empty() {
        let count = stream.read(into).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *read += count;
        into = into.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}
