//! Cisco IOS and IOS-XE: what `show running-config` prints, read and written.
//!
//! Semantics: `docs/reference/platforms/ios.md`, after Cisco's configuration guides and command references.

mod bindings;
mod build;
mod classes;
mod compile;
mod config;
mod edit;
mod entry;
mod exempt;
mod forged;
mod grant;
mod interface;
mod leases;
mod lines;
mod local;
mod nat;
mod pairs;
mod placing;
mod policing;
mod probe;
mod read;
mod removal;
mod render;
mod section;
mod sheet;
mod text;
mod translate;
mod undo;
mod wiring;
mod words;
mod zones;

pub use edit::edits;
pub use render::render;

use crate::{Input, Parsed, registry};
use tillgate_model::Diagnostic;

/// How much a text looks like IOS. Its relatives share many words: an ASA names interfaces (`nameif`), binds lists with
/// `access-group … interface …` and masks addresses the other way round.
pub fn recognise(text: &str) -> u8 {
    if foreign(text) {
        return 0;
    }
    registry::best_line(text, 20_000, score)
}

/// Reads a configuration.
pub fn parse(input: &Input<'_>) -> Parsed {
    let mut diagnostics = Vec::new();
    let reader = read::read(input.files, &mut diagnostics);
    let mut rules = build::build(input.files, &reader.config);
    rules.notes.extend(reader.notes);
    rules.facts.extend(reader.facts);
    rules.finish();
    Diagnostic::sort(&mut diagnostics);
    Parsed { rules, diagnostics }
}

/// Whether a line shows that the text is of a relative.
fn foreign(text: &str) -> bool {
    text.lines().take(20_000).any(|line| {
        let line = line.trim();
        let starts = |word: &str| line.get(..word.len()).is_some_and(|l| l.eq_ignore_ascii_case(word));
        starts("ASA Version")
            || starts("PIX Version")
            || starts("FWSM Version")
            || starts(": Saved")
            || starts("nameif ")
            || starts("security-level ") && line.split(' ').nth(1).is_some_and(|n| n.parse::<u8>().is_ok())
            || starts("object network ")
            || starts("object-group protocol ")
            || starts("access-group ") && line.contains(" interface ")
            // Nexus, IOS-XR and Arista.
            || starts("feature ") && line.split(' ').count() == 2
            || starts("!! IOS XR")
            || starts("ipv4 access-list ")
            || starts("! device:") && line.contains("EOS")
            || starts("!RANCID-CONTENT-TYPE: arista")
            || starts("boot nxos")
    })
}

/// How much a line, without its indent, looks like IOS.
fn score(line: &str) -> u8 {
    let mut words = line.split_whitespace();
    let (first, second, third) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    match (first, second, third) {
        ("ip", "access-list", "extended" | "standard") => 95,
        ("class-map" | "policy-map", "type", "inspect") | ("zone-pair" | "zone", "security", _) => 95,
        ("ip", "nat", "inside" | "outside") | ("Current", "configuration", ":") => 90,
        ("ip", "access-group", _) | ("ipv6", "traffic-filter", _) => 90,
        ("zone-member", "security", _) | ("ipv6", "access-list", _) => 90,
        ("access-list", number, "permit" | "deny" | "remark") if number.parse::<u16>().is_ok() => 80,
        ("service", "timestamps" | "password-encryption", _) | ("line", "vty" | "con", _) => 70,
        ("ip", "address", mask) if mask.contains('.') => 60,
        ("version", number, "") if number.starts_with(|c: char| c.is_ascii_digit()) => 50,
        ("interface", name, _)
            if name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains('"') =>
        {
            40
        }
        ("hostname", _, "") | ("router", _, _) => 20,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use tillgate_model::SourceFile;

    const HEAD: &str = "version 17.3
interface GigabitEthernet1
 ip address 203.0.113.2 255.255.255.0
 ip access-group A in
 zone-member security OUT
interface GigabitEthernet2
 ip address 10.17.10.1 255.255.255.0
 zone-member security IN
zone security IN
zone security OUT
zone-pair security P source OUT destination IN
 service-policy type inspect P
policy-map type inspect P
 class type inspect C0
  inspect
";

    /// Things that hold the next one many times over.
    fn nest(open: &str, hold: &str, end: &str) -> String {
        let mut text = String::new();
        for level in 0..14 {
            let _ = writeln!(text, "{open}{level}");
            for _ in 0..12 {
                let _ = writeln!(text, " {hold}{}", level + 1);
            }
        }
        let _ = writeln!(text, "{open}14\n {end}");
        text
    }

    fn rules(text: &str) -> usize {
        let file = SourceFile::new("t", format!("{HEAD}{text}").as_str());
        parse(&Input::one(&file)).rules.len()
    }

    #[test]
    fn what_holds_itself_many_times_over_is_followed_once() {
        let list = "ip access-list extended A\n permit object-group S0 object-group G0 any\n";
        let networks = nest("object-group network G", "group-object G", "host 10.1.1.1");
        let services = nest("object-group service S", "group-object S", "tcp eq 80");
        assert!(rules(&format!("{list}{networks}{services}")) < 100);
        for kind in ["any", "all"] {
            let open = format!("class-map type inspect match-{kind} C");
            let count = rules(&nest(&open, "match class-map C", "match protocol http"));
            assert!(count < 100_000, "{kind}: {count}");
        }
    }
}
