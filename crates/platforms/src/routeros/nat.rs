//! What the actions of nat rules make of a packet.

use super::lists::addresses;
use super::matches::{Bad, ports};
use super::script::Command;
use tillgate_model::{Family, Ranges, Text};
use tillgate_ruleset::{Action, Translation};

/// The action of a nat rule other than those all rules have; `None` when it is not one.
pub fn action(command: &Command, family: Family, name: &str) -> Result<Option<Action>, Bad> {
    let to_ports = match command.get("to-ports") {
        None => None,
        Some(text) => {
            let bad = || (command.place("to-ports"), Text::new("bad-value").arg("value", text));
            let ranges = ports(text).ok_or_else(bad)?;
            match ranges.as_slice() {
                [(lo, hi)] => Some((*lo as u16, *hi as u16)),
                _ => return Err(bad()),
            }
        }
    };
    // A port that lies in the range already is kept.
    let kept = to_ports.filter(|(lo, hi)| {
        let matched = command.get("dst-port").filter(|v| !v.starts_with('!')).and_then(ports);
        let target = Ranges::span((*lo).into(), (*hi).into());
        lo != hi && matched.is_some_and(|m| m.is_subset(&target))
    });
    let ports = if kept.is_some() { None } else { to_ports };
    Ok(Some(match name {
        "masquerade" | "src-nat" => Action::Translate(Translation::Source),
        "redirect" => Action::Translate(Translation::Redirect { ports }),
        "dst-nat" | "netmap" | "same" => {
            let key = if command.get("to-addresses").is_some() { "to-addresses" } else { "to-address" };
            let target = match command.get(key) {
                None => None,
                Some(text) => {
                    let bad = || (command.place(key), Text::new("bad-value").arg("value", text));
                    let ranges = addresses(family, text).ok_or_else(bad)?;
                    ranges.as_slice().first().copied()
                }
            };
            match (name, target) {
                // In srcnat it is the source that is mapped.
                ("netmap" | "same", _) if command.get("chain") == Some("srcnat") => {
                    Action::Translate(Translation::Source)
                }
                ("netmap", Some((lo, hi))) if lo != hi => Action::Unknown,
                (_, None) if ports.is_none() => Action::Accept,
                (_, target) => Action::Translate(Translation::Destination {
                    tag: 1,
                    addresses: target.map(|(lo, hi)| (family, lo, hi)),
                    ports,
                }),
            }
        }
        "endpoint-independent-nat" | "socksify" => Action::Unknown,
        _ => return Ok(None),
    }))
}
