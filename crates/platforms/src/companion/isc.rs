//! Address assignment by ISC dhcpd: `dhcpd.conf`(5). OpenBSD's dhcpd reads the same words.

use super::leases::{LEASE, Subnet, subnets};
use super::mac_text;
use crate::nftables::comment;
use std::fmt::Write;
use std::net::IpAddr;
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Family, address_from_bits};

/// The text of `dhcpd.conf`.
pub(super) fn file(site: &Site, intent: &Intent) -> String {
    let mut out = format!("# tillgate: {}\n", comment(&site.name));
    let _ = writeln!(out, "authoritative;\ndefault-lease-time {LEASE};\nmax-lease-time {LEASE};");
    let subnets = subnets(site, intent);
    for net in &subnets {
        subnet(net, &mut out);
    }
    for host in subnets.iter().flat_map(|s| &s.hosts) {
        let _ = writeln!(
            out,
            "\nhost {} {{\n    hardware ethernet {};\n    fixed-address {};\n}}",
            host.label,
            mac_text(host.mac),
            host.address
        );
    }
    out
}

fn subnet(subnet: &Subnet<'_>, out: &mut String) {
    let _ = writeln!(out, "\n# {}", comment(subnet.segment));
    let _ = writeln!(out, "subnet {} netmask {} {{", subnet.net.network(), subnet.net.netmask());
    let mut option = |name: &str, list: &[IpAddr]| {
        let list: Vec<String> = list.iter().map(IpAddr::to_string).collect();
        if !list.is_empty() {
            let _ = writeln!(out, "    option {name} {};", list.join(", "));
        }
    };
    option("routers", subnet.gateway.as_slice());
    option("domain-name-servers", &subnet.resolvers);
    option("ntp-servers", &subnet.clocks);
    if subnet.reserved_only {
        out.push_str("    # Terminals get reserved addresses only.\n    deny unknown-clients;\n");
    }
    for (lo, hi) in subnet.pools.as_slice() {
        let address = |bits| address_from_bits(Family::V4, bits);
        let _ = writeln!(out, "    range {} {};", address(*lo), address(*hi));
    }
    out.push_str("}\n");
}
