//! A minimal HTTP request, and what the answer gives away. RTSP answers have the same form (RFC 7826).

use super::greeting::contains;
use super::{Basis, Service, Weakness};
use std::net::SocketAddr;

/// A request for the front page that asks for nothing and closes.
pub(super) fn request(at: SocketAddr) -> Vec<u8> {
    let lines = "Connection: close\r\nAccept: */*\r\nUser-Agent: tillgate\r\n\r\n";
    format!("GET / HTTP/1.0\r\nHost: {at}\r\n{lines}").into_bytes()
}

/// A request that asks an RTSP server what it can do.
pub(super) fn rtsp_request(at: SocketAddr) -> Vec<u8> {
    format!("OPTIONS rtsp://{at}/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: tillgate\r\n\r\n").into_bytes()
}

/// What an answer to [`request`] or [`rtsp_request`] says.
pub(super) struct Answer {
    pub service: Service,
    /// It asks to be spoken to in TLS, or may.
    pub may_be_tls: bool,
}

/// Reads an answer: a status line, headers, and as much of the page as came.
pub(super) fn answer(bytes: &[u8]) -> Option<Answer> {
    let name = match bytes {
        _ if bytes.starts_with(b"HTTP/") || bytes.starts_with(b"ICY ") => "http",
        _ if bytes.starts_with(b"RTSP/") => "rtsp",
        _ => return other(bytes),
    };
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
    let end = end.or_else(|| bytes.windows(2).position(|w| w == b"\n\n").map(|at| at + 2));
    let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next().unwrap_or(b"");
    let code: Option<u16> = std::str::from_utf8(status.split(|b| *b == b' ').nth(1)?).ok()?.parse().ok();
    let headers: Vec<(Vec<u8>, &[u8])> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            Some((line.get(..colon)?.trim_ascii().to_ascii_lowercase(), line.get(colon + 1..)?.trim_ascii()))
        })
        .collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, value)| *value);
    let mut service = Service::new(name, Basis::Answer);
    if let Some(server) = header("server") {
        service = service.version(server);
    }
    let mut challenges = headers.iter().filter(|(n, _)| n == b"www-authenticate");
    let basic = challenges.any(|(_, value)| value.to_ascii_lowercase().starts_with(b"basic"));
    let leaves = header("location").is_some_and(|to| to.to_ascii_lowercase().starts_with(b"https:"));
    // A page with a field for a password, sent as it is.
    let page = body.to_ascii_lowercase();
    let form = [&b"type=\"password\""[..], b"type='password'", b"type=password"]
        .iter()
        .any(|field| contains(&page, field));
    if basic || (form && !leaves) {
        service = service.cleartext_login();
    }
    Some(Answer { service, may_be_tls: code == Some(400) })
}

/// Servers of other protocols that answer to a line they do not know.
fn other(bytes: &[u8]) -> Option<Answer> {
    let seen = |service| Some(Answer { service, may_be_tls: false });
    let named = |name| Service::new(name, Basis::Answer);
    match bytes {
        _ if bytes.starts_with(b"-NOAUTH") || bytes.starts_with(b"-DENIED") => seen(named("redis")),
        _ if bytes.starts_with(b"-ERR ") => seen(named("redis").weak(Weakness::NoLogin)),
        _ if bytes.starts_with(b"ERROR\r\n") => seen(named("memcache").weak(Weakness::NoLogin)),
        _ if bytes.starts_with(b"SSH-") => super::greeting::greeting(22, bytes).and_then(seen),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_give_away_who_and_how() {
        // Answer, name, version, login in clear, may be TLS.
        type Case = (&'static [u8], &'static str, Option<&'static str>, bool, bool);
        #[rustfmt::skip]
        let cases: &[Case] = &[
            (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n<title>x</title>", "http", Some("nginx"), false, false),
            (b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"router\"\r\n\r\n", "http", None, true, false),
            (b"HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Digest x\nwww-authenticate: basic\n\n", "http", None, true, false),
            (b"HTTP/1.1 200 OK\r\n\r\n<INPUT name=p TYPE=\"password\">", "http", None, true, false),
            (b"HTTP/1.1 301 Moved\r\nLocation: https://10.0.0.1/\r\n\r\n<input type=password>", "http", None, false, false),
            (b"HTTP/1.1 400 Bad Request\r\nServer: Apache\r\n\r\n", "http", Some("Apache"), false, true),
            (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: cam/1\r\nPublic: OPTIONS\r\n\r\n", "rtsp", Some("cam/1"), false, false),
        ];
        for (bytes, name, version, login, tls) in cases {
            let seen = answer(bytes).unwrap();
            assert_eq!((seen.service.name.as_str(), seen.service.version.as_deref()), (*name, *version));
            assert_eq!((seen.service.is_cleartext_login, seen.may_be_tls), (*login, *tls), "{:?}", version);
        }
        assert_eq!(answer(b"-ERR unknown command\r\n").unwrap().service.weaknesses, [Weakness::NoLogin]);
        assert!(answer(b"HTTP/1.1").is_none() && answer(b"\x15\x03\x03\0\x02\x02\x46").is_none());
    }
}
