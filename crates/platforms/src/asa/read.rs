//! The commands of a configuration, line by line.

use super::address::{host, network, number};
use super::config::*;
use super::lines::{Bad, Line, Words, each};
use super::{exempt, section, undo, words};
use std::sync::Arc;
use tillgate_model::{Family, SourceFile, Span, Text, address_bits};
use tillgate_packetset::Cube;
use tillgate_ruleset::What;

/// The block that indented lines belong to.
#[derive(Clone, Copy, Debug)]
pub enum Block<'a> {
    None,
    /// One without bearing on packets.
    Exempt,
    Interface(usize),
    Network(&'a str),
    Service(&'a str),
    Group(&'a str),
    Time(&'a str),
    Class(&'a str),
    Policy(&'a str),
    /// A map of an inspection.
    Map(&'a str),
    Portal,
}

/// Reads all files as one configuration.
pub fn read<'a>(files: &'a [Arc<SourceFile>]) -> Config<'a> {
    let mut config = Config::default();
    for file in files {
        let mut open = (Block::None, 0);
        each(file, |line| {
            config.head.get_or_insert_with(|| line.span.clone());
            if let Err(bad) = take(&mut config, &mut open, line) {
                config.error(bad);
            }
        });
    }
    // A file of comments alone.
    if let Some(file) = files.first() {
        config.head.get_or_insert(Span::new(file, 0, file.text.lines().next().map_or(0, str::len)));
    }
    config.index();
    config
}

/// Reads a line, with the block that is open and how far the line that opened it is indented.
fn take<'a>(config: &mut Config<'a>, open: &mut (Block<'a>, usize), mut line: Line<'a>) -> Result<(), Bad> {
    let first = line.word(0).to_ascii_lowercase();
    let (block, depth) = (&mut open.0, open.1);
    let indent = line.indent;
    let below = indent > depth && !matches!(block, Block::None);
    let negated = usize::from(first == "no");
    let own = line.is(negated, "nat") && matches!(block, Block::Network(_));
    if below
        && (own || !exempt::stands_alone(line.word(negated), line.word(negated + 1)))
        && let Some(result) = section::inner(config, *block, &line)
    {
        return result;
    }
    // Outside a block, and below one that does not know the line, it is a command, whatever its indent.
    line.indent = 0;
    let line = &line;
    if matches!(first.as_str(), "banner" | "description") {
        return Ok(());
    }
    if first == "no"
        && let Some(result) = section::inner(config, *block, line)
    {
        return result;
    }
    if let Some(result) = command(config, block, line, &first) {
        open.1 = indent;
        return result;
    }
    // Typed commands of a block may stand without a blank.
    if let Some(result) = section::inner(config, *block, line) {
        return result;
    }
    *open = (Block::Exempt, indent);
    mention(config, line, 0);
    if !exempt::command(&first, line.word(1)) {
        config.bound_by(&line.stretch(0, 0), line.word(0), None);
    }
    Ok(())
}

/// Remembers words that may refer to something.
pub fn mention<'a>(config: &mut Config<'a>, line: &Line<'a>, from: usize) {
    config.mentioned.extend(line.words.iter().skip(from).map(|(_, word)| *word));
}

/// A command that bears on packets; `None` when it is none.
fn command<'a>(
    config: &mut Config<'a>,
    block: &mut Block<'a>,
    line: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    let second = line.word(1).to_ascii_lowercase();
    let opened = section::open(config, line, first, &second);
    if let Some(opened) = opened {
        *block = opened;
        return Some(Ok(()));
    }
    let result = match (first, second.as_str()) {
        ("asa" | "pix", "version") => version(config, line),
        ("firewall", "transparent") => {
            config.transparent = true;
            Ok(())
        }
        ("name", _) => alias(config, line),
        ("same-security-traffic", "permit") => match line.word(2).to_ascii_lowercase().as_str() {
            "inter-interface" => {
                config.inter = true;
                Ok(())
            }
            "intra-interface" => {
                config.intra = true;
                Ok(())
            }
            _ => Err((line.place(2), Text::new("unknown-word").arg("word", line.word(2)))),
        },
        ("access-list", "alert-interval" | "deny-flow-max") => Ok(()),
        ("access-list", _) => list_line(config, line, 1, false),
        ("ipv6", "access-list") => list_line(config, line, 2, true),
        ("access-group", _) => access_group(config, line),
        ("nat", _) => {
            mention(config, line, 1);
            config.nat.push(NatLine { span: line.span.clone(), object: None });
            Ok(())
        }
        // Translations of software before 8.3, whose lists name other addresses.
        ("static" | "global", _) => Err((line.place(0), Text::new("asa-old"))),
        ("ssh" | "telnet" | "http", _) => access(config, line, first),
        ("icmp", "permit" | "deny") => icmp_line(config, line, 1, Family::V4),
        ("ipv6", "icmp") => icmp_line(config, line, 2, Family::V6),
        ("logging", _) => logging(config, line),
        ("service-policy", _) => {
            mention(config, line, 1);
            let policy = Named { name: line.word(1), span: line.span.clone() };
            let interface = line.is(2, "interface").then(|| line.word(3));
            config.service_policies.push((policy, interface));
            Ok(())
        }
        ("fixup", "protocol") => {
            section::fixup(config, line);
            Ok(())
        }
        ("ip", "verify") if line.is(2, "reverse-path") && line.is(3, "interface") => {
            config.reverse_path.push(Named { name: line.word(4), span: line.span.clone() });
            Ok(())
        }
        ("clear", "configure") => {
            undo::clear(config, line);
            Ok(())
        }
        ("no", _) => undo::no(config, line),
        ("aaa" | "crypto" | "ip" | "dhcpd" | "dhcprelay" | "snmp-server" | "threat-detection", _)
        | ("dynamic-filter" | "established" | "filter" | "vpnclient" | "ipv6", _) => {
            return device(config, block, line, first, &second);
        }
        _ => return None,
    };
    *block = Block::None;
    Some(result)
}

/// Features of the device that open services of it, or that may decide about packets beside the lists.
fn device<'a>(
    config: &mut Config<'a>,
    block: &mut Block<'a>,
    line: &Line<'a>,
    first: &str,
    second: &str,
) -> Option<Result<(), Bad>> {
    let span = &line.span;
    let named = |at: usize| Named { name: line.word(at), span: line.place(at) };
    match (first, second) {
        ("aaa", "authentication" | "authorization") if line.is(2, "match") => {
            config.logins.push((named(3), line.word(4)));
        }
        // Answers those who have to log in, if any have.
        ("aaa", "authentication") if line.is(2, "listener") => {
            let usual = if line.is(3, "https") { 443 } else { 80 };
            let port = if line.is(5, "port") { words::port(line.word(6)) } else { None };
            perhaps(config, line, 4, section::tcp(port.unwrap_or(usual)));
        }
        // Who logs in to the device itself.
        ("aaa", "authentication" | "authorization") if !line.is(2, "include") && !line.is(2, "exclude") => {}
        ("aaa", "authentication" | "authorization") => config.bound_by(span, "aaa", None),
        ("crypto", "map") if line.is(4, "match") && line.is(5, "address") => {
            config.crypto.push((line.word(2), named(6)));
        }
        ("crypto", "map") if line.is(3, "interface") => {
            config.crypto_interfaces.entry(line.word(2)).or_default().push(line.word(4));
        }
        ("crypto", "map") if line.is(5, "dynamic") => config.crypto_dynamic.push((line.word(2), named(6))),
        ("crypto", "dynamic-map") => {
            let list = (line.is(4, "match") && line.is(5, "address")).then(|| named(6));
            let entry =
                config.dynamic_entries.entry(line.word(2)).or_default().entry(line.word(3)).or_default();
            *entry = list.or(entry.take());
        }
        ("crypto", "ikev1" | "ikev2" | "isakmp") if line.is(2, "enable") => {
            let cubes = [section::udp(500), section::udp(4500), section::protocol(50)];
            open_service(config, line, Some(line.word(3)), cubes.into_iter().flatten().collect());
        }
        ("ip", "local") if line.is(2, "pool") => pool(config, line),
        ("ip", "audit") => config.bound_by(span, "ip audit", None),
        ("dhcpd" | "dhcprelay", "enable") => {
            let cubes = section::udp(67).into_iter().collect();
            open_service(config, line, Some(line.word(2)), cubes);
        }
        ("snmp-server", "host" | "host-group") => snmp(config, line),
        ("threat-detection", "scanning-threat") if line.is(2, "shun") => {
            config.bound_by(span, "threat-detection scanning-threat shun", None);
        }
        ("threat-detection", "scanning-threat") => {}
        ("dynamic-filter", "drop") => config.bound_by(span, "dynamic-filter drop", None),
        ("established" | "filter" | "vpnclient", _) => config.bound_by(span, line.word(0), None),
        _ => return None,
    }
    mention(config, line, 1);
    *block = Block::None;
    Some(Ok(()))
}

fn version<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    config.head = Some(line.span.clone());
    let mut parts = line.word(2).split(['.', '(']).map(|n| n.parse::<u32>().ok());
    if let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) {
        config.version = Some((major, minor));
        if (major, minor) < (8, 3) {
            return Err((line.span.clone(), Text::new("asa-old")));
        }
    }
    Ok(())
}

fn alias<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    let address = number(config, line.word(1)).filter(|_| !line.word(2).is_empty());
    match address {
        Some(address) => {
            config.aliases.insert(line.word(2), address);
            Ok(())
        }
        None => Err((line.place(1), Text::new("bad-value").arg("value", line.word(1)))),
    }
}

/// A line of an access list; `at` is the word of its name.
fn list_line<'a>(config: &mut Config<'a>, line: &Line<'a>, at: usize, six: bool) -> Result<(), Bad> {
    let name = line.word(at);
    if name.is_empty() {
        return Err((line.span.clone(), Text::new("expected-value")));
    }
    if line.is(at + 1, "advanced") {
        return Err((line.stretch(0, at + 1), Text::new("asa-ftd")));
    }
    let numbered = line.is(at + 1, "line");
    let place = if numbered { line.word(at + 2).parse::<usize>().ok() } else { None };
    if numbered && place.is_none() {
        return Err((line.place(at + 2), Text::new("bad-value").arg("value", line.word(at + 2))));
    }
    let from = if numbered { at + 3 } else { at + 1 };
    let kind = match line.word(from).to_ascii_lowercase().as_str() {
        "standard" | "webtype" => ListKind::Standard,
        "ethertype" => ListKind::Ethertype,
        _ if six => ListKind::Six,
        _ => ListKind::Extended,
    };
    let remark = line.is(from, "remark");
    if !remark {
        mention(config, line, from);
    }
    let new = || List { kind, span: line.span.clone(), lines: Vec::new(), remarks_alone: true };
    let list = config.lists.entry(name).or_insert_with(new);
    // A remark may stand before the line that says what kind of list it is; later all lines are of one kind.
    if !remark && list.remarks_alone {
        (list.kind, list.remarks_alone) = (kind, false);
    } else if !remark && list.kind != kind {
        return Err((line.place(from), Text::new("bad-value").arg("value", line.word(from))));
    }
    match place.and_then(|n| n.checked_sub(1)).filter(|n| *n < list.lines.len()) {
        Some(before) => list.lines.insert(before, line.span.clone()),
        None => list.lines.push(line.span.clone()),
    }
    Ok(())
}

fn access_group<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    mention(config, line, 1);
    config.applied.push(applied(line)?);
    Ok(())
}

/// What an `access-group` line applies.
pub fn applied<'a>(line: &Line<'a>) -> Result<Applied<'a>, Bad> {
    let mut words = Words { line, at: 1 };
    let list = words.next()?;
    let word = words.next()?;
    let mut applied =
        Applied { list, point: Point::Global, interface: None, span: line.span.clone(), overridden: false };
    if !word.eq_ignore_ascii_case("global") {
        applied.point = match word.to_ascii_lowercase().as_str() {
            "in" => Point::In,
            "out" => Point::Out,
            _ => return Err(words.bad()),
        };
        if !words.take("interface") {
            return Err(words.unknown());
        }
        let name = words.next()?;
        applied.interface = Some(Named { name, span: line.place(words.at - 1) });
        while !words.done() {
            if words.take("control-plane") {
                applied.point = Point::ControlPlane;
            } else if words.take("per-user-override") {
                applied.overridden = true;
            } else {
                return Err(words.unknown());
            }
        }
    }
    Ok(applied)
}

/// `ssh|telnet|http NET MASK IF`, and what else these words begin.
fn access<'a>(config: &mut Config<'a>, line: &Line<'a>, first: &str) -> Result<(), Bad> {
    let service = match first {
        "ssh" => "ssh",
        "telnet" => "telnet",
        _ => "http",
    };
    if service == "http" && line.is(1, "server") {
        if line.is(2, "enable") {
            config.http = Some(line.word(3).parse().unwrap_or(443));
        }
        return Ok(());
    }
    // Sends browsers on to the other port.
    if service == "http" && line.is(1, "redirect") {
        let port = words::port(line.word(3)).unwrap_or(80);
        perhaps(config, line, 2, section::tcp(port));
        return Ok(());
    }
    let new = accesses(config, line, service)?;
    if service == "telnet" && !new.is_empty() {
        config.fact(&line.span, What::CleartextManagement("telnet".into()));
    }
    config.access.extend(new);
    Ok(())
}

/// Who may in by a `ssh`, `telnet` or `http` line; none where it says something else.
pub fn accesses<'a>(
    config: &Config<'a>,
    line: &Line<'a>,
    service: &'static str,
) -> Result<Vec<Access<'a>>, Bad> {
    let second = line.word(1);
    // Others are timeouts, versions, ciphers and the like.
    let looks = second == "0" || second.contains(['.', ':', '/']) || number(config, second).is_some();
    if !looks && line.word(2).parse::<std::net::Ipv4Addr>().is_err() {
        return Ok(Vec::new());
    }
    let mut words = Words { line, at: 1 };
    let (family, ranges) = network(config, &mut words)?;
    let interface = Named { name: words.next()?, span: line.place(words.at - 1) };
    let one = |(lo, hi): &(u128, u128)| {
        let (source, interface) = ((family, *lo, *hi), interface.clone());
        Access { span: line.span.clone(), service, source, interface }
    };
    Ok(ranges.as_slice().iter().map(one).collect())
}

fn icmp_line<'a>(config: &mut Config<'a>, line: &Line<'a>, at: usize, family: Family) -> Result<(), Bad> {
    config.icmp.extend(icmp_lines(config, line, at, family)?);
    Ok(())
}

/// What an `icmp` or `ipv6 icmp` line decides; `at` is the word `permit` or `deny`.
pub fn icmp_lines<'a>(
    config: &Config<'a>,
    line: &Line<'a>,
    at: usize,
    family: Family,
) -> Result<Vec<IcmpLine<'a>>, Bad> {
    let mut words = Words { line, at };
    let permit = match words.next()?.to_ascii_lowercase().as_str() {
        "permit" => true,
        "deny" => false,
        _ => return Err(words.bad()),
    };
    let sources = match words.peek().to_ascii_lowercase().as_str() {
        "any" | "any4" | "any6" => {
            words.at += 1;
            vec![None]
        }
        "host" => {
            words.at += 1;
            let (_, address) = host(config, &mut words)?;
            vec![Some((address, address))]
        }
        _ => network(config, &mut words)?.1.as_slice().iter().copied().map(Some).collect(),
    };
    let mut kind = None;
    if words.at + 1 < line.words.len() {
        let word = words.next()?;
        kind = Some(words::icmp(word, family == Family::V6).ok_or_else(|| words.bad())?);
    }
    let interface = Named { name: words.next()?, span: line.place(words.at - 1) };
    if !words.done() {
        return Err(words.unknown());
    }
    let one = |source: Option<(u128, u128)>| {
        let (span, interface) = (line.span.clone(), interface.clone());
        IcmpLine { span, family, permit, source, kind, interface }
    };
    Ok(sources.into_iter().map(one).collect())
}

fn logging<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    let settings = &mut config.logging;
    match line.word(1).to_ascii_lowercase().as_str() {
        "enable" | "on" => settings.enabled = true,
        "buffered" | "trap" | "asdm" | "console" | "monitor" | "history" | "mail" => {
            // A list of messages may hold any.
            let level = words::level(line.word(2)).unwrap_or(7);
            settings.levels.insert(line.word(1).to_ascii_lowercase(), level);
        }
        "message" => {
            let level = line.is(3, "level").then(|| words::level(line.word(4))).flatten();
            if let (Ok(message), Some(level)) = (line.word(2).parse(), level) {
                settings.messages.insert(message, Some(level));
            }
        }
        _ => {}
    }
    Ok(())
}

fn open_service<'a>(config: &mut Config<'a>, line: &Line<'a>, interface: Option<&'a str>, cubes: Vec<Cube>) {
    config.opened.push(Opened { span: line.span.clone(), interface, source: None, cubes, sure: true });
}

/// A service that may answer at the interface a word names.
fn perhaps<'a>(config: &mut Config<'a>, line: &Line<'a>, at: usize, cube: Option<Cube>) {
    let (span, interface) = (line.span.clone(), Some(line.word(at)).filter(|name| !name.is_empty()));
    let what = line.word(0);
    config.note(&span, what, true);
    let cubes = cube.into_iter().collect();
    config.opened.push(Opened { span, interface, source: None, cubes, sure: false });
}

/// Who reads values of the device; without version 3 anybody on the way reads them too.
fn snmp<'a>(config: &mut Config<'a>, line: &Line<'a>) {
    // The community stands behind these words, and is quoted nowhere.
    let span = line.stretch(0, 3.min(line.words.len().saturating_sub(1)));
    let has = |word: &str| (4..line.words.len()).any(|at| line.is(at, word));
    let third = (4..line.words.len()).any(|at| line.is(at, "version") && line.word(at + 1) == "3");
    if has("trap") && !has("poll") {
        return;
    }
    let source = number(config, line.word(3)).map(|a| {
        let bits = address_bits(a);
        (Family::of(a), bits, bits)
    });
    if !third {
        config.fact(&span, What::CleartextManagement("snmp".into()));
    }
    let sure = source.is_some();
    let cubes = section::udp(161).into_iter().collect();
    config.opened.push(Opened { span, interface: Some(line.word(2)), source, cubes, sure });
}

/// Addresses of people who come in by a tunnel, past the lists.
fn pool<'a>(config: &mut Config<'a>, line: &Line<'a>) {
    let (lo, hi) = line.word(4).split_once('-').unwrap_or((line.word(4), line.word(4)));
    let (Some(lo), Some(hi)) = (number(config, lo), number(config, hi)) else {
        config.bound_by(&line.span, "ip local pool", None);
        return;
    };
    config.note(&line.span, "ip local pool", true);
    let what = Text::new("not-modelled-statement").arg("what", "ip local pool");
    let source = Some((Family::of(lo), address_bits(lo), address_bits(hi)));
    config.bounds.push(Bound { span: line.span.clone(), what, input: None, source });
}
