//! What a configuration says beside its rules: policies switched off, with an end, for applications, that look into
//! encrypted connections; unencrypted management.

use super::config::{Block, Entry};
use super::usage;
use tillgate_model::{Date, Span};
use tillgate_ruleset::{Fact, What};

/// Tables of rules that can be switched off.
pub const RULES: &[&str] = &[
    "firewall policy",
    "firewall policy6",
    "firewall policy46",
    "firewall policy64",
    "firewall consolidated policy",
    "firewall security-policy",
    "firewall local-in-policy",
    "firewall local-in-policy6",
    "firewall multicast-policy",
    "firewall multicast-policy6",
    "firewall central-snat-map",
];

/// All facts of a configuration.
pub fn facts(global: &Block, vdoms: &[(&str, &Block)]) -> Vec<Fact> {
    let mut out = management(global, vdoms);
    for (_, vdom) in vdoms {
        let settings = vdom.child("system settings");
        let policy_based = settings.and_then(|s| s.get("ngfw-mode")) == Some("policy-based");
        let central_nat = policy_based || settings.is_some_and(|s| s.on("central-nat"));
        out.extend(usage::unused(vdom, global, central_nat));
        for entry in RULES.iter().flat_map(|table| vdom.table(table)) {
            let whats = if entry.block.get("status") == Some("disable") {
                vec![What::Disabled]
            } else {
                policy(vdom, entry)
            };
            out.extend(whats.into_iter().map(|what| Fact { span: entry.span.clone(), what }));
        }
    }
    out
}

fn policy(vdom: &Block, entry: &Entry) -> Vec<What> {
    let block = &entry.block;
    let mut out = Vec::new();
    let schedule = block.get("schedule").and_then(|name| ends(vdom, name, 0));
    let expiry = block.values("policy-expiry-date");
    let expiry = expiry.iter().find_map(|v| date(v)).filter(|_| block.on("policy-expiry"));
    out.extend(schedule.into_iter().chain(expiry).min().map(What::Until));
    if block.get("action") != Some("accept") {
        return out;
    }
    out.extend(applications(vdom, block).into_iter().map(What::Application));
    out.extend(inspection(vdom, block).map(What::Inspects));
    out
}

/// The last day of a schedule; `None` for what goes on.
fn ends(vdom: &Block, name: &str, depth: usize) -> Option<Date> {
    if let Some(group) = vdom.entry("firewall schedule group", name).filter(|_| depth < 8) {
        let ends: Option<Vec<Date>> =
            group.block.values("member").iter().map(|m| ends(vdom, m, depth + 1)).collect();
        return ends?.into_iter().max();
    }
    let onetime = vdom.entry("firewall schedule onetime", name)?;
    onetime.block.values("end").iter().find_map(|v| date(v))
}

/// The date in `17:00 2026/12/31` or `2026-12-31 00:00:00`; the year 0 stands for none.
fn date(text: &str) -> Option<Date> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.split(['/', '-']);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
        date.filter(|d| d.year() > 0 && parts.next().is_none())
    })
}

/// What a policy recognises applications by, where it passes nothing else.
fn applications(vdom: &Block, block: &Block) -> Vec<String> {
    let mut out = Vec::new();
    for six in ["", "6"] {
        let on = block.on(&format!("internet-service{six}"));
        if on && !block.on(&format!("internet-service{six}-negate")) {
            for key in ["name", "id"] {
                out.extend_from_slice(block.values(&format!("internet-service{six}-{key}")));
            }
        }
    }
    // Of a policy-based unit.
    out.extend_from_slice(block.values("application"));
    // A list passes what it does not know unless it says otherwise.
    let list = through(vdom, block, "application-list");
    let closed = |name: &&str| {
        vdom.entry("application list", name).is_some_and(|e| {
            let blocks = |key: &str| e.block.get(key) == Some("block");
            blocks("other-application-action") && blocks("unknown-application-action")
        })
    };
    out.extend(list.filter(closed).map(str::to_string));
    out
}

/// A profile of a policy, or of its group of profiles.
fn through<'b>(vdom: &'b Block, block: &'b Block, key: &str) -> Option<&'b str> {
    if block.get("utm-status") == Some("disable") {
        return None;
    }
    match block.get("profile-group").filter(|_| block.get("profile-type") == Some("group")) {
        Some(group) => vdom.entry("firewall profile-group", group)?.block.get(key),
        None => block.get(key),
    }
}

/// The profile by which a policy opens encrypted connections (CLI Reference, config firewall ssl-ssh-profile).
fn inspection(vdom: &Block, block: &Block) -> Option<String> {
    let name = through(vdom, block, "ssl-ssh-profile")?;
    let deep = match name {
        "deep-inspection" => true,
        "certificate-inspection" | "no-inspection" => false,
        _ => match vdom.entry("firewall ssl-ssh-profile", name) {
            None => name == "custom-deep-inspection",
            Some(profile) => opens(&profile.block),
        },
    };
    deep.then(|| name.to_string())
}

fn opens(profile: &Block) -> bool {
    match profile.child("ssl").and_then(|b| b.get("inspect-all")) {
        Some("deep-inspection") => true,
        Some("certificate-inspection") => false,
        // Deep inspection is the default, and is not printed by all releases.
        _ => profile.child("https").is_some_and(|b| b.get("status").is_none_or(|s| s == "deep-inspection")),
    }
}

/// Administrative access that anybody on the way can read.
fn management(global: &Block, vdoms: &[(&str, &Block)]) -> Vec<Fact> {
    let mut out = Vec::new();
    let telnet = global.child("system global").and_then(|b| b.get("admin-telnet")) != Some("disable");
    let mut snmp = false;
    let mut say = |span: &Span, service: &str| {
        let what = What::CleartextManagement(service.to_string());
        out.push(Fact { span: span.clone(), what });
    };
    let up = global.table("system interface").iter().filter(|e| e.block.get("status") != Some("down"));
    for port in up {
        let six = port.block.child("ipv6").map(|b| (b, "ip6-allowaccess"));
        let second = port.block.table("secondaryip").iter().map(|e| (&e.block, "allowaccess"));
        for (block, key) in std::iter::once((&port.block, "allowaccess")).chain(six).chain(second) {
            let Some(place) = block.place(key) else { continue };
            for word in block.values(key) {
                match word.as_str() {
                    "http" => say(&place, "http"),
                    "telnet" if telnet => say(&place, "telnet"),
                    "snmp" => snmp = true,
                    _ => {}
                }
            }
        }
    }
    let blocks =
        std::iter::once(global).chain(vdoms.iter().map(|(_, b)| *b).filter(|b| !std::ptr::eq(*b, global)));
    for block in blocks.filter(|b| snmp && b.child("system snmp sysinfo").is_some_and(|s| s.on("status"))) {
        for community in block.table("system snmp community") {
            let on = |key: &str| community.block.get(key) != Some("disable");
            if on("status") && (on("query-v1-status") || on("query-v2c-status")) {
                say(&community.span, "snmp");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::date;
    use tillgate_model::Date;

    #[test]
    fn dates_as_releases_print_them() {
        let want = Some(Date::constant(2026, 12, 31));
        for text in ["2026/12/31", "17:00 2026/12/31", "2026-12-31 00:00:00"] {
            assert_eq!(date(text), want, "{text}");
        }
        for text in ["0000-00-00 00:00:00", "17:00", "2026/13/01", "99999/1/1", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
