//! What belongs beside a firewall's file whatever its platform: address assignment and switches.

use crate::checklist::field;
use crate::companion::{dhcp, reservations};
use crate::switch::switches;
use crate::write::Rendered;
use tillgate_estate::Site;
use tillgate_intent::Intent;

/// Adds the companions that do not depend on the platform, and sorts all by name: the DHCP server's file
/// (`dhcp-server` in the estate; without it, a table of reservations unless the platform's own companions assign
/// addresses), and one file per switch. A file that is already there stays as it is.
pub fn add_companions(site: &Site, intent: &Intent, rendered: &mut Rendered) {
    rendered.companions.extend(companions_of(site, intent, &rendered.companions));
    rendered.companions.sort();
}

/// What [`add_companions`] adds beside the companions that are there already.
pub fn companions_of(site: &Site, intent: &Intent, known: &[(String, String)]) -> Vec<(String, String)> {
    let there = |name: &str| known.iter().any(|(n, _)| n == name);
    let mut out = Vec::new();
    if site.services.dhcp.is_some() {
        match dhcp(site, intent) {
            Some(file) if there(&file.0) => {}
            Some(file) => out.push(file),
            None if there("dnsmasq.conf") => {}
            None => {
                let name = "dhcp-reservations.csv".to_string();
                let rows = reservations(site, intent);
                let line = |cells: &[String]| {
                    let cells: Vec<String> = cells.iter().map(|c| field(c)).collect();
                    format!("{}\r\n", cells.join(","))
                };
                let text: String = rows.iter().map(|r| line(r)).collect();
                out.push((name, format!("{RESERVATIONS}\r\n{text}")));
            }
        }
    }
    out.extend(switches(site));
    out
}

/// Whether a text is a companion that no firewall reads: written here for a switch or a DHCP server. For folders that
/// hold a firewall's file and what belongs beside it.
pub fn is_companion(text: &str) -> bool {
    let mut lines = text.lines();
    let (first, second) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let head = first.trim_start_matches(['#', '!', ' ']);
    head.starts_with("tillgate: switch ")
        || (head.starts_with("tillgate: ") && second == "authoritative;")
        || (first == "{" && second.trim_start().starts_with("\"Dhcp4\""))
        || first == RESERVATIONS
}

/// The heading of a table of reservations.
const RESERVATIONS: &str = "\"segment\",\"name\",\"mac\",\"address\"";
