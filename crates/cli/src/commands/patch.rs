//! Repairs for people: what a fix changes, and a patch of everything.

use similar::TextDiff;
use std::sync::Arc;
use tillgate_model::{Fix, SourceFile};
use tillgate_ruleset::{Edit, Round};

/// The lines a change takes away and puts there, as `file:line`, `- old` and `+ new`.
pub fn fix(platform: &str, round: &Round) -> Fix {
    let mut sorted: Vec<(&Edit, usize)> = round.edits.iter().zip(round.lines.iter().copied()).collect();
    sorted.sort_by(|a, b| (&a.0.span, &a.0.text).cmp(&(&b.0.span, &b.0.text)));
    let text: String = sorted.into_iter().map(|(edit, line)| hunk(edit, line)).collect();
    Fix { platform: platform.to_string(), text: text.trim_end().to_string() }
}

fn hunk(edit: &Edit, line: usize) -> String {
    let file = &edit.span.file;
    let (start, end) = (edit.span.start as usize, edit.span.end as usize);
    let text = file.text.as_str();
    let line_start = text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
    // An insertion of whole lines touches no other line.
    let whole = line_start == start && (edit.text.is_empty() || edit.text.ends_with('\n'));
    let ends_line = start < end && text.get(..end).is_some_and(|t| t.ends_with('\n'));
    let line_end = match whole && (start == end || ends_line) {
        true => end,
        false => text.get(end..).and_then(|t| t.find('\n')).map_or(text.len(), |at| end + at),
    };
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    let old = part(line_start, line_end);
    let new = format!("{}{}{}", part(line_start, start), edit.text, part(end, line_end));
    let mut out = format!("{}:{line}\n", file.name);
    for (mark, lines) in [('-', old), ('+', new.as_str())] {
        for line in lines.lines().filter(|l| !l.trim().is_empty()) {
            out.push_str(&format!("{mark} {}\n", masked(line.trim())));
        }
    }
    out
}

/// What follows such a word, or one that ends with it behind a hyphen, is a secret on one platform or another.
const SECRETS: [&str; 10] =
    ["authkey", "community", "key", "md5", "passphrase", "passwd", "password", "psksecret", "psk", "secret"];

/// A line without the secrets in it, nor anything behind them: findings go into reports. (A patch must hold the line as
/// it is.)
fn masked(line: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let secret = |word: &str| {
        let word = word.to_ascii_lowercase();
        let named = |secret: &str| {
            word.strip_suffix(secret).is_some_and(|before| before.is_empty() || before.ends_with(['-', '_']))
        };
        SECRETS.into_iter().any(named)
    };
    let mut at = 0;
    // `version 2c` of an SNMP host stands before its community.
    let mut version = false;
    while let Some(start) = line[at..].find(is_word).map(|n| at + n) {
        let end = line[start..].find(|c| !is_word(c)).map_or(line.len(), |n| start + n);
        let word = &line[start..end];
        let snmp = version && matches!(word, "1" | "2c");
        let value = line[end..].trim_start_matches([' ', '\t', '=', ':', '>', '"', '\'']);
        if (secret(word) || snmp) && !value.is_empty() && !value.starts_with('/') {
            return format!("{}***", &line[..line.len() - value.len()]);
        }
        version = word == "version";
        at = end;
    }
    line.to_string()
}

/// A unified diff of files before and after, as `patch -p1` and `git apply` read it.
pub fn patch(before: &[Arc<SourceFile>], after: &[Arc<SourceFile>]) -> String {
    let mut out = String::new();
    for (old, new) in before.iter().zip(after) {
        if old.text == new.text {
            continue;
        }
        let name = old.name.trim_start_matches('/');
        let diff = TextDiff::from_lines(old.text.as_str(), new.text.as_str());
        out.push_str(
            &diff
                .unified_diff()
                .context_radius(3)
                .header(&format!("a/{name}"), &format!("b/{name}"))
                .to_string(),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_are_not_shown() {
        for (line, shown) in [
            ("snmp-server community s3cret RO", "snmp-server community ***"),
            ("snmp-server host 192.0.2.9 version 2c s3cret", "snmp-server host 192.0.2.9 version 2c ***"),
            ("/snmp community set name=x password=s3cret", "/snmp community ***"),
            ("set psksecret ENC s3cret", "set psksecret ***"),
            ("username admin password 7 \"s3 cret\"", "username admin password ***"),
            ("add name=x password=\"s3 cret\"", "add name=x password=\"***"),
            ("<password>s3cret</password>", "<password>***"),
            ("option wpa_passphrase 's3cret'", "option wpa_passphrase '***"),
            ("tcp dport 443 accept comment \"payments\"", "tcp dport 443 accept comment \"payments\""),
            ("monkey version 3", "monkey version 3"),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
