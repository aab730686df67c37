//! The commands of a configuration, section by section.

use super::config::*;
use super::entry::{Bad, bad, entry};
use super::exempt;
use super::lines::{self, Line, is};
use super::{interface, nat, section};
use std::collections::HashMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, Family, SourceFile, Span, Text};
use tillgate_ruleset::{Fact, Note, What};

/// Where the lines being read belong.
pub enum Section {
    Top,
    Exempt,
    Interface(String),
    List(Family, String),
    Networks(String),
    Services(String),
    Class(String),
    Policy(String),
    /// A policy map of quality of service.
    Shaping(String),
    Pair(String),
    RouteMap(String, u32),
    Terminal(usize),
    Times(String),
    ControlPlane,
}

/// What is gathered from a configuration.
pub struct Reader<'a> {
    pub config: Config<'a>,
    pub notes: Vec<Note>,
    pub facts: Vec<Fact>,
    section: Section,
    /// Address blocks that wildcard masks may still take up.
    room: usize,
    /// Translations by what their lines say.
    said: HashMap<String, usize>,
    /// Where the file shows that it is a whole configuration, which says everything that is on.
    whole: Option<Span>,
    forwards6: bool,
}

/// Reads all files as one configuration.
pub fn read<'a>(files: &'a [Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Reader<'a> {
    read_each(files, diagnostics, |_, _| {})
}

/// Reads all files as one configuration, and shows every line with whether it belongs to the section above it.
pub fn read_each<'a>(
    files: &'a [Arc<SourceFile>],
    diagnostics: &mut Vec<Diagnostic>,
    mut seen: impl FnMut(&Line<'a>, bool),
) -> Reader<'a> {
    let size: usize = files.iter().map(|f| f.text.len()).sum();
    let mut reader = Reader {
        config: Config::default(),
        notes: Vec::new(),
        facts: Vec::new(),
        section: Section::Top,
        room: 65_536 + size / 2,
        said: HashMap::new(),
        whole: None,
        forwards6: false,
    };
    for file in files {
        reader.section = Section::Top;
        lines::each(file, diagnostics, |line, diagnostics| {
            let below = reader.is_below(&line);
            seen(&line, below);
            if let Err((span, text)) = reader.line(&line, below) {
                diagnostics.push(Diagnostic::error(span, text));
            }
        });
    }
    for list in reader.config.lists.values_mut() {
        list.items.sort_by_key(|(number, _)| *number);
    }
    if let Some(span) = reader.whole.take().filter(|_| !reader.forwards6) {
        reader.config.unrouted.insert(Family::V6, span);
    }
    reader
}

impl<'a> Reader<'a> {
    /// Something that is not modelled.
    pub fn note(&mut self, span: &Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.notes.push(Note { span: span.clone(), text, bears });
    }

    /// A command that no list of this platform has. Only its own words are told: what follows may be a secret.
    pub fn untold(&mut self, line: &Line<'_>) {
        let (first, second) = (line.word(0), line.word(1));
        let longer = ["ip", "ipv6"].iter().any(|k| first.eq_ignore_ascii_case(k));
        let what = if longer { format!("{first} {second}") } else { first.to_string() };
        let span = Span { end: line.place(usize::from(longer)).end, ..line.place(0) };
        self.note(&span, &what, false);
    }

    /// Remembers the words of a line, which may refer to something.
    fn mention(&mut self, line: &Line<'a>) {
        self.config.mentioned.extend(line.words.iter().map(|(_, word)| *word));
    }

    fn is_below(&self, line: &Line<'_>) -> bool {
        !matches!(self.section, Section::Top) && (line.indent > 0 || self.continues(line))
    }

    fn line(&mut self, line: &Line<'a>, below: bool) -> Result<(), Bad> {
        if below {
            return self.below(line);
        }
        self.section = Section::Top;
        self.command(line)
    }

    /// Whether a line that is not indented still belongs to its section, as in files that people typed.
    fn continues(&self, line: &Line<'_>) -> bool {
        let any = |list: &[&str]| list.iter().any(|k| line.is(0, k));
        match self.section {
            Section::List(..) => {
                any(&["permit", "deny", "remark", "evaluate", "sequence"])
                    || line.word(0).parse::<u32>().is_ok()
            }
            Section::Class(_) => any(&["match"]),
            Section::Policy(_) => any(&["inspect", "pass", "drop", "class"]),
            Section::Networks(_) | Section::Services(_) => any(&["host", "range", "group-object"]),
            Section::Pair(_) => any(&["service-policy"]),
            Section::Interface(_) => {
                any(&["zone-member", "description"])
                    || line.starts(&["ip", "access-group"])
                    || line.starts(&["ip", "address"])
                    || line.starts(&["ipv6", "traffic-filter"])
                    || line.is(0, "ip")
                        && line.is(1, "nat")
                        && line.words.len() == 3
                        && ["inside", "outside"].iter().any(|side| line.is(2, side))
            }
            _ => false,
        }
    }

    fn below(&mut self, line: &Line<'a>) -> Result<(), Bad> {
        if line.is(0, "description") || line.is(0, "remark") {
            return Ok(());
        }
        if !matches!(self.section, Section::List(..)) {
            self.mention(line);
        }
        let section = std::mem::replace(&mut self.section, Section::Top);
        let result = match &section {
            Section::Top | Section::Exempt => Ok(()),
            Section::Interface(name) => interface::line(self, name, line),
            Section::List(family, name) => self.item(*family, name, line),
            Section::Networks(name) => section::network(self, name, line),
            Section::Services(name) => section::service(self, name, line),
            Section::Class(name) => section::class(self, name, line),
            Section::Policy(name) => section::policy(self, name, line),
            Section::Shaping(name) => {
                if line.is(0, "police") || line.is(0, "drop") {
                    self.config.dropping.insert(name.clone());
                }
                Ok(())
            }
            Section::Pair(name) => section::pair(self, name, line),
            Section::RouteMap(name, number) => section::clause(self, name, *number, line),
            Section::Terminal(at) => section::terminal(self, *at, line),
            Section::Times(name) => section::times(self, name, line),
            Section::ControlPlane => section::control_plane(self, line),
        };
        self.section = section;
        result
    }

    /// A line of an access list.
    fn item(&mut self, family: Family, name: &str, line: &Line<'a>) -> Result<(), Bad> {
        let Some(standard) = self.config.lists.get(&(family, name.to_string())).map(|l| l.standard) else {
            return Ok(());
        };
        if line.is(0, "exit") || line.is(0, "end") {
            return Ok(());
        }
        let mut at = usize::from(line.is(0, "sequence"));
        let sequence = line.word(at).parse::<u32>().ok();
        at += usize::from(sequence.is_some());
        if line.is(at, "remark") {
            return Ok(());
        }
        if line.is(0, "no") {
            self.undo_item(family, name, line);
            return Ok(());
        }
        self.add(family, name, standard, sequence, line, at)
    }

    /// Adds what a line says from a word on to a list.
    fn add(
        &mut self,
        family: Family,
        name: &str,
        standard: bool,
        sequence: Option<u32>,
        line: &Line<'a>,
        at: usize,
    ) -> Result<(), Bad> {
        let (sequence, item) = if line.is(at, "evaluate") {
            if line.word(at + 1).is_empty() {
                return Err(bad(line, at + 1));
            }
            let behind = line.is(at + 2, "sequence").then(|| line.word(at + 3).parse().ok()).flatten();
            let named = Named { name: line.word(at + 1).to_string(), span: line.span.clone() };
            (sequence.or(behind), Item::Evaluate(named))
        } else {
            let found = entry(line, at, family, standard, &mut self.room)?;
            for (place, (_, word)) in line.words.iter().enumerate() {
                if place > 0 && ["object-group", "time-range"].iter().any(|k| line.is(place - 1, k)) {
                    self.config.mentioned.insert(word);
                }
            }
            (sequence.or(found.sequence), Item::Entry(Box::new(found)))
        };
        if let Some(list) = self.config.lists.get_mut(&(family, name.to_string())) {
            list.add(sequence, item);
        }
        Ok(())
    }

    fn undo_item(&mut self, family: Family, name: &str, line: &Line<'a>) {
        let number = line.word(1 + usize::from(line.is(1, "sequence"))).parse::<u32>();
        let undone = match (number, self.config.lists.get_mut(&(family, name.to_string()))) {
            (Ok(number), Some(list)) => {
                let before = list.items.len();
                list.items.retain(|(n, _)| *n != number);
                list.items.len() < before
            }
            _ => false,
        };
        if !undone && !line.is(1, "remark") {
            self.note(&line.span, "no", true);
        }
    }

    /// A command at the start of a line.
    fn command(&mut self, line: &Line<'a>) -> Result<(), Bad> {
        let (first, second) = (line.word(0), line.word(1));
        if is(first, "version") {
            self.whole = Some(line.span.clone());
        }
        let defines =
            ["access-list", "object-group", "class-map", "policy-map", "zone", "banner", "interface"];
        let defines = defines.iter().any(|k| is(first, k)) || is(second, "access-list");
        if !defines && !is(first, "no") {
            self.mention(line);
        }
        match () {
            () if is(first, "no") => self.undo(line),
            () if is(first, "interface") => interface::open(self, line),
            () if is(first, "access-list") => return self.numbered(line),
            () if line.starts(&["ip", "access-list"]) => return self.named(line),
            () if line.starts(&["ipv6", "access-list"]) => {
                let name = if is(line.word(2), "log-update") { "" } else { line.word(2) };
                self.open_list(Family::V6, name, false, line)?;
            }
            () if is(first, "object-group") => section::open_group(self, line),
            () if is(first, "class-map") => section::open_class(self, line),
            () if is(first, "policy-map") => section::open_policy(self, line),
            () if is(first, "zone") || is(first, "zone-pair") => section::open_zone(self, line),
            () if is(first, "route-map") => section::open_clause(self, line),
            () if is(first, "time-range") => section::open_times(self, line),
            () if is(first, "line") => section::open_terminal(self, line),
            () if is(first, "control-plane") => self.section = Section::ControlPlane,
            () if line.starts(&["ip", "nat"]) => return nat::command(self, line),
            () if is(first, "vlan") && is(second, "filter") => section::vlan_filter(self, line),
            () if is(first, "ip") && is(second, "inspect") => section::inspection(self, line),
            () if is(first, "ip") && is(second, "port-map") => section::port_map(self, line),
            () if is(first, "ip") && is(second, "http") => section::web(self, line),
            () if is(first, "snmp-server") => section::snmp(self, line),
            () if is(first, "ipv6") && is(second, "unicast-routing") => self.forwards6 = true,
            () if self.rest(line) => self.section = Section::Exempt,
            () => {
                self.untold(line);
                self.section = Section::Exempt;
            }
        }
        Ok(())
    }

    /// What needs no reading; and what is not read, but may decide.
    fn rest(&mut self, line: &Line<'a>) -> bool {
        let (first, second) = (line.word(0), line.word(1));
        if ["nat64", "nat66", "utd"].iter().any(|k| first.eq_ignore_ascii_case(k)) {
            self.note(&line.place(0), first, true);
            let text = Text::new("not-modelled-statement").arg("what", first);
            self.config.open.push((line.place(0), text));
            return true;
        }
        // Only defined here; what an interface has of them is a bound there.
        let defined = ["inspect", "admission", "auth-proxy", "ips"].iter().any(|k| is(second, k));
        if defined && (is(first, "ip") || is(first, "ipv6")) {
            return true;
        }
        if is(first, "ntp") && is(second, "access-group") {
            let number = line.after(2).iter().map(|(_, w)| *w).find(|w| w.parse::<u16>().is_ok());
            let span = line.span.clone();
            let what = format!("ntp access-group {}", number.unwrap_or_default());
            let limited = Limited { span, family: Family::V4, protocol: 17, ports: vec![123], what };
            self.config.limited.push(limited);
            return true;
        }
        is(first, "vlan")
            || is(first, "parameter-map")
            || is(first, "vrf")
            || is(first, "bridge")
            || is(first, "mac")
            || exempt::command(first, second)
    }

    fn open_list(&mut self, family: Family, name: &str, standard: bool, line: &Line<'a>) -> Result<(), Bad> {
        if name.is_empty() {
            self.section = Section::Exempt;
            return Ok(());
        }
        let key = (family, name.to_string());
        self.config.lists.entry(key).or_insert_with(|| List::new(&line.span, standard));
        self.section = Section::List(family, name.to_string());
        Ok(())
    }

    /// `ip access-list …`
    fn named(&mut self, line: &Line<'a>) -> Result<(), Bad> {
        let standard = line.is(2, "standard");
        if !standard && !line.is(2, "extended") {
            let kinds = ["logging", "log-update", "resequence", "persistent", "helper"];
            if line.is(2, "match-local-traffic") || line.is(2, "role-based") {
                self.note(&line.span, line.word(2), true);
            } else if !kinds.iter().any(|k| line.is(2, k)) {
                return Err(bad(line, 2));
            }
            self.section = Section::Exempt;
            return Ok(());
        }
        if line.word(3).is_empty() {
            return Err(bad(line, 3));
        }
        self.open_list(Family::V4, line.word(3), standard, line)
    }

    /// `access-list N …`
    fn numbered(&mut self, line: &Line<'a>) -> Result<(), Bad> {
        let number = line.word(1);
        let standard = match number.parse::<u16>() {
            Ok(1..=99 | 1300..=1999) => true,
            Ok(100..=199 | 2000..=2699) => false,
            // Lists of other protocols, and of MAC addresses.
            Ok(_) => return Ok(()),
            Err(_) if ["compiled", "dynamic-extended", "log-update"].iter().any(|k| line.is(1, k)) => {
                return Ok(());
            }
            Err(_) => return Err(bad(line, 1)),
        };
        let key = (Family::V4, number.to_string());
        self.config.lists.entry(key).or_insert_with(|| List::new(&line.span, standard));
        let mut at = 2;
        if line.is(2, "remark") {
            return Ok(());
        }
        if line.is(2, "dynamic") {
            at = if line.is(4, "timeout") { 6 } else { 4 };
        }
        self.add(Family::V4, number, standard, None, line, at)?;
        // Lock-and-key: in force for those who have logged in.
        if line.is(2, "dynamic")
            && let Some(list) = self.config.lists.get_mut(&(Family::V4, number.to_string()))
            && let Some((_, Item::Entry(entry))) = list.items.last_mut()
        {
            entry.doubts.push(Text::new("not-modelled-match").arg("what", "dynamic"));
        }
        Ok(())
    }

    /// `no …`
    fn undo(&mut self, line: &Line<'a>) {
        self.section = Section::Exempt;
        let words: Vec<&str> = line.after(1).iter().map(|(_, w)| *w).collect();
        let is_at = |at: usize, keyword: &str| words.get(at).is_some_and(|w| is(w, keyword));
        let last = words.last().copied().unwrap_or_default().to_string();
        let config = &mut self.config;
        if is_at(0, "access-list") || is_at(0, "ip") && is_at(1, "access-list") {
            let name = if is_at(0, "ip") { last } else { words.get(1).unwrap_or(&"").to_string() };
            config.lists.remove(&(Family::V4, name));
        } else if is_at(0, "ipv6") && is_at(1, "access-list") {
            config.lists.remove(&(Family::V6, last));
        } else if is_at(0, "object-group") {
            config.networks.remove(&last);
            config.services.remove(&last);
        } else if is_at(0, "class-map") {
            config.classes.remove(&last);
        } else if is_at(0, "policy-map") {
            config.policies.remove(&last);
        } else if is_at(0, "zone-pair") {
            config.pairs.remove(words.get(2).copied().unwrap_or_default());
        } else if is_at(0, "zone") {
            config.zones.remove(&last);
        } else if is_at(0, "interface") {
            config.interfaces.remove(&interface::name(line, 2).0);
        } else if is_at(0, "route-map") {
            config.route_maps.remove(words.get(1).copied().unwrap_or_default());
        } else if is_at(0, "ip") && is_at(1, "nat") {
            // The rule that says the same.
            if let Some(place) = self.said.remove(&words.join(" ")) {
                config.nat.remove(&place);
            }
            if is_at(2, "pool") {
                config.pools.remove(words.get(3).copied().unwrap_or_default());
            }
        } else if is_at(0, "ip") && is_at(1, "routing") {
            config.unrouted.insert(Family::V4, line.span.clone());
        }
    }

    /// The lines that follow belong to this section.
    pub fn enter(&mut self, section: Section) {
        self.section = section;
    }

    /// Adds a translation.
    pub fn translate(&mut self, line: &Line<'_>, kind: NatKind) {
        let words: Vec<&str> = line.words.iter().map(|(_, w)| *w).collect();
        let place = self.config.nat.last_key_value().map_or(0, |(last, _)| last + 1);
        self.config.nat.insert(place, Nat { span: line.span.clone(), kind });
        self.said.insert(words.join(" "), place);
    }

    /// A service of the router that speaks in clear.
    pub fn cleartext(&mut self, span: Span, service: &str) {
        self.facts.push(Fact { span, what: What::CleartextManagement(service.to_string()) });
    }
}
