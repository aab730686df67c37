//! Firewall platforms: syntax only, text ↔ rule set. One folder per platform, one line in the registry.
//!
//! Platforms decide nothing: `ruleset` reasons, and knows no syntax. Pure: files a configuration includes are
//! asked for through [`Includes`].

pub mod asa;
mod beside;
pub mod checklist;
mod companion;
mod edit;
pub mod fortios;
pub mod ios;
pub mod iptables;
mod loops;
mod names;
pub mod nftables;
pub mod openwrt;
pub mod opnsense;
mod permits;
pub mod pf;
mod registry;
pub mod routeros;
mod switch;
pub mod vyos;
mod write;

pub use beside::{add_companions, companions_of, is_companion};
pub use edit::Desk;
pub use registry::{Hand, PLATFORMS, Platform, platform, recognise};
pub use write::{RenderError, Rendered};

use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile};
use tillgate_ruleset::RuleSet;

/// The largest configuration that is read, in bytes.
pub const LARGEST: usize = 64 << 20;

/// What a configuration consists of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The firewall's files; several are one configuration, in this order.
    pub files: &'a [Arc<SourceFile>],
    /// Resolver files given beside it (dnsmasq), which say which names fill which sets.
    pub resolvers: &'a [Arc<SourceFile>],
    /// Files it asks for.
    pub includes: &'a dyn Includes,
}

impl<'a> Input<'a> {
    /// One file with nothing beside it.
    pub fn one(file: &'a Arc<SourceFile>) -> Self {
        Input { files: std::slice::from_ref(file), resolvers: &[], includes: &NoIncludes }
    }
}

/// Files that a configuration asks for.
pub trait Includes {
    /// The files a pattern stands for, in order. `Err` says why they cannot be had.
    fn include(&self, pattern: &str) -> Result<Vec<Arc<SourceFile>>, IncludeError>;
}

/// Why an include cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncludeError {
    /// There is no such file.
    NotFound,
    /// It lies outside the configuration's folder; nothing there is read or quoted.
    Outside,
    /// It is no regular text file.
    Unreadable,
}

/// A configuration without further files.
pub struct NoIncludes;

impl Includes for NoIncludes {
    fn include(&self, _pattern: &str) -> Result<Vec<Arc<SourceFile>>, IncludeError> {
        Err(IncludeError::NotFound)
    }
}

/// What reading a configuration gave.
#[derive(Debug)]
pub struct Parsed {
    /// The rules; with errors, as far as they could be read.
    pub rules: RuleSet,
    /// Errors and warnings, sorted.
    pub diagnostics: Vec<Diagnostic>,
}
