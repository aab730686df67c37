//! Which open ports a site asks for.

use crate::baseline::Declared;
use crate::observed::{Device, OpenPort, Scan};
use crate::service::is_printing;
use std::net::IpAddr;
use tillgate_catalog::{Class, Service};
use tillgate_estate::{ServiceAt, Site};
use tillgate_intent::{Flow, Intent, Path, Side};
use tillgate_model::{Family, address_bits};

pub(super) struct Expected<'a> {
    site: &'a Site,
    intent: &'a Intent,
    /// The zone the scan was run from.
    from: Option<usize>,
}

impl<'a> Expected<'a> {
    pub fn of(site: &'a Site, intent: &'a Intent, scan: &Scan) -> Self {
        let zone = |name: &String| intent.topology.zones.iter().position(|z| z.name == *name);
        Expected { site, intent, from: scan.from.as_ref().and_then(zone) }
    }

    /// Whether a device is the firewall, seen from inside.
    pub fn is_firewall(&self, device: &Device) -> bool {
        let mut gateways = self.site.segments.iter().flat_map(|s| &s.gateways);
        gateways.any(|gateway| device.addresses.contains(gateway))
    }

    /// Whether a device is a switch of the site or a server its services name.
    pub fn is_infrastructure(&self, device: &Device) -> bool {
        let switches = self.site.switches.iter().filter_map(|s| s.address.as_ref());
        let services = [Service::Dns, Service::Ntp, Service::Dhcp];
        let servers = services.iter().filter_map(|s| self.site.services.at(*s)).flat_map(|at| match at {
            ServiceAt::Addresses(list) => list.as_slice(),
            ServiceAt::Gateway => &[],
        });
        switches.chain(servers).any(|address| device.addresses.contains(address))
    }

    /// Whether a flow ends at the port, or a device of its class has it by nature. A device that stands elsewhere
    /// than declared keeps what is asked of it.
    pub fn is_expected(&self, device: &Device, known: Option<&Declared>, port: &OpenPort) -> bool {
        let class = known.and_then(|known| self.site.device(&known.name)).map(|d| d.class);
        match class {
            Some(Class::Printer) if is_printing(port.port) => return true,
            // A measuring host offers what it measures with, until its last day.
            Some(Class::Probe) => return true,
            _ => {}
        }
        let declared = known.map_or(&[][..], |known| &known.addresses);
        let is_firewall = self.is_firewall(device);
        let mut addresses = device.addresses.iter().chain(declared);
        addresses.any(|address| {
            self.intent.flows.iter().any(|flow| self.ends_at(flow, *address, port, is_firewall))
        })
    }

    fn ends_at(&self, flow: &Flow, address: IpAddr, port: &OpenPort, is_firewall: bool) -> bool {
        let bits = address_bits(address);
        let there = match flow.path {
            // What leaves by the uplinks ends nowhere inside, however wide its destination.
            Path::Forward { to: Side::Uplinks, .. } => false,
            Path::Forward { to: Side::Zone(_), .. } | Path::Inside { .. } => flow.destination.contains(bits),
            // Only from where it is offered: a scan from another segment shows it open to that one.
            Path::Local { from } => {
                is_firewall
                    && self.from.is_none_or(|zone| from == Side::Zone(zone))
                    && flow.destination.contains(bits)
            }
        };
        there
            && flow.family == Family::of(address)
            && flow.protocol.is_none_or(|protocol| protocol == port.protocol.protocol())
            && flow.ports.as_ref().is_none_or(|ports| ports.contains(u128::from(port.port)))
    }
}
