use super::client::Session;
use super::wire::{HEAD, Head, Kind};
use super::*;
use crate::outcome::{Detail, Reach};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SECRET: [u8; 32] = [5; 32];
const NOW: u64 = 1_800_000_000;
const LONG: Duration = Duration::from_secs(20);

fn host(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 7, last))
}

fn reflector(bind: IpAddr, ports: Vec<u16>) -> Reflector {
    Reflector { bind, ports, tcp: Vec::new(), until: NOW + 3600, secret: SECRET }
}

struct Running {
    stop: oneshot::Sender<()>,
    clock: Arc<AtomicU64>,
    task: JoinHandle<Result<Tally, CannotServe>>,
}

impl Running {
    async fn tally(self) -> Tally {
        self.stop.send(()).expect("it runs");
        self.task.await.expect("no panic").expect("it ran")
    }
}

async fn start(reflector: Reflector) -> Running {
    let (stop, stopped) = oneshot::channel();
    let clock = Arc::new(AtomicU64::new(NOW));
    let now = Arc::clone(&clock);
    let stopped = async move {
        let _ = stopped.await;
    };
    let task = tokio::spawn(reflector.serve(move || now.load(Ordering::Relaxed), stopped));
    // Its sockets are bound before it waits for the first time.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    Running { stop, clock, task }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_one_ports_pass_at_once() {
    let ports: Vec<u16> = (10_000..=10_100).collect();
    let running = start(reflector(host(1), ports.clone())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let answer = range(host(1), &ports, &SECRET, LONG, None).await;
    let took = began.elapsed();
    assert_eq!(answer.report.reach, Reach::Passes, "{:?}", answer.report);
    assert_eq!(answer.ports.len(), 101);
    assert!(answer.ports.iter().all(|(_, reach)| *reach == Reach::Passes));
    assert_eq!(
        answer.report.details.get("ports_passes"),
        Some(&Detail::List(vec!["10000-10100".to_owned()]))
    );
    assert_eq!(answer.report.details.get("nat"), Some(&Detail::Flag(false)));
    assert_eq!(answer.report.details.get("nat_port_changes"), Some(&Detail::Flag(false)));
    assert_eq!(answer.report.details.get("nat_port_kept"), Some(&Detail::Flag(true)));
    assert!(answer.report.samples.times.len() >= 202);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let tally = running.tally().await;
    assert!(tally.answers >= 101);
    assert!(tally.bytes_out <= tally.bytes_in);
    assert_eq!(tally.dropped(), 0, "{tally:?}");
}

#[tokio::test]
async fn the_silent_half_of_a_range_is_named() {
    let ports: Vec<u16> = (10_000..10_020).collect();
    // Bound by somebody who says nothing, as behind a filter that drops.
    let mut mute = Vec::new();
    for port in 10_010..10_020 {
        mute.push(UdpSocket::bind(SocketAddr::new(host(2), port)).await.unwrap());
    }
    let running = start(reflector(host(2), ports[..10].to_vec())).await;
    let began = Instant::now();
    let answer = range(host(2), &ports, &SECRET, LONG, None).await;
    assert!(began.elapsed() < LONG);
    let text = Text::new("probe-reflect-partly").arg("passes", "10000-10009").arg("blocked", "10010-10019");
    assert_eq!(answer.report.reach, Reach::Broken(text.clone()));
    assert_eq!(
        (answer.report.faults[0].id, &answer.report.faults[0].text),
        (FindingId::PortUnreachable, &text)
    );
    assert_eq!(
        answer.report.details.get("ports_silent"),
        Some(&Detail::List(vec!["10010-10019".to_owned()]))
    );
    running.tally().await;
}

#[tokio::test]
async fn the_closed_half_of_a_range_is_refused_at_once() {
    let ports: Vec<u16> = (10_000..10_020).collect();
    let running = start(reflector(host(3), ports[..10].to_vec())).await;
    let answer = range(host(3), &ports, &SECRET, LONG, None).await;
    assert_eq!(answer.ports[15].1, Reach::Refused(Some(host(3))));
    assert_eq!(answer.ports[5].1, Reach::Passes);
    running.tally().await;
}

#[tokio::test]
async fn another_secret_and_nobody_look_the_same() {
    let ports: Vec<u16> = (10_000..10_004).collect();
    let running = start(reflector(host(4), ports.clone())).await;
    let answer = range(host(4), &ports, &[6; 32], Duration::from_secs(2), None).await;
    assert_eq!(answer.report.reach, Reach::Undecided(Text::new("probe-reflect-none").arg("server", host(4))));
    assert!(answer.ports.iter().all(|(_, reach)| *reach == Reach::Silent));
    let tally = running.tally().await;
    assert!(tally.forged >= 4);
    assert_eq!((tally.cookies, tally.bytes_out), (0, 0));
}

#[tokio::test]
async fn forged_expired_and_repeated_asks_get_nothing() {
    let at = SocketAddr::new(host(5), 10_000);
    let running = start(reflector(host(5), vec![10_000])).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at).await.unwrap();
    let mut session = Session::new(&SECRET).unwrap();
    let mut buffer = [0; 2048];
    let (_, hello) = session.next(10_000, None, 300);
    socket.send(&hello).await.unwrap();
    let length = tokio::time::timeout(LONG, socket.recv(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(length, 300);
    let cookie = session.read(&buffer[..length]).unwrap();
    let mut forged = cookie.cookie;
    forged[3] ^= 0x10;
    let (_, bytes) = session.next(10_000, Some((cookie.ends, forged)), HEAD);
    socket.send(&bytes).await.unwrap();
    let (number, ask) = session.next(10_000, Some((cookie.ends, cookie.cookie)), HEAD);
    socket.send(&ask).await.unwrap();
    let length = tokio::time::timeout(LONG, socket.recv(&mut buffer)).await.unwrap().unwrap();
    let answer = session.read(&buffer[..length]).unwrap();
    assert_eq!((answer.kind, answer.number, length), (Kind::Answer, number, HEAD));
    assert_eq!(answer.seen, socket.local_addr().unwrap());
    socket.send(&ask).await.unwrap();
    // From another socket the cookie is worth nothing.
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (_, stolen) = session.next(10_000, Some((cookie.ends, cookie.cookie)), HEAD);
    other.send_to(&stolen, at).await.unwrap();
    // Nothing of what a server says is replied to, nor anything else.
    socket.send(&buffer[..length]).await.unwrap();
    socket.send(b"?").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // A clock that is set does not end a cookie, nor make an ask new; time does.
    running.clock.store(cookie.ends + 1000, Ordering::Relaxed);
    let (_, next) = session.next(10_000, Some((cookie.ends, cookie.cookie)), HEAD);
    socket.send(&next).await.unwrap();
    tokio::time::timeout(LONG, socket.recv(&mut buffer)).await.unwrap().unwrap();
    running.clock.store(NOW - 1000, Ordering::Relaxed);
    socket.send(&ask).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), socket.recv(&mut buffer)).await.is_err());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(40)).await;
    tokio::time::resume();
    let (_, late) = session.next(10_000, Some((cookie.ends, cookie.cookie)), HEAD);
    socket.send(&late).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await.is_err());
    let tally = running.tally().await;
    let counts =
        (tally.cookies, tally.answers, tally.wrong_cookie, tally.replayed, tally.expired, tally.foreign);
    assert_eq!(counts, (1, 2, 2, 2, 1, 2), "{tally:?}");
    assert!(tally.bytes_out <= tally.bytes_in);
}

#[tokio::test]
async fn a_reflector_has_an_address_and_an_end() {
    let starts = |reflector: Reflector| reflector.serve(|| NOW, std::future::ready(()));
    let good = reflector(host(6), vec![10_000]);
    assert!(good.check(NOW).is_ok() && starts(good.clone()).await.is_ok());
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    assert!(matches!(starts(Reflector { bind: any, ..good.clone() }).await, Err(CannotServe::NoAddress)));
    assert!(matches!(Reflector { bind: any, ..good.clone() }.check(NOW), Err(CannotServe::NoAddress)));
    for until in [0, NOW, NOW + 365 * 24 * 3600] {
        assert!(matches!(starts(Reflector { until, ..good.clone() }).await, Err(CannotServe::NoEnd)));
    }
    assert!(matches!(
        starts(Reflector { ports: Vec::new(), ..good.clone() }).await,
        Err(CannotServe::NoPorts)
    ));
    let taken = UdpSocket::bind(SocketAddr::new(host(6), 10_000)).await.unwrap();
    assert!(matches!(starts(good.clone()).await, Err(CannotServe::Port(10_000, _))));
    drop(taken);
    assert!(!format!("{good:?}").contains('5'), "the secret is not shown");
}

#[tokio::test]
async fn a_reflector_stops_at_its_end() {
    let running = start(reflector(host(7), vec![10_000])).await;
    running.clock.store(NOW + 3600, Ordering::Relaxed);
    let tally = tokio::time::timeout(LONG, running.task).await.expect("it stops").unwrap().unwrap();
    assert_eq!(tally, Tally::default());
}

#[tokio::test]
async fn tcp_ports_are_told_apart() {
    let tcp: Vec<u16> = (10_000..10_010).collect();
    let mut it = reflector(host(8), Vec::new());
    it.tcp = tcp[..8].to_vec();
    let running = start(it).await;
    // Somebody else's service.
    let other = tokio::net::TcpListener::bind(SocketAddr::new(host(8), 10_009)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &[b'x'; 4096]).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let answer = range_tcp(host(8), &tcp, &SECRET, LONG, None).await;
    assert!(answer.ports[..8].iter().all(|(_, reach)| *reach == Reach::Passes), "{answer:?}");
    assert_eq!(answer.ports[8].1, Reach::Refused(None));
    assert_eq!(answer.ports[9].1, Reach::Broken(Text::new("probe-reflect-not-ours")));
    assert_eq!(answer.report.details.get("nat"), Some(&Detail::Flag(false)));
    let answer = range_tcp(host(8), &tcp[..8], &SECRET, LONG, Some(host(9))).await;
    assert_eq!(answer.report.reach, Reach::Passes);
    assert_eq!(answer.report.details.get("seen_address"), Some(&Detail::Text(host(9).to_string())));
    assert_eq!(running.tally().await.answers, 16);
}

#[tokio::test]
async fn echoes_are_as_large_as_asked() {
    let at = SocketAddr::new(host(10), 10_000);
    let running = start(reflector(host(10), vec![10_000])).await;
    for size in [0, 576, 1500, 9000] {
        assert!(echo(at, &SECRET, size, LONG).await.is_some(), "{size}");
    }
    // Larger than the loopback's MTU of 65,536 is more than a datagram can be; another secret is silence.
    assert!(echo(at, &[1; 32], 576, Duration::from_millis(500)).await.is_none());
    let nobody = SocketAddr::new(host(11), 10_000);
    let began = Instant::now();
    assert!(echo(nobody, &SECRET, 576, Duration::from_secs(1)).await.is_none());
    assert!(began.elapsed() < LONG);
    let tally = running.tally().await;
    assert!(tally.bytes_in >= (128 + 548 + 1472 + 8972) && tally.bytes_out <= tally.bytes_in);
}

#[tokio::test]
async fn strangers_do_not_keep_places() {
    let mut it = reflector(host(14), Vec::new());
    it.tcp = vec![10_000];
    let running = start(it).await;
    // More connections that say nothing than one source may have.
    let mut mute = Vec::new();
    for _ in 0..150 {
        mute.push(tokio::net::TcpStream::connect(SocketAddr::new(host(14), 10_000)).await.unwrap());
    }
    let answer = range_tcp(host(14), &[10_000], &SECRET, LONG, None).await;
    assert_eq!(answer.report.reach, Reach::Passes, "{answer:?}");
    drop(mute);
    assert!(running.tally().await.connections > 0);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_asked_for_again_and_proves_nothing() {
    let other = tokio::net::TcpListener::bind(SocketAddr::new(host(15), 10_000)).await.unwrap();
    let cuts = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&cuts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = other.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    let answer = range_tcp(host(15), &[10_000], &SECRET, LONG, None).await;
    assert_eq!(answer.ports, [(10_000, Reach::Undecided(Text::new("probe-reflect-cut")))]);
    assert_eq!(cuts.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn silence_without_a_wait_is_undecided() {
    let mute = tokio::net::TcpListener::bind(SocketAddr::new(host(16), 10_000)).await.unwrap();
    let brief = Duration::from_millis(300);
    let answer = range_tcp(host(16), &[10_000], &SECRET, brief, None).await;
    assert_eq!(answer.ports[0].1, Reach::Undecided(Text::new("probe-udp-not-awaited")));
    let answer = range_tcp(host(16), &[10_000], &SECRET, Duration::from_secs(3), None).await;
    assert_eq!(answer.ports[0].1, Reach::Silent);
    drop(mute);
    let mute = UdpSocket::bind(SocketAddr::new(host(16), 10_000)).await.unwrap();
    let answer = range(host(16), &[10_000], &SECRET, Duration::from_millis(50), None).await;
    assert_eq!(answer.ports[0].1, Reach::Undecided(Text::new("probe-udp-not-awaited")));
    drop(mute);
}

#[tokio::test]
async fn the_deadline_holds_against_a_flood() {
    let talks = UdpSocket::bind(SocketAddr::new(host(12), 10_000)).await.unwrap();
    let flood = tokio::spawn(async move {
        let (_, from) = talks.recv_from(&mut [0; 2048]).await.unwrap();
        loop {
            let _ = talks.send_to(&[b'x'; 200], from).await;
            tokio::task::yield_now().await;
        }
    });
    let began = Instant::now();
    let answer = range(host(12), &[10_000], &SECRET, Duration::from_secs(1), None).await;
    assert_eq!(answer.ports, [(10_000, Reach::Silent)]);
    assert!(began.elapsed() < LONG);
    flood.abort();
}

#[tokio::test]
async fn printers_are_left_alone() {
    let answer = range(host(13), &[9100, 515], &SECRET, LONG, None).await;
    assert!(answer.ports.iter().all(|(_, reach)| *reach == Reach::Undecided(Text::new("probe-udp-printer"))));
}

#[tokio::test]
async fn ipv6_is_no_different() {
    let host = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    let Ok(free) = UdpSocket::bind(SocketAddr::new(host, 0)).await else { return };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let running = start(reflector(host, vec![port])).await;
    let answer = range(host, &[port], &SECRET, LONG, None).await;
    assert_eq!(answer.report.reach, Reach::Passes);
    assert_eq!(answer.report.details.get("seen_address"), Some(&Detail::Text("::1".to_owned())));
    assert!(echo(SocketAddr::new(host, port), &SECRET, 1280, LONG).await.is_some());
    running.tally().await;
}

#[test]
fn no_bytes_panic() {
    let mut seed = 88_172_645_463_325_252_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut session = Session::new(&SECRET).unwrap();
    let (_, valid) = session.next(1, None, 256);
    for round in 0..20_000 {
        let mut bytes = valid.clone();
        match round % 3 {
            0 => bytes = (0..next() % 400).map(|_| next() as u8).collect(),
            1 => bytes.truncate(next() as usize % 257),
            _ => {
                let at = next() as usize % bytes.len();
                bytes[at] = next() as u8;
            }
        }
        let _ = Head::read(&bytes);
        assert_eq!(session.read(&bytes), None);
    }
}
