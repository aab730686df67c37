//! The free text before `IN=`: which rule it names, and what the conventions say was done.

use crate::record::{Time, Verdict};
use crate::text;
use memchr::{memchr, memmem, memrchr};

/// What a prefix says.
pub struct Prefix<'a> {
    /// What was done, where a known convention or one clear word says so.
    pub verdict: Verdict,
    /// UniFi's description, else the prefix without brackets and colons, else Proxmox's chain.
    pub rule: Option<&'a [u8]>,
    /// Proxmox writes the time between chain and prefix.
    pub time: Option<Time>,
}

/// Reads what stands before the mark.
pub fn read(head: &[u8]) -> Prefix<'_> {
    let text = without_tag(head);
    if let Some((chain, time, rest)) = proxmox(text) {
        let said = rest.trim_ascii().trim_suffix_colons();
        // `policy DROP` and `REJECT` alone name no rule: the chain does.
        return Prefix { verdict: words(said), rule: Some(chain), time: Some(time) };
    }
    let text = text.trim_ascii();
    let (text, description) =
        match text.strip_suffix(b"\"").and_then(|t| Some((t, memmem::find(t, b"DESCR=\"")?))) {
            Some((inner, at)) => (inner[..at].trim_ascii(), Some(&inner[at + 7..])),
            None => (text, None),
        };
    // The bracket of ufw, VyOS, EdgeOS and UniFi ends the prefix; before it a doubled host may stand.
    let bracket = text.strip_suffix(b"]").and_then(|inner| Some(&inner[memrchr(b'[', inner)? + 1..]));
    let name = bracket.unwrap_or_else(|| text.trim_suffix_colons());
    let verdict = match bracket {
        Some(inner) => bracketed(inner),
        None => words(name),
    };
    let described = description.filter(|d| !d.is_empty() && !d.eq_ignore_ascii_case(b"no rule description"));
    Prefix { verdict, rule: described.or((!name.is_empty()).then_some(name)), time: None }
}

trait Colons {
    fn trim_suffix_colons(&self) -> &Self;
}

impl Colons for [u8] {
    fn trim_suffix_colons(&self) -> &[u8] {
        let mut text = self;
        while let [rest @ .., b':' | b' ' | b'\t'] = text {
            text = rest;
        }
        text
    }
}

/// Without `kernel:`, `ulogd[7]:`, `<4>`, `[uptime]` and the printing context `[  T12]`.
fn without_tag(head: &[u8]) -> &[u8] {
    let mut text = head.trim_ascii_start();
    if !text.starts_with(b"kernel:")
        && let Some(at) = memmem::find(&text[..text.len().min(128)], b"kernel:")
        && (at == 0 || text[at - 1] == b' ')
    {
        text = &text[at..];
    }
    for tag in [&b"kernel:"[..], b"kernel ", b"ulogd"] {
        let Some(rest) = text.strip_prefix(tag) else { continue };
        if tag != b"ulogd" {
            text = rest;
        } else if let Some(colon) = memchr(b':', &rest[..rest.len().min(12)]) {
            text = &rest[colon + 1..];
        }
        break;
    }
    text = text.trim_ascii_start();
    if let [b'<', b'0'..=b'7', b'>', rest @ ..] = text {
        text = rest;
    }
    while let Some(inner) = text.strip_prefix(b"[")
        && let Some(end) = memchr(b']', &inner[..inner.len().min(24)])
        && is_clock(&inner[..end])
    {
        text = inner[end + 1..].trim_ascii_start();
    }
    text
}

fn is_clock(inner: &[u8]) -> bool {
    let inner = inner.trim_ascii_start();
    let digits = inner.strip_prefix(b"T").or_else(|| inner.strip_prefix(b"C")).unwrap_or(inner);
    !digits.is_empty() && digits.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// `101 1 tap101i0-IN 20/Jun/2022:13:12:46 +0200 ` (pve-firewall, `pvefw-logger`): guest, level, chain, time.
fn proxmox(text: &[u8]) -> Option<(&[u8], Time, &[u8])> {
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    let blank = |text: &[u8]| memchr(b' ', &text[..text.len().min(64)]);
    let guest = blank(text)?;
    text::number(&text[..guest])?;
    let text = &text[guest + 1..];
    let level = blank(text)?;
    text::number(&text[..level])?;
    let text = &text[level + 1..];
    let chain = blank(text)?;
    let clock = text.get(chain + 1..chain + 27)?;
    let rest = &text[chain + 27..];
    let text = &text[..chain];
    let at = |from: usize, to: usize| text::number(&clock[from..to]).and_then(|n| i16::try_from(n).ok());
    let byte = |from: usize| at(from, from + 2).and_then(|n| i8::try_from(n).ok());
    let months: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let month = months.iter().position(|m| m[..] == clock[3..6])?;
    let east = at(22, 24)? * 60 + at(24, 26)?;
    let offset = match clock[21] {
        b'+' => east,
        b'-' => -east,
        _ => return None,
    };
    let time = Time {
        year: Some(at(7, 11)?),
        month: i8::try_from(month + 1).ok()?,
        day: byte(0).filter(|d| (1..=31).contains(d))?,
        hour: byte(12).filter(|h| *h < 24)?,
        minute: byte(15).filter(|m| *m < 60)?,
        second: byte(18).filter(|s| *s <= 60)?,
        nanosecond: 0,
        offset: Some(offset),
    };
    (!text.is_empty()).then_some((text, time, rest))
}

/// `UFW BLOCK`, `ipv4-FWD-filter-20-D`, `WAN_LOCAL-D-2147483647`; other brackets by their words.
fn bracketed(inner: &[u8]) -> Verdict {
    if let Some(said) = inner.strip_prefix(b"UFW ") {
        return match said {
            // ufw(8): AUDIT only tells that a packet came by, INVALID is a mark.
            b"ALLOW" => Verdict::Permit,
            b"BLOCK" | b"LIMIT BLOCK" => Verdict::Deny,
            _ => Verdict::None,
        };
    }
    let (rest, last) = match memrchr(b'-', inner) {
        Some(at) => (&inner[..at], &inner[at + 1..]),
        None => return words(inner),
    };
    let numbered = text::number(last).is_some();
    let letter = if numbered { memrchr(b'-', rest).map_or(rest, |at| &rest[at + 1..]) } else { last };
    match letter {
        b"A" => Verdict::Permit,
        b"D" => Verdict::Deny,
        b"R" => Verdict::Reset,
        // UniFi's own chains return to their caller, which accepts, where the controller says "accept".
        b"RET" if numbered => Verdict::Permit,
        // VyOS: continue, jump, queue, return, offload decide nothing yet.
        b"C" | b"J" | b"Q" | b"RET" | b"O" | b"S" | b"N" => Verdict::None,
        _ => words(inner),
    }
}

/// What free words say: one clear verdict, or none.
pub(crate) fn words(text: &[u8]) -> Verdict {
    let text = &text[text.len().saturating_sub(256)..];
    if let Some(rest) = text.strip_prefix(b"Shorewall:") {
        // LOGFORMAT "Shorewall:%s:%s:": chain, disposition; a chain may be called anything.
        let last = memrchr(b':', rest).map_or(rest, |at| &rest[at + 1..]);
        return one_word(last.strip_prefix(b"A_").unwrap_or(last)).unwrap_or(Verdict::None);
    }
    if let [b'S', b'F', b'W', b'2', b'-', ..] = text {
        // SuSEfirewall2: ACC, DROP, REJ between hyphens.
        let found = text.split(|b| *b == b'-').find_map(|part| match part {
            b"ACC" => Some(Verdict::Permit),
            b"REJ" => Some(Verdict::Reset),
            b"DROP" | b"ILL" => Some(Verdict::Deny),
            _ => None,
        });
        return found.unwrap_or(Verdict::None);
    }
    // FireHOL names what nothing matched, and drops it.
    if let b"IN-unknown" | b"OUT-unknown" | b"PASS-unknown" = text {
        return Verdict::Deny;
    }
    // OpenWrt: `reject wan in`, `DROP(src wan)`: the zone's name may itself be such a word.
    if let Some(end) = text.iter().position(|b| matches!(b, b' ' | b'('))
        && [&b" in"[..], b" out", b" forward", b")"].iter().any(|tail| text.ends_with(tail))
        && let Some(verdict) = one_word(&text[..end])
    {
        return verdict;
    }
    free_words(text)
}

fn free_words(text: &[u8]) -> Verdict {
    let mut found = Verdict::None;
    let mut negated = false;
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest.iter().position(u8::is_ascii_alphabetic).unwrap_or(rest.len());
        rest = &rest[start..];
        let mut end = rest.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(rest.len());
        // `RuleDrop` and `DropInvalid` are two words.
        if let Some(hump) =
            rest[..end].windows(2).position(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase())
        {
            end = hump + 1;
        }
        let token = &rest[..end];
        rest = &rest[end..];
        if let Some(verdict) = one_word(token) {
            let opposed =
                found != Verdict::None && (found == Verdict::Permit) != (verdict == Verdict::Permit);
            if negated || opposed {
                return Verdict::None;
            }
            found = verdict;
        }
        negated = token.eq_ignore_ascii_case(b"not") || token.eq_ignore_ascii_case(b"non");
    }
    found
}

/// A verdict's word, alone or behind `LOG` and `FW` as chains are named (`logdrop`).
fn one_word(token: &[u8]) -> Option<Verdict> {
    if !(4..=13).contains(&token.len()) {
        return None;
    }
    plain(token).or_else(|| {
        let (head, tail) = token.split_at(2);
        if head.eq_ignore_ascii_case(b"fw") {
            return plain(tail);
        }
        let (head, tail) = token.split_at(3);
        (head.eq_ignore_ascii_case(b"log") || head.eq_ignore_ascii_case(b"ipt"))
            .then(|| plain(tail))
            .flatten()
    })
}

fn plain(token: &[u8]) -> Option<Verdict> {
    // By first letter: most words of a prefix are none of these, and this runs for every line.
    let (words, verdict): (&[&[u8]], Verdict) = match token.first()?.to_ascii_lowercase() {
        b'd' => (
            &[b"drop", b"dropped", b"deny", b"denied", b"discard", b"discarded", b"disallow", b"disallowed"],
            Verdict::Deny,
        ),
        b'b' => (&[b"block", b"blocked"], Verdict::Deny),
        b'r' => (&[b"reject", b"rejected", b"refuse", b"refused"], Verdict::Reset),
        b'a' => (&[b"accept", b"accepted", b"allow", b"allowed"], Verdict::Permit),
        b'p' => (&[b"pass", b"passed", b"permit", b"permitted"], Verdict::Permit),
        _ => return None,
    };
    words.iter().any(|word| token.eq_ignore_ascii_case(word)).then_some(verdict)
}
