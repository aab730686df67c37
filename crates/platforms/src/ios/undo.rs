//! What `no …` and `default …` take back. What is not followed here is a bound, as what it takes back stays in force.

use super::config::{Interface, Item};
use super::exempt;
use super::interface;
use super::lines::{Line, is};
use super::placing::family;
use super::read::{Reader, told};
use tillgate_model::{Family, Span};
use tillgate_ruleset::What;

/// Words of translations that change nothing about whom they are for.
const ASIDE: [&str; 6] = ["extendable", "no-alias", "no-payload", "overload", "reversible", "add-route"];

/// Whether words are the same, one by one.
pub fn same<'w>(left: impl Iterator<Item = &'w str>, right: &[(usize, &str)]) -> bool {
    left.eq(right.iter().map(|(_, word)| *word))
}

/// What a translation says, to find it again: how it is announced and looked after left out.
pub fn said(words: &[(usize, &str)]) -> String {
    let words = words.iter().map(|(_, word)| *word);
    let told: Vec<&str> = words.filter(|w| !ASIDE.iter().any(|a| w.eq_ignore_ascii_case(a))).collect();
    told.join(" ")
}

/// `no …` at the start of a line.
pub fn command(reader: &mut Reader<'_>, line: &Line<'_>) {
    let name = |at: usize| line.word(at).to_string();
    let last = line.words.last().map_or("", |(_, word)| word).to_string();
    let config = &mut reader.config;
    // What does not exist cannot be taken away: the router refuses, and nothing changes.
    let followed = match () {
        () if line.is(1, "access-list") => {
            config.lists.remove(&(Family::V4, name(2)));
            true
        }
        () if line.is(2, "access-list") && (line.is(1, "ip") || line.is(1, "ipv6")) => {
            let kind = line.is(3, "standard") || line.is(3, "extended");
            let at = 3 + usize::from(line.is(1, "ip") && kind);
            config.lists.remove(&(family(line, 1), name(at)));
            true
        }
        () if line.is(1, "object-group") => {
            config.networks.remove(&last);
            config.services.remove(&last);
            true
        }
        () if line.is(1, "class-map") => {
            config.classes.remove(&last);
            true
        }
        () if line.is(1, "policy-map") => {
            config.policies.remove(&last);
            config.dropping.remove(&last);
            true
        }
        () if line.is(1, "zone-pair") => {
            config.pairs.remove(line.word(3));
            true
        }
        () if line.is(1, "zone") => {
            config.zones.remove(&last);
            true
        }
        () if line.is(1, "interface") && !line.is(2, "range") => {
            config.interfaces.remove(&interface::name(line, 2).0);
            true
        }
        () if line.is(1, "route-map") => {
            match line.word(4).parse::<u32>() {
                Ok(number) => drop(config.route_maps.get_mut(line.word(2)).and_then(|m| m.remove(&number))),
                Err(_) => drop(config.route_maps.remove(line.word(2))),
            }
            line.word(4).is_empty() || line.word(4).parse::<u32>().is_ok()
        }
        () if line.is(1, "time-range") => {
            config.times.remove(&last);
            true
        }
        () if line.is(1, "ip") && line.is(2, "nat") => translation(reader, line),
        () if line.is(1, "ip") && line.word(2).eq_ignore_ascii_case("inspect") => inspection(reader, line),
        () if line.is(1, "ip") && line.is(2, "port-map") => {
            // Those that every system has stay.
            let known = config.applications.contains_key(&line.word(3).to_ascii_lowercase());
            !known
                || line.words.len() == 4
                    && config.applications.remove(&name(3).to_ascii_lowercase()).is_some()
        }
        () if line.is(1, "ip") && line.is(2, "routing") => {
            config.unrouted.insert(Family::V4, line.span.clone());
            true
        }
        () if line.is(1, "ipv6") && line.is(2, "unicast-routing") => {
            config.unrouted.insert(Family::V6, line.span.clone());
            reader.forwards6 = false;
            true
        }
        () if line.is(1, "ip") && line.is(2, "http") => {
            let plain = |what: &What| matches!(what, What::CleartextManagement(service) if service == "http");
            if line.is(3, "server") {
                reader.facts.retain(|fact| !plain(&fact.what));
            }
            // A limit that is taken away stays one that may hold.
            true
        }
        () => idle(line),
    };
    if !followed {
        let (end, what) = told(line, 1);
        reader.bear(Span { start: line.span.start, ..end }, &format!("no {what}"));
    }
}

/// Whether what is taken back has no bearing, or is a bound as long as it stands.
fn idle(line: &Line<'_>) -> bool {
    let (first, second) = (line.word(1), line.word(2));
    let bounds =
        ["snmp-server", "nat64", "nat66", "utd", "vrf", "bridge", "mac", "parameter-map", "control-plane"];
    let addressed = ["admission", "auth-proxy", "ips", "slb"];
    bounds.iter().any(|k| is(first, k))
        || is(first, "vlan") && !is(second, "filter")
        || is(first, "line") && !is(second, "vty")
        || is(first, "banner")
        || is(first, "ip") && addressed.iter().any(|k| is(second, k))
        || exempt::command(first, second)
}

/// `no ip nat …`
fn translation(reader: &mut Reader<'_>, line: &Line<'_>) -> bool {
    let config = &mut reader.config;
    match line.word(3).to_ascii_lowercase().as_str() {
        "pool" => {
            config.pools.remove(line.word(4));
            true
        }
        // The rule that says the same.
        "inside" | "outside" | "source" => match reader.said.remove(&said(line.after(1))) {
            Some(place) => config.nat.remove(&place).is_some(),
            None => config.nat.is_empty(),
        },
        _ => true,
    }
}

/// `no ip inspect name NAME [PROTOCOL …]`
fn inspection(reader: &mut Reader<'_>, line: &Line<'_>) -> bool {
    if !line.is(3, "name") {
        return true;
    }
    let inspections = &mut reader.config.inspections;
    if line.word(5).is_empty() {
        inspections.remove(line.word(4));
    } else if let Some(list) = inspections.get_mut(line.word(4)) {
        list.retain(|own| !own.name.eq_ignore_ascii_case(line.word(5)));
    }
    true
}

/// `default …` at the start of a line.
pub fn default(reader: &mut Reader<'_>, line: &Line<'_>) {
    if line.is(1, "interface") && !line.is(2, "range") {
        if let Some(interface) = reader.config.interfaces.get_mut(&interface::name(line, 2).0) {
            *interface = Interface::default();
        }
    } else if line.is(1, "ip") && line.is(2, "routing") {
        reader.config.unrouted.remove(&Family::V4);
    } else if line.words.len() > 1 && !exempt::command(line.word(1), line.word(2)) {
        let (end, what) = told(line, 1);
        reader.bear(Span { start: line.span.start, ..end }, &format!("default {what}"));
    }
}

/// `no …` in an access list.
pub fn item(reader: &mut Reader<'_>, family: Family, name: &str, line: &Line<'_>) {
    let number = line.word(1 + usize::from(line.is(1, "sequence"))).parse::<u32>();
    let Some(list) = reader.config.lists.get_mut(&(family, name.to_string())) else { return };
    let before = list.items.len();
    match number {
        Ok(number) => list.items.retain(|(n, _)| *n != number),
        Err(_) if line.is(1, "remark") || line.is(1, "description") => return,
        Err(_) if before <= reader.compared => {
            reader.compared -= before;
            let wanted = line.after(1);
            list.items.retain(|(_, item)| {
                let span = match item {
                    Item::Entry(entry) => &entry.span,
                    Item::Evaluate(named) => &named.span,
                };
                let opening = |word: &&str| !["permit", "deny", "evaluate"].contains(word);
                !same(span.text().split_ascii_whitespace().skip_while(opening), wanted)
            });
        }
        Err(_) => {}
    }
    if list.items.len() == before {
        reader.bear(line.span.clone(), "no");
    }
}

/// `no …` below an interface. Whether it is followed.
pub fn on_interface(interface: &mut Interface, line: &Line<'_>) -> bool {
    let direction = |at: usize| interface::direction(line, at).ok();
    let gone = direction(4).or(direction(3));
    let family = family(line, 1);
    let (first, second) = (line.word(1), line.word(2));
    let addressed = is(first, "ip") || is(first, "ipv6");
    match () {
        () if line.is(1, "switchport") && line.words.len() == 2 => interface.switchport = false,
        () if line.starts(&["no", "switchport", "access"]) => interface.vlan = None,
        () if line.is(1, "switchport") => {}
        () if line.is(1, "shutdown") => interface.shutdown = None,
        () if line.is(1, "zone-member") => interface.zone = None,
        () if line.is(1, "ip") && line.is(2, "address") => {
            match super::entry::ipv4(line.word(3)) {
                Some(address) => interface.addresses.retain(|(own, _)| *own != address),
                None => {
                    interface.addresses.clear();
                    interface.open_address = false;
                }
            };
        }
        () if line.is(1, "ipv6") && line.is(2, "address") => {}
        () if line.is(1, "ip") && line.is(2, "unnumbered") => interface.open_address = false,
        () if addressed && (line.is(2, "access-group") || line.is(2, "traffic-filter")) => {
            interface.lists.retain(|(own, at), _| *own != family || gone.is_some_and(|g| g != *at));
        }
        () if line.is(1, "ip") && line.is(2, "nat") => {
            let side = interface::side(line.word(3));
            if side.is_none() || side == interface.nat {
                interface.nat = None;
            }
        }
        () if line.is(1, "ip") && line.is(2, "inspect") => {
            interface.inspect.retain(|at, _| direction(4).is_some_and(|gone| gone != *at));
        }
        () if addressed && line.is(2, "verify") => drop(interface.reverse_path.remove(&family)),
        () if line.is(1, "service-policy") => {
            let inward = line.is(2, "input");
            interface.policies.retain(|(at, own)| {
                (*at == super::config::Direction::In) != inward
                    || !line.word(3).is_empty() && own.name != line.word(3)
            });
        }
        () if exempt::on_interface(first, second) => {}
        // A bound that goes; what was never there changes nothing.
        () => {
            let what = if addressed { format!("{first} {second}") } else { first.to_string() };
            let named = |bound: &str| bound == what || bound.split(' ').next() == Some(first);
            let before = interface.bounds.len();
            interface.bounds.retain(|bound| !named(&bound.what) || bound.what.starts_with("no "));
            return interface.bounds.len() < before || interface::bounds(line, 1);
        }
    }
    true
}
