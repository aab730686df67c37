//! What a script takes back: `no …` and `clear configure …`.

use super::config::*;
use super::exempt;
use super::lines::{Bad, Line};
use super::read::{Block, accesses, applied, icmp_lines};
use super::section::members;
use tillgate_model::{Family, Span, address_bits, parse_prefix};

/// Lines that are compared, at most, to find those that are taken back.
const MOST_COMPARED: usize = 2_000_000;

/// `no …` below a block; `None` when it is none of this block.
pub fn inner<'a>(config: &mut Config<'a>, block: Block<'a>, line: &Line<'a>) -> Option<Result<(), Bad>> {
    let rest = line.rest(1);
    let first = rest.word(0).to_ascii_lowercase();
    // What bounds a verdict may stay: it says no more than that nobody knows.
    let done = Some(Ok(()));
    match (block, first.as_str()) {
        (Block::None | Block::Exempt, _) => return (line.indent > 0).then_some(Ok(())),
        (_, "description") => {}
        (Block::Interface(at), _) => return interface(config, at, line, &first),
        (Block::Network(name), "nat") => untranslated(config, name),
        (Block::Network(name), "host" | "subnet" | "range" | "fqdn") => {
            config.networks.get_mut(name)?.value = Value::Empty;
        }
        (Block::Service(name), "service") => config.services.get_mut(name)?.cubes.clear(),
        (Block::Group(name), _) => return member(config, name, &rest, &first),
        (Block::Time(name), "absolute" | "periodic") => drop(config.times.insert(name, None)),
        (Block::Class(name), "match") => drop(config.classes.insert(name, vec![Asked::Open])),
        (Block::Policy(name), "class") => {
            config.policies.get_mut(name)?.retain(|c| c.class.name != rest.word(1));
        }
        (Block::Policy(name), "inspect") => uninspected(config.policies.get_mut(name)?, &rest),
        (Block::Portal, "enable") => config.portal.retain(|(name, _)| !rest.is(1, name)),
        (Block::Portal, "port") => config.portal_port = None,
        (Block::Portal, "dtls") => config.portal_dtls = None,
        (Block::Policy(_) | Block::Map(_) | Block::Portal, _) => {
            return (line.indent > 0).then_some(Ok(()));
        }
        _ => return None,
    }
    done
}

fn interface<'a>(
    config: &mut Config<'a>,
    at: usize,
    line: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    let own = config.interfaces.get_mut(at)?;
    match (first, line.word(2).to_ascii_lowercase().as_str()) {
        ("shutdown", _) => own.shutdown = false,
        ("nameif", _) => own.name = None,
        ("security-level", _) => own.level = None,
        ("ip", "address") => own.addresses.retain(|(family, _)| *family != Family::V4),
        ("ipv6", "address") => {
            let gone = parse_prefix(line.word(3)).map(|n| address_bits(n.addr()));
            let stays = |bits: u128| gone.is_some_and(|gone| gone != bits);
            own.addresses.retain(|(family, bits)| *family != Family::V6 || stays(*bits));
        }
        ("ip" | "ipv6", _) if line.indent > 0 => {}
        ("management-only", _) => own.management = false,
        ("bridge-group", _) => own.bridge_group = None,
        ("zone-member", _) => own.zone = None,
        ("forward", _) => own.not_to = Some(line.word(3)),
        _ if exempt::on_interface(first) => {}
        _ if line.indent == 0 => return None,
        _ => open(config, line),
    }
    Some(Ok(()))
}

fn member<'a>(
    config: &mut Config<'a>,
    name: &'a str,
    rest: &Line<'a>,
    first: &str,
) -> Option<Result<(), Bad>> {
    let kind = config.groups.get(name)?.kind;
    if kind == Kind::Open {
        return (rest.indent > 0).then_some(Ok(()));
    }
    let gone = match members(config, kind, rest, first) {
        Ok(gone) => gone?,
        Err(bad) => return Some(Err(bad)),
    };
    let group = config.groups.get_mut(name)?;
    let named = |list: &mut Vec<Named<'a>>, gone: &[Named<'a>]| {
        list.retain(|n| gone.iter().all(|g| g.name != n.name));
    };
    group.addresses.retain(|one| !gone.addresses.contains(one));
    group.cubes.retain(|one| !gone.cubes.contains(one));
    group.ports.retain(|one| !gone.ports.contains(one));
    if kind == Kind::Protocol {
        group.protocols.retain(|one| !gone.protocols.contains(one));
    }
    group.types.retain(|one| !gone.types.contains(one));
    named(&mut group.objects, &gone.objects);
    named(&mut group.groups, &gone.groups);
    Some(Ok(()))
}

/// `no inspect X [MAP]`, of the class that is open.
fn uninspected(classes: &mut [PolicyClass<'_>], rest: &Line<'_>) {
    let Some(open) = classes.last().map(|c| c.class.name) else { return };
    let gone = |deed: &Deed<'_>| match deed {
        Deed::Inspect(name, map) => rest.is(1, name) && rest.is(2, map.unwrap_or("")),
        _ => false,
    };
    for class in classes.iter_mut().filter(|c| c.class.name == open) {
        class.deeds.retain(|(deed, _)| !gone(deed));
    }
}

fn untranslated(config: &mut Config<'_>, object: &str) {
    config.nat.retain(|n| n.object != Some(object));
    config.translated.remove(object);
}

/// Something is taken back, and what that is stays open.
fn open<'a>(config: &mut Config<'a>, line: &Line<'a>) {
    let what = format!("{} {}", line.word(0), line.word(1));
    config.bound_by(&line.stretch(0, 1), &what, None);
}

/// `no …` as a command.
pub fn no<'a>(config: &mut Config<'a>, line: &Line<'a>) -> Result<(), Bad> {
    let rest = line.rest(1);
    let (first, second) = (rest.word(0).to_ascii_lowercase(), rest.word(1).to_ascii_lowercase());
    // What is not there cannot be taken back: the device complains, and nothing changes.
    match (first.as_str(), second.as_str()) {
        ("object-group", _) => drop(config.groups.remove(rest.word(2))),
        ("object", _) => {
            config.networks.remove(rest.word(2));
            config.services.remove(rest.word(2));
            untranslated(config, rest.word(2));
        }
        ("access-list", "alert-interval" | "deny-flow-max") => {}
        ("access-list", _) => entry(config, &rest, 1),
        ("ipv6", "access-list") => entry(config, &rest, 2),
        ("access-group", _) => {
            let gone = applied(&rest)?;
            let at = |a: &Applied<'a>| a.interface.as_ref().map(|n| n.name.to_ascii_lowercase());
            let (list, point, interface) = (gone.list, gone.point, at(&gone));
            config.applied.retain(|a| a.list != list || a.point != point || at(a) != interface);
        }
        ("nat", _) => {
            let same = |n: &NatLine<'_>| n.object.is_none() && says(&n.span, &rest, usize::MAX);
            let found = match compared(config, config.nat.len()) {
                true => config.nat.iter().position(same),
                false => None,
            };
            match found {
                Some(at) => drop(config.nat.remove(at)),
                None => open(config, line),
            }
        }
        ("http", "server") if rest.is(2, "enable") => config.http = None,
        ("http", "redirect") => closed(config, line, &rest, 3),
        ("ssh" | "telnet" | "http", _) => {
            let service = ["ssh", "telnet", "http"].into_iter().find(|s| *s == first).unwrap_or("http");
            for gone in accesses(config, &rest, service)? {
                let found = config.access.iter().position(|a| {
                    let place = a.interface.name.eq_ignore_ascii_case(gone.interface.name);
                    a.service == service && a.source == gone.source && place
                });
                if let Some(found) = found {
                    let span = config.access.remove(found).span;
                    config.forget(&span);
                }
            }
        }
        ("icmp", "permit" | "deny") => uncounted(config, &rest, 1, Family::V4)?,
        ("ipv6", "icmp") => uncounted(config, &rest, 2, Family::V6)?,
        ("ip", "verify") if rest.is(2, "reverse-path") => {
            config.reverse_path.retain(|n| !n.name.eq_ignore_ascii_case(rest.word(4)));
        }
        ("service-policy", _) => {
            let interface = rest.is(2, "interface").then(|| rest.word(3));
            config.service_policies.retain(|(policy, on)| {
                let place = on.map(str::to_ascii_lowercase) == interface.map(str::to_ascii_lowercase);
                policy.name != rest.word(1) || !place
            });
        }
        ("same-security-traffic", _) if rest.is(2, "intra-interface") => config.intra = false,
        ("same-security-traffic", _) if rest.is(2, "inter-interface") => config.inter = false,
        ("logging", "message") => {
            if let Ok(message) = rest.word(2).parse() {
                config.logging.messages.insert(message, None);
            }
        }
        ("logging", "enable" | "on") => config.logging.enabled = false,
        ("logging", _) => drop(config.logging.levels.remove(&second)),
        ("name", _) => drop(config.aliases.remove(rest.word(2))),
        ("crypto", "map") if rest.is(3, "interface") => {
            if let Some(on) = config.crypto_interfaces.get_mut(rest.word(2)) {
                on.retain(|name| !name.eq_ignore_ascii_case(rest.word(4)));
            }
        }
        ("crypto", "ikev1" | "ikev2" | "isakmp") if rest.is(2, "enable") => closed(config, line, &rest, 4),
        ("dhcpd" | "dhcprelay", "enable") => closed(config, line, &rest, 3),
        ("snmp-server", "host" | "host-group") => closed(config, line, &rest, 4),
        ("aaa", "authentication") if rest.is(2, "listener") => closed(config, line, &rest, 5),
        ("webvpn", "") => {
            config.portal.clear();
            (config.portal_port, config.portal_dtls) = (None, None);
        }
        // They bound verdicts where they stand, and are off where they do not.
        ("aaa" | "router" | "nve" | "threat-detection" | "dynamic-filter" | "established" | "filter", _)
        | ("vpnclient" | "time-range" | "fixup", _)
        | ("ip", "audit" | "local") => {}
        _ if exempt::command(&first, &second) => {}
        _ => open(config, line),
    }
    Ok(())
}

/// Whether so many lines may be compared once more.
fn compared(config: &mut Config<'_>, lines: usize) -> bool {
    config.compared = config.compared.saturating_add(lines);
    config.compared <= MOST_COMPARED
}

/// An entry of a list goes; with the last one the list, and what applied it.
fn entry<'a>(config: &mut Config<'a>, rest: &Line<'a>, at: usize) {
    let name = rest.word(at);
    let Some(size) = config.lists.get(name).map(|list| list.lines.len()) else { return };
    let gone = body(rest, at);
    let same = |span: &Span| {
        let line = Line::again(span);
        let own = body(&line, at);
        own.len() == gone.len() && own.iter().zip(gone).all(|((_, a), (_, b))| a.eq_ignore_ascii_case(b))
    };
    let few = compared(config, size);
    let list = config.lists.get_mut(name).filter(|_| few);
    let found = list.and_then(|list| Some((list.lines.iter().position(same)?, list)));
    let Some((found, list)) = found else {
        config.bound_by(&rest.stretch(0, at), "no access-list", None);
        return;
    };
    list.lines.remove(found);
    let kept = |span: &Span| {
        body(&Line::again(span), at).first().is_none_or(|(_, w)| !w.eq_ignore_ascii_case("remark"))
    };
    if !list.lines.iter().any(kept) {
        config.lists.remove(name);
        config.applied.retain(|a| a.list != name);
    }
}

/// What an entry says behind the name of its list, its place and its usual kind.
fn body<'l, 'a>(line: &'l Line<'a>, at: usize) -> &'l [(usize, &'a str)] {
    let mut from = at + 1;
    from += if line.is(from, "line") { 2 } else { 0 };
    from += usize::from(line.is(from, "extended"));
    line.words.get(from..).unwrap_or(&[])
}

fn uncounted<'a>(config: &mut Config<'a>, rest: &Line<'a>, at: usize, family: Family) -> Result<(), Bad> {
    for gone in icmp_lines(config, rest, at, family)? {
        let same = |l: &IcmpLine<'_>| {
            let place = l.interface.name.eq_ignore_ascii_case(gone.interface.name);
            let what = (l.family, l.permit, l.source, l.kind);
            place && what == (gone.family, gone.permit, gone.source, gone.kind)
        };
        config.icmp.retain(|l| !same(l));
    }
    Ok(())
}

/// Whether a line said before begins with the same words, as many as are asked.
fn says(span: &Span, rest: &Line<'_>, words: usize) -> bool {
    let mut own = span.text().split_ascii_whitespace();
    let same =
        rest.words.iter().take(words).all(|(_, b)| own.next().is_some_and(|a| a.eq_ignore_ascii_case(b)));
    same && (words < usize::MAX || own.next().is_none())
}

/// A service that a feature opened is closed; the first words say which.
fn closed<'a>(config: &mut Config<'a>, line: &Line<'a>, rest: &Line<'a>, words: usize) {
    if rest.words.len() < words || !compared(config, config.opened.len()) {
        open(config, line);
        return;
    }
    let gone = |o: &Opened<'_>| says(&o.span, rest, words);
    let spans: Vec<Span> = config.opened.iter().filter(|o| gone(o)).map(|o| o.span.clone()).collect();
    config.opened.retain(|o| !gone(o));
    spans.iter().for_each(|span| config.forget(span));
}

/// `clear configure …`: what stood there is gone.
pub fn clear<'a>(config: &mut Config<'a>, line: &Line<'a>) {
    let (what, name) = (line.word(2).to_ascii_lowercase(), line.word(3));
    let all = name.is_empty();
    match what.as_str() {
        "all" => config.clear(),
        "access-list" if all => {
            config.lists.clear();
            config.applied.clear();
        }
        "access-list" => {
            config.lists.remove(name);
            config.applied.retain(|a| a.list != name);
        }
        "access-group" => config.applied.clear(),
        "nat" => config.nat.retain(|n| n.object.is_some()),
        "object" => {
            config.nat.retain(|n| n.object.is_none());
            config.translated.clear();
        }
        "object-group" if all => config.groups.clear(),
        // Whether lines of `ipv6 icmp` go with them the manual does not say.
        "icmp" => {
            config.icmp.retain(|l| l.family != Family::V4);
            if !config.icmp.is_empty() {
                config.bound_by(&line.stretch(0, 2), "clear configure", None);
            }
        }
        "service-policy" => config.service_policies.clear(),
        "same-security-traffic" => (config.inter, config.intra) = (false, false),
        "logging" if all => config.logging = Logging::default(),
        "ssh" | "telnet" | "http" | "dhcpd" | "dhcprelay" | "snmp-server" | "webvpn" | "aaa" | "crypto"
        | "router" | "nve" => service(config, &what),
        // They bound verdicts where they stand, and what bounds may stay.
        "threat-detection" | "dynamic-filter" | "policy-map" | "class-map" => {}
        _ if exempt::command(&what, name) => {}
        _ => config.bound_by(&line.stretch(0, 2), "clear configure", None),
    }
}

/// All a service of the device has in the file goes.
fn service(config: &mut Config<'_>, what: &str) {
    let first = |span: &Span| span.text().split_ascii_whitespace().next().unwrap_or("").to_ascii_lowercase();
    let access = config.access.iter().filter(|a| a.service == what).map(|a| a.span.clone());
    let opened = config.opened.iter().filter(|o| first(&o.span) == what).map(|o| o.span.clone());
    let places: std::collections::HashSet<u32> = access.chain(opened).map(|s| s.start).collect();
    config.access.retain(|a| a.service != what);
    config.opened.retain(|o| first(&o.span) != what);
    config.facts.retain(|f| !(places.contains(&f.span.start) && first(&f.span) == what));
    config.notes.retain(|n| !(places.contains(&n.span.start) && first(&n.span) == what));
    match what {
        "http" => config.http = None,
        "webvpn" => {
            config.portal.clear();
            (config.portal_port, config.portal_dtls) = (None, None);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use tillgate_model::SourceFile;

    #[test]
    fn what_is_taken_back_is_told_no_more() {
        let text = "telnet 10.1.1.0 255.255.255.0 inside\nsnmp-server host inside 10.1.1.1 community s3cret version 2c\nlogging trap informational\nlogging buffered debugging\nno logging buffered\nno telnet 10.1.1.0 255.255.255.0 inside\nno snmp-server host inside 10.1.1.1 community s3cret\nno s3cret\nno mystery s3cret\n";
        let file = SourceFile::new("t", text);
        let config = read(std::slice::from_ref(&file));
        assert!(config.facts.is_empty() && config.access.is_empty() && config.opened.is_empty());
        assert_eq!(config.logging.level(), Some(6));
        assert_eq!(config.bounds.len(), 2);
    }

    #[test]
    fn many_lines_are_taken_back_in_a_bounded_time() {
        let line = |n: usize| format!("access-list A extended permit tcp any any eq {}\n", n % 60_000 + 1);
        let said: String = (0..20_000).map(line).collect();
        let gone: String = (0..20_000).rev().map(|n| format!("no {}", line(n))).collect();
        let file = SourceFile::new("t", format!("{said}{gone}"));
        let config = read(std::slice::from_ref(&file));
        assert!(!config.bounds.is_empty());
    }
}
