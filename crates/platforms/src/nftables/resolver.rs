//! Which names fill which sets: the `nftset` lines of a dnsmasq configuration given beside the rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::SourceFile;

/// Names by set: `(family, table, set)` → names, sorted.
pub type SetNames = BTreeMap<(String, String, String), Vec<String>>;

/// Reads `nftset=/name[/name…]/[(4|6)#]family#table#set[,…]` lines (dnsmasq(8), `--nftset`). Other lines say
/// nothing about sets.
pub fn names(files: &[Arc<SourceFile>]) -> SetNames {
    let mut out = SetNames::new();
    for line in files.iter().flat_map(|f| f.text.lines()) {
        let line = line.trim_start().trim_start_matches("--");
        let Some(value) =
            line.strip_prefix("nftset").map(|l| l.trim_start()).and_then(|l| l.strip_prefix('='))
        else {
            continue;
        };
        let mut parts: Vec<&str> = value.trim().trim_start_matches('/').split('/').collect();
        let Some(sets) = parts.pop() else { continue };
        for set in sets.split(',') {
            let mut words: Vec<&str> = set.trim().split('#').collect();
            if matches!(words.first(), Some(&"4" | &"6")) {
                words.remove(0);
            }
            if let [family, table, name] = words[..] {
                let entry = out.entry((family.into(), table.into(), name.into())).or_default();
                entry.extend(parts.iter().map(|p| p.to_ascii_lowercase()));
            }
        }
    }
    for names in out.values_mut() {
        names.sort();
        names.dedup();
    }
    out
}
