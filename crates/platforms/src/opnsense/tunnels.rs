//! Rules that IPsec brings with it: for the peers, behind those of the user, and not quick.

use super::addresses::{Gathering, Set, Side};
use super::draft::{Draft, On};
use super::implied::Settings;
use super::tree::{El, Product, Tree};
use super::user::Reader;
use tillgate_model::Text;

/// Rules behind those of the user, in order. `leaving` asks for those out as well, which matter where others are.
pub fn behind<'d>(
    tree: &Tree<'d>,
    settings: &Settings,
    leaving: bool,
    reader: &mut Reader<'d, '_>,
) -> Vec<Draft> {
    let mut out = Vec::new();
    let off = ["system/disablevpnrules", "OPNsense/IPsec/general/disablevpnrules"];
    let opnsense = tree.product == Product::OPNsense;
    if off.iter().any(|path| tree.one(path).is_some_and(|e| e.text() != "0"))
        || opnsense && tree.one("ipsec/enable").is_none()
    {
        return out;
    }
    // OPNsense's newer kind, of connections, brings none.
    let phases = tree.all("ipsec/phase1").into_iter();
    for phase in phases.filter(|p| !p.has("disabled") && !p.has("gw_duplicates")) {
        let Some(base) = reader.peer(tree, settings, phase) else { continue };
        let number = |path: &str, usual: u128| tree.text(path).and_then(|p| p.parse().ok()).unwrap_or(usual);
        let mut list = vec![base.clone().protocol("udp").port(number("ipsec/port", 500))];
        if !opnsense || phase.get("nat_traversal") != Some("off") {
            list.push(base.clone().protocol("udp").port(number("ipsec/port_nat_t", 4500)));
        }
        let inside = tree.all("ipsec/phase2").into_iter().filter(|p| p.get("ikeid") == phase.get("ikeid"));
        let protocols: Vec<&str> = inside.filter_map(|p| p.get("protocol")).collect();
        let used = ["esp", "ah"].into_iter().filter(|protocol| protocols.contains(protocol));
        list.extend(used.map(|protocol| base.clone().protocol(protocol)));
        // pfSense has none out to peers that may be anywhere.
        let back = leaving && (opnsense || !base.source.is_any());
        for draft in list {
            out.extend(back.then(|| reader.back(&draft)));
            out.push(draft);
        }
    }
    out
}

impl<'d> Reader<'d, '_> {
    /// What all rules in for a peer have in common.
    fn peer(&mut self, tree: &Tree<'d>, settings: &Settings, phase: El<'d>) -> Option<Draft> {
        let head = phase.head();
        let mut out = Draft { quick: false, ..Draft::new(&head, true) }.logged(settings.log_pass);
        let pfsense = self.product == Product::PfSense;
        if pfsense {
            out = out.to(Side::of(Set::myself()));
        }
        let word = phase.get("remote-gateway").unwrap_or("");
        let mut set = Gathering::default();
        let anywhere = phase.has("mobile") || pfsense && matches!(word, "0.0.0.0" | "::");
        let mut open = Vec::new();
        if !anywhere {
            match set.item(word, false) {
                true => out = out.from(Side::of(set.done())),
                false => open.push("remote-gateway"),
            }
        }
        let key = phase.get("interface").unwrap_or("");
        let virtual_address = key.strip_prefix("_vip").and_then(|id| {
            let all = tree.all("virtualip/vip").into_iter();
            all.filter(|v| v.get("uniqid") == Some(id)).find_map(|v| v.get("interface"))
        });
        let key = virtual_address.or(key.split("_vip").next()).unwrap_or("");
        let network = &self.aliases.network;
        let gateways = || tree.all("gateways/gateway_group").into_iter();
        match network.interfaces.get(key) {
            Some(interface) => out.on = On::one(&interface.device),
            None if !network.known => out.on = On::Unknown,
            // A group of gateways: by whichever is up, or an address of a gateway's.
            None if gateways().any(|g| g.get("name") == Some(key)) || key.is_empty() => {
                open.push("interface")
            }
            None => return None,
        }
        for what in open {
            self.note(&head, Text::new("not-modelled-match").arg("what", what), true);
            out = out.doubt(what);
        }
        Some(out)
    }

    /// The rule out that goes with a rule in.
    fn back(&self, draft: &Draft) -> Draft {
        let source = match self.product {
            Product::PfSense => Side::of(Set::myself()),
            Product::OPNsense => Side::any(),
        };
        let out = Draft { inward: false, outward: true, ..draft.clone() };
        let to = draft.source.clone();
        Draft { on: if self.product == Product::PfSense { On::Any } else { out.on.clone() }, ..out }
            .from(source)
            .to(to)
    }
}
