//! Classes, policies, zones and their pairs, as they are read.

use super::config::*;
use super::entry::{Bad, bad};
use super::lines::Line;
use super::read::{Reader, Section};
use tillgate_model::Text;

/// `class-map …`
pub fn open_class(reader: &mut Reader<'_>, line: &Line<'_>) {
    let inspects = line.is(1, "type") && line.is(2, "inspect");
    if !inspects {
        reader.enter(Section::Exempt);
        return;
    }
    let has = |keyword: &str| line.after(3).iter().any(|(_, w)| w.eq_ignore_ascii_case(keyword));
    let name = line.words.last().map_or("", |(_, w)| w).to_string();
    // Between the kind and the name: an application, and how lines are joined.
    let plain = line.after(3).len() - usize::from(has("match-any") || has("match-all")) <= 1;
    let new =
        || Class { span: line.span.clone(), any: has("match-any"), application: !plain, lines: Vec::new() };
    reader.config.classes.entry(name.clone()).or_insert_with(new);
    reader.enter(Section::Class(name));
}

/// A line of a class map.
pub fn class(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let Some(class) = reader.config.classes.get_mut(name) else { return Ok(()) };
    if line.starts(&["no", "match"]) {
        // Taken back by saying the same.
        let same = |own: &Criterion| super::undo::same(own.span.text().split_whitespace(), line.after(1));
        let before = class.lines.len();
        class.lines.retain(|own| !same(own));
        class.application |= class.lines.len() == before;
        return Ok(());
    }
    if !line.is(0, "match") {
        if !line.is(0, "exit") && !line.starts(&["no", "description"]) {
            class.application = true;
            reader.note(&line.place(0), line.word(0), true);
        }
        return Ok(());
    }
    let negate = line.is(1, "not");
    let at = 1 + usize::from(negate);
    let value = line.word(at + 1);
    if value.is_empty() && line.word(at).is_empty() {
        return Err(bad(line, at + 1));
    }
    let what = match line.word(at).to_ascii_lowercase().as_str() {
        "access-group" if line.is(at + 1, "name") => Asked::List(line.word(at + 2).to_string()),
        "access-group" => Asked::List(value.to_string()),
        // A signature looks into the packets.
        "protocol" if line.words.len() == at + 2 => Asked::Protocol(value.to_string()),
        "class-map" => Asked::Class(value.to_string()),
        _ => Asked::Open(line.after(at).iter().map(|(_, w)| *w).collect::<Vec<_>>().join(" ")),
    };
    class.lines.push(Criterion { span: line.span.clone(), negate, what });
    Ok(())
}

/// `policy-map …`
pub fn open_policy(reader: &mut Reader<'_>, line: &Line<'_>) {
    let name = line.words.last().map_or("", |(_, w)| w).to_string();
    if line.is(1, "type") && line.is(2, "inspect") {
        let new = || Policy::new(&line.span);
        reader.config.policies.entry(name.clone()).or_insert_with(new);
        reader.enter(Section::Policy(name));
    } else {
        reader.enter(Section::Shaping(name));
    }
}

/// A line of a policy map.
pub fn policy(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let Some(policy) = reader.config.policies.get_mut(name) else { return Ok(()) };
    if line.is(0, "class") {
        let typed = line.is(1, "type") && line.is(2, "inspect");
        let class = line.word(if typed { line.words.len().saturating_sub(1) } else { 1 });
        if class.is_empty() {
            return Err(bad(line, 1));
        }
        let class = (!class.eq_ignore_ascii_case("class-default")).then(|| class.to_string());
        // A class that is named once more is changed in its place.
        let known = policy.place(&class);
        policy.at = known.unwrap_or(policy.classes.len());
        if known.is_none() {
            policy.add(PolicyClass {
                span: line.span.clone(),
                class,
                deed: None,
                log: false,
                doubts: Vec::new(),
            });
        }
        return Ok(());
    }
    if line.starts(&["no", "class"]) {
        let class = line.words.last().map_or("", |(_, w)| w);
        let class = (!class.eq_ignore_ascii_case("class-default")).then(|| class.to_string());
        policy.remove(&class);
        return Ok(());
    }
    let Some(class) = policy.classes.get_mut(policy.at) else { return Ok(()) };
    if line.is(0, "no") {
        match ["inspect", "pass", "drop"].iter().any(|k| line.is(1, k)) {
            true => (class.deed, class.log) = (None, false),
            false => class.doubts.push(Text::new("not-modelled-statement").arg("what", "no")),
        }
        return Ok(());
    }
    let deed = match line.word(0).to_ascii_lowercase().as_str() {
        "inspect" => Deed::Inspect,
        "pass" => Deed::Pass,
        "drop" => Deed::Drop,
        "exit" => return Ok(()),
        other => {
            class.doubts.push(Text::new("not-modelled-statement").arg("what", other));
            return Ok(());
        }
    };
    class.deed = Some((deed, line.span.clone()));
    class.log = line.is(1, "log");
    Ok(())
}

/// `zone security …`, `zone-pair security …`
pub fn open_zone(reader: &mut Reader<'_>, line: &Line<'_>) {
    let name = line.word(2).to_string();
    if line.word(0).eq_ignore_ascii_case("zone") {
        reader.config.zones.entry(name).or_insert_with(|| line.span.clone());
        reader.enter(Section::Exempt);
        return;
    }
    let end = |keyword: &str| {
        let at = line.words.iter().skip(3).position(|(_, w)| w.eq_ignore_ascii_case(keyword));
        at.map(|at| line.word(at + 4).to_string()).unwrap_or_default()
    };
    let pair = Pair {
        span: line.span.clone(),
        source: end("source"),
        destination: end("destination"),
        policy: None,
    };
    reader.config.pairs.entry(name.clone()).or_insert(pair);
    reader.enter(Section::Pair(name));
}

/// A line of a zone pair.
pub fn pair(reader: &mut Reader<'_>, name: &str, line: &Line<'_>) -> Result<(), Bad> {
    let Some(pair) = reader.config.pairs.get_mut(name) else { return Ok(()) };
    if line.is(0, "service-policy") {
        let policy = line.words.last().map_or("", |(_, w)| w).to_string();
        pair.policy = Some(Named { name: policy, span: line.span.clone() });
    } else if line.starts(&["no", "service-policy"]) {
        pair.policy = None;
    } else if !line.is(0, "exit") && !line.starts(&["no", "description"]) {
        reader.bear(line.place(0), line.word(0));
    }
    Ok(())
}
