//! Interfaces, groups and addresses of the firewall, as the rest of the file names them.

use super::tree::{El, Product, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use tillgate_model::{Family, Ranges, address_bits};

/// An interface in use.
pub struct Interface<'d> {
    pub device: String,
    /// Addresses of the firewall, by family.
    pub own: [Ranges; 2],
    /// The subnets behind it, by family.
    pub subnets: [Ranges; 2],
    /// Whether there are more, which the provider gives, by family.
    pub dynamic: [bool; 2],
    /// Whether a gateway stands behind it, by family ("WAN type").
    pub uplink: [bool; 2],
    pub element: El<'d>,
}

/// A group of interfaces.
pub struct Group {
    pub members: Vec<String>,
    /// Their devices, sorted.
    devices: Rc<[String]>,
    /// Its place among the groups.
    pub order: i64,
}

/// Everything with an interface name.
pub struct Network<'d> {
    pub product: Product,
    /// Interfaces in use by key (`wan`, `lan`, `opt1`).
    pub interfaces: BTreeMap<String, Interface<'d>>,
    pub groups: BTreeMap<String, Group>,
    /// Whether the file says anything of interfaces.
    pub known: bool,
    /// Addresses of the firewall, by family.
    own: [Ranges; 2],
}

/// Groups that services make, and what their devices are called.
const SERVICE_GROUPS: &[(&str, &[&str])] = &[
    ("openvpn", &["ovpns*", "ovpnc*"]),
    ("wireguard", &["wg*"]),
    ("WireGuard", &["tun_wg*"]),
    ("enc0", &["enc0"]),
    ("ipsec", &["enc0"]),
    ("IPsec", &["enc0"]),
    ("l2tp", &["l2tp*"]),
    ("pppoe", &["poes*"]),
    ("tailscale", &["tailscale*"]),
    ("Tailscale", &["tailscale*"]),
];

fn prefix(family: Family, address: Option<&str>, length: Option<&str>) -> Option<(u128, (u128, u128))> {
    let address: IpAddr = address?.parse().ok()?;
    let max: u32 = if family == Family::V4 { 32 } else { 128 };
    let length = length.map_or(Some(max), |l| l.parse().ok()).filter(|l| *l <= max)?;
    (Family::of(address) == family).then(|| {
        let bits = address_bits(address);
        let host = if max - length == 128 { u128::MAX } else { (1u128 << (max - length)) - 1 };
        (bits, (bits & !host, bits | host))
    })
}

impl<'d> Interface<'d> {
    fn of(element: El<'d>) -> Option<Self> {
        let mut out = Interface {
            device: element.get("if")?.to_string(),
            own: [Ranges::empty(), Ranges::empty()],
            subnets: [Ranges::empty(), Ranges::empty()],
            dynamic: [false, false],
            uplink: [false, false],
            element,
        };
        let keys = [
            (Family::V4, "ipaddr", "subnet", "gateway", "alias-address", "alias-subnet"),
            (Family::V6, "ipaddrv6", "subnetv6", "gatewayv6", "", ""),
        ];
        for (family, address, length, gateway, second, second_length) in keys {
            out.add(family, element.get(address), element.get(length));
            out.add(family, element.get(second), element.get(second_length));
            let given = element.get(address).filter(|a| !matches!(*a, "none" | "static" | "staticv6"));
            let learnt = given.is_some_and(|a| a.parse::<IpAddr>().is_err());
            out.dynamic[family as usize] = learnt;
            let inner = given.is_some_and(|a| matches!(a, "track6" | "idassoc6"));
            let gateway = element.get(gateway).is_some_and(|g| g != "none");
            out.uplink[family as usize] = gateway || learnt && !inner;
        }
        Some(out)
    }

    fn add(&mut self, family: Family, address: Option<&str>, length: Option<&str>) {
        if let Some((own, (lo, hi))) = prefix(family, address, length) {
            let at = family as usize;
            self.own[at] = self.own[at].union(&Ranges::single(own));
            self.subnets[at] = self.subnets[at].union(&Ranges::span(lo, hi));
        }
    }
}

impl<'d> Network<'d> {
    pub fn of(tree: &Tree<'d>) -> Self {
        let sections = tree.all("interfaces");
        let mut interfaces = BTreeMap::new();
        for element in sections.iter().flat_map(El::children) {
            // Groups are listed here too, and again where they are defined.
            let group = element.get("type") == Some("group");
            if !group
                && element.there("enable")
                && let Some(interface) = Interface::of(element)
            {
                interfaces.insert(element.name().to_string(), interface);
            }
        }
        let mut groups = BTreeMap::new();
        for (at, element) in tree.all("ifgroups/ifgroupentry").into_iter().enumerate() {
            let Some(name) = element.get("ifname") else { continue };
            let members = element.get("members").unwrap_or("");
            let members = members.split([',', ' ', '\n']).filter(|m| !m.is_empty()).map(str::to_string);
            let members: Vec<String> = members.collect();
            let used = members.iter().filter_map(|m| interfaces.get(m)).map(|i: &Interface<'_>| &i.device);
            let devices: BTreeSet<&String> = used.collect();
            let devices = devices.into_iter().cloned().collect();
            let order = match tree.product {
                Product::OPNsense => element.get("sequence").and_then(|s| s.parse().ok()).unwrap_or(0),
                Product::PfSense => at as i64,
            };
            groups.insert(name.to_string(), Group { members, devices, order });
        }
        let own = [Ranges::empty(), Ranges::empty()];
        let mut out = Network { product: tree.product, interfaces, groups, known: !sections.is_empty(), own };
        for element in tree.all("virtualip/vip") {
            out.further_address(element);
        }
        for family in Family::BOTH {
            let at = family as usize;
            let all = out.interfaces.values().flat_map(|i| i.own[at].as_slice().to_vec());
            out.own[at] = out.own[at].union(&all.collect());
        }
        out
    }

    /// An address beside that of an interface.
    fn further_address(&mut self, element: El<'d>) {
        if matches!(element.get("mode"), Some("proxyarp" | "other")) {
            return;
        }
        let Some(interface) = element.get("interface").and_then(|i| self.interfaces.get_mut(i)) else {
            return;
        };
        for family in Family::BOTH {
            let found = prefix(family, element.get("subnet"), element.get("subnet_bits"));
            let Some((own, (lo, hi))) = found else { continue };
            let at = family as usize;
            self.own[at] = self.own[at].union(&Ranges::single(own));
            // pfSense: the address of an interface is its first alone.
            if self.product == Product::OPNsense {
                interface.own[at] = interface.own[at].union(&Ranges::single(own));
            }
            interface.subnets[at] = interface.subnets[at].union(&Ranges::span(lo, hi));
        }
    }

    /// Whether anything is called so: an interface, even one that is not in use, or a group.
    pub fn is_group(&self, key: &str) -> bool {
        self.groups.contains_key(key) || SERVICE_GROUPS.iter().any(|(name, _)| *name == key)
    }

    /// The devices behind a key; `None` when there are none, so that no rule can name it.
    pub fn devices(&self, key: &str) -> Option<Rc<[String]>> {
        if let Some(interface) = self.interfaces.get(key) {
            return Some(Rc::from([interface.device.clone()]));
        }
        if let Some(group) = self.groups.get(key) {
            return (!group.devices.is_empty()).then(|| Rc::clone(&group.devices));
        }
        let service = SERVICE_GROUPS.iter().find(|(name, _)| *name == key)?;
        Some(service.1.iter().map(|p| p.to_string()).collect())
    }

    /// Interfaces that a name stands for: itself, or the members of a group.
    pub fn members(&self, key: &str) -> Vec<&Interface<'d>> {
        match (self.interfaces.get(key), self.groups.get(key)) {
            (Some(one), _) => vec![one],
            (None, Some(group)) => group.members.iter().filter_map(|m| self.interfaces.get(m)).collect(),
            (None, None) => Vec::new(),
        }
    }

    /// Every address of the firewall that the file tells.
    pub fn known_own(&self, family: Family) -> &Ranges {
        &self.own[family as usize]
    }

    /// Whether it has addresses that the file does not tell.
    pub fn has_more(&self, family: Family) -> bool {
        !self.known || self.interfaces.values().any(|i| i.dynamic[family as usize])
    }

    /// Keys in the order the firewall looks for a LAN in: `lan`, the lowest `opt`, `wan`.
    pub fn first_inside(&self) -> Option<&str> {
        let rank = |key: &str| match key {
            "lan" => (0, 0),
            "wan" => (2, 0),
            _ => (1, key.trim_start_matches("opt").parse::<u32>().unwrap_or(u32::MAX)),
        };
        let real = self
            .interfaces
            .iter()
            .filter(|(_, i)| !i.element.on("virtual") && !i.element.on("internal_dynamic"));
        real.map(|(key, _)| key.as_str()).min_by_key(|key| rank(key))
    }
}
