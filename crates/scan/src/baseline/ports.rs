//! What became of a device's ports.

use super::matching::Track;
use super::{Entry, FLAPS, WINDOW, What};
use crate::observed::{Device, Scan, Transport};
use std::collections::BTreeSet;

/// Adds the changes of every port that a device, or the ones it stands in for, ever had open. The last scan of
/// `all` is the new one.
pub(super) fn changes(all: &[&Scan], tracks: &[&Track<'_>], entry: &mut Entry<'_>) {
    let seen = |scan: usize| tracks.iter().find_map(|track| track.seen(scan));
    let every: BTreeSet<(Transport, u16)> = (0..all.len())
        .filter_map(seen)
        .filter(|device| !device.answers_everything)
        .flat_map(|device| device.ports.iter().map(|p| (p.protocol, p.port)))
        .collect();
    for (protocol, port) in every {
        // Time and state, of the scans that tell.
        let states: Vec<(usize, bool)> = all
            .iter()
            .enumerate()
            .filter_map(|(at, scan)| Some((at, state(scan, seen(at)?, protocol, port)?)))
            .collect();
        let Some((&(_, is_open), before)) = states.split_last().filter(|((at, _), _)| at + 1 == all.len())
        else {
            continue;
        };
        let oldest = all.len().saturating_sub(WINDOW);
        let window: Vec<bool> =
            states.iter().filter(|(at, _)| *at >= oldest).map(|(_, open)| *open).collect();
        let turns = window.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let last_open =
            before.iter().rev().find(|(_, open)| *open).and_then(|(at, _)| all.get(*at)).map(|s| s.at);
        let was_open = before.last().map(|(_, open)| *open);
        entry.is_sure = true;
        match (was_open, last_open) {
            _ if turns >= FLAPS => {
                entry.add(What::Flapping { protocol, port, changes: turns, scans: window.len(), is_open });
            }
            (Some(false), Some(last)) if is_open => entry.add(What::Reopened { protocol, port, last }),
            (Some(false), None) if is_open => entry.add(What::Opened { protocol, port }),
            (None, _) if is_open => {
                entry.is_sure = false;
                entry.add(What::Opened { protocol, port });
            }
            (Some(true), Some(last)) if !is_open => entry.add(What::Closed { protocol, port, last }),
            _ => {}
        }
    }
}

/// Whether a scan saw a port open or closed; `None` where it cannot tell.
fn state(scan: &Scan, device: &Device, protocol: Transport, port: u16) -> Option<bool> {
    if device.answers_everything {
        return None;
    }
    if device.port(protocol, port).is_some() {
        return Some(true);
    }
    (scan.is_complete && device.is_complete && scan.asked(protocol, port)).then_some(false)
}

/// Whether two devices do the same: at least half of all the ports of both are open on both, as far as the later
/// scan asked.
pub(super) fn same_role(old: &Device, new: &Device, scan: &Scan) -> bool {
    if old.answers_everything || new.answers_everything {
        return old.answers_everything == new.answers_everything;
    }
    let ports = |device: &Device| -> BTreeSet<(Transport, u16)> {
        let asked = device.ports.iter().filter(|p| scan.asked(p.protocol, p.port));
        asked.map(|p| (p.protocol, p.port)).collect()
    };
    let (old, new) = (ports(old), ports(new));
    old.intersection(&new).count() * 2 >= old.union(&new).count()
}
