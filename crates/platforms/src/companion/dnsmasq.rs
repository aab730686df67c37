//! The resolver that fills name sets, and leases: dnsmasq(8).

use super::{label, mac_text};
use crate::nftables::comment;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::Intent;
use tillgate_model::{Family, address_from_bits};

/// The text of `dnsmasq.conf` on the firewall; `with_leases` when it assigns addresses too.
pub(super) fn file(site: &Site, intent: &Intent, lines: &[String], with_leases: bool) -> String {
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
    if with_leases {
        leases(site, intent, &mut out);
    }
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// The text of `dnsmasq.conf` on a server that assigns addresses and does nothing else.
pub(super) fn elsewhere(site: &Site, intent: &Intent) -> String {
    let mut out = format!("# tillgate: {}\n# addresses only\nport=0\n", comment(&site.name));
    leases(site, intent, &mut out);
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
            out.push_str(&format!("dhcp-host={},{address},{}\n", mac_text(*mac), label(&device.name)));
        }
    }
}
