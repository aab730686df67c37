//! A list as Markdown and as CSV; nothing in a cell can become markup or a formula.

use super::{Action, Checklist, End, Place, Row, Zone};
use tillgate_model::{Family, Text};

/// Turns an id with arguments into words of a language.
type Say<'a> = &'a dyn Fn(&Text) -> String;

/// The columns, in order.
fn columns() -> [Text; 11] {
    [
        Text::new("checklist-column-number"),
        Text::new("checklist-column-place"),
        Text::new("checklist-column-action"),
        Text::new("checklist-column-source"),
        Text::new("checklist-column-destination"),
        Text::new("checklist-column-family"),
        Text::new("checklist-column-protocol"),
        Text::new("checklist-column-ports"),
        Text::new("checklist-column-log"),
        Text::new("checklist-column-why"),
        Text::new("checklist-column-test"),
    ]
}

/// A heading per place, a table below each: rules in full, settings with what to set.
pub fn markdown(list: &Checklist, say: Say<'_>) -> String {
    let mut out = format!("# {}\n\n", inline(&say(&Text::new("checklist-title").arg("site", &list.site))));
    out.push_str(&inline(&say(&Text::new("checklist-intro").arg("site", &list.site))));
    out.push('\n');
    let head = columns().map(|c| inline(&say(&c)));
    let mut last: Option<(Place, bool)> = None;
    for row in &list.rows {
        let setting = matches!(row.action, Action::Set(_));
        let shown: &[usize] = if setting { &[0, 2, 9, 10] } else { &[0, 2, 3, 4, 5, 6, 7, 8, 9, 10] };
        let kept = |cells: &[String; 11]| {
            let cells: Vec<&str> = shown.iter().filter_map(|at| cells.get(*at)).map(String::as_str).collect();
            format!("| ☐ | {} |\n", cells.join(" | "))
        };
        // Within a place settings come first, so that there are at most two tables.
        let changed = last.is_none_or(|(place, _)| place != row.place);
        if changed {
            out.push_str(&format!("\n## {}\n", inline(&say(&row.place.text()))));
        }
        let other = last.is_none_or(|(_, set)| set != setting);
        if changed || other {
            out.push('\n');
            out.push_str(&kept(&head).replacen('☐', "", 1));
            out.push_str(&format!("|---|{}\n", "---|".repeat(shown.len())));
        }
        last = Some((row.place, setting));
        out.push_str(&kept(&cells(row, say).map(|c| inline(&c))));
    }
    out
}

/// One line per row after a line of headings; RFC 4180.
pub fn csv(list: &Checklist, say: Say<'_>) -> String {
    let line = |cells: [String; 11]| format!("{}\r\n", cells.map(|c| field(&c)).join(","));
    let mut out = line(columns().map(|c| say(&c)));
    for row in &list.rows {
        out.push_str(&line(cells(row, say)));
    }
    out
}

/// The cells of a row, in the order of [`columns`].
fn cells(row: &Row, say: Say<'_>) -> [String; 11] {
    let rule = matches!(row.action, Action::Allow | Action::Block);
    let any = || say(&Text::new("checklist-any"));
    let family = match row.family {
        Some(Family::V4) => "IPv4".to_string(),
        Some(Family::V6) => "IPv6".to_string(),
        None if rule => "IPv4, IPv6".to_string(),
        None => String::new(),
    };
    let ports = match (&row.ports, row.source_port) {
        (Some(ports), Some(from)) => {
            say(&Text::new("checklist-ports-from").arg("ports", ports).arg("from", from))
        }
        (Some(ports), None) if row.protocol.as_deref().is_some_and(|p| p.starts_with("icmp")) => {
            say(&Text::new("checklist-icmp").arg("type", ports))
        }
        (Some(ports), None) => ports.clone(),
        (None, _) if rule => any(),
        (None, _) => String::new(),
    };
    let end = |end: &Option<End>| match end {
        Some(end) => said(end, say),
        None if rule => any(),
        None => String::new(),
    };
    [
        row.number.to_string(),
        say(&row.place.text()),
        say(&match &row.action {
            Action::Allow => Text::new("checklist-allow"),
            Action::Block => Text::new("checklist-block"),
            Action::Translate => Text::new("checklist-translate"),
            Action::Set(what) => what.clone(),
        }),
        end(&row.source),
        end(&row.destination),
        family,
        row.protocol.clone().unwrap_or_else(|| if rule { any() } else { String::new() }),
        ports,
        match (rule, row.log) {
            (false, _) => String::new(),
            (true, true) => say(&Text::new("checklist-yes")),
            (true, false) => say(&Text::new("checklist-no")),
        },
        say(&row.why),
        say(&row.test.words),
    ]
}

fn said(end: &End, say: Say<'_>) -> String {
    let place = match &end.zone {
        Zone::Segments(list) => {
            let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        }
        Zone::Internet(_) => say(&Text::new("checklist-internet")),
        Zone::Device => say(&Text::new("checklist-device")),
    };
    let data = end.data.join(", ");
    match (data.is_empty(), end.except) {
        (true, _) => say(&Text::new("checklist-end-any").arg("place", place)),
        (false, true) => say(&Text::new("checklist-end-except").arg("place", place).arg("data", data)),
        (false, false) => say(&Text::new("checklist-end").arg("place", place).arg("data", data)),
    }
}

/// Control characters, and what turns the direction of writing, as a blank.
fn shown(c: char) -> char {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { ' ' } else { c }
}

/// Text for a Markdown table or a heading: one line, and nothing in it is markup (CommonMark 2.4, GFM 4.10, 6.9).
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(shown) {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' | '@' => {
                out.push('\\');
                out.push(c);
            }
            // A bare address would become a link.
            '/' if out.ends_with(":/") => out.push_str("\\/"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
            c => out.push(c),
        }
    }
    out.trim().to_string()
}

/// A CSV field, always in quotes; a spreadsheet takes none for a formula.
pub(crate) fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let mark = if formula { "'" } else { "" };
    let text: String = text.chars().map(shown).collect();
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_is_markup() {
        assert_eq!(inline("a|b `c` <img src=x>\n# *d*"), "a\\|b \\`c\\` &lt;img src=x&gt; \\# \\*d\\*");
        assert_eq!(inline("[x](http://evil) www.evil"), "\\[x\\](http:/\\/evil) www\\.evil");
        assert_eq!(inline("back\\slash\u{202e}|"), "back\\\\slash \\|");
    }

    #[test]
    fn nothing_in_a_field_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(field(text).starts_with("\"'"), "{text:?}");
        }
        assert_eq!(field("say \"hi\"\r\nthere"), "\"say \"\"hi\"\"  there\"");
    }
}
