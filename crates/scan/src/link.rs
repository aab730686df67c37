//! The way onto the wire on Linux: interfaces, the kernel's routes and neighbours (rtnetlink), and packet sockets that send
//! and receive whole frames in batches behind a kernel filter.
#![cfg(target_os = "linux")]

use crate::packet::{Mac, SYN_MAX};
use nix::libc;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::sockopt::{GetStruct, RcvBufForce};
use nix::sys::socket::{LinkAddr, MsgFlags, MultiHeaders, bind, recvmmsg, sendmmsg, setsockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use tillgate_model::Text;

/// Why a scan could not be made. None of these says anything about the network scanned.
#[derive(Debug)]
pub enum Error {
    /// Frames of our own need CAP_NET_RAW (`setcap cap_net_raw+ep`, or root).
    Capability,
    /// The kernel knows no way there.
    NoRoute(IpAddr),
    /// There is no such interface, or none with an address of the family asked.
    NoInterface(String),
    /// The interface carries no Ethernet frames.
    NotEthernet(String),
    /// The system refused something.
    System(io::Error),
}

impl Error {
    /// In words.
    pub fn text(&self) -> Text {
        match self {
            Error::Capability => Text::new("scan-capability"),
            Error::NoRoute(to) => Text::new("scan-no-route").arg("address", to),
            Error::NoInterface(name) => Text::new("scan-no-interface").arg("interface", name),
            Error::NotEthernet(name) => Text::new("scan-not-ethernet").arg("interface", name),
            Error::System(error) => Text::new("scan-system").arg("detail", error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Error::Capability,
            _ => Error::System(error),
        }
    }
}

impl From<nix::Error> for Error {
    fn from(error: nix::Error) -> Self {
        io::Error::from(error).into()
    }
}

/// A network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its address on the wire.
    pub mac: Mac,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it carries Ethernet frames (and is not the loopback).
    pub is_ethernet: bool,
    link: LinkAddr,
}

impl Interface {
    /// All interfaces that are up.
    pub fn all() -> Result<Vec<Interface>, Error> {
        let mut found: Vec<Interface> = Vec::new();
        let listed: Vec<_> = nix::ifaddrs::getifaddrs()?.collect();
        for entry in &listed {
            let Some(link) = entry.address.as_ref().and_then(|address| address.as_link_addr()) else {
                continue;
            };
            if !entry.flags.contains(InterfaceFlags::IFF_UP) {
                continue;
            }
            found.push(Interface {
                name: entry.interface_name.clone(),
                index: link.ifindex() as u32,
                mac: Mac(link.addr().unwrap_or_default()),
                addresses: Vec::new(),
                is_ethernet: link.hatype() == libc::ARPHRD_ETHER && link.halen() == 6,
                link: *link,
            });
        }
        for entry in &listed {
            let Some(address) = &entry.address else { continue };
            let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                (Some(v4), _) => IpAddr::V4(v4.ip()),
                (_, Some(v6)) => IpAddr::V6(v6.ip()),
                _ => continue,
            };
            let interface = found.iter_mut().find(|interface| interface.name == entry.interface_name);
            if let Some(interface) = interface {
                interface.addresses.push(ip);
            }
        }
        Ok(found)
    }

    /// Its IPv4 address to ask from.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        })
    }

    /// Its link-local IPv6 address.
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(*v6),
            _ => None,
        })
    }
}

/// The kernel's way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Interface number.
    pub interface: u32,
    /// The router; `None` on the same segment.
    pub gateway: Option<IpAddr>,
    /// Our address on the way.
    pub source: Option<IpAddr>,
    /// Whether the address is this host's own.
    pub is_local: bool,
}

/// Questions to the kernel's routing (rtnetlink(7)).
pub struct Routing {
    socket: Socket,
}

impl Routing {
    /// Opens the channel; needs no capability.
    pub fn open() -> Result<Self, Error> {
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(0)))?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        Ok(Routing { socket })
    }

    /// The way to an address.
    pub fn route(&self, to: IpAddr) -> Result<Route, Error> {
        let (family, bits, octets) = match to {
            IpAddr::V4(v4) => (libc::AF_INET as u8, 32, v4.octets().to_vec()),
            IpAddr::V6(v6) => (libc::AF_INET6 as u8, 128, v6.octets().to_vec()),
        };
        let mut body = vec![family, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        body.extend((octets.len() as u16 + 4).to_ne_bytes());
        body.extend(libc::RTA_DST.to_ne_bytes());
        body.extend(octets);
        self.ask(libc::RTM_GETROUTE, libc::NLM_F_REQUEST as u16, &body)?;
        let mut buffer = vec![0; 8_192];
        let length = (&self.socket).read(&mut buffer)?;
        let Some((kind, body)) = messages(buffer.get(..length).unwrap_or_default()).next() else {
            return Err(Error::NoRoute(to));
        };
        if kind != libc::RTM_NEWROUTE {
            return Err(Error::NoRoute(to));
        }
        let mut route = Route { interface: 0, gateway: None, source: None, is_local: false };
        // rtm_type: unicast 1, local 2; anything else (broadcast, unreachable, prohibit) is nothing to scan.
        match body.get(7) {
            Some(1) => {}
            Some(2) => route.is_local = true,
            _ => return Err(Error::NoRoute(to)),
        }
        for (kind, value) in attributes(body.get(12..).unwrap_or_default()) {
            match kind {
                libc::RTA_OIF => route.interface = value.try_into().map_or(0, u32::from_ne_bytes),
                libc::RTA_GATEWAY => route.gateway = address(value),
                libc::RTA_PREFSRC => route.source = address(value),
                // struct rtvia: a family, then an address; an IPv4 route through an IPv6 router.
                libc::RTA_VIA => route.gateway = value.get(2..).and_then(address),
                _ => {}
            }
        }
        Ok(route)
    }

    /// Neighbours that the kernel knows for sure on an interface.
    pub fn neighbours(&self, interface: u32) -> Result<HashMap<IpAddr, Mac>, Error> {
        let dump = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
        self.ask(libc::RTM_GETNEIGH, dump, &[0; 12])?;
        let mut found = HashMap::new();
        let mut buffer = vec![0; 32_768];
        loop {
            let length = (&self.socket).read(&mut buffer)?;
            if length == 0 {
                return Ok(found);
            }
            for (kind, body) in messages(buffer.get(..length).unwrap_or_default()) {
                if kind != libc::RTM_NEWNEIGH {
                    return Ok(found);
                }
                let index = body.get(4..8).and_then(|index| Some(u32::from_ne_bytes(index.try_into().ok()?)));
                let state =
                    body.get(8..10).and_then(|state| Some(u16::from_ne_bytes(state.try_into().ok()?)));
                let is_sure =
                    state.is_some_and(|state| state & (libc::NUD_REACHABLE | libc::NUD_PERMANENT) != 0);
                if index != Some(interface) || !is_sure {
                    continue;
                }
                let (mut ip, mut mac) = (None, None);
                for (kind, value) in attributes(body.get(12..).unwrap_or_default()) {
                    match kind {
                        libc::NDA_DST => ip = address(value),
                        libc::NDA_LLADDR => mac = value.try_into().ok().map(Mac),
                        _ => {}
                    }
                }
                found.extend(ip.zip(mac));
            }
        }
    }

    fn ask(&self, kind: u16, flags: u16, body: &[u8]) -> Result<(), Error> {
        let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        self.socket.send(&message)?;
        Ok(())
    }
}

/// Frames sent and received in one system call.
pub const BATCH: usize = 128;
/// Bytes kept of a received frame. The filters cut answers shorter; DHCP and mDNS need whole datagrams.
const KEEP: usize = 1_600;

/// `struct tpacket_stats`: frames seen since the last reading, and of those dropped because our buffer was full.
#[derive(Clone, Copy)]
struct PacketStatistics;
nix::getsockopt_impl!(
    PacketStatistics,
    libc::SOL_PACKET,
    libc::PACKET_STATISTICS,
    [u32; 2],
    GetStruct<[u32; 2]>
);

/// A packet socket bound to an interface.
pub struct Wire {
    socket: Socket,
    room: Vec<u8>,
    keep: usize,
    dropped: u64,
}

impl Wire {
    /// Opens a socket for frames of this EtherType on the interface. Only frames the filter lets up are received, cut to
    /// `keep` bytes.
    pub fn open(interface: &Interface, kind: u16, filter: &[SockFilter], keep: usize) -> Result<Self, Error> {
        if !interface.is_ethernet {
            return Err(Error::NotEthernet(interface.name.clone()));
        }
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(kind.to_be()))))?;
        socket.attach_filter(filter)?;
        socket.set_nonblocking(true)?;
        // Beyond the system's limit with CAP_NET_ADMIN; as far as it goes without.
        if setsockopt(&socket, RcvBufForce, &(8 << 20)).is_err() {
            socket.set_recv_buffer_size(8 << 20)?;
        }
        #[cfg(test)]
        if let Some(bytes) = tests::ROOM.get() {
            socket.set_recv_buffer_size(bytes)?;
        }
        bind(socket.as_raw_fd(), &interface.link)?;
        let keep = keep.min(KEEP);
        let mut wire = Wire { socket, room: vec![0; BATCH * keep], keep, dropped: 0 };
        // Between socket and bind, frames of other interfaces may have come in.
        while wire.receive(|_| {})? > 0 {}
        wire.read_drops()?;
        wire.dropped = 0;
        Ok(wire)
    }

    /// Sends frames; how many the kernel took. None means that it has no room now.
    pub fn send(&mut self, frames: &[([u8; SYN_MAX], usize)]) -> Result<usize, Error> {
        let frames: Vec<_> = frames
            .iter()
            .take(BATCH)
            .map(|(frame, len)| [IoSlice::new(&frame[..(*len).min(SYN_MAX)])])
            .collect();
        let mut headers = MultiHeaders::<()>::preallocate(frames.len(), None);
        let (nowhere, nothing) = (vec![None; frames.len()], []);
        let sent = sendmmsg(
            self.socket.as_raw_fd(),
            &mut headers,
            &frames,
            &nowhere,
            nothing,
            MsgFlags::MSG_DONTWAIT,
        );
        match sent {
            Ok(results) => Ok(results.count()),
            Err(error) if is_busy(error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends one frame of any length; whether the kernel took it.
    pub fn send_one(&mut self, frame: &[u8]) -> Result<bool, Error> {
        match self.socket.send(frame) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error().is_some_and(|code| is_busy(nix::Error::from_raw(code))) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Receives what is there, up to a batch; how many frames it was.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8])) -> Result<usize, Error> {
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
        let lengths: Vec<usize> = {
            let mut rooms: Vec<_> =
                self.room.chunks_mut(self.keep).map(|room| [IoSliceMut::new(room)]).collect();
            match recvmmsg(self.socket.as_raw_fd(), &mut headers, &mut rooms, MsgFlags::MSG_DONTWAIT, None) {
                Ok(results) => results.map(|message| message.bytes).collect(),
                Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(0),
                // The interface went down; it may come again within the deadline.
                Err(nix::Error::ENETDOWN) => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        };
        for (room, length) in self.room.chunks(self.keep).zip(&lengths) {
            each(room.get(..*length).unwrap_or(room));
        }
        Ok(lengths.len())
    }

    /// Waits for a frame, at most this long (in whole milliseconds, rounded up).
    pub fn wait(&self, longest: Duration) -> Result<(), Error> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let ms = longest.as_micros().div_ceil(1_000).min(60_000) as u16;
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(ms)) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Frames for us that the kernel dropped since the last call, because we did not fetch them in time.
    pub fn read_drops(&mut self) -> Result<u64, Error> {
        let [_, dropped] = nix::sys::socket::getsockopt(&self.socket, PacketStatistics)?;
        self.dropped += u64::from(dropped);
        Ok(u64::from(dropped))
    }

    /// Frames dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The kernel or the card has no room for a frame now.
fn is_busy(error: nix::Error) -> bool {
    matches!(
        error,
        nix::Error::EAGAIN
            | nix::Error::ENOBUFS
            | nix::Error::EINTR
            | nix::Error::ENOMEM
            | nix::Error::ENETDOWN
    )
}

/// Netlink messages of a buffer: type and body.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let body = bytes.get(16..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Attributes of a netlink message: type and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    thread_local! {
        /// A receive buffer too small for its scan, so that frames are dropped.
        pub(crate) static ROOM: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
    }

    #[test]
    fn the_kernel_tells_routes() {
        let routing = Routing::open().unwrap();
        let route = routing.route("127.0.0.1".parse().unwrap()).unwrap();
        assert!(route.is_local && route.gateway.is_none());
        assert!(Interface::all().unwrap().iter().any(|interface| interface.index == route.interface));
        assert!(routing.route("::1".parse().unwrap()).is_ok_and(|route| route.is_local));
        assert!(routing.neighbours(route.interface).is_ok());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..64)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state % 40) as u8
                })
                .collect();
            assert!(messages(&bytes).take(100).count() <= 16);
            assert!(attributes(&bytes).take(100).count() <= 16);
        }
    }
}
