//! The examples, loaded.
#![allow(dead_code, clippy::unwrap_used)]

pub mod referee;

use std::path::PathBuf;
use tillgate_catalog::Library;
use tillgate_estate::{Estate, load};
use tillgate_model::SourceFile;

pub fn example(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples")).join(path)
}

pub fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn estate(files: &[(&str, PathBuf)]) -> (Estate, Library) {
    let (library, _) = Library::load(&[]);
    let files: Vec<_> = files.iter().map(|(name, path)| SourceFile::new(*name, read(path))).collect();
    let (estate, found) = load(&files, &library);
    (estate.unwrap_or_else(|| panic!("{found:?}")), library)
}

pub fn bistro() -> (Estate, Library) {
    estate(&[("estate.toml", example("bistro/estate.toml"))])
}

pub fn chain() -> (Estate, Library) {
    let mut files =
        vec![("estate.toml", example("chain/estate.toml")), ("devices.csv", example("chain/devices.csv"))];
    files.push(("template.toml", example("chain/templates/standard-shop.toml")));
    let mut sites: Vec<PathBuf> =
        std::fs::read_dir(example("chain/sites")).unwrap().map(|e| e.unwrap().path()).collect();
    sites.sort();
    files.extend(sites.into_iter().map(|p| ("site.toml", p)));
    estate(&files)
}

pub fn today() -> tillgate_model::Date {
    tillgate_model::Date::constant(2026, 11, 23)
}
