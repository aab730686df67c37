//! Repairs that belong to no line: forged sources are dropped, private ones translated.

use super::edit::{Sheet, old};
use super::grant::{self, List};
use super::numbers::Where;
use super::page::Line;
use super::render::{plain, word};
use super::tree::At;
use crate::nftables::slug;
use crate::permits::sources;
use tillgate_model::{Family, Ranges, addresses_text};
use tillgate_ruleset::Edit;

/// Sources that cannot come in by some interfaces: the interfaces, the family, the addresses, and whether these are
/// the only ones or those that may not.
type Wrong = (Vec<String>, Family, Ranges, bool);

/// Forged sources of a segment are dropped: by the routing table, or by rules.
pub fn sources_of(sheet: &Sheet<'_, '_>, segment: &str) -> Vec<Vec<Edit>> {
    let all = sources(sheet.desk.intent).into_iter().filter(|(.., name)| name == segment);
    let all: Vec<Wrong> = all.map(|(on, family, ranges, only, _)| (on, family, ranges, only)).collect();
    let by_rules = by_rules(sheet, &all, segment);
    // Rules that nobody wanted to move.
    let moving = by_rules.iter().flatten().any(|edit| edit.span.start < edit.span.end);
    let ways = [by_interface(sheet, &all), by_rules, everywhere(sheet, &all)];
    let order = match (sheet.edge(), moving) {
        // Whether EdgeOS has the setting on interfaces is not certain.
        (true, _) => [2, 0, 1],
        (false, false) => [0, 1, 2],
        (false, true) => [0, 2, 1],
    };
    order.iter().filter_map(|n| ways.get(*n).cloned().flatten()).collect()
}

/// By the routing table, on the interfaces of a segment. Where several lead to the internet, the way back may be
/// another one.
fn by_interface(sheet: &Sheet<'_, '_>, all: &[Wrong]) -> Option<Vec<Edit>> {
    let (mut edits, mut lines) = (Vec::new(), Vec::new());
    for (on, family, ..) in all {
        let [interface] = on.as_slice() else { return None };
        let path = interface_path(sheet.root, interface)?;
        let word = match family {
            Family::V4 => "ip",
            Family::V6 if sheet.around.modern => "ipv6",
            // 1.3 has no such setting.
            Family::V6 => return None,
        };
        let path: Vec<&str> = path.into_iter().chain([word, "source-validation"]).collect();
        sheet.page.set(&path, "strict", &mut edits, &mut lines);
    }
    edits.extend(sheet.page.with(&lines, &[]));
    Some(edits)
}

/// By the routing table, on every interface.
fn everywhere(sheet: &Sheet<'_, '_>, all: &[Wrong]) -> Option<Vec<Edit>> {
    let modern = sheet.around.modern;
    let six = all.iter().any(|(_, family, ..)| *family == Family::V6);
    if sheet.desk.intent.topology.uplinks.len() > 1 || (six && !modern) {
        return None;
    }
    let place: &[&str] = if modern { &["firewall", "global-options"] } else { &["firewall"] };
    let words = [Some("source-validation"), six.then_some("ipv6-source-validation")];
    let (mut edits, mut lines) = (Vec::new(), Vec::new());
    for word in words.into_iter().flatten() {
        let path: Vec<&str> = place.iter().copied().chain([word]).collect();
        sheet.page.set(&path, "strict", &mut edits, &mut lines);
    }
    edits.extend(sheet.page.with(&lines, &[]));
    Some(edits)
}

/// The path of an interface's settings.
pub fn interface_path<'t>(root: At<'t>, name: &str) -> Option<Vec<&'t str>> {
    for kind in root.child("interfaces")?.children() {
        let path = |at: At<'t>| vec!["interfaces", kind.name(), at.name()];
        if let Some(at) = kind.child(name) {
            return Some(path(at));
        }
        let Some((port, number)) = name.split_once('.') else { continue };
        let Some(at) = kind.child(port) else { continue };
        let vif = at.values("vif").find(|vif| vif.name() == number);
        if let Some(vif) = vif {
            return Some(path(at).into_iter().chain(["vif", vif.name()]).collect());
        }
    }
    None
}

/// By rules, before all others.
fn by_rules(sheet: &Sheet<'_, '_>, all: &[Wrong], segment: &str) -> Option<Vec<Edit>> {
    let mut writer = grant::writer(sheet);
    let mut edits = Vec::new();
    let mut had: Vec<String> = Vec::new();
    for (on, family, ranges, only) in all {
        let wish = if *only { format!("from-{}", slug(segment)) } else { "inside".into() };
        let group = writer.networks(*family, ranges, &wish);
        let mark = if *only { "!" } else { "" };
        for (list, place) in lists(sheet, *family, on) {
            let former = old(&list.path);
            let mut words = vec![
                "action 'drop'".to_string(),
                format!("description '{}'", plain(&format!("{segment}: forged source"))),
                sheet.logged(&list.path).to_string(),
                format!("source group network-group '{mark}{group}'"),
            ];
            if !former {
                words.push(writer.interfaces("inbound", on));
            }
            words.sort();
            let rules = [words];
            // Both families, and both lists, may need the same group.
            let mut beside = grant::groups(sheet, &writer, &rules);
            let needed = format!("{family} {group}");
            if had.contains(&needed) {
                beside.clear();
            }
            had.push(needed);
            edits.extend(grant::rules(sheet, &list, place, &rules, &beside).into_iter().next()?);
        }
    }
    Some(edits)
}

/// The lists that everything from some interfaces meets first.
fn lists<'t>(sheet: &Sheet<'_, 't>, family: Family, on: &[String]) -> Vec<(List<'t>, Where)> {
    let root = sheet.root;
    let list = |path: Vec<&'t str>| List::of(root, path);
    if sheet.around.modern && root.path(&["firewall", "interface"]).is_none() {
        let own = vec!["firewall", word(family), "name", "tg-forged"];
        if root.path(&own).is_some() {
            return list(own).map(|list| (list, Where::End)).into_iter().collect();
        }
        let hooks = ["forward", "input"].map(|hook| list(vec!["firewall", word(family), hook, "filter"]));
        return hooks.into_iter().flatten().map(|list| (list, Where::Head)).collect();
    }
    let kind = if family == Family::V4 { "name" } else { "ipv6-name" };
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for interface in on {
        let Some(at) = interface_path(root, interface).and_then(|path| root.path(&path)) else { continue };
        for way in ["in", "local"] {
            let set = at.path(&["firewall", way]).and_then(|at| at.value(kind));
            let Some(set) = set.filter(|set| !seen.contains(set)) else { continue };
            seen.push(set);
            out.extend(list(vec!["firewall", kind, set]).map(|list| (list, Where::Head)));
        }
    }
    out
}

/// Private sources are translated on every uplink.
pub fn masquerade(sheet: &Sheet<'_, '_>) -> Vec<Vec<Edit>> {
    let root = sheet.root;
    let intent = sheet.desk.intent;
    let inside = intent.topology.inside(Family::V4);
    let edge = sheet.edge();
    let path: &[&str] = if edge { &["service", "nat"] } else { &["nat", "source"] };
    let known = root.path(path).map(|at| at.numbered("rule")).unwrap_or_default();
    let start = known.last().map_or(0, |(number, _)| *number).max(if edge { 5000 } else { 0 });
    let mut number = (start / 10).saturating_add(1).saturating_mul(10);
    let mut writer = grant::writer(sheet);
    let mut rules = Vec::new();
    for uplink in &intent.topology.uplinks {
        if edge {
            let output = format!("outbound-interface '{uplink}'");
            rules.push(vec!["log 'disable'".into(), output, "type 'masquerade'".into()]);
        } else if former(sheet) {
            // One address or network a rule; there are no groups.
            for source in addresses_text(Family::V4, &inside) {
                rules.push(vec![
                    format!("outbound-interface '{uplink}'"),
                    format!("source address '{source}'"),
                    "translation address 'masquerade'".to_string(),
                ]);
            }
        } else {
            rules.push(vec![
                format!("outbound-interface name '{uplink}'"),
                writer.side(Family::V4, "source", &inside, "inside"),
                "translation address 'masquerade'".to_string(),
            ]);
        }
    }
    let mut lines = grant::groups(sheet, &writer, &rules);
    for words in &rules {
        let text = number.to_string();
        let rule: Vec<&str> = path.iter().copied().chain(["rule", &text]).collect();
        lines.extend(words.iter().map(|word| Line::of(&rule, word)));
        number = number.saturating_add(10);
    }
    vec![sheet.page.with(&lines, &[])]
}

/// Whether translation is written as in 1.3 and before: interfaces without `name`.
fn former(sheet: &Sheet<'_, '_>) -> bool {
    let nat = sheet.root.child("nat").into_iter();
    let rules = nat.flat_map(|n| ["source", "destination"].into_iter().filter_map(move |w| n.child(w)));
    let ends = rules.flat_map(|at| at.values("rule")).flat_map(|rule| {
        ["inbound-interface", "outbound-interface"].into_iter().filter_map(move |end| rule.child(end))
    });
    let bare = |at: At<'_>| at.children().all(|c| c.children().next().is_none());
    let firewall = sheet.root.child("firewall");
    let old = ["name", "ipv6-name", "state-policy"];
    let sets = firewall.is_some_and(|f| old.iter().any(|word| f.has(word))) || sheet.root.has("zone-policy");
    ends.map(bare).next().unwrap_or(sets && !sheet.around.modern)
}

impl Sheet<'_, '_> {
    /// Whether it is EdgeOS, or a gateway of UniFi.
    pub fn edge(&self) -> bool {
        let service = self.root.child("service");
        let own = ["gui", "nat", "ubnt-discover", "unms"];
        self.root.has("port-forward")
            || self.root.path(&["interfaces", "switch"]).is_some()
            || service.is_some_and(|s| own.iter().any(|word| s.has(word)))
    }
}
