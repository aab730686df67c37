//! What to click on a device that has only a web page, in order, with a test for each row.
//!
//! Written only. The rows for firewall rules are read back from what they say ([`rule_set`]) and shown equal to the
//! intent before they are handed out, as every renderer proves its own text.

mod place;
mod read;
mod rows;
mod settings;
mod table;
mod trial;

pub use place::Place;
pub use read::rule_set;
pub(crate) use table::field;
pub use table::{csv, markdown};

use crate::write::{RenderError, check, shortcomings};
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Family, Packet, Text};

/// An ordered list of things to do on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checklist {
    /// Site name.
    pub site: String,
    /// In order; each place has one run of rows.
    pub rows: Vec<Row>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Counted from 1.
    pub number: usize,
    /// Where on the device.
    pub place: Place,
    /// What to do there.
    pub action: Action,
    /// The family it is for; `None` for both.
    pub family: Option<Family>,
    /// Where packets come from; `None` where that does not matter.
    pub source: Option<End>,
    /// Where they go.
    pub destination: Option<End>,
    /// Protocol name or number; `None` for any.
    pub protocol: Option<String>,
    /// Destination ports, `443` or `5060-5061`, joined by commas; the ICMP type of an ICMP rule.
    pub ports: Option<String>,
    /// The one source port, where it matters.
    pub source_port: Option<u16>,
    /// Whether the device should log what the row matches.
    pub log: bool,
    /// The requirement and who it is for.
    pub why: Text,
    /// How to see that it works.
    pub test: Test,
}

/// What a row does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A firewall rule that lets packets pass.
    Allow,
    /// A firewall rule that denies them.
    Block,
    /// Sources are translated to the uplink's address.
    Translate,
    /// A setting, as these words say.
    Set(Text),
}

/// One end of a rule: a place in the network and addresses there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The place.
    pub zone: Zone,
    /// Addresses, prefixes, ranges `a-b`, or names; none for any.
    pub data: Vec<String>,
    /// Whether the data are names.
    pub names: bool,
    /// Whether everything but the data is meant.
    pub except: bool,
}

/// A place in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Segments: name and the firewall's interface.
    Segments(Vec<(String, String)>),
    /// The internet: the uplinks, as the firewall names them.
    Internet(Vec<String>),
    /// The device itself.
    Device,
}

/// How to see that a row works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// What to try, from where, and what should come of it.
    pub words: Text,
    /// The packet it sends, and whether it must pass.
    pub packet: Option<(Packet, bool)>,
}

/// The list for a site, proved.
pub fn render(site: &Site, intent: &Intent) -> Result<Checklist, RenderError> {
    check(site, intent)?;
    let mut list = Checklist { site: site.name.clone(), rows: Vec::new() };
    settings::add(site, intent, &mut list);
    rows::add(intent, &mut list);
    list.rows.sort_by_key(|row| row.place);
    for (at, row) in list.rows.iter_mut().enumerate() {
        row.number = at + 1;
    }
    let rules = rule_set(&list);
    let findings = shortcomings(&rules, intent);
    if !findings.is_empty() {
        return Err(RenderError::Unproved(findings));
    }
    trial::add(intent, &rules, &mut list);
    Ok(list)
}
