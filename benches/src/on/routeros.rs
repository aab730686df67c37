//! RouterOS: the filter section of an export.

use super::Row;
use std::fmt::Write;

/// A rule for each row, then a default deny.
pub fn config(rows: &[Row]) -> String {
    let mut rules = String::new();
    for row in rows {
        let action = if row.accept { "accept" } else { "drop" };
        let _ = writeln!(
            rules,
            "add action={action} chain=forward dst-address={} dst-port={} protocol=tcp src-address={}/24",
            row.destination, row.port, row.source
        );
    }
    format!(
        "# 2024-03-01 08:15:02 by RouterOS 7.14\n/ip firewall filter\n{rules}add action=drop chain=forward\nadd action=drop chain=input\n"
    )
}
