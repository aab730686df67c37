//! The OPTIONS request that is sent, and what of it came back different.

use super::message::{Message, Start, Via, address, read};
use super::{Options, Transport};
use ring::rand::{SecureRandom, SystemRandom};
use std::net::{IpAddr, SocketAddr};

/// A request with what must come back as it was (RFC 3261 section 8.2.6.2: Via, From, Call-ID and CSeq are copied).
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub transport: &'static str,
    pub sent_by: String,
    pub branch: String,
    pub call_id: String,
    pub from: String,
    pub from_tag: String,
    pub to: String,
    pub cseq: u32,
    pub user: String,
    pub contact: String,
    pub session: String,
    pub body: String,
}

/// Something that was not what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub header: &'static str,
    pub before: String,
    pub after: String,
}

/// An address as it stands in a URI or in SDP.
fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

impl Sent {
    /// A request from `local`; `None` when this host gives no random numbers.
    pub fn new(options: &Options, local: SocketAddr) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let token = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
        // A name goes into the message as it is, so it must be one.
        let is_name = !options.name.is_empty()
            && options.name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
        let host = if is_name { options.name.clone() } else { bracketed(options.server.ip()) };
        let (transport, port, parameter) = match options.transport {
            Transport::Udp => ("UDP", 5060, ""),
            Transport::Tcp => ("TCP", 5060, ";transport=tcp"),
            Transport::Tls => ("TLS", 5061, ";transport=tls"),
        };
        let place = match options.server.port() {
            p if p == port => host,
            p => format!("{host}:{p}"),
        };
        let user = format!("t{}", token(36, 44));
        // A session description for the sake of what gateways do to addresses in it; some answers carry it back.
        let session = u32::from_str_radix(&token(44, 51), 16).unwrap_or(1).to_string();
        let (family, ip) = (if local.is_ipv4() { "IP4" } else { "IP6" }, local.ip());
        let body = format!(
            "v=0\r\no=- {session} {session} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio 10000 RTP/AVP 0\r\na=inactive\r\n"
        );
        Some(Sent {
            transport,
            sent_by: local.to_string(),
            branch: format!("z9hG4bK{}", token(0, 16)),
            // Gateways like to replace the address in it.
            call_id: format!("{}@{}", token(16, 28), bracketed(local.ip())),
            from: format!("sip:tillgate@{}", bracketed(local.ip())),
            from_tag: token(28, 36),
            to: format!("sip:{place}{parameter}"),
            cseq: u32::from_str_radix(&token(51, 58), 16).unwrap_or(1),
            contact: format!("sip:{user}@{local}{parameter}"),
            user,
            session,
            body,
        })
    }

    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let Sent { transport, sent_by, branch, call_id, from, from_tag, to, cseq, contact, body, .. } = self;
        let length = body.len();
        format!(
            "OPTIONS {to} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};rport;branch={branch}\r\nMax-Forwards: 70\r\n\
             From: <{from}>;tag={from_tag}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} OPTIONS\r\n\
             Contact: <{contact}>\r\nAccept: application/sdp\r\nUser-Agent: tillgate\r\n\
             Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Whether a response answers this request. Any of the three random marks will do: somebody on the way may have
    /// changed the others, and nobody guesses one.
    pub fn is_answered_by(&self, message: &Message) -> bool {
        let via = message.list("via").first().copied().and_then(Via::read);
        let tag = message.header("from").and_then(|from| address(from).1);
        matches!(message.start, Start::Response(..))
            && (via.is_some_and(|via| via.parameter("branch") == Some(&self.branch))
                || message.header("call-id") == Some(&self.call_id)
                || tag.is_some_and(|tag| tag == self.from_tag))
    }

    /// What came back different. `received` and a value for `rport` are what the far end adds (RFC 3581 section 4).
    pub fn changes(&self, message: &Message) -> Vec<Change> {
        let mut changes = self.copied(message, false);
        let is_echo =
            message.header("content-type").is_some_and(|t| t.to_ascii_lowercase().starts_with("message/sip"));
        if is_echo {
            // The request as it came in there: shows what changed on the way out, too.
            let mut text = message.body.clone();
            text.extend_from_slice(b"\r\n\r\n");
            if let Some(inner) = read(&text).filter(|inner| matches!(inner.start, Start::Request(_))) {
                let more = self.copied(&inner, true);
                changes.extend(more.into_iter().filter(|c| c.header != "CSeq"));
                changes.extend(self.described(&inner.body));
            }
        } else {
            changes.extend(self.described(&message.body));
        }
        changes.dedup();
        changes
    }

    fn copied(&self, message: &Message, is_echo: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut differ = |header, before: &str, after: &str| {
            changes.push(Change { header, before: before.to_owned(), after: after.to_owned() });
        };
        let list = message.list("via");
        // In the request as it came in, proxies have put theirs before ours; in a response, theirs are gone.
        let own = if is_echo { list.last() } else { list.first() };
        if let Some(text) = own {
            let whole = format!("SIP/2.0/{} {};branch={}", self.transport, self.sent_by, self.branch);
            let is_same = Via::read(text).is_some_and(|via| {
                via.protocol == format!("SIP/2.0/{}", self.transport)
                    && via.sent_by == self.sent_by.to_ascii_lowercase()
                    && via.parameter("branch").is_some_and(|b| b.eq_ignore_ascii_case(&self.branch))
            });
            if !is_same {
                differ("Via", &whole, text);
            } else if !is_echo && list.len() > 1 {
                differ("Via", &whole, &list.join(", "));
            }
        }
        if let Some(id) = message.header("call-id").filter(|id| *id != self.call_id) {
            differ("Call-ID", &self.call_id, id);
        }
        if let Some(from) = message.header("from") {
            let (uri, tag) = address(from);
            if uri != self.from || tag.as_deref() != Some(&self.from_tag) {
                differ("From", &format!("<{}>;tag={}", self.from, self.from_tag), from);
            }
        }
        // The far end adds a tag to To.
        if let Some(to) = message.header("to").filter(|to| address(to).0 != self.to) {
            differ("To", &format!("<{}>", self.to), to);
        }
        if let Some(cseq) = message.header("cseq") {
            let words: Vec<&str> = cseq.split_whitespace().collect();
            if words != [self.cseq.to_string().as_str(), "OPTIONS"] {
                differ("CSeq", &format!("{} OPTIONS", self.cseq), cseq);
            }
        }
        // A response's Contact is the far end's own; ours is known by its user.
        for contact in message.list("contact") {
            let (uri, _) = address(contact);
            if (is_echo || uri.contains(&self.user)) && uri != self.contact {
                differ("Contact", &self.contact, &uri);
            }
        }
        changes
    }

    /// Our session description, if it came back, line by line.
    fn described(&self, body: &[u8]) -> Option<Change> {
        let text = String::from_utf8_lossy(body);
        let is_ours =
            text.lines().any(|line| line.starts_with("o=") && line.contains(&format!(" {} ", self.session)));
        if !is_ours {
            return None;
        }
        let mut after = text.lines().map(str::trim_end);
        self.body.lines().find_map(|before| {
            let after = after.next().unwrap_or_default();
            (before != after).then(|| Change {
                header: "SDP",
                before: before.to_owned(),
                after: after.to_owned(),
            })
        })
    }
}
