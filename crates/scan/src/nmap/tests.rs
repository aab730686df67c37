//! A real run of nmap 7.93 on the loopback, and what else its files may hold.

use super::*;

const LOOPBACK: &str = include_str!("loopback.xml");
const PLAIN: &str = include_str!("plain.xml");

fn load(text: &str) -> Imported {
    read(&SourceFile::new("run.xml", text), "bistro").unwrap()
}

fn refused(text: &str) -> (&'static str, (usize, usize)) {
    let found = read(&SourceFile::new("run.xml", text), "bistro").unwrap_err();
    (found.message.id, found.span.unwrap().position())
}

#[test]
fn a_real_run_with_versions() {
    let seen = load(LOOPBACK);
    assert_eq!((seen.diagnostics.len(), seen.vulnerabilities.len()), (0, 0));
    let scan = seen.scan;
    assert!(scan.is_complete && scan.at == 1_795_627_939 && scan.site == "bistro");
    let spans: Vec<_> = scan.asked.iter().map(|s| (s.first, s.last)).collect();
    assert_eq!(spans, [(21, 23), (80, 80), (8080, 8080)]);
    assert_eq!(scan.devices.len(), 1);
    let device = &scan.devices[0];
    assert_eq!(device.ports.iter().map(|p| p.port).collect::<Vec<_>>(), [22, 8080]);
    let ssh = device.ports[0].service.as_ref().unwrap();
    assert_eq!((ssh.name.as_str(), ssh.basis, ssh.is_encrypted), ("ssh", Basis::Answer, true));
    assert_eq!(ssh.version.as_deref(), Some("OpenSSH 9.2p1 Debian 2 protocol 2.0"));
    let web = device.ports[1].service.as_ref().unwrap();
    assert_eq!((web.name.as_str(), web.basis), ("http-proxy", Basis::Port), "by the table only");
    assert_eq!(Scan::from_line(&scan.to_line().unwrap()).unwrap(), scan);
}

#[test]
fn a_real_run_of_two_hosts() {
    let scan = load(PLAIN).scan;
    assert_eq!(scan.devices.len(), 2);
    assert!(scan.devices.iter().all(|d| d.is_complete && !d.answers_everything));
    assert!(scan.asked(Transport::Tcp, 100) && !scan.asked(Transport::Tcp, 101));
}

const HEAD: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner=\"nmap\" start=\"7\">\n\
    <scaninfo protocol=\"tcp\" services=\"1-200,oops\"/><scaninfo protocol=\"udp\" services=\"161\"/>\n";
const TAIL: &str = "<runstats><finished time=\"9\" exit=\"success\"/></runstats></nmaprun>";

fn host(inner: &str) -> String {
    format!(
        "{HEAD}<host><status state=\"up\"/><address addr=\"10.17.20.40\" addrtype=\"ipv4\"/>\
         <address addr=\"00:11:62:00:17:40\" addrtype=\"mac\" vendor=\"Star Micronics\"/>\
         <hostnames><hostname name=\"Printer.local\" type=\"PTR\"/></hostnames>{inner}</host>\n{TAIL}"
    )
}

#[test]
fn names_hardware_addresses_and_states() {
    let ports = "<ports><port protocol=\"tcp\" portid=\"23\"><state state=\"open\"/><service name=\"telnet\" method=\"probed\"/></port>\
        <port protocol=\"tcp\" portid=\"443\"><state state=\"open\"/><service name=\"http\" tunnel=\"ssl\" method=\"probed\"/></port>\
        <port protocol=\"udp\" portid=\"161\"><state state=\"open|filtered\"/></port>\
        <port protocol=\"sctp\" portid=\"5\"><state state=\"open\"/></port>\
        <port protocol=\"tcp\" portid=\"70000\"><state state=\"open\"/></port></ports>";
    let seen = load(&host(ports));
    let device = &seen.scan.devices[0];
    assert_eq!(device.mac, Some([0x00, 0x11, 0x62, 0, 0x17, 0x40]));
    assert_eq!(
        (device.names[0].as_str(), device.vendor.as_deref()),
        ("printer.local", Some("Star Micronics"))
    );
    assert_eq!(device.ports.iter().map(|p| p.port).collect::<Vec<_>>(), [23, 443]);
    assert!(device.ports[0].service.as_ref().unwrap().is_cleartext_login);
    let web = device.ports[1].service.as_ref().unwrap();
    assert_eq!((web.name.as_str(), web.is_encrypted), ("https", true));
    let told: Vec<_> = seen.diagnostics.iter().map(|d| d.message.id).collect();
    assert_eq!(told, ["nmap-ports", "nmap-ports"]);
}

#[test]
fn scripts_that_found_something() {
    let port = |script: &str| {
        host(&format!(
            "<ports><port protocol=\"tcp\" portid=\"80\"><state state=\"open\"/>{script}</port></ports>"
        ))
    };
    let tried = port(
        "<script id=\"http-vuln-cve2017-5638\" output=\"VULNERABLE: x IDs:  CVE:CVE-2017-5638\">\
         <table key=\"CVE-2017-5638\"><elem key=\"title\">x</elem><elem key=\"state\">VULNERABLE</elem></table></script>",
    );
    let seen = load(&tried).vulnerabilities;
    assert_eq!(
        (seen.len(), seen[0].is_tried, seen[0].cves.as_slice()),
        (1, true, &["CVE-2017-5638".to_string()][..])
    );
    let finding = seen[0].finding();
    assert_eq!((finding.proof, finding.message.id), (Proof::Observed, "finding-nmap-vulnerable"));

    let compared = port(
        "<script id=\"vulners\" output=\"&#xa; cpe:/a:x: &#xa; \tCVE-2023-38408\t9.8\tCVE-2023-1-x CVE-99\"/>",
    );
    let seen = load(&compared).vulnerabilities;
    assert_eq!(seen[0].cves, ["CVE-2023-38408"]);
    assert_eq!(seen[0].finding().proof, Proof::Possible);

    for harmless in [
        "<script id=\"smb-vuln-ms10-054\" output=\"false\"/>",
        "<script id=\"x\" output=\"NOT VULNERABLE: CVE-2017-5638&#xa;State: NOT VULNERABLE\"/>",
        "<script id=\"x\" output=\"CVE-2017-5638\"><table><elem key=\"state\">NOT VULNERABLE</elem></table></script>",
        "<script id=\"banner\" output=\"VULNERABLE CVE-2017-5638\"/>",
    ] {
        assert_eq!(load(&port(harmless)).vulnerabilities, [], "{harmless}");
    }
    let text = "<hostscript><script id=\"smb-vuln\" output=\"&#xa;  VULNERABLE:&#xa;    State: LIKELY VULNERABLE&#xa; IDs: CVE:CVE-2017-0143\"/></hostscript>";
    let seen = load(&host(text)).vulnerabilities;
    assert_eq!((seen.len(), seen[0].port), (1, None));
}

#[test]
fn what_answers_for_everything_is_told() {
    let port = |n: u16| format!("<port protocol=\"tcp\" portid=\"{n}\"><state state=\"open\"/></port>");
    let all: String = (1..=200).map(port).collect();
    assert!(load(&host(&format!("<ports>{all}</ports>"))).scan.devices[0].answers_everything);
}

#[test]
fn unfinished_runs_are_incomplete() {
    let stopped = host("").replace("exit=\"success\"", "exit=\"error\"");
    assert!(!load(&stopped).scan.is_complete);
    assert!(!load(&host("").replace(TAIL, "</nmaprun>")).scan.is_complete);
    let slow = load(&host("").replace("<host>", "<host timedout=\"true\">")).scan;
    assert!(!slow.is_complete && !slow.devices[0].is_complete);
    assert!(load(&host("").replace("state=\"up\"", "state=\"down\"")).scan.devices.is_empty());
}

#[test]
fn bad_files_are_told_with_their_place() {
    assert_eq!(refused("<a>\n  <b></a>").0, "nmap-syntax");
    assert_eq!(refused("<a>\n  <b></a>").1.0, 2);
    assert_eq!(refused("hello").0, "nmap-syntax");
    assert_eq!(refused("<html></html>"), ("nmap-not-a-run", (1, 1)));
    assert_eq!(refused("<!DOCTYPE x [\n<!ENTITY a \"b\">]><nmaprun/>"), ("nmap-entity", (2, 1)));
    let cut = LOOPBACK.find("</host>").unwrap();
    assert_eq!(refused(&LOOPBACK[..cut]).0, "nmap-cut");
    assert!(!refused("").0.is_empty());
    // Deep nesting is no overflow.
    let deep = format!("<nmaprun>{}", "<a>".repeat(100_000));
    assert!(!refused(&deep).0.is_empty());
}

#[test]
fn no_file_panics() {
    let mut state = 0xfeed_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let small = host(
        "<ports><port protocol=\"tcp\" portid=\"80\"><state state=\"open\"/><script id=\"vulners\" output=\"CVE-2023-38408\"/></port></ports>",
    );
    for _ in 0..20_000 {
        let mut bytes = small.clone().into_bytes();
        for _ in 0..=next() % 4 {
            let at = next() % bytes.len();
            match next() % 4 {
                0 => bytes[at] = next() as u8,
                1 => bytes[at] = b"<>&\"'/=0-!"[next() % 10],
                2 if bytes[at].is_ascii_digit() => bytes[at] = b'0' + (next() % 10) as u8,
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let file = SourceFile::new("run.xml", String::from_utf8_lossy(&bytes).into_owned());
        if let Ok(seen) = read(&file, "bistro") {
            assert!(Scan::from_line(&seen.scan.to_line().unwrap()).is_ok());
        }
    }
}
