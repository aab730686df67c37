//! Elements as text, with nothing in them that could end them.

use super::tree::Product;

/// What a person wrote into a description: longer ones are cut.
const LONGEST: usize = 200;
/// What is written for each depth.
pub const UNIT: &str = "  ";

/// Elements, one to a line, indented.
pub struct Area {
    out: String,
    depth: usize,
    /// In front of every line, and for each depth.
    base: String,
    unit: String,
}

impl Area {
    /// Lines that begin at a depth.
    pub fn new(depth: usize) -> Self {
        Area { depth, ..Area::beside("", UNIT) }
    }

    /// Lines among others: what those begin with, and what each depth adds to it.
    pub fn beside(base: &str, unit: &str) -> Self {
        Area { out: String::new(), depth: 0, base: base.to_string(), unit: unit.to_string() }
    }

    /// A document with a comment in front of its root, and the root opened.
    pub fn document(root: &str, remarks: &[String]) -> Self {
        let mut out = String::from("<?xml version=\"1.0\"?>\n<!--\n");
        for line in remarks {
            // A comment ends at two hyphens.
            out.push_str(&format!("  {}\n", plain(line).replace("--", "- -")));
        }
        out.push_str(&format!("-->\n<{root}>\n"));
        Area { out, ..Area::new(1) }
    }

    pub fn open(&mut self, name: &str) {
        self.line(&format!("<{name}>"));
        self.depth += 1;
    }

    /// Opens an element with an identity.
    pub fn open_as(&mut self, name: &str, uuid: &str) {
        self.line(&format!("<{name} uuid=\"{uuid}\">"));
        self.depth += 1;
    }

    pub fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(&format!("</{name}>"));
    }

    pub fn line(&mut self, line: &str) {
        self.out.push_str(&self.margin());
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// White space in front of the next line.
    pub fn margin(&self) -> String {
        self.base.clone() + &self.unit.repeat(self.depth)
    }

    /// Lines that are indented already.
    pub fn raw(&mut self, lines: &str) {
        self.out.push_str(lines);
    }

    pub fn text(self) -> String {
        self.out
    }

    /// The whole document.
    pub fn done(mut self, root: &str) -> String {
        self.out.push_str(&format!("</{root}>\n"));
        self.out
    }
}

/// Text without what could change how it is shown.
fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().take(LONGEST).map(|c| if odd(c) { ' ' } else { c }).collect()
}

/// Text inside an element; line ends are kept.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// A description. It becomes part of a label in the rules that pf reads, where quotes and `$` mean something.
pub fn remark(words: &str) -> String {
    let harmless: String =
        plain(words).chars().map(|c| if matches!(c, '"' | '\\' | '$' | '`') { ' ' } else { c }).collect();
    text(&harmless)
}

pub fn element(name: &str, value: &str) -> String {
    format!("<{name}>{}</{name}>", text(value))
}

/// A switch that is set.
pub fn flag(product: Product, name: &str) -> String {
    match product {
        Product::OPNsense => format!("<{name}>1</{name}>"),
        Product::PfSense => format!("<{name}></{name}>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_stay_inside() {
        assert_eq!(remark("a</descr><x>\"$(b)\n"), "a&lt;/descr&gt;&lt;x&gt;  (b) ");
        let document = Area::document("opnsense", &["x --> <evil/>".into()]).done("opnsense");
        assert_eq!(document.matches("-->").count(), 1);
    }
}
