//! What a configuration says beside its rules, and rules that say nothing.

use crate::rules::{Action, Fact, Hook, Kind, RuleSet, What};
use tillgate_model::{Date, Evidence, Finding, FindingId, Subject, Text};
use tillgate_packetset::Field;

/// Findings that follow from facts alone; those about terminals' flows are made where flows are judged.
pub(crate) fn facts(rules: &RuleSet, today: Option<Date>) -> Vec<Finding> {
    let finding = |fact: &Fact| {
        let (id, text) = match &fact.what {
            What::Unused(name) => {
                (FindingId::ObjectUnused, Text::new("finding-object-unused").arg("name", name))
            }
            What::Disabled => (FindingId::RuleDisabled, Text::new("finding-rule-disabled")),
            What::Until(date) if today.is_some_and(|today| today > *date) => {
                (FindingId::RuleExpired, Text::new("finding-rule-expired").arg("date", date.to_string()))
            }
            What::CleartextManagement(service) => (
                FindingId::CleartextManagement,
                Text::new("finding-cleartext-management").arg("service", service),
            ),
            What::Until(_) | What::Inspects(_) | What::Application(_) => return None,
        };
        Some(Finding::new(id, Subject::default(), text).evidence(Evidence::Rule(fact.span.clone())))
    };
    rules.facts.iter().filter_map(finding).collect()
}

/// Rules of the forward hook that accept any service to any destination for new connections.
pub(crate) fn any_any(rules: &RuleSet) -> Vec<Finding> {
    let mut out = Vec::new();
    for base in rules.at(Hook::Forward, Kind::Filter) {
        for rule in &rules.chains[base.chain].rules {
            let cube = &rule.when.cube;
            let fields = [Field::Protocol, Field::DestinationPort, Field::Destination, Field::Source];
            let new = cube.ranges(Field::State).is_none_or(|r| r.contains(0));
            let wide = rule.when.terms.is_empty() && fields.iter().all(|f| rule.when.leaves_open(*f));
            if rule.action == Action::Accept && new && wide && !rule.when.never {
                let text = Text::new("finding-rule-any-any").arg("from", "any").arg("to", "any");
                out.push(
                    Finding::new(FindingId::RuleAnyAny, Subject::default(), text)
                        .evidence(Evidence::Rule(rule.span.clone())),
                );
            }
        }
    }
    out
}
