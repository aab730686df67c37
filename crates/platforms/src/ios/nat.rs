//! `ip nat …`: what translates which addresses.

use super::config::*;
use super::entry::{Bad, bad, ipv4, netmask};
use super::interface;
use super::lines::Line;
use super::read::{Reader, Section};
use super::words;

/// A command that starts with `ip nat`.
pub fn command(reader: &mut Reader<'_>, line: &Line<'_>) -> Result<(), Bad> {
    reader.enter(Section::Exempt);
    match line.word(2).to_ascii_lowercase().as_str() {
        "pool" => pool(reader, line),
        "inside" => inside(reader, line),
        // The source of what comes in by an outside interface changes; or both sides, on any interface.
        "outside" | "source" => {
            open(reader, line);
            Ok(())
        }
        // Timeouts, limits, logging, helpers for applications.
        _ => Ok(()),
    }
}

fn open(reader: &mut Reader<'_>, line: &Line<'_>) {
    let what: Vec<&str> = line.words.iter().take(4).map(|(_, w)| *w).collect();
    reader.note(&line.span, &what.join(" "), true);
    reader.translate(line, NatKind::Open);
}

fn pool(reader: &mut Reader<'_>, line: &Line<'_>) -> Result<(), Bad> {
    match (ipv4(line.word(4)), ipv4(line.word(5))) {
        (Some(first), Some(last)) if first <= last => {
            reader.config.pools.insert(line.word(3).to_string(), (first, last));
            Ok(())
        }
        // Pools of several ranges have them on lines of their own.
        _ if line.words.len() <= 6 || line.is(4, "netmask") || line.is(4, "prefix-length") => Ok(()),
        _ => Err(bad(line, 4)),
    }
}

fn inside(reader: &mut Reader<'_>, line: &Line<'_>) -> Result<(), Bad> {
    let span = line.span.clone();
    if line.is(3, "destination") {
        let kind = match line.is(4, "list") {
            true => NatKind::Rotary { list: line.word(5).to_string() },
            false => NatKind::Open,
        };
        reader.note(&span, "ip nat inside destination", true);
        reader.translate(line, kind);
        return Ok(());
    }
    if !line.is(3, "source") {
        return Ok(());
    }
    let kind = match line.word(4).to_ascii_lowercase().as_str() {
        "list" | "route-map" => {
            let name = line.word(5).to_string();
            let chosen = if line.is(4, "list") { Chosen::List(name) } else { Chosen::RouteMap(name) };
            let to = match line.word(6).to_ascii_lowercase().as_str() {
                "interface" => Global::Interface(interface::name(line, 7).0),
                "pool" => Global::Pool(line.word(7).to_string()),
                _ => return Err(bad(line, 6)),
            };
            NatKind::Source { chosen, to }
        }
        "static" => statically(line)?,
        _ => return Err(bad(line, 4)),
    };
    if matches!(kind, NatKind::Static { open: true, .. }) {
        reader.note(&span, "ip nat inside source static", true);
    }
    reader.translate(line, kind);
    Ok(())
}

fn statically(line: &Line<'_>) -> Result<NatKind, Bad> {
    let address = |at: usize| ipv4(line.word(at)).ok_or_else(|| bad(line, at));
    // The condition of a route map, or who else has the address, is not followed.
    let open = |from: usize| {
        let conditions = ["route-map", "redundancy", "match-in-vrf", "mapping-id"];
        line.after(from).iter().any(|(_, w)| conditions.iter().any(|c| w.eq_ignore_ascii_case(c)))
    };
    let protocol = match line.word(5).to_ascii_lowercase().as_str() {
        "tcp" => Some(words::TCP),
        "udp" => Some(words::UDP),
        "network" => {
            let (local, global) = (address(6)?, address(7)?);
            let word = line.word(8);
            let length = word.strip_prefix('/').and_then(|n| n.parse::<u32>().ok()).filter(|n| *n <= 32);
            let mask = match length {
                Some(length) => Some(u32::MAX.checked_shl(32 - length).unwrap_or(0)),
                None => ipv4(word),
            };
            let nets = mask.filter(|mask| netmask(local, *mask).is_some()).filter(|mask| *mask != 0);
            let mask = nets.ok_or_else(|| bad(line, 8))?;
            let (local, first) = (local & mask, global & mask);
            let to = Global::Addresses(first, first | !mask);
            return Ok(NatKind::Static { ports: None, local, size: !mask + 1, to, open: open(9) });
        }
        // Other protocols than these two, by name.
        "esp" | "gre" => return Ok(NatKind::Open),
        _ => None,
    };
    let mut at = 5 + usize::from(protocol.is_some());
    let local = address(at)?;
    at += 1;
    let port = |at: usize| line.word(at).parse::<u16>().map_err(|_| bad(line, at));
    let local_port = if protocol.is_some() { Some(port(at)?) } else { None };
    at += usize::from(local_port.is_some());
    let to = if line.is(at, "interface") {
        let (name, words) = interface::name(line, at + 1);
        at += 1 + words;
        Global::Interface(name)
    } else {
        let global = address(at)?;
        at += 1;
        Global::Addresses(global, global)
    };
    let ports = match (protocol, local_port) {
        (Some(protocol), Some(local)) => Some((protocol, local, port(at)?)),
        _ => None,
    };
    Ok(NatKind::Static { ports, local, size: 1, to, open: open(at) })
}
