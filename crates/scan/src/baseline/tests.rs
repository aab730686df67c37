//! A small shop through several scans.

use super::*;
use crate::observed::{OpenPort, PortSpan, Segment};

fn scan(at: i64, devices: Vec<Device>) -> Scan {
    let mut scan = Scan::new("bistro", at);
    let prefixes = vec!["10.17.20.0/24".parse().unwrap()];
    scan.segments.push(Segment { name: "pos".into(), prefixes, is_complete: true });
    scan.asked.push(PortSpan { protocol: Transport::Tcp, first: 1, last: 1000 });
    scan.devices = devices;
    scan.place();
    scan.sort();
    scan
}

fn device(mac: u8, address: u8, ports: &[u16]) -> Device {
    let open = |port: &u16| OpenPort { protocol: Transport::Tcp, port: *port, service: None, first: 1 };
    Device {
        mac: (mac > 0).then_some([0xd4, 0x95, 0x24, 0, 0, mac]),
        addresses: vec![IpAddr::from([10, 17, 20, address])],
        ports: ports.iter().map(open).collect(),
        is_complete: true,
        ..Device::default()
    }
}

fn words(changes: &[Change]) -> Vec<String> {
    let word = |c: &Change| {
        let json = serde_json::to_value(&c.what).unwrap();
        let port = json.get("port").map(|p| format!(" {p}")).unwrap_or_default();
        let last = c.address.map(|a| a.to_string()).unwrap_or_default();
        format!("{} {}{port}{}", last, json["kind"].as_str().unwrap(), if c.is_sure { "" } else { "?" })
    };
    changes.iter().map(word).collect()
}

fn check(history: &[Scan], now: &Scan, expected: &[&str]) {
    assert_eq!(words(&drift(history, now, &[])), expected);
}

#[test]
fn a_first_scan_begins_the_baseline() {
    check(&[], &scan(1, vec![device(1, 11, &[80])]), &[]);
}

#[test]
fn ports_open_close_and_open_again() {
    let closed = scan(1, vec![device(1, 11, &[])]);
    let open = scan(2, vec![device(1, 11, &[80])]);
    check(std::slice::from_ref(&closed), &open, &["10.17.20.11 opened 80"]);
    let again = scan(3, vec![device(1, 11, &[])]);
    check(&[closed.clone(), open.clone()], &again, &["10.17.20.11 closed 80"]);
    let reopened = scan(4, vec![device(1, 11, &[80])]);
    check(&[open.clone(), again.clone()], &reopened, &["10.17.20.11 reopened 80"]);
    check(
        &[reopened.clone(), closed.clone(), again.clone(), open.clone()],
        &scan(5, vec![device(1, 11, &[80])]),
        &["10.17.20.11 flapping 80"],
    );
    check(std::slice::from_ref(&open), &scan(9, vec![device(1, 11, &[80])]), &[]);
    // A history that already holds the new scan.
    check(&[closed.clone(), open.clone()], &open, &["10.17.20.11 opened 80"]);
    let other = Scan { site: "other".into(), ..closed };
    check(&[other], &open, &[]);
}

#[test]
fn a_device_is_followed_by_its_hardware_address() {
    let before = scan(1, vec![device(1, 11, &[80]), device(2, 12, &[])]);
    // They swapped addresses; nothing opened, nothing closed.
    check(std::slice::from_ref(&before), &scan(2, vec![device(1, 12, &[80]), device(2, 11, &[])]), &[]);
    // A scan from elsewhere shows no hardware addresses.
    check(&[before], &scan(2, vec![device(0, 11, &[80]), device(0, 12, &[22])]), &["10.17.20.12 opened 22"]);
}

#[test]
fn made_up_addresses_give_way_to_names() {
    let phone = |mac: u8, address: u8, name: &str, ports: &[u16]| Device {
        mac: Some([2, 0, 0, 0, 0, mac]),
        names: vec![name.into()],
        ..device(0, address, ports)
    };
    let before = scan(1, vec![phone(1, 50, "anna", &[]), phone(2, 51, "ben", &[22])]);
    check(&[before], &scan(2, vec![phone(8, 61, "ben", &[22]), phone(9, 60, "anna", &[])]), &[]);
    assert_eq!(identity(&phone(1, 50, "anna", &[])), Identity::Name("anna".into()));
    assert_eq!(identity(&device(1, 50, &[])), Identity::Mac("d4:95:24:00:00:01".into()));
    assert_eq!(identity(&device(0, 50, &[])), Identity::Address(IpAddr::from([10, 17, 20, 50])));
    // A name that two have tells nobody apart.
    let twins = scan(1, vec![phone(1, 50, "android", &[]), phone(2, 51, "android", &[22])]);
    check(
        &[twins],
        &scan(2, vec![phone(8, 61, "android", &[])]),
        &["10.17.20.50 missing", "10.17.20.51 missing", "10.17.20.61 new"],
    );
}

#[test]
fn new_missing_and_replaced() {
    let before = scan(1, vec![device(1, 11, &[443, 80]), device(2, 12, &[])]);
    check(
        std::slice::from_ref(&before),
        &scan(2, vec![device(1, 11, &[443, 80]), device(3, 13, &[])]),
        &["10.17.20.12 missing", "10.17.20.13 new"],
    );
    // Another device in its place that does the same: not missing and new, not closed and opened.
    let swapped = drift(
        std::slice::from_ref(&before),
        &scan(2, vec![device(9, 11, &[443, 80, 22]), device(2, 12, &[])]),
        &[],
    );
    assert_eq!(words(&swapped), ["10.17.20.11 replaced", "10.17.20.11 opened 22"]);
    let What::Replaced { before: old, after } = &swapped[0].what else { panic!() };
    assert_eq!((old.as_str(), after.as_str()), ("d4:95:24:00:00:01", "d4:95:24:00:00:09"));
    // Something else entirely at the address.
    check(
        std::slice::from_ref(&before),
        &scan(2, vec![device(9, 11, &[22, 23]), device(2, 12, &[])]),
        &["10.17.20.11 missing", "10.17.20.11 new"],
    );
    // Gone before, and still gone: told once.
    let gone = scan(2, vec![device(1, 11, &[443, 80])]);
    check(&[before, gone], &scan(3, vec![device(1, 11, &[443, 80])]), &[]);
}

#[test]
fn what_was_not_seen_is_not_closed_or_missing() {
    let before = scan(1, vec![device(1, 11, &[80]), device(2, 12, &[])]);
    let mut now = scan(2, vec![device(1, 11, &[])]);
    now.is_complete = false;
    check(std::slice::from_ref(&before), &now, &[]);
    let mut now = scan(2, vec![device(1, 11, &[]), device(2, 12, &[])]);
    now.devices[0].is_complete = false;
    check(std::slice::from_ref(&before), &now, &[]);
    now.devices[0].is_complete = true;
    now.asked = vec![PortSpan { protocol: Transport::Tcp, first: 443, last: 443 }];
    check(std::slice::from_ref(&before), &now, &[]);
    // The segment was not looked at to the end.
    let mut now = scan(2, vec![device(1, 11, &[80])]);
    now.segments[0].is_complete = false;
    check(std::slice::from_ref(&before), &now, &[]);
    // Something answers for every port: its ports say nothing.
    let mut now = scan(2, vec![device(1, 11, &[1, 2, 3]), device(2, 12, &[])]);
    now.devices[0].answers_everything = true;
    check(&[before], &now, &[]);
    // The earlier scan did not ask.
    let mut before = scan(1, vec![device(1, 11, &[])]);
    before.asked = vec![PortSpan { protocol: Transport::Tcp, first: 443, last: 443 }];
    check(&[before.clone()], &scan(2, vec![device(1, 11, &[80])]), &["10.17.20.11 opened 80?"]);
    before.is_complete = false;
    check(&[before], &scan(2, vec![device(1, 11, &[]), device(5, 15, &[])]), &["10.17.20.15 new?"]);
}

#[test]
fn declared_devices_are_known_and_placed() {
    let declared = [Declared {
        name: "counter-1".into(),
        segment: "pos".into(),
        addresses: vec![IpAddr::from([10, 17, 20, 11])],
        macs: vec![[0xd4, 0x95, 0x24, 0, 0, 1]],
    }];
    let changes = drift(&[], &scan(1, vec![device(1, 99, &[])]), &declared);
    assert_eq!(words(&changes), ["10.17.20.99 misplaced"]);
    assert_eq!(changes[0].label(), "counter-1 (10.17.20.99)");
    let mut elsewhere = scan(1, vec![device(1, 11, &[])]);
    elsewhere.devices[0].segment = Some("guest".into());
    assert_eq!(words(&drift(&[], &elsewhere, &declared)), ["10.17.20.11 misplaced"]);
    // Another hardware address at a declared place.
    let changes = drift(&[], &scan(1, vec![device(7, 11, &[])]), &declared);
    assert_eq!(words(&changes), ["10.17.20.11 replaced"]);
    assert_eq!(changes[0].declared.as_deref(), Some("counter-1"));
    assert_eq!(drift(&[], &scan(1, vec![device(1, 11, &[])]), &declared), []);
}

#[test]
fn the_scanner_is_no_news() {
    let before = scan(1, vec![]);
    let mut now = scan(2, vec![device(4, 44, &[22])]);
    now.scanner = vec![IpAddr::from([10, 17, 20, 44])];
    check(&[before], &now, &[]);
}

#[test]
fn first_times_are_carried() {
    let mut before = scan(1, vec![device(1, 11, &[80])]);
    before.devices[0].ports[0].first = 5;
    let mut now = scan(20, vec![device(1, 12, &[80, 443])]);
    now.devices[0].ports.iter_mut().for_each(|p| p.first = 20);
    carry_first(&[before], &mut now);
    assert_eq!(
        now.devices[0].ports.iter().map(|p| (p.port, p.first)).collect::<Vec<_>>(),
        [(80, 5), (443, 20)]
    );
}

#[test]
fn a_file_of_lines_is_read() {
    let (a, b) = (scan(2, vec![device(1, 11, &[80])]), scan(1, vec![]));
    let text = format!("{}\n\n{}\n", a.to_line().unwrap(), b.to_line().unwrap());
    let (scans, found) = read(&SourceFile::new("baseline.jsonl", text.clone()));
    assert_eq!((scans, found), (vec![b.clone(), a.clone()], vec![]), "in order of time");
    // A crash cut the last line.
    let (scans, found) = read(&SourceFile::new("b", text.trim_end().trim_end_matches('}')));
    assert_eq!((scans.len(), found.len()), (1, 1));
    assert_eq!(found[0].level, tillgate_model::Level::Warning);
    // A line in the middle is no JSON.
    let (scans, found) = read(&SourceFile::new("b", text.replacen("\"site\"", "\"sité", 1)));
    assert_eq!((scans.len(), found.len(), found[0].level), (1, 1, tillgate_model::Level::Error));
    assert_eq!(found[0].span.as_ref().unwrap().position().0, 1);
}

#[test]
fn no_line_and_no_history_panics() {
    let line = scan(2, vec![device(1, 11, &[80, 443]), device(2, 12, &[])]).to_line().unwrap();
    let mut state = 0x0dd_ba11_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut kept: Vec<Scan> = Vec::new();
    for _ in 0..20_000 {
        let mut bytes = line.clone().into_bytes();
        for _ in 0..=next() % 3 {
            let at = next() % bytes.len();
            // Mostly digits, so that much of it is still a scan, of another kind.
            bytes[at] = if bytes[at].is_ascii_digit() { b'0' + (next() % 10) as u8 } else { bytes[at] };
            if next() % 8 == 0 {
                bytes[at] = next() as u8;
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (scans, _) = read(&SourceFile::new("b", text));
        for scan in scans {
            if kept.len() > 6 {
                kept.remove(0);
            }
            if next() % 4 == 0 {
                let changes = drift(&kept, &scan, &[]);
                assert_eq!(changes, drift(&kept, &scan, &[]));
            }
            kept.push(scan);
        }
    }
    assert!(!kept.is_empty());
}
