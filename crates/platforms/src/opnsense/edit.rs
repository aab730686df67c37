//! Repairs written into somebody's `config.xml`.

use super::form::Line;
use super::grant;
use super::implied::lockout_on;
use super::place::{Draft, NEW_RULES, OLD_RULES, Sheet, Spot};
use super::tree::{self, El, Product, Tree};
use super::write::{element, flag};
use crate::edit::Desk;
use crate::permits::sources;
use std::sync::Arc;
use tillgate_model::{Family, SourceFile, Span};
use tillgate_ruleset::{Edit, Repair, What};

/// What can be taken away as a whole.
const WHOLE: &[&str] = &[
    OLD_RULES,
    NEW_RULES,
    "nat/rule",
    "nat/onetoone",
    "nat/npt",
    "nat/outbound/rule",
    "OPNsense/Firewall/Filter/snatrules/rule",
    "OPNsense/Firewall/Filter/onetoone/rule",
    "OPNsense/Firewall/Filter/npt/rule",
    "aliases/alias",
    "OPNsense/Firewall/Alias/aliases/alias",
    "schedules/schedule",
    "ifgroups/ifgroupentry",
];

/// Silent rules that are made to log one by one before all of them are.
const MOST_TRIED: usize = 8;

/// Ways to write a repair, smallest first.
pub fn edits(desk: &Desk<'_>, repair: &Repair<'_>) -> Vec<Vec<Edit>> {
    let read = |file| tree::document(file).map(|document| (file, document));
    let Ok(documents) = desk.files.iter().map(read).collect::<Result<Vec<(&Arc<SourceFile>, _)>, _>>() else {
        return Vec::new();
    };
    let Some(tree) = Tree::of(&documents, &mut Vec::new()) else { return Vec::new() };
    let sheet = Sheet::of(desk, &tree);
    match repair {
        Repair::Remove(span) => drops(&sheet, span),
        Repair::Permit { at, instead, flows, internet } => {
            grant::permit(&sheet, at, *instead, flows, internet)
        }
        Repair::Log(span) => logged(&sheet, span),
        Repair::Close(span) => {
            let off = tree.at(span).filter(|e| e.name() == "disablefilter");
            vec![off.map(|e| sheet.remove(e)).into_iter().collect()]
        }
        Repair::Sources(segment) => forged(&sheet, segment),
        Repair::Masquerade => masquerade(&sheet),
        Repair::SwitchOff(span) => vec![switched_off(&sheet, span)],
        // Answers pass by the table of states, and no rule breaks a connection open.
        Repair::Established(_) | Repair::Uninspected(_) => Vec::new(),
    }
}

/// Ways to make what stands at a place go, be it a rule or what the firewall makes of a switch.
pub fn drops(sheet: &Sheet<'_, '_>, span: &Span) -> Vec<Vec<Edit>> {
    let found = sheet.tree.at(span);
    let Some(element) = found else { return if starts(sheet, span) { implied(sheet) } else { Vec::new() } };
    let path = element.path();
    if !WHOLE.contains(&path.as_str()) {
        let interface =
            path.strip_prefix("interfaces/").and_then(|p| p.split_once('/')).map(|(_, name)| name);
        return match interface {
            Some("blockpriv" | "blockbogons") => vec![vec![sheet.remove(element)]],
            // Answers of the server that gives an uplink its address are not for the segments.
            Some("ipaddr") => {
                let mut draft = Draft::new(sheet);
                let mut lines = Vec::new();
                draft.writer.answers(&mut lines);
                if lines.is_empty() {
                    return Vec::new();
                }
                draft.rules(&sheet.first(), lines);
                vec![draft.finish()]
            }
            _ => Vec::new(),
        };
    }
    let mut one = vec![sheet.remove(element)];
    if path == "ifgroups/ifgroupentry" {
        // OPNsense lists groups among the interfaces too.
        let name = element.get("ifname").unwrap_or("");
        let twin = sheet.tree.all("interfaces").into_iter().find_map(|i| i.child(name));
        one.extend(twin.filter(|e| e.get("type") == Some("group")).map(|e| sheet.remove(e)));
    }
    let mut out = Vec::new();
    if path == "nat/rule" {
        // The rule that passes what is forwarded goes with it, as in the product's own pages.
        let mut passing = associated(sheet, element, OLD_RULES);
        if passing.is_empty() {
            passing.extend(sheet.tree.all(OLD_RULES).into_iter().filter(|rule| passes(*rule, element)));
        }
        if !passing.is_empty() {
            out.push(one.iter().cloned().chain(passing.into_iter().map(|r| sheet.remove(r))).collect());
        }
    }
    one.extend(links(sheet, element));
    out.push(one);
    out
}

/// Rules of a list that are associated with one of another.
fn associated<'d>(sheet: &Sheet<'_, 'd>, rule: El<'d>, list: &str) -> Vec<El<'d>> {
    let Some(id) = rule.get("associated-rule-id").filter(|id| id.starts_with("nat_")) else {
        return Vec::new();
    };
    sheet.tree.all(list).into_iter().filter(|r| r.get("associated-rule-id") == Some(id)).collect()
}

/// Whether a rule passes just what a port forward leads to.
fn passes(rule: El<'_>, forward: El<'_>) -> bool {
    let to = |name: &str| rule.child("destination").and_then(|d| d.get(name));
    rule.get("type") == Some("pass")
        && !rule.on("disabled")
        && rule.get("interface") == forward.get("interface")
        && forward.get("target").is_some_and(|target| to("address") == Some(target))
        && forward.get("local-port").is_some_and(|port| to("port") == Some(port))
}

/// What else says that a rule is associated with it.
pub fn links<'d>(sheet: &Sheet<'_, 'd>, rule: El<'d>) -> Vec<Edit> {
    let other = if rule.path() == OLD_RULES { "nat/rule" } else { OLD_RULES };
    let twins = associated(sheet, rule, other).into_iter();
    twins.filter_map(|r| r.child("associated-rule-id")).map(|e| sheet.remove(e)).collect()
}

/// Whether a place is that of what no line says.
fn starts(sheet: &Sheet<'_, '_>, span: &Span) -> bool {
    sheet.tree.start().is_some_and(|start| start == *span)
}

/// What the firewall passes by itself: its console inside, control messages of IPv6.
fn implied(sheet: &Sheet<'_, '_>) -> Vec<Vec<Edit>> {
    let product = sheet.tree.product;
    let mut out: Vec<Vec<Edit>> = Vec::new();
    if lockout_on(sheet.tree) {
        let name = "noantilockout";
        out.push(sheet.set("system/webgui", name, &flag(product, name)).into_iter().collect());
    }
    if sheet.desk.intent.topology.inside(Family::V6).is_empty() {
        out.push(six(sheet, false));
    }
    if product == Product::OPNsense {
        let name = "no_ipv6_rfc4890_req";
        out.push(sheet.set("system", name, &element(name, "1")).into_iter().collect());
    }
    out
}

/// IPv6 as a whole, on or off.
pub fn six(sheet: &Sheet<'_, '_>, on: bool) -> Vec<Edit> {
    let product = sheet.tree.product;
    let old = sheet.tree.one("system/ipv6allow");
    let mut out: Vec<Edit> = Vec::new();
    match (product, on) {
        (_, false) => out.extend(old.map(|e| sheet.remove(e))),
        (Product::PfSense, true) => out.extend(sheet.set("system", "ipv6allow", &flag(product, "ipv6allow"))),
        (Product::OPNsense, true) => {}
    }
    if product == Product::OPNsense {
        let form = element("disableipv6", if on { "0" } else { "1" });
        out.extend(sheet.set("OPNsense/Interfaces/settings", "disableipv6", &form));
    }
    out
}

/// Ways to have a denial leave an entry: of a rule, of a switch, or of what no rule decides. Where it does already,
/// another rule denies the like in silence.
fn logged(sheet: &Sheet<'_, '_>, span: &Span) -> Vec<Vec<Edit>> {
    let found = sheet.tree.at(span);
    let Some(rule) = found.filter(|e| matches!(e.path().as_str(), OLD_RULES | NEW_RULES)) else {
        let switch = match found.map(|e| e.name()) {
            Some("blockpriv") => "nologprivatenets",
            Some("blockbogons") => "nologbogons",
            _ => "nologdefaultblock",
        };
        let sections = sheet.tree.all("syslog");
        return vec![sections.iter().flat_map(|s| s.all(switch)).map(|e| sheet.remove(e)).collect()];
    };
    if !rule.on("log") {
        return vec![vec![with_log(sheet, rule)]];
    }
    let silent = |r: &El<'_>| {
        let action = r.get("type").or(r.get("action"));
        let off = r.on("disabled") || r.get("enabled") == Some("0");
        matches!(action, Some("block" | "reject")) && !r.on("log") && !off
    };
    let old = sheet.tree.all(OLD_RULES).into_iter();
    let all: Vec<El<'_>> = old.chain(sheet.tree.all(NEW_RULES)).filter(silent).collect();
    let here: Vec<El<'_>> =
        all.iter().copied().filter(|r| r.get("interface") == rule.get("interface")).collect();
    let mut out: Vec<Vec<Edit>> = here.iter().take(MOST_TRIED).map(|r| vec![with_log(sheet, *r)]).collect();
    out.push(here.into_iter().map(|r| with_log(sheet, r)).collect());
    out.push(all.into_iter().map(|r| with_log(sheet, r)).collect());
    out
}

fn with_log(sheet: &Sheet<'_, '_>, rule: El<'_>) -> Edit {
    let form = flag(sheet.tree.product, "log");
    match (rule.child("log"), rule.child("source").or_else(|| rule.child("source_net"))) {
        (Some(old), _) => Edit { span: old.span(), text: form },
        (None, Some(next)) => sheet.before(next, &form),
        (None, None) => sheet.append_line(rule, &form),
    }
}

/// Sources that cannot come in by an interface: before its other rules, or before all.
fn forged<'d>(sheet: &Sheet<'_, 'd>, segment: &str) -> Vec<Vec<Edit>> {
    let all = sources(sheet.desk.intent).into_iter().filter(|(.., name)| name == segment);
    let mut devices: Vec<String> = all.flat_map(|(on, ..)| on).collect();
    devices.sort();
    devices.dedup();
    let keys: Option<Vec<(String, String)>> =
        devices.into_iter().map(|d| Some((sheet.key(&d)?.to_string(), d))).collect();
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { return Vec::new() };
    let written = |spot: &dyn Fn(&str) -> Spot<'d>| {
        let mut draft = Draft::new(sheet);
        let mut last: Vec<Line> = Vec::new();
        for (key, device) in &keys {
            let mut lines = Vec::new();
            draft.writer.forged(key, device, &mut lines);
            let spot = spot(key);
            match spot.is_end() {
                true => last.extend(lines),
                false => draft.rules(&spot, lines),
            }
        }
        if !last.is_empty() {
            draft.rules(&sheet.end(), last);
        }
        draft.finish()
    };
    vec![written(&|key| sheet.first_on(key)), written(&|_| sheet.first())]
}

/// Private sources become the address of the uplink they leave by.
fn masquerade(sheet: &Sheet<'_, '_>) -> Vec<Vec<Edit>> {
    let mode = |word: &str| sheet.set("nat/outbound", "mode", &element("mode", word));
    let with_rules = |word: Option<&str>| {
        let mut draft = Draft::new(sheet);
        let rules = sheet.put("nat/outbound", |out| {
            if let Some(word) = word.filter(|_| sheet.tree.one("nat/outbound/mode").is_none()) {
                out.line(&element("mode", word));
            }
            draft.writer.source_rules(out);
        });
        let word = word.filter(|_| sheet.tree.one("nat/outbound/mode").is_some());
        draft.add(rules.into_iter().chain(word.and_then(mode)));
        draft.finish()
    };
    match sheet.tree.text("nat/outbound/mode") {
        Some("disabled") => {
            let words = if sheet.tree.one("nat/outbound/rule").is_some() {
                &["advanced", "automatic"][..]
            } else {
                &["automatic"]
            };
            let switched = words.iter().map(|word| mode(word).into_iter().collect());
            switched.chain([with_rules(Some("advanced"))]).collect()
        }
        Some("advanced" | "hybrid") => vec![with_rules(None)],
        _ => vec![with_rules(Some("hybrid"))],
    }
}

/// Unencrypted management goes off.
fn switched_off(sheet: &Sheet<'_, '_>, span: &Span) -> Vec<Edit> {
    let here = sheet.desk.rules.facts.iter().find(|f| f.span == *span);
    let Some(What::CleartextManagement(service)) = here.map(|f| &f.what) else { return Vec::new() };
    if service == "http" {
        return vec![Edit { span: span.clone(), text: element("protocol", "https") }];
    }
    let pfsense = sheet.tree.product == Product::PfSense;
    let lists = [("snmpd", "enable"), ("OPNsense/netsnmp/general", "enabled")];
    let mut out = Vec::new();
    for (path, name) in lists {
        let there = sheet.tree.all(path).into_iter().filter(|e| e.head() == *span);
        for switch in there.filter_map(|e| e.child(name)) {
            out.push(match pfsense {
                true => sheet.remove(switch),
                false => Edit { span: switch.span(), text: element(name, "0") },
            });
        }
    }
    out
}
