//! DNS: whether a resolver answers over UDP and over TCP, how fast, and whether what it says can be true.
//!
//! Sources: RFC 1035, RFC 6761 (`.invalid`), RFC 6891 (EDNS), RFC 7766 (TCP), RFC 5452 (which replies to believe).

mod codec;
mod exchange;
mod judge;

use crate::outcome::{Detail, Reach, Report, Samples};
use codec::{Kind, Question, mix_case, wire_name};
use exchange::{Link, Odd, Reply};
use judge::{Public, Seen, code_name, fault};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// One resolver and what to ask it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its address and port (53).
    pub resolver: SocketAddr,
    /// Public names the terminals need, international ones in their ASCII form. With none, only whether the
    /// resolver answers is told, and what it says to names that do not exist.
    pub names: Vec<String>,
    /// How often each name's address is asked for over UDP; at least once.
    pub samples: u32,
    /// For all of it.
    pub deadline: Duration,
    /// The address of ours to ask from.
    pub local: Option<IpAddr>,
}

/// A median above this is slow: a payment resolves several names, one after the other.
const SLOW: Duration = Duration::from_millis(500);
/// Names asked at the same time; shop routers limit what they forward.
const AT_ONCE: usize = 8;

/// Asks one resolver.
///
/// `reach` is that of UDP, which every stub resolver uses first; a reply with an error code is a reply, and the code a
/// fault. Faults are `dns-failed` (no answer, error codes, empty answers, addresses that are not public, addresses
/// for names that do not exist, replies from elsewhere, no TCP, no UDP) and `latency-high`. An error of TCP alone is
/// sure only if an answer was cut short over UDP.
///
/// Details: `udp`, `tcp` ([`Reach::name`]), `udp_by`, `tcp_by`; `tcp_us`; `addresses` and `names_open` (not asked in
/// time) as lists; `absent_invalid`, `absent_public` (code, `address`, or a reach); flags `edns`, `recursion`,
/// `case_kept`, `truncated`; `edns_bytes`; counts `garbage`, `mismatched`. Samples are of the names needed, without
/// those that must not exist.
pub async fn check(ask: &Ask) -> Report {
    let until = Instant::now() + ask.deadline;
    let link = Link { resolver: ask.resolver, local: ask.local, until };
    match targets(ask) {
        Ok(targets) => survey(ask, link, targets).await,
        Err(reach) => Report::of(reach),
    }
}

/// The addresses of a name (A, then AAAA), as one resolver gives them. An address written as a name is itself.
///
/// # Errors
/// How far the question got; `Broken` names an error code or an empty answer.
pub async fn lookup(
    resolver: SocketAddr,
    name: &str,
    deadline: Duration,
    local: Option<IpAddr>,
) -> Result<Vec<IpAddr>, Reach> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let wire = wire_name(name).ok_or_else(|| unaskable(name))?;
    let link = Link { resolver, local, until: Instant::now() + deadline };
    let mut tasks = JoinSet::new();
    for kind in [Kind::A, Kind::Aaaa] {
        let question = question(&wire, kind)?;
        tasks.spawn(async move {
            let (_, outcome) = exchange::resolve(link, &question, &mut Odd::default()).await;
            (kind, outcome.map(|reply| (reply.message.code, reply.message.addresses(&question))))
        });
    }
    let mut addresses = Vec::new();
    let mut failed: Option<Reach> = None;
    let mut patience = link.until;
    while let Ok(Some(done)) = tokio::time::timeout_at(patience, tasks.join_next()).await {
        match done {
            Ok((_, Ok((0, found)))) => addresses.extend(found),
            Ok((_, Ok((code, _)))) => failed = Some(code_reach(name, code)),
            Ok((_, Err(reach))) => failed = failed.or(Some(reach)),
            Err(_) => (),
        }
        if !addresses.is_empty() {
            // Some resolvers never answer for one of the two families.
            patience = link.until.min(Instant::now() + Duration::from_secs(1));
        }
    }
    addresses.sort_unstable();
    match (addresses.is_empty(), failed) {
        (false, _) => Ok(addresses),
        (true, Some(reach)) => Err(reach),
        (true, None) if Instant::now() >= link.until => Err(Reach::Silent),
        (true, None) => Err(Reach::Broken(Text::new("probe-dns-lookup-empty").arg("name", name))),
    }
}

/// The resolvers a `resolv.conf` names: the first three, as the C library takes them (resolv.conf(5)). Addresses with
/// a zone (`fe80::1%eth0`) are left out, as they mean nothing without it.
pub fn system_resolvers(resolv_conf: &str) -> Vec<IpAddr> {
    let mut out = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        if !out.contains(&address) {
            out.push(address);
        }
    }
    out.truncate(3);
    out
}

/// What is asked about.
#[derive(Clone, Debug)]
struct Target {
    name: String,
    wire: Vec<u8>,
    /// The detail that says what became of a name that does not exist.
    absent: Option<&'static str>,
}

/// The names needed, then two that must not exist: under `.invalid` (RFC 6761 section 6.4), and one nobody has
/// registered, with the `www` that some providers look for before they lead people astray.
fn targets(ask: &Ask) -> Result<Vec<Target>, Reach> {
    let mut out = Vec::new();
    for name in &ask.names {
        let wire = wire_name(name).ok_or_else(|| unaskable(name))?;
        out.push(Target { name: name.clone(), wire, absent: None });
    }
    for (key, before, after) in [("absent_invalid", "", "invalid"), ("absent_public", "www.", "com")] {
        let name = format!("{before}{}.{after}", label(exchange::bits()?));
        let wire = wire_name(&name).ok_or_else(|| unaskable(&name))?;
        out.push(Target { name, wire, absent: Some(key) });
    }
    Ok(out)
}

/// Thirteen letters.
fn label(mut bits: u64) -> String {
    let letter = |_| {
        let letter = char::from(b'a' + (bits % 26) as u8);
        bits /= 26;
        letter
    };
    (0..13).map(letter).collect()
}

fn question(wire: &[u8], kind: Kind) -> Result<Question, Reach> {
    let mut name = wire.to_vec();
    mix_case(&mut name, exchange::bits()?);
    Ok(Question { name, kind })
}

fn unaskable(name: &str) -> Reach {
    Reach::Undecided(Text::new("probe-dns-name").arg("name", name))
}

fn code_reach(name: &str, code: u16) -> Reach {
    Reach::Broken(Text::new("probe-dns-lookup-code").arg("name", name).arg("code", code_name(code)))
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Udp,
    Tcp,
}

/// What became of one name.
#[derive(Debug)]
struct Answered {
    a: (Question, Result<Reply, Reach>),
    aaaa: (Question, Result<Reply, Reach>),
    /// How far UDP got, whatever came of an answer that did not fit.
    udp: Result<(), Reach>,
    is_truncated: bool,
    samples: Samples,
    odd: Odd,
}

impl Answered {
    fn open() -> Self {
        let question = || Question { name: vec![0], kind: Kind::A };
        let reach = Reach::Undecided(Text::new("probe-dns-not-asked"));
        Answered {
            a: (question(), Err(reach.clone())),
            aaaa: (question(), Err(reach.clone())),
            udp: Err(reach),
            is_truncated: false,
            samples: Samples::default(),
            odd: Odd::default(),
        }
    }

    fn replies(&self) -> impl Iterator<Item = &Reply> {
        [&self.a.1, &self.aaaa.1].into_iter().flatten()
    }
}

/// Asks for both addresses of a name, `samples` times for that of IPv4. Asked for less than `patience`, silence means
/// nothing.
async fn answer(link: Link, wire: &[u8], samples: u32, way: Way, patience: Duration) -> Answered {
    let start = Instant::now();
    let mut out = Answered::open();
    if start >= link.until {
        return out;
    }
    for round in 0..samples.max(1) {
        let (question, outcome) = once(link, wire, Kind::A, way, &mut out).await;
        let is_answered = outcome.is_ok();
        match &outcome {
            Ok(reply) => {
                (0..reply.lost).for_each(|_| out.samples.add(None));
                out.samples.add(Some(reply.time));
            }
            Err(_) => out.samples.add(None),
        }
        if round == 0 {
            out.a = (question, outcome);
        }
        if !is_answered {
            break;
        }
    }
    if matches!(out.a.1, Err(Reach::Silent)) && start.elapsed() < patience {
        return Answered::open();
    }
    match &out.a.1 {
        Ok(_) => out.aaaa = once(link, wire, Kind::Aaaa, way, &mut out).await,
        Err(reach) => out.aaaa.1 = Err(reach.clone()),
    }
    out
}

async fn once(
    link: Link,
    wire: &[u8],
    kind: Kind,
    way: Way,
    into: &mut Answered,
) -> (Question, Result<Reply, Reach>) {
    let question = match question(wire, kind) {
        Ok(question) => question,
        Err(reach) => return (Question { name: wire.to_vec(), kind }, Err(reach)),
    };
    let outcome = match way {
        Way::Tcp => exchange::tcp(link, &question).await,
        Way::Udp => {
            let (is_truncated, outcome) = exchange::resolve(link, &question, &mut into.odd).await;
            into.is_truncated |= is_truncated;
            into.udp = match (&outcome, &into.udp) {
                (_, Ok(())) => Ok(()),
                (Ok(_), _) => Ok(()),
                (Err(_), _) if is_truncated => Ok(()),
                (Err(reach), _) => Err(reach.clone()),
            };
            outcome
        }
    };
    (question, outcome)
}

/// Asks for all targets, a few at the same time. Who refuses the first question refuses them all.
async fn answers(
    link: Link,
    targets: &[Target],
    samples: u32,
    way: Way,
    patience: Duration,
) -> Vec<Answered> {
    let mut out: Vec<Answered> = targets.iter().map(|_| Answered::open()).collect();
    let mut tasks = JoinSet::new();
    let mut queue = targets.iter().enumerate();
    let mut is_refused = false;
    loop {
        while !is_refused && tasks.len() < AT_ONCE {
            let Some((index, target)) = queue.next() else { break };
            let wire = target.wire.clone();
            let samples = if target.absent.is_some() { 1 } else { samples };
            tasks.spawn(async move { (index, answer(link, &wire, samples, way, patience).await) });
        }
        let Some(done) = tasks.join_next().await else { break };
        let Ok((index, answered)) = done else { continue };
        let is_firm = matches!(
            answered.a.1,
            Err(Reach::Refused(_) | Reach::Prohibited(_) | Reach::Unreachable(_) | Reach::Undecided(_))
        );
        if is_firm && !answered.is_truncated && out.iter().all(|other| other.udp.is_err()) {
            is_refused = true;
            tasks.abort_all();
        }
        if let Some(place) = out.get_mut(index) {
            *place = answered;
        }
    }
    out
}

async fn survey(ask: &Ask, link: Link, targets: Vec<Target>) -> Report {
    let patience = (ask.deadline / 2).min(Duration::from_secs(1));
    let mut beside = JoinSet::new();
    if let Some(Ok(question)) = targets.first().map(|first| question(&first.wire, Kind::A)) {
        beside.spawn(async move { exchange::tcp(link, &question).await });
    }
    let mut all = answers(link, &targets, ask.samples, Way::Udp, patience).await;
    let tcp = match beside.join_next().await {
        Some(Ok(outcome)) => outcome,
        _ => Err(Reach::Undecided(Text::new("probe-dns-not-asked"))),
    };

    let udp = reach_of_all(&all);
    let mut report = Report::of(udp.clone());
    let mut odd = Odd::default();
    for one in &mut all {
        odd.merge(std::mem::take(&mut one.odd));
    }
    let is_truncated = all.iter().any(|one| one.is_truncated);
    if udp != Reach::Passes && tcp.is_ok() {
        all = answers(link, &targets, 1, Way::Tcp, patience).await;
    }
    transports(&mut report, ask, &udp, &tcp, is_truncated);
    strays(&mut report, ask, &odd);
    if udp == Reach::Passes || tcp.is_ok() {
        names(&mut report, ask, &targets, &all);
        absent(&mut report, ask, &targets, &all);
    }
    // Names that do not exist take the resolver longer, and no terminal asks for them.
    let counts = |target: &Target| target.absent.is_none() || ask.names.is_empty();
    for (_, one) in targets.iter().zip(all).filter(|(target, _)| counts(target)) {
        report.samples.sent += one.samples.sent;
        report.samples.times.extend(one.samples.times);
    }
    if let Some(median) = report.samples.quantile(0.5).filter(|median| *median > SLOW) {
        let text = Text::new("probe-dns-slow").arg("resolver", ask.resolver.ip());
        let milliseconds = usize::try_from(median.as_millis()).unwrap_or(usize::MAX);
        report.fault(FindingId::LatencyHigh, text.num("milliseconds", milliseconds));
    }
    report
}

/// The one that says most: any answer, then any word instead of one, then silence.
fn reach_of_all(all: &[Answered]) -> Reach {
    let rank = |reach: &Reach| match reach {
        Reach::Passes => 0,
        Reach::Broken(_) => 1,
        Reach::Refused(_) | Reach::Prohibited(_) => 2,
        Reach::Unreachable(_) => 3,
        Reach::Silent => 4,
        Reach::Undecided(_) => 5,
    };
    let reaches = all.iter().map(|one| one.udp.clone().err().unwrap_or(Reach::Passes));
    reaches.min_by_key(rank).unwrap_or(Reach::Silent)
}

fn transports(report: &mut Report, ask: &Ask, udp: &Reach, tcp: &Result<Reply, Reach>, is_truncated: bool) {
    let tcp_reach = tcp.as_ref().err().unwrap_or(&Reach::Passes);
    for (key, by_key, reach) in [("udp", "udp_by", udp), ("tcp", "tcp_by", tcp_reach)] {
        report.word(key, reach.name());
        if let Some(by) = reach.by() {
            report.word(by_key, by);
        }
    }
    if let Ok(reply) = tcp {
        report.number("tcp_us", reply.time.as_secs_f64() * 1e6);
    }
    report.details.insert("truncated", Detail::Flag(is_truncated));
    let text = |id| Text::new(id).arg("resolver", ask.resolver.ip());
    match (udp, tcp_reach) {
        (Reach::Passes, Reach::Passes | Reach::Undecided(_)) => (),
        (Reach::Passes, other) => {
            let id = if is_truncated { "probe-dns-no-tcp-needed" } else { "probe-dns-no-tcp" };
            report.faults.push(fault(text(id).text("how", how(other)), is_truncated));
        }
        (Reach::Undecided(_), _) => (),
        (other, Reach::Passes) => {
            report.faults.push(fault(text("probe-dns-no-udp").text("how", how(other)), true));
        }
        _ => (),
    }
}

/// A reach in words, to be put after "over UDP it".
fn how(reach: &Reach) -> Text {
    match reach {
        Reach::Passes => Text::new("probe-dns-how-passes"),
        Reach::Refused(_) => Text::new("probe-dns-how-refused"),
        Reach::Prohibited(_) => Text::new("probe-dns-how-prohibited"),
        Reach::Unreachable(_) => Text::new("probe-dns-how-unreachable"),
        Reach::Silent => Text::new("probe-dns-how-silent"),
        Reach::Broken(text) | Reach::Undecided(text) => text.clone(),
    }
}

fn strays(report: &mut Report, ask: &Ask, odd: &Odd) {
    for from in &odd.foreign {
        let text = Text::new("probe-dns-foreign-answer").arg("resolver", ask.resolver).arg("from", from);
        report.fault(FindingId::DnsFailed, text);
    }
    for (key, count) in [("garbage", odd.garbage), ("mismatched", odd.mismatched)] {
        if count > 0 {
            report.number(key, f64::from(count));
        }
    }
}

fn names(report: &mut Report, ask: &Ask, targets: &[Target], all: &[Answered]) {
    let public = Public::new();
    let mut addresses = Vec::new();
    let mut open = Vec::new();
    for (target, one) in targets.iter().zip(all).filter(|(target, _)| target.absent.is_none()) {
        if matches!(one.a.1, Err(Reach::Undecided(_))) {
            open.push(target.name.clone());
            continue;
        }
        let seen = Seen {
            resolver: ask.resolver.ip(),
            name: &target.name,
            a: (&one.a.0, &one.a.1),
            aaaa: (&one.aaaa.0, &one.aaaa.1),
        };
        addresses.extend(seen.addresses().iter().map(|address| format!("{} {address}", target.name)));
        report.faults.extend(seen.faults(&public));
    }
    for (key, list) in [("addresses", addresses), ("names_open", open)] {
        if !list.is_empty() {
            report.details.insert(key, Detail::List(list));
        }
    }
    let replies = || all.iter().flat_map(Answered::replies);
    let edns = replies().filter_map(|reply| reply.message.edns).max();
    if let Some(size) = edns {
        report.number("edns_bytes", f64::from(size));
    }
    for (key, flag) in [
        ("edns", edns.is_some()),
        ("recursion", replies().any(|reply| reply.message.recurses)),
        ("case_kept", replies().all(|reply| reply.case_kept)),
    ] {
        report.details.insert(key, Detail::Flag(flag));
    }
}

/// Names that do not exist must not have an address.
fn absent(report: &mut Report, ask: &Ask, targets: &[Target], all: &[Answered]) {
    for (target, one) in targets.iter().zip(all) {
        let Some(key) = target.absent else { continue };
        let addresses = [&one.a, &one.aaaa].map(|(question, outcome)| match outcome {
            Ok(reply) => reply.message.addresses(question),
            Err(_) => Vec::new(),
        });
        let word = match (addresses.iter().flatten().next(), &one.a.1) {
            (Some(address), _) => {
                let text = Text::new("probe-dns-hijack").arg("resolver", ask.resolver.ip());
                let text = text.arg("name", &target.name).arg("address", address);
                report.fault(FindingId::DnsFailed, text);
                "address".into()
            }
            (None, Ok(reply)) => code_name(reply.message.code),
            (None, Err(reach)) => reach.name().into(),
        };
        report.word(key, word);
    }
}

#[cfg(test)]
mod tests;
