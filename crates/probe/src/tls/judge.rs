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

/// Adds what is to be said of the chain (the server's own certificate first).
pub(super) fn judge(
    probe: &Handshake,
    chain: &[CertificateDer<'static>],
    is_proof_bad: bool,
    report: &mut Report,
) {
    report.number("certificates", chain.len() as f64);
    let read: Vec<Certificate> = chain.iter().map_while(|der| certificate::read(der)).collect();
    let Some(own) = read.first() else {
        return report.fault(FindingId::TlsFailed, Text::new("probe-tls-certificate-unreadable"));
    };
    describe(own, probe.now, report);
    // The library calls every signature of an RSA key outside its sizes wrong: nothing is known of those.
    let is_checkable = own.key != KeyKind::Rsa || (2048..=8192).contains(&own.key_bits);
    if is_proof_bad && is_checkable {
        let text = Text::new("probe-tls-not-its-key").arg("subject", &own.subject);
        report.fault(FindingId::TlsFailed, text);
    }
    let trust = trusted_by(probe, chain, &read);
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
    if read.iter().any(|certificate| probe.pins.contains(&certificate.pin)) {
        return Trust::Pin;
    }
    let Some(own) = read.first() else { return Trust::None(Unknown::Issuer) };
    let at = within(own, probe.now);
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
