//! The types of a catalogue.

use jiff::civil::Date;
use tillgate_model::{Protocol, Ranges, Span};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),* }

        impl $name {
            /// The words used in files, in order.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some($name::$variant),)* _ => None }
            }

            /// The word used in files and JSON.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }
    };
}
words! {
    /// How necessary a requirement is.
    Level {
        /// Payments fail without it.
        Essential = "essential",
        /// Something useful fails without it.
        Recommended = "recommended",
        /// Needed when its feature is in use.
        Conditional = "conditional",
    }
}

words! {
    /// Where the knowledge comes from (design section 5).
    Confidence {
        /// The vendor's own published page.
        Vendor = "vendor",
        /// The vendor's SDK or an official partner's page.
        Partner = "partner",
        /// A reseller, an integrator, a public thread.
        ThirdParty = "third-party",
        /// The guide the project started from; nothing confirms it.
        Guide = "guide",
        /// Follows from other facts; stated by no source.
        Inferred = "inferred",
        /// Seen on a device.
        Observed = "observed",
    }
}

words! {
    /// How much of a catalogue is on.
    Profile {
        /// 443/tcp, 123/udp and what they need to work.
        Minimal = "minimal",
        /// The guide's whole table, and what it needs to work.
        Guide = "guide",
        /// Minimal, and what the devices' features turn on.
        Declared = "declared",
    }
}

words! {
    /// What role a device plays on the network.
    Class {
        /// Takes card payments.
        Terminal = "terminal",
        /// A till or PC that talks to terminals.
        PosHost = "pos-host",
        /// A receipt or order printer on the network.
        Printer = "printer",
        /// A kitchen display.
        KitchenDisplay = "kitchen-display",
        /// A measuring host.
        Probe = "probe",
    }
}

words! {
    /// A service of the site that a requirement leans on.
    Service {
        /// Name resolution.
        Dns = "dns",
        /// Time.
        Ntp = "ntp",
        /// Address assignment.
        Dhcp = "dhcp",
    }
}

words! {
    /// What encryption is expected on the wire.
    Encryption {
        /// TLS 1.2 or later with a public certificate.
        Tls = "tls",
        /// TLS with a private certificate authority of the vendor.
        TlsPrivate = "tls-private",
        /// None by design.
        None = "none",
        /// Nobody says.
        Unknown = "unknown",
    }
}

words! {
    /// How a requirement can be measured.
    Probe {
        /// Connect and do a TLS handshake.
        Tls = "tls",
        /// Connect.
        Tcp = "tcp",
        /// Fetch a page.
        Http = "http",
        /// Ask a resolver.
        Dns = "dns",
        /// Ask a time server.
        Ntp = "ntp",
        /// Send an OPTIONS request.
        Sip = "sip",
        /// Send datagrams to a reflector.
        Udp = "udp",
        /// Ask for an address.
        Dhcp = "dhcp",
        /// It cannot be measured.
        None = "none",
    }
}

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Localised {
    /// English.
    pub en: String,
    /// German; English where the file has none.
    pub de: String,
}

impl Localised {
    /// The text in a language (`"de"`, anything else is English).
    pub fn get(&self, lang: &str) -> &str {
        if lang == "de" { &self.de } else { &self.en }
    }
}

/// Destination ports of a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// These.
    Known(Ranges),
    /// Nobody publishes them: an open question, never a rule.
    Unknown,
    /// The protocol has none.
    Without,
}

/// Where a requirement's traffic goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// Any public address.
    Internet,
    /// A service of the site.
    Service(Service),
    /// The device itself: the traffic comes to it.
    Device,
    /// Devices of a class in the same site.
    Class(Class),
}

/// Where a statement was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Title of the page.
    pub title: String,
    /// Its address.
    pub url: String,
    /// When it was last checked.
    pub checked: Option<Date>,
    /// Where the date stands, for findings.
    pub span: Span,
}

/// A row of a catalogue.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// `vendor.name`
    pub id: String,
    /// Short name.
    pub name: Localised,
    /// Transport protocols; one flow each.
    pub protocols: Vec<Protocol>,
    /// Destination ports.
    pub ports: Ports,
    /// Whether the device lets the port be changed.
    pub editable_port: bool,
    /// How necessary it is.
    pub level: Level,
    /// Profiles it belongs to without any feature.
    pub profiles: Vec<Profile>,
    /// Features that turn it on under the profile `declared`; any one is enough.
    pub when: Vec<String>,
    /// Regions it applies to; empty for all.
    pub regions: Vec<String>,
    /// Classes of devices it applies to.
    pub applies_to: Vec<Class>,
    /// Who opens the connection, when it is not the device itself.
    pub from: Option<Class>,
    /// Where it goes.
    pub destination: Destination,
    /// Names known for the destination; `*.` marks a zone.
    pub names: Vec<String>,
    /// The row whose destination these names narrow: no flow of its own.
    pub refines: Option<String>,
    /// The rows that cannot work without this one.
    pub supports: Vec<String>,
    /// What encryption to expect.
    pub encryption: Encryption,
    /// How to measure it.
    pub probe: Probe,
    /// What it is for.
    pub purpose: Localised,
    /// Why it is needed, at more length.
    pub reason: Localised,
    /// What people see when it is blocked.
    pub symptom: Localised,
    /// Where it was read.
    pub sources: Vec<Source>,
    /// How sure.
    pub confidence: Confidence,
    /// Why it is doubted, if it is.
    pub disputed: Option<Localised>,
    /// Where it stands.
    pub span: Span,
}

impl Requirement {
    /// Whether the row is on for a device with these features under a profile, in a region.
    pub fn is_on(&self, profile: Profile, features: &[String], region: Option<&str>) -> bool {
        let here = self.regions.is_empty() || region.is_some_and(|r| self.regions.iter().any(|x| x == r));
        let by_profile = self.profiles.contains(&profile)
            || (profile == Profile::Declared && self.profiles.contains(&Profile::Minimal));
        let by_feature = profile == Profile::Declared && self.when.iter().any(|f| features.contains(f));
        here && (by_profile || by_feature)
    }

    /// Ports as text: `443`, `5060-5061`, `unknown`, or nothing for protocols without ports.
    pub fn ports_text(&self) -> String {
        match &self.ports {
            Ports::Known(ranges) => tillgate_model::format_ports(ranges),
            Ports::Unknown => "unknown".into(),
            Ports::Without => String::new(),
        }
    }

    /// Protocols as text: `tcp`, `tcp/udp`.
    pub fn protocols_text(&self) -> String {
        self.protocols.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("/")
    }
}

/// A kind of device.
#[derive(Clone, Debug)]
pub struct DeviceKind {
    /// `vendor/name`, or a plain name for generic kinds.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Role on the network.
    pub class: Class,
    /// Features it can have.
    pub features: Vec<String>,
    /// End of the vendor's support, if announced.
    pub end_of_support: Option<Date>,
    /// Where that was read.
    pub source: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// Something a device can do that may turn requirements on.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Word used in the estate.
    pub id: String,
    /// What it means.
    pub meaning: Localised,
    /// Where it stands.
    pub span: Span,
}

/// A MAC address block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacPrefix {
    /// The leading bits, left-aligned in 48.
    pub bits: u64,
    /// 24, 28 or 36.
    pub length: u8,
    /// To whom it is assigned.
    pub vendor: String,
}

impl MacPrefix {
    /// Whether an address lies in the block.
    pub fn contains(&self, mac: u64) -> bool {
        mac >> (48 - self.length) == self.bits >> (48 - self.length)
    }
}

/// One vendor's catalogue.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Word used in the estate.
    pub id: String,
    /// Name of the vendor.
    pub vendor: String,
    /// Version of the file.
    pub version: String,
    /// The rows, in file order.
    pub requirements: Vec<Requirement>,
    /// Kinds of devices.
    pub kinds: Vec<DeviceKind>,
    /// Features.
    pub features: Vec<Feature>,
    /// MAC address blocks.
    pub mac_prefixes: Vec<MacPrefix>,
}
