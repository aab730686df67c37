//! The catalogues in use: those shipped with the program, and those a user keeps beside an estate.

use crate::types::*;
use jiff::civil::Date;
use tillgate_model::{Diagnostic, SourceFile};

/// The shipped catalogue files: name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("catalogs/common.toml", include_str!("../../../catalogs/common.toml")),
    ("catalogs/clover.toml", include_str!("../../../catalogs/clover.toml")),
    ("catalogs/square.toml", include_str!("../../../catalogs/square.toml")),
];

/// Catalogues by id. A later one with the same id takes the place of an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Library {
    catalogs: Vec<Catalog>,
}

impl Library {
    /// The shipped catalogues and `extra` ones (name and text), with what is wrong in the extra ones.
    pub fn load(extra: &[(String, String)]) -> (Library, Vec<Diagnostic>) {
        let mut library = Library::default();
        let mut found = Vec::new();
        let shipped = SHIPPED.iter().map(|(name, text)| (name.to_string(), text.to_string()));
        for (name, text) in shipped.chain(extra.iter().cloned()) {
            let (catalog, diagnostics) = crate::read(&SourceFile::new(name, text));
            found.extend(diagnostics);
            if let Some(catalog) = catalog {
                library.catalogs.retain(|c| c.id != catalog.id);
                library.catalogs.push(catalog);
            }
        }
        library.catalogs.sort_by(|a, b| a.id.cmp(&b.id));
        Diagnostic::sort(&mut found);
        (library, found)
    }

    /// All catalogues, by id.
    pub fn catalogs(&self) -> &[Catalog] {
        &self.catalogs
    }

    /// The catalogue of an id.
    pub fn catalog(&self, id: &str) -> Option<&Catalog> {
        self.catalogs.iter().find(|c| c.id == id)
    }

    /// A device kind of any catalogue.
    pub fn kind(&self, id: &str) -> Option<&DeviceKind> {
        self.catalogs.iter().flat_map(|c| &c.kinds).find(|k| k.id == id)
    }

    /// All device kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &DeviceKind> {
        self.catalogs.iter().flat_map(|c| &c.kinds)
    }

    /// A requirement of any catalogue.
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.catalogs.iter().flat_map(|c| &c.requirements).find(|r| r.id == id)
    }

    /// The longest MAC block that holds an address.
    pub fn mac_vendor(&self, mac: u64) -> Option<&str> {
        let blocks = self.catalogs.iter().flat_map(|c| &c.mac_prefixes);
        blocks.filter(|p| p.contains(mac)).max_by_key(|p| p.length).map(|p| p.vendor.as_str())
    }
}

impl Requirement {
    /// Whether a source has not been checked for more than 90 days (design section 5).
    pub fn is_stale(&self, today: Date) -> bool {
        self.sources.iter().all(|s| s.checked.is_none_or(|checked| (today - checked).get_days() > 90))
    }
}
