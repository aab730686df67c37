//! One file per command.

pub mod catalog;
pub mod check;
pub mod diff;
pub mod explain;
mod fleet;
pub mod init;
mod live;
pub mod logs;
mod patch;
pub mod plan;
pub mod reflect;
pub mod render;
pub mod requirements;
pub mod scan;
pub mod trace;
pub mod verify;

use crate::args::Global;
use crate::output::Output;
use crate::{Environment, Result, load};
use std::io::Read;
use tillgate_catalog::document::closest;
use tillgate_estate::{Estate, Site};
use tillgate_intent::Topology;
use tillgate_model::Text;

/// The topology of the site named on the command line, if one is.
pub fn topology(
    name: Option<&str>,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result<Option<Topology>> {
    let Some(name) = name else { return Ok(None) };
    let (estate, _) = load::estate(global, environment, input, output)?;
    Ok(Some(Topology::of(site(&estate, name, output)?)))
}

/// A site by name; an error with the nearest name otherwise.
pub fn site<'e>(estate: &'e Estate, name: &str, output: &mut Output<'_>) -> Result<&'e Site> {
    match estate.site(name) {
        Some(site) => Ok(site),
        None => {
            let names = estate.sites.iter().map(|s| s.name.as_str());
            let text = match closest(name, names.clone()) {
                Some(word) => Text::new("no-site-did-you-mean").arg("site", name).arg("word", word),
                None => {
                    let some: Vec<&str> = names.take(8).collect();
                    Text::new("no-site").arg("site", name).arg("sites", some.join(", "))
                }
            };
            output.fail(&text)
        }
    }
}

/// A document as JSON, with a final newline.
pub fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
