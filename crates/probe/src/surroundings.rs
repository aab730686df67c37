//! What stands around the requirements themselves: a sign-in page, the way to the internet, IPv6, ports that another
//! program holds, connections that are cut when they are silent.

use crate::conflict;
use crate::hello;
use crate::http::{self, Fetch};
use crate::idle;
use crate::local::Host;
use crate::outcome::{Detail, Fault, Reach, Report};
use crate::path::{self, Exchange, Via};
use crate::plan::{Target, Task};
use crate::run::{self, Around, Probed};
use crate::tls;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;
use tillgate_catalog::Probe;
use tillgate_model::{Family, Finding, FindingId, Proof, Protocol, Subject, Text};

/// One look around.
#[derive(Clone, Debug)]
pub struct Look {
    /// `portal`, `path`, `ipv6`, `conflict`, `idle`.
    pub kind: &'static str,
    /// At what.
    pub target: String,
    /// What was seen.
    pub report: Report,
}

/// What to look at, beside the tasks.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// A page that every network lets pass, to see who answers.
    pub portal: bool,
    /// The way to the first secured destination.
    pub path: bool,
    /// Ports that must be free on this host.
    pub ports: Vec<(Protocol, u16)>,
    /// The program that may hold them.
    pub program: Option<String>,
    /// Silences a connection must survive.
    pub silences: Vec<Duration>,
}

/// Looks around, once the tasks have run: the way is that to a destination they reached.
pub async fn look(
    tasks: &[Task],
    probed: &[Probed],
    around: &Around,
    host: &Host,
    wanted: &Wanted,
) -> Vec<Look> {
    let mut out = Vec::new();
    if !wanted.ports.is_empty() {
        let report = match conflict::holders(&wanted.ports) {
            Ok(holders) => {
                // What only this host itself can reach is in nobody's way.
                let open: Vec<_> = holders.into_iter().filter(|h| !h.address.is_loopback()).collect();
                conflict::report(&open, wanted.program.as_deref())
            }
            Err(error) => Report::of(Reach::Undecided(Text::new("probe-error").arg("detail", error))),
        };
        let ports: Vec<String> = wanted.ports.iter().map(|(p, n)| format!("{n}/{p}")).collect();
        out.push(Look { kind: "conflict", target: ports.join(", "), report });
    }
    let secured = match wanted.path || !wanted.silences.is_empty() {
        true => secured(tasks, probed, around).await,
        false => None,
    };
    let undecided = |kind, id| {
        let report = Report::of(Reach::Undecided(Text::new(id)));
        Look { kind, target: String::new(), report }
    };
    let (portal, way, silent) = tokio::join!(
        async { if wanted.portal { vec![portal(around).await] } else { Vec::new() } },
        async {
            match (wanted.path, &secured) {
                (false, _) => Vec::new(),
                (true, Some((name, address))) => way(name, *address, around, host).await,
                (true, None) => vec![undecided("path", "check-no-way")],
            }
        },
        async {
            match &secured {
                _ if wanted.silences.is_empty() => Vec::new(),
                Some((name, address)) => vec![silence(name, *address, &wanted.silences, around).await],
                None => vec![undecided("idle", "check-no-way")],
            }
        },
    );
    out.extend(portal);
    out.extend(way);
    out.extend(silent);
    out
}

/// A secured destination that somebody answered at, with its name; where none was measured, the first that has an
/// address.
async fn secured(tasks: &[Task], probed: &[Probed], around: &Around) -> Option<(String, SocketAddr)> {
    let of_tls = |t: &&Task| t.kind == Probe::Tls && t.protocol == Protocol::TCP;
    let measured = |p: &&Probed| {
        tasks.get(p.task).is_some_and(|t| of_tls(&t)) && p.address.is_some() && p.report.samples.sent > 0
    };
    let mut list: Vec<&Probed> = probed.iter().filter(measured).collect();
    list.sort_by_key(|p| match p.report.reach {
        Reach::Passes => 0,
        Reach::Broken(_) => 1,
        _ => 2,
    });
    if let Some(first) = list.first() {
        // Where nothing came back there is no way to look at.
        let answered = matches!(first.report.reach, Reach::Passes | Reach::Broken(_));
        let port = tasks.get(first.task)?.port();
        return answered
            .then_some((first.target.as_ref()?.to_string(), SocketAddr::new(first.address?, port)));
    }
    for task in tasks.iter().filter(of_tls) {
        for target in &task.targets {
            let address = match target {
                Target::Address(address) => Ok(*address),
                Target::Name(name) => run::resolve(name, task.family, around).await,
            };
            if let Ok(address) = address {
                return Some((target.to_string(), SocketAddr::new(address, task.port())));
            }
        }
    }
    None
}

/// A page whose answer is known, so that whoever answers in its place shows.
async fn portal(around: &Around) -> Look {
    for (host, path, expect) in http::portal_pages() {
        let Ok(address) = run::resolve(host, Family::V4, around).await else { continue };
        let fetch = Fetch {
            address: SocketAddr::new(address, 80),
            host: host.into(),
            path: path.into(),
            expect,
            follow: 0,
            samples: 1,
            deadline: around.deadline,
            local: around.local(address),
        };
        let mut report = http::fetch(&fetch, |_: String| async { None }).await;
        // A firewall that lets no plain page pass shows no sign-in page either.
        if !matches!(report.reach, Reach::Passes | Reach::Broken(_)) {
            report.reach = Reach::Undecided(Text::new("check-no-plain-page"));
        }
        return Look { kind: "portal", target: format!("{host} ({address})"), report };
    }
    let report = Report::of(Reach::Undecided(Text::new("check-no-known-page")));
    Look { kind: "portal", target: String::new(), report }
}

/// Suites of TLS 1.2 that servers in use accept (RFC 5289, RFC 7905).
const SUITES: [u16; 6] = [0xc02f, 0xc030, 0xc02b, 0xc02c, 0xcca8, 0xcca9];

/// A ClientHello with an extension that nobody knows (RFC 8701) to make it long; at most one record (RFC 8446
/// section 5.1).
fn padded(name: &str, bytes: usize) -> Vec<u8> {
    let mut hello = hello::client_hello(0x0303, &SUITES, name, false);
    let missing = bytes.saturating_sub(hello.len() + 4).min(15_000);
    // Record 5, handshake 4, version 2, random 32, session 1, suites 2 and themselves, compression 2.
    let extensions = 5 + 4 + 2 + 32 + 1 + 2 + 2 * (SUITES.len() + 1) + 2;
    hello.extend([0x0a, 0x0a, (missing >> 8) as u8, missing as u8]);
    hello.resize(hello.len() + missing, 0);
    let length = hello.len();
    for (at, inside) in [(3, length - 5), (7, length - 9), (extensions, length - extensions - 2)] {
        if let Some(field) = hello.get_mut(at..at + 2) {
            field.copy_from_slice(&(inside as u16).to_be_bytes());
        }
    }
    hello
}

/// A ClientHello of any length: a server answers it as it does a short one.
struct Hello<'a>(&'a str);

impl Exchange for Hello<'_> {
    fn request(&self, bytes: usize) -> Vec<u8> {
        padded(self.0, bytes)
    }
}

async fn way(name: &str, address: SocketAddr, around: &Around, host: &Host) -> Vec<Look> {
    let ip = address.ip();
    // The way is that of the address the terminals' packets have.
    if let (Some(own), Ok(source)) = (around.local(ip), Host::source_for(ip))
        && own != source
    {
        let report = Report::of(Reach::Undecided(Text::new("check-other-source").arg("address", source)));
        return vec![Look { kind: "path", target: format!("{name} ({ip})"), report }];
    }
    let exchange = Hello(name);
    let (mut hole, hops) = tokio::join!(
        path::black_hole(address, &exchange, around.deadline),
        path::hops(address, Via::Tcp, MOST_HOPS, around.deadline.min(Duration::from_secs(3))),
    );
    // What else is wrong with the server is the requirement's own probe's to say.
    hole.faults.retain(|f| f.id == FindingId::PathMtu);
    if let (Ok(hops), Ok(source)) = (hops, Host::source_for(ip)) {
        let nat = path::nat(source, &hops, None);
        hole.word("translation", nat.name());
        let words = hops.iter().map(|h| h.map_or("?".into(), |a| a.to_string())).collect();
        hole.details.insert("hops", Detail::List(words));
    }
    let mut out = vec![Look { kind: "path", target: format!("{name} ({ip})"), report: hole }];
    if host.ipv6().is_present()
        && let Ok(IpAddr::V6(six)) = run::resolve(name, Family::V6, around).await
    {
        let destination = SocketAddrV6::new(six, address.port(), 0, 0);
        let report = path::ipv6(host, destination, around.deadline).await;
        out.push(Look { kind: "ipv6", target: format!("{name} ({six})"), report });
    }
    out
}

const MOST_HOPS: u8 = 8;

async fn silence(name: &str, address: SocketAddr, silences: &[Duration], around: &Around) -> Look {
    // As an application's connection is: secured, then silent, then a request.
    let request = format!("HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: keep-alive\r\n\r\n");
    let needed = silences.iter().copied().max();
    let open = || {
        let handshake = run::handshake(address, name, around);
        async move {
            let secured = tls::secure(&handshake).await;
            secured.map(|(stream, ..)| stream).map_err(|_| std::io::Error::other("not secured"))
        }
    };
    let survey = idle::survey(open, silences, request.as_bytes(), around.deadline).await;
    Look { kind: "idle", target: format!("{name} ({})", address.ip()), report: survey.report(needed) }
}

/// The findings of what was looked at; from a stranger's place the terminals may see something else.
pub fn findings(looks: &[Look], is_device: bool) -> Vec<Finding> {
    let one = |fault: &Fault| {
        let proof = if fault.is_sure && is_device { Proof::Observed } else { Proof::Possible };
        Finding::new(fault.id, Subject::default(), fault.text.clone()).proof(proof)
    };
    looks.iter().flat_map(|look| &look.report.faults).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_hello_keeps_its_lengths() {
        for bytes in [0, 300, 3000, 20_000] {
            let hello = padded("www.example.com", bytes);
            let length = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
            assert_eq!(hello.len(), 5 + length(3), "{bytes}");
            assert_eq!(hello.len(), 9 + length(7), "{bytes}");
            let at = 48 + 2 * (SUITES.len() + 1);
            assert_eq!(hello.len(), at + 2 + length(at), "{bytes}");
            assert!(hello.len() >= bytes.min(15_000), "{bytes}");
        }
    }
}
