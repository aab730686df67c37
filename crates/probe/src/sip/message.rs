//! SIP messages as they come over the network (RFC 3261 section 7): read without trusting them.

/// Headers read at most.
const HEADERS: usize = 200;

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A response: status and reason.
    Response(u16, String),
    /// A request: its method.
    Request(String),
}

/// A message: its first line, its headers under their long names in lower case, its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    /// Names in lower case, compact forms written out, folded lines joined; in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// As long as Content-Length says, or as there is.
    pub body: Vec<u8>,
}

/// What the bytes of a connection hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Not all of it has come yet.
    Part,
    /// A message.
    Whole(Message),
    /// This is no SIP.
    Garbage,
}

/// Reads a message from a datagram.
pub fn read(bytes: &[u8]) -> Option<Message> {
    let skip = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let bytes = bytes.get(skip..)?;
    let (head, body) = split(bytes, 0)?;
    let mut message = head_of(head)?;
    // RFC 3261 section 18.3: a datagram's body ends at Content-Length; without one, at the datagram's end.
    let length = message.length().unwrap_or(body.len()).min(body.len());
    message.body = body.get(..length)?.to_vec();
    Some(message)
}

/// The bytes of a connection that are not read yet. Remembers how far it has looked, so that bytes that come one by one
/// are not looked at again and again.
#[derive(Debug, Default)]
pub struct Unread {
    bytes: Vec<u8>,
    // No head ends before this.
    looked: usize,
    // No message ends before this.
    needed: usize,
    // The first line is one of SIP.
    is_begun: bool,
}

impl Unread {
    /// Adds what has come.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What there is.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the first message out. Blank lines before it are keep-alives (RFC 5626 section 3.5.1).
    pub fn next(&mut self) -> Frame {
        if self.needed > 0 && self.bytes.len() < self.needed {
            return Frame::Part;
        }
        if self.looked == 0 {
            let skip = self.bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            self.bytes.drain(..skip);
        }
        if self.bytes.is_empty() {
            return Frame::Part;
        }
        let Some((head, rest)) = split(&self.bytes, self.looked) else {
            // An end of the head may have begun in the last bytes.
            self.looked = self.bytes.len().saturating_sub(3);
            if !self.is_begun && !could_begin(&self.bytes) {
                return Frame::Garbage;
            }
            self.is_begun = self.bytes.contains(&b'\n');
            return Frame::Part;
        };
        let Some(mut message) = head_of(head) else { return Frame::Garbage };
        // RFC 3261 section 18.3: over a stream there must be a Content-Length; whoever leaves it out has no body.
        let length = message.length().unwrap_or(0);
        let used = (self.bytes.len() - rest.len()).saturating_add(length);
        let Some(body) = rest.get(..length) else {
            self.looked = head.len();
            self.needed = used;
            return Frame::Part;
        };
        message.body = body.to_vec();
        self.bytes.drain(..used);
        (self.looked, self.needed, self.is_begun) = (0, 0, false);
        Frame::Whole(message)
    }
}

/// Whether this may become a SIP message yet: a first line that ends in, or begins with, the version.
fn could_begin(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or(bytes);
    if line.len() == bytes.len() {
        // Not a whole line yet: letters only, up to the first space, or a piece of the version.
        let word = line.split(|b| *b == b' ').next().unwrap_or(line);
        return line.len() < 2048
            && (b"SIP/2.0".starts_with(word) || word.iter().all(|b| b.is_ascii_uppercase() || *b == b'-'));
    }
    start_of(&String::from_utf8_lossy(line)).is_some()
}

/// Head and what follows it, where the head's last line does not end before `from`.
fn split(bytes: &[u8], from: usize) -> Option<(&[u8], &[u8])> {
    for (at, _) in bytes.iter().enumerate().skip(from).filter(|(_, b)| **b == b'\n') {
        let rest = bytes.get(at + 1..)?;
        let blank = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
        if blank > 0 {
            return Some((bytes.get(..at)?, rest.get(blank..)?));
        }
    }
    None
}

fn start_of(line: &str) -> Option<Start> {
    let line = line.trim_end();
    if let Some(rest) = line.get(..8).filter(|v| v.eq_ignore_ascii_case("SIP/2.0 ")).and(line.get(8..)) {
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.parse().ok().filter(|s| (100..700).contains(s) && status.len() == 3)?;
        return Some(Start::Response(status, reason.to_owned()));
    }
    let (method, rest) = line.split_once(' ')?;
    let is_method =
        !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b));
    (is_method && rest.ends_with(" SIP/2.0")).then(|| Start::Request(method.to_owned()))
}

fn head_of(head: &[u8]) -> Option<Message> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let start = start_of(lines.next()?)?;
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            // A folded line belongs to the one before (section 7.3.1).
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        // A line without a colon is somebody's mistake; what else there is counts.
        let Some((name, value)) = line.split_once(':') else { continue };
        if headers.len() >= HEADERS {
            return None;
        }
        headers.push((long(name.trim()), value.trim().to_owned()));
    }
    Some(Message { start, headers, body: Vec::new() })
}

/// The long name, in lower case, of a header (section 7.3.3 and section 20).
fn long(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let long = match lower.as_str() {
        "c" => "content-type",
        "e" => "content-encoding",
        "f" => "from",
        "i" => "call-id",
        "k" => "supported",
        "l" => "content-length",
        "m" => "contact",
        "s" => "subject",
        "t" => "to",
        "v" => "via",
        _ => return lower,
    };
    long.to_owned()
}

impl Message {
    /// The first header of a name (long, lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header that may be a list, in order.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let all = self.headers.iter().filter(|(n, _)| n == name);
        all.flat_map(|(_, value)| commas(value)).filter(|value| !value.is_empty()).collect()
    }

    fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// Splits at commas outside quotes and angle brackets.
fn commas(text: &str) -> Vec<&str> {
    let (mut quoted, mut deep, mut escaped) = (false, false, false);
    text.split(move |c: char| {
        match c {
            _ if escaped => {
                escaped = false;
                return false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => deep = true,
            '>' if !quoted => deep = false,
            _ => {}
        }
        c == ',' && !quoted && !deep
    })
    .map(str::trim)
    .collect()
}

/// One hop of a Via header (section 20.42).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Via {
    /// `SIP/2.0/UDP`, without blanks, in capitals.
    pub protocol: String,
    /// Host and port as they were written, without blanks, in lower case.
    pub sent_by: String,
    /// Parameters: the name in lower case, the value without quotes.
    pub parameters: Vec<(String, Option<String>)>,
}

impl Via {
    /// Reads one.
    pub fn read(text: &str) -> Option<Via> {
        let mut parts = text.split(';');
        let first = parts.next()?;
        // Blanks may stand around the slashes: `SIP / 2.0 / UDP first.example`.
        let slashed: Vec<&str> = first.splitn(3, '/').map(str::trim).collect();
        let [name, version, rest] = slashed.as_slice() else { return None };
        let (transport, sent_by) = rest.split_once(char::is_whitespace)?;
        let parameters = parts
            .map(|part| match part.split_once('=') {
                Some((name, value)) => {
                    (name.trim().to_ascii_lowercase(), Some(value.trim().trim_matches('"').to_owned()))
                }
                None => (part.trim().to_ascii_lowercase(), None),
            })
            .filter(|(name, _)| !name.is_empty())
            .collect();
        let sent_by = sent_by.split_whitespace().collect::<String>().to_ascii_lowercase();
        Some(Via {
            protocol: format!("{name}/{version}/{transport}").to_ascii_uppercase(),
            sent_by,
            parameters,
        })
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.as_deref())
    }
}

/// The address in a From, To or Contact header, and its `tag`.
pub fn address(text: &str) -> (String, Option<String>) {
    let (uri, rest) = match text.find('<').and_then(|at| text.get(at + 1..)).and_then(|t| t.split_once('>')) {
        Some((uri, rest)) => (uri, rest),
        None => text.split_once(';').unwrap_or((text, "")),
    };
    let tag = rest
        .split(';')
        .filter_map(|part| part.split_once('='))
        .find(|(n, _)| n.trim().eq_ignore_ascii_case("tag"));
    (uri.trim().to_owned(), tag.map(|(_, value)| value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = "SIP/2.0 200 OK\r\nv: SIP / 2.0 / UDP  10.0.0.1:5070 ;branch=z9hG4bKx; Received=192.0.2.1\r\n ;rport=7777\r\n\
        f: \"A, B\" <sip:a@10.0.0.1>;tag=1\r\nT: <sip:b@b.example> ; TAG = 2\r\ni: abc\r\nCSEQ: 5 OPTIONS\r\nl: 3\r\n\r\nabcdef";

    #[test]
    fn compact_folded_and_mixed_case_are_read() {
        let message = read(OK.as_bytes()).expect("reads");
        assert_eq!(message.start, Start::Response(200, "OK".to_owned()));
        let via = Via::read(message.header("via").expect("a via")).expect("reads");
        assert_eq!((via.protocol.as_str(), via.sent_by.as_str()), ("SIP/2.0/UDP", "10.0.0.1:5070"));
        assert_eq!((via.parameter("received"), via.parameter("rport")), (Some("192.0.2.1"), Some("7777")));
        assert_eq!(message.body, b"abc");
        assert_eq!(
            address(message.header("to").expect("to")),
            ("sip:b@b.example".to_owned(), Some("2".to_owned()))
        );
        assert_eq!(message.list("from").len(), 1);
    }

    #[test]
    fn streams_are_framed_by_content_length() {
        let one = OK.strip_suffix("def").expect("beyond its length");
        let bytes = format!("\r\n\r\n{one}\r\n{one}");
        // All at once, in pieces, byte by byte: the same.
        for size in [1, 2, 3, 7, 1000] {
            let (mut unread, mut bodies) = (Unread::default(), Vec::new());
            for part in bytes.as_bytes().chunks(size) {
                unread.extend(part);
                loop {
                    match unread.next() {
                        Frame::Whole(message) => bodies.push(message.body),
                        frame => break assert_eq!(frame, Frame::Part),
                    }
                }
            }
            assert_eq!(bodies, [b"abc", b"abc"], "{size}");
            assert!(unread.bytes().is_empty());
        }
        let garbage = |bytes: &[u8]| {
            let mut unread = Unread::default();
            unread.extend(bytes);
            unread.next() == Frame::Garbage
        };
        assert!(garbage(b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(garbage(b"\x16\x03\x01"));
        assert!(garbage(b"220 mail.example ESMTP\r\n"));
    }

    #[test]
    fn bytes_that_come_one_by_one_are_looked_at_once() {
        let mut unread = Unread::default();
        let head = "SIP/2.0 200 OK\r\n".to_owned() + &"X: y\r\n".repeat(9000);
        let end = "l: 70000\r\n\r\n";
        for byte in head.bytes().chain(end.bytes()) {
            unread.extend(&[byte]);
            assert_eq!(
                unread.next(),
                if unread.bytes.len() < head.len() + end.len() { Frame::Part } else { Frame::Garbage }
            );
            assert!(unread.bytes.len() - unread.looked <= 3 || unread.bytes.ends_with(b"\n\r\n"));
        }
        let mut long = Unread::default();
        long.extend(b"SIP/2.0 200 OK\r\nl: 70000\r\n\r\n");
        assert_eq!((long.next(), long.needed), (Frame::Part, 28 + 70_000));
        long.extend(&[b'x'; 70_000]);
        assert!(matches!(long.next(), Frame::Whole(message) if message.body.len() == 70_000));
        assert!(long.bytes.is_empty());
    }

    #[test]
    fn no_bytes_panic() {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for round in 0..20_000 {
            let mut bytes = OK.as_bytes().to_vec();
            if round % 2 == 0 {
                bytes = (0..next() % 200).map(|_| next() as u8).collect();
            }
            for _ in 0..next() % 8 {
                if bytes.is_empty() {
                    break;
                }
                let at = next() as usize % bytes.len();
                match next() % 4 {
                    0 => bytes[at] = next() as u8,
                    1 => bytes.truncate(at),
                    2 => bytes.insert(at, b"\r\n:;,<>\"\\ /="[next() as usize % 12]),
                    _ => drop(bytes.remove(at)),
                }
            }
            let mut unread = Unread::default();
            for part in bytes.chunks(17) {
                unread.extend(part);
                let _ = unread.next();
            }
            if let Some(message) = read(&bytes) {
                let _ = message.list("via").into_iter().map(Via::read).count();
                message.headers.iter().for_each(|(_, value)| drop(address(value)));
            }
        }
    }
}
