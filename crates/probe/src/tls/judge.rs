//! What a client would make of a chain, and who else must be in between. Pure.

use super::{Expect, Handshake, describe};
use crate::certificate::{self, Certificate, KeyKind};
use crate::outcome::{Fault, Report};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use std::time::Duration;
use tillgate_model::{FindingId, Text};

/// Certificates of a chain that are looked at.
pub(super) const CHAIN_MAX: usize = 10;

/// Words in the names of authorities that firewalls, proxies and virus scanners make for themselves, as their
/// manuals and default configurations show them. A hint only: anybody may choose any name.
const INSPECTORS: &[&str] = &[
    "fortinet",
    "fortigate",
    "sophos",
    "palo alto",
    "zscaler",
    "check point",
    "checkpoint",
    "watchguard",
    "sonicwall",
    "barracuda",
    "blue coat",
    "netskope",
    "cisco umbrella",
    "untangle",
    "smoothwall",
    "securly",
    "lightspeed",
    "mitmproxy",
    "squid",
    "opnsense",
    "pfsense",
    "kaspersky",
    "eset ssl",
    "bitdefender",
    "avast",
    "avg web",
    "charles proxy",
    "fiddler",
    "burp",
];

/// Adds what is to be said of the chain (the server's own certificate first), and of the error in its proof that it
/// holds that certificate's key.
pub(super) fn judge(
    probe: &Handshake,
    chain: &[CertificateDer<'static>],
    proof: Option<&Error>,
    report: &mut Report,
) {
    report.number("certificates", chain.len() as f64);
    let read: Vec<Certificate> = chain.iter().map_while(|der| certificate::read(der)).collect();
    let Some(own) = read.first() else {
        return report.fault(FindingId::TlsFailed, Text::new("probe-tls-certificate-unreadable"));
    };
    describe(own, probe.now, report);
    let trust = trusted_by(probe, chain, &read);
    report.faults.extend(proof.and_then(|error| proof_fault(error, chain, own, &trust)));
    report.word("trust", trust.name());
    report.faults.extend(trust_fault(probe, &read, own, &trust));
    let name = if probe.expect == Expect::Any { "" } else { probe.name.as_str() };
    let mut faults = certificate::judge(&read, name, probe.now);
    if probe.expect == Expect::Private {
        // Devices are often reached by an address that their certificate does not know; the till may accept that.
        faults
            .iter_mut()
            .filter(|fault| fault.text.id == "probe-tls-wrong-name")
            .for_each(|f| f.is_sure = false);
    }
    report.faults.extend(faults);
}

/// What an error in the proof of the key says: anybody can show a certificate, and choose a scheme that does not fit.
fn proof_fault(
    error: &Error,
    chain: &[CertificateDer<'static>],
    own: &Certificate,
    trust: &Trust,
) -> Option<Fault> {
    let is_wrong = matches!(error, Error::InvalidCertificate(CertificateError::BadSignature));
    let is_sure = chain.first().is_some_and(|der| is_checkable(der, own));
    let text = match is_wrong && is_sure {
        true => Text::new("probe-tls-not-its-key"),
        false => Text::new("probe-tls-proof-unfit").arg("detail", error),
    };
    // Of a key that the library cannot check nothing is known; a pin is worth nothing without that.
    let is_told = is_sure || matches!(trust, Trust::Pin);
    is_told.then(|| Fault { id: FindingId::TlsFailed, text: text.arg("subject", &own.subject), is_sure })
}

/// Whether the library can check what the key of a certificate has signed.
fn is_checkable(der: &CertificateDer<'static>, own: &Certificate) -> bool {
    // It calls every signature of an RSA key outside its sizes wrong.
    if own.key == KeyKind::Rsa && !(2048..=8192).contains(&own.key_bits) {
        return false;
    }
    let Ok(parsed) = ParsedCertificate::try_from(der) else { return false };
    let info = parsed.subject_public_key_info();
    // SubjectPublicKeyInfo is a sequence of the algorithm, itself a sequence, and the key (RFC 5280 section 4.1).
    let inner = match info.as_ref() {
        [0x30, length, inner @ ..] if *length < 0x80 => inner,
        [0x30, length, rest @ ..] => rest.get(usize::from(length & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    default_provider().signature_verification_algorithms.all.iter().any(|algorithm| {
        let id = algorithm.public_key_alg_id();
        let rest = inner.strip_prefix(&[0x30]).unwrap_or_default();
        rest.first().is_some_and(|length| usize::from(*length) == id.len())
            && rest.get(1..).unwrap_or_default().starts_with(&id)
    })
}

/// Whose word stands for a chain.
enum Trust {
    Pin,
    Public,
    Extra,
    System,
    None(Unknown),
}

/// Why nobody's word does.
enum Unknown {
    /// No authority known here signed it.
    Issuer,
    /// A certificate above the server's own is not valid now.
    Dates,
    /// The library would not follow it: a wrong signature, an old algorithm, a wrong purpose.
    Unfit(String),
}

impl Trust {
    fn name(&self) -> &'static str {
        match self {
            Trust::Pin => "pin",
            Trust::Public => "public",
            Trust::Extra => "extra",
            Trust::System => "system",
            Trust::None(_) => "none",
        }
    }
}

fn trusted_by(probe: &Handshake, chain: &[CertificateDer<'static>], read: &[Certificate]) -> Trust {
    let Some(own) = read.first() else { return Trust::None(Unknown::Issuer) };
    let at = within(own, probe.now);
    if probe.pins.contains(&own.pin) {
        return Trust::Pin;
    }
    // Anybody can show a certificate of somebody else's: it counts where it, or one that it signed, signed the first.
    let pinned = chain.iter().zip(read).skip(1).filter(|(_, read)| probe.pins.contains(&read.pin));
    let anchors: Vec<CertificateDer<'static>> = pinned.map(|(der, _)| der.clone()).collect();
    if is_known(chain, &anchors, at) {
        return Trust::Pin;
    }
    let public = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Err(unknown) = leads_to(chain, &public, at) else { return Trust::Public };
    if is_known(chain, &probe.extra_roots, at) {
        return Trust::Extra;
    }
    // Parsed only here: a hundred and fifty roots cost more than the handshake.
    if is_known(chain, &probe.system_roots, at) {
        return Trust::System;
    }
    Trust::None(unknown)
}

fn trust_fault(probe: &Handshake, read: &[Certificate], own: &Certificate, trust: &Trust) -> Vec<Fault> {
    // The last one shown knows who stands above it all.
    let top = read.last().unwrap_or(own);
    let fault = |id, text: Text, is_sure| {
        let text = text.arg("issuer", &own.issuer_name).arg("authority", &top.issuer_name);
        vec![Fault { id, text, is_sure }]
    };
    let named =
        |id| Text::new(id).arg("name", if probe.name.is_empty() { &own.subject } else { &probe.name });
    let has_other_key = !probe.pins.is_empty();
    match (probe.expect, trust) {
        (_, Trust::Pin) | (Expect::Any, _) => Vec::new(),
        (Expect::Private, _) if has_other_key => {
            fault(FindingId::TlsFailed, named("probe-tls-other-key"), true)
        }
        (Expect::Private, _) => Vec::new(),
        // A public authority signed it: the vendor may have changed its key without telling.
        (Expect::Public, Trust::Public | Trust::Extra) if has_other_key => {
            fault(FindingId::TlsIntercepted, named("probe-tls-other-key"), false)
        }
        (Expect::Public, Trust::Public | Trust::Extra) => Vec::new(),
        // Receipts of public logs speak for a public authority that our list of roots lacks.
        (Expect::Public, Trust::System) => {
            fault(FindingId::TlsIntercepted, named("probe-tls-intercepted"), !own.is_logged)
        }
        (Expect::Public, Trust::None(unknown)) => {
            let text = match unknown {
                Unknown::Dates => named("probe-tls-issuer-not-valid"),
                _ if own.is_self_issued => named("probe-tls-self-signed"),
                Unknown::Unfit(detail) => named("probe-tls-chain-unfit").arg("detail", detail),
                Unknown::Issuer if read.len() == 1 => named("probe-tls-unknown-issuer-alone"),
                Unknown::Issuer => named("probe-tls-unknown-issuer"),
            };
            let mut faults = fault(FindingId::TlsFailed, text, true);
            if read.iter().any(|certificate| is_inspector(&certificate.issuer)) {
                faults.extend(fault(FindingId::TlsIntercepted, named("probe-tls-inspector"), false));
            }
            faults
        }
    }
}

fn is_inspector(issuer: &str) -> bool {
    let issuer = issuer.to_lowercase();
    INSPECTORS.iter().any(|word| issuer.contains(word))
}

/// The time nearest to now at which the server's own certificate is valid: its dates are judged apart.
fn within(own: &Certificate, now: i64) -> i64 {
    now.min(own.not_after).max(own.not_before)
}

/// Whether one of these roots stands for the chain, or is itself what the server shows.
fn is_known(chain: &[CertificateDer<'static>], roots: &[CertificateDer<'static>], at: i64) -> bool {
    if roots.is_empty() {
        return false;
    }
    if chain.first().is_some_and(|own| roots.contains(own)) {
        return true;
    }
    let mut store = RootCertStore::empty();
    // A root that cannot be read stands for nothing; stores of hosts hold a few of those.
    store.add_parsable_certificates(roots.iter().map(|root| CertificateDer::from_slice(root)));
    leads_to(chain, &store, at).is_ok()
}

fn leads_to(chain: &[CertificateDer<'static>], roots: &RootCertStore, at: i64) -> Result<(), Unknown> {
    let Some((own, above)) = chain.split_first() else { return Err(Unknown::Issuer) };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
    let algorithms = default_provider().signature_verification_algorithms.all;
    let verified = ParsedCertificate::try_from(own)
        .and_then(|own| verify_server_cert_signed_by_trust_anchor(&own, roots, above, at, algorithms));
    verified.map_err(|error| match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Unknown::Issuer,
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Unknown::Dates,
        // A self-signed certificate made with a tool's defaults may sign others, which this library tells first.
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            Unknown::Issuer
        }
        other => Unknown::Unfit(other.to_string()),
    })
}
