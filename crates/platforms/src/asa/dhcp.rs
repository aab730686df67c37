//! Address assignment and name lookup by the device itself, where a site asks the firewall for them.

use crate::write::RenderError;
use std::fmt::Write;
use std::net::IpAddr;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::{Intent, Zone};
use tillgate_model::{Family, Text, address_bits, address_from_bits, prefix_range};

/// Addresses of one pool (General CLI guide, DHCP server, guidelines).
const LARGEST_POOL: u128 = 256;

/// How long an address is lent, in seconds.
const LEASE: u32 = 12 * 60 * 60;

/// The DHCP server with its reservations; nothing where somebody else serves.
pub fn server(site: &Site, intent: &Intent) -> Result<String, RenderError> {
    let mut out = String::new();
    let services = &site.services;
    if services.dhcp != Some(ServiceAt::Gateway) || services.dhcp_server.is_some() {
        return Ok(out);
    }
    for zone in &intent.topology.zones {
        let hosts: Vec<(u64, IpAddr)> = site
            .devices
            .iter()
            .filter(|d| d.segment == zone.name)
            .flat_map(|d| d.macs.iter().copied().zip(d.addresses.iter().copied().filter(IpAddr::is_ipv4)))
            .collect();
        let Some((lo, hi)) = pool(zone, &hosts)? else { continue };
        let name = &zone.interface;
        let address = |bits| address_from_bits(Family::V4, bits);
        let _ = writeln!(out, "no dhcpd enable {name}");
        let _ = writeln!(out, "dhcpd address {}-{} {name}", address(lo), address(hi));
        for (mac, address) in hosts {
            let part = |at: u32| mac >> at & 0xffff;
            let _ = writeln!(
                out,
                "dhcpd reserve-address {address} {:04x}.{:04x}.{:04x} {name}",
                part(32),
                part(16),
                part(0)
            );
        }
        let gateway = zone.gateways.iter().find(|g| g.is_ipv4());
        let told = |service: &Option<ServiceAt>| -> Vec<String> {
            match service {
                Some(ServiceAt::Addresses(list)) => {
                    list.iter().filter(|a| a.is_ipv4()).take(2).map(IpAddr::to_string).collect()
                }
                Some(ServiceAt::Gateway) => gateway.map(IpAddr::to_string).into_iter().collect(),
                None => Vec::new(),
            }
        };
        let (resolvers, clocks) = (told(&services.dns), told(&services.ntp));
        if !resolvers.is_empty() {
            let _ = writeln!(out, "dhcpd dns {} interface {name}", resolvers.join(" "));
        }
        if !clocks.is_empty() {
            let _ = writeln!(out, "dhcpd option 42 ip {} interface {name}", clocks.join(" "));
        }
        let _ = writeln!(out, "dhcpd lease {LEASE} interface {name}\ndhcpd enable {name}");
    }
    Ok(out)
}

/// First and last address of a segment's pool: reservations come out of it, and it cannot hold the device's own
/// address. Terminals' segments lend no more than lies between their reservations.
fn pool(zone: &Zone, hosts: &[(u64, IpAddr)]) -> Result<Option<(u128, u128)>, RenderError> {
    let Some(net) = zone.subnets.iter().find(|n| n.addr().is_ipv4()) else { return Ok(None) };
    let (first, last) = prefix_range(net);
    let mut wanted: Vec<u128> = hosts.iter().map(|(_, a)| address_bits(*a)).collect();
    wanted.sort_unstable();
    let (reserved_lo, reserved_hi) = (wanted.first().copied(), wanted.last().copied());
    let half =
        (zone.role != Role::Pos && last - first > 3).then(|| (first + (last - first) / 2 + 1, last - 1));
    let gateway = zone.gateways.iter().find(|g| g.is_ipv4()).map(|g| address_bits(*g));
    let mut lo = reserved_lo.into_iter().chain(half.map(|h| h.0)).min();
    let mut hi = reserved_hi.into_iter().chain(half.map(|h| h.1)).max();
    if let (Some(from), Some(to), Some(gateway)) = (lo, hi, gateway)
        && (from..=to).contains(&gateway)
    {
        if reserved_hi.is_none_or(|r| r < gateway) && from < gateway {
            hi = Some(gateway - 1);
        } else {
            lo = Some(gateway + 1);
        }
    }
    let Some((lo, hi)) = lo.zip(hi).filter(|(lo, hi)| lo <= hi) else { return Ok(None) };
    let hi = hi.min(lo + LARGEST_POOL - 1);
    let fits = wanted.iter().all(|a| (lo..=hi).contains(a));
    match fits {
        true => Ok(Some((lo, hi))),
        false => {
            let text = Text::new("asa-cannot-pool").arg("segment", &zone.name);
            Err(RenderError::CannotExpress(text))
        }
    }
}

/// The resolvers that the device asks for the names in its objects.
pub fn lookup(site: &Site, intent: &Intent) -> String {
    let mut out = String::new();
    if !intent.flows.iter().any(|f| f.by_name) {
        return out;
    }
    let Some(ServiceAt::Addresses(list)) = &site.services.dns else {
        out.push_str("! Objects by name need name servers of the device: dns domain-lookup, dns server-group DefaultDNS\n");
        return out;
    };
    let topology = &intent.topology;
    let mut names: Vec<&String> = Vec::new();
    for address in list {
        match topology.zone_of(Family::of(*address), address_bits(*address)) {
            Some(at) => names.extend(topology.zones.get(at).map(|z| &z.interface)),
            None => names.extend(&topology.uplinks),
        }
    }
    names.sort();
    names.dedup();
    for name in names {
        let _ = writeln!(out, "dns domain-lookup {name}");
    }
    out.push_str("dns server-group DefaultDNS\n");
    for address in list {
        let _ = writeln!(out, " name-server {address}");
    }
    out
}
