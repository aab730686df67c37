//! Servers of every temper on the loopback, and what is made of them.

use super::*;
use crate::observed::Transport;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::Instant;

pub(super) const CERTIFICATE: &[u8] = include_bytes!("test-certificate.der");

/// What a server of TLS 1.2 or before says up to the end of its greeting, a record for each message.
pub(super) fn tls_flight(version: u16, cipher: u16, der: &[u8]) -> Vec<u8> {
    let mut hello = version.to_be_bytes().to_vec();
    hello.extend([5; 32]);
    hello.push(0);
    hello.extend(cipher.to_be_bytes());
    hello.push(0);
    let size = |n: usize| [(n >> 16) as u8, (n >> 8) as u8, n as u8];
    let mut list = size(der.len() + 3).to_vec();
    list.extend(size(der.len()));
    list.extend(der);
    let mut out = Vec::new();
    for (kind, body) in [(2, hello), (11, list), (14, Vec::new())] {
        let message = [&[kind][..], &size(body.len()), &body].concat();
        out.extend([22, 3, 3]);
        out.extend((message.len() as u16).to_be_bytes());
        out.extend(message);
    }
    out
}

const LONG: Duration = Duration::from_secs(20);

/// Serves every connection with `serve`; the address.
async fn server<F, S>(serve: S) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    at
}

/// A server that says `first`, and answers each read with `answer`.
async fn scripted(first: &'static [u8], answer: fn(&[u8]) -> Vec<u8>) -> SocketAddr {
    server(move |mut stream| async move {
        let _ = stream.write_all(first).await;
        let mut buffer = [0; 2048];
        while let Ok(size @ 1..) = stream.read(&mut buffer).await {
            let reply = answer(&buffer[..size]);
            if reply.is_empty() || stream.write_all(&reply).await.is_err() {
                break;
            }
        }
    })
    .await
}

fn opened(seen: Identified) -> Service {
    match seen {
        Identified::Open(service) => service,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_greeting_is_enough() {
    let at = scripted(b"SSH-2.0-box\r\n", |_| Vec::new()).await;
    let seen = opened(identify_tcp(at, LONG, 1).await);
    assert_eq!(
        (seen.name.as_str(), seen.version.as_deref(), seen.basis),
        ("ssh", Some("SSH-2.0-box"), Basis::Greeting)
    );
}

#[tokio::test]
async fn a_page_behind_a_password_in_clear() {
    let answer: fn(&[u8]) -> Vec<u8> = |request| {
        assert!(request.starts_with(b"GET / HTTP/1.0\r\n"));
        b"HTTP/1.1 401 No\r\nServer: box\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    };
    let seen = opened(identify_tcp(scripted(b"", answer).await, LONG, 1).await);
    assert_eq!(seen.name, "http");
    assert!(seen.is_cleartext_login && !seen.is_encrypted);
}

#[tokio::test]
async fn tls_is_found_behind_an_error_page_and_its_names_are_read() {
    let answer: fn(&[u8]) -> Vec<u8> = |request| match request {
        // TLS 1.3 alone is refused.
        [22, ..] if request.len() > 100 && request.windows(6).any(|w| w == [0, 43, 0, 3, 2, 3]) => {
            vec![21, 3, 3, 0, 2, 2, 70]
        }
        [22, ..] => tls_flight(0x0302, 0x000a, CERTIFICATE),
        _ => b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\nContent-Length: 0\r\n\r\n"
            .to_vec(),
    };
    let seen = opened(identify_tcp(scripted(b"", answer).await, LONG, 1).await);
    assert!(seen.is_encrypted && seen.name == "tls", "{seen:?}");
    assert_eq!(seen.weaknesses, [Weakness::OldTls, Weakness::OldCipher]);
    let tls = seen.tls.unwrap();
    assert_eq!((tls.version.as_deref(), tls.names.len()), (Some("1.1"), 2));
}

#[tokio::test]
async fn an_alert_is_tls_too() {
    let seen = opened(identify_tcp(scripted(b"", |_| vec![21, 3, 1, 0, 2, 2, 40]).await, LONG, 1).await);
    assert_eq!(seen.tls, Some(TlsSeen::default()));
}

#[tokio::test]
async fn a_bad_request_without_tls_stays_http() {
    let at = scripted(b"", |_| b"HTTP/1.0 400 Bad\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let seen = opened(identify_tcp(at, LONG, 1).await);
    assert_eq!((seen.name.as_str(), seen.basis), ("http", Basis::Answer));
}

#[tokio::test]
async fn silence_and_refusal() {
    let silent = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let start = Instant::now();
    let seen = opened(identify_tcp(silent, Duration::from_secs(2), 1).await);
    assert_eq!((seen.name.as_str(), seen.basis), ("unknown", Basis::Port));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(identify_tcp(free, LONG, 1).await, Identified::Closed);
}

#[tokio::test]
async fn one_byte_a_second_and_an_endless_stream_end() {
    let slow = server(|mut stream| async move {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let endless =
        server(|mut stream| async move { while stream.write_all(&[b'y'; 8192]).await.is_ok() {} }).await;
    // Says nothing first, then without end.
    let flood = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 64]).await;
        while stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nzzzzzzzz").await.is_ok() {}
    })
    .await;
    let garbage = scripted(b"\xfe\x01\x80\x99\0\0\0", |_| vec![0; 100]).await;
    for (at, name) in [(slow, "unknown"), (endless, "unknown"), (flood, "http"), (garbage, "unknown")] {
        let start = Instant::now();
        let seen = opened(identify_tcp(at, Duration::from_secs(3), 1).await);
        assert_eq!(seen.name, name);
        assert!(seen.version.is_none_or(|v| v.chars().count() <= 200));
        assert!(start.elapsed() < Duration::from_secs(25), "{name} {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn printers_are_left_alone() {
    for port in [9100, 9109, 515, 631, 3289, 22222] {
        // Nobody listens there, or somebody does: nothing is connected to either way.
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        assert!(matches!(identify_tcp(at, LONG, 1).await, Identified::NotAsked(_)), "{port}");
        assert!(matches!(identify_udp(at, LONG, 1).await, Identified::NotAsked(_)), "{port}");
    }
    assert_eq!(service_name(Transport::Tcp, 9100), Some("pdl-datastream"));
}

async fn udp_answers(
    question: datagram::Question,
    reply: fn(&[u8]) -> Vec<u8>,
    elsewhere: bool,
) -> Identified {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut count = 0;
        while let Ok((size, from)) = socket.recv_from(&mut buffer).await {
            count += 1;
            // The first is lost.
            if count > 1 {
                let sender = if elsewhere { &other } else { &socket };
                let _ = sender.send_to(&reply(&buffer[..size]), from).await;
            }
        }
    });
    ask::ask_udp(at, question, Duration::from_secs(6), 3).await
}

#[tokio::test]
async fn datagrams_are_repeated_and_may_be_answered_from_elsewhere() {
    use datagram::Question;
    let refuse: fn(&[u8]) -> Vec<u8> = |query| {
        let mut answer = query.to_vec();
        answer[2] |= 0x80;
        answer
    };
    assert_eq!(opened(udp_answers(Question::Dns, refuse, false).await).name, "domain");
    let seen = opened(udp_answers(Question::Tftp, |_| b"\0\x05\0\x01none\0".to_vec(), true).await);
    assert_eq!((seen.name.as_str(), seen.version.as_deref()), ("tftp", Some("none")));
    let garbage: fn(&[u8]) -> Vec<u8> = |_| b"garbage".to_vec();
    assert_eq!(udp_answers(Question::Snmp, garbage, false).await, Identified::Silent);
}

#[tokio::test]
async fn a_closed_udp_port_refuses() {
    let at = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(ask::ask_udp(at, datagram::Question::Ntp, LONG, 3).await, Identified::Closed);
    let unknown = SocketAddr::from(([127, 0, 0, 1], 4));
    assert!(matches!(identify_udp(unknown, LONG, 3).await, Identified::NotAsked(_)));
}

#[test]
fn text_from_the_network_is_made_fit_to_show() {
    assert_eq!(printable(b"\r\n\x1b[31mred\x1b[0m\tbox\r\nnext").as_deref(), Some("[31mred [0m box"));
    assert_eq!(printable("a\u{202e}b\u{feff}".as_bytes()).as_deref(), Some("a b"));
    assert_eq!(printable(&[b'x'; 500]).map(|t| t.len()), Some(200));
    assert_eq!(printable(b"\0\0--\n"), None);
}

#[test]
fn a_service_comes_back_from_json() {
    let mut service = Service::new("https", Basis::Port).weak(Weakness::OldTls).version(b"x");
    service.tls = Some(TlsSeen { version: Some("1.0".into()), not_after: Some(-1), ..TlsSeen::default() });
    let text = serde_json::to_string(&service).unwrap();
    assert!(text.contains(r#""weaknesses":["old-tls"]"#), "{text}");
    assert_eq!(serde_json::from_str::<Service>(&text).unwrap(), service);
}
