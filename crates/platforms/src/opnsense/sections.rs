//! Which sections bear on packets; those that nobody has looked at are said.

use super::build::remark;
use super::tree::{El, Product, Tree};
use std::collections::BTreeSet;
use tillgate_ruleset::Note;

/// Sections that are read, and those without bearing on what passes: `docs/reference/platforms/opnsense.md`, Exempt.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "OPNsense", "aliases", "apinger", "bridges", "ca", "captiveportal", "cert", "created", "crl", "cron", "dhcpbackend",
    "dhcpd", "dhcpdv6", "dhcrelay", "dhcrelay6", "diag", "dnshaper", "dnsmasq", "dnsupdates", "dyndnses", "ezshaper",
    "filter", "gateways", "gifs", "gres", "hasync", "ifgroups", "igmpproxy", "installedpackages", "interfaces", "ipsec",
    "kea", "l2tp", "laggs", "lastchange", "load_balancer", "nat", "notifications", "ntpd", "openvpn", "ovpnserver",
    "ppps", "pppoe", "pppoes", "pptpd", "proxyarp", "qinqs", "radvd", "revision", "rfc2136", "rrd", "rrddata",
    "schedules", "shaper", "snmpd", "sshdata", "staticroutes", "sysctl", "syslog", "system", "theme",
    "trigger_initial_wizard", "unbound", "version", "virtualip", "vlans", "voucher", "widgets", "wireless", "wizardtemp",
    "wol",
];

/// Parts of the section of OPNsense's newer services, likewise.
#[rustfmt::skip]
const SERVICES: &[&str] = &[
    "AcmeClient", "Auth", "ClamAV", "Core", "DHCRelay", "Diagnostics", "Dnsmasq", "DynDNS", "Firewall", "Gateways",
    "HAProxy", "Hostdiscovery", "IDS", "IPsec", "Interfaces", "Kea", "Lagg", "Monit", "Ndproxy", "Netflow", "Netsnmp",
    "Nginx", "NodeExporter", "OpenVPN", "OpenVPNExport", "Postfix", "QemuGuestAgent", "Swanctl", "Syslog", "System",
    "Telegraf", "TrafficShaper", "Trust", "Unbound", "UDPBroadcastRelay", "Wazuh", "WireGuard", "ZabbixAgent", "acmeclient",
    "bind", "caddy", "captiveportal", "chrony", "cron", "crowdsec", "ddclient", "dnscryptproxy", "freeradius", "ftpproxy",
    "hostwatch", "iperf", "mdnsrepeater", "monit", "munin", "ndproxy", "netdata", "netsnmp", "ntopng", "opendns",
    "postfix", "proxy", "quagga", "radsecproxy", "radvd", "redis", "relayd", "rspamd", "siproxd", "smart", "stunnel",
    "tailscale", "tftp", "tinc", "trust", "unboundplus", "upnp", "wireguard", "wol", "zabbixagent", "zerotier",
];

/// Packages of pfSense by how the names of their settings begin, likewise; those that make rules are in `services`.
#[rustfmt::skip]
const PACKAGES: &[&str] = &[
    "acme", "apcupsd", "arping", "arpwatch", "avahi", "backup", "bandwidthd", "bind", "cron", "darkstat",
    "dnsblcron", "filer", "freeradius", "frr", "haproxy", "iftop", "iperf", "lldpd", "mailreport", "mcast",
    "menu", "miniupnpd", "netsnmpd", "netsnmptrapd", "nmap", "notes", "nrpe", "ntopng", "nut", "openbgpd",
    "openvpn", "package", "pfblockerng", "pimd", "quagga", "servicewatchdog", "service", "shellcmd", "snort", "softflowd",
    "squid", "status", "stunnel", "sudo", "suricata", "syslogng", "systempatches", "tab", "telegraf", "tftpd", "tinc",
    "vnstat", "wireguard", "zabbix", "zeek",
];

/// Sections that nobody has looked at, so that they are said.
pub fn unread(tree: &Tree<'_>) -> Vec<Note> {
    let (mut out, mut told) = (Vec::new(), BTreeSet::new());
    let whole = |root: &&El<'_>| matches!(root.name(), "opnsense" | "pfsense");
    for section in tree.roots.iter().filter(whole).flat_map(El::children) {
        if !KNOWN.contains(&section.name()) && told.insert(section.name()) {
            out.push(unseen(&section));
        }
    }
    for section in tree.all("installedpackages").iter().flat_map(El::children) {
        let known = PACKAGES.iter().any(|start| section.name().starts_with(start));
        if !known && told.insert(section.name()) {
            out.push(unseen(&section));
        }
    }
    for section in tree.all("OPNsense").iter().flat_map(El::children) {
        if !SERVICES.contains(&section.name()) && told.insert(section.name()) {
            out.push(unseen(&section));
        }
    }
    let bypass = |s: &El<'_>| s.on("bypassstaticroutes");
    if tree.all("filter").iter().any(bypass) && !tree.all("staticroutes/route").is_empty() {
        let bypass = tree.all("filter").into_iter().find_map(|s| s.child("bypassstaticroutes"));
        out.extend(bypass.map(|e| Note { bears: true, ..remark(e.span(), "bypassstaticroutes") }));
    }
    out
}

/// A service may open or redirect what no rule shows.
fn unseen(section: &El<'_>) -> Note {
    Note { bears: true, ..remark(section.head(), section.name()) }
}

/// Whether the console of the firewall, or its measurements, can be read on the way.
pub fn cleartext<'d>(tree: &Tree<'d>) -> Vec<(El<'d>, &'static str)> {
    let mut out = Vec::new();
    let gui = tree.one("system/webgui").and_then(|g| g.child("protocol"));
    out.extend(gui.filter(|p| p.text() == "http").map(|p| (p, "http")));
    for one in tree.all("snmpd") {
        // A community goes over the wire as it is (RFC 3584).
        let community = one.child("rocommunity").filter(|c| !c.text().is_empty());
        let on = match tree.product {
            Product::PfSense => one.has("enable"),
            Product::OPNsense => one.on("enable"),
        };
        out.extend(community.filter(|_| on).map(|_| (one, "snmp")));
    }
    for one in tree.all("OPNsense/netsnmp/general").into_iter().filter(|g| g.get("enabled") == Some("1")) {
        out.extend(one.get("community").map(|_| (one, "snmp")));
    }
    out
}
