//! Names of services by port, from IANA's registry (RFC 6335) and vendors' manuals, and what may be asked where.

use super::{Basis, Service};
use crate::observed::Transport;

/// The usual name of what listens on a port.
pub fn service_name(protocol: Transport, port: u16) -> Option<&'static str> {
    let table = match protocol {
        Transport::Tcp => TCP,
        Transport::Udp => UDP,
    };
    let at = table.binary_search_by_key(&port, |row| row.0).ok()?;
    table.get(at).map(|row| row.1)
}

/// Whether printers listen there and print, or act on, whatever they are sent: raw printing, LPD, IPP, and the
/// discovery of Epson (3289) and Star (22222) printers.
pub fn is_printing(port: u16) -> bool {
    matches!(port, 9100..=9109 | 515 | 631 | 3289 | 22222)
}

/// A service by the number of its port only.
pub(super) fn by_number(protocol: Transport, port: u16) -> Service {
    Service::new(service_name(protocol, port).unwrap_or("unknown"), Basis::Port)
}

/// What is asked of a TCP port that says nothing of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Http,
    Tls,
    Rtsp,
    Sip,
    Dns,
}

/// The questions for a silent TCP port, in order; none for services of binary protocols.
pub(super) fn questions(port: u16) -> &'static [Question] {
    use Question::*;
    match port {
        _ if is_printing(port) => &[],
        _ if BINARY.contains(&port) => &[],
        443 | 465 | 636 | 853 | 989 | 990 | 992 | 993 | 995 | 2083 | 3269 | 4443 | 5061 | 5223 | 5228
        | 5986 | 6514 | 6697 | 8006 | 8443 | 8883 | 9443 | 10443 | 12345 | 12346 => &[Tls, Http],
        554 | 8554 => &[Rtsp],
        5060 => &[Sip],
        53 => &[Dns],
        _ => &[Http, Tls],
    }
}

/// Client-first binary protocols, ZVT of card terminals among them: a line of text tells nothing and can disturb.
const BINARY: &[u16] = &[
    88, 102, 111, 135, 139, 179, 389, 445, 502, 512, 513, 514, 1433, 1494, 1521, 1720, 1723, 1883, 2000,
    2049, 2404, 3260, 3268, 3389, 4840, 5432, 5555, 5672, 6000, 7070, 11211, 20000, 20007, 22000, 27017,
    44818, 47808,
];

#[rustfmt::skip]
const TCP: &[(u16, &str)] = &[
    (7, "echo"), (9, "discard"), (13, "daytime"), (17, "qotd"), (19, "chargen"), (20, "ftp-data"), (21, "ftp"),
    (22, "ssh"), (23, "telnet"), (25, "smtp"), (37, "time"), (43, "nicname"), (49, "tacacs"), (53, "domain"),
    (70, "gopher"), (79, "finger"), (80, "http"), (81, "http"), (88, "kerberos"), (102, "iso-tsap"),
    (110, "pop3"), (111, "sunrpc"), (113, "auth"), (119, "nntp"), (135, "epmap"), (139, "netbios-ssn"),
    (143, "imap"), (179, "bgp"), (389, "ldap"), (427, "svrloc"), (443, "https"), (445, "microsoft-ds"),
    (464, "kpasswd"), (465, "submissions"), (502, "mbap"), (512, "exec"), (513, "login"), (514, "shell"),
    (515, "printer"), (548, "afpovertcp"), (554, "rtsp"), (587, "submission"), (623, "asf-rmcp"), (631, "ipp"),
    (636, "ldaps"), (646, "ldp"), (830, "netconf-ssh"), (853, "domain-s"), (873, "rsync"), (989, "ftps-data"),
    (990, "ftps"), (992, "telnets"), (993, "imaps"), (995, "pop3s"), (1080, "socks"), (1194, "openvpn"),
    (1433, "ms-sql-s"), (1494, "ica"), (1521, "oracle"), (1701, "l2tp"), (1720, "h323hostcall"), (1723, "pptp"),
    (1883, "mqtt"), (2000, "cisco-sccp"), (2049, "nfs"), (2083, "radsec"), (2121, "ftp"), (2181, "zookeeper"),
    (2222, "ssh"), (2323, "telnet"), (2375, "docker"), (2376, "docker-s"), (2404, "iec-104"),
    (2601, "zebra"), (3000, "http"), (3128, "squid"), (3260, "iscsi-target"), (3268, "msft-gc"),
    (3269, "msft-gc-ssl"), (3289, "enpc"), (3306, "mysql"), (3389, "ms-wbt-server"), (3478, "stun"),
    (4222, "nats"), (4443, "https"), (4786, "smart-install"), (4840, "opcua-tcp"), (4899, "radmin"),
    (5000, "http"), (5038, "asterisk-manager"), (5060, "sip"), (5061, "sips"), (5222, "xmpp-client"),
    (5223, "xmpp-client-s"), (5228, "google-push"), (5357, "wsdapi"), (5432, "postgresql"), (5555, "adb"),
    (5666, "nrpe"), (5672, "amqp"), (5800, "vnc-http"), (5900, "vnc"), (5901, "vnc"), (5902, "vnc"),
    (5985, "wsman"), (5986, "wsmans"), (6000, "x11"), (6379, "redis"), (6514, "syslog-tls"),
    (6667, "irc"), (6697, "ircs-u"), (7070, "anydesk"), (7547, "cwmp"), (8000, "http"), (8006, "proxmox"),
    (8008, "http"), (8009, "ajp13"), (8043, "https"), (8080, "http"), (8081, "http"), (8086, "influxdb"),
    (8088, "http"), (8123, "http"), (8291, "winbox"), (8443, "https"), (8554, "rtsp"), (8728, "routeros-api"),
    (8729, "routeros-api-s"), (8883, "mqtts"), (8888, "http"), (9000, "http"), (9090, "http"),
    (9100, "pdl-datastream"), (9101, "pdl-datastream"), (9102, "pdl-datastream"), (9103, "pdl-datastream"),
    (9104, "pdl-datastream"), (9105, "pdl-datastream"), (9106, "pdl-datastream"), (9107, "pdl-datastream"),
    (9108, "pdl-datastream"), (9109, "pdl-datastream"), (9200, "elasticsearch"), (9443, "https"),
    (10000, "webmin"), (10443, "https"), (11211, "memcache"), (12345, "pay-display"), (12346, "rest-pay-display"),
    (20000, "dnp"), (20007, "zvt"), (22000, "zvt"), (22222, "star-printer"), (27017, "mongodb"), (32400, "plex"), (37777, "dahua"),
    (44818, "ethernet-ip"), (47808, "bacnet"), (49152, "upnp"), (62078, "iphone-sync"),
];

#[rustfmt::skip]
const UDP: &[(u16, &str)] = &[
    (7, "echo"), (13, "daytime"), (17, "qotd"), (19, "chargen"), (37, "time"), (53, "domain"), (67, "bootps"),
    (68, "bootpc"), (69, "tftp"), (88, "kerberos"), (111, "sunrpc"), (123, "ntp"), (137, "netbios-ns"),
    (138, "netbios-dgm"), (161, "snmp"), (162, "snmptrap"), (177, "xdmcp"), (389, "ldap"), (427, "svrloc"),
    (443, "quic"), (500, "isakmp"), (514, "syslog"), (520, "router"), (623, "asf-rmcp"), (1194, "openvpn"),
    (1434, "ms-sql-m"), (1645, "radius"), (1646, "radius-acct"), (1701, "l2tp"), (1812, "radius"),
    (1813, "radius-acct"), (1900, "ssdp"), (2049, "nfs"), (3289, "enpc"), (3478, "stun"), (3702, "ws-discovery"),
    (4500, "ipsec-nat-t"), (5060, "sip"), (5061, "sips"), (5351, "nat-pmp"), (5353, "mdns"), (5355, "llmnr"),
    (5632, "pcanywhere"), (10001, "ubiquiti-discovery"), (11211, "memcache"), (22222, "star-printer"), (47808, "bacnet"),
    (51820, "wireguard"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for table in [TCP, UDP, &BINARY.iter().map(|p| (*p, "")).collect::<Vec<_>>()] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
        assert_eq!(service_name(Transport::Tcp, 22), Some("ssh"));
        assert_eq!(service_name(Transport::Udp, 161), Some("snmp"));
        assert_eq!(service_name(Transport::Udp, 22), None);
    }

    #[test]
    fn printers_are_never_asked() {
        for port in (9100..=9109).chain([515, 631, 3289, 22222]) {
            assert!(is_printing(port) && questions(port).is_empty(), "{port}");
        }
        assert!(!is_printing(9099) && !is_printing(9110));
        assert!(questions(445).is_empty());
        assert_eq!(questions(5060), [Question::Sip]);
    }
}
