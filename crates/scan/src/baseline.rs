//! What changed since earlier scans, by device and not by address: one document of JSON a scan, a line each.
//!
//! A scan that did not see everything never makes anything closed or missing.

mod matching;
mod ports;

use crate::observed::{Device, Scan, Transport, mac_text};
use matching::{Track, tracks};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

pub use matching::declared_at;
pub(crate) use matching::{Key, keyed_by};

/// How many scans, the new one among them, are looked at for flapping.
pub const WINDOW: usize = 10;
/// How many changes within the window make a port flap.
pub const FLAPS: usize = 3;

/// What a device is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// Its hardware address, if it was not made up.
    Mac(String),
    /// Its name.
    Name(String),
    /// Its address.
    Address(IpAddr),
    /// Nothing.
    None,
}

/// A device as the estate declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Name.
    pub name: String,
    /// Name of its segment.
    pub segment: String,
    /// Fixed addresses; none if it has none.
    pub addresses: Vec<IpAddr>,
    /// Hardware addresses.
    pub macs: Vec<[u8; 6]>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Address of the device: where it is now, or where it was last.
    pub address: Option<IpAddr>,
    /// What it was recognised by.
    pub identity: Identity,
    /// Its name in the estate.
    pub declared: Option<String>,
    /// The segment it stands in, or stood in.
    pub segment: Option<String>,
    /// What changed.
    pub what: What,
    /// False where the earlier scans did not look there, so that it may have been so all along.
    pub is_sure: bool,
}

/// What changed. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum What {
    /// A device that no earlier scan saw.
    New,
    /// A device that stands where another one stood and does the same: neither missing nor new.
    Replaced {
        /// Hardware address of the earlier one, declared or seen.
        before: String,
        /// Hardware address of this one.
        after: String,
    },
    /// A declared device at another address or in another segment.
    Misplaced {
        /// Where it should stand: segment and addresses.
        declared_segment: String,
        /// Its declared addresses.
        declared_addresses: Vec<IpAddr>,
    },
    /// A device that the last scan saw is not there.
    Missing {
        /// When it was last seen.
        last: i64,
    },
    /// A port is open that was not.
    Opened {
        /// TCP or UDP.
        protocol: Transport,
        /// Port number.
        port: u16,
    },
    /// A port is open that had been before, and closed since.
    Reopened {
        /// TCP or UDP.
        protocol: Transport,
        /// Port number.
        port: u16,
        /// When it was last seen open.
        last: i64,
    },
    /// A port is no longer open.
    Closed {
        /// TCP or UDP.
        protocol: Transport,
        /// Port number.
        port: u16,
        /// When it was last seen open.
        last: i64,
    },
    /// A port comes and goes: at least [`FLAPS`] changes over the last [`WINDOW`] scans.
    Flapping {
        /// TCP or UDP.
        protocol: Transport,
        /// Port number.
        port: u16,
        /// Number of changes.
        changes: usize,
        /// Number of scans that tell its state.
        scans: usize,
        /// Whether it is open now.
        is_open: bool,
    },
}

impl Change {
    /// The change in words.
    pub fn text(&self) -> Text {
        let device = self.label();
        let base = |id: &'static str| Text::new(id).arg("device", &device);
        let port = |id: &'static str, protocol: &Transport, port: &u16| {
            base(id).arg("port", format!("{}/{port}", protocol.name()))
        };
        match &self.what {
            What::New => base("drift-new"),
            What::Replaced { before, after } => {
                base("drift-replaced").arg("before", before).arg("after", after)
            }
            What::Misplaced { declared_segment, declared_addresses } => base("drift-misplaced")
                .arg("segment", declared_segment)
                .arg("addresses", join(declared_addresses)),
            What::Missing { .. } => base("drift-missing"),
            What::Opened { protocol, port: n } if self.is_sure => port("drift-opened", protocol, n),
            What::Opened { protocol, port: n } => port("drift-opened-possibly", protocol, n),
            What::Reopened { protocol, port: n, .. } => port("drift-reopened", protocol, n),
            What::Closed { protocol, port: n, .. } => port("drift-closed", protocol, n),
            What::Flapping { protocol, port: n, changes, scans, .. } => {
                port("drift-flapping", protocol, n).num("changes", *changes).num("scans", *scans)
            }
        }
    }

    /// How people call the device: name and address.
    pub fn label(&self) -> String {
        let name = self.declared.clone().or(match &self.identity {
            Identity::Name(name) => Some(name.clone()),
            Identity::Mac(mac) => Some(mac.clone()),
            _ => None,
        });
        match (name, self.address) {
            (Some(name), Some(address)) => format!("{name} ({address})"),
            (Some(name), None) => name,
            (None, Some(address)) => address.to_string(),
            (None, None) => "?".into(),
        }
    }
}

/// What a device is recognised by: its hardware address unless that is made up, its name, its address.
pub fn identity(device: &Device) -> Identity {
    let mac =
        device.mac.filter(|mac| !crate::observed::is_local_mac(*mac)).map(|m| Identity::Mac(mac_text(m)));
    mac.or_else(|| device.names.first().cloned().map(Identity::Name))
        .or_else(|| device.addresses.first().copied().map(Identity::Address))
        .unwrap_or(Identity::None)
}

/// Compares a scan with the earlier ones of its site, in any order, and with what is declared. Without earlier
/// scans nothing is new, opened or closed: this one begins the baseline.
pub fn drift(history: &[Scan], now: &Scan, declared: &[Declared]) -> Vec<Change> {
    let mut earlier: Vec<&Scan> = history.iter().filter(|s| s.site == now.site && s.at < now.at).collect();
    earlier.sort_by_key(|scan| scan.at);
    let all: Vec<&Scan> = earlier.iter().copied().chain([now]).collect();
    let tracks = tracks(&all);
    let at = all.len() - 1;
    let mut out = Vec::new();
    let mut consumed = vec![false; tracks.len()];
    for track in &tracks {
        let Some(device) = track.seen(at) else { continue };
        if now.scanner.iter().any(|own| device.addresses.contains(own)) {
            continue;
        }
        let known = declared_at(declared, device);
        let mut entry = Entry { device, known, is_sure: true, out: &mut out };
        if let Some(known) = known
            && keyed_by(known, device) != matching::Key::Address
            && is_misplaced(known, device)
        {
            entry.add(What::Misplaced {
                declared_segment: known.segment.clone(),
                declared_addresses: known.addresses.clone(),
            });
        }
        let is_new = track.first() == at;
        if is_new && let Some(before) = predecessor(&tracks, &consumed, &all, device, known) {
            consumed[before] = true;
            let old = &tracks[before];
            // Whose place it took is what people call it by.
            entry.known = known.or_else(|| impostor(declared, device));
            entry.replaced(old.lasting_mac(), device.mac);
            ports::changes(&all, &[old, track], &mut entry);
        } else if is_new && let Some(other) = impostor(declared, device) {
            Entry { known: Some(other), ..entry }.replaced(other.macs.first().copied(), device.mac);
        } else if is_new && at > 0 {
            entry.is_sure = all[..at].iter().any(|scan| scan.covers(device.segment.as_deref()));
            entry.add(What::New);
        } else if !is_new {
            ports::changes(&all, &[track], &mut entry);
        }
    }
    for (index, track) in tracks.iter().enumerate() {
        let gone = track.seen(at).is_none() && !consumed[index];
        let Some((last, device)) = track.last() else { continue };
        // Only what the scan before this one still saw goes missing now.
        let is_fresh = at > 0 && last + 1 == at;
        let is_own = now.scanner.iter().any(|own| device.addresses.contains(own));
        if gone && is_fresh && !is_own && now.covers(device.segment.as_deref()) {
            let known = declared_at(declared, device);
            let last = all[last].at;
            Entry { device, known, is_sure: true, out: &mut out }.add(What::Missing { last });
        }
    }
    out.sort();
    out.dedup();
    out
}

/// Carries the time at which each port was first seen open from earlier scans into a new one.
pub fn carry_first(history: &[Scan], now: &mut Scan) {
    let mut earlier: Vec<&Scan> = history.iter().filter(|s| s.site == now.site && s.at < now.at).collect();
    earlier.sort_by_key(|scan| scan.at);
    let all: Vec<&Scan> = earlier.into_iter().chain([&*now]).collect();
    let at = all.len() - 1;
    let mut found = Vec::new();
    for track in tracks(&all) {
        let Some(index) = track.index(at) else { continue };
        for scan in 0..at {
            let ports = track.seen(scan).map_or(&[][..], |d| &d.ports);
            found.extend(ports.iter().map(|p| (index, p.protocol, p.port, p.first)));
        }
    }
    for (index, protocol, port, first) in found {
        let ports = now.devices.get_mut(index).map(|d| &mut d.ports);
        if let Some(open) =
            ports.and_then(|p| p.iter_mut().find(|p| (p.protocol, p.port) == (protocol, port)))
        {
            open.first = open.first.min(first);
        }
    }
}

/// Reads a baseline: a scan a line. A last line without its end is what a crash leaves, and only a warning.
pub fn read(file: &Arc<SourceFile>) -> (Vec<Scan>, Vec<Diagnostic>) {
    let mut scans = Vec::new();
    let mut found = Vec::new();
    let mut start = 0;
    for line in file.text.split_inclusive('\n') {
        let text = line.trim();
        if !text.is_empty() {
            match Scan::from_line(text) {
                Ok(scan) => scans.push(scan),
                Err(error) => {
                    let at =
                        start + error.column().saturating_sub(1).min(line.trim_end().len().saturating_sub(1));
                    let at = (0..=at).rev().find(|at| file.text.is_char_boundary(*at)).unwrap_or(0);
                    let span = Span::new(file, at, (at + 1).min(file.text.len()));
                    found.push(if error.is_eof() && !line.ends_with('\n') {
                        Diagnostic::warning(span, Text::new("baseline-cut"))
                    } else {
                        let what = Text::new("baseline-line").arg("detail", &error);
                        Diagnostic::error(span, what).hint(Text::new("baseline-line-hint"))
                    });
                }
            }
        }
        start += line.len();
    }
    scans.sort_by_key(|scan| scan.at);
    Diagnostic::sort(&mut found);
    (scans, found)
}

/// Whether a device stands elsewhere than declared.
pub(crate) fn is_misplaced(known: &Declared, device: &Device) -> bool {
    let segment = device.segment.as_ref().is_some_and(|segment| *segment != known.segment);
    // Of each family in which it has a fixed address, one must be seen if any is.
    let other = [true, false].into_iter().any(|v4| {
        let fixed: Vec<&IpAddr> = known.addresses.iter().filter(|a| a.is_ipv4() == v4).collect();
        let mut seen = device.addresses.iter().filter(|a| a.is_ipv4() == v4 && !is_link_local(a)).peekable();
        !fixed.is_empty() && seen.peek().is_some() && !seen.any(|a| fixed.contains(&a))
    });
    segment || other
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// Where changes of one device go.
struct Entry<'a> {
    device: &'a Device,
    known: Option<&'a Declared>,
    is_sure: bool,
    out: &'a mut Vec<Change>,
}

impl Entry<'_> {
    fn add(&mut self, what: What) {
        self.out.push(Change {
            address: self.device.addresses.first().copied(),
            identity: identity(self.device),
            declared: self.known.map(|known| known.name.clone()),
            segment: self.device.segment.clone(),
            what,
            is_sure: self.is_sure,
        });
    }

    fn replaced(&mut self, before: Option<[u8; 6]>, after: Option<[u8; 6]>) {
        let text = |mac: Option<[u8; 6]>| mac.map(mac_text).unwrap_or_default();
        self.add(What::Replaced { before: text(before), after: text(after) });
    }
}

/// The device that stood at this one's address or had its name, is gone, and did the same.
fn predecessor(
    tracks: &[Track<'_>],
    consumed: &[bool],
    all: &[&Scan],
    device: &Device,
    known: Option<&Declared>,
) -> Option<usize> {
    // A made-up hardware address changes without anything being exchanged.
    let new = device.mac.filter(|mac| !crate::observed::is_local_mac(*mac))?;
    let at = all.len() - 1;
    let is_single =
        |name: &String| all.iter().all(|s| s.devices.iter().filter(|d| d.names.contains(name)).count() < 2);
    (0..tracks.len()).find(|index| {
        let Some(track) = tracks.get(*index) else { return false };
        let Some((last, old)) = track.last().filter(|_| track.seen(at).is_none() && !consumed[*index]) else {
            return false;
        };
        let same_place = old.addresses.iter().any(|a| !is_link_local(a) && device.addresses.contains(a));
        let same_name = old.names.iter().any(|name| device.names.contains(name) && is_single(name));
        let other_mac = track.lasting_mac().is_some_and(|mac| mac != new);
        // A free address goes to anybody after a while; a name, or a declared place, does not.
        let follows = same_name || (same_place && (last + 1 == at || known.is_some()));
        follows && other_mac && ports::same_role(old, device, all[at])
    })
}

/// The declared device whose address this one has with another hardware address.
pub(crate) fn impostor<'d>(declared: &'d [Declared], device: &Device) -> Option<&'d Declared> {
    let mac = device.mac?;
    declared.iter().find(|known| {
        !known.macs.is_empty()
            && !known.macs.contains(&mac)
            && known.addresses.iter().any(|a| device.addresses.contains(a))
    })
}

fn join(addresses: &[IpAddr]) -> String {
    if addresses.is_empty() {
        return "–".into();
    }
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
