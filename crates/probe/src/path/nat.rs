//! How many times addresses are translated between here and the internet.

use crate::outcome::{Reach, Report};
use std::net::{IpAddr, Ipv4Addr};
use tillgate_model::Text;

/// What the way says about address translation (IPv4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// None: the far end sees this host's own address, or it is a public one.
    None,
    /// One translation, by the router of the shop as far as can be seen.
    Single,
    /// A second router with a private address stands behind the first: two translations, unless both belong to
    /// one routed network, or the provider numbers its own routers privately.
    Double(IpAddr),
    /// The provider translates as well: a hop before the first public one, or this host itself, has an address of
    /// 100.64.0.0/10 (RFC 6598).
    Carrier(IpAddr),
    /// Nobody on the way said anything.
    Unknown,
}

/// Judges by this host's address, the hops towards the internet (see [`super::hops`]) and the address under which
/// a host in the internet sees this one, where that is known.
pub fn nat(source: IpAddr, hops: &[Option<IpAddr>], seen_as: Option<IpAddr>) -> Nat {
    if seen_as == Some(source) {
        return Nat::None;
    }
    // Addresses of this kind farther out than the first public one are no translation of ours: providers number their
    // own routers with them.
    let inside = || hops.iter().flatten().copied().take_while(|hop| is_private(*hop) || is_shared(*hop));
    if is_shared(source) {
        return Nat::Carrier(source);
    }
    if !is_private(source) {
        return Nat::None;
    }
    if let Some(carrier) = inside().find(|hop| is_shared(*hop)) {
        return Nat::Carrier(carrier);
    }
    let mut inside = inside();
    match (inside.next(), inside.next()) {
        (Some(_), Some(second)) => Nat::Double(second),
        _ if hops.iter().flatten().next().is_some() || seen_as.is_some() => Nat::Single,
        _ => Nat::Unknown,
    }
}

impl Nat {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Nat::None => "none",
            Nat::Single => "single",
            Nat::Double(_) => "double",
            Nat::Carrier(_) => "carrier",
            Nat::Unknown => "unknown",
        }
    }

    /// In words.
    pub fn text(self) -> Text {
        match self {
            Nat::None => Text::new("probe-nat-none"),
            Nat::Single => Text::new("probe-nat-single"),
            Nat::Double(by) => Text::new("probe-nat-double").arg("address", by),
            Nat::Carrier(by) => Text::new("probe-nat-carrier").arg("address", by),
            Nat::Unknown => Text::new("probe-nat-unknown"),
        }
    }

    /// As a report: translation is no fault, only a figure behind others.
    pub fn report(self, hops: &[Option<IpAddr>]) -> Report {
        let mut report = Report::of(match self {
            Nat::Unknown => Reach::Undecided(self.text()),
            _ => Reach::Passes,
        });
        report.word("nat", self.name());
        if let Nat::Double(by) | Nat::Carrier(by) = self {
            report.word("nat_by", by);
        }
        let words = hops.iter().map(|hop| hop.map_or("*".to_owned(), |address| address.to_string()));
        report.details.insert("hops", crate::outcome::Detail::List(words.collect()));
        report
    }
}

fn is_private(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_private() || v4.is_link_local())
}

fn is_shared(address: IpAddr) -> bool {
    let block = u32::from(Ipv4Addr::new(100, 64, 0, 0));
    matches!(address, IpAddr::V4(v4) if u32::from(v4) & 0xffc0_0000 == block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_translations() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let (own, near, far) = (ip("192.168.178.20"), ip("192.168.178.1"), ip("192.168.0.1"));
        let public = ip("198.51.100.1");
        assert_eq!(nat(own, &[Some(near), Some(public)], None), Nat::Single);
        assert_eq!(nat(own, &[Some(near), Some(far), Some(public)], None), Nat::Double(far));
        assert_eq!(nat(own, &[Some(near), None, Some(far)], None), Nat::Double(far));
        assert_eq!(nat(own, &[Some(near), Some(public), Some(far)], None), Nat::Single);
        let carrier = ip("100.64.0.1");
        assert_eq!(nat(own, &[Some(near), Some(carrier)], Some(public)), Nat::Carrier(carrier));
        assert_eq!(nat(own, &[Some(near), Some(public), Some(carrier)], None), Nat::Single);
        assert_eq!(nat(public, &[Some(carrier)], None), Nat::None);
        assert_eq!(nat(own, &[Some(carrier)], Some(own)), Nat::None);
        assert_eq!(nat(carrier, &[], Some(carrier)), Nat::None);
        assert_eq!(nat(ip("100.127.9.9"), &[], None), Nat::Carrier(ip("100.127.9.9")));
        assert_eq!(nat(ip("100.128.0.1"), &[], None), Nat::None, "one past the block is public");
        assert_eq!(nat(own, &[Some(near)], Some(own)), Nat::None);
        assert_eq!(nat(own, &[None, None], None), Nat::Unknown);
        assert_eq!(nat(own, &[], None).report(&[]).reach.name(), "undecided");
    }
}
