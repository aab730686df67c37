//! Why a handshake did not come about, in the words of who must act.

use crate::hello::alert_name;
use crate::outcome::Report;
use rustls::{AlertDescription, Error};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tillgate_model::{FindingId, Text};

/// What came in until then.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) bytes: u64,
    pub(super) first: Vec<u8>,
    pub(super) waited: Duration,
}

/// A handshake that failed; no error means that the time ran out.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Option<io::Error>,
    pub(super) heard: Heard,
    /// Whether the server asked for a certificate before it gave up.
    pub(super) is_certificate_wanted: bool,
}

impl Failure {
    /// The alert that the server sent.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        match self.reason() {
            Some(Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }

    /// In words. `name` is the one asked for: filters go by it.
    pub(super) fn text(&self, name: &str) -> Text {
        let bytes = usize::try_from(self.heard.bytes).unwrap_or(usize::MAX);
        let name = if name.is_empty() { "–" } else { name };
        let Some(error) = &self.error else {
            let seconds = usize::try_from(self.heard.waited.as_secs()).unwrap_or(usize::MAX);
            return match bytes {
                0 => Text::new("probe-tls-silent").num("seconds", seconds).arg("name", name),
                _ => Text::new("probe-tls-unfinished").num("seconds", seconds).num("bytes", bytes),
            };
        };
        match self.reason() {
            Some(Error::AlertReceived(alert)) => {
                alert_text(u8::from(*alert), name, self.is_certificate_wanted)
            }
            Some(Error::InvalidMessage(_)) if self.is_not_tls() => self.not_tls(),
            Some(Error::PeerIncompatible(reason)) => {
                Text::new("probe-tls-incompatible").arg("detail", format!("{reason:?}"))
            }
            Some(Error::NoCertificatesPresented) => Text::new("probe-tls-no-certificate"),
            Some(reason) => Text::new("probe-tls-misbehaved").arg("detail", reason),
            None => match (error.kind(), bytes) {
                (ErrorKind::UnexpectedEof, 0) => Text::new("probe-tls-closed").arg("name", name),
                (ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe, 0) => {
                    Text::new("probe-tls-reset").arg("name", name)
                }
                (
                    ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe,
                    _,
                ) => Text::new("probe-tls-cut-off").num("bytes", bytes),
                _ => Text::new("probe-error").arg("detail", error),
            },
        }
    }

    /// Adds the fault and its figures.
    pub(super) fn tell(&self, name: &str, report: &mut Report) {
        report.fault(FindingId::TlsFailed, self.text(name));
        match self.alert() {
            Some(alert) => report.word("alert", alert_name(u8::from(alert))),
            None => report.number("received_bytes", self.heard.bytes as f64),
        }
    }

    /// Whether this may be a server that shares no suite with us: those send an alert, and often just hang up.
    pub(super) fn is_refusal(&self) -> bool {
        let Some(error) = &self.error else { return false };
        match self.reason() {
            Some(Error::AlertReceived(AlertDescription::UnrecognisedName)) => false,
            Some(Error::AlertReceived(_) | Error::PeerIncompatible(_)) => !self.is_certificate_wanted,
            Some(_) => false,
            None => self.heard.bytes == 0 && error.kind() != ErrorKind::TimedOut,
        }
    }

    fn reason(&self) -> Option<&Error> {
        self.error.as_ref()?.get_ref()?.downcast_ref()
    }

    /// TLS records begin with a type of 20 to 24 and the version's 3 (RFC 8446 section 5.1).
    fn is_not_tls(&self) -> bool {
        !matches!(self.heard.first.as_slice(), [20..=24, 3, ..])
    }

    fn not_tls(&self) -> Text {
        if self.heard.first.starts_with(b"HTTP/") || self.heard.first.starts_with(b"<") {
            return Text::new("probe-tls-http");
        }
        Text::new("probe-tls-not-tls").arg("start", printable(&self.heard.first))
    }
}

/// An alert in words, with the causes worth looking at.
fn alert_text(alert: u8, name: &str, is_certificate_wanted: bool) -> Text {
    let text = match alert {
        // handshake_failure is also what TLS 1.2 says when its wish was not met (RFC 5246 section 7.4.6).
        40 if is_certificate_wanted => Text::new("probe-tls-alert-client-certificate"),
        // handshake_failure, protocol_version, insufficient_security
        40 | 70 | 71 => Text::new("probe-tls-alert-mismatch"),
        112 => Text::new("probe-tls-alert-name").arg("name", name),
        // bad_certificate, certificate_required
        42 | 116 => Text::new("probe-tls-alert-client-certificate"),
        _ => Text::new("probe-tls-alert"),
    };
    text.arg("alert", alert_name(alert))
}

/// The first bytes as text where they are, else in hex.
fn printable(bytes: &[u8]) -> String {
    let line: Vec<u8> = bytes.iter().copied().take_while(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !line.is_empty() && line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return String::from_utf8_lossy(&line).into_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
