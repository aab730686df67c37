//! Servers that behave, and servers that do not.

use super::packet::LENGTH;
use super::*;
use crate::outcome::{Detail, Reach};
use std::net::Ipv4Addr;
use tillgate_model::{Arg, FindingId};
use tokio::net::UdpSocket;

/// A right answer by a clock that is off by whole seconds.
fn answer(question: &[u8], seconds: i64) -> Vec<u8> {
    let mut octets = vec![0; LENGTH];
    // Stratum 2, precision 2^-23 s, root delay 1/64 s, root dispersion 1/128 s.
    octets[..12].copy_from_slice(&[0x24, 2, 6, 0xe9, 0, 0, 4, 0, 0, 0, 2, 0]);
    octets[12..16].copy_from_slice(&[192, 0, 2, 9]);
    octets[24..32].copy_from_slice(&question[40..48]);
    let now = Moment::now().wall.0.wrapping_add((seconds << 32) as u64).to_be_bytes();
    octets[16..24].copy_from_slice(&now);
    octets[32..40].copy_from_slice(&now);
    let now = Moment::now().wall.0.wrapping_add((seconds << 32) as u64).to_be_bytes();
    octets[40..48].copy_from_slice(&now);
    octets
}

/// Serves packets by the question and its number, from 1.
async fn serve(reply: impl Fn(&[u8], u32) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        for round in 1.. {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            assert_eq!(length, LENGTH);
            for packet in reply(&buffer[..length], round) {
                let _ = socket.send_to(&packet, from).await;
            }
        }
    });
    address
}

/// One answer with some octets put over it.
async fn serve_with(at: usize, octets: &'static [u8]) -> SocketAddr {
    serve(move |question, _| {
        let mut packet = answer(question, 0);
        packet[at..at + octets.len()].copy_from_slice(octets);
        vec![packet]
    })
    .await
}

fn ask(server: SocketAddr) -> Ask {
    Ask {
        samples: 4,
        interval: Duration::from_millis(1),
        deadline: Duration::from_secs(30),
        ..Ask::new(server)
    }
}

fn brief(server: SocketAddr) -> Ask {
    Ask { deadline: Duration::from_millis(400), ..ask(server) }
}

/// The ids of the texts of all faults, which must all be `ntp-unreachable`.
fn faults(report: &Report) -> Vec<&'static str> {
    assert!(report.faults.iter().all(|fault| fault.id == FindingId::NtpUnreachable));
    report.faults.iter().map(|fault| fault.text.id).collect()
}

#[tokio::test]
async fn a_good_server_gives_its_offset_with_a_bound() {
    let server = serve(|question, _| vec![answer(question, 0)]).await;
    let (report, offset) = check(&Ask { samples: 8, ..ask(server) }).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(faults(&report), [""; 0]);
    assert_eq!((report.samples.sent, report.samples.times.len()), (8, 8));
    let offset = offset.unwrap();
    assert!(offset.nanos.unsigned_abs() <= offset.bound.as_nanos() as u64, "{offset:?}");
    assert!(offset.bound < Duration::from_millis(500), "{offset:?}");
    assert_eq!(offset.root, Duration::from_nanos(15_625_000));
    assert_eq!(offset.name, server.to_string());
    assert_eq!(report.details.get("reference"), Some(&Detail::Text("192.0.2.9".into())));
    assert_eq!(report.details.get("leap"), Some(&Detail::Text("none".into())));
    assert_eq!(report.details.get("usable"), Some(&Detail::Number(8.0)));
    assert!(judge(&[offset]).is_empty());
}

#[tokio::test]
async fn ipv6_is_asked_alike() {
    let Ok(socket) = UdpSocket::bind("[::1]:0").await else { return };
    let server = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&answer(&buffer[..length], 0), from).await;
        }
    });
    let (report, offset) = check(&ask(server)).await;
    assert_eq!(report.reach, Reach::Passes);
    assert!(offset.is_some());
    assert_eq!(report.details.get("reference"), Some(&Detail::Text("c0000209".into())));
}

#[tokio::test]
async fn one_of_three_servers_lies() {
    let mut offsets = Vec::new();
    for (seconds, last) in [(0, 1), (40, 2), (0, 3)] {
        let server = serve(move |question, _| vec![answer(question, seconds)]).await;
        let (report, offset) = check(&ask(server)).await;
        assert_eq!(faults(&report), [""; 0]);
        let mut offset = offset.unwrap();
        assert!((offset.nanos - seconds * 1_000_000_000).unsigned_abs() <= offset.bound.as_nanos() as u64);
        // One address counts once, and all these are the same.
        offset.server = ([192, 0, 2, last], 123).into();
        offset.name = format!("time-{last}");
        offsets.push(offset);
    }
    let wrong = judge(&offsets);
    assert_eq!(wrong.len(), 1);
    assert_eq!((wrong[0].id, wrong[0].is_sure), (FindingId::ClockOff, true));
    assert_eq!(wrong[0].text.id, "probe-ntp-server-ahead");
    assert_eq!(wrong[0].text.args[0], ("server", Arg::Str("time-2".into())));
}

#[tokio::test]
async fn kiss_codes_are_told_apart_and_end_the_asking() {
    let codes: [(&'static [u8], _); 5] = [
        (b"DENY", "probe-ntp-kiss-deny"),
        (b"RSTR", "probe-ntp-kiss-rstr"),
        (b"RATE", "probe-ntp-kiss-rate"),
        (b"INIT", "probe-ntp-kiss-init"),
        (b"XYZ1", "probe-ntp-kiss-other"),
    ];
    for (code, id) in codes {
        let server = serve(move |question, _| {
            let mut packet = answer(question, 0);
            packet[..2].copy_from_slice(&[0xe4, 0]);
            packet[12..16].copy_from_slice(code);
            vec![packet]
        })
        .await;
        let (report, offset) = check(&ask(server)).await;
        assert_eq!((report.reach.clone(), offset), (Reach::Passes, None));
        assert_eq!(faults(&report), [id]);
        assert_eq!(report.samples.sent, 1);
        assert_eq!(report.details.get("kiss"), Some(&Detail::Text(code.escape_ascii().to_string())));
    }
}

#[tokio::test]
async fn a_rate_limit_after_good_answers_keeps_them() {
    let server = serve(|question, round| {
        let mut packet = answer(question, 0);
        if round == 3 {
            packet[1] = 0;
            packet[12..16].copy_from_slice(b"RATE");
        }
        vec![packet]
    })
    .await;
    let (report, offset) = check(&Ask { samples: 8, ..ask(server) }).await;
    assert!(offset.is_some());
    assert_eq!(faults(&report), [""; 0]);
    assert_eq!(report.samples.sent, 3);
    assert_eq!(report.details.get("kiss"), Some(&Detail::Text("RATE".into())));
}

#[tokio::test]
async fn time_that_cannot_be_used_says_why() {
    let cases: [(usize, &'static [u8], _); 8] = [
        (0, &[0xe4], "probe-ntp-unsynchronised"),
        (1, &[16], "probe-ntp-unsynchronised"),
        (1, &[77], "probe-ntp-stratum"),
        (40, &[0; 8], "probe-ntp-no-time"),
        (32, &[0; 8], "probe-ntp-no-time"),
        // 2006: a receiver of satellites whose weeks have wrapped.
        (40, &[0xc8, 0, 0, 0, 0, 0, 0, 0], "probe-ntp-old"),
        (8, &[0, 17, 0, 0], "probe-ntp-distant"),
        (32, &[0xff, 0, 0, 0, 0, 0, 0, 0], "probe-ntp-backwards"),
    ];
    for (at, octets, id) in cases {
        let (report, offset) = check(&ask(serve_with(at, octets).await)).await;
        assert_eq!((report.reach.clone(), offset), (Reach::Passes, None), "{id}");
        assert_eq!(faults(&report), [id]);
    }
}

#[tokio::test]
async fn a_clock_that_stands_still_is_no_time() {
    let still = Moment::now().wall;
    let server = serve(move |question, _| {
        let mut packet = answer(question, 0);
        packet[32..40].copy_from_slice(&still.0.to_be_bytes());
        packet[40..48].copy_from_slice(&still.0.to_be_bytes());
        packet[16..24].copy_from_slice(&still.0.to_be_bytes());
        vec![packet]
    })
    .await;
    let (report, offset) = check(&ask(server)).await;
    assert_eq!(offset, None);
    assert_eq!(faults(&report), ["probe-ntp-stuck"]);
}

#[tokio::test]
async fn an_impossible_answer_does_not_count_as_the_best() {
    let server = |rounds: std::ops::Range<u32>| {
        serve(move |question, round| {
            let mut packet = answer(question, 0);
            if rounds.contains(&round) {
                // It says that it took a second over an answer that was there at once.
                let received = Moment::now().wall.0.wrapping_sub(1 << 32).to_be_bytes();
                packet[32..40].copy_from_slice(&received);
            }
            vec![packet]
        })
    };
    let (report, offset) = check(&ask(server(2..3).await)).await;
    let offset = offset.unwrap();
    assert!(offset.nanos.unsigned_abs() < 200_000_000, "{offset:?}");
    assert_eq!(report.details.get("impossible"), Some(&Detail::Number(1.0)));
    assert_eq!(faults(&report), [""; 0]);
    let (report, offset) = check(&ask(server(0..99).await)).await;
    assert_eq!(offset, None);
    assert_eq!(faults(&report), ["probe-ntp-impossible"]);
    assert!(!report.faults[0].is_sure);
}

#[tokio::test]
async fn a_server_far_from_true_time_may_do() {
    let (report, offset) = check(&ask(serve_with(8, &[0, 3, 0, 0]).await)).await;
    assert!(offset.is_some());
    assert_eq!(faults(&report), ["probe-ntp-far"]);
    assert!(!report.faults[0].is_sure);
}

#[tokio::test]
async fn answers_to_other_questions_do_not_count() {
    let (report, offset) = check(&brief(serve_with(24, &[9; 8]).await)).await;
    assert_eq!(offset, None);
    assert_eq!(report.reach.name(), "broken");
    assert_eq!(faults(&report), ["probe-ntp-wrong-origin"]);
}

#[tokio::test]
async fn answers_from_elsewhere_are_a_fault() {
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = other.local_addr().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let _ = other.send_to(&answer(&buffer[..length], 0), from).await;
        }
    });
    let (report, offset) = check(&brief(server)).await;
    assert_eq!(offset, None);
    assert_eq!(report.reach.name(), "broken");
    assert_eq!(faults(&report), ["probe-ntp-elsewhere"]);
    assert!(report.faults[0].text.args.contains(&("other", Arg::Str(at.to_string()))));
}

#[tokio::test]
async fn garbage_short_packets_and_echoes_are_not_time() {
    for length in [0, 1, 47, 400] {
        let server = serve(move |_, _| vec![vec![0x5a; length]]).await;
        assert_eq!(faults(&check(&brief(server)).await.0), ["probe-ntp-garbage"]);
    }
    let server = serve(|question, _| vec![question.to_vec()]).await;
    let (report, _) = check(&brief(server)).await;
    assert_eq!(faults(&report), ["probe-ntp-garbage"]);
    // What is noise beside a good answer does no harm.
    let server =
        serve(|question, _| vec![vec![7; 20], question.to_vec(), answer(question, 0), answer(question, 9)])
            .await;
    let (report, offset) = check(&ask(server)).await;
    assert_eq!(faults(&report), [""; 0]);
    assert!(offset.unwrap().nanos.abs() < 5_000_000_000);
}

#[tokio::test]
async fn silence_ends_within_the_deadline() {
    let start = tokio::time::Instant::now();
    let silent = serve(|_, _| Vec::new()).await;
    let longer = Ask { deadline: Duration::from_millis(1400), ..brief(silent) };
    let (report, offset) = check(&longer).await;
    assert_eq!((report.reach.clone(), offset), (Reach::Silent, None));
    assert_eq!(faults(&report), ["probe-ntp-silent"]);
    // The second one was cut, and so is no loss.
    assert_eq!((report.samples.sent, report.samples.loss()), (1, 1.0));
    let (report, _) = check(&brief(silent)).await;
    assert!(matches!(&report.reach, Reach::Undecided(text) if text.id == "probe-ntp-not-awaited"));
    assert_eq!((faults(&report).len(), report.samples.sent), (0, 0));
    let endless = Ask { interval: Duration::MAX, ..longer };
    assert_eq!(check(&endless).await.0.reach, Reach::Silent);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn what_was_answered_by_the_deadline_counts() {
    let server = serve(|question, _| vec![answer(question, 0)]).await;
    let long = Ask { samples: u32::MAX, deadline: Duration::from_secs(1), ..ask(server) };
    // On another task: what a check holds may move between threads.
    let (report, offset) = tokio::spawn(async move { check(&long).await }).await.unwrap();
    assert!(offset.is_some());
    assert!(report.samples.sent < u32::MAX);
    assert_eq!(faults(&report), [""; 0]);
}

#[tokio::test]
async fn lost_answers_are_counted() {
    let server =
        serve(|question, round| if round == 2 { Vec::new() } else { vec![answer(question, 0)] }).await;
    let (report, offset) = check(&ask(server)).await;
    assert!(offset.is_some());
    assert_eq!((report.samples.sent, report.samples.times.len()), (4, 3));
}

#[tokio::test]
async fn a_flood_does_not_stretch_it() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = socket.local_addr().unwrap();
    let flood = tokio::spawn(async move {
        let (_, from) = socket.recv_from(&mut [0; 512]).await.unwrap();
        loop {
            let _ = socket.send_to(&[0; 100], from).await;
            tokio::task::yield_now().await;
        }
    });
    let start = tokio::time::Instant::now();
    let (report, _) = check(&brief(server)).await;
    flood.abort();
    assert_eq!(faults(&report), ["probe-ntp-garbage"]);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_closed_port_is_refused_by_its_host() {
    let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let (report, _) = check(&ask(closed)).await;
    assert_eq!(report.reach, Reach::Refused(Some(Ipv4Addr::LOCALHOST.into())));
    assert_eq!(faults(&report), ["probe-ntp-refused-by"]);
}

#[tokio::test]
async fn errors_of_this_host_are_no_fault_of_the_network() {
    let local = Some([192, 0, 2, 1].into());
    let (report, offset) = check(&Ask { local, ..ask(([127, 0, 0, 1], 9).into()) }).await;
    assert_eq!((report.reach.name(), offset), ("undecided", None));
    assert_eq!(faults(&report), [""; 0]);
    let local = Some(std::net::Ipv6Addr::LOCALHOST.into());
    let (report, _) = check(&Ask { local, ..ask(([127, 0, 0, 1], 9).into()) }).await;
    assert_eq!(report.reach.name(), "undecided");
    assert_eq!(faults(&report), [""; 0]);
}
