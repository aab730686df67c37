use super::*;
use std::net::Ipv4Addr;
use tokio::net::UdpSocket;

fn host(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 6, last))
}

fn range(server: IpAddr, ports: Vec<u16>, deadline: Duration) -> Range {
    Range { server, ports, payload: b"?".to_vec(), deadline, local: None }
}

#[test]
fn runs_become_ranges() {
    assert_eq!(spans(&[1, 2, 3, 5, 7, 8, 65535]), ["1-3", "5", "7-8", "65535"]);
    assert!(spans(&[]).is_empty());
}

#[tokio::test]
async fn closed_ports_are_refused_six_at_once() {
    let answer = check(&range(host(1), (20_000..20_006).collect(), Duration::from_secs(20))).await;
    assert!(answer.ports.iter().all(|(_, reach)| *reach == Reach::Refused(Some(host(1)))), "{answer:?}");
    assert_eq!(answer.report.reach, Reach::Refused(Some(host(1))));
    assert!(!answer.report.faults[0].is_sure);
}

#[tokio::test]
async fn ports_beyond_the_time_stay_undecided() {
    let began = Instant::now();
    let answer = check(&range(host(2), (20_000..20_101).collect(), Duration::from_millis(2500))).await;
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(answer.ports.len(), 101);
    let name = |wanted: &str| answer.ports.iter().filter(|(_, reach)| reach.name() == wanted).count();
    assert!(name("refused") >= 6, "{answer:?}");
    assert!(name("undecided") >= 80, "{answer:?}");
    assert_eq!(name("passes"), 0);
}

#[tokio::test]
async fn replies_and_silence_are_told_apart() {
    let talks = UdpSocket::bind(SocketAddr::new(host(3), 0)).await.expect("binds");
    let mute = UdpSocket::bind(SocketAddr::new(host(3), 0)).await.expect("binds");
    let ports = vec![talks.local_addr().unwrap().port(), mute.local_addr().unwrap().port()];
    let server = tokio::spawn(async move {
        let mut buffer = [0; 64];
        loop {
            let (length, from) = talks.recv_from(&mut buffer).await.unwrap();
            talks.send_to(&buffer[..length], from).await.unwrap();
        }
    });
    let answer = check(&range(host(3), ports.clone(), Duration::from_secs(5))).await;
    let of = |port: u16| answer.ports.iter().find(|(p, _)| *p == port).map(|(_, reach)| reach.clone());
    assert_eq!(of(ports[0]), Some(Reach::Passes));
    assert_eq!(of(ports[1]), Some(Reach::Silent));
    assert_eq!(answer.report.reach.name(), "undecided");
    assert_eq!(answer.report.samples.times.len(), 1);
    drop(mute);
    server.abort();
}

#[tokio::test]
async fn many_silent_ports_take_no_pacing() {
    let mut mute = Vec::new();
    for _ in 0..60 {
        mute.push(UdpSocket::bind(SocketAddr::new(host(4), 0)).await.expect("binds"));
    }
    let ports: Vec<u16> = mute.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
    let began = Instant::now();
    let answer = check(&range(host(4), ports, Duration::from_secs(50))).await;
    assert!(answer.ports.iter().all(|(_, reach)| *reach == Reach::Silent), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn closed_ports_behind_silent_ones_are_found_all_the_same() {
    let mut mute = Vec::new();
    for port in 30_000..30_008 {
        mute.push(UdpSocket::bind(SocketAddr::new(host(5), port)).await.expect("binds"));
    }
    let answer = check(&range(host(5), (30_000..30_012).collect(), Duration::from_secs(30))).await;
    for (port, reach) in &answer.ports {
        let wanted = if *port < 30_008 { Reach::Silent } else { Reach::Refused(Some(host(5))) };
        assert_eq!(*reach, wanted, "port {port}");
    }
}

#[tokio::test]
async fn printers_are_sent_nothing() {
    let printer = UdpSocket::bind(SocketAddr::new(host(6), 9100)).await.expect("binds");
    let answer = check(&range(host(6), vec![9100, 515], Duration::from_secs(2))).await;
    assert!(answer.ports.iter().all(|(_, reach)| *reach == Reach::Undecided(Text::new("probe-udp-printer"))));
    let mut buffer = [0; 8];
    assert_eq!(printer.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let tokio_may_not_have_looked =
        tokio::time::timeout(Duration::from_millis(50), printer.recv(&mut buffer)).await;
    assert!(tokio_may_not_have_looked.is_err());
}

#[tokio::test]
async fn a_stream_of_answers_ends_with_the_deadline() {
    let talks = UdpSocket::bind(SocketAddr::new(host(7), 0)).await.expect("binds");
    let mute = UdpSocket::bind(SocketAddr::new(host(7), 0)).await.expect("binds");
    let ports = vec![talks.local_addr().unwrap().port(), mute.local_addr().unwrap().port()];
    let flood = tokio::spawn(async move {
        let (_, from) = talks.recv_from(&mut [0; 64]).await.unwrap();
        loop {
            let _ = talks.send_to(b"again", from).await;
            tokio::task::yield_now().await;
        }
    });
    let began = Instant::now();
    let answer = check(&range(host(7), ports, Duration::from_secs(2))).await;
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(answer.ports.iter().filter(|(_, reach)| *reach == Reach::Passes).count(), 1);
    drop(mute);
    flood.abort();
}

#[tokio::test]
async fn a_port_that_was_not_asked_proves_nothing() {
    let mut asking = Asking::new(&[53, 5000, 9100]);
    let mut asked = range(host(8), vec![53, 5000, 9100], Duration::from_secs(1));
    let from = |port| SocketAddr::new(host(8), port);
    asking.answered(&asked, from(5000), b"!");
    asking.answered(&asked, from(9100), b"!");
    assert!(!asking.ports.values().any(|asked| asked.reach == Some(Reach::Passes)));
    asking.ports.values_mut().for_each(|asked| asked.left(Ok(())));
    asking.answered(&asked, from(5000), b"!");
    assert_eq!(asking.ports[&5000].reach, Some(Reach::Passes));
    asked.payload = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    asking.answered(&asked, from(53), &[3, 4, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(asking.ports[&53].reach, None);
    asking.answered(&asked, from(53), &[1, 2, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(asking.ports[&53].reach, Some(Reach::Passes));
}

#[tokio::test]
async fn what_this_host_could_not_send_is_no_verdict() {
    let full = || Err(nix::errno::Errno::ENOBUFS.into());
    let began = Instant::now();
    let later = began + WAIT * 2;
    let mut asked = Asked { at: Some(began), ..Asked::default() };
    asked.left(full());
    assert!(matches!(asked.settled(None, later), Reach::Undecided(text) if text.id == "probe-own-error"));
    // Silent only if a datagram left, and had time to be answered.
    asked.left(Ok(()));
    assert_eq!(asked.settled(None, later), Reach::Silent);
    assert_eq!(asked.settled(None, began), Reach::Undecided(Text::new("probe-udp-not-awaited")));
    asked.left(full());
    assert_eq!((asked.settled(None, later), asked.sent), (Reach::Silent, 1));
    assert!(matches!(asked.settled(Some("no socket"), later), Reach::Undecided(_)));
    let mut filtered = Asked::default();
    filtered.left(Err(nix::errno::Errno::EPERM.into()));
    assert_eq!(filtered.settled(None, later), Reach::Prohibited(None));
}

#[test]
fn nothing_known_of_any_port_says_why() {
    let own = Reach::Undecided(Text::new("probe-own-error").arg("detail", "full"));
    let ports = [(1, own.clone()), (2, own.clone())];
    assert_eq!(sum(host(9), &ports).reach, own);
}
