//! The tasks of a place, all at once: each with a deadline of its own, none waiting for another.

use crate::dns;
use crate::http::{self, Expect as Page, Fetch};
use crate::ntp::{self, Offset};
use crate::nts;
use crate::outcome::{Reach, Report};
use crate::plan::{Target, Task};
use crate::reflect;
use crate::segment;
use crate::sip::{self, Transport};
use crate::tcp::{self, Connect};
use crate::tls::{self, CertificateDer, Expect, Handshake};
use crate::udp;
use rustls::RootCertStore;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tillgate_catalog::{Encryption, Probe};
use tillgate_model::{Family, Protocol, Text, address_bits, public_ranges};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What every probe of a run shares.
#[derive(Clone)]
pub struct Around {
    /// The resolvers that names are asked of, the first that answers counts.
    pub resolvers: Vec<SocketAddr>,
    /// The names that resolvers must know.
    pub names: Vec<String>,
    /// The addresses to ask from, at most one of each family; none: the system's choice.
    pub local: Vec<IpAddr>,
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
    /// Whether time servers are asked for authenticated time (NTS) as well.
    pub nts: bool,
    /// A reflector that answers on the ports of a range, and the secret shared with it.
    pub reflector: Option<(IpAddr, [u8; 32])>,
}

impl Around {
    /// The address to ask another from.
    pub fn local(&self, other: IpAddr) -> Option<IpAddr> {
        self.local.iter().copied().find(|own| own.is_ipv4() == other.is_ipv4())
    }
}

/// Names with the address of each family, or why there is none.
pub(crate) type Known = BTreeMap<(String, Family), Result<IpAddr, Text>>;

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

/// Runs all tasks; `done` is told of each probe that ended. The results are in the order of tasks and targets. Names are
/// turned into addresses first, within one deadline; each probe then has its own.
pub async fn run(tasks: &[Task], around: &Around, mut done: impl FnMut(&Probed)) -> Vec<Probed> {
    let known = Arc::new(known(tasks, around).await);
    let around = Arc::new(around.clone());
    let gate = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut set: JoinSet<Probed> = JoinSet::new();
    let mut keys: BTreeMap<tokio::task::Id, (usize, usize)> = BTreeMap::new();
    let mut out: BTreeMap<(usize, usize), Probed> = BTreeMap::new();
    for (at, task) in tasks.iter().enumerate() {
        let jobs = match jobs(task, &around) {
            Ok(jobs) => jobs,
            Err(why) => {
                let probed = undecided(at, why);
                done(&probed);
                out.insert((at, 0), probed);
                continue;
            }
        };
        for (place, job) in jobs.into_iter().enumerate() {
            let (around, gate, known, task) =
                (Arc::clone(&around), Arc::clone(&gate), Arc::clone(&known), task.clone());
            let handle = set.spawn(async move {
                let _permit = gate.acquire().await;
                one(at, &task, job, &around, &known).await
            });
            keys.insert(handle.id(), (at, place));
        }
    }
    while let Some(joined) = set.join_next_with_id().await {
        let (id, probed) = match joined {
            Ok((id, probed)) => (id, Some(probed)),
            // A probe that panics is a fault of ours, and takes no other with it.
            Err(error) => (error.id(), None),
        };
        let Some(key) = keys.get(&id).copied() else { continue };
        let own = || undecided(key.0, Text::new("probe-own-error").arg("detail", "?"));
        let probed = probed.unwrap_or_else(own);
        done(&probed);
        out.insert(key, probed);
    }
    out.into_values().collect()
}

fn undecided(task: usize, why: Text) -> Probed {
    let report = Report::of(Reach::Undecided(why));
    Probed { task, target: None, address: None, transport: None, report, offset: None }
}

/// Addresses in the internet that the tasks go to, by their names; sorted, a few are enough to see whether more passes
/// than should.
pub async fn addresses(tasks: &[Task], around: &Around) -> Vec<IpAddr> {
    let mut list: Vec<IpAddr> = known(tasks, around).await.into_values().filter_map(Result::ok).collect();
    list.sort_unstable();
    list.dedup();
    list.truncate(4);
    list
}

/// All names of the tasks, asked at once.
async fn known(tasks: &[Task], around: &Around) -> Known {
    let mut set = JoinSet::new();
    let mut wanted: Vec<(String, Family)> = Vec::new();
    for task in tasks {
        wanted.extend(task.targets.iter().filter_map(|t| match t {
            Target::Name(name) => Some((name.clone(), task.family)),
            Target::Address(_) => None,
        }));
    }
    wanted.sort();
    wanted.dedup();
    for (name, family) in wanted {
        let around = around.clone();
        set.spawn(async move {
            let found = tokio::time::timeout(around.deadline, resolve(&name, family, &around)).await;
            let found = found.unwrap_or_else(|_| Err(Text::new("check-no-address").arg("name", &name)));
            ((name, family), found)
        });
    }
    set.join_all().await.into_iter().collect()
}

/// A clock is asked this often: the sample with the shortest way counts.
const LEAST_TIMES: u32 = 4;
/// Public servers answer those who ask more with a kiss of death.
const MOST_TIMES: u32 = 8;
const BETWEEN_TIMES: Duration = Duration::from_millis(400);

/// One target of a task.
struct Job {
    target: Option<Target>,
    transport: Option<Transport>,
}

/// Whom to ask, or why there is nobody.
fn jobs(task: &Task, around: &Around) -> Result<Vec<Job>, Text> {
    let all = |transports: &[Transport]| -> Vec<Job> {
        let of = |target: &Target| {
            let target = target.clone();
            transports
                .iter()
                .map(move |t| Job { target: Some(target.clone()), transport: Some(*t) })
                .collect()
        };
        task.targets.iter().flat_map(|target| -> Vec<Job> { of(target) }).collect()
    };
    let ports = tillgate_model::format_ports(&task.ports);
    let jobs = match task.kind {
        Probe::None => return Err(Text::new("check-not-measurable")),
        Probe::Dhcp => return Err(Text::new("check-dhcp")),
        Probe::Udp => match &around.reflector {
            // Without a reflector the hosts themselves say what they say: an answer, a refusal, or nothing.
            None if task.targets.is_empty() => {
                return Err(Text::new("check-no-reflector").arg("ports", ports));
            }
            None => task.targets.iter().map(|t| Job { target: Some(t.clone()), transport: None }).collect(),
            Some((address, _)) if !task.destination.contains(address_bits(*address)) => {
                return Err(Text::new("check-reflector-elsewhere").arg("address", address));
            }
            Some(_) => vec![Job { target: None, transport: None }],
        },
        Probe::Sip => match task.protocol {
            // Port 5061 is that of SIP over TLS (RFC 3261 section 19.1.2).
            Protocol::TCP if task.ports.contains(SIPS.into()) && task.ports.contains(SIP.into()) => {
                all(&[Transport::Tcp, Transport::Tls])
            }
            Protocol::TCP if task.ports.contains(SIPS.into()) => all(&[Transport::Tls]),
            Protocol::TCP => all(&[Transport::Tcp]),
            _ => all(&[Transport::Udp]),
        },
        _ => task.targets.iter().map(|t| Job { target: Some(t.clone()), transport: None }).collect(),
    };
    match jobs.is_empty() {
        true => Err(Text::new("check-no-host")),
        false => Ok(jobs),
    }
}

/// The names a resolver must know: those of all tasks.
pub fn names(tasks: &[Task]) -> Vec<String> {
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

async fn one(at: usize, task: &Task, job: Job, around: &Around, known: &Known) -> Probed {
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
        Target::Name(name) => match known_address(known, name, task.family) {
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
                samples: around.samples.clamp(LEAST_TIMES, MOST_TIMES),
                interval: BETWEEN_TIMES,
                deadline: around.deadline,
                local: around.local(address),
                ..ntp::Ask::new(server)
            };
            let (mut report, mut offset) = ntp::check(&ask).await;
            if let Some(offset) = &mut offset {
                offset.name.clone_from(&name);
            }
            // Nothing asks for it; it is worth knowing where it is offered.
            if around.nts {
                let at = SocketAddr::new(address, nts::PORT);
                let seen = nts::check(&name, at, around.deadline, roots(around)).await;
                report.details.extend(seen.details);
            }
            (report, offset)
        }
        _ => (ask(task, server, &name, job.transport, around).await, None),
    };
    probed(Some(address), report, offset)
}

async fn ask(
    task: &Task,
    server: SocketAddr,
    name: &str,
    transport: Option<Transport>,
    around: &Around,
) -> Report {
    let Around { deadline, samples, .. } = *around;
    let local = around.local(server.ip());
    match task.kind {
        Probe::Dns if task.protocol == Protocol::TCP => {
            // What the answers say is judged once, with those over UDP.
            tcp::check(&Connect { address: server, samples: 1, deadline, local, device: None }).await
        }
        Probe::Dns => {
            let names = around.names.clone();
            dns::check(&dns::Ask { resolver: server, names, samples, deadline, local }).await
        }
        Probe::Http => {
            let resolve = |host: String| async move { resolve(&host, task.family, around).await.ok() };
            let fetch = Fetch {
                address: server,
                host: name.to_string(),
                path: "/".into(),
                expect: Page::Any,
                follow: MOST_REDIRECTS,
                samples,
                deadline,
                local,
            };
            http::fetch(&fetch, resolve).await
        }
        Probe::Sip => {
            let transport = transport.unwrap_or(Transport::Udp);
            let options =
                sip::Options { server, name: name.to_string(), transport, samples, deadline, local };
            match transport {
                Transport::Tls => voice(task, options, around).await,
                _ => sip::check(&options).await,
            }
        }
        Probe::Udp => {
            let ports = ports_of(task);
            let payload = match ports.as_slice() {
                [port] => segment::question(*port),
                _ => Vec::new(),
            };
            udp::check(&udp::Range { server: server.ip(), ports, payload, deadline, local }).await.report
        }
        // A terminal's own service is encrypted under its vendor's authority.
        Probe::Tcp if task.encryption == Encryption::TlsPrivate => secured(task, server, name, around).await,
        Probe::Tls => secured(task, server, name, around).await,
        _ => tcp::check(&Connect { address: server, samples, deadline, local, device: None }).await,
    }
}

/// A handshake, and what the server accepts beside it.
async fn secured(task: &Task, server: SocketAddr, name: &str, around: &Around) -> Report {
    // Of a host that only its address is known of, no name can be expected.
    let name = if name.parse::<IpAddr>().is_ok() { "" } else { name };
    let handshake = Handshake { expect: expected(task), ..handshake(server, name, around) };
    match handshake.expect {
        // Inside the shop only the vendor's device answers: what else it would accept is its own matter.
        Expect::Private => tls::check(&handshake).await,
        _ => tls::assess(&handshake).await,
    }
}

fn expected(task: &Task) -> Expect {
    match task.encryption {
        Encryption::TlsPrivate => Expect::Private,
        Encryption::Tls => Expect::Public,
        _ => Expect::Any,
    }
}

/// A handshake with what every probe of a run shares.
pub(crate) fn handshake(address: SocketAddr, name: &str, around: &Around) -> Handshake {
    Handshake {
        address,
        name: name.to_string(),
        expect: Expect::Any,
        pins: Vec::new(),
        extra_roots: around.extra_roots.clone(),
        system_roots: around.system_roots.clone(),
        now: around.now,
        samples: around.samples,
        deadline: around.deadline,
        local: around.local(address.ip()),
    }
}

const SIP: u16 = 5060;
const SIPS: u16 = 5061;

/// Voice signalling inside TLS; each has half of the time.
async fn voice(task: &Task, mut options: sip::Options, around: &Around) -> Report {
    options.server.set_port(SIPS);
    options.deadline /= 2;
    let shared = handshake(options.server, &options.name, around);
    let handshake = Handshake { expect: expected(task), deadline: options.deadline, ..shared };
    match tls::secure(&handshake).await {
        Ok((stream, here, secured)) => {
            let mut report = sip::over(&options, stream, here).await;
            report.faults.extend(secured.faults);
            report.details.extend(secured.details);
            report
        }
        Err(reach) => Report::of(reach),
    }
}

/// The ports of a range, by the reflector.
async fn reflected(task: &Task, around: &Around) -> Report {
    let Some((server, secret)) = &around.reflector else { return Report::of(Reach::Silent) };
    let ports = ports_of(task);
    match task.protocol {
        Protocol::TCP => {
            reflect::range_tcp(*server, &ports, secret, around.deadline, around.local(*server)).await.report
        }
        _ => reflect::range(*server, &ports, secret, around.deadline, around.local(*server)).await.report,
    }
}

/// So many ports of a range are asked.
const MOST_PORTS: usize = 4096;
/// A page that leads farther leads nowhere.
const MOST_REDIRECTS: u8 = 3;

fn ports_of(task: &Task) -> Vec<u16> {
    let all = task.ports.as_slice().iter().flat_map(|(lo, hi)| *lo..=*hi);
    all.filter_map(|p| u16::try_from(p).ok()).take(MOST_PORTS).collect()
}

/// The public roots, and those that count as such.
fn roots(around: &Around) -> Arc<RootCertStore> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(around.extra_roots.iter().cloned());
    Arc::new(roots)
}

fn known_address(known: &Known, name: &str, family: Family) -> Result<IpAddr, Text> {
    match known.get(&(name.to_string(), family)) {
        Some(found) => found.clone(),
        None => Err(Text::new("check-no-address").arg("name", name)),
    }
}

/// The first address of a family that any resolver gives.
pub(crate) async fn resolve(name: &str, family: Family, around: &Around) -> Result<IpAddr, Text> {
    let (mut known, mut inside) = (false, None);
    for resolver in &around.resolvers {
        match dns::lookup(*resolver, name, around.deadline, around.local(resolver.ip())).await {
            Ok(list) => {
                known |= !list.is_empty();
                for address in list.into_iter().filter(|a| Family::of(*a) == family) {
                    if public_ranges(family).contains(address_bits(address)) {
                        return Ok(address);
                    }
                    inside = Some(address);
                }
            }
            Err(_) => continue,
        }
    }
    // What is published stands in the internet: an address of the inside is a lie, and what answers there says nothing.
    if let Some(address) = inside {
        return Err(Text::new("check-address-inside").arg("name", name).arg("address", address));
    }
    Err(match known {
        true => Text::new("check-no-address-of-family").arg("name", name).arg("family", family),
        false => Text::new("check-no-address").arg("name", name),
    })
}
