//! HTTP on port 80: whether a page comes as it should, and who answers instead: sign-in pages, proxies, filters.
//!
//! Sources: RFC 9110, RFC 9112, RFC 6585 (511). Sign-in pages are told by pages whose answer is known to the byte.

mod answer;
mod judge;

use crate::outcome::{Detail, Fault, Reach, Report, Samples};
use crate::stream;
use answer::{Bad, Head, Reading};
use judge::{Target, Verdict, judge, proxies, short};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tillgate_model::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// What a page should answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exactly this status; with 204, no body.
    Status(u16),
    /// Status 200 and exactly these bytes, white space at the end aside.
    Body(Vec<u8>),
    /// Any status below 500, redirects to `https` or within the site included.
    Any,
}

/// A page to fetch.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where to connect to.
    pub address: SocketAddr,
    /// The name for the Host line.
    pub host: String,
    /// Path and query. `{nonce}` becomes sixteen random digits in each attempt, so that no cache knows the answer.
    pub path: String,
    /// What should come.
    pub expect: Expect,
    /// How many redirects to follow; only to `http` on port 80 or the port asked first, so that no printer gets a
    /// request to print.
    pub follow: u8,
    /// How often to fetch it, one after the other; at least once.
    pub samples: u32,
    /// For all of it.
    pub deadline: Duration,
    /// The address of ours to connect from.
    pub local: Option<IpAddr>,
}

/// Pages that makers of systems keep for telling sign-in pages: host, path, and what they answer. The first is
/// Android's, which many terminals run.
pub fn portal_pages() -> [(&'static str, &'static str, Expect); 4] {
    let apple = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>";
    [
        ("connectivitycheck.gstatic.com", "/generate_204?{nonce}", Expect::Status(204)),
        ("captive.apple.com", "/hotspot-detect.html?{nonce}", Expect::Body(apple.into())),
        (
            "www.msftconnecttest.com",
            "/connecttest.txt?{nonce}",
            Expect::Body("Microsoft Connect Test".into()),
        ),
        ("detectportal.firefox.com", "/success.txt?{nonce}", Expect::Body("success".into())),
    ]
}

/// Time given to one attempt at the least: two lost SYNs are sent again within it. A later one that had less and
/// got no answer is no lost one.
const ATTEMPT: Duration = Duration::from_secs(4);

/// Fetches a page. `resolve` gives the address of a redirect's host, or `None` not to follow it.
///
/// `reach` is `Passes` if the answers were as expected; `Broken` with the words of the fault if something else came,
/// with no fault if what came is no HTTP, was cut off or did not end in time. Faults: `captive-portal` (a redirect to
/// another host or a page instead of what was expected; not sure where a filter's page would look the same, or where
/// any answer is expected and unencrypted HTTP of another site answers or is led to),
/// `http-failed` (another status or body, a proxy that wants a password).
///
/// Details, of the last answer: `status`, `content_type`, `server`, `redirect` (where it leads), `followed` (list),
/// `proxies` (Via, X-Cache and the like, as `name: value`), `body_bytes`, `body_cut`; medians over the samples:
/// `connect_us`, `first_byte_us` (from the connection being open), `total_us`. Samples are of the whole.
pub async fn fetch<R, F>(fetch: &Fetch, resolve: R) -> Report
where
    R: Fn(String) -> F,
    F: Future<Output = Option<IpAddr>>,
{
    let until = Instant::now() + fetch.deadline;
    let mut report = Report::of(Reach::Silent);
    let mut times = Times::default();
    let mut verdict: Option<Verdict> = None;
    let mut failed: Option<Reach> = None;
    let samples = fetch.samples.max(1);
    for round in 0..samples {
        let now = Instant::now();
        if now >= until && round > 0 {
            break;
        }
        let left = until.saturating_duration_since(now);
        let attempt = until.min(now + ATTEMPT.max(left / (samples - round)));
        match once(fetch, &resolve, attempt).await {
            Ok(done) => {
                report.samples.add(Some(done.total));
                times.add(&done);
                details(&mut report, &done);
                // The first that was not as expected counts.
                if !matches!(verdict, Some(Verdict::Not(..))) {
                    verdict = Some(done.verdict);
                }
            }
            // The end of the whole cut it short: it says nothing of the network.
            Err(reach) if round > 0 && attempt - now < ATTEMPT && Instant::now() >= attempt => {
                failed = failed.or(Some(reach));
                break;
            }
            // Nor do errors of ours.
            Err(reach @ Reach::Undecided(_)) => {
                failed = Some(reach);
                break;
            }
            Err(reach) => {
                report.samples.add(None);
                failed = Some(reach);
            }
        }
    }
    times.write(&mut report);
    let (reach, found) = match (verdict, failed) {
        (Some(Verdict::Met), _) => (Reach::Passes, None),
        (Some(Verdict::But(id, text, is_sure)), _) => (Reach::Passes, Some((id, text, is_sure))),
        (Some(Verdict::Not(id, text, is_sure)), _) => {
            (Reach::Broken(text.clone()), Some((id, text, is_sure)))
        }
        (None, failed) => (failed.unwrap_or(Reach::Silent), None),
    };
    report.reach = reach;
    report.faults.extend(found.map(|(id, text, is_sure)| Fault { id, text, is_sure }));
    report
}

/// An attempt that came to an answer.
struct Done {
    verdict: Verdict,
    head: Head,
    body: usize,
    is_cut: bool,
    target: Option<Target>,
    followed: Vec<String>,
    connect: Duration,
    first_byte: Duration,
    total: Duration,
}

/// One fetch, with the redirects that may be followed. Times of the first connection, and of the whole.
async fn once<R, F>(fetch: &Fetch, resolve: &R, until: Instant) -> Result<Done, Reach>
where
    R: Fn(String) -> F,
    F: Future<Output = Option<IpAddr>>,
{
    let start = Instant::now();
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| stream::own(&io::Error::other(error)))?;
    let nonce = format!("{:016x}", u64::from_ne_bytes(nonce));
    let mut place = Target {
        scheme: "http".into(),
        host: fetch.host.clone(),
        port: fetch.address.port(),
        path: fetch.path.replace("{nonce}", &nonce),
    };
    let mut address = fetch.address;
    let mut followed = Vec::new();
    let mut first: Option<(Duration, Duration)> = None;
    loop {
        let page = page(address, fetch.local, &place, until).await?;
        let (connect, first_byte) = *first.get_or_insert((page.connect, page.first_byte));
        let head = page.reading.head.unwrap_or_default();
        let target = head
            .value("location")
            .filter(|_| matches!(head.status, 301 | 302 | 303 | 307 | 308))
            .and_then(|location| Target::of(location, &place.host, place.port, &place.path));
        let body = &page.reading.body;
        let verdict = judge(&fetch.expect, &fetch.host, &place.host, &head, body, target.as_ref());
        let done = Done {
            verdict,
            body: body.len(),
            is_cut: page.reading.is_cut,
            head,
            target,
            followed,
            connect,
            first_byte,
            total: start.elapsed(),
        };
        let wants_more = matches!(fetch.expect, Expect::Any) || !matches!(done.verdict, Verdict::Met);
        let next = done.target.clone().filter(|target| {
            wants_more
                && done.followed.len() < usize::from(fetch.follow)
                && target.scheme == "http"
                && (target.port == 80 || target.port == fetch.address.port())
        });
        let Some(next) = next else { return Ok(done) };
        let ip = match next.host == place.host.to_ascii_lowercase() {
            true => Some(address.ip()),
            false => timeout_at(until, resolve(next.host.clone())).await.unwrap_or(None),
        };
        let Some(ip) = ip else { return Ok(done) };
        address = SocketAddr::new(ip, next.port);
        followed = done.followed;
        followed.push(short(&format!("{}{}", next.origin(), next.path)));
        place = next;
    }
}

/// One answer and its times.
struct Page {
    reading: Reading,
    connect: Duration,
    first_byte: Duration,
}

async fn page(
    address: SocketAddr,
    local: Option<IpAddr>,
    place: &Target,
    until: Instant,
) -> Result<Page, Reach> {
    let request = request(place)?;
    let start = Instant::now();
    let mut stream = stream::connect(address, local, until).await?;
    let connect = start.elapsed();
    let mut reading = Reading::default();
    let mut first_byte = Duration::ZERO;
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = vec![0; 8192];
        loop {
            let length = stream.read(&mut buffer).await?;
            if reading.total == 0 {
                first_byte = start.elapsed().saturating_sub(connect);
            }
            if length == 0 {
                return match reading.is_closed_well() {
                    true => Ok(Ok(())),
                    false => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                };
            }
            match reading.push(buffer.get(..length).unwrap_or_default()) {
                Ok(true) => return Ok(Ok(())),
                Ok(false) => (),
                Err(bad) => return Ok(Err(bad)),
            }
        }
    };
    let outcome = timeout_at(until, exchange).await;
    match outcome {
        Ok(Ok(Ok(()))) => Ok(Page { reading, connect, first_byte }),
        Ok(Ok(Err(Bad::Garbage))) => {
            Err(Reach::Broken(Text::new("probe-http-garbage").arg("start", reading.start())))
        }
        Ok(Ok(Err(Bad::Endless))) => {
            Err(Reach::Broken(Text::new("probe-http-endless").num("bytes", reading.total)))
        }
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Reach::Broken(Text::new("probe-http-reset").num("bytes", reading.total))
            }
            _ => stream::reach(&error),
        }),
        Err(_) if reading.total > 0 => {
            Err(Reach::Broken(Text::new("probe-unfinished").num("bytes", reading.total)))
        }
        Err(_) => Err(Reach::Silent),
    }
}

/// The request. A host or path with white space or control characters would be another request.
fn request(place: &Target) -> Result<String, Reach> {
    let is_clean = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if place.host.is_empty()
        || !is_clean(&place.host)
        || !place.path.starts_with('/')
        || !is_clean(&place.path)
    {
        let text = Text::new("probe-http-url").arg("host", &place.host).arg("path", &place.path);
        return Err(Reach::Undecided(text));
    }
    let host = match place.host.parse::<Ipv6Addr>() {
        Ok(v6) => format!("[{v6}]"),
        Err(_) => place.host.clone(),
    };
    let port = if place.port == 80 { String::new() } else { format!(":{}", place.port) };
    Ok(format!(
        "GET {} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: tillgate\r\nAccept: */*\r\n\
         Cache-Control: no-cache\r\nConnection: close\r\n\r\n",
        place.path
    ))
}

fn details(report: &mut Report, done: &Done) {
    report.details.clear();
    report.number("status", f64::from(done.head.status));
    report.number("body_bytes", done.body as f64);
    if done.is_cut {
        report.details.insert("body_cut", Detail::Flag(true));
    }
    for (key, name) in [("content_type", "content-type"), ("server", "server")] {
        if let Some(value) = done.head.value(name) {
            report.word(key, short(value));
        }
    }
    if let Some(target) = &done.target {
        report.word("redirect", short(&format!("{}{}", target.origin(), target.path)));
    }
    for (key, list) in [("followed", done.followed.clone()), ("proxies", proxies(&done.head))] {
        if !list.is_empty() {
            report.details.insert(key, Detail::List(list));
        }
    }
}

/// Times of the phases over the samples.
#[derive(Default)]
struct Times {
    phases: [Vec<Duration>; 3],
}

impl Times {
    fn add(&mut self, done: &Done) {
        for (list, time) in self.phases.iter_mut().zip([done.connect, done.first_byte, done.total]) {
            list.push(time);
        }
    }

    fn write(self, report: &mut Report) {
        for (key, times) in ["connect_us", "first_byte_us", "total_us"].into_iter().zip(self.phases) {
            let samples = Samples { sent: 0, times };
            if let Some(median) = samples.quantile(0.5) {
                report.number(key, median.as_secs_f64() * 1e6);
            }
        }
    }
}

#[cfg(test)]
mod tests;
