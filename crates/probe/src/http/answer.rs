//! Reads an HTTP/1 answer (RFC 9112), piece by piece and never more than a bound.

use std::ops::Range;

/// Bytes of a head, interim heads included.
pub(crate) const HEAD: usize = 64 * 1024;
/// Bytes of a body.
pub(crate) const BODY: usize = 256 * 1024;
/// Header lines.
const LINES: usize = 256;
/// Interim answers (1xx) before the final one.
const INTERIM: u32 = 8;

/// What is no answer of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Not HTTP at all, or broken rules of it.
    Garbage,
    /// The head does not end.
    Endless,
}

/// Status and header lines of the final answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub status: u16,
    /// Names in lower case, and values; bytes that are no UTF-8 replaced.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The values of a header, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// How the body ends (RFC 9112 section 6.3).
    fn framing(&self) -> Result<Framing, Bad> {
        if matches!(self.status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        let codings: Vec<&str> = self.values("transfer-encoding").flat_map(|v| v.split(',')).collect();
        if let Some(last) = codings.last() {
            let is_chunked = last.trim().eq_ignore_ascii_case("chunked");
            return Ok(if is_chunked { Framing::Chunk } else { Framing::Close });
        }
        let mut length = None;
        for value in self.values("content-length").flat_map(|v| v.split(',')).map(str::trim) {
            let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let value: u64 = value.parse().ok().filter(|_| is_number).ok_or(Bad::Garbage)?;
            if length.is_some_and(|other| other != value) {
                return Err(Bad::Garbage);
            }
            length = Some(value);
        }
        Ok(length.map_or(Framing::Close, Framing::Length))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are to come.
    Length(u64),
    /// A chunk's size line is to come.
    Chunk,
    /// So many bytes of a chunk are to come, then a line end.
    InChunk(u64),
    /// Trailer lines are to come, or the empty line that ends them.
    Trailer,
    /// All until the connection closes.
    Close,
}

/// An answer being read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// Bytes not understood yet, from `at` on.
    raw: Vec<u8>,
    at: usize,
    /// Up to where no end of a head, or of a line, was found.
    searched: usize,
    /// All bytes that came.
    pub total: usize,
    interim: u32,
    framing: Option<Framing>,
    pub head: Option<Head>,
    pub body: Vec<u8>,
    /// The body is longer than is read.
    pub is_cut: bool,
}

impl Reading {
    /// Takes what came; `true` once the answer is complete, or enough of it was read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, Bad> {
        self.total = self.total.saturating_add(bytes.len());
        self.raw.extend_from_slice(bytes);
        while self.framing.is_none() {
            if !self.head_step()? {
                return Ok(false);
            }
        }
        let is_done = self.body_steps()?;
        // What was understood can go.
        self.raw.drain(..self.at.min(self.raw.len()));
        self.searched = self.searched.saturating_sub(self.at);
        self.at = 0;
        Ok(is_done)
    }

    /// Whether the answer is complete now that the connection closed.
    pub fn is_closed_well(&self) -> bool {
        self.framing == Some(Framing::Close)
    }

    /// What came first, for people: at most 32 bytes, escaped.
    pub fn start(&self) -> String {
        let bytes = self.raw.get(..self.raw.len().min(32)).unwrap_or_default();
        bytes.escape_ascii().to_string()
    }

    fn rest(&self) -> &[u8] {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// Reads one head if it is whole.
    fn head_step(&mut self) -> Result<bool, Bad> {
        // Empty lines before an answer are passed over, and never looked at again.
        self.at += self.rest().iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        self.searched = self.searched.max(self.at);
        let text = self.rest();
        let known = text.len().min(7);
        if text.get(..known) != b"HTTP/1.".get(..known) {
            return Err(Bad::Garbage);
        }
        if !self.has_empty_line() {
            return if self.raw.len() > HEAD { Err(Bad::Endless) } else { Ok(false) };
        }
        // The next search begins behind this empty line, whatever is made of it.
        self.searched = self.raw.len();
        let mut lines = vec![httparse::EMPTY_HEADER; LINES];
        let mut response = httparse::Response::new(&mut lines);
        let length = match response.parse(self.rest()) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.raw.len() <= HEAD => return Ok(false),
            Ok(httparse::Status::Partial) => return Err(Bad::Endless),
            Err(httparse::Error::TooManyHeaders) => return Err(Bad::Endless),
            Err(_) => return Err(Bad::Garbage),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        let line = |line: &httparse::Header| (line.name.to_ascii_lowercase(), text(line.value));
        let head = Head {
            status: response.code.unwrap_or_default(),
            headers: response.headers.iter().map(line).collect(),
        };
        self.at += length;
        self.searched = self.at;
        if self.at > HEAD {
            return Err(Bad::Endless);
        }
        match head.status {
            // 101 would mean another protocol, which was not asked for.
            101 => return Err(Bad::Garbage),
            100..200 => {
                self.interim += 1;
                return if self.interim > INTERIM { Err(Bad::Endless) } else { Ok(true) };
            }
            200..600 => (),
            _ => return Err(Bad::Garbage),
        }
        self.framing = Some(head.framing()?);
        self.head = Some(head);
        Ok(true)
    }

    /// Looks only at what is new, so that single bytes cost no more than blocks.
    fn has_empty_line(&mut self) -> bool {
        let from = self.searched.saturating_sub(3).max(self.at);
        let new = self.raw.get(from..).unwrap_or_default();
        let found = new.windows(2).any(|w| w == b"\n\n") || new.windows(3).any(|w| w == b"\n\r\n");
        if !found {
            self.searched = self.raw.len();
        }
        found
    }

    fn body_steps(&mut self) -> Result<bool, Bad> {
        loop {
            let Some(framing) = self.framing else { return Ok(false) };
            let room = BODY.saturating_sub(self.body.len());
            match framing {
                Framing::Length(0) => return Ok(true),
                Framing::Length(left) => {
                    let count = self.keep(left.min(room as u64));
                    self.framing = Some(Framing::Length(left - count as u64));
                    if left == count as u64 {
                        return Ok(true);
                    }
                }
                Framing::Close => {
                    self.keep(room as u64);
                }
                Framing::Chunk => {
                    let Some(line) = self.line()? else { return Ok(false) };
                    let line = self.raw.get(line).unwrap_or_default();
                    let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(line) else {
                        return Err(Bad::Garbage);
                    };
                    self.framing = Some(if size == 0 { Framing::Trailer } else { Framing::InChunk(size) });
                    continue;
                }
                Framing::InChunk(0) => {
                    let Some(line) = self.line()? else { return Ok(false) };
                    if self.raw.get(line) != Some(b"\r\n") {
                        return Err(Bad::Garbage);
                    }
                    self.framing = Some(Framing::Chunk);
                    continue;
                }
                Framing::InChunk(left) => {
                    let count = self.keep(left.min(room as u64)) as u64;
                    self.framing = Some(Framing::InChunk(left - count));
                    if count == left {
                        continue;
                    }
                }
                Framing::Trailer => {
                    let Some(line) = self.line()? else { return Ok(false) };
                    if self.raw.get(line).is_some_and(|line| line.trim_ascii().is_empty()) {
                        return Ok(true);
                    }
                    if self.total > HEAD + 2 * BODY {
                        return Err(Bad::Endless);
                    }
                    continue;
                }
            }
            // All that came is used, or there is no room for more of it.
            self.is_cut = self.body.len() >= BODY;
            return Ok(self.is_cut);
        }
    }

    /// Moves up to so many bytes into the body.
    fn keep(&mut self, most: u64) -> usize {
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.rest().len());
        let end = self.at + count;
        self.body.extend_from_slice(self.raw.get(self.at..end).unwrap_or_default());
        self.at = end;
        self.searched = end;
        count
    }

    /// The next line with its end, if it is whole.
    fn line(&mut self) -> Result<Option<Range<usize>>, Bad> {
        let from = self.searched.max(self.at);
        let new = self.raw.get(from..).unwrap_or_default();
        let Some(length) = new.iter().position(|b| *b == b'\n') else {
            self.searched = self.raw.len();
            // A size line or a trailer this long is no good sign.
            return if self.raw.len() - self.at.min(self.raw.len()) > 4096 {
                Err(Bad::Endless)
            } else {
                Ok(None)
            };
        };
        let line = self.at..from + length + 1;
        self.at = line.end;
        self.searched = self.at;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same whether it comes at once or byte by byte.
    fn read(bytes: &[u8]) -> Result<(bool, Reading), Bad> {
        let mut whole = Reading::default();
        let outcome = whole.push(bytes);
        let mut single = Reading::default();
        let mut last = Ok(false);
        for byte in bytes {
            last = single.push(&[*byte]);
            if last != Ok(false) {
                break;
            }
        }
        assert_eq!(outcome, last, "{}", bytes.escape_ascii());
        assert_eq!((&whole.head, &whole.body), (&single.head, &single.body));
        outcome.map(|is_done| (is_done, whole))
    }

    #[test]
    fn bodies_end_as_the_head_says() {
        let (done, answer) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        assert!(done && answer.body == b"hello");
        let (done, answer) =
            read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n")
                .unwrap();
        assert!(done && answer.body == b"hello");
        let (done, answer) = read(b"HTTP/1.0 200 OK\n\nhel").unwrap();
        assert!(!done && answer.is_closed_well() && answer.body == b"hel");
        let (done, answer) = read(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n").unwrap();
        assert!(done && answer.body.is_empty());
        let (done, answer) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").unwrap();
        assert!(!done && !answer.is_closed_well());
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let text =
            b"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n";
        let (done, answer) = read(text).unwrap();
        assert!(done);
        assert_eq!(answer.head.unwrap().status, 204);
        assert_eq!(read(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(99)).unwrap_err(), Bad::Endless);
        assert_eq!(read(b"HTTP/1.1 101 Switching\r\n\r\n").unwrap_err(), Bad::Garbage);
    }

    #[test]
    fn garbage_is_seen_early() {
        for bytes in [
            &b"SSH"[..],
            b"\x15\x03\x01",
            b"HTTP/2",
            b"HTTP/1.1 xx\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            assert_eq!(read(bytes).map(|_| ()), Err(Bad::Garbage), "{}", bytes.escape_ascii());
        }
        assert_eq!(read(b"HTTP/").map(|(done, _)| done), Ok(false));
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut endless = Reading::default();
        endless.push(b"HTTP/1.1 200 OK\r\n").unwrap();
        let bad = (0..9_999).find_map(|_| endless.push(b"A: 0123456789\r\n").err());
        assert_eq!(bad, Some(Bad::Endless));
        assert!(endless.raw.len() < HEAD + 100);

        for head in
            ["\r\n", "Content-Length: 99999999999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"]
        {
            let mut endless = Reading::default();
            endless.push(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).unwrap();
            let rounds = (0..999).take_while(|_| endless.push(&[b'x'; 4096]) == Ok(false)).count();
            assert!(rounds < 70 && endless.is_cut && endless.body.len() == BODY, "{head}");
            assert!(endless.raw.len() <= 4096);
        }
    }

    #[test]
    fn empty_lines_before_an_answer_are_looked_at_once() {
        let (done, answer) = read(b"\r\n\n\r\nHTTP/1.1 204 No\r\n\r\n").unwrap();
        assert!(done && answer.head.is_some_and(|head| head.status == 204));
        let mut slow = Reading::default();
        slow.push(&b"\r\n".repeat(1000)).unwrap();
        assert_eq!(slow.at, 2000);
        // No end is in sight: nothing is parsed, and what was searched stays searched.
        for byte in b"HTTP/1.1 200 OK\r\nA: b" {
            assert_eq!(slow.push(&[*byte]), Ok(false));
            assert!(!slow.has_empty_line());
            assert_eq!(slow.searched, slow.raw.len());
        }
        let mut endless = Reading::default();
        let bad = (0..HEAD).find_map(|_| endless.push(b"\r\n").err());
        assert_eq!(bad, Some(Bad::Endless));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let valid: &[u8] = b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nLocation: http://a/b\r\n\
            Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..20_000 {
            let mut bytes: Vec<u8> = match round % 3 {
                0 => (0..random() % 60).map(|_| random() as u8).collect(),
                _ => valid.to_vec(),
            };
            for _ in 0..1 + random() % 3 {
                let length = bytes.len().max(1) as u64;
                if let Some(byte) = bytes.get_mut((random() % length) as usize) {
                    *byte = random() as u8;
                }
            }
            let mut reading = Reading::default();
            let step = (1 + random() % 20) as usize;
            for part in bytes.chunks(step) {
                if reading.push(part) != Ok(false) {
                    break;
                }
            }
            reading.start();
        }
    }
}
