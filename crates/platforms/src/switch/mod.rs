//! The switch side of segmentation: access ports in their VLANs, uplinks with the site's VLANs only, unused ports shut.
//!
//! Written only; what a switch does is not read back. Every name was checked when the estate was read, and every
//! text for people is replaced per platform.

mod ios;
mod openwrt;
mod routeros;

use std::collections::BTreeSet;
use std::net::IpAddr;
use tillgate_estate::{Device, Plugged, Role, Segment, Site, Switch, SwitchPlatform};
use tillgate_model::Family;

/// The configurations of a site's switches: file name and text, in estate order.
pub fn switches(site: &Site) -> Vec<(String, String)> {
    let write = |switch: &Switch| {
        let plan = Plan::of(site, switch);
        let (ending, text) = match switch.platform {
            SwitchPlatform::Ios => ("cfg", ios::file(&plan)),
            SwitchPlatform::RouterOs => ("rsc", routeros::file(&plan)),
            SwitchPlatform::OpenWrt => ("uci", openwrt::file(&plan)),
        };
        (format!("switch-{}.{ending}", switch.name), text)
    };
    site.switches.iter().map(write).collect()
}

/// A switch before any syntax.
struct Plan<'a> {
    site: &'a Site,
    switch: &'a Switch,
    /// The site's VLANs, by number.
    vlans: Vec<Vlan<'a>>,
    /// Access ports in use, in the order people count them.
    access: Vec<Access<'a>>,
    /// Declared ports that nobody uses.
    unused: Vec<&'a str>,
    /// The VLAN of the switch's own address, with the address.
    own: Option<(u16, IpAddr, &'a Segment)>,
}

struct Vlan<'a> {
    id: u16,
    segment: &'a Segment,
    /// A word for the switch, unique on it.
    name: String,
}

struct Access<'a> {
    port: &'a str,
    vlan: u16,
    /// The device, where the port belongs to one.
    device: Option<&'a Device>,
    /// Whom it is for, for people.
    who: &'a str,
    /// How many hardware addresses may speak: those of the device, or one terminal. `None` for any number.
    most: Option<usize>,
}

impl<'a> Plan<'a> {
    fn of(site: &'a Site, switch: &'a Switch) -> Self {
        let mut used: BTreeSet<String> = ["parking".to_string(), "default".to_string()].into();
        let mut vlans: Vec<Vlan<'_>> = Vec::new();
        for segment in &site.segments {
            let Some(id) = segment.vlan else { continue };
            let mut name: String = crate::companion::label(&segment.name).chars().take(24).collect();
            if !used.insert(name.clone()) {
                name = format!("{name}-{id}");
                used.insert(name.clone());
            }
            vlans.push(Vlan { id, segment, name });
        }
        vlans.sort_by_key(|v| v.id);
        let (mut access, mut unused) = (Vec::new(), Vec::new());
        for port in &switch.ports {
            let (device, segment) = match &port.plugged {
                Plugged::Nothing => {
                    unused.push(port.name.as_str());
                    continue;
                }
                Plugged::Segment(name) => (None, site.segment(name)),
                Plugged::Device(name) => {
                    let device = site.device(name);
                    (device, device.and_then(|d| site.segment(&d.segment)))
                }
            };
            let Some((segment, vlan)) = segment.and_then(|s| s.vlan.map(|vlan| (s, vlan))) else { continue };
            let most = match device {
                Some(device) => Some(device.macs.len().max(1)),
                None => (segment.role == Role::Pos).then_some(1),
            };
            let who = device.map_or(segment.name.as_str(), |d| d.name.as_str());
            access.push(Access { port: &port.name, vlan, device, who, most });
        }
        access.sort_by_key(|a| counted(a.port));
        unused.sort_by_key(|port| counted(port));
        let own = switch.address.and_then(|address| {
            let family = Family::of(address);
            let home = |s: &&Segment| s.subnet(family).is_some_and(|net| net.contains(&address));
            let segment = site.segments.iter().find(home)?;
            Some((segment.vlan?, address, segment))
        });
        Plan { site, switch, vlans, access, unused, own }
    }

    /// The gateway of the switch's own segment.
    fn gateway(&self) -> Option<IpAddr> {
        let (_, address, segment) = self.own?;
        segment.gateways.iter().copied().find(|g| Family::of(*g) == Family::of(address))
    }

    /// The VLANs that terminals stand in.
    fn pos(&self) -> impl Iterator<Item = &Vlan<'a>> {
        self.vlans.iter().filter(|v| v.segment.role == Role::Pos)
    }
}

/// Port names in the order people count: `Gi1/0/2` before `Gi1/0/10`.
fn counted(name: &str) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let after = &rest[word..];
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        out.push((rest[..word].to_string(), after[..digits].parse().unwrap_or(0)));
        rest = &after[digits..];
    }
    out
}

/// Text for people that no command line can misread: letters, digits and plain punctuation of ASCII.
fn plain(text: &str) -> String {
    let keep = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ',' | ':' | '/' | '(' | ')' | '+')
    };
    text.chars().take(80).map(|c| if keep(c) { c } else { '_' }).collect::<String>().trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_as_people_count() {
        let mut ports = ["Gi1/0/10", "Gi1/0/2", "lan1", "Gi1/0/1", "ether12", "ether3"];
        ports.sort_by_key(|p| counted(p));
        assert_eq!(ports, ["Gi1/0/1", "Gi1/0/2", "Gi1/0/10", "ether3", "ether12", "lan1"]);
    }

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(plain("a\nno shutdown\r?\"'$[x]\u{202e}\\"), "a_no shutdown______x___");
    }
}
