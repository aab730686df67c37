//! What belongs beside the rules: the resolver that fills name sets, what keeps addresses fixed, and the clock.

mod chrony;
mod dnsmasq;
mod isc;
mod kea;
mod leases;

use tillgate_estate::{DhcpServer, ServiceAt, Site};
use tillgate_intent::Intent;

/// The companions a site needs: file name and text, sorted by name. `lines` tell the resolver which sets of the
/// firewall the names fill.
pub(crate) fn companions(site: &Site, intent: &Intent, lines: &[String]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let on = |service: &Option<ServiceAt>| *service == Some(ServiceAt::Gateway);
    if on(&site.services.ntp) {
        out.push(("chrony.conf".to_string(), chrony::file(site, intent)));
    }
    let leases =
        on(&site.services.dhcp) && matches!(site.services.dhcp_server, None | Some(DhcpServer::Dnsmasq));
    if on(&site.services.dns) || leases {
        out.push(("dnsmasq.conf".to_string(), dnsmasq::file(site, intent, lines, leases)));
    }
    out
}

/// The file of the DHCP server that the estate names, for every platform: file name and text. `None` when it
/// names none; what a platform's own companions hold already comes from [`companions`].
pub(crate) fn dhcp(site: &Site, intent: &Intent) -> Option<(String, String)> {
    let at = site.services.dhcp.as_ref()?;
    let (name, text) = match site.services.dhcp_server? {
        DhcpServer::Kea => ("kea-dhcp4.conf", kea::file(site, intent)),
        DhcpServer::Isc => ("dhcpd.conf", isc::file(site, intent)),
        DhcpServer::Dnsmasq if *at == ServiceAt::Gateway => {
            ("dnsmasq.conf", dnsmasq::file(site, intent, &[], true))
        }
        DhcpServer::Dnsmasq => ("dnsmasq.conf", dnsmasq::elsewhere(site, intent)),
    };
    Some((name.to_string(), text))
}

/// The reservations as a table, for a server that is none of those: segment, device, hardware address, address.
pub(crate) fn reservations(site: &Site, intent: &Intent) -> Vec<[String; 4]> {
    let subnets = leases::subnets(site, intent);
    let row = |segment: &str, host: &leases::Host| {
        [segment.to_string(), host.label.clone(), mac_text(host.mac), host.address.to_string()]
    };
    subnets.iter().flat_map(|s| s.hosts.iter().map(|h| row(s.segment, h))).collect()
}

/// `d4:95:24:00:00:11`
pub(crate) fn mac_text(mac: u64) -> String {
    let parts: Vec<String> = (0..6).rev().map(|i| format!("{:02x}", mac >> (i * 8) & 0xff)).collect();
    parts.join(":")
}

/// A DNS label: letters, digits, hyphens.
pub(crate) fn label(text: &str) -> String {
    let word: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let word = word.trim_matches('-').to_string();
    if word.is_empty() { "x".into() } else { word }
}
