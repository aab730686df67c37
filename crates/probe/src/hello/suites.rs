//! Cipher suites by their weakness (IANA registry of TLS cipher suites, and RFC 6101 and drafts for the oldest).

/// Weak suites of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// No encryption at all.
    Null,
    /// Keys of 40 or 56 bits: export suites and single DES.
    Export,
    /// No proof of who the server is.
    Anonymous,
    /// The stream cipher RC4 (prohibited by RFC 7465).
    Rc4,
    /// Triple DES: blocks of 64 bits (CVE-2016-2183).
    TripleDes,
    /// Keys sent under the server's RSA key: whoever gets that key later reads everything recorded.
    StaticRsa,
}

impl Group {
    /// Every group, worst first.
    pub const ALL: [Group; 6] =
        [Group::Null, Group::Export, Group::Anonymous, Group::Rc4, Group::TripleDes, Group::StaticRsa];

    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Group::Null => "null",
            Group::Export => "export",
            Group::Anonymous => "anonymous",
            Group::Rc4 => "rc4",
            Group::TripleDes => "3des",
            Group::StaticRsa => "static-rsa",
        }
    }

    /// What the field calls it.
    pub fn label(self) -> &'static str {
        match self {
            Group::Null => "NULL",
            Group::Export => "EXPORT/DES",
            Group::Anonymous => "anon",
            Group::Rc4 => "RC4",
            Group::TripleDes => "3DES",
            Group::StaticRsa => "RSA",
        }
    }

    /// Its suites, by number and name.
    pub fn suites(self) -> &'static [(u16, &'static str)] {
        match self {
            Group::Null => NULL,
            Group::Export => EXPORT,
            Group::Anonymous => ANONYMOUS,
            Group::Rc4 => RC4,
            Group::TripleDes => TRIPLE_DES,
            Group::StaticRsa => STATIC_RSA,
        }
    }
}

/// The registered name without its prefix, or the number of a suite that is neither weak nor declining.
pub fn suite_name(suite: u16) -> String {
    let weak = Group::ALL.into_iter().flat_map(Group::suites);
    let known = weak.chain(DECLINING).find(|known| known.0 == suite);
    known.map_or_else(|| format!("0x{suite:04x}"), |known| known.1.to_owned())
}

/// Whether a suite exists only from TLS 1.2 on (RFC 5246 appendix A.5, RFC 5288, RFC 5289).
pub(super) fn is_of_1_2(suite: u16) -> bool {
    matches!(suite, 0x003b..=0x003d | 0x0040 | 0x0067..=0x006d | 0x009c..=0x00a7 | 0xc023..=0xc032 | 0xc09c..=0xc0af | 0xcca8..)
}

/// Whether a suite of TLS 1.2 is one that libraries of today begin to leave out.
pub(super) fn is_declining(suite: u16) -> bool {
    DECLINING.iter().any(|known| known.0 == suite)
}

/// Forward secrecy, and yet CBC or Diffie-Hellman over finite fields: sound where done well (RFC 9325 sections 4.1 and
/// 4.2), and not in every library.
const DECLINING: &[(u16, &str)] = &[
    (0x0033, "DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0039, "DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x0067, "DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x006b, "DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x009e, "DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xc009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc013, "ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc023, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc024, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xccaa, "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];

/// TLS 1.3, and TLS 1.2 with forward secrecy.
pub(super) const MODERN: &[u16] = &[
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xccaa, 0xc023,
    0xc027, 0xc024, 0xc028, 0xc009, 0xc013, 0xc00a, 0xc014, 0x0067, 0x006b, 0x0033, 0x0039,
];

/// What servers before TLS 1.2 choose, the weak groups apart: ECDHE and DHE with AES and Camellia in CBC mode.
pub(super) const OLD: &[u16] = &[
    0xc014, 0xc00a, 0xc013, 0xc009, 0x0039, 0x0038, 0x0033, 0x0032, 0x0088, 0x0087, 0x0045, 0x0044, 0xc00f,
    0xc005, 0xc00e, 0xc004, 0x0007, 0x0096, 0x009a,
];

const NULL: &[(u16, &str)] = &[
    (0x0001, "RSA_WITH_NULL_MD5"),
    (0x0002, "RSA_WITH_NULL_SHA"),
    (0x003b, "RSA_WITH_NULL_SHA256"),
    (0xc001, "ECDH_ECDSA_WITH_NULL_SHA"),
    (0xc006, "ECDHE_ECDSA_WITH_NULL_SHA"),
    (0xc00b, "ECDH_RSA_WITH_NULL_SHA"),
    (0xc010, "ECDHE_RSA_WITH_NULL_SHA"),
];

const EXPORT: &[(u16, &str)] = &[
    (0x0003, "RSA_EXPORT_WITH_RC4_40_MD5"),
    (0x0006, "RSA_EXPORT_WITH_RC2_CBC_40_MD5"),
    (0x0008, "RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0011, "DHE_DSS_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0014, "DHE_RSA_EXPORT_WITH_DES40_CBC_SHA"),
    (0x0062, "RSA_EXPORT1024_WITH_DES_CBC_SHA"),
    (0x0064, "RSA_EXPORT1024_WITH_RC4_56_SHA"),
    (0x0009, "RSA_WITH_DES_CBC_SHA"),
    (0x0012, "DHE_DSS_WITH_DES_CBC_SHA"),
    (0x0015, "DHE_RSA_WITH_DES_CBC_SHA"),
];

const ANONYMOUS: &[(u16, &str)] = &[
    (0x0017, "DH_anon_EXPORT_WITH_RC4_40_MD5"),
    (0x0018, "DH_anon_WITH_RC4_128_MD5"),
    (0x0019, "DH_anon_EXPORT_WITH_DES40_CBC_SHA"),
    (0x001a, "DH_anon_WITH_DES_CBC_SHA"),
    (0x001b, "DH_anon_WITH_3DES_EDE_CBC_SHA"),
    (0x0034, "DH_anon_WITH_AES_128_CBC_SHA"),
    (0x003a, "DH_anon_WITH_AES_256_CBC_SHA"),
    (0x0046, "DH_anon_WITH_CAMELLIA_128_CBC_SHA"),
    (0x0089, "DH_anon_WITH_CAMELLIA_256_CBC_SHA"),
    (0x006c, "DH_anon_WITH_AES_128_CBC_SHA256"),
    (0x006d, "DH_anon_WITH_AES_256_CBC_SHA256"),
    (0x00a6, "DH_anon_WITH_AES_128_GCM_SHA256"),
    (0x00a7, "DH_anon_WITH_AES_256_GCM_SHA384"),
    (0xc015, "ECDH_anon_WITH_NULL_SHA"),
    (0xc016, "ECDH_anon_WITH_RC4_128_SHA"),
    (0xc017, "ECDH_anon_WITH_3DES_EDE_CBC_SHA"),
    (0xc018, "ECDH_anon_WITH_AES_128_CBC_SHA"),
    (0xc019, "ECDH_anon_WITH_AES_256_CBC_SHA"),
];

const RC4: &[(u16, &str)] = &[
    (0x0004, "RSA_WITH_RC4_128_MD5"),
    (0x0005, "RSA_WITH_RC4_128_SHA"),
    (0xc002, "ECDH_ECDSA_WITH_RC4_128_SHA"),
    (0xc007, "ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xc00c, "ECDH_RSA_WITH_RC4_128_SHA"),
    (0xc011, "ECDHE_RSA_WITH_RC4_128_SHA"),
];

const TRIPLE_DES: &[(u16, &str)] = &[
    (0x000a, "RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0013, "DHE_DSS_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc003, "ECDH_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc008, "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc00d, "ECDH_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
];

const STATIC_RSA: &[(u16, &str)] = &[
    (0x002f, "RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "RSA_WITH_AES_256_CBC_SHA"),
    (0x003c, "RSA_WITH_AES_128_CBC_SHA256"),
    (0x003d, "RSA_WITH_AES_256_CBC_SHA256"),
    (0x0041, "RSA_WITH_CAMELLIA_128_CBC_SHA"),
    (0x0084, "RSA_WITH_CAMELLIA_256_CBC_SHA"),
    (0x009c, "RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "RSA_WITH_AES_256_GCM_SHA384"),
    (0xc09c, "RSA_WITH_AES_128_CCM"),
    (0xc09d, "RSA_WITH_AES_256_CCM"),
];
