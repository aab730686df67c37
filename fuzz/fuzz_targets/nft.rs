//! Any text is rules, errors, or both; whatever was read can be traced and judged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tillgate_model::{Packet, SourceFile};
use tillgate_platforms::{Input, NoIncludes, nftables};

fuzz_target!(|text: &str| {
    let parsed = nftables::parse(&Input {
        files: &[SourceFile::new("fuzz.nft", text)],
        resolvers: &[SourceFile::new("r", text)],
        includes: &NoIncludes,
    });
    for diagnostic in &parsed.diagnostics {
        if let Some(span) = &diagnostic.span {
            span.position();
            span.one_line();
        }
    }
    // A configuration with errors is never judged.
    if parsed.diagnostics.is_empty() {
        let packet = Packet::parse("tcp 10.0.0.1:40000 -> 203.0.113.5:443 in eth1 out eth0").unwrap();
        tillgate_ruleset::trace(&parsed.rules, None, &packet, None);
        tillgate_ruleset::verify_alone(&parsed.rules);
    }
});
