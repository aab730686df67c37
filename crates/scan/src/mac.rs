//! Addresses on the wire.

use std::fmt;
use std::net::Ipv6Addr;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All stations.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// Whether it was made up by software (private Wi-Fi addresses, virtual machines) and so says nothing about a vendor
    /// (IEEE 802, the bit of value 2 in the first byte).
    pub fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// Whether it names a group of stations and so can be nobody's own.
    pub fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Where an IPv6 group is sent on Ethernet (RFC 2464 section 7).
    pub fn of_group(group: Ipv6Addr) -> Mac {
        let [.., a, b, c, d] = group.octets();
        Mac([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_addresses_and_groups_are_told() {
        let (made_up, bought) = (Mac([2, 0, 0, 0, 0, 1]), Mac([0, 0x1b, 0x21, 0, 0, 2]));
        assert!(made_up.is_local() && !bought.is_local());
        assert!(Mac::BROADCAST.is_group() && !bought.is_group());
        assert_eq!(bought.to_string(), "00:1b:21:00:00:02");
        assert_eq!(Mac::of_group("ff02::1:ff12:3456".parse().unwrap()).to_string(), "33:33:ff:12:34:56");
    }
}
