//! A rule as elements: the kind that stands in `filter`, and the newer kind of OPNsense.

use super::tree::Product;
use super::write::{Area, element, flag, remark};
use tillgate_model::Family;

/// Every address of the firewall.
pub const MYSELF: &str = "(self)";

/// One side of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// All but what follows.
    pub not: bool,
    /// An address, a prefix, an alias, or [`MYSELF`]; empty for any.
    pub word: String,
    /// A port, a range, or an alias of ports; empty for any.
    pub port: String,
}

impl End {
    /// An address, a prefix or a name.
    pub fn of(word: impl Into<String>) -> Self {
        End { word: word.into(), ..End::default() }
    }
}

/// One rule, before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub pass: bool,
    /// Keys, with commas; empty for all.
    pub interface: String,
    /// All interfaces but these.
    pub inverted: bool,
    /// Of what leaves.
    pub outward: bool,
    pub family: Option<Family>,
    /// Empty for any.
    pub protocol: String,
    /// The element with the types of control messages, or nothing.
    pub types: String,
    pub source: End,
    pub destination: End,
    pub comment: String,
}

/// How the rules of a place are said.
#[derive(Clone, Debug)]
pub struct Form {
    pub product: Product,
    /// The newer kind.
    pub new: bool,
    /// Asked before the rules of interfaces (the older kind says so in each rule).
    pub floating: bool,
    /// In front of every line, and for each depth.
    pub base: String,
    pub unit: String,
}

/// What tells a rule apart from others.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// pfSense's number.
    pub tracker: Option<u32>,
    pub uuid: Option<String>,
    /// The place of a rule of the newer kind.
    pub sequence: i64,
}

impl Form {
    /// The lines of a rule.
    pub fn rule(&self, line: &Line, identity: &Identity) -> String {
        let mut out = Area::beside(&self.base, &self.unit);
        match &identity.uuid {
            Some(uuid) => out.open_as("rule", uuid),
            None => out.open("rule"),
        }
        match self.new {
            true => newer(line, identity.sequence, &mut out),
            false => self.older(line, identity.tracker, &mut out),
        }
        out.close("rule");
        out.text()
    }

    fn older(&self, line: &Line, tracker: Option<u32>, out: &mut Area) {
        let opnsense = self.product == Product::OPNsense;
        if let Some(tracker) = tracker {
            out.line(&element("tracker", &tracker.to_string()));
        }
        out.line(&element("type", if line.pass { "pass" } else { "block" }));
        if !line.interface.is_empty() {
            out.line(&element("interface", &line.interface));
        }
        if line.inverted {
            out.line(&flag(self.product, "interfacenot"));
        }
        out.line(&element("ipprotocol", family(line)));
        if line.pass {
            out.line(&element("statetype", "keep state"));
        }
        let floating = line.outward || self.floating;
        if floating {
            out.line(&element("floating", "yes"));
        }
        if opnsense || floating {
            out.line(&element("direction", if line.outward { "out" } else { "in" }));
            out.line(&element("quick", if opnsense { "1" } else { "yes" }));
        }
        if !line.protocol.is_empty() {
            out.line(&element("protocol", &line.protocol));
        }
        if !line.types.is_empty() {
            out.line(&line.types);
        }
        if !line.pass {
            out.line(&flag(self.product, "log"));
        }
        for (name, end) in [("source", &line.source), ("destination", &line.destination)] {
            out.line(&format!("<{name}>{}</{name}>", self.side(end)));
        }
        out.line(&format!("<descr>{}</descr>", remark(&line.comment)));
    }

    fn side(&self, end: &End) -> String {
        let not = if end.not { flag(self.product, "not") } else { String::new() };
        let port = if end.port.is_empty() { String::new() } else { element("port", &end.port) };
        let word = match end.word.as_str() {
            "" => flag(self.product, "any"),
            MYSELF => element("network", MYSELF),
            word => element("address", word),
        };
        not + &word + &port
    }
}

fn family(line: &Line) -> &'static str {
    match line.family {
        Some(Family::V4) => "inet",
        Some(Family::V6) => "inet6",
        None => "inet46",
    }
}

fn newer(line: &Line, sequence: i64, out: &mut Area) {
    out.line(&element("enabled", "1"));
    out.line(&element("statetype", "keep"));
    out.line(&element("sequence", &sequence.to_string()));
    out.line(&element("action", if line.pass { "pass" } else { "block" }));
    out.line(&element("quick", "1"));
    out.line(&element("interfacenot", if line.inverted { "1" } else { "0" }));
    out.line(&element("interface", &line.interface));
    out.line(&element("direction", if line.outward { "out" } else { "in" }));
    out.line(&element("ipprotocol", family(line)));
    let protocol = line.protocol.to_ascii_uppercase();
    out.line(&element("protocol", if protocol.is_empty() { "any" } else { &protocol }));
    if !line.types.is_empty() {
        out.line(&line.types);
    }
    for (name, end) in [("source", &line.source), ("destination", &line.destination)] {
        let word = if end.word.is_empty() { "any" } else { &end.word };
        out.line(&element(&format!("{name}_net"), word));
        out.line(&element(&format!("{name}_not"), if end.not { "1" } else { "0" }));
        if !end.port.is_empty() {
            out.line(&element(&format!("{name}_port"), &end.port));
        }
    }
    out.line(&element("log", if line.pass { "0" } else { "1" }));
    out.line(&format!("<description>{}</description>", remark(&line.comment)));
}

/// An alias, as the list it stands in is written.
pub struct AliasForm<'f> {
    /// The list of OPNsense's newer kind.
    pub new: bool,
    pub uuid: Option<&'f str>,
}

impl AliasForm<'_> {
    /// Writes one.
    pub fn write(&self, out: &mut Area, name: &str, kind: &str, items: &[String]) {
        match self.uuid {
            Some(uuid) => out.open_as("alias", uuid),
            None => out.open("alias"),
        }
        if self.new {
            out.line(&element("enabled", "1"));
        }
        out.line(&element("name", name));
        out.line(&element("type", kind));
        match self.new {
            true => out.line(&element("content", &items.join("\n"))),
            false => out.line(&element("address", &items.join(" "))),
        }
        out.line(&element(if self.new { "description" } else { "descr" }, "tillgate"));
        out.close("alias");
    }
}
