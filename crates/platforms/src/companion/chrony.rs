//! The clock: chrony.conf(5) for a firewall that offers time to its segments.

use crate::nftables::comment;
use tillgate_estate::Site;
use tillgate_intent::Intent;

/// The text of `chrony.conf`.
pub(super) fn file(site: &Site, intent: &Intent) -> String {
    let mut out = format!("# tillgate: {}\n", comment(&site.name));
    out.push_str("# The site's own time source. Name the designated servers of your organisation here (PCI DSS 10.6.2).\n");
    out.push_str("pool pool.ntp.org iburst\ndriftfile /var/lib/chrony/chrony.drift\nmakestep 1 3\nrtcsync\n");
    out.push_str("cmdport 0\n");
    for zone in &intent.topology.zones {
        for net in &zone.subnets {
            out.push_str(&format!("allow {net}\n"));
        }
    }
    out
}
