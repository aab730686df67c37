//! A question to a SIP element (RFC 3261 section 11), for which any answer will do.

use super::{Basis, Service};
use std::net::SocketAddr;

/// An `OPTIONS` request; `transport` is `UDP` or `TCP`, `id` makes it unique.
pub(super) fn request(at: SocketAddr, local: SocketAddr, transport: &str, id: u64) -> Vec<u8> {
    format!(
        "OPTIONS sip:{at} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {local};branch=z9hG4bK{id:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:tillgate@{local}>;tag={id:x}\r\n\
         To: <sip:{at}>\r\n\
         Call-ID: {id:016x}@tillgate\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:tillgate@{local}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// What an answer says; the request's id must be in it.
pub(super) fn answer(id: u64, bytes: &[u8]) -> Option<Service> {
    if !bytes.starts_with(b"SIP/2.0 ") {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    if !text.contains(&format!("{id:016x}")) {
        return None;
    }
    let header = |name: &str| {
        text.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let who = header("server").or_else(|| header("user-agent")).unwrap_or("");
    Some(Service::new("sip", Basis::Answer).version(who.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_answer_to_the_request_is_one() {
        let at = "10.0.0.1:5060".parse().unwrap();
        let request = String::from_utf8(request(at, at, "UDP", 77)).unwrap();
        assert!(request.contains("branch=z9hG4bK000000000000004d;rport\r\nMax-Forwards: 70\r\n"));
        let answer = |id: u64| {
            answer(id, b"SIP/2.0 405 No\r\nCall-ID: 000000000000004d@tillgate\r\nServer: pbx\r\n\r\n")
        };
        assert_eq!(answer(77).unwrap().version.as_deref(), Some("pbx"));
        assert!(answer(78).is_none());
    }
}
