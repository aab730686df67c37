//! Checklists, DHCP servers and switches as they are written: cases an admin can read, in `beside/`.
//!
//! A case: a title, an estate of one site, the files to show, and the files. `TILLGATE_BLESS=1` writes them anew.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tillgate_catalog::Library;
use tillgate_estate::Site;
use tillgate_intent::{Intent, intent};
use tillgate_model::{Arg, Date, Decision, Diagnostic, Finding, SourceFile, Text};
use tillgate_platforms::{Rendered, add_companions, checklist, companions_of, is_companion, platform};
use tillgate_ruleset::{trace, verify};

/// Words of a language, from the command line's own files.
struct Words(BTreeMap<String, String>);

impl Words {
    fn of(code: &str) -> Words {
        let folder = format!("{}/../cli/i18n", env!("CARGO_MANIFEST_DIR"));
        let ours = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(code));
        let paths = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(ours);
        let text: String = paths.map(|p| std::fs::read_to_string(p).unwrap()).collect();
        let pairs = text.lines().filter_map(|l| l.split_once(" = "));
        Words(pairs.map(|(id, words)| (id.to_string(), words.to_string())).collect())
    }

    fn say(&self, text: &Text) -> String {
        let mut out = self.0.get(text.id).unwrap_or_else(|| panic!("{} has no words", text.id)).clone();
        // Data may look like a place for data: all places at once, from the left.
        let mut said = String::new();
        while let Some((before, rest)) = out.split_once("{ $") {
            let (name, after) = rest.split_once(" }").unwrap();
            let arg =
                text.args.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{}: {name}", text.id));
            said.push_str(before);
            said.push_str(&match &arg.1 {
                Arg::Str(data) => data.clone(),
                Arg::Num(number) => number.to_string(),
                Arg::Text(text) => self.say(text),
            });
            out = after.to_string();
        }
        said + &out
    }
}

struct Case {
    name: String,
    path: PathBuf,
    text: String,
    title: String,
    estate: String,
    /// What to show.
    show: Vec<String>,
}

fn cases() -> Vec<Case> {
    let folder = format!("{}/tests/beside", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    let case = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let (title, rest) = text.split_once("=ESTATE=\n").unwrap();
        let (estate, rest) = rest.split_once("=SHOW=").unwrap();
        let show = rest.lines().next().unwrap().split_whitespace().map(str::to_string).collect();
        let name = path.file_stem().unwrap().to_string_lossy().to_string();
        let (title, estate) = (title.to_string(), estate.to_string());
        Case { name, path, title, estate, show, text }
    };
    paths.into_iter().map(case).collect()
}

fn load(case: &Case) -> (Option<(Site, Intent)>, Vec<Diagnostic>) {
    let (library, _) = Library::load(&[]);
    let file = SourceFile::new("estate.toml", case.estate.as_str());
    let (estate, found) = tillgate_estate::load(&[file], &library);
    let site = estate.and_then(|e| e.sites.into_iter().next());
    let both = site.map(|site| {
        let intent = intent(&site, &library, Date::constant(2026, 11, 23));
        (site, intent)
    });
    (both, found)
}

fn companions(site: &Site, intent: &Intent) -> Vec<(String, String)> {
    let own = platform(&site.firewall.platform).unwrap();
    let rendered = (own.render)(site, intent).map_err(|e| format!("{e:?}"));
    let mut rendered: Rendered = rendered.unwrap();
    add_companions(site, intent, &mut rendered);
    rendered.companions
}

fn shown(case: &Case, what: &str) -> String {
    let (both, found) = load(case);
    let words = Words::of("en");
    if what == "diagnostics" {
        let line = |d: &Diagnostic| {
            let span = d.span.as_ref().unwrap();
            let (line, _) = span.file.position(span.start as usize);
            let hint = d.hint.as_ref().map_or(String::new(), |h| format!(" ({})", words.say(h)));
            format!("{line}: {}: {}{hint}\n", span.text().lines().next().unwrap_or(""), words.say(&d.message))
        };
        return found.iter().map(line).collect();
    }
    let (site, intent) = both.unwrap_or_else(|| panic!("{}: {found:#?}", case.name));
    let list = || checklist::render(&site, &intent).map_err(|e| format!("{e:?}")).unwrap();
    match what {
        "checklist.md" => checklist::markdown(&list(), &|t| words.say(t)),
        "checklist.de.md" => checklist::markdown(&list(), &|t| Words::of("de").say(t)),
        "checklist.csv" => checklist::csv(&list(), &|t| words.say(t)).replace("\r\n", "\n"),
        name => {
            let all = companions(&site, &intent);
            let known: Vec<&String> = all.iter().map(|(n, _)| n).collect();
            let file = all.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name}: {known:?}"));
            file.1.replace("\r\n", "\n")
        }
    }
}

#[test]
fn files_are_written_as_the_cases_show() {
    let mut wrong = Vec::new();
    for case in cases() {
        let files = case.show.iter().map(|name| format!("=FILE= {name}\n{}", shown(&case, name)));
        let files: Vec<String> = files.collect();
        let want = format!(
            "{}=ESTATE=\n{}=SHOW= {}\n{}",
            case.title,
            case.estate,
            case.show.join(" "),
            files.concat()
        );
        if std::env::var_os("TILLGATE_BLESS").is_some() {
            // Whole or not at all: other tests read the cases at the same time.
            let temporary = case.path.with_extension("new");
            std::fs::write(&temporary, &want).unwrap();
            std::fs::rename(&temporary, &case.path).unwrap();
        } else if case.text != want {
            let line = want.lines().zip(case.text.lines()).position(|(a, b)| a != b);
            let at = line.unwrap_or(0);
            wrong.push(format!(
                "{}:{}\n  case:    {:?}\n  written: {:?}",
                case.path.display(),
                at + 1,
                case.text.lines().nth(at),
                want.lines().nth(at)
            ));
        }
    }
    assert!(wrong.is_empty(), "TILLGATE_BLESS=1 writes the cases anew\n{}", wrong.join("\n"));
}

/// The intent with every flow needed, so that an allow row too few is a finding.
fn strict(intent: &Intent) -> Intent {
    let mut strict = intent.clone();
    strict.findings.clear();
    for flow in &mut strict.flows {
        flow.needed = true;
        flow.unchecked &= flow.requirement == "management";
    }
    strict
}

fn differs(list: &checklist::Checklist, intent: &Intent) -> Vec<Finding> {
    let tidy = ["rule-shadowed", "rule-redundant", "rule-conflicting", "object-unused"];
    let mut found = verify(&checklist::rule_set(list), &strict(intent));
    found.retain(|f| !tidy.contains(&f.id.name()));
    found
}

#[test]
fn the_rows_are_the_intent_no_more_and_no_less() {
    let (mut lists, mut rows) = (0, 0);
    for case in cases().iter().filter(|c| c.show.iter().any(|s| s.starts_with("checklist"))) {
        let Some((site, intent)) = load(case).0 else { panic!("{}", case.name) };
        let list = checklist::render(&site, &intent).map_err(|e| format!("{e:?}")).unwrap();
        assert_eq!(differs(&list, &intent), [], "{}", case.name);
        lists += 1;
        for (at, row) in list.rows.iter().enumerate() {
            if row.action != checklist::Action::Allow {
                continue;
            }
            rows += 1;
            let mut less = list.clone();
            less.rows.remove(at);
            // Whether others reach the internet, or use what the firewall offers, is no requirement of a device.
            let offered = |a: &Arg| matches!(a, Arg::Str(s) if s.starts_with("gateway."));
            let choice =
                row.why.id == "checklist-why-internet" || row.why.args.iter().any(|(_, a)| offered(a));
            assert!(
                choice || !differs(&less, &intent).is_empty(),
                "{}: row {} can go",
                case.name,
                row.number
            );
            let mut more = list.clone();
            if let Some(ports) = &mut more.rows[at].ports {
                // Whoever may manage the firewall may do so by any protocol.
                let management = row.why.id == "checklist-why-management";
                if management || row.protocol.as_deref().is_some_and(|p| p.starts_with("icmp")) {
                    continue;
                }
                ports.push_str(",4444");
                assert!(!differs(&more, &intent).is_empty(), "{}: row {} can grow", case.name, row.number);
            }
        }
    }
    assert!(lists >= 3 && rows >= 40, "{lists} lists, {rows} rows");
}

#[test]
fn every_trial_ends_as_its_row_says() {
    let mut packets = 0;
    for case in cases().iter().filter(|c| c.show.iter().any(|s| s.starts_with("checklist"))) {
        let Some((site, intent)) = load(case).0 else { panic!("{}", case.name) };
        let list = checklist::render(&site, &intent).map_err(|e| format!("{e:?}")).unwrap();
        let rules = checklist::rule_set(&list);
        for row in &list.rows {
            if let Some((packet, passes)) = &row.test.packet {
                let found = trace(&rules, Some(&intent.topology), packet, None);
                assert_eq!(
                    found.decision == Decision::Permit,
                    *passes,
                    "{}: row {}: {packet}",
                    case.name,
                    row.number
                );
                packets += 1;
            }
        }
    }
    assert!(packets >= 60, "{packets} packets");
}

#[test]
fn companions_are_told_from_firewall_files() {
    for case in cases() {
        let (Some((site, intent)), _) = load(&case) else { continue };
        let own = platform(&site.firewall.platform).unwrap();
        let rendered = (own.render)(&site, &intent).map_err(|e| format!("{e:?}")).unwrap();
        assert!(!is_companion(&rendered.text), "{}", case.name);
        for (name, text) in companions_of(&site, &intent, &rendered.companions) {
            assert!(is_companion(&text), "{}: {name}", case.name);
        }
    }
}

/// What a file is made of, whatever the names in it: its lines' first words.
fn bones(text: &str) -> Vec<String> {
    text.lines().map(|l| l.split_whitespace().next().unwrap_or("").to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Names are data: they change no line's kind, make no row, and start no formula.
    #[test]
    fn names_never_become_syntax(segment in any::<String>(), device in any::<String>(), reason in any::<String>()) {
        let case = cases().into_iter().find(|c| c.name == "hostile").unwrap();
        let (mut site, intent_before) = load(&case).0.unwrap();
        let before = companions(&site, &intent_before);
        let list = checklist::render(&site, &intent_before).unwrap();
        let words = Words::of("en");
        let plain = |t: &Text| words.say(t);
        let (tables, fields) = (checklist::markdown(&list, &plain), checklist::csv(&list, &plain));

        let old = (site.segments[0].name.clone(), site.devices[0].name.clone());
        site.segments[0].name = format!("s{segment}");
        site.devices[0].name = format!("d{device}");
        for device in site.devices.iter_mut().filter(|d| d.segment == old.0) {
            device.segment = site.segments[0].name.clone();
        }
        for port in site.switches.iter_mut().flat_map(|s| &mut s.ports) {
            if port.plugged == tillgate_estate::Plugged::Device(old.1.clone()) {
                port.plugged = tillgate_estate::Plugged::Device(site.devices[0].name.clone());
            }
        }
        site.exceptions[0].reason = reason;
        let (library, _) = Library::load(&[]);
        let intent = intent(&site, &library, Date::constant(2026, 11, 23));
        for ((name, text), (_, known)) in companions(&site, &intent).iter().zip(&before) {
            let kind = |text: &str| -> Vec<String> {
                bones(text).into_iter().filter(|w| !w.starts_with('#')).collect()
            };
            prop_assert_eq!(kind(text), kind(known), "{}", name);
            prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{}", name);
        }
        let list = checklist::render(&site, &intent).unwrap();
        let (now_tables, now_fields) = (checklist::markdown(&list, &plain), checklist::csv(&list, &plain));
        let bars = |text: &str| -> Vec<usize> {
            text.lines().map(|l| l.replace("\\\\", "").replace("\\|", "").matches('|').count()).collect()
        };
        prop_assert_eq!(bars(&now_tables), bars(&tables));
        prop_assert!(!now_tables.contains('<') && now_tables.lines().count() == tables.lines().count());
        prop_assert_eq!(now_fields.lines().count(), fields.lines().count());
        for line in now_fields.lines() {
            for cell in line.trim_matches('"').split("\",\"") {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{}", cell);
            }
        }
    }
}
