//! What was asked and what came back; decides what it means. No sockets here, and no clock.

use super::compare::amount;
use super::packet::{self, Packet, Stamp, Unusable};
use super::socket::{Event, Moment, reach_of_send};
use super::{Offset, PATIENCE, STRAYS};
use crate::outcome::{Detail, Fault, Reach, Report};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tillgate_model::{FindingId, Text};

/// The wall clock was set, rather than read late, if it jumped by more than this many nanoseconds.
const STEP: i64 = 1_000_000;

/// The precision of this host's clock, in nanoseconds: its kernel stamps packets more exactly than this.
const PRECISION: i128 = 1_000;

/// Many clients choose no server farther from true time than this (RFC 5905: MAXDIST, 1 s; ntpd takes 1.5 s).
const FAR: Duration = Duration::from_millis(1500);

/// One question.
struct Question {
    cookie: Stamp,
    at: Moment,
    /// When the kernel sent it.
    sent: Option<Stamp>,
    /// It will get no answer, or has one.
    is_done: bool,
    /// It was not sent, or there was no time to answer it: no answer is no loss.
    is_cut: bool,
    answer: Option<Answer>,
}

struct Answer {
    packet: Packet,
    /// When it was received, by the kernel if that told.
    at: Stamp,
    is_kernel: bool,
    step: i64,
}

impl Question {
    /// The round trip without the server's own time, and the offset, in nanoseconds (RFC 5905 section 8). `None` if that
    /// round trip is negative by more than the clocks' precisions explain: one of the clocks was set, or lies.
    fn measured(&self) -> Option<(i64, i64)> {
        let answer = self.answer.as_ref()?;
        let sent = self.sent.unwrap_or(self.at.wall);
        let packet = &answer.packet;
        let whole = i128::from(answer.at.since(sent));
        let inside = i128::from(packet.sent.since(packet.received));
        let there = i128::from(packet.received.since(sent));
        let back = i128::from(packet.sent.since(answer.at));
        let least = PRECISION + i128::try_from(packet.resolution().as_nanos()).unwrap_or(PRECISION);
        if whole - inside < -least {
            return None;
        }
        let delay = i64::try_from(whole - inside).unwrap_or(i64::MAX).max(0);
        Some((delay, i64::try_from((there + back) / 2).unwrap_or(i64::MAX)))
    }

    /// The whole round trip, the server's own time included.
    fn round_trip(&self) -> Option<Duration> {
        let answer = self.answer.as_ref()?;
        let whole = answer.at.since(self.sent.unwrap_or(self.at.wall));
        Some(Duration::from_nanos(whole.max(0).unsigned_abs()))
    }
}

/// Questions and answers of one check.
pub struct Tally {
    server: SocketAddr,
    questions: Vec<Question>,
    /// An error of this host.
    ours: Option<String>,
    stopped: Option<Reach>,
    /// The first kiss code.
    kiss: Option<[u8; 4]>,
    /// Who else answered our question.
    elsewhere: Option<SocketAddr>,
    /// The server's packets that are not NTP, too short, or no answer.
    garbage: u32,
    /// The server's answers to questions that were not asked.
    wrong_origin: u32,
    repeated: u32,
    strays: u32,
}

impl Tally {
    pub fn new(server: SocketAddr) -> Self {
        Tally {
            server,
            questions: Vec::new(),
            ours: None,
            stopped: None,
            kiss: None,
            elsewhere: None,
            garbage: 0,
            wrong_origin: 0,
            repeated: 0,
            strays: 0,
        }
    }

    /// A question is about to be sent.
    pub fn asked(&mut self, cookie: Stamp, at: Moment) {
        self.questions.push(Question { cookie, at, sent: None, is_done: false, is_cut: false, answer: None });
    }

    /// A question could not be sent, or the socket not be read.
    pub fn not_sent(&mut self, error: &std::io::Error) {
        self.close_last();
        if let Some(question) = self.questions.last_mut() {
            question.is_cut = true;
        }
        match reach_of_send(error) {
            Some(Reach::Broken(_)) | None => self.ours = Some(error.to_string()),
            Some(reach) => self.stopped = Some(reach),
        }
    }

    /// Nothing more is read.
    pub fn ended(&mut self, now: Moment) {
        if let Some(question) = self.questions.last_mut()
            && !question.is_done
        {
            let waited = now.steady.saturating_duration_since(question.at.steady);
            question.is_cut = waited < PATIENCE;
        }
    }

    /// Whether the last question has its answer, or will get none.
    pub fn is_answered(&self) -> bool {
        self.questions.last().is_none_or(|question| question.is_done)
    }

    /// Whether the server answered anything.
    pub fn has_answer(&self) -> bool {
        self.questions.iter().any(|question| question.answer.is_some())
    }

    /// Whether no more questions may be asked: after a kiss code (RFC 5905 section 7.4), or under a flood.
    pub fn is_over(&self) -> bool {
        self.ours.is_some() || self.kiss.is_some() || self.noise() >= STRAYS
    }

    /// Something came.
    pub fn seen(&mut self, event: Event, buffer: &[u8], now: Moment) {
        match event {
            Event::Packet { length, source, at } => {
                self.packet(buffer.get(..length).unwrap_or(buffer), source, at, now);
            }
            Event::Sent { length, at } => {
                // Headers come first, the time stamp that is our cookie last.
                let octets = buffer.get(..length).and_then(|octets| octets.last_chunk::<8>());
                let cookie = octets.map(|octets| Stamp(u64::from_be_bytes(*octets)));
                if let Some(question) =
                    self.questions.iter_mut().rev().find(|question| Some(question.cookie) == cookie)
                {
                    question.sent = Some(at);
                }
            }
            Event::Stopped(reach) => {
                self.close_last();
                self.stopped = Some(reach);
            }
            Event::Other => {}
        }
    }

    fn packet(&mut self, octets: &[u8], source: SocketAddr, at: Option<Stamp>, now: Moment) {
        let is_server = source.ip() == self.server.ip() && source.port() == self.server.port();
        let count = if is_server { &mut self.garbage } else { &mut self.strays };
        let Some(packet) =
            packet::read(octets).filter(|packet| packet.mode == 4 && matches!(packet.version, 1..=4))
        else {
            *count = count.saturating_add(1);
            return;
        };
        let Some(question) =
            self.questions.iter_mut().rev().find(|question| question.cookie == packet.origin)
        else {
            let count = if is_server { &mut self.wrong_origin } else { &mut self.strays };
            *count = count.saturating_add(1);
            return;
        };
        if !is_server {
            // The right one may still come.
            self.elsewhere = Some(source);
            self.strays = self.strays.saturating_add(1);
        } else if question.answer.is_some() {
            self.repeated = self.repeated.saturating_add(1);
        } else {
            question.is_done = true;
            if let Err(Unusable::Kiss(code)) = packet::judge(&packet) {
                self.kiss = self.kiss.or(Some(code));
            }
            let step = now.step_since(&question.at);
            question.answer =
                Some(Answer { packet, at: at.unwrap_or(now.wall), is_kernel: at.is_some(), step });
        }
    }

    fn close_last(&mut self) {
        if let Some(question) = self.questions.last_mut() {
            question.is_done = true;
        }
    }

    fn noise(&self) -> u32 {
        [self.garbage, self.wrong_origin, self.repeated, self.strays]
            .iter()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn answers(&self) -> impl DoubleEndedIterator<Item = (&Question, &Answer)> {
        self.questions.iter().filter_map(|question| Some((question, question.answer.as_ref()?)))
    }

    /// Whether two answers carry the same time of sending: a clock that stands still.
    fn is_stuck(&self) -> bool {
        let mut times =
            self.answers().filter(|(_, a)| packet::judge(&a.packet).is_ok()).map(|(_, a)| a.packet.sent);
        let mut last = times.next();
        times.any(|time| last.replace(time) == Some(time))
    }

    /// What it all means.
    pub fn report(&self) -> (Report, Option<Offset>) {
        let mut report = Report::of(self.reach());
        let counted = self.questions.iter().filter(|question| question.answer.is_some() || !question.is_cut);
        counted.for_each(|question| report.samples.add(question.round_trip()));
        let usable: Vec<&Question> = self
            .answers()
            .filter(|(_, a)| packet::judge(&a.packet).is_ok())
            .map(|(question, _)| question)
            .collect();
        let steady: Vec<&Question> = usable
            .iter()
            .copied()
            .filter(|q| q.answer.as_ref().is_some_and(|a| a.step.abs() < STEP))
            .collect();
        let is_stuck = self.is_stuck();
        let offset = if is_stuck { None } else { self.offset(&steady) };
        report.number("usable", usable.len() as f64);
        if steady.len() < usable.len() {
            report.details.insert("clock_stepped", Detail::Flag(true));
        }
        let impossible = steady.iter().filter(|question| question.measured().is_none()).count();
        if impossible > 0 {
            report.number("impossible", impossible as f64);
        }
        if let Some(kiss) = self.kiss {
            report.word("kiss", kiss.escape_ascii());
        }
        for (key, count) in
            [("strays", self.noise().saturating_sub(self.repeated)), ("repeated", self.repeated)]
        {
            if count > 0 {
                report.number(key, f64::from(count));
            }
        }
        let shown =
            usable.first().and_then(|q| q.answer.as_ref()).or(self.answers().next_back().map(|(_, a)| a));
        if let Some(answer) = shown {
            self.describe(&answer.packet, &mut report);
        }
        if let Some(offset) = &offset {
            let is_kernel =
                steady.iter().all(|q| q.sent.is_some() && q.answer.as_ref().is_some_and(|a| a.is_kernel));
            report.word("stamps", if is_kernel { "kernel" } else { "process" });
            report.number("offset_us", offset.nanos as f64 / 1e3);
            report.number("bound_us", micros(offset.bound));
            report.number("limit_us", micros(offset.limit()));
            report.number("delay_us", micros(offset.delay));
            report.number("jitter_us", micros(offset.jitter));
        }
        self.faults(&mut report, usable.is_empty() || is_stuck, is_stuck);
        if impossible > 0 && impossible == steady.len() && !is_stuck {
            let text = self.text("probe-ntp-impossible");
            report.faults.push(Fault { id: FindingId::NtpUnreachable, text, is_sure: false });
        }
        (report, offset)
    }

    fn reach(&self) -> Reach {
        if self.has_answer() {
            Reach::Passes
        } else if let Some(detail) = &self.ours {
            Reach::Undecided(self.text("probe-ntp-not-asked").arg("detail", detail))
        } else if let Some(other) = self.elsewhere {
            Reach::Broken(self.text("probe-ntp-elsewhere").arg("other", other))
        } else if self.wrong_origin > 0 {
            Reach::Broken(self.text("probe-ntp-wrong-origin"))
        } else if self.garbage > 0 {
            Reach::Broken(self.text("probe-ntp-garbage"))
        } else {
            let is_awaited = self.questions.iter().any(|question| !question.is_cut);
            self.stopped.clone().unwrap_or_else(|| match is_awaited {
                true => Reach::Silent,
                false => Reach::Undecided(self.text("probe-ntp-not-awaited")),
            })
        }
    }

    /// The minimum-delay filter (RFC 5905 section 10): what hurries most was held up least.
    fn offset(&self, samples: &[&Question]) -> Option<Offset> {
        let measured: Vec<(i64, i64, &Packet)> = samples
            .iter()
            .filter_map(|question| {
                let (delay, offset) = question.measured()?;
                Some((delay, offset, &question.answer.as_ref()?.packet))
            })
            .collect();
        let &(delay, nanos, packet) = measured.iter().min_by_key(|(delay, ..)| *delay)?;
        let squares: f64 =
            measured.iter().map(|(_, other, _)| (other.saturating_sub(nanos) as f64).powi(2)).sum();
        let jitter = (squares / (measured.len().max(2) - 1) as f64).sqrt();
        let delay = Duration::from_nanos(delay.unsigned_abs());
        Some(Offset {
            server: self.server,
            name: self.name(),
            nanos,
            bound: delay / 2 + packet.resolution(),
            root: packet.root_distance(),
            delay,
            jitter: Duration::from_nanos(jitter as u64),
        })
    }

    fn name(&self) -> String {
        match self.server.port() {
            123 => self.server.ip().to_string(),
            _ => self.server.to_string(),
        }
    }

    fn describe(&self, packet: &Packet, report: &mut Report) {
        let leap = ["none", "insert", "delete", "unsynchronised"];
        report.number("version", f64::from(packet.version));
        report.number("stratum", f64::from(packet.stratum));
        report.word("leap", leap[usize::from(packet.leap & 3)]);
        report.number("precision_us", micros(packet.resolution()));
        report.number("root_delay_us", micros(packet.root_delay));
        report.number("root_dispersion_us", micros(packet.root_dispersion));
        report.number("root_distance_us", micros(packet.root_distance()));
        // A name up to stratum 1; above an IPv4 address, or a hash of an IPv6 one (RFC 5905 section 7.3).
        let reference = if packet.stratum < 2 {
            packet
                .reference
                .iter()
                .take_while(|octet| **octet != 0)
                .copied()
                .collect::<Vec<_>>()
                .escape_ascii()
                .to_string()
        } else if self.server.is_ipv4() {
            IpAddr::from(packet.reference).to_string()
        } else {
            format!("{:08x}", u32::from_be_bytes(packet.reference))
        };
        report.word("reference", reference);
    }

    fn faults(&self, report: &mut Report, is_useless: bool, is_stuck: bool) {
        let id = FindingId::NtpUnreachable;
        if is_useless {
            let text = self.why_useless(&report.reach, is_stuck);
            text.into_iter().for_each(|text| report.fault(id, text));
            return;
        }
        let unsure = |text| Fault { id, text, is_sure: false };
        let usable = self.answers().filter(|(_, answer)| packet::judge(&answer.packet).is_ok());
        let nearest = usable.map(|(_, answer)| answer.packet.root_distance()).min().unwrap_or_default();
        if nearest > FAR {
            report.faults.push(unsure(self.text("probe-ntp-far").text("distance", amount(nearest))));
        }
        if let Some(other) = self.elsewhere {
            report.faults.push(unsure(self.text("probe-ntp-elsewhere-too").arg("other", other)));
        }
    }

    /// Why there is no usable time; `None` if that is not for the network to answer for.
    fn why_useless(&self, reach: &Reach, is_stuck: bool) -> Option<Text> {
        let last = self.answers().next_back().and_then(|(_, answer)| packet::judge(&answer.packet).err());
        if let Some(unusable) = self.kiss.map(Unusable::Kiss).or(last) {
            return Some(why(unusable, |id| self.text(id)));
        }
        let (named, unnamed) = match reach {
            _ if is_stuck => return Some(self.text("probe-ntp-stuck")),
            Reach::Undecided(_) => return None,
            Reach::Broken(why) => return Some(why.clone()),
            Reach::Passes | Reach::Silent => {
                let count = self.questions.iter().filter(|question| !question.is_cut).count();
                return Some(self.text("probe-ntp-silent").num("count", count));
            }
            Reach::Refused(_) => ("probe-ntp-refused-by", "probe-ntp-refused"),
            Reach::Prohibited(_) => ("probe-ntp-prohibited-by", "probe-ntp-prohibited"),
            Reach::Unreachable(_) => ("probe-ntp-unreachable-by", "probe-ntp-unreachable"),
        };
        Some(match reach.by() {
            Some(by) => self.text(named).arg("by", by),
            None => self.text(unnamed),
        })
    }

    fn text(&self, id: &'static str) -> Text {
        Text::new(id).arg("server", self.name())
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn why(unusable: Unusable, text: impl Fn(&'static str) -> Text) -> Text {
    match unusable {
        Unusable::Kiss(code) => match &code {
            b"DENY" => text("probe-ntp-kiss-deny"),
            b"RSTR" => text("probe-ntp-kiss-rstr"),
            b"RATE" => text("probe-ntp-kiss-rate"),
            b"INIT" | b"STEP" => text("probe-ntp-kiss-init").arg("code", code.escape_ascii()),
            _ => text("probe-ntp-kiss-other").arg("code", code.escape_ascii()),
        },
        Unusable::Unsynchronised => text("probe-ntp-unsynchronised"),
        Unusable::Stratum(stratum) => text("probe-ntp-stratum").num("stratum", usize::from(stratum)),
        Unusable::NoTime => text("probe-ntp-no-time"),
        Unusable::Backwards => text("probe-ntp-backwards"),
        Unusable::Distant(distance) => text("probe-ntp-distant").text("distance", amount(distance)),
        // A year is a name here, not an amount: no thousands separator.
        Unusable::Old(year) => text("probe-ntp-old").arg("year", year),
    }
}
