//! Lists and checks against forged sources, written into somebody's configuration.

use super::config::Direction;
use super::entry::{Address, Services};
use super::lines::is;
use super::sheet::{Names, Sheet};
use super::text::{addresses, every, remark};
use super::words;
use crate::permits::sources;
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges};
use tillgate_ruleset::Edit;

/// Lists with their binding to an interface for what comes in.
pub fn bound(sheet: &Sheet<'_>, interface: &str, lists: Vec<(Family, String, String)>) -> Vec<Edit> {
    let text: String = lists.iter().map(|(_, _, text)| text.as_str()).collect();
    let line = |(family, name, _): &(Family, String, String)| match family {
        Family::V4 => format!("ip access-group {name} in"),
        Family::V6 => format!("ipv6 traffic-filter {name} in"),
    };
    let lines: Vec<String> = lists.iter().map(line).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let first = match sheet.interface(interface) {
        Some(head) => Some(sheet.before(head, text)),
        None => sheet.append(text),
    };
    first.into_iter().chain(sheet.on_interface(interface, &lines)).collect()
}

/// Forged sources of a segment, or from outside, are dropped.
pub fn forged(sheet: &Sheet<'_>, segment: &str) -> Vec<Vec<Edit>> {
    let mut names = sheet.names();
    let mut lists: BTreeMap<String, Vec<(Family, String, String)>> = BTreeMap::new();
    let mut checks: BTreeMap<String, Vec<Family>> = BTreeMap::new();
    let mut inserted: Vec<Edit> = Vec::new();
    for (on, family, ranges, only, name) in sources(sheet.desk.intent) {
        if name != segment {
            continue;
        }
        let mut list = None;
        let mut done: Vec<&str> = Vec::new();
        for interface in &on {
            let own = sheet.config.interfaces.get(interface);
            checks.entry(interface.clone()).or_default().push(family);
            match own.and_then(|i| i.lists.get(&(family, Direction::In))) {
                None => {
                    let (name, text) = list
                        .get_or_insert_with(|| sources_list(&mut names, family, &ranges, only, &name))
                        .clone();
                    lists.entry(interface.clone()).or_default().push((family, name, text));
                    // Written once for all uplinks.
                    list = list.map(|(name, _)| (name, String::new()));
                }
                Some(named) if !only && !done.contains(&named.name.as_str()) => {
                    done.push(&named.name);
                    let mut items = vec![format!("remark {}", remark(&format!("{name}: forged sources")))];
                    let standard =
                        sheet.config.lists.get(&(family, named.name.clone())).is_some_and(|l| l.standard);
                    let deny = |net: &String| match standard {
                        true => format!("deny {net} log"),
                        false => format!("deny {} {net} any log", every(family)),
                    };
                    items.extend(addresses(family, Some(&ranges)).iter().map(deny));
                    let first = sheet.items(family, &named.name).first().copied();
                    inserted
                        .extend(sheet.put((family, &named.name), first, false, &items).unwrap_or_default());
                }
                Some(named) if only && !done.contains(&named.name.as_str()) => {
                    done.push(&named.name);
                    inserted.extend(narrowed(sheet, family, &named.name, &ranges));
                }
                Some(_) => {}
            }
        }
    }
    let by_lists: Vec<Edit> = lists
        .into_iter()
        .flat_map(|(interface, lists)| bound(sheet, &interface, lists))
        .chain(inserted)
        .collect();
    let check = |default: bool| -> Vec<Edit> {
        let edits = checks.iter().filter_map(|(interface, families)| {
            let line = |family: &Family| {
                let default = if default { " allow-default" } else { "" };
                let word = if *family == Family::V4 { "ip" } else { "ipv6" };
                format!("{word} verify unicast source reachable-via rx{default}")
            };
            sheet.on_interface(interface, &families.iter().map(line).collect::<Vec<_>>())
        });
        edits.collect()
    };
    let strangers = strange(sheet, &mut names, segment);
    let both = [by_lists.clone(), strangers.clone()].concat();
    vec![by_lists, strangers, both, check(segment == "internet"), check(true)]
}

/// A segment without addresses of the sixth version sends none.
fn strange(sheet: &Sheet<'_>, names: &mut Names, segment: &str) -> Vec<Edit> {
    let six = Family::V6;
    let zone = sheet.desk.intent.topology.zones.iter().find(|zone| zone.name == segment);
    let Some(zone) = zone.filter(|z| z.ranges(six).is_empty()) else { return Vec::new() };
    let own = sheet.config.interfaces.get(&zone.interface);
    if sheet.config.unrouted.contains_key(&six)
        || own.is_some_and(|i| i.lists.contains_key(&(six, Direction::In)))
    {
        return Vec::new();
    }
    // What stays on the link.
    let link = Ranges::span(0xfe80 << 112, (0xfec0u128 << 112) - 1).union(&Ranges::single(0));
    let (name, text) = sources_list(names, six, &link, true, segment);
    bound(sheet, &zone.interface, vec![(six, name, text)])
}

/// Entries of a list that permit any source permit only those of its segment. Who asks for a lease has no address yet.
fn narrowed(sheet: &Sheet<'_>, family: Family, name: &str, ranges: &Ranges) -> Vec<Edit> {
    let Some(list) = sheet.config.lists.get(&(family, name.to_string())) else { return Vec::new() };
    let own = addresses(family, Some(&ranges.subtract(&Ranges::single(0))));
    let mut out = Vec::new();
    for entry in list.entries().filter(|e| e.permit && matches!(e.source, Address::Any)) {
        let Some(row) = sheet.row(&entry.span) else { continue };
        let line = &sheet.rows[row].line;
        let verb = line.words.iter().position(|(_, word)| is(word, "permit"));
        let Some(at) = verb.map(|at| match list.standard {
            true => at + 1,
            false => at + 2 + usize::from(line.is(at + 1, "object-group")),
        }) else {
            continue;
        };
        if !line.is(at, "any") {
            continue;
        }
        let rest = |from: usize| line.after(from).iter().map(|(_, word)| *word).collect::<Vec<_>>().join(" ");
        let head: Vec<&str> =
            line.words.iter().take(at).skip(verb.unwrap_or(0)).map(|(_, word)| *word).collect();
        let mut items = Vec::new();
        if family == Family::V4 && asks_lease(&entry.services) {
            items.push("permit udp host 0.0.0.0 eq bootpc any eq bootps".to_string());
        }
        if let [net] = own.as_slice() {
            // The line stays, but for its source.
            out.push(Edit { span: line.place(at), text: net.clone() });
            if !items.is_empty() {
                out.extend(sheet.put((family, name), Some(row), false, &items).unwrap_or_default());
            }
            continue;
        }
        let said = |net: &String| format!("{} {net} {}", head.join(" "), rest(at + 1)).trim_end().to_string();
        items.extend(own.iter().map(said));
        out.extend(sheet.put((family, name), Some(row), true, &items).unwrap_or_default());
    }
    out
}

/// Whether services hold what a client without address asks a DHCP server.
fn asks_lease(services: &Services) -> bool {
    let holds = |ports: &Option<Ranges>, port: u128| ports.as_ref().is_none_or(|p| p.contains(port));
    match services {
        Services::Plain(s) => {
            s.protocol.is_none_or(|p| p == words::UDP) && holds(&s.source, 68) && holds(&s.destination, 67)
        }
        Services::Group(_) => false,
    }
}

/// A list of what may come in by an interface, or may not.
fn sources_list(
    names: &mut Names,
    family: Family,
    ranges: &Ranges,
    only: bool,
    segment: &str,
) -> (String, String) {
    let suffix = if family == Family::V6 { "-6" } else { "" };
    let name = names.fresh(&format!("FROM-{segment}{suffix}"));
    let all = every(family);
    let head = match family {
        Family::V4 => format!("ip access-list extended {name}\n"),
        Family::V6 => format!("ipv6 access-list {name}\n"),
    };
    let one = |net: &String| match only {
        true => format!(" permit {all} {net} any\n"),
        false => format!(" deny {all} {net} any log\n"),
    };
    let entries: String = addresses(family, Some(ranges)).iter().map(one).collect();
    let rest = if only { format!("deny {all} any any log") } else { format!("permit {all} any any") };
    let note = remark(&format!("{segment}: forged sources"));
    (name, format!("{head} remark {note}\n{entries} {rest}\n!\n"))
}
