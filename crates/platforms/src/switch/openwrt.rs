//! OpenWrt with DSA: `/etc/config/network` of a device that only switches.
//!
//! openwrt.org: "DSA Mini-Tutorial", "Network configuration" (sections `device` and `bridge-vlan`); netifd's `local`.

use super::{Plan, plain};
use crate::companion::mac_text;
use std::fmt::Write;

/// The bridge all ports are in; the name OpenWrt's own first configuration uses.
const BRIDGE: &str = "br-lan";

/// The file of a switch.
pub(super) fn file(plan: &Plan<'_>) -> String {
    let mut out = format!(
        "# tillgate: switch {} of {}\n# /etc/config/network of a device that only switches; DSA, OpenWrt 21.02 and later.\n# A way back: keep a copy, and put it back from \"sleep 300\" in the background unless all works.\n",
        plan.switch.name,
        plain(&plan.site.name)
    );
    if plan.own.is_none() {
        out.push_str(
            "# The estate names no address of this switch: add an interface of your own, or nobody reaches it.\n",
        );
    }
    for access in plan.access.iter().filter(|a| a.most.is_some()) {
        let macs: Vec<String> = access.device.iter().flat_map(|d| &d.macs).map(|m| mac_text(*m)).collect();
        let _ = writeln!(
            out,
            "# {}: meant for {}{}; this file cannot bind a port to a hardware address",
            access.port,
            plain(access.who),
            macs.iter().map(|m| format!(" {m}")).collect::<String>()
        );
    }
    for port in &plan.unused {
        let _ = writeln!(out, "# {port}: not used; in no bridge, so it stays down");
    }
    out.push_str("\nconfig interface 'loopback'\n\toption device 'lo'\n\toption proto 'static'\n\toption ipaddr '127.0.0.1'\n\toption netmask '255.0.0.0'\n");
    let _ =
        writeln!(out, "\nconfig device\n\toption name '{BRIDGE}'\n\toption type 'bridge'\n\toption stp '1'");
    let uplinks = || plan.switch.uplinks.iter().map(String::as_str);
    for port in uplinks().chain(plan.access.iter().map(|a| a.port)) {
        let _ = writeln!(out, "\tlist ports '{port}'");
    }
    for vlan in &plan.vlans {
        let own = plan.own.is_some_and(|(id, ..)| id == vlan.id);
        let _ = writeln!(out, "\n# {}", plain(&vlan.segment.name));
        let _ = writeln!(out, "config bridge-vlan\n\toption device '{BRIDGE}'\n\toption vlan '{}'", vlan.id);
        if !own {
            // The device itself takes no part in it.
            out.push_str("\toption local '0'\n");
        }
        for port in uplinks() {
            let _ = writeln!(out, "\tlist ports '{port}:t'");
        }
        for access in plan.access.iter().filter(|a| a.vlan == vlan.id) {
            let _ = writeln!(out, "\tlist ports '{}:u*'", access.port);
        }
    }
    own(plan, &mut out);
    out
}

fn own(plan: &Plan<'_>, out: &mut String) {
    let Some((vlan, address, segment)) = plan.own else { return };
    let _ = writeln!(
        out,
        "\nconfig interface 'management'\n\toption device '{BRIDGE}.{vlan}'\n\toption proto 'static'"
    );
    match (address.is_ipv4(), segment.subnet, segment.subnet6) {
        (true, Some(net), _) => {
            let _ = writeln!(out, "\toption ipaddr '{address}'\n\toption netmask '{}'", net.netmask());
        }
        (false, _, Some(net)) => {
            let _ = writeln!(out, "\toption ip6addr '{address}/{}'", net.prefix_len());
        }
        _ => {}
    }
    if let Some(gateway) = plan.gateway() {
        let key = if gateway.is_ipv4() { "gateway" } else { "ip6gw" };
        let _ = writeln!(out, "\toption {key} '{gateway}'");
    }
}
