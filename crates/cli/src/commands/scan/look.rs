//! Looks at the segments by either engine, and puts together what was seen.

use super::Clock;
use super::ports::PRESENCE;
use super::targets::Target;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;
use tillgate_estate::Site;
use tillgate_model::Text;
use tillgate_scan::connect;
use tillgate_scan::observed::{Device, DhcpFingerprint, Segment, mac_text};
use tillgate_scan::pace::Pace;
use tillgate_scan::ports::{Host, Outcome, Port, Why};
use tillgate_scan::vendor::{Hint, Vendors};

/// How to look.
pub struct How {
    pub ports: Vec<u16>,
    pub is_fast: bool,
    pub deadline: Duration,
}

impl How {
    fn pace(&self) -> Pace {
        if self.is_fast { Pace::fast() } else { Pace::normal() }
    }
}

/// What was seen before any service was asked.
pub struct Seen {
    pub segments: Vec<Segment>,
    pub devices: Vec<Device>,
    pub outcome: Outcome,
    /// What limits what the scan says.
    pub notes: Vec<Text>,
}

/// A machine with more addresses than this in one segment answers for others (proxy ARP, RFC 1027).
const PROXY: usize = 16;

/// What a look says of its progress.
pub type Say<'a> = &'a (dyn Fn(Text) + Sync);

/// Frames of our own: finds devices, then asks their ports. Blocks, and needs CAP_NET_RAW.
#[cfg(target_os = "linux")]
pub fn raw(
    site: &Site,
    targets: &[Target<'_>],
    how: &How,
    vendors: &Vendors,
    say: Say<'_>,
) -> Result<Seen, tillgate_scan::link::Error> {
    use tillgate_scan::discover::{self, Effort};
    use tillgate_scan::link::Error;
    use tillgate_scan::raw;

    let clock = Clock::start(how.deadline);
    let effort = if how.is_fast { Effort::Quick } else { Effort::Normal };
    let listen = if how.is_fast { Duration::ZERO } else { Duration::from_secs(2) };
    let options =
        |left: Duration| raw::Options { pace: how.pace(), effort, deadline: left, ..raw::Options::default() };
    let mut outcome = Outcome::empty();
    let mut notes = Vec::new();
    let mut found = Vec::new();
    let mut segments = Vec::new();
    let mut asked: Vec<IpAddr> = Vec::new();
    for target in targets {
        let mut is_complete = false;
        let name = &target.segment.name;
        let every = target.every();
        let discovered = target.interface.as_ref().map(|interface| {
            say(Text::new("scan-looking").arg("segment", name).num("count", every.len()));
            discover::segment(interface, &every, effort, listen)
        });
        match discovered {
            Some(Ok(seen)) => {
                is_complete = seen.is_complete && target.is_whole;
                outcome.dropped += seen.dropped;
                seen.gaps.into_iter().for_each(|gap| outcome.gap(gap));
                for (address, macs) in &seen.contested {
                    let macs = macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    notes.push(Text::new("scan-contested").arg("address", address).arg("macs", macs));
                }
                let devices = seen.devices.into_iter().filter_map(|d| device(d, target, vendors));
                for device in devices {
                    let held = device.addresses.iter().filter(|a| a.is_ipv4() && target.holds(**a)).count();
                    if held > PROXY {
                        // Who stands behind it, and who is missing, cannot be told.
                        is_complete = false;
                        let mac = mac_text(device.mac.unwrap_or_default());
                        outcome.gap(
                            Text::new("scan-gap-proxy")
                                .arg("segment", name)
                                .arg("mac", mac)
                                .num("count", held),
                        );
                    }
                    asked.extend(device.addresses.iter().copied().filter(|a| target.holds(*a)));
                    found.push(device);
                }
                // One that sleeps through three rounds may still answer for its ports.
                asked.extend(&target.declared);
            }
            Some(Err(Error::NotEthernet(_))) => {
                asked.extend(&target.declared);
                outcome.gap(Text::new("scan-gap-undiscovered").arg("segment", name));
            }
            Some(Err(error)) => return Err(error),
            None => {
                asked.extend(&target.declared);
                if target.is_named && how.is_fast {
                    asked.extend(&every);
                } else if target.is_named {
                    say(Text::new("scan-presence").arg("segment", name).num("count", every.len()));
                    // Twice is what the router's table bears; a device answers on several of these.
                    let twice = raw::Options { rounds: 2, misses: 0.01, ..options(clock.left()) };
                    let mut first = raw::scan(&every, &PRESENCE, &twice)?;
                    asked.extend(answering(&first));
                    notes.extend(kept_silent(name, &every, &first));
                    (first.hosts, first.ports) = (Vec::new(), Vec::new());
                    outcome.merge(first);
                }
                notes.push(behind_router(target));
            }
        }
        segments.push(Segment { name: name.clone(), prefixes: target.prefixes.clone(), is_complete });
    }
    let asked: HashSet<IpAddr> = asked.into_iter().filter(|a| targets.iter().any(|t| t.holds(*a))).collect();
    let asked: Vec<IpAddr> = asked.into_iter().collect();
    say(Text::new("scan-asking").num("count", asked.len()).num("ports", how.ports.len()));
    outcome.merge(raw::scan(&asked, &how.ports, &options(clock.left()))?);
    outcome.sort();
    outcome.time = clock.passed();
    let devices = devices(site, targets, found, &outcome, vendors, &HashMap::new());
    Ok(Seen { segments, devices, outcome, notes })
}

/// The system's own connections: declared addresses, and all of a segment that was named. Blocks.
pub fn connect(
    site: &Site,
    targets: &[Target<'_>],
    how: &How,
    is_chosen: bool,
    vendors: &Vendors,
    say: Say<'_>,
) -> std::io::Result<Seen> {
    let clock = Clock::start(how.deadline);
    let mut outcome = Outcome::empty();
    let (mut notes, mut segments, mut macs) = (Vec::new(), Vec::new(), HashMap::new());
    for target in targets {
        let name = &target.segment.name;
        let is_own = target.interface.is_some();
        let options = |timeout: u64| connect::Options {
            pace: Pace { path: how.pace().path.filter(|_| !is_own), ..how.pace() },
            timeout: Duration::from_millis(timeout),
            deadline: clock.left(),
            ..connect::Options::default()
        };
        let mut asked = target.declared.clone();
        if is_own || (target.is_named && !how.is_fast) {
            let every = if target.is_named { target.every() } else { asked.clone() };
            say(Text::new("scan-presence").arg("segment", name).num("count", every.len()));
            // Longer than the kernel looks for a neighbour's hardware address: 3 s (arp(7)).
            let once = connect::Options { rounds: 1, misses: 0.01, ..options(3_500) };
            let ports = if is_own { &PRESENCE[1..2] } else { &PRESENCE[..] };
            let mut first = connect::scan_blocking(&every, ports, &once)?;
            let here = neighbours(target);
            let mut alive: HashSet<IpAddr> = answering(&first).collect();
            alive.extend(here.keys().copied().filter(|a| every.contains(a)));
            if is_own {
                // Whoever the kernel finds no hardware address of is not there.
                asked = alive.into_iter().collect();
            } else {
                notes.extend(kept_silent(name, &every, &first));
                asked.extend(alive);
            }
            macs.extend(here);
            (first.hosts, first.ports) = (Vec::new(), Vec::new());
            // One look tells who is there; the ports are asked properly below.
            if is_own {
                (first.expected_misses, first.is_complete, first.gaps) = (0.0, true, Vec::new());
            }
            outcome.merge(first);
        } else if target.is_named {
            asked.extend(target.every());
        }
        say(Text::new("scan-asking").num("count", asked.len()).num("ports", how.ports.len()));
        outcome.merge(connect::scan_blocking(&asked, &how.ports, &options(1_500))?);
        let unseen = match target.is_named {
            true => Text::new("scan-gap-neighbours").arg("segment", name),
            false => Text::new("scan-gap-undiscovered").arg("segment", name),
        };
        match (is_own, is_chosen) {
            (true, false) => outcome.gap(unseen),
            (true, true) => notes.push(unseen),
            (false, _) => notes.push(behind_router(target)),
        }
        macs.extend(neighbours(target));
        segments.push(Segment { name: name.clone(), prefixes: target.prefixes.clone(), is_complete: false });
    }
    outcome.sort();
    outcome.time = clock.passed();
    let devices = devices(site, targets, Vec::new(), &outcome, vendors, &macs);
    Ok(Seen { segments, devices, outcome, notes })
}

/// Hardware addresses that the kernel has learned on a segment of this host.
fn neighbours(target: &Target<'_>) -> HashMap<IpAddr, [u8; 6]> {
    let mut out = HashMap::new();
    #[cfg(target_os = "linux")]
    if let Some(name) = &target.interface
        && let Ok(interfaces) = tillgate_scan::link::Interface::all()
        && let Some(interface) = interfaces.iter().find(|i| i.name == *name)
        && let Ok(list) =
            tillgate_scan::link::Routing::open().and_then(|routing| routing.neighbours(interface.index))
    {
        out.extend(list.into_iter().map(|(address, mac)| (address, mac.0)));
    }
    let _ = target;
    out
}

/// Hosts that answered for themselves, be it by a refusal.
fn answering(outcome: &Outcome) -> impl Iterator<Item = IpAddr> {
    outcome.hosts.iter().filter(|host| is_there(host, outcome)).map(|host| host.address)
}

fn is_there(host: &Host, outcome: &Outcome) -> bool {
    let own = |why, by: Option<IpAddr>| why == Why::Port && by.is_none_or(|by| by == host.address);
    host.open > 0
        || host.closed > 0
        || host.mac.is_some()
        || outcome
            .ports
            .iter()
            .any(|p| p.host == host.address && matches!(p.state, Port::Refused(r) if own(r.why, r.by)))
}

fn kept_silent(segment: &str, asked: &[IpAddr], outcome: &Outcome) -> Option<Text> {
    let silent = asked.len().saturating_sub(answering(outcome).count());
    let text = Text::new("scan-kept-silent").arg("segment", segment).num("ports", PRESENCE.len());
    (silent > 0).then(|| text.num("count", silent))
}

fn behind_router(target: &Target<'_>) -> Text {
    let id = if target.is_named { "scan-behind-router" } else { "scan-declared-only" };
    Text::new(id).arg("segment", &target.segment.name)
}

/// A device as it was heard; `None` for one outside the range that was asked for.
#[cfg(target_os = "linux")]
fn device(heard: tillgate_scan::discover::Device, target: &Target<'_>, vendors: &Vendors) -> Option<Device> {
    let is_inside = heard.addresses.iter().any(|a| target.holds(*a));
    if !is_inside && !target.is_whole {
        return None;
    }
    let dhcp = heard.dhcp.map(|d| DhcpFingerprint { vendor_class: d.vendor_class, parameters: d.parameters });
    Some(Device {
        mac: Some(heard.mac.0),
        addresses: heard.addresses.into_iter().collect(),
        segment: Some(target.segment.name.clone()),
        names: heard.names.into_iter().collect(),
        vendor: vendor(heard.mac.0, vendors),
        dhcp,
        is_complete: is_inside,
        ..Device::default()
    })
}

fn vendor(mac: [u8; 6], vendors: &Vendors) -> Option<String> {
    match vendors.hint(mac) {
        Hint::Registered(name) => Some(name.to_string()),
        _ => None,
    }
}

/// Joins what was found on the segments with what answered for its ports. Behind a router a device is known by its address,
/// or by its name in the estate.
fn devices(
    site: &Site,
    targets: &[Target<'_>],
    mut out: Vec<Device>,
    outcome: &Outcome,
    vendors: &Vendors,
    macs: &HashMap<IpAddr, [u8; 6]>,
) -> Vec<Device> {
    let mut place: HashMap<IpAddr, usize> = HashMap::new();
    for (at, device) in out.iter().enumerate() {
        place.extend(device.addresses.iter().map(|a| (*a, at)));
    }
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for host in outcome.hosts.iter() {
        let mac = host.mac.map(|m| m.0).or(macs.get(&host.address).copied());
        let known = place.get(&host.address).copied();
        if known.is_none() && !(is_there(host, outcome) || mac.is_some()) {
            continue;
        }
        let declared = site.devices.iter().find(|d| d.addresses.contains(&host.address));
        let by_mac = || out.iter().position(|d| d.mac.is_some() && d.mac == mac);
        let by_name = || declared.and_then(|d| named.get(d.name.as_str()).copied()).filter(|_| mac.is_none());
        let at = match known.or_else(by_mac).or_else(by_name) {
            Some(at) => at,
            None => {
                let segment = targets.iter().find(|t| t.holds(host.address));
                out.push(Device {
                    mac,
                    segment: segment.map(|t| t.segment.name.clone()),
                    vendor: mac.and_then(|mac| vendor(mac, vendors)),
                    is_complete: true,
                    ..Device::default()
                });
                out.len() - 1
            }
        };
        if let Some(declared) = declared {
            named.entry(&declared.name).or_insert(at);
        }
        if let Some(device) = out.get_mut(at) {
            if !device.addresses.contains(&host.address) {
                device.addresses.push(host.address);
            }
            device.answers_everything |= host.answers_everything;
            device.is_complete &= outcome.is_complete && !host.answers_everything;
        }
    }
    out
}
