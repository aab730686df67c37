//! Rules as `show configuration commands` of VyOS 1.4 prints them.

use std::fmt::Write;

/// A forward list of these rules that drops the rest.
pub fn config(rows: &[super::Row]) -> String {
    let mut out = String::from("set firewall ipv4 forward filter default-action 'drop'\n");
    for row in rows {
        let super::Row { number, source, destination, port, accept } = row;
        let rule = format!("set firewall ipv4 forward filter rule {number}");
        let action = if *accept { "accept" } else { "drop" };
        let _ = writeln!(
            out,
            "{rule} action '{action}'\n{rule} destination address '{destination}'\n{rule} destination port '{port}'\n{rule} protocol 'tcp'\n{rule} source address '{source}/24'"
        );
    }
    out.push_str("set firewall ipv4 input filter default-action 'drop'\n");
    out
}
