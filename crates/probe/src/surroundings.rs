//! What stands around the requirements themselves: a sign-in page, the way to the internet, IPv6, ports that another
//! program holds, connections that are cut when they are silent.

use crate::conflict;
use crate::dns;
use crate::hello;
use crate::http::{self, Fetch};
use crate::idle;
use crate::local::Host;
use crate::outcome::{Detail, Fault, Reach, Report};
use crate::path::{self, Exchange, Via};
use crate::plan::Task;
use crate::run::{Around, Probed};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;
use tillgate_catalog::Probe;
use tillgate_model::{Finding, FindingId, Proof, Protocol, Subject, Text};
use tokio::net::TcpStream;

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
            Ok(holders) => conflict::report(&holders, wanted.program.as_deref()),
            Err(error) => Report::of(Reach::Undecided(Text::new("probe-error").arg("detail", error))),
        };
        let ports: Vec<String> = wanted.ports.iter().map(|(p, n)| format!("{n}/{p}")).collect();
        out.push(Look { kind: "conflict", target: ports.join(", "), report });
    }
    let secured = secured(tasks, probed);
    let (portal, way, silent) = tokio::join!(
        async { if wanted.portal { portal(around).await } else { None } },
        async {
            match (wanted.path, &secured) {
                (true, Some((name, address))) => way(name, *address, around, host).await,
                _ => Vec::new(),
            }
        },
        async {
            match &secured {
                Some((name, address)) if !wanted.silences.is_empty() => {
                    Some(silence(name, *address, &wanted.silences, around).await)
                }
                _ => None,
            }
        },
    );
    out.extend(portal);
    out.extend(way);
    out.extend(silent);
    out
}

/// The first secured destination that somebody answered at, with its name.
fn secured(tasks: &[Task], probed: &[Probed]) -> Option<(String, SocketAddr)> {
    let secured =
        |p: &&Probed| tasks.get(p.task).is_some_and(|t| t.kind == Probe::Tls) && p.report.samples.sent > 0;
    let mut list: Vec<&Probed> = probed.iter().filter(secured).collect();
    list.sort_by_key(|p| !matches!(p.report.reach, Reach::Passes | Reach::Broken(_)));
    let first = list.into_iter().find(|p| !matches!(p.report.reach, Reach::Silent))?;
    let port = tasks.get(first.task)?.port();
    Some((first.target.as_ref()?.to_string(), SocketAddr::new(first.address?, port)))
}

/// A page whose answer is known, so that whoever answers in its place shows.
async fn portal(around: &Around) -> Option<Look> {
    let resolver = *around.resolvers.first()?;
    for (host, path, expect) in http::portal_pages() {
        let Ok(list) = dns::lookup(resolver, host, around.deadline).await else { continue };
        let Some(address) = list.into_iter().find(IpAddr::is_ipv4) else { continue };
        let fetch = Fetch {
            address: SocketAddr::new(address, 80),
            host: host.into(),
            path: path.into(),
            expect,
            follow: 0,
            samples: 1,
            deadline: around.deadline,
            local: around.local,
        };
        let report = http::fetch(&fetch, |_: String| async { None }).await;
        return Some(Look { kind: "portal", target: format!("{host} ({address})"), report });
    }
    None
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
        && let Some(resolver) = around.resolvers.first()
        && let Ok(list) = dns::lookup(*resolver, name, around.deadline).await
        && let Some(six) = list.into_iter().find_map(|a| match a {
            IpAddr::V6(six) => Some(six),
            IpAddr::V4(_) => None,
        })
    {
        let destination = SocketAddrV6::new(six, address.port(), 0, 0);
        let report = path::ipv6(host, destination, around.deadline).await;
        out.push(Look { kind: "ipv6", target: format!("{name} ({six})"), report });
    }
    out
}

const MOST_HOPS: u8 = 8;

async fn silence(name: &str, address: SocketAddr, silences: &[Duration], around: &Around) -> Look {
    let poke = padded(name, 0);
    let needed = silences.iter().copied().max();
    let survey = idle::survey(|| TcpStream::connect(address), silences, &poke, around.deadline).await;
    Look { kind: "idle", target: format!("{name} ({})", address.ip()), report: survey.report(needed) }
}

/// The findings of what was looked at.
pub fn findings(looks: &[Look]) -> Vec<Finding> {
    let one = |fault: &Fault| {
        let proof = if fault.is_sure { Proof::Observed } else { Proof::Possible };
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
