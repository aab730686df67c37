//! What a certificate says, and whether that fits a name and a time. Pure: who signed it is judged elsewhere.

use crate::outcome::Fault;
use std::net::IpAddr;
use tillgate_model::{FindingId, Text};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Days before its end from which on a certificate counts as ending soon; a third of its lifetime if that is less,
/// because authorities of today issue some for days only, and clients renew those in their last third.
pub const SOON_DAYS: i64 = 30;
const DAY: i64 = 86_400;

/// Kinds of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA (also for PSS only).
    Rsa,
    /// An elliptic curve in Weierstrass form.
    Ec,
    /// Ed25519 or Ed448.
    Ed,
    /// DSA, which no TLS client of today takes.
    Dsa,
    /// Something else.
    Other,
}

impl KeyKind {
    /// The word shown and used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Rsa => "RSA",
            KeyKind::Ec => "EC",
            KeyKind::Ed => "EdDSA",
            KeyKind::Dsa => "DSA",
            KeyKind::Other => "other",
        }
    }
}

/// What a certificate says of itself; nothing of it is proved here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is (RFC 4514 form).
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The name a person would call the issuer: its common name, else its organisation, else all of it.
    pub issuer_name: String,
    /// DNS names and addresses it stands for, in lower case (subject alternative names only, as clients read it).
    pub names: Vec<String>,
    /// Kind of its key.
    pub key: KeyKind,
    /// Size of its key: of the modulus, or of the curve; 0 if unknown.
    pub key_bits: u32,
    /// How it is signed, such as `sha256WithRSA`; the bare object identifier if unknown.
    pub signature: String,
    /// Whether it is signed over MD5 or SHA-1.
    pub is_signature_weak: bool,
    /// First second of its validity, in unix time.
    pub not_before: i64,
    /// Last second of its validity, in unix time.
    pub not_after: i64,
    /// Whether it names itself as its issuer.
    pub is_self_issued: bool,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// Whether it carries receipts of public logs (RFC 6962 section 3.3): only public authorities get those.
    pub is_logged: bool,
    /// SHA-256 of its SubjectPublicKeyInfo: what a pin names.
    pub pin: [u8; 32],
}

/// Reads a certificate in DER; `None` if it is none.
pub fn read(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let (key, key_bits) = key_of(&parsed);
    let (signature, is_signature_weak) = signature_of(&parsed);
    let mut pin = [0; 32];
    pin.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, parsed.public_key().raw).as_ref());
    let issuer = parsed.issuer();
    let plain = |value: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
        value.and_then(|value| value.as_str().ok()).map(str::to_owned)
    };
    let issuer_name = plain(issuer.iter_common_name().next())
        .or_else(|| plain(issuer.iter_organization().next()))
        .unwrap_or_else(|| issuer.to_string());
    Some(Certificate {
        subject: parsed.subject().to_string(),
        issuer: issuer.to_string(),
        issuer_name,
        names: names_of(&parsed),
        key,
        key_bits,
        signature,
        is_signature_weak,
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        is_self_issued: issuer.as_raw() == parsed.subject().as_raw(),
        is_ca: parsed.is_ca(),
        is_logged: parsed
            .extensions()
            .iter()
            .any(|extension| matches!(extension.parsed_extension(), ParsedExtension::SCT(_))),
        pin,
    })
}

impl Certificate {
    /// Whether it stands for this name or address (RFC 9525: a star is one whole label, the leftmost).
    pub fn covers(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Ok(address) = name.parse::<IpAddr>() {
            return self.names.iter().any(|own| own.parse() == Ok(address));
        }
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(rest) => name.split_once('.').is_some_and(|(first, tail)| !first.is_empty() && tail == rest),
            None => *own == name,
        })
    }

    /// Whether it is valid at this unix time.
    pub fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Seconds before its end from which on it counts as ending soon.
    fn soon(&self) -> i64 {
        (SOON_DAYS * DAY).min(self.not_after.saturating_sub(self.not_before) / 3)
    }

    /// Whether its key is too short: RSA below 2048 bits, curves below 224 (NIST SP 800-131A), DSA of any size.
    pub fn is_key_weak(&self) -> bool {
        match self.key {
            KeyKind::Rsa => (1..2048).contains(&self.key_bits),
            KeyKind::Ec => (1..224).contains(&self.key_bits),
            KeyKind::Dsa => true,
            KeyKind::Ed | KeyKind::Other => false,
        }
    }

    /// The names it stands for, as one text for people: at most five.
    pub fn names_text(&self) -> String {
        let shown: Vec<&str> = self.names.iter().take(5).map(String::as_str).collect();
        match self.names.len() {
            0 => "–".to_owned(),
            count if count > shown.len() => format!("{}, …", shown.join(", ")),
            _ => shown.join(", "),
        }
    }
}

/// What is wrong with a chain (the server's own certificate first) for this name at this unix time, trust apart.
///
/// An empty name is not judged. Of the certificates above the first one, only keys and signatures count, and not
/// those of a root: nobody checks its signature.
pub fn judge(chain: &[Certificate], name: &str, now: i64) -> Vec<Fault> {
    let Some(own) = chain.first() else { return Vec::new() };
    let mut faults = Vec::new();
    let mut add = |id, text| faults.push(Fault { id, text, is_sure: true });
    let dated = |id: &'static str, at: i64, days: i64| {
        Text::new(id)
            .arg("name", name_for(own, name))
            .arg("date", date(at))
            .num("days", usize::try_from(days).unwrap_or(0))
    };
    if now < own.not_before {
        let days = (own.not_before - now).div_euclid(DAY);
        add(FindingId::TlsFailed, dated("probe-tls-not-yet-valid", own.not_before, days));
    } else if now > own.not_after {
        add(
            FindingId::TlsFailed,
            dated("probe-tls-expired", own.not_after, (now - own.not_after).div_euclid(DAY)),
        );
    } else if own.not_after - now < own.soon() {
        let days = (own.not_after - now).div_euclid(DAY);
        add(FindingId::CertificateExpiring, dated("probe-tls-expiring", own.not_after, days));
    }
    if !name.is_empty() && !own.covers(name) {
        let text = Text::new("probe-tls-wrong-name").arg("name", name).arg("names", own.names_text());
        add(FindingId::TlsFailed, text.arg("subject", &own.subject));
    }
    for (place, certificate) in chain.iter().enumerate() {
        if certificate.is_key_weak() {
            let text = Text::new("probe-tls-weak-key").arg("subject", &certificate.subject);
            let bits = usize::try_from(certificate.key_bits).unwrap_or(0);
            add(FindingId::TlsWeak, text.arg("kind", certificate.key.name()).num("bits", bits));
        }
        if certificate.is_signature_weak && (place == 0 || !certificate.is_self_issued) {
            let text = Text::new("probe-tls-weak-signature").arg("subject", &certificate.subject);
            add(FindingId::TlsWeak, text.arg("algorithm", &certificate.signature));
        }
    }
    faults
}

/// A unix time as a date in UTC (`2026-11-25`).
pub fn date(time: i64) -> String {
    match jiff::Timestamp::from_second(time) {
        Ok(time) => jiff::tz::TimeZone::UTC.to_datetime(time).date().to_string(),
        Err(_) => time.to_string(),
    }
}

fn name_for(own: &Certificate, name: &str) -> String {
    if name.is_empty() { own.subject.clone() } else { name.to_owned() }
}

fn names_of(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else { return Vec::new() };
    let names = alternatives.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        _ => None,
    });
    names.collect()
}

fn key_of(parsed: &X509Certificate<'_>) -> (KeyKind, u32) {
    let info = parsed.public_key();
    match info.algorithm.algorithm.to_id_string().as_str() {
        "1.3.101.112" => return (KeyKind::Ed, 256),
        "1.3.101.113" => return (KeyKind::Ed, 456),
        _ => {}
    }
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => (KeyKind::Rsa, bits(key.modulus)),
        Ok(PublicKey::DSA(prime)) => (KeyKind::Dsa, bits(prime)),
        Ok(PublicKey::EC(point)) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let known = curve.map(|oid| oid.to_id_string()).and_then(|oid| match oid.as_str() {
                "1.2.840.10045.3.1.1" => Some(192),
                "1.3.132.0.33" => Some(224),
                "1.2.840.10045.3.1.7" | "1.3.132.0.10" | "1.3.36.3.3.2.8.1.1.7" => Some(256),
                "1.3.132.0.34" | "1.3.36.3.3.2.8.1.1.11" => Some(384),
                "1.3.132.0.35" => Some(521),
                _ => None,
            });
            // An uncompressed point is one byte and two coordinates (SEC 1 section 2.3.3).
            let size = match point.data() {
                [4, coordinates @ ..] => coordinates.len() / 2 * 8,
                data => data.len().saturating_sub(1) * 8,
            };
            (KeyKind::Ec, known.unwrap_or(u32::try_from(size).unwrap_or(0)))
        }
        _ => (KeyKind::Other, 0),
    }
}

/// Bits of a number in big-endian bytes.
fn bits(number: &[u8]) -> u32 {
    let Some(start) = number.iter().position(|byte| *byte != 0) else { return 0 };
    let rest = number.get(start..).unwrap_or_default();
    let lead = rest.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(rest.len() * 8).unwrap_or(u32::MAX).saturating_sub(lead)
}

fn signature_of(parsed: &X509Certificate<'_>) -> (String, bool) {
    let algorithm = &parsed.signature_algorithm;
    let oid = algorithm.algorithm.to_id_string();
    let (name, is_weak) = match oid.as_str() {
        "1.2.840.113549.1.1.2" => ("md2WithRSA", true),
        "1.2.840.113549.1.1.4" | "1.3.14.3.2.25" => ("md5WithRSA", true),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => ("sha1WithRSA", true),
        "1.2.840.10040.4.3" => ("dsaWithSHA1", true),
        "1.2.840.10045.4.1" => ("ecdsaWithSHA1", true),
        "1.2.840.113549.1.1.11" => ("sha256WithRSA", false),
        "1.2.840.113549.1.1.12" => ("sha384WithRSA", false),
        "1.2.840.113549.1.1.13" => ("sha512WithRSA", false),
        "1.2.840.10045.4.3.2" => ("ecdsaWithSHA256", false),
        "1.2.840.10045.4.3.3" => ("ecdsaWithSHA384", false),
        "1.2.840.10045.4.3.4" => ("ecdsaWithSHA512", false),
        "1.3.101.112" => ("ed25519", false),
        "1.3.101.113" => ("ed448", false),
        // Without parameters PSS means SHA-1 (RFC 4055 section 3.1).
        "1.2.840.113549.1.1.10" => match SignatureAlgorithm::try_from(algorithm) {
            Ok(SignatureAlgorithm::RSASSA_PSS(pss))
                if pss.hash_algorithm_oid().to_id_string() == "1.3.14.3.2.26" =>
            {
                ("sha1WithRSAPSS", true)
            }
            _ => ("rsaPSS", false),
        },
        _ => return (oid, false),
    };
    (name.to_owned(), is_weak)
}

#[cfg(test)]
mod tests;
