//! Rules as `show running-config` of a Cisco ASA prints them.

use std::fmt::Write;

/// A list with one entry per row, for what comes in by the inside interface, and a deny at its end.
pub fn config(rows: &[super::Row]) -> String {
    let mut out = String::from(
        "ASA Version 9.16(4)\n!\nhostname bench\nnames\n!\ninterface GigabitEthernet0/0\n nameif outside\n security-level 0\n ip address 203.0.113.2 255.255.255.0\n!\ninterface GigabitEthernet0/1\n nameif inside\n security-level 100\n ip address 10.32.0.1 255.224.0.0\n!\n",
    );
    for row in rows {
        let _ = writeln!(
            out,
            "access-list INSIDE_IN extended {} tcp {} 255.255.255.0 host {} eq {}",
            if row.accept { "permit" } else { "deny" },
            row.source,
            row.destination,
            row.port
        );
    }
    out + "access-list INSIDE_IN extended deny ip any any\naccess-group INSIDE_IN in interface inside\n"
}
