//! MikroTik RouterOS 7: bridge VLAN filtering, as a script for `/import`.
//!
//! help.mikrotik.com: "Bridging and Switching" (bridge ports, VLAN table, hosts, filter, DHCP snooping).

use super::{Access, Plan, plain};
use crate::companion::mac_text;
use std::fmt::Write;
use std::net::IpAddr;

/// The bridge all ports are in; the name MikroTik's own first configuration uses.
const BRIDGE: &str = "bridge";

/// The script of a switch.
pub(super) fn file(plan: &Plan<'_>) -> String {
    let mut out = format!(
        "# tillgate: switch {} of {}\n# A way back: safe mode (Ctrl-X) around /import; without an address of its own the switch is reached by MAC address only.\n",
        plan.switch.name,
        plain(&plan.site.name)
    );
    let _ = writeln!(
        out,
        ":if ([:len [/interface bridge find where name=\"{BRIDGE}\"]] = 0) do={{ /interface bridge add name={BRIDGE} }}\n/interface bridge\nset [find where name=\"{BRIDGE}\"] dhcp-snooping=yes frame-types=admit-only-vlan-tagged ingress-filtering=yes protocol-mode=rstp vlan-filtering=no"
    );
    ports(plan, &mut out);
    vlans(plan, &mut out);
    bound(plan, &mut out);
    own(plan, &mut out);
    let _ = writeln!(out, "/interface bridge\nset [find where name=\"{BRIDGE}\"] vlan-filtering=yes");
    out
}

fn comment(text: &str) -> String {
    format!("\"tillgate: {}\"", plain(text))
}

fn ports(plan: &Plan<'_>, out: &mut String) {
    out.push_str("/interface bridge port\n");
    let parking = plan.switch.parking;
    let all = plan.switch.uplinks.iter().map(String::as_str);
    let all = all.chain(plan.access.iter().map(|a| a.port)).chain(plan.unused.iter().copied());
    for name in all {
        let _ = writeln!(out, "remove [find where interface=\"{name}\"]");
    }
    for name in &plan.switch.uplinks {
        let _ = writeln!(
            out,
            "add bridge={BRIDGE} comment={} frame-types=admit-only-vlan-tagged ingress-filtering=yes interface={name} pvid={parking} trusted=yes",
            comment("uplink")
        );
    }
    for access in &plan.access {
        // Frames that a switch chip forwards never meet the filter, so a port bound to a device is not offloaded.
        let bound = if macs(access).is_empty() { "" } else { " hw=no learn=no unknown-unicast-flood=no" };
        let _ = writeln!(
            out,
            "add bpdu-guard=yes bridge={BRIDGE} comment={} edge=yes frame-types=admit-only-untagged-and-priority-tagged{bound} ingress-filtering=yes interface={} pvid={} trusted=no",
            comment(access.who),
            access.port,
            access.vlan
        );
    }
    for name in &plan.unused {
        let _ = writeln!(
            out,
            "add bridge={BRIDGE} comment={} frame-types=admit-only-untagged-and-priority-tagged ingress-filtering=yes interface={name} pvid={parking} trusted=no",
            comment("not used")
        );
    }
    out.push_str("/interface ethernet\n");
    for access in &plan.access {
        let _ = writeln!(out, "set [find where name=\"{}\"] disabled=no", access.port);
    }
    for name in &plan.unused {
        let _ = writeln!(out, "set [find where name=\"{name}\"] disabled=yes");
    }
}

fn vlans(plan: &Plan<'_>, out: &mut String) {
    let _ = writeln!(out, "/interface bridge vlan\nremove [find where bridge=\"{BRIDGE}\" and dynamic=no]");
    for vlan in &plan.vlans {
        let own = plan.own.is_some_and(|(id, ..)| id == vlan.id).then_some(BRIDGE);
        let tagged: Vec<&str> =
            own.into_iter().chain(plan.switch.uplinks.iter().map(String::as_str)).collect();
        let untagged: Vec<&str> = plan.access.iter().filter(|a| a.vlan == vlan.id).map(|a| a.port).collect();
        let untagged =
            if untagged.is_empty() { String::new() } else { format!(" untagged={}", untagged.join(",")) };
        let _ = writeln!(
            out,
            "add bridge={BRIDGE} comment={} tagged={}{untagged} vlan-ids={}",
            comment(&vlan.segment.name),
            tagged.join(","),
            vlan.id
        );
    }
}

/// Ports bound to a device: its hardware addresses are known there, and no other passes.
fn bound(plan: &Plan<'_>, out: &mut String) {
    let _ = writeln!(out, "/interface bridge host\nremove [find where bridge=\"{BRIDGE}\" and dynamic=no]");
    for access in &plan.access {
        for mac in macs(access) {
            let _ = writeln!(
                out,
                "add bridge={BRIDGE} interface={} mac-address={} vid={}",
                access.port,
                mac_text(*mac).to_ascii_uppercase(),
                access.vlan
            );
        }
    }
    out.push_str("/interface bridge filter\nremove [find where comment~\"^tillgate\"]\n");
    for access in plan.access.iter().filter(|a| !macs(a).is_empty()) {
        for chain in ["forward", "input"] {
            for mac in macs(access) {
                let _ = writeln!(
                    out,
                    "add action=accept chain={chain} comment={} in-interface={} src-mac-address={}/FF:FF:FF:FF:FF:FF",
                    comment(access.who),
                    access.port,
                    mac_text(*mac).to_ascii_uppercase()
                );
            }
            let _ = writeln!(
                out,
                "add action=drop chain={chain} comment={} in-interface={} log=yes log-prefix=\"tillgate port\"",
                comment(&format!("only {}", access.who)),
                access.port
            );
        }
    }
}

fn macs<'a>(access: &Access<'a>) -> &'a [u64] {
    access.device.map_or(&[], |d| &d.macs)
}

fn own(plan: &Plan<'_>, out: &mut String) {
    let Some((vlan, address, segment)) = plan.own else { return };
    let net = if address.is_ipv4() { segment.subnet } else { segment.subnet6 };
    let Some(net) = net else { return };
    let path = if address.is_ipv4() { "/ip" } else { "/ipv6" };
    let name = format!("tillgate-{vlan}");
    let _ = writeln!(
        out,
        ":if ([:len [/interface vlan find where name=\"{name}\"]] = 0) do={{ /interface vlan add interface={BRIDGE} name={name} vlan-id={vlan} }}"
    );
    let prefix = net.prefix_len();
    let _ = writeln!(
        out,
        ":if ([:len [{path} address find where interface=\"{name}\" and address=\"{address}/{prefix}\"]] = 0) do={{ {path} address add address={address}/{prefix} interface={name} }}"
    );
    if let Some(gateway) = plan.gateway() {
        let all = if matches!(gateway, IpAddr::V4(_)) { "0.0.0.0/0" } else { "::/0" };
        let _ = writeln!(
            out,
            "{path} route\nremove [find where comment~\"^tillgate\"]\nadd comment={} dst-address={all} gateway={gateway}",
            comment("management")
        );
    }
}
