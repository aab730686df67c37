//! Who is on this segment: asks by ARP and neighbour discovery in several rounds, and listens meanwhile to what devices say
//! unasked (ARP, DHCP requests, multicast DNS).
#![cfg(target_os = "linux")]

use crate::link::{BATCH, Error, Interface, Routing, Wire};
use crate::names::{self, Dhcp};
use crate::pace::{Bucket, now};
use crate::packet::{self, Heard, Mac};
use socket2::SockFilter;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;
use tillgate_model::Text;

/// How hard to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Two rounds within half a second; a sleeping Wi-Fi device may be missed.
    Quick,
    /// Three rounds over more than a second: a sleeping Wi-Fi device hears a broadcast only at every DTIM beacon, which come
    /// 100 to 300 ms apart.
    #[default]
    Normal,
}

impl Effort {
    fn rounds(self) -> u32 {
        if self == Effort::Quick { 2 } else { 3 }
    }

    /// From a round's last question to the next round.
    fn gap(self) -> Duration {
        Duration::from_millis(if self == Effort::Quick { 150 } else { 400 })
    }

    /// Questions per second.
    fn rate(self) -> f64 {
        if self == Effort::Quick { 10_000.0 } else { 1_000.0 }
    }
}

/// A device of the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its address on the wire.
    pub mac: Mac,
    /// Whether that was made up by software, and so may change and names no vendor.
    pub is_local_mac: bool,
    /// Its addresses. More than a few belong to a router that answers for others (proxy ARP).
    pub addresses: BTreeSet<IpAddr>,
    /// Names it gave itself, by DHCP and mDNS.
    pub names: BTreeSet<String>,
    /// Services it announced by mDNS.
    pub services: BTreeSet<String>,
    /// What it asked a DHCP server.
    pub dhcp: Option<Dhcp>,
    /// When it was first heard, since the search began.
    pub first_seen: Duration,
}

/// The devices of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// By address on the wire.
    pub devices: Vec<Device>,
    /// Addresses that several devices claim.
    pub contested: BTreeMap<IpAddr, BTreeSet<Mac>>,
    /// Whether every answer was read.
    pub is_complete: bool,
    /// Why not.
    pub gaps: Vec<Text>,
    /// Frames dropped by this host's kernel.
    pub dropped: u64,
    /// Questions asked.
    pub sent: u64,
    /// How long it took.
    pub time: Duration,
}

/// Looks for the devices of an interface's segment: asks for each of these addresses (and by IPv6 for whoever answers), and
/// listens at least so long. Blocks. Needs CAP_NET_RAW.
pub fn segment(name: &str, addresses: &[IpAddr], effort: Effort, listen: Duration) -> Result<Segment, Error> {
    let start = now();
    let interfaces = Interface::all()?;
    let interface = interfaces.iter().find(|interface| interface.name == name);
    let interface = interface.ok_or_else(|| Error::NoInterface(name.to_owned()))?;
    let known = Routing::open()?.neighbours(interface.index)?;
    let mut asked: BTreeSet<IpAddr> = addresses.iter().copied().collect();
    asked.extend(known.keys().copied().filter(IpAddr::is_ipv6));
    let asked: Vec<IpAddr> = asked.into_iter().filter(|asked| !interface.addresses.contains(asked)).collect();
    // Memberships make the card and the switch hand mDNS over; they end with the sockets.
    let _memberships = memberships(interface);

    let mut census = Census::new(interface);
    let mut search = Search::open(interface, effort, true)?;
    search.run(&asked, listen, |heard, since| {
        census.on(heard, since);
        false
    })?;
    let mut found = census.finish();
    found.dropped = search.wire.dropped();
    found.sent = search.sent;
    // What was said unasked is not said again for us.
    if found.dropped > 0 {
        found.is_complete = false;
        found.gaps.push(Text::new("scan-gap-dropped").num("frames", found.dropped as usize));
    }
    found.time = now().saturating_duration_since(start);
    Ok(found)
}

/// Neighbours found, and whether one may have been missed.
#[derive(Default)]
pub(crate) struct Resolved {
    /// Their addresses on the wire; those missing did not answer.
    pub(crate) macs: HashMap<IpAddr, Mac>,
    /// Frames dropped by this host's kernel.
    pub(crate) dropped: u64,
    /// Whether some were dropped at the last attempt, with addresses still missing.
    pub(crate) is_doubtful: bool,
}

/// The addresses on the wire of neighbours. Ends as soon as all have answered.
pub(crate) fn resolve(
    interface: &Interface,
    source: IpAddr,
    addresses: &[IpAddr],
    effort: Effort,
) -> Result<Resolved, Error> {
    let mut found = HashMap::new();
    if addresses.is_empty() {
        return Ok(Resolved::default());
    }
    let asked: HashSet<IpAddr> = addresses.iter().copied().collect();
    let mut search = Search::open(interface, effort, false)?;
    match source {
        IpAddr::V4(v4) => search.v4 = Some(v4),
        IpAddr::V6(v6) => search.v6 = Some(v6),
    }
    search.run(addresses, Duration::ZERO, |heard, _| {
        if let Heard::Station { mac, address: Some(address), .. } = heard
            && asked.contains(&address)
        {
            found.insert(address, mac);
        }
        found.len() == asked.len()
    })?;
    let is_doubtful = search.is_doubtful && found.len() < asked.len();
    Ok(Resolved { macs: found, dropped: search.wire.dropped(), is_doubtful })
}

/// Questions and answers on one socket.
struct Search<'a> {
    interface: &'a Interface,
    wire: Wire,
    effort: Effort,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    /// Whether to ask all IPv6 nodes as well.
    asks_all: bool,
    sent: u64,
    is_doubtful: bool,
}

impl<'a> Search<'a> {
    fn open(interface: &'a Interface, effort: Effort, asks_all: bool) -> Result<Self, Error> {
        // ETH_P_ALL, as ARP, IPv4 and IPv6 are wanted; what this host sends comes up too and is left out by its sender.
        let wire = Wire::open(interface, 3, &filter(), 1_600)?;
        let (v4, v6) = (interface.ipv4(), interface.link_local());
        Ok(Search { interface, wire, effort, v4, v6, asks_all, sent: 0, is_doubtful: false })
    }

    /// Asks for addresses in rounds, those not heard of yet only; ends early when `on` says so.
    fn run(
        &mut self,
        addresses: &[IpAddr],
        listen: Duration,
        mut on: impl FnMut(Heard<'_>, Duration) -> bool,
    ) -> Result<(), Error> {
        let start = now();
        let mut heard: HashSet<IpAddr> = HashSet::new();
        let mut is_done = false;
        let mut round = 0;
        loop {
            let mut bucket = Bucket::new(self.effort.rate(), now());
            let mut todo: Vec<Vec<u8>> = addresses
                .iter()
                .rev()
                .filter(|address| !heard.contains(address))
                .filter_map(|address| self.question(*address))
                .collect();
            if let (Some(source), true) = (self.v6, self.asks_all) {
                todo.push(packet::echo_all_nodes(self.interface.mac, source, 0x7467));
            }
            let mut last = now();
            loop {
                let time = now();
                for _ in 0..bucket.available(time) {
                    let Some(frame) = todo.last() else { break };
                    if !self.wire.send_one(frame)? {
                        break;
                    }
                    todo.pop();
                    bucket.spend(1);
                    self.sent += 1;
                    last = time;
                }
                let own = self.interface.mac;
                let since = time.saturating_duration_since(start);
                let count = self.wire.receive(|frame| {
                    let Some(word) = packet::heard(frame) else { return };
                    let (Heard::Station { mac, .. } | Heard::Datagram { mac, .. }) = word;
                    if mac == own {
                        return;
                    }
                    if let Heard::Station { address: Some(address), .. } = word {
                        heard.insert(address);
                    }
                    is_done |= on(word, since);
                })?;
                if is_done {
                    return Ok(());
                }
                if count == BATCH {
                    continue;
                }
                let is_last = round + 1 >= self.effort.rounds();
                let mut pause = (last + self.effort.gap()).saturating_duration_since(time);
                if is_last {
                    pause = pause.max((start + listen).saturating_duration_since(time));
                }
                match (todo.is_empty(), pause.is_zero()) {
                    (false, _) => self.wire.wait(bucket.wait())?,
                    (true, false) => self.wire.wait(pause)?,
                    (true, true) => break,
                }
            }
            round += 1;
            self.is_doubtful = self.wire.read_drops()? > 0;
            // Answers dropped in the last round: two more may mend it.
            if round >= self.effort.rounds() + if self.is_doubtful { 2 } else { 0 } {
                return Ok(());
            }
        }
    }

    fn question(&self, asked: IpAddr) -> Option<Vec<u8>> {
        let mac = self.interface.mac;
        match asked {
            IpAddr::V4(asked) => Some(packet::arp_request(mac, self.v4?, asked)),
            IpAddr::V6(asked) => Some(packet::neighbour_solicitation(mac, self.v6?, asked)),
        }
    }
}

/// What was heard, by device.
struct Census {
    devices: BTreeMap<Mac, Device>,
    own: BTreeSet<IpAddr>,
}

impl Census {
    fn new(interface: &Interface) -> Self {
        Census { devices: BTreeMap::new(), own: interface.addresses.iter().copied().collect() }
    }

    fn on(&mut self, heard: Heard<'_>, since: Duration) {
        match heard {
            Heard::Station { mac, address, .. } => {
                let device = self.device(mac, since);
                device.addresses.extend(address);
            }
            Heard::Datagram { port: 67, payload, .. } => {
                let Some(client) = names::dhcp(payload).filter(|client| !client.mac.is_group()) else {
                    return;
                };
                let device = self.device(client.mac, since);
                device.names.extend(client.host_name.clone());
                device.dhcp = Some(client);
            }
            Heard::Datagram { mac, source, source_port: 5353, port: 5353, payload } => {
                let Some(said) = names::mdns(payload).filter(|_| !mac.is_group()) else { return };
                let device = self.device(mac, since);
                device.addresses.insert(source);
                // A repeater speaks for others: only a name of one of its own addresses is its name.
                for (name, address) in said.hosts {
                    if device.addresses.contains(&address) {
                        device.names.insert(name);
                        device.services.extend(said.services.iter().cloned());
                    }
                }
            }
            Heard::Datagram { .. } => {}
        }
    }

    fn device(&mut self, mac: Mac, first_seen: Duration) -> &mut Device {
        self.devices.entry(mac).or_insert_with(|| Device {
            mac,
            is_local_mac: mac.is_local(),
            addresses: BTreeSet::new(),
            names: BTreeSet::new(),
            services: BTreeSet::new(),
            dhcp: None,
            first_seen,
        })
    }

    fn finish(self) -> Segment {
        let mut contested: BTreeMap<IpAddr, BTreeSet<Mac>> = BTreeMap::new();
        for device in self.devices.values() {
            for address in &device.addresses {
                contested.entry(*address).or_default().insert(device.mac);
            }
        }
        // Somebody else with an address of ours is a conflict whoever else has it.
        contested.retain(|address, macs| macs.len() > 1 || self.own.contains(address));
        Segment {
            devices: self.devices.into_values().collect(),
            contested,
            is_complete: true,
            gaps: Vec::new(),
            dropped: 0,
            sent: 0,
            time: Duration::ZERO,
        }
    }
}

fn memberships(interface: &Interface) -> (Option<UdpSocket>, Option<UdpSocket>) {
    let v4 = interface.ipv4().and_then(|address| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 251), &address).ok()?;
        Some(socket)
    });
    let v6 = interface.link_local().and_then(|_| {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).ok()?;
        socket.join_multicast_v6(&Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb), interface.index).ok()?;
        Some(socket)
    });
    (v4, v6)
}

/// Lets up ARP; UDP to ports 67 and 5353; of ICMPv6 echo replies, neighbour solicitations and advertisements.
fn filter() -> Vec<SockFilter> {
    let load = |code, at| SockFilter::new(code, 0, 0, at);
    let equal = |value, yes, no| SockFilter::new(0x15, yes, no, value);
    let (byte, half, header, half_x, keep) = (0x30, 0x28, 0xb1, 0x48, 0x06);
    vec![
        load(half, 12),
        equal(packet::ARP.into(), 16, 0),
        equal(packet::IPV4.into(), 0, 5),
        load(byte, 23),
        equal(17, 0, 14),
        load(header, 14),
        load(half_x, 16),
        equal(67, 10, 9),
        equal(packet::IPV6.into(), 0, 10),
        load(byte, 20),
        equal(58, 0, 4),
        load(byte, 54),
        equal(129, 5, 0),
        equal(135, 4, 0),
        equal(136, 3, 4),
        equal(17, 0, 3),
        load(half, 56),
        equal(5353, 0, 1),
        load(keep, 1_600),
        load(keep, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::veth::Pair;

    #[test]
    fn devices_of_a_segment_are_found() {
        let Some(pair) = Pair::new() else { return };
        let found = pair.within(|| {
            let asked: Vec<IpAddr> =
                (1..=30).map(|n| IpAddr::from([10, 99, 0, n])).chain(["fd99::3".parse().unwrap()]).collect();
            segment(crate::veth::NEAR, &asked, Effort::Quick, Duration::ZERO).unwrap()
        });
        assert_eq!(found.devices.len(), 1, "{found:?}");
        let device = &found.devices[0];
        assert_eq!((device.mac, device.is_local_mac), (pair.far_mac(), true));
        let v4 = device.addresses.iter().filter(|address| address.is_ipv4()).count();
        assert_eq!(v4, 14, "{device:?}");
        assert!(device.addresses.contains(&"fd99::3".parse().unwrap()), "{device:?}");
        assert!(found.is_complete && found.sent > 30 && found.contested.is_empty(), "{found:?}");
        assert!(found.time < Duration::from_secs(20));
    }

    #[test]
    fn a_census_joins_what_a_device_says() {
        let interface = Interface::all().unwrap().into_iter().next().unwrap();
        let mut census = Census::new(&interface);
        let (mac, other) = (Mac([2, 0, 0, 0, 0, 7]), Mac([0, 1, 2, 3, 4, 5]));
        let source: IpAddr = "192.0.2.8".parse().unwrap();
        let mut response = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        response.extend(b"\x07printer\x05local\0");
        response.extend([0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 8]);
        let datagram = Heard::Datagram { mac, source, source_port: 5353, port: 5353, payload: &response };
        census.on(datagram, Duration::from_millis(3));
        let station = |mac| Heard::Station { mac, address: Some(source), is_answer: true };
        census.on(station(mac), Duration::from_millis(9));
        census.on(station(other), Duration::from_millis(9));
        let found = census.finish();
        assert_eq!(found.devices.len(), 2);
        let device = found.devices.iter().find(|device| device.mac == mac).unwrap();
        assert_eq!(device.names.iter().collect::<Vec<_>>(), ["printer"]);
        assert_eq!(device.first_seen, Duration::from_millis(3));
        assert_eq!(found.contested[&source], BTreeSet::from([mac, other]));
    }
}
