//! Elements of BER and DER (X.690), as far as certificates and SNMP need them.

/// The tag, the content and what follows of the first element; lengths up to four bytes.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags of several bytes do not occur in what is read here.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the first element and what follows, if it has this tag.
pub(super) fn tagged(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// Every element of a content, until one is not whole.
pub(super) fn elements(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (tag, content, tail) = element(rest)?;
        rest = tail;
        Some((tag, content))
    })
}

/// Writes an element of less than 64 kB.
pub(super) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_written_and_read() {
        for size in [0, 1, 127, 128, 300] {
            let bytes = write(0x04, &vec![7; size]);
            let (content, rest) = tagged(0x04, &bytes).unwrap();
            assert_eq!((content.len(), rest.len()), (size, 0));
            assert!(element(&bytes[..bytes.len() - 1]).is_none());
        }
        assert!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
        assert!(element(&[0x30, 0x80, 0, 0]).is_none(), "no indefinite lengths");
    }
}
