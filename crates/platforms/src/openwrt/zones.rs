//! Zones and defaults: policies, and which packets belong to a zone.
//!
//! openwrt.org, "Firewall configuration", Defaults and Zones; `parse_zone` of firewall4.

use super::network::{Device, Networks, of_family};
use super::select::{Addresses, doubt};
use super::uci::Section;
use super::values;
use std::collections::BTreeMap;
use tillgate_model::{Diagnostic, Family, Ranges, Span, State, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{InterfaceMatch, Match, Note};

/// Interfaces and subnets of a zone beyond this are compared in a chain of their own instead of in every rule.
const MANY: usize = 32;

/// The three directions of a policy.
pub const DIRECTIONS: [&str; 3] = ["input", "forward", "output"];

/// What happens where no rule decides.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub accept: bool,
    /// The line that says so.
    pub span: Span,
}

/// The defaults.
pub struct Defaults {
    /// By [`DIRECTIONS`].
    pub policies: [Verdict; 3],
    pub drop_invalid: bool,
    /// fw3 then loads nothing for IPv6.
    pub disable_ipv6: Option<Span>,
}

/// A zone.
pub struct Zone {
    pub name: String,
    pub span: Span,
    /// By [`DIRECTIONS`].
    pub policies: [Verdict; 3],
    pub family: Option<Family>,
    /// Refusals are logged.
    pub log: bool,
    /// Which families it masquerades.
    pub masquerade: [bool; 2],
    /// Where that is said.
    pub masquerade_span: Span,
    /// Only from these, and only to these.
    pub masquerade_only: [Addresses; 2],
    allow_invalid: bool,
    interfaces: Vec<InterfaceMatch>,
    parts: Vec<ZonePart>,
    /// Addresses of its networks, by family.
    pub subnets: [Ranges; 2],
    pub own: [Ranges; 2],
    /// Whether there are more of them than are known.
    pub open: [bool; 2],
}

/// A family of a zone's packets, with the addresses it is bound to.
struct ZonePart {
    family: Option<Family>,
    addresses: Option<Addresses>,
}

/// What happens to packets that meet no policy, `REJECT` and `DROP` alike.
fn policy(section: &Section, option: &str) -> Result<Option<Verdict>, Text> {
    let Some(text) = section.text(option) else { return Ok(None) };
    match values::choice(text, &["accept", "reject", "drop"]) {
        Some(word) => Ok(Some(Verdict { accept: word == "accept", span: section.line(option) })),
        None => Err(Text::new("bad-value").arg("value", text)),
    }
}

/// A boolean option.
pub fn flag(section: &Section, option: &str, usual: bool) -> Result<bool, Text> {
    let Some(text) = section.text(option) else { return Ok(usual) };
    values::boolean(text).ok_or_else(|| Text::new("bad-value").arg("value", text))
}

/// Reads the defaults; only the first section counts.
pub fn defaults(section: Option<&Section>, begin: Span, diagnostics: &mut Vec<Diagnostic>) -> Defaults {
    let deny = Verdict { accept: false, span: section.map_or(begin, |s| s.span.clone()) };
    let mut out =
        Defaults { policies: [deny.clone(), deny.clone(), deny], drop_invalid: false, disable_ipv6: None };
    let Some(section) = section else { return out };
    let mut bad = |option: &str, text: Text| diagnostics.push(Diagnostic::error(section.place(option), text));
    for (own, option) in out.policies.iter_mut().zip(DIRECTIONS) {
        match policy(section, option) {
            Ok(given) => *own = given.unwrap_or_else(|| own.clone()),
            Err(text) => bad(option, text),
        }
    }
    match flag(section, "drop_invalid", false) {
        Ok(yes) => out.drop_invalid = yes,
        Err(text) => bad("drop_invalid", text),
    }
    match flag(section, "disable_ipv6", false) {
        Ok(yes) => out.disable_ipv6 = yes.then(|| section.line("disable_ipv6")),
        Err(text) => bad("disable_ipv6", text),
    }
    out
}

/// What reading zones needs and gives beside them.
pub struct Zones {
    /// In file order.
    pub list: Vec<Zone>,
    pub by_name: BTreeMap<String, usize>,
    pub notes: Vec<Note>,
}

/// Reads the zones in force.
pub fn zones<'s>(
    sections: impl Iterator<Item = &'s Section>,
    defaults: &Defaults,
    networks: &Networks<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Zones {
    let mut out = Zones { list: Vec::new(), by_name: BTreeMap::new(), notes: Vec::new() };
    for section in sections {
        if !networks.given && section.has("network") && out.notes.is_empty() {
            let text = Text::new("openwrt-no-networks");
            out.notes.push(Note { span: section.line("network"), text, bears: false });
        }
        match zone(section, defaults, networks, &mut out.notes) {
            Ok(None) => {}
            Ok(Some(zone)) => {
                let at = out.list.len();
                if out.by_name.insert(zone.name.clone(), at).is_some() {
                    // nft(8) refuses a name that is defined twice.
                    let text = Text::new("duplicate-name").arg("name", &zone.name);
                    diagnostics.push(Diagnostic::error(section.place("name"), text));
                }
                out.list.push(zone);
            }
            Err((option, text)) => diagnostics.push(Diagnostic::error(section.place(option), text)),
        }
    }
    out
}

fn zone(
    section: &Section,
    defaults: &Defaults,
    networks: &Networks<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<Zone>, (&'static str, Text)> {
    if !flag(section, "enabled", true).map_err(|e| ("enabled", e))? {
        return Ok(None);
    }
    let name = section.text("name").ok_or(("name", Text::new("openwrt-missing").arg("option", "name")))?;
    let identifier = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if !name.chars().all(identifier) || name.starts_with(['-', '/']) {
        return Err(("name", Text::new("bad-value").arg("value", name)));
    }
    let mut policies = defaults.policies.clone();
    for (own, option) in policies.iter_mut().zip(DIRECTIONS) {
        let given = policy(section, option).map_err(|e| (option, e))?;
        // The defaults' word, but said of this zone.
        *own = given.unwrap_or_else(|| Verdict { accept: own.accept, span: section.span.clone() });
    }
    let family = match section.text("family") {
        None => None,
        Some(text) => {
            values::family(text).ok_or_else(|| ("family", Text::new("bad-value").arg("value", text)))?
        }
    };
    let addresses = |option: &'static str| {
        Addresses::of(&section.words(option), networks)
            .map_err(|word| (option, Text::new("bad-value").arg("value", word)))
    };
    let subnet = addresses("subnet")?;
    let log = match section.text("log") {
        None => false,
        Some(text) => {
            let number: u32 = text.parse().map_err(|_| ("log", Text::new("bad-value").arg("value", text)))?;
            number & 1 == 1
        }
    };
    let mut zone = Zone {
        name: name.to_string(),
        span: section.span.clone(),
        policies,
        family,
        log,
        masquerade: [
            flag(section, "masq", false).map_err(|e| ("masq", e))?,
            flag(section, "masq6", false).map_err(|e| ("masq6", e))?,
        ],
        masquerade_span: section.line("masq"),
        masquerade_only: [addresses("masq_src")?, addresses("masq_dest")?],
        allow_invalid: flag(section, "masq_allow_invalid", false).map_err(|e| ("masq_allow_invalid", e))?
            || defaults.drop_invalid,
        interfaces: Vec::new(),
        parts: Vec::new(),
        subnets: [Ranges::empty(), Ranges::empty()],
        own: [Ranges::empty(), Ranges::empty()],
        open: [false, false],
    };
    for option in ["extra", "extra_src", "extra_dest"].into_iter().filter(|o| section.has(o)) {
        // fw3 narrows the zone by it.
        let text = Text::new("openwrt-ignored").arg("option", option);
        notes.push(Note { span: section.line(option), text, bears: true });
    }
    let any = zone.members(section, networks, notes);
    zone.parts(subnet, any);
    Ok(Some(zone))
}

impl Zone {
    /// Its interfaces, and the addresses of its networks; whether every interface is its own.
    fn members(&mut self, section: &Section, networks: &Networks<'_>, notes: &mut Vec<Note>) -> bool {
        let mut devices: Vec<(bool, String)> = Vec::new();
        for word in section.words("network") {
            let (negate, name) = values::negation(word);
            let mut open = |device: String| {
                let text = Text::new("openwrt-device").arg("name", name);
                notes.push(Note { span: section.line("network"), text, bears: true });
                devices.push((negate, device));
            };
            match networks.device(name) {
                Device::Named(device) => devices.push((negate, device)),
                Device::Unknown => open(name.to_string()),
                // Nothing comes in by a network that is not there.
                Device::Missing => {}
            }
            let known = networks.addresses(name).filter(|_| !negate).unwrap_or_default();
            for family in Family::BOTH {
                let at = family as usize;
                let pairs = [(&mut self.subnets, &known.subnets), (&mut self.own, &known.own)];
                for (all, more) in pairs {
                    if let Some(all) = all.get_mut(at) {
                        *all = all.union(&of_family(more, family));
                    }
                }
                if let Some(open) = self.open.get_mut(at) {
                    *open |= known.open.get(at) == Some(&true);
                }
            }
        }
        for word in section.words("device") {
            let (negate, name) = values::negation(word);
            devices.push((negate, name.to_string()));
        }
        let any = devices.iter().any(|(negate, name)| !negate && (name == "*" || name == "+"));
        let pattern = |name: &str| match name.strip_suffix('+') {
            Some(start) => format!("{start}*"),
            None => name.to_string(),
        };
        let list = |wanted: bool| {
            let own = devices.iter().filter(|(negate, name)| *negate == wanted && name != "*" && name != "+");
            own.map(|(_, name)| pattern(name)).collect::<Vec<_>>()
        };
        // No device at all.
        let none = devices.iter().any(|(negate, name)| *negate && name == "+");
        let (plain, negated) = (list(false), list(true));
        if !plain.is_empty() {
            self.interfaces.push(InterfaceMatch { patterns: plain, negate: false });
        } else if none {
            self.interfaces.push(InterfaceMatch { patterns: Vec::new(), negate: false });
        }
        if !negated.is_empty() {
            self.interfaces.push(InterfaceMatch { patterns: negated, negate: true });
        }
        any
    }

    /// What of these interfaces is the zone's: of which families, from which addresses.
    fn parts(&mut self, subnet: Addresses, any: bool) {
        let bound = subnet.has(Family::V4) || subnet.has(Family::V6) || subnet.is_open();
        if !bound {
            if any || !self.interfaces.is_empty() {
                self.parts.push(ZonePart { family: self.family, addresses: None });
            }
            return;
        }
        for family in Family::BOTH {
            if self.family.is_none_or(|f| f == family) && (subnet.has(family) || subnet.is_open()) {
                if let Some(all) = self.subnets.get_mut(family as usize) {
                    *all = all.union(&subnet.plain(family));
                }
                self.parts.push(ZonePart { family: Some(family), addresses: Some(subnet.clone()) });
            }
        }
        self.family = self.family.or(subnet.family());
    }

    /// A match bound to packets that come from the zone, or go to it: one for each of its parts.
    pub fn narrow(&self, when: &Match, incoming: bool) -> Vec<Match> {
        let (field, parts) = (if incoming { Field::Source } else { Field::Destination }, self.parts.iter());
        let one = |part: &ZonePart| {
            let mut when = when.clone();
            let list = if incoming { &mut when.input } else { &mut when.output };
            list.extend(self.interfaces.iter().cloned());
            if let Some(family) = part.family {
                when.narrow(Field::Family, &Ranges::single(family as u128));
                if let Some(addresses) = &part.addresses {
                    addresses.narrow(&mut when, family, field);
                }
            }
            when
        };
        parts.map(one).collect()
    }

    /// Whether its interfaces are too many to repeat them in every rule.
    pub fn is_large(&self) -> bool {
        let interfaces = self.interfaces.iter().map(|m| m.patterns.len()).sum::<usize>();
        let subnets = self.subnets.iter().map(|s| s.as_slice().len()).sum::<usize>();
        interfaces + subnets > MANY
    }

    /// Whether invalid packets are refused on the way out.
    pub fn refuses_invalid(&self) -> bool {
        !self.allow_invalid && self.masquerade.contains(&true)
    }

    /// Takes invalid packets of masqueraded families out of what is accepted to the zone.
    pub fn without_invalid(&self, when: &mut Match) {
        if !self.refuses_invalid() {
            return;
        }
        let valid = Ranges::single(State::Invalid as u128).complement(Field::State.maximum());
        let other = match self.masquerade {
            [true, true] => return when.narrow(Field::State, &valid),
            [true, _] => Family::V6,
            _ => Family::V4,
        };
        let families = when.cube.ranges(Field::Family);
        match families.and_then(Ranges::only) {
            Some(family) if family == other as u128 => {}
            Some(_) => when.narrow(Field::State, &valid),
            None => {
                let free = Cube::all().at(Field::Family, other as u128);
                let bound = Cube::all().with(Field::State, &valid);
                let bound = bound.and_then(|c| c.with(Field::Family, &Ranges::single(1 - other as u128)));
                when.terms.push(super::select::any_of([free, bound].into_iter().flatten().collect(), false));
            }
        }
    }

    /// Invalid packets of masqueraded families on the way to the zone.
    pub fn invalid(&self) -> Vec<Match> {
        let mut when = Match::default();
        when.narrow(Field::State, &Ranges::single(State::Invalid as u128));
        match self.masquerade {
            [true, true] => {}
            [v4, _] => when.narrow(Field::Family, &Ranges::single(u128::from(!v4))),
        }
        when.doubts.push(doubt("ct state invalid"));
        self.narrow(&when, false)
    }
}
