//! An intent written for `iptables-restore` and `ip6tables-restore`, and proved.

use crate::companion::companions;
use crate::nftables::{Names, comment, slug};
use crate::permits::{Permit, Service, Target, permits, public, sources};
use crate::write::{RenderError, Rendered, check_linux, prove};
use std::collections::BTreeMap;
use std::fmt::Write;
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Family, Ranges, addresses_text, range_to_prefixes};

/// Ports one `multiport` match holds; a range counts twice (iptables-extensions(8)).
const MOST_PORTS: usize = 15;

/// Writes the configuration of a site, and refuses what it cannot prove.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check_linux(site, intent)?;
    let mut writer = Writer { intent, names: BTreeMap::new(), used: Names::default() };
    let text = writer.file(&site.name);
    let mut companions = companions(site, intent, &writer.resolver_lines());
    if !writer.names.is_empty() {
        // Rules refuse to load while a set they name is not there.
        let create = |((family, _), set): (&(Family, Vec<String>), &String)| {
            format!("create {set} hash:ip family {}\n", if *family == Family::V4 { "inet" } else { "inet6" })
        };
        companions.push(("ipset.conf".into(), writer.names.iter().map(create).collect()));
        companions.sort();
    }
    prove(super::parse, Rendered { text, companions }, intent)
}

struct Writer<'a> {
    intent: &'a Intent,
    /// Sets that the resolver fills.
    names: BTreeMap<(Family, Vec<String>), String>,
    used: Names,
}

pub(super) fn flag(family: Family) -> &'static str {
    if family == Family::V4 { "-4" } else { "-6" }
}

fn digit(family: Family) -> char {
    if family == Family::V4 { '4' } else { '6' }
}

/// Every prefix of some addresses.
pub(super) fn prefixes(family: Family, ranges: &Ranges) -> Vec<String> {
    let nets = ranges.as_slice().iter().flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi));
    nets.map(|n| n.to_string()).collect()
}

/// Conditions that together mean one side's addresses; one empty condition for any.
pub(super) fn addresses(family: Family, ranges: Option<&Ranges>, source: bool) -> Vec<String> {
    let Some(ranges) = ranges else { return vec![String::new()] };
    let (short, long) = if source { ("-s", "--src-range") } else { ("-d", "--dst-range") };
    let word = |text: String| match text.contains('-') {
        true => format!(" -m iprange {long} {text}"),
        false => format!(" {short} {text}"),
    };
    addresses_text(family, ranges).into_iter().map(word).collect()
}

/// Conditions that together mean a service.
pub(super) fn services(family: Family, service: &Service) -> Vec<String> {
    match service {
        Service::Any => vec![String::new()],
        Service::Protocol(protocol) => vec![format!(" -p {}", protocol.0)],
        Service::Icmp(icmp) if family == Family::V4 => vec![format!(" -p icmp -m icmp --icmp-type {icmp}")],
        Service::Icmp(icmp) => vec![format!(" -p ipv6-icmp -m icmp6 --icmpv6-type {icmp}")],
        Service::Ports { protocol, ports, source_port } => {
            let from = source_port.map_or(String::new(), |port| format!(" --sport {port}"));
            let head = format!(" -p {protocol} -m {protocol}{from}");
            let one = |(lo, hi): &(u128, u128)| if lo == hi { lo.to_string() } else { format!("{lo}:{hi}") };
            if let [only] = ports.as_slice() {
                return vec![format!("{head} --dport {}", one(only))];
            }
            let mut out = Vec::new();
            let mut rest = ports.as_slice();
            while !rest.is_empty() {
                let mut count = 0;
                let fits = rest.iter().take_while(|(lo, hi)| {
                    count += if lo == hi { 1 } else { 2 };
                    count <= MOST_PORTS
                });
                let (now, later) = rest.split_at(fits.count());
                let list: Vec<String> = now.iter().map(one).collect();
                out.push(format!("{head} -m multiport --dports {}", list.join(",")));
                rest = later;
            }
            out
        }
    }
}

impl Writer<'_> {
    fn file(&mut self, site: &str) -> String {
        let mut out = format!(
            "# tillgate: {}\n# For iptables-restore and ip6tables-restore alike: -4 and -6 mark what is for one of them.\n",
            comment(site)
        );
        out.push_str(&self.raw());
        out.push_str(&self.filter());
        out.push_str(&self.nat());
        out
    }

    fn raw(&self) -> String {
        let (mut chains, mut rules) = (String::new(), String::new());
        let mut used = Names::default();
        for (on, family, ranges, only, name) in sources(self.intent) {
            let six = digit(family);
            if !only {
                for (interface, prefix) in
                    on.iter().flat_map(|i| prefixes(family, &ranges).into_iter().map(move |p| (i, p)))
                {
                    let _ = writeln!(
                        rules,
                        "-A PREROUTING {} -i {interface} -s {prefix} -j tg-forged",
                        flag(family)
                    );
                }
                continue;
            }
            let short: String = slug(&name).chars().take(16).collect();
            let chain = used.fresh(&format!("tg-from{six}-{short}"));
            let _ = writeln!(chains, ":{chain} - [0:0]");
            for interface in &on {
                let _ = writeln!(rules, "-A PREROUTING {} -i {interface} -j {chain}", flag(family));
            }
            for prefix in prefixes(family, &ranges) {
                let _ = writeln!(rules, "-A {chain} {} -s {prefix} -j RETURN", flag(family));
            }
            let _ = writeln!(rules, "-A {chain} {} -j tg-forged", flag(family));
        }
        format!(
            "# PCI DSS 1.4.3: addresses that cannot come from where they come from\n*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{chains}:tg-forged - [0:0]\n{rules}{}COMMIT\n",
            deny("tg-forged", "forged")
        )
    }

    fn filter(&mut self) -> String {
        let mut rules = String::new();
        for chain in ["INPUT", "FORWARD"] {
            let _ = writeln!(rules, "-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
            let _ = writeln!(rules, "-A {chain} -m conntrack --ctstate INVALID -j DROP");
        }
        rules.push_str("-A INPUT -i lo -j ACCEPT\n");
        if !self.intent.topology.inside(Family::V6).is_empty() {
            // Multicast listeners and neighbour discovery (RFC 4861, RFC 3810).
            for kind in [130, 131, 132, 133, 134, 135, 136, 143] {
                let _ = writeln!(rules, "-A INPUT -6 -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT");
            }
            for uplink in &self.intent.topology.uplinks {
                let _ = writeln!(
                    rules,
                    "-A INPUT -6 -i {uplink} -s fe80::/10 -p udp -m udp --sport 547 --dport 546 -m comment --comment \"DHCPv6 answers to the firewall\" -j ACCEPT"
                );
            }
        }
        let mut outside = [false; 2];
        for (chain, local) in [("INPUT", true), ("FORWARD", false)] {
            for permit in permits(self.intent, local) {
                outside[permit.family as usize] |= permit.target == Target::Public;
                self.rules(chain, &permit, &mut rules);
            }
            let _ = writeln!(rules, "-A {chain} -j tg-{}-deny", chain.to_lowercase());
        }
        let mut chains = String::new();
        for family in Family::BOTH.into_iter().filter(|f| outside[*f as usize]) {
            let chain = format!("tg-public{}", digit(family));
            let _ = writeln!(chains, ":{chain} - [0:0]");
            let inside = public(self.intent, family).complement(family.max_address());
            for prefix in prefixes(family, &inside) {
                let _ = writeln!(rules, "-A {chain} {} -d {prefix} -j RETURN", flag(family));
            }
            let _ = writeln!(rules, "-A {chain} {} -j ACCEPT", flag(family));
        }
        for name in ["input", "forward"] {
            let _ = writeln!(chains, ":tg-{name}-deny - [0:0]");
            rules.push_str(&deny(&format!("tg-{name}-deny"), name));
        }
        format!(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{chains}{rules}COMMIT\n"
        )
    }

    fn nat(&self) -> String {
        let inside = self.intent.topology.inside(Family::V4);
        if !self.intent.masquerade || inside.is_empty() {
            return String::new();
        }
        let mut out = String::from(
            "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n",
        );
        for uplink in &self.intent.topology.uplinks {
            for prefix in prefixes(Family::V4, &inside) {
                let _ = writeln!(out, "-A POSTROUTING -4 -o {uplink} -s {prefix} -j MASQUERADE");
            }
        }
        out + "COMMIT\n"
    }

    /// A line for every combination of what one rule cannot say at once.
    fn rules(&mut self, chain: &str, permit: &Permit, out: &mut String) {
        let family = permit.family;
        let outputs = match permit.to {
            Some(to) => Permit::interfaces(to, self.intent).into_iter().map(|o| format!(" -o {o}")).collect(),
            None => vec![String::new()],
        };
        let (targets, verdict) = match &permit.target {
            Target::Any => (vec![String::new()], "ACCEPT".to_string()),
            Target::Public => (vec![String::new()], format!("tg-public{}", digit(family))),
            Target::Ranges(ranges) => (addresses(family, Some(ranges), false), "ACCEPT".into()),
            Target::Names(names) => {
                let set = self.name_set(family, &permit.requirement, names);
                (vec![format!(" -m set --match-set {set} dst")], "ACCEPT".into())
            }
        };
        let note = comment(&permit.comment);
        for input in Permit::interfaces(permit.from, self.intent) {
            for output in &outputs {
                for source in addresses(family, permit.source.as_ref(), true) {
                    for target in &targets {
                        for service in services(family, &permit.service) {
                            let _ = writeln!(
                                out,
                                "-A {chain} {} -i {input}{output}{source}{target}{service} -m comment --comment \"{note}\" -j {verdict}",
                                flag(family)
                            );
                        }
                    }
                }
            }
        }
    }

    fn name_set(&mut self, family: Family, requirement: &str, names: &[String]) -> String {
        let key = (family, names.to_vec());
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        // Names of sets hold 31 bytes (ipset(8)).
        let short: String = slug(requirement).chars().take(20).collect();
        let name = self.used.fresh(&format!("tg-{short}-{}", digit(family)));
        self.names.insert(key, name.clone());
        name
    }

    /// One line per name, so that adding or dropping one is one line.
    fn resolver_lines(&self) -> Vec<String> {
        let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ((_, list), set) in &self.names {
            for name in list {
                lines.entry(name).or_default().push(set);
            }
        }
        let line = |(name, sets): (&str, Vec<&str>)| {
            format!("ipset=/{}/{}", name.trim_start_matches("*."), sets.join(","))
        };
        lines.into_iter().map(line).collect()
    }
}

fn deny(chain: &str, what: &str) -> String {
    format!(
        "-A {chain} -m limit --limit 10/second --limit-burst 50 -j LOG --log-prefix \"tillgate {what} deny: \"\n-A {chain} -j DROP\n"
    )
}
