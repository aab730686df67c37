//! An intent written as commands for VyOS 1.4 and 1.5, and proved.

use crate::nftables::slug;
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::BTreeMap;
use std::fmt::Write;
use tillgate_estate::Site;
use tillgate_intent::{Intent, Side};
use tillgate_model::{
    Family, Protocol, Ranges, Text, address_from_bits, addresses_text, format_ports, range_to_prefixes,
};

/// How interfaces may be called where rules name them (`match-interface.xml.i`).
#[rustfmt::skip]
const KINDS: &[&str] = &[
    "bond", "br", "dum", "en", "ersp", "eth", "gnv", "ifb", "ipoe", "lan", "l2tp", "macsec", "peth", "ppp", "pptp",
    "sstp", "tun", "veth", "vti", "vtun", "vxlan", "wg", "wlan", "wwan",
];

/// What is taken away before the new is set; a commit makes one change of both.
const REPLACED: &str = "delete firewall ipv4\ndelete firewall ipv6\ndelete firewall zone\ndelete firewall global-options state-policy\ndelete nat\ndelete nat66\n";

/// Most addresses of a run that are written one by one.
const SINGLY: u128 = 8;

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    for name in intent.topology.zones.iter().map(|z| &z.interface).chain(&intent.topology.uplinks) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let known = KINDS.iter().any(|kind| name.starts_with(kind)) || name == "lo";
        if !known || name.len() > 15 || !name.chars().all(plain) {
            return Err(cannot(Text::new("cannot-interface-vyos").arg("name", name)));
        }
    }
    for name in intent.flows.iter().filter(|f| f.by_name).flat_map(|f| &f.names) {
        // The firewall looks each name up; none stands for what is below it.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        match name.starts_with("*.") {
            true => return Err(cannot(Text::new("cannot-wildcard-name").arg("name", name))),
            false if !name.chars().all(plain) => {
                return Err(cannot(Text::new("bad-value").arg("value", name)));
            }
            false => {}
        }
    }
    let mut writer = Writer::new(intent);
    let text = writer.file(&site.name)?;
    prove(super::parse, Rendered { text, companions: Vec::new() }, intent)
}

fn cannot(text: Text) -> RenderError {
    RenderError::CannotExpress(text)
}

/// What a group holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Single addresses.
    Addresses(Family, Vec<String>),
    Networks(Family, Vec<String>),
    Names(Vec<String>),
    Interfaces(Vec<String>),
}

impl Group {
    /// Its kind, and the word for a member.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self {
            Group::Addresses(Family::V4, _) => ("address-group", "address"),
            Group::Addresses(Family::V6, _) => ("ipv6-address-group", "address"),
            Group::Networks(Family::V4, _) => ("network-group", "network"),
            Group::Networks(Family::V6, _) => ("ipv6-network-group", "network"),
            Group::Names(_) => ("domain-group", "address"),
            Group::Interfaces(_) => ("interface-group", "interface"),
        }
    }

    pub fn members(&self) -> &[String] {
        match self {
            Group::Addresses(_, list) | Group::Networks(_, list) => list,
            Group::Names(list) | Group::Interfaces(list) => list,
        }
    }
}

/// Writes rules, and gathers the groups they need.
pub struct Writer<'a> {
    intent: &'a Intent,
    /// The groups that are there.
    pub groups: BTreeMap<Group, String>,
    /// Their names, and others that are taken.
    pub taken: BTreeMap<String, usize>,
}

/// The rules of a list, numbered in steps that leave room.
#[derive(Default)]
struct Rules(Vec<Vec<String>>);

impl Rules {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.push(words.iter().map(|w| w.to_string()).collect());
    }

    /// The commands, in the order the device prints them.
    fn write(mut self, path: &str, out: &mut String) {
        // Numbers end at 999999.
        let step = if self.0.len() < 90_000 { 10 } else { 1 };
        for (at, words) in self.0.iter_mut().enumerate() {
            words.sort();
            for word in words {
                let _ = writeln!(out, "set {path} rule {} {word}", (at + 1) * step);
            }
        }
    }
}

/// The word for a family's lists.
pub fn word(family: Family) -> &'static str {
    if family == Family::V4 { "ipv4" } else { "ipv6" }
}

/// A text that a session takes as it stands: no quotes, nothing that a terminal or the shell acts on, 255 characters.
pub fn plain(text: &str) -> String {
    let one = |c: char| match c {
        '\'' | '"' | '\\' | '?' | '`' => ' ',
        c if c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            ' '
        }
        c => c,
    };
    text.chars().take(200).map(one).collect()
}

impl<'a> Writer<'a> {
    /// One that knows no group yet.
    pub fn new(intent: &'a Intent) -> Self {
        Writer { intent, groups: BTreeMap::new(), taken: BTreeMap::new() }
    }

    fn file(&mut self, site: &str) -> Result<String, RenderError> {
        let mut lists = String::new();
        for family in Family::BOTH {
            let forged = self.forged(family, &mut lists);
            for local in [false, true] {
                self.list(family, local, forged, &mut lists)?;
            }
        }
        let mut nat = String::new();
        self.nat(&mut nat);
        let mut out = format!("# tillgate: {}\n", plain(site));
        out.push_str("# For VyOS 1.4 and 1.5, in configure mode. Replaces every rule and translation; groups whose name starts with tg- are its own.\n");
        out.push_str(REPLACED);
        let mut groups: Vec<(&Group, &String)> = self.groups.iter().collect();
        groups.sort_by_key(|(group, name)| (group.words(), name.as_str()));
        for (group, name) in &groups {
            let _ = writeln!(out, "delete firewall group {} {name}", group.words().0);
        }
        for (group, name) in groups {
            let (kind, member) = group.words();
            for value in group.members() {
                let _ = writeln!(out, "set firewall group {kind} {name} {member} '{value}'");
            }
        }
        Ok(out + &lists + &nat)
    }

    /// The list of addresses that cannot come from where they come from; says whether there is one.
    fn forged(&mut self, family: Family, out: &mut String) -> bool {
        let mut rules = Rules::default();
        for (on, of, own, only, name) in sources(self.intent) {
            if of != family {
                continue;
            }
            let wish = if only { format!("from-{}", slug(&name)) } else { "inside".into() };
            let group = self.networks(family, &own, &wish);
            let input = self.interfaces("inbound", &on);
            let description = format!("description '{}'", plain(&format!("{name}: forged source")));
            let kind = format!("source group network-group '{}{group}'", if only { "!" } else { "" });
            rules.add(["action 'drop'", &description, &input, "log", &kind]);
        }
        let some = !rules.0.is_empty();
        if some {
            let path = format!("firewall {} name tg-forged", word(family));
            let _ = writeln!(out, "set {path} default-action 'return'");
            rules.write(&path, out);
        }
        some
    }

    /// What passes, or what is for the firewall itself.
    fn list(
        &mut self,
        family: Family,
        local: bool,
        forged: bool,
        out: &mut String,
    ) -> Result<(), RenderError> {
        let mut rules = Rules::default();
        if forged {
            rules.add(["action 'jump'", "jump-target 'tg-forged'"]);
        }
        rules.add(["action 'accept'", "state 'established'", "state 'related'"]);
        rules.add(["action 'drop'", "state 'invalid'"]);
        if local {
            rules.add(["action 'accept'", "inbound-interface name 'lo'"]);
        }
        if local && family == Family::V6 && !self.intent.topology.inside(family).is_empty() {
            // Multicast listeners and neighbour discovery (RFC 4861, RFC 3810).
            for kind in [130, 131, 132, 133, 134, 135, 136, 143] {
                let kind = format!("icmpv6 type '{kind}'");
                rules.add(["action 'accept'", &kind, "protocol 'ipv6-icmp'"]);
            }
            let input = self.interfaces("inbound", &self.intent.topology.uplinks);
            rules.add([
                "action 'accept'",
                "description 'DHCPv6 answers to the firewall'",
                "destination port '546'",
                &input,
                "protocol 'udp'",
                "source address 'fe80::/10'",
                "source port '547'",
            ]);
        }
        for permit in permits(self.intent, local).iter().filter(|p| p.family == family) {
            let rule = self.rule(permit)?;
            rules.0.push(rule);
        }
        let path = format!("firewall {} {} filter", word(family), if local { "input" } else { "forward" });
        let _ = writeln!(out, "set {path} default-action 'drop'\nset {path} default-log");
        rules.write(&path, out);
        Ok(())
    }

    /// What a rule for a permission says, a command each.
    pub fn rule(&mut self, permit: &Permit) -> Result<Vec<String>, RenderError> {
        let family = permit.family;
        let inputs = Permit::interfaces(permit.from, self.intent);
        let mut words = vec![
            "action 'accept'".to_string(),
            format!("description '{}'", plain(&permit.comment)),
            self.interfaces("inbound", &inputs),
        ];
        if let Some(to) = permit.to {
            let outputs = Permit::interfaces(to, self.intent);
            words.push(self.interfaces("outbound", &outputs));
        }
        match &permit.service {
            Service::Any => {}
            Service::Protocol(protocol) => words.push(format!("protocol '{}'", protocol.0)),
            Service::Icmp(kind) => words.extend(match family {
                Family::V4 => [format!("icmp type '{kind}'"), "protocol 'icmp'".into()],
                Family::V6 => [format!("icmpv6 type '{kind}'"), "protocol 'ipv6-icmp'".into()],
            }),
            Service::Ports { protocol, ports, source_port } => {
                if *protocol != Protocol::TCP && *protocol != Protocol::UDP {
                    return Err(cannot(Text::new("cannot-ports-vyos").arg("protocol", protocol)));
                }
                words.push(format!("protocol '{protocol}'"));
                words.push(format!("destination port '{}'", format_ports(ports)));
                words.extend(source_port.map(|port| format!("source port '{port}'")));
            }
        }
        if let Some(source) = &permit.source {
            let wish = match permit.from {
                Side::Zone(at) => self.intent.topology.zones.get(at).map_or(String::new(), |z| slug(&z.name)),
                Side::Uplinks => "outside".into(),
            };
            words.push(self.side(family, "source", source, &format!("{wish}-devices")));
        }
        match &permit.target {
            Target::Any => {}
            Target::Public => {
                let inside = public(self.intent, family).complement(family.max_address());
                let group = self.networks(family, &inside, "not-public");
                words.push(format!("destination group network-group '!{group}'"));
            }
            Target::Ranges(ranges) => {
                words.push(self.side(family, "destination", ranges, &slug(&permit.requirement)));
            }
            Target::Names(names) => {
                let group = self.group(Group::Names(names.clone()), &slug(&permit.requirement));
                words.push(format!("destination group domain-group '{group}'"));
            }
        }
        Ok(words)
    }

    fn nat(&mut self, out: &mut String) {
        let inside = self.intent.topology.inside(Family::V4);
        if !self.intent.masquerade || inside.is_empty() {
            return;
        }
        let mut rules = Rules::default();
        let source = self.side(Family::V4, "source", &inside, "inside");
        for uplink in &self.intent.topology.uplinks {
            let output = format!("outbound-interface name '{uplink}'");
            rules.add([&output, &source, "translation address 'masquerade'"]);
        }
        rules.write("nat source", out);
    }

    /// One interface by its name, several as a group.
    pub fn interfaces(&mut self, way: &str, names: &[String]) -> String {
        match names {
            [one] => format!("{way}-interface name '{one}'"),
            several => {
                let group = self.group(Group::Interfaces(several.to_vec()), "uplinks");
                format!("{way}-interface group '{group}'")
            }
        }
    }

    /// One address, range or network as it is; several as a group.
    pub fn side(&mut self, family: Family, side: &str, ranges: &Ranges, wish: &str) -> String {
        let texts = addresses_text(family, ranges);
        if let [only] = texts.as_slice() {
            return format!("{side} address '{only}'");
        }
        if ranges.as_slice().iter().all(|(lo, hi)| hi - lo < SINGLY) {
            let all = ranges.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi);
            let all = all.map(|bits| address_from_bits(family, bits).to_string()).collect();
            let group = self.group(Group::Addresses(family, all), wish);
            return format!("{side} group address-group '{group}'");
        }
        format!("{side} group network-group '{}'", self.networks(family, ranges, wish))
    }

    /// A group of networks, which takes no single address without a length.
    pub fn networks(&mut self, family: Family, ranges: &Ranges, wish: &str) -> String {
        let all = ranges.as_slice().iter().flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi));
        self.group(Group::Networks(family, all.map(|net| net.to_string()).collect()), wish)
    }

    fn group(&mut self, group: Group, wish: &str) -> String {
        if let Some(known) = self.groups.get(&group) {
            return known.clone();
        }
        let wish: String = wish.chars().take(40).map(|c| if c == '_' { '-' } else { c }).collect();
        let name = fresh(&format!("tg-{wish}"), &mut self.taken);
        self.groups.insert(group, name.clone());
        name
    }
}

/// A name that is not taken, and is from now on. `taken` counts how often a name was wished for.
pub fn fresh(wish: &str, taken: &mut BTreeMap<String, usize>) -> String {
    let mut count = taken.get(wish).copied().unwrap_or(0);
    loop {
        count += 1;
        taken.insert(wish.to_string(), count);
        if count == 1 {
            return wish.to_string();
        }
        let name = format!("{wish}-{count}");
        if !taken.contains_key(&name) {
            taken.insert(name.clone(), 1);
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_inside_their_quotes() {
        let hostile = "a'\nset system host-name \"x\" ? `id` \\ \u{1b}[2J\u{202e}";
        let text = plain(hostile);
        assert!(!text.contains(['\'', '"', '\n', '?', '`', '\\', '\u{1b}', '\u{202e}']), "{text}");
        assert!(plain(&"x".repeat(1000)).len() <= 255);
    }
}
