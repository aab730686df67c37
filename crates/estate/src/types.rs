//! The types of an estate, after templates and variables have been applied.

use crate::switches::{Plug, Switch};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use tillgate_catalog::{Class, Profile, Service};
use tillgate_model::{Date, Family, Protocol, Ranges, Span};

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Payment terminals.
    Pos,
    /// Office and tills.
    Corp,
    /// Guests.
    Guest,
    /// Telephones.
    Voice,
    /// Kitchen displays and printers.
    Kitchen,
    /// Management of network equipment.
    Management,
}

impl Role {
    /// The words used in files, in order.
    pub const WORDS: &'static [&'static str] = &["pos", "corp", "guest", "voice", "kitchen", "management"];

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        use Role::*;
        let at = Self::WORDS.iter().position(|w| *w == text)?;
        Some([Pos, Corp, Guest, Voice, Kitchen, Management][at])
    }

    /// The word used in files.
    pub fn name(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Whether destinations are narrowed to known names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// Any public address.
    Internet,
    /// The names a row knows, where it knows any.
    Names,
}

/// Which sources a flow is open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceScope {
    /// The fixed addresses of declared devices.
    Devices,
    /// The whole segment.
    Segment,
}

/// Address translation on the uplinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Sources are rewritten to the uplink's address.
    Masquerade,
    /// None.
    None,
}

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAt {
    /// On the firewall.
    Gateway,
    /// At these addresses.
    Addresses(Vec<IpAddr>),
}

/// The server that assigns addresses, where a file is written for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DhcpServer {
    /// dnsmasq
    Dnsmasq,
    /// Kea
    Kea,
    /// ISC dhcpd, and OpenBSD's dhcpd
    Isc,
}

impl DhcpServer {
    /// The words used in files, in order.
    pub const WORDS: &'static [&'static str] = &["dnsmasq", "kea", "isc"];

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|w| *w == text)?;
        Some([Self::Dnsmasq, Self::Kea, Self::Isc][at])
    }
}

/// The services of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Name resolution.
    pub dns: Option<ServiceAt>,
    /// Time.
    pub ntp: Option<ServiceAt>,
    /// Address assignment.
    pub dhcp: Option<ServiceAt>,
    /// What assigns addresses, if the estate says so.
    pub dhcp_server: Option<DhcpServer>,
}

impl Services {
    /// Where a service is, if the estate says so.
    pub fn at(&self, service: Service) -> Option<&ServiceAt> {
        match service {
            Service::Dns => self.dns.as_ref(),
            Service::Ntp => self.ntp.as_ref(),
            Service::Dhcp => self.dhcp.as_ref(),
        }
    }

    /// Whether the firewall offers any service.
    pub fn any_on_gateway(&self) -> bool {
        [&self.dns, &self.ntp, &self.dhcp].into_iter().any(|s| *s == Some(ServiceAt::Gateway))
    }
}

/// The firewall of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// Platform name.
    pub platform: String,
    /// Uplinks, as the firewall names them.
    pub wan: Vec<String>,
    /// Translation on the uplinks.
    pub nat: Nat,
    /// Who may manage the firewall.
    pub management: Vec<IpNet>,
    /// TCP ports management needs.
    pub management_ports: Vec<u16>,
}

/// A network segment behind the firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Name, unique in the site.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Layer-3 interface of the firewall.
    pub interface: String,
    /// VLAN number, for switches.
    pub vlan: Option<u16>,
    /// IPv4 subnet.
    pub subnet: Option<IpNet>,
    /// IPv6 subnet.
    pub subnet6: Option<IpNet>,
    /// The firewall's addresses in the segment.
    pub gateways: Vec<IpAddr>,
    /// Whether everybody in it may reach the internet.
    pub internet: bool,
    /// Where it stands.
    pub span: Span,
}

impl Segment {
    /// The subnet of a family.
    pub fn subnet(&self, family: Family) -> Option<IpNet> {
        match family {
            Family::V4 => self.subnet,
            Family::V6 => self.subnet6,
        }
    }
}

/// A device of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Name, unique in the site.
    pub name: String,
    /// Kind id.
    pub kind: String,
    /// Role of the kind.
    pub class: Class,
    /// Name of its segment.
    pub segment: String,
    /// Fixed addresses.
    pub addresses: Vec<IpAddr>,
    /// Hardware addresses, 48 bits each.
    pub macs: Vec<u64>,
    /// Features in use.
    pub features: Vec<String>,
    /// Ports changed on the device, by requirement id.
    pub ports: BTreeMap<String, u16>,
    /// Last day of a measuring host.
    pub until: Option<Date>,
    /// The port of a switch it says it is plugged into.
    pub plug: Option<Plug>,
    /// Where it stands.
    pub span: Span,
}

/// One end of an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A device by name.
    Device(String),
    /// A segment by name.
    Segment(String),
    /// An address or a prefix.
    Net(IpNet),
    /// Any public address.
    Internet,
}

/// A permission beyond the catalogues, with somebody who answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Protocol; `None` for any.
    pub protocol: Option<Protocol>,
    /// Who opens the connection.
    pub source: Peer,
    /// To whom.
    pub destination: Peer,
    /// Destination ports; `None` for any.
    pub ports: Option<Ranges>,
    /// As it was written.
    pub allow: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day.
    pub expires: Date,
    /// Where it stands.
    pub span: Span,
}

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name, unique in the estate.
    pub name: String,
    /// Number that fills `{site}`.
    pub number: Option<i64>,
    /// Region of the vendor's cloud.
    pub region: Option<String>,
    /// Catalogues in use.
    pub catalogs: Vec<String>,
    /// How much of them is on.
    pub profile: Profile,
    /// Whether destinations are narrowed to names.
    pub egress: Egress,
    /// Which sources flows are open to.
    pub source: SourceScope,
    /// The firewall.
    pub firewall: Firewall,
    /// Services.
    pub services: Services,
    /// Segments, in file order.
    pub segments: Vec<Segment>,
    /// Devices, in file order.
    pub devices: Vec<Device>,
    /// Exceptions, in file order.
    pub exceptions: Vec<Exception>,
    /// Managed switches, in file order.
    pub switches: Vec<Switch>,
    /// Where it stands.
    pub span: Span,
}

impl Site {
    /// A segment by name.
    pub fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|s| s.name == name)
    }

    /// A device by name.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|d| d.name == name)
    }
}

/// An organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estate {
    /// Its name.
    pub name: String,
    /// PCI DSS assessment type.
    pub assessment: Option<String>,
    /// Its sites, by name.
    pub sites: Vec<Site>,
}

impl Estate {
    /// A site by name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|s| s.name == name)
    }
}
