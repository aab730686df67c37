//! Whether a time server offers authenticated time (NTS, RFC 8915): key exchange, cookies, one answer checked.

mod fields;
mod records;
#[cfg(test)]
mod tests;

use crate::ntp::packet::{self, Stamp};
use crate::ntp::random_stamp;
use crate::ntp::socket::{BUFFER, Event, Moment, Socket, reach_of_send};
use crate::outcome::{Reach, Report, reach_of};
use crate::tcp;
use fields::{Flaw, Keys};
use records::{AEAD_AES_SIV_CMAC_256, Agreement};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tillgate_model::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The port of the key exchange (RFC 8915 section 7.1).
pub const PORT: u16 = 4460;

/// Octets of a key exchange that are read; a usual one has about 900.
const LIMIT: usize = 65_536;

/// How long one question may take, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(1);
const TRIES: usize = 3;

/// Looks for NTS at a time server's key exchange, usually on port 4460; `name` is what its certificate must say.
/// Ends within the deadline whatever the server does. Never a fault: nothing asks for NTS, so it is worth knowing
/// and no more.
///
/// Detail `nts`: `works` (the answer was authentic), `offered` (keys agreed, the time is served at another name,
/// which was not asked), `fails` (the reach says why), `not offered` (nobody answers on the port), `unknown`.
/// More: `nts_aead`, `nts_cookies`, `nts_server`, `nts_port`, `nts_warning`, `nts_keys_ms`, `nts_new_cookies`.
pub async fn check(name: &str, address: SocketAddr, deadline: Duration, roots: Arc<RootCertStore>) -> Report {
    let mut progress = Progress { report: Report::of(Reach::Silent), step: Step::Connect };
    // Not more than a day: points in time must not run out of their range.
    let deadline = deadline.min(Duration::from_secs(86_400));
    let end = Instant::now() + deadline;
    // What was seen by the end stays, so that a stop can be told from the step it happened in.
    let result = timeout(deadline, run(name, address, end, roots, &mut progress)).await;
    let (state, reach) = match (result, progress.step) {
        (Ok(Ok(())), Step::Done) => ("works", Reach::Passes),
        (Ok(Ok(())), _) => ("offered", Reach::Passes),
        (Ok(Err(reach @ Reach::Undecided(_))), _) => ("unknown", reach),
        (Ok(Err(reach)), Step::Connect) => ("not offered", reach),
        (Ok(Err(reach)), _) => ("fails", reach),
        (Err(_), Step::Connect) if deadline >= tcp::TWO_SYNS => ("not offered", Reach::Silent),
        (Err(_), Step::Connect) => ("unknown", not_asked("no time")),
        (Err(_), Step::Keys) => ("fails", broken("probe-nts-stalled")),
        (Err(_), _) => ("fails", broken("probe-nts-no-answer")),
    };
    let mut report = progress.report;
    report.reach = reach;
    report.word("nts", state);
    report
}

struct Progress {
    report: Report,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Connect,
    Keys,
    Time,
    Done,
}

fn broken(id: &'static str) -> Reach {
    Reach::Broken(Text::new(id))
}

fn not_asked(detail: impl ToString) -> Reach {
    Reach::Undecided(Text::new("probe-nts-not-asked").arg("detail", detail))
}

async fn run(
    name: &str,
    address: SocketAddr,
    end: Instant,
    roots: Arc<RootCertStore>,
    progress: &mut Progress,
) -> Result<(), Reach> {
    let server = ServerName::try_from(name.to_owned()).map_err(not_asked)?;
    let connector = TlsConnector::from(Arc::new(client(roots).map_err(not_asked)?));
    let start = Instant::now();
    let tcp = tcp::connect(address, None, None, end.saturating_duration_since(start)).await?;
    progress.step = Step::Keys;
    let mut tls = connector.connect(server, tcp).await.map_err(|error| reach_of_tls(&error))?;
    if tls.get_ref().1.alpn_protocol() != Some(records::ALPN) {
        return Err(broken("probe-nts-alpn"));
    }
    let agreement = exchange(&mut tls, end).await?;
    let report = &mut progress.report;
    report.number("nts_keys_ms", start.elapsed().as_secs_f64() * 1e3);
    report.number("nts_cookies", agreement.cookies.len() as f64);
    if let Some(warning) = agreement.warning {
        report.number("nts_warning", f64::from(warning));
    }
    usable(&agreement)?;
    report.number("nts_aead", f64::from(AEAD_AES_SIV_CMAC_256));
    let keys = keys(&tls).map_err(not_asked)?;
    // No need to say goodbye in order: the server has said all it had to.
    drop(tls);
    progress.step = Step::Time;
    let port = agreement.port.unwrap_or(123);
    report.number("nts_port", f64::from(port));
    let host = match agreement.server.as_deref() {
        None => address.ip(),
        Some(other) => {
            report.word("nts_server", other.escape_debug());
            match other.parse::<IpAddr>() {
                Ok(ip) => ip,
                Err(_) if other.trim_end_matches('.').eq_ignore_ascii_case(name) => address.ip(),
                // Whose address a resolver would have to tell.
                Err(_) => return Ok(()),
            }
        }
    };
    ask(SocketAddr::new(host, port), &agreement, keys, end, &mut progress.report).await?;
    progress.step = Step::Done;
    Ok(())
}

fn client(roots: Arc<RootCertStore>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![records::ALPN.to_vec()];
    Ok(config)
}

/// A handshake's end; errors of TLS say why in their own words.
fn reach_of_tls(error: &Error) -> Reach {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::NoApplicationProtocol) => broken("probe-nts-alpn"),
        Some(rustls::Error::InvalidCertificate(why)) => {
            Reach::Broken(Text::new("probe-nts-certificate").arg("detail", why))
        }
        Some(tls) => Reach::Broken(Text::new("probe-nts-tls").arg("detail", tls)),
        None if error.kind() == ErrorKind::UnexpectedEof => broken("probe-nts-closed"),
        None => reach_of(error),
    }
}

async fn exchange(tls: &mut TlsStream<TcpStream>, end: Instant) -> Result<Agreement, Reach> {
    tls.write_all(&records::request()).await.map_err(|error| reach_of_tls(&error))?;
    tls.flush().await.map_err(|error| reach_of_tls(&error))?;
    let (mut reader, mut total) = (records::Reader::default(), 0);
    let mut part = [0; 4096];
    while total < LIMIT {
        if Instant::now() >= end {
            return Err(broken("probe-nts-stalled"));
        }
        let length = tls.read(&mut part).await.map_err(|error| reach_of_tls(&error))?;
        total += length;
        match reader.take(part.get(..length).unwrap_or_default()) {
            Ok(Some(agreement)) => return Ok(agreement),
            Ok(None) if length == 0 => return Err(broken("probe-nts-closed")),
            Ok(None) => {}
            Err(records::Malformed) => break,
        }
    }
    Err(broken("probe-nts-garbage"))
}

/// What a client needs of a key exchange (RFC 8915 section 4.1).
fn usable(agreement: &Agreement) -> Result<(), Reach> {
    if let Some(code) = agreement.error {
        return Err(Reach::Broken(Text::new("probe-nts-error").num("code", usize::from(code))));
    }
    match agreement {
        Agreement { is_ntp: false, .. } => Err(broken("probe-nts-protocol")),
        Agreement { aead, .. } if *aead != Some(AEAD_AES_SIV_CMAC_256) => Err(broken("probe-nts-aead")),
        Agreement { cookies, .. } if cookies.is_empty() => Err(broken("probe-nts-no-cookies")),
        _ => Ok(()),
    }
}

/// The keys of both directions (RFC 8915 section 5.1).
fn keys(tls: &TlsStream<TcpStream>) -> Result<Keys, rustls::Error> {
    let export = |direction: u8| {
        let context = [0, 0, 0, AEAD_AES_SIV_CMAC_256 as u8, direction];
        tls.get_ref().1.export_keying_material([0; 32], records::EXPORTER, Some(&context))
    };
    Ok(Keys { to_server: export(0)?, to_client: export(1)? })
}

/// Asks for the time with a fresh cookie each time.
async fn ask(
    server: SocketAddr,
    agreement: &Agreement,
    keys: Keys,
    end: Instant,
    report: &mut Report,
) -> Result<(), Reach> {
    let socket = Socket::open(server, None).map_err(not_asked)?;
    let mut buffer = vec![0; BUFFER];
    let mut wrong = None;
    for cookie in agreement.cookies.iter().take(TRIES) {
        let (mut id, mut nonce) = ([0; 32], [0; 16]);
        let stamp =
            random_stamp().filter(|_| getrandom::fill(&mut id).and(getrandom::fill(&mut nonce)).is_ok());
        let Some(stamp) = stamp else { return Err(not_asked("no random numbers")) };
        let question =
            fields::question(stamp, &id, cookie, &nonce, &keys).ok_or_else(|| not_asked("AES-SIV"))?;
        let asked = Moment::now();
        socket.send(&question).await.map_err(|error| reach_of_send(&error).unwrap_or(not_asked(error)))?;
        let until = end.min(Instant::now() + PATIENCE);
        while Instant::now() < until {
            let Ok(event) = timeout_at(until, socket.event(&mut buffer)).await else { break };
            match event.map_err(not_asked)? {
                Event::Packet { length, source, .. }
                    if source.ip() == server.ip() && source.port() == server.port() =>
                {
                    match answer(buffer.get(..length).unwrap_or_default(), stamp, &id, &keys) {
                        Ok(cookies) => {
                            let time = Moment::now().steady.saturating_duration_since(asked.steady);
                            report.samples.add(Some(time));
                            report.number("nts_new_cookies", cookies as f64);
                            return Ok(());
                        }
                        // A forged packet must not end the wait for the true one.
                        Err(flaw) => wrong = wrong.or(flaw),
                    }
                }
                Event::Stopped(reach) => {
                    report.samples.add(None);
                    return Err(reach);
                }
                _ => {}
            }
        }
        report.samples.add(None);
        // Only what is lost is worth another try.
        if wrong.is_some() {
            break;
        }
    }
    Err(broken(match wrong {
        Some(Flaw::Nak) => "probe-nts-nak",
        Some(Flaw::Plain) => "probe-nts-plain",
        Some(Flaw::Forged) => "probe-nts-forged",
        None => "probe-nts-no-answer",
    }))
}

/// The number of new cookies in an authentic answer; `None` as the error for what is no answer to this question.
fn answer(octets: &[u8], stamp: Stamp, id: &[u8; 32], keys: &Keys) -> Result<usize, Option<Flaw>> {
    let header =
        packet::read(octets).filter(|header| header.mode == 4 && header.origin == stamp).ok_or(None)?;
    fields::verify(octets, &header, id, keys).map_err(Some)
}
