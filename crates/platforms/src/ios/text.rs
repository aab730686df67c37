//! Pieces of IOS text, built so that no data can become syntax.

use super::words;
use ipnet::IpNet;
use tillgate_model::{Family, Ranges, range_to_prefixes};

/// Text behind `remark` or `!`: one line of what the terminal takes for text. A question mark would ask for help.
pub fn remark(text: &str) -> String {
    let plain = |c: char| match c {
        '?' => '.',
        c if c.is_ascii_graphic() => c,
        ' ' => ' ',
        _ => '.',
    };
    text.chars().take(100).map(plain).collect()
}

/// A prefix as lists take it: `any`, `host A`, address and wildcard mask, or address and length.
pub fn prefix(net: &IpNet) -> String {
    match net {
        _ if net.prefix_len() == 0 => "any".into(),
        _ if net.prefix_len() == net.max_prefix_len() => {
            format!("host {}", net.addr().to_string().to_uppercase())
        }
        IpNet::V4(net) => format!("{} {}", net.network(), net.hostmask()),
        IpNet::V6(net) => net.trunc().to_string().to_uppercase(),
    }
}

/// Addresses as the prefixes that make them up; none given is `any`.
pub fn addresses(family: Family, ranges: Option<&Ranges>) -> Vec<String> {
    let Some(ranges) = ranges else { return vec!["any".into()] };
    let spans = ranges.as_slice().iter();
    spans.flat_map(|(lo, hi)| range_to_prefixes(family, *lo, *hi)).map(|net| prefix(&net)).collect()
}

/// Port conditions, one per range, each with a space in front.
pub fn ports(ranges: &Ranges) -> Vec<String> {
    let one = |(lo, hi): &(u128, u128)| match lo == hi {
        true => format!(" eq {lo}"),
        false => format!(" range {lo} {hi}"),
    };
    ranges.as_slice().iter().map(one).collect()
}

/// The line that opens a list.
pub fn head(family: Family, name: &str) -> String {
    match family {
        Family::V4 => format!("ip access-list extended TG-{name}"),
        Family::V6 => format!("ipv6 access-list TG6-{name}"),
    }
}

/// The word for every protocol of a family.
pub fn every(family: Family) -> &'static str {
    if family == Family::V4 { "ip" } else { "ipv6" }
}

/// An ICMP type as lists name it.
pub fn icmp(family: Family, kind: u8) -> String {
    let name = match family {
        Family::V4 => "echo",
        Family::V6 => "echo-request",
    };
    match words::icmp(family, name) {
        Some((known, None)) if known == kind => name.to_string(),
        _ => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_remark_is_more_than_text() {
        assert_eq!(remark("a?b\nno ip\u{3}x ä"), "a.b.no ip.x .");
        assert_eq!(remark(&"x".repeat(500)).len(), 100);
    }
}
