//! What a scan saw, as plain data that one line of JSON holds (`tillgate.scan/1`).
//!
//! A scan also says what it asked and whether it saw everything: without that, "not there" means nothing.

use crate::service::Service;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_model::{Arg, Protocol, Text};

/// The schema of a scan in JSON.
pub const SCHEMA: &str = "tillgate.scan/1";

/// A transport with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

impl Transport {
    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }

    /// Its IP protocol number.
    pub fn protocol(self) -> Protocol {
        match self {
            Transport::Tcp => Protocol::TCP,
            Transport::Udp => Protocol::UDP,
        }
    }
}

/// A scan of the segments of a site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// Always [`SCHEMA`]; another one is not read.
    pub schema: Schema,
    /// When it began, in seconds since 1970 (UTC).
    pub at: i64,
    /// Site name.
    pub site: String,
    /// The segment it was run from, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The scanning host's own addresses: what stands there is never judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scanner: Vec<IpAddr>,
    /// Where it looked.
    pub segments: Vec<Segment>,
    /// What it asked every device; a port outside is neither open nor closed.
    pub asked: Vec<PortSpan>,
    /// What it found, sorted.
    pub devices: Vec<Device>,
    /// Whether it saw all answers to all it asked. After a drop it is false.
    pub is_complete: bool,
    /// What should be known about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// The marker of the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schema;

impl From<Schema> for String {
    fn from(_: Schema) -> String {
        SCHEMA.to_string()
    }
}

impl TryFrom<String> for Schema {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == SCHEMA { Ok(Schema) } else { Err(format!("schema is not {SCHEMA}")) }
    }
}

/// A segment that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Segment {
    /// Its name in the estate.
    pub name: String,
    /// What was looked at of it.
    pub prefixes: Vec<IpNet>,
    /// Whether every address of these was asked, and every answer seen.
    pub is_complete: bool,
}

/// Ports that were asked, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortSpan {
    /// TCP or UDP.
    pub protocol: Transport,
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

impl PortSpan {
    /// Whether a port is in it.
    pub fn contains(&self, protocol: Transport, port: u16) -> bool {
        self.protocol == protocol && (self.first..=self.last).contains(&port)
    }
}

/// A device on the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Hardware address, where the scan stood in the same segment.
    #[serde(default, with = "mac", skip_serializing_if = "Option::is_none")]
    pub mac: Option<[u8; 6]>,
    /// Addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// The segment it stands in, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Names it gave or that lead to it, lower case, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Who the hardware address is registered to. Often the maker of a network module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// How it asks for an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<DhcpFingerprint>,
    /// Open ports, sorted.
    pub ports: Vec<OpenPort>,
    /// Every port answers, ones nobody uses too: something in between answers, and `ports` says nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub answers_everything: bool,
    /// Whether all ports asked of it have their answer, or their silence after every retry.
    pub is_complete: bool,
}

/// How a device asks for an address (RFC 2132 sections 9.8 and 9.13).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DhcpFingerprint {
    /// Option 60, printable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_class: Option<String>,
    /// Option 55 in the order sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<u8>,
}

/// An open port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenPort {
    /// TCP or UDP.
    pub protocol: Transport,
    /// Number.
    pub port: u16,
    /// What answers there; `None` where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// When it was first seen open, in seconds since 1970.
    pub first: i64,
}

/// Something that should be known about a scan: the id of a text and its arguments, so that it can be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// Fluent id.
    pub id: String,
    /// Arguments by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
}

impl From<&Text> for Note {
    fn from(text: &Text) -> Note {
        let word = |arg: &Arg| match arg {
            Arg::Str(text) => text.clone(),
            Arg::Num(number) => number.to_string(),
            Arg::Text(inner) => inner.id.to_string(),
        };
        let arguments = text.args.iter().map(|(name, arg)| (name.to_string(), word(arg))).collect();
        Note { id: text.id.to_string(), arguments }
    }
}

impl Scan {
    /// An empty, complete scan.
    pub fn new(site: impl Into<String>, at: i64) -> Scan {
        Scan { site: site.into(), at, is_complete: true, ..Scan::default() }
    }

    /// Brings everything into its one order and drops repetitions, so that equal scans are equal texts.
    pub fn sort(&mut self) {
        self.scanner.sort_unstable();
        self.scanner.dedup();
        self.segments.iter_mut().for_each(|s| s.prefixes.sort_unstable());
        self.segments.sort();
        self.asked = merged(&self.asked);
        self.notes.sort();
        self.notes.dedup();
        self.devices.iter_mut().for_each(Device::sort);
        self.devices.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    /// Fills in the segment of devices that have none, by the prefixes of the segments looked at.
    pub fn place(&mut self) {
        for device in self.devices.iter_mut().filter(|d| d.segment.is_none()) {
            let inside = |s: &&Segment| {
                device.addresses.iter().any(|a| s.prefixes.iter().any(|prefix| prefix.contains(a)))
            };
            device.segment = self.segments.iter().find(inside).map(|s| s.name.clone());
        }
    }

    /// Whether a port was asked of every device.
    pub fn asked(&self, protocol: Transport, port: u16) -> bool {
        self.asked.iter().any(|span| span.contains(protocol, port))
    }

    /// Whether everything in a segment would have been seen. Without a segment: in all of them.
    pub fn covers(&self, segment: Option<&str>) -> bool {
        self.is_complete
            && match segment {
                Some(name) => self.segments.iter().any(|s| s.name == name && s.is_complete),
                None => self.segments.iter().all(|s| s.is_complete),
            }
    }

    /// The scan as one line of JSON, without the line's end.
    ///
    /// # Errors
    /// None in practice: every field has a JSON form.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a line of JSON; fields of later versions are passed over.
    ///
    /// # Errors
    /// The place and reason, for anything that is not a scan of this schema.
    pub fn from_line(line: &str) -> Result<Scan, serde_json::Error> {
        let mut scan: Scan = serde_json::from_str(line)?;
        scan.sort();
        Ok(scan)
    }
}

impl Device {
    fn key(&self) -> impl Ord + '_ {
        (&self.addresses, self.mac, &self.names, &self.segment, &self.ports)
    }

    /// Sorts addresses, names and ports, and drops repetitions; names lose their case and final dot.
    pub fn sort(&mut self) {
        self.addresses.sort_unstable();
        self.addresses.dedup();
        self.names.iter_mut().for_each(|name| *name = name.trim().trim_end_matches('.').to_lowercase());
        self.names.retain(|name| !name.is_empty());
        self.names.sort_unstable();
        self.names.dedup();
        // Of two entries for a port the one that knows more stays, with the earlier time.
        self.ports.sort_by_key(|p| (p.protocol, p.port, p.service.is_none(), p.first));
        self.ports.dedup_by(|later, kept| {
            let same = (later.protocol, later.port) == (kept.protocol, kept.port);
            if same {
                kept.first = kept.first.min(later.first);
            }
            same
        });
    }

    /// An open port by number.
    pub fn port(&self, protocol: Transport, port: u16) -> Option<&OpenPort> {
        self.ports.iter().find(|p| p.protocol == protocol && p.port == port)
    }
}

/// A hardware address as text, `aa:bb:cc:dd:ee:ff`.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Reads a hardware address with `:`, `-`, `.` or nothing between its digits.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut bits = 0_u64;
    let mut digits = 0;
    for c in text.chars().filter(|c| !matches!(c, ':' | '-' | '.')) {
        bits = bits.checked_mul(16)? | u64::from(c.to_digit(16)?);
        digits += 1;
    }
    let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
    (digits == 12).then_some([a, b, c, d, e, f])
}

/// Whether an address was made up by the device or its administrator (IEEE 802c, the second lowest bit of the
/// first byte): phones change it from network to network.
pub fn is_local_mac(mac: [u8; 6]) -> bool {
    mac[0] & 0x02 != 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The fewest spans that hold the same ports.
fn merged(spans: &[PortSpan]) -> Vec<PortSpan> {
    let mut sorted: Vec<PortSpan> = spans.iter().copied().filter(|s| s.first <= s.last).collect();
    sorted.sort_unstable();
    let mut out: Vec<PortSpan> = Vec::new();
    for span in sorted {
        match out.last_mut() {
            Some(last) if last.protocol == span.protocol && span.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(span.last);
            }
            _ => out.push(span),
        }
    }
    out
}

mod mac {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(mac: &Option<[u8; 6]>, to: S) -> Result<S::Ok, S::Error> {
        match mac {
            Some(mac) => to.serialize_str(&super::mac_text(*mac)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 6]>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::parse_mac(&text).ok_or(D::Error::custom("not a hardware address"))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Basis, Service};

    fn scan() -> Scan {
        let mut scan = Scan::new("bistro", 1_800_000_000);
        scan.segments.push(Segment {
            name: "pos".into(),
            prefixes: vec!["10.17.20.0/24".parse().unwrap()],
            is_complete: true,
        });
        scan.asked = [(1, 100), (101, 1000), (9100, 9100)]
            .map(|(first, last)| PortSpan { protocol: Transport::Tcp, first, last })
            .to_vec();
        let open = |port| OpenPort { protocol: Transport::Tcp, port, service: None, first: 7 };
        let mut named = open(22);
        named.service = Some(Service { version: Some("x".into()), ..Service::new("ssh", Basis::Greeting) });
        named.first = 9;
        scan.devices = vec![
            Device {
                mac: Some([0xd4, 0x95, 0x24, 0, 0x17, 0x11]),
                addresses: vec!["fe80::1".parse().unwrap(), "10.17.20.11".parse().unwrap()],
                names: vec!["Counter-1.".into(), "counter-1".into()],
                ports: vec![open(443), open(22), named],
                is_complete: true,
                ..Device::default()
            },
            Device { addresses: vec!["10.17.20.9".parse().unwrap()], ..Device::default() },
        ];
        scan
    }

    #[test]
    fn a_scan_comes_back_from_its_line() {
        let mut scan = scan();
        scan.place();
        scan.sort();
        let line = scan.to_line().unwrap();
        assert!(!line.contains('\n') && line.starts_with(r#"{"schema":"tillgate.scan/1","at":1800000000"#));
        assert!(line.contains(r#""mac":"d4:95:24:00:17:11""#), "{line}");
        assert_eq!(Scan::from_line(&line).unwrap(), scan);
        let later = line.replacen('{', r#"{"colour":"blue","#, 1);
        assert_eq!(Scan::from_line(&later).unwrap(), scan, "unknown fields are passed over");
        assert!(Scan::from_line(&line.replace("scan/1", "scan/2")).is_err());
        assert!(Scan::from_line(&line.replace("00:17:11", "00:17")).is_err());
    }

    #[test]
    fn order_is_one() {
        let mut scan = scan();
        scan.sort();
        assert_eq!(scan.asked.len(), 2);
        assert_eq!(scan.devices[0].addresses[0].to_string(), "10.17.20.9");
        let device = &scan.devices[1];
        assert_eq!(device.names, ["counter-1"]);
        assert_eq!(device.ports.iter().map(|p| p.port).collect::<Vec<_>>(), [22, 443]);
        let ssh = device.port(Transport::Tcp, 22).unwrap();
        assert!(ssh.service.is_some() && ssh.first == 7, "known service, earlier time");
        let mut twice = scan.clone();
        twice.devices.reverse();
        twice.sort();
        assert_eq!(twice, scan);
    }

    #[test]
    fn what_was_asked_and_covered() {
        let mut scan = scan();
        scan.place();
        assert_eq!(scan.devices[0].segment.as_deref(), Some("pos"));
        assert!(scan.asked(Transport::Tcp, 101) && !scan.asked(Transport::Udp, 101));
        assert!(scan.covers(Some("pos")) && scan.covers(None) && !scan.covers(Some("office")));
        scan.segments[0].is_complete = false;
        assert!(!scan.covers(Some("pos")));
    }

    #[test]
    fn hardware_addresses() {
        let mac = [0x00, 0x11, 0x62, 0x00, 0x17, 0x40];
        for text in ["00:11:62:00:17:40", "00-11-62-00-17-40", "0011.6200.1740", "001162001740"] {
            assert_eq!(parse_mac(text), Some(mac), "{text}");
        }
        for text in ["", "00:11:62:00:17", "00:11:62:00:17:4g", "00:11:62:00:17:40:ff:ff:ff:ff:ff"] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
        assert_eq!(mac_text(mac), "00:11:62:00:17:40");
        assert!(is_local_mac([0x52, 0x54, 0, 0, 0, 1]) && !is_local_mac(mac));
    }

    #[test]
    fn notes_keep_texts() {
        let note = Note::from(&Text::new("scan-gap-dropped").num("count", 3).arg("where", "eth0"));
        assert_eq!(note.id, "scan-gap-dropped");
        assert_eq!(note.arguments["count"], "3");
    }
}
