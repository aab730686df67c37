//! UDP ports without a cooperating far end: who replied, who refused and by whom, who said a filter is in the way, and
//! of whom nothing was heard.
//!
//! Silence of a UDP port says nothing: an open port that does not answer and a filter that drops look the same. A closed
//! port of a Linux host is told by ICMP, but only six times at once and then once a second (icmp_ratelimit, ip-sysctl),
//! so asking faster turns closed ports into silent ones. The first six are asked at once; when one of them is refused,
//! the rest follow at the pace at which refusals come. When none is, refusals are not what keeps the host silent, and
//! the rest is asked at once as well. A port that there was no time to ask stays undecided.

pub mod errors;
mod reply;

use crate::outcome::{Detail, Reach, Report, Samples};
use errors::{Complaint, Heard};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::time::{Instant, timeout_at};

/// Refusals a Linux host sends at once (XRLIM_BURST_FACTOR).
const BURST: u32 = 6;
/// Then one in this time; a little more than the kernel's second, as clocks and queues are not exact.
const PACE: Duration = Duration::from_millis(1020);
/// How long the last answer may take.
const WAIT: Duration = Duration::from_millis(1000);
/// Between two datagrams when refusals are not awaited.
const GAP: Duration = Duration::from_millis(2);

/// What to ask.
#[derive(Clone, Debug)]
pub struct Range {
    /// The far end.
    pub server: IpAddr,
    /// Its ports.
    pub ports: Vec<u16>,
    /// What each datagram carries; may be empty.
    pub payload: Vec<u8>,
    /// For everything.
    pub deadline: Duration,
    /// The address to send from, where it matters.
    pub local: Option<IpAddr>,
}

/// How far each port got, and the same in sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranged {
    /// Each port once, in ascending order.
    pub ports: Vec<(u16, Reach)>,
    /// In sum.
    pub report: Report,
}

/// Ports on which printers print whatever comes, or take it as a command: raw printing (9100 to 9107), LPD, IPP,
/// Epson's discovery and the discovery of receipt printers. They are never sent anything.
pub fn is_printer(port: u16) -> bool {
    matches!(port, 9100..=9107 | 515 | 631 | 3289 | 22222)
}

/// Ports as ranges: `10000-10049`, `10051`. They must be sorted.
pub fn spans(ports: &[u16]) -> Vec<String> {
    ports
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .filter_map(|run| match (run.first(), run.last()) {
            (Some(first), Some(last)) if first < last => Some(format!("{first}-{last}")),
            (Some(first), _) => Some(first.to_string()),
            _ => None,
        })
        .collect()
}

/// Asks every port, and silent ones up to three times, as fast as honest answers allow.
pub async fn check(range: &Range) -> Ranged {
    let end = Instant::now() + range.deadline;
    let mut asking = Asking::new(&range.ports);
    if let Err(error) = asking.run(range, end).await {
        // Without a socket nothing was asked or heard: no port gets a verdict from silence.
        asking.trouble = Some(error.to_string());
    }
    asking.into_ranged(range.server, Instant::now())
}

/// What is known of one port.
#[derive(Clone, Debug, Default)]
struct Asked {
    at: Option<Instant>,
    tries: u32,
    // Datagrams that left this host; any may get lost.
    sent: u32,
    // When the first of them did.
    since: Option<Instant>,
    // Why the last one did not.
    trouble: Option<Text>,
    reach: Option<Reach>,
    time: Option<Duration>,
}

impl Asked {
    /// Notes how sending went. A filter of this host, or a missing route, is a verdict; what this host lacks is none, and
    /// passes by.
    fn left(&mut self, sent: io::Result<()>) {
        self.trouble = None;
        match sent.map_err(|error| crate::outcome::reach_of(&error)) {
            Ok(()) => {
                self.sent += 1;
                self.since = self.since.or(self.at);
            }
            Err(Reach::Undecided(why)) => self.trouble = Some(why),
            Err(reach) => self.reach = Some(reach),
        }
    }

    /// How far it got, by what is known at a time. Silence counts only of somebody who was asked and had time to answer.
    fn settled(&self, trouble: Option<&str>, now: Instant) -> Reach {
        let own = |error: &str| Reach::Undecided(Text::new("probe-own-error").arg("detail", error));
        match (&self.reach, trouble, self.since, &self.trouble) {
            (Some(reach), ..) => reach.clone(),
            (None, Some(error), ..) => own(error),
            (None, None, Some(since), _) if now.saturating_duration_since(since) >= WAIT => Reach::Silent,
            (None, None, None, Some(trouble)) => Reach::Undecided(trouble.clone()),
            (None, None, Some(_), _) => Reach::Undecided(Text::new("probe-udp-not-awaited")),
            (None, None, None, None) => Reach::Undecided(Text::new("probe-udp-not-asked")),
        }
    }
}

struct Asking {
    ports: BTreeMap<u16, Asked>,
    queue: VecDeque<u16>,
    // Whether refusals come, so that their limit counts.
    is_paced: bool,
    elsewhere: Option<SocketAddr>,
    trouble: Option<String>,
}

impl Asking {
    fn new(ports: &[u16]) -> Self {
        let mut known = BTreeMap::new();
        for port in ports {
            let reach = is_printer(*port).then(|| Reach::Undecided(Text::new("probe-udp-printer")));
            known.insert(*port, Asked { reach, ..Asked::default() });
        }
        let queue = known.iter().filter(|(_, asked)| asked.reach.is_none()).map(|(port, _)| *port).collect();
        Asking { ports: known, queue, is_paced: false, elsewhere: None, trouble: None }
    }

    async fn run(&mut self, range: &Range, end: Instant) -> io::Result<()> {
        let socket = errors::open(range.server, range.local)?;
        let mut next = Instant::now();
        let (mut burst, mut is_first, mut is_pacing) = (BURST, true, false);
        while Instant::now() < end {
            let is_open = self.silent().next().is_some();
            // Nothing left to ask, and whoever was asked last had time to answer.
            if self.queue.is_empty() && (!is_open || Instant::now() >= self.last_asked() + WAIT) {
                if !self.try_again() {
                    break;
                }
                (burst, is_first) = (0, false);
            }
            if self.is_paced && !is_pacing && burst == 0 {
                // From now on the limit counts. What was asked too fast for it is asked again.
                is_pacing = true;
                next = Instant::now() + PACE;
                self.ask_again();
            }
            while self
                .queue
                .front()
                .is_some_and(|port| self.ports.get(port).is_some_and(|a| a.reach.is_some()))
            {
                self.queue.pop_front();
            }
            if Instant::now() >= next
                && let Some(port) = self.queue.pop_front()
            {
                self.ask(&socket, range, port).await;
                burst = burst.saturating_sub(1);
                let pause = match (burst, self.is_paced) {
                    (1.., _) => Duration::ZERO,
                    (0, true) => PACE,
                    // The first six are out: whether somebody refuses shows within the time an answer takes.
                    (0, false) if std::mem::take(&mut is_first) => WAIT,
                    (0, false) => GAP,
                };
                next = Instant::now() + pause;
                if burst > 0 || self.is_paced != is_pacing {
                    continue;
                }
            }
            if self.queue.is_empty() && self.silent().next().is_none() {
                break;
            }
            let until = if self.queue.is_empty() { self.last_asked() + WAIT } else { next };
            self.listen(&socket, range, until.min(end)).await?;
        }
        Ok(())
    }

    /// What was asked since the first refused port may have met a host that had spent its refusals: it is asked first.
    fn ask_again(&mut self) {
        let refused = self
            .ports
            .values()
            .filter(|asked| asked.reach.as_ref().is_some_and(|reach| reach.by().is_some()));
        let Some(first) = refused.filter_map(|asked| asked.at).min() else { return };
        for (port, asked) in self.ports.iter_mut().rev() {
            if asked.reach.is_none() && asked.at.is_some_and(|at| at > first) {
                asked.at = None;
                self.queue.push_front(*port);
            }
        }
    }

    /// Puts silent ports up for another time; whether there are any.
    fn try_again(&mut self) -> bool {
        let tries = if self.is_paced { 2 } else { 3 };
        let silent =
            self.ports.iter().filter(|(_, a)| a.at.is_some() && a.reach.is_none() && a.tries < tries);
        self.queue.extend(silent.map(|(port, _)| *port));
        !self.queue.is_empty()
    }

    fn silent(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().filter(|(_, a)| a.at.is_some() && a.reach.is_none()).map(|(port, _)| *port)
    }

    fn last_asked(&self) -> Instant {
        self.ports.values().filter_map(|asked| asked.at).max().unwrap_or_else(Instant::now)
    }

    async fn ask(&mut self, socket: &tokio::net::UdpSocket, range: &Range, port: u16) {
        let mut complaints = Vec::new();
        let sent =
            errors::send(socket, &range.payload, SocketAddr::new(range.server, port), &mut complaints).await;
        let entry = self.ports.entry(port).or_default();
        entry.at = Some(Instant::now());
        entry.tries += 1;
        entry.left(sent);
        self.note(range.server, &complaints);
    }

    /// Takes answers until a time, or until it is known that refusals come.
    async fn listen(
        &mut self,
        socket: &tokio::net::UdpSocket,
        range: &Range,
        until: Instant,
    ) -> io::Result<()> {
        let mut buffer = [0_u8; 2048];
        let mut complaints = Vec::new();
        let was_paced = self.is_paced;
        while let Ok(heard) = timeout_at(until, errors::hear(socket, &mut buffer, &mut complaints)).await {
            match heard? {
                Heard::Complaints => self.note(range.server, &std::mem::take(&mut complaints)),
                Heard::Datagram(length, from) => {
                    self.answered(range, from, buffer.get(..length).unwrap_or_default());
                }
            }
            let is_done = self.queue.is_empty() && self.silent().next().is_none();
            // An endless stream of answers must not hold us up either.
            if is_done || self.is_paced != was_paced || Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    fn answered(&mut self, range: &Range, from: SocketAddr, datagram: &[u8]) {
        let is_server = from.ip().to_canonical() == range.server.to_canonical();
        match self.ports.get_mut(&from.port()).filter(|_| is_server) {
            // Whoever was not asked cannot have answered, and who answers another question was not reached by ours.
            Some(asked) => {
                if asked.sent > 0 && reply::is_of(from.port(), &range.payload, datagram) {
                    asked.time = asked.time.or(asked.at.map(|at| at.elapsed()));
                    asked.reach = Some(Reach::Passes);
                }
            }
            None => self.elsewhere = Some(from),
        }
    }

    fn note(&mut self, server: IpAddr, complaints: &[Complaint]) {
        for complaint in complaints {
            // What this host lacks is told by the sending itself.
            let Some(reach) = complaint.reach().filter(|reach| !matches!(reach, Reach::Undecided(_))) else {
                continue;
            };
            let Some(to) = complaint.to.filter(|to| to.ip() == server) else { continue };
            self.is_paced |= complaint.icmp.is_some();
            if let Some(asked) = self.ports.get_mut(&to.port())
                && asked.reach.is_none()
            {
                asked.reach = Some(reach);
            }
        }
    }

    fn into_ranged(self, server: IpAddr, now: Instant) -> Ranged {
        let mut samples = Samples::default();
        let mut ports = Vec::new();
        for (port, asked) in &self.ports {
            let reach = asked.settled(self.trouble.as_deref(), now);
            (1..asked.sent).for_each(|_| samples.add(None));
            // One that had no time to be answered is not lost.
            if asked.sent > 0 && !matches!(reach, Reach::Undecided(_)) {
                samples.add(asked.time);
            }
            ports.push((*port, reach));
        }
        let mut report = sum(server, &ports);
        report.samples = samples;
        if let Some(from) = self.elsewhere {
            report.word("answered_from", from);
        }
        Ranged { ports, report }
    }
}

/// Says in sum what is known of each port of a range.
fn sum(server: IpAddr, ports: &[(u16, Reach)]) -> Report {
    let is = |wanted: fn(&Reach) -> bool| {
        ports.iter().find(|(_, reach)| wanted(reach)).map(|(_, reach)| reach.clone())
    };
    let count = |wanted: fn(&Reach) -> bool| ports.iter().filter(|(_, reach)| wanted(reach)).count();
    let passes = count(|reach| matches!(reach, Reach::Passes));
    let silent = count(|reach| matches!(reach, Reach::Silent));
    let unasked = count(|reach| matches!(reach, Reach::Undecided(_)));
    let reach = if passes == ports.len() && passes > 0 {
        Reach::Passes
    } else if let Some((_, why)) = ports.first().filter(|_| unasked == ports.len()) {
        // Nothing is known of any: why not is all there is to say.
        why.clone()
    } else {
        is(|reach| matches!(reach, Reach::Prohibited(_)))
            .or_else(|| is(|reach| matches!(reach, Reach::Unreachable(_))))
            .or_else(|| is(|reach| matches!(reach, Reach::Refused(_))))
            .or_else(|| is(|reach| matches!(reach, Reach::Broken(_))))
            .unwrap_or_else(|| {
                let text = Text::new("probe-udp-open").num("passes", passes).num("silent", silent);
                Reach::Undecided(text.num("unasked", unasked))
            })
    };
    let mut report = Report::of(reach);
    tell(&mut report, ports);
    for (id, wanted) in KINDS {
        let Some(by) = is(wanted).map(|reach| reach.by()) else { continue };
        let list: Vec<u16> = ports.iter().filter(|(_, reach)| wanted(reach)).map(|(port, _)| *port).collect();
        let text = Text::new(id).arg("ports", spans(&list).join(", "));
        let text = match by {
            Some(by) => text.arg("by", by),
            None => text.text("by", Text::new("probe-udp-own-host")),
        };
        // The far end itself refusing proves the way to it: the service may only not run at the moment.
        let is_own = by.is_some_and(|by| by.to_canonical() == server.to_canonical());
        report.faults.push(crate::outcome::Fault { id: FindingId::PortUnreachable, text, is_sure: !is_own });
    }
    report
}

type Wanted = fn(&Reach) -> bool;
const KINDS: [(&str, Wanted); 3] = [
    ("probe-udp-prohibited", |reach| matches!(reach, Reach::Prohibited(_))),
    ("probe-udp-unreachable", |reach| matches!(reach, Reach::Unreachable(_))),
    ("probe-udp-refused", |reach| matches!(reach, Reach::Refused(_))),
];

/// Adds the ports by what became of them, as ranges: `ports_passes`, `ports_silent` and so on, and by whom.
pub(crate) fn tell(report: &mut Report, ports: &[(u16, Reach)]) {
    let keys = [
        ("passes", "ports_passes"),
        ("refused", "ports_refused"),
        ("prohibited", "ports_prohibited"),
        ("unreachable", "ports_unreachable"),
        ("silent", "ports_silent"),
        ("broken", "ports_broken"),
        ("undecided", "ports_undecided"),
    ];
    for (name, key) in keys {
        let list: Vec<u16> =
            ports.iter().filter(|(_, reach)| reach.name() == name).map(|(port, _)| *port).collect();
        if !list.is_empty() {
            report.details.insert(key, Detail::List(spans(&list)));
        }
    }
    let mut by: Vec<String> =
        ports.iter().filter_map(|(_, reach)| reach.by()).map(|by| by.to_string()).collect();
    by.sort();
    by.dedup();
    if !by.is_empty() {
        report.details.insert("refused_by", Detail::List(by));
    }
}

#[cfg(test)]
mod tests;
