//! Conditions of a rule, its lists multiplied out; what would be too much to hold is a doubt.

use super::config::Config;
use super::hosts::{Alternative, Host, More, alternatives};
use super::rule::Raw;
use tillgate_model::{Family, Ranges, Text};
use tillgate_ruleset::InterfaceMatch;

/// Combinations of one rule's lists beyond which it only may match.
const MOST: usize = 256;
/// What the conditions of all rules may hold together, see [`Cond::size`]; rules beyond only may match.
const MOST_HELD: usize = 1 << 20;
/// The size of a rule that its own line accounts for.
const SMALL: usize = 256;
/// The size of a condition without anything in it.
const EMPTY: usize = 64;

/// What the conditions of all rules hold together, beyond what their lines account for.
#[derive(Debug, Default)]
pub struct Held(usize);

/// A conjunction of conditions; a rule is several of them.
#[derive(Clone, Debug, Default)]
pub struct Cond {
    /// The interface of the passage.
    pub on: Vec<InterfaceMatch>,
    /// The interface it came in by.
    pub received: Vec<InterfaceMatch>,
    /// The family.
    pub family: Option<Family>,
    /// Protocols.
    pub protocols: Option<Ranges>,
    /// All of these must hold of the source.
    pub from: Vec<Alternative>,
    /// All of these must hold of the destination.
    pub to: Vec<Alternative>,
    /// Source ports.
    pub source_ports: Option<Ranges>,
    /// Destination ports.
    pub ports: Option<Ranges>,
    /// Type and code of ICMP.
    pub icmp: Option<(Ranges, Option<u8>)>,
    /// Why it may or may not hold.
    pub doubts: Vec<Text>,
}

/// Families of drivers whose interfaces are made by name; each is a group of that name (ifconfig(8)).
const CLONED: &[&str] = &[
    "aggr",
    "bpe",
    "bridge",
    "carp",
    "egre",
    "enc",
    "eoip",
    "epair",
    "etherip",
    "faith",
    "gif",
    "gre",
    "gretap",
    "ipsec",
    "lagg",
    "lo",
    "mgre",
    "mpe",
    "mpip",
    "mpw",
    "ng",
    "nvgre",
    "ovpn",
    "pair",
    "pflog",
    "pflow",
    "pfsync",
    "ppp",
    "pppoe",
    "pppx",
    "rport",
    "sec",
    "stf",
    "svlan",
    "tailscale",
    "tap",
    "tpmr",
    "trunk",
    "tun",
    "veb",
    "vether",
    "vlan",
    "vport",
    "vxlan",
    "wg",
    "wlan",
    "zt",
];

/// The interfaces of a list as conditions, one of which holds; with a doubt where a group's members are not known.
pub fn interfaces(list: &[(String, bool)]) -> Vec<(Vec<InterfaceMatch>, Option<Text>)> {
    let mut out = Vec::new();
    let mut sure: Vec<String> = Vec::new();
    let mut groups: Vec<&String> = Vec::new();
    for (name, negate) in list {
        let numbered = name.ends_with(|c: char| c.is_ascii_digit());
        let pattern =
            if !numbered && CLONED.contains(&name.as_str()) { format!("{name}*") } else { name.clone() };
        let doubt = Text::new("not-modelled-match").arg("what", name);
        match (name.as_str(), negate) {
            // All but loopback.
            ("any", _) => {
                out.push((vec![InterfaceMatch { patterns: vec!["lo*".into()], negate: true }], None))
            }
            (_, true) => {
                let known = numbered || pattern != *name;
                let one = InterfaceMatch { patterns: vec![pattern], negate: true };
                out.push((vec![one], (!known).then_some(doubt)));
            }
            (_, false) => {
                if !numbered && pattern == *name {
                    groups.push(name);
                }
                sure.push(pattern);
            }
        }
    }
    if !sure.is_empty() {
        if let Some(name) = groups.first() {
            let doubt = Text::new("not-modelled-match").arg("what", name);
            out.push((vec![InterfaceMatch { patterns: sure.clone(), negate: true }], Some(doubt)));
        }
        out.insert(0, (vec![InterfaceMatch { patterns: sure, negate: false }], None));
    }
    if list.is_empty() {
        out.push((Vec::new(), None));
    }
    out
}

/// The conditions of a rule, one of which must hold.
pub fn conds(raw: &Raw, config: &Config, held: &mut Held) -> Vec<Cond> {
    if raw.never {
        return Vec::new();
    }
    let listed = listed(raw, config);
    if listed > held.room() {
        return vec![open(raw)];
    }
    let base = Cond {
        family: raw.family,
        protocols: raw.protocols.clone(),
        source_ports: raw.source_ports.clone(),
        ports: raw.ports.clone(),
        doubts: raw.doubts.clone(),
        ..Cond::default()
    };
    let ends = |hosts: &[Host], source| match hosts {
        [] => vec![Alternative { any: true, ..Alternative::default() }],
        hosts => alternatives(hosts, &config.tables, source, &raw.on),
    };
    let (from, to) = (ends(&raw.from, true), ends(&raw.to, false));
    let (on, received) = (interfaces(&raw.on), interfaces(&raw.received));
    let icmp = icmp(&raw.icmp);
    let room = held.room();
    let mut out = vec![base];
    let names = |(list, _): &(Vec<InterfaceMatch>, _)| list.iter().map(|m| m.patterns.len()).sum();
    let ranges = |a: &Alternative| a.ranges.iter().map(|r| r.as_slice().len()).sum();
    out = product(out, &on, room, names, |cond, (list, doubt)| {
        cond.on.extend(list.iter().cloned());
        cond.doubts.extend(doubt.clone());
    });
    out = product(out, &received, room, names, |cond, (list, doubt)| {
        // What the firewall sends itself came in nowhere.
        cond.received.extend(list.iter().cloned());
        if list.iter().any(|m| m.negate) {
            cond.received.push(InterfaceMatch { patterns: vec!["*".into()], negate: false });
        }
        cond.doubts.extend(doubt.clone());
    });
    out = product(out, &from, room, ranges, |cond, alternative| {
        end(&mut cond.from, &mut cond.doubts, alternative)
    });
    out =
        product(out, &to, room, ranges, |cond, alternative| end(&mut cond.to, &mut cond.doubts, alternative));
    out = product(out, &icmp, room, |_| 1, |cond, icmp| cond.icmp = icmp.clone());
    let size = out.iter().map(Cond::size).sum::<usize>();
    if held.takes(size.max(listed)) {
        return out;
    }
    // What it took to see that is gone as well.
    held.takes(listed);
    vec![open(raw)]
}

/// Both conditions of an anchor and of a rule in it.
pub fn all(outer: &[Cond], inner: Vec<Cond>, raw: &Raw, held: &mut Held) -> Vec<Cond> {
    let size = |list: &[Cond]| list.iter().map(Cond::size).sum::<usize>();
    let pairs = outer.len().saturating_mul(inner.len());
    let joint = size(outer).saturating_mul(inner.len()) + size(&inner).saturating_mul(outer.len());
    if pairs > MOST || !held.takes(joint) {
        // What all conditions of the anchor say alike still holds.
        let alike =
            |same: fn(&Cond, &Cond) -> bool| outer.first().filter(|a| outer.iter().all(|b| same(a, b)));
        let family = alike(|a, b| a.family == b.family).and_then(|a| a.family);
        let protocols = alike(|a, b| a.protocols == b.protocols).and_then(|a| a.protocols.clone());
        let scope = Cond { family, protocols, ..Cond::default() };
        return scope.and(&open(raw)).into_iter().collect();
    }
    outer.iter().flat_map(|a| inner.iter().filter_map(|b| a.and(b))).collect()
}

/// A rule without its lists: what they would be is in doubt.
fn open(raw: &Raw) -> Cond {
    let mut doubts = raw.doubts.clone();
    doubts.push(too_many());
    Cond { family: raw.family, protocols: raw.protocols.clone(), doubts, ..Cond::default() }
}

fn too_many() -> Text {
    Text::new("not-modelled-match").arg("what", "{ }")
}

/// The size of what the lists of a rule name, before they are multiplied.
fn listed(raw: &Raw, config: &Config) -> usize {
    let host = |host: &Host| match host.table().and_then(|name| config.tables.get(name)) {
        Some(table) => table.ranges.iter().map(|r| r.as_slice().len()).sum(),
        None => 1,
    };
    let ports = [&raw.source_ports, &raw.ports].into_iter().flatten().map(|r| r.as_slice().len());
    let hosts: usize = raw.from.iter().chain(&raw.to).map(host).sum();
    hosts + ports.sum::<usize>() + raw.on.len() + raw.received.len()
}

fn end(list: &mut Vec<Alternative>, doubts: &mut Vec<Text>, alternative: &Alternative) {
    if let Some(doubt) = &alternative.doubt
        && !doubts.contains(doubt)
    {
        doubts.push(doubt.clone());
    }
    if !alternative.any || alternative.more != More::Nothing || alternative.symbol.is_some() {
        list.push(alternative.clone());
    }
}

/// Every condition with every choice; too many to tell apart, or larger than the room: without this list, in doubt.
fn product<T>(
    mut conds: Vec<Cond>,
    choices: &[T],
    room: usize,
    size: impl Fn(&T) -> usize,
    apply: impl Fn(&mut Cond, &T),
) -> Vec<Cond> {
    let pairs = conds.len().saturating_mul(choices.len());
    let before = conds.iter().map(Cond::size).sum::<usize>().saturating_mul(choices.len());
    let size = choices.iter().map(size).sum::<usize>().saturating_mul(conds.len()).saturating_add(before);
    if pairs > MOST || choices.len() > 1 && size > room {
        for cond in &mut conds {
            if !cond.doubts.contains(&too_many()) {
                cond.doubts.push(too_many());
            }
        }
        return conds;
    }
    if let ([one], [choice]) = (conds.as_mut_slice(), choices) {
        apply(one, choice);
        return conds;
    }
    let with = |cond: &Cond, choice: &T| {
        let mut cond = cond.clone();
        apply(&mut cond, choice);
        cond
    };
    conds.iter().flat_map(|cond| choices.iter().map(move |choice| with(cond, choice))).collect()
}

/// Types without a code together, each with a code by itself.
fn icmp(list: &[(u8, Option<u8>)]) -> Vec<Option<(Ranges, Option<u8>)>> {
    if list.is_empty() {
        return vec![None];
    }
    let plain: Ranges = list
        .iter()
        .filter(|(_, code)| code.is_none())
        .map(|(kind, _)| ((*kind).into(), (*kind).into()))
        .collect();
    let mut out = Vec::new();
    if !plain.is_empty() {
        out.push(Some((plain, None)));
    }
    out.extend(
        list.iter()
            .filter(|(_, code)| code.is_some())
            .map(|(kind, code)| Some((Ranges::single((*kind).into()), *code))),
    );
    out
}

/// What both allow; `None` allows everything.
pub fn narrower(a: &Option<Ranges>, b: &Option<Ranges>) -> Option<Ranges> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.intersect(b)),
        (a, b) => a.clone().or_else(|| b.clone()),
    }
}

impl Held {
    /// The size that a rule may have.
    fn room(&self) -> usize {
        MOST_HELD.saturating_sub(self.0) + SMALL
    }

    /// Whether a rule of a size still fits; small ones always do.
    fn takes(&mut self, size: usize) -> bool {
        let fits = size <= self.room();
        if fits {
            self.0 += size.saturating_sub(SMALL);
        }
        fits
    }
}

impl Cond {
    /// How much it holds: ranges, names, and what it takes itself.
    pub fn size(&self) -> usize {
        let own = |r: &Ranges| r.as_slice().len();
        let ends = self.from.iter().chain(&self.to).flat_map(|a| &a.ranges).map(own).sum::<usize>();
        let ports = self.source_ports.iter().chain(&self.ports).map(own).sum::<usize>();
        let interfaces = self.on.iter().chain(&self.received).map(|m| m.patterns.len()).sum::<usize>();
        EMPTY + ends + ports + interfaces
    }

    /// Both conditions; `None` when they exclude each other.
    fn and(&self, other: &Cond) -> Option<Cond> {
        if let (Some(a), Some(b)) = (self.family, other.family)
            && a != b
        {
            return None;
        }
        let join = |a: &[InterfaceMatch], b: &[InterfaceMatch]| [a, b].concat();
        let icmp = match (&self.icmp, &other.icmp) {
            (Some((a, x)), Some((b, y))) if x.is_none() || y.is_none() || x == y => {
                Some((a.intersect(b), x.or(*y)))
            }
            (Some(_), Some(_)) => return None,
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let mut doubts = self.doubts.clone();
        doubts.extend(other.doubts.iter().filter(|d| !self.doubts.contains(d)).cloned());
        Some(Cond {
            on: join(&self.on, &other.on),
            received: join(&self.received, &other.received),
            family: self.family.or(other.family),
            protocols: narrower(&self.protocols, &other.protocols),
            from: [self.from.as_slice(), &other.from].concat(),
            to: [self.to.as_slice(), &other.to].concat(),
            source_ports: narrower(&self.source_ports, &other.source_ports),
            ports: narrower(&self.ports, &other.ports),
            icmp,
            doubts,
        })
    }

    /// Whether every packet fits, for certain.
    pub fn is_everything(&self) -> bool {
        self.on.is_empty()
            && self.received.is_empty()
            && self.family.is_none()
            && self.protocols.is_none()
            && self.from.is_empty()
            && self.to.is_empty()
            && self.icmp.is_none()
            && self.doubts.is_empty()
    }
}
