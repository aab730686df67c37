//! How much of real configurations is read: every file of a folder as one platform, by the program itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints a line for each file that is not read fully, and the sums.
pub fn read(program: &Path, platform: &str, folder: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                todo.push(entry?.path());
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut lines, mut open_lines) = (0, 0);
    for file in &files {
        let (what, open, detail) = one(program, platform, file)?;
        let text = String::from_utf8_lossy(&std::fs::read(file)?).into_owned();
        lines += text.lines().filter(|l| is_statement(l)).count();
        open_lines += open;
        *sums.entry(what).or_default() += 1;
        if !["read fully", "nothing bound"].contains(&what) {
            let name = file.strip_prefix(folder).unwrap_or(file).display();
            println!("{what:<16} {name}: {}", detail.join("; "));
        }
    }
    let list: Vec<String> = sums.iter().map(|(what, n)| format!("{n} {what}")).collect();
    println!(
        "{platform}: {} files, {}; {open_lines} of {lines} lines open or wrong",
        files.len(),
        list.join(", ")
    );
    Ok(())
}

/// Whether a line says anything: neither empty nor a comment of any of the platforms.
fn is_statement(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with(['#', '!']) && !line.starts_with("<!--")
}

type Found = (&'static str, usize, Vec<String>);

fn one(program: &Path, platform: &str, file: &PathBuf) -> std::io::Result<Found> {
    let done = Command::new(program)
        .args(["verify", "--platform", platform, "--format", "json", "--config"])
        .arg(file)
        .output()?;
    if !matches!(done.status.code(), Some(0..=3)) {
        return Ok(("CRASHED", 1, vec![String::from_utf8_lossy(&done.stderr).into_owned()]));
    }
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(&done.stdout) else {
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        let errors: Vec<String> =
            text.lines().filter(|l| l.starts_with("error")).map(str::to_string).collect();
        // Read without an error, and no list of it is bound to anything.
        if errors.iter().all(|e| e.ends_with("nothing to judge")) {
            return Ok(("nothing bound", 0, Vec::new()));
        }
        return Ok(("rejected", errors.len(), errors.into_iter().take(3).collect()));
    };
    let none = Vec::new();
    let notes = document["findings"].as_array().unwrap_or(&none).iter();
    let notes = notes.filter(|f| f["id"] == "not-modelled" && f["proof"] == "possible");
    let mut texts: Vec<String> = notes
        .map(|f| {
            let line = &f["evidence"][0];
            format!("{} {}", line["line"], line["text"].as_str().unwrap_or_default())
        })
        .collect();
    texts.dedup();
    let count = texts.len();
    let what = if count == 0 { "read fully" } else { "open lines" };
    Ok((what, count, texts.into_iter().take(3).collect()))
}
