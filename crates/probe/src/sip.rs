//! SIP: whether a server is reached with OPTIONS (RFC 3261 section 11), and whether somebody rewrites what is said.
//!
//! Any final response proves that the server is reached: one that wants a password (401), does not know the method (405)
//! or is overloaded (503) has read the request and answered it. A provisional one (1xx) alone is no answer. Application
//! layer gateways (ALG) of routers replace addresses in SIP messages; what must come back as it was sent is compared.

mod message;
mod request;

use crate::outcome::{Detail, Fault, Reach, Report, reach_of};
use crate::tcp;
use crate::udp::errors::{self, Heard};
use message::{Frame, Message, Start, Unread, Via, read};
use request::Sent;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Timer T1 of RFC 3261 (section 17.1.1.1): when a datagram is first sent again.
const T1: Duration = Duration::from_millis(500);
/// For one request. RFC 3261 would wait 32 s (timer F); nobody watches a test for that long.
const BUDGET: Duration = Duration::from_secs(4);
/// Bytes read at most from one connection.
const LIMIT: usize = 64 * 1024;

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Port 5060.
    Udp,
    /// Port 5060.
    Tcp,
    /// Port 5061, over a connection that the caller has secured: see [`over`].
    Tls,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }
}

/// What to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub server: SocketAddr,
    /// Its name, for the request's address; an empty one makes it the server's address.
    pub name: String,
    /// How.
    pub transport: Transport,
    /// Requests to make, one after the other; at least one.
    pub samples: u32,
    /// For everything. One request takes 4 s at most in any case.
    pub deadline: Duration,
    /// The address to send from, where it matters.
    pub local: Option<IpAddr>,
}

/// Asks over UDP or TCP. A secured connection is the caller's to make: see [`over`].
pub async fn check(options: &Options) -> Report {
    let end = Instant::now() + options.deadline;
    match options.transport {
        Transport::Udp => match over_udp(options, end).await {
            Ok(report) => report,
            Err(error) => own_error(&error),
        },
        Transport::Tcp => {
            let began = Instant::now();
            let limit = options.deadline.min(BUDGET);
            let stream = match tcp::connect(options.server, options.local, None, limit).await {
                Ok(stream) => stream,
                Err(reach) => return Report::of(reach),
            };
            let connect = began.elapsed();
            let local = match stream.local_addr() {
                Ok(local) => local,
                Err(error) => return own_error(&error),
            };
            let mut report = talk(options, stream, local, end, began + BUDGET).await;
            report.number("connect_us", connect.as_micros() as f64);
            report
        }
        Transport::Tls => Report::of(Reach::Undecided(Text::new("probe-sip-needs-connection"))),
    }
}

/// Asks over a connection that there is already, for instance one secured by TLS; `local` is its own end.
pub async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    options: &Options,
    stream: S,
    local: SocketAddr,
) -> Report {
    let now = Instant::now();
    talk(options, stream, local, now + options.deadline, now + BUDGET).await
}

fn own_error(error: &io::Error) -> Report {
    Report::of(Reach::Undecided(Text::new("probe-own-error").arg("detail", error)))
}

/// How one request ended.
#[derive(Debug, Default)]
struct Ended {
    answer: Option<Message>,
    // Since the request was last sent. An answer to an earlier copy would make it too short; nothing tells them apart.
    time: Option<Duration>,
    // Copies that were sent and are lost, unless the last one is answered.
    sent: u32,
    // The last copy had no time to be answered: it says nothing.
    is_cut: bool,
    // What this host says against sending.
    own: Option<Reach>,
    provisional: Option<u16>,
    from: Option<SocketAddr>,
    garbage: Option<String>,
    reach: Option<Reach>,
}

impl Ended {
    fn reach(&self) -> Reach {
        if self.answer.is_some() {
            return Reach::Passes;
        }
        if let Some(status) = self.provisional {
            return Reach::Broken(Text::new("probe-sip-provisional").num("status", usize::from(status)));
        }
        if let Some(reach) = &self.reach {
            return reach.clone();
        }
        match &self.garbage {
            Some(line) => Reach::Broken(Text::new("probe-sip-garbage").arg("line", line)),
            None => match (&self.own, self.sent, self.is_cut) {
                (Some(own), 0, _) => own.clone(),
                // One copy, and no time to answer it.
                (_, 0 | 1, true) => Reach::Undecided(Text::new("probe-udp-not-awaited")),
                _ => Reach::Silent,
            },
        }
    }

    /// Notes how sending went. What this host lacks now, it may have next time.
    fn left(&mut self, sent: io::Result<()>) {
        self.own = None;
        match sent.map_err(|error| reach_of(&error)) {
            Ok(()) => self.sent += 1,
            Err(reach @ Reach::Undecided(_)) => self.own = Some(reach),
            Err(reach) => self.reach = Some(reach),
        }
    }

    /// Takes a response to the request; whether it is final.
    fn take(&mut self, message: Message, since: Instant) -> bool {
        match message.start {
            Start::Response(status @ 100..200, _) => self.provisional = Some(status),
            Start::Response(..) => {
                self.time = Some(since.elapsed());
                self.answer = Some(message);
            }
            Start::Request(_) => {}
        }
        self.answer.is_some()
    }
}

/// The first line of something that is no SIP, so that it can be shown.
fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.get(..line.len().min(60)).unwrap_or_default();
    String::from_utf8_lossy(line).trim_end().escape_default().to_string()
}

async fn over_udp(options: &Options, end: Instant) -> io::Result<Report> {
    let socket = errors::open(options.server.ip(), options.local)?;
    let source = match errors::source(options.server, options.local) {
        Ok(source) => source,
        Err(error) => return Ok(Report::of(reach_of(&error))),
    };
    let local = SocketAddr::new(source, socket.local_addr()?.port());
    let mut report = Report::of(Reach::Silent);
    for round in 0..options.samples.max(1) {
        let Some(sent) = Sent::new(options, local) else { return Err(io::Error::other("no random numbers")) };
        let ended = request_udp(&socket, &sent, options.server, end.min(Instant::now() + BUDGET)).await?;
        if !settle(&mut report, options, &sent, local, &ended, round == 0) || Instant::now() >= end {
            break;
        }
    }
    Ok(report)
}

async fn request_udp(socket: &UdpSocket, sent: &Sent, server: SocketAddr, end: Instant) -> io::Result<Ended> {
    let bytes = sent.bytes();
    let mut ended = Ended::default();
    let mut complaints = Vec::new();
    let mut buffer = vec![0_u8; 65_535];
    let mut wait = T1;
    let mut last = Instant::now();
    ended.left(errors::send(socket, &bytes, server, &mut complaints).await);
    if ended.reach.is_some() {
        return Ok(ended);
    }
    let mut again = last + wait;
    loop {
        match timeout_at(again.min(end), errors::hear(socket, &mut buffer, &mut complaints)).await {
            Err(_) if Instant::now() >= end => {
                ended.is_cut = last.elapsed() < T1;
                return Ok(ended);
            }
            Err(_) => {
                // Timer E doubles; after a provisional response the far end is known to be there, and is not pressed.
                wait = (wait * 2).min(T1 * 8);
                last = Instant::now();
                again = last + wait;
                if ended.provisional.is_none() {
                    let sent = errors::send(socket, &bytes, server, &mut complaints).await;
                    match sent.map_err(|error| (reach_of(&error), error)) {
                        // A filter or a missing route that comes up later does not undo what left before.
                        Err((reach, _)) if !matches!(reach, Reach::Undecided(_)) => ended.own = Some(reach),
                        sent => ended.left(sent.map_err(|(_, error)| error)),
                    }
                }
            }
            Ok(heard) => match heard? {
                Heard::Complaints => {
                    let about = complaints.drain(..).filter(|c| c.to.is_none_or(|to| to == server));
                    let mut told = about.filter_map(|c| c.reach());
                    // What this host lacks is told by the sending itself.
                    if let Some(reach) = told.find(|reach| !matches!(reach, Reach::Undecided(_))) {
                        ended.reach = Some(reach);
                        return Ok(ended);
                    }
                }
                Heard::Datagram(length, from) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    match read(datagram) {
                        Some(message) if sent.is_answered_by(&message) => {
                            ended.from = Some(from);
                            if ended.take(message, last) {
                                return Ok(ended);
                            }
                        }
                        Some(_) => {}
                        // Only from the server itself: anybody may send us anything.
                        None if from == server => ended.garbage = Some(first_line(datagram)),
                        None => {}
                    }
                    // An endless stream of datagrams must not keep us beyond the time.
                    if Instant::now() >= end {
                        ended.is_cut = last.elapsed() < T1;
                        return Ok(ended);
                    }
                }
            },
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    options: &Options,
    mut stream: S,
    local: SocketAddr,
    end: Instant,
    first: Instant,
) -> Report {
    let mut report = Report::of(Reach::Silent);
    let mut unread = Unread::default();
    for round in 0..options.samples.max(1) {
        let Some(sent) = Sent::new(options, local) else {
            return own_error(&io::Error::other("no random numbers"));
        };
        // The first one decides, so its time includes what the connection took.
        let until = if round == 0 { first } else { Instant::now() + BUDGET };
        let mut ended = request_over(&mut stream, &mut unread, &sent, end.min(until)).await;
        // Less than its own time: the first one says something about the way all the same.
        ended.is_cut = round > 0 && end < until && ended.reach() == Reach::Silent;
        if !settle(&mut report, options, &sent, local, &ended, round == 0) || Instant::now() >= end {
            break;
        }
    }
    report
}

async fn request_over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    unread: &mut Unread,
    sent: &Sent,
    end: Instant,
) -> Ended {
    let mut ended = Ended { sent: 1, ..Ended::default() };
    let since = Instant::now();
    let bytes = sent.bytes();
    let written = timeout_at(end, async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    });
    match written.await {
        Err(_) => return ended,
        Ok(Err(error)) => {
            ended.reach = Some(reach_of(&error));
            return ended;
        }
        Ok(Ok(())) => {}
    }
    let mut total = unread.bytes().len();
    let mut buffer = [0_u8; 4096];
    loop {
        loop {
            match unread.next() {
                Frame::Whole(message) => {
                    if sent.is_answered_by(&message) && ended.take(message, since) {
                        return ended;
                    }
                }
                Frame::Garbage => {
                    ended.garbage = Some(first_line(unread.bytes()));
                    return ended;
                }
                Frame::Part => break,
            }
        }
        if total > LIMIT {
            ended.reach = Some(Reach::Broken(Text::new("probe-sip-endless").num("kilobytes", LIMIT / 1024)));
            return ended;
        }
        match timeout_at(end, stream.read(&mut buffer)).await {
            Err(_) => return ended,
            Ok(Ok(0)) => {
                ended.reach = Some(Reach::Broken(Text::new("probe-cut-off")));
                return ended;
            }
            Ok(Ok(length)) => {
                total += length;
                unread.extend(buffer.get(..length).unwrap_or_default());
                if Instant::now() >= end {
                    return ended;
                }
            }
            Ok(Err(error)) => {
                ended.reach = Some(reach_of(&error));
                return ended;
            }
        }
    }
}

/// Adds how a request ended to the report; whether another one makes sense.
fn settle(
    report: &mut Report,
    options: &Options,
    sent: &Sent,
    local: SocketAddr,
    ended: &Ended,
    is_first: bool,
) -> bool {
    (1..ended.sent).for_each(|_| report.samples.add(None));
    // One that did not leave, or had no time to be answered, is not lost.
    if ended.sent > 0 && (ended.time.is_some() || !ended.is_cut) {
        report.samples.add(ended.time);
    }
    let Some(message) = &ended.answer else {
        // A later one that is lost is loss; only the first decides.
        if is_first {
            report.reach = ended.reach();
        }
        return !is_first && ended.reach() == Reach::Silent;
    };
    if !is_first {
        return true;
    }
    report.reach = Reach::Passes;
    if let Start::Response(status, reason) = &message.start {
        report.number("status", f64::from(*status));
        report.word("reason", clipped(reason));
    }
    report.word("transport", options.transport.name());
    if let Some(server) = message.header("server").or_else(|| message.header("user-agent")) {
        report.word("server", clipped(server));
    }
    let allow: Vec<String> = message.list("allow").into_iter().take(32).map(clipped).collect();
    if !allow.is_empty() {
        report.details.insert("allow", Detail::List(allow));
    }
    if let Some(from) = ended.from.filter(|from| *from != options.server) {
        let text = Text::new("probe-sip-other-source").arg("server", options.server).arg("from", from);
        report.fault(FindingId::SipFailed, text);
    }
    let changes = sent.changes(message);
    for change in &changes {
        let text = Text::new("probe-sip-rewritten").arg("header", change.header);
        let text = text.arg("before", &change.before).arg("after", clipped(&change.after));
        report.fault(FindingId::SipFailed, text);
    }
    seen(report, options, message, local, changes.is_empty());
    true
}

/// What the far end saw as our address (RFC 3581), and what that tells about who is in between.
fn seen(report: &mut Report, options: &Options, message: &Message, local: SocketAddr, is_unchanged: bool) {
    let Some(via) = message.list("via").first().copied().and_then(Via::read) else { return };
    let received: Option<IpAddr> =
        via.parameter("received").and_then(|ip| ip.trim_matches(['[', ']']).parse().ok());
    let port: Option<u16> = via.parameter("rport").and_then(|port| port.parse().ok());
    if let Some(ip) = received {
        report.word("seen_address", ip);
    }
    if let Some(port) = port {
        report.number("seen_port", f64::from(port));
    }
    let is_telling = received.is_some() || port.is_some();
    let is_other = received.is_some_and(|ip| ip.to_canonical() != local.ip().to_canonical());
    if is_telling {
        let is_nat = is_other || port.is_some_and(|port| port != local.port());
        report.details.insert("nat", Detail::Flag(is_nat));
    }
    // A private address cannot have come in at a public server. When one that says what it saw (RFC 3581) noticed no
    // difference, somebody put another address into the request and took it out of the answer. Of a server that does
    // not say what it saw nothing can be told.
    if is_telling && is_unchanged && !is_other && is_private(local.ip()) && is_public(options.server.ip()) {
        let text = Text::new("probe-sip-alg-hidden").arg("local", local.ip());
        report.faults.push(Fault { id: FindingId::SipFailed, text, is_sure: false });
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // RFC 1918, and RFC 6598's space behind carriers' NAT.
        IpAddr::V4(ip) => ip.is_private() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

fn is_public(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let is_near = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(is_private(ip) || is_near || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
}

fn clipped(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
