//! Where on a device things are found, in the order to do them.

use tillgate_model::Text;

/// A part of a device's web page, in general words: every vendor has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Passwords, firmware, a copy of the settings.
    Administration,
    /// Who may manage the device, and how.
    Management,
    /// Networks and VLANs.
    Networks,
    /// Wi-Fi.
    Wifi,
    /// Address assignment.
    Dhcp,
    /// Names and time.
    DnsAndTime,
    /// UPnP, NAT-PMP, PCP.
    Upnp,
    /// Port forwarding, exposed host.
    Forwarding,
    /// Source translation.
    Nat,
    /// TLS inspection, content filters.
    Inspection,
    /// IPv6 as a whole.
    Ipv6,
    /// Forged sources.
    Spoofing,
    /// Rules from segments to the device itself.
    ToDevice,
    /// Rules between segments.
    Between,
    /// Rules from segments to the internet.
    Outward,
    /// Rules from the internet to the device and to segments.
    Inward,
}

impl Place {
    /// Its name.
    pub fn text(self) -> Text {
        match self {
            Place::Administration => Text::new("checklist-place-administration"),
            Place::Management => Text::new("checklist-place-management"),
            Place::Networks => Text::new("checklist-place-networks"),
            Place::Wifi => Text::new("checklist-place-wifi"),
            Place::Dhcp => Text::new("checklist-place-dhcp"),
            Place::DnsAndTime => Text::new("checklist-place-dns-time"),
            Place::Upnp => Text::new("checklist-place-upnp"),
            Place::Forwarding => Text::new("checklist-place-forwarding"),
            Place::Nat => Text::new("checklist-place-nat"),
            Place::Inspection => Text::new("checklist-place-inspection"),
            Place::Ipv6 => Text::new("checklist-place-ipv6"),
            Place::Spoofing => Text::new("checklist-place-spoofing"),
            Place::ToDevice => Text::new("checklist-place-to-device"),
            Place::Between => Text::new("checklist-place-between"),
            Place::Outward => Text::new("checklist-place-outward"),
            Place::Inward => Text::new("checklist-place-inward"),
        }
    }
}
