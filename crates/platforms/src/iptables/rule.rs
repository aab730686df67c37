//! One rule: matches from left to right, then a target with its options.

use super::ipset::Sets;
use super::lex::Line;
use super::matches::Matches;
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_model::{Diagnostic, Family, Ranges, Text, address_bits};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, ChainId, Fact, Match, Note, Rule, RuleSet, Translation, What};

/// What a rule needs to know of its surroundings.
pub struct Context<'a> {
    pub family: Family,
    pub chains: &'a BTreeMap<String, ChainId>,
    pub sets: &'a Sets,
}

/// Why a rule could not be read: the word, and what is wrong with it.
pub type Bad = (usize, Text);

/// Reads a rule from the word behind its chain's name; `None` when it is for the other family only. What is to be told
/// goes to `found`.
pub fn rule(
    context: &Context<'_>,
    line: &Line,
    from: usize,
    found: &mut RuleSet,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Rule> {
    // Anywhere in the line, but not as what a long option says.
    let other = if context.family == Family::V4 { ["-6", "--ipv6"] } else { ["-4", "--ipv4"] };
    let said = |at: usize| at > 0 && line.text(at - 1).starts_with("--");
    if (0..line.words.len()).any(|at| other.contains(&line.keyword(at)) && !said(at)) {
        return None;
    }
    let mut when = Match::default();
    when.narrow(Field::Family, &Ranges::single(context.family as u128));
    let mut reader = Matches::new(context, line, from, when);
    let result = read(&mut reader);
    let (action, log) = match result {
        Ok(target) => target,
        Err((at, text)) => {
            diagnostics.push(Diagnostic::error(line.place(at), text));
            return None;
        }
    };
    if let Some(date) = reader.until {
        found.facts.push(Fact { span: line.span.clone(), what: What::Until(date) });
    }
    let when = reader.finish();
    if action != Action::Continue {
        for text in &when.doubts {
            found.notes.push(Note { span: line.span.clone(), text: text.clone(), bears: true });
        }
    }
    if action == Action::Unknown {
        let text = Text::new("not-modelled-statement").arg("what", reader.target);
        found.notes.push(Note { span: line.span.clone(), text, bears: true });
    }
    Some(Rule { span: line.span.clone(), when, action, log })
}

fn read(reader: &mut Matches<'_>) -> Result<(Action, bool), Bad> {
    let mut found = (Action::Continue, false);
    while !reader.done() {
        if let "-j" | "--jump" | "-g" | "--goto" = reader.peek() {
            let goto = matches!(reader.next(), "-g" | "--goto");
            found = target(reader, goto)?;
        } else {
            reader.option()?;
        }
    }
    Ok(found)
}

fn target(reader: &mut Matches<'_>, goto: bool) -> Result<(Action, bool), Bad> {
    let at = reader.at;
    let name = reader.value()?.to_string();
    reader.target.clone_from(&name);
    if let Some(&id) = reader.context.chains.get(&name) {
        return Ok((if goto { Action::Goto(id) } else { Action::Jump(id) }, false));
    }
    let action = match name.as_str() {
        "ACCEPT" => Action::Accept,
        "DROP" => Action::Drop,
        "RETURN" => Action::Return,
        "REJECT" => {
            reader.skip_options(&["--reject-with"]);
            Action::Drop
        }
        "LOG" | "NFLOG" | "ULOG" => {
            reader.skip_all();
            return Ok((Action::Continue, true));
        }
        // They mark, count, copy or change what no rule here looks at; the packet goes on.
        "MARK" | "CONNMARK" | "CLASSIFY" | "DSCP" | "TOS" | "TTL" | "HL" | "TCPMSS" | "TCPOPTSTRIP"
        | "CHECKSUM" | "SECMARK" | "CONNSECMARK" | "AUDIT" | "TRACE" | "TEE" | "SET" | "LED"
        | "IDLETIMER" | "RATEEST" | "HMARK" | "ECN" => {
            reader.skip_all();
            Action::Continue
        }
        "NOTRACK" => Action::Untrack,
        "CT" => {
            let off = reader.rest().iter().any(|w| w.text == "--notrack" && !w.quoted);
            reader.skip_all();
            if off { Action::Untrack } else { Action::Continue }
        }
        "MASQUERADE" | "SNAT" | "SAME" => {
            reader.skip_all();
            Action::Translate(Translation::Source)
        }
        "DNAT" => {
            let translation = destination(reader)?;
            reader.skip_all();
            Action::Translate(translation)
        }
        "REDIRECT" => {
            let mut ports = None;
            if matches!(reader.peek(), "--to-ports" | "--to-port") {
                reader.next();
                let at = reader.at;
                let text = reader.value()?.to_string();
                ports = Some(port_span(&text).ok_or_else(|| (at, bad(&text)))?);
            }
            reader.skip_all();
            Action::Translate(Translation::Redirect { ports })
        }
        "QUEUE" | "NFQUEUE" | "TPROXY" | "SYNPROXY" | "NETMAP" | "MIRROR" | "DNPT" | "SNPT" => {
            reader.skip_all();
            Action::Unknown
        }
        // Chains are declared before rules name them, so this is an extension that is not known, or a mistake.
        _ if name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) => {
            reader.skip_all();
            Action::Unknown
        }
        _ => return Err((at, Text::new("unknown-chain").arg("chain", name))),
    };
    Ok((action, false))
}

/// The error for a value that does not fit.
pub fn bad(value: &str) -> Text {
    Text::new("bad-value").arg("value", value)
}

fn port_span(text: &str) -> Option<(u16, u16)> {
    let text = text.split('/').next()?;
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let port = |t: &str| t.parse::<u16>().ok().or_else(|| crate::names::service(t));
    let (lo, hi) = (port(lo)?, port(hi)?);
    (lo <= hi).then_some((lo, hi))
}

/// `--to-destination 10.0.0.1[-10.0.0.9][:80[-90]]`, `[2001:db8::1]:443`, `:8080`.
fn destination(reader: &mut Matches<'_>) -> Result<Translation, Bad> {
    let mut found: Option<Translation> = None;
    while reader.peek() == "--to-destination" {
        reader.next();
        let at = reader.at;
        let text = reader.value()?.to_string();
        let family = reader.context.family;
        let one = target_of(family, &text).ok_or_else(|| (at, bad(&text)))?;
        found = Some(match found {
            None => one,
            // Old listings name several: any of them.
            Some(Translation::Destination { addresses: Some((f, lo, hi)), ports, tag }) => match one {
                Translation::Destination { addresses: Some((_, a, b)), ports: p, .. } if p == ports => {
                    Translation::Destination { addresses: Some((f, lo.min(a), hi.max(b))), ports, tag }
                }
                _ => return Err((at, bad(&text))),
            },
            Some(_) => return Err((at, bad(&text))),
        });
    }
    found.ok_or_else(|| (reader.at, Text::new("expected-value")))
}

fn target_of(family: Family, text: &str) -> Option<Translation> {
    let (addresses, ports) = match (text.strip_prefix('['), family) {
        (Some(rest), Family::V6) => {
            let (address, rest) = rest.split_once(']')?;
            (address, rest.strip_prefix(':'))
        }
        (None, Family::V6) => (text, None),
        _ => text.split_once(':').map_or((text, None), |(a, p)| (a, Some(p))),
    };
    let addresses = match addresses {
        "" => None,
        text => {
            let (lo, hi) = text.split_once('-').unwrap_or((text, text));
            let bits =
                |t: &str| t.parse::<IpAddr>().ok().filter(|a| Family::of(*a) == family).map(address_bits);
            let (lo, hi) = (bits(lo)?, bits(hi)?);
            if lo > hi {
                return None;
            }
            Some((family, lo, hi))
        }
    };
    let ports = match ports {
        None => None,
        Some(text) => Some(port_span(text)?),
    };
    (addresses.is_some() || ports.is_some()).then_some(Translation::Destination { addresses, ports, tag: 1 })
}
