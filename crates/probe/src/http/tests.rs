use super::*;
use tillgate_model::FindingId;
use tokio::net::{TcpListener, TcpStream};

/// A server on loopback: reads a request up to its empty line, then does as it is told.
async fn server<B, F>(behave: B) -> SocketAddr
where
    B: Fn(TcpStream, String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let behave = behave.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if !matches!(stream.read(&mut byte).await, Ok(1)) {
                        return;
                    }
                    request.push(byte[0]);
                }
                behave(stream, String::from_utf8(request).unwrap()).await;
            });
        }
    });
    address
}

/// A server that says one thing and closes.
async fn says(answer: &'static str) -> SocketAddr {
    server(move |mut stream, _| async move {
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await
}

fn ask(address: SocketAddr, expect: Expect) -> Fetch {
    Fetch {
        address,
        host: "shop.example".into(),
        path: "/check?{nonce}".into(),
        expect,
        follow: 0,
        samples: 1,
        deadline: Duration::from_secs(30),
        local: None,
    }
}

async fn go(request: &Fetch) -> Report {
    fetch(request, |_| async { None }).await
}

fn fault(report: &Report) -> Option<(FindingId, &'static str, bool)> {
    report.faults.first().map(|fault| (fault.id, fault.text.id, fault.is_sure))
}

fn broken(report: &Report) -> &'static str {
    match &report.reach {
        Reach::Broken(text) => text.id,
        other => other.name(),
    }
}

#[tokio::test]
async fn the_expected_answer_passes() {
    let status = Expect::Status;
    let body = |text: &str| Expect::Body(text.into());
    for (answer, expect) in [
        ("HTTP/1.1 204 No Content\r\nVia: 1.1 cache\r\n\r\n", status(204)),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", status(204)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsuccess\n", body("success")),
        ("HTTP/1.0 200 OK\r\n\r\nsuccess", body("success")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsuccess\r\n0\r\n\r\n", body("success")),
        ("HTTP/1.1 301 Moved\r\nLocation: https://shop.example/\r\nContent-Length: 0\r\n\r\n", Expect::Any),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Expect::Any),
    ] {
        let mut request = ask(says(answer).await, expect);
        request.samples = 3;
        let report = go(&request).await;
        assert_eq!((&report.reach, fault(&report)), (&Reach::Passes, None), "{answer}");
        assert_eq!(report.samples.times.len(), 3);
        for key in ["connect_us", "first_byte_us", "total_us", "status"] {
            assert!(matches!(report.details.get(key), Some(Detail::Number(_))), "{key}");
        }
    }
    let report =
        go(&ask(says("HTTP/1.1 204 X\r\nVia: 1.1 cache\r\nX-Cache: MISS\r\n\r\n").await, status(204))).await;
    let proxies = ["via: 1.1 cache", "x-cache: MISS"].map(String::from).to_vec();
    assert_eq!(report.details.get("proxies"), Some(&Detail::List(proxies)));
}

#[tokio::test]
async fn the_request_names_host_and_a_fresh_nonce() {
    let address = server(|mut stream, request| async move {
        let body: String = request.lines().take(2).collect::<Vec<_>>().join("|");
        let text = format!("HTTP/1.1 200 OK\r\nContent-Type: {body}\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let report = go(&ask(address, Expect::Any)).await;
        let Some(Detail::Text(text)) = report.details.get("content_type") else { panic!() };
        assert!(
            text.starts_with("GET /check?")
                && text.ends_with(&format!("Host: shop.example:{}", address.port()))
        );
        seen.push(text.clone());
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn sign_in_pages_are_told() {
    let portal = FindingId::CaptivePortal;
    let failed = FindingId::HttpFailed;
    for (answer, expected) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\nContent-Length: 0\r\n\r\n",
            (portal, "probe-http-portal-redirect", true),
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://portal.example/login\r\nContent-Length: 0\r\n\r\n",
            (portal, "probe-http-portal-redirect", true),
        ),
        ("HTTP/1.1 511 X\r\nContent-Length: 0\r\n\r\n", (portal, "probe-http-portal-511", true)),
        ("HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n", (failed, "probe-http-proxy-auth", true)),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><form>Log in</form>",
            (portal, "probe-http-portal-page", true),
        ),
        ("HTTP/1.1 200 OK\r\n\r\n <!DOCTYPE HTML>Blocked", (portal, "probe-http-portal-page", false)),
        (
            "HTTP/1.1 200 OK\r\n\r\n<html><meta http-equiv=\"refresh\" content=\"0; url=http://10.0.0.1/\">",
            (portal, "probe-http-portal-page-to", true),
        ),
        ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", (failed, "probe-http-status", true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", (failed, "probe-http-status", true)),
        (
            "HTTP/1.1 301 X\r\nLocation: https://shop.example/\r\nContent-Length: 0\r\n\r\n",
            (failed, "probe-http-status", true),
        ),
    ] {
        let report = go(&ask(says(answer).await, Expect::Status(204))).await;
        assert_eq!((broken(&report), fault(&report)), (expected.1, Some(expected)), "{answer}");
    }
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    let report = go(&ask(says(answer).await, Expect::Body("success".into()))).await;
    assert_eq!(fault(&report), Some((failed, "probe-http-body", true)));
    let answer = "HTTP/1.1 302 Found\r\nLocation: http://192.168.1.1/login\r\nContent-Length: 0\r\n\r\n";
    let report = go(&ask(says(answer).await, Expect::Any)).await;
    assert_eq!(fault(&report), Some((portal, "probe-http-portal-inside", false)));
    assert_eq!(broken(&report), "probe-http-portal-inside", "a sign-in page is not the service");
    let led = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    for (to, expected) in [
        ("http://portal.hotel.example/login", Some((portal, "probe-http-portal-elsewhere", false))),
        ("http://wlan.test/", Some((portal, "probe-http-portal-elsewhere", false))),
        ("https://shop.test/", None),
        ("https://www.shop.test/", None),
        ("https://pay.test/", None),
        ("http://www.shop.test/", None),
        ("http://test.shop.test:8080/", None),
        ("/start", None),
    ] {
        let answer: &'static str = Box::leak(led(to).into_boxed_str());
        let mut request = ask(says(answer).await, Expect::Any);
        request.host = "shop.test".into();
        let report = go(&request).await;
        assert_eq!((fault(&report), report.reach == Reach::Passes), (expected, expected.is_none()), "{to}");
    }
    let report = go(&ask(says("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n").await, Expect::Any)).await;
    assert_eq!(fault(&report), Some((failed, "probe-http-error", true)));
}

#[tokio::test]
async fn redirects_are_followed_by_rule_only() {
    let address = server(|mut stream, request| async move {
        let port = stream.local_addr().unwrap().port();
        let text = match request.contains("\r\nHost: other.example") {
            true => "HTTP/1.1 204 X\r\n\r\n".to_string(),
            false => format!(
                "HTTP/1.1 302 X\r\nLocation: http://other.example:{port}/a\r\nContent-Length: 0\r\n\r\n"
            ),
        };
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await;
    let mut request = ask(address, Expect::Status(204));
    let resolve =
        |host: String| async move { (host == "other.example").then(|| "127.0.0.1".parse().unwrap()) };
    let report = fetch(&request, resolve).await;
    assert_eq!(broken(&report), "probe-http-portal-redirect", "not followed unless asked for");
    request.follow = 2;
    let report = fetch(&request, resolve).await;
    assert_eq!((&report.reach, fault(&report)), (&Reach::Passes, None));
    assert!(matches!(report.details.get("followed"), Some(Detail::List(list)) if list.len() == 1));
    let report = go(&request).await;
    assert_eq!(broken(&report), "probe-http-portal-redirect", "nor without an address");

    // A printer's port is never followed to; a loop ends.
    let printer = "HTTP/1.1 302 X\r\nLocation: http://other.example:9100/\r\nContent-Length: 0\r\n\r\n";
    request.address = says(printer).await;
    assert_eq!(broken(&fetch(&request, resolve).await), "probe-http-portal-redirect");
    request.address = says("HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").await;
    let report = fetch(&request, resolve).await;
    assert!(matches!(report.details.get("followed"), Some(Detail::List(list)) if list.len() == 2));
    assert_eq!(broken(&report), "probe-http-status");
}

#[tokio::test]
async fn failures_are_kept_apart() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(go(&ask(closed, Expect::Any)).await.reach.name(), "refused");
    for (answer, id) in [
        ("", "probe-cut-off"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "probe-cut-off"),
        ("HTTP/1.1 200 OK\r\nContent-", "probe-cut-off"),
        ("SSH-2.0-OpenSSH_9\r\n", "probe-http-garbage"),
        ("\u{15}\u{3}\u{3}", "probe-http-garbage"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "probe-http-garbage"),
    ] {
        let report = go(&ask(says(answer).await, Expect::Any)).await;
        assert_eq!((broken(&report), fault(&report)), (id, None), "{answer}");
        assert_eq!(report.samples.loss(), 1.0);
    }
    // Closing with unread bytes in the way makes a reset.
    let address = server(|stream, _| async move {
        let _ = stream.set_zero_linger();
    })
    .await;
    assert_eq!(broken(&go(&ask(address, Expect::Any)).await), "probe-http-reset");
}

#[tokio::test]
async fn what_does_not_end_is_ended() {
    // Silent, one byte at a time in head and in body, interim answers for ever.
    for (kind, expected) in [
        ("silent", "silent"),
        ("head", "probe-unfinished"),
        ("body", "probe-unfinished"),
        ("interim", "probe-unfinished"),
    ] {
        let address = server(move |mut stream, _| async move {
            let (first, then) = match kind {
                "silent" => ("", ""),
                "head" => ("HTTP/1.1 200 OK\r\nA: ", "x"),
                "body" => ("HTTP/1.1 200 OK\r\n\r\n", "x"),
                _ => ("HTTP/1.1 100 Continue\r\n\r\n", ""),
            };
            let _ = stream.write_all(first.as_bytes()).await;
            for _ in 0..60 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if stream.write_all(then.as_bytes()).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let mut request = ask(address, Expect::Any);
        request.deadline = Duration::from_millis(2500);
        let start = Instant::now();
        let report = go(&request).await;
        assert!(start.elapsed() < Duration::from_secs(15), "{kind}");
        assert_eq!(broken(&report), expected, "{kind}");
    }
}

#[tokio::test]
async fn a_cut_attempt_is_no_lost_one() {
    // The first takes most of the time, the second gets no answer in what is left.
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let address = server(move |mut stream, _| {
        let round = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            tokio::time::sleep(Duration::from_secs(if round == 0 { 2 } else { 30 })).await;
            let _ = stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").await;
        }
    })
    .await;
    let mut request = ask(address, Expect::Any);
    (request.samples, request.deadline) = (2, Duration::from_secs(5));
    let report = go(&request).await;
    assert_eq!((report.reach, report.samples.sent, report.samples.loss()), (Reach::Passes, 1, 0.0));
}

#[tokio::test]
async fn what_is_endless_is_bounded() {
    for (first, then, expected) in [
        ("HTTP/1.1 200 OK\r\n", "A: 0123456789012345678901234567890123456789\r\n", "probe-http-endless"),
        ("HTTP/1.1 200 OK\r\nA: ", "0123456789", "probe-http-endless"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "probe-http-endless"),
        ("HTTP/1.1 200 OK\r\n\r\n", "0123456789", "passes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "passes"),
    ] {
        let address = server(move |mut stream, _| async move {
            let _ = stream.write_all(first.as_bytes()).await;
            let block = then.repeat(100);
            while stream.write_all(block.as_bytes()).await.is_ok() {}
        })
        .await;
        let start = Instant::now();
        let report = go(&ask(address, Expect::Any)).await;
        assert!(start.elapsed() < Duration::from_secs(25));
        assert_eq!(broken(&report), expected, "{first}{then}");
        if expected == "passes" {
            assert_eq!(report.details.get("body_cut"), Some(&Detail::Flag(true)));
            assert_eq!(report.details.get("body_bytes"), Some(&Detail::Number(answer::BODY as f64)));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_undecided() {
    let mut request = ask("127.0.0.1:80".parse().unwrap(), Expect::Any);
    request.path = "/ HTTP/1.1\r\nX: y".into();
    assert_eq!(go(&request).await.reach.name(), "undecided");
    request.path = "/".into();
    request.local = Some("::1".parse().unwrap());
    assert_eq!(go(&request).await.reach.name(), "undecided");
}

#[test]
fn a_task_can_carry_a_fetch() {
    fn is_send(_: impl Send) {}
    let request = ask("127.0.0.1:80".parse().unwrap(), Expect::Any);
    is_send(fetch(&request, |_| async { None }));
}
