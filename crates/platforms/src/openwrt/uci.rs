//! The text of UCI configurations: files, `uci export` and `uci show` become sections.
//!
//! openwrt.org, "The UCI system", File syntax.

use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// The packages that say something about packets; all others are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    Firewall,
    Network,
    Dhcp,
    Other,
}

impl Package {
    fn of(name: &str) -> Self {
        match name {
            "firewall" => Package::Firewall,
            "network" => Package::Network,
            "dhcp" => Package::Dhcp,
            _ => Package::Other,
        }
    }

    /// The package that alone has sections of this type; `None` where several have, or nobody is known to.
    fn of_type(kind: &str) -> Option<Self> {
        Some(match kind {
            "defaults" | "zone" | "forwarding" | "redirect" | "nat" => Package::Firewall,
            "interface" | "device" | "globals" | "bridge-vlan" | "switch" | "switch_vlan" | "switch_port"
            | "route6" | "rule6" | "alias" | "atm-bridge" => Package::Network,
            "dnsmasq" | "dhcp" | "host" | "odhcpd" | "boot" | "domain" | "srvhost" | "mxhost" | "cname"
            | "hostrecord" | "relay" | "tag" | "vendorclass" | "userclass" => Package::Dhcp,
            "system" | "timeserver" | "led" | "wifi-device" | "wifi-iface" | "dropbear" | "uhttpd"
            | "cert" | "rpcd" | "login" | "luci" | "core" | "internal" | "extern" | "agent" | "com2sec" => {
                Package::Other
            }
            kind if kind.starts_with("wireguard_") => Package::Network,
            _ => return None,
        })
    }
}

/// A value where it stands.
#[derive(Clone, Debug)]
pub struct Value {
    /// Without its quotes.
    pub text: String,
    start: usize,
    end: usize,
}

/// An option or a list.
#[derive(Clone, Debug)]
pub struct Setting {
    name: String,
    values: Vec<Value>,
    list: bool,
}

/// A section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Whose it is.
    pub package: Package,
    /// Its type.
    pub kind: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// From `config` to its last value.
    pub span: Span,
    /// The line it begins with.
    pub head: Span,
    settings: Vec<Setting>,
    /// The place of each among the settings; one without values is none.
    places: BTreeMap<String, usize>,
}

impl Section {
    fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.get(*self.places.get(name)?).filter(|s| !s.values.is_empty())
    }

    /// Whether it says something about this.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names of its options, in order.
    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().filter(|s| !s.values.is_empty()).map(|s| s.name.as_str())
    }

    /// The first value of an option.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.values.first().map(|v| v.text.as_str())
    }

    /// The values of an option whose kind is a list: an option is split at blanks, elements of a list are not.
    pub fn words(&self, name: &str) -> Vec<&str> {
        let Some(setting) = self.get(name) else { return Vec::new() };
        match setting.list {
            true => setting.values.iter().map(|v| v.text.trim()).collect(),
            false => setting.values.iter().flat_map(|v| v.text.split_whitespace()).collect(),
        }
    }

    /// The elements of a list, each as it stands.
    pub fn elements(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).into_iter().flat_map(|s| &s.values).map(|v| v.text.as_str())
    }

    /// Where an option's values stand; the section, if it has no such option.
    pub fn place(&self, name: &str) -> Span {
        let ends = self.get(name).and_then(|s| Some((s.values.first()?.start, s.values.last()?.end)));
        ends.map_or(self.span.clone(), |(start, end)| Span::new(&self.span.file, start, end))
    }

    /// The line of an option from its beginning; the section, if it has no such option.
    pub fn line(&self, name: &str) -> Span {
        let place = self.place(name);
        let before = self.span.file.text.get(..place.start as usize).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let blanks = before.get(start..).map_or(0, |line| line.len() - line.trim_start().len());
        if self.has(name) { Span::new(&place.file, start + blanks, place.end as usize) } else { place }
    }

    fn set(&mut self, name: String, values: Vec<Value>, list: bool) {
        let at = self.places.get(&name);
        let Some(known) = at.and_then(|at| self.settings.get_mut(*at)) else {
            self.places.insert(name.clone(), self.settings.len());
            self.settings.push(Setting { name, values, list });
            return;
        };
        if list {
            known.values.extend(values);
            known.list = true;
        } else {
            (known.values, known.list) = (values, false);
        }
    }
}

/// Reads all files, in order.
pub fn read(files: &[Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Section> {
    let mut reader = Reader { sections: Vec::new(), named: BTreeMap::new(), diagnostics };
    for file in files {
        let name = file.name.rsplit(['/', '\\']).next().unwrap_or("");
        let told = ["firewall", "network", "dhcp"].contains(&name).then(|| Package::of(name));
        let mut lines = Lines { file, at: 0, told, guessed: Package::Firewall, current: None, grows: false };
        reader.named.clear();
        while reader.line(&mut lines).is_some() {}
    }
    reader.sections
}

/// One file as it is being read.
struct Lines<'a> {
    file: &'a Arc<SourceFile>,
    at: usize,
    /// The package, as a line or the file's name says.
    told: Option<Package>,
    /// The package, as the sections so far show.
    guessed: Package,
    current: Option<usize>,
    /// Whether the section began here, and is not one that is continued.
    grows: bool,
}

struct Reader<'a> {
    sections: Vec<Section>,
    /// Sections of the file by package and name, which may be continued.
    named: BTreeMap<(Package, String), usize>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn error(&mut self, file: &Arc<SourceFile>, start: usize, end: usize, text: Text) {
        self.diagnostics.push(Diagnostic::error(Span::new(file, start, end), text));
    }

    /// Reads a line; `None` at the end, or where nothing more can be read.
    fn line(&mut self, lines: &mut Lines<'_>) -> Option<()> {
        let text = lines.file.text.as_str();
        let rest = text.get(lines.at..)?;
        lines.at += rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';').len();
        let rest = text.get(lines.at..).filter(|r| !r.is_empty())?;
        let line = rest.split('\n').next().unwrap_or("");
        let start = lines.at;
        if line.starts_with('#') {
            lines.at += line.len();
            return Some(());
        }
        if let Some(key) = shown(line) {
            lines.at += key.len() + 1;
            return self.shown(lines, start, key, line);
        }
        let mut words = Vec::new();
        loop {
            match word(text, lines.at) {
                Ok((Some(value), next)) => {
                    lines.at = next;
                    words.push(value);
                }
                Ok((None, next)) => {
                    lines.at = next;
                    break;
                }
                Err(quote) => {
                    self.error(lines.file, quote, quote + 1, Text::new("open-string"));
                    return None;
                }
            }
        }
        self.command(lines, start, words);
        Some(())
    }

    fn command(&mut self, lines: &mut Lines<'_>, start: usize, words: Vec<Value>) {
        let mut words = words.into_iter();
        let Some(command) = words.next() else { return };
        let end = command.end;
        let (first, second, extra) = (words.next(), words.next(), words.next());
        let (room, needed) = match command.text.as_str() {
            "package" => (1, 1),
            "config" => (2, 1),
            "option" | "list" => (2, 2),
            "uci" => return self.error(lines.file, start, end, Text::new("openwrt-changes")),
            // The prompt before a pasted command, whose `#` begins a comment.
            prompt if prompt.contains('@') && first.is_none() => return,
            other => {
                let text = Text::new("unknown-word").arg("word", other.chars().take(60).collect::<String>());
                return self.error(lines.file, start, end, text);
            }
        };
        let count = [&first, &second, &extra].iter().filter(|w| w.is_some()).count();
        if count < needed {
            return self.error(lines.file, start, end, Text::new("expected-value"));
        }
        if let Some(extra) = [&second, &extra].into_iter().flatten().nth(room - 1) {
            // What stands there may be a part of a secret that lacks its quotes.
            let at = first.as_ref().filter(|_| room > 1).unwrap_or(extra);
            return self.error(lines.file, at.start, at.end, Text::new("openwrt-too-much"));
        }
        let Some(first) = first else { return };
        match (command.text.as_str(), second) {
            ("package", _) => {
                lines.told = Some(Package::of(&first.text));
                lines.current = None;
            }
            ("config", name) => self.section(lines, start, &first, name),
            (kind, Some(value)) => match lines.current.and_then(|at| self.sections.get_mut(at)) {
                Some(section) => {
                    if lines.grows {
                        section.span.end = value.end as u32;
                    }
                    // An empty value is none.
                    let values = if value.text.is_empty() { Vec::new() } else { vec![value] };
                    if !values.is_empty() || kind == "option" {
                        section.set(first.text, values, kind == "list");
                    }
                }
                None => self.error(lines.file, start, end, Text::new("openwrt-outside")),
            },
            _ => {}
        }
    }

    fn section(&mut self, lines: &mut Lines<'_>, start: usize, kind: &Value, name: Option<Value>) {
        let package = match lines.told {
            Some(package) => package,
            None => {
                lines.guessed = Package::of_type(&kind.text).unwrap_or(lines.guessed);
                lines.guessed
            }
        };
        let end = name.as_ref().map_or(kind.end, |n| n.end);
        let span = Span::new(lines.file, start, end);
        let name = name.map(|n| n.text).filter(|n| !n.is_empty());
        self.begin(lines, package, &kind.text, name, span);
    }

    /// A new section, or the one of this name.
    fn begin(
        &mut self,
        lines: &mut Lines<'_>,
        package: Package,
        kind: &str,
        name: Option<String>,
        span: Span,
    ) {
        let at = self.sections.len();
        (lines.current, lines.grows) = (Some(at), true);
        if let Some(name) = &name {
            let key = (package, name.clone());
            if let Some(known) = self.named.get(&key)
                && self.sections.get(*known).is_some_and(|s| s.kind == kind)
            {
                (lines.current, lines.grows) = (Some(*known), false);
                return;
            }
            self.named.insert(key, at);
        }
        let (head, settings, places) = (span.clone(), Vec::new(), BTreeMap::new());
        self.sections.push(Section { package, kind: kind.to_string(), name, span, head, settings, places });
    }

    /// A line of `uci show`, after its `=`.
    fn shown(&mut self, lines: &mut Lines<'_>, start: usize, key: &str, line: &str) -> Option<()> {
        let mut parts = key.splitn(3, '.');
        let (package, section, option) =
            (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next());
        let mut values = Vec::new();
        if line.get(key.len() + 1..).is_some_and(|v| v.starts_with(['\'', '"'])) {
            loop {
                match word(&lines.file.text, lines.at) {
                    Ok((Some(value), next)) => {
                        lines.at = next;
                        values.push(value);
                    }
                    Ok((None, next)) => {
                        lines.at = next;
                        break;
                    }
                    Err(quote) => {
                        self.error(lines.file, quote, quote + 1, Text::new("open-string"));
                        return None;
                    }
                }
            }
        } else {
            // Old versions print no quotes.
            let value = line.get(key.len() + 1..).unwrap_or("").trim_end();
            let end = start + key.len() + 1 + value.len();
            values.push(Value { text: value.to_string(), start: lines.at, end });
            lines.at = start + line.len();
        }
        let end = values.last().map_or(lines.at, |v| v.end);
        let package = Package::of(package);
        match option {
            None => {
                let kind = values.first().map_or("", |v| v.text.as_str()).to_string();
                let span = Span::new(lines.file, start, end);
                self.begin(lines, package, &kind, Some(section.to_string()), span);
            }
            Some(option) => {
                let Some(at) = self.named.get(&(package, section.to_string())).copied() else {
                    self.error(
                        lines.file,
                        start,
                        start + key.len(),
                        Text::new("unknown-object").arg("name", section),
                    );
                    return Some(());
                };
                let follows = lines.current == Some(at) && lines.grows;
                if let Some(section) = self.sections.get_mut(at) {
                    if follows {
                        section.span.end = end as u32;
                    }
                    let list = values.len() > 1;
                    values.retain(|v| !v.text.is_empty());
                    if !values.is_empty() {
                        section.set(option.to_string(), values, list);
                    }
                }
            }
        }
        Some(())
    }
}

/// The part before `=` of a line of `uci show`.
fn shown(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0;
    let mut parts = key.split('.');
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '[' | ']'))
    };
    let count = parts.clone().count();
    ((2..=3).contains(&count) && parts.all(plain)).then_some(key)
}

/// The word at or after a byte, and where the next begins; no word at the end of a line. `Err` is where a quote
/// begins that never ends.
fn word(text: &str, from: usize) -> Result<(Option<Value>, usize), usize> {
    let rest = text.get(from..).unwrap_or("");
    let start = from + rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\x0b', '\x0c']).len();
    let mut out = String::new();
    let mut quote: Option<(char, usize)> = None;
    let mut escaped = false;
    let mut some = false;
    let mut end = text.len();
    for (offset, c) in text.get(start..).unwrap_or("").char_indices() {
        let at = start + offset;
        match quote {
            _ if escaped => {
                escaped = false;
                // A backslash at the end of a line joins it with the next.
                if c != '\n' {
                    out.push(c);
                }
                continue;
            }
            Some((mark, _)) if c == mark => quote = None,
            Some(('"', _)) if c == '\\' => escaped = true,
            Some(_) => out.push(c),
            None => match c {
                '\'' | '"' => {
                    (quote, some) = (Some((c, at)), true);
                }
                '\\' => (escaped, some) = (true, true),
                '#' | ';' | '\n' => {
                    end = at;
                    break;
                }
                c if c.is_whitespace() => {
                    end = at;
                    break;
                }
                c => {
                    some = true;
                    out.push(c);
                }
            },
        }
    }
    match quote {
        Some((_, at)) => Err(at),
        None if some => Ok((Some(Value { text: out, start, end }), end)),
        None => {
            // The rest of the line is a comment, or there is none.
            let rest = text.get(end..).unwrap_or("");
            let skip = if rest.starts_with('#') { rest.find('\n').unwrap_or(rest.len()) } else { 0 };
            Ok((None, end + skip))
        }
    }
}
