//! Services that take packets away from where they would go: transparent proxies, balancers, ports of containers.
//!
//! What becomes of such a packet lies outside the rules, so that each leaves its packets open.

use super::around::{addresses, port};
use super::build::{Builder, on};
use super::tree::At;
use crate::names;
use std::net::IpAddr;
use tillgate_model::{Family, Protocol, Ranges, Text, address_bits};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Base, Hook, Kind, Match, Note, Policy};

/// Builds what takes packets before any translation that is configured.
pub fn build(builder: &mut Builder<'_, '_>) {
    let mut found: Vec<(At<'_>, Match, &str)> = Vec::new();
    proxies(builder, &mut found);
    balancers(builder.root, &mut found);
    containers(builder.root, &mut found);
    let Some(first) = found.first().map(|(at, ..)| at.place()) else { return };
    let chain = builder.chain("diverted".into());
    for (at, mut when, what) in found {
        let text = Text::new("not-modelled-statement").arg("what", what);
        builder.rules.notes.push(Note { span: at.place(), text: text.clone(), bears: true });
        when.doubts.push(text);
        builder.push(chain, at.place(), when, Action::Unknown, false);
    }
    builder.rules.bases.push(Base {
        chain,
        hook: Hook::Prerouting,
        priority: -101,
        kind: Kind::Nat,
        policy: Policy::Accept,
        policy_span: first,
        family: None,
    });
}

fn to(when: &mut Match, text: Option<&str>) {
    let Some(address) = text.and_then(|t| t.parse::<IpAddr>().ok()) else { return };
    when.narrow(Field::Family, &Ranges::single(Family::of(address) as u128));
    when.narrow(Field::Destination, &Ranges::single(address_bits(address)));
}

/// Protocol and port as far as they are said; port 0 is any.
fn ported(when: &mut Match, protocol: Option<&str>, text: Option<&str>) {
    if let Some(protocol) = protocol.and_then(names::protocol) {
        when.narrow(Field::Protocol, &Ranges::single(protocol.0.into()));
    }
    if let Some((lo, hi)) = text.and_then(port).filter(|(lo, _)| *lo != 0) {
        when.narrow(Field::DestinationPort, &Ranges::span(lo, hi));
    }
}

/// A proxy answers in the place of every web server, unless it is told not to.
fn proxies<'t>(builder: &Builder<'_, 't>, found: &mut Vec<(At<'t>, Match, &'static str)>) {
    let proxy = builder.root.path(&["service", "webproxy"]).filter(|at| !at.has("disable"));
    let listening = proxy.into_iter().flat_map(|at| at.values("listen-address"));
    for at in listening.filter(|at| !at.has("disable-transparent")) {
        let mut when = Match::default();
        when.narrow(Field::Protocol, &Ranges::single(Protocol::TCP.0.into()));
        when.narrow(Field::DestinationPort, &Ranges::single(80));
        let own = addresses(Family::V4, at.name()).and_then(|ranges| ranges.only());
        let inputs = own.map_or(Vec::new(), |address| builder.around.with_address(address));
        if !inputs.is_empty() {
            when.input = on(&inputs);
        }
        found.push((at, when, "webproxy"));
    }
}

/// A balancer hands packets for its address on to real servers; with a mark, any packets.
fn balancers<'t>(root: At<'t>, found: &mut Vec<(At<'t>, Match, &'static str)>) {
    let all = root.child("high-availability").filter(|at| !at.has("disable"));
    let servers = all.into_iter().flat_map(|at| at.values("virtual-server"));
    for at in servers.filter(|at| !at.has("disable")) {
        let mut when = Match::default();
        if !at.has("fwmark") {
            // Old releases name it by its address.
            to(&mut when, at.value("address").or(Some(at.name())));
            ported(&mut when, at.value("protocol"), at.value("port"));
        }
        found.push((at, when, "virtual-server"));
    }
}

/// Ports of the router that lead into a container.
fn containers<'t>(root: At<'t>, found: &mut Vec<(At<'t>, Match, &'static str)>) {
    let names = root.path(&["container", "name"]).into_iter().flat_map(At::children);
    for at in names.filter(|at| !at.has("disable")).flat_map(|at| at.values("port")) {
        let mut listening: Vec<Option<&str>> =
            at.values("listen-address").map(|at| Some(at.name())).collect();
        if listening.is_empty() {
            listening.push(None);
        }
        for address in listening {
            let mut when = Match::default();
            to(&mut when, address);
            ported(&mut when, at.value("protocol"), at.value("source"));
            found.push((at, when, "container port"));
        }
    }
}
