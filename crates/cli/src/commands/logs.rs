//! `tillgate logs`: what firewalls wrote down, line by line or summed up.

use crate::Result;
use crate::args::{Format, Logs};
use crate::output::{Output, shown};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use tillgate_logs::{Line, Reader, Reading, Record, Time, Verdict};
use tillgate_model::Text;

/// A longer line is no line of a log: what is behind is left out, and counted.
const LONGEST: u64 = 1 << 16;
/// Bytes read at once: as much as stays in the processor's second cache.
const CHUNK: usize = 1 << 18;
/// Denied flows told apart; what comes later counts in sum only.
const MOST_FLOWS: usize = 1 << 16;
/// Denied flows shown.
const SHOWN: usize = 20;
/// Lines shown of each kind that could not be read.
const EXAMPLES: usize = 2;

pub fn run(args: &Logs, input: &mut dyn Read, output: &mut Output<'_>) -> Result {
    let mut sums = Sums::default();
    let mut number = 0;
    for path in &args.files {
        let source: Box<dyn Read + '_> = if path.as_os_str() == "-" {
            Box::new(&mut *input)
        } else {
            match std::fs::File::open(path) {
                Ok(file) => Box::new(file),
                Err(error) => {
                    let text = Text::new("file-unreadable").arg("name", path.display()).arg("detail", error);
                    return output.fail(&text);
                }
            }
        };
        let mut source = BufReader::with_capacity(CHUNK, source);
        let mut reader = Reader::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            match source.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    let text = Text::new("file-unreadable").arg("name", path.display()).arg("detail", error);
                    return output.fail(&text);
                }
            }
            number += 1;
            let is_whole = line.last() == Some(&b'\n') || (line.len() as u64) < LONGEST;
            if !is_whole {
                skip_line(&mut source);
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.trim_ascii().is_empty() {
                continue;
            }
            let reading = match is_whole {
                true => reader.read(text),
                false => Reading { format: None, time: None, host: None, line: Line::Unread("too-long") },
            };
            if args.normalize {
                if let Some(value) = document(number, &reading) {
                    output.data(&format!("{value}\n"));
                }
                if output.is_closed() {
                    return Ok(0);
                }
            }
            sums.add(&reading, text);
        }
    }
    match (args.normalize, output.format) {
        (true, _) => output.note(&sums.text()),
        (false, Format::Json) => {
            let value = super::json(&sums.document());
            output.data(&value);
        }
        (false, _) => {
            let table = sums.table(output);
            output.data(&table);
        }
    }
    Ok(0)
}

fn skip_line(source: &mut impl BufRead) {
    loop {
        let (length, ends) = match source.fill_buf() {
            Ok([]) | Err(_) => return,
            Ok(bytes) => match bytes.iter().position(|b| *b == b'\n') {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            },
        };
        source.consume(length);
        if ends {
            return;
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One line as JSON; nothing for those that carry no flow.
fn document(number: u64, reading: &Reading<'_>) -> Option<Json> {
    match &reading.line {
        Line::Flow(record) => {
            let Record { verdict, protocol, source, source_port, destination, destination_port, .. } = record;
            Some(json!({
                "line": number,
                "format": reading.format,
                "time": reading.time.map(time),
                "host": reading.host.map(text),
                "verdict": verdict.name(),
                "protocol": protocol.map(|p| p.to_string()),
                "source": source.map(|a| a.to_string()),
                "source_port": source_port,
                "destination": destination.map(|a| a.to_string()),
                "destination_port": destination_port,
                "rule": record.rule.map(text),
                "in": record.input.map(text),
                "out": record.output.map(text),
                "count": record.count,
                "reply": record.is_reply.then_some(true),
            }))
        }
        Line::Missed(count) => Some(
            json!({"line": number, "format": reading.format, "time": reading.time.map(time), "missed": count}),
        ),
        Line::Unread(why) => Some(json!({"line": number, "format": reading.format, "unread": why})),
        Line::Other => None,
    }
}

/// RFC 3339 as far as the line says: without a year `--03-02T…` (ISO 8601 of 2000, 5.2.1.3), without an offset none.
fn time(time: Time) -> String {
    let year = time.year.map_or("-".to_string(), |y| format!("{y:04}"));
    let mut out = format!(
        "{year}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.month, time.day, time.hour, time.minute, time.second
    );
    if time.nanosecond > 0 {
        out.push_str(format!(".{:09}", time.nanosecond).trim_end_matches('0'));
    }
    match time.offset {
        Some(0) => out.push('Z'),
        Some(offset) => {
            let sign = if offset < 0 { '-' } else { '+' };
            out.push_str(&format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60));
        }
        None => {}
    }
    out
}

/// Source, destination, service and rule of denied packets.
type Flow = (String, String, String, String);

/// What was read, summed up in bounded memory.
#[derive(Default)]
struct Sums {
    lines: u64,
    /// By format and verdict.
    verdicts: BTreeMap<(&'static str, Verdict), u64>,
    /// Lines of a format that carry no flow.
    other: BTreeMap<&'static str, u64>,
    missed: u64,
    replies: u64,
    /// By format and reason, with the first lines.
    unread: BTreeMap<(&'static str, &'static str), (u64, Vec<String>)>,
    denied: BTreeMap<Flow, u64>,
    /// Denied packets of flows that came when the table was full.
    rest: u64,
}

impl Sums {
    fn add(&mut self, reading: &Reading<'_>, line: &[u8]) {
        self.lines += 1;
        let format = reading.format.unwrap_or("?");
        match &reading.line {
            Line::Other => *self.other.entry(format).or_default() += 1,
            Line::Missed(count) => self.missed += count,
            Line::Unread(why) => {
                let (count, examples) = self.unread.entry((format, why)).or_default();
                *count += 1;
                if examples.len() < EXAMPLES {
                    examples.push(text(line).chars().take(160).collect());
                }
            }
            Line::Flow(record) if record.is_reply => self.replies += record.count,
            Line::Flow(record) => {
                *self.verdicts.entry((format, record.verdict)).or_default() += record.count;
                if matches!(record.verdict, Verdict::Deny | Verdict::Reset) {
                    self.deny(record);
                }
            }
        }
    }

    fn deny(&mut self, record: &Record<'_>) {
        let address = |a: Option<std::net::IpAddr>| a.map_or("?".to_string(), |a| a.to_string());
        let protocol = record.protocol.map_or("?".to_string(), |p| p.to_string());
        let service = match record.destination_port {
            Some(port) => format!("{port}/{protocol}"),
            None => protocol,
        };
        let rule = record.rule.map(text).unwrap_or_default();
        let flow = (address(record.source), address(record.destination), service, rule);
        let room = self.denied.len() < MOST_FLOWS;
        match self.denied.get_mut(&flow) {
            Some(count) => *count += record.count,
            None if room => {
                self.denied.insert(flow, record.count);
            }
            None => self.rest += record.count,
        }
    }

    fn read(&self) -> u64 {
        self.lines - self.unread.values().map(|(count, _)| count).sum::<u64>()
    }

    fn text(&self) -> Text {
        Text::new("logs-read")
            .num("lines", self.lines as usize)
            .num("read", self.read() as usize)
            .num("unread", (self.lines - self.read()) as usize)
    }

    /// Denied flows, the most frequent first.
    fn worst(&self) -> Vec<(&Flow, u64)> {
        let mut list: Vec<(&Flow, u64)> = self.denied.iter().map(|(flow, count)| (flow, *count)).collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        list
    }

    fn table(&self, output: &Output<'_>) -> String {
        let lang = &output.lang;
        let mut out = format!("{}\n", lang.text(&self.text()));
        for ((format, verdict), count) in &self.verdicts {
            out.push_str(&format!("  {format:<12} {:<8} {count}\n", verdict.name()));
        }
        if self.missed > 0 {
            out.push_str(&format!(
                "{}\n",
                lang.text(&Text::new("logs-missed").num("count", self.missed as usize))
            ));
        }
        for ((format, why), (count, examples)) in &self.unread {
            let text =
                Text::new("logs-unread").arg("format", format).arg("why", why).num("count", *count as usize);
            out.push_str(&format!("{}\n", lang.text(&text)));
            examples.iter().for_each(|line| out.push_str(&format!("  {}\n", output.dim(&shown(line)))));
        }
        let worst = self.worst();
        if !worst.is_empty() {
            out.push_str(&format!("\n{}\n", output.bold(&lang.say("logs-denied"))));
        }
        for ((source, destination, service, rule), count) in worst.iter().take(SHOWN) {
            out.push_str(&format!(
                "  {count:>8}  {source} -> {destination}  {service}  {}\n",
                output.dim(&shown(rule))
            ));
        }
        let more = worst.iter().skip(SHOWN).map(|(_, n)| n).sum::<u64>() + self.rest;
        if more > 0 {
            out.push_str(&format!("{}\n", lang.text(&Text::new("logs-more").num("count", more as usize))));
        }
        out
    }

    fn document(&self) -> Json {
        let verdicts: Vec<Json> = self
            .verdicts
            .iter()
            .map(|((format, verdict), count)| json!({"format": format, "verdict": verdict.name(), "count": count}))
            .collect();
        let unread: Vec<Json> = self
            .unread
            .iter()
            .map(|((format, why), (count, examples))| {
                json!({"format": (*format != "?").then_some(format), "why": why, "count": count, "examples": examples})
            })
            .collect();
        let denied: Vec<Json> = self
            .worst()
            .into_iter()
            .map(|((source, destination, service, rule), count)| {
                json!({"source": source, "destination": destination, "service": service, "rule": rule, "count": count})
            })
            .collect();
        json!({
            "schema": "tillgate.logs/1",
            "lines": self.lines,
            "read": self.read(),
            "missed": self.missed,
            "replies": self.replies,
            "verdicts": verdicts,
            "unread": unread,
            "denied": denied,
            "denied_beyond": self.rest,
        })
    }
}
