//! Rules of the user, in the order in which they are asked.

use super::addresses::{Gathering, Ports, Set, Side};
use super::alias::Aliases;
use super::draft::{Draft, Flags, On};
use super::tree::{El, Product, Tree};
use super::words;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::LazyLock;
use tillgate_model::{Diagnostic, Family, Ranges, Span, Text};
use tillgate_ruleset::Note;

/// Conditions that no packet shows: the rule may match or not.
const OPEN: &[&str] = &["os", "tagged", "nottagged", "prio", "vlanprio", "tos", "dscp", "divert-to"];
/// Limits, by which a packet that fits a pass rule may be refused.
#[rustfmt::skip]
const LIMITS: &[&str] = &[
    "max", "max-src-nodes", "max-src-conn", "max-src-states", "max-src-conn-rate", "max-src-conn-rates",
    "max-pkt-rate-number",
];
/// What else a rule holds that is read, or that decides nothing.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "id", "tracker", "type", "interface", "ipprotocol", "protocol", "source", "destination", "descr", "log",
    "disabled", "floating", "quick", "direction", "statetype", "icmptype", "icmp6type", "tcpflags1",
    "tcpflags2", "tcpflags_any", "gateway", "sched", "tag", "created", "updated", "associated-rule-id",
    "ackqueue", "defaultqueue", "dnpipe", "pdnpipe", "statetimeout", "nopfsync", "nosync", "category",
    "categories", "set-prio", "set-prio-low", "reply-to", "replyto", "disablereplyto", "allowopts",
    "state-policy", "statepolicy", "adaptivestart", "adaptiveend", "udp-first", "udp-multiple",
    "udp-single", "overload", "shaper1", "shaper2", "interfacenot", "enabled", "sequence", "action",
    "source_net", "source_not", "source_port", "destination_net", "destination_not", "destination_port",
    "description", "label", "prio_group", "sort_order", "vlanprioset", "source-track", "sloppy",
    "max-pkt-rate-seconds", "username", "l7container", "isAutomatic",
];

/// What an element of a rule is to the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Read,
    Open,
    Limit,
}

static WORDS: LazyLock<BTreeMap<&str, Word>> = LazyLock::new(|| {
    let lists = [(KNOWN, Word::Read), (OPEN, Word::Open), (LIMITS, Word::Limit)];
    lists.into_iter().flat_map(|(list, kind)| list.iter().map(move |word| (*word, kind))).collect()
});

/// Sections, in the order in which they are asked.
const FLOATING: i64 = 200_000;
const GROUPS: i64 = 300_000;
const INTERFACES: i64 = 400_000;

/// What reading rules needs and finds.
pub struct Reader<'d, 'r> {
    pub aliases: &'r Aliases<'d>,
    pub product: Product,
    /// Schedules that exist.
    pub schedules: BTreeSet<&'d str>,
    /// Rules vanish while their gateway is down.
    pub skip_down: bool,
    pub notes: Vec<Note>,
    pub diagnostics: &'r mut Vec<Diagnostic>,
}

/// Why a rule is not among those loaded.
pub struct Absent;

/// All rules of the user in order.
pub fn rules<'d>(tree: &Tree<'d>, reader: &mut Reader<'d, '_>) -> Vec<Draft> {
    let mut out: Vec<((i64, bool, i64), Draft)> = Vec::new();
    for rule in tree.all("filter/rule") {
        if !rule.on("disabled") {
            out.extend(reader.legacy(rule));
        }
    }
    for rule in tree.all("OPNsense/Firewall/Filter/rules/rule") {
        if rule.get("enabled") != Some("0") {
            out.extend(reader.new_kind(rule));
        }
    }
    // Stable: equals keep the order of the file.
    out.sort_by_key(|(key, _)| *key);
    out.into_iter().map(|(_, draft)| draft).collect()
}

impl<'d> Reader<'d, '_> {
    pub fn note(&mut self, span: &Span, text: Text, bears: bool) {
        self.notes.push(Note { span: span.clone(), text, bears });
    }

    fn absent(&mut self, rule: El<'_>, what: &str) -> Absent {
        self.note(&rule.span(), Text::new("opnsense-not-loaded").arg("what", what), false);
        Absent
    }

    fn bad(&mut self, element: Option<El<'_>>, rule: El<'_>, value: &str) -> Absent {
        let span = element.unwrap_or(rule).span();
        self.diagnostics.push(Diagnostic::error(span, Text::new("bad-value").arg("value", value)));
        Absent
    }

    fn legacy(&mut self, rule: El<'d>) -> Option<((i64, bool, i64), Draft)> {
        let floating = rule.there("floating");
        let pass = match rule.get("type").unwrap_or("pass") {
            "pass" => true,
            "block" | "reject" => false,
            "match" if self.product == Product::PfSense => return None,
            other => {
                self.bad(rule.child("type"), rule, other);
                return None;
            }
        };
        let mut draft = Draft::new(&rule.span(), pass);
        let words = rule.get("interface").unwrap_or("");
        draft.on = self.interfaces(rule, words, rule.on("interfacenot"), floating).ok()?;
        draft.quick = match self.product {
            Product::PfSense => !floating || rule.has("quick"),
            Product::OPNsense if rule.has("quick") => rule.on("quick"),
            Product::OPNsense => !floating,
        };
        let direction = match (self.product, floating) {
            (Product::PfSense, false) => "in",
            (Product::PfSense, true) => rule.get("direction").unwrap_or("any"),
            (Product::OPNsense, _) => rule.get("direction").unwrap_or("in"),
        };
        self.directions(&mut draft, rule, direction).ok()?;
        let families = match self.product {
            Product::PfSense => rule.get("ipprotocol").unwrap_or("inet"),
            Product::OPNsense => rule.get("ipprotocol").unwrap_or("inet46"),
        };
        self.common(&mut draft, rule, families).ok()?;
        let operand = |side: Option<El<'d>>| {
            let any = self.product == Product::PfSense && side.is_some_and(|s| s.has("any"));
            let word = side.and_then(|s| s.get("network").or(s.get("address"))).filter(|_| !any);
            (word.unwrap_or("any"), side.is_some_and(|s| s.there("not")), side.and_then(|s| s.get("port")))
        };
        let (source, destination) = (operand(rule.child("source")), operand(rule.child("destination")));
        self.sides(&mut draft, rule, source, destination).ok()?;
        let key = match words {
            _ if floating => (FLOATING, true, 0),
            name => match self.aliases.network.groups.get(name) {
                Some(group) => (GROUPS + group.order, true, 0),
                None => (INTERFACES, true, 0),
            },
        };
        Some((key, draft))
    }

    fn new_kind(&mut self, rule: El<'d>) -> Option<((i64, bool, i64), Draft)> {
        let pass = match rule.get("action").unwrap_or("pass") {
            "pass" => true,
            "block" | "reject" => false,
            other => {
                self.bad(rule.child("action"), rule, other);
                return None;
            }
        };
        let mut draft = Draft::new(&rule.span(), pass);
        let words = rule.get("interface").unwrap_or("");
        let inverted = rule.on("interfacenot");
        draft.on = self.interfaces(rule, words, inverted, true).ok()?;
        draft.quick = rule.get("quick") != Some("0");
        self.directions(&mut draft, rule, rule.get("direction").unwrap_or("in")).ok()?;
        self.common(&mut draft, rule, rule.get("ipprotocol").unwrap_or("inet")).ok()?;
        let side =
            |net: &str, not: &str, port: &str| (rule.get(net).unwrap_or("any"), rule.on(not), rule.get(port));
        let source = side("source_net", "source_not", "source_port");
        let destination = side("destination_net", "destination_not", "destination_port");
        self.sides(&mut draft, rule, source, destination).ok()?;
        let sequence = rule.get("sequence").and_then(|s| s.parse().ok()).unwrap_or(0);
        let section = match self.aliases.network.groups.get(words) {
            _ if words.is_empty() || words.contains(',') || inverted => FLOATING,
            Some(group) => GROUPS + group.order,
            None if self.aliases.network.is_group(words) => GROUPS,
            None => INTERFACES,
        };
        Some(((section, false, sequence), draft))
    }

    fn directions(&mut self, draft: &mut Draft, rule: El<'_>, word: &str) -> Result<(), Absent> {
        (draft.inward, draft.outward) = match word {
            "in" => (true, false),
            "out" => (false, true),
            "any" => (true, true),
            other => return Err(self.bad(rule.child("direction"), rule, other)),
        };
        Ok(())
    }

    /// The devices of a list of interfaces.
    pub fn interfaces(
        &mut self,
        rule: El<'_>,
        words: &str,
        inverted: bool,
        open: bool,
    ) -> Result<On, Absent> {
        let list: Vec<&str> = words.split([',', ' ']).filter(|w| !w.is_empty()).collect();
        if list.contains(&"any") || list.is_empty() && (open || self.product == Product::OPNsense) {
            return Ok(On::Any);
        }
        if !self.aliases.network.known {
            return Ok(On::Unknown);
        }
        let mut found: Vec<Rc<[String]>> = Vec::new();
        for word in &list {
            self.aliases.refer(word);
            match self.aliases.network.devices(word) {
                Some(devices) => found.push(devices),
                None => {
                    self.absent(rule, word);
                }
            }
        }
        let devices = match found.as_slice() {
            [] => return Err(Absent),
            // Each is inverted by itself: what is not on the one is on another.
            _ if inverted && list.len() > 1 => return Ok(On::Any),
            [one] => Rc::clone(one),
            several => {
                let all: BTreeSet<&String> = several.iter().flat_map(|list| list.iter()).collect();
                all.into_iter().cloned().collect()
            }
        };
        Ok(if inverted { On::Not(devices) } else { On::These(devices) })
    }

    /// What both kinds of rules say in the same words.
    fn common(&mut self, draft: &mut Draft, rule: El<'d>, families: &str) -> Result<(), Absent> {
        draft.families = self.families(rule, families)?;
        draft.log = rule.on("log");
        let protocol = rule.get("protocol").unwrap_or("");
        if words::protocols(protocol, Family::V4).is_err() {
            return Err(self.bad(rule.child("protocol"), rule, protocol));
        }
        draft.protocol = protocol.to_ascii_lowercase();
        let control = matches!(draft.protocol.as_str(), "icmp" | "ipv6-icmp" | "icmp6" | "icmpv6");
        for family in Family::BOTH.into_iter().filter(|_| control) {
            let key = match (self.product, family) {
                (Product::OPNsense, Family::V6) => "icmp6type",
                _ => "icmptype",
            };
            match words::types(rule.get(key).unwrap_or(""), family) {
                Ok(types) => draft.types[family as usize] = types,
                Err(word) => return Err(self.bad(rule.child(key), rule, word)),
            }
        }
        let tcp = draft.protocol == "tcp";
        if tcp && rule.on("tcpflags_any") {
            draft.flags = Flags::Any;
        } else if let Some(of) = rule.get("tcpflags2").filter(|_| tcp) {
            draft.flags = Flags::These(words::flags(rule.get("tcpflags1").unwrap_or(""), of));
        } else if rule.get("statetype") == Some("none")
            && draft.pass
            && !(tcp && self.product == Product::PfSense)
        {
            draft.flags = Flags::Any;
        }
        self.reservations(draft, rule);
        Ok(())
    }

    pub fn families(&mut self, rule: El<'_>, word: &str) -> Result<Vec<Family>, Absent> {
        Ok(match word {
            "inet" => vec![Family::V4],
            "inet6" => vec![Family::V6],
            "inet46" => Family::BOTH.to_vec(),
            other => return Err(self.bad(rule.child("ipprotocol"), rule, other)),
        })
    }

    /// Conditions that are not modelled.
    fn reservations(&mut self, draft: &mut Draft, rule: El<'d>) {
        let says = |e: &El<'d>| match WORDS.get(e.name()) {
            Some(Word::Read) => false,
            Some(Word::Limit) if !draft.pass => false,
            _ => !e.text().is_empty(),
        };
        let mut open: Vec<&str> = rule.children().filter(says).map(|e| e.name()).collect();
        if let Some(name) = rule.get("sched") {
            self.aliases.refer(name);
            if self.schedules.contains(name) {
                open.push("sched");
            }
        }
        if self.skip_down && draft.pass && rule.get("gateway").is_some_and(|g| g != "default") {
            open.push("gateway");
        }
        for what in open {
            let text = Text::new("not-modelled-match").arg("what", what);
            self.note(&draft.span, text.clone(), true);
            draft.doubts.push(text);
        }
    }

    fn sides(
        &mut self,
        draft: &mut Draft,
        rule: El<'d>,
        source: (&'d str, bool, Option<&'d str>),
        destination: (&'d str, bool, Option<&'d str>),
    ) -> Result<(), Absent> {
        draft.source = self.side(rule, source.0, source.1, &draft.families)?;
        draft.destination = self.side(rule, destination.0, destination.1, &draft.families)?;
        if words::has_ports(&draft.protocol) {
            draft.source_ports = self.ports(rule, source.2)?;
            draft.destination_ports = self.ports(rule, destination.2)?;
        }
        Ok(())
    }

    pub fn ports(&mut self, rule: El<'_>, word: Option<&str>) -> Result<Option<Ports>, Absent> {
        let Some(word) = word else { return Ok(None) };
        let ports = self.aliases.ports(word).ok_or_else(|| self.absent(rule, word))?;
        if ports.maybe {
            self.note(&rule.span(), Text::new("not-modelled-set").arg("set", word), true);
        }
        Ok((ports.certain != Ranges::full(65535)).then_some(ports))
    }

    /// A side of a rule: words with commas, any of which will do.
    pub fn side(
        &mut self,
        rule: El<'_>,
        list: &str,
        negate: bool,
        families: &[Family],
    ) -> Result<Side, Absent> {
        let words: Vec<&str> = list.split(',').map(str::trim).filter(|w| !w.is_empty()).collect();
        if words.is_empty() || words.contains(&"any") {
            return Ok(Side::any());
        }
        let mut sets = Vec::new();
        for word in &words {
            let Some(set) = self.operand(word, !negate) else {
                self.absent(rule, word);
                continue;
            };
            if self.aliases.network.known && families.iter().any(|f| set.is_open(*f)) {
                self.note(&rule.span(), Text::new("not-modelled-set").arg("set", word), true);
            }
            sets.push(set);
        }
        match sets.as_slice() {
            [] => Err(Absent),
            // Each is inverted by itself: what is not in the one is in another.
            [_, _, ..] if negate => Ok(Side::any()),
            [only] => Ok(Side { set: Rc::clone(only), negate }),
            _ => {
                let mut all = Set::default();
                sets.iter().for_each(|set| all.join(set));
                Ok(Side { set: Rc::new(all), negate })
            }
        }
    }

    /// What a word stands for; `None` when nothing is called so.
    pub fn operand(&self, word: &str, link_local: bool) -> Option<Rc<Set>> {
        let network = &self.aliases.network;
        let key = |text: &str| {
            matches!(text, "wan" | "lan")
                || text.strip_prefix("opt").is_some_and(|n| n.parse::<u32>().is_ok())
        };
        let address = word.strip_suffix("ip").filter(|k| key(k) || network.interfaces.contains_key(*k));
        let set = match word {
            "(self)" => Set::myself(),
            // Clients of these services.
            "pptp" | "l2tp" | "pppoe" | "openvpn" if !network.interfaces.contains_key(word) => Set::open(),
            word if !network.members(word).is_empty() => {
                self.aliases.refer(word);
                let mut set = Set::behind(network, word);
                if link_local && self.product == Product::OPNsense && !set.certain[1].is_empty() {
                    set.certain[1] = set.certain[1].union(&Ranges::span(0xfe80 << 112, (0xfec0 << 112) - 1));
                }
                set
            }
            _ if address.is_some_and(|k| network.interfaces.contains_key(k)) => Set::on(network, address?),
            _ if address.is_some() && !network.known => Set { own: [Some(false); 2], ..Set::default() },
            word if key(word) && !network.known => Set::open(),
            word => {
                let mut set = Gathering::default();
                if !set.item(word, false) {
                    return self.aliases.addresses(word).or_else(|| self.aliases.made(word));
                }
                set.done()
            }
        };
        Some(Rc::new(set))
    }
}
