//! What a scan means for a site: open ports nobody asked for, weak services, and devices that are unknown, missing
//! or in the wrong place.

mod expected;

use crate::baseline::{Declared, declared_at, impostor, is_misplaced, keyed_by};
use crate::observed::{Device, OpenPort, Scan, mac_text};
use crate::service::{Basis, Service, Weakness};
use expected::Expected;
use std::net::IpAddr;
use tillgate_estate::{Role, Site};
use tillgate_intent::Intent;
use tillgate_model::{Evidence, Finding, FindingId, Packet, Proof, State, Subject, Text};

/// More unexpected ports than this on one device become one finding with a list.
const SINGLY: usize = 8;

/// The devices of a site in the form [`crate::baseline::drift`] takes.
pub fn declared(site: &Site) -> Vec<Declared> {
    let bytes = |mac: &u64| {
        let [_, _, a, b, c, d, e, f] = mac.to_be_bytes();
        [a, b, c, d, e, f]
    };
    let of = |d: &tillgate_estate::Device| Declared {
        name: d.name.clone(),
        segment: d.segment.clone(),
        addresses: d.addresses.clone(),
        macs: d.macs.iter().map(bytes).collect(),
    };
    site.devices.iter().map(of).collect()
}

/// Judges a scan of a site against its estate and intent. Findings are sorted.
///
/// Ports are judged on declared devices, on the firewall, and on everything in a segment of terminals; what guests
/// run on their own devices is nobody's business here.
pub fn judge(site: &Site, intent: &Intent, scan: &Scan) -> Vec<Finding> {
    let declared = declared(site);
    let mut judge = Judge {
        site,
        scan,
        declared: &declared,
        expected: Expected::of(site, intent, scan),
        out: Vec::new(),
    };
    let mut seen = vec![false; declared.len()];
    for device in &scan.devices {
        if device.addresses.iter().any(|a| scan.scanner.contains(a)) {
            continue;
        }
        let known = declared_at(&declared, device);
        if let Some(at) = known.and_then(|known| declared.iter().position(|d| d.name == known.name)) {
            seen[at] = true;
        }
        judge.device(device, known);
    }
    for (known, _) in declared.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        judge.missing(known);
    }
    let mut out = judge.out;
    Finding::sort(&mut out);
    out.dedup();
    out
}

struct Judge<'a> {
    site: &'a Site,
    scan: &'a Scan,
    declared: &'a [Declared],
    expected: Expected<'a>,
    out: Vec<Finding>,
}

/// Whose ports are judged, and what people call it.
struct Owner<'a> {
    label: String,
    known: Option<&'a Declared>,
    segment: Option<&'a str>,
    is_firewall: bool,
}

impl<'a> Judge<'a> {
    fn device(&mut self, device: &'a Device, known: Option<&'a Declared>) {
        let segment = self.segment(device);
        let is_pos = segment.and_then(|name| self.site.segment(name)).is_some_and(|s| s.role == Role::Pos);
        let is_firewall = self.expected.is_firewall(device);
        let at = device.addresses.first().map(IpAddr::to_string).unwrap_or_default();
        let label = match (known, is_firewall) {
            (Some(known), _) => format!("{} ({at})", known.name),
            (None, true) => format!("firewall ({at})"),
            (None, false) => at.clone(),
        };
        let owner = Owner { label, known, segment, is_firewall };
        if let Some(known) = known {
            if keyed_by(known, device) != crate::baseline::Key::Address && self.is_elsewhere(known, device) {
                self.misplaced(known, device, segment);
            }
        } else if let Some(other) = impostor(self.declared, device).filter(|_| !is_firewall) {
            self.impostor(other, device, segment);
        } else if is_pos && !is_firewall && !self.expected.is_infrastructure(device) {
            // Its ports stand in the finding; one for each would say no more.
            self.unknown(device, segment);
            return;
        }
        if device.answers_everything {
            if known.is_some() || is_pos {
                let text = Text::new("finding-answers-everything").arg("device", &owner.label);
                self.push(FindingId::PortOpenUnexpected, &owner, text, None, Proof::Possible);
            }
            return;
        }
        if known.is_some() || is_firewall || is_pos {
            self.ports(device, &owner);
        }
    }

    fn ports(&mut self, device: &Device, owner: &Owner<'_>) {
        let (expected, unexpected): (Vec<&OpenPort>, Vec<&OpenPort>) =
            device.ports.iter().partition(|port| self.expected.is_expected(device, owner.known, port));
        for port in expected {
            self.weak(device, owner, port);
        }
        let weak = |port: &&&OpenPort| port.service.as_ref().and_then(reason).is_some();
        if unexpected.len() > SINGLY {
            for port in unexpected.iter().filter(weak) {
                self.unexpected(device, owner, port);
            }
            let rest: Vec<&&OpenPort> = unexpected.iter().filter(|p| !weak(p)).collect();
            let list: Vec<String> = rest.iter().take(40).map(|p| port_name(p)).collect();
            if !list.is_empty() {
                let text = Text::new("finding-ports-open-many")
                    .arg("device", &owner.label)
                    .num("count", rest.len())
                    .arg("ports", list.join(", "));
                self.push(FindingId::PortOpenUnexpected, owner, text, None, Proof::Observed);
            }
        } else {
            for port in unexpected {
                self.unexpected(device, owner, port);
            }
        }
    }

    /// A port nothing asks for; a weakness of its service is told in the same finding.
    fn unexpected(&mut self, device: &Device, owner: &Owner<'_>, port: &OpenPort) {
        let base = |id| Text::new(id).arg("device", &owner.label).arg("port", port_name(port));
        let weak = port.service.as_ref().and_then(reason);
        let text = match &weak {
            Some(reason) => base("finding-port-open-weak").text("reason", reason.clone()),
            None => base("finding-port-open-unexpected"),
        };
        let id = match owner.is_firewall && port.service.as_ref().is_some_and(is_cleartext_management) {
            true => FindingId::CleartextManagement,
            false => FindingId::PortOpenUnexpected,
        };
        let packet = self.packet(device, port);
        self.push(id, owner, text, packet, Proof::Observed);
    }

    /// A needed port behind which something weak answers.
    fn weak(&mut self, device: &Device, owner: &Owner<'_>, port: &OpenPort) {
        let Some(service) = &port.service else { return };
        let Some(reason) = reason(service) else { return };
        let only_tls = !service.is_cleartext_login
            && service.weaknesses.iter().all(|w| matches!(w, Weakness::OldTls | Weakness::OldCipher));
        let id = match () {
            () if owner.is_firewall && is_cleartext_management(service) => FindingId::CleartextManagement,
            () if only_tls => FindingId::TlsWeak,
            () => FindingId::InsecureService,
        };
        let text = Text::new("finding-service-weak")
            .arg("device", &owner.label)
            .arg("port", port_name(port))
            .text("reason", reason);
        let packet = self.packet(device, port);
        self.push(id, owner, text, packet, Proof::Observed);
    }

    fn unknown(&mut self, device: &Device, segment: Option<&str>) {
        let ports: Vec<String> = device.ports.iter().take(20).map(port_name).collect();
        let base = |id| {
            Text::new(id)
                .arg("segment", segment.unwrap_or("?"))
                .arg("address", device.addresses.first().map_or("–".into(), IpAddr::to_string))
                .arg("who", who(device))
        };
        let text = match ports.is_empty() || device.answers_everything {
            true => base("finding-device-unknown"),
            false => base("finding-device-unknown-ports").arg("ports", ports.join(", ")),
        };
        let subject = Subject { segment: segment.map(str::to_string), ..Subject::default() };
        self.out.push(Finding::new(FindingId::DeviceUnknown, subject, text).proof(Proof::Observed));
    }

    /// Another device at the address of a declared one.
    fn impostor(&mut self, other: &Declared, device: &Device, segment: Option<&str>) {
        let text = Text::new("finding-device-other")
            .arg("device", &other.name)
            .arg("address", device.addresses.first().map(IpAddr::to_string).unwrap_or_default())
            .arg("declared", other.macs.iter().map(|mac| mac_text(*mac)).collect::<Vec<_>>().join(", "))
            .arg("who", who(device));
        self.about(FindingId::DeviceUnknown, other, segment, text, Proof::Observed);
    }

    fn misplaced(&mut self, known: &Declared, device: &Device, segment: Option<&str>) {
        let list = |addresses: &[IpAddr]| match addresses {
            [] => "–".to_string(),
            list => list.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "),
        };
        let text = Text::new("finding-device-misplaced")
            .arg("device", &known.name)
            .arg("address", list(&device.addresses))
            .arg("segment", segment.unwrap_or("?"))
            .arg("declared", list(&known.addresses))
            .arg("declared_segment", &known.segment);
        self.about(FindingId::DeviceMisplaced, known, segment, text, Proof::Observed);
    }

    /// A declared device that a look at all of its segment did not show.
    fn missing(&mut self, known: &Declared) {
        let Some(device) = self.site.device(&known.name) else { return };
        // A measuring host comes and goes; without an address nobody knows what was to be seen.
        let is_looked_for = device.class != tillgate_catalog::Class::Probe && !known.addresses.is_empty();
        let is_scanner = known.addresses.iter().any(|a| self.scan.scanner.contains(a));
        if is_looked_for && !is_scanner && self.scan.covers(Some(&known.segment)) {
            let text =
                Text::new("finding-device-missing").arg("device", &known.name).arg("segment", &known.segment);
            self.about(FindingId::DeviceMissing, known, Some(&known.segment), text, Proof::Observed);
        }
    }

    fn is_elsewhere(&self, known: &Declared, device: &Device) -> bool {
        let placed = Device { segment: self.segment(device).map(str::to_string), ..Device::default() };
        is_misplaced(known, &Device { addresses: device.addresses.clone(), ..placed })
    }

    /// The segment a device stands in: as seen, else by its addresses.
    fn segment(&self, device: &'a Device) -> Option<&'a str> {
        let inside = |s: &&'a tillgate_estate::Segment| {
            let nets = [s.subnet, s.subnet6];
            device.addresses.iter().any(|a| nets.iter().flatten().any(|net| net.contains(a)))
        };
        device.segment.as_deref().or_else(|| self.site.segments.iter().find(inside).map(|s| s.name.as_str()))
    }

    /// The packet that shows it: from the scanner to the port.
    fn packet(&self, device: &Device, port: &OpenPort) -> Option<Packet> {
        let pair = |to: &IpAddr| {
            let from = self.scan.scanner.iter().find(|from| from.is_ipv4() == to.is_ipv4())?;
            Some((*from, *to))
        };
        let (source, destination) = device.addresses.iter().find_map(pair)?;
        let protocol = port.protocol.protocol();
        Some(Packet {
            input: None,
            output: None,
            state: State::New,
            protocol,
            source,
            destination,
            source_port: 40000,
            destination_port: port.port,
            tcp_flags: Packet::usual_flags(protocol, State::New),
        })
    }

    fn push(&mut self, id: FindingId, owner: &Owner<'_>, text: Text, packet: Option<Packet>, proof: Proof) {
        let subject = Subject {
            device: Some(owner.known.map_or_else(|| owner.label.clone(), |known| known.name.clone())),
            segment: owner.segment.map(str::to_string),
            peer: owner.is_firewall.then(|| "firewall".to_string()),
            ..Subject::default()
        };
        let mut finding = Finding::new(id, subject, text).proof(proof);
        finding.evidence.extend(packet.map(Evidence::Packet));
        self.out.push(finding);
    }

    fn about(&mut self, id: FindingId, known: &Declared, segment: Option<&str>, text: Text, proof: Proof) {
        let subject = Subject {
            device: Some(known.name.clone()),
            segment: segment.map(str::to_string),
            ..Subject::default()
        };
        let mut finding = Finding::new(id, subject, text).proof(proof);
        if let Some(device) = self.site.device(&known.name) {
            finding.evidence.push(Evidence::Rule(device.span.clone()));
        }
        self.out.push(finding);
    }
}

/// `tcp/23 telnet`; a name by number only is left out when the number says nothing.
fn port_name(port: &OpenPort) -> String {
    let number = format!("{}/{}", port.protocol.name(), port.port);
    let by_number = crate::service::service_name(port.protocol, port.port);
    let name = port.service.as_ref().map(|s| s.name.as_str()).or(by_number).filter(|name| *name != "unknown");
    name.map_or(number.clone(), |name| format!("{number} {name}"))
}

/// What a device shows of itself: hardware address, vendor, name.
fn who(device: &Device) -> String {
    let mac = device.mac.map(mac_text);
    let parts = [mac, device.vendor.clone(), device.names.first().cloned()];
    let list: Vec<String> = parts.into_iter().flatten().collect();
    if list.is_empty() { "–".into() } else { list.join(", ") }
}

/// Why a service is weak; the gravest reason alone.
fn reason(service: &Service) -> Option<Text> {
    // A name by number alone accuses nobody.
    let seen = service.basis != Basis::Port || service.tls.is_some();
    let weak = |weakness| service.weaknesses.contains(&weakness);
    let id = match () {
        () if !seen => return None,
        () if weak(Weakness::DefaultCommunity) => "weak-community",
        () if weak(Weakness::NoLogin) => "weak-no-login",
        () if service.is_cleartext_login => "weak-cleartext",
        () if weak(Weakness::OldSsh) => "weak-ssh",
        () if weak(Weakness::OldTls) => "weak-tls",
        () if weak(Weakness::OldCipher) => "weak-cipher",
        () => return None,
    };
    let version = service.tls.as_ref().and_then(|tls| tls.version.clone()).unwrap_or_default();
    Some(Text::new(id).arg("service", &service.name).arg("version", version))
}

fn is_cleartext_management(service: &Service) -> bool {
    service.basis != Basis::Port
        && !service.is_encrypted
        && (service.is_cleartext_login || service.weaknesses.contains(&Weakness::DefaultCommunity))
}

#[cfg(test)]
mod tests;
