mod offers;

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// 2026-11-25.
const NOW: i64 = 1_795_564_800;
const NAME: &str = "kasse.example";

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2036, 1, 1);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        Authority { params, key, der }
    }

    fn sign(
        &self,
        names: &[&str],
        years: [i32; 2],
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let own = own(names, years).signed_by(&key, &issuer).unwrap();
        (vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

fn own(names: &[&str], years: [i32; 2]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "server");
    params.not_before = date_time_ymd(years[0], 12, 10);
    params.not_after = date_time_ymd(years[1], 12, 10);
    params
}

type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

async fn server(shown: Shown, version: &'static SupportedProtocolVersion, alpn: &[&[u8]]) -> SocketAddr {
    serve(config(shown, version, alpn), [Duration::ZERO; 2]).await
}

fn config(shown: Shown, version: &'static SupportedProtocolVersion, alpn: &[&[u8]]) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(shown.0, shown.1)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|alpn| alpn.to_vec()).collect();
    config
}

/// Makes the first one wait, and the later ones.
async fn serve(config: ServerConfig, waits: [Duration; 2]) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let [mut wait, later] = waits;
        while let Ok((stream, _)) = listener.accept().await {
            let accepting = acceptor.accept(stream);
            let waiting = tokio::time::sleep(wait);
            wait = later;
            tokio::spawn(async move {
                waiting.await;
                if let Ok(mut stream) = accepting.await {
                    let _ = stream.read(&mut [0; 64]).await;
                }
            });
        }
    });
    address
}

fn probe(address: SocketAddr) -> Handshake {
    Handshake {
        address,
        name: NAME.into(),
        expect: Expect::Public,
        pins: Vec::new(),
        extra_roots: Vec::new(),
        system_roots: [].into(),
        now: NOW,
        samples: 1,
        deadline: Duration::from_secs(30),
        local: None,
    }
}

fn ids(report: &Report) -> Vec<(&'static str, &'static str, bool)> {
    report.faults.iter().map(|fault| (fault.id.name(), fault.text.id, fault.is_sure)).collect()
}

fn word<'a>(report: &'a Report, key: &str) -> &'a str {
    match report.details.get(key) {
        Some(Detail::Text(word)) => word,
        _ => "",
    }
}

#[tokio::test]
async fn a_healthy_server_passes_in_both_versions() {
    let authority = Authority::new("Vendor CA");
    for (version, name) in [(&rustls::version::TLS12, "1.2"), (&rustls::version::TLS13, "1.3")] {
        let address = server(authority.sign(&[NAME], [2024, 2027]), version, &[b"http/1.1"]).await;
        let mut asked = probe(address);
        asked.extra_roots = vec![authority.der.clone()];
        asked.samples = 3;
        let report = check(&asked).await;
        assert_eq!(report.reach, Reach::Passes);
        assert_eq!(ids(&report), []);
        assert_eq!((report.samples.sent, report.samples.times.len()), (3, 3));
        assert_eq!((word(&report, "tls_version"), word(&report, "trust")), (name, "extra"));
        assert_eq!((word(&report, "alpn"), word(&report, "key")), ("http/1.1", "EC"));
        assert_eq!((word(&report, "issuer"), word(&report, "not_after")), ("CN=Vendor CA", "2027-12-10"));
        assert_eq!(report.details.get("names"), Some(&Detail::List(vec![NAME.into()])));
        assert!(matches!(report.details.get("handshake_us"), Some(Detail::Number(us)) if *us > 0.0));
    }
}

#[tokio::test]
async fn interception_is_a_verdict() {
    let authority = Authority::new("Box CA");
    let address = server(authority.sign(&[NAME], [2024, 2027]), &rustls::version::TLS13, &[]).await;
    let mut asked = probe(address);
    asked.system_roots = [authority.der.clone()].into();
    let report = check(&asked).await;
    assert_eq!(report.reach, Reach::Passes);
    assert_eq!(ids(&report), [("tls-intercepted", "probe-tls-intercepted", true)]);
    assert!(report.faults[0].text.args.contains(&("issuer", tillgate_model::Arg::Str("Box CA".into()))));
    assert_eq!(word(&report, "trust"), "system");
    // A till that has the vendor's own authority in its store is as it should be.
    asked.expect = Expect::Private;
    assert_eq!(ids(&check(&asked).await), []);
}

#[tokio::test]
async fn pins_decide_before_authorities() {
    let authority = Authority::new("Vendor CA");
    let shown = authority.sign(&[NAME], [2024, 2027]);
    let pin = certificate::read(&shown.0[0]).unwrap().pin;
    let address = server(shown, &rustls::version::TLS13, &[]).await;
    let pinned = Handshake { pins: vec![[0; 32], pin], ..probe(address) };
    let report = check(&pinned).await;
    assert_eq!((ids(&report), word(&report, "trust")), (vec![], "pin"));
    let mut other =
        Handshake { pins: vec![[1; 32]], extra_roots: vec![authority.der.clone()], ..probe(address) };
    assert_eq!(ids(&check(&other).await), [("tls-intercepted", "probe-tls-other-key", false)]);
    other.expect = Expect::Private;
    assert_eq!(ids(&check(&other).await), [("tls-failed", "probe-tls-other-key", true)]);
}

#[tokio::test]
async fn a_pin_counts_on_the_way_to_the_servers_certificate_only() {
    let (vendor, other) = (Authority::new("Vendor CA"), Authority::new("Box CA"));
    let pin = certificate::read(&vendor.der).unwrap().pin;
    for (authority, trust) in [(&vendor, "pin"), (&other, "none")] {
        let mut shown = authority.sign(&[NAME], [2024, 2027]);
        // The vendor's certificate is public: whoever is in between can show it, too.
        shown.0.push(vendor.der.clone());
        let address = server(shown, &rustls::version::TLS13, &[]).await;
        for expect in [Expect::Public, Expect::Private] {
            let report = check(&Handshake { pins: vec![pin], expect, ..probe(address) }).await;
            assert_eq!((word(&report, "trust"), ids(&report).is_empty()), (trust, trust == "pin"));
        }
    }
}

/// Shows a certificate, and signs with some other key.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl rustls::server::ResolvesServerCert for Thief {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn showing_a_certificate_is_no_proof() {
    let authority = Authority::new("Vendor CA");
    let (chain, _) = authority.sign(&[NAME], [2024, 2027]);
    let cases = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "probe-tls-not-its-key"),
        (&rcgen::PKCS_ED25519, "probe-tls-proof-unfit"),
    ];
    for (kind, text) in cases {
        let key = PrivateKeyDer::try_from(KeyPair::generate_for(kind).unwrap().serialize_der()).unwrap();
        let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
        let thief = Thief(Arc::new(CertifiedKey::new(chain.clone(), key)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(thief));
        let address = serve(config, [Duration::ZERO; 2]).await;
        for expect in [Expect::Public, Expect::Any] {
            let asked = Handshake { extra_roots: vec![authority.der.clone()], expect, ..probe(address) };
            assert_eq!(ids(&check(&asked).await), [("tls-failed", text, true)]);
        }
    }
}

#[tokio::test]
async fn unknown_issuers_fail_unless_they_are_expected() {
    let cases =
        [("Device CA", &["tls-failed"][..]), ("Fortinet_CA_SSL", &["tls-failed", "tls-intercepted"][..])];
    for (name, expected) in cases {
        let address =
            server(Authority::new(name).sign(&[NAME], [2024, 2027]), &rustls::version::TLS13, &[]).await;
        let report = check(&probe(address)).await;
        let found: Vec<&str> = report.faults.iter().map(|fault| fault.id.name()).collect();
        assert_eq!(found, expected);
        assert_eq!(report.faults[0].text.id, "probe-tls-unknown-issuer-alone");
        for expect in [Expect::Private, Expect::Any] {
            assert_eq!(ids(&check(&Handshake { expect, ..probe(address) }).await), []);
        }
    }
    let key = KeyPair::generate().unwrap();
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut params = own(&[NAME], [2024, 2027]);
        params.is_ca = is_ca;
        let der = params.self_signed(&key).unwrap().der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let address = server((vec![der.clone()], private), &rustls::version::TLS12, &[]).await;
        assert_eq!(ids(&check(&probe(address)).await), [("tls-failed", "probe-tls-self-signed", true)]);
        // Put into the host's store as it is: this host would trust it.
        let known = Handshake { system_roots: [der].into(), ..probe(address) };
        assert_eq!(ids(&check(&known).await), [("tls-intercepted", "probe-tls-intercepted", true)]);
    }
}

#[tokio::test]
async fn dates_and_names_are_judged_apart_from_trust() {
    let authority = Authority::new("Vendor CA");
    let cases = [
        ([2024, 2025], NAME, "tls-failed", "probe-tls-expired"),
        ([2026, 2027], NAME, "tls-failed", "probe-tls-not-yet-valid"),
        ([2025, 2026], NAME, "certificate-expiring", "probe-tls-expiring"),
        ([2025, 2027], "zahlung.example", "tls-failed", "probe-tls-wrong-name"),
    ];
    for (years, name, id, text) in cases {
        let address = server(authority.sign(&[name], years), &rustls::version::TLS13, &[]).await;
        let asked = Handshake { extra_roots: vec![authority.der.clone()], ..probe(address) };
        let report = check(&asked).await;
        assert_eq!(report.reach, Reach::Passes);
        assert_eq!((ids(&report), word(&report, "trust")), (vec![(id, text, true)], "extra"));
    }
    // By address, without a name: nothing to compare; a name that is an address is compared.
    let address = server(authority.sign(&["127.0.0.1"], [2025, 2027]), &rustls::version::TLS13, &[]).await;
    for name in ["", "127.0.0.1"] {
        let asked =
            Handshake { extra_roots: vec![authority.der.clone()], name: name.into(), ..probe(address) };
        assert_eq!(ids(&check(&asked).await), []);
    }
    let asked = Handshake { name: "no name at all".into(), ..probe(address) };
    assert!(matches!(check(&asked).await.reach, Reach::Undecided(_)));
}

#[test]
fn an_authority_that_is_not_valid_is_told_apart() {
    let mut authority = Authority::new("Old CA");
    let root = Authority::new("Root");
    authority.params.not_after = date_time_ymd(2026, 1, 1);
    let above = Issuer::from_params(&root.params, &root.key);
    let middle = authority.params.signed_by(&authority.key, &above).unwrap().der().clone();
    let (mut chain, _) = authority.sign(&[NAME], [2024, 2027]);
    chain.push(middle);
    let mut report = Report::of(Reach::Passes);
    let mut asked = probe(SocketAddr::from(([127, 0, 0, 1], 1)));
    asked.extra_roots = vec![root.der.clone()];
    judge::judge(&asked, &chain, None, &mut report);
    assert_eq!(ids(&report), [("tls-failed", "probe-tls-issuer-not-valid", true)]);
    // A signature over the handshake that is not of the certificate's key.
    asked.expect = Expect::Any;
    let mut report = Report::of(Reach::Passes);
    let wrong = rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
    judge::judge(&asked, &chain, Some(&wrong), &mut report);
    assert_eq!(ids(&report), [("tls-failed", "probe-tls-not-its-key", true)]);
    // Of an RSA key this short the library cannot tell.
    let short = CertificateDer::from(include_bytes!("../certificate/rsa1024-sha1.der").to_vec());
    asked.now = NOW + 2 * 86_400;
    let mut report = Report::of(Reach::Passes);
    judge::judge(&asked, std::slice::from_ref(&short), Some(&wrong), &mut report);
    let weak = [("tls-weak", "probe-tls-weak-key", true), ("tls-weak", "probe-tls-weak-signature", true)];
    assert_eq!(ids(&report), weak);
    // Nor of a curve it does not know; a pin on a key that nobody proved to hold is not believed without a word.
    let curve = CertificateDer::from(include_bytes!("../certificate/p192.der").to_vec());
    asked.pins = vec![certificate::read(&curve).unwrap().pin];
    let mut report = Report::of(Reach::Passes);
    judge::judge(&asked, &[curve], Some(&wrong), &mut report);
    assert_eq!(ids(&report)[0], ("tls-failed", "probe-tls-proof-unfit", false));
    asked.pins.clear();
    let mut report = Report::of(Reach::Passes);
    judge::judge(&asked, &[CertificateDer::from(vec![1, 2, 3])], None, &mut report);
    assert_eq!(ids(&report), [("tls-failed", "probe-tls-certificate-unreadable", true)]);
}

#[tokio::test]
async fn a_service_that_speaks_no_http_is_asked_again() {
    let authority = Authority::new("Vendor CA");
    let address = server(authority.sign(&[NAME], [2024, 2027]), &rustls::version::TLS13, &[b"ntske/1"]).await;
    let report = check(&Handshake { extra_roots: vec![authority.der], ..probe(address) }).await;
    assert_eq!((report.reach.clone(), ids(&report)), (Reach::Passes, vec![]));
    assert_eq!(report.samples.sent, 1);
}

/// Reads the ClientHello, then sends these bytes again and again with this pause; no bytes: says nothing.
/// Without a pause it sends them once and closes.
async fn raw(bytes: &'static [u8], pause: Option<Duration>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                while stream.write_all(bytes).await.is_ok() {
                    let Some(pause) = pause else { return };
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    address
}

async fn broken(address: SocketAddr, seconds: u64) -> (&'static str, Report) {
    let report = check(&Handshake { deadline: Duration::from_secs(seconds), ..probe(address) }).await;
    let Reach::Broken(text) = &report.reach else { panic!("{:?}", report.reach) };
    assert_eq!(ids(&report), [("tls-failed", text.id, true)]);
    (text.id, report)
}

#[tokio::test]
async fn failures_are_told_by_their_kind() {
    let (id, report) = broken(raw(&[21, 3, 3, 0, 2, 2, 70], None).await, 30).await;
    assert_eq!((id, word(&report, "alert")), ("probe-tls-alert-mismatch", "protocol_version"));
    let (id, report) = broken(raw(&[21, 3, 3, 0, 2, 2, 112], None).await, 30).await;
    assert_eq!((id, word(&report, "alert")), ("probe-tls-alert-name", "unrecognized_name"));
    assert_eq!(broken(raw(&[21, 3, 3, 0, 2, 2, 80], None).await, 30).await.0, "probe-tls-alert");
    assert_eq!(broken(raw(b"HTTP/1.1 403 Forbidden\r\n\r\n", None).await, 30).await.0, "probe-tls-http");
    assert_eq!(broken(raw(b"220 mail.example ESMTP\r\n", None).await, 30).await.0, "probe-tls-not-tls");
    assert_eq!(broken(raw(&[22, 3, 3, 0, 4, 99, 0, 0, 0], None).await, 30).await.0, "probe-tls-misbehaved");
    assert_eq!(broken(raw(&[], None).await, 30).await.0, "probe-tls-closed");
    assert_eq!(broken(raw(&[22, 3], None).await, 30).await.0, "probe-tls-cut-off");
}

#[tokio::test]
async fn it_ends_in_time_whatever_the_other_end_does() {
    static GARBAGE: [u8; 4096] = [0xa5; 4096];
    static WARNINGS: [u8; 7] = [21, 3, 3, 0, 2, 1, 112];
    let begin = Instant::now();
    let second = Some(Duration::from_secs(1));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (id, report) = broken(silent.local_addr().unwrap(), 1).await;
    assert_eq!((id, report.samples.sent), ("probe-tls-silent", 1));
    assert_eq!(broken(raw(&[22], second).await, 2).await.0, "probe-tls-unfinished");
    assert_eq!(broken(raw(&GARBAGE, Some(Duration::ZERO)).await, 20).await.0, "probe-tls-not-tls");
    broken(raw(&WARNINGS, Some(Duration::ZERO)).await, 20).await;
    broken(raw(&[20, 3, 3, 0, 1, 1], Some(Duration::ZERO)).await, 20).await;
    assert!(begin.elapsed() < Duration::from_secs(60));
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let report = check(&probe(address)).await;
    assert_eq!((report.reach.clone(), ids(&report)), (Reach::Refused(None), vec![]));
}

#[tokio::test]
async fn the_whole_assessment_is_one_report() {
    let authority = Authority::new("Vendor CA");
    let address = server(authority.sign(&[NAME], [2024, 2027]), &rustls::version::TLS12, &[]).await;
    let report = assess(&Handshake { extra_roots: vec![authority.der], ..probe(address) }).await;
    assert_eq!((report.reach.clone(), ids(&report)), (Reach::Passes, vec![]));
    assert_eq!(report.details.get("versions"), Some(&Detail::List(vec!["TLS 1.2".into()])));
    assert_eq!(report.details.get("weak_suites"), Some(&Detail::List(Vec::new())));
}
