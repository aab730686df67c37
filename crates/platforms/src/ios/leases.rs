//! Names and leases that a site asks its router for: DHCP pools with reserved addresses, and the resolver.

use std::fmt::Write;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::Intent;
use tillgate_model::{Family, address_from_bits, prefix_range};

/// Names and leases, where the site asks the router for them; `names` are the words of the segments.
pub fn services(site: &Site, intent: &Intent, names: &[String]) -> String {
    let on = |service: &Option<ServiceAt>| *service == Some(ServiceAt::Gateway);
    let services = &site.services;
    let mut out = String::new();
    if on(&services.dns) {
        out.push_str("ip dns server\n!\n");
    }
    if !on(&services.dhcp) {
        return out;
    }
    for (zone, name) in intent.topology.zones.iter().zip(names) {
        let net = zone.subnets.iter().find(|n| n.addr().is_ipv4());
        let gateway = zone.gateways.iter().find(|g| g.is_ipv4());
        let (Some(net), Some(gateway)) = (net, gateway) else { continue };
        let mut options = format!(" default-router {gateway}\n");
        match &services.dns {
            Some(ServiceAt::Gateway) => {
                let _ = writeln!(options, " dns-server {gateway}");
            }
            Some(ServiceAt::Addresses(list)) => {
                let list: Vec<String> =
                    list.iter().filter(|a| a.is_ipv4()).map(ToString::to_string).collect();
                let _ = writeln!(options, " dns-server {}", list.join(" "));
            }
            None => {}
        }
        let (first, last) = prefix_range(net);
        // Terminals get reserved addresses only.
        if zone.role != Role::Pos {
            let address = |bits| address_from_bits(Family::V4, bits);
            let _ = write!(
                out,
                "ip dhcp excluded-address {} {}\nip dhcp pool TG-{name}\n network {} {}\n{options}!\n",
                address(first),
                address(first + (last - first) / 2),
                net.network(),
                net.netmask()
            );
        }
        let here = site.devices.iter().filter(|d| d.segment == zone.name);
        let reserved = here.flat_map(|d| d.macs.iter().zip(d.addresses.iter().filter(|a| a.is_ipv4())));
        for (number, (mac, address)) in reserved.enumerate() {
            // The type of hardware (01, Ethernet) and the address, in fours.
            let digits = format!("01{mac:012x}");
            let fours: Vec<&str> = (0..digits.len())
                .step_by(4)
                .filter_map(|at| digits.get(at..(at + 4).min(digits.len())))
                .collect();
            let _ = write!(
                out,
                "ip dhcp pool TG-{name}-{}\n host {address} {}\n client-identifier {}\n{options}!\n",
                number + 1,
                net.netmask(),
                fours.join(".")
            );
        }
    }
    out
}
