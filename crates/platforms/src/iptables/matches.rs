//! The options of matches, each narrowing the rule (iptables(8), iptables-extensions(8)).

use super::ipset::Content;
use super::lex::{Line, Word};
use super::numbers::{Address, addresses, icmp, port_list, ports, span, tcp_flags};
use super::rule::{Bad, Context, bad};
use crate::names::protocol;
use tillgate_model::{Date, Family, Ranges, State, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{InterfaceMatch, Match, NameSet, Part, Special, Term};

/// Modules whose options are read one by one below; a mention of any other leaves the rule in doubt.
const READ: &[&str] = &[
    "tcp",
    "udp",
    "udplite",
    "sctp",
    "dccp",
    "icmp",
    "icmp6",
    "icmpv6",
    "multiport",
    "mport",
    "iprange",
    "conntrack",
    "state",
    "set",
    "addrtype",
    "pkttype",
    "comment",
    "rpfilter",
    "physdev",
];

/// Options of those modules that say what no packet shows.
const OPEN: &[&str] = &[
    "--ctorigsrc",
    "--ctorigdst",
    "--ctorigsrcport",
    "--ctorigdstport",
    "--ctstatus",
    "--ctexpire",
    "--ctdir",
    "--tcp-option",
    "--limit-iface-in",
    "--limit-iface-out",
    "--chunk-types",
    "--dccp-types",
    "--dccp-option",
    "--packets-eq",
    "--packets-lt",
    "--packets-gt",
    "--bytes-eq",
    "--bytes-lt",
    "--bytes-gt",
    "--return-nomatch",
    "--mh-type",
];

/// The words of a rule, and what they have made of its match so far.
pub struct Matches<'a> {
    pub context: &'a Context<'a>,
    line: &'a Line,
    pub at: usize,
    /// Name of the target, for messages.
    pub target: String,
    when: Match,
    /// `-m rpfilter` was seen; its options follow it.
    reverse: Option<bool>,
    /// The last day on which it may match (`-m time --datestop`).
    pub until: Option<Date>,
    /// The module named last is not known; its options are not those of others that are called the same.
    strange: bool,
}

impl<'a> Matches<'a> {
    pub fn new(context: &'a Context<'a>, line: &'a Line, at: usize, when: Match) -> Self {
        Matches { context, line, at, target: String::new(), when, reverse: None, until: None, strange: false }
    }

    pub fn done(&self) -> bool {
        self.at >= self.line.words.len()
    }

    /// The current word as a keyword.
    pub fn peek(&self) -> &'a str {
        self.line.keyword(self.at)
    }

    pub fn next(&mut self) -> &'a str {
        self.at += 1;
        self.line.text(self.at - 1)
    }

    pub fn rest(&self) -> &'a [Word] {
        &self.line.words[self.at.min(self.line.words.len())..]
    }

    /// The value of an option, which must be there.
    pub fn value(&mut self) -> Result<&'a str, Bad> {
        match self.done() {
            true => Err((self.at, Text::new("expected-value"))),
            false => Ok(self.next()),
        }
    }

    /// Moves past options with one value each.
    pub fn skip_options(&mut self, options: &[&str]) {
        while options.contains(&self.peek()) {
            self.at += 2;
        }
    }

    /// Moves past everything up to the next match: the options of a target.
    pub fn skip_all(&mut self) {
        while !self.done()
            && !is_short(self.peek())
            && !matches!(self.peek(), "--match" | "--jump" | "--goto")
        {
            self.at += 1;
        }
    }

    /// The match as read.
    pub fn finish(&mut self) -> Match {
        if let Some(invert) = self.reverse.take() {
            // Without --invert the packets with a good way back match.
            self.when.terms.push(Term::Special(vec![Special::ReversePathFails], !invert));
        }
        std::mem::take(&mut self.when)
    }

    fn doubt(&mut self, what: &str) {
        let text = Text::new("not-modelled-match").arg("what", what);
        if !self.when.doubts.contains(&text) {
            self.when.doubts.push(text);
        }
    }

    fn narrow(&mut self, field: Field, ranges: &Ranges, max: u128, negate: bool) {
        match negate {
            true => self.when.narrow(field, &ranges.complement(max)),
            false => self.when.narrow(field, ranges),
        }
    }

    /// Reads one option.
    pub fn option(&mut self) -> Result<(), Bad> {
        let mut negate = self.peek() == "!";
        self.at += usize::from(negate);
        let start = self.at;
        let option = self.value()?;
        // Old files negate behind the option: `--dport ! 22`. Before another option it belongs to that one.
        if self.peek() == "!" && !self.line.text(self.at + 1).starts_with('-') {
            negate = true;
            self.at += 1;
        }
        let family = self.context.family;
        let fits = |value: Option<Ranges>, at: usize, text: &str| value.ok_or_else(|| (at, bad(text)));
        if self.strange && option.starts_with("--") {
            if option == "--datestop" {
                self.until = until(self.line.text(self.at));
            }
            self.values();
            return Ok(());
        }
        match option {
            "-4" | "-6" | "--ipv4" | "--ipv6" | "-w" | "--wait" => {}
            "-c" | "--set-counters" => self.at += 2,
            "-m" | "--match" => {
                let (at, module) = (self.at, self.value()?);
                if module.starts_with('-') {
                    return Err((at, bad(module)));
                }
                self.strange = !READ.contains(&module);
                if module == "rpfilter" {
                    self.reverse = Some(false);
                } else if module == "recent" && self.records() {
                    while !self.done() && !is_short(self.peek()) {
                        self.at += 1;
                    }
                } else if self.strange {
                    self.doubt(module);
                }
            }
            "-p" | "--protocol" | "--proto" => {
                let (at, text) = (self.at, self.value()?);
                match text.to_ascii_lowercase().as_str() {
                    "all" | "0" => {}
                    "icmpv6" | "ipv6-icmp" => self.narrow(Field::Protocol, &Ranges::single(58), 255, negate),
                    name => {
                        let protocol = protocol(name).ok_or_else(|| (at, bad(text)))?;
                        self.narrow(Field::Protocol, &Ranges::single(protocol.0.into()), 255, negate);
                    }
                }
            }
            "-s" | "--source" | "--src" | "-d" | "--destination" | "--dst" => {
                let source = matches!(option, "-s" | "--source" | "--src");
                let field = if source { Field::Source } else { Field::Destination };
                let (at, text) = (self.at, self.value()?);
                match addresses(family, text) {
                    None => return Err((at, bad(text))),
                    Some(Address::Open) => self.doubt(text),
                    Some(Address::Ranges(ranges)) => {
                        self.narrow(field, &ranges, family.max_address(), negate)
                    }
                }
            }
            "-i" | "--in-interface" | "-o" | "--out-interface" => {
                let text = self.value()?;
                let pattern = match text.strip_suffix('+') {
                    Some(prefix) => format!("{prefix}*"),
                    None => text.to_string(),
                };
                let condition = InterfaceMatch { patterns: vec![pattern], negate };
                match option {
                    "-i" | "--in-interface" => self.when.input.push(condition),
                    _ => self.when.output.push(condition),
                }
            }
            // Connection tracking puts fragments together again, so that there are none behind it.
            "-f" | "--fragment" => self.when.never |= !negate,
            "--sport" | "--source-port" | "--dport" | "--destination-port" => {
                let source = option.starts_with("--s");
                let (at, text) = (self.at, self.value()?);
                let ranges = fits(ports(text), at, text)?;
                let field = if source { Field::SourcePort } else { Field::DestinationPort };
                self.narrow(field, &ranges, 65535, negate);
            }
            "--sports" | "--source-ports" | "--dports" | "--destination-ports" | "--ports" => {
                let (at, text) = (self.at, self.value()?);
                let ranges = fits(port_list(text), at, text)?;
                match option {
                    "--sports" | "--source-ports" => self.narrow(Field::SourcePort, &ranges, 65535, negate),
                    "--ports" => {
                        let fields = [Field::SourcePort, Field::DestinationPort];
                        let cubes = fields.map(|field| Cube::all().with(field, &ranges));
                        let parts = cubes.into_iter().flatten().map(|cube| Part { cube, ..Part::default() });
                        self.when.terms.push(Term::Any { parts: parts.collect(), negate });
                    }
                    _ => self.narrow(Field::DestinationPort, &ranges, 65535, negate),
                }
            }
            "--tcp-flags" => {
                let (at, mask) = (self.at, self.value()?);
                let want = self.value()?;
                let (Some(mask), Some(want)) = (tcp_flags(mask), tcp_flags(want)) else {
                    return Err((at, bad(mask)));
                };
                self.flags(mask, want, negate);
            }
            "--syn" => self.flags(0x17, 0x02, negate),
            "--icmp-type" | "--icmpv6-type" => {
                let (at, text) = (self.at, self.value()?);
                let (kind, code) = icmp(family, text).ok_or_else(|| (at, bad(text)))?;
                let part = Cube::all().with(Field::SourcePort, &kind).and_then(|c| {
                    if code == Ranges::full(255) { Some(c) } else { c.with(Field::DestinationPort, &code) }
                });
                match (part, negate) {
                    (Some(cube), false) => {
                        for (field, ranges) in cube.constraints() {
                            self.when.narrow(*field, ranges);
                        }
                    }
                    (Some(cube), true) => {
                        let parts = vec![Part { cube, ..Part::default() }];
                        self.when.terms.push(Term::Any { parts, negate });
                    }
                    (None, _) => return Err((at, bad(text))),
                }
            }
            "--src-range" | "--dst-range" => {
                let (at, text) = (self.at, self.value()?);
                let ranges = fits(span(family, text), at, text)?;
                let field = if option == "--src-range" { Field::Source } else { Field::Destination };
                self.narrow(field, &ranges, family.max_address(), negate);
            }
            "--state" | "--ctstate" => self.states(negate)?,
            "--ctproto" => {
                let (at, text) = (self.at, self.value()?);
                let protocol = protocol(text).ok_or_else(|| (at, bad(text)))?;
                self.narrow(Field::Protocol, &Ranges::single(protocol.0.into()), 255, negate);
            }
            "--match-set" => self.set(negate)?,
            // How the kernel keeps count of set matches; packets match all the same.
            "--update-counters" | "--update-subcounters" => {}
            "--src-type" | "--dst-type" => self.address_type(option == "--src-type", negate)?,
            "--pkt-type" => {
                let text = self.value()?;
                let (broadcast, multicast) = (Special::DestinationBroadcast, Special::DestinationMulticast);
                match text {
                    "broadcast" => self.when.terms.push(Term::Special(vec![broadcast], negate)),
                    "multicast" => self.when.terms.push(Term::Special(vec![multicast], negate)),
                    "unicast" | "host" => {
                        self.when.terms.push(Term::Special(vec![broadcast, multicast], !negate))
                    }
                    _ => self.doubt(text),
                }
            }
            "--comment" => {
                self.value()?;
            }
            "--invert" if self.reverse.is_some() => self.reverse = Some(true),
            "--accept-local" | "--validmark" if self.reverse.is_some() => {}
            "--loose" if self.reverse.is_some() => self.doubt(option),
            _ if OPEN.contains(&option)
                || option.starts_with("--physdev-")
                || option.starts_with("--ctrepl") =>
            {
                self.doubt(option);
                while !self.done()
                    && self.peek() != "!"
                    && !self.peek().starts_with("--")
                    && !is_short(self.peek())
                {
                    self.at += 1;
                }
            }
            _ => return Err((start, Text::new("unknown-word").arg("word", option))),
        }
        Ok(())
    }

    /// Moves past the values of an option that is not known.
    fn values(&mut self) {
        while !self.done() && self.peek() != "!" && !self.peek().starts_with("--") && !is_short(self.peek()) {
            self.at += 1;
        }
    }

    /// `-m recent` that only remembers: it says yes to every packet.
    fn records(&self) -> bool {
        let mut own = self.rest().iter().map(|w| w.text.as_str()).take_while(|w| !is_short(w));
        let all: Vec<&str> = own.by_ref().collect();
        all.contains(&"--set")
            && !all
                .iter()
                .any(|w| matches!(*w, "!" | "--rcheck" | "--update" | "--remove" | "--reap" | "--rttl"))
    }

    fn flags(&mut self, mask: u128, want: u128, negate: bool) {
        let fits = |f: &u128| (f & mask == want) != negate;
        let ranges: Ranges = (0..=255).filter(fits).map(|f| (f, f)).collect();
        self.when.narrow(Field::TcpFlags, &ranges);
        self.when.narrow(Field::Protocol, &Ranges::single(6));
    }

    /// States, and beside them whether the addresses were translated.
    fn states(&mut self, negate: bool) -> Result<(), Bad> {
        let (at, text) = (self.at, self.value()?);
        let (mut states, mut translated, mut source) = (Vec::new(), false, false);
        for word in text.split(',') {
            match (State::parse(&word.to_ascii_lowercase()), word) {
                (Some(state), _) => states.push((state as u128, state as u128)),
                (None, "DNAT") => translated = true,
                (None, "SNAT") => source = true,
                _ => return Err((at, bad(word))),
            }
        }
        let states = Ranges::from_unsorted(states);
        if source {
            // Any of the list will do, and whether this one does is not known.
            self.doubt("SNAT");
            if negate && !states.is_empty() {
                self.narrow(Field::State, &states, 4, true);
            }
            return Ok(());
        }
        if !translated {
            self.narrow(Field::State, &states, 4, negate);
            return Ok(());
        }
        let cubes = [
            Cube::all().with(Field::State, &states),
            Cube::all().with(Field::Translated, &translated_at_all()),
        ];
        let parts = cubes.into_iter().flatten().map(|cube| Part { cube, ..Part::default() }).collect();
        self.when.terms.push(Term::Any { parts, negate });
        Ok(())
    }

    fn set(&mut self, negate: bool) -> Result<(), Bad> {
        let name = self.value()?;
        let (at, text) = (self.at, self.value()?);
        let directions: Option<Vec<bool>> = text
            .split(',')
            .map(|word| match word {
                "src" => Some(true),
                "dst" => Some(false),
                _ => None,
            })
            .collect();
        let directions = directions.ok_or_else(|| (at, bad(text)))?;
        // With it, the exceptions of a set are what matches.
        let own = self.rest().iter().take_while(|w| w.quoted || !is_short(&w.text));
        if own.into_iter().any(|w| w.text == "--return-nomatch") {
            self.when.doubts.push(Text::new("not-modelled-set").arg("set", name));
            return Ok(());
        }
        match (self.context.sets.content(name, &directions, self.context.family), negate) {
            (Content::Field(field, ranges), _) => {
                self.narrow(field, &ranges, self.context.family.max_address(), negate);
            }
            (Content::Parts(parts), _) => self.when.terms.push(Term::Any { parts, negate }),
            (Content::Names(names), false) => self.when.terms.push(Term::Names(NameSet::zones(&names))),
            _ => self.when.doubts.push(Text::new("not-modelled-set").arg("set", name)),
        }
        Ok(())
    }

    fn address_type(&mut self, source: bool, negate: bool) -> Result<(), Bad> {
        let text = self.value()?;
        let mut any = Vec::new();
        for word in text.split(',') {
            match word.to_ascii_uppercase().as_str() {
                "LOCAL" if !source => any.push(Special::DestinationLocal),
                "BROADCAST" if !source => any.push(Special::DestinationBroadcast),
                "MULTICAST" if !source => any.push(Special::DestinationMulticast),
                _ => {
                    self.doubt(text);
                    return Ok(());
                }
            }
        }
        // The kernel's routing knows no broadcast in IPv6.
        if self.context.family == Family::V6 {
            any.retain(|s| *s != Special::DestinationBroadcast);
        }
        self.when.terms.push(Term::Special(any, negate));
        Ok(())
    }
}

/// `2026-12-31`, `2026-12-31T17:00:00`; the end of time as the kernel counts it, which listings print, is none.
fn until(text: &str) -> Option<Date> {
    let date: Date = text.split('T').next()?.parse().ok()?;
    (text != "2038-01-19T03:14:07").then_some(date)
}

/// The tags of every translation.
fn translated_at_all() -> Ranges {
    Ranges::span(1, Field::Translated.maximum())
}

/// A short option, as against a negative number.
fn is_short(word: &str) -> bool {
    matches!(word, "-p" | "-s" | "-d" | "-i" | "-o" | "-f" | "-m" | "-j" | "-g" | "-c" | "-4" | "-6" | "-w")
}
