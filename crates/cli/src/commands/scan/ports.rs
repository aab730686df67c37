//! Which TCP ports a scan asks for unless told otherwise.

use std::collections::BTreeSet;
use tillgate_intent::{Intent, Path, Side};
use tillgate_model::Protocol;
use tillgate_scan::observed::Transport;
use tillgate_scan::service::service_name;

/// What terminals, tills, printers, cameras, routers and their administration listen on by their vendors' documents, beyond
/// the ports that have a name (docs/reference/scan.md lists them all).
const ALSO: &[(u16, u16)] = &[
    (1, 1),
    (26, 26),
    (82, 85),
    (89, 90),
    (99, 100),
    (106, 106),
    (144, 144),
    (161, 161),
    (199, 199),
    (264, 264),
    (444, 444),
    (500, 500),
    (543, 545),
    (593, 593),
    (666, 666),
    (808, 808),
    (843, 843),
    (880, 888),
    (900, 902),
    (1024, 1030),
    (1099, 1099),
    (1111, 1111),
    (1234, 1234),
    (1434, 1434),
    (1604, 1604),
    (1812, 1813),
    (1900, 1900),
    (2001, 2001),
    (2082, 2087),
    (2095, 2096),
    (2200, 2200),
    (2380, 2380),
    (3001, 3010),
    (3030, 3030),
    (3050, 3050),
    (3283, 3283),
    (3333, 3333),
    (3388, 3390),
    (4000, 4001),
    (4040, 4040),
    (4070, 4070),
    (4100, 4102),
    (4369, 4369),
    (4433, 4433),
    (4444, 4444),
    (4500, 4500),
    (5001, 5010),
    (5100, 5100),
    (5201, 5201),
    (5353, 5353),
    (5400, 5400),
    (5500, 5501),
    (5601, 5601),
    (5631, 5632),
    (5800, 5803),
    (5903, 5910),
    (5938, 5938),
    (6001, 6005),
    (6443, 6443),
    (6668, 6668),
    (7000, 7002),
    (7001, 7001),
    (7443, 7443),
    (7676, 7676),
    (7777, 7778),
    (8001, 8020),
    (8028, 8030),
    (8060, 8060),
    (8082, 8090),
    (8099, 8100),
    (8180, 8181),
    (8200, 8200),
    (8222, 8222),
    (8300, 8300),
    (8333, 8333),
    (8400, 8400),
    (8444, 8448),
    (8500, 8500),
    (8600, 8600),
    (8800, 8800),
    (8880, 8899),
    (9001, 9003),
    (9080, 9082),
    (9091, 9091),
    (9110, 9110),
    (9300, 9300),
    (9390, 9392),
    (9500, 9500),
    (9999, 9999),
    (10001, 10009),
    (10101, 10101),
    (12000, 12000),
    (13000, 13001),
    (15672, 15672),
    (16992, 16995),
    (18080, 18080),
    (20001, 20008),
    (20443, 20443),
    (22001, 22005),
    (25565, 25565),
    (27018, 27018),
    (30000, 30000),
    (34567, 34567),
    (37778, 37778),
    (49153, 49160),
    (50000, 50003),
    (54321, 54321),
    (55443, 55443),
    (60000, 60000),
    (65000, 65000),
];

/// Asked of every address behind a router, to learn where somebody is: so few that two attempts at a /24 fit in what a scan may
/// occupy of the router's connection table.
pub const PRESENCE: [u16; 8] = [22, 80, 443, 445, 3389, 8080, 9100, 12345];

/// The ports with a name, those above, and what this site's own flows need inside the shop.
pub fn usual(intent: &Intent) -> Vec<u16> {
    let named = (1..=u16::MAX).filter(|port| service_name(Transport::Tcp, *port).is_some());
    let mut ports: BTreeSet<u16> = named.collect();
    ports.extend(ALSO.iter().flat_map(|(first, last)| *first..=*last));
    let inside = intent.flows.iter().filter(|flow| {
        flow.protocol == Some(Protocol::TCP) && !matches!(flow.path, Path::Forward { to: Side::Uplinks, .. })
    });
    for (first, last) in inside.filter_map(|flow| flow.ports.as_ref()).flat_map(|p| p.as_slice()) {
        // A range as wide as all ports names none.
        if last - first < 256 {
            ports.extend((*first..=*last).filter_map(|port| u16::try_from(port).ok()).filter(|p| *p != 0));
        }
    }
    ports.into_iter().collect()
}

/// UDP ports by name; which of them are asked is the service questions' to say.
pub fn datagrams() -> Vec<u16> {
    (1..=u16::MAX).filter(|port| service_name(Transport::Udp, *port).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_of_a_few_hundred() {
        assert!(ALSO.iter().all(|(first, last)| first <= last && *first > 0));
        let named = (1..=u16::MAX).filter(|port| service_name(Transport::Tcp, *port).is_some()).count();
        let all = named + ALSO.iter().map(|(first, last)| usize::from(last - first) + 1).sum::<usize>();
        assert!((300..500).contains(&all), "{all}");
        assert!(PRESENCE.iter().all(|port| service_name(Transport::Tcp, *port).is_some()));
    }
}
