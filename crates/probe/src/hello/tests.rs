use super::*;
use tokio::net::{TcpListener, TcpStream};

fn xorshift(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state as usize
}

/// A ServerHello record as OpenSSL writes it, with a session and, if asked for, `supported_versions`.
fn server_hello(version: u16, suite: u16, supported: Option<u16>) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(32);
    body.extend([8; 32]);
    body.extend(suite.to_be_bytes());
    body.push(0);
    let mut extensions = vec![0xff, 1, 0, 1, 0];
    if let Some(supported) = supported {
        extensions.extend([0, 43, 0, 2]);
        extensions.extend(supported.to_be_bytes());
    }
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut record = vec![22];
    record.extend(version.to_be_bytes());
    record.extend((body.len() as u16 + 4).to_be_bytes());
    record.extend([2, 0]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

fn alert(level: u8, number: u8) -> Vec<u8> {
    vec![21, 3, 1, 0, 2, level, number]
}

#[test]
fn answers_are_read() {
    let hello = |version, suite| Some(Answer::Hello { version, suite });
    let plain = server_hello(0x0301, 0x002f, None);
    assert_eq!(read_answer(&plain), hello(0x0301, 0x002f));
    for length in 0..plain.len() {
        assert_eq!(read_answer(&plain[..length]), None, "{length} bytes");
    }
    assert_eq!(read_answer(&server_hello(0x0303, 0x1301, Some(0x0304))), hello(0x0304, 0x1301));
    let warned = [alert(1, 112), plain.clone()].concat();
    assert_eq!(read_answer(&warned), hello(0x0301, 0x002f));
    assert_eq!(read_answer(&alert(2, 70)), Some(Answer::Alert(70)));
    assert_eq!(read_answer(&alert(1, 0)), Some(Answer::Alert(0)));
    assert_eq!(read_answer(b"HTTP/1.1 400 Bad Request"), Some(Answer::NotTls));
    assert_eq!(read_answer(&[22, 3, 1, 0, 0]), Some(Answer::NotTls));
    // A message over two records, and certificates in the same record that have not come yet.
    let (one, two) = plain[5..].split_at(30);
    let split = [&[22, 3, 1, 0, 30][..], one, &[22, 3, 1, 0, two.len() as u8], two].concat();
    assert_eq!(read_answer(&split), hello(0x0301, 0x002f));
    let mut long = plain.clone();
    long[3] = 0x20;
    assert_eq!(read_answer(&long), hello(0x0301, 0x002f));
}

#[test]
fn hellos_are_well_formed() {
    for offer in Offer::all() {
        for name in ["kasse.example", "", "192.0.2.1", &"a".repeat(400)] {
            let hello = client_hello(offer.version(), &offer.suites(), name, offer == Offer::Modern);
            assert_eq!(hello[0], 22);
            let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            assert_eq!(hello.len(), record + 5);
            assert_eq!(hello[5], 1);
            assert_eq!(usize::from(hello[7]) << 8 | usize::from(hello[8]), record - 4);
            assert!(!(256..512).contains(&record), "{} bytes", record);
            let has_name = hello.windows(13).any(|part| part == b"kasse.example");
            assert_eq!(has_name, name == "kasse.example" && offer != Offer::Old(0x0300), "{offer:?}");
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for (suite, _) in Group::ALL.into_iter().flat_map(Group::suites) {
        assert!(seen.insert(suite), "{suite:04x} is in one group");
        assert!(!suites::MODERN.contains(suite) && !suites::OLD.contains(suite));
    }
}

#[test]
fn no_bytes_make_it_fail_otherwise_than_by_an_answer() {
    let good =
        [server_hello(0x0303, 0x1301, Some(0x0304)), server_hello(0x0300, 0x000a, None), alert(1, 112)];
    let mut state = 0x2545_f491_4f6c_dd1d;
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = match round % 4 {
            0 => (0..xorshift(&mut state) % 200).map(|_| xorshift(&mut state) as u8).collect(),
            kind => good[kind - 1].clone(),
        };
        if round % 8 == 4 {
            bytes.splice(0..0, [22, 3, 3, 0, 90, 2, 0, 0, 86]);
        }
        for _ in 0..xorshift(&mut state) % 5 {
            if !bytes.is_empty() {
                let at = xorshift(&mut state) % bytes.len();
                bytes[at] = xorshift(&mut state) as u8;
            }
        }
        read_answer(&bytes);
    }
}

/// What a server does with the version and the suites offered to it.
type Answers = fn(u16, &[u16], bool) -> Vec<u8>;

async fn serve(mut stream: TcpStream, answers: Answers) -> Option<()> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).await.ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut body).await.ok()?;
    let version = u16::from_be_bytes([body[4], body[5]]);
    let session = usize::from(body[38]);
    let count = usize::from(u16::from_be_bytes([body[39 + session], body[40 + session]]));
    let suites: Vec<u16> = body[41 + session..41 + session + count]
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    let is_modern = suites.contains(&0x1301);
    stream.write_all(&answers(version, &suites, is_modern)).await.ok()
}

async fn server(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answers));
        }
    });
    address
}

async fn checked(address: SocketAddr, seconds: u64) -> Report {
    let deadline = Duration::from_secs(seconds);
    check(&Legacy { address, name: "kasse.example".into(), deadline, local: None }).await
}

fn list<'a>(report: &'a Report, key: &str) -> &'a [String] {
    match report.details.get(key) {
        Some(Detail::List(words)) => words,
        _ => &[],
    }
}

fn ids(report: &Report) -> Vec<(&'static str, &'static str)> {
    report.faults.iter().map(|fault| (fault.id.name(), fault.text.id)).collect()
}

#[tokio::test]
async fn a_sound_server_refuses_what_is_old() {
    let answers: Answers = |_, _, is_modern| match is_modern {
        true => server_hello(0x0303, 0x1301, Some(0x0304)),
        false => alert(2, 40),
    };
    let begin = Instant::now();
    let report = checked(server(answers).await, 30).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(ids(&report), []);
    assert_eq!(list(&report, "versions"), ["TLS 1.3"]);
    assert_eq!(list(&report, "offers_refused").len(), 9);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn old_versions_and_weak_suites_are_told() {
    // As `openssl s_server -cipher ALL:@SECLEVEL=0` with 3DES, RC4 and static RSA left on.
    let answers: Answers = |version, suites, is_modern| {
        if is_modern {
            return server_hello(0x0303, 0xc02f, None);
        }
        let own = [0xc014, 0x000a, 0x0005, 0x002f];
        match own.iter().find(|own| suites.contains(own)) {
            Some(suite) if version >= 0x0301 => server_hello(version, *suite, None),
            _ => alert(2, 70),
        }
    };
    let report = checked(server(answers).await, 30).await;
    assert_eq!(report.reach, Reach::Passes);
    let expected = [
        ("tls-weak", "probe-tls-old-versions"),
        ("tls-weak", "probe-tls-weak-suites"),
        ("tls-weak", "probe-tls-no-forward-secrecy"),
    ];
    assert_eq!(ids(&report), expected);
    assert_eq!(list(&report, "versions"), ["TLS 1.0", "TLS 1.1", "TLS 1.2"]);
    let weak = [
        "rc4: RSA_WITH_RC4_128_SHA",
        "3des: RSA_WITH_3DES_EDE_CBC_SHA",
        "static-rsa: RSA_WITH_AES_128_CBC_SHA",
    ];
    assert_eq!(list(&report, "weak_suites"), weak);
    assert_eq!(list(&report, "offers_refused"), ["SSL 3.0", "null", "export", "anonymous"]);
}

#[tokio::test]
async fn a_server_with_old_versions_only_fails() {
    // As `openssl s_server -tls1`: whatever is offered, it is TLS 1.0.
    let answers: Answers = |version, suites, is_modern| {
        let suite = [0xc014, 0x0039, 0x0035].into_iter().find(|own| suites.contains(own));
        match suite {
            Some(suite) if version >= 0x0301 && !is_modern => server_hello(0x0301, suite, None),
            _ => alert(2, 70),
        }
    };
    let report = checked(server(answers).await, 30).await;
    assert_eq!(ids(&report)[0], ("tls-failed", ONLY_OLD));
    assert_eq!(list(&report, "versions"), ["TLS 1.0"]);
}

#[tokio::test]
async fn what_is_not_tls_is_told() {
    let report = checked(server(|_, _, _| b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()).await, 30).await;
    assert!(matches!(&report.reach, Reach::Broken(text) if text.id == "probe-tls-no-answer-in-tls"));
    assert_eq!(ids(&report), []);
    // A suite that was not offered is no choice.
    let report = checked(server(|version, _, _| server_hello(version, 0x1234, None)).await, 30).await;
    assert!(matches!(report.reach, Reach::Broken(_)));
    assert_eq!(list(&report, "offers_undecided").len(), 1);
    let report = checked(server(|_, _, _| Vec::new()).await, 30).await;
    assert!(matches!(&report.reach, Reach::Broken(text) if text.id == "probe-tls-offers-cut-off"));
}

/// Accepts and does with each connection what `drip` says: bytes to send, and the pause after each sending.
async fn slow(bytes: &'static [u8], pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while bytes.is_empty() || stream.write_all(bytes).await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn it_ends_in_time_whatever_the_other_end_does() {
    static STREAM: [u8; 4096] = [22; 4096];
    static ZERO_HELLO: [u8; 9] = [22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xf0];
    let begin = Instant::now();
    for (bytes, pause) in [
        (&[][..], Duration::from_secs(1)),
        (&[22][..], Duration::from_secs(1)),
        (&STREAM[..], Duration::ZERO),
        (&ZERO_HELLO[..], Duration::from_millis(1)),
        (&[21, 3, 1, 0, 2, 1, 112][..], Duration::from_millis(1)),
    ] {
        let report = checked(slow(bytes, pause).await, 2).await;
        assert!(matches!(report.reach, Reach::Broken(_)), "{:?}", report.reach);
        assert_eq!(ids(&report), []);
    }
    assert!(begin.elapsed() < Duration::from_secs(40));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(checked(closed, 10).await.reach, Reach::Refused(None));
}
