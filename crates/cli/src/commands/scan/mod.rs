//! `tillgate scan`: who is on the declared segments, what is open there, and what changed since the baseline.

mod look;
mod ports;
mod privileges;
mod services;
mod store;
mod targets;
mod told;

use super::check::own_addresses;
use crate::args::{Engine, Global, Scan};
use crate::output::Output;
use crate::{Environment, Result, load};
use indicatif::{ProgressBar, ProgressStyle};
use look::{How, Seen};
use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use targets::Target;
use tillgate_estate::Site;
use tillgate_intent::{Intent, intent};
use tillgate_model::{Finding, FindingId, Proof, Subject, Text, Verdict};
use tillgate_probe::local::{self, Host};
use tillgate_scan::baseline::{self, Change};
use tillgate_scan::observed::{self, Note, PortSpan, Segment, Transport};
use tillgate_scan::ports::Outcome;
use tillgate_scan::vendor::Vendors;
use tillgate_scan::{judge, nmap};

/// A scan with all that is said of it.
pub struct Told<'a> {
    pub site: &'a Site,
    pub scan: observed::Scan,
    /// How it was measured; `None` for what nmap saw.
    pub measured: Option<Measured>,
    /// Why it is incomplete.
    pub gaps: Vec<Text>,
    /// What limits what it says.
    pub notes: Vec<Text>,
    /// What changed, and since when; `None` without a baseline or with its first scan.
    pub changes: Option<(i64, Vec<Change>)>,
    pub findings: Vec<Finding>,
    pub verdict: Verdict,
}

/// Figures of a scan of our own.
pub struct Measured {
    pub engine: &'static str,
    pub outcome: Outcome,
    pub ports: usize,
    pub took: Duration,
}

/// What was seen, by this program or by nmap, before it is judged.
struct Observed {
    scan: observed::Scan,
    measured: Option<Measured>,
    gaps: Vec<Text>,
    notes: Vec<Text>,
    findings: Vec<Finding>,
}

pub fn run(
    args: &Scan,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    let (estate, library) = load::estate(global, environment, input, output)?;
    let site = super::site(&estate, &args.site, output)?;
    let intent = intent(site, &library, output.today);
    let history = match &args.baseline {
        Some(path) => store::read(path, output)?,
        None => Vec::new(),
    };
    let seen = match args.import.is_empty() {
        true => measure(args, site, &intent, environment, input, output)?,
        false => imported(args, site, input, output)?,
    };
    let told = judged(args, site, &intent, &history, seen);
    // First of all what was seen, whatever becomes of the files.
    told::tell(&told, args, output);
    if let Some(path) = &args.metrics {
        told::metrics(path, &told, output)?;
    }
    if let Some(path) = &args.baseline {
        let is_known = history.iter().any(|s| s.site == told.scan.site && s.at == told.scan.at);
        match (told.scan.is_complete, is_known) {
            (true, false) => store::append(path, &told.scan, output)?,
            (true, true) => output.note(&Text::new("scan-known-already").arg("name", path.display())),
            (false, _) => output.note(&Text::new("scan-not-kept").arg("name", path.display())),
        }
    }
    Ok(told.verdict.exit_code())
}

/// Looks at the segments from this host.
fn measure(
    args: &Scan,
    site: &Site,
    intent: &Intent,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result<Observed> {
    let host = match local::host() {
        Ok(host) => host,
        Err(error) => return output.fail(&Text::new("check-no-host-view").arg("detail", error)),
    };
    // What may not be asked is refused wherever this host stands.
    for asked in &args.segment {
        targets::declared_range(asked, site, output)?;
    }
    if own_addresses(&host).is_empty() {
        return output.fail(&Text::new("check-no-network"));
    }
    let (targets, mut notes) = targets::choose(args, site, &host, output)?;
    targets::consent(args, &targets, environment, input, output)?;
    if args.engine == Some(Engine::Raw) && !host.capabilities.net_raw {
        return output.fail(&Text::new("scan-capability"));
    }
    let ports = args.ports.as_ref().map_or_else(|| ports::usual(intent), |ports| ports.0.clone());
    let how = How { ports, is_fast: args.fast, deadline: args.time_limit };
    let at = (environment.clock)();
    let clock = Clock::start(args.time_limit);
    let bar = spinner(output);
    let looked = look(args, site, &targets, &how, &host, &bar, output);
    bar.finish_and_clear();
    let (engine, mut seen) = match looked {
        Ok(looked) => looked,
        Err(text) => return output.fail(&text),
    };

    let asked = ask(args, &targets, &mut seen, clock.left(), at, output)?;
    notes.append(&mut seen.notes);
    let mut scan = observed::Scan::new(&site.name, at);
    let from = targets.iter().find(|t| t.interface.is_some()).map(|t| t.segment.name.clone());
    scan.from = from.or_else(|| standing(site, &host));
    scan.scanner = own_addresses(&host);
    scan.segments = seen.segments;
    scan.asked = how
        .ports
        .iter()
        .map(|port| PortSpan { protocol: Transport::Tcp, first: *port, last: *port })
        .chain(asked.spans)
        .collect();
    scan.devices = seen.devices;
    // An engine knows what was left to it of the time, not what the user gave.
    let limit = Text::new("scan-gap-deadline").num("seconds", args.time_limit.as_secs() as usize);
    let own = |gap: &Text| if gap.id == limit.id { limit.clone() } else { gap.clone() };
    let mut gaps: Vec<Text> = seen.outcome.gaps.iter().map(own).collect();
    gaps.dedup();
    gaps.extend(asked.gaps);
    scan.is_complete = seen.outcome.is_complete && gaps.is_empty();
    let ports = how.ports.len();
    let measured = Some(Measured { engine, outcome: seen.outcome, ports, took: clock.passed() });
    Ok(Observed { scan, measured, gaps, notes, findings: Vec::new() })
}

/// By frames of our own where that is possible and wanted, else by the system's connections.
fn look(
    args: &Scan,
    site: &Site,
    targets: &[Target<'_>],
    how: &How,
    host: &Host,
    bar: &ProgressBar,
    output: &mut Output<'_>,
) -> std::result::Result<(&'static str, Seen), Text> {
    let vendors = Vendors::system();
    let texts = &output.lang;
    let say = |text: Text| bar.set_message(texts.text(&text));
    #[cfg(target_os = "linux")]
    if args.engine != Some(Engine::Connect) && host.capabilities.net_raw {
        let seen = std::thread::scope(|scope| {
            let looking = scope.spawn(|| look::raw(site, targets, how, &vendors, &say));
            // That thread has its own from here on; everything else goes on without.
            privileges::give_up();
            looking.join()
        });
        match seen {
            Ok(Ok(seen)) => return Ok(("raw", seen)),
            // A container may promise what its host does not keep.
            Ok(Err(tillgate_scan::link::Error::Capability)) if args.engine.is_none() => {}
            Ok(Err(error)) => return Err(error.text()),
            Err(_) => return Err(Text::new("scan-system").arg("detail", "panic")),
        }
    }
    let is_chosen = args.engine == Some(Engine::Connect);
    let seen = look::connect(site, targets, how, is_chosen, &vendors, &say);
    if !is_chosen {
        output.note(&Text::new("scan-capability"));
    }
    seen.map(|seen| ("connect", seen)).map_err(|error| Text::new("scan-system").arg("detail", error))
}

fn ask(
    args: &Scan,
    targets: &[Target<'_>],
    seen: &mut Seen,
    left: Duration,
    at: i64,
    output: &mut Output<'_>,
) -> Result<services::Asked> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Text::new("scan-system").arg("detail", error)),
    };
    let bar = spinner(output);
    let texts = &output.lang;
    let tick = |done: usize, all: usize| {
        bar.set_message(texts.text(&Text::new("scan-services").num("done", done).num("count", all)));
    };
    let datagrams = if args.datagrams { ports::datagrams() } else { Vec::new() };
    let may = |address: IpAddr| targets.iter().any(|t| t.holds(address));
    let question = services::Questions { is_wanted: !args.no_services, datagrams: &datagrams, left, at };
    let asked = runtime.block_on(services::ask(&mut seen.devices, &seen.outcome, &question, may, tick));
    bar.finish_and_clear();
    Ok(asked)
}

/// What nmap saw.
fn imported(args: &Scan, site: &Site, input: &mut dyn Read, output: &mut Output<'_>) -> Result<Observed> {
    let mut all: Option<observed::Scan> = None;
    let (mut gaps, mut findings, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for path in &args.import {
        let file = load::text_file(path, input, output)?;
        let read = match nmap::read(&file, &site.name) {
            Ok(read) => read,
            Err(error) => {
                output.diagnostics(&[*error])?;
                return Err(crate::Failed(2));
            }
        };
        output.diagnostics(&read.diagnostics)?;
        gaps.extend(read.scan.notes.iter().filter_map(of_nmap));
        let inside = |address: &IpAddr| {
            site.segments.iter().any(|s| [s.subnet, s.subnet6].iter().flatten().any(|n| n.contains(address)))
        };
        let mut scan = read.scan;
        let before = scan.devices.len();
        scan.devices.retain(|device| device.addresses.iter().any(inside));
        if scan.devices.len() < before {
            notes.push(Text::new("scan-import-outside").num("count", before - scan.devices.len()));
        }
        let known = read.vulnerabilities.iter().filter(|v| inside(&v.address));
        findings.extend(known.map(nmap::Vulnerability::finding));
        all = Some(match all {
            None => scan,
            Some(mut first) => {
                first.at = first.at.min(scan.at);
                first.is_complete &= scan.is_complete;
                first.devices.extend(scan.devices);
                first.asked.retain(|span| scan.asked.contains(span));
                first
            }
        });
    }
    let mut scan = all.unwrap_or_else(|| observed::Scan::new(&site.name, 0));
    scan.notes = Vec::new();
    // Whether all of a segment was asked, only who ran nmap knows.
    for asked in &args.segment {
        let (segment, prefixes) = targets::declared_range(asked, site, output)?;
        let is_complete = segment.name == *asked;
        scan.segments.push(Segment { name: segment.name.clone(), prefixes, is_complete });
    }
    let named: Vec<String> = scan.segments.iter().map(|s| s.name.clone()).collect();
    for segment in site.segments.iter().filter(|s| !named.contains(&s.name)) {
        let prefixes: Vec<_> = [segment.subnet, segment.subnet6].into_iter().flatten().collect();
        let is_seen =
            scan.devices.iter().flat_map(|d| &d.addresses).any(|a| prefixes.iter().any(|p| p.contains(a)));
        if is_seen {
            scan.segments.push(Segment { name: segment.name.clone(), prefixes, is_complete: false });
            notes.push(Text::new("scan-import-part").arg("segment", &segment.name));
        }
    }
    scan.is_complete &= gaps.is_empty();
    Ok(Observed { scan, measured: None, gaps, notes, findings })
}

/// A note of nmap's reader as the text it came from.
fn of_nmap(note: &Note) -> Option<Text> {
    let address = note.arguments.get("address").cloned().unwrap_or_default();
    match note.id.as_str() {
        "nmap-unfinished" => Some(Text::new("nmap-unfinished")),
        "nmap-timed-out" => Some(Text::new("nmap-timed-out").arg("address", address)),
        _ => None,
    }
}

fn judged<'a>(
    args: &Scan,
    site: &'a Site,
    intent: &Intent,
    history: &[observed::Scan],
    seen: Observed,
) -> Told<'a> {
    let Observed { mut scan, measured, gaps, notes, mut findings } = seen;
    scan.notes.extend(gaps.iter().chain(&notes).map(Note::from));
    scan.place();
    scan.sort();
    baseline::carry_first(history, &mut scan);
    let earlier = history.iter().filter(|s| s.site == scan.site && s.at < scan.at).map(|s| s.at).max();
    let changes = earlier.map(|at| (at, baseline::drift(history, &scan, &judge::declared(site))));
    findings.extend(judge::judge(site, intent, &scan));
    if !scan.is_complete {
        let why = gaps.first().cloned().unwrap_or_else(|| Text::new("scan-gap-unknown"));
        let text = Text::new("finding-scan-incomplete").text("reason", why);
        findings
            .push(Finding::new(FindingId::ScanIncomplete, Subject::default(), text).proof(Proof::Possible));
    }
    Finding::sort(&mut findings);
    findings.dedup();
    let verdict = match Verdict::of(&findings, args.fail_on) {
        // What was not seen holds nothing.
        Verdict::Holds if !scan.is_complete => Verdict::Undecided,
        verdict => verdict,
    };
    Told { site, scan, measured, gaps, notes, changes, findings, verdict }
}

/// The segment this host stands in, scanned or not.
fn standing(site: &Site, host: &Host) -> Option<String> {
    let own = own_addresses(host);
    let here = |s: &&tillgate_estate::Segment| {
        own.iter().any(|a| [s.subnet, s.subnet6].iter().flatten().any(|n| n.contains(a)))
    };
    site.segments.iter().find(here).map(|s| s.name.clone())
}

fn spinner(output: &Output<'_>) -> ProgressBar {
    if !output.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// The time a scan may take.
pub struct Clock {
    begun: Instant,
    limit: Duration,
}

impl Clock {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "the deadline of the whole scan")]
    pub fn start(limit: Duration) -> Clock {
        Clock { begun: Instant::now(), limit }
    }

    /// How long it has taken.
    pub fn passed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long it may take yet.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.passed())
    }
}
