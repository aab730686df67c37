//! Services that speak first, by what they say.

use super::{Basis, Service, Weakness, printable};

/// Recognises a greeting; `port` only decides between protocols whose greetings look alike.
pub(super) fn greeting(port: u16, bytes: &[u8]) -> Option<Service> {
    let said = |name: &str| Service::new(name, Basis::Greeting);
    if bytes.is_empty() {
        return None;
    }
    if let Some(text) = telnet_text(bytes) {
        return Some(said("telnet").version(&text).cleartext_login());
    }
    if let Some(version) = mysql(bytes) {
        return Some(said("mysql").version(version));
    }
    if let Some(line) = ssh(bytes) {
        let service = said("ssh").version(line);
        // "1.99" is a server that takes both (RFC 4253 section 5.1).
        let old = line.starts_with(b"SSH-1.");
        let service = if old { service.weak(Weakness::OldSsh) } else { service };
        return Some(Service { is_encrypted: true, ..service });
    }
    let first = bytes.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or(bytes);
    let lower = first.to_ascii_lowercase();
    let has = |word: &str| contains(&lower, word.as_bytes());
    let starts = |word: &[u8]| lower.starts_with(word);
    let service = if starts(b"rfb 0") && lower.len() >= 11 {
        said("vnc")
    } else if starts(b"@rsyncd:") {
        said("rsync")
    } else if starts(b"+ok") {
        said("pop3").cleartext_login()
    } else if starts(b"* ok") || starts(b"* preauth") || starts(b"* bye") {
        // Without LOGINDISABLED (RFC 3501 section 7.2.1) it takes a password as it is.
        if has("logindisabled") { said("imap") } else { said("imap").cleartext_login() }
    } else if starts(b"asterisk call manager") {
        said("asterisk-manager").cleartext_login()
    } else if starts(b"220") || starts(b"421") || starts(b"554") || starts(b"120") {
        reply_code(port, has("smtp"), has("ftp"), said)?
    } else if (starts(b"200 ") || starts(b"201 ")) && (port == 119 || has("nntp") || has("news")) {
        said("nntp").cleartext_login()
    } else if has("login:") || has("username:") || has("password:") || asks_to_sign_in(bytes) {
        said("telnet").cleartext_login()
    } else if starts(b":") && has("notice") || starts(b"notice auth") {
        said("irc").cleartext_login()
    } else {
        return None;
    };
    Some(service.version(bytes))
}

/// A greeting that nothing here knows: the name by number, and what it said.
pub(super) fn unknown(name: Option<&'static str>, bytes: &[u8]) -> Service {
    let basis = if name.is_some() { Basis::Port } else { Basis::Greeting };
    let mut service = Service::new(name.unwrap_or("unknown"), basis);
    // Mostly unprintable bytes are no version.
    let letters = bytes.iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()).count();
    if letters * 4 >= bytes.len() * 3 {
        service.version = printable(bytes);
    }
    service
}

/// Whether more may come that matters: no full line, and no binary greeting.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    bytes.contains(&b'\n') || mysql(bytes).is_some() || (bytes.first() == Some(&IAC) && bytes.len() >= 3)
}

/// FTP (RFC 959) and mail (RFC 5321) begin alike.
fn reply_code(port: u16, smtp: bool, ftp: bool, said: impl Fn(&str) -> Service) -> Option<Service> {
    match port {
        _ if smtp && !ftp => Some(said("smtp")),
        _ if ftp && !smtp => Some(said("ftp").cleartext_login()),
        25 | 587 | 2525 | 465 => Some(said("smtp")),
        21 | 2121 | 990 => Some(said("ftp").cleartext_login()),
        _ => None,
    }
}

/// The identification string, which other lines may precede (RFC 4253 section 4.2).
fn ssh(bytes: &[u8]) -> Option<&[u8]> {
    let mut lines = bytes.split(|b| matches!(b, b'\r' | b'\n'));
    lines.find(|line| line.starts_with(b"SSH-") && line.get(4).is_some_and(u8::is_ascii_digit))
}

const IAC: u8 = 255;

/// What stands between Telnet's commands (RFC 854), if the bytes begin with one.
fn telnet_text(bytes: &[u8]) -> Option<Vec<u8>> {
    // IAC and one of SE to DONT; 255 255 is a byte of data and no sign.
    if bytes.first() != Some(&IAC) || !matches!(bytes.get(1), Some(240..=254)) {
        return None;
    }
    let mut text = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != IAC {
            text.push(byte);
            continue;
        }
        rest = match tail.first() {
            Some(250) => {
                // A sub-negotiation ends with IAC SE.
                let end = tail.windows(2).position(|pair| pair == [IAC, 240]);
                end.and_then(|at| tail.get(at + 2..)).unwrap_or(&[])
            }
            Some(251..=254) => tail.get(2..).unwrap_or(&[]),
            _ => tail.get(1..).unwrap_or(&[]),
        };
    }
    Some(text)
}

/// A prompt at the end of a greeting of several lines.
fn asks_to_sign_in(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let trimmed = lower.trim_ascii_end();
    [&b"login:"[..], b"username:", b"password:", b"user:"].iter().any(|word| trimmed.ends_with(word))
}

/// The version in MySQL's first packet (protocol 10), or the text of its refusal.
fn mysql(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_at_checked(4)?;
    let length = usize::from(head[0]) | usize::from(head[1]) << 8;
    if head[2] != 0 || head[3] != 0 || !(8..=1024).contains(&length) {
        return None;
    }
    let (kind, body) = rest.split_first()?;
    match kind {
        10 => {
            let end = body.iter().position(|b| *b == 0)?;
            let version = body.get(..end)?;
            (version.first().is_some_and(u8::is_ascii_digit) && version.is_ascii()).then_some(version)
        }
        // An error packet: two bytes of code, then text ("Host … is not allowed to connect").
        255 => {
            let text = body.get(2..)?;
            (text.len() > 4 && text.is_ascii() && contains(text, b"connect")).then_some(text)
        }
        _ => None,
    }
}

pub(super) fn contains(bytes: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && bytes.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_what_they_say() {
        // Port, greeting, name, version, encrypted, login in clear.
        type Case = (u16, &'static [u8], &'static str, &'static str, bool, bool);
        #[rustfmt::skip]
        let cases: &[Case] = &[
            (22, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2", true, false),
            (2200, b"hello\r\nSSH-1.99-x\n", "ssh", "SSH-1.99-x", true, false),
            (21, b"220 (vsFTPd 3.0.3)\r\n", "ftp", "220 (vsFTPd 3.0.3)", false, true),
            (2525, b"220 till ready\r\n", "smtp", "220 till ready", false, false),
            (40, b"220 mail.example ESMTP Postfix\r\n", "smtp", "220 mail.example ESMTP Postfix", false, false),
            (40, b"220 ProFTPD Server\r\n", "ftp", "220 ProFTPD Server", false, true),
            (23, b"\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\r\nRouter\r\nlogin: ", "telnet", "Router", false, true),
            (2001, b"\r\nUser Access Verification\r\n\r\nPassword: ", "telnet", "User Access Verification", false, true),
            (5900, b"RFB 003.008\n", "vnc", "RFB 003.008", false, false),
            (110, b"+OK Dovecot ready.\r\n", "pop3", "+OK Dovecot ready.", false, true),
            (143, b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n", "imap", "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready", false, false),
            (143, b"* OK ready\r\n", "imap", "* OK ready", false, true),
            (873, b"@RSYNCD: 31.0\n", "rsync", "@RSYNCD: 31.0", false, false),
            (5038, b"Asterisk Call Manager/5.0.1\r\n", "asterisk-manager", "Asterisk Call Manager/5.0.1", false, true),
            (3306, b"\x4a\0\0\0\x0a8.0.36\0rest of it", "mysql", "8.0.36", false, false),
            (3306, b"\x45\0\0\0\xff\x6a\x04Host '10.0.0.1' is not allowed to connect", "mysql", "j Host '10.0.0.1' is not allowed to connect", false, false),
        ];
        for (port, bytes, name, version, encrypted, cleartext) in cases {
            let seen = greeting(*port, bytes).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(seen.name, *name);
            if *name != "mysql" || bytes[4] == 10 {
                assert_eq!(seen.version.as_deref(), Some(*version));
            }
            assert_eq!((seen.is_encrypted, seen.is_cleartext_login), (*encrypted, *cleartext), "{name}");
            assert!(is_whole(bytes) || bytes.ends_with(b" "), "{name}");
        }
        let old = greeting(22, b"SSH-1.5-box\n").unwrap();
        assert_eq!(old.weaknesses, [Weakness::OldSsh]);
    }

    #[test]
    fn what_nobody_knows_is_no_guess() {
        for bytes in [&b""[..], b"220 ready\r\n", b"\xff\xff", b"hello\r\n", b"\0\0\0\0\0"] {
            assert_eq!(greeting(4000, bytes), None, "{bytes:?}");
        }
        assert_eq!(unknown(None, b"hello there\r\n").version.as_deref(), Some("hello there"));
        assert_eq!(unknown(Some("x"), b"\x01\x02\x03\x80\x81A").version, None);
    }
}
