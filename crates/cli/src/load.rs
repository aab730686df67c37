//! Files in: estates, catalogues, configurations. The only module that reads them.

use crate::args::Global;
use crate::output::Output;
use crate::{Environment, Result};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tillgate_catalog::Library;
use tillgate_estate::Estate;
use tillgate_model::{Diagnostic, SourceFile, Text};
use tillgate_platforms::{
    IncludeError, Includes, Input, LARGEST, PLATFORMS, Parsed, Platform, is_companion, recognise,
};
use tillgate_ruleset::RuleSet;

/// Reads a text file, or standard input for `-`. What is not text is refused.
pub fn text_file(path: &Path, input: &mut dyn Read, output: &mut Output<'_>) -> Result<Arc<SourceFile>> {
    let name = path.display().to_string();
    match read(path, input) {
        Ok(text) => Ok(SourceFile::new(if name == "-" { "<stdin>".into() } else { name }, text)),
        Err(problem) => output.fail(&problem),
    }
}

fn read(path: &Path, input: &mut dyn Read) -> std::result::Result<String, Text> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    let limit = LARGEST as u64 + 1;
    let result = if path.as_os_str() == "-" {
        input.take(limit).read_to_end(&mut bytes)
    } else {
        match std::fs::metadata(path) {
            // A device or a pipe could be endless.
            Ok(meta) if !meta.is_file() => return Err(Text::new("file-not-regular").arg("name", name())),
            _ => std::fs::File::open(path).and_then(|f| f.take(limit).read_to_end(&mut bytes)),
        }
    };
    if let Err(error) = result {
        return Err(Text::new("file-unreadable").arg("name", name()).arg("detail", error));
    }
    if bytes.len() as u64 >= limit {
        let megabytes = LARGEST >> 20;
        return Err(Text::new("file-too-large-named").arg("name", name()).num("megabytes", megabytes));
    }
    if bytes.iter().take(8192).any(|b| *b == 0) {
        return Err(Text::new("file-binary").arg("name", name()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => Err(Text::new("file-not-utf8").arg("name", name())),
    }
}

/// The shipped catalogues and those in `catalogs/` beside the estate.
pub fn library(estate: Option<&Path>, output: &mut Output<'_>) -> Result<Library> {
    let mut extra = Vec::new();
    if let Some(path) = estate {
        let folder = if path.is_dir() {
            path.to_path_buf()
        } else {
            path.parent().unwrap_or(Path::new("")).to_path_buf()
        };
        for file in listing(&folder.join("catalogs"), "toml") {
            let file = text_file(&file, &mut std::io::empty(), output)?;
            extra.push((file.name.clone(), file.text.clone()));
        }
    }
    let (library, found) = Library::load(&extra);
    output.diagnostics(&found)?;
    Ok(library)
}

/// Files of a folder with an ending, sorted; none when there is no such folder.
fn listing(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut out: Vec<PathBuf> =
        entries.filter(|p| p.extension().is_some_and(|e| e == ending) && p.is_file()).collect();
    out.sort();
    out
}

/// Where the estate is: `--estate`, the environment, `estate.toml`, `estate/`.
pub fn estate_path(global: &Global, environment: &Environment) -> PathBuf {
    if let Some(path) = &global.estate {
        return path.clone();
    }
    if let Some(path) = &environment.estate {
        return PathBuf::from(path);
    }
    let folder = PathBuf::from("estate");
    if !Path::new("estate.toml").exists() && folder.is_dir() { folder } else { PathBuf::from("estate.toml") }
}

/// Loads the estate and its catalogues.
pub fn estate(
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result<(Estate, Library)> {
    let path = estate_path(global, environment);
    let mut paths = Vec::new();
    let folder = match path.is_dir() {
        true => {
            paths.extend([path.join("estate.toml")].into_iter().filter(|p| p.exists()));
            paths.extend(listing(&path.join("templates"), "toml"));
            paths.extend(listing(&path.join("sites"), "toml"));
            path.clone()
        }
        false => {
            paths.push(path.clone());
            path.parent().unwrap_or(Path::new("")).to_path_buf()
        }
    };
    if paths.is_empty() {
        return output.fail(&Text::new("estate-folder-empty").arg("name", path.display()));
    }
    if !path.exists() && path.as_os_str() != "-" {
        return output.fail(&Text::new("estate-missing").arg("name", path.display()));
    }
    let library = library(Some(&path), output)?;
    let mut files = Vec::new();
    for path in paths {
        files.push(text_file(&path, input, output)?);
    }
    for name in tillgate_estate::csv_references(&files) {
        // The reference is the key; a file that is missing is reported at the place that asks for it.
        let inside = Path::new(&name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        let candidates = [folder.join(&name), folder.join("sites").join(&name)];
        if let Some(found) = candidates.iter().find(|p| inside && p.is_file()) {
            let file = text_file(found, input, output)?;
            files.push(SourceFile::new(name, file.text.as_str()));
        }
    }
    let (estate, found) = tillgate_estate::load(&files, &library);
    output.diagnostics(&found)?;
    match estate {
        Some(estate) => Ok((estate, library)),
        None => Err(crate::Failed(2)),
    }
}

/// A configuration: its main files and the resolver files beside them.
pub struct Config {
    pub main: Vec<Arc<SourceFile>>,
    pub resolvers: Vec<Arc<SourceFile>>,
    pub platform: &'static Platform,
    folder: Option<PathBuf>,
}

/// Why a configuration could not be read.
pub type Problem = Text;

/// Gathers configuration files; a folder stands for the files in it.
pub fn config(
    paths: &[PathBuf],
    platform: Option<&str>,
    input: &mut dyn Read,
) -> std::result::Result<Config, Problem> {
    let wanted = match platform {
        None => None,
        Some(name) => match PLATFORMS.iter().find(|p| p.name == name) {
            Some(platform) => Some(platform),
            None => {
                let known: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
                return Err(Text::new("unknown-platform").arg("name", name).arg("known", known.join(", ")));
            }
        },
    };
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|e| e.path())
                .filter(|p| p.is_file())
                .collect();
            inside.sort();
            for file in inside {
                files.push((file.clone(), read(&file, input)?));
            }
        } else {
            files.push((path.clone(), read(path, input)?));
        }
    }
    let mut config =
        Config { main: Vec::new(), resolvers: Vec::new(), platform: &PLATFORMS[0], folder: None };
    let mut recognised = None;
    let many = files.len() > 1;
    for (path, text) in files {
        let name = if path.as_os_str() == "-" { "<stdin>".to_string() } else { path.display().to_string() };
        if is_resolver(&text) {
            config.resolvers.push(SourceFile::new(name, text));
            continue;
        }
        // What belongs beside a firewall's file, and no firewall reads.
        if many && is_companion(&text) {
            continue;
        }
        let found = wanted.or_else(|| recognise(&text));
        // A folder may hold other things: the clock's configuration, notes.
        if found.is_none() && many {
            continue;
        }
        if text.trim().is_empty() {
            return Err(Text::new("config-empty").arg("name", name));
        }
        recognised = recognised.or(found);
        if config.folder.is_none() && path.as_os_str() != "-" {
            config.folder =
                path.parent().map(|p| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.into() });
        }
        config.main.push(SourceFile::new(name, text));
    }
    match recognised {
        Some(platform) => Ok(Config { platform, ..config }),
        None => Err(Text::new("config-not-recognised")
            .arg("name", paths.first().map(|p| p.display().to_string()).unwrap_or_default())),
    }
}

/// Lines only a dnsmasq configuration has.
fn is_resolver(text: &str) -> bool {
    let marks =
        ["nftset=", "ipset=/", "dhcp-range=", "dhcp-host=", "bind-dynamic", "except-interface=", "server=/"];
    text.lines().take(200).any(|l| marks.iter().any(|m| l.trim_start().starts_with(m)))
}

/// Why there is nothing to judge.
pub enum Unread {
    /// Errors of the configuration.
    Diagnostics(Vec<Diagnostic>),
    /// It has no rules at all.
    Problem(Problem),
}

/// The rules of a gathered configuration, to be judged for a site or by themselves.
pub fn rules(config: &Config, for_site: bool) -> std::result::Result<RuleSet, Unread> {
    let Parsed { rules, diagnostics } = parse(config);
    if !diagnostics.is_empty() {
        return Err(Unread::Diagnostics(diagnostics));
    }
    // On a router that filters nothing unless told so, no rule means that everything passes, which a site's plan can be
    // held against; elsewhere, and without a site, there is nothing to judge.
    if rules.chains.is_empty() && !(for_site && config.platform.is_open_without_rules) {
        let name = config.main.first().map_or("", |f| &f.name);
        return Err(Unread::Problem(Text::new("config-no-rules").arg("name", name)));
    }
    Ok(rules)
}

/// Reads a gathered configuration.
pub fn parse(config: &Config) -> Parsed {
    let includes = config.includes();
    config.platform.parse(&Input { files: &config.main, resolvers: &config.resolvers, includes: &includes })
}

impl Config {
    /// Where the files it asks for are looked for.
    pub fn includes(&self) -> impl Includes {
        Folder(self.folder.clone())
    }
}

/// Includes below the configuration's folder, and nowhere else.
struct Folder(Option<PathBuf>);

impl Includes for Folder {
    fn include(&self, pattern: &str) -> std::result::Result<Vec<Arc<SourceFile>>, IncludeError> {
        let folder = self.0.as_ref().ok_or(IncludeError::Outside)?;
        let root = folder.canonicalize().map_err(|_| IncludeError::NotFound)?;
        let path =
            if Path::new(pattern).is_absolute() { PathBuf::from(pattern) } else { folder.join(pattern) };
        let (parent, name) = match (path.parent(), path.file_name().and_then(|n| n.to_str())) {
            (Some(parent), Some(name)) => (parent, name),
            _ => return Err(IncludeError::NotFound),
        };
        // Before anything is opened: where it really lies, links followed.
        let Ok(real) = parent.canonicalize() else {
            let lexical =
                parent.components().any(|c| c == std::path::Component::ParentDir) || path.is_absolute();
            return Err(if lexical { IncludeError::Outside } else { IncludeError::NotFound });
        };
        if !real.starts_with(&root) {
            return Err(IncludeError::Outside);
        }
        let mut paths: Vec<PathBuf> = if name.contains(['*', '?', '[']) {
            let entries = std::fs::read_dir(&real).map_err(|_| IncludeError::NotFound)?;
            let fits = |p: &PathBuf| {
                p.file_name()
                    .and_then(|n| n.to_str())
                    .is_some_and(|n| glob(name.as_bytes(), n.as_bytes()) && !n.starts_with('.'))
            };
            entries.flatten().map(|e| e.path()).filter(fits).collect()
        } else if path.is_dir() {
            listing(&real, "nft")
        } else {
            vec![real.join(name)]
        };
        paths.sort();
        let mut out = Vec::new();
        for path in paths {
            let real = path.canonicalize().map_err(|_| IncludeError::NotFound)?;
            if !real.starts_with(&root) {
                return Err(IncludeError::Outside);
            }
            let text = read(&real, &mut std::io::empty()).map_err(|_| IncludeError::Unreadable)?;
            // Shown as the user would write it.
            let shown = real.strip_prefix(&root).map(|p| folder.join(p)).unwrap_or(real);
            out.push(SourceFile::new(shown.display().to_string(), text));
        }
        Ok(out)
    }
}

/// `*` and `?`, as in file names.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => glob(&pattern[1..], name) || (!name.is_empty() && glob(pattern, &name[1..])),
        (Some(b'?'), Some(_)) => glob(&pattern[1..], &name[1..]),
        (Some(a), Some(b)) if a == b => glob(&pattern[1..], &name[1..]),
        _ => false,
    }
}
