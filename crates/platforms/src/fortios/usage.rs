//! Objects that nothing refers to.

use super::config::{Block, Entry};
use super::service;
use std::collections::HashSet;
use tillgate_ruleset::{Fact, What};

/// Sections of objects that a policy can name.
pub const OBJECTS: &[&str] = &[
    "firewall address",
    "firewall address6",
    "firewall addrgrp",
    "firewall addrgrp6",
    "firewall internet-service-custom",
    "firewall schedule group",
    "firewall schedule onetime",
    "firewall schedule recurring",
    "firewall service custom",
    "firewall service group",
    "firewall vip",
    "firewall vip6",
    "firewall vipgrp",
    "firewall vipgrp6",
];

/// What one object says of another; everything else in it is its own value, such as the name an `fqdn` looks up.
const LINKS: &[&str] = &["member", "exclude-member", "service", "extaddr", "mapped-addr", "realservers"];

/// Settings whose words are names of other things, or text.
const OTHER: &[&str] = &[
    "alias",
    "comment",
    "comments",
    "description",
    "device",
    "dstintf",
    "extintf",
    "global-label",
    "hostname",
    "interface",
    "intf",
    "label",
    "name",
    "source-interface",
    "srcintf",
    "uuid",
    "vdom",
];

/// Objects every unit has from the start, by release (CLI Reference; factory configurations). Services have a list of
/// their own.
#[rustfmt::skip]
const FACTORY: &[&str] = &[
    "all", "none", "always", "default-darrp-optimize", "SSLVPN_TUNNEL_ADDR1", "SSLVPN_TUNNEL_IPv6_ADDR1", "FABRIC_DEVICE",
    "FIREWALL_AUTH_PORTAL_ADDRESS", "FCTEMS_ALL_FORTICLOUD_SERVERS", "EMS_ALL_UNKNOWN_CLIENTS", "EMS_ALL_UNMANAGEABLE_CLIENTS",
    "G Suite", "Microsoft Office 365", "gmail.com", "wildcard.google.com", "wildcard.dropbox.com", "login.microsoftonline.com",
    "login.microsoft.com", "login.windows.net", "metadata-server", "webproxy", "Adobe Login", "Gotomeeting", "Windows update 2",
    "adobe", "android", "apple", "appstore.com", "auth.gfx.ms", "autoupdate.opera.com", "cdn-apple", "citrix", "dropbox.com",
    "eease", "firefox update server", "fortinet", "google-drive", "google-play", "google-play2", "google-play3",
    "googleapis.com", "icloud", "itunes", "live.com", "microsoft", "mzstatic-apple", "skype", "softwareupdate.vmware.com",
    "swscan.apple.com", "update.microsoft.com", "verisign",
];

/// The objects of a virtual domain that nothing in it, nor in the settings of the whole unit, refers to.
pub fn unused(vdom: &Block, global: &Block, central_nat: bool) -> Vec<Fact> {
    let mut named = HashSet::new();
    gather(vdom, false, &mut named);
    if !std::ptr::eq(vdom, global) {
        gather(global, false, &mut named);
    }
    let tables = OBJECTS.iter().filter(|t| !(central_nat && t.starts_with("firewall vip")));
    let entries = tables.flat_map(|table| vdom.table(table));
    let unused = entries.filter(|entry| !named.contains(entry.name.as_str()) && !made_by_unit(entry));
    unused.map(|e| Fact { span: e.span.clone(), what: What::Unused(e.name.clone()) }).collect()
}

fn made_by_unit(entry: &Entry) -> bool {
    let block = &entry.block;
    let own = |interface: &str| entry.name.strip_suffix(" address") == Some(interface);
    match block.get("type") {
        // Tags and the like come and go by themselves.
        Some("dynamic") => return true,
        Some("interface-subnet") if block.get("interface").is_some_and(own) => return true,
        _ => {}
    }
    FACTORY.contains(&entry.name.as_str()) || service::predefined_name(&entry.name)
}

fn gather<'a>(block: &'a Block, object: bool, named: &mut HashSet<&'a str>) {
    let says = |key: &str| if object { LINKS.contains(&key) } else { !OTHER.contains(&key) };
    for setting in block.settings.iter().filter(|s| says(&s.key)) {
        named.extend(setting.values.iter().map(String::as_str));
    }
    for entry in &block.entries {
        gather(&entry.block, object, named);
    }
    for (path, child) in &block.children {
        gather(child, object || OBJECTS.contains(&path.as_str()), named);
    }
}
