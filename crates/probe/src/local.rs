//! What this host is on the network: interfaces, routes, resolvers, whether it has IPv6, what it is allowed
//! to do. Linux only.

use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use tillgate_model::Family;

/// What a host knows of its own network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Network interfaces in the kernel's order.
    pub interfaces: Vec<Interface>,
    /// Routes of the main table, both families, in the kernel's order; policy routing is not seen.
    pub routes: Vec<Route>,
    /// Resolvers of `/etc/resolv.conf`, in order.
    pub resolvers: Vec<Resolver>,
    /// The resolvers that systemd-resolved asks, where the host's own is its stub on 127.0.0.53.
    pub behind_stub: Vec<Resolver>,
    /// What this process may do.
    pub capabilities: Capabilities,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Name, as `eth0`.
    pub name: String,
    /// Addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Hardware address, where it has one of 48 bits.
    pub mac: Option<[u8; 6]>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Whether it is switched on and has a carrier.
    pub is_running: bool,
    /// Whether it leads to this host only.
    pub is_loopback: bool,
}

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Network address.
    pub destination: IpAddr,
    /// Prefix length in bits; 0 is the default route.
    pub prefix: u8,
    /// Next hop; `None` for a network on the link.
    pub gateway: Option<IpAddr>,
    /// Interface.
    pub interface: String,
    /// The lowest wins.
    pub metric: u32,
}

/// A resolver as the host is told to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Its address.
    pub address: IpAddr,
    /// The interface a link-local address belongs to (`fe80::1%eth0`).
    pub scope: Option<String>,
}

/// Rights of this process that probes need (capabilities(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// CAP_NET_RAW: raw and packet sockets.
    pub net_raw: bool,
    /// CAP_NET_ADMIN: changing interfaces and rules.
    pub net_admin: bool,
    /// CAP_NET_BIND_SERVICE: ports under 1024.
    pub net_bind_service: bool,
    /// CAP_SYS_PTRACE: seeing which files other users' processes hold.
    pub sys_ptrace: bool,
}

/// Whether a host has IPv6 that leads out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipv6 {
    /// Addresses of 2000::/3, the block from which the internet's are given out (RFC 4291, IANA registry).
    pub global: Vec<Ipv6Addr>,
    /// Whether a default route exists.
    pub has_default_route: bool,
}

impl Ipv6 {
    /// Whether programs of this host will try IPv6 for destinations in the internet (RFC 6724).
    pub fn is_present(&self) -> bool {
        !self.global.is_empty() && self.has_default_route
    }
}

/// Reads what this host is on the network. Takes a few file reads and no packets; blocks for well under a
/// millisecond.
pub fn host() -> io::Result<Host> {
    let mut routes = ipv4_routes(&text("/proc/net/route")?);
    routes.extend(ipv6_routes(&text("/proc/net/ipv6_route")?));
    let resolvers = resolvers(&text("/etc/resolv.conf")?);
    let is_stub = resolvers.iter().any(|r| r.address == IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)));
    let behind_stub = match is_stub {
        true => self::resolvers(&text("/run/systemd/resolve/resolv.conf")?),
        false => Vec::new(),
    };
    let capabilities = capabilities(&text("/proc/self/status")?);
    Ok(Host { interfaces: interfaces()?, routes, resolvers, behind_stub, capabilities })
}

impl Host {
    /// Next hops of the default routes of a family, the preferred one first.
    pub fn gateways(&self, family: Family) -> Vec<IpAddr> {
        let mut routes: Vec<_> = self.default_routes(family).collect();
        routes.sort_by_key(|route| route.metric);
        routes.into_iter().filter_map(|route| route.gateway).collect()
    }

    /// Default routes of a family, with a next hop or without (a tunnel has none).
    pub fn default_routes(&self, family: Family) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |r| r.prefix == 0 && Family::of(r.destination) == family)
    }

    /// What there is of IPv6.
    pub fn ipv6(&self) -> Ipv6 {
        let addresses = self.interfaces.iter().filter(|i| i.is_running).flat_map(|i| &i.addresses);
        let global = addresses.filter_map(|(address, _)| match address {
            IpAddr::V6(v6) if v6.segments()[0] & 0xe000 == 0x2000 => Some(*v6),
            _ => None,
        });
        Ipv6 { global: global.collect(), has_default_route: self.default_routes(Family::V6).next().is_some() }
    }

    /// The address this host sends from towards a destination; an error of kind `NetworkUnreachable` where it
    /// has no route. Asks the kernel by connecting a datagram socket, which sends nothing.
    pub fn source_for(destination: IpAddr) -> io::Result<IpAddr> {
        let any: IpAddr = match destination {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        // Port 9 (discard) stands for any: no packet leaves.
        socket.connect(SocketAddr::new(destination, 9))?;
        Ok(socket.local_addr()?.ip())
    }

    /// The interface that has an address.
    pub fn interface_of(&self, address: IpAddr) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.addresses.iter().any(|(own, _)| *own == address))
    }
}

/// Reads the lines of `/proc/net/route`: addresses are four bytes in network order, printed as one number of
/// the machine.
pub fn ipv4_routes(text: &str) -> Vec<Route> {
    text.lines().skip(1).filter_map(ipv4_route).collect()
}

/// Reads the lines of `/proc/net/ipv6_route`; local addresses, cached entries and refusals are left out.
pub fn ipv6_routes(text: &str) -> Vec<Route> {
    text.lines().filter_map(ipv6_route).collect()
}

/// Reads the `nameserver` lines of a resolv.conf(5).
pub fn resolvers(text: &str) -> Vec<Resolver> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    });
    let parsed = lines.filter_map(|word| {
        let (address, scope) = match word.split_once('%') {
            Some((address, scope)) => (address, Some(scope.to_owned())),
            None => (word, None),
        };
        Some(Resolver { address: address.parse().ok()?, scope })
    });
    parsed.collect()
}

/// Reads the effective capabilities (`CapEff`) of a `/proc/<pid>/status`; none where the line is missing.
pub fn capabilities(status: &str) -> Capabilities {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    // Bit numbers of linux/capability.h.
    let has = |bit: u32| bits >> bit & 1 == 1;
    Capabilities { net_raw: has(13), net_admin: has(12), net_bind_service: has(10), sys_ptrace: has(19) }
}

const RTF_UP: u32 = 0x1;
const RTF_GATEWAY: u32 = 0x2;
const RTF_REJECT: u32 = 0x200;
const RTF_CACHE: u32 = 0x0100_0000;
const RTF_LOCAL: u32 = 0x8000_0000;

fn ipv4_route(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[interface, destination, gateway, flags, _, _, metric, mask, ..] = words.as_slice() else {
        return None;
    };
    let address = |hex| u32::from_str_radix(hex, 16).ok().map(|n| Ipv4Addr::from(n.to_ne_bytes()));
    let flags = u32::from_str_radix(flags, 16).ok()?;
    if flags & RTF_UP == 0 || flags & RTF_REJECT != 0 {
        return None;
    }
    let gateway = match flags & RTF_GATEWAY != 0 {
        true => Some(IpAddr::V4(address(gateway)?)),
        false => None,
    };
    Some(Route {
        destination: address(destination)?.into(),
        prefix: u8::try_from(u32::from(address(mask)?).leading_ones()).ok()?,
        gateway,
        interface: interface.to_owned(),
        metric: metric.parse().ok()?,
    })
}

fn ipv6_route(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[destination, prefix, _, _, gateway, metric, _, _, flags, interface] = words.as_slice() else {
        return None;
    };
    let address = |hex: &str| match hex.len() {
        32 => u128::from_str_radix(hex, 16).ok().map(Ipv6Addr::from),
        _ => None,
    };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let prefix = u8::from_str_radix(prefix, 16).ok().filter(|bits| *bits <= 128)?;
    if flags & RTF_UP == 0 || flags & (RTF_REJECT | RTF_CACHE | RTF_LOCAL) != 0 {
        return None;
    }
    let gateway = match flags & RTF_GATEWAY != 0 {
        true => Some(IpAddr::V6(address(gateway)?)),
        false => None,
    };
    let metric = u32::from_str_radix(metric, 16).ok()?;
    Some(Route {
        destination: address(destination)?.into(),
        prefix,
        gateway,
        interface: interface.to_owned(),
        metric,
    })
}

fn interfaces() -> io::Result<Vec<Interface>> {
    let mut list: Vec<Interface> = Vec::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let at = list.iter().position(|known| known.name == entry.interface_name).unwrap_or_else(|| {
            list.push(Interface {
                mtu: mtu(&entry.interface_name),
                is_running: entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING),
                is_loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                name: entry.interface_name,
                ..Interface::default()
            });
            list.len() - 1
        });
        let (Some(interface), Some(address)) = (list.get_mut(at), entry.address) else { continue };
        if let Some(link) = address.as_link_addr() {
            interface.mac = link.addr().filter(|mac| link.halen() == 6 && *mac != [0; 6]);
        } else if let Some(own) = ip(&address) {
            let mask = entry.netmask.as_ref().and_then(ip);
            interface.addresses.push((own, mask.map_or(0, prefix_length)));
        }
    }
    Ok(list)
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

fn prefix_length(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => u32::from(mask).leading_ones(),
        IpAddr::V6(mask) => u128::from(mask).leading_ones(),
    };
    // At most 128.
    u8::try_from(ones).unwrap_or(128)
}

fn mtu(interface: &str) -> Option<u32> {
    // The kernel lets no name with a slash exist, but an alias is text of somebody else.
    let is_plain = !interface.contains('/') && !interface.starts_with('.');
    is_plain
        .then(|| std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok())??
        .trim()
        .parse()
        .ok()
}

/// A file's text; nothing where there is no such file (a kernel without IPv6, a host without resolvers).
fn text(path: &str) -> io::Result<String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn reads_ipv4_routes() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0114110A\t0003\t0\t0\t100\t00000000\t0\t0\t0 \n\
            eth0\t0014110A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            wlan0\t00000000\t0101A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n\
            *\t000A0A0A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            broken line\n";
        let routes = ipv4_routes(text);
        assert_eq!(routes.len(), 3);
        assert_eq!((routes[1].destination, routes[1].prefix), (v4("10.17.20.0"), 24));
        assert_eq!(routes[1].gateway, None);
        let host = Host { routes, ..Host::default() };
        assert_eq!(host.gateways(Family::V4), [v4("192.168.1.1"), v4("10.17.20.1")]);
        assert_eq!(host.gateways(Family::V6), [] as [IpAddr; 0]);
    }

    #[test]
    fn reads_ipv6_routes_and_presence() {
        let text = "\
20010db8000100000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000004 00000000 80200001       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";
        let routes = ipv6_routes(text);
        assert_eq!(routes.len(), 2, "local address and refusal left out");
        assert_eq!((routes[0].destination, routes[0].prefix), (v4("2001:db8:1::"), 64));
        let mut host = Host { routes, ..Host::default() };
        assert_eq!(host.gateways(Family::V6), [v4("fe80::1")]);
        assert!(!host.ipv6().is_present(), "a route and no address");
        let addresses = vec![(v4("fe80::2"), 64), (v4("fd00::2"), 64)];
        host.interfaces.push(Interface { addresses, is_running: true, ..Interface::default() });
        assert!(!host.ipv6().is_present(), "neither a link-local nor a unique local address leads out");
        host.interfaces[0].addresses.push((v4("2001:db8:1::2"), 64));
        assert!(host.ipv6().is_present());
        host.interfaces[0].is_running = false;
        assert!(!host.ipv6().is_present());
    }

    #[test]
    fn reads_resolvers() {
        let text = "# nameserver 1.1.1.1\nsearch shop.example\nnameserver 10.17.20.1\nnameserver  fe80::1%eth0 \nnameserver x\n";
        let scope = Some("eth0".to_owned());
        let expected =
            [Resolver { address: v4("10.17.20.1"), scope: None }, Resolver { address: v4("fe80::1"), scope }];
        assert_eq!(resolvers(text), expected);
    }

    #[test]
    fn reads_capabilities() {
        let raw_only = capabilities("Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t0000000000002000\n");
        assert_eq!(raw_only, Capabilities { net_raw: true, ..Capabilities::default() });
        let root = capabilities("CapEff:\t000001ffffffffff\n");
        assert!(root.net_admin && root.net_bind_service && root.sys_ptrace);
        assert_eq!(capabilities("CapEff:\tzz\n"), Capabilities::default());
    }

    #[test]
    fn describes_this_host() {
        let host = host().unwrap();
        let loopback = host.interface_of(Ipv4Addr::LOCALHOST.into()).unwrap();
        assert!(loopback.is_loopback && loopback.addresses.contains(&(Ipv4Addr::LOCALHOST.into(), 8)));
        assert_eq!(Host::source_for(v4("127.0.0.9")).unwrap(), v4("127.0.0.1"));
    }

    #[test]
    fn no_bytes_make_the_parsers_panic() {
        let sample = "eth0\t00000000\t0114110A\t0003\t0\t0\t100\t00000000\t0\t0\t0\nnameserver fe80::1%a\nCapEff:\tff\n\
            20010db8000100000000000000000000 40 00 00 00 00000100 00000001 00000000 00000001 eth0\n";
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            let mut bytes = sample.as_bytes().to_vec();
            for _ in 0..4 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = (state >> 8) as usize % bytes.len();
                bytes[at] = state as u8;
            }
            let text = String::from_utf8_lossy(&bytes);
            ipv4_routes(&text);
            ipv6_routes(&text);
            resolvers(&text);
            capabilities(&text);
        }
    }
}
