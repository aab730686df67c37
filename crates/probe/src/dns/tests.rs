use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A query as the resolver of a test sees it.
struct Query {
    bytes: Vec<u8>,
    name: String,
    is_aaaa: bool,
    is_tcp: bool,
    has_edns: bool,
    number: u32,
}

enum Act {
    /// Sends these, one after the other.
    Say(Vec<Vec<u8>>),
    /// Sends it from another port.
    Elsewhere(Vec<u8>),
    Later(Duration, Vec<u8>),
    Nothing,
    /// TCP: one byte each 200 ms.
    Drip(Vec<u8>),
    Close,
}

type Behave = Arc<dyn Fn(&Query) -> Act + Send + Sync>;

fn reply(query: &Query, code: u8, addresses: &[&str]) -> Vec<u8> {
    let end = 12 + query.bytes[12..].iter().position(|b| *b == 0).unwrap() + 5;
    let mut out = query.bytes[..end].to_vec();
    out[2] = 0x81;
    out[3] = 0x80 | code;
    out[10..12].copy_from_slice(&[0, 0]);
    let mut count = 0;
    for address in addresses.iter().map(|a| a.parse::<IpAddr>().unwrap()) {
        if address.is_ipv6() != query.is_aaaa {
            continue;
        }
        count += 1;
        let data = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let kind = if query.is_aaaa { 28 } else { 1 };
        out.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        out.extend(data);
    }
    out[7] = count;
    if query.has_edns {
        out[11] = 1;
        out.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    }
    out
}

/// What an honest resolver says.
fn honest(query: &Query) -> Vec<u8> {
    let name = query.name.to_ascii_lowercase();
    match name.as_str() {
        "pay.example" => reply(query, 0, &["192.0.2.10", "2001:db8::10"]),
        "clock.example" => reply(query, 0, &["192.0.2.20"]),
        _ => reply(query, 3, &[]),
    }
}

fn read(bytes: &[u8], is_tcp: bool, number: u32) -> Query {
    let mut name = Vec::new();
    let mut at = 12;
    while bytes[at] != 0 {
        let end = at + 1 + bytes[at] as usize;
        name.push(String::from_utf8(bytes[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let (is_aaaa, has_edns) = (bytes[at + 2] == 28, bytes[11] == 1);
    Query { bytes: bytes.to_vec(), name: name.join("."), is_aaaa, is_tcp, has_edns, number }
}

async fn serve_tcp(mut stream: TcpStream, behave: Behave, count: Arc<AtomicU32>) {
    loop {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).await.is_err() {
            return;
        }
        let mut bytes = vec![0; u16::from_be_bytes(length) as usize];
        stream.read_exact(&mut bytes).await.unwrap();
        let frame = |message: Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], &message[..]].concat();
        match behave(&read(&bytes, true, count.fetch_add(1, Ordering::Relaxed))) {
            Act::Say(list) => {
                for message in list {
                    let _ = stream.write_all(&frame(message)).await;
                }
            }
            Act::Later(wait, message) => {
                tokio::time::sleep(wait).await;
                let _ = stream.write_all(&frame(message)).await;
            }
            Act::Drip(message) => {
                for byte in frame(message) {
                    let _ = stream.write_all(&[byte]).await;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            Act::Close => return,
            Act::Nothing | Act::Elsewhere(_) => (),
        }
    }
}

/// A resolver on loopback; which of UDP and TCP it listens on is said by `udp` and `tcp`.
async fn resolver(
    udp: bool,
    tcp: bool,
    behave: impl Fn(&Query) -> Act + Send + Sync + 'static,
) -> SocketAddr {
    let behave: Behave = Arc::new(behave);
    let count = Arc::new(AtomicU32::new(0));
    let (socket, listener) = loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()).await {
            break (socket, listener);
        }
    };
    let address = socket.local_addr().unwrap();
    if udp {
        let (behave, count, socket) = (behave.clone(), count.clone(), Arc::new(socket));
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                match behave(&read(&buffer[..length], false, count.fetch_add(1, Ordering::Relaxed))) {
                    Act::Say(list) => {
                        for message in list {
                            let _ = socket.send_to(&message, from).await;
                        }
                    }
                    Act::Elsewhere(message) => {
                        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                        let _ = other.send_to(&message, from).await;
                    }
                    Act::Later(wait, message) => {
                        let socket = socket.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(wait).await;
                            let _ = socket.send_to(&message, from).await;
                        });
                    }
                    Act::Nothing | Act::Drip(_) | Act::Close => (),
                }
            }
        });
    }
    if tcp {
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_tcp(stream, behave.clone(), count.clone()));
            }
        });
    }
    address
}

fn ask(resolver: SocketAddr, seconds: u64) -> Ask {
    let names = vec!["pay.example".into(), "clock.example".into()];
    Ask { resolver, names, samples: 3, deadline: Duration::from_secs(seconds), local: None }
}

fn texts(report: &Report) -> Vec<(&'static str, bool)> {
    report.faults.iter().map(|fault| (fault.text.id, fault.is_sure)).collect()
}

fn word<'a>(report: &'a Report, key: &str) -> &'a str {
    match report.details.get(key) {
        Some(Detail::Text(text)) => text,
        _ => "",
    }
}

#[tokio::test]
async fn an_honest_resolver_passes() {
    let address = resolver(true, true, |query| Act::Say(vec![honest(query)])).await;
    let report = check(&ask(address, 30)).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(texts(&report), vec![]);
    assert_eq!(report.samples.times.len(), 6, "three for each name");
    for (key, said) in
        [("udp", "passes"), ("tcp", "passes"), ("absent_invalid", "NXDOMAIN"), ("absent_public", "NXDOMAIN")]
    {
        assert_eq!(word(&report, key), said, "{key}");
    }
    for key in ["edns", "recursion", "case_kept"] {
        assert_eq!(report.details.get(key), Some(&Detail::Flag(true)), "{key}");
    }
    let list = ["pay.example 192.0.2.10", "pay.example 2001:db8::10", "clock.example 192.0.2.20"];
    assert_eq!(report.details.get("addresses"), Some(&Detail::List(list.map(String::from).to_vec())));
}

#[tokio::test]
async fn lies_are_named() {
    let address = resolver(true, true, |query| {
        Act::Say(vec![match query.name.to_ascii_lowercase().as_str() {
            "pay.example" => reply(query, 0, &["10.1.1.1", "::1"]),
            "clock.example" => reply(query, 0, &["192.0.2.20"]),
            _ => reply(query, 0, &["203.0.113.66"]),
        }])
    })
    .await;
    let report = check(&ask(address, 30)).await;
    assert_eq!(report.reach, Reach::Passes);
    let lie = ("probe-dns-lie", true);
    let hijack = ("probe-dns-hijack", true);
    assert_eq!(texts(&report), vec![lie, lie, hijack, hijack]);
    assert_eq!(report.faults[0].id, FindingId::DnsFailed);
    assert_eq!(report.faults[0].text.args[2].1, tillgate_model::Arg::Str("10.1.1.1".into()));
    assert_eq!(word(&report, "absent_invalid"), "address");
}

#[tokio::test]
async fn codes_and_empty_answers_are_kept_apart() {
    for (code, id) in
        [(2, "probe-dns-code"), (3, "probe-dns-code"), (5, "probe-dns-code"), (0, "probe-dns-empty")]
    {
        let address = resolver(true, true, move |query| {
            Act::Say(vec![match query.name.eq_ignore_ascii_case("pay.example") {
                true => reply(query, code, &[]),
                false => honest(query),
            }])
        })
        .await;
        let report = check(&ask(address, 30)).await;
        assert_eq!((report.reach.name(), texts(&report)), ("passes", vec![(id, true)]), "{code}");
    }
    let address = resolver(true, true, |query| {
        Act::Say(vec![if query.is_aaaa { reply(query, 2, &[]) } else { honest(query) }])
    })
    .await;
    let report = check(&ask(address, 30)).await;
    assert_eq!(texts(&report), vec![("probe-dns-code-of-kind", false); 2]);
}

#[tokio::test]
async fn one_transport_without_the_other_is_told() {
    let address = resolver(true, false, |query| Act::Say(vec![honest(query)])).await;
    let report = check(&ask(address, 30)).await;
    // The listener is gone, so that TCP is refused.
    assert_eq!((report.reach.name(), word(&report, "tcp")), ("passes", "refused"));
    assert_eq!(texts(&report), vec![("probe-dns-no-tcp", false)]);

    let address = resolver(false, true, |query| {
        Act::Say(vec![match query.name.eq_ignore_ascii_case("pay.example") {
            true => reply(query, 0, &["127.0.0.1"]),
            false => honest(query),
        }])
    })
    .await;
    let report = check(&ask(address, 30)).await;
    assert_eq!((word(&report, "udp"), word(&report, "tcp")), ("refused", "passes"));
    assert_eq!(report.reach.name(), "refused");
    assert_eq!(texts(&report), vec![("probe-dns-no-udp", true), ("probe-dns-lie", true)]);
}

#[tokio::test]
async fn nobody_there_is_a_refusal_with_its_sender() {
    let address = resolver(false, false, |_| Act::Nothing).await;
    let start = Instant::now();
    let report = check(&ask(address, 60)).await;
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(report.reach.name(), "refused");
    assert_eq!(word(&report, "udp_by"), "127.0.0.1");
    assert_eq!(texts(&report), vec![]);
    assert_eq!(
        lookup(address, "pay.example", Duration::from_secs(60), None).await.unwrap_err().name(),
        "refused"
    );
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let address = resolver(true, true, |_| Act::Nothing).await;
    let start = Instant::now();
    let report = check(&ask(address, 2)).await;
    assert!(start.elapsed() < Duration::from_secs(15));
    assert_eq!((report.reach, report.samples.times.len()), (Reach::Silent, 0));
    assert_eq!(report.faults, vec![]);
    assert_eq!(report.samples.loss(), 1.0);
}

#[tokio::test]
async fn a_name_without_an_answer_does_not_hide_the_others() {
    let address = resolver(true, true, |query| match query.name.eq_ignore_ascii_case("pay.example") {
        true => Act::Nothing,
        false => Act::Say(vec![honest(query)]),
    })
    .await;
    let report = check(&ask(address, 4)).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(texts(&report), vec![("probe-dns-no-tcp", false), ("probe-dns-no-answer", true)]);
}

#[tokio::test]
async fn slow_answers_are_told() {
    let address = resolver(true, true, |query| Act::Later(Duration::from_millis(700), honest(query))).await;
    let report = check(&ask(address, 60)).await;
    assert_eq!(report.reach, Reach::Passes);
    let slow: Vec<_> = report.faults.iter().map(|fault| fault.id).collect();
    assert_eq!(slow, vec![FindingId::LatencyHigh]);
}

#[tokio::test]
async fn a_lost_datagram_is_asked_for_again() {
    let address = resolver(true, true, |query| match query.number {
        0 | 1 => Act::Nothing,
        _ => Act::Say(vec![honest(query)]),
    })
    .await;
    let found = lookup(address, "pay.example", Duration::from_secs(30), None).await.unwrap();
    assert_eq!(found, vec!["192.0.2.10".parse::<IpAddr>().unwrap(), "2001:db8::10".parse().unwrap()]);
}

#[tokio::test]
async fn replies_that_cannot_be_believed_are_not() {
    // Wrong ids, another question and garbage before the true answer do not disturb it.
    let spoofed = |query: &Query| {
        let mut wrong = reply(query, 0, &["203.0.113.66"]);
        wrong[0] ^= 0x55;
        let mut other = reply(query, 0, &["203.0.113.66"]);
        other[13] = b'_';
        vec![wrong, other, b"hello".to_vec(), vec![]]
    };
    let address = resolver(true, true, move |query| {
        let mut list = if query.is_tcp { vec![] } else { spoofed(query) };
        list.push(honest(query));
        Act::Say(list)
    })
    .await;
    let report = check(&ask(address, 30)).await;
    assert_eq!((report.reach.name(), texts(&report)), ("passes", vec![]));
    assert!(matches!(report.details.get("mismatched"), Some(Detail::Number(count)) if *count >= 2.0));

    // Alone they are no answer.
    let address = resolver(true, true, move |query| Act::Say(spoofed(query))).await;
    let report = check(&ask(address, 2)).await;
    assert_eq!(report.reach, Reach::Broken(Text::new("probe-dns-mismatched")));
    let address = resolver(true, true, |_| Act::Say(vec![b"SSH-2.0-x\r\n".to_vec()])).await;
    let report = check(&ask(address, 2)).await;
    assert_eq!(report.reach, Reach::Broken(Text::new("probe-dns-garbage")));
    assert_eq!(word(&report, "tcp"), "broken");
}

#[tokio::test]
async fn replies_from_elsewhere_are_a_fault() {
    let address = resolver(true, true, |query| match query.is_tcp {
        true => Act::Say(vec![honest(query)]),
        false => Act::Elsewhere(honest(query)),
    })
    .await;
    let report = check(&ask(address, 2)).await;
    assert_eq!(report.reach.name(), "broken");
    assert!(texts(&report).contains(&("probe-dns-foreign-answer", true)));
}

#[tokio::test]
async fn cut_answers_come_over_tcp() {
    let cut = |query: &Query| {
        let mut bytes = reply(query, 0, &[]);
        bytes[2] |= 2;
        bytes
    };
    let address = resolver(true, true, move |query| match query.is_tcp {
        true => Act::Say(vec![honest(query)]),
        false => Act::Say(vec![cut(query)]),
    })
    .await;
    let report = check(&ask(address, 30)).await;
    assert_eq!((report.reach.name(), texts(&report)), ("passes", vec![]));
    assert_eq!(report.details.get("truncated"), Some(&Detail::Flag(true)));
    assert_eq!(lookup(address, "pay.example", Duration::from_secs(30), None).await.unwrap().len(), 2);

    let address = resolver(true, false, move |query| Act::Say(vec![cut(query)])).await;
    let report = check(&ask(address, 30)).await;
    assert_eq!((report.reach.name(), word(&report, "tcp")), ("passes", "refused"));
    assert!(texts(&report).contains(&("probe-dns-no-tcp-needed", true)));
}

#[tokio::test]
async fn tcp_that_drips_closes_or_babbles_ends() {
    for (act, said) in [("drip", "broken"), ("close", "broken"), ("stray", "broken")] {
        let address = resolver(true, true, move |query| match (query.is_tcp, act) {
            (false, _) => Act::Say(vec![honest(query)]),
            (true, "drip") => Act::Drip(honest(query)),
            (true, "close") => Act::Close,
            (true, _) => {
                let mut wrong = honest(query);
                wrong[0] ^= 1;
                Act::Say(vec![wrong; 9])
            }
        })
        .await;
        let start = Instant::now();
        let report = check(&ask(address, 3)).await;
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!((report.reach.name(), word(&report, "tcp")), ("passes", said), "{act}");
    }
}

#[tokio::test]
async fn boxes_that_drop_edns_are_still_asked() {
    let address = resolver(true, true, |query| match query.has_edns {
        true => Act::Nothing,
        false => Act::Say(vec![honest(query)]),
    })
    .await;
    let mut ask = ask(address, 30);
    (ask.names, ask.samples) = (vec!["pay.example".into()], 1);
    let report = check(&ask).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(report.details.get("edns"), Some(&Detail::Flag(false)));
}

#[tokio::test]
async fn a_flood_of_datagrams_does_not_hold_it() {
    let address = resolver(true, false, |_| Act::Say(vec![vec![0xff; 40]; 2000])).await;
    let start = Instant::now();
    let report = check(&ask(address, 2)).await;
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(report.reach.name(), "broken");
}

#[tokio::test]
async fn what_cannot_be_asked_is_undecided() {
    let mut ask = ask("127.0.0.1:53".parse().unwrap(), 5);
    ask.local = Some("::1".parse().unwrap());
    assert_eq!(check(&ask).await.reach.name(), "undecided");
    ask.local = Some("192.0.2.99".parse().unwrap());
    assert_eq!(check(&ask).await.reach.name(), "undecided");
    ask.names = vec!["käse.example".into()];
    assert_eq!(check(&ask).await.reach.name(), "undecided");
    let literal = lookup(ask.resolver, "192.0.2.7", Duration::from_secs(1), None).await;
    assert_eq!(literal, Ok(vec!["192.0.2.7".parse().unwrap()]));
}

#[tokio::test]
async fn lookups_name_the_code() {
    let address = resolver(true, true, |query| Act::Say(vec![honest(query)])).await;
    let wait = Duration::from_secs(30);
    let Err(Reach::Broken(text)) = lookup(address, "nothing.example", wait, None).await else { panic!() };
    assert_eq!(text.id, "probe-dns-lookup-code");
    let empty = resolver(true, true, |query| Act::Say(vec![reply(query, 0, &[])])).await;
    let Err(Reach::Broken(text)) = lookup(empty, "nothing.example", wait, None).await else { panic!() };
    assert_eq!(text.id, "probe-dns-lookup-empty");
}

#[tokio::test]
async fn without_names_the_resolver_itself_is_judged() {
    let address = resolver(true, true, |query| Act::Say(vec![honest(query)])).await;
    let report = check(&Ask { names: vec![], ..ask(address, 30) }).await;
    assert_eq!((report.reach.name(), report.samples.times.len()), ("passes", 2));
    assert_eq!((texts(&report), word(&report, "tcp")), (vec![], "passes"));
}

#[test]
fn resolv_conf_is_read() {
    let text = "# nameserver 1.1.1.1\nsearch x\nnameserver 192.0.2.53\n nameserver\t2001:db8::53 # two\n\
                nameserver fe80::1%eth0\nnameserver nonsense\nnameserver\nnameserver 192.0.2.53\n\
                nameserver 192.0.2.54\nnameserver 192.0.2.55\noptions edns0\n";
    let list: Vec<String> = system_resolvers(text).iter().map(IpAddr::to_string).collect();
    assert_eq!(list, ["192.0.2.53", "2001:db8::53", "192.0.2.54"]);
}
