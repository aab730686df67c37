//! Sections beside lists and interfaces: groups, classes, policies, zones, terminals and what else decides.

use super::config::*;
use super::entry::{Bad, Service, bad, ipv4, netmask};
use super::lines::Line;
use super::read::{Reader, Section};
use super::words;
use std::net::Ipv6Addr;
use tillgate_model::{Date, Family, Ranges, parse_prefix, prefix_range};

/// `object-group network|service …`
pub fn open_group(reader: &mut Reader<'_>, line: &Line<'_>) {
    let name = line.word(2).to_string();
    let kind = line.word(1).to_ascii_lowercase();
    let span = line.span.clone();
    match kind.as_str() {
        "network" | "v4-network" | "v6-network" | "fqdn" | "geo" => {
            let new = || Networks { span, ranges: Vec::new(), groups: Vec::new(), open: false };
            let group = reader.config.networks.entry(name.clone()).or_insert_with(new);
            group.open |= kind == "fqdn" || kind == "geo";
            reader.enter(Section::Networks(name));
        }
        "service" | "v6-service" => {
            let new = || ServiceGroup { span, services: Vec::new(), groups: Vec::new(), open: false };
            reader.config.services.entry(name.clone()).or_insert_with(new);
            reader.enter(Section::Services(name));
        }
        _ => {
            // Groups of users and of tags filter by who somebody is.
            reader.note(&line.span, "object-group", false);
            reader.enter(Section::Exempt);
        }
    }
}

fn single(word: &str) -> Option<u128> {
    ipv4(word).map(u128::from).or_else(|| word.parse::<Ipv6Addr>().ok().map(u128::from))
}

/// A member of a network group.
pub fn network(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let Some(group) = reader.config.networks.get_mut(name) else { return Ok(()) };
    if group.open || line.is(0, "exit") {
        return Ok(());
    }
    // IOS-XE numbers the members of IPv6 groups.
    let at = usize::from(line.word(0).parse::<u32>().is_ok());
    let first = line.word(at);
    match first.to_ascii_lowercase().as_str() {
        "any" => group.ranges.push((0, u128::MAX)),
        "group-object" => group.groups.push(line.word(at + 1).to_string()),
        "host" => match single(line.word(at + 1)) {
            Some(address) => group.ranges.push((address, address)),
            None if line.word(at + 1).is_empty() => return Err(bad(line, at + 1)),
            None => group.open = true,
        },
        "range" => match (single(line.word(at + 1)), single(line.word(at + 2))) {
            (Some(lo), Some(hi)) if lo <= hi => group.ranges.push((lo, hi)),
            _ => return Err(bad(line, at + 1)),
        },
        // Which of its members goes is not followed.
        "no" => group.open |= !line.is(at + 1, "description"),
        _ => {
            let v6 = parse_prefix(first).filter(|net| net.addr().is_ipv6());
            let mask = line.word(at + 1);
            let masked = ipv4(first).and_then(|address| {
                let length = mask.strip_prefix('/').and_then(|n| n.parse::<u32>().ok()).filter(|n| *n <= 32);
                let mask = match length {
                    Some(length) => u32::MAX.checked_shl(32 - length).unwrap_or(0),
                    None => ipv4(mask)?,
                };
                netmask(address, mask)
            });
            match (v6, masked) {
                (Some(net), _) => group.ranges.push(prefix_range(&net)),
                (None, Some(ranges)) => group.ranges.extend(ranges.as_slice()),
                (None, None) => return Err(bad(line, at)),
            }
        }
    }
    Ok(())
}

/// A member of a service group.
pub fn service(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let Some(group) = reader.config.services.get_mut(name) else { return Ok(()) };
    if line.is(0, "exit") {
        return Ok(());
    }
    let first = line.word(0).to_ascii_lowercase();
    let protocols: Vec<u8> = match first.as_str() {
        "group-object" => {
            group.groups.push(line.word(1).to_string());
            return Ok(());
        }
        "no" => {
            group.open |= !line.is(1, "description");
            return Ok(());
        }
        "tcp-udp" => vec![words::TCP, words::UDP],
        word => match words::protocol(Family::V4, word) {
            Some(Some(protocol)) => vec![protocol],
            Some(None) => {
                group.services.push(Service::default());
                return Ok(());
            }
            None => return Err(bad(line, 0)),
        },
    };
    for protocol in protocols {
        let mut service = Service { protocol: Some(protocol), ..Service::default() };
        if protocol == 1 {
            if let Some((kind, code)) = words::icmp(Family::V4, line.word(1)) {
                service.source = Some(Ranges::single(kind.into()));
                service.destination = code.map(|code| Ranges::single(code.into()));
            } else if let Ok(kind) = line.word(1).parse::<u8>() {
                service.source = Some(Ranges::single(kind.into()));
            }
        } else if !line.word(1).is_empty() {
            let mut at = 1;
            if line.is(1, "source") {
                let (ports, next) = group_ports(line, 2, protocol)?;
                (service.source, at) = (Some(ports), next);
            }
            if !line.word(at).is_empty() {
                service.destination = Some(group_ports(line, at, protocol)?.0);
            }
        }
        group.services.push(service);
    }
    Ok(())
}

/// Ports from a word on, with or without operator; and which word follows.
fn group_ports(line: &Line<'_>, at: usize, protocol: u8) -> Result<(Ranges, usize), Bad> {
    let port = |at: usize| words::port(protocol, line.word(at)).map(u128::from).ok_or_else(|| bad(line, at));
    Ok(match line.word(at).to_ascii_lowercase().as_str() {
        "eq" => (Ranges::single(port(at + 1)?), at + 2),
        "lt" => (Ranges::span(0, port(at + 1)?.saturating_sub(1)), at + 2),
        "gt" => (Ranges::span(port(at + 1)? + 1, 65535), at + 2),
        "range" => (Ranges::span(port(at + 1)?, port(at + 2)?), at + 3),
        _ => (Ranges::single(port(at)?), at + 1),
    })
}

/// `route-map NAME permit|deny N`
pub fn open_clause(reader: &mut Reader<'_>, line: &Line<'_>) {
    let name = line.word(1).to_string();
    let number = line.after(2).iter().find_map(|(_, w)| w.parse().ok()).unwrap_or(10);
    let clause =
        Clause { permit: !line.is(2, "deny"), lists: Vec::new(), interfaces: Vec::new(), open: false };
    reader.config.route_maps.entry(name.clone()).or_default().entry(number).or_insert(clause);
    reader.enter(Section::RouteMap(name, number));
}

/// A line of a route map.
pub fn clause(reader: &mut Reader<'_>, name: &str, number: u32, line: &Line<'_>) -> Result<(), Bad> {
    let map = reader.config.route_maps.get_mut(name);
    let Some(clause) = map.and_then(|m| m.get_mut(&number)) else { return Ok(()) };
    let rest = |from: usize| line.after(from).iter().map(|(_, w)| w.to_string());
    if line.starts(&["match", "ip", "address"]) && !line.is(3, "prefix-list") {
        clause.lists.extend(rest(3));
    } else if line.starts(&["match", "interface"]) {
        clause.interfaces.push(super::interface::name(line, 2).0);
    } else if line.is(0, "match") || line.starts(&["no", "match"]) {
        clause.open = true;
    }
    Ok(())
}

/// `line vty A B`
pub fn open_terminal(reader: &mut Reader<'_>, line: &Line<'_>) {
    if !line.is(1, "vty") {
        reader.enter(Section::Exempt);
        return;
    }
    reader.config.terminals.push(Lines { lists: Default::default() });
    let at = reader.config.terminals.len() - 1;
    reader.enter(Section::Terminal(at));
}

/// A line below terminal lines.
pub fn terminal(reader: &mut Reader<'_>, at: usize, line: &Line<'_>) -> Result<(), Bad> {
    let no = usize::from(line.is(0, "no"));
    let family = if line.is(no, "ipv6") { Family::V6 } else { Family::V4 };
    let first = no + usize::from(family == Family::V6);
    if line.is(first, "access-class") && no == 1 {
        let outward = line.words.last().is_some_and(|(_, w)| w.eq_ignore_ascii_case("out"));
        if let Some(terminal) = reader.config.terminals.get_mut(at).filter(|_| !outward) {
            terminal.lists.remove(&family);
        }
    } else if line.is(first, "access-class") {
        // What goes out is about sessions that somebody on the router opens.
        let inward = line.after(first + 2).iter().any(|(_, w)| w.eq_ignore_ascii_case("in"));
        if let Some(terminal) = reader.config.terminals.get_mut(at).filter(|_| inward) {
            let named = Named { name: line.word(first + 1).to_string(), span: line.span.clone() };
            terminal.lists.insert(family, named);
        }
    } else if line.starts(&["transport", "input"])
        && line
            .after(2)
            .iter()
            .any(|(_, w)| w.eq_ignore_ascii_case("telnet") || w.eq_ignore_ascii_case("all"))
    {
        reader.cleartext(line.span.clone(), "telnet");
    }
    Ok(())
}

/// `time-range NAME`
pub fn open_times(reader: &mut Reader<'_>, line: &Line<'_>) {
    let name = line.word(1).to_string();
    reader.config.times.entry(name.clone()).or_insert(None);
    reader.enter(Section::Times(name));
}

/// A line of a time range: the last day of one that ends for good.
pub fn times(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let end = line.words.iter().position(|(_, w)| w.eq_ignore_ascii_case("end"));
    if line.starts(&["no", "absolute"]) {
        reader.config.times.insert(name.to_string(), None);
    }
    if let Some(at) = end.filter(|_| line.is(0, "absolute")) {
        // end HH:MM D MONTH Y
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let month = line.word(at + 3).to_ascii_lowercase();
        let month = months.iter().position(|m| month.starts_with(m)).and_then(|m| i8::try_from(m + 1).ok());
        let (day, year) = (line.word(at + 2).parse().ok(), line.word(at + 4).parse().ok());
        if let (Some(day), Some(month), Some(year)) = (day, month, year) {
            reader.config.times.insert(name.to_string(), Date::new(year, month, day).ok());
        }
    }
    Ok(())
}

/// What stands below `control-plane`.
pub fn control_plane(reader: &mut Reader<'_>, line: &Line<'_>) -> Result<(), Bad> {
    if line.is(0, "service-policy") {
        let name = line.words.last().map_or("", |(_, w)| w).to_string();
        // What every Catalyst has, to keep its own processor from being flooded.
        if name != "system-cpp-policy" {
            reader.config.control_plane = Some(Named { name, span: line.span.clone() });
        }
    } else if line.starts(&["no", "service-policy"]) {
        reader.config.control_plane = None;
    } else if line.is(0, "management-interface") {
        reader.bear(line.span.clone(), "management-interface");
    }
    Ok(())
}

/// `vlan filter MAP vlan-list 10,20-30`
pub fn vlan_filter(reader: &mut Reader<'_>, line: &Line<'_>) {
    let number = |text: &str| text.trim().parse::<u16>().ok();
    let list = line.after(4).iter().flat_map(|(_, w)| w.split(','));
    let ranges = list.filter(|p| !p.is_empty()).filter_map(|part| {
        let (lo, hi) = part.split_once('-').unwrap_or((part, part));
        Some((number(lo)?, number(hi)?))
    });
    reader.config.vlan_maps.push((line.span.clone(), ranges.collect()));
}

/// `ip inspect name NAME PROTOCOL …`
pub fn inspection(reader: &mut Reader<'_>, line: &Line<'_>) {
    if line.is(2, "name") {
        let named = Named { name: line.word(4).to_ascii_lowercase(), span: line.span.clone() };
        reader.config.inspections.entry(line.word(3).to_string()).or_default().push(named);
    }
    // What else stands here are timeouts, limits and logging.
}

/// `ip port-map APPLICATION port tcp 8080 …`
pub fn port_map(reader: &mut Reader<'_>, line: &Line<'_>) {
    let words: Vec<&str> = line.after(3).iter().map(|(_, w)| *w).collect();
    let protocols: Vec<u8> = match (words.contains(&"tcp"), words.contains(&"udp")) {
        (_, false) => vec![words::TCP],
        (false, true) => vec![words::UDP],
        (true, true) => vec![words::TCP, words::UDP],
    };
    let limited = words.iter().position(|w| *w == "list");
    let numbers: Vec<u16> =
        words.iter().take(limited.unwrap_or(words.len())).filter_map(|w| w.parse().ok()).collect();
    if limited.is_some() {
        reader.bear(line.span.clone(), "ip port-map list");
        return;
    }
    let ports: Vec<(u16, u16)> = match (words.contains(&"from"), numbers.as_slice()) {
        (true, [lo, hi]) => vec![(*lo, *hi)],
        _ => numbers.iter().map(|n| (*n, *n)).collect(),
    };
    let entry = reader.config.applications.entry(line.word(2).to_ascii_lowercase()).or_default();
    entry.extend(protocols.iter().flat_map(|p| ports.iter().map(|(lo, hi)| (*p, *lo, *hi))));
}

/// `ip http …`
pub fn web(reader: &mut Reader<'_>, line: &Line<'_>) {
    if line.is(2, "server") {
        reader.cleartext(line.span.clone(), "http");
    } else if line.is(2, "access-class") {
        reader.config.limited.push(Limited {
            span: line.span.clone(),
            family: if line.is(3, "ipv6") { Family::V6 } else { Family::V4 },
            protocol: words::TCP,
            ports: vec![80, 443],
            what: "ip http access-class".into(),
        });
    }
}

/// `snmp-server …`: a community of versions 1 and 2c is a password in clear, and is not quoted.
pub fn snmp(reader: &mut Reader<'_>, line: &Line<'_>) {
    if !line.is(1, "community") {
        return;
    }
    let shown = tillgate_model::Span { end: line.place(1).end, ..line.span.clone() };
    reader.cleartext(shown.clone(), "snmp");
    let rights = ["ro", "rw", "view"];
    let last = line.words.last().map_or("", |(_, w)| w);
    let limited =
        line.words.len() > 4 || line.words.len() == 4 && !rights.iter().any(|r| last.eq_ignore_ascii_case(r));
    if limited {
        let (family, what) = (Family::V4, "snmp-server community".to_string());
        reader.config.limited.push(Limited {
            span: shown,
            family,
            protocol: words::UDP,
            ports: vec![161],
            what,
        });
    }
}
