//! Matches: a selector, an operator, values; what they mean as ranges.

use super::declare::Change;
use super::rule::{Context, Elements, cache_key};
use super::select::{Selector, fib_type, selector};
use super::statement::{Cursor, Trouble};
use super::values::{Value, state_bit, value};
use std::rc::Rc;
use tillgate_model::{Ranges, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{InterfaceMatch, Match, NameSet, Part, Special, Term};

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// None written: equality, or "any of these bits" for bit fields.
    Implicit,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// `!`: none of these bits.
    Without,
}

/// Reads the selectors of a match, concatenated by `.`.
pub fn selectors(cursor: &mut Cursor<'_>) -> Option<Vec<Selector>> {
    let mut list = Vec::new();
    loop {
        let (one, used) = selector(cursor.rest())?;
        cursor.at += used;
        list.push(one);
        if cursor.peek() != "." {
            return Some(list);
        }
        cursor.at += 1;
    }
}

/// Reads what follows the selectors and narrows `when` by it.
pub fn narrow(
    context: &Context<'_>,
    cursor: &mut Cursor<'_>,
    list: &[Selector],
    when: &mut Match,
) -> Result<(), Trouble> {
    list.iter().for_each(|s| s.imply(when));
    if list.len() == 1 && matches!(cursor.peek(), "&" | "and") {
        return masked(cursor, &list[0], when);
    }
    let op = operator(cursor);
    if let [Selector::Other(words)] = list {
        cursor.skip_value();
        when.doubts.push(Text::new("not-modelled-match").arg("what", words));
        return Ok(());
    }
    let in_braces = cursor.peek() == "{";
    let elements = match cursor.peek() {
        "@" => {
            cursor.at += 1;
            let set = cursor.next();
            match set_elements(context, cursor, set, list)? {
                SetContent::Elements(elements) => elements,
                SetContent::Names(names) => {
                    match op {
                        Op::NotEqual => when.doubts.push(Text::new("not-modelled-set").arg("set", set)),
                        _ => when.terms.push(Term::Names(NameSet::zones(&names))),
                    }
                    return Ok(());
                }
                SetContent::Unknown => {
                    when.doubts.push(Text::new("not-modelled-set").arg("set", set));
                    return Ok(());
                }
            }
        }
        "{" => {
            let range = cursor.braces()?;
            Rc::new(elements(context, range, list)?)
        }
        _ => Rc::new(vec![(plain(cursor, list)?, (0, 0))]),
    };
    // A list without braces, for bit fields and the like: `new,established`.
    let mut all: Vec<Vec<Value>> = elements.iter().map(|(values, _)| values.clone()).collect();
    while !in_braces && cursor.peek() == "," {
        cursor.at += 1;
        all.push(plain(cursor, list)?);
    }
    match list {
        [one] => single(one, op, in_braces || elements.len() > 1, &all, when),
        _ => concatenated(list, op, &all, when),
    }
}

fn operator(cursor: &mut Cursor<'_>) -> Op {
    let op = match cursor.peek() {
        "==" | "eq" => Op::Equal,
        "!=" | "ne" => Op::NotEqual,
        "<" | "lt" => Op::Less,
        "<=" | "le" => Op::LessEqual,
        ">" | "gt" => Op::Greater,
        ">=" | "ge" => Op::GreaterEqual,
        "!" => Op::Without,
        _ => return Op::Implicit,
    };
    cursor.at += 1;
    op
}

/// What is in a named set.
enum SetContent {
    Elements(Elements),
    /// A resolver fills it with these names.
    Names(Vec<String>),
    /// Something fills it that is not given.
    Unknown,
}

fn set_elements(
    context: &Context<'_>,
    cursor: &Cursor<'_>,
    set: &str,
    list: &[Selector],
) -> Result<SetContent, Trouble> {
    let key = (context.table.family.clone(), context.table.name.clone(), set.to_string());
    if let Some(names) = context.names.get(&key) {
        let destination = matches!(list, [Selector::Address { field: Field::Destination, .. }]);
        return Ok(if destination { SetContent::Names(names.clone()) } else { SetContent::Unknown });
    }
    let Some(declared) = context.table.sets.get(set) else {
        return Err(cursor.bad(1, Text::new("unknown-set").arg("set", set)));
    };
    // A set that rules or others fill may hold anything; one that is declared empty waits to be filled.
    if declared.dynamic || declared.elements.is_empty() || context.updated.contains(set) {
        return Ok(SetContent::Unknown);
    }
    let key = cache_key(set, list);
    if let Some(known) = context.cache.borrow().get(&key) {
        return Ok(SetContent::Elements(Rc::clone(known)));
    }
    let mut all: Vec<Element> = Vec::new();
    for change in &declared.elements {
        match change {
            Change::Add(range) => all.extend(elements(context, *range, list)?),
            Change::Delete(range) => {
                for (gone, _) in elements(context, *range, list)? {
                    let before = all.len();
                    all.retain(|(values, _)| *values != gone);
                    // Not there as it is named: a piece of something else, or an error when it is loaded.
                    if all.len() == before {
                        return Ok(SetContent::Unknown);
                    }
                }
            }
        }
    }
    let all = Rc::new(all);
    context.cache.borrow_mut().insert(key, Rc::clone(&all));
    Ok(SetContent::Elements(all))
}

/// The elements of a map by name, for `vmap @x` and translations; `None` when something else fills it.
pub fn map_elements(
    context: &Context<'_>,
    cursor: &mut Cursor<'_>,
    list: &[Selector],
) -> Result<Option<Elements>, Trouble> {
    if cursor.peek() == "{" {
        let range = cursor.braces()?;
        return Ok(Some(Rc::new(elements(context, range, list)?)));
    }
    if cursor.next() != "@" {
        return Err(cursor.bad(1, Text::new("nft-expected-map")));
    }
    let name = cursor.next();
    Ok(match set_elements(context, cursor, name, list)? {
        SetContent::Elements(elements) => Some(elements),
        _ => None,
    })
}

type Element = (Vec<Value>, (usize, usize));

/// Reads the elements between braces; nested braces come from definitions and are flattened.
fn elements(
    context: &Context<'_>,
    (from, to): (usize, usize),
    list: &[Selector],
) -> Result<Vec<Element>, Trouble> {
    let mut cursor = Cursor::new(context, (from, to));
    let mut out = Vec::new();
    loop {
        while matches!(cursor.peek(), "," | "\n") && !cursor.done() {
            cursor.at += 1;
        }
        if cursor.done() {
            return Ok(out);
        }
        if cursor.peek() == "{" {
            let inner = cursor.braces()?;
            out.extend(elements(context, inner, list)?);
            continue;
        }
        let values = plain(&mut cursor, list)?;
        // Per-element options, up to the data or the next element.
        while !cursor.done() && !matches!(cursor.peek(), "," | ":") {
            cursor.at += 1;
        }
        let mut data = (0, 0);
        if cursor.peek() == ":" {
            cursor.at += 1;
            let start = cursor.position();
            let mut depth = 0;
            while !cursor.done() && (depth > 0 || cursor.peek() != ",") {
                match cursor.peek() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                cursor.at += 1;
            }
            data = (start, cursor.position());
        }
        out.push((values, data));
    }
}

/// One value per selector, joined by `.`; each may be a range.
fn plain(cursor: &mut Cursor<'_>, list: &[Selector]) -> Result<Vec<Value>, Trouble> {
    let mut out = Vec::new();
    for (at, selector) in list.iter().enumerate() {
        if at > 0 {
            cursor.skip_newlines();
            if out == [Value::Any] {
                // A lone `*` stands for the whole key.
                out.resize(list.len(), Value::Any);
                return Ok(out);
            }
            if cursor.peek() != "." {
                return Err(cursor.bad(1, Text::new("nft-expected-dot")));
            }
            cursor.at += 1;
        }
        cursor.skip_newlines();
        out.push(one_value(cursor, selector)?);
    }
    Ok(out)
}

fn one_value(cursor: &mut Cursor<'_>, selector: &Selector) -> Result<Value, Trouble> {
    if cursor.done() {
        return Err(cursor.bad(0, Text::new("expected-value")));
    }
    let start = cursor.at;
    let text = cursor.next();
    let Some(first) = value(selector, text) else {
        return Err(cursor.bad_at(start, Text::new("bad-value").arg("value", text)));
    };
    if cursor.peek() != "-" {
        return Ok(first);
    }
    cursor.at += 1;
    let end = cursor.next();
    match (first, value(selector, end)) {
        (Value::Range(lo, _), Some(Value::Range(_, hi))) if lo <= hi => Ok(Value::Range(lo, hi)),
        _ => Err(cursor.bad_at(start, Text::new("bad-value").arg("value", format!("{text}-{end}")))),
    }
}

fn ranges_of(values: &[Vec<Value>], max: u128) -> Ranges {
    let one = |v: &Vec<Value>| match v.first() {
        Some(Value::Range(lo, hi)) => Some((*lo, *hi)),
        Some(Value::Any) => Some((0, max)),
        _ => None,
    };
    values.iter().filter_map(one).collect()
}

fn single(
    selector: &Selector,
    op: Op,
    in_set: bool,
    values: &[Vec<Value>],
    when: &mut Match,
) -> Result<(), Trouble> {
    let negate = matches!(op, Op::NotEqual | Op::Without);
    let words = || {
        values.iter().filter_map(|v| match v.first() {
            Some(Value::Word(word)) => Some(word.as_str()),
            _ => None,
        })
    };
    let doubt = |what: &str| Text::new("not-modelled-match").arg("what", what);
    match selector {
        Selector::Interface { input } => {
            let patterns = values.iter().filter_map(|v| match v.first() {
                Some(Value::Interface(name)) => Some(name.clone()),
                _ => None,
            });
            let condition = InterfaceMatch { patterns: patterns.collect(), negate };
            if *input { when.input.push(condition) } else { when.output.push(condition) }
        }
        Selector::State if !in_set => {
            let mask: u32 =
                ranges_of(values, 4).as_slice().iter().flat_map(|(a, b)| *a..=*b).map(state_bit).sum();
            narrow_bits(when, Field::State, 4, |s| bits_fit(op, state_bit(s), mask));
        }
        Selector::TcpFlags if !in_set && cursor_bits(op) => {
            let mask: u32 = values
                .iter()
                .map(|v| match v.first() {
                    Some(Value::Range(lo, _)) => *lo as u32,
                    _ => 0,
                })
                .fold(0, |a, b| a | b);
            narrow_bits(when, Field::TcpFlags, 255, |f| bits_fit(op, f as u32, mask));
        }
        Selector::Status => {
            let dnat = words().all(|w| w == "dnat");
            match (dnat, op) {
                (true, Op::Implicit) => {
                    when.narrow(Field::Translated, &Ranges::span(1, Field::Translated.maximum()));
                }
                (true, Op::Without) => when.narrow(Field::Translated, &Ranges::single(0)),
                // Compared whole: other status bits are always set beside it.
                _ => when.doubts.push(doubt("ct status")),
            }
        }
        Selector::PacketType | Selector::FibType => {
            let list: Vec<&str> = words().collect();
            let special = |word: &str| match selector {
                Selector::PacketType if word == "host" || word == "unicast" => None,
                _ => fib_type(word),
            };
            match (list.as_slice(), negate) {
                (["host" | "unicast"], false) if *selector == Selector::PacketType => {
                    let others = vec![Special::DestinationBroadcast, Special::DestinationMulticast];
                    when.terms.push(Term::Special(others, true));
                }
                (list, negate) if !list.is_empty() && list.iter().all(|w| special(w).is_some()) => {
                    let any = list.iter().filter_map(|w| special(w)).collect();
                    when.terms.push(Term::Special(any, negate));
                }
                _ => when.doubts.push(doubt(if *selector == Selector::FibType {
                    "fib type"
                } else {
                    "pkttype"
                })),
            }
        }
        Selector::FibReverse => {
            let fails = words().next().map(|w| matches!(w, "missing" | "0"));
            match fails {
                Some(fails) => {
                    when.terms.push(Term::Special(vec![Special::ReversePathFails], fails == negate))
                }
                None => when.doubts.push(doubt("fib")),
            }
        }
        Selector::Family
            if words().any(|w| !matches!(w, "arp") && w.parse::<u32>().is_err() && !w.starts_with("0x")) =>
        {
            // Tagged frames: what is inside, only the kernel's way through its interfaces says.
            when.doubts.push(doubt("vlan"));
        }
        Selector::Address { .. } if words().next().is_some() => {
            // Looked up when the rules are loaded; a set of names with addresses beside it stays open as a whole.
            when.doubts.push(doubt(words().next().unwrap_or_default()));
        }
        _ => {
            let Some((field, max)) = selector.field() else {
                when.doubts.push(doubt("match"));
                return Ok(());
            };
            let ranges = ranges_of(values, max);
            let first = ranges.first().unwrap_or(0);
            let ranges = match op {
                Op::NotEqual | Op::Without => ranges.complement(max),
                Op::Less if first == 0 => Ranges::empty(),
                Op::Less => Ranges::span(0, first - 1),
                Op::LessEqual => Ranges::span(0, first),
                Op::Greater if first >= max => Ranges::empty(),
                Op::Greater => Ranges::span(first + 1, max),
                Op::GreaterEqual => Ranges::span(first, max),
                Op::Implicit | Op::Equal => ranges,
            };
            when.narrow(field, &ranges);
        }
    }
    Ok(())
}

fn cursor_bits(op: Op) -> bool {
    matches!(op, Op::Implicit | Op::Equal | Op::NotEqual | Op::Without)
}

/// How nft compares bit fields: without an operator any bit counts, `==` and `!=` compare the whole value.
fn bits_fit(op: Op, bits: u32, mask: u32) -> bool {
    match op {
        Op::Equal => bits == mask,
        Op::NotEqual => bits != mask,
        Op::Without => bits & mask == 0,
        _ => bits & mask != 0,
    }
}

fn narrow_bits(when: &mut Match, field: Field, max: u128, fits: impl Fn(u128) -> bool) {
    let ranges: Ranges = (0..=max).filter(|v| fits(*v)).map(|v| (v, v)).collect();
    when.narrow(field, &ranges);
}

/// `selector & mask op value`, and the short form `tcp flags value / mask`.
fn masked(cursor: &mut Cursor<'_>, selector: &Selector, when: &mut Match) -> Result<(), Trouble> {
    let start = cursor.at;
    cursor.at += 1;
    let bits = |cursor: &mut Cursor<'_>| -> Result<Option<u128>, Trouble> {
        let open = cursor.peek() == "(";
        cursor.at += usize::from(open);
        let mut total = 0u128;
        loop {
            let text = cursor.next();
            let number = match (selector, value(selector, text)) {
                (Selector::State, Some(Value::Range(s, _))) => Some(state_bit(s) as u128),
                (_, Some(Value::Range(lo, _))) if !text.contains('/') => Some(lo),
                _ => text
                    .strip_prefix("0x")
                    .and_then(|h| u128::from_str_radix(h, 16).ok())
                    .or(text.parse().ok()),
            };
            let Some(number) = number else { return Ok(None) };
            total |= number;
            if !matches!(cursor.peek(), "|" | "or" | ",") {
                break;
            }
            cursor.at += 1;
        }
        if open && cursor.next() != ")" {
            return Err(cursor.bad(1, Text::new("expected-value")));
        }
        Ok(Some(total))
    };
    let mask = bits(cursor)?;
    let op = operator(cursor);
    let want = bits(cursor)?;
    let (Some(mask), Some(want), true) = (mask, want, matches!(op, Op::Equal | Op::NotEqual | Op::Implicit))
    else {
        cursor.at = start;
        cursor.skip_value();
        when.doubts.push(Text::new("not-modelled-match").arg("what", "&"));
        return Ok(());
    };
    let fits = |bits: u128| (bits & mask == want) != (op == Op::NotEqual);
    match selector {
        Selector::TcpFlags => narrow_bits(when, Field::TcpFlags, 255, fits),
        Selector::State => narrow_bits(when, Field::State, 4, |s| fits(state_bit(s) as u128)),
        Selector::Address { family, field } => {
            // A contiguous mask is a prefix; anything else is no range.
            let max = family.max_address();
            let host = max & !mask;
            if host & (host + u128::from(host != u128::MAX)) == 0 && want & host == 0 {
                let ranges = Ranges::span(want, want | host);
                let ranges = if op == Op::NotEqual { ranges.complement(max) } else { ranges };
                when.narrow(*field, &ranges);
            } else {
                when.doubts.push(Text::new("not-modelled-match").arg("what", "&"));
            }
        }
        _ => when.doubts.push(Text::new("not-modelled-match").arg("what", "&")),
    }
    Ok(())
}

/// `tcp flags value / mask`: the values were read; the mask follows.
pub fn short_mask(cursor: &mut Cursor<'_>, when: &mut Match) -> Result<(), Trouble> {
    let read = |cursor: &mut Cursor<'_>| -> Result<u128, Trouble> {
        let mut total = 0;
        loop {
            match one_value(cursor, &Selector::TcpFlags)? {
                Value::Range(lo, _) => total |= lo,
                _ => return Err(cursor.bad(1, Text::new("expected-value"))),
            }
            if cursor.peek() != "," {
                return Ok(total);
            }
            cursor.at += 1;
        }
    };
    let negate = cursor.peek() == "!=";
    if matches!(cursor.peek(), "!=" | "==") {
        cursor.at += 1;
    }
    let want = read(cursor)?;
    cursor.at += 1;
    let mask = read(cursor)?;
    Selector::TcpFlags.imply(when);
    narrow_bits(when, Field::TcpFlags, 255, |f| (f & mask == want) != negate);
    Ok(())
}

/// The part of packet space an element of a concatenated key stands for; `None` when it is empty.
pub fn part(list: &[Selector], values: &[Value]) -> (Option<Part>, bool) {
    let mut part = Part::default();
    let mut doubt = false;
    for (selector, value) in list.iter().zip(values) {
        match (selector, value) {
            (_, Value::Any) => {}
            (Selector::Interface { input: true }, Value::Interface(name)) => part.input = Some(name.clone()),
            (Selector::Interface { input: false }, Value::Interface(name)) => {
                part.output = Some(name.clone())
            }
            (_, Value::Range(lo, hi)) => match selector.field() {
                Some((field, _)) => match std::mem::take(&mut part.cube).with(field, &Ranges::span(*lo, *hi))
                {
                    Some(cube) => part.cube = cube,
                    None => return (None, doubt),
                },
                None => doubt = true,
            },
            _ => doubt = true,
        }
    }
    (Some(part), doubt)
}

fn concatenated(list: &[Selector], op: Op, values: &[Vec<Value>], when: &mut Match) -> Result<(), Trouble> {
    let mut parts = Vec::new();
    let mut doubt = false;
    for one in values {
        let (part, unsure) = part(list, one);
        parts.extend(part);
        doubt |= unsure;
    }
    let negate = op == Op::NotEqual;
    if doubt {
        when.doubts.push(Text::new("not-modelled-match").arg("what", "."));
        if negate {
            return Ok(());
        }
    }
    when.terms.push(Term::Any { parts, negate });
    Ok(())
}
