//! FortiOS: a policy for each rule, with objects of its own.

use super::Row;
use std::fmt::Write;

/// A rule for each row, then a default deny.
pub fn config(rows: &[Row]) -> String {
    let (mut objects, mut services, mut policies) = (String::new(), String::new(), String::new());
    for Row { number, source, destination, port, accept } in rows {
        let action = if *accept { "accept" } else { "deny" };
        let _ = writeln!(
            objects,
            "    edit \"s{number}\"\n        set subnet {source} 255.255.255.0\n    next\n    edit \"d{number}\"\n        set subnet {destination} 255.255.255.255\n    next"
        );
        let _ = writeln!(services, "    edit \"p{number}\"\n        set tcp-portrange {port}\n    next");
        let _ = writeln!(
            policies,
            "    edit {number}\n        set srcintf \"any\"\n        set dstintf \"any\"\n        set srcaddr \"s{number}\"\n        set dstaddr \"d{number}\"\n        set action {action}\n        set schedule \"always\"\n        set service \"p{number}\"\n    next"
        );
    }
    format!(
        "config firewall address\n{objects}end\nconfig firewall service custom\n{services}end\nconfig firewall policy\n{policies}end\n"
    )
}
