//! Rule sets as each platform's export prints them; one file per platform.

mod asa;
mod fortios;
mod ios;
mod iptables;
mod nftables;
mod openwrt;
mod opnsense;
mod pf;
mod routeros;
mod vyos;

/// One rule: TCP from a network of 256 addresses to a port of a host.
pub struct Row {
    /// From 1.
    pub number: usize,
    /// The first address of a /24.
    pub source: String,
    /// A host.
    pub destination: String,
    /// The destination port.
    pub port: u64,
    /// Whether it permits.
    pub accept: bool,
}

/// Writes rows as a platform's export.
type Write = fn(&[Row]) -> String;

/// The platforms that are measured.
pub const PLATFORMS: &[(&str, Write)] = &[
    ("nftables", nftables::config),
    ("iptables", iptables::config),
    ("routeros", routeros::config),
    ("fortios", fortios::config),
    ("vyos", vyos::config),
    ("ios", ios::config),
    ("openwrt", openwrt::config),
    ("opnsense", opnsense::config),
    ("asa", asa::config),
    ("pf", pf::config),
];

/// The rules of a platform.
pub fn config(platform: &str, rows: &[Row]) -> String {
    let (_, write) =
        PLATFORMS.iter().find(|(name, _)| *name == platform).expect("a platform that is measured");
    write(rows)
}
