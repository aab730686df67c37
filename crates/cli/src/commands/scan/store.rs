//! The baseline's file: a scan a line, added whole or not at all.

use crate::output::Output;
use crate::{Result, load};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tillgate_model::Text;
use tillgate_scan::baseline;
use tillgate_scan::observed::Scan;

/// Earlier scans; none if there is no file yet.
pub fn read(path: &Path, output: &mut Output<'_>) -> Result<Vec<Scan>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = load::text_file(path, &mut io::empty(), output)?;
    let (scans, found) = baseline::read(&file);
    output.diagnostics(&found)?;
    Ok(scans)
}

/// Adds a scan and waits until the disk has it. What a crash left of an earlier line is taken away first.
pub fn append(path: &Path, scan: &Scan, output: &mut Output<'_>) -> Result<()> {
    let line = scan.to_line().map_err(io::Error::from).map(|line| line + "\n");
    line.and_then(|line| write(path, &line)).or_else(|error| {
        output.fail(&Text::new("cannot-create").arg("name", path.display()).arg("detail", error))
    })
}

fn write(path: &Path, line: &str) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    // Two scans at once take turns.
    file.lock()?;
    let end = whole_lines(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    // A new name is in the folder's keeping.
    if let (true, Some(folder)) = (is_new, path.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Where the last whole line ends. A last line without its end that is a scan all the same gets its end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = Vec::new();
    let mut at = length;
    let mut block = vec![0; 64 << 10];
    while at > 0 {
        let size = block.len().min(usize::try_from(at).unwrap_or(usize::MAX));
        at -= size as u64;
        file.seek(SeekFrom::Start(at))?;
        let read = block.get_mut(..size).unwrap_or_default();
        file.read_exact(read)?;
        if let Some(newline) = read.iter().rposition(|b| *b == b'\n') {
            let mut rest = read.get(newline + 1..).unwrap_or_default().to_vec();
            rest.extend(tail);
            return ended(file, at + newline as u64 + 1, length, &rest);
        }
        let mut rest = read.to_vec();
        rest.extend(tail);
        tail = rest;
    }
    ended(file, 0, length, &tail)
}

fn ended(file: &mut File, start: u64, length: u64, tail: &[u8]) -> io::Result<u64> {
    let is_scan = std::str::from_utf8(tail).is_ok_and(|text| Scan::from_line(text.trim()).is_ok());
    if tail.is_empty() || !is_scan {
        return Ok(start);
    }
    file.seek(SeekFrom::Start(length))?;
    file.write_all(b"\n")?;
    Ok(length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_whole() {
        let path = std::env::temp_dir().join(format!("tillgate-store-{}", std::process::id()));
        let line = |at| Scan::new("shop", at).to_line().unwrap();
        let add = |at| write(&path, &(line(at) + "\n")).unwrap();
        add(1);
        add(2);
        let two = format!("{}\n{}\n", line(1), line(2));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), two);
        // A crash in the middle of a line.
        std::fs::write(&path, format!("{two}{}", &line(3)[..30])).unwrap();
        add(4);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{two}{}\n", line(4)));
        // An editor that saved without the last line's end.
        std::fs::write(&path, line(1)).unwrap();
        add(2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), two);
        std::fs::remove_file(&path).unwrap();
    }
}
