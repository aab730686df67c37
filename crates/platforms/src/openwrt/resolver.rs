//! Which names fill which sets: `config ipset` of `/etc/config/dhcp`, and lines of a dnsmasq configuration.
//!
//! openwrt.org, "DNS and DHCP configuration", IP sets; dnsmasq(8), `--nftset` and `--ipset`.

use super::uci::{self, Package, Section};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_model::SourceFile;

/// Names by set, and what is wrong with them.
#[derive(Default)]
pub struct SetNames {
    by_set: BTreeMap<String, BTreeSet<String>>,
    /// Sets that get only a part of what lies below their names: another directive holds longer names.
    partly: BTreeSet<String>,
}

/// Names, and the sets they fill.
type Directive = (Vec<String>, BTreeSet<String>);

impl SetNames {
    /// From the configuration's own sections and the resolver files beside it.
    pub fn of(sections: &[Section], resolvers: &[Arc<SourceFile>]) -> Self {
        let mut list: Vec<Directive> = Vec::new();
        from_sections(sections, &mut list);
        for file in resolvers {
            if file.text.lines().any(|l| l.starts_with("config ") || l.starts_with("dhcp.")) {
                from_sections(&uci::read(std::slice::from_ref(file), &mut Vec::new()), &mut list);
                continue;
            }
            for line in file.text.lines() {
                let line = line.trim_start().trim_start_matches("--");
                for key in ["nftset", "ipset"] {
                    let value = line.strip_prefix(key).map(str::trim_start).and_then(|l| l.strip_prefix('='));
                    list.extend(value.and_then(directive));
                }
            }
        }
        let mut out = SetNames::default();
        // Per name: the sets of any directive that holds it, and those of all.
        let mut by_name: BTreeMap<&str, (BTreeSet<&String>, BTreeSet<&String>)> = BTreeMap::new();
        for (names, sets) in &list {
            for name in names {
                let sets = || sets.iter().collect::<BTreeSet<_>>();
                let (any, all) = by_name.entry(name).or_insert_with(|| (sets(), sets()));
                any.extend(sets());
                all.retain(|set| sets().contains(set));
            }
            for set in sets {
                out.by_set.entry(set.clone()).or_default().extend(names.iter().cloned());
            }
        }
        // dnsmasq takes one directive: that with the longest name that fits.
        for (name, (any, all)) in &by_name {
            out.partly.extend(any.difference(all).map(|set| set.to_string()));
            let above = name.match_indices('.').filter_map(|(at, _)| by_name.get(name.get(at + 1..)?));
            for (other, _) in above {
                out.partly.extend(other.difference(all).map(|set| set.to_string()));
            }
        }
        out
    }

    /// The names that fill a set, sorted.
    pub fn names(&self, set: &str) -> Option<Vec<String>> {
        Some(self.by_set.get(set)?.iter().cloned().collect())
    }

    /// Whether all that lies below its names fills the set.
    pub fn whole(&self, set: &str) -> bool {
        !self.partly.contains(set)
    }
}

fn from_sections(sections: &[Section], out: &mut Vec<Directive>) {
    // A fragment of that file may hold nothing but sets, so that it is not told apart from a firewall's.
    let dhcp = sections.iter().filter(|s| s.package == Package::Dhcp || s.has("domain"));
    for section in dhcp {
        match section.kind.as_str() {
            "ipset" => {
                let names: Vec<String> = section.words("domain").into_iter().filter_map(plain).collect();
                let sets = section.words("name").into_iter().flat_map(|n| n.split(','));
                let sets: BTreeSet<String> = sets.map(str::to_string).collect();
                if !names.is_empty() && !sets.is_empty() {
                    out.push((names, sets));
                }
            }
            "dnsmasq" => {
                for option in ["nftset", "ipset"] {
                    out.extend(section.words(option).into_iter().filter_map(directive));
                }
            }
            _ => {}
        }
    }
}

/// `/name[/name…]/set[,set…]`, each set alone or as `[4#|6#]family#table#set`.
fn directive(value: &str) -> Option<Directive> {
    let mut parts: Vec<&str> = value.trim().trim_start_matches('/').split('/').collect();
    let sets = parts.pop()?;
    let sets = sets.split(',').filter_map(|s| s.trim().rsplit('#').next()).filter(|s| !s.is_empty());
    let names: Vec<String> = parts.into_iter().filter_map(plain).collect();
    (!names.is_empty()).then(|| (names, sets.map(str::to_string).collect()))
}

fn plain(name: &str) -> Option<String> {
    let name = name.trim().trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_alone_fills_its_sets() {
        let text = "config ipset\n\tlist name 'a4'\n\tlist domain 'example.com'\nconfig ipset\n\tlist name 'b4'\n\tlist domain 'api.example.com'\n";
        let names = SetNames::of(&[], &[SourceFile::new("dhcp", text)]);
        assert_eq!(names.names("a4"), Some(vec!["example.com".to_string()]));
        assert!(!names.whole("a4") && names.whole("b4"));
        let line = "nftset=/example.com/example.org/4#inet#fw4#a4,6#inet#fw4#a6\n";
        let names = SetNames::of(&[], &[SourceFile::new("dnsmasq.conf", line)]);
        assert_eq!(names.names("a6").map(|n| n.len()), Some(2));
        assert!(names.whole("a4") && names.names("b4").is_none());
    }
}
