//! OpenWrt: rules of the firewall's UCI file, as `uci export firewall` prints them.

use super::Row;
use std::fmt::Write;

/// A rule for each row, then the defaults' deny.
pub fn config(rows: &[Row]) -> String {
    let mut out = String::from(
        "package firewall\n\nconfig defaults\n\toption input 'DROP'\n\toption output 'ACCEPT'\n\toption forward 'DROP'\n\n",
    );
    for Row { number, source, destination, port, accept } in rows {
        let target = if *accept { "ACCEPT" } else { "DROP" };
        let _ = write!(
            out,
            "config rule\n\toption name 'rule {number}'\n\toption src '*'\n\toption dest '*'\n\toption proto 'tcp'\n\toption src_ip '{source}/24'\n\toption dest_ip '{destination}'\n\toption dest_port '{port}'\n\toption target '{target}'\n\n"
        );
    }
    out
}
