//! Service objects and groups, and those a unit has from the start.

use super::address::span;
use super::config::Block;
use std::collections::HashSet;
use tillgate_model::{Family, Protocol, Ranges};
use tillgate_packetset::{Cube, Field};

/// What a list of services stands for.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Products of protocol, ports, types and sometimes destinations.
    pub cubes: Vec<Cube>,
    /// The same, for destinations that only the unit knows.
    pub maybe: Vec<Cube>,
    /// What only the unit knows is among them.
    pub open: bool,
}

/// Services a unit has without printing them (CLI Reference, config firewall service custom): protocol, then ports with
/// the source behind a colon.
const PREDEFINED: &[(&str, &str)] = &[
    ("AFS3", "tcp 7000-7009 udp 7000-7009"),
    ("AH", "ip 51"),
    ("ALL", "any"),
    ("ALL_ICMP", "icmp"),
    ("ALL_ICMP6", "icmp6"),
    ("ALL_TCP", "tcp 1-65535"),
    ("ALL_UDP", "udp 1-65535"),
    ("AOL", "tcp 5190-5194"),
    ("BGP", "tcp 179"),
    ("CVSPSERVER", "tcp 2401 udp 2401"),
    ("DCE-RPC", "tcp 135 udp 135"),
    ("DHCP", "udp 67-68"),
    ("DHCP6", "udp 546 547"),
    ("DNS", "tcp 53 udp 53"),
    ("ESP", "ip 50"),
    ("FINGER", "tcp 79"),
    ("FTP", "tcp 21"),
    ("FTP_GET", "tcp 21"),
    ("FTP_PUT", "tcp 21"),
    ("GOPHER", "tcp 70"),
    ("GRE", "ip 47"),
    ("H323", "tcp 1720 1503 udp 1719"),
    ("HTTP", "tcp 80"),
    ("HTTPS", "tcp 443"),
    ("IKE", "udp 500 4500"),
    ("IMAP", "tcp 143"),
    ("IMAPS", "tcp 993"),
    ("INFO_ADDRESS", "icmp 17"),
    ("INFO_REQUEST", "icmp 15"),
    ("IRC", "tcp 6660-6669"),
    ("Internet-Locator-Service", "tcp 389"),
    ("KERBEROS", "tcp 88 464 udp 88 464"),
    ("L2TP", "tcp 1701 udp 1701"),
    ("LDAP", "tcp 389"),
    ("LDAP_UDP", "udp 389"),
    ("MGCP", "tcp 2428 udp 2427 2727"),
    ("MMS", "tcp 1755 udp 1024-5000"),
    ("MS-SQL", "tcp 1433 1434"),
    ("MYSQL", "tcp 3306"),
    ("NFS", "tcp 111 2049 udp 111 2049"),
    ("NNTP", "tcp 119"),
    ("NONE", "tcp 0"),
    ("NTP", "tcp 123 udp 123"),
    ("NetMeeting", "tcp 1720"),
    ("ONC-RPC", "tcp 111 udp 111"),
    ("OSPF", "ip 89"),
    ("PC-Anywhere", "tcp 5631 udp 5632"),
    ("PING", "icmp 8"),
    ("PING6", "icmp6 128"),
    ("POP3", "tcp 110"),
    ("POP3S", "tcp 995"),
    ("PPTP", "tcp 1723"),
    ("QUAKE", "udp 26000 27000 27910 27960"),
    ("RADIUS", "udp 1812 1813"),
    ("RADIUS-OLD", "udp 1645 1646"),
    ("RAUDIO", "udp 7070"),
    ("RDP", "tcp 3389"),
    ("REXEC", "tcp 512"),
    ("RIP", "udp 520"),
    ("RLOGIN", "tcp 513:512-1023"),
    ("RSH", "tcp 514:512-1023"),
    ("RTSP", "tcp 554 7070 8554 udp 554"),
    ("SAMBA", "tcp 139"),
    ("SCCP", "tcp 2000"),
    ("SIP", "tcp 5060 udp 5060"),
    ("SIP-MSNmessenger", "tcp 1863"),
    ("SMB", "tcp 445"),
    ("SMTP", "tcp 25"),
    ("SMTPS", "tcp 465"),
    ("SNMP", "tcp 161-162 udp 161-162"),
    ("SOCKS", "tcp 1080 udp 1080"),
    ("SQUID", "tcp 3128"),
    ("SSH", "tcp 22"),
    ("SYSLOG", "udp 514"),
    ("TALK", "udp 517-518"),
    ("TELNET", "tcp 23"),
    ("TFTP", "udp 69"),
    ("TIMESTAMP", "icmp 13"),
    ("TRACEROUTE", "udp 33434-33535"),
    ("UUCP", "tcp 540"),
    ("VDOLIVE", "tcp 7000-7010"),
    ("VNC", "tcp 5900"),
    ("WAIS", "tcp 210"),
    ("WINFRAME", "tcp 1494 2598"),
    ("WINS", "tcp 1512 udp 1512"),
    ("X-WINDOWS", "tcp 6000-6063"),
];

const GROUPS: &[(&str, &[&str])] = &[
    ("Email Access", &["DNS", "IMAP", "IMAPS", "POP3", "POP3S", "SMTP", "SMTPS"]),
    ("Exchange Server", &["DCE-RPC", "DNS", "HTTPS"]),
    ("Web Access", &["DNS", "HTTP", "HTTPS"]),
    ("Windows AD", &["DCE-RPC", "DNS", "KERBEROS", "LDAP", "LDAP_UDP", "SAMBA", "SMB"]),
];

/// A protocol.
pub fn protocol(protocol: Protocol) -> Option<Cube> {
    Cube::all().at(Field::Protocol, protocol.0.into())
}

/// `443`, `8000-8010`.
pub fn ports(text: &str) -> Option<Ranges> {
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let (lo, hi) = (lo.parse::<u16>().ok()?, hi.parse::<u16>().ok()?);
    (lo <= hi).then(|| Ranges::span(lo.into(), hi.into()))
}

/// `443:1024-65535`: destination, and source behind the colon.
fn ported(of: Protocol, text: &str) -> Option<Cube> {
    let (destination, source) = text.split_once(':').map_or((text, None), |(d, s)| (d, Some(s)));
    let cube = protocol(of)?.with(Field::DestinationPort, &ports(destination)?)?;
    match source {
        None => Some(cube),
        Some(source) => cube.with(Field::SourcePort, &ports(source)?),
    }
}

fn icmp(family: Family, kind: Option<u8>, code: Option<u8>) -> Option<Cube> {
    let of = if family == Family::V4 { Protocol::ICMP } else { Protocol::ICMPV6 };
    let mut cube = protocol(of)?;
    if let Some(kind) = kind {
        cube = cube.at(Field::SourcePort, kind.into())?;
    }
    match code {
        Some(code) => cube.at(Field::DestinationPort, code.into()),
        None => Some(cube),
    }
}

fn predefined(text: &str) -> Vec<Cube> {
    let mut out = Vec::new();
    let mut kind = "";
    let mut bare = true;
    let whole = |kind: &str| match kind {
        "any" => Some(Cube::all()),
        "icmp" => icmp(Family::V4, None, None),
        "icmp6" => icmp(Family::V6, None, None),
        _ => None,
    };
    for word in text.split(' ') {
        if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            (kind, bare) = (word, true);
            continue;
        }
        bare = false;
        let number = word.parse::<u8>().ok();
        out.extend(match kind {
            "tcp" => ported(Protocol::TCP, word),
            "udp" => ported(Protocol::UDP, word),
            "ip" => number.and_then(|n| protocol(Protocol(n))),
            "icmp" => icmp(Family::V4, number, None),
            _ => icmp(Family::V6, number, None),
        });
    }
    if bare {
        out.extend(whole(kind));
    }
    out
}

impl Services {
    pub fn join(&mut self, other: Services) {
        self.cubes.extend(other.cubes);
        self.maybe.extend(other.maybe);
        self.open |= other.open;
    }
}

/// Whether a unit has a service or group of this name from the start.
pub fn predefined_name(name: &str) -> bool {
    PREDEFINED.iter().any(|(n, _)| *n == name) || GROUPS.iter().any(|(n, _)| *n == name)
}

/// A service or group of a virtual domain that stands for just this: every cube of `base`, with these destination ports
/// or types; the one with the shortest name.
pub fn exactly<'b>(vdom: &'b Block, base: &Cube, ports: Option<&Ranges>) -> Option<&'b str> {
    let own = vdom.table("firewall service custom").iter().map(|e| e.name.as_str());
    // What HTTPS is depends on the release where the file does not say it.
    let others = PREDEFINED.iter().map(|(name, _)| *name).filter(|name| *name != "HTTPS");
    let fits = |name: &&str| {
        let Some(found) = lookup(vdom, name) else { return false };
        let same = |cube: &Cube| cube.clone().without(Field::DestinationPort) == *base;
        let mut all = Some(Ranges::empty());
        for cube in &found.cubes {
            all = all.zip(cube.ranges(Field::DestinationPort)).map(|(all, own)| all.union(own));
        }
        !found.open
            && found.maybe.is_empty()
            && !found.cubes.is_empty()
            && found.cubes.iter().all(same)
            && all.as_ref() == ports
    };
    own.chain(others).filter(fits).min_by_key(|name| (name.len(), *name))
}

/// The service of a name in a virtual domain; `None` when there is none.
pub fn lookup<'a>(vdom: &'a Block, name: &'a str) -> Option<Services> {
    let mut all = Services::default();
    let mut seen = HashSet::new();
    let mut todo = vec![name];
    while let Some(name) = todo.pop() {
        if !seen.insert(name) {
            continue;
        }
        if let Some(entry) = vdom.entry("firewall service custom", name) {
            all.join(object(&entry.block));
        } else if let Some(group) = vdom.entry("firewall service group", name) {
            todo.extend(group.block.values("member").iter().rev().map(String::as_str));
        } else if let Some((_, list)) = GROUPS.iter().find(|(n, _)| *n == name) {
            todo.extend(list.iter().rev());
        } else if let Some((_, known)) = PREDEFINED.iter().find(|(n, _)| *n == name) {
            all.cubes.extend(predefined(known));
        } else if seen.len() == 1 {
            return None;
        } else {
            all.open = true;
        }
    }
    Some(all)
}

fn object(block: &Block) -> Services {
    let mut out = Services::default();
    let number = |key: &str| block.get(key).and_then(|v| v.parse::<u8>().ok());
    match block.get("protocol").unwrap_or("TCP/UDP/SCTP") {
        "ICMP" => out.cubes.extend(icmp(Family::V4, number("icmptype"), number("icmpcode"))),
        "ICMP6" => out.cubes.extend(icmp(Family::V6, number("icmptype"), number("icmpcode"))),
        "IP" => match number("protocol-number") {
            None | Some(0) => out.cubes.push(Cube::all()),
            Some(n) => out.cubes.extend(protocol(Protocol(n))),
        },
        kind if kind.starts_with("TCP/UDP") => {
            for (key, of) in [
                ("tcp-portrange", 6),
                ("udp-portrange", 17),
                ("sctp-portrange", 132),
                ("udplite-portrange", 136),
            ] {
                for value in block.values(key) {
                    match ported(Protocol(of), value) {
                        Some(cube) => out.cubes.push(cube),
                        None => out.open = true,
                    }
                }
            }
        }
        // The explicit proxy's own.
        _ => out.open = true,
    }
    out.open |= block.get("app-service-type").is_some_and(|t| t != "disable") || block.on("proxy");
    if block.get("fqdn").is_some_and(|f| !f.is_empty()) {
        return Services { cubes: Vec::new(), maybe: out.cubes, open: out.open };
    }
    if let Some(range) = block.get("iprange").filter(|r| *r != "0.0.0.0") {
        let Some(ranges) = span(Family::V4, range) else { return Services { open: true, ..out } };
        out.cubes = out.cubes.into_iter().filter_map(|c| c.with(Field::Destination, &ranges)).collect();
    }
    out
}
