//! What an assessment makes of a server by what it chooses, and of time that runs out.

use super::*;

/// Answers a ClientHello by the suites it offers; the first one not at all if it is to stall.
async fn chooser(own: &'static [u16], mut is_stalling: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if std::mem::take(&mut is_stalling) {
                held.push(stream);
                continue;
            }
            tokio::spawn(async move {
                let mut head = [0; 5];
                stream.read_exact(&mut head).await.unwrap();
                let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
                stream.read_exact(&mut body).await.unwrap();
                let at = 39 + usize::from(body[38]);
                let count = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
                let mut offered = body[at + 2..at + 2 + count].chunks(2);
                let version = u16::from_be_bytes([body[4], body[5]]);
                let chosen = offered
                    .find_map(|pair| own.iter().find(|own| version == 0x0303 && own.to_be_bytes() == *pair));
                let mut answer = vec![21, 3, 3, 0, 2, 2, 40];
                if let Some(suite) = chosen {
                    answer = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
                    answer.extend([7; 32]);
                    answer.push(0);
                    answer.extend(suite.to_be_bytes());
                    answer.push(0);
                }
                // As over a real way: what is out of time must not come in between.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_whose_suites_only_we_lack_has_not_failed() {
    for (own, suite, count) in [
        (&[0xc027][..], "ECDHE_RSA_WITH_AES_128_CBC_SHA256", 1),
        (&[0x009c], "RSA_WITH_AES_128_GCM_SHA256", 2),
    ] {
        let report = assess(&probe(chooser(own, false).await)).await;
        assert_eq!(
            (report.reach.clone(), report.samples.sent, report.samples.loss()),
            (Reach::Passes, 1, 0.0)
        );
        assert_eq!(ids(&report)[0], ("tls-weak", "probe-tls-declining-suites", true));
        assert!(report.faults[0].text.args.contains(&("suite", tillgate_model::Arg::Str(suite.into()))));
        assert!(report.faults.len() == count && report.faults.iter().all(|f| f.id == FindingId::TlsWeak));
        assert_eq!(report.details.get("certificate_checked"), Some(&Detail::Flag(false)));
    }
    // One that we have, or none at all: that it failed has another reason.
    for own in [&[0xc02f][..], &[0x0005], &[]] {
        let report = assess(&probe(chooser(own, false).await)).await;
        assert!(report.faults.iter().any(|fault| fault.id == FindingId::TlsFailed), "{own:?}");
        assert!(matches!(report.reach, Reach::Broken(_)));
    }
}

#[tokio::test]
async fn a_stall_leaves_time_for_the_other_offers() {
    let stalling = Handshake { deadline: Duration::from_secs(6), ..probe(chooser(&[0xc02f], true).await) };
    let report = assess(&stalling).await;
    assert_eq!(ids(&report), [("tls-failed", "probe-tls-silent", true)]);
    assert_eq!(report.details.get("versions"), Some(&Detail::List(vec!["TLS 1.2".into()])));
    let refused = report.details.get("offers_refused");
    assert!(matches!(refused, Some(Detail::List(offers)) if offers.len() == 9), "{refused:?}");
}

#[tokio::test]
async fn a_cut_attempt_is_no_lost_one() {
    let authority = Authority::new("Vendor CA");
    let config = config(authority.sign(&[NAME], [2024, 2027]), &rustls::version::TLS13, &[]);
    let address = serve(config, [2, 30].map(Duration::from_secs)).await;
    let (samples, deadline) = (2, Duration::from_secs(5));
    let report =
        check(&Handshake { extra_roots: vec![authority.der], samples, deadline, ..probe(address) }).await;
    assert_eq!((report.reach, report.samples.sent, report.samples.loss()), (Reach::Passes, 1, 0.0));
}

#[tokio::test]
async fn what_is_spoken_inside_comes_with_its_judgement() {
    let authority = Authority::new("Box CA");
    let address = server(authority.sign(&[NAME], [2024, 2027]), &rustls::version::TLS13, &[b"sip"]).await;
    let asked = Handshake { system_roots: vec![authority.der.clone()].into(), ..probe(address) };
    let (mut stream, here, report) = secure(&asked).await.unwrap();
    assert!(here.ip().is_loopback() && stream.write_all(b"OPTIONS").await.is_ok());
    assert_eq!((report.reach.clone(), word(&report, "trust")), (Reach::Passes, "system"));
    assert_eq!(ids(&report), [("tls-intercepted", "probe-tls-intercepted", true)]);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = Handshake { deadline: Duration::from_secs(2), ..probe(silent.local_addr().unwrap()) };
    assert!(matches!(secure(&asked).await, Err(Reach::Silent)));
}
