//! What belongs beside the rules: the resolver that fills name sets and keeps addresses fixed, and the clock.

use crate::nftables::comment;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::Intent;
use tillgate_model::{Family, address_from_bits};

/// The companions a site needs: file name and text, sorted by name. `lines` tell the resolver which sets of the
/// firewall the names fill.
pub(crate) fn companions(site: &Site, intent: &Intent, lines: &[String]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let on = |service: &Option<ServiceAt>| *service == Some(ServiceAt::Gateway);
    if on(&site.services.ntp) {
        out.push(("chrony.conf".to_string(), chrony(site, intent)));
    }
    if on(&site.services.dns) || on(&site.services.dhcp) {
        out.push(("dnsmasq.conf".to_string(), dnsmasq(site, intent, lines)));
    }
    out
}

fn dnsmasq(site: &Site, intent: &Intent, lines: &[String]) -> String {
    let mut out = format!("# tillgate: {}\n", comment(&site.name));
    out.push_str("bind-dynamic\nlocalise-queries\nstop-dns-rebind\nrebind-localhost-ok\n");
    for uplink in &intent.topology.uplinks {
        out.push_str(&format!("except-interface={uplink}\n"));
    }
    for zone in intent.topology.zones.iter().filter(|z| !z.gateways.is_empty()) {
        out.push_str(&format!("interface={}\n", zone.interface));
    }
    if site.services.dns != Some(ServiceAt::Gateway) {
        out.push_str("# names are resolved elsewhere\nport=0\n");
    }
    if site.services.dhcp == Some(ServiceAt::Gateway) {
        leases(site, intent, &mut out);
    }
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn leases(site: &Site, intent: &Intent, out: &mut String) {
    out.push_str("dhcp-authoritative\n");
    for zone in &intent.topology.zones {
        let Some(net) = zone.subnets.iter().find(|n| n.addr().is_ipv4()) else { continue };
        let Some(gateway) = zone.gateways.iter().find(|g| g.is_ipv4()) else { continue };
        let tag = label(&zone.name);
        let (first, last) = tillgate_model::prefix_range(net);
        let range = match zone.role {
            // Terminals get reserved addresses only.
            Role::Pos => format!("{},static,{}", net.network(), net.netmask()),
            _ => {
                let (lo, hi) = (first + (last - first) / 2, last.saturating_sub(1).max(first));
                let address = |bits| address_from_bits(Family::V4, bits);
                format!("{},{},{}", address(lo), address(hi), net.netmask())
            }
        };
        out.push_str(&format!("dhcp-range=set:{tag},{range},12h\n"));
        out.push_str(&format!("dhcp-option=tag:{tag},option:router,{gateway}\n"));
        if site.services.ntp == Some(ServiceAt::Gateway) {
            out.push_str(&format!("dhcp-option=tag:{tag},option:ntp-server,{gateway}\n"));
        }
        if let Some(ServiceAt::Addresses(list)) = &site.services.dns {
            let list: Vec<String> = list.iter().filter(|a| a.is_ipv4()).map(|a| a.to_string()).collect();
            out.push_str(&format!("dhcp-option=tag:{tag},option:dns-server,{}\n", list.join(",")));
        }
    }
    for device in &site.devices {
        let v4 = device.addresses.iter().filter(|a| a.is_ipv4());
        for (mac, address) in device.macs.iter().zip(v4) {
            let mac: Vec<String> = (0..6).rev().map(|i| format!("{:02x}", mac >> (i * 8) & 0xff)).collect();
            out.push_str(&format!("dhcp-host={},{address},{}\n", mac.join(":"), label(&device.name)));
        }
    }
}

/// A DNS label: letters, digits, hyphens.
fn label(text: &str) -> String {
    let word: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let word = word.trim_matches('-').to_string();
    if word.is_empty() { "x".into() } else { word }
}

fn chrony(site: &Site, intent: &Intent) -> String {
    let mut out = format!("# tillgate: {}\n", comment(&site.name));
    out.push_str("# The site's own time source. Name the designated servers of your organisation here (PCI DSS 10.6.2).\n");
    out.push_str("pool pool.ntp.org iburst\ndriftfile /var/lib/chrony/chrony.drift\nmakestep 1 3\nrtcsync\n");
    out.push_str("cmdport 0\n");
    for zone in &intent.topology.zones {
        for net in &zone.subnets {
            out.push_str(&format!("allow {net}\n"));
        }
    }
    out
}
