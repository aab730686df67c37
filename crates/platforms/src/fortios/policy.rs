//! Policies: which packets, and what happens to them.

use super::address::{self, Addresses, Known};
use super::config::{Block, Entry};
use super::service::{self, Services};
use super::vip::Vips;
use std::cell::RefCell;
use tillgate_model::{Diagnostic, Family, Ranges, Span, Text};
use tillgate_packetset::{Cube, Field};
use tillgate_ruleset::{Action, InterfaceMatch, Match, NameSet, Note, Part, Rule, Term};

/// What a policy needs to know of its virtual domain.
pub struct Context<'a> {
    pub vdom: &'a Block,
    /// Where `system interface` stands.
    pub global: &'a Block,
    pub vips: &'a Vips,
    /// What names of addresses were found to stand for.
    pub known: RefCell<Known>,
    /// VIPs act without being named.
    pub central_nat: bool,
    /// A deny takes what a VIP has translated unless it says otherwise.
    pub match_vip: Option<bool>,
    /// TCP without SYN may open a session where a policy says so.
    pub without_syn: bool,
    /// Another table has a say in what is accepted.
    pub second_table: bool,
}

/// The keys of a side's addresses in the tables of policies.
#[derive(Clone, Copy)]
pub struct Keys {
    pub source: &'static str,
    pub destination: &'static str,
    pub source_negate: &'static str,
    pub destination_negate: &'static str,
}

pub const PLAIN: Keys = Keys {
    source: "srcaddr",
    destination: "dstaddr",
    source_negate: "srcaddr-negate",
    destination_negate: "dstaddr-negate",
};
pub const SIX: Keys = Keys {
    source: "srcaddr6",
    destination: "dstaddr6",
    source_negate: "srcaddr6-negate",
    destination_negate: "dstaddr6-negate",
};
pub const FOUR: Keys = Keys {
    source: "srcaddr4",
    destination: "dstaddr4",
    source_negate: "srcaddr-negate",
    destination_negate: "dstaddr-negate",
};

/// Settings that make a policy depend on what no packet shows.
const OPEN: &[&str] = &[
    "users",
    "groups",
    "fsso-groups",
    "devices",
    "internet-service-src",
    "src-vendor-mac",
    "geoip-match",
    "sgt",
    "ztna-ems-tag",
    "ztna-geo-tag",
    "network-service-dynamic",
    "reputation-minimum",
    "vlan-filter",
    "internet-service6-src",
    "application",
    "app-category",
    "app-group",
    "url-category",
    "fsso-agent-for-ntlm",
];
const OPEN_IF_ON: &[&str] = &[
    "fsso",
    "ntlm",
    "rsso",
    "ztna-status",
    "sgt-check",
    "internet-service-src",
    "internet-service6-src",
    "wccp",
];

/// Settings that are read here, or say nothing of which packets are meant (CLI Reference, config firewall policy).
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "name", "uuid", "status", "srcintf", "dstintf", "srcaddr",
    "dstaddr", "srcaddr6", "dstaddr6", "srcaddr4", "dstaddr4", "srcaddr-negate",
    "dstaddr-negate", "srcaddr6-negate", "dstaddr6-negate", "service", "service-negate", "internet-service",
    "internet-service-name", "internet-service-id", "internet-service-group", "internet-service-custom", "internet-service-custom-group", "internet-service-negate",
    "internet-service-src-name", "internet-service-src-id", "internet-service-src-group", "internet-service-src-custom", "internet-service-src-custom-group", "internet-service-src-negate",
    "internet-service6", "internet-service6-name", "internet-service6-group", "internet-service6-custom", "internet-service6-custom-group", "internet-service6-negate",
    "reputation-direction", "reputation-direction6", "reputation-minimum6", "schedule", "schedule-timeout", "action",
    "send-deny-packet", "tos", "tos-mask", "tos-negate", "match-vip", "match-vip-only",
    "nat", "nat46", "nat64", "ippool", "poolname", "poolname6",
    "fixedport", "permit-any-host", "permit-stun-host", "natip", "natinbound", "natoutbound",
    "inbound", "outbound", "vpntunnel", "utm-status", "inspection-mode", "profile-type",
    "profile-group", "ssl-ssh-profile", "profile-protocol-options", "av-profile", "webfilter-profile", "dnsfilter-profile",
    "emailfilter-profile", "spamfilter-profile", "dlp-sensor", "dlp-profile", "file-filter-profile", "ips-sensor",
    "application-list", "voip-profile", "ips-voip-filter", "waf-profile", "videofilter-profile", "icap-profile",
    "sctp-filter-profile", "diameter-filter-profile", "virtual-patch-profile", "ssh-filter-profile", "casb-profile", "cifs-profile",
    "decrypted-traffic-mirror", "logtraffic", "logtraffic-start", "capture-packet", "auto-asic-offload", "np-acceleration",
    "tcp-session-without-syn", "anti-replay", "tcp-mss-sender", "tcp-mss-receiver", "tcp-timeout-pid", "udp-timeout-pid",
    "session-ttl", "traffic-shaper", "traffic-shaper-reverse", "per-ip-shaper", "class-id", "vlan-cos-fwd",
    "vlan-cos-rev", "policy-expiry", "policy-expiry-date", "policy-expiry-date-utc", "captive-portal-exempt", "disclaimer",
    "timeout-send-rst", "comments", "label", "global-label", "custom-log-fields", "enforce-default-app-port",
    "learning-mode", "replacemsg-override-group", "redirect-url", "webcache", "webcache-https", "webproxy-profile",
    "webproxy-forward-server", "wanopt", "wanopt-detection", "wanopt-passive-opt", "wanopt-profile", "wanopt-peer",
    "http-policy-redirect", "ssh-policy-redirect", "ztna-policy-redirect", "ztna-device-ownership", "ztna-tags-match-logic", "delay-tcp-npu-session",
    "dsri", "radius-mac-auth-bypass", "block-notification", "geoip-anycast", "diffserv-copy", "diffserv-forward",
    "diffserv-reverse", "diffservcode-forward", "diffservcode-rev", "identity-based-route", "auth-path", "auth-cert",
    "auth-redirect-addr", "email-collect", "nac-quar", "intf", "ha-mgmt-intf-only", "virtual-patch",
    "cgn-log-server-grp", "cgn-eif", "cgn-eim", "cgn-session-quota", "cgn-resource-quota", "app-monitor",
    "port-preserve", "port-random", "pcp-inbound", "pcp-outbound", "pcp-poolname", "passive-wan-health-measurement",
    "policy-offload", "devices-negate", "fec", "ssl-mirror", "ssl-mirror-intf", "rtp-nat",
    "rtp-addr", "srcaddr4-negate", "dstaddr4-negate", "scan-botnet-connections", "explicit-web-proxy", "groups-negate",
];

/// What was found beside the rules.
#[derive(Default)]
pub struct Found {
    pub notes: Vec<Note>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The members of a zone, an SD-WAN zone, or the interface itself.
pub fn members(vdom: &Block, name: &str) -> Vec<String> {
    if let Some(zone) = vdom.entry("system zone", name) {
        return zone.block.values("interface").to_vec();
    }
    for path in ["system sdwan", "system virtual-wan-link"] {
        let Some(block) = vdom.child(path) else { continue };
        let own: Vec<String> = block
            .table("members")
            .iter()
            .filter(|e| e.block.get("zone").unwrap_or("virtual-wan-link") == name)
            .filter_map(|e| e.block.get("interface").map(str::to_string))
            .collect();
        if !own.is_empty() || block.table("zone").iter().any(|e| e.name == name) {
            return own;
        }
    }
    vec![name.to_string()]
}

/// The interfaces a list names; `None` for any, and where there is no list.
pub fn interfaces(vdom: &Block, names: &[String]) -> Option<InterfaceMatch> {
    if names.is_empty() || names.iter().any(|n| n == "any") {
        return None;
    }
    let patterns = names.iter().flat_map(|n| members(vdom, n)).collect();
    Some(InterfaceMatch { patterns, negate: false })
}

/// A condition that a TCP packet opens a session.
pub fn opening() -> Term {
    let syn: Ranges = (0..=255u128).filter(|f| f & 0x12 == 0x02).map(|f| (f, f)).collect();
    let other = Cube::all().with(Field::Protocol, &Ranges::single(6).complement(255));
    let first = Cube::all().at(Field::Protocol, 6).and_then(|c| c.with(Field::TcpFlags, &syn));
    let parts = [other, first].into_iter().flatten().map(|cube| Part { cube, ..Part::default() });
    Term::Any { parts: parts.collect(), negate: false }
}

fn doubt(what: &str) -> Text {
    Text::new("not-modelled-match").arg("what", what)
}

impl Context<'_> {
    /// The rules of one policy for one family.
    pub fn rules(&self, entry: &Entry, family: Family, keys: Keys, found: &mut Found) -> Vec<Rule> {
        let block = &entry.block;
        let schedule = block.get("schedule").unwrap_or("always");
        if block.get("status") == Some("disable") || schedule == "none" {
            return Vec::new();
        }
        let mut base = Match::default();
        base.narrow(Field::Family, &Ranges::single(family as u128));
        base.input.extend(interfaces(self.vdom, block.values("srcintf")));
        base.output.extend(interfaces(self.vdom, block.values("dstintf")));
        self.doubts(block, schedule, &mut base);
        let action = match block.get("action").unwrap_or("deny") {
            "accept" => Action::Accept,
            "deny" => Action::Drop,
            other => {
                let text = Text::new("not-modelled-statement").arg("what", format!("action {other}"));
                found.notes.push(Note { span: entry.span.clone(), text, bears: true });
                Action::Unknown
            }
        };
        if action == Action::Accept && self.second_table {
            base.doubts.push(doubt("security-policy"));
        }
        let mut variants = vec![base];
        if !(block.on("internet-service") || block.on("internet-service6")) {
            variants = self.destinations(variants, entry, family, keys, &action, found);
            variants = self.services(variants, entry, found);
        } else {
            variants.iter_mut().for_each(|w| w.doubts.push(doubt("internet-service")));
        }
        variants = self.sources(variants, entry, family, keys, found);
        if self.without_syn {
            match block.get("tcp-session-without-syn") {
                Some("all") => {}
                Some("data-only") => variants.iter_mut().for_each(|w| w.doubts.push(doubt("data-only"))),
                _ => variants.iter_mut().for_each(|w| w.terms.push(opening())),
            }
        }
        let log = matches!(block.get("logtraffic"), Some("all"));
        for text in variants.iter().flat_map(|w| &w.doubts) {
            found.notes.push(Note { span: entry.span.clone(), text: text.clone(), bears: true });
        }
        let rule = |when| Rule { span: entry.span.clone(), when, action: action.clone(), log };
        variants.into_iter().map(rule).collect()
    }

    fn doubts(&self, block: &Block, schedule: &str, when: &mut Match) {
        if schedule != "always" {
            when.doubts.push(doubt(schedule));
        }
        for key in OPEN.iter().filter(|k| {
            block.values(k).iter().any(|v| !matches!(v.as_str(), "" | "disable" | "0" | "physical-location"))
        }) {
            when.doubts.push(doubt(key));
        }
        for key in OPEN_IF_ON.iter().filter(|k| block.on(k)) {
            when.doubts.push(doubt(key));
        }
        // What only one release or another knows may say anything.
        for setting in block.settings.iter().filter(|s| !KNOWN.contains(&s.key.as_str())) {
            if !OPEN.contains(&setting.key.as_str()) && !OPEN_IF_ON.contains(&setting.key.as_str()) {
                when.doubts.push(doubt(&setting.key));
            }
        }
        if block.on("policy-expiry") {
            when.doubts.push(doubt("policy-expiry"));
        }
        if block.on("match-vip-only") {
            when.doubts.push(doubt("match-vip-only"));
        }
        let zero = |v: &str| v.trim_start_matches("0x").bytes().all(|b| b == b'0');
        if block.get("tos-mask").is_some_and(|m| !zero(m)) {
            when.doubts.push(doubt("tos"));
        }
    }

    fn unknown(&self, entry: &Entry, key: &str, name: &str, found: &mut Found) {
        let span: Span = entry.block.place(key).unwrap_or_else(|| entry.span.clone());
        found.diagnostics.push(Diagnostic::error(span, Text::new("unknown-object").arg("name", name)));
    }

    fn side(
        &self,
        names: &[&String],
        entry: &Entry,
        family: Family,
        key: &str,
        found: &mut Found,
    ) -> Addresses {
        let (mut all, mut fetched) = (Vec::new(), false);
        for name in names {
            match address::lookup(self.vdom, self.global, family, name, &mut self.known.borrow_mut()) {
                Some(one) => all.push(one),
                // A threat feed or the like: something the unit fetches.
                None if [self.vdom, self.global]
                    .iter()
                    .any(|b| b.entry("system external-resource", name).is_some()) =>
                {
                    fetched = true;
                }
                None => self.unknown(entry, key, name, found),
            }
        }
        let mut all = Addresses::union(&all);
        if fetched {
            all.maybe = Ranges::full(family.max_address());
        }
        all
    }

    fn sources(
        &self,
        variants: Vec<Match>,
        entry: &Entry,
        family: Family,
        keys: Keys,
        found: &mut Found,
    ) -> Vec<Match> {
        let names: Vec<&String> = entry.block.values(keys.source).iter().collect();
        if names.is_empty() && OPEN_IF_ON.iter().any(|k| *k == "internet-service-src" && entry.block.on(k)) {
            return variants;
        }
        let mut side = self.side(&names, entry, family, keys.source, found);
        if entry.block.on(keys.source_negate) {
            side = side.negated(family);
        }
        let mut out = Vec::new();
        for when in &variants {
            for piece in side.pieces(family) {
                let mut when = when.clone();
                when.narrow(Field::Source, &piece.ranges);
                if !piece.sure || piece.names.is_some() {
                    when.doubts.push(doubt(keys.source));
                }
                out.push(when);
            }
        }
        out
    }

    fn destinations(
        &self,
        variants: Vec<Match>,
        entry: &Entry,
        family: Family,
        keys: Keys,
        action: &Action,
        found: &mut Found,
    ) -> Vec<Match> {
        let block = &entry.block;
        let (mut plain, mut tags, mut open) = (Vec::new(), Ranges::empty(), false);
        for name in block.values(keys.destination) {
            match self.vips.named(self.vdom, family, name) {
                Some(vips) => {
                    tags = vips.iter().fold(tags, |all, v| all.union(&Ranges::single(v.tag.into())));
                    open |= vips.iter().any(|v| v.open);
                }
                None => plain.push(name),
            }
        }
        let mut side = self.side(&plain, entry, family, keys.destination, found);
        if block.on(keys.destination_negate) {
            side = side.negated(family);
        }
        // What a VIP has translated fits only policies that name it, and denials that say so.
        let takes_translated = if self.central_nat {
            Some(true)
        } else if *action == Action::Drop {
            match block.get("match-vip").filter(|_| !block.on("match-vip-only")) {
                Some(word) => Some(word == "enable"),
                None => self.match_vip,
            }
        } else {
            Some(false)
        };
        let everything = plain.iter().any(|n| *n == "all") && !block.on(keys.destination_negate);
        let mut out = Vec::new();
        for when in &variants {
            for piece in side.pieces(family) {
                let mut when = when.clone();
                when.narrow(Field::Destination, &piece.ranges);
                if !piece.sure {
                    when.doubts.push(doubt(keys.destination));
                }
                when.terms.extend(piece.names.map(|names| Term::Names(NameSet { names })));
                let mut translated = when.clone();
                match takes_translated {
                    // Which address is compared is not written anywhere, and does not matter for all of them.
                    Some(true) if everything || self.central_nat => {}
                    Some(true) => {
                        when.narrow(Field::Translated, &Ranges::single(0));
                        translated = variants[0].clone();
                        translated.narrow(Field::Translated, &Ranges::span(1, Field::Translated.maximum()));
                        translated.doubts.push(doubt("match-vip"));
                        out.push(translated);
                    }
                    Some(false) => when.narrow(Field::Translated, &Ranges::single(0)),
                    // Without VIPs nothing is translated.
                    None if self.vips.list.is_empty() => {}
                    None => {
                        when.narrow(Field::Translated, &Ranges::single(0));
                        translated.narrow(Field::Translated, &Ranges::span(1, Field::Translated.maximum()));
                        translated.doubts.push(doubt("match-vip"));
                        out.push(translated);
                    }
                }
                out.push(when);
            }
            if !tags.is_empty() {
                let mut when = when.clone();
                when.narrow(Field::Translated, &tags);
                if open {
                    when.doubts.push(doubt("vip"));
                }
                out.push(when);
            }
        }
        out
    }

    fn services(&self, variants: Vec<Match>, entry: &Entry, found: &mut Found) -> Vec<Match> {
        let block = &entry.block;
        let mut all = Services::default();
        for name in block.values("service") {
            match service::lookup(self.vdom, name) {
                Some(one) => all.join(one),
                None => self.unknown(entry, "service", name, found),
            }
        }
        let negate = block.on("service-negate");
        let parts: Vec<Part> =
            all.cubes.into_iter().map(|cube| Part { cube: cube.clone(), ..Part::default() }).collect();
        let whole = parts.iter().any(|p| p.cube.constraints().is_empty());
        let mut out = Vec::new();
        for when in variants {
            let mut sure = when.clone();
            if whole {
                sure.never |= negate;
            } else {
                sure.terms.push(Term::Any { parts: parts.clone(), negate });
            }
            if !all.maybe.is_empty() {
                let mut perhaps = when.clone();
                let parts = all.maybe.iter().map(|cube| Part { cube: cube.clone(), ..Part::default() });
                perhaps.terms.push(Term::Any { parts: parts.collect(), negate: false });
                perhaps.doubts.push(doubt("service"));
                match negate {
                    true => sure.doubts.push(doubt("service")),
                    false => out.push(perhaps),
                }
            }
            if all.open && !negate {
                let mut rest = when;
                rest.terms.push(Term::Any { parts: parts.clone(), negate: true });
                rest.doubts.push(doubt("service"));
                out.push(rest);
            } else if all.open {
                sure.doubts.push(doubt("service"));
            }
            out.push(sure);
        }
        out
    }
}
