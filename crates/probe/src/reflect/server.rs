//! The reflector's sockets.

use super::desk::{Desk, Tally, customer};
use super::wire::HEAD;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::net::sockopt;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Seconds a reflector may run at most: 31 days.
const LONGEST: u64 = 31 * 24 * 3600;
/// TCP connections at once.
const CONNECTIONS: usize = 256;
/// Of one source; a client opens so many.
const PER_SOURCE: usize = 128;
/// Until the first head is there: who has none keeps nobody's place.
const FIRST_HEAD: Duration = Duration::from_secs(1);
/// Seconds of one connection, and messages in it.
const CONNECTION: (u64, usize) = (10, 8);

/// A reflector to be.
#[derive(Clone)]
pub struct Reflector {
    /// The address to listen at; not "any".
    pub bind: IpAddr,
    /// UDP ports.
    pub ports: Vec<u16>,
    /// TCP ports.
    pub tcp: Vec<u16>,
    /// When it stops, seconds since 1970.
    pub until: u64,
    /// What its clients know, too.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for Reflector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reflector { bind, ports, tcp, until, .. } = self;
        f.debug_struct("Reflector")
            .field("at", &(bind, ports.len(), tcp.len(), until))
            .finish_non_exhaustive()
    }
}

/// Why a reflector does not start.
#[derive(Debug)]
pub enum CannotServe {
    /// It was not told at which address.
    NoAddress,
    /// It has no end, or one that is past or more than 31 days away.
    NoEnd,
    /// It has no ports.
    NoPorts,
    /// A port cannot be had. A reflector that lacks one would make a clear way look blocked.
    Port(u16, io::Error),
    /// This host gives no random numbers.
    NoRandom,
}

impl Reflector {
    /// Whether it may start at a time (seconds since 1970): asked before anything is opened, or promised.
    ///
    /// # Errors
    /// What it lacks. That its ports are free is only known when they are opened.
    pub fn check(&self, now: u64) -> Result<(), CannotServe> {
        if self.bind.is_unspecified() || self.bind.is_multicast() {
            return Err(CannotServe::NoAddress);
        }
        if self.until <= now || self.until - now > LONGEST {
            return Err(CannotServe::NoEnd);
        }
        if self.ports.is_empty() && self.tcp.is_empty() {
            return Err(CannotServe::NoPorts);
        }
        Ok(())
    }

    /// Replies until the end, or until `stop` is done. `now` gives seconds since 1970.
    ///
    /// # Errors
    /// When it does not start; once it runs it goes on.
    pub async fn serve<N>(self, now: N, stop: impl Future<Output = ()>) -> Result<Tally, CannotServe>
    where
        N: Fn() -> u64 + Send + Sync + 'static,
    {
        let begins = now();
        self.check(begins)?;
        let mut run = [0; 32];
        SystemRandom::new().fill(&mut run).map_err(|_| CannotServe::NoRandom)?;
        let clock = Arc::new(Clock { wall: now, begins, began: Instant::now(), until: self.until });
        let desk = Arc::new(Mutex::new(Desk::new(&self.secret, &run)));
        let mut tasks = JoinSet::new();
        // All sockets first: none replies unless all can be had.
        let mut datagrams = Vec::new();
        for port in &self.ports {
            datagrams
                .push((*port, bound(self.bind, *port).map_err(|error| CannotServe::Port(*port, error))?));
        }
        let mut listeners = Vec::new();
        for port in &self.tcp {
            let listener = TcpListener::bind(SocketAddr::new(self.bind, *port)).await;
            listeners.push((*port, listener.map_err(|error| CannotServe::Port(*port, error))?));
        }
        let room = Room { all: Arc::new(Semaphore::new(CONNECTIONS)), sources: Arc::default() };
        for (port, socket) in datagrams {
            tasks.spawn(udp(socket, port, Arc::clone(&desk), Arc::clone(&clock)));
        }
        for (port, listener) in listeners {
            tasks.spawn(tcp(listener, port, Arc::clone(&desk), Arc::clone(&clock), room.clone()));
        }
        let end = async {
            // The clock may be set while we run: ask it, instead of sleeping until then.
            while !clock.is_over() {
                tokio::time::sleep(Duration::from_secs(clock.left().clamp(1, 5))).await;
            }
        };
        let (mut end, mut stop) = (pin!(end), pin!(stop));
        poll_fn(|context| {
            let is_over = stop.as_mut().poll(context).is_ready() || end.as_mut().poll(context).is_ready();
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        tasks.shutdown().await;
        Ok(at(&desk).tally)
    }
}

/// The wall clock says when all of it ends. Whether a cookie has ended must not depend on it: a clock that is set back
/// would make numbers that are forgotten already good for another time.
struct Clock<N> {
    wall: N,
    begins: u64,
    began: Instant,
    until: u64,
}

impl<N: Fn() -> u64> Clock<N> {
    fn steady(&self) -> u64 {
        self.begins.saturating_add(self.began.elapsed().as_secs())
    }

    fn left(&self) -> u64 {
        self.until.saturating_sub((self.wall)())
    }

    fn is_over(&self) -> bool {
        self.left() == 0
    }
}

/// Places for connections, and how many each source has.
#[derive(Clone)]
struct Room {
    all: Arc<Semaphore>,
    sources: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Room {
    /// A place, as long as it is held; `None` when there are too many.
    fn place(&self, from: IpAddr) -> Option<Place> {
        let one = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let source = customer(from);
        // No more entries than places.
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = sources.entry(source).or_insert(0);
        if *taken >= PER_SOURCE {
            return None;
        }
        *taken += 1;
        drop(sources);
        Some(Place { _one: one, source, sources: Arc::clone(&self.sources) })
    }
}

struct Place {
    _one: OwnedSemaphorePermit,
    source: IpAddr,
    sources: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = sources.get_mut(&self.source) {
            *taken -= 1;
            if *taken == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

/// No reply is made while the desk is held, so a panic elsewhere cannot leave it half done.
fn at(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bound(bind: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(SocketAddr::new(bind, port))?;
    socket.set_nonblocking(true)?;
    // Replies must be as large on the way as their requests were, unbroken, or be lost: that is what is measured.
    never_in_pieces(&socket)?;
    UdpSocket::from_std(socket)
}

/// Sets DF and ignores what the kernel believes about the path's MTU (IP_PMTUDISC_PROBE).
pub(super) fn never_in_pieces(socket: &std::net::UdpSocket) -> io::Result<()> {
    match socket.local_addr()? {
        SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(socket, sockopt::Ipv4PathMtuDiscovery::PROBE)?,
        SocketAddr::V6(_) => sockopt::set_ipv6_mtu_discover(socket, sockopt::Ipv6PathMtuDiscovery::PROBE)?,
    }
    Ok(())
}

async fn udp<N: Fn() -> u64>(socket: UdpSocket, port: u16, desk: Arc<Mutex<Desk>>, clock: Arc<Clock<N>>) {
    let mut buffer = vec![0_u8; 65_535];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            // A lasting error must not spin.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if clock.is_over() {
            return;
        }
        let datagram = buffer.get(..length).unwrap_or_default();
        let reply = at(&desk).reply(datagram, from, port, clock.steady());
        if let Some(reply) = reply
            && socket.send_to(&reply, from).await.is_err()
        {
            at(&desk).tally.unsent += 1;
        }
    }
}

async fn tcp<N>(listener: TcpListener, port: u16, desk: Arc<Mutex<Desk>>, clock: Arc<Clock<N>>, room: Room)
where
    N: Fn() -> u64 + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let Ok((stream, from)) = accepted else {
            // No file descriptors left, for instance: wait for some.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = room.place(from.ip()) else {
            at(&desk).tally.connections += 1;
            continue;
        };
        let (desk, clock) = (Arc::clone(&desk), Arc::clone(&clock));
        connections.spawn(async move {
            let (seconds, _) = CONNECTION;
            let whole = converse(stream, from, port, &desk, &clock);
            if timeout(Duration::from_secs(seconds), whole).await.is_err() {
                at(&desk).tally.connections += 1;
            }
            drop(place);
        });
    }
}

async fn converse<N: Fn() -> u64>(
    mut stream: TcpStream,
    from: SocketAddr,
    port: u16,
    desk: &Mutex<Desk>,
    clock: &Clock<N>,
) {
    let (seconds, messages) = CONNECTION;
    let mut head = [0_u8; HEAD];
    for message in 0..messages {
        let wait = if message == 0 { FIRST_HEAD } else { Duration::from_secs(seconds) };
        match timeout(wait, stream.read_exact(&mut head)).await {
            Ok(Ok(_)) if !clock.is_over() => {}
            Ok(_) => return,
            Err(_) => {
                at(desk).tally.connections += 1;
                return;
            }
        }
        let reply = at(desk).reply(&head, from, port, clock.steady());
        // Who cannot speak the protocol is not listened to any longer.
        let Some(reply) = reply else { return };
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}
