//! A key exchange and time server in one, and what goes wrong with others.

use super::*;
use crate::ntp::packet::LENGTH;
use crate::outcome::Detail;
use fields::{Fields, field, open, seal};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::Ipv4Addr;
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

const DEADLINE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(500);

/// What the time server answers with.
#[derive(Clone, Copy, PartialEq)]
enum Time {
    Authentic,
    Forged,
    Plain,
    Nak,
    Silent,
}

struct Server {
    acceptor: TlsAcceptor,
    roots: Arc<RootCertStore>,
}

fn server(alpn: &[u8]) -> Server {
    let made = rcgen::generate_simple_self_signed(vec!["time.test".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.to_vec()];
    }
    Server { acceptor: TlsAcceptor::from(Arc::new(config)), roots: Arc::new(roots) }
}

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// The records of a server that agrees, with this port for the time.
fn agreed(port: u16) -> Vec<u8> {
    let cookies: Vec<u8> = (1..=8).flat_map(|n| record(5, &[n; 100])).collect();
    [
        record(0x8001, &[0, 0]),
        record(0x8004, &[0, 15]),
        cookies,
        record(0x8007, &port.to_be_bytes()),
        record(0x8000, &[]),
    ]
    .concat()
}

/// Exchanges keys once, sends these records, then hands the keys out.
async fn exchange(server: &Server, records: Vec<u8>) -> (SocketAddr, tokio::sync::oneshot::Receiver<Keys>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = server.acceptor.clone();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let Ok(mut tls) = acceptor.accept(tcp).await else { return };
        let mut request = [0; 16];
        tls.read_exact(&mut request).await.unwrap();
        assert_eq!(request.as_slice(), records::request());
        let export = |direction| {
            let context = Some(&[0, 0, 0, 15, direction][..]);
            tls.get_ref().1.export_keying_material([0; 32], records::EXPORTER, context).unwrap()
        };
        let _ = sender.send(Keys { to_server: export(0), to_client: export(1) });
        tls.write_all(&records).await.unwrap();
        tls.flush().await.unwrap();
        let _ = tls.read(&mut request).await;
    });
    (address, receiver)
}

async fn run_with(time: Time) -> Report {
    let server = server(b"ntske/1");
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, keys) = exchange(&server, agreed(udp.local_addr().unwrap().port())).await;
    tokio::spawn(async move {
        let keys = keys.await.unwrap();
        let mut buffer = [0; 1024];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            let question = &buffer[..length];
            let all: Vec<_> = Fields { octets: question, at: LENGTH }.collect();
            assert_eq!(all[1].2, [all[1].2[0]; 100]);
            assert_eq!(open(&question[..all[2].1], all[2].2, &keys.to_server), Some(Vec::new()));
            let mut packet = vec![0; LENGTH];
            packet[..4].copy_from_slice(&[0x24, 1, 6, 0xe9]);
            packet[24..32].copy_from_slice(&question[40..48]);
            field(&mut packet, 0x0104, all[0].2).unwrap();
            let mut inner = Vec::new();
            field(&mut inner, 0x0204, &[1; 100]).unwrap();
            match time {
                Time::Authentic => seal(&mut packet, &[5; 16], &inner, &keys.to_client).unwrap(),
                Time::Forged => seal(&mut packet, &[5; 16], &inner, &keys.to_server).unwrap(),
                Time::Plain => {}
                Time::Nak => {
                    packet[1] = 0;
                    packet[12..16].copy_from_slice(b"NTSN");
                }
                Time::Silent => continue,
            }
            let _ = udp.send_to(&packet, from).await;
        }
    });
    let deadline = if time == Time::Authentic { DEADLINE } else { Duration::from_secs(8) };
    check("time.test", address, deadline, server.roots).await
}

fn state(report: &Report) -> &str {
    assert!(report.faults.is_empty());
    match report.details.get("nts") {
        Some(Detail::Text(state)) => state,
        _ => "",
    }
}

/// The state, and the id of what broke.
fn outcome(report: &Report) -> (&str, &str) {
    match &report.reach {
        Reach::Broken(text) => (state(report), text.id),
        reach => (state(report), reach.name()),
    }
}

#[tokio::test]
async fn an_authentic_answer_works() {
    let report = run_with(Time::Authentic).await;
    assert_eq!(outcome(&report), ("works", "passes"));
    assert_eq!(report.details.get("nts_cookies"), Some(&Detail::Number(8.0)));
    assert_eq!(report.details.get("nts_new_cookies"), Some(&Detail::Number(1.0)));
    assert_eq!(report.details.get("nts_aead"), Some(&Detail::Number(15.0)));
    assert_eq!(report.samples.times.len(), 1);
}

#[tokio::test]
async fn other_answers_say_why_not() {
    let (forged, plain, nak, silent) = tokio::join!(
        run_with(Time::Forged),
        run_with(Time::Plain),
        run_with(Time::Nak),
        run_with(Time::Silent)
    );
    assert_eq!(outcome(&forged), ("fails", "probe-nts-forged"));
    assert_eq!(outcome(&plain), ("fails", "probe-nts-plain"));
    assert_eq!(outcome(&nak), ("fails", "probe-nts-nak"));
    assert_eq!(outcome(&silent), ("fails", "probe-nts-no-answer"));
}

#[tokio::test]
async fn agreements_that_do_not_do_say_why() {
    let end = record(0x8000, &[]);
    let cases = [
        (record(0x8002, &[0, 1]), "probe-nts-error"),
        (record(0x8001, &[]), "probe-nts-protocol"),
        ([record(0x8001, &[0, 0]), record(0x8004, &[])].concat(), "probe-nts-aead"),
        ([record(0x8001, &[0, 0]), record(0x8004, &[0, 15])].concat(), "probe-nts-no-cookies"),
        (record(0x8055, &[1]), "probe-nts-garbage"),
        // Ordinary records without an end.
        (record(0x0055, &[0; 1000]).repeat(80), "probe-nts-garbage"),
    ];
    for (records, id) in cases {
        let server = server(b"ntske/1");
        let (address, _keys) = exchange(&server, [records, end.clone()].concat()).await;
        let report = check("time.test", address, DEADLINE, server.roots).await;
        assert_eq!(outcome(&report), ("fails", id));
    }
}

#[tokio::test]
async fn time_at_another_name_is_only_offered() {
    let server = server(b"ntske/1");
    let records = [record(0x8006, b"elsewhere.test"), agreed(123)].concat();
    let (address, _keys) = exchange(&server, records).await;
    let report = check("time.test", address, DEADLINE, server.roots).await;
    assert_eq!(outcome(&report), ("offered", "passes"));
    assert_eq!(report.details.get("nts_server"), Some(&Detail::Text("elsewhere.test".into())));
}

#[tokio::test]
async fn tls_that_does_not_do_says_why() {
    let web = server(b"");
    let (address, _keys) = exchange(&web, Vec::new()).await;
    assert_eq!(outcome(&check("time.test", address, DEADLINE, web.roots).await), ("fails", "probe-nts-alpn"));
    let web = server(b"http/1.1");
    let (address, _keys) = exchange(&web, Vec::new()).await;
    assert_eq!(outcome(&check("time.test", address, DEADLINE, web.roots).await).0, "fails");
    let unknown = server(b"ntske/1");
    let (address, _keys) = exchange(&unknown, Vec::new()).await;
    let roots = Arc::new(RootCertStore::empty());
    let report = check("time.test", address, DEADLINE, roots).await;
    assert_eq!(outcome(&report), ("fails", "probe-nts-certificate"));
    let (address, _keys) = exchange(&unknown, Vec::new()).await;
    let report = check("other.test", address, DEADLINE, unknown.roots).await;
    assert_eq!(outcome(&report), ("fails", "probe-nts-certificate"));
}

/// Accepts and then does this to the connection.
async fn raw<F: Future<Output = ()> + Send + 'static>(
    then: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        then(tcp).await;
    });
    address
}

#[tokio::test]
async fn whatever_the_server_does_it_ends() {
    let roots = || Arc::new(RootCertStore::empty());
    let silent = raw(|tcp| async move {
        tokio::time::sleep(DEADLINE).await;
        drop(tcp);
    })
    .await;
    assert_eq!(outcome(&check("time.test", silent, SHORT, roots()).await), ("fails", "probe-nts-stalled"));
    let slow = raw(|mut tcp| async move {
        for octet in [22, 3, 3, 0, 200].into_iter().chain([2; 200]) {
            let _ = tcp.write_all(&[octet]).await;
            tokio::time::sleep(SHORT / 4).await;
        }
    })
    .await;
    assert_eq!(outcome(&check("time.test", slow, SHORT, roots()).await), ("fails", "probe-nts-stalled"));
    let garbage = raw(|mut tcp| async move { while tcp.write_all(&[0x5a; 4096]).await.is_ok() {} }).await;
    assert_eq!(outcome(&check("time.test", garbage, DEADLINE, roots()).await), ("fails", "probe-nts-tls"));
    let closing = raw(|mut tcp| async move {
        let _ = tcp.read(&mut [0; 4096]).await;
    })
    .await;
    assert_eq!(outcome(&check("time.test", closing, DEADLINE, roots()).await), ("fails", "probe-nts-closed"));
}

#[tokio::test]
async fn an_endless_exchange_is_cut() {
    let server = server(b"ntske/1");
    let endless = record(0x0055, &[0; 60]).repeat(20_000);
    let (address, _keys) = exchange(&server, endless).await;
    let report = check("time.test", address, DEADLINE, server.roots).await;
    assert_eq!(outcome(&report), ("fails", "probe-nts-garbage"));
}

#[tokio::test]
async fn nobody_on_the_port_is_no_fault() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let report = check("time.test", closed, DEADLINE, Arc::new(RootCertStore::empty())).await;
    assert_eq!(outcome(&report), ("not offered", "refused"));
    let report = check("not a name", closed, DEADLINE, Arc::new(RootCertStore::empty())).await;
    assert_eq!(outcome(&report), ("unknown", "undecided"));
}
