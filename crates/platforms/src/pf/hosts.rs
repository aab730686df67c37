//! Hosts of rules and tables: what is written, and which addresses that is (pf.conf(5), PACKET FILTERING, TABLES).

use super::lex::Kind;
use super::words::{Bad, Words};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_model::{Family, Ranges, Span, Text, address_bits, parse_prefix, prefix_range};
use tillgate_ruleset::NameSet;

/// One host of a list, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Host {
    /// `any`
    Any,
    /// Addresses; with `true`, all others of their family.
    Addresses(Family, Ranges, bool),
    /// `<name>`, or `! <name>`.
    Table(String, bool),
    /// The addresses of an interface, of its group, or of the firewall when the rules were loaded (`self`).
    Own(String, bool),
    /// The addresses of the firewall at any time: `(self)`.
    Firewall(bool),
    /// The network of an interface (`em0:network`).
    Network(String, bool),
    /// `urpf-failed`
    ReversePath,
    /// What only the running system knows: names, routes, other addresses of an interface.
    Unknown(String),
}

/// Hosts of one kind: a rule holds one of them for each of its ends, and stands once for every pair.
#[derive(Clone, Debug, Default)]
pub struct Alternative {
    /// Any address at all.
    pub any: bool,
    /// Addresses by family, where not any.
    pub ranges: [Ranges; 2],
    /// What more is asked of the address.
    pub more: More,
    /// Why it may or may not match.
    pub doubt: Option<Text>,
    /// The name of what a translation may also name (`em0` of `(em0)`).
    pub symbol: Option<String>,
}

/// What more is asked of an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum More {
    /// Nothing.
    #[default]
    Nothing,
    /// It belongs (`true`: does not) to the firewall.
    Own(bool),
    /// The way back to it is (`true`: is not) another interface than the one it came in by.
    ReversePath(bool),
    /// One of these names led to it.
    Names(NameSet),
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What is certainly in it, by family.
    pub ranges: [Ranges; 2],
    /// Something may add to it, or take away.
    pub open: bool,
    /// The names whose addresses a resolver puts into it.
    pub names: Option<NameSet>,
    /// Where it is declared.
    pub span: Option<Span>,
}

/// First and last addresses.
type Spans = Vec<(u128, u128)>;

/// Hosts of one list that are not known here and still told apart.
const MOST_UNKNOWN: usize = 16;

fn all(family: Family) -> Ranges {
    Ranges::full(family.max_address())
}

fn only(family: Family, ranges: Ranges) -> [Ranges; 2] {
    match family {
        Family::V4 => [ranges, Ranges::empty()],
        Family::V6 => [Ranges::empty(), ranges],
    }
}

/// Reads `10.0.0.1`, `10/8`, `192.168/16`, `10.17.20.9/24`, `2001:db8::1`, `fe80::1%em0` with the length behind `/`.
pub fn addresses(text: &str, length: Option<&str>) -> Option<(Family, Ranges)> {
    let bare = text.split_once('%').map_or(text, |(a, _)| a);
    let (address, default) = match bare.parse::<IpAddr>() {
        Ok(address) => (address, None),
        Err(_) => {
            let parts: Vec<&str> = bare.split('.').collect();
            let number = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
            if parts.len() > 3 || !parts.iter().all(number) {
                return None;
            }
            let padded = format!("{bare}{}", ".0".repeat(4 - parts.len()));
            (padded.parse().ok()?, Some(8 * parts.len()))
        }
    };
    let length = length.map(str::to_string).or(default.map(|d| d.to_string()));
    let net = match length {
        Some(length) => parse_prefix(&format!("{address}/{length}"))?,
        None => parse_prefix(&address.to_string())?,
    };
    let (lo, hi) = prefix_range(&net);
    Some((Family::of(address), Ranges::span(lo, hi)))
}

/// Reads `10.0.0.1-10.0.0.9`.
fn span(lo: &str, hi: &str) -> Option<(Family, Ranges)> {
    let (lo, hi): (IpAddr, IpAddr) = (lo.trim().parse().ok()?, hi.trim().parse().ok()?);
    let ranges = Ranges::span(address_bits(lo), address_bits(hi));
    (Family::of(lo) == Family::of(hi) && !ranges.is_empty()).then(|| (Family::of(lo), ranges))
}

/// Whether a name is one of interfaces: they end in their number; groups and drivers have none.
pub fn is_interface(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic());
    named
        && !name.contains(':')
        && (!name.contains('.') || last.bytes().all(|b| b.is_ascii_digit()))
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// `em0`, `em0:network`, `em0:0`: the interface's addresses, or what the word behind the colon says.
fn of_interface(text: &str, negate: bool) -> Option<Host> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    if !is_interface(name) {
        return None;
    }
    let mut host = Host::Own(name.to_string(), negate);
    for word in parts {
        host = match (word, host) {
            ("0", host) => host,
            ("network", _) => Host::Network(name.to_string(), negate),
            ("broadcast" | "peer", _) => Host::Unknown(text.to_string()),
            _ => return None,
        };
    }
    Some(host)
}

/// Reads one host.
pub fn host(words: &mut Words<'_>, out: &mut Vec<Host>) -> Result<(), Bad> {
    let negate = words.eat("!");
    if words.eat("<") {
        let name = words.value()?.text.clone();
        // A verbose listing adds how many entries there are: `<name:7>`.
        let name = name.split(':').next().unwrap_or_default().to_string();
        words.expect(">")?;
        out.push(Host::Table(name, negate));
        return Ok(());
    }
    if words.eat("(") {
        let token = words.value()?;
        let host = of_interface(&token.text, negate).ok_or_else(|| words.bad(token))?;
        let masked = words.eat("/");
        if masked {
            words.skip();
        }
        words.expect(")")?;
        let masked = words.eat("/") && words.skip().is_some() || masked;
        out.push(match host {
            _ if masked => Host::Unknown(token.text.clone()),
            _ if token.text == "self" => Host::Firewall(negate),
            host => host,
        });
        return Ok(());
    }
    let token = words.value()?;
    let word = token.kind == Kind::Word;
    match token.text.as_str() {
        "any" if word => out.push(Host::Any),
        "self" if word => out.push(Host::Own("self".into(), negate)),
        "urpf-failed" if word && !negate => out.push(Host::ReversePath),
        "no-route" | "urpf-failed" if word => out.push(Host::Unknown(token.text.clone())),
        "route" if word && words.peek().is_some_and(|t| t.kind == Kind::Quoted) => {
            out.push(Host::Unknown("route".into()));
            words.skip();
        }
        text => {
            let length = if words.eat("/") { Some(words.value()?) } else { None };
            // `10.0.0.1 - 10.0.0.9`, `10.0.0.1-10.0.0.9`, and the same in quotes.
            let found = if length.is_none() && words.eat("-") {
                let hi = words.value()?;
                Some(span(text, &hi.text).ok_or_else(|| words.bad(hi))?)
            } else if let (None, Some(found)) =
                (length, text.split_once('-').and_then(|(lo, hi)| span(lo, hi)))
            {
                Some(found)
            } else {
                addresses(text, length.map(|t| t.text.as_str()))
            };
            if let Some((family, ranges)) = found {
                out.push(Host::Addresses(family, ranges, negate));
                return Ok(());
            }
            let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                || text.contains(':') && text.parse::<IpAddr>().is_ok();
            let host = if length.is_none() { of_interface(text, negate) } else { None };
            match host {
                Some(host) => out.push(host),
                // A name, or an interface with a length behind it.
                None if !numeric
                    && (!text.contains(':') || is_interface(text.split(':').next().unwrap_or_default())) =>
                {
                    out.push(Host::Unknown(text.to_string()));
                }
                None => return Err(words.bad(length.unwrap_or(token))),
            }
        }
    }
    Ok(())
}

impl Host {
    /// The table it names.
    pub fn table(&self) -> Option<&str> {
        if let Host::Table(name, _) = self { Some(name) } else { None }
    }
}

fn doubt(what: &str) -> Option<Text> {
    Some(Text::new("not-modelled-match").arg("what", what))
}

/// What a list of hosts stands for. `source`: it is the source end, which no name leads to; `on`: the interfaces of
/// the rule.
pub fn alternatives(
    hosts: &[Host],
    tables: &BTreeMap<String, Table>,
    source: bool,
    on: &[(String, bool)],
) -> Vec<Alternative> {
    let mut certain = [Vec::new(), Vec::new()];
    let mut out = Vec::new();
    let anywhere = Alternative { any: true, ..Alternative::default() };
    let mut add = |ranges: [Ranges; 2]| {
        for (list, ranges) in certain.iter_mut().zip(&ranges) {
            list.extend_from_slice(ranges.as_slice());
        }
    };
    for host in hosts {
        // One more is enough to know that they are too many.
        out.truncate(MOST_UNKNOWN + 1);
        match host {
            Host::Any => return vec![anywhere],
            Host::Addresses(family, ranges, false) => add(only(*family, ranges.clone())),
            Host::Addresses(family, ranges, true) => {
                add(only(*family, ranges.complement(family.max_address())));
            }
            Host::Table(name, negate) => match tables.get(name) {
                Some(table) => table.alternatives(name, *negate, source, &mut add, &mut out),
                None => out.push(Alternative {
                    doubt: Some(Text::new("not-modelled-set").arg("set", name)),
                    ..anywhere.clone()
                }),
            },
            Host::Own(name, negate) => out.push(Alternative {
                more: if source { More::Nothing } else { More::Own(*negate) },
                doubt: doubt(name),
                symbol: (!negate).then(|| name.clone()),
                ..anywhere.clone()
            }),
            Host::Firewall(negate) => out.push(Alternative {
                more: if source { More::Nothing } else { More::Own(*negate) },
                doubt: if source { doubt("self") } else { None },
                ..anywhere.clone()
            }),
            Host::Network(name, negate) => out.push(Alternative {
                more: match on {
                    // What is asked is whether the packet came in where it belongs.
                    [(here, elsewhere)] if source && here == name && !(*negate && *elsewhere) => {
                        More::ReversePath(!negate && !elsewhere)
                    }
                    _ => More::Nothing,
                },
                doubt: doubt(&format!("{name}:network")),
                ..anywhere.clone()
            }),
            Host::ReversePath => {
                out.push(Alternative { more: More::ReversePath(false), ..anywhere.clone() });
            }
            Host::Unknown(what) => out.push(Alternative { doubt: doubt(what), ..anywhere.clone() }),
        }
    }
    if out.len() > MOST_UNKNOWN {
        // Too many to tell apart: any of them, in doubt.
        let doubt = out.iter().find_map(|a| a.doubt.clone()).or_else(|| doubt("{ }"));
        out = vec![Alternative { doubt, ..anywhere.clone() }];
    }
    let ranges = certain.map(Ranges::from_unsorted);
    if ranges.iter().any(|r| !r.is_empty()) {
        out.insert(0, Alternative { ranges, ..Alternative::default() });
    }
    if out.is_empty() {
        // A table with nothing in it: no packet.
        out.push(Alternative::default());
    }
    out
}

impl Table {
    /// The table of its entries: of those that hold an address the longest decides.
    pub fn of(hosts: &[Host]) -> Table {
        let mut table = Table::default();
        let mut by_length: BTreeMap<(u32, bool), [Spans; 2]> = BTreeMap::new();
        for host in hosts {
            match host {
                Host::Addresses(family, ranges, negate) => {
                    for &(lo, hi) in ranges.as_slice() {
                        let length = (lo ^ hi).leading_zeros();
                        let at = usize::from(*family == Family::V6);
                        if let Some(list) = by_length.entry((length, *negate)).or_default().get_mut(at) {
                            list.push((lo, hi));
                        }
                    }
                }
                Host::Any => table.ranges = Family::BOTH.map(all),
                _ => table.open = true,
            }
        }
        for ((_, negate), lists) in by_length {
            for (have, list) in table.ranges.iter_mut().zip(lists) {
                let list = Ranges::from_unsorted(list);
                *have = if negate { have.subtract(&list) } else { have.union(&list) };
            }
        }
        table
    }

    fn alternatives(
        &self,
        name: &str,
        negate: bool,
        source: bool,
        add: &mut dyn FnMut([Ranges; 2]),
        out: &mut Vec<Alternative>,
    ) {
        let [v4, v6] = &self.ranges;
        let rest = [v4.complement(Family::V4.max_address()), v6.complement(Family::V6.max_address())];
        let open = Some(Text::new("not-modelled-set").arg("set", name));
        match &self.names {
            Some(names) if !negate && !source => {
                add(self.ranges.clone());
                let more = More::Names(names.clone());
                out.push(Alternative { any: true, more, ..Alternative::default() });
            }
            Some(_) => out.push(Alternative { any: true, doubt: open, ..Alternative::default() }),
            // What is in an open table may be taken away as well, but files are written so that it stays.
            None if self.open => {
                if !negate {
                    add(self.ranges.clone());
                }
                out.push(Alternative { ranges: rest, doubt: open, ..Alternative::default() });
            }
            None => add(if negate { rest } else { self.ranges.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_prefixes_are_filled_and_host_bits_dropped() {
        let read = |text, length| addresses(text, length).map(|(_, r)| r.as_slice().to_vec());
        assert_eq!(read("10", Some("8")), Some(vec![(0x0a00_0000, 0x0aff_ffff)]));
        assert_eq!(read("10.17.20.9", Some("24")), Some(vec![(0x0a11_1400, 0x0a11_14ff)]));
        assert_eq!(read("10.17.20.9", Some("33")), None);
        assert_eq!(read("web", None), None);
    }

    #[test]
    fn the_longest_entry_of_a_table_decides() {
        let entry = |text: &str, length, negate| {
            let (family, ranges) = addresses(text, Some(length)).unwrap_or((Family::V4, Ranges::empty()));
            Host::Addresses(family, ranges, negate)
        };
        let table = Table::of(&[
            entry("10.17.30.5", "32", false),
            entry("10.17.0.0", "16", false),
            entry("10.17.30.0", "24", true),
        ]);
        let holds = |text: &str| {
            let bits = text.parse().map(address_bits).unwrap_or(0);
            table.ranges.first().is_some_and(|r| r.contains(bits))
        };
        assert!(holds("10.17.10.1") && !holds("10.17.30.9") && holds("10.17.30.5"));
    }
}
