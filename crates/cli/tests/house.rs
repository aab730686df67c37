//! The house's arrows and its purity, over `cargo metadata` and the sources.
#![allow(clippy::unwrap_used)]

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::BTreeMap;
use std::path::Path;

/// What each crate of the house may use of the others (design section 3), in full.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("catalog", &["model"]),
    ("estate", &["model", "catalog"]),
    ("intent", &["model", "catalog", "estate"]),
    ("logs", &["model"]),
    ("packetset", &["model"]),
    ("ruleset", &["model", "catalog", "estate", "intent", "packetset"]),
    ("platforms", &["model", "catalog", "estate", "intent", "packetset", "ruleset"]),
];

/// Crates from outside that pure crates may use: data in, data out.
const PURE: &[&str] = &[
    "csv",
    "hashbrown",
    "ipnet",
    "jiff",
    "memchr",
    "rayon",
    "roxmltree",
    "rustc-hash",
    "serde_json",
    "smallvec",
    "toml",
];

#[test]
fn arrows_point_down_and_pure_crates_stay_pure() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata runs");
    let packages: BTreeMap<String, _> = metadata.packages.iter().map(|p| (p.name.to_string(), p)).collect();
    for (name, may) in ARROWS {
        let package = packages.get(&format!("tillgate-{name}")).unwrap_or_else(|| panic!("no crate {name}"));
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            match dependency.name.strip_prefix("tillgate-") {
                Some(ours) => assert!(may.contains(&ours), "{name} may not use {ours}"),
                None => assert!(
                    PURE.contains(&dependency.name.as_str()),
                    "{name} may not use {}",
                    dependency.name
                ),
            }
        }
    }
    // A crate nobody wrote down has no place in the house.
    for name in packages.keys() {
        let short = name.trim_start_matches("tillgate-");
        assert!(
            ARROWS.iter().any(|(n, _)| *n == short)
                || ["probe", "scan", "cli", "lab", "bench"].contains(&short),
            "{name} has no place"
        );
    }
}

#[test]
fn pure_crates_touch_no_file_socket_or_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, _) in ARROWS {
        let mut todo = vec![root.join(name).join("src")];
        while let Some(path) = todo.pop() {
            if path.is_dir() {
                todo.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for banned in [
                "std::fs",
                "std::process",
                "std::env",
                "TcpStream",
                "UdpSocket",
                "SystemTime",
                "Instant::",
                "std::thread",
                "async fn",
                "println!",
                "Zoned::now",
            ] {
                assert!(!text.contains(banned), "{} uses {banned}", path.display());
            }
        }
    }
}

#[test]
fn the_schema_of_estates_is_the_one_the_reader_uses() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/estate.json");
    let want = format!("{:#}\n", tillgate_estate::json_schema());
    if std::env::var_os("TILLGATE_BLESS").is_some() {
        std::fs::write(path, &want).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        want,
        "run with TILLGATE_BLESS=1 to renew it"
    );
}
