//! What any DHCP server must be told, before its syntax: subnets, pools, options, reservations.

use super::label;
use std::collections::BTreeSet;
use std::net::IpAddr;
use tillgate_estate::{Role, ServiceAt, Site};
use tillgate_intent::Intent;
use tillgate_model::{Family, Ranges, address_bits, prefix_range};

/// How long an address is lent, in seconds.
pub(super) const LEASE: u32 = 12 * 60 * 60;

/// A segment as a DHCP server sees it.
pub(super) struct Subnet<'a> {
    /// Number, unique in the site and the same from file to file: the VLAN where every segment has one.
    pub id: usize,
    /// Segment name.
    pub segment: &'a str,
    /// Interface of the firewall.
    pub interface: &'a str,
    /// The IPv4 subnet.
    pub net: ipnet::Ipv4Net,
    /// The firewall's address in it.
    pub gateway: Option<IpAddr>,
    /// Whether only reserved addresses are lent.
    pub reserved_only: bool,
    /// Addresses lent to anybody: the upper half, without what is reserved. Empty for terminals.
    pub pools: Ranges,
    /// Resolvers to tell hosts about.
    pub resolvers: Vec<IpAddr>,
    /// Time servers to tell hosts about.
    pub clocks: Vec<IpAddr>,
    /// Reservations, in estate order.
    pub hosts: Vec<Host>,
}

/// A reservation.
pub(super) struct Host {
    /// A DNS label, unique in the site.
    pub label: String,
    /// Hardware address.
    pub mac: u64,
    /// Its address.
    pub address: IpAddr,
}

/// The subnets of a site, in estate order.
pub(super) fn subnets<'a>(site: &'a Site, intent: &'a Intent) -> Vec<Subnet<'a>> {
    let every_vlan = site.segments.iter().all(|s| s.vlan.is_some());
    let mut labels = BTreeSet::new();
    let mut out = Vec::new();
    for (at, zone) in intent.topology.zones.iter().enumerate() {
        let Some(net) = zone.subnets.iter().find_map(|n| match n {
            ipnet::IpNet::V4(net) => Some(*net),
            ipnet::IpNet::V6(_) => None,
        }) else {
            continue;
        };
        let gateway = zone.gateways.iter().copied().find(IpAddr::is_ipv4);
        let vlan = site.segment(&zone.name).and_then(|s| s.vlan).filter(|_| every_vlan);
        let pools = if zone.role == Role::Pos { Ranges::empty() } else { pool(site, net, gateway) };
        out.push(Subnet {
            id: vlan.map_or(at + 1, usize::from),
            segment: &zone.name,
            interface: &zone.interface,
            net,
            gateway,
            reserved_only: zone.role == Role::Pos,
            pools,
            resolvers: at_service(&site.services.dns, gateway),
            clocks: at_service(&site.services.ntp, gateway),
            hosts: hosts(site, &zone.name, &mut labels),
        });
    }
    out
}

fn at_service(service: &Option<ServiceAt>, gateway: Option<IpAddr>) -> Vec<IpAddr> {
    match service {
        None => Vec::new(),
        Some(ServiceAt::Gateway) => gateway.into_iter().collect(),
        Some(ServiceAt::Addresses(list)) => list.iter().copied().filter(IpAddr::is_ipv4).collect(),
    }
}

/// The upper half of a subnet but the broadcast address, the firewall, devices and switches.
fn pool(site: &Site, net: ipnet::Ipv4Net, gateway: Option<IpAddr>) -> Ranges {
    if net.prefix_len() > 30 {
        return Ranges::empty();
    }
    let (first, last) = prefix_range(&net.into());
    let half = Ranges::span(first + (last - first) / 2 + 1, last - 1);
    let devices = site.devices.iter().flat_map(|d| d.addresses.iter().copied());
    let switches = site.switches.iter().filter_map(|s| s.address);
    let taken = devices.chain(switches).chain(gateway).filter(IpAddr::is_ipv4);
    half.subtract(&taken.map(|a| (address_bits(a), address_bits(a))).collect())
}

fn hosts(site: &Site, segment: &str, labels: &mut BTreeSet<String>) -> Vec<Host> {
    let mut out = Vec::new();
    for device in site.devices.iter().filter(|d| d.segment == segment) {
        let v4 = device.addresses.iter().filter(|a| Family::of(**a) == Family::V4);
        for (mac, address) in device.macs.iter().zip(v4) {
            let base = label(&device.name);
            let mut name = base.clone();
            let mut number = 1;
            while !labels.insert(name.clone()) {
                number += 1;
                name = format!("{base}-{number}");
            }
            out.push(Host { label: name, mac: *mac, address: *address });
        }
    }
    out
}
