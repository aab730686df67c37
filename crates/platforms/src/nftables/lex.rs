//! Text to tokens, each with its place.

use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tok {
    /// A word, number, address, prefix or rate.
    Word,
    /// A quoted string; the place covers the quotes.
    Quoted,
    /// A sign: one of `{ } ( ) [ ] , ; : . = ! < > & | ^ @ $ /`, or two of them (`==`, `!=`, `<=`, `>=`, `<<`, `>>`).
    Sign,
    /// The end of a line.
    Newline,
}

/// A token: where its text is, and where it stands. The two differ for what a definition stands for.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub tok: Tok,
    /// Index of the file that holds the text.
    pub file: u16,
    pub start: u32,
    pub end: u32,
    /// File, start and end of the place to point at.
    pub place: (u16, u32, u32),
}

impl Token {
    pub fn new(tok: Tok, file: u16, start: usize, end: usize) -> Self {
        let (start, end) = (start as u32, end as u32);
        Token { tok, file, start, end, place: (file, start, end) }
    }
}

/// The files tokens point into.
#[derive(Default)]
pub struct Files(pub Vec<Arc<SourceFile>>);

impl Files {
    /// The text of a token, without quotes.
    pub fn text(&self, token: &Token) -> &str {
        let raw = &self.0[token.file as usize].text[token.start as usize..token.end as usize];
        match token.tok {
            Tok::Quoted => raw.trim_matches('"'),
            Tok::Newline => "\n",
            _ => raw,
        }
    }

    /// The place of a run of tokens; of the first file's part, when it crosses files.
    pub fn span(&self, tokens: &[Token]) -> Span {
        let Some(first) = tokens.first() else { return Span::new(&self.0[0], 0, 0) };
        let (file, mut start, mut end) = first.place;
        for token in tokens.iter().filter(|t| t.place.0 == file) {
            start = start.min(token.place.1);
            end = end.max(token.place.2);
        }
        Span::new(&self.0[file as usize], start as usize, end as usize)
    }
}

fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, b'_' | b'.' | b'/' | b':' | b'-' | b'*' | b'+' | b'%' | b'~')
        || c >= 0x80
}

/// Splits a file into tokens. What is no token is reported and left out.
pub fn lex(index: u16, file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token> {
    let bytes = file.text.as_bytes();
    let mut out: Vec<Token> = Vec::with_capacity(bytes.len() / 5);
    let mut at = 0;
    let mut strange = 0;
    while at < bytes.len() {
        let c = bytes[at];
        let start = at;
        let mut push = |tok, start: usize, end: usize| {
            out.push(Token::new(tok, index, start, end));
        };
        match c {
            b' ' | b'\t' | b'\r' => at += 1,
            b'\n' => {
                push(Tok::Newline, at, at + 1);
                at += 1;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'\\' if bytes.get(at + 1) == Some(&b'\r') && bytes.get(at + 2) == Some(&b'\n') => at += 3,
            b'#' => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\n' {
                    at += 1;
                }
                if bytes.get(at) == Some(&b'"') {
                    at += 1;
                } else {
                    let span = Span::new(file, start, at);
                    diagnostics.push(Diagnostic::error(span, Text::new("open-string")));
                }
                push(Tok::Quoted, start, at);
            }
            _ if is_word(c) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                split_word(&file.text[start..at], start, &mut push);
            }
            b'=' | b'!' | b'<' | b'>' => {
                let two = match bytes.get(at + 1) {
                    Some(b'=') => true,
                    Some(next) => *next == c && (c == b'<' || c == b'>'),
                    None => false,
                };
                at += if two { 2 } else { 1 };
                push(Tok::Sign, start, at);
            }
            b'{' | b'}' | b'(' | b')' | b'[' | b']' | b',' | b';' | b'&' | b'|' | b'^' | b'@' | b'$' => {
                at += 1;
                push(Tok::Sign, start, at);
            }
            _ => {
                at += 1;
                strange += 1;
                // A binary file would fill the screen.
                if strange <= 5 {
                    let span = Span::new(file, start, at);
                    diagnostics.push(Diagnostic::error(
                        span,
                        Text::new("nft-strange-byte").arg("byte", format!("0x{c:02x}")),
                    ));
                }
            }
        }
    }
    out
}

/// A run of word characters is one word unless `:` or `-` join several in it: `80:accept`, `1024-65535`.
fn split_word(run: &str, start: usize, push: &mut impl FnMut(Tok, usize, usize)) {
    let whole_address = |text: &str| {
        let address = text.split_once('/').map_or(text, |(a, _)| a);
        address.parse::<std::net::Ipv6Addr>().is_ok()
    };
    let is_mac = run.len() == 17 && run.split(':').count() == 6;
    if whole_address(run) || is_mac {
        return push(Tok::Word, start, start + run.len());
    }
    if run == "." || run == ":" || run == "/" || run == "-" {
        return push(Tok::Sign, start, start + run.len());
    }
    if let Some((a, b)) = run.split_once('-')
        && (run.contains(':') || run.starts_with(|c: char| c.is_ascii_digit()))
        && !a.is_empty()
    {
        split_word(a, start, push);
        push(Tok::Sign, start + a.len(), start + a.len() + 1);
        if !b.is_empty() {
            split_word(b, start + a.len() + 1, push);
        }
        return;
    }
    // A time such as 10:30 or a day stays together; everything else with a colon is a pair.
    if let Some(at) = run.find(':') {
        // `2001:db8::1:80` is an address; `10.0.0.1:80` and `http:accept` are pairs.
        if at > 0 {
            split_word(&run[..at], start, push);
        }
        push(Tok::Sign, start + at, start + at + 1);
        if at + 1 < run.len() {
            split_word(&run[at + 1..], start + at + 1, push);
        }
        return;
    }
    push(Tok::Word, start, start + run.len());
}
