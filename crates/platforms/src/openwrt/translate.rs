//! Redirects, source translation and masquerading.
//!
//! openwrt.org, "Firewall configuration", Redirects and NAT; `parse_redirect` and `parse_nat` of firewall4.

use super::build::{Builder, End};
use super::network::of_family;
use super::section::{Bad, DNAT, NAT, SNAT};
use super::select::{Addresses, Packets, doubt};
use super::uci::Section;
use super::values;
use super::zones::flag;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{
    Action, Base, Chain, ChainId, Hook, InterfaceMatch, Kind, Match, Note, Policy, Rule, Special, Term,
    Translation,
};

/// Numbers that tell translations apart end here; what comes after shares the last.
const MOST_TAGS: u16 = 0xfff0;

impl Builder<'_> {
    /// A `redirect`: of destinations, unless it says SNAT.
    pub fn redirect(&mut self, section: &Section) -> Result<(), Bad> {
        if !self.enabled(section)? {
            return Ok(());
        }
        match section.text("target").map(|t| values::choice(t, &["dnat", "snat"])) {
            Some(Some("snat")) => {
                let to = self.end(section, "dest")?;
                let End::Zone(zone) = to else {
                    return Err(("dest", Text::new("openwrt-missing").arg("option", "dest")));
                };
                let from = self.end(section, "src")?;
                let mut packets = self.packets(section, &SNAT)?;
                let new = self.addresses(section, "src_dip")?;
                packets.bound.push(new.family());
                self.bind(&mut packets, &[from, to]);
                self.source(section, packets, Some(zone), true);
                Ok(())
            }
            _ => self.destination(section),
        }
    }

    fn addresses(&self, section: &Section, option: &'static str) -> Result<Addresses, Bad> {
        Addresses::of(&section.words(option), &self.networks)
            .map_err(|word| (option, Text::new("bad-value").arg("value", word)))
    }

    fn destination(&mut self, section: &Section) -> Result<(), Bad> {
        let (from, mut to) = (self.end(section, "src")?, self.end(section, "dest")?);
        let End::Zone(zone) = from else {
            return Err(("src", Text::new("openwrt-missing").arg("option", "src")));
        };
        let mut packets = self.packets(section, &DNAT)?;
        let new = self.addresses(section, "dest_ip")?;
        packets.bound.push(new.family());
        if to == End::None {
            to = self.zone_of(&new);
        }
        self.bind(&mut packets, &[from, to]);
        let ports = match section.text("dest_port") {
            None => None,
            Some(text) => {
                let one = values::ports(text);
                Some(one.ok_or_else(|| ("dest_port", Text::new("bad-value").arg("value", text)))?)
            }
        };
        let Ok(matches) = packets.matches(Some(Family::V4)) else {
            self.left_out(section);
            return Ok(());
        };
        self.tell_doubts(section, &matches);
        let redirected = Family::BOTH.iter().all(|f| new.first(*f).is_none()) && !new.is_open();
        // Where the firewall itself is meant, packets are known by 1.
        let tag = if redirected { 1 } else { self.fresh_tag() };
        for when in matches {
            let action = action(&when, &new, ports, tag);
            let rule = Rule { span: section.span.clone(), when, action, log: false };
            self.dnat.entry(zone).or_default().push(rule);
        }
        self.accept_rewritten(zone, tag, &section.span);
        if flag(section, "reflection", true).map_err(|e| ("reflection", e))?
            && let End::Zone(inside) = to
            && !redirected
        {
            self.reflect(section, &packets, (zone, inside), &new, ports, tag)?;
        }
        Ok(())
    }

    fn fresh_tag(&mut self) -> u16 {
        self.tag = self.tag.saturating_add(1).min(MOST_TAGS);
        self.tag
    }

    fn accept_rewritten(&mut self, zone: usize, tag: u16, span: &Span) {
        self.rewritten.entry(zone).or_default().entry(tag).or_insert_with(|| span.clone());
    }

    /// The zone whose networks hold an address, as far as they are known.
    fn zone_of(&self, new: &Addresses) -> End {
        let holds = |family: Family| {
            let (first, _) = new.first(family)?;
            self.zones.iter().position(|z| of_family(&z.subnets, family).contains(first))
        };
        Family::BOTH.into_iter().find_map(holds).map_or(End::None, End::Zone)
    }

    /// From inside, the outer address leads to the same server.
    fn reflect(
        &mut self,
        section: &Section,
        packets: &Packets,
        (outside, inside): (usize, usize),
        new: &Addresses,
        ports: Option<(u16, u16)>,
        tag: u16,
    ) -> Result<(), Bad> {
        let mut zones = Vec::new();
        for name in section.words("reflection_zone") {
            match self.by_name.get(name) {
                Some(zone) => zones.push(*zone),
                None => return Err(("reflection_zone", Text::new("unknown-object").arg("name", name))),
            }
        }
        if zones.is_empty() {
            zones.push(inside);
        }
        for family in Family::BOTH {
            let masquerades = |z: &super::zones::Zone| z.masquerade.get(family as usize) == Some(&true);
            let Some(outer) = self.zones.get(outside).filter(|z| masquerades(z)) else { continue };
            if new.first(family).is_none() {
                continue;
            }
            let (outer, outer_open) = (of_family(&outer.own, family), of_family(&outer.open, family));
            self.accept_rewritten(inside, tag, &section.span);
            for zone in &zones {
                let Some(inner) = self.zones.get(*zone) else { continue };
                let (sources, open) = (of_family(&inner.subnets, family), of_family(&inner.open, family));
                // Without addresses on either side the router makes no such rule.
                if (sources.is_empty() && !open) || (outer.is_empty() && !outer_open) {
                    continue;
                }
                let mut own = Packets { source: Addresses::default(), bound: Vec::new(), ..packets.clone() };
                own.family = Some(Some(family));
                own.set = None;
                match open {
                    true => own.doubts.push(doubt("reflection")),
                    false => own.source = Addresses::exactly(family, &sources),
                }
                let named = own.destination.has(family) || own.destination.is_open();
                if !named && !outer_open {
                    own.destination = Addresses::exactly(family, &outer);
                }
                let local = !named && outer_open;
                let Ok(matches) = own.matches(None) else { continue };
                self.tell_doubts(section, &matches);
                for mut when in matches {
                    if local {
                        // The outer address is one of the router's own.
                        when.terms.push(Term::Special(vec![Special::DestinationLocal], false));
                    }
                    let action = action(&when, new, ports, tag);
                    let rule = Rule { span: section.span.clone(), when, action, log: false };
                    self.dnat.entry(*zone).or_default().push(rule);
                }
                self.accept_rewritten(*zone, tag, &section.span);
            }
        }
        Ok(())
    }
}

/// What a redirect does with the packets of a match.
fn action(when: &Match, new: &Addresses, ports: Option<(u16, u16)>, tag: u16) -> Action {
    if new.is_open() {
        return Action::Unknown;
    }
    let family = when.cube.ranges(Field::Family).and_then(Ranges::only);
    let family = Family::BOTH.into_iter().find(|f| Some(*f as u128) == family);
    let with_ports: Ranges = [6, 17].map(|p| (p, p)).into_iter().collect();
    // The same ports are kept one by one.
    let ports = ports.filter(|(lo, hi)| {
        when.cube.ranges(Field::Protocol).is_some_and(|p| p.is_subset(&with_ports))
            && when.cube.ranges(Field::DestinationPort) != Some(&Ranges::span((*lo).into(), (*hi).into()))
    });
    let first = family.and_then(|f| new.first(f).map(|(lo, hi)| (f, lo, hi)));
    Action::Translate(match first {
        Some(first) => Translation::Destination { addresses: Some(first), ports, tag },
        None => Translation::Redirect { ports },
    })
}

impl Builder<'_> {
    /// A source translation, on the way out.
    fn source(&mut self, section: &Section, packets: Packets, zone: Option<usize>, translates: bool) {
        let Ok(mut matches) = packets.matches(Some(Family::V4)) else { return self.left_out(section) };
        self.tell_doubts(section, &matches);
        for when in &mut matches {
            if let Some(device) = section.text("device") {
                when.output.push(InterfaceMatch { patterns: vec![device.to_string()], negate: false });
            }
        }
        let action = if translates { Action::Translate(Translation::Source) } else { Action::Accept };
        let rule = |when| Rule { span: section.span.clone(), when, action: action.clone(), log: false };
        self.snat.entry(zone).or_default().extend(matches.into_iter().map(rule));
    }

    /// A `nat` section.
    pub fn nat(&mut self, section: &Section) -> Result<(), Bad> {
        if !self.enabled(section)? {
            return Ok(());
        }
        let from = self.end(section, "src")?;
        let target = section.text("target").map(|t| values::choice(t, &["accept", "snat", "masquerade"]));
        let mut packets = self.packets(section, &NAT)?;
        packets.bound.push(self.addresses(section, "snat_ip")?.family());
        self.bind(&mut packets, &[from]);
        let zone = if let End::Zone(zone) = from { Some(zone) } else { None };
        self.source(section, packets, zone, target != Some(Some("accept")));
        Ok(())
    }

    /// The chains of translations and of what is not tracked.
    pub fn translations(&mut self) {
        for at in 0..self.zones.len() {
            let Some(zone) = self.zones.get(at) else { continue };
            let [from, to] = &zone.masquerade_only;
            for family in Family::BOTH {
                if !of_family(&zone.masquerade, family) {
                    continue;
                }
                let mut when = Match::default();
                when.narrow(Field::Family, &Ranges::single(family as u128));
                from.narrow(&mut when, family, Field::Source);
                to.narrow(&mut when, family, Field::Destination);
                let (span, action) = (zone.masquerade_span.clone(), Action::Translate(Translation::Source));
                self.snat.entry(Some(at)).or_default().push(Rule { span, when, action, log: false });
            }
        }
        let (notrack, dnat) = (std::mem::take(&mut self.notrack), std::mem::take(&mut self.dnat));
        let snat = std::mem::take(&mut self.snat);
        let zoned = |list: std::collections::BTreeMap<usize, Vec<Rule>>| {
            list.into_iter().map(|(zone, rules)| (Some(zone), rules)).collect()
        };
        self.hooked("notrack", (Hook::Prerouting, -300, Kind::Filter), zoned(notrack));
        self.hooked("dstnat", (Hook::Prerouting, -100, Kind::Nat), zoned(dnat));
        self.hooked("srcnat", (Hook::Postrouting, 100, Kind::Nat), snat.into_iter().collect());
    }

    /// A base chain that leads into chains of zones, after rules of its own.
    fn hooked(
        &mut self,
        name: &str,
        (hook, priority, kind): (Hook, i32, Kind),
        lists: Vec<(Option<usize>, Vec<Rule>)>,
    ) {
        let Some(span) = lists.iter().flat_map(|(_, rules)| rules).map(|r| r.span.clone()).next() else {
            return;
        };
        let base: ChainId = self.rules.chains.len();
        self.rules.chains.push(Chain { name: name.into(), rules: Vec::new() });
        let policy_span: Span = span;
        self.rules.bases.push(Base {
            chain: base,
            hook,
            priority,
            kind,
            policy: Policy::Accept,
            policy_span,
            family: None,
        });
        // In the order of zones; what has none comes first.
        for (zone, rules) in lists {
            let Some(zone) = zone.and_then(|at| self.zones.get(at)) else {
                rules.into_iter().for_each(|rule| self.push(base, rule));
                continue;
            };
            let (chain, span) = (self.rules.chains.len(), zone.span.clone());
            let ways = zone.narrow(&Match::default(), hook != Hook::Postrouting);
            let name = format!("{name}_{}", zone.name);
            self.rules.chains.push(Chain { name, rules });
            for when in ways {
                let action = Action::Jump(chain);
                self.push(base, Rule { span: span.clone(), when, action, log: false });
            }
        }
    }

    /// Sections and options that are not taken as they stand.
    pub fn beside<'s>(&mut self, sections: impl Iterator<Item = &'s Section>) {
        let mut defaults = 0;
        for section in sections {
            let known = match section.kind.as_str() {
                "zone" => ZONE,
                "defaults" => {
                    defaults += 1;
                    DEFAULTS
                }
                "forwarding" => &["enabled", "name", "family", "src", "dest"],
                "rule" | "redirect" | "nat" | "include" | "ipset" | "helper" => continue,
                other => {
                    let text = Text::new("not-modelled-statement").arg("what", format!("config {other}"));
                    self.rules.notes.push(Note { span: section.span.clone(), text, bears: false });
                    continue;
                }
            };
            if section.kind == "defaults" && defaults > 1 {
                self.left_out(section);
            }
            let unknown = section.options().filter(|o| !known.contains(o)).map(str::to_string);
            for option in unknown.collect::<Vec<_>>() {
                // Some builds let anybody outside answer through a translation.
                let bears = option.starts_with("fullcone");
                self.note(section, &option, "openwrt-ignored", bears);
            }
        }
    }
}

/// Options of zones: `docs/reference/platforms/openwrt.md`, Modelled and Exempt.
#[rustfmt::skip]
const ZONE: &[&str] = &[
    "enabled", "name", "family", "network", "device", "subnet", "input", "output", "forward", "masq", "masq6",
    "masq_allow_invalid", "masq_src", "masq_dest", "mtu_fix", "custom_chains", "log", "log_limit", "auto_helper",
    "helper", "counter", "extra", "extra_src", "extra_dest",
];

/// Options of the defaults, likewise.
#[rustfmt::skip]
const DEFAULTS: &[&str] = &[
    "input", "output", "forward", "drop_invalid", "tcp_reject_code", "any_reject_code", "syn_flood",
    "synflood_protect", "synflood_rate", "synflood_burst", "tcp_syncookies", "tcp_ecn", "tcp_window_scaling",
    "accept_redirects", "accept_source_route", "auto_helper", "custom_chains", "disable_ipv6", "flow_offloading",
    "flow_offloading_hw", "auto_includes", "name",
];
