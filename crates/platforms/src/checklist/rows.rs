//! The rows that are firewall rules: what may pass, one run per direction, each ended by a row that denies the rest.

use super::{Action, Checklist, End, Place, Row, Test, Zone};
use crate::permits::{Permit, Service, Target, permits, public, sources};
use tillgate_intent::{Flow, Intent, Path, Reason, Side};
use tillgate_model::{Family, Protocol, Ranges, Text, address_from_bits, addresses_text, format_ports};

/// Adds them all.
pub(super) fn add(intent: &Intent, list: &mut Checklist) {
    let rules = Rules { intent };
    list.rows.extend(rules.nat());
    list.rows.extend(rules.spoofing());
    let sides: Vec<Side> = (0..intent.topology.zones.len()).map(Side::Zone).chain([Side::Uplinks]).collect();
    let (local, through) = (permits(intent, true), permits(intent, false));
    for side in &sides {
        let place = if *side == Side::Uplinks { Place::Inward } else { Place::ToDevice };
        let allowed = local.iter().filter(|p| p.from == *side);
        list.rows.extend(allowed.map(|p| rules.allow(place, p)));
        list.rows.push(rules.deny(place, *side, rules.device()));
    }
    for side in &sides {
        let place = if *side == Side::Uplinks { Place::Inward } else { Place::Between };
        let Some(others) = rules.others(*side) else { continue };
        let allowed = through.iter().filter(|p| p.from == *side && p.to != Some(Side::Uplinks));
        list.rows.extend(allowed.map(|p| rules.allow(place, p)));
        list.rows.push(rules.deny(place, *side, others));
    }
    for side in sides.iter().filter(|s| **s != Side::Uplinks) {
        let outward = || through.iter().filter(|p| p.from == *side && p.to == Some(Side::Uplinks));
        // What goes to the public internet is said as "any" there, after a row that denies what is not public.
        let (last, first): (Vec<&Permit>, Vec<&Permit>) = outward().partition(|p| p.target == Target::Public);
        list.rows.extend(first.iter().map(|p| rules.allow(Place::Outward, p)));
        for family in Family::BOTH {
            // Where everybody may reach the internet, the rows that follow only tell the reasons.
            let open = first.iter().any(|p| p.family == family && p.requirement == "internet");
            if !open && last.iter().any(|p| p.family == family) {
                list.rows.push(rules.not_public(*side, family));
            }
        }
        list.rows.extend(last.iter().map(|p| rules.allow(Place::Outward, p)));
        list.rows.push(rules.deny(Place::Outward, *side, rules.internet()));
    }
}

/// A row without anything but its place, action and reason; tests follow when all rows are there.
pub(super) fn bare(place: Place, action: Action, why: Text) -> Row {
    Row {
        number: 0,
        place,
        action,
        family: None,
        source: None,
        destination: None,
        protocol: None,
        ports: None,
        source_port: None,
        log: false,
        why,
        test: Test { words: Text::new("checklist-test-log"), packet: None },
    }
}

/// Addresses as people type them: those of devices one by one, networks as prefixes.
fn addresses(family: Family, permit: &Permit, ranges: &Ranges) -> Vec<String> {
    let written = ["management", "exception"].contains(&permit.requirement.as_str());
    let text = |(lo, hi): &(u128, u128)| {
        if !written && hi - lo < 16 {
            (*lo..=*hi).map(|bits| address_from_bits(family, bits).to_string()).collect()
        } else {
            addresses_text(family, &Ranges::span(*lo, *hi))
        }
    };
    ranges.as_slice().iter().flat_map(text).collect()
}

struct Rules<'a> {
    intent: &'a Intent,
}

impl Rules<'_> {
    fn end(&self, zone: Zone) -> End {
        End { zone, data: Vec::new(), names: false, except: false }
    }

    fn device(&self) -> End {
        self.end(Zone::Device)
    }

    fn internet(&self) -> End {
        self.end(Zone::Internet(self.intent.topology.uplinks.clone()))
    }

    fn zone(&self, side: Side) -> Zone {
        match side {
            Side::Zone(at) => {
                let zone = &self.intent.topology.zones[at];
                Zone::Segments(vec![(zone.name.clone(), zone.interface.clone())])
            }
            Side::Uplinks => Zone::Internet(self.intent.topology.uplinks.clone()),
        }
    }

    /// All segments but this one.
    fn others(&self, side: Side) -> Option<End> {
        let zones = self.intent.topology.zones.iter().enumerate();
        let others: Vec<(String, String)> = zones
            .filter(|(at, _)| side != Side::Zone(*at))
            .map(|(_, z)| (z.name.clone(), z.interface.clone()))
            .collect();
        (!others.is_empty()).then(|| self.end(Zone::Segments(others)))
    }

    fn allow(&self, place: Place, permit: &Permit) -> Row {
        let family = permit.family;
        let mut row = bare(place, Action::Allow, self.why(permit));
        row.family = Some(family);
        let mut source = self.end(self.zone(permit.from));
        if let Some(ranges) = &permit.source {
            if permit.from == Side::Uplinks && *ranges == public(self.intent, family) {
                source.except = true;
                source.data = self.outside(family);
            } else {
                source.data = addresses(family, permit, ranges);
            }
        }
        row.source = Some(source);
        let mut destination = permit.to.map_or_else(|| self.device(), |to| self.end(self.zone(to)));
        match &permit.target {
            Target::Any | Target::Public => {}
            Target::Ranges(ranges) => destination.data = addresses(family, permit, ranges),
            Target::Names(names) => {
                destination.data = names.clone();
                destination.names = true;
            }
        }
        row.destination = Some(destination);
        match &permit.service {
            Service::Any => {}
            Service::Protocol(protocol) => row.protocol = Some(protocol.to_string()),
            Service::Icmp(icmp) => {
                let protocol = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
                row.protocol = Some(protocol.to_string());
                row.ports = Some(icmp.to_string());
            }
            Service::Ports { protocol, ports, source_port } => {
                row.protocol = Some(protocol.to_string());
                row.ports = Some(format_ports(ports));
                row.source_port = *source_port;
            }
        }
        row
    }

    /// What no public address is, and the site's own networks.
    fn outside(&self, family: Family) -> Vec<String> {
        addresses_text(family, &public(self.intent, family).complement(family.max_address()))
    }

    fn not_public(&self, side: Side, family: Family) -> Row {
        let mut row = bare(Place::Outward, Action::Block, Text::new("checklist-why-not-public"));
        row.family = Some(family);
        row.log = true;
        row.source = Some(self.end(self.zone(side)));
        row.destination = Some(End { data: self.outside(family), ..self.internet() });
        row
    }

    fn deny(&self, place: Place, side: Side, to: End) -> Row {
        let mut row = bare(place, Action::Block, Text::new("checklist-why-rest"));
        row.log = true;
        row.source = Some(self.end(self.zone(side)));
        row.destination = Some(to);
        row
    }

    fn nat(&self) -> Option<Row> {
        let inside = self.intent.topology.inside(Family::V4);
        if !self.intent.masquerade || inside.is_empty() {
            return None;
        }
        let zones = self.intent.topology.zones.iter();
        let segments = zones.map(|z| (z.name.clone(), z.interface.clone())).collect();
        let mut row = bare(Place::Nat, Action::Translate, Text::new("checklist-why-nat"));
        row.family = Some(Family::V4);
        // Where a packet came in is no longer known when its source is translated; its address is.
        row.source =
            Some(End { data: addresses_text(Family::V4, &inside), ..self.end(Zone::Segments(segments)) });
        row.destination = Some(self.internet());
        row.test.words = Text::new("checklist-test-nat");
        Some(row)
    }

    fn spoofing(&self) -> Vec<Row> {
        let row = |(on, family, ranges, only, name): (Vec<String>, Family, Ranges, bool, String)| {
            let mut row = bare(Place::Spoofing, Action::Block, Text::new("checklist-why-spoofing"));
            row.family = Some(family);
            row.log = true;
            let zone = match on.first().filter(|_| only) {
                Some(interface) => Zone::Segments(vec![(name, interface.clone())]),
                None => Zone::Internet(on),
            };
            row.source = Some(End { except: only, data: addresses_text(family, &ranges), ..self.end(zone) });
            row.test.words = Text::new("checklist-test-spoofing");
            row
        };
        sources(self.intent).into_iter().map(row).collect()
    }

    fn why(&self, permit: &Permit) -> Text {
        if permit.requirement == "exception" {
            for reason in self.reasons(permit) {
                if let Reason::Exception { allow, reason, owner, expires } = reason {
                    return Text::new("checklist-why-exception")
                        .arg("allow", allow)
                        .arg("reason", reason)
                        .arg("owner", owner)
                        .arg("expires", expires);
                }
            }
        }
        if permit.requirement == "management" {
            return Text::new("checklist-why-management").arg("who", &permit.who);
        }
        if permit.requirement == "internet" {
            return Text::new("checklist-why-internet").arg("who", &permit.who);
        }
        let disputed = self.intent.flows.iter().any(|f| f.disputed && f.requirement == permit.requirement);
        let why = match disputed {
            true => Text::new("checklist-why-disputed"),
            false => Text::new("checklist-why-requirement"),
        };
        why.arg("requirement", &permit.requirement).arg("who", &permit.who)
    }

    /// Why the flows of a permission are there.
    fn reasons(&self, permit: &Permit) -> impl Iterator<Item = &Reason> {
        let path = match permit.to {
            Some(to) => Path::Forward { from: permit.from, to },
            None => Path::Local { from: permit.from },
        };
        let ports = match &permit.service {
            Service::Ports { ports, .. } => Some(ports),
            Service::Any | Service::Protocol(_) | Service::Icmp(_) => None,
        };
        let same = move |f: &&Flow| {
            let there = match &permit.target {
                Target::Ranges(to) => f.destination == *to || f.destination_needed == *to,
                Target::Any | Target::Public | Target::Names(_) => true,
            };
            f.requirement == permit.requirement
                && (f.path, f.family, f.ports.as_ref()) == (path, permit.family, ports)
                && there
        };
        self.intent.flows.iter().filter(move |f| same(f)).flat_map(|f| &f.reasons)
    }
}
