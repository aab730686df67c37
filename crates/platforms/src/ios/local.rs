//! What decides about packets to the router itself beside interface lists and zones: terminals, and limits of services.

use super::build::base;
use super::compile::{Compiler, Purpose, Target, View, doubtful, rule, tells};
use super::config::Named;
use tillgate_model::{Family, Ranges, Span, Text};
use tillgate_packetset::Field;
use tillgate_ruleset::{Action, Hook, Kind, Match, Rule};

/// What decides about packets to the router itself beside interface lists and zones.
pub fn build(compiler: &mut Compiler<'_>, start: &Span) {
    let config = compiler.config;
    let mut list = Vec::new();
    let statement = |what: &str| Text::new("not-modelled-statement").arg("what", what);
    for family in Family::BOTH {
        terminals(compiler, family, &mut list);
    }
    for limited in &config.limited {
        let mut when = Match::default();
        when.narrow(Field::Family, &Ranges::single(limited.family as u128));
        when.narrow(Field::Protocol, &Ranges::single(limited.protocol.into()));
        let ports = limited.ports.iter().map(|p| (u128::from(*p), u128::from(*p)));
        when.narrow(Field::DestinationPort, &ports.collect());
        // What is in doubt here says so where it matters.
        when.doubts.push(compiler.open(&limited.span, statement(&limited.what), false));
        list.push(rule(&limited.span, when, Action::Drop));
    }
    if let Some(policy) = &config.control_plane {
        let doubts = vec![compiler.open(&policy.span, statement("control-plane service-policy"), true)];
        list.push(rule(&policy.span, Match { doubts, ..Match::default() }, Action::Drop));
    }
    base(compiler, "router", Hook::Input, 10, Kind::Filter, list, start);
}

/// Who may open a terminal: SSH and telnet, to any address of the router.
fn terminals(compiler: &mut Compiler<'_>, family: Family, out: &mut Vec<Rule>) {
    let config = compiler.config;
    let mut when = Match::default();
    when.narrow(Field::Family, &Ranges::single(family as u128));
    when.narrow(Field::Protocol, &Ranges::single(6));
    when.narrow(Field::DestinationPort, &Ranges::span(22, 23));
    let mut lists: Vec<&Named> = Vec::new();
    let mut open = config.terminals.is_empty();
    for terminal in &config.terminals {
        match terminal.lists.get(&family) {
            // A list that is not defined lets everybody in.
            Some(named) if config.lists.contains_key(&(family, named.name.clone())) => {
                if lists.iter().all(|l| l.name != named.name) {
                    lists.push(named);
                }
            }
            _ => open = true,
        }
    }
    let Some(first) = lists.first() else { return };
    if let ([only], false) = (lists.as_slice(), open) {
        let key = (family, only.name.clone());
        let mut asked = when.clone();
        if config.lists.get(&key).is_some_and(|l| tells(l, Field::Destination)) {
            // What the destination of an extended list is compared with is not known.
            asked.doubts.push(compiler.open(&only.span, doubtful("access-class"), true));
        }
        if let Some(chain) = compiler.list(family, &only.name, View::default(), &Purpose::Filter) {
            out.push(rule(&only.span, asked, Action::Jump(chain)));
        }
        out.push(rule(&only.span, when, Action::Drop));
        return;
    }
    // Several ranges of lines: which of them a session gets is not known, unless all lists agree.
    let mut all = Some(Target::Accept);
    for named in lists.iter().rev() {
        let purpose = all.map(Purpose::Choose);
        let chain = purpose.and_then(|p| compiler.list(family, &named.name, View::default(), &p));
        all = chain.map(Target::Jump);
    }
    out.extend(all.map(|target| rule(&first.span, when.clone(), target.action())));
    let choose = Purpose::Choose(Target::Accept);
    for named in &lists {
        let mut when = when.clone();
        when.doubts.push(compiler.open(&named.span, doubtful("access-class"), true));
        if let Some(chain) = compiler.list(family, &named.name, View::default(), &choose) {
            out.push(rule(&named.span, when, Action::Jump(chain)));
        }
    }
    if open {
        when.doubts.push(compiler.open(&first.span, doubtful("access-class"), true));
    }
    out.push(rule(&first.span, when, Action::Drop));
}
