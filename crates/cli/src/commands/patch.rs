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

/// Words that what follows is a secret of, on any platform.
const SECRETS: [&str; 12] = [
    "community",
    "key",
    "md5",
    "passphrase",
    "passwd",
    "password",
    "plaintext-password",
    "encrypted-password",
    "pre-shared-key",
    "psksecret",
    "psk",
    "secret",
];

/// A line without the secrets in it: findings go into reports. (A patch must hold the line as it is.)
fn masked(line: &str) -> String {
    let mut hide = false;
    let mut out: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let bare = name.trim_matches(['"', '\'', '<', '>']).to_ascii_lowercase();
        let secret = SECRETS.contains(&bare.as_str());
        out.push(match (hide, secret && !value.is_empty()) {
            (_, true) => format!("{name}=***"),
            (true, _) => "***".to_string(),
            _ => word.to_string(),
        });
        hide = secret && value.is_empty();
    }
    out.join(" ")
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
            ("snmp-server community s3cret RO", "snmp-server community *** RO"),
            ("/snmp community set name=x password=s3cret", "/snmp community *** name=x password=***"),
            ("set psksecret \"s3cret\"", "set psksecret ***"),
            ("tcp dport 443 accept comment \"payments\"", "tcp dport 443 accept comment \"payments\""),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
