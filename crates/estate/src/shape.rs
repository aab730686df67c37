//! The shape of estate files (design section 4).

use crate::switches::SwitchPlatform;
use crate::types::{DhcpServer, Role};
use tillgate_catalog::Profile;
use tillgate_catalog::document::{Key, Shape, optional, required};

const ESTATE: &[Key] = &[
    required("name", Shape::Text, "Name of the organisation."),
    optional(
        "assessment",
        Shape::Choice(&["saq-p2pe", "saq-b-ip", "saq-c", "saq-d", "saq-d-sp", "roc"]),
        "PCI DSS assessment type.",
    ),
    optional("devices", Shape::Text, "CSV file with devices of all sites."),
];

const FIREWALL: &[Key] = &[
    optional("platform", Shape::Text, "Platform of the firewall."),
    optional("wan", Shape::OneOrMany(&Shape::Text), "Uplinks, as the firewall names them."),
    optional("nat", Shape::Choice(&["masquerade", "none"]), "Address translation on the uplinks."),
    optional("management", Shape::OneOrMany(&Shape::Text), "Addresses that may manage the firewall."),
    optional(
        "management-ports",
        Shape::OneOrMany(&Shape::Integer),
        "TCP ports management needs; 22 when missing.",
    ),
];

const SERVICES: &[Key] = &[
    optional("dns", Shape::OneOrMany(&Shape::Text), "\"gateway\", or addresses of resolvers."),
    optional("ntp", Shape::OneOrMany(&Shape::Text), "\"gateway\", or addresses of time servers."),
    optional("dhcp", Shape::OneOrMany(&Shape::Text), "\"gateway\", or addresses of DHCP servers."),
    optional(
        "dhcp-server",
        Shape::Choice(DhcpServer::WORDS),
        "What assigns addresses, where a file is to be written for it.",
    ),
];

const SEGMENT: &[Key] = &[
    required("name", Shape::Text, "Name, unique in the site."),
    optional("role", Shape::Choice(Role::WORDS), "What it is for."),
    optional("interface", Shape::Text, "Layer-3 interface of the firewall."),
    optional("vlan", Shape::Integer, "VLAN number, for switches."),
    optional("subnet", Shape::Text, "IPv4 subnet."),
    optional("subnet6", Shape::Text, "IPv6 subnet; without one, IPv6 from this segment is denied."),
    optional("gateway", Shape::Text, "The firewall's IPv4 address in the segment."),
    optional("gateway6", Shape::Text, "The firewall's IPv6 address in the segment."),
    optional(
        "internet",
        Shape::Bool,
        "Whether everybody in it may reach the internet; true for corp and guest.",
    ),
];

const DEVICE: &[Key] = &[
    required("name", Shape::Text, "Name, unique in the site."),
    required("kind", Shape::Text, "Device kind of a catalogue."),
    required("segment", Shape::Text, "Segment it stands in."),
    optional("address", Shape::OneOrMany(&Shape::Text), "Fixed IPv4 address, or several."),
    optional("address6", Shape::OneOrMany(&Shape::Text), "Fixed IPv6 address, or several."),
    optional("mac", Shape::OneOrMany(&Shape::Text), "Hardware address, or several."),
    optional("features", Shape::OneOrMany(&Shape::Text), "Features in use."),
    optional("ports", Shape::Map(&Shape::Integer), "Ports changed on the device, by requirement id."),
    optional("until", Shape::Date, "Last day of a measuring host."),
    optional("switch", Shape::Text, "Switch it is plugged into."),
    optional("port", Shape::Text, "Port of that switch."),
];

const SWITCH_PORT: &[Key] = &[
    required("name", Shape::Text, "Name, as the switch names it."),
    optional("device", Shape::Text, "The device plugged in; the port takes nothing else."),
    optional("segment", Shape::Text, "The segment of what is plugged in; with neither, the port is shut."),
];

const SWITCH: &[Key] = &[
    required("name", Shape::Text, "Name, unique in the site."),
    optional("platform", Shape::Choice(SwitchPlatform::WORDS), "Whose commands it takes."),
    optional(
        "uplink",
        Shape::OneOrMany(&Shape::Text),
        "Ports to the firewall and to other switches; they carry every VLAN.",
    ),
    optional("address", Shape::Text, "Its own address, in one of the segments."),
    optional("parking", Shape::Integer, "VLAN of ports nobody uses; 999 when missing."),
    optional("port", Shape::List(&Shape::Table(SWITCH_PORT)), "Its other ports."),
];

const EXCEPTION: &[Key] = &[
    required("allow", Shape::Text, "PROTOCOL SOURCE -> DESTINATION[:PORTS]"),
    required("reason", Shape::Text, "Why."),
    required("owner", Shape::Text, "Who answers for it."),
    required("expires", Shape::Date, "Last day."),
];

macro_rules! site_keys {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            optional("catalogs", Shape::OneOrMany(&Shape::Text), "Catalogues in use."),
            optional("profile", Shape::Choice(Profile::WORDS), "How much of them is on."),
            optional("egress", Shape::Choice(&["internet", "names"]), "Whether destinations are narrowed to names."),
            optional("source", Shape::Choice(&["devices", "segment"]), "Which sources flows are open to."),
            optional("firewall", Shape::Table(FIREWALL), "The firewall."),
            optional("services", Shape::Table(SERVICES), "Services of the site."),
            optional("segment", Shape::List(&Shape::Table(SEGMENT)), "Segments; a site's override its template's by name."),
            optional("switch", Shape::List(&Shape::Table(SWITCH)), "Managed switches; a site's override its template's by name."),
            optional("exception", Shape::List(&Shape::Table(EXCEPTION)), "Permissions beyond the catalogues."),
            optional("vars", Shape::Map(&VARIABLE), "Variables: {name} in any string."),
        ]
    };
}

const VARIABLE: Shape = Shape::Ports;

const TEMPLATE: &[Key] = site_keys![required("name", Shape::Text, "Name, unique in the estate.")];

const SITE: &[Key] = site_keys![
    required("name", Shape::Text, "Name, unique in the estate."),
    optional("number", Shape::Integer, "Fills {site}."),
    optional("template", Shape::Text, "Template to start from."),
    optional("region", Shape::Text, "Region of the vendor's cloud."),
    optional("device", Shape::List(&Shape::Table(DEVICE)), "Devices."),
    optional("devices", Shape::Text, "CSV file with devices."),
];

/// The shape of a file of an estate.
pub const FILE: &[Key] = &[
    optional("estate", Shape::Table(ESTATE), "The organisation."),
    optional("template", Shape::List(&Shape::Table(TEMPLATE)), "Templates for sites."),
    optional("site", Shape::List(&Shape::Table(SITE)), "Sites."),
];
