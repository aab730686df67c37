//! From what probes saw to findings: each fault under its own id, what does not come from here left undecided.

use crate::ntp;
use crate::outcome::{Fault, Reach, Samples};
use crate::plan::Task;
use crate::run::Probed;
use crate::surroundings::{self, Look};
use std::collections::BTreeMap;
use std::time::Duration;
use tillgate_catalog::Probe;
use tillgate_model::{Finding, FindingId, Proof, Subject, Text};

/// Who answers for what was seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This host has an address that the flows are for: what does not pass does not pass.
    Device,
    /// It stands in the segment under an address nobody declared: the firewall may rightly refuse it.
    Stranger,
}

/// The findings of a run, and of what was looked at beside it.
pub fn judge(tasks: &[Task], probed: &[Probed], looks: &[Look], standing: Standing) -> Vec<Finding> {
    let mut out = surroundings::findings(looks);
    // Where large packets vanish no handshake ends: one cause, one finding.
    let hole = out.iter().any(|f| f.id == FindingId::PathMtu);
    // One finding for each requirement and way of failing, with the targets that share it.
    let mut failed: BTreeMap<(usize, Text), Vec<String>> = BTreeMap::new();
    for probe in probed {
        let Some(task) = tasks.get(probe.task) else { continue };
        if hole && task.kind == Probe::Tls && matches!(probe.report.reach, Reach::Broken(_)) {
            continue;
        }
        let target = target_of(probe);
        if let Some(text) = slow(&probe.report.samples, &target) {
            out.push(finding(task, FindingId::LatencyHigh, text, true, standing));
        }
        for fault in probe.report.faults.iter().filter(|f| !is_reason(task, probe, f)) {
            // What is wrong names the host it is wrong at.
            out.push(finding(task, fault.id, fault.text.clone(), fault.is_sure, standing));
        }
        if let Some(why) = why(task, probe) {
            failed.entry((probe.task, why)).or_default().push(target);
        }
    }
    for ((at, why), targets) in failed {
        let task = &tasks[at];
        let text = Text::new("check-not-reached")
            .arg("requirement", &task.requirement)
            .arg("service", task.service())
            .arg("targets", targets.join(", "))
            .text("why", why);
        out.push(finding(task, id_of(task), text, true, standing));
    }
    let offsets: Vec<ntp::Offset> = probed.iter().filter_map(|p| p.offset.clone()).collect();
    let clock = tasks.iter().find(|t| t.kind == Probe::Ntp);
    for fault in ntp::judge(&offsets) {
        let subject = Subject { requirement: clock.map(|t| t.requirement.clone()), ..Subject::default() };
        out.push(Finding::new(fault.id, subject, fault.text).proof(proof(fault.is_sure)));
    }
    Finding::sort(&mut out);
    out.dedup();
    out
}

/// A payment opens several connections, one after the other, and its customer waits: longer than this is felt, and a
/// lost opening packet costs as much (RFC 6298).
const SLOW: Duration = Duration::from_secs(1);
/// From this many attempts on a share of lost ones says something.
const ENOUGH: u32 = 5;
/// Calls and payments suffer from this share of lost packets on.
const LOSSY: f64 = 0.1;

/// Whether answers are slow, or many get lost, where some do come.
fn slow(samples: &Samples, target: &str) -> Option<Text> {
    let late = samples.times.iter().filter(|t| **t >= SLOW).count();
    let lost = samples.sent >= ENOUGH && samples.loss() >= LOSSY;
    if samples.times.is_empty() || late == 0 && !lost {
        return None;
    }
    let answered = samples.times.len();
    let worst = samples.quantile(1.0).unwrap_or_default();
    Some(
        Text::new("check-slow")
            .arg("target", target)
            .num("sent", samples.sent as usize)
            .num("answered", answered)
            .num("late", late)
            .arg("worst", format!("{:.1}", worst.as_secs_f64())),
    )
}

/// Who was asked, for people: the name and its address.
pub fn target_of(probe: &Probed) -> String {
    let target = probe.target.as_ref().map(ToString::to_string);
    match (target, probe.address) {
        (Some(target), Some(address)) if target != address.to_string() => format!("{target} ({address})"),
        (Some(target), _) => target,
        (None, Some(address)) => address.to_string(),
        (None, None) => String::new(),
    }
}

/// Why a probe did not get through, where that is a finding of its own.
fn why(task: &Task, probe: &Probed) -> Option<Text> {
    let report = &probe.report;
    let by = |id: &'static str, bare: &'static str| match report.reach.by() {
        Some(by) => Text::new(id).arg("by", by),
        None => Text::new(bare),
    };
    let text = match &report.reach {
        // A half that is lost is a fault of its own; what nobody can tell is no finding.
        Reach::Passes | Reach::Undecided(_) => return None,
        Reach::Refused(_) => by("check-refused-by", "check-refused"),
        Reach::Prohibited(_) => by("check-prohibited-by", "check-prohibited"),
        Reach::Unreachable(_) => by("check-unreachable-by", "check-unreachable"),
        Reach::Silent => Text::new("check-silent"),
        Reach::Broken(text) => text.clone(),
    };
    // What the probe has told under the same id needs no second finding.
    let told = |f: &Fault| !is_reason(task, probe, f) && (f.id == id_of(task) || broken_by(f.id));
    (!report.faults.iter().any(told)).then_some(text)
}

/// Whether a fault is only what the verdict says already.
fn is_reason(task: &Task, probe: &Probed, fault: &Fault) -> bool {
    fault.id == id_of(task) && matches!(&probe.report.reach, Reach::Broken(text) if *text == fault.text)
}

/// Faults that say why a connection did not come about.
fn broken_by(id: FindingId) -> bool {
    matches!(
        id,
        FindingId::TlsFailed | FindingId::TlsIntercepted | FindingId::CaptivePortal | FindingId::PathMtu
    )
}

/// Under which id a requirement is not reached.
fn id_of(task: &Task) -> FindingId {
    match task.kind {
        Probe::Dns => FindingId::DnsFailed,
        Probe::Ntp => FindingId::NtpUnreachable,
        Probe::Http => FindingId::HttpFailed,
        Probe::Sip => FindingId::SipFailed,
        _ => FindingId::PortUnreachable,
    }
}

fn finding(task: &Task, id: FindingId, text: Text, is_sure: bool, standing: Standing) -> Finding {
    let device = match task.devices.as_slice() {
        [device] => Some(device.clone()),
        _ => None,
    };
    let subject = Subject { device, requirement: Some(task.requirement.clone()), ..Subject::default() };
    // A requirement nobody confirms never fails a site by itself.
    if task.disputed {
        let text = Text::new("check-disputed").text("what", text);
        return Finding::new(FindingId::RequirementDisputed, subject, text).proof(Proof::Observed);
    }
    Finding::new(id, subject, text).proof(proof(is_sure && standing == Standing::Device))
}

fn proof(is_sure: bool) -> Proof {
    if is_sure { Proof::Observed } else { Proof::Possible }
}
