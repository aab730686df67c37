//! What networks are: the device behind each name, and its static addresses.
//!
//! openwrt.org, "Network configuration", Interfaces; the names of tunnels are those of netifd's protocol handlers.

use super::uci::{Package, Section};
use super::values::{self, Subnet};
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges};

/// Aliases of aliases beyond this lead nowhere.
const DEEPEST: usize = 8;

/// The networks of `/etc/config/network`.
pub struct Networks<'a> {
    by_name: BTreeMap<&'a str, &'a Section>,
    /// Names of the radios' interfaces by network; `None` where the driver gives it.
    radios: BTreeMap<&'a str, Vec<Option<&'a str>>>,
    /// Whether that file was given at all.
    pub given: bool,
}

/// The device of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// Known, or by convention.
    Named(String),
    /// It has one, whose name depends on the hardware.
    Unknown,
    /// There is no such network.
    Missing,
}

/// Addresses of a network, by family.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// Subnets.
    pub subnets: [Ranges; 2],
    /// The router's own.
    pub own: [Ranges; 2],
    /// Which of them may be more: they come from elsewhere.
    pub open: [bool; 2],
}

impl<'a> Networks<'a> {
    /// Gathers them.
    pub fn of(sections: &'a [Section]) -> Self {
        let mut by_name = BTreeMap::new();
        let mut given = false;
        for section in sections.iter().filter(|s| s.package == Package::Network) {
            given |= matches!(section.kind.as_str(), "interface" | "device" | "bridge-vlan");
            if let ("interface", Some(name)) = (section.kind.as_str(), &section.name) {
                by_name.insert(name.as_str(), section);
            }
        }
        let mut radios: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
        let on = |s: &&Section| s.text("disabled").and_then(values::boolean) != Some(true);
        for section in sections.iter().filter(|s| s.kind == "wifi-iface").filter(on) {
            for network in section.words("network") {
                radios.entry(network).or_default().push(section.text("ifname"));
            }
        }
        Networks { by_name, radios, given }
    }

    /// The layer-3 device of a network.
    pub fn device(&self, name: &str) -> Device {
        self.follow(name, 0)
    }

    fn follow(&self, name: &str, depth: usize) -> Device {
        let Some(section) = self.by_name.get(name) else {
            // Without the file a network's name stands for its device.
            return if self.given { Device::Missing } else { Device::Named(name.to_string()) };
        };
        let protocol = section.text("proto").unwrap_or("none");
        let tunnel = |start: &str| Device::Named(format!("{start}-{name}"));
        match protocol {
            "pppoe" | "pppoa" | "ppp" | "pptp" | "l2tp" | "3g" | "6in4" | "6to4" | "6rd" | "ipip" | "vti"
            | "map" => return tunnel(protocol),
            "dslite" => return tunnel("ds"),
            "464xlat" => return tunnel("464"),
            "gre" => return tunnel("gre4"),
            "gretap" => return tunnel("gre4t"),
            "grev6" => return tunnel("gre6"),
            "grev6tap" => return tunnel("gre6t"),
            "wireguard" | "openvpn" | "vxlan" | "vxlan6" | "xfrm" | "openconnect" | "tailscale" => {
                return Device::Named(name.to_string());
            }
            _ => {}
        }
        if section.text("type") == Some("bridge") {
            return tunnel("br");
        }
        match section.text("device").or(section.text("ifname")).map(str::trim) {
            Some(device) if device.starts_with('/') => Device::Unknown,
            Some(device) => match device.strip_prefix('@') {
                Some(_) if depth > DEEPEST => Device::Unknown,
                Some(other) => self.follow(other, depth + 1),
                None => device.split_whitespace().next().map_or(Device::Unknown, |d| Device::Named(d.into())),
            },
            // Wireless interfaces join by themselves, and so may others while the router runs.
            None => match self.radios.get(name).map(Vec::as_slice) {
                Some([Some(radio)]) => Device::Named((*radio).to_string()),
                _ => Device::Unknown,
            },
        }
    }

    /// The addresses of a network; `None` when there is no such network.
    pub fn addresses(&self, name: &str) -> Option<Addresses> {
        let section = match self.by_name.get(name) {
            Some(section) => section,
            None if self.given => return None,
            None => return Some(Addresses { open: [true, true], ..Addresses::default() }),
        };
        let mut out = Addresses::default();
        match section.text("proto").unwrap_or("none") {
            "none" => return Some(out),
            "static" => out.open = [false, section.has("ip6assign") || section.has("ip6prefix")],
            "wireguard" => {}
            _ => out.open = [true, true],
        }
        let mask = section.text("netmask");
        for option in ["ipaddr", "ip6addr", "addresses"] {
            for word in section.words(option) {
                let text = match (word.contains('/'), mask) {
                    (false, Some(mask)) if option == "ipaddr" => format!("{word}/{mask}"),
                    _ => word.to_string(),
                };
                let own = word.split('/').next().and_then(values::subnet);
                if let (Some(Subnet::Range(family, lo, hi)), Some(Subnet::Range(_, own, _))) =
                    (values::subnet(&text), own)
                {
                    let at = family as usize;
                    if let (Some(subnets), Some(all)) = (out.subnets.get_mut(at), out.own.get_mut(at)) {
                        *subnets = subnets.union(&Ranges::span(lo, hi));
                        *all = all.union(&Ranges::single(own));
                    }
                } else if let Some(open) = out.open.get_mut(usize::from(option == "ip6addr")) {
                    *open = true;
                }
            }
        }
        Some(out)
    }
}

/// The addresses of one family.
pub fn of_family<T: Clone + Default>(pair: &[T; 2], family: Family) -> T {
    pair.get(family as usize).cloned().unwrap_or_default()
}
