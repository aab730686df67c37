//! Any table of devices is devices or errors with places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tillgate_catalog::Library;
use tillgate_model::SourceFile;

static LIBRARY: OnceLock<Library> = OnceLock::new();

const ESTATE: &str = "[estate]\nname='x'\ndevices='d.csv'\n[[site]]\nname='a'\n[[site.segment]]\nname='pos'\nrole='pos'\ninterface='e'\nsubnet='10.0.0.0/24'\n";

fuzz_target!(|text: &str| {
    let library = LIBRARY.get_or_init(|| Library::load(&[]).0);
    let files = [SourceFile::new("estate.toml", ESTATE), SourceFile::new("d.csv", text)];
    let (_, found) = tillgate_estate::load(&files, library);
    found.iter().filter_map(|d| d.span.as_ref()).for_each(|s| {
        s.position();
        s.one_line();
    });
});
