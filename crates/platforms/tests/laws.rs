//! Laws: may ⊇ must, and render then parse = intent, on random inputs.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tillgate_catalog::Library;
use tillgate_intent::intent;
use tillgate_model::{Date, Packet, SourceFile, Verdict};
use tillgate_platforms::{Input, NoIncludes, RenderError, nftables};
use tillgate_ruleset::{RuleSet, trace, verify};

fn parse(text: &str) -> RuleSet {
    let parsed = nftables::parse(&Input::one(&SourceFile::new("law.nft", text)));
    assert!(parsed.diagnostics.is_empty(), "{text}: {:?}", parsed.diagnostics);
    parsed.rules
}

/// A rule: ports, source, whether it holds something not modelled, verdict.
type Line = (u16, u8, bool, usize);

fn config(lines: &[Line], resolve: impl Fn(usize) -> Option<bool>) -> String {
    let verdicts = ["accept", "drop", "jump sub", "return", "counter", "goto sub"];
    let mut out = String::from(
        "table inet t {\nchain sub { tcp dport 2-3 accept\n udp dport 1 drop\n}\nchain c { type filter hook forward priority 0; policy drop;\n",
    );
    for (at, (port, source, odd, verdict)) in lines.iter().enumerate() {
        let odd = match (odd, resolve(at)) {
            (false, _) | (true, Some(true)) => "",
            (true, Some(false)) => continue,
            (true, None) => "meta mark 0x1 ",
        };
        out.push_str(&format!(
            "tcp dport {}-{} ip saddr 10.0.0.{source} {odd}{}\n",
            port % 4,
            port % 4 + port % 2,
            verdicts[*verdict]
        ));
    }
    out + "}\n}\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_reading_of_what_is_not_modelled_lies_between_the_bounds(
        lines in prop::collection::vec((0u16..8, 0u8..3, any::<bool>(), 0usize..6), 1..12),
        readings in any::<u16>(),
    ) {
        let bounds = parse(&config(&lines, |_| None));
        let reading = parse(&config(&lines, |at| Some(readings >> (at % 16) & 1 == 1)));
        for port in 0..5 {
            for source in 0..4 {
                let packet = Packet::parse(&format!("tcp 10.0.0.{source}:40000 -> 203.0.113.5:{port} in a out b")).unwrap();
                let (wide, exact) = (trace(&bounds, None, &packet, None).outcomes, trace(&reading, None, &packet, None).outcomes);
                prop_assert!(!exact.may_accept() || wide.may_accept(), "{packet}: may");
                prop_assert!(!wide.must_accept() || exact.must_accept(), "{packet}: must");
                prop_assert!(!wide.must_drop() || exact.must_drop(), "{packet}: must not");
            }
        }
    }

    #[test]
    fn what_is_rendered_reads_back_as_the_intent(
        terminals in 1usize..6,
        features in prop::collection::vec(0usize..5, 0..4),
        profile in 0usize..3,
        services in 0usize..8,
        v6 in any::<bool>(),
        uplinks in 1usize..3,
        segment_source in any::<bool>(),
        exception in 0usize..4,
        names in any::<bool>(),
        hostile in "[^\\x00]{0,40}",
    ) {
        let text = estate(terminals, &features, profile, services, v6, uplinks, segment_source, exception, names, &hostile);
        let (library, _) = Library::load(&[]);
        let (estate, found) = tillgate_estate::load(&[SourceFile::new("estate.toml", text.as_str())], &library);
        prop_assert!(estate.is_some(), "{text}\n{found:?}");
        let site = &estate.as_ref().unwrap().sites[0];
        let intent = intent(site, &library, Date::constant(2026, 11, 23));
        let rendered = match nftables::render(site, &intent) {
            Ok(rendered) => rendered,
            // Names need the resolver on the firewall; without it the refusal is the right answer.
            Err(RenderError::NamesNeedResolver) => {
                prop_assert!(names && services & 1 == 0);
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(format!("{text}\n{error:?}"))),
        };
        let resolvers: Vec<_> = rendered.companions.iter().map(|(n, t)| SourceFile::new(n.as_str(), t.as_str())).collect();
        let parsed = nftables::parse(&Input {
            files: &[SourceFile::new("back.nft", rendered.text.as_str())],
            resolvers: &resolvers,
            includes: &NoIncludes,
        });
        prop_assert!(parsed.diagnostics.is_empty());
        let findings = verify(&parsed.rules, &intent);
        prop_assert_eq!(Verdict::of(&findings, tillgate_model::Severity::High), Verdict::Holds, "{:?}", findings);
        // Data never becomes syntax: the hostile name adds no line and no token beyond its comment.
        prop_assert_eq!(rendered.text.matches("hook forward").count(), 1);
    }
}

#[allow(clippy::too_many_arguments)]
fn estate(
    terminals: usize,
    features: &[usize],
    profile: usize,
    services: usize,
    v6: bool,
    uplinks: usize,
    segment_source: bool,
    exception: usize,
    names: bool,
    hostile: &str,
) -> String {
    let all = ["local-pay-display", "network-printer", "voice", "http-setup", "guide-emv-udp"];
    let mut features: Vec<&str> = features.iter().map(|f| all[*f]).collect();
    features.dedup();
    let quote = |text: &str| {
        let escaped: String = text
            .chars()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                c if c.is_control() => format!("\\u{:04x}", c as u32),
                c => c.to_string(),
            })
            .collect();
        format!("\"{escaped}\"")
    };
    let mut out = format!(
        "[estate]\nname = \"x\"\n[[site]]\nname = \"s\"\nnumber = 3\ncatalogs = [\"clover\"]\nregion = \"eu\"\nprofile = \"{}\"\n",
        ["minimal", "guide", "declared"][profile]
    );
    if segment_source {
        out.push_str("source = \"segment\"\n");
    }
    if names {
        out.push_str("egress = \"names\"\n");
    }
    let wan = if uplinks == 1 { "\"eth0\"" } else { "\"eth0\", \"wwan0\"" };
    out.push_str(&format!("[site.firewall]\nwan = [{wan}]\nmanagement = [\"10.3.10.5\"]\n[site.services]\n"));
    for (bit, name) in ["dns", "dhcp", "ntp"].iter().enumerate() {
        if services >> bit & 1 == 1 {
            out.push_str(&format!("{name} = \"gateway\"\n"));
        }
    }
    let six = |n: u8| {
        if v6 {
            format!("subnet6 = \"2001:db8:3:{n}::/64\"\ngateway6 = \"2001:db8:3:{n}::1\"\n")
        } else {
            String::new()
        }
    };
    for (name, role, n) in [("pos", "pos", 20u8), ("office", "corp", 10), ("guest", "guest", 30)] {
        out.push_str(&format!("[[site.segment]]\nname = \"{name}\"\nrole = \"{role}\"\ninterface = \"eth1.{n}\"\nsubnet = \"10.3.{n}.0/24\"\ngateway = \"10.3.{n}.1\"\n{}", six(n)));
    }
    for t in 0..terminals {
        let name = if t == 0 { quote(&format!("t{hostile}")) } else { format!("\"t-{t}\"") };
        let address6 = if v6 && t % 2 == 0 {
            format!("address6 = \"2001:db8:3:20::{:x}\"\n", t + 16)
        } else {
            String::new()
        };
        out.push_str(&format!("[[site.device]]\nname = {name}\nkind = \"clover/station-duo\"\nsegment = \"pos\"\naddress = \"10.3.20.{}\"\n{address6}features = {features:?}\n", t + 11));
    }
    out.push_str("[[site.device]]\nname = \"till\"\nkind = \"pos-host\"\nsegment = \"office\"\naddress = \"10.3.10.20\"\n");
    out.push_str("[[site.device]]\nname = \"printer\"\nkind = \"printer\"\nsegment = \"office\"\naddress = \"10.3.10.40\"\n");
    let allow =
        ["", "tcp pos -> 198.51.100.7:8443", "any till -> t-x", "udp office -> pos:5000-5010"][exception];
    if !allow.is_empty() && exception != 2 {
        out.push_str(&format!(
            "[[site.exception]]\nallow = \"{allow}\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2027-01-01\n"
        ));
    }
    out
}
