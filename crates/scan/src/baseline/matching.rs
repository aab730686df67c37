//! Which device of one scan is which of another, and of the estate.

use super::Declared;
use crate::observed::{Device, Scan, is_local_mac};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// A device through several scans.
pub(super) struct Track<'a> {
    /// By scan: its place among the scan's devices, and what was seen.
    seen: Vec<Option<(usize, &'a Device)>>,
}

impl<'a> Track<'a> {
    pub fn seen(&self, scan: usize) -> Option<&'a Device> {
        self.seen.get(scan).copied().flatten().map(|(_, device)| device)
    }

    pub fn index(&self, scan: usize) -> Option<usize> {
        self.seen.get(scan).copied().flatten().map(|(index, _)| index)
    }

    /// The first scan that saw it.
    pub fn first(&self) -> usize {
        self.seen.iter().position(Option::is_some).unwrap_or(self.seen.len())
    }

    /// The last scan that saw it, and how.
    pub fn last(&self) -> Option<(usize, &'a Device)> {
        self.seen.iter().enumerate().rev().find_map(|(at, seen)| seen.map(|(_, device)| (at, device)))
    }

    /// The last hardware address of its own; a scan from elsewhere shows none.
    pub fn lasting_mac(&self) -> Option<[u8; 6]> {
        self.seen.iter().rev().flatten().find_map(|(_, device)| lasting(device))
    }

    fn names(&self) -> &'a [String] {
        let named = self.seen.iter().rev().flatten().find(|(_, device)| !device.names.is_empty());
        named.map_or(&[], |(_, device)| &device.names)
    }
}

/// Follows every device through the scans, which are in order of time.
pub(super) fn tracks<'a>(scans: &[&'a Scan]) -> Vec<Track<'a>> {
    let mut tracks: Vec<Track<'a>> = Vec::new();
    for (at, scan) in scans.iter().enumerate() {
        let mut open: Vec<bool> = vec![true; tracks.len()];
        let mut place: Vec<Option<usize>> = vec![None; scan.devices.len()];
        // By hardware address and address, by hardware address, by name, by address: the surest first.
        pair(
            &tracks,
            &mut open,
            &scan.devices,
            &mut place,
            mac_and_address_of_track,
            mac_and_address,
            |_, _| true,
        );
        pair(
            &tracks,
            &mut open,
            &scan.devices,
            &mut place,
            |t| t.lasting_mac().into_iter().collect(),
            |d| lasting(d).into_iter().collect(),
            |_, _| true,
        );
        pair(
            &tracks,
            &mut open,
            &scan.devices,
            &mut place,
            |t| t.names().to_vec(),
            |d| d.names.clone(),
            may_be_same,
        );
        pair(
            &tracks,
            &mut open,
            &scan.devices,
            &mut place,
            |t| t.last().map_or(Vec::new(), |(_, d)| routed(d)),
            routed,
            |track, device| {
                // Two names without one in common are two devices.
                may_be_same(track, device) && (track.names().is_empty() || device.names.is_empty())
            },
        );
        for (index, device) in scan.devices.iter().enumerate() {
            let track = match place[index] {
                Some(track) => track,
                None => {
                    tracks.push(Track { seen: vec![None; scans.len()] });
                    tracks.len() - 1
                }
            };
            if let Some(slot) = tracks.get_mut(track).and_then(|t| t.seen.get_mut(at)) {
                *slot = Some((index, device));
            }
        }
    }
    tracks
}

/// Pairs what is unpaired by keys that exactly one track and one device have.
fn pair<'a, K: Eq + Hash>(
    tracks: &[Track<'a>],
    open: &mut [bool],
    devices: &'a [Device],
    place: &mut [Option<usize>],
    of_track: impl Fn(&Track<'a>) -> Vec<K>,
    of_device: impl Fn(&Device) -> Vec<K>,
    fits: impl Fn(&Track<'a>, &Device) -> bool,
) {
    let mut known: HashMap<K, Option<usize>> = HashMap::new();
    for (index, track) in tracks.iter().enumerate().filter(|(index, _)| open[*index]) {
        for key in of_track(track) {
            known.entry(key).and_modify(|slot| *slot = None).or_insert(Some(index));
        }
    }
    let mut count: HashMap<K, usize> = HashMap::new();
    for device in devices {
        for key in of_device(device) {
            *count.entry(key).or_default() += 1;
        }
    }
    for (index, device) in devices.iter().enumerate() {
        if place[index].is_some() {
            continue;
        }
        let single = |key: &K| count.get(key) == Some(&1);
        let track =
            of_device(device).into_iter().filter(single).find_map(|key| known.get(&key).copied().flatten());
        if let Some(track) = track.filter(|t| open[*t] && fits(&tracks[*t], device)) {
            open[track] = false;
            place[index] = Some(track);
        }
    }
}

fn mac_and_address_of_track(track: &Track<'_>) -> Vec<([u8; 6], IpAddr)> {
    let addresses = track.last().map_or(Vec::new(), |(_, device)| routed(device));
    track.lasting_mac().map_or(Vec::new(), |mac| addresses.into_iter().map(|a| (mac, a)).collect())
}

fn mac_and_address(device: &Device) -> Vec<([u8; 6], IpAddr)> {
    lasting(device).map_or(Vec::new(), |mac| routed(device).into_iter().map(|a| (mac, a)).collect())
}

/// A hardware address that is the device's own.
fn lasting(device: &Device) -> Option<[u8; 6]> {
    device.mac.filter(|mac| !is_local_mac(*mac))
}

fn routed(device: &Device) -> Vec<IpAddr> {
    device.addresses.iter().copied().filter(|a| !super::is_link_local(a)).collect()
}

/// Two different hardware addresses, neither made up, are two devices.
fn may_be_same(track: &Track<'_>, device: &Device) -> bool {
    match (track.lasting_mac(), lasting(device)) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    }
}

/// What ties an observed device to a declared one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Mac,
    Name,
    Address,
    Nothing,
}

/// What ties these two; a declared hardware address counts although it is made up, and another one contradicts.
pub(crate) fn keyed_by(known: &Declared, device: &Device) -> Key {
    if let Some(mac) = device.mac {
        if known.macs.contains(&mac) {
            return Key::Mac;
        }
        // A device of several hardware addresses declares them all.
        if !known.macs.is_empty() {
            return Key::Nothing;
        }
    }
    let name = known.name.to_lowercase();
    if device.names.iter().any(|n| *n == name || n.split('.').next() == Some(&name)) {
        return Key::Name;
    }
    if known.addresses.iter().any(|a| device.addresses.contains(a)) { Key::Address } else { Key::Nothing }
}

/// The declared device that this one is, by the surest tie.
pub fn declared_at<'d>(declared: &'d [Declared], device: &Device) -> Option<&'d Declared> {
    let ties = declared.iter().map(|known| (keyed_by(known, device), known));
    ties.filter(|(key, _)| *key != Key::Nothing).min_by_key(|(key, _)| *key).map(|(_, known)| known)
}
