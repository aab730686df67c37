//! nftables: one base chain of the forward hook.

use super::Row;
use std::fmt::Write;

/// A rule for each row, then a default deny.
pub fn config(rows: &[Row]) -> String {
    let mut rules = String::new();
    for row in rows {
        let verdict = if row.accept { "accept" } else { "drop" };
        let _ = writeln!(
            rules,
            "\t\tip saddr {}/24 ip daddr {} tcp dport {} {verdict}",
            row.source, row.destination, row.port
        );
    }
    format!(
        "table inet t {{\n\tchain forward {{\n\t\ttype filter hook forward priority filter; policy drop;\n{rules}\t}}\n}}\n"
    )
}
