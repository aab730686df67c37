//! DNS messages: the few parts a check needs (RFC 1035 section 4, RFC 6891).
//!
//! Our own, because the libraries at hand bring sixty crates for this, or hide the letter case of the question.

use std::net::IpAddr;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    A,
    Aaaa,
}

impl Kind {
    /// The type code (RFC 1035 section 3.2.2, RFC 3596 section 2.1).
    fn code(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
        }
    }
}

/// One question of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The name as on the wire, in the letter case asked.
    pub name: Vec<u8>,
    /// Its type.
    pub kind: Kind,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Address(IpAddr),
    Alias(Vec<u8>),
    Other,
}

/// A record of the answer section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub owner: Vec<u8>,
    pub data: Data,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub id: u16,
    /// TC: the answer did not fit.
    pub is_truncated: bool,
    /// RA: the server resolves names for others.
    pub recurses: bool,
    /// The response code, with the upper bits of EDNS.
    pub code: u16,
    /// Name, type and class of the question, as repeated.
    pub question: Option<(Vec<u8>, u16, u16)>,
    pub answers: Vec<Record>,
    /// The datagram size the server takes, when it speaks EDNS.
    pub edns: Option<u16>,
}

/// Datagram size offered (DNS flag day 2020: no fragments on common paths).
const DATAGRAM: u16 = 1232;
const CLASS_IN: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_OPT: u16 = 41;

/// A name as on the wire; `None` for one that cannot be asked: an empty or overlong label, more than 255 bytes,
/// other characters than printable ASCII.
pub(crate) fn wire_name(name: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len() + 2);
    let name = name.strip_suffix('.').unwrap_or(name);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|n| (1..=63).contains(n))?;
        if !label.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        out.push(length);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    (out.len() <= 255).then_some(out)
}

/// Turns the case of letters by random bits (draft-vixie-dnsext-dns0x20). Lengths stay: they are below `A`.
pub(crate) fn mix_case(name: &mut [u8], mut bits: u64) {
    for byte in name.iter_mut().filter(|b| b.is_ascii_alphabetic()) {
        if bits & 1 == 1 {
            *byte ^= 0x20;
        }
        bits = bits.rotate_right(1);
    }
}

/// A query for recursion.
pub(crate) fn query(id: u16, question: &Question, with_edns: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(question.name.len() + 27);
    out.extend(id.to_be_bytes());
    out.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(with_edns)]);
    out.extend(&question.name);
    out.extend(question.kind.code().to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    if with_edns {
        out.push(0);
        out.extend(TYPE_OPT.to_be_bytes());
        out.extend(DATAGRAM.to_be_bytes());
        out.extend([0; 6]);
    }
    out
}

/// Reads a reply; `None` for anything else. A truncated one keeps the records that are whole.
pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader { bytes, at: 0 };
    let id = reader.u16()?;
    let flags = reader.u16()?;
    // QR must be set, and the operation be a query.
    if flags & 0x8000 == 0 || flags & 0x7800 != 0 {
        return None;
    }
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let [questions, answers, authority, additional] = counts;
    let mut message = Message {
        id,
        is_truncated: flags & 0x0200 != 0,
        recurses: flags & 0x0080 != 0,
        code: flags & 0x000f,
        question: None,
        answers: Vec::new(),
        edns: None,
    };
    match questions {
        0 => (),
        1 => message.question = Some((reader.name()?, reader.u16()?, reader.u16()?)),
        _ => return None,
    }
    let total = u32::from(answers) + u32::from(authority) + u32::from(additional);
    for number in 0..total {
        match reader.record() {
            Some((record, _, TYPE_OPT, size, ttl)) if record.owner == [0] => {
                message.edns = Some(size);
                message.code |= u16::from((ttl >> 24) as u8) << 4;
            }
            Some((record, true, ..)) if number < u32::from(answers) => message.answers.push(record),
            Some(_) => (),
            None if message.is_truncated => break,
            None => return None,
        }
    }
    Some(message)
}

impl Message {
    /// Whether this replies to the question, and then whether its letter case was kept. A server that could not
    /// read the query may leave the question out.
    pub fn replies_to(&self, question: &Question) -> Option<bool> {
        match &self.question {
            None => (self.code != 0).then_some(true),
            Some((name, kind, class)) => (*kind == question.kind.code()
                && *class == CLASS_IN
                && name.eq_ignore_ascii_case(&question.name))
            .then(|| *name == question.name),
        }
    }

    /// The addresses of the name asked for, through its aliases.
    pub fn addresses(&self, question: &Question) -> Vec<IpAddr> {
        let mut chain = vec![question.name.as_slice()];
        // Aliases may come in any order; a chain longer than this is a loop.
        while chain.len() <= 16 {
            let Some(last) = chain.last() else { break };
            let alias = self.answers.iter().find_map(|record| match &record.data {
                Data::Alias(target) if record.owner.eq_ignore_ascii_case(last) => Some(target.as_slice()),
                _ => None,
            });
            match alias {
                Some(target) => chain.push(target),
                None => break,
            }
        }
        let of_chain = |record: &&Record| chain.iter().any(|name| record.owner.eq_ignore_ascii_case(name));
        let records = self.answers.iter().filter(of_chain);
        let mut out: Vec<IpAddr> = records
            .filter_map(|record| match record.data {
                Data::Address(address) if address.is_ipv4() == (question.kind == Kind::A) => Some(address),
                _ => None,
            })
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let end = self.at.checked_add(N)?;
        let out = self.bytes.get(self.at..end)?.try_into().ok()?;
        self.at = end;
        Some(out)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    /// A name without compression. Pointers must lead backwards, so that none can loop (RFC 1035 section 4.1.4).
    fn name(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut at = self.at;
        let mut lowest = self.at;
        let mut is_jumped = false;
        loop {
            let length = *self.bytes.get(at)?;
            match length {
                0 => {
                    out.push(0);
                    if !is_jumped {
                        self.at = at + 1;
                    }
                    return (out.len() <= 255).then_some(out);
                }
                1..=63 => {
                    let end = at + 1 + usize::from(length);
                    out.extend_from_slice(self.bytes.get(at..end)?);
                    if out.len() > 254 {
                        return None;
                    }
                    at = end;
                }
                0xc0.. => {
                    let low = *self.bytes.get(at + 1)?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if target >= lowest {
                        return None;
                    }
                    if !is_jumped {
                        self.at = at + 2;
                    }
                    is_jumped = true;
                    lowest = target;
                    at = target;
                }
                _ => return None,
            }
        }
    }

    /// A record, whether it is of class IN, its type, class and TTL. Other data is passed over.
    fn record(&mut self) -> Option<(Record, bool, u16, u16, u32)> {
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from_be_bytes(self.take()?);
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let data = match (kind, length) {
            (1, 4) => Data::Address(IpAddr::from(self.take::<4>()?)),
            (28, 16) => Data::Address(IpAddr::from(self.take::<16>()?)),
            (1 | 28, _) => return None,
            (TYPE_CNAME, _) => {
                let target = self.name()?;
                if self.at != end {
                    return None;
                }
                Data::Alias(target)
            }
            _ => Data::Other,
        };
        self.at = end;
        Some((Record { owner, data }, class == CLASS_IN, kind, class, ttl))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question { name: wire_name("pay.example").unwrap(), kind: Kind::A }
    }

    /// A reply with an alias, an address of it behind a pointer, a foreign address and EDNS.
    fn reply() -> Vec<u8> {
        let mut out = query(7, &question(), false);
        out[2] = 0x81;
        out[3] = 0x80;
        (out[7], out[11]) = (3, 1);
        out.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 6, 3, b'c', b'd', b'n', 0xc0, 16]);
        out.extend([0xc0, 41, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]);
        out.extend([1, b'x', 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 2]);
        out.extend([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]);
        out
    }

    #[test]
    fn addresses_come_through_aliases_only() {
        let message = parse(&reply()).unwrap();
        assert_eq!(message.addresses(&question()), vec!["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!((message.id, message.edns, message.recurses), (7, Some(1232), true));
        assert_eq!(message.code, 16, "BADVERS is code 16 by way of EDNS");
        assert_eq!(message.replies_to(&question()), Some(true));
        let other = Question { name: wire_name("Pay.example").unwrap(), kind: Kind::A };
        assert_eq!(message.replies_to(&other), Some(false));
        let other = Question { kind: Kind::Aaaa, ..question() };
        assert_eq!(message.replies_to(&other), None);
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(wire_name("a.bc.").unwrap(), b"\x01a\x02bc\x00");
        for bad in ["", ".", "a..b", "ä.de", "a b.de", &"x".repeat(64), &"abc.".repeat(64)] {
            assert_eq!(wire_name(bad), None, "{bad}");
        }
        let mut name = wire_name("a-b.c1d").unwrap();
        mix_case(&mut name, u64::MAX);
        assert_eq!(name, b"\x03A-B\x03C1D\x00");
    }

    #[test]
    fn pointers_cannot_loop() {
        let mut bytes = query(7, &question(), false);
        bytes[2] = 0x81;
        bytes.truncate(12);
        bytes.extend([0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(parse(&bytes), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let valid = reply();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..20_000 {
            let mut bytes: Vec<u8> = match round % 2 {
                0 => (0..random() % 80).map(|_| random() as u8).collect(),
                _ => valid.clone(),
            };
            for _ in 0..1 + random() % 4 {
                let length = bytes.len().max(1) as u64;
                if let Some(byte) = bytes.get_mut((random() % length) as usize) {
                    *byte = random() as u8;
                }
            }
            if random() % 4 == 0 {
                bytes.truncate((random() % 90) as usize);
            }
            if let Some(message) = parse(&bytes) {
                message.addresses(&question());
                message.replies_to(&question());
            }
        }
    }
}
