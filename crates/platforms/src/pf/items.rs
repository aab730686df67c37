//! Rules with their lists multiplied out, anchors put in their place, and the order in which they decide.

use super::config::{Config, Node};
use super::hosts::{Alternative, Host, More, alternatives};
use super::rule::{Raw, Verb};
use super::targets::{Rewrite, Target, Translate};
use std::collections::BTreeMap;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_ruleset::{InterfaceMatch, Note};

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

/// A rule in its place.
#[derive(Clone, Debug)]
pub struct Item {
    /// The statement.
    pub span: Span,
    /// What it does.
    pub verb: Verb,
    /// Whether it sees packets coming in, and going out.
    pub ways: (bool, bool),
    /// Writes a log entry.
    pub log: bool,
    /// Whether a packet it passes makes a state.
    pub state: bool,
    /// It matches when one of these holds.
    pub conds: Vec<Cond>,
    /// The flags a TCP packet may have; `None` for any.
    pub flags: Option<Ranges>,
    /// What it writes on the packet.
    pub tag: Option<String>,
    /// What the packet must (`true`: must not) have been tagged with.
    pub tagged: Option<(String, bool)>,
    /// What it rewrites.
    pub translations: Vec<Translate>,
    /// It is about sources that cannot come from where they come from (`antispoof`).
    pub forged: bool,
}

/// All rules with the order in which they decide.
#[derive(Debug, Default)]
pub struct Items {
    /// In the order of the file.
    pub list: Vec<Item>,
    /// The first of these that matches decides: what is `quick` first, the rest from the end.
    pub order: Vec<usize>,
    /// How many of the order are quick.
    pub quick: usize,
    /// The first rule that tags what comes in, and the first that tags what goes out.
    pub first_tag: (Option<usize>, Option<usize>),
}

/// Combinations of one rule's lists beyond which it only may match.
const MOST: usize = 256;

/// What a passing rule of default flags takes of TCP: SYN set, ACK not (`flags S/SA`).
pub fn opening() -> Ranges {
    (0..=255u128).filter(|f| f & 0x12 == 0x02).map(|f| (f, f)).collect()
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
pub fn conds(raw: &Raw, config: &Config) -> Vec<Cond> {
    if raw.never {
        return Vec::new();
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
    let mut out = vec![base];
    out = product(out, &on, |cond, (list, doubt)| {
        cond.on.extend(list.iter().cloned());
        cond.doubts.extend(doubt.clone());
    });
    out = product(out, &received, |cond, (list, doubt)| {
        // What the firewall sends itself came in nowhere.
        cond.received.extend(list.iter().cloned());
        if list.iter().any(|m| m.negate) {
            cond.received.push(InterfaceMatch { patterns: vec!["*".into()], negate: false });
        }
        cond.doubts.extend(doubt.clone());
    });
    out = product(out, &from, |cond, alternative| end(&mut cond.from, &mut cond.doubts, alternative));
    out = product(out, &to, |cond, alternative| end(&mut cond.to, &mut cond.doubts, alternative));
    product(out, &icmp, |cond, icmp| cond.icmp = icmp.clone())
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

fn product<T>(conds: Vec<Cond>, choices: &[T], apply: impl Fn(&mut Cond, &T)) -> Vec<Cond> {
    if conds.len().saturating_mul(choices.len()) > MOST {
        // Too many to tell apart: without this condition, in doubt.
        let mut one = conds.into_iter().next().unwrap_or_default();
        one.doubts.push(Text::new("not-modelled-match").arg("what", "{ }"));
        return vec![one];
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

fn narrower(a: &Option<Ranges>, b: &Option<Ranges>) -> Option<Ranges> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.intersect(b)),
        (a, b) => a.clone().or_else(|| b.clone()),
    }
}

impl Cond {
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

/// What holds for all rules of an anchor.
struct Around<'a> {
    conds: &'a [Cond],
    ways: (bool, bool),
    flags: Option<Ranges>,
    tagged: Option<(String, bool)>,
}

/// Multiplies out the rules of a configuration; what is not modelled is noted.
pub fn items(nodes: Vec<Node>, config: &Config, notes: &mut Vec<Note>) -> Items {
    let mut out = Items::default();
    let everything = [Cond::default()];
    let around = Around { conds: &everything, ways: (true, true), flags: None, tagged: None };
    let (mut quick, late) = walk(nodes, &around, config, &mut out.list, notes);
    out.quick = quick.len();
    quick.extend(late.into_iter().rev());
    out.order = quick;
    let first = |going_out| out.list.iter().position(|item| item.tag.is_some() && item.sees(going_out));
    out.first_tag = (first(false), first(true));
    out
}

/// The rules of a list: which are quick, in order, and which are not, in the order of the file.
fn walk(
    nodes: Vec<Node>,
    around: &Around<'_>,
    config: &Config,
    list: &mut Vec<Item>,
    notes: &mut Vec<Note>,
) -> (Vec<usize>, Vec<usize>) {
    let (mut quick, mut late) = (Vec::new(), Vec::new());
    for node in nodes {
        match node {
            Node::Rule(raw) => {
                let item = item(&raw, around, config, notes);
                // What acts without deciding, or may decide anything, does so where it stands.
                let here = raw.quick || matches!(item.verb, Verb::Match | Verb::Open);
                for item in halves(item, &raw.from) {
                    if here {
                        quick.push(list.len())
                    } else {
                        late.push(list.len())
                    }
                    list.push(item);
                }
            }
            Node::Anchor(mut open, name, None) => {
                open.verb = Verb::Open;
                open.doubts.push(Text::new("not-modelled-statement").arg("what", format!("anchor {name}")));
                quick.push(list.len());
                let item = item(&open, around, config, notes);
                list.push(item);
            }
            Node::Anchor(raw, _, Some(inside)) => {
                let conds = all(around.conds, &self::conds(&raw, config));
                let around = Around {
                    conds: &conds,
                    ways: (around.ways.0 && raw.ways.0, around.ways.1 && raw.ways.1),
                    flags: narrower(&around.flags, &raw.flags),
                    tagged: raw.tagged.clone().or_else(|| around.tagged.clone()),
                };
                let (q, mut n) = walk(inside, &around, config, list, notes);
                quick.extend(q);
                if raw.quick {
                    // What matched inside ends the search.
                    n.reverse();
                    quick.extend(n);
                } else {
                    late.extend(n);
                }
            }
        }
    }
    (quick, late)
}

/// A translation rule of its own, set apart for each passage it sees.
pub fn single(raw: &Raw, config: &Config, notes: &mut Vec<Note>) -> Vec<Item> {
    let everything = [Cond::default()];
    let around = Around { conds: &everything, ways: (true, true), flags: None, tagged: None };
    halves(item(raw, &around, config, notes), &raw.from)
}

/// `binat` is two rules: one rewrites the source going out, the other the destination coming in.
fn halves(item: Item, inside: &[Host]) -> Vec<Item> {
    let Some(translate) = item.translations.iter().find(|t| t.what == Rewrite::Binat).cloned() else {
        return vec![item];
    };
    let mut out = Vec::new();
    if item.ways.1 {
        let nat = Translate { what: Rewrite::Nat, ..translate.clone() };
        out.push(Item { ways: (false, true), translations: vec![nat], ..item.clone() });
    }
    if item.ways.0 {
        let outside: Vec<Alternative> = translate
            .targets
            .iter()
            .map(|target| match target {
                Target::Addresses(family, lo, hi) => {
                    let mut ranges = [Ranges::empty(), Ranges::empty()];
                    if let Some(own) = ranges.get_mut(*family as usize) {
                        *own = Ranges::span(*lo, *hi);
                    }
                    Alternative { ranges, ..Alternative::default() }
                }
                Target::Unknown(name) => Alternative {
                    any: true,
                    more: More::Own(false),
                    doubt: Some(Text::new("not-modelled-match").arg("what", name)),
                    ..Alternative::default()
                },
            })
            .collect();
        let targets = inside.iter().filter_map(|host| match host {
            Host::Addresses(family, ranges, false) => {
                let (lo, hi) = ranges.as_slice().first()?;
                Some(Target::Addresses(*family, *lo, *hi))
            }
            _ => Some(Target::Unknown(String::new())),
        });
        let rdr =
            Translate { what: Rewrite::Rdr, targets: targets.collect(), ports: None, static_port: true };
        let mut item = Item { ways: (true, false), translations: vec![rdr], ..item };
        for cond in &mut item.conds {
            cond.from = std::mem::take(&mut cond.to);
            cond.to.clone_from(&outside);
            cond.doubts.extend(outside.iter().filter_map(|a| a.doubt.clone()));
            std::mem::swap(&mut cond.source_ports, &mut cond.ports);
        }
        out.push(item);
    }
    out
}

fn all(outer: &[Cond], inner: &[Cond]) -> Vec<Cond> {
    outer.iter().flat_map(|a| inner.iter().filter_map(|b| a.and(b))).take(MOST).collect()
}

fn item(raw: &Raw, around: &Around<'_>, config: &Config, notes: &mut Vec<Note>) -> Item {
    let own = conds(raw, config);
    let mut conds = match around.conds {
        [only] if only.is_everything() => own,
        outer => all(outer, &own),
    };
    let mut tagged = raw.tagged.clone();
    if let (Some(outer), Some(_)) = (&around.tagged, &tagged) {
        let text = Text::new("not-modelled-match").arg("what", format!("tagged {}", outer.0));
        conds.iter_mut().for_each(|c| c.doubts.push(text.clone()));
    }
    tagged = tagged.or_else(|| around.tagged.clone());
    let acts = raw.verb != Verb::Match || raw.tag.is_some() || !raw.translations.is_empty();
    if acts {
        let mut seen: BTreeMap<&Text, ()> = BTreeMap::new();
        for text in conds.iter().flat_map(|c| &c.doubts) {
            if seen.insert(text, ()).is_none() {
                notes.push(Note { span: raw.span.clone(), text: text.clone(), bears: true });
            }
        }
    }
    let state = raw.verb == Verb::Pass && raw.state != Some(false);
    let flags = narrower(&around.flags, &raw.flags).or(state.then(opening));
    Item {
        span: raw.span.clone(),
        verb: raw.verb,
        ways: (around.ways.0 && raw.ways.0, around.ways.1 && raw.ways.1),
        log: raw.log,
        state,
        conds,
        flags: flags.filter(|f| *f != Ranges::full(255)),
        tag: raw.tag.clone(),
        tagged,
        translations: raw.translations.clone(),
        forged: raw.forged,
    }
}

impl Item {
    /// Whether it sees packets of a passage.
    pub fn sees(&self, going_out: bool) -> bool {
        if going_out { self.ways.1 } else { self.ways.0 }
    }

    /// Whether it may or may not match.
    pub fn is_doubtful(&self) -> bool {
        self.conds.iter().any(|c| !c.doubts.is_empty())
    }

    /// Whether it is about the firewall's talk with itself only.
    pub fn is_loopback(&self) -> bool {
        let own = |m: &InterfaceMatch| !m.negate && m.patterns.iter().all(|p| p.starts_with("lo"));
        !self.conds.is_empty() && self.conds.iter().all(|c| c.on.iter().any(own))
    }

    /// Whether it passes whatever comes by its interfaces.
    pub fn is_wide(&self) -> bool {
        let wide =
            |c: &Cond| c.protocols.is_none() && c.from.is_empty() && c.to.is_empty() && c.icmp.is_none();
        self.verb == Verb::Pass && self.conds.iter().all(wide)
    }

    /// Whether it asks for addresses of the firewall as destinations.
    pub fn asks_own(&self) -> bool {
        self.conds.iter().flat_map(|c| &c.to).any(|a| matches!(a.more, More::Own(_)))
    }

    /// Whether it decides about every packet.
    pub fn is_everything(&self) -> bool {
        let decides = matches!(self.verb, Verb::Pass | Verb::Block);
        decides && self.tagged.is_none() && self.flags.is_none() && self.conds.iter().any(Cond::is_everything)
    }

    /// How it rewrites packets coming in (`false`) or going out.
    pub fn rewrites(&self, going_out: bool) -> Option<&Translate> {
        let fits = |t: &&Translate| match t.what {
            Rewrite::Rdr => !going_out,
            Rewrite::Nat => going_out,
            Rewrite::Binat => true,
        };
        self.translations.iter().find(fits)
    }
}
