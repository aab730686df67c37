//! `tillgate requirements`: what terminals need, with sources.

use super::json;
use crate::args::{Format, Global, Requirements};
use crate::document;
use crate::output::Output;
use crate::present::table;
use crate::{Result, load};
use serde_json::json;
use tillgate_catalog::{Ports, Profile, Requirement};
use tillgate_model::Text;

pub fn run(args: &Requirements, global: &Global, output: &mut Output<'_>) -> Result {
    let library = load::library(global.estate.as_deref(), output)?;
    if let Some(vendor) = &args.vendor
        && library.catalog(vendor).is_none()
    {
        let known: Vec<&str> = library.catalogs().iter().map(|c| c.id.as_str()).collect();
        return output.fail(&Text::new("no-catalog").arg("id", vendor).arg("known", known.join(", ")));
    }
    let kind = match &args.kind {
        None => None,
        Some(id) => match library.kind(id) {
            Some(kind) => Some(kind),
            None => return output.fail(&Text::new("unknown-kind").arg("kind", id)),
        },
    };
    let features: Vec<String> =
        library.catalogs().iter().flat_map(|c| &c.features).map(|f| f.id.clone()).collect();
    if let Some(odd) = args.feature.iter().find(|f| !features.contains(f)) {
        return output.fail(&Text::new("unknown-feature").arg("feature", odd));
    }
    let profile = args.profile.as_deref().and_then(Profile::parse);
    // Asked for features only, people mean what is on with them.
    let profile = profile.or((!args.feature.is_empty()).then_some(Profile::Declared));
    let rows: Vec<&Requirement> = library
        .catalogs()
        .iter()
        .filter(|c| args.vendor.as_ref().is_none_or(|v| *v == c.id))
        .flat_map(|c| &c.requirements)
        .filter(|r| profile.is_none_or(|p| r.is_on(p, &args.feature, args.region.as_deref())))
        .filter(|r| kind.is_none_or(|k| r.applies_to.contains(&k.class)))
        .filter(|r| kind.is_none_or(|k| k.id.split('/').next() == r.id.split('.').next()))
        .collect();
    if output.format == Format::Json {
        let list: Vec<_> = rows.iter().map(|r| document::requirement(r, &output.lang)).collect();
        let text = json(&json!({"schema": "tillgate.requirements/1", "requirements": list}));
        output.data(&text);
        return Ok(0);
    }
    let lang = &output.lang;
    let header = ["col-requirement", "col-service", "col-level", "col-when", "col-confidence", "col-purpose"]
        .map(|h| lang.say(h));
    let list: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let service = match r.ports {
                Ports::Without => r.protocols_text(),
                _ => format!("{}/{}", r.ports_text(), r.protocols_text()),
            };
            let disputed = if r.disputed.is_some() {
                format!(" ({})", lang.say("word-disputed"))
            } else {
                String::new()
            };
            vec![
                r.id.clone(),
                service,
                r.level.name().into(),
                r.when.join(", "),
                format!("{}{disputed}", r.confidence.name()),
                r.purpose.get(lang.code).to_string(),
            ]
        })
        .collect();
    let text = table(output, &header, &list);
    output.data(&text);
    let doubted = rows.iter().filter(|r| r.disputed.is_some()).count();
    if doubted > 0 {
        output.note(&Text::new("note-disputed").num("count", doubted));
    }
    let open = rows.iter().filter(|r| r.ports == Ports::Unknown).count();
    if open > 0 {
        output.note(&Text::new("note-open").num("count", open));
    }
    Ok(0)
}
