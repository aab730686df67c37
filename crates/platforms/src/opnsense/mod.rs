//! OPNsense and pfSense: `config.xml`, whole or in parts, read and written.
//!
//! Semantics: `docs/reference/platforms/opnsense.md`, after the manuals of both products and pf.conf(5).

mod addresses;
mod alias;
mod blocks;
mod build;
mod draft;
mod edit;
mod facts;
mod form;
mod grant;
mod implied;
mod known;
mod lines;
mod nat;
mod network;
mod outbound;
mod place;
mod render;
mod sections;
mod services;
mod tree;
mod tunnels;
mod user;
mod words;
mod write;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed};
use tillgate_model::{Diagnostic, Span, Text};
use tillgate_ruleset::RuleSet;

/// First line of a backup that was encrypted when it was made.
const ENCRYPTED: &str = "---- BEGIN config.xml ----";

/// How much a text looks like a `config.xml`, or a section of one.
pub fn recognise(text: &str) -> u8 {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with(ENCRYPTED) {
        return 100;
    }
    match tree::root_name(text) {
        Some("opnsense" | "pfsense") => 100,
        Some(name) if tree::PARTS.contains(&name) => 60,
        _ => 0,
    }
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let mut documents = Vec::new();
    for file in input.files {
        if file.text.trim_start().starts_with(ENCRYPTED) {
            let head = Span::new(file, 0, file.text.lines().next().map_or(0, str::len));
            diagnostics.push(Diagnostic::error(head, Text::new("opnsense-encrypted")));
            continue;
        }
        match tree::document(file) {
            Ok(document) => documents.push((file, document)),
            Err(error) => diagnostics.push(*error),
        }
    }
    let mut rules = RuleSet { platform: "opnsense", ..RuleSet::default() };
    if diagnostics.is_empty()
        && let Some(tree) = tree::Tree::of(&documents, &mut diagnostics)
    {
        rules = build::build(&tree, &mut diagnostics);
    }
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tillgate_model::SourceFile;

    fn read(text: &str) -> Parsed {
        parse(&Input::one(&SourceFile::new("config.xml", text)))
    }

    #[test]
    fn passwords_beside_what_makes_rules_are_not_shown() {
        let text = "<pfsense><interfaces><lan><enable/><if>igb1</if></lan></interfaces><virtualip><vip><mode>carp</mode><interface>lan</interface><password>s3cret</password></vip></virtualip><ipsec><phase1><interface>lan</interface><remote-gateway>peer.example</remote-gateway><pre-shared-key>s3cret</pre-shared-key></phase1></ipsec><installedpackages><squid><config><transparent_proxy>on</transparent_proxy><password>s3cret</password></config></squid></installedpackages><filter/></pfsense>";
        let parsed = read(text);
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        let rules = parsed.rules.chains.iter().flat_map(|c| &c.rules).map(|r| &r.span);
        let notes = parsed.rules.notes.iter().map(|n| &n.span);
        let facts = parsed.rules.facts.iter().map(|f| &f.span);
        for span in rules.chain(notes).chain(facts) {
            assert!(!span.text().contains("s3cret"), "{}", span.one_line());
        }
    }

    #[test]
    fn sections_that_nobody_has_looked_at_bear() {
        let parsed = read("<opnsense><mystery><x>1</x></mystery><OPNsense><Puzzle/></OPNsense></opnsense>");
        let open: Vec<&str> = parsed.rules.notes.iter().filter(|n| n.bears).map(|n| n.span.text()).collect();
        assert!(open.contains(&"<mystery>") && open.contains(&"<Puzzle/>"), "{open:?}");
    }

    #[test]
    fn devices_of_large_groups_are_not_repeated_in_every_rule() {
        let interfaces: String =
            (0..100).map(|n| format!("<opt{n}><enable>1</enable><if>v{n}</if></opt{n}>")).collect();
        let members: String = (0..100).map(|n| format!("opt{n} ")).collect();
        let rules = "<rule><type>pass</type><interface>G</interface><protocol>tcp</protocol></rule>";
        let text = format!(
            "<opnsense><interfaces>{interfaces}</interfaces><ifgroups><ifgroupentry><ifname>G</ifname><members>{members}</members></ifgroupentry></ifgroups><filter>{}</filter></opnsense>",
            rules.repeat(50)
        );
        let rules = read(&text).rules;
        let all = rules.chains.iter().flat_map(|c| &c.rules).flat_map(|r| &r.when.input);
        assert!(all.map(|m| m.patterns.len()).sum::<usize>() < 500);
    }
}
