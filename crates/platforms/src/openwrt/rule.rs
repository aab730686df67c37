//! Rules and forwardings.
//!
//! openwrt.org, "Firewall configuration", Rules and Forwardings; `parse_rule` and `parse_forwarding` of firewall4.

use super::build::{Builder, End, FORWARD, INPUT, OUTPUT};
use super::section::{Bad, RULE, logs};
use super::select::Packets;
use super::uci::Section;
use super::values;
use tillgate_model::Text;
use tillgate_ruleset::{Action, InterfaceMatch, Match, Note, Rule};

impl Builder<'_> {
    /// A `rule`.
    pub fn rule(&mut self, section: &Section) -> Result<(), Bad> {
        if !self.enabled(section)? {
            return Ok(());
        }
        let bad = |option: &'static str, value: &str| (option, Text::new("bad-value").arg("value", value));
        let (from, to) = (self.end(section, "src")?, self.end(section, "dest")?);
        const TARGETS: &[&str] = &["accept", "reject", "drop", "notrack", "helper", "mark", "dscp"];
        let target = match section.text("target") {
            None => None,
            Some(text) => Some(values::choice(text, TARGETS).ok_or_else(|| bad("target", text))?),
        };
        let mut packets = self.packets(section, &RULE)?;
        if matches!(target, Some("helper" | "mark" | "dscp")) {
            return Ok(());
        }
        self.bind(&mut packets, &[from, to]);
        let Ok(mut matches) = packets.matches(None) else {
            self.left_out(section);
            return Ok(());
        };
        if let Some(device) = section.text("device") {
            let outgoing = match section.text("direction") {
                None | Some("in" | "ingress") => false,
                Some("out" | "egress") => true,
                Some(other) => return Err(bad("direction", other)),
            };
            if device == "*" || device.starts_with('!') {
                return Err(bad("device", device));
            }
            for when in &mut matches {
                let list = if outgoing { &mut when.output } else { &mut when.input };
                list.push(InterfaceMatch { patterns: vec![device.to_string()], negate: false });
            }
        }
        self.tell_doubts(section, &matches);
        let span = &section.span;
        if target == Some("notrack") {
            let End::Zone(zone) = from else {
                self.left_out(section);
                return Ok(());
            };
            let rule = |when| Rule { span: span.clone(), when, action: Action::Untrack, log: false };
            self.notrack.entry(zone).or_default().extend(matches.into_iter().map(rule));
            return Ok(());
        }
        let direction = match (from, to) {
            (End::None, _) => OUTPUT,
            (_, End::None) => INPUT,
            _ => FORWARD,
        };
        let chain = match (from, to) {
            (End::Zone(zone), _) | (End::None, End::Zone(zone)) => self.chain(zone, direction),
            _ => direction,
        };
        let Some(target) = target else {
            let text = Text::new("openwrt-no-target");
            self.rules.notes.push(Note { span: span.clone(), text, bears: true });
            for when in matches {
                self.push(chain, Rule { span: span.clone(), when, action: Action::Unknown, log: false });
            }
            return Ok(());
        };
        let accept = target == "accept";
        let zone = if let End::Zone(zone) = to { Some(zone) } else { None };
        // What a zone that logs refuses is logged; a rule's own zone counts where it names no other.
        let logging = match (from, to) {
            (End::Zone(zone), End::None | End::Any) => !accept && self.zones.get(zone).is_some_and(|z| z.log),
            _ => false,
        };
        for when in matches {
            self.place(chain, span, when, accept, zone, logging || logs(section));
        }
        Ok(())
    }

    /// Notes what of a section is open.
    pub fn tell_doubts(&mut self, section: &Section, matches: &[Match]) {
        for text in matches.iter().flat_map(|w| &w.doubts) {
            self.rules.notes.push(Note { span: section.span.clone(), text: text.clone(), bears: true });
        }
    }

    /// A `forwarding`.
    pub fn forwarding(&mut self, section: &Section) -> Result<(), Bad> {
        if !self.enabled(section)? {
            return Ok(());
        }
        let missing = |option: &'static str| (option, Text::new("openwrt-missing").arg("option", option));
        let (from, to) = (self.end(section, "src")?, self.end(section, "dest")?);
        let mut packets = Packets::default();
        packets.protocols.any = true;
        if let Some(text) = section.text("family") {
            let family =
                values::family(text).ok_or_else(|| ("family", Text::new("bad-value").arg("value", text)))?;
            packets.family = Some(family);
        }
        self.bind(&mut packets, &[from, to]);
        let Ok(matches) = packets.matches(None) else {
            self.left_out(section);
            return Ok(());
        };
        let chain = match from {
            End::None => return Err(missing("src")),
            End::Any => FORWARD,
            End::Zone(zone) => self.chain(zone, FORWARD),
        };
        let zone = match to {
            End::None => return Err(missing("dest")),
            End::Any => None,
            End::Zone(zone) => Some(zone),
        };
        for when in matches {
            self.place(chain, &section.span, when, true, zone, false);
        }
        Ok(())
    }
}
