//! The commands of a configuration, section by section.

use super::config::*;
use super::entry::{Bad, bad, entry};
use super::exempt;
use super::lines::{self, Line, is};
use super::placing;
use super::{interface, nat, policing, section, undo};
use std::collections::HashMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, Family, SourceFile, Span, Text};
use tillgate_ruleset::{Fact, Note, What};

/// Where the lines being read belong.
pub enum Section {
    /// No section is open.
    Top,
    /// One without bearing on packets.
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
    /// How far the line that opened the section is indented; and whether one below it is so deeper.
    head: usize,
    indented: bool,
    /// The line being read stands no deeper than that one.
    pub flat: bool,
    /// The section has no bearing, and is one that always has lines below it.
    block: bool,
    /// It is such a section, none of its lines indented, that stands before the command being read.
    typed: bool,
    /// Entries that may still be held against one that is taken back.
    pub compared: usize,
    /// Address blocks that wildcard masks may still take up.
    room: usize,
    /// Translations by what their lines say.
    pub said: HashMap<String, usize>,
    /// Where the file shows that it is a whole configuration, which says everything that is on.
    whole: Option<Span>,
    pub forwards6: bool,
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
        head: 0,
        indented: false,
        flat: true,
        block: false,
        typed: false,
        compared: 1_000_000,
        room: 65_536 + size / 2,
        said: HashMap::new(),
        whole: None,
        forwards6: false,
    };
    for file in files {
        (reader.section, reader.head, reader.indented) = (Section::Top, 0, false);
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
        reader.config.unrouted.entry(Family::V6).or_insert(span);
    }
    reader
}

/// The words of a command that may be told, from one on, with their place.
pub fn told(line: &Line<'_>, at: usize) -> (Span, String) {
    let (first, second) = (line.word(at), line.word(at + 1));
    let longer = ["ip", "ipv6"].iter().any(|k| first.eq_ignore_ascii_case(k)) && !second.is_empty();
    let what = if longer { format!("{first} {second}") } else { first.to_string() };
    (Span { end: line.place(at + usize::from(longer)).end, ..line.place(at) }, what)
}

impl<'a> Reader<'a> {
    /// Something that is not modelled.
    pub fn note(&mut self, span: &Span, what: &str, bears: bool) {
        let text = Text::new("not-modelled-statement").arg("what", what);
        self.notes.push(Note { span: span.clone(), text, bears });
    }

    /// A command that no list of this platform has. Only its own words are told: what follows may be a secret.
    pub fn untold(&mut self, line: &Line<'_>) {
        let (span, what) = told(line, 0);
        self.bear(span, &what);
    }

    /// Something that is not modelled and may decide about any packet.
    pub fn bear(&mut self, span: Span, what: &str) {
        self.config.open.push((span, Text::new("not-modelled-statement").arg("what", what)));
    }

    /// Remembers the words of a line, which may refer to something.
    fn mention(&mut self, line: &Line<'a>) {
        self.config.mentioned.extend(line.words.iter().map(|(_, word)| *word));
    }

    /// Whether a line belongs to the section above it: it stands deeper than the line that opened it, or says what only
    /// stands there. A text may be indented as a whole.
    fn is_below(&mut self, line: &Line<'_>) -> bool {
        self.flat = line.indent <= self.head;
        if matches!(self.section, Section::Top) || placing::opens(line) {
            return false;
        }
        if self.flat {
            return placing::continues(&self.section, line, self.indented);
        }
        self.indented = true;
        true
    }

    fn line(&mut self, line: &Line<'a>, below: bool) -> Result<(), Bad> {
        if below {
            return self.below(line);
        }
        // What follows a section that is typed without indent may be of it.
        self.typed = self.block && matches!(self.section, Section::Exempt) && !self.indented;
        self.block = placing::block(line);
        (self.section, self.head, self.indented) = (Section::Top, line.indent, false);
        self.command(line)
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
            Section::Class(name) => policing::class(self, name, line),
            Section::Policy(name) => policing::policy(self, name, line),
            Section::Shaping(name) => {
                if line.is(0, "police") || line.is(0, "drop") {
                    self.config.dropping.insert(name.clone());
                }
                Ok(())
            }
            Section::Pair(name) => policing::pair(self, name, line),
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
            undo::item(self, family, name, line);
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
            () if is(first, "no") => undo::command(self, line),
            // A word of its own: no other starts so.
            () if first.eq_ignore_ascii_case("default") => undo::default(self, line),
            () if is(first, "interface") => interface::open(self, line),
            () if is(first, "access-list") => return self.numbered(line),
            () if line.starts(&["ip", "access-list"]) => return self.named(line),
            () if line.starts(&["ipv6", "access-list"]) => {
                let name = if is(line.word(2), "log-update") { "" } else { line.word(2) };
                self.open_list(Family::V6, name, false, line)?;
            }
            () if is(first, "object-group") => section::open_group(self, line),
            () if is(first, "class-map") => policing::open_class(self, line),
            () if is(first, "policy-map") => policing::open_policy(self, line),
            () if is(first, "zone") || is(first, "zone-pair") => policing::open_zone(self, line),
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
            () if is(first, "ipv6") && is(second, "unicast-routing") => {
                self.forwards6 = true;
                self.config.unrouted.remove(&Family::V6);
            }
            () if line.starts(&["ip", "routing"]) => {
                self.config.unrouted.remove(&Family::V4);
            }
            () if is(first, "ip") && second.eq_ignore_ascii_case("slb") => {
                // Packets to a virtual server go to one of the real ones.
                self.note(&line.place(1), "ip slb", true);
                self.config.balanced.get_or_insert(line.place(1));
                self.section = Section::Exempt;
            }
            () if line.starts(&["ip", "tcp", "intercept"]) => {
                self.bear(line.span.clone(), "ip tcp intercept")
            }
            () if line.starts(&["cts", "role-based", "enforcement"]) => {
                self.bear(line.span.clone(), "cts role-based enforcement");
            }
            () if self.rest(line) => {
                if !exempt::alone(first, second) {
                    self.section = Section::Exempt;
                }
            }
            () if self.typed => {
                let place = line.place(0);
                self.note(&place, first, false);
                (self.section, self.block) = (Section::Exempt, true);
            }
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
            self.bear(line.place(0), first);
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
                self.bear(line.span.clone(), line.word(2));
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

    /// The lines that follow belong to this section.
    pub fn enter(&mut self, section: Section) {
        self.section = section;
    }

    /// Adds a translation.
    pub fn translate(&mut self, line: &Line<'_>, kind: NatKind) {
        let next = self.config.nat.last_key_value().map_or(0, |(last, _)| last + 1);
        // One that is said once more stays where it is.
        let place = *self.said.entry(undo::said(&line.words)).or_insert(next);
        self.config.nat.insert(place, Nat { span: line.span.clone(), kind });
    }

    /// A service of the router that speaks in clear.
    pub fn cleartext(&mut self, span: Span, service: &str) {
        self.facts.push(Fact { span, what: What::CleartextManagement(service.to_string()) });
    }
}
