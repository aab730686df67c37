//! Services that make rules of their own while they run: what they take is open.

use super::tree::{El, Product, Tree};
use super::user::Reader;
use tillgate_model::{Family, Protocol, Ranges, Text, address_bits};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, InterfaceMatch, Match, Rule};

/// A service, and which packets it may take.
struct Service<'d> {
    element: El<'d>,
    name: &'d str,
    /// Keys of the interfaces it serves; none for all.
    interfaces: Vec<&'d str>,
    /// Addresses it answers for; none for all.
    address: Option<&'d str>,
    protocol: Option<Protocol>,
    ports: &'d [(u128, u128)],
}

impl<'d> Service<'d> {
    fn new(element: El<'d>, name: &'d str) -> Self {
        Service { element, name, interfaces: Vec::new(), address: None, protocol: None, ports: &[] }
    }

    /// Says that it is open, and leaves it open.
    fn rule(self, reader: &mut Reader<'d, '_>) -> Rule {
        // Settings may hold passwords: the first tag alone is shown.
        let span = self.element.head();
        let text = Text::new("not-modelled-statement").arg("what", self.name);
        reader.note(&span, text.clone(), true);
        let mut when = Match { doubts: vec![text], ..Match::default() };
        let network = &reader.aliases.network;
        let devices = self.interfaces.iter().filter_map(|key| network.devices(key));
        let patterns: Vec<String> = devices.flat_map(|list| list.to_vec()).collect();
        if !patterns.is_empty() {
            when.input.push(InterfaceMatch { patterns, negate: false });
        }
        if let Some(protocol) = self.protocol {
            when.narrow(Field::Protocol, &Ranges::single(protocol.0.into()));
        }
        if !self.ports.is_empty() {
            when.narrow(Field::DestinationPort, &self.ports.iter().copied().collect());
        }
        if let Some(address) = self.address.and_then(|a| a.parse().ok()) {
            when.narrow(Field::Family, &Ranges::single(Family::of(address) as u128));
            when.narrow(Field::Destination, &Ranges::single(address_bits(address)));
        }
        Rule { span, when, action: Action::Unknown, log: false }
    }
}

fn words(text: Option<&str>) -> Vec<&str> {
    text.unwrap_or("").split([',', ' ']).filter(|w| !w.is_empty()).collect()
}

fn yes(element: &El<'_>, name: &str) -> bool {
    matches!(element.get(name), Some("on" | "1" | "yes" | "true"))
}

/// What redirects before the port forwards of the user.
pub fn before_forwards<'d>(tree: &Tree<'d>, reader: &mut Reader<'d, '_>, out: &mut Vec<Rule>) {
    let mut found = Vec::new();
    // A proxy for TFTP on some interfaces (PC `filter_nat_rules_generate`).
    found.extend(tree.one("system/tftpinterface").filter(|e| !e.text().is_empty()).map(|element| Service {
        interfaces: words(Some(element.text())),
        protocol: Some(Protocol::UDP),
        ports: &[(69, 69)],
        ..Service::new(element, "tftpinterface")
    }));
    let balanced = tree.all("load_balancer/virtual_server").into_iter();
    found.extend(balanced.map(|element| Service {
        address: element.get("ipaddr"),
        protocol: element.get("relay_protocol").is_none_or(|p| p != "dns").then_some(Protocol::TCP),
        ..Service::new(element, "load_balancer")
    }));
    // Old releases of the proxy have one switch, newer ones another for each kind of traffic.
    let proxies = tree.all("installedpackages/squid/config").into_iter();
    let proxies = proxies.filter(|s| yes(s, "transparent_proxy") || yes(s, "ssl_proxy"));
    found.extend(proxies.map(|element| Service {
        interfaces: words(element.get("transparent_active_interface").or(element.get("active_interface"))),
        protocol: Some(Protocol::TCP),
        ports: &[(80, 80), (443, 443)],
        ..Service::new(element, "squid")
    }));
    // A package that says which function makes its rules (PC `discover_pkg_rules`).
    let own = |p: &El<'_>| p.get("filter_rule_function").is_some();
    let told = |name: &str| ["squid", "miniupnpd"].iter().any(|known| name.eq_ignore_ascii_case(known));
    for element in tree.all("installedpackages/package").into_iter().filter(own) {
        let name = element.get("internal_name").or(element.get("name")).unwrap_or("package");
        if !told(name) {
            found.push(Service::new(element, name));
        }
    }
    out.extend(found.into_iter().map(|service| service.rule(reader)));
}

/// What redirects behind them.
pub fn behind_forwards<'d>(tree: &Tree<'d>, reader: &mut Reader<'d, '_>, out: &mut Vec<Rule>) {
    let mut found = Vec::new();
    if tree.product == Product::OPNsense {
        let on = tree.all("OPNsense/relayd/general").iter().any(|g| yes(g, "enabled"));
        let servers =
            tree.all("OPNsense/relayd/virtualserver").into_iter().filter(|s| on && yes(s, "enabled"));
        found.extend(servers.map(|element| Service {
            address: element.get("listen_address"),
            ..Service::new(element, "relayd")
        }));
        let proxies = tree.all("OPNsense/ftpproxy/ftpproxy").into_iter().filter(|p| yes(p, "enabled"));
        found.extend(
            proxies.map(|element| Service {
                protocol: Some(Protocol::TCP),
                ..Service::new(element, "ftpproxy")
            }),
        );
    }
    let settings =
        tree.all("installedpackages/miniupnpd/config").into_iter().chain(tree.all("OPNsense/upnp"));
    // Devices inside may ask the firewall for port forwards.
    found.extend(settings.into_iter().find(|s| yes(s, "enable")).map(|element| {
        let uplinks = reader.aliases.network.interfaces.iter().filter(|(_, i)| i.uplink[0]);
        let interfaces = uplinks.map(|(_, i)| i.element.name()).collect();
        Service { interfaces, ..Service::new(element, "miniupnpd") }
    }));
    out.extend(found.into_iter().map(|service| service.rule(reader)));
}
