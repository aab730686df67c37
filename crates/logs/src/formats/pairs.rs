//! `key=value` lines: bare or quoted values in any order, and the extension of a CEF line.

use memchr::{memchr, memrchr};

/// Walks `key=value`, `key="value"` separated by blanks (or commas). Words without `=` are passed over.
/// A quoted value ends at the first quote without a backslash before it, so nothing that a stranger's
/// request put into a quoted text is taken for a field; a quote that never closes holds the rest of the line.
#[derive(Clone)]
pub struct Pairs<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Pairs<'a> {
    /// Begins at the start of the line.
    pub fn of(line: &'a [u8]) -> Self {
        Pairs { line, at: 0 }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line;
        let equals = find(line, self.at, b'=')?;
        let mut key = &line[self.at..equals];
        if key.contains(&b' ') {
            key = &key[memrchr(b' ', key).map_or(0, |b| b + 1)..];
        }
        let start = equals + 1;
        if line.get(start) == Some(&b'"') {
            let end = closing(line, start + 1);
            self.at = (end + 1).min(line.len());
            if matches!(line.get(self.at), Some(b' ' | b',')) {
                self.at += 1;
            }
            return Some((key, &line[start + 1..end]));
        }
        let end = bare_end(line, start);
        self.at = (end + 1).min(line.len());
        Some((key, &line[start..end]))
    }
}

/// Most keys and values are shorter than 16 bytes, where a loop over words of eight inlined here
/// beats the call into a vector routine; longer ones go on with that.
#[inline]
fn find(line: &[u8], from: usize, byte: u8) -> Option<usize> {
    let mut at = from;
    for _ in 0..2 {
        let Some(chunk) = line.get(at..).and_then(|l| l.first_chunk::<8>()) else { break };
        let hit = zeros(u64::from_le_bytes(*chunk) ^ spread(byte));
        if hit != 0 {
            return Some(at + (hit.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    memchr(byte, line.get(at..)?).map(|i| at + i)
}

#[inline]
fn bare_end(line: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = line.get(at..).and_then(|l| l.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let hit = zeros(word ^ spread(b' ')) | zeros(word ^ spread(b','));
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    (at..line.len()).find(|i| matches!(line[*i], b' ' | b',')).unwrap_or(line.len())
}

const fn spread(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each zero byte; bits above the lowest hit may be wrong, the lowest never is.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(spread(1)) & !word & spread(0x80)
}

fn closing(line: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(quote) = find(line, at, b'"') {
        let slashes = line[from..quote].iter().rev().take_while(|b| **b == b'\\').count();
        // `dir="C:\POS\"` at the end of a line is a path, not an escape.
        if slashes % 2 == 0 || quote + 1 == line.len() {
            return quote;
        }
        at = quote + 1;
    }
    line.len()
}

/// The seven header fields of a CEF line, from the vendor on, and its extension.
/// (ArcSight "Implementing ArcSight Common Event Format", Header Information.)
pub struct Cef<'a> {
    /// Device vendor.
    pub vendor: &'a [u8],
    /// Device product.
    pub product: &'a [u8],
    /// Signature id.
    pub id: &'a [u8],
    /// Name of the event.
    pub name: &'a [u8],
    /// The `key=value` part.
    pub extension: &'a [u8],
}

impl<'a> Cef<'a> {
    /// Reads the header. `CEF:` may be cut off and some bytes may stand before it.
    pub fn of(line: &'a [u8]) -> Option<Self> {
        let first = memchr(b'|', line.get(..line.len().min(96))?)?;
        if first == 0 || !line[first - 1].is_ascii_digit() {
            return None;
        }
        let mut rest = &line[first + 1..];
        let mut fields: [&[u8]; 6] = [b""; 6];
        for field in &mut fields {
            let mut bar = memchr(b'|', rest)?;
            while bar > 0 && rest[bar - 1] == b'\\' {
                bar += 1 + memchr(b'|', &rest[bar + 1..])?;
            }
            *field = &rest[..bar];
            rest = &rest[bar + 1..];
        }
        let [vendor, product, _, id, name, _] = fields;
        Some(Cef { vendor, product, id, name, extension: rest })
    }

    /// The extension's pairs.
    pub fn pairs(&self) -> Extension<'a> {
        Extension { rest: self.extension }
    }
}

/// Walks a CEF extension, where values are bare and hold blanks: a value ends before the next ` key=`.
pub struct Extension<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Extension<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let equals = memchr(b'=', self.rest)?;
        let key = self.rest[..equals].trim_ascii();
        let rest = &self.rest[equals + 1..];
        let mut from = 0;
        let end = loop {
            let Some(next) = memchr(b'=', &rest[from..]).map(|i| from + i) else { break rest.len() };
            if next > 0 && rest[next - 1] == b'\\' {
                from = next + 1;
                continue;
            }
            match memrchr(b' ', &rest[..next]) {
                Some(blank) => break blank,
                // `k=a=b`: an equals sign that nobody escaped belongs to the value.
                None => from = next + 1,
            }
        };
        self.rest = &rest[end..];
        Some((key, rest[..end].trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let pairs: Vec<String> = Pairs::of(line.as_bytes())
            .map(|(k, v)| format!("{}:{}", String::from_utf8_lossy(k), String::from_utf8_lossy(v)))
            .collect();
        pairs.join("|")
    }

    #[test]
    fn pairs() {
        assert_eq!(told("a=1 b=\"x y\" c="), "a:1|b:x y|c:");
        assert_eq!(told("  head[2]: a=1  words here b=2,c=\"3\",d=4"), "a:1|b:2|c:3|d:4");
        assert_eq!(told(r#"m="he said \"src=1\" dst=2" dst=3"#), r#"m:he said \"src=1\" dst=2|dst:3"#);
        assert_eq!(told(r#"m="open dst=3"#), "m:open dst=3");
        assert_eq!(told(r#"d="C:\POS\""#), r"d:C:\POS\");
        assert_eq!(
            told("averyverylongkeyindeedlonger=averyverylongvalueindeed k=v"),
            "averyverylongkeyindeedlonger:averyverylongvalueindeed|k:v"
        );
        assert_eq!(told("="), ":");
    }

    #[test]
    fn cef() {
        let cef = Cef::of(b"CEF:0|A\\|B|P|1|id|n|3|k=a b c=d\\=e f=").unwrap();
        assert_eq!((cef.vendor, cef.id), (&b"A\\|B"[..], &b"id"[..]));
        let pairs: Vec<_> = cef.pairs().collect();
        assert_eq!(pairs, [(&b"k"[..], &b"a b"[..]), (b"c", b"d\\=e"), (b"f", b"")]);
    }
}
