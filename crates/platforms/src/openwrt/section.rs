//! What rules, redirects and source translations have in common: what they select, and when.

use super::build::Builder;
use super::select::{Addresses, Packets, doubt};
use super::sets::Use;
use super::uci::Section;
use super::values::{self, Protocols};
use super::zones::flag;
use tillgate_model::{Ranges, Text};
use tillgate_ruleset::{Fact, Note, What};

/// An option, and what is wrong with it.
pub type Bad = (&'static str, Text);

/// A kind of section by the options that say what it selects.
pub struct Kind {
    pub source: &'static str,
    pub destination: &'static str,
    pub source_port: &'static str,
    pub destination_port: &'static str,
    /// Protocols when none is given: TCP and UDP, or all.
    pub usual: bool,
    /// All other options it may have.
    pub others: &'static [&'static str],
}

#[rustfmt::skip]
pub const RULE: Kind = Kind {
    source: "src_ip", destination: "dest_ip", source_port: "src_port", destination_port: "dest_port", usual: true,
    others: &["src", "dest", "device", "direction", "set_helper", "set_mark", "set_xmark", "set_dscp", "target"],
};
#[rustfmt::skip]
pub const DNAT: Kind = Kind {
    source: "src_ip", destination: "src_dip", source_port: "src_port", destination_port: "src_dport", usual: true,
    others: &["src", "dest", "dest_ip", "dest_port", "reflection", "reflection_src", "reflection_zone", "target"],
};
#[rustfmt::skip]
pub const SNAT: Kind = Kind {
    source: "src_ip", destination: "dest_ip", source_port: "src_port", destination_port: "dest_port", usual: true,
    others: &["src", "dest", "src_dip", "src_dport", "reflection", "reflection_src", "reflection_zone", "target"],
};
#[rustfmt::skip]
pub const NAT: Kind = Kind {
    source: "src_ip", destination: "dest_ip", source_port: "src_port", destination_port: "dest_port", usual: false,
    others: &["src", "device", "snat_ip", "snat_port", "connlimit_ports", "target"],
};

/// Options of every kind that select nothing.
const QUIET: &[&str] = &[
    "enabled",
    "name",
    "_name",
    "family",
    "proto",
    "counter",
    "log",
    "log_limit",
    "utc_time",
    "limit_burst",
];

/// Conditions that hold or not.
const OPEN: &[&str] = &[
    "src_mac",
    "helper",
    "limit",
    "start_date",
    "stop_date",
    "start_time",
    "stop_time",
    "weekdays",
    "monthdays",
    "mark",
    "dscp",
    "extra",
];

impl Builder<'_> {
    /// Whether a section is in force; one that is not is told.
    pub fn enabled(&mut self, section: &Section) -> Result<bool, Bad> {
        let enabled = flag(section, "enabled", true).map_err(|e| ("enabled", e))?;
        if !enabled {
            self.rules.facts.push(Fact { span: section.span.clone(), what: What::Disabled });
        }
        Ok(enabled)
    }

    /// What a section selects; what about it is open is noted.
    pub fn packets(&mut self, section: &Section, kind: &Kind) -> Result<Packets, Bad> {
        let bad =
            |option: &'static str| move |word: &str| (option, Text::new("bad-value").arg("value", word));
        let mut out = Packets::default();
        if let Some(text) = section.text("family") {
            out.family = Some(values::family(text).ok_or_else(|| bad("family")(text))?);
        }
        for word in section.words("proto") {
            out.protocols.add(word).ok_or_else(|| bad("proto")(word))?;
        }
        if !section.has("proto") {
            out.protocols = match kind.usual {
                true => Protocols::usual(),
                false => Protocols { any: true, ..Protocols::default() },
            };
        }
        let addresses = |option| Addresses::of(&section.words(option), &self.networks).map_err(bad(option));
        (out.source, out.destination) = (addresses(kind.source)?, addresses(kind.destination)?);
        out.source_ports = ports(section, kind.source_port)?;
        out.destination_ports = ports(section, kind.destination_port)?;
        for word in section.words("icmp_type") {
            out.icmp.push(values::icmp(word).ok_or_else(|| bad("icmp_type")(word))?);
        }
        if let Some(text) = section.text("ipset") {
            let set = Use::of(text, &self.sets)
                .map_err(|name| ("ipset", Text::new("unknown-object").arg("name", name)))?;
            self.used.insert(set.name().to_string());
            out.set = Some(set);
        }
        // Where ports are asked for, all protocols are TCP and UDP: in a set, and in source translations.
        let by_port = out.set.as_ref().is_some_and(Use::by_port);
        let ported = out.source_ports.is_some() || out.destination_ports.is_some();
        if (by_port || (ported && !kind.usual)) && out.protocols.any {
            out.protocols = Protocols::usual();
        }
        out.by_header = section.has("dscp");
        out.doubts = OPEN.iter().filter(|o| section.has(o)).map(|option| doubt(option)).collect();
        if ported && !out.protocols.all_with_ports() {
            self.note(section, kind.destination_port, "openwrt-ports", false);
        }
        if let Some(day) = section.text("stop_date").and_then(values::day) {
            self.rules.facts.push(Fact { span: section.span.clone(), what: What::Until(day) });
        }
        let known =
            [kind.source, kind.destination, kind.source_port, kind.destination_port, "ipset", "icmp_type"];
        let unknown = section.options().filter(|o| {
            !known.contains(o) && ![kind.others, QUIET, OPEN].iter().any(|list| list.contains(o))
        });
        for option in unknown.map(str::to_string).collect::<Vec<_>>() {
            self.note(section, &option, "openwrt-ignored", false);
        }
        Ok(out)
    }

    /// Notes that an option of a section is not taken as it stands.
    pub fn note(&mut self, section: &Section, option: &str, id: &'static str, bears: bool) {
        let text = Text::new(id).arg("option", option);
        self.rules.notes.push(Note { span: section.line(option), text, bears });
    }

    /// Notes that the router leaves a section out.
    pub fn left_out(&mut self, section: &Section) {
        let text = Text::new("openwrt-left-out");
        self.rules.notes.push(Note { span: section.span.clone(), text, bears: false });
    }
}

/// The ports of an option: any of the plain ones, none of the negated ones.
fn ports(section: &Section, option: &'static str) -> Result<Option<Ranges>, Bad> {
    let words = section.words(option);
    if words.is_empty() {
        return Ok(None);
    }
    let (mut plain, mut negated) = (Vec::new(), Vec::new());
    for word in words {
        let (negate, text) = values::negation(word);
        let (lo, hi) =
            values::ports(text).ok_or_else(|| (option, Text::new("bad-value").arg("value", word)))?;
        if negate { &mut negated } else { &mut plain }.push((lo.into(), hi.into()));
    }
    let plain = if plain.is_empty() { Ranges::full(65535) } else { Ranges::from_unsorted(plain) };
    Ok(Some(plain.subtract(&Ranges::from_unsorted(negated))))
}

/// Whether a section writes log entries: `1`, or the text to begin them with.
pub fn logs(section: &Section) -> bool {
    section.text("log").is_some_and(|text| values::boolean(text) != Some(false))
}
