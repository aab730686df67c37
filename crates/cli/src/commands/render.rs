//! `tillgate render`: configuration for the firewall, proved before it is written.

use super::site;
use crate::args::{Format, Global, Render};
use crate::output::Output;
use crate::{Environment, Failed, Result, load, report};
use serde_json::json;
use std::io::Read;
use std::path::Path;
use tillgate_catalog::Library;
use tillgate_estate::{Estate, Site};
use tillgate_intent::intent;
use tillgate_model::Text;
use tillgate_platforms::{
    PLATFORMS, Platform, RenderError, Rendered, add_companions, checklist, companions_of, platform,
};

pub fn run(
    args: &Render,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    let (estate, library) = load::estate(global, environment, input, output)?;
    if args.is_checklist() {
        return to_click(args, &estate, &library, output);
    }
    match (&args.site, &args.output) {
        (Some(name), target) => {
            let site = site(&estate, name, output)?;
            let rendered = render(site, &library, args, output)?;
            match target {
                None => print(&rendered, output),
                Some(path) => write_one(&rendered, site, path, output)?,
            }
            let file = format!("{}.{}", site.name, rendered.0.extension);
            output.note(&Text::new(rendered.0.rollback).arg("file", file));
        }
        (None, Some(folder)) => {
            for site in &estate.sites {
                let rendered = render(site, &library, args, output)?;
                write_folder(&rendered, site, &folder.join(&site.name), output)?;
            }
            output.note(
                &Text::new("render-all").num("count", estate.sites.len()).arg("folder", folder.display()),
            );
        }
        (None, None) => return Err(Failed(2)),
    }
    Ok(0)
}

/// What to click, for one site or all: Markdown to read, CSV to work through.
fn to_click(args: &Render, estate: &Estate, library: &Library, output: &mut Output<'_>) -> Result {
    let sites: Vec<&Site> = match &args.site {
        Some(name) => vec![site(estate, name, output)?],
        None => estate.sites.iter().collect(),
    };
    for site in &sites {
        let intent = intent(site, library, output.today);
        let list = match checklist::render(site, &intent) {
            Ok(list) => list,
            Err(error) => return refuse(site, "checklist", &error, output),
        };
        let say = |text: &Text| output.lang.text(text);
        let (markdown, csv) = (checklist::markdown(&list, &say), checklist::csv(&list, &say));
        match &args.output {
            None => output.data(&markdown),
            Some(path) if args.site.is_some() && path.extension().is_some() && !path.is_dir() => {
                let text = if path.extension().is_some_and(|e| e == "csv") { &csv } else { &markdown };
                write(path, text, output)?;
            }
            Some(folder) => {
                let folder = if args.site.is_some() { folder.clone() } else { folder.join(&site.name) };
                create(&folder, output)?;
                write(&folder.join(format!("{}.md", site.name)), &markdown, output)?;
                write(&folder.join(format!("{}.csv", site.name)), &csv, output)?;
                for (name, text) in companions_of(site, &intent, &[]) {
                    write(&folder.join(name), &text, output)?;
                }
            }
        }
    }
    Ok(0)
}

/// The platform asked for, or the site's own.
fn platform_of(site: &Site, args: &Render, output: &mut Output<'_>) -> Result<&'static Platform> {
    let name = args.platform.as_ref().unwrap_or(&site.firewall.platform);
    match platform(name) {
        Some(platform) => Ok(platform),
        None => {
            let known: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
            output.fail(&Text::new("unknown-platform").arg("name", name).arg("known", known.join(", ")))
        }
    }
}

type Written = (&'static Platform, Rendered);

fn render(site: &Site, library: &Library, args: &Render, output: &mut Output<'_>) -> Result<Written> {
    let platform = platform_of(site, args, output)?;
    let intent = intent(site, library, output.today);
    match (platform.render)(site, &intent) {
        Ok(mut rendered) => {
            add_companions(site, &intent, &mut rendered);
            Ok((platform, rendered))
        }
        Err(error) => refuse(site, platform.name, &error, output),
    }
}

/// Says why nothing was written.
fn refuse<T>(site: &Site, platform: &str, error: &RenderError, output: &mut Output<'_>) -> Result<T> {
    let text = match error {
        RenderError::NoManagement => Text::new("render-no-management").arg("site", &site.name),
        RenderError::NoUplink => Text::new("render-no-uplink").arg("site", &site.name),
        RenderError::InterfaceName(name) => Text::new("render-interface").arg("name", name),
        RenderError::NamesNeedResolver => Text::new("render-names").arg("site", &site.name),
        RenderError::CannotExpress(what) => Text::new("render-cannot-express")
            .arg("site", &site.name)
            .arg("platform", platform)
            .text("what", what.clone()),
        RenderError::Unproved(findings) => {
            let text = report::findings(findings, output);
            let _ = output.err.write_all(text.as_bytes());
            Text::new("render-unproved").arg("site", &site.name)
        }
    };
    output.fail(&text)
}

fn print((platform, rendered): &Written, output: &mut Output<'_>) {
    match output.format {
        Format::Json => {
            let companions: Vec<_> =
                rendered.companions.iter().map(|(n, t)| json!({"name": n, "text": t})).collect();
            let value = json!({
                "schema": "tillgate.configuration/1", "platform": platform.name, "text": rendered.text, "companions": companions,
            });
            output.data(&super::json(&value));
        }
        _ => output.data(&rendered.text),
    }
}

/// A path with an ending is the file; anything else is a folder for it and its companions.
fn write_one(rendered: &Written, site: &Site, path: &Path, output: &mut Output<'_>) -> Result<()> {
    if path.extension().is_some() && !path.is_dir() {
        return write(path, &rendered.1.text, output);
    }
    write_folder(rendered, site, path, output)
}

fn write_folder(
    (platform, rendered): &Written,
    site: &Site,
    folder: &Path,
    output: &mut Output<'_>,
) -> Result<()> {
    create(folder, output)?;
    write(&folder.join(format!("{}.{}", site.name, platform.extension)), &rendered.text, output)?;
    for (name, text) in &rendered.companions {
        write(&folder.join(name), text, output)?;
    }
    Ok(())
}

fn create(folder: &Path, output: &mut Output<'_>) -> Result<()> {
    match std::fs::create_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) => {
            output.fail(&Text::new("cannot-create").arg("name", folder.display()).arg("detail", error))
        }
    }
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, text: &str, output: &mut Output<'_>) -> Result<()> {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let result = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    match result {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            output.fail(&Text::new("cannot-create").arg("name", path.display()).arg("detail", error))
        }
    }
}
