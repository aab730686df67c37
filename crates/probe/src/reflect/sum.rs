//! What the client's answers say in sum.

use super::client::Port;
use crate::outcome::{Detail, Fault, Reach, Report, Samples};
use crate::udp::{Ranged, spans, tell};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tillgate_model::{FindingId, Text};

/// This host could not ask at all.
pub(super) fn failed(ports: BTreeMap<u16, Port>, error: &io::Error) -> Ranged {
    let reach = Reach::Undecided(Text::new("probe-own-error").arg("detail", error));
    let ports = ports.into_keys().map(|port| (port, reach.clone())).collect();
    Ranged { ports, report: Report::of(reach) }
}

/// Says in sum what became of each port. `own` is the address that datagrams were sent from.
pub(super) fn up(
    server: IpAddr,
    ports: BTreeMap<u16, Port>,
    samples: Samples,
    own: Option<SocketAddr>,
) -> Ranged {
    let seen: Vec<(u16, SocketAddr, u16)> = ports
        .iter()
        .filter_map(|(port, p)| p.answer.as_ref().map(|head| (*port, head.seen, head.port)))
        .collect();
    // How often each port was asked.
    let sent: Vec<u32> = ports.values().map(|port| port.sent).collect();
    let ports: Vec<(u16, Reach)> = ports.into_iter().map(|(port, p)| (port, p.settled())).collect();
    let list = |wanted: fn(&Reach) -> bool| -> Vec<u16> {
        ports.iter().filter(|(_, reach)| wanted(reach)).map(|(port, _)| *port).collect()
    };
    let pass = list(|reach| matches!(reach, Reach::Passes));
    let blocked = list(|reach| !matches!(reach, Reach::Passes | Reach::Undecided(_)));
    let undecided = list(|reach| matches!(reach, Reach::Undecided(_)));
    let reach = match (pass.is_empty(), blocked.is_empty(), undecided.is_empty()) {
        (false, true, true) => Reach::Passes,
        (false, false, _) => Reach::Broken(partly(&pass, &blocked)),
        (false, true, false) => {
            let text = Text::new("probe-reflect-unfinished").arg("passes", spans(&pass).join(", "));
            Reach::Undecided(text.arg("open", spans(&undecided).join(", ")))
        }
        // Nothing is known of any: why not is all there is to say.
        (true, true, false) => ports.first().map_or(Reach::Silent, |(_, reach)| reach.clone()),
        (true, ..) => {
            let told = |wanted: fn(&Reach) -> bool| {
                ports.iter().map(|(_, reach)| reach).find(|reach| wanted(reach)).cloned()
            };
            told(|reach| matches!(reach, Reach::Prohibited(_)))
                .or_else(|| told(|reach| matches!(reach, Reach::Unreachable(_))))
                .or_else(|| told(|reach| matches!(reach, Reach::Refused(_))))
                .or_else(|| told(|reach| matches!(reach, Reach::Broken(_))))
                // The secret may be wrong, or no reflector there: silence alone does not tell.
                .unwrap_or_else(|| Reach::Undecided(Text::new("probe-reflect-none").arg("server", server)))
        }
    };
    let mut report = Report::of(reach);
    if !pass.is_empty() && !blocked.is_empty() {
        // An open port is silent by chance with the loss to the power of its askings.
        let silent = ports.iter().zip(&sent).filter(|((_, reach), _)| *reach == Reach::Silent);
        let least = silent.map(|(_, sent)| i32::try_from(*sent).unwrap_or(i32::MAX)).min();
        let is_sure = least.is_none_or(|least| loss_at_most(&samples).powi(least) < 1e-4);
        report.faults.push(Fault { id: FindingId::PortUnreachable, text: partly(&pass, &blocked), is_sure });
    }
    tell(&mut report, &ports);
    report.number("loss_percent", samples.loss() * 100.0);
    report.samples = samples;
    whereabouts(&mut report, &seen, own);
    Ranged { ports, report }
}

/// The loss that is not exceeded with 95 % confidence, at least: none seen in n attempts means 3/n (the rule of three).
fn loss_at_most(samples: &Samples) -> f64 {
    let lost = f64::from(samples.sent) - samples.times.len() as f64;
    match samples.sent {
        0 => 1.0,
        sent => ((lost + 2.0 * lost.sqrt() + 3.0) / f64::from(sent)).min(1.0),
    }
}

fn partly(pass: &[u16], blocked: &[u16]) -> Text {
    Text::new("probe-reflect-partly")
        .arg("passes", spans(pass).join(", "))
        .arg("blocked", spans(blocked).join(", "))
}

/// Where we are by what the far end saw, and what changes addresses and ports on the way.
fn whereabouts(report: &mut Report, seen: &[(u16, SocketAddr, u16)], own: Option<SocketAddr>) {
    let Some((_, first, _)) = seen.first() else { return };
    report.word("seen_address", first.ip());
    report.number("seen_port", f64::from(first.port()));
    let mut addresses: Vec<String> = seen.iter().map(|(_, at, _)| at.ip().to_string()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.len() > 1 {
        report.details.insert("seen_addresses", Detail::List(addresses));
    }
    let translated: Vec<u16> =
        seen.iter().filter(|(port, _, arrived)| port != arrived).map(|(port, ..)| *port).collect();
    if !translated.is_empty() {
        report.details.insert("ports_translated", Detail::List(spans(&translated)));
    }
    if let Some(own) = own {
        report.word("own_address", own.ip());
        let is_nat = seen.iter().any(|(_, at, _)| at.ip().to_canonical() != own.ip().to_canonical());
        report.details.insert("nat", Detail::Flag(is_nat));
    }
}

/// Over UDP everything is sent from one port: seen under several, a NAT changes the port by destination (RFC 4787
/// section 4.1 calls that address and port-dependent mapping; such a NAT breaks calls and peer connections).
pub(super) fn mapping(report: &mut Report, seen: &[u16], own: u16) {
    let (Some(first), is_many) = (seen.first(), seen.len() > 1) else { return };
    if is_many {
        report.details.insert("nat_port_changes", Detail::Flag(seen.iter().any(|port| port != first)));
    }
    report.details.insert("nat_port_kept", Detail::Flag(seen.iter().all(|port| *port == own)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_loss_never_seen_is_not_zero() {
        let samples = |sent, lost| Samples { sent, times: vec![Duration::ZERO; (sent - lost) as usize] };
        assert_eq!(loss_at_most(&samples(100, 0)), 0.03);
        assert_eq!(loss_at_most(&samples(100, 4)), 0.11);
        assert_eq!((loss_at_most(&samples(2, 0)), loss_at_most(&samples(0, 0))), (1.0, 1.0));
    }

    #[test]
    fn a_silent_port_is_sure_by_how_often_it_was_asked() {
        let server = IpAddr::from([192, 0, 2, 1]);
        let is_sure = |sent, passing: u32, reach: Option<Reach>| {
            let mut ports = BTreeMap::from([(2, Port { sent, reach, ..Port::default() })]);
            ports.insert(1, Port { cookie: Some((0, [0; 16])), ..Port::default() });
            let samples = Samples { sent: passing, times: vec![Duration::ZERO; passing as usize] };
            up(server, ports, samples, None).report.faults[0].is_sure
        };
        assert!(is_sure(5, 40, None));
        assert!(!is_sure(1, 40, None), "asked once");
        assert!(!is_sure(5, 4, None), "too few replies to know the loss");
        assert!(is_sure(1, 2, Some(Reach::Refused(None))), "who refuses is not lost");
    }
}
