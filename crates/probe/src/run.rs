//! The tasks of a place, all at once: each with a deadline of its own, none waiting for another.

use crate::dns;
use crate::http::{self, Expect as Page, Fetch};
use crate::ntp::{self, Offset};
use crate::outcome::{Reach, Report};
use crate::plan::{Target, Task};
use crate::reflect;
use crate::sip::{self, Transport};
use crate::tcp::{self, Connect};
use crate::tls::{self, CertificateDer, Expect, Handshake};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tillgate_catalog::{Encryption, Probe};
use tillgate_model::{Family, Protocol, Text};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What every probe of a run shares.
#[derive(Clone)]
pub struct Around {
    /// The resolvers that names are asked of, the first that answers counts.
    pub resolvers: Vec<SocketAddr>,
    /// The address to ask from.
    pub local: Option<IpAddr>,
    /// For each probe.
    pub deadline: Duration,
    /// Attempts of each probe.
    pub samples: u32,
    /// Seconds since 1970, for certificates.
    pub now: i64,
    /// Certificates that count as public roots beside the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Certificates that this host trusts.
    pub system_roots: Arc<[CertificateDer<'static>]>,
    /// A reflector that answers on the ports of a range, and the secret shared with it.
    pub reflector: Option<(IpAddr, [u8; 32])>,
}

/// One probe and what it saw.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Index of its task.
    pub task: usize,
    /// Who was asked; `None` where nobody was to ask.
    pub target: Option<Target>,
    /// At which address.
    pub address: Option<IpAddr>,
    /// The transport, where a task has several.
    pub transport: Option<&'static str>,
    /// What it saw.
    pub report: Report,
    /// The offset a time server gave.
    pub offset: Option<Offset>,
}

/// The certificates of a PEM text.
pub fn pem_certificates(text: &str) -> Vec<CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::pem_slice_iter(text.as_bytes())
        .filter_map(Result::ok)
        .map(CertificateDer::into_owned)
        .collect()
}

/// Probes under way at the same time: each holds one descriptor or a few.
const MOST_AT_ONCE: usize = 256;

/// Runs all tasks; `done` is told of each probe that ended. The results are in the order of tasks and targets.
pub async fn run(tasks: &[Task], around: &Around, mut done: impl FnMut(&Probed)) -> Vec<Probed> {
    let around = Arc::new(around.clone());
    let gate = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let names: Arc<Vec<String>> = Arc::new(names(tasks));
    let mut set: JoinSet<((usize, usize), Probed)> = JoinSet::new();
    let mut out: BTreeMap<(usize, usize), Probed> = BTreeMap::new();
    for (at, task) in tasks.iter().enumerate() {
        let jobs = jobs(task, &around);
        if jobs.is_empty() {
            let report = Report::of(Reach::Undecided(no_target(task)));
            let probed =
                Probed { task: at, target: None, address: None, transport: None, report, offset: None };
            done(&probed);
            out.insert((at, 0), probed);
        }
        for (place, job) in jobs.into_iter().enumerate() {
            let (around, gate, names, task) =
                (Arc::clone(&around), Arc::clone(&gate), Arc::clone(&names), task.clone());
            set.spawn(async move {
                let _permit = gate.acquire().await;
                ((at, place), one(at, &task, job, &around, &names).await)
            });
        }
    }
    while let Some(joined) = set.join_next().await {
        // A probe that panics is a fault of ours, and takes no other with it.
        let Ok((key, probed)) = joined else { continue };
        done(&probed);
        out.insert(key, probed);
    }
    out.into_values().collect()
}

/// A clock is asked this often: the sample with the shortest way counts.
const LEAST_TIMES: u32 = 4;
const BETWEEN_TIMES: Duration = Duration::from_millis(400);

/// One target of a task.
struct Job {
    target: Option<Target>,
    transport: Option<Transport>,
}

fn jobs(task: &Task, around: &Around) -> Vec<Job> {
    let one = |target: &Target| Job { target: Some(target.clone()), transport: None };
    match task.kind {
        Probe::None | Probe::Dhcp => Vec::new(),
        Probe::Udp if around.reflector.is_some() => vec![Job { target: None, transport: None }],
        Probe::Udp => Vec::new(),
        Probe::Sip => {
            let transports: &[Transport] = match task.protocol {
                Protocol::TCP => &[Transport::Tcp],
                _ => &[Transport::Udp],
            };
            let all = task.targets.iter().flat_map(|target| {
                transports.iter().map(|t| Job { target: Some(target.clone()), transport: Some(*t) })
            });
            all.collect()
        }
        _ => task.targets.iter().map(one).collect(),
    }
}

/// Why there is nobody to ask.
fn no_target(task: &Task) -> Text {
    match task.kind {
        Probe::None => Text::new("check-not-measurable"),
        Probe::Dhcp => Text::new("check-dhcp"),
        Probe::Udp => Text::new("check-no-reflector").arg("ports", tillgate_model::format_ports(&task.ports)),
        _ => Text::new("check-no-host"),
    }
}

/// The names a resolver must know: those of all tasks.
fn names(tasks: &[Task]) -> Vec<String> {
    let mut names: Vec<String> = tasks
        .iter()
        .flat_map(|t| &t.targets)
        .filter_map(|t| match t {
            Target::Name(name) => Some(name.clone()),
            Target::Address(_) => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

async fn one(at: usize, task: &Task, job: Job, around: &Around, names: &[String]) -> Probed {
    let transport = job.transport.map(|t| match t {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
    });
    let probed = |address: Option<IpAddr>, report: Report, offset: Option<Offset>| Probed {
        task: at,
        target: job.target.clone(),
        address,
        transport,
        report,
        offset,
    };
    let Some(target) = &job.target else {
        let report = reflected(task, around).await;
        return probed(around.reflector.map(|(address, _)| address), report, None);
    };
    let address = match target {
        Target::Address(address) => *address,
        Target::Name(name) => match resolve(name, task.family, around).await {
            Ok(address) => address,
            // What is wrong with the resolver is its own probe's to say.
            Err(why) => return probed(None, Report::of(Reach::Undecided(why)), None),
        },
    };
    let name = match target {
        Target::Name(name) => name.clone(),
        Target::Address(address) => address.to_string(),
    };
    let server = SocketAddr::new(address, task.port());
    let (report, offset) = match task.kind {
        Probe::Ntp => {
            let ask = ntp::Ask {
                samples: around.samples.max(LEAST_TIMES),
                interval: BETWEEN_TIMES,
                deadline: around.deadline,
                local: around.local,
                ..ntp::Ask::new(server)
            };
            let (report, mut offset) = ntp::check(&ask).await;
            if let Some(offset) = &mut offset {
                offset.name = name;
            }
            (report, offset)
        }
        _ => (ask(task, server, &name, job.transport, around, names).await, None),
    };
    probed(Some(address), report, offset)
}

async fn ask(
    task: &Task,
    server: SocketAddr,
    name: &str,
    transport: Option<Transport>,
    around: &Around,
    names: &[String],
) -> Report {
    let Around { deadline, samples, local, .. } = around.clone();
    match task.kind {
        Probe::Dns if task.protocol == Protocol::TCP => {
            // What the answers say is judged once, with those over UDP.
            tcp::check(&Connect { address: server, samples: 1, deadline, local, device: None }).await
        }
        Probe::Dns => {
            let names = match names.is_empty() {
                true => vec!["www.clover.com".to_string()],
                false => names.to_vec(),
            };
            dns::check(&dns::Ask { resolver: server, names, samples, deadline, local }).await
        }
        Probe::Http => {
            let fetch = Fetch {
                address: server,
                host: name.to_string(),
                path: "/".into(),
                expect: Page::Any,
                follow: 0,
                samples,
                deadline,
                local,
            };
            http::fetch(&fetch, |_: String| async { None }).await
        }
        Probe::Sip => {
            let transport = transport.unwrap_or(Transport::Udp);
            let options =
                sip::Options { server, name: name.to_string(), transport, samples, deadline, local };
            sip::check(&options).await
        }
        Probe::Tls => secured(task, server, name, around).await,
        _ => tcp::check(&Connect { address: server, samples, deadline, local, device: None }).await,
    }
}

/// A handshake, and what the server accepts beside it.
async fn secured(task: &Task, server: SocketAddr, name: &str, around: &Around) -> Report {
    let expect = match task.encryption {
        Encryption::TlsPrivate => Expect::Private,
        Encryption::Tls => Expect::Public,
        _ => Expect::Any,
    };
    let handshake = Handshake {
        address: server,
        name: name.to_string(),
        expect,
        pins: Vec::new(),
        extra_roots: around.extra_roots.clone(),
        system_roots: around.system_roots.clone(),
        now: around.now,
        samples: around.samples,
        deadline: around.deadline,
        local: around.local,
    };
    match expect {
        // Inside the shop only the vendor's device answers: what else it would accept is its own matter.
        Expect::Private => tls::check(&handshake).await,
        _ => tls::assess(&handshake).await,
    }
}

/// The ports of a range, by the reflector.
async fn reflected(task: &Task, around: &Around) -> Report {
    let Some((server, secret)) = &around.reflector else { return Report::of(Reach::Silent) };
    let ports: Vec<u16> = task
        .ports
        .as_slice()
        .iter()
        .flat_map(|(lo, hi)| *lo..=*hi)
        .filter_map(|p| u16::try_from(p).ok())
        .take(MOST_PORTS)
        .collect();
    match task.protocol {
        Protocol::TCP => {
            reflect::range_tcp(*server, &ports, secret, around.deadline, around.local).await.report
        }
        _ => reflect::range(*server, &ports, secret, around.deadline, around.local).await.report,
    }
}

/// A reflector is asked for so many ports of a range.
const MOST_PORTS: usize = 4096;

/// The first address of a family that any resolver gives.
async fn resolve(name: &str, family: Family, around: &Around) -> Result<IpAddr, Text> {
    let mut known = false;
    for resolver in &around.resolvers {
        match dns::lookup(*resolver, name, around.deadline).await {
            Ok(list) => {
                known |= !list.is_empty();
                let mut fitting = list.into_iter().filter(|a| Family::of(*a) == family);
                if let Some(address) = fitting.next() {
                    return Ok(address);
                }
            }
            Err(_) => continue,
        }
    }
    Err(match known {
        true => Text::new("check-no-address-of-family").arg("name", name).arg("family", family),
        false => Text::new("check-no-address").arg("name", name),
    })
}
