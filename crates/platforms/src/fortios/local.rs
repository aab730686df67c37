//! What reaches the unit itself: local-in policies, administrative access, services it runs.

use super::address::subnet;
use super::config::{Block, Entry};
use super::service;
use std::collections::HashSet;
use tillgate_model::{Family, Protocol, Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, InterfaceMatch, Match, Note, Rule};

/// Services that trusted hosts of the administrators limit.
const TRUSTED: &[&str] = &["ping", "https", "http", "ssh", "telnet", "snmp"];

fn ports(protocol: Protocol, text: &str) -> Option<Cube> {
    service::protocol(protocol)?.with(Field::DestinationPort, &service::ports(text)?)
}

/// What a word of `allowaccess` opens; `None` for one that is not known here.
fn access(word: &str, family: Family, global: &Block) -> Option<Vec<Cube>> {
    let set = |key: &str, default: &str| {
        let own = global.child("system global").and_then(|b| b.get(key)).unwrap_or(default);
        ports(Protocol::TCP, own)
    };
    let list: Vec<Option<Cube>> = match word {
        "ping" => {
            let (protocol, kind) = match family {
                Family::V4 => (Protocol::ICMP, 8),
                Family::V6 => (Protocol::ICMPV6, 128),
            };
            vec![service::protocol(protocol).and_then(|c| c.at(Field::SourcePort, kind))]
        }
        "https" => vec![set("admin-sport", "443")],
        "http" => vec![set("admin-port", "80")],
        "ssh" => vec![set("admin-ssh-port", "22")],
        "telnet" => vec![set("admin-telnet-port", "23")],
        "snmp" => vec![ports(Protocol::UDP, "161")],
        "fgfm" => vec![ports(Protocol::TCP, "541")],
        "radius-acct" => vec![ports(Protocol::UDP, "1813")],
        "probe-response" => vec![ports(Protocol::TCP, "8008")],
        "ftm" => vec![ports(Protocol::TCP, "4433")],
        "fabric" | "capwap" | "fctaccess" | "FortiHeartbeat" => {
            vec![ports(Protocol::UDP, "5246-5247"), ports(Protocol::TCP, "8013")]
        }
        _ => return None,
    };
    Some(list.into_iter().flatten().collect())
}

/// The addresses administrators may come from; `None` where one of them may come from anywhere.
fn trusted(global: &Block, family: Family) -> Option<Ranges> {
    let mut all = Ranges::empty();
    let admins = global.table("system admin");
    for admin in admins {
        let mut own = Ranges::empty();
        let mut some = false;
        for setting in &admin.block.settings {
            let fits = match family {
                Family::V4 => setting.key.starts_with("trusthost"),
                Family::V6 => setting.key.starts_with("ip6-trusthost"),
            };
            some |= fits;
            if fits && let Some(ranges) = subnet(family, &setting.values) {
                own = own.union(&ranges);
            }
        }
        if !some {
            return None;
        }
        all = all.union(&own);
    }
    if admins.is_empty() { None } else { Some(all) }
}

struct Opening<'a> {
    family: Family,
    span: &'a Span,
    interface: Option<&'a str>,
    source: Option<&'a Ranges>,
}

fn accept(cube: Cube, opening: &Opening<'_>) -> Rule {
    let mut when = Match { cube, ..Match::default() };
    when.narrow(Field::Family, &Ranges::single(opening.family as u128));
    if let Some(interface) = opening.interface {
        when.input.push(InterfaceMatch { patterns: vec![interface.to_string()], negate: false });
    }
    if let Some(source) = opening.source {
        when.narrow(Field::Source, source);
    }
    Rule { span: opening.span.clone(), when, action: Action::Accept, log: false }
}

/// The same, where the unit may have reasons not to answer.
fn maybe(cube: Cube, opening: &Opening<'_>) -> Rule {
    let mut rule = accept(cube, opening);
    rule.when.doubts.push(Text::new("not-modelled-match").arg("what", "local service"));
    rule
}

/// The same where more is not known than that something may be open; it is told.
fn open(cube: Cube, opening: &Opening<'_>, what: &str, notes: &mut Vec<Note>) -> Rule {
    let text = Text::new("not-modelled-statement").arg("what", what);
    notes.push(Note { span: opening.span.clone(), text: text.clone(), bears: true });
    let mut rule = accept(cube, opening);
    rule.when.doubts.push(text);
    rule
}

/// What proxies, sign-in pages and shared addresses of an interface listen to.
fn proxies(port: &Entry, family: Family, vdoms: &[(&str, &Block)], notes: &mut Vec<Note>) -> Vec<Rule> {
    let block = &port.block;
    let own = block.get("vdom").unwrap_or("root");
    let vdom = vdoms.iter().find(|(name, _)| *name == own).map(|(_, vdom)| *vdom);
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let proxy = |section: &str| vdom.and_then(|v| v.child(section)).filter(|s| s.on("status"));
    if block.on("explicit-web-proxy")
        && let Some(section) = proxy("web-proxy explicit")
        && (family == Family::V4 || section.on("ipv6-status"))
    {
        let ports = ["http", "https", "ftp", "socks"].iter();
        let mut ports: Vec<&str> = ports.filter_map(|k| section.get(&format!("{k}-incoming-port"))).collect();
        if section.get("http-incoming-port").is_none() {
            ports.push("8080");
        }
        found.push(("explicit-web-proxy", ports));
    }
    if block.on("explicit-ftp-proxy")
        && family == Family::V4
        && let Some(section) = proxy("ftp-proxy explicit")
    {
        found.push(("explicit-ftp-proxy", vec![section.get("incoming-port").unwrap_or("21")]));
    }
    if block.get("security-mode") == Some("captive-portal") {
        found.push(("captive-portal", vec!["1000-1003"]));
    }
    let opening = Opening { family, span: &port.span, interface: Some(&port.name), source: None };
    let mut out = Vec::new();
    for (what, list) in found {
        // A port that cannot be read may be any.
        let list = list.iter().flat_map(|text| text.split([',', ' '])).filter(|text| *text != "0");
        let cubes = list.map(|text| self::ports(Protocol::TCP, text).or(service::protocol(Protocol::TCP)));
        out.extend(cubes.flatten().map(|cube| open(cube, &opening, what, notes)));
    }
    if family == Family::V4 && !block.table("vrrp").is_empty() {
        out.extend(service::protocol(Protocol(112)).map(|cube| maybe(cube, &opening)));
    }
    out
}

/// Rules that accept what administrative access and the unit's services open.
pub fn openings(global: &Block, vdoms: &[(&str, &Block)], notes: &mut Vec<Note>) -> Vec<Rule> {
    let mut out = Vec::new();
    for port in global.table("system interface") {
        if port.block.get("status") == Some("down") {
            continue;
        }
        for family in Family::BOTH {
            let (block, key) = match family {
                Family::V4 => (Some(&port.block), "allowaccess"),
                Family::V6 => (port.block.child("ipv6"), "ip6-allowaccess"),
            };
            let hosts = trusted(global, family);
            let second = port.block.table("secondaryip").iter().map(|e| &e.block);
            let second = second.filter(|_| family == Family::V4);
            let words = block.into_iter().chain(second).flat_map(|b| b.values(key));
            let words: std::collections::BTreeSet<&String> = words.collect();
            for word in words {
                let source = hosts.as_ref().filter(|_| TRUSTED.contains(&word.as_str()));
                let opening = Opening { family, span: &port.span, interface: Some(&port.name), source };
                match access(word, family, global) {
                    Some(cubes) => out.extend(cubes.into_iter().map(|cube| accept(cube, &opening))),
                    None => out.push(open(Cube::all(), &opening, &format!("{key} {word}"), notes)),
                }
            }
            out.extend(proxies(port, family, vdoms, notes));
        }
        if port.block.on("dhcp-relay-service") {
            out.extend(udp(67, &port.span, Some(&port.name)));
        }
    }
    for (_, vdom) in vdoms {
        let on = |e: &&Entry| e.block.get("status") != Some("disable");
        for server in vdom.table("system dhcp server").iter().filter(on) {
            out.extend(udp(67, &server.span, server.block.get("interface")));
        }
        for server in vdom.table("system dns-server") {
            for protocol in [Protocol::UDP, Protocol::TCP] {
                for family in Family::BOTH {
                    let opening =
                        Opening { family, span: &server.span, interface: Some(&server.name), source: None };
                    out.extend(ports(protocol, "53").map(|cube| accept(cube, &opening)));
                }
            }
        }
        if let Some(ssl) = vdom.child("vpn ssl settings").filter(|b| b.get("status") != Some("disable")) {
            let port = ssl.get("port").unwrap_or("443");
            for interface in ssl.values("source-interface") {
                let Some(span) = ssl.place("source-interface") else { continue };
                for family in Family::BOTH {
                    let opening = Opening { family, span: &span, interface: Some(interface), source: None };
                    // Whom it answers is limited by settings that are not followed.
                    out.extend(ports(Protocol::TCP, port).map(|cube| maybe(cube, &opening)));
                }
            }
        }
        for server in vdom.table("system dhcp6 server").iter().filter(on) {
            let opening = Opening {
                family: Family::V6,
                span: &server.span,
                interface: server.block.get("interface"),
                source: None,
            };
            out.extend(ports(Protocol::UDP, "547").map(|cube| accept(cube, &opening)));
        }
        for (path, protocol, port) in [
            ("router bgp", Protocol::TCP, Some("179")),
            ("router rip", Protocol::UDP, Some("520")),
            ("router ospf", Protocol(89), None),
        ] {
            let Some(block) = vdom.child(path).filter(|b| !b.children.is_empty() || !b.settings.is_empty())
            else {
                continue;
            };
            let span = block.settings.first().map(|s| s.span.clone());
            let span = span.or_else(|| {
                block.children.iter().find_map(|(_, b)| b.entries.first()).map(|e| e.span.clone())
            });
            let Some(span) = span else { continue };
            let cube = match port {
                Some(port) => ports(protocol, port),
                None => service::protocol(protocol),
            };
            let opening = Opening { family: Family::V4, span: &span, interface: None, source: None };
            out.extend(cube.map(|cube| maybe(cube, &opening)));
        }
        for tunnel in vdom.table("vpn ipsec phase1-interface").iter().chain(vdom.table("vpn ipsec phase1")) {
            for port in [500, 4500] {
                out.extend(udp(port, &tunnel.span, tunnel.block.get("interface")));
            }
            let opening = Opening {
                family: Family::V4,
                span: &tunnel.span,
                interface: tunnel.block.get("interface"),
                source: None,
            };
            out.extend(service::protocol(Protocol(50)).map(|cube| accept(cube, &opening)));
        }
    }
    for block in std::iter::once(global).chain(vdoms.iter().map(|(_, b)| *b)) {
        let Some(ntp) = block.child("system ntp").filter(|b| b.on("server-mode")) else { continue };
        let Some(span) = ntp.place("server-mode") else { continue };
        for interface in ntp.values("interface") {
            for family in Family::BOTH {
                let opening = Opening { family, span: &span, interface: Some(interface), source: None };
                out.extend(ports(Protocol::UDP, "123").map(|cube| accept(cube, &opening)));
            }
        }
    }
    // Two tunnels at one interface open the same, and none of them is of no use for that.
    let mut known = HashSet::new();
    out.retain(|rule: &Rule| {
        let inputs: Vec<String> = rule.when.input.iter().flat_map(|i| i.patterns.clone()).collect();
        !rule.when.doubts.is_empty() || known.insert((rule.when.cube.clone(), inputs))
    });
    out
}

fn udp(port: u16, span: &Span, interface: Option<&str>) -> Option<Rule> {
    let cube = service::protocol(Protocol::UDP)?.at(Field::DestinationPort, port.into())?;
    Some(accept(cube, &Opening { family: Family::V4, span, interface, source: None }))
}
