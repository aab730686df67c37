//! Where a scan looks: at declared segments and nowhere else.

use crate::args::Scan;
use crate::output::{Output, shown};
use crate::{Environment, Result};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use tillgate_estate::{Segment, Site};
use tillgate_model::Text;
use tillgate_probe::local::Host;

/// More addresses than this (a /20) want a word of consent.
const CONSENT: u64 = 1 << 12;
/// More than this is not a shop.
const MOST: u64 = 1 << 20;

/// A segment to look at.
pub struct Target<'e> {
    pub segment: &'e Segment,
    /// What of it.
    pub prefixes: Vec<IpNet>,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// Whether it was asked for by name or range.
    pub is_named: bool,
    /// The interface by which this host stands in it.
    pub interface: Option<String>,
    /// Addresses the estate names in it: devices, the firewall, switches.
    pub declared: Vec<IpAddr>,
    /// This host's own addresses in it.
    own: Vec<IpAddr>,
}

impl Target<'_> {
    /// Whether an address may be asked.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }

    /// Every address that can be asked one by one: all of IPv4, and what is declared of IPv6.
    pub fn every(&self) -> Vec<IpAddr> {
        let v4 = self.prefixes.iter().filter(|p| p.addr().is_ipv4()).flat_map(IpNet::hosts);
        let all: BTreeSet<IpAddr> = v4.chain(self.declared.iter().copied()).collect();
        all.into_iter().filter(|a| !self.own.contains(a)).collect()
    }

    fn asks_all(&self) -> bool {
        self.is_named || self.interface.is_some()
    }

    fn count(&self) -> u64 {
        let size = |p: &IpNet| 1_u64.checked_shl(u32::from(p.max_prefix_len() - p.prefix_len()));
        let v4 = self.prefixes.iter().filter(|p| p.addr().is_ipv4());
        match self.asks_all() {
            true => v4.map(|p| size(p).unwrap_or(u64::MAX)).sum::<u64>().max(self.declared.len() as u64),
            false => self.declared.len() as u64,
        }
    }
}

/// Chooses the segments: those named, or the ones this host stands in and those it has a route to.
pub fn choose<'e>(
    args: &Scan,
    site: &'e Site,
    host: &Host,
    output: &mut Output<'_>,
) -> Result<(Vec<Target<'e>>, Vec<Text>)> {
    let mut notes = Vec::new();
    let mut targets: Vec<Target<'e>> = Vec::new();
    for asked in &args.segment {
        let (segment, prefixes) = declared_range(asked, site, output)?;
        match targets.iter_mut().find(|t| t.segment.name == segment.name) {
            Some(target) => target.prefixes.extend(prefixes),
            None => targets.push(target(site, segment, prefixes, true, host)),
        }
    }
    for named in &mut targets {
        named.prefixes = IpNet::aggregate(&named.prefixes);
        named.is_whole = subnets(named.segment).all(|s| named.prefixes.contains(&s));
        named.declared = addresses_of(site, named.segment, &named.prefixes, host);
    }
    if !args.segment.is_empty() {
        return Ok((targets, notes));
    }
    for segment in &site.segments {
        let target = target(site, segment, subnets(segment).collect(), false, host);
        let is_reached = target.declared.iter().any(|a| Host::source_for(*a).is_ok());
        match (&target.interface, is_reached, target.declared.is_empty()) {
            (Some(_), ..) | (None, true, _) => targets.push(target),
            (None, false, true) => {}
            (None, false, false) => {
                notes.push(Text::new("scan-segment-unreached").arg("segment", &segment.name));
            }
        }
    }
    // From elsewhere the same numbers may be somebody else's network.
    if !targets.iter().any(|t| t.interface.is_some()) {
        let own = super::own_addresses(host);
        let list = own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return output.fail(&Text::new("scan-outside").arg("site", &site.name).arg("addresses", list));
    }
    Ok((targets, notes))
}

/// A segment by name, or an address or a range within one.
pub fn declared_range<'e>(
    asked: &str,
    site: &'e Site,
    output: &mut Output<'_>,
) -> Result<(&'e Segment, Vec<IpNet>)> {
    if let Some(segment) = site.segment(asked) {
        return Ok((segment, subnets(segment).collect()));
    }
    let range = asked.parse::<IpNet>().ok().or_else(|| asked.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(range) = range.map(|range| range.trunc()) else {
        let known: Vec<&str> = site.segments.iter().map(|s| s.name.as_str()).collect();
        return output.fail(
            &Text::new("scan-unknown-segment")
                .arg("segment", asked)
                .arg("site", &site.name)
                .arg("known", known.join(", ")),
        );
    };
    match site.segments.iter().find(|s| subnets(s).any(|subnet| subnet.contains(&range))) {
        Some(segment) => Ok((segment, vec![range])),
        None => {
            let list: Vec<String> =
                site.segments.iter().flat_map(subnets).map(|subnet| subnet.to_string()).collect();
            output.fail(
                &Text::new("scan-undeclared")
                    .arg("range", range)
                    .arg("site", &site.name)
                    .arg("declared", list.join(", ")),
            )
        }
    }
}

/// Public addresses, and many, want `--yes` or a yes typed on a terminal.
pub fn consent(
    args: &Scan,
    targets: &[Target<'_>],
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result<()> {
    let count: u64 = targets.iter().fold(0, |sum, t| sum.saturating_add(t.count()));
    if count > MOST {
        return output.fail(&Text::new("scan-too-large").arg("count", count).arg("most", MOST));
    }
    let public: Vec<String> = targets
        .iter()
        // What is asked by neighbour discovery never leaves the segment.
        .flat_map(|t| t.prefixes.iter().filter(|p| t.interface.is_none() || p.addr().is_ipv4()))
        .filter(|p| is_public(p.addr()))
        .map(ToString::to_string)
        .collect();
    let mut reasons = Vec::new();
    if !public.is_empty() {
        reasons.push(Text::new("scan-consent-public").arg("prefixes", public.join(", ")));
    }
    if count > CONSENT {
        reasons.push(Text::new("scan-consent-size").arg("count", count).arg("most", CONSENT));
    }
    if args.yes || reasons.is_empty() {
        return Ok(());
    }
    if environment.interactive {
        for reason in &reasons {
            let text = shown(&output.lang.text(reason));
            let _ = writeln!(output.err, "{text}");
        }
        let question = output.lang.say("scan-consent-question");
        let _ = write!(output.err, "{question} ");
        let _ = output.err.flush();
        let mut line = String::new();
        let _ = BufReader::new(input).read_line(&mut line);
        if matches!(line.trim().to_lowercase().as_str(), "y" | "yes" | "j" | "ja") {
            return Ok(());
        }
    }
    let reason = reasons.swap_remove(0);
    output.fail(&Text::new("scan-consent").text("reason", reason))
}

/// Whether the internet routes an address: not private, local, shared, or for documents (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18))
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            a & 0xe000 == 0x2000 && !(a == 0x2001 && b == 0xdb8)
        }
    }
}

fn subnets(segment: &Segment) -> impl Iterator<Item = IpNet> {
    segment.subnet.into_iter().chain(segment.subnet6)
}

fn target<'e>(
    site: &Site,
    segment: &'e Segment,
    prefixes: Vec<IpNet>,
    is_named: bool,
    host: &Host,
) -> Target<'e> {
    let stands = |i: &&tillgate_probe::local::Interface| {
        i.is_running
            && !i.is_loopback
            && i.addresses.iter().any(|(a, _)| subnets(segment).any(|s| s.contains(a)))
    };
    let interface = host.interfaces.iter().find(stands).map(|i| i.name.clone());
    let declared = addresses_of(site, segment, &prefixes, host);
    let all = host.interfaces.iter().flat_map(|i| &i.addresses).map(|(address, _)| *address);
    let own = all.filter(|a| subnets(segment).any(|s| s.contains(a))).collect();
    Target { segment, prefixes, is_whole: true, is_named, interface, declared, own }
}

/// Addresses the estate names within these ranges, this host's own aside.
fn addresses_of(site: &Site, segment: &Segment, prefixes: &[IpNet], host: &Host) -> Vec<IpAddr> {
    let devices = site.devices.iter().flat_map(|d| &d.addresses);
    let switches = site.switches.iter().filter_map(|s| s.address.as_ref());
    let own = |a: &IpAddr| host.interface_of(*a).is_some();
    let all: BTreeSet<IpAddr> = devices
        .chain(switches)
        .chain(&segment.gateways)
        .copied()
        .filter(|a| prefixes.iter().any(|p| p.contains(a)) && !own(a))
        .collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told() {
        for (text, expected) in [
            ("10.17.20.0", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("198.18.0.1", false),
            ("203.0.113.9", false),
            ("169.254.3.4", false),
            ("9.9.9.9", true),
            ("100.128.0.1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("2001:db8::1", false),
            ("2606:4700::1", true),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        }
    }
}
