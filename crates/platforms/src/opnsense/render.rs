//! An intent written as areas of a `config.xml` to restore, for OPNsense and beside it for pfSense, and proved.

use super::form::{AliasForm, Form, Identity};
use super::known::Known;
use super::tree::Product;
use super::write::{Area, UNIT, element, flag};
use crate::write::{RenderError, Rendered, check, prove};
use std::collections::BTreeMap;
use std::rc::Rc;
use tillgate_estate::Site;
use tillgate_intent::Intent;
use tillgate_model::{Family, Text, addresses_text};

/// Writes the configuration of a site, and refuses what it cannot prove. The companion `pfsense.xml` says the same to
/// pfSense; a site with IPv6 has none, because pfSense passes control messages of IPv6 that no rule can deny.
pub fn render(site: &Site, intent: &Intent) -> Result<Rendered, RenderError> {
    check(site, intent)?;
    // Names in aliases are looked up; none stands for what is below it.
    let wild = intent.flows.iter().filter(|f| f.by_name).flat_map(|f| &f.names).find(|n| n.starts_with("*."));
    if let Some(name) = wild {
        return Err(RenderError::CannotExpress(Text::new("cannot-wildcard-name").arg("name", name)));
    }
    let zones = intent.topology.zones.iter().map(|z| &z.interface);
    for name in zones.chain(&intent.topology.uplinks) {
        // IFNAMSIZ of FreeBSD (if.h) leaves 15 characters.
        if name.len() > 15 || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(RenderError::InterfaceName(name.clone()));
        }
    }
    let six = !intent.topology.inside(Family::V6).is_empty();
    let one = |product| {
        let text = Writer::new(intent, product).file(&site.name)?;
        prove(super::parse, Rendered { text, companions: Vec::new() }, intent)
    };
    let mut rendered = one(Product::OPNsense)?;
    if !six {
        rendered.companions.push(("pfsense.xml".into(), one(Product::PfSense)?.text));
    }
    Ok(rendered)
}

/// What is written for one of the products.
pub struct Writer<'a> {
    pub intent: &'a Intent,
    pub product: Product,
    /// Key and device of each interface, uplinks first.
    pub keys: Vec<(String, String)>,
    /// Aliases that there are already.
    pub known: Rc<Known>,
    /// New aliases by type and items.
    pub aliases: BTreeMap<(&'static str, Vec<String>), String>,
    /// How often a name was wished for.
    pub used: BTreeMap<String, usize>,
}

/// pfSense tells its rules apart by numbers that look like times.
pub const FIRST_TRACKER: u32 = 1_700_000_001;

impl<'a> Writer<'a> {
    fn new(intent: &'a Intent, product: Product) -> Self {
        let topology = &intent.topology;
        let mut keys: Vec<(String, String)> = Vec::new();
        let mut number = 0;
        let mut next = || {
            number += 1;
            format!("opt{number}")
        };
        for (at, uplink) in topology.uplinks.iter().enumerate() {
            keys.push((if at == 0 { "wan".into() } else { next() }, uplink.clone()));
        }
        // LAN is where people are, if any segment is of that kind.
        let corp = topology.zones.iter().position(|z| z.role == tillgate_estate::Role::Corp).unwrap_or(0);
        for (at, zone) in topology.zones.iter().enumerate() {
            keys.push((if at == corp { "lan".into() } else { next() }, zone.interface.clone()));
        }
        Writer::with(intent, product, keys, Rc::default())
    }

    /// With interfaces and aliases that there are.
    pub fn with(intent: &'a Intent, product: Product, keys: Vec<(String, String)>, known: Rc<Known>) -> Self {
        Writer { intent, product, keys, known, aliases: BTreeMap::new(), used: BTreeMap::new() }
    }

    fn file(&mut self, site: &str) -> Result<String, RenderError> {
        let filter = self.rules()?;
        let nat = self.nat();
        let root = if self.product == Product::OPNsense { "opnsense" } else { "pfsense" };
        let mut out = Area::document(root, &self.remarks(site));
        self.system(&mut out);
        self.interfaces(&mut out);
        self.aliases(&mut out);
        out.raw(&nat);
        out.raw(&filter);
        Ok(out.done(root))
    }

    fn rules(&mut self) -> Result<String, RenderError> {
        let mut out = Area::new(1);
        out.open("filter");
        let (product, base) = (self.product, UNIT.repeat(2));
        let form = Form { product, new: false, floating: false, base, unit: UNIT.into() };
        for (line, number) in self.filter()?.iter().zip(FIRST_TRACKER..) {
            let tracker = (product == Product::PfSense).then_some(number);
            out.raw(&form.rule(line, &Identity { tracker, ..Identity::default() }));
        }
        out.close("filter");
        Ok(out.text())
    }

    /// How to load it, for whoever opens the file.
    fn remarks(&self, site: &str) -> Vec<String> {
        let six = !self.intent.topology.inside(Family::V6).is_empty();
        let keys: Vec<String> = self.keys.iter().map(|(key, device)| format!("{key} = {device}")).collect();
        let mut out = vec![format!("tillgate: {site}")];
        out.extend(
            match self.product {
                Product::OPNsense => [
                    "Restore three areas of it: Aliases, Firewall Rules, NAT (System, Configuration, Backups). They replace",
                    "what stands there. Never restore the whole file: system and interfaces are here to be read, not loaded.",
                    "Then set by hand: Firewall, Settings, Advanced: Disable anti-lockout;",
                ],
                Product::PfSense => [
                    "Restore three areas of it, one after the other: Aliases, NAT, Firewall Rules (Diagnostics, Backup and",
                    "Restore). They replace what stands there. Never restore the whole file: system and interfaces are here",
                    "to be read, not loaded. Then set by hand: System, Advanced, Admin Access: disable anti-lockout;",
                ],
            }
            .map(str::to_string),
        );
        out.push(
            match (self.product, six) {
                (Product::OPNsense, true) => "and there: Disable RFC4890 requirement rules.",
                (Product::OPNsense, false) => {
                    "and IPv6 off: Interfaces, Settings (before 25.7: Allow IPv6, in Advanced)."
                }
                (Product::PfSense, _) => "and IPv6 off: System, Advanced, Networking: Allow IPv6.",
            }
            .to_string(),
        );
        out.push(format!("The rules hold where Interfaces, Assignments shows: {}", keys.join(", ")));
        out
    }

    /// What the rules rely on beside themselves.
    fn system(&self, out: &mut Area) {
        let six = !self.intent.topology.inside(Family::V6).is_empty();
        out.open("system");
        out.line(&element("disablenatreflection", "yes"));
        if six {
            out.line(&element("ipv6allow", "1"));
            out.line(&element("no_ipv6_rfc4890_req", "1"));
        }
        out.open("webgui");
        out.line(&element("protocol", "https"));
        out.line(&flag(self.product, "noantilockout"));
        out.close("webgui");
        out.close("system");
    }

    fn interfaces(&self, out: &mut Area) {
        out.open("interfaces");
        for (key, device) in &self.keys {
            out.open(key);
            out.line(&flag(self.product, "enable"));
            out.line(&element("if", device));
            match self.intent.topology.zones.iter().find(|z| z.interface == *device) {
                Some(zone) => {
                    out.line(&element("descr", &zone.name));
                    for (family, address, length) in
                        [(Family::V4, "ipaddr", "subnet"), (Family::V6, "ipaddrv6", "subnetv6")]
                    {
                        let gateway = zone.gateways.iter().find(|g| Family::of(**g) == family);
                        let net = zone.subnets.iter().find(|n| Family::of(n.addr()) == family);
                        if let (Some(gateway), Some(net)) = (gateway, net) {
                            out.line(&element(address, &gateway.to_string()));
                            out.line(&element(length, &net.prefix_len().to_string()));
                        }
                    }
                }
                None => out.line(&element("gateway", &format!("{}_GW", key.to_ascii_uppercase()))),
            }
            out.close(key);
        }
        out.close("interfaces");
    }

    fn aliases(&self, out: &mut Area) {
        let mut sorted: Vec<(&String, &(&str, Vec<String>))> =
            self.aliases.iter().map(|(k, n)| (n, k)).collect();
        sorted.sort();
        let opnsense = self.product == Product::OPNsense;
        if opnsense {
            out.open("OPNsense");
            if self.intent.topology.inside(Family::V6).is_empty() {
                out.line("<Interfaces><settings><disableipv6>1</disableipv6></settings></Interfaces>");
            }
            ["Firewall", "Alias"].iter().for_each(|name| out.open(name));
        }
        out.open("aliases");
        for (name, (kind, items)) in sorted {
            AliasForm { new: opnsense, uuid: None }.write(out, name, kind, items);
        }
        out.close("aliases");
        if opnsense {
            ["Alias", "Firewall", "OPNsense"].iter().for_each(|name| out.close(name));
        }
    }

    fn nat(&mut self) -> String {
        let inside = self.intent.topology.inside(Family::V4);
        let mut out = Area::new(1);
        out.open("nat");
        out.open("outbound");
        if self.intent.masquerade && !inside.is_empty() {
            out.line(&element("mode", "advanced"));
            self.source_rules(&mut out);
        } else {
            out.line(&element("mode", "disabled"));
        }
        out.close("outbound");
        out.close("nat");
        out.text()
    }

    /// Rules by which sources inside become the address of the uplink they leave by.
    pub fn source_rules(&mut self, out: &mut Area) {
        let inside = self.intent.topology.inside(Family::V4);
        let items = addresses_text(Family::V4, &inside);
        let name = match items.as_slice() {
            [only] if !only.contains('-') => only.clone(),
            _ => self.alias("network", items, "inside"),
        };
        let uplinks = self.keys.clone().into_iter();
        for (key, _) in uplinks.filter(|(_, device)| self.intent.topology.uplinks.contains(device)) {
            out.open("rule");
            out.line(&element("interface", &key));
            out.line(&element("ipprotocol", "inet"));
            out.line(&format!("<source>{}</source>", element("network", &name)));
            out.line(&format!("<destination>{}</destination>", flag(self.product, "any")));
            out.line("<target></target>");
            out.line(&element("descr", "tillgate"));
            out.close("rule");
        }
    }
}
