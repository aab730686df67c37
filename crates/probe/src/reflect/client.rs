//! The reflector's client over UDP: asks a range in rounds, and echoes of a size.

use super::server::never_in_pieces;
use super::wire::{HEAD, Head, Keys, Kind, NOBODY};
use crate::outcome::{Reach, Samples, reach_of};
use crate::udp::errors::{self, Complaint, Heard};
use crate::udp::{Ranged, is_printer};
use nix::errno::Errno;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Rounds of asking again. At 2 % loss each way an open port is missed once in ten million times.
const ROUNDS: u32 = 5;
/// The first round, as long as no reply has told how long one takes.
const FIRST: Duration = Duration::from_millis(300);
/// Datagrams sent before replies are looked at, so that they do not pile up.
const BATCH: usize = 16;

/// Both ends of a session.
pub(super) struct Session {
    pub keys: Keys,
    pub id: [u8; 16],
    number: u64,
}

impl Session {
    pub fn new(secret: &[u8; 32]) -> io::Result<Self> {
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_| io::Error::other("no random numbers"))?;
        Ok(Session { keys: Keys::new(secret), id, number: 0 })
    }

    /// The next datagram to a port, with its number: a hello as long as there is no cookie.
    pub fn next(&mut self, port: u16, cookie: Option<(u64, [u8; 16])>, length: usize) -> (u64, Vec<u8>) {
        self.number += 1;
        let (ends, shown) = cookie.unwrap_or((0, [0; 16]));
        let kind = if cookie.is_some() { Kind::Ask } else { Kind::Hello };
        let head =
            Head { kind, session: self.id, number: self.number, ends, cookie: shown, seen: NOBODY, port };
        let key = match kind {
            Kind::Hello => self.keys.hello(&self.id),
            _ => self.keys.session(&self.id, ends),
        };
        (self.number, head.seal(&key, length))
    }

    /// Reads a reply, if it is one of this session.
    pub fn read(&self, bytes: &[u8]) -> Option<Head> {
        let head = Head::read(bytes).filter(|head| head.session == self.id)?;
        let key = match head.kind {
            Kind::Cookie => self.keys.hello(&self.id),
            Kind::Answer => self.keys.session(&self.id, head.ends),
            Kind::Hello | Kind::Ask => return None,
        };
        Head::is_sealed(bytes, &key).then_some(head)
    }
}

/// What is known of one port.
#[derive(Debug, Default)]
pub(super) struct Port {
    // What left this host and had time to be answered.
    pub sent: u32,
    // When datagrams left.
    pub left: Vec<Instant>,
    // Why the last one did not.
    pub own: Option<Reach>,
    pub cookie: Option<(u64, [u8; 16])>,
    pub answer: Option<Head>,
    pub reach: Option<Reach>,
}

impl Port {
    fn is_open(&self) -> bool {
        self.answer.is_none()
            && !matches!(self.reach, Some(Reach::Refused(_) | Reach::Prohibited(_) | Reach::Undecided(_)))
    }

    /// Notes how sending went. A filter of this host is a verdict; what else it says against it may pass by.
    fn leaves(&mut self, sent: io::Result<()>) {
        self.own = None;
        match sent.map_err(|error| reach_of(&error)) {
            Ok(()) => self.left.push(Instant::now()),
            Err(reach @ Reach::Prohibited(_)) => self.reach = Some(reach),
            Err(reach) => self.own = Some(reach),
        }
    }

    /// How far it got. A cookie proves both ways as well as an answer does. Silence counts only of somebody who was asked
    /// and had time to answer.
    pub fn settled(self) -> Reach {
        let is_answered = self.answer.is_some() || self.cookie.is_some();
        match (is_answered, self.reach, self.sent, self.left.is_empty(), self.own) {
            (true, ..) => Reach::Passes,
            (_, Some(reach), ..) => reach,
            (_, None, 1.., ..) => Reach::Silent,
            (_, None, 0, false, _) => Reach::Undecided(Text::new("probe-udp-not-awaited")),
            (_, None, 0, true, Some(own)) => own,
            (_, None, 0, true, None) => Reach::Undecided(Text::new("probe-udp-not-asked")),
        }
    }
}

/// Asks the reflector at `server` on each port over UDP, in rounds, and says in sum what passes.
pub async fn range(
    server: IpAddr,
    ports: &[u16],
    secret: &[u8; 32],
    deadline: Duration,
    local: Option<IpAddr>,
) -> Ranged {
    let end = Instant::now() + deadline;
    let known = known(ports);
    match Asking::new(server, known, secret, local) {
        Ok(mut asking) => {
            asking.run(end).await;
            asking.into_ranged(local)
        }
        Err((known, error)) => super::sum::failed(known, &error),
    }
}

/// Each port once; printers are left out, in case the address is not that of a reflector.
pub(super) fn known(ports: &[u16]) -> BTreeMap<u16, Port> {
    let entry = |port: &u16| {
        let reach = is_printer(*port).then(|| Reach::Undecided(Text::new("probe-udp-printer")));
        (*port, Port { reach, ..Port::default() })
    };
    ports.iter().map(entry).collect()
}

struct Asking {
    server: IpAddr,
    socket: UdpSocket,
    session: Session,
    ports: BTreeMap<u16, Port>,
    // By number: to which port, and when.
    waiting: HashMap<u64, (u16, Instant)>,
    // How long a reply is awaited, by the replies so far.
    wait: Duration,
    times: Vec<(u16, Duration)>,
    complaints: Vec<Complaint>,
}

impl Asking {
    fn new(
        server: IpAddr,
        ports: BTreeMap<u16, Port>,
        secret: &[u8; 32],
        local: Option<IpAddr>,
    ) -> Result<Self, (BTreeMap<u16, Port>, io::Error)> {
        let made = errors::open(server, local).and_then(|socket| Ok((socket, Session::new(secret)?)));
        let (socket, session) = match made {
            Ok(made) => made,
            Err(error) => return Err((ports, error)),
        };
        let (waiting, times, complaints) = (HashMap::new(), Vec::new(), Vec::new());
        Ok(Asking { server, socket, session, ports, waiting, wait: FIRST, times, complaints })
    }

    fn is_open(&self) -> bool {
        self.ports.values().any(Port::is_open)
    }

    fn open(&self) -> Vec<u16> {
        self.ports.iter().filter(|(_, port)| port.is_open()).map(|(port, _)| *port).collect()
    }

    async fn run(&mut self, end: Instant) {
        let mut buffer = vec![0_u8; 2048];
        for round in 0..ROUNDS {
            for batch in self.open().chunks(BATCH) {
                for port in batch {
                    if Instant::now() >= end {
                        return;
                    }
                    self.ask(*port).await;
                }
                // As many as were sent may have come; more wait for the next look.
                for _ in 0..BATCH * 2 {
                    match errors::overhear(&self.socket, &mut buffer, &mut self.complaints) {
                        Ok(Some(heard)) => self.take(heard, &buffer).await,
                        _ => break,
                    }
                }
                // The runtime must see the socket, and on the far end's side as well, if that is in the same thread.
                tokio::task::yield_now().await;
            }
            let slowest = self.times.iter().map(|(_, time)| *time).max();
            self.wait = slowest.map_or(FIRST, |time| (time * 3 + Duration::from_millis(100)).min(FIRST * 4));
            let until = (Instant::now() + self.wait * (1 << round.min(2))).min(end);
            while self.is_open() {
                let hear = errors::hear(&self.socket, &mut buffer, &mut self.complaints);
                match timeout_at(until, hear).await {
                    Ok(Ok(heard)) => self.take(heard, &buffer).await,
                    Ok(Err(_)) | Err(_) => break,
                }
                // An endless stream must not keep us.
                if Instant::now() >= until {
                    break;
                }
            }
            if !self.is_open() || Instant::now() >= end {
                return;
            }
        }
    }

    async fn ask(&mut self, port: u16) {
        let Some(entry) = self.ports.get_mut(&port) else { return };
        let (number, bytes) = self.session.next(port, entry.cookie, HEAD);
        let at = Instant::now();
        let sent =
            errors::send(&self.socket, &bytes, SocketAddr::new(self.server, port), &mut self.complaints)
                .await;
        if sent.is_ok() {
            self.waiting.insert(number, (port, at));
        }
        entry.leaves(sent);
        self.note();
    }

    fn note(&mut self) {
        for complaint in self.complaints.drain(..) {
            let Some(to) = complaint.to.filter(|to| to.ip() == self.server) else { continue };
            // What this host lacks is told by the sending itself.
            let reach = complaint.reach().filter(|reach| !matches!(reach, Reach::Undecided(_)));
            if let (Some(port), Some(reach)) = (self.ports.get_mut(&to.port()), reach) {
                port.reach = Some(reach);
            }
        }
    }

    async fn take(&mut self, heard: Heard, buffer: &[u8]) {
        let (length, from) = match heard {
            Heard::Complaints => return self.note(),
            Heard::Datagram(length, from) => (length, from),
        };
        if from.ip().to_canonical() != self.server.to_canonical() {
            return;
        }
        let Some(head) = buffer.get(..length).and_then(|bytes| self.session.read(bytes)) else { return };
        // A reply counts once, and for the port that was asked.
        match self.waiting.get(&head.number) {
            Some((port, _)) if *port == from.port() => {}
            _ => return,
        }
        let Some((asked, at)) = self.waiting.remove(&head.number) else { return };
        self.times.push((asked, at.elapsed()));
        let Some(port) = self.ports.get_mut(&asked) else { return };
        match head.kind {
            Kind::Cookie if port.cookie.is_none() => {
                port.cookie = Some((head.ends, head.cookie));
                self.ask(asked).await;
            }
            Kind::Answer => port.answer = Some(head),
            _ => {}
        }
    }

    fn into_ranged(mut self, local: Option<IpAddr>) -> Ranged {
        let now = Instant::now();
        for port in self.ports.values_mut() {
            let awaited = |at: &&Instant| now.saturating_duration_since(**at) >= self.wait;
            port.sent = u32::try_from(port.left.iter().filter(awaited).count()).unwrap_or(u32::MAX);
        }
        let own_port = self.socket.local_addr().map(|own| own.port()).ok();
        let any = self.ports.keys().next().copied().unwrap_or(1);
        let own = errors::source(SocketAddr::new(self.server, any), local).ok().zip(own_port);
        let passes =
            |port: &u16| self.ports.get(port).is_some_and(|p| p.answer.is_some() || p.cookie.is_some());
        let mut samples = Samples::default();
        for (_, time) in &self.times {
            samples.add(Some(*time));
        }
        // What was sent to ports that are blocked is no loss, and what was sent a moment ago may still be answered.
        let slowest = self.times.iter().map(|(_, time)| *time).max().unwrap_or_default();
        let late = slowest * 2 + Duration::from_millis(50);
        let lost = self.waiting.values().filter(|(port, at)| passes(port) && at.elapsed() > late).count();
        (0..lost).for_each(|_| samples.add(None));
        let seen: Vec<u16> =
            self.ports.values().filter_map(|p| p.answer.as_ref()).map(|head| head.seen.port()).collect();
        let own = own.map(|(ip, port)| SocketAddr::new(ip, port));
        let mut ranged = super::sum::up(self.server, self.ports, samples, own);
        if let Some(own) = own {
            super::sum::mapping(&mut ranged.report, &seen, own.port());
        }
        ranged
    }
}

/// Sends a datagram that makes an IP packet of `size` bytes, header included and never in pieces, to a reflector, and
/// takes the time until one of the same size comes back; `None` when none does. Packets are 156 bytes at least over IPv4
/// and 176 over IPv6. A size that this host's own link does not carry ends at once.
pub async fn echo(
    server: SocketAddr,
    secret: &[u8; 32],
    size: usize,
    deadline: Duration,
) -> Option<Duration> {
    let end = Instant::now() + deadline;
    let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0".parse().ok()? } else { "[::]:0".parse().ok()? };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.set_nonblocking(true).ok()?;
    never_in_pieces(&socket).ok()?;
    let socket = UdpSocket::from_std(socket).ok()?;
    socket.connect(server).await.ok()?;
    let mut session = Session::new(secret).ok()?;
    let headers = if server.is_ipv4() { 28 } else { 48 };
    let (head, time) = exchange(&socket, &mut session, server.port(), None, HEAD, FIRST, end).await?;
    let wait = (time * 3 + Duration::from_millis(100)).min(FIRST * 4);
    let length = size.saturating_sub(headers).max(HEAD);
    let cookie = Some((head.ends, head.cookie));
    exchange(&socket, &mut session, server.port(), cookie, length, wait, end).await.map(|(_, time)| time)
}

/// One request and its reply; asked three times, as RFC 8899 section 5.1.2 has it (MAX_PROBES).
async fn exchange(
    socket: &UdpSocket,
    session: &mut Session,
    port: u16,
    cookie: Option<(u64, [u8; 16])>,
    length: usize,
    wait: Duration,
    end: Instant,
) -> Option<(Head, Duration)> {
    let mut buffer = vec![0_u8; 65_535];
    let mut numbers = HashMap::new();
    for round in 0..3 {
        let (number, bytes) = session.next(port, cookie, length);
        numbers.insert(number, Instant::now());
        match errors::soon(socket.send(&bytes)).await {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::EMSGSIZE as i32) => return None,
            // Somebody's complaint about an earlier one, or a full queue.
            Err(_) => {}
        }
        let until = (Instant::now() + wait * (round + 1)).min(end);
        while let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await {
            let head =
                received.ok().and_then(|length| buffer.get(..length)).filter(|bytes| bytes.len() == length);
            let head = head.and_then(|bytes| session.read(bytes));
            if let Some(head) = head
                && let Some(at) = numbers.get(&head.number)
            {
                return Some((head, at.elapsed()));
            }
            if Instant::now() >= until {
                break;
            }
        }
        if Instant::now() >= end {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_this_host_could_not_send_is_no_verdict() {
        let full = || Err(Errno::ENOBUFS.into());
        let mut port = Port::default();
        port.leaves(full());
        assert!(port.is_open(), "asked again");
        assert!(matches!(port.settled(), Reach::Undecided(text) if text.id == "probe-own-error"));
        let mut port = Port::default();
        port.leaves(full());
        port.leaves(Ok(()));
        assert!(port.own.is_none() && port.left.len() == 1);
        port.leaves(full());
        port.sent = 1;
        assert_eq!(port.settled(), Reach::Silent);
        let mut hasty = Port::default();
        hasty.leaves(Ok(()));
        assert_eq!(hasty.settled(), Reach::Undecided(Text::new("probe-udp-not-awaited")));
        let mut filtered = Port::default();
        filtered.leaves(Err(Errno::EPERM.into()));
        assert!(!filtered.is_open());
    }
}
