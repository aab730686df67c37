//! What is written is taken by the programs it is written for: nft, dnsmasq, chrony, Kea, ISC dhcpd.
#![allow(clippy::unwrap_used)]

mod common;

use common::{bistro, chain, today};
use std::process::Command;
use tillgate_estate::DhcpServer;
use tillgate_intent::intent;
use tillgate_lab::Lab;
use tillgate_platforms::{companions_of, nftables};

fn accepted(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output();
    let done =
        done.unwrap_or_else(|e| panic!("the test needs {program} (packages dnsmasq-base, chrony): {e}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {said}");
}

#[test]
fn every_example_site_is_taken_by_the_programs_it_is_for() {
    let folder = std::env::temp_dir().join(format!("tillgate-companions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (bistro, library) = bistro();
    let (chain, _) = chain();
    let mut kinds = [0; 2];
    for site in bistro.sites.iter().chain(&chain.sites) {
        let intent = intent(site, &library, today());
        let rendered = nftables::render(site, &intent).unwrap_or_else(|e| panic!("{}: {e:?}", site.name));
        let lab = Lab::new(&intent.topology, &[]);
        assert!(lab.accepts(&rendered.text), "{}: nft refuses the file", site.name);
        // Twice: it replaces itself.
        assert!(lab.accepts(&rendered.text), "{}: nft refuses the file over itself", site.name);
        for (name, text) in &rendered.companions {
            let path = folder.join(format!("{}-{name}", site.name));
            std::fs::write(&path, text).unwrap();
            let path = path.display().to_string();
            match name.as_str() {
                "dnsmasq.conf" => {
                    kinds[0] += 1;
                    accepted("dnsmasq", &["--test", "-C", &path]);
                }
                "chrony.conf" => {
                    kinds[1] += 1;
                    accepted("chronyd", &["-p", "-f", &path]);
                }
                other => panic!("{other} is taken by nothing"),
            }
        }
    }
    assert!(kinds[0] >= 26 && kinds[1] >= 1, "{kinds:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn reservations_are_taken_by_both_dhcp_servers() {
    let folder = std::env::temp_dir().join(format!("tillgate-leases-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (bistro, library) = bistro();
    let (chain, _) = chain();
    let mut checks = Vec::new();
    let mut interfaces = std::collections::BTreeSet::new();
    for site in bistro.sites.iter().chain(&chain.sites) {
        for (server, file, check) in [
            (DhcpServer::Kea, "kea-dhcp4.conf", "kea-dhcp4 -t"),
            (DhcpServer::Isc, "dhcpd.conf", "dhcpd -t -cf"),
        ] {
            let mut site = site.clone();
            site.services.dhcp_server = Some(server);
            let intent = intent(&site, &library, today());
            interfaces.extend(intent.topology.zones.iter().map(|z| z.interface.clone()));
            let companions = companions_of(&site, &intent, &[]);
            let (_, text) = companions.iter().find(|(name, _)| name == file).expect("the server's file");
            let path = folder.join(format!("{}-{file}", site.name));
            std::fs::write(&path, text).unwrap();
            checks.push(format!("{check} {} || exit 1", path.display()));
        }
    }
    assert_eq!(checks.len(), 52);
    // Both servers look for the interfaces they are to serve: a namespace of their own has them.
    let links: String =
        interfaces.iter().map(|i| format!("ip link add {i} type bridge\nip link set {i} up\n")).collect();
    let script = format!("mkdir -p /run/kea\n{links}{}\n", checks.join("\n"));
    let done = Command::new("unshare").args(["-n", "sh", "-ec", &script]).output().expect("unshare runs");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let last: Vec<&str> = said.lines().rev().take(12).collect();
    assert!(done.status.success(), "the test needs kea-dhcp4-server and isc-dhcp-server: {last:#?}");
    std::fs::remove_dir_all(folder).unwrap();
}
