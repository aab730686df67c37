//! The types of an intent.

use crate::Topology;
use tillgate_catalog::Level;
use tillgate_model::{Date, Family, Finding, Protocol, Ranges};

/// One side of a path through the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// A segment, as an index into [`Topology::zones`].
    Zone(usize),
    /// Every uplink.
    Uplinks,
}

/// How a flow meets the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Path {
    /// Through it.
    Forward {
        /// Where it comes from.
        from: Side,
        /// Where it goes.
        to: Side,
    },
    /// To the firewall itself.
    Local {
        /// Where it comes from.
        from: Side,
    },
    /// Inside one segment: no firewall decides, so it is neither rendered nor verified.
    Inside {
        /// The segment.
        zone: usize,
    },
}

/// Why a flow is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A row of a catalogue.
    Requirement {
        /// Row id.
        id: String,
        /// The device it is for.
        device: String,
        /// The feature that turned it on, if one did.
        feature: Option<String>,
        /// The rows that cannot work without it.
        supports: Vec<String>,
    },
    /// A row whose names narrow the destination.
    Names {
        /// Row id.
        id: String,
    },
    /// A service the firewall offers.
    Service {
        /// `dns`, `ntp`, `dhcp` or `echo`.
        service: &'static str,
        /// The segment it is offered to.
        segment: String,
    },
    /// The declared management of the firewall.
    Management {
        /// The prefix that may manage.
        network: String,
    },
    /// An exception.
    Exception {
        /// As it was written.
        allow: String,
        /// Why.
        reason: String,
        /// Who answers for it.
        owner: String,
        /// Last day.
        expires: String,
    },
    /// A measuring host stands in for a segment's devices.
    Probe {
        /// The measuring host.
        device: String,
        /// Last day.
        until: String,
    },
}

/// A requirement applied to a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Unique in the site.
    pub id: String,
    /// Row id, or `exception`, `management`, `gateway.echo` …
    pub requirement: String,
    /// The device it is for.
    pub device: Option<String>,
    /// How it meets the firewall.
    pub path: Path,
    /// Address family.
    pub family: Family,
    /// Protocol; `None` for any.
    pub protocol: Option<Protocol>,
    /// Destination ports; `None` for any or none.
    pub ports: Option<Ranges>,
    /// ICMP type.
    pub icmp_type: Option<u8>,
    /// Sources it may come from.
    pub source: Ranges,
    /// Sources it must work from.
    pub source_needed: Ranges,
    /// Source ports it must work from.
    pub source_ports_needed: Ranges,
    /// Destinations it may go to.
    pub destination: Ranges,
    /// Destinations it must reach.
    pub destination_needed: Ranges,
    /// Known names of the destination.
    pub names: Vec<String>,
    /// Whether the destination is only those names.
    pub by_name: bool,
    /// Whether nobody can check a narrower destination here, so that narrowing is undecided.
    pub unchecked: bool,
    /// Whether it must be permitted, not only may.
    pub needed: bool,
    /// Level of the row.
    pub level: Option<Level>,
    /// Whether its need is disputed.
    pub disputed: bool,
    /// Source for people: device and addresses.
    pub source_text: String,
    /// Destination for people.
    pub destination_text: String,
    /// Every reason, sorted.
    pub reasons: Vec<Reason>,
}

/// Something the catalogue cannot answer: no rule, but a line in plan and report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenQuestion {
    /// Row id.
    pub requirement: String,
    /// The device it concerns.
    pub device: String,
    /// Why it is open: `ports-unknown`, `no-peer` or `names-unknown`.
    pub why: &'static str,
}

/// All a site wants.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Site name.
    pub site: String,
    /// The day it is of.
    pub today: Date,
    /// Segments and uplinks.
    pub topology: Topology,
    /// Flows, sorted by path, requirement and id.
    pub flows: Vec<Flow>,
    /// Open questions, sorted.
    pub questions: Vec<OpenQuestion>,
    /// Findings that follow from the estate alone.
    pub findings: Vec<Finding>,
    /// Addresses of all declared devices, per family, with the zone they stand in.
    pub devices: Vec<(String, usize, Family, Ranges)>,
    /// Whether the estate asks for address translation on the uplinks.
    pub masquerade: bool,
}
