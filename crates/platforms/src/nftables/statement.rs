//! Rules: matches and statements from left to right.

use super::expand::end_of_statement;
use super::lex::{Tok, Token};
use super::matches::{map_elements, narrow, part, selectors, short_mask};
use super::rule::{Context, Findings, family_of_table, span_of};
use super::select::{Selector, selector};
use super::values::Value;
use std::net::IpAddr;
use tillgate_model::{
    Diagnostic, Family, Protocol, Ranges, Span, Text, address_bits, parse_prefix, prefix_range,
};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, InterfaceMatch, Match, Note, Rule, Term, Translation};

/// Why a rule could not be read.
pub enum Trouble {
    /// The text is wrong.
    Bad(Span, Text),
    /// The text may be right, and is not modelled.
    NotModelled(Text),
}

/// A position in the tokens of a rule or a set.
pub struct Cursor<'a> {
    context: &'a Context<'a>,
    from: usize,
    words: Vec<&'a str>,
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(context: &'a Context<'a>, (from, to): (usize, usize)) -> Self {
        let to = to.min(context.tokens.len());
        let from = from.min(to);
        // A quoted string is never a sign or a keyword, whatever it says.
        let word = |t: &Token| if t.tok == Tok::Quoted { "\"" } else { context.files.text(t) };
        let words = context.tokens[from..to].iter().map(word).collect();
        Cursor { context, from, words, at: 0 }
    }

    pub fn peek(&self) -> &'a str {
        self.words.get(self.at).copied().unwrap_or("")
    }

    pub fn ahead(&self, n: usize) -> &'a str {
        self.words.get(self.at + n).copied().unwrap_or("")
    }

    /// The text of the current token, quoted or not; moves past it.
    pub fn next(&mut self) -> &'a str {
        let inside = self.at < self.words.len();
        let token = self.context.tokens.get(self.from + self.at).filter(|_| inside);
        self.at += 1;
        token.map_or("", |t| self.context.files.text(t))
    }

    /// The current sign or keyword; moves past it.
    fn take(&mut self) -> &'a str {
        let word = self.peek();
        self.at += 1;
        word
    }

    pub fn done(&self) -> bool {
        self.at >= self.words.len()
    }

    pub fn rest(&self) -> &[&'a str] {
        &self.words[self.at.min(self.words.len())..]
    }

    /// The index of the current token in the whole configuration.
    pub fn position(&self) -> usize {
        self.from + self.at
    }

    pub fn skip_newlines(&mut self) {
        while self.peek() == "\n" {
            self.at += 1;
        }
    }

    /// An error at the word `back` before the current one.
    pub fn bad(&self, back: usize, text: Text) -> Trouble {
        self.bad_at(self.at.saturating_sub(back), text)
    }

    pub fn bad_at(&self, at: usize, text: Text) -> Trouble {
        let last = self.words.len().saturating_sub(1);
        let at = self.from + at.min(last);
        Trouble::Bad(span_of(self.context.files, self.context.tokens, (at, at + 1)), text)
    }

    /// The tokens between a pair of braces, which the cursor is moved past.
    pub fn braces(&mut self) -> Result<(usize, usize), Trouble> {
        let start = self.at;
        let mut depth = 0;
        while !self.done() {
            match self.take() {
                "{" if depth > 64 => return Err(self.bad(1, Text::new("expected-value"))),
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok((self.from + start + 1, self.from + self.at - 1));
            }
        }
        Err(self.bad_at(start, Text::new("nft-unclosed")))
    }

    /// Moves past a value that is not looked at: words, sets, ranges, masks.
    pub fn skip_value(&mut self) {
        while matches!(
            self.peek(),
            "!" | "!="
                | "=="
                | "<"
                | "<="
                | ">"
                | ">="
                | "eq"
                | "ne"
                | "lt"
                | "gt"
                | "le"
                | "ge"
                | "over"
                | "until"
        ) {
            self.at += 1;
        }
        self.skip_term();
        while matches!(
            self.peek(),
            "&" | "|"
                | "^"
                | "<<"
                | ">>"
                | "and"
                | "or"
                | "xor"
                | "lshift"
                | "rshift"
                | "-"
                | ","
                | "."
                | "=="
                | "!="
                | "/"
                | "map"
                | "vmap"
                | ":"
        ) {
            self.at += 1;
            self.skip_term();
        }
    }

    fn skip_term(&mut self) {
        match self.peek() {
            "{" => {
                if self.braces().is_err() {
                    self.at = self.words.len();
                }
            }
            "(" => {
                let mut depth = 0;
                while !self.done() {
                    match self.take() {
                        "(" => depth += 1,
                        ")" => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
            "@" => self.at += 2,
            _ => match selector(self.rest()) {
                Some((_, used)) => self.at += used,
                None => self.at += 1,
            },
        }
    }
}

struct Reader<'a, 'f> {
    context: &'a Context<'a>,
    cursor: Cursor<'a>,
    span: Span,
    when: Match,
    /// Where the rule logged, if it did: the match at that point.
    logged: Option<Match>,
    matches_after_log: bool,
    /// A match looked at ports of no protocol in particular.
    raw_ports: bool,
    out: Vec<Rule>,
    found: &'f mut Findings,
}

/// The protocols with ports.
fn with_ports() -> Ranges {
    (0..=255u8).filter(|p| Protocol(*p).has_ports()).map(|p| (p as u128, p as u128)).collect()
}

/// Reads one rule; a verdict map makes it several.
pub fn rule(context: &Context<'_>, range: (usize, usize), found: &mut Findings) -> Vec<Rule> {
    let span = span_of(context.files, context.tokens, range);
    let mut when = Match::default();
    family_of_table(context.table, &mut when);
    let mut reader = Reader {
        context,
        cursor: Cursor::new(context, range),
        span,
        when,
        logged: None,
        matches_after_log: false,
        raw_ports: false,
        out: Vec::new(),
        found,
    };
    let result = reader.statements();
    match result {
        Ok(()) => {}
        Err(Trouble::Bad(span, text)) => reader.found.diagnostics.push(Diagnostic::error(span, text)),
        Err(Trouble::NotModelled(text)) => {
            reader.note(text, true);
            reader.finish(Action::Unknown);
        }
    }
    // A doubt about a rule that only counts or logs bears on nothing.
    let bearing = reader.out.iter().filter(|r| r.action != Action::Continue);
    let doubts: Vec<Text> = bearing.flat_map(|r| r.when.doubts.clone()).collect();
    for text in doubts {
        reader.note(text, true);
    }
    reader.out
}

impl Reader<'_, '_> {
    fn note(&mut self, text: Text, bears: bool) {
        self.found.notes.push(Note { span: self.span.clone(), text, bears });
    }

    /// Ends the rule with an action.
    fn finish(&mut self, action: Action) {
        let when = self.when.clone();
        self.push(when, action);
    }

    fn push(&mut self, when: Match, action: Action) {
        let log = self.logged.is_some() && !self.matches_after_log;
        if let (Some(at), true) = (&self.logged, self.matches_after_log) {
            // Logged before it was narrowed further: a rule of its own that only logs.
            let rule =
                Rule { span: self.span.clone(), when: at.clone(), action: Action::Continue, log: true };
            if self.out.iter().all(|r| r.action != Action::Continue) {
                self.out.push(rule);
            }
        }
        // `th` looks at the same bytes whatever the protocol: ports where there are any, anything elsewhere.
        if self.raw_ports {
            let mut other = when.clone();
            other.cube = other.cube.without(Field::SourcePort).without(Field::DestinationPort);
            other.terms.retain(|t| !matches!(t, Term::Any { .. }));
            other.narrow(Field::Protocol, &with_ports().complement(255));
            if !other.never {
                other.doubts.push(Text::new("not-modelled-match").arg("what", "th"));
                self.out.push(Rule { span: self.span.clone(), when: other, action: action.clone(), log });
            }
            let mut when = when;
            when.narrow(Field::Protocol, &with_ports());
            self.out.push(Rule { span: self.span.clone(), when, action, log });
            return;
        }
        self.out.push(Rule { span: self.span.clone(), when, action, log });
    }

    fn statements(&mut self) -> Result<(), Trouble> {
        while !self.cursor.done() {
            if self.statement()? {
                return self.trailing();
            }
        }
        if let Some(text) = self.untranslated() {
            return Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", text)));
        }
        // No verdict: the rule counts, logs or marks.
        self.finish(Action::Continue);
        Ok(())
    }

    /// Listings of rules that iptables-nft made print what they cannot say as a comment: `counter packets 1 bytes
    /// 60 #reject-with tcp-reset`. Such a rule does more than it shows.
    fn untranslated(&self) -> Option<String> {
        if !self.cursor.words.windows(2).any(|w| w == ["counter", "packets"]) {
            return None;
        }
        let tail = self.span.file.text.get(self.span.end as usize..)?.lines().next()?.trim();
        let said = tail.strip_prefix('#')?.trim();
        (!said.starts_with("handle ")).then(|| said.chars().take(40).collect())
    }

    /// After a verdict only a comment may follow.
    fn trailing(&mut self) -> Result<(), Trouble> {
        if self.cursor.peek() == "comment" {
            self.cursor.at += 2;
        }
        if self.cursor.done() { Ok(()) } else { Err(self.cursor.bad(0, Text::new("nft-after-verdict"))) }
    }

    /// One statement; `true` when it ended the rule.
    fn statement(&mut self) -> Result<bool, Trouble> {
        let word = self.cursor.peek();
        match word {
            "accept" | "drop" | "return" | "continue" | "jump" | "goto" => {
                let action = self.verdict()?;
                self.finish(action);
                return Ok(true);
            }
            "reject" => {
                self.cursor.at += 1;
                self.skip_words(&["with", "tcp", "reset", "icmp", "icmpv6", "icmpx", "type"]);
                self.finish(Action::Drop);
                return Ok(true);
            }
            "queue" => {
                return Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", "queue")));
            }
            "tproxy" | "fwd" => {
                return Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", word)));
            }
            "synproxy" => {
                self.finish(Action::Drop);
                self.note(Text::new("not-modelled-statement").arg("what", "synproxy"), true);
                if let Some(rule) = self.out.last_mut() {
                    rule.action = Action::Unknown;
                }
                return Ok(true);
            }
            "counter" => {
                self.cursor.at += 1;
                match self.cursor.peek() {
                    "packets" => self.cursor.at += 4,
                    "name" => self.cursor.at += 2,
                    _ => {}
                }
            }
            "log" => self.log(),
            "limit" | "quota" => self.limit(word),
            "comment" => self.cursor.at += 2,
            "notrack" => {
                self.cursor.at += 1;
                self.finish(Action::Untrack);
                return Ok(self.cursor.done());
            }
            "last" => {
                self.cursor.at += 1;
                while matches!(self.cursor.peek(), "used" | "never")
                    || self.cursor.peek().starts_with(|c: char| c.is_ascii_digit())
                {
                    self.cursor.at += 1;
                }
            }
            "masquerade" | "snat" => {
                self.cursor.at = usize::MAX / 2;
                self.finish(Action::Translate(Translation::Source));
                return Ok(true);
            }
            "dnat" | "redirect" => {
                self.translate(word)?;
                return Ok(true);
            }
            "dup" | "flow" => {
                self.cursor.at += 1;
                while !self.cursor.done()
                    && !matches!(
                        self.cursor.peek(),
                        "accept" | "drop" | "return" | "counter" | "comment" | "log"
                    )
                {
                    self.cursor.at += 1;
                }
            }
            "add" | "update" | "delete" | "set" | "meter" => {
                let limited = self.dynamic();
                if limited {
                    self.when.doubts.push(Text::new("not-modelled-match").arg("what", word));
                    self.matches_after_log |= self.logged.is_some();
                }
            }
            _ => return self.matching(),
        }
        Ok(false)
    }

    fn verdict(&mut self) -> Result<Action, Trouble> {
        Ok(match self.cursor.next() {
            "accept" => Action::Accept,
            "drop" => Action::Drop,
            "return" => Action::Return,
            "continue" => Action::Continue,
            word @ ("jump" | "goto") if self.cursor.peek() == "{" => {
                let range = self.cursor.braces()?;
                let id = self.anonymous(range);
                if word == "jump" { Action::Jump(id) } else { Action::Goto(id) }
            }
            word @ ("jump" | "goto") => {
                let name = self.cursor.next();
                let Some(&id) = self.context.chains.get(name) else {
                    return Err(self.cursor.bad(1, Text::new("unknown-chain").arg("chain", name)));
                };
                if word == "jump" { Action::Jump(id) } else { Action::Goto(id) }
            }
            word => return Err(self.cursor.bad(1, Text::new("nft-expected-verdict").arg("word", word))),
        })
    }

    /// A chain without a name, written where it is called.
    fn anonymous(&mut self, (from, to): (usize, usize)) -> usize {
        let at = self.found.anonymous.len();
        self.found.anonymous.push(Vec::new());
        let mut rules = Vec::new();
        let mut start = from;
        while start < to {
            let end = end_of_statement(self.context.files, self.context.tokens, start).min(to);
            if end > start {
                rules.extend(rule(self.context, (start, end), self.found));
            }
            start = end.max(start) + 1;
        }
        self.found.anonymous[at] = rules;
        self.context.first_anonymous + at
    }

    fn skip_words(&mut self, words: &[&str]) {
        while words.contains(&self.cursor.peek())
            || self.cursor.peek().ends_with("-unreachable")
            || matches!(
                self.cursor.peek(),
                "admin-prohibited"
                    | "no-route"
                    | "host-prohibited"
                    | "net-prohibited"
                    | "reject-route"
                    | "policy-fail"
            )
        {
            self.cursor.at += 1;
        }
    }

    fn log(&mut self) {
        self.cursor.at += 1;
        loop {
            match self.cursor.peek() {
                "prefix" | "level" | "group" | "snaplen" | "queue-threshold" => self.cursor.at += 2,
                "flags" => {
                    self.cursor.at += 1;
                    while matches!(
                        self.cursor.peek(),
                        "all" | "tcp" | "ip" | "skuid" | "ether" | "sequence" | "options" | ","
                    ) {
                        self.cursor.at += 1;
                    }
                }
                _ => break,
            }
        }
        // A limit before the log says how often, not which packets: as evidence it counts as logged.
        self.logged = Some(self.when.clone());
        self.matches_after_log = false;
    }

    /// Rates: whether a packet is within one depends on others.
    fn limit(&mut self, word: &str) {
        self.cursor.at += 1;
        while matches!(
            self.cursor.peek(),
            "rate"
                | "over"
                | "until"
                | "burst"
                | "packets"
                | "bytes"
                | "kbytes"
                | "mbytes"
                | "used"
                | "name"
                | "/"
                | "second"
                | "minute"
                | "hour"
                | "day"
                | "week"
        ) || self.cursor.peek().starts_with(|c: char| c.is_ascii_digit())
        {
            let name = self.cursor.take() == "name";
            self.cursor.at += usize::from(name);
        }
        self.when.doubts.push(Text::new("not-modelled-match").arg("what", word));
        self.matches_after_log |= self.logged.is_some();
    }

    /// `add @set { key … }`: whether an expression inside limits the rule.
    fn dynamic(&mut self) -> bool {
        while !self.cursor.done() && self.cursor.peek() != "{" {
            self.cursor.at += 1;
        }
        let start = self.cursor.at;
        if self.cursor.braces().is_err() {
            self.cursor.at = usize::MAX / 2;
            return true;
        }
        let words = &self.cursor.words[start..self.cursor.at.min(self.cursor.words.len())];
        words.iter().any(|w| matches!(*w, "limit" | "quota" | "count"))
    }

    fn matching(&mut self) -> Result<bool, Trouble> {
        let start = self.cursor.at;
        let Some(list) = selectors(&mut self.cursor) else {
            self.cursor.at = start;
            return self.bare();
        };
        self.raw_ports |= list.iter().any(|s| matches!(s, Selector::Port { protocol: None, .. }));
        match self.cursor.peek() {
            "set" => {
                self.cursor.at += 1;
                self.cursor.skip_value();
                return match list.as_slice() {
                    [Selector::Other(_) | Selector::Family | Selector::PacketType] => Ok(false),
                    _ => Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", "set"))),
                };
            }
            "vmap" => {
                self.cursor.at += 1;
                let going_on = self.verdict_map(&list)?;
                self.behind_map(going_on)?;
                self.cursor.at = usize::MAX / 2;
                return Ok(true);
            }
            _ => {}
        }
        let mut when = std::mem::take(&mut self.when);
        let flags = list == [Selector::TcpFlags] && self.short_form();
        let result = match flags {
            true => short_mask(&mut self.cursor, &mut when),
            false => narrow(self.context, &mut self.cursor, &list, &mut when),
        };
        self.when = when;
        self.matches_after_log |= self.logged.is_some();
        result.map(|()| false)
    }

    /// `syn / fin,syn,rst,ack` after `tcp flags`.
    fn short_form(&self) -> bool {
        let words = self.cursor.rest();
        let end = words.iter().position(|w| *w == "/");
        end.is_some_and(|end| {
            words[..end].iter().all(|w| {
                *w == ","
                    || *w == "!="
                    || *w == "=="
                    || super::values::value(&Selector::TcpFlags, w).is_some()
            })
        })
    }

    /// What starts with no known selector: connection states without `ct`, or something not known.
    fn bare(&mut self) -> Result<bool, Trouble> {
        let word = self.cursor.peek();
        let text = Text::new("not-modelled-statement").arg("what", word);
        Err(Trouble::NotModelled(text))
    }

    /// One rule for each element; returns the matches of elements that say `continue`, for which the rule goes on.
    fn verdict_map(&mut self, list: &[Selector]) -> Result<Vec<Match>, Trouble> {
        list.iter().for_each(|s| s.imply(&mut self.when));
        let Some(elements) = map_elements(self.context, &mut self.cursor, list)? else {
            return Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", "vmap")));
        };
        // The catch-all decides only what no other element does.
        let catch_all = |values: &[Value]| values.iter().all(|v| *v == Value::Any);
        let mut ordered: Vec<_> = elements.iter().collect();
        ordered.sort_by_key(|(values, _)| catch_all(values));
        let mut going_on = Vec::new();
        for (values, data) in ordered {
            let saved = std::mem::replace(&mut self.cursor, Cursor::new(self.context, *data));
            let action = self.verdict();
            self.cursor = saved;
            let action = action?;
            let Some(when) = self.element_match(list, values) else { continue };
            if action == Action::Continue {
                going_on.push(when.clone());
            }
            self.push(when, action);
        }
        Ok(going_on)
    }

    /// What stands behind a verdict map: packets in no element leave the rule (nft(8), VERDICT MAPS), so it is only
    /// about those whose element says `continue`.
    fn behind_map(&mut self, going_on: Vec<Match>) -> Result<(), Trouble> {
        let start = self.cursor.at;
        let mut rest = going_on;
        if rest.is_empty() {
            // Read all the same: what is wrong in it is wrong.
            rest.push(Match { never: true, ..Match::default() });
        }
        for when in rest {
            self.cursor.at = start;
            self.when = when;
            while !self.cursor.done() {
                if self.statement()? {
                    self.trailing()?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// The rule's match narrowed to one element of a map.
    fn element_match(&self, list: &[Selector], values: &[Value]) -> Option<Match> {
        let mut when = self.when.clone();
        let (part, doubt) = part(list, values);
        let part = part?;
        for (field, ranges) in part.cube.constraints() {
            when.narrow(*field, ranges);
        }
        let pattern = |name: &String| InterfaceMatch { patterns: vec![name.clone()], negate: false };
        when.input.extend(part.input.as_ref().map(pattern));
        when.output.extend(part.output.as_ref().map(pattern));
        if let ([Selector::FibType | Selector::PacketType], [Value::Word(word)]) = (list, values)
            && let Some(special) = super::select::fib_type(word)
        {
            when.terms.push(Term::Special(vec![special], false));
        } else if doubt {
            when.doubts.push(Text::new("not-modelled-match").arg("what", "vmap"));
        }
        Some(when)
    }

    fn translate(&mut self, word: &str) -> Result<(), Trouble> {
        self.cursor.at += 1;
        // `dnat ip to`, `dnat ip addr . port to`, `dnat ip prefix to`.
        let mut prefix = false;
        while !self.cursor.done() && self.cursor.peek() != "to" {
            let family = match self.cursor.take() {
                "ip" => Some(Family::V4),
                "ip6" => Some(Family::V6),
                "prefix" => {
                    prefix = true;
                    None
                }
                "random" | "fully-random" | "persistent" | "," | "addr" | "." | "port" | "comment" => None,
                _ => None,
            };
            if let Some(family) = family {
                self.when.narrow(Field::Family, &Ranges::single(family as u128));
            }
        }
        let redirect = word == "redirect";
        if self.cursor.done() {
            let translation = match redirect {
                true => Translation::Redirect { ports: None },
                false => return Err(self.cursor.bad(1, Text::new("expected-value"))),
            };
            self.finish(Action::Translate(translation));
            return Ok(());
        }
        self.cursor.at += 1;
        if prefix {
            return Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", "dnat prefix")));
        }
        let start = self.cursor.at;
        if let Some(list) = selectors(&mut self.cursor)
            && self.cursor.peek() == "map"
        {
            self.cursor.at += 1;
            list.iter().for_each(|s| s.imply(&mut self.when));
            let Some(elements) = map_elements(self.context, &mut self.cursor, &list)? else {
                return Err(Trouble::NotModelled(Text::new("not-modelled-statement").arg("what", "map")));
            };
            for (values, data) in elements.iter() {
                let saved = std::mem::replace(&mut self.cursor, Cursor::new(self.context, *data));
                let translation = self.target(redirect);
                self.cursor = saved;
                let translation = translation?;
                let Some(when) = self.element_match(&list, values) else { continue };
                self.push(when, Action::Translate(translation));
            }
            self.cursor.at = usize::MAX / 2;
            return Ok(());
        }
        self.cursor.at = start;
        let translation = self.target(redirect)?;
        if let Translation::Destination { addresses: Some((family, _, _)), .. } = &translation {
            self.when.narrow(Field::Family, &Ranges::single(*family as u128));
        }
        self.finish(Action::Translate(translation));
        self.cursor.at = usize::MAX / 2;
        Ok(())
    }

    /// `10.0.0.1`, `10.0.0.1-10.0.0.9`, `10.0.0.1:80`, `:80-90`, `[2001:db8::1]:443`, `10.0.0.1 . 80`.
    fn target(&mut self, redirect: bool) -> Result<Translation, Trouble> {
        let start = self.cursor.at;
        let mut addresses = None;
        let bracket = self.cursor.peek() == "[";
        self.cursor.at += usize::from(bracket);
        let text = self.cursor.peek();
        if let Some(net) = parse_prefix(text) {
            self.cursor.at += 1;
            let family = Family::of(net.addr());
            let (mut lo, mut hi) = prefix_range(&net);
            if !text.contains('/') {
                (lo, hi) = (address_bits(net.addr()), address_bits(net.addr()));
            }
            if self.cursor.peek() == "-" {
                self.cursor.at += 1;
                match self.cursor.next().parse::<IpAddr>() {
                    Ok(end) if Family::of(end) == family && address_bits(end) >= lo => hi = address_bits(end),
                    _ => return Err(self.cursor.bad(1, Text::new("expected-value"))),
                }
            }
            addresses = Some((family, lo, hi));
        }
        if bracket && self.cursor.next() != "]" {
            return Err(self.cursor.bad(1, Text::new("expected-value")));
        }
        let mut ports = None;
        let lone_port = redirect && addresses.is_none() && self.cursor.peek() != ":";
        if matches!(self.cursor.peek(), ":" | ".") || lone_port {
            self.cursor.at += usize::from(!lone_port);
            let port = |text: &str| match super::values::value(
                &Selector::Port { protocol: None, field: Field::DestinationPort },
                text,
            ) {
                Some(Value::Range(lo, _)) => Some(lo as u16),
                _ => None,
            };
            let Some(lo) = port(self.cursor.next()) else {
                return Err(self.cursor.bad(1, Text::new("bad-value").arg("value", self.cursor.ahead(0))));
            };
            let mut hi = lo;
            if self.cursor.peek() == "-" {
                self.cursor.at += 1;
                match port(self.cursor.next()) {
                    Some(end) if end >= lo => hi = end,
                    _ => return Err(self.cursor.bad(1, Text::new("expected-value"))),
                }
            }
            ports = Some((lo, hi));
        }
        if redirect {
            return Ok(Translation::Redirect { ports });
        }
        if addresses.is_none() && ports.is_none() {
            let text = Text::new("not-modelled-statement")
                .arg("what", format!("dnat to {}", self.cursor.words.get(start).unwrap_or(&"")));
            return Err(Trouble::NotModelled(text));
        }
        Ok(Translation::Destination { addresses, ports, tag: 1 })
    }
}
