//! A rule set as `pfctl -s rules` of OpenBSD prints it.

use std::fmt::Write;

/// One rule a row after a default deny; all are `quick`, so that the first that matches decides.
pub fn config(rows: &[super::Row]) -> String {
    let mut out = String::from("block drop log all\n");
    for row in rows {
        let (action, end) = if row.accept { ("pass", " flags S/SA") } else { ("block drop", "") };
        let _ = writeln!(
            out,
            "{action} in quick inet proto tcp from {}/24 to {} port = {}{end}",
            row.source, row.destination, row.port
        );
    }
    out.push_str("pass out quick all flags S/SA\n");
    out
}
