//! `rename` of an object: whatever named it before names it by its new name afterwards (CLI Reference, Subcommands).

use super::config::Block;
use std::collections::HashMap;

/// Which settings hold names of the objects of a section.
struct Kind {
    /// Parts of the keys that name such objects.
    keys: &'static [&'static str],
    /// Whether a key must be equal, not only contain the part.
    whole: bool,
    /// Sections whose members they are.
    groups: &'static [&'static str],
}

fn kind(path: &str) -> Option<Kind> {
    let (keys, whole, groups): (&[_], _, &[_]) = match path {
        "firewall address" | "firewall address6" | "firewall addrgrp" | "firewall addrgrp6"
        | "firewall vip" | "firewall vip6" | "firewall vipgrp" | "firewall vipgrp6" => (
            &["addr"],
            false,
            &["firewall addrgrp", "firewall addrgrp6", "firewall vipgrp", "firewall vipgrp6"],
        ),
        "firewall service custom" | "firewall service group" => {
            (&["service"], true, &["firewall service group"])
        }
        "firewall schedule onetime" | "firewall schedule recurring" | "firewall schedule group" => {
            (&["schedule"], true, &["firewall schedule group"])
        }
        "system zone" => (&["srcintf", "dstintf", "intf"], true, &[]),
        _ => return None,
    };
    Some(Kind { keys, whole, groups })
}

/// Carries new names of objects of the section `path` to everything in `block`, which holds that section.
pub fn follow(block: &mut Block, path: &str, renamed: &[(String, String)]) {
    let Some(kind) = kind(path).filter(|_| !renamed.is_empty()) else { return };
    let mut names: HashMap<&str, &str> = HashMap::new();
    for (old, new) in renamed {
        names.values_mut().filter(|name| *name == old).for_each(|name| *name = new);
        names.insert(old, new);
    }
    walk(block, "", &kind, &names);
}

fn walk(block: &mut Block, table: &str, kind: &Kind, names: &HashMap<&str, &str>) {
    let member = kind.groups.contains(&table);
    for setting in &mut block.settings {
        let key = setting.key.as_str();
        let named = kind.keys.iter().any(|k| if kind.whole { key == *k } else { key.contains(k) });
        if !(named || member && key.ends_with("member")) {
            continue;
        }
        for value in &mut setting.values {
            if let Some(new) = names.get(value.as_str()) {
                *value = new.to_string();
            }
        }
    }
    for entry in &mut block.entries {
        walk(&mut entry.block, table, kind, names);
    }
    for (path, child) in &mut block.children {
        walk(child, path, kind, names);
    }
}
