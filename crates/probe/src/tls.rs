//! TLS: a real handshake, and whether the one who answered is the one who was meant.
//!
//! The verifier in the handshake takes any chain and only keeps it; what a client would make of it is judged
//! afterwards, so that a box that breaks connections open is told from a server with a broken certificate.

mod failure;
mod judge;
mod tap;
#[cfg(test)]
mod tests;

use crate::outcome::{Detail, Fault, Reach, Report};
use crate::{certificate, hello, tcp};
use failure::Heard;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tap::{Tap, Tapped};
use tillgate_model::{FindingId, Text};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use rustls::pki_types::CertificateDer;

/// Whose certificate is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// One from a public authority, or from `extra_roots`, or with a pinned key.
    Public,
    /// One from an authority of the vendor's own, as on 12345/tcp and 12346/tcp: nobody need know it.
    Private,
    /// Any: neither issuer nor name is judged.
    Any,
}

/// A TLS server to try.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Where.
    pub address: SocketAddr,
    /// Name asked for (SNI) and expected in the certificate; empty: neither.
    pub name: String,
    /// Whose certificate is expected.
    pub expect: Expect,
    /// SHA-256 of SubjectPublicKeyInfo; where given, the server's certificate must have one of these keys, or be signed
    /// under one of the certificates it shows that has.
    pub pins: Vec<[u8; 32]>,
    /// Authorities expected besides the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Authorities this host trusts; see [`system_roots`]. Shared: they take 0.2 MB.
    pub system_roots: Arc<[CertificateDer<'static>]>,
    /// Unix time, in seconds.
    pub now: i64,
    /// Handshakes to make, one after the other; 0 counts as 1.
    pub samples: u32,
    /// For the whole probe.
    pub deadline: Duration,
    /// Address to come from.
    pub local: Option<IpAddr>,
}

/// The authorities this host trusts, read from its store. Reads files: once per run is enough.
pub fn system_roots() -> Arc<[CertificateDer<'static>]> {
    rustls_native_certs::load_native_certs().certs.into()
}

/// Makes `samples` handshakes (TLS 1.2 or 1.3, no resumption) and judges the first one's certificates.
///
/// The report's samples are the handshakes with their TCP connect. Details: `connect_us`, `handshake_us` (of the first),
/// `tls_version`, `cipher`, `key_exchange`, `alpn`, `certificates`, `subject`, `issuer`, `names`, `key`, `key_bits`,
/// `signature`, `not_before`, `not_after` (dates in UTC), `days_left`, `pin_sha256`, `trust` (`public`, `extra`,
/// `system`, `pin` or `none`), `client_certificate_wanted`; where the handshake fails, `alert` or `received_bytes`.
pub async fn check(probe: &Handshake) -> Report {
    handshakes(probe, probe.deadline).await.0
}

/// Time that an attempt needs, two lost SYNs included; a later one that had less and got no answer is no lost one.
const ATTEMPT: Duration = Duration::from_secs(4);

/// The handshakes within `limit`; and if the first one was refused, as by a server that shares no suite with us, after
/// what time.
async fn handshakes(probe: &Handshake, limit: Duration) -> (Report, Option<Duration>) {
    let end = Instant::now() + limit;
    let (asked, mut config, recorder) = match prepared(probe) {
        Ok(prepared) => prepared,
        Err(reach) => return (Report::of(reach), None),
    };
    let mut refused = None;
    let mut report = Report::of(Reach::Silent);
    let mut is_first = true;
    for _ in 0..probe.samples.max(1) {
        let begin = Instant::now();
        if !is_first && begin >= end {
            break;
        }
        let mut ended = shake(probe, asked.clone(), &config, end).await;
        let no_protocol = AlertDescription::NoApplicationProtocol;
        if let Ended::Failed(failure) = &ended
            && failure.alert() == Some(no_protocol)
            && !config.alpn_protocols.is_empty()
        {
            // The service speaks neither kind of HTTP; without the question it may answer.
            Arc::make_mut(&mut config).alpn_protocols.clear();
            ended = shake(probe, asked.clone(), &config, end).await;
        }
        // Out of time, and without the time that an attempt needs: the network has lost nothing.
        let is_cut = !is_first && end.saturating_duration_since(begin) < ATTEMPT && Instant::now() >= end;
        match ended {
            Ended::Made(made) => {
                report.samples.add(Some(made.connect + made.handshake));
                if is_first {
                    report.reach = Reach::Passes;
                    made.tell(&mut report);
                }
            }
            Ended::NotConnected(reach) => {
                // An error of ours, or too short a silence, is no lost attempt.
                if !is_cut && !matches!(reach, Reach::Undecided(_)) {
                    report.samples.add(None);
                }
                if is_first {
                    report.reach = reach;
                }
            }
            Ended::Failed(mut failure) => {
                if !is_cut || failure.error.is_some() {
                    report.samples.add(None);
                }
                if is_first {
                    failure.is_certificate_wanted = recorder.is_certificate_wanted.get().is_some();
                    let is_refusal = failure.is_refusal() && recorder.chain.get().is_none();
                    refused = is_refusal.then(|| begin.elapsed());
                    report.reach = Reach::Broken(failure.text(&probe.name));
                    failure.tell(&probe.name, &mut report);
                }
            }
        }
        if report.reach != Reach::Passes {
            break;
        }
        is_first = false;
    }
    recorder.tell(probe, &mut report);
    (report, refused)
}

/// What a handshake needs: the name to ask for, our settings, and who keeps what the server shows.
fn prepared(probe: &Handshake) -> Result<(ServerName<'static>, Arc<ClientConfig>, Arc<Recorder>), Reach> {
    let asked = match probe.name.is_empty() {
        true => ServerName::from(probe.address.ip()),
        false => ServerName::try_from(probe.name.trim_end_matches('.').to_owned())
            .map_err(|_| Reach::Undecided(Text::new("probe-tls-bad-name").arg("name", &probe.name)))?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let recorder = Arc::new(Recorder::new(provider.signature_verification_algorithms));
    let config = client(provider, Arc::clone(&recorder))
        .map_err(|error| Reach::Undecided(Text::new("probe-tls-own-error").arg("detail", error)))?;
    Ok((asked, config, recorder))
}

/// The handshake, and then which older versions and weak suites the server takes as well (see [`hello::check`]).
///
/// One deadline for both, half of it at most for the handshakes, so that after a stall there is time to see what else
/// the server takes. Where only the older versions work, that is one `TlsFailed`, not two. A server that speaks TLS 1.2,
/// and no suite that the library here has, passes, with its certificate unchecked (`certificate_checked`: no).
pub async fn assess(probe: &Handshake) -> Report {
    let end = Instant::now() + probe.deadline;
    let (mut report, refused) = handshakes(probe, probe.deadline / 2).await;
    if !matches!(report.reach, Reach::Passes | Reach::Broken(_)) {
        return report;
    }
    let legacy = hello::Legacy {
        address: probe.address,
        name: probe.name.clone(),
        deadline: end.saturating_duration_since(Instant::now()),
        local: probe.local,
    };
    let (old, declining) = hello::survey(&legacy).await;
    if let (Some(suite), Some(time)) = (declining, refused) {
        // The fault is the library's here: devices speak these suites still.
        report = Report::of(Reach::Passes);
        report.samples.add(Some(time));
        let name = if probe.name.is_empty() { probe.address.ip().to_string() } else { probe.name.clone() };
        let text = Text::new("probe-tls-declining-suites").arg("name", name);
        report.fault(FindingId::TlsWeak, text.arg("suite", hello::suite_name(suite)));
        report.details.insert("certificate_checked", Detail::Flag(false));
    }
    let is_old_only = |fault: &Fault| fault.text.id == hello::ONLY_OLD;
    if old.faults.iter().any(is_old_only) {
        report.faults.retain(|fault| fault.id != FindingId::TlsFailed);
    }
    let has_failed = report.faults.iter().any(|fault| fault.id == FindingId::TlsFailed);
    report
        .faults
        .extend(old.faults.into_iter().filter(|fault| !(has_failed && fault.id == FindingId::TlsFailed)));
    report.details.extend(old.details);
    report
}

enum Ended {
    Made(Made),
    NotConnected(Reach),
    Failed(failure::Failure),
}

struct Made {
    connect: Duration,
    handshake: Duration,
    version: Option<ProtocolVersion>,
    cipher: String,
    group: String,
    alpn: Option<String>,
}

impl Made {
    fn of(connection: &ClientConnection, connect: Duration, handshake: Duration) -> Self {
        let debug = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
        Made {
            connect,
            handshake,
            version: connection.protocol_version(),
            cipher: debug(connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()))),
            group: debug(
                connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
            ),
            alpn: connection.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        }
    }

    fn tell(&self, report: &mut Report) {
        report.number("connect_us", self.connect.as_secs_f64() * 1e6);
        report.number("handshake_us", self.handshake.as_secs_f64() * 1e6);
        let version = match self.version {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "?",
        };
        report.word("tls_version", version);
        report.word("cipher", &self.cipher);
        report.word("key_exchange", &self.group);
        if let Some(alpn) = &self.alpn {
            report.word("alpn", alpn);
        }
    }
}

/// A secured connection, for what is spoken inside, this end's address, and the judgement of the certificates: faults
/// and details as those of [`check`], reach `Passes`. One connection, whatever `samples` says; no ALPN.
///
/// # Errors
/// How far it got.
pub async fn secure(probe: &Handshake) -> Result<(TlsStream<TcpStream>, SocketAddr, Report), Reach> {
    let begin = Instant::now();
    let end = begin + probe.deadline;
    let (asked, mut config, recorder) = prepared(probe)?;
    Arc::make_mut(&mut config).alpn_protocols.clear();
    let stream = tcp::connect(probe.address, probe.local, None, probe.deadline).await?;
    let _ = stream.set_nodelay(true);
    let here = stream
        .local_addr()
        .map_err(|error| Reach::Undecided(Text::new("probe-tls-own-error").arg("detail", error)))?;
    let connected = Instant::now();
    match timeout_at(end, TlsConnector::from(config).connect(asked, stream)).await {
        Err(_) => Err(Reach::Silent),
        Ok(Err(error)) => Err(Reach::Broken(Text::new("probe-error").arg("detail", error))),
        Ok(Ok(stream)) => {
            let mut report = Report::of(Reach::Passes);
            let made = Made::of(stream.get_ref().1, connected - begin, connected.elapsed());
            report.samples.add(Some(made.connect + made.handshake));
            made.tell(&mut report);
            recorder.tell(probe, &mut report);
            Ok((stream, here, report))
        }
    }
}

async fn shake(
    probe: &Handshake,
    name: ServerName<'static>,
    config: &Arc<ClientConfig>,
    end: Instant,
) -> Ended {
    let begin = Instant::now();
    let stream =
        match tcp::connect(probe.address, probe.local, None, end.saturating_duration_since(begin)).await {
            Ok(stream) => stream,
            Err(reach) => return Ended::NotConnected(reach),
        };
    // A flight in several writes waits 40 ms for a delayed acknowledgement otherwise; if it cannot be set, so it does.
    let _ = stream.set_nodelay(true);
    let connected = Instant::now();
    let tapped = Tapped::default();
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, Tap::new(stream, tapped.clone()));
    let result = timeout_at(end, connecting).await;
    let heard = Heard { bytes: tapped.bytes(), first: tapped.first(), waited: connected.elapsed() };
    match result {
        Err(_) => Ended::Failed(failure::Failure { error: None, heard, is_certificate_wanted: false }),
        Ok(Err(error)) => {
            Ended::Failed(failure::Failure { error: Some(error), heard, is_certificate_wanted: false })
        }
        Ok(Ok(stream)) => Ended::Made(Made::of(stream.get_ref().1, connected - begin, heard.waited)),
    }
}

fn client(
    provider: Arc<CryptoProvider>,
    recorder: Arc<Recorder>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(recorder);
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Keeps what the server showed, refuses nothing.
#[derive(Debug)]
struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    chain: OnceLock<Vec<CertificateDer<'static>>>,
    /// What is wrong with the server's signature over the handshake, its proof that it holds the certificate's key.
    proof: OnceLock<rustls::Error>,
    /// Set when the server asks for a certificate of ours; it may go on without one.
    is_certificate_wanted: OnceLock<()>,
}

impl Recorder {
    fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        let (proof, is_certificate_wanted) = (OnceLock::new(), OnceLock::new());
        Recorder { algorithms, chain: OnceLock::new(), proof, is_certificate_wanted }
    }

    /// Which keys the library cannot check is judged afterwards.
    fn note(&self, result: Result<HandshakeSignatureValid, rustls::Error>) -> HandshakeSignatureValid {
        result.unwrap_or_else(|error| {
            self.proof.get_or_init(|| error);
            HandshakeSignatureValid::assertion()
        })
    }

    /// Adds what is to be said of what the server showed.
    fn tell(&self, probe: &Handshake, report: &mut Report) {
        if let Some(chain) = self.chain.get() {
            judge::judge(probe, chain, self.proof.get(), report);
        }
        if self.is_certificate_wanted.get().is_some() {
            report.details.insert("client_certificate_wanted", Detail::Flag(true));
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.chain.get_or_init(|| {
            let shown = std::iter::once(end_entity).chain(intermediates);
            // Nobody needs more; the size of the message is bounded by the library, the work on it here.
            shown.take(judge::CHAIN_MAX).map(|certificate| certificate.clone().into_owned()).collect()
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.note(verify_tls12_signature(message, certificate, signed, &self.algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.note(verify_tls13_signature(message, certificate, signed, &self.algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_certificate_wanted.get_or_init(|| ());
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// The details of a certificate.
fn describe(own: &certificate::Certificate, now: i64, report: &mut Report) {
    report.word("subject", &own.subject);
    report.word("issuer", &own.issuer);
    report.details.insert("names", Detail::List(own.names.clone()));
    report.word("key", own.key.name());
    report.number("key_bits", f64::from(own.key_bits));
    report.word("signature", &own.signature);
    report.word("not_before", certificate::date(own.not_before));
    report.word("not_after", certificate::date(own.not_after));
    report.number("days_left", (own.not_after.saturating_sub(now)).div_euclid(86_400) as f64);
    report.word("pin_sha256", own.pin.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}
