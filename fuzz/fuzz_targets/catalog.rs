//! Any text is a catalogue or errors with places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tillgate_model::SourceFile;

fuzz_target!(|text: &str| {
    let (catalog, found) = tillgate_catalog::read(&SourceFile::new("fuzz.toml", text));
    assert!(catalog.is_some() != !found.is_empty());
});
