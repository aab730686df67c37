//! Which section a line belongs to, in exports and in files that people typed.

use super::exempt;
use super::lines::{Line, is};
use super::read::Section;
use tillgate_model::Family;

/// Whether a line opens a section of its own wherever it stands, or is a command that no section has.
pub fn opens(line: &Line<'_>) -> bool {
    let any = |at: usize, list: &[&str]| list.iter().any(|k| line.is(at, k));
    let count = line.words.len();
    match () {
        () if line.is(0, "interface") => {
            line.word(1).starts_with(|c: char| c.is_ascii_alphabetic()) && count <= 4
        }
        () if line.is(0, "access-list") => any(2, &["permit", "deny", "remark"]),
        () if line.starts(&["ip", "access-list"]) => any(2, &["standard", "extended"]) && count > 3,
        () if line.starts(&["ipv6", "access-list"]) => count == 3,
        () if line.is(0, "object-group") => any(1, &["network", "service"]) && count == 3,
        // `class` is a line of policies, no `class-map` cut short.
        () if any(0, &["class-map", "policy-map"]) => {
            line.is(1, "type") && line.is(2, "inspect") && !line.is(0, "class")
        }
        () if line.is(0, "zone") || line.is(0, "zone-pair") => line.is(1, "security"),
        () if line.starts(&["ip", "nat"]) => {
            any(2, &["inside", "outside"]) && any(3, &["source", "destination"]) || line.is(2, "pool")
        }
        () => line.starts(&["ip", "inspect", "name"]),
    }
}

/// Whether a line that stands no deeper than the one that opened the section still belongs to it; `indented`: others did
/// stand deeper.
pub fn continues(section: &Section, line: &Line<'_>, indented: bool) -> bool {
    let at = usize::from(line.is(0, "no") || line.word(0).eq_ignore_ascii_case("default"));
    let any = |list: &[&str]| list.iter().any(|k| line.is(at, k));
    let digit = line.word(at).starts_with(|c: char| c.is_ascii_digit());
    let own = match section {
        Section::Top | Section::Exempt => return false,
        Section::List(..) => any(&["permit", "deny", "remark", "evaluate", "sequence"]) || digit,
        Section::Class(_) => any(&["match"]),
        Section::Policy(_) => {
            any(&["inspect", "pass", "drop", "class", "police", "urlfilter", "service-policy", "exit"])
        }
        Section::Networks(_) => any(&["host", "range", "any", "group-object"]) || digit,
        Section::Services(_) => {
            any(&["tcp", "udp", "tcp-udp", "icmp", "gre", "esp", "ahp", "group-object"]) || digit
        }
        Section::Pair(_) => any(&["service-policy"]),
        Section::RouteMap(..) => any(&["match", "set", "continue"]),
        Section::Times(_) => any(&["absolute", "periodic"]),
        Section::ControlPlane => any(&["service-policy", "management-interface"]),
        Section::Shaping(_) => any(SHAPING),
        Section::Interface(_) => on_interface(line, at),
        Section::Terminal(_) => {
            any(&["access-class", "transport"]) || line.is(at, "ipv6") && line.is(at + 1, "access-class")
        }
    };
    if own || any(&["description"]) {
        return true;
    }
    // What is no command elsewhere, or may stand in both places and has no bearing in either.
    let (first, second) = (line.word(at), line.word(at + 1));
    match section {
        _ if indented => false,
        Section::Interface(_) => {
            !elsewhere(line, at) && (exempt::on_interface(first, second) || !known(first, second))
        }
        Section::Terminal(_) => any(ON_LINES) || !known(first, second),
        Section::Shaping(_) => !known(first, second),
        _ => false,
    }
}

/// Whether a command without bearing is one that always has lines below it.
pub fn block(line: &Line<'_>) -> bool {
    let any = |at: usize, list: &[&str]| list.iter().any(|k| line.is(at, k));
    match () {
        () if any(0, &["router", "archive", "controller", "dial-peer", "ephone", "vpdn-group"]) => true,
        () if any(0, &["crypto"]) => !any(1, &["map"]),
        () if any(0, &["ip"]) => any(1, &["dhcp"]) && any(2, &["pool"]) || any(1, &["sla"]),
        () => any(0, &["flow"]) || any(0, &["key"]) && any(1, &["chain"]),
    }
}

/// What stands below policies of quality of service.
#[rustfmt::skip]
const SHAPING: &[&str] = &[
    "class", "police", "drop", "bandwidth", "priority", "shape", "set", "queue-limit", "fair-queue", "random-detect",
    "service-policy", "conform-action", "exceed-action", "violate-action", "exit",
];

/// What stands below terminal lines, and may stand elsewhere.
const ON_LINES: &[&str] = &["login", "password", "privilege", "logging", "modem"];

/// Whether words, from one on, are a setting of an interface and nothing else.
fn on_interface(line: &Line<'_>, at: usize) -> bool {
    let any = |from: usize, list: &[&str]| list.iter().any(|k| line.is(at + from, k));
    let count = line.words.len().saturating_sub(at);
    let ends = || ["in", "out"].iter().any(|k| line.word(at + count - 1).eq_ignore_ascii_case(k));
    match () {
        () if any(0, &["zone-member", "rate-limit", "bridge-group", "shutdown", "service-policy"]) => true,
        () if any(0, &["ip", "ipv6"]) => {
            any(1, &["access-group", "traffic-filter", "address", "verify", "unnumbered", "policy"])
                || any(1, &["inspect", "ips"]) && !any(2, &["name"]) && (count == 3 && at == 1 || ends())
                || any(1, &["nat"]) && count == 3 && any(2, &["inside", "outside", "enable"])
                || any(1, &["admission", "auth-proxy"]) && count == 3
        }
        () if any(0, &["crypto"]) => any(1, &["map"]) && count == 3,
        () => any(0, &["mac"]) && any(1, &["access-group"]),
    }
}

/// Whether words, from one on, are no setting of an interface, although an interface has such.
fn elsewhere(line: &Line<'_>, at: usize) -> bool {
    let any = |from: usize, list: &[&str]| list.iter().any(|k| line.is(at + from, k));
    match () {
        () if any(0, &["ip"]) && any(1, &["dhcp"]) => any(2, &["pool", "class"]),
        () if any(0, &["ip"]) && any(1, &["vrf"]) => !any(2, &["forwarding", "receive"]),
        () if any(0, &["vrf"]) => any(1, &["definition"]),
        () if any(0, &["flow"]) => any(1, &["record", "exporter", "monitor"]),
        () if any(0, &["macro"]) => any(1, &["name"]),
        () if any(0, &["monitor"]) => any(1, &["session"]),
        () if any(0, &["cts"]) => any(1, &["role-based"]),
        () => any(0, &["controller"]),
    }
}

/// Whether words start a command that this platform reads or knows to have no bearing.
fn known(first: &str, second: &str) -> bool {
    let read = [
        "interface",
        "access-list",
        "object-group",
        "class-map",
        "policy-map",
        "zone",
        "zone-pair",
        "route-map",
        "time-range",
        "line",
        "control-plane",
        "snmp-server",
        "vlan",
        "parameter-map",
        "vrf",
        "bridge",
        "mac",
        "nat64",
        "nat66",
        "utd",
    ];
    let addressed = [
        "access-list",
        "nat",
        "inspect",
        "port-map",
        "http",
        "routing",
        "admission",
        "auth-proxy",
        "ips",
        "slb",
        "unicast-routing",
    ];
    match is(first, "ip") || is(first, "ipv6") {
        true => addressed.iter().any(|k| is(second, k)) || exempt::command(first, second),
        false => read.iter().any(|k| is(first, k)) || exempt::command(first, second),
    }
}

/// The family a command starts with.
pub fn family(line: &Line<'_>, at: usize) -> Family {
    if line.is(at, "ipv6") { Family::V6 } else { Family::V4 }
}
