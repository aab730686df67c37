//! One rule as it is written: filter rules, translation rules, and the conditions of anchors (pf.conf(5), GRAMMAR).

use super::hosts::{Host, addresses, host, is_interface};
use super::lex::Kind;
use super::names::{OPENING, icmp_code, icmp_type, port, tcp_flags};
use super::targets::{Rewrite, Translate, pool, target, translate};
use super::words::{Bad, Words};
use crate::names;
use std::sync::Arc;
use tillgate_model::{Family, Protocol, Ranges, Span, Text};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `pass`
    Pass,
    /// `block`
    Block,
    /// `match`, and the conditions of anchors
    Match,
    /// Not known: rules that something else fills in, or ways out of the rules.
    Open,
}

/// A rule before its lists are multiplied out.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The statement.
    pub span: Span,
    /// What it does.
    pub verb: Verb,
    /// Whether it sees packets coming in, and going out.
    pub ways: (bool, bool),
    /// Ends the search.
    pub quick: bool,
    /// Writes a log entry.
    pub log: bool,
    /// Interfaces or groups, and whether it is all others; empty for any.
    pub on: Vec<(String, bool)>,
    /// `received-on`
    pub received: Vec<(String, bool)>,
    /// `inet`, `inet6`
    pub family: Option<Family>,
    /// Protocols.
    pub protocols: Option<Ranges>,
    /// Sources; empty for any.
    pub from: Vec<Host>,
    /// Destinations; empty for any.
    pub to: Vec<Host>,
    /// Source ports.
    pub source_ports: Option<Ranges>,
    /// Destination ports.
    pub ports: Option<Ranges>,
    /// Types and codes of ICMP; empty for any.
    pub icmp: Vec<(u8, Option<u8>)>,
    /// The flags a TCP packet may have, if something is said about them.
    pub flags: Option<Arc<Ranges>>,
    /// `keep state` or `no state`, if said.
    pub state: Option<bool>,
    /// `if-bound` or `floating`, if said.
    pub bound: Option<bool>,
    /// What it writes on the packet.
    pub tag: Option<String>,
    /// What the packet must (`true`: must not) have been tagged with.
    pub tagged: Option<(String, bool)>,
    /// Why it may or may not match.
    pub doubts: Vec<Text>,
    /// Matches nothing here (`fragment`: packets are put together first).
    pub never: bool,
    /// `rdr-to`, `nat-to`, `binat-to`, or what stands behind `->`.
    pub translations: Vec<Translate>,
    /// Tables that limits on its states add to.
    pub overload: Vec<String>,
    /// It comes of `antispoof`.
    pub forged: bool,
}

impl Raw {
    /// A rule that matches everything.
    pub fn new(span: Span, verb: Verb) -> Raw {
        Raw {
            span,
            verb,
            ways: (true, true),
            quick: false,
            log: false,
            on: Vec::new(),
            received: Vec::new(),
            family: None,
            protocols: None,
            from: Vec::new(),
            to: Vec::new(),
            source_ports: None,
            ports: None,
            icmp: Vec::new(),
            flags: None,
            state: None,
            bound: None,
            tag: None,
            tagged: None,
            doubts: Vec::new(),
            never: false,
            translations: Vec::new(),
            overload: Vec::new(),
            forged: false,
        }
    }

    fn doubt(&mut self, what: &str) {
        let text = Text::new("not-modelled-match").arg("what", what);
        if !self.doubts.contains(&text) {
            self.doubts.push(text);
        }
    }

    /// A way out of the rules: what becomes of the packet is not known.
    fn leaves(&mut self, what: &str) {
        self.doubt(what);
        if self.verb == Verb::Pass {
            self.verb = Verb::Open;
        }
    }

    /// Reads everything behind the action, up to the end of the statement. `arrow`: what a translation rule (`nat`,
    /// `rdr`, `binat`) does stands behind `->`.
    pub fn read(&mut self, words: &mut Words<'_>, arrow: Option<Rewrite>) -> Result<(), Bad> {
        while !words.done() {
            match (words.word(), arrow) {
                ("->", Some(what)) => {
                    words.skip();
                    let translate = translate(words, what)?;
                    self.translations.push(translate);
                }
                _ => self.part(words)?,
            }
        }
        let with_ports =
            |p: &Ranges| p.as_slice().iter().all(|(a, b)| (*a..=*b).all(|n| Protocol(n as u8).has_ports()));
        let needs = self.ports.is_some() || self.source_ports.is_some();
        if needs && !self.protocols.as_ref().is_some_and(with_ports) {
            return Err((self.span.clone(), Text::new("pf-port-without-protocol")));
        }
        Ok(())
    }

    /// Reads one part of it.
    pub fn part(&mut self, words: &mut Words<'_>) -> Result<(), Bad> {
        if words.eat("!") {
            match words.word() {
                "tagged" => {
                    words.skip();
                    self.tagged = Some((words.value()?.text.clone(), true));
                }
                "received-on" => {
                    words.skip();
                    self.received.push((words.value()?.text.clone(), true));
                }
                _ => return Err(words.wrong()),
            }
            return Ok(());
        }
        let here = words.clone();
        let word = words.word();
        if self.header(words, word)? || self.state_words(words, word)? || self.option(words, word)? {
            return Ok(());
        }
        Err(here.wrong())
    }

    /// Direction, interface, family, protocol and the two ends.
    fn header(&mut self, words: &mut Words<'_>, word: &str) -> Result<bool, Bad> {
        match word {
            "in" => self.ways = (true, false),
            "out" => self.ways = (false, true),
            "quick" => self.quick = true,
            "all" | "," => {}
            "inet" => self.family = Some(Family::V4),
            "inet6" => self.family = Some(Family::V6),
            "log" | "log-all" => {
                self.log = true;
                words.skip();
                if words.word() == "(" {
                    words.skip_brackets();
                }
                return Ok(true);
            }
            "on" => {
                words.skip();
                if words.eat("rdomain") {
                    self.doubt("rdomain");
                    words.value()?;
                } else {
                    let found = words.list(&mut interface)?;
                    self.on.extend(found);
                }
                return Ok(true);
            }
            "received-on" => {
                words.skip();
                let found = words.list(&mut interface)?;
                self.received.extend(found);
                return Ok(true);
            }
            "proto" => {
                words.skip();
                let list = words.list(&mut |words, out: &mut Vec<(u128, u128)>| {
                    let token = words.value()?;
                    let protocol = names::protocol(&token.text).ok_or_else(|| words.bad(token))?;
                    out.push((protocol.0.into(), protocol.0.into()));
                    Ok(())
                })?;
                self.protocols = Some(Ranges::from_unsorted(list));
                return Ok(true);
            }
            "from" | "to" => {
                words.skip();
                let (mut hosts, mut ports) = (Vec::new(), None);
                if !matches!(words.word(), "port" | "os" | "to" | "")
                    || words.peek().is_some_and(|t| t.kind == Kind::Quoted)
                {
                    hosts = words.list(&mut host)?;
                }
                if words.eat("port") {
                    ports = Some(self.port_list(words)?);
                }
                if words.eat("os") {
                    words.list(&mut |words, _: &mut Vec<()>| words.value().map(|_| ()))?;
                    self.doubt("os");
                }
                match word {
                    "from" => (self.from, self.source_ports) = (hosts, ports),
                    _ => (self.to, self.ports) = (hosts, ports),
                }
                return Ok(true);
            }
            _ => return Ok(false),
        }
        words.skip();
        Ok(true)
    }

    fn port_list(&mut self, words: &mut Words<'_>) -> Result<Ranges, Bad> {
        let mut unknown = None;
        let list = words.list(&mut |words, out: &mut Vec<(u128, u128)>| {
            let start = words.clone();
            match port(words)? {
                Some(ranges) => out.extend_from_slice(ranges.as_slice()),
                None => {
                    unknown = start.peek().map(|t| t.text.clone());
                    out.push((0, 65535));
                }
            }
            Ok(())
        })?;
        if let Some(name) = unknown {
            self.doubt(&name);
        }
        Ok(Ranges::from_unsorted(list))
    }

    fn state_words(&mut self, words: &mut Words<'_>, word: &str) -> Result<bool, Bad> {
        match word {
            "keep" | "modulate" | "synproxy" | "no" if words.syntax(1) == "state" => {
                self.state = Some(word != "no");
                words.skip();
                words.skip();
                if words.eat("(") {
                    self.state_options(words)?;
                }
            }
            "state" | "source" if words.syntax(1) == "limiter" => {
                words.skip();
                words.skip();
                words.value()?;
                if words.word() == "(" {
                    words.skip_brackets();
                }
                self.leaves("limiter");
            }
            "flags" => {
                words.skip();
                self.flags = Some(flags(words)?);
            }
            "icmp-type" | "icmp6-type" => {
                let family = if word == "icmp-type" { Family::V4 } else { Family::V6 };
                words.skip();
                self.family = self.family.or(Some(family));
                self.icmp = words.list(&mut |words, out| {
                    let token = words.value()?;
                    let kind = icmp_type(family, &token.text).ok_or_else(|| words.bad(token))?;
                    let mut code = None;
                    if words.eat("code") {
                        let token = words.value()?;
                        code = Some(icmp_code(family, kind, &token.text).ok_or_else(|| words.bad(token))?);
                    }
                    out.push((kind, code));
                    Ok(())
                })?;
            }
            "tag" => {
                words.skip();
                self.tag = Some(words.value()?.text.clone());
            }
            "tagged" => {
                words.skip();
                self.tagged = Some((words.value()?.text.clone(), false));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What stands in the brackets behind `keep state`.
    pub fn state_options(&mut self, words: &mut Words<'_>) -> Result<(), Bad> {
        let mut depth = 1usize;
        while depth > 0 {
            let Some(token) = words.skip() else { return Err(words.wrong()) };
            match token.text.as_str() {
                "(" => depth += 1,
                ")" => depth -= 1,
                "if-bound" => self.bound = Some(true),
                "floating" => self.bound = Some(false),
                "overload" => {
                    words.expect("<")?;
                    self.overload.push(words.value()?.text.clone());
                    words.expect(">")?;
                }
                // When the limit is reached the packet is dropped.
                limit @ ("max" | "max-src-nodes" | "max-src-states" | "max-src-conn"
                | "max-src-conn-rate") => {
                    self.leaves(limit);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn option(&mut self, words: &mut Words<'_>, word: &str) -> Result<bool, Bad> {
        match word {
            "label" | "ridentifier" | "queue" | "dnpipe" | "dnqueue" | "scrub" | "min-ttl" | "max-mss"
            | "set-tos" => {
                words.skip();
                words.skip_value();
            }
            "allow-opts" | "divert-reply" | "no-df" | "random-id" | "no-sync" | "static-port" => {
                words.skip();
            }
            "set" => {
                words.skip();
                if words.word() != "(" {
                    words.skip();
                }
                words.skip_value();
            }
            "fragment" if words.syntax(1) == "reassemble" => {
                words.skip();
                words.skip();
            }
            "fragment" => {
                words.skip();
                self.never = true;
            }
            "once" => {
                words.skip();
                self.doubt(word);
            }
            "tos" | "prio" | "rtable" | "probability" => {
                words.skip();
                words.skip_value();
                self.doubt(word);
            }
            "max-pkt-rate" => {
                words.skip();
                words.value()?;
                words.expect("/")?;
                words.value()?;
                self.doubt(word);
            }
            "user" | "group" => {
                words.skip();
                words.list(&mut |words, _: &mut Vec<()>| {
                    while ["!", "=", "<", ">"].iter().any(|sign| words.eat(sign)) {}
                    words.value()?;
                    if words.eat("<>") || words.eat("><") {
                        words.value()?;
                    }
                    Ok(())
                })?;
                self.doubt(word);
            }
            "rdr-to" | "nat-to" | "binat-to" => {
                words.skip();
                let what = match word {
                    "rdr-to" => Rewrite::Rdr,
                    "nat-to" => Rewrite::Nat,
                    _ => Rewrite::Binat,
                };
                let translate = translate(words, what)?;
                self.translations.push(translate);
            }
            "route-to" | "reply-to" | "dup-to" => {
                words.skip();
                if words.eat("<") {
                    words.value()?;
                    words.expect(">")?;
                } else {
                    words.skip_value();
                    // `route-to 10.0.0.1/32@em0`
                    if words.eat("/") {
                        words.value()?;
                    }
                }
                pool(words)?;
                if word == "route-to" {
                    self.leaves(word);
                }
            }
            "fastroute" | "bridge-to" | "divert-to" | "divert-packet" | "af-to" => {
                words.skip();
                match word {
                    "divert-to" | "bridge-to" => words.skip_value(),
                    "af-to" => {
                        words.value()?;
                        for end in ["from", "to"] {
                            if words.eat(end) {
                                words.list(&mut target)?;
                            }
                        }
                    }
                    _ => {}
                }
                if words.eat("port") {
                    words.value()?;
                }
                self.leaves(word);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `antispoof for em1`: what has em1's addresses and comes from elsewhere, and what has the firewall's own.
pub fn antispoof(mut words: Words<'_>, span: &Span) -> Result<Vec<Raw>, Bad> {
    words.skip();
    let mut out = Vec::new();
    let mut rule = Raw::new(span.clone(), Verb::Block);
    rule.ways = (true, false);
    rule.forged = true;
    while !words.eat("for") {
        match words.word() {
            "log" => {
                rule.log = true;
                words.skip();
                if words.word() == "(" {
                    words.skip_brackets();
                }
            }
            "quick" => {
                rule.quick = true;
                words.skip();
            }
            _ => return Err(words.wrong()),
        }
    }
    let interfaces = words.list(&mut interface)?;
    while !words.done() {
        match words.word() {
            "inet" | "inet6" | "label" | "ridentifier" | "," => rule.part(&mut words)?,
            _ => return Err(words.wrong()),
        }
    }
    for (name, negate) in interfaces {
        let mut first = rule.clone();
        first.on = vec![(name.clone(), !negate)];
        if name == "lo" || name.strip_prefix("lo").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) {
            let loopback = [addresses("127.0.0.0", Some("8")), addresses("::1", None)];
            let hosts = loopback.into_iter().flatten().map(|(f, r)| Host::Addresses(f, r, false));
            first.from = hosts.collect();
            out.push(first);
            continue;
        }
        first.from = vec![Host::Network(name.clone(), false)];
        let mut own = rule.clone();
        own.from = vec![Host::Own(name, false)];
        out.push(first);
        out.push(own);
    }
    Ok(out)
}

/// `em0`, `! em0`, `any`.
pub fn interface(words: &mut Words<'_>, out: &mut Vec<(String, bool)>) -> Result<(), Bad> {
    let negate = words.eat("!");
    // `(em0)` where a rule names its interface in brackets.
    let brackets = words.eat("(");
    let token = words.value()?;
    if !is_interface(&token.text) {
        return Err(words.bad(token));
    }
    if brackets {
        words.expect(")")?;
    }
    out.push((token.text.clone(), negate));
    Ok(())
}

/// `S/SA`, `/SA`, `any`, as the bytes of flags that fit.
fn flags(words: &mut Words<'_>) -> Result<Arc<Ranges>, Bad> {
    if words.eat("any") {
        return Ok(Arc::new(Ranges::full(255)));
    }
    let byte = |words: &mut Words<'_>| -> Result<u8, Bad> {
        let token = words.value()?;
        let mut bits = token.text.chars().map(|c| "FSRPAUEW".find(c).map(|at| 1u8 << at));
        bits.try_fold(0, |all, bit| Some(all | bit?)).ok_or_else(|| words.bad(token))
    };
    let set = if words.word() == "/" { 0 } else { byte(words)? };
    words.expect("/")?;
    Ok(match (set, byte(words)?) {
        (0x02, 0x12) => OPENING.clone(),
        (set, mask) => Arc::new(tcp_flags(set, mask)),
    })
}
