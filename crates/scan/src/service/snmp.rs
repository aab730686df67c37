//! SNMP 1 and 2c (RFC 1157, RFC 3416): does the community everybody knows open a device?

use super::der::{element, elements, tagged, write};
use super::{Basis, Service, Weakness};

/// `sysDescr.0`, 1.3.6.1.2.1.1.1.0
const DESCRIPTION: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 1, 0];

/// A request for the description of the system with the community `public`, in version 1 and in version 2c.
pub(super) fn requests(id: u16) -> [Vec<u8>; 2] {
    [0, 1].map(|version| {
        let binding = write(0x30, &[write(6, DESCRIPTION), write(5, &[])].concat());
        let [high, low] = id.to_be_bytes();
        let request =
            [write(2, &[0, high, low]), write(2, &[0]), write(2, &[0]), write(0x30, &binding)].concat();
        write(0x30, &[write(2, &[version]), write(4, b"public"), write(0xa0, &request)].concat())
    })
}

/// What an answer says. Whoever does not know the community gets none.
pub(super) fn answer(id: u16, bytes: &[u8]) -> Option<Service> {
    let (message, _) = tagged(0x30, bytes)?;
    let (_, _, rest) = element(message)?;
    let (_, rest) = tagged(4, rest)?;
    let (response, _) = tagged(0xa2, rest)?;
    let mut parts = elements(response);
    let number = parts.next().filter(|(tag, _)| *tag == 2)?.1;
    let found = number.iter().try_fold(0_u64, |n, b| n.checked_mul(256).map(|n| n + u64::from(*b)))?;
    if found != u64::from(id) {
        return None;
    }
    let bindings = parts.nth(2).map_or(&[][..], |(_, list)| list);
    let value = elements(bindings).next().and_then(|(_, pair)| elements(pair).nth(1));
    let text = value.filter(|(tag, _)| *tag == 4).map_or(&[][..], |(_, text)| text);
    Some(Service::new("snmp", Basis::Answer).version(text).cleartext_login().weak(Weakness::DefaultCommunity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_that_the_community_opens() {
        for (version, request) in requests(0x8001).iter().enumerate() {
            assert!(answer(0x8001, request).is_none(), "a request is no answer");
            let binding = write(0x30, &[write(6, DESCRIPTION), write(4, b"Switch 24")].concat());
            let response =
                [write(2, &[0, 0x80, 1]), write(2, &[0]), write(2, &[0]), write(0x30, &binding)].concat();
            let parts = [write(2, &[version as u8]), write(4, b"public"), write(0xa2, &response)].concat();
            let message = write(0x30, &parts);
            let seen = answer(0x8001, &message).unwrap();
            assert_eq!(seen.version.as_deref(), Some("Switch 24"));
            assert_eq!(seen.weaknesses, [Weakness::DefaultCommunity]);
            assert!(answer(0x8002, &message).is_none());
        }
    }
}
