//! Rules as Cisco IOS prints them: one extended access list, bound where packets come in.

use std::fmt::Write;

/// One entry per row, then the deny for everything else.
pub fn config(rows: &[super::Row]) -> String {
    let mut out = String::from(
        "Building configuration...\n\nCurrent configuration : 800000 bytes\n!\nversion 17.6\nhostname edge\n!\n",
    );
    for name in ["eth0", "eth1.10", "eth1.20", "eth1.30"] {
        let _ = write!(out, "interface {name}\n ip access-group EDGE in\n!\n");
    }
    out.push_str("ip access-list extended EDGE\n");
    for row in rows {
        let verb = if row.accept { "permit" } else { "deny" };
        let _ = writeln!(
            out,
            " {} {verb} tcp {} 0.0.0.255 host {} eq {}",
            row.number * 10,
            row.source,
            row.destination,
            row.port
        );
    }
    let _ = write!(out, " {} deny ip any any log\n!\nend\n", (rows.len() + 1) * 10);
    out
}
