//! What answers on an open port, asked so that nothing is hurt: listen first, then one small question.
//!
//! Printers print whatever reaches their ports, so those are never even connected to. Services that only speak
//! binary protocols of their own are named by number and left alone.

mod ask;
mod certificate;
mod datagram;
mod der;
mod dns;
mod greeting;
mod hello;
mod http;
mod ports;
mod sip;
mod snmp;

pub use ask::{identify_tcp, identify_udp};
pub use ports::{is_printing, service_name};

use serde::{Deserialize, Serialize};

/// A service that answers on a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Service {
    /// Its name, as IANA lists it where it does: `ssh`, `http`, `domain`; `unknown` for what nothing names.
    pub name: String,
    /// How the name was learned.
    pub basis: Basis,
    /// What it says of itself: printable, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether what it carries is encrypted from the first byte.
    pub is_encrypted: bool,
    /// Whether it takes passwords, or what counts as one, as they are.
    pub is_cleartext_login: bool,
    /// What else is weak about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weaknesses: Vec<Weakness>,
    /// Its TLS side, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSeen>,
}

/// How a service's name was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// It said so.
    Greeting,
    /// It answered a question of that protocol.
    Answer,
    /// The number of the port only: a guess.
    Port,
}

/// Something weak about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weakness {
    /// SNMP answers to the community everybody knows.
    DefaultCommunity,
    /// Chose a TLS version before 1.2 although 1.2 was offered (RFC 8996 forbids those).
    OldTls,
    /// Chose a cipher that nobody should: no encryption, anonymous, export, RC4, DES or triple DES.
    OldCipher,
    /// Speaks SSH 1.
    OldSsh,
    /// Answers commands although nobody signed in.
    NoLogin,
}

/// What a TLS server shows before anything is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TlsSeen {
    /// The version it chose (`1.2`), the best it was offered and takes; `None` if it only refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The number of the cipher suite it chose (IANA "TLS Cipher Suites").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<u16>,
    /// Names of its certificate: alternative names, else the common name. TLS 1.3 hides them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Who issued its certificate: organisation or common name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The last second of its certificate, as seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Issuer and subject are the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_self_issued: bool,
}

/// What came of asking a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identified {
    /// It is open, and this answers; named by its number where it keeps silent (TCP).
    Open(Service),
    /// Nobody asked: a question could do harm there, or none is known. Its name by number.
    NotAsked(Service),
    /// It refused.
    Closed,
    /// Nothing came in time: for TCP no connection, for UDP no answer, which leaves open or filtered.
    Silent,
    /// The asking host could not ask; says nothing about the port.
    Local(std::io::ErrorKind),
}

impl Service {
    /// A service of which only the name is known.
    pub fn new(name: &str, basis: Basis) -> Service {
        Service {
            name: name.to_string(),
            basis,
            version: None,
            is_encrypted: false,
            is_cleartext_login: false,
            weaknesses: Vec::new(),
            tls: None,
        }
    }

    fn version(mut self, text: &[u8]) -> Service {
        self.version = printable(text);
        self
    }

    fn cleartext_login(mut self) -> Service {
        self.is_cleartext_login = true;
        self
    }

    fn weak(mut self, weakness: Weakness) -> Service {
        self.weaknesses.push(weakness);
        self
    }
}

/// Text from the network made fit to show: the first line that has letters, controls as spaces, cut at 200.
fn printable(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let clean = |line: &str| {
        let spaced: String = line
            .chars()
            .map(|c| if c.is_control() || c == '\u{fffd}' || is_format(c) { ' ' } else { c })
            .collect();
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let line = text.lines().map(clean).find(|line| line.chars().any(char::is_alphanumeric))?;
    Some(line.chars().take(200).collect())
}

/// Characters that turn or hide text around them.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
