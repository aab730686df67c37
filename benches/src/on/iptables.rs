//! iptables: the FORWARD chain as `iptables-save` prints it.

use super::Row;
use std::fmt::Write;

/// A rule for each row, then a default deny.
pub fn config(rows: &[Row]) -> String {
    let mut rules = String::new();
    for row in rows {
        let target = if row.accept { "ACCEPT" } else { "DROP" };
        let _ = writeln!(
            rules,
            "-A FORWARD -s {}/24 -d {}/32 -p tcp -m tcp --dport {} -j {target}",
            row.source, row.destination, row.port
        );
    }
    format!("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n")
}
