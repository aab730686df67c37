//! `tillgate check`: what really passes, from where this host stands.

use super::json;
use super::live::{self, Line};
use crate::args::{Check, Format, Global};
use crate::formats::{Document, Report as Told};
use crate::output::Output;
use crate::{Environment, Result, document, load, report};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use tillgate_catalog::{Probe, Profile};
use tillgate_intent::{Flow, Intent, intent};
use tillgate_model::{Finding, Protocol, Text, Verdict};
use tillgate_probe::judge::{self, Standing};
use tillgate_probe::local::{self, Host};
use tillgate_probe::plan::{self, Place, Task};
use tillgate_probe::run::{self, Around};
use tillgate_probe::segment;
use tillgate_probe::surroundings::{self, Wanted};
use tillgate_probe::tls;

pub fn run(
    args: &Check,
    global: &Global,
    environment: &Environment,
    input: &mut dyn Read,
    output: &mut Output<'_>,
) -> Result {
    let host = match local::host() {
        Ok(host) => host,
        Err(error) => return output.fail(&Text::new("check-no-host-view").arg("detail", error)),
    };
    let own = own_addresses(&host);
    let addresses: Vec<IpAddr> = match args.address {
        // Evidence from an address of somebody else is none.
        Some(address) if !own.contains(&address) => {
            return output.fail(&Text::new("check-not-ours").arg("address", address));
        }
        Some(address) => vec![address],
        None => own,
    };
    if addresses.is_empty() {
        return output.fail(&Text::new("check-no-network"));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Text::new("check-no-host-view").arg("detail", error)),
    };
    let around = around(args, environment, &host, output)?;
    let Some(name) = &args.site else {
        return of_vendor(args, global, environment, &host, around, &runtime, output);
    };
    let (estate, library) = load::estate(global, environment, input, output)?;
    let site = super::site(&estate, name, output)?;
    let intent = intent(site, &library, output.today);
    let place = place(args, &intent, &addresses, output)?;
    if place.zone.is_none() && args.from.is_none() {
        let text = Text::new("check-outside").arg("site", name).arg("addresses", list(&addresses));
        return output.fail(&text);
    }
    let mut around = around;
    around.local.clone_from(&place.addresses);
    // The site says which resolvers its terminals use.
    let mut tasks = plan::tasks(&intent, &library, &place);
    let is_dns = |t: &&Task| t.kind == Probe::Dns;
    let mut of_site: Vec<SocketAddr> = tasks.iter().filter(is_dns).flat_map(live::addresses).collect();
    of_site.sort_unstable();
    of_site.dedup();
    tasks.extend(plan::resolvers(&args.resolver, false));
    let known = |a: &IpAddr| of_site.iter().any(|r| r.ip() == *a) || args.resolver.contains(a);
    let mut system: Vec<IpAddr> = host.resolvers.iter().chain(&host.behind_stub).map(|r| r.address).collect();
    system.retain(|a| !known(a) && !a.is_loopback());
    tasks.extend(plan::resolvers(&system, true));
    if args.resolver.is_empty() && !of_site.is_empty() {
        around.resolvers = of_site;
    }
    around.names = run::names(&tasks);
    if let Some(from) = &args.from {
        let seen = (&tasks[..], &around);
        return segmentation(args, from, (&intent, &place), seen, environment, &runtime, output);
    }
    let standing = match &place.device {
        Some(_) => Standing::Device,
        None => Standing::Stranger,
    };
    if !output.quiet {
        output.note(&standing_text(&intent, &place));
    }
    let wanted = wanted(args, ports_of(&intent, &place));
    let (tasks, all) = only(args, tasks);
    let work = Work {
        site: Some(name),
        tasks,
        all,
        wanted,
        around,
        host: &host,
        standing,
        place: Some((&intent, &place)),
        clock: environment.clock,
    };
    work.go(args, &runtime, output)
}

/// Addresses of this host that others can reach.
pub fn own_addresses(host: &Host) -> Vec<IpAddr> {
    let running = host.interfaces.iter().filter(|i| i.is_running && !i.is_loopback);
    let all = running.flat_map(|i| i.addresses.iter().map(|(address, _)| *address));
    all.filter(|a| match a {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    })
    .collect()
}

fn around(args: &Check, environment: &Environment, host: &Host, output: &mut Output<'_>) -> Result<Around> {
    let own = host.resolvers.iter().map(|r| r.address);
    let resolvers = match args.resolver.as_slice() {
        [] => own.collect(),
        given => given.to_vec(),
    };
    let mut extra_roots = Vec::new();
    for path in &args.roots {
        extra_roots.extend(live::certificates(path, output)?);
    }
    let reflector = match (args.reflector, &args.secret) {
        (Some(address), Some(path)) => Some((address, live::secret(path, output)?)),
        _ => None,
    };
    Ok(Around {
        resolvers: resolvers.into_iter().map(|a: IpAddr| SocketAddr::new(a, 53)).collect(),
        names: Vec::new(),
        local: args.address.into_iter().collect(),
        deadline: args.deadline,
        samples: args.samples,
        now: (environment.clock)(),
        extra_roots,
        system_roots: tls::system_roots(),
        nts: args.nts,
        reflector,
    })
}

/// Where this host stands; `--as` puts a declared device in its place.
fn place(args: &Check, intent: &Intent, addresses: &[IpAddr], output: &mut Output<'_>) -> Result<Place> {
    let Some(name) = &args.stand_in else { return Ok(Place::of(intent, addresses)) };
    let Some((_, _, family, ranges)) = intent.devices.iter().find(|(device, ..)| device == name) else {
        return output.fail(&Text::new("check-no-device").arg("device", name).arg("site", &intent.site));
    };
    let place = Place::of_device(intent, name, addresses);
    // The firewall knows a terminal by its address: without it nothing of it can be measured.
    if place.addresses.is_empty() {
        let own = ranges.first().map(|bits| tillgate_model::address_from_bits(*family, bits));
        let text = Text::new("check-not-its-address")
            .arg("device", name)
            .arg("address", own.map(|a| a.to_string()).unwrap_or_default());
        return output.fail(&text);
    }
    Ok(place)
}

fn segment_of<'a>(intent: &'a Intent, place: &Place) -> Option<&'a str> {
    place.zone.and_then(|at| intent.topology.zones.get(at)).map(|zone| zone.name.as_str())
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn standing_text(intent: &Intent, place: &Place) -> Text {
    let (segment, address) = (segment_of(intent, place).unwrap_or_default(), list(&place.addresses));
    match &place.device {
        Some(device) => {
            Text::new("check-stands-as").arg("segment", segment).arg("device", device).arg("address", address)
        }
        None => Text::new("check-stands-apart").arg("segment", segment).arg("address", address),
    }
}

/// Ports that something on this host must be able to listen on: those of flows that end at it.
fn ports_of(intent: &Intent, place: &Place) -> Vec<(Protocol, u16)> {
    let to_us = |flow: &&Flow| {
        let own = place.address(flow.family).map(tillgate_model::address_bits);
        flow.needed
            && flow.destination_needed.as_slice().len() <= 4
            && own.is_some_and(|own| flow.destination_needed.contains(own))
    };
    let mut ports: Vec<(Protocol, u16)> = intent
        .flows
        .iter()
        .filter(to_us)
        .filter_map(|flow| Some((flow.protocol?, flow.ports.as_ref()?)))
        .flat_map(|(protocol, ports)| {
            let all = ports.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi).take(16);
            all.filter_map(move |port| Some((protocol, u16::try_from(port).ok()?)))
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn wanted(args: &Check, ports: Vec<(Protocol, u16)>) -> Wanted {
    let asked = |kind: &str| args.only.is_empty() || args.only.iter().any(|k| k == kind);
    Wanted {
        portal: asked("portal"),
        path: asked("path"),
        ports: if asked("conflict") { ports } else { Vec::new() },
        program: args.program.clone(),
        silences: args.idle.clone(),
    }
}

/// The tasks asked for, and all of them for what looks at one of their destinations.
fn only(args: &Check, all: Vec<Task>) -> (Vec<Task>, Vec<Task>) {
    let asked = |t: &&Task| args.only.is_empty() || args.only.iter().any(|k| k == t.kind.name());
    (all.iter().filter(asked).cloned().collect(), all)
}

/// The first minute of a visit: what a vendor's terminals need in any network.
fn of_vendor(
    args: &Check,
    global: &Global,
    environment: &Environment,
    host: &Host,
    around: Around,
    runtime: &tokio::runtime::Runtime,
    output: &mut Output<'_>,
) -> Result {
    let library = load::library(global.estate.as_deref(), output)?;
    let vendor = args.of_vendor.as_deref().unwrap_or("clover");
    let Some(catalog) = library.catalog(vendor) else {
        return output.fail(&Text::new("unknown-catalog").arg("id", vendor));
    };
    let resolvers: Vec<IpAddr> = around.resolvers.iter().map(|r| r.ip()).collect();
    if resolvers.is_empty() {
        output.note(&Text::new("check-no-resolver"));
    }
    let tasks = plan::of_vendor(&catalog.requirements, &resolvers, Profile::Minimal);
    let around = Around { names: run::names(&tasks), ..around };
    let (tasks, all) = only(args, tasks);
    let wanted = wanted(args, Vec::new());
    let work = Work {
        site: None,
        tasks,
        all,
        wanted,
        around,
        host,
        standing: Standing::Device,
        place: None,
        clock: environment.clock,
    };
    work.go(args, runtime, output)
}

/// One check, ready to run as often as wanted.
struct Work<'a> {
    site: Option<&'a str>,
    tasks: Vec<Task>,
    /// The tasks nobody asked for too.
    all: Vec<Task>,
    wanted: Wanted,
    around: Around,
    host: &'a Host,
    standing: Standing,
    place: Option<(&'a Intent, &'a Place)>,
    clock: fn() -> i64,
}

impl Work<'_> {
    fn go(&self, args: &Check, runtime: &tokio::runtime::Runtime, output: &mut Output<'_>) -> Result {
        if args.watch || args.every.is_some() {
            return live::watch(args, self.clock, output, |output| {
                let (lines, findings) = self.once(runtime, output);
                self.still_here(output)?;
                let verdict = self.verdict(&lines, &findings, args);
                if let Some(path) = &args.metrics {
                    live::metrics(path, self.site, &lines, &findings, (self.clock)(), output)?;
                }
                let document = self.document(&lines, &findings, verdict, output);
                Ok(live::Round { lines, verdict, document })
            });
        }
        let (lines, findings) = self.once(runtime, output);
        self.still_here(output)?;
        self.tell(&lines, &findings, args, output)
    }

    fn once(&self, runtime: &tokio::runtime::Runtime, output: &mut Output<'_>) -> (Vec<Line>, Vec<Finding>) {
        let bar = match output.progress {
            true => ProgressBar::new(self.tasks.iter().map(|t| t.targets.len().max(1) as u64).sum()),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        // A long run judges certificates by the time of each round.
        let around = Around { now: (self.clock)(), ..self.around.clone() };
        let (probed, looks) = runtime.block_on(async {
            let probed = run::run(&self.tasks, &around, |_| bar.inc(1)).await;
            // Where no secured destination was measured, one of those that were not asked for is looked at.
            let is_secured = |task: &Task| task.kind == Probe::Tls;
            let (tasks, known) = match self.tasks.iter().any(is_secured) {
                true => (&self.tasks, &probed[..]),
                false => (&self.all, &[][..]),
            };
            let looks = surroundings::look(tasks, known, &around, self.host, &self.wanted).await;
            (probed, looks)
        });
        bar.finish_and_clear();
        let findings = judge::judge(&self.tasks, &probed, &looks, self.standing);
        (live::lines(&self.tasks, &probed, &looks), findings)
    }

    /// What was measured from an address that this host no longer has says nothing.
    fn still_here(&self, output: &mut Output<'_>) -> Result<()> {
        let now = local::host().map(|host| own_addresses(&host)).unwrap_or_default();
        match self.around.local.iter().find(|own| !now.contains(own)) {
            Some(gone) => output.fail(&Text::new("check-address-gone").arg("address", gone)),
            None => Ok(()),
        }
    }

    fn tell(&self, lines: &[Line], findings: &[Finding], args: &Check, output: &mut Output<'_>) -> Result {
        let verdict = self.verdict(lines, findings, args);
        if let Some(path) = &args.metrics {
            live::metrics(path, self.site, lines, findings, (self.clock)(), output)?;
        }
        if let Some(mut document) = Document::of(output.format, args.fail_on) {
            document.begin(output);
            document.add(&Told { site: self.site, verdict: Some(verdict), findings, error: None }, output);
            document.end(output);
        } else if output.format == Format::Json {
            let value = self.document(lines, findings, verdict, output);
            output.data(&json(&value));
        } else {
            let table = live::table(lines, output);
            output.data(&table);
            output.line("");
            let text = report::findings(findings, output);
            output.data(&text);
            let decided = lines.iter().filter(|l| l.is_decided()).count();
            let text = Text::new("check-measured").num("decided", decided).num("all", lines.len());
            output.line(&output.lang.text(&text));
            let line = report::verdict(self.site.or(args.of_vendor.as_deref()), verdict, findings, output);
            output.line(&line);
        }
        Ok(verdict.exit_code())
    }

    /// Where nothing was found out, nothing holds.
    fn verdict(&self, lines: &[Line], findings: &[Finding], args: &Check) -> Verdict {
        let verdict = Verdict::of(findings, args.fail_on);
        match lines.iter().any(Line::is_decided) {
            true => verdict,
            false => verdict.max(Verdict::Undecided),
        }
    }

    fn document(
        &self,
        lines: &[Line],
        findings: &[Finding],
        verdict: Verdict,
        output: &Output<'_>,
    ) -> serde_json::Value {
        let mut value = document::findings(self.site, verdict, findings, &output.lang);
        value["schema"] = "tillgate.check/1".into();
        value["time"] = live::time((self.clock)()).into();
        value["host"] = self.host_json();
        value["probes"] = lines.iter().map(|line| live::document(line, &output.lang)).collect();
        value
    }

    fn host_json(&self) -> serde_json::Value {
        match self.place {
            Some((intent, place)) => serde_json::json!({
                "segment": segment_of(intent, place),
                "device": place.device,
                "address": place.addresses.first().map(ToString::to_string),
                "addresses": place.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
            None => serde_json::json!({"segment": null, "device": null, "address": null, "addresses": []}),
        }
    }
}

/// The segmentation test: what must not pass from where this host stands.
fn segmentation(
    args: &Check,
    from: &str,
    (intent, place): (&Intent, &Place),
    (tasks, around): (&[Task], &Around),
    environment: &Environment,
    runtime: &tokio::runtime::Runtime,
    output: &mut Output<'_>,
) -> Result {
    let Some(zone) = intent.topology.zones.iter().position(|z| z.name == from) else {
        return output.fail(&Text::new("unknown-segment").arg("segment", from));
    };
    // Evidence from the wrong place is none.
    if place.zone != Some(zone) {
        let text = match segment_of(intent, place) {
            Some(here) => Text::new("check-not-in-segment").arg("segment", from).arg("here", here),
            None => Text::new("check-in-no-segment").arg("segment", from),
        };
        return output.fail(&text);
    }
    let outside = runtime.block_on(run::addresses(tasks, around));
    let attempts = segment::attempts(intent, place, &outside);
    output.note(&Text::new("segment-trying").num("count", attempts.len()).arg("segment", from));
    let begun = (environment.clock)();
    let tried = runtime.block_on(segment::run(&attempts, place, args.deadline));
    let findings = segment::judge(intent, place, &tried);
    let verdict = Verdict::of(&findings, args.fail_on);
    if let Some(mut document) = Document::of(output.format, args.fail_on) {
        document.begin(output);
        document.add(
            &Told { site: Some(&intent.site), verdict: Some(verdict), findings: &findings, error: None },
            output,
        );
        document.end(output);
    } else if output.format == Format::Json {
        let mut value = document::findings(Some(&intent.site), verdict, &findings, &output.lang);
        value["schema"] = "tillgate.segmentation/1".into();
        value["from"] = serde_json::json!({"segment": from, "addresses": place.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), "device": place.device});
        value["begun"] = live::time(begun).into();
        value["ended"] = live::time((environment.clock)()).into();
        value["tried"] = tried.iter().map(live::tried).collect();
        output.data(&json(&value));
    } else {
        let table = live::segment_table(&tried, from, &list(&place.addresses), begun, output);
        output.data(&table);
        output.line("");
        let text = report::findings(&findings, output);
        output.data(&text);
        let line = report::verdict(Some(&intent.site), verdict, &findings, output);
        output.line(&line);
    }
    Ok(verdict.exit_code())
}
