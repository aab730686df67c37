//! The file as a tree of elements, with the product whose manner of switches it follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use tillgate_model::{Diagnostic, SourceFile, Span, Text};

/// Sections that stand alone in a partial backup.
pub const PARTS: &[&str] = &[
    "aliases",
    "filter",
    "nat",
    "interfaces",
    "schedules",
    "shaper",
    "staticroutes",
    "dhcpd",
    "dhcpdv6",
    "vlans",
    "ifgroups",
    "virtualip",
    "gateways",
];

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    OPNsense,
    PfSense,
}

/// An element.
#[derive(Clone, Copy)]
pub struct El<'d> {
    node: roxmltree::Node<'d, 'd>,
    file: &'d Arc<SourceFile>,
    pub product: Product,
}

/// All files of a configuration.
pub struct Tree<'d> {
    pub roots: Vec<El<'d>>,
    pub product: Product,
    /// What stands directly below the roots, by name; a root that is a section itself is among it.
    sections: BTreeMap<&'d str, Vec<El<'d>>>,
}

/// The name of the first element of a text, without reading the rest of it.
pub fn root_name(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let (open, close) = match rest {
            r if r.starts_with("<?") => ("<?", "?>"),
            r if r.starts_with("<!--") => ("<!--", "-->"),
            _ => break,
        };
        let after = rest.get(open.len()..)?;
        rest = after.get(after.find(close)? + close.len()..)?;
    }
    let name = rest.strip_prefix('<')?;
    let end = name.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))?;
    name.get(..end)
}

/// Reads a file. A document type is refused, so that no entity can grow.
pub fn document(file: &Arc<SourceFile>) -> Result<roxmltree::Document<'_>, Box<Diagnostic>> {
    let options = roxmltree::ParsingOptions { allow_dtd: false, ..roxmltree::ParsingOptions::default() };
    roxmltree::Document::parse_with_options(&file.text, options).map_err(|error| {
        use roxmltree::Error;
        // What the library says may quote the text; tags are all that is repeated here.
        let text = match &error {
            Error::UnexpectedCloseTag(expected, found, _) => {
                Text::new("xml-close").arg("expected", expected).arg("found", found)
            }
            Error::UnclosedRootNode => Text::new("xml-cut"),
            Error::DtdDetected => Text::new("xml-document-type"),
            _ => Text::new("xml-syntax").num("line", error.pos().row as usize),
        };
        let at = match error {
            Error::UnclosedRootNode => file.text.len().saturating_sub(1),
            // The line is shown with its error, unless it may hold what nobody should see.
            _ if secret(file.line(error.pos().row as usize)) => 0,
            _ => offset(file, error.pos()),
        };
        Box::new(Diagnostic::error(Span::new(file, at, (at + 1).min(file.text.len())), text))
    })
}

/// Whether a line speaks of passwords, keys or the like.
fn secret(line: &str) -> bool {
    const WORDS: &[&str] = &["pass", "secret", "key", "hash", "psk", "prv", "community", "token", "auth"];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// The byte of a line and column, both from 1, the latter in characters.
fn offset(file: &SourceFile, at: roxmltree::TextPos) -> usize {
    let lines = file.text.split_inclusive('\n');
    let start: usize = lines.take((at.row as usize).saturating_sub(1)).map(str::len).sum();
    let line = file.text.get(start..).unwrap_or("");
    let within = line.char_indices().nth((at.col as usize).saturating_sub(1)).map_or(0, |(i, _)| i);
    start + within
}

impl<'d> Tree<'d> {
    /// The roots of all documents. `None` without any.
    pub fn of(
        documents: &'d [(&'d Arc<SourceFile>, roxmltree::Document<'d>)],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let first = documents.first()?.1.root_element();
        let product = match first.tag_name().name() {
            "opnsense" => Product::OPNsense,
            _ => Product::PfSense,
        };
        let roots: Vec<El<'d>> =
            documents.iter().map(|(file, d)| El { node: d.root_element(), file, product }).collect();
        let mut sections: BTreeMap<&str, Vec<El<'d>>> = BTreeMap::new();
        for root in &roots {
            if PARTS.contains(&root.name()) {
                sections.entry(root.name()).or_default().push(*root);
                continue;
            }
            if !matches!(root.name(), "opnsense" | "pfsense") {
                diagnostics
                    .push(Diagnostic::error(root.head(), Text::new("unknown-word").arg("word", root.name())));
            }
            for section in root.children() {
                sections.entry(section.name()).or_default().push(section);
            }
        }
        Some(Tree { roots, product, sections })
    }

    /// Every element of a path below the roots.
    pub fn all(&self, path: &str) -> Vec<El<'d>> {
        let mut steps = path.split('/');
        let first = steps.next().and_then(|name| self.sections.get(name));
        let mut list = first.cloned().unwrap_or_default();
        for step in steps {
            list = list.iter().flat_map(|e| e.all(step)).collect();
        }
        list
    }

    /// The first element of a path.
    pub fn one(&self, path: &str) -> Option<El<'d>> {
        self.all(path).into_iter().next()
    }

    /// The text of the first element of a path, if there is any.
    pub fn text(&self, path: &str) -> Option<&'d str> {
        self.one(path).map(|e| e.text()).filter(|t| !t.is_empty())
    }

    /// The element that stands exactly at a place.
    pub fn at(&self, span: &Span) -> Option<El<'d>> {
        let mut roots = self.roots.iter().filter(|r| r.file.name == span.file.name);
        roots.find_map(|root| root.descendants().find(|e| e.span() == *span))
    }

    /// A place for what no line says: the tag the file begins with.
    pub fn start(&self) -> Option<Span> {
        self.roots.first().map(El::head)
    }
}

impl<'d> El<'d> {
    pub fn name(&self) -> &'d str {
        self.node.tag_name().name()
    }

    /// Names from a section of the configuration down to it: `filter/rule`.
    pub fn path(&self) -> String {
        let elements = self.node.ancestors().filter(roxmltree::Node::is_element);
        let mut names: Vec<&str> = elements.map(|n| n.tag_name().name()).collect();
        if matches!(names.last(), Some(&"opnsense" | &"pfsense")) {
            names.pop();
        }
        names.reverse();
        names.join("/")
    }

    /// Elements inside it.
    pub fn children(&self) -> impl Iterator<Item = El<'d>> + use<'d> {
        let (file, product) = (self.file, self.product);
        self.node.children().filter(roxmltree::Node::is_element).map(move |node| El { node, file, product })
    }

    /// Every element anywhere inside it, itself first.
    pub fn descendants(&self) -> impl Iterator<Item = El<'d>> + use<'d> {
        let (file, product) = (self.file, self.product);
        self.node.descendants().filter(roxmltree::Node::is_element).map(move |node| El {
            node,
            file,
            product,
        })
    }

    /// Elements of a name inside it.
    pub fn all(&self, name: &str) -> impl Iterator<Item = El<'d>> + use<'d> {
        let name = name.to_string();
        self.children().filter(move |e| e.name() == name)
    }

    pub fn child(&self, name: &str) -> Option<El<'d>> {
        let node = self.node.children().find(|n| n.is_element() && n.tag_name().name() == name)?;
        Some(El { node, ..*self })
    }

    /// Its own text, without white space around it.
    pub fn text(&self) -> &'d str {
        self.node.text().unwrap_or("").trim()
    }

    /// The text of an element inside it, if there is any.
    pub fn get(&self, name: &str) -> Option<&'d str> {
        self.child(name).map(|e| e.text()).filter(|t| !t.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.child(name).is_some()
    }

    /// A switch: pfSense sets it by being there, OPNsense by a value.
    pub fn on(&self, name: &str) -> bool {
        match (self.product, self.child(name)) {
            (_, None) => false,
            (Product::PfSense, Some(_)) => true,
            (Product::OPNsense, Some(e)) => !matches!(e.text(), "" | "0"),
        }
    }

    /// A switch that being there sets in both products, unless it says 0.
    pub fn there(&self, name: &str) -> bool {
        self.child(name).is_some_and(|e| e.text() != "0")
    }

    /// The whole element.
    pub fn span(&self) -> Span {
        let range = self.node.range();
        Span::new(self.file, range.start, range.end)
    }

    /// Its first tag.
    pub fn head(&self) -> Span {
        let range = self.node.range();
        let text = self.file.text.get(range.clone()).unwrap_or("");
        let end = text.find('>').map_or(range.end, |at| range.start + at + 1);
        Span::new(self.file, range.start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_is_found_behind_what_may_precede_it() {
        assert_eq!(root_name("<?xml version=\"1.0\"?>\n<!-- a > b -->\n<opnsense>"), Some("opnsense"));
        assert_eq!(root_name("<filter/>"), Some("filter"));
        assert_eq!(root_name("<?xml"), None);
    }

    #[test]
    fn deep_nesting_and_entities_do_no_harm() {
        let deep = "<pfsense>".to_string() + &"<a>".repeat(200_000) + &"</a>".repeat(200_000) + "</pfsense>";
        assert!(document(&SourceFile::new("deep", deep)).is_ok());
        let grows = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><pfsense>&b;</pfsense>";
        let file = SourceFile::new("grows", grows);
        let error = document(&file).expect_err("a document type is refused");
        assert_eq!(error.message.id, "xml-document-type");
    }

    #[test]
    fn errors_show_no_line_with_a_password() {
        let file = SourceFile::new("x", "<opnsense>\n<password>a&b;c</password>\n</opnsense>");
        let error = document(&file).expect_err("there is no such entity");
        assert_eq!(error.span.map(|s| s.position()), Some((1, 1)));
    }
}
