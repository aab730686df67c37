//! The example shop and what a scan of it means.

use super::*;
use crate::observed::{PortSpan, Segment, Transport};
use crate::service::TlsSeen;
use tillgate_catalog::Library;
use tillgate_model::SourceFile;

const ESTATE: &str = r#"
[estate]
name = "Bistro am Markt"
[[site]]
name = "bistro"
number = 17
catalogs = ["clover"]
profile = "declared"
region = "eu"
[site.firewall]
platform = "nftables"
wan = ["eth0"]
nat = "masquerade"
management = ["10.17.10.5"]
[site.services]
dns = "gateway"
dhcp = "gateway"
[[site.segment]]
name = "pos"
role = "pos"
interface = "eth1.20"
subnet = "10.17.20.0/24"
gateway = "10.17.20.1"
[[site.segment]]
name = "office"
role = "corp"
interface = "eth1.10"
subnet = "10.17.10.0/24"
gateway = "10.17.10.1"
[[site.device]]
name = "counter-1"
kind = "clover/station-duo"
segment = "pos"
address = "10.17.20.11"
mac = "d4:95:24:00:17:11"
features = ["local-pay-display", "network-printer"]
[[site.device]]
name = "counter-2"
kind = "clover/mini"
segment = "pos"
address = "10.17.20.12"
mac = "d4:95:24:00:17:12"
[[site.device]]
name = "kitchen-printer"
kind = "printer"
segment = "pos"
address = "10.17.20.40"
mac = "00:11:62:00:17:40"
[[site.device]]
name = "till-pc"
kind = "pos-host"
segment = "office"
address = "10.17.10.20"
mac = "52:54:00:00:17:20"
"#;

/// The ids and messages of findings on a scan of these devices.
fn judged(
    devices: Vec<Device>,
    change: impl FnOnce(&mut Scan),
) -> Vec<(FindingId, &'static str, Option<String>)> {
    let (library, _) = Library::load(&[]);
    let (estate, found) = tillgate_estate::load(&[SourceFile::new("estate.toml", ESTATE)], &library);
    let estate = estate.unwrap_or_else(|| panic!("{found:?}"));
    let site = estate.site("bistro").unwrap();
    let intent = tillgate_intent::intent(site, &library, tillgate_model::Date::constant(2026, 11, 2));
    let mut scan = Scan::new("bistro", 5);
    scan.from = Some("pos".into());
    scan.scanner = vec!["10.17.20.200".parse().unwrap()];
    for (name, prefix) in [("pos", "10.17.20.0/24"), ("office", "10.17.10.0/24")] {
        let prefixes = vec![prefix.parse().unwrap()];
        scan.segments.push(Segment { name: name.into(), prefixes, is_complete: name == "pos" });
    }
    scan.asked.push(PortSpan { protocol: Transport::Tcp, first: 1, last: 65535 });
    scan.devices = devices;
    change(&mut scan);
    scan.place();
    scan.sort();
    let findings = judge(site, &intent, &scan);
    assert!(findings.iter().all(|f| f.proof != Proof::Proved));
    findings.into_iter().map(|f| (f.id, f.message.id, f.subject.device)).collect()
}

fn device(mac: &str, address: &str, ports: &[(u16, Option<Service>)]) -> Device {
    let open = |(port, service): &(u16, Option<Service>)| OpenPort {
        protocol: if *port == 161 { Transport::Udp } else { Transport::Tcp },
        port: *port,
        service: service.clone(),
        first: 5,
    };
    Device {
        mac: crate::observed::parse_mac(mac),
        addresses: vec![address.parse().unwrap()],
        ports: ports.iter().map(open).collect(),
        is_complete: true,
        ..Device::default()
    }
}

fn said(name: &str) -> Option<Service> {
    Some(Service::new(name, Basis::Answer))
}

/// Everything in its place, with the ports the site asks for.
fn shop() -> Vec<Device> {
    vec![
        device("00:00:5e:00:01:01", "10.17.20.1", &[(53, said("domain"))]),
        device("d4:95:24:00:17:11", "10.17.20.11", &[(12345, None)]),
        device("d4:95:24:00:17:12", "10.17.20.12", &[]),
        device("00:11:62:00:17:40", "10.17.20.40", &[(9100, None), (515, None)]),
    ]
}

#[test]
fn a_shop_as_declared_has_no_findings() {
    assert_eq!(judged(shop(), |_| {}), []);
}

#[test]
fn ports_are_expected_where_a_flow_ends() {
    let mut devices = shop();
    // This terminal has no till that drives it.
    devices[2] = device("d4:95:24:00:17:12", "10.17.20.12", &[(12345, None)]);
    devices[3] = device("00:11:62:00:17:40", "10.17.20.40", &[(80, said("http"))]);
    let who = |name: &str| Some(name.to_string());
    assert_eq!(
        judged(devices, |_| {}),
        [
            (FindingId::PortOpenUnexpected, "finding-port-open-unexpected", who("counter-2")),
            (FindingId::PortOpenUnexpected, "finding-port-open-unexpected", who("kitchen-printer")),
        ]
    );
}

#[test]
fn weak_services_are_named_once_each() {
    let telnet = Service { is_cleartext_login: true, ..Service::new("telnet", Basis::Greeting) };
    let snmp = Service { weaknesses: vec![Weakness::DefaultCommunity], ..telnet.clone() };
    let old = Service {
        weaknesses: vec![Weakness::OldTls],
        is_encrypted: true,
        tls: Some(TlsSeen { version: Some("1.0".into()), ..TlsSeen::default() }),
        ..Service::new("pay-display", Basis::Port)
    };
    let guessed = Service { is_cleartext_login: true, ..Service::new("telnet", Basis::Port) };
    let mut devices = shop();
    devices[0] =
        device("00:00:5e:00:01:01", "10.17.20.1", &[(53, None), (23, Some(telnet.clone())), (443, None)]);
    devices[1] = device("d4:95:24:00:17:11", "10.17.20.11", &[(12345, Some(old))]);
    devices[2] = device("d4:95:24:00:17:12", "10.17.20.12", &[(161, Some(snmp)), (23, Some(guessed))]);
    devices[3] = device("00:11:62:00:17:40", "10.17.20.40", &[(9100, Some(telnet))]);
    let found: Vec<_> = judged(devices, |_| {}).into_iter().map(|f| (f.0, f.1)).collect();
    assert_eq!(
        found,
        [
            (FindingId::CleartextManagement, "finding-port-open-weak"),
            (FindingId::PortOpenUnexpected, "finding-port-open-unexpected"),
            (FindingId::PortOpenUnexpected, "finding-port-open-weak"),
            (FindingId::PortOpenUnexpected, "finding-port-open-unexpected"),
            (FindingId::InsecureService, "finding-service-weak"),
            (FindingId::TlsWeak, "finding-service-weak"),
        ]
        .map(|f| f)
    );
}

#[test]
fn unknown_devices_count_among_terminals_only() {
    let mut devices = shop();
    devices.push(device("b8:27:eb:00:00:01", "10.17.20.77", &[(22, None), (23, None)]));
    devices.push(device("b8:27:eb:00:00:02", "10.17.10.77", &[(22, None)]));
    devices.push(device("b8:27:eb:00:00:03", "10.17.20.200", &[(22, None)]));
    assert_eq!(judged(devices, |_| {}), [(FindingId::DeviceUnknown, "finding-device-unknown-ports", None)]);
}

#[test]
fn missing_misplaced_and_exchanged() {
    let mut devices = shop();
    devices[1] = device("d4:95:24:00:17:11", "10.17.20.99", &[(12345, None)]);
    devices[2] = device("b8:27:eb:00:00:01", "10.17.20.12", &[]);
    let found = judged(devices.clone(), |_| {});
    let who = |name: &str| Some(name.to_string());
    assert_eq!(
        found,
        [
            (FindingId::DeviceUnknown, "finding-device-other", who("counter-2")),
            (FindingId::DeviceMisplaced, "finding-device-misplaced", who("counter-1")),
            (FindingId::DeviceMissing, "finding-device-missing", who("counter-2")),
        ]
    );
    // A scan that did not see everything says nobody is missing. The office was not looked at to the end at all.
    let found = judged(devices, |scan| scan.is_complete = false);
    assert!(found.iter().all(|f| f.0 != FindingId::DeviceMissing), "{found:?}");
}

#[test]
fn a_terminal_among_the_office_is_misplaced() {
    let mut devices = shop();
    devices[1] = device("d4:95:24:00:17:11", "10.17.10.50", &[]);
    let found: Vec<_> = judged(devices, |_| {}).into_iter().map(|f| f.0).collect();
    assert_eq!(found, [FindingId::DeviceMisplaced]);
}

#[test]
fn what_answers_everything_is_told_once_and_not_sure() {
    let ports: Vec<(u16, Option<Service>)> = (1..=500).map(|p| (p, None)).filter(|p| p.0 != 161).collect();
    let mut devices = shop();
    devices[1] = device("d4:95:24:00:17:11", "10.17.20.11", &ports);
    devices[1].answers_everything = true;
    let one = judged(devices.clone(), |_| {});
    assert_eq!(one.iter().map(|f| f.1).collect::<Vec<_>>(), ["finding-answers-everything"]);
    // Without that mark they are one list.
    devices[1].answers_everything = false;
    let list = judged(devices, |_| {});
    assert_eq!(list.iter().map(|f| f.1).collect::<Vec<_>>(), ["finding-ports-open-many"]);
}
