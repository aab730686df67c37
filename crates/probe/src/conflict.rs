//! Who holds the TCP and UDP ports that a payment application needs on this host. Linux only: reads `/proc`.

use crate::outcome::{Detail, Fault, Reach, Report};
use rustix::fs::{Mode, OFlags, RawDir};
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tillgate_model::{FindingId, Protocol, Text};

/// A socket that holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Port.
    pub port: u16,
    /// The address it is bound to; unspecified for all.
    pub address: IpAddr,
    /// The process; `None` where it cannot be seen: another user's, and this one has no CAP_SYS_PTRACE.
    pub pid: Option<u32>,
    /// The name of its executable.
    pub program: Option<String>,
    /// Who opened the socket.
    pub user: u32,
}

/// A line of `/proc/net/{tcp,tcp6,udp,udp6}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Own end.
    pub local: SocketAddr,
    /// Far end; port 0 where there is none.
    pub remote: SocketAddr,
    /// State by the kernel's number (1 established, 10 listening; 7 for an unconnected UDP socket).
    pub state: u8,
    /// Bytes sent and not yet acknowledged, or not yet sent.
    pub unacknowledged: u32,
    /// User id of the owner.
    pub user: u32,
    /// Number of the socket; 0 for one that no process holds any more.
    pub inode: u64,
}

/// Finds the sockets that hold any of these ports: TCP listeners, and UDP sockets of any kind. Reads `/proc`
/// once and blocks for some milliseconds. Permissions decide whose process is seen, see [`Holder::pid`].
pub fn holders(ports: &[(Protocol, u16)]) -> io::Result<Vec<Holder>> {
    let mut found: Vec<(u64, Holder)> = Vec::new();
    let tables =
        [("tcp", Protocol::TCP), ("tcp6", Protocol::TCP), ("udp", Protocol::UDP), ("udp6", Protocol::UDP)];
    for (name, protocol) in tables {
        if !ports.iter().any(|(wanted, _)| *wanted == protocol) {
            continue;
        }
        let table = match std::fs::read_to_string(format!("/proc/net/{name}")) {
            Ok(table) => table,
            // A kernel without IPv6 has no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.extend(holding(&table, protocol, ports));
    }
    name_processes(&mut found)?;
    Ok(found.into_iter().map(|(_, holder)| holder).collect())
}

/// The lines of a table that hold one of the ports, with their inodes.
pub fn holding(table: &str, protocol: Protocol, ports: &[(Protocol, u16)]) -> Vec<(u64, Holder)> {
    let is_wanted = |line: &Line| ports.contains(&(protocol, line.local.port()));
    let is_holding = |line: &Line| protocol == Protocol::UDP || line.state == LISTENING;
    let lines = lines(table).filter(|line| is_wanted(line) && is_holding(line));
    let holders = lines.map(|line| {
        let (port, address) = (line.local.port(), line.local.ip().to_canonical());
        (line.inode, Holder { protocol, port, address, pid: None, program: None, user: line.user })
    });
    holders.collect()
}

/// Reads a table of `/proc/net`; what is no line of one is passed over.
pub fn lines(table: &str) -> impl Iterator<Item = Line> {
    table.lines().skip(1).filter_map(line)
}

/// The judgement over some ports: a fault for each that another program holds. `expected` is the name of the
/// program that should hold them; without it every holder is in the way.
pub fn report(holders: &[Holder], expected: Option<&str>) -> Report {
    let mut report = Report::of(Reach::Passes);
    let others = holders.iter().filter(|h| expected.is_none() || h.program.as_deref() != expected);
    for holder in others {
        // An unknown program may be the expected one.
        let is_sure = holder.program.is_some() || expected.is_none();
        report.faults.push(Fault { id: FindingId::PortConflict, text: text(holder), is_sure });
    }
    let is_unseen = |f: &Fault| !f.is_sure;
    if let Some(fault) = report.faults.iter().find(|f| f.is_sure) {
        report.reach = Reach::Broken(fault.text.clone());
    } else if report.faults.iter().any(is_unseen) {
        report.reach = Reach::Undecided(Text::new("probe-port-holder-unseen"));
    }
    let words = holders.iter().map(|h| {
        let program = h.program.as_deref().unwrap_or("?");
        let pid = h.pid.map_or("?".to_owned(), |pid| pid.to_string());
        format!("{}/{} {} {program} {pid}", h.port, h.protocol, h.address)
    });
    let words: Vec<String> = words.collect();
    if !words.is_empty() {
        report.details.insert("holders", Detail::List(words));
    }
    report
}

/// TCP_LISTEN of the kernel.
const LISTENING: u8 = 10;

fn text(holder: &Holder) -> Text {
    let id = match holder.pid {
        Some(_) => "probe-port-held",
        None => "probe-port-held-unseen",
    };
    let text = Text::new(id)
        .arg("port", format!("{}/{}", holder.port, holder.protocol))
        .arg("address", holder.address)
        .arg("user", holder.user);
    match holder.pid {
        Some(pid) => text.arg("program", holder.program.as_deref().unwrap_or("?")).arg("pid", pid),
        None => text,
    }
}

fn line(line: &str) -> Option<Line> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = socket_address(words.next()?)?;
    let remote = socket_address(words.next()?)?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let (sending, _) = words.next()?.split_once(':')?;
    let unacknowledged = u32::from_str_radix(sending, 16).ok()?;
    let user = words.nth(2)?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    Some(Line { local, remote, state, unacknowledged, user, inode })
}

/// Addresses are words of four bytes in network order, each printed as a number of the machine.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// Walks the open files of all processes that may be seen, until every socket has its process. A socket shared
/// by several is given to the one with the lowest id: a server's workers inherit it.
fn name_processes(sockets: &mut [(u64, Holder)]) -> io::Result<()> {
    let mut missing: HashMap<u64, Vec<&mut Holder>> = HashMap::new();
    for (inode, holder) in sockets.iter_mut().filter(|(inode, _)| *inode != 0) {
        missing.entry(*inode).or_default().push(holder);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let entries = std::fs::read_dir("/proc")?.flatten();
    let mut pids: Vec<u32> = entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    for pid in pids {
        let mut name = None;
        for_each_socket(pid, |inode| {
            for holder in missing.remove(&inode).unwrap_or_default() {
                holder.pid = Some(pid);
                holder.program = name.get_or_insert_with(|| program(pid)).clone();
            }
        });
        if missing.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Says the inodes of the sockets that a process has open; nothing for another user's, or one that has ended
/// meanwhile. Links are read relative to the folder: there are thousands, and each whole path costs twice as much.
fn for_each_socket(pid: u32, mut found: impl FnMut(u64)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(format!("/proc/{pid}/fd"), flags, Mode::empty()) else { return };
    let mut room = [MaybeUninit::uninit(); 8192];
    let mut files = RawDir::new(&folder, &mut room);
    while let Some(Ok(file)) = files.next() {
        // A longer link is none to a socket.
        let mut room = [MaybeUninit::uninit(); 32];
        if let Ok((link, _)) = rustix::fs::readlinkat_raw(&folder, file.file_name(), &mut room)
            && let Some(inode) = socket_inode(link)
        {
            found(inode);
        }
    }
}

fn socket_inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The executable's file name; the kernel's short name (15 bytes) where the link may not be read.
fn program(pid: u32) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let name =
        link.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    // The kernel marks an executable that an update has replaced.
    let name = name.map(|n| n.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(n));
    name.or_else(|| {
        let short = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
        Some(String::from_utf8_lossy(&short).trim_end().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:3039 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 635 1 00000000573afd7c 100 0 0 10 0
   1: 020200C0:3039 507100CB:0050 01 00000400:00000000 01:00001535 00000002     0        0 77 3 00000000f3dc2f26
   2: 0100007F:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 636 1 00000000573afd7c 100 0 0 10 0
";
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:238C 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 901 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn reads_tables() {
        let ports = [(Protocol::TCP, 12345), (Protocol::UDP, 443), (Protocol::TCP, 9100)];
        let held = holding(TCP, Protocol::TCP, &ports);
        assert_eq!(held.len(), 1, "a connection from the port is no listener, 443 was asked for UDP");
        let (inode, holder) = &held[0];
        assert_eq!((*inode, holder.port, holder.user), (635, 12345, 1000));
        assert_eq!(holding(TCP6, Protocol::TCP, &ports)[0].1.address, IpAddr::V6(Ipv6Addr::LOCALHOST));
        let connection = lines(TCP).nth(1).unwrap();
        assert_eq!(connection.unacknowledged, 1024);
        assert_eq!(connection.remote, "203.0.113.80:80".parse().unwrap());
    }

    #[test]
    fn names_this_process() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0")).unwrap();
        let ports = [
            (Protocol::TCP, tcp.local_addr().unwrap().port()),
            (Protocol::UDP, udp.local_addr().unwrap().port()),
        ];
        let held = holders(&ports).unwrap();
        for (protocol, port) in ports {
            let own = held.iter().find(|h| h.protocol == protocol && h.port == port).unwrap();
            assert_eq!(own.pid, Some(std::process::id()));
            assert!(own.program.is_some());
        }
        drop((tcp, udp));
        let own = |h: &&Holder| h.pid == Some(std::process::id());
        assert_eq!(holders(&ports[..1]).unwrap().iter().filter(own).count(), 0);
    }

    #[test]
    fn judges_by_the_expected_program() {
        let holder = |program: Option<&str>| Holder {
            protocol: Protocol::TCP,
            port: 12345,
            address: Ipv4Addr::UNSPECIFIED.into(),
            pid: program.map(|_| 7),
            program: program.map(str::to_owned),
            user: 0,
        };
        assert_eq!(report(&[], None), Report::of(Reach::Passes));
        let conflict = report(&[holder(Some("nginx"))], Some("posd"));
        assert_eq!(conflict.faults[0].id, FindingId::PortConflict);
        assert_eq!(conflict.reach.name(), "broken");
        let own = report(&[holder(Some("posd"))], Some("posd"));
        assert!(own.faults.is_empty() && own.reach == Reach::Passes);
        let unseen = report(&[holder(None)], Some("posd"));
        assert!(!unseen.faults[0].is_sure);
        assert_eq!(unseen.faults[0].text.id, "probe-port-held-unseen");
        assert_eq!(unseen.reach.name(), "undecided");
        assert!(report(&[holder(None)], None).faults[0].is_sure, "held, by whomever");
    }

    #[test]
    fn no_bytes_make_the_parser_panic() {
        let mut state = 0x2545_f491_4f6c_dd1du64;
        for _ in 0..20_000 {
            let mut bytes = [TCP, TCP6].concat().into_bytes();
            for _ in 0..6 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = (state >> 8) as usize % bytes.len();
                bytes[at] = state as u8;
            }
            lines(&String::from_utf8_lossy(&bytes)).count();
            socket_inode(&bytes[..12]);
        }
    }
}
