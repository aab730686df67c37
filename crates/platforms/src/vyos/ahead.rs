//! What EdgeOS accepts before every set by itself: forwarded ports, UPnP, tunnels.

use super::around::{addresses, port};
use super::build::{Builder, of, on};
use super::matches::{Bad, bad, doubt, missing};
use super::tree::At;
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Hook, InterfaceMatch, Match, Note};

/// Builds what comes before the sets. Call before any of them is bound.
pub fn build(builder: &mut Builder<'_, '_>) {
    let mut forward: Vec<(Span, Match)> = Vec::new();
    let mut local: Vec<(Span, Match)> = Vec::new();
    if let Some(node) = builder.root.child("port-forward")
        && node.value("auto-firewall") != Some("disable")
    {
        // What holds where nobody said it is not known.
        let unsaid = (!node.has("auto-firewall")).then(|| doubt("auto-firewall"));
        let mut seen: BTreeMap<(u128, Ranges), Ranges> = BTreeMap::new();
        for (_, rule) in node.numbered("rule").into_iter().filter(|(_, r)| !r.has("disable")) {
            // What is wrong with it is told with its translation.
            let Ok(one) = Forwarded::of(rule) else { continue };
            let mut when = one.protocols();
            when.doubts.extend(unsaid.clone());
            when.input = one.wan(node);
            when.narrow(Field::Destination, &Ranges::single(one.target));
            let ports = one.ports.map(|(lo, hi)| Ranges::span(lo.into(), hi.into())).unwrap_or(one.original);
            when.narrow(Field::DestinationPort, &ports);
            // Two outer ports may lead to one inner.
            let known = seen.entry((one.target, ports)).or_default();
            if one.protocol.is_subset(known) {
                continue;
            }
            *known = known.union(&one.protocol);
            forward.push((rule.span(), when));
        }
    }
    for (node, interfaces) in upnp(builder.root) {
        let text = Text::new("not-modelled-statement").arg("what", node.name());
        builder.rules.notes.push(Note { span: node.place(), text: text.clone(), bears: true });
        let when = Match { input: interfaces, doubts: vec![text], ..of(Family::V4) };
        forward.push((node.place(), when));
    }
    if let Some(ipsec) = builder.root.path(&["vpn", "ipsec"])
        && ipsec.value("auto-firewall-nat-exclude") == Some("enable")
    {
        let at = ipsec.child("auto-firewall-nat-exclude").unwrap_or(ipsec);
        let text = Text::new("not-modelled-statement").arg("what", at.name());
        builder.rules.notes.push(Note { span: at.place(), text: text.clone(), bears: true });
        let peers = ipsec.path(&["site-to-site", "peer"]).into_iter().flat_map(At::children);
        for tunnel in peers.flat_map(|peer| peer.values("tunnel")) {
            let side = |word: &str| {
                let text = tunnel.child(word)?.value("prefix")?;
                addresses(Family::V4, text)
            };
            let mut when = Match { doubts: vec![text.clone()], ..of(Family::V4) };
            for (word, field) in [("remote", Field::Source), ("local", Field::Destination)] {
                side(word).into_iter().for_each(|ranges| when.narrow(field, &ranges));
            }
            forward.push((at.place(), when));
        }
        for (protocol, ports) in [(50, None), (17, Some([(500, 500), (4500, 4500)]))] {
            let mut when = Match { doubts: vec![text.clone()], ..of(Family::V4) };
            when.narrow(Field::Protocol, &Ranges::single(protocol));
            ports.into_iter().for_each(|p| when.narrow(Field::DestinationPort, &p.into_iter().collect()));
            local.push((at.place(), when));
        }
    }
    for (hook, list) in [(Hook::Forward, forward), (Hook::Input, local)] {
        let Some((first, _)) = list.first() else { continue };
        let first = first.clone();
        let chain = builder.chain("by itself".into());
        for (span, when) in list {
            builder.push(chain, span, when, Action::Accept, false);
        }
        builder.head(hook, Family::V4, chain, first);
    }
}

/// The services that open ports by themselves, and the interfaces they open them on.
pub fn upnp(root: At<'_>) -> Vec<(At<'_>, Vec<InterfaceMatch>)> {
    let mut out = Vec::new();
    let Some(service) = root.child("service") else { return out };
    for node in ["upnp", "upnp2"].iter().filter_map(|word| service.child(word)) {
        if node.has("disable") {
            continue;
        }
        let inner = node.values("listen-on").filter_map(|at| at.value("outbound-interface"));
        let own = [node.value("wan"), node.value("wan-interface")].into_iter().flatten();
        let names: Vec<String> = own.chain(inner).map(str::to_string).collect();
        out.push((node, if names.is_empty() { Vec::new() } else { on(&names) }));
    }
    out
}

/// A forwarded port of EdgeOS.
pub struct Forwarded {
    protocol: Ranges,
    /// Nobody said which protocol.
    unsaid: bool,
    pub original: Ranges,
    pub target: u128,
    pub ports: Option<(u16, u16)>,
}

/// One port or a range of them.
pub fn port_range(at: At<'_>) -> Result<(u16, u16), Bad> {
    let (lo, hi) = port(at.name()).ok_or_else(|| bad(at))?;
    Ok((lo as u16, hi as u16))
}

impl Forwarded {
    /// Reads one.
    pub fn of(rule: At<'_>) -> Result<Self, Bad> {
        let to = rule.child("forward-to").ok_or_else(|| missing(rule))?;
        let address = to.leaf("address").ok_or_else(|| missing(to))?;
        let target =
            addresses(Family::V4, address.name()).and_then(|r| r.only()).ok_or_else(|| bad(address))?;
        let original = rule.leaf("original-port").ok_or_else(|| missing(rule))?;
        let list: Option<Vec<_>> = original.name().split(',').map(|p| port(p.trim())).collect();
        let original = Ranges::from_unsorted(list.ok_or_else(|| bad(original))?);
        let ports = to.leaf("port").map(port_range).transpose()?;
        let protocol = match rule.value("protocol") {
            Some("tcp") => Ranges::single(6),
            Some("udp") => Ranges::single(17),
            _ => [(6, 6), (17, 17)].into_iter().collect(),
        };
        Ok(Forwarded { protocol, unsaid: !rule.has("protocol"), original, target, ports })
    }

    /// A match of its protocols.
    pub fn protocols(&self) -> Match {
        let mut when = of(Family::V4);
        when.narrow(Field::Protocol, &self.protocol);
        when.doubts.extend(self.unsaid.then(|| doubt("protocol")));
        when
    }

    /// Where it is forwarded from.
    pub fn wan(&self, node: At<'_>) -> Vec<InterfaceMatch> {
        node.value("wan-interface").map(|name| on(&[name.to_string()])).unwrap_or_default()
    }
}
