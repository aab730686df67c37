//! The smallest change of a configuration that mends a finding: proposed in the platform's own words, applied in
//! memory, read back and judged again. Only a change that mends, breaks nothing and opens nothing is handed out.

use crate::rules::RuleSet;
use crate::trace::{Effect, Step, trace};
use crate::verify::verify;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tillgate_estate::Role;
use tillgate_intent::{Flow, Intent};
use tillgate_model::{
    Decision, Evidence, Family, Finding, FindingId, Packet, Proof, Protocol, SourceFile, Span, State,
    Subject, address_from_bits,
};

/// What stands at a span becomes another text; an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Where.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

/// A change, before any syntax.
#[derive(Clone, Debug)]
pub enum Repair<'a> {
    /// The line goes.
    Remove(&'a Span),
    /// These pass, by rules before the one at `at` (a policy: before the end of its chain), or instead of it.
    Permit {
        /// Where.
        at: &'a Span,
        /// Whether the rule there goes.
        instead: bool,
        /// The flows that pass.
        flows: Vec<&'a Flow>,
        /// Segments that may go to the internet, as indexes into the topology's zones.
        internet: Vec<usize>,
    },
    /// The denial at this place, a rule or a policy, leaves a log entry.
    Log(&'a Span),
    /// The policy at this place drops.
    Close(&'a Span),
    /// Forged sources of a segment, or of the uplinks (`internet`), are dropped.
    Sources(&'a str),
    /// Answers of what was permitted pass, before the rule at this place.
    Established(&'a Span),
    /// The setting at this place is switched off.
    SwitchOff(&'a Span),
    /// Private sources are translated on the uplinks.
    Masquerade,
    /// The rule at this place leaves encrypted connections alone.
    Uninspected(&'a Span),
}

/// What a platform can do with its own text.
pub trait Editor {
    /// The rules of changed files; `None` when they have errors.
    fn read(&self, files: &[Arc<SourceFile>]) -> Option<RuleSet>;
    /// Ways to write a change into a configuration's files, smallest first; none where the platform has none.
    fn edits(&self, judged: &Judged, change: &Repair<'_>) -> Vec<Vec<Edit>>;
}

/// A configuration as it stands, with what was found.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its files.
    pub files: Vec<Arc<SourceFile>>,
    /// What they say.
    pub rules: RuleSet,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// A change that was proved.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The change.
    pub edits: Vec<Edit>,
    /// The configuration afterwards.
    pub after: Judged,
}

/// Rounds of mending one configuration; each mends something.
const MOST_ROUNDS: usize = 1000;

/// The smallest proved change that mends a finding. Every proposal tried costs one of `tries`.
pub fn mend(
    judged: &Judged,
    finding: &Finding,
    intent: &Intent,
    editor: &dyn Editor,
    tries: &mut usize,
) -> Option<Mended> {
    if finding.proof == Proof::Possible {
        return None;
    }
    let mut lost: Vec<&Flow> = Vec::new();
    // The first change after which the order of rules matters more than before: only where no other mends.
    let mut spare: Option<Mended> = None;
    for proposal in proposals(finding, judged, intent) {
        for edits in editor.edits(judged, &proposal) {
            let tried = attempt(judged, edits, intent, editor, tries)?;
            let Some(mended) = tried else { continue };
            match better(judged, &mended, finding, intent, closes(&proposal) && !opens(finding.id)) {
                Better::Yes => return Some(mended),
                Better::ByOrder => {
                    lost.clear();
                    spare.get_or_insert(mended);
                    continue;
                }
                Better::No => {}
            }
            if let Repair::Remove(_) = proposal {
                lost = blocked(&mended.after.findings, &judged.findings, intent);
            }
        }
        // What only this rule let through gets rules of its own in its place.
        let Repair::Remove(at) = proposal else { continue };
        let internet = internet_by(&judged.rules, intent, at);
        if lost.is_empty() && internet.is_empty() {
            continue;
        }
        let flows = std::mem::take(&mut lost);
        let instead = Repair::Permit { at, instead: true, flows, internet };
        for edits in editor.edits(judged, &instead) {
            let Some(mended) = attempt(judged, edits, intent, editor, tries)? else { continue };
            match better(judged, &mended, finding, intent, true) {
                Better::Yes => return Some(mended),
                Better::ByOrder => {
                    spare.get_or_insert(mended);
                }
                Better::No => {}
            }
        }
    }
    spare
}

/// One step of mending a configuration.
#[derive(Clone, Debug)]
pub struct Round {
    /// What was mended.
    pub finding: Finding,
    /// The change, in the text as it was then.
    pub edits: Vec<Edit>,
    /// For each edit the line of the original text it starts at, from 1.
    pub lines: Vec<usize>,
    /// What was no longer found after it.
    gone: BTreeSet<Key>,
}

/// What became of a configuration.
#[derive(Clone, Debug)]
pub struct Mending {
    /// The configuration with all changes.
    pub after: Judged,
    /// The changes in their order; they belong together, each made in the light of those before it.
    pub rounds: Vec<Round>,
}

impl Mending {
    /// The change that mends a finding of the original configuration.
    pub fn of(&self, finding: &Finding) -> Option<&Round> {
        let key = key(finding);
        self.rounds.iter().find(|round| round.gone.contains(&key))
    }
}

/// Mends one finding after the other until nothing more can be.
pub fn mend_all(judged: &Judged, intent: &Intent, editor: &dyn Editor, mut tries: usize) -> Mending {
    let mut after = judged.clone();
    let mut rounds: Vec<Round> = Vec::new();
    let mut given_up: BTreeSet<Key> = BTreeSet::new();
    // What could not be mended before may be once others are.
    let mut again = false;
    'rounds: for _ in 0..MOST_ROUNDS {
        for finding in &after.findings {
            let key = key(finding);
            if given_up.contains(&key) {
                continue;
            }
            if let Some(done) = mend(&after, finding, intent, editor, &mut tries) {
                let (old, new) = (counted(&after.findings), counted(&done.after.findings));
                let gone = old.into_keys().filter(|key| !new.contains_key(key)).collect();
                let lines = done.edits.iter().map(|edit| original_line(judged, &rounds, edit)).collect();
                rounds.push(Round { finding: finding.clone(), edits: done.edits, lines, gone });
                after = done.after;
                again = true;
                continue 'rounds;
            }
            if tries == 0 {
                break 'rounds;
            }
            given_up.insert(key);
        }
        if !std::mem::take(&mut again) {
            break;
        }
        given_up.clear();
    }
    Mending { after, rounds }
}

/// Where an edit starts in the original text: the earlier rounds are taken back, the last one first.
fn original_line(judged: &Judged, rounds: &[Round], edit: &Edit) -> usize {
    let name = &edit.span.file.name;
    let mut at = edit.span.start as usize;
    for round in rounds.iter().rev() {
        let mut edits: Vec<&Edit> = round.edits.iter().filter(|e| e.span.file.name == *name).collect();
        edits.sort_by_key(|e| (e.span.start, e.span.end));
        // How far the text has moved before each edit, in bytes.
        let mut moved = 0isize;
        let mut back = at as isize;
        for edit in edits {
            let start = edit.span.start as isize + moved;
            let (old, new) = ((edit.span.end - edit.span.start) as isize, edit.text.len() as isize);
            if (at as isize) < start {
                break;
            }
            moved += new - old;
            back = if (at as isize) < start + new { edit.span.start as isize } else { at as isize - moved };
        }
        at = back.max(0) as usize;
    }
    let file = judged.files.iter().find(|f| f.name == *name);
    file.map_or(1, |file| file.position(at.min(file.text.len())).0)
}

/// What could mend a finding, smallest first.
fn proposals<'a>(finding: &'a Finding, judged: &'a Judged, intent: &'a Intent) -> Vec<Repair<'a>> {
    let mut lines = finding.evidence.iter().filter_map(|e| match e {
        Evidence::Rule(span) => Some(span),
        _ => None,
    });
    let line = lines.next();
    let beside = lines.next();
    let policy = |span: &Span| judged.rules.bases.iter().any(|b| b.policy_span == *span);
    let segment = finding.subject.segment.as_deref();
    let mut out = Vec::new();
    match (finding.id, line) {
        (FindingId::FlowBlocked | FindingId::FlowPartlyBlocked, Some(line)) => {
            out.push(Repair::Permit {
                at: line,
                instead: false,
                flows: alike(finding, &judged.findings, intent),
                internet: Vec::new(),
            });
            out.push(Repair::Remove(line));
        }
        (FindingId::InboundFromInternet, Some(line)) => {
            // The forwarding itself, then whatever lets it through.
            out.extend(beside.map(Repair::Remove));
            out.extend(policy(line).then_some(Repair::Close(line)));
            out.push(Repair::Remove(line));
        }
        (
            FindingId::ExcessPermit
            | FindingId::RuleAnyAny
            | FindingId::SegmentExposed
            | FindingId::ManagementExposed
            | FindingId::SourceTooWide,
            Some(line),
        ) => {
            // A platform without policies shows the end of a chain at one of its rules.
            out.extend(policy(line).then_some(Repair::Close(line)));
            out.push(Repair::Remove(line));
        }
        (
            FindingId::RuleShadowed
            | FindingId::RuleRedundant
            | FindingId::RuleDisabled
            | FindingId::RuleExpired
            | FindingId::ObjectUnused,
            Some(line),
        ) => out.push(Repair::Remove(line)),
        (FindingId::DenyNotLogged, Some(line)) => out.push(Repair::Log(line)),
        (FindingId::ReplyNotPermitted, Some(line)) => out.push(Repair::Established(line)),
        (FindingId::CleartextManagement, Some(line)) => out.push(Repair::SwitchOff(line)),
        (FindingId::InspectionOfPos, Some(line)) => out.push(Repair::Uninspected(line)),
        (FindingId::AntiSpoofingMissing, _) => out.extend(segment.map(Repair::Sources)),
        (FindingId::NatMissing, _) => out.push(Repair::Masquerade),
        _ => {}
    }
    out
}

/// Whether a change only takes permissions away, gives back less than it takes, or only logs: what then shows up was
/// there before, behind what was mended.
fn closes(change: &Repair<'_>) -> bool {
    match change {
        Repair::Permit { instead, .. } => *instead,
        Repair::Remove(_) | Repair::Close(_) | Repair::Sources(_) | Repair::Log(_) => true,
        _ => false,
    }
}

/// Whether what mends a finding lets more through: then whatever shows up beside it was let in by it.
fn opens(id: FindingId) -> bool {
    matches!(id, FindingId::FlowBlocked | FindingId::FlowPartlyBlocked | FindingId::ReplyNotPermitted)
}

/// Whether a finding is about its subject, and its line only shows by what.
fn by_line(id: FindingId) -> bool {
    opens(id) || id == FindingId::AntiSpoofingMissing
}

/// The needed flows with the same trouble by the same line: one rule mends them all.
fn alike<'a>(finding: &Finding, findings: &[Finding], intent: &'a Intent) -> Vec<&'a Flow> {
    let same = findings.iter().filter(|f| {
        matches!(f.id, FindingId::FlowBlocked | FindingId::FlowPartlyBlocked)
            && f.line() == finding.line()
            && f.subject.requirement == finding.subject.requirement
            && f.subject.segment == finding.subject.segment
    });
    let subjects: Vec<&Subject> = same.map(|f| &f.subject).collect();
    of_subjects(&subjects, intent)
}

fn of_subjects<'a>(subjects: &[&Subject], intent: &'a Intent) -> Vec<&'a Flow> {
    let fits = |flow: &&Flow| {
        subjects.iter().any(|s| s.device == flow.device && s.requirement.as_ref() == Some(&flow.requirement))
    };
    intent.flows.iter().filter(fits).collect()
}

/// The flows that are blocked now and were not before.
fn blocked<'a>(now: &[Finding], before: &[Finding], intent: &'a Intent) -> Vec<&'a Flow> {
    let broken = |f: &&Finding| {
        matches!(f.id, FindingId::FlowBlocked | FindingId::FlowPartlyBlocked)
            && !before.iter().any(|b| b.id == f.id && b.subject == f.subject)
    };
    let subjects: Vec<&Subject> = now.iter().filter(broken).map(|f| &f.subject).collect();
    of_subjects(&subjects, intent)
}

/// Applies, reads and judges. The outer `None`: no tries are left; the inner one: the text could not be read.
fn attempt(
    judged: &Judged,
    edits: Vec<Edit>,
    intent: &Intent,
    editor: &dyn Editor,
    tries: &mut usize,
) -> Option<Option<Mended>> {
    *tries = tries.checked_sub(1)?;
    let read = || {
        let files = apply(&judged.files, &edits)?;
        let rules = editor.read(&files)?;
        let findings = verify(&rules, intent);
        Some(Judged { files, rules, findings })
    };
    Some(read().map(|after| Mended { edits, after }))
}

/// The files after all edits; `None` where two overlap, or one is in a file that is not among them.
fn apply(files: &[Arc<SourceFile>], edits: &[Edit]) -> Option<Vec<Arc<SourceFile>>> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|e| (e.span.start, e.span.end));
    if edits.is_empty() || edits.iter().any(|e| !files.iter().any(|f| f.name == e.span.file.name)) {
        return None;
    }
    let mut out = Vec::new();
    for file in files {
        let mut text = String::with_capacity(file.text.len());
        let mut at = 0;
        for edit in sorted.iter().filter(|e| e.span.file.name == file.name) {
            let (start, end) = (edit.span.start as usize, edit.span.end as usize);
            text.push_str(file.text.get(at..start)?);
            text.push_str(&edit.text);
            at = end;
        }
        text.push_str(file.text.get(at..)?);
        let same = text == *file.text;
        out.push(if same { Arc::clone(file) } else { SourceFile::new(file.name.as_str(), text.as_str()) });
    }
    Some(out)
}

/// What makes a finding the same one in another version of the text: not its place, but what stands there.
type Key = (FindingId, Proof, Subject, String);

fn key(finding: &Finding) -> Key {
    let line = finding.line().map(|span| span.one_line()).unwrap_or_default();
    (finding.id, finding.proof, finding.subject.clone(), line)
}

fn counted(findings: &[Finding]) -> BTreeMap<Key, usize> {
    let mut out = BTreeMap::new();
    for finding in findings {
        *out.entry(key(finding)).or_default() += 1;
    }
    out
}

/// What was hidden behind the rule that went, and has nothing to do with what came in its place.
fn uncovered(id: FindingId) -> bool {
    matches!(
        id,
        FindingId::ExcessPermit
            | FindingId::RuleAnyAny
            | FindingId::InboundFromInternet
            | FindingId::SegmentExposed
            | FindingId::ManagementExposed
            | FindingId::SourceTooWide
            | FindingId::InsecureService
            | FindingId::RuleConflicting
            | FindingId::RuleRedundant
            | FindingId::DenyNotLogged
    )
}

/// What becomes of a configuration by a change.
enum Better {
    /// It mends, and makes nothing else wrong.
    Yes,
    /// It mends; rules that overlap say opposite things where none did before.
    ByOrder,
    No,
}

/// Whether a change mends the finding, makes nothing else wrong, and takes no segment's internet away.
fn better(before: &Judged, mended: &Mended, finding: &Finding, intent: &Intent, closing: bool) -> Better {
    let (old, new) = (counted(&before.findings), counted(&mended.after.findings));
    let count = |list: &BTreeMap<Key, usize>, key: &Key| list.get(key).copied().unwrap_or(0);
    let target = key(finding);
    if count(&new, &target) >= count(&old, &target) {
        return Better::No;
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let written: Vec<String> = mended.edits.iter().map(|e| words(&e.text)).collect();
    let sum = |list: &BTreeMap<Key, usize>, (id, proof, subject, _): &Key| -> usize {
        let same = list.iter().filter(|((i, p, s, _), _)| i == id && p == proof && s == subject);
        same.map(|(_, n)| n).sum()
    };
    // The same trouble by another line is neither mended nor new.
    if by_line(finding.id) && sum(&new, &target) >= sum(&old, &target) {
        return Better::No;
    }
    let moved = |key: &Key| by_line(key.0) && sum(&new, key) <= sum(&old, key);
    let harmless = |key: &Key| {
        let own = || !key.3.is_empty() && written.iter().any(|text| stands_in(&key.3, text));
        key.0 == FindingId::ObjectUnused || (closing && uncovered(key.0) && !own()) || moved(key)
    };
    let worse = new.iter().filter(|(key, n)| **n > count(&old, key));
    // What was possible and is proved now, or the other way round, is not new.
    let mut worse = worse.map(|(key, _)| key).filter(|key| !harmless(key)).peekable();
    let unharmed = worse.peek().is_none();
    if !worse.all(|key| key.0 == FindingId::RuleConflicting) {
        return Better::No;
    }
    let uplinks = &intent.topology.uplinks;
    let online =
        (0..intent.topology.zones.len()).filter(|zone| intent.topology.zones[*zone].internet).all(|zone| {
            uplinks.iter().all(|uplink| {
                samples(intent, zone, uplink).iter().all(|packet| {
                    let passes = |rules: &RuleSet| {
                        trace(rules, Some(&intent.topology), packet, None).decision == Decision::Permit
                    };
                    !passes(&before.rules) || passes(&mended.after.rules)
                })
            })
        });
    match (online, unharmed) {
        (false, _) => Better::No,
        (true, true) => Better::Yes,
        (true, false) => Better::ByOrder,
    }
}

/// Whether a line stands in a text, not only at the start of a longer one: `edit 1` is not in `edit 12`.
fn stands_in(line: &str, text: &str) -> bool {
    if let Some(start) = line.strip_suffix('…') {
        return text.contains(start);
    }
    text.match_indices(line).any(|(at, _)| {
        let next = text.get(at + line.len()..).and_then(|rest| rest.chars().next());
        next.is_none_or(|c| !c.is_alphanumeric())
    })
}

/// Packets of a segment to the internet: the web and its names, over both families.
fn samples(intent: &Intent, zone: usize, uplink: &str) -> Vec<Packet> {
    let zone = &intent.topology.zones[zone];
    let mut out = Vec::new();
    for family in Family::BOTH {
        let hosts = zone.ranges(family).subtract(&zone.gateway_ranges(family));
        let Some((lo, hi)) = hosts.as_slice().iter().max_by_key(|(lo, hi)| hi - lo) else { continue };
        let target = if family == Family::V4 { "203.0.113.5" } else { "2001:db8:ffff::5" };
        let Ok(destination) = target.parse() else { continue };
        for (protocol, port) in [(Protocol::TCP, 443), (Protocol::UDP, 443)] {
            out.push(Packet {
                input: Some(zone.interface.clone()),
                output: Some(uplink.to_string()),
                state: State::New,
                protocol,
                source: address_from_bits(family, lo + (hi - lo) / 2),
                destination,
                source_port: 40000,
                destination_port: port,
                tcp_flags: Packet::usual_flags(protocol, State::New),
            });
        }
    }
    out
}

/// The segments whose way to the internet is this rule.
fn internet_by(rules: &RuleSet, intent: &Intent, line: &Span) -> Vec<usize> {
    let zones = 0..intent.topology.zones.len();
    let open = |zone: &usize| {
        let own = &intent.topology.zones[*zone];
        own.internet
            && own.role != Role::Pos
            && intent.topology.uplinks.iter().any(|uplink| {
                samples(intent, *zone, uplink).iter().any(|packet| {
                    let trace = trace(rules, Some(&intent.topology), packet, None);
                    // Where a packet is judged twice, coming in and going out, both rules let it through.
                    let lets = |s: &Step| s.certain && s.effect == Effect::Accept && s.span == *line;
                    trace.decision == Decision::Permit
                        && (trace.decided_by.as_ref() == Some(line) || trace.steps.iter().any(lets))
                })
            })
    };
    zones.filter(open).collect()
}
