//! The rows that are settings: what such devices have switched on when they come out of the box, and what a site needs.

use super::rows::bare;
use super::{Action, Checklist, Place};
use crate::companion::mac_text;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Family, Text, format_ports};

/// Adds them all.
pub(super) fn add(site: &Site, intent: &Intent, list: &mut Checklist) {
    let mut settings = Settings { site, intent, list };
    settings.administration();
    settings.networks();
    settings.wifi();
    settings.dhcp();
    settings.names_and_time();
    settings.closed();
    settings.ipv6();
}

struct Settings<'a> {
    site: &'a Site,
    intent: &'a Intent,
    list: &'a mut Checklist,
}

impl Settings<'_> {
    fn row(&mut self, place: Place, what: Text, why: Text, test: Text) {
        let mut row = bare(place, Action::Set(what), why);
        row.test.words = test;
        self.list.rows.push(row);
    }

    fn administration(&mut self) {
        self.row(
            Place::Administration,
            Text::new("checklist-set-backup"),
            Text::new("checklist-why-backup"),
            Text::new("checklist-test-backup"),
        );
        self.row(
            Place::Administration,
            Text::new("checklist-set-credentials"),
            Text::new("checklist-why-credentials"),
            Text::new("checklist-test-credentials"),
        );
        self.row(
            Place::Administration,
            Text::new("checklist-set-firmware"),
            Text::new("checklist-why-firmware"),
            Text::new("checklist-test-firmware"),
        );
        let who: Vec<String> = self.site.firewall.management.iter().map(|n| n.to_string()).collect();
        let ports = self.site.firewall.management_ports.iter().map(|p| (u128::from(*p), u128::from(*p)));
        self.row(
            Place::Management,
            Text::new("checklist-set-management")
                .arg("who", who.join(", "))
                .arg("ports", format_ports(&ports.collect())),
            Text::new("checklist-why-management-only"),
            Text::new("checklist-test-management"),
        );
        let outside =
            |f: &&Flow| f.requirement == "management" && f.path == Path::Local { from: Side::Uplinks };
        let outside: Vec<&str> =
            self.intent.flows.iter().filter(outside).map(|f| f.source_text.as_str()).collect();
        let remote = if outside.is_empty() {
            Text::new("checklist-set-remote")
        } else {
            Text::new("checklist-set-remote-only").arg("who", outside.join(", "))
        };
        self.row(
            Place::Management,
            remote,
            Text::new("checklist-why-remote"),
            Text::new("checklist-test-remote"),
        );
    }

    fn networks(&mut self) {
        for segment in &self.site.segments {
            let nets: Vec<String> =
                [segment.subnet, segment.subnet6].into_iter().flatten().map(|n| n.to_string()).collect();
            let gateways: Vec<String> = segment.gateways.iter().map(|g| g.to_string()).collect();
            let vlan = segment.vlan.map_or_else(|| "–".to_string(), |vlan| vlan.to_string());
            let what = Text::new("checklist-set-network")
                .arg("segment", &segment.name)
                .arg("vlan", vlan)
                .arg("subnet", nets.join(", "))
                .arg("gateway", if gateways.is_empty() { "–".into() } else { gateways.join(", ") });
            let why = if segment.role == Role::Pos {
                Text::new("checklist-why-network-pos")
            } else {
                Text::new("checklist-why-network")
            };
            let test = Text::new("checklist-test-network").arg("segment", &segment.name);
            self.row(Place::Networks, what, why, test);
        }
    }

    /// Client isolation: always for guests; for terminals unless one of them talks to a neighbour.
    fn wifi(&mut self) {
        for (at, zone) in self.intent.topology.zones.iter().enumerate() {
            let inside = self.intent.flows.iter().filter(|f| f.path == Path::Inside { zone: at });
            let mut talking: Vec<&str> = inside.filter_map(|f| f.device.as_deref()).collect();
            talking.sort_unstable();
            talking.dedup();
            let (what, why, test) = match (zone.role, talking.is_empty()) {
                (Role::Guest, _) | (Role::Pos, true) => (
                    Text::new("checklist-set-isolation-on").arg("segment", &zone.name),
                    Text::new("checklist-why-isolation-on"),
                    Text::new("checklist-test-isolation-on").arg("segment", &zone.name),
                ),
                (Role::Pos, false) => (
                    Text::new("checklist-set-isolation-off").arg("segment", &zone.name),
                    Text::new("checklist-why-isolation-off").arg("who", talking.join(", ")),
                    Text::new("checklist-test-isolation-off").arg("who", talking.join(", ")),
                ),
                _ => continue,
            };
            self.row(Place::Wifi, what, why, test);
        }
    }

    fn dhcp(&mut self) {
        let here = match &self.site.services.dhcp {
            None => return,
            Some(at) => *at == ServiceAt::Gateway,
        };
        if !here {
            self.row(
                Place::Dhcp,
                Text::new("checklist-set-dhcp-off"),
                Text::new("checklist-why-dhcp-off"),
                Text::new("checklist-test-dhcp-off"),
            );
            return;
        }
        for segment in self.site.segments.iter().filter(|s| s.role == Role::Pos && s.subnet.is_some()) {
            self.row(
                Place::Dhcp,
                Text::new("checklist-set-no-pool").arg("segment", &segment.name),
                Text::new("checklist-why-no-pool"),
                Text::new("checklist-test-no-pool").arg("segment", &segment.name),
            );
        }
        for device in &self.site.devices {
            let v4: Vec<String> =
                device.addresses.iter().filter(|a| a.is_ipv4()).map(|a| a.to_string()).collect();
            for (at, address) in v4.iter().enumerate() {
                let what = match device.macs.get(at) {
                    Some(mac) => Text::new("checklist-set-reservation").arg("mac", mac_text(*mac)),
                    None => Text::new("checklist-set-reservation-unknown"),
                };
                self.row(
                    Place::Dhcp,
                    what.arg("device", &device.name).arg("address", address),
                    Text::new("checklist-why-reservation").arg("device", &device.name),
                    Text::new("checklist-test-reservation")
                        .arg("device", &device.name)
                        .arg("address", address),
                );
            }
        }
    }

    fn names_and_time(&mut self) {
        let listed =
            |list: &[std::net::IpAddr]| list.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(", ");
        let (dns, ntp) = (self.site.services.dns.clone(), self.site.services.ntp.clone());
        let what = match &dns {
            None => None,
            Some(ServiceAt::Gateway) => Some(Text::new("checklist-set-dns-here")),
            Some(ServiceAt::Addresses(list)) => {
                Some(Text::new("checklist-set-dns-at").arg("addresses", listed(list)))
            }
        };
        if let Some(what) = what {
            let (why, test) = (Text::new("checklist-why-dns"), Text::new("checklist-test-dns"));
            self.row(Place::DnsAndTime, what, why, test);
        }
        let what = match &ntp {
            None => None,
            Some(ServiceAt::Gateway) => Some(Text::new("checklist-set-ntp-here")),
            Some(ServiceAt::Addresses(list)) => {
                Some(Text::new("checklist-set-ntp-at").arg("addresses", listed(list)))
            }
        };
        if let Some(what) = what {
            let (why, test) = (Text::new("checklist-why-ntp"), Text::new("checklist-test-ntp"));
            self.row(Place::DnsAndTime, what, why, test);
        }
        if self.intent.flows.iter().any(|f| f.by_name) {
            self.row(
                Place::DnsAndTime,
                Text::new("checklist-set-names"),
                Text::new("checklist-why-names"),
                Text::new("checklist-test-names"),
            );
        }
    }

    /// What lets others in or looks into encrypted connections.
    fn closed(&mut self) {
        self.row(
            Place::Upnp,
            Text::new("checklist-set-upnp"),
            Text::new("checklist-why-upnp"),
            Text::new("checklist-test-upnp"),
        );
        self.row(
            Place::Forwarding,
            Text::new("checklist-set-forwarding"),
            Text::new("checklist-why-forwarding"),
            Text::new("checklist-test-forwarding"),
        );
        if !self.intent.masquerade {
            self.row(
                Place::Nat,
                Text::new("checklist-set-no-nat"),
                Text::new("checklist-why-no-nat"),
                Text::new("checklist-test-no-nat"),
            );
        }
        let pos = self.site.segments.iter().filter(|s| s.role == Role::Pos).map(|s| s.name.as_str());
        let pos: Vec<&str> = pos.collect();
        if !pos.is_empty() {
            self.row(
                Place::Inspection,
                Text::new("checklist-set-inspection").arg("segments", pos.join(", ")),
                Text::new("checklist-why-inspection"),
                Text::new("checklist-test-inspection"),
            );
        }
    }

    fn ipv6(&mut self) {
        let without = self.site.segments.iter().filter(|s| s.subnet(Family::V6).is_none());
        let without: Vec<&str> = without.map(|s| s.name.as_str()).collect();
        if !without.is_empty() {
            self.row(
                Place::Ipv6,
                Text::new("checklist-set-ipv6-off").arg("segments", without.join(", ")),
                Text::new("checklist-why-ipv6-off"),
                Text::new("checklist-test-ipv6-off"),
            );
        }
        if without.len() < self.site.segments.len() {
            self.row(
                Place::Ipv6,
                Text::new("checklist-set-ipv6-rules"),
                Text::new("checklist-why-ipv6-rules"),
                Text::new("checklist-test-ipv6-rules"),
            );
        }
    }
}
