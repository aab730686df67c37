//! What stands below an interface.

use super::config::*;
use super::entry::{Bad, bad, ipv4, netmask};
use super::exempt;
use super::lines::Line;
use super::read::{Reader, Section, told};
use super::undo;
use tillgate_model::{Family, Span};

/// The name of an interface from a word on, and how many words it takes: `Vlan 10` is `Vlan10`.
pub fn name(line: &Line<'_>, at: usize) -> (String, usize) {
    let (first, second) = (line.word(at), line.word(at + 1));
    let split = !first.is_empty()
        && !first.contains(|c: char| c.is_ascii_digit())
        && second.starts_with(|c: char| c.is_ascii_digit());
    if split { (format!("{first}{second}"), 2) } else { (first.to_string(), 1) }
}

/// `interface …`
pub fn open(reader: &mut Reader<'_>, line: &Line<'_>) {
    let (name, _) = name(line, 1);
    if name.is_empty() || line.is(1, "range") {
        reader.bear(line.span.clone(), "interface range");
        reader.enter(Section::Exempt);
        return;
    }
    reader.config.interfaces.entry(name.clone()).or_default();
    reader.enter(Section::Interface(name));
}

/// The direction a word names.
pub fn direction(line: &Line<'_>, at: usize) -> Result<Direction, Bad> {
    match line.word(at).to_ascii_lowercase().as_str() {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err(bad(line, at)),
    }
}

fn named(line: &Line<'_>, at: usize) -> Named {
    Named { name: line.word(at).to_string(), span: line.span.clone() }
}

/// The side of translation that a word names.
pub fn side(word: &str) -> Option<NatSide> {
    Some(match word.to_ascii_lowercase().as_str() {
        "inside" => NatSide::Inside,
        "outside" => NatSide::Outside,
        "enable" => NatSide::Both,
        _ => return None,
    })
}

/// Whether words, from one on, are a setting of an interface that is a bound.
pub fn bounds(line: &Line<'_>, at: usize) -> bool {
    let plain = ["crypto", "cts", "rate-limit", "bridge-group", "mac", "utd"];
    let addressed = ["policy", "admission", "auth-proxy", "ips", "urlfilter", "portmap", "wccp", "inspect"];
    match line.is(at, "ip") || line.is(at, "ipv6") {
        true => addressed.iter().any(|k| line.is(at + 1, k)),
        false => plain.iter().any(|k| line.is(at, k)),
    }
}

/// A line below an interface.
pub fn line(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let Some(interface) = reader.config.interfaces.get_mut(name) else { return Ok(()) };
    let mut bound = |what: &str, direction: Option<Direction>, family: Option<Family>| {
        let bound = Bound { span: line.span.clone(), what: what.to_string(), direction, family, bears: true };
        interface.bounds.push(bound);
    };
    let default = line.word(0).eq_ignore_ascii_case("default");
    if line.is(0, "no") || default {
        // Whether a port is on by default, and of a switch, is not known.
        let open = default && (line.is(1, "shutdown") || line.is(1, "switchport"));
        if open || !undo::on_interface(interface, line) {
            let (end, what) = told(line, 1);
            let (span, what) = (Span { start: line.span.start, ..end }, format!("{} {what}", line.word(0)));
            let (direction, family) = (None, None);
            interface.bounds.push(Bound { span, what, direction, family, bears: true });
        }
        return Ok(());
    }
    match () {
        () if line.starts(&["ip", "access-group"]) => {
            if line.is(3, "common") {
                bound("ip access-group common", Some(direction(line, 5)?), Some(Family::V4));
            } else {
                interface.lists.insert((Family::V4, direction(line, 3)?), named(line, 2));
            }
        }
        () if line.starts(&["ipv6", "traffic-filter"]) => {
            interface.lists.insert((Family::V6, direction(line, 3)?), named(line, 2));
        }
        () if line.is(0, "zone-member") => interface.zone = Some(named(line, 2)),
        () if line.starts(&["ip", "nat"]) => {
            // `ip nat allow-static-host` and the like translate nothing.
            interface.nat = side(line.word(2)).or(interface.nat);
        }
        () if line.is(0, "ip") && line.word(1).eq_ignore_ascii_case("inspect") => {
            interface.inspect.insert(direction(line, 3)?, named(line, 2));
        }
        () if line.is(0, "ipv6") && line.word(1).eq_ignore_ascii_case("inspect") => {
            bound("ipv6 inspect", None, Some(Family::V6));
        }
        () if line.starts(&["ip", "address"]) => address(interface, line)?,
        () if line.is(1, "verify") && line.is(2, "unicast") => reverse_path(interface, line),
        () if line.is(0, "shutdown") => interface.shutdown = Some(line.span.clone()),
        () if line.is(0, "switchport") => {
            interface.switchport = true;
            if line.is(1, "access") && line.is(2, "vlan") {
                interface.vlan = line.word(3).parse().ok();
            }
        }
        () if line.is(0, "service-policy") => {
            let inward = line.is(1, "input");
            let outward = line.is(1, "output");
            if inward || outward {
                let direction = if inward { Direction::In } else { Direction::Out };
                interface.policies.push((direction, named(line, 2)));
            } else if !line.is(1, "history") {
                bound("service-policy", None, None);
            }
        }
        () if line.is(0, "ip") && line.is(1, "policy") => {
            bound("ip policy", Some(Direction::In), Some(Family::V4));
        }
        () if line.is(0, "ipv6") && line.is(1, "policy") => {
            bound("ipv6 policy", Some(Direction::In), Some(Family::V6));
        }
        () if line.starts(&["crypto", "map"]) => bound("crypto map", None, Some(Family::V4)),
        () if line.is(0, "cts") && line.is(1, "role-based") => bound("cts role-based", None, None),
        () if line.is(0, "rate-limit") => {
            let direction = if line.is(1, "input") { Direction::In } else { Direction::Out };
            bound("rate-limit", Some(direction), None);
        }
        () if line.is(0, "bridge-group") || line.starts(&["mac", "access-group"]) => {
            bound(line.word(0), None, None);
        }
        () if line.is(0, "utd") => bound("utd", None, None),
        () if ["admission", "auth-proxy", "ips", "urlfilter", "portmap"]
            .iter()
            .any(|k| line.is(0, "ip") && line.word(1).eq_ignore_ascii_case(k)) =>
        {
            bound(&format!("ip {}", line.word(1)), None, Some(Family::V4));
        }
        // Addresses of the sixth version are no part of what is modelled.
        () if line.is(0, "ipv6") && line.is(1, "address") => {}
        () if exempt::on_interface(line.word(0), line.word(1)) => {
            interface.open_address |= line.is(0, "ip") && line.is(1, "unnumbered");
        }
        // Not indented, it may be a command of its own.
        () if reader.flat => reader.untold(line),
        () => {
            let (span, what) = told(line, 0);
            interface.bounds.push(Bound { span, what, direction: None, family: None, bears: true });
        }
    }
    Ok(())
}

fn address(interface: &mut Interface, line: &Line<'_>) -> Result<(), Bad> {
    let Some(address) = ipv4(line.word(2)) else {
        if line.word(2).is_empty() {
            return Err(bad(line, 2));
        }
        // dhcp, negotiated, pool NAME
        interface.open_address = true;
        return Ok(());
    };
    let ranges = ipv4(line.word(3)).and_then(|mask| netmask(address, mask));
    let Some(ranges) = ranges else { return Err(bad(line, 3)) };
    if !line.is(4, "secondary") {
        // The main address is replaced, others are added.
        if !interface.addresses.is_empty() {
            interface.addresses.remove(0);
        }
        interface.addresses.insert(0, (address, ranges));
    } else {
        interface.addresses.push((address, ranges));
    }
    Ok(())
}

fn reverse_path(interface: &mut Interface, line: &Line<'_>) {
    let family = if line.is(0, "ipv6") { Family::V6 } else { Family::V4 };
    let has = |word: &str| line.after(3).iter().any(|(_, w)| w.eq_ignore_ascii_case(word));
    let listed = line.after(3).last().is_some_and(|(_, w)| w.parse::<u16>().is_ok());
    let found = ReversePath {
        span: line.span.clone(),
        loose: has("any"),
        // The older command lets the default route count.
        default: has("allow-default") || has("reverse-path"),
        open: listed || has("vrf") || has("l2-src"),
    };
    interface.reverse_path.insert(family, found);
}
