//! Whose clock is wrong: the intersection of what several servers say (RFC 5905 section 11.2.1, after Marzullo).

use super::Offset;
use crate::outcome::Fault;
use std::net::IpAddr;
use std::time::Duration;
use tillgate_model::{FindingId, Text};

/// A host's clock is wrong from here on: receipts, logs and certificate checks stand a second.
const HOST_LIMIT: i64 = 1_000_000_000;

/// Every interval is widened by this: servers over crooked ways differ by milliseconds that harm nobody.
const LENIENCE: i64 = 50_000_000;

/// Judges the offsets of several servers: who disagrees with the majority, and whether this host does.
///
/// All faults are `clock-off`. With a majority they are sure: a server whose interval (offset ± bound and root
/// distance, widened by 50 ms) misses the majority's is named with the figure; so is this host, if the majority is
/// more than 1 s away from it. With one server, or two that differ, nobody can say which clock is wrong: not sure.
/// An address counts once.
pub fn judge(offsets: &[Offset]) -> Vec<Fault> {
    let servers = once_each(offsets);
    let unsure = |text| vec![Fault { id: FindingId::ClockOff, text, is_sure: false }];
    match servers.as_slice() {
        [] => Vec::new(),
        [only] if is_far(interval(only), only.nanos) => {
            let id = if only.nanos > 0 { "probe-ntp-either-behind" } else { "probe-ntp-either-ahead" };
            unsure(named(id, &only.name, only.nanos))
        }
        [_] => Vec::new(),
        several => match majority(several) {
            Some(common) => against(common, several),
            None => unsure(no_majority(several)),
        },
    }
}

/// An amount of time in words: days, seconds or milliseconds.
pub(super) fn amount(time: Duration) -> Text {
    let split = |tenths: u128| (tenths / 10, tenths % 10);
    let tenths = |unit: u128| split((time.as_nanos() + unit / 20) / (unit / 10));
    if time >= Duration::from_secs(2 * 86_400) {
        return Text::new("probe-amount-days").num("count", (time.as_secs() / 86_400) as usize);
    }
    let (id, (whole, tenth)) = match time {
        _ if time >= Duration::from_secs(1) => ("probe-amount-seconds", tenths(1_000_000_000)),
        _ => ("probe-amount-milliseconds", tenths(1_000_000)),
    };
    // As words, so that each language sets its own decimal sign.
    Text::new(id).arg("whole", whole).arg("tenth", tenth)
}

/// One offset per address, the one with the narrowest interval.
fn once_each(offsets: &[Offset]) -> Vec<&Offset> {
    let mut list: Vec<&Offset> = offsets.iter().collect();
    list.sort_by_key(|offset| (offset.server.ip().to_canonical(), offset.limit(), offset.server.port()));
    list.dedup_by_key(|offset| -> IpAddr { offset.server.ip().to_canonical() });
    list
}

type Interval = (i64, i64);

/// Where true time lies against this host's, if the server is honest.
fn interval(offset: &Offset) -> Interval {
    let reach = i64::try_from(offset.limit().as_nanos()).unwrap_or(i64::MAX).saturating_add(LENIENCE);
    (offset.nanos.saturating_sub(reach), offset.nanos.saturating_add(reach))
}

/// Whether this host lies outside of an interval, and too far from the best estimate.
fn is_far((low, high): Interval, nanos: i64) -> bool {
    (low > 0 || high < 0) && nanos.saturating_abs() > HOST_LIMIT
}

/// The smallest interval that holds a point of more than half of the servers' intervals, and of as many as can be.
fn majority(servers: &[&Offset]) -> Option<Interval> {
    let count = servers.len();
    // An interval's ends and middle; at the same time the lower end comes first.
    let mut edges: Vec<(i64, i8)> = Vec::with_capacity(count * 3);
    for server in servers {
        let (low, high) = interval(server);
        edges.extend([(low, -1), (server.nanos, 0), (high, 1)]);
    }
    edges.sort_unstable();
    (0..count).take_while(|liars| 2 * liars < count).find_map(|liars| {
        let needed = count - liars;
        let (low, before) = first(edges.iter().copied(), needed, -1)?;
        let (high, after) = first(edges.iter().rev().copied(), needed, 1)?;
        (low <= high && before + after <= liars).then_some((low, high))
    })
}

/// The first edge by which `needed` intervals are open, and how many middles came before it.
fn first(edges: impl Iterator<Item = (i64, i8)>, needed: usize, opens: i8) -> Option<(i64, usize)> {
    let (mut open, mut middles) = (0_usize, 0);
    for (value, kind) in edges {
        match kind {
            0 => middles += 1,
            kind if kind == opens => open += 1,
            _ => open = open.saturating_sub(1),
        }
        if open >= needed {
            return Some((value, middles));
        }
    }
    None
}

fn against(common: Interval, servers: &[&Offset]) -> Vec<Fault> {
    let agrees = |server: &Offset| {
        let (low, high) = interval(server);
        low <= common.1 && high >= common.0
    };
    let sure = |text| Fault { id: FindingId::ClockOff, text, is_sure: true };
    // The honest server with the narrowest interval knows best.
    let best = servers.iter().filter(|server| agrees(server)).min_by_key(|server| server.limit());
    let Some(best) = best else { return Vec::new() };
    let mut faults: Vec<Fault> = servers
        .iter()
        .filter(|server| !agrees(server))
        .map(|server| {
            let wrong = server.nanos.saturating_sub(best.nanos);
            let id = if wrong > 0 { "probe-ntp-server-ahead" } else { "probe-ntp-server-behind" };
            sure(
                named(id, &server.name, wrong)
                    .num("count", servers.iter().filter(|other| agrees(other)).count()),
            )
        })
        .collect();
    if is_far(common, best.nanos) {
        let id = if best.nanos > 0 { "probe-ntp-host-behind" } else { "probe-ntp-host-ahead" };
        let count = servers.iter().filter(|server| agrees(server)).count();
        faults.push(sure(Text::new(id).text("amount", size(best.nanos)).num("count", count)));
    }
    faults
}

/// No more than half agree: two servers are told by name, more by how far they lie apart.
fn no_majority(servers: &[&Offset]) -> Text {
    let early = servers.iter().min_by_key(|server| server.nanos);
    let late = servers.iter().max_by_key(|server| server.nanos);
    let (Some(early), Some(late)) = (early, late) else { return Text::new("probe-ntp-no-majority") };
    let apart = size(late.nanos.saturating_sub(early.nanos));
    if servers.len() > 2 {
        return Text::new("probe-ntp-no-majority").num("count", servers.len()).text("amount", apart);
    }
    let with_host = |server: &Offset| !is_far(interval(server), server.nanos);
    match (with_host(early), with_host(late)) {
        (true, false) => Text::new("probe-ntp-two-host").arg("wrong", &late.name).arg("right", &early.name),
        (false, true) => Text::new("probe-ntp-two-host").arg("wrong", &early.name).arg("right", &late.name),
        _ => Text::new("probe-ntp-two").arg("one", &early.name).arg("other", &late.name),
    }
    .text("amount", apart)
}

fn named(id: &'static str, server: &str, nanos: i64) -> Text {
    Text::new(id).arg("server", server).text("amount", size(nanos))
}

fn size(nanos: i64) -> Text {
    amount(Duration::from_nanos(nanos.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(last: u8, millis: i64) -> Offset {
        Offset {
            server: ([192, 0, 2, last], 123).into(),
            name: format!("192.0.2.{last}"),
            nanos: millis * 1_000_000,
            bound: Duration::from_millis(10),
            root: Duration::from_millis(20),
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
        }
    }

    fn ids(offsets: &[Offset]) -> Vec<(&'static str, bool)> {
        judge(offsets).iter().map(|fault| (fault.text.id, fault.is_sure)).collect()
    }

    #[test]
    fn one_server_proves_nothing() {
        assert_eq!(ids(&[]), []);
        assert_eq!(ids(&[offset(1, 900)]), []);
        assert_eq!(ids(&[offset(1, 40_000)]), [("probe-ntp-either-behind", false)]);
        assert_eq!(ids(&[offset(1, -40_000)]), [("probe-ntp-either-ahead", false)]);
        // Twice the same server is one.
        assert_eq!(ids(&[offset(1, 40_000), offset(1, 40_001)]), [("probe-ntp-either-behind", false)]);
        let mut vague = offset(1, 4_000);
        vague.root = Duration::from_secs(5);
        assert_eq!(ids(&[vague]), []);
    }

    #[test]
    fn two_servers_prove_this_host_wrong_but_not_each_other() {
        assert_eq!(ids(&[offset(1, 3), offset(2, -4)]), []);
        assert_eq!(ids(&[offset(1, 40_000), offset(2, 40_010)]), [("probe-ntp-host-behind", true)]);
        assert_eq!(ids(&[offset(1, 40_000), offset(2, 20_000)]), [("probe-ntp-two", false)]);
        let faults = judge(&[offset(1, 40_000), offset(2, 0)]);
        let amount = Text::new("probe-amount-seconds").arg("whole", 40).arg("tenth", 0);
        let text = Text::new("probe-ntp-two-host").arg("wrong", "192.0.2.1").arg("right", "192.0.2.2");
        assert_eq!(faults.first().map(|fault| &fault.text), Some(&text.text("amount", amount)));
    }

    #[test]
    fn one_of_three_lies() {
        let faults = judge(&[offset(1, 2), offset(2, 40_000), offset(3, -5)]);
        let amount = Text::new("probe-amount-seconds").arg("whole", 40).arg("tenth", 0);
        let text = Text::new("probe-ntp-server-ahead")
            .arg("server", "192.0.2.2")
            .text("amount", amount)
            .num("count", 2);
        assert_eq!(faults, [Fault { id: FindingId::ClockOff, text, is_sure: true }]);
        assert_eq!(
            ids(&[offset(1, -7_000), offset(2, -7_010), offset(3, 0)]),
            [("probe-ntp-server-ahead", true), ("probe-ntp-host-ahead", true)]
        );
        assert_eq!(
            ids(&[offset(1, 0), offset(2, 9_000), offset(3, 40_000)]),
            [("probe-ntp-no-majority", false)]
        );
        assert_eq!(
            ids(&[offset(1, 0), offset(2, 0), offset(3, 9_000), offset(4, 9_000)]),
            [("probe-ntp-no-majority", false)]
        );
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut odd = vec![offset(1, 0), offset(2, 0), offset(3, 0)];
        odd[0].nanos = i64::MAX;
        odd[1].nanos = i64::MIN;
        odd[2].root = Duration::MAX;
        assert!(judge(&odd).len() <= 3);
        odd.iter_mut().for_each(|offset| offset.bound = Duration::MAX);
        assert!(judge(&odd).len() <= 3);
    }

    #[test]
    fn amounts_choose_their_unit() {
        let id = |time| amount(time).id;
        assert_eq!(id(Duration::from_micros(1500)), "probe-amount-milliseconds");
        assert_eq!(id(Duration::from_secs(3)), "probe-amount-seconds");
        assert_eq!(id(Duration::from_secs(86_400 * 20)), "probe-amount-days");
        let text = Text::new("probe-amount-milliseconds").arg("whole", 1).arg("tenth", 5);
        assert_eq!(amount(Duration::from_nanos(1_460_000)), text);
    }
}
