//! Whether IPv6, where a host has it, leads anywhere.

use crate::local::Host;
use crate::outcome::{Fault, Reach, Report, reach_of};
use std::net::SocketAddrV6;
use std::time::Duration;
use tillgate_model::{FindingId, Text};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Connects to a destination in the internet over IPv6. A host with a global address and a default route prefers
/// IPv6 (RFC 6724); where that leads nowhere every connection first waits for it to fail. A host without IPv6 has
/// no such fault: the report is then undecided. The fault is not sure: only this destination may be away.
pub async fn ipv6(host: &Host, destination: SocketAddrV6, deadline: Duration) -> Report {
    let own = host.ipv6();
    if !own.is_present() {
        let mut report = Report::of(Reach::Undecided(Text::new("probe-ipv6-absent")));
        report.word("ipv6", "absent");
        return report;
    }
    let started = Instant::now();
    let reach = match timeout(deadline, TcpStream::connect(destination)).await {
        Ok(Ok(_)) => Reach::Passes,
        Ok(Err(error)) => reach_of(&error),
        Err(_) => Reach::Silent,
    };
    let took = started.elapsed();
    let mut report = Report::of(reach);
    // A refusal comes from the far end or from a filter, so the way there exists.
    let works = matches!(report.reach, Reach::Passes | Reach::Refused(_));
    report.samples.add(works.then_some(took));
    report.word("ipv6", if works { "works" } else { "broken" });
    if let Some(address) = own.global.first() {
        report.word("ipv6_address", address);
    }
    if matches!(report.reach, Reach::Silent | Reach::Unreachable(_)) {
        let text = Text::new("probe-ipv6-broken").arg("destination", destination);
        report.faults.push(Fault { id: FindingId::PortUnreachable, text, is_sure: false });
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{Interface, Route};
    use std::net::{IpAddr, Ipv6Addr};

    fn with_ipv6() -> Host {
        let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Host {
            interfaces: vec![Interface {
                addresses: vec![("2001:db8::2".parse().unwrap(), 64)],
                is_running: true,
                ..Interface::default()
            }],
            routes: vec![Route {
                destination: any,
                prefix: 0,
                gateway: "fe80::1".parse().ok(),
                interface: "eth0".to_owned(),
                metric: 1,
            }],
            ..Host::default()
        }
    }

    #[tokio::test]
    async fn tells_absent_from_working() {
        let to = |port| SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0);
        let wait = Duration::from_secs(20);
        let absent = ipv6(&Host::default(), to(1), wait).await;
        assert_eq!((absent.reach.name(), absent.faults.len()), ("undecided", 0));
        // Kernels without IPv6 end here.
        let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else { return };
        let works = ipv6(&with_ipv6(), to(listener.local_addr().unwrap().port()), wait).await;
        assert_eq!((works.reach.name(), works.faults.len()), ("passes", 0));
    }
}
