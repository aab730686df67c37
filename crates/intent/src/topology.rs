//! Where addresses live: segments behind interfaces, everything else behind the uplinks.

use ipnet::IpNet;
use std::net::IpAddr;
use tillgate_estate::{Role, Site};
use tillgate_model::{Family, Ranges, address_bits, prefix_range};

/// A segment as the firewall sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Segment name.
    pub name: String,
    /// Interface name.
    pub interface: String,
    /// What it is for.
    pub role: Role,
    /// Its subnets, at most one per family.
    pub subnets: Vec<IpNet>,
    /// The firewall's addresses in it.
    pub gateways: Vec<IpAddr>,
    /// Whether everybody in it may reach the internet.
    pub internet: bool,
}

impl Zone {
    /// The addresses of the segment.
    pub fn ranges(&self, family: Family) -> Ranges {
        self.subnets.iter().filter(|n| Family::of(n.addr()) == family).map(prefix_range).collect()
    }

    /// The firewall's own addresses in the segment.
    pub fn gateway_ranges(&self, family: Family) -> Ranges {
        let own = self.gateways.iter().filter(|a| Family::of(**a) == family);
        own.map(|a| (address_bits(*a), address_bits(*a))).collect()
    }

    /// The directed broadcast address of the IPv4 subnet.
    pub fn broadcast(&self) -> Option<u128> {
        let net = self.subnets.iter().find(|n| n.addr().is_ipv4() && n.prefix_len() < 31)?;
        Some(address_bits(net.broadcast()))
    }
}

/// The segments and uplinks of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Segments, in estate order.
    pub zones: Vec<Zone>,
    /// Uplink interfaces.
    pub uplinks: Vec<String>,
}

impl Topology {
    /// The topology of a site.
    pub fn of(site: &Site) -> Self {
        let zones = site.segments.iter().map(|s| Zone {
            name: s.name.clone(),
            interface: s.interface.clone(),
            role: s.role,
            subnets: [s.subnet, s.subnet6].into_iter().flatten().collect(),
            gateways: s.gateways.clone(),
            internet: s.internet,
        });
        Topology { zones: zones.collect(), uplinks: site.firewall.wan.clone() }
    }

    /// All addresses of all segments.
    pub fn inside(&self, family: Family) -> Ranges {
        self.zones.iter().fold(Ranges::empty(), |all, z| all.union(&z.ranges(family)))
    }

    /// The firewall's own addresses, as far as the estate knows them.
    pub fn gateways(&self, family: Family) -> Ranges {
        self.zones.iter().fold(Ranges::empty(), |all, z| all.union(&z.gateway_ranges(family)))
    }

    /// The zone that holds an address.
    pub fn zone_of(&self, family: Family, address: u128) -> Option<usize> {
        self.zones.iter().position(|z| z.ranges(family).contains(address))
    }
}
