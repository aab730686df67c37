//! The connect engine: asks ports by the system's own connect(), on every system and without any capability. Connections are
//! closed at once; nothing is ever written to them, because printers print what they are sent.

use crate::pace::{Bucket, Loss, Occupied, Pace, RoundTrip, now};
use crate::ports::{Engine, Host, Outcome, Port, Refusal, Scanned, Why};
use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

/// How to scan.
#[derive(Clone, Debug)]
pub struct Options {
    /// How fast. Its `path` counts every target as behind a router, as this engine knows no routes: leave it out for a segment
    /// of one's own.
    pub pace: Pace,
    /// Connections under way at most; fewer if the system allows fewer descriptors.
    pub in_flight: usize,
    /// How long one is waited for. Systems repeat a SYN after 1 s and again after 3 s (RFC 6298): with less than 1 s and a
    /// round trip, one lost packet is a port missed.
    pub timeout: Duration,
    /// How often a silent port is tried at most.
    pub rounds: u8,
    /// Expected misses with which a scan counts as complete.
    pub misses: f64,
    /// Longest time for the whole scan.
    pub deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            pace: Pace::normal(),
            in_flight: 1_000,
            timeout: Duration::from_millis(1_500),
            rounds: 4,
            misses: 1e-4,
            deadline: Duration::from_secs(3_600),
        }
    }
}

/// What one attempt came to.
enum Tried {
    Port(Port),
    /// This host lacked something for it: descriptors, ports, memory.
    Lacking,
}

/// Scans TCP ports of hosts. An error is one of this host's own.
pub async fn scan(targets: &[IpAddr], ports: &[u16], options: &Options) -> io::Result<Outcome> {
    let start = now();
    let end = start + options.deadline;
    let mut seen = HashSet::new();
    let hosts: Vec<IpAddr> = targets.iter().copied().filter(|host| seen.insert(*host)).collect();
    let mut seen = HashSet::new();
    let ports: Vec<u16> = ports.iter().copied().filter(|port| *port != 0 && seen.insert(*port)).collect();
    let pairs = hosts.len() * ports.len();
    let address =
        |pair: usize| Some(SocketAddr::new(*hosts.get(pair % hosts.len())?, *ports.get(pair / hosts.len())?));

    let mut outcome = Outcome::empty();
    let mut state: Vec<Option<Port>> = vec![None; pairs];
    let (mut loss, mut trip) = (Loss::default(), RoundTrip::default());
    let mut bucket = Bucket::new(options.pace.rate(hosts.len()), start);
    let mut path = options.pace.path.map(|table| Occupied::new(table, start));
    let mut room = options.in_flight.min(descriptors_left()).max(1);
    let (mut lacking, mut is_late) = (0u32, false);
    let tries = attempts(options.timeout);

    for round in 0..options.rounds.max(1) {
        let mut todo: Vec<usize> = (0..pairs)
            .rev()
            .filter(|pair| matches!(state.get(*pair), Some(None | Some(Port::Filtered))))
            .collect();
        if todo.is_empty() {
            break;
        }
        outcome.rounds = (round + 1).saturating_mul(tries);
        let mut under_way = JoinSet::new();
        loop {
            let time = now();
            let fits = path.as_mut().map_or(usize::MAX, |path| path.available(time));
            let mut free = bucket.available(time).min(fits);
            while under_way.len() < room && free > 0 {
                let Some(pair) = todo.pop() else { break };
                let Some(to) = address(pair) else { continue };
                let timeout = options.timeout;
                under_way.spawn(async move {
                    let began = now();
                    let tried = attempt(to, timeout).await;
                    (pair, tried, now().saturating_duration_since(began))
                });
                bucket.spend(1);
                if let Some(path) = &mut path {
                    path.spend(1, time);
                }
                outcome.sent += 1;
                free -= 1;
            }
            if under_way.is_empty() && todo.is_empty() {
                break;
            }
            let is_full = under_way.len() >= room || todo.is_empty();
            let for_path = path.as_ref().map_or(Duration::ZERO, |path| path.wait(time));
            let pause = if is_full { options.timeout } else { bucket.wait().max(for_path) };
            let left = end.saturating_duration_since(now());
            if left.is_zero() {
                is_late = true;
                break;
            }
            let ended = match tokio::time::timeout(pause.min(left), under_way.join_next()).await {
                Ok(Some(Ok(ended))) => ended,
                Ok(Some(Err(error))) => return Err(io::Error::other(error)),
                Ok(None) => {
                    tokio::time::sleep(pause.min(left)).await;
                    continue;
                }
                Err(_) => continue,
            };
            let (pair, tried, time) = ended;
            let answer = match tried {
                Tried::Port(answer) => answer,
                Tried::Lacking => {
                    outcome.sent -= 1;
                    lacking += 1;
                    room = (room * 9 / 10).max(1);
                    if lacking > 10_000 {
                        outcome.gap(Text::new("scan-gap-descriptors"));
                        is_late = true;
                        break;
                    }
                    todo.push(pair);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
            };
            if answer != Port::Filtered {
                outcome.received += 1;
                if let Some(path) = &mut path {
                    path.refund();
                }
                let attempt = resent(time);
                if matches!(answer, Port::Open | Port::Closed) {
                    loss.add(usize::from(round * tries + attempt));
                    if attempt == 0 {
                        trip.add(time);
                    }
                }
                if let (Some(to), false) = (address(pair), answer == Port::Closed) {
                    outcome.ports.push(Scanned {
                        host: to.ip(),
                        port: to.port(),
                        state: answer,
                        time: Some(time),
                        tries: round * tries + attempt + 1,
                        confirmed: (answer == Port::Open).then_some(true),
                    });
                }
            }
            if let Some(slot) = state.get_mut(pair) {
                *slot = Some(answer);
            }
        }
        let silent = state.iter().filter(|state| matches!(state, None | Some(Port::Filtered))).count() as u64;
        outcome.expected_misses = loss.misses(u32::from(outcome.rounds), silent);
        if is_late || outcome.expected_misses <= options.misses {
            break;
        }
    }
    let unasked = state.iter().filter(|state| state.is_none()).count();
    if is_late {
        outcome.expected_misses += unasked as f64;
        if outcome.is_complete {
            outcome.gap(Text::new("scan-gap-deadline").num("seconds", options.deadline.as_secs() as usize));
        }
    } else if outcome.expected_misses > options.misses {
        let misses = format!("{:.1e}", outcome.expected_misses);
        outcome.gap(Text::new("scan-gap-loss").arg("misses", misses).num("rounds", outcome.rounds.into()));
    }
    outcome.hosts = count(&hosts, &state);
    outcome.loss = loss.share();
    outcome.round_trip = trip.smooth();
    outcome.sort();
    outcome.time = now().saturating_duration_since(start);
    Ok(outcome)
}

/// The same for a caller without a runtime. Must not be called from within one.
pub fn scan_blocking(targets: &[IpAddr], ports: &[u16], options: &Options) -> io::Result<Outcome> {
    runtime()?.block_on(scan(targets, ports, options))
}

/// Whether whole connections can be made to these; `None` where it could not be tried, or not in time.
pub async fn confirm(asked: &[SocketAddr], deadline: Duration) -> Vec<Option<bool>> {
    const AT_A_TIME: usize = 64;
    let end = now() + deadline;
    let mut confirmed = vec![None; asked.len()];
    let mut todo = asked.iter().copied().enumerate();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < AT_A_TIME.min(descriptors_left()) {
            let left = end.saturating_duration_since(now());
            let Some((place, to)) = todo.next().filter(|_| !left.is_zero()) else { break };
            let timeout = left.min(Duration::from_millis(3_500));
            under_way.spawn(async move { (place, attempt(to, timeout).await) });
        }
        match under_way.join_next().await {
            Some(Ok((place, Tried::Port(answer)))) => {
                if let Some(slot) = confirmed.get_mut(place) {
                    *slot = Some(answer == Port::Open);
                }
            }
            Some(_) => {}
            None => return confirmed,
        }
    }
}

/// The same for a caller without a runtime.
pub fn confirm_blocking(asked: &[SocketAddr], deadline: Duration) -> io::Result<Vec<Option<bool>>> {
    Ok(runtime()?.block_on(confirm(asked, deadline)))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn attempt(to: SocketAddr, timeout: Duration) -> Tried {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let Ok(socket) = socket else { return Tried::Lacking };
    match tokio::time::timeout(timeout, socket.connect(to)).await {
        Err(_) => Tried::Port(Port::Filtered),
        // On one's own addresses, a connection to the very port it comes from succeeds though nobody listens there.
        Ok(Ok(stream)) if stream.local_addr().ok() == Some(to) => Tried::Port(Port::Closed),
        Ok(Ok(_)) => Tried::Port(Port::Open),
        Ok(Err(error)) => of_error(&error),
    }
}

fn of_error(error: &io::Error) -> Tried {
    let refused = |why| Tried::Port(Port::Refused(Refusal { why, by: None }));
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Tried::Port(Port::Closed),
        ErrorKind::TimedOut => Tried::Port(Port::Filtered),
        ErrorKind::HostUnreachable => refused(Why::Host),
        ErrorKind::NetworkUnreachable => refused(Why::Network),
        ErrorKind::PermissionDenied => refused(Why::Prohibited),
        ErrorKind::AddrNotAvailable
        | ErrorKind::AddrInUse
        | ErrorKind::OutOfMemory
        | ErrorKind::WouldBlock => Tried::Lacking,
        // EMFILE, ENFILE and ENOBUFS have no kind of their own; what has one is the address's.
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::ConnectionAborted => {
            refused(Why::Other)
        }
        _ => Tried::Lacking,
    }
}

/// SYNs that the system sends within this time.
fn attempts(timeout: Duration) -> u8 {
    1 + u8::from(timeout > Duration::from_secs(1)) + u8::from(timeout > Duration::from_secs(3))
}

/// SYNs sent again before this answer came.
fn resent(time: Duration) -> u8 {
    u8::from(time > Duration::from_millis(990)) + u8::from(time > Duration::from_millis(2_990))
}

/// Descriptors that may still be opened, less some for everybody else in the process.
fn descriptors_left() -> usize {
    const SPARE: usize = 32;
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit};
        let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
        let open = std::fs::read_dir("/proc/self/fd").map_or(64, |open| open.count());
        usize::try_from(soft).unwrap_or(usize::MAX).saturating_sub(open + SPARE).max(1)
    }
    #[cfg(not(unix))]
    {
        512 - SPARE
    }
}

fn count(hosts: &[IpAddr], state: &[Option<Port>]) -> Vec<Host> {
    let host = |address: &IpAddr| Host {
        address: *address,
        mac: None,
        engine: Engine::Connect,
        answers_everything: false,
        open: 0,
        closed: 0,
        refused: 0,
        silent: 0,
    };
    let mut counted: Vec<Host> = hosts.iter().map(host).collect();
    for row in state.chunks(hosts.len().max(1)) {
        for (state, host) in row.iter().zip(&mut counted) {
            match state {
                Some(Port::Open) => host.open += 1,
                Some(Port::Closed) => host.closed += 1,
                Some(Port::Refused(_)) => host.refused += 1,
                Some(Port::Filtered) | None => host.silent += 1,
            }
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn open_and_closed_ports_are_told_apart() {
        let listeners: Vec<TcpListener> = (0..5).map(|_| TcpListener::bind((LOCAL, 0)).unwrap()).collect();
        let mut ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        ports.sort_unstable();
        let gone = TcpListener::bind((LOCAL, 0)).unwrap().local_addr().unwrap().port();
        let asked: Vec<u16> = ports.iter().copied().chain([gone, 0, gone]).collect();
        let options = Options { pace: Pace::fast(), ..Options::default() };
        let outcome = scan_blocking(&[LOCAL, LOCAL], &asked, &options).unwrap();
        let open: Vec<u16> = outcome.ports.iter().map(|port| port.port).collect();
        assert_eq!(open, ports);
        assert_eq!((outcome.hosts.len(), outcome.hosts[0].open, outcome.hosts[0].closed), (1, 5, 1));
        assert!(outcome.is_complete && outcome.expected_misses == 0.0);
        assert_eq!(outcome.sent, 6);
    }

    #[test]
    fn a_deadline_ends_it_and_is_told() {
        let options = Options { deadline: Duration::from_millis(200), ..Options::default() };
        let ports: Vec<u16> = (1..=60_000).collect();
        let start = now();
        let outcome = scan_blocking(&[LOCAL], &ports, &options).unwrap();
        assert!(now() - start < Duration::from_secs(20));
        assert!(!outcome.is_complete && outcome.expected_misses > 1_000.0);
        assert_eq!(outcome.gaps[0].id, "scan-gap-deadline");
    }

    #[test]
    fn a_routers_table_bounds_it() {
        let table = crate::pace::Table { entries: 40, ..crate::pace::Table::default() };
        let pace = Pace { path: Some(table), ..Pace::fast() };
        // What is answered gives its entry back; what is not keeps it.
        let deadline = Duration::from_millis(400);
        let options = Options { pace, deadline, ..Options::default() };
        let ports: Vec<u16> = (1..=50_000).collect();
        let outcome = scan_blocking(&[LOCAL], &ports, &options).unwrap();
        assert!(outcome.sent <= 10 + outcome.received, "{} {}", outcome.sent, outcome.received);
    }

    #[test]
    fn confirming_writes_nothing() {
        let listener = TcpListener::bind((LOCAL, 0)).unwrap();
        let to = listener.local_addr().unwrap();
        let gone = TcpListener::bind((LOCAL, 0)).unwrap().local_addr().unwrap();
        let confirmed = confirm_blocking(&[to, gone], Duration::from_secs(20)).unwrap();
        assert_eq!(confirmed, [Some(true), Some(false)]);
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut read).unwrap();
        assert!(read.is_empty());
    }

    #[test]
    fn timeouts_count_syns() {
        assert_eq!(attempts(Duration::from_millis(900)), 1);
        assert_eq!(attempts(Options::default().timeout), 2);
        assert_eq!(attempts(Duration::from_millis(3_500)), 3);
        assert_eq!((resent(Duration::from_millis(5)), resent(Duration::from_millis(1_005))), (0, 1));
        assert!(descriptors_left() >= 1);
    }
}
