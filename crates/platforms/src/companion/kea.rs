//! Address assignment by Kea: `kea-dhcp4.conf` (Kea Administrator Reference Manual, "The DHCPv4 Server").

use super::leases::{LEASE, Subnet, subnets};
use super::mac_text;
use crate::nftables::comment;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use tillgate_estate::{ServiceAt, Site};
use tillgate_intent::Intent;
use tillgate_model::{Family, address_from_bits};

/// The text of `kea-dhcp4.conf`.
pub(super) fn file(site: &Site, intent: &Intent) -> String {
    let subnets = subnets(site, intent);
    let here = site.services.dhcp == Some(ServiceAt::Gateway);
    // A name with a slash would be read as "interface/address"; elsewhere, requests come in by relay.
    let named = here && subnets.iter().all(|s| !s.interface.contains('/'));
    let interfaces: Vec<&str> = if named { subnets.iter().map(|s| s.interface).collect() } else { vec!["*"] };
    let list: Vec<Value> = subnets.iter().map(|s| subnet(s, named)).collect();
    let value = json!({ "Dhcp4": {
        "user-context": { "comment": format!("tillgate: {}", comment(&site.name)) },
        "interfaces-config": { "interfaces": interfaces },
        "lease-database": { "type": "memfile", "persist": true, "lfc-interval": 3600 },
        "authoritative": true,
        "valid-lifetime": LEASE,
        "host-reservation-identifiers": ["hw-address"],
        "reservations-global": false,
        "reservations-in-subnet": true,
        "reservations-out-of-pool": true,
        "subnet4": list,
    }});
    format!("{value:#}\n")
}

fn subnet(subnet: &Subnet<'_>, named: bool) -> Value {
    let mut out = Map::new();
    let mut set = |key: &str, value: Value| out.insert(key.to_string(), value);
    set("id", json!(subnet.id));
    set("subnet", json!(subnet.net.to_string()));
    set("user-context", json!({ "segment": comment(subnet.segment) }));
    if named {
        set("interface", json!(subnet.interface));
    }
    let address = |bits| address_from_bits(Family::V4, bits);
    let pool = |(lo, hi): &(u128, u128)| json!({ "pool": format!("{} - {}", address(*lo), address(*hi)) });
    // No pool for terminals: who has no reservation gets no address.
    set("pools", subnet.pools.as_slice().iter().map(pool).collect());
    let option = |(name, list): (&str, Vec<IpAddr>)| {
        let data: Vec<String> = list.iter().map(IpAddr::to_string).collect();
        (!data.is_empty()).then(|| json!({ "name": name, "data": data.join(", ") }))
    };
    let options = [
        ("routers", subnet.gateway.into_iter().collect()),
        ("domain-name-servers", subnet.resolvers.clone()),
        ("ntp-servers", subnet.clocks.clone()),
    ];
    set("option-data", options.into_iter().filter_map(option).collect());
    let hosts = subnet.hosts.iter().map(|h| {
        json!({ "hw-address": mac_text(h.mac), "ip-address": h.address.to_string(), "hostname": h.label })
    });
    set("reservations", hosts.collect());
    Value::Object(out)
}
