//! The asking itself: one port at a time, every wait bounded, every read bounded.

use super::ports::{Question, by_number, is_printing, questions, service_name};
use super::{Basis, Identified, Service, TlsSeen, Weakness, datagram, dns, greeting, hello, http, sip};
use crate::observed::Transport;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

/// How long a service may take to speak first. Longer ones are asked.
const GREETING: Duration = Duration::from_secs(2);
const GREETING_BYTES: usize = 4 * 1024;
const ANSWER_BYTES: usize = 16 * 1024;
/// A chain of certificates of the usual size, with room.
const FLIGHT_BYTES: usize = 32 * 1024;
/// Datagrams that may come in without being the answer.
const DATAGRAMS: usize = 64;

/// Asks an open TCP port what it is. Ends within `deadline`; `seed` marks what is sent.
///
/// Nothing is sent, and no connection made, to a port printers listen on. A port that keeps silent is open all the
/// same and named by its number.
pub async fn identify_tcp(at: SocketAddr, deadline: Duration, seed: u64) -> Identified {
    let by_port = by_number(Transport::Tcp, at.port());
    if is_printing(at.port()) {
        return Identified::NotAsked(by_port);
    }
    let end = Instant::now() + deadline;
    let mut stream = match connect(at, end).await {
        Ok(stream) => stream,
        Err(failed) => return failed,
    };
    let listen = Instant::now() + GREETING.min(deadline / 3);
    let mut said = Vec::new();
    let is_open = read(&mut stream, &mut said, listen.min(end), GREETING_BYTES, greeting::is_whole).await;
    if !said.is_empty() {
        let unknown = || greeting::unknown(service_name(Transport::Tcp, at.port()), &said);
        return Identified::Open(greeting::greeting(at.port(), &said).unwrap_or_else(unknown));
    }
    let mut first = is_open.then_some(stream);
    let mut best: Option<Service> = None;
    let list = questions(at.port());
    for (asked, question) in list.iter().enumerate() {
        let left = (list.len() - asked) as u32;
        let until = Instant::now() + end.saturating_duration_since(Instant::now()) / left;
        let asking = Asking { at, until, seed, port: at.port() };
        match (question, asking.ask(*question, first.take()).await) {
            (_, None) => {}
            // A server that could not make sense of HTTP may want TLS; what it is then counts.
            (Question::Http, Some((service, true))) => best = Some(service),
            (_, Some((service, _))) => return Identified::Open(service),
        }
    }
    Identified::Open(best.unwrap_or(by_port))
}

/// Asks a UDP port what it is. Ends within `deadline`; `seed` marks what is sent.
pub async fn identify_udp(at: SocketAddr, deadline: Duration, seed: u64) -> Identified {
    let Some(question) = datagram::question(at.port()) else {
        return Identified::NotAsked(by_number(Transport::Udp, at.port()));
    };
    ask_udp(at, question, deadline, seed).await
}

pub(super) async fn ask_udp(
    at: SocketAddr,
    question: datagram::Question,
    deadline: Duration,
    seed: u64,
) -> Identified {
    match udp(at, question, Instant::now(), deadline, spread(seed, at)).await {
        Ok(Some(service)) => Identified::Open(service),
        Ok(None) => Identified::Silent,
        Err(error) => failure(&error),
    }
}

async fn udp(
    at: SocketAddr,
    question: datagram::Question,
    start: Instant,
    deadline: Duration,
    id: u64,
) -> io::Result<Option<Service>> {
    let any: IpAddr = match at {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    let anywhere = question.answers_from_anywhere();
    if !anywhere {
        socket.connect(at).await?;
    }
    let datagrams = question.datagrams(at, socket.local_addr()?, id);
    let mut buffer = vec![0; 4096];
    let mut strays = 0;
    // Three tries, the waits growing: a lost datagram is no silence.
    for wait in [deadline / 6, deadline / 2, deadline] {
        for datagram in &datagrams {
            if anywhere {
                socket.send_to(datagram, at).await?
            } else {
                socket.send(datagram).await?
            };
        }
        while let Ok(received) = timeout_at(start + wait, socket.recv_from(&mut buffer)).await {
            let (size, from) = match received {
                Ok(received) => received,
                // Windows reports a refusal of another datagram here; a connected socket's is ours.
                Err(error) if anywhere && error.kind() == ErrorKind::ConnectionReset => continue,
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..size).unwrap_or(&[]);
            if from.ip() == at.ip() {
                if let Some(last) = question.farewell(bytes) {
                    // Best effort: the server gives up by itself as well.
                    let _ = socket.send_to(&last, from).await;
                }
                if let Some(service) = question.answer(id, bytes) {
                    return Ok(Some(service));
                }
            }
            strays += 1;
            if strays >= DATAGRAMS {
                return Ok(None);
            }
        }
    }
    Ok(None)
}

struct Asking {
    at: SocketAddr,
    until: Instant,
    seed: u64,
    port: u16,
}

impl Asking {
    /// The service, and whether another question should be asked before it is believed.
    async fn ask(&self, question: Question, stream: Option<TcpStream>) -> Option<(Service, bool)> {
        match question {
            Question::Http => {
                let bytes =
                    self.exchange(stream, &http::request(self.at), ANSWER_BYTES, is_whole_page).await?;
                match http::answer(&bytes) {
                    Some(answer) => Some((answer.service, answer.may_be_tls)),
                    None if bytes.is_empty() => None,
                    // An alert is TLS's way of not understanding.
                    None if matches!(hello::reply(&bytes), hello::Reply::Alert(_)) => None,
                    None => Some((greeting::unknown(service_name(Transport::Tcp, self.port), &bytes), true)),
                }
            }
            Question::Rtsp => {
                let bytes =
                    self.exchange(stream, &http::rtsp_request(self.at), ANSWER_BYTES, is_whole_page).await?;
                http::answer(&bytes).map(|answer| (answer.service, false))
            }
            Question::Sip => {
                let id = spread(self.seed, self.at);
                let mut stream = self.stream(stream).await?;
                let request = sip::request(self.at, stream.local_addr().ok()?, "TCP", id);
                let bytes = self.talk(&mut stream, &request, ANSWER_BYTES, is_whole_page).await;
                sip::answer(id, &bytes).map(|service| (service, false))
            }
            Question::Dns => {
                let id = spread(self.seed, self.at) as u16;
                let query = dns::version_query(id);
                let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
                let bytes = self.exchange(stream, &framed, ANSWER_BYTES, is_whole_message).await?;
                dns::version_answer(id, bytes.get(2..)?).map(|service| (service, false))
            }
            Question::Tls => self.tls(stream).await.map(|service| (service, false)),
        }
    }

    async fn tls(&self, stream: Option<TcpStream>) -> Option<Service> {
        let random = random(spread(self.seed, self.at));
        // Half of the time for each of the two greetings.
        let half = Asking {
            until: Instant::now() + self.until.saturating_duration_since(Instant::now()) / 2,
            ..*self
        };
        let old = half.greet(stream, &hello::until_1_2(random)).await?;
        let mut seen = TlsSeen::default();
        let mut weaknesses = Vec::new();
        match old {
            hello::Reply::Other | hello::Reply::Short => return None,
            hello::Reply::Alert(_) => {}
            hello::Reply::Chosen { version, cipher, seen: certificate } => {
                seen = certificate;
                if version < 0x0303 {
                    weaknesses.push(Weakness::OldTls);
                }
                if hello::is_bad_suite(cipher) {
                    weaknesses.push(Weakness::OldCipher);
                }
            }
        }
        if let Some(hello::Reply::Chosen { version: version @ 0x0304.., cipher, .. }) =
            self.greet(None, &hello::only_1_3(random)).await
        {
            // Who takes 1.3 is not held to what it does for old clients' sake.
            weaknesses.clear();
            seen.version = Some(hello::version_name(version));
            seen.cipher = Some(cipher);
        }
        let name = match service_name(Transport::Tcp, self.port) {
            Some("http") => Some("https"),
            Some(name) => Some(name),
            None => None,
        };
        let basis = if name.is_some() { Basis::Port } else { Basis::Answer };
        let mut service = Service::new(name.unwrap_or("tls"), basis);
        service.is_encrypted = true;
        service.weaknesses = weaknesses;
        service.tls = Some(seen);
        Some(service)
    }

    async fn greet(&self, stream: Option<TcpStream>, greeting: &[u8]) -> Option<hello::Reply> {
        let enough = |bytes: &[u8]| hello::reply(bytes) != hello::Reply::Short;
        let bytes = self.exchange(stream, greeting, FLIGHT_BYTES, enough).await?;
        Some(hello::reply(&bytes))
    }

    /// Sends and reads on the connection given, or on a new one.
    async fn exchange(
        &self,
        stream: Option<TcpStream>,
        request: &[u8],
        limit: usize,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let mut stream = self.stream(stream).await?;
        Some(self.talk(&mut stream, request, limit, enough).await)
    }

    async fn stream(&self, stream: Option<TcpStream>) -> Option<TcpStream> {
        match stream {
            Some(stream) => Some(stream),
            None => connect(self.at, self.until).await.ok(),
        }
    }

    async fn talk(
        &self,
        stream: &mut TcpStream,
        request: &[u8],
        limit: usize,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Ok(Ok(())) = timeout_at(self.until, stream.write_all(request)).await {
            read(stream, &mut bytes, self.until, limit, enough).await;
        }
        bytes
    }
}

/// Reads until `enough` says so, the limit, the time or the end; whether the connection is still open.
async fn read(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    until: Instant,
    limit: usize,
    enough: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut chunk = [0; 2048];
    while bytes.len() < limit {
        match timeout_at(until, stream.read(&mut chunk)).await {
            Err(_) => return true,
            Ok(Ok(0) | Err(_)) => return false,
            Ok(Ok(size)) => bytes.extend_from_slice(chunk.get(..size).unwrap_or(&[])),
        }
        if enough(bytes) {
            break;
        }
    }
    bytes.truncate(limit);
    true
}

async fn connect(at: SocketAddr, until: Instant) -> Result<TcpStream, Identified> {
    match timeout_at(until, TcpStream::connect(at)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(Identified::Silent),
    }
}

/// What an error says of the port, or of the asking host.
fn failure(error: &io::Error) -> Identified {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            Identified::Closed
        }
        // A filter's answer, or none: nothing is known of the port itself.
        ErrorKind::TimedOut
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::PermissionDenied => Identified::Silent,
        kind => Identified::Local(kind),
    }
}

/// Headers are whole, and so is the page as far as its length is given.
fn is_whole_page(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        // What is no HTTP needs no headers.
        return bytes.len() >= 8
            && !bytes.starts_with(b"HTTP/")
            && !bytes.starts_with(b"RTSP/")
            && !bytes.starts_with(b"SIP/");
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or(&[])).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.map(|length| length.trim().parse::<usize>()) {
        Some(Ok(length)) => bytes.len() - end - 4 >= length,
        Some(Err(_)) => true,
        None => !head.starts_with("http/"),
    }
}

/// A message of DNS over TCP, with its length before it.
fn is_whole_message(bytes: &[u8]) -> bool {
    matches!(bytes, [high, low, rest @ ..] if rest.len() >= usize::from(u16::from_be_bytes([*high, *low])))
}

/// A number that differs from port to port and seed to seed (the finaliser of `SplitMix64`).
fn spread(seed: u64, at: SocketAddr) -> u64 {
    let address = tillgate_model::address_bits(at.ip());
    let mut z = seed ^ (address as u64) ^ (address >> 64) as u64 ^ u64::from(at.port()).rotate_left(48);
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn random(id: u64) -> [u8; 32] {
    let mut out = [0; 32];
    for (at, chunk) in out.chunks_mut(8).enumerate() {
        chunk.copy_from_slice(&id.rotate_left(at as u32 * 13).to_be_bytes());
    }
    out
}
