//! One entry of an access list, as it is written.

use super::lines::{Line, is};
use super::words::{self, Flag};
use std::net::{Ipv4Addr, Ipv6Addr};
use tillgate_model::{Family, Ranges, Span, Text, parse_prefix, prefix_range};

/// What is wrong, and where.
pub type Bad = (Span, Text);

/// An entry that permits or denies.
#[derive(Clone, Debug)]
pub struct Entry {
    pub span: Span,
    pub permit: bool,
    pub services: Services,
    pub source: Address,
    pub destination: Address,
    /// TCP flag bytes.
    pub flags: Option<Ranges>,
    pub log: bool,
    /// About later fragments only: never a whole packet.
    pub fragments: bool,
    /// Remembers sessions under this name.
    pub reflect: Option<String>,
    /// In force only at these times.
    pub times: Option<String>,
    /// Conditions that are not modelled.
    pub doubts: Vec<Text>,
    /// A number at the end of the line, as IPv6 lists have it.
    pub sequence: Option<u32>,
}

/// Which protocols and ports.
#[derive(Clone, Debug)]
pub enum Services {
    Plain(Service),
    Group(String),
}

/// A protocol with ports, or with ICMP type (`source`) and code (`destination`). `None`: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub protocol: Option<u8>,
    pub source: Option<Ranges>,
    pub destination: Option<Ranges>,
}

/// One end.
#[derive(Clone, Debug)]
pub enum Address {
    Any,
    Ranges(Ranges),
    Group(String),
    /// Said in a way that is not modelled, such as a host name.
    Open(String),
}

/// Blocks that one wildcard mask may stand for; more is held to be unknown.
const MOST_BLOCKS: u32 = 10;

/// Reads an entry from the word that permits or denies on. `room` is how many more address blocks wildcard masks
/// may take up in this file.
pub fn entry(
    line: &Line<'_>,
    at: usize,
    family: Family,
    standard: bool,
    room: &mut usize,
) -> Result<Entry, Bad> {
    let permit = match line.word(at) {
        word if is(word, "permit") => true,
        word if is(word, "deny") => false,
        _ => return Err(unknown(line, at)),
    };
    let mut words = Words { line, at: at + 1, family, room };
    let mut entry = Entry {
        span: line.span.clone(),
        permit,
        services: Services::Plain(Service::default()),
        source: Address::Any,
        destination: Address::Any,
        flags: None,
        log: false,
        fragments: false,
        reflect: None,
        times: None,
        doubts: Vec::new(),
        sequence: None,
    };
    if standard {
        entry.source = words.standard()?;
    } else {
        words.extended(&mut entry)?;
    }
    words.options(&mut entry)?;
    Ok(entry)
}

fn unknown(line: &Line<'_>, at: usize) -> Bad {
    match line.words.get(at) {
        Some((_, word)) => (line.place(at), Text::new("unknown-word").arg("word", word)),
        None => (line.span.clone(), Text::new("expected-value")),
    }
}

/// What is wrong with the value at a place.
pub fn bad(line: &Line<'_>, at: usize) -> Bad {
    match line.words.get(at) {
        Some((_, word)) => (line.place(at), Text::new("bad-value").arg("value", word)),
        None => (line.span.clone(), Text::new("expected-value")),
    }
}

/// An IPv4 address as a number.
pub fn ipv4(word: &str) -> Option<u32> {
    word.parse::<Ipv4Addr>().ok().map(u32::from)
}

/// The addresses of a netmask; it must be one.
pub fn netmask(address: u32, mask: u32) -> Option<Ranges> {
    let host = !mask;
    (host & host.wrapping_add(1) == 0).then(|| Ranges::span((address & mask).into(), (address | host).into()))
}

/// The addresses of a wildcard mask, whose set bits count for nothing; `None` when they are too many blocks.
fn wildcard(address: u32, mask: u32, room: &mut usize) -> Option<Ranges> {
    let block = mask.trailing_ones();
    let low = if block == 32 { u32::MAX } else { (1 << block) - 1 };
    let scattered = mask & !low;
    let count = scattered.count_ones();
    if count > MOST_BLOCKS || count > 0 && *room < 1 << count {
        return None;
    }
    let base = address & !mask;
    if count == 0 {
        return Some(Ranges::span(base.into(), (base | low).into()));
    }
    *room -= 1 << count;
    let mut list = Vec::with_capacity(1 << count);
    // Every way to set the bits that do not count.
    let mut bits = 0u32;
    loop {
        let start = base | bits;
        list.push((u128::from(start), u128::from(start | low)));
        bits = bits.wrapping_sub(scattered) & scattered;
        if bits == 0 {
            return Some(Ranges::from_unsorted(list));
        }
    }
}

struct Words<'l, 'a, 'r> {
    line: &'l Line<'a>,
    at: usize,
    family: Family,
    room: &'r mut usize,
}

impl<'a> Words<'_, 'a, '_> {
    fn peek(&self) -> &'a str {
        self.line.word(self.at)
    }

    fn next(&mut self) -> &'a str {
        self.at += 1;
        self.line.word(self.at - 1)
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let found = is(self.peek(), keyword);
        self.at += usize::from(found);
        found
    }

    /// The last word taken does not fit.
    fn bad<T>(&self) -> Result<T, Bad> {
        Err(bad(self.line, self.at.saturating_sub(1)))
    }

    fn name(&mut self) -> Result<String, Bad> {
        match self.next() {
            "" => self.bad(),
            name => Ok(name.to_string()),
        }
    }

    fn standard(&mut self) -> Result<Address, Bad> {
        if self.takes("any") {
            return Ok(Address::Any);
        }
        let host = self.takes("host");
        let Some(address) = ipv4(self.next()) else {
            return if host && self.at <= self.line.words.len() {
                Ok(Address::Open(self.line.word(self.at - 1).to_string()))
            } else {
                self.bad()
            };
        };
        if !host && let Some(mask) = ipv4(self.peek()) {
            self.at += 1;
            return Ok(self.block(address, mask));
        }
        Ok(Address::Ranges(Ranges::single(address.into())))
    }

    fn block(&mut self, address: u32, mask: u32) -> Address {
        match wildcard(address, mask, self.room) {
            _ if mask == u32::MAX => Address::Any,
            Some(ranges) => Address::Ranges(ranges),
            None => Address::Open(format!("{} {}", Ipv4Addr::from(address), Ipv4Addr::from(mask))),
        }
    }

    fn extended(&mut self, entry: &mut Entry) -> Result<(), Bad> {
        let mut service = Service::default();
        let mut grouped = false;
        if self.takes("object-group") {
            entry.services = Services::Group(self.name()?);
            grouped = true;
        } else {
            match words::protocol(self.family, self.next()) {
                Some(protocol) => service.protocol = protocol,
                None => return self.bad(),
            }
        }
        entry.source = self.address()?;
        let ported = matches!(service.protocol, Some(words::TCP | words::UDP | 132));
        if ported {
            service.source = self.ports(service.protocol.unwrap_or_default())?;
        }
        entry.destination = self.address()?;
        match service.protocol {
            Some(protocol) if ported => service.destination = self.ports(protocol)?,
            Some(1) if self.family == Family::V4 => self.icmp(&mut service),
            Some(58) if self.family == Family::V6 => self.icmp(&mut service),
            // IGMP has types too.
            Some(2) if !self.peek().is_empty() && !self.at_option() => {
                entry.doubts.push(Text::new("not-modelled-match").arg("what", self.next()));
            }
            _ => {}
        }
        if !grouped {
            entry.services = Services::Plain(service);
        }
        Ok(())
    }

    fn address(&mut self) -> Result<Address, Bad> {
        let word = self.next();
        match word.to_ascii_lowercase().as_str() {
            "any" => return Ok(Address::Any),
            "object-group" => return Ok(Address::Group(self.name()?)),
            "host" => {
                let host = self.next();
                let address = match self.family {
                    Family::V4 => ipv4(host).map(u128::from),
                    Family::V6 => host.parse::<Ipv6Addr>().ok().map(u128::from),
                };
                return match address {
                    Some(address) => Ok(Address::Ranges(Ranges::single(address))),
                    None if host.is_empty() => self.bad(),
                    None => Ok(Address::Open(host.to_string())),
                };
            }
            "user-group" | "fqdn-group" | "geo-group" => {
                let name = self.name()?;
                return Ok(Address::Open(format!("{word} {name}")));
            }
            "security-group" => {
                let (kind, name) = (self.name()?, self.name()?);
                return Ok(Address::Open(format!("{word} {kind} {name}")));
            }
            _ => {}
        }
        if self.family == Family::V6 {
            return match parse_prefix(word) {
                Some(net) if net.addr().is_ipv6() && word.contains('/') => {
                    let (lo, hi) = prefix_range(&net);
                    Ok(Address::Ranges(Ranges::span(lo, hi)))
                }
                _ => self.bad(),
            };
        }
        let Some(address) = ipv4(word) else { return self.bad() };
        match ipv4(self.next()) {
            Some(mask) => Ok(self.block(address, mask)),
            None => self.bad(),
        }
    }

    /// A port operator, if there is one.
    fn ports(&mut self, protocol: u8) -> Result<Option<Ranges>, Bad> {
        let operator = self.peek().to_ascii_lowercase();
        if !matches!(operator.as_str(), "eq" | "neq" | "lt" | "gt" | "range") {
            return Ok(None);
        }
        self.at += 1;
        let mut ports = vec![self.port(protocol)?];
        match operator.as_str() {
            "range" => ports.push(self.port(protocol)?),
            "eq" | "neq" => {
                while let Some(port) = words::port(protocol, self.peek()) {
                    self.at += 1;
                    ports.push(port.into());
                }
            }
            _ => {}
        }
        let first = ports.first().copied().unwrap_or_default();
        let listed = || ports.iter().map(|p| (*p, *p)).collect::<Ranges>();
        let ranges = match operator.as_str() {
            "eq" => listed(),
            "neq" => listed().complement(65535),
            "lt" if first > 0 => Ranges::span(0, first - 1),
            "gt" => Ranges::span(first + 1, 65535),
            "range" => Ranges::span(first, ports.get(1).copied().unwrap_or(first)),
            _ => Ranges::empty(),
        };
        if ranges.is_empty() { self.bad() } else { Ok(Some(ranges)) }
    }

    fn port(&mut self, protocol: u8) -> Result<u128, Bad> {
        match words::port(protocol, self.next()) {
            Some(port) => Ok(port.into()),
            None => self.bad(),
        }
    }

    fn icmp(&mut self, service: &mut Service) {
        let named = words::icmp(self.family, self.peek());
        if let Some((kind, code)) = named {
            self.at += 1;
            service.source = Some(Ranges::single(kind.into()));
            service.destination = code.map(|code| Ranges::single(code.into()));
        } else if let Ok(kind) = self.peek().parse::<u8>() {
            self.at += 1;
            service.source = Some(Ranges::single(kind.into()));
            if let Ok(code) = self.peek().parse::<u8>() {
                self.at += 1;
                service.destination = Some(Ranges::single(code.into()));
            }
        }
    }

    fn at_option(&self) -> bool {
        OPTIONS.iter().any(|o| self.peek().eq_ignore_ascii_case(o))
    }

    fn options(&mut self, entry: &mut Entry) -> Result<(), Bad> {
        let mut old_flags = Vec::new();
        loop {
            let word = self.next();
            if word.is_empty() {
                break;
            }
            let lower = word.to_ascii_lowercase();
            let mut doubt =
                |what: String| entry.doubts.push(Text::new("not-modelled-match").arg("what", what));
            match lower.as_str() {
                "established" => {
                    let seen = [Flag { bit: 0x10, set: true }, Flag { bit: 0x04, set: true }];
                    entry.flags = Some(words::flag_bytes(&seen, true));
                }
                "match-any" | "match-all" => {
                    let mut list = Vec::new();
                    while let Some(flag) = sign(self.peek()) {
                        self.at += 1;
                        list.push(flag);
                    }
                    if list.is_empty() {
                        return self.bad();
                    }
                    entry.flags = Some(words::flag_bytes(&list, lower == "match-any"));
                }
                "log" | "log-input" => {
                    entry.log = true;
                    // A word of one's own may stand behind it, to be found again in the log.
                    if !self.peek().is_empty() && !self.at_option() {
                        self.at += 1;
                    }
                }
                "fragments" => entry.fragments = true,
                "time-range" => entry.times = Some(self.name()?),
                "reflect" => entry.reflect = Some(self.name()?),
                "timeout" => drop(self.name()?),
                "sequence" => match self.next().parse() {
                    Ok(number) => entry.sequence = Some(number),
                    Err(_) => return self.bad(),
                },
                "dscp" | "precedence" | "tos" | "option" | "flow-label" | "dest-option-type"
                | "routing-type" | "mobility-type" | "ecn" => {
                    let value = self.name()?;
                    doubt(format!("{lower} {value}"));
                }
                "ttl" => {
                    let operator = self.name()?;
                    let first = self.name()?;
                    let second = if operator == "range" { self.name()? } else { String::new() };
                    doubt(format!("ttl {operator} {first} {second}").trim_end().to_string());
                }
                "dest-option" | "routing" | "hbh" | "mobility" | "auth" | "undetermined-transport" => {
                    if self.peek().parse::<u8>().is_ok() {
                        self.at += 1;
                    }
                    doubt(lower);
                }
                _ => match words::flag(&lower) {
                    Some(bit) => old_flags.push(Flag { bit, set: true }),
                    None => return Err(unknown(self.line, self.at - 1)),
                },
            }
        }
        if !old_flags.is_empty() {
            // Whether several of these must all be set, the manual does not say.
            if old_flags.len() > 1 {
                entry.doubts.push(Text::new("not-modelled-match").arg("what", "flags"));
            }
            entry.flags = Some(words::flag_bytes(&old_flags, true));
        }
        Ok(())
    }
}

/// `+ack`, `-syn`.
fn sign(word: &str) -> Option<Flag> {
    let set = match word.chars().next()? {
        '+' => true,
        '-' => false,
        _ => return None,
    };
    words::flag(word.get(1..)?).map(|bit| Flag { bit, set })
}

#[rustfmt::skip]
const OPTIONS: &[&str] = &[
    "established", "match-any", "match-all", "log", "log-input", "fragments", "time-range", "reflect", "timeout",
    "sequence", "dscp", "precedence", "tos", "option", "flow-label", "dest-option-type", "routing-type",
    "mobility-type", "ecn", "ttl", "dest-option", "routing", "hbh", "mobility", "auth", "undetermined-transport",
    "ack", "fin", "psh", "rst", "syn", "urg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_bits_count_for_nothing_wherever_they_stand() {
        let net = |text: &str| ipv4(text).unwrap_or_default();
        let mut room = 1000;
        let any_fifth = wildcard(net("10.17.0.5"), net("0.0.255.0"), &mut room).unwrap_or_default();
        assert_eq!((any_fifth.as_slice().len(), room), (256, 744));
        assert!(
            any_fifth.contains(net("10.17.99.5").into()) && !any_fifth.contains(net("10.17.99.6").into())
        );
        assert_eq!(wildcard(0, u32::MAX, &mut room), Some(Ranges::span(0, u32::MAX.into())));
        assert_eq!(wildcard(0, 0xaaaa_aaaa, &mut room), None);
        assert_eq!(
            netmask(net("10.17.20.9"), net("255.255.255.0")).map(|r| r.first()),
            Some(Some(0x0a11_1400))
        );
        assert_eq!(netmask(0, net("255.0.255.0")), None);
    }
}
