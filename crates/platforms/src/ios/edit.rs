//! Repairs written into somebody's IOS configuration.

use super::config::{Chosen, Class, Deed, Direction, Global, NatKind, NatSide, Pair};
use super::entry::{Address, Services};
use super::lines::is;
use super::sheet::{Sheet, Thing};
use super::text::addresses;
use super::{forged, grant, pairs, removal};
use crate::edit::{Desk, insert};
use tillgate_model::{Family, Ranges, Span};
use tillgate_ruleset::{Edit, Repair, What};

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let sheet = Sheet::of(desk);
    let mut out = match repair {
        Repair::Remove(span) => {
            let mut ways = match unguarded(&sheet, span) {
                Some(zone) => pairs::closed(&sheet, Some(zone)),
                None => pairs::parted(&sheet, &classes_of(&sheet, span)),
            };
            if !sheet.config.zones.is_empty() && sheet.item(span).is_some() {
                ways.extend(pairs::joining(&sheet));
            }
            ways.push(removal::removal(&sheet, span));
            ways
        }
        Repair::Permit { at, instead, flows, internet } => {
            grant::permit(&sheet, at, *instead, flows, internet)
        }
        Repair::Log(span) => log(&sheet, span).into_iter().chain(pairs::joining(&sheet)).collect(),
        Repair::Close(span) => close(&sheet, span),
        Repair::Established(span) => established(&sheet, span),
        Repair::Sources(segment) => forged::forged(&sheet, segment),
        Repair::SwitchOff(span) => switch_off(&sheet, span).into_iter().collect(),
        Repair::Masquerade => masquerade(&sheet),
        // Encrypted connections are not broken open.
        Repair::Uninspected(_) => Vec::new(),
    };
    out.retain(|edits| !edits.is_empty());
    for edit in out.iter_mut().flatten() {
        let text = &edit.span.file.text;
        if edit.span.start as usize == text.len() && !text.ends_with('\n') {
            edit.text.insert(0, '\n');
        }
    }
    out
}

fn same(a: &Span, b: &Span) -> bool {
    a.start == b.start && a.file.name == b.file.name
}

/// The zone of an interface by whose list everything of a source reaches the router, which no zone pair guards.
fn unguarded<'s>(sheet: &'s Sheet<'_>, span: &Span) -> Option<&'s str> {
    let (family, name, _) = sheet.item(span)?;
    let list = sheet.config.lists.get(&(family, name.to_string()))?;
    let entry = list.entries().find(|entry| same(&entry.span, span))?;
    let every = matches!(&entry.services, Services::Plain(service) if service.protocol.is_none());
    if !entry.permit || !every || !matches!(entry.destination, Address::Any) {
        return None;
    }
    let (interface, _) = sheet.bindings(family, name).into_iter().find(|(_, d)| *d == Direction::In)?;
    let zone = &sheet.config.interfaces.get(interface)?.zone.as_ref()?.name;
    let guards = |pair: &Pair| pair.source == *zone && pair.destination == "self";
    (!sheet.config.pairs.values().any(guards)).then_some(zone)
}

/// The classes that a line, or an entry of their lists, is about.
fn classes_of<'s>(sheet: &'s Sheet<'_>, span: &Span) -> Vec<&'s str> {
    if let Some((family, name, _)) = sheet.item(span) {
        return if sheet.bindings(family, name).is_empty() { sheet.asking(name) } else { Vec::new() };
    }
    let here = |class: &Class| class.lines.iter().any(|line| same(&line.span, span));
    sheet.config.classes.iter().filter(|(_, c)| here(c)).map(|(name, _)| name.as_str()).collect()
}

/// The denial of a line leaves a log entry.
fn log(sheet: &Sheet<'_>, span: &Span) -> Option<Vec<Edit>> {
    let config = &sheet.config;
    let end = |span: &Span| Span::new(&span.file, span.end as usize, span.end as usize);
    let dropped = |asking: &dyn Fn(&str) -> bool| -> Vec<Edit> {
        let parts = config.policies.values().flat_map(|p| &p.classes);
        let silent = parts.filter(|c| !c.log && c.class.as_deref().is_some_and(asking));
        let deeds = silent.filter_map(|c| c.deed.as_ref()).filter(|(deed, _)| *deed == Deed::Drop);
        deeds.map(|(_, span)| insert(end(span), " log".into())).collect()
    };
    if let Some((family, name, row)) = sheet.item(span) {
        if sheet.bindings(family, name).is_empty() && !sheet.on_terminals(family, name) {
            let asking = sheet.asking(name);
            return Some(dropped(&|class| asking.contains(&class)));
        }
        // A number at the end stays there.
        let line = &sheet.rows[row].line;
        let behind = (1..line.words.len()).rev().find(|at| line.is(*at, "sequence"));
        return Some(vec![match behind {
            Some(at) => {
                let start = line.place(at).start as usize;
                insert(Span::new(&span.file, start, start), "log ".into())
            }
            None => insert(end(&line.span), " log".into()),
        }]);
    }
    if let Some((family, name)) = sheet.binding(span) {
        let standard = config.lists.get(&(family, name.to_string()))?.standard;
        let mut list = vec![removal::deny_all(family, standard)];
        if family == Family::V6 && !sheet.bindings(family, name).is_empty() {
            // What the unwritten end permits before it denies.
            list.splice(0..0, ["nd-na", "nd-ns"].map(|kind| format!("permit icmp any any {kind}")));
        }
        return sheet.put((family, name), None, false, &list);
    }
    for (name, policy) in &config.policies {
        for class in &policy.classes {
            if let Some((_, own)) =
                class.deed.as_ref().filter(|(deed, own)| *deed == Deed::Drop && same(own, span))
            {
                return Some(vec![insert(end(own), " log".into())]);
            }
            if same(&class.span, span) && class.deed.is_none() {
                return Some(vec![sheet.behind(sheet.row(span)?, "  drop log\n".into())]);
            }
        }
        if same(&policy.span, span) {
            let head = *sheet.heads(Thing::Policy(name)).last()?;
            let text = " class class-default\n  drop log\n".to_string();
            return Some(vec![sheet.behind(sheet.last(head), text)]);
        }
    }
    for (name, class) in &config.classes {
        if class.lines.iter().any(|line| same(&line.span, span)) {
            return Some(dropped(&|own| own == name));
        }
    }
    if let Some(pair) = config.pairs.values().find(|pair| same(&pair.span, span)) {
        if pair.policy.is_some() {
            // What is dropped in the other direction, which has no pair.
            return pairs::denied_pair(sheet, &(pair.destination.clone(), pair.source.clone()));
        }
        let head = sheet.row(&pair.span)?;
        let (policy, text) = pairs::deny_policy(sheet, &mut sheet.names());
        let service = format!(" service-policy type inspect {policy}\n");
        let mut out = vec![sheet.behind(sheet.last(head), service)];
        if !text.is_empty() {
            out.push(sheet.before(head, text));
        }
        return Some(out);
    }
    let zone = config.zones.iter().find(|(_, own)| same(own, span)).map(|(name, _)| name);
    let member = config.interfaces.values().filter_map(|i| i.zone.as_ref()).find(|z| same(&z.span, span));
    pairs::denied(sheet, zone.or(member.map(|z| &z.name))?)
}

/// What passes because nothing is said is denied.
fn close(sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let intent = sheet.desk.intent;
    let config = &sheet.config;
    let mut zones =
        config.zones.values().chain(config.interfaces.values().filter_map(|i| Some(&i.zone.as_ref()?.span)));
    if zones.any(|zone| same(zone, span)) {
        return pairs::closed(sheet, None);
    }
    // Lists on the interfaces of segments that have none.
    let mut names = sheet.names();
    let mut out = Vec::new();
    for (at, zone) in intent.topology.zones.iter().enumerate() {
        let own = config.interfaces.get(&zone.interface);
        let bare = |family: &Family| {
            !zone.ranges(*family).is_empty()
                && own.is_none_or(|i| !i.lists.contains_key(&(*family, Direction::In)))
        };
        let lists: Vec<(Family, String, String)> = Family::BOTH
            .into_iter()
            .filter(bare)
            .filter_map(|family| {
                let (name, text) = grant::whole_list(sheet, &mut names, at, family)?;
                Some((family, name, text))
            })
            .collect();
        out.extend(forged::bound(sheet, &zone.interface, lists));
    }
    vec![out]
}

/// Answers pass: by their flags where lists keep nothing in mind, by what lists remember, and by inspection.
fn established(sheet: &Sheet<'_>, span: &Span) -> Vec<Vec<Edit>> {
    let place = match sheet.item(span) {
        Some((family, name, row)) => Some((family, name, Some(row))),
        None => sheet.binding(span).map(|(family, name)| (family, name, None)),
    };
    if let Some((family, name, row)) = place {
        let key = (family, name.to_string());
        if sheet.config.lists.get(&key).is_none_or(|list| list.standard) {
            return Vec::new();
        }
        let lists = sheet.config.lists.iter().filter(|((own, _), _)| *own == family);
        let entries = lists.flat_map(|(_, list)| list.entries());
        let mut remembered: Vec<&str> = entries.filter_map(|e| e.reflect.as_deref()).collect();
        remembered.sort_unstable();
        remembered.dedup();
        let ways = remembered.iter().map(|name| format!("evaluate {name}"));
        let ways = ways.chain(["permit tcp any any established".to_string()]).map(|item| vec![item]);
        let ways = ways.chain(grant::answers(sheet, (family, name), span));
        return ways.filter_map(|items| sheet.put((family, name), row, false, &items)).collect();
    }
    let parts = sheet.config.policies.values().flat_map(|p| &p.classes).filter(|c| c.class.is_some());
    let passed = parts.filter_map(|c| c.deed.as_ref()).filter(|(deed, _)| *deed == Deed::Pass);
    passed.map(|(_, span)| vec![Edit { span: span.clone(), text: "inspect".into() }]).collect()
}

/// A service that speaks in clear is switched off.
fn switch_off(sheet: &Sheet<'_>, span: &Span) -> Option<Vec<Edit>> {
    let row = sheet.row(span)?;
    let own = sheet.span(row).clone();
    let fact = sheet.desk.rules.facts.iter().find_map(|fact| match &fact.what {
        What::CleartextManagement(service) if same(&fact.span, span) => Some(service.as_str()),
        _ => None,
    })?;
    Some(vec![match fact {
        "telnet" => Edit { span: own, text: "transport input ssh".into() },
        "http" => Edit { span: own, text: "no ip http server".into() },
        _ => sheet.drop_row(row),
    }])
}

/// Private sources are translated on the uplinks: the sides of interfaces, lists that lack some, or everything.
fn masquerade(sheet: &Sheet<'_>) -> Vec<Vec<Edit>> {
    let topology = &sheet.desk.intent.topology;
    let config = &sheet.config;
    let mut sides = Vec::new();
    let inside = topology.zones.iter().filter(|z| !z.ranges(Family::V4).is_empty()).map(|z| &z.interface);
    let inside = inside.map(|name| (name, NatSide::Inside, "ip nat inside"));
    let outside = topology.uplinks.iter().map(|name| (name, NatSide::Outside, "ip nat outside"));
    for (name, side, line) in inside.chain(outside) {
        if config.interfaces.get(name).and_then(|i| i.nat) != Some(side) {
            sides.extend(sheet.on_interface(name, &[line.to_string()]));
        }
    }
    let nets = topology.inside(Family::V4);
    let mut names = sheet.names();
    let mut more = Vec::new();
    let mut fresh = None;
    let mut rules = String::new();
    let mut listed: Vec<&str> = Vec::new();
    for uplink in &topology.uplinks {
        let known: Vec<&Chosen> = config
            .nat
            .values()
            .filter_map(|nat| match &nat.kind {
                NatKind::Source { chosen, to: Global::Interface(own) } if own == uplink => Some(chosen),
                NatKind::Source { chosen, to: Global::Pool(_) } => Some(chosen),
                _ => None,
            })
            .collect();
        for chosen in &known {
            let lists: Vec<&str> = match chosen {
                Chosen::List(name) => vec![name],
                Chosen::RouteMap(name) => {
                    let clauses = config.route_maps.get(name).into_iter().flat_map(|m| m.values());
                    clauses.filter(|c| c.permit).flat_map(|c| &c.lists).map(String::as_str).collect()
                }
            };
            if let Some(name) = lists.first().filter(|name| !listed.contains(name)) {
                listed.push(name);
                more.extend(chosen_nets(sheet, name, &nets));
            }
        }
        if known.is_empty() {
            let list: &String = fresh.get_or_insert_with(|| names.fresh("NAT"));
            rules.push_str(&match topology.uplinks.len() {
                1 => format!("ip nat inside source list {list} interface {uplink} overload\n!\n"),
                _ => {
                    let map = names.fresh(&format!("NAT-{uplink}"));
                    format!(
                        "route-map {map} permit 10\n match ip address {list}\n match interface {uplink}\n!\nip nat inside source route-map {map} interface {uplink} overload\n!\n"
                    )
                }
            });
        }
    }
    if let Some(list) = fresh {
        let entries: String =
            addresses(Family::V4, Some(&nets)).iter().map(|net| format!(" permit {net}\n")).collect();
        more.extend(sheet.append(format!("ip access-list standard {list}\n{entries}!\n{rules}")));
    }
    vec![sides.clone(), more.clone(), [sides, more].concat()]
}

/// Nets that the list of a translation lacks.
fn chosen_nets(sheet: &Sheet<'_>, name: &str, nets: &Ranges) -> Vec<Edit> {
    let Some(list) = sheet.config.lists.get(&(Family::V4, name.to_string())) else { return Vec::new() };
    let mut known = Ranges::empty();
    for entry in list.entries().filter(|e| e.permit) {
        match &entry.source {
            Address::Any => return Vec::new(),
            Address::Ranges(ranges) => known = known.union(ranges),
            _ => {}
        }
    }
    let mut missing = nets.subtract(&known);
    let mut out = Vec::new();
    for entry in list.entries().filter(|e| !e.permit) {
        // What is denied, and is one of them, is permitted.
        let Address::Ranges(ranges) = &entry.source else { continue };
        let verb = sheet.row(&entry.span).map(|row| &sheet.rows[row].line);
        let verb =
            verb.and_then(|line| Some(line.place(line.words.iter().position(|(_, w)| is(w, "deny"))?)));
        if let Some(span) = verb.filter(|_| !ranges.is_empty() && ranges.is_subset(&missing)) {
            missing = missing.subtract(ranges);
            out.push(Edit { span, text: "permit".into() });
        }
    }
    if missing.is_empty() {
        return out;
    }
    let one = |net: &String| match list.standard {
        true => format!("permit {net}"),
        false => format!("permit ip {net} any"),
    };
    let items: Vec<String> = addresses(Family::V4, Some(&missing)).iter().map(one).collect();
    let denies = list.entries().any(|e| !e.permit);
    let first = sheet.items(Family::V4, name).first().copied().filter(|_| denies);
    out.extend(sheet.put((Family::V4, name), first, false, &items).unwrap_or_default());
    out
}
