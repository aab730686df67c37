//! What can be judged from the estate alone.

use crate::flow::{Flow, Reason};
use std::collections::BTreeSet;
use tillgate_catalog::{Class, Library};
use tillgate_estate::{Site, SourceScope};
use tillgate_model::{Date, Evidence, Finding, FindingId, Subject, Text};

/// Findings of the estate, sorted.
pub fn findings(site: &Site, library: &Library, flows: &[Flow], today: Date) -> Vec<Finding> {
    let mut out = Vec::new();
    for device in &site.devices {
        let subject = || Subject {
            device: Some(device.name.clone()),
            segment: Some(device.segment.clone()),
            ..Subject::default()
        };
        if device.addresses.is_empty() && device.class != Class::Probe {
            let text = Text::new("finding-address-not-fixed").arg("device", &device.name);
            out.push(
                Finding::new(FindingId::AddressNotFixed, subject(), text)
                    .evidence(Evidence::Rule(device.span.clone())),
            );
        }
        if let Some(end) = library.kind(&device.kind).and_then(|k| k.end_of_support)
            && end < today
        {
            let text = Text::new("finding-device-end-of-support")
                .arg("device", &device.name)
                .arg("kind", &device.kind)
                .arg("date", end);
            out.push(
                Finding::new(FindingId::DeviceEndOfSupport, subject(), text)
                    .evidence(Evidence::Rule(device.span.clone())),
            );
        }
    }
    for exception in site.exceptions.iter().filter(|e| e.expires < today) {
        let text = Text::new("finding-exception-expired")
            .arg("allow", &exception.allow)
            .arg("owner", &exception.owner)
            .arg("date", exception.expires);
        out.push(
            Finding::new(FindingId::ExceptionExpired, Subject::default(), text)
                .evidence(Evidence::Rule(exception.span.clone())),
        );
    }
    if site.source == SourceScope::Segment {
        let text = Text::new("finding-source-segment").arg("site", &site.name);
        out.push(
            Finding::new(FindingId::SourceTooWide, Subject::default(), text)
                .evidence(Evidence::Rule(site.span.clone())),
        );
    }
    let mut rows = BTreeSet::new();
    for reason in flows.iter().flat_map(|f| &f.reasons) {
        if let Reason::Requirement { id, .. } | Reason::Names { id } = reason {
            rows.insert(id.as_str());
        }
    }
    for row in rows.into_iter().filter_map(|id| library.requirement(id)) {
        let subject = || Subject { requirement: Some(row.id.clone()), ..Subject::default() };
        if row.disputed.is_some() {
            let text = Text::new("finding-requirement-disputed").arg("requirement", &row.id);
            out.push(Finding::new(FindingId::RequirementDisputed, subject(), text));
        }
        if row.is_stale(today) {
            let text = Text::new("finding-requirement-stale").arg("requirement", &row.id);
            out.push(Finding::new(FindingId::RequirementStale, subject(), text));
        }
    }
    Finding::sort(&mut out);
    out
}
