//! Sections that are read elsewhere, and those that say nothing of what passes; all others are told one by one.

use super::config::Block;
use tillgate_model::{Family, Span};

/// Sections that the other files here read.
const READ: &[&str] = &[
    "application list",
    "firewall DoS-policy",
    "firewall DoS-policy6",
    "firewall acl",
    "firewall acl6",
    "firewall address",
    "firewall address6",
    "firewall addrgrp",
    "firewall addrgrp6",
    "firewall central-snat-map",
    "firewall consolidated policy",
    "firewall hyperscale-policy",
    "firewall interface-policy",
    "firewall interface-policy6",
    "firewall internet-service-custom",
    "firewall local-in-policy",
    "firewall local-in-policy6",
    "firewall multicast-address",
    "firewall multicast-address6",
    "firewall multicast-policy",
    "firewall multicast-policy6",
    "firewall policy",
    "firewall policy6",
    "firewall profile-group",
    "firewall schedule group",
    "firewall schedule onetime",
    "firewall schedule recurring",
    "firewall security-policy",
    "firewall service custom",
    "firewall service group",
    "firewall ssl-ssh-profile",
    "firewall vip",
    "firewall vip6",
    "firewall vipgrp",
    "firewall vipgrp6",
    "log setting",
    "router bgp",
    "router ospf",
    "router rip",
    "system admin",
    "system dhcp server",
    "system dhcp6 server",
    "system dns-server",
    "system external-resource",
    "system global",
    "system interface",
    "system ntp",
    "system sdwan",
    "system settings",
    "system snmp community",
    "system snmp sysinfo",
    "system virtual-wan-link",
    "system zone",
    "vpn ipsec phase1",
    "vpn ipsec phase1-interface",
    "vpn ssl settings",
];

/// Sections without bearing on what passes, with everything whose path goes on behind these words:
/// `docs/reference/platforms/fortios.md`, Exempt.
#[rustfmt::skip]
const EXEMPT: &[&str] = &[
    // What content is looked for in connections that policies accept.
    "antivirus", "application", "casb", "cifs", "diameter-filter", "dlp", "dnsfilter", "emailfilter", "file-filter", "icap",
    "ips", "sctp-filter", "spamfilter", "ssh-filter", "videofilter", "virtual-patch", "voip", "waf", "webfilter",
    "firewall mms-profile", "firewall profile-protocol-options", "firewall gtp", "firewall carrier-endpoint-bwl", "gtp",
    "firewall pfcp", "pfcp", "firewall decrypted-traffic-mirror",
    // Who somebody is, and with what key.
    "authentication", "certificate", "credential-store", "endpoint-control", "firewall auth-portal", "firewall ssh",
    "firewall ssl", "firewall ssl-server", "user", "vpn certificate", "vpn kmip-server", "vpn qkd",
    // Proxies that end at the unit, and what speeds them up.
    "firewall access-proxy", "firewall access-proxy-ssh-client-cert", "firewall access-proxy-virtual-host", "firewall access-proxy6",
    "firewall proxy-address", "firewall proxy-addrgrp", "firewall proxy-policy", "ftp-proxy", "wanopt", "web-proxy", "ztna",
    // Where packets leave, which the estate says.
    "firewall identity-based-route", "firewall proute", "router", "system link-monitor", "system vne-interface", "system vne-tunnel",
    // Tunnels beyond their outer end.
    "system fabric-vpn", "system geneve", "system gre-tunnel", "system ipip-tunnel", "system ipsec-aggregate", "system ipv6-tunnel",
    "system mobile-tunnel", "system sit-tunnel", "system vxlan", "vpn ike", "vpn ipsec concentrator", "vpn ipsec fec",
    "vpn ipsec forticlient", "vpn ipsec manualkey", "vpn ipsec manualkey-interface", "vpn ipsec phase2", "vpn ipsec phase2-interface",
    "vpn l2tp", "vpn ocvpn", "vpn pptp", "vpn ssl client", "vpn ssl web",
    // Names and lists that policies may use by a setting of their own.
    "firewall address6-template", "firewall city", "firewall country", "firewall internet-service", "firewall internet-service-addition",
    "firewall internet-service-append", "firewall internet-service-botnet", "firewall internet-service-custom-group",
    "firewall internet-service-definition", "firewall internet-service-extension", "firewall internet-service-fortiguard",
    "firewall internet-service-group", "firewall internet-service-ipbl-reason", "firewall internet-service-ipbl-vendor",
    "firewall internet-service-list", "firewall internet-service-name", "firewall internet-service-owner",
    "firewall internet-service-reputation", "firewall internet-service-sld", "firewall network-service-dynamic", "firewall region",
    "firewall service category", "firewall vendor-mac", "firewall wildcard-fqdn", "system geoip-country", "system geoip-override",
    "system object-tag", "system object-tagging", "system sdn-connector", "system sdn-proxy", "system sdn-vpn",
    // Source addresses, which are chosen behind the policy.
    "firewall ippool", "firewall ippool6", "firewall ippool_grp",
    // Rates, priorities and watching.
    "firewall global", "firewall ldb-monitor", "firewall on-demand-sniffer", "firewall shaper", "firewall shaping-policy",
    "firewall shaping-profile", "firewall sniffer", "firewall traffic-class", "system dscp-based-priority", "system netflow", "system sflow",
    "system session-helper", "system session-ttl", "system tos-based-priority", "system vdom-netflow", "system vdom-sflow",
    // Answers of the resolver, and headers that ordinary packets do not have.
    "firewall dnstranslation", "firewall ipv6-eh-filter", "firewall ttl-policy",
    // Where logs and reports go.
    "alertemail", "automation", "log", "report",
    // Links, switches, radio and modems under the interfaces.
    "dpdk", "ethernet-oam", "extender", "extender-controller", "extension-controller", "hardware", "nsxt", "switch-controller",
    "system arp-table", "system evpn", "system isf-queue-profile", "system ipv6-neighbor-cache", "system lldp", "system lte-modem",
    "system mac-address-table", "system modem", "system nd-proxy", "system np6", "system np6xlite", "system npu", "system npu-vlink",
    "system physical-switch", "system pppoe-interface", "system proxy-arp", "system stp", "system switch-interface", "system vdom-link",
    "system virtual-switch", "system virtual-wire-pair", "system 3g-modem", "system smc-ntp", "system sov-sase", "system ptp", "wireless-controller",
    // The unit's own running, display and management, all of which its interfaces open or close.
    "gui", "monitoring", "rule", "telemetry-controller", "system accprofile", "system acme", "system affinity-interrupt",
    "system affinity-packet-redistribution", "system alarm", "system alias", "system api-user", "system auto-install", "system auto-script",
    "system automation-action", "system automation-condition", "system automation-destination", "system automation-stitch",
    "system automation-trigger", "system autoupdate", "system central-management", "system cloud-service", "system cluster-sync",
    "system console", "system csf", "system custom-language", "system dashboard", "system ddns", "system dedicated-mgmt",
    "system device-upgrade", "system device-upgrade-exemptions", "system dns", "system dns-database", "system dns64",
    "system email-server", "system federated-upgrade", "system fips-cc", "system fm", "system fortiai", "system fortidata",
    "system fortiguard", "system fortimanager", "system fortindr", "system fortisandbox", "system fsso-polling", "system ftm-push",
    "system ha", "system ha-monitor", "system health-check-fortiguard", "system ike", "system ipam", "system ips",
    "system ips-urlfilter-dns", "system ips-urlfilter-dns6", "system management-tunnel", "system mem-mgr", "system network-visibility",
    "system ngfw-settings", "system password-policy", "system password-policy-guest-admin", "system probe-response", "system replacemsg",
    "system replacemsg-group", "system replacemsg-image", "system resource-limits", "system saml", "system security-rating",
    "system sms-server", "system snmp", "system speed-test-schedule", "system speed-test-server", "system speed-test-setting",
    "system ssh-config", "system sso-admin", "system sso-forticloud-admin", "system sso-fortigate-cloud-admin", "system standalone-cluster",
    "system storage", "system vdom", "system vdom-dns", "system vdom-exception", "system vdom-property", "system vdom-radius-server",
    "system wccp",
];

/// A section that is neither read nor exempt.
pub struct Unread<'a> {
    pub path: &'a str,
    pub span: &'a Span,
}

impl Unread<'_> {
    /// Whether it may let packets pass or stop them by itself.
    pub fn filters(&self) -> bool {
        self.path.starts_with("firewall ") || matches!(self.path, "system nat64" | "system pcp-server")
    }

    /// The family whose packets it takes, where it is for one: translations between the two.
    pub fn family(&self) -> Option<Family> {
        if self.path.ends_with("64") {
            Some(Family::V6)
        } else if self.path.ends_with("46") {
            Some(Family::V4)
        } else {
            None
        }
    }
}

/// The sections of the whole unit or of a virtual domain that are neither read nor exempt; empty ones say nothing.
pub fn unread(block: &Block) -> Vec<Unread<'_>> {
    let sections = block.children.iter().filter(|(path, section)| {
        let empty = section.settings.is_empty() && section.entries.is_empty() && section.children.is_empty();
        !(empty || known(path) || idle(path, section))
    });
    sections.filter_map(|(path, section)| Some(Unread { path, span: section.start.as_ref()? })).collect()
}

/// Read, exempt, or a frame around other sections.
fn known(path: &str) -> bool {
    matches!(path, "global" | "vdom")
        || READ.contains(&path)
        || EXEMPT
            .iter()
            .any(|e| path.strip_prefix(e).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

/// Sections that do nothing unless they are switched on.
fn idle(path: &str, section: &Block) -> bool {
    match path {
        "firewall ipmacbinding table" => true,
        "firewall ipmacbinding setting" => !(section.on("bindthroughfw") || section.on("bindtofw")),
        "system nat64" => !section.on("status"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_or_exempt_by_whole_words() {
        assert!(known("system replacemsg http url-block") && known("firewall shaper traffic-shaper"));
        assert!(!known("firewall policy64") && !known("firewall ssl-mirror") && !known("system interfaces"));
        assert!(READ.iter().all(|path| !path.is_empty()) && READ.is_sorted());
    }
}
