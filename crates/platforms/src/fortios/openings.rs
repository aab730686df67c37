//! Services of the unit itself opened in somebody's FortiOS configuration: administrative access, names, time.

use super::config::Block;
use super::edit::{Sheet, indented, setting};
use super::render::{ACCESS, list, quoted};
use crate::edit::insert;
use crate::permits::{Permit, Service};
use std::collections::{BTreeMap, BTreeSet};
use tillgate_model::Family;
use tillgate_ruleset::Edit;

/// Services of the unit that are not open yet where permissions ask for them.
pub fn openings(
    sheet: &Sheet<'_>,
    domain: Option<&str>,
    block: &Block,
    permits: &[&Permit],
) -> Option<Vec<Edit>> {
    let global = sheet.global();
    let mut words: BTreeMap<(String, Family), BTreeSet<&str>> = BTreeMap::new();
    let (mut names, mut clocks) = (BTreeSet::new(), BTreeSet::new());
    for permit in permits {
        for interface in Permit::interfaces(permit.from, sheet.desk.intent) {
            match &permit.service {
                Service::Icmp(8 | 128) => {
                    words.entry((interface, permit.family)).or_default().insert("ping");
                }
                Service::Ports { ports, .. } if permit.requirement == "management" => {
                    let access = ACCESS.iter().filter(|(port, _)| ports.contains((*port).into()));
                    words
                        .entry((interface, permit.family))
                        .or_default()
                        .extend(access.map(|(_, word)| *word));
                }
                Service::Ports { ports, .. } if ports.only() == Some(53) => {
                    let open = block.entry("system dns-server", &interface).is_some();
                    names.extend((!open).then_some(interface));
                }
                Service::Ports { ports, .. } if ports.only() == Some(123) => {
                    clocks.insert(interface);
                }
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    for ((interface, family), wanted) in words {
        let key = if family == Family::V4 { "allowaccess" } else { "ip6-allowaccess" };
        let layout = &sheet.layout;
        let at = layout.entries(None, "system interface").filter(|at| layout.parts[*at].name == interface);
        let at = at.last()?;
        let said = sheet.access(at).into_iter().find(|(_, s)| s.key == key);
        let mut all: Vec<&str> = said.iter().flat_map(|(_, s)| &s.values).map(String::as_str).collect();
        let before = all.len();
        all.extend(
            wanted.iter().filter(|word| !said.iter().any(|(_, s)| s.values.iter().any(|v| v == *word))),
        );
        if all.len() == before {
            continue;
        }
        let inner = layout.within(at).find(|at| layout.parts[*at].name == "ipv6");
        out.push(match (said, family, inner) {
            (Some((part, _)), ..) | (None, Family::V6, Some(part)) => {
                setting(layout, part, key, &all.join(" "))
            }
            (None, Family::V4, _) => setting(layout, at, key, &all.join(" ")),
            (None, Family::V6, None) => {
                let text = format!("config ipv6\n    set {key} {}\nend", all.join(" "));
                insert(layout.parts[at].close.clone(), indented(&text, &layout.parts[at].inner()))
            }
        });
    }
    if !names.is_empty() {
        let entry = |name: &String| format!("edit {}\n    set mode forward-only\nnext\n", quoted(name, 15));
        let text: String = names.iter().map(entry).collect();
        out.push(sheet.add(domain, "system dns-server", None, &text)?);
    }
    let ntp = global.child("system ntp");
    let served: BTreeSet<String> = ntp.iter().flat_map(|b| b.values("interface")).cloned().collect();
    if !clocks.is_subset(&served) || !clocks.is_empty() && !ntp.is_some_and(|b| b.on("server-mode")) {
        let all: Vec<String> = served.union(&clocks).cloned().collect();
        let values = [("server-mode", "enable"), ("interface", &list(&all))];
        out.extend(sheet.set_in(None, "system ntp", &values));
    }
    Some(out)
}
