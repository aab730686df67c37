//! The smallest change of a configuration that mends a finding: proposed in the platform's own words, applied in
//! memory, read back and judged again. Only a change that mends, breaks nothing and opens nothing is handed out.

use crate::effect::{Aim, Effect};
use crate::rules::RuleSet;
use crate::verify::verify;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tillgate_intent::{Flow, Intent};
use tillgate_model::{Evidence, Finding, FindingId, Proof, SourceFile, Span, Subject};

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
struct Mended {
    /// The change.
    pub edits: Vec<Edit>,
    /// The configuration afterwards.
    pub after: Judged,
}

/// Rounds of mending one configuration; each mends something.
const MOST_ROUNDS: usize = 1000;

/// The smallest proved change that mends a finding. Every proposal tried costs one of `tries`.
fn mend(
    judged: &Judged,
    finding: &Finding,
    intent: &Intent,
    editor: &dyn Editor,
    tries: &mut usize,
) -> Option<Mended> {
    if finding.proof == Proof::Possible {
        return None;
    }
    // The first change after which the order of rules matters more than before: only where no other mends.
    let mut spare: Option<Mended> = None;
    let mut queue: VecDeque<Repair<'_>> = proposals(finding, judged, intent).into();
    while let Some(repair) = queue.pop_front() {
        // What only the line that goes let through.
        let mut lost: Option<(Vec<&Flow>, Vec<usize>)> = None;
        for edits in editor.edits(judged, &repair) {
            let Some(tried) = attempt(judged, edits, intent, editor, tries) else { return spare };
            let Some(mended) = tried else { continue };
            // Packets are compared only where the findings speak for the change.
            let rules = mended.after.rules.clone();
            let effect = LazyCell::new(move || Effect::of(&judged.rules, &rules, intent));
            match better(judged, &mended, &effect, finding, aim(finding.id, &repair)) {
                Better::Yes => return Some(mended),
                Better::ByOrder => {
                    spare.get_or_insert(mended);
                    continue;
                }
                Better::No => {}
            }
            if let (Repair::Remove(_), false) = (&repair, opens(finding.id)) {
                let mut flows = blocked(&mended.after.findings, &judged.findings, intent);
                flows.extend(effect.unneeded());
                lost = Some((flows, effect.offline()));
            }
        }
        if let (Repair::Remove(at), Some((flows, internet))) = (&repair, lost)
            && !(flows.is_empty() && internet.is_empty())
        {
            queue.push_front(Repair::Permit { at, instead: true, flows, internet });
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
    /// Whether everything was tried; `false` where the work allowed ended it.
    pub is_complete: bool,
}

impl Mending {
    /// The change that mends a finding of the original configuration.
    pub fn of(&self, finding: &Finding) -> Option<&Round> {
        let key = key(finding);
        self.rounds.iter().find(|round| round.gone.contains(&key))
    }
}

/// Mends one finding after the other until nothing more can be: what passes first, then what is untidy.
pub fn mend_all(judged: &Judged, intent: &Intent, editor: &dyn Editor, tries: usize) -> Mending {
    let mending = Mending { after: judged.clone(), rounds: Vec::new(), is_complete: true };
    let mut work = Work { judged, intent, editor, tries, mending };
    work.one_by_one(|id| !TIDY.contains(&id));
    TIDY.into_iter().for_each(|id| work.together(id));
    work.one_by_one(|_| true);
    work.mending
}

/// What removing a line that does nothing mends, each kind by itself: of two rules that do the same, one must stay.
const TIDY: [FindingId; 4] =
    [FindingId::RuleShadowed, FindingId::RuleRedundant, FindingId::RuleDisabled, FindingId::ObjectUnused];

/// From so many on, lines that do nothing go in one change.
const MANY: usize = 32;

struct Work<'a> {
    judged: &'a Judged,
    intent: &'a Intent,
    editor: &'a dyn Editor,
    tries: usize,
    mending: Mending,
}

impl Work<'_> {
    fn one_by_one(&mut self, asked: impl Fn(FindingId) -> bool) {
        let mut given_up: BTreeSet<Key> = BTreeSet::new();
        // What could not be mended before may be once others are.
        let mut again = false;
        'rounds: while self.mending.rounds.len() < MOST_ROUNDS {
            for finding in self.mending.after.findings.iter().filter(|f| asked(f.id)) {
                let key = key(finding);
                if given_up.contains(&key) {
                    continue;
                }
                let done = mend(&self.mending.after, finding, self.intent, self.editor, &mut self.tries);
                if let Some(done) = done {
                    let finding = finding.clone();
                    self.keep(finding, done);
                    again = true;
                    continue 'rounds;
                }
                if self.tries == 0 {
                    self.mending.is_complete = false;
                    return;
                }
                given_up.insert(key);
            }
            if !std::mem::take(&mut again) {
                return;
            }
            given_up.clear();
        }
        self.mending.is_complete = false;
    }

    /// Removes many lines of one kind at once; where that does not do, the halves of them.
    fn together(&mut self, id: FindingId) {
        let proved = |f: &&Finding| f.id == id && f.proof == Proof::Proved;
        let all: Vec<Key> = self.mending.after.findings.iter().filter(proved).map(key).collect();
        let mut todo = vec![all];
        while let Some(mut part) = todo.pop().filter(|part| part.len() >= MANY && self.tries > 0) {
            let keys: BTreeSet<&Key> = part.iter().collect();
            let after = &self.mending.after;
            let list: Vec<&Finding> =
                after.findings.iter().filter(|f| f.id == id && keys.contains(&key(f))).collect();
            let Some(first) = list.first().map(|f| (*f).clone()) else { continue };
            let removal = |finding: &&Finding| {
                let repairs = proposals(finding, after, self.intent);
                self.editor.edits(after, repairs.first()?).into_iter().next()
            };
            let mut edits: Vec<Edit> = list.iter().filter_map(removal).flatten().collect();
            edits.sort_by(|a, b| (&a.span, &a.text).cmp(&(&b.span, &b.text)));
            edits.dedup();
            let tried = attempt(after, edits, self.intent, self.editor, &mut self.tries).flatten();
            let done = tried.filter(|done| {
                let new = counted(&done.after.findings);
                let (old, mended) =
                    (counted(&after.findings), done.after.findings.len() < after.findings.len());
                let same = |key: &Key| old.contains_key(key) || TIDY.contains(&key.0) || uncovered(key.0);
                mended
                    && new.keys().all(same)
                    && Effect::of(&after.rules, &done.after.rules, self.intent).fits(Aim::Same)
            });
            match done {
                Some(done) => self.keep(first, done),
                None => {
                    let half = part.split_off(part.len() / 2);
                    todo.extend([half, part]);
                }
            }
        }
    }

    fn keep(&mut self, finding: Finding, done: Mended) {
        let Mending { after, rounds, .. } = &mut self.mending;
        let (old, new) = (counted(&after.findings), counted(&done.after.findings));
        let gone = |key: &Key| match by_line(key.0) {
            true => about(&new, key) == 0,
            false => !new.contains_key(key),
        };
        let gone = old.keys().filter(|key| gone(key)).cloned().collect();
        let lines = done.edits.iter().map(|edit| original_line(self.judged, rounds, edit)).collect();
        rounds.push(Round { finding, edits: done.edits, lines, gone });
        *after = done.after;
    }
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
    let mut lines = lines_of(finding);
    let line = lines.next();
    let beside = lines.next();
    let policy = |span: &Span| judged.rules.bases.iter().any(|b| b.policy_span == *span);
    let segment = finding.subject.segment.as_deref();
    // What stands behind a rule that blocks a needed flow may be what permits it.
    let blocks = |span: &Span| {
        let blocked = |f: &&Finding| matches!(f.id, FindingId::FlowBlocked | FindingId::FlowPartlyBlocked);
        judged.findings.iter().filter(blocked).any(|f| f.line() == Some(span))
    };
    let mut out = Vec::new();
    match (finding.id, line) {
        (FindingId::RuleShadowed, _) if lines_of(finding).skip(1).any(blocks) => {}
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

fn lines_of(finding: &Finding) -> impl Iterator<Item = &Span> {
    finding.evidence.iter().filter_map(|e| match e {
        Evidence::Rule(span) => Some(span),
        _ => None,
    })
}

/// What a repair of a finding may do to packets.
fn aim(id: FindingId, repair: &Repair<'_>) -> Aim {
    match repair {
        Repair::Remove(_) if opens(id) => Aim::Towards,
        Repair::Remove(_)
            if matches!(
                id,
                FindingId::RuleShadowed
                    | FindingId::RuleRedundant
                    | FindingId::RuleDisabled
                    | FindingId::ObjectUnused
            ) =>
        {
            Aim::Same
        }
        Repair::Permit { instead: false, .. } => Aim::Towards,
        Repair::Established(_) => Aim::Answers,
        Repair::Sources(_) => Aim::Forged,
        Repair::Log(_) | Repair::Masquerade | Repair::Uninspected(_) => Aim::Same,
        Repair::Remove(_) | Repair::Permit { .. } | Repair::Close(_) | Repair::SwitchOff(_) => Aim::Less,
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

/// What was there before, behind what was mended, where nothing was opened.
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

/// Whether a change mends the finding, makes nothing else wrong, and does to packets what it may and nothing else.
fn better<'a>(
    before: &Judged,
    mended: &Mended,
    effect: &LazyCell<Effect<'a>, impl FnOnce() -> Effect<'a>>,
    finding: &Finding,
    aim: Aim,
) -> Better {
    let (old, new) = (counted(&before.findings), counted(&mended.after.findings));
    let count = |list: &BTreeMap<Key, usize>, key: &Key| list.get(key).copied().unwrap_or(0);
    let target = key(finding);
    if count(&new, &target) >= count(&old, &target) {
        return Better::No;
    }
    // The same trouble by another line is neither mended nor new.
    if by_line(finding.id) && about(&new, &target) >= about(&old, &target) {
        return Better::No;
    }
    let harmless = |key: &Key| {
        let moved = by_line(key.0) && about(&new, key) <= about(&old, key);
        key.0 == FindingId::ObjectUnused || moved || (aim != Aim::Towards && uncovered(key.0))
    };
    let worse = new.iter().filter(|(key, n)| **n > count(&old, key)).map(|(key, _)| key);
    let worse: Vec<FindingId> = worse.filter(|key| !harmless(key)).map(|key| key.0).collect();
    // A needed permission may stand beside a wide rule that is still to go.
    let order = [FindingId::RuleConflicting, FindingId::RuleRedundant, FindingId::RuleShadowed];
    if !worse.iter().all(|id| order.contains(id)) || !effect.fits(aim) {
        Better::No
    } else if worse.is_empty() {
        Better::Yes
    } else {
        Better::ByOrder
    }
}

/// How many findings say the same of the same, by whatever line.
fn about(list: &BTreeMap<Key, usize>, (id, proof, subject, _): &Key) -> usize {
    let same = list.iter().filter(|((i, p, s, _), _)| i == id && p == proof && s == subject);
    same.map(|(_, n)| n).sum()
}
