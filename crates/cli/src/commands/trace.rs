//! `tillgate trace`: one packet, or a file of packets, through a configuration.

use super::{json, topology};
use crate::args::{Format, Global, Trace};
use crate::document::{self, effect};
use crate::output::{Output, shown};
use crate::{Environment, Result, load};
use anstyle::AnsiColor;
use std::io::Read;
use tillgate_model::{Decision, Diagnostic, Packet, SourceFile, Span, Text};
use tillgate_ruleset as ruleset;

pub fn run(
    args: &Trace,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    let topology = topology(args.site.as_deref(), global, environment, input, output)?;
    let config = match load::config(&args.config, args.platform.as_deref(), input) {
        Ok(config) => config,
        Err(problem) => return output.fail(&problem),
    };
    let parsed = load::parse(&config);
    output.diagnostics(&parsed.diagnostics)?;
    let rules = parsed.rules;
    if let Some(text) = &args.packet {
        let packet = read(&SourceFile::new("packet", text.as_str()), 0, text, output)?;
        let trace = ruleset::trace(&rules, topology.as_ref(), &packet, None);
        match output.format {
            Format::Json => output.data(&json(&document::trace(&packet.to_string(), &trace))),
            _ => print(&packet, &trace, output),
        }
        return Ok(if trace.decision == Decision::Unknown { 3 } else { 0 });
    }
    let Some(path) = &args.packets else { return Err(crate::Failed(2)) };
    let file = load::text_file(path, input, output)?;
    let mut unknown = false;
    let mut at = 0;
    for line in file.text.split_inclusive('\n') {
        let text = line.trim_end();
        if !text.trim().is_empty() && !text.trim_start().starts_with('#') {
            let packet = read(&file, at, text, output)?;
            let trace = ruleset::trace(&rules, topology.as_ref(), &packet, None);
            unknown |= trace.decision == Decision::Unknown;
            match output.format {
                Format::Json => {
                    let value = document::trace(&packet.to_string(), &trace);
                    output.line(&value.to_string());
                }
                _ => {
                    let decided = trace
                        .decided_by
                        .as_ref()
                        .map_or(String::new(), |s| format!("  {}:{}", s.file.name, s.position().0));
                    let line = format!("{:<8}{packet}{decided}", trace.decision.name());
                    output.line(&shown(&line));
                }
            }
            if output.is_closed() {
                break;
            }
        }
        at += line.len();
    }
    Ok(if unknown { 3 } else { 0 })
}

fn read(
    file: &std::sync::Arc<SourceFile>,
    offset: usize,
    text: &str,
    output: &mut Output<'_>,
) -> Result<Packet> {
    match Packet::parse(text) {
        Ok(packet) => Ok(packet),
        Err(error) => {
            let start = offset + error.at;
            let word = text[error.at..].split_whitespace().next().map_or(0, str::len);
            let message = Text::new("packet-syntax").arg("expected", error.expected);
            let error = Diagnostic::error(Span::new(file, start, start + word), message)
                .hint(Text::new("packet-syntax-hint"));
            output.diagnostics(&[error])?;
            Err(crate::Failed(2))
        }
    }
}

fn print(packet: &Packet, trace: &ruleset::Trace, output: &mut Output<'_>) {
    let mut out = format!("{}\n", output.bold(&packet.to_string()));
    for step in &trace.steps {
        let (line, _) = step.span.position();
        let sure = if step.certain { "" } else { "? " };
        let log = if step.log { format!(" [{}]", output.lang.say("word-log")) } else { String::new() };
        let place = format!("{}:{line}", step.span.file.name);
        out.push_str(&shown(&format!(
            "  {sure}{}  {place}  {}{log}  {}\n",
            step.chain,
            effect(&step.effect),
            output.dim(&step.span.one_line())
        )));
    }
    let (color, word) = match trace.decision {
        Decision::Permit => (AnsiColor::Green, "trace-permit"),
        Decision::Deny => (AnsiColor::Red, "trace-deny"),
        Decision::Unknown => (AnsiColor::Yellow, "trace-unknown"),
    };
    out.push_str(&output.paint(color, &output.lang.say(word)));
    if let Some(span) = &trace.decided_by {
        let (line, column) = span.position();
        out.push_str(&format!("  {}:{line}:{column}  {}", shown(&span.file.name), shown(&span.one_line())));
    }
    output.line(&out);
}
