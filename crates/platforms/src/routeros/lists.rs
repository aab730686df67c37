//! Interfaces and their lists, address lists, the router's own addresses.

use super::script::Command;
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::{Family, Ranges, address_bits, parse_prefix, prefix_range};
use tillgate_ruleset::InterfaceMatch;

/// Names of ports as they leave the factory.
const PORTS: [&str; 4] = ["combo*", "ether*", "qsfp*", "sfp*"];

/// Who is in an address list.
#[derive(Default)]
pub struct AddressList {
    pub addresses: Ranges,
    /// In it for a time: perhaps no longer.
    pub timed: Ranges,
    /// Names that the router looks up.
    pub names: Vec<String>,
    /// Others may come and go.
    pub open: bool,
}

/// An interface list.
#[derive(Default)]
struct InterfaceList {
    include: Vec<String>,
    exclude: Vec<String>,
    members: BTreeSet<String>,
}

/// What rules refer to.
#[derive(Default)]
pub struct Surroundings {
    /// Interfaces by name, with the kind their section says.
    interfaces: BTreeMap<String, String>,
    lists: BTreeMap<String, InterfaceList>,
    pub addresses: BTreeMap<(Family, String), AddressList>,
    /// The router's own addresses, and the broadcasts of its subnets.
    pub own: BTreeMap<Family, Ranges>,
    pub broadcasts: Ranges,
    /// Whether more addresses come by DHCP, PPP and the like.
    pub more_addresses: bool,
    /// Whether scripts fill address lists.
    pub scripted: bool,
    /// Whether packets may be in an IPsec policy.
    pub ipsec: bool,
}

/// `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`; `None` for what is no address of the family.
pub fn addresses(family: Family, text: &str) -> Option<Ranges> {
    let fits = |t: &str| parse_prefix(t).filter(|n| Family::of(n.addr()) == family);
    if let Some(net) = fits(text) {
        let (lo, hi) = prefix_range(&net.trunc());
        return Some(Ranges::span(lo, hi));
    }
    let (lo, hi) = text.split_once('-')?;
    let (lo, hi) = (fits(lo)?, fits(hi)?);
    let (lo, hi) = (address_bits(lo.addr()), address_bits(hi.addr()));
    (lo <= hi).then(|| Ranges::span(lo, hi))
}

/// The family of a section.
pub fn family_of(path: &str) -> Option<(Family, &str)> {
    path.strip_prefix("ip ")
        .map(|rest| (Family::V4, rest))
        .or_else(|| path.strip_prefix("ipv6 ").map(|rest| (Family::V6, rest)))
}

impl Surroundings {
    /// Gathers everything rules refer to.
    pub fn of(commands: &[Command]) -> Self {
        let mut out = Surroundings::default();
        for command in commands.iter().filter(|c| !c.yes("disabled")) {
            out.command(command);
        }
        // Scripts fill lists too, under whatever conditions.
        let scripts = commands.iter().filter(|c| c.path == "system script" || c.path == "system scheduler");
        let sources = scripts.filter_map(|c| c.get("source").or(c.get("on-event")));
        if sources.into_iter().any(|s| s.contains("address-list")) {
            out.addresses.values_mut().for_each(|list| list.open = true);
            out.scripted = true;
        }
        out
    }

    fn command(&mut self, command: &Command) {
        let path = command.path.as_str();
        // Lists that others fill while the router runs.
        for key in ["address-list", "address-lists"] {
            let fills = match family_of(path) {
                Some((_, "firewall address-list")) => false,
                Some((_, rest)) if rest.starts_with("firewall ") => {
                    command.get("action").is_some_and(|a| a.starts_with("add-"))
                }
                _ => true,
            };
            if let (Some(list), true) = (command.get(key), fills) {
                let families = match family_of(path) {
                    Some((family, rest)) if rest.starts_with("firewall ") => vec![family],
                    _ => Family::BOTH.to_vec(),
                };
                for family in families {
                    for name in list.split(',') {
                        self.addresses.entry((family, name.to_string())).or_default().open = true;
                    }
                }
            }
        }
        match path {
            "interface list" => {
                let name =
                    command.get("name").or(command.find.as_deref().and_then(|f| f.strip_prefix("name=")));
                // Those that are always there keep their meaning.
                if let Some(name) = name.filter(|n| !matches!(*n, "all" | "none" | "dynamic" | "static")) {
                    let list = self.lists.entry(name.to_string()).or_default();
                    let split = |key: &str| {
                        command
                            .get(key)
                            .into_iter()
                            .flat_map(|v| v.split(',').map(str::to_string))
                            .collect::<Vec<_>>()
                    };
                    list.include.extend(split("include"));
                    list.exclude.extend(split("exclude"));
                }
            }
            "interface list member" => {
                if let (Some(list), Some(name)) = (command.get("list"), command.get("interface")) {
                    self.lists.entry(list.to_string()).or_default().members.insert(name.to_string());
                }
            }
            "ip address" | "ipv6 address" => self.own_address(command),
            "ip dhcp-client" | "ipv6 dhcp-client" | "interface lte" => self.more_addresses = true,
            _ if path.starts_with("ip ipsec ") => {
                let kind = &path["ip ipsec ".len()..];
                self.ipsec |= command.verb == "add" && matches!(kind, "peer" | "policy" | "identity");
            }
            _ => {}
        }
        if command.get("ipsec-secret").is_some()
            || matches!(command.get("use-ipsec"), Some("yes" | "required"))
        {
            self.ipsec = true;
        }
        if let Some(kind) = path.strip_prefix("interface ") {
            self.interface(kind, command);
        }
        if let Some((family, "firewall address-list")) = family_of(path)
            && command.verb == "add"
            && let (Some(list), Some(address)) = (command.get("list"), command.get("address"))
        {
            let entry = self.addresses.entry((family, list.to_string())).or_default();
            match addresses(family, address) {
                Some(ranges) if command.get("timeout").is_some() => entry.timed = entry.timed.union(&ranges),
                Some(ranges) => entry.addresses = entry.addresses.union(&ranges),
                None => entry.names.push(address.to_ascii_lowercase()),
            }
            entry.names.sort();
            entry.names.dedup();
        }
    }

    fn own_address(&mut self, command: &Command) {
        let Some(net) = command.get("address").and_then(parse_prefix) else { return };
        if command.get("from-pool").is_some() {
            self.more_addresses = true;
        }
        let family = Family::of(net.addr());
        let bits = address_bits(net.addr());
        let own = self.own.entry(family).or_default();
        *own = own.union(&Ranges::single(bits));
        if family == Family::V4 && net.prefix_len() < 31 {
            self.broadcasts = self.broadcasts.union(&Ranges::single(prefix_range(&net).1));
        }
    }

    fn interface(&mut self, kind: &str, command: &Command) {
        let kind = kind.split(' ').next().unwrap_or(kind);
        if matches!(
            kind,
            "pppoe-client" | "l2tp-client" | "sstp-client" | "pptp-client" | "ovpn-client" | "ppp-client"
        ) {
            self.more_addresses = true;
        }
        let default = command
            .find
            .as_deref()
            .and_then(|f| f.split_whitespace().find_map(|w| w.strip_prefix("default-name=")));
        // `bridge port add interface=ether2` names interfaces that exist, whatever they are.
        for key in ["interface", "bridge"] {
            if let Some(name) = command.get(key) {
                self.interfaces.entry(name.to_string()).or_default();
            }
        }
        if command.path.split(' ').count() > 2 {
            return;
        }
        match command.get("name").or(default) {
            Some(name) => {
                self.interfaces.insert(name.to_string(), kind.to_string());
            }
            None => return,
        }
        // The old name of a port that was given another is none any more.
        if let (Some(default), Some(name)) = (default, command.get("name"))
            && default != name
        {
            self.interfaces.remove(default);
        }
    }

    /// The interfaces of the configuration; ports with nothing set are not printed.
    fn known(&self) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = PORTS.iter().map(|p| p.to_string()).collect();
        all.extend(self.interfaces.keys().cloned());
        all.extend(self.lists.values().flat_map(|l| l.members.iter().cloned()));
        all
    }

    /// The members of a list of one's own; `None` when they cannot be named one by one.
    fn members(&self, list: &str, depth: usize) -> Option<BTreeSet<String>> {
        if list == "none" {
            return Some(BTreeSet::new());
        }
        // Lists do not include themselves; the bound keeps a faulty file from running forever.
        let own = self.lists.get(list).filter(|_| depth < 16)?;
        let mut out = BTreeSet::new();
        for name in &own.include {
            out.extend(self.members(name, depth + 1)?);
        }
        for name in &own.exclude {
            for gone in self.members(name, depth + 1)? {
                out.remove(&gone);
            }
        }
        out.extend(own.members.iter().cloned());
        Some(out)
    }

    /// `in-interface-list=NAME`; `None` for a list that is not given, or made of what cannot be named.
    pub fn list(&self, name: &str, negate: bool) -> Option<InterfaceMatch> {
        Some(match name {
            "all" => InterfaceMatch { patterns: vec!["*".into()], negate },
            "static" => InterfaceMatch { patterns: self.known().into_iter().collect(), negate },
            "dynamic" => InterfaceMatch { patterns: self.known().into_iter().collect(), negate: !negate },
            _ => InterfaceMatch { patterns: self.members(name, 0)?.into_iter().collect(), negate },
        })
    }

    /// `in-interface=NAME`, or a kind of interfaces; `None` where names do not say the kind.
    pub fn named(&self, name: &str, negate: bool) -> Option<InterfaceMatch> {
        let of = |kinds: &[&str]| -> Vec<String> {
            self.interfaces
                .iter()
                .filter(|(_, k)| kinds.contains(&k.as_str()))
                .map(|(n, _)| n.clone())
                .collect()
        };
        let patterns = match name {
            "all-ethernet" => {
                let port = |n: &str| PORTS.iter().any(|p| n.starts_with(p.trim_end_matches('*')));
                if self
                    .interfaces
                    .iter()
                    .any(|(n, kind)| port(n) && !matches!(kind.as_str(), "ethernet" | ""))
                {
                    return None;
                }
                let mut all = of(&["ethernet"]);
                all.extend(PORTS.iter().map(|p| p.to_string()));
                all
            }
            "all-vlan" => of(&["vlan"]),
            "all-wireless" => of(&["wireless", "wifi", "wifiwave2"]),
            "all-ppp" => {
                let mut all = of(&[
                    "pppoe-client",
                    "l2tp-client",
                    "sstp-client",
                    "pptp-client",
                    "ovpn-client",
                    "ppp-client",
                    "pppoe-server",
                    "l2tp-server",
                    "sstp-server",
                    "pptp-server",
                    "ovpn-server",
                    "ppp-server",
                ]);
                // Sessions of the router's own servers are named so.
                all.push("<*".into());
                all
            }
            name => vec![name.to_string()],
        };
        Some(InterfaceMatch { patterns, negate })
    }
}
