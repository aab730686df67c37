//! Runs many probes of one kind or several and says what they cost, to measure the probes alone:
//! `probes COUNT AT_ONCE KIND:ADDRESS… [name=NAME] [ca=FILE]`, the kinds `tcp`, `http`, `tls`, `assess`, `ntp` and `sip`
//! with a socket address, in turn; or `probes COUNT 1 holders:PORT,…`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tillgate_model::Protocol;
use tillgate_probe::outcome::{Detail, Reach, Report};
use tillgate_probe::tls::{CertificateDer, Expect, Handshake};
use tillgate_probe::{conflict, http, ntp, run, sip, tcp, tls};
use tokio::task::JoinSet;

/// For each probe.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Clone)]
enum Target {
    Server(String, SocketAddr),
    Ports(Vec<(Protocol, u16)>),
}

/// What the probes share.
struct Around {
    targets: Vec<Target>,
    name: String,
    extra_roots: Vec<CertificateDer<'static>>,
    system_roots: Arc<[CertificateDer<'static>]>,
    now: i64,
}

#[derive(Default)]
struct Tally {
    reach: BTreeMap<&'static str, usize>,
    longest: Duration,
    last: Option<Report>,
}

impl Tally {
    fn add(&mut self, (report, time): (Report, Duration)) {
        *self.reach.entry(report.reach.name()).or_default() += 1;
        self.longest = self.longest.max(time);
        self.last = Some(report);
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((count, at_once, around)) = read(&words) else {
        println!("usage: probes COUNT AT_ONCE KIND:ADDRESS… [name=NAME] [ca=FILE]");
        return ExitCode::from(2);
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let around = Arc::new(around);
    let before = cpu();
    let begin = Instant::now();
    let tally = runtime.block_on(all(count, at_once, &around));
    let (wall, spent) = (begin.elapsed(), cpu().saturating_sub(before));
    println!("probes={count}");
    println!("cpu_us={:.1}", spent.as_secs_f64() * 1e6 / count.max(1) as f64);
    println!("wall_us={:.1}", wall.as_secs_f64() * 1e6 / count.max(1) as f64);
    println!("longest_ms={:.1}", tally.longest.as_secs_f64() * 1e3);
    println!("peak_kb={}", peak());
    for (reach, times) in &tally.reach {
        println!("{reach}={times}");
    }
    // One probe is asked for what it says, many for what they cost.
    if let Some(report) = tally.last.filter(|_| count == 1) {
        for fault in &report.faults {
            println!("fault={} {}", fault.id, fault.text.id);
        }
        for (key, value) in &report.details {
            match value {
                Detail::Text(text) => println!("{key}={text}"),
                Detail::Number(number) => println!("{key}={number}"),
                Detail::Flag(flag) => println!("{key}={flag}"),
                Detail::List(list) => println!("{key}={}", list.join(" ")),
            }
        }
    }
    ExitCode::SUCCESS
}

async fn all(count: usize, at_once: usize, around: &Arc<Around>) -> Tally {
    let mut tally = Tally::default();
    let mut under_way = JoinSet::new();
    for number in 0..count {
        let Some(target) = around.targets.get(number % around.targets.len().max(1)).cloned() else { break };
        if at_once <= 1 {
            let begin = Instant::now();
            let report = one(&target, around).await;
            tally.add((report, begin.elapsed()));
            continue;
        }
        if under_way.len() >= at_once
            && let Some(Ok(ended)) = under_way.join_next().await
        {
            tally.add(ended);
        }
        let around = Arc::clone(around);
        under_way.spawn(async move {
            let begin = Instant::now();
            (one(&target, &around).await, begin.elapsed())
        });
    }
    while let Some(ended) = under_way.join_next().await {
        if let Ok(ended) = ended {
            tally.add(ended);
        }
    }
    tally
}

async fn one(target: &Target, around: &Around) -> Report {
    let (kind, address) = match target {
        Target::Server(kind, address) => (kind.as_str(), *address),
        Target::Ports(ports) => return held(ports),
    };
    let name = around.name.clone();
    let shake = || Handshake {
        address,
        name: name.clone(),
        expect: Expect::Public,
        pins: Vec::new(),
        extra_roots: around.extra_roots.clone(),
        system_roots: around.system_roots.clone(),
        now: around.now,
        samples: 1,
        deadline: DEADLINE,
        local: None,
    };
    match kind {
        "tcp" => {
            let probe = tcp::Connect { address, samples: 1, deadline: DEADLINE, local: None, device: None };
            tcp::check(&probe).await
        }
        "http" => {
            let fetch = http::Fetch {
                address,
                host: if name.is_empty() { address.ip().to_string() } else { name },
                path: "/".into(),
                expect: http::Expect::Any,
                follow: 0,
                samples: 1,
                deadline: DEADLINE,
                local: None,
            };
            http::fetch(&fetch, |_| async { None::<IpAddr> }).await
        }
        "tls" => tls::check(&shake()).await,
        "assess" => tls::assess(&shake()).await,
        "ntp" => {
            let interval = Duration::from_millis(20);
            let ask = ntp::Ask { interval, deadline: DEADLINE, ..ntp::Ask::new(address) };
            ntp::check(&ask).await.0
        }
        _ => {
            let options = sip::Options {
                server: address,
                name,
                transport: sip::Transport::Udp,
                samples: 1,
                deadline: DEADLINE,
                local: None,
            };
            sip::check(&options).await
        }
    }
}

fn held(ports: &[(Protocol, u16)]) -> Report {
    let Ok(holders) = conflict::holders(ports) else { return Report::of(Reach::Silent) };
    let mut report = Report::of(Reach::Passes);
    report.number("found", holders.len() as f64);
    report.number("named", holders.iter().filter(|holder| holder.program.is_some()).count() as f64);
    report
}

fn read(words: &[String]) -> Option<(usize, usize, Around)> {
    let [count, at_once, rest @ ..] = words else { return None };
    let mut around = Around {
        targets: Vec::new(),
        name: String::new(),
        extra_roots: Vec::new(),
        system_roots: [].into(),
        now: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?,
    };
    for word in rest {
        if let Some(name) = word.strip_prefix("name=") {
            around.name = name.to_owned();
        } else if let Some(path) = word.strip_prefix("ca=") {
            around.extra_roots = run::pem_certificates(&std::fs::read_to_string(path).ok()?);
        } else if let Some(ports) = word.strip_prefix("holders:") {
            let ports = ports.split(',').map(|port| Some((Protocol::TCP, port.parse().ok()?)));
            around.targets.push(Target::Ports(ports.collect::<Option<_>>()?));
        } else {
            let (kind, address) = word.split_once(':')?;
            let is_known = ["tcp", "http", "tls", "assess", "ntp", "sip"].contains(&kind);
            around.targets.push(Target::Server(is_known.then(|| kind.to_owned())?, address.parse().ok()?));
            if matches!(kind, "tls" | "assess") && around.system_roots.is_empty() {
                around.system_roots = tls::system_roots();
            }
        }
    }
    Some((count.parse().ok()?, at_once.parse().ok()?, around))
        .filter(|(.., around)| !around.targets.is_empty())
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    })
}

/// The most memory this process held, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
