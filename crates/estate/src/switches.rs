//! Switches and what is plugged into their ports: types, reading, and everything that can be wrong about them.

use crate::assemble::{Variables, fill};
use crate::types::{Segment, Site};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_catalog::document::{Kind, Value, closest};
use tillgate_model::{Diagnostic, Family, Span, Text};

/// Whose commands a switch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SwitchPlatform {
    /// Cisco IOS and IOS XE.
    Ios,
    /// MikroTik RouterOS 7.
    RouterOs,
    /// OpenWrt with DSA (21.02 and later).
    OpenWrt,
}

impl SwitchPlatform {
    /// The words used in files, in order.
    pub const WORDS: &'static [&'static str] = &["ios", "routeros", "openwrt"];

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|w| *w == text)?;
        Some([Self::Ios, Self::RouterOs, Self::OpenWrt][at])
    }

    /// The word used in files.
    pub fn name(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// A managed switch of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Name, unique in the site.
    pub name: String,
    /// Whose commands it takes.
    pub platform: SwitchPlatform,
    /// Ports to the firewall and to other switches; they carry every VLAN of the site, tagged.
    pub uplinks: Vec<String>,
    /// Its own address, in one of the segments.
    pub address: Option<IpAddr>,
    /// The VLAN of ports nobody uses, and of untagged frames on uplinks; it leads nowhere.
    pub parking: u16,
    /// Its other ports, in file order, devices that name their port last.
    pub ports: Vec<SwitchPort>,
    /// Where it stands.
    pub span: Span,
}

/// An access port of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchPort {
    /// Name, as the switch names it.
    pub name: String,
    /// What is plugged in.
    pub plugged: Plugged,
    /// Where it stands.
    pub span: Span,
}

/// What is plugged into a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plugged {
    /// A device by name: the port takes nothing else.
    Device(String),
    /// Anything that belongs to a segment.
    Segment(String),
    /// Nothing: the port is shut.
    Nothing,
}

/// The port a device says it is plugged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// Name of the switch.
    pub switch: String,
    /// Name of the port.
    pub port: String,
    /// Where it stands.
    pub span: Span,
}

/// The parking VLAN of a switch that names none; the first of these that no segment uses.
const PARKING: [u16; 3] = [999, 998, 997];

/// The switches of a template, each overridden by the site's of the same name; then the site's own.
pub fn read(
    base: &[Value],
    own: &[Value],
    segments: &[Segment],
    variables: &Variables,
    found: &mut Vec<Diagnostic>,
) -> Vec<Switch> {
    let same = |a: &Value, b: &Value| a.text("name").is_some() && a.text("name") == b.text("name");
    let mut tables: Vec<(Option<&Value>, Option<&Value>)> =
        base.iter().map(|b| (own.iter().find(|o| same(o, b)), Some(b))).collect();
    let new = own.iter().filter(|o| !base.iter().any(|b| same(b, o)));
    tables.extend(new.map(|o| (Some(o), None)));
    tables.into_iter().filter_map(|(own, base)| switch(own, base, segments, variables, found)).collect()
}

fn switch(
    own: Option<&Value>,
    base: Option<&Value>,
    segments: &[Segment],
    variables: &Variables,
    found: &mut Vec<Diagnostic>,
) -> Option<Switch> {
    let get = |key: &str| own.and_then(|v| v.get(key)).or_else(|| base.and_then(|v| v.get(key)));
    let place = own.or(base)?;
    let name = get("name")?.as_text()?.to_string();
    for key in ["platform", "uplink"] {
        if get(key).is_none() {
            let text = Text::new("toml-missing-key").arg("key", key);
            found.push(Diagnostic::error(place.span.clone(), text));
        }
    }
    let mut text =
        |value: &Value| fill(value.as_text().unwrap_or_default(), &value.span, variables, found).into_owned();
    let uplinks = get("uplink").map_or(&[][..], Value::items).iter().map(&mut text).collect();
    let address_text = get("address").map(|v| (text(v), v.span.clone()));
    let mut ports = Vec::new();
    for port in get("port").map_or(&[][..], Value::items) {
        let Some(port_name) = port.get("name").map(&mut text) else { continue };
        let plugged = match (port.text("device"), port.text("segment")) {
            (Some(device), _) => Plugged::Device(device.to_string()),
            (None, Some(segment)) => Plugged::Segment(segment.to_string()),
            (None, None) => Plugged::Nothing,
        };
        ports.push(SwitchPort { name: port_name, plugged, span: port.place("name") });
    }
    for port in get("port").map_or(&[][..], Value::items) {
        if port.get("device").is_some() && port.get("segment").is_some() {
            found.push(Diagnostic::error(port.place("segment"), Text::new("port-device-and-segment")));
        }
    }
    let address = match address_text.map(|(text, span)| (text.parse::<IpAddr>(), text, span)) {
        None => None,
        Some((Ok(address), ..)) => Some(address),
        Some((Err(_), text, _)) if text.is_empty() => None,
        Some((Err(_), text, span)) => {
            found.push(Diagnostic::error(span, Text::new("bad-address").arg("text", text)));
            None
        }
    };
    let taken = |vlan: &u16| segments.iter().any(|s| s.vlan == Some(*vlan));
    let parking = match get("parking").map(|v| (&v.kind, v)) {
        None => PARKING.into_iter().find(|vlan| !taken(vlan)).unwrap_or(PARKING[0]),
        Some((Kind::Integer(n), _)) if (2..=4094).contains(n) => *n as u16,
        Some((_, value)) => {
            found.push(Diagnostic::error(value.span.clone(), Text::new("bad-parking-vlan")));
            PARKING[0]
        }
    };
    // What is no platform was reported when its shape was checked.
    let platform = get("platform")?.as_text().and_then(SwitchPlatform::parse)?;
    let span = place.place("name");
    Some(Switch { name, platform, uplinks, address, parking, ports, span })
}

/// Puts the devices that name their port into it.
pub fn plug(site: &mut Site, found: &mut Vec<Diagnostic>) {
    for device in &site.devices {
        let Some(plug) = &device.plug else { continue };
        let Some(switch) = site.switches.iter_mut().find(|s| s.name == plug.switch) else {
            let text = Text::new("unknown-switch").arg("switch", &plug.switch);
            let mut error = Diagnostic::error(plug.span.clone(), text);
            if let Some(word) = closest(&plug.switch, site.switches.iter().map(|s| s.name.as_str())) {
                error = error.hint(Text::new("did-you-mean").arg("word", word));
            }
            found.push(error);
            continue;
        };
        let plugged = Plugged::Device(device.name.clone());
        match switch.ports.iter_mut().find(|p| p.name.eq_ignore_ascii_case(&plug.port)) {
            // The same said at both ends.
            Some(port) if port.plugged == plugged => {}
            // A port that was only declared is the one the device means.
            Some(port) if port.plugged == Plugged::Nothing => port.plugged = plugged,
            _ => switch.ports.push(SwitchPort { name: plug.port.clone(), plugged, span: plug.span.clone() }),
        }
    }
}

/// Reports what is wrong between switches, segments and devices.
pub fn validate(site: &Site, found: &mut Vec<Diagnostic>) {
    let mut plugged_in: BTreeMap<&str, &Span> = BTreeMap::new();
    for switch in &site.switches {
        switch_itself(site, switch, found);
        let mut names: BTreeMap<String, &Span> = BTreeMap::new();
        let uplinks = switch.uplinks.iter().map(|name| (name, &switch.span));
        for (name, span) in uplinks.chain(switch.ports.iter().map(|p| (&p.name, &p.span))) {
            let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':'));
            let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
            if name.len() > 60 || !starts || name.chars().any(odd) {
                found.push(Diagnostic::error(span.clone(), Text::new("bad-port-name").arg("name", name)));
            }
            // IOS takes names in any case.
            match names.get(&name.to_ascii_lowercase()) {
                Some(first) => {
                    let text = Text::new("duplicate-port").arg("port", name).arg("switch", &switch.name);
                    found.push(
                        Diagnostic::error(span.clone(), text)
                            .related((*first).clone(), Text::new("first-here")),
                    );
                }
                None => {
                    names.insert(name.to_ascii_lowercase(), span);
                }
            }
        }
        for port in &switch.ports {
            let segment = match &port.plugged {
                Plugged::Nothing => continue,
                Plugged::Segment(name) => name,
                Plugged::Device(name) => {
                    let Some(device) = site.device(name) else {
                        let text = Text::new("unknown-device").arg("device", name);
                        let mut error = Diagnostic::error(port.span.clone(), text);
                        if let Some(word) = closest(name, site.devices.iter().map(|d| d.name.as_str())) {
                            error = error.hint(Text::new("did-you-mean").arg("word", word));
                        }
                        found.push(error);
                        continue;
                    };
                    if let Some(first) = plugged_in.insert(name, &port.span) {
                        found.push(
                            Diagnostic::error(
                                port.span.clone(),
                                Text::new("device-on-two-ports").arg("device", name),
                            )
                            .related(first.clone(), Text::new("first-here")),
                        );
                    }
                    &device.segment
                }
            };
            vlan_of(site, segment, port, found);
        }
    }
}

fn switch_itself(site: &Site, switch: &Switch, found: &mut Vec<Diagnostic>) {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let starts = switch.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if switch.name.len() > 60 || !starts || switch.name.chars().any(odd) {
        // Switches become file names and host names.
        let text = Text::new("bad-switch-name").arg("name", &switch.name);
        found.push(Diagnostic::error(switch.span.clone(), text));
    }
    for segment in &site.segments {
        if segment.vlan == Some(switch.parking) {
            let text = Text::new("parking-vlan-used").num("vlan", switch.parking.into());
            found.push(
                Diagnostic::error(switch.span.clone(), text)
                    .related(segment.span.clone(), Text::new("segment-here")),
            );
        }
    }
    let vlans = site.segments.iter().filter_map(|s| s.vlan).chain([switch.parking]);
    if switch.platform == SwitchPlatform::Ios {
        // Token Ring and FDDI defaults that no interface can be put into.
        for vlan in vlans.filter(|v| (1002..=1005).contains(v)) {
            let text = Text::new("reserved-vlan").num("vlan", vlan.into());
            found.push(Diagnostic::error(switch.span.clone(), text));
        }
    }
    if let Some(address) = switch.address {
        let home = site
            .segments
            .iter()
            .find(|s| s.subnet(Family::of(address)).is_some_and(|net| net.contains(&address)));
        if home.is_none_or(|s| s.vlan.is_none()) {
            let text = Text::new("switch-address").arg("address", address);
            found.push(Diagnostic::error(switch.span.clone(), text));
        }
    }
}

fn vlan_of(site: &Site, name: &str, port: &SwitchPort, found: &mut Vec<Diagnostic>) {
    match site.segment(name) {
        // A device in an unknown segment was reported with the device.
        None if matches!(port.plugged, Plugged::Device(_)) => {}
        None => {
            let text = Text::new("unknown-segment").arg("segment", name);
            let mut error = Diagnostic::error(port.span.clone(), text);
            let known = site.segments.iter().map(|s| s.name.as_str());
            error = error.hint(match closest(name, known.clone()) {
                Some(word) => Text::new("did-you-mean").arg("word", word),
                None => Text::new("segments-of-site").arg("segments", known.collect::<Vec<_>>().join(", ")),
            });
            found.push(error);
        }
        Some(segment) if segment.vlan.is_none() => found.push(
            Diagnostic::error(port.span.clone(), Text::new("segment-without-vlan").arg("segment", name))
                .related(segment.span.clone(), Text::new("segment-here"))
                .hint(Text::new("segment-without-vlan-hint")),
        ),
        Some(_) => {}
    }
}
