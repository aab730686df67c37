//! Where translations lead: `rdr-to`, `nat-to`, `binat-to`, and what stands behind `->` (pf.conf(5), Translation).

use super::hosts::addresses;
use super::lex::Kind;
use super::words::{Bad, Words};
use crate::names;
use tillgate_model::Family;

/// What is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// The destination.
    Rdr,
    /// The source.
    Nat,
    /// The one going out, the other coming in.
    Binat,
}

/// Where a translation leads.
#[derive(Clone, Debug)]
pub struct Translate {
    /// What is rewritten.
    pub what: Rewrite,
    /// Any of these.
    pub targets: Vec<Target>,
    /// The new destination port: the first and last it may be, or with `true` a range moved to begin there.
    pub ports: Option<(u16, u16, bool)>,
    /// The source port stays.
    pub static_port: bool,
}

/// One target of a translation.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Addresses.
    Addresses(Family, u128, u128),
    /// What only the running system knows: an interface by its name, a table, a name.
    Unknown(String),
}

/// Words behind a target that say which of several is taken, or nothing about packets.
const POOL: &[&str] = &[
    "round-robin",
    "random",
    "bitmask",
    "least-states",
    "sticky-address",
    "prefer-ipv6-nexthop",
    "endpoint-independent",
];

/// Reads one target of a list.
pub fn target(words: &mut Words<'_>, out: &mut Vec<Target>) -> Result<(), Bad> {
    if words.eat("weight") {
        words.value()?;
        return Ok(());
    }
    if words.eat("<") {
        out.push(Target::Unknown(words.value()?.text.clone()));
        return words.expect(">");
    }
    if words.eat("(") {
        let name = words.value()?.text.clone();
        words.expect(")")?;
        if words.eat("/") {
            words.value()?;
        }
        out.push(Target::Unknown(bare(&name)));
        return Ok(());
    }
    let token = words.value()?;
    let length = if words.eat("/") { Some(words.value()?) } else { None };
    let mut last = None;
    if length.is_none() && words.eat("-") {
        last = Some(words.value()?);
    }
    let (text, hi) = match token.text.split_once('-') {
        Some((lo, hi)) if addresses(lo, None).is_some() => (lo, Some(hi)),
        _ => (token.text.as_str(), last.map(|t| t.text.as_str())),
    };
    let first = addresses(text, length.map(|t| t.text.as_str()));
    match (first, hi) {
        (Some((family, ranges)), hi) => {
            let end = match hi {
                Some(hi) => addresses(hi, None).filter(|(f, _)| *f == family).and_then(|(_, r)| r.first()),
                None => ranges.as_slice().last().map(|(_, hi)| *hi),
            };
            match (ranges.first(), end) {
                (Some(lo), Some(hi)) if lo <= hi => out.push(Target::Addresses(family, lo, hi)),
                _ => return Err(words.bad(token)),
            }
        }
        (None, _) => out.push(Target::Unknown(bare(&token.text))),
    }
    Ok(())
}

/// The interface of `em0:0`.
fn bare(text: &str) -> String {
    text.strip_suffix(":0").unwrap_or(text).to_string()
}

/// Goes past what says which of several targets is taken; `true` where the source port stays.
pub fn pool(words: &mut Words<'_>) -> Result<bool, Bad> {
    let mut fixed = false;
    loop {
        match words.word() {
            "static-port" => {
                fixed = true;
                words.skip();
            }
            word if POOL.contains(&word) => {
                words.skip();
            }
            "source-hash" => {
                words.skip();
                let key = |t: &str| t.starts_with("0x");
                if words.peek().is_some_and(|t| t.kind == Kind::Quoted || key(&t.text)) {
                    words.skip();
                }
            }
            "map-e-portset" => {
                words.skip();
                words.value()?;
                while words.eat("/") {
                    words.value()?;
                }
            }
            _ => return Ok(fixed),
        }
    }
}

/// Reads where a translation leads.
pub fn translate(words: &mut Words<'_>, what: Rewrite) -> Result<Translate, Bad> {
    let targets = words.list(&mut target)?;
    let mut ports = None;
    let mut static_port = pool(words)?;
    if words.eat("port") {
        let token = words.value()?;
        let (lo, hi) = token.text.split_once(':').unwrap_or((&token.text, &token.text));
        let number = |text: &str| text.parse::<u16>().ok().or_else(|| names::service(text));
        let lo = number(lo).ok_or_else(|| words.bad(token))?;
        let shifted = hi == "*" || hi.is_empty() && words.eat("*");
        let hi =
            if shifted { lo } else { number(hi).filter(|hi| *hi >= lo).ok_or_else(|| words.bad(token))? };
        ports = Some((lo, hi, shifted));
    }
    static_port |= pool(words)? || what == Rewrite::Binat;
    Ok(Translate { what, targets, ports, static_port })
}
