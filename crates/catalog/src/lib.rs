//! Requirement catalogues: what a vendor's terminals need from the network, each row with its source.
//!
//! A vendor is data: one TOML file in `catalogs/`. Pure: texts come in, catalogues and diagnostics go out.

pub mod document;
mod library;
mod read;
mod types;

pub use library::{Library, SHIPPED};
pub use read::{CATALOG_KEYS, json_schema, read};
pub use types::{
    Catalog, Class, Confidence, Destination, DeviceKind, Encryption, Feature, Level, Localised, MacPrefix,
    Ports, Probe, Profile, Requirement, Service, Source,
};
