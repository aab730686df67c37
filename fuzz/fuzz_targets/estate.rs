//! Any text is an estate or errors with places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tillgate_catalog::Library;
use tillgate_model::SourceFile;

static LIBRARY: OnceLock<Library> = OnceLock::new();

fuzz_target!(|text: &str| {
    let library = LIBRARY.get_or_init(|| Library::load(&[]).0);
    let (estate, found) = tillgate_estate::load(&[SourceFile::new("fuzz.toml", text)], library);
    assert!(estate.is_some() || !found.is_empty());
    found.iter().filter_map(|d| d.span.as_ref()).for_each(|s| {
        s.position();
    });
});
