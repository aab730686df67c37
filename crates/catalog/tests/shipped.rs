//! The shipped catalogues are sound, and say what the guide and the facts say.
#![allow(clippy::unwrap_used)]

use tillgate_catalog::{Confidence, Level, Library, Profile, read};
use tillgate_model::SourceFile;

fn library() -> Library {
    let (library, found) = Library::load(&[]);
    assert!(found.is_empty(), "{found:?}");
    library
}

#[test]
fn the_guides_five_rows_keep_their_levels() {
    let library = library();
    let clover = library.catalog("clover").unwrap();
    let rows: Vec<_> = clover
        .requirements
        .iter()
        .filter(|r| r.confidence == Confidence::Guide && r.ports_text() != "unknown")
        .map(|r| (r.ports_text(), r.protocols_text(), r.level))
        .collect();
    let want = [
        ("443", "tcp", Level::Essential),
        ("80", "tcp", Level::Recommended),
        ("123", "udp", Level::Essential),
        ("5060-5061", "tcp/udp", Level::Conditional),
        ("10000-10100", "udp", Level::Essential),
    ];
    assert_eq!(rows, want.map(|(p, t, l)| (p.to_string(), t.to_string(), l)));
}

#[test]
fn what_is_on_under_each_profile() {
    let library = library();
    let on = |profile, features: &[&str]| -> Vec<String> {
        let features: Vec<String> = features.iter().map(|f| f.to_string()).collect();
        let rows = &library.catalog("clover").unwrap().requirements;
        rows.iter().filter(|r| r.is_on(profile, &features, None)).map(|r| r.id.clone()).collect()
    };
    assert_eq!(
        on(Profile::Minimal, &["voice"]),
        ["clover.https", "clover.time", "clover.dns", "clover.dhcp", "clover.time-servers"]
    );
    assert!(on(Profile::Declared, &["voice"]).contains(&"clover.sip".to_string()));
    assert!(!on(Profile::Declared, &[]).contains(&"clover.http".to_string()));
    assert!(on(Profile::Guide, &[]).contains(&"clover.emv-udp".to_string()));
}

#[test]
fn mac_blocks_of_three_lengths() {
    let library = library();
    assert_eq!(library.mac_vendor(0xd495_2400_0011), Some("Clover Network"));
    assert_eq!(library.mac_vendor(0x2cd1_41d0_0011), Some("Square"));
    assert_eq!(library.mac_vendor(0x2cd1_41e0_0011), None);
    let extra =
        "[catalog]\nid='x'\nvendor='x'\nversion='1'\n[[mac]]\nprefix='70:B3:D5:12:3'\nvendor='Small'\n";
    let (library, found) = Library::load(&[("x.toml".into(), extra.into())]);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(library.mac_vendor(0x70b3_d512_3fff), Some("Small"));
    assert_eq!(library.mac_vendor(0x70b3_d512_4fff), None);
}

#[test]
fn lint_refuses_a_row_without_source_or_confidence() {
    let text = r#"
[catalog]
id = "x"
vendor = "x"
version = "1"
[[requirement]]
id = "x.a"
name = "a"
protocol = "tcp"
ports = 70000
level = "essential"
destination = "internet"
encryption = "tls"
probe = "tls"
purpose = "p"
symptom = "s"
"#;
    let (catalog, found) = read(&SourceFile::new("x.toml", text));
    assert!(catalog.is_none());
    let missing: Vec<_> = found.iter().filter(|d| d.message.id == "toml-missing-key").collect();
    assert_eq!(missing.len(), 2, "{found:?}");
}

#[test]
fn the_schema_in_the_tree_is_the_one_the_reader_uses() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/catalog.json");
    let want = serde_json::to_string_pretty(&tillgate_catalog::json_schema()).unwrap() + "\n";
    if std::env::var_os("TILLGATE_BLESS").is_some() {
        std::fs::write(path, &want).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        want,
        "run with TILLGATE_BLESS=1 to renew it"
    );
}
