use super::*;
use tokio::net::{TcpListener, TcpStream};

fn options(server: SocketAddr, transport: Transport) -> Options {
    let deadline = Duration::from_secs(8);
    Options { server, name: "sip.example".to_owned(), transport, samples: 1, deadline, local: None }
}

/// The response a far end gives: headers copied, `received` and `rport` filled in.
fn answer(request: &[u8], status: &str, from: SocketAddr, change: &[(&str, &str)]) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let mut out = format!("SIP/2.0 {status}\r\n");
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        match name {
            "Via" => {
                let line = line.replace(";rport", &format!(";rport={};received={}", from.port(), from.ip()));
                out += &format!("{line}\r\n");
            }
            "From" | "Call-ID" | "CSeq" => out += &format!("{line}\r\n"),
            "To" => out += &format!("{line};tag=far\r\n"),
            _ => {}
        }
    }
    for (before, after) in change {
        let swapped = out.replace(before, after);
        assert_ne!(swapped, out, "nothing to change: {before}");
        out = swapped;
    }
    out += "Server: test\r\nAllow: INVITE, OPTIONS\r\nl: 0\r\n\r\n";
    out.into_bytes()
}

/// A UDP server that answers each request with what a function makes of it.
async fn udp(mut reply: impl FnMut(&[u8], SocketAddr) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for datagram in reply(&buffer[..length], from) {
                socket.send_to(&datagram, from).await.unwrap();
            }
        }
    });
    at
}

async fn status_of(status: &'static str) -> Report {
    let server = udp(move |request, from| vec![answer(request, status, from, &[])]).await;
    check(&options(server, Transport::Udp)).await
}

#[tokio::test]
async fn any_final_response_is_an_answer() {
    for status in
        ["200 OK", "302 Moved", "401 Unauthorized", "405 Method Not Allowed", "503 Busy", "603 Decline"]
    {
        let report = status_of(status).await;
        assert_eq!(report.reach, Reach::Passes, "{status}: {report:?}");
        assert!(report.faults.is_empty(), "{report:?}");
        let number = status[..3].parse().unwrap();
        assert_eq!(report.details.get("status"), Some(&Detail::Number(number)));
        assert_eq!(report.details.get("nat"), Some(&Detail::Flag(false)));
        assert_eq!(report.details.get("seen_address"), Some(&Detail::Text("127.0.0.1".to_owned())));
    }
}

#[tokio::test]
async fn a_provisional_response_alone_is_none() {
    let report = status_of("100 Trying").await;
    assert_eq!(report.reach, Reach::Broken(Text::new("probe-sip-provisional").num("status", 100)));
}

#[tokio::test]
async fn a_final_response_after_a_provisional_one_counts() {
    let server = udp(|request, from| {
        vec![answer(request, "100 Trying", from, &[]), answer(request, "200 OK", from, &[])]
    });
    let report = check(&options(server.await, Transport::Udp)).await;
    assert_eq!(report.reach, Reach::Passes);
}

#[tokio::test]
async fn silence_ends_within_the_budget_and_is_asked_again() {
    let (sender, mut count) = tokio::sync::mpsc::unbounded_channel();
    let server = udp(move |_, _| {
        sender.send(()).unwrap();
        Vec::new()
    });
    let began = Instant::now();
    let report = check(&options(server.await, Transport::Udp)).await;
    assert_eq!(report.reach, Reach::Silent);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(report.samples.loss(), 1.0);
    let mut seen = 0;
    while count.try_recv().is_ok() {
        seen += 1;
    }
    assert!((2..=5).contains(&seen), "{seen}");
}

#[tokio::test]
async fn a_lost_request_is_made_up_for() {
    let mut first = true;
    let server =
        udp(
            move |request, from| {
                if std::mem::take(&mut first) {
                    Vec::new()
                } else {
                    vec![answer(request, "200 OK", from, &[])]
                }
            },
        );
    let report = check(&options(server.await, Transport::Udp)).await;
    assert_eq!(report.reach, Reach::Passes);
    assert!(report.samples.sent >= 2);
    assert_eq!(report.samples.times.len(), 1);
}

#[tokio::test]
async fn several_samples_are_several_requests() {
    let server = udp(|request, from| vec![answer(request, "200 OK", from, &[])]).await;
    let report = check(&Options { samples: 5, ..options(server, Transport::Udp) }).await;
    assert_eq!(report.samples.times.len(), 5);
}

#[tokio::test]
async fn a_closed_port_is_refused_by_its_host() {
    let report = check(&options("127.0.0.1:9".parse().unwrap(), Transport::Udp)).await;
    assert_eq!(report.reach, Reach::Refused(Some("127.0.0.1".parse().unwrap())));
    let report = check(&options("127.0.0.1:9".parse().unwrap(), Transport::Tcp)).await;
    assert_eq!(report.reach, Reach::Refused(None));
}

#[tokio::test]
async fn garbage_is_told_and_strangers_are_ignored() {
    let server = udp(|_, _| vec![b"\x00\x01nonsense\r\nmore".to_vec()]);
    let report =
        check(&Options { deadline: Duration::from_secs(1), ..options(server.await, Transport::Udp) }).await;
    assert_eq!(
        report.reach,
        Reach::Broken(Text::new("probe-sip-garbage").arg("line", "\\u{0}\\u{1}nonsense"))
    );
    let server = udp(|request, from| {
        let text = String::from_utf8_lossy(request).replace("branch=z9hG4bK", "branch=z9hG4bKother");
        let text = text.replace("Call-ID: ", "Call-ID: other").replace(";tag=", ";tag=other");
        vec![answer(text.as_bytes(), "200 OK", from, &[])]
    });
    let report =
        check(&Options { deadline: Duration::from_secs(1), ..options(server.await, Transport::Udp) }).await;
    assert_eq!(report.reach, Reach::Silent);
}

#[tokio::test]
async fn a_rewriting_gateway_is_named_by_header() {
    let cases: [(&str, &str, &str); 5] = [
        ("Via", "UDP 127.0.0.1", "UDP 203.0.113.9"),
        ("Via", "branch=z9hG4bK", "branch=z9hG4bKalg"),
        ("Call-ID", "@127.0.0.1\r\n", "@203.0.113.9\r\n"),
        ("From", "tillgate@127.0.0.1", "tillgate@203.0.113.9"),
        ("To", "sip.example", "203.0.113.9"),
    ];
    for (header, before, after) in cases {
        let server = udp(move |request, from| vec![answer(request, "200 OK", from, &[(before, after)])]);
        let report = check(&options(server.await, Transport::Udp)).await;
        assert_eq!(report.reach, Reach::Passes);
        let fault = report.faults.first().unwrap_or_else(|| panic!("{header}: {report:?}"));
        assert_eq!(
            (fault.id, fault.is_sure, fault.text.id),
            (FindingId::SipFailed, true, "probe-sip-rewritten")
        );
        assert_eq!(fault.text.args[0].1, tillgate_model::Arg::Str(header.to_owned()));
        assert_eq!(report.faults.len(), 1, "{report:?}");
    }
}

#[tokio::test]
async fn an_echo_shows_what_changed_on_the_way_out() {
    let server = udp(|request, from| {
        let text = String::from_utf8_lossy(request);
        let inner = text.replace("c=IN IP4 127.0.0.1", "c=IN IP4 203.0.113.9");
        let inner = inner.replace("Contact: <sip:t", "Contact: <sip:u");
        let head = String::from_utf8_lossy(&answer(request, "200 OK", from, &[])).into_owned();
        let length = format!("l: {}\r\nc: message/sip\r\n", inner.len());
        vec![(head.replace("l: 0\r\n", &length) + &inner).into_bytes()]
    });
    let report = check(&options(server.await, Transport::Udp)).await;
    let headers: Vec<String> =
        report.faults.iter().map(|fault| format!("{:?}", fault.text.args[0].1)).collect();
    assert_eq!(headers, ["Str(\"Contact\")", "Str(\"SDP\")"], "{report:?}");
}

#[tokio::test]
async fn compact_headers_and_nat_are_no_fault() {
    let server = udp(|request, from| {
        let other = SocketAddr::new("203.0.113.7".parse().unwrap(), from.port().wrapping_add(1));
        let changes = [
            ("Via: ", "v:\t"),
            ("From", "F"),
            ("Call-ID", "i"),
            ("To: ", "t : "),
            (";received", "\r\n ;received"),
        ];
        vec![answer(request, "200 OK", other, &changes)]
    });
    let report = check(&options(server.await, Transport::Udp)).await;
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!(report.details.get("nat"), Some(&Detail::Flag(true)));
    assert_eq!(report.details.get("seen_address"), Some(&Detail::Text("203.0.113.7".to_owned())));
}

#[tokio::test]
async fn an_answer_from_another_port_is_a_fault() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        other.send_to(&answer(&buffer[..length], "200 OK", from, &[]), from).await.unwrap();
    });
    let report = check(&options(at, Transport::Udp)).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(report.faults[0].text.id, "probe-sip-other-source");
}

/// What a TCP server does with its first connection.
async fn tcp<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    at
}

async fn request_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).await.unwrap();
    bytes.truncate(length);
    bytes
}

#[tokio::test]
async fn tcp_answers_even_in_pieces() {
    let server = tcp(|mut stream| async move {
        for _ in 0..3 {
            let request = request_of(&mut stream).await;
            let from = stream.peer_addr().unwrap();
            let mut bytes = b"\r\n\r\n".to_vec();
            bytes.extend(answer(&request, "100 Trying", from, &[]));
            bytes.extend(answer(&request, "404 Not Found", from, &[]));
            for part in bytes.chunks(100) {
                stream.write_all(part).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let report = check(&Options { samples: 3, ..options(server.await, Transport::Tcp) }).await;
    assert_eq!(report.reach, Reach::Passes, "{report:?}");
    assert_eq!(report.samples.times.len(), 3);
    assert_eq!(report.details.get("status"), Some(&Detail::Number(404.0)));
    assert!(report.details.contains_key("connect_us"));
}

#[tokio::test]
async fn tcp_ends_whatever_the_far_end_does() {
    let short = |server| Options { deadline: Duration::from_millis(1500), ..options(server, Transport::Tcp) };
    let began = Instant::now();
    let mute = tcp(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    });
    assert_eq!(check(&short(mute.await)).await.reach, Reach::Silent);
    let slow = tcp(|mut stream| async move {
        for byte in b"SIP/2.0 200 OK\r\nVia: never to end ".iter().cycle() {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(check(&short(slow.await)).await.reach, Reach::Silent);
    let web = tcp(|mut stream| async move {
        request_of(&mut stream).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let garbage = Text::new("probe-sip-garbage").arg("line", "HTTP/1.1 400 Bad Request");
    assert_eq!(check(&short(web.await)).await.reach, Reach::Broken(garbage));
    let cut = tcp(|mut stream| async move {
        request_of(&mut stream).await;
    });
    assert_eq!(check(&short(cut.await)).await.reach, Reach::Broken(Text::new("probe-cut-off")));
    let endless = tcp(|mut stream| async move {
        let _ = stream.write_all(b"SIP/2.0 200 OK\r\nX: ").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    let endless = check(&short(endless.await)).await.reach;
    assert_eq!(endless, Reach::Broken(Text::new("probe-sip-endless").num("kilobytes", 64)));
    assert!(began.elapsed() < Duration::from_secs(40));
}

#[tokio::test]
async fn a_secured_connection_is_a_stream_like_any() {
    let (near, mut far) = tokio::io::duplex(8192);
    let local: SocketAddr = "10.0.0.5:40000".parse().unwrap();
    tokio::spawn(async move {
        let mut bytes = vec![0; 4096];
        let length = far.read(&mut bytes).await.unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains("Via: SIP/2.0/TLS 10.0.0.5:40000;rport;"));
        far.write_all(&answer(&bytes[..length], "200 OK", local, &[])).await.unwrap();
    });
    let mut asked = options("198.51.100.1:5061".parse().unwrap(), Transport::Tls);
    let report = over(&asked, near, local).await;
    assert_eq!(report.reach, Reach::Passes);
    // A public server that saw a private address: somebody undid what somebody did.
    assert_eq!((report.faults.len(), report.faults[0].is_sure), (1, false));
    assert_eq!(report.faults[0].text.id, "probe-sip-alg-hidden");
    asked.deadline = Duration::from_millis(10);
    assert_eq!(check(&asked).await.reach.name(), "undecided");
}

#[tokio::test]
async fn a_server_that_does_not_say_what_it_saw_proves_nothing() {
    let (near, mut far) = tokio::io::duplex(8192);
    let local: SocketAddr = "10.0.0.5:40000".parse().unwrap();
    tokio::spawn(async move {
        let mut bytes = vec![0; 4096];
        let length = far.read(&mut bytes).await.unwrap();
        let seen = ";rport=40000;received=10.0.0.5";
        far.write_all(&answer(&bytes[..length], "200 OK", local, &[(seen, ";rport")])).await.unwrap();
    });
    let report = over(&options("198.51.100.1:5061".parse().unwrap(), Transport::Tls), near, local).await;
    assert_eq!((report.reach, report.faults.len()), (Reach::Passes, 0));
}

#[tokio::test]
async fn a_name_that_is_none_stays_out_of_the_message() {
    let mut asked = options("127.0.0.1:5060".parse().unwrap(), Transport::Udp);
    asked.name = "a\r\nX-Evil: 1".to_owned();
    let sent = Sent::new(&asked, "127.0.0.1:40000".parse().unwrap()).unwrap();
    assert!(String::from_utf8(sent.bytes()).unwrap().starts_with("OPTIONS sip:127.0.0.1 SIP/2.0\r\n"));
}

#[tokio::test]
async fn what_had_no_time_to_be_answered_is_not_lost() {
    let mute = udp(|_, _| Vec::new()).await;
    let brief = Options { deadline: Duration::from_millis(200), ..options(mute, Transport::Udp) };
    let report = check(&brief).await;
    assert_eq!(report.reach, Reach::Undecided(Text::new("probe-udp-not-awaited")));
    assert_eq!(report.samples.sent, 0);
    let server = tcp(|mut stream| async move {
        let request = request_of(&mut stream).await;
        let from = stream.peer_addr().unwrap();
        stream.write_all(&answer(&request, "200 OK", from, &[])).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let brief =
        Options { samples: 2, deadline: Duration::from_secs(2), ..options(server.await, Transport::Tcp) };
    let report = check(&brief).await;
    assert_eq!((report.reach, report.samples.sent, report.samples.times.len()), (Reach::Passes, 1, 1));
}

#[test]
fn what_this_host_could_not_send_is_no_verdict() {
    let mut ended = Ended::default();
    ended.left(Err(nix::errno::Errno::ENOBUFS.into()));
    assert!(matches!(ended.reach(), Reach::Undecided(text) if text.id == "probe-own-error"));
    ended.left(Ok(()));
    assert_eq!((ended.reach(), ended.sent), (Reach::Silent, 1));
    ended.left(Err(nix::errno::Errno::EPERM.into()));
    assert_eq!(ended.reach(), Reach::Prohibited(None));
}
