//! What nmap saw, from the XML it writes with `-oX` (`nmap.dtd`, xmloutputversion 1.04 and 1.05).

use crate::observed::{Device, Note, OpenPort, PortSpan, Scan, Transport, parse_mac};
use crate::service::{Basis, Service};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use tillgate_model::{Diagnostic, Finding, FindingId, Proof, SourceFile, Span, Subject, Text};

/// What was read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Devices and ports as observations; segments are the caller's to fill in, before [`Scan::place`].
    pub scan: Scan,
    /// What scripts of nmap say is vulnerable.
    pub vulnerabilities: Vec<Vulnerability>,
    /// What could not be used, with its place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Something a script of nmap says is vulnerable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vulnerability {
    /// Where.
    pub address: IpAddr,
    /// On which port; `None` for the host.
    pub port: Option<(Transport, u16)>,
    /// The script that says so.
    pub script: String,
    /// Its CVE ids, sorted.
    pub cves: Vec<String>,
    /// Whether the script tried it. Otherwise the version of the service is all it goes by.
    pub is_tried: bool,
}

/// More CVE ids than anybody would read in one message.
const CVES: usize = 5;
/// This many open ports of those asked, and nearly all of them, are no services but something that answers.
const MANY: usize = 100;

impl Vulnerability {
    /// The finding; possible where only a version was compared.
    pub fn finding(&self) -> Finding {
        let mut shown: Vec<&str> = self.cves.iter().take(CVES).map(String::as_str).collect();
        if self.cves.len() > CVES {
            shown.push("…");
        }
        let id = if self.is_tried { "finding-nmap-vulnerable" } else { "finding-nmap-version" };
        let port =
            self.port.map(|(protocol, port)| format!(" {}/{port}", protocol.name())).unwrap_or_default();
        let text = Text::new(id)
            .arg("device", format!("{}{port}", self.address))
            .arg("script", &self.script)
            .arg("cves", if shown.is_empty() { "–".into() } else { shown.join(", ") });
        let subject = Subject { device: Some(self.address.to_string()), ..Subject::default() };
        let proof = if self.is_tried { Proof::Observed } else { Proof::Possible };
        Finding::new(FindingId::InsecureService, subject, text).proof(proof)
    }
}

/// Reads a file of nmap's as a scan of `site`.
///
/// # Errors
/// One diagnostic with its place: no XML, cut off, not of nmap, or with entities of its own.
pub fn read(file: &Arc<SourceFile>, site: &str) -> Result<Imported, Box<Diagnostic>> {
    let document = document(file)?;
    let root = document.root_element();
    if !root.has_tag_name("nmaprun") {
        let text = Text::new("nmap-not-a-run").arg("element", root.tag_name().name());
        return Err(Box::new(Diagnostic::error(span(file, root), text)));
    }
    let finished = root.children().find(|n| n.has_tag_name("runstats")).and_then(|n| child(n, "finished"));
    let time = |node: Option<Node<'_, '_>>, name: &str| node?.attribute(name)?.parse::<i64>().ok();
    let mut reader = Reader {
        file,
        at: time(Some(root), "start").or_else(|| time(finished, "time")).unwrap_or(0),
        imported: Imported { scan: Scan::new(site, 0), vulnerabilities: Vec::new(), diagnostics: Vec::new() },
    };
    reader.imported.scan.at = reader.at;
    if finished.and_then(|n| n.attribute("exit")).is_none_or(|exit| exit != "success") {
        reader.incomplete(Text::new("nmap-unfinished"));
    }
    for node in root.children().filter(|n| n.has_tag_name("scaninfo")) {
        reader.asked(node);
    }
    for node in root.children().filter(|n| n.has_tag_name("host")) {
        reader.host(node);
    }
    let mut imported = reader.imported;
    imported.scan.sort();
    imported.vulnerabilities.sort();
    imported.vulnerabilities.dedup();
    Diagnostic::sort(&mut imported.diagnostics);
    Ok(imported)
}

/// Reads the XML. nmap names a document type and defines none; entities of a file's own are refused.
fn document(file: &Arc<SourceFile>) -> Result<Document<'_>, Box<Diagnostic>> {
    let at_offset = |at: usize, text: Text| {
        let start =
            (0..=at.min(file.text.len())).rev().find(|at| file.text.is_char_boundary(*at)).unwrap_or(0);
        Box::new(Diagnostic::error(Span::new(file, start, (start + 1).min(file.text.len())), text))
    };
    if let Some(at) = file.text.find("<!ENTITY") {
        return Err(at_offset(at, Text::new("nmap-entity")));
    }
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 20_000_000, ..ParsingOptions::default() };
    Document::parse_with_options(&file.text, options).map_err(|error| {
        let place = error.pos();
        let lines = file.text.split_inclusive('\n');
        let before: usize = lines.take((place.row as usize).saturating_sub(1)).map(str::len).sum();
        let line = file.text.get(before..).unwrap_or("");
        let within = line.char_indices().nth((place.col as usize).saturating_sub(1)).map_or(0, |(at, _)| at);
        match error {
            // What a run leaves that was stopped.
            roxmltree::Error::UnclosedRootNode | roxmltree::Error::UnexpectedEndOfStream => {
                let mut found =
                    at_offset(file.text.trim_end().len().saturating_sub(1), Text::new("nmap-cut"));
                found.hint = Some(Text::new("nmap-cut-hint"));
                found
            }
            _ => at_offset(before + within, Text::new("nmap-syntax").arg("detail", error)),
        }
    })
}

struct Reader<'f> {
    file: &'f Arc<SourceFile>,
    at: i64,
    imported: Imported,
}

impl Reader<'_> {
    fn incomplete(&mut self, text: Text) {
        self.imported.scan.is_complete = false;
        self.imported.scan.notes.push(Note::from(&text));
    }

    fn warn(&mut self, node: Node<'_, '_>, text: Text) {
        self.imported.diagnostics.push(Diagnostic::warning(span(self.file, node), text));
    }

    fn asked(&mut self, node: Node<'_, '_>) {
        let Some(protocol) = node.attribute("protocol").and_then(transport) else { return };
        for part in node.attribute("services").unwrap_or("").split(',').filter(|part| !part.is_empty()) {
            match tillgate_model::parse_port_range(part) {
                Some((first, last)) => self.imported.scan.asked.push(PortSpan { protocol, first, last }),
                None => self.warn(node, Text::new("nmap-ports").arg("text", part)),
            }
        }
    }

    fn host(&mut self, node: Node<'_, '_>) {
        if child(node, "status").and_then(|n| n.attribute("state")).is_some_and(|state| state != "up") {
            return;
        }
        let mut device = Device { is_complete: true, ..Device::default() };
        for address in node.children().filter(|n| n.has_tag_name("address")) {
            let text = address.attribute("addr").unwrap_or("");
            match address.attribute("addrtype") {
                Some("mac") => {
                    device.mac = parse_mac(text);
                    device.vendor = address.attribute("vendor").map(str::to_string);
                }
                _ => match text.parse() {
                    Ok(ip) => device.addresses.push(ip),
                    Err(_) => self.warn(address, Text::new("nmap-address").arg("text", text)),
                },
            }
        }
        if let Some(names) = child(node, "hostnames") {
            let given = names.children().filter_map(|n| n.attribute("name"));
            device.names = given.map(str::to_string).collect();
        }
        if node.attribute("timedout") == Some("true") {
            device.is_complete = false;
            self.incomplete(Text::new("nmap-timed-out").arg("address", display(&device)));
        }
        let Some(&address) = device.addresses.first() else {
            self.warn(node, Text::new("nmap-no-address"));
            return;
        };
        for port in node.descendants().filter(|n| n.has_tag_name("port")) {
            self.port(port, address, &mut device);
        }
        for script in node.children().filter(|n| n.has_tag_name("hostscript")).flat_map(|n| n.children()) {
            self.script(script, address, None);
        }
        let tcp = device.ports.iter().filter(|p| p.protocol == Transport::Tcp).count();
        let asked = self.imported.scan.asked.iter().filter(|s| s.protocol == Transport::Tcp);
        let asked: usize = asked.map(|s| usize::from(s.last - s.first) + 1).sum();
        device.answers_everything = tcp >= MANY && tcp * 10 >= asked * 9;
        self.imported.scan.devices.push(device);
    }

    fn port(&mut self, node: Node<'_, '_>, address: IpAddr, device: &mut Device) {
        let Some(protocol) = node.attribute("protocol").and_then(transport) else { return };
        let Some(port) = node.attribute("portid").and_then(|text| text.parse::<u16>().ok()) else {
            self.warn(node, Text::new("nmap-ports").arg("text", node.attribute("portid").unwrap_or("")));
            return;
        };
        // "open|filtered" is what no answer leaves: not seen open.
        if child(node, "state").and_then(|n| n.attribute("state")) != Some("open") {
            return;
        }
        let service = child(node, "service").map(service);
        device.ports.push(OpenPort { protocol, port, service, first: self.at });
        for script in node.children() {
            self.script(script, address, Some((protocol, port)));
        }
    }

    fn script(&mut self, node: Node<'_, '_>, address: IpAddr, port: Option<(Transport, u16)>) {
        let Some(script) = node.attribute("id").filter(|_| node.has_tag_name("script")) else { return };
        let output = node.attribute("output").unwrap_or("");
        // Scripts with nmap's vulnerability library give a state for each table; all others, at most text.
        let states: Vec<&str> = node
            .descendants()
            .filter(|n| n.has_tag_name("elem") && n.attribute("key") == Some("state"))
            .filter_map(|n| n.text())
            .collect();
        let is_tried = match states.is_empty() {
            false => states.iter().any(|state| is_vulnerable(state)),
            true => output.lines().filter_map(|l| l.trim().strip_prefix("State:")).any(is_vulnerable),
        };
        let is_compared = matches!(script, "vulners" | "vulscan");
        if !is_tried && !is_compared {
            return;
        }
        let mut cves = BTreeSet::new();
        collect_cves(output, &mut cves);
        for text in node.descendants().filter_map(|n| if n.is_text() { n.text() } else { None }) {
            collect_cves(text, &mut cves);
        }
        if is_compared && cves.is_empty() {
            return;
        }
        let (script, cves) = (script.to_string(), cves.into_iter().collect());
        self.imported.vulnerabilities.push(Vulnerability { address, port, script, cves, is_tried });
    }
}

/// `VULNERABLE`, `VULNERABLE (Exploitable)`, `LIKELY VULNERABLE`; not `NOT VULNERABLE`.
fn is_vulnerable(state: &str) -> bool {
    let state = state.trim();
    state.starts_with("VULNERABLE") || state.starts_with("LIKELY VULNERABLE")
}

/// Adds every `CVE-2024-12345` of a text.
fn collect_cves(text: &str, into: &mut BTreeSet<String>) {
    for (at, _) in text.match_indices("CVE-") {
        let rest = text.get(at + 4..).unwrap_or("");
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let year = digits(rest);
        let number = rest.get(year..).and_then(|rest| rest.strip_prefix('-')).map_or(0, digits);
        if year == 4
            && (4..=8).contains(&number)
            && let Some(id) = text.get(at..at + 4 + year + 1 + number)
        {
            into.insert(id.to_string());
        }
    }
}

fn service(node: Node<'_, '_>) -> Service {
    let probed = node.attribute("method") == Some("probed");
    let name = node.attribute("name").unwrap_or("unknown");
    let tunnel = node.attribute("tunnel") == Some("ssl");
    let name = match (name, tunnel) {
        ("http", true) => "https",
        (name, _) => name,
    };
    let words = ["product", "version", "extrainfo"].iter().filter_map(|key| node.attribute(*key));
    let version: Vec<&str> = words.collect();
    let mut service = Service::new(name, if probed { Basis::Answer } else { Basis::Port });
    service.version = (!version.is_empty()).then(|| version.join(" ").chars().take(200).collect());
    service.is_encrypted = tunnel || (probed && name == "ssh");
    // What these protocols do with a password is theirs, whatever the product.
    service.is_cleartext_login =
        probed && !tunnel && matches!(name, "telnet" | "ftp" | "pop3" | "login" | "exec");
    service
}

fn transport(word: &str) -> Option<Transport> {
    match word {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        _ => None,
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.has_tag_name(name))
}

/// The start of an element.
fn span(file: &Arc<SourceFile>, node: Node<'_, '_>) -> Span {
    let range = node.range();
    let head = file.text.get(range.clone()).and_then(|text| text.find('>')).map_or(range.len(), |at| at + 1);
    Span::new(file, range.start, range.start + head)
}

fn display(device: &Device) -> String {
    device.addresses.first().map(IpAddr::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests;
