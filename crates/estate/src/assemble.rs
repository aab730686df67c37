//! Templates and variables applied: one site at a time, from its own table over its template's.

use crate::devices;
use crate::exception;
use crate::switches;
use crate::switches::Switch;
use crate::types::*;
use ipnet::IpNet;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use tillgate_catalog::document::{Kind, Value, closest};
use tillgate_catalog::{Library, Profile};
use tillgate_model::{Diagnostic, SourceFile, Span, Text, parse_prefix};

/// Variables of a site, by name.
pub type Variables = BTreeMap<String, String>;

/// Builds the estate; what is wrong is reported and left out.
pub fn assemble(
    roots: &[Value],
    tables: &BTreeMap<String, Arc<SourceFile>>,
    library: &Library,
    found: &mut Vec<Diagnostic>,
) -> Estate {
    let heads: Vec<&Value> = roots.iter().filter_map(|r| r.get("estate")).collect();
    for extra in heads.iter().skip(1) {
        found.push(
            Diagnostic::error(extra.span.clone(), Text::new("estate-twice"))
                .related(heads[0].span.clone(), Text::new("first-here")),
        );
    }
    let mut estate = Estate {
        name: heads.first().and_then(|h| h.text("name")).unwrap_or_default().to_string(),
        assessment: heads.first().and_then(|h| h.text("assessment")).map(str::to_string),
        sites: Vec::new(),
    };
    let templates: Vec<&Value> = roots.iter().flat_map(|r| r.list("template")).collect();
    duplicates(templates.iter().copied(), found);
    let sites: Vec<&Value> = roots.iter().flat_map(|r| r.list("site")).collect();
    duplicates(sites.iter().copied(), found);

    let shared = heads.first().and_then(|h| h.get("devices"));
    let shared = shared.and_then(|v| devices::table(v, tables, found));
    if let Some(rows) = &shared {
        for row in rows {
            let known =
                row.site.as_ref().is_some_and(|s| sites.iter().any(|v| v.text("name") == Some(&s.text)));
            if !known {
                let (name, span) =
                    row.site.as_ref().map_or(("", &row.span), |cell| (cell.text.as_str(), &cell.span));
                found.push(Diagnostic::error(span.clone(), Text::new("unknown-site").arg("site", name)));
            }
        }
    }
    for table in sites {
        let template = match table.get("template") {
            None => None,
            Some(value) => {
                let name = value.as_text().unwrap_or_default();
                let template = templates.iter().find(|t| t.text("name") == Some(name)).copied();
                if template.is_none() {
                    let names = templates.iter().filter_map(|t| t.text("name"));
                    let mut error = Diagnostic::error(
                        value.span.clone(),
                        Text::new("unknown-template").arg("name", name),
                    );
                    if let Some(word) = closest(name, names) {
                        error = error.hint(Text::new("did-you-mean").arg("word", word));
                    }
                    found.push(error);
                    continue;
                }
                template
            }
        };
        let builder = Builder { table, template, variables: variables(table, template) };
        if let Some(mut site) = builder.site(found) {
            let mut rows = builder.device_rows();
            if let Some(value) = table.get("devices") {
                rows.extend(devices::table(value, tables, found).unwrap_or_default());
            }
            if let Some(shared) = &shared {
                let ours = |r: &&devices::Row| r.site.as_ref().is_some_and(|c| c.text == site.name);
                rows.extend(shared.iter().filter(ours).cloned());
            }
            site.devices =
                rows.iter().filter_map(|r| devices::device(r, &builder.variables, library, found)).collect();
            site.exceptions = builder.exceptions(&site, found);
            site.switches = builder.switches(&site, found);
            switches::plug(&mut site, found);
            estate.sites.push(site);
        }
    }
    estate.sites.sort_by(|a, b| a.name.cmp(&b.name));
    estate
}

fn duplicates<'a>(tables: impl Iterator<Item = &'a Value>, found: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for table in tables {
        let Some(name) = table.text("name") else { continue };
        let place = table.place("name");
        match seen.get(name) {
            Some(first) => found.push(
                Diagnostic::error(place, Text::new("duplicate-name").arg("name", name))
                    .related(first.clone(), Text::new("first-here")),
            ),
            None => {
                seen.insert(name, place);
            }
        }
    }
}

fn variables(table: &Value, template: Option<&Value>) -> Variables {
    let mut out = Variables::new();
    for source in template.into_iter().chain([table]) {
        for (name, _, value) in source.get("vars").map_or(&[][..], Value::entries) {
            let text = match &value.kind {
                Kind::Integer(n) => n.to_string(),
                Kind::Text(text) => text.clone(),
                _ => continue,
            };
            out.insert(name.clone(), text);
        }
    }
    if let Some(number) = table.integer("number") {
        out.insert("site".into(), number.to_string());
    }
    out
}

/// Fills `{name}`; an unknown variable is an error at its place.
pub fn fill<'a>(
    text: &'a str,
    span: &Span,
    variables: &Variables,
    found: &mut Vec<Diagnostic>,
) -> Cow<'a, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}') else { break };
        let name = &rest[open + 1..open + close];
        match variables.get(name) {
            Some(value) => out.push_str(value),
            None => {
                let hint = if name == "site" { "variable-site-hint" } else { "variable-hint" };
                let mut error =
                    Diagnostic::error(span.clone(), Text::new("unknown-variable").arg("name", name));
                error = match closest(name, variables.keys().map(String::as_str)) {
                    Some(word) => error.hint(Text::new("did-you-mean").arg("word", word)),
                    None => error.hint(Text::new(hint).arg("name", name)),
                };
                found.push(error);
                // Reported once; a harmless value keeps later messages about the same string away.
                return Cow::Borrowed("");
            }
        }
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

struct Builder<'a> {
    table: &'a Value,
    template: Option<&'a Value>,
    variables: Variables,
}

impl<'a> Builder<'a> {
    /// A key of the site, or else of its template.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key).or_else(|| self.template.and_then(|t| t.get(key)))
    }

    fn nested(&self, table: &str, key: &str) -> Option<&'a Value> {
        let own = self.table.get(table).and_then(|t| t.get(key));
        own.or_else(|| self.template.and_then(|t| t.get(table)).and_then(|t| t.get(key)))
    }

    fn fill(&self, value: &Value, found: &mut Vec<Diagnostic>) -> String {
        fill(value.as_text().unwrap_or_default(), &value.span, &self.variables, found).into_owned()
    }

    fn texts(&self, value: Option<&Value>, found: &mut Vec<Diagnostic>) -> Vec<(String, Span)> {
        value.map_or(Vec::new(), |v| {
            v.items().iter().map(|item| (self.fill(item, found), item.span.clone())).collect()
        })
    }

    fn site(&self, found: &mut Vec<Diagnostic>) -> Option<Site> {
        let name = self.table.text("name")?.to_string();
        let catalogs = self.texts(self.get("catalogs"), found).into_iter().map(|(t, _)| t).collect();
        Some(Site {
            number: self.table.integer("number"),
            region: self.table.text("region").map(str::to_string),
            catalogs,
            profile: self
                .get("profile")
                .and_then(Value::as_text)
                .and_then(Profile::parse)
                .unwrap_or(Profile::Declared),
            egress: match self.get("egress").and_then(Value::as_text) {
                Some("names") => Egress::Names,
                _ => Egress::Internet,
            },
            source: match self.get("source").and_then(Value::as_text) {
                Some("segment") => SourceScope::Segment,
                _ => SourceScope::Devices,
            },
            firewall: self.firewall(found),
            services: Services {
                dns: self.service("dns", found),
                ntp: self.service("ntp", found),
                dhcp: self.service("dhcp", found),
                dhcp_server: self
                    .nested("services", "dhcp-server")
                    .and_then(Value::as_text)
                    .and_then(DhcpServer::parse),
            },
            segments: self.segments(found),
            devices: Vec::new(),
            exceptions: Vec::new(),
            switches: Vec::new(),
            span: self.table.place("name"),
            name,
        })
    }

    fn firewall(&self, found: &mut Vec<Diagnostic>) -> Firewall {
        let key = |key| self.nested("firewall", key);
        let mut management = Vec::new();
        for (text, span) in self.texts(key("management"), found) {
            match parse_prefix(&text) {
                Some(net) => management.push(net.trunc()),
                None if text.is_empty() => {}
                None => found.push(
                    Diagnostic::error(span, Text::new("bad-prefix").arg("text", &text))
                        .hint(Text::new("bad-prefix-hint")),
                ),
            }
        }
        let mut management_ports = Vec::new();
        for value in key("management-ports").map_or(&[][..], Value::items) {
            match value.kind {
                Kind::Integer(n) if (1..=65535).contains(&n) => management_ports.push(n as u16),
                _ => found.push(Diagnostic::error(value.span.clone(), Text::new("bad-ports"))),
            }
        }
        if management_ports.is_empty() {
            management_ports.push(22);
        }
        let wan = self.texts(key("wan"), found);
        for (name, span) in &wan {
            interface_name(name, span, found);
        }
        Firewall {
            platform: key("platform").and_then(Value::as_text).unwrap_or("nftables").to_string(),
            wan: wan.into_iter().map(|(name, _)| name).collect(),
            nat: match key("nat").and_then(Value::as_text) {
                Some("none") => Nat::None,
                _ => Nat::Masquerade,
            },
            management,
            management_ports,
        }
    }

    fn service(&self, key: &str, found: &mut Vec<Diagnostic>) -> Option<ServiceAt> {
        let value = self.nested("services", key)?;
        let words = self.texts(Some(value), found);
        if words.len() == 1 && words[0].0 == "gateway" {
            return Some(ServiceAt::Gateway);
        }
        let mut addresses = Vec::new();
        for (text, span) in words {
            match text.parse::<IpAddr>() {
                Ok(address) => addresses.push(address),
                Err(_) if text.is_empty() => {}
                Err(_) => found.push(
                    Diagnostic::error(span, Text::new("bad-service").arg("text", &text))
                        .hint(Text::new("bad-service-hint")),
                ),
            }
        }
        Some(ServiceAt::Addresses(addresses))
    }

    /// The template's segments in order, each overridden by the site's of the same name; then the site's own.
    fn segments(&self, found: &mut Vec<Diagnostic>) -> Vec<Segment> {
        let base = self.template.map_or(&[][..], |t| t.list("segment"));
        let own = self.table.list("segment");
        duplicates(base.iter(), found);
        duplicates(own.iter(), found);
        let same = |a: &Value, b: &Value| a.text("name").is_some() && a.text("name") == b.text("name");
        let mut out = Vec::new();
        for segment in base {
            out.extend(self.segment(own.iter().find(|o| same(o, segment)), Some(segment), found));
        }
        for segment in own.iter().filter(|o| !base.iter().any(|b| same(b, o))) {
            out.extend(self.segment(Some(segment), None, found));
        }
        out
    }

    fn segment(
        &self,
        own: Option<&Value>,
        base: Option<&Value>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Segment> {
        let get = |key: &str| own.and_then(|v| v.get(key)).or_else(|| base.and_then(|v| v.get(key)));
        let place = own.or(base)?;
        let name = get("name")?.as_text()?.to_string();
        for key in ["role", "interface"] {
            if get(key).is_none() {
                found.push(Diagnostic::error(
                    place.span.clone(),
                    Text::new("toml-missing-key").arg("key", key),
                ));
            }
        }
        let role = get("role").and_then(Value::as_text).and_then(Role::parse)?;
        let interface_value = get("interface")?;
        let interface = self.fill(interface_value, found);
        interface_name(&interface, &interface_value.span, found);
        let mut net = |key: &str, v4: bool| -> Option<IpNet> {
            let value = get(key)?;
            let text = self.fill(value, found);
            match text.parse::<IpNet>() {
                Ok(net) if net.trunc() == net && net.addr().is_ipv4() == v4 => Some(net),
                Ok(net) if net.addr().is_ipv4() == v4 => {
                    found.push(
                        Diagnostic::error(value.span.clone(), Text::new("host-bits").arg("text", &text))
                            .hint(Text::new("did-you-mean").arg("word", net.trunc())),
                    );
                    None
                }
                _ if text.is_empty() => None,
                _ => {
                    found.push(
                        Diagnostic::error(value.span.clone(), Text::new("bad-prefix").arg("text", &text))
                            .hint(Text::new("bad-subnet-hint")),
                    );
                    None
                }
            }
        };
        let (subnet, subnet6) = (net("subnet", true), net("subnet6", false));
        if get("subnet").is_none() && get("subnet6").is_none() {
            found.push(Diagnostic::error(
                place.span.clone(),
                Text::new("toml-missing-key").arg("key", "subnet"),
            ));
        }
        let mut gateways = Vec::new();
        for key in ["gateway", "gateway6"] {
            let Some(value) = get(key) else { continue };
            let text = self.fill(value, found);
            match text.parse::<IpAddr>() {
                Ok(address) if [subnet, subnet6].iter().flatten().any(|n| n.contains(&address)) => {
                    gateways.push(address)
                }
                Ok(address) if subnet.is_some() || subnet6.is_some() => found.push(
                    Diagnostic::error(
                        value.span.clone(),
                        Text::new("gateway-outside").arg("address", address),
                    )
                    .related(place.place("subnet"), Text::new("segment-here")),
                ),
                Ok(_) => {}
                Err(_) if text.is_empty() => {}
                Err(_) => found
                    .push(Diagnostic::error(value.span.clone(), Text::new("bad-address").arg("text", &text))),
            }
        }
        let vlan = match get("vlan").map(|v| (&v.kind, v)) {
            None => None,
            Some((Kind::Integer(n), _)) if (1..=4094).contains(n) => Some(*n as u16),
            Some((_, value)) => {
                found.push(Diagnostic::error(value.span.clone(), Text::new("bad-vlan")));
                None
            }
        };
        let internet = match get("internet").map(|v| &v.kind) {
            Some(Kind::Bool(b)) => *b,
            _ => matches!(role, Role::Corp | Role::Guest),
        };
        let span = place.place("name");
        Some(Segment { name, role, interface, vlan, subnet, subnet6, gateways, internet, span })
    }

    fn device_rows(&self) -> Vec<devices::Row> {
        self.table.list("device").iter().map(devices::row).collect()
    }

    fn switches(&self, site: &Site, found: &mut Vec<Diagnostic>) -> Vec<Switch> {
        let base = self.template.map_or(&[][..], |t| t.list("switch"));
        let own = self.table.list("switch");
        duplicates(base.iter(), found);
        duplicates(own.iter(), found);
        switches::read(base, own, &site.segments, &self.variables, found)
    }

    fn exceptions(&self, site: &Site, found: &mut Vec<Diagnostic>) -> Vec<Exception> {
        let base = self.template.map_or(&[][..], |t| t.list("exception"));
        let mut out = Vec::new();
        for table in base.iter().chain(self.table.list("exception")) {
            let Some(value) = table.get("allow") else { continue };
            let allow = self.fill(value, found);
            out.extend(exception::read(&allow, value, table, site, found));
        }
        out
    }
}

fn interface_name(name: &str, span: &Span, found: &mut Vec<Diagnostic>) {
    let bad = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\' | '*' | ';' | '{' | '}')
    };
    if name.is_empty() || name.chars().any(bad) {
        found.push(Diagnostic::error(span.clone(), Text::new("bad-interface").arg("name", name)));
    }
}
