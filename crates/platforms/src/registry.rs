//! The platforms by name, and which one a text is of.

use crate::{Includes, Parsed, nftables};
use std::sync::Arc;
use tillgate_model::SourceFile;

/// Reads a configuration with the resolver files given beside it.
pub type Parse = fn(&Arc<SourceFile>, &[Arc<SourceFile>], &dyn Includes) -> Parsed;

/// A firewall platform.
pub struct Platform {
    /// Name on the command line and in the estate.
    pub name: &'static str,
    /// How sure a text is of this platform, 0 to 100, from its first lines.
    pub recognise: fn(&str) -> u8,
    /// Reads a configuration; the second list holds resolver files given beside it.
    pub parse: Parse,
}

/// All platforms.
pub const PLATFORMS: &[Platform] =
    &[Platform { name: "nftables", recognise: nftables::recognise, parse: nftables::parse }];

/// The platform a text is most likely of; `None` when nothing speaks for any.
pub fn recognise(text: &str) -> Option<&'static Platform> {
    let scored = PLATFORMS.iter().map(|p| ((p.recognise)(text), p));
    scored.filter(|(score, _)| *score > 0).max_by_key(|(score, _)| *score).map(|(_, p)| p)
}
