//! What one table cannot know of another: overlaps, duplicates, places that do not exist.

use crate::switches;
use crate::types::*;
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_catalog::document::closest;
use tillgate_catalog::{Class, Library};
use tillgate_model::{Diagnostic, Family, Span, Text};

/// Reports everything wrong between the parts of an estate.
pub fn validate(estate: &Estate, library: &Library, found: &mut Vec<Diagnostic>) {
    let mut numbers: BTreeMap<i64, &Span> = BTreeMap::new();
    let mut macs: BTreeMap<u64, &Span> = BTreeMap::new();
    for site in &estate.sites {
        if let Some(number) = site.number {
            if let Some(first) = numbers.get(&number) {
                found.push(
                    Diagnostic::error(site.span.clone(), Text::new("duplicate-number").arg("number", number))
                        .related((*first).clone(), Text::new("first-here")),
                );
            }
            numbers.entry(number).or_insert(&site.span);
        }
        for device in &site.devices {
            for mac in &device.macs {
                if let Some(first) = macs.get(mac) {
                    found.push(
                        Diagnostic::error(
                            device.span.clone(),
                            Text::new("duplicate-mac").arg("mac", mac_text(*mac)),
                        )
                        .related((*first).clone(), Text::new("first-here")),
                    );
                }
                macs.entry(*mac).or_insert(&device.span);
            }
        }
        validate_site(site, library, found);
    }
}

fn mac_text(mac: u64) -> String {
    (0..6).rev().map(|i| format!("{:02x}", mac >> (i * 8) & 0xff)).collect::<Vec<_>>().join(":")
}

fn validate_site(site: &Site, library: &Library, found: &mut Vec<Diagnostic>) {
    let odd = |c: char| c.is_control() || c == '/' || c == '\\';
    if site.name.is_empty() || site.name.starts_with('.') || site.name.chars().any(odd) {
        // Sites become file names.
        found.push(Diagnostic::error(site.span.clone(), Text::new("bad-site-name")));
    }
    for id in &site.catalogs {
        if library.catalog(id).is_none() {
            let known = library.catalogs().iter().map(|c| c.id.as_str());
            let mut error = Diagnostic::error(site.span.clone(), Text::new("unknown-catalog").arg("id", id));
            if let Some(word) = closest(id, known) {
                error = error.hint(Text::new("did-you-mean").arg("word", word));
            }
            found.push(error);
        }
    }
    segments(site, found);
    devices(site, found);
    switches::validate(site, found);
}

fn segments(site: &Site, found: &mut Vec<Diagnostic>) {
    for (i, segment) in site.segments.iter().enumerate() {
        for other in &site.segments[..i] {
            for family in Family::BOTH {
                let (Some(a), Some(b)) = (segment.subnet(family), other.subnet(family)) else { continue };
                if a.contains(&b) || b.contains(&a) {
                    let text =
                        Text::new("overlapping-subnets").arg("a", a).arg("b", b).arg("other", &other.name);
                    found.push(
                        Diagnostic::error(segment.span.clone(), text)
                            .related(other.span.clone(), Text::new("segment-here")),
                    );
                }
            }
            if segment.interface == other.interface {
                found.push(
                    Diagnostic::error(
                        segment.span.clone(),
                        Text::new("duplicate-interface").arg("interface", &segment.interface),
                    )
                    .related(other.span.clone(), Text::new("first-here")),
                );
            }
            if segment.vlan.is_some() && segment.vlan == other.vlan {
                found.push(
                    Diagnostic::error(segment.span.clone(), Text::new("duplicate-vlan"))
                        .related(other.span.clone(), Text::new("first-here")),
                );
            }
        }
        if site.firewall.wan.contains(&segment.interface) {
            let text = Text::new("segment-on-uplink").arg("interface", &segment.interface);
            found.push(Diagnostic::error(segment.span.clone(), text));
        }
        if site.services.any_on_gateway() && segment.role == Role::Pos && segment.gateways.is_empty() {
            found.push(
                Diagnostic::error(
                    segment.span.clone(),
                    Text::new("gateway-needed").arg("segment", &segment.name),
                )
                .hint(Text::new("gateway-needed-hint")),
            );
        }
    }
}

fn devices(site: &Site, found: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, &Span> = BTreeMap::new();
    let mut addresses: BTreeMap<IpAddr, &Span> = BTreeMap::new();
    for segment in &site.segments {
        for gateway in &segment.gateways {
            addresses.insert(*gateway, &segment.span);
        }
    }
    for device in &site.devices {
        if let Some(first) = names.insert(&device.name, &device.span) {
            found.push(
                Diagnostic::error(device.span.clone(), Text::new("duplicate-name").arg("name", &device.name))
                    .related(first.clone(), Text::new("first-here")),
            );
        }
        let Some(segment) = site.segment(&device.segment) else {
            let mut error = Diagnostic::error(
                device.span.clone(),
                Text::new("unknown-segment").arg("segment", &device.segment),
            );
            let known = site.segments.iter().map(|s| s.name.as_str());
            error = error.hint(match closest(&device.segment, known.clone()) {
                Some(word) => Text::new("did-you-mean").arg("word", word),
                None => Text::new("segments-of-site").arg("segments", known.collect::<Vec<_>>().join(", ")),
            });
            found.push(error);
            continue;
        };
        if device.class == Class::Terminal && segment.role == Role::Guest {
            found.push(
                Diagnostic::error(device.span.clone(), Text::new("pos-in-guest").arg("device", &device.name))
                    .hint(Text::new("pos-in-guest-hint")),
            );
        }
        for address in &device.addresses {
            if let Some(first) = addresses.get(address) {
                found.push(
                    Diagnostic::error(
                        device.span.clone(),
                        Text::new("duplicate-address").arg("address", address),
                    )
                    .related((*first).clone(), Text::new("first-here")),
                );
            }
            addresses.entry(*address).or_insert(&device.span);
            let family = Family::of(*address);
            let inside = segment.subnet(family).is_some_and(|n| n.contains(address));
            let edge = family == Family::V4
                && segment.subnet(family).is_some_and(|n| {
                    n.prefix_len() < 31 && (n.network() == *address || n.broadcast() == *address)
                });
            if !inside || edge {
                let text = Text::new("address-outside").arg("address", address).arg("segment", &segment.name);
                found.push(
                    Diagnostic::error(device.span.clone(), text)
                        .related(segment.span.clone(), Text::new("segment-here")),
                );
            }
        }
        if device.class == Class::Probe && device.until.is_none() {
            found.push(
                Diagnostic::error(device.span.clone(), Text::new("probe-until").arg("device", &device.name))
                    .hint(Text::new("probe-until-hint")),
            );
        }
    }
}
