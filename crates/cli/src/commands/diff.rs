//! `tillgate diff`: what a change opens and closes, as packets; also from one platform to another.

use super::{json, topology};
use crate::args::{Diff, Format, Global};
use crate::output::{Output, shown};
use crate::report::abridge;
use crate::{Environment, Result, document, load};
use anstyle::AnsiColor;
use std::io::Read;
use std::path::Path;
use tillgate_model::{Proof, Text};
use tillgate_ruleset::{Change, RuleSet, diff};

pub fn run(
    args: &Diff,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    let topology = topology(args.site.as_deref(), global, environment, input, output)?;
    let old = read(&args.old, args.platform.first(), input, output)?;
    let new = read(&args.new, args.platform.last(), input, output)?;
    let found = diff(&old, &new, topology.as_ref());
    match output.format {
        Format::Json => output.data(&json(&document::difference(&found))),
        _ => {
            let lists = [
                ("diff-opened", AnsiColor::Red, &found.opened),
                ("diff-closed", AnsiColor::Yellow, &found.closed),
                ("diff-redirected", AnsiColor::Yellow, &found.redirected),
            ];
            for (id, color, list) in lists {
                if !list.is_empty() {
                    let heading = output.lang.text(&Text::new(id).num("count", list.len()));
                    let heading = output.paint(color, &heading);
                    output.line(&heading);
                    list.iter().for_each(|change| print(change, output));
                }
            }
            let id = match (found.equal, found.proof) {
                (false, _) => "diff-differ",
                (true, Proof::Possible) => "diff-equal-possible",
                (true, _) => "diff-equal",
            };
            let line = output.lang.say(id);
            output.line(&line);
        }
    }
    Ok(match (found.equal, found.proof) {
        (false, _) => 1,
        (true, Proof::Possible) => 3,
        (true, _) => 0,
    })
}

fn read(
    path: &Path,
    platform: Option<&String>,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result<RuleSet> {
    let config = match load::config(&[path.to_path_buf()], platform.map(String::as_str), input) {
        Ok(config) => config,
        Err(problem) => return output.fail(&problem),
    };
    let parsed = load::parse(&config);
    output.diagnostics(&parsed.diagnostics)?;
    Ok(parsed.rules)
}

fn print(change: &Change, output: &mut Output<'_>) {
    let mut fields: Vec<String> =
        change.area.fields.iter().map(|(name, list)| format!("{name} {}", abridge(list))).collect();
    if fields.is_empty() {
        fields.push(output.lang.say("diff-everything"));
    }
    let sure = match change.proof {
        Proof::Possible => format!(" ({})", output.lang.say("word-possible")),
        _ => String::new(),
    };
    output.line(&shown(&format!("  {}{sure}", fields.join("; "))));
    let label = |id: &'static str, output: &Output<'_>| format!("{:<8}", output.lang.say(id));
    let line = format!("    {}  {}", label("label-packet", output), shown(&change.packet.to_string()));
    output.line(&line);
    for (id, span) in [("label-old", &change.old), ("label-new", &change.new)] {
        if let Some(span) = span {
            let place = format!("{}:{}", shown(&span.file.name), span.position().0);
            let line =
                format!("    {}  {place}  {}", label(id, output), output.dim(&shown(&span.one_line())));
            output.line(&line);
        }
    }
}
