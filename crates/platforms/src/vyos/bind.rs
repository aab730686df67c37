//! Sets for interfaces that nothing filters, in releases that bind sets to interfaces.

use super::edit::Sheet;
use super::forged::interface_path;
use super::grant::{self, Manner};
use super::page::Line;
use super::render::fresh;
use crate::nftables::slug;
use crate::permits::permits;
use tillgate_intent::Side;
use tillgate_model::Family;
use tillgate_ruleset::Edit;

/// Ways to close what an interface without a set lets through or in: one interface after the other gets a set with
/// everything the site wants from there.
pub fn interfaces(sheet: &Sheet<'_, '_>) -> Vec<Vec<Edit>> {
    if sheet.around.modern {
        return Vec::new();
    }
    let topology = &sheet.desk.intent.topology;
    let zones = topology.zones.iter().enumerate();
    let inside = zones.map(|(at, zone)| (Side::Zone(at), zone.name.as_str(), &zone.interface));
    let all: Vec<(Side, &str, &String)> =
        inside.chain(topology.uplinks.iter().map(|uplink| (Side::Uplinks, "internet", uplink))).collect();
    let mut out = Vec::new();
    for (way, local) in [("in", false), ("local", true)] {
        let permits = permits(sheet.desk.intent, local);
        for (side, name, interface) in &all {
            let Some(path) = interface_path(sheet.root, interface) else { continue };
            let bound = |kind| {
                let at = sheet.root.path(&path)?.path(&["firewall", way])?;
                at.value(kind)
            };
            if bound("name").is_some() {
                continue;
            }
            let from = permits.iter().filter(|p| p.from == *side && p.family == Family::V4);
            let from: Vec<_> = from.cloned().collect();
            let mut writer = grant::writer(sheet);
            let manner = Manner { interfaces: false, public: true, old: true };
            let Some(rules) = grant::said(&mut writer, &from, manner) else { continue };
            let wish = format!("{}-{way}", grant::short(&slug(name)).replace('_', "-"));
            let set = fresh(&wish, &mut grant::sets(sheet.root));
            let mut lines = grant::groups(sheet, &writer, &rules);
            lines.extend(grant::set_of(&["firewall", "name", &set], &rules));
            let place: Vec<&str> = path.iter().copied().chain(["firewall", way, "name"]).collect();
            lines.push(Line::of(&place, &format!("'{set}'")));
            out.push(sheet.page.with(&lines, &[]));
        }
    }
    out
}
