//! Cisco IOS and IOS XE switches: commands for configuration mode.
//!
//! Catalyst 2960-X and 9200 command references: VLAN, interface, port security, DHCP snooping, ARP inspection.

use super::{Access, Plan, Vlan, plain};
use std::fmt::Write;
use std::net::IpAddr;

/// How many VLANs one command lists: a command line is cut off at 254 characters.
const LISTED: usize = 32;

/// The commands of a switch.
pub(super) fn file(plan: &Plan<'_>) -> String {
    let mut out = format!(
        "! tillgate: switch {} of {}\n! A way back: \"reload in 15\" before, \"reload cancel\" and \"copy running-config startup-config\" when all works.\n",
        plan.switch.name,
        plain(&plan.site.name)
    );
    vlans(plan, &mut out);
    for uplink in &plan.switch.uplinks {
        trunk(plan, uplink, &mut out);
    }
    // After the uplinks are trusted, so that nothing is cut off in between.
    inspection(plan, &mut out);
    for access in &plan.access {
        port(access, &mut out);
    }
    for name in &plan.unused {
        let parking = plan.switch.parking;
        let _ = writeln!(
            out,
            "!\ndefault interface {name}\ninterface {name}\n description not used\n switchport mode access\n switchport access vlan {parking}\n switchport nonegotiate\n shutdown"
        );
    }
    own(plan, &mut out);
    out.push_str("!\nend\n");
    out
}

fn vlans(plan: &Plan<'_>, out: &mut String) {
    let all = || plan.vlans.iter().map(|v| v.id).chain([plan.switch.parking]);
    if all().any(|id| id > 1005) {
        // VTP versions 1 and 2 know no more than 1005.
        out.push_str("vtp mode transparent\n");
    }
    // VLAN 1 is there, and keeps its name.
    for vlan in plan.vlans.iter().filter(|v| v.id != 1) {
        let _ = writeln!(out, "vlan {}\n name {}", vlan.id, vlan.name);
    }
    let _ = writeln!(out, "vlan {}\n name parking", plan.switch.parking);
}

/// Who answers DHCP, and who owns an address, in the VLANs of terminals: the uplinks are trusted, devices are known.
fn inspection(plan: &Plan<'_>, out: &mut String) {
    let list: Vec<String> = plan.pos().map(|v| v.id.to_string()).collect();
    if list.is_empty() {
        return;
    }
    let _ = writeln!(out, "!\nip dhcp snooping vlan {}", list.join(","));
    // Servers without option 82 of their own would refuse what a switch has put it into.
    out.push_str("no ip dhcp snooping information option\nip dhcp snooping\n");
    for vlan in plan.pos() {
        if let Some(device) = unknown(plan, vlan) {
            let _ = writeln!(
                out,
                "! no ARP inspection in VLAN {}: the hardware address of {} is not known, and nothing here assigns its address",
                vlan.id,
                plain(device)
            );
            continue;
        }
        let name = format!("tillgate-{}", vlan.id);
        let _ = writeln!(out, "no arp access-list {name}\narp access-list {name}");
        for device in plan.site.devices.iter().filter(|d| d.segment == vlan.segment.name) {
            for address in device.addresses.iter().filter(|a| a.is_ipv4()) {
                for mac in &device.macs {
                    let _ = writeln!(out, " permit ip host {address} mac host {}", dotted(*mac));
                }
            }
        }
        let _ = writeln!(out, "ip arp inspection filter {name} vlan {}", vlan.id);
        let _ = writeln!(out, "ip arp inspection vlan {}", vlan.id);
    }
}

/// A device that ARP inspection would cut off: nothing says which hardware address it has.
fn unknown<'a>(plan: &'a Plan<'_>, vlan: &Vlan<'_>) -> Option<&'a str> {
    let here = plan.site.devices.iter().filter(|d| d.segment == vlan.segment.name);
    let bare = here.filter(|d| d.macs.is_empty()).map(|d| d.name.as_str()).next();
    bare.filter(|_| plan.site.services.dhcp.is_none())
}

fn trunk(plan: &Plan<'_>, name: &str, out: &mut String) {
    let _ = writeln!(out, "!\ninterface {name}\n description uplink\n switchport mode trunk");
    let _ = writeln!(out, " switchport trunk native vlan {}", plan.switch.parking);
    let ids: Vec<String> = plan.vlans.iter().map(|v| v.id.to_string()).collect();
    for (at, chunk) in ids.chunks(LISTED).enumerate() {
        let add = if at == 0 { "" } else { "add " };
        let _ = writeln!(out, " switchport trunk allowed vlan {add}{}", chunk.join(","));
    }
    if ids.is_empty() {
        out.push_str(" switchport trunk allowed vlan none\n");
    }
    out.push_str(" switchport nonegotiate\n");
    if plan.pos().next().is_some() {
        out.push_str(" ip dhcp snooping trust\n ip arp inspection trust\n");
    }
}

fn port(access: &Access<'_>, out: &mut String) {
    let Access { port, vlan, who, .. } = access;
    let _ = writeln!(
        out,
        "!\ndefault interface {port}\ninterface {port}\n description {}\n switchport mode access\n switchport access vlan {vlan}\n switchport nonegotiate",
        plain(who)
    );
    if let Some(most) = access.most {
        let _ = writeln!(
            out,
            " switchport port-security maximum {most}\n switchport port-security violation restrict\n switchport port-security mac-address sticky"
        );
        for mac in access.device.iter().flat_map(|d| &d.macs) {
            let _ = writeln!(out, " switchport port-security mac-address sticky {}", dotted(*mac));
        }
        out.push_str(" switchport port-security\n");
    }
    out.push_str(" spanning-tree portfast\n spanning-tree bpduguard enable\n no shutdown\n");
}

fn own(plan: &Plan<'_>, out: &mut String) {
    let Some((vlan, address, segment)) = plan.own else { return };
    let _ = writeln!(out, "!\ninterface Vlan{vlan}");
    match (address, segment.subnet, segment.subnet6) {
        (IpAddr::V4(_), Some(net), _) => {
            let _ = writeln!(out, " ip address {address} {}", net.netmask());
        }
        (IpAddr::V6(_), _, Some(net)) => {
            let _ = writeln!(out, " ipv6 address {address}/{}", net.prefix_len());
        }
        _ => {}
    }
    out.push_str(" no shutdown\n");
    match plan.gateway() {
        Some(gateway) if gateway.is_ipv4() => {
            let _ = writeln!(out, "ip default-gateway {gateway}");
        }
        Some(gateway) => {
            let _ = writeln!(out, "ipv6 route ::/0 {gateway}");
        }
        None => {}
    }
}

/// `d495.2400.0011`
fn dotted(mac: u64) -> String {
    format!("{:04x}.{:04x}.{:04x}", mac >> 32 & 0xffff, mac >> 16 & 0xffff, mac & 0xffff)
}
