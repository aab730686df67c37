//! Which old versions and weak suites a TLS server takes: hand-made ClientHellos, and what comes back read no
//! further than the ServerHello. No cryptography, so that nothing weak need be built in here.

mod suites;
#[cfg(test)]
mod tests;
mod wire;

use crate::outcome::{Detail, Reach, Report};
use crate::tcp;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

pub use suites::{Group, suite_name};
pub use wire::{Answer, alert_name, client_hello, read_answer, version_name};

/// The text's id when the server speaks only versions that have been withdrawn.
pub const ONLY_OLD: &str = "probe-tls-only-old-versions";

/// Offers under way at once; a small device must not be flooded.
const AT_ONCE: usize = 4;

/// Bytes read of an answer: a ServerHello fits into one record.
const ANSWER_MAX: usize = 18_000;

/// TLS 1.2 on the wire; what is below has been withdrawn (RFC 7568, RFC 8996).
const TLS_1_2: u16 = 0x0303;

/// A TLS server whose old habits are asked for.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// Where.
    pub address: SocketAddr,
    /// Name asked for (SNI); empty or an address: none.
    pub name: String,
    /// For the whole probe.
    pub deadline: Duration,
    /// Address to come from.
    pub local: Option<IpAddr>,
}

/// One ClientHello: the highest version it speaks and the suites it offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// TLS 1.3 and 1.2 with suites of today.
    Modern,
    /// SSL 3.0, TLS 1.0 or TLS 1.1, by its number on the wire, with every suite of its time.
    Old(u16),
    /// TLS 1.2 with the suites of one weak group alone.
    Weak(Group),
}

impl Offer {
    /// Every offer, in the order in which they are made.
    pub fn all() -> impl Iterator<Item = Offer> {
        let old = [0x0300, 0x0301, 0x0302].map(Offer::Old);
        std::iter::once(Offer::Modern).chain(old).chain(Group::ALL.into_iter().map(Offer::Weak))
    }

    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Offer::Modern => "modern",
            Offer::Old(version) => version_name(version),
            Offer::Weak(group) => group.name(),
        }
    }

    /// The suites it offers.
    pub fn suites(self) -> Vec<u16> {
        match self {
            Offer::Modern => suites::MODERN.to_vec(),
            Offer::Old(_) => {
                let weak =
                    Group::ALL.into_iter().flat_map(|group| group.suites().iter().map(|suite| suite.0));
                // What came with TLS 1.2 (SHA-256 and SHA-384, GCM) cannot be had below it.
                suites::OLD.iter().copied().chain(weak.filter(|suite| !suites::is_of_1_2(*suite))).collect()
            }
            Offer::Weak(group) => group.suites().iter().map(|suite| suite.0).collect(),
        }
    }

    fn version(self) -> u16 {
        match self {
            Offer::Old(version) => version,
            _ => TLS_1_2,
        }
    }
}

/// What came of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// The server chose this version and this suite.
    Yes(u16, u16),
    /// It said no, by an alert (its number) or by ending the connection.
    No(Option<u8>),
    /// Nothing came, or nothing that is TLS.
    Unknown(Cause),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Silent,
    NotTls,
    NotConnected,
}

/// Makes every offer, four at a time, one connection each.
///
/// Reach: `Passes` if any offer was taken. Details: `versions`, `weak_suites` (`group: suite`), `offers_refused`,
/// `offers_undecided`. Old versions and weak suites are `TlsWeak`; a server with nothing else is `TlsFailed`.
pub async fn check(probe: &Legacy) -> Report {
    survey(probe).await.0
}

/// The same, and a suite of TLS 1.2 that the server chose and that a library without CBC, finite fields and static RSA
/// lacks: the only kind of TLS that it may speak, and no weakness that a client of today must refuse.
pub(crate) async fn survey(probe: &Legacy) -> (Report, Option<u16>) {
    let begin = Instant::now();
    let end = begin + probe.deadline;
    // The first one alone: where nobody listens, one SYN is enough.
    let stream = tcp::connect(probe.address, probe.local, None, probe.deadline).await;
    let stream = match stream {
        Ok(stream) => stream,
        Err(reach) => return (Report::of(reach), None),
    };
    let first = exchange(stream, &probe.name, Offer::Modern, end).await;
    let mut taken = vec![(Offer::Modern, first)];
    // A filter may drop an old ClientHello; what has not answered long after the first one did, will not.
    let patience = (begin.elapsed() * 10).max(Duration::from_secs(2));
    if first != Taken::Unknown(Cause::NotTls) {
        taken.extend(others(probe, end.min(Instant::now() + patience)).await);
    }
    let old = taken.iter().find_map(|(offer, result)| match (offer, result) {
        (Offer::Modern, Taken::Yes(TLS_1_2, suite)) => {
            Some(*suite).filter(|suite| suites::is_declining(*suite))
        }
        (Offer::Weak(Group::StaticRsa), Taken::Yes(TLS_1_2, suite)) => Some(*suite),
        _ => None,
    });
    (told(&taken, probe), old)
}

async fn others(probe: &Legacy, end: Instant) -> Vec<(Offer, Taken)> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    let offers: Vec<Offer> = Offer::all().filter(|offer| *offer != Offer::Modern).collect();
    for offer in offers.iter().copied() {
        let (address, local, name, gate) =
            (probe.address, probe.local, probe.name.clone(), Arc::clone(&gate));
        tasks.spawn(async move {
            let _turn = gate.acquire().await;
            match tcp::connect(address, local, None, end.saturating_duration_since(Instant::now())).await {
                Ok(stream) => (offer, exchange(stream, &name, offer, end).await),
                Err(_) => (offer, Taken::Unknown(Cause::NotConnected)),
            }
        });
    }
    let mut taken = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        taken.extend(joined.ok());
    }
    taken.sort_by_key(|(offer, _)| offers.iter().position(|other| other == offer));
    taken
}

async fn exchange(mut stream: tokio::net::TcpStream, name: &str, offer: Offer, end: Instant) -> Taken {
    let suites = offer.suites();
    let hello = client_hello(offer.version(), &suites, name, offer == Offer::Modern);
    let talk = async {
        if stream.write_all(&hello).await.is_err() {
            return Taken::No(None);
        }
        let mut bytes = Vec::new();
        let mut part = [0; 2048];
        loop {
            let count = match stream.read(&mut part).await {
                // Servers without a common version or suite often just hang up.
                Ok(0) if bytes.is_empty() => return Taken::No(None),
                Ok(0) => return Taken::Unknown(Cause::NotTls),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Taken::No(None),
                Err(_) => return Taken::Unknown(Cause::Silent),
            };
            bytes.extend_from_slice(part.get(..count).unwrap_or_default());
            match read_answer(&bytes) {
                Some(Answer::Hello { version, suite }) => {
                    let is_offered = suites.contains(&suite);
                    let is_spoken = version <= offer.version() || offer == Offer::Modern && version == 0x0304;
                    return match is_offered && is_spoken {
                        true => Taken::Yes(version, suite),
                        false => Taken::Unknown(Cause::NotTls),
                    };
                }
                Some(Answer::Alert(alert)) => return Taken::No(Some(alert)),
                Some(Answer::NotTls) => return Taken::Unknown(Cause::NotTls),
                None if bytes.len() > ANSWER_MAX => return Taken::Unknown(Cause::NotTls),
                None => {}
            }
        }
    };
    timeout_at(end, talk).await.unwrap_or(Taken::Unknown(Cause::Silent))
}

fn told(taken: &[(Offer, Taken)], probe: &Legacy) -> Report {
    let mut versions = Vec::new();
    let mut weak = Vec::new();
    let mut without_secrecy = None;
    for (offer, result) in taken {
        let Taken::Yes(version, suite) = *result else { continue };
        versions.push(version);
        match offer {
            Offer::Weak(Group::StaticRsa) => without_secrecy = Some(suite),
            Offer::Weak(group) => weak.push((*group, suite)),
            _ => {}
        }
    }
    versions.sort_unstable();
    versions.dedup();
    let mut report = Report::of(reach_of(taken, &versions));
    faults(probe, &versions, &weak, without_secrecy, &mut report);
    let suites = weak.into_iter().chain(without_secrecy.map(|suite| (Group::StaticRsa, suite)));
    let suites = suites.map(|(group, suite)| format!("{}: {}", group.name(), suite_name(suite))).collect();
    let names = |wanted: fn(&Taken) -> bool| {
        let offers = taken.iter().filter(|(_, result)| wanted(result));
        Detail::List(offers.map(|(offer, _)| offer.name().to_owned()).collect())
    };
    let spoken = versions.iter().map(|version| version_name(*version).to_owned()).collect();
    report.details.insert("versions", Detail::List(spoken));
    report.details.insert("weak_suites", Detail::List(suites));
    report.details.insert("offers_refused", names(|result| matches!(result, Taken::No(_))));
    report.details.insert("offers_undecided", names(|result| matches!(result, Taken::Unknown(_))));
    report
}

fn faults(
    probe: &Legacy,
    versions: &[u16],
    weak: &[(Group, u16)],
    secrecy: Option<u16>,
    report: &mut Report,
) {
    let name = if probe.name.is_empty() { probe.address.ip().to_string() } else { probe.name.clone() };
    let old: Vec<&str> =
        versions.iter().filter(|version| **version < TLS_1_2).map(|version| version_name(*version)).collect();
    if !old.is_empty() {
        let is_all = old.len() == versions.len();
        let (id, text) = match is_all {
            true => (FindingId::TlsFailed, ONLY_OLD),
            false => (FindingId::TlsWeak, "probe-tls-old-versions"),
        };
        report.fault(id, Text::new(text).arg("name", &name).arg("versions", old.join(", ")));
    }
    if !weak.is_empty() {
        let suites: Vec<String> =
            weak.iter().map(|(group, suite)| format!("{} ({})", group.label(), suite_name(*suite))).collect();
        let text = Text::new("probe-tls-weak-suites").arg("name", &name);
        report.fault(FindingId::TlsWeak, text.arg("suites", suites.join(", ")));
    }
    if let Some(suite) = secrecy {
        let text = Text::new("probe-tls-no-forward-secrecy").arg("name", &name);
        report.fault(FindingId::TlsWeak, text.arg("suite", suite_name(suite)));
    }
}

fn reach_of(taken: &[(Offer, Taken)], versions: &[u16]) -> Reach {
    if !versions.is_empty() {
        return Reach::Passes;
    }
    let has = |cause| taken.iter().any(|(_, result)| *result == Taken::Unknown(cause));
    if taken.iter().any(|(_, result)| matches!(result, Taken::No(Some(_)))) {
        return Reach::Broken(Text::new("probe-tls-no-offer-taken"));
    }
    if has(Cause::NotTls) {
        return Reach::Broken(Text::new("probe-tls-no-answer-in-tls"));
    }
    if has(Cause::Silent) || has(Cause::NotConnected) {
        return Reach::Broken(Text::new("probe-tls-offers-unanswered"));
    }
    Reach::Broken(Text::new("probe-tls-offers-cut-off"))
}
