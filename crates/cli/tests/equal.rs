//! One policy on every platform: what is written holds, and is the same by `diff` in every pair, apart from what a
//! platform is documented not to express (docs/reference/platforms).
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, json, scratch, tillgate};
use rayon::prelude::*;
use serde_json::Value as Json;
use tillgate_platforms::PLATFORMS;

/// Sites that are compared: the plainest, one with IPv6, one with an exception, one by name, one with two uplinks.
const COMPARED: [&str; 5] = ["aachen", "hamburg", "koeln", "muenchen", "wien"];

/// Where a platform refuses a site instead of writing less than it asks for.
const REFUSED: &[(&str, &str)] = &[("ios", "muenchen")];

/// What is no beginning of a connection on the site's own interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    /// By an interface the estate knows nothing about.
    Elsewhere,
    /// Of a connection that is known.
    Known,
    /// In state invalid or untracked.
    Stray,
    /// TCP that does not open with SYN alone.
    Flags,
    /// From a port of DHCP, or from port 0, which no client asks from.
    Port,
}

/// Platforms that follow sessions instead of asking each packet for its state, and what has no answer there that could
/// be compared with one that asks (docs/reference/platforms, "Written"). That answers come back is proved by `verify`.
const SESSIONS: &[(&str, &[Later])] = &[
    ("asa", &[Later::Elsewhere, Later::Known, Later::Flags, Later::Port]),
    ("fortios", &[Later::Elsewhere, Later::Known, Later::Flags, Later::Port]),
    ("ios", &[Later::Elsewhere, Later::Known, Later::Stray, Later::Port]),
    ("opnsense", &[Later::Elsewhere, Later::Known, Later::Stray, Later::Flags, Later::Port]),
    ("pf", &[Later::Elsewhere, Later::Known, Later::Stray, Later::Flags]),
];

/// An area of a difference.
struct Area<'a>(&'a Json);

impl Area<'_> {
    fn list(&self, key: &str) -> Option<Vec<&str>> {
        Some(self.0[key].as_array()?.iter().filter_map(Json::as_str).collect())
    }

    /// Whether a field is given, and every entry of it fits.
    fn all(&self, key: &str, fits: impl Fn(&str) -> bool) -> bool {
        self.list(key).is_some_and(|list| !list.is_empty() && list.into_iter().all(fits))
    }

    fn is(&self, key: &str, list: &[&str]) -> bool {
        self.list(key).as_deref() == Some(list)
    }

    /// Whether a field is left open or holds a number.
    fn may_be(&self, key: &str, number: u32) -> bool {
        let holds = |entry: &str| {
            entry.split(',').any(|part| {
                let (lo, hi) = part.split_once('-').unwrap_or((part, part));
                let (lo, hi) = (lo.parse::<u32>(), hi.parse::<u32>());
                matches!((lo, hi), (Ok(lo), Ok(hi)) if (lo..=hi).contains(&number))
            })
        };
        self.list(key).is_none_or(|list| list.into_iter().any(holds))
    }

    fn six(&self) -> bool {
        self.is("family", &["IPv6"])
            || ["source", "destination"].iter().any(|k| self.all(k, |a| a.contains(':')))
    }

    /// Interfaces the estate knows nothing about: `*` is any that neither side names.
    fn outside(&self) -> bool {
        ["in", "out"].iter().any(|key| self.all(key, |i| i == "lo" || i.ends_with('*')))
    }

    /// Why no connection can begin so, as far as one reason is enough; `None` where one can.
    fn no_beginning(&self) -> Option<Later> {
        let state = |list: &[&str]| self.all("state", |s| list.contains(&s));
        if self.outside() {
            Some(Later::Elsewhere)
        } else if state(&["established", "related"]) {
            Some(Later::Known)
        } else if state(&["invalid", "untracked"]) {
            Some(Later::Stray)
        } else if !self.may_be("tcp_flags", 2) {
            Some(Later::Flags)
        } else if self.all("source_port", |p| ["0", "67", "68", "546", "547"].contains(&p)) {
            Some(Later::Port)
        } else {
            None
        }
    }

    /// Only protocols other than TCP, UDP and the ICMP of the family.
    fn other_protocols(&self) -> bool {
        let followed = [6, 17, if self.six() { 58 } else { 1 }];
        let named = |p: &str| ["tcp", "udp", "icmp", "icmpv6"].contains(&p);
        let holds = |p: &str, number: u8| {
            let (lo, hi) = p.split_once('-').unwrap_or((p, p));
            matches!((lo.parse::<u8>(), hi.parse::<u8>()), (Ok(lo), Ok(hi)) if (lo..=hi).contains(&number))
        };
        self.all("protocol", |p| !named(p) && !followed.iter().any(|n| holds(p, *n)))
    }

    fn multicast(&self) -> bool {
        self.all("destination", |a| a.starts_with("224.") || a.starts_with("ff0"))
    }

    /// To many at once, whichever way: IPv4's multicast and broadcasts, IPv6's multicast.
    fn to_many(&self) -> bool {
        let many = |a: &str| {
            ["224.", "255.255.255.255", "ff"].iter().any(|s| a.starts_with(s))
                || !a.contains(['-', '/']) && a.ends_with(".255")
        };
        self.all("destination", |a| many(a) && !a.starts_with(|c: char| c.is_ascii_digit() && c < '1'))
    }

    /// To the firewall itself, at none of its addresses in a segment.
    fn elsewhere(&self) -> bool {
        let own = |a: &str| !a.contains(['-', '/']) && (a.ends_with(".1") || a.ends_with("::1"));
        self.0.get("out").is_none() && self.all("destination", |a| !own(a))
    }
}

/// What a platform is documented to do differently from the others (docs/reference/platforms).
fn documented(platform: &str, area: &Area<'_>) -> bool {
    // A resolver fills sets with what is below a name too; an object by name is that name.
    let below = area.all("name", |a| a.starts_with("*."));
    let sessions = SESSIONS.iter().find(|(name, _)| *name == platform).map_or(&[][..], |(_, later)| later);
    if area.no_beginning().is_some_and(|later| sessions.contains(&later)) {
        return true;
    }
    match platform {
        // No loopback interface to accept from.
        "routeros" => area.is("in", &["lo"]) || below,
        "vyos" => below,
        "fortios" => {
            below
                // ICMP sessions open with a request, and multicast has a table of its own.
                || area.0.get("type").is_some()
                || area.multicast()
        }
        // An object by name is that name.
        "asa" => below,
        // Loopback is accepted before the state is asked, invalid packets are dropped on their way out too, and
        // neighbour discovery is a matter of the zones.
        "openwrt" => area.outside() || (area.is("state", &["invalid"]) && area.0.get("in").is_none()),
        // Sessions are followed for TCP, UDP and ICMP only.
        "ios" => area.other_protocols(),
        // Rules for what comes in cannot name where it leaves: segments, broadcasts and multicast are denied by
        // destination, and management answers at the firewall's own addresses.
        "opnsense" => {
            below
                || area.to_many()
                || area.all("destination", |a| a.starts_with("fe80:") || a.starts_with("ff"))
                || area.elsewhere() && area.is("destination_port", &["22"])
                || area.is("destination_port", &["0"])
        }
        "pf" => area.to_many(),
        _ => false,
    }
}

#[test]
fn every_platform_says_the_same() {
    let folder = scratch("platforms");
    let chain = example("chain");
    let names: Vec<&str> = PLATFORMS.iter().map(|p| p.name).collect();
    let sites: Vec<String> = {
        let plan = tillgate(&format!("plan --all --estate {chain} --format json"), "");
        json(&plan)["sites"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["site"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(sites.len(), 25);
    let refused = |platform: &str, site: &str| REFUSED.contains(&(platform, site));
    names.par_iter().for_each(|name| {
        for site in &sites {
            let place = folder.join(name).join(site);
            let done = tillgate(
                &format!("render {site} --estate {chain} --platform {name} -o {}", place.display()),
                "",
            );
            if refused(name, site) {
                assert_eq!(done.code, 2, "{name}: {site} is said to be refused");
                assert!(!done.err.is_empty() && !place.exists(), "{name}: {}", done.err);
                continue;
            }
            assert_eq!(done.code, 0, "{name}: {site}: {}", done.err);
            let done = tillgate(
                &format!("verify {site} --estate {chain} --config {} --format json", place.display()),
                "",
            );
            assert_eq!(done.code, 0, "{name}: {site}: {}{}", done.out, done.err);
        }
    });
    let pairs: Vec<(&str, &str, &str)> = names
        .iter()
        .enumerate()
        .flat_map(|(at, one)| names[at + 1..].iter().map(move |other| (*one, *other)))
        .flat_map(|(one, other)| COMPARED.iter().map(move |site| (one, other, *site)))
        .filter(|(one, other, site)| !refused(one, site) && !refused(other, site))
        .collect();
    let wrong: Vec<String> = pairs
        .par_iter()
        .filter_map(|(one, other, site)| {
            let place = |name: &str| folder.join(name).join(site).display().to_string();
            let done = tillgate(
                &format!("diff {} {} --site {site} --estate {chain} --format json", place(one), place(other)),
                "",
            );
            let found = json(&done);
            // Only FortiOS leaves something open in what is written for it: which release's denials take what a VIP
            // has translated.
            let open = [one, other].contains(&&"fortios");
            assert_eq!(found["proof"], if open { "possible" } else { "proved" }, "{site}: {one} and {other}");
            let same = [*one, *other] == ["iptables", "nftables"];
            assert!(!same || done.code == 0 && found["equal"] == true, "{site}: {one} and {other}");
            let mut differing = ["opened", "closed", "redirected"]
                .into_iter()
                .flat_map(|list| found[list].as_array().unwrap().iter().map(move |area| (list, area)))
                .filter(|(_, area)| ![one, other].iter().any(|platform| documented(platform, &Area(area))))
                .peekable();
            differing.peek()?;
            let list: Vec<String> = differing.map(|(list, area)| format!("  {list} {area}")).collect();
            Some(format!("{site}: {one} and {other}\n{}", list.join("\n")))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} pairs differ\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
    std::fs::remove_dir_all(folder).unwrap();
}
