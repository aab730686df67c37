//! What live checks print and read: lines, tables, documents, the metrics file, long runs.

use crate::args::Check;
use crate::lang::Lang;
use crate::output::{Output, shown};
use crate::{Result, load};
use anstyle::AnsiColor;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tillgate_model::{Finding, Summary, Text};
use tillgate_probe::judge::target_of;
use tillgate_probe::outcome::{Detail, Reach, Report, Samples};
use tillgate_probe::plan::{Target, Task};
use tillgate_probe::run::Probed;
use tillgate_probe::segment::Tried;
use tillgate_probe::surroundings::Look;
use tillgate_probe::tls::CertificateDer;
use tokio::time::Instant;

/// One probe as it is shown.
pub struct Line {
    /// Row id, or what was looked at.
    pub requirement: String,
    /// `tls`, `dns`, `path` …
    pub kind: &'static str,
    /// `443/tcp`.
    pub service: String,
    /// Name and address.
    pub target: String,
    /// What was seen.
    pub report: Report,
}

/// Tasks' probes and what was looked at beside them.
pub fn lines(tasks: &[Task], probed: &[Probed], looks: &[Look]) -> Vec<Line> {
    let of_task = probed.iter().filter_map(|probe| {
        let task = tasks.get(probe.task)?;
        Some(Line {
            requirement: task.requirement.clone(),
            kind: task.kind.name(),
            service: task.service(),
            target: target_of(probe),
            report: probe.report.clone(),
        })
    });
    let of_look = looks.iter().map(|look| Line {
        requirement: String::new(),
        kind: look.kind,
        service: String::new(),
        target: look.target.clone(),
        report: look.report.clone(),
    });
    of_task.chain(of_look).collect()
}

/// Resolvers among a task's targets.
pub fn addresses(task: &Task) -> Vec<SocketAddr> {
    let address = |target: &Target| match target {
        Target::Address(address) => Some(SocketAddr::new(*address, task.port())),
        Target::Name(_) => None,
    };
    task.targets.iter().filter_map(address).collect()
}

/// A table for people.
pub fn table(lines: &[Line], output: &Output<'_>) -> String {
    let lang = &output.lang;
    let rows: Vec<[String; 5]> = lines
        .iter()
        .map(|line| {
            let what = match line.requirement.as_str() {
                "" => lang.find(&format!("look-{}", line.kind)).unwrap_or_default(),
                id => id.to_string(),
            };
            [what, line.service.clone(), shown(&line.target), times(&line.report.samples), result(line, lang)]
        })
        .collect();
    let width = |at: usize| rows.iter().map(|r| r[at].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut out = String::new();
    for (row, line) in rows.iter().zip(lines) {
        let color = match &line.report.reach {
            Reach::Passes if line.report.faults.is_empty() => AnsiColor::Green,
            Reach::Passes | Reach::Undecided(_) => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        let mark = match &line.report.reach {
            Reach::Passes if line.report.faults.is_empty() => "✓",
            Reach::Passes => "!",
            Reach::Undecided(_) => "?",
            _ => "✗",
        };
        let _ = write!(out, "{} ", output.paint(color, mark));
        for (at, width) in widths.iter().enumerate() {
            let _ = write!(out, "{:<width$}  ", row[at]);
        }
        let _ = writeln!(out, "{}", row[4]);
    }
    out
}

/// How far it got, in words.
fn result(line: &Line, lang: &Lang) -> String {
    let reach = &line.report.reach;
    let text = match (reach, reach.by()) {
        (Reach::Passes, _) if line.report.faults.is_empty() => match line.kind {
            "conflict" => Text::new("reach-free"),
            "portal" => Text::new("reach-no-portal"),
            _ => Text::new("reach-passes"),
        },
        (Reach::Passes, _) => Text::new("reach-faulty").num("count", line.report.faults.len()),
        (Reach::Refused(_), Some(by)) => Text::new("check-refused-by").arg("by", by),
        (Reach::Refused(_), None) => Text::new("check-refused"),
        (Reach::Prohibited(_), Some(by)) => Text::new("check-prohibited-by").arg("by", by),
        (Reach::Prohibited(_), None) => Text::new("check-prohibited"),
        (Reach::Unreachable(_), Some(by)) => Text::new("check-unreachable-by").arg("by", by),
        (Reach::Unreachable(_), None) => Text::new("check-unreachable"),
        (Reach::Silent, _) => Text::new("check-silent"),
        (Reach::Broken(text), _) => text.clone(),
        (Reach::Undecided(text), _) => Text::new("reach-undecided").text("why", text.clone()),
    };
    shown(&lang.text(&text))
}

/// `3/3 12.1 ms`: answers of attempts, and the median.
fn times(samples: &Samples) -> String {
    match samples.quantile(0.5) {
        Some(median) => format!("{}/{} {}", samples.times.len(), samples.sent, millis(median)),
        None if samples.sent > 0 => format!("0/{}", samples.sent),
        None => String::new(),
    }
}

fn millis(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        0.0..10.0 => format!("{ms:.2} ms"),
        10.0..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// A probe as JSON.
pub fn document(line: &Line, lang: &Lang) -> Json {
    let Report { reach, samples, faults, details } = &line.report;
    let why = match reach {
        Reach::Broken(text) | Reach::Undecided(text) => Some(lang.text(text)),
        _ => None,
    };
    let ms = |time: Option<Duration>| time.map(|t| (t.as_secs_f64() * 1e6).round() / 1000.0);
    let faults: Vec<Json> = faults
        .iter()
        .map(|f| json!({"id": f.id.name(), "message": lang.text(&f.text), "sure": f.is_sure}))
        .collect();
    let details: serde_json::Map<String, Json> =
        details.iter().map(|(key, value)| ((*key).to_string(), detail(value))).collect();
    json!({
        "requirement": (!line.requirement.is_empty()).then_some(&line.requirement),
        "kind": line.kind,
        "service": (!line.service.is_empty()).then_some(&line.service),
        "target": line.target,
        "reach": reach.name(),
        "by": reach.by().map(|by| by.to_string()),
        "why": why,
        "samples": {
            "sent": samples.sent,
            "answered": samples.times.len(),
            "min_ms": ms(samples.quantile(0.0)),
            "median_ms": ms(samples.quantile(0.5)),
            "p95_ms": ms(samples.quantile(0.95)),
            "jitter_ms": ms(samples.jitter()),
        },
        "faults": faults,
        "details": details,
    })
}

fn detail(value: &Detail) -> Json {
    match value {
        Detail::Text(text) => json!(text),
        Detail::Number(number) => json!(number),
        Detail::Flag(flag) => json!(flag),
        Detail::List(list) => json!(list),
    }
}

/// An attempt of the segmentation test as JSON.
pub fn tried(tried: &Tried) -> Json {
    let Tried { attempt, reach } = tried;
    json!({
        "to": attempt.to,
        "address": attempt.address.to_string(),
        "protocol": attempt.protocol.to_string(),
        "port": attempt.port,
        "why": attempt.why.name(),
        "reach": reach.name(),
        "by": reach.by().map(|by| by.to_string()),
    })
}

/// The evidence for people: who tried, from where, when, and what came of it, a line for each target.
pub fn segment_table(
    list: &[Tried],
    from: &str,
    address: Option<IpAddr>,
    begun: i64,
    output: &Output<'_>,
) -> String {
    let mut rows: BTreeMap<(String, IpAddr), BTreeMap<&'static str, Vec<String>>> = BTreeMap::new();
    for Tried { attempt, reach } in list {
        let row = rows.entry((attempt.to.clone(), attempt.address)).or_default();
        let port = format!("{}/{}", attempt.port, attempt.protocol);
        row.entry(reach.name()).or_default().push(port);
    }
    let head = Text::new("segment-head")
        .arg("segment", from)
        .arg("address", address.map(|a| a.to_string()).unwrap_or_default())
        .arg("time", time(begun));
    let mut out = format!("{}\n", output.lang.text(&head));
    for ((to, address), row) in rows {
        let _ = writeln!(out, "{} ({address})", output.bold(&shown(&to)));
        for (reach, ports) in row {
            let word = output.lang.find(&format!("tried-{reach}")).unwrap_or_default();
            let _ = writeln!(out, "  {word:<12} {}", ports.join(", "));
        }
    }
    out
}

/// RFC 3339, UTC.
pub fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default()
}

/// Certificates of a PEM file.
pub fn certificates(path: &Path, output: &mut Output<'_>) -> Result<Vec<CertificateDer<'static>>> {
    let file = load::text_file(path, &mut std::io::empty(), output)?;
    let list = tillgate_probe::run::pem_certificates(&file.text);
    match list.is_empty() {
        true => output.fail(&Text::new("no-certificate").arg("name", path.display())),
        false => Ok(list),
    }
}

/// The secret shared with a reflector: 64 hexadecimal digits.
pub fn secret(path: &Path, output: &mut Output<'_>) -> Result<[u8; 32]> {
    let file = load::text_file(path, &mut std::io::empty(), output)?;
    let text = file.text.trim();
    let pairs = (0..32).map(|at| text.get(2 * at..2 * at + 2).and_then(|p| u8::from_str_radix(p, 16).ok()));
    let bytes: Option<Vec<u8>> = pairs.collect();
    match bytes.and_then(|b| <[u8; 32]>::try_from(b).ok()).filter(|_| text.len() == 64) {
        Some(secret) => Ok(secret),
        None => output.fail(&Text::new("secret-form").arg("name", path.display())),
    }
}

/// Writes the metrics for the node_exporter's textfile collector.
pub fn metrics(
    path: &Path,
    site: Option<&str>,
    lines: &[Line],
    findings: &[Finding],
    now: i64,
    output: &mut Output<'_>,
) -> Result<()> {
    let label = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let site = label(site.unwrap_or(""));
    let mut out = String::from(
        "# HELP tillgate_probe_up Whether a probe got through.\n# TYPE tillgate_probe_up gauge\n",
    );
    let labels = |line: &Line| {
        format!(
            "site=\"{site}\",requirement=\"{}\",kind=\"{}\",service=\"{}\",target=\"{}\"",
            label(&line.requirement),
            line.kind,
            label(&line.service),
            label(&line.target)
        )
    };
    let decided = |line: &&Line| !matches!(line.report.reach, Reach::Undecided(_));
    for line in lines.iter().filter(decided) {
        let up = u8::from(line.report.reach == Reach::Passes);
        let _ = writeln!(out, "tillgate_probe_up{{{}}} {up}", labels(line));
    }
    out.push_str("# HELP tillgate_probe_seconds Median round trip.\n# TYPE tillgate_probe_seconds gauge\n");
    for line in lines {
        if let Some(median) = line.report.samples.quantile(0.5) {
            let _ = writeln!(out, "tillgate_probe_seconds{{{}}} {}", labels(line), median.as_secs_f64());
        }
    }
    out.push_str(
        "# HELP tillgate_probe_loss Share of attempts without an answer.\n# TYPE tillgate_probe_loss gauge\n",
    );
    for line in lines.iter().filter(|l| l.report.samples.sent > 0) {
        let _ = writeln!(out, "tillgate_probe_loss{{{}}} {}", labels(line), line.report.samples.loss());
    }
    out.push_str("# HELP tillgate_findings Findings by severity.\n# TYPE tillgate_findings gauge\n");
    for (severity, count) in tillgate_model::Severity::ALL.iter().zip(Summary::of(findings).counts) {
        let _ =
            writeln!(out, "tillgate_findings{{site=\"{site}\",severity=\"{}\"}} {count}", severity.name());
    }
    let _ = writeln!(
        out,
        "# HELP tillgate_check_time_seconds When it was measured.\n# TYPE tillgate_check_time_seconds gauge\ntillgate_check_time_seconds{{site=\"{site}\"}} {now}"
    );
    super::render::write(path, &out, output)
}

/// Rounds kept for a sparkline.
const ROUNDS: usize = 40;

/// Measures again and again: a view that is drawn anew on a terminal, one JSON line a round in a file.
pub fn watch(
    args: &Check,
    clock: fn() -> i64,
    output: &mut Output<'_>,
    mut once: impl FnMut(&mut Output<'_>) -> (Vec<Line>, Vec<Finding>),
) -> Result {
    let every = args.every.unwrap_or(Duration::from_secs(10));
    let until = args.during.map(|d| Instant::now() + d);
    let mut file = match &args.output {
        None => None,
        Some(path) => match std::fs::OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => Some(file),
            Err(error) => {
                return output
                    .fail(&Text::new("cannot-create").arg("name", path.display()).arg("detail", error));
            }
        },
    };
    let progress = std::mem::replace(&mut output.progress, false);
    let mut history: BTreeMap<String, VecDeque<Option<Duration>>> = BTreeMap::new();
    let mut worst = 0;
    loop {
        let begun = Instant::now();
        let at = clock();
        let (lines, findings) = once(output);
        let verdict = tillgate_model::Verdict::of(&findings, args.fail_on);
        worst = [2, 1, 3, 0].into_iter().find(|c| *c == worst || *c == verdict.exit_code()).unwrap_or(0);
        if let Some(file) = &mut file {
            let probes: Vec<Json> = lines.iter().map(|line| document(line, &output.lang)).collect();
            let round = json!({"schema": "tillgate.check/1", "time": time(at), "site": args.site, "verdict": verdict.name(), "probes": probes});
            // A line is whole or not there: what was written before stays when the run is cut off.
            if let Err(error) = writeln!(file, "{round}").and_then(|()| file.flush()) {
                return output.fail(&Text::new("cannot-write").arg("detail", error));
            }
        }
        for line in &lines {
            let key = key(line);
            let list = history.entry(key).or_default();
            let seen = match line.report.reach {
                Reach::Passes => Some(line.report.samples.quantile(0.5).unwrap_or_default()),
                _ => None,
            };
            list.push_back(seen);
            if list.len() > ROUNDS {
                list.pop_front();
            }
        }
        if output.terminal {
            output.data("\u{1b}[H\u{1b}[2J");
        }
        let text = view(&lines, &history, at, output);
        output.data(&text);
        if output.is_closed() || until.is_some_and(|until| Instant::now() + every > until) {
            break;
        }
        std::thread::sleep(every.saturating_sub(begun.elapsed()));
    }
    output.progress = progress;
    Ok(worst)
}

/// What makes a probe the same in another round.
fn key(line: &Line) -> String {
    format!("{} {} {} {}", line.requirement, line.kind, line.service, line.target)
}

fn view(
    lines: &[Line],
    history: &BTreeMap<String, VecDeque<Option<Duration>>>,
    at: i64,
    output: &Output<'_>,
) -> String {
    let mut out = format!("{}\n", output.dim(&time(at)));
    let name = |line: &Line| match line.requirement.as_str() {
        "" => output.lang.find(&format!("look-{}", line.kind)).unwrap_or_default(),
        id => id.to_string(),
    };
    let width = lines.iter().map(|l| name(l).chars().count()).max().unwrap_or(0);
    let wide = lines.iter().map(|l| l.target.chars().count().min(44)).max().unwrap_or(0);
    for line in lines.iter().filter(|l| !matches!(l.report.reach, Reach::Undecided(_))) {
        let key = key(line);
        let Some(list) = history.get(&key) else { continue };
        let target: String = shown(&line.target).chars().take(44).collect();
        let color = if line.report.reach == Reach::Passes { AnsiColor::Green } else { AnsiColor::Red };
        let lost = list.iter().filter(|s| s.is_none()).count();
        let _ = writeln!(
            out,
            "{:<width$}  {target:<wide$}  {}  {}  {}",
            name(line),
            output.paint(color, &spark(list)),
            times(&line.report.samples),
            output.lang.text(&Text::new("watch-lost").num("lost", lost).num("rounds", list.len()))
        );
    }
    out
}

/// Eight heights from the shortest to the longest time; a cross where nothing came back.
fn spark(list: &VecDeque<Option<Duration>>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let seen = || list.iter().flatten();
    let (least, most) =
        (seen().min().copied().unwrap_or_default(), seen().max().copied().unwrap_or_default());
    // Differences below a millisecond are noise.
    let span = (most - least).max(Duration::from_millis(1)).as_secs_f64();
    let bar = |time: &Option<Duration>| match time {
        None => '×',
        Some(time) => {
            let share = (*time - least).as_secs_f64() / span;
            BARS[((share * 7.0).round() as usize).min(7)]
        }
    };
    list.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_heights_and_gaps() {
        let ms = |n: u64| Some(Duration::from_millis(n));
        let list: VecDeque<_> = [ms(10), ms(80), None, ms(45)].into_iter().collect();
        assert_eq!(spark(&list), "▁█×▅");
        assert_eq!(spark(&[ms(3), ms(3)].into_iter().collect()), "▁▁");
    }
}
