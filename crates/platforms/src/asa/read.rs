//! The commands of a configuration, line by line.

use super::address::{host, network, number};
use super::config::*;
use super::lines::{Bad, Line, Words, each};
use super::{exempt, section, words};
use std::sync::Arc;
use tillgate_model::{Family, SourceFile, Span, Text, address_bits};
use tillgate_packetset::Cube;
use tillgate_ruleset::What;

/// The block that indented lines belong to.
#[derive(Clone, Copy, Debug)]
pub enum Block<'a> {
    /// None, or one without bearing on packets.
    Skip,
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
        let mut block = Block::Skip;
        each(file, |line| {
            config.head.get_or_insert_with(|| line.span.clone());
            if let Err(bad) = take(&mut config, &mut block, &line) {
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

fn take<'a>(config: &mut Config<'a>, block: &mut Block<'a>, line: &Line<'a>) -> Result<(), Bad> {
    let first = line.word(0).to_ascii_lowercase();
    if line.indent > 0 {
        return match section::inner(config, *block, line) {
            Some(result) => result,
            None => Ok(()),
        };
    }
    if matches!(first.as_str(), "banner" | "description") {
        return Ok(());
    }
    if let Some(result) = command(config, block, line, &first) {
        return result;
    }
    // Typed commands of a block may stand without a blank.
    if !matches!(block, Block::Skip)
        && let Some(result) = section::inner(config, *block, line)
    {
        return result;
    }
    *block = Block::Skip;
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
            clear(config, line);
            Ok(())
        }
        ("no", _) => no(config, line, &second),
        ("aaa" | "crypto" | "ip" | "dhcpd" | "dhcprelay" | "snmp-server" | "threat-detection", _)
        | ("dynamic-filter" | "established" | "filter" | "vpnclient" | "ipv6", _) => {
            return device(config, block, line, first, &second);
        }
        _ => return None,
    };
    *block = Block::Skip;
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
        // Who logs in to the device itself.
        ("aaa", "authentication" | "authorization") if !line.is(2, "include") && !line.is(2, "exclude") => {}
        ("aaa", "authentication" | "authorization") => config.bound_by(span, "aaa", None),
        ("crypto", "map") if line.is(4, "match") && line.is(5, "address") => {
            config.crypto.push((line.word(2), named(6)));
        }
        ("crypto", "map") if line.is(3, "interface") => {
            config.crypto_interfaces.insert(line.word(2), line.word(4));
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
    *block = Block::Skip;
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
        "standard" | "ethertype" | "webtype" => ListKind::Other,
        _ if six => ListKind::Six,
        _ => ListKind::Extended,
    };
    if !line.is(from, "remark") {
        mention(config, line, from);
    }
    let new = || List { kind, span: line.span.clone(), lines: Vec::new() };
    let list = config.lists.entry(name).or_insert_with(new);
    // A remark may stand before the line that says what kind of list it is.
    if kind == ListKind::Other {
        list.kind = kind;
    }
    match place.and_then(|n| n.checked_sub(1)).filter(|n| *n < list.lines.len()) {
        Some(before) => list.lines.insert(before, line.span.clone()),
        None => list.lines.push(line.span.clone()),
    }
    Ok(())
}

fn access_group<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    mention(config, line, 1);
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
    config.applied.push(applied);
    Ok(())
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
    let second = line.word(1);
    // Timeouts, versions, ciphers and the like.
    let looks = second.contains(['.', ':', '/']) || number(config, second).is_some();
    if !looks {
        return Ok(());
    }
    let mut words = Words { line, at: 1 };
    let (family, ranges) = network(config, &mut words)?;
    let (lo, hi) = ranges.as_slice().first().copied().ok_or_else(|| words.bad())?;
    let interface = Named { name: words.next()?, span: line.place(words.at - 1) };
    if service == "telnet" {
        config.fact(&line.span, What::CleartextManagement("telnet".into()));
    }
    let source = (family, lo, hi);
    config.access.push(Access { span: line.span.clone(), service, source, interface });
    Ok(())
}

fn icmp_line<'a>(config: &mut Config<'a>, line: &Line<'a>, at: usize, family: Family) -> Result<(), Bad> {
    let mut words = Words { line, at };
    let permit = match words.next()?.to_ascii_lowercase().as_str() {
        "permit" => true,
        "deny" => false,
        _ => return Err(words.bad()),
    };
    let source = match words.peek().to_ascii_lowercase().as_str() {
        "any" | "any4" | "any6" => {
            words.at += 1;
            None
        }
        "host" => {
            words.at += 1;
            let (_, address) = host(config, &mut words)?;
            Some((address, address))
        }
        _ => network(config, &mut words)?.1.as_slice().first().copied(),
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
    config.icmp.push(IcmpLine { span: line.span.clone(), family, permit, source, kind, interface });
    Ok(())
}

fn logging<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    let settings = &mut config.logging;
    match line.word(1).to_ascii_lowercase().as_str() {
        "enable" | "on" => settings.enabled = true,
        "buffered" | "trap" | "asdm" | "console" | "monitor" | "history" | "mail" => {
            // A list of messages may hold any.
            let level = words::level(line.word(2)).unwrap_or(7);
            settings.level = Some(settings.level.unwrap_or(0).max(level));
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

/// `clear configure …` of a script: what stood there is gone.
fn clear<'a>(config: &mut Config<'a>, line: &Line<'a>) {
    match line.word(2).to_ascii_lowercase().as_str() {
        "access-list" if line.word(3).is_empty() => {
            config.lists.clear();
            config.applied.clear();
        }
        "access-list" => {
            config.lists.remove(line.word(3));
            config.applied.retain(|a| a.list != line.word(3));
        }
        "access-group" => config.applied.clear(),
        "nat" => config.nat.retain(|n| n.object.is_some()),
        "object" => config.nat.retain(|n| n.object.is_none()),
        "ssh" => config.access.retain(|a| a.service != "ssh"),
        "telnet" => config.access.retain(|a| a.service != "telnet"),
        "http" => {
            config.http = None;
            config.access.retain(|a| a.service != "http");
        }
        "icmp" => config.icmp.clear(),
        "dhcpd" => config.opened.retain(|o| !o.span.text().trim_start().starts_with("dhcpd")),
        _ => {}
    }
}

fn no<'a>(config: &mut Config<'a>, line: &Line<'a>, second: &str) -> Result<(), Bad> {
    match (second, line.word(2)) {
        ("object-group", _) => {
            config.groups.remove(line.word(3));
        }
        ("object", _) => {
            config.networks.remove(line.word(3));
            config.services.remove(line.word(3));
        }
        ("access-group", list) => config.applied.retain(|a| a.list != list),
        ("logging", "message") => {
            if let Ok(message) = line.word(3).parse() {
                config.logging.messages.insert(message, None);
            }
        }
        ("same-security-traffic", _) if line.is(3, "intra-interface") => config.intra = false,
        ("same-security-traffic", _) => config.inter = false,
        ("logging", "enable") => config.logging.enabled = false,
        ("access-list" | "nat", _) => config.bound_by(&line.span, "no", None),
        _ => {}
    }
    Ok(())
}
