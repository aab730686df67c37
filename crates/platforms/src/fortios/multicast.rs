//! Multicast, which goes by its own tables alone.

use super::address::{self, Known};
use super::config::{Block, Entry};
use super::policy::interfaces;
use tillgate_model::{Family, Ranges, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Match, Rule};

fn groups(family: Family) -> Ranges {
    match family {
        Family::V4 => Ranges::span(0xe000_0000, 0xefff_ffff),
        Family::V6 => Ranges::span(0xff << 120, u128::MAX),
    }
}

/// All multicast, family by family.
pub fn every() -> impl Iterator<Item = Match> {
    Family::BOTH.into_iter().map(|family| {
        let mut when = Match::default();
        when.narrow(Field::Family, &Ranges::single(family as u128));
        when.narrow(Field::Destination, &groups(family));
        when
    })
}

/// The rules of a virtual domain.
pub fn rules(vdom: &Block, global: &Block, settings: Option<&Block>) -> Vec<Rule> {
    let mut list = Vec::new();
    let mut known = Known::default();
    let off = settings.is_some_and(|s| s.get("multicast-forward") == Some("disable"));
    for (table, objects, family) in [
        ("firewall multicast-policy", "firewall multicast-address", Family::V4),
        ("firewall multicast-policy6", "firewall multicast-address6", Family::V6),
    ] {
        let active = |e: &&Entry| e.block.get("status") != Some("disable") && !off;
        for entry in vdom.table(table).iter().filter(active) {
            let block = &entry.block;
            let mut when = Match::default();
            when.narrow(Field::Family, &Ranges::single(family as u128));
            when.input.extend(interfaces(vdom, block.values("srcintf")));
            when.output.extend(interfaces(vdom, block.values("dstintf")));
            let mut sources = Ranges::empty();
            for name in block.values("srcaddr") {
                match address::lookup(vdom, global, family, name, &mut known) {
                    Some(a) if a.names.is_empty() && a.maybe.is_empty() => {
                        sources = sources.union(&a.certain)
                    }
                    _ => when.doubts.push(Text::new("not-modelled-match").arg("what", name)),
                }
            }
            if when.doubts.is_empty() {
                when.narrow(Field::Source, &sources);
            }
            let mut targets = Ranges::empty();
            for name in block.values("dstaddr") {
                let object = vdom.table(objects).iter().find(|e| e.name == *name);
                let ends = object.map(|e| (e.block.get("start-ip"), e.block.get("end-ip")));
                let range = match (ends, name.as_str()) {
                    (Some((Some(lo), Some(hi))), _) => address::span(family, &format!("{lo}-{hi}")),
                    (_, "all") => Some(groups(family)),
                    (_, "all_hosts") => Some(Ranges::single(0xe000_0001)),
                    (_, "all_routers") => Some(Ranges::single(0xe000_0002)),
                    (_, "Bonjour") => Some(Ranges::single(0xe000_00fb)),
                    _ => None,
                };
                match range {
                    Some(range) => targets = targets.union(&range),
                    None => when.doubts.push(Text::new("not-modelled-match").arg("what", name)),
                }
            }
            if when.doubts.is_empty() {
                when.narrow(Field::Destination, &targets);
            } else {
                when.narrow(Field::Destination, &groups(family));
            }
            let number = |key: &str| block.get(key).and_then(|v| v.parse::<u128>().ok());
            if let Some(protocol) = number("protocol").filter(|p| *p != 0) {
                when.narrow(Field::Protocol, &Ranges::single(protocol));
                if let (Some(lo), Some(hi)) = (number("start-port"), number("end-port")) {
                    when.narrow(Field::DestinationPort, &Ranges::span(lo, hi));
                }
            }
            let action = if block.get("action") == Some("deny") { Action::Drop } else { Action::Accept };
            let log = matches!(block.get("logtraffic"), Some("all" | "enable"));
            list.push(Rule { span: entry.span.clone(), when, action, log });
        }
    }
    list
}
