//! Rules that the firewall makes by itself, before and after those of the user.

use super::addresses::{Gathering, Set, Side};
use super::draft::Draft;
use super::network::Interface;
use super::tree::{El, Product, Tree};
use super::user::Reader;
use tillgate_model::{Family, Ranges, Span, Text};

/// What the firewall as a whole is set to.
pub struct Settings {
    /// Where what no line says is shown.
    pub start: Span,
    /// The line that says whether default denials are logged, or the start.
    pub default_place: Span,
    pub log_default: bool,
    pub log_pass: bool,
    pub six: Six,
}

/// Whether IPv6 passes at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Six {
    Allowed,
    Blocked,
    /// Releases differ.
    Unknown,
}

fn side(items: &[&str]) -> Side {
    let mut set = Gathering::default();
    items.iter().for_each(|item| {
        set.item(item, false);
    });
    Side::of(set.done())
}

impl Settings {
    pub fn of(tree: &Tree<'_>, start: &Span) -> Self {
        let quiet = tree.all("syslog").into_iter().find_map(|s| s.child("nologdefaultblock"));
        let six = match tree.product {
            Product::PfSense if tree.one("system").is_none() => Six::Allowed,
            Product::PfSense if tree.one("system/ipv6allow").is_some() => Six::Allowed,
            Product::PfSense => Six::Blocked,
            Product::OPNsense => match tree.text("OPNsense/Interfaces/settings/disableipv6") {
                Some("1") => Six::Blocked,
                Some(_) => Six::Allowed,
                None if tree.one("system/ipv6allow").is_some() || tree.one("system").is_none() => {
                    Six::Allowed
                }
                None => Six::Unknown,
            },
        };
        let pass = tree.all("syslog").iter().any(|s| s.has("nologdefaultpass"));
        Settings {
            start: start.clone(),
            default_place: quiet.map_or_else(|| start.clone(), |e| e.span()),
            log_default: quiet.is_none(),
            log_pass: pass == (tree.product == Product::PfSense),
            six,
        }
    }
}

/// Rules before those of the user, in order.
pub fn before(tree: &Tree<'_>, settings: &Settings, reader: &mut Reader<'_, '_>) -> Vec<Draft> {
    let mut out = Vec::new();
    let start = &settings.start;
    let block = |span: &Span| Draft::new(span, false).logged(settings.log_default);
    let pass = |span: &Span| Draft::new(span, true).logged(settings.log_pass);
    let pfsense = tree.product == Product::PfSense;
    match settings.six {
        Six::Allowed => {}
        Six::Blocked => out.push(Draft { outward: pfsense, ..block(start).family(Family::V6) }),
        Six::Unknown => {
            let place = tree.one("system").map_or_else(|| start.clone(), |s| s.head());
            reader.note(&place, Text::new("opnsense-ipv6"), true);
            out.push(block(&place).family(Family::V6).doubt("ipv6"));
        }
    }
    if pfsense && tree.one("system/no_apipa_block").is_none() {
        let local = side(&["169.254.0.0/16"]);
        out.push(block(start).family(Family::V4).from(local.clone()));
        out.push(block(start).family(Family::V4).to(local));
    }
    if settings.six != Six::Blocked && tree.text("system/no_ipv6_rfc4890_req").is_none() {
        out.extend(control_messages(pfsense, &pass(start)));
    }
    if tree.text("system/no_port0_block").is_none() {
        for draft in [block(start).source_port(0), block(start).port(0)] {
            out.push(Draft { outward: pfsense, ..draft.protocol("tcp/udp") });
        }
    }
    failover(tree, &block, &pass, reader, &mut out);
    dhcp_clients(reader, &pass, &mut out);
    foreign_sources(tree, pfsense, reader, &mut out);
    dhcp_servers(tree, &pass, reader, &mut out);
    portals(tree, &block, reader, &mut out);
    if let Some((device, ports)) = lockout(tree, reader) {
        for port in ports {
            let to = match (pfsense, reader.aliases.network.first_inside()) {
                (true, Some(key)) => Side::of(Set::on(&reader.aliases.network, key)),
                _ => Side::of(Set::myself()),
            };
            out.push(pass(start).on(&device).protocol("tcp").to(to).port(port.into()));
        }
    }
    out
}

/// What firewalls that stand in for one another say to each other (CARP).
fn failover(
    tree: &Tree<'_>,
    block: &impl Fn(&Span) -> Draft,
    pass: &impl Fn(&Span) -> Draft,
    reader: &mut Reader<'_, '_>,
    out: &mut Vec<Draft>,
) {
    let all = tree.all("virtualip/vip");
    // The address has a password: it is shown by its first tag alone.
    let shared = all.iter().find(|v| v.get("mode") == Some("carp")).map(El::head);
    if tree.product == Product::OPNsense {
        for (family, group) in [(Family::V4, "224.0.0.18"), (Family::V6, "ff02::12")] {
            let place = shared.iter();
            out.extend(place.map(|at| pass(at).family(family).protocol("carp").to(side(&[group]))));
        }
        return;
    }
    let synchronised = tree.all("hasync").into_iter().find(|h| h.children().next().is_some());
    let place = all.first().copied().or(synchronised).map(|e| e.head());
    let (at, sure) = match (shared, place) {
        (Some(at), _) => (at, true),
        (None, Some(at)) => (at, false),
        (None, None) => return,
    };
    for draft in [block(&at).from(Side::of(Set::myself())), Draft { outward: true, ..pass(&at) }] {
        let draft = draft.protocol("carp");
        out.push(if sure { draft } else { draft.doubt("carp") });
    }
    if !sure {
        // Releases before 2.7 make the rules for any further address, or for synchronisation alone.
        reader.note(&at, Text::new("not-modelled-match").arg("what", "carp"), true);
    }
}

/// Control messages that IPv6 cannot do without (RFC 4890).
fn control_messages(pfsense: bool, pass: &Draft) -> Vec<Draft> {
    let message = |types: &[u128]| {
        let draft = pass.clone().family(Family::V6).protocol("ipv6-icmp");
        draft.types(Family::V6, types)
    };
    let everywhere: &[u128] = if pfsense { &[1, 2, 135, 136] } else { &[1, 2, 3, 4, 135, 136] };
    let near: &[u128] = &[128, 133, 134, 135, 136];
    let mut out = vec![Draft { outward: pfsense, ..message(everywhere) }];
    for (from, to) in [
        ("fe80::/10", &["fe80::/10", "ff02::/16"][..]),
        ("ff02::/16", &["fe80::/10"]),
        ("::", &["ff02::/16"]),
    ] {
        out.push(message(near).from(side(&[from])).to(side(to)));
    }
    out
}

/// Answers of the servers that give the firewall its own addresses.
fn dhcp_clients(reader: &Reader<'_, '_>, pass: &impl Fn(&Span) -> Draft, out: &mut Vec<Draft>) {
    for interface in reader.aliases.network.interfaces.values() {
        let element = interface.element;
        let on = |key: &str| {
            let place = element.child(key).map_or_else(|| element.head(), |e| e.span());
            pass(&place).on(&interface.device)
        };
        match element.get("ipaddr") {
            Some("dhcp") => {
                let mut answer = on("ipaddr").family(Family::V4).protocol("udp").source_port(67).port(68);
                if reader.product == Product::PfSense {
                    // Tagged on the way in, and blocked on the way out: none is forwarded.
                    let mut own = Set::of(Family::V4, Ranges::single(u32::MAX.into()));
                    own.join(&Set::myself());
                    answer = answer.to(Side::of(own));
                }
                out.push(answer);
            }
            Some("pptp") => {
                let last = |draft: Draft| Draft { quick: false, ..draft.family(Family::V4) };
                out.push(last(on("ipaddr").protocol("tcp").port(1723)));
                out.push(last(on("ipaddr").protocol("gre")));
            }
            _ => {}
        }
        match element.get("ipaddrv6") {
            Some("dhcp6" | "slaac") => {
                out.push(
                    on("ipaddrv6").family(Family::V6).protocol("udp").to(side(&["fe80::/10"])).port(546),
                );
                if reader.product == Product::PfSense {
                    let server = on("ipaddrv6").family(Family::V6).protocol("udp").source_port(547);
                    out.push(server.port(546));
                }
            }
            Some("6rd" | "6to4") => {
                let draft = on("ipaddrv6").family(Family::V4).protocol("ipv6").doubt("ipaddrv6");
                out.push(Draft { quick: false, ..draft });
            }
            _ => {}
        }
    }
}

/// Private and unassigned sources on interfaces that should not see them.
fn foreign_sources(tree: &Tree<'_>, pfsense: bool, reader: &mut Reader<'_, '_>, out: &mut Vec<Draft>) {
    let logs = |key: &str| !tree.all("syslog").iter().any(|s| s.has(key));
    let (log_bogons, log_private) = (logs("nologbogons"), logs("nologprivatenets"));
    let private = match pfsense {
        true => ["10.0.0.0/8 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "fc00::/7"],
        false => [
            "10.0.0.0/8 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16",
            "fd00::/8 fe80::/10 ::1",
        ],
    };
    let marked = |key: &'static str| {
        let all = reader.aliases.network.interfaces.values().filter(move |i| i.element.there(key));
        all.filter_map(move |i| i.element.child(key).map(|e| (e.span(), i.device.clone())))
            .collect::<Vec<_>>()
    };
    let (bogons, privates) = (marked("blockbogons"), marked("blockpriv"));
    for (span, device) in bogons {
        reader.note(&span, Text::new("not-modelled-set").arg("set", "bogons"), true);
        out.push(Draft::new(&span, false).on(&device).logged(log_bogons).doubt("bogons"));
    }
    for (span, device) in privates {
        for (family, list) in [(Family::V4, private[0]), (Family::V6, private[1])] {
            let list: Vec<&str> = list.split(' ').collect();
            let draft = Draft::new(&span, false).on(&device).family(family).from(side(&list));
            out.push(draft.logged(log_private));
        }
    }
}

/// What servers of addresses open for themselves.
fn dhcp_servers(
    tree: &Tree<'_>,
    pass: &impl Fn(&Span) -> Draft,
    reader: &Reader<'_, '_>,
    out: &mut Vec<Draft>,
) {
    let mut served: Vec<(Span, String, Family)> = Vec::new();
    for (section, family) in [("dhcpd", Family::V4), ("dhcpdv6", Family::V6)] {
        for entry in tree.all(section).iter().flat_map(|s| s.children()).filter(|e| e.there("enable")) {
            served.push((entry.head(), entry.name().to_string(), family));
        }
    }
    for (path, family) in [("OPNsense/Kea/dhcp4", Family::V4), ("OPNsense/Kea/dhcp6", Family::V6)] {
        let general = tree.all(path).into_iter().filter_map(|s| s.child("general"));
        for one in general.filter(|g| g.get("enabled") == Some("1") && g.get("fwrules") == Some("1")) {
            let names = one.get("interfaces").unwrap_or("").split(',').filter(|n| !n.is_empty());
            served.extend(names.map(|n| (one.head(), n.to_string(), family)));
        }
    }
    for one in tree.all("dnsmasq").into_iter().filter(|d| d.get("enable") == Some("1")) {
        if one.child("dhcp").is_some_and(|d| d.get("default_fw_rules") == Some("1")) {
            let names = one.get("interface").unwrap_or("").split(',').filter(|n| !n.is_empty());
            served.extend(names.map(|n| (one.head(), n.to_string(), Family::V4)));
        }
    }
    for one in tree.all("dhcrelay").into_iter().filter(|d| d.there("enable")) {
        let names = one.get("interface").unwrap_or("").split(',').filter(|n| !n.is_empty());
        served.extend(names.map(|n| (one.head(), n.to_string(), Family::V4)));
    }
    for (span, key, family) in served {
        let Some(Interface { device, .. }) = reader.aliases.network.interfaces.get(&key) else { continue };
        let base = pass(&span).on(device).family(family).protocol("udp");
        if family == Family::V4 {
            let broadcast = Side::of(Set::of(family, Ranges::single(u32::MAX.into())));
            out.push(base.clone().source_port(68).to(broadcast).port(67));
            out.push(base.source_port(68).to(Side::of(Set::myself())).port(67));
        } else {
            let base = base.from(side(&["fe80::/10"]));
            out.push(base.clone().to(side(&["fe80::/10", "ff02::/16"])).port(546));
            out.push(base.to(side(&["ff02::/16"])).port(547));
        }
    }
}

/// Interfaces on which people have to log in first.
fn portals(
    tree: &Tree<'_>,
    block: &impl Fn(&Span) -> Draft,
    reader: &mut Reader<'_, '_>,
    out: &mut Vec<Draft>,
) {
    let new = tree.all("OPNsense/captiveportal/zones/zone");
    let new = new.into_iter().filter(|z| z.get("enabled") == Some("1")).map(|z| (z, z.get("interfaces")));
    let old = tree.all("captiveportal").into_iter().flat_map(|c| c.children());
    let old = old.filter(|z| z.there("enable")).map(|z| (z, z.get("interface")));
    for (zone, names) in new.chain(old) {
        let head = zone.head();
        let keys = names.unwrap_or("").split(',').filter(|n| !n.is_empty());
        let devices: Vec<String> =
            keys.filter_map(|k| reader.aliases.network.interfaces.get(k)).map(|i| i.device.clone()).collect();
        reader.note(&head, Text::new("not-modelled-statement").arg("what", "captiveportal"), true);
        out.extend(devices.iter().map(|d| block(&head).on(d).doubt("captiveportal")));
    }
}

/// Whether the console of the firewall stays open inside, whatever the rules say.
pub fn lockout_on(tree: &Tree<'_>) -> bool {
    let gui = |system: El<'_>| system.child("webgui").is_some_and(|g| g.has("noantilockout"));
    tree.one("system").is_some_and(|system| !gui(system))
}

/// The interface on which the console of the firewall stays open, and its ports.
pub fn lockout(tree: &Tree<'_>, reader: &Reader<'_, '_>) -> Option<(String, Vec<u16>)> {
    if !lockout_on(tree) {
        return None;
    }
    let system = tree.one("system")?;
    let gui = system.child("webgui");
    let network = &reader.aliases.network;
    let key = match tree.product {
        Product::OPNsense => network.first_inside()?,
        Product::PfSense if network.interfaces.contains_key("lan") => "lan",
        Product::PfSense if network.interfaces.len() == 1 => "wan",
        Product::PfSense => return None,
    };
    let https = gui.and_then(|g| g.get("protocol")).is_none_or(|p| p == "https");
    let port = gui.and_then(|g| g.get("port")).and_then(|p| p.parse().ok());
    let mut ports: Vec<u16> = vec![port.unwrap_or(if https { 443 } else { 80 })];
    if https && !gui.is_some_and(|g| g.has("disablehttpredirect")) {
        ports.push(80);
    }
    let ssh = system.child("ssh");
    let switch = if tree.product == Product::OPNsense { "enabled" } else { "enable" };
    if ssh.is_some_and(|s| s.has(switch)) {
        ports.push(ssh.and_then(|s| s.get("port")).and_then(|p| p.parse().ok()).unwrap_or(22));
    }
    ports.sort_unstable();
    ports.dedup();
    network.interfaces.get(key).map(|i| (i.device.clone(), ports))
}
