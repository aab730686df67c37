use super::*;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ED25519, date_time_ymd,
};

/// 2026-11-25.
const NOW: i64 = 1_795_564_800;

/// Made with `openssl req -x509 -newkey rsa:1024 -sha1 -subj "/C=DE/O=Laden/CN=alt.example"`.
const RSA_1024: &[u8] = include_bytes!("rsa1024-sha1.der");
/// Made with `openssl req -x509` over a key of `openssl ecparam -name prime192v1`.
const P_192: &[u8] = include_bytes!("p192.der");

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "kasse.example");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 6, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn signed(params: &CertificateParams) -> Vec<u8> {
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn ids(faults: &[Fault]) -> Vec<&'static str> {
    faults.iter().map(|fault| fault.text.id).collect()
}

#[test]
fn a_healthy_certificate_says_what_it_is() {
    let own =
        read(&signed(&params(&["Kasse.Example", "*.shop.example", "192.0.2.7", "2001:db8::7"]))).unwrap();
    assert_eq!(own.subject, "CN=kasse.example");
    assert_eq!(own.names, ["kasse.example", "*.shop.example", "192.0.2.7", "2001:db8::7"]);
    assert_eq!((own.key, own.key_bits, own.signature.as_str()), (KeyKind::Ec, 256, "ecdsaWithSHA256"));
    assert_eq!((date(own.not_before).as_str(), date(own.not_after).as_str()), ("2026-01-01", "2027-06-01"));
    assert!(own.is_self_issued && !own.is_ca && !own.is_logged);
    assert!(judge(std::slice::from_ref(&own), "kasse.example", NOW).is_empty());
    assert!(own.is_valid_at(NOW) && !own.is_valid_at(NOW + 400 * DAY));
}

#[test]
fn names_match_by_whole_labels() {
    let own =
        read(&signed(&params(&["kasse.example", "*.shop.example", "192.0.2.7", "2001:db8::7"]))).unwrap();
    for name in ["kasse.example", "KASSE.example.", "a.shop.example", "192.0.2.7", "2001:db8:0::7"] {
        assert!(own.covers(name), "{name}");
    }
    for name in
        ["shop.example", ".shop.example", "a.b.shop.example", "kasse.example.org", "192.0.2.8", "*", ""]
    {
        assert!(!own.covers(name), "{name}");
    }
}

#[test]
fn names_and_dates_are_faults() {
    let own = [read(&signed(&params(&["kasse.example"]))).unwrap()];
    let mut faults = judge(&own, "zahlung.example", NOW);
    assert_eq!(ids(&faults), ["probe-tls-wrong-name"]);
    assert_eq!(faults[0].id, FindingId::TlsFailed);
    faults = judge(&own, "kasse.example", own[0].not_after + 3 * DAY + 5);
    assert_eq!(ids(&faults), ["probe-tls-expired"]);
    assert!(faults[0].text.args.contains(&("days", tillgate_model::Arg::Num(3))));
    assert!(faults[0].text.args.contains(&("date", tillgate_model::Arg::Str("2027-06-01".into()))));
    faults = judge(&own, "kasse.example", own[0].not_before - 1);
    assert_eq!((ids(&faults), faults[0].id), (vec!["probe-tls-not-yet-valid"], FindingId::TlsFailed));
    faults = judge(&own, "kasse.example", own[0].not_after - 29 * DAY);
    assert_eq!((ids(&faults), faults[0].id), (vec!["probe-tls-expiring"], FindingId::CertificateExpiring));
    assert!(judge(&own, "", own[0].not_after - 31 * DAY).is_empty());
    assert!(judge(&[], "kasse.example", NOW).is_empty());
    // Six days, as some authorities issue them by now: two days before the end it should have been renewed.
    let mut short = own[0].clone();
    short.not_after = short.not_before + 6 * DAY;
    let short = [short];
    assert!(judge(&short, "", short[0].not_before).is_empty());
    assert!(judge(&short, "", short[0].not_after - 2 * DAY).is_empty());
    assert_eq!(ids(&judge(&short, "", short[0].not_after - 2 * DAY + 1)), ["probe-tls-expiring"]);
}

#[test]
fn weak_keys_and_signatures_are_told() {
    let rsa = read(RSA_1024).unwrap();
    assert_eq!((rsa.key, rsa.key_bits, rsa.signature.as_str()), (KeyKind::Rsa, 1024, "sha1WithRSA"));
    assert_eq!((rsa.issuer_name.as_str(), rsa.names_text().as_str()), ("alt.example", "alt.example"));
    let faults = judge(std::slice::from_ref(&rsa), "alt.example", rsa.not_before + DAY);
    assert_eq!(ids(&faults), ["probe-tls-weak-key", "probe-tls-weak-signature"]);
    assert!(faults.iter().all(|fault| fault.id == FindingId::TlsWeak));
    let curve = read(P_192).unwrap();
    assert_eq!((curve.key, curve.key_bits), (KeyKind::Ec, 192));
    assert_eq!(ids(&judge(std::slice::from_ref(&curve), "", curve.not_before + DAY)), ["probe-tls-weak-key"]);
    // A root above: its key counts, its signature does not.
    let own = read(&signed(&params(&["kasse.example"]))).unwrap();
    assert_eq!(ids(&judge(&[own, rsa], "kasse.example", NOW)), ["probe-tls-weak-key"]);
}

#[test]
fn other_keys_are_named() {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name.push(DnType::OrganizationName, "Stelle");
    let issuer = Issuer::from_params(&ca, &ca_key);
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let own = read(params(&["kasse.example"]).signed_by(&key, &issuer).unwrap().der()).unwrap();
    assert_eq!((own.key, own.is_self_issued), (KeyKind::Ed, false));
    assert!(own.issuer.contains("O=Stelle"));
}

#[test]
fn no_bytes_make_it_fail_otherwise_than_by_none() {
    let good = [signed(&params(&["kasse.example", "192.0.2.7"])), RSA_1024.to_vec(), P_192.to_vec()];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for round in 0..20_000 {
        let mut bytes = match round % 4 {
            0 => (0..next() % 300).map(|_| next() as u8).collect(),
            kind => good[kind - 1].clone(),
        };
        for _ in 0..next() % 6 {
            if !bytes.is_empty() {
                let at = next() % bytes.len();
                bytes[at] = next() as u8;
            }
        }
        if next() % 3 == 0 {
            bytes.truncate(next() % (bytes.len() + 1));
        }
        if let Some(read) = read(&bytes) {
            judge(std::slice::from_ref(&read), "kasse.example", NOW);
            read.covers("192.0.2.7");
        }
    }
}
